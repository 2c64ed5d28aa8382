#include "cli/swtpm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static void word_take(struct argp_state *state, const char *option, char *text,
		      const struct word *words)
{
	char *value = strchr(text, '=');

	if (value)
		*value++ = '\0';
	for (; words->name; words++) {
		if (strcmp(words->name, text) != 0)
			continue;
		if (value ? !words->value : !words->flag)
			argp_error(state,
				   value ? "%s: '%s' takes no value"
					 : "%s: '%s' needs a value: write %s=...",
				   option, text, text);
		if ((words->value && *words->value) || (words->flag && *words->flag))
			argp_error(state, "%s: '%s' is there twice", option, text);
		if (value)
			*words->value = value;
		if (words->flag)
			*words->flag = true;
		return;
	}
	argp_error(state, "%s: '%s' is not known here", option, text);
}

void words_parse(struct argp_state *state, const char *option, const char *text,
		 char copy[WORDS_SIZE], const struct word *words)
{
	char *rest = copy, *word;

	if (strlen(text) >= WORDS_SIZE)
		argp_error(state, "%s: the value has more than %d characters", option,
			   WORDS_SIZE - 1);
	strcpy(copy, text);
	while ((word = strsep(&rest, ",")) != NULL)
		word_take(state, option, word, words);
}

const struct cvtpm_engine *swtpm_engine(struct argp_state *state, const char *name)
{
	const struct cvtpm_engine *engine = cvtpm_engine_find(name);

	if (!engine)
		argp_error(state,
			   "--engine=%s: there is no such engine; `cvtpm --version` lists "
			   "them",
			   name);
	return engine;
}

unsigned long words_number(struct argp_state *state, const char *what, const char *text,
			   unsigned long max)
{
	char *end;

	errno = 0;
	const unsigned long number = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || errno || number > max)
		argp_error(state, "%s: '%s' is not a number up to %lu", what, text, max);
	return number;
}

unsigned words_mode(struct argp_state *state, const char *what, const char *text)
{
	char *end;
	const unsigned long mode = strtoul(text, &end, 8);

	if (text[0] != '0' || *end || mode > 0777)
		argp_error(state,
			   "%s: '%s' is not an octal number of permission bits: such as "
			   "0600",
			   what, text);
	return (unsigned)mode;
}

int words_descriptor(struct argp_state *state, const char *what, const char *text)
{
	const int fd = (int)words_number(state, what, text, INT_MAX);

	if (fcntl(fd, F_GETFD) < 0)
		argp_error(state, "%s: descriptor %d is not open", what, fd);
	return fd;
}
