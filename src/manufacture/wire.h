/*
 * Big-endian bytes, written and read with a cursor.
 *
 * A writer that runs out of room and a reader that runs out of bytes remember
 * it and do nothing more: the caller asks once, at the end. Nothing is written
 * or read outside the buffer, whatever comes.
 */
#ifndef CVTPM_MANUFACTURE_WIRE_H
#define CVTPM_MANUFACTURE_WIRE_H

#include "crypto/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_writer {
	uint8_t *bytes;
	size_t room;
	size_t len;
	bool full; /* something did not fit */
};

struct wire_reader {
	const uint8_t *bytes;
	size_t left;
	bool bad; /* something was missing */
};

static inline void wire_put_bytes(struct wire_writer *w, const void *bytes, size_t len)
{
	if (w->full || len > w->room - w->len) {
		w->full = true;
		return;
	}
	if (len)
		memcpy(w->bytes + w->len, bytes, len);
	w->len += len;
}

/* An unsigned number of `size` bytes, 1 to 8. */
static inline void wire_put(struct wire_writer *w, uint64_t number, size_t size)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(number >> 8 * (size - 1 - i));
	wire_put_bytes(w, bytes, size);
}

/* A TPM2B: a 16-bit size and as many bytes. */
static inline void wire_put_sized(struct wire_writer *w, const void *bytes, size_t len)
{
	if (len > UINT16_MAX) {
		w->full = true;
		return;
	}
	wire_put(w, len, 2);
	wire_put_bytes(w, bytes, len);
}

/* The next `len` bytes where they lie, or NULL. */
static inline const uint8_t *wire_take_bytes(struct wire_reader *r, size_t len)
{
	const uint8_t *bytes = r->bytes;

	if (r->bad || len > r->left) {
		r->bad = true;
		return NULL;
	}
	r->bytes += len;
	r->left -= len;
	return bytes;
}

static inline uint64_t wire_take(struct wire_reader *r, size_t size)
{
	const uint8_t *bytes = wire_take_bytes(r, size);
	uint64_t number = 0;

	for (size_t i = 0; bytes && i < size; i++)
		number = number << 8 | bytes[i];
	return number;
}

static inline const uint8_t *wire_take_sized(struct wire_reader *r, size_t *len)
{
	const uint8_t *bytes;

	*len = (size_t)wire_take(r, 2);
	bytes = wire_take_bytes(r, *len);
	if (!bytes)
		*len = 0;
	return bytes;
}

/* True when all was there and nothing is left over. */
static inline bool wire_ended(const struct wire_reader *r)
{
	return !r->bad && r->left == 0;
}

#endif
