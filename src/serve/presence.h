/*
 * The firmware's part of the Physical Presence Interface (TCG PPI 1.3): what the
 * guest's operating system has asked for is looked at when the machine is reset,
 * and carried out with platform authority, if the operator lets it.
 *
 * All functions are for the worker's thread.
 */
#ifndef CVTPM_SERVE_PRESENCE_H
#define CVTPM_SERVE_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

struct server;

struct presence_request {
	uint32_t operation, parameter;
};

/** Says in the area what is allowed; with `fresh` also that nothing was asked. */
void presence_show(struct server *server, bool fresh);

/** What has been asked for; takes it away. False: nothing, or there is no PPI. */
bool presence_take(struct server *server, struct presence_request *request);

/** Carries it out, or does not, and leaves the result for the operating system. The
 *  TPM has just been reset, and is so again afterwards. What the last reset returned. */
int presence_carry_out(struct server *server, const struct presence_request *request);

#endif
