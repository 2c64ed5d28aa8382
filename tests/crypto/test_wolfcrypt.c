/* What our configuration of wolfCrypt must hold beyond today's seam: RSA to
 * 4096 bits with key generation, on an arena instead of a heap. */
#include "crypto/wolf.h"

#include <wolfssl/wolfcrypt/cmac.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include <openssl/bn.h>
#include <openssl/rand.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int system_entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	return RAND_bytes(out, (int)len) == 1 ? 0 : CVTPM_ERR_ENTROPY;
}

#ifdef CVTPM_WOLFSSL_PACKAGED
#define HEAP NULL
#else
#define HEAP (&arena)
#endif

static void rsa_key_of(int bits)
{
	static _Alignas(16) uint8_t memory[4096];
	static uint8_t n[512], e[8], d[512], p[256], q[256];
	word32 n_len = sizeof n, e_len = sizeof e, d_len = sizeof d, p_len = sizeof p,
	       q_len = sizeof q;
	uint8_t digest[32] = {7}, signature[512], recovered[512];
	struct arena arena;
	struct cvtpm_drbg drbg;
	RsaKey key;
	BIGNUM *a, *b, *product = BN_new(), *modulus;
	BN_CTX *context = BN_CTX_new();
	int len;

	arena_begin(&arena, memory, sizeof memory);
	assert_int_equal(cvtpm_drbg_begin(&drbg, system_entropy, NULL), 0);
	assert_int_equal(wc_InitRsaKey_ex(&key, HEAP, INVALID_DEVID), 0);
	assert_int_equal(wc_MakeRsaKey(&key, bits, 65537, drbg_rng(&drbg)), 0);
	assert_int_equal(wc_RsaSetRNG(&key, drbg_rng(&drbg)), 0);
	assert_int_equal(
		wc_RsaExportKey(&key, e, &e_len, n, &n_len, d, &d_len, p, &p_len, q, &q_len), 0);
	assert_int_equal(n_len, bits / 8);

	modulus = BN_bin2bn(n, (int)n_len, NULL);
	a = BN_bin2bn(p, (int)p_len, NULL);
	b = BN_bin2bn(q, (int)q_len, NULL);
	assert_int_equal(BN_check_prime(a, context, NULL), 1);
	assert_int_equal(BN_check_prime(b, context, NULL), 1);
	assert_int_equal(BN_mul(product, a, b, context), 1);
	assert_int_equal(BN_cmp(product, modulus), 0);

	len = wc_RsaPSS_Sign(digest, sizeof digest, signature, n_len, WC_HASH_TYPE_SHA256,
			     WC_MGF1SHA256, &key, drbg_rng(&drbg));
	assert_int_equal(len, bits / 8);
	len = wc_RsaPSS_Verify(signature, (word32)len, recovered, sizeof recovered,
			       WC_HASH_TYPE_SHA256, WC_MGF1SHA256, &key);
	assert_true(len > 0);
	assert_int_equal(wc_RsaPSS_CheckPadding(digest, sizeof digest, recovered, (word32)len,
						WC_HASH_TYPE_SHA256),
			 0);
	digest[0] ^= 1;
	assert_int_not_equal(wc_RsaPSS_CheckPadding(digest, sizeof digest, recovered, (word32)len,
						    WC_HASH_TYPE_SHA256),
			     0);

	wc_FreeRsaKey(&key);
#ifndef CVTPM_WOLFSSL_PACKAGED
	assert_int_equal(arena.used, 0); /* everything was given back */
#endif
	cvtpm_drbg_end(&drbg);
	BN_free(a);
	BN_free(b);
	BN_free(product);
	BN_free(modulus);
	BN_CTX_free(context);
}

static void rsa_2048_is_there(void **state)
{
	(void)state;
	rsa_key_of(2048);
}

static void rsa_3072_is_there(void **state)
{
	(void)state;
	rsa_key_of(3072);
}

static void rsa_4096_is_there(void **state)
{
	(void)state;
	rsa_key_of(4096);
}

static void cmac_gives_the_answer_of_rfc_4493(void **state)
{
	static const uint8_t key[16] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
					0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
	static const uint8_t expected[16] = {0xbb, 0x1d, 0x69, 0x29, 0xe9, 0x59, 0x37, 0x28,
					     0x7f, 0xa3, 0x7d, 0x12, 0x9b, 0x75, 0x67, 0x46};
	uint8_t tag[16];
	word32 len = sizeof tag;

	(void)state;
	assert_int_equal(wc_AesCmacGenerate(tag, &len, (const uint8_t *)"", 0, key, sizeof key), 0);
	assert_memory_equal(tag, expected, sizeof tag);
}

static void cfb_and_ctr_are_compiled_in(void **state)
{
	uint8_t key[32] = {1}, iv[16] = {2}, plain[40] = {3}, sealed[40], back[40];
	Aes aes;

	(void)state;
	assert_int_equal(wc_AesInit(&aes, NULL, INVALID_DEVID), 0);
	for (word32 size = 16; size <= 32; size += 8) {
		assert_int_equal(wc_AesSetKey(&aes, key, size, iv, AES_ENCRYPTION), 0);
		assert_int_equal(wc_AesCfbEncrypt(&aes, sealed, plain, sizeof plain), 0);
		assert_int_equal(wc_AesSetKey(&aes, key, size, iv, AES_ENCRYPTION), 0);
		assert_int_equal(wc_AesCfbDecrypt(&aes, back, sealed, sizeof sealed), 0);
		assert_memory_equal(back, plain, sizeof plain);
		assert_int_equal(wc_AesSetKey(&aes, key, size, iv, AES_ENCRYPTION), 0);
		assert_int_equal(wc_AesCtrEncrypt(&aes, sealed, plain, sizeof plain), 0);
		assert_memory_not_equal(sealed, plain, sizeof plain);
	}
	wc_AesFree(&aes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rsa_2048_is_there),
		cmocka_unit_test(rsa_3072_is_there),
		cmocka_unit_test(rsa_4096_is_there),
		cmocka_unit_test(cmac_gives_the_answer_of_rfc_4493),
		cmocka_unit_test(cfb_and_ctr_are_compiled_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
