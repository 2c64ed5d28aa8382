/*
 * The server's life: bind, open, ready, serve, stop.
 */
#include "serve/server.h"

#include "cvtpm/err.h"
#include "host/log.h"
#include "serve/passed.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CANCEL_TICK_NS   2000000  /* how often a held cancel line is looked at */
#define REGISTER_TICK_NS 10000000 /* and whether the TPM device is there */
#define CONNECT_TICK_NS  50000000 /* ... and whether the machine's monitor is there */

void server_log(struct server *server, enum cvtpm_log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	platform_vlog(server->config->platform, level, format, arguments);
	va_end(arguments);
}

void server_record(struct server *server, struct worker_job *job, const uint8_t *command,
		   size_t len, const uint8_t response[FRAME_HEADER_SIZE])
{
	struct record *record = server->config->trace ? &server->record : NULL;

	record_command(record, &job->way, job->locality, command, len);
	record_response(record, &job->way, job->locality, command, len, response,
			FRAME_HEADER_SIZE);
}

bool server_has_control(const struct cvtpm_serve_config *config)
{
	return config->ctrl || (config->passed && (config->passed->ctrl_listener >= 0 ||
						   config->passed->ctrl_client >= 0));
}

void server_stop(struct server *server)
{
	server->stop_wanted = true;
}

/* ---- clients ---- */

/* Said once until a client leaves: a flood of clients is none of lines. */
void server_turn_away(struct server *server, const char *why)
{
	if (!server->turning_away)
		server_log(server, CVTPM_LOG_WARN, "clients are turned away until one leaves: %s",
			   why);
	server->turning_away = true;
}

bool server_accept(struct server *server, const struct client_protocol *protocol, int fd)
{
	const int on = 1;

	if (server->client_count == SERVER_MAX_CLIENTS) {
		char why[40];

		snprintf(why, sizeof why, "%d are connected", SERVER_MAX_CLIENTS);
		server_turn_away(server, why);
		close(fd);
		return false;
	}
	/* Fails on a Unix socket, which has no such delay. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	struct client *client = client_begin(server, protocol, fd);

	if (!client) {
		server_log(server, CVTPM_LOG_WARN, "no memory for one more client");
		return false;
	}
	client->next = server->clients;
	server->clients = client;
	server->client_count++;
	return true;
}

bool server_has_client(const struct server *server, const struct client_protocol *protocol)
{
	for (const struct client *client = server->clients; client; client = client->next)
		if (client->protocol == protocol)
			return true;
	return false;
}

void server_end_departed(struct server *server, const struct client_protocol *protocol)
{
	struct client *next;

	for (struct client *client = server->clients; client; client = next) {
		next = client->next;
		if (client->protocol == protocol && client_has_departed(client))
			client_end(client);
	}
}

void server_forget_client(struct server *server, struct client *client)
{
	for (struct client **at = &server->clients; *at; at = &(*at)->next) {
		if (*at != client)
			continue;
		*at = client->next;
		server->turning_away = false;
		return;
	}
}

/* Closes the clients; with `idle_only` not those whose command runs, or may run. */
static void end_clients(struct server *server, bool idle_only)
{
	struct client *next;

	for (struct client *client = server->clients; client; client = next) {
		next = client->next;
		if (idle_only && client->lent)
			client_recall(client);
		else if (!idle_only || !client->working)
			client_end(client);
	}
}

/* ---- ready ---- */

static void line_add(char *line, size_t size, const char *what, const char *where)
{
	const size_t len = strlen(line);

	snprintf(line + len, size - len, "%s%s %s", len ? ", " : "", what, where);
}

static void say_ready(struct server *server)
{
	const struct cvtpm_serve_config *config = server->config;
	char where[640] = "", line[1024];
	size_t n = 0;

	if (config->tcp)
		line_add(where, sizeof where, "tcp", server->listener[n++].name);
	if (config->unix_path)
		line_add(where, sizeof where, "unix", server->listener[n++].name);
	if (config->mssim) {
		line_add(where, sizeof where, "mssim", server->listener[n++].name);
		line_add(where, sizeof where, "platform", server->listener[n++].name);
	}
	if (config->ctrl)
		line_add(where, sizeof where, "ctrl", server->listener[n++].name);
	for (; n < server->listeners; n++)
		line_add(where, sizeof where, "passed", server->listener[n].name);
	if (server->page.server)
		line_add(where, sizeof where, "crb-page", config->page_file);
	if (server->bell.server)
		line_add(where, sizeof where, "doorbell", config->doorbell);
	if (server->proxy.server)
		line_add(where, sizeof where, "vtpm-proxy", server->proxy.name);
	if (server->machine.server)
		line_add(where, sizeof where, "qmp", config->qmp);

	snprintf(line, sizeof line, "ready: %s; %s", where, server->begins);
	server->announced = true;
	config->ready(config->context, line);
}

/* How the TPM begins, in words; before anybody can send it a command. */
static const char *how_it_begins(struct server *server)
{
	struct cvtpm_instance_info info;

	cvtpm_instance_get_info(server->worker.tpm.instance, &info);
	if (info.failed)
		return "in failure mode until the platform resets it";
	if (info.started)
		return "started";
	if (server->instance_config.leave_off)
		return "waits for INIT on the control channel";
	if (server->config->vtpm_proxy)
		return "started by the kernel";
	return "waits for TPM2_Startup (send it with `tpm2_startup -c`, or use --startup clear)";
}

static void life_opened(struct worker_job *job)
{
	struct server *server = job->owner;

	if (server->stop_wanted) /* whatever became of it */
		return;
	if (job->result < 0) {
		server->result = job->result;
		server_stop(server);
		return;
	}
	server->begins = how_it_begins(server);
	for (size_t i = 0; i < server->listeners && server->result == 0; i++)
		server->result = listener_start(&server->listener[i]);
	if (server->result == 0 && server->page.server)
		server->result = page_start(&server->page);
	if (server->result == 0 && server->proxy.server)
		server->result = vtpm_proxy_start(&server->proxy);
	if (server->result == 0 && server->machine.server)
		server->result = machine_follow(&server->machine);
	if (server->result == 0 && server->config->passed)
		server->result = passed_start(server);
	if (server->result < 0) {
		server_stop(server);
		return;
	}
	server->phase = SERVER_READY;
	if (!server->proxy.server)
		say_ready(server);
}

/* With a TPM device: ready when it is there. */
static bool waits_for_device(struct server *server)
{
	if (!server->proxy.server || server->announced || server->phase != SERVER_READY)
		return false;
	if (vtpm_proxy_registered(&server->proxy))
		say_ready(server);
	return !server->announced;
}

static void life_closed(struct worker_job *job)
{
	struct server *server = job->owner;

	server->phase = SERVER_ENDED;
}

static void life_begin(struct server *server, void (*run)(struct worker_job *, struct worker_tpm *),
		       void (*done)(struct worker_job *))
{
	server->life.run = run;
	server->life.done = done;
	server->life.owner = server;
	worker_submit(&server->worker, &server->life);
}

/* ---- signals ---- */

static void signal_ready(void *owner, short revents)
{
	struct server *server = owner;
	struct signalfd_siginfo info;

	(void)revents;
	if (read(server->signals.fd, &info, sizeof info) != sizeof info)
		return;
	if (info.ssi_signo == SIGUSR1) {
		atomic_store(&server->presence, true);
		server_log(server, CVTPM_LOG_INFO,
			   "SIGUSR1: what the guest asks for at the machine's next reset is "
			   "confirmed");
		return;
	}
	if (server->stop_wanted) {
		server_log(server, CVTPM_LOG_WARN,
			   "a second signal: ending at once, without TPM2_Shutdown");
		_exit(1);
	}
	server_log(server, CVTPM_LOG_INFO, "signal %u: ending", info.ssi_signo);
	server_stop(server);
}

static int signals_begin(struct server *server)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (server->config->ppi == CVTPM_SERVE_PPI_CONFIRM)
		sigaddset(&set, SIGUSR1);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	server->signals = (struct loop_source){.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC),
					       .events = POLLIN,
					       .ready = signal_ready,
					       .owner = server};
	if (server->signals.fd < 0)
		return CVTPM_ERR_IO;
	return loop_add(&server->loop, &server->signals);
}

/* ---- the loop ---- */

/* Once, when a stop is wanted: nobody new, nothing new, the running command ends. */
static void begin_stopping(struct server *server)
{
	if (server->phase == SERVER_OPENING && server->config->cancelled)
		atomic_store(server->config->cancelled, true);
	server->phase = SERVER_STOPPING;
	for (size_t i = 0; i < server->listeners; i++)
		listener_close(&server->listener[i]);
	server->listeners = 0;
	page_stop(&server->page);
	vtpm_proxy_stop(&server->proxy);
	worker_discard(&server->worker);
	end_clients(server, true);
	worker_cancel(&server->worker, NULL);
}

static void go_through_phases(struct server *server)
{
	if (server->stop_wanted && server->phase < SERVER_STOPPING)
		begin_stopping(server);
	if (server->phase == SERVER_STOPPING && worker_idle(&server->worker)) {
		end_clients(server, false);
		server->phase = SERVER_CLOSING;
		life_begin(server, life_run_close, life_closed);
	}
}

static const struct timespec *sooner(const struct timespec *a, const struct timespec *b)
{
	if (!a || !b)
		return a ? a : b;
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec) ? a : b;
}

static int server_loop(struct server *server)
{
	static const struct timespec tick = {.tv_nsec = CANCEL_TICK_NS};
	static const struct timespec register_tick = {.tv_nsec = REGISTER_TICK_NS};
	static const struct timespec retry = {.tv_nsec = CONNECT_TICK_NS};
	struct timespec page_wait;

	life_begin(server, life_run_open, life_opened);
	while (server->phase != SERVER_ENDED) {
		const struct timespec *timeout = NULL;

		if (worker_wants_tick(&server->worker)) {
			worker_tick(&server->worker);
			timeout = &tick;
		}
		if (server->phase == SERVER_READY && machine_waits(&server->machine)) {
			machine_try(&server->machine);
			timeout = sooner(timeout, &retry);
		}
		if (server->page.live && server->phase == SERVER_READY) {
			page_poll(&server->page, &page_wait);
			timeout = sooner(timeout, &page_wait);
		}
		if (waits_for_device(server))
			timeout = sooner(timeout, &register_tick);
		CVTPM_TRY(loop_wait(&server->loop, timeout));
		go_through_phases(server);
	}
	return server->result;
}

/* ---- binding ---- */

/* The last of the listeners. */
static int bind_ctrl(struct server *server, struct listener *l)
{
	const char *ctrl = server->config->ctrl;

	if (strncmp(ctrl, "unix:", 5) == 0) {
		CVTPM_TRY(listener_open_unix(l, server, ctrl + 5, server->config->ctrl_file));
	} else if (strncmp(ctrl, "tcp:", 4) == 0) {
		CVTPM_TRY(listener_open_tcp(l, NULL, server, ctrl + 4));
	} else {
		server_log(server, CVTPM_LOG_ERROR,
			   "'%s' is no control channel: write unix:PATH or tcp:ADDR:PORT", ctrl);
		return CVTPM_ERR_PARAM;
	}
	l->protocol = &control_protocol;
	server->listeners++;
	return 0;
}

static int bind_all(struct server *server)
{
	const struct cvtpm_serve_config *config = server->config;
	struct listener *l = server->listener;

	if (config->tcp) {
		CVTPM_TRY(listener_open_tcp(l, NULL, server, config->tcp));
		l->protocol = &raw_protocol;
		server->listeners++, l++;
	}
	if (config->unix_path) {
		CVTPM_TRY(listener_open_unix(l, server, config->unix_path, config->unix_file));
		l->protocol = &raw_protocol;
		server->listeners++, l++;
	}
	if (config->mssim) {
		CVTPM_TRY(listener_open_tcp(l, l + 1, server, config->mssim));
		l[0].protocol = &mssim_command_protocol;
		l[1].protocol = &mssim_platform_protocol;
		server->listeners += 2, l += 2;
	}
	if (config->ctrl)
		CVTPM_TRY(bind_ctrl(server, l));
	if (config->passed)
		CVTPM_TRY(passed_take(server));
	if (config->page_file)
		CVTPM_TRY(page_open(&server->page, server));
	if (config->doorbell)
		CVTPM_TRY(bell_open(&server->bell, server, config->doorbell));
	if (config->vtpm_proxy)
		CVTPM_TRY(vtpm_proxy_open(&server->proxy, server));
	if (config->qmp)
		CVTPM_TRY(machine_init(&server->machine, server, config->qmp));
	return 0;
}

static void look_at_bell(void *owner)
{
	struct server *server = owner;

	if (bell_look(&server->bell))
		page_ring(&server->page);
}

static int server_bell_fd(void *owner, int *timeout_ms)
{
	return bell_fd(&((struct server *)owner)->bell, timeout_ms);
}

static void before_command(void *owner)
{
	page_follow_machine(&((struct server *)owner)->page);
}

static int server_work(struct server *server)
{
	const struct worker_watch watch = {
		.fd = server->bell.server ? server_bell_fd : NULL,
		.ready = look_at_bell,
		.before = server->machine.server ? before_command : NULL,
		.owner = server,
	};
	int result = worker_begin(&server->worker, &server->loop, &watch);

	if (result < 0) {
		server_log(server, CVTPM_LOG_ERROR, "no descriptor or thread for the server: %s",
			   strerror(errno));
		return result;
	}
	if (server->config->trace)
		server->worker.tpm.record = &server->record; /* before the first job */
	result = server_loop(server);
	worker_end(&server->worker, &server->loop);
	return result;
}

static int server_run(struct server *server)
{
	int result = signals_begin(server);

	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (result < 0)
		server_log(server, CVTPM_LOG_ERROR, "no descriptor for signals: %s",
			   strerror(errno));
	else
		result = bind_all(server);
	if (result == 0)
		result = server_work(server);
	for (size_t i = 0; i < server->listeners; i++)
		listener_close(&server->listener[i]);
	machine_close(&server->machine);
	bell_close(&server->bell);
	page_close(&server->page);
	vtpm_proxy_close(&server->proxy);
	if (server->signals.fd > 0)
		close(server->signals.fd);
	if (server->spare_fd >= 0)
		close(server->spare_fd);
	return result;
}

int cvtpm_serve(const struct cvtpm_serve_config *config)
{
	struct server *server = calloc(1, sizeof *server);
	const size_t size = cvtpm_instance_size(config->instance->engine);
	int result = CVTPM_ERR_NO_MEMORY;

	if (!server)
		return CVTPM_ERR_NO_MEMORY;
	server->config = config;
	server->buffer_size = config->page_file ? CVTPM_CRB_BUFFER_SIZE : CVTPM_MAX_BUFFER_SIZE;
	server->instance_config = *config->instance;
	server->instance_config.engine_config.buffer_size = server->buffer_size;

	server->instance_config.leave_off = server_has_control(config) && !config->powered &&
					    config->startup == CVTPM_SERVE_STARTUP_NONE;

	server->memory = cvtpm_secret_alloc(size, config->platform);
	if (!server->memory) {
		server_log(server, CVTPM_LOG_ERROR, "no memory for an instance (%zu bytes)", size);
	} else if (!config->tcp && !config->unix_path && !config->mssim && !config->ctrl &&
		   !config->passed && !config->page_file && !config->vtpm_proxy) {
		server_log(server, CVTPM_LOG_ERROR,
			   "there is nothing to serve on: name a socket or a page");
		result = CVTPM_ERR_PARAM;
	} else {
		result = config->trace ? record_open(&server->record, config->trace,
						     config->trace_secrets, config->platform)
				       : 0;
		if (result == 0)
			result = server_run(server);
		record_close(&server->record);
	}
	cvtpm_secret_free(server->memory, size);
	control_close(&server->control);
	free(server);
	return result;
}
