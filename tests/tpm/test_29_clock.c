/* Part 3, 29: Time and Clock. */
#include "objects.h"

#define UPDATE_MS (1u << 22) /* TPM_PT_CLOCK_UPDATE */

static TPMS_TIME_INFO now(struct rig *r)
{
	struct ReadClock_out out;

	rig_no_sessions(r);
	OK(RIG_RUN(r, ReadClock, NULL, &out));
	return out.currentTime;
}

static tpm_rc set(struct rig *r, TPM_HANDLE auth, uint64_t clock)
{
	struct ClockSet_in in = {.auth = auth, .newTime = clock};

	return RIG_RUN(r, ClockSet, &in, NULL);
}

static tpm_rc adjust(struct rig *r, uint8_t by)
{
	struct ClockRateAdjust_in in = {.auth = TPM_RH_OWNER, .rateAdjust = by};

	return RIG_RUN(r, ClockRateAdjust, &in, NULL);
}

static void shut_down(struct rig *r, TPM_SU type)
{
	struct Shutdown_in in = {.shutdownType = type};

	OK(RIG_RUN(r, Shutdown, &in, NULL));
}

static void ReadClock_29_1_goes_with_the_platform(void **state)
{
	struct rig *r = *state;
	TPMS_TIME_INFO first = now(r), second;

	NATIVE_ONLY(r); /* libtpms looks at the clock on the wall */
	r->now_ms += 12345;
	second = now(r);
	assert_true(second.time == first.time + 12345);
	assert_true(second.clockInfo.clock == first.clockInfo.clock + 12345);
	rig_reset(r);
	r->now_ms += 10;
	assert_true(now(r).time == 10);
	assert_true(now(r).clockInfo.clock == second.clockInfo.clock + 10);
}

static void ReadClock_29_1_counts_starts(void **state)
{
	struct rig *r = *state;
	TPMS_CLOCK_INFO first = now(r).clockInfo, i;

	assert_int_equal(first.restartCount, 0);
	shut_down(r, TPM_SU_STATE);
	OK(r->engine->power_on(r->tpm));
	OK(rig_startup(r, TPM_SU_STATE));
	i = now(r).clockInfo;
	assert_int_equal(i.resetCount, first.resetCount);
	assert_int_equal(i.restartCount, 1);
	shut_down(r, TPM_SU_STATE);
	rig_reset(r);
	i = now(r).clockInfo;
	assert_int_equal(i.resetCount, first.resetCount);
	assert_int_equal(i.restartCount, 2);
	rig_reset(r);
	i = now(r).clockInfo;
	assert_int_equal(i.resetCount, first.resetCount + 1);
	assert_int_equal(i.restartCount, 0);
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_int_equal(now(r).clockInfo.resetCount, first.resetCount + 2);
}

/* Clock is safe as long as no higher value can have been told. */
static void ReadClock_29_1_safe(void **state)
{
	struct rig *r = *state;
	uint64_t told;

	assert_int_equal(now(r).clockInfo.safe, 1);
	NATIVE_ONLY(r);
	r->now_ms += 1000000;
	told = now(r).clockInfo.clock;
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_int_equal(now(r).clockInfo.safe, 0);
	assert_true(now(r).clockInfo.clock < told);
	r->now_ms += UPDATE_MS;
	assert_int_equal(now(r).clockInfo.safe, 1);
	assert_true(now(r).clockInfo.clock > told);
	told = now(r).clockInfo.clock;
	rig_kill(r); /* the store's clock is never older than the interval */
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_true(told - now(r).clockInfo.clock < UPDATE_MS);
	shut_down(r, TPM_SU_CLEAR);
	told = now(r).clockInfo.clock;
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_true(now(r).clockInfo.clock == told);
	assert_int_equal(now(r).clockInfo.safe, 0); /* what was told before the kill is greater */
	r->now_ms += UPDATE_MS;
	assert_int_equal(now(r).clockInfo.safe, 1);
	shut_down(r, TPM_SU_CLEAR);
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_int_equal(now(r).clockInfo.safe, 1);
}

static void ClockSet_29_2(void **state)
{
	struct rig *r = *state;
	uint64_t clock;

	OK(set(r, TPM_RH_OWNER, 1000000000));
	clock = now(r).clockInfo.clock;
	assert_true(clock >= 1000000000 && clock < 1000000000 + 600000);
	RC(set(r, TPM_RH_OWNER, 1000000000 - 1), RC_P(1, TPM_RC_VALUE));
	OK(set(r, TPM_RH_PLATFORM, 2000000000));
	RC(set(r, TPM_RH_OWNER, 0xFFFF000000000001u), RC_P(1, TPM_RC_VALUE));
	if (!on_libtpms(r)) {
		r->fail_commits = 1;
		RC(set(r, TPM_RH_OWNER, 3000000000u), TPM_RC_NV_UNAVAILABLE);
		assert_true(now(r).clockInfo.clock < 3000000000u);
		rig_kill(r);
		OK(rig_startup(r, TPM_SU_CLEAR));
		assert_true(now(r).clockInfo.clock >= 2000000000);
	}
	OK(set(r, TPM_RH_OWNER, 0xFFFF000000000000u));
	assert_true(now(r).clockInfo.clock >= 0xFFFF000000000000u);
}

static void ClockRateAdjust_29_3(void **state)
{
	struct rig *r = *state;
	uint64_t before, passed;
	unsigned steps = 0;

	OK(adjust(r, 0));
	OK(adjust(r, 1));
	OK(adjust(r, 0xFF));
	RC(adjust(r, 4), RC_P(1, TPM_RC_VALUE));
	RC(adjust(r, 0xFC), RC_P(1, TPM_RC_VALUE));
	NATIVE_ONLY(r);
	OK(adjust(r, 3)); /* coarse, faster: one percent */
	before = now(r).time;
	r->now_ms += 1000000;
	passed = now(r).time - before;
	assert_true(passed == 1010000);
	OK(adjust(r, 0xFD));
	OK(adjust(r, 0xFD));
	before = now(r).clockInfo.clock;
	for (unsigned i = 0; i < 1000; i++) { /* nothing is lost in small steps */
		r->now_ms += 1;
		now(r);
	}
	assert_true(now(r).clockInfo.clock - before == 990);
	while (adjust(r, 3) == TPM_RC_SUCCESS)
		steps++;
	assert_int_equal(steps, 16); /* from -1 to the tolerance of 15 percent */
	rig_reset(r);
	before = now(r).time;
	r->now_ms += 1000;
	assert_true(now(r).time - before == 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(ReadClock_29_1_goes_with_the_platform),
		OBJECT_TEST(ReadClock_29_1_counts_starts),
		OBJECT_TEST(ReadClock_29_1_safe),
		OBJECT_TEST(ClockSet_29_2),
		OBJECT_TEST(ClockRateAdjust_29_3),
	};

	return cmocka_run_group_tests_name("tpm 29 clock", tests, NULL, NULL);
}
