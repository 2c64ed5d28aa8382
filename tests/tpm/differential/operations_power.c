/* Chapters 9, 10, 16, 29, 30: start-up, self-test, random numbers, clock, capabilities. */
#include "world.h"

static tpm_rc shut_down(struct world *w, TPM_SU type)
{
	BEGIN(w, Shutdown);

	in->shutdownType = type;
	return pair_run(w, &p);
}

static tpm_rc start_up(struct world *w, TPM_SU type)
{
	BEGIN(w, Startup);

	p.no_faults = true;
	in->startupType = type;
	return pair_run(w, &p);
}

static void h_crtm(struct world *w)
{
	EACH_SIDE (s) {
		struct rig *r = w->rig[s];

		assert_int_equal(r->engine->hash_start(r->tpm), 0);
		assert_int_equal(r->engine->hash_data(r->tpm, (const uint8_t *)"h-crtm", 6), 0);
		assert_int_equal(r->engine->hash_end(r->tpm), 0);
	}
}

/* Where Clock is after a start. The end before it was orderly: where it was. Otherwise it
 * may go back, and how far is each TPM's matter; but not behind the last command's by more
 * than it says it may. */
static void look_at_clock(struct world *w, uint64_t before, bool orderly)
{
	BEGIN(w, ReadClock);

	p.no_faults = p.no_extra = true;
	if (pair_run(w, &p))
		return;
	EACH_SIDE (s)
		w->clock[s] = orderly ? clock_expected(w, s) : out[s]->currentTime.clockInfo.clock;
	if (w->clock[NATIVE] > before || before - w->clock[NATIVE] > CLOCK_UPDATE)
		differ(w, "Startup: Clock went too far: it was %llu, and is %llu",
		       (unsigned long long)before, (unsigned long long)w->clock[NATIVE]);
	w->clock_at = time_now_ms();
	w->started_clock = w->clock[NATIVE];
	compare_clock(w, "ReadClock", &out[NATIVE]->currentTime.clockInfo,
		      &out[OTHER]->currentTime.clockInfo);
}

static void forgive_tries(struct world *w)
{
	BEGIN(w, DictionaryAttackLockReset);

	p.no_faults = p.no_extra = p.plain = true;
	use_hierarchy(w, &p, 0, TPM_RH_LOCKOUT);
	w->time_stands = pair_run(w, &p) != 0;
}

/* After an end that was not orderly an authorisation that dictionary attack protects may
 * count as failed. libtpms forgets it at a TPM2_Startup that it refuses, `again`, and in a run
 * whose start counted nothing, in lockout or with the protection off; and it counts one of
 * which the authValue is not there to be compared with. And whether the time before
 * _TPM_Init counts for the tries of then is each TPM's matter. */
static void look_at_tries(struct world *w, bool again)
{
	BEGIN(w, GetCapability);
	const TPMS_TAGGED_PROPERTY *property =
		out[OTHER]->capabilityData.data.tpmProperties.tpmProperty;
	uint32_t tries[SIDES];

	p.no_faults = p.no_extra = true;
	in->capability = TPM_CAP_TPM_PROPERTIES;
	in->property = TPM_PT_LOCKOUT_COUNTER;
	in->propertyCount = 3; /* and TPM_PT_MAX_AUTH_FAIL, TPM_PT_LOCKOUT_INTERVAL */
	if (pair_run(w, &p))
		return;
	EACH_SIDE (s)
		tries[s] = out[s]->capabilityData.data.tpmProperties.tpmProperty[0].value;
	if (tries[NATIVE] != tries[OTHER] &&
	    !((again || w->counted_none) && tries[NATIVE] == tries[OTHER] + 1) &&
	    !(w->tried_public && tries[OTHER] == tries[NATIVE] + 1))
		differ(w, "Startup: failed tries: native %u, libtpms %u", tries[NATIVE],
		       tries[OTHER]);
	w->diverged |= tries[NATIVE] != tries[OTHER];
	w->tried_public = false;
	w->counted_none = property[0].value >= property[1].value || property[2].value == 0;
	if (tries[NATIVE] && chance(w, 50))
		w->time_stands = true;
	else if (!w->diverged && !w->differs)
		forgive_tries(w);
}

/* Of an index with TPMA_NV_ORDERLY a counter goes on, and libtpms loses the lock that holds
 * until it is undefined. */
static void indices_after_loss(struct world *w)
{
	const TPMA_NV locked = TPMA_NV_ORDERLY | TPMA_NV_WRITEDEFINE;

	for (size_t i = 0; i < MAX_INDICES; i++) {
		struct world_index *x = &w->indices[i];

		x->jumped |= x->public.attributes & TPMA_NV_ORDERLY;
		if ((x->public.attributes & locked) == locked)
			x->in_use = false;
	}
}

/* _TPM_Init and TPM2_Startup after whatever end; returns how it was started. */
static TPM_SU power_on(struct world *w, TPM_SU type, bool orderly)
{
	const uint64_t clock = w->clock[NATIVE] + (w->command_at - w->clock_at);

	const bool process_ends = chance(w, 25);
	bool again = false;

	EACH_SIDE (s)
		if (process_ends)
			rig_kill(w->rig[s]);
		else
			assert_int_equal(w->rig[s]->engine->power_on(w->rig[s]->tpm), 0);
	world_forget_volatile(w);
	w->locality = (uint8_t)PICK(w, 0, 0, 0, 3);
	w->h_crtm_before = w->h_crtm;
	w->h_crtm = chance(w, 10);
	if (w->h_crtm)
		h_crtm(w);
	w->gap_unknown |= w->h_crtm || w->counter_gap; /* a reset ends it, a restart does not */
	if (start_up(w, type) && !w->differs) {
		w->locality = 0;
		if (start_up(w, TPM_SU_CLEAR) && !w->differs) /* spoilt, or not resumed */
			w->diverged = true;
		type = TPM_SU_CLEAR;
		again = !orderly;
	}
	w->locality = 0;
	if (type == TPM_SU_CLEAR) {
		w->platform.size = 0;
		w->policies[2] = false;
		w->starts++;
	}
	if (!orderly)
		indices_after_loss(w);
	look_at_clock(w, clock, orderly);
	look_at_tries(w, again);
	return type;
}

static void power_cycle(struct world *w)
{
	uint32_t how = pick(w, 6);
	TPM_SU type = TPM_SU_CLEAR;
	bool orderly;

	w->locality = (uint8_t)PICK(w, 0, 0, 0, 3);
	orderly = how >= 2 && shut_down(w, how >= 4 ? TPM_SU_STATE : TPM_SU_CLEAR) == 0;
	if (w->differs)
		return;
	if (how == 5 || (how >= 2 && chance(w, 10)))
		type = TPM_SU_STATE;
	power_on(w, type, orderly);
}

bool restart(struct world *w, TPM_SU type)
{
	BEGIN(w, Shutdown);

	p.no_faults = p.no_extra = true;
	in->shutdownType = TPM_SU_STATE;
	if (pair_run(w, &p))
		return false;
	return power_on(w, type, true) == type && !w->differs && !w->diverged;
}

void power_loss(struct world *w)
{
	power_on(w, TPM_SU_CLEAR, false);
}

/* Another allocation of PCRs holds from the next start on, which comes at once: libtpms forgets
 * it if TPM2_Clear comes first. */
static void pcr_allocate(struct world *w)
{
	BEGIN(w, PCR_Allocate);

	use_hierarchy(w, &p, 0, TPM_RH_PLATFORM);
	in->pcrAllocation.count = pick(w, 5);
	for (uint32_t i = 0; i < in->pcrAllocation.count; i++)
		in->pcrAllocation.pcrSelections[i] = (TPMS_PCR_SELECTION){
			pick_hash(w),
			{3,
			 {(uint8_t)PICK(w, 0xFF, 0xFF, 0, 1), (uint8_t)PICK(w, 0xFF, 0xFF, 0),
			  (uint8_t)PICK(w, 0xFF, 0xFF, 0, 2)}}};
	if (pair_run(w, &p))
		return;
	w->few_pcrs = true;
	if (!w->differs)
		power_loss(w);
}

static void clock_set(struct world *w);

/* Sessions that were saved live on over a restart and a resume; with them a command. */
static void sessions_over_restart(struct world *w)
{
	struct world_session *session = pick_session(w, TPM_SE_HMAC);
	struct world_context saved;

	if (!session || !session_save(w, session, &saved))
		return;
	session->in_use = false;
	if (!restart(w, chance(w, 50) ? TPM_SU_CLEAR : TPM_SU_STATE))
		return;
	if (session_load(w, &saved, session))
		clock_set(w);
}

static void startup_again(struct world *w)
{
	start_up(w, (TPM_SU)pick(w, 2));
}

static void shutdown_alone(struct world *w)
{
	shut_down(w, (TPM_SU)pick(w, 2));
	{ /* what nullifies it on both: other commands do so here, and not there */
		BEGIN(w, PCR_Event);

		p.no_faults = p.no_extra = p.plain = true;
		use_handle(&p, 0, 0);
		pair_run(w, &p);
	}
}

static void d_rtm(struct world *w)
{
	h_crtm(w);
}

static void self_test(struct world *w)
{
	BEGIN(w, SelfTest);

	in->fullTest = (TPMI_YES_NO)pick(w, 2);
	pair_run(w, &p);
}

static void test_result(struct world *w)
{
	BEGIN(w, GetTestResult);

	pair_run(w, &p);
}

static void incremental_self_test(struct world *w)
{
	BEGIN(w, IncrementalSelfTest);

	in->toTest.count = pick(w, 3);
	for (uint32_t i = 0; i < in->toTest.count; i++)
		in->toTest.algorithms[i] =
			(TPM_ALG_ID)PICK(w, TPM_ALG_SHA256, TPM_ALG_AES, TPM_ALG_HMAC);
	pair_run(w, &p);
}

static void get_random(struct world *w)
{
	BEGIN(w, GetRandom);

	in->bytesRequested = (uint16_t)PICK(w, 0, 1, 16, 32, 64);
	pair_run(w, &p);
}

static void stir_random(struct world *w)
{
	BEGIN(w, StirRandom);

	in->inData.size = (uint16_t)pick(w, 129);
	pair_run(w, &p);
}

static void read_clock(struct world *w)
{
	BEGIN(w, ReadClock);

	if (pair_run(w, &p) == 0)
		compare_time(w, "ReadClock", &out[NATIVE]->currentTime, &out[OTHER]->currentTime);
}

static void clock_set(struct world *w)
{
	BEGIN(w, ClockSet);

	use_hierarchy(w, &p, 0, PICK(w, TPM_RH_OWNER, TPM_RH_PLATFORM));
	in->newTime = chance(w, 10) ? ~(uint64_t)0
				    : (uint64_t)(1 + pick(w, 1000000)) << PICK(w, 3, 12, 30);
	if (pair_run(w, &p) == 0)
		clock_is_set(w, in->newTime);
}

/* As long as something lasts: a policy, a clock's update, dictionary attack protection. */
static void time_passes(struct world *w)
{
	time_pass(w, (uint64_t)PICK(w, 1, 10, 999, 1000, 5000, 1u << 22, 20000000, 60000000,
				    110000000) +
			     pick(w, 3));
}

static void clock_rate_adjust(struct world *w)
{
	BEGIN(w, ClockRateAdjust);

	use_hierarchy(w, &p, 0, PICK(w, TPM_RH_OWNER, TPM_RH_PLATFORM));
	in->rateAdjust = (TPM_CLOCK_ADJUST)PICK(w, 0xFD, 0xFE, 0xFF, 0, 1, 2, 3);
	w->rate_changed = true; /* until _TPM_Init */
	pair_run(w, &p);
}

/* ---- capabilities: those that must be equal ---- */

static void capability(struct world *w, TPM_CAP cap, uint32_t property, uint32_t count)
{
	char what[60];
	BEGIN(w, GetCapability);

	in->capability = cap;
	in->property = property;
	in->propertyCount = count;
	if (pair_run(w, &p))
		return;
	compare_value(w, "GetCapability: moreData", &type_TPMI_YES_NO, &out[NATIVE]->moreData,
		      &out[OTHER]->moreData, true);
	snprintf(what, sizeof what, "GetCapability: %x %x", cap, property);
	if (HANDLE_TYPE(property) == TPM_HT_TRANSIENT) /* whose numbers may differ */
		compare_value(w, what, &type_UINT32,
			      &out[NATIVE]->capabilityData.data.handles.count,
			      &out[OTHER]->capabilityData.data.handles.count, true);
	else
		compare_value(w, what, &type_TPMS_CAPABILITY_DATA, &out[NATIVE]->capabilityData,
			      &out[OTHER]->capabilityData, true);
}

static void capability_handles(struct world *w)
{
	capability(w, TPM_CAP_HANDLES,
		   PICK(w, 0, 10, NV_INDEX_FIRST, NV_INDEX_FIRST + 3, HMAC_SESSION_FIRST,
			POLICY_SESSION_FIRST, TRANSIENT_FIRST, PERSISTENT_FIRST, 0x40000000),
		   PICK(w, 1, 2, 20, 60));
}

static void capability_pcrs(struct world *w)
{
	if (chance(w, 50))
		capability(w, TPM_CAP_PCRS, 0, PICK(w, 1, 5, 60));
	else /* those before TPM_PT_PCR_POLICY: there PCR 20 to 22 may have policies */
		capability(w, TPM_CAP_PCR_PROPERTIES, pick(w, 10), PICK(w, 1, 2, 3));
}

/* Properties that say how the TPM is, one by one. */
static void capability_variable(struct world *w)
{
	capability(w, TPM_CAP_TPM_PROPERTIES,
		   PICK(w, TPM_PT_PERMANENT, TPM_PT_STARTUP_CLEAR, TPM_PT_HR_NV_INDEX,
			TPM_PT_HR_LOADED, TPM_PT_HR_ACTIVE, TPM_PT_HR_PERSISTENT,
			TPM_PT_LOCKOUT_COUNTER, TPM_PT_MAX_AUTH_FAIL, TPM_PT_LOCKOUT_INTERVAL,
			TPM_PT_LOCKOUT_RECOVERY, TPM_PT_NV_WRITE_RECOVERY, TPM_PT_FAMILY_INDICATOR,
			TPM_PT_LEVEL, TPM_PT_INPUT_BUFFER, TPM_PT_PCR_COUNT, TPM_PT_PCR_SELECT_MIN,
			TPM_PT_MAX_DIGEST),
		   1);
}

static void capability_policies(struct world *w)
{
	capability(w, TPM_CAP_AUTH_POLICIES, PICK(w, 0x40000001, 0x40000000, 0x4000000A),
		   PICK(w, 1, 2, 8));
}

/* Of those that there are on both: the generator puts no others into the list. */
static void capability_presence(struct world *w)
{
	capability(w, TPM_CAP_PP_COMMANDS,
		   PICK(w, 0, TPM_CC_EvictControl, TPM_CC_PP_Commands, TPM_CC_CreateLoaded),
		   PICK(w, 1, 2, 30));
}

/* The counter is not the same after TPM2_Clear: docs/differences.md. */
static void capability_audit(struct world *w)
{
	if (chance(w, 60))
		capability(w, TPM_CAP_AUDIT_COMMANDS,
			   PICK(w, 0, 0x11F, 0x140, 0x144, 0x17B, 0x19F, 0x200),
			   PICK(w, 1, 2, 10, 254));
	else if (w->audit[NATIVE].counter == w->audit[OTHER].counter)
		capability(w, TPM_CAP_TPM_PROPERTIES, TPM_PT_AUDIT_COUNTER_0, 2);
}

static void capability_wrong(struct world *w)
{
	capability(w, PICK(w, TPM_CAP_ACT, 11, 0xFF, TPM_CAP_HANDLES),
		   PICK(w, 0x05000000, 0xFFFFFFFF, 0x90000000), PICK(w, 0, 1));
}

static void test_parms(struct world *w)
{
	BEGIN(w, TestParms);
	TPMT_PUBLIC_PARMS *parameters = &in->parameters;

	parameters->type = (TPM_ALG_ID)PICK(w, TPM_ALG_ECC, TPM_ALG_KEYEDHASH, TPM_ALG_SYMCIPHER);
	if (parameters->type == TPM_ALG_ECC) {
		TPMS_ECC_PARMS *ecc = &parameters->parameters.eccDetail;

		ecc->symmetric.algorithm = ecc->scheme.scheme = ecc->kdf.scheme = TPM_ALG_NULL;
		if (chance(w, 20))
			ecc->symmetric = (TPMT_SYM_DEF_OBJECT){
				TPM_ALG_AES,
				{.aes = 128},
				{(TPM_ALG_ID)PICK(w, TPM_ALG_CFB, TPM_ALG_NULL, TPM_ALG_CBC)}};
		ecc->curveID = (TPMI_ECC_CURVE)PICK(w, TPM_ECC_NIST_P256, TPM_ECC_NIST_P384,
						    TPM_ECC_NIST_P521);
	} else if (parameters->type == TPM_ALG_KEYEDHASH) {
		parameters->parameters.keyedHashDetail.scheme.scheme = TPM_ALG_HMAC;
		parameters->parameters.keyedHashDetail.scheme.details.hmac.hashAlg = pick_hash(w);
	} else {
		parameters->parameters.symDetail.sym = (TPMT_SYM_DEF_OBJECT){
			TPM_ALG_AES,
			{.aes = (uint16_t)PICK(w, 128, 256)},
			{(TPM_ALG_ID)PICK(w, TPM_ALG_CTR, TPM_ALG_OFB, TPM_ALG_CBC, TPM_ALG_CFB,
					  TPM_ALG_ECB, TPM_ALG_NULL)}};
	}
	pair_run(w, &p);
}

const struct operation operations_power[] = {
	{"power-cycle", 8, power_cycle},
	{"sessions-over-restart", 6, sessions_over_restart},
	{"pcr-allocate", 2, pcr_allocate},
	{"startup-again", 2, startup_again},
	{"shutdown", 2, shutdown_alone},
	{"d-rtm", 2, d_rtm},
	{"self-test", 1, self_test},
	{"test-result", 2, test_result},
	{"incremental-self-test", 2, incremental_self_test},
	{"get-random", 5, get_random},
	{"stir-random", 3, stir_random},
	{"read-clock", 5, read_clock},
	{"clock-set", 2, clock_set},
	{"time-passes", 8, time_passes},
	{"clock-rate-adjust", 2, clock_rate_adjust},
	{"capability-handles", 6, capability_handles},
	{"capability-pcrs", 3, capability_pcrs},
	{"capability-variable", 8, capability_variable},
	{"capability-policies", 3, capability_policies},
	{"capability-presence", 3, capability_presence},
	{"capability-audit", 4, capability_audit},
	{"capability-wrong", 2, capability_wrong},
	{"test-parms", 4, test_parms},
	{NULL, 0, NULL},
};
