/*
 * Makes a lab of one product, and reports of a guest on it in several versions,
 * for verifiers that share no code with the simulated AMD-SP.
 *
 * usage: lab_evidence FOLDER MILAN|GENOA|TURIN VERSION ...
 *
 * Besides what a lab's folder holds, FOLDER/report-vN.bin for each version.
 */
#include "cvtpm/amdsp.h"
#include "cvtpm/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const products[] = {
	[CVTPM_AMDSP_MILAN] = "MILAN",
	[CVTPM_AMDSP_GENOA] = "GENOA",
	[CVTPM_AMDSP_TURIN] = "TURIN",
};

static void check(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "lab_evidence: %s: %s\n", what, cvtpm_strerror(err));
	exit(2);
}

static void write_report(const char *folder, unsigned version, const uint8_t *report)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/report-v%u.bin", folder, version);
	file = fopen(path, "wb");
	if (!file || fwrite(report, 1, SNP_REPORT_SIZE, file) != SNP_REPORT_SIZE || fclose(file)) {
		perror(path);
		exit(2);
	}
}

static void make_report(struct cvtpm_amdsp_lab *lab, const char *folder, unsigned version)
{
	static const uint8_t data[SNP_REPORT_DATA_SIZE] = {2, 0};
	uint8_t measurement[SNP_MEASUREMENT_SIZE], report[SNP_REPORT_SIZE];
	const struct cvtpm_amdsp_config config = {.report_version = version,
						  .measurement = measurement};
	struct cvtpm_snp_provider *guest;

	memset(measurement, 0xAB, sizeof(measurement));
	check(cvtpm_amdsp_provider_launch(lab, &config, &guest), "launch");
	check(guest->ops->report(guest, data, report), "report");
	guest->ops->close(guest);
	write_report(folder, version, report);
}

int main(int argc, char **argv)
{
	struct cvtpm_amdsp_lab_options options = {0};
	struct cvtpm_amdsp_lab *lab;
	size_t product = 0;

	while (argc > 3 && product < sizeof(products) / sizeof(products[0]) &&
	       strcmp(argv[2], products[product]) != 0)
		product++;
	if (argc <= 3 || product == sizeof(products) / sizeof(products[0])) {
		fprintf(stderr, "usage: lab_evidence FOLDER MILAN|GENOA|TURIN VERSION ...\n");
		return 2;
	}
	options.product = (enum cvtpm_amdsp_product)product;
	check(cvtpm_amdsp_lab_open_with(argv[1], &options, &lab), argv[1]);
	for (int i = 3; i < argc; i++)
		make_report(lab, argv[1], (unsigned)strtoul(argv[i], NULL, 10));
	cvtpm_amdsp_lab_close(lab);
	return 0;
}
