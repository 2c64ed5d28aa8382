/*
 * A guest in front of a TPM: its memory, and calls as Linux makes them.
 *
 * The memory is GUEST_SIZE bytes at physical address GUEST_BASE. `hole` is one page in
 * it that is not the guest's own (shared with the hypervisor). `meddle` is called before
 * each byte range is copied, as another vCPU could run then.
 */
#ifndef TESTS_SVSM_GUEST_H
#define TESTS_SVSM_GUEST_H

#include "cvtpm/amdsp.h"
#include "cvtpm/ek_template.h"
#include "cvtpm/err.h"
#include "cvtpm/instance.h"
#include "cvtpm/svsm.h"
#include "manufacture/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GUEST_BASE 0x100000u
#define GUEST_SIZE 0x40000u
#define GUEST_END  (GUEST_BASE + GUEST_SIZE)
#define PAGE       4096u

struct guest {
	struct cvtpm_svsm svsm;
	uint8_t *memory; /* GUEST_SIZE, aligned to a page */
	uint64_t hole;   /* address of a page; 0: none */
	void (*meddle)(struct guest *guest);
	uint64_t last_out; /* address of the last copy to the guest */
	unsigned copies_in, copies_out;

	struct cvtpm_platform platform;
	struct cvtpm_store *store;
	struct cvtpm_snp_provider *provider;
	struct cvtpm_instance *instance;
	struct cvtpm_instance_config config;
	void *instance_memory, *store_memory;
	struct tpm_client client; /* through SVSM_VTPM_CMD, with the page at GUEST_BASE */
	uint64_t time;
};

/** A TPM with RSA 2048 and P-256 EKs and reports of `lab` (NULL: no evidence), started
 *  through the vTPM protocol, with handlers for `ek` (0: the default). */
void guest_open(struct guest *g, struct cvtpm_amdsp_lab *lab, enum cvtpm_ek ek);
/** The same, launched with `launch` (NULL: as usual). */
void guest_launch(struct guest *g, struct cvtpm_amdsp_lab *lab,
		  const struct cvtpm_amdsp_config *launch, enum cvtpm_ek ek);
void guest_close(struct guest *g);

/** The memory at a guest's address. */
uint8_t *guest_at(struct guest *g, uint64_t address);

/** One call; RAX. */
uint64_t guest_call(struct guest *g, struct cvtpm_svsm_registers *regs);

/** As tpm_svsm_send() and its recv: the whole page at `page`. The response is in the
 *  page; its length, or a negative errno. */
long guest_send(struct guest *g, uint64_t page, const uint8_t *command, size_t len);

/* ---- as sev-guest and configfs-tsm ask ---- */

struct attest {
	struct cvtpm_bytes_out {
		uint64_t address;
		uint32_t size;
		size_t len; /* what came */
	} report, manifest, certificates;
	uint8_t nonce[64];
	bool single;
	unsigned calls; /* made, retries included */
};

/** Lays out three buffers of the sizes that Linux offers, and a nonce. */
void guest_attest_begin(struct attest *a, bool single);
/** Calls, growing buffers that were too small and trying again, three times at most, as
 *  sev_svsm_report_new() does. RAX of the last call. */
uint64_t attest_as_linux(struct guest *g, struct attest *a);
/** Writes the structure at `address`. */
void attest_write(struct guest *g, uint64_t address, const struct attest *a);

#define GUEST_CAA   (GUEST_BASE + 1 * PAGE) /* the calling area, and behind it a structure */
#define GUEST_NONCE (GUEST_BASE + 2 * PAGE)

#endif
