/* A choice of PCRs as CBOR, {algorithm: bits}, for challenges. */
#ifndef VERIFY_PCRS_CBOR_H
#define VERIFY_PCRS_CBOR_H

#include "cvtpm/bundle.h"

#define PCR_CHOICE_MAX_SIZE 128

int pcr_choice_encode(const struct cvtpm_pcr_choice *choice, uint8_t *out, size_t *len);
int pcr_choice_decode(struct cvtpm_pcr_choice *choice, const uint8_t *data, size_t len,
		      const char **why);

#endif
