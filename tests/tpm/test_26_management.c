/* Part 3, 26: TPM2_PP_Commands; and what physical presence does to other commands. */
#include "objects.h"

#define INDEX 0x01500000u

/* Codes to put into a list. */
#define CODES(...) ((TPML_CC){sizeof((TPM_CC[]){__VA_ARGS__}) / sizeof(TPM_CC), {__VA_ARGS__}})
static const TPML_CC none;

static tpm_rc pp_commands(struct rig *r, TPML_CC set, TPML_CC clear)
{
	struct PP_Commands_in in = {.auth = TPM_RH_PLATFORM, .setList = set, .clearList = clear};

	return RIG_RUN(r, PP_Commands, &in, NULL);
}

/* The same by somebody who is there. */
static void change_list(struct rig *r, TPML_CC set, TPML_CC clear)
{
	bool before = r->presence;

	r->presence = true;
	OK(pp_commands(r, set, clear));
	r->presence = before;
}

static TPML_CC listed_from(struct rig *r, TPM_CC from, uint32_t count, bool *more)
{
	struct GetCapability_in in = {
		.capability = TPM_CAP_PP_COMMANDS, .property = from, .propertyCount = count};
	struct GetCapability_out out;

	OK(RIG_RUN(r, GetCapability, &in, &out));
	*more = out.moreData;
	return out.capabilityData.data.ppCommands;
}

/* Nothing but TPM2_PP_Commands itself, and these. */
static void list_is(struct rig *r, TPML_CC want)
{
	bool more;
	TPML_CC got = listed_from(r, 0, 254, &more);
	uint32_t n = 0;

	assert_false(more);
	for (uint32_t i = 0; i < got.count; i++)
		if (got.commandCodes[i] != TPM_CC_PP_Commands)
			assert_int_equal(got.commandCodes[i], want.commandCodes[n++]);
	assert_int_equal(n, want.count);
	assert_int_equal(got.count, want.count + 1);
}

static tpm_rc adjust(struct rig *r, TPM_HANDLE auth)
{
	struct ClockRateAdjust_in in = {.auth = auth};

	return RIG_RUN(r, ClockRateAdjust, &in, NULL);
}

static const TPM_CC adjust_code = TPM_CC_ClockRateAdjust;

/* ---- the list ---- */

static void PP_Commands_26_2_wants_presence_itself(void **state)
{
	struct rig *r = *state;

	list_is(r, none);
	RC(pp_commands(r, CODES(TPM_CC_Clear), none), RC_S(1, TPM_RC_PP));
	list_is(r, none);
	change_list(r, none, CODES(TPM_CC_PP_Commands));
	RC(pp_commands(r, none, none), RC_S(1, TPM_RC_PP)); /* it cannot be taken out */
	list_is(r, none);
	rig_password(r, 0, "wrong"); /* the password is not looked at */
	RC(pp_commands(r, none, none), RC_S(1, TPM_RC_PP));
	r->presence = true;
	rig_password(r, 0, "wrong");
	RC(pp_commands(r, none, none), RC_S(1, TPM_RC_BAD_AUTH));
}

static void PP_Commands_26_2_sets_then_clears(void **state)
{
	struct rig *r = *state;

	change_list(r, CODES(TPM_CC_ClockSet, TPM_CC_Clear), none);
	list_is(r, CODES(TPM_CC_Clear, TPM_CC_ClockSet));
	change_list(r, CODES(TPM_CC_ChangePPS), CODES(TPM_CC_Clear));
	list_is(r, CODES(TPM_CC_ChangePPS, TPM_CC_ClockSet));
	change_list(r, CODES(TPM_CC_ClearControl), CODES(TPM_CC_ClearControl, TPM_CC_ClockSet));
	list_is(r, CODES(TPM_CC_ChangePPS));
	change_list(r, none, none);
	list_is(r, CODES(TPM_CC_ChangePPS));
	change_list(r, none, CODES(TPM_CC_ChangePPS, TPM_CC_Clear));
	list_is(r, none);
}

/* Every code of the specification and some that are none: what stays is what the tables of
 * Part 3 mark with {PP}. libtpms has commands more than we. */
static void PP_Commands_26_2_passes_over_the_others(void **state)
{
	static const TPML_CC may_be = {20,
				       {TPM_CC_NV_UndefineSpaceSpecial,
					TPM_CC_EvictControl,
					TPM_CC_HierarchyControl,
					TPM_CC_NV_UndefineSpace,
					TPM_CC_ChangeEPS,
					TPM_CC_ChangePPS,
					TPM_CC_Clear,
					TPM_CC_ClearControl,
					TPM_CC_ClockSet,
					TPM_CC_HierarchyChangeAuth,
					TPM_CC_NV_DefineSpace,
					TPM_CC_PCR_Allocate,
					TPM_CC_PCR_SetAuthPolicy,
					TPM_CC_PP_Commands,
					TPM_CC_SetPrimaryPolicy,
					TPM_CC_ClockRateAdjust,
					TPM_CC_CreatePrimary,
					TPM_CC_NV_GlobalWriteLock,
					TPM_CC_SetCommandCodeAuditStatus,
					TPM_CC_CreateLoaded}};
	struct rig *r = *state;
	TPML_CC all = {.count = 0}, got;
	uint32_t n = 0;
	bool more;

	for (TPM_CC code = 0x11F; code <= 0x1A8; code++)
		all.commandCodes[all.count++] = code;
	all.commandCodes[all.count++] = 0;
	all.commandCodes[all.count++] = 0x20000000 | TPM_CC_Clear;
	all.commandCodes[all.count++] = 0xFFFFFFFF;
	change_list(r, all, none);
	got = listed_from(r, 0, 254, &more);
	for (uint32_t i = 0; i < got.count; i++)
		if (command_find(got.commandCodes[i]))
			assert_int_equal(got.commandCodes[i], may_be.commandCodes[n++]);
	assert_int_equal(n, may_be.count);
	change_list(r, none, all);
	list_is(r, none);
}

/* One command named as often as a list has room. */
static void PP_Commands_26_2_full_lists(void **state)
{
	struct rig *r = *state;
	TPML_CC full = {.count = sizeof full.commandCodes / sizeof *full.commandCodes};
	struct PP_Commands_in in = {.auth = TPM_RH_PLATFORM};

	for (uint32_t i = 0; i < full.count; i++)
		full.commandCodes[i] = i % 2 ? TPM_CC_Clear : TPM_CC_ChangeEPS;
	change_list(r, full, none);
	list_is(r, CODES(TPM_CC_ChangeEPS, TPM_CC_Clear));
	change_list(r, full, full);
	list_is(r, none);

	r->presence = true;
	r->command_len =
		command_encode(command_find(TPM_CC_PP_Commands), &in,
			       &(struct client_session){.handle = TPM_RS_PW,
							.attributes = TPMA_SESSION_CONTINUESESSION},
			       1, NULL, r->command, sizeof r->command);
	r->command[r->command_len - 3] = 1; /* 256 codes to clear */
	RC(rig_raw(r, r->command, r->command_len), RC_P(2, TPM_RC_SIZE));
	r->command[r->command_len - 7] = 1; /* and to set */
	RC(rig_raw(r, r->command, r->command_len), RC_P(1, TPM_RC_SIZE));
}

static void PP_Commands_26_2_is_listed_in_parts(void **state)
{
	struct rig *r = *state;
	TPML_CC got;
	bool more;

	change_list(r, CODES(TPM_CC_Clear, TPM_CC_ClockSet, TPM_CC_CreateLoaded), none);
	got = listed_from(r, 0, 2, &more);
	assert_int_equal(got.count, 2);
	assert_int_equal(got.commandCodes[1], TPM_CC_ClockSet);
	assert_true(more);
	got = listed_from(r, TPM_CC_ClockSet + 1, 2, &more);
	assert_int_equal(got.count, 2);
	assert_int_equal(got.commandCodes[0], TPM_CC_PP_Commands);
	assert_int_equal(got.commandCodes[1], TPM_CC_CreateLoaded);
	assert_false(more);
	got = listed_from(r, TPM_CC_CreateLoaded + 1, 2, &more);
	assert_int_equal(got.count, 0);
	assert_false(more);
}

/* It is persistent, whatever becomes of the hierarchies. */
static void PP_Commands_26_2_persists(void **state)
{
	struct rig *r = *state;
	struct Clear_in clear = {.authHandle = TPM_RH_PLATFORM};
	struct ChangePPS_in change = {.authHandle = TPM_RH_PLATFORM};

	change_list(r, CODES(TPM_CC_ClockSet), none);
	OK(RIG_RUN(r, Clear, &clear, NULL));
	OK(RIG_RUN(r, ChangePPS, &change, NULL));
	rig_reset(r);
	list_is(r, CODES(TPM_CC_ClockSet));
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	list_is(r, CODES(TPM_CC_ClockSet));
	change_list(r, none, CODES(TPM_CC_ClockSet));
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	list_is(r, none);
}

static void PP_Commands_26_2_is_undone(void **state)
{
	struct rig *r = *state;

	NATIVE_ONLY(r);
	change_list(r, CODES(TPM_CC_ClockSet), none);
	r->presence = true;
	r->fail_commits = 1;
	RC(pp_commands(r, CODES(TPM_CC_Clear), CODES(TPM_CC_ClockSet)), TPM_RC_NV_UNAVAILABLE);
	list_is(r, CODES(TPM_CC_ClockSet));
}

/* ---- what is in it ---- */

/* Whatever it is that authorises: a password, an HMAC or a policy. */
static void Presence_5_6_is_wanted_beside_any_authorisation(void **state)
{
	struct rig *r = *state;
	struct SetPrimaryPolicy_in in = {.authHandle = TPM_RH_PLATFORM, .hashAlg = TPM_ALG_SHA256};
	struct PolicyCommandCode_in code = {.code = adjust_code};
	TPM_HANDLE trial = start_policy(r, TPM_SE_TRIAL, TPM_ALG_SHA256);
	struct client_session hmac = rig_session(r, TPM_SE_HMAC), policy;

	code.policySession = trial;
	OK(RIG_RUN(r, PolicyCommandCode, &code, NULL));
	in.authPolicy = policy_digest(r, trial);
	OK(RIG_RUN(r, SetPrimaryPolicy, &in, NULL));
	policy = rig_session(r, TPM_SE_POLICY);
	code.policySession = policy.handle;
	OK(RIG_RUN(r, PolicyCommandCode, &code, NULL));
	change_list(r, CODES(adjust_code), none);

	RC(adjust(r, TPM_RH_PLATFORM), RC_S(1, TPM_RC_PP));
	rig_sessions(r, &hmac, 1);
	RC(adjust(r, TPM_RH_PLATFORM), RC_S(1, TPM_RC_PP));
	rig_sessions(r, &policy, 1);
	RC(adjust(r, TPM_RH_PLATFORM), RC_S(1, TPM_RC_PP));

	r->presence = true;
	OK(adjust(r, TPM_RH_PLATFORM));
	rig_sessions(r, &hmac, 1);
	OK(adjust(r, TPM_RH_PLATFORM));
	rig_sessions(r, &policy, 1);
	OK(adjust(r, TPM_RH_PLATFORM));
}

/* Only where the platform authorises, and only commands of the list. */
static void Presence_5_6_is_for_the_platform_alone(void **state)
{
	struct rig *r = *state;
	struct ClockSet_in set = {.auth = TPM_RH_PLATFORM, .newTime = 1u << 30};

	change_list(r, CODES(adjust_code), none);
	OK(adjust(r, TPM_RH_OWNER));
	OK(RIG_RUN(r, ClockSet, &set, NULL));
	RC(adjust(r, TPM_RH_PLATFORM), RC_S(1, TPM_RC_PP));
	change_list(r, none, CODES(adjust_code));
	OK(adjust(r, TPM_RH_PLATFORM));
}

/* Also where the platform is not the first that authorises. */
static void Presence_5_6_of_the_second_handle(void **state)
{
	struct rig *r = *state;
	struct PolicyCommandCode_in code = {.code = TPM_CC_NV_UndefineSpaceSpecial};
	struct NV_UndefineSpaceSpecial_in in = {.nvIndex = INDEX, .platform = TPM_RH_PLATFORM};
	struct NV_DefineSpace_in define = {
		.authHandle = TPM_RH_PLATFORM,
		.publicInfo.nvPublic = {INDEX,
					TPM_ALG_SHA256,
					TPMA_NV_PPREAD | TPMA_NV_PPWRITE | TPMA_NV_PLATFORMCREATE |
						TPMA_NV_POLICY_DELETE,
					{.size = 0},
					8}};
	TPM_HANDLE trial = start_policy(r, TPM_SE_TRIAL, TPM_ALG_SHA256);
	struct client_session sessions[2] = {
		rig_session(r, TPM_SE_POLICY),
		{.handle = TPM_RS_PW, .attributes = TPMA_SESSION_CONTINUESESSION}};

	code.policySession = trial;
	OK(RIG_RUN(r, PolicyCommandCode, &code, NULL));
	define.publicInfo.nvPublic.authPolicy = policy_digest(r, trial);
	OK(RIG_RUN(r, NV_DefineSpace, &define, NULL));
	code.policySession = sessions[0].handle;
	OK(RIG_RUN(r, PolicyCommandCode, &code, NULL));
	change_list(r, CODES(TPM_CC_NV_UndefineSpaceSpecial), none);

	rig_sessions(r, sessions, 2);
	RC(RIG_RUN(r, NV_UndefineSpaceSpecial, &in, NULL), RC_S(2, TPM_RC_PP));
	r->presence = true;
	rig_sessions(r, sessions, 2);
	OK(RIG_RUN(r, NV_UndefineSpaceSpecial, &in, NULL));
}

/* A platform that says nothing of it: nobody is ever there. */
static void Presence_5_6_of_a_platform_without_it(void **state)
{
	struct rig *r = *state;

	r->presence = true;
	r->platform.physical_presence = NULL;
	RC(pp_commands(r, none, none), RC_S(1, TPM_RC_PP));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(PP_Commands_26_2_wants_presence_itself),
		OBJECT_TEST(PP_Commands_26_2_sets_then_clears),
		OBJECT_TEST(PP_Commands_26_2_passes_over_the_others),
		OBJECT_TEST(PP_Commands_26_2_full_lists),
		OBJECT_TEST(PP_Commands_26_2_is_listed_in_parts),
		OBJECT_TEST(PP_Commands_26_2_persists),
		OBJECT_TEST(PP_Commands_26_2_is_undone),
		OBJECT_TEST(Presence_5_6_is_wanted_beside_any_authorisation),
		OBJECT_TEST(Presence_5_6_is_for_the_platform_alone),
		OBJECT_TEST(Presence_5_6_of_the_second_handle),
		OBJECT_TEST(Presence_5_6_of_a_platform_without_it),
	};

	return cmocka_run_group_tests_name("tpm 26 management", tests, NULL, NULL);
}
