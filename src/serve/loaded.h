/*
 * Which objects and sessions are loaded, and which connection loaded them, so that
 * they can be flushed when it ends (cvtpm_serve_config.flush_on_disconnect).
 *
 * Learnt from commands and their responses. A note may be out of date: sessions end
 * with a command that does not continue them, objects with their hierarchy. That does
 * no harm: a flush of what is not there is an error that nobody sees, and when a
 * handle is given out anew, the note about its former bearer is replaced, so that no
 * connection's end touches what another has loaded.
 *
 * For the worker's thread alone.
 */
#ifndef CVTPM_SERVE_LOADED_H
#define CVTPM_SERVE_LOADED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than any engine keeps loaded at a time; the oldest note goes first. */
#define LOADED_MAX 128

struct loaded {
	bool wanted; /* else nothing is noted */
	size_t count;
	struct {
		uint32_t handle;
		const void *owner;
	} note[LOADED_MAX];
};

/** Notes what a command that succeeded has loaded or unloaded; `owner` tells connections
 *  apart, NULL for one that does not end. */
void loaded_note(struct loaded *loaded, const void *owner, const uint8_t *command,
		 size_t command_len, const uint8_t *response, size_t response_len);

/** Takes one handle of `owner` out of the notes; false: there is none. */
bool loaded_take(struct loaded *loaded, const void *owner, uint32_t *handle);

#endif
