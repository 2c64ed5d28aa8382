/*
 * The memory store: records one after another, in ascending order of their
 * keys, in memory that the caller gave.
 *
 *	u32 value_len, u32 key_len, key, value      (numbers in the CPU's order)
 *
 * A commit first computes what the records will take once it has been applied.
 * Only if that fits is anything touched, and from there nothing can fail: all
 * old records go before the first new one comes, so that there is never more
 * than the greater of before and after.
 */
#include "cvtpm/err.h"
#include "cvtpm/stores.h"

#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "store/key.h"

#define HEADER_SIZE 8

struct memory_store {
	struct cvtpm_store store;
	uint8_t *records;
	size_t used, capacity;
};

struct record {
	const uint8_t *key, *value;
	size_t key_len, value_len;
};

static struct record record_at(const struct memory_store *m, size_t at)
{
	uint32_t lens[2];

	memcpy(lens, m->records + at, sizeof lens);
	return (struct record){.key = m->records + at + HEADER_SIZE,
			       .value = m->records + at + HEADER_SIZE + lens[1],
			       .key_len = lens[1],
			       .value_len = lens[0]};
}

static size_t record_size(size_t key_len, size_t value_len)
{
	return HEADER_SIZE + key_len + value_len;
}

static int key_compare(const void *a, size_t a_len, const void *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	if (order != 0)
		return order;
	return (a_len > b_len) - (a_len < b_len);
}

/* Where the record of `key` is, or where it would be. */
static bool record_find(const struct memory_store *m, const char *key, size_t key_len, size_t *at)
{
	for (*at = 0; *at < m->used;) {
		struct record r = record_at(m, *at);
		int order = key_compare(r.key, r.key_len, key, key_len);

		if (order >= 0)
			return order == 0;
		*at += record_size(r.key_len, r.value_len);
	}
	return false;
}

static void record_remove(struct memory_store *m, const char *key, size_t key_len)
{
	size_t at, size;
	struct record r;

	if (!record_find(m, key, key_len, &at))
		return;
	r = record_at(m, at);
	size = record_size(r.key_len, r.value_len);
	memmove(m->records + at, m->records + at + size, m->used - at - size);
	m->used -= size;
	cvtpm_wipe(m->records + m->used, size);
}

static void record_insert(struct memory_store *m, const struct cvtpm_change *change, size_t key_len)
{
	uint32_t lens[2] = {(uint32_t)change->value_len, (uint32_t)key_len};
	size_t at, size = record_size(key_len, change->value_len);

	record_find(m, change->key, key_len, &at);
	memmove(m->records + at + size, m->records + at, m->used - at);
	m->used += size;
	memcpy(m->records + at, lens, sizeof lens);
	memcpy(m->records + at + HEADER_SIZE, change->key, key_len);
	memcpy(m->records + at + HEADER_SIZE + key_len, change->value, change->value_len);
}

/* Whether a later change of the same commit has the same key. */
static bool is_overtaken(const struct cvtpm_change *changes, size_t count, size_t i)
{
	size_t key_len = store_key_len(changes[i].key);

	for (size_t j = i + 1; j < count; j++)
		if (store_key_len(changes[j].key) == key_len &&
		    memcmp(changes[j].key, changes[i].key, key_len) == 0)
			return true;
	return false;
}

/* Bytes that the records will take after the commit. */
static int size_after(const struct memory_store *m, const struct cvtpm_change *changes,
		      size_t count, size_t *size)
{
	*size = m->used;
	for (size_t i = 0; i < count; i++) {
		size_t at, key_len = store_key_len(changes[i].key);

		if (key_len == 0)
			return CVTPM_ERR_PARAM;
		if (is_overtaken(changes, count, i))
			continue;
		if (record_find(m, changes[i].key, key_len, &at))
			*size -= record_size(key_len, record_at(m, at).value_len);
	}
	for (size_t i = 0; i < count; i++) {
		size_t key_len = store_key_len(changes[i].key);

		if (!changes[i].value || is_overtaken(changes, count, i))
			continue;
		if (*size > m->capacity || changes[i].value_len > UINT32_MAX ||
		    record_size(key_len, 0) > m->capacity - *size ||
		    changes[i].value_len > m->capacity - *size - record_size(key_len, 0))
			return CVTPM_ERR_STORE;
		*size += record_size(key_len, changes[i].value_len);
	}
	return 0;
}

static int memory_commit(struct cvtpm_store *store, const struct cvtpm_change *changes,
			 size_t count)
{
	struct memory_store *m = (struct memory_store *)store;
	size_t size;

	CVTPM_TRY(size_after(m, changes, count, &size));

	for (size_t i = 0; i < count; i++)
		record_remove(m, changes[i].key, store_key_len(changes[i].key));
	for (size_t i = 0; i < count; i++)
		if (changes[i].value && !is_overtaken(changes, count, i))
			record_insert(m, &changes[i], store_key_len(changes[i].key));
	store->generation++;
	return 0;
}

static int memory_get(struct cvtpm_store *store, const char *key, uint8_t *value, size_t capacity,
		      size_t *value_len)
{
	struct memory_store *m = (struct memory_store *)store;
	size_t at, key_len = store_key_len(key);
	struct record r;

	if (key_len == 0)
		return CVTPM_ERR_PARAM;
	if (!record_find(m, key, key_len, &at))
		return CVTPM_ERR_NOT_FOUND;
	r = record_at(m, at);
	*value_len = r.value_len;
	if (r.value_len > capacity)
		return CVTPM_ERR_SIZE;
	if (r.value_len > 0)
		memcpy(value, r.value, r.value_len);
	return 0;
}

static int memory_list(struct cvtpm_store *store, const char *prefix,
		       int (*each)(void *context, const char *key, size_t value_len), void *context)
{
	struct memory_store *m = (struct memory_store *)store;
	size_t prefix_len = store_key_len(prefix);

	for (size_t at = 0; at < m->used;) {
		struct record r = record_at(m, at);
		char key[CVTPM_STORE_KEY_MAX + 1] = {0};
		int result;

		at += record_size(r.key_len, r.value_len);
		if (r.key_len < prefix_len || memcmp(r.key, prefix, prefix_len) != 0)
			continue;
		memcpy(key, r.key, r.key_len);
		result = each(context, key, r.value_len);
		if (result != 0)
			return result;
	}
	return 0;
}

static void memory_close(struct cvtpm_store *store)
{
	struct memory_store *m = (struct memory_store *)store;

	cvtpm_wipe(m->records, m->used); /* records that went were wiped as they went */
	cvtpm_wipe(m, sizeof *m);
}

static const struct cvtpm_store_ops memory_ops = {
	.get = memory_get,
	.commit = memory_commit,
	.list = memory_list,
	.close = memory_close,
};

int cvtpm_store_memory_init(struct cvtpm_store **store, void *memory, size_t size)
{
	struct memory_store *m = memory;

	if (size < sizeof *m)
		return CVTPM_ERR_SIZE;
	*m = (struct memory_store){
		.store = {.ops = &memory_ops, .kind = CVTPM_STORE_MEMORY},
		.records = (uint8_t *)memory + sizeof *m,
		.capacity = size - sizeof *m,
	};
	*store = &m->store;
	return 0;
}
