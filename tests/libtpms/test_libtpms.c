/*
 * The libtpms adapter through the engine seam, command bytes laid by hand.
 */
#include "cvtpm/engine.h"
#include "cvtpm/err.h"
#include "cvtpm/platform.h"
#include "cvtpm/stores.h"

#include "../store/faulty.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RC_INITIALIZE     0x100u
#define RC_FAILURE        0x101u
#define RC_COMMAND_SIZE   0x142u
#define RC_NV_UNAVAILABLE 0x923u
#define RC_RETRY          0x922u
#define RC_CANCELED       0x909u
#define RC_AUTH_FAIL      0x98Eu /* TPM_RC_AUTH_FAIL + TPM_RC_S + TPM_RC_1 */
#define INDEX             0x01800001u

static const struct cvtpm_engine *const engine = &cvtpm_engine_libtpms;

struct bench {
	struct cvtpm_store *store;
	struct cvtpm_platform platform;
	struct cvtpm_tpm *tpm;
	bool is_new;
	char log[256];
	uint8_t response[CVTPM_MAX_BUFFER_SIZE];
	size_t response_len;
};

static int kernel_entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	return getrandom(out, len, 0) == (ssize_t)len ? 0 : CVTPM_ERR_ENTROPY;
}

static uint64_t no_clock(void *context)
{
	(void)context;
	return 0;
}

static void keep_log(void *context, enum cvtpm_log_level level, const char *line)
{
	(void)level;
	snprintf(((struct bench *)context)->log, 256, "%s", line);
}

/* The instance of the running test, so that a test that fails does not keep the
 * one place from those after it. */
static struct cvtpm_tpm *left_over;

static int destroy_left_over(void **state)
{
	(void)state;
	engine->destroy(left_over);
	left_over = NULL;
	return 0;
}

static void destroy(struct cvtpm_tpm *tpm)
{
	engine->destroy(tpm);
	left_over = NULL;
}

static int bench_create(struct bench *b)
{
	int err;

	b->platform = (struct cvtpm_platform){.context = b,
					      .entropy = kernel_entropy,
					      .clock_ms = no_clock,
					      .log = keep_log,
					      .store = b->store};
	b->tpm = NULL;
	err = engine->create(&b->tpm, &b->platform, NULL, &b->is_new);
	left_over = b->tpm;
	return err;
}

static void bench_begin(struct bench *b)
{
	char message[CVTPM_STORE_MESSAGE_SIZE];

	memset(b, 0, sizeof *b);
	assert_int_equal(cvtpm_store_memory_open(&b->store, 0, message), 0);
	assert_int_equal(bench_create(b), 0);
	assert_true(b->is_new);
	assert_int_equal(engine->power_on(b->tpm), 0);
}

static void bench_end(struct bench *b)
{
	destroy(b->tpm);
	cvtpm_store_close(b->store);
}

/* ---- commands ---- */

struct command {
	uint8_t bytes[1024];
	size_t len;
};

static void add(struct command *c, uint64_t number, unsigned size)
{
	while (size--)
		c->bytes[c->len++] = (uint8_t)(number >> (8 * size));
}

static void add_bytes(struct command *c, const char *bytes)
{
	add(c, strlen(bytes), 2);
	memcpy(c->bytes + c->len, bytes, strlen(bytes));
	c->len += strlen(bytes);
}

static struct command command(unsigned tag, uint32_t code)
{
	struct command c = {.len = 0};

	add(&c, tag, 2);
	add(&c, 0, 4);
	add(&c, code, 4);
	return c;
}

/* A password session. */
static void add_password(struct command *c, const char *password)
{
	add(c, 9 + strlen(password), 4);
	add(c, 0x40000009, 4);
	add(c, 0, 2);
	add(c, 0, 1);
	add_bytes(c, password);
}

static uint32_t rc_of(const struct bench *b)
{
	const uint8_t *r = b->response;

	assert_true(b->response_len >= 10);
	assert_int_equal((uint32_t)r[2] << 24 | (uint32_t)r[3] << 16 | (uint32_t)r[4] << 8 | r[5],
			 b->response_len);
	return (uint32_t)r[6] << 24 | (uint32_t)r[7] << 16 | (uint32_t)r[8] << 8 | r[9];
}

/* As drivers do, asks again while the TPM says TPM_RC_RETRY: it has first to note
 * in NV that a protected entity was used. */
static uint32_t run(struct bench *b, struct command c)
{
	uint8_t size[4] = {0, 0, (uint8_t)(c.len >> 8), (uint8_t)c.len};

	memcpy(c.bytes + 2, size, 4);
	for (int attempt = 0;; attempt++) {
		assert_int_equal(
			engine->execute(b->tpm, 0, c.bytes, c.len, b->response, &b->response_len),
			0);
		if (rc_of(b) != RC_RETRY || attempt == 3)
			return rc_of(b);
	}
}

static uint32_t startup_of(struct bench *b, unsigned type)
{
	struct command c = command(0x8001, 0x144);

	add(&c, type, 2);
	return run(b, c);
}

static uint32_t startup(struct bench *b)
{
	return startup_of(b, 0);
}

static uint32_t shutdown_of(struct bench *b, unsigned type)
{
	struct command c = command(0x8001, 0x145);

	add(&c, type, 2);
	return run(b, c);
}

static uint32_t get_random(struct bench *b, uint8_t out[16])
{
	struct command c = command(0x8001, 0x17B);
	uint32_t rc;

	add(&c, 16, 2);
	rc = run(b, c);
	if (rc == 0)
		memcpy(out, b->response + 12, 16);
	return rc;
}

static uint32_t nv_define(struct bench *b, const char *password)
{
	struct command c = command(0x8002, 0x12A);

	add(&c, 0x40000001, 4);
	add_password(&c, "");
	add_bytes(&c, password);
	add(&c, 14, 2);
	add(&c, INDEX, 4);
	add(&c, 0x000B, 2);
	add(&c, 0x00040004, 4); /* AUTHREAD, AUTHWRITE; failures count (no NO_DA) */
	add(&c, 0, 2);
	add(&c, 8, 2);
	return run(b, c);
}

static uint32_t nv_write(struct bench *b, const char *password, const char *data)
{
	struct command c = command(0x8002, 0x137);

	add(&c, INDEX, 4);
	add(&c, INDEX, 4);
	add_password(&c, password);
	add_bytes(&c, data);
	add(&c, 0, 2);
	return run(b, c);
}

static uint32_t nv_read(struct bench *b, const char *password, char out[9])
{
	struct command c = command(0x8002, 0x14E);
	uint32_t rc;

	add(&c, INDEX, 4);
	add(&c, INDEX, 4);
	add_password(&c, password);
	add(&c, 8, 2);
	add(&c, 0, 2);
	rc = run(b, c);
	out[0] = '\0';
	if (rc == 0) {
		memcpy(out, b->response + 16, 8);
		out[8] = '\0';
	}
	return rc;
}

static void pcr_extend(struct bench *b, uint32_t pcr)
{
	struct command c = command(0x8002, 0x182);

	add(&c, pcr, 4);
	add_password(&c, "");
	add(&c, 1, 4);
	add(&c, 0x000B, 2);
	for (int i = 0; i < 32; i++)
		add(&c, 0x5A, 1);
	assert_int_equal(run(b, c), 0);
}

static void pcr_read(struct bench *b, uint32_t pcr, uint8_t digest[32])
{
	struct command c = command(0x8001, 0x17E);

	add(&c, 1, 4);
	add(&c, 0x000B, 2);
	add(&c, 3, 1);
	for (uint32_t i = 0; i < 3; i++)
		add(&c, pcr / 8 == i ? 1u << (pcr % 8) : 0, 1);
	assert_int_equal(run(b, c), 0);
	assert_int_equal(b->response_len, 10 + 4 + 10 + 4 + 2 + 32);
	memcpy(digest, b->response + b->response_len - 32, 32);
}

static uint32_t property(struct bench *b, uint32_t tag)
{
	struct command c = command(0x8001, 0x17A);
	const uint8_t *r = b->response;

	add(&c, 6, 4);
	add(&c, tag, 4);
	add(&c, 1, 4);
	assert_int_equal(run(b, c), 0);
	assert_int_equal(b->response_len, 10 + 1 + 4 + 4 + 8);
	assert_memory_equal(r + 19, ((uint8_t[]){0, 0, (uint8_t)(tag >> 8), (uint8_t)tag}), 4);
	return (uint32_t)r[23] << 24 | (uint32_t)r[24] << 16 | (uint32_t)r[25] << 8 | r[26];
}

#define PT_LOCKOUT_COUNTER   0x20Eu
#define PT_MAX_COMMAND_SIZE  0x11Eu
#define PT_MAX_RESPONSE_SIZE 0x11Fu

/* ---- claims ---- */

static void a_new_tpm_waits_for_startup(void **state)
{
	struct bench b;
	uint8_t random[16];

	(void)state;
	bench_begin(&b);
	assert_int_equal(get_random(&b, random), RC_INITIALIZE);
	assert_int_equal(startup(&b), 0);
	assert_int_equal(get_random(&b, random), 0);
	assert_int_equal(property(&b, PT_MAX_COMMAND_SIZE), CVTPM_CRB_BUFFER_SIZE);
	assert_int_equal(property(&b, PT_MAX_RESPONSE_SIZE), CVTPM_CRB_BUFFER_SIZE);
	bench_end(&b);
}

static void a_power_cycle_keeps_nv_and_loses_pcrs(void **state)
{
	uint8_t digest[32], fresh[32];
	struct bench b;
	char text[9];

	(void)state;
	bench_begin(&b);
	assert_int_equal(startup(&b), 0);
	pcr_read(&b, 0, fresh);
	pcr_extend(&b, 0);
	pcr_read(&b, 0, digest);
	assert_memory_not_equal(digest, fresh, 32);
	assert_int_equal(nv_define(&b, "pw"), 0);
	assert_int_equal(nv_write(&b, "pw", "8 bytes."), 0);

	assert_int_equal(engine->power_on(b.tpm), 0);
	assert_int_equal(nv_read(&b, "pw", text), RC_INITIALIZE);
	assert_int_equal(startup(&b), 0);
	assert_int_equal(nv_read(&b, "pw", text), 0);
	assert_string_equal(text, "8 bytes.");
	pcr_read(&b, 0, digest);
	assert_memory_equal(digest, fresh, 32);
	bench_end(&b);
}

static void a_second_startup_resets_nothing(void **state)
{
	uint8_t before[32], after[32];
	struct bench b;

	(void)state;
	bench_begin(&b);
	assert_int_equal(startup(&b), 0);
	pcr_extend(&b, 4);
	pcr_read(&b, 4, before);
	assert_int_equal(startup_of(&b, 0), RC_INITIALIZE);
	assert_int_equal(startup_of(&b, 1), RC_INITIALIZE);
	assert_int_equal(shutdown_of(&b, 0), 0);
	assert_int_equal(startup_of(&b, 0), RC_INITIALIZE);
	pcr_read(&b, 4, after);
	assert_memory_equal(before, after, 32);
	bench_end(&b);
}

static void what_is_saved_at_shutdown_state_is_resumed(void **state)
{
	uint8_t before[32], after[32];
	struct bench b;

	(void)state;
	bench_begin(&b);
	assert_int_equal(startup(&b), 0);
	pcr_extend(&b, 4);
	pcr_read(&b, 4, before);
	assert_int_equal(shutdown_of(&b, 1), 0);
	assert_int_equal(engine->power_on(b.tpm), 0);
	assert_int_equal(startup_of(&b, 1), 0);
	pcr_read(&b, 4, after);
	assert_memory_equal(before, after, 32);
	bench_end(&b);
}

static void a_powered_off_tpm_answers_nothing(void **state)
{
	struct command c = command(0x8001, 0x17B);
	struct bench b;

	(void)state;
	bench_begin(&b);
	engine->power_off(b.tpm);
	engine->power_off(b.tpm);
	assert_int_equal(engine->execute(b.tpm, 0, c.bytes, c.len, b.response, &b.response_len),
			 CVTPM_ERR_STATE);
	assert_int_equal(engine->hash_start(b.tpm), CVTPM_ERR_STATE);
	assert_int_equal(engine->power_on(b.tpm), 0);
	assert_int_equal(startup(&b), 0);
	bench_end(&b);
}

static void a_second_instance_is_refused_until_the_first_is_gone(void **state)
{
	struct cvtpm_tpm *second = NULL;
	struct bench b;
	bool is_new;

	(void)state;
	bench_begin(&b);
	assert_int_equal(engine->create(&second, &b.platform, NULL, &is_new), CVTPM_ERR_BUSY);
	assert_null(second);
	assert_int_equal(startup(&b), 0);
	destroy(b.tpm);

	assert_int_equal(bench_create(&b), 0);
	assert_false(b.is_new);
	assert_int_equal(engine->power_on(b.tpm), 0);
	assert_int_equal(startup(&b), 0);
	bench_end(&b);
}

static void a_failed_create_does_not_keep_the_place(void **state)
{
	struct faulty_store faulty;
	struct cvtpm_store *inner;
	struct bench b = {0};
	char message[CVTPM_STORE_MESSAGE_SIZE];

	(void)state;
	assert_int_equal(cvtpm_store_memory_open(&inner, 0, message), 0);
	b.store = faulty_store_init(&faulty, inner);
	faulty.fail_commit = 1;
	assert_int_equal(bench_create(&b), CVTPM_ERR_STORE);
	for (unsigned get = 1; get <= 2; get++) {
		faulty.fail_get = get;
		assert_int_equal(bench_create(&b), CVTPM_ERR_IO);
	}
	assert_int_equal(bench_create(&b), 0);
	assert_true(b.is_new);
	destroy(b.tpm);
	cvtpm_store_close(inner);
}

/* ---- malformed commands ---- */

static void commands_of_any_length_get_a_whole_answer(void **state)
{
	static uint8_t bytes[CVTPM_MAX_BUFFER_SIZE + 1] = {0x80, 0x01, 0, 0, 0, 10, 0, 0, 1, 0x7B};
	struct bench b;

	(void)state;
	bench_begin(&b);
	assert_int_equal(startup(&b), 0);
	for (size_t len = 0; len < 10; len++) {
		uint8_t *exact = malloc(len ? len : 1); /* so that ASan sees a read beyond */

		memcpy(exact, bytes, len);
		assert_int_equal(engine->execute(b.tpm, 0, exact, len, b.response, &b.response_len),
				 0);
		assert_int_equal(rc_of(&b), RC_COMMAND_SIZE);
		free(exact);
	}
	for (size_t len = CVTPM_CRB_BUFFER_SIZE - 1; len <= sizeof bytes; len++) {
		bytes[4] = (uint8_t)(len >> 8);
		bytes[5] = (uint8_t)len;
		assert_int_equal(engine->execute(b.tpm, 0, bytes, len, b.response, &b.response_len),
				 0);
		assert_int_not_equal(rc_of(&b), 0);
		if (len > CVTPM_CRB_BUFFER_SIZE)
			assert_int_equal(rc_of(&b), RC_COMMAND_SIZE);
	}
	bench_end(&b);
}

static void a_size_field_that_lies_is_refused(void **state)
{
	struct command c = command(0x8001, 0x17B);
	struct bench b;

	(void)state;
	add(&c, 16, 2);
	bench_begin(&b);
	assert_int_equal(startup(&b), 0);
	for (unsigned size = 0; size < 300; size++) {
		c.bytes[4] = (uint8_t)(size >> 8);
		c.bytes[5] = (uint8_t)size;
		assert_int_equal(
			engine->execute(b.tpm, 0, c.bytes, c.len, b.response, &b.response_len), 0);
		assert_int_equal(rc_of(&b), size == c.len ? 0 : RC_COMMAND_SIZE);
	}
	memset(c.bytes + 2, 0xFF, 4);
	assert_int_equal(engine->execute(b.tpm, 0, c.bytes, c.len, b.response, &b.response_len), 0);
	assert_int_equal(rc_of(&b), RC_COMMAND_SIZE);
	bench_end(&b);
}

static void random_bytes_get_a_whole_answer(void **state)
{
	struct bench b;

	(void)state;
	srand(1);
	bench_begin(&b);
	assert_int_equal(startup(&b), 0);
	for (int i = 0; i < 3000; i++) {
		struct command c =
			command(rand() & 1 ? 0x8001 : 0x8002, 0x11F + (uint32_t)rand() % 0x80);
		int extra = rand() % 60;

		if ((c.bytes[8] == 1 && c.bytes[9] == 0x43) || c.bytes[9] == 0x26)
			continue; /* self-test and Clear take their time */
		while (extra--)
			add(&c, (uint64_t)(rand() & rand()), 1);
		run(&b, c);
	}
	bench_end(&b);
}

/* ---- the store ---- */

static void after_a_failed_commit_only_the_platform_revives_the_tpm(void **state)
{
	struct faulty_store faulty;
	struct cvtpm_store *inner;
	struct bench b;
	uint8_t random[16], digest[32], fresh[32];
	char text[9];
	FILE *said;
	uint32_t rc;
	int stderr_fd;

	(void)state;
	bench_begin(&b);
	inner = b.store;
	destroy(b.tpm);
	b.store = faulty_store_init(&faulty, inner);
	assert_int_equal(bench_create(&b), 0);
	assert_int_equal(engine->power_on(b.tpm), 0);
	assert_int_equal(startup(&b), 0);
	assert_int_equal(nv_define(&b, "pw"), 0);
	assert_int_equal(nv_write(&b, "pw", "before.."), 0);
	pcr_read(&b, 0, fresh);
	pcr_extend(&b, 0);

	/* libtpms would like to print the command, with its password, to stderr. */
	said = tmpfile();
	assert_non_null(said);
	stderr_fd = dup(STDERR_FILENO);
	dup2(fileno(said), STDERR_FILENO);
	faulty.fail_commit = 1;
	rc = nv_write(&b, "pw", "after...");
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	assert_int_equal(rc, RC_NV_UNAVAILABLE);
	assert_int_equal(lseek(fileno(said), 0, SEEK_END), 0);
	fclose(said);
	assert_non_null(strstr(b.log, "failure mode"));

	/* No fresh PCRs for a guest that filled the disk. */
	assert_int_equal(get_random(&b, random), RC_FAILURE);
	assert_int_equal(startup(&b), RC_FAILURE);
	assert_int_equal(nv_read(&b, "pw", text), RC_FAILURE);
	assert_int_equal(engine->load_state(b.tpm, CVTPM_BLOB_VOLATILE, NULL, 0), CVTPM_ERR_STATE);

	assert_int_equal(engine->power_on(b.tpm), 0);
	assert_int_equal(startup(&b), 0);
	assert_int_equal(nv_read(&b, "pw", text), 0);
	assert_string_equal(text, "before..");
	pcr_read(&b, 0, digest);
	assert_memory_equal(digest, fresh, 32); /* now it is a reset, from the platform */
	destroy(b.tpm);
	cvtpm_store_close(inner);
}

static void a_store_that_cannot_be_read_fails_power_on(void **state)
{
	struct faulty_store faulty;
	struct cvtpm_store *inner;
	struct bench b;

	(void)state;
	bench_begin(&b);
	inner = b.store;
	destroy(b.tpm);
	b.store = faulty_store_init(&faulty, inner);
	assert_int_equal(bench_create(&b), 0);
	for (unsigned get = 1; get <= 3; get++) {
		faulty.fail_get = get;
		assert_int_equal(engine->power_on(b.tpm), CVTPM_ERR_IO);
	}
	faulty.fail_get = 0;
	assert_int_equal(engine->power_on(b.tpm), 0);
	destroy(b.tpm);
	cvtpm_store_close(inner);
}

static void seeds_that_vanished_are_not_made_anew(void **state)
{
	struct cvtpm_change change = {.key = "libtpms/permall"};
	struct bench b;

	(void)state;
	bench_begin(&b);
	assert_int_equal(cvtpm_store_commit(b.store, &change, 1), 0);
	assert_int_equal(engine->power_on(b.tpm), CVTPM_ERR_FORMAT);
	bench_end(&b);
}

static void reading_commands_do_not_write(void **state)
{
	struct faulty_store faulty;
	struct cvtpm_store *inner;
	struct bench b;
	uint8_t bytes[32];
	char text[9];
	unsigned before;

	(void)state;
	bench_begin(&b);
	inner = b.store;
	destroy(b.tpm);
	b.store = faulty_store_init(&faulty, inner);
	assert_int_equal(bench_create(&b), 0);
	assert_int_equal(faulty.commits, 0);
	assert_int_equal(engine->power_on(b.tpm), 0);
	assert_int_equal(faulty.commits, 0);
	assert_int_equal(startup(&b), 0);
	assert_int_equal(nv_define(&b, "pw"), 0);
	assert_int_equal(nv_write(&b, "pw", "8 bytes."), 0);
	before = faulty.commits;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(get_random(&b, bytes), 0);
		assert_int_equal(nv_read(&b, "pw", text), 0);
		pcr_extend(&b, 5);
		pcr_read(&b, 5, bytes);
		property(&b, PT_LOCKOUT_COUNTER);
	}
	assert_int_equal(faulty.commits, before);
	destroy(b.tpm);
	assert_int_equal(faulty.commits, before);
	cvtpm_store_close(inner);
}

/* The child guesses and says so through the pipe after each answer; it is killed
 * while it waits. What it was told must be on the medium. */
static void guess_until_killed(const char *dir, int told)
{
	char message[CVTPM_STORE_MESSAGE_SIZE], text[9];
	struct bench b = {0};

	if (cvtpm_store_lmdb_open(&b.store, dir, 0, message) != 0 || bench_create(&b) != 0 ||
	    engine->power_on(b.tpm) != 0)
		_exit(1);
	startup(&b);
	for (int i = 0; i < 3; i++)
		if (nv_read(&b, "wrong", text) != RC_AUTH_FAIL || write(told, "x", 1) != 1)
			_exit(1);
	pause();
	_exit(1);
}

static void wrong_passwords_survive_sigkill(void **state)
{
	char dir[] = "/tmp/cvtpm-libtpms-XXXXXX", path[64], message[CVTPM_STORE_MESSAGE_SIZE], c;
	struct bench b = {0};
	int pipe_fds[2], status;
	pid_t child;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(cvtpm_store_lmdb_open(&b.store, dir, CVTPM_STORE_CREATE, message), 0);
	assert_int_equal(bench_create(&b), 0);
	assert_int_equal(engine->power_on(b.tpm), 0);
	assert_int_equal(startup(&b), 0);
	assert_int_equal(nv_define(&b, "pw"), 0);
	assert_int_equal(nv_write(&b, "pw", "8 bytes."), 0);
	assert_int_equal(property(&b, PT_LOCKOUT_COUNTER), 0);
	assert_int_equal(shutdown_of(&b, 0), 0);
	bench_end(&b);

	assert_int_equal(pipe(pipe_fds), 0);
	child = fork();
	if (child == 0)
		guess_until_killed(dir, pipe_fds[1]);
	close(pipe_fds[1]);
	for (int i = 0; i < 3; i++)
		assert_int_equal(read(pipe_fds[0], &c, 1), 1);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	close(pipe_fds[0]);

	memset(&b, 0, sizeof b);
	assert_int_equal(cvtpm_store_lmdb_open(&b.store, dir, 0, message), 0);
	assert_int_equal(bench_create(&b), 0);
	assert_false(b.is_new);
	assert_int_equal(engine->power_on(b.tpm), 0);
	assert_int_equal(startup(&b), 0);
	/* One more may be counted for the unorderly stop. */
	assert_in_range(property(&b, PT_LOCKOUT_COUNTER), 3, 4);
	bench_end(&b);
	snprintf(path, sizeof path, "%s/data.mdb", dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/lock", dir);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

/* ---- damaged state ---- */

static void put_record(struct cvtpm_store *store, const char *key, const uint8_t *value, size_t len)
{
	struct cvtpm_change change = {.key = key, .value = value, .value_len = len};

	assert_int_equal(cvtpm_store_commit(store, &change, 1), 0);
}

static void damaged_permanent_state_is_refused(void **state)
{
	static uint8_t good[1 << 20], bad[1 << 20];
	size_t len;
	struct bench b;

	(void)state;
	bench_begin(&b);
	destroy(b.tpm);
	b.tpm = NULL;
	assert_int_equal(cvtpm_store_get(b.store, "libtpms/permall", good, sizeof good, &len), 0);

	/* By libtpms alone: there is no digest, as in a state of before there were any. */
	put_record(b.store, "libtpms/permall.sha256", NULL, 0);
	for (size_t cut = 0; cut < len; cut += cut < 64 ? 1 : len / 40) {
		put_record(b.store, "libtpms/permall", good, cut);
		assert_int_equal(bench_create(&b), CVTPM_ERR_FORMAT);
		assert_null(b.tpm);
	}
	srand(2);
	for (size_t i = 0; i < sizeof bad; i++)
		bad[i] = (uint8_t)rand();
	put_record(b.store, "libtpms/permall", bad, len);
	assert_int_equal(bench_create(&b), CVTPM_ERR_FORMAT);
	put_record(b.store, "libtpms/permall", bad, sizeof bad);
	assert_int_equal(bench_create(&b), CVTPM_ERR_FORMAT);
	assert_non_null(strstr(b.log, "libtpms/permall"));

	put_record(b.store, "libtpms/permall", good, len);
	assert_int_equal(bench_create(&b), 0);
	assert_false(b.is_new);
	bench_end(&b);
}

/* Damage is found before libtpms reads it, which does not survive all of it. */
static void flipped_state_is_refused(void **state)
{
	static uint8_t good[1 << 20];
	size_t len;
	struct bench b;

	(void)state;
	bench_begin(&b);
	destroy(b.tpm);
	assert_int_equal(cvtpm_store_get(b.store, "libtpms/permall", good, sizeof good, &len), 0);
	srand(3);
	for (int i = 0; i < 60; i++) {
		size_t at = (size_t)rand() % len;

		good[at] ^= 0x80;
		put_record(b.store, "libtpms/permall", good, len);
		assert_int_equal(bench_create(&b), CVTPM_ERR_FORMAT);
		assert_non_null(strstr(b.log, "libtpms/permall"));
		assert_null(b.tpm);
		good[at] ^= 0x80;
	}
	put_record(b.store, "libtpms/permall", good, len);
	put_record(b.store, "libtpms/permall.sha256", good, 33);
	assert_int_equal(bench_create(&b), CVTPM_ERR_FORMAT);
	put_record(b.store, "libtpms/permall.sha256", good, 32);
	assert_int_equal(bench_create(&b), CVTPM_ERR_FORMAT);
	cvtpm_store_close(b.store);
}

static void a_sealed_store_is_not_taken_for_an_empty_one(void **state)
{
	struct bench b = {0};
	char message[CVTPM_STORE_MESSAGE_SIZE];

	(void)state;
	assert_int_equal(cvtpm_store_memory_open(&b.store, 0, message), 0);
	put_record(b.store, "sealed/index", (const uint8_t *)"cvi1", 4);
	assert_int_equal(bench_create(&b), CVTPM_ERR_FORMAT);
	assert_non_null(strstr(b.log, "key"));
	cvtpm_store_close(b.store);
}

/* ---- blobs ---- */

static uint8_t *save(struct bench *b, enum cvtpm_blob kind, size_t *len)
{
	uint8_t *blob;

	*len = 0;
	assert_int_equal(engine->save_state(b->tpm, kind, NULL, len), 0);
	assert_true(*len > 0);
	blob = malloc(*len);
	*len -= 1;
	assert_int_equal(engine->save_state(b->tpm, kind, blob, len), CVTPM_ERR_SIZE);
	assert_int_equal(engine->save_state(b->tpm, kind, blob, len), 0);
	return blob;
}

static void state_blobs_carry_a_running_tpm(void **state)
{
	uint8_t *permanent, *running, pcr_before[32], pcr_after[32], random[2][16];
	size_t permanent_len, running_len;
	struct bench b, other;
	char text[9];

	(void)state;
	bench_begin(&b);
	assert_int_equal(startup(&b), 0);
	assert_int_equal(nv_define(&b, "pw"), 0);
	assert_int_equal(nv_write(&b, "pw", "8 bytes."), 0);
	pcr_extend(&b, 7);
	pcr_read(&b, 7, pcr_before);
	permanent = save(&b, CVTPM_BLOB_PERMANENT, &permanent_len);
	running = save(&b, CVTPM_BLOB_VOLATILE, &running_len);
	assert_int_equal(engine->load_state(b.tpm, CVTPM_BLOB_PERMANENT, permanent, permanent_len),
			 CVTPM_ERR_STATE);
	bench_end(&b);

	bench_begin(&other);
	engine->power_off(other.tpm);
	for (int i = 0; i < 2; i++) { /* the same snapshot twice */
		assert_int_equal(engine->load_state(other.tpm, CVTPM_BLOB_PERMANENT, permanent,
						    permanent_len),
				 0);
		assert_int_equal(
			engine->load_state(other.tpm, CVTPM_BLOB_VOLATILE, running, running_len),
			0);
		assert_int_equal(engine->power_on(other.tpm), 0);
		assert_int_equal(get_random(&other, random[i]), 0);
		pcr_read(&other, 7, pcr_after);
		assert_memory_equal(pcr_before, pcr_after, 32);
		assert_int_equal(nv_read(&other, "pw", text), 0);
		assert_string_equal(text, "8 bytes.");
		engine->power_off(other.tpm);
	}
	assert_memory_not_equal(random[0], random[1], 16);

	/* It ran on once; a reset is a reset again. */
	assert_int_equal(engine->power_on(other.tpm), 0);
	assert_int_equal(nv_read(&other, "pw", text), RC_INITIALIZE);
	bench_end(&other);
	free(permanent);
	free(running);
}

/* Neither what survives a crash, nor a snapshot from before TPM2_Startup, gives
 * the same random bytes twice. */
static void the_same_state_twice_gives_other_random_bytes(void **state)
{
	uint8_t *permanent, *running, random[4][16];
	size_t permanent_len, running_len;
	struct bench b;

	(void)state;
	bench_begin(&b);
	permanent = save(&b, CVTPM_BLOB_PERMANENT, &permanent_len);
	running = save(&b, CVTPM_BLOB_VOLATILE, &running_len);
	for (int i = 0; i < 4; i++) {
		engine->power_off(b.tpm);
		assert_int_equal(
			engine->load_state(b.tpm, CVTPM_BLOB_PERMANENT, permanent, permanent_len),
			0);
		assert_int_equal(engine->load_state(b.tpm, CVTPM_BLOB_VOLATILE, running,
						    i < 2 ? 0 : running_len),
				 0);
		assert_int_equal(engine->power_on(b.tpm), 0);
		assert_int_equal(startup(&b), 0);
		assert_int_equal(get_random(&b, random[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(random[i], random[j], 16);
	bench_end(&b);
	free(permanent);
	free(running);
}

static void damaged_blobs_are_refused_and_change_nothing(void **state)
{
	uint8_t *permanent, *running;
	size_t permanent_len, running_len;
	struct bench b;
	char text[9];

	(void)state;
	bench_begin(&b);
	assert_int_equal(startup(&b), 0);
	assert_int_equal(nv_define(&b, "pw"), 0);
	assert_int_equal(nv_write(&b, "pw", "8 bytes."), 0);
	permanent = save(&b, CVTPM_BLOB_PERMANENT, &permanent_len);
	running = save(&b, CVTPM_BLOB_VOLATILE, &running_len);
	engine->power_off(b.tpm);

	assert_int_equal(
		engine->load_state(b.tpm, CVTPM_BLOB_PERMANENT, permanent, permanent_len / 2),
		CVTPM_ERR_FORMAT);
	assert_int_equal(engine->load_state(b.tpm, CVTPM_BLOB_VOLATILE, running, running_len / 2),
			 CVTPM_ERR_FORMAT);
	assert_int_equal(engine->load_state(b.tpm, CVTPM_BLOB_VOLATILE, permanent, 100),
			 CVTPM_ERR_FORMAT);
	assert_int_equal(engine->load_state(b.tpm, CVTPM_BLOB_PERMANENT, NULL, 0), CVTPM_ERR_STATE);
	permanent[4] ^= 1;
	assert_int_equal(engine->load_state(b.tpm, CVTPM_BLOB_PERMANENT, permanent, permanent_len),
			 CVTPM_ERR_FORMAT);

	assert_int_equal(engine->power_on(b.tpm), 0);
	assert_int_equal(startup(&b), 0);
	assert_int_equal(nv_read(&b, "pw", text), 0);
	bench_end(&b);
	free(permanent);
	free(running);
}

static void there_is_no_saved_blob(void **state)
{
	struct bench b;
	size_t len = 0;

	(void)state;
	bench_begin(&b);
	assert_int_equal(startup(&b), 0);
	assert_int_equal(engine->save_state(b.tpm, CVTPM_BLOB_SAVED, NULL, &len),
			 CVTPM_ERR_NOT_FOUND);
	engine->power_off(b.tpm);
	assert_int_equal(engine->save_state(b.tpm, CVTPM_BLOB_VOLATILE, NULL, &len),
			 CVTPM_ERR_NOT_FOUND);
	bench_end(&b);
}

/* ---- locality, hash interface, cancel ---- */

static void hash_end_sets_established_and_only_localities_3_and_4_reset_it(void **state)
{
	uint8_t before[32], after[32];
	struct bench b;

	(void)state;
	bench_begin(&b);
	assert_int_equal(startup(&b), 0);
	assert_false(engine->established(b.tpm));
	pcr_read(&b, 17, before);
	assert_int_equal(engine->hash_start(b.tpm), 0);
	assert_int_equal(engine->hash_data(b.tpm, (const uint8_t *)"code", 4), 0);
	assert_int_equal(engine->hash_end(b.tpm), 0);
	assert_true(engine->established(b.tpm));
	pcr_read(&b, 17, after);
	assert_memory_not_equal(before, after, 32);
	for (uint8_t locality = 0; locality < 3; locality++)
		assert_int_equal(engine->reset_established(b.tpm, locality), CVTPM_ERR_POLICY);
	assert_true(engine->established(b.tpm));
	assert_int_equal(engine->reset_established(b.tpm, 3), 0);
	assert_false(engine->established(b.tpm));
	bench_end(&b);
}

static void a_command_runs_at_the_locality_of_its_transport(void **state)
{
	struct command c = command(0x8002, 0x13D); /* PCR_Reset of PCR 20: locality 2, 4 */
	struct bench b;

	(void)state;
	bench_begin(&b);
	assert_int_equal(startup(&b), 0);
	add(&c, 20, 4);
	add_password(&c, "");
	c.bytes[5] = (uint8_t)c.len;
	assert_int_equal(engine->execute(b.tpm, 0, c.bytes, c.len, b.response, &b.response_len), 0);
	assert_int_equal(rc_of(&b), 0x907); /* TPM_RC_LOCALITY */
	assert_int_equal(engine->execute(b.tpm, 2, c.bytes, c.len, b.response, &b.response_len), 0);
	assert_int_equal(rc_of(&b), 0);
	bench_end(&b);
}

struct canceller {
	struct cvtpm_tpm *tpm;
	atomic_bool stop;
};

static void *cancel_until_stopped(void *context)
{
	struct canceller *canceller = context;

	while (!atomic_load(&canceller->stop)) {
		engine->cancel(canceller->tpm);
		usleep(1000);
	}
	return NULL;
}

static uint32_t create_rsa_key(struct bench *b)
{
	struct command c = command(0x8002, 0x131); /* CreatePrimary, RSA 3072 */

	add(&c, 0x40000007, 4);
	add_password(&c, "");
	add(&c, 4, 2);
	add(&c, 0, 4);
	add(&c, 26, 2);
	add(&c, 0x0001, 2);
	add(&c, 0x000B, 2);
	add(&c, 0x00030472, 4);
	add(&c, 0, 2);
	add(&c, 0x0006, 2);
	add(&c, 128, 2);
	add(&c, 0x0043, 2);
	add(&c, 0x0010, 2);
	add(&c, 3072, 2);
	add(&c, 0, 4);
	add(&c, 0, 2);
	add(&c, 0, 2);
	add(&c, 0, 4);
	return run(b, c);
}

static void key_generation_can_be_cancelled_from_another_thread(void **state)
{
	struct canceller canceller;
	struct bench b;
	uint8_t random[16];
	pthread_t thread;
	bool cancelled = false;

	(void)state;
	bench_begin(&b);
	assert_int_equal(startup(&b), 0);
	canceller.tpm = b.tpm;
	atomic_init(&canceller.stop, false);
	assert_int_equal(pthread_create(&thread, NULL, cancel_until_stopped, &canceller), 0);
	for (int i = 0; i < 20 && !cancelled; i++) {
		uint32_t rc = create_rsa_key(&b);

		assert_true(rc == 0 || rc == RC_CANCELED);
		cancelled = rc == RC_CANCELED;
		if (rc == 0) {
			struct command flush = command(0x8001, 0x165);

			add(&flush, 0x80000000, 4);
			assert_int_equal(run(&b, flush), 0);
		}
	}
	atomic_store(&canceller.stop, true);
	pthread_join(thread, NULL);
	assert_true(cancelled);

	/* A cancel that comes when nothing runs has no effect on what comes next. */
	engine->cancel(b.tpm);
	assert_int_equal(get_random(&b, random), 0);
	assert_int_equal(create_rsa_key(&b), 0);
	bench_end(&b);
}

static void engines_are_found_by_name(void **state)
{
	(void)state;
	assert_ptr_equal(cvtpm_engine_find("libtpms"), engine);
	assert_null(cvtpm_engine_find("libtpm"));
	assert_null(cvtpm_engine_find(""));
	assert_null(cvtpm_engine_find(NULL));
	assert_memory_equal(engine->version(), "libtpms 0.", 10);
}

static void a_buffer_size_that_the_library_cannot_have_is_refused(void **state)
{
	struct cvtpm_engine_config config = {.buffer_size = 4096};
	struct bench b;
	struct cvtpm_tpm *tpm = NULL;
	bool is_new;

	(void)state;
	bench_begin(&b);
	destroy(b.tpm);
	assert_int_equal(engine->create(&tpm, &b.platform, &config, &is_new), 0);
	left_over = tpm;
	assert_int_equal(engine->power_on(tpm), 0);
	b.tpm = tpm;
	assert_int_equal(startup(&b), 0);
	assert_int_equal(property(&b, PT_MAX_COMMAND_SIZE), 4096);
	destroy(tpm);
	config.buffer_size = 1024;
	assert_int_equal(engine->create(&tpm, &b.platform, &config, &is_new),
			 CVTPM_ERR_UNSUPPORTED);
	config.buffer_size = 4097;
	assert_int_equal(engine->create(&tpm, &b.platform, &config, &is_new), CVTPM_ERR_PARAM);
	cvtpm_store_close(b.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_new_tpm_waits_for_startup, destroy_left_over),
		cmocka_unit_test_teardown(a_power_cycle_keeps_nv_and_loses_pcrs, destroy_left_over),
		cmocka_unit_test_teardown(a_second_startup_resets_nothing, destroy_left_over),
		cmocka_unit_test_teardown(what_is_saved_at_shutdown_state_is_resumed,
					  destroy_left_over),
		cmocka_unit_test_teardown(a_powered_off_tpm_answers_nothing, destroy_left_over),
		cmocka_unit_test_teardown(a_second_instance_is_refused_until_the_first_is_gone,
					  destroy_left_over),
		cmocka_unit_test_teardown(a_failed_create_does_not_keep_the_place,
					  destroy_left_over),
		cmocka_unit_test_teardown(commands_of_any_length_get_a_whole_answer,
					  destroy_left_over),
		cmocka_unit_test_teardown(a_size_field_that_lies_is_refused, destroy_left_over),
		cmocka_unit_test_teardown(random_bytes_get_a_whole_answer, destroy_left_over),
		cmocka_unit_test_teardown(after_a_failed_commit_only_the_platform_revives_the_tpm,
					  destroy_left_over),
		cmocka_unit_test_teardown(a_store_that_cannot_be_read_fails_power_on,
					  destroy_left_over),
		cmocka_unit_test_teardown(seeds_that_vanished_are_not_made_anew, destroy_left_over),
		cmocka_unit_test_teardown(reading_commands_do_not_write, destroy_left_over),
		cmocka_unit_test_teardown(wrong_passwords_survive_sigkill, destroy_left_over),
		cmocka_unit_test_teardown(damaged_permanent_state_is_refused, destroy_left_over),
		cmocka_unit_test_teardown(flipped_state_is_refused, destroy_left_over),
		cmocka_unit_test_teardown(a_sealed_store_is_not_taken_for_an_empty_one,
					  destroy_left_over),
		cmocka_unit_test_teardown(state_blobs_carry_a_running_tpm, destroy_left_over),
		cmocka_unit_test_teardown(the_same_state_twice_gives_other_random_bytes,
					  destroy_left_over),
		cmocka_unit_test_teardown(damaged_blobs_are_refused_and_change_nothing,
					  destroy_left_over),
		cmocka_unit_test_teardown(there_is_no_saved_blob, destroy_left_over),
		cmocka_unit_test_teardown(
			hash_end_sets_established_and_only_localities_3_and_4_reset_it,
			destroy_left_over),
		cmocka_unit_test_teardown(a_command_runs_at_the_locality_of_its_transport,
					  destroy_left_over),
		cmocka_unit_test_teardown(key_generation_can_be_cancelled_from_another_thread,
					  destroy_left_over),
		cmocka_unit_test_teardown(engines_are_found_by_name, destroy_left_over),
		cmocka_unit_test_teardown(a_buffer_size_that_the_library_cannot_have_is_refused,
					  destroy_left_over),
	};

	return cmocka_run_group_tests_name("libtpms", tests, NULL, NULL);
}
