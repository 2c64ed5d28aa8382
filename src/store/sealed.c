/*
 * The sealed store: AES-256-GCM over the records of another store.
 *
 * Each commit draws 32 random bytes, its salt, and derives a key of its own
 * from the store's key and the salt (sealed_format.h). No nonce is made from
 * the generation: a store that was rolled back comes to the same generations
 * again, and would use their nonces twice.
 *
 * Every commit writes the index anew, together with its records, so that the
 * index names the one version of each record that is right: an older one has
 * another tag, and a record that is missing or has been added does not agree
 * with the list. An older index fails in the same way, unless all the rest is
 * as old, which is a rollback of the whole and cannot be told from inside.
 */
#include "cvtpm/err.h"
#include "cvtpm/stores.h"

#include "crypto/crypto.h"
#include "store/key.h"
#include "store/message.h"
#include "store/sealed_format.h"

#include <stdlib.h>
#include <string.h>

#define INDEX_KEY "sealed/index"

struct sealed_store {
	struct cvtpm_store store;
	struct cvtpm_store *inner;
	int (*entropy)(void *context, uint8_t *out, size_t len);
	void *entropy_context;
	struct sealer sealer;
	struct index index;
};

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
	entry = sealed_index_find(&s->index, key, &at);
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
		err = sealed_record_unseal(&s->sealer, entry, sealed, value);
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
	CVTPM_TRY(sealed_index_copy(&s->index, count, &w->index));
	CVTPM_TRY(s->entropy(s->entropy_context, w->seal.salt, sizeof w->seal.salt));
	return sealed_commit_key(&s->sealer, w->seal.salt, w->seal.key);
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
		sealed_index_remove(&w->index, change->key);
		return 0;
	}
	if (change->value_len > VALUE_MAX_SIZE)
		return CVTPM_ERR_STORE;
	w->sealed[i] = malloc(RECORD_HEADER_SIZE + change->value_len);
	if (!w->sealed[i])
		return CVTPM_ERR_NO_MEMORY;
	entry = sealed_index_insert(&w->index, change->key);
	entry->generation = w->seal.generation;
	entry->counter = (uint32_t)i + 1;
	entry->len = change->value_len;
	w->changes[i].value = w->sealed[i];
	w->changes[i].value_len = RECORD_HEADER_SIZE + change->value_len;
	return sealed_record_seal(&s->sealer, &w->seal, entry, change->value, w->sealed[i]);
}

static int work_index(struct sealed_store *s, struct work *w)
{
	size_t i = w->count;

	if (w->index.count > ENTRIES_MAX)
		return CVTPM_ERR_STORE;
	w->sealed[i] =
		malloc(INDEX_HEADER_SIZE + ENTRIES_HEAD_SIZE + w->index.count * ENTRY_MAX_SIZE);
	if (!w->sealed[i])
		return CVTPM_ERR_NO_MEMORY;
	w->changes[i].key = INDEX_KEY;
	w->changes[i].value = w->sealed[i];
	return sealed_index_seal(&s->sealer, &w->seal, &w->index, w->sealed[i],
				 &w->changes[i].value_len);
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
	cvtpm_wipe(s, sizeof *s);
	free(s);
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
	entry = sealed_index_find(census->index, key, &at);
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
		err = sealed_index_unseal(&s->sealer, sealed, len, &s->index, &s->store.generation,
					  message);
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
		err = s->entropy(s->entropy_context, s->sealer.identity, sizeof s->sealer.identity);
	if (err == 0)
		err = sealed_key_check(&s->sealer);
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
	memcpy(s->sealer.key, key, sizeof s->sealer.key);
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
