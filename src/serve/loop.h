/*
 * The event loop: one thread, every descriptor of the server, no waiting
 * anywhere else. Whatever a peer does or leaves undone, the loop goes on.
 */
#ifndef CVTPM_SERVE_LOOP_H
#define CVTPM_SERVE_LOOP_H

#include <poll.h>
#include <stddef.h>
#include <time.h>

/* Clients, listeners, signals, worker: the most descriptors a loop watches. */
#define LOOP_MAX_SOURCES 160

/* A descriptor and who is told about it. The owner keeps it in memory from
 * loop_add until loop_remove, and may change `events` at any time. */
struct loop_source {
	int fd;
	short events; /* of poll(2); POLLHUP and POLLERR are always told */
	void (*ready)(void *owner, short revents);
	void *owner;
};

struct loop {
	struct loop_source *source[LOOP_MAX_SOURCES];
	size_t count;
};

/** Watches `source`. CVTPM_ERR_BUSY: the loop is full. */
int loop_add(struct loop *loop, struct loop_source *source);

/** Forgets `source`; may be called from any `ready`, also its own. */
void loop_remove(struct loop *loop, struct loop_source *source);

/** Waits until something is ready or `timeout` has passed (NULL: for ever), and
 *  tells the owners. CVTPM_ERR_IO: poll failed. */
int loop_wait(struct loop *loop, const struct timespec *timeout);

#endif
