/*
 * A TPM's surroundings as the options ask for them: store, entropy, clock, log,
 * reports, issuer. What `serve` and `manufacture` give to an instance.
 */
#ifndef CVTPM_CLI_TPM_H
#define CVTPM_CLI_TPM_H

#include "cli/common.h"
#include "cvtpm/amdsp.h"
#include "cvtpm/ca.h"
#include "cvtpm/instance.h"
#include "cvtpm/snp.h"

#include <stdatomic.h>

struct cli_tpm {
	struct cvtpm_platform platform;
	struct cvtpm_instance_config config;
	struct cvtpm_ca *ca;
	bool ca_has_spoken; /* it has said why it cannot be used */
	struct cvtpm_amdsp_lab *lab;
	struct cvtpm_snp_provider *provider;
	atomic_bool cancelled;         /* platform.cancelled */
	atomic_bool physical_presence; /* platform.physical_presence */
	bool errors_only;
};

/** Hardens the process and opens all of it. `store_flags`: of enum
 *  cvtpm_store_lmdb_flags. 0, or CLI_FAULT after one line on standard error.
 *  Says on standard error what the TPM's evidence will be worth. */
int cli_tpm_open(struct cli_tpm *tpm, const struct tpm_options *options, unsigned store_flags);

/** cli_tpm_open in two steps: the first hardens the process, the second opens what may take
 *  longer. */
void cli_tpm_begin(struct cli_tpm *tpm, const struct tpm_options *options);
int cli_tpm_open_parts(struct cli_tpm *tpm, const struct tpm_options *options,
		       unsigned store_flags);

/** Makes a TPM in the empty store, all of it with one commit. As cvtpm_instance_manufacture. */
int cli_tpm_manufacture(struct cli_tpm *tpm);

/** Closes all of it; also after a failed open. */
void cli_tpm_close(struct cli_tpm *tpm);

#endif
