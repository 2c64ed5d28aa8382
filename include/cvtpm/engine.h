/*
 * The engine seam: a TPM 2.0, whoever wrote it.
 *
 * An engine is a const table of functions. cvtpm has two: an adapter to the
 * packaged libtpms, and its own. Everything above this header (manufacture,
 * transports, evidence) works with either and does not know which.
 *
 * Life of an instance:
 *
 *     create -> power_on -> execute ... execute -> power_on (a reset) -> ... -> destroy
 *
 * `create` makes the instance from its store, or a new one with fresh seeds
 * where the store holds none. `power_on` is _TPM_Init: the platform's reset
 * line, and nothing that a guest can send. Like hardware, an instance answers
 * TPM_RC_INITIALIZE until somebody sends TPM2_Startup.
 *
 * One thread at a time uses an instance, except for `cancel`.
 */
#ifndef CVTPM_ENGINE_H
#define CVTPM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cvtpm_platform;
struct cvtpm_tpm; /* an instance; its insides are the engine's */

/* A CRB's data buffer: no command or response of an instance that may be
 * reached over CRB is longer (PC Client PTP, CRB register space). */
#define CVTPM_CRB_BUFFER_SIZE 3968

/* The largest buffer any transport offers; fits every engine. */
#define CVTPM_MAX_BUFFER_SIZE 4096

enum cvtpm_blob {
	CVTPM_BLOB_PERMANENT, /* what survives a power cycle: seeds, NV, hierarchies */
	CVTPM_BLOB_VOLATILE,  /* the running TPM: PCRs, sessions, loaded objects */
	CVTPM_BLOB_SAVED,     /* what TPM2_Shutdown(STATE) saved */
};

struct cvtpm_engine_config {
	/* Largest command and response in bytes, the smallest of what the
	 * transports can carry; announced as TPM_PT_MAX_COMMAND_SIZE and
	 * TPM_PT_MAX_RESPONSE_SIZE. 1024 to CVTPM_MAX_BUFFER_SIZE, or 0 for
	 * CVTPM_CRB_BUFFER_SIZE. */
	uint32_t buffer_size;

	/* The instance's memory: engine->size() bytes, aligned as for max_align_t, the
	 * caller's until destroy, which wipes it. Not looked at where size is NULL. */
	void *memory;
};

struct cvtpm_engine {
	const char *name; /* "libtpms", "native": what --engine takes */

	/* Version of the engine for people, e.g. "libtpms 0.9.2". Static storage. */
	const char *(*version)(void);

	/* Bytes of memory that an instance needs (cvtpm_engine_config.memory). NULL: the
	 * engine finds its memory itself. */
	size_t (*size)(void);

	/* Makes an instance on `platform` (kept, the caller's) with the state in
	 * platform->store, or a new one with fresh seeds, which are in the store
	 * when this returns. `*is_new` tells which. The instance is powered off:
	 * call power_on.
	 * CVTPM_ERR_BUSY: the engine allows one instance in a process and has it.
	 * CVTPM_ERR_FORMAT: the store's records are not this engine's, or damaged.
	 * CVTPM_ERR_STORE, CVTPM_ERR_ENTROPY, CVTPM_ERR_NO_MEMORY. */
	int (*create)(struct cvtpm_tpm **tpm, const struct cvtpm_platform *platform,
		      const struct cvtpm_engine_config *config, bool *is_new);

	/* _TPM_Init: power on, or reset when it is on already. Volatile state is
	 * gone; nothing persistent is written by it. CVTPM_ERR_FORMAT: the saved
	 * state cannot be read; CVTPM_ERR_STORE. */
	int (*power_on)(struct cvtpm_tpm *tpm);

	/* Power off. Volatile state is gone; commands fail until power_on. No-op
	 * when off. The caller sends TPM2_Shutdown first if it wants one. */
	void (*power_off)(struct cvtpm_tpm *tpm);

	/* Runs one command. `command` is `command_len` bytes, private to the caller
	 * for the whole call (never shared memory). The response goes to `response`
	 * (at least the configured buffer size), its length to `*response_len`.
	 * Whatever the bytes of the command are, the result is 0 and a well-formed
	 * response: errors of a command are response codes. Everything persistent
	 * that the answer promises is in the store when this returns.
	 * CVTPM_ERR_STATE: powered off, no response was made.
	 * locality: 0..4, or 32..255. The transport has checked what its peer may use. */
	int (*execute)(struct cvtpm_tpm *tpm, uint8_t locality, const uint8_t *command,
		       size_t command_len, uint8_t *response, size_t *response_len);

	/* Asks the running command to end with TPM_RC_CANCELED. From any thread;
	 * no effect when none is running. */
	void (*cancel)(struct cvtpm_tpm *tpm);

	/* _TPM_Hash_Start, _TPM_Hash_Data, _TPM_Hash_End (Part 1, 34.4; D-RTM, or
	 * H-CRTM before TPM2_Startup). CVTPM_ERR_STATE: powered off or out of order. */
	int (*hash_start)(struct cvtpm_tpm *tpm);
	int (*hash_data)(struct cvtpm_tpm *tpm, const uint8_t *data, size_t len);
	int (*hash_end)(struct cvtpm_tpm *tpm);

	/* tpmEstablished as the PTP means it: true after a _TPM_Hash_End until reset
	 * by locality 3 or 4. reset_established: CVTPM_ERR_POLICY from another one. */
	bool (*established)(struct cvtpm_tpm *tpm);
	int (*reset_established)(struct cvtpm_tpm *tpm, uint8_t locality);

	/* Copies a state blob out, or its length if `blob` is NULL, for migration
	 * and snapshots. The blob is in the clear and holds the seeds: callers obey
	 * the rule on evidence and export (instance.h).
	 * CVTPM_ERR_NOT_FOUND: there is no such state now. CVTPM_ERR_SIZE: longer
	 * than `*len`, which becomes the length needed. CVTPM_ERR_UNSUPPORTED. */
	int (*save_state)(struct cvtpm_tpm *tpm, enum cvtpm_blob kind, uint8_t *blob, size_t *len);

	/* Replaces a state blob while powered off; it takes effect at power_on.
	 * len 0 removes it. CVTPM_ERR_STATE, CVTPM_ERR_FORMAT, CVTPM_ERR_STORE. */
	int (*load_state)(struct cvtpm_tpm *tpm, enum cvtpm_blob kind, const uint8_t *blob,
			  size_t len);

	/* What `size` of buffers are announced from the next power_on, as near to
	 * `*size` as the engine can; 0 changes nothing. `*size` becomes what is set,
	 * `*min` and `*max` what can be. CVTPM_ERR_STATE: `*size` is not 0 and the
	 * TPM is powered on. */
	int (*buffer_size)(struct cvtpm_tpm *tpm, uint32_t *size, uint32_t *min, uint32_t *max);

	/* What the engine says of itself, a JSON object as TPMLIB_GetInfo of libtpms
	 * gives it; `what` has a bit for each part. `*len` in: room, out: length
	 * without the final NUL, which is written. CVTPM_ERR_SIZE. The same of all
	 * instances: `tpm` may be NULL. */
	int (*describe)(struct cvtpm_tpm *tpm, uint32_t what, char *json, size_t *len);

	/* Powers off, wipes and releases the instance. NULL is allowed. */
	void (*destroy)(struct cvtpm_tpm *tpm);
};

/** The adapter to packaged libtpms: one instance in a process at a time, which
 *  it enforces itself. Records: "libtpms/permall", "libtpms/volatilestate",
 *  "libtpms/savestate". */
extern const struct cvtpm_engine cvtpm_engine_libtpms;

/** cvtpm's own engine: any number of instances, each in memory of the caller's.
 *  Freestanding. Records: "tpm/..." (src/tpm/state.c). */
extern const struct cvtpm_engine cvtpm_engine_native;

/** The engine called `name`, or NULL. */
const struct cvtpm_engine *cvtpm_engine_find(const char *name);

#endif
