/*
 * The store seam: where a TPM's state is kept between commands and boots.
 *
 * A store holds records: a short text key and a value of bytes. Everything that
 * changes together is written by one commit, which happens as a whole or not at
 * all, and which is durable (to the store's own degree, see `kind`) when it
 * returns. A store knows nothing of what its values mean.
 *
 * Keys are printable ASCII without spaces, 1 to CVTPM_STORE_KEY_MAX characters,
 * of the form "area/name": "libtpms/permall", "owner/record".
 *
 * A store is used by one thread at a time.
 */
#ifndef CVTPM_STORE_H
#define CVTPM_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CVTPM_STORE_KEY_MAX 47

/* How far the bytes of a store can get from the instance that wrote them. This
 * decides whether a report may be asked for (docs/decisions.md, evidence). */
enum cvtpm_store_kind {
	CVTPM_STORE_MEMORY,     /* lives and dies, wiped, with the process */
	CVTPM_STORE_PLAIN,      /* readable by whoever reads the file system */
	CVTPM_STORE_SEALED,     /* encrypted under a key that somebody else holds too */
	CVTPM_STORE_SEALED_SNP, /* encrypted under a key that only this guest image can derive */
};

/* One change of a commit. `value` == NULL removes the record (which need not
 * exist); otherwise the record becomes `value_len` bytes at `value`. The bytes
 * stay the caller's and are not kept after the call. */
struct cvtpm_change {
	const char *key;
	const uint8_t *value;
	size_t value_len;
};

struct cvtpm_store;

struct cvtpm_store_ops {
	/* Copies the value of `key` to `value` and its length to `*value_len`.
	 * CVTPM_ERR_NOT_FOUND: no such record. CVTPM_ERR_SIZE: longer than
	 * `capacity`; `*value_len` is then the length needed, and nothing is
	 * copied (`value` may be NULL with capacity 0). CVTPM_ERR_AUTH: the
	 * record fails its integrity check. CVTPM_ERR_IO: the medium failed. */
	int (*get)(struct cvtpm_store *store, const char *key, uint8_t *value, size_t capacity,
		   size_t *value_len);

	/* Applies `count` changes in order, all or none, and makes them durable.
	 * CVTPM_ERR_STORE: nothing took effect. */
	int (*commit)(struct cvtpm_store *store, const struct cvtpm_change *changes, size_t count);

	/* Calls `each` for every key that begins with `prefix`, in ascending byte
	 * order; stops at, and returns, its first result other than 0. `each` must
	 * not use the store. */
	int (*list)(struct cvtpm_store *store, const char *prefix,
		    int (*each)(void *context, const char *key, size_t value_len), void *context);

	/* Releases everything the store holds; a memory store wipes it first. */
	void (*close)(struct cvtpm_store *store);
};

/* The first member of every kind of store. */
struct cvtpm_store {
	const struct cvtpm_store_ops *ops;
	enum cvtpm_store_kind kind;
	uint64_t generation; /* number of commits since the store was made; kept in the store */
};

/** Reads a record; see cvtpm_store_ops.get. */
static inline int cvtpm_store_get(struct cvtpm_store *store, const char *key, uint8_t *value,
				  size_t capacity, size_t *value_len)
{
	return store->ops->get(store, key, value, capacity, value_len);
}

/** Writes and removes records, all or none; see cvtpm_store_ops.commit. */
static inline int cvtpm_store_commit(struct cvtpm_store *store, const struct cvtpm_change *changes,
				     size_t count)
{
	return store->ops->commit(store, changes, count);
}

/** Lists keys; see cvtpm_store_ops.list. */
static inline int cvtpm_store_list(struct cvtpm_store *store, const char *prefix,
				   int (*each)(void *context, const char *key, size_t value_len),
				   void *context)
{
	return store->ops->list(store, prefix, each, context);
}

/** Closes a store; NULL is allowed. */
static inline void cvtpm_store_close(struct cvtpm_store *store)
{
	if (store)
		store->ops->close(store);
}

#endif
