/* What may be the key of a record (include/cvtpm/store.h). */
#ifndef CVTPM_STORE_KEY_H
#define CVTPM_STORE_KEY_H

#include "cvtpm/store.h"

/* The length of `key`; 0 when it may not be one. */
static inline size_t store_key_len(const char *key)
{
	size_t len = 0;

	for (; key && key[len]; len++)
		if (len == CVTPM_STORE_KEY_MAX || key[len] < '!' || key[len] > '~')
			return 0;
	return len;
}

#endif
