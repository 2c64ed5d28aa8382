#include "manufacture/banks.h"

#include "cvtpm/err.h"
#include "cvtpm/instance.h"
#include "manufacture/commands.h"

#define ALG_SHA1   0x0004u
#define ALG_SHA256 0x000Bu
#define ALG_SHA384 0x000Cu
#define ALG_SHA512 0x000Du
#define ALL_PCRS   0x00FFFFFFu

static bool is_wanted(unsigned wanted, uint16_t hash)
{
	switch (hash) {
	case ALG_SHA1:
		return wanted & CVTPM_PCR_SHA1;
	case ALG_SHA256:
		return wanted & CVTPM_PCR_SHA256;
	case ALG_SHA384:
		return wanted & CVTPM_PCR_SHA384;
	case ALG_SHA512:
		return wanted & CVTPM_PCR_SHA512;
	default:
		return false;
	}
}

static unsigned count_bits(unsigned bits)
{
	unsigned count = 0;

	for (; bits; bits &= bits - 1)
		count++;
	return count;
}

int banks_choose(struct tpm_client *client, unsigned wanted, struct tpm_pcr_bank *banks,
		 size_t *count, bool *change)
{
	unsigned found = 0;

	*change = false;
	CVTPM_TRY(tpm_get_pcr_banks(client, banks, count));
	for (size_t i = 0; i < *count; i++) {
		uint32_t pcrs = is_wanted(wanted, banks[i].hash) ? ALL_PCRS : 0;

		*change |= banks[i].pcrs != pcrs;
		banks[i].pcrs = pcrs;
		found += pcrs != 0;
	}
	return found == count_bits(wanted) ? 0 : CVTPM_ERR_UNSUPPORTED;
}
