/*
 * A TPM command or response taken apart: every byte of it, by the tables that the
 * engine reads with. Hosted; for traces, never for the engine itself.
 *
 * A message becomes a list of nodes in the order of its bytes. A node is a number,
 * bytes (with the size before them, if there is one), or a group of the nodes that
 * follow with a greater depth. Numbers and bytes cover the message without a gap:
 * what could not be decoded is a node, too, and marked as broken.
 *
 * A command is judged as the engine would: the first thing that it refuses is the
 * message's fault, with the response code. Decoding goes on behind it where the
 * layout allows. A response may be any TPM's: values that this engine does not know
 * are no fault there.
 *
 * What is secret is marked in the tables (SECRET in commands.def), and by the rules
 * for passwords in message.c. Marks are for whoever shows a message or keeps it.
 */
#ifndef CVTPM_TRACE_MESSAGE_H
#define CVTPM_TRACE_MESSAGE_H

#include "tpm/command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_HEADER_SIZE 10
#define TRACE_MAX_HANDLES 128
#define TRACE_MAX_MESSAGE 16384 /* TPMs have 4,096; a longer one is not believed */

enum trace_part { TRACE_HEADER, TRACE_HANDLES, TRACE_SESSIONS, TRACE_PARAMETERS };
enum trace_form { TRACE_GROUP, TRACE_NUMBER, TRACE_BYTES };

struct trace_node {
	const char *name;        /* the specification's; NULL: an element of a list */
	const struct type *type; /* as the table refers to it; NULL: none */
	uint64_t value;          /* TRACE_NUMBER */
	uint32_t at, size;       /* in the message; of a group: all of it */
	uint8_t part, form, depth;
	uint8_t prefix; /* TRACE_BYTES: of `size`, the size field in front */
	bool length;    /* a size or count of what follows */
	bool list;      /* TRACE_GROUP: of elements */
	bool secret;    /* not to be shown or kept */
	bool encrypted; /* by a session */
	bool broken;    /* bytes that are not what the table says */
	bool inside;    /* decodes once more what the bytes before it hold */
};

struct trace_message {
	const uint8_t *bytes; /* the caller's */
	size_t len;
	bool response;
	const struct command *command; /* of a response: the one that it answers; NULL: unknown */
	TPM_ST tag;
	uint32_t code; /* command or response code */

	struct trace_node *nodes; /* owned: trace_message_free */
	size_t count, room;

	bool malformed;
	tpm_rc rc;       /* of a command: what the engine answers; of a response: why, unnumbered */
	size_t fault;    /* the node */
	bool undecoded;  /* broken bytes, but no fault: codes and cases that are not known here */
	bool incomplete; /* out of memory: nodes are missing */

	unsigned handle_count, session_count;
	TPM_HANDLE handles[MAX_HANDLE_NUM], sessions[MAX_SESSION_NUM];
	bool encrypts; /* a session encrypts the response */
};

/* What is known of a TPM from the messages before: where handles come from, and which
 * sessions carry passwords. All zero is the beginning. */
struct trace_context {
	struct trace_handle {
		TPM_HANDLE handle; /* 0: free */
		const struct command *by;
		unsigned long number; /* of the exchange that gave it */
		TPM_ALG_ID hash;      /* of a session; 0: it began before the trace */
		uint8_t type;         /* TPM_SE */
		bool password;        /* TPM2_PolicyPassword */
	} handles[TRACE_MAX_HANDLES];
	struct trace_saved { /* by TPM2_ContextSave: what comes back is what went */
		uint64_t sequence;
		const struct command *by;
		unsigned long number;
	} saved[TRACE_MAX_HANDLES];
	unsigned next, next_saved; /* the ones to be forgotten when there is no room */
};

/** Takes a command apart; `bytes` must stay. */
void trace_decode_command(const struct trace_context *context, const uint8_t *bytes, size_t len,
			  struct trace_message *command);
/** The same of the response to `command`, NULL: not known. */
void trace_decode_response(const struct trace_message *command, const uint8_t *bytes, size_t len,
			   struct trace_message *response);
/** Learns from a command, and from its response, which may be NULL. `number` is the
 *  exchange's. */
void trace_learn(struct trace_context *context, const struct trace_message *command,
		 const struct trace_message *response, unsigned long number);
/** What is known of a handle, or NULL. */
const struct trace_handle *trace_context_find(const struct trace_context *context,
					      TPM_HANDLE handle);

/** "inPublic.publicArea.type", of any node; cut where `size` is too small. */
void trace_node_path(const struct trace_message *message, size_t node, char *path, size_t size);
/** The node behind it and what is in it. */
size_t trace_node_next(const struct trace_message *message, size_t node);
/** Its bytes without the size field. */
struct cvtpm_octets trace_node_bytes(const struct trace_message *message,
				     const struct trace_node *node);

/** Overwrites with zeros what is secret in `bytes`, which the message was decoded from;
 *  everything but the header where decoding was incomplete. */
void trace_message_blank(const struct trace_message *message, uint8_t *bytes);

/** Wipes nothing: nodes hold no bytes of the message, but numbers. */
void trace_message_free(struct trace_message *message);

/** Do `len` bytes begin like a command or response, and how long do they say they are?
 *  False: another tag, a size below a header's or above TRACE_MAX_MESSAGE. Needs six. */
bool trace_looks_like_message(const uint8_t *bytes, size_t len, size_t *size);

#endif
