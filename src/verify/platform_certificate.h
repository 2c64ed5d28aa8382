/* The platform certificate: an attribute certificate (RFC 5755) whose holder is an EK certificate.
 */
#ifndef VERIFY_PLATFORM_CERTIFICATE_H
#define VERIFY_PLATFORM_CERTIFICATE_H

#include "verify/certs.h"

/* Adds its lines. `ek` may be NULL: no EK certificate was given. */
void platform_certificate_check(const struct cvtpm_bytes *bytes, X509 *ek,
				const struct cert_list *certs, int64_t at,
				struct cvtpm_verification *v);

/* Whether the holder is this EK certificate, both DER. */
bool platform_certificate_holds(const struct cvtpm_bytes *bytes, const struct cvtpm_bytes *ek);

#endif
