/* Evidence inside a certificate: the Conceptual Message Wrapper of RFC 9999. */
#ifndef VERIFY_CMW_H
#define VERIFY_CMW_H

#include "cvtpm/evidence.h"

#include <openssl/x509.h>

#define CMW_CLAIMS_MAX 16

/* One claim, as text for people; both escaped. */
struct cmw_claim {
	char name[64];
	char value[128];
};

/* Pointers go into the certificate. */
struct cmw {
	const uint8_t *report; /* SNP_REPORT_SIZE bytes, or NULL */
	const uint8_t *table;  /* GHCB certificate table, or NULL */
	size_t table_len;
	bool collection;
	struct cmw_claim claims[CMW_CLAIMS_MAX];
	size_t claim_count;
	const char *isolation; /* "svsm", "process", "" for another word; NULL: not claimed */
};

/* Reads CBOR: 0, or CVTPM_ERR_FORMAT with what is wrong in `why` (constant). */
int cmw_read(struct cmw *cmw, const uint8_t *cbor, size_t len, const char **why);

/* Reads id-pe-cmw of a certificate: CVTPM_ERR_NOT_FOUND when it has none. */
int cmw_read_certificate(struct cmw *cmw, const X509 *cert, const char **why);

#endif
