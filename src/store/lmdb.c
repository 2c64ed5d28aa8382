/*
 * The LMDB store: one folder, one file of data, one lock.
 *
 *	lock          held with flock(2) while open; holds the holder's pid
 *	data.mdb      LMDB, one unnamed database
 *	data.mdb.new  a store being made; renamed when it is whole
 *
 * In the database a record is SHA-256(key, 0, value) and then the value, so
 * that damage which leaves LMDB's structure whole is noticed too. Two records
 * are the store's own; their names have a space, which no key has:
 *
 *	" format"      "cvtpm-store 1": the version of this format
 *	" generation"  u64, little endian; written by every commit
 *
 * LMDB's own lock file is not used: our lock lets one process in.
 */
#include "cvtpm/err.h"
#include "cvtpm/stores.h"

#include "crypto/crypto.h"
#include "store/key.h"
#include "store/lmdb_check.h"
#include "store/message.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define DATA_NAME      "data.mdb"
#define NEW_NAME       "data.mdb.new"
#define LOCK_NAME      "lock"
#define FORMAT_KEY     " format"
#define GENERATION_KEY " generation"
#define FORMAT_NAME    "cvtpm-store "
#define FORMAT_VERSION 1
#define DIGEST_SIZE    32

/* Room in the address space at first; doubled when a commit needs more. */
#define FIRST_MAP_SIZE ((size_t)4 << 20)
#define LAST_MAP_SIZE  ((size_t)1 << 30)

struct lmdb_store {
	struct cvtpm_store store;
	MDB_env *env;
	MDB_dbi dbi;
	size_t map_size;
	int dir_fd, lock_fd;
	char path[PATH_MAX]; /* of the folder, as it was given */
	char *message;       /* the constructor's, while it runs */

	void (*log)(void *context, enum cvtpm_log_level level, const char *line); /* or NULL */
	void *log_context;
	bool told; /* that commits fail */
};

/* ---- records ---- */

static MDB_val val(const void *data, size_t len)
{
	union {
		const void *in;
		void *out;
	} pointer = {.in = data}; /* LMDB's MDB_val has no const */

	return (MDB_val){.mv_size = len, .mv_data = pointer.out};
}

static int record_digest(const char *key, size_t key_len, const void *value, size_t len,
			 uint8_t digest[DIGEST_SIZE])
{
	const struct cvtpm_octets parts[] = {{key, key_len}, {"", 1}, {value, len}};

	return cvtpm_hash_parts(CVTPM_SHA256, parts, sizeof parts / sizeof *parts, digest);
}

/* Finds the value inside what is stored, and checks it. */
static int record_open(MDB_val key, MDB_val stored, const uint8_t **value, size_t *len)
{
	uint8_t digest[DIGEST_SIZE];

	if (stored.mv_size < DIGEST_SIZE)
		return CVTPM_ERR_AUTH;
	*value = (const uint8_t *)stored.mv_data + DIGEST_SIZE;
	*len = stored.mv_size - DIGEST_SIZE;
	CVTPM_TRY(record_digest(key.mv_data, key.mv_size, *value, *len, digest));
	return memcmp(digest, stored.mv_data, DIGEST_SIZE) == 0 ? 0 : CVTPM_ERR_AUTH;
}

static int record_put(MDB_txn *txn, MDB_dbi dbi, const char *name, const void *value, size_t len)
{
	MDB_val key = val(name, strlen(name)), stored = {.mv_size = DIGEST_SIZE + len};
	uint8_t digest[DIGEST_SIZE];
	int rc;

	if (record_digest(name, key.mv_size, value, len, digest) < 0)
		return EINVAL;
	rc = mdb_put(txn, dbi, &key, &stored, MDB_RESERVE);
	if (rc != 0)
		return rc;
	memcpy(stored.mv_data, digest, DIGEST_SIZE);
	if (len > 0)
		memcpy((uint8_t *)stored.mv_data + DIGEST_SIZE, value, len);
	return 0;
}

static int generation_put(MDB_txn *txn, MDB_dbi dbi, uint64_t generation)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(generation >> (8 * i));
	return record_put(txn, dbi, GENERATION_KEY, bytes, sizeof bytes);
}

/* ---- the store's functions ---- */

static int lmdb_get(struct cvtpm_store *store, const char *key, uint8_t *value, size_t capacity,
		    size_t *value_len)
{
	struct lmdb_store *l = (struct lmdb_store *)store;
	MDB_val name = val(key, store_key_len(key)), stored;
	const uint8_t *bytes;
	MDB_txn *txn;
	int err, rc;

	if (name.mv_size == 0)
		return CVTPM_ERR_PARAM;
	if (mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn) != 0)
		return CVTPM_ERR_IO;
	rc = mdb_get(txn, l->dbi, &name, &stored);
	if (rc == MDB_NOTFOUND)
		err = CVTPM_ERR_NOT_FOUND;
	else if (rc != 0)
		err = CVTPM_ERR_IO;
	else
		err = record_open(name, stored, &bytes, value_len);
	if (err == 0 && *value_len > capacity)
		err = CVTPM_ERR_SIZE;
	if (err == 0 && *value_len > 0)
		memcpy(value, bytes, *value_len);
	mdb_txn_abort(txn);
	return err;
}

/* One attempt; LMDB's codes. */
static int commit_once(struct lmdb_store *l, const struct cvtpm_change *changes, size_t count)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(l->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		MDB_val key = val(changes[i].key, strlen(changes[i].key));

		if (changes[i].value) {
			rc = record_put(txn, l->dbi, changes[i].key, changes[i].value,
					changes[i].value_len);
		} else {
			rc = mdb_del(txn, l->dbi, &key, NULL);
			if (rc == MDB_NOTFOUND)
				rc = 0;
		}
	}
	if (rc == 0)
		rc = generation_put(txn, l->dbi, l->store.generation + 1);
	if (rc == 0)
		return mdb_txn_commit(txn); /* with fsync */
	mdb_txn_abort(txn);
	return rc;
}

/* LMDB calls it EIO when a disk takes less than a page. */
static int reason(const struct lmdb_store *l, int rc)
{
	struct statvfs disk;

	return rc == EIO && fstatvfs(l->dir_fd, &disk) == 0 && disk.f_bavail == 0 ? ENOSPC : rc;
}

/* A disk that is full fails every commit: it is said once. */
static void tell(struct lmdb_store *l, int rc)
{
	char line[PATH_MAX + 200];

	if (!l->log || (rc != 0) == l->told)
		return;
	l->told = rc != 0;
	if (rc == 0)
		snprintf(line, sizeof line, "the state in %s can be written again", l->path);
	else
		snprintf(line, sizeof line,
			 "the state in %s cannot be written: %s; until it can, the TPM refuses "
			 "what it would have to remember",
			 l->path, mdb_strerror(reason(l, rc)));
	l->log(l->log_context, rc ? CVTPM_LOG_ERROR : CVTPM_LOG_INFO, line);
}

static int lmdb_commit(struct cvtpm_store *store, const struct cvtpm_change *changes, size_t count)
{
	struct lmdb_store *l = (struct lmdb_store *)store;
	int rc;

	for (size_t i = 0; i < count; i++)
		if (store_key_len(changes[i].key) == 0)
			return CVTPM_ERR_PARAM;
	rc = commit_once(l, changes, count);
	while (rc == MDB_MAP_FULL && l->map_size < LAST_MAP_SIZE) {
		if (mdb_env_set_mapsize(l->env, l->map_size * 2) != 0)
			break;
		l->map_size *= 2;
		rc = commit_once(l, changes, count);
	}
	tell(l, rc);
	if (rc != 0)
		return CVTPM_ERR_STORE;
	store->generation++;
	return 0;
}

/* Calls `each` for every record but the store's own, whatever its prefix. */
static int records_walk(struct lmdb_store *l, const char *prefix, bool verify,
			int (*each)(void *context, const char *key, size_t value_len),
			void *context)
{
	size_t prefix_len = strlen(prefix), len;
	MDB_val key = val(prefix, prefix_len), stored;
	const uint8_t *value;
	MDB_cursor *cursor;
	MDB_txn *txn;
	int result = 0, rc;

	if (mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn) != 0)
		return CVTPM_ERR_IO;
	if (mdb_cursor_open(txn, l->dbi, &cursor) != 0) {
		mdb_txn_abort(txn);
		return CVTPM_ERR_IO;
	}
	rc = mdb_cursor_get(cursor, &key, &stored, prefix_len ? MDB_SET_RANGE : MDB_FIRST);
	for (; rc == 0 && result == 0; rc = mdb_cursor_get(cursor, &key, &stored, MDB_NEXT)) {
		char name[CVTPM_STORE_KEY_MAX + 1] = {0};

		if (key.mv_size < prefix_len || memcmp(key.mv_data, prefix, prefix_len) != 0)
			break;
		if (verify)
			result = record_open(key, stored, &value, &len);
		if (result != 0 || ((const char *)key.mv_data)[0] == ' ')
			continue;
		if (key.mv_size > CVTPM_STORE_KEY_MAX || stored.mv_size < DIGEST_SIZE) {
			result = CVTPM_ERR_FORMAT;
			continue;
		}
		memcpy(name, key.mv_data, key.mv_size);
		result = each(context, name, stored.mv_size - DIGEST_SIZE);
	}
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	if (result == 0 && rc != 0 && rc != MDB_NOTFOUND)
		return CVTPM_ERR_IO;
	return result;
}

static int lmdb_list(struct cvtpm_store *store, const char *prefix,
		     int (*each)(void *context, const char *key, size_t value_len), void *context)
{
	return records_walk((struct lmdb_store *)store, prefix, false, each, context);
}

static void lmdb_close(struct cvtpm_store *store)
{
	struct lmdb_store *l = (struct lmdb_store *)store;

	if (l->env)
		mdb_env_close(l->env);
	if (l->lock_fd >= 0) {
		/* The pid goes before the lock does. */
		if (ftruncate(l->lock_fd, 0) == 0)
			flock(l->lock_fd, LOCK_UN);
		close(l->lock_fd);
	}
	if (l->dir_fd >= 0)
		close(l->dir_fd);
	free(l);
}

static const struct cvtpm_store_ops lmdb_ops = {
	.get = lmdb_get,
	.commit = lmdb_commit,
	.list = lmdb_list,
	.close = lmdb_close,
};

void cvtpm_store_lmdb_log(struct cvtpm_store *store,
			  void (*log)(void *context, enum cvtpm_log_level level, const char *line),
			  void *context)
{
	struct lmdb_store *l = (struct lmdb_store *)store;

	l->log = log;
	l->log_context = context;
}

/* ---- opening ---- */

/* The folder: there, a folder, ours, and nobody else's. */
static int dir_open(struct lmdb_store *l, unsigned flags)
{
	struct stat st;

	if ((flags & CVTPM_STORE_CREATE) && mkdir(l->path, 0700) != 0 && errno != EEXIST)
		return store_fail(l->message, CVTPM_ERR_IO,
				  "cannot make the state folder '%.150s': %s", l->path,
				  strerror(errno));
	l->dir_fd = open(l->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->dir_fd < 0 && errno == ENOENT)
		return store_fail(l->message, CVTPM_ERR_NOT_FOUND,
				  "there is no state folder '%.150s'", l->path);
	if (l->dir_fd < 0 || fstat(l->dir_fd, &st) != 0)
		return store_fail(l->message, CVTPM_ERR_IO,
				  "cannot open the state folder '%.150s': %s", l->path,
				  strerror(errno));
	if (st.st_uid != geteuid())
		return store_fail(l->message, CVTPM_ERR_POLICY,
				  "the state folder '%.120s' belongs to user %u, not to %u, who "
				  "runs this; use another folder or user",
				  l->path, (unsigned)st.st_uid, (unsigned)geteuid());
	if (st.st_mode & 077)
		return store_fail(l->message, CVTPM_ERR_POLICY,
				  "others may enter the state folder '%.120s' (mode %03o); "
				  "do: chmod 700",
				  l->path, (unsigned)(st.st_mode & 0777));
	return 0;
}

/* Without our data file the folder must be empty: it might be somebody's home. */
static int dir_refuse_foreign(struct lmdb_store *l)
{
	int fd = openat(l->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return store_fail(l->message, CVTPM_ERR_IO,
				  "cannot read the state folder '%.150s': %s", l->path,
				  strerror(errno));
	}
	while (err == 0 && (entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		    strcmp(name, LOCK_NAME) != 0 && strcmp(name, NEW_NAME) != 0)
			err = store_fail(l->message, CVTPM_ERR_POLICY,
					 "'%.100s' is no state folder and not empty (it holds "
					 "'%.60s'); name a new or an empty one",
					 l->path, name);
	}
	closedir(dir);
	return err;
}

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

static int lock_busy(struct lmdb_store *l)
{
	long pid = lock_holder(l->lock_fd);

	close(l->lock_fd); /* not ours to clear */
	l->lock_fd = -1;
	if (pid > 0)
		return store_fail(l->message, CVTPM_ERR_BUSY,
				  "the state folder '%.120s' is in use by process %ld; stop that "
				  "first, or use another folder",
				  l->path, pid);
	return store_fail(l->message, CVTPM_ERR_BUSY,
			  "the state folder '%.120s' is in use by a process that cannot be seen "
			  "from here (another container?)",
			  l->path);
}

static int lock_take(struct lmdb_store *l)
{
	char text[24];
	int len;

	l->lock_fd = openat(l->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->lock_fd < 0)
		return store_fail(l->message, CVTPM_ERR_IO, "cannot open '%.150s/%s': %s", l->path,
				  LOCK_NAME, strerror(errno));
	if (flock(l->lock_fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		return lock_busy(l);
	len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	if (flock(l->lock_fd, LOCK_EX | LOCK_NB) != 0 || ftruncate(l->lock_fd, 0) != 0 ||
	    pwrite(l->lock_fd, text, (size_t)len, 0) != len)
		return store_fail(l->message, CVTPM_ERR_IO, "cannot lock '%.150s/%s': %s", l->path,
				  LOCK_NAME, strerror(errno));
	return 0;
}

static int fail_lmdb(struct lmdb_store *l, const char *doing, int rc)
{
	return store_fail(l->message, rc == ENOMEM ? CVTPM_ERR_NO_MEMORY : CVTPM_ERR_IO,
			  "cannot %s the store in '%.120s': %s", doing, l->path, mdb_strerror(rc));
}

/* Opens LMDB on a file of the folder. */
static int env_open(struct lmdb_store *l, const char *name)
{
	char path[PATH_MAX + 32];
	MDB_txn *txn;
	int rc = mdb_env_create(&l->env);

	if (rc != 0)
		return fail_lmdb(l, "open", rc);
	snprintf(path, sizeof path, "%s/%s", l->path, name);
	l->map_size = FIRST_MAP_SIZE;
	rc = mdb_env_set_mapsize(l->env, l->map_size);
	if (rc == 0)
		rc = mdb_env_open(l->env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600);
	if (rc == 0)
		rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn);
	if (rc == 0) {
		MDB_envinfo info;

		rc = mdb_dbi_open(txn, NULL, 0, &l->dbi);
		mdb_txn_abort(txn);
		/* LMDB makes the map as large as the file needs. */
		if (rc == 0 && mdb_env_info(l->env, &info) == 0)
			l->map_size = info.me_mapsize;
	}
	return rc == 0 ? 0 : fail_lmdb(l, "open", rc);
}

static void env_close(struct lmdb_store *l)
{
	mdb_env_close(l->env);
	l->env = NULL;
}

/* Makes the file under another name and renames it, so that a data file is
 * always a whole store: one without content is damage, not a new one. */
static int store_make(struct lmdb_store *l)
{
	const char format[] = FORMAT_NAME "1";
	MDB_txn *txn;
	int rc;

	if (unlinkat(l->dir_fd, NEW_NAME, 0) != 0 && errno != ENOENT)
		return fail_lmdb(l, "make", errno);
	CVTPM_TRY(env_open(l, NEW_NAME));
	rc = mdb_txn_begin(l->env, NULL, 0, &txn);
	if (rc != 0)
		return fail_lmdb(l, "make", rc);
	rc = record_put(txn, l->dbi, FORMAT_KEY, format, sizeof format - 1);
	if (rc == 0)
		rc = generation_put(txn, l->dbi, 0);
	if (rc == 0) {
		rc = mdb_txn_commit(txn);
	} else {
		mdb_txn_abort(txn);
	}
	if (rc != 0)
		return fail_lmdb(l, "make", rc);
	env_close(l);
	if (renameat(l->dir_fd, NEW_NAME, l->dir_fd, DATA_NAME) != 0 || fsync(l->dir_fd) != 0)
		return fail_lmdb(l, "make", errno);
	return 0;
}

static int fail_damaged(struct lmdb_store *l, const char *what)
{
	return store_fail(l->message, CVTPM_ERR_FORMAT,
			  "the store '%.120s/%s' is damaged: %s; restore it from a copy", l->path,
			  DATA_NAME, what);
}

static int file_check(struct lmdb_store *l, int fd)
{
	struct stat st;
	const char *what;
	int err;

	if (fstat(fd, &st) != 0)
		return fail_lmdb(l, "read", errno);
	if (!S_ISREG(st.st_mode))
		return fail_damaged(l, "it is not a regular file");
	if (st.st_mode & 077)
		return store_fail(l->message, CVTPM_ERR_POLICY,
				  "others may read '%.120s/%s' (mode %03o); do: chmod 600", l->path,
				  DATA_NAME, (unsigned)(st.st_mode & 0777));
	err = lmdb_check(fd, &what);
	if (err == CVTPM_ERR_FORMAT)
		return fail_damaged(l, what);
	return err < 0 ? fail_lmdb(l, "read", err == CVTPM_ERR_IO ? errno : ENOMEM) : 0;
}

/* 0 when there is a sound data file; CVTPM_ERR_NOT_FOUND when there is none. */
static int data_check(struct lmdb_store *l)
{
	int fd = openat(l->dir_fd, DATA_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW), err;

	if (fd < 0 && errno == ENOENT)
		return store_fail(l->message, CVTPM_ERR_NOT_FOUND,
				  "there is no store in the state folder '%.150s'", l->path);
	if (fd < 0)
		return fail_lmdb(l, "read", errno);
	err = file_check(l, fd);
	close(fd);
	return err;
}

static int own_record(struct lmdb_store *l, MDB_txn *txn, const char *name, uint8_t *out,
		      size_t room, size_t *len)
{
	MDB_val key = val(name, strlen(name)), stored;
	const uint8_t *value;

	if (mdb_get(txn, l->dbi, &key, &stored) != 0)
		return CVTPM_ERR_FORMAT;
	CVTPM_TRY(record_open(key, stored, &value, len));
	if (*len > room)
		return CVTPM_ERR_FORMAT;
	memcpy(out, value, *len);
	return 0;
}

static int format_check(struct lmdb_store *l, MDB_txn *txn)
{
	uint8_t text[32] = {0};
	size_t len, name_len = strlen(FORMAT_NAME);
	long version;

	if (own_record(l, txn, FORMAT_KEY, text, sizeof text - 1, &len) < 0 ||
	    strncmp((char *)text, FORMAT_NAME, name_len) != 0)
		return fail_damaged(l, "it does not say that it is a store of cvtpm");
	version = strtol((char *)text + name_len, NULL, 10);
	if (version == FORMAT_VERSION)
		return 0;
	return store_fail(l->message, CVTPM_ERR_UNSUPPORTED,
			  "the store in '%.100s' has format %ld, this cvtpm knows %d; use a newer "
			  "cvtpm",
			  l->path, version, FORMAT_VERSION);
}

static int generation_read(struct lmdb_store *l, MDB_txn *txn)
{
	uint8_t bytes[8];
	size_t len;

	if (own_record(l, txn, GENERATION_KEY, bytes, sizeof bytes, &len) < 0 ||
	    len != sizeof bytes)
		return fail_damaged(l, "its generation cannot be read");
	l->store.generation = 0;
	for (unsigned i = 0; i < 8; i++)
		l->store.generation |= (uint64_t)bytes[i] << (8 * i);
	return 0;
}

static int count_nothing(void *context, const char *key, size_t value_len)
{
	(void)context, (void)key, (void)value_len;
	return 0;
}

static int content_check(struct lmdb_store *l)
{
	MDB_txn *txn;
	int err, rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return fail_lmdb(l, "read", rc);
	err = format_check(l, txn);
	if (err == 0)
		err = generation_read(l, txn);
	mdb_txn_abort(txn);
	if (err < 0)
		return err;
	return records_walk(l, "", true, count_nothing, NULL) == 0
		       ? 0
		       : fail_damaged(l, "a record fails its checksum");
}

static int store_open(struct lmdb_store *l, unsigned flags)
{
	int err;

	CVTPM_TRY(dir_open(l, flags));
	/* Look before the lock file is made in a folder that is not ours to use. */
	if (faccessat(l->dir_fd, DATA_NAME, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
		CVTPM_TRY(dir_refuse_foreign(l));
		if (!(flags & CVTPM_STORE_CREATE))
			return data_check(l);
	}
	CVTPM_TRY(lock_take(l));
	err = data_check(l);
	if (err == CVTPM_ERR_NOT_FOUND && (flags & CVTPM_STORE_CREATE))
		err = store_make(l);
	CVTPM_TRY(err);
	CVTPM_TRY(env_open(l, DATA_NAME));
	return content_check(l);
}

int cvtpm_store_lmdb_open(struct cvtpm_store **store, const char *dir, unsigned flags,
			  char message[CVTPM_STORE_MESSAGE_SIZE])
{
	struct lmdb_store *l;
	int err, saved;

	message[0] = '\0';
	if (!dir || !dir[0] || strlen(dir) >= sizeof l->path)
		return store_fail(message, CVTPM_ERR_PARAM,
				  "the state folder's name is empty or too long");
	l = calloc(1, sizeof *l);
	if (!l)
		return store_fail(message, CVTPM_ERR_NO_MEMORY, "out of memory");
	l->store = (struct cvtpm_store){.ops = &lmdb_ops, .kind = CVTPM_STORE_PLAIN};
	l->dir_fd = l->lock_fd = -1;
	strcpy(l->path, dir);
	l->message = message;

	err = store_open(l, flags);
	saved = errno;
	l->message = NULL;
	if (err == 0) {
		message[0] = '\0';
		*store = &l->store;
	} else {
		lmdb_close(&l->store);
		errno = saved;
	}
	return err;
}
