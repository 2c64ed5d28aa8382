/*
 * CBOR from outside, one token at a time through libcbor's streaming decoder,
 * which allocates nothing, so that no length in the evidence can make us
 * allocate.
 *
 * Only deterministic CBOR is accepted (RFC 8949, 4.2.1), and of it only what
 * our formats use: unsigned numbers, byte and text strings, arrays and maps of
 * definite length.
 */
#ifndef VERIFY_TOKENS_H
#define VERIFY_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum token_kind {
	TOKEN_OTHER, /* anything that no format of ours holds */
	TOKEN_UINT,
	TOKEN_BYTES,
	TOKEN_TEXT,
	TOKEN_ARRAY,
	TOKEN_MAP,
};

struct token {
	enum token_kind kind;
	uint64_t value; /* number, length, or count */
	const uint8_t *data;
};

struct token_reader {
	const uint8_t *at, *end;
	const char *why; /* the first thing that was wrong; constant */
};

/* Notes what is wrong, and returns false. */
bool token_fail(struct token_reader *r, const char *why);
/* The next token. False: there is none that may be there. */
bool token_next(struct token_reader *r, struct token *token);
/* The same, which must be of this kind. */
bool token_next_of(struct token_reader *r, enum token_kind kind, struct token *token,
		   const char *why);
bool token_is_text(const struct token *token, const char *text);
/* Keys of a map ascend bytewise as encoded, which also excludes duplicates: `key` is
 * where the key began that was read last; `*last` and `*last_len` the one before. */
bool token_key_ascends(struct token_reader *r, const uint8_t **last, size_t *last_len,
		       const uint8_t *key);

#endif
