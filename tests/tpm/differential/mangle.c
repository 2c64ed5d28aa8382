/*
 * Spoilt commands. One thing is changed in the bytes of a command, the same for both
 * TPMs: a field to another value of its type or to none, a size, a handle, the tag, the
 * end. The tables say where the fields are.
 */
#include "world.h"

#define HEADER_SIZE 10
#define MAX_LEAVES  200

struct leaf {
	const struct type *type;
	size_t at, size; /* in the command; of a buffer: its size field */
};

struct leaves {
	struct leaf leaf[MAX_LEAVES];
	unsigned count;
	const uint8_t *begin;
};

static void add_leaf(struct leaves *l, const struct type *type, const uint8_t *at, size_t size)
{
	if (l->count < MAX_LEAVES)
		l->leaf[l->count++] = (struct leaf){type, (size_t)(at - l->begin), size};
}

static bool take(struct reader *r, size_t size, uint64_t *value)
{
	if (r->left < size)
		return false;
	*value = 0;
	for (size_t i = 0; i < size && i < 8; i++)
		*value = *value << 8 | r->at[i];
	r->at += size;
	r->left -= size;
	return true;
}

static bool walk(struct leaves *l, const struct type *type, struct reader *r);

static bool walk_fields(struct leaves *l, const struct field *fields, struct reader *r)
{
	uint64_t values[16] = {0};

	for (unsigned n = 0; fields[n].type; n++) {
		const struct type *type = type_resolve(fields[n].type);
		struct reader ahead = *r;

		if (n < 16 && type->kind <= TYPE_RANGES && !take(&ahead, type->size, &values[n]))
			return false;
		if (fields[n].kind == FIELD_SELECTED) {
			const struct type *chosen = NULL;

			for (uint32_t i = 0; i < type->max; i++)
				if (type->cases[i].selector == values[fields[n].selector])
					chosen = type->cases[i].type;
			if (!chosen)
				continue;
			type = chosen;
		}
		if (!walk(l, type, r))
			return false;
	}
	return true;
}

static bool walk(struct leaves *l, const struct type *type, struct reader *r)
{
	const uint8_t *at = r->at;
	uint64_t value;

	type = type_resolve(type);
	switch (type->kind) {
	case TYPE_BYTES:
		add_leaf(l, type, at, type->max);
		return take(r, type->max, &value);
	case TYPE_SELECT:
	case TYPE_BUFFER:
		add_leaf(l, type, at, type->kind == TYPE_SELECT ? 1 : 2);
		return take(r, type->kind == TYPE_SELECT ? 1 : 2, &value) &&
		       take(r, (size_t)value, &value);
	case TYPE_SIZED:
		add_leaf(l, type, at, 2);
		return take(r, 2, &value) && (value == 0 || walk(l, type->element, r));
	case TYPE_LIST:
		add_leaf(l, type, at, 4);
		if (!take(r, 4, &value))
			return false;
		for (uint64_t i = 0; i < value && i < 20; i++)
			if (!walk(l, type->element, r))
				return false;
		return true;
	case TYPE_STRUCTURE:
		return walk_fields(l, type->fields, r);
	case TYPE_UNION:
		return false;
	default:
		add_leaf(l, type, at, type->size);
		return take(r, type->size, &value);
	}
}

/* ---- what is done to a leaf ---- */

static uint64_t wrong_number(struct world *w, const struct type *type, uint64_t old)
{
	switch (type->kind) {
	case TYPE_VALUES:
		return chance(w, 60) ? type->values[pick(w, type->max)]
				     : PICK(w, 0, 0x10, 0x7F, 0xFFFF, 0x40000007, 0x0B, 0x25);
	case TYPE_BITS:
		return old ^ (uint64_t)1 << pick(w, 8 * type->size);
	case TYPE_RANGES:
		return chance(w, 40) ? type->values[2 * pick(w, type->max)]
				     : PICK(w, 0, 0x01000000, 0x01FFFFFF, 0x02000000, 0x03000000,
					    0x40000001, 0x40000007, 0x40000008, 0x40000009,
					    0x4000000A, 0x4000000C, 0x80000000, 0x80000002,
					    0x81000000, 0x81FFFFFF, 0xFFFFFFFF);
	case TYPE_BUFFER:
	case TYPE_SIZED:
	case TYPE_LIST:
	case TYPE_SELECT:
		return chance(w, 60) ? old + PICK(w, 1, (uint32_t)-1, 2)
				     : PICK(w, 0, 1, 3, 4, 5, 16, 17, 255, 0xFFFF);
	default:
		return chance(w, 50) ? old ^ (uint64_t)1 << pick(w, 8 * type->size)
				     : PICK(w, 0, 1, 2, 0xFF, 0xFFFF, 0x80000000, 0xFFFFFFFF);
	}
}

static void change_leaf(struct world *w, const struct leaf *l, uint8_t *bytes[SIDES])
{
	uint8_t *at = bytes[NATIVE] + l->at;
	uint64_t old = 0, new;

	if (l->type->kind == TYPE_BYTES) {
		size_t i = pick(w, (uint32_t)l->size);
		uint8_t bit = (uint8_t)(1u << pick(w, 8));

		for
			EACH_SIDE(s)
		bytes[s][l->at + i] ^= bit;
		return;
	}
	if (l->type->kind == TYPE_BUFFER && at[1] && chance(w, 40)) { /* a bit of what it holds */
		size_t size = (size_t)at[0] << 8 | at[1];
		size_t i = pick(w, (uint32_t)size);

		for
			EACH_SIDE(s)
		bytes[s][l->at + 2 + i] ^= 0x20;
		return;
	}
	for (size_t i = 0; i < l->size; i++)
		old = old << 8 | at[i];
	new = wrong_number(w, l->type, old);
	for
		EACH_SIDE(s)
	for (size_t i = 0; i < l->size; i++)
		bytes[s][l->at + i] = (uint8_t)(new >> 8 * (l->size - 1 - i));
}

static size_t parameters_at(const struct command *c, const uint8_t *bytes, size_t len)
{
	size_t at = HEADER_SIZE + 4 * command_handles(c);

	if (bytes[1] != 2) /* TPM_ST_SESSIONS */
		return at;
	return at + 4 + ((size_t)bytes[at + 2] << 8 | bytes[at + 3]) <= len
		       ? at + 4 + ((size_t)bytes[at + 2] << 8 | bytes[at + 3])
		       : len;
}

static bool mangle_field(struct world *w, const struct command *c, uint8_t *bytes[SIDES],
			 const size_t len[SIDES])
{
	static struct leaves l; /* too large for a stack frame that recurs */
	size_t at = parameters_at(c, bytes[NATIVE], len[NATIVE]);
	struct reader r = {bytes[NATIVE] + at, len[NATIVE] - at};

	if (at != parameters_at(c, bytes[OTHER], len[OTHER]) || len[NATIVE] != len[OTHER])
		return false;
	l.count = 0;
	l.begin = bytes[NATIVE];
	walk_fields(&l, c->in, &r);
	if (!l.count)
		return false;
	change_leaf(w, &l.leaf[pick(w, l.count)], bytes);
	return true;
}

static void set_size(uint8_t *bytes, size_t size)
{
	for (unsigned i = 0; i < 4; i++)
		bytes[2 + i] = (uint8_t)(size >> 8 * (3 - i));
}

void mangle(struct world *w, const struct command *c, uint8_t *bytes[SIDES], size_t len[SIDES])
{
	uint32_t kind = pick(w, 10), handles = command_handles(c), by, which;
	TPM_HANDLE handle;

	if (kind < 6 && mangle_field(w, c, bytes, len))
		return;
	switch (kind) {
	case 6: /* a handle */
		if (handles) {
			which = pick(w, handles);
			handle = PICK(w, 0, 17, 23, 24, 0x01000001, 0x01FFFFFF, 0x02000000,
				      0x03000000, 0x40000001, 0x40000007, 0x40000008, 0x40000009,
				      0x4000000A, 0x4000000B, 0x4000000C, 0x80000000, 0x80000001,
				      0x80000002, 0x80FFFFFF, 0x81000001, 0x81800001, 0xFFFFFFFF);
			for
				EACH_SIDE(s)
			for (unsigned i = 0; i < 4; i++)
				bytes[s][HEADER_SIZE + 4 * which + i] =
					(uint8_t)(handle >> 8 * (3 - i));
			return;
		}
		break;
	case 7: /* bytes too many, and the header says so */
		by = 1 + pick(w, 4);
		for
			EACH_SIDE(s)
			{
				memset(bytes[s] + len[s], 0, by);
				len[s] += by;
				set_size(bytes[s], len[s]);
			}
		return;
	case 8: /* the header's size is wrong */
		by = PICK(w, 1, (uint32_t)-1, 4, 100);
		for
			EACH_SIDE(s)
		set_size(bytes[s], len[s] + by);
		return;
	default:
		break;
	}
	/* bytes too few, and the header says so */
	by = 1 + pick(w, (uint32_t)(len[NATIVE] < len[OTHER] ? len[NATIVE] : len[OTHER]) -
				 HEADER_SIZE + 1);
	for
		EACH_SIDE(s)
		{
			if (by > len[s] - HEADER_SIZE)
				continue;
			len[s] -= by;
			set_size(bytes[s], len[s]);
		}
}
