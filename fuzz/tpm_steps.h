/*
 * An input as a run of steps, `operation | length | bytes`, and its mutation step by step:
 * what changes one leaves the others what they were.
 */
#ifndef CVTPM_FUZZ_TPM_STEPS_H
#define CVTPM_FUZZ_TPM_STEPS_H

#include "tpm_values.h"

enum { MAX_STEPS = 48, STEP_SIZE = 2 + 255 };

/** The next step of an input, and the bytes that are its own; false: there is none. A length
 *  that the input does not have means the rest of it. */
bool next_step(struct feed *input, uint8_t *operation, struct feed *own);

#endif
