#include "serve/bell.h"

#include "cvtpm/err.h"
#include "serve/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_PREFIX "connect:"
#define RETRY_MS       100 /* between attempts to connect */

int bell_open(struct bell *b, struct server *server, const char *where)
{
	const size_t prefix = strlen(CONNECT_PREFIX);

	b->fd = -1;
	b->path = where;
	b->connects = strncmp(where, CONNECT_PREFIX, prefix) == 0;
	if (!b->connects) {
		CVTPM_TRY(listener_open_unix(&b->listener, server, where, NULL));
		b->server = server;
		return 0;
	}
	b->path = where + prefix;
	if (b->path[0] == '\0' || strlen(b->path) >= sizeof((struct sockaddr_un *)0)->sun_path) {
		server_log(server, CVTPM_LOG_ERROR,
			   "the doorbell's socket path '%s' must have 1 to %zu characters", b->path,
			   sizeof((struct sockaddr_un *)0)->sun_path - 1);
		return CVTPM_ERR_PARAM;
	}
	if (listen_not_a_socket(b->path)) {
		server_log(server, CVTPM_LOG_ERROR, "the doorbell %s is not a socket", b->path);
		return CVTPM_ERR_PARAM;
	}
	b->server = server;
	return 0;
}

void bell_close(struct bell *b)
{
	if (!b->server)
		return;
	if (!b->connects)
		listener_close(&b->listener);
	if (b->fd >= 0)
		close(b->fd);
}

int bell_fd(void *owner, int *timeout_ms)
{
	const struct bell *b = owner;

	if (b->fd >= 0)
		return b->fd;
	if (!b->connects)
		return b->listener.source.fd;
	*timeout_ms = RETRY_MS;
	return -1;
}

/* What waits for this to succeed is a machine that is not there yet, mostly. */
static void bell_connect(struct bell *b)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	memcpy(address.sun_path, b->path, strlen(b->path) + 1);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) {
		b->fd = fd;
		b->told = false;
		return;
	}
	if (!b->told && errno != ENOENT && errno != ECONNREFUSED)
		server_log(b->server, CVTPM_LOG_WARN, "the doorbell %s cannot be reached: %s",
			   b->path, strerror(errno));
	b->told = b->told || (errno != ENOENT && errno != ECONNREFUSED);
	close(fd);
}

static void bell_accept(struct bell *b)
{
	b->fd = accept4(b->listener.source.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (b->fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		(void)poll(NULL, 0, RETRY_MS); /* no descriptors: it stays in the queue */
}

bool bell_look(struct bell *b)
{
	char bytes[64];

	if (b->fd < 0) {
		if (b->connects)
			bell_connect(b);
		else
			bell_accept(b);
		/* A command may have been written before anybody could ring. */
		return b->fd >= 0;
	}
	const ssize_t n = recv(b->fd, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n > 0)
		return true;
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(b->fd);
		b->fd = -1;
	}
	return false;
}
