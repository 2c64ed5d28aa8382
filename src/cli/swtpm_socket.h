/*
 * `swtpm socket` and `swtpm chardev`: what their command lines say. swtpm_options.c reads
 * them, swtpm_endpoint.c the addresses in them; swtpm_socket.c does what they say.
 */
#ifndef CVTPM_CLI_SWTPM_SOCKET_H
#define CVTPM_CLI_SWTPM_SOCKET_H

#include "cli/swtpm.h"
#include "cli/swtpm_seccomp.h"
#include "cli/tpm.h"

/* A socket as --ctrl and --server name it. */
struct endpoint {
	bool given, is_unix, disconnect;
	char copy[WORDS_SIZE];
	const char *path;
	int fd, clientfd; /* -1: none */
	bool shared;      /* `file` is in use */
	struct cvtpm_serve_file file;
	char address[WORDS_SIZE]; /* "ADDR:PORT", "unix:PATH", "tcp:ADDR:PORT" */
};

struct swtpm_options {
	/* As they were given. */
	bool chardev;
	struct endpoint ctrl, server;
	struct swtpm_state state;
	struct swtpm_key key, migration_key;
	struct swtpm_log log;
	struct swtpm_pid pid;
	const char *runas, *port, *device;
	const struct cvtpm_engine *engine;
	int fd; /* -1: none */
	bool tpm2, daemon, terminate, print_capabilities, print_states;
	bool not_need_init;
	enum swtpm_seccomp seccomp;

	/* What follows from them: begun by the options, completed before the server runs. */
	struct cvtpm_serve_config serve;
	struct cvtpm_serve_passed passed;
	int daemon_fd;  /* -1: in the foreground */
	bool unsettled; /* something that was asked for is not to be had */
	struct cli_tpm *tpm;
	struct tpm_options tpm_options;
	uint8_t keys[2][CVTPM_STORE_KEY_SIZE]; /* of the state, of state blobs */
};

/** Reads a command line whose argv[0] is the name to be shown. What is wrong with it ends the
 *  process with status 2, --help and --version with 0. */
void swtpm_options_parse(struct swtpm_options *o, int argc, char **argv, bool chardev);

/** "type=unixio,path=P,...": `ctrl` tells --ctrl, which may have a clientfd and `*terminate`,
 *  from --server. Usage errors. */
void endpoint_parse(struct argp_state *state, const char *option, const char *text, bool ctrl,
		    struct endpoint *e, bool *terminate);

/** e->address: "ADDR:PORT" behind `prefix`; a link-local address has its interface with it.
 *  NULL for `address`: loopback; for `interface`: none. */
void endpoint_address(struct endpoint *e, const char *prefix, const char *address,
		      const char *interface, const char *port);

#endif
