/* Part 3, 24: hierarchies, their primary objects, seeds and authorisation. */
#include "tpm/tpm.h"

/* 24.1 TPM2_CreatePrimary: the object that the primary seed has for this template. */
COMMAND_BODY(CreatePrimary)
{
	TPMS_SENSITIVE_CREATE *given = &in->inSensitive.sensitive;
	struct tpm_object *object;
	TPMT_PUBLIC *public;
	struct tpm_slot *slot;

	TRY(object_slot(t, SLOT_OBJECT, &slot, &out->handle));
	object = &slot->object;
	public = &object->publicArea;
	*public = in->inPublic.publicArea;
	TRY(rc_p(2, template_check_creation(NULL, public, given->data.size)));
	TRY(rc_p(1, object_adjust_auth(&given->userAuth, public->nameAlg)));
	TRY(create_primary(t, in->primaryHandle, public, given, &object->sensitive));
	TRY(object_compute_name(t, public, &object->name));
	TRY(object_complete(t, object, in->primaryHandle));
	TRY(create_data(t, in->primaryHandle, public->nameAlg, &in->creationPCR, &in->outsideInfo,
			&out->creationData.creationData, &out->creationHash));
	out->outPublic.publicArea = *public;
	out->name = object->name;
	return ticket_creation(t, in->primaryHandle, &out->name, &out->creationHash,
			       &out->creationTicket);
}

/* ---- 24.2 ---- */

/* Platform authorisation may switch all of them; that of owner or endorsement may switch
 * its own off, and not on again. */
static bool may_switch(TPM_HANDLE auth, TPM_HANDLE enable, bool on)
{
	if (auth == TPM_RH_PLATFORM)
		return true;
	return auth == enable && !on;
}

static void set_enabled(struct tpm *t, TPM_HANDLE enable, bool on)
{
	struct tpm_hierarchy *h = hierarchy_get(t, enable);

	SET(t, h->enabled, on);
	hierarchy_dirty(t, enable); /* a resume, too, finds it so */
	if (!on)
		hierarchy_flush_loaded(t, enable);
}

/* 24.2 TPM2_HierarchyControl: switches a hierarchy, or the platform's NV indices, on or off
 * until the next TPM2_Startup(CLEAR). */
COMMAND_BODY(HierarchyControl)
{
	bool on = in->state;

	/* one that is on already may be asked for again by its own authorisation */
	if (!may_switch(in->authHandle, in->enable, on && !hierarchy_enabled(t, in->enable)))
		return TPM_RC_AUTH_TYPE;
	if (in->enable == TPM_RH_PLATFORM_NV) {
		SET(t, t->settings.phEnableNV, on);
		DIRTY(t, RECORD_SETTINGS);
	} else if (hierarchy_enabled(t, in->enable) != on) {
		set_enabled(t, in->enable, on);
	}
	return TPM_RC_SUCCESS;
}

/* 24.3 TPM2_SetPrimaryPolicy: the policy of a hierarchy or of lockout. */
COMMAND_BODY(SetPrimaryPolicy)
{
	struct tpm_hierarchy *h = hierarchy_get(t, in->authHandle);

	if (in->authPolicy.size != hash_size(in->hashAlg))
		return RC_P(1, TPM_RC_SIZE);
	SET(t, h->policyAlg, in->hashAlg);
	SET(t, h->authPolicy, in->authPolicy);
	hierarchy_dirty(t, in->authHandle);
	return TPM_RC_SUCCESS;
}

/* 24.4 TPM2_ChangePPS: a new platform hierarchy. Its NV indices stay. */
COMMAND_BODY(ChangePPS)
{
	TRY(hierarchy_new_seed(t, TPM_RH_PLATFORM));
	TRY(hierarchy_new_proof(t, TPM_RH_PLATFORM));
	hierarchy_reset_policy(t, TPM_RH_PLATFORM);
	hierarchy_flush(t, TPM_RH_PLATFORM);
	return TPM_RC_SUCCESS;
}

/* 24.5 TPM2_ChangeEPS: a new endorsement hierarchy, with new EKs. */
COMMAND_BODY(ChangeEPS)
{
	TRY(hierarchy_new_seed(t, TPM_RH_ENDORSEMENT));
	TRY(hierarchy_new_proof(t, TPM_RH_ENDORSEMENT));
	hierarchy_reset_auth(t, TPM_RH_ENDORSEMENT);
	hierarchy_reset_policy(t, TPM_RH_ENDORSEMENT);
	SET(t, t->hierarchy[H_ENDORSEMENT].enabled, true);
	hierarchy_flush(t, TPM_RH_ENDORSEMENT);
	return TPM_RC_SUCCESS;
}

/* ---- 24.6 ---- */

static void remove_owner_indices(struct tpm *t)
{
	for (struct nv_entry *e = nv_next(t, NV_INDEX_FIRST); e; e = nv_next(t, e->handle + 1))
		if (!(e->nv.publicArea.attributes & TPMA_NV_PLATFORMCREATE))
			nv_remove(t, e);
}

/* Dictionary attack protection and the clock as of a new TPM. They are monotone for
 * every other command; here they are undone if the command fails. */
static void forget_history(struct tpm *t)
{
	CHANGE(t, t->lockout);
	lockout_defaults(&t->lockout);
	CHANGE(t, t->run);
	t->run.clock = 0;
	t->run.clockSafe = 1;
	t->run.resetCount = 0;
	t->run.restartCount = 0;
	DIRTY(t, RECORD_LOCKOUT | RECORD_RUN);
	SET(t, t->pcrs.updateCounter, t->pcrs.updateCounter + 1);
}

/* 24.6 TPM2_Clear: all that an owner has made and set goes. */
COMMAND_BODY(Clear)
{
	static const TPM_HANDLE handles[] = {TPM_RH_OWNER, TPM_RH_ENDORSEMENT, TPM_RH_LOCKOUT};

	if (t->settings.disableClear)
		return TPM_RC_DISABLED;
	for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
		hierarchy_reset_auth(t, handles[i]);
		hierarchy_reset_policy(t, handles[i]);
	}
	TRY(hierarchy_new_seed(t, TPM_RH_OWNER));
	TRY(hierarchy_new_proof(t, TPM_RH_OWNER));
	TRY(hierarchy_new_proof(t, TPM_RH_ENDORSEMENT));
	SET(t, t->hierarchy[H_OWNER].enabled, true);
	SET(t, t->hierarchy[H_ENDORSEMENT].enabled, true);
	hierarchy_flush(t, TPM_RH_OWNER);
	hierarchy_flush(t, TPM_RH_ENDORSEMENT);
	remove_owner_indices(t);
	forget_history(t);
	return TPM_RC_SUCCESS;
}

/* 24.7 TPM2_ClearControl: lockoutAuth may forbid TPM2_Clear, platformAuth may allow it again. */
COMMAND_BODY(ClearControl)
{
	if (in->auth == TPM_RH_LOCKOUT && !in->disable)
		return TPM_RC_AUTH_FAIL;
	SET(t, t->settings.disableClear, in->disable);
	DIRTY(t, RECORD_SETTINGS);
	return TPM_RC_SUCCESS;
}

/* 24.8 TPM2_HierarchyChangeAuth: the authValue of a hierarchy or of lockout. */
COMMAND_BODY(HierarchyChangeAuth)
{
	struct tpm_hierarchy *h = hierarchy_get(t, in->authHandle);

	TRY(rc_p(1, object_adjust_auth(&in->newAuth, CONTEXT_HASH)));
	SET(t, h->authValue, in->newAuth);
	hierarchy_dirty(t, in->authHandle);
	return TPM_RC_SUCCESS;
}
