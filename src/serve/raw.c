#include "serve/client.h"
#include "serve/frame.h"
#include "serve/server.h"

#define TPM_RC_COMMAND_SIZE 0x142

static enum client_step raw_refuse(struct client *c)
{
	uint8_t response[FRAME_HEADER_SIZE];

	frame_put_error(response, TPM_RC_COMMAND_SIZE);
	client_put(c, response, sizeof response);
	return CLIENT_ENDS;
}

static enum client_step raw_step(struct client *c)
{
	size_t size;

	switch (frame_look(c->in, c->in_len, c->server->buffer_size, &size)) {
	case FRAME_MORE:
		return CLIENT_WAITS;
	case FRAME_LOST:
		return raw_refuse(c);
	case FRAME_WHOLE:
		break;
	}
	/* The protocol cannot name one: 0, unless a control channel does. */
	c->job.locality = c->server->control.locality;
	const enum client_step step = client_submit(c, worker_run_command, c->in, size);

	client_take(c, size);
	return step;
}

static enum client_step raw_answer(struct client *c)
{
	client_put(c, c->job.response, c->job.response_len);
	return CLIENT_ANSWERED;
}

/* QEMU writes a guest's command with one call, as long as the guest's header says it
 * is; what comes then in one piece is no command, and ends with that piece. */
static enum client_step data_step(struct client *c)
{
	size_t size;
	const enum frame_kind kind = frame_look(c->in, c->in_len, c->server->buffer_size, &size);

	if (kind != FRAME_LOST &&
	    (kind != FRAME_MORE || c->in_len == 0 || c->in_len >= FRAME_HEADER_SIZE))
		return raw_step(c);
	raw_refuse(c);
	client_take(c, c->in_len);
	return CLIENT_ANSWERED;
}

const struct client_protocol raw_protocol = {.step = raw_step, .answer = raw_answer};
const struct client_protocol data_protocol = {.step = data_step, .answer = raw_answer};
