/*
 * Where swtpm's users keep a TPM, and where in it ours is.
 *
 * The folder D that they name may hold sockets, logs, pid files, and may be open
 * to others; a state folder of ours is our own and closed. So it is D/cvtpm, and
 * `cvtpm serve --state D/cvtpm` opens the same TPM.
 */
#include "cli/cli.h"
#include "cli/swtpm.h"
#include "cvtpm/err.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUR_FOLDER   "cvtpm"
#define OUR_FILE     "data.mdb"
#define FOREIGN_FILE "tpm2-00.permall"

static void set_dir(struct argp_state *state, const char *option, const char *dir,
		    struct swtpm_state *where)
{
	if (!dir || !*dir)
		argp_error(state, "%s: the folder is missing", option);
	if (strlen(dir) >= PATH_MAX)
		argp_error(state, "%s: the path is too long", option);
	where->dir = dir;
	snprintf(where->path, sizeof where->path, "%s/" OUR_FOLDER, dir);
}

/* "dir://D": D, else NULL. */
static const char *uri_dir(struct argp_state *state, const char *option, const char *uri)
{
	if (strncmp(uri, "dir://", 6) == 0)
		return uri + 6;
	if (strncmp(uri, "file://", 7) == 0)
		argp_error(state, "%s: %s: a TPM in one file is not offered: write dir://FOLDER",
			   option, uri);
	return NULL;
}

void swtpm_state_parse(struct argp_state *state, const char *text, struct swtpm_state *where)
{
	const char *dir = NULL, *mode = NULL, *uri = NULL;
	const struct word words[] = {
		{"dir", &dir, NULL}, {"mode", &mode, NULL}, {"backend-uri", &uri, NULL}, {0}};

	words_parse(state, "--tpmstate", text, where->copy, words);
	if ((dir != NULL) == (uri != NULL))
		argp_error(state, "--tpmstate: write one of dir= and backend-uri=");
	if (mode) /* of files that are 0600 in a folder that is 0700, whatever it says */
		(void)words_mode(state, "--tpmstate: mode", mode);
	if (uri)
		dir = uri_dir(state, "--tpmstate", uri);
	if (!dir)
		argp_error(state, "--tpmstate: backend-uri=%s: write dir://FOLDER", uri);
	set_dir(state, "--tpmstate", dir, where);
}

void swtpm_state_parse_uri(struct argp_state *state, const char *option, const char *text,
			   struct swtpm_state *where)
{
	const char *dir = uri_dir(state, option, text);

	set_dir(state, option, dir ? dir : text, where);
}

static bool file_exists(const char *folder, const char *name)
{
	char path[PATH_MAX + 64];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return lstat(path, &st) == 0;
}

bool swtpm_state_exists(const struct swtpm_state *where)
{
	return file_exists(where->path, OUR_FILE);
}

int swtpm_state_check(struct swtpm_state *where, bool foreign_too)
{
	struct stat st;

	errno = 0;
	if (stat(where->dir, &st) < 0 || !S_ISDIR(st.st_mode)) {
		cli_error("the state folder %s: %s", where->dir,
			  errno ? strerror(errno) : "it is not a folder");
		return CLI_FAULT;
	}
	if (!foreign_too && file_exists(where->dir, FOREIGN_FILE) && !swtpm_state_exists(where)) {
		cli_error(
			"%s holds a TPM that swtpm has made: take it over with `cvtpm swtpm setup "
			"--tpm2 --tpm-state %s --import %s/%s`, or name an empty folder for a "
			"new one",
			where->dir, where->dir, where->dir, FOREIGN_FILE);
		return CLI_FAULT;
	}
	return 0;
}

/* ---- what is there ---- */

struct sizes {
	size_t permanent, volatile_state, saved;
};

/* The engines' records of a running TPM, and of TPM2_Shutdown(STATE); all others stay. */
static const char *const volatile_states[] = {"libtpms/volatilestate", "tpm/volatile", NULL};
static const char *const saved_states[] = {"libtpms/savestate", "tpm/saved", NULL};

static bool is_one_of(const char *key, const char *const *keys)
{
	while (*keys && strcmp(*keys, key) != 0)
		keys++;
	return *keys != NULL;
}

static int add_size(void *context, const char *key, size_t len)
{
	struct sizes *sizes = context;

	if (is_one_of(key, volatile_states))
		sizes->volatile_state += len;
	else if (is_one_of(key, saved_states))
		sizes->saved += len;
	else
		sizes->permanent += len;
	return 0;
}

static void print_size(const char *name, size_t size, bool *more)
{
	if (size == 0)
		return;
	printf("%s {\"name\": \"%s\", \"size\": %zu}", *more ? "," : "", name, size);
	*more = true;
}

int swtpm_state_print(struct swtpm_state *where)
{
	char message[CVTPM_STORE_MESSAGE_SIZE] = "";
	struct cvtpm_store *store = NULL;
	struct sizes sizes = {0};
	int status = CLI_YES;
	bool more = false;

	if (swtpm_state_check(where, true) != 0)
		return CLI_FAULT;
	if (swtpm_state_exists(where)) {
		int err = cvtpm_store_lmdb_open(&store, where->path, 0, message);

		if (err == 0)
			err = cvtpm_store_list(store, "", add_size, &sizes);
		if (err < 0) {
			cli_error("%s", message[0] ? message : cvtpm_strerror(err));
			status = CLI_FAULT;
		}
		cvtpm_store_close(store);
	}
	if (status != CLI_YES)
		return status;
	printf("{ \"type\": \"swtpm\", \"states\": [");
	print_size("permall", sizes.permanent, &more);
	print_size("volatilestate", sizes.volatile_state, &more);
	print_size("savestate", sizes.saved, &more);
	printf("%s] }\n", more ? " " : "");
	return CLI_YES;
}
