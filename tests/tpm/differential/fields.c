/* Where the fields of a command are, in its bytes. */
#include "world.h"

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
		if (!take(r, type->kind == TYPE_SELECT ? 1 : 2, &value) || value > r->left)
			return false;
		if (type == &type_TPM2B_TEMPLATE) { /* a TPMT_PUBLIC, but for derived objects */
			struct reader inside = {r->at, (size_t)value};

			walk(l, &type_TPMT_PUBLIC, &inside);
		}
		return take(r, (size_t)value, &value);
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

static size_t parameters_at(const struct command *c, const uint8_t *bytes, size_t len)
{
	size_t at = HEADER_SIZE + 4 * command_handles(c);

	if (number_at(bytes, 2) == TPM_ST_SESSIONS && at + 4 <= len)
		at += 4 + number_at(bytes + at, 4);
	return at < len ? at : len;
}

uint32_t number_at(const uint8_t *at, size_t size)
{
	uint32_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | at[i];
	return value;
}

void find_leaves(struct leaves *l, const struct command *c, const uint8_t *bytes, size_t len)
{
	struct reader r;

	l->count = 0;
	l->begin = bytes;
	l->parameters_at = parameters_at(c, bytes, len);
	r = (struct reader){bytes + l->parameters_at, len - l->parameters_at};
	walk_fields(l, c->in, &r);
}
