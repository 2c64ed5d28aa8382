#include "amdsp/internal.h"

#include "cvtpm/err.h"
#include "host/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_parents(const char *dir)
{
	char path[PATH_MAX];

	if (strlen(dir) >= sizeof path) {
		errno = ENAMETOOLONG;
		return CVTPM_ERR_IO;
	}
	strcpy(path, dir);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return CVTPM_ERR_IO;
		*slash = '/';
	}
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return CVTPM_ERR_IO;
	return 0;
}

int lab_folder_open(const char *dir)
{
	int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0 && errno == ENOENT) {
		CVTPM_TRY(make_parents(dir));
		folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return folder < 0 ? CVTPM_ERR_IO : folder;
}

int lab_folder_write(int folder, const char *name, const void *data, size_t len)
{
	char temporary[64];
	uint32_t random = 0;
	int file, err;

	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return CVTPM_ERR_IO;
	snprintf(temporary, sizeof temporary, ".%s.%08x", name, (unsigned)random);
	file = openat(folder, temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (file < 0)
		return CVTPM_ERR_IO;

	err = write_whole(file, data, len) ? 0 : CVTPM_ERR_IO;
	if (err == 0 && fsync(file) != 0)
		err = CVTPM_ERR_IO;
	if (close(file) != 0)
		err = CVTPM_ERR_IO;
	if (err == 0 && renameat(folder, temporary, folder, name) != 0)
		err = CVTPM_ERR_IO;
	if (err == 0)
		return fsync(folder) == 0 ? 0 : CVTPM_ERR_IO;

	int because = errno;
	unlinkat(folder, temporary, 0);
	errno = because;
	return err;
}

int lab_folder_read(int folder, const char *name, uint8_t *out, size_t room, size_t *len)
{
	int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
	uint8_t more;
	ssize_t n;

	if (file < 0)
		return errno == ENOENT ? CVTPM_ERR_NOT_FOUND : CVTPM_ERR_IO;
	n = read_whole(file, out, room);
	*len = n > 0 ? (size_t)n : 0;
	if (n >= 0)
		n = read_whole(file, &more, 1);
	close(file);
	if (n < 0)
		return CVTPM_ERR_IO;
	return n > 0 ? CVTPM_ERR_SIZE : 0;
}
