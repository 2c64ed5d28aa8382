/* wolfCrypt's headers, for the files of this folder only. */
#ifndef CVTPM_WOLF_H
#define CVTPM_WOLF_H

#ifdef CVTPM_WOLFSSL_PACKAGED
#include <wolfssl/options.h>
#endif
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/random.h>

#include "crypto/arena.h"
#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "cvtpm/err.h"

/* The generator inside a begun DRBG. */
WC_RNG *drbg_rng(struct cvtpm_drbg *drbg);

#ifndef CVTPM_WOLFSSL_PACKAGED
#include <wolfssl/wolfcrypt/cpuid.h>
#include <wolfssl/wolfcrypt/sp_int.h>
#endif

/* Whether wolfCrypt's SP functions use their variants with MULX, ADX and AVX2. */
static inline bool has_mulx(void)
{
#if !defined(CVTPM_WOLFSSL_PACKAGED) && defined(HAVE_INTEL_AVX2)
	const word32 flags = cpuid_get_flags();

	return IS_INTEL_BMI2(flags) && IS_INTEL_ADX(flags);
#else
	return false;
#endif
}

/* Those variants leave the upper halves of the vector registers dirty. As long as they
 * are, the SSE instructions of the hashes wait for them: SHA-256 is ten times slower. */
static inline void clear_vectors(bool mulx)
{
	if (mulx)
		__asm__ volatile("vzeroupper" : : : "memory");
}

/* Bytes whose number of bits fits the 64 bits that SHA-1 and SHA-256 append. */
#define HASH_MAX_LEN (((uint64_t)1 << 61) - 1)

/* wolfCrypt counts in 32 bits. */
static inline bool fits_word32(size_t len)
{
	return len <= 0xFFFFFFFFu;
}

#endif
