/* Part 3, 18.5, 18.6 and 21: session audit and command audit. */
#include "nv_commands.h"

#include "keys.h"

#define RESTRICTED (PLAIN | TPMA_OBJECT_SIGN | TPMA_OBJECT_RESTRICTED)
#define NOT_A_CODE 0x1FE

static const TPMT_SIG_SCHEME no_scheme = {TPM_ALG_NULL, {.any = {TPM_ALG_NULL}}};
static const TPM2B_DIGEST empty;

static struct key attestation_key(struct rig *r, TPM_HANDLE hierarchy)
{
	TPMT_PUBLIC t = template_ecc(RESTRICTED, TPM_ECC_NIST_P256, TPM_ALG_ECDSA, TPM_ALG_SHA256);

	return make_primary(r, hierarchy, &t, "");
}

/* ---- what a client computes ---- */

/* digest := H(digest || cpHash || rpHash) of the last command, from its bytes and its answer's.
 * `names` of its handles; NULL: each is its own name. */
static void expect(const struct rig *r, TPM_ALG_ID alg, const TPM2B_NAME *names,
		   TPM2B_DIGEST *digest)
{
	struct reader c = {r->command + 6, r->command_len - 6};
	struct reader a = {r->response + 10, r->response_len - 10};
	const struct command *command;
	uint8_t bytes[8192], success[4] = {0}, hashes[3 * 64];
	struct writer w = {bytes, sizeof bytes, false};
	TPM2B_DIGEST cp, rp;
	uint32_t value;
	uint16_t size;

	if (digest->size == 0) {
		memset(digest, 0, sizeof *digest);
		digest->size = (uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)alg);
	}
	size = digest->size;
	OK(read_u32(&c, &value));
	command = command_find(value);
	write_u32(&w, value);
	for (unsigned n = 0; n < command_handles(command); n++) {
		OK(read_u32(&c, &value));
		if (names)
			write_bytes(&w, names[n].buffer, names[n].size);
		else
			write_u32(&w, value);
	}
	if (r->command[1] == 2) { /* TPM_ST_SESSIONS */
		OK(read_u32(&c, &value));
		c.at += value;
		c.left -= value;
	}
	write_bytes(&w, c.at, c.left);
	cp = digest_of(alg, bytes, sizeof bytes - w.left);

	if (command->flags & CC_RHANDLE)
		OK(read_u32(&a, &value));
	value = (uint32_t)a.left;
	if (r->response[1] == 2)
		OK(read_u32(&a, &value));
	w = (struct writer){bytes, sizeof bytes, false};
	write_bytes(&w, success, sizeof success);
	write_u32(&w, command->code);
	write_bytes(&w, a.at, value);
	rp = digest_of(alg, bytes, sizeof bytes - w.left);

	memcpy(hashes, digest->buffer, size);
	memcpy(hashes + size, cp.buffer, size);
	memcpy(hashes + 2 * size, rp.buffer, size);
	*digest = digest_of(alg, hashes, 3u * size);
}

static void same_digest(const TPM2B_DIGEST *a, const TPM2B_DIGEST *b)
{
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->buffer, b->buffer, b->size);
}

static TPM2B_DIGEST digest_of_codes(TPM_ALG_ID alg, const TPM_CC *codes, size_t count)
{
	uint8_t bytes[64];
	struct writer w = {bytes, sizeof bytes, false};

	for (size_t i = 0; i < count; i++)
		write_u32(&w, codes[i]);
	return digest_of(alg, bytes, sizeof bytes - w.left);
}

/* ---- what the TPM says ---- */

/* TPM2_GetCommandAuditDigest without a signature, which changes nothing. */
static TPMS_COMMAND_AUDIT_INFO audit_now(struct rig *r)
{
	struct GetCommandAuditDigest_in in = {.privacyHandle = TPM_RH_ENDORSEMENT,
					      .signHandle = TPM_RH_NULL,
					      .inScheme = no_scheme};
	struct GetCommandAuditDigest_out out;

	OK(RIG_RUN(r, GetCommandAuditDigest, &in, &out));
	assert_int_equal(out.signature.sigAlg, TPM_ALG_NULL);
	return attest_of(&out.auditInfo, TPM_ST_ATTEST_COMMAND_AUDIT).attested.commandAudit;
}

static void audit_is(struct rig *r, uint64_t counter, const TPM2B_DIGEST *digest)
{
	TPMS_COMMAND_AUDIT_INFO info = audit_now(r);

	assert_int_equal(info.auditCounter, counter);
	same_digest(&info.auditDigest, digest);
}

static void list_is(struct rig *r, const TPM_CC *codes, size_t count)
{
	struct GetCapability_in in = {.capability = TPM_CAP_AUDIT_COMMANDS, .propertyCount = 100};
	struct GetCapability_out out;
	const TPML_CC *list = &out.capabilityData.data.auditCommands;
	TPMS_COMMAND_AUDIT_INFO info;
	TPM2B_DIGEST want;

	OK(RIG_RUN(r, GetCapability, &in, &out));
	assert_false(out.moreData);
	assert_int_equal(list->count, count);
	assert_memory_equal(list->commandCodes, codes, count * sizeof *codes);
	info = audit_now(r);
	want = digest_of_codes(info.digestAlg, codes, count);
	same_digest(&info.commandDigest, &want);
}

static uint64_t counter_property(struct rig *r)
{
	struct GetCapability_in in = {.capability = TPM_CAP_TPM_PROPERTIES,
				      .property = TPM_PT_AUDIT_COUNTER_0,
				      .propertyCount = 2};
	struct GetCapability_out out;
	const TPMS_TAGGED_PROPERTY *p = out.capabilityData.data.tpmProperties.tpmProperty;

	OK(RIG_RUN(r, GetCapability, &in, &out));
	assert_int_equal(out.capabilityData.data.tpmProperties.count, 2);
	assert_int_equal(p[1].property, TPM_PT_AUDIT_COUNTER_1);
	return (uint64_t)p[0].value << 32 | p[1].value;
}

/* ---- what is audited ---- */

static tpm_rc set_status(struct rig *r, TPM_HANDLE auth, TPM_ALG_ID alg, const TPML_CC *set,
			 const TPML_CC *clear)
{
	struct SetCommandCodeAuditStatus_in in = {.auth = auth, .auditAlg = alg};

	if (set)
		in.setList = *set;
	if (clear)
		in.clearList = *clear;
	return RIG_RUN(r, SetCommandCodeAuditStatus, &in, NULL);
}

static void choose(struct rig *r, TPM_CC code)
{
	TPML_CC set = {1, {code}};

	OK(set_status(r, TPM_RH_OWNER, TPM_ALG_NULL, &set, NULL));
}

static void use_hash(struct rig *r, TPM_ALG_ID alg)
{
	OK(set_status(r, TPM_RH_PLATFORM, alg, NULL, NULL));
}

static void stir(struct rig *r)
{
	static const struct StirRandom_in in = {.inData = {3, "abc"}};

	OK(RIG_RUN(r, StirRandom, &in, NULL));
}

static void get_random(struct rig *r)
{
	static const struct GetRandom_in in = {.bytesRequested = 16};

	OK(RIG_RUN(r, GetRandom, &in, NULL));
}

/* 21.2: what is chosen and what is not, in which order, and that there is what cannot be. */
static void commands_are_chosen(void **state)
{
	static const TPM_CC none[] = {TPM_CC_SetCommandCodeAuditStatus};
	static const TPM_CC three[] = {TPM_CC_SetCommandCodeAuditStatus, TPM_CC_StirRandom,
				       TPM_CC_GetRandom};
	struct rig *r = *state;
	TPML_CC set = {
		5, {TPM_CC_GetRandom, TPM_CC_Shutdown, TPM_CC_StirRandom, NOT_A_CODE, 0xFFFFFFFF}};
	TPML_CC clear = {3, {TPM_CC_SetCommandCodeAuditStatus, TPM_CC_GetRandom, 0}};

	list_is(r, none, 1);
	OK(set_status(r, TPM_RH_OWNER, TPM_ALG_NULL, &set, NULL));
	list_is(r, three, 3);
	OK(set_status(r, TPM_RH_PLATFORM, TPM_ALG_NULL, &set, NULL)); /* again: no error */
	list_is(r, three, 3);
	OK(set_status(r, TPM_RH_OWNER, TPM_ALG_NULL, &set, &clear)); /* the clear list is last */
	list_is(r, three, 2);
	set = (TPML_CC){1, {TPM_CC_StirRandom}};
	OK(set_status(r, TPM_RH_OWNER, TPM_ALG_SHA512, NULL, &set)); /* the hash that it is */
	list_is(r, none, 1);
}

/* 30.2: the list from a code on, so many as are asked for. */
static void the_list_is_told_in_parts(void **state)
{
	struct rig *r = *state;
	TPML_CC set = {2, {TPM_CC_GetRandom, TPM_CC_StirRandom}};
	struct GetCapability_in in = {.capability = TPM_CAP_AUDIT_COMMANDS, .propertyCount = 1};
	struct GetCapability_out out;
	const TPML_CC *list = &out.capabilityData.data.auditCommands;

	OK(set_status(r, TPM_RH_OWNER, TPM_ALG_NULL, &set, NULL));
	in.property = TPM_CC_SetCommandCodeAuditStatus + 1;
	OK(RIG_RUN(r, GetCapability, &in, &out));
	assert_int_equal(list->count, 1);
	assert_int_equal(list->commandCodes[0], TPM_CC_StirRandom);
	assert_true(out.moreData);
	in.property = TPM_CC_GetRandom;
	OK(RIG_RUN(r, GetCapability, &in, &out));
	assert_int_equal(list->count, 1);
	assert_int_equal(list->commandCodes[0], TPM_CC_GetRandom);
	assert_false(out.moreData);
	in.property = TPM_CC_GetRandom + 1;
	OK(RIG_RUN(r, GetCapability, &in, &out));
	assert_int_equal(list->count, 0);
}

/* 21.2: the hash, or the list. Owner or platform. */
static void status_errors(void **state)
{
	static const TPM_CC none[] = {TPM_CC_SetCommandCodeAuditStatus};
	struct rig *r = *state;
	TPML_CC list = {1, {TPM_CC_GetRandom}};

	RC(set_status(r, TPM_RH_OWNER, TPM_ALG_SHA256, &list, NULL), RC_P(1, TPM_RC_VALUE));
	RC(set_status(r, TPM_RH_OWNER, TPM_ALG_SHA256, NULL, &list), RC_P(1, TPM_RC_VALUE));
	RC(set_status(r, TPM_RH_OWNER, TPM_ALG_AES, NULL, NULL), RC_P(1, TPM_RC_HASH));
	RC(set_status(r, TPM_RH_ENDORSEMENT, TPM_ALG_NULL, NULL, NULL), RC_H(1, TPM_RC_VALUE));
	list_is(r, none, 1);
	audit_is(r, 0, &empty);
}

/* 21.1, with each hash: of what was chosen alone, the choice included, and successes alone. */
static void the_digest_follows_the_commands(void **state)
{
	static const TPM_ALG_ID algs[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384,
					  TPM_ALG_SHA512};
	struct rig *r = *state;
	static const struct GetRandom_in random = {.bytesRequested = 8};
	struct HashSequenceStart_in wrong = {.hashAlg = TPM_ALG_AES};
	struct HashSequenceStart_out sequence;

	for (size_t i = 0; i < 4; i++) {
		TPM2B_DIGEST want = empty;
		TPML_CC set = {3, {TPM_CC_StirRandom, TPM_CC_GetRandom, TPM_CC_HashSequenceStart}};

		use_hash(r, algs[i]);
		audit_is(r, i, &want);
		assert_int_equal(audit_now(r).digestAlg, algs[i]);
		OK(set_status(r, TPM_RH_OWNER, TPM_ALG_NULL, &set, NULL));
		expect(r, algs[i], NULL, &want);
		audit_is(r, i + 1, &want); /* itself not chosen */
		stir(r);
		expect(r, algs[i], NULL, &want);
		OK(RIG_RUN(r, GetRandom, &random, NULL));
		expect(r, algs[i], NULL, &want);
		RC(RIG_RUN(r, HashSequenceStart, &wrong, NULL), RC_P(2, TPM_RC_HASH));
		audit_is(r, i + 1, &want);
		wrong.hashAlg = TPM_ALG_SHA256;
		OK(RIG_RUN(r, HashSequenceStart, &wrong, &sequence)); /* a handle in the answer */
		expect(r, algs[i], NULL, &want);
		rig_flush(r, sequence.handle);
		wrong.hashAlg = TPM_ALG_AES;
		audit_is(r, i + 1, &want);
		OK(set_status(r, TPM_RH_OWNER, TPM_ALG_NULL, NULL, &set));
		expect(r, algs[i], NULL, &want);
		stir(r);
		audit_is(r, i + 1, &want);
		assert_int_equal(counter_property(r), i + 1);
	}
}

/* 21.2, note 2: the hash begins anew, and its change is not audited. */
static void a_change_of_the_hash_is_not_audited(void **state)
{
	struct rig *r = *state;
	TPM2B_DIGEST want = empty;

	choose(r, TPM_CC_StirRandom);
	use_hash(r, TPM_ALG_SHA256);
	audit_is(r, 1, &empty);
	use_hash(r, TPM_ALG_SHA256); /* is no change, and audited */
	expect(r, TPM_ALG_SHA256, NULL, &want);
	audit_is(r, 2, &want);
}

/* cpHash has the names that the command found, not those that it left. */
static void names_are_those_that_the_command_found(void **state)
{
	struct rig *r = *state;
	TPML_CC set = {3, {TPM_CC_NV_UndefineSpace, TPM_CC_NV_Write, TPM_CC_ReadPublic}};
	struct NV_UndefineSpace_in undefine = {.authHandle = TPM_RH_OWNER, .nvIndex = INDEX};
	TPM2B_NAME names[2] = {{4, {0x40, 0, 0, 1}}};
	struct ReadPublic_in read = {0};
	TPM2B_DIGEST want = empty;
	struct key k = attestation_key(r, TPM_RH_OWNER);

	rig_define(r, INDEX, PLAIN_NV, 8, "");
	use_hash(r, TPM_ALG_SHA256);
	OK(set_status(r, TPM_RH_OWNER, TPM_ALG_NULL, &set, NULL));
	expect(r, TPM_ALG_SHA256, NULL, &want);
	names[1] = public_now(r).nvName;
	OK(write_nv(r, "01234567", 8, 0)); /* changes the name */
	expect(r, TPM_ALG_SHA256, names, &want);
	audit_is(r, 1, &want);
	names[1] = public_now(r).nvName;
	OK(RIG_RUN(r, NV_UndefineSpace, &undefine, NULL));
	expect(r, TPM_ALG_SHA256, names, &want);
	audit_is(r, 1, &want);
	read.objectHandle = k.handle;
	OK(RIG_RUN(r, ReadPublic, &read, NULL));
	expect(r, TPM_ALG_SHA256, &k.name, &want);
	audit_is(r, 1, &want);
}

/* Both hashes are of parameters as they travel: encrypted. */
static void parameters_are_hashed_as_they_travel(void **state)
{
	struct rig *r = *state;
	struct Hash_in hash = {
		.data = {5, "hello"}, .hashAlg = TPM_ALG_SHA256, .hierarchy = TPM_RH_NULL};
	struct client_session s = bound_session(r, TPM_SE_HMAC, TPM_RH_OWNER, "");
	TPM2B_DIGEST want = empty;

	use_hash(r, TPM_ALG_SHA384);
	choose(r, TPM_CC_Hash);
	expect(r, TPM_ALG_SHA384, NULL, &want);
	s.attributes |= TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT;
	rig_fresh_nonce(r, &s);
	r->command_len = command_encode(command_find(TPM_CC_Hash), &hash, &s, 1, NULL, r->command,
					sizeof r->command);
	OK(rig_raw(r, r->command, r->command_len));
	assert_memory_not_equal(r->command + r->command_len - 11, "hello", 5);
	expect(r, TPM_ALG_SHA384, NULL, &want);
	audit_is(r, 1, &want);
}

/* 18.6: a signature ends what it signs. What it says, to whom. */
static void signing_clears_the_digest(void **state)
{
	struct rig *r = *state;
	struct key k = attestation_key(r, TPM_RH_ENDORSEMENT);
	struct GetCommandAuditDigest_in in = {.privacyHandle = TPM_RH_ENDORSEMENT,
					      .signHandle = k.handle,
					      .qualifyingData = data_of("nonce"),
					      .inScheme = no_scheme};
	struct GetCommandAuditDigest_out out;
	TPM2B_NAME names[2] = {{4, {0x40, 0, 0, 0x0B}}, k.name};
	TPM2B_DIGEST want = empty;
	TPMS_ATTEST a;

	use_hash(r, TPM_ALG_SHA256);
	choose(r, TPM_CC_StirRandom);
	expect(r, TPM_ALG_SHA256, NULL, &want);
	stir(r);
	expect(r, TPM_ALG_SHA256, NULL, &want);
	OK(RIG_RUN(r, GetCommandAuditDigest, &in, &out));
	is_signed_by(r, &k, &out.auditInfo, &out.signature);
	a = attest_of(&out.auditInfo, TPM_ST_ATTEST_COMMAND_AUDIT);
	assert_int_equal(a.extraData.size, 5);
	assert_memory_equal(a.extraData.buffer, "nonce", 5);
	assert_int_equal(a.attested.commandAudit.auditCounter, 1);
	assert_int_equal(a.attested.commandAudit.digestAlg, TPM_ALG_SHA256);
	same_digest(&a.attested.commandAudit.auditDigest, &want);
	audit_is(r, 1, &empty); /* the counter stays until something is audited */
	assert_int_equal(counter_property(r), 1);

	/* audited itself: not in what it signs, but the first of the next */
	choose(r, TPM_CC_GetCommandAuditDigest);
	want = empty;
	expect(r, TPM_ALG_SHA256, NULL, &want);
	OK(RIG_RUN(r, GetCommandAuditDigest, &in, &out));
	a = attest_of(&out.auditInfo, TPM_ST_ATTEST_COMMAND_AUDIT);
	assert_int_equal(a.attested.commandAudit.auditCounter, 2);
	same_digest(&a.attested.commandAudit.auditDigest, &want);
	want = empty;
	expect(r, TPM_ALG_SHA256, names, &want);
	audit_is(r, 3, &want);
}

/* 18.5, 18.6: who may ask, with which key. Nothing is cleared by a command that fails. */
static void digest_errors(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC storage = rig_storage_template();
	struct key s = make_primary(r, TPM_RH_OWNER, &storage, "");
	struct key k = attestation_key(r, TPM_RH_OWNER);
	struct client_session session = rig_session(r, TPM_SE_HMAC);
	TPM_HANDLE policy = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	struct GetCommandAuditDigest_in command = {
		.privacyHandle = TPM_RH_OWNER, .signHandle = k.handle, .inScheme = no_scheme};
	struct GetSessionAuditDigest_in of_session = {.privacyAdminHandle = TPM_RH_OWNER,
						      .signHandle = k.handle,
						      .sessionHandle = session.handle,
						      .inScheme = no_scheme};
	TPM2B_DIGEST want = empty;

	choose(r, TPM_CC_StirRandom);
	expect(r, TPM_ALG_SHA512, NULL, &want);
	RC(RIG_RUN(r, GetCommandAuditDigest, &command, NULL), RC_H(1, TPM_RC_VALUE));
	RC(RIG_RUN(r, GetSessionAuditDigest, &of_session, NULL), RC_H(1, TPM_RC_VALUE));
	command.privacyHandle = of_session.privacyAdminHandle = TPM_RH_ENDORSEMENT;
	rig_password(r, 0, "wrong");
	rig_password(r, 1, "");
	RC(RIG_RUN(r, GetCommandAuditDigest, &command, NULL), RC_S(1, TPM_RC_BAD_AUTH));
	command.signHandle = of_session.signHandle = s.handle;
	RC(RIG_RUN(r, GetCommandAuditDigest, &command, NULL), RC_H(2, TPM_RC_KEY));
	RC(RIG_RUN(r, GetSessionAuditDigest, &of_session, NULL), RC_H(2, TPM_RC_KEY));
	command.signHandle = of_session.signHandle = k.handle;
	command.inScheme = of_session.inScheme =
		(TPMT_SIG_SCHEME){TPM_ALG_ECDSA, {.ecdsa = {TPM_ALG_SHA384}}};
	RC(RIG_RUN(r, GetCommandAuditDigest, &command, NULL), RC_P(2, TPM_RC_SCHEME));
	RC(RIG_RUN(r, GetSessionAuditDigest, &of_session, NULL), RC_P(2, TPM_RC_SCHEME));
	of_session.inScheme = no_scheme;
	RC(RIG_RUN(r, GetSessionAuditDigest, &of_session, NULL), RC_H(3, TPM_RC_TYPE));
	of_session.sessionHandle = policy;
	RC(RIG_RUN(r, GetSessionAuditDigest, &of_session, NULL), RC_H(3, TPM_RC_VALUE));
	of_session.sessionHandle = HMAC_SESSION_FIRST + 9;
	RC(RIG_RUN(r, GetSessionAuditDigest, &of_session, NULL), TPM_RC_REFERENCE_H0 + 2);
	audit_is(r, 1, &want);
}

/* ---- 18.5 ---- */

static void audit_with(struct rig *r, struct client_session *s)
{
	static const struct StirRandom_in in = {.inData = {3, "abc"}};

	rig_fresh_nonce(r, s);
	rig_sessions(r, s, 1);
	OK(RIG_RUN(r, StirRandom, &in, NULL));
	s->nonceTPM = r->sessions[0].nonceTPM;
}

static TPMS_SESSION_AUDIT_INFO session_audit(struct rig *r, TPM_HANDLE session)
{
	struct GetSessionAuditDigest_in in = {.privacyAdminHandle = TPM_RH_ENDORSEMENT,
					      .signHandle = TPM_RH_NULL,
					      .sessionHandle = session,
					      .inScheme = no_scheme};
	struct GetSessionAuditDigest_out out;

	OK(RIG_RUN(r, GetSessionAuditDigest, &in, &out));
	assert_int_equal(out.signature.sigAlg, TPM_ALG_NULL);
	return attest_of(&out.auditInfo, TPM_ST_ATTEST_SESSION_AUDIT).attested.sessionAudit;
}

static void a_session_tells_what_it_audited(void **state)
{
	struct rig *r = *state;
	struct client_session s = rig_session(r, TPM_SE_HMAC), other = rig_session(r, TPM_SE_HMAC);
	TPM2B_DIGEST want = empty, first = empty;
	TPMS_SESSION_AUDIT_INFO info;

	s.attributes |= TPMA_SESSION_AUDIT;
	other.attributes |= TPMA_SESSION_AUDIT;
	audit_with(r, &s);
	expect(r, TPM_ALG_SHA256, NULL, &want);
	audit_with(r, &s);
	expect(r, TPM_ALG_SHA256, NULL, &want);
	info = session_audit(r, s.handle); /* and so it is exclusive no more */
	assert_true(info.exclusiveSession);
	same_digest(&info.sessionDigest, &want);
	info = session_audit(r, s.handle);
	assert_false(info.exclusiveSession);
	same_digest(&info.sessionDigest, &want);
	audit_with(r, &other);
	expect(r, TPM_ALG_SHA256, NULL, &first);
	info = session_audit(r, other.handle);
	assert_true(info.exclusiveSession);
	same_digest(&info.sessionDigest, &first);
	s.attributes |= TPMA_SESSION_AUDITRESET;
	audit_with(r, &s);
	info = session_audit(r, s.handle);
	assert_true(info.exclusiveSession);
	same_digest(&info.sessionDigest, &first); /* as the other's: began anew */
}

/* 18.5, notes 2 and 3: signed; the session that audits this command is told as it was before. */
static void a_session_that_audits_its_own_digest(void **state)
{
	struct rig *r = *state;
	struct key k = attestation_key(r, TPM_RH_ENDORSEMENT);
	struct client_session s[3] = {{.handle = TPM_RS_PW, .attributes = 1},
				      {.handle = TPM_RS_PW, .attributes = 1}};
	struct GetSessionAuditDigest_in in = {.privacyAdminHandle = TPM_RH_ENDORSEMENT,
					      .signHandle = k.handle,
					      .qualifyingData = data_of("nonce"),
					      .inScheme = no_scheme};
	struct GetSessionAuditDigest_out out;
	TPM2B_NAME names[3] = {{4, {0x40, 0, 0, 0x0B}}, k.name, {4, {0}}};
	TPM2B_DIGEST want = empty;
	TPMS_ATTEST a;

	s[2] = rig_session(r, TPM_SE_HMAC);
	s[2].attributes |= TPMA_SESSION_AUDIT;
	in.sessionHandle = s[2].handle;
	write_u32(&(struct writer){names[2].buffer, 4, false}, s[2].handle);
	for (unsigned i = 0; i < 3; i++) {
		rig_fresh_nonce(r, &s[2]);
		rig_sessions(r, s, 3);
		for (unsigned n = 0; n < 3; n++)
			rig_name(r, n, &names[n]);
		if (i == 0) { /* it is no audit session before a command has succeeded */
			RC(RIG_RUN(r, GetSessionAuditDigest, &in, &out), RC_H(3, TPM_RC_TYPE));
			audit_with(r, &s[2]);
			expect(r, TPM_ALG_SHA256, NULL, &want);
			continue;
		}
		OK(RIG_RUN(r, GetSessionAuditDigest, &in, &out));
		s[2].nonceTPM = r->sessions[2].nonceTPM;
		a = attest_of(&out.auditInfo, TPM_ST_ATTEST_SESSION_AUDIT);
		same_digest(&a.attested.sessionAudit.sessionDigest, &want);
		/* VerifySignature below took it away */
		assert_int_equal(a.attested.sessionAudit.exclusiveSession, i == 1);
		expect(r, TPM_ALG_SHA256, names, &want);
		is_signed_by(r, &k, &out.auditInfo, &out.signature);
	}
}

/* ---- what lasts ---- */

/* A restart or resume goes on with the digest; a reset, and the loss of power, do not. */
static void the_digest_ends_with_a_tpm_reset(void **state)
{
	static const TPM_CC two[] = {TPM_CC_SetCommandCodeAuditStatus, TPM_CC_StirRandom};
	struct rig *r = *state;
	TPM2B_DIGEST want = empty;

	use_hash(r, TPM_ALG_SHA256);
	choose(r, TPM_CC_StirRandom);
	expect(r, TPM_ALG_SHA256, NULL, &want);
	for (unsigned i = 0; i < 4; i++) {
		struct Shutdown_in shutdown = {.shutdownType = TPM_SU_STATE};

		stir(r);
		expect(r, TPM_ALG_SHA256, NULL, &want);
		OK(RIG_RUN(r, Shutdown, &shutdown, NULL));
		if (i < 2) {
			r->engine->power_off(r->tpm);
			OK(r->engine->power_on(r->tpm));
		} else {
			rig_kill(r);
		}
		OK(rig_startup(r, i & 1 ? TPM_SU_STATE : TPM_SU_CLEAR));
		audit_is(r, 1, &want);
	}
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	audit_is(r, 1, &empty);
	list_is(r, two, 2);
	assert_int_equal(audit_now(r).digestAlg, TPM_ALG_SHA256);
	stir(r);
	rig_reset(r);
	audit_is(r, 2, &empty);
}

/* A digest that was cleared stays so over a restart. */
static void a_cleared_digest_stays_clear(void **state)
{
	struct rig *r = *state;
	struct key k = attestation_key(r, TPM_RH_ENDORSEMENT);
	struct GetCommandAuditDigest_in in = {
		.privacyHandle = TPM_RH_ENDORSEMENT, .signHandle = k.handle, .inScheme = no_scheme};
	struct Shutdown_in shutdown = {.shutdownType = TPM_SU_STATE};

	choose(r, TPM_CC_StirRandom); /* the record has a digest */
	OK(RIG_RUN(r, GetCommandAuditDigest, &in, NULL));
	OK(RIG_RUN(r, Shutdown, &shutdown, NULL));
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_STATE));
	audit_is(r, 1, &empty);
}

/* 21.1: TPM2_Startup can be audited, and is the first command after a reset. */
static void startup_is_audited(void **state)
{
	struct rig *r = *state;
	TPM2B_DIGEST want = empty;

	use_hash(r, TPM_ALG_SHA256);
	choose(r, TPM_CC_Startup);
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	expect(r, TPM_ALG_SHA256, NULL, &want);
	audit_is(r, 2, &want);
}

/* A change after TPM2_Shutdown(STATE) is not forgotten by a resume: there is none. */
static void what_is_audited_after_shutdown_counts(void **state)
{
	struct rig *r = *state;
	struct Shutdown_in shutdown = {.shutdownType = TPM_SU_STATE};

	if (on_libtpms(r)) /* resumes, with the digest of the shutdown */
		return;
	choose(r, TPM_CC_StirRandom);
	choose(r, TPM_CC_GetRandom);
	OK(RIG_RUN(r, Shutdown, &shutdown, NULL));
	get_random(r);
	rig_kill(r);
	RC(rig_startup(r, TPM_SU_STATE), RC_P(1, TPM_RC_VALUE));
	OK(rig_startup(r, TPM_SU_CLEAR));
	audit_is(r, 1, &empty);
}

/* 24.4 to 24.6 say nothing of audit: a new owner finds it as it is. libtpms' TPM2_Clear sets the
 * counter to 0, which Part 2, 10.12.5 calls monotonic. */
static void clear_leaves_it(void **state)
{
	static const TPM_CC two[] = {TPM_CC_SetCommandCodeAuditStatus, TPM_CC_StirRandom};
	struct rig *r = *state;
	struct Clear_in clear = {.authHandle = TPM_RH_PLATFORM};
	struct ChangeEPS_in eps = {.authHandle = TPM_RH_PLATFORM};
	struct ChangePPS_in pps = {.authHandle = TPM_RH_PLATFORM};
	TPM2B_DIGEST want = empty;

	choose(r, TPM_CC_StirRandom);
	expect(r, TPM_ALG_SHA512, NULL, &want);
	OK(RIG_RUN(r, Clear, &clear, NULL));
	OK(RIG_RUN(r, ChangeEPS, &eps, NULL));
	OK(RIG_RUN(r, ChangePPS, &pps, NULL));
	audit_is(r, on_libtpms(r) ? 0 : 1, &want);
	list_is(r, two, 2);
}

/* ---- a store that fails ---- */

/* The counter is durable before the first command that it counts is answered. What follows
 * changes memory alone. */
static void a_count_that_cannot_be_written(void **state)
{
	struct rig *r = *state;
	struct GetRandom_in random = {.bytesRequested = 16};
	TPM2B_DIGEST want = empty;
	unsigned commits;

	if (on_libtpms(r)) /* asks the store before, which fails later here */
		return;
	use_hash(r, TPM_ALG_SHA256);
	choose(r, TPM_CC_GetRandom);
	use_hash(r, TPM_ALG_SHA384);
	audit_is(r, 1, &empty);
	r->fail_commits = 1;
	RC(RIG_RUN(r, GetRandom, &random, NULL), TPM_RC_NV_UNAVAILABLE);
	audit_is(r, 1, &empty);
	get_random(r);
	expect(r, TPM_ALG_SHA384, NULL, &want);
	audit_is(r, 2, &want);
	commits = r->commits;
	r->fail_commits = 1;
	get_random(r);
	expect(r, TPM_ALG_SHA384, NULL, &want);
	audit_is(r, 2, &want);
	assert_int_equal(r->commits, commits);
	assert_int_equal(r->fail_commits, 1);
	r->fail_commits = 0;
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	audit_is(r, 2, &empty);
}

/* A choice that cannot be written is none, and was not audited either. */
static void a_choice_that_cannot_be_written(void **state)
{
	static const TPM_CC none[] = {TPM_CC_SetCommandCodeAuditStatus};
	struct rig *r = *state;
	TPML_CC set = {1, {TPM_CC_GetRandom}};

	if (on_libtpms(r)) /* is in failure mode then */
		return;
	r->fail_commits = 1;
	RC(set_status(r, TPM_RH_OWNER, TPM_ALG_NULL, &set, NULL), TPM_RC_NV_UNAVAILABLE);
	list_is(r, none, 1);
	audit_is(r, 0, &empty);
	r->fail_commits = 1;
	RC(set_status(r, TPM_RH_OWNER, TPM_ALG_SHA256, NULL, NULL), TPM_RC_NV_UNAVAILABLE);
	assert_int_equal(audit_now(r).digestAlg, TPM_ALG_SHA512);
}

/* A command whose own change cannot be written has not been audited. */
static void a_command_that_is_undone_was_not_audited(void **state)
{
	struct rig *r = *state;
	struct HierarchyChangeAuth_in change = {.authHandle = TPM_RH_OWNER, .newAuth = {3, "new"}};
	TPM2B_DIGEST want = empty;

	if (on_libtpms(r)) /* is in failure mode then */
		return;
	choose(r, TPM_CC_HierarchyChangeAuth);
	expect(r, TPM_ALG_SHA512, NULL, &want);
	r->fail_commits = 1;
	RC(RIG_RUN(r, HierarchyChangeAuth, &change, NULL), TPM_RC_NV_UNAVAILABLE);
	audit_is(r, 1, &want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(commands_are_chosen),
		TEST(the_list_is_told_in_parts),
		TEST(status_errors),
		TEST(the_digest_follows_the_commands),
		TEST(a_change_of_the_hash_is_not_audited),
		TEST(names_are_those_that_the_command_found),
		TEST(parameters_are_hashed_as_they_travel),
		TEST(signing_clears_the_digest),
		TEST(digest_errors),
		TEST(a_session_tells_what_it_audited),
		TEST(a_session_that_audits_its_own_digest),
		TEST(the_digest_ends_with_a_tpm_reset),
		TEST(a_cleared_digest_stays_clear),
		TEST(startup_is_audited),
		TEST(what_is_audited_after_shutdown_counts),
		TEST(clear_leaves_it),
		TEST(a_count_that_cannot_be_written),
		TEST(a_choice_that_cannot_be_written),
		TEST(a_command_that_is_undone_was_not_audited),
	};

	return cmocka_run_group_tests_name("Part 3, 21", tests, NULL, NULL);
}
