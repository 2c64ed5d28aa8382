/* Lines for the operator, formatted; for all hosted parts. */
#ifndef CVTPM_HOST_LOG_H
#define CVTPM_HOST_LOG_H

#include "cvtpm/platform.h"

#include <stdarg.h>
#include <stdio.h>

/* One line, cut at 511 characters; none where the platform has no log. */
__attribute__((format(printf, 3, 0))) static inline void
platform_vlog(const struct cvtpm_platform *platform, enum cvtpm_log_level level, const char *format,
	      va_list arguments)
{
	char line[512];

	if (!platform->log)
		return;
	vsnprintf(line, sizeof line, format, arguments);
	platform->log(platform->context, level, line);
}

__attribute__((format(printf, 3, 4))) static inline void
platform_log(const struct cvtpm_platform *platform, enum cvtpm_log_level level, const char *format,
	     ...)
{
	va_list arguments;

	va_start(arguments, format);
	platform_vlog(platform, level, format, arguments);
	va_end(arguments);
}

#endif
