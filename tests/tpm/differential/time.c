/*
 * The time that both TPMs see. It stands still but for what the sequence lets pass, so
 * that their clocks show the same, and hours go by in no time.
 *
 * libtpms asks the C library for it, so the program has a clock_gettime() of its own, which
 * the shared library then finds first.
 */
#include "world.h"

#include <time.h>

#define BEGIN_MS 1000 /* when a TPM is made (rig.c) */

static uint64_t now_ms = BEGIN_MS;

void time_begin(void)
{
	now_ms = BEGIN_MS;
}

uint64_t time_now_ms(void)
{
	return now_ms;
}

void time_pass(struct world *w, uint64_t ms)
{
	if (w->rate_changed || w->time_stands)
		return;
	now_ms += ms;
	EACH_SIDE (s)
		w->rig[s]->now_ms = now_ms;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *at)
{
	(void)clock;
	*at = (struct timespec){.tv_sec = (time_t)(now_ms / 1000),
				.tv_nsec = (long)(now_ms % 1000) * 1000000};
	return 0;
}

/* ---- what clocks show ---- */

void clock_is_set(struct world *w, uint64_t clock)
{
	w->clock[NATIVE] = w->clock[OTHER] = clock;
	w->clock_at = now_ms;
}

uint64_t clock_expected(const struct world *w, enum side side)
{
	return w->clock[side] + (now_ms - w->clock_at);
}

bool safe_may_differ(const struct world *w)
{
	return w->clock[NATIVE] != w->clock[OTHER] ||
	       clock_expected(w, NATIVE) / CLOCK_UPDATE == w->started_clock / CLOCK_UPDATE;
}

static bool same_safe(const struct world *w, bool native, bool other)
{
	return native == other ||
	       (safe_may_differ(w) && (other || w->clock[NATIVE] != w->clock[OTHER]));
}

void compare_clock(struct world *w, const char *what, const TPMS_CLOCK_INFO *native,
		   const TPMS_CLOCK_INFO *other)
{
	const TPMS_CLOCK_INFO *info[SIDES] = {native, other};

	EACH_SIDE (s)
		if (info[s]->clock != clock_expected(w, s))
			differ(w, "%s: Clock: side %d shows %llu, should show %llu", what, s,
			       (unsigned long long)info[s]->clock,
			       (unsigned long long)clock_expected(w, s));
	if (!same_safe(w, native->safe, other->safe))
		differ(w, "%s: safe: native %u, libtpms %u", what, native->safe, other->safe);
}

void compare_time(struct world *w, const char *what, const TPMS_TIME_INFO *native,
		  const TPMS_TIME_INFO *other)
{
	const TPMS_CLOCK_INFO *a = &native->clockInfo, *b = &other->clockInfo;

	compare_clock(w, what, a, b);
	if (native->time != other->time || a->resetCount != b->resetCount ||
	    a->restartCount != b->restartCount)
		differ(w, "%s: Time or counts: native %llu %u %u, libtpms %llu %u %u", what,
		       (unsigned long long)native->time, a->resetCount, a->restartCount,
		       (unsigned long long)other->time, b->resetCount, b->restartCount);
}
