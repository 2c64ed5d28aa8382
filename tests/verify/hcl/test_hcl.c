/*
 * The HCL report of Azure confidential VMs: five genuine ones, from the report's
 * signature to the quote; and what is refused.
 */
#include "cvtpm/err.h"
#include "cvtpm/evidence.h"
#include "cvtpm/hcl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNTIME     0x4C0
#define JSON        0x4D4
#define REPORT_DATA (0x20 + 0x50)

struct blob {
	uint8_t bytes[CVTPM_HCL_MAX_SIZE + 16];
	size_t len;
};

static void load(struct blob *blob, const char *name, const char *suffix)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/coco-trustee/%s%s", TEST_DATA, name, suffix);
	file = fopen(path, "rb");
	assert_non_null(file);
	memset(blob, 0, sizeof(*blob));
	blob->len = fread(blob->bytes, 1, sizeof(blob->bytes), file);
	fclose(file);
	assert_true(blob->len > 0);
}

static const char *const genuine[] = {"evidence-v0", "evidence-v1", "evidence-v2", "evidence-genoa",
				      "hcl-report"};
#define GENUINE (sizeof(genuine) / sizeof(genuine[0]))

static void put32(uint8_t *p, size_t value)
{
	for (size_t i = 0; i < 4; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

static size_t get32(const uint8_t *p)
{
	return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

/* REPORT_DATA for whatever the JSON now is. */
static void bind(struct blob *blob, const void *json, size_t len)
{
	memset(blob->bytes + REPORT_DATA, 0, 64);
	assert_int_equal(EVP_Digest(json, len, blob->bytes + REPORT_DATA, NULL, EVP_sha256(), NULL),
			 1);
}

/* A well-formed blob around any JSON. */
static void make(struct blob *blob, const char *json, size_t len)
{
	load(blob, "evidence-v1", ".hcl.bin");
	assert_true(JSON + len <= CVTPM_HCL_MAX_SIZE);
	memset(blob->bytes + JSON, 0, sizeof(blob->bytes) - JSON);
	memcpy(blob->bytes + JSON, json, len);
	put32(blob->bytes + 8, JSON + len);
	put32(blob->bytes + RUNTIME, 20 + len);
	put32(blob->bytes + RUNTIME + 16, len);
	blob->len = JSON + len;
	bind(blob, json, len);
}

/* ---- genuine ---- */

static void genuine_reports_are_taken_apart_where_their_parts_are(void **state)
{
	struct blob blob, report;
	struct cvtpm_hcl hcl;

	(void)state;
	for (size_t i = 0; i < GENUINE; i++) {
		load(&blob, genuine[i], ".hcl.bin");
		load(&report, genuine[i], ".snpreport.bin");
		assert_true(cvtpm_hcl_is(blob.bytes, blob.len));
		assert_int_equal(cvtpm_hcl_read(blob.bytes, blob.len, &hcl), 0);
		assert_int_equal(report.len, SNP_REPORT_SIZE);
		assert_memory_equal(hcl.report, report.bytes, SNP_REPORT_SIZE);
		assert_int_equal(hcl.version, strcmp(genuine[i], "evidence-genoa") ? 1 : 2);
		assert_int_equal(hcl.runtime_version, 1);
		assert_int_equal(hcl.json[0], '{');
		assert_int_equal(hcl.json[hcl.json_len - 1], '}');
		assert_int_equal(cvtpm_hcl_check_binding(&hcl), 0);
	}
}

static void the_runtime_data_of_genuine_reports_is_read(void **state)
{
	static const uint8_t v2_data[4] = {0x98, 0x2f, 0x5c, 0x6e};
	struct blob blob;
	struct cvtpm_hcl hcl;
	struct cvtpm_hcl_runtime runtime;

	(void)state;
	load(&blob, "evidence-genoa", ".hcl.bin");
	assert_int_equal(cvtpm_hcl_read(blob.bytes, blob.len, &hcl), 0);
	assert_int_equal(cvtpm_hcl_read_runtime(&hcl, &runtime), 0);
	assert_int_equal(runtime.ak.type, CVTPM_TPM_ALG_RSA);
	assert_int_equal(runtime.ak.size, 256);
	assert_int_equal(runtime.ak.n[0], 0xbf); /* "v5q3..." */
	assert_true(runtime.has_user_data);
	assert_int_equal(runtime.console_enabled, CVTPM_HCL_YES);
	assert_int_equal(runtime.secure_boot, CVTPM_HCL_YES);
	assert_int_equal(runtime.tpm_enabled, CVTPM_HCL_YES);
	assert_int_equal(runtime.tpm_persisted, CVTPM_HCL_YES);
	assert_string_equal(runtime.vm_unique_id, "390CBCF5-6C67-4D9B-98EF-C3F1699CC8FC");

	load(&blob, "evidence-v2", ".hcl.bin");
	assert_int_equal(cvtpm_hcl_read(blob.bytes, blob.len, &hcl), 0);
	assert_int_equal(cvtpm_hcl_read_runtime(&hcl, &runtime), 0);
	assert_memory_equal(runtime.user_data, v2_data, sizeof(v2_data));
	assert_int_equal(runtime.tpm_persisted, CVTPM_HCL_NOT_SAID);
}

/* The report inside by its VCEK and AMD's chain. */
static void judge_report(const struct cvtpm_hcl *hcl, const char *vcek, const char *chain)
{
	struct cvtpm_verification *v = malloc(sizeof(*v));
	struct cvtpm_allowed_measurement measurement = {.isolation = CVTPM_ISOLATION_SVSM};
	struct cvtpm_policy policy = {.measurements = &measurement,
				      .measurement_count = 1,
				      .at = 1764547200,
				      .report_only = true};
	struct blob leaf, ca;
	struct cvtpm_bytes certificates[2];
	struct cvtpm_evidence evidence = {
		.report = {.data = hcl->report, .len = SNP_REPORT_SIZE},
		.certificates = certificates,
		.certificate_count = 2,
	};

	assert_non_null(v);
	memcpy(measurement.digest, hcl->report + 0x90, SNP_MEASUREMENT_SIZE);
	load(&leaf, vcek, "");
	load(&ca, chain, "");
	certificates[0] = (struct cvtpm_bytes){.data = leaf.bytes, .len = leaf.len};
	certificates[1] = (struct cvtpm_bytes){.data = ca.bytes, .len = ca.len};
	assert_int_equal(cvtpm_verify_evidence(&evidence, &policy, v), 0);
	assert_int_equal(v->answer, CVTPM_ANSWER_YES);
	free(v);
}

/* The quote by the key that the runtime data names. */
static void judge_quote(const struct cvtpm_hcl_runtime *runtime, const char *name)
{
	struct cvtpm_tpm_signature signature;
	struct cvtpm_quote quote;
	struct blob message, bare;

	load(&message, name, ".quote.bin");
	load(&bare, name, ".quote.sig");
	assert_int_equal(cvtpm_tpm_signature_from_rsassa(bare.bytes, bare.len, CVTPM_TPM_ALG_SHA256,
							 &signature),
			 0);
	assert_int_equal(
		cvtpm_tpm_check_signature(&runtime->ak, &signature, message.bytes, message.len), 0);
	assert_int_equal(cvtpm_quote_read(message.bytes, message.len, &quote), 0);
	bare.bytes[100] ^= 1;
	assert_int_equal(cvtpm_tpm_signature_from_rsassa(bare.bytes, bare.len, CVTPM_TPM_ALG_SHA256,
							 &signature),
			 0);
	assert_int_equal(
		cvtpm_tpm_check_signature(&runtime->ak, &signature, message.bytes, message.len),
		CVTPM_TPM_SIGNATURE_WRONG);
}

static void genuine_evidence_verifies_from_amds_root_to_the_quote(void **state)
{
	static const struct {
		const char *name, *vcek, *chain;
	} samples[] = {
		{"evidence-v0", "evidence-v0.vcek.pem", "milan_ask_ark_asvk.pem"},
		{"evidence-v1", "evidence-v1.vcek.der", "milan_ask_ark_asvk.pem"},
		{"evidence-v2", "evidence-v2.vcek.der", "milan_ask_ark_asvk.pem"},
		{"evidence-genoa", "evidence-genoa.vcek.pem", "genoa_ask_ark_asvk.pem"},
	};
	struct blob blob;
	struct cvtpm_hcl hcl;
	struct cvtpm_hcl_runtime runtime;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		load(&blob, samples[i].name, ".hcl.bin");
		assert_int_equal(cvtpm_hcl_read(blob.bytes, blob.len, &hcl), 0);
		judge_report(&hcl, samples[i].vcek, samples[i].chain);
		assert_int_equal(cvtpm_hcl_read_runtime(&hcl, &runtime), 0);
		judge_quote(&runtime, samples[i].name);
	}
}

/* ---- layout ---- */

static void every_truncation_into_the_content_is_refused(void **state)
{
	struct blob blob;
	struct cvtpm_hcl hcl;

	(void)state;
	for (size_t i = 0; i < GENUINE; i++) {
		load(&blob, genuine[i], ".hcl.bin");
		size_t end = get32(blob.bytes + 8);

		for (size_t len = 0; len < blob.len; len++) {
			/* A copy of exactly that size, so that reading on is seen. */
			uint8_t *copy = malloc(len ? len : 1);

			assert_non_null(copy);
			memcpy(copy, blob.bytes, len);
			assert_int_equal(cvtpm_hcl_read(copy, len, &hcl),
					 len < end ? CVTPM_HCL_TRUNCATED : 0);
			assert_true((hcl.json != NULL) == (len >= end));
			free(copy);
		}
	}
}

static void every_flipped_bit_of_the_json_is_seen(void **state)
{
	struct blob blob;
	struct cvtpm_hcl hcl;
	struct cvtpm_hcl_runtime runtime;

	(void)state;
	for (size_t i = 0; i < GENUINE; i++) {
		load(&blob, genuine[i], ".hcl.bin");
		assert_int_equal(cvtpm_hcl_read(blob.bytes, blob.len, &hcl), 0);
		for (size_t bit = 0; bit < 8 * hcl.json_len; bit++) {
			blob.bytes[JSON + bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(cvtpm_hcl_read(blob.bytes, blob.len, &hcl), 0);
			assert_int_equal(cvtpm_hcl_check_binding(&hcl), CVTPM_HCL_BINDING);
			assert_int_equal(cvtpm_hcl_read_runtime(&hcl, &runtime), CVTPM_HCL_BINDING);
			assert_int_equal(runtime.ak.size, 0);
			blob.bytes[JSON + bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

static void every_flipped_bit_of_report_data_is_seen(void **state)
{
	struct blob blob;
	struct cvtpm_hcl hcl;

	(void)state;
	load(&blob, "evidence-genoa", ".hcl.bin");
	assert_int_equal(cvtpm_hcl_read(blob.bytes, blob.len, &hcl), 0);
	for (size_t bit = 0; bit < (size_t)8 * 64; bit++) {
		blob.bytes[REPORT_DATA + bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(cvtpm_hcl_check_binding(&hcl), CVTPM_HCL_BINDING);
		blob.bytes[REPORT_DATA + bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* Both headers: no bit of them may be another without being noticed, but for the
 * versions, of which there are two. */
static void every_flipped_bit_of_the_headers_is_refused(void **state)
{
	struct blob blob;
	struct cvtpm_hcl hcl;

	(void)state;
	for (size_t i = 0; i < GENUINE; i++) {
		load(&blob, genuine[i], ".hcl.bin");
		for (size_t at = 0; at < JSON; at++) {
			if (at == 0x20)
				at = RUNTIME;
			for (unsigned bit = 0; bit < 8; bit++) {
				blob.bytes[at] ^= (uint8_t)(1u << bit);
				assert_true(cvtpm_hcl_read(blob.bytes, blob.len, &hcl) > 0);
				blob.bytes[at] ^= (uint8_t)(1u << bit);
			}
		}
	}
}

static void each_field_has_its_own_problem(void **state)
{
	static const struct {
		size_t at, value;
		int problem;
	} fields[] = {
		{0, 0x414c4349, CVTPM_HCL_SIGNATURE},
		{4, 0, CVTPM_HCL_VERSION},
		{4, 3, CVTPM_HCL_VERSION},
		{8, 0, CVTPM_HCL_SIZES},
		{8, 2345, CVTPM_HCL_SIZES},
		{8, 2347, CVTPM_HCL_SIZES},
		{8, 0xffffffff, CVTPM_HCL_SIZES},
		{12, 1, CVTPM_HCL_REQUEST_TYPE},
		{12, 3, CVTPM_HCL_REQUEST_TYPE},
		{16, 1, CVTPM_HCL_STATUS},
		{20, 1, CVTPM_HCL_STATUS},
		{28, 0x80000000, CVTPM_HCL_STATUS},
		{RUNTIME, 0, CVTPM_HCL_SIZES},
		{RUNTIME, 19, CVTPM_HCL_SIZES},
		{RUNTIME, 0xffffffff, CVTPM_HCL_SIZES},
		{RUNTIME + 4, 0, CVTPM_HCL_RUNTIME_VERSION},
		{RUNTIME + 4, 3, CVTPM_HCL_RUNTIME_VERSION},
		{RUNTIME + 8, 1, CVTPM_HCL_REPORT_TYPE},
		{RUNTIME + 8, 3, CVTPM_HCL_REPORT_TYPE},
		{RUNTIME + 8, 4, CVTPM_HCL_REPORT_TYPE},
		{RUNTIME + 12, 0, CVTPM_HCL_HASH_TYPE},
		{RUNTIME + 12, 2, CVTPM_HCL_HASH_TYPE},
		{RUNTIME + 12, 3, CVTPM_HCL_HASH_TYPE},
		{RUNTIME + 16, 0, CVTPM_HCL_SIZES},
		{RUNTIME + 16, 1106, CVTPM_HCL_SIZES}, /* a bitmap is for version 2 only */
		{RUNTIME + 16, 0xffffffff, CVTPM_HCL_SIZES},
	};
	struct blob blob;
	struct cvtpm_hcl hcl;

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		load(&blob, "evidence-v1", ".hcl.bin");
		put32(blob.bytes + fields[i].at, fields[i].value);
		assert_int_equal(cvtpm_hcl_read(blob.bytes, blob.len, &hcl), fields[i].problem);
		assert_null(hcl.report);
	}
}

/* All three sizes agree, on something that is not there. */
static void sizes_that_agree_but_point_outside_are_refused(void **state)
{
	struct blob blob;
	struct cvtpm_hcl hcl;

	(void)state;
	load(&blob, "evidence-v1", ".hcl.bin");
	for (size_t len = blob.len - JSON; len < 40000; len += 61) {
		size_t total = JSON + len;

		put32(blob.bytes + 8, total);
		put32(blob.bytes + RUNTIME, 20 + len);
		put32(blob.bytes + RUNTIME + 16, len);
		assert_int_equal(cvtpm_hcl_read(blob.bytes, blob.len, &hcl),
				 total > CVTPM_HCL_MAX_SIZE ? CVTPM_HCL_SIZES
				 : total > blob.len         ? CVTPM_HCL_TRUNCATED
							    : 0);
	}
	/* Sums that wrap around 32 bits. */
	put32(blob.bytes + 8, (size_t)RUNTIME - 20);
	put32(blob.bytes + RUNTIME, 0xffffffec);
	put32(blob.bytes + RUNTIME + 16, 0xffffffd8);
	assert_int_equal(cvtpm_hcl_read(blob.bytes, blob.len, &hcl), CVTPM_HCL_SIZES);
}

static void only_zeros_may_follow(void **state)
{
	struct blob blob;
	struct cvtpm_hcl hcl;

	(void)state;
	load(&blob, "evidence-v1", ".hcl.bin");
	for (size_t at = get32(blob.bytes + 8); at < blob.len; at++) {
		blob.bytes[at] = 1;
		assert_int_equal(cvtpm_hcl_read(blob.bytes, blob.len, &hcl), CVTPM_HCL_PADDING);
		blob.bytes[at] = 0;
	}
	assert_int_equal(cvtpm_hcl_read(blob.bytes, CVTPM_HCL_MAX_SIZE, &hcl), 0);
	assert_int_equal(cvtpm_hcl_read(blob.bytes, CVTPM_HCL_MAX_SIZE + 1, &hcl),
			 CVTPM_HCL_TOO_LARGE);
}

static void runtime_header_version_2_may_carry_a_bitmap(void **state)
{
	struct blob blob;
	struct cvtpm_hcl hcl;
	struct cvtpm_hcl_runtime runtime;
	size_t json;

	(void)state;
	load(&blob, "evidence-genoa", ".hcl.bin");
	put32(blob.bytes + RUNTIME + 4, 2);
	assert_int_equal(cvtpm_hcl_read(blob.bytes, blob.len, &hcl), 0);
	assert_int_equal(cvtpm_hcl_read_runtime(&hcl, &runtime), 0);

	json = get32(blob.bytes + RUNTIME + 16);
	memmove(blob.bytes + JSON + 4, blob.bytes + JSON, json);
	put32(blob.bytes + JSON, 15);
	put32(blob.bytes + 8, JSON + 4 + json);
	put32(blob.bytes + RUNTIME, 24 + json);
	assert_int_equal(cvtpm_hcl_read(blob.bytes, blob.len, &hcl), 0);
	assert_int_equal(hcl.runtime_version, 2);
	assert_int_equal(cvtpm_hcl_read_runtime(&hcl, &runtime), 0);
	assert_int_equal(runtime.ak.size, 256);
}

/* ---- runtime data that REPORT_DATA covers, and is wrong ---- */

static int read_json(const char *json, size_t len, struct cvtpm_hcl_runtime *runtime)
{
	struct blob blob;
	struct cvtpm_hcl hcl;

	make(&blob, json, len);
	assert_int_equal(cvtpm_hcl_read(blob.bytes, blob.len, &hcl), 0);
	return cvtpm_hcl_read_runtime(&hcl, runtime);
}

/* The JSON of a genuine report, once with `from` replaced by `to`. */
static int read_with(const char *from, const char *to, struct cvtpm_hcl_runtime *runtime)
{
	struct blob blob;
	char text[4096], *at;
	size_t len;

	load(&blob, "evidence-v1", ".runtime.json");
	at = memmem(blob.bytes, blob.len, from, strlen(from));
	assert_non_null(at);
	len = (size_t)(at - (char *)blob.bytes);
	len = (size_t)snprintf(text, sizeof(text), "%.*s%s%s", (int)len, (char *)blob.bytes, to,
			       at + strlen(from));
	return read_json(text, len, runtime);
}

static void json_with_one_fault_is_refused(void **state)
{
	static const struct {
		const char *from, *to;
		int problem;
	} faults[] = {
		{"{\"keys\":", "[{\"keys\":", CVTPM_HCL_JSON},
		{"{\"keys\":[", "{\"keys\":[],\"keys\":[", CVTPM_HCL_JSON},
		{"{\"keys\":", "{\"Keys\":", CVTPM_HCL_KEY},
		{"{\"keys\":[{", "{\"keys\":[1,null,\"x\",[],{", 0},
		{"HCLAkPub\"", "HCLAkPub\",\"kid\":\"HCLAkPub\"", CVTPM_HCL_JSON},
		{"HCLAkPub", "HCLAk", CVTPM_HCL_KEY},
		{"HCLAkPub", "HCLAkPub\\u0000", CVTPM_HCL_JSON},
		{"HCLEkPub", "HCLAkPub", CVTPM_HCL_KEY},
		{"\"sign\"", "\"encrypt\"", CVTPM_HCL_KEY},
		{"\"sign\"", "\"sign\",\"encrypt\"", CVTPM_HCL_KEY},
		{"[\"sign\"]", "\"sign\"", CVTPM_HCL_KEY},
		{"[\"sign\"]", "[]", CVTPM_HCL_KEY},
		{"\"key_ops\":[\"sign\"],", "", CVTPM_HCL_KEY},
		{"\"kty\":\"RSA\"", "\"kty\":\"EC\"", CVTPM_HCL_KEY},
		{"\"AQAB\"", "\"Aw\"", CVTPM_HCL_KEY},
		{"\"AQAB\"", "65537", CVTPM_HCL_KEY},
		{"\"n\":\"mHS", "\"n\":\"mH=", CVTPM_HCL_KEY},
		{"\"n\":\"mHSR", "\"n\":\"", CVTPM_HCL_KEY},
		{"\"vm-configuration\":{", "\"vm-configuration\":7,\"x\":{", CVTPM_HCL_JSON},
		{"\"secure-boot\":true", "\"secure-boot\":\"true\"", CVTPM_HCL_JSON},
		{"\"secure-boot\":true", "\"secure-boot\":1", CVTPM_HCL_JSON},
		{"\"secure-boot\":true", "\"secure-boot\":null", CVTPM_HCL_JSON},
		{"\"secure-boot\":true", "\"secure-boot\":true,\"secure-boot\":false",
		 CVTPM_HCL_JSON},
		{"26F8BC30-774E", "26F8BC30\\u001b774E", CVTPM_HCL_JSON},
		{"26F8BC30-774E", "26F8BC30-774G", CVTPM_HCL_JSON},
		{"26F8BC30-774E", "26F8BC30-774", CVTPM_HCL_JSON},
		{"\"user-data\":\"00", "\"user-data\":\"", CVTPM_HCL_JSON},
		{"\"user-data\":\"00", "\"user-data\":\"0x", CVTPM_HCL_JSON},
		{"\"user-data\":\"00", "\"user-data\":\"0000", CVTPM_HCL_JSON},
		{"\"user-data\":\"00", "\"user-data\":[],\"y\":\"00", CVTPM_HCL_JSON},
	};
	struct cvtpm_hcl_runtime runtime;

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		int result = read_with(faults[i].from, faults[i].to, &runtime);

		if (result != faults[i].problem)
			print_error("%s -> %s\n", faults[i].from, faults[i].to);
		assert_int_equal(result, faults[i].problem);
		assert_int_equal(runtime.ak.size, result ? 0 : 256);
	}
}

static void members_that_may_be_missing_may_be_missing(void **state)
{
	struct cvtpm_hcl_runtime runtime;

	(void)state;
	assert_int_equal(read_with("\"user-data\"", "\"other\"", &runtime), 0);
	assert_false(runtime.has_user_data);
	assert_int_equal(read_with("\"vm-configuration\"", "\"other\"", &runtime), 0);
	assert_int_equal(runtime.secure_boot, CVTPM_HCL_NOT_SAID);
	assert_string_equal(runtime.vm_unique_id, "");
	assert_int_equal(read_with("\"secure-boot\":true", "\"secure-boot\":false", &runtime), 0);
	assert_int_equal(runtime.secure_boot, CVTPM_HCL_NO);
	assert_int_equal(read_with("\"user-data\":\"00", "\"user-data\":\"aF", &runtime), 0);
	assert_int_equal(runtime.user_data[0], 0xaf);
}

static void what_is_not_json_is_refused(void **state)
{
	static char deep[8192];
	static const char *const texts[] = {"x",    "7",   "\"a\"", "[]",
					    "null", "{}}", "{} x",  "{\"a\":}"};
	struct cvtpm_hcl_runtime runtime;

	(void)state;
	assert_int_equal(read_json("", 0, &runtime), CVTPM_HCL_JSON);
	assert_int_equal(read_json("{}", 2, &runtime), CVTPM_HCL_KEY);
	assert_int_equal(read_json("{}\0", 3, &runtime), CVTPM_HCL_JSON);
	assert_int_equal(read_json("\xff\xfe", 2, &runtime), CVTPM_HCL_JSON);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(read_json(texts[i], strlen(texts[i]), &runtime), CVTPM_HCL_JSON);
	memset(deep, '[', sizeof(deep));
	assert_int_equal(read_json(deep, sizeof(deep), &runtime), CVTPM_HCL_JSON);
}

/* ---- words ---- */

static void every_problem_has_a_name_and_words_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < CVTPM_HCL_PROBLEM_COUNT; i++) {
		assert_true(strlen(cvtpm_hcl_problem_text(i)) > 5);
		for (int j = 0; j < i; j++) {
			assert_string_not_equal(cvtpm_hcl_problem_id(i), cvtpm_hcl_problem_id(j));
			assert_string_not_equal(cvtpm_hcl_problem_text(i),
						cvtpm_hcl_problem_text(j));
		}
	}
	assert_string_equal(cvtpm_hcl_problem_text(CVTPM_ERR_NO_MEMORY),
			    cvtpm_strerror(CVTPM_ERR_NO_MEMORY));
	assert_string_equal(cvtpm_hcl_problem_id(CVTPM_HCL_PROBLEM_COUNT), "hcl-fault");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(genuine_reports_are_taken_apart_where_their_parts_are),
		cmocka_unit_test(the_runtime_data_of_genuine_reports_is_read),
		cmocka_unit_test(genuine_evidence_verifies_from_amds_root_to_the_quote),
		cmocka_unit_test(every_truncation_into_the_content_is_refused),
		cmocka_unit_test(every_flipped_bit_of_the_json_is_seen),
		cmocka_unit_test(every_flipped_bit_of_report_data_is_seen),
		cmocka_unit_test(every_flipped_bit_of_the_headers_is_refused),
		cmocka_unit_test(each_field_has_its_own_problem),
		cmocka_unit_test(sizes_that_agree_but_point_outside_are_refused),
		cmocka_unit_test(only_zeros_may_follow),
		cmocka_unit_test(runtime_header_version_2_may_carry_a_bitmap),
		cmocka_unit_test(json_with_one_fault_is_refused),
		cmocka_unit_test(members_that_may_be_missing_may_be_missing),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(every_problem_has_a_name_and_words_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
