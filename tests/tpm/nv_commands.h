/* NV indices for tests: the commands of Part 3, 31 with the arguments that vary. */
#ifndef CVTPM_TESTS_TPM_NV_COMMANDS_H
#define CVTPM_TESTS_TPM_NV_COMMANDS_H

#include "objects.h"

#define INDEX       0x01500001u
#define OTHER       0x01500002u
#define READS       (TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD)
#define WRITES      (TPMA_NV_OWNERWRITE | TPMA_NV_AUTHWRITE)
#define PLAIN_NV    (READS | WRITES | TPMA_NV_NO_DA)
#define TYPE(nt)    ((TPMA_NV)(nt) << TPMA_NV_TPM_NT_SHIFT)
#define PLATFORM_NV (TPMA_NV_PLATFORMCREATE | TPMA_NV_PPREAD | TPMA_NV_PPWRITE)

/* Unless `auth` is given, the owner authorises, with an empty password; define() lets the
 * platform where TPMA_NV_PLATFORMCREATE is set. */
tpm_rc define_as(struct rig *r, TPM_HANDLE auth, const TPMS_NV_PUBLIC *public,
		 const char *password);
TPMS_NV_PUBLIC public_of(TPMA_NV attributes, uint16_t size);
tpm_rc define(struct rig *r, TPMA_NV attributes, uint16_t size);
tpm_rc write_as(struct rig *r, TPM_HANDLE auth, const void *data, uint16_t size, uint16_t offset);
tpm_rc write_nv(struct rig *r, const void *data, uint16_t size, uint16_t offset);
tpm_rc read_as(struct rig *r, TPM_HANDLE auth, uint16_t size, uint16_t offset,
	       struct NV_Read_out *out);
void holds(struct rig *r, const void *data, uint16_t size);
uint64_t value_of(struct rig *r);
tpm_rc increment(struct rig *r, TPM_HANDLE index);
tpm_rc undefine(struct rig *r, TPM_HANDLE auth, TPM_HANDLE index);
tpm_rc write_lock(struct rig *r, TPM_HANDLE auth);
tpm_rc read_lock(struct rig *r, TPM_HANDLE auth);
tpm_rc extend(struct rig *r, const char *text);
tpm_rc set_bits(struct rig *r, uint64_t bits);
struct NV_ReadPublic_out public_now(struct rig *r);
TPMA_NV attributes_now(struct rig *r);
tpm_rc shut_down(struct rig *r, TPM_SU type);
void cycle(struct rig *r, bool shutdown, TPM_SU shut, TPM_SU start);
TPM2B_DIGEST command_policy(struct rig *r, TPM_CC code);
struct client_session command_session(struct rig *r, TPM_CC code);
tpm_rc undefine_special(struct rig *r, const struct client_session *policy);

/* Power off and on after TPM2_Shutdown, or without a word, and TPM2_Startup. */
#define TPM_RESET(r)   cycle((r), true, TPM_SU_CLEAR, TPM_SU_CLEAR)
#define TPM_RESTART(r) cycle((r), true, TPM_SU_STATE, TPM_SU_CLEAR)
#define TPM_RESUME(r)  cycle((r), true, TPM_SU_STATE, TPM_SU_STATE)
#define POWER_LOSS(r)  cycle((r), false, 0, TPM_SU_CLEAR)

#endif
