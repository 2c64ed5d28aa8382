#include "acpi/aml.h"

#include "crypto/mem.h"
#include "cvtpm/err.h"

#define NAME_SIZE 4

/* Positions in a table's header (ACPI 6.5, table 5.4). */
#define HEADER_LENGTH   4
#define HEADER_CHECKSUM 9

/* Opcodes (ACPI 6.5, table 20.1); EXT_ ones follow EXT_PREFIX. */
enum {
	ZERO = 0x00,
	ONE = 0x01,
	NAME = 0x08,
	BYTE_PREFIX = 0x0a,
	WORD_PREFIX = 0x0b,
	DWORD_PREFIX = 0x0c,
	STRING_PREFIX = 0x0d,
	QWORD_PREFIX = 0x0e,
	SCOPE = 0x10,
	BUFFER = 0x11,
	PACKAGE = 0x12,
	METHOD = 0x14,
	EXT_PREFIX = 0x5b,
	LOCAL0 = 0x60,
	ARG0 = 0x68,
	STORE = 0x70,
	ADD = 0x72,
	AND = 0x7b,
	DEREF_OF = 0x83,
	INDEX = 0x88,
	LNOT = 0x92,
	LEQUAL = 0x93,
	LLESS = 0x95,
	IF = 0xa0,
	RETURN = 0xa4,
	EXT_OPERATION_REGION = 0x80,
	EXT_FIELD = 0x81,
	EXT_DEVICE = 0x82,
};

/* ---- bytes ---- */

static void aml_bytes(struct aml *a, const void *bytes, size_t len)
{
	if (a->len <= a->room && len <= a->room - a->len)
		memcpy(a->bytes + a->len, bytes, len);
	a->len += len;
}

void aml_u8(struct aml *a, uint8_t value)
{
	aml_bytes(a, &value, 1);
}

static void put_number(struct aml *a, uint64_t value, unsigned size)
{
	for (; size > 0; size--, value >>= 8)
		aml_u8(a, (uint8_t)value);
}

void aml_u16(struct aml *a, uint16_t value)
{
	put_number(a, value, 2);
}

void aml_u32(struct aml *a, uint32_t value)
{
	put_number(a, value, 4);
}

void aml_u64(struct aml *a, uint64_t value)
{
	put_number(a, value, 8);
}

static size_t text_length(const char *text)
{
	size_t len = 0;

	while (text[len])
		len++;
	return len;
}

/* ---- the table ---- */

void aml_start(struct aml *a, uint8_t *bytes, size_t room, const char *signature, uint8_t revision,
	       const char *table_id)
{
	*a = (struct aml){.bytes = bytes, .room = room};
	aml_bytes(a, signature, 4);
	aml_u32(a, 0); /* length */
	aml_u8(a, revision);
	aml_u8(a, 0); /* checksum */
	aml_bytes(a, "CVTPM ", 6);
	aml_bytes(a, table_id, 8);
	aml_u32(a, 1); /* OEM revision */
	aml_bytes(a, "CVTP", 4);
	aml_u32(a, 1); /* creator revision */
}

int aml_finish(struct aml *a, size_t *len)
{
	uint8_t sum = 0;

	if (a->depth || a->unbalanced)
		return CVTPM_ERR_PARAM;
	if (a->len > a->room)
		return CVTPM_ERR_SIZE;
	for (unsigned i = 0; i < 4; i++)
		a->bytes[HEADER_LENGTH + i] = (uint8_t)(a->len >> (8 * i));
	for (size_t i = 0; i < a->len; i++)
		sum = (uint8_t)(sum + a->bytes[i]);
	a->bytes[HEADER_CHECKSUM] = (uint8_t)-sum;
	*len = a->len;
	return 0;
}

/* ---- packages ---- */

/* PkgLength (20.2.4): the two upper bits of the first byte say how many follow. */
static size_t pkg_length(uint8_t out[4], size_t value)
{
	size_t more = value < 1u << 6 ? 0 : value < 1u << 12 ? 1 : value < 1u << 20 ? 2 : 3;

	if (more == 0) {
		out[0] = (uint8_t)value;
		return 1;
	}
	out[0] = (uint8_t)(more << 6 | (value & 0x0f));
	value >>= 4;
	for (size_t i = 1; i <= more; i++, value >>= 8)
		out[i] = (uint8_t)value;
	return 1 + more;
}

static void open_package(struct aml *a)
{
	if (a->depth == AML_DEPTH_MAX) {
		a->unbalanced = true;
		return;
	}
	a->open[a->depth++] = a->len;
}

/* The length counts its own bytes. */
void aml_end(struct aml *a)
{
	uint8_t length[4];
	size_t size = 0, next = 1;

	if (a->depth == 0) {
		a->unbalanced = true;
		return;
	}
	const size_t at = a->open[--a->depth], content = a->len - at;

	while (size != next) {
		size = next;
		next = pkg_length(length, content + size);
	}
	if (a->len <= a->room && size <= a->room - a->len) {
		memmove(a->bytes + at + size, a->bytes + at, content);
		memcpy(a->bytes + at, length, size);
	}
	a->len += size;
}

/* ---- what has a name ---- */

void aml_ref(struct aml *a, const char *name)
{
	aml_bytes(a, name, text_length(name));
}

void aml_scope(struct aml *a, const char *name)
{
	aml_u8(a, SCOPE);
	open_package(a);
	aml_ref(a, name);
}

void aml_device(struct aml *a, const char *name)
{
	aml_u8(a, EXT_PREFIX);
	aml_u8(a, EXT_DEVICE);
	open_package(a);
	aml_ref(a, name);
}

void aml_method(struct aml *a, const char *name, unsigned arguments, enum aml_serialize serialize)
{
	aml_u8(a, METHOD);
	open_package(a);
	aml_ref(a, name);
	aml_u8(a, (uint8_t)(arguments | (unsigned)serialize << 3));
}

void aml_if(struct aml *a)
{
	aml_u8(a, IF);
	open_package(a);
}

void aml_field(struct aml *a, const char *region, enum aml_access access)
{
	aml_u8(a, EXT_PREFIX);
	aml_u8(a, EXT_FIELD);
	open_package(a);
	aml_ref(a, region);
	aml_u8(a, (uint8_t)access);
}

void aml_unit(struct aml *a, const char *name, unsigned bits)
{
	uint8_t length[4];

	aml_bytes(a, name, NAME_SIZE);
	aml_bytes(a, length, pkg_length(length, bits));
}

void aml_package(struct aml *a, uint8_t count)
{
	aml_u8(a, PACKAGE);
	open_package(a);
	aml_u8(a, count);
}

void aml_buffer(struct aml *a, size_t len)
{
	aml_u8(a, BUFFER);
	open_package(a);
	aml_integer(a, len);
}

void aml_name(struct aml *a, const char *name)
{
	aml_u8(a, NAME);
	aml_ref(a, name);
}

void aml_region(struct aml *a, const char *name, enum aml_space space)
{
	aml_u8(a, EXT_PREFIX);
	aml_u8(a, EXT_OPERATION_REGION);
	aml_ref(a, name);
	aml_u8(a, (uint8_t)space);
}

/* ---- terms ---- */

void aml_arg(struct aml *a, unsigned n)
{
	aml_u8(a, (uint8_t)(ARG0 + n));
}

void aml_local(struct aml *a, unsigned n)
{
	aml_u8(a, (uint8_t)(LOCAL0 + n));
}

void aml_integer(struct aml *a, uint64_t value)
{
	if (value <= 1) {
		aml_u8(a, value ? ONE : ZERO);
	} else if (value <= UINT8_MAX) {
		aml_u8(a, BYTE_PREFIX);
		aml_u8(a, (uint8_t)value);
	} else if (value <= UINT16_MAX) {
		aml_u8(a, WORD_PREFIX);
		aml_u16(a, (uint16_t)value);
	} else if (value <= UINT32_MAX) {
		aml_u8(a, DWORD_PREFIX);
		aml_u32(a, (uint32_t)value);
	} else {
		aml_u8(a, QWORD_PREFIX);
		aml_u64(a, value);
	}
}

void aml_string(struct aml *a, const char *text)
{
	aml_u8(a, STRING_PREFIX);
	aml_bytes(a, text, text_length(text) + 1);
}

void aml_unicode(struct aml *a, const char *text)
{
	const size_t len = text_length(text) + 1;

	aml_buffer(a, 2 * len);
	for (size_t i = 0; i < len; i++)
		aml_u16(a, (uint8_t)text[i]);
	aml_end(a);
}

void aml_bytes_buffer(struct aml *a, const uint8_t *bytes, size_t len)
{
	aml_buffer(a, len);
	aml_bytes(a, bytes, len);
	aml_end(a);
}

static uint8_t hex_digit(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The first three groups are numbers, and little-endian (19.6.142). */
void aml_uuid(struct aml *a, const char *uuid)
{
	static const uint8_t digits[16] = {6,  4,  2,  0,  11, 9,  16, 14,
					   19, 21, 24, 26, 28, 30, 32, 34};

	aml_buffer(a, sizeof digits);
	for (size_t i = 0; i < sizeof digits; i++)
		aml_u8(a,
		       (uint8_t)(hex_digit(uuid[digits[i]]) << 4 | hex_digit(uuid[digits[i] + 1])));
	aml_end(a);
}

/* ---- operators ---- */

void aml_return(struct aml *a)
{
	aml_u8(a, RETURN);
}

void aml_store(struct aml *a)
{
	aml_u8(a, STORE);
}

void aml_equal(struct aml *a)
{
	aml_u8(a, LEQUAL);
}

void aml_not_less(struct aml *a)
{
	aml_u8(a, LNOT);
	aml_u8(a, LLESS);
}

void aml_add(struct aml *a)
{
	aml_u8(a, ADD);
}

void aml_and(struct aml *a)
{
	aml_u8(a, AND);
}

void aml_index(struct aml *a)
{
	aml_u8(a, INDEX);
}

void aml_deref_of(struct aml *a)
{
	aml_u8(a, DEREF_OF);
}

void aml_no_target(struct aml *a)
{
	aml_u8(a, ZERO);
}
