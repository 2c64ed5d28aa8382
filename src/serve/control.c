/*
 * The meaning of the control channel's requests (control_protocol.h).
 *
 * Its peer has platform authority: power, resets, cancel, localities and the
 * hash signals are its to use, and so are state blobs, unless the TPM holds
 * evidence. What a command needs (a TPM that runs, or one that is stopped) is
 * looked at on the worker's thread, when its turn has come.
 */
#include "serve/control_jobs.h"

#include "cvtpm/err.h"
#include "cvtpm/store.h"
#include "host/frame.h"
#include "serve/client.h"
#include "serve/control_protocol.h"
#include "serve/server.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- requests ---- */

static enum client_step answer_result(struct client *c, uint32_t result)
{
	client_put_u32(c, result);
	return CLIENT_ANSWERED;
}

/* With whatever else the peer has sent: nobody knows where its next request begins. */
static enum client_step answer_unknown(struct client *c, const char *what)
{
	server_log(c->server, CVTPM_LOG_WARN,
		   "%s on the control channel (command %u, %zu bytes): answered with an error",
		   what, (unsigned)(c->in_len >= 4 ? frame_get_u32(c->in) : 0), c->in_len);
	client_take(c, c->in_len);
	return answer_result(c, CONTROL_BAD_ORDINAL);
}

/* The whole header, which QEMU waits for, whatever the result. */
static enum client_step answer_no_blob(struct client *c, uint32_t result)
{
	client_put_u32(c, result);
	for (int i = 0; i < 3; i++)
		client_put_u32(c, 0);
	return CLIENT_ANSWERED;
}

/* What takes power away from a running command does not wait for its end. */
static enum client_step begin_power(struct client *c,
				    void (*run)(struct worker_job *, struct worker_tpm *))
{
	worker_cancel(&c->server->worker, NULL);
	page_begin_reset(&c->server->page);
	c->resets = true;
	return client_submit(c, run, NULL, 0);
}

static enum client_step set_locality(struct client *c, uint8_t locality)
{
	if (locality > 4 || (locality == 4 && c->server->config->no_locality_4))
		return answer_result(c, CONTROL_BAD_LOCALITY);
	c->server->control.locality = locality;
	return answer_result(c, CONTROL_SUCCESS);
}

static enum client_step begin_reset_established(struct client *c, uint8_t locality)
{
	if (locality > 4)
		return answer_result(c, CONTROL_BAD_LOCALITY);
	c->job.locality = locality;
	return client_submit(c, control_run_reset_established, NULL, 0);
}

static enum client_step cancel(struct client *c)
{
	if (!c->server->control.running)
		return answer_result(c, CONTROL_BAD_ORDINAL);
	worker_cancel(&c->server->worker, NULL);
	return answer_result(c, CONTROL_SUCCESS);
}

static bool descriptor_is_stream(int fd)
{
	int type = 0;
	socklen_t len = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

static enum client_step set_data_descriptor(struct client *c)
{
	const int fd = c->passed_fd;

	c->passed_fd = -1;
	if (fd < 0 || !descriptor_is_stream(fd)) {
		server_log(c->server, CVTPM_LOG_WARN,
			   "SET_DATAFD on the control channel came %s: send a connected stream "
			   "socket with SCM_RIGHTS, on a Unix socket",
			   fd < 0 ? "without a descriptor" : "with one that is no stream socket");
		if (fd >= 0)
			close(fd);
		return answer_result(c, CONTROL_IO_ERROR);
	}
	server_end_departed(c->server, &data_protocol);
	if (server_has_client(c->server, &data_protocol)) {
		server_log(c->server, CVTPM_LOG_WARN,
			   "SET_DATAFD on the control channel: there is a data channel already; "
			   "close it first");
		close(fd);
		return answer_result(c, CONTROL_BAD_ORDINAL);
	}
	return answer_result(c, server_accept(c->server, &data_protocol, fd) ? CONTROL_SUCCESS
									     : CONTROL_FAIL);
}

static enum client_step begin_get_blob(struct client *c, const struct control_request *request)
{
	if (request->type < 1 || request->type > CONTROL_BLOB_TYPES)
		return answer_no_blob(c, CONTROL_NO_SUCH_BLOB);
	c->job.value = request->type - 1;
	c->control.offset = request->value;
	return client_submit(c, control_run_get_blob, NULL, 0);
}

static enum client_step end_set_blob(struct client *c)
{
	if (c->control.type >= 1 && c->control.type <= CONTROL_BLOB_TYPES && !c->control.refused) {
		c->job.value = c->control.type - 1;
		return client_submit(c, control_run_set_blob, NULL, 0);
	}
	control_blob_release(&c->control.blob, &c->control.blob_len);
	return answer_result(c, c->control.refused ? CONTROL_FAIL : CONTROL_BAD_PARAMETER);
}

static enum client_step begin_set_blob(struct client *c, const struct control_request *request)
{
	c->control.type = request->type;
	c->control.left = request->stream;
	c->control.refused = false;
	if (request->stream == 0)
		return end_set_blob(c);
	c->control.blob = cvtpm_secret_alloc(request->stream, c->server->config->platform);
	c->control.blob_len = c->control.blob ? request->stream : 0;
	c->control.refused = !c->control.blob; /* no memory: its bytes are read all the same */
	return CLIENT_ANSWERED;
}

static enum client_step begin_hash_data(struct client *c, const struct control_request *request)
{
	c->control.left = request->stream;
	c->control.refused = false;
	return request->stream ? CLIENT_ANSWERED : client_submit(c, control_run_hash_data, NULL, 0);
}

static enum client_step get_config(struct client *c)
{
	const enum cvtpm_store_kind kind = c->server->config->platform->store->kind;
	const bool sealed = kind == CVTPM_STORE_SEALED || kind == CVTPM_STORE_SEALED_SNP;

	client_put_u32(c, CONTROL_SUCCESS);
	client_put_u32(
		c, (sealed ? CONTROL_CONFIG_FILE_KEY : 0) |
			   (c->server->config->migration_key ? CONTROL_CONFIG_MIGRATION_KEY : 0));
	return CLIENT_ANSWERED;
}

static enum client_step begin(struct client *c, const struct control_request *request)
{
	switch (request->number) {
	case CONTROL_GET_CAPABILITY:
		client_put_u32(c, CONTROL_SUCCESS);
		client_put_u32(c, CONTROL_CAPABILITIES);
		return CLIENT_ANSWERED;
	case CONTROL_INIT:
		return begin_power(c, control_run_init);
	case CONTROL_STOP:
	case CONTROL_SHUTDOWN:
		return begin_power(c, control_run_stop);
	case CONTROL_GET_TPMESTABLISHED:
		return client_submit(c, control_run_established, NULL, 0);
	case CONTROL_RESET_TPMESTABLISHED:
		return begin_reset_established(c, request->locality);
	case CONTROL_SET_LOCALITY:
		return set_locality(c, request->locality);
	case CONTROL_HASH_START:
		return client_submit(c, control_run_hash_start, NULL, 0);
	case CONTROL_HASH_DATA:
		return begin_hash_data(c, request);
	case CONTROL_HASH_END:
		return client_submit(c, control_run_hash_end, NULL, 0);
	case CONTROL_CANCEL_TPM_CMD:
		return cancel(c);
	case CONTROL_STORE_VOLATILE:
		return client_submit(c, control_run_store_volatile, NULL, 0);
	case CONTROL_GET_STATEBLOB:
		return begin_get_blob(c, request);
	case CONTROL_SET_STATEBLOB:
		return begin_set_blob(c, request);
	case CONTROL_GET_CONFIG:
		return get_config(c);
	case CONTROL_SET_DATAFD:
		return set_data_descriptor(c);
	case CONTROL_SET_BUFFERSIZE:
		c->job.value = request->value;
		return client_submit(c, control_run_buffer_size, NULL, 0);
	case CONTROL_GET_INFO:
		c->job.value = request->flags;
		c->control.offset = request->value;
		return client_submit(c, control_run_info, NULL, 0);
	case CONTROL_LOCK_STORAGE: /* held from before the first request to the end */
		return answer_result(c, CONTROL_SUCCESS);
	}
	return answer_unknown(c, "an unknown command");
}

/* ---- requests and answers that are longer than a buffer ---- */

static enum client_step go_on_receiving_blob(struct client *c, size_t len)
{
	if (c->control.blob)
		memcpy(c->control.blob + (c->control.blob_len - c->control.left), c->in, len);
	client_take(c, len);
	c->control.left -= (uint32_t)len;
	return c->control.left ? CLIENT_ANSWERED : end_set_blob(c);
}

static enum client_step go_on_hashing(struct client *c, size_t len)
{
	enum client_step step = CLIENT_ANSWERED;

	c->control.left -= (uint32_t)len;
	if (!c->control.refused)
		step = client_submit(c, control_run_hash_data, c->in, len);
	else if (c->control.left == 0)
		step = answer_result(c, CONTROL_BAD_ORDINAL);
	client_take(c, len);
	return step;
}

static enum client_step go_on_receiving(struct client *c)
{
	size_t len = c->in_len;

	if (len > c->control.left)
		len = c->control.left;
	if (len > sizeof c->command)
		len = sizeof c->command;
	if (len == 0 && !c->eof)
		return CLIENT_WAITS;
	if (len == 0) {
		c->control.left = 0;
		answer_unknown(c, "a request that is cut off");
		return CLIENT_ENDS;
	}
	return c->control.number == CONTROL_HASH_DATA ? go_on_hashing(c, len)
						      : go_on_receiving_blob(c, len);
}

static enum client_step go_on_sending(struct client *c)
{
	size_t len = c->control.blob_len - c->control.offset;

	if (len > sizeof c->out - c->out_len)
		len = sizeof c->out - c->out_len;
	client_put(c, c->control.blob + c->control.offset, len);
	c->control.offset += (uint32_t)len;
	if (c->control.offset == c->control.blob_len) {
		control_blob_release(&c->control.blob, &c->control.blob_len);
		c->control.sends = false;
	}
	return CLIENT_ANSWERED;
}

/* ---- the protocol ---- */

static enum client_step control_step(struct client *c)
{
	struct control_request request;

	if (c->control.sends)
		return go_on_sending(c);
	if (c->control.left)
		return go_on_receiving(c);
	if (c->control.may_pad) {
		const int padding = control_padding(c->in, c->in_len);

		if (padding > 0)
			client_take(c, (size_t)padding);
		if (padding >= 0)
			c->control.may_pad = false;
		else if (c->in_len < 4)
			return CLIENT_WAITS;
	}
	switch (control_look(c->in, c->in_len, &request)) {
	case CONTROL_MORE:
		if (!c->eof || c->in_len == 0)
			return CLIENT_WAITS;
		answer_unknown(c, "a request that is cut off");
		return CLIENT_ENDS;
	case CONTROL_UNKNOWN:
		return answer_unknown(c, "an unknown command");
	case CONTROL_TOO_BIG:
		answer_unknown(c, "a request that is too long");
		return CLIENT_ENDS;
	case CONTROL_WHOLE:
		break;
	}
	client_take(c, request.used);
	c->control.number = request.number;
	c->control.may_pad = request.may_pad;
	return begin(c, &request);
}

static uint32_t result_code(const struct client *c)
{
	switch (c->job.result) {
	case 0:
		return CONTROL_SUCCESS;
	case CVTPM_ERR_STATE:
		return CONTROL_BAD_ORDINAL;
	case CVTPM_ERR_POLICY:
		return c->control.number == CONTROL_RESET_TPMESTABLISHED ? CONTROL_BAD_LOCALITY
									 : CONTROL_DISABLED;
	case CVTPM_ERR_NOT_FOUND:
		return CONTROL_NO_SUCH_BLOB;
	case CVTPM_ERR_FORMAT:
	case CVTPM_ERR_AUTH:
	case CVTPM_ERR_UNSUPPORTED:
		return CONTROL_BAD_PARAMETER;
	default:
		return CONTROL_FAIL;
	}
}

static enum client_step answer_blob(struct client *c, uint32_t result)
{
	const size_t total = c->control.blob_len;

	if (result != CONTROL_SUCCESS || c->control.offset >= total) {
		control_blob_release(&c->control.blob, &c->control.blob_len);
		return answer_no_blob(c, result);
	}
	client_put_u32(c, CONTROL_SUCCESS);
	client_put_u32(c, c->server->config->migration_key ? CONTROL_STATE_ENCRYPTED : 0);
	client_put_u32(c, (uint32_t)(total - c->control.offset));
	client_put_u32(c, (uint32_t)(total - c->control.offset));
	c->control.sends = true;
	return CLIENT_ANSWERED;
}

static enum client_step answer_info(struct client *c)
{
	const size_t total = c->job.response_len, from = c->control.offset;

	if (from >= total)
		return answer_result(c, CONTROL_BAD_PARAMETER);
	client_put_u32(c, CONTROL_SUCCESS);
	client_put_u32(c, (uint32_t)(total - from));
	client_put_u32(c, (uint32_t)(total - from));
	client_put(c, c->job.response + from, total - from);
	return CLIENT_ANSWERED;
}

static enum client_step answer_hash_data(struct client *c, uint32_t result)
{
	if (c->control.left == 0)
		return answer_result(c, result);
	c->control.refused = result != CONTROL_SUCCESS;
	return CLIENT_ANSWERED; /* after the last byte */
}

static enum client_step answer_success(struct client *c)
{
	static const uint8_t padding[3] = {0};

	switch (c->control.number) {
	case CONTROL_GET_TPMESTABLISHED:
		client_put_u32(c, CONTROL_SUCCESS);
		client_put(c, c->job.response, 1);
		client_put(c, padding, sizeof padding);
		return CLIENT_ANSWERED;
	case CONTROL_SET_BUFFERSIZE:
		client_put_u32(c, CONTROL_SUCCESS);
		client_put(c, c->job.response, c->job.response_len);
		return CLIENT_ANSWERED;
	case CONTROL_GET_INFO:
		return answer_info(c);
	default:
		return answer_result(c, CONTROL_SUCCESS);
	}
}

static enum client_step control_answer(struct client *c)
{
	const uint32_t result = result_code(c);
	const uint32_t number = c->control.number;

	if (number == CONTROL_INIT)
		c->server->control.running = result == CONTROL_SUCCESS;
	else if (number == CONTROL_STOP || number == CONTROL_SHUTDOWN)
		c->server->control.running = false;
	if (result != CONTROL_SUCCESS && result != CONTROL_NO_SUCH_BLOB)
		server_log(c->server, CVTPM_LOG_WARN, "%s on the control channel: %s%s",
			   control_name(number), cvtpm_strerror(c->job.result),
			   c->job.result != CVTPM_ERR_STATE ? ""
			   : number == CONTROL_SET_STATEBLOB || number == CONTROL_SET_BUFFERSIZE
				   ? ": the TPM runs, send STOP first"
				   : ": the TPM is stopped, send INIT first");
	if (number == CONTROL_GET_STATEBLOB)
		return answer_blob(c, result);
	if (number == CONTROL_SET_STATEBLOB)
		control_blob_release(&c->control.blob, &c->control.blob_len);
	if (number == CONTROL_HASH_DATA)
		return answer_hash_data(c, result);
	if (number == CONTROL_SHUTDOWN) {
		server_log(c->server, CVTPM_LOG_INFO, "SHUTDOWN on the control channel: ending");
		answer_result(c, result);
		server_stop(c->server);
		return CLIENT_ENDS;
	}
	return result == CONTROL_SUCCESS ? answer_success(c) : answer_result(c, result);
}

static void control_ended(struct client *c)
{
	struct server *server = c->server;

	if (!server->config->ctrl_terminate || server->stop_wanted ||
	    server_has_client(server, &control_protocol))
		return;
	server_log(server, CVTPM_LOG_INFO, "the control channel is closed: ending");
	server_stop(server);
}

static void control_release(struct client *c)
{
	control_blob_release(&c->control.blob, &c->control.blob_len);
}

const struct client_protocol control_protocol = {.step = control_step,
						 .answer = control_answer,
						 .takes_descriptors = true,
						 .ended = control_ended,
						 .release = control_release};
