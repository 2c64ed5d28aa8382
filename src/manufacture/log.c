#include "manufacture/log.h"

#define LINE_SIZE 240

struct line {
	char text[LINE_SIZE];
	size_t len;
};

static void put(struct line *line, char c)
{
	if (line->len < LINE_SIZE - 1)
		line->text[line->len++] = c;
}

static void put_text(struct line *line, const char *text)
{
	while (*text)
		put(line, *text++);
}

/* With leading zeros up to `width` digits. */
static void put_number(struct line *line, uint64_t number, unsigned base, size_t width)
{
	char digits[20];
	size_t count = 0;

	do {
		digits[count++] = "0123456789ABCDEF"[number % base];
		number /= base;
	} while (number || count < width);
	while (count)
		put(line, digits[--count]);
}

static void put_argument(struct line *line, const struct log_argument *argument)
{
	if (argument->text) {
		put_text(line, argument->text);
	} else if (argument->hex) {
		put_text(line, "0x");
		put_number(line, argument->number, 16, argument->number > UINT16_MAX ? 8 : 1);
	} else {
		put_number(line, argument->number, 10, 1);
	}
}

void log_line(const struct cvtpm_platform *platform, enum cvtpm_log_level level, const char *format,
	      const struct log_argument *arguments)
{
	struct line line = {{0}, 0};

	if (!platform->log)
		return;
	for (; *format; format++) {
		if (*format == '%')
			put_argument(&line, arguments++);
		else
			put(&line, *format);
	}
	platform->log(platform->context, level, line.text);
}
