/*
 * The list of a sealed store's records: which version of each is the right one.
 */
#ifndef CVTPM_STORE_SEALED_INDEX_H
#define CVTPM_STORE_SEALED_INDEX_H

#include "cvtpm/store.h"

#include <stddef.h>
#include <stdint.h>

#define TAG_SIZE       16
#define ENTRIES_MAX    65536
#define VALUE_MAX_SIZE ((size_t)64 << 20)
/* The greatest that sealed_index_write makes of one entry, and what it puts before them. */
#define ENTRY_MAX_SIZE    (1 + CVTPM_STORE_KEY_MAX + 8 + 4 + 8 + TAG_SIZE)
#define ENTRIES_HEAD_SIZE 4

struct entry {
	char key[CVTPM_STORE_KEY_MAX + 1];
	uint64_t generation;
	uint32_t counter;
	uint64_t len; /* of the value */
	uint8_t tag[TAG_SIZE];
};

struct index {
	struct entry *entries; /* ascending; from malloc, the owner's to free */
	size_t count;
};

/** The entry of `key`, or NULL; *at is where it is or would be. */
struct entry *sealed_index_find(const struct index *index, const char *key, size_t *at);

/** The entry of `key`, a zeroed one where there was none. Room for one more is the caller's
 *  care. */
struct entry *sealed_index_insert(struct index *index, const char *key);

void sealed_index_remove(struct index *index, const char *key);

/** A copy with room for `more` entries. 0 or CVTPM_ERR_NO_MEMORY. */
int sealed_index_copy(const struct index *from, size_t more, struct index *to);

/** Writes it as bytes (sealed_format.h); returns how many. */
size_t sealed_index_write(const struct index *index, uint8_t *out);

/** Reads what sealed_index_write wrote. 0, CVTPM_ERR_FORMAT, CVTPM_ERR_NO_MEMORY; the entries are
 *  to be freed whatever it returns. */
int sealed_index_read(struct index *index, const uint8_t *in, size_t len);

#endif
