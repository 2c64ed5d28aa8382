/*
 * Values drawn from an input's bytes by the tables of the native engine: ones that the
 * types allow, now and then others, and what earlier answers held.
 */
#ifndef CVTPM_FUZZ_TPM_VALUES_H
#define CVTPM_FUZZ_TPM_VALUES_H

#include "tpm/command.h"
#include "tpm/type.h"

/* Bytes to draw from; past the end there are zeros. */
struct feed {
	const uint8_t *at;
	size_t left;
};
uint8_t draw(struct feed *f);
uint64_t draw_number(struct feed *f, size_t bytes);
void draw_bytes(struct feed *f, uint8_t *out, size_t len);

/* Values that answers held, to be sent again; the newest KEPT of them. */
enum { KEPT = 64, KEPT_SIZE = 4096 };
struct kept {
	size_t count;
	struct {
		const struct type *type;
		_Alignas(8) uint8_t value[KEPT_SIZE];
	} values[KEPT];
};
extern struct kept kept_values;

/** Keeps a buffer or structure; other values are no use alone. */
void keep(const struct type *type, const void *value);
void keep_out(const struct command *c, union command_out *out);
void keep_in(const struct command *c, union command_in *in);

/** Draws all of `fields` into a zeroed record, and one value. `plus`: a type's + is there. */
void make_fields(const struct field *fields, uint8_t *record, struct feed *f, bool plus);
void make_value(const struct type *type, void *to, struct feed *f, bool plus);
/** A handle of a command: mostly one of something that is there and that the type allows. */
TPM_HANDLE make_entity(const struct type *type, struct feed *f, bool plus);

/** The indices that make_value() speaks of. */
extern const TPM_HANDLE indices[8];

#endif
