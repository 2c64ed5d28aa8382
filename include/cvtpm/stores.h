/*
 * The stores that there are: memory, LMDB, and sealed over either.
 *
 *	memory   fixed memory, bounded; wiped at close. An ephemeral TPM.
 *	lmdb     a folder of its own, 0700, held by one process. A persistent TPM.
 *	sealed   a decorator: AES-256-GCM over the records of another store.
 *
 * Constructors give a store through their first argument; the caller ends it
 * with cvtpm_store_close(). Where a constructor takes `message`, it puts one
 * line for people there when it fails (what failed, with which value, and what
 * to do about it), and an empty string or one line of warning when it succeeds.
 *
 * All of them are used by one thread at a time. A commit that fails, with
 * whatever code, has changed nothing.
 *
 * cvtpm_store_memory_init() is freestanding, the rest is hosted.
 */
#ifndef CVTPM_STORES_H
#define CVTPM_STORES_H

#include "cvtpm/platform.h"
#include "cvtpm/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CVTPM_STORE_MESSAGE_SIZE 256

/* ---- memory ---- */

/* Room that holds any state of libtpms (permanent, saved and volatile at once). */
#define CVTPM_STORE_MEMORY_DEFAULT_SIZE ((size_t)4 << 20)

/** Makes an empty store inside `memory`: `size` bytes, aligned for a pointer, the
 *  caller's until close, which wipes all of it. Part of it (under 256 bytes) is the
 *  store's own; a record takes its value, its key and 8 bytes. Commits that do not fit
 *  are CVTPM_ERR_STORE. CVTPM_ERR_SIZE: `size` is too small for an empty store. */
int cvtpm_store_memory_init(struct cvtpm_store **store, void *memory, size_t size);

/** The same in locked memory of its own that core dumps leave out; `size` bytes or 0 for
 *  CVTPM_STORE_MEMORY_DEFAULT_SIZE. Memory that cannot be locked is a warning in `message`.
 *  CVTPM_ERR_NO_MEMORY. */
int cvtpm_store_memory_open(struct cvtpm_store **store, size_t size,
			    char message[CVTPM_STORE_MESSAGE_SIZE]);

/* ---- LMDB ---- */

enum cvtpm_store_lmdb_flags {
	/* Make the folder, and the store in it, where there is none yet. */
	CVTPM_STORE_CREATE = 1 << 0,
};

/** Opens the store in the folder `dir`. It is locked until close or the end of the
 *  process; a second opener, in whatever process, is refused. Kind: CVTPM_STORE_PLAIN.
 *  Every commit is on the medium (fsync) before it returns.
 *
 *  CVTPM_ERR_NOT_FOUND: no folder or no store in it, and no CVTPM_STORE_CREATE.
 *  CVTPM_ERR_BUSY: held by another process; `message` names its pid.
 *  CVTPM_ERR_POLICY: the folder is not ours or others may enter it (chmod 700), or it
 *  holds files that are not a store's, and none is made beside them.
 *  CVTPM_ERR_UNSUPPORTED: written by a newer cvtpm.
 *  CVTPM_ERR_FORMAT: damaged, or not a store of cvtpm.
 *  CVTPM_ERR_IO: the operating system refused; errno and `message` say what.
 *  CVTPM_ERR_NO_MEMORY. */
int cvtpm_store_lmdb_open(struct cvtpm_store **store, const char *dir, unsigned flags,
			  char message[CVTPM_STORE_MESSAGE_SIZE]);

/** From now on `log`, as the platform's, hears in one line why a commit fails (a full disk),
 *  once until another reason or success follows, and then that commits succeed again.
 *  `store` is one of cvtpm_store_lmdb_open(), before or after it is sealed over. */
void cvtpm_store_lmdb_log(struct cvtpm_store *store,
			  void (*log)(void *context, enum cvtpm_log_level level, const char *line),
			  void *context);

/* ---- sealed ---- */

#define CVTPM_STORE_KEY_SIZE 32

/** Opens a sealed store over `inner`, which belongs to it from then on (on failure it
 *  stays the caller's). An `inner` without records becomes a new sealed store with its
 *  first commit; one with records must have been sealed under `key`, which is copied.
 *  `kind`, CVTPM_STORE_SEALED or CVTPM_STORE_SEALED_SNP, says where the key comes from.
 *  `entropy` (the platform's) gives each commit the 32 random bytes of its key.
 *
 *  Noticed, as CVTPM_ERR_AUTH at open or at get: a wrong key, a changed bit in any
 *  record, a record moved to another key, removed, added, or replaced by an older
 *  version of itself. NOT noticed, and not possible to notice from inside: the whole
 *  store replaced by an older version of the whole.
 *
 *  CVTPM_ERR_AUTH; CVTPM_ERR_FORMAT: `inner` holds records that are not sealed;
 *  CVTPM_ERR_UNSUPPORTED: sealed by a newer cvtpm; CVTPM_ERR_PARAM: `kind`;
 *  CVTPM_ERR_ENTROPY, CVTPM_ERR_NO_MEMORY, CVTPM_ERR_CRYPTO, errors of `inner`. */
int cvtpm_store_sealed_open(struct cvtpm_store **store, struct cvtpm_store *inner,
			    const uint8_t key[CVTPM_STORE_KEY_SIZE], enum cvtpm_store_kind kind,
			    int (*entropy)(void *context, uint8_t *out, size_t len),
			    void *entropy_context, char message[CVTPM_STORE_MESSAGE_SIZE]);

/** Whether the records of `store` are sealed, so that it must be opened with a key: ask
 *  before a plain store is used as it is. 1 or 0, or the negative error of a get. */
int cvtpm_store_is_sealed(struct cvtpm_store *store);

#endif
