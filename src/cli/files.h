/* Files of evidence that subcommands read: small, and of any content. */
#ifndef CVTPM_CLI_FILES_H
#define CVTPM_CLI_FILES_H

#include "cvtpm/evidence.h"

#include <stdbool.h>

#define CLI_FILES_MAX 80

/* Everything that was read, so that it can be freed. */
struct cli_files {
	uint8_t *data[CLI_FILES_MAX];
	size_t count;
};

/** Reads a file of at most 1 MiB, and of a larger one a byte more, so that the
 *  library sees that it is too large. False: said on standard error. */
bool cli_read_file(struct cli_files *files, const char *path, struct cvtpm_bytes *bytes);
/** The same where `path` may be NULL: then nothing is read. */
bool cli_read_optional(struct cli_files *files, const char *path, struct cvtpm_bytes *bytes);
/** Wipes and frees. */
void cli_free_files(struct cli_files *files);

#endif
