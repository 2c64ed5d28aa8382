#include "cli/swtpm_channel.h"
#include "cli/cli.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_HOST "127.0.0.1"
#define DEFAULT_PORT "6545"

static void set_patience(int fd, time_t seconds)
{
	const struct timeval patience = {.tv_sec = seconds};

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static int connect_unix(const char *path, time_t patience)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
	} else if (fd >= 0) {
		strcpy(address.sun_path, path);
		set_patience(fd, patience);
		if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
			return fd;
	}
	cli_error("cannot connect to %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* "HOST:PORT", each of which may be missing; "[ADDR]:PORT". */
static bool split_address(const char *text, char host[256], char port[16])
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	if (text[0] == '[' && len > 1 && text[len - 1] == ']')
		text++, len -= 2;
	if (len >= 256 || (colon && strlen(colon + 1) >= 16))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	strcpy(port, colon ? colon + 1 : "");
	if (!*host)
		strcpy(host, DEFAULT_HOST);
	if (!*port)
		strcpy(port, DEFAULT_PORT);
	return true;
}

static int connect_tcp(const char *text, time_t patience)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char host[256], port[16];
	int fd = -1, why = EAI_NONAME;

	if (split_address(text, host, port))
		why = getaddrinfo(host, port, &hints, &found);
	if (why != 0) {
		cli_error("--tcp %s: %s", text, gai_strerror(why));
		return -1;
	}
	for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		set_patience(fd, patience);
		if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
			continue;
		why = errno;
		close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	if (fd < 0)
		cli_error("cannot connect to port %s of %s: %s", port, host, strerror(why));
	return fd;
}

static int fail(const struct swtpm_channel *channel, const char *what)
{
	cli_error("%s: %s: %s", channel->doing, what,
		  errno == EAGAIN ? "the TPM does not answer" : strerror(errno));
	return CLI_FAULT;
}

int swtpm_channel_put(const struct swtpm_channel *channel, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len > 0) {
		const ssize_t n = send(channel->fd, at, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(channel, "cannot send");
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int swtpm_channel_get(const struct swtpm_channel *channel, void *bytes, size_t len)
{
	uint8_t *at = bytes;

	while (len > 0) {
		const ssize_t n = recv(channel->fd, at, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EPIPE;
		if (n <= 0)
			return fail(channel, "no answer");
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int swtpm_channel_open(struct swtpm_channel *channel, const char *unix_path, const char *tcp,
		       time_t patience)
{
	channel->fd = unix_path ? connect_unix(unix_path, patience) : connect_tcp(tcp, patience);
	return channel->fd < 0 ? CLI_FAULT : 0;
}
