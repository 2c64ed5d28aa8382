/* Part 3, 28: contexts, and which objects stay. */
#include "tpm/tpm.h"

/* 28.2 TPM2_ContextSave: the context of an object, a sequence or a session. A session is
 * then no longer loaded. */
COMMAND_BODY(ContextSave)
{
	return context_save(t, in->saveHandle, &out->context);
}

/* 28.3 TPM2_ContextLoad: and back. */
COMMAND_BODY(ContextLoad)
{
	return rc_p(1, context_load(t, &in->context, &out->handle));
}

/* ---- 28.4 ---- */

/* The active session with the number of the handle: its upper byte does not count. */
static TPM_HANDLE active_session(struct tpm *t, TPM_HANDLE handle)
{
	TPM_HANDLE hmac = HMAC_SESSION_FIRST + HANDLE_INDEX(handle);
	TPM_HANDLE policy = POLICY_SESSION_FIRST + HANDLE_INDEX(handle);

	if (session_get(t, hmac) || session_is_saved(t, hmac))
		return hmac;
	return session_get(t, policy) ? policy : 0;
}

/* 28.4 TPM2_FlushContext: an object, a sequence or a session goes, a saved session too. */
COMMAND_BODY(FlushContext)
{
	TPM_HANDLE session;

	if (HANDLE_TYPE(in->flushHandle) == TPM_HT_TRANSIENT) {
		if (!object_slot_of(t, in->flushHandle))
			return RC_P(1, TPM_RC_HANDLE);
		object_flush(t, in->flushHandle);
		return TPM_RC_SUCCESS;
	}
	session = active_session(t, in->flushHandle);
	if (!session)
		return RC_P(1, TPM_RC_HANDLE);
	session_flush(t, session);
	return TPM_RC_SUCCESS;
}

/* ---- 28.5 ---- */

static tpm_rc make_persistent(struct tpm *t, TPM_HANDLE auth, const struct tpm_object *object,
			      TPM_HANDLE handle)
{
	bool platform = auth == TPM_RH_PLATFORM;
	struct nv_entry *entry;

	if (object->flags & (OBJECT_TEMPORARY | OBJECT_STCLEAR) || !object->sensitive.size)
		return RC_H(2, TPM_RC_ATTRIBUTES);
	if (platform != (object->hierarchy == TPM_RH_PLATFORM))
		return RC_H(2, TPM_RC_HIERARCHY);
	if (platform != (handle >= PLATFORM_PERSISTENT))
		return RC_P(1, TPM_RC_RANGE);
	if (nv_find(t, handle))
		return TPM_RC_NV_DEFINED;
	TRY(nv_add(t, handle, 0, &entry));
	entry->object = *object;
	nv_dirty(t, entry, NV_DIRTY_RECORD);
	return TPM_RC_SUCCESS;
}

static tpm_rc evict(struct tpm *t, TPM_HANDLE auth, TPM_HANDLE object, TPM_HANDLE handle)
{
	if (auth == TPM_RH_OWNER && object >= PLATFORM_PERSISTENT)
		return RC_H(2, TPM_RC_RANGE);
	if (object != handle)
		return RC_H(2, TPM_RC_HANDLE);
	object_evict(t, nv_find(t, handle));
	return TPM_RC_SUCCESS;
}

/* 28.5 TPM2_EvictControl: a persistent copy of a loaded object, or the end of one. */
COMMAND_BODY(EvictControl)
{
	const struct tpm_object *object = object_get(t, in->objectHandle);

	if (HANDLE_TYPE(in->objectHandle) == TPM_HT_PERSISTENT)
		return evict(t, in->auth, in->objectHandle, in->persistentHandle);
	if (!object) /* a sequence */
		return RC_H(2, TPM_RC_ATTRIBUTES);
	return make_persistent(t, in->auth, object, in->persistentHandle);
}
