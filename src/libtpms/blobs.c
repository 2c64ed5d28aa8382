/*
 * The records of libtpms' blobs, which it wants in memory from malloc.
 *
 * Beside each is a digest of it, written with the same commit, for libtpms reads some blobs
 * of which a bit has changed until the process ends (0.9.2: a length in the NV memory). It
 * finds damage, not a forger: those are kept out by a sealed store.
 */
#include "libtpms/blobs.h"
#include "cvtpm/err.h"

#include "crypto/crypto.h"

#include <libtpms/tpm_nvfilename.h>
#include <stdlib.h>
#include <string.h>

static const struct blob blobs[] = {
	[CVTPM_BLOB_PERMANENT] = {TPM_PERMANENT_ALL_NAME, "libtpms/permall",
				  "libtpms/permall.sha256", TPMLIB_STATE_PERMANENT},
	[CVTPM_BLOB_VOLATILE] = {TPM_VOLATILESTATE_NAME, "libtpms/volatilestate",
				 "libtpms/volatilestate.sha256", TPMLIB_STATE_VOLATILE},
	[CVTPM_BLOB_SAVED] = {TPM_SAVESTATE_NAME, "libtpms/savestate", "libtpms/savestate.sha256",
			      TPMLIB_STATE_SAVE_STATE},
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

/* Without a digest it is a record of a release that kept none. */
static int check_digest(struct cvtpm_store *store, const struct blob *blob, const uint8_t *data,
			size_t len)
{
	uint8_t kept[BLOB_DIGEST_SIZE], digest[BLOB_DIGEST_SIZE];
	size_t kept_len;
	int err = cvtpm_store_get(store, blob->digest_key, kept, sizeof kept, &kept_len);

	if (err == CVTPM_ERR_NOT_FOUND)
		return 0;
	if (err == CVTPM_ERR_SIZE || (err == 0 && kept_len != sizeof kept))
		return CVTPM_ERR_FORMAT;
	CVTPM_TRY(err);
	CVTPM_TRY(cvtpm_hash(CVTPM_SHA256, data, len, digest));
	return memcmp(digest, kept, sizeof kept) ? CVTPM_ERR_FORMAT : 0;
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
	if (err == 0)
		err = check_digest(store, blob, *data, *len);
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

int libtpms_blob_write(struct cvtpm_store *store, const struct blob *blob, const uint8_t *data,
		       size_t len, const uint8_t digest[BLOB_DIGEST_SIZE])
{
	const struct cvtpm_change changes[] = {
		{.key = blob->key, .value = data, .value_len = len},
		{.key = blob->digest_key, .value = digest, .value_len = BLOB_DIGEST_SIZE},
	};

	return cvtpm_store_commit(store, changes, 2);
}

int libtpms_blob_remove(struct cvtpm_store *store, const struct blob *blob)
{
	const struct cvtpm_change changes[] = {{.key = blob->key}, {.key = blob->digest_key}};

	return cvtpm_store_commit(store, changes, 2);
}
