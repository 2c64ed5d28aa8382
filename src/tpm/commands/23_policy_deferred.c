/*
 * Part 3, 23: enhanced authorisation, the assertions about the state of the TPM and
 * about the command that the policy will authorise. Most are deferred: they are noted
 * in the session, and policy_check() judges them when it is used.
 */
#include "tpm/tpm.h"

#define SELECTION_MAX (4 + HASH_COUNT * (2 + 1 + PCR_SELECT_MAX)) /* TPML_PCR_SELECTION */

/* 23.7: PCRs have these values, and keep them until the policy is used. */
COMMAND_BODY(PolicyPCR)
{
	struct tpm_session *s = session_get(t, in->policySession);
	bool trial = s->bits & SESSION_TRIAL;
	uint8_t selection[SELECTION_MAX];
	struct cvtpm_octets parts[2];
	TPM2B_DIGEST digest = in->pcrDigest;

	if (!trial && s->bits & SESSION_PCR && s->pcrCounter != t->pcrs.updateCounter)
		return TPM_RC_PCR_CHANGED;
	if (!trial || in->pcrDigest.size == 0)
		TRY(pcr_digest(t, s->authHash, &in->pcrs, &digest));
	if (!trial && in->pcrDigest.size && !EQUAL_2B(in->pcrDigest, digest))
		return RC_P(1, TPM_RC_VALUE);
	parts[0] =
		(struct cvtpm_octets){selection, type_marshal(&type_TPML_PCR_SELECTION, &in->pcrs,
							      selection, sizeof selection)};
	parts[1] = OCTETS(digest);
	TRY(policy_extend(t, s, TPM_CC_PolicyPCR, parts, 2));
	if (!trial) {
		SET(t, s->pcrCounter, t->pcrs.updateCounter);
		SET(t, s->bits, s->bits | SESSION_PCR);
	}
	return TPM_RC_SUCCESS;
}

/* 23.8: the command comes from one of these localities. Repeated, the sets intersect; a
 * locality above 31 stands for itself. */
COMMAND_BODY(PolicyLocality)
{
	struct tpm_session *s = session_get(t, in->policySession);
	const struct cvtpm_octets part = {&in->locality, 1};
	TPMA_LOCALITY old = s->bits & SESSION_LOCALITY ? s->commandLocality : 0, now = in->locality;

	if (now == 0 || (old && !(old & TPMA_LOCALITY_EXTENDED) != !(now & TPMA_LOCALITY_EXTENDED)))
		return RC_P(1, TPM_RC_RANGE);
	if (now & TPMA_LOCALITY_EXTENDED) {
		if (old && old != now)
			return RC_P(1, TPM_RC_RANGE);
	} else if (old) {
		now &= old;
		if (now == 0)
			return RC_P(1, TPM_RC_RANGE);
	}
	TRY(policy_extend(t, s, TPM_CC_PolicyLocality, &part, 1));
	SET(t, s->commandLocality, now);
	SET(t, s->bits, s->bits | SESSION_LOCALITY);
	return TPM_RC_SUCCESS;
}

/* What PolicyNV and PolicyCounterTimer put into the digest for a comparison. */
static tpm_rc comparison_hash(struct tpm *t, TPM_ALG_ID alg, const TPM2B_OPERAND *operand,
			      uint16_t offset, TPM_EO operation, TPM2B_DIGEST *args)
{
	uint8_t numbers[4];
	struct writer w = {numbers, sizeof numbers, false};
	const struct cvtpm_octets parts[] = {OCTETS(*operand), {numbers, sizeof numbers}};

	write_u16(&w, offset);
	write_u16(&w, operation);
	return tpm_hash(t, alg, parts, 2, args);
}

static tpm_rc check_index(struct tpm *t, const struct PolicyNV_in *in, struct nv_entry *index)
{
	uint16_t size = index->nv.publicArea.dataSize;
	TPM2B_OPERAND a;

	TRY(nv_check_read(t, in->authHandle, index));
	if (in->offset > size)
		return RC_P(2, TPM_RC_VALUE);
	if (in->operandB.size > size - in->offset)
		return RC_P(1, TPM_RC_SIZE);
	TRY(nv_read(t, index, in->offset, in->operandB.size, a.buffer));
	return policy_compare(in->operation, a.buffer, in->operandB.buffer, in->operandB.size)
		       ? TPM_RC_SUCCESS
		       : TPM_RC_POLICY;
}

/* 23.9: the content of an index compares so, now. */
COMMAND_BODY(PolicyNV)
{
	struct tpm_session *s = session_get(t, in->policySession);
	struct nv_entry *index = nv_find(t, in->nvIndex);
	TPM2B_DIGEST args;
	TPM2B_NAME name;

	if (!(s->bits & SESSION_TRIAL))
		TRY(check_index(t, in, index));
	TRY(comparison_hash(t, s->authHash, &in->operandB, in->offset, in->operation, &args));
	nv_name(t, index, &name);

	const struct cvtpm_octets parts[] = {OCTETS(args), OCTETS(name)};

	return policy_extend(t, s, TPM_CC_PolicyNV, parts, 2);
}

/* 23.10: time, clock or a counter of resets compares so, now. */
COMMAND_BODY(PolicyCounterTimer)
{
	struct tpm_session *s = session_get(t, in->policySession);
	struct cvtpm_octets part;
	TPMS_TIME_INFO info;
	TPM2B_DIGEST args;
	uint8_t bytes[25];
	size_t size;

	info.time = clock_time(t);
	clock_info(t, &info.clockInfo);
	size = type_marshal(&type_TPMS_TIME_INFO, &info, bytes, sizeof bytes);
	if (in->offset > size)
		return RC_P(2, TPM_RC_VALUE);
	if (in->operandB.size > size - in->offset)
		return TPM_RC_RANGE;
	if (!(s->bits & SESSION_TRIAL) && !policy_compare(in->operation, bytes + in->offset,
							  in->operandB.buffer, in->operandB.size))
		return TPM_RC_POLICY;
	TRY(comparison_hash(t, s->authHash, &in->operandB, in->offset, in->operation, &args));
	part = OCTETS(args);
	return policy_extend(t, s, TPM_CC_PolicyCounterTimer, &part, 1);
}

/* 23.11: the command is this one. */
COMMAND_BODY(PolicyCommandCode)
{
	struct tpm_session *s = session_get(t, in->policySession);
	uint8_t code[4];
	struct writer w = {code, sizeof code, false};
	const struct cvtpm_octets part = {code, sizeof code};

	if (s->commandCode && s->commandCode != in->code)
		return RC_P(1, TPM_RC_VALUE);
	if (!command_find(in->code))
		return RC_P(1, TPM_RC_POLICY_CC);
	write_u32(&w, in->code);
	TRY(policy_extend(t, s, TPM_CC_PolicyCommandCode, &part, 1));
	SET(t, s->commandCode, in->code);
	return TPM_RC_SUCCESS;
}

/* 23.12: somebody is there when the policy is used. */
COMMAND_BODY(PolicyPhysicalPresence)
{
	struct tpm_session *s = session_get(t, in->policySession);

	TRY(policy_extend(t, s, TPM_CC_PolicyPhysicalPresence, NULL, 0));
	SET(t, s->bits, s->bits | SESSION_PRESENCE);
	return TPM_RC_SUCCESS;
}

/* The update of the three commands that bind a policy to a digest. */
static tpm_rc bind_digest(struct tpm *t, struct tpm_session *s, TPM_CC code, uint8_t kind,
			  const TPM2B_DIGEST *digest)
{
	const struct cvtpm_octets part = OCTETS(*digest);

	TRY(policy_extend(t, s, code, &part, 1));
	policy_set_digest(t, s, kind, digest);
	return TPM_RC_SUCCESS;
}

/* 23.13: command, parameters and entities are these. */
COMMAND_BODY(PolicyCpHash)
{
	struct tpm_session *s = session_get(t, in->policySession);

	if (in->cpHashA.size != s->policyDigest.size)
		return RC_P(1, TPM_RC_SIZE);
	if (s->digestKind != DIGEST_NONE &&
	    (s->digestKind != DIGEST_CPHASH || !EQUAL_2B(in->cpHashA, s->digest)))
		return TPM_RC_CPHASH;
	return bind_digest(t, s, TPM_CC_PolicyCpHash, DIGEST_CPHASH, &in->cpHashA);
}

/* 23.14: the entities are these. */
COMMAND_BODY(PolicyNameHash)
{
	struct tpm_session *s = session_get(t, in->policySession);

	if (in->nameHash.size != s->policyDigest.size)
		return RC_P(1, TPM_RC_SIZE);
	if (s->digestKind != DIGEST_NONE)
		return TPM_RC_CPHASH;
	return bind_digest(t, s, TPM_CC_PolicyNameHash, DIGEST_NAMEHASH, &in->nameHash);
}

/* 23.21: the object to be created has this template. */
COMMAND_BODY(PolicyTemplate)
{
	struct tpm_session *s = session_get(t, in->policySession);

	if (s->digestKind == DIGEST_TEMPLATE && !EQUAL_2B(in->templateHash, s->digest))
		return RC_P(1, TPM_RC_VALUE);
	if (s->digestKind != DIGEST_TEMPLATE && s->digestKind != DIGEST_NONE)
		return TPM_RC_CPHASH;
	if (in->templateHash.size != s->policyDigest.size)
		return RC_P(1, TPM_RC_SIZE);
	return bind_digest(t, s, TPM_CC_PolicyTemplate, DIGEST_TEMPLATE, &in->templateHash);
}

/* 23.15: the command is TPM2_Duplicate, of this object to this new parent. Whether the
 * object counts in the digest or only for this evaluation is the caller's choice. */
COMMAND_BODY(PolicyDuplicationSelect)
{
	struct tpm_session *s = session_get(t, in->policySession);
	const struct cvtpm_octets names[] = {OCTETS(in->objectName), OCTETS(in->newParentName)};
	const struct cvtpm_octets parts[] = {names[0], names[1], {&in->includeObject, 1}};
	TPM2B_DIGEST name_hash;

	if (s->digestKind != DIGEST_NONE)
		return TPM_RC_CPHASH;
	if (s->commandCode)
		return TPM_RC_COMMAND_CODE;
	TRY(tpm_hash(t, s->authHash, names, 2, &name_hash));
	TRY(policy_extend(t, s, TPM_CC_PolicyDuplicationSelect, parts + !in->includeObject,
			  in->includeObject ? 3 : 2));
	policy_set_digest(t, s, DIGEST_NAMEHASH, &name_hash);
	SET(t, s->commandCode, TPM_CC_Duplicate);
	return TPM_RC_SUCCESS;
}

/* 23.17: the authValue is known, as the HMAC will show. */
COMMAND_BODY(PolicyAuthValue)
{
	struct tpm_session *s = session_get(t, in->policySession);

	TRY(policy_extend(t, s, TPM_CC_PolicyAuthValue, NULL, 0));
	SET(t, s->bits, (s->bits & ~(uint32_t)SESSION_PASSWORD) | SESSION_AUTHVALUE);
	return TPM_RC_SUCCESS;
}

/* 23.18: the same, in the clear. The digest does not tell the two apart. */
COMMAND_BODY(PolicyPassword)
{
	struct tpm_session *s = session_get(t, in->policySession);

	TRY(policy_extend(t, s, TPM_CC_PolicyAuthValue, NULL, 0));
	SET(t, s->bits, (s->bits & ~(uint32_t)SESSION_AUTHVALUE) | SESSION_PASSWORD);
	return TPM_RC_SUCCESS;
}

/* 23.20: the index that the policy authorises has, or has not, been written. */
COMMAND_BODY(PolicyNvWritten)
{
	struct tpm_session *s = session_get(t, in->policySession);
	const struct cvtpm_octets part = {&in->writtenSet, 1};
	uint32_t bits = s->bits | SESSION_NV_WRITTEN;

	if (s->bits & SESSION_NV_WRITTEN &&
	    !(s->bits & SESSION_NV_WRITTEN_STATE) != !in->writtenSet)
		return RC_P(1, TPM_RC_VALUE);
	TRY(policy_extend(t, s, TPM_CC_PolicyNvWritten, &part, 1));
	SET(t, s->bits, in->writtenSet ? bits | SESSION_NV_WRITTEN_STATE : bits);
	return TPM_RC_SUCCESS;
}
