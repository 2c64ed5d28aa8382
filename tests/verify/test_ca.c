/*
 * The local CA signs for evidence that its policy accepts, and for nothing else.
 */
#include "cvtpm/amdsp.h"
#include "cvtpm/ca.h"
#include "cvtpm/ek_template.h"
#include "cvtpm/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One lab for all tests: its RSA keys take seconds to make. */
static char folder[] = "/tmp/cvtpm-ca-XXXXXX";
static char lab_dir[64], path[128];
static struct cvtpm_amdsp_lab *lab;
static uint8_t root_pem[8192];
static size_t root_len;
static uint8_t ek[2 + CVTPM_EK_PUBLIC_MAX_SIZE];
static size_t ek_len;
static const uint8_t measurement[48] = {0x17, 0x2A};
static char last_line[1024];

static void keep_line(void *context, enum cvtpm_log_level level, const char *line)
{
	(void)context, (void)level;
	snprintf(last_line, sizeof(last_line), "%s", line);
}

static const struct cvtpm_ca_log keep = {.line = keep_line};

/* An EK whose key is made up: a CA cannot know whether there is a private half. */
static void make_ek(void)
{
	const struct cvtpm_ek_template *t = cvtpm_ek_template_of(CVTPM_EK_P256);

	ek_len = cvtpm_ek_public_size(t);
	ek[0] = (uint8_t)((ek_len - 2) >> 8);
	ek[1] = (uint8_t)(ek_len - 2);
	cvtpm_ek_template_write(t, ek + 2);
	memset(ek + ek_len - 32, 0x33, 32);
	assert_non_null(cvtpm_ek_template_match(ek, ek_len));
}

static int setup(void **state)
{
	char name[128];
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(lab_dir, sizeof(lab_dir), "%s/lab", folder);
	assert_int_equal(cvtpm_amdsp_lab_open(lab_dir, &lab), 0);
	snprintf(name, sizeof(name), "%s/ark.pem", lab_dir);
	file = fopen(name, "rb");
	assert_non_null(file);
	root_len = fread(root_pem, 1, sizeof(root_pem), file);
	fclose(file);
	make_ek();
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	cvtpm_amdsp_lab_close(lab);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static const char *new_dir(void)
{
	static unsigned n;

	snprintf(path, sizeof(path), "%s/ca%u", folder, n++);
	return path;
}

/* A CA for the lab's guests with `measurement`. */
static struct cvtpm_ca *open_ca(bool p256, bool lab_root)
{
	const struct cvtpm_allowed_measurement allowed = {.digest = {0x17, 0x2A}};
	const struct cvtpm_policy policy = {.measurements = &allowed, .measurement_count = 1};
	struct cvtpm_ca_init init = {.policy = &policy, .p256 = p256};
	struct cvtpm_ca *ca;

	if (lab_root)
		init.lab_root = (struct cvtpm_bytes){root_pem, root_len, "ark.pem"};
	assert_int_equal(cvtpm_ca_init(new_dir(), &init, &keep), 0);
	assert_int_equal(cvtpm_ca_open(path, &keep, &ca), 0);
	return ca;
}

/* What the CA answers for a report of a guest launched so, over `over`. */
static int ask(struct cvtpm_ca *ca, struct cvtpm_amdsp_config config, const uint8_t *over,
	       size_t over_len)
{
	const struct cvtpm_issuer *issuer = cvtpm_ca_issuer(ca);
	struct cvtpm_snp_provider *provider;
	static uint8_t table[SNP_CERTS_MAX_SIZE];
	size_t table_len = sizeof(table);
	uint8_t report[SNP_REPORT_SIZE], digest[64];
	int result;

	if (!config.measurement)
		config.measurement = measurement;
	assert_int_equal(EVP_Digest(over, over_len, digest, NULL, EVP_sha512(), NULL), 1);
	assert_int_equal(cvtpm_amdsp_provider_launch(lab, &config, &provider), 0);
	assert_int_equal(provider->ops->report(provider, digest, report), 0);
	assert_int_equal(provider->ops->certificates(provider, table, &table_len), 0);
	result = issuer->approve(issuer->context, ek, ek_len, report, table, table_len);
	provider->ops->close(provider);
	return result;
}

static const struct cvtpm_amdsp_config plain;

static void a_report_that_verifies_is_approved(void **state)
{
	struct cvtpm_ca *ca = open_ca(false, true);

	(void)state;
	assert_int_equal(ask(ca, plain, ek, ek_len), 0);
	assert_non_null(strstr(last_line, "LAB"));
	cvtpm_ca_close(ca);
}

static void no_report_is_refused(void **state)
{
	struct cvtpm_ca *ca = open_ca(false, true);
	const struct cvtpm_issuer *issuer = cvtpm_ca_issuer(ca);

	(void)state;
	assert_int_equal(issuer->approve(issuer->context, ek, ek_len, NULL, NULL, 0),
			 CVTPM_ERR_POLICY);
	assert_non_null(strstr(last_line, "without an attestation report"));
	cvtpm_ca_close(ca);
}

static void everything_that_does_not_verify_is_refused_by_name(void **state)
{
	static const uint8_t other[48] = {1};
	static const struct {
		struct cvtpm_amdsp_config config;
		const char *named;
	} cases[] = {
		{{.policy = 0xB0000}, "debugging"},
		{{.vmpl = 1}, "VMPL"},
		{{.measurement = other}, "measurement"},
		{{.faults = {.bad_signature = true}}, "signature"},
		{{.faults = {.other_chip = true}}, "chip"},
		{{.faults = {.other_tcb = true}}, "TCB"},
	};
	struct cvtpm_ca *ca = open_ca(false, true);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(ask(ca, cases[i].config, ek, ek_len), CVTPM_ERR_POLICY);
		if (!strstr(last_line, cases[i].named))
			fail_msg("'%s' does not name %s", last_line, cases[i].named);
	}
	cvtpm_ca_close(ca);
}

static void another_key_is_refused(void **state)
{
	struct cvtpm_ca *ca = open_ca(false, true);

	(void)state;
	assert_int_equal(ask(ca, plain, ek, ek_len - 1), CVTPM_ERR_POLICY);
	cvtpm_ca_close(ca);
}

static void lab_evidence_is_refused_without_the_lab_root(void **state)
{
	struct cvtpm_ca *ca = open_ca(false, false);

	(void)state;
	assert_int_equal(ask(ca, plain, ek, ek_len), CVTPM_ERR_POLICY);
	cvtpm_ca_close(ca);
}

static void signatures_verify_under_the_certificate(void **state)
{
	(void)state;
	for (int p256 = 0; p256 < 2; p256++) {
		struct cvtpm_ca *ca = open_ca(p256, true);
		const struct cvtpm_issuer *issuer = cvtpm_ca_issuer(ca);
		const unsigned char *p = issuer->certificate;
		X509 *cert = d2i_X509(NULL, &p, (long)issuer->certificate_len);
		uint8_t signature[CVTPM_SIGNATURE_MAX_SIZE];
		size_t len = sizeof(signature);
		EVP_MD_CTX *md = EVP_MD_CTX_new();

		assert_non_null(cert);
		assert_int_equal(issuer->curve, p256 ? 3 : 4);
		assert_int_equal(issuer->sign(issuer->context, ek, ek_len, signature, &len), 0);
		assert_int_equal(EVP_DigestVerifyInit(md, NULL, p256 ? EVP_sha256() : EVP_sha384(),
						      NULL, X509_get0_pubkey(cert)),
				 1);
		assert_int_equal(EVP_DigestVerify(md, signature, len, ek, ek_len), 1);
		len = 10;
		assert_int_equal(issuer->sign(issuer->context, ek, ek_len, signature, &len),
				 CVTPM_ERR_SIZE);
		EVP_MD_CTX_free(md);
		X509_free(cert);
		cvtpm_ca_close(ca);
	}
}

static void an_rsa_key_is_refused_with_both_sizes(void **state)
{
	const struct cvtpm_allowed_measurement allowed = {.digest = {1}};
	const struct cvtpm_policy policy = {.measurements = &allowed, .measurement_count = 1};
	EVP_PKEY *key = EVP_RSA_gen(2048);
	BIO *bio = BIO_new(BIO_s_mem());
	struct cvtpm_ca_init init = {.policy = &policy};
	char *data;

	(void)state;
	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	init.key.len = (size_t)BIO_get_mem_data(bio, &data);
	init.key.data = (const uint8_t *)data;
	assert_int_equal(cvtpm_ca_init(new_dir(), &init, &keep), CVTPM_ERR_UNSUPPORTED);
	assert_non_null(strstr(last_line, "2127"));
	assert_non_null(strstr(last_line, "2048"));
	assert_int_equal(access(path, F_OK), -1);
	BIO_free(bio);
	EVP_PKEY_free(key);
}

static void a_folder_open_to_others_is_refused(void **state)
{
	struct cvtpm_ca *ca = open_ca(false, true), *again;
	char key[160];

	(void)state;
	snprintf(key, sizeof(key), "%s/ca.key", path);
	assert_int_equal(chmod(path, 0750), 0);
	assert_int_equal(cvtpm_ca_open(path, &keep, &again), CVTPM_ERR_POLICY);
	assert_int_equal(chmod(path, 0700), 0);
	assert_int_equal(chmod(key, 0644), 0);
	assert_int_equal(cvtpm_ca_open(path, &keep, &again), CVTPM_ERR_POLICY);
	assert_int_equal(chmod(key, 0600), 0);
	assert_int_equal(cvtpm_ca_open(path, &keep, &again), 0);
	cvtpm_ca_close(again);
	cvtpm_ca_close(ca);
}

static void write_policy(const char *text)
{
	char name[160];
	FILE *file;

	snprintf(name, sizeof(name), "%s/policy.json", path);
	file = fopen(name, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void a_damaged_policy_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"{\"measurements\": [], \"vmpl\": 0, \"allow_debug\": false}",
		"{\"measurements\": [{\"digest\": \"00\", \"isolation\": \"svsm\"}], \"vmpl\": 0, "
		"\"allow_debug\": false}",
	};
	struct cvtpm_ca *ca = open_ca(false, true), *again;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_policy(bad[i]);
		assert_int_equal(cvtpm_ca_open(path, &keep, &again), CVTPM_ERR_FORMAT);
		assert_non_null(strstr(last_line, "policy.json"));
	}
	cvtpm_ca_close(ca);
}

static void a_second_init_and_a_missing_ca_are_refused(void **state)
{
	const struct cvtpm_allowed_measurement allowed = {.digest = {1}};
	const struct cvtpm_policy policy = {.measurements = &allowed, .measurement_count = 1};
	const struct cvtpm_policy empty = {0};
	struct cvtpm_ca_init init = {.policy = &policy};
	struct cvtpm_ca *ca = open_ca(false, true);

	(void)state;
	cvtpm_ca_close(ca);
	assert_int_equal(cvtpm_ca_init(path, &init, &keep), CVTPM_ERR_STATE);
	init.policy = &empty;
	assert_int_equal(cvtpm_ca_init(new_dir(), &init, &keep), CVTPM_ERR_PARAM);
	assert_int_equal(cvtpm_ca_open(new_dir(), &keep, &ca), CVTPM_ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_that_verifies_is_approved),
		cmocka_unit_test(no_report_is_refused),
		cmocka_unit_test(everything_that_does_not_verify_is_refused_by_name),
		cmocka_unit_test(another_key_is_refused),
		cmocka_unit_test(lab_evidence_is_refused_without_the_lab_root),
		cmocka_unit_test(signatures_verify_under_the_certificate),
		cmocka_unit_test(an_rsa_key_is_refused_with_both_sizes),
		cmocka_unit_test(a_folder_open_to_others_is_refused),
		cmocka_unit_test(a_damaged_policy_is_refused),
		cmocka_unit_test(a_second_init_and_a_missing_ca_are_refused),
	};

	return cmocka_run_group_tests_name("ca", tests, setup, teardown);
}
