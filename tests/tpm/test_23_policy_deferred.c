/* Part 3, 23: PolicyPCR, PolicyLocality, PolicyNV, PolicyCounterTimer, PolicyCommandCode,
 * PolicyPhysicalPresence, PolicyCpHash, PolicyNameHash, PolicyTemplate, PolicyDuplicationSelect,
 * PolicyAuthValue, PolicyPassword, PolicyNvWritten; and what a policy session is asked when it is
 * used. */
#include "keys.h"

#define INDEX 0x01800020u

/* ---- policies on paper ---- */

/* SHA-256(digest || code || parts) */
static TPM2B_DIGEST extend(TPM2B_DIGEST digest, TPM_CC code, const void *part, size_t len)
{
	struct cvtpm_hash hash;
	uint8_t bytes[4] = {0, 0, (uint8_t)(code >> 8), (uint8_t)code};

	assert_int_equal(cvtpm_hash_begin(&hash, CVTPM_SHA256), 0);
	cvtpm_hash_update(&hash, digest.buffer, digest.size);
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

/* ---- the commands ---- */

#define RUN_ON_SESSION(name, ...)                                                                  \
	do {                                                                                       \
		struct name##_in in_ = {.policySession = __VA_ARGS__};                             \
		rig_no_sessions(r);                                                                \
		rc = RIG_RUN(r, name, &in_, NULL);                                                 \
	} while (0)

static tpm_rc command_code(struct rig *r, TPM_HANDLE s, TPM_CC code)
{
	tpm_rc rc;

	RUN_ON_SESSION(PolicyCommandCode, s, .code = code);
	return rc;
}

static tpm_rc locality(struct rig *r, TPM_HANDLE s, TPMA_LOCALITY l)
{
	tpm_rc rc;

	RUN_ON_SESSION(PolicyLocality, s, .locality = l);
	return rc;
}

static tpm_rc presence(struct rig *r, TPM_HANDLE s)
{
	tpm_rc rc;

	RUN_ON_SESSION(PolicyPhysicalPresence, s);
	return rc;
}

static tpm_rc written(struct rig *r, TPM_HANDLE s, TPMI_YES_NO yes)
{
	tpm_rc rc;

	RUN_ON_SESSION(PolicyNvWritten, s, .writtenSet = yes);
	return rc;
}

static tpm_rc auth_value(struct rig *r, TPM_HANDLE s)
{
	tpm_rc rc;

	RUN_ON_SESSION(PolicyAuthValue, s);
	return rc;
}

static tpm_rc password(struct rig *r, TPM_HANDLE s)
{
	tpm_rc rc;

	RUN_ON_SESSION(PolicyPassword, s);
	return rc;
}

static tpm_rc cp_hash(struct rig *r, TPM_HANDLE s, const TPM2B_DIGEST *d)
{
	tpm_rc rc;

	RUN_ON_SESSION(PolicyCpHash, s, .cpHashA = *d);
	return rc;
}

static tpm_rc name_hash(struct rig *r, TPM_HANDLE s, const TPM2B_DIGEST *d)
{
	tpm_rc rc;

	RUN_ON_SESSION(PolicyNameHash, s, .nameHash = *d);
	return rc;
}

static tpm_rc template_hash(struct rig *r, TPM_HANDLE s, const TPM2B_DIGEST *d)
{
	tpm_rc rc;

	RUN_ON_SESSION(PolicyTemplate, s, .templateHash = *d);
	return rc;
}

static tpm_rc pcr(struct rig *r, TPM_HANDLE s, const TPM2B_DIGEST *d,
		  const TPML_PCR_SELECTION *selection)
{
	tpm_rc rc;

	RUN_ON_SESSION(PolicyPCR, s, .pcrDigest = *d, .pcrs = *selection);
	return rc;
}

static tpm_rc counter_timer(struct rig *r, TPM_HANDLE s, const TPM2B_OPERAND *b, uint16_t offset,
			    TPM_EO operation)
{
	tpm_rc rc;

	RUN_ON_SESSION(PolicyCounterTimer, s, .operandB = *b, .offset = offset,
		       .operation = operation);
	return rc;
}

static tpm_rc restart(struct rig *r, TPM_HANDLE s)
{
	struct PolicyRestart_in in = {.sessionHandle = s};

	rig_no_sessions(r);
	return RIG_RUN(r, PolicyRestart, &in, NULL);
}

/* ---- something to open ---- */

static struct key guarded_key(struct rig *r, const TPM2B_DIGEST *policy, const char *auth)
{
	TPMT_PUBLIC t = rig_signing_template();

	t.objectAttributes &= ~(uint32_t)TPMA_OBJECT_USERWITHAUTH;
	t.authPolicy = *policy;
	return make_primary(r, TPM_RH_OWNER, &t, auth);
}

static struct client_session session_of(TPM_HANDLE handle)
{
	return (struct client_session){.handle = handle,
				       .attributes = TPMA_SESSION_CONTINUESESSION,
				       .authHash = TPM_ALG_SHA256,
				       .nonceCaller.size = 16};
}

static struct Sign_in sign_in(TPM_HANDLE key)
{
	return (struct Sign_in){.keyHandle = key,
				.digest = {.size = 32},
				.inScheme = {.scheme = TPM_ALG_NULL},
				.validation = {TPM_ST_HASHCHECK, TPM_RH_NULL, {.size = 0}}};
}

static tpm_rc use_key(struct rig *r, TPM_HANDLE key, TPM_HANDLE session)
{
	struct Sign_in in = sign_in(key);
	struct client_session s = session_of(session);

	rig_sessions(r, &s, 1);
	return RIG_RUN(r, Sign, &in, NULL);
}

/* ---- PolicyCommandCode ---- */

static void command_code_limits_the_command(void **state)
{
	static const uint8_t sign[4] = {0, 0, 0x01, 0x5D};
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPM2B_DIGEST policy = extend(zero(), TPM_CC_PolicyCommandCode, sign, 4), twice;
	struct key k = guarded_key(r, &policy, "");
	struct Certify_in certify = {.objectHandle = k.handle,
				     .signHandle = TPM_RH_NULL,
				     .inScheme.scheme = TPM_ALG_NULL};
	struct client_session sessions[2] = {session_of(s), {.handle = TPM_RS_PW}};

	OK(command_code(r, s, TPM_CC_Sign));
	policy_is(r, s, &policy);
	RC(command_code(r, s, TPM_CC_Quote), RC_P(1, TPM_RC_VALUE));
	rig_sessions(r, sessions, 2);
	RC(RIG_RUN(r, Certify, &certify, NULL), RC_S(1, TPM_RC_POLICY_CC));
	OK(use_key(r, k.handle, s));
	OK(command_code(r, s, TPM_CC_Sign));
	OK(command_code(r, s, TPM_CC_Sign)); /* the same again is no error, but another policy */
	twice = extend(policy, TPM_CC_PolicyCommandCode, sign, 4);
	policy_is(r, s, &twice);
	RC(use_key(r, k.handle, s), RC_S(1, TPM_RC_POLICY_FAIL));
	OK(restart(r, s));
	RC(command_code(r, s, 0x1FF), RC_P(1, TPM_RC_POLICY_CC));
}

/* 23.11: without it no policy opens the roles ADMIN and DUP. */
static void admin_role_needs_a_command_code(void **state)
{
	static const uint8_t certify_code[4] = {0, 0, 0x01, 0x48};
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPM2B_DIGEST user = extend(zero(), TPM_CC_PolicyAuthValue, NULL, 0);
	TPM2B_DIGEST admin = extend(zero(), TPM_CC_PolicyCommandCode, certify_code, 4);
	struct key k = guarded_key(r, &user, ""), a = guarded_key(r, &admin, "");
	struct Certify_in in = {.objectHandle = k.handle,
				.signHandle = TPM_RH_NULL,
				.inScheme.scheme = TPM_ALG_NULL};
	struct client_session sessions[2] = {session_of(s), {.handle = TPM_RS_PW}};

	sessions[0].password = true;
	OK(password(r, s));
	rig_sessions(r, sessions, 2);
	RC(RIG_RUN(r, Certify, &in, NULL), RC_S(1, TPM_RC_POLICY_FAIL));
	sessions[0].password = false;
	OK(restart(r, s));
	OK(command_code(r, s, TPM_CC_Certify));
	in.objectHandle = a.handle;
	rig_sessions(r, sessions, 2);
	OK(RIG_RUN(r, Certify, &in, NULL));
}

/* ---- PolicyLocality ---- */

static void locality_limits_where_from(void **state)
{
	static const uint8_t mask = 0x0A;
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPM2B_DIGEST policy = extend(zero(), TPM_CC_PolicyLocality, &mask, 1);
	struct key k = guarded_key(r, &policy, "");

	OK(locality(r, s, 0x0A)); /* one and three */
	policy_is(r, s, &policy);
	RC(use_key(r, k.handle, s), TPM_RC_LOCALITY);
	r->locality = 3;
	OK(use_key(r, k.handle, s));
	OK(locality(r, s, 0x0A));
	r->locality = 2;
	RC(use_key(r, k.handle, s), TPM_RC_LOCALITY);
	r->locality = 1;
	OK(use_key(r, k.handle, s));
}

/* Above 31 a locality stands for itself. */
static void extended_locality(void **state)
{
	static const uint8_t which = 0x21;
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPM2B_DIGEST policy = extend(zero(), TPM_CC_PolicyLocality, &which, 1);
	struct key k = guarded_key(r, &policy, "");

	OK(locality(r, s, which));
	for (uint8_t l = 0; l < 5; l++) {
		r->locality = l;
		RC(use_key(r, k.handle, s), TPM_RC_LOCALITY);
	}
}

static void localities_intersect(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);

	RC(locality(r, s, 0), RC_P(1, TPM_RC_RANGE));
	OK(locality(r, s, 0x07));
	OK(locality(r, s, 0x0C));
	RC(locality(r, s, 0x0B), RC_P(1, TPM_RC_RANGE)); /* nothing is left */
	RC(locality(r, s, 0x40), RC_P(1, TPM_RC_RANGE)); /* of the other kind */
	OK(locality(r, s, 0x04));
	OK(restart(r, s));
	OK(locality(r, s, 0x40));
	OK(locality(r, s, 0x40));
	RC(locality(r, s, 0x41), RC_P(1, TPM_RC_RANGE));
	RC(locality(r, s, 0x01), RC_P(1, TPM_RC_RANGE));
}

/* ---- PolicyPhysicalPresence ---- */

static void move_session(struct rig *r, TPM_HANDLE session)
{
	struct ContextSave_in save = {.saveHandle = session};
	struct ContextSave_out saved;
	struct ContextLoad_in load;

	OK(RIG_RUN(r, ContextSave, &save, &saved));
	load.context = saved.context;
	OK(RIG_RUN(r, ContextLoad, &load, NULL));
}

/* Whether somebody is there counts when the policy is used, not before, and also where the
 * session was saved in between. */
static void presence_is_asked_for_at_the_use(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPM_HANDLE trial = start_policy(r, TPM_SE_TRIAL, TPM_ALG_SHA256);
	TPM2B_DIGEST policy = extend(zero(), TPM_CC_PolicyPhysicalPresence, NULL, 0);
	TPM2B_DIGEST code = extend(zero(), TPM_CC_PolicyAuthValue, NULL, 0);
	struct key k = guarded_key(r, &policy, ""), other = guarded_key(r, &code, "");

	OK(presence(r, trial));
	policy_is(r, trial, &policy);
	OK(presence(r, s));
	policy_is(r, s, &policy);
	RC(use_key(r, k.handle, s), RC_S(1, TPM_RC_PP));
	r->presence = true;
	OK(use_key(r, k.handle, s)); /* the same policy: nothing was lost */
	OK(presence(r, s));
	r->presence = false;
	move_session(r, s);
	RC(use_key(r, k.handle, s), RC_S(1, TPM_RC_PP));
	OK(restart(r, s));
	OK(password(r, s)); /* nobody is asked for any more */
	OK(use_key(r, other.handle, s));
}

/* ---- PolicyPCR ---- */

static const TPML_PCR_SELECTION pcr_10 = {1, {{TPM_ALG_SHA256, {3, {0, 4, 0}}}}};

static TPM2B_DIGEST pcr_policy(const TPM2B_DIGEST *pcr_digest)
{
	uint8_t part[4 + 6 + 32] = {0, 0, 0, 1, 0x00, 0x0B, 3, 0, 4, 0};

	memcpy(part + 10, pcr_digest->buffer, 32);
	return extend(zero(), TPM_CC_PolicyPCR, part, sizeof part);
}

static void extend_pcr_10(struct rig *r)
{
	struct PCR_Extend_in in = {.pcrHandle = 10, .digests = {1, {{.hashAlg = TPM_ALG_SHA256}}}};

	OK(RIG_RUN(r, PCR_Extend, &in, NULL));
}

static void pcr_policy_holds_while_pcrs_do(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	uint8_t value[32] = {0};
	TPM2B_DIGEST values = digest_of(TPM_ALG_SHA256, value, sizeof value), none = {.size = 0};
	TPM2B_DIGEST policy = pcr_policy(&values);
	struct key k = guarded_key(r, &policy, "");

	OK(pcr(r, s, &values, &pcr_10));
	policy_is(r, s, &policy);
	OK(use_key(r, k.handle, s));
	OK(pcr(r, s, &none, &pcr_10)); /* whatever they are now */
	extend_pcr_10(r);
	RC(use_key(r, k.handle, s), TPM_RC_PCR_CHANGED);
	RC(pcr(r, s, &none, &pcr_10), TPM_RC_PCR_CHANGED);
	OK(restart(r, s));
	RC(pcr(r, s, &values, &pcr_10), RC_P(1, TPM_RC_VALUE));
	OK(pcr(r, s, &none, &pcr_10));
	RC(use_key(r, k.handle, s), RC_S(1, TPM_RC_POLICY_FAIL));
}

/* A trial takes the caller's word, and the PCRs' where it says nothing. */
static void pcr_in_a_trial(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_TRIAL, TPM_ALG_SHA256);
	TPM2B_DIGEST told = {.size = 32, .buffer = {7}}, none = {.size = 0};
	uint8_t value[32] = {0};
	TPM2B_DIGEST values = digest_of(TPM_ALG_SHA256, value, sizeof value), policy;

	OK(pcr(r, s, &told, &pcr_10));
	policy = pcr_policy(&told);
	policy_is(r, s, &policy);
	OK(restart(r, s));
	OK(pcr(r, s, &none, &pcr_10));
	policy = pcr_policy(&values);
	policy_is(r, s, &policy);
}

/* ---- PolicyNV, PolicyCounterTimer: comparisons ---- */

static void write_index(struct rig *r, const char *bytes, uint16_t size)
{
	struct NV_Write_in in = {.authHandle = TPM_RH_OWNER, .nvIndex = INDEX, .data.size = size};

	memcpy(in.data.buffer, bytes, size);
	OK(RIG_RUN(r, NV_Write, &in, NULL));
}

static tpm_rc policy_nv(struct rig *r, TPM_HANDLE s, const char *operand, uint16_t size,
			uint16_t offset, TPM_EO operation)
{
	struct PolicyNV_in in = {.authHandle = TPM_RH_OWNER,
				 .nvIndex = INDEX,
				 .policySession = s,
				 .operandB.size = size,
				 .offset = offset,
				 .operation = operation};

	memcpy(in.operandB.buffer, operand, size);
	return RIG_RUN(r, PolicyNV, &in, NULL);
}

/* Part 2, 6.8: every operation, as a truth table over (index, operand). */
static void every_comparison(void **state)
{
	enum { GT = 1, EQ = 2, LT = 4, NEGATIVE = 5 };
	static const struct {
		char a[3], b[3];
		uint8_t is_unsigned, is_signed;
		bool set, clear; /* every bit of b in a */
	} rows[] = {
		{"\x12\x34", "\x12\x34", EQ, EQ, true, false},
		{"\x12\x34", "\x12\x33", GT, GT, false, false},
		{"\x12\x34", "\x13\x00", LT, LT, false, false},
		{"\x80\x01", "\x7F\xFF", GT, LT, false, false},
		{"\x7F\xFF", "\xFF\xFF", LT, GT, false, false},
		{"\xFF\xFE", "\xFF\xFF", LT, LT, false, false},
		{"\xFF\xF0", "\x0F\x10", GT, LT, true, false},
		{"\x0F\xF0", "\xF0\x0F", LT, GT, false, true},
	};
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);

	rig_define(r, INDEX, TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE, 2, "");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t u = rows[i].is_unsigned, n = rows[i].is_signed;
		bool want[] = {
			[TPM_EO_EQ] = u & EQ,
			[TPM_EO_NEQ] = !(u & EQ),
			[TPM_EO_SIGNED_GT] = n & GT,
			[TPM_EO_UNSIGNED_GT] = u & GT,
			[TPM_EO_SIGNED_LT] = n & LT,
			[TPM_EO_UNSIGNED_LT] = u & LT,
			[TPM_EO_SIGNED_GE] = n & (GT | EQ),
			[TPM_EO_UNSIGNED_GE] = u & (GT | EQ),
			[TPM_EO_SIGNED_LE] = n & (LT | EQ),
			[TPM_EO_UNSIGNED_LE] = u & (LT | EQ),
			[TPM_EO_BITSET] = rows[i].set,
			[TPM_EO_BITCLEAR] = rows[i].clear,
		};

		write_index(r, rows[i].a, 2);
		for (TPM_EO op = TPM_EO_EQ; op <= TPM_EO_BITCLEAR; op++)
			if (!(on_libtpms(r) && i == NEGATIVE && op >= TPM_EO_SIGNED_GT &&
			      op <= TPM_EO_UNSIGNED_LE && op % 2 == 0)) /* the reverse, there */
				RC(policy_nv(r, s, rows[i].b, 2, 0, op),
				   want[op] ? TPM_RC_SUCCESS : TPM_RC_POLICY);
	}
	RC(policy_nv(r, s, "xx", 2, 0, TPM_EO_BITCLEAR + 1), RC_P(3, TPM_RC_VALUE));
}

static void nv_goes_into_the_digest(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPM_HANDLE trial = start_policy(r, TPM_SE_TRIAL, TPM_ALG_SHA256);
	struct NV_ReadPublic_in public_in = {.nvIndex = INDEX};
	struct NV_ReadPublic_out public;
	uint8_t args[2 + 4] = {'e', 'f', 0, 4, 0, TPM_EO_EQ}, part[32 + 34];
	TPM2B_DIGEST inner = digest_of(TPM_ALG_SHA256, args, sizeof args), want;

	rig_define(r, INDEX, TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE | TPMA_NV_READ_STCLEAR, 8, "");
	RC(policy_nv(r, s, "ef", 2, 4, TPM_EO_EQ), TPM_RC_NV_UNINITIALIZED);
	OK(policy_nv(r, trial, "ef", 2, 4, TPM_EO_EQ));
	write_index(r, "abcdefgh", 8);
	OK(policy_nv(r, s, "ef", 2, 4, TPM_EO_EQ));
	rig_no_sessions(r);
	OK(RIG_RUN(r, NV_ReadPublic, &public_in, &public));
	memcpy(part, inner.buffer, 32);
	memcpy(part + 32, public.nvName.buffer, 34);
	want = extend(zero(), TPM_CC_PolicyNV, part, sizeof part);
	policy_is(r, s, &want);
	RC(policy_nv(r, s, "i", 1, 8, TPM_EO_EQ), RC_P(1, TPM_RC_SIZE));
	RC(policy_nv(r, s, "", 0, 9, TPM_EO_EQ), RC_P(2, TPM_RC_VALUE));
	OK(policy_nv(r, s, "", 0, 8, TPM_EO_EQ));
}

static void counter_timer_compares_time_info(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPM2B_OPERAND b = {8, {0}};
	uint8_t args[8 + 4] = {[11] = TPM_EO_UNSIGNED_GE};
	TPM2B_DIGEST inner = digest_of(TPM_ALG_SHA256, args, sizeof args), want;
	struct ReadClock_out clock;

	OK(counter_timer(r, s, &b, 0, TPM_EO_UNSIGNED_GE)); /* time is not negative */
	want = extend(zero(), TPM_CC_PolicyCounterTimer, inner.buffer, 32);
	policy_is(r, s, &want);
	RC(counter_timer(r, s, &b, 0, TPM_EO_UNSIGNED_LT), TPM_RC_POLICY);
	rig_no_sessions(r);
	OK(RIG_RUN(r, ReadClock, NULL, &clock));
	b.size = 4;
	b.buffer[3] = (uint8_t)clock.currentTime.clockInfo.resetCount;
	OK(counter_timer(r, s, &b, 16, TPM_EO_EQ));
	b.buffer[3]++;
	RC(counter_timer(r, s, &b, 16, TPM_EO_EQ), TPM_RC_POLICY);
	RC(counter_timer(r, s, &b, 22, TPM_EO_EQ), TPM_RC_RANGE); /* past the 25 bytes */
	RC(counter_timer(r, s, &b, 26, TPM_EO_EQ), RC_P(2, TPM_RC_VALUE));
	s = start_policy(r, TPM_SE_TRIAL, TPM_ALG_SHA256);
	OK(counter_timer(r, s, &b, 16, TPM_EO_EQ));
}

/* ---- digests of the command ---- */

/* The owner's policy: whose name does not depend on it, so that it may be about names. */
static void set_policy(struct rig *r, TPM_HANDLE hierarchy, const TPM2B_DIGEST *policy)
{
	struct SetPrimaryPolicy_in in = {
		.authHandle = hierarchy, .authPolicy = *policy, .hashAlg = TPM_ALG_SHA256};

	OK(RIG_RUN(r, SetPrimaryPolicy, &in, NULL));
}

static tpm_rc adjust_clock(struct rig *r, TPM_HANDLE session, TPM_CLOCK_ADJUST rate)
{
	struct ClockRateAdjust_in in = {.auth = TPM_RH_OWNER, .rateAdjust = rate};
	struct client_session s = session_of(session);

	rig_sessions(r, &s, 1);
	return RIG_RUN(r, ClockRateAdjust, &in, NULL);
}

static void cp_hash_binds_command_and_parameters(void **state)
{
	static const uint8_t command[] = {0, 0, 0x01, 0x30, 0x40, 0, 0, 1, 0};
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPM2B_DIGEST digest = digest_of(TPM_ALG_SHA256, command, sizeof command), wrong = digest;
	TPM2B_DIGEST policy = extend(zero(), TPM_CC_PolicyCpHash, digest.buffer, 32);

	set_policy(r, TPM_RH_OWNER, &policy);
	OK(cp_hash(r, s, &digest));
	policy_is(r, s, &policy);
	RC(adjust_clock(r, s, 1), RC_S(1, TPM_RC_POLICY_FAIL));
	OK(adjust_clock(r, s, 0));
	OK(cp_hash(r, s, &digest));
	OK(cp_hash(r, s, &digest));
	wrong.buffer[0] ^= 1;
	RC(cp_hash(r, s, &wrong), TPM_RC_CPHASH);
	RC(name_hash(r, s, &digest), TPM_RC_CPHASH);
	RC(template_hash(r, s, &digest), TPM_RC_CPHASH);
	wrong.size = 20;
	RC(cp_hash(r, s, &wrong), RC_P(1, TPM_RC_SIZE));
}

static void name_hash_binds_the_handles(void **state)
{
	static const uint8_t owner[] = {0x40, 0, 0, 1};
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPM2B_DIGEST digest = digest_of(TPM_ALG_SHA256, owner, sizeof owner);
	TPM2B_DIGEST policy = extend(zero(), TPM_CC_PolicyNameHash, digest.buffer, 32), wrong;
	struct HierarchyControl_in in = {
		.authHandle = TPM_RH_PLATFORM, .enable = TPM_RH_OWNER, .state = 1};
	struct client_session session = session_of(s);

	set_policy(r, TPM_RH_OWNER, &policy);
	set_policy(r, TPM_RH_PLATFORM, &policy);
	OK(name_hash(r, s, &digest));
	policy_is(r, s, &policy);
	rig_sessions(r, &session, 1);
	RC(RIG_RUN(r, HierarchyControl, &in, NULL), RC_S(1, TPM_RC_POLICY_FAIL));
	OK(adjust_clock(r, s, 1)); /* with any parameters */
	OK(name_hash(r, s, &digest));
	RC(name_hash(r, s, &digest), TPM_RC_CPHASH);
	RC(cp_hash(r, s, &digest), TPM_RC_CPHASH);
	RC(template_hash(r, s, &digest), TPM_RC_CPHASH);
	wrong = digest;
	wrong.size = 31;
	RC(name_hash(r, s, &wrong), RC_P(1, TPM_RC_SIZE));
}

static void template_hash_binds_the_public_area(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	struct CreatePrimary_in in = {.primaryHandle = TPM_RH_OWNER,
				      .inSensitive.size = 4,
				      .inPublic.publicArea = rig_signing_template()};
	uint8_t bytes[sizeof(TPMT_PUBLIC)];
	size_t len = type_marshal(&type_TPMT_PUBLIC, &in.inPublic.publicArea, bytes, sizeof bytes);
	TPM2B_DIGEST digest = digest_of(TPM_ALG_SHA256, bytes, len), wrong = digest;
	TPM2B_DIGEST policy = extend(zero(), TPM_CC_PolicyTemplate, digest.buffer, 32);
	struct client_session session = session_of(s);

	set_policy(r, TPM_RH_OWNER, &policy);
	OK(template_hash(r, s, &digest));
	policy_is(r, s, &policy);
	RC(adjust_clock(r, s, 0), RC_S(1, TPM_RC_POLICY_FAIL)); /* creates nothing */
	in.inPublic.publicArea.objectAttributes &= ~(uint32_t)TPMA_OBJECT_NODA;
	rig_sessions(r, &session, 1);
	RC(RIG_RUN(r, CreatePrimary, &in, NULL), RC_S(1, TPM_RC_POLICY_FAIL));
	in.inPublic.publicArea.objectAttributes |= TPMA_OBJECT_NODA;
	rig_sessions(r, &session, 1);
	OK(RIG_RUN(r, CreatePrimary, &in, NULL));
	OK(template_hash(r, s, &digest));
	OK(template_hash(r, s, &digest));
	wrong.buffer[0] ^= 1;
	RC(template_hash(r, s, &wrong), RC_P(1, TPM_RC_VALUE));
	RC(cp_hash(r, s, &digest), TPM_RC_CPHASH);
	OK(restart(r, s));
	wrong.size = 20;
	RC(template_hash(r, s, &wrong), RC_P(1, TPM_RC_SIZE));
}

/* The template is looked for before the parameters are read: where there is none, the policy
 * fails, and nothing else. */
static void template_hash_of_a_command_cut_short(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	struct CreatePrimary_in in = {.primaryHandle = TPM_RH_OWNER,
				      .inSensitive.size = 4,
				      .inPublic.publicArea = rig_signing_template()};
	TPM2B_DIGEST digest = {.size = 32};
	TPM2B_DIGEST policy = extend(zero(), TPM_CC_PolicyTemplate, digest.buffer, 32);
	struct client_session session = session_of(s);
	const size_t area = 10 + 4 + 4, at = area + 4 + 2 + 16 + 1 + 2; /* of the parameters */

	set_policy(r, TPM_RH_OWNER, &policy);
	OK(template_hash(r, s, &digest));
	for (size_t which = 0; which < 2; which++) {
		size_t size_at = at + which * (2 + 4); /* of inSensitive, of inPublic */

		rig_sessions(r, &session, 1);
		RC(RIG_RUN(r, CreatePrimary, &in, NULL), RC_S(1, TPM_RC_POLICY_FAIL));
		if (on_libtpms(r)) /* hashes what is behind the command, 64 KiB of it */
			continue;
		r->command[size_at] = 0xFF;
		RC(rig_raw(r, r->command, r->command_len), RC_S(1, TPM_RC_POLICY_FAIL));
	}
}

/* ---- PolicyDuplicationSelect ---- */

static tpm_rc duplication(struct rig *r, TPM_HANDLE s, const TPM2B_NAME *object,
			  const TPM2B_NAME *parent, TPMI_YES_NO include)
{
	tpm_rc rc;

	RUN_ON_SESSION(PolicyDuplicationSelect, s, .objectName = *object, .newParentName = *parent,
		       .includeObject = include);
	return rc;
}

/* An object that its policy lets go. */
static struct key duplicable(struct rig *r, TPM_HANDLE parent, const TPM2B_DIGEST *policy)
{
	struct Create_in in = {.parentHandle = parent,
			       .inSensitive.size = 4,
			       .inPublic.publicArea = rig_signing_template()};
	struct Create_out made;
	struct Load_in load = {.parentHandle = parent};
	struct Load_out loaded;

	in.inPublic.publicArea.objectAttributes &=
		~(uint32_t)(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT);
	in.inPublic.publicArea.authPolicy = *policy;
	OK(RIG_RUN(r, Create, &in, &made));
	load.inPrivate = made.outPrivate;
	load.inPublic = made.outPublic;
	OK(RIG_RUN(r, Load, &load, &loaded));
	return (struct key){loaded.handle, made.outPublic.publicArea, loaded.name};
}

static void duplication_select_binds_the_new_parent(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPMT_PUBLIC t = rig_storage_template();
	struct key parent = make_primary(r, TPM_RH_OWNER, &t, ""), object;
	uint8_t part[35] = {0};
	TPM2B_DIGEST policy;
	struct Duplicate_in in = {.newParentHandle = TPM_RH_NULL,
				  .symmetricAlg.algorithm = TPM_ALG_NULL};
	struct client_session session = session_of(s);

	memcpy(part, parent.name.buffer, 34);
	policy = extend(zero(), TPM_CC_PolicyDuplicationSelect, part, sizeof part);
	object = duplicable(r, parent.handle, &policy);
	in.objectHandle = object.handle;
	OK(duplication(r, s, &object.name, &parent.name, 0));
	policy_is(r, s, &policy);
	rig_sessions(r, &session, 1);
	RC(RIG_RUN(r, Duplicate, &in, NULL), RC_S(1, TPM_RC_POLICY_FAIL)); /* to nobody */
	RC(use_key(r, object.handle, s), RC_S(1, TPM_RC_POLICY_CC));
	in.newParentHandle = parent.handle;
	rig_sessions(r, &session, 1);
	OK(RIG_RUN(r, Duplicate, &in, NULL));
}

static void duplication_select_with_the_object(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPM2B_NAME object = {34, {0, 0x0B, 1}}, parent = {34, {0, 0x0B, 2}};
	uint8_t part[69] = {0};
	TPM2B_DIGEST policy, digest = {.size = 32};

	memcpy(part, object.buffer, 34);
	memcpy(part + 34, parent.buffer, 34);
	part[68] = 1;
	policy = extend(zero(), TPM_CC_PolicyDuplicationSelect, part, sizeof part);
	OK(duplication(r, s, &object, &parent, 1));
	policy_is(r, s, &policy);
	RC(duplication(r, s, &object, &parent, 1), TPM_RC_CPHASH);
	RC(command_code(r, s, TPM_CC_Sign), RC_P(1, TPM_RC_VALUE));
	OK(command_code(r, s, TPM_CC_Duplicate));
	OK(restart(r, s));
	OK(cp_hash(r, s, &digest));
	RC(duplication(r, s, &object, &parent, 0), TPM_RC_CPHASH);
	OK(restart(r, s));
	OK(command_code(r, s, TPM_CC_Duplicate));
	RC(duplication(r, s, &object, &parent, 0), TPM_RC_COMMAND_CODE);
}

/* ---- PolicyAuthValue, PolicyPassword ---- */

static tpm_rc use_with_auth(struct rig *r, TPM_HANDLE key, TPM_HANDLE session, const char *auth,
			    bool in_clear, const TPM2B_NAME *name)
{
	struct Sign_in in = sign_in(key);
	struct client_session s = session_of(session);

	s.auth = rig_auth(auth);
	s.with_auth = !in_clear;
	s.password = in_clear;
	s.nonceTPM = r->sessions[0].nonceTPM;
	rig_sessions(r, &s, 1);
	rig_name(r, 0, name);
	return RIG_RUN(r, Sign, &in, NULL);
}

static void password_is_asked_for_in_the_clear(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPM2B_DIGEST policy = extend(zero(), TPM_CC_PolicyAuthValue, NULL, 0);
	struct key k = guarded_key(r, &policy, "secret");

	OK(password(r, s));
	policy_is(r, s, &policy); /* as after PolicyAuthValue */
	RC(use_with_auth(r, k.handle, s, "wrong", true, &k.name), RC_S(1, TPM_RC_BAD_AUTH));
	OK(use_with_auth(r, k.handle, s, "secret", true, &k.name));
}

/* The last of the two decides which way the value is shown. */
static void auth_value_is_asked_for_in_the_hmac(void **state)
{
	struct rig *r = *state;
	TPM2B_DIGEST policy = extend(zero(), TPM_CC_PolicyAuthValue, NULL, 0), twice;
	struct key k = guarded_key(r, &policy, "secret"), two;
	struct client_session s = rig_session(r, TPM_SE_POLICY);
	struct Sign_in in = sign_in(k.handle);

	s.with_auth = true;
	OK(auth_value(r, s.handle));
	s.auth = rig_auth("wrong");
	rig_sessions(r, &s, 1);
	rig_name(r, 0, &k.name);
	RC(RIG_RUN(r, Sign, &in, NULL), RC_S(1, TPM_RC_BAD_AUTH));
	s.auth = rig_auth("secret");
	rig_sessions(r, &s, 1);
	rig_name(r, 0, &k.name);
	OK(RIG_RUN(r, Sign, &in, NULL));
	s.nonceTPM = r->sessions[0].nonceTPM;

	twice = extend(policy, TPM_CC_PolicyAuthValue, NULL, 0);
	two = guarded_key(r, &twice, "secret");
	in.keyHandle = two.handle;
	OK(password(r, s.handle));
	OK(auth_value(r, s.handle));
	rig_sessions(r, &s, 1);
	rig_name(r, 0, &two.name);
	OK(RIG_RUN(r, Sign, &in, NULL));
}

/* ---- PolicyNvWritten ---- */

static tpm_rc write_by_policy(struct rig *r, TPM_HANDLE session)
{
	struct NV_Write_in in = {.authHandle = INDEX, .nvIndex = INDEX, .data = {1, {1}}};
	struct client_session s = session_of(session);

	rig_sessions(r, &s, 1);
	return RIG_RUN(r, NV_Write, &in, NULL);
}

static void nv_written_lets_an_index_be_written_once(void **state)
{
	static const uint8_t no = 0;
	struct rig *r = *state;
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPM2B_DIGEST policy = extend(zero(), TPM_CC_PolicyNvWritten, &no, 1);
	struct NV_DefineSpace_in define = {
		.authHandle = TPM_RH_OWNER,
		.publicInfo.nvPublic = {INDEX, TPM_ALG_SHA256,
					TPMA_NV_POLICYWRITE | TPMA_NV_OWNERREAD, policy, 8}};

	OK(RIG_RUN(r, NV_DefineSpace, &define, NULL));
	OK(written(r, s, 0));
	policy_is(r, s, &policy);
	OK(write_by_policy(r, s));
	OK(written(r, s, 0));
	RC(write_by_policy(r, s), RC_S(1, TPM_RC_POLICY_FAIL));
	RC(written(r, s, 1), RC_P(1, TPM_RC_VALUE));
	OK(written(r, s, 0));
	set_policy(r, TPM_RH_OWNER, &policy); /* is no index */
	OK(restart(r, s));
	OK(written(r, s, 0));
	RC(adjust_clock(r, s, 0), RC_S(1, TPM_RC_POLICY_FAIL));
}

/* ---- sessions in general ---- */

/* Trials authorise nothing; a policy of another hash matches nothing; PolicyRestart begins
 * anew; a use begins anew. */
static void policies_open_only_what_they_should(void **state)
{
	struct rig *r = *state;
	TPM2B_DIGEST policy = extend(zero(), TPM_CC_PolicyAuthValue, NULL, 0), empty = {.size = 0};
	struct key k = guarded_key(r, &policy, ""), none = guarded_key(r, &empty, "");
	TPM_HANDLE s = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
	TPM_HANDLE trial = start_policy(r, TPM_SE_TRIAL, TPM_ALG_SHA256);
	TPM_HANDLE sha1 = start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA1);

	OK(auth_value(r, trial));
	RC(use_key(r, k.handle, trial), RC_S(1, TPM_RC_ATTRIBUTES));
	OK(password(r, sha1));
	RC(use_key(r, k.handle, sha1), RC_S(1, TPM_RC_POLICY_FAIL));
	RC(use_key(r, none.handle, s),
	   on_libtpms(r) ? RC_S(1, TPM_RC_POLICY_FAIL) : TPM_RC_AUTH_UNAVAILABLE);
	RC(use_key(r, k.handle, s), RC_S(1, TPM_RC_POLICY_FAIL));
	OK(password(r, s));
	OK(restart(r, s));
	RC(use_key(r, k.handle, s), RC_S(1, TPM_RC_POLICY_FAIL));
	OK(password(r, s));
	OK(use_key(r, k.handle, s));
	RC(use_key(r, k.handle, s), RC_S(1, TPM_RC_POLICY_FAIL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(command_code_limits_the_command),
		TEST(admin_role_needs_a_command_code),
		TEST(locality_limits_where_from),
		TEST(extended_locality),
		TEST(localities_intersect),
		TEST(presence_is_asked_for_at_the_use),
		TEST(pcr_policy_holds_while_pcrs_do),
		TEST(pcr_in_a_trial),
		TEST(every_comparison),
		TEST(nv_goes_into_the_digest),
		TEST(counter_timer_compares_time_info),
		TEST(cp_hash_binds_command_and_parameters),
		TEST(name_hash_binds_the_handles),
		TEST(template_hash_binds_the_public_area),
		TEST(template_hash_of_a_command_cut_short),
		TEST(duplication_select_binds_the_new_parent),
		TEST(duplication_select_with_the_object),
		TEST(password_is_asked_for_in_the_clear),
		TEST(auth_value_is_asked_for_in_the_hmac),
		TEST(nv_written_lets_an_index_be_written_once),
		TEST(policies_open_only_what_they_should),
	};

	return cmocka_run_group_tests_name("Part 3, 23, deferred", tests, NULL, NULL);
}
