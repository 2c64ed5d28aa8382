/*
 * What bench-engine measures: operations on peers.
 *
 * A peer is a TPM that takes a command's bytes: in this process, or behind a Unix
 * socket. An operation makes its command for one peer at a time (keys, sessions and
 * indices are the peer's own), is then run by every peer in turn, round after round,
 * and is cleared away.
 */
#ifndef CVTPM_BENCH_ENGINE_H
#define CVTPM_BENCH_ENGINE_H

#include "tpm/encode.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

_Noreturn __attribute__((format(printf, 1, 2))) void fail(const char *format, ...);
uint64_t now_ns(void);
/** Kibibytes that a process has resident; of those what it has written, which is what another
 *  process of the same program takes; and of those what is kept out of core dumps: its TPM. */
struct memory {
	unsigned long resident, own, tpm;
};
struct memory memory_of(pid_t pid);

/* ---- peers ---- */

#define MESSAGE_SIZE 4096

struct peer {
	const char *name; /* in JSON */
	int fd;           /* the socket, or -1 */
	pid_t pid;        /* of the server, or 0 */
	char dir[64];     /* the server's folder, with its state */
	const struct cvtpm_engine *engine;
	struct cvtpm_tpm *tpm;
	struct cvtpm_platform *platform;
	void *memory; /* of `engine`, pages of its own */
	size_t memory_size;
	uint64_t provisioned_ns;  /* from nothing until it was manufactured */
	uint64_t first_answer_ns; /* from the start of a new TPM to its first answer */
};

/** An engine in this process, on a memory store. */
void peer_open_inside(struct peer *p, const char *name, const struct cvtpm_engine *engine);
/** cvtpm manufacture and cvtpm serve, with the native engine; its state in a new folder below
 *  `where`. `eks` as --ek takes them, NULL: the default. */
void peer_open_cvtpm(struct peer *p, const char *name, const char *program, const char *where,
		     const char *eks);
/** swtpm_setup, then swtpm, likewise. */
void peer_open_swtpm(struct peer *p, const char *name, const char *where);
/** A process that answers whatever comes with ten bytes. */
void peer_open_echo(struct peer *p, const char *name);
void peer_close(struct peer *p);

/** Sends a command and waits for its response, whose length is returned. */
size_t peer_transact(struct peer *p, const uint8_t *command, size_t len,
		     uint8_t response[MESSAGE_SIZE]);
/** Runs a command with empty passwords; ends the program unless it succeeds. */
void peer_run(struct peer *p, const struct command *command, const void *in, void *out);
#define PEER_RUN(p, name, in, out) peer_run((p), command_find(TPM_CC_##name), (in), (out))
/** Bytes of an engine's memory that are resident. */
size_t peer_resident(const struct peer *p);

/* ---- operations ---- */

/* One operation on one peer, ready to be run again and again. */
struct trial {
	uint8_t bytes[MESSAGE_SIZE];
	size_t len;
	const struct command *command;
	union command_in in;
	bool varies; /* `in` is made anew for each call (operation.vary) */
};

struct operation {
	const char *name;
	/* Makes `t` for this peer; what it loads is flushed afterwards. */
	void (*prepare)(struct peer *p, struct trial *t, TPMI_ECC_CURVE curve);
	void (*vary)(struct trial *t, unsigned n); /* may be NULL */
	/* The work that no TPM is spared, on src/crypto alone; may be NULL. */
	void (*primitive)(TPMI_ECC_CURVE curve);
	TPMI_ECC_CURVE curve; /* 0: RSA 2048, or none at all */
	unsigned calls;       /* of a round */
	bool slow;            /* seconds: in rounds of its own, and the mean counts */
	double target;        /* this many times as fast as swtpm; 0: none */
};

extern const struct operation operations[];
extern const size_t operation_count;

void trial_encode(struct trial *t);
/** What the operation has left loaded. */
void peer_flush_all(struct peer *p);
/** Makes keys and generator that the primitives use. */
void primitives_begin(void);

#endif
