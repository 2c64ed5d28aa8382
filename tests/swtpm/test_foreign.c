/* What swtpm keeps, from hostile hands: whatever is called a payload lies inside the input. */
#include "cli/swtpm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A file of swtpm's with eight bytes of state, and the same as its control channel gives it. */
static const uint8_t file[] = {2, 1, 0, 10, 0,   0,   0,   0,   0,   24,  0,   1,
			       0, 0, 0, 8,  'a', ' ', 's', 't', 'a', 't', 'e', '!'};
static const uint8_t blob[] = {2,  1, 0, 10, 0, 4, 0, 0,   0,   30,  0,   4,   0,   0,   0,
			       14, 0, 1, 0,  0, 0, 8, 'a', ' ', 's', 't', 'a', 't', 'e', '!'};

/* From memory that ends where the input ends, so that the sanitizer sees a byte too much. */
static const char *opened(const uint8_t *in, size_t len, char state[9])
{
	uint8_t *copy = malloc(len ? len : 1);
	const uint8_t *payload = NULL;
	size_t payload_len = 0;

	assert_non_null(copy);
	memcpy(copy, in, len);
	const char *why = swtpm_foreign_open(copy, len, &payload, &payload_len);

	if (!why) {
		assert_true(payload > copy && payload_len > 0);
		assert_true((size_t)(payload - copy) + payload_len <= len);
		if (payload_len < 9) {
			memcpy(state, payload, payload_len);
			state[payload_len] = '\0';
		}
	} else {
		assert_true(why[0] != '\0');
	}
	free(copy);
	return why;
}

static void both_forms_are_opened(void **state)
{
	char text[9] = "";

	(void)state;
	assert_null(opened(file, sizeof file, text));
	assert_string_equal(text, "a state!");
	strcpy(text, "");
	assert_null(opened(blob, sizeof blob, text));
	assert_string_equal(text, "a state!");
}

static void cut_off_anywhere_they_are_refused(void **state)
{
	char text[9];

	(void)state;
	for (size_t len = 0; len < sizeof file; len++)
		assert_non_null(opened(file, len, text));
	for (size_t len = 0; len < sizeof blob; len++)
		assert_non_null(opened(blob, len, text));
}

static void altered_in_any_bits_they_stay_inside(void **state)
{
	uint8_t bad[sizeof blob];
	char text[9];

	(void)state;
	for (size_t at = 0; at < sizeof blob; at++) {
		for (unsigned value = 0; value < 256; value++) {
			memcpy(bad, blob, sizeof bad);
			bad[at] = (uint8_t)value;
			(void)opened(bad, sizeof bad, text);
			/* and together with a size that is too large */
			bad[14] = 0xFF;
			(void)opened(bad, sizeof bad, text);
		}
	}
}

static void what_is_encrypted_or_empty_is_refused(void **state)
{
	uint8_t bad[sizeof file];
	char text[9];

	(void)state;
	for (uint8_t flag = 1; flag <= 2; flag++) {
		memcpy(bad, file, sizeof bad);
		bad[5] = flag;
		assert_non_null(strstr(opened(bad, sizeof bad, text), "encrypted"));
	}
	memcpy(bad, file, sizeof bad);
	bad[15] = 0;
	assert_non_null(opened(bad, sizeof bad, text));
	bad[0] = bad[1] = 3; /* a later format, which this one cannot read */
	assert_non_null(opened(bad, sizeof bad, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms_are_opened),
		cmocka_unit_test(cut_off_anywhere_they_are_refused),
		cmocka_unit_test(altered_in_any_bits_they_stay_inside),
		cmocka_unit_test(what_is_encrypted_or_empty_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
