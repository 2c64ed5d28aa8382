/* Part 3, 17: HMAC_Start, HashSequenceStart, SequenceUpdate, SequenceComplete,
 * EventSequenceComplete. */
#include "keys.h"

#define PASSWORD "sequence"

static tpm_rc start_hash(struct rig *r, TPM_ALG_ID alg, TPM_HANDLE *handle)
{
	struct HashSequenceStart_in in = {.auth = rig_auth(PASSWORD), .hashAlg = alg};
	struct HashSequenceStart_out out;
	tpm_rc rc;

	rig_no_sessions(r);
	rc = RIG_RUN(r, HashSequenceStart, &in, &out);
	*handle = out.handle;
	return rc;
}

static tpm_rc update(struct rig *r, TPM_HANDLE sequence, const char *text)
{
	struct SequenceUpdate_in in = {.sequenceHandle = sequence};

	buffer_set(&in.buffer, text);
	rig_password(r, 0, PASSWORD);
	return RIG_RUN(r, SequenceUpdate, &in, NULL);
}

static tpm_rc complete(struct rig *r, TPM_HANDLE sequence, const char *text, TPM_HANDLE hierarchy,
		       struct SequenceComplete_out *out)
{
	struct SequenceComplete_in in = {.sequenceHandle = sequence, .hierarchy = hierarchy};

	buffer_set(&in.buffer, text);
	rig_password(r, 0, PASSWORD);
	return RIG_RUN(r, SequenceComplete, &in, out);
}

static tpm_rc complete_event(struct rig *r, TPM_HANDLE pcr, TPM_HANDLE sequence, const char *text,
			     struct EventSequenceComplete_out *out)
{
	struct EventSequenceComplete_in in = {.pcrHandle = pcr, .sequenceHandle = sequence};

	buffer_set(&in.buffer, text);
	rig_password(r, 0, "");
	rig_password(r, 1, PASSWORD);
	return RIG_RUN(r, EventSequenceComplete, &in, out);
}

static void is_gone(struct rig *r, TPM_HANDLE sequence)
{
	RC(update(r, sequence, "x"), TPM_RC_REFERENCE_H0);
}

static void equal_digest(const TPM2B_DIGEST *a, const TPM2B_DIGEST *b)
{
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->buffer, b->buffer, b->size);
}

/* 17.4 to 17.6: in pieces as in one. */
static void hash_in_pieces(void **state)
{
	static const TPM_ALG_ID algs[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384,
					  TPM_ALG_SHA512};
	struct rig *r = *state;

	for (size_t i = 0; i < 4; i++) {
		TPM2B_DIGEST want = digest_of(algs[i], "one two three", 13);
		struct SequenceComplete_out out;
		TPM_HANDLE s;

		OK(start_hash(r, algs[i], &s));
		OK(update(r, s, "one "));
		OK(update(r, s, ""));
		OK(update(r, s, "two "));
		OK(complete(r, s, "three", TPM_RH_NULL, &out));
		equal_digest(&out.result, &want);
		is_gone(r, s);
	}
}

/* 17.5, 17.6: only the first block can show that a digest is safe to sign. */
static void ticket_depends_on_the_first_block(void **state)
{
	static const struct {
		const char *first, *last; /* first NULL: there is no update */
		bool ticket;
	} rows[] = {
		{"safe", "", true},         {"\xffTCG", "", false},
		{"\xffTC", "H", false}, /* too short to tell */
		{"", "long enough", false}, {NULL, "safe", true},
		{NULL, "saf", false},       {NULL, "\xffTCG...", false},
		{"safe", "\xffTCG", true},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct SequenceComplete_out out;
		TPM_HANDLE s;

		OK(start_hash(r, TPM_ALG_SHA256, &s));
		if (rows[i].first)
			OK(update(r, s, rows[i].first));
		OK(complete(r, s, rows[i].last, TPM_RH_OWNER, &out));
		assert_int_equal(out.validation.tag, TPM_ST_HASHCHECK);
		assert_int_equal(out.validation.hierarchy,
				 rows[i].ticket ? TPM_RH_OWNER : TPM_RH_NULL);
		assert_int_equal(out.validation.digest.size != 0, rows[i].ticket);
	}
}

/* The ticket of a sequence is the one that Hash gives. */
static void ticket_is_that_of_hash(void **state)
{
	struct rig *r = *state;
	struct Hash_in in = {.hashAlg = TPM_ALG_SHA256, .hierarchy = TPM_RH_ENDORSEMENT};
	struct Hash_out want;
	struct SequenceComplete_out out;
	TPM_HANDLE s;

	buffer_set(&in.data, "some data");
	rig_no_sessions(r);
	OK(RIG_RUN(r, Hash, &in, &want));
	OK(start_hash(r, TPM_ALG_SHA256, &s));
	OK(update(r, s, "some "));
	OK(complete(r, s, "data", TPM_RH_ENDORSEMENT, &out));
	equal_digest(&out.result, &want.outHash);
	equal_digest(&out.validation.digest, &want.validation.digest);
}

/* 17.2: as HMAC, and never a ticket. */
static void hmac_in_pieces(void **state)
{
	struct rig *r = *state;
	struct key k = make_hmac(r, TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_SIGN,
				 TPM_ALG_SHA256, "Jefe");
	struct HMAC_Start_in in = {
		.handle_ = k.handle, .auth = rig_auth(PASSWORD), .hashAlg = TPM_ALG_NULL};
	struct HMAC_Start_out start;
	struct HMAC_in whole = {.handle_ = k.handle, .hashAlg = TPM_ALG_NULL};
	struct HMAC_out want;
	struct SequenceComplete_out out;

	OK(RIG_RUN(r, HMAC_Start, &in, &start));
	OK(update(r, start.handle, "what do ya want "));
	OK(complete(r, start.handle, "for nothing?", TPM_RH_OWNER, &out));
	buffer_set(&whole.buffer, "what do ya want for nothing?");
	OK(RIG_RUN(r, HMAC, &whole, &want));
	equal_digest(&out.result, &want.outHMAC);
	assert_int_equal(out.validation.hierarchy, TPM_RH_NULL);
	assert_int_equal(out.validation.digest.size, 0);
	is_gone(r, start.handle);
	in.hashAlg = TPM_ALG_SHA1;
	RC(RIG_RUN(r, HMAC_Start, &in, &start), RC_P(2, TPM_RC_VALUE));
}

/* 17.2: the key's rules are those of HMAC. */
static void hmac_start_wants_the_right_key(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC ecc = rig_signing_template();
	struct key e = make_primary(r, TPM_RH_OWNER, &ecc, "");
	struct key restricted = make_hmac(r,
					  TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
						  TPMA_OBJECT_SIGN | TPMA_OBJECT_RESTRICTED,
					  TPM_ALG_SHA256, "secret");
	struct key sealed =
		make_hmac(r, TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA, TPM_ALG_NULL, "secret");
	struct HMAC_Start_in in = {.handle_ = e.handle, .hashAlg = TPM_ALG_SHA256};

	RC(RIG_RUN(r, HMAC_Start, &in, NULL), RC_H(1, TPM_RC_TYPE));
	in.handle_ = restricted.handle;
	RC(RIG_RUN(r, HMAC_Start, &in, NULL), RC_H(1, TPM_RC_ATTRIBUTES));
	in.handle_ = sealed.handle;
	RC(RIG_RUN(r, HMAC_Start, &in, NULL), RC_H(1, TPM_RC_KEY));
}

/* 17.7: a digest for each hash, and the PCR extended with them. */
static void event_extends_a_pcr(void **state)
{
	static const TPM_ALG_ID algs[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384,
					  TPM_ALG_SHA512};
	struct rig *r = *state;
	struct EventSequenceComplete_out out;
	struct PCR_Read_in read_in = {.pcrSelectionIn = {1, {{TPM_ALG_SHA256, {3, {0, 0, 1}}}}}};
	struct PCR_Read_out read;
	uint8_t extended[64] = {0};
	TPM2B_DIGEST want;
	TPM_HANDLE s;

	OK(start_hash(r, TPM_ALG_NULL, &s));
	OK(update(r, s, "an "));
	OK(complete_event(r, 16, s, "event", &out));
	assert_int_equal(out.results.count, 4);
	for (size_t i = 0; i < 4; i++) {
		want = digest_of(algs[i], "an event", 8);
		assert_int_equal(out.results.digests[i].hashAlg, algs[i]);
		assert_memory_equal(&out.results.digests[i].digest, want.buffer, want.size);
	}
	is_gone(r, s);
	want = digest_of(TPM_ALG_SHA256, "an event", 8);
	memcpy(extended + 32, want.buffer, 32);
	want = digest_of(TPM_ALG_SHA256, extended, sizeof extended);
	rig_no_sessions(r);
	OK(RIG_RUN(r, PCR_Read, &read_in, &read));
	assert_memory_equal(read.pcrValues.digests[0].buffer, want.buffer, 32);
	OK(start_hash(r, TPM_ALG_NULL, &s));
	OK(complete_event(r, TPM_RH_NULL, s, "event", &out)); /* extends nothing */
	assert_int_equal(out.results.count, 4);
	OK(start_hash(r, TPM_ALG_NULL, &s));
	RC(complete_event(r, 17, s, "event", &out), TPM_RC_LOCALITY);
	OK(update(r, s, "still there"));
}

/* 17.6, 17.7: each has its own completion. */
static void completion_must_fit_the_kind(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC ecc = rig_signing_template();
	struct key k = make_primary(r, TPM_RH_OWNER, &ecc, PASSWORD);
	struct SequenceComplete_out out;
	struct EventSequenceComplete_out event;
	TPM_HANDLE hash, seq;

	OK(start_hash(r, TPM_ALG_SHA256, &hash));
	OK(start_hash(r, TPM_ALG_NULL, &seq));
	RC(complete(r, seq, "", TPM_RH_NULL, &out), RC_H(1, TPM_RC_MODE));
	RC(complete_event(r, TPM_RH_NULL, hash, "", &event), RC_H(2, TPM_RC_MODE));
	RC(update(r, k.handle, ""), on_libtpms(r) ? RC_P(1, TPM_RC_MODE) : RC_H(1, TPM_RC_MODE));
	RC(complete(r, k.handle, "", TPM_RH_NULL, &out), RC_H(1, TPM_RC_MODE));
	RC(complete_event(r, TPM_RH_NULL, k.handle, "", &event), RC_H(2, TPM_RC_MODE));
	OK(complete(r, hash, "", TPM_RH_NULL, &out));
	OK(complete_event(r, TPM_RH_NULL, seq, "", &event));
}

/* A wrong password changes nothing, and is not counted. */
static void password_is_the_sequences_own(void **state)
{
	struct rig *r = *state;
	struct SequenceUpdate_in in;
	struct SequenceComplete_out out;
	TPM2B_DIGEST want = digest_of(TPM_ALG_SHA256, "data", 4);

	OK(start_hash(r, TPM_ALG_SHA256, &in.sequenceHandle));
	buffer_set(&in.buffer, "never added");
	rig_password(r, 0, "wrong");
	RC(RIG_RUN(r, SequenceUpdate, &in, NULL), RC_S(1, TPM_RC_BAD_AUTH));
	OK(complete(r, in.sequenceHandle, "data", TPM_RH_NULL, &out));
	equal_digest(&out.result, &want);
}

/* 17.4. */
/* 11.1: a session may be bound to a sequence, whose name is empty. */
static void a_session_is_bound_to_a_sequence(void **state)
{
	static const TPM2B_NAME empty;
	struct rig *r = *state;
	struct SequenceUpdate_in in = {0};
	TPM2B_DIGEST want = digest_of(TPM_ALG_SHA256, "one two", 7);
	struct SequenceComplete_out out;
	struct client_session s;

	OK(start_hash(r, TPM_ALG_SHA256, &in.sequenceHandle));
	s = bound_session(r, TPM_SE_HMAC, in.sequenceHandle, PASSWORD);
	s.auth = rig_auth(PASSWORD); /* for the encryption; the HMAC's key is without */
	s.attributes = TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_DECRYPT;
	buffer_set(&in.buffer, "one ");
	rig_sessions(r, &s, 1);
	rig_name(r, 0, &empty);
	OK(RIG_RUN(r, SequenceUpdate, &in, NULL));
	rig_flush(r, s.handle);
	s = bound_session(r, TPM_SE_HMAC, in.sequenceHandle, "wrong");
	rig_sessions(r, &s, 1);
	rig_name(r, 0, &empty);
	RC(RIG_RUN(r, SequenceUpdate, &in, NULL), RC_S(1, TPM_RC_BAD_AUTH));
	OK(complete(r, in.sequenceHandle, "two", TPM_RH_NULL, &out));
	equal_digest(&out.result, &want);
}

static void start_refuses_what_is_no_hash(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE s;

	RC(start_hash(r, 0x0006, &s), RC_P(2, TPM_RC_HASH));
}

static void memory_for_sequences_ends(void **state)
{
	struct rig *r = *state;
	unsigned started = 0;
	TPM_HANDLE s;
	tpm_rc rc;

	while ((rc = start_hash(r, TPM_ALG_SHA256, &s)) == 0)
		started++;
	RC(rc, TPM_RC_OBJECT_MEMORY);
	assert_in_range(started, 3, 64);
	rig_flush(r, s = TRANSIENT_FIRST);
	OK(start_hash(r, TPM_ALG_SHA256, &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hash_in_pieces),
		TEST(ticket_depends_on_the_first_block),
		TEST(ticket_is_that_of_hash),
		TEST(hmac_in_pieces),
		TEST(hmac_start_wants_the_right_key),
		TEST(event_extends_a_pcr),
		TEST(completion_must_fit_the_kind),
		TEST(password_is_the_sequences_own),
		TEST(a_session_is_bound_to_a_sequence),
		TEST(start_refuses_what_is_no_hash),
		TEST(memory_for_sequences_ends),
	};

	return cmocka_run_group_tests_name("Part 3, 17", tests, NULL, NULL);
}
