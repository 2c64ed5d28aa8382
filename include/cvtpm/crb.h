/*
 * The Command Response Buffer interface of the TCG PC Client Platform TPM
 * Profile (PTP 1.06, clause 6.5.3), in two layers and a client:
 *
 *   machine   struct cvtpm_crb: registers, localities and the states Idle,
 *             Ready, Reception, Execution, Completion. Driven by single reads
 *             and writes, as a hypervisor that traps accesses sees them.
 *   page      struct cvtpm_crb_page: an untrusted shared page, polled, mapped
 *             onto a machine. The guest may write any byte at any moment.
 *   client    struct cvtpm_crb_client: the other side; drives the registers in
 *             the order in which Linux's tpm_crb driver does.
 *
 * A server of a page does, in one thread:
 *
 *     cvtpm_crb_init(&crb, &config);
 *     cvtpm_crb_page_init(&page, &crb, memory, size);
 *     for (;;) {
 *         if (a command has ended in the worker)
 *             cvtpm_crb_complete(&crb, response, len);
 *         if (the platform was reset)
 *             cvtpm_crb_page_reset(&page);
 *         if (!cvtpm_crb_page_poll(&page))
 *             wait a little, or for a doorbell, or for the worker
 *     }
 *
 * and its `submit` callback hands the command to a worker, or runs it at once
 * and calls cvtpm_crb_complete() before it returns.
 *
 * Nothing here locks: one thread at a time calls the functions of one machine
 * and of its page. Everything is fixed memory of the caller's; the structs hold
 * no pointer into themselves. Their members are private unless said otherwise.
 * A cvtpm_crb may be moved with memcpy while no command is with the engine and
 * no page refers to it.
 *
 * Freestanding.
 */
#ifndef CVTPM_CRB_H
#define CVTPM_CRB_H

#include "cvtpm/engine.h" /* CVTPM_CRB_BUFFER_SIZE */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CVTPM_CRB_LOCALITIES    5
#define CVTPM_CRB_LOCALITY_SIZE 0x1000u                /* registers and data buffer of one */
#define CVTPM_CRB_DEFAULT_BASE  UINT64_C(0x00FED40000) /* where a PC has locality 0 */

/* ---- the machine ---- */

enum cvtpm_crb_state {
	CVTPM_CRB_IDLE,
	CVTPM_CRB_READY,
	CVTPM_CRB_RECEPTION,
	CVTPM_CRB_EXECUTION,
	CVTPM_CRB_COMPLETION,
};

/* What the machine calls. All are called from within a call into the machine,
 * in the caller's thread. Those marked optional may be NULL. */
struct cvtpm_crb_callbacks {
	void *context; /* first argument of each */

	/* A command to run: `len` bytes (10 or more, the size in its header) in the
	 * machine's private memory, unchanged until cvtpm_crb_complete(). Each
	 * submit is answered by exactly one cvtpm_crb_complete(), whatever happens
	 * in between (a seize, a reset): the machine knows which answers to drop,
	 * and submits no other command before it has the answer. The answer may
	 * come from within submit. Not 0: the engine cannot take it; the interface
	 * reports a fatal error (tpmSts) until the next reset and no
	 * cvtpm_crb_complete() is to follow. */
	int (*submit)(void *context, uint8_t locality, const uint8_t *command, size_t len);

	/* Asks the engine to end the running command early (TPM_RC_CANCELED, or its
	 * ordinary response if it was too late). It is still completed. Called at
	 * most once for a command: CANCEL was set, or the command was aborted
	 * (relinquish, seize, reset). Optional. */
	void (*cancel)(void *context);

	/* _TPM_Hash_Start, _Data, _End: from locality 4 only. A command that runs
	 * was aborted before hash_start is called, but may still be in the engine:
	 * the callee waits for it. Not 0: the sequence is given up. After a hash_end
	 * that returned 0 tpmEstablished shows it. Needed only if locality 4 is
	 * served. */
	int (*hash_start)(void *context);
	int (*hash_data)(void *context, const uint8_t *data, size_t len);
	int (*hash_end)(void *context);

	/* As cvtpm_engine.established: true after a _TPM_Hash_End until reset. Asked
	 * only while no command is with the engine: at init, at reset, after a
	 * response, after reset_established. Optional: never. */
	bool (*established)(void *context);
	/* As cvtpm_engine.reset_established; `locality` is 3 or 4. Not called while a
	 * command is with the engine (the write is then ignored). Optional. */
	int (*reset_established)(void *context, uint8_t locality);

	/* The level of the interrupt line changed (INT_ENABLE and INT_STS; trapped
	 * registers only, a page has no interrupts). Optional: there is no line. */
	void (*interrupt)(void *context, bool asserted);
};

struct cvtpm_crb_config {
	struct cvtpm_crb_callbacks callbacks;

	/* Guest-physical address of locality 0, told to the guest in the address
	 * registers; 0 means CVTPM_CRB_DEFAULT_BASE. */
	uint64_t base;

	/* Bit n: locality n is served. 0 means locality 0 only. The others read as
	 * all ones and take no writes. INTF_ID's CapLocality is 1 if any but
	 * locality 0 is served. */
	unsigned localities;

	/* CapCRBIdleBypass: from Completion the guest may go on to the next command
	 * without passing through Idle. */
	bool idle_bypass;

	uint16_t vendor_id, device_id; /* INTF_ID's VID and DID */
	uint8_t revision_id;           /* INTF_ID's RID */
};

struct cvtpm_crb {
	struct cvtpm_crb_config config;
	enum cvtpm_crb_state state;
	uint8_t active;       /* the active locality, or 0xFF */
	uint8_t pending;      /* bit n: locality n waits for access */
	uint8_t been_seized;  /* bit n: LOC_STS_n.beenSeized */
	bool established;     /* a D-RTM happened: LOC_STATE.tpmEstablished is its inverse */
	bool fatal;           /* CTRL_STS.tpmSts */
	bool hashing;         /* between _TPM_Hash_Start and _TPM_Hash_End */
	bool in_engine;       /* cvtpm_crb_complete() is owed */
	bool discard;         /* ... and its response is to be dropped */
	bool cancel_sent;     /* the running command was told to end */
	bool line;            /* level of the interrupt line */
	uint32_t ctrl_cancel; /* TPM_CRB_CTRL_CANCEL */
	uint32_t int_enable, int_sts;
	uint32_t changes;   /* counts everything that may alter a register's value */
	uint32_t responses; /* counts responses put into the buffer */
	uint32_t extent;    /* bytes of the buffer in use: written, or the response's length */
	uint8_t buffer[CVTPM_CRB_BUFFER_SIZE];  /* TPM_CRB_DATA_BUFFER as the guest sees it */
	uint8_t command[CVTPM_CRB_BUFFER_SIZE]; /* what the engine works on */
};

/** Makes a machine in its reset state; `config` is copied.
 *  CVTPM_ERR_PARAM: no submit, a locality above 4, locality 4 without the hash
 *  callbacks, or a base that is not a multiple of 4096. */
int cvtpm_crb_init(struct cvtpm_crb *crb, const struct cvtpm_crb_config *config);

/** The platform's reset: every register to its reset value, no locality active,
 *  a command that is with the engine is told to end and its response will be
 *  dropped (cvtpm_crb_complete() is still owed). Never called because of
 *  something that a guest wrote. With a page use cvtpm_crb_page_reset(). */
void cvtpm_crb_reset(struct cvtpm_crb *crb);

/** Reads `size` bytes (1, 2, 4 or 8) at `offset` (locality * 0x1000 + register),
 *  any alignment, little-endian. What is not there reads as all ones, reserved
 *  registers as 0. Reading changes nothing. */
uint64_t cvtpm_crb_read(const struct cvtpm_crb *crb, uint32_t offset, unsigned size);

/** Writes, as cvtpm_crb_read() reads. Writes that the state, the access rule of
 *  the register or the active locality forbid are ignored. A Start may call
 *  `submit` before this returns. */
void cvtpm_crb_write(struct cvtpm_crb *crb, uint32_t offset, unsigned size, uint64_t value);

/** The engine's response to the last submitted command; copied. Called in the
 *  machine's thread, also from within `submit`.
 *  CVTPM_ERR_STATE: no command is with the engine. CVTPM_ERR_FORMAT: this is no
 *  response (NULL, under 10 bytes, over the buffer's size, or its header says
 *  another size): the interface reports a fatal error until the next reset. */
int cvtpm_crb_complete(struct cvtpm_crb *crb, const uint8_t *response, size_t len);

/** True while cvtpm_crb_complete() is owed. */
bool cvtpm_crb_in_engine(const struct cvtpm_crb *crb);

/** True while it is owed for a command that was aborted since: its response will be
 *  dropped, so that a command that has not begun need not be run. */
bool cvtpm_crb_aborted(const struct cvtpm_crb *crb);

/** For whoever drives the machine with a whole command at once (the page): acts
 *  as writes of all of `bytes` to locality's data buffer, from its start.
 *  `len` up to CVTPM_CRB_BUFFER_SIZE, more is ignored. */
void cvtpm_crb_write_buffer(struct cvtpm_crb *crb, uint8_t locality, const uint8_t *bytes,
			    size_t len);

/* ---- the page ---- */

#define CVTPM_CRB_PAGE_WORDS 32 /* registers of a locality, as 32-bit words */

struct cvtpm_crb_page {
	struct cvtpm_crb *crb;
	volatile uint8_t *memory; /* localities one after the other, 4096 bytes each */
	bool strict;              /* see cvtpm_crb_page_init; may be set after it */
	bool republish;           /* crbRspRetry: put the response into the page again */
	bool showing;             /* a response is in the page: */
	uint8_t shown_locality;   /* in this locality, */
	uint32_t shown;           /* the one with this number */
	uint32_t changes;         /* crb->changes at the last look */
	uint32_t image[CVTPM_CRB_LOCALITIES][CVTPM_CRB_PAGE_WORDS]; /* what it said last */
	uint8_t scratch[CVTPM_CRB_BUFFER_SIZE]; /* the command, out of the page */
};

/** Maps shared memory onto `crb` (kept, just initialised, the caller's) and
 *  writes the registers' values to it. Requests that a guest has already made
 *  there (a command of a machine that runs on while its server was replaced)
 *  are served by the first poll.
 *
 *  `memory`: `size` bytes, aligned to 8, at least (highest served locality + 1)
 *  * 4096; what lies beyond is not touched.
 *
 *  A driver that uses start method 8 (ACPI start) requests no locality and
 *  writes neither cmdReady nor goIdle. Unless `strict` is set, a Start in
 *  locality 0 therefore does what is missing: takes locality 0 if none is
 *  active, goes to Ready, receives. Drivers of start method 7 are served
 *  equally. `strict` holds the guest to the PTP's states.
 *
 *  CVTPM_ERR_PARAM: not aligned. CVTPM_ERR_SIZE: `size` is too small.
 *  CVTPM_ERR_POLICY: the machine serves locality 4, which no page may. */
int cvtpm_crb_page_init(struct cvtpm_crb_page *page, struct cvtpm_crb *crb, volatile void *memory,
			size_t size);

/** Takes the guest's requests from the page, once each, and shows it the
 *  machine's registers and response. Returns whether anything happened (a
 *  request, a response, a register put right): if not, wait before the next
 *  call. Costs some tens of loads when nothing happened. Call it also right
 *  after cvtpm_crb_complete(). */
bool cvtpm_crb_page_poll(struct cvtpm_crb_page *page);

/** The platform's reset, for machine and page: cvtpm_crb_reset(), all requests
 *  in the page dropped, its data buffers wiped, so that nothing written before
 *  the reset acts after it. */
void cvtpm_crb_page_reset(struct cvtpm_crb_page *page);

/* ---- the client ---- */

/* How a client reaches the registers. `offset` is locality * 0x1000 + register,
 * aligned to 4 for the 32-bit accesses. */
struct cvtpm_crb_bus {
	void *context; /* first argument of each */

	uint32_t (*read32)(void *context, uint32_t offset);
	void (*write32)(void *context, uint32_t offset, uint32_t value);
	void (*read_bytes)(void *context, uint32_t offset, uint8_t *bytes, size_t len);
	void (*write_bytes)(void *context, uint32_t offset, const uint8_t *bytes, size_t len);

	/* Milliseconds on a clock that never goes back. */
	uint64_t (*clock_ms)(void *context);
	/* Waits a little before the next look; `looks` counts from 0 within one
	 * wait, so that first waits can be short. */
	void (*wait)(void *context, unsigned looks);
	/* Rings the doorbell of start method 8, after Start was set. Optional. */
	void (*doorbell)(void *context);
	/* True when the user wants the running command cancelled. Optional. */
	bool (*cancelled)(void *context);
};

enum cvtpm_crb_start_method {
	CVTPM_CRB_START_MMIO = 7, /* localities, cmdReady, goIdle */
	CVTPM_CRB_START_ACPI = 8, /* the command and Start only, then the doorbell */
};

struct cvtpm_crb_client {
	struct cvtpm_crb_bus bus; /* copied by open; its context is the caller's */
	enum cvtpm_crb_start_method method;
	uint8_t locality;
	uint32_t buffer_size; /* of commands and responses; may be read */
	uint32_t
		command_ms; /* how long a command may take; set by open to 120000, may be changed */
	/* What was being waited for or checked when a function failed: a constant
	 * English phrase for messages ("the grant of the locality"); may be read. */
	const char *step;
};

/** Finds the interface as the driver's probe does and learns the buffer's size.
 *  CVTPM_ERR_NOT_FOUND: no TPM answers there (registers read as all ones or
 *  zeros). CVTPM_ERR_UNSUPPORTED: a TPM, but not with a CRB of version 1, or not
 *  with this locality. CVTPM_ERR_BUSY: it did not do `step` in time.
 *  CVTPM_ERR_PEER: it reports an impossible buffer. */
int cvtpm_crb_client_open(struct cvtpm_crb_client *client, const struct cvtpm_crb_bus *bus,
			  enum cvtpm_crb_start_method method, uint8_t locality);

/** Sends a command and receives its response. `*response_len` in: room, out:
 *  length. When `cancelled` says so, or command_ms has passed, the command is
 *  cancelled, and its response is what the TPM then answers.
 *  CVTPM_ERR_SIZE: the command is longer than the buffer, or the response than
 *  the room. CVTPM_ERR_BUSY: the TPM did not do `step` in time.
 *  CVTPM_ERR_PEER: it reports a fatal error, or the response has no valid
 *  header. */
int cvtpm_crb_client_transmit(struct cvtpm_crb_client *client, const uint8_t *command,
			      size_t command_len, uint8_t *response, size_t *response_len);

/** Register access for a bus whose registers are shared memory: `context` is
 *  its address (aligned to 8). The bus's clock and wait remain the caller's. */
uint32_t cvtpm_crb_memory_read32(void *context, uint32_t offset);
void cvtpm_crb_memory_write32(void *context, uint32_t offset, uint32_t value);
void cvtpm_crb_memory_read_bytes(void *context, uint32_t offset, uint8_t *bytes, size_t len);
void cvtpm_crb_memory_write_bytes(void *context, uint32_t offset, const uint8_t *bytes, size_t len);

#endif
