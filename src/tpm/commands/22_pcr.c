/* Part 3, 22: platform configuration registers. */
#include "tpm/tpm.h"

#include "crypto/mem.h"

/* 22.2: extends a register in the banks of the digests. */
COMMAND_BODY(PCR_Extend)
{
	for (uint32_t i = 0; i < in->digests.count; i++)
		TRY(pcr_extend(t, in->pcrHandle, in->digests.digests[i].hashAlg,
			       (const uint8_t *)&in->digests.digests[i].digest));
	return TPM_RC_SUCCESS;
}

/* 22.3: hashes data for every bank and extends a register with it. */
COMMAND_BODY(PCR_Event)
{
	const struct cvtpm_octets data = OCTETS(in->eventData);

	if (in->pcrHandle != TPM_RH_NULL && !pcr_may_extend(t, in->pcrHandle, t->frame.locality))
		return TPM_RC_LOCALITY;
	for (uint32_t i = 0; i < t->pcr_banks.count; i++) {
		TPMT_HA *to = &out->digests.digests[out->digests.count++];
		TPM2B_DIGEST digest;

		to->hashAlg = t->pcr_banks.pcrSelections[i].hash;
		TRY(tpm_hash(t, to->hashAlg, &data, 1, &digest));
		memcpy(&to->digest, digest.buffer, digest.size);
		TRY(pcr_extend(t, in->pcrHandle, to->hashAlg, digest.buffer));
	}
	return TPM_RC_SUCCESS;
}

/* Moves the selected registers of a bank to the answer, as long as it has room; of the
 * selection stay those that were moved. */
static tpm_rc read_bank(struct tpm *t, TPMS_PCR_SELECTION *bank, TPML_DIGEST *values)
{
	const uint32_t room = sizeof values->digests / sizeof *values->digests;

	TRY(selftest_need(t, bank->hash));
	for (TPMI_DH_PCR pcr = 0; pcr < IMPLEMENTATION_PCR; pcr++) {
		uint8_t *byte = &bank->pcrSelect.bytes[pcr / 8], bit = (uint8_t)(1u << pcr % 8);
		TPM2B_DIGEST *to = &values->digests[values->count];
		const uint8_t *value;

		if (!(*byte & bit))
			continue;
		value = pcr_value(t, bank->hash, pcr);
		if (!value || values->count == room) {
			*byte &= (uint8_t)~bit;
			continue;
		}
		to->size = hash_size(bank->hash);
		memcpy(to->buffer, value, to->size);
		values->count++;
	}
	return TPM_RC_SUCCESS;
}

/* 22.4: the values of registers, eight at most. */
COMMAND_BODY(PCR_Read)
{
	out->pcrUpdateCounter = t->pcrs.updateCounter;
	out->pcrSelectionOut = in->pcrSelectionIn;
	for (uint32_t i = 0; i < out->pcrSelectionOut.count; i++)
		TRY(read_bank(t, &out->pcrSelectionOut.pcrSelections[i], &out->pcrValues));
	return TPM_RC_SUCCESS;
}

static bool has_register(const TPML_PCR_SELECTION *allocation, TPMI_DH_PCR pcr)
{
	for (uint32_t i = 0; i < allocation->count; i++)
		if (allocation->pcrSelections[i].pcrSelect.bytes[pcr / 8] >> pcr % 8 & 1)
			return true;
	return false;
}

static uint32_t allocation_size(const TPML_PCR_SELECTION *allocation)
{
	uint32_t size = 0;

	for (uint32_t i = 0; i < allocation->count; i++)
		for (TPMI_DH_PCR pcr = 0; pcr < IMPLEMENTATION_PCR; pcr++)
			if (allocation->pcrSelections[i].pcrSelect.bytes[pcr / 8] >> pcr % 8 & 1)
				size += hash_size(allocation->pcrSelections[i].hash);
	return size;
}

/* 22.5: which registers the banks have from the next _TPM_Init on. A bank that is not
 * named stays as it is now; of one that is named twice the last selection counts. */
COMMAND_BODY(PCR_Allocate)
{
	TPML_PCR_SELECTION wanted = t->pcr_banks;

	for (uint32_t i = 0; i < in->pcrAllocation.count; i++)
		for (uint32_t k = 0; k < wanted.count; k++)
			if (wanted.pcrSelections[k].hash == in->pcrAllocation.pcrSelections[i].hash)
				wanted.pcrSelections[k] = in->pcrAllocation.pcrSelections[i];
	if (!has_register(&wanted, HCRTM_PCR) || !has_register(&wanted, DRTM_PCR))
		return TPM_RC_PCR;
	SET(t, t->settings.allocation, wanted);
	DIRTY(t, RECORD_SETTINGS);
	SET(t, t->pcr_allocated, true);
	out->allocationSuccess = 1;
	out->maxPCR = IMPLEMENTATION_PCR;
	out->sizeNeeded = allocation_size(&wanted);
	out->sizeAvailable = sizeof t->pcrs.sha1 + sizeof t->pcrs.sha256 + sizeof t->pcrs.sha384 +
			     sizeof t->pcrs.sha512;
	return TPM_RC_SUCCESS;
}

/* 22.6: a policy for a register. The PC Client profile has none that may have one. */
COMMAND_BODY(PCR_SetAuthPolicy)
{
	if (in->authPolicy.size != hash_size(in->hashAlg))
		return RC_P(1, TPM_RC_SIZE);
	return RC_P(3, TPM_RC_VALUE);
}

/* 22.7: an authorization value for a register, likewise. */
COMMAND_BODY(PCR_SetAuthValue)
{
	return TPM_RC_VALUE;
}

/* 22.8: a register to zero, where its attributes allow that. */
COMMAND_BODY(PCR_Reset)
{
	if (!pcr_may_reset(t, in->pcrHandle, t->frame.locality))
		return TPM_RC_LOCALITY;
	pcr_reset(t, in->pcrHandle);
	return TPM_RC_SUCCESS;
}
