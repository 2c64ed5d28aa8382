/* The control channel's work on the worker's thread: see control_jobs.h. */
#include "serve/control_jobs.h"

#include "cvtpm/err.h"
#include "host/frame.h"
#include "serve/client.h"
#include "serve/envelope.h"
#include "serve/mssim_protocol.h"
#include "serve/server.h"

static const char *const blob_names[CONTROL_BLOB_TYPES] = {"permanent", "volatile", "savestate"};

static const char *engine_name(const struct server *server)
{
	return server->instance_config.engine->name;
}

void control_blob_release(uint8_t **blob, size_t *len)
{
	cvtpm_secret_free(*blob, *len);
	*blob = NULL;
	*len = 0;
}

void control_close(struct control *control)
{
	control_blob_release(&control->volatile_state, &control->volatile_len);
}

/* ---- power ---- */

/* A shutdown that fails has been logged, and the power goes all the same. */
int control_power_off(struct server *server, struct worker_tpm *tpm)
{
	struct control *control = &server->control;
	int result = 0;

	if (tpm->powered && !server->config->no_auto_shutdown)
		cvtpm_instance_shutdown(tpm->instance);
	if (tpm->powered)
		record_event(tpm->record, MSSIM_SIGNAL_POWER_OFF);
	cvtpm_instance_power_off(tpm->instance);
	tpm->powered = false;
	if (control->volatile_state)
		result = cvtpm_instance_load_state(tpm->instance, CVTPM_BLOB_VOLATILE,
						   control->volatile_state, control->volatile_len);
	control_close(control);
	return result;
}

static struct client *client_of(struct worker_job *job)
{
	return job->owner;
}

void control_run_stop(struct worker_job *job, struct worker_tpm *tpm)
{
	job->result = control_power_off(client_of(job)->server, tpm);
}

/* A volatile state that is there is resumed once, and never kept for a second time:
 * DELETE_VOLATILE is how every INIT works here. */
void control_run_init(struct worker_job *job, struct worker_tpm *tpm)
{
	job->result = control_power_off(client_of(job)->server, tpm);
	if (job->result == 0) {
		record_event(tpm->record, MSSIM_SIGNAL_POWER_ON);
		job->result = cvtpm_instance_power_on(tpm->instance);
	}
	tpm->powered = job->result == 0;
}

/* ---- signals ---- */

void control_run_established(struct worker_job *job, struct worker_tpm *tpm)
{
	if (!tpm->powered)
		job->result = CVTPM_ERR_STATE;
	job->response[0] = tpm->powered && cvtpm_instance_established(tpm->instance);
	job->response_len = 1;
}

void control_run_reset_established(struct worker_job *job, struct worker_tpm *tpm)
{
	job->result = tpm->powered ? cvtpm_instance_reset_established(tpm->instance, job->locality)
				   : CVTPM_ERR_STATE;
}

void control_run_hash_start(struct worker_job *job, struct worker_tpm *tpm)
{
	job->result = tpm->powered ? cvtpm_instance_hash_start(tpm->instance) : CVTPM_ERR_STATE;
}

void control_run_hash_data(struct worker_job *job, struct worker_tpm *tpm)
{
	job->result = tpm->powered
			      ? cvtpm_instance_hash_data(tpm->instance, job->data, job->data_len)
			      : CVTPM_ERR_STATE;
}

void control_run_hash_end(struct worker_job *job, struct worker_tpm *tpm)
{
	job->result = tpm->powered ? cvtpm_instance_hash_end(tpm->instance) : CVTPM_ERR_STATE;
}

/* ---- what there is to know ---- */

void control_run_buffer_size(struct worker_job *job, struct worker_tpm *tpm)
{
	const uint32_t most = client_of(job)->server->buffer_size; /* a CRB page holds less */
	uint32_t size = job->value > most ? most : job->value, min = 0, max = 0;

	if (size && tpm->powered) {
		job->result = CVTPM_ERR_STATE;
		return;
	}
	job->result = cvtpm_instance_buffer_size(tpm->instance, &size, &min, &max);
	frame_put_u32(job->response, size);
	frame_put_u32(job->response + 4, min);
	frame_put_u32(job->response + 8, max < most ? max : most);
	job->response_len = 12;
}

void control_run_info(struct worker_job *job, struct worker_tpm *tpm)
{
	size_t len = sizeof job->response;

	job->result =
		cvtpm_instance_describe(tpm->instance, job->value, (char *)job->response, &len);
	job->response_len = job->result == 0 ? len + 1 : 0; /* with the NUL, as swtpm */
}

/* ---- state blobs ---- */

/* Copies a state into locked memory, with `before` and `after` bytes of room. */
static int take_state(struct server *server, struct cvtpm_instance *instance, enum cvtpm_blob kind,
		      size_t before, size_t after, uint8_t **blob, size_t *blob_len,
		      size_t *state_len)
{
	size_t len = 0;

	CVTPM_TRY(cvtpm_instance_save_state(instance, kind, NULL, &len));
	*blob_len = before + len + after;
	*blob = cvtpm_secret_alloc(*blob_len, server->config->platform);
	if (!*blob)
		return CVTPM_ERR_NO_MEMORY;
	*state_len = len;
	const int err = cvtpm_instance_save_state(instance, kind, *blob + before, state_len);

	/* Nothing ran in between, so that the length is the same. */
	if (err == 0 && *state_len == len)
		return 0;
	control_blob_release(blob, blob_len);
	return err < 0 ? err : CVTPM_ERR_SIZE;
}

void control_run_get_blob(struct worker_job *job, struct worker_tpm *tpm)
{
	struct client *c = client_of(job);
	const enum cvtpm_blob kind = (enum cvtpm_blob)job->value;
	size_t len;

	job->result = CVTPM_ERR_STATE;
	if (!tpm->powered)
		return;
	const struct cvtpm_serve_config *config = c->server->config;
	const bool sealed = config->migration_key != NULL;

	job->result = take_state(c->server, tpm->instance, kind,
				 sealed ? ENVELOPE_SEALED_BEFORE : ENVELOPE_HEADER_SIZE,
				 sealed ? ENVELOPE_TAG_SIZE : ENVELOPE_DIGEST_SIZE,
				 &c->control.blob, &c->control.blob_len, &len);
	if (job->result < 0)
		return;
	if (sealed)
		job->result = envelope_seal(c->control.blob, len, kind, engine_name(c->server),
					    config->migration_key, config->platform);
	else
		job->result = envelope_close(c->control.blob, len, kind, engine_name(c->server));
	if (job->result < 0)
		control_blob_release(&c->control.blob, &c->control.blob_len);
}

void control_run_set_blob(struct worker_job *job, struct worker_tpm *tpm)
{
	struct client *c = client_of(job);
	const enum cvtpm_blob kind = (enum cvtpm_blob)job->value;
	const uint8_t *key = c->server->config->migration_key, *payload = NULL;
	const char *why = "";
	size_t len = 0;

	job->result = CVTPM_ERR_STATE;
	if (tpm->powered)
		return;
	job->result = 0;
	if (c->control.blob_len && key)
		job->result = envelope_unseal(c->control.blob, c->control.blob_len, kind,
					      engine_name(c->server), key, &payload, &len, &why);
	else if (c->control.blob_len)
		job->result = envelope_open(c->control.blob, c->control.blob_len, kind,
					    engine_name(c->server), &payload, &len, &why);
	if (job->result < 0)
		server_log(c->server, CVTPM_LOG_ERROR,
			   "a %s state blob of %zu bytes is refused, and the state stays as it "
			   "is: %s; send one that this version of cvtpm has given",
			   blob_names[kind], c->control.blob_len, why);
	else
		job->result = cvtpm_instance_load_state(tpm->instance, kind, payload, len);
}

void control_run_store_volatile(struct worker_job *job, struct worker_tpm *tpm)
{
	struct server *server = client_of(job)->server;
	struct control *control = &server->control;
	size_t len;

	job->result = CVTPM_ERR_STATE;
	if (!tpm->powered)
		return;
	control_close(control);
	job->result = take_state(server, tpm->instance, CVTPM_BLOB_VOLATILE, 0, 0,
				 &control->volatile_state, &control->volatile_len, &len);
}
