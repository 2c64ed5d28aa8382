/* Sample files for the tests of this folder. */
#ifndef TEST_TPM_SAMPLES_H
#define TEST_TPM_SAMPLES_H

#include "cvtpm/err.h"
#include "cvtpm/tpm_evidence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sample {
	uint8_t *data; /* exactly `len` bytes, so that the sanitizer sees a read beyond */
	size_t len;
};

static inline struct sample sample_copy(const uint8_t *data, size_t len)
{
	struct sample s = {.data = malloc(len ? len : 1), .len = len};

	assert_non_null(s.data);
	if (len)
		memcpy(s.data, data, len);
	return s;
}

static inline struct sample sample_read(const char *folder, const char *name, const char *ending)
{
	static uint8_t buffer[65536];
	char path[512];
	FILE *file;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s%s", folder, name, ending);
	file = fopen(path, "rb");
	if (!file)
		fail_msg("%s: cannot be read", path);
	len = fread(buffer, 1, sizeof(buffer), file);
	fclose(file);
	return sample_copy(buffer, len);
}

/* One of ours, data/NAME. */
static inline struct sample ours(const char *name, const char *ending)
{
	return sample_read(VECTORS, name, ending);
}

/* One of Azure's. */
static inline struct sample azure(const char *name, const char *ending)
{
	return sample_read(TEST_DATA "/coco-trustee", name, ending);
}

#endif
