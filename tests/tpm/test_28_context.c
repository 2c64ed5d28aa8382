/* Part 3, 28: saved contexts, flushing, persistent objects. */
#include "objects.h"

#include <string.h>

/* ---- helpers ---- */

static tpm_rc save(struct rig *r, TPM_HANDLE handle, TPMS_CONTEXT *context)
{
	struct ContextSave_in in = {.saveHandle = handle};
	struct ContextSave_out out;
	tpm_rc rc = RIG_RUN(r, ContextSave, &in, &out);

	if (context)
		*context = out.context;
	return rc;
}

static tpm_rc restore(struct rig *r, const TPMS_CONTEXT *context, TPM_HANDLE *handle)
{
	struct ContextLoad_in in = {.context = *context};
	struct ContextLoad_out out;
	tpm_rc rc = RIG_RUN(r, ContextLoad, &in, &out);

	if (handle)
		*handle = out.handle;
	return rc;
}

static tpm_rc flush(struct rig *r, TPM_HANDLE handle)
{
	struct FlushContext_in in = {.flushHandle = handle};

	return RIG_RUN(r, FlushContext, &in, NULL);
}

static tpm_rc evict(struct rig *r, TPM_HANDLE auth, TPM_HANDLE object, TPM_HANDLE persistent)
{
	struct EvictControl_in in = {
		.auth = auth, .objectHandle = object, .persistentHandle = persistent};

	return RIG_RUN(r, EvictControl, &in, NULL);
}

static void shut_down(struct rig *r, TPM_SU type)
{
	struct Shutdown_in in = {.shutdownType = type};

	assert_rc(RIG_RUN(r, Shutdown, &in, NULL), 0);
	assert_int_equal(r->engine->power_on(r->tpm), 0);
}

static struct CreatePrimary_out sealed_primary(struct rig *r, TPM_HANDLE hierarchy,
					       uint32_t attributes)
{
	TPMT_PUBLIC t = sealed_template();
	TPM2B_SENSITIVE_CREATE given = sensitive("pw", "data", 4);
	struct CreatePrimary_out out;

	t.objectAttributes |= attributes;
	assert_rc(primary(r, hierarchy, &t, &given, &out), 0);
	return out;
}

static tpm_rc unseal(struct rig *r, TPM_HANDLE handle)
{
	struct Unseal_in in = {.itemHandle = handle};

	rig_password(r, 0, "pw");
	return RIG_RUN(r, Unseal, &in, NULL);
}

/* ---- 28.2 TPM2_ContextSave, 28.3 TPM2_ContextLoad: objects ---- */

static void test_object_many_times(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE handle = sealed_primary(r, TPM_RH_OWNER, 0).handle, other;
	struct ReadPublic_out before = read_public(r, handle), after;
	TPMS_CONTEXT context, second;

	assert_rc(save(r, handle, &context), 0);
	assert_int_equal(context.savedHandle, 0x80000000);
	assert_int_equal(context.hierarchy, TPM_RH_OWNER);
	assert_rc(save(r, handle, &second), 0);
	assert_true(second.sequence > context.sequence);
	assert_true(is_loaded(r, handle)); /* it stays */
	rig_flush(r, handle);
	for (unsigned i = 0; i < 3; i++) {
		assert_rc(restore(r, &context, &other), 0);
		after = read_public(r, other);
		assert_memory_equal(after.qualifiedName.buffer, before.qualifiedName.buffer, 34);
		assert_rc(unseal(r, other), 0);
		rig_flush(r, other);
	}
	assert_rc(restore(r, &second, &other), 0);
}

/* A key works again where its context is loaded, with what is worked out of an RSA key. */
static void test_rsa_key(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rsa_template(false);
	struct RSA_Encrypt_in encrypt = {.keyHandle = must_primary(r, TPM_RH_OWNER, &t),
					 .message = {5, "hello"},
					 .inScheme = {.scheme = TPM_ALG_RSAES}};
	struct RSA_Decrypt_in decrypt = {.keyHandle = encrypt.keyHandle,
					 .inScheme = {.scheme = TPM_ALG_RSAES}};
	struct RSA_Encrypt_out encrypted;
	struct RSA_Decrypt_out decrypted;
	TPMS_CONTEXT context;

	assert_rc(RIG_RUN(r, RSA_Encrypt, &encrypt, &encrypted), 0);
	decrypt.cipherText = encrypted.outData;
	assert_rc(RIG_RUN(r, RSA_Decrypt, &decrypt, &decrypted), 0);
	assert_rc(save(r, encrypt.keyHandle, &context), 0);
	rig_flush(r, encrypt.keyHandle);
	assert_rc(restore(r, &context, &decrypt.keyHandle), 0);
	assert_rc(RIG_RUN(r, RSA_Decrypt, &decrypt, &decrypted), 0);
	assert_int_equal(decrypted.message.size, 5);
	assert_memory_equal(decrypted.message.buffer, "hello", 5);
	assert_rc(evict(r, TPM_RH_OWNER, decrypt.keyHandle, 0x81000001), 0);
	decrypt.keyHandle = 0x81000001;
	assert_rc(RIG_RUN(r, RSA_Decrypt, &decrypt, &decrypted), 0);
	assert_rc(evict(r, TPM_RH_OWNER, 0x81000001, 0x81000001), 0);
	assert_rc(RIG_RUN(r, RSA_Decrypt, &decrypt, &decrypted), RC_H(1, TPM_RC_HANDLE));
}

/* Nothing of a context can be changed. */
static void test_integrity(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE handle = sealed_primary(r, TPM_RH_OWNER, 0).handle;
	TPMS_CONTEXT context, wrong;

	assert_rc(save(r, handle, &context), 0);
	for (uint16_t i = 2; i < context.contextBlob.size; i++) {
		wrong = context;
		wrong.contextBlob.buffer[i] ^= 1;
		assert_rc(restore(r, &wrong, NULL), RC_P(1, TPM_RC_INTEGRITY));
	}
	wrong = context;
	wrong.sequence++;
	assert_rc(restore(r, &wrong, NULL), RC_P(1, TPM_RC_INTEGRITY));
	wrong = context;
	wrong.savedHandle = 0x80000002;
	assert_rc(restore(r, &wrong, NULL), RC_P(1, TPM_RC_INTEGRITY));
	wrong = context;
	wrong.hierarchy = TPM_RH_NULL;
	assert_rc(restore(r, &wrong, NULL), RC_P(1, TPM_RC_INTEGRITY));
	wrong = context;
	wrong.contextBlob.size--;
	assert_rc(restore(r, &wrong, NULL), RC_P(1, TPM_RC_INTEGRITY));
	wrong = context;
	wrong.contextBlob.buffer[1]--; /* of the integrity value */
	assert_rc(restore(r, &wrong, NULL), RC_P(1, TPM_RC_SIZE));
	wrong = context;
	wrong.contextBlob.size = 66; /* the integrity value and nothing else */
	assert_rc(restore(r, &wrong, NULL), RC_P(1, TPM_RC_SIZE));
}

/* The same object saved twice is encrypted differently, also after a reset, when the
 * sequence numbers begin again. */
static void test_object_contexts_differ(void **state)
{
	struct rig *r = *state;
	TPMS_CONTEXT before, after;
	size_t same = 0;

	NATIVE_ONLY(r);
	assert_rc(save(r, sealed_primary(r, TPM_RH_OWNER, 0).handle, &before), 0);
	rig_reset(r);
	assert_rc(save(r, sealed_primary(r, TPM_RH_OWNER, 0).handle, &after), 0);
	assert_int_equal(before.sequence, after.sequence);
	assert_int_equal(before.contextBlob.size, after.contextBlob.size);
	for (uint16_t i = 66; i < before.contextBlob.size; i++)
		same += before.contextBlob.buffer[i] == after.contextBlob.buffer[i];
	assert_true(same < (size_t)before.contextBlob.size / 8);
}

static void test_hierarchy_disabled(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE handle = sealed_primary(r, TPM_RH_OWNER, 0).handle;
	struct HierarchyControl_in in = {.authHandle = TPM_RH_PLATFORM, .enable = TPM_RH_OWNER};
	TPMS_CONTEXT context;

	assert_rc(save(r, handle, &context), 0);
	assert_rc(RIG_RUN(r, HierarchyControl, &in, NULL), 0);
	assert_rc(restore(r, &context, NULL), RC_P(1, TPM_RC_HIERARCHY));
	in.state = 1;
	assert_rc(RIG_RUN(r, HierarchyControl, &in, NULL), 0);
	assert_rc(restore(r, &context, NULL), 0);
}

/* A TPM Reset ends every context. */
static void test_reset(void **state)
{
	struct rig *r = *state;
	TPMS_CONTEXT owner, null, sequence;

	assert_rc(save(r, sealed_primary(r, TPM_RH_OWNER, 0).handle, &owner), 0);
	assert_rc(save(r, sealed_primary(r, TPM_RH_NULL, 0).handle, &null), 0);
	assert_int_equal(null.hierarchy, TPM_RH_NULL);
	assert_rc(save(r, hash_sequence(r), &sequence), 0);
	assert_int_equal(sequence.savedHandle, 0x80000001);
	assert_int_equal(sequence.hierarchy, TPM_RH_NULL);
	rig_reset(r);
	assert_rc(restore(r, &owner, NULL), RC_P(1, TPM_RC_INTEGRITY));
	assert_rc(restore(r, &null, NULL), RC_P(1, TPM_RC_INTEGRITY));
	assert_rc(restore(r, &sequence, NULL), RC_P(1, TPM_RC_INTEGRITY));
}

/* A TPM Restart ends those of stClear objects, a TPM Resume none. */
static void test_restart_and_resume(void **state)
{
	struct rig *r = *state;
	TPMS_CONTEXT plain, st_clear, null;

	assert_rc(save(r, sealed_primary(r, TPM_RH_OWNER, 0).handle, &plain), 0);
	assert_rc(save(r, sealed_primary(r, TPM_RH_OWNER, TPMA_OBJECT_STCLEAR).handle, &st_clear),
		  0);
	assert_rc(save(r, sealed_primary(r, TPM_RH_NULL, 0).handle, &null), 0);
	assert_int_equal(st_clear.savedHandle, 0x80000002);
	shut_down(r, TPM_SU_STATE);
	assert_rc(rig_startup(r, TPM_SU_STATE), 0);
	assert_rc(restore(r, &plain, NULL), 0);
	assert_rc(restore(r, &st_clear, NULL), 0);
	assert_rc(restore(r, &null, NULL), 0);
	shut_down(r, TPM_SU_STATE);
	assert_rc(rig_startup(r, TPM_SU_CLEAR), 0);
	assert_rc(restore(r, &plain, NULL), 0);
	assert_rc(restore(r, &null, NULL), 0);
	assert_rc(restore(r, &st_clear, NULL), RC_P(1, TPM_RC_INTEGRITY));
}

/* The same where the process ends in between: all that contexts hang on is in the store. */
static void test_resume_in_another_process(void **state)
{
	struct rig *r = *state;
	struct Shutdown_in shutdown = {.shutdownType = TPM_SU_STATE};
	struct client_session s = rig_session(r, TPM_SE_POLICY);
	TPMS_CONTEXT object, null, sequence, session;
	TPM_HANDLE handle;

	NATIVE_ONLY(r);
	assert_rc(save(r, sealed_primary(r, TPM_RH_OWNER, TPMA_OBJECT_STCLEAR).handle, &object), 0);
	assert_rc(save(r, sealed_primary(r, TPM_RH_NULL, 0).handle, &null), 0);
	assert_rc(save(r, hash_sequence(r), &sequence), 0);
	assert_rc(save(r, s.handle, &session), 0);
	assert_rc(RIG_RUN(r, Shutdown, &shutdown, NULL), 0);
	rig_kill(r);
	assert_rc(rig_startup(r, TPM_SU_STATE), 0);
	assert_rc(restore(r, &object, &handle), 0);
	assert_rc(unseal(r, handle), 0);
	assert_rc(restore(r, &null, &handle), 0);
	assert_rc(unseal(r, handle), 0);
	assert_rc(restore(r, &sequence, NULL), 0);
	assert_rc(restore(r, &session, &handle), 0);
	assert_int_equal(handle, s.handle);
	assert_rc(restore(r, &session, NULL), RC_P(1, TPM_RC_HANDLE));
}

/* Without TPM2_Shutdown a process that ends is a TPM Reset: nothing is left. */
static void test_killed_process(void **state)
{
	struct rig *r = *state;
	struct client_session s = rig_session(r, TPM_SE_POLICY);
	TPMS_CONTEXT object, session;

	NATIVE_ONLY(r);
	assert_rc(save(r, sealed_primary(r, TPM_RH_OWNER, 0).handle, &object), 0);
	assert_rc(save(r, s.handle, &session), 0);
	rig_kill(r);
	assert_rc(rig_startup(r, TPM_SU_STATE), RC_P(1, TPM_RC_VALUE));
	assert_rc(rig_startup(r, TPM_SU_CLEAR), 0);
	assert_rc(restore(r, &object, NULL), RC_P(1, TPM_RC_INTEGRITY));
	assert_rc(restore(r, &session, NULL), RC_P(1, TPM_RC_INTEGRITY));
}

/* stClear is inherited. */
static void test_st_clear_child(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC parent = rig_storage_template(), child = rig_signing_template();
	TPMS_CONTEXT context;

	parent.objectAttributes |= TPMA_OBJECT_STCLEAR;
	assert_rc(save(r, must_load(r, must_primary(r, TPM_RH_OWNER, &parent), &child), &context),
		  0);
	assert_int_equal(context.savedHandle, 0x80000002);
}

/* New proofs end contexts: TPM2_Clear, ChangeEPS, ChangePPS, each in its hierarchies. */
static void test_proofs(void **state)
{
	struct rig *r = *state;
	TPMS_CONTEXT owner, endorsement, platform;
	struct ChangeEPS_in eps = {.authHandle = TPM_RH_PLATFORM};
	struct ChangePPS_in pps = {.authHandle = TPM_RH_PLATFORM};
	struct Clear_in clear = {.authHandle = TPM_RH_PLATFORM};
	TPM_HANDLE handle;

	assert_rc(save(r, sealed_primary(r, TPM_RH_OWNER, 0).handle, &owner), 0);
	assert_rc(save(r, sealed_primary(r, TPM_RH_ENDORSEMENT, 0).handle, &endorsement), 0);
	assert_rc(save(r, sealed_primary(r, TPM_RH_PLATFORM, 0).handle, &platform), 0);
	assert_rc(RIG_RUN(r, ChangeEPS, &eps, NULL), 0);
	assert_rc(restore(r, &endorsement, NULL), RC_P(1, TPM_RC_INTEGRITY));
	assert_rc(restore(r, &owner, &handle), 0);
	rig_flush(r, handle);
	assert_rc(save(r, sealed_primary(r, TPM_RH_ENDORSEMENT, 0).handle, &endorsement), 0);
	assert_rc(RIG_RUN(r, Clear, &clear, NULL), 0);
	assert_rc(restore(r, &endorsement, NULL), RC_P(1, TPM_RC_INTEGRITY));
	assert_rc(restore(r, &owner, NULL), RC_P(1, TPM_RC_INTEGRITY));
	assert_rc(restore(r, &platform, &handle), 0);
	rig_flush(r, handle);
	assert_rc(RIG_RUN(r, ChangePPS, &pps, NULL), 0);
	assert_rc(restore(r, &platform, NULL), RC_P(1, TPM_RC_INTEGRITY));
}

/* ---- sequences ---- */

static void test_sequence_goes_on(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE first = hash_sequence(r), second;
	struct SequenceUpdate_in update = {.sequenceHandle = first, .buffer = {3, "abc"}};
	struct SequenceComplete_in complete = {.buffer = {3, "def"}, .hierarchy = TPM_RH_NULL};
	struct SequenceComplete_out out;
	TPMS_CONTEXT context;
	uint8_t digest[32];

	assert_int_equal(cvtpm_hash(CVTPM_SHA256, "abcdef", 6, digest), 0);
	assert_rc(RIG_RUN(r, SequenceUpdate, &update, NULL), 0);
	assert_rc(save(r, first, &context), 0);
	rig_flush(r, first);
	for (unsigned i = 0; i < 2; i++) { /* as often as one likes */
		assert_rc(restore(r, &context, &second), 0);
		complete.sequenceHandle = second;
		assert_rc(RIG_RUN(r, SequenceComplete, &complete, &out), 0);
		assert_memory_equal(out.result.buffer, digest, 32);
	}
}

static void test_hmac_and_event_sequences(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC hmac = hmac_template();
	TPM_HANDLE key = must_primary(r, TPM_RH_OWNER, &hmac), plain, saved;
	struct HMAC_Start_in start = {.handle_ = key, .hashAlg = TPM_ALG_NULL};
	struct SequenceUpdate_in update = {.buffer = {3, "abc"}};
	struct SequenceComplete_in complete = {.hierarchy = TPM_RH_NULL};
	struct HashSequenceStart_in event = {.hashAlg = TPM_ALG_NULL};
	struct EventSequenceComplete_in done = {.pcrHandle = 16};
	struct HMAC_Start_out started;
	struct SequenceComplete_out one, two;
	struct HashSequenceStart_out events;
	struct EventSequenceComplete_out digests;
	TPMS_CONTEXT context;
	uint8_t digest[32];

	assert_rc(RIG_RUN(r, HMAC_Start, &start, &started), 0);
	plain = update.sequenceHandle = started.handle;
	assert_rc(RIG_RUN(r, SequenceUpdate, &update, NULL), 0);
	assert_rc(save(r, plain, &context), 0);
	assert_rc(restore(r, &context, &saved), 0);
	complete.sequenceHandle = plain;
	assert_rc(RIG_RUN(r, SequenceComplete, &complete, &one), 0);
	complete.sequenceHandle = saved;
	assert_rc(RIG_RUN(r, SequenceComplete, &complete, &two), 0);
	assert_memory_equal(one.result.buffer, two.result.buffer, 32);
	assert_rc(RIG_RUN(r, HashSequenceStart, &event, &events), 0);
	update.sequenceHandle = events.handle;
	assert_rc(RIG_RUN(r, SequenceUpdate, &update, NULL), 0);
	assert_rc(save(r, events.handle, &context), 0);
	rig_flush(r, events.handle);
	assert_rc(restore(r, &context, &done.sequenceHandle), 0);
	assert_rc(RIG_RUN(r, EventSequenceComplete, &done, &digests), 0);
	assert_int_equal(cvtpm_hash(CVTPM_SHA256, "abc", 3, digest), 0);
	for (uint32_t i = 0; i < digests.results.count; i++)
		if (digests.results.digests[i].hashAlg == TPM_ALG_SHA256)
			assert_memory_equal(digests.results.digests[i].digest.sha256.bytes, digest,
					    32);
}

/* ---- sessions ---- */

static void test_session_once(void **state)
{
	struct rig *r = *state;
	struct client_session s = rig_session(r, TPM_SE_HMAC);
	TPM_HANDLE parent = storage_primary(r), handle;
	struct ObjectChangeAuth_in use = {.objectHandle = parent, .parentHandle = parent};
	TPM2B_NAME name = read_public(r, parent).name;
	TPMS_CONTEXT context;

	assert_rc(save(r, s.handle, &context), 0);
	assert_int_equal(context.savedHandle, s.handle);
	assert_int_equal(context.hierarchy, TPM_RH_NULL);
	rig_sessions(r, &s, 1);
	rig_name(r, 0, &name);
	rig_name(r, 1, &name);
	assert_rc(RIG_RUN(r, ObjectChangeAuth, &use, NULL), TPM_RC_REFERENCE_S0);
	assert_rc(save(r, s.handle, NULL), TPM_RC_REFERENCE_H0);
	assert_rc(restore(r, &context, &handle), 0);
	assert_int_equal(handle, s.handle);
	assert_rc(restore(r, &context, NULL), RC_P(1, TPM_RC_HANDLE)); /* not again */
	rig_sessions(r, &s, 1);                                        /* it goes on where it was */
	rig_name(r, 0, &name);
	rig_name(r, 1, &name);
	assert_rc(RIG_RUN(r, ObjectChangeAuth, &use, NULL), RC_H(2, TPM_RC_TYPE));
	assert_rc(save(r, s.handle, &context), 0);
	assert_rc(flush(r, s.handle), 0); /* also where it is saved */
	assert_rc(restore(r, &context, NULL), RC_P(1, TPM_RC_HANDLE));
}

/* An older context of a session is no longer valid. */
static void test_session_old_context(void **state)
{
	struct rig *r = *state;
	struct client_session s = rig_session(r, TPM_SE_POLICY);
	TPMS_CONTEXT old, new;

	assert_rc(save(r, s.handle, &old), 0);
	assert_rc(restore(r, &old, NULL), 0);
	assert_rc(save(r, s.handle, &new), 0);
	assert_true(new.sequence > old.sequence);
	assert_rc(restore(r, &old, NULL), RC_P(1, TPM_RC_HANDLE));
	assert_rc(restore(r, &new, NULL), 0);
}

/* What a policy session has collected is in its context. */
static void test_session_policy(void **state)
{
	struct rig *r = *state;
	struct client_session s = rig_session(r, TPM_SE_POLICY);
	struct PolicyLocality_in in = {.policySession = s.handle, .locality = 1};
	struct PolicyGetDigest_in get = {.policySession = s.handle};
	struct PolicyGetDigest_out before, after;
	TPMS_CONTEXT context;

	assert_rc(RIG_RUN(r, PolicyLocality, &in, NULL), 0);
	assert_rc(RIG_RUN(r, PolicyGetDigest, &get, &before), 0);
	assert_rc(save(r, s.handle, &context), 0);
	assert_rc(restore(r, &context, NULL), 0);
	assert_rc(RIG_RUN(r, PolicyGetDigest, &get, &after), 0);
	assert_memory_equal(before.policyDigest.buffer, after.policyDigest.buffer, 32);
}

/* Saved sessions outlive TPM Resume and Restart, as loaded ones do not. */
static void test_session_resume(void **state)
{
	struct rig *r = *state;
	struct client_session saved = rig_session(r, TPM_SE_HMAC);
	struct client_session loaded = rig_session(r, TPM_SE_HMAC);
	TPMS_CONTEXT context;
	TPM_HANDLE handle;

	assert_rc(save(r, saved.handle, &context), 0);
	shut_down(r, TPM_SU_STATE);
	assert_rc(rig_startup(r, TPM_SU_STATE), 0);
	assert_rc(flush(r, loaded.handle), RC_P(1, TPM_RC_HANDLE));
	assert_rc(restore(r, &context, &handle), 0);
	assert_int_equal(handle, saved.handle);
}

/* More sessions than slots, by saving them. */
static void test_session_memory(void **state)
{
	struct rig *r = *state;
	TPMS_CONTEXT contexts[MAX_LOADED_SESSIONS];

	NATIVE_ONLY(r); /* libtpms has three slots */
	for (unsigned i = 0; i < MAX_LOADED_SESSIONS; i++)
		assert_rc(save(r, rig_session(r, TPM_SE_HMAC).handle, &contexts[i]), 0);
	for (unsigned i = 0; i < MAX_LOADED_SESSIONS; i++)
		rig_session(r, TPM_SE_HMAC);
	assert_rc(restore(r, &contexts[0], NULL), TPM_RC_SESSION_MEMORY);
}

/* A failing store leaves the session loaded. */
static void test_session_store_fails(void **state)
{
	struct rig *r = *state;
	struct client_session s = rig_session(r, TPM_SE_POLICY);
	struct PolicyGetDigest_in get = {.policySession = s.handle};
	struct CreatePrimary_out object = sealed_primary(r, TPM_RH_OWNER, 0);

	NATIVE_ONLY(r);
	r->fail_commits = 1;
	assert_rc(evict(r, TPM_RH_OWNER, object.handle, 0x81000005), TPM_RC_NV_UNAVAILABLE);
	assert_rc(RIG_RUN(r, PolicyGetDigest, &get, NULL), 0);
	assert_false(is_loaded(r, 0x81000005));
	assert_rc(evict(r, TPM_RH_OWNER, object.handle, 0x81000005), 0);
}

/* ---- 28.4 TPM2_FlushContext ---- */

static void test_flush(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE object = storage_primary(r), sequence = hash_sequence(r);
	struct client_session s = rig_session(r, TPM_SE_POLICY);

	assert_rc(flush(r, object), 0);
	assert_rc(flush(r, object), RC_P(1, TPM_RC_HANDLE));
	assert_rc(flush(r, sequence), 0);
	assert_rc(flush(r, sequence), RC_P(1, TPM_RC_HANDLE));
	assert_rc(flush(r, s.handle), 0);
	assert_rc(flush(r, s.handle), RC_P(1, TPM_RC_HANDLE));
	assert_rc(flush(r, 0x80000002), RC_P(1, TPM_RC_HANDLE));
	assert_rc(flush(r, 0x81000001), RC_P(1, TPM_RC_VALUE));
	assert_rc(flush(r, TPM_RH_OWNER), RC_P(1, TPM_RC_VALUE));
}

/* The upper byte of a session's handle does not count. */
static void test_flush_upper_byte(void **state)
{
	struct rig *r = *state;
	struct client_session s = rig_session(r, TPM_SE_POLICY);

	NATIVE_ONLY(r);
	assert_rc(flush(r, s.handle - POLICY_SESSION_FIRST + HMAC_SESSION_FIRST), 0);
	assert_rc(flush(r, s.handle), RC_P(1, TPM_RC_HANDLE));
}

/* ---- 28.5 TPM2_EvictControl ---- */

static void test_evict_round_trip(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE object = sealed_primary(r, TPM_RH_OWNER, 0).handle, persistent = 0x81000001;
	struct ReadPublic_out transient = read_public(r, object), kept;

	assert_rc(evict(r, TPM_RH_OWNER, object, persistent), 0);
	assert_true(is_loaded(r, object)); /* both may be used */
	kept = read_public(r, persistent);
	assert_memory_equal(kept.qualifiedName.buffer, transient.qualifiedName.buffer, 34);
	assert_rc(unseal(r, persistent), 0);
	assert_rc(evict(r, TPM_RH_OWNER, object, persistent), TPM_RC_NV_DEFINED);
	rig_reset(r);
	assert_rc(unseal(r, persistent), 0);
	if (!on_libtpms(r)) {
		rig_kill(r);
		assert_rc(rig_startup(r, TPM_SU_CLEAR), 0);
		assert_rc(unseal(r, persistent), 0);
	}
	assert_rc(evict(r, TPM_RH_OWNER, persistent, persistent), 0);
	assert_rc(unseal(r, persistent), RC_H(1, TPM_RC_HANDLE));
	rig_reset(r);
	assert_false(is_loaded(r, persistent));
}

/* A persistent Storage Parent has children as a loaded one does. */
static void test_evict_parent(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r), persistent = 0x81000002;
	TPMT_PUBLIC t = rig_signing_template();
	struct Create_out out;

	assert_rc(create(r, parent, &t, NULL, &out), 0);
	assert_rc(evict(r, TPM_RH_OWNER, parent, persistent), 0);
	rig_reset(r);
	assert_rc(load(r, persistent, &out.outPrivate, &out.outPublic, NULL), 0);
}

static void test_evict_refused(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE owner = sealed_primary(r, TPM_RH_OWNER, 0).handle;
	TPM_HANDLE platform = sealed_primary(r, TPM_RH_PLATFORM, 0).handle, other;
	struct ReadPublic_out read = read_public(r, owner);
	struct LoadExternal_out external;

	assert_rc(evict(r, TPM_RH_PLATFORM, owner, 0x81800001), RC_H(2, TPM_RC_HIERARCHY));
	assert_rc(evict(r, TPM_RH_OWNER, platform, 0x81000001), RC_H(2, TPM_RC_HIERARCHY));
	assert_rc(evict(r, TPM_RH_OWNER, owner, 0x81800001), RC_P(1, TPM_RC_RANGE));
	assert_rc(evict(r, TPM_RH_PLATFORM, platform, 0x817FFFFF), RC_P(1, TPM_RC_RANGE));
	other = sealed_primary(r, TPM_RH_NULL, 0).handle;
	assert_rc(evict(r, TPM_RH_OWNER, other, 0x81000001), RC_H(2, TPM_RC_ATTRIBUTES));
	rig_flush(r, other);
	other = sealed_primary(r, TPM_RH_OWNER, TPMA_OBJECT_STCLEAR).handle;
	assert_rc(evict(r, TPM_RH_OWNER, other, 0x81000001), RC_H(2, TPM_RC_ATTRIBUTES));
	rig_flush(r, other);
	assert_rc(load_external(r, &read.outPublic.publicArea, NULL, TPM_RH_OWNER, &external), 0);
	assert_rc(evict(r, TPM_RH_OWNER, external.handle, 0x81000001), RC_H(2, TPM_RC_ATTRIBUTES));
	rig_flush(r, external.handle);
	assert_rc(evict(r, TPM_RH_OWNER, hash_sequence(r), 0x81000001), RC_H(2, TPM_RC_ATTRIBUTES));
}

static void test_evict_persistent(void **state)
{
	struct rig *r = *state;
	static const struct {
		TPM_HANDLE auth, hierarchy, persistent;
	} kept[] = {{TPM_RH_OWNER, TPM_RH_OWNER, 0x81000001},
		    {TPM_RH_OWNER, TPM_RH_ENDORSEMENT, 0x81010001},
		    {TPM_RH_PLATFORM, TPM_RH_PLATFORM, 0x81800001}};

	for (size_t i = 0; i < 3; i++) {
		TPM_HANDLE handle = sealed_primary(r, kept[i].hierarchy, 0).handle;

		assert_rc(evict(r, kept[i].auth, handle, kept[i].persistent), 0);
		rig_flush(r, handle);
	}
	assert_rc(evict(r, TPM_RH_OWNER, 0x81000001, 0x81000002), RC_H(2, TPM_RC_HANDLE));
	if (!on_libtpms(r)) /* clause 28.5.1; libtpms answers TPM_RC_HIERARCHY */
		assert_rc(evict(r, TPM_RH_OWNER, 0x81800001, 0x81800001), RC_H(2, TPM_RC_RANGE));
	assert_rc(evict(r, TPM_RH_PLATFORM, 0x81010001, 0x81010001), 0); /* it may take any */
	assert_rc(evict(r, TPM_RH_PLATFORM, 0x81800001, 0x81800001), 0);
	assert_rc(evict(r, TPM_RH_OWNER, 0x81800001, 0x81800001), RC_H(2, TPM_RC_HANDLE));
}

static void test_evict_space(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE owner = sealed_primary(r, TPM_RH_OWNER, 0).handle;
	tpm_rc rc = 0;
	unsigned n = 0;

	NATIVE_ONLY(r);
	while (!rc && n < 1000)
		rc = evict(r, TPM_RH_OWNER, owner, 0x81000001 + n++);
	assert_rc(rc, TPM_RC_NV_SPACE);
	assert_true(n > PERSISTENT_OBJECT_MIN);
	assert_rc(evict(r, TPM_RH_OWNER, 0x81000001, 0x81000001), 0);
	assert_rc(evict(r, TPM_RH_OWNER, owner, 0x81000001), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(test_object_many_times),
		OBJECT_TEST(test_rsa_key),
		OBJECT_TEST(test_integrity),
		OBJECT_TEST(test_object_contexts_differ),
		OBJECT_TEST(test_hierarchy_disabled),
		OBJECT_TEST(test_reset),
		OBJECT_TEST(test_restart_and_resume),
		OBJECT_TEST(test_resume_in_another_process),
		OBJECT_TEST(test_killed_process),
		OBJECT_TEST(test_st_clear_child),
		OBJECT_TEST(test_proofs),
		OBJECT_TEST(test_sequence_goes_on),
		OBJECT_TEST(test_hmac_and_event_sequences),
		OBJECT_TEST(test_session_once),
		OBJECT_TEST(test_session_old_context),
		OBJECT_TEST(test_session_policy),
		OBJECT_TEST(test_session_resume),
		OBJECT_TEST(test_session_memory),
		OBJECT_TEST(test_session_store_fails),
		OBJECT_TEST(test_flush),
		OBJECT_TEST(test_flush_upper_byte),
		OBJECT_TEST(test_evict_round_trip),
		OBJECT_TEST(test_evict_parent),
		OBJECT_TEST(test_evict_refused),
		OBJECT_TEST(test_evict_persistent),
		OBJECT_TEST(test_evict_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
