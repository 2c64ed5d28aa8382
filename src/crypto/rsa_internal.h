/* What the files rsa*.c share. */
#ifndef CVTPM_RSA_INTERNAL_H
#define CVTPM_RSA_INTERNAL_H

#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "crypto/number.h"
#include "cvtpm/err.h"

static inline bool rsa_bits_are_offered(unsigned bits)
{
	return bits == 2048 || bits == 3072 || bits == 4096;
}

static inline bool rsa_exponent_is_offered(uint32_t exponent)
{
	return exponent % 2 == 1 && exponent > 0x10000;
}

/** a^-1 modulo an odd number, 0 when there is none. */
uint32_t rsa_inverse(uint32_t a, uint32_t modulus);

/** Fills in `n` and the private part from the primes, of bits / 128 words, both with their
 *  topmost bit set. CVTPM_ERR_PARAM: the exponent has no inverse, or p is not prime. */
int rsa_complete(struct cvtpm_rsa_key *key, const uint64_t *p, const uint64_t *q);

/** XORs the mask of MGF1 (RFC 8017, B.2.1) into `data`. */
int rsa_mgf1_xor(enum cvtpm_hash_alg alg, const uint8_t *seed, size_t seed_len, uint8_t *data,
		 size_t len);

#endif
