#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "cvtpm/err.h"

void cvtpm_wipe(void *memory, size_t len)
{
	memset(memory, 0, len);
	/* The compiler must assume that somebody reads the bytes. */
	__asm__ volatile("" : : "r"(memory) : "memory");
}

bool cvtpm_equal(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t difference = 0;

	for (size_t i = 0; i < len; i++)
		difference |= (uint8_t)(x[i] ^ y[i]);
	return difference == 0;
}

const char *cvtpm_crypto_version(void)
{
	return CVTPM_WOLFSSL_VERSION;
}

const char *cvtpm_strerror(int err)
{
	static const char *const phrases[] = {
		[CVTPM_OK] = "no error",
		[-CVTPM_ERR_PARAM] = "wrong argument",
		[-CVTPM_ERR_SIZE] = "too small or too large",
		[-CVTPM_ERR_FORMAT] = "malformed",
		[-CVTPM_ERR_NO_MEMORY] = "out of memory",
		[-CVTPM_ERR_NOT_FOUND] = "not found",
		[-CVTPM_ERR_IO] = "input or output failed",
		[-CVTPM_ERR_BUSY] = "in use",
		[-CVTPM_ERR_STATE] = "not possible in this state",
		[-CVTPM_ERR_UNSUPPORTED] = "not supported",
		[-CVTPM_ERR_ENTROPY] = "the entropy source failed",
		[-CVTPM_ERR_CRYPTO] = "a cryptographic primitive failed",
		[-CVTPM_ERR_AUTH] = "integrity check failed",
		[-CVTPM_ERR_KEY_GONE] = "the message key was wiped after an unsafe answer",
		[-CVTPM_ERR_PEER] = "the peer answered an error",
		[-CVTPM_ERR_STORE] = "the store could not be written",
		[-CVTPM_ERR_TPM] = "the TPM refused a command",
		[-CVTPM_ERR_POLICY] = "not allowed",
	};

	if (err > 0 || err <= -(int)(sizeof phrases / sizeof *phrases))
		return "unknown error";
	return phrases[-err];
}

bool cvtpm_is_zero(const void *bytes, size_t len)
{
	const volatile uint8_t *x = bytes;
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= x[i];
	return any == 0;
}
