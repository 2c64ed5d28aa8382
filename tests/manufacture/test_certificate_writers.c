/* The DER and CBOR writers, octet by octet. */
#include "cvtpm/err.h"
#include "manufacture/cbor.h"
#include "manufacture/der.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t buffer[200000];
static struct der d;
static struct octets out;

static void start(void)
{
	der_start(&d, buffer, sizeof buffer);
	out = (struct octets){.bytes = buffer, .room = sizeof buffer};
}

static void expect(const struct octets *written, const char *hex)
{
	assert_true(octets_fit(written));
	assert_int_equal(written->len, strlen(hex) / 2);
	for (size_t i = 0; i < written->len; i++) {
		char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};

		assert_int_equal(written->bytes[i], strtoul(digits, NULL, 16));
	}
}

/* Each line writes one thing and says what it must be. */
#define DER(call, hex)                                                                             \
	do {                                                                                       \
		start();                                                                           \
		call;                                                                              \
		assert_int_equal(der_finish(&d), 0);                                               \
		expect(&d.out, hex);                                                               \
	} while (0)
#define CBOR(call, hex)                                                                            \
	do {                                                                                       \
		start();                                                                           \
		call;                                                                              \
		expect(&out, hex);                                                                 \
	} while (0)

/* ---- DER ---- */

static void integers_are_positive_and_minimal(void **state)
{
	(void)state;
	DER(der_uint(&d, 0), "020100");
	DER(der_uint(&d, 1), "020101");
	DER(der_uint(&d, 127), "02017f");
	DER(der_uint(&d, 128), "02020080");
	DER(der_uint(&d, 255), "020200ff");
	DER(der_uint(&d, 256), "02020100");
	DER(der_uint(&d, 65537), "0203010001");
	DER(der_uint(&d, UINT32_MAX), "020500ffffffff");
	DER(der_uint(&d, UINT64_MAX), "020900ffffffffffffffff");
	DER(der_integer(&d, (const uint8_t *)"\x00\x00\x00", 3), "020100");
	DER(der_integer(&d, (const uint8_t *)"\x00\x00\x7f\x01", 4), "02027f01");
	DER(der_integer(&d, (const uint8_t *)"\x00\x80", 2), "02020080");
	DER(der_integer(&d, NULL, 0), "020100");
}

static void every_length_has_its_shortest_form(void **state)
{
	(void)state;
	static uint8_t contents[70000];

	for (size_t len = 0; len < sizeof contents; len += len < 300 || len > 65500 ? 1 : 97) {
		size_t head = len < 128 ? 2 : len < 256 ? 3 : len < 65536 ? 4 : 5;
		size_t told = 0;

		start();
		der_element(&d, DER_OCTET_STRING, contents, len);
		assert_int_equal(der_finish(&d), 0);
		assert_int_equal(d.out.len, head + len);
		if (head == 2)
			told = buffer[1];
		else
			assert_int_equal(buffer[1], 0x80 + head - 2);
		for (size_t i = 2; i < head; i++)
			told = told << 8 | buffer[i];
		assert_int_equal(told, len);
	}
}

static void nested_elements_move_up_for_their_lengths(void **state)
{
	(void)state;
	uint8_t contents[200];

	for (size_t i = 0; i < sizeof contents; i++)
		contents[i] = (uint8_t)i;
	start();
	der_begin(&d, DER_SEQUENCE);
	der_uint(&d, 5);
	der_begin(&d, DER_CONTEXT(3));
	der_element(&d, DER_OCTET_STRING, contents, sizeof contents);
	der_end(&d);
	der_null(&d);
	der_end(&d);
	assert_int_equal(der_finish(&d), 0);
	assert_int_equal(d.out.len, 3 + 3 + 3 + 3 + 200 + 2);
	assert_memory_equal(buffer, "\x30\x81\xd3\x02\x01\x05\xa3\x81\xcb\x04\x81\xc8", 12);
	assert_memory_equal(buffer + 12, contents, sizeof contents);
	assert_memory_equal(buffer + 212, "\x05\x00", 2);
}

static void named_bits_have_no_trailing_zeros(void **state)
{
	(void)state;
	DER(der_named_bits(&d, 0), "030100");
	DER(der_named_bits(&d, 1 << 0), "03020780"); /* digitalSignature */
	DER(der_named_bits(&d, 1 << 2), "03020520"); /* keyEncipherment */
	DER(der_named_bits(&d, 1 << 4), "03020308"); /* keyAgreement */
	DER(der_named_bits(&d, 1 << 5), "03020204"); /* keyCertSign */
	DER(der_named_bits(&d, 1 << 5 | 1 << 6), "03020106");
	DER(der_named_bits(&d, 1 << 7), "03020001");
	DER(der_named_bits(&d, 1 << 8), "0303070080"); /* decipherOnly */
	DER(der_named_bits(&d, 0xffff), "030300ffff");
}

static void object_identifiers_are_base_128(void **state)
{
	(void)state;
	DER(der_oid(&d, "2.5.29.15"), "0603551d0f");
	DER(der_oid(&d, "2.5.29.32.0"), "0604551d2000");
	DER(der_oid(&d, "1.2.840.113549.1.1.1"), "06092a864886f70d010101");
	DER(der_oid(&d, "1.3.132.0.34"), "06052b81040022");
	DER(der_oid(&d, "2.23.133.8.1"), "060567810508"
					 "01");
	DER(der_oid(&d, "1.3.6.1.5.5.7.1.35"), "06082b06010505070123");
	DER(der_oid(&d, "2.999.127.128.16383.16384"), "060a8837"
						      "7f8100ff7f818000");
	DER(der_oid(&d, "1.2.4294967295"), "06062a8fffffff7f");
}

static void simple_values_are_exact(void **state)
{
	(void)state;
	DER(der_true(&d), "0101ff");
	DER(der_null(&d), "0500");
	DER(der_utf8(&d, ""), "0c00");
	DER(der_utf8(&d, "id:53544D20"), "0c0b69643a3533353434443230");
	DER(der_begin_bits(&d); der_raw(&d, "\x04", 1); der_end(&d), "03020004");
	DER(der_element(&d, DER_CONTEXT_PRIMITIVE(2), "\x05", 1), "820105");
}

static void expect_time(uint64_t seconds, const char *time, const char *generalized_time)
{
	start();
	der_time(&d, seconds);
	assert_int_equal(buffer[0], strlen(time) == 13 ? DER_UTC_TIME : DER_GENERALIZED_TIME);
	assert_int_equal(buffer[1], strlen(time));
	assert_memory_equal(buffer + 2, time, strlen(time));
	start();
	der_generalized_time(&d, seconds);
	assert_int_equal(buffer[0], DER_GENERALIZED_TIME);
	assert_int_equal(d.out.len, 2 + 15);
	assert_memory_equal(buffer + 2, generalized_time, 15);
}

static void times_change_their_form_in_2050(void **state)
{
	(void)state;
	expect_time(0, "700101000000Z", "19700101000000Z");
	expect_time(951782399, "000228235959Z", "20000228235959Z");
	expect_time(951782400, "000229000000Z", "20000229000000Z");
	expect_time(1709251200, "240301000000Z", "20240301000000Z");
	expect_time(1798761599, "261231235959Z", "20261231235959Z");
	expect_time(2524607999, "491231235959Z", "20491231235959Z");
	expect_time(2524608000, "20500101000000Z", "20500101000000Z");
	expect_time(4107542400, "21000301000000Z", "21000301000000Z"); /* no 29 February */
	expect_time(DER_TIME_MAX, "99991231235959Z", "99991231235959Z");
}

static void calls_that_do_not_match_are_told(void **state)
{
	(void)state;
	start();
	der_begin(&d, DER_SEQUENCE);
	assert_int_equal(der_finish(&d), CVTPM_ERR_PARAM);
	start();
	der_end(&d);
	assert_int_equal(der_finish(&d), CVTPM_ERR_PARAM);
	der_begin(&d, DER_SEQUENCE);
	assert_int_equal(der_finish(&d), CVTPM_ERR_PARAM);
	start();
	for (int i = 0; i < DER_DEPTH_MAX; i++)
		der_begin(&d, DER_SEQUENCE);
	for (int i = 0; i < DER_DEPTH_MAX; i++)
		der_end(&d);
	assert_int_equal(der_finish(&d), 0);
	start();
	for (int i = 0; i <= DER_DEPTH_MAX; i++)
		der_begin(&d, DER_SEQUENCE);
	for (int i = 0; i <= DER_DEPTH_MAX; i++)
		der_end(&d);
	assert_int_equal(der_finish(&d), CVTPM_ERR_PARAM);
}

static void write_a_bit_of_everything(struct der *der)
{
	static const uint8_t contents[300] = {7};

	der_begin(der, DER_SEQUENCE);
	der_oid(der, "2.23.133.2.16");
	der_begin(der, DER_CONTEXT(0));
	der_uint(der, 65537);
	der_named_bits(der, 1 << 8);
	der_end(der);
	der_begin(der, DER_SEQUENCE);
	der_element(der, DER_OCTET_STRING, contents, sizeof contents);
	der_time(der, 0);
	der_end(der);
	cbor_bytes(&der->out, contents, 30);
	der_utf8(der, "end");
	der_end(der);
}

static void too_little_room_is_told_with_the_length_and_nothing_is_written_outside(void **state)
{
	(void)state;
	static uint8_t whole[1000];
	size_t needed;

	der_start(&d, whole, sizeof whole);
	write_a_bit_of_everything(&d);
	assert_int_equal(der_finish(&d), 0);
	needed = d.out.len;

	for (size_t room = 0; room <= needed; room++) {
		/* To the octet, so that AddressSanitizer sees one too many. */
		uint8_t *exact = room == 0 ? NULL : malloc(room);

		der_start(&d, exact, room);
		write_a_bit_of_everything(&d);
		assert_int_equal(der_finish(&d), room < needed ? CVTPM_ERR_SIZE : 0);
		assert_int_equal(d.out.len, needed);
		if (room == needed)
			assert_memory_equal(exact, whole, needed);
		free(exact);
	}
}

static void a_count_never_wraps_round(void **state)
{
	(void)state;
	start();
	out.len = SIZE_MAX - 1;
	octets_put(&out, buffer, 5);
	assert_int_equal(out.len, SIZE_MAX);
	octets_put_byte(&out, 1);
	octets_open_gap(&out, 0, 3);
	assert_int_equal(out.len, SIZE_MAX);
	assert_false(octets_fit(&out));
}

/* ---- CBOR: examples of RFC 8949, appendix A, and the edges between forms ---- */

static void integers_take_the_shortest_form(void **state)
{
	(void)state;
	CBOR(cbor_uint(&out, 0), "00");
	CBOR(cbor_uint(&out, 23), "17");
	CBOR(cbor_uint(&out, 24), "1818");
	CBOR(cbor_uint(&out, 100), "1864");
	CBOR(cbor_uint(&out, 255), "18ff");
	CBOR(cbor_uint(&out, 256), "190100");
	CBOR(cbor_uint(&out, 1000), "1903e8");
	CBOR(cbor_uint(&out, 65535), "19ffff");
	CBOR(cbor_uint(&out, 65536), "1a00010000");
	CBOR(cbor_uint(&out, 1000000), "1a000f4240");
	CBOR(cbor_uint(&out, UINT32_MAX), "1affffffff");
	CBOR(cbor_uint(&out, 1ull << 32), "1b0000000100000000");
	CBOR(cbor_uint(&out, 1000000000000), "1b000000e8d4a51000");
	CBOR(cbor_uint(&out, UINT64_MAX), "1bffffffffffffffff");
}

static void strings_arrays_and_maps_say_their_lengths(void **state)
{
	(void)state;
	CBOR(cbor_bytes(&out, "\x01\x02\x03\x04", 4), "4401020304");
	CBOR(cbor_bytes(&out, NULL, 0), "40");
	CBOR(cbor_bytes_head(&out, 1184), "5904a0");
	CBOR(cbor_text(&out, ""), "60");
	CBOR(cbor_text(&out, "IETF"), "6449455446");
	CBOR(cbor_text(&out, "application/eat-ucs+cbor"),
	     "78186170706c69636174696f6e2f6561742d7563732b63626f72");
	CBOR(cbor_array(&out, 3), "83");
	CBOR(cbor_array(&out, 25), "9819");
	CBOR(cbor_map(&out, 0), "a0");
	CBOR(cbor_map(&out, 4), "a4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_positive_and_minimal),
		cmocka_unit_test(every_length_has_its_shortest_form),
		cmocka_unit_test(nested_elements_move_up_for_their_lengths),
		cmocka_unit_test(named_bits_have_no_trailing_zeros),
		cmocka_unit_test(object_identifiers_are_base_128),
		cmocka_unit_test(simple_values_are_exact),
		cmocka_unit_test(times_change_their_form_in_2050),
		cmocka_unit_test(calls_that_do_not_match_are_told),
		cmocka_unit_test(
			too_little_room_is_told_with_the_length_and_nothing_is_written_outside),
		cmocka_unit_test(a_count_never_wraps_round),
		cmocka_unit_test(integers_take_the_shortest_form),
		cmocka_unit_test(strings_arrays_and_maps_say_their_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
