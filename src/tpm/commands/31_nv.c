/* Part 3, 31: non-volatile storage. */
#include "tpm/tpm.h"

#include "crypto/mem.h"

static bool type_is_pin(unsigned type)
{
	return type == TPM_NT_PIN_FAIL || type == TPM_NT_PIN_PASS;
}

/* What attributes an index may begin with. A PIN index is written by others than who knows
 * its PIN, and never locked for good. */
static bool attributes_fit(const TPMS_NV_PUBLIC *public)
{
	const TPMA_NV a = public->attributes;
	const unsigned type = nv_type(public);

	if (type == TPM_NT_COUNTER && a & TPMA_NV_CLEAR_STCLEAR)
		return false;
	if (type == TPM_NT_PIN_FAIL && !(a & TPMA_NV_NO_DA))
		return false;
	if (type_is_pin(type) && a & (TPMA_NV_AUTHWRITE | TPMA_NV_GLOBALLOCK | TPMA_NV_WRITEDEFINE))
		return false;
	if (a & (TPMA_NV_WRITTEN | TPMA_NV_WRITELOCKED | TPMA_NV_READLOCKED))
		return false;
	if (!(a & (TPMA_NV_PPREAD | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_POLICYREAD)))
		return false;
	if (!(a & (TPMA_NV_PPWRITE | TPMA_NV_OWNERWRITE | TPMA_NV_AUTHWRITE | TPMA_NV_POLICYWRITE)))
		return false;
	return !(a & TPMA_NV_CLEAR_STCLEAR) || !(a & TPMA_NV_WRITEDEFINE);
}

/* The rules of 31.3.1; `in` as TPM2_NV_DefineSpace has it, its authValue trimmed. */
static tpm_rc check_definition(struct tpm *t, const struct NV_DefineSpace_in *in)
{
	const TPMS_NV_PUBLIC *public = &in->publicInfo.nvPublic;
	const bool platform = in->authHandle == TPM_RH_PLATFORM;
	const TPMA_NV a = public->attributes;

	if (public->authPolicy.size && public->authPolicy.size != hash_size(public->nameAlg))
		return RC_P(2, TPM_RC_SIZE);
	if (in->auth.size > hash_size(public->nameAlg))
		return RC_P(1, TPM_RC_SIZE);
	if (platform && !t->settings.phEnableNV)
		return RC_H(1, TPM_RC_HIERARCHY);
	if (!nv_type_exists(nv_type(public)))
		return RC_P(2, TPM_RC_ATTRIBUTES);
	if (!nv_size_fits(public))
		return RC_P(2, TPM_RC_SIZE);
	if (!attributes_fit(public))
		return RC_P(2, TPM_RC_ATTRIBUTES);
	if (platform != ((a & TPMA_NV_PLATFORMCREATE) != 0))
		return RC_H(1, TPM_RC_ATTRIBUTES);
	if (a & TPMA_NV_POLICY_DELETE && !platform)
		return RC_P(2, TPM_RC_ATTRIBUTES);
	if (a & TPMA_NV_WRITEALL && public->dataSize > MAX_NV_BUFFER)
		return RC_P(2, TPM_RC_SIZE);
	return TPM_RC_SUCCESS;
}

/* 31.3: makes an index. */
COMMAND_BODY(NV_DefineSpace)
{
	const TPMS_NV_PUBLIC *public = &in->publicInfo.nvPublic;
	struct nv_entry *index;

	auth_trim(&in->auth);
	TRY(check_definition(t, in));
	if (nv_find(t, public->nvIndex))
		return TPM_RC_NV_DEFINED;
	if (public->attributes & TPMA_NV_ORDERLY &&
	    nv_orderly_size(t) + public->dataSize > MAX_ORDERLY_SIZE)
		return TPM_RC_NV_SPACE;
	TRY(nv_add(t, public->nvIndex, public->dataSize, &index));
	index->nv.publicArea = *public;
	index->nv.authValue = in->auth;
	return TPM_RC_SUCCESS;
}

/* 31.4: removes an index, unless its policy alone may. */
COMMAND_BODY(NV_UndefineSpace)
{
	struct nv_entry *index = nv_find(t, in->nvIndex);
	TPMA_NV attributes = index->nv.publicArea.attributes;

	if (attributes & TPMA_NV_POLICY_DELETE)
		return RC_H(2, TPM_RC_ATTRIBUTES);
	if (in->authHandle == TPM_RH_OWNER && attributes & TPMA_NV_PLATFORMCREATE)
		return TPM_RC_NV_AUTHORIZATION;
	nv_remove(t, index);
	return TPM_RC_SUCCESS;
}

/* 31.5: removes an index that its policy alone may remove. */
COMMAND_BODY(NV_UndefineSpaceSpecial)
{
	struct nv_entry *index = nv_find(t, in->nvIndex);

	if (!(index->nv.publicArea.attributes & TPMA_NV_POLICY_DELETE))
		return RC_H(1, TPM_RC_ATTRIBUTES);
	nv_remove(t, index);
	return TPM_RC_SUCCESS;
}

static tpm_rc index_name(struct tpm *t, const struct nv_entry *index, TPM2B_NAME *name)
{
	nv_name(t, index, name);
	return name->size ? TPM_RC_SUCCESS : TPM_RC_FAILURE;
}

/* 31.6: what an index is, and its name. */
COMMAND_BODY(NV_ReadPublic)
{
	const struct nv_entry *index = nv_find(t, in->nvIndex);

	out->nvPublic.nvPublic = index->nv.publicArea;
	return index_name(t, index, &out->nvName);
}

/* 31.7: writes part of an index. */
COMMAND_BODY(NV_Write)
{
	struct nv_entry *index = nv_find(t, in->nvIndex);
	const TPMS_NV_PUBLIC *public = &index->nv.publicArea;

	TRY(nv_check_write(t, in->authHandle, index));
	if (nv_type(public) != TPM_NT_ORDINARY && !nv_is_pin(index))
		return TPM_RC_ATTRIBUTES;
	if (in->offset > public->dataSize)
		return RC_P(2, TPM_RC_VALUE);
	if (in->data.size > public->dataSize - in->offset)
		return TPM_RC_NV_RANGE;
	if (public->attributes & TPMA_NV_WRITEALL && in->data.size < public->dataSize)
		return TPM_RC_NV_RANGE;
	nv_write(t, index, in->offset, in->data.size, in->data.buffer);
	return TPM_RC_SUCCESS;
}

static void write_u64_index(struct tpm *t, struct nv_entry *index, uint64_t value)
{
	uint8_t bytes[8];
	struct writer w = {bytes, sizeof bytes, false};

	write_u64(&w, value);
	nv_write(t, index, 0, sizeof bytes, bytes);
}

/* 31.8: a counter's next value; its first is above that of any counter before. */
COMMAND_BODY(NV_Increment)
{
	struct nv_entry *index = nv_find(t, in->nvIndex);
	uint64_t value;

	TRY(nv_check_write(t, in->authHandle, index));
	if (nv_type(&index->nv.publicArea) != TPM_NT_COUNTER)
		return RC_H(2, TPM_RC_ATTRIBUTES);
	value = index->nv.publicArea.attributes & TPMA_NV_WRITTEN ? nv_u64(index)
								  : nv_counter_start(t);
	write_u64_index(t, index, value + 1);
	return TPM_RC_SUCCESS;
}

/* 31.9: extends an index as a PCR is extended; from zeros, if it was not written yet. */
COMMAND_BODY(NV_Extend)
{
	struct nv_entry *index = nv_find(t, in->nvIndex);
	const TPMS_NV_PUBLIC *public = &index->nv.publicArea;
	TPM2B_DIGEST old = {.size = hash_size(public->nameAlg)}, new;

	TRY(nv_check_write(t, in->authHandle, index));
	if (nv_type(public) != TPM_NT_EXTEND)
		return RC_H(2, TPM_RC_ATTRIBUTES);
	if (public->attributes & TPMA_NV_WRITTEN)
		TRY(nv_read(t, index, 0, old.size, old.buffer));
	TRY(tpm_hash(t, public->nameAlg,
		     (const struct cvtpm_octets[]){OCTETS(old), OCTETS(in->data)}, 2, &new));
	nv_write(t, index, 0, new.size, new.buffer);
	return TPM_RC_SUCCESS;
}

/* 31.10: sets bits of a bit field. */
COMMAND_BODY(NV_SetBits)
{
	struct nv_entry *index = nv_find(t, in->nvIndex);

	TRY(nv_check_write(t, in->authHandle, index));
	if (nv_type(&index->nv.publicArea) != TPM_NT_BITS)
		return RC_H(2, TPM_RC_ATTRIBUTES);
	write_u64_index(t, index, nv_u64(index) | in->bits);
	return TPM_RC_SUCCESS;
}

/* 31.11: no writes any more, until the next start or for good. Again is no error. */
COMMAND_BODY(NV_WriteLock)
{
	struct nv_entry *index = nv_find(t, in->nvIndex);
	TPMA_NV attributes = index->nv.publicArea.attributes;
	tpm_rc rc = nv_check_write(t, in->authHandle, index);

	if (rc)
		return rc == TPM_RC_NV_LOCKED ? TPM_RC_SUCCESS : rc;
	if (!(attributes & (TPMA_NV_WRITEDEFINE | TPMA_NV_WRITE_STCLEAR)))
		return RC_H(2, TPM_RC_ATTRIBUTES);
	nv_set_attributes(t, index, attributes | TPMA_NV_WRITELOCKED);
	return TPM_RC_SUCCESS;
}

/* 31.12: locks every index that says it wants to be locked so. */
COMMAND_BODY(NV_GlobalWriteLock)
{
	struct nv_entry *i;

	for (i = nv_next(t, NV_INDEX_FIRST); i; i = nv_next(t, i->handle + 1))
		if (i->nv.publicArea.attributes & TPMA_NV_GLOBALLOCK)
			nv_set_attributes(t, i, i->nv.publicArea.attributes | TPMA_NV_WRITELOCKED);
	return TPM_RC_SUCCESS;
}

/* 31.13: reads part of an index. */
COMMAND_BODY(NV_Read)
{
	struct nv_entry *index = nv_find(t, in->nvIndex);

	TRY(nv_check_read(t, in->authHandle, index));
	if (in->size > MAX_NV_BUFFER)
		return RC_P(1, TPM_RC_VALUE);
	if (in->offset > index->nv.publicArea.dataSize)
		return RC_P(2, TPM_RC_VALUE);
	out->data.size = in->size;
	return nv_read(t, index, in->offset, in->size, out->data.buffer);
}

/* 31.14: no reads any more until the next start. Again is no error, nor is it if the index
 * was not written yet. */
COMMAND_BODY(NV_ReadLock)
{
	struct nv_entry *index = nv_find(t, in->nvIndex);
	TPMA_NV attributes = index->nv.publicArea.attributes;
	tpm_rc rc = nv_check_read(t, in->authHandle, index);

	if (rc == TPM_RC_NV_LOCKED)
		return TPM_RC_SUCCESS;
	if (rc && rc != TPM_RC_NV_UNINITIALIZED)
		return rc;
	if (!(attributes & TPMA_NV_READ_STCLEAR))
		return RC_H(2, TPM_RC_ATTRIBUTES);
	nv_set_attributes(t, index, attributes | TPMA_NV_READLOCKED);
	return TPM_RC_SUCCESS;
}

/* 31.15: another authValue for an index. */
COMMAND_BODY(NV_ChangeAuth)
{
	struct nv_entry *index = nv_find(t, in->nvIndex);

	auth_trim(&in->newAuth);
	if (in->newAuth.size > hash_size(index->nv.publicArea.nameAlg))
		return RC_P(1, TPM_RC_SIZE);
	SET(t, index->nv.authValue, in->newAuth);
	nv_dirty(t, index, NV_DIRTY_RECORD);
	return TPM_RC_SUCCESS;
}

/* All of an index, as a digest in the hash of the signing scheme. */
static tpm_rc certify_digest(struct tpm *t, struct nv_entry *index, const TPMT_SIG_SCHEME *scheme,
			     TPMS_ATTEST *attest)
{
	TPMS_NV_DIGEST_CERTIFY_INFO *info = &attest->attested.nvDigest;
	const struct cvtpm_octets data = {nv_data(index), index->nv.publicArea.dataSize};

	attest->type = TPM_ST_ATTEST_NV_DIGEST;
	info->nvDigest.size = 0;
	TRY(index_name(t, index, &info->indexName));
	if (scheme->scheme == TPM_ALG_NULL) /* nobody signs */
		return TPM_RC_SUCCESS;
	return tpm_hash(t, scheme->details.any.hashAlg, &data, 1, &info->nvDigest);
}

/* 31.16: signs what an index holds; with neither size nor offset its digest. */
COMMAND_BODY(NV_Certify)
{
	struct nv_entry *index = nv_find(t, in->nvIndex);
	const struct tpm_object *signer;
	TPMS_ATTEST attest;
	TPMS_NV_CERTIFY_INFO *info = &attest.attested.nv;

	TRY(attest_signer(t, in->signHandle, 1, &in->inScheme, 2, &signer));
	TRY(nv_check_read(t, in->authHandle, index));
	if (in->size + in->offset > index->nv.publicArea.dataSize)
		return TPM_RC_NV_RANGE;
	if (in->size > MAX_NV_BUFFER)
		return RC_P(3, TPM_RC_VALUE);
	TRY(attest_begin(t, signer, TPM_ST_ATTEST_NV, &in->qualifyingData, &attest));
	if (in->size == 0 && in->offset == 0) {
		TRY(certify_digest(t, index, &in->inScheme, &attest));
	} else {
		TRY(index_name(t, index, &info->indexName));
		info->offset = in->offset;
		info->nvContents.size = in->size;
		TRY(nv_read(t, index, in->offset, in->size, info->nvContents.buffer));
	}
	return attest_finish(t, signer, &in->inScheme, &attest, &out->certifyInfo, &out->signature);
}
