/* The AML writer: lengths, numbers, names, and what happens when there is no room. */
#include "acpi/aml.h"
#include "cvtpm/acpi.h"
#include "cvtpm/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint8_t table[1 << 21];

static void begin(struct aml *a)
{
	memset(table, 0xEE, sizeof table);
	aml_start(a, table, sizeof table, "SSDT", 2, "TESTTEST");
}

/* What was written behind the header. */
static void assert_body(struct aml *a, const void *bytes, size_t len)
{
	size_t table_len = 0;

	assert_int_equal(aml_finish(a, &table_len), 0);
	assert_int_equal(table_len, AML_HEADER_SIZE + len);
	assert_memory_equal(table + AML_HEADER_SIZE, bytes, len);
	assert_int_equal(table[table_len], 0xEE);
}

#define BODY(a, ...)                                                                               \
	do {                                                                                       \
		static const uint8_t expected_[] = {__VA_ARGS__};                                  \
		assert_body(a, expected_, sizeof expected_);                                       \
	} while (0)

static void a_header_has_length_and_checksum(void **state)
{
	static const uint8_t head[] = {'S', 'S', 'D', 'T', 37, 0, 0, 0, 2};
	struct aml a;
	size_t len;
	uint8_t sum = 0;

	(void)state;
	begin(&a);
	aml_u8(&a, 0x5A);
	assert_int_equal(aml_finish(&a, &len), 0);
	assert_int_equal(len, 37);
	assert_memory_equal(table, head, sizeof head);
	assert_memory_equal(table + 10, "CVTPM TESTTEST", 14);
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + table[i]);
	assert_int_equal(sum, 0);
}

static void numbers_are_as_short_as_can_be(void **state)
{
	struct aml a;

	(void)state;
	begin(&a);
	aml_integer(&a, 0), aml_integer(&a, 1), aml_integer(&a, 2), aml_integer(&a, 0xFF);
	aml_integer(&a, 0x100), aml_integer(&a, 0xFFFF), aml_integer(&a, 0x10000);
	aml_integer(&a, 0xFFFFFFFF), aml_integer(&a, UINT64_C(0x100000000));
	BODY(&a, 0x00, 0x01, 0x0A, 0x02, 0x0A, 0xFF, 0x0B, 0x00, 0x01, 0x0B, 0xFF, 0xFF, 0x0C, 0x00,
	     0x00, 0x01, 0x00, 0x0C, 0xFF, 0xFF, 0xFF, 0xFF, 0x0E, 0, 0, 0, 0, 1, 0, 0, 0);
}

/* An If of `content` bytes: its PkgLength, and where the content then is. */
static void assert_length(size_t content, const uint8_t *length, size_t size)
{
	struct aml a;
	size_t len;

	begin(&a);
	aml_if(&a);
	for (size_t i = 0; i < content; i++)
		aml_u8(&a, (uint8_t)i);
	aml_end(&a);
	assert_int_equal(aml_finish(&a, &len), 0);
	assert_int_equal(len, AML_HEADER_SIZE + 1 + size + content);
	assert_int_equal(table[AML_HEADER_SIZE], 0xA0);
	assert_memory_equal(table + AML_HEADER_SIZE + 1, length, size);
	for (size_t i = 0; i < content; i++)
		assert_int_equal(table[AML_HEADER_SIZE + 1 + size + i], i & 0xFF);
}

static void a_package_length_counts_itself_at_every_boundary(void **state)
{
	(void)state;
	assert_length(0, (uint8_t[]){0x01}, 1);
	assert_length(62, (uint8_t[]){0x3F}, 1);
	assert_length(63, (uint8_t[]){0x41, 0x04}, 2); /* 65 */
	assert_length(4093, (uint8_t[]){0x4F, 0xFF}, 2);
	assert_length(4094, (uint8_t[]){0x81, 0x00, 0x01}, 3); /* 4097 */
	assert_length((1 << 20) - 4, (uint8_t[]){0x8F, 0xFF, 0xFF}, 3);
	assert_length((1 << 20) - 3, (uint8_t[]){0xC1, 0x00, 0x00, 0x01}, 4);
}

static void what_is_nested_moves_with_its_parent(void **state)
{
	struct aml a;

	(void)state;
	begin(&a);
	aml_if(&a);
	aml_if(&a), aml_u8(&a, 0x11), aml_end(&a);
	aml_if(&a), aml_if(&a), aml_u8(&a, 0x22), aml_end(&a), aml_end(&a);
	aml_end(&a);
	BODY(&a, 0xA0, 0x09, 0xA0, 0x02, 0x11, 0xA0, 0x04, 0xA0, 0x02, 0x22);
}

static void strings_and_uuids(void **state)
{
	struct aml a;

	(void)state;
	begin(&a);
	aml_string(&a, "1.3");
	aml_unicode(&a, "TP");
	aml_uuid(&a, "6bbf6cab-5463-4714-b7cd-f0203c0368d4");
	BODY(&a, 0x0D, '1', '.', '3', 0, 0x11, 0x09, 0x0A, 0x06, 'T', 0, 'P', 0, 0, 0, 0x11, 0x13,
	     0x0A, 0x10, 0xAB, 0x6C, 0xBF, 0x6B, 0x63, 0x54, 0x14, 0x47, 0xB7, 0xCD, 0xF0, 0x20,
	     0x3C, 0x03, 0x68, 0xD4);
}

static void ends_that_do_not_match_are_an_error(void **state)
{
	struct aml a;
	size_t len;

	(void)state;
	begin(&a);
	aml_if(&a);
	assert_int_equal(aml_finish(&a, &len), CVTPM_ERR_PARAM);
	begin(&a);
	aml_end(&a);
	assert_int_equal(aml_finish(&a, &len), CVTPM_ERR_PARAM);
	begin(&a);
	for (int i = 0; i <= AML_DEPTH_MAX; i++)
		aml_if(&a);
	for (int i = 0; i <= AML_DEPTH_MAX; i++)
		aml_end(&a);
	assert_int_equal(aml_finish(&a, &len), CVTPM_ERR_PARAM);
}

/* With less room than a table needs, by any number of bytes, nothing is written
 * beyond it, and it is said. */
static void tables_fit_or_are_refused(void **state)
{
	const struct cvtpm_acpi_config config = {
		.page = 0xF000000, .start_method = 8, .ppi = 0xF005000};
	size_t tpm2 = sizeof table, ssdt = sizeof table;

	(void)state;
	assert_int_equal(cvtpm_acpi_tpm2(&config, table, &tpm2), 0);
	assert_int_equal(tpm2, CVTPM_ACPI_TPM2_SIZE);
	assert_int_equal(cvtpm_acpi_ssdt(&config, table, &ssdt), 0);
	assert_true(ssdt <= CVTPM_ACPI_SSDT_MAX_SIZE);
	for (size_t room = 0; room < ssdt; room++) {
		size_t len = room;

		memset(table, 0xEE, ssdt + 8);
		assert_int_equal(cvtpm_acpi_ssdt(&config, table, &len), CVTPM_ERR_SIZE);
		for (size_t i = room; i < ssdt + 8; i++)
			assert_int_equal(table[i], 0xEE);
		len = room;
		assert_int_equal(cvtpm_acpi_tpm2(&config, table, &len),
				 room < tpm2 ? CVTPM_ERR_SIZE : 0);
	}
}

static void configurations_at_the_ends_of_the_address_space(void **state)
{
	const char *why;
	struct cvtpm_acpi_config c = {.page = UINT64_MAX - 0xFFF, .start_method = 7};
	uint8_t out[CVTPM_ACPI_SSDT_MAX_SIZE];
	size_t len = sizeof out;

	(void)state;
	assert_int_equal(cvtpm_acpi_check(&c, &why), CVTPM_ERR_PARAM);
	assert_non_null(strstr(why, "address space"));
	assert_int_equal(cvtpm_acpi_ssdt(&c, out, &len), CVTPM_ERR_PARAM);
	c = (struct cvtpm_acpi_config){.page = 0x100000000, .start_method = 8};
	c.log_address = UINT64_MAX - 10;
	c.log_size = 0x1000;
	assert_int_equal(cvtpm_acpi_check(&c, &why), CVTPM_ERR_PARAM);
	c.log_address = 0x100001000;
	assert_int_equal(cvtpm_acpi_check(&c, &why), 0);
	assert_null(why);
	c.log_size = 0x4000;
	assert_int_equal(cvtpm_acpi_check(&c, NULL), 0);
	c.log_address++; /* the last byte is SeaBIOS's */
	assert_int_equal(cvtpm_acpi_check(&c, NULL), CVTPM_ERR_PARAM);
	c.log_address = 0x100100000;
	assert_int_equal(cvtpm_acpi_check(&c, NULL), 0);
	c.localities = 6;
	assert_int_equal(cvtpm_acpi_check(&c, NULL), CVTPM_ERR_PARAM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_has_length_and_checksum),
		cmocka_unit_test(numbers_are_as_short_as_can_be),
		cmocka_unit_test(a_package_length_counts_itself_at_every_boundary),
		cmocka_unit_test(what_is_nested_moves_with_its_parent),
		cmocka_unit_test(strings_and_uuids),
		cmocka_unit_test(ends_that_do_not_match_are_an_error),
		cmocka_unit_test(tables_fit_or_are_refused),
		cmocka_unit_test(configurations_at_the_ends_of_the_address_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
