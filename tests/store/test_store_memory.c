/* The memory store: the contract, and what bounded memory adds to it. */

#include "cvtpm/err.h"
#include "cvtpm/stores.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "contract.h"

static struct cvtpm_store *open_memory(void)
{
	struct cvtpm_store *store;
	char message[CVTPM_STORE_MESSAGE_SIZE];

	assert_int_equal(cvtpm_store_memory_open(&store, 0, message), 0);
	assert_int_equal(store->kind, CVTPM_STORE_MEMORY);
	return store;
}

static void a_commit_that_does_not_fit_changes_nothing(void **state)
{
	static _Alignas(16) uint8_t memory[4096];
	static uint8_t value[4096];
	struct cvtpm_store *store;
	uint8_t got[4096], before[sizeof memory];
	size_t len;

	(void)state;
	memset(value, 7, sizeof value);
	assert_int_equal(cvtpm_store_memory_init(&store, memory, sizeof memory), 0);
	assert_int_equal(cvtpm_store_commit(store, &(struct cvtpm_change){"a", value, 3000}, 1), 0);
	memcpy(before, memory, sizeof memory);
	for (size_t size = 900; size <= sizeof value; size++) {
		struct cvtpm_change changes[] = {{"b", value, 10}, {"c", value, size}};

		if (cvtpm_store_commit(store, changes, 2) == 0) {
			struct cvtpm_change undo[] = {{"b", NULL, 0}, {"c", NULL, 0}};

			assert_true(size < 1096);
			assert_int_equal(cvtpm_store_commit(store, undo, 2), 0);
			memcpy(before, memory, sizeof memory);
			continue;
		}
		assert_memory_equal(before, memory, sizeof memory);
		assert_int_equal(cvtpm_store_get(store, "b", got, sizeof got, &len),
				 CVTPM_ERR_NOT_FOUND);
	}
	assert_int_equal(cvtpm_store_commit(store, &(struct cvtpm_change){"b", value, SIZE_MAX}, 1),
			 CVTPM_ERR_STORE);
	/* Room that the same commit frees counts, in whatever order. */
	assert_int_equal(
		cvtpm_store_commit(store,
				   (struct cvtpm_change[]){{"b", value, 3500}, {"a", NULL, 0}}, 2),
		0);
	assert_int_equal(cvtpm_store_get(store, "b", got, sizeof got, &len), 0);
	assert_int_equal(len, 3500);
	cvtpm_store_close(store);
}

static void nothing_is_left_after_close(void **state)
{
	static _Alignas(16) uint8_t memory[2048];
	static const uint8_t zeros[sizeof memory];
	struct cvtpm_store *store;
	uint8_t seed[32];

	(void)state;
	memset(seed, 0xA5, sizeof seed);
	assert_int_equal(cvtpm_store_memory_init(&store, memory, sizeof memory), 0);
	assert_int_equal(cvtpm_store_commit(store, &(struct cvtpm_change){"seed", seed, 32}, 1), 0);
	cvtpm_store_close(store);
	assert_memory_equal(memory, zeros, sizeof memory);
}

static void a_removed_value_is_wiped_at_once(void **state)
{
	static _Alignas(16) uint8_t memory[2048];
	struct cvtpm_store *store;
	uint8_t seed[32];

	(void)state;
	memset(seed, 0xA5, sizeof seed);
	assert_int_equal(cvtpm_store_memory_init(&store, memory, sizeof memory), 0);
	assert_int_equal(cvtpm_store_commit(store, &(struct cvtpm_change){"seed", seed, 32}, 1), 0);
	assert_int_equal(cvtpm_store_commit(store, &(struct cvtpm_change){"seed", NULL, 0}, 1), 0);
	assert_null(memmem(memory, sizeof memory, seed, 8));
	cvtpm_store_close(store);
}

static void too_little_memory_is_said(void **state)
{
	_Alignas(16) uint8_t memory[16];
	struct cvtpm_store *store;

	(void)state;
	assert_int_equal(cvtpm_store_memory_init(&store, memory, sizeof memory), CVTPM_ERR_SIZE);
}

int main(void)
{
	struct contract contract = {
		.name = "memory", .open = open_memory, .end = cvtpm_store_close};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_commit_that_does_not_fit_changes_nothing),
		cmocka_unit_test(nothing_is_left_after_close),
		cmocka_unit_test(a_removed_value_is_wiped_at_once),
		cmocka_unit_test(too_little_memory_is_said),
	};

	return contract_run(&contract, tests, sizeof tests / sizeof *tests);
}
