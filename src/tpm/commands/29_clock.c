/* Part 3, 29: clocks and timers. */
#include "tpm/tpm.h"

#define CLOCK_MAX 0xFFFF000000000000u

/* 29.1: Time and Clock. */
COMMAND_BODY(ReadClock)
{
	out->currentTime.time = clock_time(t);
	clock_info(t, &out->currentTime.clockInfo);
	return TPM_RC_SUCCESS;
}

/* 29.2: advances Clock. */
COMMAND_BODY(ClockSet)
{
	if (in->newTime > CLOCK_MAX || in->newTime < clock_clock(t))
		return RC_P(1, TPM_RC_VALUE);
	clock_set(t, in->newTime);
	return TPM_RC_SUCCESS;
}

/* 29.3: advances Time and Clock faster or slower from now on. */
COMMAND_BODY(ClockRateAdjust)
{
	return clock_adjust(t, in->rateAdjust) ? TPM_RC_SUCCESS : RC_P(1, TPM_RC_VALUE);
}
