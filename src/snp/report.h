/*
 * The layout of ATTESTATION_REPORT (AMD publication 56860), versions 2 to 5.
 *
 * A report stays what it is on the wire: SNP_REPORT_SIZE bytes. The accessors
 * below read fields out of it. A field that a version does not have is said to
 * be absent, never read as zero: the functions for such fields return false.
 * Nothing here judges a report; snp_report_check() only says whether the bytes
 * have the form of one.
 */
#ifndef CVTPM_SNP_REPORT_H
#define CVTPM_SNP_REPORT_H

#include "cvtpm/snp.h"
#include "snp/le.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Offsets of the fields, by the specification's names. */
enum snp_report_offset {
	SNP_REPORT_VERSION = 0x000,
	SNP_REPORT_GUEST_SVN = 0x004,
	SNP_REPORT_POLICY = 0x008,
	SNP_REPORT_FAMILY_ID = 0x010,
	SNP_REPORT_IMAGE_ID = 0x020,
	SNP_REPORT_VMPL = 0x030,
	SNP_REPORT_SIGNATURE_ALGO = 0x034,
	SNP_REPORT_CURRENT_TCB = 0x038,
	SNP_REPORT_PLATFORM_INFO = 0x040,
	SNP_REPORT_SIGNER_INFO = 0x048,
	SNP_REPORT_RESERVED_04C = 0x04C,
	SNP_REPORT_REPORT_DATA = 0x050,
	SNP_REPORT_MEASUREMENT = 0x090,
	SNP_REPORT_HOST_DATA = 0x0C0,
	SNP_REPORT_ID_KEY_DIGEST = 0x0E0,
	SNP_REPORT_AUTHOR_KEY_DIGEST = 0x110,
	SNP_REPORT_REPORT_ID = 0x140,
	SNP_REPORT_REPORT_ID_MA = 0x160,
	SNP_REPORT_REPORTED_TCB = 0x180,
	SNP_REPORT_CPUID_FAM_ID = 0x188, /* version 3 and later, as the next two */
	SNP_REPORT_CPUID_MOD_ID = 0x189,
	SNP_REPORT_CPUID_STEP = 0x18A,
	SNP_REPORT_RESERVED_18B = 0x18B,
	SNP_REPORT_CHIP_ID = 0x1A0,
	SNP_REPORT_COMMITTED_TCB = 0x1E0,
	SNP_REPORT_CURRENT_BUILD = 0x1E8,
	SNP_REPORT_CURRENT_MINOR = 0x1E9,
	SNP_REPORT_CURRENT_MAJOR = 0x1EA,
	SNP_REPORT_RESERVED_1EB = 0x1EB,
	SNP_REPORT_COMMITTED_BUILD = 0x1EC,
	SNP_REPORT_COMMITTED_MINOR = 0x1ED,
	SNP_REPORT_COMMITTED_MAJOR = 0x1EE,
	SNP_REPORT_RESERVED_1EF = 0x1EF,
	SNP_REPORT_LAUNCH_TCB = 0x1F0,
	SNP_REPORT_LAUNCH_MIT_VECTOR = 0x1F8,  /* version 5 */
	SNP_REPORT_CURRENT_MIT_VECTOR = 0x200, /* version 5 */
	SNP_REPORT_RESERVED_208 = 0x208,
	SNP_REPORT_SIGNATURE = 0x2A0,
	SNP_REPORT_SIGNATURE_R = 0x2A0,
	SNP_REPORT_SIGNATURE_S = 0x2E8,
	SNP_REPORT_SIGNATURE_RESERVED = 0x330,
};

#define SNP_REPORT_ID_SIZE         32
#define SNP_REPORT_HOST_DATA_SIZE  32
#define SNP_REPORT_KEY_DIGEST_SIZE 48
#define SNP_REPORT_CHIP_ID_SIZE    64
#define SNP_REPORT_FAMILY_ID_SIZE  16
#define SNP_TURIN_HWID_SIZE        8  /* how much of CHIP_ID a Turin uses */
#define SNP_SIGNATURE_NUMBER_SIZE  72 /* r and s, little-endian, 48 bytes significant */

#define SNP_REPORT_VERSION_MIN 2u
#define SNP_REPORT_VERSION_MAX 5u

#define SNP_SIGNATURE_ALGO_ECDSA_P384_SHA384 1u
#define SNP_VMPL_HOST                        0xFFFFFFFFu /* the host asked (SNP_HV_REPORT) */

/* POLICY: bits 7:0 and 15:8 are the least ABI minor and major version. */
#define SNP_POLICY_SMT                    (1ull << 16)
#define SNP_POLICY_RESERVED_ONE           (1ull << 17)
#define SNP_POLICY_MIGRATE_MA             (1ull << 18)
#define SNP_POLICY_DEBUG                  (1ull << 19)
#define SNP_POLICY_SINGLE_SOCKET          (1ull << 20)
#define SNP_POLICY_CXL_ALLOW              (1ull << 21)
#define SNP_POLICY_MEM_AES_256_XTS        (1ull << 22)
#define SNP_POLICY_RAPL_DIS               (1ull << 23)
#define SNP_POLICY_CIPHERTEXT_HIDING_DRAM (1ull << 24)
#define SNP_POLICY_PAGE_SWAP_DISABLE      (1ull << 25)
#define SNP_POLICY_MUST_BE_ZERO           (~0ull << 26)

/* PLATFORM_INFO. Genuine Turin reports set bit 6, which no public text names:
 * unknown bits are for a policy to judge. */
#define SNP_PLATFORM_SMT_EN                    (1ull << 0)
#define SNP_PLATFORM_TSME_EN                   (1ull << 1)
#define SNP_PLATFORM_ECC_EN                    (1ull << 2)
#define SNP_PLATFORM_RAPL_DIS                  (1ull << 3)
#define SNP_PLATFORM_CIPHERTEXT_HIDING_DRAM_EN (1ull << 4)
#define SNP_PLATFORM_ALIAS_CHECK_COMPLETE      (1ull << 5)
#define SNP_PLATFORM_TIO_EN                    (1ull << 7)

/* SIGNER_INFO */
#define SNP_SIGNER_AUTHOR_KEY_EN (1u << 0)
#define SNP_SIGNER_MASK_CHIP_KEY (1u << 1)
enum snp_signing_key {
	SNP_SIGNING_KEY_VCEK = 0,
	SNP_SIGNING_KEY_VLEK = 1,
	SNP_SIGNING_KEY_NONE = 7, /* 2 to 6 are reserved */
};

/* Which processors: they differ in the roots, in TCB_VERSION and in CHIP_ID. */
enum snp_product {
	SNP_PRODUCT_UNKNOWN,
	SNP_PRODUCT_MILAN,
	SNP_PRODUCT_GENOA, /* with Bergamo and Siena, which have the same roots */
	SNP_PRODUCT_TURIN,
};

/* TCB_VERSION taken apart. Compared part by part, never as one number. */
struct snp_tcb {
	uint8_t fmc; /* Turin; 0 elsewhere */
	uint8_t boot_loader;
	uint8_t tee;
	uint8_t snp;
	uint8_t microcode;
	uint8_t reserved; /* all bytes that the layout does not use, or-ed: 0 in a good one */
};

/* ---- every version ---- */

static inline uint32_t snp_report_version(const uint8_t report[SNP_REPORT_SIZE])
{
	return snp_get32(report + SNP_REPORT_VERSION);
}
static inline uint32_t snp_report_guest_svn(const uint8_t report[SNP_REPORT_SIZE])
{
	return snp_get32(report + SNP_REPORT_GUEST_SVN);
}
static inline uint64_t snp_report_policy(const uint8_t report[SNP_REPORT_SIZE])
{
	return snp_get64(report + SNP_REPORT_POLICY);
}
static inline const uint8_t *snp_report_family_id(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_FAMILY_ID;
}
static inline const uint8_t *snp_report_image_id(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_IMAGE_ID;
}
static inline uint32_t snp_report_vmpl(const uint8_t report[SNP_REPORT_SIZE])
{
	return snp_get32(report + SNP_REPORT_VMPL);
}
static inline uint32_t snp_report_signature_algo(const uint8_t report[SNP_REPORT_SIZE])
{
	return snp_get32(report + SNP_REPORT_SIGNATURE_ALGO);
}
static inline uint64_t snp_report_platform_info(const uint8_t report[SNP_REPORT_SIZE])
{
	return snp_get64(report + SNP_REPORT_PLATFORM_INFO);
}
static inline uint32_t snp_report_signer_info(const uint8_t report[SNP_REPORT_SIZE])
{
	return snp_get32(report + SNP_REPORT_SIGNER_INFO);
}
/** SIGNER_INFO bits 4:2, of enum snp_signing_key. */
static inline unsigned snp_report_signing_key(const uint8_t report[SNP_REPORT_SIZE])
{
	return snp_report_signer_info(report) >> 2 & 7u;
}
static inline const uint8_t *snp_report_report_data(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_REPORT_DATA;
}
static inline const uint8_t *snp_report_measurement(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_MEASUREMENT;
}
static inline const uint8_t *snp_report_host_data(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_HOST_DATA;
}
static inline const uint8_t *snp_report_id_key_digest(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_ID_KEY_DIGEST;
}
static inline const uint8_t *snp_report_author_key_digest(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_AUTHOR_KEY_DIGEST;
}
static inline const uint8_t *snp_report_report_id(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_REPORT_ID;
}
static inline const uint8_t *snp_report_report_id_ma(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_REPORT_ID_MA;
}
/** 64 bytes; all zero when masked or signed by a VLEK; a Turin uses the first 8. */
static inline const uint8_t *snp_report_chip_id(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_CHIP_ID;
}

/* Raw TCB_VERSIONs, 8 bytes each; snp_tcb_read() takes them apart. */
static inline const uint8_t *snp_report_current_tcb(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_CURRENT_TCB;
}
/** The one that the VCEK is for. */
static inline const uint8_t *snp_report_reported_tcb(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_REPORTED_TCB;
}
static inline const uint8_t *snp_report_committed_tcb(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_COMMITTED_TCB;
}
static inline const uint8_t *snp_report_launch_tcb(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_LAUNCH_TCB;
}

/* A firmware version, e.g. 1.55.29. */
struct snp_firmware_version {
	uint8_t major, minor, build;
};
static inline struct snp_firmware_version
snp_report_current_firmware(const uint8_t report[SNP_REPORT_SIZE])
{
	return (struct snp_firmware_version){.major = report[SNP_REPORT_CURRENT_MAJOR],
					     .minor = report[SNP_REPORT_CURRENT_MINOR],
					     .build = report[SNP_REPORT_CURRENT_BUILD]};
}
static inline struct snp_firmware_version
snp_report_committed_firmware(const uint8_t report[SNP_REPORT_SIZE])
{
	return (struct snp_firmware_version){.major = report[SNP_REPORT_COMMITTED_MAJOR],
					     .minor = report[SNP_REPORT_COMMITTED_MINOR],
					     .build = report[SNP_REPORT_COMMITTED_BUILD]};
}

/** r and s of the signature, SNP_SIGNATURE_NUMBER_SIZE bytes each, little-endian. */
static inline const uint8_t *snp_report_signature_r(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_SIGNATURE_R;
}
static inline const uint8_t *snp_report_signature_s(const uint8_t report[SNP_REPORT_SIZE])
{
	return report + SNP_REPORT_SIGNATURE_S;
}

/* ---- later versions ---- */

/* CPUID family and model with their extended parts added, and the stepping. */
struct snp_fms {
	uint8_t family, model, stepping;
};

/** Version 3 and later; false, and `*fms` untouched, before. */
static inline bool snp_report_fms(const uint8_t report[SNP_REPORT_SIZE], struct snp_fms *fms)
{
	if (snp_report_version(report) < 3)
		return false;
	fms->family = report[SNP_REPORT_CPUID_FAM_ID];
	fms->model = report[SNP_REPORT_CPUID_MOD_ID];
	fms->stepping = report[SNP_REPORT_CPUID_STEP];
	return true;
}

/** Version 5; false, and the vectors untouched, before. */
static inline bool snp_report_mit_vectors(const uint8_t report[SNP_REPORT_SIZE], uint64_t *launch,
					  uint64_t *current)
{
	if (snp_report_version(report) < 5)
		return false;
	*launch = snp_get64(report + SNP_REPORT_LAUNCH_MIT_VECTOR);
	*current = snp_get64(report + SNP_REPORT_CURRENT_MIT_VECTOR);
	return true;
}

/* ---- functions of report.c ---- */

/** The product of a CPUID family and model; SNP_PRODUCT_UNKNOWN for others. */
enum snp_product snp_product_of_fms(struct snp_fms fms);

/** The product of a report: by family and model, and in version 2, which has
 *  none, SNP_PRODUCT_UNKNOWN: then the certificate must say it. */
enum snp_product snp_report_product(const uint8_t report[SNP_REPORT_SIZE]);

/** Takes the TCB_VERSION of a processor apart; Milan's layout where the product is unknown. */
struct snp_tcb snp_tcb_read(enum snp_product product, const uint8_t tcb[8]);
/** And puts it together. */
void snp_tcb_write(enum snp_product product, struct snp_tcb parts, uint8_t tcb[8]);
/** True when every part of `tcb` is at least that of `floor`. */
bool snp_tcb_at_least(struct snp_tcb tcb, struct snp_tcb floor);

/** Whether `len` bytes have the form of a report: the length, a version from 2
 *  to 5, the signature algorithm, and zeros in whatever that version reserves,
 *  the ends of r and s and of the signature included. Says nothing of whether it is true.
 *  CVTPM_ERR_SIZE: another length. CVTPM_ERR_UNSUPPORTED: another version or algorithm.
 *  CVTPM_ERR_FORMAT: something reserved is not zero. */
int snp_report_check(const uint8_t *report, size_t len);

#endif
