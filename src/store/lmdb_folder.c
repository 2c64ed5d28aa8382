/*
 * The folder of an LMDB store, and its lock: a file that is held with flock(2) and has the
 * holder's pid, so that a second process can say who is in its way.
 */
#include "store/lmdb_folder.h"
#include "cvtpm/err.h"

#include "store/message.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int lmdb_folder_open(struct lmdb_folder *f, bool may_make)
{
	struct stat st;

	if (may_make && mkdir(f->path, 0700) != 0 && errno != EEXIST)
		return store_fail(f->message, CVTPM_ERR_IO,
				  "cannot make the state folder '%.150s': %s", f->path,
				  strerror(errno));
	f->dir_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0 && errno == ENOENT)
		return store_fail(f->message, CVTPM_ERR_NOT_FOUND,
				  "there is no state folder '%.150s'", f->path);
	if (f->dir_fd < 0 || fstat(f->dir_fd, &st) != 0)
		return store_fail(f->message, CVTPM_ERR_IO,
				  "cannot open the state folder '%.150s': %s", f->path,
				  strerror(errno));
	if (st.st_uid != geteuid())
		return store_fail(f->message, CVTPM_ERR_POLICY,
				  "the state folder '%.120s' belongs to user %u, not to %u, who "
				  "runs this; use another folder or user",
				  f->path, (unsigned)st.st_uid, (unsigned)geteuid());
	if (st.st_mode & 077)
		return store_fail(f->message, CVTPM_ERR_POLICY,
				  "others may enter the state folder '%.120s' (mode %03o); "
				  "do: chmod 700",
				  f->path, (unsigned)(st.st_mode & 0777));
	return 0;
}

int lmdb_folder_refuse_foreign(struct lmdb_folder *f)
{
	int fd = openat(f->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return store_fail(f->message, CVTPM_ERR_IO,
				  "cannot read the state folder '%.150s': %s", f->path,
				  strerror(errno));
	}
	while (err == 0 && (entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		    strcmp(name, LOCK_NAME) != 0 && strcmp(name, NEW_NAME) != 0)
			err = store_fail(f->message, CVTPM_ERR_POLICY,
					 "'%.100s' is no state folder and not empty (it holds "
					 "'%.60s'); name a new or an empty one",
					 f->path, name);
	}
	closedir(dir);
	return err;
}

bool lmdb_folder_has_data(const struct lmdb_folder *f)
{
	return faccessat(f->dir_fd, DATA_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- the lock ---- */

/* The pid that the holder has written, 0 if it cannot be told. A holder that
 * was killed has left its own: if that process is gone, the new holder is just
 * about to write. */
static long lock_holder(int fd)
{
	for (int attempt = 0; attempt < 50; attempt++) {
		const struct timespec pause = {.tv_nsec = 2000000};
		char text[24] = {0};
		long pid = 0;

		if (pread(fd, text, sizeof text - 1, 0) > 0)
			pid = strtol(text, NULL, 10);
		if (pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM))
			return pid;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int lock_busy(struct lmdb_folder *f)
{
	long pid = lock_holder(f->lock_fd);

	close(f->lock_fd); /* not ours to clear */
	f->lock_fd = -1;
	if (pid > 0)
		return store_fail(f->message, CVTPM_ERR_BUSY,
				  "the state folder '%.120s' is in use by process %ld; stop that "
				  "first, or use another folder",
				  f->path, pid);
	return store_fail(f->message, CVTPM_ERR_BUSY,
			  "the state folder '%.120s' is in use by a process that cannot be seen "
			  "from here (another container?)",
			  f->path);
}

int lmdb_folder_lock(struct lmdb_folder *f)
{
	char text[24];
	int len;

	f->lock_fd = openat(f->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->lock_fd < 0)
		return store_fail(f->message, CVTPM_ERR_IO, "cannot open '%.150s/%s': %s", f->path,
				  LOCK_NAME, strerror(errno));
	if (flock(f->lock_fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		return lock_busy(f);
	len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	if (flock(f->lock_fd, LOCK_EX | LOCK_NB) != 0 || ftruncate(f->lock_fd, 0) != 0 ||
	    pwrite(f->lock_fd, text, (size_t)len, 0) != len)
		return store_fail(f->message, CVTPM_ERR_IO, "cannot lock '%.150s/%s': %s", f->path,
				  LOCK_NAME, strerror(errno));
	return 0;
}

void lmdb_folder_close(struct lmdb_folder *f)
{
	if (f->lock_fd >= 0) {
		/* The pid goes before the lock does. */
		if (ftruncate(f->lock_fd, 0) == 0)
			flock(f->lock_fd, LOCK_UN);
		close(f->lock_fd);
	}
	if (f->dir_fd >= 0)
		close(f->dir_fd);
}
