/*
 * `swtpm socket` and `swtpm chardev`: swtpm's options for the server of `cvtpm serve`.
 */
#include "cli/cli.h"
#include "cli/config.h"
#include "cli/swtpm.h"
#include "cli/swtpm_seccomp.h"
#include "cli/tpm.h"
#include "crypto/crypto.h"
#include "cvtpm/err.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INFO_FEATURES 4 /* of what an engine says of itself */

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
	struct cvtpm_serve_config serve;
	struct cvtpm_serve_passed passed;
	int daemon_fd; /* -1: in the foreground */
	enum swtpm_seccomp seccomp;
	bool unsettled; /* something that was asked for is not to be had */

	struct cli_tpm *tpm;
	struct tpm_options tpm_options;
	uint8_t keys[2][CVTPM_STORE_KEY_SIZE]; /* of the state, of state blobs */
};

enum swtpm_option {
	OPTION_CTRL = 0x100,
	OPTION_SERVER,
	OPTION_TPMSTATE,
	OPTION_TPM2,
	OPTION_LOG,
	OPTION_LOCALITY,
	OPTION_KEY,
	OPTION_MIGRATION_KEY,
	OPTION_PID,
	OPTION_SECCOMP,
	OPTION_FLAGS,
	OPTION_PRINT_CAPABILITIES,
	OPTION_PRINT_STATES,
	OPTION_INSECURE_LISTEN,
	OPTION_ENGINE,
	OPTION_MIGRATION,
	OPTION_VTPM_PROXY,
	OPTION_VERSION,
};

static const struct argp_option common_options[] = {
	{"ctrl", OPTION_CTRL, "type=T,...", 0,
	 "the control channel: type=unixio with path=P, mode=0..., uid=U, gid=G, or fd=N or "
	 "clientfd=N; type=tcp with port=N, bindaddr=A, ifname=I, or fd=N; terminate: end when it "
	 "closes. A Unix socket has mode 0600 unless it is said",
	 1},
	{"terminate", 't', 0, 0, "end when a connection of TPM commands closes", 1},
	{"insecure-listen", OPTION_INSECURE_LISTEN, 0, 0,
	 "allow addresses that are not loopback: whoever reaches them owns the TPM", 1},
	{"tpm2", OPTION_TPM2, 0, 0, "a TPM 2.0: the only one that there is, and to be said", 2},
	{"tpmstate", OPTION_TPMSTATE, "dir=DIR[,mode=0...]|backend-uri=dir://DIR", 0,
	 "where the TPM is kept: in DIR/cvtpm; made there if there is none", 2},
	{"engine", OPTION_ENGINE, "NAME", 0, "which TPM engine to use (default: " SWTPM_ENGINE ")",
	 2},
	{"key", OPTION_KEY, "file=F,...", 0,
	 "keep the state encrypted under a key: file=F or fd=N with format=hex or binary; or one "
	 "made from a passphrase: pwdfile=F or pwdfd=N with kdf=pbkdf2 or sha512; mode=aes-cbc or "
	 "aes-256-cbc; remove: the file goes when it is read",
	 2},
	{"migration-key", OPTION_MIGRATION_KEY, "file=F,...", 0,
	 "encrypt the state blobs of the control channel under this key; as --key", 2},
	{"flags", OPTION_FLAGS, "WORD,...", 0,
	 "not-need-init: on from the start, without INIT; startup-clear, startup-state: send "
	 "TPM2_Startup; startup-none; disable-auto-shutdown: take power without TPM2_Shutdown",
	 2},
	{"locality", OPTION_LOCALITY, "WORD,...", 0,
	 "reject-locality-4; allow-set-locality: take the command that sets the locality", 2},
	{"log", OPTION_LOG, "file=F|fd=N,...", 0,
	 "log to a file, F = - to nowhere; level=0: errors and warnings only; prefix=P; truncate",
	 3},
	{"pid", OPTION_PID, "file=F|fd=N", 0, "write the process's number there", 3},
	{"daemon", 'd', 0, 0, "go into the background when all is ready", 3},
	{"runas", 'r', "USER", 0, "become USER first", 3},
	{"seccomp", OPTION_SECCOMP, "action=none|log|kill", 0,
	 "log, or end at, system calls that a TPM never makes (default: none)", 3},
	{"print-capabilities", OPTION_PRINT_CAPABILITIES, 0, 0, "what this program can do, as JSON",
	 4},
	{"print-states", OPTION_PRINT_STATES, 0, 0, "what --tpmstate holds, as JSON", 4},
	{"version", OPTION_VERSION, 0, 0, "which version this is", 4},
	{"migration", OPTION_MIGRATION, "...", OPTION_HIDDEN, 0, 4},
	{"vtpm-proxy", OPTION_VTPM_PROXY, 0, OPTION_HIDDEN, 0, 4},
	{0, 'h', 0, OPTION_HIDDEN, 0, 4},
	{0}};

static const struct argp_option socket_options[] = {
	{"server", OPTION_SERVER, "type=T,...", 0,
	 "TPM commands: type=unixio or tcp (the default) as for --ctrl; disconnect: a connection "
	 "for each command; fd=N listens with unixio, and is connected with tcp",
	 1},
	{"port", 'p', "PORT", 0, "TPM commands on this TCP port, one for each connection", 1},
	{"fd", 'f', "N", 0, "TPM commands on a connected socket; ends with it", 1},
	{0}};

static const struct argp_option chardev_options[] = {
	{"chardev", 'c', "PATH", 0, "TPM commands on this character device", 1},
	{"fd", 'f', "N", 0, "TPM commands on an open character device; ends with it", 1},
	{0}};

/* ---- endpoints ---- */

static uint32_t parse_id(struct argp_state *state, const char *option, const char *text)
{
	return (uint32_t)words_number(state, option, text, UINT32_MAX - 1);
}

/* "ADDR:PORT" behind `prefix`; a link-local address has its interface with it. */
static void endpoint_address(struct endpoint *e, const char *prefix, const char *address,
			     const char *interface, const char *port)
{
	const char *host = address ? address : "127.0.0.1";
	const bool bracket = strchr(host, ':') != NULL;

	snprintf(e->address, sizeof e->address, "%s%s%s%s%s%s:%s", prefix, bracket ? "[" : "", host,
		 interface ? "%" : "", interface ? interface : "", bracket ? "]" : "", port);
}

static void endpoint_parse(struct argp_state *state, const char *option, const char *text,
			   bool ctrl, struct endpoint *e, bool *terminate)
{
	const char *type = NULL, *path = NULL, *port = NULL, *address = NULL, *interface = NULL;
	const char *fd = NULL, *clientfd = NULL, *mode = NULL, *uid = NULL, *gid = NULL;
	const struct word words[] = {{"type", &type, NULL},
				     {"path", &path, NULL},
				     {"port", &port, NULL},
				     {"bindaddr", &address, NULL},
				     {"ifname", &interface, NULL},
				     {"fd", &fd, NULL},
				     {"mode", &mode, NULL},
				     {"uid", &uid, NULL},
				     {"gid", &gid, NULL},
				     {ctrl ? "clientfd" : "disconnect", ctrl ? &clientfd : NULL,
				      ctrl ? NULL : &e->disconnect},
				     {ctrl ? "terminate" : NULL, NULL, terminate},
				     {0}};

	if (e->given)
		argp_error(state, "%s is there twice", option);
	*e = (struct endpoint){.given = true, .fd = -1, .clientfd = -1};
	words_parse(state, option, text, e->copy, words);
	if (ctrl && !type)
		argp_error(state, "%s: type=unixio or type=tcp is missing", option);
	e->is_unix = type && strcmp(type, "unixio") == 0;
	if (type && !e->is_unix && strcmp(type, "tcp") != 0)
		argp_error(state, "%s: type=%s: write unixio or tcp", option, type);
	if (e->is_unix ? port || address || interface : path || mode || uid || gid)
		argp_error(state, "%s: %s", option,
			   e->is_unix ? "port=, bindaddr= and ifname= are for type=tcp"
				      : "path=, mode=, uid= and gid= are for type=unixio");
	if (interface && !address)
		argp_error(state, "%s: ifname= needs bindaddr=", option);
	if ((path || port) + (fd != NULL) + (clientfd != NULL) != 1)
		argp_error(state, "%s: write one of %s=, fd=%s", option,
			   e->is_unix ? "path" : "port", ctrl ? " and clientfd=" : "");
	if (!path && (mode || uid || gid))
		argp_error(state, "%s: mode=, uid= and gid= need path=", option);
	if (fd)
		e->fd = words_descriptor(state, option, fd);
	if (clientfd)
		e->clientfd = words_descriptor(state, option, clientfd);
	e->path = path;
	e->shared = mode || uid || gid;
	e->file = (struct cvtpm_serve_file){.mode = mode ? words_mode(state, option, mode) : 0600,
					    .uid = uid ? parse_id(state, option, uid) : (uid_t)-1,
					    .gid = gid ? parse_id(state, option, gid) : (gid_t)-1};
	if (port)
		(void)words_number(state, option, port, 65535);
	if (port)
		endpoint_address(e, ctrl ? "tcp:" : "", address, interface, port);
	else if (path)
		snprintf(e->address, sizeof e->address, "%s%s", ctrl ? "unix:" : "", path);
}

/* ---- the other options ---- */

static void parse_flags(struct argp_state *state, const char *text, struct swtpm_options *o)
{
	bool clear = false, resume = false, none = false, deactivated = false;
	char copy[WORDS_SIZE];
	const struct word words[] = {{"not-need-init", NULL, &o->not_need_init},
				     {"startup-clear", NULL, &clear},
				     {"startup-state", NULL, &resume},
				     {"startup-none", NULL, &none},
				     {"startup-deactivated", NULL, &deactivated},
				     {"disable-auto-shutdown", NULL, &o->serve.no_auto_shutdown},
				     {0}};

	words_parse(state, "--flags", text, copy, words);
	if (deactivated)
		argp_error(state, "--flags: startup-deactivated is for TPM 1.2");
	if (clear + resume + none > 1)
		argp_error(state, "--flags: the startup words exclude each other");
	o->serve.startup = clear    ? CVTPM_SERVE_STARTUP_CLEAR
			   : resume ? CVTPM_SERVE_STARTUP_STATE
				    : CVTPM_SERVE_STARTUP_NONE;
}

static void parse_locality(struct argp_state *state, const char *text, struct swtpm_options *o)
{
	char copy[WORDS_SIZE];
	const struct word words[] = {{"reject-locality-4", NULL, &o->serve.no_locality_4},
				     {"allow-set-locality", NULL, &o->serve.data_locality},
				     {0}};

	words_parse(state, "--locality", text, copy, words);
}

static enum swtpm_seccomp parse_seccomp(struct argp_state *state, const char *text)
{
	const char *action = NULL;
	char copy[WORDS_SIZE];
	const struct word words[] = {{"action", &action, NULL}, {0}};

	words_parse(state, "--seccomp", text, copy, words);
	if (action && strcmp(action, "none") == 0)
		return SWTPM_SECCOMP_NONE;
	if (action && strcmp(action, "log") == 0)
		return SWTPM_SECCOMP_LOG;
	if (!action || strcmp(action, "kill") != 0)
		argp_error(state, "--seccomp: write action=none, action=log or action=kill");
	return SWTPM_SECCOMP_KILL;
}

/* A variable of the environment that says something. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static void check_options(struct argp_state *state, struct swtpm_options *o)
{
	if (o->print_capabilities)
		return;
	if (!o->state.dir && !o->print_states && variable("TPM_PATH"))
		swtpm_state_parse_uri(state, "TPM_PATH", variable("TPM_PATH"), &o->state);
	if (!o->state.dir)
		argp_error(state, "--tpmstate is missing, and TPM_PATH is not set: where is the "
				  "TPM kept?");
	if (o->print_states)
		return;
	if (!o->tpm2)
		argp_error(state, "--tpm2 is missing: there is no TPM 1.2 here");
	if (!o->chardev && !o->port && !o->server.given && o->fd < 0 && !o->ctrl.given)
		o->port = variable("TPM_PORT");
	if (o->port)
		(void)words_number(state, "--port", o->port, 65535);
	if ((o->port != NULL) + o->server.given + (o->fd >= 0) + (o->device != NULL) > 1)
		argp_error(state, o->chardev ? "--chardev and --fd exclude each other"
					     : "--port, --server and --fd exclude each other");
	if (o->chardev && !o->device && o->fd < 0)
		argp_error(state, "--chardev or --fd is missing");
	if (!o->chardev && !o->port && !o->server.given && o->fd < 0 && !o->ctrl.given)
		argp_error(state, "there is nothing to serve on: give --server, --port, --fd or "
				  "--ctrl");
}

static void say_version(void)
{
	printf("TPM emulator of cvtpm, version %s\n", CVTPM_VERSION);
}

static error_t parse_common(int key, char *text, struct argp_state *state)
{
	struct swtpm_options *o = state->input;

	switch (key) {
	case OPTION_CTRL:
		endpoint_parse(state, "--ctrl", text, true, &o->ctrl, &o->serve.ctrl_terminate);
		return 0;
	case OPTION_TPMSTATE:
		swtpm_state_parse(state, text, &o->state);
		return 0;
	case OPTION_TPM2:
		o->tpm2 = true;
		return 0;
	case OPTION_LOG:
		swtpm_log_parse(state, text, &o->log);
		return 0;
	case OPTION_LOCALITY:
		parse_locality(state, text, o);
		return 0;
	case OPTION_KEY:
		swtpm_key_parse(state, "--key", text, &o->key);
		return 0;
	case OPTION_MIGRATION_KEY:
		swtpm_key_parse(state, "--migration-key", text, &o->migration_key);
		return 0;
	case OPTION_PID:
		swtpm_pid_parse(state, text, &o->pid);
		return 0;
	case OPTION_SECCOMP:
		o->seccomp = parse_seccomp(state, text);
		return 0;
	case OPTION_FLAGS:
		parse_flags(state, text, o);
		return 0;
	case OPTION_ENGINE:
		o->engine = swtpm_engine(state, text);
		return 0;
	case OPTION_INSECURE_LISTEN:
		o->serve.insecure_listen = true;
		return 0;
	case OPTION_PRINT_CAPABILITIES:
		o->print_capabilities = true;
		return 0;
	case OPTION_PRINT_STATES:
		o->print_states = true;
		return 0;
	case OPTION_MIGRATION:
		argp_error(state, "--migration is not offered: the state folder is held from start "
				  "to end");
		return 0;
	case OPTION_VTPM_PROXY:
		argp_error(state, "--vtpm-proxy is not offered here: `cvtpm serve` does it");
		return 0;
	case OPTION_VERSION:
		say_version();
		exit(CLI_YES);
	case 't':
		o->terminate = true;
		return 0;
	case 'd':
		o->daemon = true;
		return 0;
	case 'r':
		o->runas = text;
		return 0;
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct swtpm_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o;
		return 0;
	case OPTION_SERVER:
		endpoint_parse(state, "--server", text, false, &o->server, NULL);
		return 0;
	case 'p':
		o->port = text;
		return 0;
	case 'c':
		o->device = text;
		return 0;
	case 'f':
		o->fd = words_descriptor(state, "--fd", text);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not expected: options only", text);
		return 0;
	case ARGP_KEY_END:
		check_options(state, o);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp common_argp = {common_options, parse_common, NULL, NULL, NULL, NULL, NULL};
static const struct argp_child children[] = {{&common_argp, 0, NULL, 0}, {0}};

static const struct argp socket_argp = {
	socket_options,
	parse,
	NULL,
	"A TPM 2.0 on sockets, with the command line of swtpm, for QEMU and libvirt.\v"
	"Examples:\n"
	"  swtpm socket --tpm2 --tpmstate dir=/tmp/vm7 \\\n"
	"    --ctrl type=unixio,path=/tmp/vm7/ctrl --terminate\n"
	"  swtpm socket --tpm2 --tpmstate dir=/tmp/vm7 --server type=tcp,port=2321 \\\n"
	"    --ctrl type=tcp,port=2322 --flags not-need-init,startup-clear\n"
	"\n"
	"Exit status: 0 after an orderly end, 2 after wrong usage or a fault.",
	children,
	NULL,
	NULL};

static const struct argp chardev_argp = {
	chardev_options,
	parse,
	NULL,
	"A TPM 2.0 on a character device, with the command line of swtpm.\v"
	"Example:\n"
	"  swtpm chardev --tpm2 --tpmstate dir=/tmp/vm7 --chardev /dev/pts/3 \\\n"
	"    --flags startup-clear\n"
	"\n"
	"Exit status: 0 after an orderly end, 2 after wrong usage or a fault.",
	children,
	NULL,
	NULL};

/* ---- running ---- */

/* What is still to be had when the TPM is. */
static int settle(const struct swtpm_options *o)
{
	if (swtpm_pid_write(&o->pid) != 0)
		return CLI_FAULT;
	if (swtpm_seccomp_begin(o->seccomp) == 0)
		return 0;
	cli_error("--seccomp: the kernel takes no filter of system calls: %s; say action=none to "
		  "go without",
		  strerror(errno));
	return CLI_FAULT;
}

static void is_ready(void *context, const char *line)
{
	struct swtpm_options *o = context;

	if (o->log.level > 0)
		cli_error("%s", line);
	if (settle(o) != 0) {
		o->unsettled = true;
		raise(SIGTERM); /* to end in order */
		return;
	}
	swtpm_log_alone(&o->log);
	if (o->daemon_fd >= 0)
		swtpm_daemon_ready(o->daemon_fd);
}

static int open_device(struct swtpm_options *o)
{
	if (!o->device)
		return 0;
	o->fd = open(o->device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (o->fd >= 0)
		return 0;
	cli_error("--chardev: cannot open %s: %s", o->device, strerror(errno));
	return CLI_FAULT;
}

/* What the options mean to the server. */
static void configure(struct swtpm_options *o)
{
	struct cvtpm_serve_config *serve = &o->serve;
	const bool tcp_fd = o->server.given && !o->server.is_unix && o->server.fd >= 0;

	o->passed = (struct cvtpm_serve_passed){
		.data = tcp_fd ? o->server.fd : o->fd,
		.data_listener = o->server.given && !tcp_fd ? o->server.fd : -1,
		.ctrl_listener = o->ctrl.given ? o->ctrl.fd : -1,
		.ctrl_client = o->ctrl.given ? o->ctrl.clientfd : -1,
	};
	serve->passed = &o->passed;
	if (o->port)
		endpoint_address(&o->server, "", NULL, NULL, o->port);
	if (o->port || (o->server.address[0] && !o->server.is_unix))
		serve->tcp = o->server.address;
	else if (o->server.address[0])
		serve->unix_path = o->server.address;
	if (o->ctrl.address[0])
		serve->ctrl = o->ctrl.address;
	serve->unix_file = o->server.shared ? &o->server.file : NULL;
	serve->ctrl_file = o->ctrl.shared ? &o->ctrl.file : NULL;
	serve->data_once = o->port != NULL || o->server.disconnect;
	serve->data_terminate = o->terminate;
	serve->powered = o->not_need_init;
	serve->make = true;
	serve->ready = is_ready;
	serve->context = o;
}

/* Beside the server's thread: libvirt waits one second for the socket, and a key may take as
 * long on a busy machine. */
static int prepare(void *context)
{
	struct swtpm_options *o = context;

	if (o->key.given && swtpm_key_load(&o->key, o->keys[0]) != 0)
		return CVTPM_ERR_PARAM;
	if (o->migration_key.given && swtpm_key_load(&o->migration_key, o->keys[1]) != 0)
		return CVTPM_ERR_PARAM;
	if (cli_tpm_open_parts(o->tpm, &o->tpm_options, CVTPM_STORE_CREATE) != 0)
		return CVTPM_ERR_STORE;
	return 0;
}

static int serve(struct swtpm_options *o)
{
	struct cli_tpm tpm = {0};

	o->tpm = &tpm;
	o->tpm_options = (struct tpm_options){.engine = o->engine,
					      .state = o->state.path,
					      .key = o->key.given ? o->keys[0] : NULL,
					      .no_evidence = true,
					      .errors_only = o->log.level == 0};
	o->serve.migration_key = o->migration_key.given ? o->keys[1] : NULL;
	cli_tpm_begin(&tpm, &o->tpm_options);
	configure(o);
	o->serve.prepare = prepare;
	o->serve.platform = &tpm.platform;
	o->serve.instance = &tpm.config;
	o->serve.cancelled = &tpm.cancelled;
	const int err = cvtpm_serve(&o->serve);

	cli_tpm_close(&tpm);
	cvtpm_wipe(o->keys, sizeof o->keys);
	return err < 0 || o->unsettled ? CLI_FAULT : CLI_YES;
}

/* Which RSA keys there are, the engine says. */
static int say_capabilities(const struct cvtpm_engine *engine)
{
	char text[1024];
	size_t len = sizeof text, i;
	const int err = engine->describe(NULL, INFO_FEATURES, text, &len);
	json_t *all = err == 0 ? json_loads(text, 0, NULL) : NULL, *size;
	json_t *sizes = json_object_get(json_object_get(all, "TPMFeatures"), "RSAKeySizes");

	if (!sizes) {
		cli_error("--print-capabilities: the engine %s does not say what it can",
			  engine->name);
		json_decref(all);
		return CLI_FAULT;
	}
	printf("{ \"type\": \"swtpm\", \"features\": [ \"tpm-2.0\", \"flags-opt-startup\", "
	       "\"flags-opt-disable-auto-shutdown\", \"cmdarg-key-fd\", \"cmdarg-pwd-fd\", "
	       "\"cmdarg-print-states\", \"cmdarg-seccomp\", \"nvram-backend-dir\"");
	json_array_foreach(sizes, i, size)
		printf(", \"rsa-keysize-%d\"", (int)json_integer_value(size));
	printf(" ], \"version\": \"%s\" }\n", CVTPM_VERSION);
	json_decref(all);
	return CLI_YES;
}

static int run(struct swtpm_options *o)
{
	if (o->print_capabilities)
		return say_capabilities(o->engine);
	if (o->print_states)
		return swtpm_state_print(&o->state);
	if (o->runas && swtpm_become(o->runas) != 0)
		return CLI_FAULT;
	if (swtpm_log_begin(&o->log) != 0 || swtpm_state_check(&o->state, false) != 0 ||
	    open_device(o) != 0)
		return CLI_FAULT;
	if (o->daemon && (o->daemon_fd = swtpm_daemon_begin()) < 0)
		return CLI_FAULT;
	const int status = serve(o);

	swtpm_pid_remove(&o->pid);
	return status;
}

int cmd_swtpm_serve(int argc, char **argv, bool chardev)
{
	struct swtpm_options o = {
		.chardev = chardev,
		.engine = cvtpm_engine_find(SWTPM_ENGINE),
		.fd = -1,
		.daemon_fd = -1,
		.log = {.option = "--log", .fd = -1, .out = -1, .also = -1, .level = 1},
		.pid = {.fd = -1}};

	argp_parse(chardev ? &chardev_argp : &socket_argp, argc, argv, 0, NULL, &o);
	return run(&o);
}
