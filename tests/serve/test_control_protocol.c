/* The control channel's parser, byte by byte, and the envelope of state blobs. */
#include "cvtpm/err.h"
#include "host/frame.h"
#include "serve/control_protocol.h"
#include "serve/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void a_request_is_whole_at_its_last_byte_and_not_before(void **state)
{
	/* Bytes of each command with its number, by its number. */
	static const size_t sizes[20] = {0, 4, 8,  4,  4, 5, 4, 8, 4,  4,
					 4, 5, 16, 16, 4, 4, 4, 8, 20, 8};
	struct control_request request;
	uint8_t in[32] = {0};

	(void)state;
	for (uint32_t n = 1; n < 20; n++) {
		frame_put_u32(in, n);
		for (size_t len = 0; len < sizes[n]; len++)
			assert_int_equal(control_look(in, len, &request), CONTROL_MORE);
		assert_int_equal(control_look(in, sizes[n], &request), CONTROL_WHOLE);
		assert_int_equal(request.number, n);
		assert_int_equal(request.used, sizes[n]);
		assert_string_not_equal(control_name(n), "?");
	}
}

static void a_number_that_is_no_command_is_known_at_once(void **state)
{
	static const uint32_t numbers[] = {0, 20, 21, 0x7FFFFFFF, 0x80000001, 0xFFFFFFFF};
	struct control_request request;
	uint8_t in[4];

	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		frame_put_u32(in, numbers[i]);
		assert_int_equal(control_look(in, 3, &request), CONTROL_MORE);
		assert_int_equal(control_look(in, 4, &request), CONTROL_UNKNOWN);
		assert_string_equal(control_name(numbers[i]), "?");
	}
}

static void what_is_asked_for_is_read_from_its_place(void **state)
{
	const uint8_t get[16] = {0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 1, 0};
	const uint8_t info[20] = {0, 0, 0, 18, 1, 1, 1, 1, 0, 0, 0, 7, 0, 0, 0, 9, 5, 5, 5, 5};
	const uint8_t size[8] = {0, 0, 0, 17, 0, 0, 0x0F, 0x80};
	const uint8_t init[8] = {0, 0, 0, 2, 0, 0, 0, 1};
	struct control_request request;

	(void)state;
	assert_int_equal(control_look(get, sizeof get, &request), CONTROL_WHOLE);
	assert_int_equal(request.flags, 1);
	assert_int_equal(request.type, 2);
	assert_int_equal(request.value, 256);
	assert_int_equal(control_look(info, sizeof info, &request), CONTROL_WHOLE);
	assert_int_equal(request.flags, 7);
	assert_int_equal(request.value, 9);
	assert_int_equal(control_look(size, sizeof size, &request), CONTROL_WHOLE);
	assert_int_equal(request.value, 0xF80);
	assert_int_equal(control_look(init, sizeof init, &request), CONTROL_WHOLE);
	assert_int_equal(request.flags, CONTROL_INIT_DELETE_VOLATILE);
}

static void a_size_beyond_the_maximum_is_refused_before_its_bytes_have_come(void **state)
{
	static const struct {
		uint32_t number, max;
		size_t at;
	} streams[] = {{CONTROL_HASH_DATA, CONTROL_HASH_DATA_MAX, 4},
		       {CONTROL_SET_STATEBLOB, CONTROL_BLOB_MAX, 12}};
	struct control_request request;
	uint8_t in[16] = {0};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const uint32_t huge[] = {streams[i].max + 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};

		frame_put_u32(in, streams[i].number);
		for (size_t j = 0; j < sizeof huge / sizeof huge[0]; j++) {
			frame_put_u32(in + streams[i].at, huge[j]);
			assert_int_equal(control_look(in, streams[i].at + 4, &request),
					 CONTROL_TOO_BIG);
		}
		frame_put_u32(in + streams[i].at, streams[i].max);
		assert_int_equal(control_look(in, streams[i].at + 4, &request), CONTROL_WHOLE);
		assert_int_equal(request.stream, streams[i].max);
		assert_int_equal(request.used, streams[i].at + 4);
	}
}

static void a_locality_is_one_byte_or_four(void **state)
{
	const uint8_t alone[] = {0, 0, 0, 5, 3, 0, 0, 0, 14};
	const uint8_t padded[] = {0, 0, 0, 5, 3, 0, 0, 0, 0, 0, 0, 14};
	const uint8_t rubbish[] = {0, 0, 0, 5, 3, 9, 9, 9, 0, 0, 0, 14};
	struct control_request request;

	(void)state;
	assert_int_equal(control_look(alone, 5, &request), CONTROL_WHOLE);
	assert_int_equal(request.used, 5);
	assert_true(request.may_pad);
	assert_int_equal(control_look(alone, 6, &request), CONTROL_MORE);
	assert_int_equal(control_look(alone, sizeof alone, &request), CONTROL_WHOLE);
	assert_int_equal(request.used, 5);
	assert_int_equal(control_look(padded, 8, &request), CONTROL_WHOLE);
	assert_int_equal(request.used, 8);
	for (size_t len = 9; len <= sizeof padded; len++) {
		assert_int_equal(control_look(padded, len, &request), CONTROL_WHOLE);
		assert_int_equal(request.used, 8);
		assert_int_equal(request.locality, 3);
		assert_int_equal(control_look(rubbish, len, &request), CONTROL_WHOLE);
		assert_int_equal(request.used, 8);
	}
}

static void padding_that_comes_late_is_told_from_a_request(void **state)
{
	const uint8_t late[] = {0, 0, 0, 0, 0, 0, 14}, none[] = {0, 0, 0, 14};

	(void)state;
	for (size_t len = 0; len < 4; len++)
		assert_int_equal(control_padding(late, len), -1);
	assert_int_equal(control_padding(late, 4), CONTROL_PADDING);
	assert_int_equal(control_padding(none, 4), 0);
}

/* ---- the envelope ---- */

#define PAYLOAD 10
#define WHOLE   (ENVELOPE_OVERHEAD + PAYLOAD)

static void make(uint8_t blob[WHOLE])
{
	memset(blob + ENVELOPE_HEADER_SIZE, 0x5A, PAYLOAD);
	assert_int_equal(envelope_close(blob, PAYLOAD, CVTPM_BLOB_VOLATILE, "libtpms"), 0);
}

static int opened(const uint8_t *blob, size_t len, enum cvtpm_blob kind, const char *engine)
{
	const uint8_t *payload = NULL;
	const char *why = NULL;
	size_t payload_len = 0;
	const int err = envelope_open(blob, len, kind, engine, &payload, &payload_len, &why);

	if (err == 0) {
		assert_ptr_equal(payload, blob + ENVELOPE_HEADER_SIZE);
		assert_int_equal(payload_len, PAYLOAD);
	} else {
		assert_true(why[0] != '\0');
	}
	return err;
}

static void a_blob_is_opened_as_what_it_was_closed(void **state)
{
	uint8_t blob[WHOLE];

	(void)state;
	make(blob);
	assert_int_equal(opened(blob, WHOLE, CVTPM_BLOB_VOLATILE, "libtpms"), 0);
	assert_int_equal(opened(blob, WHOLE, CVTPM_BLOB_PERMANENT, "libtpms"), CVTPM_ERR_FORMAT);
	assert_int_equal(opened(blob, WHOLE, CVTPM_BLOB_VOLATILE, "native"), CVTPM_ERR_FORMAT);
}

static void a_blob_that_is_altered_in_any_bit_or_cut_anywhere_is_refused(void **state)
{
	uint8_t blob[WHOLE];

	(void)state;
	make(blob);
	for (size_t i = 0; i < 8 * (size_t)WHOLE; i++) {
		blob[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_true(opened(blob, WHOLE, CVTPM_BLOB_VOLATILE, "libtpms") < 0);
		blob[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	for (size_t len = 0; len < WHOLE; len++)
		assert_true(opened(blob, len, CVTPM_BLOB_VOLATILE, "libtpms") < 0);
	assert_int_equal(opened(blob, WHOLE, CVTPM_BLOB_VOLATILE, "libtpms"), 0);
}

static void another_version_is_named_as_such(void **state)
{
	uint8_t blob[WHOLE];

	(void)state;
	make(blob);
	frame_put_u32(blob + 8, ENVELOPE_VERSION_SEALED + 1);
	assert_int_equal(opened(blob, WHOLE, CVTPM_BLOB_VOLATILE, "libtpms"),
			 CVTPM_ERR_UNSUPPORTED);
	frame_put_u32(blob + 8, ENVELOPE_VERSION_SEALED); /* and there is no key */
	assert_int_equal(opened(blob, WHOLE, CVTPM_BLOB_VOLATILE, "libtpms"), CVTPM_ERR_AUTH);
}

/* ---- the sealed envelope ---- */

#define SEALED (ENVELOPE_SEALED_OVERHEAD + PAYLOAD)

static int count_up(void *context, uint8_t *out, size_t len)
{
	uint8_t *next = context;

	for (size_t i = 0; i < len; i++)
		out[i] = (*next)++;
	return 0;
}

static int no_entropy(void *context, uint8_t *out, size_t len)
{
	(void)context, (void)out, (void)len;
	return CVTPM_ERR_ENTROPY;
}

static void seal(uint8_t blob[SEALED], uint8_t key_byte, uint8_t *next)
{
	const struct cvtpm_platform platform = {.context = next, .entropy = count_up};
	uint8_t key[ENVELOPE_KEY_SIZE];

	memset(key, key_byte, sizeof key);
	memset(blob + ENVELOPE_SEALED_BEFORE, 0x5A, PAYLOAD);
	assert_int_equal(
		envelope_seal(blob, PAYLOAD, CVTPM_BLOB_VOLATILE, "libtpms", key, &platform), 0);
}

/* Works on a copy, for it decrypts in place. */
static int unsealed(const uint8_t *blob, size_t len, enum cvtpm_blob kind, uint8_t key_byte)
{
	uint8_t copy[SEALED], key[ENVELOPE_KEY_SIZE], expected[PAYLOAD];
	const uint8_t *payload = NULL;
	const char *why = NULL;
	size_t payload_len = 0;

	memset(key, key_byte, sizeof key);
	memset(expected, 0x5A, sizeof expected);
	memcpy(copy, blob, len);
	const int err =
		envelope_unseal(copy, len, kind, "libtpms", key, &payload, &payload_len, &why);

	if (err == 0) {
		assert_int_equal(payload_len, PAYLOAD);
		assert_memory_equal(payload, expected, PAYLOAD);
	} else {
		assert_true(why[0] != '\0');
	}
	return err;
}

static void a_sealed_blob_opens_with_its_key_alone(void **state)
{
	uint8_t blob[SEALED], next = 0;

	(void)state;
	seal(blob, 1, &next);
	assert_int_equal(unsealed(blob, SEALED, CVTPM_BLOB_VOLATILE, 1), 0);
	assert_int_equal(unsealed(blob, SEALED, CVTPM_BLOB_VOLATILE, 2), CVTPM_ERR_AUTH);
	assert_int_equal(unsealed(blob, SEALED, CVTPM_BLOB_PERMANENT, 1), CVTPM_ERR_FORMAT);
	assert_int_equal(opened(blob, SEALED, CVTPM_BLOB_VOLATILE, "libtpms"), CVTPM_ERR_AUTH);
}

static void a_sealed_blob_that_is_altered_in_any_bit_or_cut_anywhere_is_refused(void **state)
{
	uint8_t blob[SEALED], next = 0;

	(void)state;
	seal(blob, 1, &next);
	for (size_t i = 0; i < 8 * (size_t)SEALED; i++) {
		blob[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_true(unsealed(blob, SEALED, CVTPM_BLOB_VOLATILE, 1) < 0);
		blob[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	for (size_t len = 0; len < SEALED; len++)
		assert_true(unsealed(blob, len, CVTPM_BLOB_VOLATILE, 1) < 0);
	assert_int_equal(unsealed(blob, SEALED, CVTPM_BLOB_VOLATILE, 1), 0);
}

static void a_clear_blob_is_refused_where_there_is_a_key(void **state)
{
	uint8_t blob[WHOLE];

	(void)state;
	make(blob);
	assert_int_equal(unsealed(blob, WHOLE, CVTPM_BLOB_VOLATILE, 1), CVTPM_ERR_AUTH);
	frame_put_u32(blob + 8, ENVELOPE_VERSION_SEALED + 1);
	assert_int_equal(unsealed(blob, WHOLE, CVTPM_BLOB_VOLATILE, 1), CVTPM_ERR_UNSUPPORTED);
}

static void no_two_sealed_blobs_are_alike_and_none_is_made_without_entropy(void **state)
{
	const struct cvtpm_platform platform = {.entropy = no_entropy};
	uint8_t a[SEALED], b[SEALED], next = 0;

	(void)state;
	seal(a, 1, &next);
	seal(b, 1, &next);
	assert_memory_equal(a, b, ENVELOPE_HEADER_SIZE);
	assert_memory_not_equal(a + ENVELOPE_SEALED_BEFORE, b + ENVELOPE_SEALED_BEFORE, PAYLOAD);
	assert_int_equal(envelope_seal(a, PAYLOAD, CVTPM_BLOB_VOLATILE, "libtpms", b, &platform),
			 CVTPM_ERR_ENTROPY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_whole_at_its_last_byte_and_not_before),
		cmocka_unit_test(a_number_that_is_no_command_is_known_at_once),
		cmocka_unit_test(what_is_asked_for_is_read_from_its_place),
		cmocka_unit_test(a_size_beyond_the_maximum_is_refused_before_its_bytes_have_come),
		cmocka_unit_test(a_locality_is_one_byte_or_four),
		cmocka_unit_test(padding_that_comes_late_is_told_from_a_request),
		cmocka_unit_test(a_blob_is_opened_as_what_it_was_closed),
		cmocka_unit_test(a_blob_that_is_altered_in_any_bit_or_cut_anywhere_is_refused),
		cmocka_unit_test(another_version_is_named_as_such),
		cmocka_unit_test(a_sealed_blob_opens_with_its_key_alone),
		cmocka_unit_test(
			a_sealed_blob_that_is_altered_in_any_bit_or_cut_anywhere_is_refused),
		cmocka_unit_test(a_clear_blob_is_refused_where_there_is_a_key),
		cmocka_unit_test(no_two_sealed_blobs_are_alike_and_none_is_made_without_entropy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
