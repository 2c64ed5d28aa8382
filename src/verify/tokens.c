#include "verify/tokens.h"

#include <cbor.h>
#include <string.h>

static void on_uint8(void *context, uint8_t value)
{
	*(struct token *)context = (struct token){.kind = TOKEN_UINT, .value = value};
}

static void on_uint16(void *context, uint16_t value)
{
	*(struct token *)context = (struct token){.kind = TOKEN_UINT, .value = value};
}

static void on_uint32(void *context, uint32_t value)
{
	*(struct token *)context = (struct token){.kind = TOKEN_UINT, .value = value};
}

static void on_uint64(void *context, uint64_t value)
{
	*(struct token *)context = (struct token){.kind = TOKEN_UINT, .value = value};
}

static void on_bytes(void *context, cbor_data data, size_t len)
{
	*(struct token *)context = (struct token){.kind = TOKEN_BYTES, .value = len, .data = data};
}

static void on_text(void *context, cbor_data data, size_t len)
{
	*(struct token *)context = (struct token){.kind = TOKEN_TEXT, .value = len, .data = data};
}

static void on_array(void *context, size_t count)
{
	*(struct token *)context = (struct token){.kind = TOKEN_ARRAY, .value = count};
}

static void on_map(void *context, size_t count)
{
	*(struct token *)context = (struct token){.kind = TOKEN_MAP, .value = count};
}

/* Bytes of the shortest head for this value. */
static size_t head_size(uint64_t value)
{
	return value < 24            ? 1
	       : value <= 0xFF       ? 2
	       : value <= 0xFFFF     ? 3
	       : value <= UINT32_MAX ? 5
				     : 9;
}

bool token_fail(struct token_reader *r, const char *why)
{
	if (!r->why)
		r->why = why;
	return false;
}

bool token_next(struct token_reader *r, struct token *token)
{
	struct cbor_callbacks callbacks = cbor_empty_callbacks;
	struct cbor_decoder_result result;
	size_t size;

	callbacks.uint8 = on_uint8;
	callbacks.uint16 = on_uint16;
	callbacks.uint32 = on_uint32;
	callbacks.uint64 = on_uint64;
	callbacks.byte_string = on_bytes;
	callbacks.string = on_text;
	callbacks.array_start = on_array;
	callbacks.map_start = on_map;

	*token = (struct token){.kind = TOKEN_OTHER};
	if (r->at == r->end)
		return token_fail(r, "it is truncated");
	result = cbor_stream_decode(r->at, (size_t)(r->end - r->at), &callbacks, token);
	if (result.status == CBOR_DECODER_NEDATA)
		return token_fail(r, "it is truncated");
	if (result.status != CBOR_DECODER_FINISHED || token->kind == TOKEN_OTHER)
		return token_fail(r, "something that has no place there");

	size = head_size(token->value);
	if (token->kind == TOKEN_BYTES || token->kind == TOKEN_TEXT)
		size += token->value;
	if (result.read != size)
		return token_fail(
			r, "it is not deterministic CBOR: a number not in its shortest form");
	r->at += result.read;
	return true;
}

bool token_next_of(struct token_reader *r, enum token_kind kind, struct token *token,
		   const char *why)
{
	return token_next(r, token) && (token->kind == kind || token_fail(r, why));
}

bool token_is_text(const struct token *token, const char *text)
{
	return token->kind == TOKEN_TEXT && token->value == strlen(text) &&
	       !memcmp(token->data, text, token->value);
}

/* Keys of a map ascend bytewise as encoded, which also excludes duplicates. */
bool token_key_ascends(struct token_reader *r, const uint8_t **last, size_t *last_len,
		       const uint8_t *key)
{
	size_t len = (size_t)(r->at - key), common = len < *last_len ? len : *last_len;
	int order = *last ? memcmp(*last, key, common) : -1;

	if (order > 0 || (order == 0 && *last_len >= len))
		return token_fail(r, order == 0 && *last_len == len ? "a label twice"
								    : "labels out of order");
	*last = key;
	*last_len = len;
	return true;
}
