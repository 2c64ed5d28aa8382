/* Part 3, 23: PolicySigned, PolicySecret, PolicyTicket, PolicyOR, PolicyAuthorize,
 * PolicyAuthorizeNV, PolicyGetDigest. */
#include "keys.h"

#define INDEX      0x01800010u
#define SECONDS(n) ((uint32_t)(n))

/* H(digest || code || parts), as a policy is worked out on paper. */
static TPM2B_DIGEST extend(TPM2B_DIGEST digest, TPM_CC code, const void *part, size_t len)
{
	struct cvtpm_hash hash;
	uint8_t bytes[4] = {0, 0, (uint8_t)(code >> 8), (uint8_t)code};

	assert_int_equal(cvtpm_hash_begin(&hash, CVTPM_SHA256), 0);
	cvtpm_hash_update(&hash, digest.buffer, digest.size);
	if (code)
		cvtpm_hash_update(&hash, bytes, 4);
	cvtpm_hash_update(&hash, part, len);
	cvtpm_hash_end(&hash, digest.buffer);
	return digest;
}

static TPM2B_DIGEST zero(void)
{
	return (TPM2B_DIGEST){.size = 32};
}

static void policy_is(struct rig *r, TPM_HANDLE session, const TPM2B_DIGEST *want)
{
	TPM2B_DIGEST got = policy_digest(r, session);

	assert_int_equal(got.size, want->size);
	assert_memory_equal(got.buffer, want->buffer, want->size);
}

/* PolicyUpdate() of 23.2.3 */
static TPM2B_DIGEST updated(TPM2B_DIGEST digest, TPM_CC code, const TPM2B_NAME *name,
			    const TPM2B_NONCE *ref)
{
	digest = extend(digest, code, name->buffer, name->size);
	return extend(digest, 0, ref->buffer, ref->size);
}

/* ---- PolicySigned ---- */

struct authority {
	struct key key;
	struct PolicySigned_in in;
};

static struct authority authority(struct rig *r, TPM_HANDLE hierarchy)
{
	TPMT_PUBLIC t = rig_signing_template();
	struct authority a = {.key = make_primary(r, hierarchy, &t, "")};

	a.in.authObject = a.key.handle;
	return a;
}

/* Signs in->nonceTPM, expiration, cpHashA and policyRef. */
static void authorise(struct rig *r, struct authority *a)
{
	struct Sign_in in = {.keyHandle = a->key.handle,
			     .inScheme = {.scheme = TPM_ALG_NULL},
			     .validation = {TPM_ST_HASHCHECK, TPM_RH_NULL, {.size = 0}}};
	struct Sign_out out;
	uint8_t bytes[4 + 3 * 64];
	struct writer w = {bytes, sizeof bytes, false};

	write_bytes(&w, a->in.nonceTPM.buffer, a->in.nonceTPM.size);
	write_u32(&w, a->in.expiration);
	write_bytes(&w, a->in.cpHashA.buffer, a->in.cpHashA.size);
	write_bytes(&w, a->in.policyRef.buffer, a->in.policyRef.size);
	in.digest = digest_of(TPM_ALG_SHA256, bytes, sizeof bytes - w.left);
	OK(RIG_RUN(r, Sign, &in, &out));
	a->in.auth = out.signature;
}

static tpm_rc policy_signed(struct rig *r, struct authority *a, struct PolicySigned_out *out)
{
	rig_no_sessions(r);
	return RIG_RUN(r, PolicySigned, &a->in, out);
}

static void signed_updates_the_digest(void **state)
{
	struct rig *r = *state;
	struct authority a = authority(r, TPM_RH_OWNER);
	TPM2B_DIGEST want = zero();
	struct PolicySigned_out out;

	a.in.policySession = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	authorise(r, &a);
	OK(policy_signed(r, &a, &out));
	want = updated(want, TPM_CC_PolicySigned, &a.key.name, &a.in.policyRef);
	policy_is(r, a.in.policySession, &want);
	assert_int_equal(out.policyTicket.tag, TPM_ST_AUTH_SIGNED);
	assert_int_equal(out.policyTicket.hierarchy, TPM_RH_NULL);
	assert_int_equal(out.timeout.size, 0);
	a.in.policyRef = rig_auth("reference");
	authorise(r, &a);
	OK(policy_signed(r, &a, &out));
	want = updated(want, TPM_CC_PolicySigned, &a.key.name, &a.in.policyRef);
	policy_is(r, a.in.policySession, &want);
}

/* Each qualifier is part of what is signed. */
static void signed_checks_every_qualifier(void **state)
{
	struct rig *r = *state;
	struct authority a = authority(r, TPM_RH_OWNER), b;
	TPM2B_DIGEST want = zero();

	a.in.policySession = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	authorise(r, &a);
	b = a;
	b.in.policyRef = rig_auth("other");
	RC(policy_signed(r, &b, NULL), RC_P(5, TPM_RC_SIGNATURE));
	b = a;
	b.in.expiration = 1000;
	RC(policy_signed(r, &b, NULL), RC_P(5, TPM_RC_SIGNATURE));
	b = a;
	b.in.cpHashA.size = 32;
	RC(policy_signed(r, &b, NULL), RC_P(5, TPM_RC_SIGNATURE));
	b = a;
	b.in.auth.signature.ecdsa.signatureS.buffer[3] ^= 1;
	RC(policy_signed(r, &b, NULL), RC_P(5, TPM_RC_SIGNATURE));
	b.in.auth.sigAlg = TPM_ALG_RSASSA;
	b.in.auth.signature.rsassa.sig.size = 256;
	RC(policy_signed(r, &b, NULL), RC_P(5, TPM_RC_SCHEME));
	policy_is(r, a.in.policySession, &want); /* nothing changed */
	OK(policy_signed(r, &a, NULL));
}

/* 23.2.2: nonceTPM is the session's, cpHashA as long as its digest, and the same as before. */
static void signed_checks_its_parameters(void **state)
{
	struct rig *r = *state;
	struct authority a = authority(r, TPM_RH_OWNER);

	a.in.policySession = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	a.in.nonceTPM = (TPM2B_NONCE){.size = 32};
	authorise(r, &a);
	RC(policy_signed(r, &a, NULL), RC_P(1, TPM_RC_NONCE));
	a.in.nonceTPM.size = 0;
	a.in.cpHashA.size = 20;
	authorise(r, &a);
	RC(policy_signed(r, &a, NULL), RC_P(2, TPM_RC_SIZE));
	a.in.cpHashA.size = 32;
	authorise(r, &a);
	OK(policy_signed(r, &a, NULL));
	OK(policy_signed(r, &a, NULL)); /* the same again */
	a.in.cpHashA.buffer[0] = 1;
	authorise(r, &a);
	RC(policy_signed(r, &a, NULL), TPM_RC_CPHASH);
}

/* A trial needs no signature, and gives the same digest. */
static void signed_in_a_trial(void **state)
{
	struct rig *r = *state;
	struct authority a = authority(r, TPM_RH_OWNER);
	TPM2B_DIGEST want;
	struct PolicySigned_out out;

	a.in.policySession = start_policy(r, TPM_SE_TRIAL, TPM_ALG_SHA256);
	a.in.auth.sigAlg = TPM_ALG_ECDSA;
	a.in.auth.signature.ecdsa = (TPMS_SIGNATURE_ECC){TPM_ALG_SHA256, {1, {1}}, {1, {1}}};
	a.in.policyRef = rig_auth("ref");
	a.in.expiration = (uint32_t)-100;
	OK(policy_signed(r, &a, &out));
	want = updated(zero(), TPM_CC_PolicySigned, &a.key.name, &a.in.policyRef);
	policy_is(r, a.in.policySession, &want);
	assert_int_equal(out.policyTicket.hierarchy, TPM_RH_NULL);
	assert_int_equal(out.policyTicket.digest.size, 0);
}

/* libtpms has a clock of its own, which does not turn with the test's. */
#define ONLY_WITH_OUR_CLOCK(r)                                                                     \
	do {                                                                                       \
		if (on_libtpms(r))                                                                 \
			return;                                                                    \
	} while (0)

/* A signing key that only its policy opens. */
static struct key guarded_key(struct rig *r, const TPM2B_DIGEST *policy)
{
	TPMT_PUBLIC t = rig_signing_template();

	t.objectAttributes &= ~(uint32_t)TPMA_OBJECT_USERWITHAUTH;
	t.authPolicy = *policy;
	return make_primary(r, TPM_RH_OWNER, &t, "");
}

static tpm_rc use_key(struct rig *r, TPM_HANDLE key, TPM_HANDLE session)
{
	struct Sign_in in = {.keyHandle = key,
			     .digest = {.size = 32},
			     .inScheme = {.scheme = TPM_ALG_NULL},
			     .validation = {TPM_ST_HASHCHECK, TPM_RH_NULL, {.size = 0}}};
	struct client_session s = {.handle = session,
				   .attributes = TPMA_SESSION_CONTINUESESSION,
				   .authHash = TPM_ALG_SHA256,
				   .nonceCaller.size = 16};

	rig_sessions(r, &s, 1);
	return RIG_RUN(r, Sign, &in, NULL);
}

static void signed_opens_until_it_expires(void **state)
{
	struct rig *r = *state;
	struct authority a = authority(r, TPM_RH_OWNER);
	TPM2B_DIGEST policy = updated(zero(), TPM_CC_PolicySigned, &a.key.name, &a.in.policyRef);
	struct key k = guarded_key(r, &policy);

	a.in.policySession = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	RC(use_key(r, k.handle, a.in.policySession), RC_S(1, TPM_RC_POLICY_FAIL));
	a.in.expiration = SECONDS(100);
	authorise(r, &a);
	OK(policy_signed(r, &a, NULL));
	OK(use_key(r, k.handle, a.in.policySession));
	OK(policy_signed(r, &a, NULL));
	ONLY_WITH_OUR_CLOCK(r);
	r->now_ms += 101000;
	RC(use_key(r, k.handle, a.in.policySession), RC_S(1, TPM_RC_EXPIRED));
	RC(policy_signed(r, &a, NULL), RC_P(4, TPM_RC_EXPIRED)); /* counted from _TPM_Init */
	a.in.nonceTPM.size = 0;
	a.in.expiration = SECONDS(0x7FFFFFFF);
	authorise(r, &a);
	OK(policy_signed(r, &a, NULL));
}

/* 23.2.4: an earlier end replaces a later one, not the reverse. */
static void timeouts_only_shrink(void **state)
{
	struct rig *r = *state;
	struct authority a = authority(r, TPM_RH_OWNER);
	TPM2B_DIGEST policy = updated(zero(), TPM_CC_PolicySigned, &a.key.name, &a.in.policyRef);
	struct key k;

	policy = updated(policy, TPM_CC_PolicySigned, &a.key.name, &a.in.policyRef);
	k = guarded_key(r, &policy);
	a.in.policySession = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	a.in.expiration = SECONDS(50);
	authorise(r, &a);
	OK(policy_signed(r, &a, NULL));
	a.in.expiration = SECONDS(5000);
	authorise(r, &a);
	OK(policy_signed(r, &a, NULL));
	ONLY_WITH_OUR_CLOCK(r);
	r->now_ms += 60000;
	RC(use_key(r, k.handle, a.in.policySession), RC_S(1, TPM_RC_EXPIRED));
}

/* 23.2.2: with nonceTPM the time counts from the session's start. */
static void signed_for_one_session(void **state)
{
	struct rig *r = *state;
	struct authority a = authority(r, TPM_RH_OWNER);
	TPM2B_DIGEST policy = updated(zero(), TPM_CC_PolicySigned, &a.key.name, &a.in.policyRef);
	struct key k = guarded_key(r, &policy);
	struct client_session s;
	struct PolicySigned_out out;

	ONLY_WITH_OUR_CLOCK(r);
	r->now_ms += 1000000;
	s = rig_session(r, TPM_SE_POLICY);
	a.in.policySession = s.handle;
	a.in.nonceTPM = s.nonceTPM;
	a.in.expiration = (uint32_t)-100;
	authorise(r, &a);
	r->now_ms += 99000;
	OK(policy_signed(r, &a, &out));
	assert_int_equal(out.timeout.buffer[0] & 0x80, 0); /* its nonce ends with the session */
	r->now_ms += 2000;
	RC(use_key(r, k.handle, s.handle), RC_S(1, TPM_RC_EXPIRED));
	RC(policy_signed(r, &a, NULL), RC_P(4, TPM_RC_EXPIRED));
}

/* A sequence is no key. */
static void signed_by_a_sequence(void **state)
{
	struct rig *r = *state;
	struct HashSequenceStart_in start = {.hashAlg = TPM_ALG_SHA256};
	struct HashSequenceStart_out s;
	struct authority a = authority(r, TPM_RH_OWNER);

	authorise(r, &a);
	rig_no_sessions(r);
	OK(RIG_RUN(r, HashSequenceStart, &start, &s));
	a.in.authObject = s.handle;
	a.in.policySession = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	RC(policy_signed(r, &a, NULL),
	   on_libtpms(r) ? RC_P(5, TPM_RC_SCHEME) : RC_H(1, TPM_RC_KEY));
}

/* ---- PolicyTicket ---- */

static tpm_rc policy_ticket(struct rig *r, TPM_HANDLE session, const struct authority *a,
			    const struct PolicySigned_out *given)
{
	struct PolicyTicket_in in = {.policySession = session,
				     .timeout = given->timeout,
				     .cpHashA = a->in.cpHashA,
				     .policyRef = a->in.policyRef,
				     .authName = a->key.name,
				     .ticket = given->policyTicket};

	rig_no_sessions(r);
	return RIG_RUN(r, PolicyTicket, &in, NULL);
}

static struct PolicySigned_out ticket_for(struct rig *r, struct authority *a, uint32_t seconds)
{
	struct PolicySigned_out out;

	a->in.policySession = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	a->in.expiration = 0u - seconds;
	authorise(r, a);
	OK(policy_signed(r, a, &out));
	assert_int_equal(out.policyTicket.hierarchy, TPM_RH_OWNER);
	assert_true(out.policyTicket.digest.size > 0);
	assert_int_equal(out.timeout.size, 8);
	return out;
}

static void ticket_takes_the_place_of_a_signature(void **state)
{
	struct rig *r = *state;
	struct authority a = authority(r, TPM_RH_OWNER);
	struct PolicySigned_out given;
	TPM2B_DIGEST want;
	TPM_HANDLE s, trial;
	struct key k;

	a.in.policyRef = rig_auth("ref");
	given = ticket_for(r, &a, 100);
	want = updated(zero(), TPM_CC_PolicySigned, &a.key.name, &a.in.policyRef);
	k = guarded_key(r, &want);
	s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	OK(policy_ticket(r, s, &a, &given));
	policy_is(r, s, &want);
	OK(use_key(r, k.handle, s));
	OK(policy_ticket(r, s, &a, &given));
	trial = start_policy(r, TPM_SE_TRIAL, TPM_ALG_SHA256);
	RC(policy_ticket(r, trial, &a, &given), RC_H(1, TPM_RC_ATTRIBUTES));
	ONLY_WITH_OUR_CLOCK(r);
	r->now_ms += 101000;
	RC(use_key(r, k.handle, s), RC_S(1, TPM_RC_EXPIRED));
	RC(policy_ticket(r, s, &a, &given), RC_P(1, TPM_RC_EXPIRED));
}

/* Nothing of a ticket can be changed. */
static void ticket_is_bound_to_its_parts(void **state)
{
	struct rig *r = *state;
	struct authority a = authority(r, TPM_RH_OWNER), b;
	struct PolicySigned_out given, g;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);

	a.in.policyRef = rig_auth("ref");
	given = ticket_for(r, &a, 100);
	b = a;
	b.in.policyRef = rig_auth("reg");
	RC(policy_ticket(r, s, &b, &given), RC_P(5, TPM_RC_TICKET));
	b = a;
	b.in.cpHashA.size = 32;
	RC(policy_ticket(r, s, &b, &given), RC_P(5, TPM_RC_TICKET));
	b = a;
	b.key.name.buffer[9] ^= 1;
	RC(policy_ticket(r, s, &b, &given), RC_P(5, TPM_RC_TICKET));
	g = given;
	g.timeout.buffer[6] ^= 1; /* a quarter of a minute later, or earlier */
	RC(policy_ticket(r, s, &a, &g), RC_P(5, TPM_RC_TICKET));
	g = given;
	g.timeout.buffer[0] ^= 0x80;
	RC(policy_ticket(r, s, &a, &g), RC_P(5, TPM_RC_TICKET));
	g = given;
	g.timeout.size = 4;
	RC(policy_ticket(r, s, &a, &g), RC_P(1, TPM_RC_SIZE));
	g = given;
	g.policyTicket.tag = TPM_ST_AUTH_SECRET;
	RC(policy_ticket(r, s, &a, &g), RC_P(5, TPM_RC_TICKET));
	g = given;
	g.policyTicket.hierarchy = TPM_RH_ENDORSEMENT;
	RC(policy_ticket(r, s, &a, &g), RC_P(5, TPM_RC_TICKET));
	OK(policy_ticket(r, s, &a, &given));
}

/* 23.2.5: a ticket without nonceTPM ends with a reset, as its epoch does. */
static void ticket_ends_with_a_reset(void **state)
{
	struct rig *r = *state;
	struct authority a = authority(r, TPM_RH_OWNER);
	struct PolicySigned_out given = ticket_for(r, &a, 100000);
	TPM_HANDLE s;

	rig_reset(r);
	s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	RC(policy_ticket(r, s, &a, &given), RC_P(5, TPM_RC_TICKET));
}

/* ---- PolicySecret ---- */

static tpm_rc policy_secret(struct rig *r, TPM_HANDLE entity, const char *password,
			    TPM_HANDLE session, uint32_t expiration, const char *ref,
			    struct PolicySecret_out *out)
{
	struct PolicySecret_in in = {.authHandle = entity,
				     .policySession = session,
				     .policyRef = rig_auth(ref),
				     .expiration = expiration};

	rig_password(r, 0, password);
	return RIG_RUN(r, PolicySecret, &in, out);
}

static void secret_wants_the_auth_value(void **state)
{
	static const TPM2B_NAME endorsement = {4, {0x40, 0, 0, 0x0B}};
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPM2B_NONCE ref = rig_auth("ref");
	TPM2B_DIGEST want = updated(zero(), TPM_CC_PolicySecret, &endorsement, &ref);
	struct PolicySecret_out out;

	RC(policy_secret(r, TPM_RH_ENDORSEMENT, "wrong", s, 0, "ref", &out),
	   RC_S(1, TPM_RC_BAD_AUTH));
	OK(policy_secret(r, TPM_RH_ENDORSEMENT, "", s, 0, "ref", &out));
	policy_is(r, s, &want);
	assert_int_equal(out.policyTicket.tag, TPM_ST_AUTH_SECRET);
	assert_int_equal(out.policyTicket.hierarchy, TPM_RH_NULL);
	s = start_policy(r, TPM_SE_TRIAL, TPM_ALG_SHA256); /* a trial authorises, too */
	RC(policy_secret(r, TPM_RH_ENDORSEMENT, "wrong", s, 0, "ref", &out),
	   RC_S(1, TPM_RC_BAD_AUTH));
	OK(policy_secret(r, TPM_RH_ENDORSEMENT, "", s, 0, "ref", &out));
	policy_is(r, s, &want);
}

static void secret_gives_tickets(void **state)
{
	static const TPM2B_NAME owner = {4, {0x40, 0, 0, 1}};
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	struct PolicySecret_out out;
	struct PolicyTicket_in in = {.authName = owner};
	TPM2B_DIGEST want;

	OK(policy_secret(r, TPM_RH_OWNER, "", s, (uint32_t)-60, "", &out));
	assert_int_equal(out.policyTicket.hierarchy, TPM_RH_OWNER);
	want = policy_digest(r, s);
	in.policySession = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	in.timeout = out.timeout;
	in.ticket = out.policyTicket;
	rig_no_sessions(r);
	OK(RIG_RUN(r, PolicyTicket, &in, NULL));
	policy_is(r, in.policySession, &want);
}

/* The hierarchy of a ticket is that of the entity; of an index and a PCR the owner's. */
static void secret_of_any_entity_gives_tickets(void **state)
{
	static const TPM_HANDLE entities[][2] = {
		{TPM_RH_PLATFORM, TPM_RH_PLATFORM},
		{TPM_RH_ENDORSEMENT, TPM_RH_ENDORSEMENT},
		{TPM_RH_LOCKOUT, TPM_RH_OWNER},
		{10, TPM_RH_OWNER},
		{INDEX, TPM_RH_OWNER},
	};
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	struct PolicySecret_out out;

	rig_define(r, INDEX, TPMA_NV_OWNERWRITE | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA, 8, "");
	for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
		OK(policy_secret(r, entities[i][0], "", s, (uint32_t)-600, "", &out));
		assert_int_equal(out.policyTicket.hierarchy, entities[i][1]);
		assert_true(out.policyTicket.digest.size > 0);
	}
	RC(policy_secret(r, TPM_RH_NULL, "", s, 0, "", &out), RC_H(1, TPM_RC_VALUE));
}

/* 23.4: a policy session has to be about the authValue. */
static void secret_by_policy_needs_the_auth_value(void **state)
{
	struct rig *r = *state;
	TPM2B_DIGEST empty = zero(), policy;
	TPMT_PUBLIC t = rig_signing_template();
	struct PolicySecret_in in;
	struct client_session s = {.attributes = TPMA_SESSION_CONTINUESESSION,
				   .authHash = TPM_ALG_SHA256,
				   .auth = {6, "secret"},
				   .password = true,
				   .nonceCaller.size = 16};
	struct PolicyPassword_in password;
	struct key k;

	policy = extend(empty, TPM_CC_PolicyAuthValue, NULL, 0);
	t.authPolicy = policy;
	k = make_primary(r, TPM_RH_OWNER, &t, "secret");
	in = (struct PolicySecret_in){.authHandle = k.handle,
				      .policySession =
					      start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256)};
	s.handle = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	rig_sessions(r, &s, 1);
	RC(RIG_RUN(r, PolicySecret, &in, NULL), RC_S(1, TPM_RC_MODE));
	password.policySession = s.handle;
	rig_no_sessions(r);
	OK(RIG_RUN(r, PolicyPassword, &password, NULL));
	rig_sessions(r, &s, 1);
	OK(RIG_RUN(r, PolicySecret, &in, NULL));
}

/* 23.2.5: a PIN Pass index counts every use, which a ticket would not. */
static void secret_of_a_pin_pass_index_gives_no_ticket(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	struct NV_Write_in write = {.authHandle = TPM_RH_OWNER,
				    .nvIndex = INDEX,
				    .data = {8, {0, 0, 0, 0, 0, 0, 0, 2}}};
	struct PolicySecret_out out;

	rig_define(r, INDEX,
		   TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA |
			   TPM_NT_PIN_PASS << TPMA_NV_TPM_NT_SHIFT,
		   8, "pin");
	OK(RIG_RUN(r, NV_Write, &write, NULL));
	for (unsigned use = 0; use < 2; use++) {
		OK(policy_secret(r, INDEX, "pin", s, (uint32_t)-60, "", &out));
		assert_int_equal(out.policyTicket.hierarchy, TPM_RH_NULL);
		assert_int_equal(out.policyTicket.digest.size, 0);
	}
	RC(policy_secret(r, INDEX, "pin", s, (uint32_t)-60, "", &out), TPM_RC_AUTH_UNAVAILABLE);
}

/* ---- PolicyOR ---- */

static tpm_rc policy_or(struct rig *r, TPM_HANDLE session, const TPM2B_DIGEST *list, uint32_t count)
{
	struct PolicyOR_in in = {.policySession = session, .pHashList.count = count};

	memcpy(in.pHashList.digests, list, count * sizeof *list);
	rig_no_sessions(r);
	return RIG_RUN(r, PolicyOR, &in, NULL);
}

static void or_takes_one_of_many(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPM2B_DIGEST list[9] = {{.size = 0}}, want;
	uint8_t all[8 * 32] = {0};

	for (uint8_t i = 0; i < 8; i++) {
		list[i].size = 32;
		list[i].buffer[0] = all[32 * i] = (uint8_t)(i + 1);
	}
	RC(policy_or(r, s, list, 8), RC_P(1, TPM_RC_VALUE));
	RC(policy_or(r, s, list, 1), RC_P(1, TPM_RC_SIZE));
	RC(policy_or(r, s, list, 0), RC_P(1, TPM_RC_SIZE));
	want = extend(zero(), TPM_CC_PolicyOR, all, sizeof all);
	RC(policy_or(r, s, list, 8), RC_P(1, TPM_RC_VALUE));
	list[7].buffer[0] = all[32 * 7] = 0; /* the session's, so far */
	want = extend(zero(), TPM_CC_PolicyOR, all, sizeof all);
	OK(policy_or(r, s, list, 8));
	policy_is(r, s, &want);
	list[0] = want;
	list[0].size = 20; /* a part does not match */
	RC(policy_or(r, s, list, 2), RC_P(1, TPM_RC_VALUE));
	s = start_policy(r, TPM_SE_TRIAL, TPM_ALG_SHA256);
	list[0] = list[1];
	OK(policy_or(r, s, list, 2));
}

/* ---- PolicyAuthorize ---- */

struct approval {
	struct key key;
	struct PolicyAuthorize_in in;
};

/* The ticket for H(approvedPolicy || policyRef). */
static struct approval approve(struct rig *r, TPM_HANDLE hierarchy, const TPM2B_DIGEST *policy,
			       const char *ref)
{
	TPMT_PUBLIC t = rig_signing_template();
	struct approval a = {.key = make_primary(r, hierarchy, &t, "")};
	struct Sign_in in = {.keyHandle = a.key.handle,
			     .inScheme = {.scheme = TPM_ALG_NULL},
			     .validation = {TPM_ST_HASHCHECK, TPM_RH_NULL, {.size = 0}}};
	struct VerifySignature_in check = {.keyHandle = a.key.handle};
	struct VerifySignature_out checked;
	uint8_t bytes[64 + 64];
	struct writer w = {bytes, sizeof bytes, false};
	struct Sign_out out;

	write_bytes(&w, policy->buffer, policy->size);
	write_bytes(&w, ref, strlen(ref));
	in.digest = check.digest = digest_of(TPM_ALG_SHA256, bytes, sizeof bytes - w.left);
	OK(RIG_RUN(r, Sign, &in, &out));
	check.signature = out.signature;
	rig_no_sessions(r);
	OK(RIG_RUN(r, VerifySignature, &check, &checked));
	a.in = (struct PolicyAuthorize_in){.approvedPolicy = *policy,
					   .policyRef = rig_auth(ref),
					   .keySign = a.key.name,
					   .checkTicket = checked.validation};
	return a;
}

static tpm_rc policy_authorize(struct rig *r, struct approval *a, TPM_HANDLE session)
{
	a->in.policySession = session;
	rig_no_sessions(r);
	return RIG_RUN(r, PolicyAuthorize, &a->in, NULL);
}

static void authorize_replaces_what_is_approved(void **state)
{
	struct rig *r = *state;
	TPM2B_DIGEST policy = extend(zero(), TPM_CC_PolicyAuthValue, NULL, 0), want;
	struct PolicyAuthValue_in value;
	struct approval a = approve(r, TPM_RH_OWNER, &policy, "ref");
	TPM_HANDLE s = value.policySession = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);

	RC(policy_authorize(r, &a, s), RC_P(1, TPM_RC_VALUE)); /* not there yet */
	rig_no_sessions(r);
	OK(RIG_RUN(r, PolicyAuthValue, &value, NULL));
	OK(policy_authorize(r, &a, s));
	want = updated(zero(), TPM_CC_PolicyAuthorize, &a.key.name, &a.in.policyRef);
	policy_is(r, s, &want);
}

static void authorize_checks_its_ticket(void **state)
{
	struct rig *r = *state;
	TPM2B_DIGEST policy = zero();
	struct approval a = approve(r, TPM_RH_OWNER, &policy, "ref"), b;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);

	b = a;
	b.in.policyRef = rig_auth("reg");
	RC(policy_authorize(r, &b, s), RC_P(4, TPM_RC_VALUE));
	b = a;
	b.in.checkTicket.digest.buffer[0] ^= 1;
	RC(policy_authorize(r, &b, s), RC_P(4, TPM_RC_VALUE));
	b = a;
	b.in.checkTicket = (TPMT_TK_VERIFIED){TPM_ST_VERIFIED, TPM_RH_NULL, {.size = 0}};
	RC(policy_authorize(r, &b, s), RC_P(4, TPM_RC_VALUE));
	b = a;
	b.in.keySign.buffer[5] ^= 1;
	RC(policy_authorize(r, &b, s), RC_P(4, TPM_RC_VALUE));
	b.in.keySign.size--;
	RC(policy_authorize(r, &b, s), RC_P(3, TPM_RC_SIZE));
	b.in.keySign.buffer[1] = 0x77;
	RC(policy_authorize(r, &b, s), RC_P(3, TPM_RC_HASH));
	b.in.keySign.size = 1;
	RC(policy_authorize(r, &b, s), RC_P(3, TPM_RC_HASH));
	OK(policy_authorize(r, &a, s));
	s = start_policy(r, TPM_SE_TRIAL, TPM_ALG_SHA256);
	b = a;
	b.in.checkTicket = (TPMT_TK_VERIFIED){TPM_ST_VERIFIED, TPM_RH_NULL, {.size = 0}};
	b.in.approvedPolicy.size = 0;
	OK(policy_authorize(r, &b, s)); /* 23.16, note 2 */
}

/* ---- PolicyAuthorizeNV ---- */

static void write_index(struct rig *r, const uint8_t *bytes, uint16_t size)
{
	struct NV_Write_in in = {.authHandle = TPM_RH_OWNER, .nvIndex = INDEX, .data.size = size};

	memcpy(in.data.buffer, bytes, size);
	OK(RIG_RUN(r, NV_Write, &in, NULL));
}

static tpm_rc authorize_nv(struct rig *r, TPM_HANDLE session)
{
	struct PolicyAuthorizeNV_in in = {
		.authHandle = TPM_RH_OWNER, .nvIndex = INDEX, .policySession = session};

	return RIG_RUN(r, PolicyAuthorizeNV, &in, NULL);
}

static void authorize_nv_takes_the_indexs_word(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	struct NV_ReadPublic_in public_in = {.nvIndex = INDEX};
	struct NV_ReadPublic_out public;
	uint8_t ha[40] = {0x00, 0x0B};
	TPM2B_DIGEST want;

	rig_define(r, INDEX, TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE, sizeof ha, "");
	RC(authorize_nv(r, s), TPM_RC_NV_UNINITIALIZED);
	OK(authorize_nv(r, start_policy(r, TPM_SE_TRIAL, TPM_ALG_SHA256)));
	ha[10] = 1;
	write_index(r, ha, sizeof ha);
	RC(authorize_nv(r, s), TPM_RC_VALUE);
	ha[10] = 0;
	ha[1] = 0x04;
	write_index(r, ha, sizeof ha);
	RC(authorize_nv(r, s), TPM_RC_HASH);
	ha[1] = 0x99;
	write_index(r, ha, sizeof ha);
	RC(authorize_nv(r, s), TPM_RC_HASH);
	ha[1] = 0x0C; /* of a digest longer than the index */
	write_index(r, ha, sizeof ha);
	RC(authorize_nv(r, s), TPM_RC_INSUFFICIENT);
	ha[1] = 0x0B;
	write_index(r, ha, sizeof ha);
	OK(authorize_nv(r, s));
	rig_no_sessions(r);
	OK(RIG_RUN(r, NV_ReadPublic, &public_in, &public));
	want = extend(zero(), TPM_CC_PolicyAuthorizeNV, public.nvName.buffer, public.nvName.size);
	policy_is(r, s, &want);
}

/* ---- a new nonceTPM ---- */

static tpm_rc secret_within(struct rig *r, const struct client_session *s, uint32_t seconds)
{
	struct PolicySecret_in in = {.authHandle = TPM_RH_OWNER,
				     .policySession = s->handle,
				     .nonceTPM = s->nonceTPM,
				     .expiration = seconds};

	return RIG_RUN(r, PolicySecret, &in, NULL);
}

/* Whatever a policy session is used for, here to encrypt an answer: its nonceTPM rolls, the
 * policy begins anew, and times count from then. */
static void a_policy_begins_anew_with_nonceTPM(void **state)
{
	struct rig *r = *state;
	struct StartAuthSession_in in = {.tpmKey = TPM_RH_NULL,
					 .bind = TPM_RH_NULL,
					 .nonceCaller.size = 32,
					 .sessionType = TPM_SE_POLICY,
					 .symmetric = {TPM_ALG_AES, {.aes = 128}, {TPM_ALG_CFB}},
					 .authHash = TPM_ALG_SHA256};
	struct client_session s = {.attributes =
					   TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_ENCRYPT,
				   .authHash = TPM_ALG_SHA256,
				   .symmetric = in.symmetric};
	struct GetRandom_in random = {.bytesRequested = 8};
	struct StartAuthSession_out out;
	TPM2B_DIGEST none = zero();

	OK(RIG_RUN(r, StartAuthSession, &in, &out));
	s.handle = out.handle;
	s.nonceTPM = out.nonceTPM;
	rig_fresh_nonce(r, &s);
	OK(secret_within(r, &s, SECONDS(10)));
	r->now_ms += 20000;
	if (!on_libtpms(r)) /* which has a clock of its own */
		RC(secret_within(r, &s, SECONDS(10)), RC_P(4, TPM_RC_EXPIRED));
	rig_sessions(r, &s, 1);
	OK(RIG_RUN(r, GetRandom, &random, NULL));
	s = r->sessions[0];
	policy_is(r, s.handle, &none);
	OK(secret_within(r, &s, SECONDS(10)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(signed_updates_the_digest),
		TEST(signed_checks_every_qualifier),
		TEST(signed_checks_its_parameters),
		TEST(signed_in_a_trial),
		TEST(signed_opens_until_it_expires),
		TEST(timeouts_only_shrink),
		TEST(signed_for_one_session),
		TEST(signed_by_a_sequence),
		TEST(ticket_takes_the_place_of_a_signature),
		TEST(ticket_is_bound_to_its_parts),
		TEST(ticket_ends_with_a_reset),
		TEST(secret_wants_the_auth_value),
		TEST(secret_gives_tickets),
		TEST(secret_of_any_entity_gives_tickets),
		TEST(secret_by_policy_needs_the_auth_value),
		TEST(secret_of_a_pin_pass_index_gives_no_ticket),
		TEST(or_takes_one_of_many),
		TEST(authorize_replaces_what_is_approved),
		TEST(authorize_checks_its_ticket),
		TEST(authorize_nv_takes_the_indexs_word),
		TEST(a_policy_begins_anew_with_nonceTPM),
	};

	return cmocka_run_group_tests_name("Part 3, 23", tests, NULL, NULL);
}
