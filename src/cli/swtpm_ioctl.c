/*
 * swtpm_ioctl: one request to a control channel, ours or swtpm's.
 *
 * The protocol: src/serve/control_protocol.h. Nothing here waits for ever: libvirt
 * calls this on a TPM that may hang.
 */
#include "cli/cli.h"
#include "cli/config.h"
#include "cli/swtpm.h"
#include "cli/swtpm_channel.h"
#include "crypto/crypto.h"
#include "host/frame.h"
#include "serve/control_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A request may wait for a command that runs; making an RSA key takes long. */
#define PATIENCE_SECONDS          120
#define SHUTDOWN_PATIENCE_SECONDS 10

#define HASH_CHUNK 4096

struct ioctl_options {
	const char *unix_path, *tcp;
	enum control_number number; /* 0: none yet */
	const char *value;          /* of the command */
	const char *file;           /* of --save and --load */
	struct swtpm_channel channel;
};

enum ioctl_option {
	OPTION_UNIX = 0x100,
	OPTION_TCP,
	OPTION_TPM_DEVICE,
	OPTION_STOP,
	OPTION_SAVE,
	OPTION_LOAD,
	OPTION_INFO,
	OPTION_LOCK_STORAGE,
	OPTION_VERSION,
};

static const struct argp_option options[] = {
	{0, 0, 0, 0, "The control channel:", 1},
	{"unix", OPTION_UNIX, "PATH", 0, "a Unix socket", 1},
	{"tcp", OPTION_TCP, "[HOST]:[PORT]", 0, "TCP (default: 127.0.0.1:6545)", 1},
	{"tpm-device", OPTION_TPM_DEVICE, "PATH", OPTION_HIDDEN, 0, 1},
	{0, 0, 0, 0, "The command:", 2},
	{0, 'c', 0, 0, "get the capabilities", 2},
	{0, 'i', 0, 0, "INIT: power on, or reset", 2},
	{"stop", OPTION_STOP, 0, 0, "power off", 2},
	{0, 's', 0, 0, "shut down: the TPM's process ends", 2},
	{0, 'e', 0, 0, "get the tpmEstablished flag", 2},
	{0, 'r', "LOCALITY", 0, "reset that flag from locality 3 or 4", 2},
	{0, 'l', "LOCALITY", 0, "set the locality of what follows, 0 to 4", 2},
	{0, 'h', "DATA|-", 0, "measure DATA, or standard input, into PCR 17 (before Startup: 0)",
	 2},
	{0, 'C', 0, 0, "cancel the running command", 2},
	{0, 'v', 0, 0, "store the volatile state", 2},
	{"save", OPTION_SAVE, "STATE", 0,
	 "get a state, permanent, volatile or savestate, into FILE", 2},
	{"load", OPTION_LOAD, "STATE", 0, "give it a state, from FILE; it must be stopped", 2},
	{0, 'g', 0, 0, "get the configuration flags: which keys are in use", 2},
	{0, 'b', "SIZE", 0, "set the size of its buffers; 0: only ask", 2},
	{"info", OPTION_INFO, "FLAGS", 0, "what it says of itself, as JSON", 2},
	{"lock-storage", OPTION_LOCK_STORAGE, "RETRIES", 0, "have it lock its state", 2},
	{"version", OPTION_VERSION, 0, 0, "which version this is", 3},
	{0}};

static unsigned long number_of(const char *what, const char *text, unsigned long max)
{
	char *end;

	errno = 0;
	const unsigned long number = strtoul(text, &end, 0);

	if (text[0] < '0' || text[0] > '9' || *end || errno || number > max) {
		cli_error("%s: '%s' is not a number up to %lu", what, text, max);
		exit(CLI_FAULT);
	}
	return number;
}

/* ---- options ---- */

static uint32_t blob_type(const char *name)
{
	static const char *const names[] = {"permanent", "volatile", "savestate"};

	for (uint32_t i = 0; i < 3; i++)
		if (strcmp(names[i], name) == 0)
			return i + 1;
	return 0;
}

static void set_command(struct argp_state *state, struct ioctl_options *o,
			enum control_number number, const char *value)
{
	if (o->number)
		argp_error(state, "one command at a time");
	o->number = number;
	o->value = value;
}

static void check_options(struct argp_state *state, const struct ioctl_options *o)
{
	const bool blob = o->number == CONTROL_GET_STATEBLOB || o->number == CONTROL_SET_STATEBLOB;

	if (!o->number)
		argp_error(state, "a command is missing");
	if ((o->unix_path != NULL) + (o->tcp != NULL) != 1)
		argp_error(state, "write one of --unix and --tcp");
	if (blob && !blob_type(o->value))
		argp_error(state, "'%s' is no state: write permanent, volatile or savestate",
			   o->value);
	if (blob && !o->file)
		argp_error(state, "the name of a file is missing behind '%s'", o->value);
	if (!blob && o->file)
		argp_error(state,
			   "'%s' is not expected: a device is not offered, say --unix or "
			   "--tcp",
			   o->file);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	static const struct {
		int key;
		enum control_number number;
	} commands[] = {
		{'c', CONTROL_GET_CAPABILITY},
		{'i', CONTROL_INIT},
		{OPTION_STOP, CONTROL_STOP},
		{'s', CONTROL_SHUTDOWN},
		{'e', CONTROL_GET_TPMESTABLISHED},
		{'r', CONTROL_RESET_TPMESTABLISHED},
		{'l', CONTROL_SET_LOCALITY},
		{'h', CONTROL_HASH_START},
		{'C', CONTROL_CANCEL_TPM_CMD},
		{'v', CONTROL_STORE_VOLATILE},
		{OPTION_SAVE, CONTROL_GET_STATEBLOB},
		{OPTION_LOAD, CONTROL_SET_STATEBLOB},
		{'g', CONTROL_GET_CONFIG},
		{'b', CONTROL_SET_BUFFERSIZE},
		{OPTION_INFO, CONTROL_GET_INFO},
		{OPTION_LOCK_STORAGE, CONTROL_LOCK_STORAGE},
	};
	struct ioctl_options *o = state->input;

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (commands[i].key != key)
			continue;
		set_command(state, o, commands[i].number, text);
		return 0;
	}
	switch (key) {
	case OPTION_UNIX:
		o->unix_path = text;
		return 0;
	case OPTION_TCP:
		o->tcp = text;
		return 0;
	case OPTION_TPM_DEVICE:
		argp_error(state,
			   "--tpm-device %s: a CUSE device is not offered: say --unix or "
			   "--tcp",
			   text);
		return 0;
	case OPTION_VERSION:
		printf("TPM emulator control tool of cvtpm, version %s\n", CVTPM_VERSION);
		exit(CLI_YES);
	case ARGP_KEY_ARG:
		if (o->file)
			argp_error(state, "'%s' is not expected", text);
		o->file = text;
		return 0;
	case ARGP_KEY_END:
		check_options(state, o);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp ioctl_argp = {
	options,
	parse,
	"[FILE]",
	"Sends one command to the control channel of a TPM, with the command line of "
	"swtpm_ioctl.\v"
	"Examples:\n"
	"  swtpm_ioctl --unix /tmp/vm7/ctrl -i\n"
	"  swtpm_ioctl --unix /tmp/vm7/ctrl --save permanent vm7.state\n"
	"\n"
	"Exit status: 0 done, 1 the TPM refused, 2 wrong usage or a fault.",
	NULL,
	NULL,
	NULL};

/* ---- asking ---- */

static int told(const struct ioctl_options *o, uint32_t result)
{
	if (result == CONTROL_SUCCESS)
		return CLI_YES;
	cli_error("TPM result from PTM_%s: 0x%x", control_name(o->number), (unsigned)result);
	return CLI_NO;
}

/* Sends the number and `len` bytes, and reads an answer of `answer_len`, a result first.
 * An error may be shorter: then it is all that comes. */
static int ask(const struct ioctl_options *o, const uint8_t *body, size_t len, uint8_t *answer,
	       size_t answer_len)
{
	uint8_t request[4 + 16];

	frame_put_u32(request, o->number);
	if (len)
		memcpy(request + 4, body, len);
	if (swtpm_channel_put(&o->channel, request, 4 + len) != 0 ||
	    swtpm_channel_get(&o->channel, answer, 4) != 0)
		return CLI_FAULT;
	if (frame_get_u32(answer) != CONTROL_SUCCESS)
		return told(o, frame_get_u32(answer));
	return swtpm_channel_get(&o->channel, answer + 4, answer_len - 4) == 0 ? CLI_YES
									       : CLI_FAULT;
}

/* ---- commands ---- */

static int simple(const struct ioctl_options *o, uint32_t value, bool with_value)
{
	uint8_t body[4], answer[4];

	frame_put_u32(body, value);
	return ask(o, body, with_value ? sizeof body : 0, answer, sizeof answer);
}

static int locality(const struct ioctl_options *o)
{
	const uint8_t body = (uint8_t)number_of("the locality", o->value, 4);
	uint8_t answer[4];

	return ask(o, &body, 1, answer, sizeof answer);
}

static int capability(const struct ioctl_options *o)
{
	uint8_t answer[8];
	const int status = ask(o, NULL, 0, answer, sizeof answer);

	if (status == CLI_YES)
		printf("ptm capability is 0x%x\n", (unsigned)frame_get_u32(answer + 4));
	return status;
}

static int established(const struct ioctl_options *o)
{
	uint8_t answer[8];
	const int status = ask(o, NULL, 0, answer, sizeof answer);

	if (status == CLI_YES)
		printf("tpmEstablished is %u\n", answer[4]);
	return status;
}

static int config(const struct ioctl_options *o)
{
	uint8_t answer[8];
	const int status = ask(o, NULL, 0, answer, sizeof answer);

	if (status == CLI_YES)
		printf("ptm configuration flags: 0x%x\n", (unsigned)frame_get_u32(answer + 4));
	return status;
}

static int buffer_size(const struct ioctl_options *o)
{
	uint8_t body[4], answer[16];

	frame_put_u32(body, (uint32_t)number_of("the size", o->value, UINT32_MAX));
	const int status = ask(o, body, sizeof body, answer, sizeof answer);

	if (status == CLI_YES)
		printf("TPM buffersize: %u\nminimum size  : %u\nmaximum size  : %u\n",
		       (unsigned)frame_get_u32(answer + 4), (unsigned)frame_get_u32(answer + 8),
		       (unsigned)frame_get_u32(answer + 12));
	return status;
}

static int info(const struct ioctl_options *o)
{
	uint8_t body[16] = {0}, answer[12];
	char text[CVTPM_MAX_BUFFER_SIZE + 1];

	frame_put_u32(body + 4, (uint32_t)number_of("the flags", o->value, UINT32_MAX));
	const int status = ask(o, body, sizeof body, answer, sizeof answer);
	const uint32_t len = status == CLI_YES ? frame_get_u32(answer + 8) : 0;

	if (status != CLI_YES)
		return status;
	if (len >= sizeof text || frame_get_u32(answer + 4) != len) {
		cli_error("GET_INFO: an answer of %u bytes is too long", (unsigned)len);
		return CLI_FAULT;
	}
	if (swtpm_channel_get(&o->channel, text, len) != 0)
		return CLI_FAULT;
	text[len] = '\0';
	printf("%s\n", text);
	return CLI_YES;
}

static int hash_part(struct ioctl_options *o, const uint8_t *data, size_t len)
{
	uint8_t head[4], answer[4];

	o->number = CONTROL_HASH_DATA;
	frame_put_u32(head, CONTROL_HASH_DATA);
	if (swtpm_channel_put(&o->channel, head, 4) != 0)
		return CLI_FAULT;
	frame_put_u32(head, (uint32_t)len);
	if (swtpm_channel_put(&o->channel, head, 4) != 0 ||
	    swtpm_channel_put(&o->channel, data, len) != 0 ||
	    swtpm_channel_get(&o->channel, answer, 4) != 0)
		return CLI_FAULT;
	return told(o, frame_get_u32(answer));
}

static int hash(struct ioctl_options *o)
{
	const bool from_stdin = strcmp(o->value, "-") == 0;
	uint8_t chunk[HASH_CHUNK];
	const char *rest = o->value;
	int status = simple(o, 0, false);

	while (status == CLI_YES) {
		const size_t len = from_stdin ? fread(chunk, 1, sizeof chunk, stdin)
					      : strnlen(rest, sizeof chunk);

		if (len == 0)
			break;
		if (!from_stdin)
			memcpy(chunk, rest, len), rest += len;
		status = hash_part(o, chunk, len);
	}
	if (status != CLI_YES)
		return status;
	if (from_stdin && ferror(stdin)) {
		cli_error("standard input cannot be read: %s", strerror(errno));
		return CLI_FAULT;
	}
	o->number = CONTROL_HASH_END;
	return simple(o, 0, false);
}

/* ---- state blobs: whoever holds one holds the TPM's seeds ---- */

static int write_blob(const struct ioctl_options *o, size_t len)
{
	const int fd = open(o->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint8_t chunk[8192];
	int status = fd < 0 ? CLI_FAULT : CLI_YES;

	while (status == CLI_YES && len > 0) {
		const size_t part = len < sizeof chunk ? len : sizeof chunk;

		if (swtpm_channel_get(&o->channel, chunk, part) != 0) {
			close(fd);
			return CLI_FAULT;
		}
		if (write(fd, chunk, part) != (ssize_t)part)
			status = CLI_FAULT;
		len -= part;
	}
	cvtpm_wipe(chunk, sizeof chunk);
	if ((fd >= 0 && close(fd) < 0) || status != CLI_YES) {
		cli_error("cannot write %s: %s", o->file, strerror(errno));
		return CLI_FAULT;
	}
	return CLI_YES;
}

static int save(const struct ioctl_options *o)
{
	uint8_t body[12], answer[16];

	frame_put_u32(body, 1); /* not under the key of its file */
	frame_put_u32(body + 4, blob_type(o->value));
	frame_put_u32(body + 8, 0);
	if (swtpm_channel_put(&o->channel, (uint8_t[4]){0, 0, 0, CONTROL_GET_STATEBLOB}, 4) != 0 ||
	    swtpm_channel_put(&o->channel, body, sizeof body) != 0 ||
	    swtpm_channel_get(&o->channel, answer, 4) != 0)
		return CLI_FAULT;
	const uint32_t result = frame_get_u32(answer);

	if (result == CONTROL_NO_SUCH_BLOB) { /* an empty file: to be loaded as such */
		cli_error("there is no state '%s' now: %s becomes empty", o->value, o->file);
		return write_blob(o, 0);
	}
	if (result != CONTROL_SUCCESS)
		return told(o, result);
	if (swtpm_channel_get(&o->channel, answer + 4, 12) != 0)
		return CLI_FAULT;
	if (frame_get_u32(answer + 8) != frame_get_u32(answer + 12) ||
	    frame_get_u32(answer + 12) > CONTROL_BLOB_MAX) {
		cli_error("GET_STATEBLOB: an answer of %u bytes, %u of them at once, is not taken",
			  (unsigned)frame_get_u32(answer + 8),
			  (unsigned)frame_get_u32(answer + 12));
		return CLI_FAULT;
	}
	return write_blob(o, frame_get_u32(answer + 12));
}

static int send_blob(const struct ioctl_options *o, int file, size_t len)
{
	uint8_t head[16], chunk[8192];
	int status = CLI_YES;

	frame_put_u32(head, CONTROL_SET_STATEBLOB);
	frame_put_u32(head + 4, 0);
	frame_put_u32(head + 8, blob_type(o->value));
	frame_put_u32(head + 12, (uint32_t)len);
	if (swtpm_channel_put(&o->channel, head, sizeof head) != 0)
		return CLI_FAULT;
	while (status == CLI_YES && len > 0) {
		const ssize_t n = read(file, chunk, len < sizeof chunk ? len : sizeof chunk);

		if (n <= 0) {
			cli_error("cannot read %s: %s", o->file,
				  n < 0 ? strerror(errno) : "it has become shorter");
			return CLI_FAULT;
		}
		status = swtpm_channel_put(&o->channel, chunk, (size_t)n);
		len -= (size_t)n;
	}
	cvtpm_wipe(chunk, sizeof chunk);
	if (status != CLI_YES || swtpm_channel_get(&o->channel, head, 4) != 0)
		return CLI_FAULT;
	return told(o, frame_get_u32(head));
}

static int load(const struct ioctl_options *o)
{
	const int file = open(o->file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int status = CLI_FAULT;

	if (file < 0 || fstat(file, &st) < 0)
		cli_error("cannot read %s: %s", o->file, strerror(errno));
	else if (!S_ISREG(st.st_mode) || st.st_size > CONTROL_BLOB_MAX)
		cli_error("%s is not a file of at most %u bytes", o->file, CONTROL_BLOB_MAX);
	else
		status = send_blob(o, file, (size_t)st.st_size);
	if (file >= 0)
		close(file);
	return status;
}

static int run(struct ioctl_options *o)
{
	switch (o->number) {
	case CONTROL_GET_CAPABILITY:
		return capability(o);
	case CONTROL_INIT:
		return simple(o, CONTROL_INIT_DELETE_VOLATILE, true);
	case CONTROL_GET_TPMESTABLISHED:
		return established(o);
	case CONTROL_RESET_TPMESTABLISHED:
	case CONTROL_SET_LOCALITY:
		return locality(o);
	case CONTROL_HASH_START:
		return hash(o);
	case CONTROL_GET_STATEBLOB:
		return save(o);
	case CONTROL_SET_STATEBLOB:
		return load(o);
	case CONTROL_GET_CONFIG:
		return config(o);
	case CONTROL_SET_BUFFERSIZE:
		return buffer_size(o);
	case CONTROL_GET_INFO:
		return info(o);
	case CONTROL_LOCK_STORAGE:
		return simple(o, (uint32_t)number_of("the retries", o->value, UINT32_MAX), true);
	default:
		return simple(o, 0, false);
	}
}

int cmd_swtpm_ioctl(int argc, char **argv)
{
	struct ioctl_options o = {.channel = {.fd = -1}};

	argp_parse(&ioctl_argp, argc, argv, 0, NULL, &o);
	const time_t patience =
		o.number == CONTROL_SHUTDOWN ? SHUTDOWN_PATIENCE_SECONDS : PATIENCE_SECONDS;

	o.channel.doing = control_name(o.number);
	if (swtpm_channel_open(&o.channel, o.unix_path, o.tcp, patience) != 0)
		return CLI_FAULT;
	const int status = run(&o);

	close(o.channel.fd);
	return status;
}
