/* Part 3, 10 and 16: testing, and random numbers. */
#include "objects.h"

/* ---- 10 ---- */

static struct GetTestResult_out test_result(struct rig *r)
{
	struct GetTestResult_out out;

	rig_no_sessions(r);
	OK(RIG_RUN(r, GetTestResult, NULL, &out));
	return out;
}

static TPML_ALG pending(struct rig *r, TPM_ALG_ID first)
{
	struct IncrementalSelfTest_in in = {.toTest = {first ? 1 : 0, {first}}};
	struct IncrementalSelfTest_out out;

	OK(RIG_RUN(r, IncrementalSelfTest, &in, &out));
	return out.toDoList;
}

static bool is_in(const TPML_ALG *list, TPM_ALG_ID alg)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->algorithms[i] == alg)
			return true;
	return false;
}

static void SelfTest_10_2(void **state)
{
	struct rig *r = *state;
	struct SelfTest_in in = {.fullTest = 0};

	OK(RIG_RUN(r, SelfTest, &in, NULL));
	assert_int_equal(pending(r, 0).count, 0);
	assert_int_equal(test_result(r).testResult, TPM_RC_SUCCESS);
	in.fullTest = 1;
	OK(RIG_RUN(r, SelfTest, &in, NULL));
	assert_int_equal(pending(r, 0).count, 0);
	assert_int_equal(test_result(r).testResult, TPM_RC_SUCCESS);
}

static void SelfTest_10_2_may_be_cancelled(void **state)
{
	struct rig *r = *state;
	struct SelfTest_in in = {.fullTest = 1};

	NATIVE_ONLY(r);
	r->cancelled = true;
	RC(RIG_RUN(r, SelfTest, &in, NULL), TPM_RC_CANCELED);
	r->cancelled = false;
	assert_int_equal(test_result(r).testResult, TPM_RC_NEEDS_TEST);
	in.fullTest = 0;
	OK(RIG_RUN(r, SelfTest, &in, NULL));
	assert_int_equal(test_result(r).testResult, TPM_RC_SUCCESS);
}

static void IncrementalSelfTest_10_3(void **state)
{
	struct rig *r = *state;
	struct IncrementalSelfTest_in in = {.toTest = {2, {TPM_ALG_SHA256, 0x7F}}};
	TPML_ALG list;

	RC(RIG_RUN(r, IncrementalSelfTest, &in, NULL), RC_P(1, TPM_RC_VALUE));
	list = pending(r, TPM_ALG_AES);
	assert_false(is_in(&list, TPM_ALG_AES));
	NATIVE_ONLY(r);
	rig_reset(r);
	list = pending(r, 0);
	assert_true(is_in(&list, TPM_ALG_ECC));
	assert_true(is_in(&list, TPM_ALG_RSA));
	list = pending(r, TPM_ALG_RSA);
	assert_false(is_in(&list, TPM_ALG_RSA));
	assert_false(is_in(&list, TPM_ALG_RSASSA));
	assert_true(is_in(&list, TPM_ALG_OAEP));
	assert_true(is_in(&list, TPM_ALG_ECC));
	list = pending(r, TPM_ALG_ECDSA); /* which takes keys */
	assert_false(is_in(&list, TPM_ALG_ECC));
	assert_false(is_in(&list, TPM_ALG_ECDSA));
	assert_true(is_in(&list, TPM_ALG_ECDH));
}

/* An algorithm is tested before it is used, by whatever command. */
static void algorithms_10_1_are_tested_before_use(void **state)
{
	struct rig *r = *state;
	struct Hash_in in = {.data.size = 0, .hashAlg = TPM_ALG_SHA512, .hierarchy = TPM_RH_NULL};
	TPML_ALG list = pending(r, 0);

	NATIVE_ONLY(r);
	assert_true(is_in(&list, TPM_ALG_SHA1));
	in.hashAlg = TPM_ALG_SHA1;
	OK(RIG_RUN(r, Hash, &in, NULL));
	list = pending(r, 0);
	assert_false(is_in(&list, TPM_ALG_SHA1));
	assert_true(is_in(&list, TPM_ALG_SYMCIPHER));
	storage_primary(r); /* P-256 alone: the other curves wait */
	list = pending(r, 0);
	assert_true(is_in(&list, TPM_ALG_ECC));
	rig_reset(r); /* and again after _TPM_Init */
	list = pending(r, 0);
	assert_true(is_in(&list, TPM_ALG_SHA1));
}

static bool is_pending(struct rig *r, TPM_ALG_ID alg)
{
	TPML_ALG list = pending(r, 0);

	return is_in(&list, alg);
}

static void sign_with(struct rig *r, TPM_HANDLE key, TPM_ALG_ID scheme)
{
	struct Sign_in in = {.keyHandle = key,
			     .digest = digest_of(TPM_ALG_SHA256, "abc", 3),
			     .inScheme = {scheme, {.any.hashAlg = TPM_ALG_SHA256}},
			     .validation = {TPM_ST_HASHCHECK, TPM_RH_NULL, {.size = 0}}};

	OK(RIG_RUN(r, Sign, &in, NULL));
}

/* A key is no use of the schemes that it may be used with. */
static void schemes_10_1_of_RSA_are_tested_before_use(void **state)
{
	struct rig *r = *state;
	struct RSA_Encrypt_in encrypt = {
		.message.size = 3, .inScheme = {TPM_ALG_OAEP, {.oaep.hashAlg = TPM_ALG_SHA256}}};
	struct key key;

	NATIVE_ONLY(r);
	rig_reset(r);
	assert_true(is_pending(r, TPM_ALG_RSA));
	key = load_rsa(r, TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT,
		       TPM_ALG_NULL, 0, true);
	assert_false(is_pending(r, TPM_ALG_RSA));
	assert_true(is_pending(r, TPM_ALG_RSAPSS));
	sign_with(r, key.handle, TPM_ALG_RSAPSS);
	assert_false(is_pending(r, TPM_ALG_RSAPSS));
	assert_true(is_pending(r, TPM_ALG_OAEP));
	encrypt.keyHandle = key.handle;
	rig_no_sessions(r);
	OK(RIG_RUN(r, RSA_Encrypt, &encrypt, NULL));
	assert_false(is_pending(r, TPM_ALG_OAEP));
}

static void sign_anonymously(struct rig *r, TPM_HANDLE key, TPMI_ECC_CURVE curve)
{
	struct EC_Ephemeral_in make = {.curveID = curve};
	struct EC_Ephemeral_out made;
	struct Sign_in in = {.keyHandle = key,
			     .digest = digest_of(TPM_ALG_SHA256, "abc", 3),
			     .validation = {TPM_ST_HASHCHECK, TPM_RH_NULL, {.size = 0}}};

	rig_no_sessions(r);
	OK(RIG_RUN(r, EC_Ephemeral, &make, &made));
	in.inScheme = (TPMT_SIG_SCHEME){TPM_ALG_ECDAA, {.ecdaa = {TPM_ALG_SHA256, made.counter}}};
	OK(RIG_RUN(r, Sign, &in, NULL));
}

static void schemes_10_1_of_curves_are_tested_before_use(void **state)
{
	struct rig *r = *state;

	NATIVE_ONLY(r);
	rig_reset(r);
	assert_true(is_pending(r, TPM_ALG_ECC));
	for (TPMI_ECC_CURVE curve = TPM_ECC_NIST_P256; curve <= TPM_ECC_NIST_P521; curve++) {
		TPMT_PUBLIC t = template_ecc(PLAIN | TPMA_OBJECT_SIGN, curve, TPM_ALG_NULL, 0);
		struct ECDH_KeyGen_in in = {.keyHandle = must_primary(r, TPM_RH_OWNER, &t)};

		assert_int_equal(is_pending(r, TPM_ALG_ECC), curve != TPM_ECC_NIST_P521);
		assert_true(is_pending(r, TPM_ALG_ECDSA));
		sign_with(r, in.keyHandle, TPM_ALG_ECDSA);
		assert_int_equal(is_pending(r, TPM_ALG_ECDSA), curve != TPM_ECC_NIST_P521);
		assert_true(is_pending(r, TPM_ALG_ECDAA));
		sign_anonymously(r, in.keyHandle, curve);
		assert_int_equal(is_pending(r, TPM_ALG_ECDAA), curve != TPM_ECC_NIST_P521);
		assert_true(is_pending(r, TPM_ALG_ECDH));
		rig_no_sessions(r);
		OK(RIG_RUN(r, ECDH_KeyGen, &in, NULL));
		rig_flush(r, in.keyHandle);
	}
	assert_false(is_pending(r, TPM_ALG_ECDH));
}

static void GetTestResult_10_4_in_failure_mode(void **state)
{
	struct rig *r = *state;
	struct StirRandom_in stir = {.inData.size = 0};
	struct GetRandom_in random = {.bytesRequested = 8};
	const uint8_t with_sessions[] = {0x80, 2, 0,    0, 0, 23, 0, 0, 1, 0x7C, 0, 0,
					 0,    9, 0x40, 0, 0, 9,  0, 0, 1, 0,    0};
	struct GetTestResult_out out;

	NATIVE_ONLY(r);
	r->fail_entropy = true;
	RC(RIG_RUN(r, StirRandom, &stir, NULL), TPM_RC_FAILURE);
	assert_non_null(strstr(r->log, "entropy"));
	r->fail_entropy = false;
	RC(RIG_RUN(r, GetRandom, &random, NULL), TPM_RC_FAILURE);
	RC(rig_startup(r, TPM_SU_CLEAR), TPM_RC_FAILURE);
	out = test_result(r);
	assert_int_equal(out.testResult, TPM_RC_FAILURE);
	assert_int_equal(out.outData.size, strlen(r->log));
	assert_memory_equal(out.outData.buffer, r->log, out.outData.size);
	RC(rig_raw(r, with_sessions, sizeof with_sessions), TPM_RC_FAILURE);
	rig_reset(r);
	OK(RIG_RUN(r, GetRandom, &random, NULL));
}

/* ---- 16 ---- */

static void GetRandom_16_1(void **state)
{
	static const uint16_t sizes[] = {0, 1, 8, 32, 63, 64, 65, 0xFFFF};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct GetRandom_in in = {.bytesRequested = sizes[i]};
		struct GetRandom_out a, b;

		OK(RIG_RUN(r, GetRandom, &in, &a));
		OK(RIG_RUN(r, GetRandom, &in, &b));
		assert_int_equal(a.randomBytes.size, sizes[i] < 64 ? sizes[i] : 64);
		if (sizes[i] >= 8)
			assert_memory_not_equal(a.randomBytes.buffer, b.randomBytes.buffer,
						a.randomBytes.size);
	}
}

static void StirRandom_16_2(void **state)
{
	struct rig *r = *state;
	struct StirRandom_in in = {.inData.size = 128};
	struct GetRandom_in random = {.bytesRequested = 32};
	struct GetRandom_out a, b;

	OK(RIG_RUN(r, StirRandom, &in, NULL));
	OK(RIG_RUN(r, GetRandom, &random, &a));
	in.inData.size = 0;
	OK(RIG_RUN(r, StirRandom, &in, NULL));
	OK(RIG_RUN(r, GetRandom, &random, &b));
	assert_memory_not_equal(a.randomBytes.buffer, b.randomBytes.buffer, 32);
	{
		uint8_t bytes[12 + 129] = {0x80, 1, 0, 0, 0, sizeof bytes, 0, 0, 1, 0x46, 0, 129};

		RC(rig_raw(r, bytes, sizeof bytes), RC_P(1, TPM_RC_SIZE));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(SelfTest_10_2),
		OBJECT_TEST(SelfTest_10_2_may_be_cancelled),
		OBJECT_TEST(IncrementalSelfTest_10_3),
		OBJECT_TEST(algorithms_10_1_are_tested_before_use),
		OBJECT_TEST(schemes_10_1_of_RSA_are_tested_before_use),
		OBJECT_TEST(schemes_10_1_of_curves_are_tested_before_use),
		OBJECT_TEST(GetTestResult_10_4_in_failure_mode),
		OBJECT_TEST(GetRandom_16_1),
		OBJECT_TEST(StirRandom_16_2),
	};

	return cmocka_run_group_tests_name("tpm 10 and 16", tests, NULL, NULL);
}
