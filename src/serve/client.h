/*
 * A peer on a byte stream (TCP or a Unix socket), whatever it speaks.
 *
 * A client has one request at work at a time: bytes come in, its protocol takes
 * one request off the front, answers at once or by a job, and the answer goes
 * out before the next request is looked at. What a peer has sent too early
 * waits in the socket, and a peer that does not read its answer holds up nobody
 * but itself. A client of TPM commands is lent to the worker while it has none at
 * work: its next command is then read, run and answered there. A client that goes away while its
 * job runs leaves a client without a descriptor behind, which is released when the job is done.
 */
#ifndef CVTPM_SERVE_CLIENT_H
#define CVTPM_SERVE_CLIENT_H

#include "serve/worker.h"

/* A whole request of either protocol, and a response with what frames it. */
#define CLIENT_BUFFER_SIZE (CVTPM_MAX_BUFFER_SIZE + 16)

struct server;
struct client;

enum client_step {
	CLIENT_WAITS,    /* the request is not whole */
	CLIENT_ANSWERED, /* taken; what there is to say is in `out` */
	CLIENT_BEGAN,    /* taken; `job` has been submitted */
	CLIENT_ENDS,     /* close, after `out` has been written */
};

/* How to read requests and write answers. */
struct client_protocol {
	/* Takes a request off the front of client->in (client_take). */
	enum client_step (*step)(struct client *client);
	/* The job is done: puts the answer into client->out. CLIENT_ANSWERED or CLIENT_ENDS. */
	enum client_step (*answer)(struct client *client);
	/* May be NULL: the connection has ended; and, when its job is done as well, what
	 * the protocol holds for it goes. */
	void (*ended)(struct client *client);
	void (*release)(struct client *client);
	/* On the worker's thread, while the client is lent to it: answers what is in client->in
	 * if that is one whole TPM command and nothing else, by worker_execute_line() and
	 * into client->out. False: it is the loop's. NULL: the protocol is never lent. */
	bool (*direct)(struct client *client);
	enum record_door door;  /* of its commands, for the record */
	bool takes_descriptors; /* the last one that came with the bytes is `passed_fd` */
};

struct client {
	struct client *next; /* the server's list */
	struct server *server;
	const struct client_protocol *protocol;
	struct loop_source source;
	struct worker_job job;
	struct worker_line line;
	bool working;     /* `job` is the worker's */
	bool lent;        /* all of this is the worker's, but what client_end() touches */
	bool may_be_lent; /* it has sent a whole command */
	bool resets;      /* `job` is a reset: page_end_reset is owed */
	bool gone;        /* closed; waits for `job`, or to come back */
	bool flushes;     /* `job` flushes what this client has loaded */
	bool is_device;   /* a character device: read and write, a command in one piece */
	bool ends_server; /* when it is gone, the server ends */
	bool eof;         /* the peer sends no more */
	bool ending;      /* close when `out` is written */
	bool draining;    /* `out` is written; waits for the peer to close */
	struct {
		uint32_t number;    /* the request at work */
		uint32_t hash_left; /* bytes of a HASH_DATA still to come */
	} mssim;
	struct {
		uint32_t number; /* the request at work */
		uint32_t type;   /* of the state blob */
		uint32_t left;   /* bytes of a HASH_DATA or SET_STATEBLOB still to come */
		uint32_t offset; /* of what goes out next */
		uint8_t *blob;   /* that comes or goes: secret memory */
		size_t blob_len;
		bool sends;   /* `blob` is going out */
		bool refused; /* what comes is read, and goes nowhere */
		bool may_pad; /* after the last request */
	} control;
	int passed_fd; /* -1: none */
	size_t in_len, out_len, out_done;
	uint8_t in[CLIENT_BUFFER_SIZE];
	uint8_t command[CVTPM_MAX_BUFFER_SIZE]; /* of the job */
	uint8_t out[CLIENT_BUFFER_SIZE];
};

/** Begins with an accepted descriptor, which it owns. NULL: no memory or no room
 *  in the loop; the descriptor is then closed. */
struct client *client_begin(struct server *server, const struct client_protocol *protocol, int fd);

/** Closes; releases now, or when its job is done or it is back from the worker. */
void client_end(struct client *client);

/** Has its peer closed the connection? What it may still have sent is then for nobody. */
bool client_has_departed(const struct client *client);

/** Where it is lent, wants it back; it is then treated as it would have been. */
void client_recall(struct client *client);

/* ---- for protocols ---- */

/** Removes `len` bytes from the front of `in`. */
void client_take(struct client *client, size_t len);

/** Puts bytes, or a big-endian number, at the end of `out`. */
void client_put(struct client *client, const void *bytes, size_t len);
void client_put_u32(struct client *client, uint32_t value);

/** Submits `run` with `len` bytes at `data`, which are copied. */
enum client_step client_submit(struct client *client,
			       void (*run)(struct worker_job *, struct worker_tpm *),
			       const uint8_t *data, size_t len);

/** TPM commands framed by their own header. */
extern const struct client_protocol raw_protocol;
/** The same on the descriptor of SET_DATAFD, where what cannot be a command is
 *  answered and forgotten, for the guest behind it goes on. */
extern const struct client_protocol data_protocol;
/** swtpm's control channel. */
extern const struct client_protocol control_protocol;
/** The reference simulator's two ports. */
extern const struct client_protocol mssim_command_protocol, mssim_platform_protocol;

#endif
