/*
 * The CRB's state machine (PTP 1.06, 6.5.3): what may be asked of it. access.c asks, when
 * a locality reads and writes registers and the data buffer; what a state does not allow
 * is ignored.
 */
#ifndef CVTPM_CRB_MACHINE_H
#define CVTPM_CRB_MACHINE_H

#include "cvtpm/crb.h"

/* Of been_seized and pending. */
static inline uint32_t bit_of(uint8_t locality)
{
	return 1u << locality;
}

/* Interrupts. */
/** To be called after every change of int_enable and int_sts. */
void crb_line_update(struct cvtpm_crb *crb);

/* The command: TPM_CRB_CTRL_REQ, _START, _CANCEL, and the buffer of the active locality. */
void crb_go_idle(struct cvtpm_crb *crb);
void crb_command_ready(struct cvtpm_crb *crb);
void crb_command_start(struct cvtpm_crb *crb);
/** Sets ctrl_cancel, which ends the command that runs if it is 1. */
void crb_cancel_set(struct cvtpm_crb *crb, uint32_t value);
/** `len` bytes at `at`, which are within the buffer. */
void crb_buffer_write(struct cvtpm_crb *crb, uint8_t locality, uint32_t at, const uint8_t *bytes,
		      size_t len);

/* Localities: TPM_LOC_CTRL_x. */
void crb_locality_request(struct cvtpm_crb *crb, uint8_t locality);
void crb_locality_relinquish(struct cvtpm_crb *crb, uint8_t locality);
void crb_locality_seize(struct cvtpm_crb *crb, uint8_t locality);
void crb_establishment_reset(struct cvtpm_crb *crb, uint8_t locality);

/* _TPM_Hash_Start, _Data, _End: TPM_LOC_CTRL_4. */
void crb_hash_start(struct cvtpm_crb *crb);
void crb_hash_data(struct cvtpm_crb *crb);
void crb_hash_end(struct cvtpm_crb *crb);

#endif
