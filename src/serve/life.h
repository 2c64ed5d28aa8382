/*
 * The life of the instance, on the worker's thread: it is opened, or made; its
 * machine is reset, and it with it; it is closed.
 */
#ifndef CVTPM_SERVE_LIFE_H
#define CVTPM_SERVE_LIFE_H

#include "serve/worker.h"

struct server;

/** Jobs; their owner is the server. What goes wrong is logged. */
void life_run_open(struct worker_job *job, struct worker_tpm *tpm);
void life_run_close(struct worker_job *job, struct worker_tpm *tpm);

/** The machine was reset, and so is the TPM. */
void life_reset(struct server *server);

#endif
