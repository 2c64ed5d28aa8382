/*
 * The server: one instance behind sockets and a shared page. Hosted.
 *
 * cvtpm_serve() binds what it is told to bind, opens the instance (an ephemeral
 * one is manufactured there and then), says when it is ready, and serves until
 * SIGTERM, SIGINT, SIGHUP or the simulator protocol's STOP. It then lets the
 * running command end, shuts the TPM down in order, removes its sockets and
 * returns.
 *
 * Transports:
 *
 *     tcp, unix   TPM commands one after the other, each framed by its own
 *                 header; locality 0. What arrives from several clients runs in
 *                 the order of arrival. No resource manager: handles are shared.
 *     mssim       the TCG reference simulator's protocol on two ports; all of
 *                 the platform's authority, locality 4 and physical presence included
 *     control     swtpm's control channel, which QEMU's emulator backend speaks
 *                 (docs/control.md); all of the platform's authority. The TPM is
 *                 off until its INIT. Commands come on the descriptor that it
 *                 passes, or by tcp and unix, in the locality that it sets
 *     crb page    a file mapped as shared memory, which a guest sees as its TPM's
 *                 registers; the localities in `page_localities`; with a doorbell
 *                 for guests that ring (docs/crb.md)
 *     vtpm proxy  a TPM device of this machine, /dev/tpmN, made by Linux's driver
 *                 vtpm_proxy; locality 0. The kernel sends TPM2_Startup itself if
 *                 nobody has, and ready is told when the device is there
 *
 * Whoever reaches a socket has the platform's authority over this TPM: Unix
 * sockets are mode 0600, and TCP listens on loopback alone unless
 * `insecure_listen` is set.
 *
 * The calling process becomes a server: SIGPIPE is ignored, SIGTERM, SIGINT and
 * SIGHUP are taken by cvtpm_serve (a second one of them ends the process at
 * once, status 1), and a thread is started. One server in a process at a time.
 */
#ifndef CVTPM_SERVE_H
#define CVTPM_SERVE_H

#include "cvtpm/instance.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum cvtpm_serve_startup {
	CVTPM_SERVE_STARTUP_NONE, /* the TPM waits for its user's TPM2_Startup */
	CVTPM_SERVE_STARTUP_CLEAR,
	CVTPM_SERVE_STARTUP_STATE,
};

/* Descriptors that the caller has open, each -1 where there is none. They are
 * cvtpm_serve's from then on. */
struct cvtpm_serve_passed {
	int data; /* a connected stream socket or a character device: TPM commands, one after
		     the other. The server ends when it does. */
	int data_listener; /* listening sockets: of TPM commands, of the control channel */
	int ctrl_listener;
	int ctrl_client; /* a connection of the control channel */
};

/* A socket file that others than the caller may use: who names it widens whose
 * platform this is. */
struct cvtpm_serve_file {
	unsigned mode; /* permission bits */
	uid_t uid;     /* (uid_t)-1, (gid_t)-1: the caller's */
	gid_t gid;
};

/* The Physical Presence Interface: what becomes of what a guest asks for. */
enum cvtpm_serve_ppi {
	CVTPM_SERVE_PPI_NONE,  /* the guest has none */
	CVTPM_SERVE_PPI_BLOCK, /* it is told that everything is blocked */
	/* It is told that a physically present user is asked: carried out if the process
	 * got SIGUSR1 since the last request. */
	CVTPM_SERVE_PPI_CONFIRM,
	CVTPM_SERVE_PPI_ALLOW, /* carried out, nobody is asked */
};

struct cvtpm_serve_config {
	/* The instance to serve; both outlive cvtpm_serve. engine_config.buffer_size
	 * is set here: 3,968 with a CRB page, else 4,096. platform->log gets the one
	 * line that explains each error, from two threads. */
	const struct cvtpm_platform *platform;
	const struct cvtpm_instance_config *instance;
	enum cvtpm_serve_startup startup;

	/* Keep the TPM in failure mode until the platform resets it: the machine
	 * that it belongs to has already run. */
	bool fail_until_reset;

	/* Where to listen; NULL: not there. At least one of them. "ADDR:PORT" with
	 * port 0 for a free one; IPv6 addresses in brackets. */
	const char *tcp;
	const char *unix_path;
	const char *mssim; /* ADDR:PORT of the commands; the platform's is PORT + 1 */
	const char *ctrl;  /* "unix:PATH" or "tcp:ADDR:PORT" */
	const struct cvtpm_serve_passed *passed;  /* NULL: none */
	const struct cvtpm_serve_file *unix_file; /* NULL: mode 0600, the caller's */
	const struct cvtpm_serve_file *ctrl_file;
	bool insecure_listen;
	bool ctrl_terminate; /* end when the last control connection closes */

	/* What is particular to swtpm's users (docs/swtpm.md). */
	bool powered;        /* with a control channel: on from the start, without an INIT */
	bool make;           /* where the store is empty, make a TPM in it first */
	bool data_terminate; /* end when a connection of TPM commands closes */
	bool data_once;      /* close such a connection after each answer */
	bool data_locality;  /* a command 0x20001000 sets the locality of the commands behind it */
	bool no_locality_4;  /* SET_LOCALITY and that command refuse it */
	bool no_auto_shutdown; /* take power without TPM2_Shutdown */
	/* 32 bytes: state blobs go out and come in encrypted under this key, and no
	 * other way. NULL: in the clear. */
	const uint8_t *migration_key;

	/* When a socket's connection ends, flush the objects and sessions that it loaded
	 * and that are loaded still: for users without a resource manager that go
	 * without tidying up. Saved contexts stay valid. Off, handles live on, as users
	 * expect who hand them from one process to the next. */
	bool flush_on_disconnect;

	/* The CRB page: 4,096 bytes for each locality up to the highest served, at
	 * `page_offset` (a multiple of 4,096) in `page_file`, which is made, 0600 and
	 * a multiple of 2 MiB long, where there is none. A file that was there before may belong to
	 * a machine that has already run; nothing in it can prove the contrary, for the guest
	 * writes it. The TPM then stays in failure mode until the platform resets it,
	 * so that nobody gets fresh PCRs by ending this process: unless the caller
	 * knows better, and sets `machine_is_new`. */
	const char *page_file;
	uint64_t page_offset;
	uint64_t page_base;       /* cvtpm_crb_config.base: the guest's address of locality 0 */
	unsigned page_localities; /* bit n: locality n, 0 to 3; 0: locality 0 alone */
	bool machine_is_new;

	/* Of the CRB page's start method 8: a Unix stream socket on which a byte arrives
	 * for each command. PATH: listened on, mode 0600; "connect:PATH": connected to,
	 * tried again until it is there. A command that rings is run by the thread that
	 * reads the byte. The page is polled as well, so that drivers of start method 7
	 * are served. Needs page_file. NULL: none. */
	const char *doorbell;

	/* The event log that the guest's TPM2 table points to: put into `log_size` bytes
	 * at `log_offset` from the page when the guest first uses the TPM after a reset,
	 * for firmware clears the area before. NULL: none. */
	const char *event_log;
	uint64_t log_offset;
	uint32_t log_size;

	/* The area of the Physical Presence Interface, `ppi_offset` from the page. What was
	 * asked for there (Clear, SetPCRBanks) is looked at when the machine is reset, as
	 * its firmware would. Needs qmp. Offsets are multiples of 4,096. */
	enum cvtpm_serve_ppi ppi;
	uint64_t ppi_offset;

	/* Make /dev/tpmN; needs root and the kernel's module tpm_vtpm_proxy. */
	bool vtpm_proxy;

	/* QEMU's monitor (QMP), a Unix socket that QEMU listens on: the machine's RESET
	 * event resets the TPM, before any command that is found in the page is run; its
	 * closing ends the server in order. A machine that has run when the server
	 * starts (query-status) leaves the TPM in failure mode until its next reset; one
	 * whose monitor is not there yet is new. This is asked instead of looking whether
	 * the page file was there before. After a reset `startup` CLEAR and STATE send
	 * TPM2_Startup(CLEAR). Needs page_file. NULL: none. */
	const char *qmp;

	/* A packet capture of every command and answer of every transport: made with mode
	 * 0600, or appended to. Passwords and other secrets (SECRET in src/tpm/commands.def)
	 * are zeros in it, unless `trace_secrets`. A file that cannot be opened is an error;
	 * one that cannot be written any more is logged, and the TPM goes on. NULL: none. */
	const char *trace;
	bool trace_secrets;

	/* May be NULL. Called once, when the sockets are bound, from the server's own
	 * thread: for what takes time, such as deriving a key and opening platform->store,
	 * which may be NULL until then. An error, which it has logged, ends the server. */
	int (*prepare)(void *context);

	/* Told once, when the first command can be answered: "ready: ..." with the
	 * addresses. From the thread that called cvtpm_serve. */
	void (*ready)(void *context, const char *line);
	void *context;

	/* Set when the server is asked to stop before it is ready; what
	 * platform->cancelled should look at. May be NULL. */
	atomic_bool *cancelled;

	/* Set while a client of the simulator's protocol asserts physical presence, with
	 * its signals PHYS_PRES_ON and _OFF; what platform->physical_presence should look
	 * at. Nothing else here sets it. May be NULL: the signals change nothing. */
	atomic_bool *physical_presence;
};

/** Serves until it is told to stop; 0 then. Every error has been logged in one
 *  line: CVTPM_ERR_PARAM (an address that is none, nothing to serve on),
 *  CVTPM_ERR_POLICY (an address that is not loopback, without insecure_listen;
 *  or as cvtpm_instance_open), CVTPM_ERR_BUSY (address, page or monitor in use),
 *  CVTPM_ERR_SIZE (page file too short), CVTPM_ERR_IO, and those of
 *  cvtpm_instance_open. */
int cvtpm_serve(const struct cvtpm_serve_config *config);

/** Keeps secrets of this process out of core files, debuggers and swap:
 *  RLIMIT_CORE and PR_SET_DUMPABLE 0, memory locked. What cannot be done is
 *  logged and is no error. To be called before there are secrets. */
void cvtpm_harden_process(const struct cvtpm_platform *platform);

/** Memory for an instance: zeroed pages, locked and kept out of core dumps;
 *  failures of these two are logged. NULL: none to be had. */
void *cvtpm_secret_alloc(size_t size, const struct cvtpm_platform *platform);

/** Wipes and releases. NULL is allowed. */
void cvtpm_secret_free(void *memory, size_t size);

#endif
