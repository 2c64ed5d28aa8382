#include "crypto/number.h"
#include "crypto/wolf.h"

/* Exponents are read in windows of five bits; the powers of the base that belong to them. */
enum { WINDOW = 5, POWERS = 1 << WINDOW };
struct powers {
	uint64_t *at[POWERS]; /* of `words` each, one behind the other */
};

#ifndef CVTPM_WOLFSSL_PACKAGED

/* wolfCrypt's assembler functions (sp_x86_64_asm.S): r = a * b, r = a * a, the
 * Montgomery reduction of a number of twice the words in place, and the choice of one
 * of 32 numbers that reads them all. */
#define DECLARE(bits, words)                                                                       \
	void sp_##bits##_mul_##words(uint64_t *r, const uint64_t *a, const uint64_t *b);           \
	void sp_##bits##_sqr_##words(uint64_t *r, const uint64_t *a);                              \
	void sp_##bits##_mont_reduce_##words(uint64_t *a, const uint64_t *m, uint64_t n0);

DECLARE(2048, 16)
DECLARE(3072, 24)
DECLARE(2048, 32)
DECLARE(3072, 48)
DECLARE(4096, 64)
void sp_2048_get_from_table_16(uint64_t *r, uint64_t **table, int index);
void sp_3072_get_from_table_24(uint64_t *r, uint64_t **table, int index);

/* The variants for CPUs that have MULX and ADX; not in a build without AVX. */
#ifdef HAVE_INTEL_AVX2
DECLARE(2048, avx2_16)
DECLARE(3072, avx2_24)
DECLARE(2048, avx2_32)
DECLARE(3072, avx2_48)
DECLARE(4096, avx2_64)
void sp_2048_get_from_table_avx2_16(uint64_t *r, uint64_t **table, int index);
void sp_3072_get_from_table_avx2_24(uint64_t *r, uint64_t **table, int index);

#define CALL(mulx, bits, what, words, ...)                                                         \
	((mulx) ? sp_##bits##_##what##_avx2_##words : sp_##bits##_##what##_##words)(__VA_ARGS__)
#else
#define CALL(mulx, bits, what, words, ...) ((void)(mulx), sp_##bits##_##what##_##words(__VA_ARGS__))
#endif

#define FOR_EACH_SIZE(words, mulx, what, ...)                                                      \
	do {                                                                                       \
		if ((words) == 16)                                                                 \
			CALL(mulx, 2048, what, 16, __VA_ARGS__);                                   \
		else if ((words) == 24)                                                            \
			CALL(mulx, 3072, what, 24, __VA_ARGS__);                                   \
		else if ((words) == 32)                                                            \
			CALL(mulx, 2048, what, 32, __VA_ARGS__);                                   \
		else if ((words) == 48)                                                            \
			CALL(mulx, 3072, what, 48, __VA_ARGS__);                                   \
		else                                                                               \
			CALL(mulx, 4096, what, 64, __VA_ARGS__);                                   \
	} while (0)

static void product(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t words, bool mulx)
{
	FOR_EACH_SIZE(words, mulx, mul, r, a, b);
}

static void square(uint64_t *r, const uint64_t *a, size_t words, bool mulx)
{
	FOR_EACH_SIZE(words, mulx, sqr, r, a);
}

static void reduce(uint64_t *a, const struct modulus *modulus)
{
	FOR_EACH_SIZE(modulus->words, modulus->mulx, mont_reduce, a, modulus->m, modulus->n0);
}

/* r = the power with this index. What time and addresses depend on is `words` alone. */
static void select(uint64_t *r, struct powers *powers, uint64_t index, size_t words, bool mulx)
{
	struct powers upper;

	if (words == 24) {
		CALL(mulx, 3072, get_from_table, 24, r, powers->at, (int)index);
		return;
	}
	CALL(mulx, 2048, get_from_table, 16, r, powers->at, (int)index);
	if (words == 16)
		return;
	/* There is a function for 64 numbers of 32 words, none for 32 of them. */
	for (size_t i = 0; i < POWERS; i++)
		upper.at[i] = powers->at[i] + 16;
	CALL(mulx, 2048, get_from_table, 16, r + 16, upper.at, (int)index);
}

#else

/* The installed library does not show its assembler: the same in C. */
/* r[0 .. words] += a * b; gives the word that comes in at the top. */
static uint64_t add_product(uint64_t *r, const uint64_t *a, uint64_t b, size_t words)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < words; i++) {
		const number_wide sum = (number_wide)a[i] * b + r[i] + carry;

		r[i] = (uint64_t)sum;
		carry = (uint64_t)(sum >> 64);
	}
	return carry;
}

static void product(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t words, bool mulx)
{
	(void)mulx;
	memset(r, 0, 2 * words * sizeof *r);
	for (size_t i = 0; i < words; i++)
		r[words + i] = add_product(r + i, a, b[i], words);
}

static void square(uint64_t *r, const uint64_t *a, size_t words, bool mulx)
{
	product(r, a, a, words, mulx);
}

static void reduce(uint64_t *a, const struct modulus *modulus)
{
	const size_t words = modulus->words;
	uint64_t carry = 0;

	for (size_t i = 0; i < words; i++) {
		const uint64_t top = add_product(a + i, modulus->m, a[i] * modulus->n0, words);
		const number_wide sum = (number_wide)a[words + i] + top + carry;

		a[words + i] = (uint64_t)sum;
		carry = (uint64_t)(sum >> 64);
	}
	memcpy(a, a + words, words * sizeof *a);
	number_sub_masked(a, modulus->m, 0 - carry, words);
}

static void select(uint64_t *r, struct powers *powers, uint64_t index, size_t words, bool mulx)
{
	(void)mulx;
	memset(r, 0, words * sizeof *r);
	for (uint64_t i = 0; i < POWERS; i++) {
		const uint64_t mask = 0 - (((i ^ index) - 1) >> 63);

		for (size_t k = 0; k < words; k++)
			r[k] |= powers->at[i][k] & mask;
	}
}

#endif

void number_mul(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t words)
{
	product(r, a, b, words, has_mulx());
}

/* r = 2r mod m, for an r less than m. */
static void twice(const struct modulus *modulus, uint64_t *r)
{
	const uint64_t carry = number_add(r, r, r, modulus->words);

	number_sub_masked(r, modulus->m, (0 - carry) | ~number_less(r, modulus->m, modulus->words),
			  modulus->words);
}

void modulus_begin_light(struct modulus *modulus, const uint64_t *m, size_t words)
{
	modulus->m = m;
	modulus->words = words;
	modulus->n0 = number_negative_inverse(m[0]);
	modulus->mulx = has_mulx();
}

/* R mod m = R - m, because the topmost bit of m is set. */
void modulus_one(const struct modulus *modulus, uint64_t *r)
{
	for (size_t i = 0; i < modulus->words; i++)
		r[i] = ~modulus->m[i];
	r[0] += 1; /* m is odd: no carry */
}

/* 1 doubled k times is 2^k, all in Montgomery form, and each squaring doubles the exponent,
 * up to R itself. */
void modulus_begin(struct modulus *modulus, const uint64_t *m, size_t words)
{
	size_t exponent = 64 * words;

	modulus_begin_light(modulus, m, words);
	modulus_one(modulus, modulus->rr);
	while (exponent % 2 == 0)
		exponent /= 2;
	for (size_t i = 0; i < exponent; i++)
		twice(modulus, modulus->rr);
	for (; exponent < 64 * words; exponent *= 2)
		modulus_mul(modulus, modulus->rr, modulus->rr, modulus->rr);
}

void modulus_mul(const struct modulus *modulus, uint64_t *r, const uint64_t *a, const uint64_t *b)
{
	uint64_t t[2 * NUMBER_MAX_WORDS];

	if (a == b)
		square(t, a, modulus->words, modulus->mulx);
	else
		product(t, a, b, modulus->words, modulus->mulx);
	modulus_reduce(modulus, r, t);
}

void modulus_reduce(const struct modulus *modulus, uint64_t *r, uint64_t *a)
{
	reduce(a, modulus);
	memcpy(r, a, modulus->words * sizeof *r);
}

void modulus_enter(const struct modulus *modulus, uint64_t *r, const uint64_t *a)
{
	modulus_mul(modulus, r, a, modulus->rr);
}

void modulus_normalise(const struct modulus *modulus, uint64_t *r)
{
	number_sub_masked(r, modulus->m, ~number_less(r, modulus->m, modulus->words),
			  modulus->words);
}

void modulus_leave(const struct modulus *modulus, uint64_t *r, const uint64_t *a)
{
	uint64_t t[2 * NUMBER_MAX_WORDS];

	memcpy(t, a, modulus->words * sizeof *t);
	memset(t + modulus->words, 0, modulus->words * sizeof *t);
	modulus_reduce(modulus, r, t);
	modulus_normalise(modulus, r);
}

/* The five bits of `e` from bit `at` on. */
static uint64_t window(const uint64_t *e, size_t words, size_t at)
{
	const size_t word = at / 64, shift = at % 64;
	uint64_t bits = e[word] >> shift;

	if (shift > 64 - WINDOW && word + 1 < words)
		bits |= e[word + 1] << (64 - shift);
	return bits & (POWERS - 1);
}

static void make_powers(const struct modulus *modulus, struct powers *powers, uint64_t *memory,
			const uint64_t *a)
{
	const size_t words = modulus->words;

	for (size_t i = 0; i < POWERS; i++)
		powers->at[i] = memory + i * words;
	modulus_one(modulus, powers->at[0]);
	memcpy(powers->at[1], a, words * sizeof *a);
	for (size_t i = 2; i < POWERS; i++)
		modulus_mul(modulus, powers->at[i], powers->at[i / 2], powers->at[i - i / 2]);
}

/* y = x^(2^WINDOW). Both have room for products: each step goes from one to the other,
 * without copies, and x is overwritten. */
static void raise(const struct modulus *modulus, uint64_t *y, uint64_t *x)
{
	for (int i = 0; i < WINDOW - 1; i += 2) {
		square(y, x, modulus->words, modulus->mulx);
		reduce(y, modulus);
		square(x, y, modulus->words, modulus->mulx);
		reduce(x, modulus);
	}
	square(y, x, modulus->words, modulus->mulx);
	reduce(y, modulus);
}

void modulus_exp(const struct modulus *modulus, uint64_t *r, const uint64_t *a, const uint64_t *e)
{
	const size_t words = modulus->words;
	const bool mulx = modulus->mulx;
	_Alignas(32) uint64_t memory[POWERS * NUMBER_MAX_HALF_WORDS];
	uint64_t x[2 * NUMBER_MAX_HALF_WORDS], y[2 * NUMBER_MAX_HALF_WORDS];
	size_t at = (64 * words - 1) / WINDOW * WINDOW;
	struct powers powers;

	make_powers(modulus, &powers, memory, a);
	select(x, &powers, window(e, words, at), words, mulx);
	while (at) {
		at -= WINDOW;
		raise(modulus, y, x);
		select(r, &powers, window(e, words, at), words, mulx);
		product(x, y, r, words, mulx);
		reduce(x, modulus);
	}
	clear_vectors(mulx);
	memcpy(r, x, words * sizeof *r);
	cvtpm_wipe(memory, POWERS * words * sizeof *memory);
	cvtpm_wipe(x, sizeof x);
	cvtpm_wipe(y, sizeof y);
}

void modulus_exp_public(const struct modulus *modulus, uint64_t *r, const uint64_t *a, uint32_t e)
{
	uint32_t bit = 1u << 31;

	while (!(e & bit))
		bit >>= 1;
	memcpy(r, a, modulus->words * sizeof *r);
	for (bit >>= 1; bit; bit >>= 1) {
		modulus_mul(modulus, r, r, r);
		if (e & bit)
			modulus_mul(modulus, r, r, a);
	}
}

/* r = a * 2^shift / 2^64, for a shift of less than 64: one step of a Montgomery reduction. */
static void shift_and_reduce(const struct modulus *modulus, uint64_t *r, const uint64_t *a,
			     uint64_t shift)
{
	const uint64_t *m = modulus->m;
	const uint64_t factor = (a[0] << shift) * modulus->n0;
	uint64_t below = a[0];
	number_wide sum = ((number_wide)factor * m[0] + (a[0] << shift)) >> 64;

	for (size_t i = 1; i < modulus->words; i++) {
		const uint64_t here = a[i];

		sum += (number_wide)factor * m[i] + (here << shift | below >> 1 >> (63 - shift));
		r[i - 1] = (uint64_t)sum;
		sum >>= 64;
		below = here;
	}
	sum += below >> 1 >> (63 - shift);
	r[modulus->words - 1] = (uint64_t)sum;
	number_sub_masked(r, m, 0 - (uint64_t)(sum >> 64), modulus->words);
}

/* x = 2^e in Montgomery form, for an e less than LIMIT, in as many steps as that. */
static void small_power_of_2(const struct modulus *modulus, uint64_t *x, uint64_t e)
{
	enum { LIMIT = 24 };
	uint64_t doubled[NUMBER_MAX_HALF_WORDS];

	modulus_one(modulus, x);
	for (uint64_t i = 0; i < LIMIT; i++) {
		const uint64_t wanted = 0 - ((i - e) >> 63);

		memcpy(doubled, x, modulus->words * sizeof *x);
		twice(modulus, doubled);
		for (size_t k = 0; k < modulus->words; k++)
			x[k] ^= (x[k] ^ doubled[k]) & wanted;
	}
}

/*
 * Windows as in modulus_exp(), but a product with 2^y is a shift. To get rid of the bits
 * that it shifts out, each step divides by 2^64: what counts is 2^(y - 64). The exponent
 * makes up for that beforehand: to e is added 64 * 32^i for each of the windows i below
 * the top one, and that is 2 in the window above it. The top window has at most four
 * bits of e (of 1024, 1536, 2048), and thus stays below 19.
 */
bool modulus_fermat_2(const struct modulus *modulus)
{
	const size_t words = modulus->words;
	const size_t top = (64 * words - 1) / WINDOW * WINDOW;
	uint64_t x[2 * NUMBER_MAX_HALF_WORDS], y[2 * NUMBER_MAX_HALF_WORDS];
	uint64_t e[NUMBER_MAX_HALF_WORDS + 1] = {0};
	bool passed;

	for (size_t at = WINDOW; at <= top; at += WINDOW) {
		e[at / 64] |= 2ull << at % 64;
		if (at % 64 == 63)
			e[at / 64 + 1] |= 1;
	}
	e[words] += number_add(e, e, modulus->m, words);
	e[0] -= 1; /* no borrow: e is m and an even number */
	small_power_of_2(modulus, x,
			 window(e, words + 1, top) | window(e, words + 1, top + WINDOW) << WINDOW);
	for (size_t at = top; at;) {
		at -= WINDOW;
		raise(modulus, y, x);
		shift_and_reduce(modulus, x, y, window(e, words + 1, at));
	}
	modulus_normalise(modulus, x);
	modulus_one(modulus, y);
	passed = number_equal(x, y, words);
	cvtpm_wipe(x, sizeof x);
	cvtpm_wipe(y, sizeof y);
	cvtpm_wipe(e, sizeof e);
	return passed;
}
