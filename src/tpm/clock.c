/*
 * Time and Clock (Part 1, 36; Part 3, 29).
 *
 * Time counts from _TPM_Init; Clock from the making of the TPM, while it has power.
 * Both are advanced at the beginning of each command from the platform's clock, at a
 * rate that TPM2_ClockRateAdjust changes. The store's Clock is at most CLOCK_UPDATE_MS
 * old, so after an unorderly end Clock may have to go back; then it is not safe until
 * it has passed the next multiple of CLOCK_UPDATE_MS, which no value before it had.
 */
#include "tpm/tpm.h"

#define MILLION   1000000
#define TOLERANCE 150000 /* parts per million: 15 percent (Part 3, 29.3) */

uint64_t clock_time(struct tpm *t)
{
	return t->time;
}

uint64_t clock_clock(struct tpm *t)
{
	return t->run.clock;
}

static uint64_t platform_ms(const struct tpm *t)
{
	return t->platform->clock_ms(t->platform->context);
}

void clock_init(struct tpm *t)
{
	t->clock_base_ms = platform_ms(t);
	t->time = 0;
	t->clock_rate = 0;
	t->clock_rest = 0;
}

/* Milliseconds of the TPM since the last time that this was asked. */
static uint64_t elapsed(struct tpm *t)
{
	uint64_t now = platform_ms(t);
	uint64_t real = now - t->clock_base_ms;
	uint64_t parts = (uint64_t)(MILLION + t->clock_rate);
	uint64_t rest = real % MILLION * parts + (uint64_t)t->clock_rest;

	t->clock_base_ms = now;
	t->clock_rest = (int32_t)(rest % MILLION);
	return real / MILLION * parts + rest / MILLION;
}

void clock_tick(struct tpm *t)
{
	uint64_t before = t->run.clock, passed = elapsed(t);

	t->time += passed;
	t->run.clock += passed;
	if (before / CLOCK_UPDATE_MS == t->run.clock / CLOCK_UPDATE_MS)
		return;
	t->run.clockSafe = 1;
	t->dirty_monotone |= RECORD_RUN;
}

void clock_info(struct tpm *t, TPMS_CLOCK_INFO *info)
{
	*info = (TPMS_CLOCK_INFO){
		.clock = t->run.clock,
		.resetCount = t->run.resetCount,
		.restartCount = t->run.restartCount,
		.safe = t->run.clockSafe,
	};
}

void clock_startup(struct tpm *t, enum startup_kind kind, bool orderly)
{
	t->was_orderly = orderly;
	t->run.clockSafe = t->run.clockSafe && orderly;
	if (kind == STARTUP_RESET) {
		t->run.totalResetCount++;
		t->run.resetCount++;
		t->run.restartCount = 0;
	} else {
		t->run.restartCount++;
	}
	t->dirty_monotone |= RECORD_RUN;
}

void clock_shutdown(struct tpm *t)
{
	t->dirty_monotone |= RECORD_RUN;
}

/* A command's change of Clock, undone with it. */
void clock_set(struct tpm *t, uint64_t clock)
{
	if (clock / CLOCK_UPDATE_MS != t->run.clock / CLOCK_UPDATE_MS)
		SET(t, t->run.clockSafe, 1);
	SET(t, t->run.clock, clock);
	DIRTY(t, RECORD_RUN);
}

bool clock_adjust(struct tpm *t, TPM_CLOCK_ADJUST adjust)
{
	/* Part 2, 6.11: coarse, medium, fine slower; no change; fine, medium, coarse faster */
	static const int32_t steps[] = {-10000, -1000, -33, 0, 33, 1000, 10000};
	int32_t rate = t->clock_rate + steps[(uint8_t)(adjust + 3)];

	if (rate < -TOLERANCE || rate > TOLERANCE)
		return false;
	SET(t, t->clock_rate, rate);
	return true;
}
