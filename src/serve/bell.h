/*
 * The doorbell: a Unix stream socket on which one byte arrives for each command
 * that a guest has written to the CRB page (QEMU: a chardev socket behind
 * -device isa-debugcon). It is read on the worker's thread, which serves what
 * rang at once.
 *
 * A byte carries no information: the guest, or whoever has the socket, can make
 * us look at the page, and nothing else.
 */
#ifndef CVTPM_SERVE_BELL_H
#define CVTPM_SERVE_BELL_H

#include "serve/listen.h"

#include <stdbool.h>

struct server;

struct bell {
	struct server *server; /* NULL: there is no doorbell */
	const char *path;
	bool connects; /* the peer listens, we connect, again and again */
	bool told;     /* that it cannot be reached */
	struct listener listener;
	int fd; /* the connection, or -1 */
};

/** `where`: PATH, a socket to listen on, or "connect:PATH". Errors are logged: as
 *  listener_open_unix. */
int bell_open(struct bell *bell, struct server *server, const char *where);

/** Closes, and removes the socket file if it is ours. The worker has ended. */
void bell_close(struct bell *bell);

/* On the worker's thread: */

/** For struct worker_watch: what to wait for now. `owner` is the bell. */
int bell_fd(void *owner, int *timeout_ms);
/** Something is there, or it is time to try again. True: it rang. */
bool bell_look(struct bell *bell);

#endif
