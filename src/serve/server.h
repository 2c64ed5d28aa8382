/*
 * The server's parts, for the files of this folder.
 */
#ifndef CVTPM_SERVE_SERVER_H
#define CVTPM_SERVE_SERVER_H

#include "cvtpm/serve.h"
#include "host/frame.h"
#include "serve/bell.h"
#include "serve/client.h"
#include "serve/control.h"
#include "serve/life.h"
#include "serve/listen.h"
#include "serve/loop.h"
#include "serve/machine.h"
#include "serve/page.h"
#include "serve/presence.h"
#include "serve/vtpm_proxy.h"
#include "serve/worker.h"

/* Descriptors that are no client's: listeners, signals, worker, a TPM device. */
#define SERVER_MAX_LISTENERS 7
#define SERVER_MAX_CLIENTS   (LOOP_MAX_SOURCES - SERVER_MAX_LISTENERS - 6)

enum server_phase {
	SERVER_OPENING, /* the worker makes or opens the instance */
	SERVER_READY,
	SERVER_STOPPING, /* the running command ends */
	SERVER_CLOSING,  /* TPM2_Shutdown, power off */
	SERVER_ENDED,
};

struct server {
	const struct cvtpm_serve_config *config;
	struct cvtpm_instance_config instance_config;
	uint32_t buffer_size; /* the largest command and response */
	enum server_phase phase;
	bool stop_wanted;
	bool failed_at_start; /* the TPM is in failure mode until the platform resets it */
	int result;           /* what cvtpm_serve returns */

	struct loop loop;
	struct worker worker;
	struct worker_job life; /* opens and closes the instance */
	void *memory;           /* the instance's */
	struct loop_source signals;
	struct listener listener[SERVER_MAX_LISTENERS];
	size_t listeners;
	struct client *clients;
	size_t client_count; /* with those that are gone while their command waits or runs */
	bool turning_away;   /* has been said */
	int spare_fd;        /* given up to accept, and close, a client too many */
	struct control control;
	struct vtpm_proxy proxy;
	const char *begins;     /* how the TPM begins, for people */
	bool announced;         /* config->ready has been told */
	struct page page;       /* page.server NULL: none */
	atomic_bool presence;   /* SIGUSR1: the operator confirms, once */
	struct machine machine; /* machine.server NULL: nobody tells of it */
	struct bell bell;       /* bell.server NULL: none; the worker's once it runs */
	struct record record;   /* config->trace NULL: none */
};

/** One line for the operator. */
__attribute__((format(printf, 3, 4))) void
server_log(struct server *server, enum cvtpm_log_level level, const char *format, ...);

/** Puts into the record what a transport has answered itself: a command, and a response that
 *  is a header. From the loop's thread, while nothing of that job is at work. */
void server_record(struct server *server, struct worker_job *job, const uint8_t *command,
		   size_t len, const uint8_t response[FRAME_HEADER_SIZE]);

/** Asks the server to end as SIGTERM does; the loop sees to it. */
void server_stop(struct server *server);

/** True when there is a control channel, by whatever way. */
bool server_has_control(const struct cvtpm_serve_config *config);

/** There is no room for one more client, for the reason `why`. */
void server_turn_away(struct server *server, const char *why);

/** A listener has accepted `fd`, or a peer has passed it. False: no room, it is closed. */
bool server_accept(struct server *server, const struct client_protocol *protocol, int fd);

/** True when a client that speaks `protocol` is connected. */
bool server_has_client(const struct server *server, const struct client_protocol *protocol);

/** Closes the clients of `protocol` whose peer has closed, also where the loop has not come
 *  to them yet or the worker has them. */
void server_end_departed(struct server *server, const struct client_protocol *protocol);

/** A client is closing. */
void server_forget_client(struct server *server, struct client *client);

#endif
