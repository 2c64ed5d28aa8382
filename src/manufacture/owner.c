/* Life, resets and commands of an instance: include/cvtpm/instance.h. */
#include "manufacture/owner.h"

#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "cvtpm/err.h"
#include "cvtpm/store.h"
#include "manufacture/wire.h"

#define CC_STARTUP  0x144u
#define CC_SHUTDOWN 0x145u

#define DEFAULT_EKS   (CVTPM_EK_RSA2048 | CVTPM_EK_P256 | CVTPM_EK_P384)
#define ALL_EKS       (DEFAULT_EKS | CVTPM_EK_RSA3072)
#define DEFAULT_BANKS (CVTPM_PCR_SHA256 | CVTPM_PCR_SHA384)
#define ALL_BANKS     (CVTPM_PCR_SHA1 | DEFAULT_BANKS | CVTPM_PCR_SHA512)

int owner_log_failure(struct cvtpm_instance *o, enum cvtpm_log_level level, const char *job,
		      const char *object, int err)
{
	if (err == CVTPM_ERR_TPM)
		LOG(&o->platform, level, "% %: TPM2_% answered %", LOG_TEXT(job), LOG_TEXT(object),
		    LOG_TEXT(o->client.last->name), LOG_HEX(o->client.rc));
	else
		LOG(&o->platform, level, "% %: %", LOG_TEXT(job), LOG_TEXT(object),
		    LOG_TEXT(cvtpm_strerror(err)));
	return err;
}

/* ---- the owner's own commands ---- */

static uint32_t response_code(const uint8_t *response, size_t len)
{
	struct wire_reader r = {response, len};

	wire_take_bytes(&r, 6);
	return (uint32_t)wire_take(&r, 4);
}

static int execute_once(struct cvtpm_instance *o, const uint8_t *command, size_t command_len,
			uint8_t *response, size_t *response_len)
{
	size_t room = *response_len;
	int err =
		o->config.engine->execute(o->tpm, 0, command, command_len, response, response_len);

	return err == 0 && *response_len > room ? CVTPM_ERR_FORMAT : err;
}

/* While the owner works nobody else's wish to cancel counts: a guest could keep
 * an EK from being made by it. One that was on its way already is overheard. */
static int execute_own(void *context, const uint8_t *command, size_t command_len, uint8_t *response,
		       size_t *response_len)
{
	struct cvtpm_instance *o = context;
	size_t room = *response_len;
	int err;

	__atomic_store_n(&o->busy, true, __ATOMIC_SEQ_CST);
	err = execute_once(o, command, command_len, response, response_len);
	if (err == 0 && response_code(response, *response_len) == TPM_RC_CANCELED) {
		*response_len = room;
		err = execute_once(o, command, command_len, response, response_len);
	}
	__atomic_store_n(&o->busy, false, __ATOMIC_SEQ_CST);
	return err;
}

/* As its user sends them. */
static int execute_as_user(void *context, const uint8_t *command, size_t command_len,
			   uint8_t *response, size_t *response_len)
{
	return cvtpm_instance_execute(context, 0, command, command_len, response, response_len);
}

/* ---- power ---- */

static void forget_session(struct cvtpm_instance *o)
{
	o->started = false;
	o->orderly = false;
	o->failed = false;
}

int cvtpm_instance_power_on(struct cvtpm_instance *o)
{
	forget_session(o);
	return o->config.engine->power_on(o->tpm);
}

int cvtpm_instance_reset(struct cvtpm_instance *o)
{
	return cvtpm_instance_power_on(o);
}

void cvtpm_instance_power_off(struct cvtpm_instance *o)
{
	forget_session(o);
	o->config.engine->power_off(o->tpm);
}

void cvtpm_instance_fail_until_reset(struct cvtpm_instance *o, const char *reason)
{
	LOG(&o->platform, CVTPM_LOG_ERROR, "failure mode until the next reset: %",
	    LOG_TEXT(reason));
	o->failed = true;
}

/* ---- opening ---- */

/* The owner's part of an instance's memory; the engine's lies behind it. */
static size_t owner_size(void)
{
	const size_t align = _Alignof(max_align_t);

	return (sizeof(struct cvtpm_instance) + align - 1) / align * align;
}

size_t cvtpm_instance_size(const struct cvtpm_engine *engine)
{
	return owner_size() + (engine->size ? engine->size() : 0);
}

static int check_config(const struct cvtpm_platform *platform,
			const struct cvtpm_instance_config *config)
{
	if (!platform->store || !platform->entropy || !platform->clock_ms || !config->engine)
		return CVTPM_ERR_PARAM;
	if (config->eks & ~(unsigned)ALL_EKS || config->pcr_banks & ~(unsigned)ALL_BANKS)
		return CVTPM_ERR_PARAM;
	return 0;
}

static void begin(struct cvtpm_instance *o, const struct cvtpm_platform *platform,
		  const struct cvtpm_instance_config *config)
{
	memset(o, 0, offsetof(struct cvtpm_instance, work)); /* each job begins its own room */
	o->platform = *platform;
	o->config = *config;
	o->config.engine_config.memory = (uint8_t *)o + owner_size();
	if (!o->config.eks)
		o->config.eks = DEFAULT_EKS;
	if (!o->config.pcr_banks)
		o->config.pcr_banks = DEFAULT_BANKS;
	o->kind = platform->store->kind;
	tpm_client_begin(&o->client, execute_own, o);
	tpm_client_begin(&o->user, execute_as_user, o);
}

static void end(struct cvtpm_instance *o)
{
	if (o->tpm)
		o->config.engine->destroy(o->tpm);
	cvtpm_wipe(o, sizeof *o);
}

/* Makes the TPM in o->platform.store; the engine's instance is powered on at the end,
 * and shut down in order. */
static int make_new(struct cvtpm_instance *o)
{
	bool is_new;

	CVTPM_TRY(
		o->config.engine->create(&o->tpm, &o->platform, &o->config.engine_config, &is_new));
	if (!is_new)
		return CVTPM_ERR_STATE;
	CVTPM_TRY(o->config.engine->power_on(o->tpm));
	return manufacture_tpm(o);
}

/* An ephemeral TPM: made now, then reset for its first user. */
static int open_new(struct cvtpm_instance *o)
{
	int err;

	if (o->config.provider)
		CVTPM_TRY(evidence_check_store(o, o->config.provider->lab));
	CVTPM_TRY(storage_empty(o));
	err = make_new(o);
	if (err == 0)
		err = storage_save_record(o);
	if (err == 0 && o->config.leave_off) {
		cvtpm_instance_power_off(o);
		return 0;
	}
	if (err == 0)
		return cvtpm_instance_reset(o);
	o->config.engine->destroy(o->tpm);
	o->tpm = NULL;
	storage_empty(o);
	return err;
}

/* Evidence is a property of a TPM from its manufacture on. */
static int check_provider(struct cvtpm_instance *o)
{
	const struct cvtpm_snp_provider *provider = o->config.provider;

	if (!o->record.evidence) {
		if (provider)
			LOG(&o->platform, CVTPM_LOG_INFO,
			    "this TPM was made without TEE evidence and gets none from %",
			    LOG_TEXT(provider->name));
		o->config.provider = NULL;
		return 0;
	}
	CVTPM_TRY(evidence_check_store(o, o->record.lab));
	if (!provider || provider->lab == o->record.lab)
		return 0;
	LOG(&o->platform, CVTPM_LOG_ERROR,
	    "this TPM was made with evidence of % AMD-SP and gets none from %",
	    LOG_TEXT(o->record.lab ? "the simulated" : "a real"), LOG_TEXT(provider->name));
	return CVTPM_ERR_POLICY;
}

static int open_made(struct cvtpm_instance *o)
{
	struct storage_count count;
	bool is_new;

	CVTPM_TRY(check_provider(o));
	CVTPM_TRY(storage_count(o->platform.store, &count));
	if (count.foreign == 0) {
		LOG(&o->platform, CVTPM_LOG_ERROR, "the store has the record % but no state of %",
		    LOG_TEXT(RECORD_KEY), LOG_TEXT("a TPM"));
		return CVTPM_ERR_FORMAT;
	}
	CVTPM_TRY(
		o->config.engine->create(&o->tpm, &o->platform, &o->config.engine_config, &is_new));
	if (is_new) {
		LOG(&o->platform, CVTPM_LOG_ERROR, "the store holds a TPM, but none of engine %",
		    LOG_TEXT(o->config.engine->name));
		return CVTPM_ERR_FORMAT;
	}
	return o->config.leave_off ? 0 : cvtpm_instance_power_on(o);
}

/* There is no record: nothing, or something that nobody vouches for. */
static int open_unmade(struct cvtpm_instance *o)
{
	struct storage_count count;

	if (!owner_is_persistent(o))
		return open_new(o);
	CVTPM_TRY(storage_count(o->platform.store, &count));
	if (count.all == 0)
		return CVTPM_ERR_NOT_FOUND;
	LOG(&o->platform, CVTPM_LOG_ERROR,
	    "the store holds % records but not %: it was not manufactured by this program",
	    LOG_NUMBER(count.all), LOG_TEXT(RECORD_KEY));
	return CVTPM_ERR_FORMAT;
}

int cvtpm_instance_open(struct cvtpm_instance **instance, void *memory,
			const struct cvtpm_platform *platform,
			const struct cvtpm_instance_config *config)
{
	struct cvtpm_instance *o = memory;
	int err;

	CVTPM_TRY(check_config(platform, config));
	begin(o, platform, config);
	err = storage_load_record(o);
	if (err == 0)
		err = open_made(o);
	else if (err == CVTPM_ERR_NOT_FOUND)
		err = open_unmade(o);
	if (err < 0) {
		end(o);
		return err;
	}
	*instance = o;
	return 0;
}

static int manufacture_into(struct cvtpm_instance *o, struct cvtpm_store *scratch)
{
	struct cvtpm_store *store = o->platform.store;
	struct storage_count count;

	CVTPM_TRY(storage_count(store, &count));
	if (count.all)
		return CVTPM_ERR_STATE;
	CVTPM_TRY(storage_count(scratch, &count));
	if (count.all || scratch->kind != CVTPM_STORE_MEMORY || scratch == store)
		return CVTPM_ERR_PARAM;
	if (o->config.provider)
		CVTPM_TRY(evidence_check_store(o, o->config.provider->lab));

	o->platform.store = scratch;
	CVTPM_TRY(make_new(o));
	o->config.engine->destroy(o->tpm);
	o->tpm = NULL;
	return storage_copy(o, scratch, store);
}

int cvtpm_instance_manufacture(void *memory, const struct cvtpm_platform *platform,
			       struct cvtpm_store *scratch,
			       const struct cvtpm_instance_config *config)
{
	struct cvtpm_instance *o = memory;
	int err;

	CVTPM_TRY(check_config(platform, config));
	begin(o, platform, config);
	err = manufacture_into(o, scratch);
	end(o);
	return err;
}

int cvtpm_instance_shutdown(struct cvtpm_instance *o)
{
	int err;

	if (!o->started || o->orderly)
		return 0;
	err = tpm_shutdown(&o->client, TPM_SU_CLEAR);
	if (err < 0)
		return owner_log_failure(o, CVTPM_LOG_WARN, "shutting down", "the TPM", err);
	o->orderly = true;
	return 0;
}

void cvtpm_instance_close(struct cvtpm_instance *o)
{
	if (!o)
		return;
	cvtpm_instance_shutdown(o);
	end(o);
}

/* ---- commands ---- */

static int answer_failure(uint8_t *response, size_t *response_len)
{
	static const uint8_t failure[] = {0x80, 0x01, 0, 0, 0, 10, 0, 0, 1, 1}; /* TPM_RC_FAILURE */

	memcpy(response, failure, sizeof failure);
	*response_len = sizeof failure;
	return 0;
}

/* What of a command matters to the owner. */
struct glance {
	uint32_t code;
	bool resume; /* TPM2_Startup(STATE): anything that is not certainly that, is not */
};

static struct glance glance_at(const uint8_t *command, size_t len)
{
	struct wire_reader r = {command, len};
	struct glance glance;

	wire_take_bytes(&r, 6);
	glance.code = (uint32_t)wire_take(&r, 4);
	glance.resume = wire_take(&r, 2) == TPM_SU_STATE && wire_ended(&r);
	return glance;
}

int cvtpm_instance_execute(struct cvtpm_instance *o, uint8_t locality, const uint8_t *command,
			   size_t command_len, uint8_t *response, size_t *response_len)
{
	struct glance glance = glance_at(command, command_len);
	bool success;

	if (o->failed)
		return answer_failure(response, response_len);
	CVTPM_TRY(o->config.engine->execute(o->tpm, locality, command, command_len, response,
					    response_len));
	success = response_code(response, *response_len) == 0;
	o->orderly = success && glance.code == CC_SHUTDOWN;
	if (!success || glance.code != CC_STARTUP)
		return 0;

	o->started = true;
	if (glance.resume || renew_after_startup(o) == 0)
		return 0;
	cvtpm_instance_fail_until_reset(o, "the owner's work after TPM2_Startup did not succeed");
	return answer_failure(response, response_len);
}

int cvtpm_instance_startup(struct cvtpm_instance *o, bool state)
{
	int err = tpm_startup(&o->user, state ? TPM_SU_STATE : TPM_SU_CLEAR);

	if (err == CVTPM_ERR_TPM)
		LOG(&o->platform, CVTPM_LOG_ERROR, "TPM2_Startup(%) answered %",
		    LOG_TEXT(state ? "STATE" : "CLEAR"), LOG_HEX(o->user.rc));
	return err;
}

void cvtpm_instance_cancel(struct cvtpm_instance *o)
{
	if (!__atomic_load_n(&o->busy, __ATOMIC_SEQ_CST))
		o->config.engine->cancel(o->tpm);
}

int cvtpm_instance_hash_start(struct cvtpm_instance *o)
{
	return o->failed ? CVTPM_ERR_STATE : o->config.engine->hash_start(o->tpm);
}

int cvtpm_instance_hash_data(struct cvtpm_instance *o, const uint8_t *data, size_t len)
{
	return o->failed ? CVTPM_ERR_STATE : o->config.engine->hash_data(o->tpm, data, len);
}

int cvtpm_instance_hash_end(struct cvtpm_instance *o)
{
	return o->failed ? CVTPM_ERR_STATE : o->config.engine->hash_end(o->tpm);
}

bool cvtpm_instance_established(struct cvtpm_instance *o)
{
	return o->config.engine->established(o->tpm);
}

int cvtpm_instance_reset_established(struct cvtpm_instance *o, uint8_t locality)
{
	return o->config.engine->reset_established(o->tpm, locality);
}

/* ---- what a transport asks ---- */

int cvtpm_instance_buffer_size(struct cvtpm_instance *o, uint32_t *size, uint32_t *min,
			       uint32_t *max)
{
	if (!o->config.engine->buffer_size)
		return CVTPM_ERR_UNSUPPORTED;
	return o->config.engine->buffer_size(o->tpm, size, min, max);
}

int cvtpm_instance_describe(struct cvtpm_instance *o, uint32_t what, char *json, size_t *len)
{
	if (!o->config.engine->describe)
		return CVTPM_ERR_UNSUPPORTED;
	return o->config.engine->describe(o->tpm, what, json, len);
}

/* ---- state blobs ---- */

static int check_export(struct cvtpm_instance *o)
{
	if (!o->record.evidence)
		return 0;
	LOG(&o->platform, CVTPM_LOG_ERROR,
	    "a TPM that holds % evidence is neither exported nor replaced: its seeds would be "
	    "known",
	    LOG_TEXT(o->record.lab ? "lab" : "TEE"));
	return CVTPM_ERR_POLICY;
}

int cvtpm_instance_save_state(struct cvtpm_instance *o, enum cvtpm_blob kind, uint8_t *blob,
			      size_t *len)
{
	CVTPM_TRY(check_export(o));
	return o->config.engine->save_state(o->tpm, kind, blob, len);
}

/* Another TPM's state: what the owner made is gone, and nothing speaks for what came. */
static int forget_made(struct cvtpm_instance *o)
{
	o->record = (struct record){0};
	return storage_save_record(o);
}

int cvtpm_instance_load_state(struct cvtpm_instance *o, enum cvtpm_blob kind, const uint8_t *blob,
			      size_t len)
{
	CVTPM_TRY(check_export(o));
	CVTPM_TRY(o->config.engine->load_state(o->tpm, kind, blob, len));
	return kind == CVTPM_BLOB_PERMANENT ? forget_made(o) : 0;
}

void cvtpm_instance_get_info(const struct cvtpm_instance *o, struct cvtpm_instance_info *info)
{
	*info = (struct cvtpm_instance_info){
		.persistent = owner_is_persistent(o),
		.evidence = o->record.evidence,
		.lab = o->record.lab,
		.started = o->started,
		.failed = o->failed,
	};
	for (size_t i = 0; i < o->record.count; i++)
		info->eks |= (unsigned)o->record.eks[i].ek->kind;
}
