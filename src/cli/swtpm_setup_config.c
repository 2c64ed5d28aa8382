/* swtpm_setup.conf: of all that may stand in it, the PCR banks count here. */
#include "cli/cli.h"
#include "cli/common.h"
#include "cli/swtpm_setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct list_word bank_words[] = {{"sha1", CVTPM_PCR_SHA1},
					      {"sha256", CVTPM_PCR_SHA256},
					      {"sha384", CVTPM_PCR_SHA384},
					      {"sha512", CVTPM_PCR_SHA512},
					      {NULL, 0}};

bool setup_parse_banks(const char *text, unsigned *banks)
{
	return list_parse(strcmp(text, "-") == 0 ? "sha1,sha256,sha384,sha512" : text, bank_words,
			  banks);
}

/* The part of a line between white space; it has no comment any more. */
static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r\n");
	len = strlen(text);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]))
		text[--len] = '\0';
	return text;
}

static int take_line(struct setup_options *o, const char *path, unsigned number, char *line)
{
	line[strcspn(line, "#")] = '\0';
	line = trim(line);
	char *value = strchr(line, '=');

	if (!*line)
		return 0;
	if (!value) {
		cli_error("%s, line %u: '%s' is not NAME = VALUE", path, number, line);
		return CLI_FAULT;
	}
	*value++ = '\0';
	line = trim(line);
	value = trim(value);
	if (strcmp(line, "active_pcr_banks") == 0) {
		unsigned banks;

		if (!setup_parse_banks(value, &banks)) {
			cli_error("%s, line %u: active_pcr_banks = %s: not a list of sha1, sha256, "
				  "sha384, sha512",
				  path, number, value);
			return CLI_FAULT;
		}
		if (!o->pcr_banks)
			o->pcr_banks = banks;
	} else if (strcmp(line, "create_certs_tool") == 0 && o->wants_certificate &&
		   !o->reconfigure) {
		cli_error("certificates are signed by a key that is made for that and then wiped, "
			  "not by %s of %s",
			  value, path);
	}
	return 0;
}

static int read_file(struct setup_options *o, const char *path, FILE *file)
{
	char *line = NULL;
	size_t room = 0;
	unsigned number = 0;
	int status = 0;

	errno = 0;
	while (status == 0 && getline(&line, &room, file) >= 0)
		status = take_line(o, path, ++number, line);
	if (status == 0 && ferror(file)) {
		cli_error("cannot read %s: %s", path, strerror(errno));
		status = CLI_FAULT;
	}
	free(line);
	fclose(file);
	return status;
}

/* The first that is there. */
static FILE *find_file(char path[PATH_MAX])
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	FILE *file = NULL;

	if (xdg && *xdg) {
		snprintf(path, PATH_MAX, "%s/swtpm_setup.conf", xdg);
		file = fopen(path, "re");
	}
	if (!file && home && *home) {
		snprintf(path, PATH_MAX, "%s/.config/swtpm_setup.conf", home);
		file = fopen(path, "re");
	}
	if (!file) {
		snprintf(path, PATH_MAX, "/etc/swtpm_setup.conf");
		file = fopen(path, "re");
	}
	return file;
}

int setup_read_config(struct setup_options *o)
{
	char path[PATH_MAX];
	FILE *file = o->config ? fopen(o->config, "re") : find_file(path);

	if (file)
		return read_file(o, o->config ? o->config : path, file);
	if (!o->config)
		return 0;
	cli_error("--config: cannot read %s: %s", o->config, strerror(errno));
	return CLI_FAULT;
}
