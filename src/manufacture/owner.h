/*
 * The owner of a TPM: the insides of struct cvtpm_instance, and what the files
 * of this folder do for each other.
 *
 *     owner.c         life, resets and commands of an instance (cvtpm/instance.h)
 *     manufacture.c   makes a TPM: banks, EKs, certificates, evidence
 *     renew.c         what is due after each TPM2_Startup(CLEAR)
 *     ek_public.c     the public area of an EK, for who vouches for it
 *     evidence.c      asks for reports, keeps them in their indices
 *     storage.c       the owner's record, and a whole TPM copied with one commit
 *     provision.c     defines, fills, compares and locks NV indices
 */
#ifndef CVTPM_MANUFACTURE_OWNER_H
#define CVTPM_MANUFACTURE_OWNER_H

#include "cvtpm/instance.h"
#include "cvtpm/store.h"
#include "manufacture/certificate.h"
#include "manufacture/commands.h"
#include "manufacture/log.h"
#include "manufacture/record.h"

/* Records of a store that are copied by one commit, and their bytes: what
 * manufacture leaves behind has a known size (an engine's state with four EKs
 * is under 30 KiB). */
#define COPY_MAX_RECORDS 64
#define COPY_MAX_SIZE    65536

/* Room that one job needs and the next may use again. */
union owner_work {
	struct {
		struct cvtpm_drbg drbg;
		struct cvtpm_boot_issuer boot;
		struct cvtpm_tpm_facts facts;
		uint8_t public[CVTPM_EK_PUBLIC_MAX_SIZE]; /* TPM2B_PUBLIC of the EK in hand */
		uint8_t report[SNP_REPORT_SIZE];          /* its ek-pub report */
		uint8_t table[SNP_CERTS_MAX_SIZE];        /* the host's certificate table */
		size_t table_len;
		uint8_t certificate[CVTPM_CERTIFICATE_MAX_SIZE];
	} make;
	struct {
		uint8_t certificate[CVTPM_CERTIFICATE_MAX_SIZE];
	} renew;
	struct {
		char keys[COPY_MAX_RECORDS][48];
		struct cvtpm_change changes[COPY_MAX_RECORDS];
		size_t count;
		uint8_t bytes[COPY_MAX_SIZE];
	} copy;
};

struct cvtpm_instance {
	struct cvtpm_platform platform; /* with the store in use */
	struct cvtpm_instance_config config;
	enum cvtpm_store_kind kind; /* of the store in which the TPM lives in the end */
	struct cvtpm_tpm *tpm;
	struct record record;
	struct tpm_client client; /* the owner's own commands */
	struct tpm_client user;   /* cvtpm_instance_startup(), beneath which the owner works */

	bool started; /* TPM2_Startup has succeeded since the last _TPM_Init */
	bool orderly; /* the last command was a successful TPM2_Shutdown */
	bool failed;  /* every command answers TPM_RC_FAILURE until the next _TPM_Init */
	bool busy;    /* the owner's own commands run: atomic, read by cancel */

	uint8_t report[SNP_REPORT_SIZE];               /* the ek-cert report in hand, or zeros */
	uint8_t read_back[CVTPM_CERTIFICATE_MAX_SIZE]; /* what an index holds */
	union owner_work work;
};

/* A TPM whose state outlives the process. */
static inline bool owner_is_persistent(const struct cvtpm_instance *o)
{
	return o->kind != CVTPM_STORE_MEMORY;
}

static inline uint64_t owner_clock(const struct cvtpm_instance *o)
{
	return o->platform.clock_ms(o->platform.context);
}

/** Logs that a job of the owner's did not succeed: what it was, and which command
 *  answered which code, or which fault it was. Returns `err`. */
int owner_log_failure(struct cvtpm_instance *o, enum cvtpm_log_level level, const char *job,
		      const char *object, int err);

/* ---- storage.c ---- */

struct storage_count {
	size_t all;     /* records in a store */
	size_t foreign; /* of them, those that are not the owner's */
};
int storage_count(struct cvtpm_store *store, struct storage_count *count);

/** Removes every record of o->platform.store: what an unfinished manufacture left. */
int storage_empty(struct cvtpm_instance *o);

/** Puts every record of `from`, and the owner's, into `to` with one commit. */
int storage_copy(struct cvtpm_instance *o, struct cvtpm_store *from, struct cvtpm_store *to);

/** Reads o->record from the store. CVTPM_ERR_NOT_FOUND: there is none.
 *  CVTPM_ERR_FORMAT and faults of the store are logged. */
int storage_load_record(struct cvtpm_instance *o);
/** Writes o->record to the store. */
int storage_save_record(struct cvtpm_instance *o);

/* ---- provision.c ---- */

/** Defines an index of `len` bytes with `attributes` (TPMA_NV) under platform
 *  authority, and fills it as provision_fill(). */
int provision_index(struct cvtpm_instance *o, uint32_t index, uint32_t attributes,
		    const uint8_t *data, size_t len);

/** Writes `data` to a defined index, reads it back, compares (CVTPM_ERR_AUTH), locks
 *  it against writing and looks whether it is locked (CVTPM_ERR_STATE). */
int provision_fill(struct cvtpm_instance *o, uint32_t index, const uint8_t *data, size_t len);

/** What is in an index, with platform authority: exactly `len` bytes, or CVTPM_ERR_SIZE. */
int provision_read(struct cvtpm_instance *o, uint32_t index, uint8_t *data, size_t len);

/* ---- evidence.c ---- */

/** CVTPM_ERR_POLICY unless a TPM in a store of this kind may hold evidence (of the
 *  lab, where `lab`). Logs why. */
int evidence_check_store(struct cvtpm_instance *o, bool lab);

/** Asks the AMD-SP for a report over `data`. Logs the request with its time.
 *  Errors of the provider; CVTPM_ERR_FORMAT: it is a report over something else. */
int evidence_ask(struct cvtpm_instance *o, const char *what, const char *ek,
		 const uint8_t data[SNP_REPORT_DATA_SIZE], uint8_t report[SNP_REPORT_SIZE]);

/** Defines the report index of an EK and puts the report over its certificate into it. */
int evidence_define(struct cvtpm_instance *o, const struct record_ek *made);

/** Puts a new report over the certificate of `made` into its index, or zeros when
 *  `genuine` is false or no report can be had. An error: neither could be done. */
int evidence_renew(struct cvtpm_instance *o, const struct record_ek *made, bool genuine);

/* ---- manufacture.c ---- */

/** Makes a TPM on the engine's fresh instance o->tpm, which is powered on; fills
 *  o->record. At the end the TPM is shut down in order. */
int manufacture_tpm(struct cvtpm_instance *o);

/* ---- renew.c ---- */

/** What is due after a successful TPM2_Startup(CLEAR), whoever sent it. An error
 *  means that the TPM may not be used. */
int renew_after_startup(struct cvtpm_instance *o);

/** True when the key with this TPMT_PUBLIC is the EK of the record. */
bool renew_is_recorded(const struct record_ek *made, const struct tpm_value *public_area);

#endif
