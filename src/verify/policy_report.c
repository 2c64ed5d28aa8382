/*
 * What a policy may demand of a report: the guest's measurement and policy, the
 * platform's bits, firmware and chip.
 */
#include "crypto/crypto.h"
#include "cvtpm/err.h"
#include "cvtpm/policy.h"
#include "verify/policy_members.h"

#include <string.h>

#define MEASUREMENTS_MAX 4096
#define CHIPS_MAX        65536
#define CHIP_ID_SIZE     64

#define AT(member) offsetof(struct cvtpm_policy, member)

/* ---- measurements ---- */

static int read_name(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	const char *text = policy_read_string(r, value, (size_t)detail);

	if (!text)
		return CVTPM_ERR_FORMAT;
	text = policy_copy(r, text);
	*(const char **)to = text;
	return text ? 0 : CVTPM_ERR_NO_MEMORY;
}

static int read_digest48(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	return policy_read_hex(r, value, to, (size_t)detail);
}

static int read_isolation(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	uint64_t isolation = 0;

	(void)detail;
	CVTPM_TRY(policy_read_word(r, value, policy_isolations, &isolation));
	*(enum cvtpm_isolation *)to = (enum cvtpm_isolation)isolation;
	return 0;
}

static const struct policy_member measurement_members[] = {
	{"name", read_name, offsetof(struct cvtpm_allowed_measurement, name), 120},
	{"digest", read_digest48, offsetof(struct cvtpm_allowed_measurement, digest),
	 SNP_MEASUREMENT_SIZE},
	{"isolation", read_isolation, offsetof(struct cvtpm_allowed_measurement, isolation), 0},
	{0},
};

static int read_measurement(struct policy_reader *r, const json_t *value,
			    const struct policy_items *before, void *item)
{
	const struct cvtpm_allowed_measurement *list = before->first, *measurement = item;

	CVTPM_TRY(policy_read_object(r, value, measurement_members, item));
	if (!json_object_get(value, "digest"))
		return policy_fail(r, "\"digest\" is missing");
	if (!json_object_get(value, "isolation"))
		return policy_fail(r,
				   "\"isolation\" is missing: write \"svsm\" where the image keeps "
				   "the guest's kernel away from its TPM, else \"process\"");
	for (size_t i = 0; i < before->count; i++)
		if (!memcmp(list[i].digest, measurement->digest, SNP_MEASUREMENT_SIZE))
			return policy_fail(r, "the same digest as item %zu", i);
	return 0;
}

int policy_read_measurements(struct policy_reader *r, const json_t *value, void *to,
			     uint64_t detail)
{
	struct cvtpm_policy *policy = to;
	struct policy_items items;

	(void)detail;
	CVTPM_TRY(policy_read_items(r, value, MEASUREMENTS_MAX,
				    sizeof(struct cvtpm_allowed_measurement), read_measurement,
				    &items));
	policy->measurements = items.first;
	policy->measurement_count = items.count;
	return 0;
}

/* ---- bits ---- */

static int read_guest_bits(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	uint64_t bits = 0;

	CVTPM_TRY(policy_read_words(r, value, policy_guest_bits, false, &bits));
	if (bits & detail)
		return policy_fail(r,
				   "\"debug\" and \"migration\" can be forbidden (they are unless "
				   "allow_debug or allow_migration is true), not required");
	*(uint64_t *)to = bits;
	return 0;
}

static int read_platform_bits(struct policy_reader *r, const json_t *value, void *to,
			      uint64_t detail)
{
	(void)detail;
	return policy_read_words(r, value, policy_platform_bits, true, to);
}

static int read_abi(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_policy *policy = to;
	uint8_t parts[2];

	(void)detail;
	CVTPM_TRY(policy_read_dotted(r, value, 2, parts));
	policy->abi_major = parts[0];
	policy->abi_minor = parts[1];
	return 0;
}

#define DEBUG_AND_MIGRATION ((1u << 19) | (1u << 18))

static const struct policy_member guest_members[] = {
	{"require", read_guest_bits, AT(guest_policy_require), DEBUG_AND_MIGRATION},
	{"forbid", read_guest_bits, AT(guest_policy_forbid), 0},
	{"minimum_abi", read_abi, 0, 0},
	{0},
};

static const struct policy_member platform_members[] = {
	{"require", read_platform_bits, AT(platform_require), 0},
	{"forbid", read_platform_bits, AT(platform_forbid), 0},
	{"unknown_bits", policy_read_refuse, AT(refuse_unknown_platform_bits), 0},
	{0},
};

static int contradiction(struct policy_reader *r, const struct policy_word *words, uint64_t both)
{
	char text[POLICY_WORDS_SIZE];

	if (!both)
		return 0;
	policy_words_text(text, words, both);
	return policy_fail(r, "%s is both required and forbidden", text);
}

int policy_read_guest_policy(struct policy_reader *r, const json_t *value, void *to,
			     uint64_t detail)
{
	struct cvtpm_policy *policy = to;

	(void)detail;
	CVTPM_TRY(policy_read_object(r, value, guest_members, policy));
	return contradiction(r, policy_guest_bits,
			     policy->guest_policy_require & policy->guest_policy_forbid);
}

int policy_read_platform(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_policy *policy = to;

	(void)detail;
	CVTPM_TRY(policy_read_object(r, value, platform_members, policy));
	return contradiction(r, policy_platform_bits,
			     policy->platform_require & policy->platform_forbid);
}

/* ---- firmware ---- */

static int read_part(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	uint32_t number = 0;

	CVTPM_TRY(policy_read_uint32(r, value, &number, detail));
	*(uint8_t *)to = (uint8_t)number;
	return 0;
}

#define PART(name, which)                                                                          \
	{                                                                                          \
		name, read_part, offsetof(struct cvtpm_tcb_minimum, part[CVTPM_TCB_##which]), 255  \
	}

static const struct policy_member turin_parts[] = {
	PART("fmc", FMC), PART("boot_loader", BOOT_LOADER), PART("tee", TEE),
	PART("snp", SNP), PART("microcode", MICROCODE),     {0},
};

/* Milan and Genoa have no FMC. Each part has to be named, so that none is forgotten. */
static int read_tcb(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	const struct policy_member *members =
		detail == CVTPM_PRODUCT_TURIN ? turin_parts : turin_parts + 1;
	struct cvtpm_tcb_minimum *minimum = to;

	CVTPM_TRY(policy_read_object(r, value, members, minimum));
	for (; members->key; members++)
		if (!json_object_get(value, members->key))
			return policy_fail(r, "\"%s\" is missing; 0 demands nothing of it",
					   members->key);
	minimum->given = true;
	return 0;
}

#define TCBS(product)                                                                              \
	{                                                                                          \
		{"current", read_tcb, CVTPM_TCB_CURRENT * sizeof(struct cvtpm_tcb_minimum),        \
		 product},                                                                         \
			{"reported", read_tcb,                                                     \
			 CVTPM_TCB_REPORTED * sizeof(struct cvtpm_tcb_minimum), product},          \
			{"committed", read_tcb,                                                    \
			 CVTPM_TCB_COMMITTED * sizeof(struct cvtpm_tcb_minimum), product},         \
			{"launch", read_tcb, CVTPM_TCB_LAUNCH * sizeof(struct cvtpm_tcb_minimum),  \
			 product},                                                                 \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}

static const struct policy_member tcb_members[CVTPM_PRODUCTS][CVTPM_TCB_KINDS + 1] = {
	[CVTPM_PRODUCT_MILAN] = TCBS(CVTPM_PRODUCT_MILAN),
	[CVTPM_PRODUCT_GENOA] = TCBS(CVTPM_PRODUCT_GENOA),
	[CVTPM_PRODUCT_TURIN] = TCBS(CVTPM_PRODUCT_TURIN),
};

static int read_product_tcbs(struct policy_reader *r, const json_t *value, void *to,
			     uint64_t detail)
{
	return policy_read_object(r, value, tcb_members[detail], to);
}

static const struct policy_member minimum_tcb_members[] = {
	{"Milan", read_product_tcbs, AT(minimum_tcb[CVTPM_PRODUCT_MILAN]), CVTPM_PRODUCT_MILAN},
	{"Genoa", read_product_tcbs, AT(minimum_tcb[CVTPM_PRODUCT_GENOA]), CVTPM_PRODUCT_GENOA},
	{"Turin", read_product_tcbs, AT(minimum_tcb[CVTPM_PRODUCT_TURIN]), CVTPM_PRODUCT_TURIN},
	{0},
};

int policy_read_minimum_tcb(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)detail;
	return policy_read_object(r, value, minimum_tcb_members, to);
}

static int read_version(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_firmware_minimum *minimum = to;
	uint8_t parts[3];

	(void)detail;
	CVTPM_TRY(policy_read_dotted(r, value, 3, parts));
	*minimum = (struct cvtpm_firmware_minimum){true, parts[0], parts[1], parts[2]};
	return 0;
}

static const struct policy_member firmware_members[] = {
	{"current", read_version, AT(minimum_current_firmware), 0},
	{"committed", read_version, AT(minimum_committed_firmware), 0},
	{0},
};

static const struct policy_member mitigation_members[] = {
	{"launch", policy_read_vector, AT(launch_mitigations), 0},
	{"current", policy_read_vector, AT(current_mitigations), 0},
	{0},
};

int policy_read_firmware(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)detail;
	return policy_read_object(r, value, firmware_members, to);
}

int policy_read_mitigations(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)detail;
	return policy_read_object(r, value, mitigation_members, to);
}

/* ---- products, keys, chips ---- */

int policy_read_products(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)detail;
	return policy_read_word_set(r, value, policy_products, to);
}

int policy_read_signing_keys(struct policy_reader *r, const json_t *value, void *to,
			     uint64_t detail)
{
	(void)detail;
	return policy_read_word_set(r, value, policy_signing_keys, to);
}

/* 64 bytes, or Turin's 8, which stand before zeros. */
static int read_chip(struct policy_reader *r, const json_t *value,
		     const struct policy_items *before, void *chip)
{
	const char *hex = json_string_value(value);
	size_t digits = hex ? strlen(hex) : 0;

	(void)before;
	if (digits != 16 && digits != 2 * CHIP_ID_SIZE)
		return policy_fail(
			r, "must be a string of 128 hexadecimal digits, or of 16 for Turin");
	CVTPM_TRY(policy_parse_hex(r, hex, chip, digits / 2));
	if (cvtpm_is_zero(chip, CHIP_ID_SIZE))
		return policy_fail(r, "is zero, which is what a masked chip shows");
	return 0;
}

int policy_read_chips(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_values *values = to;
	struct policy_items items;

	(void)detail;
	CVTPM_TRY(policy_read_items(r, value, CHIPS_MAX, CHIP_ID_SIZE, read_chip, &items));
	*values = (struct cvtpm_values){
		.bytes = items.first, .size = items.size, .count = items.count};
	return 0;
}

/* Digests of keys: all zero means that there is no key. */
int policy_read_key_digests(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_values *values = to;

	CVTPM_TRY(policy_read_values(r, value, to, detail));
	for (size_t i = 0; i < values->count; i++) {
		policy_enter(r, NULL, i);
		if (cvtpm_is_zero(values->bytes + i * values->size, values->size))
			return policy_fail(r,
					   "is zero, which a report shows where there is no key");
		policy_leave(r);
	}
	return 0;
}
