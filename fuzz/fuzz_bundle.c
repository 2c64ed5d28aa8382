/*
 * Hostile bundles, challenges and AK files. The first byte says which format is
 * read. What is read is written again and must give the same bytes, since each
 * format has one encoding; and no bundle may be a yes.
 */
#include "cvtpm/bundle.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_same(int written, const uint8_t *again, size_t len, const uint8_t *data,
			 size_t size)
{
	if (written || len != size || memcmp(again, data, size) != 0)
		abort();
}

static void judge(const uint8_t *data, size_t size)
{
	static const struct cvtpm_allowed_measurement any;
	static const struct cvtpm_challenge_secret asked = {
		.pcrs = {.count = 1, .bank = {{CVTPM_TPM_ALG_SHA256, 0xFFFF}}},
		.made_at = INT64_MAX / 2};
	const struct cvtpm_policy policy = {
		.measurements = &any, .measurement_count = 1, .at = 1764547200, .asked = &asked};
	const struct cvtpm_evidence evidence = {.bundle = {.data = data, .len = size}};
	struct cvtpm_verification *v = malloc(sizeof(*v));

	if (v && !cvtpm_verify_evidence(&evidence, &policy, v) && v->answer == CVTPM_ANSWER_YES)
		abort();
	free(v);
}

static void fuzz_bundle(const uint8_t *data, size_t size, uint8_t *again, size_t room)
{
	struct cvtpm_bundle bundle;
	const char *why = NULL;

	if (cvtpm_bundle_read(&bundle, data, size, &why)) {
		if (!why)
			abort();
		return;
	}
	must_be_same(cvtpm_bundle_write(&bundle, again, &room), again, room, data, size);
	judge(data, size);
}

static void fuzz_small(uint8_t which, const uint8_t *data, size_t size, uint8_t *again, size_t room)
{
	struct cvtpm_challenge challenge;
	struct cvtpm_challenge_secret secret;
	struct cvtpm_ak_file ak;
	struct cvtpm_pcrs pcrs;
	const char *why = NULL;

	if (which == 1 && !cvtpm_challenge_read(&challenge, data, size, &why))
		must_be_same(cvtpm_challenge_write(&challenge, again, &room), again, room, data,
			     size);
	if (which == 2 && !cvtpm_challenge_secret_read(&secret, data, size, &why))
		must_be_same(cvtpm_challenge_secret_write(&secret, again, &room), again, room, data,
			     size);
	if (which == 3 && !cvtpm_ak_file_read(&ak, data, size, &why))
		must_be_same(cvtpm_ak_file_write(&ak, again, &room), again, room, data, size);
	if (which == 4 && !cvtpm_pcrs_decode(&pcrs, data, size, &why))
		must_be_same(cvtpm_pcrs_encode(&pcrs, again, &room), again, room, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *again = malloc(size + 1);

	if (again && size) {
		if (data[0] == 0)
			fuzz_bundle(data + 1, size - 1, again, size);
		else
			fuzz_small(data[0], data + 1, size - 1, again, size);
	}
	free(again);
	return 0;
}
