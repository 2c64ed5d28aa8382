#include "tpm/type.h"

#include "crypto/mem.h"

/* ---- the tables ---- */

/* clang-format off */
#define ROW(name_, kind_)    const struct type type_##name_ = {.name = #name_, .kind = kind_, .size = sizeof(name_), .align = _Alignof(name_)
#define LIST_OF(...)         (const uint32_t[]){__VA_ARGS__}
#define COUNT(...)           (sizeof LIST_OF(__VA_ARGS__) / sizeof(uint32_t))
#define NUMBER(name_, ctype)                    ROW(name_, TYPE_NUMBER), .null = NO_NULL};
#define ALIAS(name_, T)                     ROW(name_, TYPE_ALIAS), .null = NO_NULL, .element = &type_##T};
#define BITS(name_, T, mask_)               ROW(name_, TYPE_BITS), .null = NO_NULL, .rc = TPM_RC_RESERVED_BITS, .max = mask_};
#define VALUES(name_, T, rc_, null_, ...)                                                      \
	ROW(name_, TYPE_VALUES), .rc = rc_, .null = null_, .values = LIST_OF(__VA_ARGS__),         \
				 .max = COUNT(__VA_ARGS__)};
#define RANGES(name_, rc_, null_, ...)                                                             \
	ROW(name_, TYPE_RANGES), .rc = rc_, .null = null_, .values = LIST_OF(__VA_ARGS__),         \
				 .max = COUNT(__VA_ARGS__) / 2};
#define BYTES(name_, count_)                    ROW(name_, TYPE_BYTES), .null = NO_NULL, .max = count_};
#define BUFFER(name_, max_)                     ROW(name_, TYPE_BUFFER), .null = NO_NULL, .rc = TPM_RC_SIZE, .max = max_};
#define SELECT(name_, min_, max_)               ROW(name_, TYPE_SELECT), .null = NO_NULL, .rc = TPM_RC_VALUE, .min = min_, .max = max_};
#define SIZED(name_, T, member_, empty_)    ROW(name_, TYPE_SIZED), .null = NO_NULL, .rc = TPM_RC_SIZE, .element = &type_##T, .empty_allowed = empty_};
#define LIST(name_, T, member_, min_, max_) ROW(name_, TYPE_LIST), .null = NO_NULL, .rc = TPM_RC_SIZE, .element = &type_##T, .min = min_, .max = max_};
#define FIELD(T, name_)                     {&type_##T, #name_, FIELD_PLAIN, 0, false},
#define PLUS(T, name_)                      {&type_##T, #name_, FIELD_PLUS, 0, false},
#define INHERIT(T, name_)                   {&type_##T, #name_, FIELD_INHERIT, 0, false},
#define SELECTED(T, name_, n_)              {&type_##T, #name_, FIELD_SELECTED, n_, false},
#define STRUCTURE(name_, ...)                   ROW(name_, TYPE_STRUCTURE), .null = NO_NULL, .fields = (const struct field[]){__VA_ARGS__{0}}};
#define CASE(selector_, T, member_)         {selector_, &type_##T, #member_},
#define EMPTY(selector_)                        {selector_, NULL, "nothing"},
#define UNION(name_, ...)                                                                          \
	ROW(name_, TYPE_UNION), .null = NO_NULL, .rc = TPM_RC_SELECTOR, .cases = (const struct type_case[]){__VA_ARGS__}, \
				.max = sizeof((const struct type_case[]){__VA_ARGS__}) / sizeof(struct type_case)};
#include "tpm/types.def"
#include "tpm/state.def"
#include "tpm/rows_end.h"
/* clang-format on */

/* ---- bytes ---- */

tpm_rc read_bytes(struct reader *r, void *to, size_t len)
{
	if (r->left < len)
		return TPM_RC_INSUFFICIENT;
	if (len)
		memcpy(to, r->at, len);
	r->at += len;
	r->left -= len;
	return TPM_RC_SUCCESS;
}

static tpm_rc read_number(struct reader *r, size_t size, uint64_t *value)
{
	if (r->left < size)
		return TPM_RC_INSUFFICIENT;
	*value = 0;
	for (size_t i = 0; i < size; i++)
		*value = *value << 8 | r->at[i];
	r->at += size;
	r->left -= size;
	return TPM_RC_SUCCESS;
}

tpm_rc read_u8(struct reader *r, uint8_t *value)
{
	return read_bytes(r, value, 1);
}

tpm_rc read_u16(struct reader *r, uint16_t *value)
{
	uint64_t v;

	TRY(read_number(r, 2, &v));
	*value = (uint16_t)v;
	return TPM_RC_SUCCESS;
}

tpm_rc read_u32(struct reader *r, uint32_t *value)
{
	uint64_t v;

	TRY(read_number(r, 4, &v));
	*value = (uint32_t)v;
	return TPM_RC_SUCCESS;
}

void write_bytes(struct writer *w, const void *from, size_t len)
{
	if (w->overflow || w->left < len) {
		w->overflow = true;
		return;
	}
	if (len)
		memcpy(w->at, from, len);
	w->at += len;
	w->left -= len;
}

static void write_number(struct writer *w, size_t size, uint64_t value)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> 8 * (size - 1 - i));
	write_bytes(w, bytes, size);
}

void write_u8(struct writer *w, uint8_t value)
{
	write_number(w, 1, value);
}

void write_u16(struct writer *w, uint16_t value)
{
	write_number(w, 2, value);
}

void write_u32(struct writer *w, uint32_t value)
{
	write_number(w, 4, value);
}

void write_u64(struct writer *w, uint64_t value)
{
	write_number(w, 8, value);
}

/* ---- values in memory ---- */

uint64_t type_load(const struct type *type, const void *from)
{
	switch (type->size) {
	case 1:
		return *(const uint8_t *)from;
	case 2:
		return *(const uint16_t *)from;
	case 4:
		return *(const uint32_t *)from;
	default:
		return *(const uint64_t *)from;
	}
}

static void store(const struct type *type, void *to, uint64_t value)
{
	switch (type->size) {
	case 1:
		*(uint8_t *)to = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)to = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)to = (uint32_t)value;
		break;
	default:
		*(uint64_t *)to = value;
	}
}

static size_t align_up(size_t offset, size_t align)
{
	return (offset + align - 1) / align * align;
}

size_t field_offset(const struct field *fields, unsigned n)
{
	size_t offset = 0;

	for (unsigned i = 0; i < n; i++)
		offset = align_up(offset, fields[i].type->align) + fields[i].type->size;
	return align_up(offset, fields[n].type->align);
}

const struct type *type_resolve(const struct type *type)
{
	while (type->kind == TYPE_ALIAS)
		type = type->element;
	return type;
}

bool type_is_sized(const struct type *type)
{
	type = type_resolve(type);
	return type->kind == TYPE_BUFFER || type->kind == TYPE_SIZED;
}

const struct type_case *type_find_case(const struct type *type, uint64_t selector)
{
	for (uint32_t i = 0; i < type->max; i++)
		if (type->cases[i].selector == selector && selector != SELECT_NEVER)
			return &type->cases[i];
	return NULL;
}

static bool is_allowed(const struct type *type, uint64_t value, bool plus)
{
	if (value == type->null && type->null != NO_NULL)
		return plus;
	for (uint32_t i = 0; i < type->max; i++)
		if (type->kind == TYPE_VALUES
			    ? value == type->values[i]
			    : value >= type->values[2 * i] && value <= type->values[2 * i + 1])
			return true;
	return false;
}

/* ---- reading ---- */

static tpm_rc read_buffer(const struct type *type, void *to, struct reader *r)
{
	uint16_t size;

	TRY(read_u16(r, &size));
	if (size > type->max)
		return TPM_RC_SIZE;
	*(uint16_t *)to = size;
	return read_bytes(r, (uint8_t *)to + sizeof(uint16_t), size);
}

static tpm_rc read_select(const struct type *type, uint8_t *to, struct reader *r)
{
	TRY(read_u8(r, to));
	if (*to < type->min || *to > type->max)
		return type->rc;
	return read_bytes(r, to + 1, *to);
}

/* The size counts the structure in it, to the byte. */
/* The structure says how long it is; a size that says otherwise is wrong, too small and too
 * large alike. */
static tpm_rc read_sized(const struct type *type, void *to, struct reader *r, bool plus)
{
	struct reader inner;
	uint16_t size;

	TRY(read_u16(r, &size));
	*(uint16_t *)to = size;
	if (size == 0)
		return type->empty_allowed ? TPM_RC_SUCCESS : TPM_RC_SIZE;
	inner = *r;
	TRY(type_read(type->element,
		      (uint8_t *)to + align_up(sizeof(uint16_t), type->element->align), &inner,
		      plus));
	if (r->left - inner.left != size)
		return TPM_RC_SIZE;
	*r = inner;
	return TPM_RC_SUCCESS;
}

static tpm_rc read_list(const struct type *type, void *to, struct reader *r)
{
	uint32_t count;
	uint8_t *element = (uint8_t *)to + align_up(sizeof(uint32_t), type->element->align);

	TRY(read_u32(r, &count));
	if (count < type->min || count > type->max)
		return TPM_RC_SIZE;
	*(uint32_t *)to = count;
	for (uint32_t i = 0; i < count; i++)
		TRY(type_read(type->element, element + i * type->element->size, r, false));
	return TPM_RC_SUCCESS;
}

static tpm_rc read_union(const struct type *type, uint64_t selector, void *to, struct reader *r)
{
	const struct type_case *c = type_find_case(type, selector);

	if (!c)
		return type->rc;
	return c->type ? type_read(c->type, to, r, false) : TPM_RC_SUCCESS;
}

static uint64_t selector_of(const struct field *fields, const struct field *f, const void *record)
{
	return type_load(fields[f->selector].type,
			 (const uint8_t *)record + field_offset(fields, f->selector));
}

tpm_rc type_read_fields(const struct field *fields, void *record, struct reader *r, bool plus,
			unsigned *number)
{
	size_t offset = 0;

	for (const struct field *f = fields; f->type; f++) {
		void *to;

		offset = align_up(offset, f->type->align);
		to = (uint8_t *)record + offset;
		*number = (unsigned)(f - fields) + 1;
		if (f->kind == FIELD_SELECTED)
			TRY(read_union(f->type, selector_of(fields, f, record), to, r));
		else
			TRY(type_read(f->type, to, r,
				      f->kind == FIELD_PLUS || (f->kind == FIELD_INHERIT && plus)));
		offset += f->type->size;
	}
	return TPM_RC_SUCCESS;
}

tpm_rc type_read(const struct type *type, void *to, struct reader *r, bool plus)
{
	uint64_t value;
	unsigned number;

	type = type_resolve(type);
	switch (type->kind) {
	case TYPE_BYTES:
		return read_bytes(r, to, type->max);
	case TYPE_BUFFER:
		return read_buffer(type, to, r);
	case TYPE_SELECT:
		return read_select(type, to, r);
	case TYPE_SIZED:
		return read_sized(type, to, r, plus);
	case TYPE_LIST:
		return read_list(type, to, r);
	case TYPE_STRUCTURE:
		return type_read_fields(type->fields, to, r, plus, &number);
	case TYPE_NUMBER:
	case TYPE_BITS:
	case TYPE_VALUES:
	case TYPE_RANGES:
		TRY(read_number(r, type->size, &value));
		store(type, to, value);
		if (type->kind == TYPE_BITS && value & ~(uint64_t)type->max)
			return type->rc;
		if ((type->kind == TYPE_VALUES || type->kind == TYPE_RANGES) &&
		    !is_allowed(type, value, plus))
			return type->rc;
		return TPM_RC_SUCCESS;
	default: /* a union has no value without its selector */
		return TPM_RC_FAILURE;
	}
}

/* ---- writing ---- */

static void write_counted(struct writer *w, size_t size_of_count, uint64_t count, uint64_t max)
{
	if (count > max)
		w->overflow = true;
	write_number(w, size_of_count, count);
}

/* Writes the structure, then its size before it. */
static void write_sized(const struct type *type, const void *from, struct writer *w)
{
	uint8_t *size = w->at;
	size_t before;

	write_u16(w, 0);
	if (w->overflow || (type->empty_allowed && *(const uint16_t *)from == 0))
		return;
	before = w->left;
	type_write(type->element,
		   (const uint8_t *)from + align_up(sizeof(uint16_t), type->element->align), w);
	size[0] = (uint8_t)((before - w->left) >> 8);
	size[1] = (uint8_t)(before - w->left);
}

static void write_list(const struct type *type, const void *from, struct writer *w)
{
	uint32_t count = *(const uint32_t *)from;
	const uint8_t *element =
		(const uint8_t *)from + align_up(sizeof(uint32_t), type->element->align);

	write_counted(w, sizeof count, count, type->max);
	for (uint32_t i = 0; i < count && !w->overflow; i++)
		type_write(type->element, element + i * type->element->size, w);
}

static void write_union(const struct type *type, uint64_t selector, const void *from,
			struct writer *w)
{
	const struct type_case *c = type_find_case(type, selector);

	if (!c)
		w->overflow = true;
	else if (c->type)
		type_write(c->type, from, w);
}

void type_write_fields(const struct field *fields, const void *record, struct writer *w)
{
	size_t offset = 0;

	for (const struct field *f = fields; f->type; f++) {
		offset = align_up(offset, f->type->align);
		if (f->kind == FIELD_SELECTED)
			write_union(f->type, selector_of(fields, f, record),
				    (const uint8_t *)record + offset, w);
		else
			type_write(f->type, (const uint8_t *)record + offset, w);
		offset += f->type->size;
	}
}

void type_write(const struct type *type, const void *from, struct writer *w)
{
	type = type_resolve(type);
	switch (type->kind) {
	case TYPE_BYTES:
		write_bytes(w, from, type->max);
		break;
	case TYPE_BUFFER:
		write_counted(w, sizeof(uint16_t), *(const uint16_t *)from, type->max);
		if (!w->overflow)
			write_bytes(w, (const uint8_t *)from + sizeof(uint16_t),
				    *(const uint16_t *)from);
		break;
	case TYPE_SELECT:
		write_counted(w, sizeof(uint8_t), *(const uint8_t *)from, type->max);
		if (!w->overflow)
			write_bytes(w, (const uint8_t *)from + 1, *(const uint8_t *)from);
		break;
	case TYPE_SIZED:
		write_sized(type, from, w);
		break;
	case TYPE_LIST:
		write_list(type, from, w);
		break;
	case TYPE_STRUCTURE:
		type_write_fields(type->fields, from, w);
		break;
	case TYPE_UNION:
		w->overflow = true;
		break;
	default:
		write_number(w, type->size, type_load(type, from));
	}
}

size_t type_marshal(const struct type *type, const void *from, uint8_t *out, size_t capacity)
{
	struct writer w = {out, capacity, false};

	type_write(type, from, &w);
	return w.overflow ? 0 : capacity - w.left;
}
