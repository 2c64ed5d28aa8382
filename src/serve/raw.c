#include "serve/client.h"
#include "serve/frame.h"
#include "serve/server.h"

#define TPM_RC_COMMAND_SIZE 0x142

static enum client_step raw_step(struct client *c)
{
	size_t size;

	switch (frame_look(c->in, c->in_len, c->server->buffer_size, &size)) {
	case FRAME_MORE:
		return CLIENT_WAITS;
	case FRAME_LOST: {
		uint8_t response[FRAME_HEADER_SIZE];

		frame_put_error(response, TPM_RC_COMMAND_SIZE);
		client_put(c, response, sizeof response);
		return CLIENT_ENDS;
	}
	case FRAME_WHOLE:
		break;
	}
	c->job.locality = 0; /* the protocol cannot name one */
	const enum client_step step = client_submit(c, worker_run_command, c->in, size);

	client_take(c, size);
	return step;
}

static enum client_step raw_answer(struct client *c)
{
	client_put(c, c->job.response, c->job.response_len);
	return CLIENT_ANSWERED;
}

const struct client_protocol raw_protocol = {raw_step, raw_answer};
