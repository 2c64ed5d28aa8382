/*
 * The svsm binding: REPORT_DATA = SHA-512(nonce || manifest), as the attestation call
 * of an SVSM makes it (AMD 58019, 7). Of manifests there is version 0 of the vTPM's: the
 * EK's TPMT_PUBLIC, without a size field.
 */
#ifndef VERIFY_SVSM_H
#define VERIFY_SVSM_H

#include "verify/ek.h"

#define SVSM_NONCE_SIZE 64

/* Adds the lines on the manifest, which becomes the EK where none was given. After
 * ek_open(). False: it is not that of a vTPM, or of another EK than was given. */
bool svsm_open(struct ek_evidence *ek, const struct cvtpm_bytes *manifest,
	       struct cvtpm_verification *v);

/* Whether this report is over nonce and manifest. False where one of them is missing. */
bool svsm_is_bound(const struct cvtpm_bytes *nonce, const struct cvtpm_bytes *manifest,
		   const uint8_t report_data[SNP_REPORT_DATA_SIZE]);

/* Adds the line on the binding of the report that was named. */
void svsm_check_binding(const char *about, bool bound, const struct cvtpm_bytes *nonce,
			struct cvtpm_verification *v);

#endif
