/*
 * cvtpm trace: TPM traffic in words.
 */
#include "cli/cli.h"
#include "trace/codes.h"
#include "trace/input.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct trace_options {
	const char *file;
	bool json, failed;
	uint16_t port;
	struct trace_show show;
	/* what came of it */
	bool wrong, cannot_write, follow;
	char day[11]; /* the last one that was said */
};

enum trace_option { OPTION_JSON = 1, OPTION_SECRETS, OPTION_PORT };

static const struct argp_option options[] = {
	{"brief", 'b', 0, 0, "a line for each command", 1},
	{"failed", 'f', 0, 0, "only what failed, has no answer or is malformed", 1},
	{"json", OPTION_JSON, 0, 0, "one JSON object a line", 1},
	{"full", 'l', 0, 0, "all bytes of what is long", 2},
	{"offsets", 'o', 0, 0, "where in the message each field is, and the sizes and counts too",
	 2},
	{"secrets", OPTION_SECRETS, 0, 0,
	 "show authorisation values, sealed data, private keys and what else is secret", 2},
	{"port", OPTION_PORT, "N", 0,
	 "a TCP port in a packet capture that is a TPM's, besides 2321 and 2322, where what is "
	 "sent "
	 "there does not tell",
	 3},
	{0}};

static const char doc[] =
	"TPM 2.0 traffic in words: commands and answers field by field, handles and response codes "
	"by name. FILE, or standard input, is a packet capture (of `cvtpm serve --trace`, or of "
	"TCP "
	"connections that carry TPM commands or the simulator's protocol), commands and answers in "
	"binary one after another, or text with one in hexadecimal on each line, a dump of xxd or "
	"the "
	"log of tpm2-tss.\v"
	"Examples:\n"
	"  cvtpm serve --unix /run/tpm.sock --trace tpm.pcap &\n"
	"  cvtpm trace tpm.pcap\n"
	"  tcpdump -i lo -U -w - port 2321 | cvtpm trace --brief\n"
	"  TSS2_LOG=tcti+debug tpm2_getrandom --hex 8 2>&1 >/dev/null | cvtpm trace\n"
	"  echo 8001000000160000017a000000060000010000000001 | cvtpm trace\n"
	"\n"
	"Exit status: 0 all was decoded, 1 something is malformed or was not understood, 2 wrong "
	"usage or a fault.";

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct trace_options *o = state->input;
	char *end;
	unsigned long port;

	switch (key) {
	case 'b':
		o->show.brief = true;
		return 0;
	case 'f':
		o->failed = true;
		return 0;
	case 'l':
		o->show.full = true;
		return 0;
	case 'o':
		o->show.offsets = true;
		return 0;
	case OPTION_JSON:
		o->json = true;
		return 0;
	case OPTION_SECRETS:
		o->show.secrets = true;
		return 0;
	case OPTION_PORT:
		port = strtoul(text, &end, 10);
		if (*text < '0' || *text > '9' || *end || port == 0 || port > 65535)
			argp_error(state, "--port=%s: not a port", text);
		o->port = (uint16_t)port;
		return 0;
	case ARGP_KEY_ARG:
		if (o->file)
			argp_error(state, "'%s' is not expected: one file", text);
		o->file = text;
		return 0;
	case ARGP_KEY_END:
		if (o->json && o->show.brief)
			argp_error(state, "--json and --brief are two forms of output: choose one");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp trace_argp = {options, parse, "[FILE]", doc, NULL, NULL, NULL};

static bool has_failed(const struct trace_exchange *x)
{
	return !x->has_command || !x->has_response || x->response.code || x->command.malformed ||
	       x->response.malformed;
}

static void take_exchange(void *owner, const struct trace_exchange *x)
{
	struct trace_options *o = owner;

	o->wrong |= x->command.malformed || x->response.malformed || x->command.incomplete ||
		    x->response.incomplete;
	if (o->failed && !has_failed(x))
		return;
	if (!o->json && *x->when && strncmp(o->day, x->when, sizeof o->day - 1) != 0) {
		snprintf(o->day, sizeof o->day, "%.10s", x->when);
		printf("-- %s, UTC%s", o->day, o->show.brief ? "\n" : "\n\n");
	}
	if (o->json)
		o->cannot_write |= !trace_show_json(&o->show, x);
	else if (o->show.brief)
		trace_show_brief(&o->show, x);
	else
		trace_show_text(&o->show, x);
	if (o->follow)
		fflush(stdout);
}

static void take_note(void *owner, bool wrong, const char *line)
{
	struct trace_options *o = owner;

	o->wrong |= wrong;
	fflush(stdout);
	if (wrong)
		cli_error("%s", line);
	else if (o->json)
		o->cannot_write |= !trace_show_event_json(&o->show, line);
	else
		printf("-- %s%s", line, o->show.brief ? "\n" : "\n\n");
}

static void choose_style(struct trace_show *show)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM"),
		   *columns = getenv("COLUMNS");
	struct winsize size;

	show->out = stdout;
	show->width = columns ? (unsigned)strtoul(columns, NULL, 10) : 0;
	if (!isatty(STDOUT_FILENO))
		return;
	if (!show->width && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		show->width = size.ws_col;
	show->colour = !(no_colour && *no_colour) && !(term && !strcmp(term, "dumb"));
}

int cmd_trace(int argc, char **argv)
{
	struct trace_options o = {0};
	struct trace_sink sink = {.exchange = take_exchange, .note = take_note, .owner = &o};
	struct stat st;
	FILE *file = stdin;
	bool faulty;

	argp_parse(&trace_argp, argc, argv, 0, NULL, &o);
	choose_style(&o.show);
	if (o.file && strcmp(o.file, "-") != 0)
		file = fopen(o.file, "rbe");
	if (!file || fstat(fileno(file), &st) < 0 || S_ISDIR(st.st_mode)) {
		cli_error("cannot read %s: %s", o.file ? o.file : "standard input",
			  strerror(file && S_ISDIR(st.st_mode) ? EISDIR : errno));
		if (file && file != stdin)
			fclose(file);
		return CLI_FAULT;
	}
	o.follow = !S_ISREG(st.st_mode);
	if (o.follow)
		setvbuf(file, NULL, _IONBF, 0);
	if (!trace_read(file, o.port, &sink))
		o.wrong = true;
	faulty = ferror(file);
	if (faulty)
		cli_error("cannot read %s on: %s", o.file ? o.file : "standard input",
			  strerror(errno));
	if (file != stdin)
		fclose(file);
	if (fflush(stdout) || ferror(stdout) || o.cannot_write) {
		cli_error("cannot write what was decoded: %s", strerror(errno));
		faulty = true;
	}
	if (!faulty && !sink.count && !o.wrong) {
		cli_error("there is no TPM traffic in %s", o.file ? o.file : "standard input");
		o.wrong = true;
	}
	return faulty ? CLI_FAULT : o.wrong ? CLI_NO : CLI_YES;
}
