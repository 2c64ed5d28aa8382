/*
 * cvtpm verify: is this evidence to be trusted?
 *
 * Reads files, calls the library once, prints what it said. Files that cannot
 * be read and arguments that cannot be understood are faults (2); files whose
 * content is bad are bad evidence (1).
 */
#include "cli/attest.h"
#include "cli/cli.h"
#include "cli/files.h"
#include "cli/plain.h"
#include "cli/verify_hcl.h"
#include "cli/verify_kds.h"
#include "cli/verify_machine.h"
#include "cli/verify_output.h"
#include "cli/verify_policy.h"
#include "cli/verify_svsm.h"
#include "cvtpm/evidence.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FILES_MAX        32
#define MEASUREMENTS_MAX 64

struct arguments {
	const char *report, *ek_cert_report, *ek_cert, *ek_public, *lab_root;
	const char *certs[FILES_MAX], *crls[FILES_MAX];
	size_t cert_count, crl_count;
	struct cvtpm_allowed_measurement measurements[MEASUREMENTS_MAX];
	size_t measurement_count;
	struct cvtpm_policy policy;
	struct verify_output output;
	struct verify_machine machine;
	struct verify_svsm svsm;
	struct verify_hcl hcl;
	struct verify_kds kds;
	struct verify_policy rules;
	int several; /* the option whose further values may follow without repeating it */
};

enum verify_option {
	OPTION_REPORT = 0x100, /* beyond characters, which would be short options */
	OPTION_CERTS,
	OPTION_MEASUREMENT,
	OPTION_MEASUREMENT_PROCESS,
	OPTION_EK_CERT,
	OPTION_EK_PUBLIC,
	OPTION_EK_CERT_REPORT,
	OPTION_LAB_ROOT,
	OPTION_ALLOW_DEBUG,
	OPTION_VMPL,
	OPTION_AT,
	OPTION_REPORT_ONLY,
	OPTION_CRL,
	OPTION_SVSM_NONCE,
	OPTION_SVSM_MANIFEST,
	OPTION_BUNDLE,
	OPTION_TPM,
	OPTION_CHALLENGE,
	OPTION_CHALLENGE_SECRET,
	OPTION_IDENTITY_ONLY,
	OPTION_EK,
	OPTION_PCRS,
	OPTION_POLICY,
	OPTION_KEYLIME, /* never parsed: cmd_verify sees it first */
	OPTION_HCL,
	OPTION_QUOTE,
	OPTION_QUOTE_SIGNATURE,
	OPTION_QUOTE_NONCE,
	OPTION_PCR_VALUES,
	OPTION_KDS,
	OPTION_KDS_CA,
	OPTION_CACHE,
	OPTION_OFFLINE,
	OPTION_PRODUCT,
	OPTION_JSON,
	OPTION_HTML,
};

static const struct argp_option options[] = {
	{"bundle", OPTION_BUNDLE, "FILE", 0, "a bundle of `cvtpm attest`, in place of single files",
	 1},
	{"tpm", OPTION_TPM, "ADDRESS", 0,
	 "a live TPM, which is read and challenged: unix:PATH, tcp:HOST:PORT, mssim:HOST:PORT or "
	 "device:PATH",
	 1},
	{"ek", OPTION_EK, "NAME", 0, "with --tpm: rsa2048, p256, p384 or rsa3072", 1},
	{"challenge", OPTION_CHALLENGE, "FILE", 0,
	 "write a challenge for the machine of --bundle, unless it is refused", 1},
	{"challenge-secret", OPTION_CHALLENGE_SECRET, "FILE", 0,
	 "with --challenge: keep its secret here; else: the secret of the challenge that --bundle "
	 "answers, which is used up",
	 1},
	{"pcrs", OPTION_PCRS, "LIST", 0,
	 "PCRs to be quoted, as sha256:0-7,10+sha384:0 (default: sha256:0-15)", 1},
	{"report", OPTION_REPORT, "FILE", 0,
	 "SEV-SNP attestation report, 1184 bytes; its certificate table may follow", 1},
	{"certs", OPTION_CERTS, "FILE...", 0,
	 "VCEK or VLEK, ASK or ASVK: DER or PEM, any order, several in a file, or a certificate "
	 "table; AMD's roots are built in",
	 1},
	{"ek-cert", OPTION_EK_CERT, "FILE", 0,
	 "the EK certificate; the report inside it is taken when --report is not given", 1},
	{"ek-public", OPTION_EK_PUBLIC, "FILE", 0,
	 "the EK as read from the TPM, TPM2B_PUBLIC or TPMT_PUBLIC", 1},
	{"ek-cert-report", OPTION_EK_CERT_REPORT, "FILE", 0,
	 "the report from the report index, which binds the EK certificate", 1},
	{"svsm-manifest", OPTION_SVSM_MANIFEST, "FILE", 0,
	 "with --report, the vTPM's manifest (version 0) from the attestation call to an SVSM", 1},
	{"svsm-nonce", OPTION_SVSM_NONCE, "HEX|FILE", 0,
	 "the 64 bytes that the guest was given for that call", 1},
	{"crl", OPTION_CRL, "FILE...", 0,
	 "revocation lists of the root; `kds': the service's, which is then required", 1},
	{"hcl", OPTION_HCL, "FILE", 0,
	 "the HCL report of an Azure confidential VM (NV index 0x01400001), in place of report "
	 "and EK",
	 1},
	{"quote", OPTION_QUOTE, "FILE", 0, "with --hcl: a quote (TPMS_ATTEST) by the key in it", 1},
	{"quote-signature", OPTION_QUOTE_SIGNATURE, "FILE", 0,
	 "its signature: TPMT_SIGNATURE, or RSASSA with SHA-256 bare", 1},
	{"quote-nonce", OPTION_QUOTE_NONCE, "HEX", 0,
	 "the nonce that you gave for it; without one its age cannot be told", 1},
	{"pcr-values", OPTION_PCR_VALUES, "FILE", 0,
	 "the quoted PCRs: CBOR as of `cvtpm attest', or the SHA-256 bank, 24 values bare", 1},
	{"kds", OPTION_KDS, "URL", 0,
	 "get what is missing from this key distribution service; `amd': AMD's", 1},
	{"kds-ca", OPTION_KDS_CA, "FILE", 0, "trust only these CAs for its TLS", 1},
	{"cache", OPTION_CACHE, "DIR", 0,
	 "keep and look for its answers here (default $XDG_CACHE_HOME/cvtpm/kds or "
	 "~/.cache/cvtpm/kds)",
	 1},
	{"offline", OPTION_OFFLINE, NULL, 0, "ask nobody: only what the cache has", 1},
	{"product", OPTION_PRODUCT, "NAME", 0,
	 "whose keys to ask for, where a report of version 2 does not tell: Milan, Genoa or Turin",
	 1},
	{"policy", OPTION_POLICY, "FILE", 0,
	 "rules from a file (`cvtpm policy`); the options below may add to them, never weaken them",
	 2},
	{"measurement", OPTION_MEASUREMENT, "HEX...", 0,
	 "a measurement to accept, of an image that keeps the guest's kernel away from its TPM", 2},
	{"measurement-process", OPTION_MEASUREMENT_PROCESS, "HEX...", 0,
	 "the same, of an image whose TPM is a process: root there can do what the TPM can", 2},
	{"vmpl", OPTION_VMPL, "N", 0, "privilege level the report must be from (default 0)", 2},
	{"allow-debug", OPTION_ALLOW_DEBUG, NULL, 0, "accept a guest that the host may debug", 2},
	{"lab-root", OPTION_LAB_ROOT, "FILE", 0,
	 "trust this root too; the outcome is then marked LAB", 2},
	{"at", OPTION_AT, "TIME", 0,
	 "judge dates at this time: RFC 3339 (2026-01-31T12:00:00Z) or seconds since 1970", 2},
	{"report-only", OPTION_REPORT_ONLY, NULL, 0,
	 "judge the report alone: there is no EK to bind", 2},
	{"identity-only", OPTION_IDENTITY_ONLY, NULL, 0,
	 "of a bundle or a TPM, judge only where its EK was born: no AK, no quote", 2},
	{"html", OPTION_HTML, "FILE", 0, "write a page for a browser, for people to read", 3},
	{"keylime", OPTION_KEYLIME, NULL, 0,
	 "alone: be Keylime's ek_check_script (docs/keylime.md)", 3},
	{"json", OPTION_JSON, NULL, 0, "one line of JSON", 3},
	{"quiet", 'q', NULL, 0, "the verdict alone, one line", 3},
	{"verbose", 'v', NULL, 0, "on a terminal too, list the checks that passed", 3},
	{0},
};

static const char doc[] =
	"Decides whether evidence is to be trusted: a report of a genuine SEV-SNP processor, of "
	"the "
	"image with the given measurement, bound to this EK.\v"
	"Example:\n"
	"  cvtpm verify --ek-cert ek.der --certs vcek.der ask_ark.pem \\\n"
	"    --measurement 7f1c...\n"
	"\n"
	"Exit status: 0 yes, 1 refused, 2 wrong usage or a fault, 3 could not tell (something "
	"needed "
	"is missing; without a measurement the answer is never yes).";

/* ---- arguments ---- */

static void add_measurement(struct argp_state *state, struct arguments *a, const char *hex,
			    enum cvtpm_isolation isolation)
{
	struct cvtpm_allowed_measurement *m = &a->measurements[a->measurement_count];

	if (a->measurement_count == MEASUREMENTS_MAX)
		argp_error(state, "more than %d measurements", MEASUREMENTS_MAX);
	if (!cvtpm_parse_measurement(hex, m->digest))
		argp_error(state, "measurement '%s' is not %d hexadecimal digits", hex,
			   2 * SNP_MEASUREMENT_SIZE);
	m->isolation = isolation;
	a->measurement_count++;
}

static void add_file(struct argp_state *state, const char **files, size_t *count, const char *path)
{
	if (*count == FILES_MAX)
		argp_error(state,
			   "more than %d files of one kind; put several certificates into one",
			   FILES_MAX);
	files[(*count)++] = path;
}

/* Seconds since 1970, or RFC 3339: date, T, time, optional fraction, Z or +hh:mm. */
static bool read_time(const char *text, int64_t *at)
{
	struct tm tm = {0};
	const char *rest;
	char *end;
	int sign, hours, minutes, used = 0;

	errno = 0;
	*at = strtoll(text, &end, 10);
	if (*text && !*end)
		return errno == 0 && *at > 0;
	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!rest)
		rest = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
	if (!rest)
		return false;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	*at = timegm(&tm);
	if ((*rest == 'Z' || *rest == 'z') && !rest[1])
		return *at > 0;
	if ((*rest != '+' && *rest != '-') ||
	    sscanf(rest + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || used != 5 || rest[6] ||
	    hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return false;
	sign = *rest == '+' ? 1 : -1;
	*at -= sign * (hours * 3600 + minutes * 60);
	return *at > 0;
}

static void check_usage(struct argp_state *state, const struct arguments *a)
{
	if (a->output.json + a->output.quiet + a->output.verbose > 1)
		argp_error(state, "--json, --quiet and --verbose: one of them");
	if (verify_svsm_usage(&a->svsm, a->report))
		argp_error(state, "%s", verify_svsm_usage(&a->svsm, a->report));
	if (verify_machine_usage(&a->machine))
		argp_error(state, "%s", verify_machine_usage(&a->machine));
	if (verify_hcl_usage(&a->hcl))
		argp_error(state, "%s", verify_hcl_usage(&a->hcl));
	if (verify_kds_usage(&a->kds))
		argp_error(state, "%s", verify_kds_usage(&a->kds));
	if (a->hcl.hcl) {
		if (a->machine.bundle || a->machine.tpm || a->report || a->ek_cert ||
		    a->ek_cert_report || a->ek_public)
			argp_error(state, "--hcl takes the place of --bundle, --tpm, "
					  "--report and everything of an EK");
		return;
	}
	if (a->machine.bundle || a->machine.tpm) {
		if (a->policy.report_only)
			argp_error(state, "--report-only: a bundle and a TPM have an EK "
					  "(--identity-only leaves out AK and quote)");
		if (a->report || a->ek_cert || a->ek_cert_report || a->ek_public)
			argp_error(state, "--bundle and --tpm take the place of --report, "
					  "--ek-cert, --ek-public and --ek-cert-report");
		return;
	}
	if (!a->report && !a->ek_cert && !a->ek_cert_report)
		argp_error(state, "no evidence: give --bundle, --tpm, --report, "
				  "--ek-cert or --hcl");
}

static const struct plain_option plain[] = {
	ONCE(OPTION_REPORT, struct arguments, report),
	ONCE(OPTION_EK_CERT, struct arguments, ek_cert),
	ONCE(OPTION_EK_PUBLIC, struct arguments, ek_public),
	ONCE(OPTION_EK_CERT_REPORT, struct arguments, ek_cert_report),
	ONCE(OPTION_LAB_ROOT, struct arguments, lab_root),
	ONCE(OPTION_SVSM_NONCE, struct arguments, svsm.nonce),
	ONCE(OPTION_SVSM_MANIFEST, struct arguments, svsm.manifest),
	FLAG(OPTION_ALLOW_DEBUG, struct arguments, policy.allow_debug),
	FLAG(OPTION_REPORT_ONLY, struct arguments, policy.report_only),
	ONCE(OPTION_POLICY, struct arguments, rules.path),
	ONCE(OPTION_BUNDLE, struct arguments, machine.bundle),
	ONCE(OPTION_TPM, struct arguments, machine.tpm),
	ONCE(OPTION_CHALLENGE, struct arguments, machine.challenge),
	ONCE(OPTION_CHALLENGE_SECRET, struct arguments, machine.challenge_secret),
	FLAG(OPTION_IDENTITY_ONLY, struct arguments, policy.identity_only),
	ONCE(OPTION_HCL, struct arguments, hcl.hcl),
	ONCE(OPTION_QUOTE, struct arguments, hcl.quote),
	ONCE(OPTION_QUOTE_SIGNATURE, struct arguments, hcl.signature),
	ONCE(OPTION_QUOTE_NONCE, struct arguments, hcl.nonce),
	ONCE(OPTION_PCR_VALUES, struct arguments, hcl.pcrs),
	ONCE(OPTION_KDS, struct arguments, kds.url),
	ONCE(OPTION_KDS_CA, struct arguments, kds.ca_file),
	ONCE(OPTION_CACHE, struct arguments, kds.cache_dir),
	FLAG(OPTION_OFFLINE, struct arguments, kds.offline),
	ONCE(OPTION_PRODUCT, struct arguments, kds.product),
	FLAG(OPTION_JSON, struct arguments, output.json),
	ONCE(OPTION_HTML, struct arguments, output.html),
	FLAG('q', struct arguments, output.quiet),
	FLAG('v', struct arguments, output.verbose),
	{0},
};

static error_t parse(int key, char *value, struct argp_state *state)
{
	struct arguments *a = state->input;

	key = cli_several(state, key, value, &a->several);
	if (plain_take(state, options, plain, key, value))
		return 0;
	switch (key) {
	case OPTION_CERTS:
		add_file(state, a->certs, &a->cert_count, value);
		a->several = key;
		return 0;
	case OPTION_CRL:
		if (!strcmp(value, "kds")) {
			a->kds.crl = a->policy.require_crl = true;
			return 0;
		}
		add_file(state, a->crls, &a->crl_count, value);
		a->several = key;
		return 0;
	case OPTION_MEASUREMENT:
		add_measurement(state, a, value, CVTPM_ISOLATION_SVSM);
		a->several = key;
		return 0;
	case OPTION_MEASUREMENT_PROCESS:
		add_measurement(state, a, value, CVTPM_ISOLATION_PROCESS);
		a->several = key;
		return 0;
	case OPTION_VMPL:
		if (strlen(value) != 1 || value[0] < '0' || value[0] > '3')
			argp_error(state, "--vmpl '%s': there are levels 0 to 3", value);
		a->policy.vmpl = (uint32_t)(value[0] - '0');
		a->rules.vmpl_given = true;
		return 0;
	case OPTION_AT:
		if (!read_time(value, &a->policy.at))
			argp_error(state,
				   "--at '%s' is no time: give RFC 3339, as "
				   "2026-01-31T12:00:00Z, or seconds since 1970",
				   value);
		return 0;
	case OPTION_EK:
		if (!cli_parse_ek(value, &a->machine.ek))
			argp_error(state, "--ek %s: there are rsa2048, p256, p384 and rsa3072",
				   value);
		return 0;
	case OPTION_PCRS:
		if (!cvtpm_pcr_choice_parse(value, &a->machine.pcrs))
			argp_error(state, "--pcrs %s: write it as sha256:0-7,10+sha384:0", value);
		return 0;
	case ARGP_KEY_END:
		check_usage(state, a);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- files ---- */

static bool read_several(struct cli_files *files, const char *const *paths, size_t count,
			 struct cvtpm_bytes *bytes)
{
	for (size_t i = 0; i < count; i++)
		if (!cli_read_file(files, paths[i], &bytes[i]))
			return false;
	return true;
}

/* ---- the command ---- */

static int judge(struct arguments *a, struct cvtpm_evidence *evidence,
		 const struct cvtpm_bytes *lab_root)
{
	struct cvtpm_verification *v = malloc(sizeof(*v));
	int result;

	if (!v) {
		cli_error("out of memory");
		return CLI_FAULT;
	}
	a->policy.measurements = a->measurements;
	a->policy.measurement_count = a->measurement_count;
	a->policy.lab_roots = lab_root;
	a->policy.lab_root_count = a->lab_root ? 1 : 0;
	if (!verify_policy_join(&a->rules, &a->policy)) {
		free(v);
		return CLI_FAULT;
	}

	result = verify_kds_complete(&a->kds, evidence, &a->policy);
	if (result != CLI_YES) {
		free(v);
		return result;
	}
	result = cvtpm_verify_evidence(evidence, &a->policy, v);
	if (!result) {
		result = verify_say(&a->output, v);
	} else if (a->lab_root) {
		cli_error("lab root %s is not one certificate in DER or PEM", a->lab_root);
		result = CLI_FAULT;
	} else {
		cli_error("out of memory");
		result = CLI_FAULT;
	}
	free(v);
	return result;
}

int cmd_verify(int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse, .doc = doc};
	struct arguments *a = calloc(1, sizeof(*a));
	struct cvtpm_bytes certs[FILES_MAX], crls[FILES_MAX], lab_root = {0};
	struct cvtpm_evidence evidence = {.certificates = certs, .crls = crls};
	struct cli_files files = {.count = 0};
	int result = CLI_FAULT;

	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--keylime") == 0) {
			free(a);
			return cmd_keylime(argc - 1, argv);
		}
	if (!a) {
		cli_error("out of memory");
		return CLI_FAULT;
	}
	argp_err_exit_status = CLI_FAULT;
	if (!argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, a) &&
	    verify_policy_open(&a->rules, &a->policy) &&
	    cli_read_optional(&files, a->report, &evidence.report) &&
	    cli_read_optional(&files, a->ek_cert_report, &evidence.ek_cert_report) &&
	    cli_read_optional(&files, a->ek_cert, &evidence.ek_certificate) &&
	    cli_read_optional(&files, a->ek_public, &evidence.ek_public) &&
	    cli_read_optional(&files, a->lab_root, &lab_root) &&
	    verify_svsm_open(&a->svsm, &files, &evidence, &a->policy) &&
	    verify_hcl_open(&a->hcl, &files, &evidence, &a->policy) &&
	    read_several(&files, a->certs, a->cert_count, certs) &&
	    read_several(&files, a->crls, a->crl_count, crls)) {
		evidence.certificate_count = a->cert_count;
		evidence.crl_count = a->crl_count;
		result = verify_machine_open(&a->machine, &files, &evidence, &a->policy);
		if (result == CLI_YES)
			result = verify_machine_finish(&a->machine, &evidence,
						       judge(a, &evidence, &lab_root));
		verify_machine_close(&a->machine);
	}
	verify_kds_close(&a->kds);
	verify_policy_close(&a->rules);
	cli_free_files(&files);
	free(a);
	return result;
}
