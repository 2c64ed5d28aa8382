/*
 * A CBOR writer (RFC 8949). It writes, and only writes.
 *
 * Each call is in the deterministic encoding of clause 4.2: the shortest
 * argument, definite lengths. The one rule that is left to the caller is the
 * order of a map's keys: by their encoded bytes. For the keys used here that
 * means unsigned integers before text, small before large, short before long,
 * and texts of one length by their bytes.
 */
#ifndef CVTPM_CBOR_H
#define CVTPM_CBOR_H

#include "manufacture/octets.h"

#include <stddef.h>
#include <stdint.h>

/** An unsigned integer. */
void cbor_uint(struct octets *out, uint64_t number);
/** A byte string. */
void cbor_bytes(struct octets *out, const void *data, size_t len);
/** The head of a byte string: `len` octets follow, put by the caller. */
void cbor_bytes_head(struct octets *out, size_t len);
/** A text string. */
void cbor_text(struct octets *out, const char *text);
/** The head of an array: `count` items follow. */
void cbor_array(struct octets *out, size_t count);
/** The head of a map: `count` pairs of key and value follow. */
void cbor_map(struct octets *out, size_t count);

#endif
