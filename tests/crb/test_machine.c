/* Each transition of the CRB interface by name (PTP 1.06, 6.5.3). */
#include "crb/registers.h"
#include "cvtpm/crb.h"
#include "cvtpm/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct cvtpm_crb crb;
	struct cvtpm_crb_config config;
	unsigned submits, cancels, hashes, hash_bytes, flag_resets;
	int submit_result, hash_result;
	bool sync, drtm, line;
	uint8_t locality;
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
	memcpy(f->command, command, len);
	f->len = len;
	if (f->sync)
		return cvtpm_crb_complete(&f->crb, response_a, sizeof response_a);
	return f->submit_result;
}

static void cancel(void *context)
{
	((struct fixture *)context)->cancels++;
}

static int hash_start(void *context)
{
	((struct fixture *)context)->hashes++;
	return ((struct fixture *)context)->hash_result;
}

static int hash_data(void *context, const uint8_t *data, size_t len)
{
	(void)data;
	((struct fixture *)context)->hash_bytes += (unsigned)len;
	return 0;
}

static int hash_end(void *context)
{
	((struct fixture *)context)->drtm = true;
	return 0;
}

static bool established(void *context)
{
	return ((struct fixture *)context)->drtm;
}

static int reset_established(void *context, uint8_t locality)
{
	((struct fixture *)context)->flag_resets += locality;
	((struct fixture *)context)->drtm = false;
	return 0;
}

static void interrupt(void *context, bool asserted)
{
	((struct fixture *)context)->line = asserted;
}

static struct fixture *begin(void **state, unsigned localities, bool idle_bypass)
{
	struct fixture *f = *state;

	memset(f, 0, sizeof *f);
	f->config = (struct cvtpm_crb_config){
		.callbacks = {f, submit, cancel, hash_start, hash_data, hash_end, established,
			      reset_established, interrupt},
		.localities = localities,
		.idle_bypass = idle_bypass,
	};
	assert_int_equal(cvtpm_crb_init(&f->crb, &f->config), 0);
	return f;
}

static void put(struct fixture *f, unsigned locality, uint32_t reg, uint32_t value)
{
	cvtpm_crb_write(&f->crb, locality * 4096 + reg, 4, value);
}

static uint32_t get(struct fixture *f, unsigned locality, uint32_t reg)
{
	return (uint32_t)cvtpm_crb_read(&f->crb, locality * 4096 + reg, 4);
}

static void put_bytes(struct fixture *f, unsigned locality, const uint8_t *bytes, size_t len)
{
	for (uint32_t i = 0; i < len; i++)
		cvtpm_crb_write(&f->crb, locality * 4096 + TPM_CRB_DATA_BUFFER + i, 1, bytes[i]);
}

static void assert_buffer(struct fixture *f, unsigned locality, const uint8_t *bytes, size_t len)
{
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(
			cvtpm_crb_read(&f->crb, locality * 4096 + TPM_CRB_DATA_BUFFER + i, 1),
			bytes[i]);
}

static void assert_no_buffer(struct fixture *f, unsigned locality, uint8_t byte)
{
	for (uint32_t at = TPM_CRB_DATA_BUFFER; at < 4096; at++)
		assert_int_equal(cvtpm_crb_read(&f->crb, locality * 4096 + at, 1), byte);
}

static void to_ready(struct fixture *f, unsigned locality)
{
	put(f, locality, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	put(f, locality, TPM_CRB_CTRL_REQ, CTRL_REQ_cmdReady);
	assert_int_equal(f->crb.state, CVTPM_CRB_READY);
}

static void to_reception(struct fixture *f, unsigned locality)
{
	to_ready(f, locality);
	put_bytes(f, locality, get_random, sizeof get_random);
	assert_int_equal(f->crb.state, CVTPM_CRB_RECEPTION);
}

static void to_execution(struct fixture *f, unsigned locality)
{
	to_reception(f, locality);
	put(f, locality, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_int_equal(f->crb.state, CVTPM_CRB_EXECUTION);
}

static void to_completion(struct fixture *f, unsigned locality)
{
	to_execution(f, locality);
	assert_int_equal(cvtpm_crb_complete(&f->crb, response_a, sizeof response_a), 0);
	assert_int_equal(f->crb.state, CVTPM_CRB_COMPLETION);
}

/* ---- registers ---- */

static void every_register_has_its_reset_value(void **state)
{
	struct fixture *f = begin(state, 0, false);

	for (uint32_t offset = 0; offset < 0x80; offset += 4)
		assert_int_equal(get(f, 0, offset), crb_registers[offset / 4].reset);
	assert_int_equal(get(f, 0, 0x00), 0x81);
	assert_int_equal(get(f, 0, 0x30), 0x25811);
	assert_int_equal(get(f, 0, 0x44), 2);
	assert_int_equal(get(f, 0, 0x58), 0xf80);
	assert_int_equal(cvtpm_crb_read(&f->crb, 0x68, 8), 0xfed40080);
}

static void the_configuration_is_told_in_intf_id_and_addresses(void **state)
{
	struct fixture *f = begin(state, 0, false);

	f->config.idle_bypass = true;
	f->config.localities = 0xf;
	f->config.vendor_id = 0x1234;
	f->config.device_id = 0x5678;
	f->config.revision_id = 0x9a;
	f->config.base = 0x100000000;
	assert_int_equal(cvtpm_crb_init(&f->crb, &f->config), 0);
	assert_int_equal(get(f, 3, TPM_CRB_INTF_ID), 0x9a025b11);
	assert_int_equal(get(f, 3, TPM_CRB_INTF_ID_HIGH), 0x56781234);
	assert_int_equal(get(f, 3, TPM_CRB_CTRL_CMD_LADDR), 0x3080);
	assert_int_equal(get(f, 3, TPM_CRB_CTRL_CMD_HADDR), 1);
	assert_true(cvtpm_crb_read(&f->crb, 0x3068, 8) == 0x100003080);
}

static void a_wrong_configuration_is_refused(void **state)
{
	struct fixture *f = begin(state, 0, false);
	struct cvtpm_crb_config c = f->config;

	c.localities = 0x20;
	assert_int_equal(cvtpm_crb_init(&f->crb, &c), CVTPM_ERR_PARAM);
	c.localities = 0x10;
	c.callbacks.hash_end = NULL;
	assert_int_equal(cvtpm_crb_init(&f->crb, &c), CVTPM_ERR_PARAM);
	c = f->config;
	c.base = 0x1080;
	assert_int_equal(cvtpm_crb_init(&f->crb, &c), CVTPM_ERR_PARAM);
	c = f->config;
	c.callbacks.submit = NULL;
	assert_int_equal(cvtpm_crb_init(&f->crb, &c), CVTPM_ERR_PARAM);
}

static void unserved_localities_and_what_lies_beyond_read_as_ones(void **state)
{
	struct fixture *f = begin(state, 0x5, false);

	assert_int_equal(get(f, 1, TPM_LOC_STATE), 0xffffffff);
	assert_int_equal(get(f, 4, TPM_LOC_STATE), 0xffffffff);
	assert_int_equal(get(f, 5, TPM_LOC_STATE), 0xffffffff);
	assert_true(cvtpm_crb_read(&f->crb, UINT32_MAX - 3, 8) == UINT64_MAX);
	put(f, 1, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	put(f, 5, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	cvtpm_crb_write(&f->crb, UINT32_MAX - 3, 8, UINT64_MAX);
	assert_int_equal(get(f, 0, TPM_LOC_STATE), 0x81);
}

static void read_only_registers_keep_their_values(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_ready(f, 0);
	for (uint32_t offset = 0; offset < 0x80; offset += 4) {
		uint32_t before = get(f, 0, offset);

		if (crb_registers[offset / 4].access > CRB_READ_ONLY)
			continue;
		put(f, 0, offset, ~before);
		assert_int_equal(get(f, 0, offset), before);
	}
}

static void any_size_and_alignment_gives_the_same_bytes(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_completion(f, 0);
	for (uint32_t offset = 0; offset < 4096 + 16; offset++)
		for (unsigned size = 1; size <= 8; size *= 2)
			for (unsigned i = 0; i < size; i++)
				assert_int_equal(
					(uint8_t)(cvtpm_crb_read(&f->crb, offset, size) >> 8 * i),
					cvtpm_crb_read(&f->crb, offset + i, 1));
	assert_true(cvtpm_crb_read(&f->crb, 0, 3) == UINT64_MAX);
	cvtpm_crb_write(&f->crb, TPM_CRB_CTRL_REQ, 3, CTRL_REQ_goIdle);
	assert_int_equal(f->crb.state, CVTPM_CRB_COMPLETION);
}

static void a_byte_write_sets_only_its_byte(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_ready(f, 0);
	put(f, 0, TPM_CRB_INT_ENABLE, 0x8000000f);
	cvtpm_crb_write(&f->crb, TPM_CRB_INT_ENABLE, 1, 0x01);
	assert_int_equal(get(f, 0, TPM_CRB_INT_ENABLE), 0x80000001);
	cvtpm_crb_write(&f->crb, TPM_CRB_INT_ENABLE + 3, 1, 0);
	assert_int_equal(get(f, 0, TPM_CRB_INT_ENABLE), 0x00000001);
}

static void an_eight_byte_write_reaches_both_registers(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_reception(f, 0);
	cvtpm_crb_write(&f->crb, TPM_CRB_CTRL_CANCEL, 8, UINT64_C(0x100000001));
	assert_int_equal(f->crb.state, CVTPM_CRB_EXECUTION);
	assert_int_equal(f->cancels, 1);
}

/* ---- Idle ---- */

static void idle_cmd_ready_leads_to_ready(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_ready(f, 0);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_STS), 0);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_REQ), 0);
}

static void idle_go_idle_stays_idle(void **state)
{
	struct fixture *f = begin(state, 0, false);

	put(f, 0, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle);
	assert_int_equal(f->crb.state, CVTPM_CRB_IDLE);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_REQ), 0);
}

static void idle_data_and_start_are_ignored(void **state)
{
	struct fixture *f = begin(state, 0, false);

	put(f, 0, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	put_bytes(f, 0, get_random, sizeof get_random);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_int_equal(f->crb.state, CVTPM_CRB_IDLE);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_START), 0);
	assert_no_buffer(f, 0, 0);
	assert_int_equal(f->submits, 0);
}

/* ---- Ready ---- */

static void ready_go_idle_leads_to_idle(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_ready(f, 0);
	put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle);
	assert_int_equal(f->crb.state, CVTPM_CRB_IDLE);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_STS), 2);
}

static void ready_cmd_ready_stays_ready(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_ready(f, 0);
	put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_cmdReady);
	assert_int_equal(f->crb.state, CVTPM_CRB_READY);
}

static void ready_data_leads_to_reception(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_ready(f, 0);
	cvtpm_crb_write(&f->crb, TPM_CRB_DATA_BUFFER, 1, 0x80);
	assert_int_equal(f->crb.state, CVTPM_CRB_RECEPTION);
}

static void ready_start_without_a_command_answers_command_size(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_ready(f, 0);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_int_equal(f->crb.state, CVTPM_CRB_COMPLETION);
	assert_buffer(f, 0, command_size, sizeof command_size);
	assert_int_equal(f->submits, 0);
}

static void both_requests_at_once_are_ignored(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_ready(f, 0);
	put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle | CTRL_REQ_cmdReady);
	assert_int_equal(f->crb.state, CVTPM_CRB_READY);
}

/* ---- Reception ---- */

static void reception_start_leads_to_execution(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_execution(f, 0);
	assert_int_equal(f->submits, 1);
	assert_int_equal(f->locality, 0);
	assert_int_equal(f->len, sizeof get_random);
	assert_memory_equal(f->command, get_random, sizeof get_random);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_START), 1);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_STS), 0);
}

static void reception_cmd_ready_discards_the_command(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_reception(f, 0);
	put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_cmdReady);
	assert_int_equal(f->crb.state, CVTPM_CRB_READY);
	assert_no_buffer(f, 0, 0);
}

static void reception_go_idle_discards_the_command(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_reception(f, 0);
	put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle);
	assert_int_equal(f->crb.state, CVTPM_CRB_IDLE);
	assert_no_buffer(f, 0, 0);
}

static void a_header_with_a_wrong_size_answers_command_size(void **state)
{
	static const uint32_t sizes[] = {0, 9, 13, 3968, 3969, 0x80000000, UINT32_MAX};
	struct fixture *f = begin(state, 0, false);

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		to_reception(f, 0);
		for (unsigned b = 0; b < 4; b++)
			cvtpm_crb_write(&f->crb, TPM_CRB_DATA_BUFFER + 2 + b, 1,
					sizes[i] >> (24 - 8 * b));
		put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
		assert_int_equal(f->crb.state, CVTPM_CRB_COMPLETION);
		assert_buffer(f, 0, command_size, sizeof command_size);
		put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle);
	}
	assert_int_equal(f->submits, 0);
}

static void half_a_command_answers_command_size(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_ready(f, 0);
	put_bytes(f, 0, get_random, sizeof get_random - 1);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_buffer(f, 0, command_size, sizeof command_size);
	assert_int_equal(f->submits, 0);
}

static void a_command_may_fill_the_buffer(void **state)
{
	struct fixture *f = begin(state, 0, false);
	uint8_t *command = calloc(1, CVTPM_CRB_BUFFER_SIZE);

	memcpy(command, get_random, sizeof get_random);
	command[4] = CVTPM_CRB_BUFFER_SIZE >> 8;
	command[5] = CVTPM_CRB_BUFFER_SIZE & 0xff;
	command[CVTPM_CRB_BUFFER_SIZE - 1] = 0x77;
	to_ready(f, 0);
	put_bytes(f, 0, command, CVTPM_CRB_BUFFER_SIZE);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_int_equal(f->len, CVTPM_CRB_BUFFER_SIZE);
	assert_memory_equal(f->command, command, CVTPM_CRB_BUFFER_SIZE);
	free(command);
}

/* ---- Execution ---- */

static void execution_ends_in_completion_with_the_response(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_completion(f, 0);
	assert_buffer(f, 0, response_a, sizeof response_a);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_START), 0);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_STS), 0);
}

static void a_synchronous_engine_completes_within_start(void **state)
{
	struct fixture *f = begin(state, 0, false);

	f->sync = true;
	to_reception(f, 0);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_int_equal(f->crb.state, CVTPM_CRB_COMPLETION);
	assert_buffer(f, 0, response_a, sizeof response_a);
}

static void execution_ignores_go_idle_cmd_ready_data_and_start(void **state)
{
	struct fixture *f = begin(state, 0, true);

	to_execution(f, 0);
	put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle);
	put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_cmdReady);
	put_bytes(f, 0, response_b, sizeof response_b);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	put(f, 0, TPM_CRB_CTRL_START, 0);
	assert_int_equal(f->crb.state, CVTPM_CRB_EXECUTION);
	assert_buffer(f, 0, get_random, sizeof get_random);
	assert_memory_equal(f->crb.command, get_random, sizeof get_random);
	assert_int_equal(f->submits, 1);
}

static void execution_cancel_asks_the_engine_once(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_execution(f, 0);
	put(f, 0, TPM_CRB_CTRL_CANCEL, 1);
	put(f, 0, TPM_CRB_CTRL_CANCEL, 1);
	assert_int_equal(f->cancels, 1);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_CANCEL), 1);
	assert_int_equal(f->crb.state, CVTPM_CRB_EXECUTION);
	assert_int_equal(cvtpm_crb_complete(&f->crb, response_b, sizeof response_b), 0);
	assert_buffer(f, 0, response_b, sizeof response_b);
}

static void cancel_stays_until_software_clears_it(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_completion(f, 0);
	put(f, 0, TPM_CRB_CTRL_CANCEL, 1);
	assert_int_equal(f->cancels, 0);
	put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle);
	to_execution(f, 0);
	assert_int_equal(f->cancels, 1);
	put(f, 0, TPM_CRB_CTRL_CANCEL, 0);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_CANCEL), 0);
}

static void a_response_that_is_none_is_a_fatal_error_until_reset(void **state)
{
	static const uint8_t wrong[] = {0x80, 0x01, 0, 0, 0, 11, 0, 0, 0, 0};
	struct fixture *f = begin(state, 0, false);

	to_execution(f, 0);
	assert_int_equal(cvtpm_crb_complete(&f->crb, wrong, sizeof wrong), CVTPM_ERR_FORMAT);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_STS) & CTRL_STS_tpmSts, 1);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_START), 0);
	assert_no_buffer(f, 0, 0);
	put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle);
	to_reception(f, 0);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_int_equal(f->submits, 1);
	cvtpm_crb_reset(&f->crb);
	to_completion(f, 0);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_STS), 0);
}

static void an_engine_that_takes_no_command_is_a_fatal_error(void **state)
{
	struct fixture *f = begin(state, 0, false);

	f->submit_result = CVTPM_ERR_BUSY;
	to_reception(f, 0);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_STS) & CTRL_STS_tpmSts, 1);
	assert_false(cvtpm_crb_in_engine(&f->crb));
}

static void a_completion_that_nobody_waits_for_is_refused(void **state)
{
	struct fixture *f = begin(state, 0, false);

	assert_int_equal(cvtpm_crb_complete(&f->crb, response_a, sizeof response_a),
			 CVTPM_ERR_STATE);
	to_completion(f, 0);
	assert_int_equal(cvtpm_crb_complete(&f->crb, response_b, sizeof response_b),
			 CVTPM_ERR_STATE);
	assert_buffer(f, 0, response_a, sizeof response_a);
}

/* ---- Completion ---- */

static void completion_go_idle_clears_the_response(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_completion(f, 0);
	put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle);
	assert_int_equal(f->crb.state, CVTPM_CRB_IDLE);
	assert_no_buffer(f, 0, 0);
}

static void completion_retry_keeps_the_response(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_completion(f, 0);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_crbRspRetry);
	assert_int_equal(get(f, 0, TPM_CRB_CTRL_START), 0);
	assert_buffer(f, 0, response_a, sizeof response_a);
}

static void completion_without_bypass_needs_idle_first(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_completion(f, 0);
	put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_cmdReady);
	put_bytes(f, 0, get_random, sizeof get_random);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_int_equal(f->crb.state, CVTPM_CRB_COMPLETION);
	assert_buffer(f, 0, response_a, sizeof response_a);
	assert_int_equal(f->submits, 1);
}

static void completion_with_bypass_cmd_ready_leads_to_ready(void **state)
{
	struct fixture *f = begin(state, 0, true);

	to_completion(f, 0);
	put(f, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_cmdReady);
	assert_int_equal(f->crb.state, CVTPM_CRB_READY);
	assert_no_buffer(f, 0, 0);
}

static void completion_with_bypass_data_begins_the_next_command(void **state)
{
	struct fixture *f = begin(state, 0, true);

	to_completion(f, 0);
	put_bytes(f, 0, get_random, sizeof get_random);
	assert_int_equal(f->crb.state, CVTPM_CRB_RECEPTION);
	assert_int_equal(cvtpm_crb_read(&f->crb, TPM_CRB_DATA_BUFFER + 12, 1), 0);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_int_equal(f->submits, 2);
}

static void completion_start_without_data_runs_nothing(void **state)
{
	struct fixture *f = begin(state, 0, true);

	to_completion(f, 0);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_int_equal(f->crb.state, CVTPM_CRB_COMPLETION);
	assert_int_equal(f->submits, 1);
}

/* ---- localities ---- */

static void request_access_is_granted_when_nobody_has_it(void **state)
{
	struct fixture *f = begin(state, 0xf, false);

	put(f, 2, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	for (unsigned l = 0; l < 4; l++) {
		assert_int_equal(get(f, l, TPM_LOC_STATE), 0x81 | 2 | 2 << 2);
		assert_int_equal(get(f, l, TPM_LOC_STS), l == 2);
	}
}

static void a_request_waits_and_the_highest_is_served_first(void **state)
{
	struct fixture *f = begin(state, 0xf, false);

	put(f, 1, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	put(f, 0, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	put(f, 3, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	assert_int_equal(get(f, 1, TPM_LOC_STS), 1);
	put(f, 1, TPM_LOC_CTRL, LOC_CTRL_Relinquish);
	assert_int_equal(get(f, 3, TPM_LOC_STS), 1);
	put(f, 3, TPM_LOC_CTRL, LOC_CTRL_Relinquish);
	assert_int_equal(get(f, 0, TPM_LOC_STS), 1);
	put(f, 0, TPM_LOC_CTRL, LOC_CTRL_Relinquish);
	assert_int_equal(get(f, 0, TPM_LOC_STATE), 0x81);
}

static void a_waiting_request_can_be_taken_back(void **state)
{
	struct fixture *f = begin(state, 0xf, false);

	put(f, 0, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	put(f, 3, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	put(f, 3, TPM_LOC_CTRL, LOC_CTRL_Relinquish);
	put(f, 0, TPM_LOC_CTRL, LOC_CTRL_Relinquish);
	assert_int_equal(get(f, 0, TPM_LOC_STATE), 0x81);
}

static void a_higher_locality_seizes(void **state)
{
	struct fixture *f = begin(state, 0xf, false);

	put(f, 1, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	put(f, 2, TPM_LOC_CTRL, LOC_CTRL_Seize);
	assert_int_equal(get(f, 1, TPM_LOC_STS), LOC_STS_beenSeized);
	assert_int_equal(get(f, 2, TPM_LOC_STS), LOC_STS_Granted);
	put(f, 2, TPM_LOC_CTRL, LOC_CTRL_Relinquish);
	put(f, 1, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	assert_int_equal(get(f, 1, TPM_LOC_STS), LOC_STS_Granted);
}

static void a_lower_or_equal_locality_does_not_seize(void **state)
{
	struct fixture *f = begin(state, 0xf, false);

	to_reception(f, 2);
	put(f, 1, TPM_LOC_CTRL, LOC_CTRL_Seize);
	put(f, 2, TPM_LOC_CTRL, LOC_CTRL_Seize);
	assert_int_equal(get(f, 2, TPM_LOC_STS), LOC_STS_Granted);
	assert_int_equal(f->crb.state, CVTPM_CRB_RECEPTION);
	put(f, 2, TPM_LOC_CTRL, LOC_CTRL_Relinquish);
	assert_int_equal(get(f, 1, TPM_LOC_STS), 0);
}

static void only_the_active_locality_acts(void **state)
{
	struct fixture *f = begin(state, 0xf, false);

	to_reception(f, 1);
	put(f, 2, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle);
	put(f, 2, TPM_CRB_CTRL_START, CTRL_START_Start);
	put(f, 2, TPM_CRB_CTRL_CANCEL, 1);
	put(f, 2, TPM_CRB_INT_ENABLE, 0x8000000f);
	put_bytes(f, 2, response_b, sizeof response_b);
	put(f, 2, TPM_LOC_CTRL, LOC_CTRL_Relinquish);
	assert_int_equal(f->crb.state, CVTPM_CRB_RECEPTION);
	assert_buffer(f, 1, get_random, sizeof get_random);
	assert_no_buffer(f, 2, 0xff);
	assert_int_equal(get(f, 1, TPM_CRB_CTRL_CANCEL), 0);
	assert_int_equal(get(f, 1, TPM_CRB_INT_ENABLE), 0);
}

static void a_seized_command_is_told_to_end_and_its_response_dropped(void **state)
{
	struct fixture *f = begin(state, 0xf, false);

	to_execution(f, 0);
	put(f, 3, TPM_LOC_CTRL, LOC_CTRL_Seize);
	assert_int_equal(f->cancels, 1);
	assert_int_equal(f->crb.state, CVTPM_CRB_IDLE);
	to_reception(f, 3);
	assert_int_equal(cvtpm_crb_complete(&f->crb, response_a, sizeof response_a), 0);
	assert_int_equal(f->crb.state, CVTPM_CRB_RECEPTION);
	assert_buffer(f, 3, get_random, sizeof get_random);
	assert_no_buffer(f, 0, 0xff);
}

static void a_command_behind_an_aborted_one_gets_its_own_response(void **state)
{
	struct fixture *f = begin(state, 0xf, false);

	to_execution(f, 0);
	put(f, 3, TPM_LOC_CTRL, LOC_CTRL_Seize);
	to_execution(f, 3);
	assert_int_equal(f->submits, 1);
	assert_int_equal(cvtpm_crb_complete(&f->crb, response_a, sizeof response_a), 0);
	assert_int_equal(f->submits, 2);
	assert_int_equal(f->locality, 3);
	assert_int_equal(f->crb.state, CVTPM_CRB_EXECUTION);
	assert_int_equal(cvtpm_crb_complete(&f->crb, response_b, sizeof response_b), 0);
	assert_buffer(f, 3, response_b, sizeof response_b);
}

static void a_relinquished_response_is_gone(void **state)
{
	struct fixture *f = begin(state, 0xf, false);

	to_completion(f, 2);
	put(f, 2, TPM_LOC_CTRL, LOC_CTRL_Relinquish);
	put(f, 0, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	assert_int_equal(f->crb.state, CVTPM_CRB_IDLE);
	assert_no_buffer(f, 0, 0);
}

static void more_than_one_wish_in_loc_ctrl_is_ignored(void **state)
{
	struct fixture *f = begin(state, 0xf, false);

	put(f, 0, TPM_LOC_CTRL, LOC_CTRL_requestAccess | LOC_CTRL_Seize);
	assert_int_equal(get(f, 0, TPM_LOC_STATE), 0x81);
}

static void the_old_owners_cancel_does_not_reach_the_new_owner(void **state)
{
	struct fixture *f = begin(state, 0xf, false);

	to_execution(f, 0);
	put(f, 0, TPM_CRB_CTRL_CANCEL, 1);
	cvtpm_crb_complete(&f->crb, response_a, sizeof response_a);
	put(f, 0, TPM_LOC_CTRL, LOC_CTRL_Relinquish);
	to_execution(f, 1);
	assert_int_equal(f->cancels, 1);
}

/* ---- D-RTM ---- */

static void locality_4_hashes_and_leaves(void **state)
{
	static const uint8_t data[] = {3, 0, 'a', 'b', 'c'};
	struct fixture *f = begin(state, 0x1f, false);

	to_execution(f, 1);
	put(f, 4, TPM_LOC_CTRL, LOC_CTRL_4_TPM_HASH_START);
	assert_int_equal(f->cancels, 1);
	assert_int_equal(get(f, 1, TPM_LOC_STS), LOC_STS_beenSeized);
	put_bytes(f, 4, data, sizeof data);
	put(f, 4, TPM_LOC_CTRL, LOC_CTRL_4_TPM_HASH_DATA | LOC_CTRL_4_TPM_HASH_END);
	assert_int_equal(f->hashes, 1);
	assert_int_equal(f->hash_bytes, 3);
	assert_int_equal(get(f, 0, TPM_LOC_STATE), 0x80);
	cvtpm_crb_complete(&f->crb, response_a, sizeof response_a);
	assert_int_equal(get(f, 0, TPM_LOC_STATE), 0x80);
}

static void hash_data_longer_than_written_ends_the_sequence(void **state)
{
	static const uint8_t data[] = {4, 0, 'a', 'b', 'c'};
	struct fixture *f = begin(state, 0x1f, false);

	put(f, 4, TPM_LOC_CTRL, LOC_CTRL_4_TPM_HASH_START);
	put_bytes(f, 4, data, sizeof data);
	put(f, 4, TPM_LOC_CTRL, LOC_CTRL_4_TPM_HASH_DATA | LOC_CTRL_4_TPM_HASH_END);
	assert_int_equal(f->hash_bytes, 0);
	assert_false(f->drtm);
	assert_int_equal(get(f, 0, TPM_LOC_STATE), 0x81);
}

static void a_refused_hash_start_leaves_locality_4(void **state)
{
	struct fixture *f = begin(state, 0x1f, false);

	f->hash_result = CVTPM_ERR_STATE;
	put(f, 4, TPM_LOC_CTRL, LOC_CTRL_4_TPM_HASH_START);
	assert_int_equal(get(f, 0, TPM_LOC_STATE), 0x81);
}

static void without_locality_4_nobody_hashes(void **state)
{
	struct fixture *f = begin(state, 0xf, false);

	for (unsigned l = 0; l < 5; l++)
		for (uint32_t bits = 0; bits < 16; bits++)
			put(f, l, TPM_LOC_CTRL, bits);
	assert_int_equal(f->hashes, 0);
}

static void localities_3_and_4_reset_the_establishment_bit(void **state)
{
	struct fixture *f = begin(state, 0x1f, false);

	f->drtm = true;
	cvtpm_crb_reset(&f->crb);
	assert_int_equal(get(f, 0, TPM_LOC_STATE), 0x80);
	for (unsigned l = 0; l < 3; l++)
		put(f, l, TPM_LOC_CTRL, LOC_CTRL_resetEstablishmentBit);
	assert_int_equal(get(f, 0, TPM_LOC_STATE), 0x80);
	put(f, 3, TPM_LOC_CTRL, LOC_CTRL_resetEstablishmentBit);
	assert_int_equal(get(f, 0, TPM_LOC_STATE), 0x81);
	put(f, 4, TPM_LOC_CTRL, LOC_CTRL_resetEstablishmentBit);
	assert_int_equal(f->flag_resets, 3 + 4);
}

/* ---- interrupts ---- */

static void an_enabled_interrupt_is_raised_and_cleared(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_ready(f, 0);
	assert_int_equal(get(f, 0, TPM_CRB_INT_STS), 0);
	put(f, 0, TPM_CRB_INT_ENABLE, INT_globalInterruptEnable | INT_start);
	put_bytes(f, 0, get_random, sizeof get_random);
	put(f, 0, TPM_CRB_CTRL_START, CTRL_START_Start);
	assert_false(f->line);
	cvtpm_crb_complete(&f->crb, response_a, sizeof response_a);
	assert_true(f->line);
	assert_int_equal(get(f, 0, TPM_CRB_INT_STS), INT_start);
	put(f, 0, TPM_CRB_INT_STS, INT_start);
	assert_int_equal(get(f, 0, TPM_CRB_INT_STS), 0);
	assert_false(f->line);
}

/* ---- reset ---- */

static void reset_gives_reset_values_from_any_state(void **state)
{
	static void (*const to[])(struct fixture *, unsigned) = {to_ready, to_reception,
								 to_execution, to_completion};
	for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
		struct fixture *f = begin(state, 0, false);

		to[i](f, 0);
		put(f, 0, TPM_CRB_INT_ENABLE, 0x8000000f);
		put(f, 0, TPM_CRB_CTRL_CANCEL, 1);
		cvtpm_crb_reset(&f->crb);
		for (uint32_t offset = 0; offset < 0x80; offset += 4)
			assert_int_equal(get(f, 0, offset), crb_registers[offset / 4].reset);
		assert_no_buffer(f, 0, 0xff);
	}
}

static void a_response_from_before_the_reset_is_dropped(void **state)
{
	struct fixture *f = begin(state, 0, false);

	to_execution(f, 0);
	cvtpm_crb_reset(&f->crb);
	assert_int_equal(f->cancels, 1);
	assert_true(cvtpm_crb_in_engine(&f->crb));
	to_execution(f, 0);
	assert_int_equal(f->submits, 1);
	assert_int_equal(cvtpm_crb_complete(&f->crb, response_a, sizeof response_a), 0);
	assert_int_equal(f->submits, 2);
	assert_int_equal(cvtpm_crb_complete(&f->crb, response_b, sizeof response_b), 0);
	assert_buffer(f, 0, response_b, sizeof response_b);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
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
		cmocka_unit_test(every_register_has_its_reset_value),
		cmocka_unit_test(the_configuration_is_told_in_intf_id_and_addresses),
		cmocka_unit_test(a_wrong_configuration_is_refused),
		cmocka_unit_test(unserved_localities_and_what_lies_beyond_read_as_ones),
		cmocka_unit_test(read_only_registers_keep_their_values),
		cmocka_unit_test(any_size_and_alignment_gives_the_same_bytes),
		cmocka_unit_test(a_byte_write_sets_only_its_byte),
		cmocka_unit_test(an_eight_byte_write_reaches_both_registers),
		cmocka_unit_test(idle_cmd_ready_leads_to_ready),
		cmocka_unit_test(idle_go_idle_stays_idle),
		cmocka_unit_test(idle_data_and_start_are_ignored),
		cmocka_unit_test(ready_go_idle_leads_to_idle),
		cmocka_unit_test(ready_cmd_ready_stays_ready),
		cmocka_unit_test(ready_data_leads_to_reception),
		cmocka_unit_test(ready_start_without_a_command_answers_command_size),
		cmocka_unit_test(both_requests_at_once_are_ignored),
		cmocka_unit_test(reception_start_leads_to_execution),
		cmocka_unit_test(reception_cmd_ready_discards_the_command),
		cmocka_unit_test(reception_go_idle_discards_the_command),
		cmocka_unit_test(a_header_with_a_wrong_size_answers_command_size),
		cmocka_unit_test(half_a_command_answers_command_size),
		cmocka_unit_test(a_command_may_fill_the_buffer),
		cmocka_unit_test(execution_ends_in_completion_with_the_response),
		cmocka_unit_test(a_synchronous_engine_completes_within_start),
		cmocka_unit_test(execution_ignores_go_idle_cmd_ready_data_and_start),
		cmocka_unit_test(execution_cancel_asks_the_engine_once),
		cmocka_unit_test(cancel_stays_until_software_clears_it),
		cmocka_unit_test(a_response_that_is_none_is_a_fatal_error_until_reset),
		cmocka_unit_test(an_engine_that_takes_no_command_is_a_fatal_error),
		cmocka_unit_test(a_completion_that_nobody_waits_for_is_refused),
		cmocka_unit_test(completion_go_idle_clears_the_response),
		cmocka_unit_test(completion_retry_keeps_the_response),
		cmocka_unit_test(completion_without_bypass_needs_idle_first),
		cmocka_unit_test(completion_with_bypass_cmd_ready_leads_to_ready),
		cmocka_unit_test(completion_with_bypass_data_begins_the_next_command),
		cmocka_unit_test(completion_start_without_data_runs_nothing),
		cmocka_unit_test(request_access_is_granted_when_nobody_has_it),
		cmocka_unit_test(a_request_waits_and_the_highest_is_served_first),
		cmocka_unit_test(a_waiting_request_can_be_taken_back),
		cmocka_unit_test(a_higher_locality_seizes),
		cmocka_unit_test(a_lower_or_equal_locality_does_not_seize),
		cmocka_unit_test(only_the_active_locality_acts),
		cmocka_unit_test(a_seized_command_is_told_to_end_and_its_response_dropped),
		cmocka_unit_test(a_command_behind_an_aborted_one_gets_its_own_response),
		cmocka_unit_test(a_relinquished_response_is_gone),
		cmocka_unit_test(more_than_one_wish_in_loc_ctrl_is_ignored),
		cmocka_unit_test(the_old_owners_cancel_does_not_reach_the_new_owner),
		cmocka_unit_test(locality_4_hashes_and_leaves),
		cmocka_unit_test(hash_data_longer_than_written_ends_the_sequence),
		cmocka_unit_test(a_refused_hash_start_leaves_locality_4),
		cmocka_unit_test(without_locality_4_nobody_hashes),
		cmocka_unit_test(localities_3_and_4_reset_the_establishment_bit),
		cmocka_unit_test(an_enabled_interrupt_is_raised_and_cleared),
		cmocka_unit_test(reset_gives_reset_values_from_any_state),
		cmocka_unit_test(a_response_from_before_the_reset_is_dropped),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
