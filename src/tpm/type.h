/*
 * Wire types and their one interpreter.
 *
 * types.def describes the structures of Part 2 as rows. This header makes the C
 * types of them; type.c makes the tables and reads and writes any type by its
 * table. There is no marshalling function per type, and no other parser of a
 * guest's bytes in the engine.
 *
 * In memory a structure is the C structure with the same members: TPM2B is size
 * and buffer, TPML is count and array, TPMU is a C union.
 */
#ifndef CVTPM_TPM_TYPE_H
#define CVTPM_TPM_TYPE_H

#include "crypto/crypto.h"
#include "tpm/limits.h"
#include "tpm/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a guest may see: TPM_RC of Part 2, 6.6. Never mixed with enum cvtpm_err. */
typedef uint32_t tpm_rc;

/* Leaves the function with the response code of `expression` unless that is success. */
#define TRY(expression)                                                                            \
	do {                                                                                       \
		tpm_rc try_rc_ = (expression);                                                     \
		if (try_rc_ != TPM_RC_SUCCESS)                                                     \
			return try_rc_;                                                            \
	} while (0)

/* ---- the C types ---- */

/* clang-format off */
#define NUMBER(name, ctype)                         typedef ctype name;
#define ALIAS(name, type)                           typedef type name;
#define BITS(name, type, mask)                      typedef type name;
#define VALUES(name, type, rc, null, ...)           typedef type name;
#define RANGES(name, rc, null, ...)                 typedef TPM_HANDLE name;
#define BYTES(name, count)                          typedef struct { uint8_t bytes[count]; } name;
#define BUFFER(name, max)                           typedef struct { uint16_t size; uint8_t buffer[max]; } name;
#define SELECT(name, min, max)                      typedef struct { uint8_t size; uint8_t bytes[max]; } name;
#define SIZED(name, type, member, empty)            typedef struct { uint16_t size; type member; } name;
#define LIST(name, type, member, min, max)          typedef struct { uint32_t count; type member[max]; } name;
#define FIELD(type, name)                           type name;
#define PLUS(type, name)                            type name;
#define INHERIT(type, name)                         type name;
#define SELECTED(type, name, n)                     type name;
#define STRUCTURE(name, ...)                        typedef struct name { __VA_ARGS__ } name;
#define CASE(selector, type, member)                type member;
#define EMPTY(selector)
#define UNION(name, ...)                            typedef union name { __VA_ARGS__ } name;
#include "tpm/types.def"
#include "tpm/state.def"
#include "tpm/rows_end.h"
/* clang-format on */

/* ---- the tables ---- */

enum type_kind {
	TYPE_NUMBER,
	TYPE_ALIAS,
	TYPE_BITS,
	TYPE_VALUES,
	TYPE_RANGES,
	TYPE_BYTES,
	TYPE_BUFFER,
	TYPE_SELECT,
	TYPE_SIZED,
	TYPE_LIST,
	TYPE_STRUCTURE,
	TYPE_UNION,
};

enum field_kind { FIELD_END, FIELD_PLAIN, FIELD_PLUS, FIELD_INHERIT, FIELD_SELECTED };

struct field {
	const struct type *type;
	const char *name;
	uint8_t kind;     /* enum field_kind */
	uint8_t selector; /* FIELD_SELECTED: number of the field that selects */
	bool secret;      /* of a command: no trace shows it */
};

struct type_case {
	uint32_t selector;
	const struct type *type; /* NULL: nothing follows */
	const char *name;
};

struct type {
	const char *name;
	uint8_t kind;  /* enum type_kind */
	uint8_t align; /* of the C type */
	bool empty_allowed;
	uint32_t size;              /* of the C type in bytes */
	tpm_rc rc;                  /* for a value that the type does not allow */
	uint32_t null;              /* what a + adds, or NO_NULL */
	uint32_t min, max;          /* count of bytes or elements; BITS: max is the mask */
	const struct type *element; /* of ALIAS, SIZED, LIST */
	union {
		const uint32_t *values; /* VALUES: `max` of them; RANGES: `max` pairs */
		const struct field *fields;
		const struct type_case *cases; /* `max` of them */
	};
};

#define NO_NULL      0xFFFFFFFFu /* no value of any type that has a null */
#define SELECT_NEVER 0xFFFFFFFEu /* a union's member for code, never on the wire */

/* clang-format off */
#define NUMBER(name, ctype)                extern const struct type type_##name;
#define ALIAS(name, T)                 extern const struct type type_##name;
#define BITS(name, T, mask)            extern const struct type type_##name;
#define VALUES(name, T, rc, null, ...) extern const struct type type_##name;
#define RANGES(name, rc, null, ...)        extern const struct type type_##name;
#define BYTES(name, count)                 extern const struct type type_##name;
#define BUFFER(name, max)                  extern const struct type type_##name;
#define SELECT(name, min, max)             extern const struct type type_##name;
#define SIZED(name, T, member, empty)  extern const struct type type_##name;
#define LIST(name, T, member, min, max) extern const struct type type_##name;
#define STRUCTURE(name, ...)               extern const struct type type_##name;
#define UNION(name, ...)                   extern const struct type type_##name;
#include "tpm/types.def"
#include "tpm/state.def"
#include "tpm/rows_end.h"
/* clang-format on */

/* ---- bytes, and reading and writing them ---- */

struct reader {
	const uint8_t *at;
	size_t left;
};

struct writer {
	uint8_t *at;
	size_t left;
	bool overflow; /* something did not fit; nothing is written after that */
};

/* The bytes of a TPM2B. */
#define OCTETS(buffer2b) ((struct cvtpm_octets){(buffer2b).buffer, (buffer2b).size})

/** Reads a value of `type` into `to` (type->size bytes). `plus`: the type was
 *  referred to with a +. Format-one codes come without a number: RC_P, RC_H and
 *  RC_S add it. What could not be read leaves `to` in no particular state. */
tpm_rc type_read(const struct type *type, void *to, struct reader *r, bool plus);
/** Writes the value of `type` at `from`, which is one that the engine made: a
 *  count or selector out of range is our fault, and sets w->overflow. */
void type_write(const struct type *type, const void *from, struct writer *w);
/** Reads and writes a list of fields; `record` is the C structure of them all.
 *  type_read_fields sets `*number` to the number, from 1, of the field in error. */
tpm_rc type_read_fields(const struct field *fields, void *record, struct reader *r, bool plus,
			unsigned *number);
void type_write_fields(const struct field *fields, const void *record, struct writer *w);
/** Where field number `n` (from 0) lies in the C structure. */
size_t field_offset(const struct field *fields, unsigned n);

/** The type that an ALIAS stands for; any other type itself. */
const struct type *type_resolve(const struct type *type);
/** Is it a TPM2B, so that a session may encrypt it (Part 1, 21)? */
bool type_is_sized(const struct type *type);
/** The number in memory at `from`, aligned, of a type whose C type is one. */
uint64_t type_load(const struct type *type, const void *from);
/** The case of a union that a value of the wire selects; NULL: there is none. */
const struct type_case *type_find_case(const struct type *type, uint64_t selector);

tpm_rc read_bytes(struct reader *r, void *to, size_t len);
tpm_rc read_u8(struct reader *r, uint8_t *value);
tpm_rc read_u16(struct reader *r, uint16_t *value);
tpm_rc read_u32(struct reader *r, uint32_t *value);
void write_bytes(struct writer *w, const void *from, size_t len);
void write_u8(struct writer *w, uint8_t value);
void write_u16(struct writer *w, uint16_t value);
void write_u32(struct writer *w, uint32_t value);
void write_u64(struct writer *w, uint64_t value);

/** Marshals `from` into a TPM2B-like buffer of `capacity` bytes; its length, or 0
 *  when it does not fit (no type of ours has length 0). */
size_t type_marshal(const struct type *type, const void *from, uint8_t *out, size_t capacity);

#endif
