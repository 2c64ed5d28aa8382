/* TPMT_SIGNATURE (Part 2, 11.3.4): RSASSA, RSAPSS, ECDSA. */
#include "verify/tpm/internal.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <string.h>

static bool may_sign(uint16_t hash)
{
	const struct tpm_hash *known = tpm_hash_of(hash);

	return known && known->signs;
}

static int read_signature(const uint8_t *tpmt, size_t len, struct cvtpm_tpm_signature *out)
{
	struct wire_reader r = {.bytes = tpmt, .left = len};

	out->scheme = (uint16_t)wire_take(&r, 2);
	out->hash = (uint16_t)wire_take(&r, 2);
	if (r.bad)
		return CVTPM_TPM_TRUNCATED;
	if (!may_sign(out->hash))
		return CVTPM_TPM_ALGORITHM;
	switch (out->scheme) {
	case CVTPM_TPM_ALG_RSASSA:
	case CVTPM_TPM_ALG_RSAPSS:
		TRY(take_sized(&r, out->bytes, sizeof(out->bytes), &out->len));
		break;
	case CVTPM_TPM_ALG_ECDSA:
		TRY(take_sized(&r, out->bytes, sizeof(out->s), &out->len));
		TRY(take_sized(&r, out->s, sizeof(out->s), &out->s_len));
		break;
	default:
		return CVTPM_TPM_ALGORITHM;
	}
	return wire_outcome(&r);
}

int cvtpm_tpm_signature_read(const uint8_t *tpmt, size_t len, struct cvtpm_tpm_signature *out)
{
	int rc;

	*out = (struct cvtpm_tpm_signature){0};
	rc = read_signature(tpmt, len, out);
	if (rc)
		*out = (struct cvtpm_tpm_signature){0};
	return rc;
}

int cvtpm_tpm_signature_from_rsassa(const uint8_t *bytes, size_t len, uint16_t hash,
				    struct cvtpm_tpm_signature *out)
{
	*out = (struct cvtpm_tpm_signature){0};
	if (!may_sign(hash))
		return CVTPM_TPM_ALGORITHM;
	if (len < 256 || len > sizeof(out->bytes))
		return CVTPM_TPM_LENGTH;
	out->scheme = CVTPM_TPM_ALG_RSASSA;
	out->hash = hash;
	out->len = len;
	memcpy(out->bytes, bytes, len);
	return 0;
}

/* 1 valid, anything else: not. */
static int verify(EVP_PKEY *pkey, const struct cvtpm_tpm_signature *signature, const uint8_t *bytes,
		  size_t bytes_len, const uint8_t *message, size_t len, EVP_MD_CTX *context)
{
	EVP_PKEY_CTX *settings;
	const char *md = tpm_hash_of(signature->hash)->openssl;

	if (EVP_DigestVerifyInit_ex(context, &settings, md, NULL, NULL, pkey, NULL) != 1)
		return CVTPM_ERR_CRYPTO;
	/* The salt's length is for the TPM to choose (Part 1, B.7). */
	if (signature->scheme == CVTPM_TPM_ALG_RSAPSS &&
	    (EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) != 1 ||
	     EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_AUTO) != 1))
		return CVTPM_ERR_CRYPTO;
	return EVP_DigestVerify(context, bytes, bytes_len, message, len) == 1
		       ? 0
		       : CVTPM_TPM_SIGNATURE_WRONG;
}

/* OpenSSL takes ECDSA signatures as DER. */
static int encode_ecdsa(const struct cvtpm_tpm_signature *signature, uint8_t **der, size_t *der_len)
{
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature->bytes, (int)signature->len, NULL);
	BIGNUM *s = BN_bin2bn(signature->s, (int)signature->s_len, NULL);
	int len = 0;

	*der = NULL;
	if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
		r = s = NULL; /* belong to the pair now */
		len = i2d_ECDSA_SIG(pair, der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(pair);
	*der_len = len > 0 ? (size_t)len : 0;
	return len > 0 ? 0 : CVTPM_ERR_NO_MEMORY;
}

static int verify_with(EVP_PKEY *pkey, const struct cvtpm_tpm_signature *signature,
		       const uint8_t *message, size_t len)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t *der = NULL;
	size_t der_len = 0;
	int rc = context ? 0 : CVTPM_ERR_NO_MEMORY;

	if (!rc && signature->scheme == CVTPM_TPM_ALG_ECDSA) {
		rc = encode_ecdsa(signature, &der, &der_len);
		if (!rc)
			rc = verify(pkey, signature, der, der_len, message, len, context);
	} else if (!rc) {
		rc = verify(pkey, signature, signature->bytes, signature->len, message, len,
			    context);
	}
	OPENSSL_free(der);
	EVP_MD_CTX_free(context);
	return rc;
}

int cvtpm_tpm_check_signature(const struct cvtpm_tpm_key *key,
			      const struct cvtpm_tpm_signature *signature, const uint8_t *message,
			      size_t len)
{
	bool ecdsa = signature->scheme == CVTPM_TPM_ALG_ECDSA;
	EVP_PKEY *pkey;
	int rc;

	if (!may_sign(signature->hash) || ecdsa != (key->type == CVTPM_TPM_ALG_ECC))
		return CVTPM_TPM_SIGNATURE_SCHEME;
	/* An RSA signature has the modulus' length, r and s at most a coordinate's. */
	if (ecdsa ? signature->len > key->size || signature->s_len > key->size
		  : signature->len != key->size)
		return CVTPM_TPM_SIGNATURE_WRONG;
	TRY(tpm_key_to_pkey(key, &pkey));
	rc = verify_with(pkey, signature, message, len);
	EVP_PKEY_free(pkey);
	return rc;
}

int cvtpm_tpm_check_signature_by(const struct cvtpm_tpm_public *ak,
				 const struct cvtpm_tpm_signature *signature,
				 const uint8_t *message, size_t len)
{
	/* A restricted signing key has a scheme of its own: one without is no AK.
	 */
	if (ak->scheme != signature->scheme || ak->scheme_hash != signature->hash)
		return CVTPM_TPM_SIGNATURE_SCHEME;
	return cvtpm_tpm_check_signature(&ak->key, signature, message, len);
}
