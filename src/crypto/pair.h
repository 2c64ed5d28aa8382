/*
 * Two exponentiations at once, with AVX-512's multiplication of 52 bits (IFMA).
 *
 * A Montgomery product is one chain of steps that wait for each other; the steps of a second
 * one fit into the waiting. RSA always has two: a signature modulo p and q, and in the search
 * for primes the next two candidates, or two rounds of Miller-Rabin.
 */
#ifndef CVTPM_PAIR_H
#define CVTPM_PAIR_H

#include "crypto/number.h"

/* Bits of wolfCrypt's word of CPU flags that it has no use for: the one place in a process that
 * is written once and is the same for every TPM. */
#define PAIR_FLAG_ASKED   (1u << 31)
#define PAIR_FLAG_OFFERED (1u << 30)

/** Whether this CPU has the instructions, and the operating system lets them be used. */
bool pair_is_offered(void);

/** r[i] = a[i]^e[i] for two moduli of one size: modulus_exp() twice. Results are less than m. */
void pair_exp(const struct modulus *const modulus[2], uint64_t *const r[2],
	      const uint64_t *const a[2], const uint64_t *const e[2]);
/** modulus_fermat_2() of both. */
void pair_fermat_2(const struct modulus *const modulus[2], bool passed[2]);

#endif
