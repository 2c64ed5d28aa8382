/*
 * The simulator protocol's meaning: what each request of mssim_protocol.h does.
 *
 * Its peer has platform authority: power, resets, cancel, locality 4, physical
 * presence and the hash signals are its to use. What the simulator can do to its
 * host's hardware and an engine cannot (NV availability, firmware hashes) is
 * acknowledged as the protocol wants, changes nothing, and is logged.
 */
#include "cvtpm/err.h"
#include "host/frame.h"
#include "serve/client.h"
#include "serve/mssim_protocol.h"
#include "serve/server.h"

#define TPM_RC_COMMAND_SIZE 0x142
#define TPM_RC_LOCALITY     0x907

#define SERVER_VERSION 1
#define ACK            0
#define NOT_DONE       1

/* Endpoint flags of REMOTE_HANDSHAKE: platform port, raw mode, no NV control; and where it
 * can be asserted, physical presence. */
#define ENDPOINT_FLAGS    (0x01 | 0x04 | 0x40)
#define ENDPOINT_PRESENCE 0x08

/* ---- on the worker's thread ---- */

static void run_power_on(struct worker_job *job, struct worker_tpm *tpm)
{
	if (tpm->powered)
		return;
	record_event(tpm->record, MSSIM_SIGNAL_POWER_ON);
	job->result = cvtpm_instance_power_on(tpm->instance);
	tpm->powered = job->result == 0;
}

static void run_power_off(struct worker_job *job, struct worker_tpm *tpm)
{
	(void)job;
	record_event(tpm->record, MSSIM_SIGNAL_POWER_OFF);
	cvtpm_instance_power_off(tpm->instance);
	tpm->powered = false;
}

static void run_reset(struct worker_job *job, struct worker_tpm *tpm)
{
	if (!tpm->powered)
		return;
	record_event(tpm->record, MSSIM_SIGNAL_RESET);
	job->result = cvtpm_instance_reset(tpm->instance);
}

static void run_hash_start(struct worker_job *job, struct worker_tpm *tpm)
{
	job->result = cvtpm_instance_hash_start(tpm->instance);
}

static void run_hash_data(struct worker_job *job, struct worker_tpm *tpm)
{
	job->result = cvtpm_instance_hash_data(tpm->instance, job->data, job->data_len);
}

static void run_hash_end(struct worker_job *job, struct worker_tpm *tpm)
{
	job->result = cvtpm_instance_hash_end(tpm->instance);
}

static void run_failure_mode(struct worker_job *job, struct worker_tpm *tpm)
{
	(void)job;
	cvtpm_instance_fail_until_reset(tpm->instance, "TEST_FAILURE_MODE was sent");
}

/* The largest command and response so far, each with its command code; begins anew. */
static void run_sizes(struct worker_job *job, struct worker_tpm *tpm)
{
	frame_put_u32(job->response, tpm->largest.command_size);
	frame_put_u32(job->response + 4, tpm->largest.command_code);
	frame_put_u32(job->response + 8, tpm->largest.response_size);
	frame_put_u32(job->response + 12, tpm->largest.response_code);
	job->response_len = 16;
	tpm->largest = (struct worker_sizes){0};
}

/* ---- requests ---- */

static enum client_step acknowledge(struct client *c)
{
	client_put_u32(c, ACK);
	return CLIENT_ANSWERED;
}

static enum client_step refuse(struct client *c)
{
	client_put_u32(c, NOT_DONE);
	return CLIENT_ENDS;
}

static enum client_step without_effect(struct client *c, const struct mssim_request *request)
{
	server_log(c->server, CVTPM_LOG_INFO, "%s on the simulator protocol has no effect here",
		   mssim_name(request->number));
	return acknowledge(c);
}

/* A response that the TPM had no part in. */
static enum client_step answer_error(struct client *c, uint32_t rc)
{
	uint8_t response[FRAME_HEADER_SIZE];

	frame_put_error(response, rc);
	client_put_u32(c, sizeof response);
	client_put(c, response, sizeof response);
	return acknowledge(c);
}

static enum client_step begin_command(struct client *c, const struct mssim_request *request)
{
	uint8_t response[FRAME_HEADER_SIZE];

	c->job.locality = request->locality;
	if (request->locality > 4 && request->locality < 32) {
		frame_put_error(response, TPM_RC_LOCALITY);
		server_record(c->server, &c->job, request->data, request->data_len, response);
		return answer_error(c, TPM_RC_LOCALITY);
	}
	return client_submit(c, worker_run_command, request->data, request->data_len);
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

/* HASH_DATA's bytes go to the TPM as they arrive. */
static enum client_step go_on_hashing(struct client *c)
{
	size_t len = c->in_len;

	if (len > c->mssim.hash_left)
		len = c->mssim.hash_left;
	if (len > sizeof c->command)
		len = sizeof c->command;
	if (len == 0)
		return CLIENT_WAITS;
	c->mssim.hash_left -= (uint32_t)len;
	const enum client_step step = client_submit(c, run_hash_data, c->in, len);

	client_take(c, len);
	return step;
}

static enum client_step begin_hash_data(struct client *c, const struct mssim_request *request)
{
	c->mssim.hash_left = request->value;
	return request->value ? CLIENT_ANSWERED : acknowledge(c);
}

/* A line, as CANCEL is: it stays as it is until the next signal, whoever has sent it. */
static enum client_step set_presence(struct client *c, const struct mssim_request *request)
{
	struct server *server = c->server;

	if (!server->config->physical_presence)
		return without_effect(c, request);
	record_event(server->config->trace ? &server->record : NULL, request->number);
	atomic_store(server->config->physical_presence,
		     request->number == MSSIM_SIGNAL_PHYS_PRES_ON);
	return acknowledge(c);
}

static enum client_step shake_hands(struct client *c, const struct mssim_request *request)
{
	if (request->value == 0)
		return CLIENT_ENDS;
	client_put_u32(c, SERVER_VERSION);
	client_put_u32(c, c->server->config->physical_presence ? ENDPOINT_FLAGS | ENDPOINT_PRESENCE
							       : ENDPOINT_FLAGS);
	return acknowledge(c);
}

static enum client_step begin(struct client *c, const struct mssim_request *request)
{
	struct worker *worker = &c->server->worker;

	switch (request->number) {
	case MSSIM_SEND_COMMAND:
		return begin_command(c, request);
	case MSSIM_SIGNAL_HASH_START:
		return client_submit(c, run_hash_start, NULL, 0);
	case MSSIM_SIGNAL_HASH_DATA:
		return begin_hash_data(c, request);
	case MSSIM_SIGNAL_HASH_END:
		return client_submit(c, run_hash_end, NULL, 0);
	case MSSIM_REMOTE_HANDSHAKE:
		return shake_hands(c, request);

	case MSSIM_SIGNAL_POWER_ON:
		return client_submit(c, run_power_on, NULL, 0);
	case MSSIM_SIGNAL_POWER_OFF:
		return begin_power(c, run_power_off);
	case MSSIM_SIGNAL_RESET:
	case MSSIM_SIGNAL_RESTART:
		return begin_power(c, run_reset);
	case MSSIM_SIGNAL_CANCEL_ON:
		worker_hold_cancel(worker, true);
		return acknowledge(c);
	case MSSIM_SIGNAL_CANCEL_OFF:
		worker_hold_cancel(worker, false);
		return acknowledge(c);
	case MSSIM_TEST_FAILURE_MODE:
		return client_submit(c, run_failure_mode, NULL, 0);
	case MSSIM_GET_COMMAND_RESPONSE_SIZES:
		return client_submit(c, run_sizes, NULL, 0);
	case MSSIM_ACT_GET_SIGNALED:
		client_put_u32(c, 0); /* no engine has authenticated countdown timers */
		return acknowledge(c);

	case MSSIM_SIGNAL_PHYS_PRES_ON:
	case MSSIM_SIGNAL_PHYS_PRES_OFF:
		return set_presence(c, request);

	case MSSIM_SIGNAL_NV_ON: /* what is always on needs no word */
		return acknowledge(c);
	case MSSIM_SIGNAL_NV_OFF:
	case MSSIM_SIGNAL_KEY_CACHE_ON:
	case MSSIM_SIGNAL_KEY_CACHE_OFF:
	case MSSIM_SET_ALTERNATIVE_RESULT:
	case MSSIM_SET_FW_HASH:
	case MSSIM_SET_FW_SVN:
		return without_effect(c, request);

	case MSSIM_SESSION_END:
		return CLIENT_ENDS;
	case MSSIM_STOP:
		server_log(c->server, CVTPM_LOG_INFO, "STOP on the simulator protocol: ending");
		server_stop(c->server);
		return CLIENT_ENDS;
	}
	return refuse(c);
}

static enum client_step mssim_step(struct client *c, enum mssim_port port)
{
	struct mssim_request request;

	if (c->mssim.hash_left)
		return go_on_hashing(c);

	switch (mssim_look(port, c->in, c->in_len, c->server->buffer_size, &request)) {
	case MSSIM_MORE:
		return CLIENT_WAITS;
	case MSSIM_UNKNOWN:
		return refuse(c);
	case MSSIM_TOO_BIG:
		if (frame_get_u32(c->in) != MSSIM_SEND_COMMAND)
			return refuse(c);
		answer_error(c, TPM_RC_COMMAND_SIZE);
		return CLIENT_ENDS;
	case MSSIM_WHOLE:
		break;
	}
	c->mssim.number = request.number;
	const enum client_step step = begin(c, &request);

	client_take(c, request.used);
	return step;
}

static enum client_step command_step(struct client *c)
{
	return mssim_step(c, MSSIM_COMMAND_PORT);
}

static enum client_step platform_step(struct client *c)
{
	return mssim_step(c, MSSIM_PLATFORM_PORT);
}

/* ---- answers ---- */

static enum client_step answer_command(struct client *c)
{
	/* A TPM without power says nothing, and the simulator frames that too. */
	if (c->job.result == CVTPM_ERR_STATE)
		c->job.response_len = 0;
	client_put_u32(c, (uint32_t)c->job.response_len);
	client_put(c, c->job.response, c->job.response_len);
	return acknowledge(c);
}

static enum client_step mssim_answer(struct client *c)
{
	const int result = c->job.result;

	switch (c->mssim.number) {
	case MSSIM_SEND_COMMAND:
		return answer_command(c);
	case MSSIM_GET_COMMAND_RESPONSE_SIZES:
		client_put_u32(c, (uint32_t)c->job.response_len);
		client_put(c, c->job.response, c->job.response_len);
		return acknowledge(c);
	case MSSIM_SIGNAL_HASH_DATA:
		if (c->mssim.hash_left)
			return CLIENT_ANSWERED; /* after the last byte */
		break;
	}
	if (result == 0)
		return acknowledge(c);
	server_log(c->server, CVTPM_LOG_WARN, "%s on the simulator protocol: %s",
		   mssim_name(c->mssim.number), cvtpm_strerror(result));
	/* A signal at the wrong moment is lost, as on a wire. */
	return result == CVTPM_ERR_STATE ? acknowledge(c) : refuse(c);
}

const struct client_protocol mssim_command_protocol = {
	.step = command_step, .answer = mssim_answer, .door = RECORD_DOOR_MSSIM};
const struct client_protocol mssim_platform_protocol = {.step = platform_step,
							.answer = mssim_answer};
