/*
 * The owner's log lines, formatted without a library.
 *
 * Each '%' of the format stands for the next argument, which knows its own
 * kind: LOG(platform, CVTPM_LOG_INFO, "EK %: % bytes", LOG_TEXT(name),
 * LOG_NUMBER(len)). Hexadecimal numbers of more than 16 bits (indices, handles)
 * have eight digits. A line that is too long is cut.
 */
#ifndef CVTPM_MANUFACTURE_LOG_H
#define CVTPM_MANUFACTURE_LOG_H

#include "cvtpm/platform.h"

struct log_argument {
	const char *text; /* NULL: the number is meant */
	uint64_t number;
	bool hex;
};

#define LOG_TEXT(t)   ((struct log_argument){.text = (t)})
#define LOG_NUMBER(n) ((struct log_argument){.number = (n)})
#define LOG_HEX(n)    ((struct log_argument){.number = (n), .hex = true})

#define LOG(platform, level, format, ...)                                                          \
	log_line((platform), (level), (format), (const struct log_argument[]){__VA_ARGS__})

void log_line(const struct cvtpm_platform *platform, enum cvtpm_log_level level, const char *format,
	      const struct log_argument *arguments);

#endif
