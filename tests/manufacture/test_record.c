/* The owner's record on the wire. */
#include "cvtpm/err.h"
#include "manufacture/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct record sample(void)
{
	struct record record = {
		.evidence = true, .lab = true, .made = 0x0102030405060708, .count = 2};

	memset(record.measurement, 0x77, sizeof record.measurement);
	for (size_t i = 0; i < 2; i++) {
		struct record_ek *made = &record.eks[i];

		made->ek = cvtpm_ek_template_at(i + 1);
		made->name_len = i ? 50 : 34;
		memset(made->name, 0x10 + (int)i, made->name_len);
		made->certificate_len = (uint16_t)(1700 + i);
		memset(made->certificate_digest, 0x20 + (int)i, sizeof made->certificate_digest);
	}
	return record;
}

static void a_record_reads_back_as_it_was_written(void **state)
{
	struct record record = sample(), again;
	uint8_t bytes[RECORD_MAX_SIZE], twice[RECORD_MAX_SIZE];
	size_t len = record_write(&record, bytes, sizeof bytes);

	(void)state;
	assert_int_not_equal(len, 0);
	assert_int_equal(record_read(&again, bytes, len), 0);
	assert_true(again.evidence && again.lab);
	assert_int_equal(again.made, record.made);
	assert_int_equal(again.count, 2);
	assert_ptr_equal(again.eks[1].ek, record.eks[1].ek);
	assert_int_equal(again.eks[1].certificate_len, 1701);
	assert_int_equal(record_write(&again, twice, sizeof twice), len);
	assert_memory_equal(bytes, twice, len);
}

static void the_format_does_not_change_by_accident(void **state)
{
	static const uint8_t begin[] = {0, 1, 3, 1, 2, 3, 4, 5, 6, 7, 8};
	struct record record = sample();
	uint8_t bytes[RECORD_MAX_SIZE];
	size_t len = record_write(&record, bytes, sizeof bytes);

	(void)state;
	assert_int_equal(len, 2 + 1 + 8 + 48 + 2 + (2 + 2 + 34 + 2 + 64) + (2 + 2 + 50 + 2 + 64));
	assert_memory_equal(bytes, begin, sizeof begin);
	assert_int_equal(bytes[60], 2);             /* count */
	assert_int_equal(bytes[62], CVTPM_EK_P256); /* kind of the first EK */
	assert_int_equal(bytes[64], 34);            /* length of its name */
	assert_int_equal(bytes[len - 1], 0x21);     /* digest of the second certificate */
}

static void a_truncated_or_lengthened_record_is_refused(void **state)
{
	struct record record = sample(), again;
	uint8_t bytes[RECORD_MAX_SIZE] = {0};
	size_t len = record_write(&record, bytes, sizeof bytes);

	(void)state;
	for (size_t other = 0; other <= len + 1; other++) {
		if (other != len)
			assert_int_equal(record_read(&again, bytes, other), CVTPM_ERR_FORMAT);
	}
}

static void another_version_or_unknown_flag_is_refused(void **state)
{
	struct record record = sample(), again;
	uint8_t bytes[RECORD_MAX_SIZE];
	size_t len = record_write(&record, bytes, sizeof bytes);

	(void)state;
	bytes[1] = RECORD_VERSION + 1;
	assert_int_equal(record_read(&again, bytes, len), CVTPM_ERR_FORMAT);
	bytes[1] = RECORD_VERSION;
	bytes[2] |= 0x80;
	assert_int_equal(record_read(&again, bytes, len), CVTPM_ERR_FORMAT);
}

static void any_changed_byte_is_read_without_harm(void **state)
{
	struct record record = sample(), again;
	uint8_t bytes[RECORD_MAX_SIZE];
	size_t len = record_write(&record, bytes, sizeof bytes);

	(void)state;
	for (size_t at = 0; at < len; at++) {
		uint8_t was = bytes[at];

		for (int value = 0; value < 256; value++) {
			bytes[at] = (uint8_t)value;
			if (record_read(&again, bytes, len) == 0)
				assert_true(again.count <= CVTPM_EK_COUNT);
		}
		bytes[at] = was;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_reads_back_as_it_was_written),
		cmocka_unit_test(the_format_does_not_change_by_accident),
		cmocka_unit_test(a_truncated_or_lengthened_record_is_refused),
		cmocka_unit_test(another_version_or_unknown_flag_is_refused),
		cmocka_unit_test(any_changed_byte_is_read_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
