/* Part 3, 31: what an index is, who reads and writes it, and how; rule by rule. */
#include "nv_commands.h"

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
	public.nvIndex++;
	public.dataSize = 4097; /* alone more than there can be */
	RC(define_as(r, TPM_RH_OWNER, &public, ""), RC_P(2, TPM_RC_SIZE));
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
	};

	return cmocka_run_group_tests_name("tpm 31 NV", tests, NULL, NULL);
}
