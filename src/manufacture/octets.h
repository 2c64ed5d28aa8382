/*
 * Octets on their way out: a buffer that goes on counting when it is full.
 *
 * A writer puts octets and never looks back; whether all of them fitted is
 * asked once, at the end. Without room (`bytes` NULL, `room` 0) the same calls
 * measure what they would write.
 */
#ifndef CVTPM_OCTETS_H
#define CVTPM_OCTETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct octets {
	uint8_t *bytes; /* the caller's buffer */
	size_t room;    /* its size */
	size_t len;     /* octets put; once above `room`, nothing more is written */
};

/** Puts `len` octets at the end. */
void octets_put(struct octets *out, const void *data, size_t len);

/** Puts one octet. */
void octets_put_byte(struct octets *out, uint8_t byte);

/** Opens a gap of `len` octets at offset `at`, moving what follows. What the
 *  gap holds is for the caller to write, if octets_fit(). */
void octets_open_gap(struct octets *out, size_t at, size_t len);

/** True when everything put so far is in the buffer. */
bool octets_fit(const struct octets *out);

/** Length of a NUL-terminated text. */
size_t octets_text_len(const char *text);

#endif
