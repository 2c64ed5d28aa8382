#include "cvtpm/err.h"
#include "cvtpm/stores.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "contract.h"

#define KEYS 6

static int put(struct cvtpm_store *store, const char *key, const void *value, size_t len)
{
	struct cvtpm_change change = {.key = key, .value = value, .value_len = len};

	return cvtpm_store_commit(store, &change, 1);
}

static void assert_record(struct cvtpm_store *store, const char *key, const void *value, size_t len)
{
	size_t got = 0;
	uint8_t *bytes = malloc(len + 1);

	assert_int_equal(cvtpm_store_get(store, key, bytes, len + 1, &got), 0);
	assert_int_equal(got, len);
	assert_memory_equal(bytes, value, len);
	free(bytes);
}

static void assert_no_record(struct cvtpm_store *store, const char *key)
{
	size_t len;

	assert_int_equal(cvtpm_store_get(store, key, NULL, 0, &len), CVTPM_ERR_NOT_FOUND);
}

static void a_record_is_read_as_it_was_written(void **state)
{
	struct contract *c = *state;
	struct cvtpm_store *store = c->open();
	uint8_t small[4];
	size_t len = 0;

	assert_no_record(store, "area/name");
	assert_int_equal(put(store, "area/name", "value", 5), 0);
	assert_record(store, "area/name", "value", 5);
	assert_int_equal(cvtpm_store_get(store, "area/name", small, sizeof small, &len),
			 CVTPM_ERR_SIZE);
	assert_int_equal(len, 5);
	len = 0;
	assert_int_equal(cvtpm_store_get(store, "area/name", NULL, 0, &len), CVTPM_ERR_SIZE);
	assert_int_equal(len, 5);
	assert_int_equal(put(store, "area/name", "another value", 13), 0);
	assert_record(store, "area/name", "another value", 13);
	assert_int_equal(put(store, "area/name", NULL, 0), 0);
	assert_no_record(store, "area/name");
	assert_int_equal(put(store, "area/name", NULL, 0), 0);
	c->end(store);
}

static void a_record_may_be_empty_or_large(void **state)
{
	struct contract *c = *state;
	struct cvtpm_store *store = c->open();
	size_t len = 1600 * 1024;
	uint8_t *large = malloc(len);

	for (size_t i = 0; i < len; i++)
		large[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(put(store, "a/empty", "", 0), 0);
	assert_int_equal(put(store, "a/large", large, len), 0);
	assert_record(store, "a/empty", "", 0);
	assert_record(store, "a/large", large, len);
	large[len / 2] ^= 1;
	assert_int_equal(put(store, "a/large", large, len), 0);
	assert_record(store, "a/large", large, len);
	free(large);
	c->end(store);
}

static void a_commit_applies_its_changes_in_order(void **state)
{
	const struct cvtpm_change changes[] = {
		{"k/a", (const uint8_t *)"first", 5},
		{"k/b", (const uint8_t *)"gone", 4},
		{"k/a", (const uint8_t *)"second", 6},
		{"k/b", NULL, 0},
		{"k/c", NULL, 0},
		{"k/c", (const uint8_t *)"there", 5},
	};
	struct contract *c = *state;
	struct cvtpm_store *store = c->open();
	uint64_t before;

	assert_int_equal(put(store, "k/c", "old", 3), 0);
	before = store->generation;
	assert_int_equal(cvtpm_store_commit(store, changes, 6), 0);
	assert_int_equal(store->generation, before + 1);
	assert_record(store, "k/a", "second", 6);
	assert_no_record(store, "k/b");
	assert_record(store, "k/c", "there", 5);
	c->end(store);
}

static void keys_that_are_none_are_refused_and_nothing_is_written(void **state)
{
	static const char *const bad[] = {"", "with space", "line\nfeed", "\x80high",
					  "123456789012345678901234567890123456789012345678"};
	struct contract *c = *state;
	struct cvtpm_store *store = c->open();
	size_t len;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct cvtpm_change changes[] = {{"good", (const uint8_t *)"x", 1},
						 {bad[i], (const uint8_t *)"x", 1}};

		assert_int_equal(cvtpm_store_commit(store, changes, 2), CVTPM_ERR_PARAM);
		assert_int_equal(cvtpm_store_get(store, bad[i], NULL, 0, &len), CVTPM_ERR_PARAM);
	}
	assert_no_record(store, "good");
	assert_int_equal(put(store, "12345678901234567890123456789012345678901234567", "x", 1), 0);
	assert_record(store, "12345678901234567890123456789012345678901234567", "x", 1);
	c->end(store);
}

struct seen {
	char keys[256];
	size_t total;
	unsigned stop_after;
};

static int see(void *context, const char *key, size_t value_len)
{
	struct seen *seen = context;

	strcat(seen->keys, key);
	strcat(seen->keys, " ");
	seen->total += value_len;
	return seen->stop_after && --seen->stop_after == 0 ? 42 : 0;
}

static void keys_are_listed_in_order_by_prefix(void **state)
{
	struct contract *c = *state;
	struct cvtpm_store *store = c->open();
	struct seen all = {0}, some = {0}, none = {0}, first = {.stop_after = 1};

	assert_int_equal(cvtpm_store_list(store, "", see, &none), 0);
	assert_string_equal(none.keys, "");
	assert_int_equal(put(store, "nv/2", "22", 2), 0);
	assert_int_equal(put(store, "owner/record", "333", 3), 0);
	assert_int_equal(put(store, "nv/10", "1", 1), 0);
	assert_int_equal(put(store, "nv", "", 0), 0);
	assert_int_equal(cvtpm_store_list(store, "", see, &all), 0);
	assert_string_equal(all.keys, "nv nv/10 nv/2 owner/record ");
	assert_int_equal(all.total, 6);
	assert_int_equal(cvtpm_store_list(store, "nv/", see, &some), 0);
	assert_string_equal(some.keys, "nv/10 nv/2 ");
	assert_int_equal(cvtpm_store_list(store, "nv/3", see, &none), 0);
	assert_string_equal(none.keys, "");
	assert_int_equal(cvtpm_store_list(store, "nv/", see, &first), 42);
	assert_string_equal(first.keys, "nv/10 ");
	c->end(store);
}

/* A plain array is the other statement of what a store does. */
struct model {
	bool there[KEYS];
	size_t len[KEYS];
	uint8_t value[KEYS][3000];
};

static void model_compare(struct cvtpm_store *store, const struct model *m,
			  const char *const keys[KEYS])
{
	for (int k = 0; k < KEYS; k++) {
		if (m->there[k])
			assert_record(store, keys[k], m->value[k], m->len[k]);
		else
			assert_no_record(store, keys[k]);
	}
}

static void random_commits_agree_with_a_model(void **state)
{
	static const char *const keys[KEYS] = {"a/1", "a/11", "a/2", "b", "b/1", "zz/top"};
	static struct model m;
	struct contract *c = *state;
	struct cvtpm_store *store = c->open();

	memset(&m, 0, sizeof m);
	srand(4);
	for (int round = 0; round < 150; round++) {
		struct cvtpm_change changes[4];
		size_t count = 1 + (size_t)rand() % 4;

		for (size_t i = 0; i < count; i++) {
			/* Each change of a commit has a key of its own here. */
			size_t k = ((size_t)rand() % KEYS / 4 + i) % KEYS;

			m.there[k] = rand() % 4 != 0;
			m.len[k] = (size_t)rand() % sizeof m.value[k];
			for (size_t b = 0; b < m.len[k]; b++)
				m.value[k][b] = (uint8_t)rand();
			changes[i] = (struct cvtpm_change){keys[k], m.there[k] ? m.value[k] : NULL,
							   m.there[k] ? m.len[k] : 0};
		}
		assert_int_equal(cvtpm_store_commit(store, changes, count), 0);
		if (c->reopen && round % 10 == 0)
			store = c->reopen(store);
		model_compare(store, &m, keys);
	}
	assert_int_equal(store->generation, 150);
	c->end(store);
}

static void what_is_committed_is_there_after_reopening(void **state)
{
	struct contract *c = *state;
	struct cvtpm_store *store = c->open();
	uint64_t generation;

	if (!c->reopen) { /* what is closed is gone: the next one is empty */
		assert_int_equal(put(store, "a", "1", 1), 0);
		c->end(store);
		store = c->open();
		assert_no_record(store, "a");
		c->end(store);
		return;
	}
	assert_int_equal(put(store, "a", "1", 1), 0);
	assert_int_equal(put(store, "b", "2", 1), 0);
	assert_int_equal(put(store, "a", NULL, 0), 0);
	generation = store->generation;
	store = c->reopen(store);
	assert_int_equal(store->generation, generation);
	assert_no_record(store, "a");
	assert_record(store, "b", "2", 1);
	c->end(store);
}

int contract_run(struct contract *contract, const struct CMUnitTest *more, size_t more_count)
{
	/* One group, because TAP has one plan. */
	struct CMUnitTest tests[64] = {
		cmocka_unit_test_prestate(a_record_is_read_as_it_was_written, contract),
		cmocka_unit_test_prestate(a_record_may_be_empty_or_large, contract),
		cmocka_unit_test_prestate(a_commit_applies_its_changes_in_order, contract),
		cmocka_unit_test_prestate(keys_that_are_none_are_refused_and_nothing_is_written,
					  contract),
		cmocka_unit_test_prestate(keys_are_listed_in_order_by_prefix, contract),
		cmocka_unit_test_prestate(random_commits_agree_with_a_model, contract),
		cmocka_unit_test_prestate(what_is_committed_is_there_after_reopening, contract),
	};

	size_t count = 0;

	while (tests[count].name)
		count++;
	assert_true(count + more_count < sizeof tests / sizeof *tests);
	memcpy(&tests[count], more, more_count * sizeof *more);
	return _cmocka_run_group_tests(contract->name, tests, count + more_count, NULL, NULL);
}
