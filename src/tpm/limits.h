/* The sizes of this implementation. Each is announced by TPM2_GetCapability
 * where the specification has a property for it. */
#ifndef CVTPM_TPM_LIMITS_H
#define CVTPM_TPM_LIMITS_H

#include "tpm/firmware_version.h" /* of the project: made by the build */

#define MAX_DIGEST_SIZE    64  /* SHA-512 */
#define MAX_RSA_KEY_BYTES  512 /* RSA 4096 */
#define MAX_ECC_KEY_BYTES  66  /* P-521 */
#define MAX_SYM_KEY_BYTES  32
#define MAX_SYM_BLOCK_SIZE 16
#define MAX_SYM_DATA       128  /* of a sealed object; the specification's number */
#define MAX_DIGEST_BUFFER  1024 /* TPM2B_MAX_BUFFER, TPM_PT_INPUT_BUFFER */
#define MAX_NV_BUFFER      2048 /* TPM_PT_NV_BUFFER_MAX */
#define MAX_NV_INDEX_SIZE  16384
#define MAX_PRIVATE_SIZE   768  /* TPM2B_PRIVATE, twice wrapped */
#define MAX_CONTEXT_SIZE   3200 /* TPM2B_CONTEXT_DATA */
#define MAX_ATTEST_SIZE    2304 /* TPM2B_ATTEST; NV_Certify of MAX_NV_BUFFER bytes is the largest */
#define MAX_CAP_DATA       1024 /* of one answer of TPM2_GetCapability */

#define HASH_COUNT         4 /* SHA-1, SHA-256, SHA-384, SHA-512 */
#define IMPLEMENTATION_PCR 24
#define HCRTM_PCR          0 /* what an H-CRTM and a D-RTM extend */
#define DRTM_PCR           17
#define PCR_SELECT_MAX     ((IMPLEMENTATION_PCR + 7) / 8)

#define MAX_LOADED_OBJECTS  16
#define MAX_LOADED_SESSIONS 16
#define MAX_ACTIVE_SESSIONS 64
#define MAX_SESSION_NUM     3 /* sessions of one command */
#define MAX_HANDLE_NUM      3 /* handles of one command */
#define MAX_PERSISTENT      16
#define MAX_EPHEMERALS      128 /* TPM_PT_SPLIT_MAX: keys that TPM2_Commit made and nobody used; 2^n */
#define MAX_NV_INDICES      128
#define NV_MEMORY_SIZE      (112 * 1024) /* indices and persistent objects together */

/* What protects tickets and saved contexts (TPM_PT_CONTEXT_HASH). A hierarchy's proof is
 * as long as a digest of it. */
#define CONTEXT_HASH      TPM_ALG_SHA512
#define CONTEXT_HASH_SIZE 64
#define CONTEXT_KEY_BITS  256 /* TPM_PT_CONTEXT_SYM_SIZE: AES-CFB */

/* The TPM Library that this is, and who made it: four bytes of ours, "CVTP", that are not
 * in the TCG's registry. */
#define SPEC_LEVEL    0
#define SPEC_REVISION 159
#define MANUFACTURER  0x43565450u

/* What TPM_PT_FIRMWARE_VERSION_1 (upper half) and _2 and attestations say. */
#define FIRMWARE_VERSION                                                                           \
	((uint64_t)FIRMWARE_MAJOR << 48 | (uint64_t)FIRMWARE_MINOR << 32 |                         \
	 (uint64_t)FIRMWARE_PATCH << 16)

#define CACHED_RSA_KEYS 4 /* of which the CRT values are at hand (keys.c) */

#define ORDERLY_COUNT         255  /* TPM_PT_ORDERLY_COUNT: of TPMA_NV_ORDERLY counters; 2^n - 1 */
#define MAX_ORDERLY_SIZE      4096 /* data of all TPMA_NV_ORDERLY indices: TPM2_Shutdown writes it */
#define PERSISTENT_OBJECT_MIN 7    /* what TPM_PT_HR_PERSISTENT_MIN promises */

#endif
