/* The engines of this build, by name. */
#include "cvtpm/engine.h"

#include <string.h>

static const struct cvtpm_engine *const engines[] = {&cvtpm_engine_libtpms, &cvtpm_engine_native};

const struct cvtpm_engine *cvtpm_engine_find(const char *name)
{
	for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
		if (name && strcmp(engines[i]->name, name) == 0)
			return engines[i];
	return NULL;
}
