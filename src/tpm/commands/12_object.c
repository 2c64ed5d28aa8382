/* Part 3, 12: objects that are loaded, and what is done with them. */
#include "tpm/tpm.h"

/* ---- 12.2 ---- */

/* Under a parent that only this TPM has, the integrity value was made here, around halves
 * that belong together. Another parent's children may have been made by anybody who
 * knows its seed (Part 3, 13.3). */
static tpm_rc load_check(struct tpm *t, const struct tpm_object *parent, const TPMT_PUBLIC *public,
			 TPMT_SENSITIVE *sensitive)
{
	if (sensitive->seedValue.size > hash_size(public->nameAlg))
		return RC_P(1, TPM_RC_KEY_SIZE);
	TRY(rc_p(2, template_check(parent, public)));
	if (parent->publicArea.objectAttributes & TPMA_OBJECT_FIXEDTPM)
		return TPM_RC_SUCCESS;
	return binding_check(t, public, sensitive, 2, 1);
}

/* 12.2 TPM2_Load: an object that was created or imported under a loaded parent. */
COMMAND_BODY(Load)
{
	const struct tpm_object *parent = object_get(t, in->parentHandle);
	struct tpm_object *object;
	struct tpm_slot *slot;

	TRY(object_slot(t, SLOT_OBJECT, &slot, &out->handle));
	object = &slot->object;
	if (in->inPrivate.size == 0)
		return RC_P(1, TPM_RC_SIZE);
	if (!object_is_parent(parent))
		return RC_H(1, TPM_RC_TYPE);
	object->publicArea = in->inPublic.publicArea;
	TRY(object_compute_name(t, &object->publicArea, &object->name));
	TRY(rc_p(1, protect_unwrap(t, parent, &object->name, &in->inPrivate, &object->sensitive)));
	TRY(load_check(t, parent, &object->publicArea, &object->sensitive.sensitiveArea));
	out->name = object->name;
	return object_complete(t, object, in->parentHandle);
}

/* ---- 12.3 ---- */

/* A public area alone may be of any key, ours too; with a sensitive area it obeys the rules
 * for objects, unless it has no name. The reference implementation does not look at the
 * authPolicy of the former; the clause does, and so it comes last. */
static tpm_rc external_check(struct tpm *t, const TPMT_PUBLIC *public, TPM2B_SENSITIVE *sensitive)
{
	TPMT_SENSITIVE *area = sensitive->size ? &sensitive->sensitiveArea : NULL;

	if (area && public->nameAlg != TPM_ALG_NULL) {
		if (area->seedValue.size > hash_size(public->nameAlg))
			return RC_P(1, TPM_RC_KEY_SIZE);
		TRY(rc_p(2, template_check(NULL, public)));
	} else {
		TRY(rc_p(2, template_check_public(public)));
	}
	TRY(binding_check(t, public, area, 2, 1));
	return rc_p(2, template_check_policy(public));
}

/* 12.3 TPM2_LoadExternal: a public area, or both halves, that are nobody's secret. */
COMMAND_BODY(LoadExternal)
{
	const uint32_t ours =
		TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_RESTRICTED;
	struct tpm_object *object;
	struct tpm_slot *slot;

	TRY(object_slot(t, SLOT_OBJECT, &slot, &out->handle));
	object = &slot->object;
	if (!hierarchy_enabled(t, in->hierarchy))
		return RC_P(3, TPM_RC_HIERARCHY);
	if (in->inPrivate.size && in->hierarchy != TPM_RH_NULL)
		return RC_P(3, TPM_RC_HIERARCHY);
	if (in->inPrivate.size && in->inPublic.publicArea.objectAttributes & ours)
		return RC_P(2, TPM_RC_ATTRIBUTES);
	object->publicArea = in->inPublic.publicArea;
	object->sensitive = in->inPrivate;
	object->flags = OBJECT_EXTERNAL;
	TRY(external_check(t, &object->publicArea, &object->sensitive));
	TRY(object_compute_name(t, &object->publicArea, &object->name));
	out->name = object->name;
	return object_complete(t, object, in->hierarchy);
}

/* 12.4 TPM2_ReadPublic: what anybody may know of a loaded object. */
COMMAND_BODY(ReadPublic)
{
	const struct tpm_object *object = object_get(t, in->objectHandle);

	if (!object)
		return TPM_RC_SEQUENCE;
	out->outPublic.publicArea = object->publicArea;
	out->name = object->name;
	out->qualifiedName = object->qualifiedName;
	return TPM_RC_SUCCESS;
}

/* 12.5 TPM2_ActivateCredential: the credential, if it is for the object of activateHandle. */
COMMAND_BODY(ActivateCredential)
{
	const struct tpm_object *key = object_get(t, in->keyHandle);
	TPM2B_DIGEST *seed = &t->frame.scratch;
	TPM2B_NAME name;

	if (!object_is_asymmetric_storage(key))
		return RC_H(2, TPM_RC_TYPE);
	TRY(rc_p(2, secret_recover(t, key, "IDENTITY", &in->secret, seed)));
	entity_name(t, in->activateHandle, &name);
	return rc_p(1, protect_activate(t, key, &name, seed, &in->credentialBlob, &out->certInfo));
}

/* 12.6 TPM2_MakeCredential: a credential that only the holder of a key can activate, and
 * only for an object with that name. */
COMMAND_BODY(MakeCredential)
{
	const struct tpm_object *key = object_get(t, in->handle_);
	TPM2B_DIGEST *seed = &t->frame.scratch;

	if (!object_is_asymmetric_storage(key))
		return RC_H(1, TPM_RC_TYPE);
	if (in->credential.size > hash_size(key->publicArea.nameAlg))
		return RC_P(1, TPM_RC_SIZE);
	TRY(secret_make(t, key, "IDENTITY", seed, &out->secret));
	return protect_credential(t, key, &in->objectName, seed, &in->credential,
				  &out->credentialBlob);
}

/* 12.7 TPM2_Unseal: the data of a sealed data object. */
COMMAND_BODY(Unseal)
{
	const uint32_t key = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_SIGN;
	const struct tpm_object *object = object_get(t, in->itemHandle);

	if (!object || object->publicArea.type != TPM_ALG_KEYEDHASH)
		return RC_H(1, TPM_RC_TYPE);
	if (object->publicArea.objectAttributes & key)
		return RC_H(1, TPM_RC_ATTRIBUTES);
	out->outData = object->sensitive.sensitiveArea.sensitive.bits;
	return TPM_RC_SUCCESS;
}

/* 12.8 TPM2_ObjectChangeAuth: a new private area with another authValue. The loaded object
 * stays as it is. Parent and child are told by the qualified name. */
COMMAND_BODY(ObjectChangeAuth)
{
	const struct tpm_object *object = object_get(t, in->objectHandle);
	const struct tpm_object *parent = object_get(t, in->parentHandle);
	TPMT_SENSITIVE *sensitive = &t->frame.sensitive.sensitiveArea;
	TPM2B_NAME qualified;

	if (!object)
		return RC_H(1, TPM_RC_TYPE);
	TRY(rc_p(1, object_adjust_auth(&in->newAuth, object->publicArea.nameAlg)));
	if (!object_is_parent(parent))
		return RC_H(2, TPM_RC_TYPE);
	TRY(object_compute_qualified_name(t, in->parentHandle, object->publicArea.nameAlg,
					  &object->name, &qualified));
	if (!EQUAL_2B(qualified, object->qualifiedName))
		return RC_H(2, TPM_RC_TYPE);
	*sensitive = object->sensitive.sensitiveArea;
	sensitive->authValue = in->newAuth;
	return protect_wrap(t, parent, &object->name, sensitive, &out->outPrivate);
}
