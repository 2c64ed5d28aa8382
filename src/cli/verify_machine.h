/*
 * The part of `cvtpm verify` that looks at a whole machine: a bundle, a live
 * TPM, and the challenge that a machine has to answer.
 */
#ifndef CVTPM_CLI_VERIFY_MACHINE_H
#define CVTPM_CLI_VERIFY_MACHINE_H

#include "cli/files.h"
#include "cvtpm/bundle.h"
#include "cvtpm/instance.h"

/* As the options give it. */
struct verify_machine {
	const char *bundle, *tpm;           /* one of them, or neither */
	const char *challenge;              /* to be written */
	const char *challenge_secret;       /* to be written with it, else to be used up */
	enum cvtpm_ek ek;                   /* --tpm: 0, the first with a certificate */
	struct cvtpm_pcr_choice pcrs;       /* to be quoted; none: the default */
	struct cvtpm_challenge_secret kept; /* what the answer is compared with */
	uint8_t *live;                      /* the bundle of --tpm; owned */
	size_t live_len;
};

/** NULL, or what is wrong with these options, for people. */
const char *verify_machine_usage(const struct verify_machine *m);

/** Reads the bundle, or the TPM, into `evidence`; with --tpm the TPM answers a challenge at
 *  once, unless policy->identity_only. Uses up the kept secret, so it is the last thing to be
 *  done before the judgement. 0, or an exit status after a line on standard error. */
int verify_machine_open(struct verify_machine *m, struct cli_files *files,
			struct cvtpm_evidence *evidence, struct cvtpm_policy *policy);

/** After the judgement: writes the challenge, where one is wanted and the machine was not
 *  refused. The exit status, `answer` where all is well. */
int verify_machine_finish(const struct verify_machine *m, const struct cvtpm_evidence *evidence,
			  int answer);

void verify_machine_close(struct verify_machine *m);

#endif
