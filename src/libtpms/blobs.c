/* The records of libtpms' blobs, which it wants in memory from malloc. */
#include "libtpms/blobs.h"
#include "cvtpm/err.h"

#include "crypto/crypto.h"

#include <libtpms/tpm_nvfilename.h>
#include <stdlib.h>
#include <string.h>

static const struct blob blobs[] = {
	[CVTPM_BLOB_PERMANENT] = {TPM_PERMANENT_ALL_NAME, "libtpms/permall",
				  TPMLIB_STATE_PERMANENT},
	[CVTPM_BLOB_VOLATILE] = {TPM_VOLATILESTATE_NAME, "libtpms/volatilestate",
				 TPMLIB_STATE_VOLATILE},
	[CVTPM_BLOB_SAVED] = {TPM_SAVESTATE_NAME, "libtpms/savestate", TPMLIB_STATE_SAVE_STATE},
};

#define BLOBS (sizeof blobs / sizeof *blobs)

const struct blob *libtpms_blob_of(enum cvtpm_blob kind)
{
	return (unsigned)kind < BLOBS ? &blobs[kind] : NULL;
}

const struct blob *libtpms_blob_named(const char *name)
{
	for (size_t i = 0; i < BLOBS; i++)
		if (strcmp(blobs[i].name, name) == 0)
			return &blobs[i];
	return NULL;
}

void libtpms_blob_free(uint8_t *data, size_t len)
{
	if (data)
		cvtpm_wipe(data, len);
	free(data);
}

int libtpms_blob_read(struct cvtpm_store *store, const struct blob *blob, uint8_t **data,
		      size_t *len)
{
	int err = cvtpm_store_get(store, blob->key, NULL, 0, len);

	if (err == 0) /* a record of length 0 */
		return CVTPM_ERR_FORMAT;
	if (err != CVTPM_ERR_SIZE)
		return err;
	if (*len > BLOB_MAX_SIZE)
		return CVTPM_ERR_FORMAT;
	*data = malloc(*len);
	if (!*data)
		return CVTPM_ERR_NO_MEMORY;
	err = cvtpm_store_get(store, blob->key, *data, *len, len);
	if (err < 0) {
		libtpms_blob_free(*data, *len);
		*data = NULL;
	}
	return err;
}

int libtpms_blob_exists(struct cvtpm_store *store, const struct blob *blob)
{
	size_t len;
	int err = cvtpm_store_get(store, blob->key, NULL, 0, &len);

	if (err == 0 || err == CVTPM_ERR_SIZE)
		return 1;
	return err == CVTPM_ERR_NOT_FOUND ? 0 : err;
}

int libtpms_blob_remove(struct cvtpm_store *store, const struct blob *blob)
{
	struct cvtpm_change change = {.key = blob->key};

	return cvtpm_store_commit(store, &change, 1);
}
