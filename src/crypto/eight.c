/*
 * Montgomery's multiplication in the lanes of vectors: eight.h, vectors.h. Vector j of a row
 * holds the j-th limb of eight numbers.
 *
 * Nothing but the size decides about time and addresses.
 */
#include "crypto/eight.h"

#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "crypto/vectors.h"
#include "crypto/wolf.h"

#ifdef HAS_VECTORS

#include <immintrin.h>

/* The compiler sees the end, and keeps arrays in registers. */
#ifdef __clang__
#define EACH(i, count) _Pragma("unroll") for (size_t i = 0; i < (count); i++)
#else
#define EACH(i, count) _Pragma("GCC unroll 10") for (size_t i = 0; i < (count); i++)
#endif

enum {
	MOST = 40, /* limbs of a number of 2048 bits */
	BLOCK = 5, /* divides the limbs of every size */
};

struct eight {
	__m512i x[MOST], m[MOST];
	__m512i n0;          /* -m^-1 mod 2^52 */
	__m512i t[2 * MOST]; /* a product */
};

/* Limbs of up to 63 bits become limbs of 52. */
INLINE void carry(__m512i *x, const __m512i *from, __m512i into, size_t limbs)
{
	const __m512i mask = _mm512_set1_epi64((long long)LIMB_MASK);

	for (size_t j = 0; j < limbs; j++) {
		const __m512i sum = _mm512_add_epi64(from[j], into);

		x[j] = _mm512_and_si512(sum, mask);
		into = _mm512_srli_epi64(sum, LIMB_BITS);
	}
}

/* t += a * b, of BLOCK limbs each: what is in registers at a time. */
INLINE void add_product(__m512i *t, const __m512i *a, const __m512i *b)
{
	__m512i sum[2 * BLOCK];

	EACH(i, 2 * BLOCK) sum[i] = t[i];
	EACH(i, BLOCK)
	EACH(j, BLOCK)
	{
		sum[i + j] = _mm512_madd52lo_epu64(sum[i + j], a[i], b[j]);
		sum[i + j + 1] = _mm512_madd52hi_epu64(sum[i + j + 1], a[i], b[j]);
	}
	EACH(i, 2 * BLOCK) t[i] = sum[i];
}

/* t = x * x. Products of different blocks come twice, and are made once. */
INLINE void square(struct eight *e, size_t limbs)
{
	for (size_t i = 0; i < 2 * limbs; i++)
		e->t[i] = _mm512_setzero_si512();
	for (size_t i = 0; i < limbs; i += BLOCK)
		for (size_t j = i + BLOCK; j < limbs; j += BLOCK)
			add_product(e->t + i + j, e->x + i, e->x + j);
	for (size_t i = 0; i < 2 * limbs; i++)
		e->t[i] = _mm512_slli_epi64(e->t[i], 1);
	for (size_t i = 0; i < limbs; i += BLOCK)
		add_product(e->t + 2 * i, e->x + i, e->x + i);
}

/* The q for which t + q * m ends in BLOCK limbs of 0, and the product with the lowest limbs of m;
 * `over` is what those limbs carry, as they came and as they went. */
INLINE void find_q(__m512i q[BLOCK], __m512i *t, const struct eight *e, __m512i *over)
{
	__m512i sum[2 * BLOCK];

	EACH(i, 2 * BLOCK) sum[i] = t[i];
	EACH(i, BLOCK)
	{
		sum[i] = _mm512_add_epi64(sum[i], *over);
		q[i] = _mm512_madd52lo_epu64(_mm512_setzero_si512(), sum[i], e->n0);
		EACH(j, BLOCK)
		{
			sum[i + j] = _mm512_madd52lo_epu64(sum[i + j], e->m[j], q[i]);
			sum[i + j + 1] = _mm512_madd52hi_epu64(sum[i + j + 1], e->m[j], q[i]);
		}
		*over = _mm512_srli_epi64(sum[i], LIMB_BITS);
	}
	EACH(i, BLOCK) t[BLOCK + i] = sum[BLOCK + i];
}

/* x = t / R', from the bottom, a block at a time. */
INLINE void reduce(struct eight *e, size_t limbs)
{
	__m512i over = _mm512_setzero_si512(), q[BLOCK];

	for (size_t i = 0; i < limbs; i += BLOCK) {
		find_q(q, e->t + i, e, &over);
		for (size_t j = BLOCK; j < limbs; j += BLOCK)
			add_product(e->t + i + j, q, e->m + j);
	}
	carry(e->x, e->t + limbs, over, limbs);
}

/* x = x * 2^count. */
INLINE void shift(struct eight *e, __m512i count, size_t limbs)
{
	for (size_t j = 0; j < limbs; j++)
		e->x[j] = _mm512_sllv_epi64(e->x[j], count);
	carry(e->x, e->x, _mm512_setzero_si512(), limbs);
}

/* ---- the test ---- */

/* Up to three bits of m - 1, from bit `at` on. */
static uint64_t bits_below(const uint64_t *m, size_t at, size_t count)
{
	const size_t word = at / 64, shift = at % 64;
	uint64_t bits = m[word] >> shift;

	if (shift + count > 64)
		bits |= m[word + 1] << (64 - shift);
	return at ? bits & ((1u << count) - 1) : bits & 6; /* m is odd */
}

/* m, and R' mod m, which is 1. */
VECTORS static void begin(struct eight *e, const struct number_batch *m, size_t words)
{
	uint64_t limbs[MOST][LANES], ones[MOST][LANES], n0[LANES];

	for (size_t lane = 0; lane < LANES; lane++) {
		uint64_t one[NUMBER_MAX_HALF_WORDS];
		struct modulus modulus;

		modulus_begin_light(&modulus, m->at[lane], words);
		n0[lane] = modulus.n0 & LIMB_MASK;
		modulus_one(&modulus, one);
		for (size_t i = 0; i < words; i++)
			modulus_twice(&modulus, one);
		for (size_t j = 0; j < limbs_of(words); j++) {
			limbs[j][lane] = limb_at(m->at[lane], words, j);
			ones[j][lane] = limb_at(one, words, j);
		}
	}
	memcpy(e->m, limbs, limbs_of(words) * sizeof *limbs);
	memcpy(e->x, ones, limbs_of(words) * sizeof *ones);
	memcpy(&e->n0, n0, sizeof n0);
	cvtpm_wipe(limbs, sizeof limbs);
	cvtpm_wipe(ones, sizeof ones);
}

/* Whether x / R' = 1 modulo m. It is at most m, for x is less than R': one number to compare. */
INLINE unsigned is_one(struct eight *e, size_t limbs)
{
	__m512i difference;

	memcpy(e->t, e->x, limbs * sizeof *e->t);
	memset(e->t + limbs, 0, limbs * sizeof *e->t);
	reduce(e, limbs);
	difference = _mm512_xor_si512(e->x[0], _mm512_set1_epi64(1));
	for (size_t j = 1; j < limbs; j++)
		difference = _mm512_or_si512(difference, e->x[j]);
	return _mm512_cmpeq_epi64_mask(difference, _mm512_setzero_si512());
}

/* Three bits of the exponent at a time: a product with up to 2^7 is a shift, for which R' has
 * room, and three squarings later it is less than 2m again. */
INLINE unsigned test(struct eight *e, const struct number_batch *m, size_t words, size_t limbs)
{
	const size_t bits = 64 * words;

	begin(e, m, words);
	for (size_t at = bits, count = bits % 3 ? bits % 3 : 3; at; count = 3) {
		uint64_t window[LANES];

		for (size_t i = 0; i < count && at < bits; i++) {
			square(e, limbs);
			reduce(e, limbs);
		}
		at -= count;
		for (size_t lane = 0; lane < LANES; lane++)
			window[lane] = bits_below(m->at[lane], at, count);
		shift(e, _mm512_loadu_si512(window), limbs);
	}
	return is_one(e, limbs);
}

VECTORS static unsigned test_1024(struct eight *e, const struct number_batch *m)
{
	return test(e, m, 16, 20);
}

VECTORS static unsigned test_1536(struct eight *e, const struct number_batch *m)
{
	return test(e, m, 24, 30);
}

VECTORS static unsigned test_2048(struct eight *e, const struct number_batch *m)
{
	return test(e, m, 32, 40);
}

VECTORS unsigned eight_fermat_2(const struct number_batch *m, size_t words)
{
	struct eight e;
	const unsigned passed = words == 16   ? test_1024(&e, m)
				: words == 24 ? test_1536(&e, m)
					      : test_2048(&e, m);

	cvtpm_wipe(&e, sizeof e);
	return passed;
}

#endif
