/* The part of `cvtpm verify` that takes what a guest got from its SVSM. */
#ifndef CVTPM_CLI_VERIFY_SVSM_H
#define CVTPM_CLI_VERIFY_SVSM_H

#include "cli/files.h"

struct verify_svsm {
	const char *nonce, *manifest; /* digits or a file; a file */
	uint8_t nonce_bytes[64];
};

/** NULL, or what is wrong with these options, for people. */
const char *verify_svsm_usage(const struct verify_svsm *s, const char *report);

/** Reads the manifest into `evidence` and the nonce into `policy`, which then points into
 *  *s. False: said on standard error. */
bool verify_svsm_open(struct verify_svsm *s, struct cli_files *files,
		      struct cvtpm_evidence *evidence, struct cvtpm_policy *policy);

#endif
