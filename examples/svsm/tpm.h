/*
 * A TPM in an SVSM: what firmware at VMPL 0 adds to cvtpm-core. Freestanding.
 *
 * All memory is in struct svsm_tpm, which an SVSM puts where no guest and no
 * host can reach. Begin with svsm_tpm_start(), in tpm.c; machine.c plays the
 * rest of the SVSM, the host and the guest, and is no part of an SVSM.
 */
#ifndef EXAMPLE_SVSM_TPM_H
#define EXAMPLE_SVSM_TPM_H

#include "cvtpm/guest_message.h"
#include "cvtpm/instance.h"
#include "cvtpm/platform.h"
#include "cvtpm/svsm.h"

#include <stddef.h>
#include <stdint.h>

/* What the SVSM brings. */
struct svsm_host {
	void *context;                                           /* first argument of each */
	int (*entropy)(void *context, uint8_t *out, size_t len); /* RDSEED; 0 or -1 */
	uint64_t (*clock_ms)(void *context);                     /* from the (secure) TSC */
	void (*log)(void *context, enum cvtpm_log_level level, const char *line);
	struct cvtpm_svsm_memory guest; /* the guest's physical memory */

	/* The launch: its secrets page, and how a guest message gets to the AMD-SP. */
	uint8_t *secrets;
	struct snp_transport transport;
	uint8_t *request_page, *response_page, *certs; /* shared with the host */
	size_t certs_size;
	bool lab; /* the AMD-SP is a simulated one, and evidence must say so */
};

/* More than cvtpm_instance_size() of the native engine; svsm_tpm_start() compares. */
#define SVSM_INSTANCE_SIZE ((size_t)352 << 10)
/* What the records of a TPM take that was manufactured, and of a guest that fills its NV. */
#define SVSM_STORE_SIZE ((size_t)256 << 10)

struct svsm_tpm {
	_Alignas(max_align_t) uint8_t instance_memory[SVSM_INSTANCE_SIZE];
	_Alignas(max_align_t) uint8_t store_memory[SVSM_STORE_SIZE];
	struct snp_guest_message messages;
	struct cvtpm_platform platform;
	struct cvtpm_instance *instance;
	struct cvtpm_svsm svsm;
};

/** Manufactures the TPM of this boot, with evidence from the AMD-SP, and readies the
 *  SVSM's handlers: cvtpm_svsm_call(&tpm->svsm, registers) then serves the guest.
 *  0, or an error of enum cvtpm_err, which the log explains. */
int svsm_tpm_start(struct svsm_tpm *tpm, const struct svsm_host *host);

/** At the guest's end: all that was secret is wiped. */
void svsm_tpm_stop(struct svsm_tpm *tpm);

#endif
