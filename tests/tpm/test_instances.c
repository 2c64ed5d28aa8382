/*
 * How much memory a TPM takes: the engine alone, and a whole instance with its owner that
 * has been manufactured. The figures are printed.
 */
#include "../manufacture/bench.h"

#include "cvtpm/stores.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define KIB        1024
#define STORE_SIZE (512 * KIB)
#define LIMIT      (100 * KIB) /* resident, when new */
#define MAX_PAGES  1024

static uint8_t *new_pages(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(at != MAP_FAILED);
	return at;
}

/* Resident bytes from `at`, in whole pages. */
static size_t resident(uint8_t *at, size_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t before = (uintptr_t)at % page;
	const size_t pages = (before + size + page - 1) / page;
	unsigned char in_core[MAX_PAGES];
	size_t bytes = 0;

	assert_in_range(pages, 1, MAX_PAGES);
	assert_int_equal(mincore(at - before, before + size, in_core), 0);
	for (size_t i = 0; i < pages; i++)
		bytes += (in_core[i] & 1) * page;
	return bytes;
}

static int entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	return getrandom(out, len, 0) == (ssize_t)len ? 0 : CVTPM_ERR_ENTROPY;
}

static uint64_t clock_ms(void *context)
{
	(void)context;
	return 1000;
}

static void an_instance_takes_at_most_256_kib(void **state)
{
	const size_t engine = cvtpm_engine_native.size();

	(void)state;
	printf("# a TPM with its NV memory: %zu bytes; its owner: %zu more\n", engine,
	       cvtpm_instance_size(&cvtpm_engine_native) - engine);
	assert_in_range(engine, 1, 256 * KIB);
}

/* Powered on and started, with no keys and no indices. */
static void each_new_engine_has_at_most_100_kib_resident(void **state)
{
	static const uint8_t startup[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0};
	const size_t size = cvtpm_engine_native.size();

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct cvtpm_platform platform = {.entropy = entropy, .clock_ms = clock_ms};
		struct cvtpm_engine_config config = {.memory = new_pages(size)};
		uint8_t response[CVTPM_MAX_BUFFER_SIZE];
		void *store = malloc(STORE_SIZE);
		struct cvtpm_tpm *tpm;
		size_t len, bytes;
		bool is_new;

		assert_non_null(store);
		assert_ok(cvtpm_store_memory_init(&platform.store, store, STORE_SIZE));
		assert_ok(cvtpm_engine_native.create(&tpm, &platform, &config, &is_new));
		assert_true(is_new);
		assert_ok(cvtpm_engine_native.power_on(tpm));
		assert_ok(cvtpm_engine_native.execute(tpm, 0, startup, sizeof startup, response,
						      &len));
		assert_int_equal(response[9], 0);
		bytes = resident(config.memory, size);
		printf("# started, empty: %zu bytes resident\n", bytes);
		/* one page at the least: mincore tells the truth */
		assert_in_range(bytes, 4 * KIB, LIMIT);
		cvtpm_engine_native.destroy(tpm);
		munmap(config.memory, size);
		cvtpm_store_close(platform.store);
		free(store);
	}
}

/* With three EKs, their certificates, reports and the platform certificate. */
static void a_manufactured_tpm_has_at_most_100_kib_resident(void **state)
{
	const size_t whole = cvtpm_instance_size(&cvtpm_engine_native);
	const size_t engine = cvtpm_engine_native.size();
	struct bench *b = bench_new(CVTPM_STORE_MEMORY);
	uint8_t *memory = new_pages(whole);
	struct cvtpm_instance *instance;
	size_t bytes;

	(void)state;
	b->config.engine = &cvtpm_engine_native;
	b->config.eks = 0; /* the default */
	assert_ok(cvtpm_instance_open(&instance, memory, &b->platform, &b->config));
	assert_ok(cvtpm_instance_startup(instance, false));
	assert_int_equal(b->provider.reports, 6); /* two for each EK */
	bytes = resident(memory + whole - engine, engine);
	printf("# manufactured and started: %zu bytes resident, its owner: %zu\n", bytes,
	       resident(memory, whole - engine));
	assert_in_range(bytes, 4 * KIB, LIMIT);
	cvtpm_instance_close(instance);
	munmap(memory, whole);
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_instance_takes_at_most_256_kib),
		cmocka_unit_test(each_new_engine_has_at_most_100_kib_resident),
		cmocka_unit_test(a_manufactured_tpm_has_at_most_100_kib_resident),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
