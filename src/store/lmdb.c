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
#include "store/bytes.h"
#include "store/key.h"
#include "store/lmdb_check.h"
#include "store/lmdb_folder.h"
#include "store/message.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

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
	struct lmdb_folder folder;

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

	put_number(bytes, generation, sizeof bytes);
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

	return rc == EIO && fstatvfs(l->folder.dir_fd, &disk) == 0 && disk.f_bavail == 0 ? ENOSPC
											 : rc;
}

/* A disk that is full fails every commit: it is said once. */
static void tell(struct lmdb_store *l, int rc)
{
	char line[PATH_MAX + 200];

	if (!l->log || (rc != 0) == l->told)
		return;
	l->told = rc != 0;
	if (rc == 0)
		snprintf(line, sizeof line, "the state in %s can be written again", l->folder.path);
	else
		snprintf(line, sizeof line,
			 "the state in %s cannot be written: %s; until it can, the TPM refuses "
			 "what it would have to remember",
			 l->folder.path, mdb_strerror(reason(l, rc)));
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
	lmdb_folder_close(&l->folder);
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

static int fail_lmdb(struct lmdb_store *l, const char *doing, int rc)
{
	return store_fail(l->folder.message, rc == ENOMEM ? CVTPM_ERR_NO_MEMORY : CVTPM_ERR_IO,
			  "cannot %s the store in '%.120s': %s", doing, l->folder.path,
			  mdb_strerror(rc));
}

/* Opens LMDB on a file of the folder. */
static int env_open(struct lmdb_store *l, const char *name)
{
	char path[PATH_MAX + 32];
	MDB_txn *txn;
	int rc = mdb_env_create(&l->env);

	if (rc != 0)
		return fail_lmdb(l, "open", rc);
	snprintf(path, sizeof path, "%s/%s", l->folder.path, name);
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

	if (unlinkat(l->folder.dir_fd, NEW_NAME, 0) != 0 && errno != ENOENT)
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
	if (renameat(l->folder.dir_fd, NEW_NAME, l->folder.dir_fd, DATA_NAME) != 0 ||
	    fsync(l->folder.dir_fd) != 0)
		return fail_lmdb(l, "make", errno);
	return 0;
}

static int fail_damaged(struct lmdb_store *l, const char *what)
{
	return store_fail(l->folder.message, CVTPM_ERR_FORMAT,
			  "the store '%.120s/%s' is damaged: %s; restore it from a copy",
			  l->folder.path, DATA_NAME, what);
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
		return store_fail(l->folder.message, CVTPM_ERR_POLICY,
				  "others may read '%.120s/%s' (mode %03o); do: chmod 600",
				  l->folder.path, DATA_NAME, (unsigned)(st.st_mode & 0777));
	err = lmdb_check(fd, &what);
	if (err == CVTPM_ERR_FORMAT)
		return fail_damaged(l, what);
	return err < 0 ? fail_lmdb(l, "read", err == CVTPM_ERR_IO ? errno : ENOMEM) : 0;
}

/* 0 when there is a sound data file; CVTPM_ERR_NOT_FOUND when there is none. */
static int data_check(struct lmdb_store *l)
{
	int fd = openat(l->folder.dir_fd, DATA_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW), err;

	if (fd < 0 && errno == ENOENT)
		return store_fail(l->folder.message, CVTPM_ERR_NOT_FOUND,
				  "there is no store in the state folder '%.150s'", l->folder.path);
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
	return store_fail(l->folder.message, CVTPM_ERR_UNSUPPORTED,
			  "the store in '%.100s' has format %ld, this cvtpm knows %d; use a newer "
			  "cvtpm",
			  l->folder.path, version, FORMAT_VERSION);
}

static int generation_read(struct lmdb_store *l, MDB_txn *txn)
{
	uint8_t bytes[8];
	size_t len;

	if (own_record(l, txn, GENERATION_KEY, bytes, sizeof bytes, &len) < 0 ||
	    len != sizeof bytes)
		return fail_damaged(l, "its generation cannot be read");
	l->store.generation = get_number(bytes, sizeof bytes);
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
	const bool may_make = flags & CVTPM_STORE_CREATE;
	int err;

	CVTPM_TRY(lmdb_folder_open(&l->folder, may_make));
	/* Look before the lock file is made in a folder that is not ours to use. */
	if (!lmdb_folder_has_data(&l->folder)) {
		CVTPM_TRY(lmdb_folder_refuse_foreign(&l->folder));
		if (!may_make)
			return data_check(l);
	}
	CVTPM_TRY(lmdb_folder_lock(&l->folder));
	err = data_check(l);
	if (err == CVTPM_ERR_NOT_FOUND && may_make)
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
	if (!dir || !dir[0] || strlen(dir) >= sizeof l->folder.path)
		return store_fail(message, CVTPM_ERR_PARAM,
				  "the state folder's name is empty or too long");
	l = calloc(1, sizeof *l);
	if (!l)
		return store_fail(message, CVTPM_ERR_NO_MEMORY, "out of memory");
	l->store = (struct cvtpm_store){.ops = &lmdb_ops, .kind = CVTPM_STORE_PLAIN};
	l->folder.dir_fd = l->folder.lock_fd = -1;
	strcpy(l->folder.path, dir);
	l->folder.message = message;

	err = store_open(l, flags);
	saved = errno;
	l->folder.message = NULL;
	if (err == 0) {
		message[0] = '\0';
		*store = &l->store;
	} else {
		lmdb_close(&l->store);
		errno = saved;
	}
	return err;
}
