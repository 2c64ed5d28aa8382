/* Little-endian numbers in evidence: AMD's reports and tables, HCL reports. */
#ifndef VERIFY_LITTLE_ENDIAN_H
#define VERIFY_LITTLE_ENDIAN_H

#include <stdint.h>

static inline uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t le64(const uint8_t *p)
{
	return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32;
}

#endif
