#include "tpm.h"

#include "cvtpm/engine.h"
#include "cvtpm/err.h"
#include "cvtpm/stores.h"

/* An ephemeral TPM: its state is in private memory, and gone with it. */
static int open_store(struct svsm_tpm *tpm)
{
	return cvtpm_store_memory_init(&tpm->platform.store, tpm->store_memory,
				       sizeof tpm->store_memory);
}

/* The key of VMPL 0 and reports at VMPL 0: nothing that runs above can ask for them. */
static int open_messages(struct svsm_tpm *tpm, const struct svsm_host *host)
{
	const struct snp_guest_message_config config = {
		.transport = host->transport,
		.secrets = host->secrets,
		.vmpck = 0,
		.vmpl = 0,
		.request_page = host->request_page,
		.response_page = host->response_page,
		.certs = host->certs,
		.certs_size = host->certs_size,
		.isolation = CVTPM_ISOLATION_SVSM,
		.lab = host->lab,
	};

	return cvtpm_guest_message_open(&tpm->messages, &config);
}

static int open_instance(struct svsm_tpm *tpm)
{
	const struct cvtpm_instance_config config = {
		.engine = &cvtpm_engine_native,
		.engine_config = {.buffer_size = CVTPM_CRB_BUFFER_SIZE},
		.provider = &tpm->messages.provider,
		.eks = CVTPM_EK_RSA2048 | CVTPM_EK_P256,
	};

	if (cvtpm_instance_size(&cvtpm_engine_native) > sizeof tpm->instance_memory) {
		tpm->platform.log(tpm->platform.context, CVTPM_LOG_ERROR,
				  "SVSM_INSTANCE_SIZE is less than cvtpm_instance_size()");
		return CVTPM_ERR_SIZE;
	}
	return cvtpm_instance_open(&tpm->instance, tpm->instance_memory, &tpm->platform, &config);
}

static int open_calls(struct svsm_tpm *tpm, const struct svsm_host *host)
{
	const struct cvtpm_svsm_config config = {
		.instance = tpm->instance,
		.provider = &tpm->messages.provider,
		.memory = host->guest,
	};

	return cvtpm_svsm_init(&tpm->svsm, &config);
}

int svsm_tpm_start(struct svsm_tpm *tpm, const struct svsm_host *host)
{
	int err;

	tpm->instance = NULL;
	tpm->platform = (struct cvtpm_platform){.context = host->context,
						.entropy = host->entropy,
						.clock_ms = host->clock_ms,
						.log = host->log};
	err = open_store(tpm);
	if (err < 0)
		return err;
	err = open_messages(tpm, host);
	if (err < 0) {
		cvtpm_store_close(tpm->platform.store);
		return err;
	}
	err = open_instance(tpm);
	if (err == 0)
		err = open_calls(tpm, host);
	if (err < 0)
		svsm_tpm_stop(tpm);
	return err;
}

void svsm_tpm_stop(struct svsm_tpm *tpm)
{
	cvtpm_instance_close(tpm->instance);
	tpm->messages.provider.ops->close(&tpm->messages.provider);
	cvtpm_store_close(tpm->platform.store);
}
