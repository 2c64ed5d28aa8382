/*
 * Known-answer tests (Part 3, 10): each algorithm is tested before its first use
 * after _TPM_Init, and all of them on request. A wrong answer is failure mode.
 */
#include "tpm/tpm.h"

#define T(test)    (1u << CVTPM_TEST_##test)
#define OF_P256    (T(P256) | T(ECDH_P256) | T(ECDSA_P256) | T(ECDAA_P256))
#define OF_P384    (T(P384) | T(ECDH_P384) | T(ECDSA_P384) | T(ECDAA_P384))
#define OF_P521    (T(P521) | T(ECDH_P521) | T(ECDSA_P521) | T(ECDAA_P521))
#define ECC_TEST   (T(P256) | T(P384) | T(P521) | T(DRBG))
#define ECDH_TEST  (T(ECDH_P256) | T(ECDH_P384) | T(ECDH_P521) | ECC_TEST)
#define ECDSA_TEST (T(ECDSA_P256) | T(ECDSA_P384) | T(ECDSA_P521) | ECC_TEST)
#define ECDAA_TEST (T(ECDAA_P256) | T(ECDAA_P384) | T(ECDAA_P521) | ECC_TEST)
#define RSA_TEST   (T(RSA) | T(DRBG))
#define HMAC_TEST  (T(HMAC) | T(SHA256))
#define KDF_TEST   (T(KDF) | HMAC_TEST)

_Static_assert(CVTPM_TESTS <= 32, "a bit for each test");

/* clang-format off */
const struct algorithm algorithms[ALGORITHM_LAST + 1] = {
	[TPM_ALG_RSA] = {TPMA_ALGORITHM_ASYMMETRIC | TPMA_ALGORITHM_OBJECT, RSA_TEST},
	[TPM_ALG_SHA1] = {TPMA_ALGORITHM_HASH, T(SHA1)},
	[TPM_ALG_HMAC] = {TPMA_ALGORITHM_HASH | TPMA_ALGORITHM_SIGNING, HMAC_TEST},
	[TPM_ALG_AES] = {TPMA_ALGORITHM_SYMMETRIC, T(AES)},
	[TPM_ALG_MGF1] = {TPMA_ALGORITHM_HASH | TPMA_ALGORITHM_METHOD, RSA_TEST | T(OAEP)},
	[TPM_ALG_KEYEDHASH] = {TPMA_ALGORITHM_HASH | TPMA_ALGORITHM_OBJECT | TPMA_ALGORITHM_SIGNING |
			       TPMA_ALGORITHM_ENCRYPTING, HMAC_TEST},
	[TPM_ALG_XOR] = {TPMA_ALGORITHM_HASH | TPMA_ALGORITHM_SYMMETRIC, KDF_TEST},
	[TPM_ALG_SHA256] = {TPMA_ALGORITHM_HASH, T(SHA256)},
	[TPM_ALG_SHA384] = {TPMA_ALGORITHM_HASH, T(SHA384)},
	[TPM_ALG_SHA512] = {TPMA_ALGORITHM_HASH, T(SHA512)},
	[TPM_ALG_RSASSA] = {TPMA_ALGORITHM_ASYMMETRIC | TPMA_ALGORITHM_SIGNING, RSA_TEST},
	[TPM_ALG_RSAES] = {TPMA_ALGORITHM_ASYMMETRIC | TPMA_ALGORITHM_ENCRYPTING, RSA_TEST},
	[TPM_ALG_RSAPSS] = {TPMA_ALGORITHM_ASYMMETRIC | TPMA_ALGORITHM_SIGNING, RSA_TEST | T(RSAPSS)},
	[TPM_ALG_OAEP] = {TPMA_ALGORITHM_ASYMMETRIC | TPMA_ALGORITHM_ENCRYPTING, RSA_TEST | T(OAEP)},
	[TPM_ALG_ECDSA] = {TPMA_ALGORITHM_ASYMMETRIC | TPMA_ALGORITHM_SIGNING, ECDSA_TEST},
	[TPM_ALG_ECDAA] = {TPMA_ALGORITHM_ASYMMETRIC | TPMA_ALGORITHM_SIGNING, ECDAA_TEST},
	[TPM_ALG_ECDH] = {TPMA_ALGORITHM_ASYMMETRIC | TPMA_ALGORITHM_METHOD, ECDH_TEST},
	[TPM_ALG_KDF1_SP800_56A] = {TPMA_ALGORITHM_HASH | TPMA_ALGORITHM_METHOD, KDF_TEST},
	[TPM_ALG_KDF1_SP800_108] = {TPMA_ALGORITHM_HASH | TPMA_ALGORITHM_METHOD, KDF_TEST},
	[TPM_ALG_ECC] = {TPMA_ALGORITHM_ASYMMETRIC | TPMA_ALGORITHM_OBJECT, ECC_TEST},
	[TPM_ALG_SYMCIPHER] = {TPMA_ALGORITHM_OBJECT, T(AES)},
	[TPM_ALG_CTR] = {TPMA_ALGORITHM_SYMMETRIC | TPMA_ALGORITHM_ENCRYPTING, T(AES)},
	[TPM_ALG_OFB] = {TPMA_ALGORITHM_SYMMETRIC | TPMA_ALGORITHM_ENCRYPTING, T(AES)},
	[TPM_ALG_CBC] = {TPMA_ALGORITHM_SYMMETRIC | TPMA_ALGORITHM_ENCRYPTING, T(AES)},
	[TPM_ALG_CFB] = {TPMA_ALGORITHM_SYMMETRIC | TPMA_ALGORITHM_ENCRYPTING, T(AES)},
	[TPM_ALG_ECB] = {TPMA_ALGORITHM_SYMMETRIC | TPMA_ALGORITHM_ENCRYPTING, T(AES)},
};
/* clang-format on */

/* AES-GCM and SHA-3 serve the layers outside of the TPM, which test them themselves. */
#define ALL_TESTS                                                                                  \
	(T(SHA1) | T(SHA384) | T(SHA512) | KDF_TEST | T(AES) | ECDH_TEST | ECDSA_TEST |            \
	 ECDAA_TEST | RSA_TEST | T(RSAPSS) | T(OAEP))

bool algorithm_exists(uint32_t alg)
{
	return alg <= ALGORITHM_LAST && algorithms[alg].attributes;
}

static tpm_rc run(struct tpm *t, unsigned test)
{
	if (cvtpm_selftest((enum cvtpm_test)test, &t->drbg))
		return tpm_fail(t, "a known-answer test of the cryptography failed");
	t->tested |= 1u << test;
	return TPM_RC_SUCCESS;
}

static tpm_rc need(struct tpm *t, uint32_t tests)
{
	uint32_t pending = tests & ~t->tested;

	for (unsigned test = 0; pending; test++, pending >>= 1)
		if (pending & 1)
			TRY(run(t, test));
	return TPM_RC_SUCCESS;
}

tpm_rc selftest_need(struct tpm *t, TPM_ALG_ID alg)
{
	return algorithm_exists(alg) ? need(t, algorithms[alg].tests) : TPM_RC_SUCCESS;
}

static uint32_t tests_of_curve(TPMI_ECC_CURVE curve)
{
	switch (curve) {
	case TPM_ECC_NIST_P256:
		return OF_P256;
	case TPM_ECC_NIST_P384:
		return OF_P384;
	default: /* TPM_ECC_NIST_P521 */
		return OF_P521;
	}
}

tpm_rc selftest_need_curve(struct tpm *t, TPM_ALG_ID alg, TPMI_ECC_CURVE curve)
{
	return need(t, algorithms[alg].tests & (tests_of_curve(curve) | T(DRBG)));
}

tpm_rc selftest_need_drbg(struct tpm *t)
{
	return need(t, T(DRBG));
}

tpm_rc selftest_all(struct tpm *t)
{
	for (unsigned test = 0; test < CVTPM_TESTS; test++) {
		if (!(ALL_TESTS >> test & 1))
			continue;
		TRY(need(t, 1u << test));
		TRY(tpm_cancelled(t));
	}
	return TPM_RC_SUCCESS;
}

void selftest_pending(struct tpm *t, TPML_ALG *list)
{
	list->count = 0;
	for (TPM_ALG_ID alg = 0; alg <= ALGORITHM_LAST; alg++)
		if (algorithm_exists(alg) && algorithms[alg].tests & ~t->tested)
			list->algorithms[list->count++] = alg;
}
