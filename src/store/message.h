/* The line for people that a constructor leaves when it fails. */
#ifndef CVTPM_STORE_MESSAGE_H
#define CVTPM_STORE_MESSAGE_H

#include "cvtpm/stores.h"

#include <stdarg.h>
#include <stdio.h>

/* Writes the line and returns `err`; errno stays as it is. */
__attribute__((format(printf, 3, 4))) static inline int
store_fail(char message[CVTPM_STORE_MESSAGE_SIZE], int err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, CVTPM_STORE_MESSAGE_SIZE, format, arguments);
	va_end(arguments);
	return err;
}

#endif
