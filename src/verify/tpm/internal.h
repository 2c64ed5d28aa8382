/* What the files of this folder share. */
#ifndef VERIFY_TPM_INTERNAL_H
#define VERIFY_TPM_INTERNAL_H

#include "cvtpm/err.h"
#include "cvtpm/tpm_evidence.h"
#include "manufacture/wire.h"

#include <openssl/evp.h>

/* Leaves the function with a problem or a fault. */
#define TRY(expression)                                                                            \
	do {                                                                                       \
		int try_result_ = (expression);                                                    \
		if (try_result_ != 0)                                                              \
			return try_result_;                                                        \
	} while (0)

struct tpm_hash {
	uint16_t alg;
	uint8_t size;
	bool signs; /* strong enough for signatures */
	const char *name;
	const char *openssl;
};

/* NULL: not a hash algorithm known here. */
const struct tpm_hash *tpm_hash_of(uint16_t alg);

/* Hashes piece by piece; for many digests of one algorithm. */
struct digester {
	const struct tpm_hash *hash;
	EVP_MD *md;
	EVP_MD_CTX *context;
};

/* CVTPM_ERR_PARAM, CVTPM_ERR_CRYPTO. digester_free() also after a failure. */
int digester_init(struct digester *d, uint16_t alg);
void digester_free(struct digester *d);
int digester_start(struct digester *d);
int digester_add(struct digester *d, const void *data, size_t len);
int digester_end(struct digester *d, uint8_t digest[CVTPM_TPM_DIGEST_MAX]);

/* One digest of two pieces. */
int tpm_digest(uint16_t alg, const void *a, size_t a_len, const void *b, size_t b_len,
	       uint8_t digest[CVTPM_TPM_DIGEST_MAX]);

/* What is left to say of a structure that was read: TRUNCATED or TRAILING. */
int wire_outcome(const struct wire_reader *r);

/* A sized buffer of at most `room` bytes, copied. LENGTH. */
int take_sized(struct wire_reader *r, uint8_t *out, size_t room, size_t *len);

/* Coordinate size of a TPM_ECC_CURVE and OpenSSL's name of it; 0: not known here. */
size_t curve_size(uint16_t curve, const char **name);

/* The key for OpenSSL, to be freed. KEY_INVALID, CVTPM_ERR_NO_MEMORY, CVTPM_ERR_CRYPTO. */
int tpm_key_to_pkey(const struct cvtpm_tpm_key *key, EVP_PKEY **pkey);

/* Makes a credential from a given seed and its encrypted form: all that is not random. */
int credential_wrap(const struct cvtpm_tpm_public *ek, const uint8_t *seed, const uint8_t *ak_name,
		    size_t ak_name_len, const uint8_t *secret, size_t secret_len,
		    struct cvtpm_credential *out);

/* Qualified name below `parent`: the four bytes of a hierarchy's handle, or a qualified name. */
int qualified_name(const struct cvtpm_tpm_public *key, const uint8_t *parent, size_t parent_len,
		   uint8_t name[CVTPM_TPM_NAME_MAX]);

#endif
