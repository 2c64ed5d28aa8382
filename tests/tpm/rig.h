/*
 * A TPM on the bench: one instance of an engine, with a memory store, a clock that
 * the test turns, and faults on request. Commands are made from the tables.
 *
 *     struct rig *r = rig_new(&cvtpm_engine_native);
 *     struct GetRandom_in in = {.bytesRequested = 16};
 *     struct GetRandom_out out;
 *     assert_int_equal(RIG_RUN(r, GetRandom, &in, &out), 0);
 *     rig_free(r);
 *
 * RIG_RUN authorises every handle that needs it with the empty password, or with
 * what rig_password() set for the next command; rig_sessions() hands over whole
 * sessions instead.
 */
#ifndef CVTPM_TESTS_TPM_RIG_H
#define CVTPM_TESTS_TPM_RIG_H

#include "cvtpm/engine.h"
#include "cvtpm/err.h"
#include "cvtpm/platform.h"
#include "cvtpm/store.h"
#include "tpm/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct rig {
	const struct cvtpm_engine *engine;
	struct cvtpm_tpm *tpm;
	struct cvtpm_platform platform;
	struct cvtpm_store *store; /* the memory store beneath */
	struct cvtpm_store faulty; /* what the engine sees: fails on request */
	void *memory, *store_memory;
	bool is_new;
	uint8_t locality;
	uint64_t now_ms;

	/* faults */
	unsigned fail_commits; /* so many of the next commits fail; UINT_MAX: all */
	bool fail_entropy, cancelled;
	bool presence;    /* somebody is physically present */
	unsigned commits; /* that succeeded */
	char log[160];    /* the last line */

	/* Where CVTPM_TEST_CODES names a file, each command's code and its answer's are written
	 * there: tpm-codes reads them (test_codes.c). NULL without it. */
	FILE *codes;
	/* The same for CVTPM_TEST_TRACE and all that is said, as `cvtpm trace` reads it. */
	FILE *trace;

	/* for the next RIG_RUN */
	struct client_session sessions[MAX_SESSION_NUM];
	unsigned session_count;
	bool given;
	TPM2B_NAME names[MAX_HANDLE_NUM];
	bool named;

	/* of the last one */
	uint8_t command[4096], response[4096];
	size_t command_len, response_len;
};

/** A new TPM, started with TPM2_Startup(CLEAR). Ends the test on any failure. */
struct rig *rig_new(const struct cvtpm_engine *engine);
/** The same, powered on but not started. */
struct rig *rig_new_off(const struct cvtpm_engine *engine);
void rig_free(struct rig *r);

/** _TPM_Init, and TPM2_Startup of that kind. */
void rig_reset(struct rig *r);
tpm_rc rig_startup(struct rig *r, TPM_SU type);
/** As if the process had died and been started again: the instance is thrown away without a
 *  word, and opened again on its store. Not started. */
void rig_kill(struct rig *r);

/** The state is no TPM's from here on: what it answers says nothing to tpm-codes. */
void rig_not_recorded(struct rig *r);

/** Passwords for the next command's handles, in order. */
void rig_password(struct rig *r, unsigned n, const char *password);
/** Whole sessions for the next command. Changed nonces come back in r->sessions. */
void rig_sessions(struct rig *r, const struct client_session *sessions, unsigned count);
/** The next command has no sessions at all. */
void rig_no_sessions(struct rig *r);
/** Names of the next command's handles, for HMACs. */
void rig_name(struct rig *r, unsigned n, const TPM2B_NAME *name);

/** Runs a command: response code, or ENCODE_MALFORMED, ENCODE_HMAC. `out` may be NULL. */
tpm_rc rig_run(struct rig *r, const struct command *command, const void *in, void *out);
#define RIG_RUN(r, name, in, out) rig_run((r), command_find(TPM_CC_##name), (in), (out))
/** Runs bytes as they are; the response's code. */
tpm_rc rig_raw(struct rig *r, const void *bytes, size_t len);

/* ---- short cuts that many tests need; each asserts success ---- */

/** Starts a session with SHA-256; unbound and unsalted, no symmetric algorithm. */
struct client_session rig_session(struct rig *r, TPM_SE type);
/** Prepares it for the next command: a fresh nonceCaller. */
void rig_fresh_nonce(struct rig *r, struct client_session *s);
/** A primary key in `hierarchy`: ECC P-256, as `attributes` and scheme say. */
TPM_HANDLE rig_primary_ecc(struct rig *r, TPM_HANDLE hierarchy, TPMA_OBJECT attributes,
			   TPM_ALG_ID scheme);
/** The template of a restricted ECC P-256 storage key, and of a P-256 signing key. */
TPMT_PUBLIC rig_storage_template(void);
TPMT_PUBLIC rig_signing_template(void);
/** Defines an index with `size` bytes, these attributes and this password. */
void rig_define(struct rig *r, TPM_HANDLE index, TPMA_NV attributes, uint16_t size,
		const char *password);
void rig_flush(struct rig *r, TPM_HANDLE handle);
TPM2B_AUTH rig_auth(const char *password);

/** A PCR of the SHA-256 bank: extended with a 1 and zeros; its value. Each ends the test unless
 *  it succeeds. */
void rig_extend_pcr(struct rig *r, TPMI_DH_PCR pcr);
TPM2B_DIGEST rig_read_pcr(struct rig *r, TPMI_DH_PCR pcr);

#endif
