/*
 * The engine seam over packaged libtpms.
 *
 * libtpms keeps its TPM in some seventy variables of the process and calls
 * back without a context. Everything odd in this file follows from that:
 *
 * One instance. `the_instance` below is the one global of this file, because
 * the callbacks have no other way to find what they belong to. create claims
 * it, destroy gives it back, and a second create in between is CVTPM_ERR_BUSY.
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
 *
 * Entropy. libtpms draws from OpenSSL's RAND_bytes, which is seeded by the
 * kernel; platform->entropy is not asked. Without entropy RAND_bytes fails and
 * libtpms goes into failure mode.
 *
 * Wiping. The library clears its secrets where the TPM specification asks for
 * it, but offers no call that clears its variables: after destroy the last
 * state stays in the process's memory until another instance is made or the
 * process ends.
 */
#include "cvtpm/engine.h"
#include "cvtpm/err.h"
#include "cvtpm/platform.h"
#include "cvtpm/stores.h"

#include "crypto/crypto.h"

#include <libtpms/tpm_error.h>
#include <libtpms/tpm_library.h>
#include <libtpms/tpm_memory.h>
#include <libtpms/tpm_nvfilename.h>
#include <libtpms/tpm_tis.h>

#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RC_INITIALIZE     0x100u
#define RC_FAILURE        0x101u
#define RC_COMMAND_SIZE   0x142u
#define RC_NV_UNAVAILABLE 0x923u
#define HEADER_SIZE       10

/* The greatest state blob that is taken: libtpms' are well under 1 MiB. */
#define BLOB_MAX_SIZE ((size_t)4 << 20)

struct cvtpm_tpm {
	const struct cvtpm_platform *platform;
	uint32_t buffer_size;
	int null_fd; /* where the library's own messages go: they dump whole commands */
	bool on;
	bool failed; /* state was lost: failure mode until power_on */
	uint8_t locality;

	bool may_manufacture; /* an empty store means: make a new TPM */
	int load_error;       /* why the load callback failed since it was cleared */
	int store_error;      /* the same of the store callback */

	/* What the load callback gives for one record in place of the store's. */
	const char *candidate_name;
	const uint8_t *candidate;
	size_t candidate_len;

	/* Digest of the permanent state that is in the store. */
	uint8_t durable[32];

	/* libtpms decrypts parameters in place, so it gets a copy. */
	uint8_t command[CVTPM_MAX_BUFFER_SIZE];
};

/* See above. Set by create, cleared by destroy; read by the callbacks, which
 * run in the thread that is inside the instance. */
static _Atomic(struct cvtpm_tpm *) the_instance;

static struct cvtpm_tpm *instance(void)
{
	return atomic_load(&the_instance);
}

__attribute__((format(printf, 3, 4))) static void
tpm_log(const struct cvtpm_tpm *tpm, enum cvtpm_log_level level, const char *format, ...)
{
	char line[256];
	va_list arguments;

	if (!tpm->platform->log)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	tpm->platform->log(tpm->platform->context, level, line);
}

/* ---- records ---- */

static const struct blob {
	const char *name; /* what libtpms calls it */
	const char *key;  /* the record */
	enum TPMLIB_StateType type;
} blobs[] = {
	[CVTPM_BLOB_PERMANENT] = {TPM_PERMANENT_ALL_NAME, "libtpms/permall",
				  TPMLIB_STATE_PERMANENT},
	[CVTPM_BLOB_VOLATILE] = {TPM_VOLATILESTATE_NAME, "libtpms/volatilestate",
				 TPMLIB_STATE_VOLATILE},
	[CVTPM_BLOB_SAVED] = {TPM_SAVESTATE_NAME, "libtpms/savestate", TPMLIB_STATE_SAVE_STATE},
};

static const struct blob *blob_named(const char *name)
{
	for (size_t i = 0; i < sizeof blobs / sizeof *blobs; i++)
		if (strcmp(blobs[i].name, name) == 0)
			return &blobs[i];
	return NULL;
}

static void blob_free(uint8_t *data, size_t len)
{
	if (data)
		cvtpm_wipe(data, len);
	free(data);
}

/* Reads a record into memory from malloc, as libtpms wants it. */
static int record_read(struct cvtpm_store *store, const char *key, uint8_t **data, size_t *len)
{
	int err = cvtpm_store_get(store, key, NULL, 0, len);

	if (err == 0) /* a record of length 0 */
		return CVTPM_ERR_FORMAT;
	if (err != CVTPM_ERR_SIZE)
		return err;
	if (*len > BLOB_MAX_SIZE)
		return CVTPM_ERR_FORMAT;
	*data = malloc(*len);
	if (!*data)
		return CVTPM_ERR_NO_MEMORY;
	err = cvtpm_store_get(store, key, *data, *len, len);
	if (err < 0) {
		blob_free(*data, *len);
		*data = NULL;
	}
	return err;
}

/* 1, 0, or the error of the store. */
static int record_exists(struct cvtpm_store *store, const char *key)
{
	size_t len;
	int err = cvtpm_store_get(store, key, NULL, 0, &len);

	if (err == 0 || err == CVTPM_ERR_SIZE)
		return 1;
	return err == CVTPM_ERR_NOT_FOUND ? 0 : err;
}

static int record_remove(struct cvtpm_store *store, const char *key)
{
	struct cvtpm_change change = {.key = key};

	return cvtpm_store_commit(store, &change, 1);
}

/* ---- the library's callbacks ---- */

static TPM_RESULT on_nvram_init(void)
{
	return TPM_SUCCESS;
}

static int candidate_copy(const struct cvtpm_tpm *tpm, uint8_t **data, size_t *len)
{
	*data = malloc(tpm->candidate_len);
	if (!*data)
		return CVTPM_ERR_NO_MEMORY;
	memcpy(*data, tpm->candidate, tpm->candidate_len);
	*len = tpm->candidate_len;
	return 0;
}

static TPM_RESULT on_load(unsigned char **data, uint32_t *length, uint32_t number, const char *name)
{
	struct cvtpm_tpm *tpm = instance();
	const struct blob *blob = blob_named(name);
	size_t len = 0;
	int err;

	(void)number;
	*data = NULL;
	*length = 0;
	if (!blob)
		return TPM_RETRY;
	if (tpm->candidate_name && strcmp(tpm->candidate_name, name) == 0)
		err = candidate_copy(tpm, data, &len);
	else
		err = record_read(tpm->platform->store, blob->key, data, &len);
	*length = (uint32_t)len;

	if (err == 0)
		return TPM_SUCCESS;
	*length = 0;
	/* TPM_RETRY for the permanent state means: make a new TPM. Never where
	 * there was one. */
	if (err == CVTPM_ERR_NOT_FOUND &&
	    (blob->type != TPMLIB_STATE_PERMANENT || tpm->may_manufacture))
		return TPM_RETRY;
	tpm->load_error = err == CVTPM_ERR_NOT_FOUND ? CVTPM_ERR_FORMAT : err;
	return TPM_FAIL;
}

/* Called by libtpms before it answers a command that changed what is permanent. */
static TPM_RESULT on_store(const unsigned char *data, uint32_t length, uint32_t number,
			   const char *name)
{
	struct cvtpm_tpm *tpm = instance();
	const struct blob *blob = blob_named(name);
	struct cvtpm_change change;
	uint8_t digest[32];
	int err;

	(void)number;
	if (!blob)
		return TPM_FAIL;
	/* It also calls for changes that come to nothing; a commit costs an fsync. */
	err = cvtpm_hash(CVTPM_SHA256, data, length, digest);
	if (err == 0 && blob->type == TPMLIB_STATE_PERMANENT &&
	    memcmp(digest, tpm->durable, sizeof digest) == 0)
		return TPM_SUCCESS;

	change = (struct cvtpm_change){.key = blob->key, .value = data, .value_len = length};
	if (err == 0)
		err = cvtpm_store_commit(tpm->platform->store, &change, 1);
	if (err < 0) {
		tpm->store_error = err;
		return TPM_FAIL;
	}
	if (blob->type == TPMLIB_STATE_PERMANENT)
		memcpy(tpm->durable, digest, sizeof digest);
	return TPM_SUCCESS;
}

static TPM_RESULT on_delete(uint32_t number, const char *name, TPM_BOOL must_exist)
{
	struct cvtpm_tpm *tpm = instance();
	const struct blob *blob = blob_named(name);
	int found = blob ? record_exists(tpm->platform->store, blob->key) : 0;

	(void)number;
	if (found == 0)
		return must_exist ? TPM_FAIL : TPM_SUCCESS;
	if (found > 0)
		found = record_remove(tpm->platform->store, blob->key);
	if (found < 0)
		tpm->store_error = found;
	return found < 0 ? TPM_FAIL : TPM_SUCCESS;
}

static TPM_RESULT on_io_init(void)
{
	return TPM_SUCCESS;
}

static TPM_RESULT on_get_locality(TPM_MODIFIER_INDICATOR *locality, uint32_t number)
{
	(void)number;
	*locality = instance()->locality;
	return TPM_SUCCESS;
}

static TPM_RESULT on_get_physical_presence(TPM_BOOL *presence, uint32_t number)
{
	const struct cvtpm_platform *platform = instance()->platform;

	(void)number;
	*presence = platform->physical_presence && platform->physical_presence(platform->context);
	return TPM_SUCCESS;
}

/* ---- the library's commands ---- */

static uint32_t get_u32(const uint8_t *in)
{
	return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

/* Hands one command to the library; `*bytes` is the library's, from malloc. */
static TPM_RESULT library_process(struct cvtpm_tpm *tpm, const uint8_t *command, size_t len,
				  uint8_t **bytes, uint32_t *bytes_len, uint32_t *room)
{
	TPM_RESULT result;

	memcpy(tpm->command, command, len);
	result = TPMLIB_Process(bytes, bytes_len, room, tpm->command, (uint32_t)len);
	cvtpm_wipe(tpm->command, len);
	return result;
}

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
	if (result == TPM_SUCCESS && bytes_len >= HEADER_SIZE)
		rc = get_u32(bytes + 6);
	cvtpm_wipe(command, sizeof command);
	blob_free(bytes, room);
	/* Saved before TPM2_Startup, it is reseeded by that. */
	return rc == 0 || rc == RC_INITIALIZE ? 0 : CVTPM_ERR_FORMAT;
}

/* ---- power ---- */

/* What must be said to the library before each start; it forgets some of it. */
static int library_prepare(struct cvtpm_tpm *tpm)
{
	struct libtpms_callbacks callbacks = {
		.sizeOfStruct = sizeof callbacks,
		.tpm_nvram_init = on_nvram_init,
		.tpm_nvram_loaddata = on_load,
		.tpm_nvram_storedata = on_store,
		.tpm_nvram_deletename = on_delete,
		.tpm_io_init = on_io_init,
		.tpm_io_getlocality = on_get_locality,
		.tpm_io_getphysicalpresence = on_get_physical_presence,
	};
	uint32_t got, min, max;

	/* Without a descriptor it writes errors to stderr, passwords included. */
	TPMLIB_SetDebugFD(tpm->null_fd);
	TPMLIB_SetDebugLevel(0);
	if (TPMLIB_ChooseTPMVersion(TPMLIB_TPM_VERSION_2) != TPM_SUCCESS ||
	    TPMLIB_RegisterCallbacks(&callbacks) != TPM_SUCCESS)
		return CVTPM_ERR_UNSUPPORTED;
	got = TPMLIB_SetBufferSize(tpm->buffer_size, &min, &max);
	if (got == tpm->buffer_size)
		return 0;
	tpm_log(tpm, CVTPM_LOG_ERROR,
		"libtpms cannot work with buffers of %u bytes, only with %u to %u",
		tpm->buffer_size, min, max);
	return CVTPM_ERR_UNSUPPORTED;
}

static void library_end(struct cvtpm_tpm *tpm)
{
	if (tpm->on)
		TPMLIB_Terminate();
	tpm->on = false;
}

static int library_start(struct cvtpm_tpm *tpm)
{
	TPM_RESULT result;

	CVTPM_TRY(library_prepare(tpm));
	tpm->load_error = tpm->store_error = 0;
	result = TPMLIB_MainInit();
	tpm->on = true;
	if (result == TPM_SUCCESS && tpm->load_error == 0 && tpm->store_error == 0)
		return 0;

	library_end(tpm);
	if (tpm->store_error < 0)
		return CVTPM_ERR_STORE;
	if (tpm->load_error < 0)
		return tpm->load_error;
	tpm_log(tpm, CVTPM_LOG_ERROR, "libtpms does not start (0x%x): its saved state is damaged",
		(unsigned)result);
	return CVTPM_ERR_FORMAT;
}

/* Whether libtpms can read the record of `blob`, or the candidate in its place. */
static int library_validate(struct cvtpm_tpm *tpm, const struct blob *blob)
{
	TPM_RESULT result;

	CVTPM_TRY(library_prepare(tpm));
	tpm->load_error = tpm->store_error = 0;
	result = TPMLIB_ValidateState(blob->type | TPMLIB_STATE_PERMANENT, 0);
	if (tpm->load_error < 0)
		return tpm->load_error;
	return result == TPM_SUCCESS ? 0 : CVTPM_ERR_FORMAT;
}

static int libtpms_power_on(struct cvtpm_tpm *tpm)
{
	struct cvtpm_store *store = tpm->platform->store;
	const char *volatile_key = blobs[CVTPM_BLOB_VOLATILE].key;
	int found, err;

	library_end(tpm);
	tpm->failed = false;
	found = record_exists(store, volatile_key);
	if (found < 0)
		return found;
	CVTPM_TRY(library_start(tpm));
	if (found == 0)
		return 0;

	/* A running TPM was loaded. It runs on once: the next reset is a reset. */
	err = reseed(tpm);
	if (err == 0 && record_remove(store, volatile_key) < 0)
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
	err = record_exists(tpm->platform->store, blobs[CVTPM_BLOB_PERMANENT].key);
	return err == 1 ? 0 : CVTPM_ERR_STORE;
}

static int tpm_open(struct cvtpm_tpm *tpm, bool *is_new)
{
	struct cvtpm_store *store = tpm->platform->store;
	const struct blob *blob = &blobs[CVTPM_BLOB_PERMANENT];
	int sealed = cvtpm_store_is_sealed(store), found, err;

	if (sealed < 0)
		return sealed;
	if (sealed) {
		tpm_log(tpm, CVTPM_LOG_ERROR, "this state is sealed: it needs its key");
		return CVTPM_ERR_FORMAT;
	}
	found = record_exists(store, blob->key);
	if (found < 0)
		return found;
	*is_new = !found;
	if (*is_new)
		return tpm_manufacture(tpm);

	err = library_validate(tpm, blob);
	if (err == CVTPM_ERR_FORMAT)
		tpm_log(tpm, CVTPM_LOG_ERROR, "the record %s is damaged or not of this libtpms",
			blob->key);
	return err;
}

static void libtpms_destroy(struct cvtpm_tpm *tpm)
{
	if (!tpm)
		return;
	library_end(tpm);
	TPMLIB_SetDebugFD(-1);
	if (tpm->null_fd >= 0)
		close(tpm->null_fd);
	atomic_store(&the_instance, NULL);
	cvtpm_wipe(tpm, sizeof *tpm);
	free(tpm);
}

static int libtpms_create(struct cvtpm_tpm **out, const struct cvtpm_platform *platform,
			  const struct cvtpm_engine_config *config, bool *is_new)
{
	struct cvtpm_tpm *nobody = NULL, *tpm;
	uint32_t size = config && config->buffer_size ? config->buffer_size : CVTPM_CRB_BUFFER_SIZE;
	int err;

	if (size < 1024 || size > CVTPM_MAX_BUFFER_SIZE)
		return CVTPM_ERR_PARAM;
	tpm = calloc(1, sizeof *tpm);
	if (!tpm)
		return CVTPM_ERR_NO_MEMORY;
	tpm->platform = platform;
	tpm->buffer_size = size;
	if (!atomic_compare_exchange_strong(&the_instance, &nobody, tpm)) {
		free(tpm);
		return CVTPM_ERR_BUSY;
	}
	tpm->null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	err = tpm->null_fd < 0 ? CVTPM_ERR_IO : tpm_open(tpm, is_new);
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
	const uint8_t bytes[HEADER_SIZE] = {
		0x80,
		0x01,
		0,
		0,
		0,
		HEADER_SIZE,
		(uint8_t)(rc >> 24),
		(uint8_t)(rc >> 16),
		(uint8_t)(rc >> 8),
		(uint8_t)rc,
	};

	memcpy(response, bytes, sizeof bytes);
	*response_len = sizeof bytes;
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
	if (command_len < HEADER_SIZE || command_len > tpm->buffer_size ||
	    get_u32(command + 2) != command_len)
		return answer(RC_COMMAND_SIZE, response, response_len);

	tpm->locality = locality;
	tpm->store_error = 0;
	result = library_process(tpm, command, command_len, &bytes, &bytes_len, &room);

	if (tpm->store_error < 0) {
		tpm_log(tpm, CVTPM_LOG_ERROR,
			"the TPM's state could not be stored (%s): volatile state is lost, the TPM "
			"is in failure mode until the machine is reset",
			cvtpm_strerror(tpm->store_error));
		library_end(tpm);
		tpm->failed = true;
		answer(RC_NV_UNAVAILABLE, response, response_len);
	} else if (result != TPM_SUCCESS || bytes_len < HEADER_SIZE ||
		   bytes_len > tpm->buffer_size || get_u32(bytes + 2) != bytes_len) {
		answer(RC_FAILURE, response, response_len);
	} else {
		memcpy(response, bytes, bytes_len);
		*response_len = bytes_len;
	}
	blob_free(bytes, room);
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
		return record_read(tpm->platform->store, blob->key, data, len);
	if (TPMLIB_GetState(blob->type, &bytes, &bytes_len) != TPM_SUCCESS || bytes_len == 0) {
		blob_free(bytes, bytes_len);
		return CVTPM_ERR_NOT_FOUND;
	}
	*data = bytes;
	*len = bytes_len;
	return 0;
}

static int libtpms_save_state(struct cvtpm_tpm *tpm, enum cvtpm_blob kind, uint8_t *blob,
			      size_t *len)
{
	uint8_t *data = NULL;
	size_t data_len = 0, capacity = *len;

	if ((unsigned)kind >= sizeof blobs / sizeof *blobs)
		return CVTPM_ERR_PARAM;
	CVTPM_TRY(blob_now(tpm, &blobs[kind], &data, &data_len));
	*len = data_len;
	if (blob && data_len <= capacity)
		memcpy(blob, data, data_len);
	blob_free(data, data_len);
	return blob && data_len > capacity ? CVTPM_ERR_SIZE : 0;
}

static int libtpms_load_state(struct cvtpm_tpm *tpm, enum cvtpm_blob kind, const uint8_t *blob,
			      size_t len)
{
	struct cvtpm_change change = {.value = len ? blob : NULL, .value_len = len};
	int err;

	if ((unsigned)kind >= sizeof blobs / sizeof *blobs || (len > 0 && !blob))
		return CVTPM_ERR_PARAM;
	if (tpm->on || tpm->failed)
		return CVTPM_ERR_STATE;
	if (len > BLOB_MAX_SIZE)
		return CVTPM_ERR_FORMAT;
	if (kind == CVTPM_BLOB_PERMANENT && len == 0)
		return CVTPM_ERR_STATE; /* a TPM without seeds is none */

	if (len > 0) {
		tpm->candidate_name = blobs[kind].name;
		tpm->candidate = blob;
		tpm->candidate_len = len;
		err = library_validate(tpm, &blobs[kind]);
		tpm->candidate_name = NULL;
		tpm->candidate = NULL;
		if (err < 0)
			return err;
	}
	change.key = blobs[kind].key;
	memset(tpm->durable, 0, sizeof tpm->durable);
	return cvtpm_store_commit(tpm->platform->store, &change, 1);
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
