/*
 * A DER writer (ITU-T X.690, clauses 8, 10 and 11). It writes, and only writes.
 *
 * Code that uses it reads like the ASN.1 that it follows, from the top down:
 *
 *     der_begin(&d, DER_SEQUENCE);             AlgorithmIdentifier ::= SEQUENCE {
 *     der_oid(&d, "1.2.840.10045.4.3.3");          algorithm   OBJECT IDENTIFIER,
 *     der_end(&d);                                 parameters  absent }
 *
 * der_end() knows the length, and moves the content up where the length needs
 * more than one octet. Errors are kept and told once, by der_finish(). What the
 * writer cannot know is up to its user: a component that has its DEFAULT value
 * is left out, and a SET OF is given in order (ours have one element each).
 */
#ifndef CVTPM_DER_H
#define CVTPM_DER_H

#include "manufacture/octets.h"

#include <stddef.h>
#include <stdint.h>

#define DER_BOOLEAN          0x01
#define DER_INTEGER          0x02
#define DER_BIT_STRING       0x03
#define DER_OCTET_STRING     0x04
#define DER_NULL             0x05
#define DER_OID              0x06
#define DER_UTF8_STRING      0x0c
#define DER_UTC_TIME         0x17
#define DER_GENERALIZED_TIME 0x18
#define DER_SEQUENCE         0x30
#define DER_SET              0x31
/* [n], constructed (explicit, or an implicit SEQUENCE or SET) and primitive. */
#define DER_CONTEXT(n)           (0xa0 | (n))
#define DER_CONTEXT_PRIMITIVE(n) (0x80 | (n))

#define DER_DEPTH_MAX 16

/* 9999-12-31 23:59:59 UTC, the last moment that a certificate can name. */
#define DER_TIME_MAX 253402300799u

struct der {
	struct octets out;
	size_t open[DER_DEPTH_MAX]; /* where the contents of the open elements begin */
	unsigned depth;             /* how many are open */
};

/** Begins to write into `room` octets at `bytes`, the caller's. */
void der_start(struct der *d, uint8_t *bytes, size_t room);

/** 0; CVTPM_ERR_SIZE: `d->out.len` octets would have been needed;
 *  CVTPM_ERR_PARAM: the calls of der_begin() and der_end() do not match. */
int der_finish(const struct der *d);

/** Opens an element; what is written until the matching der_end() is in it. */
void der_begin(struct der *d, uint8_t tag);
void der_end(struct der *d);
/** Opens a BIT STRING of whole octets. */
void der_begin_bits(struct der *d);

/** A whole element with the given contents. */
void der_element(struct der *d, uint8_t tag, const void *contents, size_t len);
/** DER that somebody else has made. */
void der_raw(struct der *d, const void *der, size_t len);

/** BOOLEAN TRUE; FALSE is always a default in what is written here. */
void der_true(struct der *d);
void der_null(struct der *d);
void der_uint(struct der *d, uint64_t number);
/** INTEGER from `len` octets, big-endian and not negative; leading zeros are dropped. */
void der_integer(struct der *d, const uint8_t *number, size_t len);
/** BIT STRING with named bits: bit n of `bits` is the bit named n. */
void der_named_bits(struct der *d, uint16_t bits);
/** OBJECT IDENTIFIER from a constant in dotted notation, e.g. "2.23.133.8.1". */
void der_oid(struct der *d, const char *dotted);
void der_utf8(struct der *d, const char *text);

/** GeneralizedTime, `seconds` since 1970 and at most DER_TIME_MAX. */
void der_generalized_time(struct der *d, uint64_t seconds);
/** Time of RFC 5280, 4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050. */
void der_time(struct der *d, uint64_t seconds);

#endif
