/*
 * An instance: a TPM with its owner, which is what every transport talks to.
 *
 * The engine is the TPM that the specification describes. The owner is who
 * made it, and has duties for as long as it lives: manufacture (EKs, EK
 * certificates, platform certificate), evidence (attestation reports bound to
 * the EK and kept where a guest cannot change them), and the rules on resets,
 * reports and export (docs/decisions.md). Transports never call an engine
 * directly; they call the functions below, so that no transport can go round
 * these rules.
 *
 * Freestanding. One thread at a time, except cvtpm_instance_cancel().
 */
#ifndef CVTPM_INSTANCE_H
#define CVTPM_INSTANCE_H

#include "cvtpm/engine.h"
#include "cvtpm/platform.h"
#include "cvtpm/snp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- what to make ---- */

enum cvtpm_ek {
	CVTPM_EK_RSA2048 = 1 << 0, /* template L-1, certificate at 0x01C00002 */
	CVTPM_EK_P256 = 1 << 1,    /* template L-2, certificate at 0x01C0000A */
	CVTPM_EK_P384 = 1 << 2,    /* template H-3, certificate at 0x01C00016 */
	CVTPM_EK_RSA3072 = 1 << 3, /* template H-6, certificate at 0x01C0001C */
};

/* PCR banks to have active, a bit for each; 0 means SHA-256 and SHA-384. */
enum cvtpm_pcr_bank {
	CVTPM_PCR_SHA1 = 1 << 0,
	CVTPM_PCR_SHA256 = 1 << 1,
	CVTPM_PCR_SHA384 = 1 << 2,
	CVTPM_PCR_SHA512 = 1 << 3,
};

#define CVTPM_SIGNATURE_MAX_SIZE 160 /* DER of an ECDSA signature with any of our curves */

/* Who signs certificates. NULL in the configuration means the per-boot issuer:
 * a P-384 key made for one manufacture and wiped after its last signature,
 * which proves nothing; its certificate is put at 0x01C00100. */
struct cvtpm_issuer {
	void *context;
	uint16_t curve;      /* TPM_ECC_NIST_P256 or _P384 (enum cvtpm_curve) */
	const uint8_t *name; /* the issuer's Name, DER */
	size_t name_len;
	const uint8_t *key_id; /* its subjectKeyIdentifier */
	size_t key_id_len;
	const uint8_t *certificate; /* DER, goes to 0x01C00100 */
	size_t certificate_len;

	/* Asked once for each EK before anything is signed for it: `ek_public` is
	 * its TPM2B_PUBLIC, `report` the ek-pub report or NULL where there is none,
	 * `table` the host's certificate table (may be empty). 0 to go on, else
	 * CVTPM_ERR_POLICY, and manufacture fails. May be NULL: approve all. */
	int (*approve)(void *context, const uint8_t *ek_public, size_t ek_public_len,
		       const uint8_t *report, const uint8_t *table, size_t table_len);

	/* ECDSA over SHA-384 (P-384) or SHA-256 (P-256) of `tbs`; writes the
	 * signature as DER SEQUENCE{r, s}, `*signature_len` in: room, out: length. */
	int (*sign)(void *context, const uint8_t *tbs, size_t tbs_len, uint8_t *signature,
		    size_t *signature_len);
};

struct cvtpm_instance_config {
	const struct cvtpm_engine *engine;
	struct cvtpm_engine_config engine_config;
	struct cvtpm_snp_provider *provider; /* NULL: this TPM carries no TEE evidence */
	const struct cvtpm_issuer *issuer;   /* NULL: the per-boot issuer */
	unsigned eks;                        /* of enum cvtpm_ek; 0: RSA 2048, P-256, P-384 */
	unsigned pcr_banks;                  /* of enum cvtpm_pcr_bank; 0: the default */
	const char *machine;                 /* a name of the virtual machine for the platform
						certificate of a TPM without evidence; NULL */
	bool leave_off;                      /* open it powered off: the first power on is its
						user's */
	bool random_platform_auth;           /* set platformAuth to a discarded random value
						after each TPM2_Startup(CLEAR) */
};

/* ---- life ---- */

struct cvtpm_instance;

/** Bytes of memory that an instance on `engine` needs, the engine's own included where it
 *  takes it from its caller. */
size_t cvtpm_instance_size(const struct cvtpm_engine *engine);

/** Opens an instance in `memory` (cvtpm_instance_size() bytes, aligned as for
 *  max_align_t, the caller's until close) on the state in platform->store.
 *
 *  An empty memory store is manufactured here and now, and the TPM then reset:
 *  it waits, powered on, for its first TPM2_Startup. On any other store a TPM
 *  that was manufactured (cvtpm_instance_manufacture) is powered on; an empty
 *  one is CVTPM_ERR_NOT_FOUND. `platform` and what `config` points to must
 *  outlive the instance; `config` itself is copied.
 *
 *  CVTPM_ERR_POLICY: evidence may not be held with such a store (only a memory
 *  store, or one sealed under the SNP derived key; any store with a lab
 *  provider), or the issuer refused. CVTPM_ERR_KEY_GONE, CVTPM_ERR_PEER: no report
 *  could be had. CVTPM_ERR_SIZE: a certificate does not fit into an index of
 *  this engine; the log names both sizes. CVTPM_ERR_TPM: a command was refused;
 *  the log names it. Otherwise the errors of the engine's create and power_on. */
int cvtpm_instance_open(struct cvtpm_instance **instance, void *memory,
			const struct cvtpm_platform *platform,
			const struct cvtpm_instance_config *config);

/** Makes a TPM on a scratch memory store and puts all of it into
 *  platform->store with one commit, so that a process killed at any moment
 *  leaves either a whole TPM or none. CVTPM_ERR_STATE: the store holds one
 *  already. `scratch` is an empty memory store of the caller's, wiped by its
 *  close. Other errors as cvtpm_instance_open. */
int cvtpm_instance_manufacture(void *memory, const struct cvtpm_platform *platform,
			       struct cvtpm_store *scratch,
			       const struct cvtpm_instance_config *config);

/** Ends an instance: sends TPM2_Shutdown(CLEAR) if its user did not and the TPM
 *  is started, powers off, wipes. The caller closes the store. NULL is allowed. */
void cvtpm_instance_close(struct cvtpm_instance *instance);

/* ---- what the platform does ---- */

/** Platform reset: _TPM_Init. From platform authority only, never because of
 *  bytes that a guest wrote. */
int cvtpm_instance_reset(struct cvtpm_instance *instance);

/** Puts the TPM into failure mode until the next cvtpm_instance_reset(): every command
 *  answers TPM_RC_FAILURE. For a process that starts beside a running machine. */
void cvtpm_instance_fail_until_reset(struct cvtpm_instance *instance, const char *reason);

/** Power off and on again as separate steps (mssim, control channel). Power on is
 *  _TPM_Init as a reset is, and ends failure mode as well. */
void cvtpm_instance_power_off(struct cvtpm_instance *instance);
int cvtpm_instance_power_on(struct cvtpm_instance *instance);

/** Sends TPM2_Shutdown(CLEAR) if the TPM is started and its user did not end with one:
 *  before power is taken from it in order. CVTPM_ERR_TPM: refused (the log names the code). */
int cvtpm_instance_shutdown(struct cvtpm_instance *instance);

/** See cvtpm_engine.buffer_size and cvtpm_engine.describe. CVTPM_ERR_UNSUPPORTED. */
int cvtpm_instance_buffer_size(struct cvtpm_instance *instance, uint32_t *size, uint32_t *min,
			       uint32_t *max);
int cvtpm_instance_describe(struct cvtpm_instance *instance, uint32_t what, char *json,
			    size_t *len);

/** Sends TPM2_Startup(CLEAR or STATE) on behalf of a user without firmware.
 *  `state` true: STATE. CVTPM_ERR_TPM: refused (the log names the code). */
int cvtpm_instance_startup(struct cvtpm_instance *instance, bool state);

/* ---- what a transport does ---- */

/** Runs one command; contract of cvtpm_engine.execute. In addition, after each
 *  successful TPM2_Startup(CLEAR), whoever sent it, and before the response is
 *  returned: an EK that is gone from its handle is made persistent again, if it
 *  and its certificate in NVRAM are still those that were made; a persistent TPM
 *  with evidence gets a new report in each report index, locked, or zeros, locked,
 *  where no report can be had or EK or certificate are not those that were made;
 *  and platformAuth is set, if it shall be random. If that fails the TPM goes into
 *  failure mode, and TPM2_Startup answers TPM_RC_FAILURE. */
int cvtpm_instance_execute(struct cvtpm_instance *instance, uint8_t locality,
			   const uint8_t *command, size_t command_len, uint8_t *response,
			   size_t *response_len);

/** See cvtpm_engine.cancel. From any thread. */
void cvtpm_instance_cancel(struct cvtpm_instance *instance);

int cvtpm_instance_hash_start(struct cvtpm_instance *instance);
int cvtpm_instance_hash_data(struct cvtpm_instance *instance, const uint8_t *data, size_t len);
int cvtpm_instance_hash_end(struct cvtpm_instance *instance);
bool cvtpm_instance_established(struct cvtpm_instance *instance);
int cvtpm_instance_reset_established(struct cvtpm_instance *instance, uint8_t locality);

/** State blobs, see cvtpm_engine; CVTPM_ERR_POLICY on an instance that holds
 *  evidence: an instance holds evidence or may be exported, never both. After a
 *  permanent state was loaded the EKs are no longer the owner's (info.eks is 0). */
int cvtpm_instance_save_state(struct cvtpm_instance *instance, enum cvtpm_blob kind, uint8_t *blob,
			      size_t *len);
int cvtpm_instance_load_state(struct cvtpm_instance *instance, enum cvtpm_blob kind,
			      const uint8_t *blob, size_t len);

/* ---- what there is to know ---- */

struct cvtpm_instance_info {
	bool persistent; /* the store outlives the process */
	bool evidence;   /* holds reports bound to its EKs */
	bool lab;        /* those reports are of the simulated AMD-SP */
	bool started;    /* a TPM2_Startup has succeeded since the last reset */
	bool failed;     /* in failure mode by cvtpm_instance_fail_until_reset or by a fault */
	unsigned eks;    /* enum cvtpm_ek */
};
void cvtpm_instance_get_info(const struct cvtpm_instance *instance,
			     struct cvtpm_instance_info *info);

/** The public area of one of the EKs, as TPM2_CreatePrimary returns it from its template:
 *  `*len` bytes of TPM2B_PUBLIC, size field included; `*len` in: room at `out`
 *  (CVTPM_EK_PUBLIC_MAX_SIZE, cvtpm/ek_template.h, is always enough). It is read from
 *  the TPM, or made again where it is not at its handle, and compared with the owner's
 *  record: what a guest put in its place is never returned.
 *  CVTPM_ERR_NOT_FOUND: this TPM was made without such an EK. CVTPM_ERR_STATE: in failure
 *  mode. CVTPM_ERR_TPM: not started, or a command was refused. CVTPM_ERR_AUTH: the
 *  endorsement seed is not the one of the manufacture any more. CVTPM_ERR_SIZE. */
int cvtpm_instance_ek_public(struct cvtpm_instance *instance, enum cvtpm_ek ek, uint8_t *out,
			     size_t *len);

#endif
