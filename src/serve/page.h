/*
 * The CRB page transport: a file mapped as shared memory, polled by the loop.
 */
#ifndef CVTPM_SERVE_PAGE_H
#define CVTPM_SERVE_PAGE_H

#include "cvtpm/crb.h"
#include "serve/worker.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct server;

struct page {
	struct server *server; /* NULL: there is no page */
	int fd;
	void *memory;
	size_t size;
	bool existed;     /* the file was there before: its machine may have run already */
	bool locked;      /* no other process serves it */
	bool live;        /* the registers are in the page */
	unsigned held;    /* resets that are under way: nothing is taken from the page */
	uint64_t busy_ns; /* when something last happened in it */
	struct worker_job job;
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

/** Platform reset, around the TPM's: between the two calls nothing is taken from
 *  the page, and what was asked before the second has no answer after it. */
void page_begin_reset(struct page *page);
void page_end_reset(struct page *page);

/** Unmaps; the file stays, unless it was made here and never served. */
void page_close(struct page *page);

#endif
