/*
 * Large numbers for RSA: arithmetic on arrays of 64-bit words, least significant
 * first, and Montgomery's on top of it.
 *
 * Multiplication and reduction are wolfCrypt's assembler functions. What is above
 * them is ours for three reasons: wolfCrypt's own exponentiation keeps a table of
 * 33 KiB on the stack for a modulus of 2048 bits, its numbers take 1 KiB each, and
 * the steps around the exponentiation do not run in constant time. Here nothing but
 * modulus_exp_public() and the sizes decides about time and addresses.
 *
 * A number has 16, 24, 32, 48 or 64 words, as half or the whole of an RSA modulus.
 */
#ifndef CVTPM_NUMBER_H
#define CVTPM_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBER_MAX_WORDS      64
#define NUMBER_MAX_HALF_WORDS 32

/* A product of two words, and a sum of more. */
__extension__ typedef unsigned __int128 number_wide;

/** rest * 2^64 + low divided by `divisor`, where rest < divisor; the quotient, and the new
 *  rest. */
static inline uint64_t number_divide_word(uint64_t *rest, uint64_t low, uint64_t divisor)
{
	__asm__("divq %2" : "+a"(low), "+d"(*rest) : "r"(divisor) : "cc");
	return low;
}

/** Between words and big-endian bytes, 8 for each word. */
void number_from_bytes(uint64_t *r, size_t words, const uint8_t *bytes);
void number_to_bytes(const uint64_t *a, size_t words, uint8_t *bytes);

/** r = a + b, r = a - b; they give the carry or borrow. r may be a or b. */
uint64_t number_add(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t words);
uint64_t number_sub(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t words);
/** r += a where `mask` is all ones, nothing where it is 0; and r -= a. */
uint64_t number_add_masked(uint64_t *r, const uint64_t *a, uint64_t mask, size_t words);
uint64_t number_sub_masked(uint64_t *r, const uint64_t *a, uint64_t mask, size_t words);
/** All ones when a < b, otherwise 0. */
uint64_t number_less(const uint64_t *a, const uint64_t *b, size_t words);
/** All ones when a = b, otherwise 0. */
uint64_t number_equal(const uint64_t *a, const uint64_t *b, size_t words);
/** r = a * b, of 2 * words; r is neither a nor b. */
void number_mul(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t words);
/** a modulo a number that fits a word, not 0. */
uint64_t number_mod_word(const uint64_t *a, size_t words, uint64_t modulus);
/** -a^-1 mod 2^64, of an odd a. */
uint64_t number_negative_inverse(uint64_t a);

/*
 * Arithmetic modulo an odd m whose topmost bit is set. With R = 2^(64 * words) the
 * Montgomery form of a is a * R mod m. Results are less than R, and after
 * modulus_leave() less than m.
 */
struct modulus {
	const uint64_t *m; /* the caller's, alive as long as this */
	size_t words;
	uint64_t n0;                   /* -m^-1 mod 2^64 */
	bool mulx;                     /* the CPU has MULX and ADX */
	uint64_t rr[NUMBER_MAX_WORDS]; /* R^2 mod m */
};

void modulus_begin(struct modulus *modulus, const uint64_t *m, size_t words);
/** Without R^2: for modulus_fermat_2() alone. */
void modulus_begin_light(struct modulus *modulus, const uint64_t *m, size_t words);
/** r = a * b / R; r may be a or b. */
void modulus_mul(const struct modulus *modulus, uint64_t *r, const uint64_t *a, const uint64_t *b);
/** r = a / R for an a of 2 * words that is less than m * R; `a` is overwritten. */
void modulus_reduce(const struct modulus *modulus, uint64_t *r, uint64_t *a);
/** Into Montgomery form; r may be a. */
void modulus_enter(const struct modulus *modulus, uint64_t *r, const uint64_t *a);
/** Out of Montgomery form, less than m; r may be a. */
void modulus_leave(const struct modulus *modulus, uint64_t *r, const uint64_t *a);
/** r = 1, in Montgomery form and less than m. */
void modulus_one(const struct modulus *modulus, uint64_t *r);
/** r = r mod m, for an r less than R. */
void modulus_normalise(const struct modulus *modulus, uint64_t *r);
/** r = a^e, in Montgomery form, with an exponent of `words`; r may be a. This one and
 *  modulus_fermat_2() take at most NUMBER_MAX_HALF_WORDS words. */
void modulus_exp(const struct modulus *modulus, uint64_t *r, const uint64_t *a, const uint64_t *e);
/** r = a^e with a public exponent, not 0; r is not a. */
void modulus_exp_public(const struct modulus *modulus, uint64_t *r, const uint64_t *a, uint32_t e);
/** Whether 2^(m - 1) = 1 mod m: true of a prime, and of hardly any other number. */
bool modulus_fermat_2(const struct modulus *modulus);

#endif
