#include "crypto/crypto.h"
#include "host/frame.h"
#include "serve/client.h"
#include "serve/server.h"

#define TPM_RC_COMMAND_SIZE 0x142
#define TPM_RC_LOCALITY     0x907

#define VENDOR_SET_LOCALITY 0x20001000

static enum client_step raw_refuse(struct client *c)
{
	uint8_t response[FRAME_HEADER_SIZE];

	frame_put_error(response, TPM_RC_COMMAND_SIZE);
	client_put(c, response, sizeof response);
	return CLIENT_ENDS;
}

/* A command of Linux's vTPM proxy and of swtpm's, not of the specification: the
 * locality of all commands that follow. */
static bool is_set_locality(const uint8_t *command, size_t size)
{
	return size == FRAME_HEADER_SIZE + 1 && frame_get_u32(command + 6) == VENDOR_SET_LOCALITY;
}

static enum client_step set_locality(struct client *c)
{
	const uint8_t locality = c->in[FRAME_HEADER_SIZE];
	const bool may = locality < 4 || (locality == 4 && !c->server->config->no_locality_4);
	uint8_t response[FRAME_HEADER_SIZE];

	if (may)
		c->server->control.locality = locality;
	frame_put_error(response, may ? 0 : TPM_RC_LOCALITY);
	server_record(c->server, &c->job, c->in, FRAME_HEADER_SIZE + 1, response);
	client_put(c, response, sizeof response);
	client_take(c, FRAME_HEADER_SIZE + 1);
	return CLIENT_ANSWERED;
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
	if (c->server->config->data_locality && is_set_locality(c->in, size))
		return set_locality(c);
	/* The protocol cannot name one: 0, unless a control channel does. */
	c->job.locality = c->server->control.locality;
	const enum client_step step = client_submit(c, worker_run_command, c->in, size);

	client_take(c, size);
	return step;
}

/* On the worker's thread. */
static bool raw_direct(struct client *c)
{
	size_t size;

	if (frame_look(c->in, c->in_len, c->server->buffer_size, &size) != FRAME_WHOLE ||
	    size != c->in_len || (c->server->config->data_locality && is_set_locality(c->in, size)))
		return false;
	c->job.locality = c->server->control.locality;
	c->job.data = c->in;
	c->job.data_len = size;
	worker_execute_line(&c->server->worker, &c->job);
	client_put(c, c->job.response, c->job.response_len);
	client_take(c, size);
	cvtpm_wipe(c->job.response, c->job.response_len);
	return true;
}

static enum client_step raw_answer(struct client *c)
{
	client_put(c, c->job.response, c->job.response_len);
	return c->server->config->data_once ? CLIENT_ENDS : CLIENT_ANSWERED;
}

static void data_ended(struct client *c)
{
	struct server *server = c->server;

	if (server->stop_wanted || !(server->config->data_terminate || c->ends_server))
		return;
	server_log(server, CVTPM_LOG_INFO, "the connection of TPM commands is closed: ending");
	server_stop(server);
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

const struct client_protocol raw_protocol = {.step = raw_step,
					     .direct = raw_direct,
					     .answer = raw_answer,
					     .ended = data_ended,
					     .door = RECORD_DOOR_SOCKET};
const struct client_protocol data_protocol = {.step = data_step,
					      .direct = raw_direct,
					      .answer = raw_answer,
					      .ended = data_ended,
					      .door = RECORD_DOOR_CONTROL};
