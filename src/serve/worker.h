/*
 * The worker: the one thread that touches the instance.
 *
 * Every transport hands its work over as a job. Jobs run one after the other in
 * the order in which they came, whoever sent them; each transport's peer has at
 * most one job in the queue, so that peers take turns. The event loop is never
 * held up by a running command, and can therefore cancel it.
 *
 * Between jobs the worker also looks at descriptors of its own: the doorbell's, and
 * lines, connections that the event loop has lent. What comes there is served without
 * a change of threads, which would take longer than most commands. What is not a plain
 * command on a line goes back to the loop with the line.
 *
 * All functions but a job's `run` belong to the event loop's thread, unless said
 * otherwise.
 */
#ifndef CVTPM_SERVE_WORKER_H
#define CVTPM_SERVE_WORKER_H

#include "cvtpm/instance.h"
#include "serve/loaded.h"
#include "serve/loop.h"
#include "trace/record.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* What jobs share; only `run` functions, on the worker's thread, touch it. */
struct worker_tpm {
	struct cvtpm_instance *instance; /* NULL before it is opened and after it is closed */
	bool powered;
	struct worker_sizes { /* the largest seen, for TPM_GET_COMMAND_RESPONSE_SIZES */
		uint32_t command_size, command_code, response_size, response_code;
	} largest;
	struct loaded loaded;
	struct record *record; /* NULL: nobody keeps what is said */
};

struct worker_job {
	struct worker_job *next; /* the worker's */

	/* On the worker's thread. Sets `result`: 0 or enum cvtpm_err. */
	void (*run)(struct worker_job *job, struct worker_tpm *tpm);
	/* On the loop's thread, afterwards. `result` is CVTPM_ERR_BUSY for a job that
	 * worker_discard() took out of the queue before it ran. */
	void (*done)(struct worker_job *job);
	void *owner;
	int result;

	uint8_t locality;
	struct record_way way; /* how commands come; for the record */
	uint32_t value;        /* of a command of the simulator protocol */
	const uint8_t *data;   /* not shared memory; stays as it is until `done` */
	size_t data_len;
	uint8_t response[CVTPM_MAX_BUFFER_SIZE];
	size_t response_len;
};

/* A connection while it is lent: all that belongs to it is the worker's. */
struct worker_line {
	struct worker_line *next; /* the worker's, as is `recalled` */
	bool recalled;
	int fd;
	/* On the worker's thread: there is something to read, or the peer has gone. False: the
	 * line goes back. */
	bool (*serve)(struct worker_line *line, short revents);
	/* On the loop's thread: it is back. */
	void (*back)(struct worker_line *line);
	void *owner;
};

/* What the worker waits for besides jobs and lines; its functions run on its thread. */
struct worker_watch {
	/* The descriptor to poll for input, or -1; and after how many milliseconds to
	 * call `ready` anyway, or -1. */
	int (*fd)(void *owner, int *timeout_ms);
	void (*ready)(void *owner);
	/* Before each TPM command of the queue or of a line. */
	void (*before)(void *owner);
	void *owner;
};

struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	int more;                         /* an eventfd: jobs wait, or it is time to quit */
	struct worker_watch watch;        /* fd NULL: nothing */
	struct worker_job *first, **last; /* waiting */
	struct worker_job *running;
	struct worker_job *finished, **finished_last;
	struct worker_line *lines[LOOP_MAX_SOURCES]; /* the loop adds, the worker removes */
	size_t line_count;
	struct worker_line *returned;
	bool cancellable; /* what runs is a TPM command */
	bool established; /* tpmEstablished after the last job */
	bool cancel_held; /* CANCEL_ON: every command that runs is to be cancelled */
	bool quit;
	bool awaited;            /* worker_idle() said no: whoever asked is told when it changes */
	struct loop_source wake; /* an eventfd: jobs have finished */
	struct worker_tpm tpm;
};

/** Starts the thread, with every signal blocked; `watch` is copied, NULL: nothing
 *  to watch. CVTPM_ERR_IO: errno says why. */
int worker_begin(struct worker *worker, struct loop *loop, const struct worker_watch *watch);

/** Ends the thread after the running job; the queue must be empty. */
void worker_end(struct worker *worker, struct loop *loop);

/** Puts a job at the end of the queue. */
void worker_submit(struct worker *worker, struct worker_job *job);

/** Lends a connection to the worker, which has room for as many as the loop. */
void worker_lend(struct worker *worker, struct worker_line *line);

/** Wants it back soon; a command of it that runs now is answered first. */
void worker_recall(struct worker *worker, struct worker_line *line);

/** True when nothing runs, nothing waits and nothing is lent. After a false the loop wakes when
 * that may have changed. */
bool worker_idle(struct worker *worker);

/** On the worker's thread, within a job's `run` or the watch's `ready`: runs a TPM
 *  command (worker_run_command) that can be cancelled as `job`. */
void worker_execute(struct worker *worker, struct worker_job *job);

/** The same for a line: the watch is asked first, as for a command of the queue. */
void worker_execute_line(struct worker *worker, struct worker_job *job);

/** Takes every job that has not begun out of the queue; each gets its `done`. */
void worker_discard(struct worker *worker);

/** Asks the command that runs now to end, if it is `job`, or whatever it is with
 *  `job` NULL. A command that begins afterwards is not hit. From any thread. */
void worker_cancel(struct worker *worker, const struct worker_job *job);

/** cvtpm_instance_established() as it was after the last job. From any thread. */
bool worker_established(struct worker *worker);

/** The platform's cancel line: while it is on, worker_tick() cancels what runs. */
void worker_hold_cancel(struct worker *worker, bool on);

/** To be called every few milliseconds while worker_wants_tick(). */
void worker_tick(struct worker *worker);
bool worker_wants_tick(struct worker *worker);

/* ---- the usual `run` functions ---- */

/** A TPM command: data, locality -> response. */
void worker_run_command(struct worker_job *job, struct worker_tpm *tpm);

/** Flushes what the job's owner has loaded; what else is there stays. */
void worker_run_flush(struct worker_job *job, struct worker_tpm *tpm);

/** Writes a response that is nothing but a response code (10 bytes), in the place of the TPM,
 *  which does not get to see the job's command. On the worker's thread. */
void worker_refuse(struct worker *worker, struct worker_job *job, uint32_t rc);

#endif
