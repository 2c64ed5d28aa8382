/*
 * One call of the KDS client, for tests that bring their own service:
 *
 *	kds_tool [OPTION ...] vcek REPORT | chain PRODUCT | vlek-chain PRODUCT |
 *	                      crl PRODUCT | vlek-crl PRODUCT | report REPORT
 *
 * The answer goes to standard output; to standard error "wait MS" for each time that
 * it would have waited, "from cache", "name URL", log lines, and "error N: LINE".
 * Exit 0, or 1 after an error.
 */
#include "cvtpm/kds.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_log(void *context, enum cvtpm_log_level level, const char *line)
{
	(void)context;
	fprintf(stderr, "log %d: %s\n", (int)level, line);
}

/* Waits for nothing; gives up at the time that --give-up names. */
static int note_wait(void *context, unsigned ms)
{
	unsigned *give_up = context;

	fprintf(stderr, "wait %u\n", ms);
	return *give_up && --*give_up == 0;
}

static uint8_t *read_file(const char *path, size_t *len)
{
	uint8_t *data = malloc(65536);
	FILE *file = fopen(path, "rb");

	if (!data || !file) {
		perror(path);
		exit(2);
	}
	*len = fread(data, 1, 65536, file);
	fclose(file);
	return data;
}

static int print_report(const char *path)
{
	const char *product = NULL;
	bool vlek = false;
	size_t len;
	uint8_t *report = read_file(path, &len);
	int result = cvtpm_kds_read_report(report, len, &product, &vlek);

	printf("%d %s %s\n", result, product ? product : "none", vlek ? "vlek" : "vcek");
	free(report);
	return 0;
}

static int run(struct cvtpm_kds *kds, const char *what, const char *of, const char *product,
	       struct cvtpm_kds_data *out, char *error)
{
	bool vlek = !strncmp(what, "vlek-", 5);
	uint8_t *report;
	size_t len;
	int result;

	if (!strcmp(what, "vcek")) {
		report = read_file(of, &len);
		result = cvtpm_kds_fetch_vcek(kds, report, len, product, out, error);
		free(report);
		return result;
	}
	if (!strcmp(what + (vlek ? 5 : 0), "chain"))
		return cvtpm_kds_fetch_chain(kds, of, vlek, out, error);
	return cvtpm_kds_fetch_crl(kds, of, vlek, out, error);
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{"base", 1, NULL, 'b'},    {"ca", 1, NULL, 'a'},      {"cache", 1, NULL, 'c'},
		{"offline", 0, NULL, 'o'}, {"product", 1, NULL, 'p'}, {"now", 1, NULL, 'n'},
		{"tries", 1, NULL, 't'},   {"wait-ms", 1, NULL, 'w'}, {"request-ms", 1, NULL, 'r'},
		{"give-up", 1, NULL, 'g'}, {"crl-age", 1, NULL, 'x'}, {NULL, 0, NULL, 0},
	};
	unsigned give_up = 0;
	struct cvtpm_kds_options options = {
		.log = print_log, .wait = note_wait, .context = &give_up};
	char error[CVTPM_KDS_ERROR_SIZE] = "";
	struct cvtpm_kds_data data = {0};
	struct cvtpm_kds *kds = NULL;
	const char *product = NULL;
	int option, result;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		unsigned long number = optarg ? strtoul(optarg, NULL, 0) : 0;

		switch (option) {
		case 'b':
			options.base_url = optarg;
			break;
		case 'a':
			options.ca_file = optarg;
			break;
		case 'c':
			options.cache_dir = optarg;
			break;
		case 'o':
			options.offline = true;
			break;
		case 'p':
			product = optarg;
			break;
		case 'n':
			options.now = (int64_t)number;
			break;
		case 't':
			options.tries = (unsigned)number;
			break;
		case 'w':
			options.wait_ms = (unsigned)number;
			break;
		case 'r':
			options.request_ms = (unsigned)number;
			break;
		case 'g':
			give_up = (unsigned)number;
			break;
		case 'x':
			options.crl_age = (uint32_t)number;
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 2)
		return 2;
	if (!strcmp(argv[optind], "report"))
		return print_report(argv[optind + 1]);

	result = cvtpm_kds_open(&options, &kds, error);
	if (!result)
		result = run(kds, argv[optind], argv[optind + 1], product, &data, error);
	if (result) {
		fprintf(stderr, "error %d: %s\n", result, error);
	} else {
		fprintf(stderr, "name %s\n%s", data.name, data.from_cache ? "from cache\n" : "");
		fwrite(data.data, 1, data.len, stdout);
	}
	cvtpm_kds_data_free(&data);
	cvtpm_kds_close(kds);
	return result ? 1 : 0;
}
