/*
 * Many TPMs in one process: how much memory one takes, and that two in two threads
 * have nothing in common.
 */
#include "keys.h"

#include "cvtpm/stores.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define KIB         1024
#define STORE_SIZE  (512 * KIB)
#define MAX_PAGES   256
#define ROUNDS      20
#define PAGE_OF(at) ((at) / (size_t)sysconf(_SC_PAGESIZE))

/* ---- memory ---- */

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

/* A TPM in fresh pages of its own, started; its resident bytes. */
static size_t resident_of_new(const struct cvtpm_platform *platform)
{
	static const uint8_t startup[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0};
	const size_t size = cvtpm_engine_native.size();
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct cvtpm_engine_config config = {0};
	uint8_t response[CVTPM_MAX_BUFFER_SIZE];
	unsigned char in_core[MAX_PAGES];
	size_t len, resident = 0;
	struct cvtpm_tpm *tpm;
	bool is_new;

	config.memory =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(config.memory != MAP_FAILED);
	assert_int_equal(cvtpm_engine_native.create(&tpm, platform, &config, &is_new), 0);
	assert_true(is_new);
	assert_int_equal(cvtpm_engine_native.power_on(tpm), 0);
	assert_int_equal(
		cvtpm_engine_native.execute(tpm, 0, startup, sizeof startup, response, &len), 0);
	assert_int_equal(response[9], 0);
	assert_in_range(PAGE_OF(size + page - 1), 1, MAX_PAGES);
	assert_int_equal(mincore(config.memory, size, in_core), 0);
	for (size_t i = 0; i < PAGE_OF(size + page - 1); i++)
		resident += (in_core[i] & 1) * page;
	cvtpm_engine_native.destroy(tpm);
	munmap(config.memory, size);
	return resident;
}

static void an_instance_takes_at_most_256_kib(void **state)
{
	(void)state;
	assert_in_range(cvtpm_engine_native.size(), 1, 256 * KIB);
}

static void each_new_instance_has_at_most_100_kib_resident(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct cvtpm_platform platform = {.entropy = entropy, .clock_ms = clock_ms};
		void *memory = malloc(STORE_SIZE);

		assert_non_null(memory);
		assert_int_equal(cvtpm_store_memory_init(&platform.store, memory, STORE_SIZE), 0);
		/* one page at the least: mincore tells the truth */
		assert_in_range(resident_of_new(&platform), 4 * KIB, 100 * KIB);
		cvtpm_store_close(platform.store);
		free(memory);
	}
}

/* ---- threads ---- */

struct life {
	struct rig *r;
	uint8_t pcr; /* what this TPM alone extends with */
	TPM2B_DIGEST random[ROUNDS];
	TPML_DIGEST pcrs;
	unsigned failures; /* asserts belong to the main thread */
};

static void *live(void *argument)
{
	struct life *l = argument;
	TPMT_PUBLIC template = rig_storage_template();
	struct CreatePrimary_in primary = {.primaryHandle = TPM_RH_OWNER,
					   .inSensitive.size = 4,
					   .inPublic.publicArea = template};
	struct PCR_Extend_in extend = {.pcrHandle = 16, .digests.count = 1};
	struct PCR_Read_in read = {.pcrSelectionIn.count = 1};
	struct GetRandom_in get = {.bytesRequested = 32};
	TPMS_PCR_SELECTION *selected = &read.pcrSelectionIn.pcrSelections[0];
	struct CreatePrimary_out made;
	struct PCR_Read_out pcrs;

	extend.digests.digests[0].hashAlg = TPM_ALG_SHA256;
	memset(&extend.digests.digests[0].digest, l->pcr, 32);
	for (int i = 0; i < ROUNDS; i++) {
		struct GetRandom_out random;
		struct FlushContext_in flush;

		l->failures += RIG_RUN(l->r, CreatePrimary, &primary, &made) != 0;
		flush.flushHandle = made.handle;
		l->failures += RIG_RUN(l->r, FlushContext, &flush, NULL) != 0;
		l->failures += RIG_RUN(l->r, PCR_Extend, &extend, NULL) != 0;
		l->failures += RIG_RUN(l->r, GetRandom, &get, &random) != 0;
		l->random[i] = random.randomBytes;
	}
	selected->hash = TPM_ALG_SHA256;
	selected->pcrSelect.size = 3;
	selected->pcrSelect.bytes[2] = 1;
	l->failures += RIG_RUN(l->r, PCR_Read, &read, &pcrs) != 0;
	l->pcrs = pcrs.pcrValues;
	return NULL;
}

static void two_instances_in_two_threads_share_nothing(void **state)
{
	struct life both[2] = {{.pcr = 0x11}, {.pcr = 0x22}}, alone = {.pcr = 0x11};
	pthread_t threads[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		both[i].r = rig_new(&cvtpm_engine_native);
	alone.r = rig_new(&cvtpm_engine_native);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, live, &both[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	live(&alone);
	assert_int_equal(both[0].failures + both[1].failures + alone.failures, 0);
	assert_int_equal(both[0].pcrs.count, 1);
	assert_memory_equal(&both[0].pcrs.digests[0], &alone.pcrs.digests[0], 34);
	assert_memory_not_equal(&both[0].pcrs.digests[0], &both[1].pcrs.digests[0], 34);
	for (int i = 0; i < ROUNDS; i++)
		assert_memory_not_equal(both[0].random[i].buffer, both[1].random[i].buffer, 32);
	for (int i = 0; i < 2; i++)
		rig_free(both[i].r);
	rig_free(alone.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_instance_takes_at_most_256_kib),
		cmocka_unit_test(each_new_instance_has_at_most_100_kib_resident),
		cmocka_unit_test(two_instances_in_two_threads_share_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
