/*
 * What the work-alikes of swtpm's programs share: swtpm, swtpm_setup, swtpm_ioctl
 * (docs/swtpm.md). Facts: swtpm(8), swtpm_setup(8), swtpm_ioctl(8) of swtpm 0.7.1, and
 * how its programs answer.
 */
#ifndef CVTPM_CLI_SWTPM_H
#define CVTPM_CLI_SWTPM_H

#include "cvtpm/serve.h"
#include "cvtpm/stores.h"

#include <argp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

/** `swtpm socket|chardev`. argv[0] is the name to be shown, argv[1] the interface. */
int cmd_swtpm_serve(int argc, char **argv, bool chardev);
int cmd_swtpm_setup(int argc, char **argv);
int cmd_swtpm_ioctl(int argc, char **argv);

/* ---- swtpm_words.c: "name=value,flag" ---- */

#define WORDS_SIZE (PATH_MAX + 256)

/* What may stand in a list, and where it goes: `value` gets what is behind "=", `flag` is
 * set by the bare name; one with both may stand either way. */
struct word {
	const char *name;
	const char **value;
	bool *flag;
};

/** Splits `text` into `copy`, which the values point into. The words end with one without
 *  a name. Anything else in the list, or twice in it, is a usage error that names it. */
void words_parse(struct argp_state *state, const char *option, const char *text,
		 char copy[WORDS_SIZE], const struct word *words);

/** A number up to `max`; "0600", octal with its 0; an open descriptor. Usage errors. */
unsigned long words_number(struct argp_state *state, const char *what, const char *text,
			   unsigned long max);
unsigned words_mode(struct argp_state *state, const char *what, const char *text);
int words_descriptor(struct argp_state *state, const char *what, const char *text);

/* What the state is of, unless --engine says otherwise: it stays the same when cvtpm's own
 * default changes, and state blobs and swtpm's states are its. */
#define SWTPM_ENGINE "libtpms"

/** The engine of this name, or a usage error. */
const struct cvtpm_engine *swtpm_engine(struct argp_state *state, const char *name);

/* ---- swtpm_foreign.c ---- */

/** Finds the engine's permanent state in what swtpm keeps: `len` bytes from anywhere. NULL, or
 *  why there is none. */
const char *swtpm_foreign_open(const uint8_t *in, size_t len, const uint8_t **payload,
			       size_t *payload_len);

/* ---- swtpm_key.c: --key, --migration-key, --keyfile, --pwdfile ---- */

struct swtpm_key {
	bool given, removes;
	char copy[WORDS_SIZE];
	const char *option; /* for messages */
	const char *file, *pwdfile, *mode, *format, *kdf;
	int fd, pwdfd; /* -1: none */
};

void swtpm_key_parse(struct argp_state *state, const char *option, const char *text,
		     struct swtpm_key *key);

/** Reads a key, or a passphrase and derives one. 0, or CLI_FAULT after a line on stderr.
 *  A key of 32 bytes stays as it is, so that `serve --seal file:` opens the same state. */
int swtpm_key_load(const struct swtpm_key *key, uint8_t out[CVTPM_STORE_KEY_SIZE]);

/* ---- swtpm_process.c: log, pid file, daemon, user ---- */

struct swtpm_log {
	char copy[WORDS_SIZE];
	const char *option; /* as it is named in faults */
	const char *file, *prefix;
	int fd; /* -1: none */
	unsigned long level;
	bool truncate;

	/* While it is open: `stderr` writes to it. */
	int out;  /* the log; -1: nowhere */
	int also; /* where faults before the start are told, too; -1: nowhere any more */
	bool in_line;
};

struct swtpm_pid {
	char copy[WORDS_SIZE];
	const char *file;
	int fd; /* -1: none */
};

void swtpm_log_parse(struct argp_state *state, const char *text, struct swtpm_log *log);
void swtpm_pid_parse(struct argp_state *state, const char *text, struct swtpm_pid *pid);

/** Makes `stderr` the log, until the process ends. 0, or CLI_FAULT after a line. */
int swtpm_log_begin(struct swtpm_log *log);
/** From now on the log alone. */
void swtpm_log_alone(struct swtpm_log *log);

/** 0, or CLI_FAULT after a line on stderr. */
int swtpm_pid_write(const struct swtpm_pid *pid);
void swtpm_pid_remove(const struct swtpm_pid *pid);
int swtpm_become(const char *user);

/** Goes on in a child; the parent ends with status 0 when that calls swtpm_daemon_ready()
 *  and as the child does if it ends before. -1: no child could be made, told. */
int swtpm_daemon_begin(void);
void swtpm_daemon_ready(int descriptor);

/* ---- swtpm_state.c: --tpmstate ---- */

struct swtpm_state {
	char copy[WORDS_SIZE];
	const char *dir;          /* as it was named; NULL: not */
	char path[PATH_MAX + 16]; /* our folder in it, which is a state folder of `cvtpm serve` */
};

/** "dir=D,mode=0600", "backend-uri=dir://D". */
void swtpm_state_parse(struct argp_state *state, const char *text, struct swtpm_state *where);
/** "D", "dir://D": as swtpm_setup has it. */
void swtpm_state_parse_uri(struct argp_state *state, const char *option, const char *text,
			   struct swtpm_state *where);

/** Looks that D is there and, unless `foreign_too`, holds no TPM of swtpm's own alone. 0, or
 *  CLI_FAULT after a line. */
int swtpm_state_check(struct swtpm_state *where, bool foreign_too);

/** True when our folder holds a TPM, or something that calls itself one. */
bool swtpm_state_exists(const struct swtpm_state *where);

/** What --print-states prints. */
int swtpm_state_print(struct swtpm_state *where);

#endif
