/* Commands and their answers, one after the other on one way to a TPM. Hosted. */
#ifndef CVTPM_TRACE_PAIR_H
#define CVTPM_TRACE_PAIR_H

#include "trace/show.h"

/* Who gets the exchanges of all ways. */
struct trace_sink {
	void (*exchange)(void *owner, const struct trace_exchange *x);
	/* What is no exchange, in words: what was not understood (`wrong`), or an event. */
	void (*note)(void *owner, bool wrong, const char *line);
	void *owner;
	unsigned long count; /* exchanges so far */
};

__attribute__((format(printf, 3, 4))) void trace_note(const struct trace_sink *sink, bool wrong,
						      const char *format, ...);

/* What is known of a message besides its bytes. */
struct trace_meta {
	int64_t ns;        /* since 1970; -1: not known */
	const char *where; /* stays; NULL: not known */
	int locality;      /* -1: not known */
	unsigned long line;
};

/* One way: a connection, a log. */
struct trace_way {
	struct trace_sink *sink;
	struct trace_context *context; /* of the TPM at its end */
	uint8_t *command;              /* that waits for its answer; owned */
	size_t command_len;
	struct trace_meta meta;
};

/** A command, a response, or one of them as their codes and their order tell. */
void trace_take_command(struct trace_way *way, const uint8_t *bytes, size_t len,
			const struct trace_meta *meta);
void trace_take_response(struct trace_way *way, const uint8_t *bytes, size_t len,
			 const struct trace_meta *meta);
void trace_take(struct trace_way *way, const uint8_t *bytes, size_t len,
		const struct trace_meta *meta);

/** Its end: a command that waits is told as one without an answer. */
void trace_way_end(struct trace_way *way);

#endif
