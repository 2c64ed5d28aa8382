/* RSA, held against OpenSSL in both directions, and what it must refuse. */
#include "crypto/crypto.h"
#include "cvtpm/err.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	enum cvtpm_hash_alg alg;
	const char *name;
} hashes[] = {
	{CVTPM_SHA1, "SHA1"},         {CVTPM_SHA256, "SHA256"},     {CVTPM_SHA384, "SHA384"},
	{CVTPM_SHA512, "SHA512"},     {CVTPM_SHA3_256, "SHA3-256"}, {CVTPM_SHA3_384, "SHA3-384"},
	{CVTPM_SHA3_512, "SHA3-512"},
};
#define HASHES (sizeof hashes / sizeof *hashes)

static const unsigned sizes[] = {2048, 3072, 4096};
#define SIZES (sizeof sizes / sizeof *sizes)

/* A key of each size, made once. */
static struct fixture {
	struct cvtpm_drbg drbg;
	struct cvtpm_rsa_key keys[SIZES];
	EVP_PKEY *theirs[SIZES];
} f;

static int system_entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	return RAND_bytes(out, (int)len) == 1 ? 0 : CVTPM_ERR_ENTROPY;
}

static BIGNUM *number(const uint8_t *bytes, size_t len)
{
	return BN_bin2bn(bytes, (int)len, NULL);
}

/* The same key as OpenSSL's, which gets all of it from the primes alone. */
static EVP_PKEY *openssl_key(const struct cvtpm_rsa_key *key)
{
	const size_t half = key->public.bits / 16;
	BN_CTX *bn = BN_CTX_new();
	BIGNUM *p = number(key->crt, half), *q = number(key->crt + half, half);
	BIGNUM *e = BN_new(), *n = BN_new(), *d, *p1 = BN_dup(p), *q1 = BN_dup(q);
	BIGNUM *phi = BN_new();
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM *params;

	BN_set_word(e, key->public.exponent);
	BN_mul(n, p, q, bn);
	BN_sub_word(p1, 1);
	BN_sub_word(q1, 1);
	BN_mul(phi, p1, q1, bn);
	d = BN_mod_inverse(NULL, e, phi, bn);
	assert_non_null(d);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_D, d);
	params = OSSL_PARAM_BLD_to_param(build);
	assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
	assert_int_equal(EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_KEYPAIR, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	BN_free(p), BN_free(q), BN_free(e), BN_free(n), BN_free(d);
	BN_free(p1), BN_free(q1), BN_free(phi);
	BN_CTX_free(bn);
	return pkey;
}

static int make_keys(void **state)
{
	const struct cvtpm_source source = cvtpm_drbg_source(&f.drbg);

	(void)state;
	if (cvtpm_drbg_begin(&f.drbg, system_entropy, NULL))
		return -1;
	for (size_t i = 0; i < SIZES; i++) {
		if (cvtpm_rsa_generate(sizes[i], CVTPM_RSA_DEFAULT_EXPONENT, &source, NULL, NULL,
				       &f.keys[i]))
			return -1;
		f.theirs[i] = openssl_key(&f.keys[i]);
	}
	return 0;
}

static int forget_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < SIZES; i++)
		EVP_PKEY_free(f.theirs[i]);
	cvtpm_drbg_end(&f.drbg);
	return 0;
}

/* ---- keys ---- */

/* All that RFC 8017, 3.2, and FIPS 186-5, A.1.1, say of a key. */
static void assert_key_is_right(const struct cvtpm_rsa_key *key)
{
	const unsigned bits = key->public.bits;
	const size_t half = bits / 16;
	BN_CTX *bn = BN_CTX_new();
	BIGNUM *part[5], *e = BN_new(), *n = number(key->public.n, 2 * half), *t = BN_new();
	BIGNUM *one = BN_new();

	BN_one(one);
	BN_set_word(e, key->public.exponent);
	for (size_t i = 0; i < 5; i++)
		part[i] = number(key->crt + i * half, half);
	assert_int_equal(BN_num_bits(n), bits);
	assert_true(BN_cmp(part[0], part[1]) > 0);
	BN_mul(t, part[0], part[1], bn);
	assert_int_equal(BN_cmp(t, n), 0);
	BN_mod_mul(t, part[4], part[1], part[0], bn);
	assert_true(BN_is_one(t));
	BN_sub(t, part[0], part[1]);
	assert_true(BN_num_bits(t) > (int)bits / 2 - 100);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(BN_num_bits(part[i]), bits / 2);
		assert_true(BN_is_bit_set(part[i], (int)bits / 2 - 2));
		assert_int_equal(BN_check_prime(part[i], bn, NULL), 1);
		BN_sub(t, part[i], one);
		BN_mod_mul(part[2 + i], part[2 + i], e, t, bn);
		assert_true(BN_is_one(part[2 + i]));
	}
	for (size_t i = 0; i < 5; i++)
		BN_free(part[i]);
	BN_free(e), BN_free(n), BN_free(t), BN_free(one);
	BN_CTX_free(bn);
}

/* CVTPM_RSA_KEYS asks for more of them. */
static void generated_keys_are_right(void **state)
{
	const char *wanted = getenv("CVTPM_RSA_KEYS");
	const int rounds = wanted ? atoi(wanted) : 2;
	const struct cvtpm_source source = cvtpm_drbg_source(&f.drbg);
	struct cvtpm_rsa_key key;

	(void)state;
	for (size_t i = 0; i < SIZES; i++)
		assert_key_is_right(&f.keys[i]);
	for (int i = 0; i < rounds; i++) {
		assert_int_equal(cvtpm_rsa_generate(2048, i % 2 ? 65537 : 65539 + 2 * (unsigned)i,
						    &source, NULL, NULL, &key),
				 0);
		assert_key_is_right(&key);
	}
}

static void what_is_no_size_or_exponent_is_refused(void **state)
{
	static const unsigned bits[] = {0, 1024, 2047, 2049, 2560, 8192, 65536 + 2048};
	static const uint32_t exponents[] = {0, 1, 3, 17, 65535, 65536, 65538, 0xfffffffe};
	const struct cvtpm_source source = cvtpm_drbg_source(&f.drbg);
	struct cvtpm_rsa_public public;
	struct cvtpm_rsa_key key;

	(void)state;
	for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
		assert_int_equal(cvtpm_rsa_generate(bits[i], 65537, &source, NULL, NULL, &key),
				 CVTPM_ERR_PARAM);
		assert_int_equal(cvtpm_rsa_crt_size(bits[i]), 0);
		public = f.keys[0].public;
		public.bits = (uint16_t)bits[i];
		if (public.bits != 2048)
			assert_int_equal(cvtpm_rsa_check_public(&public), CVTPM_ERR_PARAM);
	}
	for (size_t i = 0; i < sizeof exponents / sizeof *exponents; i++) {
		assert_int_equal(cvtpm_rsa_generate(2048, exponents[i], &source, NULL, NULL, &key),
				 CVTPM_ERR_PARAM);
		public = f.keys[0].public;
		public.exponent = exponents[i];
		assert_int_equal(cvtpm_rsa_check_public(&public), CVTPM_ERR_PARAM);
	}
	public = f.keys[0].public;
	public.n[0] &= 0x7f;
	assert_int_equal(cvtpm_rsa_check_public(&public), CVTPM_ERR_PARAM);
	public = f.keys[0].public;
	public.n[255] &= 0xfe;
	assert_int_equal(cvtpm_rsa_check_public(&public), CVTPM_ERR_PARAM);
	assert_int_equal(cvtpm_rsa_crt_size(2048), 640);
}

static bool cancel_the_third_time(void *context)
{
	return ++*(unsigned *)context == 3;
}

static int failing_source(void *context, uint8_t *out, size_t len)
{
	unsigned *const left = context;

	if (*left == 0)
		return CVTPM_ERR_ENTROPY;
	--*left;
	return system_entropy(NULL, out, len);
}

static void a_generation_ends_when_told_to(void **state)
{
	const struct cvtpm_rsa_key wiped = {.public = {0}};
	struct cvtpm_source source = cvtpm_drbg_source(&f.drbg);
	struct cvtpm_rsa_key key;
	unsigned asked = 0;

	(void)state;
	assert_int_equal(
		cvtpm_rsa_generate(4096, 65537, &source, cancel_the_third_time, &asked, &key),
		CVTPM_ERR_BUSY);
	assert_int_equal(asked, 3);
	assert_memory_equal(&key, &wiped, sizeof key);
	/* The source fails at the start, at a base for Miller-Rabin, at the second start. */
	for (unsigned good = 0; good < 8; good++) {
		unsigned left = good;

		source = (struct cvtpm_source){failing_source, &left};
		assert_int_equal(cvtpm_rsa_generate(2048, 65537, &source, NULL, NULL, &key),
				 CVTPM_ERR_ENTROPY);
		assert_memory_equal(&key, &wiped, sizeof key);
	}
}

static void a_key_is_made_of_either_prime(void **state)
{
	(void)state;
	for (size_t i = 0; i < SIZES; i++) {
		const struct cvtpm_rsa_key *key = &f.keys[i];
		const size_t half = sizes[i] / 16;
		uint8_t in[CVTPM_RSA_MAX_SIZE] = {0, 1}, a[CVTPM_RSA_MAX_SIZE];
		uint8_t b[CVTPM_RSA_MAX_SIZE];
		struct cvtpm_rsa_key loaded;

		assert_int_equal(cvtpm_rsa_check_prime(&key->public, key->crt, half), 0);
		assert_int_equal(cvtpm_rsa_check_prime(&key->public, key->crt + half, half), 0);
		assert_int_equal(cvtpm_rsa_load(&key->public, key->crt, half, &loaded), 0);
		assert_memory_equal(&loaded, key, sizeof loaded);
		assert_int_equal(cvtpm_rsa_load(&key->public, key->crt + half, half, &loaded), 0);
		assert_memory_equal(loaded.crt, key->crt + half, half);
		assert_memory_equal(loaded.crt + half, key->crt, half);
		assert_int_equal(cvtpm_rsa_private_op(key, in, a), 0);
		assert_int_equal(cvtpm_rsa_private_op(&loaded, in, b), 0);
		assert_memory_equal(a, b, 2 * half);
		assert_int_equal(cvtpm_rsa_public_op(&key->public, a, a), 0);
		assert_memory_equal(a, in, 2 * half);
	}
}

static void assert_load_refused(const struct cvtpm_rsa_public *public, const uint8_t *prime,
				size_t len)
{
	const struct cvtpm_rsa_key wiped = {.public = {0}};
	struct cvtpm_rsa_key key;

	assert_int_equal(cvtpm_rsa_load(public, prime, len, &key), CVTPM_ERR_PARAM);
	assert_memory_equal(&key, &wiped, sizeof key);
}

/* Nor is it a factor. */
static void assert_no_factor(const struct cvtpm_rsa_public *public, const uint8_t *prime,
			     size_t len)
{
	assert_load_refused(public, prime, len);
	assert_int_equal(cvtpm_rsa_check_prime(public, prime, len), CVTPM_ERR_PARAM);
}

/* n for two given factors. */
static void set_modulus(struct cvtpm_rsa_public *public, const BIGNUM *a, const BIGNUM *b)
{
	BN_CTX *bn = BN_CTX_new();
	BIGNUM *n = BN_new();

	BN_mul(n, a, b, bn);
	assert_int_equal(BN_bn2binpad(n, public->n, public->bits / 8), public->bits / 8);
	BN_free(n);
	BN_CTX_free(bn);
}

static void a_prime_that_does_not_belong_is_refused(void **state)
{
	const struct cvtpm_rsa_key *key = &f.keys[0];
	struct cvtpm_rsa_public public = key->public;
	uint8_t prime[129] = {0};
	BIGNUM *p = number(key->crt, 128), *q = number(key->crt + 128, 128), *t = BN_dup(p);

	(void)state;
	memcpy(prime, key->crt, 128);
	for (size_t i = 0; i < 128; i++)
		for (uint8_t bit = 1; bit; bit = (uint8_t)(bit << 1)) {
			prime[i] ^= bit;
			assert_no_factor(&public, prime, 128);
			prime[i] ^= bit;
		}
	assert_no_factor(&public, prime, 127);
	assert_no_factor(&public, prime, 129);
	assert_no_factor(&public, prime, 0);
	memset(prime, 0, 128);
	prime[127] = 1; /* 1 divides n */
	assert_no_factor(&public, prime, 128);
	memcpy(prime, key->crt, 128);

	public.n[7] ^= 1; /* another n */
	assert_no_factor(&public, prime, 128);
	set_modulus(&public, p, p); /* p = q */
	assert_no_factor(&public, prime, 128);

	/* a factor that is not prime, as p; e divides p - 1 */
	BN_sub_word(t, 2);
	set_modulus(&public, t, q);
	BN_bn2binpad(t, prime, 128);
	assert_load_refused(&public, prime, 128);
	BN_copy(t, p);
	BN_sub_word(t, 1);
	BN_sub_word(t, BN_mod_word(t, 65537));
	BN_add_word(t, 1);
	if (!BN_is_odd(t))
		BN_add_word(t, 65537);
	set_modulus(&public, t, q);
	assert_no_factor(&public, key->crt + 128, 128);
	BN_free(p), BN_free(q), BN_free(t);
}

static void numbers_not_below_n_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < SIZES; i++) {
		const struct cvtpm_rsa_key *key = &f.keys[i];
		const size_t size = sizes[i] / 8;
		uint8_t in[CVTPM_RSA_MAX_SIZE], out[CVTPM_RSA_MAX_SIZE], zeros[512] = {0};

		memcpy(in, key->public.n, size);
		assert_int_equal(cvtpm_rsa_public_op(&key->public, in, out), CVTPM_ERR_SIZE);
		assert_int_equal(cvtpm_rsa_private_op(key, in, out), CVTPM_ERR_SIZE);
		in[size - 1] -= 1; /* n - 1: -1 to an odd power */
		assert_int_equal(cvtpm_rsa_public_op(&key->public, in, out), 0);
		assert_memory_equal(in, out, size);
		assert_int_equal(cvtpm_rsa_private_op(key, in, out), 0);
		assert_memory_equal(in, out, size);
		memset(in, 0xff, size);
		assert_int_equal(cvtpm_rsa_public_op(&key->public, in, out), CVTPM_ERR_SIZE);
		assert_int_equal(cvtpm_rsa_private_op(key, zeros, out), 0);
		assert_memory_equal(out, zeros, size);
		/* a multiple of one prime */
		memset(in, 0, size);
		memcpy(in + size / 2, key->crt, size / 2);
		assert_int_equal(cvtpm_rsa_private_op(key, in, out), 0);
		assert_int_equal(cvtpm_rsa_public_op(&key->public, out, out), 0);
		assert_memory_equal(in, out, size);
	}
}

/* Of a key with any part changed, as by a fault, nothing is seen but the error. */
static void a_faulty_result_does_not_leave(void **state)
{
	const uint8_t in[256] = {0, 1, 2, 3}, digest[32] = {1};
	uint8_t out[256], untouched[256];

	(void)state;
	memset(untouched, 0xee, sizeof untouched);
	for (size_t at = 5; at < cvtpm_rsa_crt_size(2048); at += 32) {
		struct cvtpm_rsa_key key = f.keys[0];

		key.crt[at] ^= 4;
		memcpy(out, untouched, sizeof out);
		assert_int_equal(cvtpm_rsa_private_op(&key, in, out), CVTPM_ERR_CRYPTO);
		assert_memory_equal(out, untouched, sizeof out);
		assert_int_equal(cvtpm_rsassa_sign(&key, CVTPM_SHA256, digest, sizeof digest, out),
				 CVTPM_ERR_CRYPTO);
		assert_memory_equal(out, untouched, sizeof out);
	}
}

/* ---- signatures ---- */

static EVP_PKEY_CTX *openssl_context(EVP_PKEY *key, int (*init)(EVP_PKEY_CTX *), int padding)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);

	assert_int_equal(init(context), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, padding), 1);
	return context;
}

static void rsassa_agrees_with_openssl(void **state)
{
	uint8_t digest[64], ours[CVTPM_RSA_MAX_SIZE], theirs[CVTPM_RSA_MAX_SIZE];

	(void)state;
	for (size_t i = 0; i < SIZES; i++)
		for (size_t h = 0; h < HASHES; h++) {
			const size_t size = sizes[i] / 8, len = cvtpm_hash_size(hashes[h].alg);
			EVP_PKEY_CTX *context =
				openssl_context(f.theirs[i], EVP_PKEY_sign_init, RSA_PKCS1_PADDING);
			size_t theirs_len = sizeof theirs;

			assert_int_equal(RAND_bytes(digest, sizeof digest), 1);
			assert_int_equal(EVP_PKEY_CTX_set_signature_md(
						 context, EVP_get_digestbyname(hashes[h].name)),
					 1);
			assert_int_equal(EVP_PKEY_sign(context, theirs, &theirs_len, digest, len),
					 1);
			assert_int_equal(
				cvtpm_rsassa_sign(&f.keys[i], hashes[h].alg, digest, len, ours), 0);
			assert_memory_equal(ours, theirs, size);
			assert_int_equal(cvtpm_rsassa_verify(&f.keys[i].public, hashes[h].alg,
							     digest, len, theirs, size),
					 0);
			EVP_PKEY_CTX_free(context);
		}
}

static void pss_signatures_verify_both_ways(void **state)
{
	uint8_t digest[64], signature[CVTPM_RSA_MAX_SIZE];

	(void)state;
	for (size_t i = 0; i < SIZES; i++)
		for (size_t h = 0; h < HASHES; h++)
			for (int salt = 0; salt < 3; salt++) {
				const EVP_MD *md = EVP_get_digestbyname(hashes[h].name);
				const size_t size = sizes[i] / 8;
				const size_t len = cvtpm_hash_size(hashes[h].alg);
				const size_t most = cvtpm_rsapss_max_salt(sizes[i], hashes[h].alg);
				const size_t salt_len = salt == 0 ? 0 : salt == 1 ? len : most;
				EVP_PKEY_CTX *context;
				size_t made = sizeof signature;

				assert_int_equal(most, size - len - 2);
				assert_int_equal(RAND_bytes(digest, sizeof digest), 1);
				assert_int_equal(cvtpm_rsapss_sign(&f.keys[i], &f.drbg,
								   hashes[h].alg, digest, len,
								   salt_len, signature),
						 0);
				context = openssl_context(f.theirs[i], EVP_PKEY_verify_init,
							  RSA_PKCS1_PSS_PADDING);
				EVP_PKEY_CTX_set_signature_md(context, md);
				EVP_PKEY_CTX_set_rsa_pss_saltlen(context, (int)salt_len);
				assert_int_equal(
					EVP_PKEY_verify(context, signature, size, digest, len), 1);
				EVP_PKEY_CTX_free(context);

				context = openssl_context(f.theirs[i], EVP_PKEY_sign_init,
							  RSA_PKCS1_PSS_PADDING);
				EVP_PKEY_CTX_set_signature_md(context, md);
				EVP_PKEY_CTX_set_rsa_pss_saltlen(context, (int)salt_len);
				assert_int_equal(
					EVP_PKEY_sign(context, signature, &made, digest, len), 1);
				EVP_PKEY_CTX_free(context);
				assert_int_equal(cvtpm_rsapss_verify(&f.keys[i].public,
								     hashes[h].alg, digest, len,
								     signature, size),
						 0);
			}
}

static void changed_signatures_are_refused(void **state)
{
	const struct cvtpm_rsa_key *key = &f.keys[0];
	uint8_t digest[32] = {1}, pkcs1[257], pss[257];

	(void)state;
	assert_int_equal(cvtpm_rsassa_sign(key, CVTPM_SHA256, digest, 32, pkcs1), 0);
	assert_int_equal(cvtpm_rsapss_sign(key, &f.drbg, CVTPM_SHA256, digest, 32, 32, pss), 0);
	for (size_t i = 0; i < 256; i += 5) {
		pkcs1[i] ^= 0x11;
		pss[i] ^= 0x11;
		assert_int_equal(
			cvtpm_rsassa_verify(&key->public, CVTPM_SHA256, digest, 32, pkcs1, 256),
			CVTPM_ERR_AUTH);
		assert_int_equal(
			cvtpm_rsapss_verify(&key->public, CVTPM_SHA256, digest, 32, pss, 256),
			CVTPM_ERR_AUTH);
		pkcs1[i] ^= 0x11;
		pss[i] ^= 0x11;
	}
	for (size_t i = 0; i < 32; i++) {
		digest[i] ^= 0x80;
		assert_int_equal(
			cvtpm_rsassa_verify(&key->public, CVTPM_SHA256, digest, 32, pkcs1, 256),
			CVTPM_ERR_AUTH);
		assert_int_equal(
			cvtpm_rsapss_verify(&key->public, CVTPM_SHA256, digest, 32, pss, 256),
			CVTPM_ERR_AUTH);
		digest[i] ^= 0x80;
	}
	for (size_t len = 255; len <= 257; len += 2) {
		assert_int_equal(
			cvtpm_rsassa_verify(&key->public, CVTPM_SHA256, digest, 32, pkcs1, len),
			CVTPM_ERR_AUTH);
		assert_int_equal(
			cvtpm_rsapss_verify(&key->public, CVTPM_SHA256, digest, 32, pss, len),
			CVTPM_ERR_AUTH);
	}
	/* another hash of the same size, the other scheme, another key */
	assert_int_equal(cvtpm_rsassa_verify(&key->public, CVTPM_SHA3_256, digest, 32, pkcs1, 256),
			 CVTPM_ERR_AUTH);
	assert_int_equal(cvtpm_rsapss_verify(&key->public, CVTPM_SHA3_256, digest, 32, pss, 256),
			 CVTPM_ERR_AUTH);
	assert_int_equal(cvtpm_rsapss_verify(&key->public, CVTPM_SHA256, digest, 32, pkcs1, 256),
			 CVTPM_ERR_AUTH);
	assert_int_equal(cvtpm_rsassa_verify(&key->public, CVTPM_SHA256, digest, 32, pss, 256),
			 CVTPM_ERR_AUTH);
	assert_int_equal(
		cvtpm_rsassa_verify(&f.keys[1].public, CVTPM_SHA256, digest, 32, pkcs1, 256),
		CVTPM_ERR_AUTH);
}

static void a_digest_of_another_size_is_refused(void **state)
{
	const struct cvtpm_rsa_key *key = &f.keys[0];
	uint8_t digest[64] = {1}, signature[256] = {0};

	(void)state;
	for (size_t len = 0; len <= 64; len++) {
		if (len == 32)
			continue;
		assert_int_equal(cvtpm_rsassa_sign(key, CVTPM_SHA256, digest, len, signature),
				 CVTPM_ERR_PARAM);
		assert_int_equal(
			cvtpm_rsapss_sign(key, &f.drbg, CVTPM_SHA256, digest, len, 0, signature),
			CVTPM_ERR_PARAM);
		assert_int_equal(cvtpm_rsassa_verify(&key->public, CVTPM_SHA256, digest, len,
						     signature, 256),
				 CVTPM_ERR_PARAM);
		assert_int_equal(cvtpm_rsapss_verify(&key->public, CVTPM_SHA256, digest, len,
						     signature, 256),
				 CVTPM_ERR_PARAM);
	}
	assert_int_equal(cvtpm_rsassa_sign(key, (enum cvtpm_hash_alg)0x10, digest, 0, signature),
			 CVTPM_ERR_PARAM);
	assert_int_equal(cvtpm_rsapss_sign(key, &f.drbg, CVTPM_SHA256, digest, 32, 223, signature),
			 CVTPM_ERR_PARAM);
	assert_int_equal(cvtpm_rsapss_sign(key, &f.drbg, CVTPM_SHA256, digest, 32, 222, signature),
			 0);
}

/* Encodings that an attacker would like to be taken for the right one. */
static void wrong_encodings_of_signatures_are_refused(void **state)
{
	const struct cvtpm_rsa_key *key = &f.keys[0];
	uint8_t digest[32] = {1}, good[256], em[256], signature[256];

	(void)state;
	assert_int_equal(cvtpm_rsassa_sign(key, CVTPM_SHA256, digest, 32, signature), 0);
	assert_int_equal(cvtpm_rsa_public_op(&key->public, signature, good), 0);
	assert_int_equal(good[1], 1);
	memset(em, 0, sizeof em); /* short padding, the rest behind */
	memcpy(em, good, 10);
	memcpy(em + 10, good + 256 - 52, 52);
	assert_int_equal(cvtpm_rsa_private_op(key, em, signature), 0);
	assert_int_equal(
		cvtpm_rsassa_verify(&key->public, CVTPM_SHA256, digest, 32, signature, 256),
		CVTPM_ERR_AUTH);
	memcpy(em, good, sizeof em); /* no padding of ones */
	em[100] = 0xfe;
	assert_int_equal(cvtpm_rsa_private_op(key, em, signature), 0);
	assert_int_equal(
		cvtpm_rsassa_verify(&key->public, CVTPM_SHA256, digest, 32, signature, 256),
		CVTPM_ERR_AUTH);
	memcpy(em, good, sizeof em); /* type 2 */
	em[1] = 2;
	assert_int_equal(cvtpm_rsa_private_op(key, em, signature), 0);
	assert_int_equal(
		cvtpm_rsassa_verify(&key->public, CVTPM_SHA256, digest, 32, signature, 256),
		CVTPM_ERR_AUTH);
	memset(em, 0, sizeof em); /* as a PSS encoding: no trailer, no 01 */
	assert_int_equal(cvtpm_rsapss_verify(&key->public, CVTPM_SHA256, digest, 32, em, 256),
			 CVTPM_ERR_AUTH);
	em[255] = 0xbc;
	assert_int_equal(cvtpm_rsa_private_op(key, em, signature), 0);
	assert_int_equal(
		cvtpm_rsapss_verify(&key->public, CVTPM_SHA256, digest, 32, signature, 256),
		CVTPM_ERR_AUTH);
}

/* ---- encryption ---- */

static void rsaes_agrees_with_openssl(void **state)
{
	uint8_t message[512], sealed[512], out[512];

	(void)state;
	for (size_t i = 0; i < SIZES; i++) {
		const size_t size = sizes[i] / 8;

		for (size_t len = 0; len <= size - 11; len += len < 40 ? 13 : 97) {
			EVP_PKEY_CTX *context = openssl_context(f.theirs[i], EVP_PKEY_decrypt_init,
								RSA_PKCS1_PADDING);
			size_t out_len = sizeof out;

			assert_int_equal(RAND_bytes(message, sizeof message), 1);
			assert_int_equal(cvtpm_rsaes_encrypt(&f.keys[i].public, &f.drbg, message,
							     len, sealed),
					 0);
			assert_int_equal(EVP_PKEY_decrypt(context, out, &out_len, sealed, size), 1);
			assert_int_equal(out_len, len);
			if (len)
				assert_memory_equal(out, message, len);
			EVP_PKEY_CTX_free(context);

			context = openssl_context(f.theirs[i], EVP_PKEY_encrypt_init,
						  RSA_PKCS1_PADDING);
			out_len = sizeof sealed;
			assert_int_equal(EVP_PKEY_encrypt(context, sealed, &out_len, message, len),
					 1);
			EVP_PKEY_CTX_free(context);
			assert_int_equal(cvtpm_rsaes_decrypt(&f.keys[i], sealed, out, &out_len), 0);
			assert_int_equal(out_len, len);
			if (len)
				assert_memory_equal(out, message, len);
		}
		assert_int_equal(
			cvtpm_rsaes_encrypt(&f.keys[i].public, &f.drbg, message, size - 10, sealed),
			CVTPM_ERR_SIZE);
	}
}

static EVP_PKEY_CTX *openssl_oaep(EVP_PKEY *key, int (*init)(EVP_PKEY_CTX *), const char *hash,
				  struct cvtpm_octets label)
{
	EVP_PKEY_CTX *context = openssl_context(key, init, RSA_PKCS1_OAEP_PADDING);
	const EVP_MD *md = EVP_get_digestbyname(hash);
	void *copy = OPENSSL_memdup(label.at, label.len);

	assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(context, md), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(context, md), 1);
	assert_int_equal(EVP_PKEY_CTX_set0_rsa_oaep_label(context, copy, (int)label.len), 1);
	return context;
}

static void oaep_agrees_with_openssl(void **state)
{
	const struct cvtpm_octets label = {"DUPLICATE", sizeof "DUPLICATE"};
	uint8_t message[512], sealed[512], out[512];

	(void)state;
	for (size_t i = 0; i < SIZES; i++)
		for (size_t h = 0; h < HASHES; h++) {
			const size_t size = sizes[i] / 8;
			const size_t most = size - 2 * cvtpm_hash_size(hashes[h].alg) - 2;

			for (size_t len = 0; len <= most; len += most / 3) {
				size_t out_len = sizeof out;
				EVP_PKEY_CTX *context = openssl_oaep(
					f.theirs[i], EVP_PKEY_decrypt_init, hashes[h].name, label);

				assert_int_equal(RAND_bytes(message, sizeof message), 1);
				assert_int_equal(cvtpm_oaep_encrypt(&f.keys[i].public, &f.drbg,
								    hashes[h].alg, label, message,
								    len, sealed),
						 0);
				assert_int_equal(
					EVP_PKEY_decrypt(context, out, &out_len, sealed, size), 1);
				assert_int_equal(out_len, len);
				if (len)
					assert_memory_equal(out, message, len);
				EVP_PKEY_CTX_free(context);

				context = openssl_oaep(f.theirs[i], EVP_PKEY_encrypt_init,
						       hashes[h].name, label);
				out_len = sizeof sealed;
				assert_int_equal(
					EVP_PKEY_encrypt(context, sealed, &out_len, message, len),
					1);
				EVP_PKEY_CTX_free(context);
				assert_int_equal(cvtpm_oaep_decrypt(&f.keys[i], hashes[h].alg,
								    label, sealed, out, &out_len),
						 0);
				assert_int_equal(out_len, len);
				if (len)
					assert_memory_equal(out, message, len);
			}
			assert_int_equal(cvtpm_oaep_encrypt(&f.keys[i].public, &f.drbg,
							    hashes[h].alg, label, message, most + 1,
							    sealed),
					 CVTPM_ERR_SIZE);
		}
}

static void assert_nothing_decrypted(int err, const uint8_t *message, size_t len)
{
	const uint8_t zeros[256] = {0};

	assert_int_equal(err, CVTPM_ERR_AUTH);
	assert_int_equal(len, 0);
	assert_memory_equal(message, zeros, sizeof zeros);
}

/* Encrypts an encoding as it is, and has its padding taken off. */
static void assert_rsaes_refused(const uint8_t em[256])
{
	uint8_t sealed[256], message[256];
	size_t len = 9;
	int err;

	memset(message, 7, sizeof message);
	assert_int_equal(cvtpm_rsa_public_op(&f.keys[0].public, em, sealed), 0);
	err = cvtpm_rsaes_decrypt(&f.keys[0], sealed, message, &len);
	assert_nothing_decrypted(err, message, len);
}

static void wrong_paddings_are_all_the_same(void **state)
{
	const struct cvtpm_octets label = CVTPM_TEXT("L"), other = CVTPM_TEXT("M");
	const struct cvtpm_rsa_key *key = &f.keys[0];
	uint8_t good[256], em[256], sealed[256], message[256];
	size_t len;
	int err;

	(void)state;
	memset(good, 0x55, sizeof good);
	good[0] = 0;
	good[1] = 2;
	good[10] = 0; /* behind eight bytes of padding, the fewest */
	assert_int_equal(cvtpm_rsa_public_op(&key->public, good, sealed), 0);
	assert_int_equal(cvtpm_rsaes_decrypt(key, sealed, message, &len), 0);
	assert_int_equal(len, 245);
	for (size_t at = 2; at < 10; at++) { /* less padding */
		memcpy(em, good, sizeof em);
		em[at] = 0;
		assert_rsaes_refused(em);
	}
	memcpy(em, good, sizeof em);
	em[10] = 1; /* no end of the padding */
	assert_rsaes_refused(em);
	memcpy(em, good, sizeof em);
	em[1] = 1;
	assert_rsaes_refused(em);
	memcpy(em, good, sizeof em);
	em[0] = 1;
	assert_rsaes_refused(em);

	memset(message, 7, sizeof message);
	err = cvtpm_rsaes_decrypt(key, key->public.n, message, &len);
	assert_nothing_decrypted(err, message, len);
	err = cvtpm_oaep_decrypt(key, CVTPM_SHA256, label, key->public.n, message, &len);
	assert_nothing_decrypted(err, message, len);

	assert_int_equal(
		cvtpm_oaep_encrypt(&key->public, &f.drbg, CVTPM_SHA256, label, good, 20, sealed),
		0);
	assert_int_equal(cvtpm_rsa_private_op(key, sealed, em), 0);
	err = cvtpm_oaep_decrypt(key, CVTPM_SHA256, other, sealed, message, &len);
	assert_nothing_decrypted(err, message, len);
	err = cvtpm_oaep_decrypt(key, CVTPM_SHA3_256, label, sealed, message, &len);
	assert_nothing_decrypted(err, message, len);
	for (size_t i = 0; i < 256; i++) {
		em[i] ^= 1;
		if (cvtpm_rsa_public_op(&key->public, em, sealed) == 0) {
			memset(message, 7, sizeof message);
			err = cvtpm_oaep_decrypt(key, CVTPM_SHA256, label, sealed, message, &len);
			assert_nothing_decrypted(err, message, len);
		}
		em[i] ^= 1;
	}
	assert_int_equal(
		cvtpm_oaep_decrypt(key, (enum cvtpm_hash_alg)0x10, label, sealed, message, &len),
		CVTPM_ERR_UNSUPPORTED);
	assert_int_equal(cvtpm_oaep_encrypt(&key->public, &f.drbg, (enum cvtpm_hash_alg)0x10, label,
					    good, 20, sealed),
			 CVTPM_ERR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generated_keys_are_right),
		cmocka_unit_test(what_is_no_size_or_exponent_is_refused),
		cmocka_unit_test(a_generation_ends_when_told_to),
		cmocka_unit_test(a_key_is_made_of_either_prime),
		cmocka_unit_test(a_prime_that_does_not_belong_is_refused),
		cmocka_unit_test(numbers_not_below_n_are_refused),
		cmocka_unit_test(a_faulty_result_does_not_leave),
		cmocka_unit_test(rsassa_agrees_with_openssl),
		cmocka_unit_test(pss_signatures_verify_both_ways),
		cmocka_unit_test(changed_signatures_are_refused),
		cmocka_unit_test(a_digest_of_another_size_is_refused),
		cmocka_unit_test(wrong_encodings_of_signatures_are_refused),
		cmocka_unit_test(rsaes_agrees_with_openssl),
		cmocka_unit_test(oaep_agrees_with_openssl),
		cmocka_unit_test(wrong_paddings_are_all_the_same),
	};

	return cmocka_run_group_tests(tests, make_keys, forget_keys);
}
