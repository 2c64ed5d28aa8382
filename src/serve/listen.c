#include "serve/listen.h"

#include "cvtpm/err.h"
#include "serve/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG       64
#define PAIR_ATTEMPTS 50 /* to find two free ports that are neighbours */

/* No descriptor is left for a client. Left in the queue it would wake the loop for
 * ever, so it is accepted with the spare one, and closed. */
static void listener_refuse(struct listener *l, int why)
{
	struct server *server = l->server;

	server_turn_away(server, strerror(why));
	if ((why != EMFILE && why != ENFILE) || server->spare_fd < 0)
		return;
	close(server->spare_fd);
	const int fd = accept4(l->source.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		close(fd);
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void listener_ready(void *owner, short revents)
{
	struct listener *l = owner;
	const int fd = accept4(l->source.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)revents;
	if (fd >= 0) {
		server_accept(l->server, l->protocol, fd);
		return;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
		listener_refuse(l, errno);
}

static void listener_init(struct listener *l, struct server *server, int fd)
{
	l->server = server;
	l->source = (struct loop_source){
		.fd = fd, .events = POLLIN, .ready = listener_ready, .owner = l};
}

int listener_start(struct listener *l)
{
	return loop_add(&l->server->loop, &l->source);
}

void listener_close(struct listener *l)
{
	struct stat st;

	loop_remove(&l->server->loop, &l->source);
	if (l->path && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	close(l->source.fd);
}

/* ---- Unix ---- */

bool listen_not_a_socket(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISSOCK(st.st_mode);
}

/* Removes the socket file of a server that is gone. CVTPM_ERR_BUSY: it is there. */
static int remove_stale_socket(struct server *server, const struct sockaddr_un *address)
{
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : CVTPM_ERR_IO;
	if (!S_ISSOCK(st.st_mode)) {
		server_log(server, CVTPM_LOG_ERROR,
			   "%s exists and is not a socket: name another path or remove it",
			   address->sun_path);
		return CVTPM_ERR_BUSY;
	}
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return CVTPM_ERR_IO;
	const int connected = connect(fd, (const struct sockaddr *)address, sizeof *address);
	const int why = errno;

	close(fd);
	if (connected < 0 && why == ECONNREFUSED)
		return unlink(address->sun_path) < 0 ? CVTPM_ERR_IO : 0;
	if (connected < 0 && why != EAGAIN) {
		errno = why;
		return CVTPM_ERR_IO;
	}
	server_log(
		server, CVTPM_LOG_ERROR,
		"socket %s is in use: another server listens there; stop it or name another path",
		address->sun_path);
	return CVTPM_ERR_BUSY;
}

static int unix_failed(struct server *server, const char *path)
{
	server_log(server, CVTPM_LOG_ERROR, "cannot listen on the socket %s: %s", path,
		   strerror(errno));
	return CVTPM_ERR_IO;
}

/* As its caller wants it; -1 and errno. */
static int unix_share(const char *path, const struct cvtpm_serve_file *file)
{
	if (!file)
		return 0;
	if ((file->uid != (uid_t)-1 || file->gid != (gid_t)-1) &&
	    lchown(path, file->uid, file->gid) < 0)
		return -1;
	return chmod(path, (mode_t)file->mode);
}

int listener_open_unix(struct listener *l, struct server *server, const char *path,
		       const struct cvtpm_serve_file *file)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;

	if (path[0] == '\0' || strlen(path) >= sizeof address.sun_path) {
		server_log(server, CVTPM_LOG_ERROR,
			   "socket path '%s' must have 1 to %zu characters: use a shorter one",
			   path, sizeof address.sun_path - 1);
		return CVTPM_ERR_PARAM;
	}
	strcpy(address.sun_path, path);

	const int stale = remove_stale_socket(server, &address);

	if (stale == CVTPM_ERR_IO)
		return unix_failed(server, path);
	CVTPM_TRY(stale);

	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return unix_failed(server, path);
	/* The mode of the descriptor is what bind gives the file, so that it is
	 * never open to others, whatever the umask. */
	if (fchmod(fd, 0600) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
	    chmod(path, 0600) < 0 || lstat(path, &st) < 0 || listen(fd, BACKLOG) < 0 ||
	    unix_share(path, file) < 0) {
		const int result = unix_failed(server, path);

		close(fd);
		return result;
	}
	listener_init(l, server, fd);
	l->path = path;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	snprintf(l->name, sizeof l->name, "%s", path);
	return 0;
}

/* ---- passed ---- */

int listener_open_passed(struct listener *l, struct server *server, int fd)
{
	socklen_t len = sizeof(int);
	int listens = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 || !listens ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		server_log(server, CVTPM_LOG_ERROR, "descriptor %d is not a listening socket", fd);
		return CVTPM_ERR_PARAM;
	}
	listener_init(l, server, fd);
	snprintf(l->name, sizeof l->name, "descriptor %d", fd);
	return 0;
}

/* ---- TCP ---- */

struct tcp_address {
	struct sockaddr_storage storage;
	socklen_t len;
};

/* Splits "ADDR:PORT" or "[ADDR]:PORT" and looks the parts up. */
static int address_parse(struct server *server, const char *text, struct tcp_address *address)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICSERV | AI_PASSIVE,
				       .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char host[256];
	const char *colon = strrchr(text, ':');
	char *end;

	if (!colon || colon == text || (size_t)(colon - text) >= sizeof host) {
		server_log(server, CVTPM_LOG_ERROR,
			   "'%s' is not an address: write ADDR:PORT, such as 127.0.0.1:2321", text);
		return CVTPM_ERR_PARAM;
	}
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = '\0';
		memmove(host, host + 1, strlen(host));
	}
	errno = 0;
	const unsigned long port = strtoul(colon + 1, &end, 10);

	if (colon[1] < '0' || colon[1] > '9' || *end || port > 65535) {
		server_log(server, CVTPM_LOG_ERROR,
			   "'%s' has no port from 0 to 65535 behind the colon", text);
		return CVTPM_ERR_PARAM;
	}
	const int why = getaddrinfo(host, colon + 1, &hints, &found);

	if (why != 0) {
		server_log(server, CVTPM_LOG_ERROR, "'%s' is not an address of this machine: %s",
			   text, gai_strerror(why));
		return CVTPM_ERR_PARAM;
	}
	memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
	address->len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static bool address_is_loopback(const struct tcp_address *address)
{
	if (address->storage.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&address->storage;

		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	}
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->storage;

	return address->storage.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static in_port_t *address_port(struct tcp_address *address)
{
	if (address->storage.ss_family == AF_INET6)
		return &((struct sockaddr_in6 *)&address->storage)->sin6_port;
	return &((struct sockaddr_in *)&address->storage)->sin_port;
}

/* Binds and listens; -1 and errno. */
static int tcp_listen(const struct tcp_address *address)
{
	const int fd =
		socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
	    bind(fd, (const struct sockaddr *)&address->storage, address->len) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	const int why = errno;

	close(fd);
	errno = why;
	return -1;
}

static void listener_name(struct listener *l)
{
	struct tcp_address address = {.len = sizeof address.storage};
	char host[64], port[8];

	getsockname(l->source.fd, (struct sockaddr *)&address.storage, &address.len);
	if (getnameinfo((struct sockaddr *)&address.storage, address.len, host, sizeof host, port,
			sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return;
	snprintf(l->name, sizeof l->name, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static int tcp_failed(struct server *server, struct tcp_address *address, const char *text)
{
	const unsigned port = ntohs(*address_port(address));

	if (errno == EADDRINUSE) {
		server_log(server, CVTPM_LOG_ERROR,
			   "port %u of %s is in use: stop who listens there or name another port",
			   port, text);
		return CVTPM_ERR_BUSY;
	}
	server_log(server, CVTPM_LOG_ERROR, "cannot listen on port %u of %s: %s", port, text,
		   strerror(errno));
	return CVTPM_ERR_IO;
}

static int tcp_open_one(struct listener *l, struct server *server, struct tcp_address *address)
{
	const int fd = tcp_listen(address);

	if (fd < 0)
		return CVTPM_ERR_IO;
	listener_init(l, server, fd);
	listener_name(l);
	address->len = sizeof address->storage;
	getsockname(fd, (struct sockaddr *)&address->storage, &address->len);
	return 0;
}

static int tcp_open_pair(struct listener *l, struct listener *next, struct server *server,
			 struct tcp_address *address)
{
	struct tcp_address above;

	CVTPM_TRY(tcp_open_one(l, server, address));
	above = *address;
	*address_port(&above) = htons((uint16_t)(ntohs(*address_port(address)) + 1));
	if (*address_port(&above) != 0 && tcp_open_one(next, server, &above) == 0)
		return 0;
	const int why = *address_port(&above) ? errno : EADDRINUSE;

	close(l->source.fd);
	*address = above;
	errno = why;
	return CVTPM_ERR_IO;
}

int listener_open_tcp(struct listener *l, struct listener *next, struct server *server,
		      const char *text)
{
	struct tcp_address wanted, address;
	int result;

	CVTPM_TRY(address_parse(server, text, &wanted));
	if (!server->config->insecure_listen && !address_is_loopback(&wanted)) {
		server_log(server, CVTPM_LOG_ERROR,
			   "%s is not a loopback address, and whoever reaches this socket owns the "
			   "TPM: listen on 127.0.0.1, or say --insecure-listen",
			   text);
		return CVTPM_ERR_POLICY;
	}
	if (next && ntohs(*address_port(&wanted)) == 65535) {
		server_log(server, CVTPM_LOG_ERROR,
			   "%s leaves no port above it for the platform: name a lower one", text);
		return CVTPM_ERR_PARAM;
	}
	const bool any = *address_port(&wanted) == 0;
	int attempts = next && any ? PAIR_ATTEMPTS : 1;

	do {
		address = wanted;
		result = next ? tcp_open_pair(l, next, server, &address)
			      : tcp_open_one(l, server, &address);
	} while (result < 0 && --attempts > 0);
	return result < 0 ? tcp_failed(server, &address, text) : 0;
}
