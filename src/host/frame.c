#include "host/frame.h"

#define TPM_ST_NO_SESSIONS 0x8001

uint32_t frame_get_u32(const uint8_t *in)
{
	return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

void frame_put_u32(uint8_t *out, uint32_t value)
{
	out[0] = (uint8_t)(value >> 24);
	out[1] = (uint8_t)(value >> 16);
	out[2] = (uint8_t)(value >> 8);
	out[3] = (uint8_t)value;
}

enum frame_kind frame_look(const uint8_t *in, size_t len, size_t max, size_t *size)
{
	if (len < 6) /* tag and size */
		return FRAME_MORE;
	*size = frame_get_u32(in + 2);
	if (*size < FRAME_HEADER_SIZE || *size > max)
		return FRAME_LOST;
	return len < *size ? FRAME_MORE : FRAME_WHOLE;
}

void frame_put_error(uint8_t response[FRAME_HEADER_SIZE], uint32_t rc)
{
	response[0] = TPM_ST_NO_SESSIONS >> 8;
	response[1] = TPM_ST_NO_SESSIONS & 0xFF;
	frame_put_u32(response + 2, FRAME_HEADER_SIZE);
	frame_put_u32(response + 6, rc);
}
