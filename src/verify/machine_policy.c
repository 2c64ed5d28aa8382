/*
 * What a policy wants of the TPM's side. Values and logs count only where a
 * quote that answers this verifier proves them; without one: could not tell.
 */
#include "cvtpm/err.h"
#include "verify/checks.h"
#include "verify/machine.h"

#include <stdlib.h>
#include <string.h>

static const char about[] = "policy";

/* ---- PCR values ---- */

/* The proven value, or NULL. */
static const uint8_t *proven_value(const struct quoted_pcrs *quoted, uint16_t alg, uint32_t pcr)
{
	const struct cvtpm_bank_values *bank = cvtpm_pcrs_bank(&quoted->values, alg);

	if (!quoted->proven || !bank || !(bank->given >> pcr & 1) ||
	    cvtpm_quote_check_covers(&quoted->quote, alg, 1u << pcr))
		return NULL;
	return bank->value[pcr];
}

static bool is_among(const struct cvtpm_values *allowed, const uint8_t *value)
{
	for (size_t i = 0; i < allowed->count; i++)
		if (!memcmp(allowed->bytes + i * allowed->size, value, allowed->size))
			return true;
	return false;
}

static void check_pcr(const struct cvtpm_pcr_rule *rule, const struct quoted_pcrs *quoted,
		      struct cvtpm_verification *v)
{
	const uint8_t *value = proven_value(quoted, rule->alg, rule->pcr);
	size_t size = cvtpm_tpm_digest_size(rule->alg);
	char text[2 * CVTPM_TPM_DIGEST_MAX + 1];
	bool good = value && rule->allowed.size == size && is_among(&rule->allowed, value);
	struct cvtpm_check *c = check_add(v, about, "pcr", "PCR value",
					  !value ? CVTPM_CHECK_UNKNOWN
					  : good ? CVTPM_CHECK_OK
						 : CVTPM_CHECK_REFUSED,
					  "what was measured into it is what you expect");

	if (rule->allowed.count == 1 && rule->allowed.size <= CVTPM_TPM_DIGEST_MAX) {
		hex_text(text, rule->allowed.bytes, rule->allowed.size);
		check_expected(c, "PCR %u (%s) %s", rule->pcr, cvtpm_tpm_hash_name(rule->alg),
			       text);
	} else {
		check_expected(c, "PCR %u (%s) one of the %zu of the policy", rule->pcr,
			       cvtpm_tpm_hash_name(rule->alg), rule->allowed.count);
	}
	if (!value) {
		check_found(c, "no value that a quote proves");
		return;
	}
	hex_text(text, value, size);
	check_found(c, "%s", text);
}

/* ---- the logs that have to be there ---- */

static void check_required(const char *title, bool given, uint32_t wanted,
			   const struct quoted_pcrs *quoted, struct cvtpm_verification *v)
{
	uint32_t missing = wanted & ~quoted->explained;
	char list[PCR_LIST_SIZE];
	struct cvtpm_check *c = check_add(v, about, "event-log-required", title,
					  given && !missing ? CVTPM_CHECK_OK : CVTPM_CHECK_UNKNOWN,
					  "the policy wants it");

	check_expected(c, "replayed to quoted PCRs %s", pcr_list_text(list, wanted));
	if (!given)
		check_found(c, "it was not given");
	else if (missing)
		check_found(c, "not for PCRs %s", pcr_list_text(list, missing));
	else
		check_found(c, "so");
}

/* ---- what is in them ---- */

struct findings {
	const struct cvtpm_event_log_policy *policy;
	struct cvtpm_verification *v;
	size_t secure_boot_on, secure_boot_off;
	size_t denied;
};

#define EV_EFI_VARIABLE_DRIVER_CONFIG 0x80000001u

/* UEFI_VARIABLE_DATA (TCG PC Client PFP, 10.4.3) of EFI_GLOBAL_VARIABLE's SecureBoot, up to its
 * one byte of data: identifier, lengths of name and data, name. */
static const uint8_t secure_boot_variable[] = {
	0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98,
	0x03, 0x2b, 0x8c, 10,   0,    0,    0,    0,    0,    0,    0,    1,    0,
	0,    0,    0,    0,    0,    0,    'S',  0,    'e',  0,    'c',  0,    'u',
	0,    'r',  0,    'e',  0,    'B',  0,    'o',  0,    'o',  0,    't',  0};

static void note_secure_boot(struct findings *f, const struct cvtpm_log_event *event)
{
	const size_t prefix = sizeof(secure_boot_variable);
	enum cvtpm_event_data data;

	/* Without its data the variable does not exist: then the length says 0. */
	if (event->type != EV_EFI_VARIABLE_DRIVER_CONFIG || event->pcr != 7 ||
	    event->data.len < prefix || memcmp(event->data.data, secure_boot_variable, 16) != 0 ||
	    memcmp(event->data.data + 32, secure_boot_variable + 32, prefix - 32) != 0)
		return;
	if (event->data.len == prefix + 1 && event->data.data[prefix] == 1 &&
	    !memcmp(event->data.data, secure_boot_variable, prefix) &&
	    !cvtpm_log_check_data(event, &data) && data == CVTPM_EVENT_DATA_MATCHES)
		f->secure_boot_on++;
	else
		f->secure_boot_off++;
}

static bool is_file_digest(const struct cvtpm_log_event *event, const struct cvtpm_denied_event *d)
{
	const struct cvtpm_span *name = &event->file_digest_name, *digest = &event->file_digest;
	const char *hash = cvtpm_tpm_hash_name(d->alg);
	char text[2 * CVTPM_TPM_DIGEST_MAX + 1];

	if (name->len != strlen(hash) || memcmp(name->data, hash, name->len) != 0)
		return false;
	if (digest->len == d->size)
		return !memcmp(digest->data, d->digest, d->size);
	hex_text(text, d->digest, d->size);
	return digest->len == 2 * d->size && !memcmp(digest->data, text, digest->len);
}

static bool is_denied(const struct cvtpm_log_event *event, const struct cvtpm_denied_event *d)
{
	if (event->file_digest.data)
		return is_file_digest(event, d);
	for (size_t i = 0; i < event->bank_count; i++)
		if (event->bank[i].alg == d->alg && event->bank[i].size == d->size &&
		    event->bank[i].digest && !memcmp(event->bank[i].digest, d->digest, d->size))
			return true;
	return false;
}

#define DENIED_NAMED_MAX 8

static void note_denied(struct findings *f, const struct cvtpm_log_event *event, const char *log)
{
	char text[2 * CVTPM_TPM_DIGEST_MAX + 1];
	struct cvtpm_check *c;

	for (size_t i = 0; i < f->policy->denied_count; i++) {
		const struct cvtpm_denied_event *d = &f->policy->denied[i];

		if (!is_denied(event, d) || f->denied++ >= DENIED_NAMED_MAX)
			continue;
		c = check_add(f->v, log, "event-log-denied", "entries that are denied",
			      CVTPM_CHECK_REFUSED, "the policy denies what was measured");
		hex_text(text, d->digest, d->size);
		check_expected(c, "no %s %s", cvtpm_tpm_hash_name(d->alg), text);
		check_found(c, "entry %zu in PCR %u", event->number, event->pcr);
	}
}

static void read_log(struct findings *f, struct cvtpm_log *log, const char *name)
{
	struct cvtpm_log_event *event = calloc(1, sizeof(*event));
	int result = event ? 0 : CVTPM_ERR_NO_MEMORY;
	struct cvtpm_check *c;

	while (!result && !(result = cvtpm_log_next(log, event))) {
		if (!event->extends)
			continue;
		note_denied(f, event, name);
		note_secure_boot(f, event);
	}
	free(event);
	if (result == CVTPM_ERR_NOT_FOUND)
		return;
	c = check_add(f->v, name, "event-log-denied", "entries that are denied",
		      CVTPM_CHECK_UNKNOWN, "what cannot be read may be anything");
	check_found(c, "not all of it can be read");
}

static void check_denied(const struct findings *f)
{
	struct cvtpm_check *c;

	if (!f->policy->denied_count || f->denied)
		return;
	c = check_add(f->v, about, "event-log-denied", "entries that are denied", CVTPM_CHECK_OK,
		      "the policy denies what was measured");
	check_expected(c, "none of %zu digests", f->policy->denied_count);
	check_found(c, "none");
}

static void check_secure_boot(const struct findings *f, const struct quoted_pcrs *quoted)
{
	bool proven = quoted->explained >> 7 & 1;
	bool good = proven && f->secure_boot_on && !f->secure_boot_off;
	struct cvtpm_check *c;

	if (!f->policy->require_secure_boot)
		return;
	c = check_add(f->v, about, "secure-boot", "Secure Boot",
		      !proven ? CVTPM_CHECK_UNKNOWN
		      : good  ? CVTPM_CHECK_OK
			      : CVTPM_CHECK_REFUSED,
		      "the firmware let only signed code start");
	check_expected(c, "on, by an entry of PCR 7");
	check_found(c, "%s",
		    !proven              ? "PCR 7 is not quoted and explained"
		    : f->secure_boot_off ? "off"
		    : f->secure_boot_on  ? "on"
					 : "no such entry");
}

static void check_contents(const struct cvtpm_machine *m, const struct cvtpm_policy *policy,
			   const struct quoted_pcrs *quoted, struct cvtpm_verification *v)
{
	struct findings f = {.policy = &policy->event_log, .v = v};
	struct cvtpm_log log;

	if (m->event_log.data && !cvtpm_log_open_tcg(&log, m->event_log.data, m->event_log.len))
		read_log(&f, &log, "event log");
	if (m->ima_log.data && !machine_open_ima(&log, &m->ima_log))
		read_log(&f, &log, "IMA log");
	check_denied(&f);
	check_secure_boot(&f, quoted);
}

void machine_check_policy(const struct cvtpm_machine *machine, const struct cvtpm_policy *policy,
			  const struct quoted_pcrs *quoted, struct cvtpm_verification *v)
{
	static const struct cvtpm_machine none;
	const struct cvtpm_machine *m = machine ? machine : &none;
	const struct cvtpm_event_log_policy *log = &policy->event_log;
	struct cvtpm_check *c;

	if (policy->require_quote) {
		c = check_add(v, about, "quote-required", "quote",
			      quoted->proven ? CVTPM_CHECK_OK : CVTPM_CHECK_UNKNOWN,
			      "the policy wants to know what the machine runs now");
		check_expected(c, "a quote that answers this verifier");
		check_found(c, "%s", quoted->proven ? "there is one" : "none that is proven");
	}
	for (size_t i = 0; i < policy->pcr_count; i++)
		check_pcr(&policy->pcrs[i], quoted, v);
	if (log->require_tcg)
		check_required("the firmware's event log", m->event_log.data, FIRMWARE_PCRS, quoted,
			       v);
	if (log->require_ima)
		check_required("the IMA list", m->ima_log.data, IMA_PCRS, quoted, v);
	if (log->denied_count || log->require_secure_boot)
		check_contents(m, policy, quoted, v);
}
