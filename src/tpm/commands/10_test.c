/* Part 3, 10: testing. */
#include "tpm/tpm.h"

#include "crypto/mem.h"

/* 10.2: tests everything, or what has not been tested yet. */
COMMAND_BODY(SelfTest)
{
	if (in->fullTest)
		t->tested = 0;
	return selftest_all(t);
}

/* 10.3: tests the algorithms of a list; says which are still untested. */
COMMAND_BODY(IncrementalSelfTest)
{
	for (uint32_t i = 0; i < in->toTest.count; i++)
		if (!algorithm_exists(in->toTest.algorithms[i]))
			return RC_P(1, TPM_RC_VALUE);
	for (uint32_t i = 0; i < in->toTest.count; i++) {
		TRY(selftest_need(t, in->toTest.algorithms[i]));
		TRY(tpm_cancelled(t));
	}
	selftest_pending(t, &out->toDoList);
	return TPM_RC_SUCCESS;
}

static tpm_rc test_result(struct tpm *t)
{
	TPML_ALG pending;

	if (t->failed)
		return TPM_RC_FAILURE;
	selftest_pending(t, &pending);
	return pending.count ? TPM_RC_NEEDS_TEST : TPM_RC_SUCCESS;
}

/* 10.4: how testing stands; after a failure why, in words. */
COMMAND_BODY(GetTestResult)
{
	const char *reason = t->failed_reason;

	out->testResult = test_result(t);
	for (; t->failed && reason && *reason && out->outData.size < MAX_DIGEST_BUFFER; reason++)
		out->outData.buffer[out->outData.size++] = (uint8_t)*reason;
	return TPM_RC_SUCCESS;
}
