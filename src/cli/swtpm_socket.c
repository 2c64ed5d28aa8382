/* `swtpm socket` and `swtpm chardev`: the server of `cvtpm serve`, as swtpm's options want it. */
#include "cli/swtpm_socket.h"
#include "cli/cli.h"
#include "cli/config.h"
#include "crypto/crypto.h"
#include "cvtpm/err.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define INFO_FEATURES 4 /* of what an engine says of itself */

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
	struct swtpm_options o;

	swtpm_options_parse(&o, argc, argv, chardev);
	return run(&o);
}
