/*
 * The one call: gathers what was given, decides which report has which binding,
 * has each report judged, and counts the verdicts.
 */
#include "cvtpm/evidence.h"
#include "cvtpm/bundle.h"
#include "cvtpm/err.h"
#include "verify/azure.h"
#include "verify/chain.h"
#include "verify/checks.h"
#include "verify/ek.h"
#include "verify/facts.h"
#include "verify/machine.h"
#include "verify/platform_certificate.h"
#include "verify/rules.h"
#include "verify/svsm.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a report's REPORT_DATA turned out to bind. */
enum binding { BINDING_NONE, BINDING_EK_PUB, BINDING_EK_CERT, BINDING_SVSM, BINDING_HCL };

struct judged {
	const char *about;
	const uint8_t *bytes; /* NULL: there is no such report */
	enum binding binding;
	struct snp_report report;
};

struct job {
	const struct cvtpm_evidence *evidence;
	const struct cvtpm_policy *policy;
	struct cvtpm_verification *v;
	int64_t at;
	struct root_list roots;
	struct cert_list certs;
	struct ek_evidence ek;
	struct azure azure;
	/* The report that was named, that of the report index, that of the certificate. */
	struct judged named, index, inside;
	struct quoted_pcrs quoted;
	/* What came out of a bundle. */
	struct cvtpm_evidence unbundled;
	struct cvtpm_machine machine;
	struct cvtpm_bytes bundled_certificates[2];
};

static const char evidence_about[] = "evidence";

/* ---- gathering ---- */

static bool gather_certificate(struct job *job, const struct cvtpm_bytes *bytes)
{
	const char *why = "";
	struct cvtpm_check *c;

	if (!certs_add(&job->certs, bytes, &why))
		return true;
	c = check_add(job->v, evidence_about, "certificates", "certificates", CVTPM_CHECK_REFUSED,
		      "nothing can be read from them");
	check_expected(c, "PEM, DER, or a certificate table");
	check_found(c, "%s: %s", bytes->name ? bytes->name : "input", why);
	return false;
}

static bool gather_certificates(struct job *job)
{
	bool good = true;

	for (size_t i = 0; i < job->evidence->certificate_count; i++)
		good = gather_certificate(job, &job->evidence->certificates[i]) && good;
	for (size_t i = 0; i < 2; i++)
		if (job->bundled_certificates[i].data)
			good = gather_certificate(job, &job->bundled_certificates[i]) && good;
	return good;
}

/* Puts what a bundle has in the place of what was given. */
static bool open_bundle(struct job *job)
{
	const struct cvtpm_bytes *bytes = &job->evidence->bundle;
	struct cvtpm_bundle bundle;
	const char *why = "";

	if (!bytes->data)
		return true;
	if (cvtpm_bundle_read(&bundle, bytes->data, bytes->len, &why)) {
		check_simple(job->v, evidence_about, "bundle", "bundle", false,
			     "a bundle of docs/bundle.md", why, "nothing can be read from it");
		return false;
	}
	job->unbundled = *job->evidence;
	cvtpm_bundle_evidence(&bundle, &job->unbundled, &job->machine);
	if (job->policy->identity_only)
		job->unbundled.machine = NULL;
	job->bundled_certificates[0] = bundle.item[CVTPM_BUNDLE_CERTIFICATES];
	job->bundled_certificates[1] = bundle.item[CVTPM_BUNDLE_ISSUER];
	job->evidence = &job->unbundled;
	return true;
}

static bool gather_report(struct job *job, struct judged *judged, const struct cvtpm_bytes *bytes,
			  const char *about)
{
	const char *why = NULL;
	struct cvtpm_check *c;

	judged->about = about;
	if (!bytes->data)
		return true;
	/* An extended guest request puts a certificate table behind the report. */
	if (bytes->len == SNP_REPORT_SIZE ||
	    (bytes->len > SNP_REPORT_SIZE &&
	     !certs_add_table(&job->certs, bytes->data + SNP_REPORT_SIZE,
			      bytes->len - SNP_REPORT_SIZE, &why))) {
		judged->bytes = bytes->data;
		return true;
	}
	c = check_add(job->v, about, "report-size", "size", CVTPM_CHECK_REFUSED,
		      "nothing can be read from it");
	check_expected(c, "%d bytes, or these and a certificate table", SNP_REPORT_SIZE);
	check_found(c, "%zu bytes%s%s%s%s", bytes->len, bytes->name ? " in " : "",
		    bytes->name ? bytes->name : "", why ? ", behind the report " : "",
		    why ? why : "");
	return false;
}

/* The collection's certificate table is used like any other certificates. */
static bool gather_table(struct job *job)
{
	const char *why = "";
	struct cvtpm_check *c;

	if (!job->ek.cmw.table ||
	    !certs_add_table(&job->certs, job->ek.cmw.table, job->ek.cmw.table_len, &why))
		return true;
	c = check_add(job->v, "EK certificate", "certificates", "certificates inside",
		      CVTPM_CHECK_REFUSED, "nothing can be read from them");
	check_expected(c, "a certificate table");
	check_found(c, "%s", why);
	return false;
}

static bool gather(struct job *job)
{
	const struct cvtpm_evidence *e = job->evidence;
	bool good = gather_certificates(job);

	if (e->hcl.data) {
		job->named.about = "report";
		job->named.bytes = azure_open(&job->azure, &e->hcl, job->v);
		return job->named.bytes && good;
	}
	good = gather_report(job, &job->named, &e->report, "report") && good;
	good = gather_report(job, &job->index, &e->ek_cert_report, "index report") && good;
	good = ek_open(&job->ek, e, job->at, &job->certs, job->v) && good;
	good = svsm_open(&job->ek, &e->svsm_manifest, job->v) && good;
	good = gather_table(job) && good;
	job->inside.about = "report in the EK certificate";
	return good;
}

/* ---- which report binds what ---- */

static enum binding find_binding(const struct job *job, const uint8_t *bytes)
{
	const uint8_t *report_data = bytes + 0x50;
	uint8_t digest[SNP_REPORT_DATA_SIZE];

	if (job->evidence->hcl.data)
		return job->azure.bound ? BINDING_HCL : BINDING_NONE;
	if (ek_pub_digest(&job->ek, digest) && !memcmp(digest, report_data, sizeof(digest)))
		return BINDING_EK_PUB;
	if (ek_cert_digest(&job->ek, digest) && !memcmp(digest, report_data, sizeof(digest)))
		return BINDING_EK_CERT;
	if (svsm_is_bound(&job->policy->svsm_nonce, &job->evidence->svsm_manifest, report_data))
		return BINDING_SVSM;
	return BINDING_NONE;
}

static void bind(struct job *job)
{
	if (job->named.bytes)
		job->named.binding = find_binding(job, job->named.bytes);
	if (job->index.bytes)
		job->index.binding = find_binding(job, job->index.bytes);
	/* The one inside is wanted when none was named, or when the named one is of
	 * the other binding. One that binds nothing is not helped out by it. */
	if (job->ek.cmw.report && (!job->named.bytes || job->named.binding == BINDING_EK_CERT)) {
		job->inside.bytes = job->ek.cmw.report;
		job->inside.binding = find_binding(job, job->inside.bytes);
	}
}

static const char *binding_name(enum binding binding)
{
	static const char *const names[] = {[BINDING_NONE] = "",
					    [BINDING_EK_PUB] = "ek-pub",
					    [BINDING_EK_CERT] = "ek-cert",
					    [BINDING_SVSM] = "svsm",
					    [BINDING_HCL] = "hcl"};

	return names[binding];
}

static const char *binding_text(enum binding binding)
{
	switch (binding) {
	case BINDING_EK_PUB:
		return "ek-pub: SHA-512 of the EK's TPM2B_PUBLIC";
	case BINDING_EK_CERT:
		return "ek-cert: SHA-512 of the EK certificate";
	case BINDING_SVSM:
		return "svsm: SHA-512 of nonce and manifest";
	case BINDING_HCL:
	case BINDING_NONE:
		break;
	}
	return "neither this EK nor this EK certificate";
}

static void check_binding(struct job *job, const struct judged *judged)
{
	bool index = judged == &job->index, inside = judged == &job->inside;
	bool have_ek = job->ek.cert || job->ek.has_public;
	bool good = index    ? judged->binding == BINDING_EK_CERT
		    : inside ? judged->binding == BINDING_EK_PUB
			     : judged->binding != BINDING_NONE;
	const char *expected = index    ? "ek-cert: SHA-512 of the EK certificate"
			       : inside ? "ek-pub: SHA-512 of the EK's TPM2B_PUBLIC"
					: "ek-pub or ek-cert of the given EK";
	struct cvtpm_check *c;

	/* An ek-cert report without its certificate cannot be told from a wrong one. */
	enum cvtpm_check_verdict otherwise =
		index && !job->ek.cert ? CVTPM_CHECK_UNKNOWN : CVTPM_CHECK_REFUSED;

	if (job->evidence->hcl.data) {
		azure_check_binding(&job->azure, job->v);
		return;
	}
	if (judged == &job->named && job->evidence->svsm_manifest.data) {
		svsm_check_binding(judged->about, judged->binding == BINDING_SVSM,
				   &job->policy->svsm_nonce, job->v);
		return;
	}
	if (!have_ek) {
		c = check_add(job->v, judged->about, "binding", "binding",
			      job->policy->report_only ? CVTPM_CHECK_NOT_CHECKED
						       : CVTPM_CHECK_UNKNOWN,
			      "a report vouches for no key but the one it binds");
		check_expected(c, "%s", expected);
		check_found(c, "no EK was given%s",
			    job->policy->report_only ? " (--report-only)"
						     : " (--ek-cert, --ek-public)");
		return;
	}
	c = check_add(job->v, judged->about, "binding", "binding",
		      good ? CVTPM_CHECK_OK : otherwise,
		      "a report vouches for no key but the one it binds");
	check_expected(c, "%s", expected);
	check_found(c, "%s", binding_text(judged->binding));
}

/* ---- one report ---- */

static void check_isolation(struct job *job, const struct judged *judged,
			    const struct cvtpm_allowed_measurement *allowed)
{
	static const char reason[] = "taken from the policy, never from evidence";
	const char *is =
		allowed && allowed->isolation == CVTPM_ISOLATION_PROCESS ? "process" : "svsm";
	const char *claim = job->ek.cmw.isolation;
	bool contradicts = allowed && claim && strcmp(claim, is) != 0;
	struct cvtpm_check *c = check_add(job->v, judged->about, "isolation", "isolation",
					  !allowed      ? CVTPM_CHECK_UNKNOWN
					  : contradicts ? CVTPM_CHECK_REFUSED
							: CVTPM_CHECK_OK,
					  reason);

	if (!allowed) {
		check_expected(c, "that of an allowed measurement");
		check_found(c, "no measurement matched");
	} else if (contradicts) {
		check_expected(c, "%s, as the policy says of this measurement", is);
		check_found(c, "the certificate claims %s", *claim ? claim : "something else");
	} else if (allowed->isolation == CVTPM_ISOLATION_PROCESS) {
		check_expected(c, "process (asked for by name)");
		check_found(c, "process: root of that guest can do what the TPM can");
	} else {
		check_expected(c, "svsm");
		check_found(c, "svsm: the guest's kernel is kept out");
	}
}

static void judge_report(struct job *job, struct judged *judged)
{
	const struct crl_lists crls = {.chosen = job->evidence->crls,
				       .chosen_count = job->evidence->crl_count,
				       .brought = job->certs.crls,
				       .brought_count = job->certs.crl_count,
				       .require = job->policy->require_crl};
	const struct cvtpm_allowed_measurement *allowed;
	enum cvtpm_product product;
	struct chain chain;
	struct cvtpm_report_facts *facts;
	struct cvtpm_check *c;
	char id[65];

	if (!judged->bytes)
		return;
	facts = facts_add_report(&job->v->facts, judged->about, judged->bytes,
				 binding_name(judged->binding));
	report_read(&judged->report, judged->bytes);
	if (!report_check_layout(&judged->report, judged->about, job->v))
		return;
	chain_find(&chain, &judged->report, &job->certs, &job->roots);
	job->v->lab |= chain.lab;
	facts_set_chain(facts, &chain);
	chain_check(&chain, &judged->report, &crls, job->at, judged->about, job->v);
	product = chain.product != CVTPM_PRODUCT_UNKNOWN ? chain.product
							 : report_product(&judged->report);
	report_check_policy(&judged->report, product, job->policy, judged->about, job->v);
	rules_check_report(&judged->report, product, job->policy, judged->about, job->v);
	allowed = report_check_measurement(&judged->report, job->policy, judged->about, job->v);
	facts_set_measurement(facts, allowed);
	check_isolation(job, judged, allowed);
	check_binding(job, judged);

	c = check_add(job->v, judged->about, "boot", "report ID", CVTPM_CHECK_OK,
		      "which boot of the guest it speaks of");
	hex_text(id, judged->report.report_id, 32);
	check_found(c, "%s", id);
}

/* ---- all of them together ---- */

static void check_together(struct job *job)
{
	const struct judged *all[] = {&job->named, &job->index, &job->inside};
	bool pub = false, cert = false, any = false;
	struct cvtpm_check *c;

	for (size_t i = 0; i < 3; i++) {
		any |= all[i]->bytes != NULL;
		pub |= all[i]->binding == BINDING_EK_PUB || all[i]->binding == BINDING_SVSM;
		cert |= all[i]->binding == BINDING_EK_CERT;
	}
	if (!any) {
		c = check_add(job->v, evidence_about, "report", "report", CVTPM_CHECK_UNKNOWN,
			      "without one nothing is known of the machine");
		check_expected(c, "one named (--report), or inside the EK certificate");
		check_found(c, "none");
		return;
	}
	if (!job->ek.cert && !job->ek.has_public && !job->policy->require_ek_cert)
		return; /* said already */
	c = check_add(job->v, evidence_about, "ek-pub", "EK bound by a report (ek-pub)",
		      pub                        ? CVTPM_CHECK_OK
		      : job->policy->report_only ? CVTPM_CHECK_NOT_CHECKED
						 : CVTPM_CHECK_UNKNOWN,
		      "this proves the key: it was made in that guest");
	check_expected(c, "a report over the EK's public area");
	check_found(c, "%s", pub ? "there is one" : "none");
	c = check_add(job->v, evidence_about, "ek-cert",
		      "EK certificate bound by a report (ek-cert)",
		      cert                           ? CVTPM_CHECK_OK
		      : job->policy->require_ek_cert ? CVTPM_CHECK_UNKNOWN
						     : CVTPM_CHECK_NOT_CHECKED,
		      "the certificate in NVRAM is the TPM owner's; proves no key alone");
	check_expected(c, "a report over the certificate, from the report index");
	check_found(c, "%s", cert ? "there is one" : "none was given");
}

static void add_claims(struct job *job)
{
	for (size_t i = 0; i < job->ek.cmw.claim_count; i++) {
		const struct cmw_claim *claim = &job->ek.cmw.claims[i];
		struct cvtpm_check *c =
			check_add(job->v, "EK certificate", "claim", "claim", CVTPM_CHECK_CLAIMED,
				  "said by the evidence of itself; decides nothing");

		check_found(c, "%s = %s", claim->name, claim->value);
	}
}

/* What is not of the report, but beside it. */
static void check_others(struct job *job)
{
	const struct cvtpm_evidence *e = job->evidence;

	rules_check_ek(&job->ek, &job->certs, job->policy, job->at, job->v);
	if (e->platform_certificate.data)
		platform_certificate_check(&e->platform_certificate, job->ek.cert, &job->certs,
					   job->at, job->v);
	if (e->hcl.data)
		azure_check(&job->azure, e->machine, &job->policy->hcl_nonce, &job->quoted, job->v);
	if (e->machine) {
		if (!e->hcl.data)
			machine_check(e->machine, job->policy->asked, &job->ek, (int64_t)time(NULL),
				      &job->quoted, job->v);
		machine_check_logs(e->machine, &job->quoted, job->v);
	}
	machine_check_policy(e->machine, job->policy, &job->quoted, job->v);
	facts_set_machine(&job->v->facts, e->machine, &job->quoted);
}

static void check_unavailable(struct job *job)
{
	for (size_t i = 0; i < job->evidence->unavailable_count; i++) {
		struct cvtpm_check *c = check_add(
			job->v, evidence_about, "fetched", "certificates and lists of a service",
			CVTPM_CHECK_UNKNOWN, "what is missing cannot be judged");

		check_expected(c, "what the evidence lacks");
		check_found(c, "%s", job->evidence->unavailable[i]);
	}
}

static void conclude(struct cvtpm_verification *v)
{
	const struct cvtpm_check *check = cvtpm_deciding_check(v);

	v->answer = !check                                  ? CVTPM_ANSWER_YES
		    : check->verdict == CVTPM_CHECK_REFUSED ? CVTPM_ANSWER_NO
							    : CVTPM_ANSWER_UNKNOWN;
}

int cvtpm_verify_evidence(const struct cvtpm_evidence *evidence, const struct cvtpm_policy *policy,
			  struct cvtpm_verification *out)
{
	return cvtpm_verify_evidence_cached(NULL, evidence, policy, out);
}

int cvtpm_verify_evidence_cached(struct cvtpm_chain_cache *cache,
				 const struct cvtpm_evidence *evidence,
				 const struct cvtpm_policy *policy, struct cvtpm_verification *out)
{
	struct job *job;
	int result;

	*out = (struct cvtpm_verification){.answer = CVTPM_ANSWER_NO};
	if (policy->vmpl > 3 ||
	    (policy->svsm_nonce.data && policy->svsm_nonce.len != SVSM_NONCE_SIZE))
		return CVTPM_ERR_PARAM;
	job = calloc(1, sizeof(*job));
	if (!job)
		return CVTPM_ERR_NO_MEMORY;
	job->evidence = evidence;
	job->policy = policy;
	job->v = out;
	job->at = policy->at ? policy->at : (int64_t)time(NULL);
	out->facts.at = job->at;

	result = roots_open(&job->roots, policy);
	job->roots.certs.cache = job->certs.cache = cache;
	if (!result) {
		/* Malformed evidence gets its line and no more is said of the rest. */
		if (open_bundle(job) && gather(job)) {
			bind(job);
			facts_set_ek(&out->facts, &job->ek);
			judge_report(job, &job->named);
			judge_report(job, &job->index);
			judge_report(job, &job->inside);
			check_together(job);
			check_others(job);
			add_claims(job);
		}
		check_unavailable(job);
		conclude(out);
	}
	ek_close(&job->ek);
	certs_free(&job->certs);
	roots_close(&job->roots);
	ERR_clear_error();
	free(job);
	return result;
}
