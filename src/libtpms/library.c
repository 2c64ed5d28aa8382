/*
 * libtpms, which a process has once: its callbacks, its start and its end.
 *
 * It keeps its TPM in some seventy variables of the process and calls back without a
 * context. So `the_instance` is the one global of this folder: the callbacks have no other
 * way to find what they belong to.
 *
 * Entropy. libtpms draws from OpenSSL's RAND_bytes, which is seeded by the kernel;
 * platform->entropy is not asked. Without entropy RAND_bytes fails and libtpms goes into
 * failure mode.
 *
 * Wiping. The library clears its secrets where the TPM specification asks for it, but
 * offers no call that clears its variables: after the release the last state stays in the
 * process's memory until another instance is made or the process ends.
 */
#include "libtpms/library.h"
#include "cvtpm/err.h"
#include "cvtpm/platform.h"

#include "crypto/crypto.h"
#include "host/log.h"

#include <libtpms/tpm_error.h>
#include <libtpms/tpm_memory.h>
#include <libtpms/tpm_tis.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Set by library_claim, cleared by library_release; read by the callbacks, which run in
 * the thread that is inside the instance. */
static _Atomic(struct cvtpm_tpm *) the_instance;

static struct cvtpm_tpm *instance(void)
{
	return atomic_load(&the_instance);
}

/* ---- callbacks ---- */

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
	const struct blob *blob = libtpms_blob_named(name);
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
		err = libtpms_blob_read(tpm->platform->store, blob, data, &len);
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
	const struct blob *blob = libtpms_blob_named(name);
	uint8_t digest[BLOB_DIGEST_SIZE];
	int err;

	(void)number;
	if (!blob)
		return TPM_FAIL;
	/* It also calls for changes that come to nothing; a commit costs an fsync. */
	err = cvtpm_hash(CVTPM_SHA256, data, length, digest);
	if (err == 0 && blob->type == TPMLIB_STATE_PERMANENT &&
	    memcmp(digest, tpm->durable, sizeof digest) == 0)
		return TPM_SUCCESS;

	if (err == 0)
		err = libtpms_blob_write(tpm->platform->store, blob, data, length, digest);
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
	const struct blob *blob = libtpms_blob_named(name);
	int found = blob ? libtpms_blob_exists(tpm->platform->store, blob) : 0;

	(void)number;
	if (found == 0)
		return must_exist ? TPM_FAIL : TPM_SUCCESS;
	if (found > 0)
		found = libtpms_blob_remove(tpm->platform->store, blob);
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

/* ---- start and end ---- */

int library_claim(struct cvtpm_tpm *tpm)
{
	struct cvtpm_tpm *nobody = NULL;

	if (!atomic_compare_exchange_strong(&the_instance, &nobody, tpm))
		return CVTPM_ERR_BUSY;
	tpm->null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return tpm->null_fd < 0 ? CVTPM_ERR_IO : 0;
}

void library_release(struct cvtpm_tpm *tpm)
{
	library_end(tpm);
	TPMLIB_SetDebugFD(-1);
	if (tpm->null_fd >= 0)
		close(tpm->null_fd);
	atomic_store(&the_instance, NULL);
}

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
	platform_log(tpm->platform, CVTPM_LOG_ERROR,
		     "libtpms cannot work with buffers of %u bytes, only with %u to %u",
		     tpm->buffer_size, min, max);
	return CVTPM_ERR_UNSUPPORTED;
}

void library_end(struct cvtpm_tpm *tpm)
{
	if (tpm->on)
		TPMLIB_Terminate();
	tpm->on = false;
}

int library_start(struct cvtpm_tpm *tpm)
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
	platform_log(tpm->platform, CVTPM_LOG_ERROR,
		     "libtpms does not start (0x%x): its saved state is damaged", (unsigned)result);
	return CVTPM_ERR_FORMAT;
}

int library_validate(struct cvtpm_tpm *tpm, const struct blob *blob)
{
	TPM_RESULT result;

	CVTPM_TRY(library_prepare(tpm));
	tpm->load_error = tpm->store_error = 0;
	result = TPMLIB_ValidateState(blob->type | TPMLIB_STATE_PERMANENT, 0);
	if (tpm->load_error < 0)
		return tpm->load_error;
	return result == TPM_SUCCESS ? 0 : CVTPM_ERR_FORMAT;
}

TPM_RESULT library_process(struct cvtpm_tpm *tpm, const uint8_t *command, size_t len,
			   uint8_t **bytes, uint32_t *bytes_len, uint32_t *room)
{
	TPM_RESULT result;

	memcpy(tpm->command, command, len);
	result = TPMLIB_Process(bytes, bytes_len, room, tpm->command, (uint32_t)len);
	cvtpm_wipe(tpm->command, len);
	return result;
}
