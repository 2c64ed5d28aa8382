/* Manufacture and the life of an instance, on either engine. */
#include "bench.h"

#include "crypto/crypto.h"
#include "manufacture/owner.h"
#include "snp/report.h"

#define ISSUER   0x01C00100
#define PLATFORM 0x01C08000

#define CERTIFICATE_EPHEMERAL  (0x42072401 | TPMA_NV_WRITTEN | TPMA_NV_WRITELOCKED)
#define CERTIFICATE_PERSISTENT (0x42072001 | TPMA_NV_WRITTEN | TPMA_NV_WRITELOCKED)
#define REPORT_EPHEMERAL       (0x42072401 | TPMA_NV_WRITTEN | TPMA_NV_WRITELOCKED)
#define REPORT_PERSISTENT      (0x42074401 | TPMA_NV_WRITTEN | TPMA_NV_WRITELOCKED)

static struct record read_record(struct bench *b)
{
	struct record record;
	uint8_t bytes[RECORD_MAX_SIZE];
	size_t len;

	assert_ok(cvtpm_store_get(&b->store.store, RECORD_KEY, bytes, sizeof bytes, &len));
	assert_ok(record_read(&record, bytes, len));
	return record;
}

/* The EK at its handle as TPM2B_PUBLIC. */
static size_t read_ek(struct bench *b, const struct cvtpm_ek_template *ek, uint8_t *out)
{
	struct tpm_value area;

	assert_ok(tpm_read_public(&b->client, ek->handle, &area));
	out[0] = (uint8_t)(area.len >> 8);
	out[1] = (uint8_t)area.len;
	memcpy(out + 2, area.bytes, area.len);
	return area.len + 2;
}

static const uint8_t *find(const uint8_t *in, size_t len, const uint8_t *what, size_t what_len)
{
	for (size_t i = 0; i + what_len <= len; i++) {
		if (memcmp(in + i, what, what_len) == 0)
			return in + i;
	}
	return NULL;
}

static void check_identity(struct bench *b, const struct record_ek *made)
{
	uint8_t public[CVTPM_EK_PUBLIC_MAX_SIZE], name[CVTPM_EK_NAME_MAX_SIZE];
	uint8_t certificate[CVTPM_CERTIFICATE_MAX_SIZE], digest[64];
	size_t len, name_len;

	/* The EK at its handle is made from the template and is the record's. */
	len = read_ek(b, made->ek, public);
	assert_ptr_equal(cvtpm_ek_template_match(public, len), made->ek);
	assert_ok(cvtpm_ek_name(made->ek, public, name, &name_len));
	assert_int_equal(name_len, made->name_len);
	assert_memory_equal(name, made->name, name_len);

	/* The certificate is the record's, and the report in it is over the EK. */
	assert_ok(cvtpm_hash(CVTPM_SHA512, public, len, digest));
	len = bench_nv(b, made->ek->certificate_index, certificate, sizeof certificate);
	assert_int_equal(len, made->certificate_len);
	assert_non_null(find(certificate, len, digest, sizeof digest));
	assert_non_null(
		find(certificate, len, cvtpm_ek_public_key(made->ek, public), made->ek->size));
	assert_ok(cvtpm_hash(CVTPM_SHA512, certificate, len, digest));
	assert_memory_equal(digest, made->certificate_digest, sizeof digest);
	assert_true(bench_report_is_genuine(b, made->ek));
}

static void an_ephemeral_start_makes_a_whole_tpm(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_MEMORY);
	struct cvtpm_instance_info info;
	struct record record;

	(void)state;
	b->config.eks = 0; /* the default */
	bench_start(b);
	record = read_record(b);
	assert_true(record.evidence && record.lab);
	assert_int_equal(record.measurement[0], 0x77);
	assert_int_equal(record.count, 3);
	for (size_t i = 0; i < record.count; i++) {
		check_identity(b, &record.eks[i]);
		assert_int_equal(bench_nv_attributes(b, record.eks[i].ek->certificate_index),
				 CERTIFICATE_EPHEMERAL);
		assert_int_equal(bench_nv_attributes(b, record.eks[i].ek->report_index),
				 REPORT_EPHEMERAL);
	}
	assert_int_equal(bench_nv_attributes(b, ISSUER), CERTIFICATE_EPHEMERAL);
	assert_int_equal(bench_nv_attributes(b, PLATFORM), CERTIFICATE_EPHEMERAL);
	assert_int_equal(b->provider.reports, 6); /* two for each EK */

	cvtpm_instance_get_info(b->instance, &info);
	assert_true(!info.persistent && info.evidence && info.lab && info.started && !info.failed);
	assert_int_equal(info.eks, CVTPM_EK_RSA2048 | CVTPM_EK_P256 | CVTPM_EK_P384);
	assert_logged(b, "RSA 2048 certificate: ");
	assert_logged(b, " bytes at 0x01C00002");
	assert_logged(b, "report over EK certificate P-384: 1184 bytes from test in ");
	bench_free(b);
}

static void a_persistent_tpm_is_made_apart_and_opened_later(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);
	struct cvtpm_instance_info info;
	struct record record;

	(void)state;
	assert_int_equal(bench_open(b), CVTPM_ERR_NOT_FOUND);
	assert_ok(bench_manufacture(b));
	assert_int_equal(b->store.commits, 1);
	assert_ok(bench_open(b));
	cvtpm_instance_get_info(b->instance, &info);
	assert_true(info.persistent && info.evidence && info.lab && !info.started);
	assert_ok(tpm_startup(&b->client, TPM_SU_CLEAR));

	record = read_record(b);
	assert_int_equal(record.count, 1);
	check_identity(b, &record.eks[0]);
	assert_int_equal(bench_nv_attributes(b, P256->certificate_index), CERTIFICATE_PERSISTENT);
	assert_int_equal(bench_nv_attributes(b, P256->report_index), REPORT_PERSISTENT);
	assert_int_equal(bench_nv_attributes(b, PLATFORM), CERTIFICATE_PERSISTENT);
	bench_close(b);
	assert_int_equal(bench_manufacture(b), CVTPM_ERR_STATE);
	bench_free(b);
}

static int add_sizes(void *context, const char *key, size_t value_len)
{
	(void)key;
	*(size_t *)context += value_len;
	return 0;
}

static void what_manufacture_leaves_is_far_smaller_than_the_room_for_the_copy(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);
	size_t size = 0;

	(void)state;
	b->config.eks = 0;
	assert_ok(bench_manufacture(b));
	assert_ok(cvtpm_store_list(&b->store.store, "", add_sizes, &size));
	assert_in_range(size, 4096, COPY_MAX_SIZE / 2);
	assert_in_range(bench_records(&b->store), 2, COPY_MAX_RECORDS / 2);
	bench_free(b);
}

static void an_rsa_3072_certificate_does_not_fit_and_says_by_how_much(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_MEMORY);

	(void)state;
	b->config.eks = CVTPM_EK_RSA3072;
	if (b->config.engine != &cvtpm_engine_libtpms) { /* larger indices, and it fits */
		assert_ok(bench_open(b));
		bench_free(b);
		return;
	}
	assert_int_equal(bench_open(b), CVTPM_ERR_SIZE);
	assert_logged(b, "the RSA 3072 certificate has 2");
	assert_logged(b, " bytes and an index of this engine holds 2048");
	assert_int_equal(bench_records(&b->store), 0);
	bench_free(b);
}

static void without_a_provider_there_is_a_tpm_but_no_report(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_MEMORY);
	struct cvtpm_instance_info info;
	struct tpm_nv_public public;
	uint8_t certificate[CVTPM_CERTIFICATE_MAX_SIZE];

	(void)state;
	b->config.provider = NULL;
	bench_start(b);
	cvtpm_instance_get_info(b->instance, &info);
	assert_false(info.evidence || info.lab);
	assert_true(bench_nv(b, P256->certificate_index, certificate, sizeof certificate) < 1184);
	assert_rc(b, tpm_nv_read_public(&b->client, P256->report_index, &public), TPM_RC_HANDLE_1);
	bench_free(b);
}

static void the_first_user_sends_the_first_startup(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_MEMORY);
	uint32_t value;

	(void)state;
	assert_ok(bench_open(b));
	assert_rc(b, tpm_get_property(&b->client, TPM_PT_LEVEL, &value), TPM_RC_INITIALIZE);
	assert_ok(cvtpm_instance_startup(b->instance, false));
	assert_ok(tpm_get_property(&b->client, TPM_PT_LEVEL, &value));
	assert_int_equal(cvtpm_instance_startup(b->instance, false), CVTPM_ERR_TPM);
	assert_logged(b, "TPM2_Startup(CLEAR) answered 0x100");
	bench_free(b);
}

static void the_banks_are_those_asked_for(void **state)
{
	static const struct {
		unsigned asked;
		bool sha1, sha256, sha384, sha512;
	} cases[] = {
		{0, false, true, true, false},
		{CVTPM_PCR_SHA256, false, true, false, false},
		{CVTPM_PCR_SHA1 | CVTPM_PCR_SHA512, true, false, false, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bench *b = bench_new(CVTPM_STORE_MEMORY);
		struct tpm_value pcr;

		b->config.pcr_banks = cases[i].asked;
		bench_start(b);
		assert_int_equal(tpm_pcr_read(&b->client, 0, 0x0004, &pcr) == 0, cases[i].sha1);
		assert_int_equal(tpm_pcr_read(&b->client, 0, 0x000B, &pcr) == 0, cases[i].sha256);
		assert_int_equal(tpm_pcr_read(&b->client, 23, 0x000C, &pcr) == 0, cases[i].sha384);
		assert_int_equal(tpm_pcr_read(&b->client, 23, 0x000D, &pcr) == 0, cases[i].sha512);
		bench_free(b);
	}
}

static void an_ephemeral_tpm_survives_a_reset_as_it_is(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_MEMORY);
	struct record before, after;

	(void)state;
	bench_start(b);
	before = read_record(b);
	bench_reboot(b);
	after = read_record(b);
	assert_memory_equal(&before, &after, sizeof before);
	check_identity(b, &after.eks[0]);
	assert_int_equal(b->provider.reports, 2);
	bench_free(b);
}

static void failure_mode_lasts_until_the_next_reset(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_MEMORY);
	struct cvtpm_instance_info info;
	struct tpm_value random;

	(void)state;
	bench_start(b);
	cvtpm_instance_fail_until_reset(b->instance, "a test wants it");
	assert_rc(b, tpm_get_random(&b->client, 8, &random), TPM_RC_FAILURE);
	assert_rc(b, tpm_startup(&b->client, TPM_SU_CLEAR), TPM_RC_FAILURE);
	assert_int_equal(cvtpm_instance_hash_start(b->instance), CVTPM_ERR_STATE);
	cvtpm_instance_get_info(b->instance, &info);
	assert_true(info.failed);
	assert_logged(b, "failure mode until the next reset: a test wants it");
	bench_reboot(b);
	assert_ok(tpm_get_random(&b->client, 8, &random));
	bench_free(b);
}

/* True when the last boot of a persistent TPM ended in order: Startup(STATE) is
 * possible after Shutdown(STATE) only, and TPM_PT_STARTUP_CLEAR.orderly tells. */
static bool ended_in_order(struct bench *b)
{
	uint32_t value;

	assert_ok(tpm_get_property(&b->client, 0x201, &value)); /* TPM_PT_STARTUP_CLEAR */
	return value >> 31;
}

static void closing_shuts_down_what_its_user_did_not(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);

	(void)state;
	bench_start(b);
	assert_true(ended_in_order(b)); /* manufacture's own end */
	bench_reboot(b);
	assert_false(ended_in_order(b)); /* a reset without a shutdown */
	bench_close(b);
	assert_ok(bench_open(b));
	assert_ok(tpm_startup(&b->client, TPM_SU_CLEAR));
	assert_true(ended_in_order(b));
	bench_free(b);
}

static void closing_leaves_a_suspended_tpm_suspended(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);
	static const uint8_t digest[32] = {1};
	struct tpm_value pcr;
	uint8_t before[32];

	(void)state;
	bench_start(b);
	assert_ok(tpm_pcr_extend(&b->client, 5, 0x000B, digest, sizeof digest));
	assert_ok(tpm_pcr_read(&b->client, 5, 0x000B, &pcr));
	memcpy(before, pcr.bytes, sizeof before);
	assert_ok(tpm_shutdown(&b->client, TPM_SU_STATE));
	bench_close(b);
	assert_ok(bench_open(b));
	assert_ok(tpm_startup(&b->client, TPM_SU_STATE));
	assert_ok(tpm_pcr_read(&b->client, 5, 0x000B, &pcr));
	assert_memory_equal(before, pcr.bytes, sizeof before);
	/* A resume renews nothing, and the report is as locked as before. */
	assert_int_equal(b->provider.reports, 3);
	assert_true(bench_report_is_genuine(b, P256));
	bench_free(b);
}

/* ---- the store and the evidence ---- */

static void a_real_report_needs_a_store_that_nobody_else_can_read(void **state)
{
	static const struct {
		enum cvtpm_store_kind kind;
		bool lab, allowed;
	} cases[] = {
		{CVTPM_STORE_PLAIN, false, false},     {CVTPM_STORE_SEALED, false, false},
		{CVTPM_STORE_SEALED_SNP, false, true}, {CVTPM_STORE_PLAIN, true, true},
		{CVTPM_STORE_SEALED, true, true},      {CVTPM_STORE_SEALED_SNP, true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bench *b = bench_new(cases[i].kind);

		b->provider.provider.lab = cases[i].lab;
		assert_int_equal(bench_manufacture(b), cases[i].allowed ? 0 : CVTPM_ERR_POLICY);
		if (cases[i].allowed) {
			assert_ok(bench_open(b));
		} else {
			assert_int_equal(b->provider.reports, 0);
			assert_int_equal(bench_records(&b->store), 0);
			assert_logged(
				b, "only in memory or in a store sealed under the SNP derived key");
		}
		bench_free(b);
	}
}

static void memory_may_hold_a_real_report(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_MEMORY);
	struct cvtpm_instance_info info;

	(void)state;
	b->provider.provider.lab = false;
	bench_start(b);
	cvtpm_instance_get_info(b->instance, &info);
	assert_true(info.evidence && !info.lab);
	bench_free(b);
}

static void evidence_that_moved_into_an_open_store_is_refused(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_SEALED_SNP);

	(void)state;
	b->provider.provider.lab = false;
	assert_ok(bench_manufacture(b));
	b->store.store.kind = CVTPM_STORE_PLAIN; /* the same records, readable */
	assert_int_equal(bench_open(b), CVTPM_ERR_POLICY);
	b->config.provider = NULL;
	assert_int_equal(bench_open(b), CVTPM_ERR_POLICY);
	bench_free(b);
}

static void lab_and_real_evidence_are_not_mixed(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_SEALED_SNP);

	(void)state;
	assert_ok(bench_manufacture(b)); /* lab */
	b->provider.provider.lab = false;
	assert_int_equal(bench_open(b), CVTPM_ERR_POLICY);
	assert_logged(b, "made with evidence of the simulated AMD-SP");
	bench_free(b);
}

static void a_tpm_made_without_evidence_never_gets_any(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);
	struct cvtpm_instance_info info;
	struct tpm_nv_public public;

	(void)state;
	b->config.provider = NULL;
	assert_ok(bench_manufacture(b));
	b->config.provider = &b->provider.provider;
	b->provider.provider.lab = false;
	assert_ok(bench_open(b));
	assert_ok(tpm_startup(&b->client, TPM_SU_CLEAR));
	cvtpm_instance_get_info(b->instance, &info);
	assert_false(info.evidence);
	assert_int_equal(b->provider.reports, 0);
	assert_rc(b, tpm_nv_read_public(&b->client, P256->report_index, &public), TPM_RC_HANDLE_1);
	bench_free(b);
}

static void an_attested_instance_is_neither_exported_nor_replaced(void **state)
{
	static const enum cvtpm_blob kinds[] = {CVTPM_BLOB_PERMANENT, CVTPM_BLOB_VOLATILE,
						CVTPM_BLOB_SAVED};
	static uint8_t blob[1 << 18];
	struct bench *b = bench_new(CVTPM_STORE_MEMORY);

	(void)state;
	bench_start(b); /* with lab evidence: no exception for it */
	for (size_t i = 0; i < 3; i++) {
		size_t len = sizeof blob;

		assert_int_equal(cvtpm_instance_save_state(b->instance, kinds[i], blob, &len),
				 CVTPM_ERR_POLICY);
		assert_int_equal(cvtpm_instance_load_state(b->instance, kinds[i], blob, 1),
				 CVTPM_ERR_POLICY);
	}
	bench_free(b);

	b = bench_new(CVTPM_STORE_MEMORY);
	b->config.provider = NULL;
	bench_start(b);
	size_t len = sizeof blob;
	assert_ok(cvtpm_instance_save_state(b->instance, CVTPM_BLOB_PERMANENT, blob, &len));
	bench_free(b);
}

static void a_tpm_that_was_loaded_is_not_the_owners(void **state)
{
	static uint8_t blob[1 << 18];
	struct bench *b = bench_new(CVTPM_STORE_MEMORY);
	struct cvtpm_instance_info info;
	size_t len = sizeof blob;

	(void)state;
	b->config.provider = NULL;
	bench_start(b);
	assert_ok(cvtpm_instance_save_state(b->instance, CVTPM_BLOB_PERMANENT, blob, &len));
	cvtpm_instance_power_off(b->instance);
	assert_ok(cvtpm_instance_load_state(b->instance, CVTPM_BLOB_PERMANENT, blob, len));
	assert_ok(cvtpm_instance_power_on(b->instance));
	assert_ok(tpm_startup(&b->client, TPM_SU_CLEAR));
	cvtpm_instance_get_info(b->instance, &info);
	assert_int_equal(info.eks, 0);
	assert_not_logged(b, "is not the one that was made");
	bench_free(b);
}

/* ---- issuers ---- */

struct test_issuer {
	struct cvtpm_issuer issuer;
	uint8_t approved[CVTPM_EK_PUBLIC_MAX_SIZE];
	bool saw_report;
	bool refuses;
	unsigned signatures;
};

static int approve(void *context, const uint8_t *ek_public, size_t ek_public_len,
		   const uint8_t *report, const uint8_t *table, size_t table_len)
{
	struct test_issuer *t = context;
	uint8_t digest[64];

	(void)table;
	assert_int_equal(table_len, 0);
	memcpy(t->approved, ek_public, ek_public_len);
	assert_non_null(cvtpm_ek_template_match(ek_public, ek_public_len));
	assert_ok(cvtpm_hash(CVTPM_SHA512, ek_public, ek_public_len, digest));
	t->saw_report = report && memcmp(report + SNP_REPORT_REPORT_DATA, digest, 64) == 0;
	return t->refuses ? CVTPM_ERR_POLICY : 0;
}

/* Not a signature that anybody would accept, but of the form of one. */
static int sign(void *context, const uint8_t *tbs, size_t tbs_len, uint8_t *signature,
		size_t *signature_len)
{
	static const uint8_t one_one[] = {0x30, 6, 2, 1, 1, 2, 1, 1};
	struct test_issuer *t = context;

	(void)tbs;
	(void)tbs_len;
	t->signatures++;
	memcpy(signature, one_one, sizeof one_one);
	*signature_len = sizeof one_one;
	return 0;
}

static struct test_issuer make_issuer(void)
{
	static const uint8_t name[] = {0x30, 0}, key_id[20] = {7}, certificate[] = "a CA's";
	struct test_issuer t = {.issuer = {.curve = CVTPM_P256,
					   .name = name,
					   .name_len = sizeof name,
					   .key_id = key_id,
					   .key_id_len = sizeof key_id,
					   .certificate = certificate,
					   .certificate_len = sizeof certificate,
					   .approve = approve,
					   .sign = sign}};

	return t;
}

static void an_issuer_signs_after_it_has_seen_key_and_report(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_MEMORY);
	struct test_issuer t = make_issuer();
	uint8_t public[CVTPM_EK_PUBLIC_MAX_SIZE], certificate[CVTPM_CERTIFICATE_MAX_SIZE];

	(void)state;
	t.issuer.context = &t;
	b->config.issuer = &t.issuer;
	bench_start(b);
	assert_true(t.saw_report);
	assert_int_equal(t.signatures, 2); /* EK and platform certificate */
	assert_memory_equal(t.approved, public, read_ek(b, P256, public));
	assert_int_equal(bench_nv(b, ISSUER, certificate, sizeof certificate), 7);
	assert_string_equal((char *)certificate, "a CA's");
	bench_free(b);
}

static void an_issuer_that_refuses_signs_nothing(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);
	struct test_issuer t = make_issuer();

	(void)state;
	t.issuer.context = &t;
	t.refuses = true;
	b->config.issuer = &t.issuer;
	assert_int_equal(bench_manufacture(b), CVTPM_ERR_POLICY);
	assert_int_equal(t.signatures, 0);
	assert_int_equal(bench_records(&b->store), 0);
	assert_logged(b, "asking the issuer to certify EK P-256: not allowed");
	bench_free(b);
}

/* ---- interruptions ---- */

static void an_interrupted_manufacture_leaves_nothing_and_can_be_repeated(void **state)
{
	(void)state;
	for (unsigned fail_at = 1;; fail_at++) {
		struct bench *b = bench_new(CVTPM_STORE_PLAIN);
		int err;

		b->scratch.fail_at = fail_at;
		err = bench_manufacture(b);
		if (err == 0) {
			assert_true(fail_at > 10); /* there were that many to fail at */
			bench_free(b);
			return;
		}
		assert_int_equal(bench_records(&b->store), 0);
		assert_int_equal(bench_open(b), CVTPM_ERR_NOT_FOUND);
		bench_new_scratch(b);
		bench_start(b);
		assert_true(bench_report_is_genuine(b, P256));
		bench_free(b);
	}
}

static void a_failing_last_commit_leaves_nothing(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);

	(void)state;
	b->store.fail_at = 1;
	assert_int_equal(bench_manufacture(b), CVTPM_ERR_STORE);
	assert_int_equal(bench_records(&b->store), 0);
	bench_free(b);
}

static void every_refused_report_ends_manufacture(void **state)
{
	static const enum cvtpm_store_kind kinds[] = {CVTPM_STORE_MEMORY, CVTPM_STORE_PLAIN};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (unsigned fail_at = 1; fail_at <= 2; fail_at++) {
			struct bench *b = bench_new(kinds[i]);
			bool memory = kinds[i] == CVTPM_STORE_MEMORY;

			b->provider.fail_at = fail_at;
			assert_int_equal(memory ? bench_open(b) : bench_manufacture(b),
					 CVTPM_ERR_PEER);
			assert_int_equal(bench_records(&b->store), 0);
			assert_logged(b, "no report over EK");
			b->provider.fail_at = 0;
			if (memory)
				bench_start(b); /* the same store can be used again */
			bench_free(b);
		}
	}
}

static void a_report_over_something_else_is_not_taken(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_MEMORY);

	(void)state;
	b->provider.lies = true;
	assert_int_equal(bench_open(b), CVTPM_ERR_FORMAT);
	assert_int_equal(bench_records(&b->store), 0);
	bench_free(b);
}

static void an_unfinished_ephemeral_start_is_made_again(void **state)
{
	(void)state;
	for (unsigned fail_at = 1;; fail_at++) {
		struct bench *b = bench_new(CVTPM_STORE_MEMORY);
		int err;

		b->store.fail_at = fail_at; /* and all after it: nothing can be cleaned up */
		err = bench_open(b);
		b->store.fail_at = 0;
		if (err == 0) {
			assert_true(fail_at > 10);
			bench_free(b);
			return;
		}
		bench_start(b);
		assert_true(bench_report_is_genuine(b, P256));
		bench_free(b);
	}
}

static void a_store_of_unknown_origin_is_refused(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);
	const struct cvtpm_change nothing = {RECORD_KEY, NULL, 0};
	const struct cvtpm_change nonsense = {RECORD_KEY, (const uint8_t *)"abc", 3};

	(void)state;
	assert_ok(bench_manufacture(b));
	assert_ok(cvtpm_store_commit(&b->store.store, &nonsense, 1));
	assert_int_equal(bench_open(b), CVTPM_ERR_FORMAT);
	assert_ok(cvtpm_store_commit(&b->store.store, &nothing, 1));
	assert_int_equal(bench_open(b), CVTPM_ERR_FORMAT);
	assert_logged(b, "was not manufactured by this program");
	bench_free(b);
}

static void a_record_without_a_tpm_is_refused_and_no_seeds_are_drawn(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);
	uint8_t bytes[RECORD_MAX_SIZE];
	struct cvtpm_change change = {RECORD_KEY, bytes, 0};
	struct bench *other = bench_new(CVTPM_STORE_PLAIN);

	(void)state;
	assert_ok(bench_manufacture(b));
	assert_ok(cvtpm_store_get(&b->store.store, RECORD_KEY, bytes, sizeof bytes,
				  &change.value_len));
	assert_ok(cvtpm_store_commit(&other->store.store, &change, 1));
	assert_int_equal(bench_open(other), CVTPM_ERR_FORMAT);
	assert_int_equal(bench_records(&other->store), 1);
	bench_free(b);
	bench_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ephemeral_start_makes_a_whole_tpm),
		cmocka_unit_test(a_persistent_tpm_is_made_apart_and_opened_later),
		cmocka_unit_test(what_manufacture_leaves_is_far_smaller_than_the_room_for_the_copy),
		cmocka_unit_test(an_rsa_3072_certificate_does_not_fit_and_says_by_how_much),
		cmocka_unit_test(without_a_provider_there_is_a_tpm_but_no_report),
		cmocka_unit_test(the_first_user_sends_the_first_startup),
		cmocka_unit_test(the_banks_are_those_asked_for),
		cmocka_unit_test(an_ephemeral_tpm_survives_a_reset_as_it_is),
		cmocka_unit_test(failure_mode_lasts_until_the_next_reset),
		cmocka_unit_test(closing_shuts_down_what_its_user_did_not),
		cmocka_unit_test(closing_leaves_a_suspended_tpm_suspended),
		cmocka_unit_test(a_real_report_needs_a_store_that_nobody_else_can_read),
		cmocka_unit_test(memory_may_hold_a_real_report),
		cmocka_unit_test(evidence_that_moved_into_an_open_store_is_refused),
		cmocka_unit_test(lab_and_real_evidence_are_not_mixed),
		cmocka_unit_test(a_tpm_made_without_evidence_never_gets_any),
		cmocka_unit_test(an_attested_instance_is_neither_exported_nor_replaced),
		cmocka_unit_test(a_tpm_that_was_loaded_is_not_the_owners),
		cmocka_unit_test(an_issuer_signs_after_it_has_seen_key_and_report),
		cmocka_unit_test(an_issuer_that_refuses_signs_nothing),
		cmocka_unit_test(an_interrupted_manufacture_leaves_nothing_and_can_be_repeated),
		cmocka_unit_test(a_failing_last_commit_leaves_nothing),
		cmocka_unit_test(every_refused_report_ends_manufacture),
		cmocka_unit_test(a_report_over_something_else_is_not_taken),
		cmocka_unit_test(an_unfinished_ephemeral_start_is_made_again),
		cmocka_unit_test(a_store_of_unknown_origin_is_refused),
		cmocka_unit_test(a_record_without_a_tpm_is_refused_and_no_seeds_are_drawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
