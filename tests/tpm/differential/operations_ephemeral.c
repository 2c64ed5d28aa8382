/* Chapters 19 and 14.7: ephemeral keys made and used, in order or not. Signatures with them
 * are among those of operations_key.c and operations_attest.c. */
#include "world.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

static void note_number(struct world *w, uint16_t number)
{
	w->numbers[w->numbers_made++ % MAX_NUMBERS] = number;
}

/* One that was given out, used or not, and now and then one that was not. */
uint16_t pick_number(struct world *w)
{
	const unsigned made = w->numbers_made < MAX_NUMBERS ? w->numbers_made : MAX_NUMBERS;

	if (!made || chance(w, 5))
		return (uint16_t)PICK(w, 0, 1, 0x80, 0xFFFF);
	return w->numbers[pick(w, made)];
}

TPMS_ECC_POINT pick_point(struct world *w, TPMI_ECC_CURVE curve)
{
	struct cvtpm_ecc_key key = {.public.curve = (enum cvtpm_curve)curve};
	const size_t size = cvtpm_curve_size(key.public.curve);
	TPMS_ECC_POINT point = {{(uint16_t)size, {0}}, {(uint16_t)size, {0}}};

	pick_bytes(w, key.d + 1, size - 1);
	assert_int_equal(cvtpm_ecc_make_public(&key), 0);
	if (chance(w, 4))
		key.public.y[5] ^= 1;
	memcpy(point.x.buffer, key.public.x, size);
	memcpy(point.y.buffer, key.public.y, size);
	return point;
}

static TPMI_ECC_CURVE curve_of(const struct world_key *key)
{
	return key->public[NATIVE].type == TPM_ALG_ECC
		       ? key->public[NATIVE].parameters.eccDetail.curveID
		       : TPM_ECC_NIST_P256;
}

static void ec_ephemeral(struct world *w)
{
	BEGIN(w, EC_Ephemeral);

	in->curveID = (TPMI_ECC_CURVE)PICK(w, TPM_ECC_NIST_P256, TPM_ECC_NIST_P256,
					   TPM_ECC_NIST_P384, TPM_ECC_NIST_P521);
	if (pair_run(w, &p) == 0)
		note_number(w, out[NATIVE]->counter);
}

static void zgen_2phase(struct world *w)
{
	struct world_key *key = chance(w, 90) ? key_of_kind(w, KEY_DECRYPT) : pick_key(w, ANY_KEY);
	BEGIN(w, ZGen_2Phase);

	if (!key)
		return;
	use_key(&p, 0, key);
	p.unlike = !key->same;
	in->inQsB.point = pick_point(w, curve_of(key));
	in->inQeB.point = pick_point(w, curve_of(key));
	in->inScheme = chance(w, 90) ? TPM_ALG_ECDH
				     : (TPM_ALG_ID)PICK(w, TPM_ALG_ECDSA, TPM_ALG_ECDAA,
							TPM_ALG_NULL, 0x1D);
	in->counter = pick_number(w);
	pair_run(w, &p);
}

/* The y to a hash that is an x, for about half of them. */
static bool find_y(TPMI_ECC_CURVE curve, TPM_ALG_ID alg, const TPM2B_SENSITIVE_DATA *data,
		   TPM2B_ECC_PARAMETER *y)
{
	TPM2B_DIGEST digest = digest_of_bytes(alg, data->buffer, data->size);
	EC_GROUP *group = EC_GROUP_new_by_curve_name(
		curve == TPM_ECC_NIST_P256 ? NID_X9_62_prime256v1 : NID_secp384r1);
	EC_POINT *point = EC_POINT_new(group);
	BIGNUM *x = BN_bin2bn(digest.buffer, digest.size, NULL), *p = BN_new(), *number = BN_new();
	BN_CTX *context = BN_CTX_new();
	bool found;

	assert_int_equal(EC_GROUP_get_curve(group, p, NULL, NULL, context), 1);
	assert_int_equal(BN_nnmod(x, x, p, context), 1);
	found = EC_POINT_set_compressed_coordinates(group, point, x, 0, context) == 1 &&
		EC_POINT_get_affine_coordinates(group, point, NULL, number, context) == 1;
	if (found) {
		y->size = (uint16_t)cvtpm_curve_size((enum cvtpm_curve)curve);
		assert_int_equal(BN_bn2binpad(number, y->buffer, y->size), y->size);
	}
	BN_free(x), BN_free(p), BN_free(number);
	EC_POINT_free(point);
	EC_GROUP_free(group);
	BN_CTX_free(context);
	return found;
}

static void commit(struct world *w)
{
	struct world_key *key =
		chance(w, 90) ? key_of_kind(w, KEY_ANONYMOUS) : pick_key(w, ANY_KEY);
	BEGIN(w, Commit);

	if (!key)
		return;
	use_key(&p, 0, key);
	p.unlike = !key->same;
	if (chance(w, 50))
		in->P1.point = pick_point(w, curve_of(key));
	if (chance(w, 60)) {
		in->s2.size = (uint16_t)(1 + pick(w, 64));
		pick_bytes(w, in->s2.buffer, in->s2.size);
		if (!find_y(curve_of(key), key->public[NATIVE].nameAlg, &in->s2, &in->y2))
			in->y2 = pick_point(w, curve_of(key)).y;
		if (chance(w, 4))
			in->y2.size = 0;
	}
	if (pair_run(w, &p) == 0)
		note_number(w, out[NATIVE]->counter);
}

const struct operation operations_ephemeral[] = {
	{"ec-ephemeral", 8, ec_ephemeral},
	{"zgen-2phase", 8, zgen_2phase},
	{"commit", 14, commit},
	{NULL, 0, NULL},
};
