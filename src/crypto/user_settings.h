/*
 * wolfCrypt's configuration: the primitives of a TPM, and nothing else.
 *
 * Firmware and host compile the same settings: no libc, no malloc of its own,
 * no global that a caller could set. What wolfCrypt allocates comes from the
 * arena that the caller hands in as `heap` (arena.c); its seed comes from the
 * DRBG's own entropy callback (drbg.c).
 *
 * The assembler files include this header too. All but aes_asm.S take their
 * switches from here; aes_asm.S gets two on its command line (meson.build).
 *
 * CVTPM_NO_AVX: assembly without the MULX/ADX/AVX2 variants, for firmware that
 * does not enable the AVX state.
 */
#ifndef CVTPM_USER_SETTINGS_H
#define CVTPM_USER_SETTINGS_H

/* ---- environment ---- */
#define WOLFCRYPT_ONLY
#define SINGLE_THREADED
#define NO_FILESYSTEM
#define NO_STDIO_FILESYSTEM
#define NO_WRITEV
#define NO_MAIN_DRIVER
#define NO_ERROR_STRINGS
#define NO_ASN_TIME
#define NO_TIME_H
#define NO_OLD_TLS
#define NO_WOLFSSL_DIR
#define NO_CRYPT_TEST
#define NO_CRYPT_BENCHMARK
#define WOLFSSL_IGNORE_FILE_WARN
#define WOLFSSL_GENERAL_ALIGNMENT 4
#define WOLFSSL_NO_ATOMICS

#define STRING_USER
#define CTYPE_USER
#ifndef __ASSEMBLER__
#include <stddef.h>
void *memcpy(void *, const void *, size_t);
void *memset(void *, int, size_t);
void *memmove(void *, const void *, size_t);
int memcmp(const void *, const void *, size_t);
#define XMEMCPY(d, s, l)  memcpy((d), (s), (l))
#define XMEMSET(b, c, l)  memset((b), (c), (l))
#define XMEMCMP(a, b, n)  memcmp((a), (b), (n))
#define XMEMMOVE(d, s, l) memmove((d), (s), (l))
/* Curve names are looked up by string; nothing else uses these. */
static inline size_t cvtpm_wc_strlen(const char *s)
{
	size_t n = 0;
	while (s[n])
		n++;
	return n;
}
static inline int cvtpm_wc_lower(int c)
{
	return (c >= 'A' && c <= 'Z') ? c + 32 : c;
}
static inline int cvtpm_wc_upper(int c)
{
	return (c >= 'a' && c <= 'z') ? c - 32 : c;
}
static inline int cvtpm_wc_strncasecmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		int d = cvtpm_wc_lower((unsigned char)*a) - cvtpm_wc_lower((unsigned char)*b);
		if (d || !*a)
			return d;
	}
	return 0;
}
static inline int cvtpm_wc_strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		int d = (unsigned char)*a - (unsigned char)*b;
		if (d || !*a)
			return d;
	}
	return 0;
}
static inline char *cvtpm_wc_strncpy(char *d, const char *s, size_t n)
{
	size_t i = 0;
	for (; i < n && s[i]; i++)
		d[i] = s[i];
	for (; i < n; i++)
		d[i] = 0;
	return d;
}
#define XSTRLEN(s)            cvtpm_wc_strlen((s))
#define XSTRNCPY(a, b, n)     cvtpm_wc_strncpy((a), (b), (n))
#define XSTRNCMP(a, b, n)     cvtpm_wc_strncmp((a), (b), (n))
#define XSTRNCASECMP(a, b, n) cvtpm_wc_strncasecmp((a), (b), (n))
#define XSTRCASECMP(a, b)     cvtpm_wc_strncasecmp((a), (b), (size_t)-1)
#define XSTRCMP(a, b)         cvtpm_wc_strncmp((a), (b), (size_t)-1)
#define XTOUPPER(c)           cvtpm_wc_upper((c))
#define XTOLOWER(c)           cvtpm_wc_lower((c))
#define XSTRSEP(a, b)         0
#define XATOI(s)              0
#endif

/* ---- memory: XMALLOC, XREALLOC and XFREE are arena.c's ---- */
#define XMALLOC_USER
#define WOLFSSL_SP_NO_MALLOC
#define WOLFSSL_SP_NO_DYN_STACK /* no arrays of variable size: the stack is measured */

/* ---- numbers: single precision, x86-64 assembly ---- */
#define WOLFSSL_SP_MATH_ALL
#define WOLFSSL_HAVE_SP_RSA
#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_SP_4096
#define WOLFSSL_SP_384
#define WOLFSSL_SP_521
#define WOLFSSL_SP_ASM
#define WOLFSSL_SP_X86_64
#define WOLFSSL_SP_X86_64_ASM
#define SP_INT_BITS      4096
#define HAVE___UINT128_T 1
#ifdef CVTPM_NO_AVX
#define NO_AVX2_SUPPORT
#endif
#define ECC_TIMING_RESISTANT
#define TFM_TIMING_RESISTANT
#define WC_RSA_BLINDING
#define WOLFSSL_PUBLIC_MP
#define WOLFSSL_PUBLIC_ECC_ADD_DBL
#define ECC_USER_CURVES
#define HAVE_ECC256
#define HAVE_ECC384
#define HAVE_ECC521

/* ---- public keys: of RSA only the arithmetic, WOLFSSL_HAVE_SP_RSA (number.h) ---- */
#define HAVE_ECC
#define HAVE_ECC_SIGN
#define HAVE_ECC_VERIFY
#define HAVE_ECC_DHE
#define HAVE_ECC_CHECK_KEY
#define HAVE_ECC_KEY_EXPORT
#define HAVE_ECC_KEY_IMPORT
#define HAVE_COMP_KEY
#define NO_ASN
#define NO_CERTS
#define NO_CODING
#define NO_SIG_WRAPPER
#define NO_PKCS7
#define NO_PKCS12
#define NO_PWDBASED
#define NO_DSA
#define NO_DH
#define NO_RC4
#define NO_MD4
#define NO_MD5
#define NO_PSK
#define NO_RABBIT
#define NO_HC128
#define NO_DES3

/* ---- symmetric ---- */
#define HAVE_AESGCM
#define HAVE_AES_CBC
#define HAVE_AES_DECRYPT
#define HAVE_AES_ECB
#define WOLFSSL_AES_COUNTER
#define WOLFSSL_AES_CFB
#define WOLFSSL_AES_OFB
#define WOLFSSL_AES_DIRECT
#define WOLFSSL_AES_128
#define WOLFSSL_AES_192
#define WOLFSSL_AES_256
#define WOLFSSL_CMAC

/* ---- hashes, DRBG ---- */
#define WOLFSSL_SHA224
#define WOLFSSL_SHA384
#define WOLFSSL_SHA512
#define WOLFSSL_SHA3
#define WOLFSSL_NO_SHAKE128
#define WOLFSSL_NO_SHAKE256
#define HAVE_HASHDRBG
#define HAVE_HKDF
#define NO_DEV_RANDOM
#define NO_RDRAND
#ifndef __ASSEMBLER__
struct OS_Seed;
int cvtpm_wc_seed(struct OS_Seed *seed, unsigned char *out, unsigned int len);
#endif
#define CUSTOM_RAND_GENERATE_SEED_OS cvtpm_wc_seed

/* ---- CPU ---- */
#ifndef CVTPM_NO_AVX
#define USE_INTEL_SPEEDUP
#endif
#define WOLFSSL_AESNI
#define WOLFSSL_X86_64_BUILD

#endif
