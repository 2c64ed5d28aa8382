/* Reading JSON strictly: every error names the file, the line and the member. */
#ifndef VERIFY_POLICY_JSON_H
#define VERIFY_POLICY_JSON_H

#include "verify/policy_names.h"

#include <jansson.h>

#define POLICY_DEPTH_MAX 8

struct policy_block;

struct policy_reader {
	const char *text; /* the file, for finding lines again */
	size_t len;
	const char *name;
	const char *dir;             /* for files that are named; NULL: none may be */
	char *error;                 /* CVTPM_POLICY_ERROR_SIZE */
	struct policy_block *blocks; /* everything allocated, for the policy to own */

	/* Where we are: members and items from the outermost inwards. */
	struct {
		const char *key; /* NULL: an item of a list */
		size_t ordinal;  /* the how-manieth of its object or list */
	} path[POLICY_DEPTH_MAX];
	size_t depth;
};

/* Reads a value into `to`. `detail` is the reader's own: a size, a maximum, ... */
typedef int policy_read(struct policy_reader *r, const json_t *value, void *to, uint64_t detail);

struct policy_member {
	const char *key;
	policy_read *read;
	size_t offset; /* of what it fills in the object's struct */
	uint64_t detail;
};

/* Zeroed memory that the policy will own; NULL with `error` set. */
void *policy_alloc(struct policy_reader *r, size_t count, size_t size);
char *policy_copy(struct policy_reader *r, const char *text);
void policy_free_blocks(struct policy_block *blocks);

/* Says what is wrong with the present value. Returns CVTPM_ERR_FORMAT. */
__attribute__((format(printf, 2, 3))) int policy_fail(struct policy_reader *r, const char *format,
						      ...);

/* Steps into a member or item and out again. */
void policy_enter(struct policy_reader *r, const char *key, size_t ordinal);
void policy_leave(struct policy_reader *r);

/* Reads an object whose members are those of the table (ending with a NULL key) and
 * comments, no others, into the struct at `to`. */
int policy_read_object(struct policy_reader *r, const json_t *value,
		       const struct policy_member *members, void *to);
/* A comment's name; its value is checked by whoever meets it. */
bool policy_is_comment(const char *key);
int policy_check_comment(struct policy_reader *r, const json_t *value);

/* The items of a list, in memory that the policy owns. */
struct policy_items {
	void *first;
	size_t size, count; /* of one; of them */
};

/* Reads a list's next item into `item`; `before` has those that were read. */
typedef int policy_read_item(struct policy_reader *r, const json_t *value,
			     const struct policy_items *before, void *item);

/* A list of at most `max` items of `size` bytes each. An empty one is an error, as it
 * would allow nothing. */
int policy_read_items(struct policy_reader *r, const json_t *value, size_t max, size_t size,
		      policy_read_item *read, struct policy_items *items);

policy_read policy_read_bool;     /* bool */
policy_read policy_read_uint32;   /* uint32_t, at most `detail` */
policy_read policy_read_values;   /* struct cvtpm_values of `detail` bytes each */
policy_read policy_read_required; /* bool: "required" or "optional" */
policy_read policy_read_refuse;   /* bool: "refuse" or "warn" */
policy_read policy_read_vector;   /* uint64_t: "0x..." */

/* A string, at most `max` bytes, without control characters; NULL: said. */
const char *policy_read_string(struct policy_reader *r, const json_t *value, size_t max);
/* Exactly 2 * len hexadecimal digits. */
int policy_read_hex(struct policy_reader *r, const json_t *value, uint8_t *out, size_t len);
int policy_parse_hex(struct policy_reader *r, const char *hex, uint8_t *out, size_t len);
/* One word of a table. */
int policy_read_word(struct policy_reader *r, const json_t *value, const struct policy_word *words,
		     uint64_t *out);
/* A list of words, each once, as the union of their values; `numbered`: "bit-6" too. */
int policy_read_words(struct policy_reader *r, const json_t *value, const struct policy_word *words,
		      bool numbered, uint64_t *out);
/* The same of a table whose values fit into an unsigned. */
int policy_read_word_set(struct policy_reader *r, const json_t *value,
			 const struct policy_word *words, unsigned *out);
/* The word of the table that is `text`, of `len` bytes; NULL: none is. */
const struct policy_word *policy_find_word(const struct policy_word *words, const char *text,
					   size_t len);
/* "1.55" or with `parts` 3 "1.55.22". */
int policy_read_dotted(struct policy_reader *r, const json_t *value, size_t parts, uint8_t *out);

#endif
