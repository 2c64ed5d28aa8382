/* The life of the instance: see life.h. */
#include "serve/life.h"

#include "cvtpm/err.h"
#include "cvtpm/stores.h"
#include "serve/mssim_protocol.h"
#include "serve/server.h"

static const char *open_advice(const struct cvtpm_instance_config *config, int err)
{
	if (err == CVTPM_ERR_POLICY && config->issuer)
		return ": the CA signs only for reports that satisfy its policy; compare with "
		       "`cvtpm ca show DIR`";
	switch (err) {
	case CVTPM_ERR_NOT_FOUND:
		return ": the state holds no TPM yet; make one with `cvtpm manufacture --state "
		       "DIR`";
	case CVTPM_ERR_FORMAT:
		return ": the state is another engine's, to be named with --engine, or damaged: "
		       "restore it from a copy, or make a new TPM in an empty folder";
	case CVTPM_ERR_POLICY:
		return ": evidence needs a state that no host can read; use no --state, or --seal "
		       "snp";
	default:
		return "";
	}
}

/* A TPM is fresh when its machine is. */
static int begin_with_machine(struct server *server, struct cvtpm_instance *instance)
{
	const struct cvtpm_serve_config *config = server->config;
	enum machine_age age = MACHINE_NEW;
	const char *why = NULL;

	if (server->machine.server)
		CVTPM_TRY(machine_look(&server->machine, &age));
	server->page.machine_is_new =
		config->machine_is_new || (server->machine.server && age == MACHINE_NEW);
	if (config->fail_until_reset)
		why = "the machine has already run";
	else if (age == MACHINE_HAS_RUN)
		why = "the monitor says that the machine has already run";
	else if (server->page.existed && !server->page.machine_is_new)
		why = "the CRB page was there before, and its machine may have run already; with a "
		      "new machine say --machine-is-new";
	server->failed_at_start = why != NULL;
	presence_show(server, !server->page.existed || server->page.machine_is_new);
	if (why)
		cvtpm_instance_fail_until_reset(instance, why);
	return 0;
}

void life_reset(struct server *server)
{
	struct worker_tpm *tpm = &server->worker.tpm;
	struct presence_request request;

	if (!tpm->instance || !tpm->powered)
		return;
	const bool asked = presence_take(server, &request);

	record_event(tpm->record, MSSIM_SIGNAL_RESET);
	int result = cvtpm_instance_reset(tpm->instance);

	server_log(server, result < 0 ? CVTPM_LOG_ERROR : CVTPM_LOG_INFO,
		   "the machine was reset, and so is the TPM%s%s", result < 0 ? ": " : "",
		   result < 0 ? cvtpm_strerror(result) : "");
	if (result == 0 && asked)
		result = presence_carry_out(server, &request);
	presence_show(server, false);
	/* What was saved for TPM2_Startup(STATE) was for the machine's first start. */
	if (result == 0 && server->config->startup != CVTPM_SERVE_STARTUP_NONE)
		result = cvtpm_instance_startup(tpm->instance, false);
	if (result < 0)
		cvtpm_instance_fail_until_reset(tpm->instance,
						"the reset did not leave a TPM that can be used");
}

/* In memory first, so that it comes into the store whole or not at all. */
static int make_tpm(struct server *server)
{
	char message[CVTPM_STORE_MESSAGE_SIZE];
	struct cvtpm_store *scratch;

	server_log(server, CVTPM_LOG_INFO, "the state is empty: a TPM is made in it");
	CVTPM_TRY(cvtpm_store_memory_open(&scratch, 0, message));
	const int err = cvtpm_instance_manufacture(server->memory, server->config->platform,
						   scratch, &server->instance_config);

	cvtpm_store_close(scratch);
	return err;
}

void life_run_open(struct worker_job *job, struct worker_tpm *tpm)
{
	struct server *server = job->owner;
	const struct cvtpm_serve_config *config = server->config;
	struct cvtpm_instance *instance;

	if (config->prepare)
		job->result = config->prepare(config->context);
	if (job->result < 0)
		return;
	job->result = cvtpm_instance_open(&instance, server->memory, config->platform,
					  &server->instance_config);
	if (job->result == CVTPM_ERR_NOT_FOUND && config->make) {
		job->result = make_tpm(server);
		if (job->result == 0)
			job->result =
				cvtpm_instance_open(&instance, server->memory, config->platform,
						    &server->instance_config);
	}
	if (job->result < 0) {
		server_log(server, CVTPM_LOG_ERROR, "the TPM cannot be opened: %s%s",
			   cvtpm_strerror(job->result),
			   open_advice(&server->instance_config, job->result));
		return;
	}
	tpm->instance = instance;
	tpm->powered = !server->instance_config.leave_off;
	server->control.running = tpm->powered; /* nobody reads it before this is done */
	tpm->loaded.wanted = config->flush_on_disconnect;

	job->result = begin_with_machine(server, instance);
	if (job->result < 0)
		return;
	if (!server->failed_at_start && config->startup != CVTPM_SERVE_STARTUP_NONE)
		job->result = cvtpm_instance_startup(instance,
						     config->startup == CVTPM_SERVE_STARTUP_STATE);
	if (config->vtpm_proxy && job->result == 0 && tpm->powered)
		vtpm_proxy_self_test(tpm);
	if (job->result < 0)
		server_log(server, CVTPM_LOG_ERROR, "TPM2_Startup was refused: %s%s",
			   cvtpm_strerror(job->result),
			   config->startup == CVTPM_SERVE_STARTUP_STATE
				   ? "; use --startup clear or none"
				   : "");
}

void life_run_close(struct worker_job *job, struct worker_tpm *tpm)
{
	struct server *server = job->owner;

	if (tpm->instance && server_has_control(server->config) &&
	    control_power_off(server, tpm) < 0)
		server_log(server, CVTPM_LOG_ERROR,
			   "the volatile state that was stored is lost: the store did not take it");
	cvtpm_instance_close(tpm->instance);
	tpm->instance = NULL;
}
