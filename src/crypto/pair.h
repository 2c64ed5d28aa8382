/*
 * Two exponentiations at once, where vectors_are_offered().
 *
 * A Montgomery product is one chain of steps that wait for each other; the steps of a second
 * one fit into the waiting. RSA always has two: a signature modulo p and q, or two rounds
 * of Miller-Rabin.
 */
#ifndef CVTPM_PAIR_H
#define CVTPM_PAIR_H

#include "crypto/number.h"

/** r[i] = a[i]^e[i] for two moduli of one size: modulus_exp() twice. Results are less than m. */
void pair_exp(const struct modulus *const modulus[2], uint64_t *const r[2],
	      const uint64_t *const a[2], const uint64_t *const e[2]);

#endif
