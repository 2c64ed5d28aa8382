/*
 * The CRB page transport: a file mapped as shared memory.
 *
 * Two threads look at it, under one lock: the loop polls, for drivers that ring no
 * bell (start method 7) and for what no bell tells (CANCEL, a register that the
 * guest has overwritten); the worker looks when the doorbell rings. Who finds a
 * command has it run on the worker, which also puts the answer into the page.
 */
#ifndef CVTPM_SERVE_PAGE_H
#define CVTPM_SERVE_PAGE_H

#include "cvtpm/crb.h"
#include "serve/area.h"
#include "serve/worker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

struct server;

struct page {
	struct server *server; /* NULL: there is no page */
	pthread_mutex_t lock;  /* of all that is below `locked` */
	int fd;
	void *memory;
	size_t size; /* of the page */
	off_t end;   /* of all that is mapped, in the file */
	struct areas areas;
	bool existed;          /* the file was there before: its machine may have run already */
	bool machine_is_new;   /* ... but it has not; set before page_start */
	bool locked;           /* no other process serves it */
	bool live;             /* the registers are in the page */
	unsigned held;         /* resets that are under way: nothing is taken from the page */
	uint64_t busy_ns;      /* when the loop last found something in it */
	uint64_t bell_ns;      /* when the bell last rang */
	bool on_worker;        /* what is submitted now is run by the caller, the worker: */
	bool taken;            /* `job` is to be run */
	bool refusing;         /* what is submitted now is answered with TPM_RC_RETRY */
	bool refused;          /* ... and something was */
	struct worker_job job; /* the command */
	/* To the worker, for a command that the loop found; the loop's. */
	struct worker_job errand;
	bool errand_out;  /* it has not come back yet ... */
	bool errand_owed; /* ... and is to go again when it has */
	struct cvtpm_crb crb;
	struct cvtpm_crb_page crb_page;
};

/** Makes or opens, locks and maps the file of the server's configuration. Errors
 *  are logged: CVTPM_ERR_PARAM, CVTPM_ERR_SIZE, CVTPM_ERR_BUSY, CVTPM_ERR_IO. */
int page_open(struct page *page, struct server *server);

/** The TPM is ready: writes the registers, begins to serve. */
int page_start(struct page *page);

/** Takes what the guest wants, and says how long until the next look. */
void page_poll(struct page *page, struct timespec *wait);

/** On the worker's thread: the doorbell rang. A command that is there has its answer
 *  in the page when this returns. */
void page_ring(struct page *page);

/** Nothing is taken from the page any more: the server stops. */
void page_stop(struct page *page);

/** Platform reset by a transport, around the TPM's: between the two calls nothing is
 *  taken from the page, and what was asked before the second has no answer after it. */
void page_begin_reset(struct page *page);
void page_end_reset(struct page *page);

/** Unmaps; the file stays, unless it was made here and never served. */
void page_close(struct page *page);

/* ---- for who follows the machine: without effect while the page is not served ---- */

void page_lock(struct page *page);
void page_unlock(struct page *page);

/* Locked: */
/** The machine was reset: registers and buffers as after a reset, what runs has no
 *  answer; a command that is found now is answered with TPM_RC_RETRY. */
void page_forget(struct page *page);
/** Nothing is taken from the page until it is released. */
void page_hold(struct page *page);
void page_release(struct page *page);

/** On the worker's thread: if the machine was reset and the TPM has not followed yet,
 *  page and TPM are reset now. */
void page_follow_machine(struct page *page);

#endif
