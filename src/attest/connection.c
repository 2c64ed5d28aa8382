#include "attest/connection.h"

#include "cvtpm/err.h"
#include "host/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MSSIM_SEND_COMMAND 8
#define MSSIM_SESSION_END  20
#define TPM_RC_YIELDED     0x908u
#define TPM_RC_TESTING     0x90Au
#define TPM_RC_RETRY       0x922u
#define TRIES              500

__attribute__((format(printf, 2, 3))) static int fail(struct tpm_connection *c, const char *format,
						      ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(c->error, sizeof c->error, format, arguments);
	va_end(arguments);
	return CVTPM_ERR_IO;
}

/* ---- bytes ---- */

static int send_bytes(struct tpm_connection *c, const uint8_t *data, size_t len)
{
	while (len > 0) {
		const ssize_t n = c->kind == TPM_CONNECTION_DEVICE
					  ? write(c->fd, data, len)
					  : send(c->fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(c, "the TPM at %s takes no command: %s", c->address,
				    strerror(errno));
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int wait_for_bytes(struct tpm_connection *c)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	int ready;

	do {
		ready = poll(&p, 1, TPM_CONNECTION_LIMIT_MS);
	} while (ready < 0 && errno == EINTR);
	if (ready > 0)
		return 0;
	return fail(c, "the TPM at %s does not answer: %s", c->address,
		    ready ? strerror(errno) : "five minutes have passed");
}

/* Exactly `len` bytes of a stream. */
static int receive_bytes(struct tpm_connection *c, uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n;

		CVTPM_TRY(wait_for_bytes(c));
		n = recv(c->fd, data, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(c, "the TPM at %s has closed the connection%s%s", c->address,
				    n ? ": " : "", n ? strerror(errno) : "");
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* ---- one command ---- */

static int receive_stream(struct tpm_connection *c, uint8_t *response, size_t *response_len)
{
	size_t size;

	CVTPM_TRY(receive_bytes(c, response, FRAME_HEADER_SIZE));
	size = frame_get_u32(response + 2);
	if (size < FRAME_HEADER_SIZE || size > *response_len)
		return fail(c, "%s does not speak a TPM's language (is it the right port?)",
			    c->address);
	*response_len = size;
	return receive_bytes(c, response + FRAME_HEADER_SIZE, size - FRAME_HEADER_SIZE);
}

static int receive_mssim(struct tpm_connection *c, uint8_t *response, size_t *response_len)
{
	uint8_t word[4];
	size_t size;

	CVTPM_TRY(receive_bytes(c, word, sizeof word));
	size = frame_get_u32(word);
	if (size < FRAME_HEADER_SIZE || size > *response_len)
		return fail(c,
			    "%s does not speak the simulator's protocol (is it the command port?)",
			    c->address);
	CVTPM_TRY(receive_bytes(c, response, size));
	*response_len = size;
	return receive_bytes(c, word, sizeof word);
}

static int receive_device(struct tpm_connection *c, uint8_t *response, size_t *response_len)
{
	ssize_t n;

	CVTPM_TRY(wait_for_bytes(c));
	do {
		n = read(c->fd, response, *response_len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(c, "cannot read from the TPM at %s: %s", c->address, strerror(errno));
	*response_len = (size_t)n;
	return 0;
}

static int execute_once(struct tpm_connection *c, const uint8_t *command, size_t command_len,
			uint8_t *response, size_t *response_len)
{
	uint8_t prefix[9] = {0};

	if (c->kind == TPM_CONNECTION_MSSIM) {
		frame_put_u32(prefix, MSSIM_SEND_COMMAND); /* then the locality, 0 */
		frame_put_u32(prefix + 5, (uint32_t)command_len);
		CVTPM_TRY(send_bytes(c, prefix, sizeof prefix));
	}
	CVTPM_TRY(send_bytes(c, command, command_len));
	switch (c->kind) {
	case TPM_CONNECTION_MSSIM:
		return receive_mssim(c, response, response_len);
	case TPM_CONNECTION_DEVICE:
		return receive_device(c, response, response_len);
	case TPM_CONNECTION_STREAM:
		break;
	}
	return receive_stream(c, response, response_len);
}

/* Warnings that ask for the same command again (Part 2, 6.6.3). */
static bool asks_again(const uint8_t *response, size_t len)
{
	uint32_t rc = len >= FRAME_HEADER_SIZE ? frame_get_u32(response + 6) : 0;

	return rc == TPM_RC_YIELDED || rc == TPM_RC_TESTING || rc == TPM_RC_RETRY;
}

static int execute(void *context, const uint8_t *command, size_t command_len, uint8_t *response,
		   size_t *response_len)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	const size_t room = *response_len;

	for (unsigned i = 0; i < TRIES; i++) {
		*response_len = room;
		CVTPM_TRY(execute_once(context, command, command_len, response, response_len));
		if (!asks_again(response, *response_len))
			return 0;
		nanosleep(&pause, NULL);
	}
	return 0; /* the warning is the answer */
}

/* ---- connecting ---- */

static int connect_unix(struct tpm_connection *c, const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	if (!*path || strlen(path) >= sizeof name.sun_path) {
		fail(c, "unix:%s: a socket's path has 1 to %zu characters", path,
		     sizeof name.sun_path - 1);
		return CVTPM_ERR_PARAM;
	}
	strcpy(name.sun_path, path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&name, sizeof name) < 0)
		return fail(c,
			    "cannot connect to the TPM at unix:%s: %s; is `cvtpm serve --unix "
			    "%s` running?",
			    path, strerror(errno), path);
	return 0;
}

static int connect_tcp(struct tpm_connection *c, const char *rest)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	const char *colon = strrchr(rest, ':');
	struct addrinfo *list = NULL;
	char host[200];
	int err = 0;

	if (!colon || colon == rest || !colon[1] || (size_t)(colon - rest) >= sizeof host) {
		fail(c, "%s: a TCP address is HOST:PORT, as 127.0.0.1:2321", c->address);
		return CVTPM_ERR_PARAM;
	}
	memcpy(host, rest, (size_t)(colon - rest));
	host[colon - rest] = 0;
	if (host[0] == '[' && host[strlen(host) - 1] == ']') { /* [::1]:2321 */
		host[strlen(host) - 1] = 0;
		memmove(host, host + 1, strlen(host));
	}
	err = getaddrinfo(host, colon + 1, &hints, &list);
	if (err)
		return fail(c, "%s: %s", c->address, gai_strerror(err));
	for (const struct addrinfo *a = list; a && c->fd < 0; a = a->ai_next) {
		c->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (c->fd >= 0 && connect(c->fd, a->ai_addr, a->ai_addrlen) < 0) {
			err = errno;
			close(c->fd);
			c->fd = -1;
		}
	}
	freeaddrinfo(list);
	if (c->fd < 0)
		return fail(c, "cannot connect to the TPM at %s: %s; is its server running?",
			    c->address, strerror(err));
	return 0;
}

static int open_device(struct tpm_connection *c, const char *path)
{
	c->fd = open(path, O_RDWR | O_CLOEXEC);
	if (c->fd >= 0)
		return 0;
	return fail(c, "cannot open the TPM device %s: %s%s", path, strerror(errno),
		    errno == EACCES ? "; run as root, or join the group tss"
		    : errno == EBUSY
			    ? "; another program has it: use the resource manager, /dev/tpmrm0"
			    : "; name a TPM with --tpm");
}

static int open_local(struct tpm_connection *c)
{
	strcpy(c->address, "/dev/tpmrm0");
	c->kind = TPM_CONNECTION_DEVICE;
	if (access("/dev/tpmrm0", F_OK) == 0)
		return open_device(c, "/dev/tpmrm0");
	strcpy(c->address, "/dev/tpm0");
	if (access("/dev/tpm0", F_OK) == 0)
		return open_device(c, "/dev/tpm0");
	return fail(c, "this machine has no TPM (neither /dev/tpmrm0 nor /dev/tpm0); name one with "
		       "--tpm unix:PATH, tcp:HOST:PORT, mssim:HOST:PORT or device:PATH");
}

static int connect_address(struct tpm_connection *c, const char *address)
{
	if (!strncmp(address, "unix:", 5))
		return connect_unix(c, address + 5);
	if (!strncmp(address, "tcp:", 4))
		return connect_tcp(c, address + 4);
	if (!strncmp(address, "mssim:", 6)) {
		c->kind = TPM_CONNECTION_MSSIM;
		return connect_tcp(c, address + 6);
	}
	if (!strncmp(address, "device:", 7) || *address == '/') {
		c->kind = TPM_CONNECTION_DEVICE;
		return open_device(c, *address == '/' ? address : address + 7);
	}
	fail(c,
	     "'%s' is no TPM's address: write unix:PATH, tcp:HOST:PORT, mssim:HOST:PORT or "
	     "device:PATH",
	     address);
	return CVTPM_ERR_PARAM;
}

int tpm_connection_open(struct tpm_connection *c, const char *address)
{
	int result;

	memset(c, 0, sizeof *c);
	c->fd = -1;
	tpm_client_begin(&c->client, execute, c);
	if (!address) {
		result = open_local(c);
	} else {
		snprintf(c->address, sizeof c->address, "%s", address);
		result = connect_address(c, address);
	}
	if (result && c->fd >= 0) {
		close(c->fd);
		c->fd = -1;
	}
	return result;
}

void tpm_connection_close(struct tpm_connection *c)
{
	uint8_t end[4];

	if (c->fd < 0)
		return;
	if (c->kind == TPM_CONNECTION_MSSIM) {
		frame_put_u32(end, MSSIM_SESSION_END);
		(void)send_bytes(c, end, sizeof end);
	}
	close(c->fd);
	c->fd = -1;
}

bool tpm_connection_is_local(const struct tpm_connection *c)
{
	return c->kind == TPM_CONNECTION_DEVICE;
}
