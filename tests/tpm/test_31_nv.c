/* Part 3, 31: the commands of non-volatile storage, rule by rule. */
#include "objects.h"

#define INDEX       0x01500001u
#define OTHER       0x01500002u
#define READS       (TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD)
#define WRITES      (TPMA_NV_OWNERWRITE | TPMA_NV_AUTHWRITE)
#define PLAIN_NV    (READS | WRITES | TPMA_NV_NO_DA)
#define TYPE(nt)    ((TPMA_NV)(nt) << TPMA_NV_TPM_NT_SHIFT)
#define PLATFORM_NV (TPMA_NV_PLATFORMCREATE | TPMA_NV_PPREAD | TPMA_NV_PPWRITE)

/* ---- short forms ---- */

static tpm_rc define_as(struct rig *r, TPM_HANDLE auth, const TPMS_NV_PUBLIC *public,
			const char *password)
{
	struct NV_DefineSpace_in in = {
		.authHandle = auth, .auth = rig_auth(password), .publicInfo.nvPublic = *public};

	return RIG_RUN(r, NV_DefineSpace, &in, NULL);
}

static TPMS_NV_PUBLIC public_of(TPMA_NV attributes, uint16_t size)
{
	return (TPMS_NV_PUBLIC){INDEX, TPM_ALG_SHA256, attributes, {.size = 0}, size};
}

static tpm_rc define(struct rig *r, TPMA_NV attributes, uint16_t size)
{
	TPMS_NV_PUBLIC public = public_of(attributes, size);

	return define_as(r, attributes & TPMA_NV_PLATFORMCREATE ? TPM_RH_PLATFORM : TPM_RH_OWNER,
			 &public, "");
}

static tpm_rc write_as(struct rig *r, TPM_HANDLE auth, const void *data, uint16_t size,
		       uint16_t offset)
{
	struct NV_Write_in in = {
		.authHandle = auth, .nvIndex = INDEX, .data.size = size, .offset = offset};

	memcpy(in.data.buffer, data, size);
	return RIG_RUN(r, NV_Write, &in, NULL);
}

static tpm_rc write_nv(struct rig *r, const void *data, uint16_t size, uint16_t offset)
{
	return write_as(r, TPM_RH_OWNER, data, size, offset);
}

static tpm_rc read_as(struct rig *r, TPM_HANDLE auth, uint16_t size, uint16_t offset,
		      struct NV_Read_out *out)
{
	struct NV_Read_in in = {
		.authHandle = auth, .nvIndex = INDEX, .size = size, .offset = offset};

	return RIG_RUN(r, NV_Read, &in, out);
}

static void holds(struct rig *r, const void *data, uint16_t size)
{
	struct NV_Read_out out;

	OK(read_as(r, TPM_RH_OWNER, size, 0, &out));
	assert_int_equal(out.data.size, size);
	assert_memory_equal(out.data.buffer, data, size);
}

static uint64_t value_of(struct rig *r)
{
	struct NV_Read_out out;
	uint64_t value = 0;

	OK(read_as(r, TPM_RH_OWNER, 8, 0, &out));
	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | out.data.buffer[i];
	return value;
}

static tpm_rc increment(struct rig *r, TPM_HANDLE index)
{
	struct NV_Increment_in in = {.authHandle = TPM_RH_OWNER, .nvIndex = index};

	return RIG_RUN(r, NV_Increment, &in, NULL);
}

static tpm_rc undefine(struct rig *r, TPM_HANDLE auth, TPM_HANDLE index)
{
	struct NV_UndefineSpace_in in = {.authHandle = auth, .nvIndex = index};

	return RIG_RUN(r, NV_UndefineSpace, &in, NULL);
}

static tpm_rc write_lock(struct rig *r, TPM_HANDLE auth)
{
	struct NV_WriteLock_in in = {.authHandle = auth, .nvIndex = INDEX};

	return RIG_RUN(r, NV_WriteLock, &in, NULL);
}

static tpm_rc read_lock(struct rig *r, TPM_HANDLE auth)
{
	struct NV_ReadLock_in in = {.authHandle = auth, .nvIndex = INDEX};

	return RIG_RUN(r, NV_ReadLock, &in, NULL);
}

static tpm_rc extend(struct rig *r, const char *text)
{
	struct NV_Extend_in in = {.authHandle = TPM_RH_OWNER, .nvIndex = INDEX};

	in.data.size = (uint16_t)strlen(text);
	memcpy(in.data.buffer, text, in.data.size);
	return RIG_RUN(r, NV_Extend, &in, NULL);
}

static tpm_rc set_bits(struct rig *r, uint64_t bits)
{
	struct NV_SetBits_in in = {.authHandle = TPM_RH_OWNER, .nvIndex = INDEX, .bits = bits};

	return RIG_RUN(r, NV_SetBits, &in, NULL);
}

static struct NV_ReadPublic_out public_now(struct rig *r)
{
	struct NV_ReadPublic_in in = {.nvIndex = INDEX};
	struct NV_ReadPublic_out out;

	OK(RIG_RUN(r, NV_ReadPublic, &in, &out));
	return out;
}

static TPMA_NV attributes_now(struct rig *r)
{
	return public_now(r).nvPublic.nvPublic.attributes;
}

static tpm_rc shut_down(struct rig *r, TPM_SU type)
{
	struct Shutdown_in in = {.shutdownType = type};

	return RIG_RUN(r, Shutdown, &in, NULL);
}

/* Power off and on, orderly or not, and TPM2_Startup. */
static void cycle(struct rig *r, bool shutdown, TPM_SU shut, TPM_SU start)
{
	if (shutdown)
		OK(shut_down(r, shut));
	OK(r->engine->power_on(r->tpm));
	OK(rig_startup(r, start));
}

#define TPM_RESET(r)   cycle((r), true, TPM_SU_CLEAR, TPM_SU_CLEAR)
#define TPM_RESTART(r) cycle((r), true, TPM_SU_STATE, TPM_SU_CLEAR)
#define TPM_RESUME(r)  cycle((r), true, TPM_SU_STATE, TPM_SU_STATE)
#define POWER_LOSS(r)  cycle((r), false, 0, TPM_SU_CLEAR)

/* ---- 31.3 TPM2_NV_DefineSpace ---- */

static void NV_DefineSpace_31_3_refuses_what_does_not_fit(void **state)
{
	const TPMA_NV pin =
		TPMA_NV_OWNERWRITE | TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD | TPMA_NV_NO_DA;
	const struct {
		TPM_HANDLE auth;
		TPMA_NV attributes;
		uint16_t size;
		tpm_rc rc;
	} rows[] = {
		/* types */
		{TPM_RH_OWNER, PLAIN_NV | TYPE(3), 8, RC_P(2, TPM_RC_ATTRIBUTES)},
		{TPM_RH_OWNER, PLAIN_NV | TYPE(5), 8, RC_P(2, TPM_RC_ATTRIBUTES)},
		{TPM_RH_OWNER, PLAIN_NV | TYPE(10), 8, RC_P(2, TPM_RC_ATTRIBUTES)},
		{TPM_RH_OWNER, PLAIN_NV | TYPE(15), 8, RC_P(2, TPM_RC_ATTRIBUTES)},
		/* sizes */
		{TPM_RH_OWNER, PLAIN_NV | TYPE(TPM_NT_COUNTER), 7, RC_P(2, TPM_RC_SIZE)},
		{TPM_RH_OWNER, PLAIN_NV | TYPE(TPM_NT_BITS), 9, RC_P(2, TPM_RC_SIZE)},
		{TPM_RH_OWNER, PLAIN_NV | TYPE(TPM_NT_EXTEND), 20, RC_P(2, TPM_RC_SIZE)},
		{TPM_RH_OWNER, pin | TYPE(TPM_NT_PIN_FAIL), 4, RC_P(2, TPM_RC_SIZE)},
		{TPM_RH_OWNER, pin | TYPE(TPM_NT_PIN_PASS), 16, RC_P(2, TPM_RC_SIZE)},
		{TPM_RH_OWNER, PLAIN_NV, 16385, RC_P(2, TPM_RC_SIZE)},
		{TPM_RH_OWNER, PLAIN_NV | TPMA_NV_WRITEALL, 2049, RC_P(2, TPM_RC_SIZE)},
		/* attributes that an index cannot begin with */
		{TPM_RH_OWNER, PLAIN_NV | TPMA_NV_WRITTEN, 8, RC_P(2, TPM_RC_ATTRIBUTES)},
		{TPM_RH_OWNER, PLAIN_NV | TPMA_NV_WRITELOCKED, 8, RC_P(2, TPM_RC_ATTRIBUTES)},
		{TPM_RH_OWNER, PLAIN_NV | TPMA_NV_READLOCKED, 8, RC_P(2, TPM_RC_ATTRIBUTES)},
		{TPM_RH_OWNER, WRITES, 8, RC_P(2, TPM_RC_ATTRIBUTES)},
		{TPM_RH_OWNER, READS, 8, RC_P(2, TPM_RC_ATTRIBUTES)},
		/* attributes that exclude each other */
		{TPM_RH_OWNER, PLAIN_NV | TYPE(TPM_NT_COUNTER) | TPMA_NV_CLEAR_STCLEAR, 8,
		 RC_P(2, TPM_RC_ATTRIBUTES)},
		{TPM_RH_OWNER, PLAIN_NV | TPMA_NV_CLEAR_STCLEAR | TPMA_NV_WRITEDEFINE, 8,
		 RC_P(2, TPM_RC_ATTRIBUTES)},
		{TPM_RH_OWNER, (pin & ~TPMA_NV_NO_DA) | TYPE(TPM_NT_PIN_FAIL), 8,
		 RC_P(2, TPM_RC_ATTRIBUTES)},
		{TPM_RH_OWNER, pin | TPMA_NV_AUTHWRITE | TYPE(TPM_NT_PIN_FAIL), 8,
		 RC_P(2, TPM_RC_ATTRIBUTES)},
		{TPM_RH_OWNER, pin | TPMA_NV_AUTHWRITE | TYPE(TPM_NT_PIN_PASS), 8,
		 RC_P(2, TPM_RC_ATTRIBUTES)},
		{TPM_RH_OWNER, pin | TPMA_NV_WRITEDEFINE | TYPE(TPM_NT_PIN_PASS), 8,
		 RC_P(2, TPM_RC_ATTRIBUTES)},
		{TPM_RH_OWNER, pin | TPMA_NV_GLOBALLOCK | TYPE(TPM_NT_PIN_PASS), 8,
		 RC_P(2, TPM_RC_ATTRIBUTES)},
		/* who makes it */
		{TPM_RH_OWNER, PLAIN_NV | TPMA_NV_PLATFORMCREATE, 8, RC_H(1, TPM_RC_ATTRIBUTES)},
		{TPM_RH_PLATFORM, PLAIN_NV, 8, RC_H(1, TPM_RC_ATTRIBUTES)},
		{TPM_RH_OWNER, PLAIN_NV | TPMA_NV_POLICY_DELETE, 8, RC_P(2, TPM_RC_ATTRIBUTES)},
		/* reserved bits */
		{TPM_RH_OWNER, PLAIN_NV | 1u << 8, 8, RC_P(2, TPM_RC_RESERVED_BITS)},
		{TPM_RH_OWNER, PLAIN_NV | 1u << 20, 8, RC_P(2, TPM_RC_RESERVED_BITS)},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		TPMS_NV_PUBLIC public = public_of(rows[i].attributes, rows[i].size);

		if (rows[i].size > 2048 && on_libtpms(r))
			continue; /* its indices end at 2,048 bytes */
		RC(define_as(r, rows[i].auth, &public, ""), rows[i].rc);
	}
}

static void NV_DefineSpace_31_3_checks_digests_and_existence(void **state)
{
	struct rig *r = *state;
	TPMS_NV_PUBLIC public = public_of(PLAIN_NV, 8);
	char password[66] = {0};

	public.authPolicy.size = 20;
	RC(define_as(r, TPM_RH_OWNER, &public, ""), RC_P(2, TPM_RC_SIZE));
	public.authPolicy.size = 32;
	OK(define_as(r, TPM_RH_OWNER, &public, ""));
	RC(define_as(r, TPM_RH_OWNER, &public, ""), TPM_RC_NV_DEFINED);
	public.nvIndex = OTHER;
	public.authPolicy.size = 0;
	memset(password, 'x', 33);
	RC(define_as(r, TPM_RH_OWNER, &public, password), RC_P(1, TPM_RC_SIZE));
	password[32] = 0;
	OK(define_as(r, TPM_RH_OWNER, &public, password));
	public.nvIndex = 0x02000001;
	assert_int_not_equal(define_as(r, TPM_RH_OWNER, &public, ""), TPM_RC_SUCCESS);
	public.nvIndex = INDEX;
	public.nameAlg = TPM_ALG_NULL;
	RC(define_as(r, TPM_RH_OWNER, &public, ""), RC_P(2, TPM_RC_HASH));
}

static void NV_DefineSpace_31_3_needs_phEnableNV(void **state)
{
	struct rig *r = *state;
	struct HierarchyControl_in off = {
		.authHandle = TPM_RH_PLATFORM, .enable = TPM_RH_PLATFORM_NV, .state = 0};
	struct NV_ReadPublic_in in = {.nvIndex = INDEX};

	OK(define(r, PLATFORM_NV, 8));
	OK(RIG_RUN(r, HierarchyControl, &off, NULL));
	RC(define(r, PLATFORM_NV, 8), RC_H(1, TPM_RC_HIERARCHY));
	RC(RIG_RUN(r, NV_ReadPublic, &in, NULL), RC_H(1, TPM_RC_HANDLE));
	TPM_RESET(r);
	OK(RIG_RUN(r, NV_ReadPublic, &in, NULL));
}

static void NV_DefineSpace_31_3_makes_an_unwritten_index(void **state)
{
	struct rig *r = *state;
	struct NV_Read_out out;

	OK(define(r, PLAIN_NV, 0));
	RC(read_as(r, TPM_RH_OWNER, 0, 0, &out), TPM_RC_NV_UNINITIALIZED);
	assert_int_equal(attributes_now(r), PLAIN_NV);
	OK(write_nv(r, "", 0, 0));
	assert_int_equal(attributes_now(r), PLAIN_NV | TPMA_NV_WRITTEN);
	OK(read_as(r, TPM_RH_OWNER, 0, 0, &out));
}

static void NV_DefineSpace_31_3_ends_when_memory_is_full(void **state)
{
	struct rig *r = *state;
	TPMS_NV_PUBLIC public = public_of(PLAIN_NV, 2048);
	tpm_rc rc = TPM_RC_SUCCESS;
	unsigned n = 0;

	while (!rc && n < 1000) {
		public.nvIndex = 0x01600000u + n++;
		rc = define_as(r, TPM_RH_OWNER, &public, "");
	}
	RC(rc, TPM_RC_NV_SPACE);
	OK(undefine(r, TPM_RH_OWNER, 0x01600000u));
	OK(define_as(r, TPM_RH_OWNER, &public, ""));
}

/* The largest index, what fits into it, and what TPM2_Shutdown has to write of the orderly. */
static void NV_DefineSpace_31_3_takes_the_announced_sizes(void **state)
{
	struct rig *r = *state;
	TPMS_NV_PUBLIC public = public_of(PLAIN_NV, 16384);
	uint8_t data[2048];
	struct NV_Read_out out;

	NATIVE_ONLY(r);
	OK(define_as(r, TPM_RH_OWNER, &public, ""));
	for (unsigned i = 0; i < 8; i++) {
		memset(data, (int)i, sizeof data);
		OK(write_nv(r, data, sizeof data, (uint16_t)(i * sizeof data)));
	}
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	for (unsigned i = 0; i < 8; i++) {
		OK(read_as(r, TPM_RH_OWNER, sizeof data, (uint16_t)(i * sizeof data), &out));
		memset(data, (int)i, sizeof data);
		assert_memory_equal(out.data.buffer, data, sizeof data);
	}
	public = public_of(PLAIN_NV | TPMA_NV_ORDERLY, 4000);
	public.nvIndex = OTHER;
	OK(define_as(r, TPM_RH_OWNER, &public, ""));
	public.nvIndex++;
	RC(define_as(r, TPM_RH_OWNER, &public, ""), TPM_RC_NV_SPACE);
	public.dataSize = 96;
	OK(define_as(r, TPM_RH_OWNER, &public, ""));
	OK(shut_down(r, TPM_SU_STATE));
}

/* ---- 31.4 and 31.5, removal ---- */

static void NV_UndefineSpace_31_4(void **state)
{
	struct rig *r = *state;

	RC(undefine(r, TPM_RH_OWNER, INDEX), RC_H(2, TPM_RC_HANDLE));
	OK(define(r, PLATFORM_NV, 8));
	RC(undefine(r, TPM_RH_OWNER, INDEX), TPM_RC_NV_AUTHORIZATION);
	OK(undefine(r, TPM_RH_PLATFORM, INDEX));
	OK(define(r, PLAIN_NV, 8));
	OK(undefine(r, TPM_RH_PLATFORM, INDEX)); /* the platform removes the owner's, too */
	OK(define(r, PLAIN_NV, 8));
	OK(undefine(r, TPM_RH_OWNER, INDEX));
	OK(define(r, PLATFORM_NV | TPMA_NV_POLICY_DELETE, 8));
	RC(undefine(r, TPM_RH_PLATFORM, INDEX), RC_H(2, TPM_RC_ATTRIBUTES));
}

/* The policy PolicyCommandCode(code), and a session that fulfils it. */
static TPM2B_DIGEST command_policy(struct rig *r, TPM_CC code)
{
	struct client_session s = rig_session(r, TPM_SE_TRIAL);
	struct PolicyCommandCode_in in = {.policySession = s.handle, .code = code};
	TPM2B_DIGEST digest;

	OK(RIG_RUN(r, PolicyCommandCode, &in, NULL));
	digest = policy_digest(r, s.handle);
	rig_flush(r, s.handle);
	return digest;
}

static struct client_session command_session(struct rig *r, TPM_CC code)
{
	struct client_session s = rig_session(r, TPM_SE_POLICY);
	struct PolicyCommandCode_in in = {.policySession = s.handle, .code = code};

	OK(RIG_RUN(r, PolicyCommandCode, &in, NULL));
	return s;
}

static tpm_rc undefine_special(struct rig *r, const struct client_session *policy)
{
	struct client_session s[2] = {
		*policy, {.handle = TPM_RS_PW, .attributes = TPMA_SESSION_CONTINUESESSION}};
	struct NV_UndefineSpaceSpecial_in in = {.nvIndex = INDEX, .platform = TPM_RH_PLATFORM};

	rig_sessions(r, s, 2);
	return RIG_RUN(r, NV_UndefineSpaceSpecial, &in, NULL);
}

static void NV_UndefineSpaceSpecial_31_5(void **state)
{
	struct rig *r = *state;
	TPMS_NV_PUBLIC public = public_of(PLATFORM_NV | TPMA_NV_POLICY_DELETE, 8);
	struct client_session s;

	public.authPolicy = command_policy(r, TPM_CC_NV_UndefineSpaceSpecial);
	OK(define_as(r, TPM_RH_PLATFORM, &public, ""));
	s = rig_session(r, TPM_SE_POLICY);
	assert_int_not_equal(undefine_special(r, &s), TPM_RC_SUCCESS); /* of no command */
	rig_flush(r, s.handle);
	s = command_session(r, TPM_CC_NV_ChangeAuth);
	assert_int_not_equal(undefine_special(r, &s), TPM_RC_SUCCESS); /* of another */
	rig_flush(r, s.handle);
	s = command_session(r, TPM_CC_NV_UndefineSpaceSpecial);
	OK(undefine_special(r, &s));
	RC(undefine(r, TPM_RH_PLATFORM, INDEX), RC_H(2, TPM_RC_HANDLE));
	public.attributes &= ~TPMA_NV_POLICY_DELETE;
	OK(define_as(r, TPM_RH_PLATFORM, &public, ""));
	s = command_session(r, TPM_CC_NV_UndefineSpaceSpecial);
	RC(undefine_special(r, &s), RC_H(1, TPM_RC_ATTRIBUTES));
}

/* ---- 31.6 names ---- */

static void NV_ReadPublic_31_6_gives_the_name(void **state)
{
	static const TPM_ALG_ID algs[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384,
					  TPM_ALG_SHA512};
	struct rig *r = *state;

	for (size_t i = 0; i < 4; i++) {
		TPMS_NV_PUBLIC public = public_of(PLAIN_NV, 8);
		struct NV_ReadPublic_out out;
		uint8_t bytes[] = {0x01, 0x50, 0, 0x01, 0, (uint8_t)algs[i], 0, 0, 0,
				   0,    0,    0, 0,    8};
		TPM2B_DIGEST digest;

		public.nameAlg = algs[i];
		OK(define_as(r, TPM_RH_OWNER, &public, ""));
		out = public_now(r);
		for (unsigned k = 0; k < 4; k++)
			bytes[6 + k] = (uint8_t)(PLAIN_NV >> 8 * (3 - k));
		digest = digest_of(algs[i], bytes, sizeof bytes);
		assert_int_equal(out.nvName.size, 2 + digest.size);
		assert_int_equal(out.nvName.buffer[1], algs[i]);
		assert_memory_equal(out.nvName.buffer + 2, digest.buffer, digest.size);
		OK(undefine(r, TPM_RH_OWNER, INDEX));
	}
}

/* ---- who may ---- */

/* Each authority reads and writes exactly where its attribute says so (31.1). */
static void NV_authorities_31_1(void **state)
{
	static const TPMA_NV write_bits[] = {TPMA_NV_OWNERWRITE, TPMA_NV_PPWRITE,
					     TPMA_NV_AUTHWRITE};
	static const TPMA_NV read_bits[] = {TPMA_NV_OWNERREAD, TPMA_NV_PPREAD, TPMA_NV_AUTHREAD};
	static const TPM_HANDLE who[] = {TPM_RH_OWNER, TPM_RH_PLATFORM, INDEX};
	struct rig *r = *state;

	for (unsigned w = 0; w < 3; w++)
		for (unsigned rd = 0; rd < 3; rd++) {
			OK(define(r, write_bits[w] | read_bits[rd] | TPMA_NV_NO_DA, 8));
			for (unsigned i = 0; i < 3; i++)
				if (i != w)
					RC(write_as(r, who[i], "12345678", 8, 0),
					   who[i] == INDEX ? TPM_RC_AUTH_UNAVAILABLE
							   : TPM_RC_NV_AUTHORIZATION);
			OK(write_as(r, who[w], "12345678", 8, 0));
			for (unsigned i = 0; i < 3; i++) {
				struct NV_Read_out out;

				RC(read_as(r, who[i], 8, 0, &out),
				   i == rd           ? TPM_RC_SUCCESS
				   : who[i] == INDEX ? TPM_RC_AUTH_UNAVAILABLE
						     : TPM_RC_NV_AUTHORIZATION);
			}
			OK(undefine(r, TPM_RH_OWNER, INDEX));
		}
}

static void NV_another_index_is_no_authority_31_1(void **state)
{
	struct rig *r = *state;
	TPMS_NV_PUBLIC public = public_of(PLAIN_NV, 8);
	struct NV_Read_out out;

	OK(define(r, PLAIN_NV, 8));
	public.nvIndex = OTHER;
	OK(define_as(r, TPM_RH_OWNER, &public, ""));
	RC(write_as(r, OTHER, "x", 1, 0), TPM_RC_NV_AUTHORIZATION);
	OK(write_nv(r, "x", 1, 0));
	RC(read_as(r, OTHER, 1, 0, &out), TPM_RC_NV_AUTHORIZATION);
}

/* ---- 31.7 and 31.13, writing and reading ---- */

static void NV_Write_31_7_merges(void **state)
{
	struct rig *r = *state;

	OK(define(r, PLAIN_NV, 8));
	OK(write_nv(r, "abc", 3, 2));
	holds(r,
	      "\xFF\xFF"
	      "abc"
	      "\xFF\xFF\xFF",
	      8); /* the rest is as erased memory */
	OK(write_nv(r, "xy", 2, 0));
	OK(write_nv(r, "Z", 1, 7));
	holds(r, "xyabc\xFF\xFFZ", 8);
	OK(write_nv(r, "", 0, 8));
	OK(undefine(r, TPM_RH_OWNER, INDEX));
	OK(define(r, PLAIN_NV | TPMA_NV_ORDERLY, 4));
	OK(write_nv(r, "a", 1, 1));
	holds(r, "\0a\0\0", 4);
}

/* What an index holds already is not written again. */
static void NV_Write_31_7_spares_the_store(void **state)
{
	struct rig *r = *state;
	unsigned commits;

	OK(define(r, PLAIN_NV, 8));
	OK(write_nv(r, "12345678", 8, 0));
	commits = r->commits;
	OK(write_nv(r, "12345678", 8, 0));
	OK(write_nv(r, "345", 3, 2));
	assert_int_equal(r->commits, commits);
	OK(write_nv(r, "x", 1, 2));
	assert_int_equal(r->commits, commits + 1);
	holds(r, "12x45678", 8);
}

static void NV_Write_31_7_limits(void **state)
{
	struct rig *r = *state;

	OK(define(r, PLAIN_NV, 8));
	RC(write_nv(r, "", 0, 9), RC_P(2, TPM_RC_VALUE));
	RC(write_nv(r, "x", 1, 8), TPM_RC_NV_RANGE);
	RC(write_nv(r, "123456789", 9, 0), TPM_RC_NV_RANGE);
	RC(write_nv(r, "12", 2, 7), TPM_RC_NV_RANGE);
	assert_false(attributes_now(r) & TPMA_NV_WRITTEN);
	OK(undefine(r, TPM_RH_OWNER, INDEX));
	OK(define(r, PLAIN_NV | TPMA_NV_WRITEALL, 8));
	RC(write_nv(r, "1234567", 7, 0), TPM_RC_NV_RANGE);
	RC(write_nv(r, "1234567", 7, 1), TPM_RC_NV_RANGE);
	OK(write_nv(r, "12345678", 8, 0));
}

static void NV_Read_31_13_limits(void **state)
{
	struct rig *r = *state;
	struct NV_Read_out out;

	OK(define(r, PLAIN_NV, 8));
	OK(write_nv(r, "12345678", 8, 0));
	RC(read_as(r, TPM_RH_OWNER, 0, 9, &out), RC_P(2, TPM_RC_VALUE));
	RC(read_as(r, TPM_RH_OWNER, 1, 8, &out), TPM_RC_NV_RANGE);
	RC(read_as(r, TPM_RH_OWNER, 9, 0, &out), TPM_RC_NV_RANGE);
	RC(read_as(r, TPM_RH_OWNER, 2049, 0, &out), RC_P(1, TPM_RC_VALUE));
	OK(read_as(r, TPM_RH_OWNER, 3, 5, &out));
	assert_memory_equal(out.data.buffer, "678", 3);
	OK(read_as(r, TPM_RH_OWNER, 0, 8, &out));
	assert_int_equal(out.data.size, 0);
}

static void NV_types_are_kept_apart(void **state)
{
	static const unsigned types[] = {TPM_NT_ORDINARY, TPM_NT_COUNTER, TPM_NT_BITS,
					 TPM_NT_EXTEND};
	struct rig *r = *state;

	for (size_t i = 0; i < 4; i++) {
		unsigned type = types[i];

		OK(define(r, PLAIN_NV | TYPE(type), type == TPM_NT_EXTEND ? 32 : 8));
		RC(write_nv(r, "12345678", 8, 0), type == TPM_NT_ORDINARY ? 0u : TPM_RC_ATTRIBUTES);
		RC(increment(r, INDEX), type == TPM_NT_COUNTER ? 0u : RC_H(2, TPM_RC_ATTRIBUTES));
		RC(set_bits(r, 1), type == TPM_NT_BITS ? 0u : RC_H(2, TPM_RC_ATTRIBUTES));
		RC(extend(r, "x"), type == TPM_NT_EXTEND ? 0u : RC_H(2, TPM_RC_ATTRIBUTES));
		OK(undefine(r, TPM_RH_OWNER, INDEX));
	}
}

/* ---- 31.8 counters ---- */

static void NV_Increment_31_8_never_repeats_a_value(void **state)
{
	struct rig *r = *state;
	uint64_t last;

	OK(define(r, PLAIN_NV | TYPE(TPM_NT_COUNTER), 8));
	OK(increment(r, INDEX));
	last = value_of(r);
	for (unsigned i = 1; i <= 5; i++) {
		OK(increment(r, INDEX));
		assert_true(value_of(r) == last + i);
	}
	last += 5;
	OK(undefine(r, TPM_RH_OWNER, INDEX));
	OK(define(r, PLAIN_NV | TYPE(TPM_NT_COUNTER), 8));
	OK(increment(r, INDEX));
	assert_true(value_of(r) == last + 1);
}

/* 31.2: more than any other counter ever had, also one that still is. */
static void NV_Increment_31_2_begins_above_all_others(void **state)
{
	struct rig *r = *state;
	TPMS_NV_PUBLIC public = public_of(PLAIN_NV | TYPE(TPM_NT_COUNTER), 8);

	NATIVE_ONLY(r); /* libtpms looks at removed counters alone */
	public.nvIndex = OTHER;
	OK(define_as(r, TPM_RH_OWNER, &public, ""));
	for (unsigned i = 0; i < 7; i++)
		OK(increment(r, OTHER));
	OK(define(r, PLAIN_NV | TYPE(TPM_NT_COUNTER), 8));
	OK(increment(r, INDEX));
	assert_true(value_of(r) == 8);
}

/* 31.2: an orderly counter lives in memory; power loss makes it jump, never go back. */
static void NV_Increment_31_2_orderly(void **state)
{
	struct rig *r = *state;
	uint64_t last;
	unsigned commits;

	OK(define(r, PLAIN_NV | TYPE(TPM_NT_COUNTER) | TPMA_NV_ORDERLY, 8));
	OK(increment(r, INDEX));
	last = value_of(r);
	commits = r->commits;
	for (unsigned i = 0; i < 10; i++)
		OK(increment(r, INDEX));
	if (!on_libtpms(r)) /* which writes all of its state each time */
		assert_int_equal(r->commits, commits);
	assert_true(value_of(r) == last + 10);
	TPM_RESET(r);
	assert_true(value_of(r) == last + 10);
	OK(increment(r, INDEX));
	POWER_LOSS(r);
	assert_true(value_of(r) == ((last + 11) | 255));
	OK(increment(r, INDEX));
	assert_true(value_of(r) == ((last + 11) | 255) + 1);
	assert_int_equal(value_of(r) & 255, 0);
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_true(value_of(r) == (((last + 11) | 255) + 1) + 255);
}

/* ---- 31.9, 31.10 ---- */

static void NV_Extend_31_9(void **state)
{
	struct rig *r = *state;
	uint8_t old[32 + 3] = {0};
	TPM2B_DIGEST digest;

	OK(define(r, PLAIN_NV | TYPE(TPM_NT_EXTEND), 32));
	OK(extend(r, "abc"));
	memcpy(old + 32, "abc", 3);
	digest = digest_of(TPM_ALG_SHA256, old, 35);
	holds(r, digest.buffer, 32);
	OK(extend(r, ""));
	digest = digest_of(TPM_ALG_SHA256, digest.buffer, 32);
	holds(r, digest.buffer, 32);
}

static void NV_SetBits_31_10(void **state)
{
	struct rig *r = *state;

	OK(define(r, PLAIN_NV | TYPE(TPM_NT_BITS), 8));
	OK(set_bits(r, 0));
	assert_true(value_of(r) == 0);
	OK(set_bits(r, 0x8000000000000001u));
	OK(set_bits(r, 0x10));
	assert_true(value_of(r) == 0x8000000000000011u);
}

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

/* ---- PIN indices (Part 2, 13.3) ---- */

#define PIN_NV (TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA)

static void make_pin(struct rig *r, unsigned type, uint8_t count, uint8_t limit)
{
	const uint8_t data[8] = {0, 0, 0, count, 0, 0, 0, limit};
	TPMS_NV_PUBLIC public = public_of(PIN_NV | TYPE(type), 8);

	OK(define_as(r, TPM_RH_OWNER, &public, "1234"));
	OK(write_nv(r, data, 8, 0));
}

static tpm_rc try_pin(struct rig *r, const char *pin)
{
	struct client_session s = rig_session(r, TPM_SE_POLICY);
	struct PolicySecret_in in = {.authHandle = INDEX, .policySession = s.handle};
	tpm_rc rc;

	rig_password(r, 0, pin);
	rc = RIG_RUN(r, PolicySecret, &in, NULL);
	rig_flush(r, s.handle);
	return rc;
}

static uint32_t pin_count(struct rig *r)
{
	return (uint32_t)(value_of(r) >> 32);
}

static void NV_pin_fail_counts_failures(void **state)
{
	struct rig *r = *state;

	make_pin(r, TPM_NT_PIN_FAIL, 0, 3);
	OK(try_pin(r, "1234"));
	assert_int_equal(pin_count(r), 0);
	RC(try_pin(r, "0000"), RC_S(1, TPM_RC_BAD_AUTH));
	RC(try_pin(r, "0000"), RC_S(1, TPM_RC_BAD_AUTH));
	assert_int_equal(pin_count(r), 2);
	OK(try_pin(r, "1234"));
	assert_int_equal(pin_count(r), 0);
	for (unsigned i = 0; i < 3; i++)
		RC(try_pin(r, "0000"), RC_S(1, TPM_RC_BAD_AUTH));
	RC(try_pin(r, "1234"), TPM_RC_AUTH_UNAVAILABLE);
	POWER_LOSS(r);
	RC(try_pin(r, "1234"), TPM_RC_AUTH_UNAVAILABLE);
	OK(write_nv(r, "\0\0\0\0\0\0\0\3", 8, 0)); /* the owner lets it begin again */
	OK(try_pin(r, "1234"));
}

static void NV_pin_pass_counts_uses(void **state)
{
	struct rig *r = *state;

	make_pin(r, TPM_NT_PIN_PASS, 0, 2);
	RC(try_pin(r, "0000"), RC_S(1, TPM_RC_BAD_AUTH));
	assert_int_equal(pin_count(r), 0);
	OK(try_pin(r, "1234"));
	assert_int_equal(pin_count(r), 1);
	OK(try_pin(r, "1234"));
	RC(try_pin(r, "1234"), TPM_RC_AUTH_UNAVAILABLE);
	assert_int_equal(pin_count(r), 2);
}

static void NV_pin_is_unavailable_before_it_is_written(void **state)
{
	struct rig *r = *state;
	TPMS_NV_PUBLIC public = public_of(PIN_NV | TYPE(TPM_NT_PIN_FAIL), 8);

	OK(define_as(r, TPM_RH_OWNER, &public, "1234"));
	RC(try_pin(r, "1234"), TPM_RC_AUTH_UNAVAILABLE);
	RC(try_pin(r, "0000"), TPM_RC_AUTH_UNAVAILABLE);
}

/* An index that its policy alone writes and reads, each command for itself. */
static void NV_policies_31_1(void **state)
{
	struct rig *r = *state;
	TPMS_NV_PUBLIC public =
		public_of(TPMA_NV_POLICYWRITE | TPMA_NV_POLICYREAD | TPMA_NV_NO_DA, 8);
	struct NV_Write_in in = {.authHandle = INDEX, .nvIndex = INDEX, .data = {1, {7}}};
	struct NV_Read_in read = {.authHandle = INDEX, .nvIndex = INDEX, .size = 1};
	struct client_session s;

	public.authPolicy = command_policy(r, TPM_CC_NV_Write);
	OK(define_as(r, TPM_RH_OWNER, &public, ""));
	RC(RIG_RUN(r, NV_Write, &in, NULL), TPM_RC_AUTH_UNAVAILABLE);
	s = command_session(r, TPM_CC_NV_Write);
	rig_sessions(r, &s, 1);
	OK(RIG_RUN(r, NV_Write, &in, NULL));
	rig_flush(r, s.handle);
	s = command_session(r, TPM_CC_NV_Write);
	rig_sessions(r, &s, 1);
	RC(RIG_RUN(r, NV_Read, &read, NULL), RC_S(1, TPM_RC_POLICY_CC));
	rig_flush(r, s.handle);
	s = command_session(r, TPM_CC_NV_Read);
	rig_sessions(r, &s, 1);
	RC(RIG_RUN(r, NV_Read, &read, NULL), RC_S(1, TPM_RC_POLICY_FAIL));
	rig_flush(r, s.handle);
	OK(undefine(r, TPM_RH_OWNER, INDEX));
	public.attributes = TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD | TPMA_NV_NO_DA;
	OK(define_as(r, TPM_RH_OWNER, &public, ""));
	s = command_session(r, TPM_CC_NV_Write);
	rig_sessions(r, &s, 1);
	RC(RIG_RUN(r, NV_Write, &in, NULL), TPM_RC_AUTH_UNAVAILABLE);
}

/* Reading by the PIN itself counts as well. */
static void NV_pin_counts_for_every_command(void **state)
{
	struct rig *r = *state;
	struct NV_Read_out out;

	make_pin(r, TPM_NT_PIN_PASS, 0, 2);
	rig_password(r, 0, "1234");
	OK(read_as(r, INDEX, 8, 0, &out));
	assert_int_equal(pin_count(r), 1);
}

/* Neither a kill nor a failing store gives a PIN back. */
static void NV_pin_tries_are_durable_before_they_are_compared(void **state)
{
	struct rig *r = *state;

	NATIVE_ONLY(r);
	make_pin(r, TPM_NT_PIN_FAIL, 0, 3);
	RC(try_pin(r, "0000"), RC_S(1, TPM_RC_BAD_AUTH));
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_int_equal(pin_count(r), 1);
	r->fail_commits = 1;
	RC(try_pin(r, "1234"), TPM_RC_NV_UNAVAILABLE);
	r->fail_commits = 1;
	RC(try_pin(r, "0000"), TPM_RC_NV_UNAVAILABLE);
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
		OBJECT_TEST(NV_DefineSpace_31_3_refuses_what_does_not_fit),
		OBJECT_TEST(NV_DefineSpace_31_3_checks_digests_and_existence),
		OBJECT_TEST(NV_DefineSpace_31_3_needs_phEnableNV),
		OBJECT_TEST(NV_DefineSpace_31_3_makes_an_unwritten_index),
		OBJECT_TEST(NV_DefineSpace_31_3_ends_when_memory_is_full),
		OBJECT_TEST(NV_DefineSpace_31_3_takes_the_announced_sizes),
		OBJECT_TEST(NV_UndefineSpace_31_4),
		OBJECT_TEST(NV_UndefineSpaceSpecial_31_5),
		OBJECT_TEST(NV_ReadPublic_31_6_gives_the_name),
		OBJECT_TEST(NV_authorities_31_1),
		OBJECT_TEST(NV_policies_31_1),
		OBJECT_TEST(NV_another_index_is_no_authority_31_1),
		OBJECT_TEST(NV_Write_31_7_merges),
		OBJECT_TEST(NV_Write_31_7_spares_the_store),
		OBJECT_TEST(NV_Write_31_7_limits),
		OBJECT_TEST(NV_Read_31_13_limits),
		OBJECT_TEST(NV_types_are_kept_apart),
		OBJECT_TEST(NV_Increment_31_8_never_repeats_a_value),
		OBJECT_TEST(NV_Increment_31_2_begins_above_all_others),
		OBJECT_TEST(NV_Increment_31_2_orderly),
		OBJECT_TEST(NV_Extend_31_9),
		OBJECT_TEST(NV_SetBits_31_10),
		OBJECT_TEST(NV_WriteLock_31_11),
		OBJECT_TEST(NV_WriteLock_31_11_for_good),
		OBJECT_TEST(NV_GlobalWriteLock_31_12),
		OBJECT_TEST(NV_ReadLock_31_14),
		OBJECT_TEST(NV_clear_stclear_is_unwritten_at_each_start),
		OBJECT_TEST(NV_orderly_data_lives_from_shutdown_to_restart),
		OBJECT_TEST(NV_is_durable_when_it_is_answered),
		OBJECT_TEST(NV_commands_are_undone),
		OBJECT_TEST(NV_orderly_data_moves_with_the_tpm),
		OBJECT_TEST(NV_pin_fail_counts_failures),
		OBJECT_TEST(NV_pin_pass_counts_uses),
		OBJECT_TEST(NV_pin_is_unavailable_before_it_is_written),
		OBJECT_TEST(NV_pin_counts_for_every_command),
		OBJECT_TEST(NV_pin_tries_are_durable_before_they_are_compared),
		OBJECT_TEST(NV_ChangeAuth_31_15),
		OBJECT_TEST(NV_Certify_31_16),
		OBJECT_TEST(NV_Certify_31_16_of_a_large_index),
		OBJECT_TEST(NV_all_indices_at_a_start),
		OBJECT_TEST(NV_immutable_index_withstands_every_authority),
	};

	return cmocka_run_group_tests_name("tpm 31 NV", tests, NULL, NULL);
}
