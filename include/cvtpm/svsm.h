/*
 * The SVSM protocols of a virtual TPM: how a guest on SEV-SNP reaches a TPM that
 * runs beneath it at VMPL 0 (AMD 58019, Secure VM Service Module, chapters 7, 8).
 *
 * A guest makes a call by loading registers and running VMPL 0. This file takes
 * those registers and gives them back with the results; the rest of an SVSM
 * (entering and leaving, the calling area with its SVSM_CALL_PENDING byte, the
 * other protocols) is the caller's:
 *
 *     RAX (protocol << 32 | call)
 *     0x0_00000006   SVSM_CORE_QUERY_PROTOCOL, for the two protocols below
 *     0x1_00000000   SVSM_ATTEST_SERVICES
 *     0x1_00000001   SVSM_ATTEST_SINGLE_SERVICE
 *     0x2_00000000   SVSM_VTPM_QUERY
 *     0x2_00000001   SVSM_VTPM_CMD
 *
 * Guest memory is hostile: other vCPUs write it while a call runs. All that is
 * read is copied into private memory once, and only the copy is looked at; all
 * that is written is complete before the first byte of it goes out. Buffers may
 * overlap what was read. What a call needs of guest memory comes through three
 * callbacks, which alone decide what is the guest's own.
 *
 * Attestation is offered where reports are allowed at all: for an instance that
 * holds evidence, by a provider of the same kind (see cvtpm/instance.h). The
 * report is asked for at VMPL 0 over SHA-512(nonce || manifest), the manifest of
 * the vTPM (version 0) being the EK's TPMT_PUBLIC.
 *
 * Freestanding. Commands are executed in locality 0, and nothing here resets,
 * powers or exports a TPM: of the platform commands there is TPM_SEND_COMMAND
 * alone.
 */
#ifndef CVTPM_SVSM_H
#define CVTPM_SVSM_H

#include "cvtpm/engine.h"
#include "cvtpm/instance.h"
#include "cvtpm/snp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Result codes, in RAX. */
#define SVSM_SUCCESS                  0u
#define SVSM_ERR_INCOMPLETE           0x80000000u
#define SVSM_ERR_UNSUPPORTED_PROTOCOL 0x80000001u
#define SVSM_ERR_UNSUPPORTED_CALL     0x80000002u
#define SVSM_ERR_INVALID_ADDRESS      0x80000003u
#define SVSM_ERR_INVALID_FORMAT       0x80000004u
#define SVSM_ERR_INVALID_PARAMETER    0x80000005u
#define SVSM_ERR_INVALID_REQUEST      0x80000006u
#define SVSM_ERR_BUSY                 0x80000007u

enum cvtpm_svsm_protocol {
	SVSM_PROTOCOL_CORE = 0,
	SVSM_PROTOCOL_ATTESTATION = 1,
	SVSM_PROTOCOL_VTPM = 2,
};

/* The largest command that the vTPM protocol carries: a page less the request's
 * header. The engine is made with this buffer size or less. */
#define CVTPM_SVSM_BUFFER_SIZE 4087

/* The largest manifest: all services, with an EK of RSA 3072. */
#define CVTPM_SVSM_MANIFEST_MAX_SIZE 512

/* The registers of a call, in and out. */
struct cvtpm_svsm_registers {
	uint64_t rax, rcx, rdx, r8, r9;
};

/* The guest's physical memory. A range is good only if every byte of it is memory
 * that this guest, at its VMPL, may read and write itself: private, not the
 * SVSM's, not shared with the hypervisor, not a device. `address + len` may
 * overflow; such a range is not good. */
struct cvtpm_svsm_memory {
	void *context;

	/* Is the whole range good now? Nothing is copied. `len` up to 4 GiB. */
	bool (*check)(void *context, uint64_t address, size_t len);

	/* Copy `len` bytes, each read or written once. False: not good, nothing or part of
	 * it was copied. `len` is 1 to SNP_CERTS_MAX_SIZE. */
	bool (*copy_in)(void *context, uint64_t address, uint8_t *to, size_t len);
	bool (*copy_out)(void *context, uint64_t address, const uint8_t *from, size_t len);
};

struct cvtpm_svsm_config {
	struct cvtpm_instance *instance;
	struct cvtpm_snp_provider *provider; /* NULL: no attestation protocol */
	struct cvtpm_svsm_memory memory;
	enum cvtpm_ek ek; /* whose public area the manifest is; 0: RSA 2048, which
			     verifiers of today expect */
};

/* Members are not for users. About 26 KB. */
struct cvtpm_svsm {
	struct cvtpm_svsm_config config;
	bool busy; /* a call runs: atomic */
	union {
		struct {
			uint8_t page[4096];
			uint8_t response[4 + CVTPM_MAX_BUFFER_SIZE];
		} vtpm;
		struct {
			uint8_t nonce[SNP_REPORT_DATA_SIZE];
			uint8_t manifest[CVTPM_SVSM_MANIFEST_MAX_SIZE];
			uint8_t report[SNP_REPORT_SIZE];
			uint8_t certificates[SNP_CERTS_MAX_SIZE];
		} attest;
	} work;
};

/** Readies the handlers in memory of the caller's, which must outlive their use as
 *  must what `config` points to. CVTPM_ERR_PARAM: a callback is missing, or `ek` is
 *  not one EK. CVTPM_ERR_NOT_FOUND: the instance has no such EK.
 *  CVTPM_ERR_POLICY: there is a provider, but the instance may not get reports from it:
 *  it holds no evidence, or the other kind of it (lab and real). */
int cvtpm_svsm_init(struct cvtpm_svsm *svsm, const struct cvtpm_svsm_config *config);

/** Handles one call: `regs` in, `regs` out, the result in RAX. Registers that the
 *  call does not define are left as they came.
 *
 *  SVSM_ERR_BUSY: a call of another vCPU is running; the guest tries again with the
 *  same registers. The instance itself is one thread's: nobody else may be using it.
 *  SVSM_ERR_UNSUPPORTED_PROTOCOL: a protocol that is not here (or attestation
 *  without a provider), a service that is not the vTPM. SVSM_ERR_UNSUPPORTED_CALL: a
 *  call that the protocol does not have, or a platform command that is not enabled.
 *  SVSM_ERR_INVALID_PARAMETER: bytes, sizes, alignments, ranges; when it is only that
 *  a buffer is too small, RCX, RDX and R8 are the sizes needed, as after a success.
 *  SVSM_ERR_INVALID_REQUEST: not possible now: the TPM is off or not started, the EK is
 *  not to be had or not the one that was made, or the AMD-SP gave no report.
 *
 *  An error of a TPM command is in the TPM's response; RAX is SVSM_SUCCESS then. */
void cvtpm_svsm_call(struct cvtpm_svsm *svsm, struct cvtpm_svsm_registers *regs);

#endif
