#include "trace/walk.h"

#include <stdlib.h>
#include <string.h>

/* ---- nodes ---- */

static struct trace_node *add(struct walk *w, const char *name, const struct type *type,
			      enum trace_form form, size_t size)
{
	struct trace_message *m = w->m;

	if (m->count == m->room && !m->incomplete) {
		size_t room = m->room ? 2 * m->room : 64;
		struct trace_node *more = realloc(m->nodes, room * sizeof *more);

		m->incomplete = !more;
		m->nodes = more ? more : m->nodes;
		m->room = more ? room : m->room;
	}
	if (m->incomplete)
		return &w->nowhere;
	m->nodes[m->count] = (struct trace_node){.name = name,
						 .type = type,
						 .at = (uint32_t)w->at,
						 .size = (uint32_t)size,
						 .part = w->part,
						 .form = (uint8_t)form,
						 .depth = w->depth,
						 .secret = w->secret && form == TRACE_BYTES,
						 .inside = w->inside};
	w->at += size;
	return &m->nodes[m->count++];
}

static size_t last(const struct walk *w)
{
	return w->m->count ? w->m->count - 1 : 0;
}

size_t walk_open(struct walk *w, const char *name, const struct type *type)
{
	add(w, name, type, TRACE_GROUP, 0);
	w->depth++;
	return last(w);
}

void walk_close(struct walk *w, size_t group)
{
	w->depth--;
	if (!w->m->incomplete)
		w->m->nodes[group].size = (uint32_t)w->at - w->m->nodes[group].at;
}

void walk_refuse_plain(struct walk *w, size_t node, tpm_rc rc)
{
	if (w->m->malformed || w->inside)
		return;
	w->m->malformed = true;
	w->m->rc = rc;
	w->m->fault = node;
}

void walk_refuse(struct walk *w, size_t node, tpm_rc rc)
{
	walk_refuse_plain(w, node, w->m->response ? rc : w->number + rc);
}

/* What this engine does not offer is a fault of a command alone. */
static void refuse_value(struct walk *w, size_t node, tpm_rc rc)
{
	if (!w->m->response)
		walk_refuse(w, node, rc);
}

size_t walk_rest(struct walk *w, const char *name)
{
	const size_t to = w->limit > w->at ? w->limit : w->end;
	struct trace_node *node = add(w, name, NULL, TRACE_BYTES, to > w->at ? to - w->at : 0);

	node->broken = node->secret = true;
	return last(w);
}

static bool cut_short(struct walk *w, const char *name)
{
	walk_refuse(w, walk_rest(w, name), TPM_RC_INSUFFICIENT);
	return false;
}

/* ---- numbers and bytes ---- */

static uint64_t number_at(const struct walk *w, size_t at, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | w->m->bytes[at + i];
	return value;
}

bool walk_number(struct walk *w, const char *name, const struct type *type, bool plus,
		 uint64_t *value)
{
	struct reader r = {w->m->bytes + w->at, w->end - w->at};
	uint64_t scratch;

	if (r.left < type_resolve(type)->size)
		return cut_short(w, name);
	*value = number_at(w, w->at, type_resolve(type)->size);
	add(w, name, type, TRACE_NUMBER, type_resolve(type)->size)->value = *value;

	const tpm_rc rc = type_read(type, &scratch, &r, plus);

	if (rc)
		refuse_value(w, last(w), rc);
	return true;
}

/* A size or count in front, as a node of its own. */
static bool walk_length(struct walk *w, const char *name, const struct type *type, uint64_t *value)
{
	if (!walk_number(w, name, type, false, value))
		return false;
	if (!w->m->incomplete)
		w->m->nodes[last(w)].length = true;
	return true;
}

static bool walk_bytes(struct walk *w, const char *name, const struct type *type, size_t prefix)
{
	const struct type *t = type_resolve(type);
	size_t size = t->max;

	if (prefix) {
		if (w->end - w->at < prefix)
			return cut_short(w, name);
		size = (size_t)number_at(w, w->at, prefix);
	}
	const bool fits = w->end - w->at - prefix >= size;

	if (prefix && (size < t->min || size > t->max) && (!w->m->response || !fits)) {
		walk_refuse(w, fits ? w->m->count : walk_rest(w, name), t->rc);
		if (!fits)
			return false;
	}
	if (!fits)
		return cut_short(w, name);
	add(w, name, type, TRACE_BYTES, prefix + size)->prefix = (uint8_t)prefix;
	return true;
}

/* ---- what holds others ---- */

static bool walk_union(struct walk *w, const char *name, const struct type *type, uint64_t selector)
{
	const struct type_case *c = type_find_case(type, selector);

	if (c)
		return !c->type || walk_type(w, name, c->type, false);
	refuse_value(w, walk_rest(w, name), type->rc);
	w->m->undecoded = true;
	return false;
}

static bool walk_fields(struct walk *w, const struct field *fields, bool plus)
{
	uint64_t values[16] = {0};
	bool found = true;

	for (unsigned n = 0; fields[n].type && found; n++) {
		const struct field *f = &fields[n];
		const bool may = f->kind == FIELD_PLUS || (f->kind == FIELD_INHERIT && plus);

		if (f->kind == FIELD_SELECTED)
			found = walk_union(w, f->name, f->type, values[f->selector]);
		else if (type_resolve(f->type)->kind <= TYPE_RANGES && n < 16)
			found = walk_number(w, f->name, f->type, may, &values[n]);
		else
			found = walk_type(w, f->name, f->type, may);
	}
	return found;
}

/* Bytes that the specification says are a structure are shown as one, too, where they are. */
static void look_inside(struct walk *w, const struct type *type)
{
	const struct trace_node *bytes = &w->m->nodes[last(w)];
	const struct type *structure = type == &type_TPM2B_ATTEST     ? &type_TPMS_ATTEST
				       : type == &type_TPM2B_TEMPLATE ? &type_TPMT_PUBLIC
								      : NULL;
	struct walk inner = *w;

	if (!structure || w->m->incomplete || bytes->size == bytes->prefix)
		return;
	inner.at = bytes->at + bytes->prefix;
	inner.end = inner.limit = w->at;
	inner.depth++;
	inner.inside = true;

	const size_t before = w->m->count;
	const bool undecoded = w->m->undecoded;

	if (walk_fields(&inner, structure->fields, true) && inner.at == inner.end)
		return;
	w->m->count = before;
	w->m->undecoded = undecoded;
}

bool walk_encrypted(struct walk *w, const struct field *field)
{
	size_t size;

	if (w->end - w->at < 2)
		return cut_short(w, field->name);
	size = (size_t)number_at(w, w->at, 2);
	if (w->end - w->at - 2 < size) {
		walk_refuse(w, walk_rest(w, field->name), TPM_RC_SIZE);
		return false;
	}
	struct trace_node *node = add(w, field->name, field->type, TRACE_BYTES, 2 + size);

	node->prefix = 2;
	node->encrypted = true;
	node->secret = field->secret;
	return true;
}

static bool walk_sized(struct walk *w, const char *name, const struct type *type, bool plus)
{
	const size_t group = walk_open(w, name, type), limit = w->limit;
	uint64_t size;
	bool found = walk_length(w, "size", &type_UINT16, &size);
	const size_t length = last(w), begin = w->at;
	const bool fits = found && size <= w->end - w->at;
	const size_t declared = fits ? begin + (size_t)size : w->end;

	if (found && size == 0) {
		if (!type->empty_allowed)
			refuse_value(w, length, type->rc);
	} else if (found) {
		if (fits)
			w->limit = declared;
		found = walk_fields(w, type->element->fields, plus); /* always one */
		if (found && w->at - begin != size)
			walk_refuse(w, length, type->rc);
		if (fits && w->at < declared)
			walk_rest(w, NULL);
		found = found || (fits && w->at == declared);
		w->limit = limit;
	}
	walk_close(w, group);
	return found;
}

static bool walk_list(struct walk *w, const char *name, const struct type *type)
{
	const size_t group = walk_open(w, name, type);
	uint64_t count;
	bool found = walk_length(w, "count", &type_UINT32, &count);

	if (!w->m->incomplete)
		w->m->nodes[group].list = true;
	if (found && (count < type->min || count > type->max))
		refuse_value(w, last(w), type->rc);
	for (uint64_t i = 0; i < count && found && !w->m->incomplete; i++)
		found = walk_type(w, NULL, type->element, false);
	walk_close(w, group);
	return found;
}

static bool walk_structure(struct walk *w, const char *name, const struct type *type, bool plus)
{
	const size_t group = walk_open(w, name, type);
	const bool found = walk_fields(w, type->fields, plus);

	walk_close(w, group);
	return found;
}

bool walk_type(struct walk *w, const char *name, const struct type *type, bool plus)
{
	const struct type *t = type_resolve(type);
	uint64_t value;

	switch (t->kind) {
	case TYPE_BYTES:
		return walk_bytes(w, name, type, 0);
	case TYPE_SELECT:
		return walk_bytes(w, name, type, 1);
	case TYPE_BUFFER:
		if (!walk_bytes(w, name, type, 2))
			return false;
		look_inside(w, t);
		return true;
	case TYPE_SIZED:
		return walk_sized(w, name, t, plus);
	case TYPE_LIST:
		return walk_list(w, name, t);
	case TYPE_STRUCTURE:
		return walk_structure(w, name, t, plus);
	default:
		return walk_number(w, name, type, plus, &value);
	}
}
