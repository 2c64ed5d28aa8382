/* The rules of a policy for a report, in the order of docs/policy.md. */
#include "verify/rules.h"
#include "crypto/crypto.h"
#include "verify/checks.h"
#include "verify/policy_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct rule_job {
	const struct snp_report *report;
	enum cvtpm_product product;
	const struct cvtpm_policy *policy;
	const char *about;
	struct cvtpm_verification *v;
};

static struct cvtpm_check *add(const struct rule_job *job, const char *id, const char *title,
			       bool good, const char *reason)
{
	return check_add(job->v, job->about, id, title, good ? CVTPM_CHECK_OK : CVTPM_CHECK_REFUSED,
			 reason);
}

/* Version 2 reports without their certificates do not tell the product. */
static struct cvtpm_check *add_by_product(const struct rule_job *job, const char *id,
					  const char *title, bool good, const char *reason)
{
	return check_add(job->v, job->about, id, title,
			 job->product == CVTPM_PRODUCT_UNKNOWN ? CVTPM_CHECK_UNKNOWN
			 : good                                ? CVTPM_CHECK_OK
							       : CVTPM_CHECK_REFUSED,
			 reason);
}

/* ---- bits ---- */

static void check_bits(const struct rule_job *job, const char *id, const char *title,
		       const char *reason, const struct policy_word *words, uint64_t bits,
		       uint64_t require, uint64_t forbid)
{
	uint64_t missing = require & ~bits, extra = forbid & bits;
	char with[POLICY_WORDS_SIZE], without[POLICY_WORDS_SIZE];
	struct cvtpm_check *c;

	if (!(require | forbid))
		return;
	c = add(job, id, title, !(missing | extra), reason);
	policy_words_text(with, words, require);
	policy_words_text(without, words, forbid);
	check_expected(c, "set: %s; clear: %s", with, without);
	policy_words_text(with, words, missing);
	policy_words_text(without, words, extra);
	if (missing | extra)
		check_found(c, "0x%" PRIx64 ": required and clear: %s; forbidden and set: %s", bits,
			    with, without);
	else
		check_found(c, "0x%" PRIx64, bits);
}

static void check_guest(const struct rule_job *job)
{
	const struct cvtpm_policy *p = job->policy;
	unsigned major = job->report->policy >> 8 & 0xFF, minor = job->report->policy & 0xFF;
	struct cvtpm_check *c;

	check_bits(job, "guest-policy", "guest policy bits", "what the guest insists on",
		   policy_guest_bits, job->report->policy, p->guest_policy_require,
		   p->guest_policy_forbid);
	if (!p->abi_major && !p->abi_minor)
		return;
	c = add(job, "minimum-abi", "ABI that the guest insists on",
		major > p->abi_major || (major == p->abi_major && minor >= p->abi_minor),
		"older firmware could not have launched it");
	check_expected(c, "at least %u.%u", p->abi_major, p->abi_minor);
	check_found(c, "%u.%u", major, minor);
}

/* ---- firmware ---- */

/* Each has an id, so that a program can tell which TCB was too old. */
static const struct {
	const char *id, *title, *reason;
} tcb_rules[CVTPM_TCB_KINDS] = {
	[CVTPM_TCB_CURRENT] = {"minimum-tcb-current", "minimum current TCB",
			       "older firmware has known faults"},
	[CVTPM_TCB_REPORTED] = {"minimum-tcb-reported", "minimum reported TCB",
				"the signing key stands for this firmware"},
	[CVTPM_TCB_COMMITTED] = {"minimum-tcb-committed", "minimum committed TCB",
				 "the host may go back to the committed firmware"},
	[CVTPM_TCB_LAUNCH] = {"minimum-tcb-launch", "minimum TCB at launch",
			      "the firmware that launched the guest"},
};

static const uint8_t *tcb_bytes(const struct snp_report *r, int kind)
{
	const uint8_t *const all[CVTPM_TCB_KINDS] = {
		[CVTPM_TCB_CURRENT] = r->current_tcb,
		[CVTPM_TCB_REPORTED] = r->reported_tcb,
		[CVTPM_TCB_COMMITTED] = r->committed_tcb,
		[CVTPM_TCB_LAUNCH] = r->launch_tcb,
	};

	return all[kind];
}

static bool has_minima(const struct cvtpm_tcb_minimum minima[CVTPM_TCB_KINDS])
{
	for (size_t i = 0; i < CVTPM_TCB_KINDS; i++)
		if (minima[i].given)
			return true;
	return false;
}

static void check_tcb(const struct rule_job *job, int kind)
{
	const struct cvtpm_tcb_minimum *minimum = &job->policy->minimum_tcb[job->product][kind];
	struct tcb found = tcb_read(tcb_bytes(job->report, kind), job->product), wanted = {0};
	char expected_text[TCB_TEXT_SIZE], found_text[TCB_TEXT_SIZE];
	struct cvtpm_check *c;

	if (!minimum->given)
		return;
	memcpy(wanted.part, minimum->part, sizeof(wanted.part));
	tcb_text(expected_text, &wanted, job->product);
	tcb_text(found_text, &found, job->product);
	c = add(job, tcb_rules[kind].id, tcb_rules[kind].title, tcb_at_most(&wanted, &found),
		tcb_rules[kind].reason);
	check_expected(c, "at least %s", expected_text);
	check_found(c, "%s", found_text);
}

static void check_tcbs(const struct rule_job *job)
{
	bool any = false;
	struct cvtpm_check *c;

	for (size_t i = 0; i < CVTPM_PRODUCTS; i++)
		any |= has_minima(job->policy->minimum_tcb[i]);
	if (!any)
		return;
	/* Parts mean something for one product only: no minimum is not minimum 0. */
	if (!has_minima(job->policy->minimum_tcb[job->product])) {
		c = add_by_product(job, "minimum-tcb", "minimum TCB", false,
				   "older firmware has known faults");
		check_expected(c, "a product for which the policy has minima");
		check_found(c, "%s", product_name(job->product));
		return;
	}
	for (int kind = 0; kind < CVTPM_TCB_KINDS; kind++)
		check_tcb(job, kind);
}

static void check_firmware(const struct rule_job *job, const char *id, const char *title,
			   const struct cvtpm_firmware_minimum *minimum, const uint8_t *found)
{
	uint32_t wanted =
		(uint32_t)minimum->major << 16 | (uint32_t)minimum->minor << 8 | minimum->build;
	uint32_t is = (uint32_t)found[2] << 16 | (uint32_t)found[1] << 8 | found[0];
	struct cvtpm_check *c;

	if (!minimum->given)
		return;
	c = add(job, id, title, is >= wanted, "older firmware has known faults");
	check_expected(c, "at least %u.%u.%u", minimum->major, minimum->minor, minimum->build);
	check_found(c, "%u.%u.%u", found[2], found[1], found[0]);
}

static void check_mitigations(const struct rule_job *job, const char *id, const char *title,
			      uint64_t wanted, uint64_t found)
{
	struct cvtpm_check *c;

	if (!wanted)
		return;
	c = add(job, id, title, job->report->version >= 5 && (found & wanted) == wanted,
		"mitigations that the firmware had switched on");
	check_expected(c, "all of 0x%" PRIx64, wanted);
	if (job->report->version >= 5)
		check_found(c, "0x%" PRIx64, found);
	else
		check_found(c, "none: version %" PRIu32 " reports have no such field",
			    job->report->version);
}

/* ---- who signed, and on which chip ---- */

static void check_product(const struct rule_job *job)
{
	char expected[POLICY_WORDS_SIZE] = "";
	struct cvtpm_check *c;

	if (!job->policy->products)
		return;
	c = add_by_product(job, "allowed-product", "product allowed",
			   job->policy->products >> job->product & 1,
			   "the policy's choice of processors");
	for (const struct policy_word *w = policy_products; w->word; w++)
		if (job->policy->products & w->value)
			snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
				 "%s%s", *expected ? ", " : "", w->word);
	check_expected(c, "%s", expected);
	check_found(c, "%s", product_name(job->product));
}

static void check_signing_key(const struct rule_job *job)
{
	unsigned kind = report_signing_key(job->report);
	unsigned bit = kind == SIGNING_KEY_VCEK   ? CVTPM_SIGNED_BY_VCEK
		       : kind == SIGNING_KEY_VLEK ? CVTPM_SIGNED_BY_VLEK
						  : 0;
	struct cvtpm_check *c;

	if (!job->policy->signing_keys)
		return;
	c = add(job, "signing-key", "kind of signing key", (job->policy->signing_keys & bit) != 0,
		"a VCEK is one chip's, a VLEK a provider's");
	check_expected(c, "%s%s%s", job->policy->signing_keys & CVTPM_SIGNED_BY_VCEK ? "VCEK" : "",
		       job->policy->signing_keys == (CVTPM_SIGNED_BY_VCEK | CVTPM_SIGNED_BY_VLEK)
			       ? " or "
			       : "",
		       job->policy->signing_keys & CVTPM_SIGNED_BY_VLEK ? "VLEK" : "");
	check_found(c, "%s", bit ? policy_word_of(policy_signing_keys, bit) : "neither");
}

/* ---- allowed values ---- */

static bool values_have(const struct cvtpm_values *values, const uint8_t *found)
{
	for (size_t i = 0; i < values->count; i++)
		if (!memcmp(values->bytes + i * values->size, found, values->size))
			return true;
	return false;
}

static void check_values(const struct rule_job *job, const char *id, const char *title,
			 const char *reason, const struct cvtpm_values *values,
			 const uint8_t *found, bool there, const char *otherwise)
{
	char text[2 * SNP_REPORT_DATA_SIZE + 1];
	struct cvtpm_check *c;

	if (!values->count || values->size > SNP_REPORT_DATA_SIZE)
		return;
	c = add(job, id, title, there && values_have(values, found), reason);
	hex_text(text, values->bytes, values->size);
	if (values->count == 1)
		check_expected(c, "%s", text);
	else
		check_expected(c, "one of %zu allowed", values->count);
	hex_text(text, found, values->size);
	check_found(c, "%s", there ? text : otherwise);
}

static void check_guest_svn(const struct rule_job *job)
{
	struct cvtpm_check *c;

	if (!job->policy->minimum_guest_svn)
		return;
	c = add(job, "guest-svn", "guest's security version",
		job->report->guest_svn >= job->policy->minimum_guest_svn,
		"set by whoever made the guest's ID block");
	check_expected(c, "at least %" PRIu32, job->policy->minimum_guest_svn);
	check_found(c, "%" PRIu32, job->report->guest_svn);
}

static void check_all_values(const struct rule_job *job)
{
	const struct cvtpm_policy *p = job->policy;
	const struct snp_report *r = job->report;

	check_values(job, "allowed-chip", "chip allowed", "which processor it is", &p->chip_ids,
		     r->chip_id, !cvtpm_is_zero(r->chip_id, 64),
		     "none: masked, or signed by a VLEK");
	check_values(job, "host-data", "HOST_DATA",
		     "chosen by the host: catches an honest host's mistakes, no attack",
		     &p->host_data, r->host_data, true, "");
	check_values(job, "family-id", "FAMILY_ID", "chosen by whoever made the guest's ID block",
		     &p->family_ids, r->family_id, true, "");
	check_values(job, "image-id", "IMAGE_ID", "chosen by whoever made the guest's ID block",
		     &p->image_ids, r->image_id, true, "");
	check_values(job, "id-key", "ID key", "who signed the guest's ID block", &p->id_key_digests,
		     r->id_key_digest, !cvtpm_is_zero(r->id_key_digest, 48), "no ID block");
	check_values(job, "author-key", "author key", "who vouches for the ID key",
		     &p->author_key_digests, r->author_key_digest, report_has_author_key(r),
		     "no author key");
	check_values(job, "pinned-boot", "report ID pinned",
		     "the boot of the guest that was enrolled", &p->report_ids, r->report_id, true,
		     "");
}

void rules_check_report(const struct snp_report *report, enum cvtpm_product product,
			const struct cvtpm_policy *policy, const char *about,
			struct cvtpm_verification *v)
{
	const struct rule_job job = {
		.report = report, .product = product, .policy = policy, .about = about, .v = v};

	check_guest(&job);
	check_bits(&job, "platform-bits", "platform information bits", "what the host switched on",
		   policy_platform_bits, report->platform_info, policy->platform_require,
		   policy->platform_forbid);
	check_product(&job);
	check_tcbs(&job);
	check_firmware(&job, "minimum-firmware-current", "minimum firmware version",
		       &policy->minimum_current_firmware, report->current_firmware);
	check_firmware(&job, "minimum-firmware-committed", "minimum committed firmware version",
		       &policy->minimum_committed_firmware, report->committed_firmware);
	check_mitigations(&job, "mitigations-launch", "mitigations at launch",
			  policy->launch_mitigations, report->launch_mitigations);
	check_mitigations(&job, "mitigations-current", "mitigations now",
			  policy->current_mitigations, report->current_mitigations);
	check_signing_key(&job);
	check_guest_svn(&job);
	check_all_values(&job);
}
