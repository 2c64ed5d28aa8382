/* The fields of an ATTESTATION_REPORT by name, for showing its bytes. */
#ifndef VERIFY_REPORT_FIELDS_H
#define VERIFY_REPORT_FIELDS_H

#include <stddef.h>
#include <stdint.h>

enum report_field_kind {
	FIELD_BYTES,    /* in the order in which they stand */
	FIELD_NUMBER,   /* little-endian, shown in decimal too */
	FIELD_BITS,     /* little-endian, shown as one hexadecimal number too */
	FIELD_RESERVED, /* all zero */
};

struct report_field {
	uint16_t offset, size;
	enum report_field_kind kind;
	const char *name; /* AMD's */
	const char *note; /* what it says, a few words */
};

/* The i-th field of a report of this version, in the order of offsets, without
 * gaps; NULL beyond the last. Versions that are not known are shown as version 2. */
const struct report_field *report_field_at(uint32_t version, size_t i);

/* Names of bits, from 0 up; NULL: reserved. */
struct report_bit {
	uint8_t bit;
	const char *set, *clear; /* what is said of the guest or the platform */
};

extern const struct report_bit report_policy_bits[];   /* ends with set NULL */
extern const struct report_bit report_platform_bits[]; /* ends with set NULL */

#endif
