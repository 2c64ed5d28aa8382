/* Part 3, 24: hierarchy commands. */
#include "objects.h"

#include <string.h>

#define PLATFORM_INDEX 0x01400001
#define OWNER_INDEX    0x01800001

/* ---- helpers ---- */

static tpm_rc control(struct rig *r, TPM_HANDLE auth, TPM_HANDLE enable, bool on)
{
	struct HierarchyControl_in in = {.authHandle = auth, .enable = enable, .state = on};

	return RIG_RUN(r, HierarchyControl, &in, NULL);
}

static uint32_t startup_clear(struct rig *r)
{
	struct GetCapability_in in = {.capability = TPM_CAP_TPM_PROPERTIES,
				      .property = TPM_PT_STARTUP_CLEAR,
				      .propertyCount = 1};
	struct GetCapability_out out;

	assert_rc(RIG_RUN(r, GetCapability, &in, &out), 0);
	return out.capabilityData.data.tpmProperties.tpmProperty[0].value;
}

static tpm_rc change_auth(struct rig *r, TPM_HANDLE handle, const char *from, const char *to)
{
	struct HierarchyChangeAuth_in in = {.authHandle = handle, .newAuth = rig_auth(to)};

	rig_password(r, 0, from);
	return RIG_RUN(r, HierarchyChangeAuth, &in, NULL);
}

static tpm_rc clear(struct rig *r, TPM_HANDLE auth, const char *password)
{
	struct Clear_in in = {.authHandle = auth};

	rig_password(r, 0, password);
	return RIG_RUN(r, Clear, &in, NULL);
}

static tpm_rc evict(struct rig *r, TPM_HANDLE auth, TPM_HANDLE object, TPM_HANDLE persistent)
{
	struct EvictControl_in in = {
		.auth = auth, .objectHandle = object, .persistentHandle = persistent};

	return RIG_RUN(r, EvictControl, &in, NULL);
}

static TPM2B_NAME primary_name(struct rig *r, TPM_HANDLE hierarchy, const TPMT_PUBLIC *template,
			       const TPM2B_SENSITIVE_CREATE *given)
{
	struct CreatePrimary_out out;

	assert_rc(primary(r, hierarchy, template, given, &out), 0);
	rig_flush(r, out.handle);
	return out.name;
}

static bool same(TPM2B_NAME a, TPM2B_NAME b)
{
	return a.size == b.size && memcmp(a.buffer, b.buffer, a.size) == 0;
}

static bool index_exists(struct rig *r, TPM_HANDLE index)
{
	struct NV_ReadPublic_in in = {.nvIndex = index};

	return RIG_RUN(r, NV_ReadPublic, &in, NULL) == 0;
}

/* ---- 24.1 TPM2_CreatePrimary ---- */

/* The same template gives the same object, any other another one. */
static void test_primary_is_derived(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC templates[] = {rig_storage_template(), rig_signing_template(),
				   rsa_template(true),     hmac_template(),
				   cipher_template(128),   symmetric_parent_template(),
				   derivation_template()};
	TPM2B_SENSITIVE_CREATE with_auth = sensitive("password", NULL, 0);

	for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
		TPMT_PUBLIC other = templates[i];
		TPM2B_NAME name = primary_name(r, TPM_RH_OWNER, &templates[i], NULL);

		assert_true(same(name, primary_name(r, TPM_RH_OWNER, &templates[i], NULL)));
		assert_true(same(name, primary_name(r, TPM_RH_OWNER, &templates[i], &with_auth)));
		assert_false(same(name, primary_name(r, TPM_RH_PLATFORM, &templates[i], NULL)));
		assert_false(same(name, primary_name(r, TPM_RH_NULL, &templates[i], NULL)));
		/* unique is an input, the first field of every type a TPM2B */
		other.unique.sym.size = 1;
		other.unique.sym.buffer[0] = 1;
		assert_false(same(name, primary_name(r, TPM_RH_OWNER, &other, NULL)));
	}
}

/* inSensitive.data is one more input, where it is not the secret itself. */
static void test_primary_data(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rig_signing_template(), cipher = cipher_template(128);
	TPM2B_SENSITIVE_CREATE one = sensitive("", "1", 1), two = sensitive("", "2", 1);
	TPM2B_NAME plain = primary_name(r, TPM_RH_OWNER, &t, NULL);
	TPM2B_NAME with_one = primary_name(r, TPM_RH_OWNER, &t, &one);

	assert_false(same(plain, with_one));
	assert_true(same(with_one, primary_name(r, TPM_RH_OWNER, &t, &one)));
	assert_false(same(with_one, primary_name(r, TPM_RH_OWNER, &t, &two)));
	assert_false(same(primary_name(r, TPM_RH_OWNER, &cipher, &one),
			  primary_name(r, TPM_RH_OWNER, &cipher, &two)));
}

/* The rules for attributes are those of TPM2_Create, under a parent that is fixedTPM. */
static void test_primary_rules(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rig_signing_template();
	TPM2B_SENSITIVE_CREATE given = sensitive("", NULL, 0);

	t.objectAttributes &= ~(uint32_t)TPMA_OBJECT_FIXEDTPM;
	assert_rc(primary(r, TPM_RH_OWNER, &t, NULL, NULL), RC_P(2, TPM_RC_ATTRIBUTES));
	t = sealed_template();
	assert_rc(primary(r, TPM_RH_OWNER, &t, NULL, NULL), RC_P(2, TPM_RC_ATTRIBUTES));
	t = rig_signing_template();
	given.sensitive.userAuth.size = 33;
	given.sensitive.userAuth.buffer[32] = 1;
	assert_rc(primary(r, TPM_RH_OWNER, &t, &given, NULL), RC_P(1, TPM_RC_SIZE));
	/* but a storage key need not have its parent's algorithms */
	t = rig_storage_template();
	t.nameAlg = TPM_ALG_SHA384;
	t.parameters.eccDetail.symmetric.keyBits.aes = 256;
	t.parameters.eccDetail.curveID = TPM_ECC_NIST_P384;
	assert_rc(primary(r, TPM_RH_OWNER, &t, NULL, NULL), 0);
}

static void test_primary_creation_data(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rig_signing_template();
	static const uint8_t endorsement[4] = {0x40, 0, 0, 0x0B};
	struct CreatePrimary_out out;
	const TPMS_CREATION_DATA *data = &out.creationData.creationData;

	assert_rc(primary(r, TPM_RH_ENDORSEMENT, &t, NULL, &out), 0);
	assert_int_equal(data->parentNameAlg, TPM_ALG_NULL);
	assert_int_equal(data->parentName.size, 4);
	assert_memory_equal(data->parentName.buffer, endorsement, 4);
	assert_int_equal(data->parentQualifiedName.size, 4);
	assert_int_equal(out.creationTicket.hierarchy, TPM_RH_ENDORSEMENT);
	assert_int_equal(data->pcrSelect.count, 0);
	assert_int_equal(data->locality, 1);
}

static void test_primary_memory(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = hmac_template();
	tpm_rc rc = 0;

	for (unsigned i = 0; i < 64 && !rc; i++)
		rc = primary(r, TPM_RH_OWNER, &t, NULL, NULL);
	assert_rc(rc, TPM_RC_OBJECT_MEMORY);
}

/* Primary objects outlive TPM Reset, those of the null hierarchy do not. */
static void test_primary_after_reset(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rig_signing_template();
	TPM2B_NAME owner = primary_name(r, TPM_RH_OWNER, &t, NULL);
	TPM2B_NAME null = primary_name(r, TPM_RH_NULL, &t, NULL);

	rig_reset(r);
	assert_true(same(owner, primary_name(r, TPM_RH_OWNER, &t, NULL)));
	assert_false(same(null, primary_name(r, TPM_RH_NULL, &t, NULL)));
}

/* ---- 24.2 TPM2_HierarchyControl ---- */

static void test_control_authority(void **state)
{
	struct rig *r = *state;

	assert_rc(control(r, TPM_RH_OWNER, TPM_RH_ENDORSEMENT, false), TPM_RC_AUTH_TYPE);
	assert_rc(control(r, TPM_RH_OWNER, TPM_RH_PLATFORM, false), TPM_RC_AUTH_TYPE);
	assert_rc(control(r, TPM_RH_OWNER, TPM_RH_PLATFORM_NV, false), TPM_RC_AUTH_TYPE);
	assert_rc(control(r, TPM_RH_ENDORSEMENT, TPM_RH_OWNER, false), TPM_RC_AUTH_TYPE);
	assert_rc(control(r, TPM_RH_OWNER, TPM_RH_OWNER, true), 0); /* it is on */
	assert_rc(control(r, TPM_RH_OWNER, TPM_RH_OWNER, false), 0);
	assert_rc(control(r, TPM_RH_OWNER, TPM_RH_OWNER, true), RC_H(1, TPM_RC_HIERARCHY));
	assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_OWNER, true), 0);
	assert_rc(control(r, TPM_RH_ENDORSEMENT, TPM_RH_ENDORSEMENT, false), 0);
	assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_ENDORSEMENT, true), 0);
	assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_NULL, true), RC_P(1, TPM_RC_VALUE));
}

/* Loaded objects are flushed, persistent ones out of reach until it is on again. */
static void test_control_objects(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rig_signing_template();
	TPM_HANDLE owner = must_primary(r, TPM_RH_OWNER, &t);
	TPM_HANDLE endorsement = must_primary(r, TPM_RH_ENDORSEMENT, &t);

	assert_rc(evict(r, TPM_RH_OWNER, owner, 0x81000001), 0);
	assert_rc(control(r, TPM_RH_OWNER, TPM_RH_OWNER, false), 0);
	assert_false(is_loaded(r, owner));
	assert_true(is_loaded(r, endorsement));
	assert_false(is_loaded(r, 0x81000001));
	assert_rc(primary(r, TPM_RH_OWNER, &t, NULL, NULL), RC_H(1, TPM_RC_HIERARCHY));
	assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_OWNER, true), 0);
	assert_true(is_loaded(r, 0x81000001));
	assert_false(is_loaded(r, owner));
	assert_rc(control(r, TPM_RH_OWNER, TPM_RH_OWNER, false), 0);
	rig_reset(r);
	assert_true(is_loaded(r, 0x81000001)); /* TPM2_Startup(CLEAR) opens it */
}

static void test_control_indices(void **state)
{
	struct rig *r = *state;

	rig_define(r, PLATFORM_INDEX, TPMA_NV_PPWRITE | TPMA_NV_PPREAD | TPMA_NV_PLATFORMCREATE, 8,
		   "");
	rig_define(r, OWNER_INDEX, TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD, 8, "");
	assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_PLATFORM_NV, false), 0);
	assert_false(index_exists(r, PLATFORM_INDEX));
	assert_true(index_exists(r, OWNER_INDEX));
	assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_PLATFORM_NV, true), 0);
	assert_true(index_exists(r, PLATFORM_INDEX));
	assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_OWNER, false), 0);
	assert_false(index_exists(r, OWNER_INDEX));
	assert_true(index_exists(r, PLATFORM_INDEX));
}

/* phEnable comes back with TPM2_Startup alone. */
static void test_control_platform(void **state)
{
	struct rig *r = *state;

	assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_PLATFORM, false), 0);
	assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_PLATFORM, true), RC_H(1, TPM_RC_HIERARCHY));
	rig_reset(r);
	assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_PLATFORM, true), 0);
}

/* What is off stays off over a resume, also in another process; but for phEnable. */
static void test_control_survives_resume(void **state)
{
	struct rig *r = *state;
	struct Shutdown_in shutdown = {.shutdownType = TPM_SU_STATE};

	for (int killed = 0; killed < 2; killed++) {
		assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_OWNER, false), 0);
		assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_ENDORSEMENT, false), 0);
		assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_PLATFORM_NV, false), 0);
		assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_PLATFORM, false), 0);
		assert_rc(RIG_RUN(r, Shutdown, &shutdown, NULL), 0);
		if (killed)
			rig_kill(r);
		else
			assert_int_equal(r->engine->power_on(r->tpm), 0);
		assert_rc(rig_startup(r, TPM_SU_STATE), 0);
		assert_rc(control(r, TPM_RH_OWNER, TPM_RH_OWNER, true), RC_H(1, TPM_RC_HIERARCHY));
		assert_rc(control(r, TPM_RH_ENDORSEMENT, TPM_RH_ENDORSEMENT, true),
			  RC_H(1, TPM_RC_HIERARCHY));
		assert_int_equal(startup_clear(r) & 15, 1); /* phEnable alone */
		assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_OWNER, true), 0);
	}
}

/* ---- 24.3 TPM2_SetPrimaryPolicy ---- */

static void test_primary_policy(void **state)
{
	struct rig *r = *state;
	static const TPM_HANDLE handles[] = {TPM_RH_OWNER, TPM_RH_ENDORSEMENT, TPM_RH_PLATFORM,
					     TPM_RH_LOCKOUT};
	struct client_session s = rig_session(r, TPM_SE_TRIAL);
	struct PolicyCommandCode_in code = {.policySession = s.handle,
					    .code = TPM_CC_HierarchyChangeAuth};
	struct PolicyGetDigest_in get = {.policySession = s.handle};
	struct PolicyGetDigest_out got;

	assert_rc(RIG_RUN(r, PolicyCommandCode, &code, NULL), 0);
	assert_rc(RIG_RUN(r, PolicyGetDigest, &get, &got), 0);
	rig_flush(r, s.handle);
	for (size_t i = 0; i < 4; i++) {
		struct SetPrimaryPolicy_in in = {.authHandle = handles[i],
						 .authPolicy = got.policyDigest,
						 .hashAlg = TPM_ALG_SHA384};
		struct HierarchyChangeAuth_in change = {.authHandle = handles[i]};

		assert_rc(RIG_RUN(r, SetPrimaryPolicy, &in, NULL), RC_P(1, TPM_RC_SIZE));
		in.hashAlg = TPM_ALG_NULL;
		assert_rc(RIG_RUN(r, SetPrimaryPolicy, &in, NULL), RC_P(1, TPM_RC_SIZE));
		in.hashAlg = TPM_ALG_SHA256;
		assert_rc(RIG_RUN(r, SetPrimaryPolicy, &in, NULL), 0);
		s = rig_session(r, TPM_SE_POLICY);
		code.policySession = s.handle;
		assert_rc(RIG_RUN(r, PolicyCommandCode, &code, NULL), 0);
		rig_sessions(r, &s, 1);
		assert_rc(RIG_RUN(r, HierarchyChangeAuth, &change, NULL), 0);
		rig_flush(r, s.handle);
		in.authPolicy.size = 0; /* and it goes again */
		assert_rc(RIG_RUN(r, SetPrimaryPolicy, &in, NULL), RC_P(1, TPM_RC_SIZE));
		in.hashAlg = TPM_ALG_NULL;
		assert_rc(RIG_RUN(r, SetPrimaryPolicy, &in, NULL), 0);
		s = rig_session(r, TPM_SE_POLICY);
		rig_sessions(r, &s, 1);
		assert_rc(RIG_RUN(r, HierarchyChangeAuth, &change, NULL), TPM_RC_AUTH_UNAVAILABLE);
		rig_flush(r, s.handle);
	}
}

/* ---- 24.4 TPM2_ChangePPS ---- */

static void test_change_pps(void **state)
{
	struct rig *r = *state;
	struct ChangePPS_in in = {.authHandle = TPM_RH_PLATFORM};
	struct SetPrimaryPolicy_in policy = {
		.authHandle = TPM_RH_PLATFORM, .authPolicy.size = 32, .hashAlg = TPM_ALG_SHA256};
	TPMT_PUBLIC t = rig_signing_template();
	TPM2B_NAME platform = primary_name(r, TPM_RH_PLATFORM, &t, NULL);
	TPM2B_NAME owner = primary_name(r, TPM_RH_OWNER, &t, NULL);
	TPM_HANDLE loaded = must_primary(r, TPM_RH_PLATFORM, &t), other;
	struct client_session s;

	assert_rc(evict(r, TPM_RH_PLATFORM, loaded, 0x81800001), 0);
	other = must_primary(r, TPM_RH_OWNER, &t);
	rig_define(r, PLATFORM_INDEX, TPMA_NV_PPWRITE | TPMA_NV_PPREAD | TPMA_NV_PLATFORMCREATE, 8,
		   "");
	assert_rc(RIG_RUN(r, SetPrimaryPolicy, &policy, NULL), 0);
	assert_rc(change_auth(r, TPM_RH_PLATFORM, "", "kept"), 0);
	rig_password(r, 0, "kept");
	assert_rc(RIG_RUN(r, ChangePPS, &in, NULL), 0);
	assert_false(is_loaded(r, loaded));
	assert_false(is_loaded(r, 0x81800001));
	assert_true(is_loaded(r, other));
	assert_true(index_exists(r, PLATFORM_INDEX));
	s = rig_session(r, TPM_SE_POLICY); /* the policy is gone, the authValue is not */
	rig_sessions(r, &s, 1);
	assert_rc(RIG_RUN(r, ChangePPS, &in, NULL), TPM_RC_AUTH_UNAVAILABLE);
	assert_rc(change_auth(r, TPM_RH_PLATFORM, "kept", ""), 0);
	assert_false(same(platform, primary_name(r, TPM_RH_PLATFORM, &t, NULL)));
	assert_true(same(owner, primary_name(r, TPM_RH_OWNER, &t, NULL)));
}

/* ---- 24.5 TPM2_ChangeEPS ---- */

static void test_change_eps(void **state)
{
	struct rig *r = *state;
	struct ChangeEPS_in in = {.authHandle = TPM_RH_PLATFORM};
	TPMT_PUBLIC t = rig_signing_template();
	TPM2B_NAME endorsement = primary_name(r, TPM_RH_ENDORSEMENT, &t, NULL);
	TPM2B_NAME owner = primary_name(r, TPM_RH_OWNER, &t, NULL);
	TPM_HANDLE loaded = must_primary(r, TPM_RH_ENDORSEMENT, &t);

	assert_rc(evict(r, TPM_RH_OWNER, loaded, 0x81010001), 0);
	assert_rc(change_auth(r, TPM_RH_ENDORSEMENT, "", "gone"), 0);
	assert_rc(control(r, TPM_RH_PLATFORM, TPM_RH_ENDORSEMENT, false), 0);
	assert_rc(RIG_RUN(r, ChangeEPS, &in, NULL), 0); /* enables it, without authValue */
	assert_false(is_loaded(r, loaded));
	assert_false(is_loaded(r, 0x81010001));
	assert_false(same(endorsement, primary_name(r, TPM_RH_ENDORSEMENT, &t, NULL)));
	assert_true(same(owner, primary_name(r, TPM_RH_OWNER, &t, NULL)));
}

/* ---- 24.6 TPM2_Clear ---- */

static void test_clear(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rig_signing_template();
	TPM2B_NAME names[3] = {primary_name(r, TPM_RH_OWNER, &t, NULL),
			       primary_name(r, TPM_RH_ENDORSEMENT, &t, NULL),
			       primary_name(r, TPM_RH_PLATFORM, &t, NULL)};
	TPM_HANDLE owner = must_primary(r, TPM_RH_OWNER, &t);
	TPM_HANDLE endorsement = must_primary(r, TPM_RH_ENDORSEMENT, &t);
	TPM_HANDLE platform = must_primary(r, TPM_RH_PLATFORM, &t);
	struct ReadClock_out clock;
	struct PCR_Read_in pcr = {.pcrSelectionIn.count = 0};
	struct PCR_Read_out before, after;

	rig_define(r, PLATFORM_INDEX, TPMA_NV_PPWRITE | TPMA_NV_PPREAD | TPMA_NV_PLATFORMCREATE, 8,
		   "");
	rig_define(r, OWNER_INDEX, TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD, 8, "");
	assert_rc(evict(r, TPM_RH_OWNER, owner, 0x81000001), 0);
	assert_rc(evict(r, TPM_RH_OWNER, endorsement, 0x81010001), 0);
	assert_rc(evict(r, TPM_RH_PLATFORM, platform, 0x81800001), 0);
	assert_rc(change_auth(r, TPM_RH_OWNER, "", "o"), 0);
	assert_rc(change_auth(r, TPM_RH_ENDORSEMENT, "", "e"), 0);
	assert_rc(change_auth(r, TPM_RH_LOCKOUT, "", "l"), 0);
	assert_rc(RIG_RUN(r, PCR_Read, &pcr, &before), 0);
	r->now_ms += 60000;
	assert_rc(clear(r, TPM_RH_LOCKOUT, "l"), 0);
	assert_rc(RIG_RUN(r, PCR_Read, &pcr, &after), 0);
	assert_true(after.pcrUpdateCounter > before.pcrUpdateCounter);
	assert_false(is_loaded(r, owner));
	assert_false(is_loaded(r, endorsement));
	assert_false(is_loaded(r, 0x81000001));
	assert_false(is_loaded(r, 0x81010001));
	assert_true(is_loaded(r, platform));
	assert_true(is_loaded(r, 0x81800001));
	assert_true(index_exists(r, PLATFORM_INDEX));
	assert_false(index_exists(r, OWNER_INDEX));
	assert_rc(RIG_RUN(r, ReadClock, NULL, &clock), 0);
	assert_true(clock.currentTime.clockInfo.clock < 60000);
	assert_int_equal(clock.currentTime.clockInfo.resetCount, 0);
	assert_int_equal(clock.currentTime.clockInfo.restartCount, 0);
	assert_int_equal(clock.currentTime.clockInfo.safe, 1);
	rig_flush(r, platform);
	/* authValues are empty; the owner's objects are new, an EK is the old one */
	assert_false(same(names[0], primary_name(r, TPM_RH_OWNER, &t, NULL)));
	assert_true(same(names[1], primary_name(r, TPM_RH_ENDORSEMENT, &t, NULL)));
	assert_true(same(names[2], primary_name(r, TPM_RH_PLATFORM, &t, NULL)));
	assert_rc(clear(r, TPM_RH_LOCKOUT, ""), 0);
	rig_reset(r);
	assert_false(is_loaded(r, 0x81000001));
	assert_true(is_loaded(r, 0x81800001));
}

/* What was protected with an EK is lost with the owner: its key is the same, its seedValue
 * is not. */
static void test_clear_children_of_ek(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC storage = rig_storage_template(), sign = rig_signing_template();
	TPM_HANDLE ek = must_primary(r, TPM_RH_ENDORSEMENT, &storage);
	struct Create_out child;

	assert_rc(create(r, ek, &sign, NULL, &child), 0);
	assert_rc(load(r, ek, &child.outPrivate, &child.outPublic, NULL), 0);
	assert_rc(clear(r, TPM_RH_PLATFORM, ""), 0);
	ek = must_primary(r, TPM_RH_ENDORSEMENT, &storage);
	assert_rc(load(r, ek, &child.outPrivate, &child.outPublic, NULL),
		  RC_P(1, TPM_RC_INTEGRITY));
}

/* A store that fails leaves everything as it was. */
static void test_clear_undone(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rig_signing_template();
	TPM2B_NAME name = primary_name(r, TPM_RH_OWNER, &t, NULL);
	TPM_HANDLE owner = must_primary(r, TPM_RH_OWNER, &t);

	NATIVE_ONLY(r);
	rig_define(r, OWNER_INDEX, TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD, 8, "");
	assert_rc(evict(r, TPM_RH_OWNER, owner, 0x81000001), 0);
	assert_rc(change_auth(r, TPM_RH_LOCKOUT, "", "l"), 0);
	r->fail_commits = 1;
	assert_rc(clear(r, TPM_RH_LOCKOUT, "l"), TPM_RC_NV_UNAVAILABLE);
	assert_true(is_loaded(r, owner));
	assert_true(is_loaded(r, 0x81000001));
	assert_true(index_exists(r, OWNER_INDEX));
	assert_true(same(name, primary_name(r, TPM_RH_OWNER, &t, NULL)));
	assert_rc(clear(r, TPM_RH_LOCKOUT, "l"), 0);
	assert_false(is_loaded(r, owner));
	assert_false(same(name, primary_name(r, TPM_RH_OWNER, &t, NULL)));
}

/* ---- 24.7 TPM2_ClearControl ---- */

static tpm_rc clear_control(struct rig *r, TPM_HANDLE auth, bool disable)
{
	struct ClearControl_in in = {.auth = auth, .disable = disable};

	return RIG_RUN(r, ClearControl, &in, NULL);
}

static void test_clear_control(void **state)
{
	struct rig *r = *state;

	assert_rc(clear_control(r, TPM_RH_LOCKOUT, true), 0);
	assert_rc(clear(r, TPM_RH_PLATFORM, ""), TPM_RC_DISABLED);
	assert_rc(clear_control(r, TPM_RH_LOCKOUT, false), TPM_RC_AUTH_FAIL);
	rig_reset(r); /* it lasts */
	assert_rc(clear(r, TPM_RH_LOCKOUT, ""), TPM_RC_DISABLED);
	assert_rc(clear_control(r, TPM_RH_PLATFORM, false), 0);
	assert_rc(clear(r, TPM_RH_LOCKOUT, ""), 0);
	assert_rc(clear_control(r, TPM_RH_PLATFORM, true), 0);
	assert_rc(clear(r, TPM_RH_PLATFORM, ""), TPM_RC_DISABLED);
}

/* ---- 24.8 TPM2_HierarchyChangeAuth ---- */

static void test_change_auth_persists(void **state)
{
	struct rig *r = *state;

	assert_rc(change_auth(r, TPM_RH_OWNER, "", "owner"), 0);
	assert_rc(change_auth(r, TPM_RH_PLATFORM, "", "platform"), 0);
	assert_rc(change_auth(r, TPM_RH_OWNER, "", "x"), RC_S(1, TPM_RC_BAD_AUTH));
	rig_reset(r);
	assert_rc(change_auth(r, TPM_RH_OWNER, "", "x"), RC_S(1, TPM_RC_BAD_AUTH));
	assert_rc(change_auth(r, TPM_RH_OWNER, "owner", ""), 0);
	assert_rc(change_auth(r, TPM_RH_PLATFORM, "", ""), 0); /* TPM Reset empties it */
}

/* Trailing zeros are no part of an authValue. */
static void test_change_auth_zeros(void **state)
{
	struct rig *r = *state;
	struct HierarchyChangeAuth_in in = {.authHandle = TPM_RH_OWNER, .newAuth = {4, "a\0\0"}};

	assert_rc(RIG_RUN(r, HierarchyChangeAuth, &in, NULL), 0);
	assert_rc(change_auth(r, TPM_RH_OWNER, "a", ""), 0);
}

/* The response's HMAC is made with the new authValue. */
static void test_change_auth_hmac(void **state)
{
	struct rig *r = *state;
	static const TPM_HANDLE handles[] = {TPM_RH_OWNER, TPM_RH_ENDORSEMENT, TPM_RH_PLATFORM,
					     TPM_RH_LOCKOUT};

	for (size_t i = 0; i < 4; i++) {
		struct client_session s = rig_session(r, TPM_SE_HMAC);
		TPM2B_AUTH new = rig_auth("new password");
		struct HierarchyChangeAuth_in in = {.authHandle = handles[i], .newAuth = new};

		s.auth_after = &new;
		rig_sessions(r, &s, 1);
		assert_rc(RIG_RUN(r, HierarchyChangeAuth, &in, NULL), 0);
		rig_flush(r, s.handle);
	}
}

/* And that of TPM2_Clear with the empty one. */
static void test_clear_hmac(void **state)
{
	struct rig *r = *state;
	static const TPM2B_AUTH empty;
	struct Clear_in in = {.authHandle = TPM_RH_LOCKOUT};
	struct client_session s;

	assert_rc(change_auth(r, TPM_RH_LOCKOUT, "", "lock"), 0);
	s = rig_session(r, TPM_SE_HMAC);
	s.auth = rig_auth("lock");
	s.auth_after = &empty;
	rig_sessions(r, &s, 1);
	assert_rc(RIG_RUN(r, Clear, &in, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(test_primary_is_derived),
		OBJECT_TEST(test_primary_data),
		OBJECT_TEST(test_primary_rules),
		OBJECT_TEST(test_primary_creation_data),
		OBJECT_TEST(test_primary_memory),
		OBJECT_TEST(test_primary_after_reset),
		OBJECT_TEST(test_control_authority),
		OBJECT_TEST(test_control_objects),
		OBJECT_TEST(test_control_indices),
		OBJECT_TEST(test_control_platform),
		OBJECT_TEST(test_control_survives_resume),
		OBJECT_TEST(test_primary_policy),
		OBJECT_TEST(test_change_pps),
		OBJECT_TEST(test_change_eps),
		OBJECT_TEST(test_clear),
		OBJECT_TEST(test_clear_children_of_ek),
		OBJECT_TEST(test_clear_undone),
		OBJECT_TEST(test_clear_control),
		OBJECT_TEST(test_change_auth_persists),
		OBJECT_TEST(test_change_auth_zeros),
		OBJECT_TEST(test_change_auth_hmac),
		OBJECT_TEST(test_clear_hmac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
