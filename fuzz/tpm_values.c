#include "tpm_values.h"

#include "tpm_bench.h"
#include "tpm_steps.h"

struct kept kept_values;

uint8_t draw(struct feed *f)
{
	if (!f->left)
		return 0;
	f->left--;
	return *f->at++;
}

uint64_t draw_number(struct feed *f, size_t bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | draw(f);
	return value;
}

void draw_bytes(struct feed *f, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = draw(f);
}

bool next_step(struct feed *input, uint8_t *operation, struct feed *own)
{
	uint8_t len;

	if (!input->left)
		return false;
	*operation = draw(input);
	len = draw(input);
	*own = (struct feed){input->at, len < input->left ? len : input->left};
	input->at += own->left;
	input->left -= own->left;
	return true;
}

/* ---- values by their types ---- */

const TPM_HANDLE indices[8] = {0x01500000, 0x01500001, 0x01500002, 0x01500003,
			       0x01500004, 0x01500005, 0x01500006, 0x01C00002};

static TPM_HANDLE make_handle(struct feed *f)
{
	static const TPM_HANDLE permanent[] = {TPM_RH_OWNER,   TPM_RH_ENDORSEMENT, TPM_RH_PLATFORM,
					       TPM_RH_LOCKOUT, TPM_RH_NULL,        TPM_RS_PW};
	uint8_t which = draw(f), n = which >> 3;

	switch (which & 7) {
	case 0:
		return permanent[n % COUNT(permanent)];
	case 1:
	case 2:
		return TRANSIENT_FIRST + n % 8;
	case 3:
		return HMAC_SESSION_FIRST + n % 8;
	case 4:
		return POLICY_SESSION_FIRST + n % 8;
	case 5:
		return indices[n % COUNT(indices)];
	case 6:
		return (n & 1 ? PLATFORM_PERSISTENT : PERSISTENT_FIRST) + n / 2 % 4;
	default:
		return n < 24 ? n : (TPM_HANDLE)draw_number(f, 4);
	}
}

static bool allows(const struct type *type, TPM_HANDLE handle)
{
	for (uint32_t i = 0; i < type->max; i++)
		if (handle >= type->values[2 * i] && handle <= type->values[2 * i + 1])
			return true;
	return false;
}

/* A handle that the type allows, if one comes up in a few draws. */
static TPM_HANDLE make_ranged(const struct type *type, struct feed *f, bool plus)
{
	TPM_HANDLE handle = make_handle(f);

	if (plus && handle == TPM_RS_PW)
		return type->null;
	if (allows(type, handle) || draw(f) == 0xFF)
		return handle;
	/* the kind of the first range, the same number */
	handle = type->values[0] + (HANDLE_INDEX(handle) & 7);
	return handle <= type->values[1] ? handle : type->values[0];
}

TPM_HANDLE make_entity(const struct type *type, struct feed *f, bool plus)
{
	static const struct {
		TPM_HANDLE first, count;
	} where[] = {{TRANSIENT_FIRST, 8},      {0x01500000, 7},        {HMAC_SESSION_FIRST, 8},
		     {POLICY_SESSION_FIRST, 8}, {PERSISTENT_FIRST, 4},  {PLATFORM_PERSISTENT, 4},
		     {TPM_RH_OWNER, 1},         {TPM_RH_NULL, 1},       {TPM_RH_LOCKOUT, 1},
		     {TPM_RH_ENDORSEMENT, 2},   {0, IMPLEMENTATION_PCR}};
	const struct type *t = type_resolve(type);
	TPM_HANDLE there[64], handle;
	size_t count = 0;
	uint8_t b = draw(f);

	if (b < 0xE0 && t->kind == TYPE_RANGES)
		for (size_t i = 0; i < COUNT(where); i++)
			for (handle = where[i].first; handle < where[i].first + where[i].count;
			     handle++)
				if (allows(t, handle) && bench_has(handle) && count < COUNT(there))
					there[count++] = handle;
	if (count)
		return there[b % count];
	make_value(type, &handle, f, plus);
	return handle;
}

static void store_number(void *to, size_t size, uint64_t value)
{
	uint8_t v8 = (uint8_t)value;
	uint16_t v16 = (uint16_t)value;
	uint32_t v32 = (uint32_t)value;

	memcpy(to,
	       size == 1   ? (void *)&v8
	       : size == 2 ? (void *)&v16
	       : size == 4 ? (void *)&v32
			   : (void *)&value,
	       size);
}

/* Small numbers, mostly; sometimes all of its bytes. */
static uint64_t make_number(const struct type *type, struct feed *f)
{
	uint8_t b = draw(f);

	return b < 0xE0   ? b
	       : b < 0xF0 ? (uint64_t)b << 8 * (type->size - 1)
			  : draw_number(f, type->size);
}

static uint64_t make_bits(const struct type *type, struct feed *f)
{
	static const uint32_t object[] = {
		TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT,
		TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_SIGN,
		TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_FIXEDTPM |
			TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
		TPMA_OBJECT_USERWITHAUTH,
	};
	uint8_t b = draw(f);

	if (type_resolve(type) == &type_TPMA_OBJECT && b < 0xC0)
		return object[b % COUNT(object)] ^ (b < 0x80 ? 0u : 1u << draw(f) % 20);
	if (type_resolve(type) == &type_TPMA_NV && b < 0xC0)
		return (TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_OWNERREAD |
			TPMA_NV_OWNERWRITE | (uint32_t)(b & 15) << 4) ^
		       (b < 0x80 ? 0u : 1u << draw(f) % 32);
	return draw_number(f, type->size) & (b < 0xFA ? type->max : UINT64_MAX);
}

static void make_buffer(const struct type *type, uint8_t *to, struct feed *f)
{
	static const uint8_t sizes[] = {0, 0, 0, 32, 32, 20, 48, 64, 16, 8, 1, 4};
	uint8_t b = draw(f);
	size_t size = b < 0xC0   ? sizes[b % COUNT(sizes)]
		      : b < 0xE0 ? (size_t)(b & 31) * type->max / 31
				 : draw_number(f, 2) % (type->max + 1u);

	size = size > type->max ? type->max : size;
	store_number(to, 2, size);
	draw_bytes(f, to + 2, size);
}

void make_fields(const struct field *fields, uint8_t *record, struct feed *f, bool plus)
{
	for (unsigned n = 0; fields[n].type; n++) {
		const struct field *field = &fields[n], *by = &fields[field->selector];
		uint8_t *to = record + field_offset(fields, n);
		const struct type_case *c;

		if (field->kind != FIELD_SELECTED) {
			make_value(field->type, to, f,
				   field->kind == FIELD_PLUS ||
					   (field->kind == FIELD_INHERIT && plus));
			continue;
		}
		c = type_find_case(
			field->type,
			type_load(by->type, record + field_offset(fields, field->selector)));
		if (c && c->type)
			make_value(c->type, to, f, false);
	}
}

/* Something of this type that an answer held; false: there is none, or the step does
 * not want it. */
static bool take_kept(const struct type *type, void *to, struct feed *f)
{
	const size_t n = kept_values.count < KEPT ? kept_values.count : KEPT;
	uint8_t b = draw(f);
	size_t skip = b & 8 ? b & 7 : 0; /* the newest, or one before it */

	if (b & 0x40)
		return false;
	for (size_t i = 0; i < 2 * n; i++) {
		const size_t at = (kept_values.count - 1 - i % n) % KEPT;

		if (kept_values.values[at].type != type || skip--)
			continue;
		memcpy(to, kept_values.values[at].value, type->size);
		return true;
	}
	return false;
}

static size_t element_offset(const struct type *type, size_t size_of_count)
{
	const size_t align = type->element->align;

	return (size_of_count + align - 1) / align * align;
}

static void make_list(const struct type *type, uint8_t *to, struct feed *f)
{
	uint8_t b = draw(f);
	uint32_t count = b < 0xF0 ? type->min + b % 3u : draw(f);

	count = count > type->max ? type->max : count;
	store_number(to, 4, count);
	for (uint32_t i = 0; i < count; i++)
		make_value(type->element, to + element_offset(type, 4) + i * type->element->size, f,
			   false);
}

void make_value(const struct type *type, void *to, struct feed *f, bool plus)
{
	const struct type *t = type_resolve(type);
	uint8_t b;

	if (type == &type_TPM_CC) {
		store_number(to, 4, commands[draw(f) % command_count]->code);
		return;
	}
	if (type == &type_TPM_HANDLE) {
		store_number(to, 4, make_handle(f));
		return;
	}
	switch (t->kind) {
	case TYPE_NUMBER:
		store_number(to, t->size, make_number(t, f));
		break;
	case TYPE_BITS:
		store_number(to, t->size, make_bits(t, f));
		break;
	case TYPE_VALUES:
		b = draw(f);
		if (plus && t->null != NO_NULL && (b & 0x81) == 1)
			store_number(to, t->size, t->null);
		else
			store_number(to, t->size,
				     b == 0xFF ? draw_number(f, t->size) : t->values[b % t->max]);
		break;
	case TYPE_RANGES:
		store_number(to, t->size, make_ranged(t, f, plus));
		break;
	case TYPE_BYTES:
		draw_bytes(f, to, t->max);
		break;
	case TYPE_BUFFER:
		if (!take_kept(t, to, f))
			make_buffer(t, to, f);
		break;
	case TYPE_SELECT:
		*(uint8_t *)to = (uint8_t)t->max;
		draw_bytes(f, (uint8_t *)to + 1, t->max);
		break;
	case TYPE_SIZED:
		if (take_kept(t, to, f))
			break;
		store_number(to, 2, t->empty_allowed && draw(f) == 1 ? 0 : 1);
		make_value(t->element, (uint8_t *)to + element_offset(t, 2), f, plus);
		break;
	case TYPE_LIST:
		make_list(t, to, f);
		break;
	case TYPE_STRUCTURE:
		if (!take_kept(t, to, f))
			make_fields(t->fields, to, f, plus);
		break;
	default:
		break;
	}
}

void keep(const struct type *type, const void *value)
{
	const size_t at = kept_values.count % KEPT;

	type = type_resolve(type);
	if (type->size > KEPT_SIZE ||
	    (type->kind != TYPE_BUFFER && type->kind != TYPE_SIZED && type->kind != TYPE_STRUCTURE))
		return;
	kept_values.values[at].type = type;
	memcpy(kept_values.values[at].value, value, type->size);
	kept_values.count++;
}

static void keep_fields(const struct field *fields, const uint8_t *record)
{
	for (unsigned n = 0; fields[n].type; n++)
		keep(fields[n].type, record + field_offset(fields, n));
}

void keep_out(const struct command *c, union command_out *out)
{
	keep_fields(c->out, OUT_FIELDS(out));
}

/* A digest that was signed, a policyRef: what another command wants to hear again. */
void keep_in(const struct command *c, union command_in *in)
{
	keep_fields(c->in, IN_FIELDS(in));
}
