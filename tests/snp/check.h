/* What the tests of this folder share: cmocka, and files of tests/data. */
#ifndef CVTPM_TESTS_SNP_CHECK_H
#define CVTPM_TESTS_SNP_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* cmocka needs the above before it */
#include <cmocka.h>

/* Reads a file of tests/data of exactly `len` bytes. */
static inline void read_data(const char *name, uint8_t *out, size_t len)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", TEST_DATA, name);
	file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fread(out, 1, len, file), len);
	assert_int_equal(fgetc(file), EOF);
	fclose(file);
}

/* The key of the messages in tests/data/guestmsg: 00, 01, ... 1f. */
static inline void counting_bytes(uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)i;
}

#endif
