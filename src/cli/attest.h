/* What `cvtpm attest` and `cvtpm verify --tpm` share. */
#ifndef CVTPM_CLI_ATTEST_H
#define CVTPM_CLI_ATTEST_H

#include "attest/attest.h"
#include "cli/files.h"

/** "p256" -> the EK. */
bool cli_parse_ek(const char *name, enum cvtpm_ek *kind);

/** Puts event logs into the bundle: those named, else, where the TPM is this machine's own,
 *  the kernel's where they can be read. The bytes are those of `files`. False: said. */
bool cli_take_logs(struct attest *attest, struct cli_files *files, const char *event_log,
		   const char *ima_log);

/** The bundle as bytes, to be freed. False: said. */
bool cli_encode_bundle(const struct attest *attest, uint8_t **data, size_t *len);

#endif
