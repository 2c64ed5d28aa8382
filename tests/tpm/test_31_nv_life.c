/* Part 3, 31: locks, starts, moves, the end of an index; NV_ChangeAuth and NV_Certify. */
#include "nv_commands.h"

/* ---- 31.11, 31.12, 31.14, locks ---- */

static void NV_WriteLock_31_11(void **state)
{
	struct rig *r = *state;

	OK(define(r, PLAIN_NV, 8));
	RC(write_lock(r, TPM_RH_OWNER), RC_H(2, TPM_RC_ATTRIBUTES));
	RC(write_lock(r, TPM_RH_PLATFORM), TPM_RC_NV_AUTHORIZATION);
	OK(undefine(r, TPM_RH_OWNER, INDEX));

	OK(define(r, PLAIN_NV | TPMA_NV_WRITE_STCLEAR, 8));
	OK(write_nv(r, "12345678", 8, 0));
	OK(write_lock(r, TPM_RH_OWNER));
	OK(write_lock(r, TPM_RH_OWNER));
	RC(write_nv(r, "x", 1, 0), TPM_RC_NV_LOCKED);
	RC(write_as(r, INDEX, "x", 1, 0), TPM_RC_NV_LOCKED);
	assert_true(attributes_now(r) & TPMA_NV_WRITELOCKED);
	TPM_RESUME(r);
	RC(write_nv(r, "x", 1, 0), TPM_RC_NV_LOCKED);
	TPM_RESTART(r);
	OK(write_nv(r, "x", 1, 0));
	OK(write_lock(r, TPM_RH_OWNER));
	TPM_RESET(r);
	OK(write_nv(r, "x", 1, 0));
	OK(write_lock(r, TPM_RH_OWNER));
	POWER_LOSS(r);
	OK(write_nv(r, "x", 1, 0));
}

static void NV_WriteLock_31_11_for_good(void **state)
{
	struct rig *r = *state;

	OK(define(r, PLAIN_NV | TPMA_NV_WRITEDEFINE, 8));
	OK(write_lock(r, TPM_RH_OWNER)); /* not written yet: until the next start */
	RC(write_nv(r, "x", 1, 0), TPM_RC_NV_LOCKED);
	TPM_RESET(r);
	OK(write_nv(r, "x", 1, 0));
	OK(write_lock(r, TPM_RH_OWNER));
	TPM_RESET(r);
	RC(write_nv(r, "x", 1, 0), TPM_RC_NV_LOCKED);
	POWER_LOSS(r);
	RC(write_nv(r, "x", 1, 0), TPM_RC_NV_LOCKED);
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	RC(write_nv(r, "x", 1, 0), TPM_RC_NV_LOCKED);
}

static void NV_GlobalWriteLock_31_12(void **state)
{
	struct rig *r = *state;
	TPMS_NV_PUBLIC public = public_of(PLAIN_NV, 8);
	struct NV_GlobalWriteLock_in in = {.authHandle = TPM_RH_OWNER};

	OK(define(r, PLAIN_NV | TPMA_NV_GLOBALLOCK, 8));
	public.nvIndex = OTHER;
	OK(define_as(r, TPM_RH_OWNER, &public, ""));
	OK(write_nv(r, "x", 1, 0));
	OK(RIG_RUN(r, NV_GlobalWriteLock, &in, NULL));
	OK(RIG_RUN(r, NV_GlobalWriteLock, &in, NULL));
	RC(write_nv(r, "x", 1, 0), TPM_RC_NV_LOCKED);
	{
		struct NV_Write_in other = {
			.authHandle = TPM_RH_OWNER, .nvIndex = OTHER, .data = {1, {1}}};

		OK(RIG_RUN(r, NV_Write, &other, NULL));
	}
	TPM_RESET(r);
	OK(write_nv(r, "x", 1, 0));
	in.authHandle = TPM_RH_PLATFORM;
	OK(RIG_RUN(r, NV_GlobalWriteLock, &in, NULL));
	RC(write_nv(r, "x", 1, 0), TPM_RC_NV_LOCKED);
}

static void NV_ReadLock_31_14(void **state)
{
	struct rig *r = *state;
	struct NV_Read_out out;

	OK(define(r, PLAIN_NV, 8));
	RC(read_lock(r, TPM_RH_OWNER), RC_H(2, TPM_RC_ATTRIBUTES));
	RC(read_lock(r, TPM_RH_PLATFORM), TPM_RC_NV_AUTHORIZATION);
	OK(undefine(r, TPM_RH_OWNER, INDEX));

	OK(define(r, PLAIN_NV | TPMA_NV_READ_STCLEAR, 8));
	OK(read_lock(r, TPM_RH_OWNER)); /* may be locked before it is written */
	OK(write_nv(r, "12345678", 8, 0));
	RC(read_as(r, TPM_RH_OWNER, 1, 0, &out), TPM_RC_NV_LOCKED);
	OK(read_lock(r, TPM_RH_OWNER));
	TPM_RESUME(r);
	RC(read_as(r, TPM_RH_OWNER, 1, 0, &out), TPM_RC_NV_LOCKED);
	TPM_RESTART(r);
	holds(r, "12345678", 8);
	OK(read_lock(r, TPM_RH_OWNER));
	TPM_RESET(r);
	holds(r, "12345678", 8);
}

/* ---- starts ---- */

static void NV_clear_stclear_is_unwritten_at_each_start(void **state)
{
	struct rig *r = *state;
	struct NV_Read_out out;

	OK(define(r, PLAIN_NV | TPMA_NV_CLEAR_STCLEAR, 4));
	OK(write_nv(r, "1234", 4, 0));
	TPM_RESUME(r);
	holds(r, "1234", 4);
	TPM_RESTART(r);
	RC(read_as(r, TPM_RH_OWNER, 4, 0, &out), TPM_RC_NV_UNINITIALIZED);
	OK(write_nv(r, "12", 2, 0));
	TPM_RESET(r);
	RC(read_as(r, TPM_RH_OWNER, 4, 0, &out), TPM_RC_NV_UNINITIALIZED);
}

static void NV_orderly_data_lives_from_shutdown_to_restart(void **state)
{
	struct rig *r = *state;
	struct NV_Read_out out;

	OK(define(r, PLAIN_NV | TPMA_NV_ORDERLY, 4));
	OK(write_nv(r, "1234", 4, 0));
	TPM_RESUME(r);
	holds(r, "1234", 4);
	TPM_RESTART(r);
	holds(r, "1234", 4);
	OK(shut_down(r, TPM_SU_STATE));
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_STATE));
	holds(r, "1234", 4);
	TPM_RESET(r);
	RC(read_as(r, TPM_RH_OWNER, 4, 0, &out), TPM_RC_NV_UNINITIALIZED);
}

static void NV_is_durable_when_it_is_answered(void **state)
{
	struct rig *r = *state;

	OK(define(r, PLAIN_NV, 4));
	OK(write_nv(r, "1234", 4, 0));
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	holds(r, "1234", 4);
	OK(undefine(r, TPM_RH_OWNER, INDEX));
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	OK(define(r, PLAIN_NV, 4));
}

/* The store refuses: nothing of the command has happened. */
static void NV_commands_are_undone(void **state)
{
	struct rig *r = *state;
	struct NV_Read_out out;

	NATIVE_ONLY(r);
	r->fail_commits = 1;
	RC(define(r, PLAIN_NV | TPMA_NV_WRITE_STCLEAR | TPMA_NV_READ_STCLEAR, 4),
	   TPM_RC_NV_UNAVAILABLE);
	OK(define(r, PLAIN_NV | TPMA_NV_WRITE_STCLEAR | TPMA_NV_READ_STCLEAR, 4));
	r->fail_commits = 1;
	RC(write_nv(r, "1234", 4, 0), TPM_RC_NV_UNAVAILABLE);
	RC(read_as(r, TPM_RH_OWNER, 4, 0, &out), TPM_RC_NV_UNINITIALIZED);
	OK(write_nv(r, "1234", 4, 0));
	r->fail_commits = 1;
	RC(write_nv(r, "xx", 2, 1), TPM_RC_NV_UNAVAILABLE);
	holds(r, "1234", 4);
	r->fail_commits = 1;
	RC(write_lock(r, TPM_RH_OWNER), TPM_RC_NV_UNAVAILABLE);
	OK(write_nv(r, "12", 2, 0));
	r->fail_commits = 1;
	RC(undefine(r, TPM_RH_OWNER, INDEX), TPM_RC_NV_UNAVAILABLE);
	holds(r, "1234", 4);
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	holds(r, "1234", 4);
}

/* A TPM that moves to another machine takes along what waits for TPM2_Shutdown. */
static void NV_orderly_data_moves_with_the_tpm(void **state)
{
	struct rig *r = *state, *other;
	static uint8_t permanent[65536], running[65536];
	size_t permanent_len = sizeof permanent, running_len = sizeof running;
	struct GetCapability_in startup = {.capability = TPM_CAP_TPM_PROPERTIES,
					   .property = TPM_PT_STARTUP_CLEAR,
					   .propertyCount = 1};
	struct GetCapability_out out;
	struct ReadClock_out before, after;
	uint64_t last;

	NATIVE_ONLY(r);
	TPM_RESET(r);
	OK(define(r, PLAIN_NV | TYPE(TPM_NT_COUNTER) | TPMA_NV_ORDERLY, 8));
	for (unsigned i = 0; i < 5; i++)
		OK(increment(r, INDEX));
	last = value_of(r);
	r->now_ms += 100000;
	OK(RIG_RUN(r, ReadClock, NULL, &before));
	OK(r->engine->save_state(r->tpm, CVTPM_BLOB_PERMANENT, permanent, &permanent_len));
	OK(r->engine->save_state(r->tpm, CVTPM_BLOB_VOLATILE, running, &running_len));
	other = rig_new(&cvtpm_engine_native);
	other->engine->power_off(other->tpm);
	OK(other->engine->load_state(other->tpm, CVTPM_BLOB_PERMANENT, permanent, permanent_len));
	OK(other->engine->load_state(other->tpm, CVTPM_BLOB_VOLATILE, running, running_len));
	OK(other->engine->power_on(other->tpm));
	assert_true(value_of(other) == last);
	OK(RIG_RUN(other, ReadClock, NULL, &after));
	assert_true(after.currentTime.time >= before.currentTime.time);
	assert_true(after.currentTime.clockInfo.clock >= before.currentTime.clockInfo.clock);
	OK(RIG_RUN(other, GetCapability, &startup, &out));
	assert_true(out.capabilityData.data.tpmProperties.tpmProperty[0].value &
		    TPMA_STARTUP_CLEAR_ORDERLY);
	POWER_LOSS(other);
	assert_true(value_of(other) == (last | 255));
	rig_free(other);
}

/* ---- 31.15 ---- */

static tpm_rc change_auth(struct rig *r, const struct client_session *s, const char *password)
{
	struct NV_ChangeAuth_in in = {.nvIndex = INDEX, .newAuth = rig_auth(password)};

	rig_sessions(r, s, 1);
	return RIG_RUN(r, NV_ChangeAuth, &in, NULL);
}

static void NV_ChangeAuth_31_15(void **state)
{
	struct rig *r = *state;
	TPMS_NV_PUBLIC public = public_of(PLAIN_NV, 8);
	struct client_session s = {.handle = TPM_RS_PW, .attributes = TPMA_SESSION_CONTINUESESSION};
	struct NV_Read_out out;
	char password[40] = {0};

	public.authPolicy = command_policy(r, TPM_CC_NV_ChangeAuth);
	OK(define_as(r, TPM_RH_OWNER, &public, "old"));
	OK(write_nv(r, "x", 1, 0));
	RC(change_auth(r, &s, "new"), TPM_RC_AUTH_TYPE);
	memset(password, 'x', 33);
	s = command_session(r, TPM_CC_NV_ChangeAuth);
	RC(change_auth(r, &s, password), RC_P(1, TPM_RC_SIZE));
	rig_flush(r, s.handle);
	s = command_session(r, TPM_CC_NV_ChangeAuth);
	OK(change_auth(r, &s, "new"));
	rig_password(r, 0, "old");
	RC(read_as(r, INDEX, 1, 0, &out), RC_S(1, TPM_RC_BAD_AUTH));
	rig_password(r, 0, "new");
	OK(read_as(r, INDEX, 1, 0, &out));
}

/* ---- 31.16 ---- */

static tpm_rc certify(struct rig *r, TPM_HANDLE key, uint16_t size, uint16_t offset,
		      TPMS_ATTEST *attest, TPMT_SIGNATURE *signature)
{
	struct NV_Certify_in in = {.signHandle = key,
				   .authHandle = TPM_RH_OWNER,
				   .nvIndex = INDEX,
				   .qualifyingData = data_of("nonce"),
				   .inScheme.scheme = TPM_ALG_NULL,
				   .size = size,
				   .offset = offset};
	struct NV_Certify_out out;
	struct reader reader;
	tpm_rc rc = RIG_RUN(r, NV_Certify, &in, &out);

	if (rc)
		return rc;
	reader = (struct reader){out.certifyInfo.buffer, out.certifyInfo.size};
	OK(type_read(&type_TPMS_ATTEST, attest, &reader, false));
	assert_int_equal(reader.left, 0);
	*signature = out.signature;
	return rc;
}

/* 31.1: told before the authValue is compared, so that no such try counts; and of its own
 * authority alone. */
static void NV_unwritten_is_told_before_the_password_31_1(void **state)
{
	struct rig *r = *state;
	TPMS_NV_PUBLIC public = public_of(READS | WRITES | TPMA_NV_READ_STCLEAR, 8);
	struct client_session policy = rig_session(r, TPM_SE_POLICY),
			      trial = rig_session(r, TPM_SE_TRIAL);
	struct NV_Certify_in certify_in = {.signHandle = TPM_RH_NULL,
					   .authHandle = INDEX,
					   .nvIndex = INDEX,
					   .inScheme.scheme = TPM_ALG_NULL,
					   .size = 8};
	struct PolicyNV_in compare = {
		.authHandle = INDEX, .nvIndex = INDEX, .policySession = policy.handle};
	struct PolicyAuthorizeNV_in approve = {
		.authHandle = INDEX, .nvIndex = INDEX, .policySession = policy.handle};
	struct NV_Read_out out;

	NATIVE_ONLY(r);
	OK(define_as(r, TPM_RH_OWNER, &public, "right"));
	for (int i = 0; i < 4; i++) { /* more than maxTries */
		rig_password(r, 0, "wrong");
		RC(read_as(r, INDEX, 8, 0, &out), TPM_RC_NV_UNINITIALIZED);
		rig_password(r, 0, "");
		rig_password(r, 1, "wrong");
		RC(RIG_RUN(r, NV_Certify, &certify_in, NULL), TPM_RC_NV_UNINITIALIZED);
		rig_password(r, 0, "wrong");
		RC(RIG_RUN(r, PolicyNV, &compare, NULL), TPM_RC_NV_UNINITIALIZED);
		rig_password(r, 0, "wrong");
		RC(RIG_RUN(r, PolicyAuthorizeNV, &approve, NULL), TPM_RC_NV_UNINITIALIZED);
	}
	/* a lock and a trial read nothing, and want the right one */
	rig_password(r, 0, "wrong");
	RC(read_lock(r, INDEX), RC_S(1, TPM_RC_AUTH_FAIL));
	compare.policySession = trial.handle;
	rig_password(r, 0, "wrong");
	RC(RIG_RUN(r, PolicyNV, &compare, NULL), RC_S(1, TPM_RC_AUTH_FAIL));
	rig_password(r, 0, "right");
	OK(RIG_RUN(r, PolicyNV, &compare, NULL));
	OK(write_as(r, TPM_RH_OWNER, "12345678", 8, 0));
	rig_password(r, 0, "right");
	OK(read_as(r, INDEX, 8, 0, &out));
	rig_password(r, 0, "wrong");
	RC(read_as(r, INDEX, 8, 0, &out), RC_S(1, TPM_RC_AUTH_FAIL));
	rig_password(r, 0, "right"); /* that was the third */
	RC(read_as(r, INDEX, 8, 0, &out), TPM_RC_LOCKOUT);
}

static void NV_Certify_31_16(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC template = rig_signing_template();
	struct key key = make_primary(r, TPM_RH_OWNER, &template, "");
	TPM_HANDLE storage = storage_primary(r);
	TPMS_ATTEST attest;
	TPMT_SIGNATURE signature;
	TPM2B_DIGEST digest;
	TPM2B_NAME name;

	OK(define(r, PLAIN_NV, 8));
	RC(certify(r, key.handle, 0, 0, &attest, &signature), TPM_RC_NV_UNINITIALIZED);
	OK(write_nv(r, "12345678", 8, 0));
	name = public_now(r).nvName;
	RC(certify(r, storage, 8, 0, &attest, &signature), RC_H(1, TPM_RC_KEY));
	RC(certify(r, key.handle, 8, 1, &attest, &signature), TPM_RC_NV_RANGE);

	OK(certify(r, key.handle, 3, 2, &attest, &signature));
	assert_int_equal(signature.sigAlg, TPM_ALG_ECDSA);
	assert_int_equal(attest.type, TPM_ST_ATTEST_NV);
	assert_memory_equal(attest.extraData.buffer, "nonce", 5);
	assert_memory_equal(attest.attested.nv.indexName.buffer, name.buffer, name.size);
	assert_int_equal(attest.attested.nv.offset, 2);
	assert_int_equal(attest.attested.nv.nvContents.size, 3);
	assert_memory_equal(attest.attested.nv.nvContents.buffer, "345", 3);

	OK(certify(r, key.handle, 0, 0, &attest, &signature));
	digest = digest_of(TPM_ALG_SHA256, "12345678", 8);
	assert_int_equal(attest.type, TPM_ST_ATTEST_NV_DIGEST);
	assert_memory_equal(attest.attested.nvDigest.nvDigest.buffer, digest.buffer, 32);

	OK(certify(r, TPM_RH_NULL, 0, 0, &attest, &signature)); /* no hash: no digest */
	assert_int_equal(attest.type, TPM_ST_ATTEST_NV_DIGEST);
	assert_int_equal(attest.attested.nvDigest.nvDigest.size, 0);
	OK(certify(r, TPM_RH_NULL, 8, 0, &attest, &signature));
	assert_int_equal(signature.sigAlg, TPM_ALG_NULL);
	assert_int_equal(attest.attested.nv.nvContents.size, 8);
}

static void NV_Certify_31_16_of_a_large_index(void **state)
{
	struct rig *r = *state;
	uint8_t data[2048] = {7};
	TPMS_ATTEST attest;
	TPMT_SIGNATURE signature;

	NATIVE_ONLY(r);
	OK(define(r, PLAIN_NV, 4096));
	OK(write_nv(r, data, sizeof data, 0));
	RC(certify(r, TPM_RH_NULL, 2049, 0, &attest, &signature), RC_P(3, TPM_RC_VALUE));
	OK(certify(r, TPM_RH_NULL, 2048, 0, &attest, &signature));
	assert_int_equal(attest.attested.nv.nvContents.size, 2048);
	assert_memory_equal(attest.attested.nv.nvContents.buffer, data, 2048);
}

/* As many as there can be, all of them locked: one start and one shutdown can change and
 * write them all, and a start that fails has changed none. */
static void NV_all_indices_at_a_start(void **state)
{
	const TPMA_NV attributes = PLAIN_NV | TPMA_NV_READ_STCLEAR | TPMA_NV_GLOBALLOCK;
	struct rig *r = *state;
	struct NV_GlobalWriteLock_in lock = {.authHandle = TPM_RH_OWNER};
	TPMS_NV_PUBLIC public = public_of(attributes, 8);

	NATIVE_ONLY(r);
	OK(RIG_RUN(r, EvictControl,
		   (&(struct EvictControl_in){.auth = TPM_RH_OWNER,
					      .objectHandle = storage_primary(r),
					      .persistentHandle = 0x81000001}),
		   NULL));
	for (unsigned i = 0; i < 128; i++) {
		struct NV_ReadLock_in in = {.authHandle = TPM_RH_OWNER, .nvIndex = INDEX + i};

		public.nvIndex = INDEX + i;
		OK(define_as(r, TPM_RH_OWNER, &public, ""));
		OK(RIG_RUN(r, NV_ReadLock, &in, NULL));
	}
	public.nvIndex++;
	RC(define_as(r, TPM_RH_OWNER, &public, ""), TPM_RC_NV_SPACE);
	r->fail_commits = 1;
	RC(RIG_RUN(r, NV_GlobalWriteLock, &lock, NULL), TPM_RC_NV_UNAVAILABLE);
	assert_false(attributes_now(r) & TPMA_NV_WRITELOCKED);
	OK(RIG_RUN(r, NV_GlobalWriteLock, &lock, NULL));
	OK(shut_down(r, TPM_SU_STATE));
	OK(r->engine->power_on(r->tpm));
	r->fail_commits = 1;
	RC(rig_startup(r, TPM_SU_CLEAR), TPM_RC_NV_UNAVAILABLE);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_int_equal(attributes_now(r), attributes);
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_int_equal(attributes_now(r), attributes);
}

/* ---- what the evidence rests on: an index that nobody can change any more ---- */

static void NV_immutable_index_withstands_every_authority(void **state)
{
	struct rig *r = *state;
	TPMS_NV_PUBLIC public = public_of(0x42072401u, 8);
	struct NV_UndefineSpaceSpecial_in special = {.nvIndex = INDEX, .platform = TPM_RH_PLATFORM};
	struct NV_Increment_in inc = {.authHandle = TPM_RH_PLATFORM, .nvIndex = INDEX};
	struct NV_SetBits_in bits = {.authHandle = TPM_RH_PLATFORM, .nvIndex = INDEX, .bits = 1};
	struct NV_Extend_in ext = {.authHandle = TPM_RH_PLATFORM, .nvIndex = INDEX};
	struct NV_ChangeAuth_in change = {.nvIndex = INDEX};
	struct NV_GlobalWriteLock_in global = {.authHandle = TPM_RH_PLATFORM};
	struct Clear_in clear = {.authHandle = TPM_RH_PLATFORM};
	struct ChangePPS_in pps = {.authHandle = TPM_RH_PLATFORM};
	struct ChangeEPS_in eps = {.authHandle = TPM_RH_PLATFORM};
	struct client_session s;

	OK(define_as(r, TPM_RH_PLATFORM, &public, ""));
	OK(write_as(r, TPM_RH_PLATFORM, "evidence", 8, 0));
	OK(write_lock(r, TPM_RH_PLATFORM));

	RC(undefine(r, TPM_RH_PLATFORM, INDEX), 0x282);
	RC(undefine(r, TPM_RH_OWNER, INDEX), 0x282);
	RC(RIG_RUN(r, NV_UndefineSpaceSpecial, &special, NULL), 0x124);
	s = rig_session(r, TPM_SE_HMAC);
	RC(undefine_special(r, &s), 0x124);
	s = command_session(r, TPM_CC_NV_UndefineSpaceSpecial);
	RC(undefine_special(r, &s), 0x12F);
	RC(write_as(r, TPM_RH_PLATFORM, "x", 1, 0), 0x148);
	RC(write_as(r, TPM_RH_OWNER, "x", 1, 0), 0x148);
	RC(write_as(r, INDEX, "x", 1, 0), 0x12F);
	RC(RIG_RUN(r, NV_Increment, &inc, NULL), 0x148);
	RC(RIG_RUN(r, NV_SetBits, &bits, NULL), 0x148);
	RC(RIG_RUN(r, NV_Extend, &ext, NULL), 0x148);
	RC(define_as(r, TPM_RH_PLATFORM, &public, ""), 0x14C);
	RC(RIG_RUN(r, NV_ChangeAuth, &change, NULL), 0x124);
	RC(read_lock(r, TPM_RH_PLATFORM), 0x282);
	OK(RIG_RUN(r, NV_GlobalWriteLock, &global, NULL));
	OK(RIG_RUN(r, Clear, &clear, NULL));
	OK(RIG_RUN(r, ChangePPS, &pps, NULL));
	OK(RIG_RUN(r, ChangeEPS, &eps, NULL));
	holds(r, "evidence", 8);
	TPM_RESET(r);
	RC(write_as(r, TPM_RH_PLATFORM, "x", 1, 0), 0x148);
	POWER_LOSS(r);
	RC(write_as(r, TPM_RH_PLATFORM, "x", 1, 0), 0x148);
	holds(r, "evidence", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(NV_WriteLock_31_11),
		OBJECT_TEST(NV_WriteLock_31_11_for_good),
		OBJECT_TEST(NV_GlobalWriteLock_31_12),
		OBJECT_TEST(NV_ReadLock_31_14),
		OBJECT_TEST(NV_clear_stclear_is_unwritten_at_each_start),
		OBJECT_TEST(NV_orderly_data_lives_from_shutdown_to_restart),
		OBJECT_TEST(NV_is_durable_when_it_is_answered),
		OBJECT_TEST(NV_commands_are_undone),
		OBJECT_TEST(NV_orderly_data_moves_with_the_tpm),
		OBJECT_TEST(NV_ChangeAuth_31_15),
		OBJECT_TEST(NV_unwritten_is_told_before_the_password_31_1),
		OBJECT_TEST(NV_Certify_31_16),
		OBJECT_TEST(NV_Certify_31_16_of_a_large_index),
		OBJECT_TEST(NV_all_indices_at_a_start),
		OBJECT_TEST(NV_immutable_index_withstands_every_authority),
	};

	return cmocka_run_group_tests_name("tpm 31 NV, life", tests, NULL, NULL);
}
