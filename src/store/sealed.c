/*
 * The sealed store: AES-256-GCM over the records of another store.
 *
 * Each commit draws 32 random bytes, its salt, and derives a key of its own
 * from the store's key and the salt. Under that key the index is encrypted
 * with counter 0 as the IV and the records of the commit with 1, 2, ... No
 * nonce is made from the generation: a store that was rolled back comes to the
 * same generations again, and would use their nonces twice.
 *
 *	a record      "cvs1", u64 generation, u32 counter, salt[32], tag[16], ciphertext
 *	              kept under the name that it has outside
 *	              authenticated with it: identity, generation, counter, name
 *	the index     "cvi1", identity[16], key check[16], u64 generation, salt[32],
 *	              tag[16], ciphertext; kept as "sealed/index"
 *	              authenticated with it: identity, generation, key check
 *	in the index  u32 count, and by ascending name: u8 length, name,
 *	              u64 generation, u32 counter, u64 length of the value, tag[16]
 *
 * Numbers are little endian. Every commit writes the index anew, together with
 * its records, so that the index names the one version of each record that is
 * right: an older one has another tag, and a record that is missing or has
 * been added does not agree with the list. An older index fails in the same
 * way, unless all the rest is as old, which is a rollback of the whole and
 * cannot be told from inside.
 *
 * The identity is 16 random bytes, drawn when the store is first opened, so
 * that two stores under one key do not take each other's records. The key
 * check is derived from key and identity; it tells a wrong key from damage.
 */
#include "cvtpm/err.h"
#include "cvtpm/stores.h"

#include "crypto/crypto.h"
#include "store/key.h"
#include "store/message.h"

#include <stdlib.h>
#include <string.h>

#define INDEX_KEY          "sealed/index"
#define SALT_SIZE          32
#define TAG_SIZE           16
#define IDENTITY_SIZE      16
#define CHECK_SIZE         16
#define RECORD_HEADER_SIZE (4 + 8 + 4 + SALT_SIZE + TAG_SIZE)
#define INDEX_HEADER_SIZE  (4 + IDENTITY_SIZE + CHECK_SIZE + 8 + SALT_SIZE + TAG_SIZE)
#define ENTRY_MAX_SIZE     (1 + CVTPM_STORE_KEY_MAX + 8 + 4 + 8 + TAG_SIZE)
#define ENTRIES_MAX        65536
#define VALUE_MAX_SIZE     ((size_t)64 << 20)

struct entry {
	char key[CVTPM_STORE_KEY_MAX + 1];
	uint64_t generation;
	uint32_t counter;
	uint64_t len;
	uint8_t tag[TAG_SIZE];
};

struct index {
	struct entry *entries; /* ascending */
	size_t count;
};

struct sealed_store {
	struct cvtpm_store store;
	struct cvtpm_store *inner;
	int (*entropy)(void *context, uint8_t *out, size_t len);
	void *entropy_context;
	uint8_t key[CVTPM_STORE_KEY_SIZE];
	uint8_t identity[IDENTITY_SIZE];
	uint8_t check[CHECK_SIZE];
	struct index index;
};

/* ---- bytes ---- */

static uint8_t *put_bytes(uint8_t *out, const void *bytes, size_t len)
{
	memcpy(out, bytes, len);
	return out + len;
}

static uint8_t *put_number(uint8_t *out, uint64_t number, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*out++ = (uint8_t)(number >> (8 * i));
	return out;
}

static uint64_t get_number(const uint8_t *in, unsigned bytes)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < bytes; i++)
		number |= (uint64_t)in[i] << (8 * i);
	return number;
}

/* Wipes and frees; for buffers that held plaintext. */
static void wipe_free(void *memory, size_t len)
{
	if (memory)
		cvtpm_wipe(memory, len);
	free(memory);
}

/* ---- keys ---- */

static int commit_key(const struct sealed_store *s, const uint8_t salt[SALT_SIZE], uint8_t key[32])
{
	static const char label[] = "cvtpm sealed store, commit";
	uint8_t info[sizeof label + IDENTITY_SIZE];

	put_bytes(put_bytes(info, label, sizeof label), s->identity, IDENTITY_SIZE);
	return cvtpm_hkdf(CVTPM_SHA256, s->key, sizeof s->key, salt, SALT_SIZE, info, sizeof info,
			  key, 32);
}

static int key_check(const struct sealed_store *s, uint8_t check[CHECK_SIZE])
{
	static const char label[] = "cvtpm sealed store, key check";

	return cvtpm_hkdf(CVTPM_SHA256, s->key, sizeof s->key, s->identity, IDENTITY_SIZE,
			  (const uint8_t *)label, sizeof label, check, CHECK_SIZE);
}

static void make_iv(uint8_t iv[12], uint32_t counter)
{
	memset(iv, 0, 8);
	put_number(iv + 8, counter, 4);
}

/* ---- the index ---- */

static struct entry *index_find(const struct index *index, const char *key, size_t *at)
{
	for (*at = 0; *at < index->count; ++*at) {
		int order = strcmp(index->entries[*at].key, key);

		if (order >= 0)
			return order == 0 ? &index->entries[*at] : NULL;
	}
	return NULL;
}

static void index_remove(struct index *index, const char *key)
{
	size_t at;

	if (!index_find(index, key, &at))
		return;
	index->count--;
	memmove(&index->entries[at], &index->entries[at + 1],
		(index->count - at) * sizeof *index->entries);
}

/* Room for one more is the caller's care. */
static struct entry *index_insert(struct index *index, const char *key)
{
	size_t at;
	struct entry *entry = index_find(index, key, &at);

	if (entry)
		return entry;
	memmove(&index->entries[at + 1], &index->entries[at],
		(index->count - at) * sizeof *index->entries);
	index->count++;
	memset(&index->entries[at], 0, sizeof *index->entries);
	strcpy(index->entries[at].key, key);
	return &index->entries[at];
}

static int index_copy(const struct index *from, size_t more, struct index *to)
{
	to->count = from->count;
	to->entries = calloc(from->count + more + 1, sizeof *to->entries);
	if (!to->entries)
		return CVTPM_ERR_NO_MEMORY;
	if (from->count > 0)
		memcpy(to->entries, from->entries, from->count * sizeof *to->entries);
	return 0;
}

static size_t index_write(const struct index *index, uint8_t *out)
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

/* Reads what index_write wrote: authenticated, and bounded all the same. */
static int index_read(struct index *index, const uint8_t *in, size_t len)
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

/* ---- sealing and opening one blob ---- */

static size_t record_aad(const struct sealed_store *s, uint64_t generation, uint32_t counter,
			 const char *key, uint8_t *out)
{
	uint8_t *p = put_bytes(out, "cvs1", 4);

	p = put_bytes(p, s->identity, IDENTITY_SIZE);
	p = put_number(p, generation, 8);
	p = put_number(p, counter, 4);
	p = put_bytes(p, key, strlen(key));
	return (size_t)(p - out);
}

#define AAD_MAX_SIZE (4 + IDENTITY_SIZE + 8 + 4 + CVTPM_STORE_KEY_MAX)

static size_t index_aad(const struct sealed_store *s, uint64_t generation, uint8_t *out)
{
	uint8_t *p = put_bytes(out, "cvi1", 4);

	p = put_bytes(p, s->identity, IDENTITY_SIZE);
	p = put_number(p, generation, 8);
	p = put_bytes(p, s->check, CHECK_SIZE);
	return (size_t)(p - out);
}

/* What one commit is made under. */
struct seal {
	uint8_t key[32], salt[SALT_SIZE];
	uint64_t generation;
};

static int record_seal(const struct sealed_store *s, const struct seal *seal, struct entry *entry,
		       const uint8_t *value, uint8_t *out)
{
	uint8_t iv[12], aad[AAD_MAX_SIZE], *p;
	size_t aad_len = record_aad(s, entry->generation, entry->counter, entry->key, aad);

	make_iv(iv, entry->counter);
	CVTPM_TRY(cvtpm_aes256gcm_seal(seal->key, iv, aad, aad_len, value, (size_t)entry->len,
				       out + RECORD_HEADER_SIZE, entry->tag));
	p = put_bytes(out, "cvs1", 4);
	p = put_number(p, entry->generation, 8);
	p = put_number(p, entry->counter, 4);
	p = put_bytes(p, seal->salt, SALT_SIZE);
	put_bytes(p, entry->tag, TAG_SIZE);
	return 0;
}

/* `sealed` is the whole record as the inner store has it. The header must be the
 * one that the index names; the salt is right when the tag is. */
static int record_unseal(const struct sealed_store *s, const struct entry *entry,
			 const uint8_t *sealed, uint8_t *value)
{
	uint8_t iv[12], aad[AAD_MAX_SIZE], key[32];
	size_t aad_len = record_aad(s, entry->generation, entry->counter, entry->key, aad);
	int err;

	if (memcmp(sealed, "cvs1", 4) != 0 || get_number(sealed + 4, 8) != entry->generation ||
	    get_number(sealed + 12, 4) != entry->counter ||
	    !cvtpm_equal(sealed + 16 + SALT_SIZE, entry->tag, TAG_SIZE))
		return CVTPM_ERR_AUTH;
	CVTPM_TRY(commit_key(s, sealed + 16, key));
	make_iv(iv, entry->counter);
	err = cvtpm_aes256gcm_open(key, iv, aad, aad_len, sealed + RECORD_HEADER_SIZE,
				   (size_t)entry->len, entry->tag, value);
	cvtpm_wipe(key, sizeof key);
	return err;
}

static int index_seal(const struct sealed_store *s, const struct seal *seal,
		      const struct index *index, uint8_t *out, size_t *out_len)
{
	uint8_t iv[12], aad[AAD_MAX_SIZE], tag[TAG_SIZE], *p, *body = out + INDEX_HEADER_SIZE;
	size_t aad_len = index_aad(s, seal->generation, aad), len = index_write(index, body);

	make_iv(iv, 0);
	CVTPM_TRY(cvtpm_aes256gcm_seal(seal->key, iv, aad, aad_len, body, len, body, tag));
	p = put_bytes(out, "cvi1", 4);
	p = put_bytes(p, s->identity, IDENTITY_SIZE);
	p = put_bytes(p, s->check, CHECK_SIZE);
	p = put_number(p, seal->generation, 8);
	p = put_bytes(p, seal->salt, SALT_SIZE);
	put_bytes(p, tag, TAG_SIZE);
	*out_len = INDEX_HEADER_SIZE + len;
	return 0;
}

/* ---- the store's functions ---- */

static int sealed_get(struct cvtpm_store *store, const char *key, uint8_t *value, size_t capacity,
		      size_t *value_len)
{
	struct sealed_store *s = (struct sealed_store *)store;
	const struct entry *entry;
	uint8_t *sealed;
	size_t at, size, len;
	int err;

	if (store_key_len(key) == 0)
		return CVTPM_ERR_PARAM;
	entry = index_find(&s->index, key, &at);
	if (!entry)
		return CVTPM_ERR_NOT_FOUND;
	*value_len = (size_t)entry->len;
	if (entry->len > capacity)
		return CVTPM_ERR_SIZE;
	size = RECORD_HEADER_SIZE + (size_t)entry->len;
	sealed = malloc(size);
	if (!sealed)
		return CVTPM_ERR_NO_MEMORY;
	err = cvtpm_store_get(s->inner, key, sealed, size, &len);
	/* Missing or of another length: not the record that the index names. */
	if (err == CVTPM_ERR_NOT_FOUND || err == CVTPM_ERR_SIZE || (err == 0 && len != size))
		err = CVTPM_ERR_AUTH;
	if (err == 0)
		err = record_unseal(s, entry, sealed, value);
	free(sealed);
	return err;
}

/* A commit on its way into the inner store. */
struct work {
	struct seal seal;
	struct index index;           /* as it will be */
	struct cvtpm_change *changes; /* count + 1, the index last */
	uint8_t **sealed;             /* count + 1 */
	size_t count;
};

static int work_begin(struct sealed_store *s, size_t count, struct work *w)
{
	w->count = count;
	w->seal.generation = s->store.generation + 1;
	w->changes = calloc(count + 1, sizeof *w->changes);
	w->sealed = calloc(count + 1, sizeof *w->sealed);
	if (!w->changes || !w->sealed)
		return CVTPM_ERR_NO_MEMORY;
	CVTPM_TRY(index_copy(&s->index, count, &w->index));
	CVTPM_TRY(s->entropy(s->entropy_context, w->seal.salt, sizeof w->seal.salt));
	return commit_key(s, w->seal.salt, w->seal.key);
}

static void work_end(struct work *w)
{
	for (size_t i = 0; w->sealed && i <= w->count; i++)
		free(w->sealed[i]);
	free(w->sealed);
	free(w->changes);
	free(w->index.entries);
	cvtpm_wipe(w, sizeof *w);
}

static int work_record(struct sealed_store *s, struct work *w, size_t i,
		       const struct cvtpm_change *change)
{
	struct entry *entry;

	w->changes[i].key = change->key;
	if (!change->value) {
		index_remove(&w->index, change->key);
		return 0;
	}
	if (change->value_len > VALUE_MAX_SIZE)
		return CVTPM_ERR_STORE;
	w->sealed[i] = malloc(RECORD_HEADER_SIZE + change->value_len);
	if (!w->sealed[i])
		return CVTPM_ERR_NO_MEMORY;
	entry = index_insert(&w->index, change->key);
	entry->generation = w->seal.generation;
	entry->counter = (uint32_t)i + 1;
	entry->len = change->value_len;
	w->changes[i].value = w->sealed[i];
	w->changes[i].value_len = RECORD_HEADER_SIZE + change->value_len;
	return record_seal(s, &w->seal, entry, change->value, w->sealed[i]);
}

static int work_index(struct sealed_store *s, struct work *w)
{
	size_t i = w->count;

	if (w->index.count > ENTRIES_MAX)
		return CVTPM_ERR_STORE;
	w->sealed[i] = malloc(INDEX_HEADER_SIZE + 4 + w->index.count * ENTRY_MAX_SIZE);
	if (!w->sealed[i])
		return CVTPM_ERR_NO_MEMORY;
	w->changes[i].key = INDEX_KEY;
	w->changes[i].value = w->sealed[i];
	return index_seal(s, &w->seal, &w->index, w->sealed[i], &w->changes[i].value_len);
}

static int work_do(struct sealed_store *s, const struct cvtpm_change *changes, struct work *w)
{
	for (size_t i = 0; i < w->count; i++)
		CVTPM_TRY(work_record(s, w, i, &changes[i]));
	CVTPM_TRY(work_index(s, w));
	return cvtpm_store_commit(s->inner, w->changes, w->count + 1);
}

static int sealed_commit(struct cvtpm_store *store, const struct cvtpm_change *changes,
			 size_t count)
{
	struct sealed_store *s = (struct sealed_store *)store;
	struct work w = {0};
	int err;

	if (count >= ENTRIES_MAX)
		return CVTPM_ERR_STORE;
	for (size_t i = 0; i < count; i++)
		if (store_key_len(changes[i].key) == 0 || strcmp(changes[i].key, INDEX_KEY) == 0)
			return CVTPM_ERR_PARAM;
	err = work_begin(s, count, &w);
	if (err == 0)
		err = work_do(s, changes, &w);
	if (err == 0) {
		struct entry *old = s->index.entries;

		s->index = w.index;
		w.index.entries = old;
		store->generation = w.seal.generation;
	}
	work_end(&w);
	return err;
}

static int sealed_list(struct cvtpm_store *store, const char *prefix,
		       int (*each)(void *context, const char *key, size_t value_len), void *context)
{
	struct sealed_store *s = (struct sealed_store *)store;
	size_t prefix_len = strlen(prefix);

	for (size_t i = 0; i < s->index.count; i++) {
		const struct entry *e = &s->index.entries[i];
		int result;

		if (strncmp(e->key, prefix, prefix_len) != 0)
			continue;
		result = each(context, e->key, (size_t)e->len);
		if (result != 0)
			return result;
	}
	return 0;
}

static void sealed_free(struct sealed_store *s)
{
	free(s->index.entries);
	wipe_free(s, sizeof *s);
}

static void sealed_close(struct cvtpm_store *store)
{
	struct sealed_store *s = (struct sealed_store *)store;

	cvtpm_store_close(s->inner);
	sealed_free(s);
}

static const struct cvtpm_store_ops sealed_ops = {
	.get = sealed_get,
	.commit = sealed_commit,
	.list = sealed_list,
	.close = sealed_close,
};

/* ---- opening ---- */

struct census {
	const struct index *index;
	size_t seen;
	const char *wrong; /* what is wrong with `key` */
	char key[CVTPM_STORE_KEY_MAX + 1];
};

static int census_each(void *context, const char *key, size_t value_len)
{
	struct census *census = context;
	const struct entry *entry;
	size_t at;

	if (strcmp(key, INDEX_KEY) == 0)
		return 0;
	entry = index_find(census->index, key, &at);
	if (entry && RECORD_HEADER_SIZE + entry->len == value_len) {
		census->seen++;
		return 0;
	}
	census->wrong = entry ? "has another length" : "was added";
	memcpy(census->key, key, strlen(key) + 1);
	return CVTPM_ERR_AUTH;
}

/* The inner store's records must be those of the index, no more and no fewer. */
static int census_take(struct sealed_store *s, char *message)
{
	struct census census = {.index = &s->index};
	int err = cvtpm_store_list(s->inner, "", census_each, &census);

	if (err == CVTPM_ERR_AUTH && census.wrong)
		return store_fail(message, err,
				  "the sealed store was changed from outside: the record '%s' %s",
				  census.key, census.wrong);
	if (err == 0 && census.seen != s->index.count)
		return store_fail(
			message, CVTPM_ERR_AUTH,
			"the sealed store was changed from outside: of %zu records %zu are there",
			s->index.count, census.seen);
	return err < 0 ? store_fail(message, err, "the store under the sealed store: %s",
				    cvtpm_strerror(err))
		       : 0;
}

static int index_unseal(struct sealed_store *s, uint8_t *sealed, size_t len, char *message)
{
	uint8_t *body = sealed + INDEX_HEADER_SIZE, *salt = body - TAG_SIZE - SALT_SIZE;
	uint8_t iv[12], aad[AAD_MAX_SIZE], key[32];
	size_t aad_len;
	int err;

	if (len < INDEX_HEADER_SIZE || memcmp(sealed, "cvi", 3) != 0)
		return store_fail(message, CVTPM_ERR_AUTH,
				  "the index of the sealed store is damaged; restore the store "
				  "from a copy");
	if (sealed[3] != '1')
		return store_fail(message, CVTPM_ERR_UNSUPPORTED,
				  "the store was sealed by a newer cvtpm (format %c, this one "
				  "knows 1); use that",
				  sealed[3] >= ' ' && sealed[3] <= '~' ? sealed[3] : '?');
	memcpy(s->identity, sealed + 4, IDENTITY_SIZE);
	CVTPM_TRY(key_check(s, s->check));
	if (!cvtpm_equal(s->check, sealed + 4 + IDENTITY_SIZE, CHECK_SIZE))
		return store_fail(message, CVTPM_ERR_AUTH,
				  "the key is not the one that this store was sealed with (or the "
				  "store's index was changed)");
	s->store.generation = get_number(salt - 8, 8);
	CVTPM_TRY(commit_key(s, salt, key));
	make_iv(iv, 0);
	aad_len = index_aad(s, s->store.generation, aad);
	err = cvtpm_aes256gcm_open(key, iv, aad, aad_len, body, len - INDEX_HEADER_SIZE,
				   body - TAG_SIZE, body);
	cvtpm_wipe(key, sizeof key);
	if (err == 0)
		err = index_read(&s->index, body, len - INDEX_HEADER_SIZE);
	return err < 0 ? store_fail(message, err,
				    "the sealed store was changed or is damaged (the key is "
				    "right); restore it from a copy")
		       : 0;
}

static int index_load(struct sealed_store *s, size_t len, char *message)
{
	uint8_t *sealed;
	int err;

	if (len > VALUE_MAX_SIZE)
		return store_fail(message, CVTPM_ERR_AUTH, "the sealed store's index is too long");
	sealed = malloc(len + INDEX_HEADER_SIZE);
	if (!sealed)
		return store_fail(message, CVTPM_ERR_NO_MEMORY, "out of memory");
	err = cvtpm_store_get(s->inner, INDEX_KEY, sealed, len, &len);
	if (err == 0)
		err = index_unseal(s, sealed, len, message);
	else
		store_fail(message, err, "the sealed store's index cannot be read: %s",
			   cvtpm_strerror(err));
	free(sealed);
	return err;
}

static int stop_at_first(void *context, const char *key, size_t value_len)
{
	(void)context, (void)key, (void)value_len;
	return 1;
}

static int sealed_new(struct sealed_store *s, char *message)
{
	int err = cvtpm_store_list(s->inner, "", stop_at_first, NULL);

	if (err == 1)
		return store_fail(message, CVTPM_ERR_FORMAT,
				  "the store holds records that are not sealed; open it without a "
				  "key, or name another store");
	if (err == 0)
		err = s->entropy(s->entropy_context, s->identity, sizeof s->identity);
	if (err == 0)
		err = key_check(s, s->check);
	return err < 0 ? store_fail(message, err, "cannot begin a sealed store: %s",
				    cvtpm_strerror(err))
		       : 0;
}

static int sealed_load(struct sealed_store *s, char *message)
{
	size_t len = 0;
	int err = cvtpm_store_get(s->inner, INDEX_KEY, NULL, 0, &len);

	if (err == CVTPM_ERR_NOT_FOUND)
		return sealed_new(s, message);
	if (err != 0 && err != CVTPM_ERR_SIZE)
		return store_fail(message, err, "the sealed store's index cannot be read: %s",
				  cvtpm_strerror(err));
	CVTPM_TRY(index_load(s, len, message));
	return census_take(s, message);
}

int cvtpm_store_sealed_open(struct cvtpm_store **store, struct cvtpm_store *inner,
			    const uint8_t key[CVTPM_STORE_KEY_SIZE], enum cvtpm_store_kind kind,
			    int (*entropy)(void *context, uint8_t *out, size_t len),
			    void *entropy_context, char message[CVTPM_STORE_MESSAGE_SIZE])
{
	struct sealed_store *s;
	int err;

	message[0] = '\0';
	if (kind != CVTPM_STORE_SEALED && kind != CVTPM_STORE_SEALED_SNP)
		return store_fail(message, CVTPM_ERR_PARAM, "not a kind of sealed store: %d",
				  (int)kind);
	s = calloc(1, sizeof *s);
	if (!s)
		return store_fail(message, CVTPM_ERR_NO_MEMORY, "out of memory");
	s->store = (struct cvtpm_store){.ops = &sealed_ops, .kind = kind};
	s->inner = inner;
	s->entropy = entropy;
	s->entropy_context = entropy_context;
	memcpy(s->key, key, sizeof s->key);
	err = sealed_load(s, message);
	if (err < 0) {
		if (message[0] == '\0')
			store_fail(message, err, "cannot open the sealed store: %s",
				   cvtpm_strerror(err));
		sealed_free(s);
		return err;
	}
	*store = &s->store;
	return 0;
}

int cvtpm_store_is_sealed(struct cvtpm_store *store)
{
	size_t len;
	int err = cvtpm_store_get(store, INDEX_KEY, NULL, 0, &len);

	if (err == 0 || err == CVTPM_ERR_SIZE)
		return 1;
	return err == CVTPM_ERR_NOT_FOUND ? 0 : err;
}
