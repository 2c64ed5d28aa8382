#include "cli/files.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Nothing that is asked for is this large; the library refuses one byte more. */
#define FILE_MAX_SIZE (1u << 20)

bool cli_read_file(struct cli_files *files, const char *path, struct cvtpm_bytes *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *data = fd < 0 || files->count == CLI_FILES_MAX ? NULL : malloc(FILE_MAX_SIZE + 1);
	size_t len = 0;
	ssize_t got = -1;

	while (data && len <= FILE_MAX_SIZE &&
	       (got = read(fd, data + len, FILE_MAX_SIZE + 1 - len)) > 0)
		len += (size_t)got;
	if (!data || got < 0) {
		cli_error("cannot read %s: %s", path, strerror(errno));
		free(data);
		if (fd >= 0)
			close(fd);
		return false;
	}
	close(fd);
	files->data[files->count++] = data;
	*bytes = (struct cvtpm_bytes){.data = data, .len = len, .name = path};
	return true;
}

bool cli_read_optional(struct cli_files *files, const char *path, struct cvtpm_bytes *bytes)
{
	return !path || cli_read_file(files, path, bytes);
}

void cli_free_files(struct cli_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		explicit_bzero(files->data[i], FILE_MAX_SIZE + 1);
		free(files->data[i]);
	}
	files->count = 0;
}
