/*
 * What an instance needs from the world around it, in one struct of callbacks.
 *
 * The same struct serves a TPM in firmware and a TPM in a process. The caller
 * owns it and keeps it alive, unchanged, as long as the instance. A callback
 * gets `context` as its first argument and is called only from within calls
 * into the instance.
 */
#ifndef CVTPM_PLATFORM_H
#define CVTPM_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cvtpm_store;

enum cvtpm_log_level {
	CVTPM_LOG_ERROR, /* something did not work; the operator must act */
	CVTPM_LOG_WARN,  /* it works, but not as one would wish */
	CVTPM_LOG_INFO,  /* what happened, for the operator's record */
	CVTPM_LOG_DEBUG,
};

struct cvtpm_platform {
	void *context;

	/* Fills `out` with `len` bytes of full entropy; 0, or CVTPM_ERR_ENTROPY.
	 * A failure is never papered over with a weaker source: the instance goes
	 * into failure mode. */
	int (*entropy)(void *context, uint8_t *out, size_t len);

	/* Milliseconds on a clock that never goes back while the instance lives.
	 * Any origin. Cannot fail. */
	uint64_t (*clock_ms)(void *context);

	/* Seconds since 1970-01-01 UTC, for the dates of certificates, or 0 where
	 * the platform has no calendar (certificates are then dated from the
	 * build's date on). May be NULL, which means 0. */
	uint64_t (*time_of_day)(void *context);

	/* One line of ASCII for the operator, without a line feed. May be NULL. */
	void (*log)(void *context, enum cvtpm_log_level level, const char *line);

	/* True when the running command shall end early; polled in loops that may
	 * take longer than some milliseconds. May be NULL, which means never. */
	bool (*cancelled)(void *context);

	/* True while a person is physically present (Part 3, 26.2 and 23.12), as a
	 * button or the host's operator would say; nothing that a guest can reach may
	 * make it true. Asked when a command or a policy wants it. May be NULL, which
	 * means never. */
	bool (*physical_presence)(void *context);

	/* Where state is kept. Never NULL: an ephemeral TPM has a memory store. */
	struct cvtpm_store *store;
};

#endif
