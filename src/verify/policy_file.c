/*
 * The schema of a policy file (docs/policy.md): one table for each object, and a
 * short reader for each kind of value. What the rules mean is in rules.c.
 */
#include "cvtpm/err.h"
#include "cvtpm/policy.h"
#include "cvtpm/tpm_evidence.h"
#include "verify/certs.h"
#include "verify/checks.h"
#include "verify/policy_json.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEASUREMENTS_MAX 4096
#define FILES_MAX        32
#define NAMED_FILE_MAX   65536
#define DENIED_MAX       4096

/* What cvtpm_policy_free() is given points to the first member. */
struct loaded_policy {
	struct cvtpm_policy policy;
	struct policy_block *blocks;
};

#define AT(member) offsetof(struct cvtpm_policy, member)

/* ---- measurements ---- */

static int read_name(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	const char *text = policy_read_string(r, value, (size_t)detail);
	char *copy;

	if (!text)
		return CVTPM_ERR_FORMAT;
	copy = policy_alloc(r, 1, strlen(text) + 1);
	if (!copy)
		return CVTPM_ERR_NO_MEMORY;
	strcpy(copy, text);
	*(const char **)to = copy;
	return 0;
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
			    struct cvtpm_allowed_measurement *list, size_t i)
{
	CVTPM_TRY(policy_read_object(r, value, measurement_members, &list[i]));
	if (!json_object_get(value, "digest"))
		return policy_fail(r, "\"digest\" is missing");
	if (!json_object_get(value, "isolation"))
		return policy_fail(r,
				   "\"isolation\" is missing: write \"svsm\" where the image keeps "
				   "the guest's kernel away from its TPM, else \"process\"");
	for (size_t k = 0; k < i; k++)
		if (!memcmp(list[k].digest, list[i].digest, SNP_MEASUREMENT_SIZE))
			return policy_fail(r, "the same digest as item %zu", k);
	return 0;
}

static int read_measurements(struct policy_reader *r, const json_t *value, void *to,
			     uint64_t detail)
{
	struct cvtpm_policy *policy = to;
	struct cvtpm_allowed_measurement *list;
	size_t count;

	(void)detail;
	CVTPM_TRY(policy_read_list(r, value, MEASUREMENTS_MAX, &count));
	list = policy_alloc(r, count, sizeof(*list));
	if (!list)
		return CVTPM_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		policy_enter(r, NULL, i);
		CVTPM_TRY(read_measurement(r, json_array_get(value, i), list, i));
		policy_leave(r);
	}
	policy->measurements = list;
	policy->measurement_count = count;
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

static int read_guest_policy(struct policy_reader *r, const json_t *value, void *to,
			     uint64_t detail)
{
	struct cvtpm_policy *policy = to;

	(void)detail;
	CVTPM_TRY(policy_read_object(r, value, guest_members, policy));
	return contradiction(r, policy_guest_bits,
			     policy->guest_policy_require & policy->guest_policy_forbid);
}

static int read_platform(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
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

static int read_minimum_tcb(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
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

static int read_firmware(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)detail;
	return policy_read_object(r, value, firmware_members, to);
}

static int read_mitigations(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)detail;
	return policy_read_object(r, value, mitigation_members, to);
}

/* ---- products, keys, chips ---- */

static int read_words_unsigned(struct policy_reader *r, const json_t *value,
			       const struct policy_word *words, void *to)
{
	uint64_t bits = 0;

	CVTPM_TRY(policy_read_words(r, value, words, false, &bits));
	*(unsigned *)to = (unsigned)bits;
	return 0;
}

static int read_products(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)detail;
	return read_words_unsigned(r, value, policy_products, to);
}

static int read_signing_keys(struct policy_reader *r, const json_t *value, void *to,
			     uint64_t detail)
{
	(void)detail;
	return read_words_unsigned(r, value, policy_signing_keys, to);
}

static int read_ek_algorithms(struct policy_reader *r, const json_t *value, void *to,
			      uint64_t detail)
{
	(void)detail;
	return read_words_unsigned(r, value, policy_ek_algorithms, to);
}

#define CHIP_ID_SIZE 64

static bool all_zero(const uint8_t *bytes, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= bytes[i];
	return !any;
}

/* 64 bytes, or Turin's 8, which stand before zeros. */
static int read_chip(struct policy_reader *r, const json_t *value, uint8_t *chip)
{
	const char *hex = json_string_value(value);
	size_t digits = hex ? strlen(hex) : 0;

	if (digits != 16 && digits != 2 * CHIP_ID_SIZE)
		return policy_fail(
			r, "must be a string of 128 hexadecimal digits, or of 16 for Turin");
	CVTPM_TRY(policy_parse_hex(r, hex, chip, digits / 2));
	if (all_zero(chip, CHIP_ID_SIZE))
		return policy_fail(r, "is zero, which is what a masked chip shows");
	return 0;
}

static int read_chips(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_values *values = to;
	uint8_t *chips;
	size_t count;

	(void)detail;
	CVTPM_TRY(policy_read_list(r, value, 65536, &count));
	chips = policy_alloc(r, count, CHIP_ID_SIZE);
	if (!chips)
		return CVTPM_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		policy_enter(r, NULL, i);
		CVTPM_TRY(read_chip(r, json_array_get(value, i), chips + i * CHIP_ID_SIZE));
		policy_leave(r);
	}
	*values = (struct cvtpm_values){.bytes = chips, .size = CHIP_ID_SIZE, .count = count};
	return 0;
}

/* Digests of keys: all zero means that there is no key. */
static int read_key_digests(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_values *values = to;

	CVTPM_TRY(policy_read_values(r, value, to, detail));
	for (size_t i = 0; i < values->count; i++) {
		policy_enter(r, NULL, i);
		if (all_zero(values->bytes + i * values->size, values->size))
			return policy_fail(r,
					   "is zero, which a report shows where there is no key");
		policy_leave(r);
	}
	return 0;
}

/* ---- files that a policy names ---- */

static uint8_t *read_file(struct policy_reader *r, const char *path, size_t *len)
{
	char full[4096];
	uint8_t *bytes;
	FILE *file;

	if (!r->dir) {
		policy_fail(r, "a file cannot be named here");
		return NULL;
	}
	if (snprintf(full, sizeof(full), "%s%s%s", *path == '/' ? "" : r->dir,
		     *path == '/' ? "" : "/", path) >= (int)sizeof(full)) {
		policy_fail(r, "too long a path");
		return NULL;
	}
	bytes = policy_alloc(r, 1, NAMED_FILE_MAX + 1);
	file = bytes ? fopen(full, "rbe") : NULL;
	if (!file) {
		if (bytes)
			policy_fail(r, "cannot open %.200s: %s", full, strerror(errno));
		return NULL;
	}
	*len = fread(bytes, 1, NAMED_FILE_MAX + 1, file);
	if (ferror(file)) {
		policy_fail(r, "cannot read %.200s: %s", full, strerror(errno));
		bytes = NULL;
	}
	(void)fclose(file);
	return bytes;
}

/* A file with exactly one certificate, and its fingerprint. */
static int read_certificate_file(struct policy_reader *r, const json_t *value,
				 struct cvtpm_bytes *out, uint8_t fingerprint[32])
{
	const char *path = policy_read_string(r, value, 1024), *why = "not one certificate";
	struct cert_list certs = {.count = 0};
	char *name;
	unsigned len = 0;
	bool one;

	if (!path)
		return CVTPM_ERR_FORMAT;
	out->data = read_file(r, path, &out->len);
	if (!out->data)
		return CVTPM_ERR_IO;
	name = policy_alloc(r, 1, strlen(path) + 1);
	if (!name)
		return CVTPM_ERR_NO_MEMORY;
	strcpy(name, path);
	out->name = name;
	one = out->len <= NAMED_FILE_MAX && !certs_add(&certs, out, &why) && certs.count == 1;
	one = one && X509_digest(certs.certs[0], EVP_sha256(), fingerprint, &len) == 1;
	certs_free(&certs);
	ERR_clear_error();
	return one ? 0 : policy_fail(r, "%.200s is not one certificate, PEM or DER", path);
}

static int read_lab_roots(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_policy *policy = to;
	struct cvtpm_bytes *roots;
	uint8_t fingerprint[32];
	size_t count;

	(void)detail;
	CVTPM_TRY(policy_read_list(r, value, FILES_MAX, &count));
	roots = policy_alloc(r, count, sizeof(*roots));
	if (!roots)
		return CVTPM_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		policy_enter(r, NULL, i);
		CVTPM_TRY(
			read_certificate_file(r, json_array_get(value, i), &roots[i], fingerprint));
		policy_leave(r);
	}
	policy->lab_roots = roots;
	policy->lab_root_count = count;
	return 0;
}

/* ---- the EK ---- */

static int read_issuer_fingerprint(struct policy_reader *r, const json_t *value, void *to,
				   uint64_t detail)
{
	struct cvtpm_ek_issuer *issuer = to;

	(void)detail;
	return policy_read_hex(r, value, issuer->fingerprint, 32);
}

static int read_issuer_file(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_ek_issuer *issuer = to;

	(void)detail;
	return read_certificate_file(r, value, &issuer->certificate, issuer->fingerprint);
}

static const struct policy_member issuer_members[] = {
	{"fingerprint", read_issuer_fingerprint, 0, 0},
	{"file", read_issuer_file, 0, 0},
	{0},
};

static int read_issuers(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_policy *policy = to;
	struct cvtpm_ek_issuer *list;
	size_t count;

	(void)detail;
	CVTPM_TRY(policy_read_list(r, value, FILES_MAX, &count));
	list = policy_alloc(r, count, sizeof(*list));
	if (!list)
		return CVTPM_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_array_get(value, i);

		policy_enter(r, NULL, i);
		CVTPM_TRY(policy_read_object(r, item, issuer_members, &list[i]));
		if (!json_object_get(item, "file") == !json_object_get(item, "fingerprint"))
			return policy_fail(r, "must have either \"file\" or \"fingerprint\"");
		policy_leave(r);
	}
	policy->ek_issuers = list;
	policy->ek_issuer_count = count;
	return 0;
}

static const struct policy_member ek_members[] = {
	{"certificate_report", policy_read_required, AT(require_ek_cert), 0},
	{"algorithms", read_ek_algorithms, AT(ek_algorithms), 0},
	{"issuers", read_issuers, 0, 0},
	{0},
};

static int read_ek(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)detail;
	return policy_read_object(r, value, ek_members, to);
}

/* ---- PCRs and event logs ---- */

/* A PCR's number as it is written: no sign, no leading zero. */
static bool read_pcr_number(const char *text, uint32_t *pcr)
{
	char again[8];

	if (strlen(text) > 2 || sscanf(text, "%2u", pcr) != 1 || *pcr >= CVTPM_PCR_COUNT)
		return false;
	snprintf(again, sizeof(again), "%u", *pcr);
	return !strcmp(again, text);
}

static int read_bank(struct policy_reader *r, const json_t *value, uint16_t alg,
		     struct cvtpm_pcr_rule *rules, size_t *count)
{
	json_t *bank = (json_t *)(uintptr_t)value, *item;
	size_t ordinal = 0;
	const char *key;

	if (!json_is_object(value))
		return policy_fail(r, "must be an object of PCRs, {\"0\": [...]}");
	json_object_foreach(bank, key, item)
	{
		struct cvtpm_pcr_rule *rule = &rules[*count];

		policy_enter(r, key, ordinal++);
		if (policy_is_comment(key)) {
			CVTPM_TRY(policy_check_comment(r, item));
		} else {
			rule->alg = alg;
			if (!read_pcr_number(key, &rule->pcr))
				return policy_fail(r,
						   "must be the number of a PCR, \"0\" to \"%d\"",
						   CVTPM_PCR_COUNT - 1);
			CVTPM_TRY(policy_read_values(r, item, &rule->allowed,
						     cvtpm_tpm_digest_size(alg)));
			++*count;
		}
		policy_leave(r);
	}
	return 0;
}

static int read_pcrs(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	json_t *banks = (json_t *)(uintptr_t)value, *item;
	struct cvtpm_policy *policy = to;
	struct cvtpm_pcr_rule *rules;
	size_t ordinal = 0, count = 0;
	const char *key;

	(void)detail;
	if (!json_is_object(value))
		return policy_fail(r, "must be an object of banks, {\"sha256\": {...}}");
	rules = policy_alloc(r, (size_t)4 * CVTPM_PCR_COUNT, sizeof(*rules));
	if (!rules)
		return CVTPM_ERR_NO_MEMORY;
	json_object_foreach(banks, key, item)
	{
		const struct policy_word *bank = policy_hashes;

		policy_enter(r, key, ordinal++);
		if (policy_is_comment(key)) {
			CVTPM_TRY(policy_check_comment(r, item));
			policy_leave(r);
			continue;
		}
		while (bank->word && strcmp(bank->word, key) != 0)
			bank++;
		if (!bank->word)
			return policy_fail(r, "must be a bank: sha1, sha256, sha384 or sha512");
		CVTPM_TRY(read_bank(r, item, (uint16_t)bank->value, rules, &count));
		policy_leave(r);
	}
	policy->pcrs = rules;
	policy->pcr_count = count;
	return 0;
}

/* "sha256:HEX" */
static int read_denied_event(struct policy_reader *r, const json_t *value,
			     struct cvtpm_denied_event *event)
{
	const struct policy_word *hash = policy_hashes;
	const char *text = json_string_value(value), *colon = text ? strchr(text, ':') : NULL;

	while (colon && hash->word &&
	       (strlen(hash->word) != (size_t)(colon - text) ||
		strncmp(hash->word, text, (size_t)(colon - text)) != 0))
		hash++;
	if (!colon || !hash->word)
		return policy_fail(r, "must be a string \"HASH:DIGEST\", as \"sha256:01ab...\"");
	event->alg = (uint16_t)hash->value;
	event->size = cvtpm_tpm_digest_size(event->alg);
	return policy_parse_hex(r, colon + 1, event->digest, event->size);
}

static int read_denied(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_policy *policy = to;
	struct cvtpm_denied_event *list;
	size_t count;

	(void)detail;
	CVTPM_TRY(policy_read_list(r, value, DENIED_MAX, &count));
	list = policy_alloc(r, count, sizeof(*list));
	if (!list)
		return CVTPM_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		policy_enter(r, NULL, i);
		CVTPM_TRY(read_denied_event(r, json_array_get(value, i), &list[i]));
		policy_leave(r);
	}
	policy->event_log.denied = list;
	policy->event_log.denied_count = count;
	return 0;
}

static const struct policy_member event_log_members[] = {
	{"tcg", policy_read_required, AT(event_log.require_tcg), 0},
	{"ima", policy_read_required, AT(event_log.require_ima), 0},
	{"secure_boot", policy_read_required, AT(event_log.require_secure_boot), 0},
	{"deny", read_denied, 0, 0},
	{0},
};

static int read_event_log(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)detail;
	return policy_read_object(r, value, event_log_members, to);
}

/* ---- the whole ---- */

static int read_format(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)to;
	if (!json_is_integer(value) || json_integer_value(value) != (json_int_t)detail)
		return policy_fail(r, "must be %u: no other format is known", (unsigned)detail);
	return 0;
}

static const struct policy_member policy_members[] = {
	{"version", read_format, 0, 1},
	{"measurements", read_measurements, 0, 0},
	{"vmpl", policy_read_uint32, AT(vmpl), 3},
	{"allow_debug", policy_read_bool, AT(allow_debug), 0},
	{"allow_migration", policy_read_bool, AT(allow_migration), 0},
	{"guest_policy", read_guest_policy, 0, 0},
	{"platform_info", read_platform, 0, 0},
	{"products", read_products, AT(products), 0},
	{"minimum_tcb", read_minimum_tcb, 0, 0},
	{"committed_below_current", policy_read_refuse, AT(refuse_committed_below_current), 0},
	{"minimum_firmware", read_firmware, 0, 0},
	{"mitigation_vectors", read_mitigations, 0, 0},
	{"signing_keys", read_signing_keys, AT(signing_keys), 0},
	{"chip_ids", read_chips, AT(chip_ids), 0},
	{"require_crl", policy_read_bool, AT(require_crl), 0},
	{"minimum_guest_svn", policy_read_uint32, AT(minimum_guest_svn), UINT32_MAX},
	{"host_data", policy_read_values, AT(host_data), 32},
	{"family_ids", policy_read_values, AT(family_ids), 16},
	{"image_ids", policy_read_values, AT(image_ids), 16},
	{"id_key_digests", read_key_digests, AT(id_key_digests), 48},
	{"author_key_digests", read_key_digests, AT(author_key_digests), 48},
	{"report_ids", policy_read_values, AT(report_ids), 32},
	{"ek", read_ek, 0, 0},
	{"quote", policy_read_required, AT(require_quote), 0},
	{"pcrs", read_pcrs, 0, 0},
	{"event_log", read_event_log, 0, 0},
	{"lab_roots", read_lab_roots, 0, 0},
	{0},
};

/* Rules that need each other, or exclude each other. */
static int check_together(struct policy_reader *r, const json_t *root, struct cvtpm_policy *policy)
{
	const struct cvtpm_event_log_policy *log = &policy->event_log;
	bool needs_quote = policy->pcr_count || log->require_tcg || log->require_ima ||
			   log->require_secure_boot || log->denied_count;

	if (policy->allow_debug && policy->guest_policy_forbid & (1u << 19))
		return policy_fail(r, "allow_debug is true, and guest_policy forbids \"debug\"");
	if (policy->allow_migration && policy->guest_policy_forbid & (1u << 18))
		return policy_fail(
			r, "allow_migration is true, and guest_policy forbids \"migration\"");
	if (needs_quote && json_object_get(root, "quote") && !policy->require_quote)
		return policy_fail(r, "quote is \"optional\", but pcrs and event_log prove nothing "
				      "without one");
	if (needs_quote)
		policy->require_quote = true;
	if (log->denied_count && !log->require_tcg && !log->require_ima)
		return policy_fail(r, "event_log.deny needs event_log.tcg or event_log.ima to be "
				      "\"required\": no log, no denied event");
	if (log->require_secure_boot && !log->require_tcg)
		return policy_fail(r,
				   "event_log.secure_boot needs event_log.tcg to be \"required\"");
	for (int i = CVTPM_PRODUCT_MILAN; i < CVTPM_PRODUCTS; i++)
		if (policy->products && !(policy->products >> i & 1) &&
		    json_object_get(json_object_get(root, "minimum_tcb"),
				    policy_word_of(policy_products, 1u << i)))
			return policy_fail(r, "minimum_tcb has %s, which products does not allow",
					   policy_word_of(policy_products, 1u << i));
	return 0;
}

static int syntax_error(struct policy_reader *r, const json_error_t *error)
{
	char raw[CVTPM_POLICY_ERROR_SIZE];

	snprintf(raw, sizeof(raw), "%.100s, line %d: %s", r->name,
		 error->line > 0 ? error->line : 1, error->text);
	escape_text(r->error, CVTPM_POLICY_ERROR_SIZE, raw, strlen(raw));
	return CVTPM_ERR_FORMAT;
}

static int parse(struct policy_reader *r, struct cvtpm_policy *policy)
{
	json_error_t error;
	json_t *root;
	int result;

	if (memchr(r->text, 0, r->len))
		return policy_fail(r, "a zero byte: this is not JSON");
	root = json_loadb(r->text, r->len, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		return syntax_error(r, &error);
	result = policy_read_object(r, root, policy_members, policy);
	if (!result)
		result = check_together(r, root, policy);
	json_decref(root);
	return result;
}

int cvtpm_policy_read(const char *json, size_t len, const char *name, const char *dir,
		      struct cvtpm_policy **policy, char error[CVTPM_POLICY_ERROR_SIZE])
{
	struct policy_reader reader = {.name = name, .dir = dir, .error = error};
	struct loaded_policy *loaded = calloc(1, sizeof(*loaded));
	int result = CVTPM_ERR_NO_MEMORY;
	char *text = NULL, *copy = NULL;

	*policy = NULL;
	error[0] = 0;
	if (len > CVTPM_POLICY_MAX_SIZE) {
		snprintf(error, CVTPM_POLICY_ERROR_SIZE, "the policy is larger than %zu bytes",
			 CVTPM_POLICY_MAX_SIZE);
		free(loaded);
		return CVTPM_ERR_FORMAT;
	}
	if (loaded) {
		text = policy_alloc(&reader, 1, len + 1);
		copy = policy_alloc(&reader, 1, strlen(name) + 1);
	}
	if (text && copy) {
		memcpy(text, json, len);
		strcpy(copy, name);
		reader.text = text;
		reader.len = len;
		result = parse(&reader, &loaded->policy);
	} else {
		snprintf(error, CVTPM_POLICY_ERROR_SIZE, "out of memory");
	}
	if (result) {
		policy_free_blocks(reader.blocks);
		free(loaded);
		return result;
	}
	loaded->policy.name = copy;
	loaded->blocks = reader.blocks;
	*policy = &loaded->policy;
	return 0;
}

void cvtpm_policy_free(struct cvtpm_policy *policy)
{
	struct loaded_policy *loaded = (struct loaded_policy *)policy;

	if (!loaded)
		return;
	policy_free_blocks(loaded->blocks);
	free(loaded);
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

int cvtpm_policy_load(const char *path, struct cvtpm_policy **policy,
		      char error[CVTPM_POLICY_ERROR_SIZE])
{
	char *text = malloc(CVTPM_POLICY_MAX_SIZE + 1), *dir = folder_of(path), name[300];
	FILE *file = text && dir ? fopen(path, "rbe") : NULL;
	int result = CVTPM_ERR_IO;
	size_t len;

	*policy = NULL;
	escape_text(name, sizeof(name), path, strlen(path));
	if (!text || !dir) {
		snprintf(error, CVTPM_POLICY_ERROR_SIZE, "%s: out of memory", name);
		result = CVTPM_ERR_NO_MEMORY;
	} else if (!file) {
		snprintf(error, CVTPM_POLICY_ERROR_SIZE, "cannot open %s: %s", name,
			 strerror(errno));
	} else {
		len = fread(text, 1, CVTPM_POLICY_MAX_SIZE + 1, file);
		if (ferror(file))
			snprintf(error, CVTPM_POLICY_ERROR_SIZE, "cannot read %s: %s", name,
				 strerror(errno));
		else
			result = cvtpm_policy_read(text, len, path, dir, policy, error);
	}
	if (file)
		(void)fclose(file);
	free(text);
	free(dir);
	return result;
}
