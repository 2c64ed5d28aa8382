#include "cli/files.h"
#include "cli/cli.h"
#include "host/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Nothing that is asked for is this large; the library refuses one byte more. */
#define FILE_MAX_SIZE (1u << 20)

/* Room for more: files of the kernel do not say how large they are. */
static uint8_t *grow(uint8_t *data, size_t len, size_t *room, size_t max)
{
	size_t more = *room ? *room * 4 : 65536;
	uint8_t *bigger;

	if (more > max + 1)
		more = max + 1;
	bigger = malloc(more);
	if (bigger && len)
		memcpy(bigger, data, len);
	if (data)
		explicit_bzero(data, len);
	free(data);
	*room = bigger ? more : 0;
	return bigger;
}

bool cli_read_large_file(struct cli_files *files, const char *path, size_t max,
			 struct cvtpm_bytes *bytes)
{
	int fd = files->count == CLI_FILES_MAX ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0, room = 0;
	uint8_t *data = NULL;
	ssize_t got = fd < 0 ? -1 : 1;

	while (got > 0 && len <= max) {
		if (len == room && !(data = grow(data, len, &room, max)))
			break;
		got = read(fd, data + len, room - len);
		len += got > 0 ? (size_t)got : 0;
	}
	if (!data || got < 0) {
		cli_error("cannot read %s: %s", path, strerror(errno));
		free(data);
		if (fd >= 0)
			close(fd);
		return false;
	}
	close(fd);
	files->size[files->count] = room;
	files->data[files->count++] = data;
	*bytes = (struct cvtpm_bytes){.data = data, .len = len, .name = path};
	return true;
}

bool cli_read_file(struct cli_files *files, const char *path, struct cvtpm_bytes *bytes)
{
	return cli_read_large_file(files, path, FILE_MAX_SIZE, bytes);
}

bool cli_read_optional(struct cli_files *files, const char *path, struct cvtpm_bytes *bytes)
{
	return !path || cli_read_file(files, path, bytes);
}

bool cli_write_bytes(const char *path, const uint8_t *data, size_t len, bool is_new)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (is_new ? O_EXCL : O_TRUNC), 0600);
	bool good = fd >= 0 && write_whole(fd, data, len);

	if (fd >= 0 && close(fd) < 0)
		good = false;
	if (!good)
		cli_error("cannot write %s: %s", path, strerror(errno));
	return good;
}

int cli_several(struct argp_state *state, int key, const char *value, int *several)
{
	if (key == ARGP_KEY_ARG) {
		if (!*several)
			argp_error(state, "'%s' belongs to no option", value);
		return *several;
	}
	if (key > 0 && key < ARGP_KEY_END)
		*several = 0;
	return key;
}

void cli_free_files(struct cli_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		explicit_bzero(files->data[i], files->size[i]);
		free(files->data[i]);
	}
	files->count = 0;
}
