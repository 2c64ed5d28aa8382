/* Part 3, 13: objects that move to another parent. */
#include "tpm/tpm.h"

/* The key of an inner wrapper has the size of its algorithm; without one there is none. */
static bool inner_key_fits(const TPMT_SYM_DEF_OBJECT *inner, const TPM2B_DATA *key)
{
	return inner->algorithm == TPM_ALG_NULL ? key->size == 0
						: key->size * 8 == inner->keyBits.aes;
}

/* 13.1 TPM2_Duplicate: the sensitive area of an object for a new parent, or for nobody in
 * particular (TPM_RH_NULL). */
COMMAND_BODY(Duplicate)
{
	const struct tpm_object *object = object_get(t, in->objectHandle);
	const struct tpm_object *parent = object_get(t, in->newParentHandle);
	bool inner = in->symmetricAlg.algorithm != TPM_ALG_NULL;

	/* its policy was fulfilled: it is an object, and has a name */
	if (object->publicArea.objectAttributes & TPMA_OBJECT_FIXEDPARENT)
		return RC_H(1, TPM_RC_ATTRIBUTES);
	if (in->newParentHandle != TPM_RH_NULL && !object_is_asymmetric_storage(parent))
		return RC_H(2, TPM_RC_TYPE);
	if (object->publicArea.objectAttributes & TPMA_OBJECT_ENCRYPTEDDUPLICATION) {
		if (!inner)
			return RC_P(2, TPM_RC_SYMMETRIC);
		if (!parent)
			return RC_H(2, TPM_RC_HIERARCHY);
	}
	if (!symmetric_protects(&in->symmetricAlg))
		return RC_P(2, TPM_RC_MODE);
	if ((!inner || in->encryptionKeyIn.size) &&
	    !inner_key_fits(&in->symmetricAlg, &in->encryptionKeyIn))
		return RC_P(1, TPM_RC_SIZE);
	out->encryptionKeyOut = in->encryptionKeyIn;
	return protect_duplicate(t, parent, &object->name, &in->symmetricAlg,
				 &out->encryptionKeyOut, &object->sensitive.sensitiveArea,
				 &out->duplicate, &out->outSymSeed);
}

/* ---- 13.2, 13.3 ---- */

/* The seed of the outer wrapper, from the private key of the parent that it was made for.
 * Codes without number. */
static tpm_rc outer_seed(struct tpm *t, const struct tpm_object *parent,
			 const TPM2B_ENCRYPTED_SECRET *in, TPM2B_DIGEST *seed)
{
	TRY(secret_recover(t, parent, "DUPLICATE", in, seed));
	return seed->size ? TPM_RC_SUCCESS : TPM_RC_VALUE;
}

/* Opens the outer wrapper of a blob in place. Whatever is wrong with its seed is one code,
 * in the detailed actions of 13.2 alone. */
static tpm_rc unwrap(struct tpm *t, struct Rewrap_in *in, struct cvtpm_octets *plain)
{
	const struct tpm_object *parent = object_get(t, in->oldParent);
	TPM2B_DIGEST *seed = &t->frame.scratch;
	tpm_rc rc;

	if (!object_is_asymmetric_storage(parent))
		return RC_H(1, TPM_RC_TYPE);
	rc = outer_seed(t, parent, &in->inSymSeed, seed);
	if (rc)
		return rc & RC_FMT1 ? RC_P(3, TPM_RC_VALUE) : rc;
	return rc_p(1, protect_outer_open(t, parent, &in->name, seed, &in->inDuplicate, plain));
}

/* 13.2 TPM2_Rewrap: a duplication blob for another new parent. Only its outer wrapper changes:
 * what is in it, an inner wrapper included, stays as it is. */
COMMAND_BODY(Rewrap)
{
	const struct tpm_object *new = object_get(t, in->newParent);
	struct cvtpm_octets plain = OCTETS(in->inDuplicate);

	if ((in->oldParent == TPM_RH_NULL) != (in->inSymSeed.size == 0))
		return RC_H(1, TPM_RC_HANDLE);
	if (in->oldParent != TPM_RH_NULL)
		TRY(unwrap(t, in, &plain));
	if (in->newParent != TPM_RH_NULL && !object_is_asymmetric_storage(new))
		return RC_H(2, TPM_RC_TYPE);
	return rc_p(1, protect_outer_close(t, new, &in->name, plain, &out->outDuplicate,
					   &out->outSymSeed));
}

/* An object that says encryptedDuplication has never been without both wrappers. */
static tpm_rc wrappers_check(const struct Import_in *in)
{
	bool both = in->objectPublic.publicArea.objectAttributes & TPMA_OBJECT_ENCRYPTEDDUPLICATION;

	if (!symmetric_protects(&in->symmetricAlg))
		return RC_P(5, TPM_RC_MODE);
	if (!inner_key_fits(&in->symmetricAlg, &in->encryptionKey))
		return RC_P(1, TPM_RC_SIZE);
	if (both && in->symmetricAlg.algorithm == TPM_ALG_NULL)
		return RC_P(1, TPM_RC_ATTRIBUTES);
	if (both && in->inSymSeed.size == 0)
		return RC_P(4, TPM_RC_ATTRIBUTES);
	return TPM_RC_SUCCESS;
}

/* What a parent that only this TPM has takes in is checked now, and not at each load. */
static tpm_rc import_check(struct tpm *t, const struct tpm_object *parent,
			   const TPMT_PUBLIC *public, TPMT_SENSITIVE *sensitive)
{
	if (!(parent->publicArea.objectAttributes & TPMA_OBJECT_FIXEDTPM))
		return TPM_RC_SUCCESS;
	if (sensitive->seedValue.size > hash_size(public->nameAlg))
		return RC_P(3, TPM_RC_KEY_SIZE);
	TRY(rc_p(2, template_check(NULL, public)));
	return binding_check(t, public, sensitive, 2, 3);
}

/* 13.3 TPM2_Import: a duplicated object, for TPM2_Load under its new parent. */
COMMAND_BODY(Import)
{
	const uint32_t fixed = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT;
	const struct tpm_object *parent = object_get(t, in->parentHandle);
	const TPMT_PUBLIC *public = &in->objectPublic.publicArea;
	TPM2B_SENSITIVE *sensitive = &t->frame.sensitive;
	TPM2B_DIGEST *seed = &t->frame.scratch;
	TPM2B_NAME name;

	if (public->objectAttributes & fixed)
		return RC_P(2, TPM_RC_ATTRIBUTES);
	if (!object_is_parent(parent))
		return RC_H(1, TPM_RC_TYPE);
	TRY(wrappers_check(in));
	if (in->inSymSeed.size) {
		if (!object_is_asymmetric_storage(parent))
			return RC_H(1, TPM_RC_TYPE);
		TRY(rc_p(4, outer_seed(t, parent, &in->inSymSeed, seed)));
	}
	TRY(object_compute_name(t, public, &name));
	TRY(rc_p(3, protect_import(t, parent, &name, &in->symmetricAlg, &in->encryptionKey, seed,
				   &in->duplicate, sensitive)));
	TRY(import_check(t, parent, public, &sensitive->sensitiveArea));
	return protect_wrap(t, parent, &name, &sensitive->sensitiveArea, &out->outPrivate);
}
