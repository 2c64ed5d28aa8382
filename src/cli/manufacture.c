#include "cli/cli.h"
#include "cli/common.h"
#include "cli/tpm.h"
#include "cvtpm/err.h"
#include "cvtpm/stores.h"

#include <stdio.h>
#include <time.h>

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct tpm_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not expected: options only", text);
		return 0;
	case ARGP_KEY_END:
		if (!o->state)
			argp_error(state, "--state DIR is missing: where shall the TPM be kept?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{&tpm_options_argp, 0, NULL, 0}, {0}};

static const struct argp manufacture_argp = {
	NULL,
	parse,
	NULL,
	"Makes a persistent TPM 2.0 in a folder, once: seeds, endorsement keys, EK certificates, "
	"platform "
	"certificate and, where there is evidence, the reports. All of it, or nothing.\v"
	"Examples:\n"
	"  cvtpm manufacture --state /var/lib/vm7/tpm\n"
	"  cvtpm manufacture --state /var/lib/vm7/tpm --lab --ek p384\n"
	"\n"
	"Exit status: 0 made, 1 refused because the folder holds a TPM, 2 wrong usage or a fault.",
	children,
	NULL,
	NULL};

static double seconds_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

static int say_result(const struct tpm_options *o, int err, const struct timespec *begin)
{
	if (err == 0) {
		printf("cvtpm manufacture: made in %.1f s; run it with `cvtpm serve --engine %s "
		       "--state %s%s%s%s%s%s --mssim 127.0.0.1:2321`\n",
		       seconds_since(begin), o->engine->name, o->state, o->seal ? " --seal " : "",
		       o->seal ? o->seal : "", o->lab ? " --lab" : "",
		       o->lab_dir ? " --lab-dir " : "", o->lab_dir ? o->lab_dir : "");
		return CLI_YES;
	}
	if (err == CVTPM_ERR_STATE) {
		cli_error("%s holds a TPM already, and a TPM is made once: name another folder",
			  o->state);
		return CLI_NO;
	}
	cli_error("nothing was made in %s: %s", o->state, cvtpm_strerror(err));
	return CLI_FAULT;
}

int cmd_manufacture(int argc, char **argv)
{
	struct tpm_options o;
	struct cli_tpm tpm;
	struct timespec begin;
	int status = CLI_FAULT;

	argp_parse(&manufacture_argp, argc, argv, 0, NULL, &o);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (cli_tpm_open(&tpm, &o, CVTPM_STORE_CREATE) == 0)
		status = say_result(&o, cli_tpm_manufacture(&tpm), &begin);
	cli_tpm_close(&tpm);
	return status;
}
