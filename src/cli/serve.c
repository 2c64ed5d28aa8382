#include "cvtpm/serve.h"
#include "cli/cli.h"
#include "cli/common.h"
#include "cli/numbers.h"
#include "cli/plain.h"
#include "cli/tpm.h"
#include "cvtpm/acpi.h"
#include "cvtpm/crb.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct serve_options {
	struct tpm_options tpm;
	struct cvtpm_serve_config serve;
	int ready_fd; /* -1: none */
	bool page_options, log_offset_given, startup_given, evidence;
};

enum serve_option {
	OPTION_TCP = 0x100,
	OPTION_UNIX,
	OPTION_MSSIM,
	OPTION_CTRL,
	OPTION_TERMINATE,
	OPTION_EVIDENCE,
	OPTION_CRB_PAGE,
	OPTION_OFFSET,
	OPTION_PAGE_BASE,
	OPTION_DOORBELL,
	OPTION_QMP,
	OPTION_EVENT_LOG,
	OPTION_LOG_SIZE,
	OPTION_LOG_OFFSET,
	OPTION_PPI,
	OPTION_PPI_OFFSET,
	OPTION_LOCALITIES,
	OPTION_STARTUP,
	OPTION_INSECURE_LISTEN,
	OPTION_READY_FD,
	OPTION_MACHINE_IS_NEW,
	OPTION_FAIL_UNTIL_RESET,
	OPTION_FLUSH_ON_DISCONNECT,
	OPTION_VTPM_PROXY,
	OPTION_TRACE,
	OPTION_TRACE_SECRETS,
};

static const struct argp_option options[] = {
	{0, 0, 0, 0, "Where to serve (at least one):", 1},
	{"tcp", OPTION_TCP, "ADDR:PORT", 0, "TPM commands on TCP; port 0 for a free one", 1},
	{"unix", OPTION_UNIX, "PATH", 0, "TPM commands on a Unix socket", 1},
	{"mssim", OPTION_MSSIM, "ADDR:PORT", 0,
	 "the TCG simulator's protocol (tpm2-tools: -T mssim:host=ADDR,port=PORT); the platform's "
	 "port is PORT + 1",
	 1},
	{"ctrl", OPTION_CTRL, "unix:PATH|tcp:ADDR:PORT", 0,
	 "swtpm's control channel, for QEMU's -tpmdev emulator; the TPM is off until its INIT", 1},
	{"terminate", OPTION_TERMINATE, 0, 0, "end when the control channel's peer has gone", 1},
	{"evidence", OPTION_EVIDENCE, 0, 0,
	 "make the TPM of a control channel with evidence: its state can then not be exported, and "
	 "its machine not be migrated or saved",
	 1},
	{"crb-page", OPTION_CRB_PAGE, "FILE", 0, "a CRB in a page of shared memory", 1},
	{"offset", OPTION_OFFSET, "N", 0,
	 "where in FILE the page begins: bytes, a multiple of 4096", 1},
	{"page-base", OPTION_PAGE_BASE, "GPA", 0,
	 "the guest-physical address at which the guest has the page (default 0xFED40000)", 1},
	{"doorbell", OPTION_DOORBELL, "PATH|connect:PATH", 0,
	 "a socket on which the guest rings for each command (start method 8): listen on PATH, or "
	 "connect to it",
	 1},
	{"localities", OPTION_LOCALITIES, "RANGE", 0,
	 "localities of the CRB page: 0 (the default), 0-3", 1},
	{"vtpm-proxy", OPTION_VTPM_PROXY, 0, 0,
	 "a TPM device of this machine, /dev/tpmN: for root, with the kernel's module "
	 "tpm_vtpm_proxy",
	 1},
	{"event-log", OPTION_EVENT_LOG, "FILE", 0,
	 "a firmware event log for the guest, in the log area of its TPM2 table", 1},
	{"log-size", OPTION_LOG_SIZE, "N", 0,
	 "bytes of that area, as given to cvtpm acpi (default 16K)", 1},
	{"log-offset", OPTION_LOG_OFFSET, "N", 0,
	 "where it begins, from the page, as given to cvtpm acpi", 1},
	{"ppi", OPTION_PPI, "block|confirm|allow", 0,
	 "serve the Physical Presence Interface of cvtpm acpi --ppi: what the guest asks for is "
	 "refused, or carried out at the machine's reset if SIGUSR1 came before, or in any case; "
	 "needs --qmp",
	 1},
	{"ppi-offset", OPTION_PPI_OFFSET, "N", 0,
	 "where its area begins, from the page, as given to cvtpm acpi", 1},
	{"flush-on-disconnect", OPTION_FLUSH_ON_DISCONNECT, 0, 0,
	 "flush what a connection has left loaded when it ends; saved contexts stay", 1},
	{"insecure-listen", OPTION_INSECURE_LISTEN, 0, 0,
	 "allow TCP on addresses that are not loopback: whoever reaches them owns the TPM", 1},
	{0, 0, 0, 0, "How to begin:", 2},
	{"startup", OPTION_STARTUP, "clear|state|none", 0,
	 "send TPM2_Startup for a user without firmware (default: none; with --vtpm-proxy, whose "
	 "kernel would send it, clear)",
	 2},
	{"machine-is-new", OPTION_MACHINE_IS_NEW, 0, 0,
	 "the machine behind an existing CRB page has not run yet: its TPM may be used at once", 2},
	{"fail-until-reset", OPTION_FAIL_UNTIL_RESET, 0, 0,
	 "the machine has already run: stay in failure mode until the platform resets the TPM", 2},
	{"qmp", OPTION_QMP, "PATH", 0,
	 "follow QEMU's monitor (-qmp unix:PATH,server=on,wait=off): its machine's reset is the "
	 "TPM's, its end the server's; one that has already run means failure mode until its reset",
	 2},
	{"trace", OPTION_TRACE, "FILE", 0,
	 "keep every command and answer in a packet capture, for `cvtpm trace` and Wireshark; "
	 "passwords and other secrets are zeros in it",
	 2},
	{"trace-secrets", OPTION_TRACE_SECRETS, 0, 0, "keep them in it as they are", 2},
	{"ready-fd", OPTION_READY_FD, "N", 0,
	 "write a line to descriptor N when ready, and close it", 2},
	{0}};

static unsigned long long parse_number(struct argp_state *state, const char *name, const char *text,
				       unsigned long long max)
{
	char *end;

	errno = 0;
	const unsigned long long number = strtoull(text, &end, 0);

	if (text[0] < '0' || text[0] > '9' || *end || errno || number > max)
		argp_error(state, "--%s=%s: not a number up to %llu", name, text, max);
	return number;
}

static enum cvtpm_serve_ppi parse_ppi(struct argp_state *state, const char *text)
{
	if (strcmp(text, "block") == 0)
		return CVTPM_SERVE_PPI_BLOCK;
	if (strcmp(text, "confirm") == 0)
		return CVTPM_SERVE_PPI_CONFIRM;
	if (strcmp(text, "allow") != 0)
		argp_error(state, "--ppi=%s: write block, confirm or allow", text);
	return CVTPM_SERVE_PPI_ALLOW;
}

/* The areas are where the guest's tables say, so they obey the tables' rules. */
static void check_areas(struct argp_state *state, struct serve_options *o)
{
	struct cvtpm_serve_config *serve = &o->serve;
	const char *why;

	if (!serve->event_log && (serve->log_size || o->log_offset_given))
		argp_error(state, "--log-size and --log-offset need --event-log");
	if (serve->ppi == CVTPM_SERVE_PPI_NONE && serve->ppi_offset)
		argp_error(state, "--ppi-offset needs --ppi");
	if (serve->ppi != CVTPM_SERVE_PPI_NONE && !serve->qmp)
		argp_error(state, "--ppi needs --qmp: what the guest asks for is carried out when "
				  "its machine is reset");
	if (serve->ppi > CVTPM_SERVE_PPI_BLOCK && o->tpm.random_platform_auth)
		argp_error(state, "--ppi=confirm and allow need platform authority, which "
				  "--platform-auth=random gives away");
	const unsigned pages = cli_locality_pages(serve->page_localities);
	struct cvtpm_acpi_config acpi = {
		.page = serve->page_base ? serve->page_base : CVTPM_CRB_DEFAULT_BASE,
		.localities = pages,
		.start_method = 8,
	};

	if (serve->event_log && !serve->log_size)
		serve->log_size = CVTPM_ACPI_HIGH_LOG_MAX;
	if (!o->log_offset_given)
		serve->log_offset =
			pages > 1 ? CVTPM_ACPI_LOG_OFFSET_BEHIND : CVTPM_ACPI_LOG_OFFSET;
	if (!serve->ppi_offset)
		serve->ppi_offset = CVTPM_ACPI_PPI_OFFSET;
	if (serve->event_log) {
		acpi.log_address = acpi.page + serve->log_offset;
		acpi.log_size = serve->log_size;
	}
	if (serve->ppi != CVTPM_SERVE_PPI_NONE)
		acpi.ppi = acpi.page + serve->ppi_offset;
	if (cvtpm_acpi_check(&acpi, &why) < 0)
		argp_error(state, "%s", why);
	if ((serve->event_log && serve->log_offset % 4096) || serve->ppi_offset % 4096)
		argp_error(state, "--log-offset and --ppi-offset must be multiples of 4096");
}

static uint64_t parse_page_base(struct argp_state *state, const char *text)
{
	const uint64_t base = cli_parse_size(state, "--page-base", text, INT64_MAX);

	if (base == 0 || base % 4096)
		argp_error(state, "--page-base=%s: not a multiple of 4096, or 0", text);
	return base;
}

static enum cvtpm_serve_startup parse_startup(struct argp_state *state, const char *text)
{
	if (strcmp(text, "clear") == 0)
		return CVTPM_SERVE_STARTUP_CLEAR;
	if (strcmp(text, "state") == 0)
		return CVTPM_SERVE_STARTUP_STATE;
	if (strcmp(text, "none") != 0)
		argp_error(state, "--startup=%s: write clear, state or none", text);
	return CVTPM_SERVE_STARTUP_NONE;
}

static void check_options(struct argp_state *state, struct serve_options *o)
{
	const struct cvtpm_serve_config *serve = &o->serve;

	if (!serve->tcp && !serve->unix_path && !serve->mssim && !serve->ctrl &&
	    !serve->page_file && !serve->vtpm_proxy)
		argp_error(state, "there is nothing to serve on: give --tcp, --unix, --mssim, "
				  "--ctrl, --crb-page or --vtpm-proxy");
	if ((serve->ctrl_terminate || o->evidence) && !serve->ctrl)
		argp_error(state, "--terminate and --evidence need --ctrl");
	if (o->evidence && o->tpm.state)
		argp_error(state, "--evidence is for a TPM that is made now; one with --state has "
				  "the evidence that its manufacture gave it, or none");
	if ((o->page_options || serve->machine_is_new) && !serve->page_file)
		argp_error(state, "--offset, --page-base, --localities, --doorbell, --qmp, "
				  "--event-log, --ppi and --machine-is-new need --crb-page");
	if (serve->qmp && serve->machine_is_new)
		argp_error(state, "--machine-is-new is for want of --qmp, which knows");
	if (serve->trace_secrets && !serve->trace)
		argp_error(state, "--trace-secrets needs --trace");
	if (serve->page_file)
		check_areas(state, o);
	if (serve->fail_until_reset && serve->machine_is_new)
		argp_error(state, "--fail-until-reset and --machine-is-new contradict each other");
	if (serve->startup == CVTPM_SERVE_STARTUP_STATE && !o->tpm.state)
		argp_error(state,
			   "--startup=state needs --state: an ephemeral TPM has nothing to resume");
}

static const struct plain_option plain[] = {
	TEXT(OPTION_TCP, struct serve_options, serve.tcp),
	TEXT(OPTION_UNIX, struct serve_options, serve.unix_path),
	TEXT(OPTION_MSSIM, struct serve_options, serve.mssim),
	TEXT(OPTION_CTRL, struct serve_options, serve.ctrl),
	FLAG(OPTION_TERMINATE, struct serve_options, serve.ctrl_terminate),
	FLAG(OPTION_EVIDENCE, struct serve_options, evidence),
	TEXT(OPTION_CRB_PAGE, struct serve_options, serve.page_file),
	FLAG(OPTION_INSECURE_LISTEN, struct serve_options, serve.insecure_listen),
	FLAG(OPTION_MACHINE_IS_NEW, struct serve_options, serve.machine_is_new),
	FLAG(OPTION_FLUSH_ON_DISCONNECT, struct serve_options, serve.flush_on_disconnect),
	FLAG(OPTION_VTPM_PROXY, struct serve_options, serve.vtpm_proxy),
	TEXT(OPTION_TRACE, struct serve_options, serve.trace),
	FLAG(OPTION_TRACE_SECRETS, struct serve_options, serve.trace_secrets),
	FLAG(OPTION_FAIL_UNTIL_RESET, struct serve_options, serve.fail_until_reset),
	{0},
};

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct serve_options *o = state->input;

	if (plain_take(state, options, plain, key, text))
		return 0;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->tpm;
		return 0;
	case OPTION_OFFSET:
		o->serve.page_offset = cli_parse_size(state, "--offset", text, INT64_MAX);
		o->page_options = true;
		return 0;
	case OPTION_PAGE_BASE:
		o->serve.page_base = parse_page_base(state, text);
		o->page_options = true;
		return 0;
	case OPTION_DOORBELL:
		o->serve.doorbell = text;
		o->page_options = true;
		return 0;
	case OPTION_QMP:
		o->serve.qmp = text;
		o->page_options = true;
		return 0;
	case OPTION_EVENT_LOG:
		o->serve.event_log = text;
		o->page_options = true;
		return 0;
	case OPTION_LOG_SIZE:
		o->serve.log_size = (uint32_t)cli_parse_size(state, "--log-size", text, UINT32_MAX);
		o->page_options = true;
		return 0;
	case OPTION_LOG_OFFSET:
		o->serve.log_offset = cli_parse_size(state, "--log-offset", text, UINT32_MAX);
		o->log_offset_given = o->page_options = true;
		return 0;
	case OPTION_PPI:
		o->serve.ppi = parse_ppi(state, text);
		o->page_options = true;
		return 0;
	case OPTION_PPI_OFFSET:
		o->serve.ppi_offset = cli_parse_size(state, "--ppi-offset", text, UINT32_MAX);
		o->page_options = true;
		return 0;
	case OPTION_LOCALITIES:
		o->serve.page_localities = cli_parse_localities(state, text);
		o->page_options = true;
		return 0;
	case OPTION_STARTUP:
		o->serve.startup = parse_startup(state, text);
		o->startup_given = true;
		return 0;
	case OPTION_READY_FD:
		o->ready_fd = (int)parse_number(state, "ready-fd", text, INT_MAX);
		if (fcntl(o->ready_fd, F_GETFD) < 0)
			argp_error(state, "--ready-fd=%s: this descriptor is not open", text);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not expected: options only", text);
		return 0;
	case ARGP_KEY_END:
		check_options(state, o);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{&tpm_options_argp, 0, NULL, 0}, {0}};

static const struct argp serve_argp = {
	options,
	parse,
	NULL,
	"Runs a TPM 2.0 until SIGTERM, SIGINT or the simulator protocol's STOP. Without --state it "
	"is made "
	"when it starts, and is gone when it ends.\v"
	"Examples:\n"
	"  cvtpm serve --lab --mssim 127.0.0.1:2321 --startup clear\n"
	"  cvtpm serve --state /var/lib/vm7/tpm --unix /run/vm7-tpm.sock\n"
	"  cvtpm serve --crb-page /dev/shm/vm7-tpm --page-base 4G \\\n"
	"    --doorbell /run/vm7-bell\n"
	"\n"
	"Exit status: 0 after an orderly end, 2 after wrong usage or a fault.",
	children,
	NULL,
	NULL};

static void say_ready(void *context, const char *line)
{
	struct serve_options *o = context;

	printf("cvtpm serve: %s\n", line);
	fflush(stdout);
	if (o->ready_fd < 0)
		return;
	if (write(o->ready_fd, "ready\n", 6) != 6)
		cli_error("warning: --ready-fd %d could not be written: %s", o->ready_fd,
			  strerror(errno));
	close(o->ready_fd);
}

/* Who asks for evidence must not get a TPM whose seeds its control channel gives away. */
static bool evidence_is_there(const struct serve_options *o, const struct cli_tpm *tpm)
{
	if (!o->evidence || tpm->config.provider)
		return true;
	cli_error("--evidence: there is no evidence to be had here; go without, or say --lab for "
		  "tests");
	return false;
}

int cmd_serve(int argc, char **argv)
{
	struct serve_options o = {.ready_fd = -1};
	struct cli_tpm tpm;
	int status = CLI_FAULT;

	argp_parse(&serve_argp, argc, argv, 0, NULL, &o);
	if (o.tpm.state && (o.tpm.eks || o.tpm.ca))
		cli_error("warning: --ek and --ca are for `cvtpm manufacture`, and change nothing "
			  "in a TPM "
			  "that is made already");
	/* The kernel starts the TPM of its device, but gives it less than a second for it. */
	if (o.serve.vtpm_proxy && !o.startup_given)
		o.serve.startup = CVTPM_SERVE_STARTUP_CLEAR;
	/* A TPM holds evidence or may be exported, never both; what QEMU's users expect
	 * of a control channel is export. A TPM with a state has it from its manufacture. */
	o.tpm.exportable = o.serve.ctrl && !o.evidence && !o.tpm.state;
	if (cli_tpm_open(&tpm, &o.tpm, 0) == 0 && evidence_is_there(&o, &tpm)) {
		o.serve.platform = &tpm.platform;
		o.serve.instance = &tpm.config;
		o.serve.ready = say_ready;
		o.serve.context = &o;
		o.serve.cancelled = &tpm.cancelled;
		o.serve.physical_presence = &tpm.physical_presence;
		status = cvtpm_serve(&o.serve) < 0 ? CLI_FAULT : CLI_YES;
	}
	cli_tpm_close(&tpm);
	return status;
}
