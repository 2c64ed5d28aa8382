/*
 * Spoilt commands. One thing is changed in the bytes of a command, the same for both
 * TPMs: a field to another value of its type or to none, a size, a handle, the tag, the
 * end. The tables say where the fields are (fields.c).
 */
#include "world.h"

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

		EACH_SIDE (s)
			bytes[s][l->at + i] ^= bit;
		return;
	}
	if (l->type->kind == TYPE_BUFFER && at[1] && chance(w, 40)) { /* a bit of what it holds */
		size_t size = (size_t)at[0] << 8 | at[1];
		size_t i = pick(w, (uint32_t)size);

		EACH_SIDE (s)
			bytes[s][l->at + 2 + i] ^= 0x20;
		return;
	}
	for (size_t i = 0; i < l->size; i++)
		old = old << 8 | at[i];
	new = wrong_number(w, l->type, old);
	EACH_SIDE (s)
		for (size_t i = 0; i < l->size; i++)
			bytes[s][l->at + i] = (uint8_t)(new >> 8 * (l->size - 1 - i));
}

static bool mangle_field(struct world *w, const struct command *c, uint8_t *bytes[SIDES],
			 const size_t len[SIDES])
{
	static struct leaves l[SIDES]; /* too large for a stack */
	const struct leaf *leaf;

	EACH_SIDE (s)
		find_leaves(&l[s], c, bytes[s], len[s]);
	if (!l[NATIVE].count || len[NATIVE] != len[OTHER] ||
	    l[NATIVE].parameters_at != l[OTHER].parameters_at)
		return false;
	leaf = &l[NATIVE].leaf[pick(w, l[NATIVE].count)];
	/* with another size the bytes behind it are other fields: they must be the same */
	if (leaf->type->kind >= TYPE_BUFFER &&
	    memcmp(bytes[NATIVE] + leaf->at, bytes[OTHER] + leaf->at, len[NATIVE] - leaf->at) != 0)
		return false;
	change_leaf(w, leaf, bytes);
	return true;
}

static bool same_handles(const struct world *w)
{
	for (size_t i = 0; i < MAX_KEYS; i++)
		if (w->keys[i].kind && w->keys[i].e.handle[NATIVE] != w->keys[i].e.handle[OTHER])
			return false;
	return !w->guests;
}

static void set_size(uint8_t *bytes, size_t size)
{
	for (unsigned i = 0; i < 4; i++)
		bytes[2 + i] = (uint8_t)(size >> 8 * (3 - i));
}

bool mangle(struct world *w, const struct command *c, uint8_t *bytes[SIDES], size_t len[SIDES])
{
	uint32_t kind = pick(w, 10), handles = command_handles(c), by, which;
	TPM_HANDLE handle;

	if (kind < 6 && mangle_field(w, c, bytes, len))
		return true;
	switch (kind) {
	case 6: /* a handle */
		if (handles) {
			which = pick(w, handles);
			handle = PICK(w, 0, 17, 23, 24, 0x01000001, 0x01FFFFFF, 0x02000000,
				      0x03000000, 0x40000001, 0x40000007, 0x40000008, 0x40000009,
				      0x4000000A, 0x4000000B, 0x4000000C, 0x80000000, 0x80000001,
				      0x80000002, 0x80FFFFFF, 0x81000001, 0x81800001, 0xFFFFFFFF);
			/* where one of them has its objects elsewhere, it is another one's */
			if (HANDLE_TYPE(handle) == TPM_HT_TRANSIENT && !same_handles(w))
				handle = 0x80FFFFFF;
			EACH_SIDE (s)
				for (unsigned i = 0; i < 4; i++)
					bytes[s][HEADER_SIZE + 4 * which + i] =
						(uint8_t)(handle >> 8 * (3 - i));
			return true;
		}
		break;
	case 7: /* bytes too many, and the header says so */
		by = 1 + pick(w, 4);
		EACH_SIDE (s) {
			memset(bytes[s] + len[s], 0, by);
			len[s] += by;
			set_size(bytes[s], len[s]);
		}
		return true;
	case 8: /* the header's size is wrong */
		by = PICK(w, 1, (uint32_t)-1, 4, 100);
		EACH_SIDE (s)
			set_size(bytes[s], len[s] + by);
		return true;
	default:
		break;
	}
	/* bytes too few, and the header says so: from the same field */
	if (len[NATIVE] != len[OTHER])
		return false;
	by = 1 + pick(w, (uint32_t)(len[NATIVE] - HEADER_SIZE));
	EACH_SIDE (s) {
		len[s] -= by;
		set_size(bytes[s], len[s]);
	}
	return true;
}
