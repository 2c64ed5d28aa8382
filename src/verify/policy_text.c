/* What a policy means, in sentences. */
#include "cvtpm/policy.h"
#include "cvtpm/tpm_evidence.h"
#include "verify/checks.h"
#include "verify/policy_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say_escaped(FILE *out, const char *text)
{
	char escaped[600];

	escape_text(escaped, sizeof(escaped), text, strlen(text));
	fputs(escaped, out);
}

static void say_hex(FILE *out, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%02x", bytes[i]);
}

static void say_measurements(FILE *out, const struct cvtpm_policy *p)
{
	if (!p->measurement_count)
		fprintf(out,
			"No measurement is allowed: unless --measurement names one, the answer "
			"is never yes.\n");
	for (size_t i = 0; i < p->measurement_count; i++) {
		const struct cvtpm_allowed_measurement *m = &p->measurements[i];

		fprintf(out, "The guest may have booted ");
		if (m->name)
			say_escaped(out, m->name);
		fprintf(out, "%s", m->name ? " (" : "");
		say_hex(out, m->digest, SNP_MEASUREMENT_SIZE);
		fprintf(out, "%s%s\n", m->name ? ")" : "",
			m->isolation == CVTPM_ISOLATION_PROCESS
				? ", whose TPM is a process: root there can do what the TPM can."
				: ", which keeps the guest's kernel away from its TPM.");
	}
	for (size_t i = 0; i < p->lab_root_count; i++) {
		fprintf(out, "LAB: the root in ");
		say_escaped(out, p->lab_roots[i].name ? p->lab_roots[i].name : "memory");
		fprintf(out, " is trusted beside AMD's; what ends in it is marked LAB and proves "
			     "nothing outside a test.\n");
	}
}

static void say_bits(FILE *out, const char *subject, const struct policy_word *words,
		     uint64_t require, uint64_t forbid)
{
	for (unsigned i = 0; i < 64; i++) {
		uint64_t bit = (uint64_t)1 << i;
		const struct policy_word *w = words;

		if (!((require | forbid) & bit))
			continue;
		while (w->word && w->value != bit)
			w++;
		fprintf(out, "%s bit %u (%s) must be %u.\n", subject, i,
			w->word ? w->meaning : "of unknown meaning", (require & bit) != 0);
	}
}

static void say_guest(FILE *out, const struct cvtpm_policy *p)
{
	fprintf(out, "The report must have been asked for at VMPL %" PRIu32 ".\n", p->vmpl);
	fprintf(out, "A guest that its host may debug is %s.\n",
		p->allow_debug ? "ACCEPTED: the host can read the TPM's keys" : "refused");
	fprintf(out, "A guest that a migration agent may carry elsewhere is %s.\n",
		p->allow_migration ? "ACCEPTED" : "refused");
	say_bits(out, "Guest policy", policy_guest_bits, p->guest_policy_require,
		 p->guest_policy_forbid);
	if (p->abi_major || p->abi_minor)
		fprintf(out, "The guest must insist on firmware of ABI %u.%u at least.\n",
			p->abi_major, p->abi_minor);
	say_bits(out, "Platform information", policy_platform_bits, p->platform_require,
		 p->platform_forbid);
	fprintf(out, "Platform information bits of unknown meaning are %s.\n",
		p->refuse_unknown_platform_bits ? "refused" : "a warning");
	if (p->minimum_guest_svn)
		fprintf(out,
			"The guest's security version (GUEST_SVN) must be %" PRIu32 " at least.\n",
			p->minimum_guest_svn);
}

static void say_minimum(FILE *out, const struct cvtpm_policy *p, int product, int kind)
{
	const struct cvtpm_tcb_minimum *minimum = &p->minimum_tcb[product][kind];

	if (!minimum->given)
		return;
	fprintf(out, "On %s, the firmware that %s (%s TCB) must have at least",
		policy_word_of(policy_products, 1u << product), policy_tcb_kinds[kind].meaning,
		policy_tcb_kinds[kind].word);
	for (const struct policy_word *w = policy_tcb_parts; w->word; w++)
		if (w->value != CVTPM_TCB_FMC || product == CVTPM_PRODUCT_TURIN)
			fprintf(out, " %s %u", w->word, minimum->part[w->value]);
	fprintf(out, ".\n");
}

static void say_firmware(FILE *out, const struct cvtpm_policy *p)
{
	const struct cvtpm_firmware_minimum *current = &p->minimum_current_firmware;
	const struct cvtpm_firmware_minimum *committed = &p->minimum_committed_firmware;
	bool any = false;

	for (int product = CVTPM_PRODUCT_MILAN; product < CVTPM_PRODUCTS; product++)
		for (int kind = 0; kind < CVTPM_TCB_KINDS; kind++) {
			say_minimum(out, p, product, kind);
			any |= p->minimum_tcb[product][kind].given;
		}
	fprintf(out, any ? "Products without such a minimum are refused.\n"
			 : "No minimum TCB: old firmware with known faults is accepted.\n");
	fprintf(out, "A committed TCB below the current one is %s.\n",
		p->refuse_committed_below_current ? "refused" : "a warning");
	if (current->given)
		fprintf(out, "The AMD-SP's firmware must be version %u.%u.%u at least.\n",
			current->major, current->minor, current->build);
	if (committed->given)
		fprintf(out, "The committed firmware must be version %u.%u.%u at least.\n",
			committed->major, committed->minor, committed->build);
	if (p->launch_mitigations)
		fprintf(out, "At launch, the mitigations 0x%" PRIx64 " must have been on.\n",
			p->launch_mitigations);
	if (p->current_mitigations)
		fprintf(out, "The mitigations 0x%" PRIx64 " must be on.\n", p->current_mitigations);
}

static void say_words(FILE *out, const char *before, const struct policy_word *words,
		      unsigned allowed)
{
	const char *comma = "";

	if (!allowed)
		return;
	fprintf(out, "%s ", before);
	for (; words->word; words++)
		if (allowed & words->value) {
			fprintf(out, "%s%s", comma, words->word);
			comma = " or ";
		}
	fprintf(out, ".\n");
}

static void say_values(FILE *out, const char *what, const struct cvtpm_values *values)
{
	if (!values->count)
		return;
	fprintf(out, "%s must be ", what);
	for (size_t i = 0; i < values->count; i++) {
		fprintf(out, "%s", i ? " or " : "");
		say_hex(out, values->bytes + i * values->size, values->size);
	}
	fprintf(out, ".\n");
}

static void say_identity(FILE *out, const struct cvtpm_policy *p)
{
	say_words(out, "The processor must be a", policy_products, p->products);
	say_words(out, "The report must be signed by a", policy_signing_keys, p->signing_keys);
	say_values(out, "CHIP_ID (a masked one, and a VLEK's, is refused)", &p->chip_ids);
	fprintf(out, "Revocation: %s.\n",
		p->require_crl ? "without a list in date (--crl) the answer is never yes"
			       : "checked where a list is given, else said not to be");
	say_values(out, "HOST_DATA, which the host chooses and which stops no attacker,",
		   &p->host_data);
	say_values(out, "FAMILY_ID", &p->family_ids);
	say_values(out, "IMAGE_ID", &p->image_ids);
	say_values(out, "The key that signed the ID block", &p->id_key_digests);
	say_values(out, "The key that vouches for the ID key", &p->author_key_digests);
	say_values(out, "REPORT_ID (a boot of a guest)", &p->report_ids);
}

static void say_ek(FILE *out, const struct cvtpm_policy *p)
{
	fprintf(out, "A report must bind the EK (unless --report-only)%s.\n",
		p->require_ek_cert ? ", and another one the EK certificate" : "");
	say_words(out, "The EK must be", policy_ek_algorithms, p->ek_algorithms);
	for (size_t i = 0; i < p->ek_issuer_count; i++) {
		const struct cvtpm_ek_issuer *issuer = &p->ek_issuers[i];

		fprintf(out, "The EK certificate must be signed by the certificate ");
		if (issuer->certificate.name) {
			fprintf(out, "in ");
			say_escaped(out, issuer->certificate.name);
			fprintf(out, ", ");
		}
		fprintf(out, "SHA-256 ");
		say_hex(out, issuer->fingerprint, 32);
		fprintf(out, "%s.\n", p->ek_issuer_count > 1 ? ", or another of the list" : "");
	}
}

static void say_machine(FILE *out, const struct cvtpm_policy *p)
{
	const struct cvtpm_event_log_policy *log = &p->event_log;

	fprintf(out, "A quote that answers this verifier's challenge is %s.\n",
		p->require_quote ? "required" : "judged where one is given");
	for (size_t i = 0; i < p->pcr_count; i++) {
		char what[40];

		snprintf(what, sizeof(what), "PCR %" PRIu32 " (%s)", p->pcrs[i].pcr,
			 cvtpm_tpm_hash_name(p->pcrs[i].alg));
		say_values(out, what, &p->pcrs[i].allowed);
	}
	if (log->require_tcg)
		fprintf(out, "The firmware's event log must be there and explain PCRs 0 to 7.\n");
	if (log->require_ima)
		fprintf(out, "The IMA log must be there and explain PCR 10.\n");
	if (log->require_secure_boot)
		fprintf(out, "The firmware's event log must say that Secure Boot was on.\n");
	if (log->denied_count)
		fprintf(out, "%zu digest%s must not be in any event log.\n", log->denied_count,
			log->denied_count > 1 ? "s" : "");
}

char *cvtpm_policy_text(const struct cvtpm_policy *policy)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	say_measurements(out, policy);
	say_guest(out, policy);
	say_firmware(out, policy);
	say_identity(out, policy);
	say_ek(out, policy);
	say_machine(out, policy);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
