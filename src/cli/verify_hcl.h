/* The part of `cvtpm verify` that takes the HCL form: Azure's confidential VMs. */
#ifndef CVTPM_CLI_VERIFY_HCL_H
#define CVTPM_CLI_VERIFY_HCL_H

#include "cli/files.h"
#include "cvtpm/bundle.h"

/* As the options give it; files, but for the nonce. */
struct verify_hcl {
	const char *hcl, *quote, *signature, *nonce, *pcrs;
	struct cvtpm_machine machine;
	uint8_t nonce_bytes[CVTPM_TPM_NAME_MAX];
	uint8_t encoded[CVTPM_PCRS_ENCODED_MAX_SIZE]; /* of --pcr-values, where they came bare */
};

/** NULL, or what is wrong with these options, for people. */
const char *verify_hcl_usage(const struct verify_hcl *h);

/** Reads the files into `evidence`, which then points into *h, and the nonce into `policy`.
 *  False: said on standard error. */
bool verify_hcl_open(struct verify_hcl *h, struct cli_files *files, struct cvtpm_evidence *evidence,
		     struct cvtpm_policy *policy);

#endif
