/* Which banks of PCRs are active, and which shall be. */
#ifndef CVTPM_MANUFACTURE_BANKS_H
#define CVTPM_MANUFACTURE_BANKS_H

#include "manufacture/client.h"

#define BANKS_MAX 16

/** Asks the TPM for its banks and sets them to what is wanted (of enum cvtpm_pcr_bank): for
 *  TPM2_PCR_Allocate. `*count` in: room, out: how many. `*change`: some must change.
 *  CVTPM_ERR_UNSUPPORTED: a bank is wanted that the TPM does not have. */
int banks_choose(struct tpm_client *client, unsigned wanted, struct tpm_pcr_bank *banks,
		 size_t *count, bool *change);

#endif
