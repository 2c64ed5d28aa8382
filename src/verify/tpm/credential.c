/*
 * TPM2_MakeCredential in software (Part 1, 24; Part 3, 12.6).
 *
 *     seed     drawn for RSA, agreed upon for ECC; only the EK's TPM gets it
 *     id object = HMAC(INTEGRITY key, enc || AK name) || enc
 *     enc       = AES-CFB(STORAGE key bound to the AK's name, TPM2B of the secret)
 */
#include "verify/tpm/internal.h"

#include "crypto/crypto.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>

#define RESTRICTED (1u << 16)
#define DECRYPT    (1u << 17)
#define SIGN       (1u << 18)

/* A label of a KDF, with its final zero byte (Part 1, 11.4.10). */
#define IDENTITY      "IDENTITY"
#define IDENTITY_SIZE sizeof(IDENTITY)

/* KDFa (Part 1, 11.4.10.2) without contextV; `len` is at most one digest, so that one
 * round of the counter does. */
static int kdfa(const struct tpm_hash *hash, const uint8_t *seed, const char *label,
		const uint8_t *context, size_t context_len, uint8_t *key, size_t len)
{
	uint8_t message[4 + 16 + CVTPM_TPM_NAME_MAX + 4], block[CVTPM_TPM_DIGEST_MAX];
	struct wire_writer w = {.bytes = message, .room = sizeof(message)};
	EVP_MD *md = EVP_MD_fetch(NULL, hash->openssl, NULL);
	unsigned block_len = 0;
	bool good;

	wire_put(&w, 1, 4);
	wire_put_bytes(&w, label, strlen(label) + 1);
	wire_put_bytes(&w, context, context_len);
	wire_put(&w, len * 8, 4);
	good = md && !w.full && len <= hash->size &&
	       HMAC(md, seed, hash->size, message, w.len, block, &block_len);
	if (good)
		memcpy(key, block, len);
	cvtpm_wipe(block, sizeof(block));
	EVP_MD_free(md);
	return good ? 0 : CVTPM_ERR_CRYPTO;
}

/* KDFe (Part 1, 11.4.10.3), one round: the seed has the digest's size. */
static int kdfe(const struct cvtpm_tpm_public *ek, const uint8_t *z, const uint8_t *ephemeral_x,
		uint8_t *seed)
{
	uint8_t message[4 + 66 + IDENTITY_SIZE + 66 + 66];
	struct wire_writer w = {.bytes = message, .room = sizeof(message)};
	int rc;

	wire_put(&w, 1, 4);
	wire_put_bytes(&w, z, ek->key.size);
	wire_put_bytes(&w, IDENTITY, IDENTITY_SIZE);
	wire_put_bytes(&w, ephemeral_x, ek->key.size);
	wire_put_bytes(&w, ek->key.n, ek->key.size);
	rc = w.full ? CVTPM_ERR_SIZE : tpm_digest(ek->name_alg, message, w.len, NULL, 0, seed);
	cvtpm_wipe(message, sizeof(message));
	return rc;
}

/* AES-CFB with an IV of zeros; the key is used for this alone. */
static int encrypt(unsigned bits, const uint8_t *key, const uint8_t *in, size_t len, uint8_t *out)
{
	static const uint8_t iv[16];
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	EVP_CIPHER *cipher =
		EVP_CIPHER_fetch(NULL, bits == 128 ? "AES-128-CFB" : "AES-256-CFB", NULL);
	int out_len = 0;
	bool good = context && cipher && EVP_EncryptInit_ex2(context, cipher, key, iv, NULL) == 1 &&
		    EVP_EncryptUpdate(context, out, &out_len, in, (int)len) == 1 &&
		    (size_t)out_len == len;

	EVP_CIPHER_free(cipher);
	EVP_CIPHER_CTX_free(context);
	return good ? 0 : CVTPM_ERR_CRYPTO;
}

static int hmac(const struct tpm_hash *hash, const uint8_t *key, const uint8_t *a, size_t a_len,
		const uint8_t *b, size_t b_len, uint8_t *out)
{
	uint8_t message[2 + CVTPM_CREDENTIAL_SECRET_MAX + CVTPM_TPM_NAME_MAX];
	struct wire_writer w = {.bytes = message, .room = sizeof(message)};
	EVP_MD *md = EVP_MD_fetch(NULL, hash->openssl, NULL);
	unsigned out_len = 0;
	bool good;

	wire_put_bytes(&w, a, a_len);
	wire_put_bytes(&w, b, b_len);
	good = md && !w.full && HMAC(md, key, hash->size, message, w.len, out, &out_len);
	EVP_MD_free(md);
	return good ? 0 : CVTPM_ERR_CRYPTO;
}

/* What is wiped whatever happens. */
struct wrapping {
	uint8_t aes_key[32];
	uint8_t hmac_key[CVTPM_TPM_DIGEST_MAX];
	uint8_t plain[2 + CVTPM_CREDENTIAL_SECRET_MAX];
};

static int wrap(const struct cvtpm_tpm_public *ek, const uint8_t *seed, const uint8_t *ak_name,
		size_t ak_name_len, const uint8_t *secret, size_t secret_len, struct wrapping *keys,
		struct cvtpm_credential *out)
{
	const struct tpm_hash *hash = tpm_hash_of(ek->name_alg);
	struct wire_writer plain = {.bytes = keys->plain, .room = sizeof(keys->plain)};
	struct wire_writer w = {.bytes = out->id_object, .room = sizeof(out->id_object)};
	uint8_t encrypted[sizeof(keys->plain)], integrity[CVTPM_TPM_DIGEST_MAX];

	wire_put_sized(&plain, secret, secret_len);
	TRY(kdfa(hash, seed, "STORAGE", ak_name, ak_name_len, keys->aes_key,
		 ek->symmetric_bits / 8u));
	TRY(encrypt(ek->symmetric_bits, keys->aes_key, keys->plain, plain.len, encrypted));
	TRY(kdfa(hash, seed, "INTEGRITY", NULL, 0, keys->hmac_key, hash->size));
	TRY(hmac(hash, keys->hmac_key, encrypted, plain.len, ak_name, ak_name_len, integrity));

	wire_put(&w, 2u + hash->size + plain.len, 2);
	wire_put_sized(&w, integrity, hash->size);
	wire_put_bytes(&w, encrypted, plain.len); /* its size is inside, encrypted */
	out->id_object_len = w.len;
	return w.full || plain.full ? CVTPM_ERR_SIZE : 0;
}

int credential_wrap(const struct cvtpm_tpm_public *ek, const uint8_t *seed, const uint8_t *ak_name,
		    size_t ak_name_len, const uint8_t *secret, size_t secret_len,
		    struct cvtpm_credential *out)
{
	struct wrapping keys;
	int rc = wrap(ek, seed, ak_name, ak_name_len, secret, secret_len, &keys, out);

	cvtpm_wipe(&keys, sizeof(keys));
	return rc;
}

/* ---- the seed ---- */

static int oaep(EVP_PKEY *pkey, const struct tpm_hash *hash, const uint8_t *seed,
		struct cvtpm_credential *out)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	char label[] = IDENTITY, pad_mode[] = OSSL_PKEY_RSA_PAD_MODE_OAEP;
	char *md = OPENSSL_strdup(hash->openssl);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, pad_mode, 0),
		OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, md, 0),
		OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, md, 0),
		/* Part 1, B.4: the label's final zero byte counts. */
		OSSL_PARAM_construct_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, label,
						  sizeof(label)),
		OSSL_PARAM_construct_end(),
	};
	size_t len = sizeof(out->secret) - 2;
	bool good = context && md && EVP_PKEY_encrypt_init_ex(context, params) == 1 &&
		    EVP_PKEY_encrypt(context, out->secret + 2, &len, seed, hash->size) == 1;

	if (good) {
		out->secret[0] = (uint8_t)(len >> 8);
		out->secret[1] = (uint8_t)len;
		out->secret_len = 2 + len;
	}
	OPENSSL_free(md);
	EVP_PKEY_CTX_free(context);
	return good ? 0 : CVTPM_ERR_CRYPTO;
}

static int seed_for_rsa(const struct cvtpm_tpm_public *ek, EVP_PKEY *pkey, uint8_t *seed,
			struct cvtpm_credential *out)
{
	const struct tpm_hash *hash = tpm_hash_of(ek->name_alg);

	if (RAND_priv_bytes(seed, hash->size) != 1)
		return CVTPM_ERR_ENTROPY;
	return oaep(pkey, hash, seed, out);
}

/* ECDH: the x coordinate of the common point, of full length. */
static int agree(EVP_PKEY *ephemeral, EVP_PKEY *peer, uint8_t *z, size_t size)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, ephemeral, NULL);
	size_t len = size;
	bool good = context && EVP_PKEY_derive_init(context) == 1 &&
		    EVP_PKEY_derive_set_peer(context, peer) == 1 &&
		    EVP_PKEY_derive(context, z, &len) == 1 && len == size;

	EVP_PKEY_CTX_free(context);
	return good ? 0 : CVTPM_ERR_CRYPTO;
}

static int seed_with(const struct cvtpm_tpm_public *ek, EVP_PKEY *pkey, EVP_PKEY *ephemeral,
		     uint8_t *seed, struct cvtpm_credential *out)
{
	struct wire_writer w = {.bytes = out->secret, .room = sizeof(out->secret)};
	size_t size = ek->key.size, point_len = 0;
	uint8_t point[1 + 2 * 66], z[66];
	int rc;

	if (EVP_PKEY_get_octet_string_param(ephemeral, OSSL_PKEY_PARAM_PUB_KEY, point,
					    sizeof(point), &point_len) != 1 ||
	    point_len != 1 + 2 * size || point[0] != 4)
		return CVTPM_ERR_CRYPTO;
	rc = agree(ephemeral, pkey, z, size);
	if (!rc)
		rc = kdfe(ek, z, point + 1, seed);
	cvtpm_wipe(z, sizeof(z));
	TRY(rc);

	/* TPMS_ECC_POINT (Part 2, 11.2.5.2) in a TPM2B. */
	wire_put(&w, 2 * (2 + size), 2);
	wire_put_sized(&w, point + 1, size);
	wire_put_sized(&w, point + 1 + size, size);
	out->secret_len = w.len;
	return w.full ? CVTPM_ERR_SIZE : 0;
}

static int seed_for_ecc(const struct cvtpm_tpm_public *ek, EVP_PKEY *pkey, uint8_t *seed,
			struct cvtpm_credential *out)
{
	const char *name = NULL;
	EVP_PKEY *ephemeral;
	int rc;

	(void)curve_size(ek->key.curve, &name);
	ephemeral = EVP_EC_gen(name);
	if (!ephemeral)
		return CVTPM_ERR_CRYPTO;
	rc = seed_with(ek, pkey, ephemeral, seed, out);
	EVP_PKEY_free(ephemeral);
	return rc;
}

static bool is_usable(const struct cvtpm_tpm_public *ek)
{
	return (ek->attributes & (RESTRICTED | DECRYPT | SIGN)) == (RESTRICTED | DECRYPT) &&
	       ek->symmetric == CVTPM_TPM_ALG_AES && ek->symmetric_mode == CVTPM_TPM_ALG_CFB &&
	       (ek->symmetric_bits == 128 || ek->symmetric_bits == 256) &&
	       cvtpm_tpm_digest_size(ek->name_alg) >= ek->symmetric_bits / 8u;
}

static int make(const struct cvtpm_tpm_public *ek, const uint8_t *ak_name, size_t ak_name_len,
		const uint8_t *secret, size_t secret_len, struct cvtpm_credential *out)
{
	uint8_t seed[CVTPM_TPM_DIGEST_MAX];
	EVP_PKEY *pkey;
	int rc;

	TRY(tpm_key_to_pkey(&ek->key, &pkey));
	rc = ek->key.type == CVTPM_TPM_ALG_RSA ? seed_for_rsa(ek, pkey, seed, out)
					       : seed_for_ecc(ek, pkey, seed, out);
	if (!rc)
		rc = credential_wrap(ek, seed, ak_name, ak_name_len, secret, secret_len, out);
	cvtpm_wipe(seed, sizeof(seed));
	EVP_PKEY_free(pkey);
	return rc;
}

int cvtpm_credential_make(const struct cvtpm_tpm_public *ek, const uint8_t *ak_name,
			  size_t ak_name_len, const uint8_t *secret, size_t secret_len,
			  struct cvtpm_credential *out)
{
	int rc;

	*out = (struct cvtpm_credential){0};
	if (!is_usable(ek))
		return CVTPM_TPM_EK_UNUSABLE;
	if (ak_name_len < 2 || ak_name_len > CVTPM_TPM_NAME_MAX ||
	    secret_len < CVTPM_CREDENTIAL_SECRET_MIN ||
	    secret_len > cvtpm_tpm_digest_size(ek->name_alg))
		return CVTPM_ERR_PARAM;
	rc = make(ek, ak_name, ak_name_len, secret, secret_len, out);
	if (rc)
		*out = (struct cvtpm_credential){0};
	return rc;
}

int cvtpm_credential_check_secret(const uint8_t *expected, size_t expected_len,
				  const uint8_t *returned, size_t returned_len)
{
	if (expected_len < CVTPM_CREDENTIAL_SECRET_MIN)
		return CVTPM_ERR_PARAM;
	return expected_len == returned_len && cvtpm_equal(expected, returned, expected_len)
		       ? 0
		       : CVTPM_TPM_SECRET_DIFFERS;
}
