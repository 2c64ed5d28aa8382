/*
 * The TPM under the fuzzers of the native engine: one instance on a memory store, and a
 * platform whose numbers and clock are the same in every run. What an input begins with
 * is made once and kept.
 *
 *     bench_begin();
 *     CHECK(bench_create() == 0);
 *     ... bench_run(TPM_CC_Startup, &in, NULL) ...
 *     bench_keep();
 *     for each input: bench_restore();
 */
#ifndef CVTPM_FUZZ_TPM_BENCH_H
#define CVTPM_FUZZ_TPM_BENCH_H

#include "cvtpm/engine.h"
#include "cvtpm/err.h"
#include "tpm/encode.h"
#include "tpm/tpm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** What must hold; otherwise the input is a finding. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "not so: %s (%s:%d)\n", #condition, __FILE__, __LINE__);   \
			abort();                                                                   \
		}                                                                                  \
	} while (0)
#define COUNT(array) (sizeof(array) / sizeof *(array))

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bench {
	struct cvtpm_store *store; /* the memory store beneath */
	struct cvtpm_store faulty; /* what the engine sees */
	bool store_fails;          /* every commit */
	uint64_t now_ms, numbers;
	unsigned polls, patience; /* a command that asks more often is cancelled */
	uint8_t locality;
	bool presence;
};
/** How the engine is called: on the caller's stack, unless somebody else wants to measure. */
extern int (*bench_engine)(struct cvtpm_tpm *t, uint8_t locality, const uint8_t *command,
			   size_t len, uint8_t *answer, size_t *answer_len);
extern struct bench bench;
extern struct tpm tpm;

/** An empty store; no TPM yet. */
void bench_begin(void);
/** A process begins: the instance, powered on but not started. Errors of create and power_on. */
int bench_create(void);
/** The handle of `tpm` for functions of the engine. */
struct cvtpm_tpm *bench_tpm(void);
/** Is something loaded, defined or enabled under this handle? */
bool bench_has(TPM_HANDLE handle);
/** Keeps instance, store and bench as they are, and goes back to that. */
void bench_keep(void);
void bench_restore(void);

/** Has the engine execute bytes; `answer` has room for CVTPM_MAX_BUFFER_SIZE. Checks that the
 *  answer is as long as it says, and shorter where it is an error. Its response code. */
tpm_rc bench_execute(const uint8_t *command, size_t len, uint8_t *answer, size_t *answer_len);
/** Runs a command with empty passwords; `out` (may be NULL) is zero but for the answer. */
tpm_rc bench_run(TPM_CC code, const void *in, union command_out *out);
tpm_rc bench_startup(TPM_SU type);

/* ---- something of everything, in a TPM whose authValues are empty; each must succeed ---- */

/** The template of a primary object: ECC P-256, RSA 2048, keyedHash for HMAC or AES-128, with
 *  `attributes` and those that allow the empty password. Restricted: a storage key. */
TPM2B_PUBLIC bench_template(TPM_ALG_ID type, TPMA_OBJECT attributes);
#define BENCH_STORAGE                                                                              \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_RESTRICTED |                 \
	 TPMA_OBJECT_DECRYPT)
TPM_HANDLE bench_primary(TPM_HANDLE hierarchy, const TPM2B_PUBLIC *template,
			 union command_out *out);
/** SHA-256, not salted; `bind` may be TPM_RH_NULL, `symmetric` TPM_ALG_NULL. */
void bench_session(TPM_SE type, TPM_HANDLE bind, TPM_ALG_ID symmetric);
/** An index of the owner's. */
void bench_define(TPM_HANDLE index, unsigned type, TPMA_NV attributes, uint16_t size);

#endif
