#include "cli/plain.h"

static const char *name_of(const struct argp_option *options, int key)
{
	while (options->key != key)
		options++;
	return options->name;
}

bool plain_take(struct argp_state *state, const struct argp_option *options,
		const struct plain_option *table, int key, const char *text)
{
	char *at;

	while (table->key && table->key != key)
		table++;
	if (!table->key)
		return false;
	at = (char *)state->input + table->offset;
	if (table->kind == PLAIN_ONCE && *(const char **)(void *)at)
		argp_error(state, "--%s is given twice", name_of(options, key));
	if (table->kind == PLAIN_FLAG)
		*(bool *)(void *)at = true;
	else
		*(const char **)(void *)at = text;
	return true;
}
