/* State blobs, the records of the store, and what else the engine does besides commands. */
#include "nv_commands.h"

#include "tpm/tpm.h"

#include <stdlib.h>

#define PCR        16 /* may be reset by anybody */
#define PERSISTENT 0x81000001u

static uint8_t permanent[65536], running[65536], saved[65536], blob[65536];
static size_t permanent_len, running_len, saved_len;

static int load_blob(struct rig *r, enum cvtpm_blob kind, const void *bytes, size_t len)
{
	return r->engine->load_state(r->tpm, kind, bytes, len);
}

static size_t save_blob(struct rig *r, enum cvtpm_blob kind, uint8_t bytes[65536])
{
	size_t len = 65536;

	OK(r->engine->save_state(r->tpm, kind, bytes, &len));
	return len;
}

static void save_both(struct rig *r)
{
	permanent_len = save_blob(r, CVTPM_BLOB_PERMANENT, permanent);
	running_len = save_blob(r, CVTPM_BLOB_VOLATILE, running);
}

/* Another TPM, powered off, with the permanent state that was saved. */
static struct rig *other_tpm(void)
{
	struct rig *r = rig_new_off(&cvtpm_engine_native);

	r->engine->power_off(r->tpm);
	OK(load_blob(r, CVTPM_BLOB_PERMANENT, permanent, permanent_len));
	return r;
}

/* ---- physical presence ---- */

static void require_presence(struct rig *r, TPM_CC code)
{
	struct PP_Commands_in in = {.auth = TPM_RH_PLATFORM, .setList = {1, {code}}};

	r->presence = true;
	OK(RIG_RUN(r, PP_Commands, &in, NULL));
}

/* Of the list of TPM2_PP_Commands: how many there are, and the first but itself, or 0. */
static uint32_t presence_list(struct rig *r, TPM_CC *first)
{
	struct GetCapability_in in = {.capability = TPM_CAP_PP_COMMANDS, .propertyCount = 100};
	struct GetCapability_out out;
	const TPML_CC *list = &out.capabilityData.data.ppCommands;

	OK(RIG_RUN(r, GetCapability, &in, &out));
	*first = list->commandCodes[0] != TPM_CC_PP_Commands ? list->commandCodes[0] : 0;
	return list->count;
}

/* ---- something of everything ---- */

static TPM_HANDLE start_hash(struct rig *r, TPM_ALG_ID alg)
{
	struct HashSequenceStart_in in = {.hashAlg = alg};
	struct HashSequenceStart_out out;

	rig_no_sessions(r);
	OK(RIG_RUN(r, HashSequenceStart, &in, &out));
	return out.handle;
}

static TPM_HANDLE start_hmac(struct rig *r)
{
	struct key key =
		make_hmac(r, TPMA_OBJECT_SIGN | TPMA_OBJECT_USERWITHAUTH, TPM_ALG_SHA256, "secret");
	struct HMAC_Start_in in = {.handle_ = key.handle, .hashAlg = TPM_ALG_NULL};
	struct HMAC_Start_out out;

	OK(RIG_RUN(r, HMAC_Start, &in, &out));
	rig_flush(r, key.handle);
	return out.handle;
}

static void update(struct rig *r, TPM_HANDLE sequence)
{
	struct SequenceUpdate_in in = {.sequenceHandle = sequence};

	buffer_set(&in.buffer, "what is already known ");
	OK(RIG_RUN(r, SequenceUpdate, &in, NULL));
}

static void persist(struct rig *r)
{
	TPM_HANDLE key = storage_primary(r);
	struct EvictControl_in in = {
		.auth = TPM_RH_OWNER, .objectHandle = key, .persistentHandle = PERSISTENT};

	OK(RIG_RUN(r, EvictControl, &in, NULL));
}

struct running_things {
	TPM_HANDLE hash, event, hmac; /* the HMAC is last in the blob */
	struct client_session audit;
};

/* The session is the exclusive one: its command comes last. */
static void audit(struct rig *r, struct client_session *s)
{
	struct GetRandom_in in = {.bytesRequested = 8};

	rig_fresh_nonce(r, s);
	rig_sessions(r, s, 1);
	OK(RIG_RUN(r, GetRandom, &in, NULL));
	s->nonceTPM = r->sessions[0].nonceTPM;
	s->attributes |= TPMA_SESSION_AUDITEXCLUSIVE;
}

static struct running_things start_things(struct rig *r)
{
	struct running_things things;

	persist(r);
	rig_define(r, INDEX, PLAIN_NV, 8, "pw");
	OK(write_nv(r, "01234567", 8, 0));
	rig_extend_pcr(r, 7);
	things.hash = start_hash(r, TPM_ALG_SHA256);
	things.event = start_hash(r, TPM_ALG_NULL);
	things.hmac = start_hmac(r);
	update(r, things.hash);
	update(r, things.event);
	update(r, things.hmac);
	things.audit = rig_session(r, TPM_SE_HMAC);
	things.audit.attributes |= TPMA_SESSION_AUDIT;
	audit(r, &things.audit);
	return things;
}

struct results {
	TPM2B_DIGEST hash, hmac, pcr, event;
	struct ReadPublic_out key;
};

static struct results end_things(struct rig *r, struct running_things things)
{
	struct SequenceComplete_in in = {.sequenceHandle = things.hash, .hierarchy = TPM_RH_OWNER};
	struct EventSequenceComplete_in event = {.pcrHandle = PCR, .sequenceHandle = things.event};
	struct SequenceComplete_out out;
	struct results results;

	memset(&results, 0, sizeof results);
	audit(r, &things.audit);
	OK(RIG_RUN(r, SequenceComplete, &in, &out));
	results.hash = out.result;
	assert_int_equal(out.validation.digest.size, CONTEXT_HASH_SIZE); /* it may be signed */
	in.sequenceHandle = things.hmac;
	OK(RIG_RUN(r, SequenceComplete, &in, &out));
	results.hmac = out.result;
	OK(RIG_RUN(r, EventSequenceComplete, &event, NULL));
	results.event = rig_read_pcr(r, PCR);
	results.pcr = rig_read_pcr(r, 7);
	results.key = read_public(r, PERSISTENT);
	holds(r, "01234567", 8);
	return results;
}

static void a_running_tpm_moves(void **state)
{
	struct rig *r = *state, *copy;
	struct running_things things = start_things(r);
	struct results here, there;
	size_t len = sizeof blob;

	save_both(r);
	copy = other_tpm();
	OK(load_blob(copy, CVTPM_BLOB_VOLATILE, running, running_len));
	assert_int_equal(save_blob(copy, CVTPM_BLOB_VOLATILE, blob), running_len); /* it waits */
	assert_memory_equal(blob, running, running_len);
	OK(copy->engine->power_on(copy->tpm));
	here = end_things(r, things);
	there = end_things(copy, things);
	assert_memory_equal(&here, &there, sizeof here);
	copy->engine->power_off(copy->tpm); /* what was running is used up */
	RC(copy->engine->save_state(copy->tpm, CVTPM_BLOB_VOLATILE, blob, &len),
	   CVTPM_ERR_NOT_FOUND);
	OK(copy->engine->power_on(copy->tpm));
	OK(rig_startup(copy, TPM_SU_CLEAR));
	assert_false(is_loaded(copy, things.audit.handle));
	rig_free(copy);
}

/* The sequence of SHA-256 in the blob says of itself that it is one of events, which have a state
 * for each hash; or one of SHA-384. */
static void a_sequence_that_is_of_another_kind(void **state)
{
	static const uint8_t as_saved[] = {SLOT_SEQUENCE, SEQUENCE_HASH, 0, TPM_ALG_SHA256, 0, 0};
	struct rig *r = *state, *copy;
	uint8_t *sequence;

	start_hash(r, TPM_ALG_SHA256);
	save_both(r);
	sequence = memmem(running, running_len, as_saved, sizeof as_saved);
	assert_non_null(sequence);
	copy = other_tpm();
	sequence[1] = SEQUENCE_EVENT;
	RC(load_blob(copy, CVTPM_BLOB_VOLATILE, running, running_len), CVTPM_ERR_FORMAT);
	sequence[1] = SEQUENCE_HASH;
	sequence[3] = TPM_ALG_SHA384;
	RC(load_blob(copy, CVTPM_BLOB_VOLATILE, running, running_len), CVTPM_ERR_FORMAT);
	sequence[3] = TPM_ALG_SHA256;
	OK(load_blob(copy, CVTPM_BLOB_VOLATILE, running, running_len));
	rig_free(copy);
}

/* One that waits is not resumed once it is taken away. */
static void a_running_tpm_that_is_taken_away(void **state)
{
	struct rig *r = *state, *copy;

	save_both(r);
	copy = other_tpm();
	OK(load_blob(copy, CVTPM_BLOB_VOLATILE, running, running_len));
	OK(load_blob(copy, CVTPM_BLOB_VOLATILE, NULL, 0));
	OK(copy->engine->power_on(copy->tpm));
	OK(rig_startup(copy, TPM_SU_CLEAR));
	rig_free(copy);
}

/* What TPM2_Shutdown(STATE) kept, and the permanent state beside it. */
static void shut_down_and_save(struct rig *r)
{
	OK(shut_down(r, TPM_SU_STATE));
	r->engine->power_off(r->tpm);
	permanent_len = save_blob(r, CVTPM_BLOB_PERMANENT, permanent);
	saved_len = save_blob(r, CVTPM_BLOB_SAVED, saved);
}

/* It goes on from there, with PCR 7 as it was. */
static void resumes(struct rig *copy, const uint8_t *bytes, size_t len, const TPM2B_DIGEST *pcr)
{
	TPM2B_DIGEST there;

	OK(load_blob(copy, CVTPM_BLOB_SAVED, bytes, len));
	OK(copy->engine->power_on(copy->tpm));
	OK(rig_startup(copy, TPM_SU_STATE));
	there = rig_read_pcr(copy, 7);
	assert_memory_equal(there.buffer, pcr->buffer, 32);
}

static void what_shutdown_saved_moves(void **state)
{
	struct rig *r = *state, *copy;
	size_t len = sizeof blob;
	TPM2B_DIGEST pcr;

	persist(r);
	rig_extend_pcr(r, 7);
	pcr = rig_read_pcr(r, 7);
	RC(r->engine->save_state(r->tpm, CVTPM_BLOB_SAVED, blob, &len), CVTPM_ERR_NOT_FOUND);
	shut_down_and_save(r);

	copy = other_tpm();
	resumes(copy, saved, saved_len, &pcr);
	rig_free(copy);

	/* taken away, it cannot be resumed: as if it had not been saved */
	copy = other_tpm();
	OK(load_blob(copy, CVTPM_BLOB_SAVED, saved, saved_len));
	OK(load_blob(copy, CVTPM_BLOB_SAVED, NULL, 0));
	OK(copy->engine->power_on(copy->tpm));
	RC(rig_startup(copy, TPM_SU_STATE), RC_P(1, TPM_RC_VALUE));
	OK(rig_startup(copy, TPM_SU_CLEAR));
	assert_int_equal(rig_read_pcr(copy, 7).buffer[0], 0);
	rig_free(copy);
}

/* What the TPM has besides is gone with its old permanent state. */
static void permanent_state_is_replaced(void **state)
{
	struct rig *r = *state, *other = rig_new(&cvtpm_engine_native);

	persist(other);
	rig_define(other, OTHER, PLAIN_NV, 8, "");
	permanent_len = save_blob(r, CVTPM_BLOB_PERMANENT, permanent);
	other->engine->power_off(other->tpm);
	OK(load_blob(other, CVTPM_BLOB_PERMANENT, permanent, permanent_len));
	rig_kill(other);
	OK(rig_startup(other, TPM_SU_CLEAR));
	RC(undefine(other, TPM_RH_OWNER, OTHER), RC_H(2, TPM_RC_HANDLE));
	assert_false(is_loaded(other, PERSISTENT));
	rig_free(other);
}

/* ---- ephemeral keys, and states of the first version, which had none ---- */

static struct EC_Ephemeral_out ephemeral(struct rig *r)
{
	struct EC_Ephemeral_in in = {.curveID = TPM_ECC_NIST_P256};
	struct EC_Ephemeral_out out;

	rig_no_sessions(r);
	OK(RIG_RUN(r, EC_Ephemeral, &in, &out));
	return out;
}

/* Where the other party's ephemeral key is the generator, outZ2 is what EC_Ephemeral gave. */
static tpm_rc use_up(struct rig *r, const struct EC_Ephemeral_out *made)
{
	const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(CVTPM_P256);
	TPMS_ECC_POINT g = {{(uint16_t)c->size, {0}}, {(uint16_t)c->size, {0}}};
	TPMT_PUBLIC t =
		template_ecc(PLAIN | TPMA_OBJECT_DECRYPT, TPM_ECC_NIST_P256, TPM_ALG_NULL, 0);
	struct key k = make_primary(r, TPM_RH_OWNER, &t, "");
	struct ZGen_2Phase_in in = {
		.keyA = k.handle, .inScheme = TPM_ALG_ECDH, .counter = made->counter};
	struct ZGen_2Phase_out out;
	tpm_rc rc;

	memcpy(g.x.buffer, c->gx, c->size);
	memcpy(g.y.buffer, c->gy, c->size);
	in.inQsB.point = in.inQeB.point = g;
	rc = RIG_RUN(r, ZGen_2Phase, &in, &out);
	rig_flush(r, k.handle);
	if (!rc)
		assert_memory_equal(out.outZ2.point.x.buffer, made->Q.point.x.buffer, c->size);
	return rc;
}

/* They move with a TPM that runs, and with what TPM2_Shutdown saved. */
static void ephemeral_keys_move(void **state)
{
	struct rig *r = *state, *copy;
	struct EC_Ephemeral_out used = ephemeral(r), made = ephemeral(r), second = ephemeral(r);

	OK(use_up(r, &used));
	save_both(r);
	copy = other_tpm();
	OK(load_blob(copy, CVTPM_BLOB_VOLATILE, running, running_len));
	OK(copy->engine->power_on(copy->tpm));
	RC(use_up(copy, &used), RC_P(4, TPM_RC_VALUE));
	OK(use_up(copy, &made));
	RC(use_up(copy, &made), RC_P(4, TPM_RC_VALUE));
	OK(shut_down(copy, TPM_SU_STATE));
	copy->engine->power_off(copy->tpm);
	permanent_len = save_blob(copy, CVTPM_BLOB_PERMANENT, permanent);
	saved_len = save_blob(copy, CVTPM_BLOB_SAVED, saved);
	rig_free(copy);
	copy = other_tpm();
	OK(load_blob(copy, CVTPM_BLOB_SAVED, saved, saved_len));
	OK(copy->engine->power_on(copy->tpm));
	OK(rig_startup(copy, TPM_SU_STATE));
	RC(use_up(copy, &made), RC_P(4, TPM_RC_VALUE));
	OK(use_up(copy, &second));
	assert_int_equal(ephemeral(copy).counter, second.counter + 1);
	rig_free(copy);
}

/* Where the value of the record at `at` of a blob begins. */
static size_t value_at(const uint8_t *bytes, size_t at)
{
	return at + 1 + bytes[at] + 4;
}

/* The blob of one record, as the release before wrote it: without the ephemeral keys, which
 * lie `at` bytes behind the record's version. */
static size_t as_version_1(const uint8_t *from, size_t len, size_t at)
{
	const size_t value = value_at(from, 11), keys = value + 2 + at;
	const size_t size = sizeof(EPHEMERAL_NONCE) + 8 + sizeof(EPHEMERAL_BITS);
	struct writer w = {blob + value - 4, 4, false};

	assert_int_equal(from[value + 1], 2);
	memcpy(blob, from, keys);
	memcpy(blob + keys, from + keys + size, len - keys - size);
	blob[value + 1] = 1;
	write_u32(&w, (uint32_t)(len - size - value));
	return len - size;
}

static size_t size_of(const struct type *type, const uint8_t *bytes, size_t len)
{
	struct reader reader = {bytes, len};
	uint8_t *value = calloc(1, type->size);

	assert_non_null(value);
	OK(type_read(type, value, &reader, false));
	free(value);
	return len - reader.left;
}

/* As if made anew: none waits, and none is like one before. */
static void has_new_ephemeral_keys(struct rig *r, const struct EC_Ephemeral_out *before)
{
	struct EC_Ephemeral_out made;

	RC(use_up(r, before), RC_P(4, TPM_RC_VALUE));
	made = ephemeral(r);
	assert_int_equal(made.counter, before->counter);
	assert_memory_not_equal(made.Q.point.x.buffer, before->Q.point.x.buffer, 32);
	OK(use_up(r, &made));
}

static void states_of_the_first_version(void **state)
{
	struct rig *r = *state, *copy;
	struct EC_Ephemeral_out made = ephemeral(r);
	TPM2B_DIGEST pcr, there;
	size_t at, len;

	rig_extend_pcr(r, 7);
	pcr = rig_read_pcr(r, 7);
	save_both(r);
	at = value_at(running, 11) + 2;
	len = as_version_1(running, running_len,
			   size_of(&type_tpm_running, running + at, running_len - at));
	copy = other_tpm();
	OK(load_blob(copy, CVTPM_BLOB_VOLATILE, blob, len));
	OK(copy->engine->power_on(copy->tpm));
	has_new_ephemeral_keys(copy, &made);
	there = rig_read_pcr(copy, 7);
	assert_memory_equal(there.buffer, pcr.buffer, 32);
	rig_free(copy);

	shut_down_and_save(r);
	at = value_at(saved, 11) + 2;
	len = as_version_1(saved, saved_len, size_of(&type_tpm_saved, saved + at, saved_len - at));
	copy = other_tpm();
	resumes(copy, blob, len, &pcr);
	has_new_ephemeral_keys(copy, &made);
	rig_free(copy);
}

/* Numbers beyond 16 bits: the caller has the lower half, which comes round. */
static void numbers_come_round(void **state)
{
	struct rig *r = *state;
	struct tpm *t = (struct tpm *)(void *)r->tpm;
	struct EC_Ephemeral_out made[4], next;

	t->ephemerals.counter = 0x1FFFE;
	for (size_t i = 0; i < 4; i++)
		made[i] = ephemeral(r);
	assert_int_equal(made[0].counter, 0xFFFE);
	assert_int_equal(made[2].counter, 0);
	t->ephemerals.counter += 0x10000 - 4; /* its bit is set, but it is no number of these */
	RC(use_up(r, &made[0]), RC_P(4, TPM_RC_VALUE));
	next = ephemeral(r);
	assert_int_equal(next.counter, made[0].counter);
	assert_memory_not_equal(next.Q.point.x.buffer, made[0].Q.point.x.buffer, 32);
	OK(use_up(r, &next));
	t->ephemerals.counter -= 0x10000 - 3;
	for (size_t i = 1; i < 4; i++)
		OK(use_up(r, &made[i]));
}

/* ---- blobs that are none ---- */

static void blobs_have_a_size_and_a_kind(void **state)
{
	struct rig *r = *state;
	size_t len = 0, needed;

	for (enum cvtpm_blob kind = CVTPM_BLOB_PERMANENT; kind <= CVTPM_BLOB_VOLATILE; kind++) {
		OK(r->engine->save_state(r->tpm, kind, NULL, &len));
		needed = len--;
		RC(r->engine->save_state(r->tpm, kind, blob, &len), CVTPM_ERR_SIZE);
		assert_int_equal(len, needed);
		OK(r->engine->save_state(r->tpm, kind, blob, &len));
		assert_int_equal(len, needed);
		RC(load_blob(r, kind, blob, len), CVTPM_ERR_STATE); /* it runs */
	}
	RC(r->engine->save_state(r->tpm, CVTPM_BLOB_SAVED + 1, blob, &len), CVTPM_ERR_PARAM);
	r->engine->power_off(r->tpm);
	RC(load_blob(r, CVTPM_BLOB_SAVED + 1, blob, len), CVTPM_ERR_PARAM);
	RC(load_blob(r, CVTPM_BLOB_PERMANENT, NULL, 0), CVTPM_ERR_STATE);  /* not without one */
	RC(load_blob(r, CVTPM_BLOB_SAVED, blob, len), CVTPM_ERR_FORMAT);   /* a volatile one */
	RC(load_blob(r, CVTPM_BLOB_VOLATILE, blob, 11), CVTPM_ERR_FORMAT); /* with nothing in it */
}

/* A TPM that was not started has nothing in memory that must be written before. */
static void a_tpm_before_startup_moves(void **state)
{
	struct rig *r = rig_new_off(&cvtpm_engine_native), *copy;

	(void)state;
	save_both(r);
	copy = other_tpm();
	OK(load_blob(copy, CVTPM_BLOB_VOLATILE, running, running_len));
	OK(copy->engine->power_on(copy->tpm));
	RC(RIG_RUN(copy, ReadClock, NULL, NULL), TPM_RC_INITIALIZE);
	OK(rig_startup(copy, TPM_SU_CLEAR));
	rig_free(copy);
	rig_free(r);
}

static void refuse_or_take(struct rig *r, enum cvtpm_blob kind, const uint8_t *bytes, size_t len)
{
	int err = load_blob(r, kind, bytes, len);

	assert_true(err == 0 || err == CVTPM_ERR_FORMAT);
}

/* Each bit of a running TPM's blob: the blob is refused, or taken whole. */
static void altered_running_tpms(void **state)
{
	static const uint8_t hash[] = {SLOT_SEQUENCE, SEQUENCE_HASH, 0, TPM_ALG_SHA256};
	static const uint8_t hmac[] = {SLOT_SEQUENCE, SEQUENCE_HMAC, 0, TPM_ALG_SHA256};
	struct rig *r = *state, *other;
	unsigned found = 0;

	start_things(r);
	save_both(r);
	other = other_tpm();
	for (size_t i = 0; i < running_len; i++) {
		RC(load_blob(other, CVTPM_BLOB_VOLATILE, running, i ? i : 1), CVTPM_ERR_FORMAT);
		for (unsigned bit = 0; bit < 8; bit++) {
			running[i] ^= (uint8_t)(1 << bit);
			refuse_or_take(other, CVTPM_BLOB_VOLATILE, running, running_len);
			running[i] ^= (uint8_t)(1 << bit);
		}
		if (i + 4 <= running_len &&
		    (!memcmp(running + i, hash, 4) || !memcmp(running + i, hmac, 4))) {
			found++; /* the algorithm is not that of the state */
			running[i + 3] = TPM_ALG_SHA384;
			RC(load_blob(other, CVTPM_BLOB_VOLATILE, running, running_len),
			   CVTPM_ERR_FORMAT);
			running[i + 3] = TPM_ALG_SHA256;
		}
	}
	assert_int_equal(found, 2);
	OK(load_blob(other, CVTPM_BLOB_VOLATILE, running, running_len));
	OK(other->engine->power_on(other->tpm));
	rig_free(other);
}

static size_t record_end(const uint8_t *bytes, size_t at)
{
	size_t value = value_at(bytes, at);

	return value + ((size_t)bytes[value - 2] << 8 | bytes[value - 1]);
}

static void altered_permanent_state(void **state)
{
	struct rig *r = *state, *other;

	start_things(r);
	save_both(r);
	other = other_tpm();
	memcpy(blob, permanent, permanent_len);
	for (size_t at = 11, end; at < permanent_len; at = end) {
		size_t value = value_at(blob, at);

		end = record_end(blob, at);
		for (size_t i = at; i < end; i += i < value + 2 ? 1 : 7)
			for (unsigned bit = i < value + 2 ? 0 : i % 8; bit < 8; bit++) {
				blob[i] ^= (uint8_t)(1 << bit);
				if (i >= value && i < value + 2) /* the version */
					RC(load_blob(other, CVTPM_BLOB_PERMANENT, blob,
						     permanent_len),
					   CVTPM_ERR_FORMAT);
				else
					refuse_or_take(other, CVTPM_BLOB_PERMANENT, blob,
						       permanent_len);
				blob[i] ^= (uint8_t)(1 << bit);
			}
	}
	OK(load_blob(other, CVTPM_BLOB_PERMANENT, blob, permanent_len));
	OK(other->engine->power_on(other->tpm));
	OK(rig_startup(other, TPM_SU_CLEAR));
	holds(other, "01234567", 8);
	rig_free(other);
}

/* More records than any TPM has. */
static void a_blob_of_too_many_records(void **state)
{
	static const uint8_t record[] = "\x11tpm/data/01500001\0\0\0\2\0\1"; /* of no bytes */
	const size_t size = sizeof record - 1;
	struct rig *r = *state;
	size_t len = 11;

	save_blob(r, CVTPM_BLOB_PERMANENT, blob);
	for (unsigned i = 0; i <= MAX_CHANGES; i++, len += size)
		memcpy(blob + len, record, size);
	r->engine->power_off(r->tpm);
	RC(load_blob(r, CVTPM_BLOB_PERMANENT, blob, len), CVTPM_ERR_FORMAT);
}

/* Into the store, behind the TPM's back; of no bytes: away. */
static void put_record(struct rig *r, const char *key, const uint8_t *value, size_t len)
{
	struct cvtpm_change change = {key, value, len};

	OK(cvtpm_store_commit(r->store, &change, 1));
}

/* ---- command audit ---- */

static void audit_random(struct rig *r)
{
	struct SetCommandCodeAuditStatus_in in = {
		.auth = TPM_RH_OWNER, .auditAlg = TPM_ALG_NULL, .setList = {1, {TPM_CC_GetRandom}}};

	OK(RIG_RUN(r, SetCommandCodeAuditStatus, &in, NULL));
}

static TPMS_COMMAND_AUDIT_INFO audit_now(struct rig *r)
{
	struct GetCommandAuditDigest_in in = {.privacyHandle = TPM_RH_ENDORSEMENT,
					      .signHandle = TPM_RH_NULL,
					      .inScheme = {.scheme = TPM_ALG_NULL}};
	struct GetCommandAuditDigest_out out;
	struct reader reader;
	TPMS_ATTEST attest;

	OK(RIG_RUN(r, GetCommandAuditDigest, &in, &out));
	reader = (struct reader){out.auditInfo.buffer, out.auditInfo.size};
	OK(type_read(&type_TPMS_ATTEST, &attest, &reader, false));
	return attest.attested.commandAudit;
}

static void same_audit(const TPMS_COMMAND_AUDIT_INFO *a, const TPMS_COMMAND_AUDIT_INFO *b)
{
	assert_int_equal(a->auditCounter, b->auditCounter);
	assert_int_equal(a->digestAlg, b->digestAlg);
	assert_true(EQUAL_2B(a->auditDigest, b->auditDigest));
	assert_true(EQUAL_2B(a->commandDigest, b->commandDigest));
}

static bool has_audit_record(struct rig *r)
{
	size_t len;

	return cvtpm_store_get(r->store, "tpm/audit", NULL, 0, &len) != CVTPM_ERR_NOT_FOUND;
}

/* A TPM that never used it is, in its records, as one from before there was command audit. */
static void audit_has_a_record_once_it_is_used(void **state)
{
	struct rig *r = *state;
	TPMS_COMMAND_AUDIT_INFO before = audit_now(r), used, after;

	OK(shut_down(r, TPM_SU_STATE));
	rig_reset(r);
	assert_false(has_audit_record(r));
	audit_random(r);
	assert_true(has_audit_record(r));
	used = audit_now(r);
	assert_int_equal(used.auditCounter, 1);

	/* gone again, all is as it was made */
	put_record(r, "tpm/audit", NULL, 0);
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	after = audit_now(r);
	same_audit(&after, &before);
}

/* The digest as it is at the move, not as it was when the record was last written. */
static void audit_moves(void **state)
{
	struct rig *r = *state, *copy;
	struct GetRandom_in random = {.bytesRequested = 8};
	TPMS_COMMAND_AUDIT_INFO before, after;

	audit_random(r);
	OK(RIG_RUN(r, GetRandom, &random, NULL));
	before = audit_now(r);
	save_both(r);
	copy = other_tpm();
	OK(load_blob(copy, CVTPM_BLOB_VOLATILE, running, running_len));
	OK(copy->engine->power_on(copy->tpm));
	after = audit_now(copy);
	same_audit(&after, &before);
	rig_free(copy);
}

/* A TPM with a record of it becomes one without. */
static void audit_is_replaced(void **state)
{
	struct rig *r = *state, *other = rig_new(&cvtpm_engine_native);
	TPMS_COMMAND_AUDIT_INFO before = audit_now(r), after;

	permanent_len = save_blob(r, CVTPM_BLOB_PERMANENT, permanent);
	audit_random(other);
	other->engine->power_off(other->tpm);
	OK(load_blob(other, CVTPM_BLOB_PERMANENT, permanent, permanent_len));
	assert_false(has_audit_record(other));
	for (unsigned i = 0; i < 2; i++) { /* as it goes on, and when it is opened again */
		OK(other->engine->power_on(other->tpm));
		OK(rig_startup(other, TPM_SU_CLEAR));
		after = audit_now(other);
		same_audit(&after, &before);
		rig_kill(other);
	}
	rig_free(other);
}

/* Whatever the record says, TPM2_Shutdown is not audited, and the choice itself is. */
static void audit_of_what_cannot_be_chosen(void **state)
{
	struct rig *r = *state;
	struct GetCapability_in in = {.capability = TPM_CAP_AUDIT_COMMANDS, .propertyCount = 254};
	struct GetCapability_out out;
	const TPML_CC *list = &out.capabilityData.data.auditCommands;
	uint8_t value[256];
	size_t len;

	audit_random(r);
	OK(cvtpm_store_get(r->store, "tpm/audit", value, sizeof value, &len));
	memset(value + 2 + 2 + 8, 0xFF, sizeof(tpm_command_set));
	put_record(r, "tpm/audit", value, len);
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	OK(RIG_RUN(r, GetCapability, &in, &out));
	assert_int_equal(list->count, command_count - 1);
	for (uint32_t i = 0; i < list->count; i++)
		assert_int_not_equal(list->commandCodes[i], TPM_CC_Shutdown);
	memset(value + 2 + 2 + 8, 0, sizeof(tpm_command_set));
	put_record(r, "tpm/audit", value, len);
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	OK(RIG_RUN(r, GetCapability, &in, &out));
	assert_int_equal(list->count, 1);
	assert_int_equal(list->commandCodes[0], TPM_CC_SetCommandCodeAuditStatus);
}

/* ---- records that are none ---- */

struct records {
	size_t count;
	char keys[32][CVTPM_STORE_KEY_MAX + 1];
};

static int note_key(void *context, const char *key, size_t value_len)
{
	struct records *records = context;

	(void)value_len;
	assert_true(records->count < 32);
	strcpy(records->keys[records->count++], key);
	return 0;
}

static int open_again(struct rig *r)
{
	struct cvtpm_engine_config config = {.buffer_size = 4096, .memory = r->memory};

	r->engine->destroy(r->tpm);
	r->tpm = NULL;
	return r->engine->create(&r->tpm, &r->platform, &config, &r->is_new);
}

static void broken_records_are_no_tpm(void **state)
{
	struct rig *r = *state;
	struct records records = {.count = 0};
	uint8_t value[4096];
	size_t len;

	persist(r);
	rig_define(r, INDEX, PLAIN_NV, 8, "pw");
	require_presence(r, TPM_CC_Clear);
	audit_random(r);
	OK(cvtpm_store_list(r->store, "tpm/", note_key, &records));
	assert_int_equal(records.count, 10 + 3);
	for (size_t i = 0; i < records.count; i++) {
		const char *key = records.keys[i];

		OK(cvtpm_store_get(r->store, key, value, sizeof value, &len));
		for (size_t cut = 0; cut < len; cut += cut < 2 ? 1 : len - 3) {
			put_record(r, key, value, cut);
			RC(open_again(r), CVTPM_ERR_FORMAT);
		}
		value[len] = 0; /* one more */
		put_record(r, key, value, len + 1);
		RC(open_again(r), CVTPM_ERR_FORMAT);
		value[1]++; /* the version */
		put_record(r, key, value, len);
		RC(open_again(r), CVTPM_ERR_FORMAT);
		value[1]--;
		if (strcmp(key, "tpm/run") != 0 && strcmp(key, "tpm/presence") != 0 &&
		    strcmp(key, "tpm/audit") != 0 && strncmp(key, "tpm/nv", 6) != 0 &&
		    strncmp(key, "tpm/object", 10) != 0) {
			put_record(r, key, NULL, 0); /* gone */
			assert_int_not_equal(open_again(r), 0);
		}
		put_record(r, key, value, len);
		OK(open_again(r));
		assert_false(r->is_new);
	}
	put_record(r, "tpm/lockout", permanent, COMMIT_SIZE + 1);
	RC(open_again(r), CVTPM_ERR_FORMAT);
}

/* What TPM2_PP_Commands has changed is a record that a TPM is without as long as nothing is
 * changed, and moves with the others. */
static void the_list_of_physical_presence_is_optional(void **state)
{
	static const char key[] = "tpm/presence";
	struct rig *r = *state, *other = rig_new(&cvtpm_engine_native);
	uint8_t value[2 + sizeof(tpm_command_set)];
	TPM_CC first;
	size_t len;

	RC(cvtpm_store_get(r->store, key, value, sizeof value, &len), CVTPM_ERR_NOT_FOUND);
	assert_int_equal(presence_list(r, &first), 1);
	permanent_len = save_blob(r, CVTPM_BLOB_PERMANENT, permanent);

	require_presence(r, TPM_CC_ClockSet);
	require_presence(other, TPM_CC_Clear);
	OK(cvtpm_store_get(r->store, key, value, sizeof value, &len));
	assert_int_equal(len, sizeof value);
	OK(open_again(r));
	OK(r->engine->power_on(r->tpm));
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_int_equal(presence_list(r, &first), 2);
	assert_int_equal(first, TPM_CC_ClockSet);

	other->engine->power_off(other->tpm); /* a TPM without the record replaces one with it */
	OK(load_blob(other, CVTPM_BLOB_PERMANENT, permanent, permanent_len));
	OK(other->engine->power_on(other->tpm));
	OK(rig_startup(other, TPM_SU_CLEAR));
	assert_int_equal(presence_list(other, &first), 1);
	permanent_len = save_blob(r, CVTPM_BLOB_PERMANENT, permanent); /* and one with it */
	other->engine->power_off(other->tpm);
	OK(load_blob(other, CVTPM_BLOB_PERMANENT, permanent, permanent_len));
	OK(other->engine->power_on(other->tpm));
	OK(rig_startup(other, TPM_SU_CLEAR));
	assert_int_equal(presence_list(other, &first), 2);
	assert_int_equal(first, TPM_CC_ClockSet);
	rig_free(other);
}

/* One that names every command, which no TPM writes: only those count that may be in it. */
static void a_list_of_physical_presence_that_says_too_much(void **state)
{
	struct rig *r = *state;
	uint8_t value[2 + sizeof(tpm_command_set)];
	struct GetRandom_in random = {.bytesRequested = 1};
	TPM_CC first;

	memset(value, 0xFF, sizeof value);
	value[0] = 0;
	value[1] = 1;
	put_record(r, "tpm/presence", value, sizeof value);
	OK(open_again(r));
	OK(r->engine->power_on(r->tpm));
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_int_equal(presence_list(r, &first), 20);
	assert_int_equal(first, TPM_CC_NV_UndefineSpaceSpecial);
	rig_no_sessions(r);
	OK(RIG_RUN(r, GetRandom, &random, NULL));
}

/* What TPM2_Shutdown(STATE) saved is read at the start. */
static void broken_saved_state_is_a_failure(void **state)
{
	struct rig *r = *state;

	OK(shut_down(r, TPM_SU_STATE));
	put_record(r, "tpm/saved", (const uint8_t *)"", 0);
	OK(r->engine->power_on(r->tpm));
	RC(rig_startup(r, TPM_SU_STATE), TPM_RC_FAILURE);
	assert_non_null(strstr(r->log, "TPM2_Shutdown saved"));
}

/* ---- records that no TPM writes, but of the right form ---- */

/* The persistent object becomes another one. */
static void replace_object(struct rig *r, void (*change)(struct tpm_object *object))
{
	static const char key[] = "tpm/object/81000001";
	struct tpm_object *object = calloc(1, sizeof *object);
	uint8_t value[4096];
	struct reader reader = {value + 2, 0};
	size_t len;

	assert_non_null(object);
	OK(cvtpm_store_get(r->store, key, value, sizeof value, &len));
	reader.left = len - 2;
	OK(type_read(&type_tpm_object, object, &reader, true));
	change(object);
	len = 2 + type_marshal(&type_tpm_object, object, value + 2, sizeof value - 2);
	assert_int_not_equal(len, 2);
	put_record(r, key, value, len);
	free(object);
	rig_not_recorded(r);
	OK(open_again(r));
	OK(r->engine->power_on(r->tpm));
	OK(rig_startup(r, TPM_SU_CLEAR));
}

static void shorten_modulus(struct tpm_object *object)
{
	object->publicArea.unique.rsa.size--;
}

static void lengthen_point(struct tpm_object *object)
{
	object->publicArea.unique.ecc.x.size++;
	object->publicArea.unique.ecc.x.buffer[0] = 1;
}

static void lengthen_scalar(struct tpm_object *object)
{
	TPM2B_ECC_PARAMETER *d = &object->sensitive.sensitiveArea.sensitive.ecc;

	*d = (TPM2B_ECC_PARAMETER){33, {1}};
}

static void persist_as(struct rig *r, const TPMT_PUBLIC *template)
{
	TPM_HANDLE key = must_primary(r, TPM_RH_OWNER, template);
	struct EvictControl_in in = {
		.auth = TPM_RH_OWNER, .objectHandle = key, .persistentHandle = PERSISTENT};

	if (is_loaded(r, PERSISTENT)) {
		in.objectHandle = PERSISTENT;
		OK(RIG_RUN(r, EvictControl, &in, NULL));
		in.objectHandle = key;
	}
	OK(RIG_RUN(r, EvictControl, &in, NULL));
	rig_flush(r, key);
}

static tpm_rc sign(struct rig *r, TPM_ALG_ID scheme)
{
	struct Sign_in in = {.keyHandle = PERSISTENT,
			     .digest.size = 32,
			     .inScheme = {scheme, {.any.hashAlg = TPM_ALG_SHA256}},
			     .validation = {TPM_ST_HASHCHECK, TPM_RH_NULL, {.size = 0}}};

	return RIG_RUN(r, Sign, &in, NULL);
}

/* What is wrong with an RSA key is found before its numbers are used. */
static void an_rsa_key_that_is_none(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rsa_template(false);
	struct RSA_Encrypt_in encrypt = {
		.keyHandle = PERSISTENT, .message.size = 1, .inScheme.scheme = TPM_ALG_RSAES};
	struct RSA_Decrypt_in decrypt = {
		.keyHandle = PERSISTENT, .cipherText.size = 255, .inScheme.scheme = TPM_ALG_RSAES};
	struct VerifySignature_in verify = {
		.keyHandle = PERSISTENT,
		.digest.size = 32,
		.signature = {TPM_ALG_RSASSA,
			      {.rsassa = {.hash = TPM_ALG_SHA256, .sig.size = 256}}}};

	t.objectAttributes |= TPMA_OBJECT_SIGN;
	t.parameters.rsaDetail.scheme.scheme = TPM_ALG_NULL;
	persist_as(r, &t);
	replace_object(r, shorten_modulus);
	RC(RIG_RUN(r, RSA_Encrypt, &encrypt, NULL), TPM_RC_KEY);
	RC(RIG_RUN(r, RSA_Decrypt, &decrypt, NULL), TPM_RC_BINDING);
	RC(RIG_RUN(r, VerifySignature, &verify, NULL), RC_P(2, TPM_RC_SIGNATURE));
	RC(sign(r, TPM_ALG_RSASSA), TPM_RC_BINDING);
}

static void an_ecc_key_that_is_none(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rig_signing_template();
	struct ECDH_ZGen_in in = {.keyHandle = PERSISTENT};

	persist_as(r, &t);
	replace_object(r, lengthen_point);
	RC(sign(r, TPM_ALG_ECDSA), TPM_RC_BINDING);
	persist_as(r, &t);
	replace_object(r, lengthen_scalar);
	RC(sign(r, TPM_ALG_ECDSA), TPM_RC_BINDING);
	t.objectAttributes &= ~(uint32_t)TPMA_OBJECT_SIGN;
	t.objectAttributes |= TPMA_OBJECT_DECRYPT;
	t.parameters.eccDetail.scheme.scheme = TPM_ALG_NULL;
	persist_as(r, &t);
	in.inPoint.point = read_public(r, PERSISTENT).outPublic.publicArea.unique.ecc;
	replace_object(r, lengthen_scalar);
	RC(RIG_RUN(r, ECDH_ZGen, &in, NULL), RC_P(1, TPM_RC_BINDING));
}

/* A running TPM with other values: `change` sees its head and its first session. */
static struct rig *changed_tpm(struct rig *r,
			       void (*change)(struct tpm_running *run, struct tpm_session *session))
{
	struct tpm_running_2 *run = calloc(1, sizeof *run);
	struct tpm_session session;
	struct rig *copy;
	struct writer w = {blob, sizeof blob, false};
	struct reader reader;
	size_t head;

	assert_non_null(run);
	save_both(r);
	head = value_at(running, 11) + 2; /* of its one record, behind the version */
	reader = (struct reader){running + head, running_len - head};
	OK(type_read(&type_tpm_running_2, run, &reader, false));
	assert_int_equal(*reader.at, 1); /* the first session is in use */
	reader.at++, reader.left--;
	OK(type_read(&type_tpm_session, &session, &reader, false));
	change(&run->rest, &session);
	write_bytes(&w, running, head);
	type_write(&type_tpm_running_2, run, &w);
	write_u8(&w, 1);
	type_write(&type_tpm_session, &session, &w);
	write_bytes(&w, reader.at, reader.left);
	free(run);
	assert_false(w.overflow);
	assert_int_equal(sizeof blob - w.left, running_len); /* the sizes stay as they are */
	copy = other_tpm();
	rig_not_recorded(copy);
	OK(load_blob(copy, CVTPM_BLOB_VOLATILE, blob, running_len));
	OK(copy->engine->power_on(copy->tpm));
	return copy;
}

static void forget_counter(struct tpm_running *run, struct tpm_session *session)
{
	(void)session;
	run->contexts.sessionCounter = 0;
}

/* The number of a saved session is none that a place has. */
static void a_counter_that_went_back(void **state)
{
	struct rig *r = *state, *copy;
	struct ContextSave_in in = {.saveHandle = rig_session(r, TPM_SE_HMAC).handle};
	struct ContextSave_out out;

	copy = changed_tpm(r, forget_counter);
	OK(RIG_RUN(copy, ContextSave, &in, &out));
	assert_int_equal(out.context.sequence, MAX_LOADED_SESSIONS + 1);
	rig_free(copy);
}

static void bind_to_nothing_known(struct tpm_running *run, struct tpm_session *session)
{
	(void)run;
	session->digestKind = 99;
}

static void a_policy_bound_to_nothing_known(void **state)
{
	struct rig *r = *state, *copy;
	struct client_session s = rig_session(r, TPM_SE_POLICY);
	struct SetPrimaryPolicy_in in = {.authHandle = TPM_RH_OWNER,
					 .authPolicy.size = 32, /* of no assertions */
					 .hashAlg = TPM_ALG_SHA256};

	OK(RIG_RUN(r, SetPrimaryPolicy, &in, NULL));
	copy = changed_tpm(r, bind_to_nothing_known);
	rig_sessions(copy, &s, 1);
	RC(RIG_RUN(copy, SetPrimaryPolicy, &in, NULL), RC_S(1, TPM_RC_POLICY_FAIL));
	rig_sessions(r, &s, 1);
	OK(RIG_RUN(r, SetPrimaryPolicy, &in, NULL));
	rig_free(copy);
}

static void rename_bank(struct tpm_running *run, struct tpm_session *session)
{
	(void)session;
	for (uint32_t i = 0; i < run->pcrBanks.count; i++)
		if (run->pcrBanks.pcrSelections[i].hash == TPM_ALG_SHA256)
			run->pcrBanks.pcrSelections[i].hash = TPM_ALG_SHA1;
}

/* A bank that is missing has no registers. */
static void a_bank_that_is_missing(void **state)
{
	struct rig *r = *state, *copy;
	struct PCR_Read_in in = {.pcrSelectionIn.count = 1};
	struct PCR_Read_out out;

	in.pcrSelectionIn.pcrSelections[0] =
		(TPMS_PCR_SELECTION){TPM_ALG_SHA256, {3, {0xFF, 0xFF, 0xFF}}};
	rig_session(r, TPM_SE_HMAC);
	copy = changed_tpm(r, rename_bank);
	OK(RIG_RUN(copy, PCR_Read, &in, &out));
	assert_int_equal(out.pcrValues.count, 0);
	rig_free(copy);
}

/* Records under names that are not theirs. */
static void strange_keys_are_no_tpm(void **state)
{
	static const char *const keys[][2] = {
		{"tpm/nv/01500001", "tpm/nv/01500002"},
		{"tpm/nv/01500001", "tpm/nv/0150000G"},
		{"tpm/nv/01500001", "tpm/nv/015000010"},
		{"tpm/object/81000001", "tpm/object/01500001"},
	};
	struct rig *r = *state;
	uint8_t value[4096];
	size_t len;

	persist(r);
	rig_define(r, INDEX, PLAIN_NV, 8, "pw");
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		OK(cvtpm_store_get(r->store, keys[i][0], value, sizeof value, &len));
		put_record(r, keys[i][1], value, len);
		RC(open_again(r), CVTPM_ERR_FORMAT);
		put_record(r, keys[i][1], NULL, 0);
	}
	OK(open_again(r));
	permanent_len = save_blob(r, CVTPM_BLOB_PERMANENT, permanent);
	put_record(r, "tpm/a-name-that-none-of-ours-has", value, len);
	len = sizeof blob;
	RC(r->engine->save_state(r->tpm, CVTPM_BLOB_PERMANENT, blob, &len), CVTPM_ERR_FORMAT);
	RC(load_blob(r, CVTPM_BLOB_PERMANENT, permanent, permanent_len), CVTPM_ERR_FORMAT);
}

/* ---- the engine ---- */

static void what_it_is_made_with(void **state)
{
	struct rig *r = *state;
	struct cvtpm_engine_config config = {.buffer_size = CVTPM_CRB_BUFFER_SIZE};
	struct cvtpm_tpm *tpm;
	bool is_new;

	assert_memory_equal(r->engine->version(), "native ", 7);
	RC(r->engine->create(&tpm, &r->platform, NULL, &is_new), CVTPM_ERR_PARAM);
	RC(r->engine->create(&tpm, &r->platform, &config, &is_new), CVTPM_ERR_PARAM);
	r->engine->destroy(r->tpm);
	r->tpm = NULL;
	r->engine->destroy(NULL);
	config.memory = r->memory;
	config.buffer_size = 1024;
	RC(r->engine->create(&tpm, &r->platform, &config, &is_new), CVTPM_ERR_PARAM);
	config.buffer_size = CVTPM_MAX_BUFFER_SIZE + 1;
	RC(r->engine->create(&tpm, &r->platform, &config, &is_new), CVTPM_ERR_PARAM);
	config.buffer_size = 0;
	r->fail_entropy = true;
	RC(r->engine->create(&tpm, &r->platform, &config, &is_new), CVTPM_ERR_ENTROPY);
	r->fail_entropy = false;
	OK(r->engine->create(&r->tpm, &r->platform, &config, &is_new));
	assert_false(is_new);
}

static void without_power(void **state)
{
	struct rig *r = *state;
	uint8_t response[4096] = {0};
	size_t len = sizeof response;

	RC(r->engine->hash_data(r->tpm, response, 0), CVTPM_ERR_STATE); /* not begun */
	RC(r->engine->reset_established(r->tpm, 2), CVTPM_ERR_POLICY);
	r->engine->power_off(r->tpm);
	RC(r->engine->execute(r->tpm, 0, response, 0, response, &len), CVTPM_ERR_STATE);
	RC(r->engine->hash_start(r->tpm), CVTPM_ERR_STATE);
	RC(r->engine->hash_data(r->tpm, response, 0), CVTPM_ERR_STATE);
	RC(r->engine->hash_end(r->tpm), CVTPM_ERR_STATE);
	RC(r->engine->reset_established(r->tpm, 3), CVTPM_ERR_STATE);
	assert_false(r->engine->established(r->tpm));
}

/* A TPM that has failed measures nothing; the next reset, with entropy, ends it. */
static void without_entropy(void **state)
{
	struct rig *r = *state;

	r->fail_entropy = true;
	OK(r->engine->power_on(r->tpm));
	r->fail_entropy = false;
	RC(rig_startup(r, TPM_SU_CLEAR), TPM_RC_FAILURE);
	assert_non_null(strstr(r->log, "no entropy"));
	RC(r->engine->hash_start(r->tpm), CVTPM_ERR_STATE);
	rig_reset(r);
}

/* When no command runs, there is nothing to cancel. */
static void a_cancellation_of_nothing(void **state)
{
	struct rig *r = *state;

	r->engine->cancel(r->tpm);
	rig_flush(r, storage_primary(r));
}

static uint32_t property(struct rig *r, TPM_PT property)
{
	struct GetCapability_in in = {
		.capability = TPM_CAP_TPM_PROPERTIES, .property = property, .propertyCount = 1};
	struct GetCapability_out out;

	OK(RIG_RUN(r, GetCapability, &in, &out));
	return out.capabilityData.data.tpmProperties.tpmProperty[0].value;
}

static void buffers_have_a_size(void **state)
{
	static const uint32_t wishes[] = {1, 3000, 1 << 20};
	struct rig *r = *state;
	uint32_t size = 0, min, max;

	OK(r->engine->buffer_size(r->tpm, &size, &min, &max));
	assert_int_equal(size, 4096);
	RC(r->engine->buffer_size(r->tpm, &size, &min, &max), CVTPM_ERR_STATE);
	for (size_t i = 0; i < 3; i++) {
		r->engine->power_off(r->tpm);
		size = wishes[i];
		OK(r->engine->buffer_size(r->tpm, &size, &min, &max));
		assert_int_equal(size, i == 0 ? min : i == 1 ? 3000 : max);
		rig_reset(r);
		assert_int_equal(property(r, TPM_PT_MAX_COMMAND_SIZE), size);
		assert_int_equal(property(r, TPM_PT_MAX_RESPONSE_SIZE), size);
	}
}

static void it_says_what_it_is(void **state)
{
	static const char specification[] =
		"{\"TPMSpecification\":{\"family\":\"2.0\",\"level\":0,\"revision\":159}}";
	static const char features[] = "\"TPMFeatures\":{\"RSAKeySizes\":[2048,3072,4096]}}";
	struct rig *r = *state;
	char json[512], all[512];
	size_t len = sizeof json, all_len = sizeof all;

	OK(r->engine->describe(r->tpm, 1, json, &len));
	assert_string_equal(json, specification);
	assert_int_equal(len, strlen(specification));
	RC(r->engine->describe(r->tpm, 1, json, &len), CVTPM_ERR_SIZE); /* no room for the NUL */
	assert_int_equal(len, strlen(specification));
	len = 0;
	RC(r->engine->describe(r->tpm, 1, NULL, &len), CVTPM_ERR_SIZE);
	OK(r->engine->describe(r->tpm, 7, all, &all_len));
	assert_int_equal(all_len, strlen(all));
	assert_memory_equal(all, specification, sizeof specification - 2);
	assert_non_null(strstr(all, ",\"TPMAttributes\":{\"manufacturer\":\"id:43565450\","));
	assert_string_equal(strstr(all, "\"TPMFeatures\""), features);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(a_running_tpm_moves),
		OBJECT_TEST(a_sequence_that_is_of_another_kind),
		OBJECT_TEST(a_running_tpm_that_is_taken_away),
		OBJECT_TEST(what_shutdown_saved_moves),
		OBJECT_TEST(ephemeral_keys_move),
		OBJECT_TEST(states_of_the_first_version),
		OBJECT_TEST(numbers_come_round),
		OBJECT_TEST(permanent_state_is_replaced),
		OBJECT_TEST(audit_has_a_record_once_it_is_used),
		OBJECT_TEST(audit_moves),
		OBJECT_TEST(audit_is_replaced),
		OBJECT_TEST(audit_of_what_cannot_be_chosen),
		OBJECT_TEST(blobs_have_a_size_and_a_kind),
		OBJECT_TEST(a_tpm_before_startup_moves),
		OBJECT_TEST(altered_running_tpms),
		OBJECT_TEST(altered_permanent_state),
		OBJECT_TEST(a_blob_of_too_many_records),
		OBJECT_TEST(broken_records_are_no_tpm),
		OBJECT_TEST(the_list_of_physical_presence_is_optional),
		OBJECT_TEST(a_list_of_physical_presence_that_says_too_much),
		OBJECT_TEST(broken_saved_state_is_a_failure),
		OBJECT_TEST(an_rsa_key_that_is_none),
		OBJECT_TEST(an_ecc_key_that_is_none),
		OBJECT_TEST(a_counter_that_went_back),
		OBJECT_TEST(a_policy_bound_to_nothing_known),
		OBJECT_TEST(a_bank_that_is_missing),
		OBJECT_TEST(strange_keys_are_no_tpm),
		OBJECT_TEST(what_it_is_made_with),
		OBJECT_TEST(without_power),
		OBJECT_TEST(without_entropy),
		OBJECT_TEST(a_cancellation_of_nothing),
		OBJECT_TEST(buffers_have_a_size),
		OBJECT_TEST(it_says_what_it_is),
	};

	return cmocka_run_group_tests_name("tpm state", tests, NULL, NULL);
}
