/*
 * cvtpm policy: makes a policy from a good report, and says what one means.
 */
#include "cvtpm/policy.h"
#include "cli/cli.h"
#include "cli/files.h"
#include "cvtpm/ek_template.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX       32
#define BUNDLE_MAX_SIZE ((size_t)160 << 20) /* the library refuses larger ones */

struct arguments {
	const char *verb, *file;
	const char *report, *ek_cert, *bundle, *lab_root, *out, *name;
	const char *certs[FILES_MAX];
	size_t cert_count;
	bool isolation_given;
	enum cvtpm_isolation isolation;
	enum cvtpm_product product;
	int64_t at;
	int several;
};

enum policy_option {
	OPTION_REPORT = 1,
	OPTION_EK_CERT,
	OPTION_BUNDLE,
	OPTION_CERTS,
	OPTION_LAB_ROOT,
	OPTION_ISOLATION,
	OPTION_NAME,
	OPTION_PRODUCT,
	OPTION_AT,
};

static const struct argp_option options[] = {
	{"report", OPTION_REPORT, "FILE", 0, "init: from this SEV-SNP attestation report", 1},
	{"ek-cert", OPTION_EK_CERT, "FILE", 0, "init: from the report inside this EK certificate",
	 1},
	{"bundle", OPTION_BUNDLE, "FILE", 0, "init: from a bundle of `cvtpm attest`", 1},
	{"certs", OPTION_CERTS, "FILE...", 0,
	 "init: VCEK or VLEK, ASK or ASVK, so that the report can be verified at once", 1},
	{"lab-root", OPTION_LAB_ROOT, "FILE", 0, "init: a root of LAB evidence", 1},
	{"at", OPTION_AT, "SECONDS", 0, "init: judge dates at this time, in seconds since 1970", 1},
	{"isolation", OPTION_ISOLATION, "svsm|process", 0,
	 "init: svsm where the image keeps the guest's kernel away from its TPM (default: process, "
	 "which claims less)",
	 2},
	{"name", OPTION_NAME, "NAME", 0, "init: of the measurement, for messages", 2},
	{"product", OPTION_PRODUCT, "Milan|Genoa|Turin", 0,
	 "init: for reports of version 2, which do not tell", 2},
	{"output", 'o', "FILE", 0, "init: write here, to a new file (default: standard output)", 3},
	{0},
};

static const char doc[] =
	"Policies for `cvtpm verify --policy`: init writes a commented one that fits a good "
	"report, check says whether a file is a policy, and what it means.\v"
	"Examples:\n"
	"  cvtpm policy init --report report.bin --certs vcek.der ask.pem \\\n"
	"    --isolation svsm -o policy.json\n"
	"  cvtpm policy check policy.json\n"
	"\n"
	"Exit status: 0 done, 1 the evidence is refused (no policy is made from it), 2 wrong "
	"usage, not a policy, or a fault.";

/* ---- arguments ---- */

static void parse_isolation(struct argp_state *state, struct arguments *a, const char *value)
{
	if (strcmp(value, "svsm") != 0 && strcmp(value, "process") != 0)
		argp_error(state, "--isolation '%s': there are svsm and process", value);
	a->isolation = strcmp(value, "svsm") ? CVTPM_ISOLATION_PROCESS : CVTPM_ISOLATION_SVSM;
	a->isolation_given = true;
}

static void parse_product(struct argp_state *state, struct arguments *a, const char *value)
{
	static const char *const names[CVTPM_PRODUCTS] = {[CVTPM_PRODUCT_MILAN] = "Milan",
							  [CVTPM_PRODUCT_GENOA] = "Genoa",
							  [CVTPM_PRODUCT_TURIN] = "Turin"};

	for (int i = CVTPM_PRODUCT_MILAN; i < CVTPM_PRODUCTS; i++)
		if (!strcmp(value, names[i]))
			a->product = (enum cvtpm_product)i;
	if (a->product == CVTPM_PRODUCT_UNKNOWN)
		argp_error(state, "--product '%s': there are Milan, Genoa and Turin", value);
}

static void parse_time(struct argp_state *state, struct arguments *a, const char *value)
{
	char *end;

	errno = 0;
	a->at = strtoll(value, &end, 10);
	if (errno || *end || a->at <= 0)
		argp_error(state, "--at '%s': seconds since 1970", value);
}

static void add_certs(struct argp_state *state, struct arguments *a, const char *path)
{
	if (a->cert_count == FILES_MAX)
		argp_error(state, "more than %d files of certificates", FILES_MAX);
	a->certs[a->cert_count++] = path;
}

static void parse_word(struct argp_state *state, struct arguments *a, const char *value)
{
	if (!a->verb)
		a->verb = value;
	else if (a->several)
		add_certs(state, a, value);
	else if (!a->file && !strcmp(a->verb, "check"))
		a->file = value;
	else
		argp_error(state, "'%s' belongs to no option", value);
}

static void check_usage(struct argp_state *state, const struct arguments *a)
{
	int sources = !!a->report + !!a->ek_cert + !!a->bundle;
	bool others = sources || a->out || a->cert_count || a->lab_root || a->name ||
		      a->isolation_given || a->product != CVTPM_PRODUCT_UNKNOWN || a->at;

	if (!a->verb || (strcmp(a->verb, "init") != 0 && strcmp(a->verb, "check") != 0))
		argp_error(state, "say init or check");
	if (!strcmp(a->verb, "check") && !a->file)
		argp_error(state, "the policy's file is missing");
	if (!strcmp(a->verb, "check") && others)
		argp_error(state, "check takes a file and no options");
	if (!strcmp(a->verb, "init") && sources != 1)
		argp_error(state, "give one of --report, --ek-cert and --bundle");
}

static error_t parse(int key, char *value, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (key != ARGP_KEY_ARG && key > 0 && key < ARGP_KEY_END)
		a->several = 0;
	switch (key) {
	case OPTION_REPORT:
		a->report = value;
		return 0;
	case OPTION_EK_CERT:
		a->ek_cert = value;
		return 0;
	case OPTION_BUNDLE:
		a->bundle = value;
		return 0;
	case OPTION_CERTS:
		add_certs(state, a, value);
		a->several = key;
		return 0;
	case OPTION_LAB_ROOT:
		a->lab_root = value;
		return 0;
	case OPTION_ISOLATION:
		parse_isolation(state, a, value);
		return 0;
	case OPTION_NAME:
		a->name = value;
		return 0;
	case OPTION_PRODUCT:
		parse_product(state, a, value);
		return 0;
	case OPTION_AT:
		parse_time(state, a, value);
		return 0;
	case 'o':
		a->out = value;
		return 0;
	case ARGP_KEY_ARG:
		parse_word(state, a, value);
		return 0;
	case ARGP_KEY_END:
		check_usage(state, a);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- check ---- */

static int check(const char *path)
{
	char error[CVTPM_POLICY_ERROR_SIZE], *text;
	struct cvtpm_policy *policy;

	if (cvtpm_policy_load(path, &policy, error)) {
		cli_error("%s", error);
		return CLI_FAULT;
	}
	text = cvtpm_policy_text(policy);
	cvtpm_policy_free(policy);
	if (!text || fputs(text, stdout) == EOF || fflush(stdout)) {
		cli_error("cannot say what it means: %s", text ? strerror(errno) : "out of memory");
		free(text);
		return CLI_FAULT;
	}
	free(text);
	return CLI_YES;
}

/* ---- init ---- */

/* The report to go by: of the EK where one binds it, else the first. */
static const struct cvtpm_report_facts *pick_report(const struct cvtpm_facts *facts)
{
	for (size_t i = 0; i < facts->report_count; i++)
		if (!strcmp(facts->reports[i].binding, "ek-pub"))
			return &facts->reports[i];
	return facts->report_count ? &facts->reports[0] : NULL;
}

static unsigned ek_algorithm(const char *ek)
{
	const struct cvtpm_ek_template *template;

	for (size_t i = 0; (template = cvtpm_ek_template_at(i)) != NULL; i++)
		if (!strncmp(ek, template->name, strlen(template->name)))
			return (unsigned)template->kind;
	return 0;
}

static enum cvtpm_product product_of(const struct cvtpm_report_facts *report,
				     enum cvtpm_product otherwise)
{
	return !strcmp(report->product, "Milan")   ? CVTPM_PRODUCT_MILAN
	       : !strcmp(report->product, "Genoa") ? CVTPM_PRODUCT_GENOA
	       : !strcmp(report->product, "Turin") ? CVTPM_PRODUCT_TURIN
						   : otherwise;
}

/* A claim must not decide, and must not be contradicted by a guess of ours either. */
static bool claims_isolation(const struct cvtpm_verification *v)
{
	for (size_t i = 0; i < v->count; i++)
		if (!strcmp(v->checks[i].id, "claim") &&
		    !strncmp(v->checks[i].found, "isolation = svsm", 16))
			return true;
	return false;
}

static char *make(const struct arguments *a, const struct cvtpm_verification *v)
{
	const struct cvtpm_report_facts *report = pick_report(&v->facts);
	struct cvtpm_policy_starter starter = {
		.source = a->report    ? a->report
			  : a->ek_cert ? a->ek_cert
				       : a->bundle,
		.measurement_name = a->name,
		.isolation = a->isolation,
		.ek_algorithms = a->report ? 0 : ek_algorithm(v->facts.ek),
	};
	char *json = NULL;

	if (!report) {
		const struct cvtpm_check *why = cvtpm_deciding_check(v);

		cli_error("no report to make a policy from: %s", why ? why->found : "none given");
		return NULL;
	}
	if (!a->isolation_given && claims_isolation(v)) {
		cli_error("the evidence claims isolation svsm, and no evidence can show it: say "
			  "--isolation svsm if you know this image, or --isolation process");
		return NULL;
	}
	starter.report = report->bytes;
	starter.product = product_of(report, a->product);
	if (a->product != CVTPM_PRODUCT_UNKNOWN && starter.product != a->product) {
		cli_error("--product: the report is of %s", report->product);
		return NULL;
	}
	if (cvtpm_policy_write_starter(&starter, &json))
		cli_error("cannot make a policy from this report: not of version 2 to 5, or not of "
			  "that product");
	return json;
}

/* Judges the evidence by the policy made from it, so that a policy for bad evidence is never
 * written. */
static int try_out(const char *json, const struct cvtpm_evidence *evidence,
		   const struct cvtpm_policy *first, bool report_only, struct cvtpm_verification *v)
{
	char error[CVTPM_POLICY_ERROR_SIZE], *summary;
	struct cvtpm_policy *policy, with;
	int result = CLI_FAULT;

	if (cvtpm_policy_read(json, strlen(json), "the new policy", NULL, &policy, error)) {
		cli_error("%s", error);
		return CLI_FAULT;
	}
	with = *policy;
	with.lab_roots = first->lab_roots;
	with.lab_root_count = first->lab_root_count;
	with.at = first->at;
	with.report_only = report_only;
	with.identity_only = true;
	if (!cvtpm_verify_evidence(evidence, &with, v)) {
		summary = cvtpm_verification_summary(v);
		result = v->answer == CVTPM_ANSWER_NO ? CLI_NO : CLI_YES;
		cli_error("%s%s", result == CLI_NO ? "no policy is made; " : "by the new policy: ",
			  summary ? summary : cvtpm_answer_name(v->answer));
		free(summary);
	}
	cvtpm_policy_free(policy);
	return result;
}

static bool put(const char *path, const char *json)
{
	if (path)
		return cli_write_bytes(path, (const uint8_t *)json, strlen(json), true);
	if (fputs(json, stdout) != EOF && !fflush(stdout))
		return true;
	cli_error("cannot write: %s", strerror(errno));
	return false;
}

static int judge(const struct arguments *a, const struct cvtpm_evidence *evidence,
		 const struct cvtpm_bytes *lab_root)
{
	struct cvtpm_policy first = {.report_only = true,
				     .identity_only = true,
				     .at = a->at,
				     .lab_roots = lab_root,
				     .lab_root_count = a->lab_root ? 1 : 0};
	struct cvtpm_verification *v = malloc(sizeof(*v));
	int result = CLI_FAULT;
	char *json;

	if (!v) {
		cli_error("out of memory");
		return CLI_FAULT;
	}
	if (cvtpm_verify_evidence(evidence, &first, v)) {
		cli_error("%s", a->lab_root ? "the lab root is not one certificate in DER or PEM"
					    : "out of memory");
		free(v);
		return CLI_FAULT;
	}
	json = make(a, v);
	if (json)
		result = try_out(json, evidence, &first, a->report != NULL, v);
	if (result == CLI_YES && !a->isolation_given)
		cli_error(
			"isolation is written as process, which claims least; --isolation svsm if "
			"the image keeps the guest's kernel away from its TPM");
	if (result == CLI_YES && !put(a->out, json))
		result = CLI_FAULT;
	free(json);
	free(v);
	return result;
}

static int init(const struct arguments *a)
{
	struct cvtpm_bytes certs[FILES_MAX], lab_root = {0};
	struct cvtpm_evidence evidence = {.certificates = certs,
					  .certificate_count = a->cert_count};
	struct cli_files files = {.count = 0};
	int result = CLI_FAULT;
	bool good = cli_read_optional(&files, a->report, &evidence.report) &&
		    cli_read_optional(&files, a->ek_cert, &evidence.ek_certificate) &&
		    cli_read_optional(&files, a->lab_root, &lab_root);

	if (good && a->bundle)
		good = cli_read_large_file(&files, a->bundle, BUNDLE_MAX_SIZE, &evidence.bundle);
	for (size_t i = 0; good && i < a->cert_count; i++)
		good = cli_read_file(&files, a->certs[i], &certs[i]);
	if (good)
		result = judge(a, &evidence, &lab_root);
	cli_free_files(&files);
	return result;
}

int cmd_policy(int argc, char **argv)
{
	const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "init\ncheck FILE", .doc = doc};
	struct arguments a = {.isolation = CVTPM_ISOLATION_PROCESS};

	argp_err_exit_status = CLI_FAULT;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a))
		return CLI_FAULT;
	return strcmp(a.verb, "init") ? check(a.file) : init(&a);
}
