/* cvtpm crb-client: TPM commands from standard input to a CRB page. */
#include "cli.h"
#include "cvtpm/crb.h"
#include "cvtpm/err.h"
#include "host/frame.h"
#include "host/whole.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct arguments {
	const char *file;
	unsigned long long offset;
	unsigned long locality;
	unsigned long method;
	const char *bell; /* path of its socket; NULL: none */
};

/* What the bus reaches. */
struct door {
	void *memory;
	int bell; /* -1: none */
};

static const struct argp_option options[] = {
	{"crb-page", 'p', "FILE", 0, "The shared page, as given to cvtpm serve --crb-page", 0},
	{"offset", 'o', "BYTES", 0, "Where locality 0 begins in FILE (default 0)", 0},
	{"locality", 'l', "N", 0, "Locality to use, 0 to 3 (default 0)", 0},
	{"start-method", 'm', "N", 0,
	 "Behave as a driver with start method 7 (default) or 8 (no locality, no cmdReady)", 0},
	{"doorbell", 'd', "PATH", 0,
	 "Ring at this socket for each command, as given to cvtpm serve --doorbell; start method 8",
	 0},
	{0},
};

static const char doc[] =
	"Relay TPM commands from standard input to the CRB page FILE, and responses to standard "
	"output, until end of file.\v"
	"Example, with a server on the same file:\n"
	"  cvtpm serve --crb-page /run/tpm.page &\n"
	"  export TPM2TOOLS_TCTI=\"cmd:cvtpm crb-client --crb-page /run/tpm.page\"\n"
	"  tpm2_getrandom --hex 8\n"
	"\n"
	"Exit status: 0 at end of file, 2 after wrong usage or a fault.";

static unsigned long long number(const char *text, unsigned long long max, const char *option,
				 struct argp_state *state)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || value > max)
		argp_error(state, "%s must be a number from 0 to %llu, not '%s'", option, max,
			   text);
	return value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'p':
		a->file = arg;
		return 0;
	case 'o':
		a->offset = number(arg, INT64_MAX, "--offset", state);
		if (a->offset % 4096 != 0)
			argp_error(state, "--offset must be a multiple of 4096, not %llu",
				   a->offset);
		return 0;
	case 'l':
		a->locality = (unsigned long)number(arg, 3, "--locality", state);
		return 0;
	case 'm':
		a->method = (unsigned long)number(arg, 8, "--start-method", state);
		if (a->method != CVTPM_CRB_START_MMIO && a->method != CVTPM_CRB_START_ACPI)
			argp_error(state, "--start-method must be 7 or 8, not %lu", a->method);
		return 0;
	case 'd':
		a->bell = arg;
		return 0;
	case ARGP_KEY_END:
		if (!a->file)
			argp_error(state, "--crb-page FILE is missing");
		if (a->bell && a->method != CVTPM_CRB_START_ACPI)
			argp_error(state, "--doorbell needs --start-method 8");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- the page ---- */

static uint64_t clock_ms(void *context)
{
	struct timespec now;

	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Short commands take some tens of microseconds, key generation seconds. */
static void wait_a_little(void *context, unsigned looks)
{
	struct timespec pause = {.tv_nsec = looks < 100 ? 20000 : looks < 1000 ? 200000 : 2000000};

	(void)context;
	nanosleep(&pause, NULL);
}

static uint32_t door_read32(void *context, uint32_t offset)
{
	return cvtpm_crb_memory_read32(((struct door *)context)->memory, offset);
}

static void door_write32(void *context, uint32_t offset, uint32_t value)
{
	cvtpm_crb_memory_write32(((struct door *)context)->memory, offset, value);
}

static void door_read_bytes(void *context, uint32_t offset, uint8_t *bytes, size_t len)
{
	cvtpm_crb_memory_read_bytes(((struct door *)context)->memory, offset, bytes, len);
}

static void door_write_bytes(void *context, uint32_t offset, const uint8_t *bytes, size_t len)
{
	cvtpm_crb_memory_write_bytes(((struct door *)context)->memory, offset, bytes, len);
}

/* A bell that is gone costs time, for the server polls as well. */
static void door_ring(void *context)
{
	(void)!send(((struct door *)context)->bell, "\1", 1, MSG_NOSIGNAL);
}

static int bell_dial(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) < sizeof address.sun_path) {
		strcpy(address.sun_path, path);
		if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
			return fd;
	} else {
		errno = ENAMETOOLONG;
	}
	cli_error("cannot connect to the doorbell '%s': %s; name the socket that was given to "
		  "cvtpm serve --doorbell",
		  path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static void *page_map(const struct arguments *a, size_t size)
{
	int fd = open(a->file, O_RDWR | O_CLOEXEC);
	struct stat st;
	void *memory;

	if (fd < 0 || fstat(fd, &st) < 0) {
		cli_error("cannot open the CRB page '%s': %s; name the file that cvtpm serve "
			  "--crb-page made",
			  a->file, strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	if (S_ISREG(st.st_mode) && (unsigned long long)st.st_size < a->offset + size) {
		cli_error("'%s' has %lld bytes, but locality %lu at offset %llu ends at %llu; "
			  "check --offset, --locality and the server's --localities",
			  a->file, (long long)st.st_size, a->locality, a->offset, a->offset + size);
		close(fd);
		return NULL;
	}
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)a->offset);
	if (memory == MAP_FAILED) {
		cli_error("cannot map '%s': %s", a->file, strerror(errno));
		memory = NULL;
	}
	close(fd);
	return memory;
}

static void tell_failure(const struct arguments *a, const struct cvtpm_crb_client *client, int err)
{
	switch (err) {
	case CVTPM_ERR_NOT_FOUND:
		cli_error("no TPM answers in '%s' at offset %llu; is 'cvtpm serve --crb-page %s' "
			  "running?",
			  a->file, a->offset, a->file);
		break;
	case CVTPM_ERR_BUSY:
		cli_error("the TPM behind '%s' did not answer in time, waiting for %s; is its "
			  "server running, or is another client using locality %lu?",
			  a->file, client->step, a->locality);
		break;
	case CVTPM_ERR_UNSUPPORTED:
		cli_error("what answers in '%s' is no CRB of version 1 with locality %lu; check "
			  "--offset, --locality and the server's --localities",
			  a->file, a->locality);
		break;
	case CVTPM_ERR_PEER:
		cli_error("the TPM behind '%s' reports a fault, seen in %s; its server's log says "
			  "more",
			  a->file, client->step);
		break;
	default:
		cli_error("'%s': %s (%s)", a->file, cvtpm_strerror(err), client->step);
		break;
	}
}

/* ---- the pipe ---- */

static int response_write(const uint8_t *bytes, size_t len)
{
	if (write_whole(STDOUT_FILENO, bytes, len))
		return 0;
	cli_error("cannot write the response to standard output: %s", strerror(errno));
	return -1;
}

/* The next command, framed by its header. 1, 0 at end of file, -1. */
static int command_read(uint8_t command[CVTPM_CRB_BUFFER_SIZE], size_t *len)
{
	ssize_t n = read_whole(STDIN_FILENO, command, FRAME_HEADER_SIZE);
	size_t size;

	if (n == 0)
		return 0;
	if (n == FRAME_HEADER_SIZE) {
		size = frame_get_u32(command + 2);
		if (size < FRAME_HEADER_SIZE || size > CVTPM_CRB_BUFFER_SIZE) {
			cli_error("a command on standard input says that it has %zu bytes; %d to "
				  "%d fit the interface",
				  size, FRAME_HEADER_SIZE, CVTPM_CRB_BUFFER_SIZE);
			return -1;
		}
		*len = size;
		n = read_whole(STDIN_FILENO, command + FRAME_HEADER_SIZE, size - FRAME_HEADER_SIZE);
		if (n == (ssize_t)(size - FRAME_HEADER_SIZE))
			return 1;
	}
	if (n < 0)
		cli_error("cannot read a command from standard input: %s", strerror(errno));
	else
		cli_error("standard input ended in the middle of a command");
	return -1;
}

static int relay(const struct arguments *a, struct cvtpm_crb_client *client)
{
	uint8_t command[CVTPM_CRB_BUFFER_SIZE], response[CVTPM_CRB_BUFFER_SIZE];
	size_t command_len;
	int more;

	while ((more = command_read(command, &command_len)) > 0) {
		size_t response_len = sizeof response;
		int err = cvtpm_crb_client_transmit(client, command, command_len, response,
						    &response_len);

		if (err < 0) {
			tell_failure(a, client, err);
			return CLI_FAULT;
		}
		if (response_write(response, response_len) < 0)
			return CLI_FAULT;
	}
	return more < 0 ? CLI_FAULT : CLI_YES;
}

static int serve_input(const struct arguments *a, struct door *door)
{
	const struct cvtpm_crb_bus bus = {
		.context = door,
		.read32 = door_read32,
		.write32 = door_write32,
		.read_bytes = door_read_bytes,
		.write_bytes = door_write_bytes,
		.clock_ms = clock_ms,
		.wait = wait_a_little,
		.doorbell = door->bell >= 0 ? door_ring : NULL,
	};
	struct cvtpm_crb_client client;
	const int result = cvtpm_crb_client_open(
		&client, &bus, (enum cvtpm_crb_start_method)a->method, (uint8_t)a->locality);

	if (result == 0)
		return relay(a, &client);
	tell_failure(a, &client, result);
	return CLI_FAULT;
}

int cmd_crb_client(int argc, char **argv)
{
	static const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
	struct arguments a = {.method = CVTPM_CRB_START_MMIO};
	struct door door = {.bell = -1};
	size_t size;
	int result = CLI_FAULT;

	argp_err_exit_status = CLI_FAULT;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	size = (a.locality + 1) * (size_t)CVTPM_CRB_LOCALITY_SIZE;
	door.memory = page_map(&a, size);
	if (!door.memory)
		return CLI_FAULT;
	if (a.bell)
		door.bell = bell_dial(a.bell);
	if (!a.bell || door.bell >= 0)
		result = serve_input(&a, &door);
	if (door.bell >= 0)
		close(door.bell);
	munmap(door.memory, size);
	return result;
}
