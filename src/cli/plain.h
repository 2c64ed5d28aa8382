/*
 * Options that only say something: their text, or that they are there, goes into a struct as
 * it is. A row of a table for each; the parser has what needs a look.
 */
#ifndef CVTPM_CLI_PLAIN_H
#define CVTPM_CLI_PLAIN_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

enum plain_kind {
	PLAIN_FLAG, /* bool: it is there */
	PLAIN_TEXT, /* const char *: its text; the last one counts */
	PLAIN_ONCE, /* the same, and twice is a usage error */
};

struct plain_option {
	int key; /* 0 behind the last row */
	enum plain_kind kind;
	size_t offset; /* in the parser's input */
};

/* A row; another type of member than the kind's is an error of the compiler. */
#define PLAIN(type, member, c_type) _Generic(((type *)0)->member, c_type : offsetof(type, member))
#define FLAG(key, type, member)                                                                    \
	{                                                                                          \
		key, PLAIN_FLAG, PLAIN(type, member, bool)                                         \
	}
#define TEXT(key, type, member)                                                                    \
	{                                                                                          \
		key, PLAIN_TEXT, PLAIN(type, member, const char *)                                 \
	}
#define ONCE(key, type, member)                                                                    \
	{                                                                                          \
		key, PLAIN_ONCE, PLAIN(type, member, const char *)                                 \
	}

/** Puts it where the table says, in state->input. `options` has all that the table has. False:
 *  it is not in the table. */
bool plain_take(struct argp_state *state, const struct argp_option *options,
		const struct plain_option *table, int key, const char *text);

#endif
