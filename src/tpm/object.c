/*
 * Objects: the slots of the loaded ones, their names, and what kind of parent an
 * object is. A persistent object is used where it lies, in its NV entry.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

/* ---- slots ---- */

struct tpm_slot *object_slot_of(struct tpm *t, TPM_HANDLE handle)
{
	uint32_t n = HANDLE_INDEX(handle);

	if (HANDLE_TYPE(handle) != TPM_HT_TRANSIENT || n >= MAX_LOADED_OBJECTS ||
	    t->objects[n].use == SLOT_FREE)
		return NULL;
	return &t->objects[n];
}

struct tpm_object *object_get(struct tpm *t, TPM_HANDLE handle)
{
	struct tpm_slot *slot = object_slot_of(t, handle);
	struct nv_entry *entry;

	if (slot)
		return slot->use == SLOT_OBJECT ? &slot->object : NULL;
	if (HANDLE_TYPE(handle) != TPM_HT_PERSISTENT)
		return NULL;
	entry = nv_find(t, handle);
	return entry ? &entry->object : NULL;
}

/* What was in a slot goes, and what was remembered of its key. */
static void slot_wipe(struct tpm *t, struct tpm_slot *slot)
{
	if (slot->use == SLOT_OBJECT && slot->object.publicArea.type == TPM_ALG_RSA)
		keys_forget(t, &slot->object.name);
	cvtpm_wipe(slot, sizeof *slot);
}

tpm_rc object_slot(struct tpm *t, enum slot_use use, struct tpm_slot **slot, TPM_HANDLE *handle)
{
	for (uint32_t n = 0; n < MAX_LOADED_OBJECTS; n++) {
		struct tpm_slot *s = &t->objects[n];

		if (s->use != SLOT_FREE)
			continue;
		t->sweep = true;
		s->used = true; /* not undone: what is put into it must be wiped */
		SET(t, s->use, (uint8_t)use);
		*slot = s;
		*handle = TRANSIENT_FIRST + n;
		return TPM_RC_SUCCESS;
	}
	return TPM_RC_OBJECT_MEMORY;
}

void object_flush(struct tpm *t, TPM_HANDLE handle)
{
	struct tpm_slot *slot = object_slot_of(t, handle);

	SET(t, slot->removing, true);
	t->sweep = true;
}

void object_sweep(struct tpm *t)
{
	for (size_t n = 0; n < MAX_LOADED_OBJECTS; n++) {
		struct tpm_slot *slot = &t->objects[n];

		if (slot->removing || (slot->used && slot->use == SLOT_FREE))
			slot_wipe(t, slot);
	}
}

void object_evict(struct tpm *t, struct nv_entry *entry)
{
	keys_forget(t, &entry->object.name); /* if it stays after all, it is worked out again */
	nv_remove(t, entry);
}

void object_wipe_all(struct tpm *t)
{
	keys_forget(t, NULL);
	cvtpm_wipe(t->objects, sizeof t->objects);
}

/* ---- what an object may do ---- */

static bool is_restricted_decrypt(const TPMT_PUBLIC *public)
{
	const uint32_t both = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;

	return (public->objectAttributes & both) == both && public->nameAlg != TPM_ALG_NULL;
}

static bool is_any_parent(const struct tpm_object *object)
{
	return object && object->sensitive.size && !(object->flags & OBJECT_EXTERNAL) &&
	       is_restricted_decrypt(&object->publicArea);
}

bool object_is_parent(const struct tpm_object *object)
{
	return is_any_parent(object) && object->publicArea.type != TPM_ALG_KEYEDHASH;
}

bool object_is_derivation_parent(const struct tpm_object *object)
{
	return is_any_parent(object) && object->publicArea.type == TPM_ALG_KEYEDHASH;
}

bool object_is_asymmetric_storage(const struct tpm_object *object)
{
	return object && is_restricted_decrypt(&object->publicArea) &&
	       (object->publicArea.type == TPM_ALG_RSA || object->publicArea.type == TPM_ALG_ECC);
}

const TPMT_SYM_DEF_OBJECT *object_symmetric(const TPMT_PUBLIC *public)
{
	switch (public->type) {
	case TPM_ALG_KEYEDHASH:
		return NULL;
	case TPM_ALG_SYMCIPHER:
		return &public->parameters.symDetail.sym;
	default:
		return &public->parameters.asymDetail.symmetric;
	}
}

bool symmetric_protects(const TPMT_SYM_DEF_OBJECT *symmetric)
{
	return symmetric->algorithm == TPM_ALG_NULL || symmetric->mode.aes == TPM_ALG_CFB ||
	       symmetric->mode.aes == TPM_ALG_NULL;
}

tpm_rc object_adjust_auth(TPM2B_AUTH *auth, TPM_ALG_ID nameAlg)
{
	auth_trim(auth);
	if (nameAlg != TPM_ALG_NULL && auth->size > hash_size(nameAlg))
		return TPM_RC_SIZE;
	return TPM_RC_SUCCESS;
}

/* ---- names ---- */

static tpm_rc make_name(struct tpm *t, TPM_ALG_ID nameAlg, const struct cvtpm_octets *parts,
			size_t count, TPM2B_NAME *name)
{
	TPM2B_DIGEST digest;

	name->size = 0;
	if (nameAlg == TPM_ALG_NULL)
		return TPM_RC_SUCCESS;
	TRY(tpm_hash(t, nameAlg, parts, count, &digest));
	name->size = (uint16_t)(2 + digest.size);
	name->buffer[0] = (uint8_t)(nameAlg >> 8);
	name->buffer[1] = (uint8_t)nameAlg;
	memcpy(name->buffer + 2, digest.buffer, digest.size);
	return TPM_RC_SUCCESS;
}

tpm_rc object_compute_name(struct tpm *t, const TPMT_PUBLIC *public, TPM2B_NAME *name)
{
	uint8_t bytes[sizeof *public]; /* no structure is longer on the wire */
	struct cvtpm_octets marshalled = {
		bytes, type_marshal(&type_TPMT_PUBLIC, public, bytes, sizeof bytes)};

	return make_name(t, public->nameAlg, &marshalled, 1, name);
}

void object_qualified_name_of(struct tpm *t, TPM_HANDLE parent, TPM2B_NAME *qualified)
{
	const struct tpm_object *object = object_get(t, parent);

	if (object)
		*qualified = object->qualifiedName;
	else
		entity_name(t, parent, qualified);
}

tpm_rc object_compute_qualified_name(struct tpm *t, TPM_HANDLE parent, TPM_ALG_ID nameAlg,
				     const TPM2B_NAME *name, TPM2B_NAME *qualified)
{
	TPM2B_NAME of_parent;

	object_qualified_name_of(t, parent, &of_parent);
	return make_name(t, nameAlg, (struct cvtpm_octets[]){OCTETS(of_parent), OCTETS(*name)}, 2,
			 qualified);
}

tpm_rc object_complete(struct tpm *t, struct tpm_object *object, TPM_HANDLE parent_handle)
{
	const struct tpm_object *parent = object_get(t, parent_handle);

	object->hierarchy = parent ? parent->hierarchy : parent_handle;
	if (object->publicArea.objectAttributes & TPMA_OBJECT_STCLEAR)
		object->flags |= OBJECT_STCLEAR;
	if (parent)
		object->flags |= parent->flags & (OBJECT_STCLEAR | OBJECT_TEMPORARY);
	if (object->flags & OBJECT_EXTERNAL || object->hierarchy == TPM_RH_NULL)
		object->flags |= OBJECT_TEMPORARY;
	else if (!parent)
		object->flags |= OBJECT_PRIMARY;
	if (object->flags & OBJECT_EXTERNAL) {
		object->qualifiedName = object->name;
		return TPM_RC_SUCCESS;
	}
	return object_compute_qualified_name(t, parent_handle, object->publicArea.nameAlg,
					     &object->name, &object->qualifiedName);
}
