/*
 * Hostile HCL reports. The first byte says what comes: 0, a whole one as it is;
 * else runtime data, around which a well-formed report that covers it is made,
 * because no fuzzer finds a SHA-256.
 */
#include "cvtpm/hcl.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define RUNTIME     0x4C0
#define JSON        0x4D4
#define REPORT_DATA (0x20 + 0x50)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put32(uint8_t *p, size_t value)
{
	for (size_t i = 0; i < 4; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

static void read_all(const uint8_t *bytes, size_t len)
{
	struct cvtpm_hcl_runtime runtime;
	struct cvtpm_hcl hcl;
	int result = cvtpm_hcl_read(bytes, len, &hcl);

	if (!result)
		result = cvtpm_hcl_read_runtime(&hcl, &runtime);
	if (!result && (runtime.ak.size < 256 || runtime.ak.size > CVTPM_TPM_RSA_MAX ||
			strlen(runtime.vm_unique_id) > 36))
		abort();
	if (!*cvtpm_hcl_problem_text(result) || !*cvtpm_hcl_problem_id(result))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes;

	if (size < 1 || size > CVTPM_HCL_MAX_SIZE)
		return 0;
	if (!data[0]) {
		read_all(data + 1, size - 1);
		return 0;
	}
	data++;
	size--;
	bytes = calloc(1, JSON + size);
	if (!bytes)
		return 0;
	memcpy(bytes, "HCLA", 4);
	put32(bytes + 4, 2);
	put32(bytes + 8, JSON + size);
	put32(bytes + 12, 2);
	put32(bytes + RUNTIME, 20 + size);
	put32(bytes + RUNTIME + 4, 1);
	put32(bytes + RUNTIME + 8, 2);
	put32(bytes + RUNTIME + 12, 1);
	put32(bytes + RUNTIME + 16, size);
	memcpy(bytes + JSON, data, size);
	EVP_Digest(bytes + JSON, size, bytes + REPORT_DATA, NULL, EVP_sha256(), NULL);
	read_all(bytes, JSON + size);
	free(bytes);
	return 0;
}
