/*
 * TPMT_PUBLIC (Part 2, 12.2.4), read strictly: a public area that is accepted
 * here has one meaning and one encoding, so that its name is the name.
 */
#include "verify/tpm/internal.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <string.h>

#define ATTRIBUTES_RESERVED 0xFFF0F009u /* Part 2, 8.3.2: bits 0, 3, 12-15, 20-31 */
#define EXPONENT            65537u

enum scheme_alg {
	ALG_MGF1 = 0x0007,
	ALG_SM4 = 0x0013,
	ALG_RSAES = 0x0015,
	ALG_OAEP = 0x0017,
	ALG_ECDH = 0x0019,
	ALG_KDF1_SP800_56A = 0x0020,
	ALG_KDF2 = 0x0021,
	ALG_KDF1_SP800_108 = 0x0022,
	ALG_CAMELLIA = 0x0026,
};

int wire_outcome(const struct wire_reader *r)
{
	if (r->bad)
		return CVTPM_TPM_TRUNCATED;
	return r->left ? CVTPM_TPM_TRAILING : 0;
}

int take_sized(struct wire_reader *r, uint8_t *out, size_t room, size_t *len)
{
	const uint8_t *bytes = wire_take_sized(r, len);

	if (r->bad)
		return CVTPM_TPM_TRUNCATED;
	if (*len > room)
		return CVTPM_TPM_LENGTH;
	if (*len)
		memcpy(out, bytes, *len);
	return 0;
}

int cvtpm_tpm2b_unwrap(const uint8_t *tpm2b, size_t len, const uint8_t **body, size_t *body_len)
{
	struct wire_reader r = {.bytes = tpm2b, .left = len};

	*body = wire_take_sized(&r, body_len);
	return wire_outcome(&r);
}

size_t curve_size(uint16_t curve, const char **name)
{
	static const struct {
		uint16_t curve, size;
		const char *name;
	} curves[] = {{3, 32, "P-256"}, {4, 48, "P-384"}, {5, 66, "P-521"}};

	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		if (curves[i].curve == curve) {
			*name = curves[i].name;
			return curves[i].size;
		}
	}
	return 0;
}

/* TPMT_SYM_DEF_OBJECT+ (Part 2, 11.1.7). */
static int read_symmetric(struct wire_reader *r, struct cvtpm_tpm_public *out)
{
	out->symmetric = (uint16_t)wire_take(r, 2);
	if (r->bad || out->symmetric == CVTPM_TPM_ALG_NULL)
		return 0;
	if (out->symmetric != CVTPM_TPM_ALG_AES && out->symmetric != ALG_SM4 &&
	    out->symmetric != ALG_CAMELLIA)
		return CVTPM_TPM_ALGORITHM;
	out->symmetric_bits = (uint16_t)wire_take(r, 2);
	out->symmetric_mode = (uint16_t)wire_take(r, 2);
	return 0;
}

/* TPMT_RSA_SCHEME+ or TPMT_ECC_SCHEME+: the schemes that a key with a use here may have. */
static int read_scheme(struct wire_reader *r, uint16_t type, struct cvtpm_tpm_public *out)
{
	bool rsa = type == CVTPM_TPM_ALG_RSA;

	out->scheme = (uint16_t)wire_take(r, 2);
	out->scheme_hash = CVTPM_TPM_ALG_NULL;
	if (r->bad)
		return 0;
	switch (out->scheme) {
	case CVTPM_TPM_ALG_NULL:
		return 0;
	case ALG_RSAES:
		return rsa ? 0 : CVTPM_TPM_ALGORITHM;
	case CVTPM_TPM_ALG_RSASSA:
	case CVTPM_TPM_ALG_RSAPSS:
	case ALG_OAEP:
		if (!rsa)
			return CVTPM_TPM_ALGORITHM;
		break;
	case CVTPM_TPM_ALG_ECDSA:
	case ALG_ECDH:
		if (rsa)
			return CVTPM_TPM_ALGORITHM;
		break;
	default:
		return CVTPM_TPM_ALGORITHM;
	}
	out->scheme_hash = (uint16_t)wire_take(r, 2);
	return r->bad || tpm_hash_of(out->scheme_hash) ? 0 : CVTPM_TPM_ALGORITHM;
}

static int read_rsa(struct wire_reader *r, struct cvtpm_tpm_public *out)
{
	uint64_t bits, exponent;

	TRY(read_symmetric(r, out));
	TRY(read_scheme(r, CVTPM_TPM_ALG_RSA, out));
	bits = wire_take(r, 2);
	exponent = wire_take(r, 4);
	TRY(take_sized(r, out->key.n, sizeof(out->key.n), &out->key.size));
	if (bits < 2048)
		return CVTPM_TPM_KEY_WEAK;
	if (bits != 2048 && bits != 3072 && bits != 4096)
		return CVTPM_TPM_ALGORITHM;
	if (out->key.size != bits / 8)
		return CVTPM_TPM_LENGTH;
	/* 0 stands for 65537 (12.2.3.5). */
	if (exponent != 0 && exponent != EXPONENT)
		return CVTPM_TPM_VALUE;
	if (!(out->key.n[0] & 0x80) || !(out->key.n[out->key.size - 1] & 1))
		return CVTPM_TPM_KEY_INVALID;
	return 0;
}

/* TPMT_KDF_SCHEME+. */
static int read_kdf(struct wire_reader *r)
{
	uint64_t alg = wire_take(r, 2);

	if (r->bad || alg == CVTPM_TPM_ALG_NULL)
		return 0;
	if (alg != ALG_MGF1 && (alg < ALG_KDF1_SP800_56A || alg > ALG_KDF1_SP800_108))
		return CVTPM_TPM_ALGORITHM;
	alg = wire_take(r, 2);
	return r->bad || tpm_hash_of((uint16_t)alg) ? 0 : CVTPM_TPM_ALGORITHM;
}

static int read_ecc(struct wire_reader *r, struct cvtpm_tpm_public *out)
{
	const char *name;
	EVP_PKEY *pkey;
	size_t size, y_len;

	TRY(read_symmetric(r, out));
	TRY(read_scheme(r, CVTPM_TPM_ALG_ECC, out));
	out->key.curve = (uint16_t)wire_take(r, 2);
	TRY(read_kdf(r));
	if (r->bad)
		return CVTPM_TPM_TRUNCATED;
	size = curve_size(out->key.curve, &name);
	if (!size)
		return CVTPM_TPM_ALGORITHM;
	TRY(take_sized(r, out->key.n, sizeof(out->key.y), &out->key.size));
	TRY(take_sized(r, out->key.y, sizeof(out->key.y), &y_len));
	if (out->key.size != size || y_len != size)
		return CVTPM_TPM_LENGTH;
	TRY(tpm_key_to_pkey(&out->key, &pkey)); /* is the point on the curve? */
	EVP_PKEY_free(pkey);
	return 0;
}

static int read_name(const uint8_t *tpmt, size_t len, struct cvtpm_tpm_public *out)
{
	out->name[0] = (uint8_t)(out->name_alg >> 8);
	out->name[1] = (uint8_t)out->name_alg;
	out->name_len = 2 + cvtpm_tpm_digest_size(out->name_alg);
	return tpm_digest(out->name_alg, tpmt, len, NULL, 0, out->name + 2);
}

static int read_public(const uint8_t *tpmt, size_t len, struct cvtpm_tpm_public *out)
{
	struct wire_reader r = {.bytes = tpmt, .left = len};

	out->key.type = (uint16_t)wire_take(&r, 2);
	out->name_alg = (uint16_t)wire_take(&r, 2);
	out->attributes = (uint32_t)wire_take(&r, 4);
	if (r.bad)
		return CVTPM_TPM_TRUNCATED;
	if (out->key.type != CVTPM_TPM_ALG_RSA && out->key.type != CVTPM_TPM_ALG_ECC)
		return CVTPM_TPM_ALGORITHM;
	/* A name of SHA-1 does not hold two areas apart. */
	if (!tpm_hash_of(out->name_alg) || out->name_alg == CVTPM_TPM_ALG_SHA1)
		return CVTPM_TPM_ALGORITHM;
	if (out->attributes & ATTRIBUTES_RESERVED)
		return CVTPM_TPM_VALUE;
	TRY(take_sized(&r, out->policy, sizeof(out->policy), &out->policy_len));
	if (out->policy_len && out->policy_len != cvtpm_tpm_digest_size(out->name_alg))
		return CVTPM_TPM_LENGTH;
	TRY(out->key.type == CVTPM_TPM_ALG_RSA ? read_rsa(&r, out) : read_ecc(&r, out));
	TRY(wire_outcome(&r));
	return read_name(tpmt, len, out);
}

int cvtpm_tpm_public_read(const uint8_t *tpmt, size_t len, struct cvtpm_tpm_public *out)
{
	int rc;

	*out = (struct cvtpm_tpm_public){0};
	rc = read_public(tpmt, len, out);
	if (rc)
		*out = (struct cvtpm_tpm_public){0}; /* nothing half read is ever used */
	return rc;
}

int cvtpm_tpm2b_public_read(const uint8_t *tpm2b, size_t len, struct cvtpm_tpm_public *out)
{
	const uint8_t *body;
	size_t body_len;

	*out = (struct cvtpm_tpm_public){0};
	TRY(cvtpm_tpm2b_unwrap(tpm2b, len, &body, &body_len));
	return cvtpm_tpm_public_read(body, body_len, out);
}

/* ---- for OpenSSL ---- */

static bool push_rsa(OSSL_PARAM_BLD *build, const struct cvtpm_tpm_key *key, BIGNUM **number)
{
	*number = BN_bin2bn(key->n, (int)key->size, NULL);
	return *number && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, *number) == 1 &&
	       OSSL_PARAM_BLD_push_uint(build, OSSL_PKEY_PARAM_RSA_E, EXPONENT) == 1;
}

static bool push_ecc(OSSL_PARAM_BLD *build, const struct cvtpm_tpm_key *key,
		     uint8_t point[1 + 2 * 66])
{
	const char *name = NULL;

	(void)curve_size(key->curve, &name);
	point[0] = 4; /* uncompressed */
	memcpy(point + 1, key->n, key->size);
	memcpy(point + 1 + key->size, key->y, key->size);
	return OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, name, 0) == 1 &&
	       OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point,
						1 + 2 * key->size) == 1;
}

/* The key as OpenSSL takes it; refuses a point that is not on the curve. */
static int import(EVP_PKEY_CTX *context, OSSL_PARAM *params, EVP_PKEY **pkey)
{
	if (EVP_PKEY_fromdata_init(context) != 1)
		return CVTPM_ERR_CRYPTO;
	return EVP_PKEY_fromdata(context, pkey, EVP_PKEY_PUBLIC_KEY, params) == 1
		       ? 0
		       : CVTPM_TPM_KEY_INVALID;
}

static bool has_form(const struct cvtpm_tpm_key *key)
{
	const char *name;

	if (key->type == CVTPM_TPM_ALG_RSA)
		return key->size >= 256 && key->size <= sizeof(key->n);
	return key->type == CVTPM_TPM_ALG_ECC && key->size &&
	       curve_size(key->curve, &name) == key->size;
}

static int make_pkey(const struct cvtpm_tpm_key *key, EVP_PKEY **pkey)
{
	bool rsa = key->type == CVTPM_TPM_ALG_RSA;
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, rsa ? "RSA" : "EC", NULL);
	OSSL_PARAM *params = NULL;
	BIGNUM *number = NULL;
	uint8_t point[1 + 2 * 66];
	int rc = CVTPM_ERR_NO_MEMORY;

	if (build && context && (rsa ? push_rsa(build, key, &number) : push_ecc(build, key, point)))
		params = OSSL_PARAM_BLD_to_param(build);
	if (params)
		rc = import(context, params, pkey);
	OSSL_PARAM_free(params);
	BN_free(number);
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_BLD_free(build);
	return rc;
}

int tpm_key_to_pkey(const struct cvtpm_tpm_key *key, EVP_PKEY **pkey)
{
	*pkey = NULL;
	return has_form(key) ? make_pkey(key, pkey) : CVTPM_TPM_KEY_INVALID;
}
