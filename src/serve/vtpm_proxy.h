/*
 * A TPM device of this machine: Linux's vtpm_proxy driver makes /dev/tpmN, and
 * hands every command for it to us.
 *
 * The driver speaks to the TPM while it registers the device: locality, self
 * test, TPM2_Startup, capabilities. Only when that has gone well does /dev/tpmN
 * appear, and only then is the server ready.
 */
#ifndef CVTPM_SERVE_VTPM_PROXY_H
#define CVTPM_SERVE_VTPM_PROXY_H

#include "serve/worker.h"

struct server;

struct vtpm_proxy {
	struct server *server;     /* NULL: none */
	int maker;                 /* /dev/vtpmx */
	struct loop_source source; /* fd -1: there is no device */
	struct worker_job job;
	bool working;    /* `job` is the worker's */
	bool registered; /* /dev/tpmN is there */
	uint32_t number; /* N */
	char name[24];   /* "/dev/tpmN" */
	uint8_t locality;
	uint8_t command[CVTPM_MAX_BUFFER_SIZE];
};

/** Opens the driver. Errors are logged: CVTPM_ERR_IO. */
int vtpm_proxy_open(struct vtpm_proxy *proxy, struct server *server);

/** On the worker's thread, with a TPM that has been started: tests it. The kernel waits
 *  two seconds for a self test, which a slow machine can exceed; what has been
 *  tested already it gets at once. A test that fails is the TPM's to answer for. */
void vtpm_proxy_self_test(struct worker_tpm *tpm);

/** Makes the device, whose commands come from now on. Errors are logged: CVTPM_ERR_IO. */
int vtpm_proxy_start(struct vtpm_proxy *proxy);

/** Looks whether the device has appeared; true from the moment on that it has. */
bool vtpm_proxy_registered(struct vtpm_proxy *proxy);

/** Takes no more commands; the device stays until vtpm_proxy_close(). */
void vtpm_proxy_stop(struct vtpm_proxy *proxy);

/** Takes the device away; nothing of it may be at work. */
void vtpm_proxy_close(struct vtpm_proxy *proxy);

#endif
