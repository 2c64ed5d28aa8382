#include "cli/verify_output.h"

#include "cli/cli.h"
#include "host/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---- */

static bool write_in_place(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	bool good = fd >= 0 && write_whole(fd, text, strlen(text));

	if (fd >= 0)
		good = close(fd) == 0 && good;
	return good;
}

/* A file beside the one that is wanted, renamed when it is whole. */
static bool write_and_rename(const char *path, const char *text)
{
	char *temporary = NULL;
	bool good = false;
	int fd, saved;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		errno = ENOMEM;
		return false;
	}
	fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */
	if (fd >= 0) {
		good = write_whole(fd, text, strlen(text)) && fsync(fd) == 0;
		good = close(fd) == 0 && good && rename(temporary, path) == 0;
		saved = errno;
		if (!good)
			unlink(temporary);
		errno = saved;
	}
	free(temporary);
	return good;
}

bool cli_write_file(const char *path, const char *text)
{
	struct stat st;
	char *target;
	bool good;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		good = write_in_place(path, text);
	} else {
		target = realpath(path, NULL); /* through links, where there is something */
		good = write_and_rename(target ? target : path, text);
		free(target);
	}
	if (!good)
		cli_error("cannot write %s: %s", path, strerror(errno));
	return good;
}

/* ---- the outcome ---- */

static unsigned terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	unsigned long width = columns ? strtoul(columns, NULL, 10) : 0;
	struct winsize size;

	if (width == 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	return width > 10000 ? 10000 : (unsigned)width;
}

/* A terminal gets what a person needs, everything else every line as it is. */
static struct cvtpm_text_style style_of(const struct verify_output *output)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	struct cvtpm_text_style style = {0};

	if (!isatty(STDOUT_FILENO))
		return style;
	style.width = terminal_width();
	style.brief = !output->verbose;
	style.colour = !(no_colour && *no_colour) && !(term && !strcmp(term, "dumb"));
	return style;
}

static bool write_page(const struct verify_output *output, const struct cvtpm_verification *v)
{
	char *page = cvtpm_verification_html(v, output->sections, output->section_count);
	bool good = page != NULL;

	if (!page)
		cli_error("out of memory");
	else
		good = cli_write_file(output->html, page);
	free(page);
	return good;
}

int verify_say(const struct verify_output *output, const struct cvtpm_verification *v)
{
	const struct cvtpm_text_style style = style_of(output);
	bool page_good = !output->html || write_page(output, v);
	char *text = output->json    ? cvtpm_verification_json(v)
		     : output->quiet ? cvtpm_verification_summary(v)
				     : cvtpm_verification_text_styled(v, &style);

	if (!text) {
		cli_error("out of memory");
		return CLI_FAULT;
	}
	printf(output->json || output->quiet ? "%s\n" : "%s", text);
	free(text);
	if (fflush(stdout)) {
		cli_error("cannot write the outcome: %s", strerror(errno));
		return CLI_FAULT;
	}
	return page_good ? (int)v->answer : CLI_FAULT;
}
