/*
 * A TPM command on a byte stream: its own header says where it ends.
 *
 *     tag u16, size u32 (of the whole, header included), code u32, ...   big-endian
 *
 * Pure functions over buffers.
 */
#ifndef CVTPM_HOST_FRAME_H
#define CVTPM_HOST_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER_SIZE 10

/* What the bytes received so far are. */
enum frame_kind {
	FRAME_MORE,  /* the beginning of a command */
	FRAME_WHOLE, /* a command, and perhaps more behind it */
	FRAME_LOST,  /* the size cannot be right: nobody knows where the next begins */
};

/** Looks at `len` bytes at `in`. `*size` is the command's size when it is whole.
 *  A size below the header's or above `max` is FRAME_LOST. */
enum frame_kind frame_look(const uint8_t *in, size_t len, size_t max, size_t *size);

/** Writes a response that is only a header, with the response code `rc`. */
void frame_put_error(uint8_t response[FRAME_HEADER_SIZE], uint32_t rc);

uint32_t frame_get_u32(const uint8_t *in);
void frame_put_u32(uint8_t *out, uint32_t value);

#endif
