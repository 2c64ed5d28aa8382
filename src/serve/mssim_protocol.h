/*
 * The protocol of the TCG reference simulator ("mssim"), as pure functions.
 *
 * Two ports: commands, and, one number higher, the platform. A request is a
 * number (u32) and what belongs to it; every integer is big-endian. Facts:
 * TPMCmd/Simulator, TpmTcpProtocol.h and TcpServer.c.
 */
#ifndef CVTPM_SERVE_MSSIM_PROTOCOL_H
#define CVTPM_SERVE_MSSIM_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mssim_number {
	MSSIM_SIGNAL_POWER_ON = 1,
	MSSIM_SIGNAL_POWER_OFF = 2,
	MSSIM_SIGNAL_PHYS_PRES_ON = 3,
	MSSIM_SIGNAL_PHYS_PRES_OFF = 4,
	MSSIM_SIGNAL_HASH_START = 5,
	MSSIM_SIGNAL_HASH_DATA = 6,
	MSSIM_SIGNAL_HASH_END = 7,
	MSSIM_SEND_COMMAND = 8,
	MSSIM_SIGNAL_CANCEL_ON = 9,
	MSSIM_SIGNAL_CANCEL_OFF = 10,
	MSSIM_SIGNAL_NV_ON = 11,
	MSSIM_SIGNAL_NV_OFF = 12,
	MSSIM_SIGNAL_KEY_CACHE_ON = 13,
	MSSIM_SIGNAL_KEY_CACHE_OFF = 14,
	MSSIM_REMOTE_HANDSHAKE = 15,
	MSSIM_SET_ALTERNATIVE_RESULT = 16,
	MSSIM_SIGNAL_RESET = 17,
	MSSIM_SIGNAL_RESTART = 18,
	MSSIM_SESSION_END = 20,
	MSSIM_STOP = 21,
	MSSIM_GET_COMMAND_RESPONSE_SIZES = 25,
	MSSIM_ACT_GET_SIGNALED = 26,
	MSSIM_TEST_FAILURE_MODE = 30,
	MSSIM_SET_FW_HASH = 35,
	MSSIM_SET_FW_SVN = 36,
};

enum mssim_port {
	MSSIM_COMMAND_PORT = 1 << 0,
	MSSIM_PLATFORM_PORT = 1 << 1,
};

/* Before the command of a SEND_COMMAND: number, locality, size. */
#define MSSIM_COMMAND_PREFIX 9

/* The most that one HASH_DATA may announce: the reference simulator's buffer. */
#define MSSIM_HASH_DATA_MAX (1024 * 1024)

enum mssim_kind {
	MSSIM_MORE,    /* the beginning of a request */
	MSSIM_WHOLE,   /* a request: see struct mssim_request */
	MSSIM_UNKNOWN, /* no number of this port */
	MSSIM_TOO_BIG, /* a size that does not fit: the rest of the stream is lost */
};

struct mssim_request {
	enum mssim_number number;
	uint8_t locality;    /* SEND_COMMAND */
	uint32_t value;      /* the numbers with one u32 behind them; HASH_DATA: bytes to follow */
	const uint8_t *data; /* SEND_COMMAND: the command, inside `in` */
	size_t data_len;
	size_t used; /* bytes of `in` that the request takes; for HASH_DATA without its bytes */
};

/** Looks at `len` bytes received on `port`. A SEND_COMMAND may carry up to
 *  `max_command` bytes. */
enum mssim_kind mssim_look(enum mssim_port port, const uint8_t *in, size_t len, size_t max_command,
			   struct mssim_request *request);

/** Is nothing loaded behind it: power on and off, resets? */
bool mssim_ends_what_is_loaded(uint32_t number);

/** The name of a number, for the log; "?" for one that is none. */
const char *mssim_name(uint32_t number);

#endif
