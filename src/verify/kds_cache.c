/*
 * The cache: a folder of answers, each in a file named by the SHA-256 of its URL.
 *
 * Only its owner may write there. Others could not make the verifier believe
 * anything, as everything is judged as evidence, but they could keep it from
 * verifying, hand it an old revocation list, or see which machines it looks at.
 */
#include "host/whole.h"
#include "verify/checks.h"
#include "verify/kds_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGEST_SIZE 32
#define NAME_SIZE   (2 * DIGEST_SIZE + 1)
#define TEMP_SIZE   (5 + NAME_SIZE + 17) /* ".new-", the name, "-" and 16 digits */

int kds_cache_open(const char *path, char error[CVTPM_KDS_ERROR_SIZE])
{
	struct stat st;
	int dir;

	if (mkdir(path, 0700) && errno != EEXIST)
		return kds_fail(error, CVTPM_ERR_IO, "cannot make the cache folder %s: %s", path,
				strerror(errno));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return kds_fail(error, CVTPM_ERR_IO, "cannot open the cache folder %s: %s", path,
				strerror(errno));
	if (!fstat(dir, &st) && st.st_uid == geteuid() && !(st.st_mode & 077))
		return dir;
	close(dir);
	return kds_fail(error, CVTPM_ERR_POLICY,
			"the cache folder %s is not this user's alone: name another one, or chmod "
			"700 it",
			path);
}

static int file_name(const char *url, char name[NAME_SIZE])
{
	uint8_t digest[DIGEST_SIZE];

	if (EVP_Digest(url, strlen(url), digest, NULL, EVP_sha256(), NULL) != 1)
		return CVTPM_ERR_CRYPTO;
	hex_text(name, digest, sizeof(digest));
	return 0;
}

/* ---- reading ---- */

static bool is_usable(int fd, struct stat *st)
{
	return !fstat(fd, st) && S_ISREG(st->st_mode) && st->st_uid == geteuid() &&
	       !(st->st_mode & 022) && st->st_size > 0 && st->st_size <= (off_t)CVTPM_KDS_MAX_SIZE;
}

static int read_file(int fd, uint8_t **data, size_t *len, int64_t *written)
{
	struct stat st;

	if (!is_usable(fd, &st))
		return CVTPM_ERR_NOT_FOUND;
	*len = (size_t)st.st_size;
	*written = st.st_mtime;
	*data = malloc(*len);
	if (!*data)
		return CVTPM_ERR_NO_MEMORY;
	if (read_whole(fd, *data, *len) == (ssize_t)*len)
		return 0;
	free(*data);
	*data = NULL;
	return CVTPM_ERR_NOT_FOUND;
}

int kds_cache_read(int dir, const char *url, uint8_t **data, size_t *len, int64_t *written)
{
	char name[NAME_SIZE];
	int fd, result;

	*data = NULL;
	CVTPM_TRY(file_name(url, name));
	/* Not blocking: somebody may have put a FIFO there. */
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return CVTPM_ERR_NOT_FOUND;
	result = read_file(fd, data, len, written);
	close(fd);
	return result;
}

/* ---- writing ---- */

/* A name that no other process has at the same time. */
static int temporary_name(const char *name, char temporary[TEMP_SIZE])
{
	uint8_t random[8];
	char digits[2 * sizeof(random) + 1];

	if (RAND_bytes(random, sizeof(random)) != 1)
		return CVTPM_ERR_ENTROPY;
	hex_text(digits, random, sizeof(random));
	snprintf(temporary, TEMP_SIZE, ".new-%s-%s", name, digits);
	return 0;
}

int kds_cache_write(int dir, const char *url, const uint8_t *data, size_t len)
{
	char name[NAME_SIZE], temporary[TEMP_SIZE];
	bool good;
	int fd, saved;

	CVTPM_TRY(file_name(url, name));
	CVTPM_TRY(temporary_name(name, temporary));
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return CVTPM_ERR_IO;
	good = write_whole(fd, data, len) && !fsync(fd);
	saved = errno;
	if (close(fd))
		good = false;
	if (good && !renameat(dir, temporary, dir, name)) {
		(void)fsync(dir); /* a lost name costs a request */
		return 0;
	}
	if (good)
		saved = errno;
	unlinkat(dir, temporary, 0);
	errno = saved;
	return CVTPM_ERR_IO;
}
