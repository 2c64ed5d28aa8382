/* Reading a report, and the checks that need the report and the policy alone. */
#include "verify/report.h"
#include "verify/checks.h"
#include "verify/little_endian.h"
#include "verify/policy_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void report_read(struct snp_report *r, const uint8_t *bytes)
{
	*r = (struct snp_report){
		.bytes = bytes,
		.version = le32(bytes + 0x000),
		.guest_svn = le32(bytes + 0x004),
		.policy = le64(bytes + 0x008),
		.family_id = bytes + 0x010,
		.image_id = bytes + 0x020,
		.vmpl = le32(bytes + 0x030),
		.signature_algorithm = le32(bytes + 0x034),
		.current_tcb = bytes + 0x038,
		.platform_info = le64(bytes + 0x040),
		.signer_info = le32(bytes + 0x048),
		.report_data = bytes + 0x050,
		.measurement = bytes + 0x090,
		.host_data = bytes + 0x0C0,
		.id_key_digest = bytes + 0x0E0,
		.author_key_digest = bytes + 0x110,
		.report_id = bytes + 0x140,
		.report_id_ma = bytes + 0x160,
		.reported_tcb = bytes + 0x180,
		.family = bytes[0x188],
		.model = bytes[0x189],
		.stepping = bytes[0x18A],
		.chip_id = bytes + 0x1A0,
		.committed_tcb = bytes + 0x1E0,
		.current_firmware = bytes + 0x1E8,
		.committed_firmware = bytes + 0x1EC,
		.launch_tcb = bytes + 0x1F0,
		.launch_mitigations = le64(bytes + 0x1F8),
		.current_mitigations = le64(bytes + 0x200),
	};
}

unsigned report_signing_key(const struct snp_report *r)
{
	return (r->signer_info >> 2) & 7;
}

bool report_has_author_key(const struct snp_report *r)
{
	return r->signer_info & 1;
}

static bool report_masks_chip_key(const struct snp_report *r)
{
	return r->signer_info & 2;
}

/* Combined (extended plus base) family and range of models. Bergamo and Siena
 * are signed under Genoa's keys. */
static const struct {
	uint8_t family, model_first, model_last;
	enum cvtpm_product product;
} models[] = {
	{0x19, 0x00, 0x0F, CVTPM_PRODUCT_MILAN},
	{0x19, 0x10, 0x1F, CVTPM_PRODUCT_GENOA},
	{0x19, 0xA0, 0xAF, CVTPM_PRODUCT_GENOA},
	{0x1A, 0x00, 0x11, CVTPM_PRODUCT_TURIN},
};

enum cvtpm_product report_product(const struct snp_report *r)
{
	if (r->version < 3)
		return CVTPM_PRODUCT_UNKNOWN;
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (r->family == models[i].family && r->model >= models[i].model_first &&
		    r->model <= models[i].model_last)
			return models[i].product;
	return CVTPM_PRODUCT_UNKNOWN;
}

const char *product_name(enum cvtpm_product product)
{
	switch (product) {
	case CVTPM_PRODUCT_MILAN:
		return "Milan";
	case CVTPM_PRODUCT_GENOA:
		return "Genoa";
	case CVTPM_PRODUCT_TURIN:
		return "Turin";
	case CVTPM_PRODUCT_UNKNOWN:
	case CVTPM_PRODUCTS:
		break;
	}
	return "unknown";
}

/* ---- TCB_VERSION ---- */

#define TCB_RESERVED 0xFF

/* Which part each byte is; the layout changed with Turin. */
static const uint8_t tcb_layout_family19[8] = {
	TCB_BOOT_LOADER, TCB_TEE,      TCB_RESERVED, TCB_RESERVED,
	TCB_RESERVED,    TCB_RESERVED, TCB_SNP,      TCB_MICROCODE,
};
static const uint8_t tcb_layout_turin[8] = {
	TCB_FMC,      TCB_BOOT_LOADER, TCB_TEE,      TCB_SNP,
	TCB_RESERVED, TCB_RESERVED,    TCB_RESERVED, TCB_MICROCODE,
};

struct tcb tcb_read(const uint8_t bytes[8], enum cvtpm_product product)
{
	const uint8_t *layout =
		product == CVTPM_PRODUCT_TURIN ? tcb_layout_turin : tcb_layout_family19;
	struct tcb tcb = {.reserved_clear = true};

	for (size_t i = 0; i < 8; i++) {
		if (layout[i] != TCB_RESERVED)
			tcb.part[layout[i]] = bytes[i];
		else if (bytes[i])
			tcb.reserved_clear = false;
	}
	return tcb;
}

bool tcb_at_most(const struct tcb *a, const struct tcb *b)
{
	for (size_t i = 0; i < TCB_PARTS; i++)
		if (a->part[i] > b->part[i])
			return false;
	return true;
}

bool tcb_equal(const struct tcb *a, const struct tcb *b)
{
	return tcb_at_most(a, b) && tcb_at_most(b, a);
}

void tcb_text(char text[TCB_TEXT_SIZE], const struct tcb *t, enum cvtpm_product product)
{
	int used = 0;

	if (product == CVTPM_PRODUCT_TURIN)
		used = snprintf(text, TCB_TEXT_SIZE, "fmc %u ", t->part[TCB_FMC]);
	snprintf(text + used, TCB_TEXT_SIZE - (size_t)used, "bl %u tee %u snp %u ucode %u",
		 t->part[TCB_BOOT_LOADER], t->part[TCB_TEE], t->part[TCB_SNP],
		 t->part[TCB_MICROCODE]);
}

/* ---- layout ---- */

/* Bytes that must be zero, by the versions that reserve them. */
static const struct {
	uint16_t offset, len;
	uint8_t version_first, version_last;
} reserved[] = {
	{0x04C, 4, 2, 5},                                       /* after SIGNER_INFO */
	{0x188, 24, 2, 2},                                      /* CPUID_* from version 3 on */
	{0x18B, 21, 3, 5},                                      /* after CPUID_STEP */
	{0x1EB, 1, 2, 5},                                       /* after CURRENT_MAJOR */
	{0x1EF, 1, 2, 5},                                       /* after COMMITTED_MAJOR */
	{0x1F8, 16, 2, 4},                                      /* *_MIT_VECTOR, version 5 */
	{0x208, 152, 2, 5},                                     /* up to the signature */
	{REPORT_SIGNATURE_R + REPORT_SIGNATURE_USED, 24, 2, 5}, /* padding of r */
	{REPORT_SIGNATURE_S + REPORT_SIGNATURE_USED, 24, 2, 5}, /* padding of s */
	{REPORT_SIGNATURE_S + REPORT_SIGNATURE_PART_SIZE, 368, 2, 5}, /* rest of SIGNATURE */
};

/* Offset of the first reserved byte that is not zero, or -1. */
static int reserved_first_set(const struct snp_report *r)
{
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		if (r->version < reserved[i].version_first || r->version > reserved[i].version_last)
			continue;
		for (int k = 0; k < reserved[i].len; k++)
			if (r->bytes[reserved[i].offset + k])
				return reserved[i].offset + k;
	}
	return -1;
}

bool report_check_layout(const struct snp_report *r, const char *about,
			 struct cvtpm_verification *v)
{
	bool known = r->version >= 2 && r->version <= 5;
	struct cvtpm_check *c;
	int set;

	c = check_add(v, about, "report-version", "version",
		      known ? CVTPM_CHECK_OK : CVTPM_CHECK_REFUSED, "layout depends on it");
	check_expected(c, "2 to 5");
	check_found(c, "%" PRIu32, r->version);
	if (!known)
		return false;

	set = reserved_first_set(r);
	c = check_add(v, about, "report-reserved", "reserved bytes and padding",
		      set < 0 ? CVTPM_CHECK_OK : CVTPM_CHECK_REFUSED,
		      "a report says nothing that this verifier does not understand");
	check_expected(c, "all zero");
	if (set < 0)
		check_found(c, "all zero");
	else
		check_found(c, "0x%02x at offset 0x%x", r->bytes[set], (unsigned)set);

	c = check_add(v, about, "report-policy-bits", "reserved bits of the guest policy",
		      (r->policy & REPORT_POLICY_RESERVED_ONE) &&
				      !(r->policy & ~REPORT_POLICY_KNOWN)
			      ? CVTPM_CHECK_OK
			      : CVTPM_CHECK_REFUSED,
		      "bits of unknown meaning");
	check_expected(c, "bit 17 set, bits 26 to 63 clear");
	check_found(c, "0x%" PRIx64, r->policy);

	c = check_add(v, about, "report-signer-info", "signer information",
		      !(r->signer_info & ~0x1Fu) && !report_masks_chip_key(r) &&
				      report_signing_key(r) <= SIGNING_KEY_VLEK
			      ? CVTPM_CHECK_OK
			      : CVTPM_CHECK_REFUSED,
		      "says which key signed; a masked chip key signs nothing");
	check_expected(c, "VCEK or VLEK, chip key not masked, bits 5 to 31 clear");
	check_found(c, "0x%" PRIx32 ": %s%s", r->signer_info,
		    report_signing_key(r) == SIGNING_KEY_VCEK   ? "VCEK"
		    : report_signing_key(r) == SIGNING_KEY_VLEK ? "VLEK"
		    : report_signing_key(r) == SIGNING_KEY_NONE ? "no key"
								: "reserved key",
		    report_masks_chip_key(r) ? ", chip key masked" : "");

	c = check_add(v, about, "signature-algorithm", "signature algorithm",
		      r->signature_algorithm == 1 ? CVTPM_CHECK_OK : CVTPM_CHECK_REFUSED,
		      "the only one that AMD defines");
	check_expected(c, "1 (ECDSA P-384 with SHA-384)");
	check_found(c, "%" PRIu32, r->signature_algorithm);
	return true;
}

/* ---- policy ---- */

static void check_vmpl(const struct snp_report *r, const struct cvtpm_policy *policy,
		       const char *about, struct cvtpm_verification *v)
{
	struct cvtpm_check *c =
		check_add(v, about, "vmpl", "privilege level (VMPL)",
			  r->vmpl == policy->vmpl ? CVTPM_CHECK_OK : CVTPM_CHECK_REFUSED,
			  "the guest's own kernel can ask for reports at its level");

	check_expected(c, "%" PRIu32, policy->vmpl);
	if (r->vmpl == UINT32_MAX)
		check_found(c, "none: the host asked for this report");
	else
		check_found(c, "%" PRIu32, r->vmpl);
}

static void check_guest_policy(const struct snp_report *r, const struct cvtpm_policy *policy,
			       const char *about, struct cvtpm_verification *v)
{
	static const uint8_t no_agent[32] = {
		0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
		0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
		0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
	};
	bool debug = r->policy & REPORT_POLICY_DEBUG;
	bool migration = r->policy & REPORT_POLICY_MIGRATE_MA;
	bool agent = memcmp(r->report_id_ma, no_agent, sizeof(no_agent)) != 0;

	struct cvtpm_check *c = check_add(v, about, "debug", "debugging",
					  !debug                ? CVTPM_CHECK_OK
					  : policy->allow_debug ? CVTPM_CHECK_WARNING
								: CVTPM_CHECK_REFUSED,
					  "a host that debugs reads the TPM's keys");
	check_expected(c, "%s",
		       policy->allow_debug ? "either (the policy allows it)" : "not allowed");
	check_found(c, "%s", debug ? "allowed by the guest policy" : "not allowed");

	c = check_add(v, about, "migration", "migration agent",
		      !migration && !agent      ? CVTPM_CHECK_OK
		      : policy->allow_migration ? CVTPM_CHECK_WARNING
						: CVTPM_CHECK_REFUSED,
		      "an agent may carry the guest, seeds included, elsewhere");
	check_expected(c, "%s",
		       policy->allow_migration ? "either (the policy allows it)"
					       : "not allowed, none there");
	check_found(c, "%s",
		    migration ? "allowed by the guest policy"
		    : agent   ? "REPORT_ID_MA names one"
			      : "not allowed, none there");
}

static void check_platform_info(const struct snp_report *r, const struct cvtpm_policy *policy,
				const char *about, struct cvtpm_verification *v)
{
	uint64_t unknown = r->platform_info & ~POLICY_PLATFORM_KNOWN;
	struct cvtpm_check *c =
		check_add(v, about, "platform-info", "platform information",
			  !unknown                               ? CVTPM_CHECK_OK
			  : policy->refuse_unknown_platform_bits ? CVTPM_CHECK_REFUSED
								 : CVTPM_CHECK_WARNING,
			  "what the host switched on");

	check_expected(c, "known bits (0 to 5, 7)");
	if (unknown)
		check_found(c, "0x%" PRIx64 ", of it unknown 0x%" PRIx64, r->platform_info,
			    unknown);
	else
		check_found(c, "0x%" PRIx64, r->platform_info);
}

static void check_tcbs(const struct snp_report *r, enum cvtpm_product product,
		       const struct cvtpm_policy *policy, const char *about,
		       struct cvtpm_verification *v)
{
	struct tcb current = tcb_read(r->current_tcb, product);
	struct tcb reported = tcb_read(r->reported_tcb, product);
	struct tcb committed = tcb_read(r->committed_tcb, product);
	struct tcb launch = tcb_read(r->launch_tcb, product);
	char current_text[TCB_TEXT_SIZE], text[TCB_TEXT_SIZE];
	struct cvtpm_check *c;

	check_simple(v, about, "tcb-reserved", "reserved bytes of the TCB versions",
		     current.reserved_clear && reported.reserved_clear &&
			     committed.reserved_clear && launch.reserved_clear,
		     "all zero",
		     current.reserved_clear && reported.reserved_clear &&
				     committed.reserved_clear && launch.reserved_clear
			     ? "all zero"
			     : "not all zero",
		     "parts of unknown meaning");

	tcb_text(current_text, &current, product);
	tcb_text(text, &reported, product);
	c = check_add(v, about, "tcb-reported", "reported TCB",
		      tcb_at_most(&reported, &current) ? CVTPM_CHECK_OK : CVTPM_CHECK_REFUSED,
		      "firmware cannot report more than it runs");
	check_expected(c, "at most the current: %s", current_text);
	check_found(c, "%s", text);

	tcb_text(text, &committed, product);
	c = check_add(v, about, "tcb-committed", "committed TCB",
		      !tcb_at_most(&committed, &current)       ? CVTPM_CHECK_REFUSED
		      : tcb_equal(&committed, &current)        ? CVTPM_CHECK_OK
		      : policy->refuse_committed_below_current ? CVTPM_CHECK_REFUSED
							       : CVTPM_CHECK_WARNING,
		      "the host may go back to the committed firmware");
	check_expected(c, "the current: %s", current_text);
	check_found(c, "%s", text);

	tcb_text(text, &launch, product);
	c = check_add(v, about, "tcb-launch", "TCB at launch",
		      tcb_at_most(&launch, &current) ? CVTPM_CHECK_OK : CVTPM_CHECK_WARNING,
		      "the firmware that launched the guest");
	check_expected(c, "at most the current: %s", current_text);
	check_found(c, "%s", text);
}

void report_check_policy(const struct snp_report *r, enum cvtpm_product product,
			 const struct cvtpm_policy *policy, const char *about,
			 struct cvtpm_verification *v)
{
	check_vmpl(r, policy, about, v);
	check_guest_policy(r, policy, about, v);
	check_platform_info(r, policy, about, v);
	if (product != CVTPM_PRODUCT_UNKNOWN)
		check_tcbs(r, product, policy, about, v);
}

const struct cvtpm_allowed_measurement *report_check_measurement(const struct snp_report *r,
								 const struct cvtpm_policy *policy,
								 const char *about,
								 struct cvtpm_verification *v)
{
	static const char reason[] = "says which image runs the TPM";
	const struct cvtpm_allowed_measurement *match = NULL;
	char found[2 * SNP_MEASUREMENT_SIZE + 1], wanted[2 * SNP_MEASUREMENT_SIZE + 1];
	struct cvtpm_check *c;

	hex_text(found, r->measurement, SNP_MEASUREMENT_SIZE);
	if (!policy->measurement_count) {
		c = check_add(v, about, "measurement", "measurement", CVTPM_CHECK_UNKNOWN, reason);
		check_expected(c, "one to compare with (--measurement)");
		check_found(c, "%s", found);
		return NULL;
	}
	for (size_t i = 0; i < policy->measurement_count && !match; i++)
		if (!memcmp(policy->measurements[i].digest, r->measurement, SNP_MEASUREMENT_SIZE))
			match = &policy->measurements[i];

	c = check_add(v, about, "measurement", "measurement",
		      match ? CVTPM_CHECK_OK : CVTPM_CHECK_REFUSED, reason);
	hex_text(wanted, policy->measurements[0].digest, SNP_MEASUREMENT_SIZE);
	if (policy->measurement_count == 1)
		check_expected(c, "%s", wanted);
	else
		check_expected(c, "one of %zu allowed", policy->measurement_count);
	check_found(c, "%s%s%s", found, match && match->name ? " " : "",
		    match && match->name ? match->name : "");
	return match;
}
