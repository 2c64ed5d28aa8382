/* Part 3, 9: start-up. */
#include "tpm/tpm.h"

/* Which start this is (Part 1, 12.2): a resume or restart needs an orderly
 * TPM2_Shutdown(STATE) before it. */
static tpm_rc startup_kind(struct tpm *t, TPM_SU type, enum startup_kind *kind)
{
	bool saved = t->run.orderly == ORDERLY_STATE && state_is_saved(t);

	if (type == TPM_SU_STATE && !saved)
		return RC_P(1, TPM_RC_VALUE);
	*kind = type == TPM_SU_STATE ? STARTUP_RESUME : saved ? STARTUP_RESTART : STARTUP_RESET;
	return TPM_RC_SUCCESS;
}

/* 9.3: after _TPM_Init, the TPM becomes operational. */
COMMAND_BODY(Startup)
{
	enum startup_kind kind;

	if (t->frame.locality != 0 && t->frame.locality != 3)
		return TPM_RC_LOCALITY;
	TRY(startup_kind(t, in->startupType, &kind));
	return startup(t, kind);
}

/* 9.4: prepares for a loss of power. */
COMMAND_BODY(Shutdown)
{
	if (in->shutdownType == TPM_SU_STATE) {
		if (t->pcr_allocated)
			return RC_P(1, TPM_RC_TYPE);
		TRY(state_save_volatile(t));
		audit_shutdown(t);
	}
	nv_shutdown(t);
	clock_shutdown(t);
	/* Undone if it cannot be stored: what was saved and that it was go together. */
	SET(t, t->run.orderly, in->shutdownType == TPM_SU_STATE ? ORDERLY_STATE : ORDERLY_CLEAR);
	SET(t, t->run.daUsed, 0);
	DIRTY(t, RECORD_RUN);
	return TPM_RC_SUCCESS;
}
