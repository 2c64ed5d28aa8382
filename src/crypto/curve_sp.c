#include "crypto/curve.h"
#include "crypto/wolf.h"

#ifndef CVTPM_WOLFSSL_PACKAGED

#include <wolfssl/wolfcrypt/sp.h>

/* wolfCrypt's functions for one curve; the arguments behind `curve` are its own. */
#define FOR_EACH_CURVE(curve, what, ...)                                                           \
	((curve) == CVTPM_P256   ? sp_ecc_##what##_256(__VA_ARGS__)                                \
	 : (curve) == CVTPM_P384 ? sp_ecc_##what##_384(__VA_ARGS__)                                \
				 : sp_ecc_##what##_521(__VA_ARGS__))

static int read_number(mp_int *number, const uint8_t *bytes, size_t size)
{
	int err = mp_init(number);

	return err ? err : mp_read_unsigned_bin(number, bytes, (word32)size);
}

static int write_numbers(mp_int *a, uint8_t *a_out, mp_int *b, uint8_t *b_out, size_t size)
{
	int err = mp_to_unsigned_bin_len(a, a_out, (int)size);

	return err ? err : mp_to_unsigned_bin_len(b, b_out, (int)size);
}

static int point_init(ecc_point *point)
{
	return mp_init_multi(point->x, point->y, point->z, NULL, NULL, NULL);
}

int curve_mul_base(enum cvtpm_curve curve, const uint8_t *d, struct cvtpm_ecc_public *r)
{
	const size_t size = cvtpm_curve_size(curve);
	ecc_point point;
	mp_int scalar;
	int err = read_number(&scalar, d, size);

	if (!err)
		err = point_init(&point);
	if (!err)
		err = FOR_EACH_CURVE(curve, mulmod_base, &scalar, &point, 1, NULL);
	if (!err)
		err = write_numbers(point.x, r->x, point.y, r->y, size);
	clear_vectors(has_mulx());
	r->curve = curve;
	mp_forcezero(&scalar);
	return err ? CVTPM_ERR_CRYPTO : 0;
}

int curve_mul(const uint8_t *d, const struct cvtpm_ecc_public *q, struct cvtpm_ecc_public *r)
{
	const size_t size = cvtpm_curve_size(q->curve);
	ecc_point point;
	mp_int scalar;
	int err = read_number(&scalar, d, size);

	if (!err)
		err = point_init(&point);
	if (!err)
		err = read_number(point.x, q->x, size);
	if (!err)
		err = read_number(point.y, q->y, size);
	if (!err)
		err = mp_set(point.z, 1);
	if (!err)
		err = FOR_EACH_CURVE(q->curve, mulmod, &scalar, &point, &point, 1, NULL);
	if (!err)
		err = write_numbers(point.x, r->x, point.y, r->y, size);
	clear_vectors(has_mulx());
	r->curve = q->curve;
	mp_forcezero(&scalar);
	mp_forcezero(point.x);
	mp_forcezero(point.y);
	return err ? CVTPM_ERR_CRYPTO : 0;
}

bool curve_has_point(const struct cvtpm_ecc_public *point)
{
	const size_t size = cvtpm_curve_size(point->curve);
	mp_int x, y;
	int err = read_number(&x, point->x, size);

	if (!err)
		err = read_number(&y, point->y, size);
	if (!err)
		err = FOR_EACH_CURVE(point->curve, is_point, &x, &y);
	return err == 0;
}

int curve_sign(enum cvtpm_curve curve, const uint8_t *d, struct cvtpm_drbg *drbg,
	       const uint8_t *digest, size_t digest_len, struct cvtpm_ecdsa_signature *signature)
{
	const size_t size = cvtpm_curve_size(curve);
	mp_int scalar, r, s;
	int err = read_number(&scalar, d, size);

	if (!err)
		err = mp_init_multi(&r, &s, NULL, NULL, NULL, NULL);
	if (!err)
		err = FOR_EACH_CURVE(curve, sign, digest, (word32)digest_len, drbg_rng(drbg),
				     &scalar, &r, &s, NULL, NULL);
	if (!err)
		err = write_numbers(&r, signature->r, &s, signature->s, size);
	clear_vectors(has_mulx());
	mp_forcezero(&scalar);
	return err ? CVTPM_ERR_CRYPTO : 0;
}

bool curve_verify(const struct cvtpm_ecc_public *key, const uint8_t *digest, size_t digest_len,
		  const struct cvtpm_ecdsa_signature *signature)
{
	const size_t size = cvtpm_curve_size(key->curve);
	mp_int x, y, z, r, s;
	int good = 0, err = read_number(&x, key->x, size);

	if (!err)
		err = read_number(&y, key->y, size);
	if (!err)
		err = read_number(&r, signature->r, size);
	if (!err)
		err = read_number(&s, signature->s, size);
	if (!err)
		err = mp_init(&z);
	if (!err)
		err = mp_set(&z, 1);
	if (!err)
		err = FOR_EACH_CURVE(key->curve, verify, digest, (word32)digest_len, &x, &y, &z, &r,
				     &s, &good, NULL);
	clear_vectors(has_mulx());
	return !err && good == 1;
}

#endif
