/* The EK: its certificate, its public area, and what a report binds. */
#ifndef VERIFY_EK_H
#define VERIFY_EK_H

#include "cvtpm/ek_template.h"
#include "verify/certs.h"
#include "verify/cmw.h"

/* An EK as TPM2B_PUBLIC. */
struct ek_public {
	const struct cvtpm_ek_template *ek;
	uint8_t bytes[CVTPM_EK_PUBLIC_MAX_SIZE];
	size_t len;
};

struct ek_evidence {
	X509 *cert;         /* owned, or NULL */
	const uint8_t *der; /* of the caller's bytes where they were DER, else `owned_der` */
	size_t der_len;
	uint8_t *owned_der;
	struct cmw cmw;
	bool has_public;      /* `public` is read from the TPM */
	bool has_cert_public; /* `cert_public` is rebuilt from the certificate */
	struct ek_public public, cert_public;
};

/* Reads both, adding refused lines for what is malformed, and the lines on the
 * certificate itself. False: something was malformed. */
bool ek_open(struct ek_evidence *ek, const struct cvtpm_evidence *evidence, int64_t at,
	     const struct cert_list *certs, struct cvtpm_verification *v);
void ek_close(struct ek_evidence *ek);

/* REPORT_DATA of the two bindings. False: there is nothing to bind. */
bool ek_pub_digest(const struct ek_evidence *ek, uint8_t digest[SNP_REPORT_DATA_SIZE]);
bool ek_cert_digest(const struct ek_evidence *ek, uint8_t digest[SNP_REPORT_DATA_SIZE]);

#endif
