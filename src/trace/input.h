/* TPM traffic from a file, whatever form it has. Hosted. */
#ifndef CVTPM_TRACE_INPUT_H
#define CVTPM_TRACE_INPUT_H

#include "trace/pair.h"

#include <stdio.h>

/* A file that is read once, from its beginning; a few bytes may be looked at first. */
struct trace_input {
	FILE *file;
	uint8_t head[4];
	size_t head_len, head_at;
	uint64_t offset; /* of the next byte */
};

/** Up to `len` bytes; fewer at the end. */
size_t trace_input_read(struct trace_input *input, void *to, size_t len);

/** Reads it all: text with a message a line, a run of messages, or a packet capture. Exchanges
 *  and notes go to the sink. False: its form is not known, or it cannot be read on; a note
 *  says so. `port`: of TCP, a TPM's besides 2321 and 2322; 0: none. */
bool trace_read(FILE *file, uint16_t port, struct trace_sink *sink);

/** The form that is a packet capture (pcap.c). */
bool trace_read_pcap(struct trace_input *input, uint16_t port, struct trace_sink *sink);

#endif
