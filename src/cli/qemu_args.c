/* cvtpm qemu-args: what to start, and with which arguments, for a guest at a CRB page. */
#include "cli/cli.h"
#include "cli/numbers.h"
#include "cvtpm/acpi.h"

#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB      (UINT64_C(1) << 20)
#define GIB      (UINT64_C(1) << 30)
#define FOUR_GIB (4 * GIB)

#define SHARED_SIZE (2 * MIB)   /* of the page's file: what a hypervisor wants at least */
#define NUMA_BASE   (240 * MIB) /* where the shared node begins */

/* QEMU's q35: with this much memory and more, what is beyond the first 2 GiB goes
 * above 4 GiB; memory devices begin at the next GiB behind it. */
#define Q35_SPLIT_FROM UINT64_C(0xB0000000)
#define Q35_LOW_MEMORY (2 * GIB)

struct arguments {
	const char *dir, *event_log, *ppi;
	uint64_t memory;
	unsigned start_method;
	bool numa, json;
	char **rest; /* for serve */
};

enum qemu_args_option {
	OPTION_MEMORY = 0x100,
	OPTION_NUMA,
	OPTION_PPI,
	OPTION_EVENT_LOG,
	OPTION_JSON
};

static const struct argp_option options[] = {
	{"dir", 'd', "DIR", 0, "where page, tables and sockets of this machine are (required)", 0},
	{"memory", OPTION_MEMORY, "SIZE", 0, "the machine's memory (default 2G)", 0},
	{"start-method", 'm', "N", 0,
	 "8 (the default): the driver rings the doorbell; 7: the page is polled", 0},
	{"numa", OPTION_NUMA, 0, 0,
	 "the page in a slice of the machine's memory at 240 MiB, which its kernel must leave "
	 "alone, "
	 "instead of an nvdimm above 4 GiB",
	 0},
	{"ppi", OPTION_PPI, "block|confirm|allow", 0,
	 "with the Physical Presence Interface (implies --numa)", 0},
	{"event-log", OPTION_EVENT_LOG, "FILE", 0, "with an event log for the guest", 0},
	{"json", OPTION_JSON, 0, 0, "as JSON: lists of arguments", 0},
	{0},
};

static const char doc[] =
	"Print the commands and QEMU's arguments for a guest that reaches its TPM by a CRB page. "
	"Options of cvtpm serve may follow behind --.\v"
	"Example:\n"
	"  cvtpm qemu-args --dir /run/vm7 --memory 4G -- --state /var/lib/vm7/tpm\n"
	"\n"
	"Exit status: 0 printed, 2 wrong usage.";

/* What the tables and QEMU are told too: another word of it would be for `serve` alone. */
static bool is_settled_here(const char *word)
{
	static const char *const names[] = {
		"--crb-page",  "--offset",   "--page-base", "--localities", "--doorbell",  "--qmp",
		"--event-log", "--log-size", "--ppi",       "--log-offset", "--ppi-offset"};
	const size_t len = strcspn(word, "=");

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (len > 2 && strncmp(names[i], word, len) == 0) /* abbreviations too */
			return true;
	return false;
}

static void check(struct argp_state *state, struct arguments *a)
{
	if (!a->dir || !*a->dir)
		argp_error(state, "--dir DIR is missing: a folder for this machine");
	if (a->rest && a->rest[0][0] != '-')
		argp_error(state, "'%s' is not expected: options only", a->rest[0]);
	for (char **word = a->rest; word && *word; word++)
		if (is_settled_here(*word))
			argp_error(state,
				   "'%s': behind -- it is for serve alone, and the tables would "
				   "say something else",
				   *word);
	if (a->start_method != 7 && a->start_method != 8)
		argp_error(state, "--start-method must be 7 or 8");
	if (a->ppi && strcmp(a->ppi, "block") != 0 && strcmp(a->ppi, "confirm") != 0 &&
	    strcmp(a->ppi, "allow") != 0)
		argp_error(state, "--ppi=%s: write block, confirm or allow", a->ppi);
	if (a->ppi)
		a->numa = true;
	if (a->memory % MIB || a->memory < NUMA_BASE + SHARED_SIZE + MIB)
		argp_error(state, "--memory must be whole MiB, from 243M on");
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'd':
		a->dir = text;
		return 0;
	case OPTION_MEMORY:
		a->memory = cli_parse_size(state, "--memory", text, INT64_MAX / 2);
		return 0;
	case 'm':
		a->start_method = (unsigned)cli_parse_size(state, "--start-method", text, UINT_MAX);
		return 0;
	case OPTION_NUMA:
		a->numa = true;
		return 0;
	case OPTION_PPI:
		a->ppi = text;
		return 0;
	case OPTION_EVENT_LOG:
		a->event_log = text;
		return 0;
	case OPTION_JSON:
		a->json = true;
		return 0;
	case ARGP_KEY_ARGS:
		a->rest = state->argv + state->next;
		return 0;
	case ARGP_KEY_END:
		check(state, a);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- lists of arguments: all of them, or none is printed ---- */

__attribute__((format(printf, 2, 3))) static void add(json_t *list, const char *format, ...)
{
	char *word = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&word, format, arguments) < 0)
		word = NULL;
	va_end(arguments);
	if (json_array_append_new(list, json_string(word)) < 0) {
		cli_error("names of folders and files must be UTF-8");
		exit(CLI_FAULT);
	}
	free(word);
}

/* A path within an argument of QEMU's: a comma stands for itself only when doubled. */
static char *qemu_path(const char *dir, const char *name)
{
	char *path = malloc(2 * strlen(dir) + strlen(name) + 2), *to = path;

	if (!path)
		abort();
	for (; *dir; dir++) {
		*to++ = *dir;
		if (*dir == ',')
			*to++ = ',';
	}
	sprintf(to, "/%s", name);
	return path;
}

static void add_with_path(json_t *list, const struct arguments *a, const char *before,
			  const char *name, const char *after)
{
	char *path = qemu_path(a->dir, name);

	add(list, "%s%s%s", before, path, after);
	free(path);
}

/* ---- what is where ---- */

static uint64_t page_base(const struct arguments *a)
{
	const uint64_t above = a->memory >= Q35_SPLIT_FROM ? a->memory - Q35_LOW_MEMORY : 0;

	return a->numa ? NUMA_BASE : (FOUR_GIB + above + GIB - 1) / GIB * GIB;
}

static json_t *acpi_command(const struct arguments *a)
{
	json_t *list = json_array();

	add(list, "cvtpm"), add(list, "acpi");
	add(list, "--page-base=0x%" PRIx64, page_base(a));
	if (a->start_method != 8)
		add(list, "--start-method=%u", a->start_method);
	if (a->event_log)
		add(list, "--log-size=16K");
	if (a->ppi)
		add(list, "--ppi");
	add(list, "--output=%s", a->dir);
	return list;
}

static json_t *serve_command(const struct arguments *a)
{
	json_t *list = json_array();

	add(list, "cvtpm"), add(list, "serve");
	add(list, "--crb-page=%s/page", a->dir);
	add(list, "--page-base=0x%" PRIx64, page_base(a));
	if (a->start_method == 8)
		add(list, "--doorbell=connect:%s/bell", a->dir);
	add(list, "--qmp=%s/qmp", a->dir);
	if (a->event_log)
		add(list, "--event-log=%s", a->event_log);
	if (a->ppi)
		add(list, "--ppi=%s", a->ppi);
	for (char **word = a->rest; word && *word; word++)
		add(list, "%s", *word);
	return list;
}

static void add_memory_nvdimm(json_t *list, const struct arguments *a)
{
	add(list, "-machine"), add(list, "q35,nvdimm=on");
	add(list, "-m");
	add(list, "%" PRIu64 "M,slots=2,maxmem=%" PRIu64 "M", a->memory / MIB,
	    (a->memory + GIB) / MIB);
	add(list, "-object");
	add_with_path(list, a,
		      "memory-backend-file,id=cvtpm-page,size=2M,share=on,mem-path=", "page", "");
	add(list, "-device"), add(list, "nvdimm,memdev=cvtpm-page,addr=0x%" PRIx64, page_base(a));
}

static void add_memory_numa(json_t *list, const struct arguments *a)
{
	const uint64_t rest = a->memory - NUMA_BASE - SHARED_SIZE;

	add(list, "-machine"), add(list, "q35");
	add(list, "-m"), add(list, "%" PRIu64 "M", a->memory / MIB);
	add(list, "-object");
	add(list, "memory-backend-ram,id=cvtpm-low,size=%" PRIu64 "M", (uint64_t)NUMA_BASE / MIB);
	add(list, "-object");
	add_with_path(list, a,
		      "memory-backend-file,id=cvtpm-page,size=2M,share=on,mem-path=", "page", "");
	add(list, "-object");
	add(list, "memory-backend-ram,id=cvtpm-high,size=%" PRIu64 "M", rest / MIB);
	add(list, "-numa"), add(list, "node,memdev=cvtpm-low");
	add(list, "-numa"), add(list, "node,memdev=cvtpm-page");
	add(list, "-numa"), add(list, "node,memdev=cvtpm-high");
}

static json_t *qemu_arguments(const struct arguments *a)
{
	json_t *list = json_array();

	if (a->numa)
		add_memory_numa(list, a);
	else
		add_memory_nvdimm(list, a);
	add(list, "-acpitable"), add_with_path(list, a, "file=", "tpm2.aml", "");
	add(list, "-acpitable"), add_with_path(list, a, "file=", "ssdt.aml", "");
	if (a->start_method == 8) {
		add(list, "-chardev");
		add_with_path(list, a, "socket,id=cvtpm-bell,server=on,wait=off,path=", "bell", "");
		add(list, "-device");
		add(list, "isa-debugcon,iobase=0x%x,chardev=cvtpm-bell", CVTPM_ACPI_DEFAULT_PORT);
	}
	add(list, "-qmp"), add_with_path(list, a, "unix:", "qmp", ",server=on,wait=off");
	return list;
}

/* ---- for people ---- */

static void print_word(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-+=:,./@%";

	if (*word && word[strspn(word, plain)] == '\0') {
		fputs(word, stdout);
		return;
	}
	putchar('\'');
	for (; *word; word++)
		if (*word == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*word);
	putchar('\'');
}

/* One line, or `broken` before each option. */
static void print_list(const json_t *list, bool broken)
{
	const size_t count = json_array_size(list);

	for (size_t i = 0; i < count; i++) {
		const char *word = json_string_value(json_array_get(list, i));

		if (i > 0)
			fputs(broken && word[0] == '-' ? " \\\n" : " ", stdout);
		print_word(word);
	}
	putchar('\n');
}

static void print_text(const json_t *all)
{
	const char *kernel = json_string_value(json_object_get(all, "kernel"));

	puts("# The tables that tell the guest of its TPM:");
	print_list(json_object_get(all, "acpi"), false);
	puts("\n# The TPM: before the machine, with which it ends. --startup=clear, if the guest\n"
	     "# has neither firmware nor kernel that sends TPM2_Startup (Linux does):");
	print_list(json_object_get(all, "serve"), false);
	puts("\n# QEMU's arguments, beside your own (its -machine and -m are these):");
	print_list(json_object_get(all, "qemu"), true);
	if (kernel)
		printf("\n# The guest's kernel is to leave the page alone, by an argument of its "
		       "command line\n# (in GRUB's files the dollar needs three "
		       "backslashes):\n%s\n",
		       kernel);
}

int cmd_qemu_args(int argc, char **argv)
{
	static const struct argp argp = {options, parse, "[-- OPTION OF SERVE ...]", doc, NULL,
					 NULL,    NULL};
	struct arguments a = {.memory = 2 * GIB, .start_method = 8};

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	json_t *all = json_object();

	json_object_set_new(all, "page_base", json_integer((json_int_t)page_base(&a)));
	json_object_set_new(all, "acpi", acpi_command(&a));
	json_object_set_new(all, "serve", serve_command(&a));
	json_object_set_new(all, "qemu", qemu_arguments(&a));
	if (a.numa)
		json_object_set_new(all, "kernel", json_string("memmap=0x200000$0xf000000"));
	if (a.json) {
		json_dumpf(all, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else {
		print_text(all);
	}
	json_decref(all);
	return CLI_YES;
}
