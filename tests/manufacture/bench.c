#include "bench.h"

#include "crypto/crypto.h"
#include "cvtpm/stores.h"
#include "snp/report.h"

#include <sys/random.h>

#define STORE_SIZE ((size_t)2 << 20)

/* ---- the store ---- */

static int get(struct cvtpm_store *store, const char *key, uint8_t *value, size_t capacity,
	       size_t *value_len)
{
	struct test_store *s = (struct test_store *)(void *)store;

	return cvtpm_store_get(s->inner, key, value, capacity, value_len);
}

static int commit(struct cvtpm_store *store, const struct cvtpm_change *changes, size_t count)
{
	struct test_store *s = (struct test_store *)(void *)store;
	int err;

	s->commits++;
	if (s->fail_at && s->commits >= s->fail_at)
		return CVTPM_ERR_STORE;
	err = cvtpm_store_commit(s->inner, changes, count);
	store->generation = s->inner->generation;
	return err;
}

static int list(struct cvtpm_store *store, const char *prefix,
		int (*each)(void *context, const char *key, size_t value_len), void *context)
{
	struct test_store *s = (struct test_store *)(void *)store;

	return cvtpm_store_list(s->inner, prefix, each, context);
}

static void close_store(struct cvtpm_store *store)
{
	struct test_store *s = (struct test_store *)(void *)store;

	cvtpm_store_close(s->inner);
}

static const struct cvtpm_store_ops store_ops = {get, commit, list, close_store};

static void open_store(struct test_store *s, enum cvtpm_store_kind kind)
{
	void *memory = malloc(STORE_SIZE);

	assert_non_null(memory);
	assert_ok(cvtpm_store_memory_init(&s->inner, memory, STORE_SIZE));
	s->store.ops = &store_ops;
	s->store.kind = kind;
}

static void free_store(struct test_store *s)
{
	void *memory = s->inner; /* the store lies at the start of its memory */

	cvtpm_store_close(&s->store);
	free(memory);
}

static int count_record(void *context, const char *key, size_t value_len)
{
	(void)key;
	(void)value_len;
	++*(size_t *)context;
	return 0;
}

size_t bench_records(struct test_store *s)
{
	size_t count = 0;

	assert_ok(cvtpm_store_list(s->inner, "", count_record, &count));
	return count;
}

/* ---- the provider ---- */

static int report(struct cvtpm_snp_provider *provider, const uint8_t data[SNP_REPORT_DATA_SIZE],
		  uint8_t out[SNP_REPORT_SIZE])
{
	struct test_provider *p = (struct test_provider *)(void *)provider;

	p->reports++;
	if (p->fail_at && p->reports >= p->fail_at)
		return CVTPM_ERR_PEER;
	memset(out, 0, SNP_REPORT_SIZE);
	out[0] = 3;
	memcpy(out + SNP_REPORT_REPORT_DATA, data, SNP_REPORT_DATA_SIZE);
	memset(out + SNP_REPORT_MEASUREMENT, 0x77, SNP_MEASUREMENT_SIZE);
	/* As a real one, no two are the same: the signature differs. */
	memcpy(out + SNP_REPORT_SIGNATURE, &p->reports, sizeof p->reports);
	memcpy(p->last_data, data, sizeof p->last_data);
	if (p->lies)
		out[SNP_REPORT_REPORT_DATA] ^= 1;
	return 0;
}

static const struct cvtpm_snp_provider_ops provider_ops = {.report = report};

/* ---- the platform ---- */

static int entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	return getrandom(out, len, 0) == (ssize_t)len ? 0 : CVTPM_ERR_ENTROPY;
}

static uint64_t clock_ms(void *context)
{
	return ((struct bench *)context)->time++;
}

static uint64_t time_of_day(void *context)
{
	(void)context;
	return 1790000000;
}

static void take_log(void *context, enum cvtpm_log_level level, const char *line)
{
	struct bench *b = context;
	size_t used = strlen(b->log);

	if (getenv("BENCH_LOG"))
		fprintf(stderr, "# %d %s\n", level, line);
	snprintf(b->log + used, sizeof b->log - used, "%s\n", line);
}

static int execute(void *context, const uint8_t *command, size_t command_len, uint8_t *response,
		   size_t *response_len)
{
	struct bench *b = context;

	return cvtpm_instance_execute(b->instance, 0, command, command_len, response, response_len);
}

/* The engine that the tests were told to run on. */
static const struct cvtpm_engine *engine_under_test(void)
{
	const char *name = getenv("CVTPM_TEST_ENGINE");

	return name ? cvtpm_engine_find(name) : &cvtpm_engine_libtpms;
}

struct bench *bench_new(enum cvtpm_store_kind kind)
{
	struct bench *b = calloc(1, sizeof *b);

	assert_non_null(b);
	open_store(&b->store, kind);
	open_store(&b->scratch, CVTPM_STORE_MEMORY);
	b->provider.provider =
		(struct cvtpm_snp_provider){.ops = &provider_ops, .name = "test", .lab = true};
	b->platform = (struct cvtpm_platform){.context = b,
					      .entropy = entropy,
					      .clock_ms = clock_ms,
					      .time_of_day = time_of_day,
					      .log = take_log,
					      .store = &b->store.store};
	b->config = (struct cvtpm_instance_config){.engine = engine_under_test(),
						   .provider = &b->provider.provider,
						   .eks = CVTPM_EK_P256};
	b->memory = malloc(cvtpm_instance_size(b->config.engine));
	assert_non_null(b->memory);
	tpm_client_begin(&b->client, execute, b);
	return b;
}

void bench_free(struct bench *b)
{
	bench_close(b);
	free_store(&b->store);
	free_store(&b->scratch);
	free(b->memory);
	free(b);
}

void bench_new_scratch(struct bench *b)
{
	free_store(&b->scratch);
	b->scratch = (struct test_store){0};
	open_store(&b->scratch, CVTPM_STORE_MEMORY);
}

int bench_manufacture(struct bench *b)
{
	return cvtpm_instance_manufacture(b->memory, &b->platform, &b->scratch.store, &b->config);
}

int bench_open(struct bench *b)
{
	return cvtpm_instance_open(&b->instance, b->memory, &b->platform, &b->config);
}

void bench_close(struct bench *b)
{
	cvtpm_instance_close(b->instance);
	b->instance = NULL;
}

void bench_start(struct bench *b)
{
	if (b->store.store.kind != CVTPM_STORE_MEMORY)
		assert_ok(bench_manufacture(b));
	assert_ok(bench_open(b));
	assert_ok(tpm_startup(&b->client, TPM_SU_CLEAR));
}

void bench_reboot(struct bench *b)
{
	/* What the guest knew of passwords does not outlive its boot. */
	memset(b->client.auth, 0, sizeof b->client.auth);
	assert_ok(cvtpm_instance_reset(b->instance));
	assert_ok(tpm_startup(&b->client, TPM_SU_CLEAR));
}

size_t bench_nv(struct bench *b, uint32_t index, uint8_t *data, size_t room)
{
	struct tpm_nv_public public;

	assert_ok(tpm_nv_read_public(&b->client, index, &public));
	assert_true(public.size <= room);
	assert_ok(tpm_nv_read(&b->client, TPM_RH_OWNER, index, data, public.size));
	return public.size;
}

uint32_t bench_nv_attributes(struct bench *b, uint32_t index)
{
	struct tpm_nv_public public;

	assert_ok(tpm_nv_read_public(&b->client, index, &public));
	return public.attributes;
}

bool bench_report_is_genuine(struct bench *b, const struct cvtpm_ek_template *ek)
{
	static const uint8_t zeros[SNP_REPORT_SIZE];
	uint8_t found[SNP_REPORT_SIZE], certificate[4096], digest[64];
	size_t len;

	assert_int_equal(bench_nv(b, ek->report_index, found, sizeof found), SNP_REPORT_SIZE);
	assert_int_not_equal(bench_nv_attributes(b, ek->report_index) & TPMA_NV_WRITELOCKED, 0);
	if (memcmp(found, zeros, sizeof found) == 0)
		return false;
	len = bench_nv(b, ek->certificate_index, certificate, sizeof certificate);
	assert_ok(cvtpm_hash(CVTPM_SHA512, certificate, len, digest));
	assert_memory_equal(found + SNP_REPORT_REPORT_DATA, digest, sizeof digest);
	return true;
}
