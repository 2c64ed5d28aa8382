#include "crypto/curve.h"
#include "crypto/wolf.h"

#ifdef CVTPM_WOLFSSL_PACKAGED

static int wolf_curve(enum cvtpm_curve curve)
{
	switch (curve) {
	case CVTPM_P256:
		return ECC_SECP256R1;
	case CVTPM_P384:
		return ECC_SECP384R1;
	case CVTPM_P521:
		return ECC_SECP521R1;
	}
	return ECC_CURVE_INVALID;
}

static void key_free(ecc_key *key)
{
	wc_ecc_free(key);
	cvtpm_wipe(key, sizeof *key);
}

static int read_number(mp_int *number, const uint8_t *bytes, size_t size)
{
	int err = mp_init(number);

	return err ? err : mp_read_unsigned_bin(number, bytes, (word32)size);
}

static int write_number(mp_int *number, uint8_t *out, size_t size)
{
	return mp_to_unsigned_bin_len(number, out, (int)size);
}

/* A private key without its public part. */
static int read_private(ecc_key *key, enum cvtpm_curve curve, const uint8_t *d)
{
	const size_t size = cvtpm_curve_size(curve);
	int err = wc_ecc_import_private_key_ex(d, (word32)size, NULL, 0, key, wolf_curve(curve));

	if (err)
		key_free(key);
	return err;
}

int curve_mul_base(enum cvtpm_curve curve, const uint8_t *d, struct cvtpm_ecc_public *r)
{
	const size_t size = cvtpm_curve_size(curve);
	ecc_key key;
	int err;

	r->curve = curve;
	if (wc_ecc_init(&key) || read_private(&key, curve, d))
		return CVTPM_ERR_CRYPTO;
	err = wc_ecc_make_pub(&key, NULL);
	if (!err)
		err = write_number(key.pubkey.x, r->x, size);
	if (!err)
		err = write_number(key.pubkey.y, r->y, size);
	key_free(&key);
	return err ? CVTPM_ERR_CRYPTO : 0;
}

int curve_mul(const uint8_t *d, const struct cvtpm_ecc_public *q, struct cvtpm_ecc_public *r)
{
	const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(q->curve);
	ecc_point *point = wc_ecc_new_point();
	mp_int scalar, a, p;
	int err = point ? read_number(&scalar, d, c->size) : MP_MEM;

	if (!err)
		err = read_number(point->x, q->x, c->size);
	if (!err)
		err = read_number(point->y, q->y, c->size);
	if (!err)
		err = mp_set(point->z, 1);
	if (!err)
		err = read_number(&a, c->a, c->size);
	if (!err)
		err = read_number(&p, c->p, c->size);
	if (!err)
		err = wc_ecc_mulmod(&scalar, point, point, &a, &p, 1);
	if (!err)
		err = write_number(point->x, r->x, c->size);
	if (!err)
		err = write_number(point->y, r->y, c->size);
	r->curve = q->curve;
	mp_forcezero(&scalar);
	if (point)
		wc_ecc_forcezero_point(point);
	wc_ecc_del_point(point);
	return err ? CVTPM_ERR_CRYPTO : 0;
}

bool curve_has_point(const struct cvtpm_ecc_public *q)
{
	const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(q->curve);
	ecc_point *point = wc_ecc_new_point();
	mp_int a, b, p;
	int err = point ? read_number(point->x, q->x, c->size) : MP_MEM;

	if (!err)
		err = read_number(point->y, q->y, c->size);
	if (!err)
		err = mp_set(point->z, 1);
	if (!err)
		err = read_number(&a, c->a, c->size);
	if (!err)
		err = read_number(&b, c->b, c->size);
	if (!err)
		err = read_number(&p, c->p, c->size);
	if (!err)
		err = wc_ecc_is_point(point, &a, &b, &p);
	wc_ecc_del_point(point);
	return err == 0;
}

int curve_sign(enum cvtpm_curve curve, const uint8_t *d, struct cvtpm_drbg *drbg,
	       const uint8_t *digest, size_t digest_len, struct cvtpm_ecdsa_signature *signature)
{
	const size_t size = cvtpm_curve_size(curve);
	ecc_key key;
	mp_int r, s;
	int err;

	if (wc_ecc_init(&key) || read_private(&key, curve, d))
		return CVTPM_ERR_CRYPTO;
	err = mp_init_multi(&r, &s, NULL, NULL, NULL, NULL);
	if (!err)
		err = wc_ecc_sign_hash_ex(digest, (word32)digest_len, drbg_rng(drbg), &key, &r, &s);
	if (!err)
		err = write_number(&r, signature->r, size);
	if (!err)
		err = write_number(&s, signature->s, size);
	key_free(&key);
	return err ? CVTPM_ERR_CRYPTO : 0;
}

bool curve_verify(const struct cvtpm_ecc_public *q, const uint8_t *digest, size_t digest_len,
		  const struct cvtpm_ecdsa_signature *signature)
{
	const size_t size = cvtpm_curve_size(q->curve);
	ecc_key key;
	mp_int r, s;
	int err, good = 0;

	if (wc_ecc_init(&key))
		return false;
	err = wc_ecc_import_unsigned(&key, q->x, q->y, NULL, wolf_curve(q->curve));
	if (!err)
		err = read_number(&r, signature->r, size);
	if (!err)
		err = read_number(&s, signature->s, size);
	if (!err)
		err = wc_ecc_verify_hash_ex(&r, &s, digest, (word32)digest_len, &good, &key);
	key_free(&key);
	return !err && good == 1;
}

#endif
