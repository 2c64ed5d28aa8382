/*
 * One TPM, all of it.
 *
 * `struct tpm` is one instance: fixed memory, no pointer out of it but to the
 * platform. It has two kinds of state.
 *
 *   Transactional state (objects, sessions, hierarchies, PCRs, NV) is undone when
 *   a command answers an error or the store fails. It is changed through SET()
 *   or after CHANGE(), which note the old bytes in the journal.
 *   Monotone state (failed tries, the clock, the DRBG, self-test results, the
 *   failure latch) is never undone, and where it is kept in the store it is
 *   durable before the answer leaves, also when the answer is an error.
 */
#ifndef CVTPM_TPM_INSTANCE_H
#define CVTPM_TPM_INSTANCE_H

#include "crypto/crypto.h"
#include "cvtpm/engine.h"
#include "cvtpm/err.h"
#include "cvtpm/platform.h"
#include "cvtpm/store.h"
#include "tpm/command.h"
#include "tpm/type.h"

enum hierarchy_index { H_OWNER, H_ENDORSEMENT, H_PLATFORM, H_LOCKOUT, H_NULL, HIERARCHIES };

/* tpm_object.flags */
enum {
	OBJECT_PRIMARY = 1 << 0,
	OBJECT_EXTERNAL = 1 << 1,  /* from LoadExternal */
	OBJECT_TEMPORARY = 1 << 2, /* under a null-hierarchy object or external */
	OBJECT_STCLEAR = 1 << 3,   /* it or an ancestor has stClear */
	OBJECT_DERIVED = 1 << 4,
};

enum sequence_kind { SEQUENCE_HASH = 1, SEQUENCE_HMAC, SEQUENCE_EVENT };

struct tpm_sequence {
	uint8_t kind; /* enum sequence_kind */
	TPM2B_AUTH authValue;
	TPM_ALG_ID hashAlg;
	bool first;  /* nothing was added yet */
	bool ticket; /* the data does not begin with TPM_GENERATED_VALUE: a ticket may be had */
	union {
		struct cvtpm_hash hash[HASH_COUNT]; /* HASH: [0]; EVENT: by event_hashes */
		struct cvtpm_hmac hmac;
	} state;
};

enum slot_use { SLOT_FREE, SLOT_OBJECT, SLOT_SEQUENCE };

/* A place for a loaded object. Its handle is TRANSIENT_FIRST + its number. */
struct tpm_slot {
	uint8_t use;   /* enum slot_use */
	bool removing; /* goes when the command has succeeded */
	bool used;     /* has held something since it was wiped */
	union {
		struct tpm_object object;
		struct tpm_sequence sequence;
	};
};

/* tpm_session.bits */
enum {
	SESSION_BOUND = 1 << 0,
	SESSION_DA_BOUND = 1 << 1,      /* bound to something that dictionary attack protects */
	SESSION_LOCKOUT_BOUND = 1 << 2, /* bound to lockoutAuth */
	SESSION_AUDIT = 1 << 3,
	SESSION_TRIAL = 1 << 4,
	SESSION_AUTHVALUE = 1 << 5,  /* PolicyAuthValue: the HMAC includes the entity's authValue */
	SESSION_PASSWORD = 1 << 6,   /* PolicyPassword: the HMAC field has it in the clear */
	SESSION_LOCALITY = 1 << 7,   /* commandLocality counts */
	SESSION_PCR = 1 << 8,        /* pcrCounter counts */
	SESSION_NV_WRITTEN = 1 << 9, /* PolicyNvWritten was used; the next bit is what it wants */
	SESSION_NV_WRITTEN_STATE = 1 << 10,
	SESSION_TIMEOUT = 1 << 11,  /* timeout counts */
	SESSION_PRESENCE = 1 << 12, /* PolicyPhysicalPresence */
};

/* tpm_session.digestKind */
enum { DIGEST_NONE, DIGEST_CPHASH, DIGEST_NAMEHASH, DIGEST_TEMPLATE, DIGEST_PARAMETERS };

struct tpm_session_slot {
	bool in_use;
	bool removing; /* goes when the command has succeeded */
	struct tpm_session s;
};

/* tpm_run.orderly */
enum { ORDERLY_NONE, ORDERLY_CLEAR, ORDERLY_STATE };

/* An NV index or a persistent object in t->nv.memory, followed by its bytes. All are
 * in one run without gaps; what is removed goes, and the rest moves up, when the
 * command has succeeded. So pointers to entries hold for one command. */
struct nv_entry {
	TPM_HANDLE handle; /* TPM_HT_NV_INDEX or TPM_HT_PERSISTENT */
	uint32_t size;     /* of the whole entry, a multiple of 8 */
	uint8_t dirty;     /* NV_DIRTY_*: to be written to the store; transactional */
	uint8_t monotone;  /* the same, for changes that are not undone */
	bool removing;
	union {
		struct tpm_nv_record nv; /* then the data, publicArea.dataSize bytes */
		struct tpm_object object;
	};
};
enum { NV_DIRTY_RECORD = 1, NV_DIRTY_DATA = 2 };

/* RSA keys that were used lately, with their CRT values: derived from the objects that
 * they belong to, so neither kind of state. The longest unused makes room. */
struct rsa_cache {
	uint64_t uses; /* of all of them */
	struct rsa_cached {
		uint64_t last; /* `uses` when this one was used; 0: free */
		TPM2B_NAME name;
		struct cvtpm_rsa_key key;
	} entry[CACHED_RSA_KEYS];
};

/* Records of fixed name, for marking them dirty. */
enum {
	RECORD_HIERARCHY = 1 << 0, /* << enum hierarchy_index */
	RECORD_SETTINGS = 1 << 5,
	RECORD_LOCKOUT = 1 << 6,
	RECORD_RUN = 1 << 7,
	RECORD_SAVED = 1 << 8,    /* what TPM2_Shutdown(STATE) keeps */
	RECORD_PRESENCE = 1 << 9, /* there once TPM2_PP_Commands was used */
	RECORD_AUDIT = 1 << 10,   /* there once command audit was used */
};

#define JOURNAL_SIZE 8192

/* One commit: the records' keys and bytes. The largest are TPM2_Shutdown(STATE), with the
 * public areas of all indices, and the first write to an index of the largest size. */
#define MAX_CHANGES     (2 * (11 + 2 * MAX_NV_INDICES + MAX_PERSISTENT)) /* blob.c: old and new */
#define RECORD_KEY_SIZE 24
#define COMMIT_SIZE     (40 * 1024)

struct journal {
	size_t used;
	bool overflow; /* cannot be undone any more: an error is then failure mode */
	uint8_t bytes[JOURNAL_SIZE];
};

/* One session of a command, as it came and as it is answered. */
struct frame_session {
	TPM_HANDLE handle;
	struct tpm_session *session; /* NULL: a password */
	TPM2B_NONCE nonceCaller;
	TPMA_SESSION attributes;
	TPM2B_AUTH hmac;
	TPM_HANDLE entity; /* what it authorises, TPM_RH_UNASSIGNED: nothing */
	bool with_auth;    /* the entity's authValue is part of the HMAC key */
};

/* Everything about the command that runs. Wiped, as a whole, before the answer. */
struct frame {
	const struct command *command;
	TPM2B_SENSITIVE sensitive; /* a sensitive area on its way in or out */
	uint8_t locality;
	TPM_HANDLE handles[MAX_HANDLE_NUM];
	bool named;
	TPM2B_NAME names[MAX_HANDLE_NUM]; /* as the command found them */
	TPM_ALG_ID cp_hash_alg;           /* of cp_hash, 0: not computed yet */
	TPM2B_DIGEST cp_hash, audit_cp_hash;
	TPM_ALG_ID command_audit_alg; /* 0: the command is not audited */
	TPM2B_DIGEST command_audit_cp_hash;
	unsigned session_count;
	struct frame_session sessions[MAX_SESSION_NUM];
	int decrypt, encrypt, audit;  /* number of the session that does it, or -1 */
	struct cvtpm_octets received; /* the parameters as they came, before decryption */
	struct reader parameters;     /* after decryption */
	union command_in in;
	union command_out out;
	TPM2B_DIGEST scratch; /* a secret of the body's, where the stack would not be wiped */
	uint8_t scalar[CVTPM_ECC_MAX_SIZE]; /* another one */
	size_t plain_len;
	uint8_t plain[CVTPM_MAX_BUFFER_SIZE]; /* the command's parameters, decrypted */
};

struct tpm {
	const struct cvtpm_platform *platform;
	uint32_t buffer_size;
	volatile bool cancel; /* set by another thread; looked at in loops */

	/* monotone */
	struct cvtpm_drbg drbg;
	struct tpm_lockout lockout;
	struct tpm_run run;
	uint32_t dirty_monotone; /* RECORD_* */
	bool sweep;              /* a slot was taken, or goes: the sweeps have something to do */
	bool store_failed; /* the last commit failed: no authorisation is tried before one succeeds
			    */
	bool powered, started, failed;
	bool was_orderly; /* TPM2_Shutdown came before the last TPM2_Startup */
	const char *failed_reason;
	uint32_t tested;        /* algorithms whose known-answer test has passed (selftest.c) */
	uint64_t clock_base_ms; /* platform's clock when Time and Clock were last advanced */
	uint64_t time;          /* TPMS_TIME_INFO.time: ms since _TPM_Init */
	int32_t clock_rate;     /* parts per million faster than the platform's clock */
	int32_t clock_rest;     /* millionths of a ms that Time has not yet advanced by */
	uint64_t epoch;         /* random at each power on; for policies with a time-out */
	uint64_t self_heal_ms,
		lockout_heal_ms; /* TPM time from which the timers of lockout.c count */

	/* transactional */
	uint32_t dirty; /* RECORD_* */
	struct tpm_hierarchy hierarchy[HIERARCHIES];
	struct tpm_settings settings;
	tpm_command_set pp_commands; /* that want physical presence (presence.c) */
	struct tpm_audit audit;
	struct tpm_pcrs pcrs;
	TPML_PCR_SELECTION pcr_banks; /* in use since _TPM_Init: one for each hash algorithm */
	bool pcr_allocated; /* TPM2_PCR_Allocate since _TPM_Init: no TPM2_Shutdown(STATE) */
	struct tpm_contexts contexts;
	struct tpm_ephemerals ephemerals;
	struct tpm_session_slot sessions[MAX_LOADED_SESSIONS];
	TPM_HANDLE exclusive; /* the session that audits exclusively, or 0 */
	struct tpm_slot objects[MAX_LOADED_OBJECTS];

	/* platform events (engine.c, pcr.c) */
	bool drtm_running, established, hcrtm;
	uint8_t startup_locality;
	struct cvtpm_hash drtm_hash[HASH_COUNT];

	struct rsa_cache rsa_keys;
	struct frame frame;

	/* From here on, room that is touched as it is needed. */
	struct journal journal;

	struct {
		size_t used;
		bool dirty;    /* some entry has a mark */
		bool removing; /* some entry goes */
		_Alignas(8) uint8_t memory[NV_MEMORY_SIZE];
	} nv;

	/* scratch of state.c */
	struct {
		union {
			struct tpm_saved_2 saved;
			struct tpm_object object;
			struct tpm_nv_record nv;
			struct tpm_hierarchy hierarchy;
			struct tpm_running_2 running;
			struct tpm_saved_sequence sequence;
			struct tpm_session_slot session_slot;
		} check; /* a record before it is taken */
		struct cvtpm_change changes[MAX_CHANGES];
		char keys[MAX_CHANGES][RECORD_KEY_SIZE];
		uint8_t bytes[COMMIT_SIZE];
	} commit;
};

/* ---- undo.c ---- */

/** Notes `len` bytes at `at`, inside *t, so that undo puts them back. */
void undo_note(struct tpm *t, void *at, size_t len);
/** Puts back everything noted since the last undo_forget(). */
void undo_all(struct tpm *t);
void undo_forget(struct tpm *t);
/** The next statement changes `lvalue`. */
#define CHANGE(t, lvalue) undo_note((t), &(lvalue), sizeof(lvalue))
/** Changes `lvalue`, undoably. */
#define SET(t, lvalue, value) (CHANGE(t, lvalue), (void)((lvalue) = (value)))
/** Marks a record of the store as changed, undoably. */
#define DIRTY(t, record) SET(t, (t)->dirty, (t)->dirty | (uint32_t)(record))

#endif
