/* The protocols' parsers, byte by byte. */
#include "host/frame.h"
#include "serve/mssim_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t get_random[12] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7B, 0, 8};

static void a_command_is_whole_at_its_last_byte_and_not_before(void **state)
{
	size_t size = 0;

	(void)state;
	for (size_t len = 0; len < sizeof get_random; len++)
		assert_int_equal(frame_look(get_random, len, 4096, &size), FRAME_MORE);
	assert_int_equal(frame_look(get_random, sizeof get_random, 4096, &size), FRAME_WHOLE);
	assert_int_equal(size, sizeof get_random);
}

static void what_follows_a_command_is_not_part_of_it(void **state)
{
	uint8_t two[24];
	size_t size = 0;

	(void)state;
	memcpy(two, get_random, 12);
	memcpy(two + 12, get_random, 12);
	for (size_t len = 12; len <= sizeof two; len++) {
		assert_int_equal(frame_look(two, len, 4096, &size), FRAME_WHOLE);
		assert_int_equal(size, 12);
	}
}

static void a_size_that_cannot_be_right_loses_the_frame(void **state)
{
	static const uint32_t sizes[] = {0, 1, 6, 9, 4097, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
	uint8_t command[12];
	size_t size;

	(void)state;
	memcpy(command, get_random, sizeof command);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		frame_put_u32(command + 2, sizes[i]);
		assert_int_equal(frame_look(command, sizeof command, 4096, &size), FRAME_LOST);
	}
	frame_put_u32(command + 2, 4096);
	assert_int_equal(frame_look(command, sizeof command, 4096, &size), FRAME_MORE);
	assert_int_equal(frame_look(command, sizeof command, 3968, &size), FRAME_LOST);
}

static void an_error_response_is_a_header(void **state)
{
	static const uint8_t expected[10] = {0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x42};
	uint8_t response[10];

	(void)state;
	frame_put_error(response, 0x142);
	assert_memory_equal(response, expected, sizeof expected);
}

static void a_simulator_command_is_whole_at_its_last_byte_and_not_before(void **state)
{
	uint8_t in[9 + 12] = {0, 0, 0, 8, 3, 0, 0, 0, 12};
	struct mssim_request request;

	(void)state;
	memcpy(in + 9, get_random, sizeof get_random);
	for (size_t len = 0; len < sizeof in; len++)
		assert_int_equal(mssim_look(MSSIM_COMMAND_PORT, in, len, 4096, &request),
				 MSSIM_MORE);
	assert_int_equal(mssim_look(MSSIM_COMMAND_PORT, in, sizeof in, 4096, &request),
			 MSSIM_WHOLE);
	assert_int_equal(request.number, MSSIM_SEND_COMMAND);
	assert_int_equal(request.locality, 3);
	assert_ptr_equal(request.data, in + 9);
	assert_int_equal(request.data_len, 12);
	assert_int_equal(request.used, sizeof in);
}

static void a_simulator_command_beyond_the_buffer_is_refused_before_it_has_come(void **state)
{
	static const uint32_t sizes[] = {4097, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
	uint8_t in[9] = {0, 0, 0, 8, 0};
	struct mssim_request request;

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		frame_put_u32(in + 5, sizes[i]);
		assert_int_equal(mssim_look(MSSIM_COMMAND_PORT, in, sizeof in, 4096, &request),
				 MSSIM_TOO_BIG);
	}
	frame_put_u32(in + 5, 4096);
	assert_int_equal(mssim_look(MSSIM_COMMAND_PORT, in, sizeof in, 4096, &request), MSSIM_MORE);
}

static void numbers_belong_to_their_port(void **state)
{
	/* Bits: 1 command port, 2 platform port, in the order of the numbers 0 to 40. */
	static const uint8_t ports[41] = {
		[1] = 2,  [2] = 2,  [3] = 2,  [4] = 2,  [5] = 1,  [6] = 1,  [7] = 1,
		[8] = 1,  [9] = 2,  [10] = 2, [11] = 2, [12] = 2, [13] = 2, [14] = 2,
		[15] = 1, [16] = 1, [17] = 2, [18] = 2, [20] = 3, [21] = 3, [25] = 2,
		[26] = 2, [30] = 2, [35] = 2, [36] = 2};
	struct mssim_request request;
	uint8_t in[16] = {0};

	(void)state;
	for (uint32_t n = 0; n < sizeof ports; n++) {
		frame_put_u32(in, n);
		for (unsigned port = 1; port <= 2; port++)
			assert_int_equal(mssim_look((enum mssim_port)port, in, sizeof in, 4096,
						    &request) != MSSIM_UNKNOWN,
					 (ports[n] & port) != 0);
	}
	frame_put_u32(in, 0xFFFFFFFF);
	assert_int_equal(mssim_look(MSSIM_COMMAND_PORT, in, 4, 4096, &request), MSSIM_UNKNOWN);
}

static void a_number_with_a_value_waits_for_the_value(void **state)
{
	const uint8_t in[8] = {0, 0, 0, 15, 0, 0, 0, 1};
	struct mssim_request request;

	(void)state;
	for (size_t len = 0; len < sizeof in; len++)
		assert_int_equal(mssim_look(MSSIM_COMMAND_PORT, in, len, 4096, &request),
				 MSSIM_MORE);
	assert_int_equal(mssim_look(MSSIM_COMMAND_PORT, in, sizeof in, 4096, &request),
			 MSSIM_WHOLE);
	assert_int_equal(request.value, 1);
	assert_int_equal(request.used, 8);
}

static void hash_data_announces_its_bytes_up_to_the_simulators_buffer(void **state)
{
	uint8_t in[8] = {0, 0, 0, 6};
	struct mssim_request request;

	(void)state;
	frame_put_u32(in + 4, MSSIM_HASH_DATA_MAX);
	assert_int_equal(mssim_look(MSSIM_COMMAND_PORT, in, sizeof in, 4096, &request),
			 MSSIM_WHOLE);
	assert_int_equal(request.value, MSSIM_HASH_DATA_MAX);
	frame_put_u32(in + 4, MSSIM_HASH_DATA_MAX + 1);
	assert_int_equal(mssim_look(MSSIM_COMMAND_PORT, in, sizeof in, 4096, &request),
			 MSSIM_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_is_whole_at_its_last_byte_and_not_before),
		cmocka_unit_test(what_follows_a_command_is_not_part_of_it),
		cmocka_unit_test(a_size_that_cannot_be_right_loses_the_frame),
		cmocka_unit_test(an_error_response_is_a_header),
		cmocka_unit_test(a_simulator_command_is_whole_at_its_last_byte_and_not_before),
		cmocka_unit_test(
			a_simulator_command_beyond_the_buffer_is_refused_before_it_has_come),
		cmocka_unit_test(numbers_belong_to_their_port),
		cmocka_unit_test(a_number_with_a_value_waits_for_the_value),
		cmocka_unit_test(hash_data_announces_its_bytes_up_to_the_simulators_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
