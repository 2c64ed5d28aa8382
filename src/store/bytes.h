/* Numbers in the files of stores: little endian. */
#ifndef CVTPM_STORE_BYTES_H
#define CVTPM_STORE_BYTES_H

#include <stdint.h>
#include <string.h>

/* These return what is behind what they wrote. */
static inline uint8_t *put_bytes(uint8_t *out, const void *bytes, size_t len)
{
	memcpy(out, bytes, len);
	return out + len;
}

static inline uint8_t *put_number(uint8_t *out, uint64_t number, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*out++ = (uint8_t)(number >> (8 * i));
	return out;
}

static inline uint64_t get_number(const uint8_t *in, unsigned bytes)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < bytes; i++)
		number |= (uint64_t)in[i] << (8 * i);
	return number;
}

#endif
