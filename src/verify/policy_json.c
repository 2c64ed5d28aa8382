/*
 * Strict reading of JSON for policies.
 *
 * jansson parses and keeps the order of members, but not their lines. A line is
 * needed for an error only: then the text, by now known to be well formed, is walked
 * again along the path to the value.
 */
#include "verify/policy_json.h"
#include "crypto/hex.h"
#include "cvtpm/err.h"
#include "cvtpm/policy.h"
#include "verify/checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

struct policy_block {
	struct policy_block *next;
	_Alignas(max_align_t) uint8_t bytes[];
};

void *policy_alloc(struct policy_reader *r, size_t count, size_t size)
{
	struct policy_block *block = calloc(1, sizeof(*block) + count * size);

	if (!block) {
		snprintf(r->error, CVTPM_POLICY_ERROR_SIZE, "out of memory");
		return NULL;
	}
	block->next = r->blocks;
	r->blocks = block;
	return block->bytes;
}

char *policy_copy(struct policy_reader *r, const char *text)
{
	char *copy = policy_alloc(r, 1, strlen(text) + 1);

	return copy ? strcpy(copy, text) : NULL;
}

void policy_free_blocks(struct policy_block *blocks)
{
	while (blocks) {
		struct policy_block *next = blocks->next;

		free(blocks);
		blocks = next;
	}
}

/* ---- lines: a walk over text that is known to be JSON ---- */

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : end;
}

static const char *skip_value(const char *p, const char *end)
{
	size_t depth = 0;

	do {
		if (p < end && *p == '"') {
			p = skip_string(p, end);
			continue;
		}
		if (p < end && (*p == '{' || *p == '['))
			depth++;
		else if (p < end && (*p == '}' || *p == ']'))
			depth--;
		else if (!depth)
			return p + strcspn(p, ",]} \t\r\n");
		p++;
	} while (depth && p < end);
	return p < end ? p : end;
}

/* From an object or list to its member or item; *name is where that begins. */
static const char *step(const char *p, const char *end, size_t ordinal, const char **name)
{
	bool object = p < end && *p == '{';

	for (p++;; p++) {
		p = *name = skip_space(p, end);
		if (object) {
			p = skip_space(skip_string(p, end), end);
			p = skip_space(p + 1, end);
		}
		if (!ordinal-- || p >= end)
			return p;
		p = skip_space(skip_value(p, end), end); /* at the comma */
	}
}

static unsigned find_line(const struct policy_reader *r)
{
	const char *end = r->text + r->len, *p = skip_space(r->text, end), *name = p;
	unsigned line = 1;

	for (size_t i = 0; i < r->depth && p < end; i++)
		p = step(p, end, r->path[i].ordinal, &name);
	for (p = r->text; p < name && p < end; p++)
		line += *p == '\n';
	return line;
}

/* ---- errors ---- */

static void write_path(FILE *out, const struct policy_reader *r)
{
	char key[96];

	for (size_t i = 0; i < r->depth; i++) {
		if (!r->path[i].key) {
			fprintf(out, "[%zu]", r->path[i].ordinal);
			continue;
		}
		escape_text(key, sizeof(key), r->path[i].key, strlen(r->path[i].key));
		fprintf(out, "%s%s", i ? "." : "", key);
	}
}

int policy_fail(struct policy_reader *r, const char *format, ...)
{
	char message[300] = "", raw[CVTPM_POLICY_ERROR_SIZE] = "";
	FILE *out = fmemopen(raw, sizeof(raw) - 1, "w");
	va_list args;

	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (out) {
		fprintf(out, "%.100s, line %u: ", r->name, find_line(r));
		write_path(out, r);
		fprintf(out, "%s%s", r->depth ? ": " : "", message);
		(void)fclose(out);
	}
	escape_text(r->error, CVTPM_POLICY_ERROR_SIZE, raw, strlen(raw));
	return CVTPM_ERR_FORMAT;
}

void policy_enter(struct policy_reader *r, const char *key, size_t ordinal)
{
	/* The schema is no deeper than this. */
	r->path[r->depth].key = key;
	r->path[r->depth].ordinal = ordinal;
	r->depth++;
}

void policy_leave(struct policy_reader *r)
{
	r->depth--;
}

/* ---- objects and lists ---- */

bool policy_is_comment(const char *key)
{
	return !strncmp(key, "_comment", 8);
}

int policy_check_comment(struct policy_reader *r, const json_t *value)
{
	size_t count = json_array_size(value);

	if (json_is_string(value))
		return 0;
	for (size_t i = 0; i < count; i++)
		if (!json_is_string(json_array_get(value, i)))
			return policy_fail(r, "a comment is a string or a list of strings");
	if (!json_is_array(value))
		return policy_fail(r, "a comment is a string or a list of strings");
	return 0;
}

static int read_member(struct policy_reader *r, const char *key, const json_t *value,
		       const struct policy_member *members, void *to)
{
	if (policy_is_comment(key))
		return policy_check_comment(r, value);
	for (; members->key; members++)
		if (!strcmp(members->key, key))
			return members->read(r, value, (char *)to + members->offset,
					     members->detail);
	return policy_fail(r, "there is no such member here");
}

int policy_read_object(struct policy_reader *r, const json_t *value,
		       const struct policy_member *members, void *to)
{
	json_t *object = (json_t *)(uintptr_t)value, *item; /* jansson iterates so; not changed */
	size_t ordinal = 0;
	const char *key;

	if (!json_is_object(value))
		return policy_fail(r, "must be an object, {...}");
	json_object_foreach(object, key, item)
	{
		policy_enter(r, key, ordinal++);
		CVTPM_TRY(read_member(r, key, item, members, to));
		policy_leave(r);
	}
	return 0;
}

/* The list's length. */
static int read_count(struct policy_reader *r, const json_t *value, size_t max, size_t *count)
{
	if (!json_is_array(value))
		return policy_fail(r, "must be a list, [...]");
	*count = json_array_size(value);
	if (!*count)
		return policy_fail(r, "an empty list would allow nothing; leave the member out to "
				      "have no such rule");
	if (*count > max)
		return policy_fail(r, "more than %zu items", max);
	return 0;
}

int policy_read_items(struct policy_reader *r, const json_t *value, size_t max, size_t size,
		      policy_read_item *read, struct policy_items *items)
{
	size_t count;
	char *item;

	CVTPM_TRY(read_count(r, value, max, &count));
	item = policy_alloc(r, count, size);
	if (!item)
		return CVTPM_ERR_NO_MEMORY;
	*items = (struct policy_items){.first = item, .size = size};
	for (; items->count < count; items->count++, item += size) {
		policy_enter(r, NULL, items->count);
		CVTPM_TRY(read(r, json_array_get(value, items->count), items, item));
		policy_leave(r);
	}
	return 0;
}

/* ---- values ---- */

int policy_read_bool(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)detail;
	if (!json_is_boolean(value))
		return policy_fail(r, "must be true or false");
	*(bool *)to = json_is_true(value);
	return 0;
}

int policy_read_uint32(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || (uint64_t)number > detail)
		return policy_fail(r, "must be a whole number from 0 to %llu",
				   (unsigned long long)detail);
	*(uint32_t *)to = (uint32_t)number;
	return 0;
}

const char *policy_read_string(struct policy_reader *r, const json_t *value, size_t max)
{
	const char *text = json_string_value(value);

	if (!text) {
		policy_fail(r, "must be a string");
		return NULL;
	}
	if (!*text || strlen(text) > max) {
		policy_fail(r, "must have 1 to %zu bytes, and has %zu", max, strlen(text));
		return NULL;
	}
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			policy_fail(r, "has a control character");
			return NULL;
		}
	return text;
}

int policy_parse_hex(struct policy_reader *r, const char *hex, uint8_t *out, size_t len)
{
	if (strlen(hex) != 2 * len)
		return policy_fail(r, "must have %zu hexadecimal digits, and has %zu characters",
				   2 * len, strlen(hex));
	if (!cvtpm_hex_read(hex, out, len))
		return policy_fail(r, "has a character that is no hexadecimal digit");
	return 0;
}

int policy_read_hex(struct policy_reader *r, const json_t *value, uint8_t *out, size_t len)
{
	const char *hex = json_string_value(value);

	if (!hex)
		return policy_fail(r, "must be a string of %zu hexadecimal digits", 2 * len);
	return policy_parse_hex(r, hex, out, len);
}

#define VALUES_MAX 4096

static int read_one_value(struct policy_reader *r, const json_t *value,
			  const struct policy_items *before, void *item)
{
	return policy_read_hex(r, value, item, before->size);
}

int policy_read_values(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_values *values = to;
	struct policy_items items;

	CVTPM_TRY(policy_read_items(r, value, VALUES_MAX, (size_t)detail, read_one_value, &items));
	*values = (struct cvtpm_values){
		.bytes = items.first, .size = items.size, .count = items.count};
	return 0;
}

/* One of two words, the first of which means true. */
static int read_either(struct policy_reader *r, const json_t *value, bool *to, const char *yes,
		       const char *no)
{
	const char *text = json_string_value(value);

	if (!text || (strcmp(text, yes) != 0 && strcmp(text, no) != 0))
		return policy_fail(r, "must be \"%s\" or \"%s\"", yes, no);
	*to = !strcmp(text, yes);
	return 0;
}

int policy_read_required(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)detail;
	return read_either(r, value, to, "required", "optional");
}

int policy_read_refuse(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)detail;
	return read_either(r, value, to, "refuse", "warn");
}

int policy_read_vector(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	const char *text = json_string_value(value);
	size_t digits = text && !strncmp(text, "0x", 2) ? strlen(text + 2) : 0;
	uint64_t number = 0;

	(void)detail;
	if (!digits || digits > 16)
		return policy_fail(r,
				   "must be bits as a string, \"0x1\" to \"0xffffffffffffffff\"");
	for (const char *p = text + 2; *p; p++) {
		int digit = cvtpm_hex_digit(*p);

		if (digit < 0)
			return policy_fail(r, "has a character that is no hexadecimal digit");
		number = number << 4 | (unsigned)digit;
	}
	if (!number)
		return policy_fail(r, "demands no bit; leave the member out to have no such rule");
	*(uint64_t *)to = number;
	return 0;
}

/* ---- words ---- */

static void list_words(char *text, size_t size, const struct policy_word *words)
{
	size_t used = 0;

	for (; words->word && used < size; words++)
		used += (size_t)snprintf(text + used, size - used, "%s\"%s\"", used ? ", " : "",
					 words->word);
}

const struct policy_word *policy_find_word(const struct policy_word *words, const char *text,
					   size_t len)
{
	for (; words->word; words++)
		if (strlen(words->word) == len && !memcmp(words->word, text, len))
			return words;
	return NULL;
}

static bool find_word(const struct policy_word *words, const char *text, bool numbered,
		      uint64_t *out)
{
	const struct policy_word *word = policy_find_word(words, text, strlen(text));
	unsigned bit;
	char again[16];

	if (word) {
		*out = word->value;
		return true;
	}
	if (!numbered || sscanf(text, "bit-%2u", &bit) != 1 || bit > 63)
		return false;
	snprintf(again, sizeof(again), "bit-%u", bit);
	*out = (uint64_t)1 << bit;
	return !strcmp(again, text);
}

static int read_one_word(struct policy_reader *r, const json_t *value,
			 const struct policy_word *words, bool numbered, uint64_t *out)
{
	const char *text = json_string_value(value);
	char all[200];

	if (text && find_word(words, text, numbered, out))
		return 0;
	list_words(all, sizeof(all), words);
	return policy_fail(r, "must be one of %s%s", all, numbered ? ", or \"bit-N\"" : "");
}

int policy_read_word(struct policy_reader *r, const json_t *value, const struct policy_word *words,
		     uint64_t *out)
{
	return read_one_word(r, value, words, false, out);
}

int policy_read_words(struct policy_reader *r, const json_t *value, const struct policy_word *words,
		      bool numbered, uint64_t *out)
{
	size_t count;

	*out = 0;
	CVTPM_TRY(read_count(r, value, 64, &count));
	for (size_t i = 0; i < count; i++) {
		uint64_t one = 0;

		policy_enter(r, NULL, i);
		CVTPM_TRY(read_one_word(r, json_array_get(value, i), words, numbered, &one));
		if (*out & one)
			return policy_fail(r, "is there twice");
		*out |= one;
		policy_leave(r);
	}
	return 0;
}

int policy_read_word_set(struct policy_reader *r, const json_t *value,
			 const struct policy_word *words, unsigned *out)
{
	uint64_t bits = 0;

	CVTPM_TRY(policy_read_words(r, value, words, false, &bits));
	*out = (unsigned)bits;
	return 0;
}

int policy_read_dotted(struct policy_reader *r, const json_t *value, size_t parts, uint8_t *out)
{
	const char *p = json_string_value(value);
	const char *form = parts == 2 ? "\"MAJOR.MINOR\"" : "\"MAJOR.MINOR.BUILD\"";

	for (size_t i = 0; p && i < parts; i++) {
		unsigned number = 0;
		size_t digits = strspn(p, "0123456789");

		if (!digits || digits > 3 || sscanf(p, "%3u", &number) != 1 || number > 255 ||
		    p[digits] != (i + 1 < parts ? '.' : '\0')) {
			p = NULL;
			break;
		}
		out[i] = (uint8_t)number;
		p += digits + 1;
	}
	if (!p)
		return policy_fail(r, "must be a string %s, each part from 0 to 255", form);
	return 0;
}
