/* The ATTESTATION_REPORT as the verifier reads it (AMD 56860, table
 * ATTESTATION_REPORT). Written from the publication, apart from the code that
 * makes reports, so that the two do not share a mistake. */
#ifndef VERIFY_REPORT_H
#define VERIFY_REPORT_H

#include "cvtpm/evidence.h"

/* The parts of a TCB_VERSION, by shorter names. */
enum tcb_part {
	TCB_FMC = CVTPM_TCB_FMC,
	TCB_BOOT_LOADER = CVTPM_TCB_BOOT_LOADER,
	TCB_TEE = CVTPM_TCB_TEE,
	TCB_SNP = CVTPM_TCB_SNP,
	TCB_MICROCODE = CVTPM_TCB_MICROCODE,
	TCB_PARTS = CVTPM_TCB_PARTS,
};

struct tcb {
	uint8_t part[TCB_PARTS];
	bool reserved_clear;
};

enum signing_key { SIGNING_KEY_VCEK = 0, SIGNING_KEY_VLEK = 1, SIGNING_KEY_NONE = 7 };

/* Fields in host order; pointers go into the report's bytes. */
struct snp_report {
	const uint8_t *bytes; /* SNP_REPORT_SIZE, as received */
	uint32_t version;
	uint32_t guest_svn;
	uint64_t policy;
	uint32_t vmpl;
	uint32_t signature_algorithm;
	uint64_t platform_info;
	uint32_t signer_info;
	const uint8_t *report_data, *measurement, *report_id, *report_id_ma, *chip_id;
	const uint8_t *current_tcb, *reported_tcb, *committed_tcb, *launch_tcb;
	const uint8_t *host_data, *family_id, *image_id, *id_key_digest, *author_key_digest;
	const uint8_t *current_firmware, *committed_firmware; /* build, minor, major */
	uint64_t launch_mitigations, current_mitigations;     /* version 5 */
	uint8_t family, model, stepping;
};

#define REPORT_POLICY_RESERVED_ONE (1ull << 17)
#define REPORT_POLICY_MIGRATE_MA   (1ull << 18)
#define REPORT_POLICY_DEBUG        (1ull << 19)
#define REPORT_POLICY_KNOWN        ((1ull << 26) - 1)

#define REPORT_SIGNATURE_R         0x2A0
#define REPORT_SIGNATURE_S         0x2E8
#define REPORT_SIGNATURE_PART_SIZE 72
#define REPORT_SIGNATURE_USED      48

/* Reads the fields; `bytes` holds SNP_REPORT_SIZE bytes. Judges nothing. */
void report_read(struct snp_report *report, const uint8_t *bytes);

/* enum signing_key, or a reserved value */
unsigned report_signing_key(const struct snp_report *report);
/* AUTHOR_KEY_DIGEST is that of a key which signed the ID block's key. */
bool report_has_author_key(const struct snp_report *report);

/* By family and model; unknown for version 2, which has none. */
enum cvtpm_product report_product(const struct snp_report *report);

const char *product_name(enum cvtpm_product product);

/* Takes a TCB_VERSION apart in the product's layout. */
struct tcb tcb_read(const uint8_t bytes[8], enum cvtpm_product product);
/* Every part of `a` at most that of `b`: TCBs are compared part by part. */
bool tcb_at_most(const struct tcb *a, const struct tcb *b);
bool tcb_equal(const struct tcb *a, const struct tcb *b);
#define TCB_TEXT_SIZE 64
void tcb_text(char text[TCB_TEXT_SIZE], const struct tcb *tcb, enum cvtpm_product product);

/* The checks that need nothing but the report. False: no use in going on,
 * because this version's layout is not known. */
bool report_check_layout(const struct snp_report *report, const char *about,
			 struct cvtpm_verification *v);
/* The checks against policy, and those of TCBs against each other. */
void report_check_policy(const struct snp_report *report, enum cvtpm_product product,
			 const struct cvtpm_policy *policy, const char *about,
			 struct cvtpm_verification *v);
/* The entry of the policy for the report's measurement, or NULL; adds its line. */
const struct cvtpm_allowed_measurement *report_check_measurement(const struct snp_report *report,
								 const struct cvtpm_policy *policy,
								 const char *about,
								 struct cvtpm_verification *v);

#endif
