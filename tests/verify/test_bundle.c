/* Bundles, challenges, choices of PCRs and platform certificates, as a library. */
#include "cvtpm/bundle.h"
#include "cvtpm/err.h"
#include "verify/platform_certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t *read_data(const char *name, size_t *len)
{
	uint8_t *data = malloc(1 << 16);
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), TEST_DATA "/%s", name);
	file = fopen(path, "rb");
	assert_non_null(file);
	assert_non_null(data);
	*len = fread(data, 1, 1 << 16, file);
	fclose(file);
	return data;
}

/* ---- bundles ---- */

static size_t make_bundle(uint8_t *out, size_t room)
{
	static const uint8_t bytes[300] = {1, 2, 3};
	struct cvtpm_bundle bundle = {0};

	bundle.item[CVTPM_BUNDLE_AK] = (struct cvtpm_bytes){.data = bytes, .len = 90};
	bundle.item[CVTPM_BUNDLE_IMA_LOG] = (struct cvtpm_bytes){.data = bytes, .len = 300};
	bundle.item[CVTPM_BUNDLE_EK_PUBLIC] = (struct cvtpm_bytes){.data = bytes, .len = 20};
	bundle.item[CVTPM_BUNDLE_PLATFORM_CERTIFICATE] =
		(struct cvtpm_bytes){.data = bytes, .len = 3};
	assert_int_equal(cvtpm_bundle_write(&bundle, out, &room), 0);
	return room;
}

static void a_bundle_is_read_as_it_was_written(void **state)
{
	uint8_t written[1024], again[1024];
	size_t len = make_bundle(written, sizeof(written)), again_len = sizeof(again);
	struct cvtpm_bundle bundle;
	const char *why;

	(void)state;
	assert_int_equal(cvtpm_bundle_read(&bundle, written, len, &why), 0);
	assert_int_equal(bundle.item[CVTPM_BUNDLE_IMA_LOG].len, 300);
	assert_null(bundle.item[CVTPM_BUNDLE_QUOTE].data);
	assert_int_equal(cvtpm_bundle_write(&bundle, again, &again_len), 0);
	assert_int_equal(again_len, len);
	assert_memory_equal(again, written, len);
}

static void a_bundle_without_its_end_is_refused(void **state)
{
	uint8_t written[1024];
	size_t len = make_bundle(written, sizeof(written));
	struct cvtpm_bundle bundle;

	(void)state;
	for (size_t size = 0; size < len; size++) {
		const char *why = NULL;
		uint8_t *exact = malloc(size ? size : 1);

		assert_non_null(exact);
		memcpy(exact, written, size);
		assert_int_equal(cvtpm_bundle_read(&bundle, exact, size, &why), CVTPM_ERR_FORMAT);
		assert_non_null(why);
		free(exact);
	}
}

static void a_bundle_that_does_not_fit_says_its_size(void **state)
{
	uint8_t written[1024];
	size_t len = make_bundle(written, sizeof(written)), room = 10;
	struct cvtpm_bundle bundle;
	const char *why;

	(void)state;
	assert_int_equal(cvtpm_bundle_read(&bundle, written, len, &why), 0);
	assert_int_equal(cvtpm_bundle_write(&bundle, written + 1000, &room), CVTPM_ERR_SIZE);
	assert_int_equal(room, len);
}

static void a_challenge_needs_both_keys(void **state)
{
	struct cvtpm_challenge_secret secret;
	struct cvtpm_challenge challenge;
	struct cvtpm_bundle bundle = {0};
	struct cvtpm_pcr_choice pcrs;
	const char *which = NULL;

	(void)state;
	assert_true(cvtpm_pcr_choice_parse("sha256:0", &pcrs));
	assert_int_equal(cvtpm_challenge_make(&bundle, &pcrs, 1, &challenge, &secret, &which),
			 CVTPM_ERR_NOT_FOUND);
	assert_string_equal(which, "ak");
	bundle.item[CVTPM_BUNDLE_AK] = (struct cvtpm_bytes){.data = (const uint8_t *)"x", .len = 1};
	assert_true(cvtpm_challenge_make(&bundle, &pcrs, 1, &challenge, &secret, &which) > 0);
}

/* ---- PCRs ---- */

static void choices_of_pcrs_are_read_as_people_write_them(void **state)
{
	static const char *const bad[] = {"",          "sha256",     "sha256:",
					  "sha256:24", "sha256:3-1", "sha256:1,",
					  "sha256:1+", "md5:0",      "sha256:0+sha256:1",
					  "sha256:-1", "sha256: 1",  "sha256:99999999999999999999"};
	struct cvtpm_pcr_choice choice;

	(void)state;
	assert_true(cvtpm_pcr_choice_parse("sha256:0-7,10+sha384:23", &choice));
	assert_int_equal(choice.count, 2);
	assert_int_equal(choice.bank[0].alg, CVTPM_TPM_ALG_SHA256);
	assert_int_equal(choice.bank[0].mask, 0x4FF);
	assert_int_equal(choice.bank[1].mask, 0x800000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(cvtpm_pcr_choice_parse(bad[i], &choice));
}

static void pcr_values_are_read_as_they_were_written(void **state)
{
	static const uint8_t value[48] = {7};
	struct cvtpm_pcrs *pcrs = calloc(2, sizeof(*pcrs));
	uint8_t encoded[512];
	size_t len = sizeof(encoded);
	const char *why;

	(void)state;
	assert_non_null(pcrs);
	assert_int_equal(cvtpm_pcrs_set(pcrs, CVTPM_TPM_ALG_SHA384, 23, value, 48), 0);
	assert_int_equal(cvtpm_pcrs_set(pcrs, CVTPM_TPM_ALG_SHA256, 10, value, 32), 0);
	assert_int_equal(cvtpm_pcrs_set(pcrs, CVTPM_TPM_ALG_SHA256, 0, value, 32), 0);
	assert_int_equal(cvtpm_pcrs_encode(pcrs, encoded, &len), 0);
	assert_int_equal(cvtpm_pcrs_decode(&pcrs[1], encoded, len, &why), 0);
	assert_int_equal(cvtpm_pcrs_bank(&pcrs[1], CVTPM_TPM_ALG_SHA256)->given, 0x401);
	assert_int_equal(cvtpm_pcrs_bank(&pcrs[1], CVTPM_TPM_ALG_SHA384)->given, 0x800000);
	for (size_t size = 0; size < len; size++)
		assert_int_equal(cvtpm_pcrs_decode(&pcrs[1], encoded, size, &why),
				 CVTPM_ERR_FORMAT);
	free(pcrs);
}

/* ---- platform certificates ---- */

struct genuine {
	uint8_t *platform, *issuer;
	size_t platform_len, issuer_len;
	struct cert_list certs;
	struct cvtpm_verification *v;
};

static int open_genuine(void **state)
{
	static struct genuine g;
	const char *why;

	g.platform = read_data("go-attestation/Intel_nuc_pc.cer", &g.platform_len);
	g.issuer = read_data("go-attestation/IntelSigningKey_20April2017.cer", &g.issuer_len);
	g.v = calloc(1, sizeof(*g.v));
	*state = &g;
	return g.v && !certs_add(&g.certs,
				 &(struct cvtpm_bytes){.data = g.issuer, .len = g.issuer_len}, &why)
		       ? 0
		       : -1;
}

static int close_genuine(void **state)
{
	struct genuine *g = *state;

	certs_free(&g->certs);
	free(g->platform);
	free(g->issuer);
	free(g->v);
	return 0;
}

static enum cvtpm_check_verdict judge(struct genuine *g, const uint8_t *der, size_t len,
				      const char *id)
{
	const struct cvtpm_bytes bytes = {.data = der, .len = len};

	g->v->count = 0;
	platform_certificate_check(&bytes, NULL, &g->certs, 1600000000, g->v);
	for (size_t i = 0; i < g->v->count; i++)
		if (!strcmp(g->v->checks[i].id, id))
			return g->v->checks[i].verdict;
	return CVTPM_CHECK_NOT_CHECKED;
}

static const char *found(const struct genuine *g, const char *id)
{
	for (size_t i = 0; i < g->v->count; i++)
		if (!strcmp(g->v->checks[i].id, id))
			return g->v->checks[i].found;
	return "";
}

/* Its signature verifies, but is over SHA-1, which is no longer taken. */
static const char weak[] = "with a hash that is too weak to sign with";

static void a_genuine_platform_certificate_is_read_and_its_sha1_refused(void **state)
{
	struct genuine *g = *state;

	assert_int_equal(judge(g, g->platform, g->platform_len, "platform-certificate"),
			 CVTPM_CHECK_OK);
	assert_int_equal(judge(g, g->platform, g->platform_len, "platform-certificate-holder"),
			 CVTPM_CHECK_UNKNOWN);
	assert_int_equal(judge(g, g->platform, g->platform_len, "platform-certificate-dates"),
			 CVTPM_CHECK_OK);
	assert_int_equal(judge(g, g->platform, g->platform_len, "platform-certificate-issuer"),
			 CVTPM_CHECK_REFUSED);
	assert_string_equal(found(g, "platform-certificate-issuer"), weak);
}

static void another_genuine_platform_certificate_is_not_by_that_key(void **state)
{
	struct genuine *g = *state;
	uint8_t *platform;
	size_t len;

	platform = read_data("go-attestation/Intel_nuc1.cer", &len);
	assert_int_equal(judge(g, platform, len, "platform-certificate"), CVTPM_CHECK_OK);
	assert_string_equal(found(g, "platform-certificate-issuer"),
			    "its certificate was not given");
	free(platform);
}

static void every_bit_of_a_platform_certificate_counts(void **state)
{
	struct genuine *g = *state;

	for (size_t bit = 0; bit < 8 * g->platform_len; bit++) {
		g->platform[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(
			judge(g, g->platform, g->platform_len, "platform-certificate-issuer"),
			CVTPM_CHECK_OK);
		assert_string_not_equal(found(g, "platform-certificate-issuer"), weak);
		g->platform[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void a_platform_certificate_without_its_end_is_refused(void **state)
{
	struct genuine *g = *state;
	uint8_t *exact;

	for (size_t len = 0; len < g->platform_len; len++) {
		exact = malloc(len ? len : 1);
		assert_non_null(exact);
		memcpy(exact, g->platform, len);
		assert_int_equal(judge(g, exact, len, "platform-certificate"), CVTPM_CHECK_REFUSED);
		free(exact);
	}
	g->platform[g->platform_len] = 1;
	assert_int_equal(judge(g, g->platform, g->platform_len + 1, "platform-certificate"),
			 CVTPM_CHECK_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bundle_is_read_as_it_was_written),
		cmocka_unit_test(a_bundle_without_its_end_is_refused),
		cmocka_unit_test(a_bundle_that_does_not_fit_says_its_size),
		cmocka_unit_test(a_challenge_needs_both_keys),
		cmocka_unit_test(choices_of_pcrs_are_read_as_people_write_them),
		cmocka_unit_test(pcr_values_are_read_as_they_were_written),
		cmocka_unit_test_setup_teardown(
			a_genuine_platform_certificate_is_read_and_its_sha1_refused, open_genuine,
			close_genuine),
		cmocka_unit_test_setup_teardown(
			another_genuine_platform_certificate_is_not_by_that_key, open_genuine,
			close_genuine),
		cmocka_unit_test_setup_teardown(every_bit_of_a_platform_certificate_counts,
						open_genuine, close_genuine),
		cmocka_unit_test_setup_teardown(a_platform_certificate_without_its_end_is_refused,
						open_genuine, close_genuine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
