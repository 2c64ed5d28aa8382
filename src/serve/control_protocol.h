/*
 * swtpm's control channel, as pure functions over buffers.
 *
 * A request is a command number (u32) and what belongs to it, big-endian; the
 * answer begins with a result (u32, 0 or an error of TPM 1.2). swtpm takes what
 * one read gives as one request; on a stream there is no such border, so here
 * each command has the length that belongs to its number.
 *
 * Facts: swtpm, include/swtpm/tpm_ioctl.h and swtpm_ioctls(3); QEMU,
 * backends/tpm/tpm_emulator.c. What swtpm 0.7.1 answers was observed.
 */
#ifndef CVTPM_SERVE_CONTROL_PROTOCOL_H
#define CVTPM_SERVE_CONTROL_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum control_number {
	CONTROL_GET_CAPABILITY = 1,
	CONTROL_INIT = 2,
	CONTROL_SHUTDOWN = 3,
	CONTROL_GET_TPMESTABLISHED = 4,
	CONTROL_SET_LOCALITY = 5,
	CONTROL_HASH_START = 6,
	CONTROL_HASH_DATA = 7,
	CONTROL_HASH_END = 8,
	CONTROL_CANCEL_TPM_CMD = 9,
	CONTROL_STORE_VOLATILE = 10,
	CONTROL_RESET_TPMESTABLISHED = 11,
	CONTROL_GET_STATEBLOB = 12,
	CONTROL_SET_STATEBLOB = 13,
	CONTROL_STOP = 14,
	CONTROL_GET_CONFIG = 15,
	CONTROL_SET_DATAFD = 16,
	CONTROL_SET_BUFFERSIZE = 17,
	CONTROL_GET_INFO = 18,
	CONTROL_LOCK_STORAGE = 19,
};

/* Results: error codes of TPM 1.2, which the protocol inherited. */
enum control_result {
	CONTROL_SUCCESS = 0,
	CONTROL_BAD_PARAMETER = 0x03,
	CONTROL_DISABLED = 0x08, /* a rule of ours forbids it */
	CONTROL_FAIL = 0x09,
	CONTROL_BAD_ORDINAL = 0x0A, /* unknown, cut off, or not in this state */
	CONTROL_IO_ERROR = 0x1F,
	CONTROL_BAD_LOCALITY = 0x3D,
	CONTROL_NO_SUCH_BLOB = 0x800, /* TPM_RETRY */
};

/* Every command above. SEND_COMMAND_HEADER (bit 15) is not offered: the data
 * channel takes TPM commands alone. */
#define CONTROL_CAPABILITIES 0x17FFFu

#define CONTROL_INIT_DELETE_VOLATILE 1u
#define CONTROL_CONFIG_FILE_KEY      1u /* GET_CONFIG: the state is encrypted */
#define CONTROL_CONFIG_MIGRATION_KEY 2u /* GET_CONFIG: state blobs are */
#define CONTROL_STATE_ENCRYPTED      2u /* GET_STATEBLOB: this one is */

/* The most that SET_STATEBLOB and HASH_DATA may announce. */
#define CONTROL_BLOB_MAX      (5u << 20)
#define CONTROL_HASH_DATA_MAX (1024u * 1024u)

/* A locality is one byte, or the four of a C union that holds it: up to three
 * bytes behind it mean nothing. */
#define CONTROL_PADDING 3

enum control_kind {
	CONTROL_MORE,    /* the beginning of a request */
	CONTROL_WHOLE,   /* a request: see struct control_request */
	CONTROL_UNKNOWN, /* no command: nobody knows how long it is */
	CONTROL_TOO_BIG, /* announces more than the maximum: the stream is lost */
};

struct control_request {
	enum control_number number;
	uint8_t locality; /* SET_LOCALITY, RESET_TPMESTABLISHED */
	uint32_t flags;   /* INIT; GET_INFO; GET_STATEBLOB and SET_STATEBLOB */
	uint32_t type;    /* of a state blob */
	uint32_t value;   /* SET_BUFFERSIZE: size. GET_STATEBLOB, GET_INFO: offset. LOCK_STORAGE:
			     retries */
	uint32_t stream;  /* HASH_DATA, SET_STATEBLOB: bytes to follow, not part of `used` */
	bool may_pad;     /* CONTROL_PADDING bytes may follow that were not there yet */
	size_t used;      /* bytes of `in` */
};

/** Looks at `len` bytes received. */
enum control_kind control_look(const uint8_t *in, size_t len, struct control_request *request);

/** How many bytes at `in`, received after a request with `may_pad`, are its
 *  padding: CONTROL_PADDING or 0; -1 while too few are there to tell. */
int control_padding(const uint8_t *in, size_t len);

/** The name of a command, for the log; "?" for one that is none. */
const char *control_name(uint32_t number);

#endif
