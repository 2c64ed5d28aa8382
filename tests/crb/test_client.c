/* The client against the page, and against pages that misbehave. Time is the
 * test's own: each wait is one millisecond, in which the server polls. */
#include "crb/registers.h"
#include "cvtpm/crb.h"
#include "cvtpm/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	_Alignas(4096) uint8_t memory[4 * 4096];
	struct cvtpm_crb crb;
	struct cvtpm_crb_page page;
	struct cvtpm_crb_bus bus;
	struct cvtpm_crb_client client;
	uint64_t now;
	unsigned submits, doorbells, log_len;
	uint64_t answer_after; /* a command takes so many ms */
	uint64_t submitted_at;
	bool cancelled, engine_cancelled, ignore_cancel, dead;
	uint32_t log[64]; /* offset of each register written */
};

static const uint8_t get_random[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 8};
static const uint8_t response_a[] = {0x80, 0x01, 0, 0, 0, 14, 0, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa};
static const uint8_t canceled[] = {0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x09, 0x09};

static int submit(void *context, uint8_t locality, const uint8_t *command, size_t len)
{
	struct fixture *f = context;

	(void)locality;
	assert_int_equal(len, sizeof get_random);
	assert_memory_equal(command, get_random, len);
	f->submits++;
	f->submitted_at = f->now;
	return 0;
}

static void cancel(void *context)
{
	((struct fixture *)context)->engine_cancelled = true;
}

static void serve(struct fixture *f)
{
	if (f->dead)
		return;
	cvtpm_crb_page_poll(&f->page);
	if (!cvtpm_crb_in_engine(&f->crb))
		return;
	if (f->engine_cancelled && !f->ignore_cancel)
		cvtpm_crb_complete(&f->crb, canceled, sizeof canceled);
	else if (f->now - f->submitted_at >= f->answer_after)
		cvtpm_crb_complete(&f->crb, response_a, sizeof response_a);
	cvtpm_crb_page_poll(&f->page);
}

static uint32_t read32(void *context, uint32_t offset)
{
	return cvtpm_crb_memory_read32(((struct fixture *)context)->memory, offset);
}

static void write32(void *context, uint32_t offset, uint32_t value)
{
	struct fixture *f = context;

	if (f->log_len < 64)
		f->log[f->log_len++] = offset;
	cvtpm_crb_memory_write32(f->memory, offset, value);
}

static void read_bytes(void *context, uint32_t offset, uint8_t *bytes, size_t len)
{
	cvtpm_crb_memory_read_bytes(((struct fixture *)context)->memory, offset, bytes, len);
}

static void write_bytes(void *context, uint32_t offset, const uint8_t *bytes, size_t len)
{
	cvtpm_crb_memory_write_bytes(((struct fixture *)context)->memory, offset, bytes, len);
}

static uint64_t clock_ms(void *context)
{
	return ((struct fixture *)context)->now;
}

static void wait_ms(void *context, unsigned looks)
{
	(void)looks;
	((struct fixture *)context)->now++;
	serve(context);
}

static void doorbell(void *context)
{
	((struct fixture *)context)->doorbells++;
	serve(context);
}

static bool cancelled(void *context)
{
	return ((struct fixture *)context)->cancelled;
}

static struct fixture *begin(void **state, unsigned localities)
{
	struct fixture *f = *state;
	struct cvtpm_crb_config config = {
		.callbacks = {.context = f, .submit = submit, .cancel = cancel},
		.localities = localities,
	};

	memset(f, 0, sizeof *f);
	f->bus = (struct cvtpm_crb_bus){f,        read32,  write32,  read_bytes, write_bytes,
					clock_ms, wait_ms, doorbell, cancelled};
	assert_int_equal(cvtpm_crb_init(&f->crb, &config), 0);
	assert_int_equal(cvtpm_crb_page_init(&f->page, &f->crb, f->memory, sizeof f->memory), 0);
	return f;
}

static int open_client(struct fixture *f, enum cvtpm_crb_start_method method, uint8_t locality)
{
	return cvtpm_crb_client_open(&f->client, &f->bus, method, locality);
}

static int transmit(struct fixture *f, uint8_t *response, size_t *len)
{
	return cvtpm_crb_client_transmit(&f->client, get_random, sizeof get_random, response, len);
}

static void assert_answered(struct fixture *f)
{
	uint8_t response[64];
	size_t len = sizeof response;

	assert_int_equal(transmit(f, response, &len), 0);
	assert_int_equal(len, sizeof response_a);
	assert_memory_equal(response, response_a, len);
}

static void start_method_7_writes_in_the_drivers_order(void **state)
{
	static const uint32_t order[] = {
		TPM_LOC_CTRL,       TPM_CRB_CTRL_REQ, TPM_CRB_CTRL_CANCEL,
		TPM_CRB_CTRL_START, TPM_CRB_CTRL_REQ, TPM_LOC_CTRL,
	};
	struct fixture *f = begin(state, 0);

	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 0), 0);
	assert_int_equal(f->client.buffer_size, 3968);
	assert_int_equal(f->crb.state, CVTPM_CRB_IDLE);
	f->log_len = 0;
	assert_answered(f);
	assert_int_equal(f->log_len, 6);
	assert_memory_equal(f->log, order, sizeof order);
	assert_int_equal(read32(f, TPM_LOC_STATE), 0x81);
	assert_answered(f);
	assert_int_equal(f->doorbells, 0);
}

static void start_method_8_writes_cancel_and_start_only(void **state)
{
	static const uint32_t order[] = {TPM_CRB_CTRL_CANCEL, TPM_CRB_CTRL_START};
	struct fixture *f = begin(state, 0);

	assert_int_equal(open_client(f, CVTPM_CRB_START_ACPI, 0), 0);
	assert_answered(f);
	assert_int_equal(f->log_len, 2);
	assert_memory_equal(f->log, order, sizeof order);
	assert_answered(f);
	assert_int_equal(f->doorbells, 2);
}

static void other_localities_work_where_they_are_served(void **state)
{
	struct fixture *f = begin(state, 0xf);

	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 3), 0);
	assert_answered(f);
	f = begin(state, 0x1);
	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 3), CVTPM_ERR_NOT_FOUND);
	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 5), CVTPM_ERR_UNSUPPORTED);
}

static void a_slow_command_is_waited_for(void **state)
{
	struct fixture *f = begin(state, 0);

	f->answer_after = 100000;
	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 0), 0);
	assert_answered(f);
	assert_false(f->engine_cancelled);
}

static void a_command_that_takes_too_long_is_cancelled(void **state)
{
	struct fixture *f = begin(state, 0);
	uint8_t response[64];
	size_t len = sizeof response;

	f->answer_after = 1000000;
	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 0), 0);
	assert_int_equal(transmit(f, response, &len), 0);
	assert_memory_equal(response, canceled, sizeof canceled);
	f->answer_after = 0;
	f->engine_cancelled = false;
	assert_answered(f);
	assert_false(f->engine_cancelled);
}

static void the_user_can_cancel(void **state)
{
	struct fixture *f = begin(state, 0);
	uint8_t response[64];
	size_t len = sizeof response;

	f->answer_after = 1000;
	f->cancelled = true;
	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 0), 0);
	assert_int_equal(transmit(f, response, &len), 0);
	assert_int_equal(len, sizeof canceled);
	assert_memory_equal(response, canceled, sizeof canceled);
	assert_int_equal(read32(f, TPM_CRB_CTRL_CANCEL), 0);
}

static void a_tpm_that_never_ends_is_reported(void **state)
{
	struct fixture *f = begin(state, 0);
	uint8_t response[64];
	size_t len = sizeof response;

	f->answer_after = 1000000;
	f->ignore_cancel = true;
	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 0), 0);
	assert_int_equal(transmit(f, response, &len), CVTPM_ERR_BUSY);
	assert_string_equal(f->client.step, "the end of the cancelled command");
	assert_int_equal(f->crb.state, CVTPM_CRB_IDLE); /* relinquished, so aborted */
}

static void a_dead_server_is_reported(void **state)
{
	struct fixture *f = begin(state, 0);
	uint8_t response[64];
	size_t len = sizeof response;

	f->dead = true;
	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 0), CVTPM_ERR_BUSY);
	assert_string_equal(f->client.step, "the grant of the locality");
	f->dead = false;
	serve(f);
	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 0), 0);
	f->dead = true;
	assert_int_equal(transmit(f, response, &len), CVTPM_ERR_BUSY);
}

static void what_is_no_crb_is_refused(void **state)
{
	struct fixture *f = begin(state, 0);

	f->dead = true;
	write32(f, TPM_CRB_INTF_ID, 0);
	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 0), CVTPM_ERR_NOT_FOUND);
	write32(f, TPM_CRB_INTF_ID, 0xffffffff);
	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 0), CVTPM_ERR_NOT_FOUND);
	write32(f, TPM_CRB_INTF_ID, 0x25810);
	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 0), CVTPM_ERR_UNSUPPORTED);
	write32(f, TPM_CRB_INTF_ID, 0x25811);
	memset(f->memory + 4096, 0, 4096);
	write32(f, 4096 + TPM_CRB_INTF_ID, 0x25811);
	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 1), CVTPM_ERR_UNSUPPORTED);
}

static void impossible_buffers_are_refused(void **state)
{
	static const struct {
		uint32_t reg, value;
	} wrong[] = {
		{TPM_CRB_CTRL_CMD_SIZE, 0xf81},      {TPM_CRB_CTRL_CMD_SIZE, 0x100},
		{TPM_CRB_CTRL_RSP_SIZE, 0x100},      {TPM_CRB_CTRL_CMD_LADDR, 0xfed40100},
		{TPM_CRB_CTRL_RSP_ADDR, 0xfed41080}, {TPM_CRB_CTRL_CMD_SIZE, 0},
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct fixture *f = begin(state, 0);

		f->dead = true;
		write32(f, wrong[i].reg, wrong[i].value);
		assert_int_equal(open_client(f, CVTPM_CRB_START_ACPI, 0), CVTPM_ERR_PEER);
	}
}

static void sizes_are_checked(void **state)
{
	static const uint8_t long_command[CVTPM_CRB_BUFFER_SIZE + 1];
	struct fixture *f = begin(state, 0);
	uint8_t response[64];
	size_t len = sizeof response_a - 1;

	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 0), 0);
	assert_int_equal(transmit(f, response, &len), CVTPM_ERR_SIZE);
	len = sizeof response;
	assert_int_equal(cvtpm_crb_client_transmit(&f->client, long_command, sizeof long_command,
						   response, &len),
			 CVTPM_ERR_SIZE);
	len = 9;
	assert_int_equal(transmit(f, response, &len), CVTPM_ERR_SIZE);
	assert_answered(f);
}

/* A server of its own kind: it puts a response with this size there. */
static uint8_t forged_size[4];

static void forging_wait(void *context, unsigned looks)
{
	struct fixture *f = context;

	(void)looks;
	memcpy(f->memory + TPM_CRB_DATA_BUFFER, canceled, sizeof canceled);
	memcpy(f->memory + TPM_CRB_DATA_BUFFER + 2, forged_size, sizeof forged_size);
	cvtpm_crb_memory_write32(f->memory, TPM_CRB_CTRL_START, 0);
}

static void a_response_with_an_impossible_size_is_refused(void **state)
{
	static const uint8_t sizes[][4] = {{0, 0, 0, 9}, {0, 0, 0x0f, 0x81}, {0xff, 0, 0, 10}};
	uint8_t response[64];

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct fixture *f = begin(state, 0);
		size_t len = sizeof response;

		assert_int_equal(open_client(f, CVTPM_CRB_START_ACPI, 0), 0);
		memcpy(forged_size, sizes[i], sizeof forged_size);
		f->client.bus.doorbell = NULL;
		f->client.bus.wait = forging_wait;
		assert_int_equal(transmit(f, response, &len), CVTPM_ERR_PEER);
		assert_string_equal(f->client.step, "the header of the response");
	}
}

static void a_fatal_error_is_reported(void **state)
{
	struct fixture *f = begin(state, 0);
	uint8_t response[64];
	size_t len = sizeof response;

	assert_int_equal(open_client(f, CVTPM_CRB_START_MMIO, 0), 0);
	f->crb.fatal = true;
	f->crb.changes++;
	assert_int_equal(transmit(f, response, &len), CVTPM_ERR_PEER);
	assert_string_equal(f->client.step, "the status after the command");
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
		cmocka_unit_test(start_method_7_writes_in_the_drivers_order),
		cmocka_unit_test(start_method_8_writes_cancel_and_start_only),
		cmocka_unit_test(other_localities_work_where_they_are_served),
		cmocka_unit_test(a_slow_command_is_waited_for),
		cmocka_unit_test(a_command_that_takes_too_long_is_cancelled),
		cmocka_unit_test(the_user_can_cancel),
		cmocka_unit_test(a_tpm_that_never_ends_is_reported),
		cmocka_unit_test(a_dead_server_is_reported),
		cmocka_unit_test(what_is_no_crb_is_refused),
		cmocka_unit_test(impossible_buffers_are_refused),
		cmocka_unit_test(sizes_are_checked),
		cmocka_unit_test(a_response_with_an_impossible_size_is_refused),
		cmocka_unit_test(a_fatal_error_is_reported),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
