/*
 * swtpm's control channel: what its requests do (QEMU's emulator backend and
 * libvirt are its users; docs/control.md).
 */
#ifndef CVTPM_SERVE_CONTROL_H
#define CVTPM_SERVE_CONTROL_H

#include "serve/worker.h"

struct server;

/* What the channel's clients share. */
struct control {
	_Atomic uint8_t locality; /* of SET_LOCALITY, for the data channel; the loop sets it */
	bool running;             /* as the channel's last answer left the TPM; the loop's */

	/* What STORE_VOLATILE stored, until the TPM is powered off and the store
	 * takes it; the worker's. */
	uint8_t *volatile_state;
	size_t volatile_len;
};

/** On the worker's thread: takes power away in order. TPM2_Shutdown, if the TPM's
 *  user did not send it; then what STORE_VOLATILE stored goes to the store. */
int control_power_off(struct server *server, struct worker_tpm *tpm);

/** Releases what is left. */
void control_close(struct control *control);

#endif
