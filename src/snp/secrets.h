/*
 * The secrets page (AMD publication 56860, SNP_LAUNCH_UPDATE): 4 KiB which the
 * AMD-SP puts into a guest's private memory at launch. It holds the four keys
 * that messages to the AMD-SP are encrypted under (VMPCK0 to 3, one for each
 * VMPL) and, in the area left to the guest's software, the message counters,
 * laid out as Linux reads them, so that whoever comes next can go on counting.
 *
 * Functions work on the page where it lies: there is one copy of a key, and
 * when it is wiped it is gone.
 */
#ifndef CVTPM_SNP_SECRETS_H
#define CVTPM_SNP_SECRETS_H

#include <stdbool.h>
#include <stdint.h>

#define SNP_SECRETS_SIZE 4096
#define SNP_VMPCK_COUNT  4
#define SNP_VMPCK_SIZE   32

enum snp_secrets_offset {
	SNP_SECRETS_VERSION = 0x000,
	SNP_SECRETS_IMI_EN = 0x004, /* bit 0 */
	SNP_SECRETS_FMS = 0x008,
	SNP_SECRETS_GOSVW = 0x010,
	SNP_SECRETS_VMPCK0 = 0x020,      /* and 1 to 3 after it */
	SNP_SECRETS_MSG_SEQNO_0 = 0x0A0, /* 32 bits, and 1 to 3 after it */
	SNP_SECRETS_AP_JUMP_TABLE_PA = 0x0B0,
	SNP_SECRETS_VMSA_TWEAK_BITMAP = 0x100,
	SNP_SECRETS_SVSM_BASE = 0x140,
	SNP_SECRETS_SVSM_SIZE = 0x148,
	SNP_SECRETS_SVSM_CAA = 0x150,
	SNP_SECRETS_SVSM_MAX_VERSION = 0x158,
	SNP_SECRETS_SVSM_GUEST_VMPL = 0x15C,
	SNP_SECRETS_TSC_FACTOR = 0x160,
};

/** VMPCK `index`, 0 to 3, in the page. */
uint8_t *snp_secrets_vmpck(uint8_t secrets[SNP_SECRETS_SIZE], unsigned index);

/** False when the key was wiped, or withheld by the SVSM: 32 zeros are no key. */
bool snp_secrets_vmpck_present(const uint8_t secrets[SNP_SECRETS_SIZE], unsigned index);

/** Wipes VMPCK `index`. */
void snp_secrets_wipe_vmpck(uint8_t secrets[SNP_SECRETS_SIZE], unsigned index);

/** How many messages, requests and responses, were exchanged under VMPCK `index`. */
uint32_t snp_secrets_seqno(const uint8_t secrets[SNP_SECRETS_SIZE], unsigned index);
void snp_secrets_set_seqno(uint8_t secrets[SNP_SECRETS_SIZE], unsigned index, uint32_t seqno);

/** The page that a guest at VMPL `vmpl` gets from its SVSM: a copy without the
 *  keys of the levels above it. */
void snp_secrets_copy_for_vmpl(const uint8_t secrets[SNP_SECRETS_SIZE], unsigned vmpl,
			       uint8_t copy[SNP_SECRETS_SIZE]);

#endif
