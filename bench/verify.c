/*
 * How many verifications a core makes in a second, beside OpenSSL doing the same
 * signature checks by hand. How to read it: docs/bench.md.
 *
 * usage: bench-verify [--json] FOLDER      FOLDER: the test data
 */
#include "cvtpm/evidence.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLOCKS     5
#define ROUNDS     9
#define ROUND_NS   20e6 /* CPU time of each variant in each round */
#define FILE_LIMIT 65536

struct input {
	uint8_t report[SNP_REPORT_SIZE];
	uint8_t leaf_der[4096], ca_der[4096], root_der[4096];
	size_t leaf_len, ca_len, root_len;
	X509 *leaf, *ca, *root;

	struct cvtpm_bytes certificates[2];
	struct cvtpm_allowed_measurement measurement;
	struct cvtpm_evidence evidence;
	struct cvtpm_policy policy;
	struct cvtpm_chain_cache *cache;
	struct cvtpm_verification outcome;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "bench-verify: %s\n", what);
	exit(2);
}

/* ---- input ---- */

static FILE *open_in(const char *folder, const char *name)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (!file)
		fail("the test data is not there");
	return file;
}

static size_t to_der(X509 *cert, uint8_t *der, size_t size)
{
	int len = i2d_X509(cert, NULL);

	if (len <= 0 || (size_t)len > size || i2d_X509(cert, &der) != len)
		fail("a certificate cannot be encoded");
	return (size_t)len;
}

static void read_input(struct input *in, const char *folder)
{
	FILE *file = open_in(folder, "coco-trustee/evidence-v1.snpreport.bin");

	if (fread(in->report, 1, sizeof(in->report), file) != sizeof(in->report))
		fail("the report is too short");
	fclose(file);
	file = open_in(folder, "coco-trustee/evidence-v1.vcek.der");
	in->leaf = d2i_X509_fp(file, NULL);
	fclose(file);
	file = open_in(folder, "coco-trustee/milan_ask_ark_asvk.pem");
	in->ca = PEM_read_X509(file, NULL, NULL, NULL);
	in->root = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	if (!in->leaf || !in->ca || !in->root)
		fail("a certificate cannot be read");
	in->leaf_len = to_der(in->leaf, in->leaf_der, sizeof(in->leaf_der));
	in->ca_len = to_der(in->ca, in->ca_der, sizeof(in->ca_der));
	in->root_len = to_der(in->root, in->root_der, sizeof(in->root_der));

	memcpy(in->measurement.digest, in->report + 0x90, SNP_MEASUREMENT_SIZE);
	in->certificates[0] = (struct cvtpm_bytes){in->leaf_der, in->leaf_len, "VCEK"};
	in->certificates[1] = (struct cvtpm_bytes){in->ca_der, in->ca_len, "ASK"};
	in->evidence = (struct cvtpm_evidence){
		.report = {in->report, sizeof(in->report), "report"},
		.certificates = in->certificates,
		.certificate_count = 2,
	};
	in->policy = (struct cvtpm_policy){
		.measurements = &in->measurement,
		.measurement_count = 1,
		.at = 1764547200, /* 2025-12-01 */
		.report_only = true,
	};
	in->cache = cvtpm_chain_cache_new();
	if (!in->cache)
		fail("out of memory");
}

/* ---- what is measured ---- */

static bool verify_fresh(struct input *in)
{
	return cvtpm_verify_evidence(&in->evidence, &in->policy, &in->outcome) == 0 &&
	       in->outcome.answer == CVTPM_ANSWER_YES;
}

static bool verify_cached(struct input *in)
{
	return cvtpm_verify_evidence_cached(in->cache, &in->evidence, &in->policy, &in->outcome) ==
		       0 &&
	       in->outcome.answer == CVTPM_ANSWER_YES;
}

/* ECDSA over the first 672 bytes; r and s are 48 of 72 bytes each, little-endian. */
static bool report_signature_by_hand(const struct input *in, X509 *leaf)
{
	ECDSA_SIG *signature = ECDSA_SIG_new();
	BIGNUM *r = BN_lebin2bn(in->report + 0x2A0, 72, NULL);
	BIGNUM *s = BN_lebin2bn(in->report + 0x2E8, 72, NULL);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t *der = NULL;
	bool good;
	int len;

	if (!signature || !r || !s || !context || ECDSA_SIG_set0(signature, r, s) != 1)
		fail("out of memory");
	len = i2d_ECDSA_SIG(signature, &der);
	good = len > 0 &&
	       EVP_DigestVerifyInit(context, NULL, EVP_sha384(), NULL, X509_get0_pubkey(leaf)) ==
		       1 &&
	       EVP_DigestVerify(context, der, (size_t)len, in->report, SNP_REPORT_SIGNED_SIZE) == 1;
	OPENSSL_free(der);
	EVP_MD_CTX_free(context);
	ECDSA_SIG_free(signature);
	return good;
}

static bool three_by_hand(const struct input *in, X509 *leaf, X509 *ca, X509 *root)
{
	return report_signature_by_hand(in, leaf) && X509_verify(leaf, X509_get0_pubkey(ca)) == 1 &&
	       X509_verify(ca, X509_get0_pubkey(root)) == 1;
}

static X509 *decode(const uint8_t *der, size_t len)
{
	return d2i_X509(NULL, &der, (long)len);
}

static bool openssl_fresh(struct input *in)
{
	X509 *leaf = decode(in->leaf_der, in->leaf_len), *ca = decode(in->ca_der, in->ca_len);
	X509 *root = decode(in->root_der, in->root_len);
	bool good = leaf && ca && root && three_by_hand(in, leaf, ca, root);

	X509_free(leaf);
	X509_free(ca);
	X509_free(root);
	return good;
}

static bool openssl_decoded(struct input *in)
{
	return three_by_hand(in, in->leaf, in->ca, in->root);
}

static bool openssl_report(struct input *in)
{
	return report_signature_by_hand(in, in->leaf);
}

enum { VERIFY_FRESH, VERIFY_CACHED, OPENSSL_FRESH, OPENSSL_DECODED, OPENSSL_REPORT, VARIANTS };

static const struct {
	const char *id, *title;
	bool (*run)(struct input *in);
} variants[VARIANTS] = {
	[VERIFY_FRESH] = {"cvtpm", "cvtpm, all checks", verify_fresh},
	[VERIFY_CACHED] = {"cvtpm_cached", "cvtpm, all checks, chain cached", verify_cached},
	[OPENSSL_FRESH] = {"openssl", "openssl, read 3 certificates, 3 signatures", openssl_fresh},
	[OPENSSL_DECODED] = {"openssl_decoded", "openssl, 3 signatures", openssl_decoded},
	[OPENSSL_REPORT] = {"openssl_report", "openssl, the report's signature", openssl_report},
};

/* Ours against OpenSSL doing the same signature checks. */
static const struct {
	const char *id;
	int ours, theirs;
} ratios[] = {
	{"cvtpm_to_openssl", VERIFY_FRESH, OPENSSL_FRESH},
	{"cvtpm_cached_to_openssl_report", VERIFY_CACHED, OPENSSL_REPORT},
};
#define RATIOS (sizeof(ratios) / sizeof(ratios[0]))

/* ---- measuring ---- */

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Nanoseconds of CPU time for one. */
static double measure(struct input *in, int variant)
{
	double begin = cpu_ns(), end;
	unsigned n = 0;

	do {
		if (!variants[variant].run(in))
			fail("a verification failed that has to succeed");
		n++;
		end = cpu_ns();
	} while (end - begin < ROUND_NS);
	return (end - begin) / n;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *values, size_t n)
{
	double sorted[ROUNDS];

	memcpy(sorted, values, n * sizeof(*values));
	qsort(sorted, n, sizeof(*sorted), compare);
	return sorted[n / 2];
}

struct results {
	double ns[VARIANTS]; /* the least of the blocks' medians */
	double ratio[RATIOS];
};

/* A round has every variant once, so that noise meets all of them; a ratio is taken
 * within a round. */
static void measure_block(struct input *in, struct results *best, bool first)
{
	double ns[VARIANTS][ROUNDS], of_round[ROUNDS];

	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < VARIANTS; i++)
			ns[(i + round) % VARIANTS][round] = measure(in, (i + round) % VARIANTS);
	for (int i = 0; i < VARIANTS; i++) {
		double m = median(ns[i], ROUNDS);

		if (first || m < best->ns[i])
			best->ns[i] = m;
	}
	for (size_t k = 0; k < RATIOS; k++) {
		double m;

		for (int round = 0; round < ROUNDS; round++)
			of_round[round] = ns[ratios[k].ours][round] / ns[ratios[k].theirs][round];
		m = median(of_round, ROUNDS);
		if (first || m < best->ratio[k])
			best->ratio[k] = m;
	}
}

static void stay_on_one_core(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	CPU_ZERO(&set);
	CPU_SET((size_t)(cpu < 0 ? 0 : cpu), &set);
	sched_setaffinity(0, sizeof(set), &set); /* without it the numbers are noisier */
}

static void print_text(const struct results *r)
{
	printf("Verification of a Milan report, version 3, on one core (%s)\n\n",
	       OpenSSL_version(OPENSSL_VERSION));
	for (int i = 0; i < VARIANTS; i++)
		printf("  %-44s %8.0f in a second  %8.1f us\n", variants[i].title, 1e9 / r->ns[i],
		       r->ns[i] / 1e3);
	printf("\n  time of all checks, to openssl's 3 signatures      %.2f\n", r->ratio[0]);
	printf("  chain cached, to openssl's signature of the report %.2f\n", r->ratio[1]);
}

static void print_json(const struct results *r)
{
	printf("{\"bench\":\"verify\",\"openssl\":\"%s\",\"per_second\":{",
	       OpenSSL_version(OPENSSL_VERSION_STRING));
	for (int i = 0; i < VARIANTS; i++)
		printf("%s\"%s\":%.1f", i ? "," : "", variants[i].id, 1e9 / r->ns[i]);
	printf("},\"time_ratio\":{");
	for (size_t k = 0; k < RATIOS; k++)
		printf("%s\"%s\":%.3f", k ? "," : "", ratios[k].id, r->ratio[k]);
	printf("}}\n");
}

int main(int argc, char **argv)
{
	bool json = argc == 3 && !strcmp(argv[1], "--json");
	struct results results;
	struct input *in = calloc(1, sizeof(*in));

	if (argc != 2 && !json)
		fail("usage: bench-verify [--json] FOLDER");
	if (!in)
		fail("out of memory");
	read_input(in, argv[argc - 1]);
	stay_on_one_core();
	for (int i = 0; i < VARIANTS; i++)
		measure(in, i); /* warm */
	for (int block = 0; block < BLOCKS; block++)
		measure_block(in, &results, block == 0);
	if (json)
		print_json(&results);
	else
		print_text(&results);
	cvtpm_chain_cache_free(in->cache);
	X509_free(in->leaf);
	X509_free(in->ca);
	X509_free(in->root);
	free(in);
	return 0;
}
