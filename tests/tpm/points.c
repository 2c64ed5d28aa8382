#include "points.h"

#include <openssl/evp.h>
#include <openssl/obj_mac.h>

struct points points_begin(TPMI_ECC_CURVE curve)
{
	static const int names[] = {[TPM_ECC_NIST_P256] = NID_X9_62_prime256v1,
				    [TPM_ECC_NIST_P384] = NID_secp384r1,
				    [TPM_ECC_NIST_P521] = NID_secp521r1};
	struct points p = {.curve = curve,
			   .size = cvtpm_curve_size((enum cvtpm_curve)curve),
			   .group = EC_GROUP_new_by_curve_name(names[curve]),
			   .context = BN_CTX_new()};

	assert_non_null(p.group);
	assert_non_null(p.context);
	BN_CTX_start(p.context);
	return p;
}

void points_end(struct points *p)
{
	while (p->count)
		EC_POINT_free(p->made[--p->count]);
	BN_CTX_end(p->context);
	BN_CTX_free(p->context);
	EC_GROUP_free(p->group);
}

BIGNUM *points_number(struct points *p, const void *bytes, size_t len)
{
	BIGNUM *number = BN_CTX_get(p->context);

	assert_non_null(number);
	assert_non_null(BN_bin2bn(bytes, (int)len, number));
	return number;
}

static EC_POINT *new_point(struct points *p)
{
	assert_true(p->count < sizeof p->made / sizeof *p->made);
	return p->made[p->count++] = EC_POINT_new(p->group);
}

EC_POINT *points_read(struct points *p, const TPMS_ECC_POINT *point)
{
	EC_POINT *made = new_point(p);

	assert_int_equal(EC_POINT_set_affine_coordinates(
				 p->group, made, points_number(p, point->x.buffer, point->x.size),
				 points_number(p, point->y.buffer, point->y.size), p->context),
			 1);
	return made;
}

EC_POINT *points_multiply(struct points *p, const BIGNUM *n, const EC_POINT *q, const BIGNUM *m)
{
	EC_POINT *made = new_point(p);

	assert_int_equal(EC_POINT_mul(p->group, made, n, q, m, p->context), 1);
	return made;
}

EC_POINT *points_add(struct points *p, const EC_POINT *a, const EC_POINT *b)
{
	EC_POINT *made = new_point(p);

	assert_int_equal(EC_POINT_add(p->group, made, a, b, p->context), 1);
	return made;
}

static void write_number(const struct points *p, const BIGNUM *number, TPM2B_ECC_PARAMETER *out)
{
	out->size = (uint16_t)p->size;
	assert_int_equal(BN_bn2binpad(number, out->buffer, (int)p->size), p->size);
}

TPMS_ECC_POINT points_write(struct points *p, const EC_POINT *point)
{
	BIGNUM *x = BN_CTX_get(p->context), *y = BN_CTX_get(p->context);
	TPMS_ECC_POINT out;

	memset(&out, 0, sizeof out);
	assert_int_equal(EC_POINT_get_affine_coordinates(p->group, point, x, y, p->context), 1);
	write_number(p, x, &out.x);
	write_number(p, y, &out.y);
	return out;
}

void points_equal(struct points *p, const EC_POINT *a, const EC_POINT *b)
{
	assert_int_equal(EC_POINT_cmp(p->group, a, b, p->context), 0);
}

bool points_hashed(struct points *p, TPM_ALG_ID alg, const void *data, size_t len,
		   TPMS_ECC_POINT *point)
{
	TPM2B_DIGEST digest = digest_of(alg, data, len);
	BIGNUM *x = points_number(p, digest.buffer, digest.size), *prime = BN_CTX_get(p->context);
	EC_POINT *made = new_point(p);

	assert_int_equal(EC_GROUP_get_curve(p->group, prime, NULL, NULL, p->context), 1);
	assert_int_equal(BN_nnmod(x, x, prime, p->context), 1);
	if (EC_POINT_set_compressed_coordinates(p->group, made, x, 1, p->context) != 1)
		return false;
	*point = points_write(p, made);
	return true;
}

static const EVP_MD *openssl_hash(TPM_ALG_ID alg)
{
	switch (alg) {
	case TPM_ALG_SHA1:
		return EVP_sha1();
	case TPM_ALG_SHA256:
		return EVP_sha256();
	case TPM_ALG_SHA384:
		return EVP_sha384();
	default:
		return EVP_sha512();
	}
}

BIGNUM *points_challenge(struct points *p, const TPMT_SIGNATURE *signature,
			 const TPM2B_DIGEST *digest)
{
	const TPMS_SIGNATURE_ECC *s = &signature->signature.ecdaa;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t hash[64];
	unsigned len = 0;

	assert_int_equal(signature->sigAlg, TPM_ALG_ECDAA);
	assert_int_equal(EVP_DigestInit_ex(context, openssl_hash(s->hash), NULL), 1);
	assert_int_equal(EVP_DigestUpdate(context, s->signatureR.buffer, s->signatureR.size), 1);
	assert_int_equal(EVP_DigestUpdate(context, digest->buffer, digest->size), 1);
	assert_int_equal(EVP_DigestFinal_ex(context, hash, &len), 1);
	EVP_MD_CTX_free(context);
	return points_number(p, hash, len);
}

/* s * G = r * G + T * Q */
void points_verify(const struct key *key, const TPMS_ECC_POINT *commitment,
		   const TPM2B_DIGEST *digest, const TPMT_SIGNATURE *signature)
{
	struct points p = points_begin(key->public.parameters.eccDetail.curveID);
	const TPM2B_ECC_PARAMETER *s = &signature->signature.ecdaa.signatureS;
	EC_POINT *left, *right;

	left = points_multiply(&p, points_number(&p, s->buffer, s->size), NULL, NULL);
	right = points_multiply(&p, NULL, points_read(&p, &key->public.unique.ecc),
				points_challenge(&p, signature, digest));
	points_equal(&p, left, points_add(&p, right, points_read(&p, commitment)));
	points_end(&p);
}
