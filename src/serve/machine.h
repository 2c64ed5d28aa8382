/*
 * The machine whose TPM this is, as its hypervisor's monitor tells of it: a TPM
 * reset comes from the platform alone, and nothing that a guest writes is one.
 *
 * QEMU queues the RESET event before its processors go on. Who finds a command in
 * the page therefore reads the monitor empty before the command is run. What is
 * found together with a RESET may be of before or after it: it is not run, and
 * answered with TPM_RC_RETRY.
 *
 *     loop     the monitor is readable: the page is reset and held, the running
 *              command cancelled, the TPM's reset queued
 *     worker   before a command: if there is a RESET that nobody has acted on
 *              yet, page and TPM are reset there and then
 *
 * Everything here is under the page's lock, unless said otherwise.
 */
#ifndef CVTPM_SERVE_MACHINE_H
#define CVTPM_SERVE_MACHINE_H

#include "serve/loop.h"
#include "serve/qmp.h"
#include "serve/worker.h"

#include <stdint.h>

struct server;

struct machine {
	struct server *server; /* NULL: there is no monitor */
	struct qmp qmp;
	struct loop_source source; /* the loop's */
	bool watched;              /* `source` is in the loop */
	int64_t tried_ms;          /* when connecting was last tried */
	unsigned resets_begun;     /* of qmp.resets: the loop has acted on them */
	unsigned resets_done;      /* of qmp.resets: the TPM has followed them */
	bool begun;                /* the page is held, `job` is on its way */
	struct worker_job job;
};

enum machine_age { MACHINE_NEW, MACHINE_HAS_RUN };

/** CVTPM_ERR_PARAM, logged. */
int machine_init(struct machine *m, struct server *server, const char *path);

/** On the worker's thread, before the loop follows: is there a machine, and has it
 *  run? A machine whose monitor nobody listens on yet is still to come. Errors are
 *  logged: CVTPM_ERR_IO, CVTPM_ERR_BUSY. */
int machine_look(struct machine *m, enum machine_age *age);

/** The loop's: begins to follow. CVTPM_ERR_BUSY: no room in the loop. */
int machine_follow(struct machine *m);

/** The loop's, in each round while machine_waits(): tries to connect. */
bool machine_waits(const struct machine *m);
void machine_try(struct machine *m);

/** On the worker's thread, the page locked: reads the monitor empty. True: it was
 *  reset, and the TPM has not followed yet; machine_reset_done() is owed. */
bool machine_was_reset(struct machine *m);
void machine_reset_done(struct machine *m);

void machine_close(struct machine *m);

#endif
