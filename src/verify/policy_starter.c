/*
 * A policy to begin with, from a report that is known to be good. JSON has no
 * comments: members called "_comment..." say what the ones behind them mean, and
 * hold what would tie the policy to one machine or one boot.
 */
#include "crypto/crypto.h"
#include "cvtpm/err.h"
#include "cvtpm/policy.h"
#include "verify/checks.h"
#include "verify/policy_names.h"
#include "verify/report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct starter {
	const struct cvtpm_policy_starter *from;
	struct snp_report report;
	enum cvtpm_product product;
	json_t *root;
	bool failed;
};

static void set(struct starter *s, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		s->failed = true;
}

static void append(struct starter *s, json_t *list, json_t *value)
{
	if (json_array_append_new(list, value))
		s->failed = true;
}

__attribute__((format(printf, 3, 4))) static void comment(struct starter *s, const char *key,
							  const char *format, ...)
{
	char raw[700], text[1000];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	escape_text(text, sizeof(text), raw, strlen(raw));
	set(s, s->root, key, json_string(text));
}

static json_t *hex(const uint8_t *bytes, size_t len)
{
	char text[2 * 64 + 1];

	hex_text(text, bytes, len);
	return json_string(text);
}

static json_t *words(struct starter *s, const struct policy_word *table, uint64_t bits)
{
	json_t *list = json_array();

	for (; table->word; table++)
		if (bits & table->value)
			append(s, list, json_string(table->word));
	return list;
}

/* A list of the words is left out where it would be empty. */
static void set_words(struct starter *s, json_t *object, const char *key,
		      const struct policy_word *table, uint64_t bits)
{
	if (bits)
		set(s, object, key, words(s, table, bits));
}

/* ---- the parts, in the order of the file ---- */

static void write_head(struct starter *s)
{
	comment(s, "_comment",
		"Made from %s. docs/policy.md explains every member; `cvtpm policy check FILE` "
		"says in sentences what this one means. Members that are left out are as strict "
		"as without a policy.",
		s->from->source ? s->from->source : "a report");
	set(s, s->root, "version", json_integer(1));
}

static void write_measurement(struct starter *s)
{
	const char *name = s->from->measurement_name;
	json_t *list = json_array(), *item = json_object();
	char text[100], raw[100];

	snprintf(raw, sizeof(raw), "the image of %.60s", s->from->source ? s->from->source : "");
	if (name)
		snprintf(raw, sizeof(raw), "%.90s", name);
	escape_text(text, sizeof(text), raw, strlen(raw));
	comment(s, "_comment_measurements",
		"The images that may run the TPM. isolation is yours to say, as no evidence can: "
		"svsm where the image keeps the guest's kernel away from its TPM, process where "
		"root of the guest can do what the TPM can.");
	set(s, item, "name", json_string(text));
	set(s, item, "digest", hex(s->report.measurement, SNP_MEASUREMENT_SIZE));
	set(s, item, "isolation",
	    json_string(policy_word_of(policy_isolations, s->from->isolation)));
	append(s, list, item);
	set(s, s->root, "measurements", list);
}

#define GUEST_RISKS     (1u << 16 | 1u << 18 | 1u << 19 | 1u << 21) /* smt, migration, debug, cxl */
#define GUEST_GUARDS    (0x3Fu << 20 & ~(1u << 21))
#define PLATFORM_GUARDS (1u << 3 | 1u << 4 | 1u << 5)

static bool has_agent(const struct snp_report *r)
{
	for (size_t i = 0; i < 32; i++)
		if (r->report_id_ma[i] != 0xFF)
			return true;
	return false;
}

static void write_guest(struct starter *s)
{
	const struct snp_report *r = &s->report;
	bool migration = r->policy & REPORT_POLICY_MIGRATE_MA || has_agent(r);
	uint64_t forbid = GUEST_RISKS & ~r->policy;
	json_t *object = json_object();
	char abi[16];

	if (r->vmpl <= 3)
		set(s, s->root, "vmpl", json_integer(r->vmpl));
	if (r->vmpl)
		comment(s, "_comment_vmpl",
			"Not 0: whoever runs at this level or above can ask for such a report.");
	set(s, s->root, "allow_debug", json_boolean(r->policy & REPORT_POLICY_DEBUG));
	if (r->policy & REPORT_POLICY_DEBUG)
		comment(s, "_comment_debug",
			"This guest may be debugged: its host can read the TPM's keys. Set it to "
			"false for anything that matters.");
	set(s, s->root, "allow_migration", json_boolean(migration));
	if (migration)
		forbid &= ~(uint64_t)REPORT_POLICY_MIGRATE_MA;
	comment(s, "_comment_guest_policy",
		"Bits of the guest policy: what this guest insists on is required, what it does "
		"not allow is forbidden. minimum_abi is that of its policy.");
	set_words(s, object, "require", policy_guest_bits, r->policy & GUEST_GUARDS);
	set_words(s, object, "forbid", policy_guest_bits, forbid);
	snprintf(abi, sizeof(abi), "%u.%u", (unsigned)(r->policy >> 8 & 0xFF),
		 (unsigned)(r->policy & 0xFF));
	if (r->policy & 0xFFFF)
		set(s, object, "minimum_abi", json_string(abi));
	set(s, s->root, "guest_policy", object);
}

static void write_platform(struct starter *s)
{
	const struct snp_report *r = &s->report;
	bool unknown = r->platform_info & ~POLICY_PLATFORM_KNOWN;
	json_t *object = json_object();

	comment(s, "_comment_platform_info",
		"What the host switched on. Guards that are on are required%s.",
		unknown ? "; this host sets bits of unknown meaning, so they are a warning" : "");
	set_words(s, object, "require", policy_platform_bits, r->platform_info & PLATFORM_GUARDS);
	if (!(r->platform_info & 1))
		set_words(s, object, "forbid", policy_platform_bits, 1);
	set(s, object, "unknown_bits", json_string(unknown ? "warn" : "refuse"));
	set(s, s->root, "platform_info", object);
}

static json_t *tcb_json(struct starter *s, const uint8_t *bytes)
{
	struct tcb tcb = tcb_read(bytes, s->product);
	json_t *object = json_object();

	for (const struct policy_word *w = policy_tcb_parts; w->word; w++)
		if (w->value != CVTPM_TCB_FMC || s->product == CVTPM_PRODUCT_TURIN)
			set(s, object, w->word, json_integer(tcb.part[w->value]));
	return object;
}

static void write_minimum_tcb(struct starter *s)
{
	const struct snp_report *r = &s->report;
	json_t *products = json_object(), *tcbs = json_object(), *list = json_array();
	const char *name = policy_word_of(policy_products, 1u << s->product);

	comment(s, "_comment_minimum_tcb",
		"Part by part, for each product that is allowed. Raise them when AMD publishes "
		"fixes; what is below is refused.");
	append(s, list, json_string(name));
	set(s, s->root, "products", list);
	set(s, tcbs, "current", tcb_json(s, r->current_tcb));
	set(s, tcbs, "reported", tcb_json(s, r->reported_tcb));
	set(s, tcbs, "committed", tcb_json(s, r->committed_tcb));
	set(s, tcbs, "launch", tcb_json(s, r->launch_tcb));
	set(s, products, name, tcbs);
	set(s, s->root, "minimum_tcb", products);
}

static void write_firmware(struct starter *s)
{
	const struct snp_report *r = &s->report;
	bool below = memcmp(r->committed_tcb, r->current_tcb, 8) != 0;
	json_t *object = json_object();
	char text[16];

	if (s->product != CVTPM_PRODUCT_UNKNOWN)
		write_minimum_tcb(s);
	else
		comment(s, "_comment_minimum_tcb",
			"A report of version 2 does not say which product it is of, and parts of a "
			"TCB mean something for one product only: make this again with --product, "
			"or old firmware is accepted.");
	comment(s, "_comment_committed", "The host can go back to the committed firmware%s",
		below ? ", which is older here than the current: a warning." : ".");
	set(s, s->root, "committed_below_current", json_string(below ? "warn" : "refuse"));
	snprintf(text, sizeof(text), "%u.%u.%u", r->current_firmware[2], r->current_firmware[1],
		 r->current_firmware[0]);
	set(s, object, "current", json_string(text));
	snprintf(text, sizeof(text), "%u.%u.%u", r->committed_firmware[2], r->committed_firmware[1],
		 r->committed_firmware[0]);
	set(s, object, "committed", json_string(text));
	set(s, s->root, "minimum_firmware", object);
}

static void write_mitigations(struct starter *s)
{
	const struct snp_report *r = &s->report;
	json_t *object;
	char text[24];

	if (r->version < 5 || !(r->launch_mitigations | r->current_mitigations))
		return;
	object = json_object();
	snprintf(text, sizeof(text), "0x%" PRIx64, r->launch_mitigations);
	if (r->launch_mitigations)
		set(s, object, "launch", json_string(text));
	snprintf(text, sizeof(text), "0x%" PRIx64, r->current_mitigations);
	if (r->current_mitigations)
		set(s, object, "current", json_string(text));
	set(s, s->root, "mitigation_vectors", object);
}

static void set_value(struct starter *s, const char *key, const uint8_t *bytes, size_t len)
{
	json_t *list = json_array();

	append(s, list, hex(bytes, len));
	set(s, s->root, key, list);
}

static void write_id_block(struct starter *s)
{
	const struct snp_report *r = &s->report;

	if (cvtpm_is_zero(r->id_key_digest, 48))
		return;
	comment(s, "_comment_id_block",
		"From the ID block, which its key signed: GUEST_SVN, FAMILY_ID, IMAGE_ID.");
	set_value(s, "id_key_digests", r->id_key_digest, 48);
	if (report_has_author_key(r))
		set_value(s, "author_key_digests", r->author_key_digest, 48);
	set(s, s->root, "minimum_guest_svn", json_integer(r->guest_svn));
	set_value(s, "family_ids", r->family_id, 16);
	set_value(s, "image_ids", r->image_id, 16);
}

static void write_pins(struct starter *s)
{
	const struct snp_report *r = &s->report;
	char chip[129], boot[65], host[65];

	hex_text(chip, r->chip_id, 64);
	hex_text(boot, r->report_id, 32);
	hex_text(host, r->host_data, 32);
	comment(s, "_comment_revocation",
		"true: without a revocation list (--crl) the answer is never yes.");
	set(s, s->root, "require_crl", json_false());
	if (!cvtpm_is_zero(r->chip_id, 64))
		comment(s, "_comment_chip_ids",
			"To allow this processor alone: \"chip_ids\": [\"%s\"]", chip);
	comment(s, "_comment_report_ids",
		"To pin this boot of this guest, after enrolment: \"report_ids\": [\"%s\"]", boot);
	if (!cvtpm_is_zero(r->host_data, 32))
		comment(s, "_comment_host_data",
			"HOST_DATA is chosen by the host: it catches an honest host's mistakes and "
			"stops no attacker. To compare it: \"host_data\": [\"%s\"]",
			host);
}

static void write_all(struct starter *s)
{
	json_t *ek = json_object();

	write_head(s);
	write_measurement(s);
	write_guest(s);
	write_platform(s);
	write_firmware(s);
	write_mitigations(s);
	set(s, s->root, "signing_keys",
	    words(s, policy_signing_keys,
		  report_signing_key(&s->report) == SIGNING_KEY_VLEK ? CVTPM_SIGNED_BY_VLEK
								     : CVTPM_SIGNED_BY_VCEK));
	write_id_block(s);
	write_pins(s);
	set_words(s, ek, "algorithms", policy_ek_algorithms, s->from->ek_algorithms);
	if (s->from->ek_algorithms)
		set(s, s->root, "ek", ek);
	else
		json_decref(ek);
}

int cvtpm_policy_write_starter(const struct cvtpm_policy_starter *from, char **json)
{
	struct starter s = {.from = from, .product = from->product};
	enum cvtpm_product told;
	char *text = NULL;

	*json = NULL;
	report_read(&s.report, from->report);
	if (s.report.version < 2 || s.report.version > 5)
		return CVTPM_ERR_FORMAT;
	told = report_product(&s.report);
	if (s.product == CVTPM_PRODUCT_UNKNOWN)
		s.product = told;
	else if (told != CVTPM_PRODUCT_UNKNOWN && told != s.product)
		return CVTPM_ERR_FORMAT;
	s.root = json_object();
	if (!s.root)
		return CVTPM_ERR_NO_MEMORY;
	write_all(&s);
	if (!s.failed)
		text = json_dumps(s.root, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
	json_decref(s.root);
	if (!text)
		return CVTPM_ERR_NO_MEMORY;
	*json = realloc(text, strlen(text) + 2);
	if (!*json) {
		free(text);
		return CVTPM_ERR_NO_MEMORY;
	}
	strcat(*json, "\n");
	return 0;
}
