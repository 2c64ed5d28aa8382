/*
 * Traffic as it is recorded: a packet capture that Wireshark's TPM 2.0 dissector and
 * `cvtpm trace` read.
 *
 * Each command and each answer is a frame, raw IPv4 with TCP, to and from port 2321 of
 * RECORD_SERVER. Who sent a command, and from which locality, is its client's address:
 * 127.DOOR.LOCALITY.1. Every connection has a port of its own, and begins with a SYN. What the
 * platform does to the TPM is a request of the simulator's protocol to port 2322.
 *
 * What is secret (trace/message.h) is overwritten with zeros unless it is asked for, and of
 * what cannot be decoded everything but the header.
 */
#ifndef CVTPM_TRACE_RECORD_H
#define CVTPM_TRACE_RECORD_H

#include "cvtpm/platform.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_SERVER   0x7F54504Du /* 127.84.80.77: "TPM" */
#define RECORD_PORT     2321
#define RECORD_PLATFORM 2322        /* its port */
#define RECORD_CLIENT   0x7F000001u /* with door and locality in the middle */
#define RECORD_MIN_PORT 49152       /* a dissector takes the larger port for the client's */

/* How a command came. The numbers are in files. */
enum record_door {
	RECORD_DOOR_NONE, /* not recorded */
	RECORD_DOOR_SOCKET,
	RECORD_DOOR_MSSIM,
	RECORD_DOOR_CONTROL, /* the data channel of a control channel */
	RECORD_DOOR_PAGE,
	RECORD_DOOR_PROXY,
};

/** "CRB page"; NULL: no door has that number. */
const char *record_door_name(unsigned door);

struct trace_context;

/* A connection's two directions: how far they are. All zero but the door is the beginning. */
struct record_way {
	uint8_t door;
	uint8_t locality;
	bool platform; /* to its port */
	uint16_t port;
	uint32_t sent, answered;
};

struct record {
	int fd;
	bool secrets;
	const char *path;
	const struct cvtpm_platform *platform; /* for its log */
	pthread_mutex_t lock;
	struct trace_context *context; /* what the messages before have told; owned */
	struct record_way events;
	uint16_t next_port;
	uint64_t end;               /* of the last whole frame */
	unsigned long long missing; /* frames that could not be written */
	bool failing;
};

/** Opens `path`, which is made with mode 0600, or is a file of this kind, to which is appended;
 *  an unfinished frame at its end goes. CVTPM_ERR_IO; CVTPM_ERR_PARAM: another file;
 *  CVTPM_ERR_POLICY: others may read it; CVTPM_ERR_BUSY: another process writes it: logged. */
int record_open(struct record *r, const char *path, bool secrets,
		const struct cvtpm_platform *platform);
/** Says what is missing, if something is. Nothing happens where nothing is open. */
void record_close(struct record *r);

/** Power, a reset or physical presence, as a number of the simulator's protocol
 *  (MSSIM_SIGNAL_POWER_ON ...). */
void record_event(struct record *r, uint32_t number);

/** A command, before it runs, and the response to that command. A full disk is logged, once,
 *  and so is its end; nobody waits for it. `r` NULL: nothing is recorded. From any thread. */
void record_command(struct record *r, struct record_way *way, uint8_t locality,
		    const uint8_t *command, size_t len);
void record_response(struct record *r, struct record_way *way, uint8_t locality,
		     const uint8_t *command, size_t command_len, const uint8_t *response,
		     size_t len);

#endif
