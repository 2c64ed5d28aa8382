/* The outcome as text: for programs a line for each check, for terminals wrapped and coloured. */
#include "cvtpm/evidence.h"
#include "verify/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH_MIN 40
#define INDENT    4

/* A line being written, and the column it has come to. */
struct line {
	FILE *out;
	const struct cvtpm_text_style *style;
	unsigned width, column;
};

static void line_wrap(struct line *line)
{
	fprintf(line->out, "\n%*s", INDENT, "");
	line->column = INDENT;
}

/* One word with the spaces before it. What is longer than a line is cut at its end. */
static void put_word(struct line *line, size_t spaces, const char *word, size_t len)
{
	if (line->width && line->column > INDENT && line->column + spaces + len > line->width &&
	    (len <= line->width - INDENT || line->column + spaces + INDENT > line->width)) {
		line_wrap(line);
		spaces = 0;
	}
	fprintf(line->out, "%*s", (int)spaces, "");
	line->column += (unsigned)spaces;
	while (line->width && len > line->width - line->column) {
		size_t room = line->width - line->column;

		fwrite(word, 1, room, line->out);
		word += room;
		len -= room;
		line_wrap(line);
	}
	fwrite(word, 1, len, line->out);
	line->column += (unsigned)len;
}

static void put_text(struct line *line, const char *text)
{
	while (*text) {
		size_t spaces = strspn(text, " ");
		size_t len = strcspn(text + spaces, " ");

		put_word(line, spaces, text + spaces, len);
		text += spaces + len;
	}
}

static const char *colour_of(enum cvtpm_check_verdict verdict)
{
	switch (verdict) {
	case CVTPM_CHECK_OK:
		return "32"; /* green */
	case CVTPM_CHECK_REFUSED:
		return "1;31"; /* bold red */
	case CVTPM_CHECK_UNKNOWN:
	case CVTPM_CHECK_WARNING:
		return "33"; /* yellow */
	case CVTPM_CHECK_NOT_CHECKED:
	case CVTPM_CHECK_CLAIMED:
		break;
	}
	return "2"; /* faint */
}

/* A word that colour is for; it is never broken. */
static void put_coloured(struct line *line, const char *colour, const char *word)
{
	if (line->style->colour)
		fprintf(line->out, "\033[%sm%s\033[0m", colour, word);
	else
		fputs(word, line->out);
	line->column += (unsigned)strlen(word);
}

static void put_verdict(struct line *line, enum cvtpm_check_verdict verdict)
{
	line->column = 0;
	fputc('[', line->out);
	put_coloured(line, colour_of(verdict), cvtpm_check_verdict_name(verdict));
	fputc(']', line->out);
	line->column += 2;
}

static void put_check(struct line *line, const struct cvtpm_check *c)
{
	put_verdict(line, c->verdict);
	put_text(line, " ");
	put_text(line, c->about);
	put_text(line, ": ");
	put_text(line, c->title);
	put_text(line, ": ");
	if (c->expected[0]) {
		put_text(line, "expected ");
		put_text(line, c->expected);
		put_text(line, "; found ");
	}
	put_text(line, c->found);
	if (c->reason) {
		put_text(line, " (");
		put_text(line, c->reason);
		put_text(line, ")");
	}
	fputc('\n', line->out);
}

static void put_lab_notice(struct line *line)
{
	line->column = 0;
	put_coloured(line, "1;35", "LAB");
	put_text(line, &LAB_NOTICE[3]);
	fputc('\n', line->out);
}

static bool put_summary(struct line *line, const struct cvtpm_verification *v)
{
	char *summary = cvtpm_verification_summary(v);
	const char *answer = cvtpm_answer_name(v->answer), *at;

	if (!summary)
		return false;
	line->column = 0;
	at = strstr(summary, "verdict: ") + strlen("verdict: ");
	if (v->lab)
		put_coloured(line, "1;35", "LAB");
	fprintf(line->out, "%sverdict: ", v->lab ? " " : "");
	line->column += (unsigned)strlen("verdict: ") + v->lab;
	put_coloured(line,
		     v->answer == CVTPM_ANSWER_YES  ? "1;32"
		     : v->answer == CVTPM_ANSWER_NO ? "1;31"
						    : "1;33",
		     answer);
	put_text(line, at + strlen(answer));
	fputc('\n', line->out);
	free(summary);
	return true;
}

static void put_passed(struct line *line, size_t passed)
{
	char text[64];

	snprintf(text, sizeof(text), " %zu checks passed (-v lists them)", passed);
	put_verdict(line, CVTPM_CHECK_OK);
	put_text(line, text);
	fputc('\n', line->out);
}

char *cvtpm_verification_text_styled(const struct cvtpm_verification *v,
				     const struct cvtpm_text_style *style)
{
	char *text = NULL;
	size_t len, passed = 0;
	struct line line = {.style = style,
			    .width = style->width && style->width < WIDTH_MIN ? WIDTH_MIN
									      : style->width};
	bool good;

	line.out = open_memstream(&text, &len);
	if (!line.out)
		return NULL;
	if (v->lab)
		put_lab_notice(&line);
	for (size_t i = 0; i < v->count; i++) {
		if (style->brief && v->checks[i].verdict == CVTPM_CHECK_OK)
			passed++;
		else
			put_check(&line, &v->checks[i]);
	}
	if (passed)
		put_passed(&line, passed);
	good = put_summary(&line, v) && !ferror(line.out);
	if (fclose(line.out) || !good) {
		free(text);
		return NULL;
	}
	return text;
}

char *cvtpm_verification_text(const struct cvtpm_verification *v)
{
	const struct cvtpm_text_style plain = {0};

	return cvtpm_verification_text_styled(v, &plain);
}
