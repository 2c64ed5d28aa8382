#include "crypto/wolf.h"

static const struct {
	enum cvtpm_curve curve;
	int wolf;
	size_t size;
} curves[] = {
	{CVTPM_P256, ECC_SECP256R1, 32},
	{CVTPM_P384, ECC_SECP384R1, 48},
	{CVTPM_P521, ECC_SECP521R1, 66},
};

static int wolf_curve(enum cvtpm_curve curve)
{
	for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
		if (curves[i].curve == curve)
			return curves[i].wolf;
	return ECC_CURVE_INVALID;
}

size_t cvtpm_curve_size(enum cvtpm_curve curve)
{
	for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
		if (curves[i].curve == curve)
			return curves[i].size;
	return 0;
}

static void key_free(ecc_key *key)
{
	wc_ecc_free(key);
	cvtpm_wipe(key, sizeof *key);
}

static int export_key(ecc_key *wolf, struct cvtpm_ecc_key *key, size_t size)
{
	word32 x_len = (word32)size, y_len = x_len, d_len = x_len;

	return wc_ecc_export_private_raw(wolf, key->public.x, &x_len, key->public.y, &y_len, key->d,
					 &d_len);
}

int cvtpm_ecc_generate(enum cvtpm_curve curve, struct cvtpm_drbg *drbg, struct cvtpm_ecc_key *key)
{
	size_t size = cvtpm_curve_size(curve);
	ecc_key wolf;
	int err;

	memset(key, 0, sizeof *key);
	key->public.curve = curve;
	if (size == 0)
		return CVTPM_ERR_UNSUPPORTED;
	if (wc_ecc_init_ex(&wolf, NULL, INVALID_DEVID))
		return CVTPM_ERR_CRYPTO;
	err = wc_ecc_make_key_ex(drbg_rng(drbg), (int)size, &wolf, wolf_curve(curve));
	if (!err)
		err = export_key(&wolf, key, size);
	key_free(&wolf);
	if (err)
		cvtpm_wipe(key->d, sizeof key->d);
	return err ? CVTPM_ERR_CRYPTO : 0;
}

static int write_number(const mp_int *number, uint8_t *out, size_t size)
{
	/* wolfCrypt 5.5 wants a mutable argument here. */
	mp_int copy;
	int err = mp_init(&copy);

	if (!err)
		err = mp_copy(number, &copy);
	if (!err)
		err = mp_to_unsigned_bin_len(&copy, out, (int)size);
	mp_forcezero(&copy);
	return err;
}

int cvtpm_ecdsa_sign(const struct cvtpm_ecc_key *key, struct cvtpm_drbg *drbg,
		     const uint8_t *digest, size_t digest_len,
		     struct cvtpm_ecdsa_signature *signature)
{
	size_t size = cvtpm_curve_size(key->public.curve);
	ecc_key wolf;
	mp_int r, s;
	int err;

	if (size == 0 || digest_len == 0 || digest_len > CVTPM_HASH_MAX_SIZE)
		return CVTPM_ERR_PARAM;
	if (wc_ecc_init_ex(&wolf, NULL, INVALID_DEVID))
		return CVTPM_ERR_CRYPTO;
	err = wc_ecc_import_unsigned(&wolf, key->public.x, key->public.y, key->d,
				     wolf_curve(key->public.curve));
	if (!err)
		err = wc_ecc_set_rng(&wolf, drbg_rng(drbg));
	if (!err)
		err = mp_init_multi(&r, &s, NULL, NULL, NULL, NULL);
	if (!err)
		err = wc_ecc_sign_hash_ex(digest, (word32)digest_len, drbg_rng(drbg), &wolf, &r,
					  &s);
	if (!err)
		err = write_number(&r, signature->r, size);
	if (!err)
		err = write_number(&s, signature->s, size);
	key_free(&wolf);
	return err ? CVTPM_ERR_CRYPTO : 0;
}

int cvtpm_ecdsa_verify(const struct cvtpm_ecc_public *key, const uint8_t *digest, size_t digest_len,
		       const struct cvtpm_ecdsa_signature *signature)
{
	size_t size = cvtpm_curve_size(key->curve);
	ecc_key wolf;
	mp_int r, s;
	int err, good = 0;

	if (size == 0 || digest_len == 0 || digest_len > CVTPM_HASH_MAX_SIZE)
		return CVTPM_ERR_PARAM;
	if (wc_ecc_init_ex(&wolf, NULL, INVALID_DEVID))
		return CVTPM_ERR_CRYPTO;
	err = wc_ecc_import_unsigned(&wolf, key->x, key->y, NULL, wolf_curve(key->curve));
	if (!err)
		err = wc_ecc_check_key(&wolf);
	if (!err)
		err = mp_init_multi(&r, &s, NULL, NULL, NULL, NULL);
	if (!err)
		err = mp_read_unsigned_bin(&r, signature->r, (word32)size);
	if (!err)
		err = mp_read_unsigned_bin(&s, signature->s, (word32)size);
	if (!err)
		err = wc_ecc_verify_hash_ex(&r, &s, digest, (word32)digest_len, &good, &wolf);
	wc_ecc_free(&wolf);
	return !err && good == 1 ? 0 : CVTPM_ERR_AUTH;
}
