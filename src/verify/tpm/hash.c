/* Hash algorithms by their TPM numbers. */
#include "verify/tpm/internal.h"

static const struct tpm_hash hashes[] = {
	{CVTPM_TPM_ALG_SHA1, 20, false, "sha1", "SHA1"},
	{CVTPM_TPM_ALG_SHA256, 32, true, "sha256", "SHA2-256"},
	{CVTPM_TPM_ALG_SHA384, 48, true, "sha384", "SHA2-384"},
	{CVTPM_TPM_ALG_SHA512, 64, true, "sha512", "SHA2-512"},
	{CVTPM_TPM_ALG_SM3_256, 32, false, "sm3_256", "SM3"},
	{CVTPM_TPM_ALG_SHA3_256, 32, false, "sha3_256", "SHA3-256"},
	{CVTPM_TPM_ALG_SHA3_384, 48, false, "sha3_384", "SHA3-384"},
	{CVTPM_TPM_ALG_SHA3_512, 64, false, "sha3_512", "SHA3-512"},
};

const struct tpm_hash *tpm_hash_of(uint16_t alg)
{
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (hashes[i].alg == alg)
			return &hashes[i];
	}
	return NULL;
}

size_t cvtpm_tpm_digest_size(uint16_t alg)
{
	const struct tpm_hash *hash = tpm_hash_of(alg);

	return hash ? hash->size : 0;
}

const char *cvtpm_tpm_hash_name(uint16_t alg)
{
	const struct tpm_hash *hash = tpm_hash_of(alg);

	return hash ? hash->name : "unknown";
}

int digester_init(struct digester *d, uint16_t alg)
{
	*d = (struct digester){.hash = tpm_hash_of(alg)};
	if (!d->hash)
		return CVTPM_ERR_PARAM;
	d->context = EVP_MD_CTX_new();
	if (!d->context)
		return CVTPM_ERR_NO_MEMORY;
	d->md = EVP_MD_fetch(NULL, d->hash->openssl, NULL);
	return d->md ? 0 : CVTPM_ERR_CRYPTO;
}

void digester_free(struct digester *d)
{
	EVP_MD_CTX_free(d->context);
	EVP_MD_free(d->md);
	*d = (struct digester){0};
}

int digester_start(struct digester *d)
{
	return EVP_DigestInit_ex2(d->context, d->md, NULL) == 1 ? 0 : CVTPM_ERR_CRYPTO;
}

int digester_add(struct digester *d, const void *data, size_t len)
{
	if (!len)
		return 0;
	return EVP_DigestUpdate(d->context, data, len) == 1 ? 0 : CVTPM_ERR_CRYPTO;
}

int digester_end(struct digester *d, uint8_t digest[CVTPM_TPM_DIGEST_MAX])
{
	return EVP_DigestFinal_ex(d->context, digest, NULL) == 1 ? 0 : CVTPM_ERR_CRYPTO;
}

int tpm_digest(uint16_t alg, const void *a, size_t a_len, const void *b, size_t b_len,
	       uint8_t digest[CVTPM_TPM_DIGEST_MAX])
{
	struct digester d;
	int rc = digester_init(&d, alg);

	if (!rc)
		rc = digester_start(&d);
	if (!rc)
		rc = digester_add(&d, a, a_len);
	if (!rc)
		rc = digester_add(&d, b, b_len);
	if (!rc)
		rc = digester_end(&d, digest);
	digester_free(&d);
	return rc;
}
