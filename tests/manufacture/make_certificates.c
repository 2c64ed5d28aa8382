/*
 * Writes certificates of every kind into a folder, for readers that share no
 * code with the writer (test_certificates.py).
 *
 * usage: make_certificates FOLDER
 */
#include "certificate_samples.h"
#include "cvtpm/err.h"

#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *folder;

static void write_file(const char *name, const void *data, size_t len)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "wb");
	if (file == NULL || fwrite(data, 1, len, file) != len || fclose(file) != 0) {
		perror(path);
		exit(2);
	}
}

static void check(int err, const char *what)
{
	if (err == 0)
		return;
	fprintf(stderr, "make_certificates: %s: %s\n", what, cvtpm_strerror(err));
	exit(2);
}

static void write_key(const char *name, EVP_PKEY *pkey)
{
	uint8_t der[1024], *to = der;

	write_file(name, der, (size_t)i2d_PUBKEY(pkey, &to));
}

static const struct {
	enum sample_evidence which;
	const char *name;
} evidences[] = {
	{SAMPLE_NONE, "none"},   {SAMPLE_RECORD, "record"}, {SAMPLE_CLAIMS, "claims"},
	{SAMPLE_TABLE, "table"}, {SAMPLE_ALL, "all"},
};
static const struct {
	enum cvtpm_ek kind;
	const char *name;
} kinds[] = {
	{CVTPM_EK_RSA2048, "rsa2048"},
	{CVTPM_EK_P256, "p256"},
	{CVTPM_EK_P384, "p384"},
	{CVTPM_EK_RSA3072, "rsa3072"},
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Serial numbers tell which certificate it is. */
static void make_ek(const char *issuer_name, const struct cvtpm_issuer *issuer,
		    const struct sample_ek *ek, size_t kind, size_t evidence_index)
{
	struct cvtpm_certificate_evidence evidence =
		sample_evidence(evidences[evidence_index].which);
	uint8_t serial[CVTPM_SERIAL_SIZE] = {(uint8_t)(0x10 + kind), (uint8_t)evidence_index};
	uint8_t der[CVTPM_CERTIFICATE_MAX_SIZE];
	size_t len = sizeof der;
	char name[128];

	snprintf(name, sizeof name, "%s-ek-%s-%s.der", issuer_name, kinds[kind].name,
		 evidences[evidence_index].name);
	check(cvtpm_certificate_ek(issuer, &ek->key, &sample_facts, &evidence, serial,
				   &sample_times, der, &len),
	      name);
	write_file(name, der, len);
}

static void make_platform(const char *issuer_name, const struct cvtpm_issuer *issuer, bool serial)
{
	const uint8_t ek_serial[CVTPM_SERIAL_SIZE] = {0x10, 1}; /* RSA 2048, record */
	const uint8_t own_serial[CVTPM_SERIAL_SIZE] = {0xff, 0xee, 0xdd};
	struct cvtpm_platform_facts facts = sample_platform;
	uint8_t der[2048];
	size_t len = sizeof der;
	char name[128];

	if (!serial)
		facts.serial = NULL;
	snprintf(name, sizeof name, "%s-platform%s.der", issuer_name, serial ? "" : "-no-serial");
	check(cvtpm_certificate_platform(issuer, ek_serial, &facts, own_serial, &sample_times, der,
					 &len),
	      name);
	write_file(name, der, len);
}

static void make_all(const char *issuer_name, const struct cvtpm_issuer *issuer,
		     const struct sample_ek *eks)
{
	char name[128];

	snprintf(name, sizeof name, "%s.der", issuer_name);
	write_file(name, issuer->certificate, issuer->certificate_len);
	for (size_t kind = 0; kind < COUNT(kinds); kind++) {
		for (size_t i = 0; i < COUNT(evidences); i++)
			make_ek(issuer_name, issuer, &eks[kind], kind, i);
	}
	make_platform(issuer_name, issuer, true);
	make_platform(issuer_name, issuer, false);
}

int main(int argc, char **argv)
{
	static struct sample_ek eks[COUNT(kinds)];
	static struct sample_ca ca256, ca384;
	static struct cvtpm_boot_issuer boot;
	static struct cvtpm_drbg drbg;
	char name[128];

	if (argc != 2) {
		fprintf(stderr, "usage: make_certificates FOLDER\n");
		return 2;
	}
	folder = argv[1];
	for (size_t kind = 0; kind < COUNT(kinds); kind++) {
		sample_ek_begin(&eks[kind], kinds[kind].kind);
		snprintf(name, sizeof name, "key-%s.der", kinds[kind].name);
		write_key(name, eks[kind].pkey);
	}
	sample_ca_begin(&ca256, CVTPM_P256);
	sample_ca_begin(&ca384, CVTPM_P384);
	check(cvtpm_drbg_begin(&drbg, sample_entropy, NULL), "DRBG");
	check(cvtpm_boot_issuer_begin(&boot, &drbg, &sample_times), "per-boot issuer");

	make_all("boot", &boot.issuer, eks);
	make_all("ca256", &ca256.issuer, eks);
	make_all("ca384", &ca384.issuer, eks);
	write_file("report.bin", sample_report, sizeof sample_report);
	write_file("table.bin", sample_table, sizeof sample_table);

	cvtpm_boot_issuer_end(&boot);
	cvtpm_drbg_end(&drbg);
	sample_ca_end(&ca256);
	sample_ca_end(&ca384);
	for (size_t kind = 0; kind < COUNT(kinds); kind++)
		sample_ek_end(&eks[kind]);
	return 0;
}
