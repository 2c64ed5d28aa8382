/*
 * What the files of this folder do for each other.
 *
 *     svsm.c       registers to protocols, QUERY_PROTOCOL, one call at a time
 *     vtpm.c       the vTPM protocol
 *     attest.c     the attestation protocol
 *     manifest.c   what a report vouches for
 */
#ifndef CVTPM_SVSM_INTERNAL_H
#define CVTPM_SVSM_INTERNAL_H

#include "cvtpm/svsm.h"

#define SVSM_PAGE_SIZE 4096u

/* Each handles the calls of one protocol; the result is for RAX. */
uint32_t svsm_vtpm_call(struct cvtpm_svsm *svsm, uint32_t call, struct cvtpm_svsm_registers *regs);
uint32_t svsm_attest_call(struct cvtpm_svsm *svsm, uint32_t call,
			  struct cvtpm_svsm_registers *regs);

#endif
