/* The options of `swtpm socket` and `swtpm chardev`, which are swtpm's. */
#include "cli/cli.h"
#include "cli/config.h"
#include "cli/swtpm_socket.h"

#include <stdlib.h>
#include <string.h>

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

void swtpm_options_parse(struct swtpm_options *o, int argc, char **argv, bool chardev)
{
	*o = (struct swtpm_options){
		.chardev = chardev,
		.engine = cvtpm_engine_find(SWTPM_ENGINE),
		.fd = -1,
		.daemon_fd = -1,
		.log = {.option = "--log", .fd = -1, .out = -1, .also = -1, .level = 1},
		.pid = {.fd = -1}};
	argp_parse(chardev ? &chardev_argp : &socket_argp, argc, argv, 0, NULL, o);
}
