/* Part 3, 25: protection against dictionary attack. */
#include "objects.h"

#define INDEX     0x01500000u
#define MAX_TRIES 3

/* ---- short forms ---- */

/* An index that counts (INDEX), one that does not (INDEX + 1), each with the password "right". */
static void begin_lockout(struct rig *r)
{
	const TPMA_NV plain = TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE | TPMA_NV_AUTHREAD;

	for (TPM_HANDLE i = INDEX; i <= INDEX + 1; i++) {
		struct NV_Write_in in = {
			.authHandle = TPM_RH_OWNER, .nvIndex = i, .data = {1, {1}}};

		rig_define(r, i, i == INDEX ? plain : plain | TPMA_NV_NO_DA, 1, "right");
		OK(RIG_RUN(r, NV_Write, &in, NULL));
	}
}

/* The first one after a start is answered TPM_RC_RETRY by libtpms, which then makes its mark. */
static tpm_rc try_index(struct rig *r, TPM_HANDLE index, const char *password)
{
	struct NV_Read_in in = {.authHandle = index, .nvIndex = index, .size = 1};
	tpm_rc rc;

	do {
		rig_password(r, 0, password);
		rc = RIG_RUN(r, NV_Read, &in, NULL);
	} while (rc == TPM_RC_RETRY && on_libtpms(r));
	return rc;
}

#define RIGHT(r) try_index((r), INDEX, "right")
#define WRONG(r) try_index((r), INDEX, "wrong")
#define FAILED   RC_S(1, TPM_RC_AUTH_FAIL)

static uint32_t property(struct rig *r, uint32_t which)
{
	struct GetCapability_in in = {
		.capability = TPM_CAP_TPM_PROPERTIES, .property = which, .propertyCount = 1};
	struct GetCapability_out out;

	OK(RIG_RUN(r, GetCapability, &in, &out));
	return out.capabilityData.data.tpmProperties.tpmProperty[0].value;
}

static uint32_t tries(struct rig *r)
{
	return property(r, TPM_PT_LOCKOUT_COUNTER);
}

static tpm_rc lock_reset(struct rig *r, const char *password)
{
	struct DictionaryAttackLockReset_in in = {.lockHandle = TPM_RH_LOCKOUT};

	rig_password(r, 0, password);
	return RIG_RUN(r, DictionaryAttackLockReset, &in, NULL);
}

static tpm_rc parameters(struct rig *r, uint32_t max, uint32_t recovery, uint32_t lockout)
{
	struct DictionaryAttackParameters_in in = {.lockHandle = TPM_RH_LOCKOUT,
						   .newMaxTries = max,
						   .newRecoveryTime = recovery,
						   .lockoutRecovery = lockout};

	return RIG_RUN(r, DictionaryAttackParameters, &in, NULL);
}

static void lock_out(struct rig *r)
{
	for (unsigned i = 0; i < MAX_TRIES; i++)
		RC(WRONG(r), FAILED);
	RC(RIGHT(r), TPM_RC_LOCKOUT);
}

static void orderly_reset(struct rig *r)
{
	struct Shutdown_in in = {.shutdownType = TPM_SU_CLEAR};

	OK(RIG_RUN(r, Shutdown, &in, NULL));
	rig_reset(r);
}

/* ---- 25.1 ---- */

static void lockout_25_1_begins_at_maxTries(void **state)
{
	struct rig *r = *state;

	begin_lockout(r);
	OK(RIGHT(r));
	RC(WRONG(r), FAILED);
	RC(WRONG(r), FAILED);
	OK(RIGHT(r)); /* a success forgives nothing */
	assert_int_equal(tries(r), 2);
	assert_false(property(r, TPM_PT_PERMANENT) & TPMA_PERMANENT_INLOCKOUT);
	RC(WRONG(r), FAILED);
	RC(WRONG(r), TPM_RC_LOCKOUT);
	RC(RIGHT(r), TPM_RC_LOCKOUT);
	assert_true(property(r, TPM_PT_PERMANENT) & TPMA_PERMANENT_INLOCKOUT);
	assert_int_equal(tries(r), MAX_TRIES);
}

static void lockout_25_1_leaves_out_what_is_exempt(void **state)
{
	struct rig *r = *state;
	struct HierarchyChangeAuth_in owner = {.authHandle = TPM_RH_OWNER,
					       .newAuth = rig_auth("o")};

	begin_lockout(r);
	for (unsigned i = 0; i < 2 * MAX_TRIES; i++)
		RC(try_index(r, INDEX + 1, "wrong"), RC_S(1, TPM_RC_BAD_AUTH));
	OK(RIG_RUN(r, HierarchyChangeAuth, &owner, NULL));
	RC(RIG_RUN(r, HierarchyChangeAuth, &owner, NULL), RC_S(1, TPM_RC_BAD_AUTH));
	assert_int_equal(tries(r), 0);
	lock_out(r);
	OK(try_index(r, INDEX + 1, "right"));
}

/* Part 3, 5.6: that the key is not here comes before that nobody may try its authValue. */
static void lockout_5_6_after_what_is_missing(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC public = rig_signing_template();
	struct Sign_in sign = {
		.digest.size = 32,
		.inScheme = {.scheme = TPM_ALG_ECDSA, .details.any.hashAlg = TPM_ALG_SHA256},
		.validation = {.tag = TPM_ST_HASHCHECK, .hierarchy = TPM_RH_NULL}};
	struct CreatePrimary_out made;
	struct LoadExternal_out out;

	NATIVE_ONLY(r); /* libtpms: TPM_RC_FAILURE */
	public.objectAttributes &= ~(uint32_t)TPMA_OBJECT_NODA;
	OK(primary(r, TPM_RH_OWNER, &public, NULL, &made));
	OK(load_external(r, &made.outPublic.publicArea, NULL, TPM_RH_OWNER, &out));
	begin_lockout(r);
	lock_out(r);
	sign.keyHandle = made.handle;
	RC(RIG_RUN(r, Sign, &sign, NULL), TPM_RC_LOCKOUT);
	sign.keyHandle = out.handle;
	RC(RIG_RUN(r, Sign, &sign, NULL), TPM_RC_AUTH_UNAVAILABLE);
}

static void lockout_25_1_heals_with_time(void **state)
{
	struct rig *r = *state;

	NATIVE_ONLY(r); /* libtpms looks at the clock on the wall */
	begin_lockout(r);
	lock_out(r);
	r->now_ms += 999999;
	RC(RIGHT(r), TPM_RC_LOCKOUT);
	r->now_ms += 1;
	OK(RIGHT(r));
	assert_int_equal(tries(r), 2);
	r->now_ms += 500000;
	RC(WRONG(r), FAILED); /* time begins again with each failure */
	r->now_ms += 999999;
	RC(RIGHT(r), TPM_RC_LOCKOUT);
	r->now_ms += 1 + 1000000;
	assert_int_equal(tries(r), 1);
	r->now_ms += 100u * 1000000;
	assert_int_equal(tries(r), 0);
}

/* Only time with power counts, and it begins anew at each start. */
static void lockout_25_1_power_cycles_heal_nothing(void **state)
{
	struct rig *r = *state;

	NATIVE_ONLY(r);
	begin_lockout(r);
	lock_out(r);
	for (unsigned i = 0; i < 4; i++) {
		r->now_ms += 900000;
		orderly_reset(r);
	}
	RC(RIGHT(r), TPM_RC_LOCKOUT);
	r->now_ms += 1000000;
	OK(RIGHT(r));
}

/* A TPM that loses its power after a try counts one, whether it was right or not. */
static void lockout_25_1_unorderly_end_counts(void **state)
{
	struct rig *r = *state;

	begin_lockout(r);
	orderly_reset(r);
	rig_reset(r); /* nothing was tried */
	assert_int_equal(tries(r), 0);
	OK(RIGHT(r));
	rig_reset(r);
	assert_int_equal(tries(r), 1);
	OK(RIGHT(r));
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_int_equal(tries(r), 2);
	OK(RIGHT(r));
	orderly_reset(r);
	assert_int_equal(tries(r), 2);
	{ /* a try after the shutdown makes the end unorderly */
		struct Shutdown_in in = {.shutdownType = TPM_SU_CLEAR};

		OK(RIG_RUN(r, Shutdown, &in, NULL));
	}
	OK(RIGHT(r));
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_int_equal(tries(r), 3);
	RC(RIGHT(r), TPM_RC_LOCKOUT);
	rig_reset(r); /* never above maxTries */
	assert_int_equal(tries(r), 3);
}

/* ---- what a guesser with a hand on the store or the power gets ---- */

/* The store must hold the mark before anything is compared. */
static void lockout_a_failing_store_compares_nothing(void **state)
{
	struct rig *r = *state;

	NATIVE_ONLY(r);
	begin_lockout(r);
	orderly_reset(r);
	r->fail_commits = ~0u;
	for (unsigned i = 0; i < 10; i++) {
		RC(WRONG(r), TPM_RC_NV_UNAVAILABLE);
		RC(RIGHT(r), TPM_RC_NV_UNAVAILABLE);
	}
	r->fail_commits = 0;
	assert_int_equal(tries(r), 0);
	OK(RIGHT(r));
}

/* A store that fails between the comparison and the answer: the answer tells nothing, and
 * the try counts. */
static void lockout_what_cannot_be_remembered_is_not_told(void **state)
{
	struct rig *r = *state;

	NATIVE_ONLY(r);
	begin_lockout(r);
	OK(RIGHT(r)); /* the mark is there */
	r->fail_commits = 1;
	RC(WRONG(r), TPM_RC_NV_UNAVAILABLE);
	assert_int_equal(tries(r), 1);
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_true(tries(r) >= 1);
}

static void lockout_kills_do_not_help(void **state)
{
	struct rig *r = *state;
	unsigned compared = 0;

	NATIVE_ONLY(r);
	begin_lockout(r);
	orderly_reset(r);
	for (unsigned i = 0; i < 10; i++) {
		tpm_rc rc = WRONG(r);

		compared += rc == FAILED;
		assert_true(rc == FAILED || rc == TPM_RC_LOCKOUT);
		rig_kill(r);
		OK(rig_startup(r, TPM_SU_CLEAR));
	}
	assert_true(compared <= MAX_TRIES);
	RC(RIGHT(r), TPM_RC_LOCKOUT);
}

/* ---- 25.2 ---- */

static void DictionaryAttackLockReset_25_2(void **state)
{
	struct rig *r = *state;

	begin_lockout(r);
	lock_out(r);
	OK(lock_reset(r, ""));
	assert_int_equal(tries(r), 0);
	OK(RIGHT(r));
	lock_out(r);
	if (!on_libtpms(r)) {
		r->fail_commits = 1;
		RC(lock_reset(r, ""), TPM_RC_NV_UNAVAILABLE);
		RC(RIGHT(r), TPM_RC_LOCKOUT);
	}
	OK(lock_reset(r, ""));
	rig_reset(r);
	OK(RIGHT(r));
}

/* One wrong lockoutAuth closes it, for everything that it authorises. */
static void lockoutAuth_25_2_has_one_try(void **state)
{
	struct rig *r = *state;
	struct HierarchyChangeAuth_in in = {.authHandle = TPM_RH_LOCKOUT,
					    .newAuth = rig_auth("secret")};

	begin_lockout(r);
	OK(RIG_RUN(r, HierarchyChangeAuth, &in, NULL));
	lock_out(r);
	RC(lock_reset(r, "wrong"), FAILED);
	RC(lock_reset(r, "secret"), TPM_RC_LOCKOUT);
	RC(parameters(r, 1, 1, 1), TPM_RC_LOCKOUT);
	assert_int_equal(tries(r), MAX_TRIES); /* the other counter is another */
	rig_reset(r);
	RC(lock_reset(r, "secret"), TPM_RC_LOCKOUT); /* nor does a reset open it */
	NATIVE_ONLY(r);
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	RC(lock_reset(r, "secret"), TPM_RC_LOCKOUT);
	r->now_ms += 999999;
	RC(lock_reset(r, "secret"), TPM_RC_LOCKOUT);
	r->now_ms += 1;
	OK(lock_reset(r, "secret"));
}

/* Neither a kill before the answer nor a store that fails gives a second try. */
static void lockoutAuth_is_closed_before_it_is_compared(void **state)
{
	struct rig *r = *state;
	struct HierarchyChangeAuth_in in = {.authHandle = TPM_RH_LOCKOUT,
					    .newAuth = rig_auth("secret")};

	NATIVE_ONLY(r);
	OK(RIG_RUN(r, HierarchyChangeAuth, &in, NULL));
	r->fail_commits = 1;
	RC(lock_reset(r, "wrong"), TPM_RC_NV_UNAVAILABLE);
	OK(lock_reset(r, "secret")); /* it was not compared */
	r->commits = 0;
	RC(lock_reset(r, "wrong"), FAILED);
	assert_true(r->commits >= 1);
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	RC(lock_reset(r, "secret"), TPM_RC_LOCKOUT);
	assert_int_equal(tries(r), 0); /* which is another matter than failed tries */
	r->now_ms += 1000000;
	OK(lock_reset(r, "secret"));
	rig_kill(r); /* what was right is open again in the store, too */
	OK(rig_startup(r, TPM_SU_CLEAR));
	OK(lock_reset(r, "secret"));
}

static tpm_rc use_session(struct rig *r, struct client_session *s, TPMA_SESSION attribute)
{
	struct GetRandom_in in = {.bytesRequested = 8};
	tpm_rc rc;

	s->attributes = TPMA_SESSION_CONTINUESESSION | attribute;
	do {
		rig_sessions(r, s, 1);
		rc = RIG_RUN(r, GetRandom, &in, NULL);
	} while (rc == TPM_RC_RETRY && on_libtpms(r));
	*s = r->sessions[0];
	return rc;
}

/* Who guesses the authValue by the key of a session that is bound to it is counted, whatever
 * the session is, and also when somebody else has made an audit session of it. */
static void bound_sessions_are_no_way_around(void **state)
{
	struct rig *r = *state;
	struct client_session s, wrong;

	begin_lockout(r);
	for (int i = 0; i < 2; i++) {
		TPM_SE type = i ? TPM_SE_POLICY : TPM_SE_HMAC;

		s = bound_session(r, type, INDEX, "right");
		OK(use_session(r, &s, TPMA_SESSION_ENCRYPT));
		rig_flush(r, s.handle);
		s = bound_session(r, type, INDEX, "wrong");
		RC(use_session(r, &s, TPMA_SESSION_ENCRYPT), FAILED);
		rig_flush(r, s.handle);
		assert_int_equal(tries(r), i + 1);
		s = bound_session(r, type, INDEX + 1, "wrong");
		RC(use_session(r, &s, TPMA_SESSION_ENCRYPT), RC_S(1, TPM_RC_BAD_AUTH));
		rig_flush(r, s.handle);
	}
	s = bound_session(r, TPM_SE_HMAC, INDEX, "right");
	OK(use_session(r, &s, TPMA_SESSION_AUDIT));
	wrong = s;
	wrong.sessionKey.buffer[0] ^= 1;
	RC(use_session(r, &wrong, TPMA_SESSION_AUDIT), FAILED);
	assert_int_equal(tries(r), 3);
	RC(use_session(r, &s, TPMA_SESSION_AUDIT), TPM_RC_LOCKOUT);
}

static void bound_sessions_to_lockoutAuth_have_one_try(void **state)
{
	struct rig *r = *state;
	struct HierarchyChangeAuth_in in = {.authHandle = TPM_RH_LOCKOUT,
					    .newAuth = rig_auth("secret")};
	struct client_session s;

	OK(RIG_RUN(r, HierarchyChangeAuth, &in, NULL));
	s = bound_session(r, TPM_SE_POLICY, TPM_RH_LOCKOUT, "secret");
	OK(use_session(r, &s, TPMA_SESSION_ENCRYPT));
	rig_flush(r, s.handle);
	s = bound_session(r, TPM_SE_POLICY, TPM_RH_LOCKOUT, "wrong");
	RC(use_session(r, &s, TPMA_SESSION_ENCRYPT), FAILED);
	RC(lock_reset(r, "secret"), TPM_RC_LOCKOUT);
}

/* Nothing would count the uses of a session that is bound to a PIN. */
static void no_session_is_bound_to_a_pin(void **state)
{
	struct rig *r = *state;
	struct StartAuthSession_in in = {.tpmKey = TPM_RH_NULL,
					 .bind = INDEX,
					 .nonceCaller.size = 32,
					 .sessionType = TPM_SE_HMAC,
					 .symmetric.algorithm = TPM_ALG_NULL,
					 .authHash = TPM_ALG_SHA256};

	NATIVE_ONLY(r); /* libtpms lets a PIN be guessed so */
	rig_define(r, INDEX,
		   TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE | TPMA_NV_NO_DA |
			   TPM_NT_PIN_FAIL << TPMA_NV_TPM_NT_SHIFT,
		   8, "1234");
	RC(RIG_RUN(r, StartAuthSession, &in, NULL), RC_H(2, TPM_RC_HANDLE));
}

/* A policy that does not let the value be compared costs no try. */
static void lockoutAuth_is_not_closed_by_what_is_not_compared(void **state)
{
	struct rig *r = *state;
	struct client_session s = rig_session(r, TPM_SE_POLICY);
	struct PolicyAuthValue_in value = {.policySession = s.handle};
	struct DictionaryAttackLockReset_in in = {.lockHandle = TPM_RH_LOCKOUT};

	OK(RIG_RUN(r, PolicyAuthValue, &value, NULL));
	rig_sessions(r, &s, 1);
	RC(RIG_RUN(r, DictionaryAttackLockReset, &in, NULL), TPM_RC_AUTH_UNAVAILABLE);
	OK(lock_reset(r, ""));
}

/* lockoutRecovery 0: until the next start. */
static void lockoutAuth_25_3_recovers_at_a_start(void **state)
{
	struct rig *r = *state;
	struct HierarchyChangeAuth_in in = {.authHandle = TPM_RH_LOCKOUT,
					    .newAuth = rig_auth("secret")};

	OK(parameters(r, MAX_TRIES, 1000, 0));
	OK(RIG_RUN(r, HierarchyChangeAuth, &in, NULL));
	RC(lock_reset(r, "wrong"), FAILED);
	r->now_ms += 100000000;
	RC(lock_reset(r, "secret"), TPM_RC_LOCKOUT);
	rig_reset(r);
	OK(lock_reset(r, "secret"));
}

/* ---- 25.3 ---- */

static void DictionaryAttackParameters_25_3(void **state)
{
	struct rig *r = *state;

	begin_lockout(r);
	assert_int_equal(property(r, TPM_PT_MAX_AUTH_FAIL), 3);
	assert_int_equal(property(r, TPM_PT_LOCKOUT_INTERVAL), 1000);
	assert_int_equal(property(r, TPM_PT_LOCKOUT_RECOVERY), 1000);
	OK(parameters(r, 5, 60, 120));
	assert_int_equal(property(r, TPM_PT_MAX_AUTH_FAIL), 5);
	assert_int_equal(property(r, TPM_PT_LOCKOUT_INTERVAL), 60);
	assert_int_equal(property(r, TPM_PT_LOCKOUT_RECOVERY), 120);
	for (unsigned i = 0; i < 5; i++)
		RC(WRONG(r), FAILED);
	RC(RIGHT(r), TPM_RC_LOCKOUT);
	OK(parameters(r, 6, 60, 120));
	OK(RIGHT(r));
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_int_equal(property(r, TPM_PT_MAX_AUTH_FAIL), 6);
	assert_int_equal(property(r, TPM_PT_LOCKOUT_INTERVAL), 60);
}

static void DictionaryAttackParameters_25_3_extremes(void **state)
{
	struct rig *r = *state;

	begin_lockout(r);
	OK(parameters(r, 0, 1000, 1000)); /* always locked out */
	RC(RIGHT(r), TPM_RC_LOCKOUT);
	OK(parameters(r, 2, 1000, 1000));
	RC(WRONG(r), FAILED);
	OK(parameters(r, 1, 0, 1000)); /* no protection, and nothing is held against anyone */
	for (unsigned i = 0; i < 10; i++)
		RC(WRONG(r), FAILED);
	OK(RIGHT(r));
	assert_int_equal(tries(r), 0);
	OK(parameters(r, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF));
	RC(WRONG(r), FAILED);
	r->now_ms += 1000000000;
	assert_int_equal(tries(r), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(lockout_25_1_begins_at_maxTries),
		OBJECT_TEST(lockout_25_1_leaves_out_what_is_exempt),
		OBJECT_TEST(lockout_5_6_after_what_is_missing),
		OBJECT_TEST(lockout_25_1_heals_with_time),
		OBJECT_TEST(lockout_25_1_power_cycles_heal_nothing),
		OBJECT_TEST(lockout_25_1_unorderly_end_counts),
		OBJECT_TEST(lockout_a_failing_store_compares_nothing),
		OBJECT_TEST(lockout_what_cannot_be_remembered_is_not_told),
		OBJECT_TEST(lockout_kills_do_not_help),
		OBJECT_TEST(DictionaryAttackLockReset_25_2),
		OBJECT_TEST(lockoutAuth_25_2_has_one_try),
		OBJECT_TEST(lockoutAuth_is_closed_before_it_is_compared),
		OBJECT_TEST(lockoutAuth_is_not_closed_by_what_is_not_compared),
		OBJECT_TEST(bound_sessions_are_no_way_around),
		OBJECT_TEST(bound_sessions_to_lockoutAuth_have_one_try),
		OBJECT_TEST(no_session_is_bound_to_a_pin),
		OBJECT_TEST(lockoutAuth_25_3_recovers_at_a_start),
		OBJECT_TEST(DictionaryAttackParameters_25_3),
		OBJECT_TEST(DictionaryAttackParameters_25_3_extremes),
	};

	return cmocka_run_group_tests_name("tpm 25 lockout", tests, NULL, NULL);
}
