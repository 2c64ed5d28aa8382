/*
 * Montgomery's multiplication in vectors: pair.h.
 *
 * A number is a row of limbs of 52 bits, eight to a vector: 20, 30 or 40 limbs for a modulus
 * m of 1024, 1536 or 2048 bits, and then zeros. R' = 2^(52 * limbs) is at least 2^16 times as
 * large as m, so a product of numbers less than 2m, divided by R', is less than 2m again and
 * nothing has to be subtracted on the way (Gueron, Krasnov: "Software implementation of
 * modular exponentiation, using advanced vector instructions architectures", 2012).
 *
 * Nothing but the size decides about time and addresses.
 */
#include "crypto/pair.h"

#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "crypto/wolf.h"

#ifdef HAS_PAIR

#include <immintrin.h>

/* Every function that uses vectors: this file is compiled for all CPUs. */
#define VECTORS __attribute__((target("avx512f,avx512ifma")))
#define INLINE  VECTORS static inline __attribute__((always_inline))

#define LIMB_BITS 52
#define LIMB_MASK ((1ull << LIMB_BITS) - 1)

/* The compiler sees the number of vectors, and keeps them in registers. */
#ifdef __clang__
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED _Pragma("GCC unroll 5")
#endif
#define EACH_VECTOR(i) UNROLLED for (size_t i = 0; i < vectors; i++)

enum {
	LANES = 8,  /* limbs in a vector */
	MOST = 5,   /* vectors of a number of 2048 bits */
	WINDOW = 4, /* bits of an exponent at a time */
	POWERS = 1 << WINDOW,
};

struct limbs {
	__m512i v[MOST]; /* of a number of fewer, only those */
};

/* One modulus of the two. */
struct half {
	struct limbs m;
	__m512i n0; /* -m^-1 mod 2^52, in each lane */
};

/* 20, 30, 40 for 16, 24, 32 words. */
static size_t limbs_of(size_t words)
{
	return words * 5 / 4;
}

/* ---- between words and limbs ---- */

VECTORS static void from_words(struct limbs *r, const uint64_t *a, size_t words)
{
	uint64_t limb[LANES * MOST] = {0};

	for (size_t i = 0; i < limbs_of(words); i++) {
		const size_t word = i * LIMB_BITS / 64, shift = i * LIMB_BITS % 64;

		limb[i] = word < words ? a[word] >> shift : 0;
		if (shift > 64 - LIMB_BITS && word + 1 < words)
			limb[i] |= a[word + 1] << (64 - shift);
		limb[i] &= LIMB_MASK;
	}
	memcpy(r, limb, sizeof limb);
	cvtpm_wipe(limb, sizeof limb);
}

/* Gives what does not fit the words. */
VECTORS static uint64_t to_words(uint64_t *r, const struct limbs *a, size_t words)
{
	uint64_t limb[LANES * MOST];
	number_wide sum = 0;
	unsigned have = 0;
	size_t word = 0;

	memcpy(limb, a, sizeof limb);
	for (size_t i = 0; i < limbs_of(words); i++) {
		sum |= (number_wide)limb[i] << have;
		have += LIMB_BITS;
		if (have >= 64 && word < words) {
			r[word++] = (uint64_t)sum;
			sum >>= 64;
			have -= 64;
		}
	}
	cvtpm_wipe(limb, sizeof limb);
	return (uint64_t)sum;
}

/* ---- the product ---- */

/* Limbs of up to 60 bits become limbs of 52. */
INLINE void carry(__m512i v[MOST], size_t vectors)
{
	const __m512i mask = _mm512_set1_epi64((long long)LIMB_MASK);
	const __m512i zero = _mm512_setzero_si512();
	__m512i high[MOST];
	uint64_t over = 0, full = 0;

	EACH_VECTOR(i)
	{
		high[i] = _mm512_srli_epi64(v[i], LIMB_BITS);
		v[i] = _mm512_and_si512(v[i], mask);
	}
	UNROLLED for (size_t i = vectors; i-- > 0;) v[i] =
		_mm512_add_epi64(v[i], _mm512_alignr_epi64(high[i], i ? high[i - 1] : zero, 7));
	/* Now each passes on 1 at most: one addition of bits finds who gets it. */
	EACH_VECTOR(i)
	{
		over |= (uint64_t)_mm512_cmpgt_epu64_mask(v[i], mask) << LANES * i;
		full |= (uint64_t)_mm512_cmpeq_epu64_mask(v[i], mask) << LANES * i;
	}
	over = ((over << 1) + full) ^ full;
	EACH_VECTOR(i)
	{
		const __mmask8 gets = (__mmask8)(over >> LANES * i);

		v[i] = _mm512_mask_sub_epi64(v[i], gets, v[i], _mm512_set1_epi64(-1));
		v[i] = _mm512_and_si512(v[i], mask);
	}
}

/*
 * With the limb b of the other factor: (sum + q * m) / 2^52 + the upper halves of a * b, with the
 * q that makes the sum whole. The lower halves of a * b are in it already, and those of a * next
 * are added: nothing of this waits for q, which is what everything else waits for.
 */
INLINE void step(__m512i sum[MOST], const __m512i a[MOST], const struct half *half, __m512i b,
		 __m512i next, size_t vectors)
{
	const __m512i zero = _mm512_setzero_si512();
	const __m512i lowest = _mm512_broadcastq_epi64(_mm512_castsi512_si128(sum[0]));
	const __m512i q = _mm512_madd52lo_epu64(zero, lowest, half->n0);
	__m512i more[MOST];

	EACH_VECTOR(i)
	{
		more[i] = _mm512_madd52lo_epu64(zero, a[i], next);
		more[i] = _mm512_madd52hi_epu64(more[i], a[i], b);
		more[i] = _mm512_madd52hi_epu64(more[i], half->m.v[i], q);
		sum[i] = _mm512_madd52lo_epu64(sum[i], half->m.v[i], q);
	}
	/* The lowest limb is 0 but for what it carries. */
	more[0] = _mm512_add_epi64(more[0], _mm512_maskz_srli_epi64(1, sum[0], LIMB_BITS));
	EACH_VECTOR(i)
	sum[i] = _mm512_add_epi64(
		more[i], _mm512_alignr_epi64(i + 1 < vectors ? sum[i + 1] : zero, sum[i], 1));
}

/* r = a * b / R', of both; each may be any other. */
INLINE void multiply(const struct half half[2], struct limbs r[2], const struct limbs a[2],
		     const struct limbs b[2], size_t limbs, size_t vectors)
{
	const long long *const left = (const long long *)&b[0], *const right =
									(const long long *)&b[1];
	__m512i x = _mm512_set1_epi64(left[0]), y = _mm512_set1_epi64(right[0]);
	__m512i s[MOST], t[MOST];

	EACH_VECTOR(i)
	{
		s[i] = _mm512_madd52lo_epu64(_mm512_setzero_si512(), a[0].v[i], x);
		t[i] = _mm512_madd52lo_epu64(_mm512_setzero_si512(), a[1].v[i], y);
	}
	for (size_t i = 1; i <= limbs; i++) {
		const __m512i next_x = _mm512_set1_epi64(i < limbs ? left[i] : 0);
		const __m512i next_y = _mm512_set1_epi64(i < limbs ? right[i] : 0);

		step(s, a[0].v, &half[0], x, next_x, vectors);
		step(t, a[1].v, &half[1], y, next_y, vectors);
		x = next_x;
		y = next_y;
	}
	carry(s, vectors);
	carry(t, vectors);
	EACH_VECTOR(i)
	{
		r[0].v[i] = s[i];
		r[1].v[i] = t[i];
	}
}

/* x = x * 2^count. */
INLINE void shift(struct limbs *x, uint64_t count, size_t vectors)
{
	const __m128i bits = _mm_cvtsi64_si128((long long)count);

	EACH_VECTOR(i)
	x->v[i] = _mm512_sll_epi64(x->v[i], bits);
	carry(x->v, vectors);
}

/* r = the power with each half's index; all are read. */
INLINE void choose(struct limbs r[2], struct limbs powers[POWERS][2], const uint64_t index[2],
		   size_t vectors)
{
	for (size_t h = 0; h < 2; h++) {
		__m512i sum[MOST];

		EACH_VECTOR(k)
		sum[k] = _mm512_setzero_si512();
		for (uint64_t i = 0; i < POWERS; i++) {
			const __m512i mask =
				_mm512_set1_epi64((long long)(0 - (((i ^ index[h]) - 1) >> 63)));

			EACH_VECTOR(k)
			sum[k] = _mm512_or_si512(sum[k], _mm512_and_si512(powers[i][h].v[k], mask));
		}
		EACH_VECTOR(k)
		r[h].v[k] = sum[k];
	}
}

/* ---- one set of functions for each size ---- */

struct functions {
	void (*multiply)(const struct half half[2], struct limbs r[2], const struct limbs a[2],
			 const struct limbs b[2]);
	void (*shift)(struct limbs *x, uint64_t count);
	void (*choose)(struct limbs r[2], struct limbs powers[POWERS][2], const uint64_t index[2]);
};

#define SIZE(bits, limb_count, vectors)                                                            \
	VECTORS static void multiply_##bits(const struct half half[2], struct limbs r[2],          \
					    const struct limbs a[2], const struct limbs b[2])      \
	{                                                                                          \
		multiply(half, r, a, b, limb_count, vectors);                                      \
	}                                                                                          \
	VECTORS static void shift_##bits(struct limbs *x, uint64_t count)                          \
	{                                                                                          \
		shift(x, count, vectors);                                                          \
	}                                                                                          \
	VECTORS static void choose_##bits(struct limbs r[2], struct limbs powers[POWERS][2],       \
					  const uint64_t index[2])                                 \
	{                                                                                          \
		choose(r, powers, index, vectors);                                                 \
	}                                                                                          \
	static const struct functions functions_##bits = {multiply_##bits, shift_##bits,           \
							  choose_##bits}

SIZE(1024, 20, 3);
SIZE(1536, 30, 4);
SIZE(2048, 40, 5);

/* ---- exponentiation ---- */

struct both {
	const struct functions *call;
	struct half half[2];
	size_t words;
};

VECTORS static void begin(struct both *b, const struct modulus *const modulus[2])
{
	b->words = modulus[0]->words;
	b->call = b->words == 16   ? &functions_1024
		  : b->words == 24 ? &functions_1536
				   : &functions_2048;
	for (size_t h = 0; h < 2; h++) {
		from_words(&b->half[h].m, modulus[h]->m, b->words);
		b->half[h].n0 = _mm512_set1_epi64((long long)(modulus[h]->n0 & LIMB_MASK));
	}
}

VECTORS static void product(const struct both *b, struct limbs r[2], const struct limbs x[2],
			    const struct limbs y[2])
{
	b->call->multiply(b->half, r, x, y);
}

/* R * 2^doublings mod m, where R = 2^(64 * words), for both. */
VECTORS static void powers_of_2(struct limbs r[2], const struct modulus *const modulus[2],
				size_t doublings)
{
	uint64_t a[NUMBER_MAX_HALF_WORDS];

	for (size_t h = 0; h < 2; h++) {
		modulus_one(modulus[h], a);
		for (size_t i = 0; i < doublings; i++)
			modulus_twice(modulus[h], a);
		from_words(&r[h], a, modulus[h]->words);
	}
	cvtpm_wipe(a, sizeof a);
}

/* From Montgomery's form for R' to that for R, less than m: x * R / R' is less than 2m. */
VECTORS static void leave(const struct both *b, const struct modulus *const modulus[2],
			  uint64_t *const r[2], const struct limbs x[2])
{
	struct limbs y[2];

	powers_of_2(y, modulus, 0);
	product(b, y, x, y);
	for (size_t h = 0; h < 2; h++) {
		const uint64_t *m = modulus[h]->m;
		const uint64_t above = to_words(r[h], &y[h], b->words);

		number_sub_masked(r[h], m, (0 - above) | ~number_less(r[h], m, b->words), b->words);
	}
	cvtpm_wipe(y, sizeof y);
}

/* a * R becomes a * R' by a product with R' * (R' / R), and R' / R is 2^words. */
VECTORS void pair_exp(const struct modulus *const modulus[2], uint64_t *const r[2],
		      const uint64_t *const a[2], const uint64_t *const e[2])
{
	struct limbs powers[POWERS][2], x[2], y[2];
	struct both b;

	begin(&b, modulus);
	powers_of_2(y, modulus, 2 * b.words);
	powers_of_2(x, modulus, 0);
	product(&b, powers[0], x, y);
	for (size_t h = 0; h < 2; h++)
		from_words(&x[h], a[h], b.words);
	product(&b, powers[1], x, y);
	for (size_t i = 2; i < POWERS; i++)
		product(&b, powers[i], powers[i / 2], powers[i - i / 2]);

	memcpy(x, powers[0], sizeof x);
	for (size_t at = 64 * b.words; at;) {
		at -= WINDOW;
		const uint64_t index[2] = {e[0][at / 64] >> at % 64 & (POWERS - 1),
					   e[1][at / 64] >> at % 64 & (POWERS - 1)};

		for (int i = 0; i < WINDOW; i++)
			product(&b, x, x, x);
		b.call->choose(y, powers, index);
		product(&b, x, x, y);
	}
	leave(&b, modulus, r, x);
	cvtpm_wipe(powers, sizeof powers);
	cvtpm_wipe(x, sizeof x);
	cvtpm_wipe(y, sizeof y);
	cvtpm_wipe(&b, sizeof b);
}

/* Up to three bits of m - 1, from bit `at` on. */
static uint64_t bits_below(const struct modulus *modulus, size_t at, size_t count)
{
	const size_t word = at / 64, shift = at % 64;
	uint64_t bits = modulus->m[word] >> shift;

	if (shift + count > 64)
		bits |= modulus->m[word + 1] << (64 - shift);
	return at ? bits & ((1u << count) - 1) : bits & 6; /* m is odd */
}

/* Three bits of the exponent at a time: a product with 2^7 is a shift, for which R' has room,
 * and three squarings later it is less than 2m again. */
VECTORS void pair_fermat_2(const struct modulus *const modulus[2], bool passed[2])
{
	uint64_t left[NUMBER_MAX_HALF_WORDS], right[NUMBER_MAX_HALF_WORDS];
	uint64_t *const out[2] = {left, right};
	const size_t bits = 64 * modulus[0]->words;
	struct limbs x[2];
	struct both b;

	begin(&b, modulus);
	powers_of_2(x, modulus, b.words); /* 1 */
	for (size_t at = bits, count = bits % 3 ? bits % 3 : 3; at; count = 3) {
		for (size_t i = 0; i < count && at < bits; i++)
			product(&b, x, x, x);
		at -= count;
		for (size_t h = 0; h < 2; h++)
			b.call->shift(&x[h], bits_below(modulus[h], at, count));
	}
	leave(&b, modulus, out, x);
	for (size_t h = 0; h < 2; h++) {
		uint64_t one[NUMBER_MAX_HALF_WORDS];

		modulus_one(modulus[h], one);
		passed[h] = number_equal(out[h], one, b.words);
	}
	cvtpm_wipe(left, sizeof left);
	cvtpm_wipe(right, sizeof right);
	cvtpm_wipe(x, sizeof x);
	cvtpm_wipe(&b, sizeof b);
}

/* ---- whether ---- */

static void cpuid_ask(uint32_t leaf, uint32_t *ebx, uint32_t *ecx)
{
	uint32_t eax = leaf, edx;

	*ecx = 0;
	__asm__("cpuid" : "+a"(eax), "=b"(*ebx), "+c"(*ecx), "=d"(edx));
}

/* XCR0: the system keeps all vector registers. */
static bool system_keeps_vectors(void)
{
	const uint32_t all = 0xE6; /* SSE, AVX, masks, upper halves, upper registers */
	uint32_t low, high;

	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & all) == all;
}

static bool cpu_offers(void)
{
	const uint32_t osxsave = 1u << 27, avx512f = 1u << 16, ifma = 1u << 21;
	uint32_t ebx, ecx;

	cpuid_ask(1, &ebx, &ecx);
	if (!(ecx & osxsave) || !system_keeps_vectors())
		return false;
	cpuid_ask(7, &ebx, &ecx);
	return (ebx & avx512f) && (ebx & ifma);
}

bool pair_is_offered(void)
{
	if (!(cpuid_get_flags() & PAIR_FLAG_ASKED))
		cpuid_set_flag(PAIR_FLAG_ASKED | (cpu_offers() ? PAIR_FLAG_OFFERED : 0));
	return cpuid_get_flags() & PAIR_FLAG_OFFERED;
}

#endif
