/* Little-endian integers in byte arrays: everything of AMD's firmware is little-endian. */
#ifndef CVTPM_SNP_LE_H
#define CVTPM_SNP_LE_H

#include <stdint.h>

static inline uint16_t snp_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t snp_get32(const uint8_t *p)
{
	return (uint32_t)snp_get16(p) | (uint32_t)snp_get16(p + 2) << 16;
}

static inline uint64_t snp_get64(const uint8_t *p)
{
	return (uint64_t)snp_get32(p) | (uint64_t)snp_get32(p + 4) << 32;
}

static inline void snp_put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
}

static inline void snp_put32(uint8_t *p, uint32_t value)
{
	snp_put16(p, (uint16_t)value);
	snp_put16(p + 2, (uint16_t)(value >> 16));
}

static inline void snp_put64(uint8_t *p, uint64_t value)
{
	snp_put32(p, (uint32_t)value);
	snp_put32(p + 4, (uint32_t)(value >> 32));
}

#endif
