/* _TPM_Init and TPM2_Startup (Part 1, 12.2): what becomes of each kind of state. */
#include "tpm/tpm.h"

#include "crypto/mem.h"

void tpm_init(struct tpm *t)
{
	t->started = false;
	t->failed = false;
	t->failed_reason = NULL;
	t->exclusive = 0;
	t->tested = 0;
	cvtpm_wipe(t->sessions, sizeof t->sessions);
	object_wipe_all(t);
	undo_forget(t);
	clock_init(t);
	pcr_init(t);
	if (cvtpm_drbg_reseed(&t->drbg))
		tpm_fail(t, "no entropy at start-up");
	else
		tpm_random(t, &t->epoch, sizeof t->epoch);
}

static void open_hierarchy(struct tpm *t, enum hierarchy_index i)
{
	if (t->hierarchy[i].enabled)
		return;
	t->hierarchy[i].enabled = 1;
	t->dirty |= (uint32_t)RECORD_HIERARCHY << i;
}

/* Every TPM2_Startup(CLEAR) opens the hierarchies again, and forgets what the platform's
 * firmware had set (Part 1, 13.4 to 13.7). */
static void open_hierarchies(struct tpm *t)
{
	struct tpm_hierarchy *platform = &t->hierarchy[H_PLATFORM];

	for (enum hierarchy_index i = 0; i < HIERARCHIES; i++)
		open_hierarchy(t, i);
	if (!t->settings.phEnableNV) {
		t->settings.phEnableNV = 1;
		t->dirty |= RECORD_SETTINGS;
	}
	if (platform->authValue.size || platform->authPolicy.size) {
		cvtpm_wipe(&platform->authValue, sizeof platform->authValue);
		cvtpm_wipe(&platform->authPolicy, sizeof platform->authPolicy);
		platform->policyAlg = TPM_ALG_NULL;
		t->dirty |= (uint32_t)RECORD_HIERARCHY << H_PLATFORM;
	}
}

/* A TPM Reset ends everything that was tied to the run before it: saved contexts, what
 * audited commands have done, ephemeral keys, and objects of the null hierarchy. */
static tpm_rc forget_last_run(struct tpm *t)
{
	memset(&t->contexts, 0, sizeof t->contexts);
	t->contexts.sessions.count = MAX_ACTIVE_SESSIONS;
	t->contexts.sessionCounter = MAX_LOADED_SESSIONS;
	audit_clear(t);
	TRY(ephemeral_reset(t));
	TRY(hierarchy_new_seed(t, TPM_RH_NULL));
	return hierarchy_new_proof(t, TPM_RH_NULL);
}

/* Sessions that were loaded are lost with the power; only saved ones live on. */
static void forget_loaded_sessions(struct tpm *t)
{
	for (size_t i = 0; i < MAX_ACTIVE_SESSIONS; i++)
		if (t->contexts.sessions.slot[i] <= MAX_LOADED_SESSIONS)
			t->contexts.sessions.slot[i] = 0;
}

tpm_rc startup(struct tpm *t, enum startup_kind kind)
{
	bool orderly = t->run.orderly != ORDERLY_NONE;

	if (kind == STARTUP_RESET)
		TRY(forget_last_run(t));
	else
		TRY(state_restore_volatile(t));
	forget_loaded_sessions(t);
	open_hierarchy(t, H_PLATFORM); /* phEnable, by any start (Part 1, 13.4) */
	if (kind != STARTUP_RESUME) {
		t->contexts.clearCount++;
		open_hierarchies(t);
	}
	TRY(pcr_startup(t, kind));
	TRY(nv_startup(t, kind, orderly));
	clock_startup(t, kind, orderly);
	lockout_startup(t, orderly);
	t->run.orderly = ORDERLY_NONE;
	t->run.daUsed = 0;
	t->dirty_monotone |= RECORD_RUN | RECORD_LOCKOUT;
	SET(t, t->started, true);
	return TPM_RC_SUCCESS;
}
