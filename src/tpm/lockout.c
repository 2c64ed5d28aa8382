/*
 * Protection against dictionary attack (Part 1, 19.8; Part 3, 25.1).
 *
 * A failed try must be remembered whatever happens to the power, the store and the
 * command. So before an authorisation is compared, the store must hold that this
 * TPM has been tried (run.daUsed) and every failure before: a TPM that loses its
 * power after the comparison counts the try at its next start, and one whose store
 * does not take the mark compares nothing. lockoutAuth has one try: the store holds
 * that it is closed before it is compared, and it is opened again if it was right.
 *
 * The timers run in Time: they begin again at each _TPM_Init.
 */
#include "tpm/tpm.h"

#define DEFAULT_MAX_TRIES        3
#define DEFAULT_RECOVERY_TIME    1000 /* seconds */
#define DEFAULT_LOCKOUT_RECOVERY 1000 /* seconds */

void lockout_defaults(struct tpm_lockout *lockout)
{
	*lockout = (struct tpm_lockout){
		.maxTries = DEFAULT_MAX_TRIES,
		.recoveryTime = DEFAULT_RECOVERY_TIME,
		.lockoutRecovery = DEFAULT_LOCKOUT_RECOVERY,
		.lockoutAuthEnabled = 1,
	};
}

bool lockout_active(struct tpm *t)
{
	return t->lockout.failedTries >= t->lockout.maxTries;
}

tpm_rc lockout_before(struct tpm *t, bool lockout)
{
	if (lockout)
		return t->lockout.lockoutAuthEnabled ? TPM_RC_SUCCESS : TPM_RC_LOCKOUT;
	if (lockout_active(t))
		return TPM_RC_LOCKOUT;
	if (!t->run.daUsed || t->run.orderly != ORDERLY_NONE) {
		t->run.daUsed = 1;
		t->run.orderly = ORDERLY_NONE;
		t->dirty_monotone |= RECORD_RUN;
	}
	if ((t->store_failed || t->dirty_monotone & (RECORD_RUN | RECORD_LOCKOUT)) &&
	    state_commit(t))
		return TPM_RC_NV_UNAVAILABLE;
	return TPM_RC_SUCCESS;
}

tpm_rc lockout_try(struct tpm *t)
{
	lockout_failed(t, true);
	if (!state_commit(t))
		return TPM_RC_SUCCESS;
	lockout_right(t); /* nothing is compared */
	return TPM_RC_NV_UNAVAILABLE;
}

void lockout_right(struct tpm *t)
{
	t->lockout.lockoutAuthEnabled = 1;
	t->dirty_monotone |= RECORD_LOCKOUT;
}

void lockout_failed(struct tpm *t, bool lockout)
{
	if (lockout) {
		t->lockout.lockoutAuthEnabled = 0;
		t->lockout_heal_ms = clock_time(t);
	} else {
		t->self_heal_ms = clock_time(t);
		if (t->lockout.recoveryTime == 0) /* protection is off */
			return;
		t->lockout.failedTries++;
	}
	t->dirty_monotone |= RECORD_LOCKOUT;
}

/* One try is forgiven for each recoveryTime without a failure. */
static void heal_tries(struct tpm *t)
{
	uint64_t period = (uint64_t)t->lockout.recoveryTime * 1000, periods;

	if (t->lockout.failedTries == 0)
		return;
	if (period == 0) {
		t->lockout.failedTries = 0;
		t->dirty_monotone |= RECORD_LOCKOUT;
		return;
	}
	periods = (clock_time(t) - t->self_heal_ms) / period;
	if (periods == 0)
		return;
	t->self_heal_ms += periods * period;
	t->lockout.failedTries -=
		periods < t->lockout.failedTries ? (uint32_t)periods : t->lockout.failedTries;
	t->dirty_monotone |= RECORD_LOCKOUT;
}

/* lockoutRecovery 0: not before the next start. */
static void heal_lockout_auth(struct tpm *t)
{
	uint64_t period = (uint64_t)t->lockout.lockoutRecovery * 1000;

	if (t->lockout.lockoutAuthEnabled || period == 0 ||
	    clock_time(t) - t->lockout_heal_ms < period)
		return;
	t->lockout.lockoutAuthEnabled = 1;
	t->dirty_monotone |= RECORD_LOCKOUT;
}

void lockout_tick(struct tpm *t)
{
	heal_tries(t);
	heal_lockout_auth(t);
}

void lockout_startup(struct tpm *t, bool orderly)
{
	struct tpm_lockout *l = &t->lockout;

	t->self_heal_ms = t->lockout_heal_ms = 0;
	if (l->lockoutRecovery == 0)
		l->lockoutAuthEnabled = 1;
	if (!orderly && t->run.daUsed && l->recoveryTime != 0 && l->failedTries < l->maxTries)
		l->failedTries++;
	t->run.daUsed = 0;
	t->dirty_monotone |= RECORD_LOCKOUT | RECORD_RUN;
	lockout_tick(t);
}
