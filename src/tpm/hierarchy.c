/* The hierarchies: owner (storage), endorsement, platform, lockout, null (Part 1, 13 and 14). */
#include "tpm/tpm.h"

enum hierarchy_index hierarchy_index(TPM_HANDLE handle)
{
	switch (handle) {
	case TPM_RH_OWNER:
		return H_OWNER;
	case TPM_RH_ENDORSEMENT:
		return H_ENDORSEMENT;
	case TPM_RH_PLATFORM:
		return H_PLATFORM;
	case TPM_RH_LOCKOUT:
		return H_LOCKOUT;
	default:
		return H_NULL;
	}
}

struct tpm_hierarchy *hierarchy_get(struct tpm *t, TPM_HANDLE handle)
{
	return &t->hierarchy[hierarchy_index(handle)];
}

/* Lockout and null cannot be disabled. */
bool hierarchy_enabled(struct tpm *t, TPM_HANDLE handle)
{
	enum hierarchy_index h = hierarchy_index(handle);

	return h == H_LOCKOUT || h == H_NULL || t->hierarchy[h].enabled;
}

void hierarchy_dirty(struct tpm *t, TPM_HANDLE handle)
{
	DIRTY(t, RECORD_HIERARCHY << hierarchy_index(handle));
}

/* ---- secrets ---- */

static tpm_rc new_secret(struct tpm *t, TPM_HANDLE handle, TPM2B_DIGEST *secret)
{
	CHANGE(t, *secret);
	secret->size = MAX_DIGEST_SIZE;
	hierarchy_dirty(t, handle);
	return tpm_random(t, secret->buffer, secret->size);
}

tpm_rc hierarchy_new_seed(struct tpm *t, TPM_HANDLE handle)
{
	struct tpm_hierarchy *h = hierarchy_get(t, handle);

	SET(t, h->derivation, DERIVATION_VERSION);
	return new_secret(t, handle, &h->seed);
}

tpm_rc hierarchy_new_proof(struct tpm *t, TPM_HANDLE handle)
{
	return new_secret(t, handle, &hierarchy_get(t, handle)->proof);
}

/* ---- authorisation ---- */

void hierarchy_reset_policy(struct tpm *t, TPM_HANDLE handle)
{
	struct tpm_hierarchy *h = hierarchy_get(t, handle);

	SET(t, h->policyAlg, TPM_ALG_NULL);
	SET(t, h->authPolicy.size, 0);
	hierarchy_dirty(t, handle);
}

void hierarchy_reset_auth(struct tpm *t, TPM_HANDLE handle)
{
	struct tpm_hierarchy *h = hierarchy_get(t, handle);

	CHANGE(t, h->authValue);
	cvtpm_wipe(&h->authValue, sizeof h->authValue);
	hierarchy_dirty(t, handle);
}

/* ---- what belongs to one ---- */

void hierarchy_flush_loaded(struct tpm *t, TPM_HANDLE handle)
{
	for (uint32_t n = 0; n < MAX_LOADED_OBJECTS; n++)
		if (t->objects[n].use == SLOT_OBJECT && t->objects[n].object.hierarchy == handle)
			object_flush(t, TRANSIENT_FIRST + n);
}

void hierarchy_flush(struct tpm *t, TPM_HANDLE handle)
{
	hierarchy_flush_loaded(t, handle);
	for (struct nv_entry *e = nv_next(t, PERSISTENT_FIRST); e; e = nv_next(t, e->handle + 1))
		if (e->object.hierarchy == handle)
			object_evict(t, e);
}
