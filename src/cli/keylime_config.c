#include "cli/keylime.h"

#include "cvtpm/err.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

__attribute__((format(printf, 2, 3))) static bool fail(char line[KEYLIME_LINE_SIZE],
						       const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, KEYLIME_LINE_SIZE, format, arguments);
	va_end(arguments);
	return false;
}

static bool resolve(const struct keylime_config *c, const char *path, char out[4096],
		    char line[KEYLIME_LINE_SIZE])
{
	const char *separator = path[0] == '/' ? "" : "/";
	int len = snprintf(out, 4096, "%s%s%s", path[0] == '/' ? "" : c->dir, separator, path);

	if (!*path || len >= 4096)
		return fail(line, "a path of the configuration is empty or too long");
	return true;
}

/* ---- files ---- */

static bool add_file(struct keylime_config *c, const char *path, struct cvtpm_bytes *list,
		     size_t *count, char line[KEYLIME_LINE_SIZE])
{
	if (*count == KEYLIME_FILES_MAX)
		return fail(line,
			    "more than %d files; use \"kds\" with a cache, which picks those "
			    "of the report",
			    KEYLIME_FILES_MAX);
	if (!cli_read_file(&c->files, path, &list[*count]))
		return fail(line, "cannot read %s: %s", path, strerror(errno));
	list[(*count)++].name = NULL;
	return true;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool add_folder(struct keylime_config *c, const char *path, struct cvtpm_bytes *list,
		       size_t *count, char line[KEYLIME_LINE_SIZE])
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_visible, alphasort);
	bool good = n >= 0;

	if (!good)
		return fail(line, "cannot read the folder %s: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		char file[4096 + 300];
		struct stat st;

		snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
		if (good && !stat(file, &st) && S_ISREG(st.st_mode))
			good = add_file(c, file, list, count, line);
		free(entries[i]);
	}
	free(entries);
	return good;
}

/* A list of files and folders. */
static bool add_list(struct keylime_config *c, const json_t *names, const char *what,
		     struct cvtpm_bytes *list, size_t *count, char line[KEYLIME_LINE_SIZE])
{
	char path[4096];
	struct stat st;
	json_t *name;
	size_t i;

	if (names && !json_is_array(names))
		return fail(line, "\"%s\" is not a list of files and folders", what);
	json_array_foreach(names, i, name)
	{
		if (!json_is_string(name))
			return fail(line, "\"%s\" holds something that is no file name", what);
		if (!resolve(c, json_string_value(name), path, line))
			return false;
		if (stat(path, &st))
			return fail(line, "cannot read %s: %s", path, strerror(errno));
		if (!(S_ISDIR(st.st_mode) ? add_folder : add_file)(c, path, list, count, line))
			return false;
	}
	return true;
}

/* ---- members ---- */

static bool read_kds(struct keylime_config *c, json_t *kds, char line[KEYLIME_LINE_SIZE])
{
	const char *cache = NULL, *ca = NULL;
	int offline = 0;
	json_error_t error;

	if (!kds)
		return true;
	if (json_unpack_ex(kds, &error, 0, "{s:s, s?s, s?s, s?s, s?b !}", "url", &c->kds.base_url,
			   "cache", &cache, "ca", &ca, "product", &c->kds_product, "offline",
			   &offline))
		return fail(line, "\"kds\": %s", error.text);
	if ((cache && !resolve(c, cache, c->kds_cache, line)) ||
	    (ca && !resolve(c, ca, c->kds_ca, line)))
		return false;
	c->kds.cache_dir = cache ? c->kds_cache : NULL;
	c->kds.ca_file = ca ? c->kds_ca : NULL;
	c->kds.offline = offline;
	return true;
}

static bool read_pins(struct keylime_config *c, json_t *pins, char line[KEYLIME_LINE_SIZE])
{
	static const char *const words[] = {"refuse", "accept", "record"};
	const char *folder, *first = "refuse";
	json_error_t error;
	size_t i;

	if (!pins)
		return true;
	if (json_unpack_ex(pins, &error, 0, "{s:s, s?s !}", "folder", &folder, "first_contact",
			   &first))
		return fail(line, "\"pins\": %s", error.text);
	for (i = 0; i < 3 && strcmp(first, words[i]); i++)
		;
	if (i == 3)
		return fail(line, "\"first_contact\": '%s': write refuse, accept or record", first);
	c->first_contact = (enum keylime_first_contact)i;
	return resolve(c, folder, c->pins, line);
}

/* What asks for more than an EK certificate would refuse every agent. */
static bool policy_fits(const struct cvtpm_policy *policy, const char *path,
			char line[KEYLIME_LINE_SIZE])
{
	if (policy->require_quote)
		return fail(line,
			    "%s asks for a quote, PCRs or an event log: those are the Keylime "
			    "verifier's to check; leave them out of this policy",
			    path);
	if (policy->require_ek_cert)
		return fail(line,
			    "%s asks for a report over the EK certificate, which no Keylime "
			    "agent sends; leave it out of this policy",
			    path);
	return true;
}

static bool read_policy(struct keylime_config *c, const char *name, char line[KEYLIME_LINE_SIZE])
{
	char path[4096], error[CVTPM_POLICY_ERROR_SIZE];

	if (!resolve(c, name, path, line))
		return false;
	if (cvtpm_policy_load(path, &c->policy, error))
		return fail(line, "%s", error);
	return policy_fits(c->policy, path, line);
}

static bool read_members(struct keylime_config *c, char line[KEYLIME_LINE_SIZE])
{
	json_t *certificates = NULL, *crls = NULL, *kds = NULL, *pins = NULL, *comment = NULL;
	const char *policy;
	json_error_t error;

	if (json_unpack_ex(c->json, &error, 0, "{s:s, s?o, s?o, s?o, s?o, s?o !}", "policy",
			   &policy, "certificates", &certificates, "crls", &crls, "kds", &kds,
			   "pins", &pins, "_comment", &comment))
		return fail(line, "%s", error.text);
	return read_kds(c, kds, line) && read_pins(c, pins, line) && read_policy(c, policy, line) &&
	       add_list(c, certificates, "certificates", c->certs, &c->cert_count, line) &&
	       add_list(c, crls, "crls", c->crls, &c->crl_count, line);
}

bool keylime_config_open(struct keylime_config *c, const char *path, char line[KEYLIME_LINE_SIZE])
{
	const char *slash = strrchr(path, '/');
	char why[KEYLIME_LINE_SIZE];
	json_error_t error;
	struct cvtpm_bytes text;

	snprintf(c->dir, sizeof c->dir, "%.*s", slash ? (int)(slash - path) : 1,
		 slash ? path : ".");
	errno = 0;
	if (!cli_read_file(&c->files, path, &text))
		return fail(line,
			    "cannot read the configuration '%s': %s; write it, or name another one "
			    "in CVTPM_KEYLIME_CONF",
			    path, strerror(errno));
	c->json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
	if (!c->json)
		return fail(line, "%s:%d: %s", path, error.line, error.text);
	if (read_members(c, why))
		return true;
	return fail(line, "configuration %.1000s: %.1000s", path, why);
}

void keylime_config_close(struct keylime_config *c)
{
	cvtpm_policy_free(c->policy);
	cli_free_files(&c->files);
	json_decref(c->json);
}
