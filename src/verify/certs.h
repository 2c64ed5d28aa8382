/* Certificates as they come: PEM, DER, several in a file, a GHCB table. */
#ifndef VERIFY_CERTS_H
#define VERIFY_CERTS_H

#include "cvtpm/evidence.h"

#include <openssl/x509.h>

struct cvtpm_chain_cache;

#define CERTS_MAX 64
#define CERT_MAX_SIZE                                                                              \
	16384 /* one certificate's DER; the largest that manufacture makes is 12 KiB */

#define CERT_CRLS_MAX 8 /* certificate tables that may bring a list */

struct cert_list {
	X509 *certs[CERTS_MAX]; /* owned */
	size_t count;
	struct cvtpm_chain_cache *cache; /* of the caller; NULL: none */
	/* Revocation lists of certificate tables, where they lie in the caller's bytes. */
	struct cvtpm_bytes crls[CERT_CRLS_MAX];
	size_t crl_count;
};

/* Adds every certificate in `bytes`, duplicates once. 0, or CVTPM_ERR_FORMAT
 * with what is wrong in `why` (constant text). */
int certs_add(struct cert_list *list, const struct cvtpm_bytes *bytes, const char **why);
/* Adds those of a GHCB certificate table (GHCB 4.1.8.1), and its revocation list. */
int certs_add_table(struct cert_list *list, const uint8_t *table, size_t len, const char **why);
void certs_free(struct cert_list *list);

/* One certificate from DER at *p, strictly: what it encodes to again is what was
 * there. Moves *p. NULL: not a certificate. */
X509 *cert_read_der(const uint8_t **p, size_t len);

/* Text of a name, RFC 2253 style, printable ASCII; "" when there is none. */
#define NAME_TEXT_SIZE 256
void name_text(char text[NAME_TEXT_SIZE], const X509_NAME *name);
/* The only common name of `name` equals `cn`. */
bool name_has_cn(const X509_NAME *name, const char *cn);

#endif
