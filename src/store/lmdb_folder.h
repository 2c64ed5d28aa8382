/*
 * The folder of an LMDB store: ours alone, and one process's at a time.
 *
 * Functions return 0 or an error after a line for people, which goes to `message`.
 */
#ifndef CVTPM_STORE_LMDB_FOLDER_H
#define CVTPM_STORE_LMDB_FOLDER_H

#include <limits.h>
#include <stdbool.h>

#define DATA_NAME "data.mdb"
#define NEW_NAME  "data.mdb.new"
#define LOCK_NAME "lock"

struct lmdb_folder {
	int dir_fd, lock_fd; /* -1: none */
	char path[PATH_MAX]; /* as it was given */
	char *message;       /* CVTPM_STORE_MESSAGE_SIZE: the constructor's, while it runs */
};

/** Opens it, and makes it where it is missing if it `may_make`. CVTPM_ERR_NOT_FOUND,
 *  CVTPM_ERR_POLICY (somebody else's, or open to others), CVTPM_ERR_IO. */
int lmdb_folder_open(struct lmdb_folder *folder, bool may_make);

/** Whether there is a data file. */
bool lmdb_folder_has_data(const struct lmdb_folder *folder);

/** Without our data file the folder must be empty: it might be somebody's home.
 *  CVTPM_ERR_POLICY, CVTPM_ERR_IO. */
int lmdb_folder_refuse_foreign(struct lmdb_folder *folder);

/** Takes the lock, and writes who has it. CVTPM_ERR_BUSY, CVTPM_ERR_IO. */
int lmdb_folder_lock(struct lmdb_folder *folder);

/** Gives back what there is. */
void lmdb_folder_close(struct lmdb_folder *folder);

#endif
