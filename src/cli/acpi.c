/* cvtpm acpi: the ACPI tables by which a guest finds a CRB page. */
#include "cvtpm/acpi.h"
#include "cli/cli.h"
#include "cli/numbers.h"
#include "cvtpm/err.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct arguments {
	struct cvtpm_acpi_config config;
	const char *dir, *tpm2, *ssdt;
	uint64_t log_offset, ppi_offset;
	bool port_given, log_offset_given, ppi_offset_given, ppi, json;
};

enum acpi_option {
	OPTION_PAGE_BASE = 0x100,
	OPTION_LOCALITIES,
	OPTION_PORT,
	OPTION_CLASS,
	OPTION_LOG_SIZE,
	OPTION_LOG_OFFSET,
	OPTION_PPI,
	OPTION_PPI_OFFSET,
	OPTION_TPM2,
	OPTION_SSDT,
	OPTION_JSON,
};

static const struct argp_option options[] = {
	{0, 0, 0, 0, "What the guest sees:", 1},
	{"page-base", OPTION_PAGE_BASE, "GPA", 0,
	 "guest-physical address of the CRB page, as given to cvtpm serve", 1},
	{"localities", OPTION_LOCALITIES, "RANGE", 0,
	 "localities of the page, as given to cvtpm serve: 0 (the default), 0-3", 1},
	{"start-method", 'm', "N", 0,
	 "8 (the default): the driver rings the doorbell; 7: the page is polled", 1},
	{"port", OPTION_PORT, "N", 0, "I/O port of the doorbell (default 0x505)", 1},
	{"class", OPTION_CLASS, "client|server", 0, "platform class (default client)", 1},
	{"log-size", OPTION_LOG_SIZE, "N", 0,
	 "bytes of an event log area; above 4 GiB 16K at most (default: none)", 1},
	{"log-offset", OPTION_LOG_OFFSET, "N", 0,
	 "where the log area begins, from the page (default 0x1000, with more than one locality "
	 "0x8000)",
	 1},
	{"ppi", OPTION_PPI, 0, 0, "add the Physical Presence Interface", 1},
	{"ppi-offset", OPTION_PPI_OFFSET, "N", 0,
	 "where the PPI area begins, from the page (default 0x5000)", 1},
	{0, 0, 0, 0, "Where to write:", 2},
	{"output", 'o', "DIR", 0, "write DIR/tpm2.aml and DIR/ssdt.aml", 2},
	{"tpm2", OPTION_TPM2, "FILE", 0, "write the TPM2 table to FILE", 2},
	{"ssdt", OPTION_SSDT, "FILE", 0, "write the SSDT to FILE", 2},
	{"json", OPTION_JSON, 0, 0, "say as JSON what was written", 2},
	{0},
};

static const char doc[] =
	"Write the ACPI tables by which a guest's stock driver finds a CRB page: TPM2, and an SSDT "
	"with the device MSFT0101.\v"
	"Example, for a page at 4 GiB with the doorbell:\n"
	"  cvtpm acpi --page-base 4G -o /run/vm7\n"
	"  qemu-system-x86_64 ... -acpitable file=/run/vm7/tpm2.aml \\\n"
	"    -acpitable file=/run/vm7/ssdt.aml\n"
	"`cvtpm qemu-args` prints all that belongs together.\n"
	"\n"
	"Exit status: 0 written, 2 wrong usage or a fault.";

static enum cvtpm_acpi_class parse_class(struct argp_state *state, const char *text)
{
	if (strcmp(text, "server") == 0)
		return CVTPM_ACPI_SERVER;
	if (strcmp(text, "client") != 0)
		argp_error(state, "--class=%s: write client or server", text);
	return CVTPM_ACPI_CLIENT;
}

static void finish(struct argp_state *state, struct arguments *a)
{
	const char *why;

	if (a->config.page == 0)
		argp_error(state, "--page-base GPA is missing: where the guest has the CRB page");
	if (!a->dir == !(a->tpm2 && a->ssdt) || (a->dir && (a->tpm2 || a->ssdt)))
		argp_error(state,
			   "say where to write: -o DIR, or both of --tpm2 FILE and --ssdt FILE");
	if (a->log_offset_given && !a->config.log_size)
		argp_error(state, "--log-offset needs --log-size");
	if (a->ppi_offset_given && !a->ppi)
		argp_error(state, "--ppi-offset needs --ppi");
	if (a->port_given && a->config.start_method == 7)
		argp_error(state, "--port is the doorbell's, and start method 7 has none");
	if (!a->log_offset_given)
		a->log_offset = a->config.localities > 1 ? CVTPM_ACPI_LOG_OFFSET_BEHIND
							 : CVTPM_ACPI_LOG_OFFSET;
	if (a->config.log_size)
		a->config.log_address = a->config.page + a->log_offset;
	if (a->ppi)
		a->config.ppi = a->config.page + a->ppi_offset;
	if (cvtpm_acpi_check(&a->config, &why) < 0)
		argp_error(state, "%s (page 0x%llx, log 0x%llx and %u bytes, PPI 0x%llx)", why,
			   (unsigned long long)a->config.page,
			   (unsigned long long)a->config.log_address, a->config.log_size,
			   (unsigned long long)a->config.ppi);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case OPTION_PAGE_BASE:
		a->config.page = cli_parse_size(state, "--page-base", text, INT64_MAX);
		return 0;
	case OPTION_LOCALITIES:
		a->config.localities = cli_locality_pages(cli_parse_localities(state, text));
		return 0;
	case 'm':
		a->config.start_method =
			(unsigned)cli_parse_size(state, "--start-method", text, UINT_MAX);
		return 0;
	case OPTION_PORT:
		a->config.port = (uint16_t)cli_parse_size(state, "--port", text, UINT16_MAX);
		a->port_given = true;
		return 0;
	case OPTION_CLASS:
		a->config.class = parse_class(state, text);
		return 0;
	case OPTION_LOG_SIZE:
		a->config.log_size =
			(uint32_t)cli_parse_size(state, "--log-size", text, UINT32_MAX);
		return 0;
	case OPTION_LOG_OFFSET:
		a->log_offset = cli_parse_size(state, "--log-offset", text, INT64_MAX);
		a->log_offset_given = true;
		return 0;
	case OPTION_PPI:
		a->ppi = true;
		return 0;
	case OPTION_PPI_OFFSET:
		a->ppi_offset = cli_parse_size(state, "--ppi-offset", text, INT64_MAX);
		a->ppi_offset_given = true;
		return 0;
	case 'o':
		a->dir = text;
		return 0;
	case OPTION_TPM2:
		a->tpm2 = text;
		return 0;
	case OPTION_SSDT:
		a->ssdt = text;
		return 0;
	case OPTION_JSON:
		a->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not expected: options only", text);
		return 0;
	case ARGP_KEY_END:
		finish(state, a);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* For QEMU to read, whoever it runs as: there is no secret in a table. */
static bool write_table(const char *path, const uint8_t *bytes, size_t len)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd >= 0 && write(fd, bytes, len) == (ssize_t)len && close(fd) == 0)
		return true;
	cli_error("%s cannot be written: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return false;
}

static bool make_dir(const char *dir)
{
	if (mkdir(dir, 0755) == 0 || errno == EEXIST)
		return true;
	cli_error("the folder %s cannot be made: %s", dir, strerror(errno));
	return false;
}

/* ---- what was written ---- */

static void say_json(const struct arguments *a, size_t tpm2_len, size_t ssdt_len)
{
	const struct cvtpm_acpi_config *c = &a->config;
	json_t *o = json_pack("{s:I, s:I, s:i, s:{s:s, s:I}, s:{s:s, s:I}}", "page",
			      (json_int_t)c->page, "control_area", (json_int_t)(c->page + 0x40),
			      "start_method", (int)c->start_method, "tpm2", "file", a->tpm2, "size",
			      (json_int_t)tpm2_len, "ssdt", "file", a->ssdt, "size",
			      (json_int_t)ssdt_len);

	if (o && c->start_method == 8)
		json_object_set_new(o, "doorbell_port", json_integer(c->port));
	if (o && c->log_size)
		json_object_set_new(o, "log",
				    json_pack("{s:I, s:I}", "address", (json_int_t)c->log_address,
					      "size", (json_int_t)c->log_size));
	if (o && c->ppi)
		json_object_set_new(o, "ppi",
				    json_pack("{s:I, s:I}", "address", (json_int_t)c->ppi, "size",
					      (json_int_t)CVTPM_PPI_SIZE));
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static void say_text(const struct arguments *a)
{
	printf("%s: TPM2, start method %u, control area 0x%llx\n", a->tpm2, a->config.start_method,
	       (unsigned long long)a->config.page + 0x40);
	printf("%s: SSDT, MSFT0101%s%s\n", a->ssdt, a->config.start_method == 8 ? ", doorbell" : "",
	       a->config.ppi ? ", PPI" : "");
	printf("for QEMU: -acpitable file=%s -acpitable file=%s\n", a->tpm2, a->ssdt);
}

static int write_tables(const struct arguments *a)
{
	uint8_t tpm2[CVTPM_ACPI_TPM2_SIZE], ssdt[CVTPM_ACPI_SSDT_MAX_SIZE];
	size_t tpm2_len = sizeof tpm2, ssdt_len = sizeof ssdt;

	if (cvtpm_acpi_tpm2(&a->config, tpm2, &tpm2_len) < 0 ||
	    cvtpm_acpi_ssdt(&a->config, ssdt, &ssdt_len) < 0) {
		cli_error("the tables cannot be made from these options");
		return CLI_FAULT;
	}
	if (!write_table(a->tpm2, tpm2, tpm2_len) || !write_table(a->ssdt, ssdt, ssdt_len))
		return CLI_FAULT;
	if (a->json)
		say_json(a, tpm2_len, ssdt_len);
	else
		say_text(a);
	return CLI_YES;
}

int cmd_acpi(int argc, char **argv)
{
	static const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
	struct arguments a = {
		.config = {.start_method = 8, .localities = 1, .port = CVTPM_ACPI_DEFAULT_PORT},
		.ppi_offset = CVTPM_ACPI_PPI_OFFSET};
	char tpm2[PATH_MAX], ssdt[PATH_MAX];

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (a.dir) {
		if (!make_dir(a.dir))
			return CLI_FAULT;
		if (snprintf(tpm2, sizeof tpm2, "%s/tpm2.aml", a.dir) >= (int)sizeof tpm2 ||
		    snprintf(ssdt, sizeof ssdt, "%s/ssdt.aml", a.dir) >= (int)sizeof ssdt) {
			cli_error("the name of the folder %s is too long", a.dir);
			return CLI_FAULT;
		}
		a.tpm2 = tpm2;
		a.ssdt = ssdt;
	}
	return write_tables(&a);
}
