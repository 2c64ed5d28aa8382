/*
 * libtpms, which a process has once (library.c).
 */
#ifndef CVTPM_LIBTPMS_LIBRARY_H
#define CVTPM_LIBTPMS_LIBRARY_H

#include "libtpms/blobs.h"

#include <stdbool.h>

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
	uint8_t durable[BLOB_DIGEST_SIZE];

	/* libtpms decrypts parameters in place, so it gets a copy. */
	uint8_t command[CVTPM_MAX_BUFFER_SIZE];
};

/** Makes the library this instance's. 0, CVTPM_ERR_BUSY (it is another's: nothing is to be
 *  released), CVTPM_ERR_IO. */
int library_claim(struct cvtpm_tpm *tpm);
/** Ends the library and gives it back. */
void library_release(struct cvtpm_tpm *tpm);

/** Starts the TPM from the store. 0; CVTPM_ERR_STORE; the load's error; CVTPM_ERR_FORMAT or
 *  CVTPM_ERR_UNSUPPORTED, told in the log. */
int library_start(struct cvtpm_tpm *tpm);
void library_end(struct cvtpm_tpm *tpm);

/** Whether the library can read the record of `blob`, or the candidate in its place: 0, the
 *  load's error, CVTPM_ERR_FORMAT, CVTPM_ERR_UNSUPPORTED. */
int library_validate(struct cvtpm_tpm *tpm, const struct blob *blob);

/** Hands it one command, `len` bytes of at most CVTPM_MAX_BUFFER_SIZE. The response is
 *  `*bytes_len` bytes in `*room` bytes from malloc, for libtpms_blob_free(). */
TPM_RESULT library_process(struct cvtpm_tpm *tpm, const uint8_t *command, size_t len,
			   uint8_t **bytes, uint32_t *bytes_len, uint32_t *room);

#endif
