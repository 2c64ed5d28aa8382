/* What a handle stands for, whatever its kind: one place for the questions that
 * authorisation asks of it. */
#include "tpm/tpm.h"

#include "crypto/mem.h"

static const TPM2B_AUTH empty_auth;
static const TPM2B_DIGEST empty_policy;

/* ---- is it there? (Part 3, 5.4) ---- */

/* A persistent object is out of reach while the hierarchy that keeps it, or the one
 * that it belongs to, is disabled. */
static bool persistent_reachable(struct tpm *t, const struct nv_entry *entry)
{
	return hierarchy_enabled(t, entry->handle >= PLATFORM_PERSISTENT ? TPM_RH_PLATFORM
									 : TPM_RH_OWNER) &&
	       hierarchy_enabled(t, entry->object.hierarchy);
}

static bool index_reachable(struct tpm *t, const struct nv_entry *entry)
{
	return entry->nv.publicArea.attributes & TPMA_NV_PLATFORMCREATE
		       ? t->settings.phEnableNV != 0
		       : hierarchy_enabled(t, TPM_RH_OWNER);
}

tpm_rc entity_check(struct tpm *t, TPM_HANDLE handle, unsigned n)
{
	struct nv_entry *entry;

	switch (HANDLE_TYPE(handle)) {
	case TPM_HT_PCR:
		return TPM_RC_SUCCESS;
	case TPM_HT_PERMANENT:
		return hierarchy_enabled(t, handle) ? TPM_RC_SUCCESS : RC_H(n, TPM_RC_HIERARCHY);
	case TPM_HT_HMAC_SESSION:
	case TPM_HT_POLICY_SESSION:
		return session_get(t, handle) ? TPM_RC_SUCCESS : TPM_RC_REFERENCE_H0 + n - 1;
	case TPM_HT_TRANSIENT:
		return object_slot_of(t, handle) ? TPM_RC_SUCCESS : TPM_RC_REFERENCE_H0 + n - 1;
	case TPM_HT_PERSISTENT:
		entry = nv_find(t, handle);
		return entry && persistent_reachable(t, entry) ? TPM_RC_SUCCESS
							       : RC_H(n, TPM_RC_HANDLE);
	default: /* TPM_HT_NV_INDEX */
		entry = nv_find(t, handle);
		return entry && index_reachable(t, entry) ? TPM_RC_SUCCESS : RC_H(n, TPM_RC_HANDLE);
	}
}

/* ---- what is it? ---- */

void entity_name(struct tpm *t, TPM_HANDLE handle, TPM2B_NAME *name)
{
	const struct tpm_object *object;

	switch (HANDLE_TYPE(handle)) {
	case TPM_HT_TRANSIENT:
	case TPM_HT_PERSISTENT:
		object = object_get(t, handle);
		name->size = 0; /* of a sequence */
		if (object)
			*name = object->name;
		break;
	case TPM_HT_NV_INDEX:
		nv_name(t, nv_find(t, handle), name);
		break;
	default:
		name->size = sizeof handle;
		for (unsigned i = 0; i < sizeof handle; i++)
			name->buffer[i] = (uint8_t)(handle >> 8 * (3 - i));
	}
}

TPM_HANDLE entity_hierarchy(struct tpm *t, TPM_HANDLE handle)
{
	const struct tpm_object *object;

	switch (HANDLE_TYPE(handle)) {
	case TPM_HT_TRANSIENT:
	case TPM_HT_PERSISTENT:
		object = object_get(t, handle);
		return object ? object->hierarchy : TPM_RH_NULL;
	case TPM_HT_NV_INDEX:
		return nv_find(t, handle)->nv.publicArea.attributes & TPMA_NV_PLATFORMCREATE
			       ? TPM_RH_PLATFORM
			       : TPM_RH_OWNER;
	case TPM_HT_PERMANENT:
		return handle == TPM_RH_LOCKOUT ? TPM_RH_OWNER : handle;
	default: /* a PCR: of no hierarchy, but what it authorises needs a proof */
		return TPM_RH_OWNER;
	}
}

const TPM2B_AUTH *entity_auth(struct tpm *t, TPM_HANDLE handle)
{
	struct tpm_slot *slot;
	const struct tpm_object *object;

	switch (HANDLE_TYPE(handle)) {
	case TPM_HT_PERMANENT:
		return &hierarchy_get(t, handle)->authValue;
	case TPM_HT_NV_INDEX:
		return &nv_find(t, handle)->nv.authValue;
	case TPM_HT_TRANSIENT:
		slot = object_slot_of(t, handle);
		if (slot->use == SLOT_SEQUENCE)
			return &slot->sequence.authValue;
		/* fallthrough */
	case TPM_HT_PERSISTENT:
		object = object_get(t, handle);
		return object->sensitive.size ? &object->sensitive.sensitiveArea.authValue
					      : &empty_auth;
	default: /* PCRs have no authorisation values in this profile */
		return &empty_auth;
	}
}

TPM_ALG_ID entity_policy(struct tpm *t, TPM_HANDLE handle, const TPM2B_DIGEST **policy)
{
	const struct tpm_hierarchy *hierarchy;
	const struct tpm_object *object;
	const struct nv_entry *entry;

	*policy = &empty_policy;
	switch (HANDLE_TYPE(handle)) {
	case TPM_HT_PERMANENT:
		hierarchy = hierarchy_get(t, handle);
		*policy = &hierarchy->authPolicy;
		return hierarchy->policyAlg;
	case TPM_HT_NV_INDEX:
		entry = nv_find(t, handle);
		*policy = &entry->nv.publicArea.authPolicy;
		return entry->nv.publicArea.nameAlg;
	case TPM_HT_TRANSIENT:
	case TPM_HT_PERSISTENT:
		object = object_get(t, handle);
		if (!object)
			return TPM_ALG_NULL;
		*policy = &object->publicArea.authPolicy;
		return object->publicArea.nameAlg;
	default:
		return TPM_ALG_NULL;
	}
}

/* ---- how may it be authorised? (Part 1, 19.2) ---- */

/* Does the running command write the index that authorises it? */
static bool command_writes_index(const struct tpm *t)
{
	switch (t->frame.command->code) {
	case TPM_CC_NV_Write:
	case TPM_CC_NV_Increment:
	case TPM_CC_NV_SetBits:
	case TPM_CC_NV_Extend:
	case TPM_CC_NV_WriteLock:
		return true;
	default:
		return false;
	}
}

static bool index_allows(struct tpm *t, TPM_HANDLE handle, uint32_t read, uint32_t write)
{
	return nv_find(t, handle)->nv.publicArea.attributes &
	       (command_writes_index(t) ? write : read);
}

/* Its public area alone authorises nothing. A sequence has all that it needs. */
bool entity_is_whole(struct tpm *t, TPM_HANDLE handle)
{
	const struct tpm_object *object;

	if (HANDLE_TYPE(handle) != TPM_HT_TRANSIENT && HANDLE_TYPE(handle) != TPM_HT_PERSISTENT)
		return true;
	object = object_get(t, handle);
	return !object || object->sensitive.size;
}

static bool object_allows_auth(const struct tpm_object *object, enum role role)
{
	uint32_t attributes = object->publicArea.objectAttributes;

	return role == USER ? (attributes & TPMA_OBJECT_USERWITHAUTH) != 0
			    : role == ADMIN && !(attributes & TPMA_OBJECT_ADMINWITHPOLICY);
}

bool entity_policy_required(struct tpm *t, TPM_HANDLE handle, enum role role)
{
	const struct tpm_object *object;

	if (role == DUP)
		return true;
	if (role != ADMIN)
		return false;
	if (HANDLE_TYPE(handle) == TPM_HT_NV_INDEX)
		return true;
	object = object_get(t, handle);
	return object && object->publicArea.objectAttributes & TPMA_OBJECT_ADMINWITHPOLICY;
}

bool entity_auth_available(struct tpm *t, TPM_HANDLE handle, enum role role)
{
	const struct tpm_object *object;

	switch (HANDLE_TYPE(handle)) {
	case TPM_HT_NV_INDEX:
		return index_allows(t, handle, TPMA_NV_AUTHREAD, TPMA_NV_AUTHWRITE) ||
		       (t->frame.command->code == TPM_CC_PolicySecret &&
			nv_is_pin(nv_find(t, handle))); /* Part 3, 23.4 */
	case TPM_HT_TRANSIENT:
	case TPM_HT_PERSISTENT:
		object = object_get(t, handle);
		return !object || object_allows_auth(object, role); /* a sequence's always */
	default:
		return true;
	}
}

/* An empty policy opens nothing: it is not available, before anything is compared. */
bool entity_policy_available(struct tpm *t, TPM_HANDLE handle, enum role role)
{
	const TPM2B_DIGEST *policy;
	const struct tpm_object *object;

	entity_policy(t, handle, &policy);
	if (policy->size == 0)
		return false;
	switch (HANDLE_TYPE(handle)) {
	case TPM_HT_NV_INDEX:
		return entity_policy_required(t, handle, role) ||
		       index_allows(t, handle, TPMA_NV_POLICYREAD, TPMA_NV_POLICYWRITE);
	case TPM_HT_TRANSIENT:
	case TPM_HT_PERSISTENT:
		object = object_get(t, handle);
		return object;
	default:
		return true;
	}
}

bool entity_da_exempt(struct tpm *t, TPM_HANDLE handle)
{
	const struct tpm_object *object;

	switch (HANDLE_TYPE(handle)) {
	case TPM_HT_PERMANENT:
		return handle != TPM_RH_LOCKOUT;
	case TPM_HT_NV_INDEX:
		return nv_find(t, handle)->nv.publicArea.attributes & TPMA_NV_NO_DA;
	case TPM_HT_TRANSIENT:
	case TPM_HT_PERSISTENT:
		object = object_get(t, handle);
		return !object || object->publicArea.objectAttributes & TPMA_OBJECT_NODA;
	default:
		return true;
	}
}
