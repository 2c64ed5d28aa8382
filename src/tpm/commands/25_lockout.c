/* Part 3, 25: dictionary attack functions. */
#include "tpm/tpm.h"

/* 25.2: forgives all failed tries. */
COMMAND_BODY(DictionaryAttackLockReset)
{
	SET(t, t->lockout.failedTries, 0);
	DIRTY(t, RECORD_LOCKOUT);
	return TPM_RC_SUCCESS;
}

/* 25.3: how many tries there are, and when they come back. */
COMMAND_BODY(DictionaryAttackParameters)
{
	SET(t, t->lockout.maxTries, in->newMaxTries);
	SET(t, t->lockout.recoveryTime, in->newRecoveryTime);
	SET(t, t->lockout.lockoutRecovery, in->lockoutRecovery);
	DIRTY(t, RECORD_LOCKOUT);
	return TPM_RC_SUCCESS;
}
