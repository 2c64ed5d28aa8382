/* Gathering what the evidence said, for whoever shows it. Nothing is judged here. */
#include "verify/facts.h"
#include "verify/checks.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void set_time(char text[CVTPM_TIME_TEXT_SIZE], const ASN1_TIME *time)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) != 1 ||
	    !strftime(text, CVTPM_TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm))
		text[0] = 0;
}

static void set_serial(char *text, size_t size, const X509 *cert)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	const uint8_t *bytes = ASN1_STRING_get0_data(serial);
	size_t len = (size_t)ASN1_STRING_length(serial);

	/* 20 octets are the most that RFC 5280 allows. */
	snprintf(text, size, "%s",
		 ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER ? "negative"
		 : len > 20                                     ? "longer than 20 octets"
		 : len == 0                                     ? "0"
								: "");
	if (!text[0])
		hex_text(text, bytes, len);
}

static void set_certificate(struct cvtpm_certificate_facts *facts, const char *kind, X509 *cert)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!cert)
		return;
	facts->present = true;
	facts->kind = kind;
	name_text(facts->subject, X509_get_subject_name(cert));
	name_text(facts->issuer, X509_get_issuer_name(cert));
	set_serial(facts->serial, sizeof(facts->serial), cert);
	set_time(facts->not_before, X509_get0_notBefore(cert));
	set_time(facts->not_after, X509_get0_notAfter(cert));
	if (X509_digest(cert, EVP_sha256(), digest, &len) == 1 && len == 32)
		hex_text(facts->fingerprint, digest, 32);
}

struct cvtpm_report_facts *facts_add_report(struct cvtpm_facts *facts, const char *about,
					    const uint8_t *bytes, const char *binding)
{
	struct cvtpm_report_facts *report;

	if (facts->report_count == CVTPM_REPORTS_MAX)
		return NULL;
	report = &facts->reports[facts->report_count++];
	*report = (struct cvtpm_report_facts){
		.about = about, .binding = binding, .product = product_name(CVTPM_PRODUCT_UNKNOWN)};
	memcpy(report->bytes, bytes, SNP_REPORT_SIZE);
	return report;
}

void facts_set_chain(struct cvtpm_report_facts *facts, const struct chain *chain)
{
	struct snp_report report;
	struct vcek_facts leaf;
	enum cvtpm_product product;

	if (!facts)
		return;
	report_read(&report, facts->bytes);
	product =
		chain->product != CVTPM_PRODUCT_UNKNOWN ? chain->product : report_product(&report);
	if (product == CVTPM_PRODUCT_UNKNOWN && chain->leaf) {
		vcek_read(&leaf, chain->leaf);
		product = vcek_product(&leaf);
	}
	facts->product = product_name(product);
	facts->lab = chain->lab;
	facts->root_trusted = chain->root_trusted;
	set_certificate(&facts->leaf, chain->vlek ? "VLEK" : "VCEK", chain->leaf);
	set_certificate(&facts->ca, chain->vlek ? "ASVK" : "ASK", chain->ca);
	set_certificate(&facts->root, "ARK", chain->root);
}

void facts_set_measurement(struct cvtpm_report_facts *facts,
			   const struct cvtpm_allowed_measurement *allowed)
{
	if (!facts || !allowed)
		return;
	facts->measurement_allowed = true;
	facts->isolation = allowed->isolation;
	if (allowed->name)
		escape_text(facts->measurement_name, sizeof(facts->measurement_name), allowed->name,
			    strlen(allowed->name));
}

void facts_set_ek(struct cvtpm_facts *facts, const struct ek_evidence *ek)
{
	const struct ek_public *public = ek->has_public        ? &ek->public
					 : ek->has_cert_public ? &ek->cert_public
							       : NULL;

	set_certificate(&facts->ek_certificate, "EK certificate", ek->cert);
	if (public)
		snprintf(facts->ek, sizeof(facts->ek), "%s, template %s", public->ek->name,
			 public->ek->id);
	facts->has_ek_pub_digest = ek_pub_digest(ek, facts->ek_pub_digest);
	facts->has_ek_cert_digest = ek_cert_digest(ek, facts->ek_cert_digest);
}

/* ---- PCRs and the firmware's log ---- */

static void set_pcrs(struct cvtpm_facts *facts, const struct quoted_pcrs *quoted)
{
	for (size_t i = 0; i < quoted->quote.selection_count; i++) {
		const struct cvtpm_pcr_selection *selected = &quoted->quote.selection[i];
		const struct cvtpm_bank_values *bank =
			cvtpm_pcrs_bank(&quoted->values, selected->alg);

		for (uint8_t pcr = 0; bank && pcr < CVTPM_PCR_COUNT; pcr++) {
			struct cvtpm_pcr_facts *f = &facts->pcrs[facts->pcr_count];

			if (!(selected->mask & bank->given & UINT32_C(1) << pcr))
				continue;
			if (facts->pcr_count == CVTPM_PCR_FACTS_MAX)
				return;
			facts->pcr_count++;
			f->bank = cvtpm_tpm_hash_name(bank->alg);
			f->pcr = pcr;
			f->len = (uint8_t)cvtpm_tpm_digest_size(bank->alg);
			f->explained = quoted->explained & UINT32_C(1) << pcr;
			memcpy(f->value, bank->value[pcr], sizeof(f->value));
		}
	}
}

static void set_event(struct cvtpm_event_facts *f, const struct cvtpm_log_event *event)
{
	f->number = (uint32_t)event->number;
	f->pcr = event->pcr;
	f->type = event->type;
	escape_text(f->data, sizeof(f->data), (const char *)event->data.data, event->data.len);
	for (size_t i = 0; event->extends && i < event->bank_count; i++) {
		bool better = event->bank[i].alg == CVTPM_TPM_ALG_SHA256;

		if (event->bank[i].digest && event->bank[i].size <= 64 && (i == 0 || better))
			hex_text(f->digest, event->bank[i].digest, event->bank[i].size);
	}
}

static void set_events(struct cvtpm_facts *facts, const struct cvtpm_bytes *bytes)
{
	struct cvtpm_log_event event;
	struct cvtpm_log log;

	if (!bytes->data || cvtpm_log_open_tcg(&log, bytes->data, bytes->len))
		return;
	while (!cvtpm_log_next(&log, &event)) {
		facts->events_in_log++;
		if (facts->event_count < CVTPM_EVENT_FACTS_MAX)
			set_event(&facts->events[facts->event_count++], &event);
	}
}

void facts_set_machine(struct cvtpm_facts *facts, const struct cvtpm_machine *machine,
		       const struct quoted_pcrs *quoted)
{
	if (quoted->proven)
		set_pcrs(facts, quoted);
	if (machine)
		set_events(facts, &machine->event_log);
}
