/* cvtpm ca: make and look at a local certification authority. */
#include "cvtpm/ca.h"
#include "cli/cli.h"
#include "cli/files.h"
#include "cvtpm/err.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEASUREMENTS_MAX 64

struct arguments {
	const char *verb, *dir;
	const char *key, *certs, *lab_root, *name;
	bool p256;
	struct cvtpm_policy policy;
	struct cvtpm_allowed_measurement measurements[MEASUREMENTS_MAX];
};

enum ca_option {
	OPTION_KEY = 1,
	OPTION_KEY_TYPE,
	OPTION_NAME,
	OPTION_CERTS,
	OPTION_LAB_ROOT,
	OPTION_MEASUREMENT,
	OPTION_MEASUREMENT_PROCESS,
	OPTION_VMPL,
	OPTION_ALLOW_DEBUG,
};

static const struct argp_option options[] = {
	{"measurement", OPTION_MEASUREMENT, "HEX", 0,
	 "sign for this image, which keeps the guest's kernel away from its TPM; may be repeated",
	 1},
	{"measurement-process", OPTION_MEASUREMENT_PROCESS, "HEX", 0,
	 "the same, for an image whose TPM is a process", 1},
	{"vmpl", OPTION_VMPL, "N", 0, "privilege level the report must be from (default 0)", 1},
	{"allow-debug", OPTION_ALLOW_DEBUG, NULL, 0, "sign for guests that the host may debug", 1},
	{"lab-root", OPTION_LAB_ROOT, "FILE", 0, "sign for LAB evidence under this root too", 1},
	{"certs", OPTION_CERTS, "FILE", 0,
	 "VCEKs and ASKs, PEM, for hosts that put none beside their reports", 1},
	{"key-type", OPTION_KEY_TYPE, "p384|p256", 0, "which key to make (default p384)", 2},
	{"key", OPTION_KEY, "FILE", 0, "take this private key, PEM, P-384 or P-256", 2},
	{"name", OPTION_NAME, "TEXT", 0, "common name of the CA (default 'cvtpm local CA')", 2},
	{0},
};

static const char doc[] =
	"A certification authority in a folder, which signs EK certificates only for reports that "
	"it "
	"has verified. init makes it, show prints what it is and what it signs for.\v"
	"Example:\n"
	"  cvtpm ca init --measurement 7f1c... /etc/cvtpm/ca\n"
	"  cvtpm manufacture --ca /etc/cvtpm/ca --state /var/lib/cvtpm/vm1\n"
	"\n"
	"Exit status: 0 done, 2 wrong usage or a fault.";

static void add_measurement(struct argp_state *state, struct arguments *a, const char *hex,
			    enum cvtpm_isolation isolation)
{
	struct cvtpm_allowed_measurement *m = &a->measurements[a->policy.measurement_count];

	if (a->policy.measurement_count == MEASUREMENTS_MAX)
		argp_error(state, "more than %d measurements", MEASUREMENTS_MAX);
	if (!cvtpm_parse_measurement(hex, m->digest))
		argp_error(state, "measurement '%s' is not %d hexadecimal digits", hex,
			   2 * SNP_MEASUREMENT_SIZE);
	m->isolation = isolation;
	a->policy.measurement_count++;
}

static error_t parse(int key, char *value, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case OPTION_KEY:
		a->key = value;
		return 0;
	case OPTION_KEY_TYPE:
		a->p256 = !strcmp(value, "p256");
		if (!strncmp(value, "rsa", 3))
			argp_error(
				state,
				"--key-type %s: an EK certificate with its report signed by RSA "
				"2048 has about 2127 bytes, and an NV index of libtpms holds 2048; "
				"there are p384 and p256",
				value);
		if (!a->p256 && strcmp(value, "p384") != 0)
			argp_error(state, "--key-type '%s': there are p384 and p256", value);
		return 0;
	case OPTION_NAME:
		a->name = value;
		return 0;
	case OPTION_CERTS:
		a->certs = value;
		return 0;
	case OPTION_LAB_ROOT:
		a->lab_root = value;
		return 0;
	case OPTION_MEASUREMENT:
		add_measurement(state, a, value, CVTPM_ISOLATION_SVSM);
		return 0;
	case OPTION_MEASUREMENT_PROCESS:
		add_measurement(state, a, value, CVTPM_ISOLATION_PROCESS);
		return 0;
	case OPTION_VMPL:
		if (strlen(value) != 1 || value[0] < '0' || value[0] > '3')
			argp_error(state, "--vmpl '%s': there are levels 0 to 3", value);
		a->policy.vmpl = (uint32_t)(value[0] - '0');
		return 0;
	case OPTION_ALLOW_DEBUG:
		a->policy.allow_debug = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!a->verb)
			a->verb = value;
		else if (!a->dir)
			a->dir = value;
		else
			argp_error(state, "'%s' is one folder too many", value);
		return 0;
	case ARGP_KEY_END:
		if (!a->verb || (strcmp(a->verb, "init") != 0 && strcmp(a->verb, "show") != 0))
			argp_error(state, "say init or show");
		if (!a->dir)
			argp_error(state, "the CA's folder is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void say(void *context, enum cvtpm_log_level level, const char *line)
{
	(void)context, (void)level;
	cli_error("%s", line);
}

static const struct cvtpm_ca_log ca_log_to_people = {.line = say};

static int show(const char *dir)
{
	struct cvtpm_ca *ca;
	const struct cvtpm_policy *policy;

	if (cvtpm_ca_open(dir, &ca_log_to_people, &ca) < 0)
		return CLI_FAULT;
	policy = cvtpm_ca_policy(ca);
	printf("CA in %s: key %s, certificate %s/ca.pem\n", dir,
	       cvtpm_ca_issuer(ca)->curve == 0x0004 ? "P-384" : "P-256", dir);
	printf("signs for reports at VMPL %u, debugging %s%s\n", policy->vmpl,
	       policy->allow_debug ? "allowed" : "refused",
	       policy->lab_root_count ? ", LAB evidence under its lab root too" : "");
	for (size_t i = 0; i < policy->measurement_count; i++) {
		printf("measurement ");
		for (size_t k = 0; k < SNP_MEASUREMENT_SIZE; k++)
			printf("%02x", policy->measurements[i].digest[k]);
		printf(" %s\n", policy->measurements[i].isolation == CVTPM_ISOLATION_PROCESS
					? "process"
					: "svsm");
	}
	cvtpm_ca_close(ca);
	return CLI_YES;
}

static int init(struct arguments *a)
{
	struct cvtpm_ca_init init = {.name = a->name, .p256 = a->p256, .policy = &a->policy};
	struct cli_files files = {.count = 0};
	int result = CLI_FAULT;

	a->policy.measurements = a->measurements;
	if (cli_read_optional(&files, a->key, &init.key) &&
	    cli_read_optional(&files, a->certs, &init.certs) &&
	    cli_read_optional(&files, a->lab_root, &init.lab_root) &&
	    cvtpm_ca_init(a->dir, &init, &ca_log_to_people) == 0)
		result = show(a->dir);
	cli_free_files(&files);
	return result;
}

int cmd_ca(int argc, char **argv)
{
	const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "init|show DIR", .doc = doc};
	struct arguments *a = calloc(1, sizeof(*a));
	int result = CLI_FAULT;

	if (!a) {
		cli_error("out of memory");
		return CLI_FAULT;
	}
	argp_err_exit_status = CLI_FAULT;
	if (!argp_parse(&argp, argc, argv, 0, NULL, a))
		result = !strcmp(a->verb, "init") ? init(a) : show(a->dir);
	free(a);
	return result;
}
