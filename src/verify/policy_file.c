/*
 * A policy file (docs/policy.md): which members it may have, which of them need or
 * exclude each other, and the policy's memory. What the members hold is read by
 * policy_report.c, policy_certificates.c and policy_quote.c; what the rules mean is in
 * rules.c.
 */
#include "cvtpm/err.h"
#include "cvtpm/policy.h"
#include "verify/checks.h"
#include "verify/policy_members.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What cvtpm_policy_free() is given points to the first member. */
struct loaded_policy {
	struct cvtpm_policy policy;
	struct policy_block *blocks;
};

#define AT(member) offsetof(struct cvtpm_policy, member)

static int read_format(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)to;
	if (!json_is_integer(value) || json_integer_value(value) != (json_int_t)detail)
		return policy_fail(r, "must be %u: no other format is known", (unsigned)detail);
	return 0;
}

static const struct policy_member policy_members[] = {
	{"version", read_format, 0, 1},
	{"measurements", policy_read_measurements, 0, 0},
	{"vmpl", policy_read_uint32, AT(vmpl), 3},
	{"allow_debug", policy_read_bool, AT(allow_debug), 0},
	{"allow_migration", policy_read_bool, AT(allow_migration), 0},
	{"guest_policy", policy_read_guest_policy, 0, 0},
	{"platform_info", policy_read_platform, 0, 0},
	{"products", policy_read_products, AT(products), 0},
	{"minimum_tcb", policy_read_minimum_tcb, 0, 0},
	{"committed_below_current", policy_read_refuse, AT(refuse_committed_below_current), 0},
	{"minimum_firmware", policy_read_firmware, 0, 0},
	{"mitigation_vectors", policy_read_mitigations, 0, 0},
	{"signing_keys", policy_read_signing_keys, AT(signing_keys), 0},
	{"chip_ids", policy_read_chips, AT(chip_ids), 0},
	{"require_crl", policy_read_bool, AT(require_crl), 0},
	{"minimum_guest_svn", policy_read_uint32, AT(minimum_guest_svn), UINT32_MAX},
	{"host_data", policy_read_values, AT(host_data), 32},
	{"family_ids", policy_read_values, AT(family_ids), 16},
	{"image_ids", policy_read_values, AT(image_ids), 16},
	{"id_key_digests", policy_read_key_digests, AT(id_key_digests), 48},
	{"author_key_digests", policy_read_key_digests, AT(author_key_digests), 48},
	{"report_ids", policy_read_values, AT(report_ids), 32},
	{"ek", policy_read_ek, 0, 0},
	{"quote", policy_read_required, AT(require_quote), 0},
	{"pcrs", policy_read_pcrs, 0, 0},
	{"event_log", policy_read_event_log, 0, 0},
	{"lab_roots", policy_read_lab_roots, 0, 0},
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
		copy = policy_copy(&reader, name);
	}
	if (text && copy) {
		memcpy(text, json, len);
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
