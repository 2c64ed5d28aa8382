/* Files of evidence that subcommands read: small, and of any content. */
#ifndef CVTPM_CLI_FILES_H
#define CVTPM_CLI_FILES_H

#include "cvtpm/evidence.h"

#include <argp.h>
#include <stdbool.h>

#define CLI_FILES_MAX 80

/* Everything that was read, so that it can be freed. */
struct cli_files {
	uint8_t *data[CLI_FILES_MAX];
	size_t size[CLI_FILES_MAX];
	size_t count;
};

/** Reads a file of at most 1 MiB, and of a larger one a byte more, so that the
 *  library sees that it is too large. False: said on standard error. */
bool cli_read_file(struct cli_files *files, const char *path, struct cvtpm_bytes *bytes);
/** The same with another limit: at most `max` bytes, and of a larger file a byte more. */
bool cli_read_large_file(struct cli_files *files, const char *path, size_t max,
			 struct cvtpm_bytes *bytes);
/** The same where `path` may be NULL: then nothing is read. */
bool cli_read_optional(struct cli_files *files, const char *path, struct cvtpm_bytes *bytes);
/** Writes a file that its owner alone may read; with `is_new`, one that must not be there yet.
 *  False: said on standard error. */
bool cli_write_bytes(const char *path, const uint8_t *data, size_t len, bool is_new);
/** Lets files follow an option that takes several, "--certs A B": the key that an argument is
 *  of. `*several` is 0, or set by the parser to the option's key; any other option ends it. An
 *  argument that belongs to none is a usage error. */
int cli_several(struct argp_state *state, int key, const char *value, int *several);
/** Wipes and frees. */
void cli_free_files(struct cli_files *files);

#endif
