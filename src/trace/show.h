/* Messages for people and for programs. Hosted. */
#ifndef CVTPM_TRACE_SHOW_H
#define CVTPM_TRACE_SHOW_H

#include "trace/message.h"

#include <stdio.h>

/* A command and its answer. */
struct trace_exchange {
	unsigned long number;                /* from 1 */
	const struct trace_context *context; /* as it was before the command */
	bool has_command, has_response;
	struct trace_message command, response;
	char when[40];      /* the command's time; "": not known */
	int64_t took_us;    /* until the answer; -1: not known */
	const char *where;  /* the door, or the connection; NULL: not known */
	int locality;       /* -1: not known */
	unsigned long line; /* of a text, 0: none */
};

struct trace_show {
	FILE *out;
	bool secrets; /* show them */
	bool full;    /* show every byte of what is long */
	bool offsets; /* every field with its offset, sizes and counts, too */
	bool brief;   /* for one line */
	bool colour;
	unsigned width; /* of a line, 0: 100 */
};

/** The exchange as lines, and as one line. */
void trace_show_text(const struct trace_show *show, const struct trace_exchange *x);
void trace_show_brief(const struct trace_show *show, const struct trace_exchange *x);
/** As one JSON object on a line. False: out of memory, or it cannot be written. */
bool trace_show_json(const struct trace_show *show, const struct trace_exchange *x);

/** An event as one JSON object on a line. */
bool trace_show_event_json(const struct trace_show *show, const char *event);

/* ---- for the three of them ---- */

/** A number or bytes in words; cut where `size` is too small. */
void trace_value_text(const struct trace_show *show, const struct trace_exchange *x,
		      const struct trace_message *m, size_t node, char *text, size_t size);
/** Is a node's value to be hidden? */
bool trace_is_hidden(const struct trace_show *show, const struct trace_node *node);
/** The number that the node behind it in a TPMS_TAGGED_PROPERTY belongs to. */
bool trace_is_property(const struct trace_message *m, size_t node, TPM_PT *property);

#endif
