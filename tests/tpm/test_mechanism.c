/*
 * What the engine promises of every command, whatever it is: authorisation, undo,
 * durability, and how they hold when the store fails or the process dies.
 */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

#include "tpm/tpm.h"

#define NV_INDEX 0x01500000u
#define NV_PLAIN (TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE)

static struct rig *rig_native(void)
{
	return rig_new(&cvtpm_engine_native);
}

/* An index with the password "right", protected from dictionary attack. */
static struct rig *rig_with_secret(void)
{
	struct rig *r = rig_native();

	rig_define(r, NV_INDEX, NV_PLAIN, 8, "right");
	{
		struct NV_Write_in in = {
			.authHandle = NV_INDEX, .nvIndex = NV_INDEX, .data = {8, {1, 2, 3}}};

		rig_password(r, 0, "right");
		assert_int_equal(RIG_RUN(r, NV_Write, &in, NULL), 0);
	}
	return r;
}

static tpm_rc read_secret(struct rig *r, const char *password)
{
	struct NV_Read_in in = {.authHandle = NV_INDEX, .nvIndex = NV_INDEX, .size = 8};

	rig_password(r, 0, password);
	return RIG_RUN(r, NV_Read, &in, NULL);
}

static uint32_t property(struct rig *r, uint32_t which)
{
	struct GetCapability_in in = {
		.capability = TPM_CAP_TPM_PROPERTIES, .property = which, .propertyCount = 1};
	struct GetCapability_out out;

	assert_int_equal(RIG_RUN(r, GetCapability, &in, &out), 0);
	assert_int_equal(out.capabilityData.data.tpmProperties.tpmProperty[0].property, which);
	return out.capabilityData.data.tpmProperties.tpmProperty[0].value;
}

/* ---- headers and modes ---- */

/* 6.2: whatever is no command of the table, what else the specification has (docs/spec-coverage.md)
 * and vendors' commands too. */
static void other_codes_are_no_commands(void **state)
{
	struct rig *r = rig_native();
	unsigned others = 0;

	(void)state;
	for (uint32_t i = 0; i < 0x400; i++) {
		const uint32_t code = i & 0x200 ? 0x20000000 | (i & 0x1FF) : i;
		const uint8_t bytes[] = {0x80,
					 0x01,
					 0,
					 0,
					 0,
					 10,
					 (uint8_t)(code >> 24),
					 0,
					 (uint8_t)(code >> 8),
					 (uint8_t)code};

		if (command_find(code))
			continue;
		assert_int_equal(rig_raw(r, bytes, sizeof bytes), TPM_RC_COMMAND_CODE);
		others++;
	}
	assert_in_range(others, 0x380, 0x3FF);
	rig_free(r);
}

static void header_errors(void **state)
{
	struct rig *r = rig_native();
	const uint8_t tag[] = {0x80, 0x03, 0, 0, 0, 10, 0, 0, 1, 0x81};
	const uint8_t size[] = {0x80, 0x01, 0, 0, 0, 11, 0, 0, 1, 0x81};
	const uint8_t code[] = {0x80, 0x01, 0, 0, 0, 10, 0, 0, 0xFF, 0xFF};
	const uint8_t trailing[] = {0x80, 0x01, 0, 0, 0, 11, 0, 0, 1, 0x81, 0};

	(void)state;
	assert_int_equal(rig_raw(r, tag, sizeof tag), TPM_RC_BAD_TAG);
	assert_int_equal(r->response[1], TPM_ST_RSP_COMMAND);
	assert_int_equal(rig_raw(r, size, sizeof size), TPM_RC_COMMAND_SIZE);
	assert_int_equal(rig_raw(r, code, sizeof code), TPM_RC_COMMAND_CODE);
	assert_int_equal(rig_raw(r, trailing, sizeof trailing), TPM_RC_SIZE);
	for (size_t len = 0; len < 10; len++)
		assert_int_not_equal(rig_raw(r, tag, len), 0);
	rig_free(r);
}

static void only_startup_before_startup(void **state)
{
	struct rig *r = rig_new_off(&cvtpm_engine_native);
	struct GetRandom_in in = {.bytesRequested = 8};

	(void)state;
	assert_int_equal(RIG_RUN(r, GetRandom, &in, NULL), TPM_RC_INITIALIZE);
	assert_int_equal(rig_startup(r, TPM_SU_CLEAR), 0);
	assert_int_equal(rig_startup(r, TPM_SU_CLEAR), TPM_RC_INITIALIZE);
	assert_int_equal(RIG_RUN(r, GetRandom, &in, NULL), 0);
	rig_free(r);
}

/* No entropy: failure mode, never a weaker source. What tells why goes on. */
static void lack_of_entropy_is_failure_mode(void **state)
{
	struct rig *r = rig_native();
	struct StirRandom_in stir = {.inData = {4, {1}}};
	struct GetRandom_in in = {.bytesRequested = 8};
	struct GetTestResult_out result;
	struct GetCapability_in cap = {.capability = TPM_CAP_TPM_PROPERTIES,
				       .property = TPM_PT_MANUFACTURER,
				       .propertyCount = 1};

	(void)state;
	r->fail_entropy = true;
	RIG_RUN(r, StirRandom, &stir, NULL);
	assert_int_equal(RIG_RUN(r, GetRandom, &in, NULL), TPM_RC_FAILURE);
	assert_int_equal(RIG_RUN(r, GetTestResult, NULL, &result), 0);
	assert_int_equal(result.testResult, TPM_RC_FAILURE);
	assert_int_equal(RIG_RUN(r, GetCapability, &cap, NULL), 0);
	assert_true(strlen(r->log) > 0);
	r->fail_entropy = false;
	rig_reset(r);
	assert_int_equal(RIG_RUN(r, GetRandom, &in, NULL), 0);
	rig_free(r);
}

/* ---- sessions ---- */

static void session_area_errors(void **state)
{
	struct rig *r = rig_with_secret();
	struct NV_Read_in in = {.authHandle = NV_INDEX, .nvIndex = NV_INDEX, .size = 8};
	struct client_session s[4];

	(void)state;
	rig_no_sessions(r);
	assert_int_equal(RIG_RUN(r, NV_Read, &in, NULL), TPM_RC_AUTH_MISSING);

	memset(s, 0, sizeof s);
	s[0] = (struct client_session){
		.handle = TPM_RS_PW, .auth = rig_auth("right"), .attributes = TPMA_SESSION_AUDIT};
	rig_sessions(r, s, 1);
	assert_int_equal(RIG_RUN(r, NV_Read, &in, NULL), RC_S(1, TPM_RC_ATTRIBUTES));
	s[0].attributes = 0x08;
	rig_sessions(r, s, 1);
	assert_int_equal(RIG_RUN(r, NV_Read, &in, NULL), RC_S(1, TPM_RC_RESERVED_BITS));
	s[0].attributes = TPMA_SESSION_CONTINUESESSION;
	s[1] = s[0]; /* a second password, for nothing */
	rig_sessions(r, s, 2);
	assert_int_equal(RIG_RUN(r, NV_Read, &in, NULL), RC_S(2, TPM_RC_HANDLE));
	s[1] = rig_session(r, TPM_SE_HMAC);
	s[1].attributes = TPMA_SESSION_CONTINUESESSION; /* neither audits nor encrypts */
	rig_sessions(r, s, 2);
	assert_int_equal(RIG_RUN(r, NV_Read, &in, NULL), RC_S(2, TPM_RC_ATTRIBUTES));
	s[1].attributes = TPMA_SESSION_ENCRYPT; /* but it has no algorithm */
	rig_sessions(r, s, 2);
	assert_int_equal(RIG_RUN(r, NV_Read, &in, NULL), RC_S(2, TPM_RC_SYMMETRIC));
	s[1].handle ^= 0x1F; /* not loaded */
	rig_sessions(r, s, 2);
	assert_int_equal(RIG_RUN(r, NV_Read, &in, NULL), TPM_RC_REFERENCE_S0 + 1);
	s[1].handle = 0x80000000;
	rig_sessions(r, s, 2);
	assert_int_equal(RIG_RUN(r, NV_Read, &in, NULL), RC_S(2, TPM_RC_VALUE));
	{
		struct FlushContext_in flush = {.flushHandle = HMAC_SESSION_FIRST};

		rig_password(r, 0, "");
		assert_int_equal(RIG_RUN(r, FlushContext, &flush, NULL), TPM_RC_AUTH_CONTEXT);
	}
	rig_free(r);
}

static void hmac_sessions_authorise_and_are_answered(void **state)
{
	struct rig *r = rig_native();
	struct client_session s = rig_session(r, TPM_SE_HMAC);
	struct HierarchyChangeAuth_in in = {.authHandle = TPM_RH_OWNER, .newAuth = rig_auth("a")};
	TPM2B_AUTH next = rig_auth("a");

	(void)state;
	/* The response of a command that changes its own authorisation is made with the new
	 * value (Part 1, 19.6.6). */
	s.auth_after = &next;
	rig_sessions(r, &s, 1);
	assert_int_equal(RIG_RUN(r, HierarchyChangeAuth, &in, NULL), 0);
	s = r->sessions[0];
	s.auth_after = NULL;

	s.auth = rig_auth("wrong");
	rig_fresh_nonce(r, &s);
	rig_sessions(r, &s, 1);
	assert_int_equal(RIG_RUN(r, HierarchyChangeAuth, &in, NULL), RC_S(1, TPM_RC_BAD_AUTH));

	s.auth = rig_auth("a");
	next = rig_auth("");
	in.newAuth = rig_auth("");
	s.auth_after = &next;
	rig_sessions(r, &s, 1);
	assert_int_equal(RIG_RUN(r, HierarchyChangeAuth, &in, NULL), 0);
	/* A nonce is used once: the same bytes again are refused. */
	assert_int_equal(rig_raw(r, r->command, r->command_len), RC_S(1, TPM_RC_BAD_AUTH));
	rig_free(r);
}

static void a_session_that_ends_still_signs_its_response(void **state)
{
	struct rig *r = rig_with_secret();
	struct client_session s = rig_session(r, TPM_SE_HMAC);
	struct NV_Read_in in = {.authHandle = NV_INDEX, .nvIndex = NV_INDEX, .size = 8};
	struct NV_ReadPublic_in public_in = {.nvIndex = NV_INDEX};
	struct NV_ReadPublic_out public;

	(void)state;
	assert_int_equal(RIG_RUN(r, NV_ReadPublic, &public_in, &public), 0);
	s.auth = rig_auth("right");
	s.attributes = 0;
	rig_name(r, 0, &public.nvName);
	rig_name(r, 1, &public.nvName);
	rig_sessions(r, &s, 1);
	assert_int_equal(RIG_RUN(r, NV_Read, &in, NULL), 0);
	rig_sessions(r, &s, 1);
	assert_int_equal(RIG_RUN(r, NV_Read, &in, NULL), TPM_RC_REFERENCE_S0);
	rig_free(r);
}

/* ---- undo ---- */

/* Everything transactional, as bytes: no error may change a bit of it. */
static size_t snapshot(const struct rig *r, uint8_t *out)
{
	const struct tpm *t = r->memory;
	size_t from = offsetof(struct tpm, hierarchy), to = offsetof(struct tpm, objects);

	memcpy(out, (const uint8_t *)t + from, to - from);
	memcpy(out + to - from, t->nv.memory, t->nv.used);
	return to - from + t->nv.used;
}

static void an_error_changes_nothing(void **state)
{
	static uint8_t before[sizeof(struct tpm)], after[sizeof(struct tpm)];
	struct rig *r = rig_with_secret();
	size_t len;

	(void)state;
	len = snapshot(r, before);
	assert_int_equal(read_secret(r, "wrong"), RC_S(1, TPM_RC_AUTH_FAIL));
	assert_int_equal(snapshot(r, after), len);
	assert_memory_equal(before, after, len);
	{ /* fails late, in the body */
		struct NV_Write_in in = {
			.authHandle = NV_INDEX, .nvIndex = NV_INDEX, .data = {8, {9}}, .offset = 4};

		rig_password(r, 0, "right");
		assert_int_equal(RIG_RUN(r, NV_Write, &in, NULL), TPM_RC_NV_RANGE);
	}
	assert_int_equal(snapshot(r, after), len);
	assert_memory_equal(before, after, len);
	rig_free(r);
}

static void a_failed_store_undoes_the_command(void **state)
{
	static uint8_t before[sizeof(struct tpm)], after[sizeof(struct tpm)];
	struct rig *r = rig_with_secret();
	struct client_session s = rig_session(r, TPM_SE_HMAC);
	struct HierarchyChangeAuth_in change = {.authHandle = TPM_RH_OWNER,
						.newAuth = rig_auth("new")};
	struct Clear_in clear = {.authHandle = TPM_RH_PLATFORM};
	size_t len = snapshot(r, before);

	(void)state;
	r->fail_commits = ~0u;
	rig_sessions(r, &s, 1);
	assert_int_equal(RIG_RUN(r, HierarchyChangeAuth, &change, NULL), TPM_RC_NV_UNAVAILABLE);
	assert_int_equal(RIG_RUN(r, Clear, &clear, NULL), TPM_RC_NV_UNAVAILABLE);
	assert_int_equal(snapshot(r, after), len);
	assert_memory_equal(before, after, len); /* rolled nonces included */
	r->fail_commits = 0;
	assert_int_equal(read_secret(r, "right"), 0);
	rig_sessions(r, &s, 1); /* the nonce that it had */
	s.auth_after = &change.newAuth;
	rig_sessions(r, &s, 1);
	assert_int_equal(RIG_RUN(r, HierarchyChangeAuth, &change, NULL), 0);
	rig_free(r);
}

/* ---- dictionary attack ---- */

static uint32_t max_tries(struct rig *r)
{
	return property(r, TPM_PT_MAX_AUTH_FAIL);
}

/* Killing the TPM before or after it has answered a wrong guess forgives nothing. */
static void wrong_password_then_sigkill_reaches_lockout(void **state)
{
	struct rig *r = rig_with_secret();
	uint32_t tries = max_tries(r), guesses = 0;
	tpm_rc rc;

	(void)state;
	do {
		rc = read_secret(r, "wrong");
		rig_kill(r);
		assert_int_equal(rig_startup(r, TPM_SU_CLEAR), 0);
		guesses++;
	} while (rc == RC_S(1, TPM_RC_AUTH_FAIL) && guesses <= tries);
	assert_true(guesses <= tries + 1);
	assert_int_equal(read_secret(r, "right"), TPM_RC_LOCKOUT);
	rig_free(r);
}

static void a_failing_store_allows_no_extra_guess(void **state)
{
	struct rig *r = rig_with_secret();
	uint32_t tries = max_tries(r), compared = 0;

	(void)state;
	rig_reset(r);
	for (uint32_t i = 0; i < 4 * tries; i++) {
		tpm_rc rc;

		r->fail_commits = ~0u;
		for (unsigned n = 0; n < 3; n++) {
			rc = read_secret(r, "right");
			assert_true(rc == TPM_RC_NV_UNAVAILABLE || rc == TPM_RC_LOCKOUT || rc == 0);
			compared += rc == 0;
		}
		r->fail_commits = 0;
		rig_kill(r);
		assert_int_equal(rig_startup(r, TPM_SU_CLEAR), 0);
	}
	assert_int_equal(compared, 0); /* nothing was compared that could not be remembered */

	/* The guess during which the store fails costs a try: the mark was durable before. */
	compared = 0;
	for (uint32_t i = 0; i < 2 * tries; i++) {
		tpm_rc rc = read_secret(r, "right"); /* marks the entity as used */
		if (rc == TPM_RC_LOCKOUT)
			break;
		assert_int_equal(rc, 0);
		r->fail_commits = ~0u;
		for (unsigned n = 0; n < 3; n++) {
			rc = read_secret(r, "wrong");
			assert_int_not_equal(rc, 0);
		}
		rc = read_secret(r, "right");
		assert_int_equal(rc, TPM_RC_NV_UNAVAILABLE);
		r->fail_commits = 0;
		rig_kill(r);
		assert_int_equal(rig_startup(r, TPM_SU_CLEAR), 0);
		compared++;
	}
	assert_true(compared <= tries);
	assert_int_equal(read_secret(r, "right"), TPM_RC_LOCKOUT);
	rig_free(r);
}

static void an_empty_policy_opens_nothing(void **state)
{
	struct rig *r = rig_native();
	struct client_session s;
	struct NV_UndefineSpaceSpecial_in in = {.nvIndex = NV_INDEX, .platform = TPM_RH_PLATFORM};
	struct client_session two[2];

	(void)state;
	rig_define(r, NV_INDEX,
		   TPMA_NV_PPREAD | TPMA_NV_PPWRITE | TPMA_NV_POLICY_DELETE |
			   TPMA_NV_PLATFORMCREATE | TPMA_NV_POLICYREAD | TPMA_NV_POLICYWRITE,
		   8, "");
	s = rig_session(r, TPM_SE_POLICY);
	two[0] = s;
	two[1] = (struct client_session){.handle = TPM_RS_PW,
					 .attributes = TPMA_SESSION_CONTINUESESSION};
	rig_sessions(r, two, 2);
	assert_int_equal(RIG_RUN(r, NV_UndefineSpaceSpecial, &in, NULL), TPM_RC_AUTH_UNAVAILABLE);
	{ /* nor of a hierarchy */
		struct Clear_in clear = {.authHandle = TPM_RH_PLATFORM};

		rig_sessions(r, &s, 1);
		assert_int_equal(RIG_RUN(r, Clear, &clear, NULL), TPM_RC_AUTH_UNAVAILABLE);
	}
	rig_free(r);
}

/* ---- what survives ---- */

static void acknowledged_state_survives_sigkill(void **state)
{
	struct rig *r = rig_with_secret();
	struct HierarchyChangeAuth_in in = {.authHandle = TPM_RH_OWNER,
					    .newAuth = rig_auth("owner")};

	(void)state;
	assert_int_equal(RIG_RUN(r, HierarchyChangeAuth, &in, NULL), 0);
	rig_kill(r);
	assert_false(r->is_new);
	assert_int_equal(rig_startup(r, TPM_SU_STATE), RC_P(1, TPM_RC_VALUE));
	assert_int_equal(rig_startup(r, TPM_SU_CLEAR), 0);
	assert_int_equal(read_secret(r, "right"), 0);
	in.newAuth = rig_auth("");
	assert_int_equal(RIG_RUN(r, HierarchyChangeAuth, &in, NULL), RC_S(1, TPM_RC_BAD_AUTH));
	rig_password(r, 0, "owner");
	assert_int_equal(RIG_RUN(r, HierarchyChangeAuth, &in, NULL), 0);
	rig_free(r);
}

static void resume_restart_and_reset(void **state)
{
	struct rig *r = rig_native();
	struct Shutdown_in shutdown = {.shutdownType = TPM_SU_STATE};
	TPM2B_DIGEST before;
	struct ReadClock_out clock, later;

	(void)state;
	rig_extend_pcr(r, 5);
	before = rig_read_pcr(r, 5);
	assert_int_equal(RIG_RUN(r, ReadClock, NULL, &clock), 0);
	assert_int_equal(RIG_RUN(r, Shutdown, &shutdown, NULL), 0);
	rig_kill(r);
	assert_int_equal(rig_startup(r, TPM_SU_STATE), 0); /* resume */
	{
		TPM2B_DIGEST now = rig_read_pcr(r, 5);

		assert_memory_equal(now.buffer, before.buffer, 32);
	}
	assert_int_equal(RIG_RUN(r, ReadClock, NULL, &later), 0);
	assert_int_equal(later.currentTime.clockInfo.restartCount,
			 clock.currentTime.clockInfo.restartCount + 1);
	assert_int_equal(later.currentTime.clockInfo.resetCount,
			 clock.currentTime.clockInfo.resetCount);

	assert_int_equal(RIG_RUN(r, Shutdown, &shutdown, NULL), 0);
	rig_reset(r); /* restart */
	assert_int_equal(rig_read_pcr(r, 5).buffer[0], 0);
	assert_int_equal(RIG_RUN(r, ReadClock, NULL, &later), 0);
	assert_int_equal(later.currentTime.clockInfo.restartCount,
			 clock.currentTime.clockInfo.restartCount + 2);
	rig_reset(r); /* reset */
	assert_int_equal(RIG_RUN(r, ReadClock, NULL, &later), 0);
	assert_int_equal(later.currentTime.clockInfo.restartCount, 0);
	assert_int_equal(later.currentTime.clockInfo.resetCount,
			 clock.currentTime.clockInfo.resetCount + 1);
	rig_free(r);
}

/* A change after TPM2_Shutdown(STATE) makes a resume impossible: PCRs would be old. */
static void a_change_after_shutdown_is_unorderly(void **state)
{
	struct rig *r = rig_native();
	struct Shutdown_in shutdown = {.shutdownType = TPM_SU_STATE};

	(void)state;
	assert_int_equal(RIG_RUN(r, Shutdown, &shutdown, NULL), 0);
	rig_extend_pcr(r, 5);
	rig_kill(r);
	assert_int_equal(rig_startup(r, TPM_SU_STATE), RC_P(1, TPM_RC_VALUE));
	rig_free(r);
}

/* ---- state blobs ---- */

static size_t save(struct rig *r, enum cvtpm_blob kind, uint8_t *blob, size_t capacity)
{
	assert_int_equal(r->engine->save_state(r->tpm, kind, blob, &capacity), 0);
	return capacity;
}

static struct rig *rig_from(const uint8_t *permanent, size_t permanent_len, const uint8_t *running,
			    size_t running_len)
{
	struct rig *r = rig_new_off(&cvtpm_engine_native);

	r->engine->power_off(r->tpm);
	assert_int_equal(
		r->engine->load_state(r->tpm, CVTPM_BLOB_PERMANENT, permanent, permanent_len), 0);
	assert_int_equal(r->engine->load_state(r->tpm, CVTPM_BLOB_VOLATILE, running, running_len),
			 0);
	assert_int_equal(r->engine->power_on(r->tpm), 0);
	return r;
}

static void a_snapshot_loaded_twice_differs_in_random_numbers(void **state)
{
	struct rig *r = rig_with_secret(), *copy[2];
	static uint8_t permanent[65536], running[65536];
	size_t permanent_len, running_len;
	TPM_HANDLE key =
		rig_primary_ecc(r, TPM_RH_OWNER,
				TPMA_OBJECT_SIGN | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_FIXEDTPM |
					TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN,
				TPM_ALG_ECDSA);
	struct GetRandom_in random_in = {.bytesRequested = 32};
	struct GetRandom_out random[2];
	struct Sign_in sign_in = {.keyHandle = key,
				  .digest.size = 32,
				  .inScheme.scheme = TPM_ALG_NULL,
				  .validation = {TPM_ST_HASHCHECK, TPM_RH_NULL, {.size = 0}}};
	struct Sign_out sign[2];

	(void)state;
	rig_extend_pcr(r, 7);
	permanent_len = save(r, CVTPM_BLOB_PERMANENT, permanent, sizeof permanent);
	running_len = save(r, CVTPM_BLOB_VOLATILE, running, sizeof running);
	for (int i = 0; i < 2; i++) {
		copy[i] = rig_from(permanent, permanent_len, running, running_len);
		assert_int_equal(RIG_RUN(copy[i], GetRandom, &random_in, &random[i]), 0);
		assert_int_equal(RIG_RUN(copy[i], Sign, &sign_in, &sign[i]), 0);
		assert_int_equal(read_secret(copy[i], "right"), 0);
		assert_memory_equal(rig_read_pcr(copy[i], 7).buffer, rig_read_pcr(r, 7).buffer, 32);
	}
	assert_memory_not_equal(random[0].randomBytes.buffer, random[1].randomBytes.buffer, 32);
	assert_memory_not_equal(sign[0].signature.signature.ecdsa.signatureR.buffer,
				sign[1].signature.signature.ecdsa.signatureR.buffer, 32);
	rig_free(copy[0]);
	rig_free(copy[1]);
	rig_free(r);
}

/* Any byte of a blob changed, or its end cut off: refused, or taken whole, and the TPM
 * that was there stays where it was refused. */
static void altered_blobs_do_not_break_the_tpm(void **state)
{
	struct rig *r = rig_with_secret(), *other = rig_with_secret();
	static uint8_t blob[65536];
	size_t len = save(r, CVTPM_BLOB_PERMANENT, blob, sizeof blob);

	(void)state;
	other->engine->power_off(other->tpm);
	for (size_t i = 0; i < len; i += 13)
		assert_int_equal(other->engine->load_state(other->tpm, CVTPM_BLOB_PERMANENT, blob,
							   i == 0 ? 1 : i),
				 CVTPM_ERR_FORMAT);
	blob[9]++; /* the version */
	assert_int_equal(other->engine->load_state(other->tpm, CVTPM_BLOB_PERMANENT, blob, len),
			 CVTPM_ERR_FORMAT);
	assert_int_equal(other->engine->power_on(other->tpm), 0);
	assert_int_equal(rig_startup(other, TPM_SU_CLEAR), 0);
	assert_int_equal(read_secret(other, "right"), 0);
	rig_free(other);
	rig_free(r);
}

/* The end of the record at `at` of a blob. */
static size_t record_end(const uint8_t *blob, size_t at)
{
	const uint8_t *len = blob + at + 1 + blob[at];

	return at + 1 + blob[at] + 4 +
	       ((size_t)len[0] << 24 | (size_t)len[1] << 16 | (size_t)len[2] << 8 | len[3]);
}

/* A blob that lacks any one record, or has one twice, is no TPM: the one that was there is
 * not given up for it. */
static void a_blob_that_is_no_whole_tpm_replaces_none(void **state)
{
	struct rig *r = rig_with_secret(), *other = rig_with_secret();
	static uint8_t blob[65536], broken[2 * 65536];
	size_t len = save(r, CVTPM_BLOB_PERMANENT, blob, sizeof blob), records = 0, end;

	(void)state;
	other->engine->power_off(other->tpm);
	for (size_t at = 11; at < len; at = end, records++) {
		end = record_end(blob, at);
		memcpy(broken, blob, at);
		memcpy(broken + at, blob + end, len - end);
		assert_int_equal(other->engine->load_state(other->tpm, CVTPM_BLOB_PERMANENT, broken,
							   len - (end - at)),
				 CVTPM_ERR_FORMAT);
		memcpy(broken, blob, len);
		memcpy(broken + len, blob + at, end - at);
		assert_int_equal(other->engine->load_state(other->tpm, CVTPM_BLOB_PERMANENT, broken,
							   len + (end - at)),
				 CVTPM_ERR_FORMAT);
	}
	assert_int_equal(records, 8 + 2); /* fixed ones, an index and its data */
	rig_kill(other);
	assert_int_equal(rig_startup(other, TPM_SU_CLEAR), 0);
	assert_int_equal(read_secret(other, "right"), 0);
	rig_free(other);
	rig_free(r);
}

/* ---- many ---- */

/* No globals: two thousand TPMs in one process, each with a life of its own. */
static void two_thousand_instances(void **state)
{
	enum { MANY = 2000 };
	struct rig **rigs = calloc(MANY, sizeof *rigs);

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		rigs[i] = rig_new(&cvtpm_engine_native);
		if (i % 3 == 0)
			rig_extend_pcr(rigs[i], 1);
	}
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(rig_read_pcr(rigs[i], 1).buffer[0] != 0, i % 3 == 0);
	for (size_t i = 0; i < MANY; i++)
		rig_free(rigs[i]);
	free(rigs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_codes_are_no_commands),
		cmocka_unit_test(header_errors),
		cmocka_unit_test(only_startup_before_startup),
		cmocka_unit_test(lack_of_entropy_is_failure_mode),
		cmocka_unit_test(session_area_errors),
		cmocka_unit_test(hmac_sessions_authorise_and_are_answered),
		cmocka_unit_test(a_session_that_ends_still_signs_its_response),
		cmocka_unit_test(an_error_changes_nothing),
		cmocka_unit_test(a_failed_store_undoes_the_command),
		cmocka_unit_test(wrong_password_then_sigkill_reaches_lockout),
		cmocka_unit_test(a_failing_store_allows_no_extra_guess),
		cmocka_unit_test(an_empty_policy_opens_nothing),
		cmocka_unit_test(acknowledged_state_survives_sigkill),
		cmocka_unit_test(resume_restart_and_reset),
		cmocka_unit_test(a_change_after_shutdown_is_unorderly),
		cmocka_unit_test(a_snapshot_loaded_twice_differs_in_random_numbers),
		cmocka_unit_test(altered_blobs_do_not_break_the_tpm),
		cmocka_unit_test(a_blob_that_is_no_whole_tpm_replaces_none),
		cmocka_unit_test(two_thousand_instances),
	};

	return cmocka_run_group_tests_name("tpm mechanism", tests, NULL, NULL);
}
