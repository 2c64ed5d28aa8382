/*
 * The engine seam over packaged libtpms.
 *
 * One instance. The library is the process's (library.c): create claims it,
 * destroy gives it back, and a second create in between is CVTPM_ERR_BUSY.
 *
 * A failed commit. When its state cannot be stored, libtpms answers
 * TPM_RC_FAILURE for ever after, and it has no undo: what the command changed
 * is in its memory and cannot be taken back. So the adapter answers this one
 * command with TPM_RC_NV_UNAVAILABLE and ends the library; the next power_on
 * begins from the last state that is durable in the store. Until then the TPM
 * is in failure mode and answers TPM_RC_FAILURE to everything. It must not be
 * started again at once: that would be a TPM with fresh PCRs under a machine
 * that runs on, and a guest that can fill a disk could have one whenever it
 * likes, replay a measured boot into it and be taken for something else. Only
 * the platform resets a TPM.
 */
#include "cvtpm/engine.h"
#include "cvtpm/err.h"
#include "cvtpm/platform.h"
#include "cvtpm/stores.h"

#include "crypto/crypto.h"
#include "host/frame.h"
#include "host/log.h"
#include "libtpms/library.h"

#include <libtpms/tpm_error.h>
#include <libtpms/tpm_tis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RC_INITIALIZE     0x100u
#define RC_FAILURE        0x101u
#define RC_COMMAND_SIZE   0x142u
#define RC_NV_UNAVAILABLE 0x923u

/* ---- power ---- */

/* A loaded TPM goes on with the random numbers of the one that was saved, and
 * would give them again each time that it is loaded. TPM2_StirRandom reseeds. */
static int reseed(struct cvtpm_tpm *tpm)
{
	uint8_t command[12 + 32] = {0x80, 0x01, 0, 0, 0, sizeof command, 0, 0, 1, 0x46, 0, 32};
	uint32_t bytes_len = 0, room = 0, rc = RC_FAILURE;
	uint8_t *bytes = NULL;
	TPM_RESULT result;

	CVTPM_TRY(tpm->platform->entropy(tpm->platform->context, command + 12, 32));
	tpm->locality = 0;
	result = library_process(tpm, command, sizeof command, &bytes, &bytes_len, &room);
	if (result == TPM_SUCCESS && bytes_len >= FRAME_HEADER_SIZE)
		rc = frame_get_u32(bytes + 6);
	cvtpm_wipe(command, sizeof command);
	libtpms_blob_free(bytes, room);
	/* Saved before TPM2_Startup, it is reseeded by that. */
	return rc == 0 || rc == RC_INITIALIZE ? 0 : CVTPM_ERR_FORMAT;
}

static int libtpms_power_on(struct cvtpm_tpm *tpm)
{
	struct cvtpm_store *store = tpm->platform->store;
	const struct blob *running = libtpms_blob_of(CVTPM_BLOB_VOLATILE);
	int found, err;

	library_end(tpm);
	tpm->failed = false;
	found = libtpms_blob_exists(store, running);
	if (found < 0)
		return found;
	CVTPM_TRY(library_start(tpm));
	if (found == 0)
		return 0;

	/* A running TPM was loaded. It runs on once: the next reset is a reset. */
	err = reseed(tpm);
	if (err == 0 && libtpms_blob_remove(store, running) < 0)
		err = CVTPM_ERR_STORE;
	if (err < 0)
		library_end(tpm);
	return err;
}

static void libtpms_power_off(struct cvtpm_tpm *tpm)
{
	library_end(tpm);
	tpm->failed = false;
}

/* ---- create and destroy ---- */

static int tpm_manufacture(struct cvtpm_tpm *tpm)
{
	int err;

	tpm->may_manufacture = true;
	err = library_start(tpm);
	tpm->may_manufacture = false;
	if (err < 0)
		return err;
	library_end(tpm);
	err = libtpms_blob_exists(tpm->platform->store, libtpms_blob_of(CVTPM_BLOB_PERMANENT));
	return err == 1 ? 0 : CVTPM_ERR_STORE;
}

static int tpm_open(struct cvtpm_tpm *tpm, bool *is_new)
{
	struct cvtpm_store *store = tpm->platform->store;
	const struct blob *blob = libtpms_blob_of(CVTPM_BLOB_PERMANENT);
	int sealed = cvtpm_store_is_sealed(store), found, err;

	if (sealed < 0)
		return sealed;
	if (sealed) {
		platform_log(tpm->platform, CVTPM_LOG_ERROR,
			     "this state is sealed: it needs its key");
		return CVTPM_ERR_FORMAT;
	}
	found = libtpms_blob_exists(store, blob);
	if (found < 0)
		return found;
	*is_new = !found;
	if (*is_new)
		return tpm_manufacture(tpm);

	err = library_validate(tpm, blob);
	if (err == CVTPM_ERR_FORMAT)
		platform_log(tpm->platform, CVTPM_LOG_ERROR,
			     "the record %s is damaged or not of this libtpms", blob->key);
	return err;
}

static void libtpms_destroy(struct cvtpm_tpm *tpm)
{
	if (!tpm)
		return;
	library_release(tpm);
	cvtpm_wipe(tpm, sizeof *tpm);
	free(tpm);
}

static int libtpms_create(struct cvtpm_tpm **out, const struct cvtpm_platform *platform,
			  const struct cvtpm_engine_config *config, bool *is_new)
{
	struct cvtpm_tpm *tpm;
	uint32_t size = config && config->buffer_size ? config->buffer_size : CVTPM_CRB_BUFFER_SIZE;
	int err;

	if (size < 1024 || size > CVTPM_MAX_BUFFER_SIZE)
		return CVTPM_ERR_PARAM;
	tpm = calloc(1, sizeof *tpm);
	if (!tpm)
		return CVTPM_ERR_NO_MEMORY;
	tpm->platform = platform;
	tpm->buffer_size = size;
	err = library_claim(tpm);
	if (err == CVTPM_ERR_BUSY) {
		free(tpm);
		return err;
	}
	if (err == 0)
		err = tpm_open(tpm, is_new);
	if (err < 0) {
		libtpms_destroy(tpm);
		return err;
	}
	*out = tpm;
	return 0;
}

static const char *libtpms_version(void)
{
	/* The library that is loaded, not the one whose header was there; a
	 * constant, written once for each thread that asks. */
	static _Thread_local char line[40];
	uint32_t v = TPMLIB_GetVersion();

	snprintf(line, sizeof line, "libtpms %u.%u.%u", v >> 16, (v >> 8) & 0xff, v & 0xff);
	return line;
}

/* ---- commands ---- */

static int answer(uint32_t rc, uint8_t *response, size_t *response_len)
{
	frame_put_error(response, rc);
	*response_len = FRAME_HEADER_SIZE;
	return 0;
}

static int libtpms_execute(struct cvtpm_tpm *tpm, uint8_t locality, const uint8_t *command,
			   size_t command_len, uint8_t *response, size_t *response_len)
{
	uint8_t *bytes = NULL;
	uint32_t bytes_len = 0, room = 0;
	TPM_RESULT result;

	if (tpm->failed)
		return answer(RC_FAILURE, response, response_len);
	if (!tpm->on)
		return CVTPM_ERR_STATE;
	if (command_len < FRAME_HEADER_SIZE || command_len > tpm->buffer_size ||
	    frame_get_u32(command + 2) != command_len)
		return answer(RC_COMMAND_SIZE, response, response_len);

	tpm->locality = locality;
	tpm->store_error = 0;
	result = library_process(tpm, command, command_len, &bytes, &bytes_len, &room);

	if (tpm->store_error < 0) {
		platform_log(
			tpm->platform, CVTPM_LOG_ERROR,
			"the TPM's state could not be stored (%s): volatile state is lost, the TPM "
			"is in failure mode until the machine is reset",
			cvtpm_strerror(tpm->store_error));
		library_end(tpm);
		tpm->failed = true;
		answer(RC_NV_UNAVAILABLE, response, response_len);
	} else if (result != TPM_SUCCESS || bytes_len < FRAME_HEADER_SIZE ||
		   bytes_len > tpm->buffer_size || frame_get_u32(bytes + 2) != bytes_len) {
		answer(RC_FAILURE, response, response_len);
	} else {
		memcpy(response, bytes, bytes_len);
		*response_len = bytes_len;
	}
	libtpms_blob_free(bytes, room);
	return 0;
}

/* libtpms forgets a cancel that comes before the command has begun inside it;
 * such a command runs to its end, as it may. */
static void libtpms_cancel(struct cvtpm_tpm *tpm)
{
	(void)tpm;
	TPMLIB_CancelCommand();
}

static int hash_result(TPM_RESULT result)
{
	return result == TPM_SUCCESS ? 0 : CVTPM_ERR_STATE;
}

static int libtpms_hash_start(struct cvtpm_tpm *tpm)
{
	return tpm->on ? hash_result(TPM_IO_Hash_Start()) : CVTPM_ERR_STATE;
}

static int libtpms_hash_data(struct cvtpm_tpm *tpm, const uint8_t *data, size_t len)
{
	if (len > UINT32_MAX)
		return CVTPM_ERR_SIZE;
	return tpm->on ? hash_result(TPM_IO_Hash_Data(data, (uint32_t)len)) : CVTPM_ERR_STATE;
}

static int libtpms_hash_end(struct cvtpm_tpm *tpm)
{
	return tpm->on ? hash_result(TPM_IO_Hash_End()) : CVTPM_ERR_STATE;
}

static bool libtpms_established(struct cvtpm_tpm *tpm)
{
	TPM_BOOL established = FALSE;

	return tpm->on && TPM_IO_TpmEstablished_Get(&established) == TPM_SUCCESS && established;
}

static int libtpms_reset_established(struct cvtpm_tpm *tpm, uint8_t locality)
{
	if (locality != 3 && locality != 4)
		return CVTPM_ERR_POLICY;
	if (!tpm->on)
		return CVTPM_ERR_STATE;
	tpm->locality = locality;
	return hash_result(TPM_IO_TpmEstablished_Reset());
}

/* ---- state blobs ---- */

/* The blob as it is now, in memory from malloc. */
static int blob_now(struct cvtpm_tpm *tpm, const struct blob *blob, uint8_t **data, size_t *len)
{
	unsigned char *bytes = NULL;
	uint32_t bytes_len = 0;

	if (!tpm->on)
		return libtpms_blob_read(tpm->platform->store, blob, data, len);
	if (TPMLIB_GetState(blob->type, &bytes, &bytes_len) != TPM_SUCCESS || bytes_len == 0) {
		libtpms_blob_free(bytes, bytes_len);
		return CVTPM_ERR_NOT_FOUND;
	}
	*data = bytes;
	*len = bytes_len;
	return 0;
}

static int libtpms_save_state(struct cvtpm_tpm *tpm, enum cvtpm_blob kind, uint8_t *blob,
			      size_t *len)
{
	const struct blob *what = libtpms_blob_of(kind);
	uint8_t *data = NULL;
	size_t data_len = 0, capacity = *len;

	if (!what)
		return CVTPM_ERR_PARAM;
	CVTPM_TRY(blob_now(tpm, what, &data, &data_len));
	*len = data_len;
	if (blob && data_len <= capacity)
		memcpy(blob, data, data_len);
	libtpms_blob_free(data, data_len);
	return blob && data_len > capacity ? CVTPM_ERR_SIZE : 0;
}

static int libtpms_load_state(struct cvtpm_tpm *tpm, enum cvtpm_blob kind, const uint8_t *blob,
			      size_t len)
{
	const struct blob *what = libtpms_blob_of(kind);
	uint8_t digest[BLOB_DIGEST_SIZE];
	int err;

	if (!what || (len > 0 && !blob))
		return CVTPM_ERR_PARAM;
	if (tpm->on || tpm->failed)
		return CVTPM_ERR_STATE;
	if (len > BLOB_MAX_SIZE)
		return CVTPM_ERR_FORMAT;
	if (kind == CVTPM_BLOB_PERMANENT && len == 0)
		return CVTPM_ERR_STATE; /* a TPM without seeds is none */

	if (len > 0) {
		tpm->candidate_name = what->name;
		tpm->candidate = blob;
		tpm->candidate_len = len;
		err = library_validate(tpm, what);
		tpm->candidate_name = NULL;
		tpm->candidate = NULL;
		if (err < 0)
			return err;
	}
	memset(tpm->durable, 0, sizeof tpm->durable);
	if (len == 0)
		return libtpms_blob_remove(tpm->platform->store, what);
	CVTPM_TRY(cvtpm_hash(CVTPM_SHA256, blob, len, digest));
	return libtpms_blob_write(tpm->platform->store, what, blob, len, digest);
}

/* ---- what transports ask ---- */

static int libtpms_buffer_size(struct cvtpm_tpm *tpm, uint32_t *size, uint32_t *min, uint32_t *max)
{
	uint32_t wanted = *size;

	TPMLIB_SetBufferSize(0, min, max); /* asks */
	if (*max > CVTPM_MAX_BUFFER_SIZE)
		*max = CVTPM_MAX_BUFFER_SIZE;
	if (wanted && (tpm->on || tpm->failed))
		return CVTPM_ERR_STATE;
	if (wanted && wanted < *min)
		wanted = *min;
	if (wanted > *max)
		wanted = *max;
	if (wanted)
		tpm->buffer_size = wanted; /* library_prepare tells the library */
	*size = tpm->buffer_size;
	return 0;
}

static int libtpms_describe(struct cvtpm_tpm *tpm, uint32_t what, char *json, size_t *len)
{
	const size_t room = *len;
	char *info;

	(void)tpm;
	(void)TPMLIB_ChooseTPMVersion(
		TPMLIB_TPM_VERSION_2); /* refused by a TPM that runs: it is one */
	info = TPMLIB_GetInfo((enum TPMLIB_InfoFlags)what);
	if (!info)
		return CVTPM_ERR_NO_MEMORY;
	*len = strlen(info);
	if (*len < room)
		memcpy(json, info, *len + 1);
	free(info);
	return *len < room ? 0 : CVTPM_ERR_SIZE;
}

const struct cvtpm_engine cvtpm_engine_libtpms = {
	.name = "libtpms",
	.version = libtpms_version,
	.create = libtpms_create,
	.power_on = libtpms_power_on,
	.power_off = libtpms_power_off,
	.execute = libtpms_execute,
	.cancel = libtpms_cancel,
	.hash_start = libtpms_hash_start,
	.hash_data = libtpms_hash_data,
	.hash_end = libtpms_hash_end,
	.established = libtpms_established,
	.reset_established = libtpms_reset_established,
	.save_state = libtpms_save_state,
	.load_state = libtpms_load_state,
	.buffer_size = libtpms_buffer_size,
	.describe = libtpms_describe,
	.destroy = libtpms_destroy,
};
