/* The parts of swtpm_setup: its options, and the work. */
#ifndef CVTPM_CLI_SWTPM_SETUP_H
#define CVTPM_CLI_SWTPM_SETUP_H

#include "cli/swtpm.h"

#define SETUP_VMID_MAX 128

struct setup_options {
	struct swtpm_state state;
	struct swtpm_key key;
	struct swtpm_log log;
	const char *config, *vmid, *runas, *cert_dir, *other_tpm;
	const char *import; /* a file of swtpm's; NULL: make a TPM */
	const struct cvtpm_engine *engine;
	const char *cipher, *keyfile, *keyfile_fd, *pwdfile, *pwdfile_fd;
	unsigned pcr_banks; /* 0: not said */
	unsigned rsa_bits;  /* 0: not said, 2048 */
	bool tpm2, overwrite, not_overwrite, reconfigure, ecc, create_spk, display;
	bool create_config_files, print_capabilities;
	bool wants_certificate;
};

/** "sha1,sha256", or "-" for all; false: not a list of them. */
bool setup_parse_banks(const char *text, unsigned *banks);

/** Reads what the configuration file says of the banks, where the options do not. 0, or
 *  CLI_FAULT after a line on stderr. */
int setup_read_config(struct setup_options *o);

/** Makes a TPM, or reconfigures one; an enum cli_exit. */
int setup_make(struct setup_options *o, const uint8_t *key);
int setup_reconfigure(struct setup_options *o, const uint8_t *key);

#endif
