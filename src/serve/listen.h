/*
 * Listening sockets: where they may be, and that nobody else's is taken away.
 */
#ifndef CVTPM_SERVE_LISTEN_H
#define CVTPM_SERVE_LISTEN_H

#include "cvtpm/serve.h"
#include "serve/client.h"

#include <sys/types.h>

#define LISTENER_NAME_SIZE 128

struct listener {
	struct loop_source source;
	struct server *server;
	const struct client_protocol *protocol;
	char name[LISTENER_NAME_SIZE]; /* "127.0.0.1:2321", or the path */
	const char *path;              /* of a Unix socket, else NULL */
	dev_t dev;                     /* of the socket file that we made */
	ino_t ino;
};

/** Whether what is at `path` is something other than a socket: a connection to it is
 *  refused as by a socket on which nobody listens yet, and would be for ever. */
bool listen_not_a_socket(const char *path);

/** Binds and listens on the Unix socket `path`, mode 0600 or as `file` has it. A socket
 *  file on which nobody listens any more is replaced. Errors are logged: CVTPM_ERR_BUSY,
 *  CVTPM_ERR_PARAM (path too long), CVTPM_ERR_IO. */
int listener_open_unix(struct listener *listener, struct server *server, const char *path,
		       const struct cvtpm_serve_file *file);

/** Takes a socket that listens already. CVTPM_ERR_PARAM, logged: `fd` does not. */
int listener_open_passed(struct listener *listener, struct server *server, int fd);

/** Binds and listens on `address`, "ADDR:PORT"; with `next` also on the port
 *  above it, and port 0 finds two neighbours. Errors are logged: CVTPM_ERR_PARAM,
 *  CVTPM_ERR_POLICY, CVTPM_ERR_BUSY, CVTPM_ERR_IO. */
int listener_open_tcp(struct listener *listener, struct listener *next, struct server *server,
		      const char *address);

/** Begins to accept. */
int listener_start(struct listener *listener);

/** Closes, and removes the socket file if it is still ours. */
void listener_close(struct listener *listener);

#endif
