/* PCR values, given or replayed. */
#include "verify/tpm/internal.h"

#include <string.h>

/* Set to all ones by TPM2_Startup(CLEAR): the dynamic root's (PC Client PTP, PCR attributes). */
#define DYNAMIC_FIRST 17
#define DYNAMIC_LAST  22

const struct cvtpm_bank_values *cvtpm_pcrs_bank(const struct cvtpm_pcrs *pcrs, uint16_t alg)
{
	for (size_t i = 0; i < pcrs->count; i++) {
		if (pcrs->bank[i].alg == alg)
			return &pcrs->bank[i];
	}
	return NULL;
}

static struct cvtpm_bank_values *get_or_add(struct cvtpm_pcrs *pcrs, uint16_t alg)
{
	struct cvtpm_bank_values *bank;

	for (size_t i = 0; i < pcrs->count; i++) {
		if (pcrs->bank[i].alg == alg)
			return &pcrs->bank[i];
	}
	if (pcrs->count == CVTPM_PCR_BANKS_MAX)
		return NULL;
	bank = &pcrs->bank[pcrs->count++];
	*bank = (struct cvtpm_bank_values){.alg = alg};
	return bank;
}

int cvtpm_pcrs_set(struct cvtpm_pcrs *pcrs, uint16_t alg, uint32_t pcr, const uint8_t *value,
		   size_t len)
{
	struct cvtpm_bank_values *bank;

	if (!len || len != cvtpm_tpm_digest_size(alg) || pcr >= CVTPM_PCR_COUNT)
		return CVTPM_ERR_PARAM;
	bank = get_or_add(pcrs, alg);
	if (!bank)
		return CVTPM_ERR_PARAM;
	memcpy(bank->value[pcr], value, len);
	bank->given |= 1u << pcr;
	return 0;
}

int cvtpm_pcrs_reset(struct cvtpm_pcrs *pcrs, uint16_t alg)
{
	uint8_t value[CVTPM_TPM_DIGEST_MAX];

	for (uint32_t pcr = 0; pcr < CVTPM_PCR_COUNT; pcr++) {
		memset(value, pcr >= DYNAMIC_FIRST && pcr <= DYNAMIC_LAST ? 0xFF : 0,
		       sizeof(value));
		CVTPM_TRY(cvtpm_pcrs_set(pcrs, alg, pcr, value, cvtpm_tpm_digest_size(alg)));
	}
	return 0;
}
