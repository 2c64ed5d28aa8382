/*
 * What a policy may demand of a quote: values of PCRs, and what the logs that explain
 * them show.
 */
#include "cvtpm/err.h"
#include "cvtpm/policy.h"
#include "cvtpm/tpm_evidence.h"
#include "verify/policy_members.h"

#include <stdio.h>
#include <string.h>

#define DENIED_MAX 4096

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

int policy_read_pcrs(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
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
		const struct policy_word *bank = policy_find_word(policy_hashes, key, strlen(key));

		policy_enter(r, key, ordinal++);
		if (policy_is_comment(key)) {
			CVTPM_TRY(policy_check_comment(r, item));
			policy_leave(r);
			continue;
		}
		if (!bank)
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
			     const struct policy_items *before, void *item)
{
	const char *text = json_string_value(value), *colon = text ? strchr(text, ':') : NULL;
	const struct policy_word *hash =
		colon ? policy_find_word(policy_hashes, text, (size_t)(colon - text)) : NULL;
	struct cvtpm_denied_event *event = item;

	(void)before;
	if (!hash)
		return policy_fail(r, "must be a string \"HASH:DIGEST\", as \"sha256:01ab...\"");
	event->alg = (uint16_t)hash->value;
	event->size = cvtpm_tpm_digest_size(event->alg);
	return policy_parse_hex(r, colon + 1, event->digest, event->size);
}

static int read_denied(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_policy *policy = to;
	struct policy_items items;

	(void)detail;
	CVTPM_TRY(policy_read_items(r, value, DENIED_MAX, sizeof(struct cvtpm_denied_event),
				    read_denied_event, &items));
	policy->event_log.denied = items.first;
	policy->event_log.denied_count = items.count;
	return 0;
}

static const struct policy_member event_log_members[] = {
	{"tcg", policy_read_required, offsetof(struct cvtpm_policy, event_log.require_tcg), 0},
	{"ima", policy_read_required, offsetof(struct cvtpm_policy, event_log.require_ima), 0},
	{"secure_boot", policy_read_required,
	 offsetof(struct cvtpm_policy, event_log.require_secure_boot), 0},
	{"deny", read_denied, 0, 0},
	{0},
};

int policy_read_event_log(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)detail;
	return policy_read_object(r, value, event_log_members, to);
}
