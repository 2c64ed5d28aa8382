/* Part 3, 22: platform configuration registers, with the attributes of the PC Client profile. */
#include "objects.h"

#define PCRS 24

/* ---- short forms ---- */

static tpm_rc extend(struct rig *r, TPM_HANDLE pcr, TPM_ALG_ID alg, uint8_t byte)
{
	struct PCR_Extend_in in = {.pcrHandle = pcr, .digests = {1, {{.hashAlg = alg}}}};

	memset(&in.digests.digests[0].digest, byte, cvtpm_hash_size((enum cvtpm_hash_alg)alg));
	return RIG_RUN(r, PCR_Extend, &in, NULL);
}

static tpm_rc reset(struct rig *r, TPM_HANDLE pcr)
{
	struct PCR_Reset_in in = {.pcrHandle = pcr};

	return RIG_RUN(r, PCR_Reset, &in, NULL);
}

static TPML_PCR_SELECTION select_pcr(TPM_ALG_ID alg, unsigned pcr)
{
	TPML_PCR_SELECTION s = {1, {{alg, {PCR_SELECT_MAX, {0}}}}};

	s.pcrSelections[0].pcrSelect.bytes[pcr / 8] = (uint8_t)(1u << pcr % 8);
	return s;
}

static struct PCR_Read_out read_pcrs(struct rig *r, const TPML_PCR_SELECTION *selection)
{
	struct PCR_Read_in in = {.pcrSelectionIn = *selection};
	struct PCR_Read_out out;

	OK(RIG_RUN(r, PCR_Read, &in, &out));
	return out;
}

static TPM2B_DIGEST value_of(struct rig *r, TPM_ALG_ID alg, unsigned pcr)
{
	TPML_PCR_SELECTION selection = select_pcr(alg, pcr);
	struct PCR_Read_out out = read_pcrs(r, &selection);

	assert_int_equal(out.pcrValues.count, 1);
	return out.pcrValues.digests[0];
}

static uint32_t counter(struct rig *r)
{
	TPML_PCR_SELECTION none = {0};

	return read_pcrs(r, &none).pcrUpdateCounter;
}

static void is_filled(struct rig *r, unsigned pcr, uint8_t byte, uint8_t last)
{
	TPM2B_DIGEST value = value_of(r, TPM_ALG_SHA256, pcr);

	assert_int_equal(value.size, 32);
	for (unsigned i = 0; i < 31; i++)
		assert_int_equal(value.buffer[i], byte);
	assert_int_equal(value.buffer[31], last);
}

/* H(old || digest) */
static TPM2B_DIGEST extended(TPM_ALG_ID alg, const uint8_t *old, const uint8_t *digest)
{
	size_t size = cvtpm_hash_size((enum cvtpm_hash_alg)alg);
	uint8_t both[2 * 64];

	memcpy(both, old, size);
	memcpy(both + size, digest, size);
	return digest_of(alg, both, 2 * size);
}

static tpm_rc allocate(struct rig *r, const TPML_PCR_SELECTION *wanted,
		       struct PCR_Allocate_out *out)
{
	struct PCR_Allocate_in in = {.authHandle = TPM_RH_PLATFORM, .pcrAllocation = *wanted};

	return RIG_RUN(r, PCR_Allocate, &in, out);
}

static void shut_down(struct rig *r, TPM_SU type)
{
	struct Shutdown_in in = {.shutdownType = type};

	OK(RIG_RUN(r, Shutdown, &in, NULL));
	OK(r->engine->power_on(r->tpm));
}

/* ---- attributes ---- */

/* Localities that may extend and reset each register, as the profile's table has them; what a
 * D-RTM resets, TPM2_PCR_Reset from locality 4 does not. */
static const struct {
	uint8_t extend, reset;
} table[PCRS] = {
	{0x1F, 0},  {0x1F, 0}, {0x1F, 0}, {0x1F, 0}, {0x1F, 0}, {0x1F, 0}, {0x1F, 0}, {0x1F, 0},
	{0x1F, 0},  {0x1F, 0}, {0x1F, 0}, {0x1F, 0}, {0x1F, 0}, {0x1F, 0}, {0x1F, 0}, {0x1F, 0},
	{0x1F, 15}, {0x1C, 0}, {0x1C, 0}, {0x0C, 0}, {0x0E, 4}, {0x04, 4}, {0x04, 4}, {0x1F, 15},
};

static void PCR_localities_are_those_of_the_profile(void **state)
{
	struct rig *r = *state;

	for (unsigned pcr = 0; pcr < PCRS; pcr++)
		for (r->locality = 0; r->locality <= 4; r->locality++) {
			RC(extend(r, pcr, TPM_ALG_SHA256, 1),
			   table[pcr].extend >> r->locality & 1 ? 0u : TPM_RC_LOCALITY);
			RC(reset(r, pcr),
			   table[pcr].reset >> r->locality & 1 ? 0u : TPM_RC_LOCALITY);
		}
	r->locality = 32;
	RC(extend(r, 16, TPM_ALG_SHA256, 1), on_libtpms(r) ? TPM_RC_SUCCESS : TPM_RC_LOCALITY);
}

static void PCR_handles_end_at_23(void **state)
{
	struct rig *r = *state;

	RC(extend(r, 24, TPM_ALG_SHA256, 1), RC_H(1, TPM_RC_VALUE));
	RC(reset(r, 24), RC_H(1, TPM_RC_VALUE));
	RC(reset(r, TPM_RH_NULL), RC_H(1, TPM_RC_VALUE));
	OK(extend(r, TPM_RH_NULL, TPM_ALG_SHA256, 1));
}

/* ---- 22.2, 22.3 ---- */

static void PCR_Extend_22_2_hashes_each_bank(void **state)
{
	static const TPM_ALG_ID algs[] = {TPM_ALG_SHA256, TPM_ALG_SHA384};
	struct rig *r = *state;

	for (size_t i = 0; i < 2; i++) {
		uint8_t zero[64] = {0}, digest[64];
		TPM2B_DIGEST value;

		memset(digest, 7, sizeof digest);
		OK(extend(r, 3, algs[i], 7));
		value = extended(algs[i], zero, digest);
		assert_memory_equal(value_of(r, algs[i], 3).buffer, value.buffer, value.size);
		OK(extend(r, 3, algs[i], 7));
		value = extended(algs[i], value.buffer, digest);
		assert_memory_equal(value_of(r, algs[i], 3).buffer, value.buffer, value.size);
	}
}

/* A digest of a bank that there is not is not used; of a hash that there is not, refused. */
static void PCR_Extend_22_2_unknown_banks(void **state)
{
	struct rig *r = *state;
	const uint8_t sm3[] = {0x80, 2,    0, 0, 0, 33 + 32, 0, 0, 1, 0x82, 0, 0, 0, 0, 0, 0,   0,
			       9,    0x40, 0, 0, 9, 0,       0, 1, 0, 0,    0, 0, 0, 1, 0, 0x12};
	uint8_t bytes[33 + 32] = {0};
	uint32_t before;

	memcpy(bytes, sm3, sizeof sm3);
	RC(rig_raw(r, bytes, sizeof bytes), RC_P(1, TPM_RC_HASH));
	if (on_libtpms(r))
		return; /* has all banks */
	before = counter(r);
	OK(extend(r, 0, TPM_ALG_SHA1, 1));
	OK(extend(r, 0, TPM_ALG_SHA512, 1));
	assert_int_equal(counter(r), before);
}

static void PCR_Event_22_3(void **state)
{
	struct rig *r = *state;
	struct PCR_Event_in in = {.pcrHandle = 5, .eventData = {5, "event"}};
	struct PCR_Event_out out;
	uint8_t zero[64] = {0};

	OK(RIG_RUN(r, PCR_Event, &in, &out));
	assert_int_equal(out.digests.count, 4);
	for (uint32_t i = 0; i < out.digests.count; i++) {
		const TPMT_HA *ha = &out.digests.digests[i];
		TPM2B_DIGEST d = digest_of(ha->hashAlg, "event", 5), value;

		assert_memory_equal(&ha->digest, d.buffer, d.size);
		if (ha->hashAlg != TPM_ALG_SHA256 && ha->hashAlg != TPM_ALG_SHA384)
			continue;
		value = extended(ha->hashAlg, zero, d.buffer);
		assert_memory_equal(value_of(r, ha->hashAlg, 5).buffer, value.buffer, value.size);
	}
	in.pcrHandle = TPM_RH_NULL;
	in.eventData.size = 0;
	OK(RIG_RUN(r, PCR_Event, &in, &out));
	assert_int_equal(out.digests.count, 4);
	in.pcrHandle = 17;
	RC(RIG_RUN(r, PCR_Event, &in, &out), TPM_RC_LOCALITY);
}

/* ---- 22.4 ---- */

static void PCR_Read_22_4_gives_eight_at_a_time(void **state)
{
	struct rig *r = *state;
	TPML_PCR_SELECTION s = {
		2, {{TPM_ALG_SHA256, {3, {0xF1, 0x02, 0}}}, {TPM_ALG_SHA384, {3, {0xFF, 0, 0}}}}};
	struct PCR_Read_out out = read_pcrs(r, &s);

	assert_int_equal(out.pcrValues.count, 8); /* six and two */
	assert_memory_equal(out.pcrSelectionOut.pcrSelections[0].pcrSelect.bytes, "\xF1\x02", 3);
	assert_memory_equal(out.pcrSelectionOut.pcrSelections[1].pcrSelect.bytes, "\x03\0", 3);
	assert_int_equal(out.pcrValues.digests[5].size, 32);
	assert_int_equal(out.pcrValues.digests[6].size, 48);
	for (unsigned i = 0; i < 3; i++)
		s.pcrSelections[0].pcrSelect.bytes[i] = 0xFF;
	out = read_pcrs(r, &s);
	assert_int_equal(out.pcrValues.count, 8);
	assert_memory_equal(out.pcrSelectionOut.pcrSelections[0].pcrSelect.bytes, "\xFF\0", 3);
	assert_memory_equal(out.pcrSelectionOut.pcrSelections[1].pcrSelect.bytes, "\0\0", 3);
}

static void PCR_Read_22_4_leaves_out_what_is_not_there(void **state)
{
	struct rig *r = *state;
	TPML_PCR_SELECTION s = select_pcr(TPM_ALG_SHA1, 0);
	struct PCR_Read_out out;

	NATIVE_ONLY(r); /* libtpms has all banks */
	out = read_pcrs(r, &s);
	assert_int_equal(out.pcrValues.count, 0);
	assert_int_equal(out.pcrSelectionOut.count, 1);
	assert_int_equal(out.pcrSelectionOut.pcrSelections[0].pcrSelect.bytes[0], 0);
}

/* 22.1: each bank that changes counts; a reset counts once; some registers never. */
static void PCR_update_counter_22_1(void **state)
{
	struct rig *r = *state;
	struct PCR_Extend_in in = {
		.pcrHandle = 0,
		.digests = {2, {{.hashAlg = TPM_ALG_SHA256}, {.hashAlg = TPM_ALG_SHA384}}}};
	uint32_t before = counter(r);

	OK(RIG_RUN(r, PCR_Extend, &in, NULL));
	assert_int_equal(counter(r), before + 2);
	NATIVE_ONLY(r); /* libtpms counts 16 and 23, and does not count 20 */
	before = counter(r);
	r->locality = 2;
	for (unsigned pcr = 16; pcr <= 23; pcr++)
		if (pcr == 16 || pcr >= 21) {
			OK(extend(r, pcr, TPM_ALG_SHA256, 1));
			OK(reset(r, pcr));
		}
	assert_int_equal(counter(r), before);
	OK(extend(r, 20, TPM_ALG_SHA256, 1));
	OK(reset(r, 20));
	assert_int_equal(counter(r), before + 2);
}

/* ---- 22.8 ---- */

static void PCR_Reset_22_8(void **state)
{
	struct rig *r = *state;

	OK(extend(r, 16, TPM_ALG_SHA256, 1));
	OK(extend(r, 16, TPM_ALG_SHA384, 1));
	OK(reset(r, 16));
	is_filled(r, 16, 0, 0);
	assert_int_equal(value_of(r, TPM_ALG_SHA384, 16).buffer[0], 0);
	r->locality = 2;
	is_filled(r, 20, 0xFF, 0xFF);
	OK(reset(r, 20));
	is_filled(r, 20, 0, 0);
}

/* ---- 22.6, 22.7 ---- */

/* No register of the profile may have a policy or an authorization value; libtpms lets 20 to
 * 22 have them. */
static void PCR_SetAuth_22_6_and_22_7_of_none(void **state)
{
	struct rig *r = *state;
	struct PCR_SetAuthPolicy_in policy = {
		.authHandle = TPM_RH_PLATFORM, .authPolicy.size = 32, .hashAlg = TPM_ALG_SHA256};
	struct PCR_SetAuthValue_in value = {.auth = rig_auth("secret")};

	for (TPMI_DH_PCR pcr = 0; pcr < PCRS; pcr++) {
		if (on_libtpms(r) && pcr >= 20 && pcr <= 22)
			continue;
		policy.pcrNum = value.pcrHandle = pcr;
		RC(RIG_RUN(r, PCR_SetAuthPolicy, &policy, NULL), RC_P(3, TPM_RC_VALUE));
		RC(RIG_RUN(r, PCR_SetAuthValue, &value, NULL), TPM_RC_VALUE);
	}
	policy.pcrNum = PCRS;
	RC(RIG_RUN(r, PCR_SetAuthPolicy, &policy, NULL), RC_P(3, TPM_RC_VALUE));
	policy.pcrNum = 0;
	policy.authPolicy.size = 20;
	RC(RIG_RUN(r, PCR_SetAuthPolicy, &policy, NULL), RC_P(1, TPM_RC_SIZE));
	policy.hashAlg = TPM_ALG_NULL;
	RC(RIG_RUN(r, PCR_SetAuthPolicy, &policy, NULL), RC_P(1, TPM_RC_SIZE));
	policy.authPolicy.size = 0;
	RC(RIG_RUN(r, PCR_SetAuthPolicy, &policy, NULL), RC_P(3, TPM_RC_VALUE));
}

/* ---- 22.5 ---- */

static void PCR_Allocate_22_5_wants_a_place_for_both_rtms(void **state)
{
	struct rig *r = *state;
	TPML_PCR_SELECTION wanted = {4,
				     {{TPM_ALG_SHA1, {3, {0}}},
				      {TPM_ALG_SHA256, {3, {0xFE, 0xFF, 0xFF}}},
				      {TPM_ALG_SHA384, {3, {0}}},
				      {TPM_ALG_SHA512, {3, {0}}}}};

	RC(allocate(r, &wanted, NULL), TPM_RC_PCR); /* no PCR 0 */
	wanted.pcrSelections[1].pcrSelect.bytes[0] = 0xFF;
	wanted.pcrSelections[1].pcrSelect.bytes[2] = 0xFD;
	RC(allocate(r, &wanted, NULL), TPM_RC_PCR); /* no PCR 17 */
	wanted.pcrSelections[3].pcrSelect.bytes[2] = 2;
	OK(allocate(r, &wanted, NULL));
}

static void PCR_Allocate_22_5_holds_from_the_next_reset(void **state)
{
	struct rig *r = *state;
	TPML_PCR_SELECTION wanted = {4,
				     {{TPM_ALG_SHA1, {3, {1, 0, 0}}},
				      {TPM_ALG_SHA384, {3, {0}}},
				      {TPM_ALG_SHA512, {3, {0}}},
				      {TPM_ALG_SHA384, {3, {0xFF, 0, 0}}}}};
	TPML_PCR_SELECTION s = {3,
				{{TPM_ALG_SHA1, {3, {3, 0, 0}}},
				 {TPM_ALG_SHA384, {3, {0, 1, 0}}},
				 {TPM_ALG_SHA256, {3, {1, 0, 0}}}}};
	struct PCR_Allocate_out out;
	struct Shutdown_in shutdown = {.shutdownType = TPM_SU_STATE};
	struct PCR_Read_out now;

	OK(allocate(r, &wanted, &out));
	assert_int_equal(out.allocationSuccess, 1);
	assert_int_equal(out.maxPCR, 24);
	assert_int_equal(out.sizeNeeded, 20 + 24 * 32 + 8 * 48);
	assert_int_equal(out.sizeAvailable, 24 * (20 + 32 + 48 + 64));
	assert_int_equal(value_of(r, TPM_ALG_SHA384, 8).size, 48); /* still */
	RC(RIG_RUN(r, Shutdown, &shutdown, NULL), RC_P(1, TPM_RC_TYPE));
	shut_down(r, TPM_SU_CLEAR);
	OK(rig_startup(r, TPM_SU_CLEAR));
	now = read_pcrs(r, &s);
	assert_int_equal(now.pcrValues.count, 2); /* SHA-1 PCR 0 and SHA-256 PCR 0 */
	assert_int_equal(now.pcrValues.digests[0].size, 20);
	assert_int_equal(now.pcrValues.digests[1].size, 32);
	OK(RIG_RUN(r, Shutdown, &shutdown, NULL));
}

/* What is stored last counts, and a bank that it does not name stays as it is in use. */
static void PCR_Allocate_22_5_replaces_an_earlier_one(void **state)
{
	struct rig *r = *state;
	TPML_PCR_SELECTION first = {1, {{TPM_ALG_SHA384, {3, {0}}}}};
	TPML_PCR_SELECTION second = {1, {{TPM_ALG_SHA512, {3, {1, 0, 0}}}}};

	OK(allocate(r, &first, NULL));
	OK(allocate(r, &second, NULL));
	shut_down(r, TPM_SU_CLEAR);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_int_equal(value_of(r, TPM_ALG_SHA384, 0).size, 48);
	assert_int_equal(value_of(r, TPM_ALG_SHA512, 0).size, 64);
}

static void PCR_Allocate_22_5_is_durable_or_undone(void **state)
{
	struct rig *r = *state;
	TPML_PCR_SELECTION wanted = {1, {{TPM_ALG_SHA1, {3, {1, 0, 0}}}}};

	NATIVE_ONLY(r);
	r->fail_commits = 1;
	RC(allocate(r, &wanted, NULL), TPM_RC_NV_UNAVAILABLE);
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	{
		TPML_PCR_SELECTION s = select_pcr(TPM_ALG_SHA1, 0);

		assert_int_equal(read_pcrs(r, &s).pcrValues.count, 0);
	}
	OK(allocate(r, &wanted, NULL));
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_int_equal(value_of(r, TPM_ALG_SHA1, 0).size, 20);
}

/* ---- starts ---- */

static void PCR_initial_values(void **state)
{
	struct rig *r = *state;

	for (unsigned pcr = 0; pcr < PCRS; pcr++) {
		uint8_t byte = pcr >= 17 && pcr <= 22 ? 0xFF : 0;

		is_filled(r, pcr, byte, byte);
	}
	shut_down(r, TPM_SU_CLEAR);
	r->locality = 3;
	OK(rig_startup(r, TPM_SU_CLEAR));
	is_filled(r, 0, 0, 3);
	is_filled(r, 1, 0, 0);
	r->locality = 1;
	OK(r->engine->power_on(r->tpm));
	RC(rig_startup(r, TPM_SU_CLEAR), TPM_RC_LOCALITY);
}

static void PCR_resume_keeps_the_static_registers(void **state)
{
	struct rig *r = *state;
	TPM2B_DIGEST before, after;

	OK(extend(r, 0, TPM_ALG_SHA256, 1));
	OK(extend(r, 15, TPM_ALG_SHA384, 1));
	OK(extend(r, 16, TPM_ALG_SHA256, 1));
	OK(extend(r, 23, TPM_ALG_SHA256, 1));
	before = value_of(r, TPM_ALG_SHA256, 0);
	shut_down(r, TPM_SU_STATE);
	OK(rig_startup(r, TPM_SU_STATE));
	after = value_of(r, TPM_ALG_SHA256, 0);
	assert_memory_equal(before.buffer, after.buffer, 32);
	assert_int_not_equal(value_of(r, TPM_ALG_SHA384, 15).buffer[0], 0);
	is_filled(r, 16, 0, 0);
	is_filled(r, 17, 0xFF, 0xFF);
	is_filled(r, 23, 0, 0);
	shut_down(r, TPM_SU_STATE); /* a restart begins anew */
	OK(rig_startup(r, TPM_SU_CLEAR));
	is_filled(r, 0, 0, 0);
}

/* A TPM2_Shutdown that could not be stored is none: older values must not come back by it. */
static void PCR_resume_needs_a_shutdown_that_succeeded(void **state)
{
	struct rig *r = *state;
	struct Shutdown_in in = {.shutdownType = TPM_SU_STATE};
	struct GetRandom_in random = {.bytesRequested = 8};

	NATIVE_ONLY(r);
	shut_down(r, TPM_SU_STATE);
	OK(rig_startup(r, TPM_SU_STATE));
	OK(extend(r, 0, TPM_ALG_SHA256, 1));
	r->fail_commits = 1;
	RC(RIG_RUN(r, Shutdown, &in, NULL), TPM_RC_NV_UNAVAILABLE);
	OK(RIG_RUN(r, GetRandom, &random, NULL));
	OK(r->engine->power_on(r->tpm));
	RC(rig_startup(r, TPM_SU_STATE), RC_P(1, TPM_RC_VALUE));
	OK(rig_startup(r, TPM_SU_CLEAR));
	OK(RIG_RUN(r, Shutdown, &in, NULL));
	r->fail_commits = 1; /* and one that is stale cannot be made new by another */
	RC(RIG_RUN(r, Shutdown, &in, NULL), TPM_RC_NV_UNAVAILABLE);
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_STATE));
}

static void PCR_resume_needs_the_same_start(void **state)
{
	struct rig *r = *state;

	shut_down(r, TPM_SU_STATE);
	r->locality = 3;
	RC(rig_startup(r, TPM_SU_STATE), TPM_RC_LOCALITY);
	r->locality = 0;
	OK(rig_startup(r, TPM_SU_STATE));
}

/* ---- 22.9 to 22.11, _TPM_Hash_Start, _TPM_Hash_Data, _TPM_Hash_End ---- */

static void measure(struct rig *r, const char *text)
{
	OK(r->engine->hash_start(r->tpm));
	OK(r->engine->hash_data(r->tpm, (const uint8_t *)text, 3));
	OK(r->engine->hash_data(r->tpm, (const uint8_t *)text + 3, strlen(text) - 3));
	OK(r->engine->hash_end(r->tpm));
}

static void Hash_22_11_hcrtm_goes_into_pcr_0(void **state)
{
	struct rig *r = *state;
	uint8_t start[48] = {0};
	TPM2B_DIGEST digest, expected;

	OK(r->engine->power_on(r->tpm));
	measure(r, "firmware");
	assert_true(r->engine->established(r->tpm));
	OK(rig_startup(r, TPM_SU_CLEAR));
	start[31] = 4;
	digest = digest_of(TPM_ALG_SHA256, "firmware", 8);
	expected = extended(TPM_ALG_SHA256, start, digest.buffer);
	assert_memory_equal(value_of(r, TPM_ALG_SHA256, 0).buffer, expected.buffer, 32);
	start[31] = 0;
	start[47] = 4;
	digest = digest_of(TPM_ALG_SHA384, "firmware", 8);
	expected = extended(TPM_ALG_SHA384, start, digest.buffer);
	assert_memory_equal(value_of(r, TPM_ALG_SHA384, 0).buffer, expected.buffer, 48);
}

static void Hash_22_11_hcrtm_survives_a_restart(void **state)
{
	struct rig *r = *state;
	uint8_t start[32] = {0};
	TPM2B_DIGEST digest = digest_of(TPM_ALG_SHA256, "firmware", 8), expected;
	/* the run before began in another way; libtpms finds another word for it */
	const tpm_rc wrong = on_libtpms(r) ? RC_P(1, TPM_RC_VALUE) : TPM_RC_LOCALITY;

	start[31] = 4;
	expected = extended(TPM_ALG_SHA256, start, digest.buffer);
	shut_down(r, TPM_SU_STATE);
	measure(r, "firmware");
	RC(rig_startup(r, TPM_SU_STATE), wrong);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_memory_equal(value_of(r, TPM_ALG_SHA256, 0).buffer, expected.buffer, 32);
	shut_down(r, TPM_SU_STATE);
	RC(rig_startup(r, TPM_SU_STATE), wrong);
}

/* One that is not complete before TPM2_Startup has no effect. */
static void Hash_22_11_unfinished(void **state)
{
	struct rig *r = *state;

	OK(r->engine->power_on(r->tpm));
	OK(r->engine->hash_start(r->tpm));
	OK(r->engine->hash_data(r->tpm, (const uint8_t *)"x", 1));
	OK(rig_startup(r, TPM_SU_CLEAR));
	NATIVE_ONLY(r);
	is_filled(r, 0, 0, 0);
	RC(r->engine->hash_end(r->tpm), CVTPM_ERR_STATE);
	RC(r->engine->hash_data(r->tpm, (const uint8_t *)"x", 1), CVTPM_ERR_STATE);
}

static void Hash_22_11_drtm(void **state)
{
	struct rig *r = *state;
	uint8_t zero[32] = {0};
	TPM2B_DIGEST digest = digest_of(TPM_ALG_SHA256, "launch", 6), expected;
	struct ReadClock_out clock;
	uint32_t restarts, before;

	OK(extend(r, 0, TPM_ALG_SHA256, 1));
	expected = value_of(r, TPM_ALG_SHA256, 0);
	OK(RIG_RUN(r, ReadClock, NULL, &clock));
	restarts = clock.currentTime.clockInfo.restartCount;
	before = counter(r);
	measure(r, "launch");
	assert_memory_equal(value_of(r, TPM_ALG_SHA256, 0).buffer, expected.buffer, 32);
	for (unsigned pcr = 18; pcr <= 22; pcr++)
		is_filled(r, pcr, 0, 0);
	expected = extended(TPM_ALG_SHA256, zero, digest.buffer);
	assert_memory_equal(value_of(r, TPM_ALG_SHA256, 17).buffer, expected.buffer, 32);
	assert_true(counter(r) > before);
	OK(RIG_RUN(r, ReadClock, NULL, &clock));
	if (!on_libtpms(r))
		assert_int_equal(clock.currentTime.clockInfo.restartCount, restarts + 1);
	assert_true(r->engine->established(r->tpm));
	assert_int_equal(r->engine->reset_established(r->tpm, 0), CVTPM_ERR_POLICY);
	OK(r->engine->reset_established(r->tpm, 3));
	assert_false(r->engine->established(r->tpm));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(PCR_localities_are_those_of_the_profile),
		OBJECT_TEST(PCR_handles_end_at_23),
		OBJECT_TEST(PCR_Extend_22_2_hashes_each_bank),
		OBJECT_TEST(PCR_Extend_22_2_unknown_banks),
		OBJECT_TEST(PCR_Event_22_3),
		OBJECT_TEST(PCR_Read_22_4_gives_eight_at_a_time),
		OBJECT_TEST(PCR_Read_22_4_leaves_out_what_is_not_there),
		OBJECT_TEST(PCR_update_counter_22_1),
		OBJECT_TEST(PCR_Reset_22_8),
		OBJECT_TEST(PCR_SetAuth_22_6_and_22_7_of_none),
		OBJECT_TEST(PCR_Allocate_22_5_wants_a_place_for_both_rtms),
		OBJECT_TEST(PCR_Allocate_22_5_holds_from_the_next_reset),
		OBJECT_TEST(PCR_Allocate_22_5_replaces_an_earlier_one),
		OBJECT_TEST(PCR_Allocate_22_5_is_durable_or_undone),
		OBJECT_TEST(PCR_initial_values),
		OBJECT_TEST(PCR_resume_keeps_the_static_registers),
		OBJECT_TEST(PCR_resume_needs_a_shutdown_that_succeeded),
		OBJECT_TEST(PCR_resume_needs_the_same_start),
		OBJECT_TEST(Hash_22_11_hcrtm_goes_into_pcr_0),
		OBJECT_TEST(Hash_22_11_hcrtm_survives_a_restart),
		OBJECT_TEST(Hash_22_11_unfinished),
		OBJECT_TEST(Hash_22_11_drtm),
	};

	return cmocka_run_group_tests_name("tpm 22 PCR", tests, NULL, NULL);
}
