/* Exponentiation with AVX-512's IFMA, with MULX and ADX, and with neither: each as OpenSSL has it,
 * and the same keys from all. What this CPU lacks is skipped. */
#include "crypto/kdf.h"
#include "crypto/number.h"
#include "crypto/pair.h"
#include "crypto/rsa.h"
#include "crypto/wolf.h"

#include <openssl/bn.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 20

enum way { IFMA, MULX, PLAIN };

#ifdef HAS_PAIR

static word32 flags; /* of this CPU */

static int look_at_cpu(void **state)
{
	(void)state;
	(void)pair_is_offered();
	flags = cpuid_get_flags();
	return 0;
}

static int restore_flags(void **state)
{
	(void)state;
	cpuid_select_flags(flags);
	return 0;
}

static void take_way(enum way way)
{
	cpuid_select_flags(flags);
	if (way == IFMA && !pair_is_offered())
		skip();
	if (way == MULX && !has_mulx())
		skip();
	if (way != IFMA)
		cpuid_clear_flag(PAIR_FLAG_OFFERED);
	if (way == PLAIN)
		cpuid_clear_flag(CPUID_BMI2);
	assert_true(pair_is_offered() == (way == IFMA));
	assert_true(way == IFMA || has_mulx() == (way == MULX));
}

#else

static int look_at_cpu(void **state)
{
	(void)state;
	return 0;
}

static int restore_flags(void **state)
{
	(void)state;
	return 0;
}

/* The installed library shows no assembler: there is our arithmetic in C. */
static void take_way(enum way way)
{
	if (way != PLAIN)
		skip();
}

#endif

/* ---- numbers ---- */

static const size_t sizes[] = {16, 24, 32};

/* Numbers that carry far, or not at all, are as frequent as others. */
static void draw(uint64_t *a, size_t words)
{
	BIGNUM *n = BN_new();
	uint8_t bytes[8 * NUMBER_MAX_HALF_WORDS];

	assert_int_equal(BN_rand(n, (int)(64 * words), BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY), 1);
	assert_int_equal(BN_bn2binpad(n, bytes, (int)(8 * words)), (int)(8 * words));
	number_from_bytes(a, words, bytes);
	BN_free(n);
	for (size_t i = 0; i < words; i++)
		if (a[i] % 4 == 0)
			a[i] = a[i] % 8 ? UINT64_MAX : 0;
}

static BIGNUM *big(const uint64_t *a, size_t words)
{
	uint8_t bytes[8 * NUMBER_MAX_HALF_WORDS];

	number_to_bytes(a, words, bytes);
	return BN_bin2bn(bytes, (int)(8 * words), NULL);
}

struct problem {
	uint64_t m[NUMBER_MAX_HALF_WORDS], a[NUMBER_MAX_HALF_WORDS], e[NUMBER_MAX_HALF_WORDS];
	struct modulus modulus;
};

/* `kind` 0 to 3 are the ends of what a number can be. */
static void pose(struct problem *p, size_t words, int kind)
{
	draw(p->m, words);
	draw(p->a, words);
	draw(p->e, words);
	if (kind == 0) { /* the largest modulus, and almost as large a base */
		memset(p->m, 0xFF, sizeof p->m);
		memset(p->a, 0xFF, sizeof p->a);
		p->a[0] -= 1;
		memset(p->e, 0xFF, sizeof p->e);
	} else if (kind == 1) { /* the smallest modulus */
		memset(p->m, 0, sizeof p->m);
	} else if (kind == 2) {
		memset(p->e, 0, sizeof p->e);
	} else if (kind == 3) {
		memset(p->a, 0, sizeof p->a);
	}
	p->m[0] |= 1;
	p->m[words - 1] |= 1ull << 63;
	modulus_begin(&p->modulus, p->m, words);
	modulus_normalise(&p->modulus, p->a);
}

static void check(const struct problem *p, uint64_t *r)
{
	const size_t words = p->modulus.words;
	BIGNUM *m = big(p->m, words), *a = big(p->a, words), *e = big(p->e, words);
	BIGNUM *wanted = BN_new(), *got;
	BN_CTX *context = BN_CTX_new();

	assert_int_equal(BN_mod_exp(wanted, a, e, m, context), 1);
	modulus_leave(&p->modulus, r, r);
	got = big(r, words);
	assert_int_equal(BN_cmp(got, wanted), 0);
	BN_free(m);
	BN_free(a);
	BN_free(e);
	BN_free(wanted);
	BN_free(got);
	BN_CTX_free(context);
}

static void powers_are_openssls(enum way way)
{
	struct problem left, right;
	uint64_t x[NUMBER_MAX_HALF_WORDS], y[NUMBER_MAX_HALF_WORDS], z[NUMBER_MAX_HALF_WORDS];

	take_way(way);
	for (size_t size = 0; size < 3; size++)
		for (int i = 0; i < ROUNDS; i++) {
			pose(&left, sizes[size], i);
			pose(&right, sizes[size], ROUNDS - 1 - i);
			modulus_enter(&left.modulus, x, left.a);
			modulus_enter(&right.modulus, y, right.a);
			modulus_exp(&left.modulus, z, x, left.e);
			modulus_exp_pair((const struct modulus *[2]){&left.modulus, &right.modulus},
					 (uint64_t *[2]){x, y}, (const uint64_t *[2]){x, y},
					 (const uint64_t *[2]){left.e, right.e});
			check(&left, x);
			check(&right, y);
			check(&left, z);
		}
}

static void powers_with_ifma(void **state)
{
	(void)state;
	powers_are_openssls(IFMA);
}

static void powers_with_mulx(void **state)
{
	(void)state;
	powers_are_openssls(MULX);
}

static void powers_without(void **state)
{
	(void)state;
	powers_are_openssls(PLAIN);
}

/* ---- the Fermat test ---- */

static void draw_prime(uint64_t *a, size_t words)
{
	uint8_t bytes[8 * NUMBER_MAX_HALF_WORDS];
	BIGNUM *n = BN_new();

	assert_int_equal(BN_generate_prime_ex(n, (int)(64 * words), 0, NULL, NULL, NULL), 1);
	BN_bn2binpad(n, bytes, (int)(8 * words));
	number_from_bytes(a, words, bytes);
	BN_free(n);
}

static bool fermat_by_openssl(const uint64_t *m, size_t words)
{
	BIGNUM *n = big(m, words), *e = BN_dup(n), *two = BN_new(), *r = BN_new();
	BN_CTX *context = BN_CTX_new();

	BN_set_word(two, 2);
	BN_sub_word(e, 1);
	assert_int_equal(BN_mod_exp(r, two, e, n, context), 1);
	const bool passed = BN_is_one(r);

	BN_free(n);
	BN_free(e);
	BN_free(two);
	BN_free(r);
	BN_CTX_free(context);
	return passed;
}

static void first_is_found(enum way way)
{
	static uint64_t numbers[4][NUMBER_MAX_HALF_WORDS];
	struct modulus moduli[4];

	take_way(way);
	for (size_t size = 0; size < 2; size++) { /* OpenSSL takes seconds for the third */
		const size_t words = sizes[size];

		draw_prime(numbers[0], words);
		draw_prime(numbers[1], words);
		memset(numbers[2], 0xFF, sizeof numbers[2]); /* 3 divides it */
		memcpy(numbers[3], numbers[0], sizeof numbers[3]);
		numbers[3][0] ^= 8;
		for (int i = 0; i < 4; i++)
			modulus_begin_light(&moduli[i], numbers[i], words);
		for (int i = 0; i < 4; i++)
			for (int k = 0; k < 4; k++) {
				const struct modulus *const pair[2] = {&moduli[i], &moduli[k]};
				const size_t wanted = fermat_by_openssl(numbers[i], words)   ? 0
						      : fermat_by_openssl(numbers[k], words) ? 1
											     : 2;

				assert_int_equal(modulus_first_fermat_2(pair), wanted);
			}
	}
}

static void primes_with_ifma(void **state)
{
	(void)state;
	first_is_found(IFMA);
}

static void primes_with_mulx(void **state)
{
	(void)state;
	first_is_found(MULX);
}

static void primes_without(void **state)
{
	(void)state;
	first_is_found(PLAIN);
}

/* ---- keys ---- */

static void make_key(struct cvtpm_rsa_key *key)
{
	struct cvtpm_stream stream;

	assert_int_equal(cvtpm_stream_begin(&stream, CVTPM_STREAM_VERSION, CVTPM_TEXT("seed"),
					    CVTPM_TEXT("one"), CVTPM_TEXT("key")),
			 0);
	const struct cvtpm_source source = cvtpm_stream_source(&stream);

	assert_int_equal(cvtpm_rsa_generate(2048, 65537, &source, NULL, NULL, key), 0);
}

static void all_ways_make_the_same_key(void **state)
{
	static struct cvtpm_rsa_key one, other;

	(void)state;
	take_way(PLAIN);
	make_key(&one);
	restore_flags(NULL);
	make_key(&other);
	assert_memory_equal(&one, &other, sizeof one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(powers_with_ifma),
		cmocka_unit_test(powers_with_mulx),
		cmocka_unit_test(powers_without),
		cmocka_unit_test(primes_with_ifma),
		cmocka_unit_test(primes_with_mulx),
		cmocka_unit_test(primes_without),
		cmocka_unit_test(all_ways_make_the_same_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, look_at_cpu, restore_flags);
}
