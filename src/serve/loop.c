#include "serve/loop.h"

#include "cvtpm/err.h"

#include <errno.h>

int loop_add(struct loop *loop, struct loop_source *source)
{
	if (loop->count == LOOP_MAX_SOURCES)
		return CVTPM_ERR_BUSY;
	loop->source[loop->count++] = source;
	return 0;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
	/* The place stays, empty, until the next wait: loop_wait may be going
	 * through the list right now. */
	for (size_t i = 0; i < loop->count; i++)
		if (loop->source[i] == source)
			loop->source[i] = NULL;
}

static void loop_close_gaps(struct loop *loop)
{
	size_t kept = 0;

	for (size_t i = 0; i < loop->count; i++)
		if (loop->source[i])
			loop->source[kept++] = loop->source[i];
	loop->count = kept;
}

int loop_wait(struct loop *loop, const struct timespec *timeout)
{
	struct pollfd fds[LOOP_MAX_SOURCES];

	loop_close_gaps(loop);
	const size_t count = loop->count; /* what is added meanwhile waits for the next round */
	for (size_t i = 0; i < count; i++)
		fds[i] = (struct pollfd){.fd = loop->source[i]->fd,
					 .events = loop->source[i]->events};

	if (ppoll(fds, count, timeout, NULL) < 0)
		return errno == EINTR ? 0 : CVTPM_ERR_IO;
	for (size_t i = 0; i < count; i++)
		if (fds[i].revents && loop->source[i])
			loop->source[i]->ready(loop->source[i]->owner, fds[i].revents);
	return 0;
}
