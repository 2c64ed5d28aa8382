/* What names.c and attributes.c share: values and their names. */
#ifndef CVTPM_TRACE_WORDS_H
#define CVTPM_TRACE_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* Lists of them end with a NULL name. */
struct trace_word {
	uint32_t value;
	const char *name;
};

/** The name of a value, or NULL. */
const char *trace_word(const struct trace_word *words, uint64_t value);

/* Words one after another, each with a space behind it; cut where there is no room. */
struct trace_words {
	char *at;
	size_t size, len;
};

void trace_words_put(struct trace_words *words, const char *word);

#endif
