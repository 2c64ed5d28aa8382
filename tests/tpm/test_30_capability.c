/* Part 3, 30: TPM2_GetCapability and TPM2_TestParms. */
#include "objects.h"

static tpm_rc get(struct rig *r, TPM_CAP capability, uint32_t property, uint32_t count,
		  struct GetCapability_out *out)
{
	struct GetCapability_in in = {
		.capability = capability, .property = property, .propertyCount = count};

	return RIG_RUN(r, GetCapability, &in, out);
}

static uint32_t property(struct rig *r, uint32_t which)
{
	struct GetCapability_out out;

	OK(get(r, TPM_CAP_TPM_PROPERTIES, which, 1, &out));
	assert_int_equal(out.capabilityData.data.tpmProperties.count, 1);
	assert_int_equal(out.capabilityData.data.tpmProperties.tpmProperty[0].property, which);
	return out.capabilityData.data.tpmProperties.tpmProperty[0].value;
}

/* ---- every list ---- */

static uint32_t key_of(TPM_CAP capability, const TPMU_CAPABILITIES *d, uint32_t i)
{
	switch (capability) {
	case TPM_CAP_ALGS:
		return d->algorithms.algProperties[i].alg;
	case TPM_CAP_HANDLES:
		return d->handles.handle[i];
	case TPM_CAP_COMMANDS:
		return d->command.commandAttributes[i] & 0xFFFF;
	case TPM_CAP_TPM_PROPERTIES:
		return d->tpmProperties.tpmProperty[i].property;
	case TPM_CAP_PCR_PROPERTIES:
		return d->pcrProperties.pcrProperty[i].tag;
	case TPM_CAP_ECC_CURVES:
		return d->eccCurves.eccCurves[i];
	case TPM_CAP_AUTH_POLICIES:
		return d->authPolicies.policies[i].handle;
	default:
		return 0;
	}
}

/* Read whole and read one by one it is the same list, ascending, and ends. */
static void list_is_consistent(struct rig *r, TPM_CAP capability, uint32_t from, uint32_t expected)
{
	struct GetCapability_out all, one;
	uint32_t key = from, n;

	OK(get(r, capability, from, 1000, &all));
	assert_false(all.moreData);
	n = all.capabilityData.data.handles.count; /* the count is first in every list */
	if (expected != ~0u)
		assert_int_equal(n, expected);
	OK(get(r, capability, from, 0, &one));
	assert_int_equal(one.capabilityData.data.handles.count, 0);
	assert_int_equal(one.moreData, n > 0);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t next = key_of(capability, &all.capabilityData.data, i);

		assert_true(next >= key);
		OK(get(r, capability, key, 1, &one));
		assert_int_equal(one.capabilityData.data.handles.count, 1);
		assert_int_equal(key_of(capability, &one.capabilityData.data, 0), next);
		assert_int_equal(one.moreData, i + 1 < n);
		key = next + 1;
	}
	if (n && HANDLE_TYPE(key) == HANDLE_TYPE(from)) {
		OK(get(r, capability, key, 1, &one));
		assert_int_equal(one.moreData, 0);
	}
}

static void GetCapability_30_2_lists_are_sequences(void **state)
{
	struct rig *r = *state;

	rig_define(r, 0x01500001, TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE, 8, "");
	rig_define(r, 0x01500000, TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE, 8, "");
	rig_define(r, 0x01FFFFFF, TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE, 8, "");
	storage_primary(r);
	storage_primary(r);
	rig_session(r, TPM_SE_HMAC);
	rig_session(r, TPM_SE_POLICY);
	list_is_consistent(r, TPM_CAP_ALGS, 0, on_libtpms(r) ? ~0u : 26);
	list_is_consistent(r, TPM_CAP_COMMANDS, 0, on_libtpms(r) ? ~0u : (uint32_t)command_count);
	list_is_consistent(r, TPM_CAP_TPM_PROPERTIES, 0x100, 46);
	list_is_consistent(r, TPM_CAP_TPM_PROPERTIES, 0x200, 21);
	list_is_consistent(r, TPM_CAP_PCR_PROPERTIES, 0, 15);
	if (!on_libtpms(r)) /* it lists curves that our decoder does not know */
		list_is_consistent(r, TPM_CAP_ECC_CURVES, 0, 3);
	list_is_consistent(r, TPM_CAP_AUTH_POLICIES, 0x40000000, 4);
	list_is_consistent(r, TPM_CAP_HANDLES, 0x00000000, 24);
	list_is_consistent(r, TPM_CAP_HANDLES, 0x01000000, 3);
	list_is_consistent(r, TPM_CAP_HANDLES, 0x02000000, 2);
	list_is_consistent(r, TPM_CAP_HANDLES, 0x03000000, 0);
	list_is_consistent(r, TPM_CAP_HANDLES, 0x40000000, 7);
	list_is_consistent(r, TPM_CAP_HANDLES, 0x80000000, 2);
	list_is_consistent(r, TPM_CAP_HANDLES, 0x81000000, 0);
}

static void GetCapability_30_2_errors(void **state)
{
	struct rig *r = *state;
	struct GetCapability_out out;

	RC(get(r, 0x0B, 0, 1, &out), RC_P(1, TPM_RC_VALUE));
	RC(get(r, TPM_CAP_VENDOR_PROPERTY, 0, 1, &out), RC_P(1, TPM_RC_VALUE));
	RC(get(r, TPM_CAP_HANDLES, 0x90000000, 1, &out), RC_P(2, TPM_RC_HANDLE));
	RC(get(r, TPM_CAP_HANDLES, 0x04000000, 1, &out), RC_P(2, TPM_RC_HANDLE));
	RC(get(r, TPM_CAP_PCRS, 1, 1, &out), RC_P(2, TPM_RC_VALUE));
	RC(get(r, TPM_CAP_AUTH_POLICIES, 0, 1, &out), RC_P(2, TPM_RC_VALUE));
	OK(get(r, TPM_CAP_TPM_PROPERTIES, 0x300, 10, &out));
	assert_int_equal(out.capabilityData.data.tpmProperties.count, 0);
	OK(get(r, TPM_CAP_TPM_PROPERTIES, 0, 1, &out));
	assert_int_equal(out.capabilityData.data.tpmProperties.tpmProperty[0].property, 0x100);
}

/* No timer counts down. */
static void GetCapability_30_2_empty_groups(void **state)
{
	struct rig *r = *state;
	struct GetCapability_out out;

	NATIVE_ONLY(r);
	OK(get(r, TPM_CAP_ACT, 0x40000110, 10, &out));
	assert_int_equal(out.capabilityData.data.actData.count, 0);
	RC(get(r, TPM_CAP_ACT, 0, 10, &out), RC_P(2, TPM_RC_VALUE));
}

static void GetCapability_30_2_banks(void **state)
{
	struct rig *r = *state;
	struct GetCapability_out out;
	TPML_PCR_SELECTION *banks = &out.capabilityData.data.assignedPCR;

	OK(get(r, TPM_CAP_PCRS, 0, 1, &out));
	assert_int_equal(banks->count, 4);
	assert_int_equal(banks->pcrSelections[0].hash, TPM_ALG_SHA1);
	assert_int_equal(banks->pcrSelections[3].hash, TPM_ALG_SHA512);
	for (unsigned i = 1; i <= 2; i++)
		assert_memory_equal(banks->pcrSelections[i].pcrSelect.bytes, "\xFF\xFF\xFF", 3);
	assert_false(out.moreData);
}

/* ---- values ---- */

static void GetCapability_30_2_says_who_it_is(void **state)
{
	struct rig *r = *state;

	NATIVE_ONLY(r);
	assert_int_equal(property(r, TPM_PT_FAMILY_INDICATOR), 0x322E3000);
	assert_int_equal(property(r, TPM_PT_REVISION), 159);
	assert_int_equal(property(r, TPM_PT_MANUFACTURER), 0x43565450);      /* "CVTP" */
	assert_int_equal(property(r, TPM_PT_VENDOR_STRING_1) >> 16, 0x5357); /* "SW" */
	assert_int_equal(property(r, TPM_PT_PS_FAMILY_INDICATOR), 1);
	assert_int_equal(property(r, TPM_PT_TOTAL_COMMANDS), command_count);
}

/* What is announced is what can be had. */
static void GetCapability_30_2_announces_what_there_is(void **state)
{
	struct rig *r = *state;
	uint32_t transient = property(r, TPM_PT_HR_TRANSIENT_AVAIL);
	uint32_t sessions = property(r, TPM_PT_HR_LOADED_AVAIL), n;
	TPMT_PUBLIC template = rig_storage_template();
	struct CreatePrimary_out out;

	assert_int_equal(property(r, TPM_PT_HR_TRANSIENT_MIN), transient);
	assert_int_equal(property(r, TPM_PT_HR_LOADED_MIN), sessions);
	for (n = 0; primary(r, TPM_RH_OWNER, &template, NULL, &out) == TPM_RC_SUCCESS; n++)
		assert_int_equal(property(r, TPM_PT_HR_TRANSIENT_AVAIL), transient - n - 1);
	assert_int_equal(n, transient);
	for (n = 0; n < sessions; n++) {
		rig_session(r, TPM_SE_HMAC);
		assert_int_equal(property(r, TPM_PT_HR_LOADED), n + 1);
		assert_int_equal(property(r, TPM_PT_HR_ACTIVE), n + 1);
	}
	assert_int_equal(property(r, TPM_PT_HR_LOADED_AVAIL), 0);
}

static void GetCapability_30_2_nv(void **state)
{
	struct rig *r = *state;
	uint32_t available = property(r, TPM_PT_NV_COUNTERS_AVAIL);

	rig_define(r, 0x01500000, TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE, 8, "");
	assert_int_equal(property(r, TPM_PT_HR_NV_INDEX), 1);
	assert_int_equal(property(r, TPM_PT_NV_COUNTERS), 0);
	rig_define(r, 0x01500001,
		   TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE | TPM_NT_COUNTER << TPMA_NV_TPM_NT_SHIFT,
		   8, "");
	assert_int_equal(property(r, TPM_PT_HR_NV_INDEX), 2);
	assert_int_equal(property(r, TPM_PT_NV_COUNTERS), 1);
	NATIVE_ONLY(r); /* what libtpms estimates is another memory */
	assert_int_equal(property(r, TPM_PT_NV_COUNTERS_AVAIL), available - 2);
	for (uint32_t i = 2; i < available; i++)
		rig_define(r, 0x01500000 + i,
			   TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE |
				   TPM_NT_COUNTER << TPMA_NV_TPM_NT_SHIFT,
			   8, "");
	assert_int_equal(property(r, TPM_PT_NV_COUNTERS_AVAIL), 0);
}

static void GetCapability_30_2_attributes(void **state)
{
	struct rig *r = *state;
	struct HierarchyChangeAuth_in owner = {.authHandle = TPM_RH_OWNER,
					       .newAuth = rig_auth("o")};
	struct HierarchyControl_in off = {
		.authHandle = TPM_RH_ENDORSEMENT, .enable = TPM_RH_ENDORSEMENT, .state = 0};
	struct ClearControl_in disable = {.auth = TPM_RH_LOCKOUT, .disable = 1};
	struct Shutdown_in shutdown = {.shutdownType = TPM_SU_CLEAR};

	assert_int_equal(property(r, TPM_PT_PERMANENT), TPMA_PERMANENT_TPMGENERATEDEPS);
	OK(RIG_RUN(r, HierarchyChangeAuth, &owner, NULL));
	OK(RIG_RUN(r, ClearControl, &disable, NULL));
	assert_int_equal(property(r, TPM_PT_PERMANENT), TPMA_PERMANENT_TPMGENERATEDEPS |
								TPMA_PERMANENT_OWNERAUTHSET |
								TPMA_PERMANENT_DISABLECLEAR);
	assert_int_equal(property(r, TPM_PT_STARTUP_CLEAR) & 15, 15);
	OK(RIG_RUN(r, HierarchyControl, &off, NULL));
	assert_int_equal(property(r, TPM_PT_STARTUP_CLEAR) & 15, 15 & ~TPMA_STARTUP_CLEAR_EHENABLE);
	rig_reset(r);
	assert_int_equal(property(r, TPM_PT_STARTUP_CLEAR), 15);
	OK(RIG_RUN(r, Shutdown, &shutdown, NULL));
	rig_reset(r);
	assert_int_equal(property(r, TPM_PT_STARTUP_CLEAR), 15 | TPMA_STARTUP_CLEAR_ORDERLY);
}

static void GetCapability_30_2_policies(void **state)
{
	struct rig *r = *state;
	struct SetPrimaryPolicy_in in = {
		.authHandle = TPM_RH_ENDORSEMENT, .authPolicy.size = 32, .hashAlg = TPM_ALG_SHA256};
	struct GetCapability_out out;
	const TPMS_TAGGED_POLICY *p = out.capabilityData.data.authPolicies.policies;

	memset(in.authPolicy.buffer, 9, 32);
	OK(RIG_RUN(r, SetPrimaryPolicy, &in, NULL));
	OK(get(r, TPM_CAP_AUTH_POLICIES, TPM_RH_LOCKOUT, 10, &out));
	assert_int_equal(out.capabilityData.data.authPolicies.count, 3);
	assert_int_equal(p[0].policyHash.hashAlg, TPM_ALG_NULL);
	assert_int_equal(p[1].handle, TPM_RH_ENDORSEMENT);
	assert_int_equal(p[1].policyHash.hashAlg, TPM_ALG_SHA256);
	assert_memory_equal(&p[1].policyHash.digest, in.authPolicy.buffer, 32);
}

static void GetCapability_30_2_saved_sessions(void **state)
{
	struct rig *r = *state;
	struct client_session s = rig_session(r, TPM_SE_POLICY);
	struct ContextSave_in in = {.saveHandle = s.handle};
	struct GetCapability_out out;

	OK(get(r, TPM_CAP_HANDLES, 0x02000000, 10, &out));
	assert_int_equal(out.capabilityData.data.handles.handle[0], s.handle);
	OK(RIG_RUN(r, ContextSave, &in, NULL));
	OK(get(r, TPM_CAP_HANDLES, 0x02000000, 10, &out));
	assert_int_equal(out.capabilityData.data.handles.count, 0);
	OK(get(r, TPM_CAP_HANDLES, 0x03000000, 10, &out));
	assert_int_equal(out.capabilityData.data.handles.count, 1);
	assert_int_equal(out.capabilityData.data.handles.handle[0],
			 HMAC_SESSION_FIRST | (s.handle & 0xFFFFFF));
	assert_int_equal(property(r, TPM_PT_HR_LOADED), 0);
	assert_int_equal(property(r, TPM_PT_HR_ACTIVE), 1);
}

static void GetCapability_30_2_pcr_properties(void **state)
{
	static const struct {
		uint32_t tag;
		uint32_t pcrs;
	} rows[] = {
		{TPM_PT_PCR_SAVE, 0x00FFFF},     {TPM_PT_PCR_EXTEND_L0, 0x81FFFF},
		{TPM_PT_PCR_RESET_L0, 0x810000}, {TPM_PT_PCR_EXTEND_L1, 0x91FFFF},
		{TPM_PT_PCR_RESET_L1, 0x810000}, {TPM_PT_PCR_EXTEND_L2, 0xFFFFFF},
		{TPM_PT_PCR_RESET_L2, 0xF10000}, {TPM_PT_PCR_EXTEND_L3, 0x9FFFFF},
		{TPM_PT_PCR_RESET_L3, 0x810000}, {TPM_PT_PCR_EXTEND_L4, 0x87FFFF},
		{TPM_PT_PCR_RESET_L4, 0x7E0000}, {TPM_PT_PCR_DRTM_RESET, 0x7E0000},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct GetCapability_out out;
		const TPMS_TAGGED_PCR_SELECT *p = out.capabilityData.data.pcrProperties.pcrProperty;

		OK(get(r, TPM_CAP_PCR_PROPERTIES, rows[i].tag, 1, &out));
		assert_int_equal(p->tag, rows[i].tag);
		assert_int_equal(p->pcrSelect.size, 3);
		for (unsigned b = 0; b < 3; b++)
			assert_int_equal(p->pcrSelect.bytes[b], rows[i].pcrs >> 8 * b & 0xFF);
	}
}

/* In failure mode it says who made it, and no more. */
static void GetCapability_30_2_in_failure_mode(void **state)
{
	struct rig *r = *state;
	struct StirRandom_in stir = {.inData.size = 0};
	struct GetCapability_out out;

	NATIVE_ONLY(r);
	r->fail_entropy = true;
	rig_no_sessions(r);
	RC(RIG_RUN(r, StirRandom, &stir, NULL), TPM_RC_FAILURE);
	rig_no_sessions(r);
	OK(get(r, TPM_CAP_TPM_PROPERTIES, 0, 100, &out));
	assert_int_equal(out.capabilityData.data.tpmProperties.count, 8);
	assert_int_equal(out.capabilityData.data.tpmProperties.tpmProperty[0].property,
			 TPM_PT_MANUFACTURER);
	assert_false(out.moreData);
	rig_no_sessions(r);
	OK(get(r, TPM_CAP_TPM_PROPERTIES, TPM_PT_INPUT_BUFFER, 1, &out));
	assert_int_equal(out.capabilityData.data.tpmProperties.count, 0);
	rig_no_sessions(r);
	OK(get(r, TPM_CAP_HANDLES, 0, 1, &out));
	assert_int_equal(out.capabilityData.data.handles.count, 0);
	rig_no_sessions(r);
	OK(get(r, TPM_CAP_PCRS, 0, 1, &out));
	assert_int_equal(out.capabilityData.data.assignedPCR.count, 0);
}

/* ---- 30.3 ---- */

static void TestParms_30_3(void **state)
{
	struct rig *r = *state;
	struct TestParms_in in = {.parameters.type = TPM_ALG_ECC};
	TPMS_ECC_PARMS *ecc = &in.parameters.parameters.eccDetail;
	static const TPM_ALG_ID modes[] = {TPM_ALG_CTR, TPM_ALG_OFB, TPM_ALG_CBC,
					   TPM_ALG_CFB, TPM_ALG_ECB, TPM_ALG_NULL};

	ecc->symmetric.algorithm = TPM_ALG_NULL;
	ecc->scheme.scheme = TPM_ALG_NULL;
	ecc->curveID = TPM_ECC_NIST_P521;
	ecc->kdf.scheme = TPM_ALG_NULL;
	OK(RIG_RUN(r, TestParms, &in, NULL));
	if (!on_libtpms(r)) { /* such a key there is not */
		ecc->symmetric =
			(TPMT_SYM_DEF_OBJECT){TPM_ALG_AES, {.aes = 128}, {.aes = TPM_ALG_CBC}};
		RC(RIG_RUN(r, TestParms, &in, NULL), RC_P(1, TPM_RC_MODE));
	}
	in.parameters.type = TPM_ALG_SYMCIPHER;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		in.parameters.parameters.symDetail.sym =
			(TPMT_SYM_DEF_OBJECT){TPM_ALG_AES, {.aes = 128}, {.aes = modes[i]}};
		OK(RIG_RUN(r, TestParms, &in, NULL));
	}
	/* a curve, a key size, a type that there is not: as bytes, the encoder makes none */
	{
		const uint8_t curve[] = {0x80, 1,    0, 0,  0, 20, 0, 0,    1, 0x8A,
					 0,    0x23, 0, 16, 0, 16, 0, 0x55, 0, 16};
		const uint8_t bits[] = {0x80, 1, 0,  0, 0,  22, 0, 0, 1, 0x8A, 0,
					1,    0, 16, 0, 16, 2,  0, 0, 0, 0,    0};
		const uint8_t type[] = {0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x8A, 0, 0x99};

		RC(rig_raw(r, curve, sizeof curve), RC_P(1, TPM_RC_CURVE));
		RC(rig_raw(r, bits, sizeof bits), RC_P(1, TPM_RC_VALUE));
		RC(rig_raw(r, type, sizeof type), RC_P(1, TPM_RC_TYPE));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(GetCapability_30_2_lists_are_sequences),
		OBJECT_TEST(GetCapability_30_2_errors),
		OBJECT_TEST(GetCapability_30_2_empty_groups),
		OBJECT_TEST(GetCapability_30_2_banks),
		OBJECT_TEST(GetCapability_30_2_says_who_it_is),
		OBJECT_TEST(GetCapability_30_2_announces_what_there_is),
		OBJECT_TEST(GetCapability_30_2_nv),
		OBJECT_TEST(GetCapability_30_2_attributes),
		OBJECT_TEST(GetCapability_30_2_policies),
		OBJECT_TEST(GetCapability_30_2_saved_sessions),
		OBJECT_TEST(GetCapability_30_2_pcr_properties),
		OBJECT_TEST(GetCapability_30_2_in_failure_mode),
		OBJECT_TEST(TestParms_30_3),
	};

	return cmocka_run_group_tests_name("tpm 30 capability", tests, NULL, NULL);
}
