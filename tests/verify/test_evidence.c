/*
 * The verifier as a library: every bit of genuine reports counts, and any
 * number of threads may verify.
 */
#include "cvtpm/evidence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A genuine report with what its certificates and its guest call for. */
struct sample {
	const char *report, *leaf, *chain;
	unsigned ca; /* which certificate of the chain file is needed */
	uint32_t vmpl;
	bool allow_debug;
	int64_t at; /* 1764547200 is 2025-12-01 */
};

static const struct sample milan_v2 = {"go-sev-guest/attestation.bin", "go-sev-guest/vcek.testcer",
				       "go-sev-guest/milan.testcer", .allow_debug = true,
				       .at = 1764547200};
static const struct sample milan_v3 = {"coco-trustee/evidence-v1.snpreport.bin",
				       "coco-trustee/evidence-v1.vcek.der",
				       "coco-trustee/milan_ask_ark_asvk.pem", .at = 1764547200};
static const struct sample milan_vlek = {"coco-trustee/test-vlek-report.bin",
					 "coco-trustee/test-vlek.der",
					 "coco-trustee/milan_ask_ark_asvk.pem",
					 .ca = 2,
					 .vmpl = 1,
					 .at = 1764547200};
static const struct sample turin_v5 = {"routex-lua/report-turin-v5.bin",
				       "routex-lua/vcek-chain-turin.pem",
				       "coco-trustee/turin_ask_ark_asvk.pem", .at = 1764547200};

static uint8_t *read_data(const char *name, struct cvtpm_bytes *bytes)
{
	char path[512];
	uint8_t *data = malloc(65536);
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", TEST_DATA, name);
	file = fopen(path, "rb");
	assert_non_null(file);
	assert_non_null(data);
	*bytes = (struct cvtpm_bytes){
		.data = data, .len = fread(data, 1, 65536, file), .name = name};
	fclose(file);
	return data;
}

/* Narrows a PEM file down to its n-th certificate: decoding the others would take
 * most of the time of a loop over all bits. */
static void keep_block(struct cvtpm_bytes *bytes, unsigned n)
{
	static const char begin[] = "-----BEGIN", end[] = "-----END CERTIFICATE-----";
	const uint8_t *at = bytes->data, *limit = bytes->data + bytes->len, *stop;

	for (;; n--) {
		at = memmem(at, (size_t)(limit - at), begin, sizeof(begin) - 1);
		assert_non_null(at);
		stop = memmem(at, (size_t)(limit - at), end, sizeof(end) - 1);
		assert_non_null(stop);
		stop += sizeof(end) - 1;
		if (n == 0)
			break;
		at = stop;
	}
	bytes->len = (size_t)(stop - at);
	memmove((uint8_t *)(uintptr_t)bytes->data, at, bytes->len);
}

/* Everything for one verification; `report` may be altered. */
struct loaded {
	uint8_t *report;
	struct cvtpm_bytes certificates[2];
	struct cvtpm_allowed_measurement measurement;
	struct cvtpm_policy policy;
	struct cvtpm_evidence evidence;
	struct cvtpm_verification *v;
};

static void load(struct loaded *l, const struct sample *sample)
{
	*l = (struct loaded){0};
	l->report = read_data(sample->report, &l->evidence.report);
	read_data(sample->leaf, &l->certificates[0]);
	read_data(sample->chain, &l->certificates[1]);
	keep_block(&l->certificates[1], sample->ca);
	if (l->certificates[0].data[0] != 0x30)
		keep_block(&l->certificates[0], 0);
	assert_int_equal(l->evidence.report.len, SNP_REPORT_SIZE);
	memcpy(l->measurement.digest, l->report + 0x90, SNP_MEASUREMENT_SIZE);
	l->policy = (struct cvtpm_policy){.measurements = &l->measurement,
					  .measurement_count = 1,
					  .vmpl = sample->vmpl,
					  .allow_debug = sample->allow_debug,
					  .at = sample->at,
					  .report_only = true};
	l->evidence.certificates = l->certificates;
	l->evidence.certificate_count = 2;
	l->v = malloc(sizeof(*l->v));
	assert_non_null(l->v);
}

static void unload(struct loaded *l)
{
	free(l->report);
	for (size_t i = 0; i < 2; i++)
		free((void *)(uintptr_t)l->certificates[i].data);
	free(l->v);
}

static enum cvtpm_answer judge(struct loaded *l)
{
	assert_int_equal(cvtpm_verify_evidence(&l->evidence, &l->policy, l->v), 0);
	return l->v->answer;
}

static void no_flipped_bit_verifies(const struct sample *sample)
{
	struct loaded l;

	load(&l, sample);
	assert_int_equal(judge(&l), CVTPM_ANSWER_YES);
	for (size_t bit = 0; bit < SNP_REPORT_SIGNED_SIZE * 8; bit++) {
		l.report[bit / 8] ^= (uint8_t)(1 << bit % 8);
		/* A flip may name the other kind of key, which is not at hand: could
		 * not tell. Never yes. */
		if (judge(&l) == CVTPM_ANSWER_YES)
			fail_msg("bit %zu of byte 0x%zx may be flipped", bit % 8, bit / 8);
		l.report[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t at = SNP_REPORT_SIGNED_SIZE; at < SNP_REPORT_SIZE; at++) {
		l.report[at] ^= 0x11;
		if (judge(&l) != CVTPM_ANSWER_NO)
			fail_msg("byte 0x%zx of the signature may be altered", at);
		l.report[at] ^= 0x11;
	}
	assert_int_equal(judge(&l), CVTPM_ANSWER_YES);
	unload(&l);
}

static void no_flipped_bit_of_a_version_2_report_verifies(void **state)
{
	(void)state;
	no_flipped_bit_verifies(&milan_v2);
}

static void no_flipped_bit_of_a_version_3_report_verifies(void **state)
{
	(void)state;
	no_flipped_bit_verifies(&milan_v3);
}

static void no_flipped_bit_of_a_vlek_report_verifies(void **state)
{
	(void)state;
	no_flipped_bit_verifies(&milan_vlek);
}

static void no_flipped_bit_of_a_turin_report_verifies(void **state)
{
	(void)state;
	no_flipped_bit_verifies(&turin_v5);
}

/* Each byte of a VCEK altered in turn: nothing may be said to be genuine. */
static void no_altered_certificate_verifies(void **state)
{
	struct loaded l;
	uint8_t *leaf;

	(void)state;
	load(&l, &milan_v3);
	leaf = (uint8_t *)(uintptr_t)l.certificates[0].data;
	for (size_t at = 0; at < l.certificates[0].len; at++) {
		leaf[at] ^= 0x01;
		if (judge(&l) == CVTPM_ANSWER_YES)
			fail_msg("byte %zu of the VCEK may be altered", at);
		leaf[at] ^= 0x01;
	}
	assert_int_equal(judge(&l), CVTPM_ANSWER_YES);
	unload(&l);
}

static void invalid_certificates_are_refused(void **state)
{
	static const char *const invalid[] = {"coco-trustee/test-vcek-invalid-legacy.der",
					      "coco-trustee/test-vcek-invalid-new.der"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct sample sample = {"coco-trustee/test-report.bin", invalid[i],
					"coco-trustee/milan_ask_ark_asvk.pem", .at = 1764547200};
		struct loaded l;

		load(&l, &sample);
		assert_int_equal(judge(&l), CVTPM_ANSWER_NO);
		unload(&l);
	}
}

static void an_empty_policy_never_says_yes(void **state)
{
	struct cvtpm_policy strictest = {0};
	struct loaded l;

	(void)state;
	load(&l, &milan_v3);
	assert_int_equal(cvtpm_verify_evidence(&l.evidence, &strictest, l.v), 0);
	assert_int_equal(l.v->answer, CVTPM_ANSWER_UNKNOWN);
	l.evidence = (struct cvtpm_evidence){.report = {0}};
	assert_int_equal(cvtpm_verify_evidence(&l.evidence, &strictest, l.v), 0);
	assert_int_equal(l.v->answer, CVTPM_ANSWER_UNKNOWN);
	l.evidence.report.data = l.report;
	unload(&l);
}

static void a_full_list_of_checks_is_a_refusal(void **state)
{
	struct cvtpm_bytes junk[CVTPM_CHECKS_MAX + 20];
	struct loaded l;

	(void)state;
	load(&l, &milan_v3);
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
		junk[i] = (struct cvtpm_bytes){.data = (const uint8_t *)"x", .len = 1};
	l.evidence.certificates = junk;
	l.evidence.certificate_count = sizeof(junk) / sizeof(junk[0]);
	assert_int_equal(judge(&l), CVTPM_ANSWER_NO);
	assert_int_equal(l.v->count, CVTPM_CHECKS_MAX);
	unload(&l);
}

/* ---- threads ---- */

static void *verify_many(void *wanted)
{
	static const struct sample *const samples[] = {&milan_v2, &milan_v3, &milan_vlek,
						       &turin_v5};
	size_t good = 0;

	for (size_t i = 0; i < 40; i++) {
		struct loaded l;

		load(&l, samples[i % 4]);
		if (i % 8 >= 4)
			l.report[0x91] ^= 1;
		good += judge(&l) == (i % 8 >= 4 ? CVTPM_ANSWER_NO : CVTPM_ANSWER_YES);
		unload(&l);
	}
	*(size_t *)wanted = good;
	return NULL;
}

static void eight_threads_verify_at_once(void **state)
{
	pthread_t threads[8];
	size_t good[8] = {0};

	(void)state;
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, verify_many, &good[i]), 0);
	for (size_t i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(good[i], 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_flipped_bit_of_a_version_2_report_verifies),
		cmocka_unit_test(no_flipped_bit_of_a_version_3_report_verifies),
		cmocka_unit_test(no_flipped_bit_of_a_vlek_report_verifies),
		cmocka_unit_test(no_flipped_bit_of_a_turin_report_verifies),
		cmocka_unit_test(no_altered_certificate_verifies),
		cmocka_unit_test(invalid_certificates_are_refused),
		cmocka_unit_test(an_empty_policy_never_says_yes),
		cmocka_unit_test(a_full_list_of_checks_is_a_refusal),
		cmocka_unit_test(eight_threads_verify_at_once),
	};

	return cmocka_run_group_tests_name("evidence", tests, NULL, NULL);
}
