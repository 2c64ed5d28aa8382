/*
 * What the control channel's requests do to the TPM: jobs whose owner is a
 * client of the channel. Each looks at the TPM's power when its turn has come;
 * CVTPM_ERR_STATE: it runs, or does not run, and must not.
 */
#ifndef CVTPM_SERVE_CONTROL_JOBS_H
#define CVTPM_SERVE_CONTROL_JOBS_H

#include "serve/control.h"

/* Types of state blobs on the wire, in the order of enum cvtpm_blob from 1 on. */
#define CONTROL_BLOB_TYPES 3

/* `value`: enum cvtpm_blob, a buffer size, or the parts of GET_INFO. `locality` and
 * `data` where there are any. What there is to answer is in `response`, or, a state
 * blob, in the client. */
void control_run_buffer_size(struct worker_job *job, struct worker_tpm *tpm);
void control_run_established(struct worker_job *job, struct worker_tpm *tpm);
void control_run_get_blob(struct worker_job *job, struct worker_tpm *tpm);
void control_run_hash_data(struct worker_job *job, struct worker_tpm *tpm);
void control_run_hash_end(struct worker_job *job, struct worker_tpm *tpm);
void control_run_hash_start(struct worker_job *job, struct worker_tpm *tpm);
void control_run_info(struct worker_job *job, struct worker_tpm *tpm);
void control_run_init(struct worker_job *job, struct worker_tpm *tpm);
void control_run_reset_established(struct worker_job *job, struct worker_tpm *tpm);
void control_run_set_blob(struct worker_job *job, struct worker_tpm *tpm);
void control_run_stop(struct worker_job *job, struct worker_tpm *tpm);
void control_run_store_volatile(struct worker_job *job, struct worker_tpm *tpm);

/** Wipes and releases a state blob. */
void control_blob_release(uint8_t **blob, size_t *len);

#endif
