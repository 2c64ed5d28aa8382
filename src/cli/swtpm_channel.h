/* A connection to a control channel, from the client's side. */
#ifndef CVTPM_CLI_SWTPM_CHANNEL_H
#define CVTPM_CLI_SWTPM_CHANNEL_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct swtpm_channel {
	int fd;
	const char *doing; /* the request at work, for messages */
};

/** Connects to a Unix socket, or, with `unix_path` NULL, to "HOST:PORT", each of which may be
 *  missing. Nothing that is read or written then waits longer than `patience` seconds.
 *  0, or CLI_FAULT after a line on stderr; so do the others. */
int swtpm_channel_open(struct swtpm_channel *channel, const char *unix_path, const char *tcp,
		       time_t patience);

/** All of `len` bytes. */
int swtpm_channel_put(const struct swtpm_channel *channel, const void *bytes, size_t len);
int swtpm_channel_get(const struct swtpm_channel *channel, void *bytes, size_t len);

#endif
