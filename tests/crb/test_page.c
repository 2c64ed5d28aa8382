/* The shared page, with guests that obey and guests that do not. */
#include "crb/registers.h"
#include "cvtpm/crb.h"
#include "cvtpm/err.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LOCALITIES 4

struct fixture {
	_Alignas(4096) uint8_t memory[LOCALITIES * 4096];
	struct cvtpm_crb crb;
	struct cvtpm_crb_page page;
	unsigned submits, cancels;
	bool sync;
	void (*during_submit)(struct fixture *f);
	uint8_t locality;
	const uint8_t *given;
	uint8_t command[CVTPM_CRB_BUFFER_SIZE];
	size_t len;
};

static const uint8_t get_random[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 8};
static const uint8_t response_a[] = {0x80, 0x01, 0, 0, 0, 14, 0, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa};
static const uint8_t response_b[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0, 0, 0xbb, 0xbb};
static const uint8_t command_size[] = {0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x42};

static int submit(void *context, uint8_t locality, const uint8_t *command, size_t len)
{
	struct fixture *f = context;

	f->submits++;
	f->locality = locality;
	f->given = command;
	memcpy(f->command, command, len);
	f->len = len;
	if (f->during_submit)
		f->during_submit(f);
	assert_memory_equal(f->command, command, len);
	return f->sync ? cvtpm_crb_complete(&f->crb, response_a, sizeof response_a) : 0;
}

static void cancel(void *context)
{
	((struct fixture *)context)->cancels++;
}

static struct fixture *begin(void **state, unsigned localities)
{
	struct fixture *f = *state;
	struct cvtpm_crb_config config = {
		.callbacks = {.context = f, .submit = submit, .cancel = cancel},
		.localities = localities,
	};

	memset(f, 0, sizeof *f);
	assert_int_equal(cvtpm_crb_init(&f->crb, &config), 0);
	assert_int_equal(cvtpm_crb_page_init(&f->page, &f->crb, f->memory, sizeof f->memory), 0);
	return f;
}

static void put(struct fixture *f, unsigned locality, uint32_t reg, uint32_t value)
{
	cvtpm_crb_memory_write32(f->memory, locality * 4096 + reg, value);
}

static uint32_t get(struct fixture *f, unsigned locality, uint32_t reg)
{
	return cvtpm_crb_memory_read32(f->memory, locality * 4096 + reg);
}

static uint8_t *data(struct fixture *f, unsigned locality)
{
	return f->memory + locality * 4096 + TPM_CRB_DATA_BUFFER;
}

static void poll(struct fixture *f)
{
	while (cvtpm_crb_page_poll(&f->page))
		;
}

/* A write that the server sees before the next one. */
static void ask(struct fixture *f, unsigned locality, uint32_t reg, uint32_t value)
{
	put(f, locality, reg, value);
	poll(f);
}

static void start(struct fixture *f, unsigned locality)
{
	ask(f, locality, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	ask(f, locality, TPM_CRB_CTRL_REQ, CTRL_REQ_cmdReady);
	memcpy(data(f, locality), get_random, sizeof get_random);
	ask(f, locality, TPM_CRB_CTRL_START, CTRL_START_Start);
}

static void finish(struct fixture *f, const uint8_t *response, size_t len)
{
	assert_int_equal(cvtpm_crb_complete(&f->crb, response, len), 0);
	poll(f);
}

/* The page says what the machine says. */
static void assert_consistent(struct fixture *f)
{
	for (unsigned l = 0; l < LOCALITIES; l++) {
		if (!(f->crb.config.localities >> l & 1))
			continue;
		for (uint32_t at = 0; at < TPM_CRB_DATA_BUFFER; at += 4)
			assert_int_equal(get(f, l, at), cvtpm_crb_read(&f->crb, l * 4096 + at, 4));
	}
}

static void assert_no_data(struct fixture *f, unsigned locality)
{
	for (unsigned i = 0; i < CVTPM_CRB_BUFFER_SIZE; i++)
		assert_int_equal(data(f, locality)[i], 0);
}

/* ---- obedient guests ---- */

static void a_driver_of_start_method_7_is_served(void **state)
{
	struct fixture *f = begin(state, 0);

	start(f, 0);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_START), 1);
	assert_int_equal(f->len, sizeof get_random);
	assert_memory_equal(f->command, get_random, sizeof get_random);
	finish(f, response_a, sizeof response_a);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_START), 0);
	assert_memory_equal(data(f, 0), response_a, sizeof response_a);
	ask(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_REQ), 0);
	ask(f, 0, TPM_LOC_CTRL, LOC_CTRL_Relinquish);
	assert_int_equal(get(f, 0, TPM_LOC_STATE), 0x81);
	assert_no_data(f, 0);
}

static void a_driver_of_start_method_8_is_served(void **state)
{
	struct fixture *f = begin(state, 0);

	for (unsigned i = 1; i < 4; i++) {
		memcpy(data(f, 0), get_random, sizeof get_random);
		put(f, 0, TPM_CRB_CTRL_CANCEL, 0);
		ask(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
		assert_int_equal(f->submits, i);
		finish(f, response_a, sizeof response_a);
		assert_int_equal(get(f, 0, TPM_CRB_CTRL_START), 0);
		assert_memory_equal(data(f, 0), response_a, sizeof response_a);
	}
}

static void a_synchronous_engine_answers_in_one_poll(void **state)
{
	struct fixture *f = begin(state, 0);

	f->sync = true;
	memcpy(data(f, 0), get_random, sizeof get_random);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_true(cvtpm_crb_page_poll(&f->page));
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_START), 0);
	assert_memory_equal(data(f, 0), response_a, sizeof response_a);
}

static void strict_pages_do_not_start_from_idle(void **state)
{
	struct fixture *f = begin(state, 0);

	f->page.strict = true;
	memcpy(data(f, 0), get_random, sizeof get_random);
	ask(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_int_equal(f->submits, 0);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_START), 0);
	start(f, 0);
	assert_int_equal(f->submits, 1);
}

static void a_quiet_page_needs_nothing(void **state)
{
	struct fixture *f = begin(state, 0xf);

	assert_false(cvtpm_crb_page_poll(&f->page));
	start(f, 2);
	assert_false(cvtpm_crb_page_poll(&f->page));
	finish(f, response_a, sizeof response_a);
	assert_false(cvtpm_crb_page_poll(&f->page));
}

static void a_cancel_reaches_the_engine(void **state)
{
	struct fixture *f = begin(state, 0);

	start(f, 0);
	ask(f, 0, TPM_CRB_CTRL_CANCEL, 1);
	assert_int_equal(f->cancels, 1);
	finish(f, response_b, sizeof response_b);
	ask(f, 0, TPM_CRB_CTRL_CANCEL, 0);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_CANCEL), 0);
}

static void a_cleared_cancel_is_seen_with_the_start_after_it(void **state)
{
	struct fixture *f = begin(state, 0);

	start(f, 0);
	ask(f, 0, TPM_CRB_CTRL_CANCEL, 1);
	finish(f, response_b, sizeof response_b);
	put(f, 0, TPM_CRB_CTRL_CANCEL, 0);
	memcpy(data(f, 0), get_random, sizeof get_random);
	ask(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_int_equal(f->submits, 2);
	assert_int_equal(f->cancels, 1);
}

static void retry_puts_the_response_back(void **state)
{
	struct fixture *f = begin(state, 0);

	start(f, 0);
	finish(f, response_a, sizeof response_a);
	memset(data(f, 0), 0xee, CVTPM_CRB_BUFFER_SIZE);
	ask(f, 0, TPM_CRB_CTRL_START, CTRL_START_crbRspRetry);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_START), 0);
	assert_memory_equal(data(f, 0), response_a, sizeof response_a);
	assert_int_equal(f->submits, 1);
}

static void a_request_made_before_the_server_came_is_served(void **state)
{
	struct fixture *f = begin(state, 0);

	memcpy(data(f, 0), get_random, sizeof get_random);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_int_equal(cvtpm_crb_page_init(&f->page, &f->crb, f->memory, sizeof f->memory), 0);
	assert_int_equal(f->submits, 0);
	poll(f);
	assert_int_equal(f->submits, 1);
}

static void localities_have_pages_of_their_own(void **state)
{
	struct fixture *f = begin(state, 0xf);

	start(f, 1);
	finish(f, response_a, sizeof response_a);
	assert_memory_equal(data(f, 1), response_a, sizeof response_a);
	assert_int_equal(f->locality, 1);
	ask(f, 3, TPM_LOC_CTRL, LOC_CTRL_Seize);
	assert_no_data(f, 1);
	start(f, 3);
	assert_int_equal(f->locality, 3);
	finish(f, response_b, sizeof response_b);
	assert_memory_equal(data(f, 3), response_b, sizeof response_b);
	assert_no_data(f, 1);
	assert_consistent(f);
}

/* ---- other guests ---- */

static void a_zeroed_page_gets_its_registers_back(void **state)
{
	struct fixture *f = begin(state, 0xf);

	start(f, 1);
	memset(f->memory, 0, sizeof f->memory);
	assert_true(cvtpm_crb_page_poll(&f->page));
	assert_consistent(f);
	assert_int_equal(get(f, 1, TPM_CRB_CTRL_START), 1);
	assert_int_equal(f->crb.state, CVTPM_CRB_EXECUTION);
	assert_int_equal(f->crb.active, 1);
	assert_int_equal(f->cancels, 0);
	finish(f, response_a, sizeof response_a);
	assert_memory_equal(data(f, 1), response_a, sizeof response_a);
}

static void a_page_of_ones_gets_its_registers_back(void **state)
{
	struct fixture *f = begin(state, 0xf);

	start(f, 1);
	memset(f->memory, 0xff, sizeof f->memory);
	poll(f);
	assert_consistent(f);
	assert_int_equal(f->crb.active, 1);
	assert_int_equal(f->submits, 1);
}

static void start_with_garbage_answers_command_size(void **state)
{
	struct fixture *f = begin(state, 0);

	memset(data(f, 0), 0xff, CVTPM_CRB_BUFFER_SIZE);
	ask(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_int_equal(f->submits, 0);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_START), 0);
	assert_memory_equal(data(f, 0), command_size, sizeof command_size);
}

static void start_with_half_a_header_answers_command_size(void **state)
{
	struct fixture *f = begin(state, 0);

	memcpy(data(f, 0), get_random, 5);
	ask(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_int_equal(f->submits, 0);
	assert_memory_equal(data(f, 0), command_size, sizeof command_size);
}

static void a_command_that_is_not_started_is_dropped(void **state)
{
	struct fixture *f = begin(state, 0);

	ask(f, 0, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	ask(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_cmdReady);
	memcpy(data(f, 0), get_random, sizeof get_random);
	ask(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle);
	assert_int_equal(f->submits, 0);
	assert_int_equal(f->crb.state, CVTPM_CRB_IDLE);
}

static void overwrite(struct fixture *f)
{
	memset(f->memory, 0x5a, sizeof f->memory);
}

static void a_command_changed_between_check_and_use_has_no_effect(void **state)
{
	struct fixture *f = begin(state, 0);

	f->during_submit = overwrite;
	start(f, 0);
	assert_int_equal(f->submits, 1);
	assert_int_equal(f->len, sizeof get_random);
	assert_memory_equal(f->command, get_random, sizeof get_random);
	overwrite(f);
	poll(f);
	assert_memory_equal(f->given, get_random, sizeof get_random);
	finish(f, response_a, sizeof response_a);
	assert_memory_equal(data(f, 0), response_a, sizeof response_a);
}

static void ask_go_idle(struct fixture *f)
{
	put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle);
}

static void a_request_made_during_a_poll_is_not_lost(void **state)
{
	struct fixture *f = begin(state, 0);

	ask(f, 0, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	memcpy(data(f, 0), get_random, sizeof get_random);
	put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_cmdReady);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	f->sync = true;
	f->during_submit = ask_go_idle;
	cvtpm_crb_page_poll(&f->page);
	assert_int_equal(f->crb.state, CVTPM_CRB_COMPLETION);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_REQ), CTRL_REQ_goIdle);
	cvtpm_crb_page_poll(&f->page);
	assert_int_equal(f->crb.state, CVTPM_CRB_IDLE);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_REQ), 0);
}

static void an_aborted_response_reaches_nobody(void **state)
{
	struct fixture *f = begin(state, 0xf);

	start(f, 0);
	ask(f, 2, TPM_LOC_CTRL, LOC_CTRL_Seize);
	assert_int_equal(f->cancels, 1);
	start(f, 2);
	finish(f, response_a, sizeof response_a);
	assert_int_equal(get(f, 2, TPM_CRB_CTRL_START), 1);
	assert_memory_equal(data(f, 2), get_random, sizeof get_random);
	finish(f, response_b, sizeof response_b);
	assert_memory_equal(data(f, 2), response_b, sizeof response_b);
}

static void what_was_asked_before_a_reset_does_not_act_after_it(void **state)
{
	struct fixture *f = begin(state, 0xf);

	memcpy(data(f, 0), get_random, sizeof get_random);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	put(f, 3, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	cvtpm_crb_page_reset(&f->page);
	assert_consistent(f);
	poll(f);
	assert_int_equal(f->submits, 0);
	assert_int_equal(get(f, 0, TPM_LOC_STATE), 0x81);
	assert_no_data(f, 0);
}

static void a_response_across_a_reset_is_not_shown(void **state)
{
	struct fixture *f = begin(state, 0);

	start(f, 0);
	cvtpm_crb_page_reset(&f->page);
	finish(f, response_a, sizeof response_a);
	assert_no_data(f, 0);
	assert_consistent(f);
	start(f, 0);
	finish(f, response_b, sizeof response_b);
	assert_memory_equal(data(f, 0), response_b, sizeof response_b);
}

static void unserved_localities_are_not_looked_at(void **state)
{
	struct fixture *f = begin(state, 1);

	memset(f->memory + 4096, 1, sizeof f->memory - 4096);
	poll(f);
	assert_int_equal(get(f, 0, TPM_LOC_STATE), 0x81);
	for (size_t i = 4096; i < sizeof f->memory; i++)
		assert_int_equal(f->memory[i], 1);
}

static void impossible_pages_are_refused(void **state)
{
	struct fixture *f = begin(state, 0xf);

	assert_int_equal(cvtpm_crb_page_init(&f->page, &f->crb, f->memory + 4, 4 * 4096),
			 CVTPM_ERR_PARAM);
	assert_int_equal(cvtpm_crb_page_init(&f->page, &f->crb, f->memory, 4 * 4096 - 1),
			 CVTPM_ERR_SIZE);
	f->crb.config.localities = 0x10;
	assert_int_equal(cvtpm_crb_page_init(&f->page, &f->crb, f->memory, 5 * 4096),
			 CVTPM_ERR_POLICY);
}

/* ---- a guest on another processor ---- */

struct guest {
	struct fixture *f;
	atomic_bool stop;
	unsigned wrong, done;
};

/* Turns the command's size and everything behind it over and over. */
static void *hostile_guest(void *context)
{
	struct guest *g = context;
	volatile uint8_t *page = g->f->memory;
	uint32_t turn = 0;

	while (!atomic_load(&g->stop)) {
		turn = turn * 1664525 + 1013904223;
		page[TPM_CRB_DATA_BUFFER + 2] = turn >> 20 & 1 ? 0xff : 0;
		page[TPM_CRB_DATA_BUFFER + 4] = (uint8_t)(turn >> 21 & 0x1f);
		page[TPM_CRB_DATA_BUFFER + 5] = (uint8_t)(turn >> 12);
		page[TPM_CRB_DATA_BUFFER + 10 + (turn >> 8) % 3000] = (uint8_t)turn;
		page[(turn >> 16) % 128] = (uint8_t)(turn >> 3);
		if (turn >> 28 == 0)
			page[TPM_CRB_CTRL_START] = 1;
	}
	return NULL;
}

static void a_hostile_processor_finds_no_moment(void **state)
{
	struct fixture *f = begin(state, 0);
	struct guest g = {.f = f};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, hostile_guest, &g), 0);
	for (unsigned i = 0; i < 20000 || (f->submits < 20 && i < 5000000); i++) {
		cvtpm_crb_page_poll(&f->page);
		if (!cvtpm_crb_in_engine(&f->crb))
			continue;
		assert_in_range(f->len, 10, CVTPM_CRB_BUFFER_SIZE);
		assert_int_equal(f->command[4] << 8 | f->command[5], f->len);
		assert_int_equal(f->command[2] << 8 | f->command[3], 0);
		assert_memory_equal(f->given, f->command, f->len);
		assert_int_equal(cvtpm_crb_complete(&f->crb, response_a, sizeof response_a), 0);
	}
	atomic_store(&g.stop, true);
	pthread_join(thread, NULL);
	poll(f);
	assert_consistent(f);
	assert_true(f->submits > 0);
}

/* Start method 8 at full speed: when START is 0, the response must be there. */
static void *quick_guest(void *context)
{
	struct guest *g = context;
	uint8_t response[16];

	while (g->done < 3000) {
		cvtpm_crb_memory_write_bytes(g->f->memory, TPM_CRB_DATA_BUFFER, get_random,
					     sizeof get_random);
		put(g->f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
		while (get(g->f, 0, TPM_CRB_CTRL_START))
			sched_yield();
		cvtpm_crb_memory_read_bytes(g->f->memory, TPM_CRB_DATA_BUFFER, response,
					    sizeof response);
		g->wrong += memcmp(response, response_a, sizeof response_a) != 0;
		g->done++;
	}
	atomic_store(&g->stop, true);
	return NULL;
}

static void start_becomes_0_after_the_response_is_there(void **state)
{
	struct fixture *f = begin(state, 0);
	struct guest g = {.f = f};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, quick_guest, &g), 0);
	while (!atomic_load(&g.stop)) {
		if (!cvtpm_crb_page_poll(&f->page))
			sched_yield();
		if (cvtpm_crb_in_engine(&f->crb))
			cvtpm_crb_complete(&f->crb, response_a, sizeof response_a);
	}
	pthread_join(thread, NULL);
	assert_int_equal(g.wrong, 0);
	assert_int_equal(f->submits, 3000);
}

static int setup(void **state)
{
	*state = aligned_alloc(4096, (sizeof(struct fixture) + 4095) / 4096 * 4096);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_driver_of_start_method_7_is_served),
		cmocka_unit_test(a_driver_of_start_method_8_is_served),
		cmocka_unit_test(a_synchronous_engine_answers_in_one_poll),
		cmocka_unit_test(strict_pages_do_not_start_from_idle),
		cmocka_unit_test(a_quiet_page_needs_nothing),
		cmocka_unit_test(a_cancel_reaches_the_engine),
		cmocka_unit_test(a_cleared_cancel_is_seen_with_the_start_after_it),
		cmocka_unit_test(retry_puts_the_response_back),
		cmocka_unit_test(a_request_made_before_the_server_came_is_served),
		cmocka_unit_test(localities_have_pages_of_their_own),
		cmocka_unit_test(a_zeroed_page_gets_its_registers_back),
		cmocka_unit_test(a_page_of_ones_gets_its_registers_back),
		cmocka_unit_test(start_with_garbage_answers_command_size),
		cmocka_unit_test(start_with_half_a_header_answers_command_size),
		cmocka_unit_test(a_command_that_is_not_started_is_dropped),
		cmocka_unit_test(a_command_changed_between_check_and_use_has_no_effect),
		cmocka_unit_test(a_request_made_during_a_poll_is_not_lost),
		cmocka_unit_test(an_aborted_response_reaches_nobody),
		cmocka_unit_test(what_was_asked_before_a_reset_does_not_act_after_it),
		cmocka_unit_test(a_response_across_a_reset_is_not_shown),
		cmocka_unit_test(unserved_localities_are_not_looked_at),
		cmocka_unit_test(impossible_pages_are_refused),
		cmocka_unit_test(a_hostile_processor_finds_no_moment),
		cmocka_unit_test(start_becomes_0_after_the_response_is_there),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
