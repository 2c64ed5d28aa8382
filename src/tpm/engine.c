/* The native engine behind the engine seam (include/cvtpm/engine.h). */
#include "tpm/tpm.h"

#include "crypto/mem.h"
#include "tpm/version.h"

#define NATIVE_BUFFER_MIN 2808 /* as libtpms has it; the largest response is shorter */

_Static_assert(sizeof(struct tpm) <= 256 * 1024, "an instance with its NV is at most 256 KiB");

static struct tpm *insides(struct cvtpm_tpm *tpm)
{
	return (struct tpm *)(void *)tpm;
}

static const char *native_version(void)
{
	return "native " CVTPM_VERSION;
}

static size_t native_size(void)
{
	return sizeof(struct tpm);
}

static bool size_is_possible(uint32_t size)
{
	return size >= NATIVE_BUFFER_MIN && size <= CVTPM_MAX_BUFFER_SIZE;
}

static void native_destroy(struct cvtpm_tpm *tpm)
{
	if (!tpm)
		return;
	cvtpm_drbg_end(&insides(tpm)->drbg);
	cvtpm_wipe(tpm, sizeof(struct tpm));
}

static int native_create(struct cvtpm_tpm **tpm, const struct cvtpm_platform *platform,
			 const struct cvtpm_engine_config *config, bool *is_new)
{
	struct tpm *t = config ? config->memory : NULL;
	uint32_t size = config && config->buffer_size ? config->buffer_size : CVTPM_CRB_BUFFER_SIZE;
	int err;

	if (!t || !size_is_possible(size))
		return CVTPM_ERR_PARAM;
	memset(t, 0, offsetof(struct tpm, journal));
	t->journal.used = 0;
	t->journal.overflow = false;
	t->nv.used = 0;
	t->nv.dirty = t->nv.removing = false;
	t->platform = platform;
	t->buffer_size = size;
	t->contexts.sessions.count = MAX_ACTIVE_SESSIONS;
	err = cvtpm_drbg_begin(&t->drbg, platform->entropy, platform->context);
	if (!err)
		err = state_load(t, is_new);
	if (err) {
		native_destroy((struct cvtpm_tpm *)(void *)t);
		return err;
	}
	*tpm = (struct cvtpm_tpm *)(void *)t;
	return 0;
}

/* _TPM_Init, or, where the state of a running TPM was loaded, the end of its pause. */
static int native_power_on(struct cvtpm_tpm *tpm)
{
	struct tpm *t = insides(tpm);

	tpm_init(t);
	t->powered = true;
	return blob_resume(t);
}

static void native_power_off(struct cvtpm_tpm *tpm)
{
	insides(tpm)->powered = insides(tpm)->started = insides(tpm)->failed = false;
}

static int native_execute(struct cvtpm_tpm *tpm, uint8_t locality, const uint8_t *command,
			  size_t command_len, uint8_t *response, size_t *response_len)
{
	struct tpm *t = insides(tpm);

	if (!t->powered)
		return CVTPM_ERR_STATE;
	tpm_execute(t, locality, command, command_len, response, response_len);
	return 0;
}

static void native_cancel(struct cvtpm_tpm *tpm)
{
	insides(tpm)->cancel = true;
}

static int native_hash_start(struct cvtpm_tpm *tpm)
{
	return insides(tpm)->powered ? pcr_hash_start(insides(tpm)) : CVTPM_ERR_STATE;
}

static int native_hash_data(struct cvtpm_tpm *tpm, const uint8_t *data, size_t len)
{
	return insides(tpm)->powered ? pcr_hash_data(insides(tpm), data, len) : CVTPM_ERR_STATE;
}

static int native_hash_end(struct cvtpm_tpm *tpm)
{
	return insides(tpm)->powered ? pcr_hash_end(insides(tpm)) : CVTPM_ERR_STATE;
}

static bool native_established(struct cvtpm_tpm *tpm)
{
	return insides(tpm)->powered && insides(tpm)->established;
}

static int native_reset_established(struct cvtpm_tpm *tpm, uint8_t locality)
{
	if (locality != 3 && locality != 4)
		return CVTPM_ERR_POLICY;
	if (!insides(tpm)->powered)
		return CVTPM_ERR_STATE;
	insides(tpm)->established = false;
	return 0;
}

static int native_save_state(struct cvtpm_tpm *tpm, enum cvtpm_blob kind, uint8_t *blob,
			     size_t *len)
{
	return blob_save(insides(tpm), kind, blob, len);
}

static int native_load_state(struct cvtpm_tpm *tpm, enum cvtpm_blob kind, const uint8_t *blob,
			     size_t len)
{
	if (insides(tpm)->powered)
		return CVTPM_ERR_STATE;
	return blob_load(insides(tpm), kind, blob, len);
}

static int native_buffer_size(struct cvtpm_tpm *tpm, uint32_t *size, uint32_t *min, uint32_t *max)
{
	struct tpm *t = insides(tpm);

	*min = NATIVE_BUFFER_MIN;
	*max = CVTPM_MAX_BUFFER_SIZE;
	if (*size && t->powered)
		return CVTPM_ERR_STATE;
	if (*size)
		t->buffer_size = *size < *min ? *min : *size > *max ? *max : *size;
	*size = t->buffer_size;
	return 0;
}

static int native_describe(struct cvtpm_tpm *tpm, uint32_t what, char *json, size_t *len)
{
	(void)tpm;
	return tpm_describe(what, json, len);
}

const struct cvtpm_engine cvtpm_engine_native = {
	.name = "native",
	.version = native_version,
	.size = native_size,
	.create = native_create,
	.power_on = native_power_on,
	.power_off = native_power_off,
	.execute = native_execute,
	.cancel = native_cancel,
	.hash_start = native_hash_start,
	.hash_data = native_hash_data,
	.hash_end = native_hash_end,
	.established = native_established,
	.reset_established = native_reset_established,
	.save_state = native_save_state,
	.load_state = native_load_state,
	.buffer_size = native_buffer_size,
	.describe = native_describe,
	.destroy = native_destroy,
};
