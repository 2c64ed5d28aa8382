/* The list of a sealed store's records. */
#include "store/sealed_index.h"
#include "cvtpm/err.h"

#include "store/bytes.h"
#include "store/key.h"

#include <stdlib.h>
#include <string.h>

struct entry *sealed_index_find(const struct index *index, const char *key, size_t *at)
{
	for (*at = 0; *at < index->count; ++*at) {
		int order = strcmp(index->entries[*at].key, key);

		if (order >= 0)
			return order == 0 ? &index->entries[*at] : NULL;
	}
	return NULL;
}

void sealed_index_remove(struct index *index, const char *key)
{
	size_t at;

	if (!sealed_index_find(index, key, &at))
		return;
	index->count--;
	memmove(&index->entries[at], &index->entries[at + 1],
		(index->count - at) * sizeof *index->entries);
}

struct entry *sealed_index_insert(struct index *index, const char *key)
{
	size_t at;
	struct entry *entry = sealed_index_find(index, key, &at);

	if (entry)
		return entry;
	memmove(&index->entries[at + 1], &index->entries[at],
		(index->count - at) * sizeof *index->entries);
	index->count++;
	memset(&index->entries[at], 0, sizeof *index->entries);
	strcpy(index->entries[at].key, key);
	return &index->entries[at];
}

int sealed_index_copy(const struct index *from, size_t more, struct index *to)
{
	to->count = from->count;
	to->entries = calloc(from->count + more + 1, sizeof *to->entries);
	if (!to->entries)
		return CVTPM_ERR_NO_MEMORY;
	if (from->count > 0)
		memcpy(to->entries, from->entries, from->count * sizeof *to->entries);
	return 0;
}

size_t sealed_index_write(const struct index *index, uint8_t *out)
{
	uint8_t *p = put_number(out, index->count, 4);

	for (size_t i = 0; i < index->count; i++) {
		const struct entry *e = &index->entries[i];
		size_t key_len = strlen(e->key);

		p = put_number(p, key_len, 1);
		p = put_bytes(p, e->key, key_len);
		p = put_number(p, e->generation, 8);
		p = put_number(p, e->counter, 4);
		p = put_number(p, e->len, 8);
		p = put_bytes(p, e->tag, TAG_SIZE);
	}
	return (size_t)(p - out);
}

/* Authenticated, and bounded all the same. */
int sealed_index_read(struct index *index, const uint8_t *in, size_t len)
{
	const uint8_t *end = in + len;
	uint64_t count;

	if (len < 4)
		return CVTPM_ERR_FORMAT;
	count = get_number(in, 4);
	in += 4;
	if (count > ENTRIES_MAX)
		return CVTPM_ERR_FORMAT;
	index->entries = calloc((size_t)count + 1, sizeof *index->entries);
	if (!index->entries)
		return CVTPM_ERR_NO_MEMORY;
	for (; index->count < count; index->count++) {
		struct entry *e = &index->entries[index->count];
		size_t key_len = in < end ? *in++ : 0;

		if (key_len == 0 || key_len > CVTPM_STORE_KEY_MAX ||
		    (size_t)(end - in) < key_len + 20 + TAG_SIZE)
			return CVTPM_ERR_FORMAT;
		memcpy(e->key, in, key_len);
		in += key_len;
		e->generation = get_number(in, 8);
		e->counter = (uint32_t)get_number(in + 8, 4);
		e->len = get_number(in + 12, 8);
		memcpy(e->tag, in + 20, TAG_SIZE);
		in += 20 + TAG_SIZE;
		if (e->len > VALUE_MAX_SIZE || store_key_len(e->key) != key_len)
			return CVTPM_ERR_FORMAT;
	}
	return in == end ? 0 : CVTPM_ERR_FORMAT;
}
