/*
 * The sealed store: the contract over memory and over LMDB, and everything
 * that somebody who can write to the store beneath may try.
 */
#include "faulty.h"
#include "folder.h"

#include "cvtpm/err.h"
#include "cvtpm/stores.h"

#include <sys/random.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "contract.h"

static char message[CVTPM_STORE_MESSAGE_SIZE];
static const uint8_t key[32] = "the key of the stores of tests.";
static const uint8_t other_key[32] = "another key of 32 bytes, really";
static struct folder folder;

static int kernel_entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	return getrandom(out, len, 0) == (ssize_t)len ? 0 : CVTPM_ERR_ENTROPY;
}

static int no_entropy(void *context, uint8_t *out, size_t len)
{
	(void)context, (void)out, (void)len;
	return CVTPM_ERR_ENTROPY;
}

static int seal(struct cvtpm_store **store, struct cvtpm_store *inner, const uint8_t *with)
{
	return cvtpm_store_sealed_open(store, inner, with, CVTPM_STORE_SEALED, kernel_entropy, NULL,
				       message);
}

static struct cvtpm_store *sealed(struct cvtpm_store *inner)
{
	struct cvtpm_store *store = NULL;

	if (seal(&store, inner, key) != 0)
		fail_msg("%s", message);
	return store;
}

static struct cvtpm_store *memory(void)
{
	struct cvtpm_store *store;

	assert_int_equal(cvtpm_store_memory_open(&store, 0, message), 0);
	return store;
}

static struct cvtpm_store *lmdb(unsigned flags)
{
	struct cvtpm_store *store = NULL;

	if (cvtpm_store_lmdb_open(&store, folder.path, flags, message) != 0)
		fail_msg("%s", message);
	return store;
}

static struct cvtpm_store *open_over_lmdb(void)
{
	folder = folder_make();
	return sealed(lmdb(CVTPM_STORE_CREATE));
}

static struct cvtpm_store *reopen_over_lmdb(struct cvtpm_store *store)
{
	cvtpm_store_close(store);
	return sealed(lmdb(0));
}

static void end_over_lmdb(struct cvtpm_store *store)
{
	cvtpm_store_close(store);
	folder_remove(&folder);
}

/* ---- an attacker's view: the store beneath, kept open ---- */

static int put(struct cvtpm_store *store, const char *name, const void *value, size_t len)
{
	struct cvtpm_change change = {.key = name, .value = value, .value_len = len};

	return cvtpm_store_commit(store, &change, 1);
}

struct blob {
	uint8_t bytes[4096];
	size_t len;
};

static struct blob get(struct cvtpm_store *store, const char *name)
{
	struct blob b;

	assert_int_equal(cvtpm_store_get(store, name, b.bytes, sizeof b.bytes, &b.len), 0);
	return b;
}

static int get_error(struct cvtpm_store *store, const char *name)
{
	uint8_t value[4096];
	size_t len;

	return cvtpm_store_get(store, name, value, sizeof value, &len);
}

/* A sealed store over `inner`, which outlives it: a decorator without a close. */
struct attack {
	struct cvtpm_store *inner, *store;
	struct faulty_store between;
};

static int attack_open(struct attack *a, const uint8_t *with)
{
	a->store = NULL;
	return seal(&a->store, faulty_store_init(&a->between, a->inner), with);
}

static void attack_begin(struct attack *a)
{
	a->inner = memory();
	assert_int_equal(attack_open(a, key), 0);
	assert_int_equal(put(a->store, "tpm/seeds", "the seeds of this TPM", 21), 0);
	assert_int_equal(put(a->store, "tpm/count", "1", 1), 0);
	assert_int_equal(put(a->store, "tpm/other", "the seeds of the next", 21), 0);
}

static void attack_reopen(struct attack *a)
{
	cvtpm_store_close(a->store);
	assert_int_equal(attack_open(a, key), 0);
}

static void attack_end(struct attack *a)
{
	cvtpm_store_close(a->store);
	cvtpm_store_close(a->inner);
}

static void a_wrong_key_is_refused_and_said(void **state)
{
	struct attack a;

	(void)state;
	attack_begin(&a);
	cvtpm_store_close(a.store);
	assert_int_equal(attack_open(&a, other_key), CVTPM_ERR_AUTH);
	assert_non_null(strstr(message, "key is not the one"));
	assert_int_equal(attack_open(&a, key), 0);
	attack_end(&a);
}

static int find_plaintext(void *context, const char *name, size_t len)
{
	(void)len;
	strcat(context, name);
	strcat(context, " ");
	return 0;
}

static void nothing_is_kept_in_the_clear(void **state)
{
	struct attack a;
	struct blob b;
	char names[128] = "";

	(void)state;
	attack_begin(&a);
	assert_int_equal(cvtpm_store_list(a.inner, "", find_plaintext, names), 0);
	assert_string_equal(names, "sealed/index tpm/count tpm/other tpm/seeds ");
	b = get(a.inner, "tpm/seeds");
	assert_null(memmem(b.bytes, b.len, "seeds", 5));
	b = get(a.inner, "sealed/index");
	assert_null(memmem(b.bytes, b.len, "seeds", 5));
	attack_end(&a);
}

static void any_flipped_bit_of_any_record_is_noticed(void **state)
{
	static const char *const names[] = {"tpm/seeds", "tpm/count", "sealed/index"};
	struct attack a;

	(void)state;
	attack_begin(&a);
	for (size_t n = 0; n < 3; n++) {
		struct blob b = get(a.inner, names[n]);

		for (size_t at = 0; at < b.len; at++) {
			int err;

			b.bytes[at] ^= (uint8_t)(1u << (at % 8));
			put(a.inner, names[n], b.bytes, b.len);
			cvtpm_store_close(a.store);
			err = attack_open(&a, key);
			if (n < 2) {
				assert_int_equal(err, 0);
				err = get_error(a.store, names[n]);
				assert_int_equal(get_error(a.store, "tpm/other"), 0);
			}
			/* The version's byte makes it a newer one. */
			if (n == 2 && at == 3)
				assert_int_equal(err, CVTPM_ERR_UNSUPPORTED);
			else
				assert_int_equal(err, CVTPM_ERR_AUTH);
			b.bytes[at] ^= (uint8_t)(1u << (at % 8));
			put(a.inner, names[n], b.bytes, b.len);
		}
		for (size_t len = 0; len < b.len; len++) {
			put(a.inner, names[n], b.bytes, len);
			cvtpm_store_close(a.store);
			assert_int_equal(attack_open(&a, key), CVTPM_ERR_AUTH);
		}
		put(a.inner, names[n], b.bytes, b.len);
		assert_int_equal(attack_open(&a, key), 0);
	}
	attack_end(&a);
}

static void records_that_change_places_are_noticed(void **state)
{
	struct attack a;
	struct blob seeds, other;

	(void)state;
	attack_begin(&a);
	seeds = get(a.inner, "tpm/seeds");
	other = get(a.inner, "tpm/other");
	assert_int_equal(put(a.inner, "tpm/seeds", other.bytes, other.len), 0);
	assert_int_equal(put(a.inner, "tpm/other", seeds.bytes, seeds.len), 0);
	assert_int_equal(get_error(a.store, "tpm/seeds"), CVTPM_ERR_AUTH);
	attack_reopen(&a);
	assert_int_equal(get_error(a.store, "tpm/seeds"), CVTPM_ERR_AUTH);
	assert_int_equal(get_error(a.store, "tpm/other"), CVTPM_ERR_AUTH);
	attack_end(&a);
}

static void one_record_rolled_back_is_noticed(void **state)
{
	struct attack a;
	struct blob old;

	(void)state;
	attack_begin(&a);
	old = get(a.inner, "tpm/count");
	assert_int_equal(put(a.store, "tpm/count", "2", 1), 0);
	assert_int_equal(put(a.inner, "tpm/count", old.bytes, old.len), 0);
	assert_int_equal(get_error(a.store, "tpm/count"), CVTPM_ERR_AUTH);
	attack_reopen(&a);
	assert_int_equal(get_error(a.store, "tpm/count"), CVTPM_ERR_AUTH);
	attack_end(&a);
}

static void an_index_rolled_back_is_noticed(void **state)
{
	struct attack a;
	struct blob old;

	(void)state;
	attack_begin(&a);
	old = get(a.inner, "sealed/index");
	assert_int_equal(put(a.store, "tpm/count", "2", 1), 0);
	assert_int_equal(put(a.inner, "sealed/index", old.bytes, old.len), 0);
	attack_reopen(&a);
	assert_int_equal(get_error(a.store, "tpm/count"), CVTPM_ERR_AUTH);
	assert_int_equal(get_error(a.store, "tpm/seeds"), 0);

	/* Where the newer commit has added or removed a record, already at open. */
	assert_int_equal(put(a.store, "tpm/count", "3", 1), 0);
	old = get(a.inner, "sealed/index");
	assert_int_equal(put(a.store, "tpm/new", "4", 1), 0);
	assert_int_equal(put(a.inner, "sealed/index", old.bytes, old.len), 0);
	cvtpm_store_close(a.store);
	assert_int_equal(attack_open(&a, key), CVTPM_ERR_AUTH);
	assert_non_null(strstr(message, "tpm/new"));
	cvtpm_store_close(a.inner);
}

static void a_removed_or_added_record_is_noticed(void **state)
{
	struct attack a;
	struct blob seeds;

	(void)state;
	attack_begin(&a);
	seeds = get(a.inner, "tpm/seeds");
	assert_int_equal(put(a.inner, "tpm/seeds", NULL, 0), 0);
	assert_int_equal(get_error(a.store, "tpm/seeds"), CVTPM_ERR_AUTH);
	cvtpm_store_close(a.store);
	assert_int_equal(attack_open(&a, key), CVTPM_ERR_AUTH);
	assert_int_equal(put(a.inner, "tpm/seeds", seeds.bytes, seeds.len), 0);
	assert_int_equal(put(a.inner, "tpm/copy", seeds.bytes, seeds.len), 0);
	assert_int_equal(attack_open(&a, key), CVTPM_ERR_AUTH);
	assert_non_null(strstr(message, "tpm/copy"));
	assert_int_equal(put(a.inner, "tpm/copy", NULL, 0), 0);
	assert_int_equal(attack_open(&a, key), 0);

	/* Without its index it is a store of records that are not sealed. */
	cvtpm_store_close(a.store);
	assert_int_equal(put(a.inner, "sealed/index", NULL, 0), 0);
	assert_int_equal(attack_open(&a, key), CVTPM_ERR_FORMAT);
	cvtpm_store_close(a.inner);
}

static void a_record_of_another_store_under_the_same_key_is_refused(void **state)
{
	struct attack a, b;
	struct blob theirs;

	(void)state;
	attack_begin(&a);
	attack_begin(&b); /* the same keys, lengths and generations */
	theirs = get(b.inner, "tpm/seeds");
	assert_int_equal(put(a.inner, "tpm/seeds", theirs.bytes, theirs.len), 0);
	assert_int_equal(get_error(a.store, "tpm/seeds"), CVTPM_ERR_AUTH);
	attack_end(&a);
	attack_end(&b);
}

static void a_rolled_back_store_never_uses_a_key_twice(void **state)
{
	static const char *const names[] = {"sealed/index", "tpm/count", "tpm/other", "tpm/seeds"};
	struct attack a;
	struct blob whole[4], first, second;

	(void)state;
	attack_begin(&a);
	for (int i = 0; i < 4; i++)
		whole[i] = get(a.inner, names[i]);
	assert_int_equal(put(a.store, "tpm/count", "2", 1), 0);
	first = get(a.inner, "tpm/count");

	for (int i = 0; i < 4; i++)
		assert_int_equal(put(a.inner, names[i], whole[i].bytes, whole[i].len), 0);
	attack_reopen(&a); /* the rollback of the whole is not noticed */
	assert_int_equal(put(a.store, "tpm/count", "2", 1), 0);
	second = get(a.inner, "tpm/count");
	assert_memory_equal(first.bytes, second.bytes, 16);              /* the same generation */
	assert_memory_not_equal(first.bytes + 16, second.bytes + 16, 8); /* another salt */
	attack_end(&a);
}

static void a_store_that_is_not_sealed_is_refused(void **state)
{
	struct cvtpm_store *inner = memory(), *store;

	(void)state;
	assert_int_equal(cvtpm_store_is_sealed(inner), 0);
	assert_int_equal(put(inner, "tpm/seeds", "plain", 5), 0);
	assert_int_equal(seal(&store, inner, key), CVTPM_ERR_FORMAT);
	assert_non_null(strstr(message, "not sealed"));
	cvtpm_store_close(inner);
}

static void whether_a_store_is_sealed_can_be_asked(void **state)
{
	struct attack a;

	(void)state;
	attack_begin(&a);
	assert_int_equal(cvtpm_store_is_sealed(a.inner), 1);
	assert_int_equal(cvtpm_store_is_sealed(a.store), 0);
	a.between.fail_get = 1;
	assert_int_equal(cvtpm_store_is_sealed(&a.between.store), CVTPM_ERR_IO);
	assert_int_equal(put(a.store, "sealed/index", "x", 1), CVTPM_ERR_PARAM);
	attack_end(&a);
}

static void a_failed_commit_changes_nothing(void **state)
{
	struct attack a;
	uint64_t generation;

	(void)state;
	attack_begin(&a);
	generation = a.store->generation;
	a.between.fail_commit = 1;
	assert_int_equal(put(a.store, "tpm/count", "22", 2), CVTPM_ERR_STORE);
	assert_int_equal(a.store->generation, generation);
	assert_int_equal(get(a.store, "tpm/count").len, 1);
	attack_reopen(&a);
	assert_int_equal(get(a.store, "tpm/count").len, 1);
	assert_int_equal(put(a.store, "tpm/count", "22", 2), 0);
	assert_int_equal(get(a.store, "tpm/count").len, 2);
	attack_end(&a);
}

static void without_entropy_nothing_is_sealed(void **state)
{
	struct cvtpm_store *inner = memory(), *store;

	(void)state;
	assert_int_equal(cvtpm_store_sealed_open(&store, inner, key, CVTPM_STORE_SEALED, no_entropy,
						 NULL, message),
			 CVTPM_ERR_ENTROPY);
	store = sealed(inner);
	assert_int_equal(put(store, "a", "1", 1), 0);
	cvtpm_store_close(store);

	folder = folder_make();
	cvtpm_store_close(sealed(lmdb(CVTPM_STORE_CREATE)));
	store = sealed(lmdb(0));
	assert_int_equal(put(store, "a", "1", 1), 0);
	cvtpm_store_close(store);
	assert_int_equal(cvtpm_store_sealed_open(&store, lmdb(0), key, CVTPM_STORE_SEALED_SNP,
						 no_entropy, NULL, message),
			 0);
	assert_int_equal(store->kind, CVTPM_STORE_SEALED_SNP);
	assert_int_equal(put(store, "a", "2", 1), CVTPM_ERR_ENTROPY);
	assert_memory_equal(get(store, "a").bytes, "1", 1);
	end_over_lmdb(store);
}

static void only_sealed_kinds_can_be_asked_for(void **state)
{
	struct cvtpm_store *inner = memory(), *store;

	(void)state;
	assert_int_equal(cvtpm_store_sealed_open(&store, inner, key, CVTPM_STORE_MEMORY,
						 kernel_entropy, NULL, message),
			 CVTPM_ERR_PARAM);
	assert_int_equal(cvtpm_store_sealed_open(&store, inner, key, CVTPM_STORE_PLAIN,
						 kernel_entropy, NULL, message),
			 CVTPM_ERR_PARAM);
	cvtpm_store_close(inner);
}

int main(void)
{
	struct contract contract = {.name = "sealed over lmdb",
				    .open = open_over_lmdb,
				    .reopen = reopen_over_lmdb,
				    .end = end_over_lmdb};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_key_is_refused_and_said),
		cmocka_unit_test(nothing_is_kept_in_the_clear),
		cmocka_unit_test(any_flipped_bit_of_any_record_is_noticed),
		cmocka_unit_test(records_that_change_places_are_noticed),
		cmocka_unit_test(one_record_rolled_back_is_noticed),
		cmocka_unit_test(an_index_rolled_back_is_noticed),
		cmocka_unit_test(a_removed_or_added_record_is_noticed),
		cmocka_unit_test(a_record_of_another_store_under_the_same_key_is_refused),
		cmocka_unit_test(a_rolled_back_store_never_uses_a_key_twice),
		cmocka_unit_test(a_store_that_is_not_sealed_is_refused),
		cmocka_unit_test(whether_a_store_is_sealed_can_be_asked),
		cmocka_unit_test(a_failed_commit_changes_nothing),
		cmocka_unit_test(without_entropy_nothing_is_sealed),
		cmocka_unit_test(only_sealed_kinds_can_be_asked_for),
	};

	return contract_run(&contract, tests, sizeof tests / sizeof *tests);
}
