/*
 * States of running hashes and HMACs that somebody made up.
 *
 * What is taken must be just what an export writes, and must go on to a digest like
 * any other state; it may be fed in two pieces as well as in one.
 */
#include "crypto/crypto.h"
#include "cvtpm/err.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void finish(struct cvtpm_hash hash, const uint8_t *rest, size_t len, size_t cut)
{
	uint8_t whole[CVTPM_HASH_MAX_SIZE], pieces[CVTPM_HASH_MAX_SIZE];
	struct cvtpm_hash copy = hash;
	const size_t digest_len = cvtpm_hash_size(hash.alg);
	int err = cvtpm_hash_update(&hash, rest, len);

	if (err) { /* its length would overflow */
		CHECK(err == CVTPM_ERR_SIZE);
		return;
	}
	CHECK(cvtpm_hash_update(&copy, rest, cut) == 0);
	CHECK(cvtpm_hash_update(&copy, rest + cut, len - cut) == 0);
	CHECK(cvtpm_hash_end(&hash, whole) == 0);
	CHECK(cvtpm_hash_end(&copy, pieces) == 0);
	CHECK(memcmp(whole, pieces, digest_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[CVTPM_HMAC_STATE_SIZE], mac[CVTPM_HASH_MAX_SIZE];
	struct cvtpm_hash hash;
	struct cvtpm_hmac hmac;

	if (size < CVTPM_HMAC_STATE_SIZE)
		return 0;
	if (cvtpm_hash_import(&hash, data) == 0) {
		cvtpm_hash_export(&hash, again);
		CHECK(memcmp(again, data, CVTPM_HASH_STATE_SIZE) == 0);
		finish(hash, data, size, data[size - 1] % size);
	}
	if (cvtpm_hmac_import(&hmac, data) == 0) {
		cvtpm_hmac_export(&hmac, again);
		CHECK(memcmp(again, data, CVTPM_HMAC_STATE_SIZE) == 0);
		if (cvtpm_hmac_update(&hmac, data, size) == 0)
			CHECK(cvtpm_hmac_end(&hmac, mac) == 0);
	}
	return 0;
}
