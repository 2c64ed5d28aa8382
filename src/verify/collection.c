#include "verify/collection.h"
#include "cvtpm/err.h"
#include "manufacture/cbor.h"
#include "verify/tokens.h"

#include <string.h>

#define LABEL_TYPE "__cmwc_t"

/* [type, value, ? ind] */
static bool read_record(struct token_reader *r, const struct collection_label *label,
			struct cvtpm_bytes *value)
{
	struct token head, type, bytes, ind;

	if (!token_next_of(r, TOKEN_ARRAY, &head, "a label whose value is not a record"))
		return false;
	if (head.value != (label->ind ? 3 : 2))
		return token_fail(r, "a record with another number of parts");
	if (!token_next_of(r, TOKEN_TEXT, &type, "a record whose type is not a media type"))
		return false;
	if (!token_is_text(&type, label->type))
		return token_fail(r, "a record of an unknown type, or under another's label");
	if (!token_next_of(r, TOKEN_BYTES, &bytes, "a record whose value is not bytes"))
		return false;
	if (!bytes.value || bytes.value > label->max)
		return token_fail(r, "a record that is empty, or larger than it may be");
	if (label->ind && (!token_next_of(r, TOKEN_UINT, &ind, "an indicator that is no number") ||
			   ind.value != label->ind))
		return token_fail(r, "a record with another indicator");
	*value = (struct cvtpm_bytes){
		.data = bytes.data, .len = (size_t)bytes.value, .name = label->label};
	return true;
}

static bool read_entries(struct token_reader *r, const struct collection_format *format,
			 struct cvtpm_bytes *values, uint64_t count)
{
	const uint8_t *last = NULL;
	size_t last_len = 0;
	bool typed = false;

	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *key = r->at;
		struct token label, type;
		size_t which = 0;

		if (!token_next_of(r, TOKEN_TEXT, &label, "a label that is not text") ||
		    !token_key_ascends(r, &last, &last_len, key))
			return false;
		if (token_is_text(&label, LABEL_TYPE)) {
			if (!token_next(r, &type) || !token_is_text(&type, format->type))
				return token_fail(r, "a collection of another type");
			typed = true;
			continue;
		}
		while (which < format->count && !token_is_text(&label, format->labels[which].label))
			which++;
		if (which == format->count)
			return token_fail(r, "an unknown label");
		if (!read_record(r, &format->labels[which], &values[which]))
			return false;
	}
	return typed || token_fail(r, "a collection without a type");
}

int collection_read(const struct collection_format *format, struct cvtpm_bytes *values,
		    const uint8_t *data, size_t len, const char **why)
{
	struct token_reader r = {.at = data, .end = data + len};
	struct token head;
	bool good;

	memset(values, 0, format->count * sizeof(*values));
	good = token_next_of(&r, TOKEN_MAP, &head, "not a collection") &&
	       read_entries(&r, format, values, head.value);
	if (good && r.at != r.end)
		good = token_fail(&r, "bytes after its end");
	for (size_t i = 0; good && i < format->count; i++)
		if (format->labels[i].needed && !values[i].data)
			good = token_fail(&r, "a collection without everything that it needs");
	if (good)
		return 0;
	memset(values, 0, format->count * sizeof(*values));
	*why = r.why;
	return CVTPM_ERR_FORMAT;
}

/* Bytewise order of the encoded texts: the shorter one first (all are below 24 bytes). */
static bool type_comes_before(const char *label)
{
	const size_t len = strlen(label), type_len = sizeof(LABEL_TYPE) - 1;

	return type_len != len ? type_len < len : strcmp(LABEL_TYPE, label) < 0;
}

static void write_type(struct octets *out, const struct collection_format *format)
{
	cbor_text(out, LABEL_TYPE);
	cbor_text(out, format->type);
}

int collection_write(const struct collection_format *format, const struct cvtpm_bytes *values,
		     uint8_t *out, size_t *len)
{
	struct octets o = {.bytes = out, .room = *len};
	bool typed = false;
	size_t count = 1;

	for (size_t i = 0; i < format->count; i++)
		count += values[i].data != NULL;
	cbor_map(&o, count);
	for (size_t i = 0; i < format->count; i++) {
		const struct collection_label *label = &format->labels[i];

		if (!typed && type_comes_before(label->label)) {
			write_type(&o, format);
			typed = true;
		}
		if (!values[i].data)
			continue;
		cbor_text(&o, label->label);
		cbor_array(&o, label->ind ? 3 : 2);
		cbor_text(&o, label->type);
		cbor_bytes(&o, values[i].data, values[i].len);
		if (label->ind)
			cbor_uint(&o, label->ind);
	}
	if (!typed)
		write_type(&o, format);
	*len = o.len;
	return octets_fit(&o) ? 0 : CVTPM_ERR_SIZE;
}
