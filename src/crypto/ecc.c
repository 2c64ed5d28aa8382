/* Keys and signatures on the NIST curves: the rules, over the arithmetic of curve.h. */
#include "crypto/crypto.h"
#include "crypto/curve.h"
#include "crypto/mem.h"
#include "crypto/number.h"
#include "cvtpm/err.h"

/* 1 when a < b, otherwise 0; time depends on `size` alone. */
static unsigned less(const uint8_t *a, const uint8_t *b, size_t size)
{
	unsigned borrow = 0;

	for (size_t i = size; i-- > 0;)
		borrow = ((unsigned)a[i] - b[i] - borrow) >> 31;
	return borrow;
}

/* 1 .. n - 1 */
static bool is_scalar(const struct cvtpm_curve_parameters *curve, const uint8_t *d)
{
	return less(d, curve->n, curve->size) & !cvtpm_is_zero(d, curve->size);
}

/* ---- keys ---- */

enum { EXTRA = 8, MAX_WORDS = (CVTPM_ECC_MAX_SIZE + 7) / 8 + 1 };

static void read_words(uint64_t words[MAX_WORDS], const uint8_t *bytes, size_t size)
{
	memset(words, 0, MAX_WORDS * sizeof *words);
	for (size_t i = 0; i < size; i++)
		words[i / 8] |= (uint64_t)bytes[size - 1 - i] << 8 * (i % 8);
}

static void subtract_if_not_less(uint64_t *r, const uint64_t *a)
{
	number_sub_masked(r, a, ~number_less(r, a, MAX_WORDS), MAX_WORDS);
}

/* d = c mod (n - 1) + 1, where c is the number in `size` + EXTRA bytes, those of them in
 * front not more than twice n - 1. The rest follows bit by bit: no division, whose time
 * would tell about the key. */
static void reduce_scalar(const struct cvtpm_curve_parameters *curve, const uint8_t *c, uint8_t *d)
{
	const uint64_t one[MAX_WORDS] = {1};
	uint64_t r[MAX_WORDS], modulus[MAX_WORDS];

	read_words(modulus, curve->n, curve->size);
	modulus[0] -= 1; /* n is odd */
	read_words(r, c, curve->size);
	subtract_if_not_less(r, modulus);
	for (size_t i = 0; i < 8 * EXTRA; i++) {
		number_add(r, r, r, MAX_WORDS);
		r[0] |= c[curve->size + i / 8] >> (7 - i % 8) & 1;
		subtract_if_not_less(r, modulus);
	}
	number_add(r, r, one, MAX_WORDS);
	for (size_t i = 0; i < curve->size; i++)
		d[curve->size - 1 - i] = (uint8_t)(r[i / 8] >> 8 * (i % 8));
	cvtpm_wipe(r, sizeof r);
}

int cvtpm_ecc_scalar_from(enum cvtpm_curve curve, const struct cvtpm_source *source, uint8_t *d)
{
	const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(curve);
	uint8_t random[CVTPM_ECC_MAX_SIZE + EXTRA];
	int err;

	if (!c)
		return CVTPM_ERR_UNSUPPORTED;
	err = source->bytes(source->context, random, c->size + EXTRA);
	if (!err) {
		if (curve == CVTPM_P521) /* 521 bits and 64 more */
			random[0] &= 1;
		reduce_scalar(c, random, d);
	}
	cvtpm_wipe(random, sizeof random);
	return err;
}

int cvtpm_ecc_generate_from(enum cvtpm_curve curve, const struct cvtpm_source *source,
			    struct cvtpm_ecc_key *key)
{
	int err;

	memset(key, 0, sizeof *key);
	err = cvtpm_ecc_scalar_from(curve, source, key->d);
	if (!err) {
		key->public.curve = curve;
		err = curve_mul_base(curve, key->d, &key->public);
	}
	if (err)
		cvtpm_wipe(key, sizeof *key);
	return err;
}

int cvtpm_ecc_generate(enum cvtpm_curve curve, struct cvtpm_drbg *drbg, struct cvtpm_ecc_key *key)
{
	const struct cvtpm_source source = cvtpm_drbg_source(drbg);

	return cvtpm_ecc_generate_from(curve, &source, key);
}

int cvtpm_ecc_make_public(struct cvtpm_ecc_key *key)
{
	const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(key->public.curve);

	if (!c || !is_scalar(c, key->d))
		return CVTPM_ERR_PARAM;
	return curve_mul_base(c->curve, key->d, &key->public);
}

int cvtpm_ecc_check_public(const struct cvtpm_ecc_public *point)
{
	const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(point->curve);

	if (!c || !less(point->x, c->p, c->size) || !less(point->y, c->p, c->size) ||
	    !curve_has_point(point))
		return CVTPM_ERR_PARAM;
	return 0;
}

int cvtpm_ecdh(const uint8_t *d, const struct cvtpm_ecc_public *q, struct cvtpm_ecc_public *shared)
{
	const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(q->curve);
	struct cvtpm_ecc_public point = {.curve = q->curve};
	int err = cvtpm_ecc_check_public(q);

	if (!err && !is_scalar(c, d))
		err = CVTPM_ERR_PARAM;
	if (!err)
		err = curve_mul(d, q, &point);
	if (err)
		cvtpm_wipe(&point, sizeof point);
	*shared = point;
	cvtpm_wipe(&point, sizeof point);
	return err;
}

/* ---- numbers modulo those of the curve ---- */

int cvtpm_ecc_mul_add(enum cvtpm_curve curve, struct cvtpm_drbg *drbg, const uint8_t *t,
		      size_t t_len, const uint8_t *d, const uint8_t *r, uint8_t *s)
{
	const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(curve);
	const struct cvtpm_source source = cvtpm_drbg_source(drbg);
	uint8_t mask[CVTPM_ECC_MAX_SIZE];
	int err;

	if (!c || t_len > CVTPM_HASH_MAX_SIZE || !is_scalar(c, d) || !is_scalar(c, r))
		return CVTPM_ERR_PARAM;
	err = cvtpm_ecc_scalar_from(curve, &source, mask);
	if (!err)
		err = curve_mul_add(curve, t, t_len, d, mask, r, s);
	cvtpm_wipe(mask, sizeof mask);
	return err;
}

int cvtpm_ecc_coordinate(enum cvtpm_curve curve, const uint8_t *in, size_t len, uint8_t *x)
{
	if (!cvtpm_curve_parameters(curve) || len > CVTPM_HASH_MAX_SIZE)
		return CVTPM_ERR_PARAM;
	return curve_coordinate(curve, in, len, x);
}

/* ---- ECDSA ---- */

/* wolfCrypt takes digests of 20 bytes and more. A shorter one is the same number with
 * zeros in front, as long as they do not make it longer than the group's order. */
static size_t fill_up(uint8_t out[CVTPM_HASH_MAX_SIZE], const uint8_t *digest, size_t len)
{
	const size_t filled = len < 20 ? 20 : len;

	memset(out, 0, filled);
	memcpy(out + filled - len, digest, len);
	return filled;
}

int cvtpm_ecdsa_sign(const struct cvtpm_ecc_key *key, struct cvtpm_drbg *drbg,
		     const uint8_t *digest, size_t digest_len,
		     struct cvtpm_ecdsa_signature *signature)
{
	const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(key->public.curve);
	uint8_t filled[CVTPM_HASH_MAX_SIZE];

	if (!c || digest_len == 0 || digest_len > CVTPM_HASH_MAX_SIZE || !is_scalar(c, key->d))
		return CVTPM_ERR_PARAM;
	digest_len = fill_up(filled, digest, digest_len);
	return curve_sign(c->curve, key->d, drbg, filled, digest_len, signature);
}

int cvtpm_ecdsa_verify(const struct cvtpm_ecc_public *key, const uint8_t *digest, size_t digest_len,
		       const struct cvtpm_ecdsa_signature *signature)
{
	const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(key->curve);
	uint8_t filled[CVTPM_HASH_MAX_SIZE];

	if (!c || digest_len == 0 || digest_len > CVTPM_HASH_MAX_SIZE)
		return CVTPM_ERR_PARAM;
	if (!is_scalar(c, signature->r) || !is_scalar(c, signature->s) ||
	    cvtpm_ecc_check_public(key))
		return CVTPM_ERR_AUTH;
	digest_len = fill_up(filled, digest, digest_len);
	return curve_verify(key, filled, digest_len, signature) ? 0 : CVTPM_ERR_AUTH;
}
