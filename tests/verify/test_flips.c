/*
 * Every byte of every certificate counts: signed part and signature value, of
 * genuine VCEKs, VLEKs, ASKs and ASVKs, and of a lab's ARK and EK certificate.
 * (The bytes of reports: test_evidence.c.)
 */
#include "cvtpm/amdsp.h"
#include "cvtpm/ek_template.h"
#include "cvtpm/err.h"
#include "cvtpm/evidence.h"
#include "manufacture/certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A certificate in DER, to be altered. */
struct der {
	uint8_t bytes[4096];
	size_t len;
};

/* Everything that one verification takes. */
struct judged {
	uint8_t report[SNP_REPORT_SIZE], index_report[SNP_REPORT_SIZE];
	struct der leaf, ca, root, ek;
	struct cvtpm_bytes certificates[2], lab_root;
	struct cvtpm_allowed_measurement measurement;
	struct cvtpm_evidence evidence;
	struct cvtpm_policy policy;
	struct cvtpm_verification v;
	struct cvtpm_chain_cache *cache; /* warm, in half of the runs: it must not help */
};

static bool with_cache;

static bool said_yes(struct judged *j)
{
	int result = cvtpm_verify_evidence_cached(j->cache, &j->evidence, &j->policy, &j->v);

	/* A lab root that is no certificate any more is not taken. */
	assert_true(result == 0 || result == CVTPM_ERR_PARAM);
	return result == 0 && j->v.answer == CVTPM_ANSWER_YES;
}

static void no_altered_byte_verifies(struct judged *j, struct der *der, const char *name)
{
	assert_true(said_yes(j));
	for (size_t at = 0; at < der->len; at++) {
		uint8_t bit = (uint8_t)(1 << at % 8);

		der->bytes[at] ^= bit;
		if (said_yes(j))
			fail_msg("byte %zu of the %s may be altered", at, name);
		der->bytes[at] ^= bit;
	}
	assert_true(said_yes(j));
}

/* ---- genuine chains ---- */

static FILE *open_data(const char *name)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", TEST_DATA, name);
	file = fopen(path, "rb");
	assert_non_null(file);
	return file;
}

/* The n-th certificate of a file, PEM or DER. */
static void read_certificate(struct der *der, const char *name, unsigned n)
{
	FILE *file = open_data(name);
	uint8_t *p = der->bytes;
	X509 *cert = NULL;
	int first = getc(file);

	ungetc(first, file);
	if (first == 0x30)
		cert = d2i_X509_fp(file, NULL);
	for (unsigned i = 0; first != 0x30 && i <= n; i++) {
		X509_free(cert);
		cert = PEM_read_X509(file, NULL, NULL, NULL);
	}
	fclose(file);
	assert_non_null(cert);
	assert_true(i2d_X509(cert, NULL) <= (int)sizeof(der->bytes));
	der->len = (size_t)i2d_X509(cert, &p);
	X509_free(cert);
}

static struct judged *judged_new(void)
{
	struct judged *j = calloc(1, sizeof(*j));

	assert_non_null(j);
	if (with_cache) {
		j->cache = cvtpm_chain_cache_new();
		assert_non_null(j->cache);
	}
	j->policy = (struct cvtpm_policy){.measurements = &j->measurement,
					  .measurement_count = 1,
					  .at = 1764547200, /* 2025-12-01 */
					  .report_only = true};
	j->evidence =
		(struct cvtpm_evidence){.certificates = j->certificates, .certificate_count = 2};
	return j;
}

static void judged_free(struct judged *j)
{
	cvtpm_chain_cache_free(j->cache);
	free(j);
}

static void use_leaf_and_ca(struct judged *j)
{
	j->certificates[0] = (struct cvtpm_bytes){j->leaf.bytes, j->leaf.len, "leaf"};
	j->certificates[1] = (struct cvtpm_bytes){j->ca.bytes, j->ca.len, "CA"};
}

static void no_altered_genuine_certificate_verifies(const char *report, const char *leaf,
						    const char *chain, unsigned ca, uint32_t vmpl)
{
	struct judged *j = judged_new();
	FILE *file = open_data(report);

	assert_int_equal(fread(j->report, 1, sizeof(j->report), file), sizeof(j->report));
	fclose(file);
	memcpy(j->measurement.digest, j->report + 0x90, SNP_MEASUREMENT_SIZE);
	j->policy.vmpl = vmpl;
	j->evidence.report = (struct cvtpm_bytes){j->report, sizeof(j->report), "report"};
	read_certificate(&j->leaf, leaf, 0);
	read_certificate(&j->ca, chain, ca);
	use_leaf_and_ca(j);
	no_altered_byte_verifies(j, &j->leaf, "leaf");
	no_altered_byte_verifies(j, &j->ca, "CA");
	judged_free(j);
}

static void no_altered_milan_certificate_verifies(void **state)
{
	(void)state;
	no_altered_genuine_certificate_verifies("coco-trustee/evidence-v1.snpreport.bin",
						"coco-trustee/evidence-v1.vcek.der",
						"coco-trustee/milan_ask_ark_asvk.pem", 0, 0);
}

static void no_altered_genoa_certificate_verifies(void **state)
{
	(void)state;
	no_altered_genuine_certificate_verifies("coco-trustee/evidence-genoa.snpreport.bin",
						"coco-trustee/evidence-genoa.vcek.pem",
						"coco-trustee/genoa_ask_ark_asvk.pem", 0, 0);
}

static void no_altered_turin_certificate_verifies(void **state)
{
	(void)state;
	no_altered_genuine_certificate_verifies("routex-lua/report-turin-v5.bin",
						"routex-lua/vcek-chain-turin.pem",
						"coco-trustee/turin_ask_ark_asvk.pem", 0, 0);
}

static void no_altered_vlek_or_asvk_verifies(void **state)
{
	(void)state;
	no_altered_genuine_certificate_verifies("coco-trustee/test-vlek-report.bin",
						"coco-trustee/test-vlek.der",
						"coco-trustee/milan_ask_ark_asvk.pem", 2, 1);
}

/* ---- a lab: ARK and EK certificate ---- */

static int entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	return RAND_bytes(out, (int)len) == 1 ? 0 : CVTPM_ERR_ENTROPY;
}

static void ask_report(struct cvtpm_snp_provider *provider, const uint8_t *over, size_t len,
		       uint8_t report[SNP_REPORT_SIZE])
{
	uint8_t digest[SNP_REPORT_DATA_SIZE];

	assert_int_equal(EVP_Digest(over, len, digest, NULL, EVP_sha512(), NULL), 1);
	assert_int_equal(provider->ops->report(provider, digest, report), 0);
}

/* The TPM2B_PUBLIC of a P-256 EK. */
static size_t make_ek(struct cvtpm_drbg *drbg, uint8_t *ek, struct cvtpm_ek_key *key)
{
	const struct cvtpm_ek_template *t = cvtpm_ek_template_of(CVTPM_EK_P256);
	size_t len = cvtpm_ek_public_size(t);
	struct cvtpm_ecc_key pair;

	assert_int_equal(cvtpm_ecc_generate(CVTPM_P256, drbg, &pair), 0);
	*key = (struct cvtpm_ek_key){.kind = CVTPM_EK_P256, .ecc = pair.public};
	ek[0] = (uint8_t)((len - 2) >> 8);
	ek[1] = (uint8_t)(len - 2);
	cvtpm_ek_template_write(t, ek + 2);
	ek[len - 68] = ek[len - 34] = 0;
	ek[len - 67] = ek[len - 33] = 32;
	memcpy(ek + len - 66, pair.public.x, 32);
	memcpy(ek + len - 32, pair.public.y, 32);
	assert_non_null(cvtpm_ek_template_match(ek, len));
	return len;
}

/* An EK certificate with the report over the EK inside, and the report over it. */
static void make_ek_certificate(struct judged *j, struct cvtpm_snp_provider *provider)
{
	static const struct cvtpm_tpm_facts facts = {.manufacturer = 0x49424D00,
						     .vendor_string = "SW TPM",
						     .firmware_version = 1,
						     .family = "2.0",
						     .revision = 159,
						     .nv_index_max = 2048};
	static const uint8_t serial[CVTPM_SERIAL_SIZE] = {1, 2, 3};
	const struct cvtpm_certificate_times times = {.not_before = 1700000000};
	const struct cvtpm_certificate_evidence evidence = {.report = j->report};
	uint8_t ek[2 + CVTPM_EK_PUBLIC_MAX_SIZE];
	struct cvtpm_boot_issuer issuer;
	struct cvtpm_ek_key key;
	struct cvtpm_drbg drbg;

	assert_int_equal(cvtpm_drbg_begin(&drbg, entropy, NULL), 0);
	ask_report(provider, ek, make_ek(&drbg, ek, &key), j->report);
	assert_int_equal(cvtpm_boot_issuer_begin(&issuer, &drbg, &times), 0);
	j->ek.len = sizeof(j->ek.bytes);
	assert_int_equal(cvtpm_certificate_ek(&issuer.issuer, &key, &facts, &evidence, serial,
					      &times, j->ek.bytes, &j->ek.len),
			 0);
	cvtpm_boot_issuer_end(&issuer);
	cvtpm_drbg_end(&drbg);
	ask_report(provider, j->ek.bytes, j->ek.len, j->index_report);
}

/* One of the table's certificates by its place: VCEK, ASK, ARK. */
static void take_certificate(struct der *der, const uint8_t *table, size_t n)
{
	const uint8_t *entry = table + 24 * n;
	uint32_t offset, len;

	memcpy(&offset, entry + 16, 4);
	memcpy(&len, entry + 20, 4);
	assert_true(len <= sizeof(der->bytes));
	memcpy(der->bytes, table + offset, len);
	der->len = len;
}

static int make_lab(void **state)
{
	char dir[] = "/tmp/cvtpm-flips-XXXXXX", lab_dir[64], command[64];
	uint8_t table[SNP_CERTS_MAX_SIZE];
	size_t table_len = sizeof(table);
	struct cvtpm_snp_provider *provider;
	struct judged *j = judged_new();

	assert_non_null(mkdtemp(dir));
	snprintf(lab_dir, sizeof(lab_dir), "%s/lab", dir);
	assert_int_equal(cvtpm_amdsp_provider_open(lab_dir, NULL, &provider), 0);
	assert_int_equal(provider->ops->certificates(provider, table, &table_len), 0);
	take_certificate(&j->leaf, table, 0);
	take_certificate(&j->ca, table, 1);
	take_certificate(&j->root, table, 2);
	make_ek_certificate(j, provider);
	provider->ops->close(provider);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);

	memcpy(j->measurement.digest, j->report + 0x90, SNP_MEASUREMENT_SIZE);
	j->policy.at = 0;
	j->policy.report_only = false;
	j->policy.lab_roots = &j->lab_root;
	j->policy.lab_root_count = 1;
	j->lab_root = (struct cvtpm_bytes){j->root.bytes, j->root.len, "root"};
	use_leaf_and_ca(j);
	j->evidence.ek_certificate = (struct cvtpm_bytes){j->ek.bytes, j->ek.len, "EK"};
	j->evidence.ek_cert_report =
		(struct cvtpm_bytes){j->index_report, sizeof(j->index_report), "index"};
	*state = j;
	return 0;
}

static int free_lab(void **state)
{
	judged_free(*state);
	return 0;
}

static void no_altered_lab_root_verifies(void **state)
{
	struct judged *j = *state;

	no_altered_byte_verifies(j, &j->root, "ARK");
}

static void no_altered_ek_certificate_verifies(void **state)
{
	struct judged *j = *state;

	no_altered_byte_verifies(j, &j->ek, "EK certificate");
}

/* The report over the certificate is what catches an altered name or signature: the
 * issuer of a boot is no trust anchor. Where the issuer is given, it catches them too;
 * the key, and the evidence, are caught without either. */
static void without_the_report_over_it_an_ek_certificates_key_and_evidence_still_count(void **state)
{
	struct judged *j = *state;
	const uint8_t *at, *spki;

	j->evidence.ek_cert_report.data = NULL;
	assert_true(said_yes(j));
	at = memmem(j->ek.bytes, j->ek.len, j->report, SNP_REPORT_SIZE);
	assert_non_null(at);
	for (size_t i = (size_t)(at - j->ek.bytes), end = i + 0x330; i < end; i++) {
		j->ek.bytes[i] ^= 0x10;
		if (said_yes(j))
			fail_msg("byte %zu of the certificate, in its report, may be altered", i);
		j->ek.bytes[i] ^= 0x10;
	}
	/* The end of a SubjectPublicKeyInfo of P-256: BIT STRING, no unused bits, uncompressed. */
	spki = memmem(j->ek.bytes, j->ek.len, "\x03\x42\x00\x04", 4);
	assert_non_null(spki);
	/* All bits: unused bits of a BIT STRING and hybrid points spell the same key otherwise,
	 * for one key in sixteen and in two. */
	for (size_t i = 8 * (size_t)(spki - j->ek.bytes), end = i + 8 * 68; i < end; i++) {
		j->ek.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		if (said_yes(j))
			fail_msg("bit %zu of byte %zu of the certificate, in its key, may be "
				 "altered",
				 i % 8, i / 8);
		j->ek.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	j->evidence.ek_cert_report.data = j->index_report;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_altered_milan_certificate_verifies),
		cmocka_unit_test(no_altered_genoa_certificate_verifies),
		cmocka_unit_test(no_altered_turin_certificate_verifies),
		cmocka_unit_test(no_altered_vlek_or_asvk_verifies),
	};
	const struct CMUnitTest lab_tests[] = {
		cmocka_unit_test(no_altered_lab_root_verifies),
		cmocka_unit_test(no_altered_ek_certificate_verifies),
		cmocka_unit_test(
			without_the_report_over_it_an_ek_certificates_key_and_evidence_still_count),
	};
	const char *part = getenv("FLIPS");

	with_cache = part && strstr(part, "cached");
	if (part && !strncmp(part, "genuine", 7))
		return cmocka_run_group_tests_name(part, tests, NULL, NULL);
	if (part && !strncmp(part, "lab", 3))
		return cmocka_run_group_tests_name(part, lab_tests, make_lab, free_lab);
	fputs("FLIPS is genuine, lab, genuine-cached or lab-cached\n", stderr);
	return 2;
}
