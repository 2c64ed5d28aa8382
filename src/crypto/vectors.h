/*
 * AVX-512 with IFMA, its multiplication of 52 bits: what pair.c and eight.c share.
 *
 * Numbers are rows of limbs of 52 bits: 20, 30 or 40 for a modulus m of 1024, 1536 or 2048
 * bits. R' = 2^(52 * limbs) is at least 2^16 times as large as m, so a product of numbers
 * less than 2m, divided by R', is less than 2m again and nothing has to be subtracted on the
 * way (Gueron, Krasnov: "Software implementation of modular exponentiation, using advanced
 * vector instructions architectures", 2012). R'/2^(64 * words) is 2^words.
 */
#ifndef CVTPM_VECTORS_H
#define CVTPM_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits of wolfCrypt's word of CPU flags that it has no use for: the one place in a process that
 * is written once and is the same for every TPM. */
#define VECTORS_ASKED   (1u << 31)
#define VECTORS_OFFERED (1u << 30)

/** Whether this CPU has the instructions, and the operating system lets them be used. */
bool vectors_are_offered(void);

/* Every function that uses vectors: its file is compiled for all CPUs. */
#define VECTORS __attribute__((target("avx512f,avx512ifma")))
#define INLINE  VECTORS static inline __attribute__((always_inline))

#define LIMB_BITS 52
#define LIMB_MASK ((1ull << LIMB_BITS) - 1)
#define LANES     8 /* of 64 bits in a vector */

/* 20, 30, 40 for 16, 24, 32 words. */
static inline size_t limbs_of(size_t words)
{
	return words * 5 / 4;
}

/* Limb i of a number in words. */
static inline uint64_t limb_at(const uint64_t *a, size_t words, size_t i)
{
	const size_t word = i * LIMB_BITS / 64, shift = i * LIMB_BITS % 64;
	uint64_t limb = word < words ? a[word] >> shift : 0;

	if (shift > 64 - LIMB_BITS && word + 1 < words)
		limb |= a[word + 1] << (64 - shift);
	return limb & LIMB_MASK;
}

#endif
