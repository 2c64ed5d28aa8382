/* Elliptic curves, held against OpenSSL, and what they must refuse; the self-tests. */
#include "crypto/crypto.h"
#include "cvtpm/err.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	enum cvtpm_curve curve;
	int nid;
} curves[] = {
	{CVTPM_P256, NID_X9_62_prime256v1},
	{CVTPM_P384, NID_secp384r1},
	{CVTPM_P521, NID_secp521r1},
};
#define CURVES (sizeof curves / sizeof *curves)

static const uint8_t zeros[CVTPM_ECC_MAX_SIZE];

static struct cvtpm_drbg drbg;

static int system_entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	return RAND_bytes(out, (int)len) == 1 ? 0 : CVTPM_ERR_ENTROPY;
}

static int begin(void **state)
{
	(void)state;
	return cvtpm_drbg_begin(&drbg, system_entropy, NULL);
}

static int end(void **state)
{
	(void)state;
	cvtpm_drbg_end(&drbg);
	return 0;
}

static void assert_number(const uint8_t *bytes, const BIGNUM *number, size_t size)
{
	uint8_t expected[CVTPM_ECC_MAX_SIZE];

	assert_int_equal(BN_bn2binpad(number, expected, (int)size), size);
	assert_memory_equal(bytes, expected, size);
}

static void the_parameters_are_those_of_openssl(void **state)
{
	BIGNUM *p = BN_new(), *a = BN_new(), *b = BN_new(), *x = BN_new(), *y = BN_new();

	(void)state;
	for (size_t i = 0; i < CURVES; i++) {
		const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(curves[i].curve);
		EC_GROUP *group = EC_GROUP_new_by_curve_name(curves[i].nid);

		assert_non_null(c);
		assert_int_equal(c->curve, curves[i].curve);
		assert_int_equal(c->size, cvtpm_curve_size(curves[i].curve));
		assert_int_equal(c->size, (EC_GROUP_get_degree(group) + 7) / 8);
		assert_int_equal(EC_GROUP_get_curve(group, p, a, b, NULL), 1);
		EC_POINT_get_affine_coordinates(group, EC_GROUP_get0_generator(group), x, y, NULL);
		assert_number(c->p, p, c->size);
		assert_number(c->a, a, c->size);
		assert_number(c->b, b, c->size);
		assert_number(c->gx, x, c->size);
		assert_number(c->gy, y, c->size);
		assert_number(c->n, EC_GROUP_get0_order(group), c->size);
		assert_true(BN_is_one(EC_GROUP_get0_cofactor(group)));
		EC_GROUP_free(group);
	}
	BN_free(p), BN_free(a), BN_free(b), BN_free(x), BN_free(y);
	assert_null(cvtpm_curve_parameters((enum cvtpm_curve)0));
	assert_null(cvtpm_curve_parameters((enum cvtpm_curve)0x10));
	assert_int_equal(cvtpm_curve_size((enum cvtpm_curve)2), 0);
}

/* bytes = number + change */
static void add_to(uint8_t *bytes, const uint8_t *number, size_t size, int change)
{
	BIGNUM *sum = BN_bin2bn(number, (int)size, NULL);

	if (change < 0)
		BN_sub_word(sum, (BN_ULONG)-change);
	else
		BN_add_word(sum, (BN_ULONG)change);
	assert_int_equal(BN_bn2binpad(sum, bytes, (int)size), size);
	BN_free(sum);
}

static void a_private_key_is_in_1_to_n_minus_1(void **state)
{
	(void)state;
	for (size_t i = 0; i < CURVES; i++) {
		const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(curves[i].curve);
		struct cvtpm_ecc_key key = {.public = {.curve = curves[i].curve}};
		struct cvtpm_ecc_public g = {.curve = curves[i].curve}, shared;
		struct cvtpm_ecdsa_signature signature;
		uint8_t digest[32] = {1}, minus_y[CVTPM_ECC_MAX_SIZE];
		BIGNUM *p = BN_bin2bn(c->p, (int)c->size, NULL);
		BIGNUM *y = BN_bin2bn(c->gy, (int)c->size, NULL);

		memcpy(g.x, c->gx, c->size);
		memcpy(g.y, c->gy, c->size);
		key.d[c->size - 1] = 1; /* 1 * G */
		assert_int_equal(cvtpm_ecc_make_public(&key), 0);
		assert_memory_equal(&key.public, &g, sizeof g);
		assert_int_equal(cvtpm_ecdh(key.d, &g, &shared), 0);
		assert_memory_equal(&shared, &g, sizeof g);

		add_to(key.d, c->n, c->size, -1); /* (n - 1) * G = -G */
		BN_sub(y, p, y);
		BN_bn2binpad(y, minus_y, (int)c->size);
		assert_int_equal(cvtpm_ecc_make_public(&key), 0);
		assert_memory_equal(key.public.x, c->gx, c->size);
		assert_memory_equal(key.public.y, minus_y, c->size);
		assert_int_equal(cvtpm_ecdh(key.d, &g, &shared), 0);
		assert_memory_equal(&shared, &key.public, sizeof shared);

		for (int wrong = 0; wrong < 4; wrong++) { /* 0, n, n + 1, all ones */
			memset(key.d, wrong == 3 ? 0xff : 0, sizeof key.d);
			if (wrong == 1 || wrong == 2)
				add_to(key.d, c->n, c->size, wrong - 1);
			assert_int_equal(cvtpm_ecc_make_public(&key), CVTPM_ERR_PARAM);
			memset(&shared, 1, sizeof shared);
			assert_int_equal(cvtpm_ecdh(key.d, &g, &shared), CVTPM_ERR_PARAM);
			assert_memory_equal(shared.x, zeros, sizeof shared.x);
			assert_int_equal(
				cvtpm_ecdsa_sign(&key, &drbg, digest, sizeof digest, &signature),
				CVTPM_ERR_PARAM);
		}
		BN_free(p), BN_free(y);
	}
}

static void assert_no_point(const struct cvtpm_ecc_public *point)
{
	uint8_t d[CVTPM_ECC_MAX_SIZE] = {0}, digest[32] = {1};
	struct cvtpm_ecdsa_signature signature = {{0}, {0}};
	struct cvtpm_ecc_public shared;
	const size_t size = cvtpm_curve_size(point->curve);

	assert_int_equal(cvtpm_ecc_check_public(point), CVTPM_ERR_PARAM);
	d[size - 1] = 5;
	assert_int_equal(cvtpm_ecdh(d, point, &shared), CVTPM_ERR_PARAM);
	signature.r[size - 1] = signature.s[size - 1] = 1;
	assert_int_equal(cvtpm_ecdsa_verify(point, digest, sizeof digest, &signature),
			 CVTPM_ERR_AUTH);
}

static void a_point_is_on_its_curve(void **state)
{
	(void)state;
	for (size_t i = 0; i < CURVES; i++) {
		const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(curves[i].curve);
		struct cvtpm_ecc_public wrong;
		struct cvtpm_ecc_key key;

		assert_int_equal(cvtpm_ecc_generate(curves[i].curve, &drbg, &key), 0);
		assert_int_equal(cvtpm_ecc_check_public(&key.public), 0);
		for (size_t at = 0; at < c->size; at++) {
			wrong = key.public;
			wrong.x[at] ^= 1;
			assert_int_equal(cvtpm_ecc_check_public(&wrong), CVTPM_ERR_PARAM);
			wrong = key.public;
			wrong.y[at] ^= 1;
			assert_int_equal(cvtpm_ecc_check_public(&wrong), CVTPM_ERR_PARAM);
		}
		wrong = key.public;
		memcpy(wrong.x, key.public.y, c->size);
		memcpy(wrong.y, key.public.x, c->size);
		assert_no_point(&wrong);
		wrong = key.public;
		memset(wrong.x, 0, sizeof wrong.x);
		memset(wrong.y, 0, sizeof wrong.y);
		assert_no_point(&wrong);
		memset(wrong.x, 0xff, sizeof wrong.x);
		memset(wrong.y, 0xff, sizeof wrong.y);
		assert_no_point(&wrong);
		wrong = key.public;
		wrong.curve = (enum cvtpm_curve)0x10;
		assert_int_equal(cvtpm_ecc_check_public(&wrong), CVTPM_ERR_PARAM);
		/* a point of another curve */
		wrong.curve = curves[(i + 1) % CURVES].curve;
		assert_no_point(&wrong);
	}
	assert_int_equal(
		cvtpm_ecc_generate((enum cvtpm_curve)0x10, &drbg, &(struct cvtpm_ecc_key){0}),
		CVTPM_ERR_UNSUPPORTED);
}

/* x = 0 has a y on each of the curves: the number that is congruent, but not less than p,
 * must not stand for it. */
static void a_coordinate_is_less_than_p(void **state)
{
	BN_CTX *bn = BN_CTX_new();

	(void)state;
	for (size_t i = 0; i < CURVES; i++) {
		const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(curves[i].curve);
		struct cvtpm_ecc_public point = {.curve = curves[i].curve};
		BIGNUM *p = BN_bin2bn(c->p, (int)c->size, NULL);
		BIGNUM *b = BN_bin2bn(c->b, (int)c->size, NULL);
		BIGNUM *y = BN_mod_sqrt(NULL, b, p, bn);

		assert_non_null(y);
		assert_int_equal(BN_bn2binpad(y, point.y, (int)c->size), c->size);
		assert_int_equal(cvtpm_ecc_check_public(&point), 0);
		memcpy(point.x, c->p, c->size);
		assert_no_point(&point);
		BN_free(p), BN_free(b), BN_free(y);
	}
	BN_CTX_free(bn);
}

static void ecdh_agrees_with_openssl(void **state)
{
	BN_CTX *bn = BN_CTX_new();
	BIGNUM *x = BN_new(), *y = BN_new();

	(void)state;
	for (size_t i = 0; i < CURVES; i++)
		for (int round = 0; round < 20; round++) {
			EC_GROUP *group = EC_GROUP_new_by_curve_name(curves[i].nid);
			EC_POINT *q = EC_POINT_new(group);
			const size_t size = cvtpm_curve_size(curves[i].curve);
			struct cvtpm_ecc_public shared, other;
			struct cvtpm_ecc_key a, b;
			BIGNUM *d, *qx, *qy;

			assert_int_equal(cvtpm_ecc_generate(curves[i].curve, &drbg, &a), 0);
			assert_int_equal(cvtpm_ecc_generate(curves[i].curve, &drbg, &b), 0);
			assert_int_equal(cvtpm_ecdh(a.d, &b.public, &shared), 0);
			assert_int_equal(cvtpm_ecdh(b.d, &a.public, &other), 0);
			assert_memory_equal(&shared, &other, sizeof shared);

			d = BN_bin2bn(a.d, (int)size, NULL);
			qx = BN_bin2bn(b.public.x, (int)size, NULL);
			qy = BN_bin2bn(b.public.y, (int)size, NULL);
			EC_POINT_set_affine_coordinates(group, q, qx, qy, bn);
			EC_POINT_mul(group, q, NULL, q, d, bn);
			EC_POINT_get_affine_coordinates(group, q, x, y, bn);
			assert_number(shared.x, x, size);
			assert_number(shared.y, y, size);
			EC_POINT_mul(group, q, d, NULL, NULL, bn);
			EC_POINT_get_affine_coordinates(group, q, x, y, bn);
			assert_number(a.public.x, x, size);
			assert_number(a.public.y, y, size);
			BN_free(d), BN_free(qx), BN_free(qy);
			EC_POINT_free(q);
			EC_GROUP_free(group);
		}
	BN_free(x), BN_free(y);
	BN_CTX_free(bn);
}

/* ECDSA_do_sign and the like are deprecated, but they take a digest of any length. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static EC_KEY *openssl_key(int nid, const struct cvtpm_ecc_key *key, size_t size)
{
	EC_KEY *theirs = EC_KEY_new_by_curve_name(nid);
	BIGNUM *d = BN_bin2bn(key->d, (int)size, NULL);
	BIGNUM *x = BN_bin2bn(key->public.x, (int)size, NULL);
	BIGNUM *y = BN_bin2bn(key->public.y, (int)size, NULL);

	assert_int_equal(EC_KEY_set_private_key(theirs, d), 1);
	assert_int_equal(EC_KEY_set_public_key_affine_coordinates(theirs, x, y), 1);
	BN_free(d), BN_free(x), BN_free(y);
	return theirs;
}

static void digests_of_any_length_are_signed_and_verified(void **state)
{
	uint8_t digest[CVTPM_HASH_MAX_SIZE + 1];

	(void)state;
	for (size_t i = 0; i < CURVES; i++) {
		const size_t size = cvtpm_curve_size(curves[i].curve);
		struct cvtpm_ecdsa_signature signature;
		struct cvtpm_ecc_key key;
		EC_KEY *theirs;

		assert_int_equal(cvtpm_ecc_generate(curves[i].curve, &drbg, &key), 0);
		theirs = openssl_key(curves[i].nid, &key, size);
		for (size_t len = 1; len <= CVTPM_HASH_MAX_SIZE; len++) {
			ECDSA_SIG *sig = ECDSA_SIG_new();

			assert_int_equal(RAND_bytes(digest, sizeof digest), 1);
			assert_int_equal(cvtpm_ecdsa_sign(&key, &drbg, digest, len, &signature), 0);
			ECDSA_SIG_set0(sig, BN_bin2bn(signature.r, (int)size, NULL),
				       BN_bin2bn(signature.s, (int)size, NULL));
			assert_int_equal(ECDSA_do_verify(digest, (int)len, sig, theirs), 1);
			ECDSA_SIG_free(sig);

			sig = ECDSA_do_sign(digest, (int)len, theirs);
			assert_non_null(sig);
			memset(&signature, 0, sizeof signature);
			BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature.r, (int)size);
			BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature.s, (int)size);
			ECDSA_SIG_free(sig);
			assert_int_equal(cvtpm_ecdsa_verify(&key.public, digest, len, &signature),
					 0);
			digest[0] ^= 1;
			assert_int_equal(cvtpm_ecdsa_verify(&key.public, digest, len, &signature),
					 CVTPM_ERR_AUTH);
		}
		assert_int_equal(cvtpm_ecdsa_sign(&key, &drbg, digest, 0, &signature),
				 CVTPM_ERR_PARAM);
		assert_int_equal(cvtpm_ecdsa_sign(&key, &drbg, digest, sizeof digest, &signature),
				 CVTPM_ERR_PARAM);
		EC_KEY_free(theirs);
	}
}

static void two_signatures_of_one_digest_differ(void **state)
{
	uint8_t digest[32] = {3};

	(void)state;
	for (size_t i = 0; i < CURVES; i++) {
		struct cvtpm_ecdsa_signature a, b;
		struct cvtpm_ecc_key key;

		assert_int_equal(cvtpm_ecc_generate(curves[i].curve, &drbg, &key), 0);
		assert_int_equal(cvtpm_ecdsa_sign(&key, &drbg, digest, sizeof digest, &a), 0);
		assert_int_equal(cvtpm_ecdsa_sign(&key, &drbg, digest, sizeof digest, &b), 0);
		assert_memory_not_equal(a.r, b.r, cvtpm_curve_size(curves[i].curve));
	}
}

/* r and s plus n are congruent to the right ones. */
static void a_signature_is_less_than_n(void **state)
{
	const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(CVTPM_P521);
	struct cvtpm_ecdsa_signature signature, wrong;
	struct cvtpm_ecc_key key;
	uint8_t digest[32] = {3};
	BIGNUM *n = BN_bin2bn(c->n, (int)c->size, NULL), *r;

	(void)state;
	assert_int_equal(cvtpm_ecc_generate(CVTPM_P521, &drbg, &key), 0);
	assert_int_equal(cvtpm_ecdsa_sign(&key, &drbg, digest, sizeof digest, &signature), 0);
	for (int part = 0; part < 2; part++) {
		uint8_t *const in = part ? wrong.s : wrong.r;

		wrong = signature;
		r = BN_bin2bn(in, (int)c->size, NULL);
		BN_add(r, r, n);
		assert_int_equal(BN_bn2binpad(r, in, (int)c->size), c->size);
		assert_int_equal(cvtpm_ecdsa_verify(&key.public, digest, sizeof digest, &wrong),
				 CVTPM_ERR_AUTH);
		memset(in, 0, c->size);
		assert_int_equal(cvtpm_ecdsa_verify(&key.public, digest, sizeof digest, &wrong),
				 CVTPM_ERR_AUTH);
		BN_free(r);
	}
	BN_free(n);
}

static int constant_source(void *context, uint8_t *out, size_t len)
{
	memset(out, *(const int *)context, len);
	return 0;
}

/* c = 0 gives 1, the largest c its rest. */
static void a_key_from_extreme_bytes_is_the_defined_one(void **state)
{
	BN_CTX *bn = BN_CTX_new();

	(void)state;
	for (size_t i = 0; i < CURVES; i++) {
		const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(curves[i].curve);
		int byte = 0;
		const struct cvtpm_source source = {constant_source, &byte};
		BIGNUM *n1 = BN_bin2bn(c->n, (int)c->size, NULL), *most = BN_new();
		struct cvtpm_ecc_key key;

		assert_int_equal(cvtpm_ecc_generate_from(curves[i].curve, &source, &key), 0);
		assert_memory_equal(key.d, zeros, c->size - 1);
		assert_int_equal(key.d[c->size - 1], 1);
		byte = 0xff;
		assert_int_equal(cvtpm_ecc_generate_from(curves[i].curve, &source, &key), 0);
		BN_sub_word(n1, 1);
		BN_one(most);
		BN_lshift(most, most, BN_num_bits(n1) + 64);
		BN_sub_word(most, 1);
		BN_mod(most, most, n1, bn);
		BN_add_word(most, 1);
		assert_number(key.d, most, c->size);
		BN_free(n1), BN_free(most);
	}
	BN_CTX_free(bn);
}

/* r + t * d mod n, with OpenSSL's numbers; t is of any size up to 64 bytes. */
static void mul_add_agrees_with_openssl(void **state)
{
	static const size_t sizes[] = {0, 1, 20, 32, 47, 48, 63, 64};
	const struct cvtpm_source source = cvtpm_drbg_source(&drbg);
	BN_CTX *context = BN_CTX_new();

	(void)state;
	for (size_t i = 0; i < CURVES * 64; i++) {
		const struct cvtpm_curve_parameters *c =
			cvtpm_curve_parameters(curves[i % CURVES].curve);
		const size_t t_len = sizes[i / CURVES % 8];
		uint8_t t[64], d[CVTPM_ECC_MAX_SIZE], r[CVTPM_ECC_MAX_SIZE], s[CVTPM_ECC_MAX_SIZE];
		BIGNUM *n = BN_bin2bn(c->n, (int)c->size, NULL), *want = BN_new();
		BIGNUM *bt, *bd, *br;

		assert_int_equal(cvtpm_ecc_scalar_from(c->curve, &source, d), 0);
		assert_int_equal(cvtpm_ecc_scalar_from(c->curve, &source, r), 0);
		assert_int_equal(RAND_bytes(t, sizeof t), 1);
		if (i >= CURVES * 32) { /* the ends of what is allowed */
			memset(t, i % 2 ? 0xFF : 0, sizeof t);
			add_to(i % 4 < 2 ? d : r, c->n, c->size, -1);
			if (i % 3 == 0) {
				memset(r, 0, sizeof r);
				r[c->size - 1] = 1;
			}
		}
		bt = BN_bin2bn(t, (int)t_len, NULL);
		bd = BN_bin2bn(d, (int)c->size, NULL);
		br = BN_bin2bn(r, (int)c->size, NULL);
		assert_int_equal(BN_mod_mul(want, bt, bd, n, context), 1);
		assert_int_equal(BN_mod_add(want, want, br, n, context), 1);
		assert_int_equal(cvtpm_ecc_mul_add(c->curve, &drbg, t, t_len, d, r, s), 0);
		assert_number(s, want, c->size);
		BN_free(n), BN_free(want), BN_free(bt), BN_free(bd), BN_free(br);
	}
	BN_CTX_free(context);
}

static void mul_add_refuses_what_is_no_scalar(void **state)
{
	(void)state;
	for (size_t i = 0; i < CURVES; i++) {
		const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(curves[i].curve);
		uint8_t one[CVTPM_ECC_MAX_SIZE] = {0}, s[CVTPM_ECC_MAX_SIZE], t[65] = {1};
		const uint8_t *bad[] = {zeros, c->n, c->p};

		one[c->size - 1] = 1;
		for (size_t k = 0; k < 3; k++) {
			assert_int_equal(cvtpm_ecc_mul_add(c->curve, &drbg, t, 1, bad[k], one, s),
					 CVTPM_ERR_PARAM);
			assert_int_equal(cvtpm_ecc_mul_add(c->curve, &drbg, t, 1, one, bad[k], s),
					 CVTPM_ERR_PARAM);
		}
		assert_int_equal(cvtpm_ecc_mul_add(c->curve, &drbg, t, 65, one, one, s),
				 CVTPM_ERR_PARAM);
		assert_int_equal(
			cvtpm_ecc_mul_add((enum cvtpm_curve)0x10, &drbg, t, 1, one, one, s),
			CVTPM_ERR_PARAM);
	}
}

static void a_coordinate_is_a_number_modulo_p(void **state)
{
	BN_CTX *context = BN_CTX_new();
	BIGNUM *x = BN_new();

	(void)state;
	for (size_t i = 0; i < CURVES * 65; i++) {
		const struct cvtpm_curve_parameters *c =
			cvtpm_curve_parameters(curves[i % CURVES].curve);
		const size_t len = i / CURVES;
		uint8_t in[64], out[CVTPM_ECC_MAX_SIZE];
		BIGNUM *p = BN_bin2bn(c->p, (int)c->size, NULL), *number;

		memset(in, 0xFF, sizeof in);
		if (i % 2)
			assert_int_equal(RAND_bytes(in, sizeof in), 1);
		number = BN_bin2bn(in, (int)len, NULL);
		assert_int_equal(BN_mod(x, number, p, context), 1);
		assert_int_equal(cvtpm_ecc_coordinate(c->curve, in, len, out), 0);
		assert_number(out, x, c->size);
		assert_int_equal(cvtpm_ecc_coordinate(c->curve, in, 65, out), CVTPM_ERR_PARAM);
		BN_free(p), BN_free(number);
	}
	assert_int_equal(cvtpm_ecc_coordinate((enum cvtpm_curve)0x10, zeros, 1, (uint8_t[66]){0}),
			 CVTPM_ERR_PARAM);
	BN_free(x);
	BN_CTX_free(context);
}

static void all_self_tests_pass(void **state)
{
	(void)state;
	for (int test = 0; test < CVTPM_TESTS; test++)
		assert_int_equal(cvtpm_selftest((enum cvtpm_test)test, &drbg), 0);
	assert_int_equal(cvtpm_selftest(CVTPM_TESTS, &drbg), CVTPM_ERR_PARAM);
}

static int failing_entropy(void *context, uint8_t *out, size_t len)
{
	if (*(bool *)context) {
		memset(out, 0, len);
		return CVTPM_ERR_ENTROPY;
	}
	return system_entropy(NULL, out, len);
}

static void a_drbg_takes_in_what_it_is_given(void **state)
{
	struct cvtpm_drbg other;
	bool failing = false;
	uint8_t a[32], b[32];

	(void)state;
	assert_int_equal(cvtpm_drbg_begin(&other, failing_entropy, &failing), 0);
	for (size_t len = 0; len < 1000; len += 333) {
		uint8_t data[1000] = {1};

		assert_int_equal(cvtpm_drbg_bytes(&other, a, sizeof a), 0);
		assert_int_equal(cvtpm_drbg_stir(&other, data, len), 0);
		assert_int_equal(cvtpm_drbg_reseed(&other), 0);
		assert_int_equal(cvtpm_drbg_bytes(&other, b, sizeof b), 0);
		assert_memory_not_equal(a, b, sizeof a);
	}
	failing = true;
	assert_int_equal(cvtpm_drbg_reseed(&other), CVTPM_ERR_ENTROPY);
	assert_int_equal(cvtpm_drbg_stir(&other, a, sizeof a), CVTPM_ERR_ENTROPY);
	assert_int_equal(cvtpm_drbg_bytes(&other, b, sizeof b), 0); /* goes on as before */
	cvtpm_drbg_end(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_parameters_are_those_of_openssl),
		cmocka_unit_test(a_private_key_is_in_1_to_n_minus_1),
		cmocka_unit_test(a_point_is_on_its_curve),
		cmocka_unit_test(a_coordinate_is_less_than_p),
		cmocka_unit_test(ecdh_agrees_with_openssl),
		cmocka_unit_test(digests_of_any_length_are_signed_and_verified),
		cmocka_unit_test(two_signatures_of_one_digest_differ),
		cmocka_unit_test(a_signature_is_less_than_n),
		cmocka_unit_test(a_key_from_extreme_bytes_is_the_defined_one),
		cmocka_unit_test(mul_add_agrees_with_openssl),
		cmocka_unit_test(mul_add_refuses_what_is_no_scalar),
		cmocka_unit_test(a_coordinate_is_a_number_modulo_p),
		cmocka_unit_test(all_self_tests_pass),
		cmocka_unit_test(a_drbg_takes_in_what_it_is_given),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
