/*
 * Where libtpms' state is kept: three blobs, each a record of the store, and its digest.
 */
#ifndef CVTPM_LIBTPMS_BLOBS_H
#define CVTPM_LIBTPMS_BLOBS_H

#include "cvtpm/engine.h"
#include "cvtpm/store.h"

#include <libtpms/tpm_library.h>

/* The greatest blob that is taken: libtpms' are well under 1 MiB. */
#define BLOB_MAX_SIZE ((size_t)4 << 20)

#define BLOB_DIGEST_SIZE 32 /* SHA-256 */

struct blob {
	const char *name;       /* what libtpms calls it */
	const char *key;        /* the record */
	const char *digest_key; /* and that of its digest */
	enum TPMLIB_StateType type;
};

/** NULL: there is no such blob. */
const struct blob *libtpms_blob_of(enum cvtpm_blob kind);
const struct blob *libtpms_blob_named(const char *name);

/** Wipes and frees memory from malloc; NULL is allowed. */
void libtpms_blob_free(uint8_t *data, size_t len);

/** Reads its record into memory from malloc, for libtpms_blob_free() or the library to free. 0, the
 *  store's error, CVTPM_ERR_FORMAT (of no length a blob has, or not what was written),
 *  CVTPM_ERR_NO_MEMORY; otherwise than with 0 a *data that was NULL is so still. */
int libtpms_blob_read(struct cvtpm_store *store, const struct blob *blob, uint8_t **data,
		      size_t *len);

/** 1, 0, or the store's error. */
int libtpms_blob_exists(struct cvtpm_store *store, const struct blob *blob);

/** Writes it and its digest, in one commit. 0, or the store's error. */
int libtpms_blob_write(struct cvtpm_store *store, const struct blob *blob, const uint8_t *data,
		       size_t len, const uint8_t digest[BLOB_DIGEST_SIZE]);

/** Likewise both. 0, or the store's error. */
int libtpms_blob_remove(struct cvtpm_store *store, const struct blob *blob);

#endif
