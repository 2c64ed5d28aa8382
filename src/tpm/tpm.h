/*
 * The native engine: one TPM, and the nouns that its commands speak of.
 *
 * `struct tpm` is one instance, all of it: fixed memory, no pointer out of it but
 * to the platform. It has two kinds of state.
 *
 *   Transactional state (objects, sessions, hierarchies, PCRs, NV) is undone when
 *   a command answers an error or the store fails. It is changed through SET()
 *   or after CHANGE(), which note the old bytes in the journal.
 *   Monotone state (failed tries, the clock, the DRBG, self-test results, the
 *   failure latch) is never undone, and where it is kept in the store it is
 *   durable before the answer leaves, also when the answer is an error.
 *
 * A command's body therefore has no clean-up code. It reads `in`, changes state,
 * fills `out`, and returns; what it leaves in scratch is wiped, what it changed
 * is committed or undone by its caller (dispatch.c).
 *
 * What a command frees (a flushed object, an undefined index) is marked and goes
 * after the response is built: the response's HMAC still needs it.
 */
#ifndef CVTPM_TPM_TPM_H
#define CVTPM_TPM_TPM_H

#include "crypto/crypto.h"
#include "cvtpm/engine.h"
#include "cvtpm/err.h"
#include "cvtpm/platform.h"
#include "cvtpm/store.h"
#include "tpm/command.h"
#include "tpm/type.h"

/* ---- what an instance holds ---- */

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
		struct cvtpm_hash
			hash[HASH_COUNT]; /* HASH: [0]; EVENT: in the order of pcr_banks */
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
	SESSION_TIMEOUT = 1 << 11, /* timeout counts */
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
	RECORD_SAVED = 1 << 8, /* what TPM2_Shutdown(STATE) keeps */
};

#define JOURNAL_SIZE 8192

/* One commit: the records' keys and bytes. The largest are TPM2_Shutdown(STATE), with the
 * public areas of all indices, and the first write to an index of the largest size. */
#define MAX_CHANGES     (2 * (9 + 2 * MAX_NV_INDICES + MAX_PERSISTENT)) /* blob.c: old and new */
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
	unsigned session_count;
	struct frame_session sessions[MAX_SESSION_NUM];
	int decrypt, encrypt, audit;  /* number of the session that does it, or -1 */
	struct cvtpm_octets received; /* the parameters as they came, before decryption */
	struct reader parameters;     /* after decryption */
	union command_in in;
	union command_out out;
	TPM2B_DIGEST scratch; /* a secret of the body's, where the stack would not be wiped */
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
	struct tpm_pcrs pcrs;
	TPML_PCR_SELECTION pcr_banks; /* in use since _TPM_Init: one for each hash algorithm */
	bool pcr_allocated; /* TPM2_PCR_Allocate since _TPM_Init: no TPM2_Shutdown(STATE) */
	struct tpm_contexts contexts;
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
			struct tpm_saved saved;
			struct tpm_object object;
			struct tpm_nv_record nv;
			struct tpm_hierarchy hierarchy;
			struct tpm_running running;
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

/* ---- dispatch.c ---- */

/** Runs a command; contract of cvtpm_engine.execute. */
void tpm_execute(struct tpm *t, uint8_t locality, const uint8_t *command, size_t command_len,
		 uint8_t *response, size_t *response_len);
/** Failure mode until the next _TPM_Init (Part 1, 12.3): only GetTestResult and
 *  GetCapability are answered. `reason` is a constant, and goes to the log. Returns
 *  TPM_RC_FAILURE. */
tpm_rc tpm_fail(struct tpm *t, const char *reason);
/** Asked in loops that may last: TPM_RC_CANCELED when the command shall end. */
tpm_rc tpm_cancelled(struct tpm *t);

/* ---- entity.c: what a handle stands for, whatever its kind ---- */

/** Checks that `handle` is there now, as handle number `n` of the command (Part 3, 5.4):
 *  loaded, defined, its hierarchy enabled. */
tpm_rc entity_check(struct tpm *t, TPM_HANDLE handle, unsigned n);
void entity_name(struct tpm *t, TPM_HANDLE handle, TPM2B_NAME *name);
/** Its authValue, trailing zeros removed; never NULL. */
const TPM2B_AUTH *entity_auth(struct tpm *t, TPM_HANDLE handle);
/** Its authPolicy and the hash of it; an empty digest where it has none. */
TPM_ALG_ID entity_policy(struct tpm *t, TPM_HANDLE handle, const TPM2B_DIGEST **policy);
/** May its authValue, its policy, authorise it in role `role` of the running command? */
bool entity_auth_available(struct tpm *t, TPM_HANDLE handle, enum role role);
bool entity_policy_available(struct tpm *t, TPM_HANDLE handle, enum role role);
/** Must it be a policy (ADMIN and DUP, Part 1, 19.2)? */
bool entity_policy_required(struct tpm *t, TPM_HANDLE handle, enum role role);
/** Do failed authorisations of it not count against dictionary attack? */
bool entity_da_exempt(struct tpm *t, TPM_HANDLE handle);
/** The hierarchy that it belongs to, for tickets and names: TPM_RH_OWNER ... TPM_RH_NULL. */
TPM_HANDLE entity_hierarchy(struct tpm *t, TPM_HANDLE handle);

/* ---- hierarchy.c ---- */

/** The hierarchy of a permanent handle (TPM_RH_OWNER ... TPM_RH_LOCKOUT, TPM_RH_NULL). */
struct tpm_hierarchy *hierarchy_get(struct tpm *t, TPM_HANDLE handle);
enum hierarchy_index hierarchy_index(TPM_HANDLE handle);
bool hierarchy_enabled(struct tpm *t, TPM_HANDLE handle);
/** Marks its record as changed. */
void hierarchy_dirty(struct tpm *t, TPM_HANDLE handle);
/** New random seed and proof (ChangePPS, ChangeEPS, Clear, manufacture, TPM Reset). Undoable. */
tpm_rc hierarchy_new_seed(struct tpm *t, TPM_HANDLE handle);
tpm_rc hierarchy_new_proof(struct tpm *t, TPM_HANDLE handle);
/** Its policy and authValue as they are at first: empty. Undoable. */
void hierarchy_reset_policy(struct tpm *t, TPM_HANDLE handle);
void hierarchy_reset_auth(struct tpm *t, TPM_HANDLE handle);
/** Removes every loaded object of the hierarchy, late. */
void hierarchy_flush_loaded(struct tpm *t, TPM_HANDLE handle);
/** The same, and the persistent objects too. */
void hierarchy_flush(struct tpm *t, TPM_HANDLE handle);

/* ---- object.c: loaded and persistent objects ---- */

/** The object of a transient or persistent handle; NULL for a sequence, for what is
 *  not there, and for any other kind of handle. */
struct tpm_object *object_get(struct tpm *t, TPM_HANDLE handle);
/** A free slot, zeroed and taken as `use`. TPM_RC_OBJECT_MEMORY. */
tpm_rc object_slot(struct tpm *t, enum slot_use use, struct tpm_slot **slot, TPM_HANDLE *handle);
/** The slot of a transient handle in use, or NULL. */
struct tpm_slot *object_slot_of(struct tpm *t, TPM_HANDLE handle);
/** Removes a transient object or sequence, late. */
void object_flush(struct tpm *t, TPM_HANDLE handle);
/** Removes a persistent object, late. */
void object_evict(struct tpm *t, struct nv_entry *entry);
/** After a successful command: wipes slots that go or are unused again. */
void object_sweep(struct tpm *t);
/** _TPM_Init: wipes them all. */
void object_wipe_all(struct tpm *t);
/** Is it a Storage Parent, a Derivation Parent (Part 1, 23)? Both parts are loaded. */
bool object_is_parent(const struct tpm_object *object);
bool object_is_derivation_parent(const struct tpm_object *object);
/** Can secrets be sent to it: an asymmetric Storage Key, of which the public area is enough? */
bool object_is_asymmetric_storage(const struct tpm_object *object);
/** The symmetric algorithm in a public area, NULL for keyedHash. */
const TPMT_SYM_DEF_OBJECT *object_symmetric(const TPMT_PUBLIC *public);
/** A new authValue without its trailing zeros. TPM_RC_SIZE: longer than a digest of `nameAlg`. */
tpm_rc object_adjust_auth(TPM2B_AUTH *auth, TPM_ALG_ID nameAlg);
/** Name := nameAlg || H(public area) (Part 1, 16). Empty for nameAlg TPM_ALG_NULL. */
tpm_rc object_compute_name(struct tpm *t, const TPMT_PUBLIC *public, TPM2B_NAME *name);
/** QN := nameAlg || H(QN of parent || name) (Part 1, 26.5); `parent` a hierarchy or object. */
tpm_rc object_compute_qualified_name(struct tpm *t, TPM_HANDLE parent, TPM_ALG_ID nameAlg,
				     const TPM2B_NAME *name, TPM2B_NAME *qualified);
void object_qualified_name_of(struct tpm *t, TPM_HANDLE parent, TPM2B_NAME *qualified);
/** Fills in what follows from where an object is loaded: hierarchy, flags, qualified name.
 *  Public area, name and OBJECT_EXTERNAL or OBJECT_DERIVED are there already. */
tpm_rc object_complete(struct tpm *t, struct tpm_object *object, TPM_HANDLE parent);

/* ---- template.c: what a public area must obey ---- */

/** The rules of Part 3, 12.1 for an object to be created, loaded or imported: attributes
 *  against those of the parent and the type, authPolicy, schemes. `parent` NULL: a primary
 *  or external object. Codes without number: _HASH, _SIZE, _ATTRIBUTES, _SCHEME, _SYMMETRIC,
 *  _KDF. */
tpm_rc template_check(const struct tpm_object *parent, const TPMT_PUBLIC *public);
/** The same for creation, where the caller gives `data_size` bytes of sensitive data. */
tpm_rc template_check_creation(const struct tpm_object *parent, const TPMT_PUBLIC *public,
			       size_t data_size);
/** What of it applies to a public area alone (TPM2_LoadExternal): its schemes. */
tpm_rc template_check_public(const TPMT_PUBLIC *public);
/** authPolicy is empty or a digest of nameAlg: TPM_RC_SIZE. */
tpm_rc template_check_policy(const TPMT_PUBLIC *public);

/* ---- create.c: making key material ---- */

#define DERIVATION_VERSION 1 /* of primary objects, for new seeds; create.c describes it */

/** Fill in unique of `public` and all of `sensitive`, from the DRBG, by derivation from a
 *  primary seed, or from a derivation parent. `in`: as the command had it, adjusted.
 *  TPM_RC_CANCELED; TPM_RC_RANGE: an exponent that is not offered; TPM_RC_SIZE,
 *  TPM_RC_KEY_SIZE: data that does not fit; without number. */
tpm_rc create_random(struct tpm *t, TPMT_PUBLIC *public, const TPMS_SENSITIVE_CREATE *in,
		     TPM2B_SENSITIVE *sensitive);
tpm_rc create_primary(struct tpm *t, TPM_HANDLE hierarchy, TPMT_PUBLIC *public,
		      const TPMS_SENSITIVE_CREATE *in, TPM2B_SENSITIVE *sensitive);
tpm_rc create_derived(struct tpm *t, const struct tpm_object *parent, const TPMS_DERIVE *how,
		      TPMT_PUBLIC *public, const TPMS_SENSITIVE_CREATE *in,
		      TPM2B_SENSITIVE *sensitive);
/** What a new object was made under (Part 2, 15), and the digest of it. */
tpm_rc create_data(struct tpm *t, TPM_HANDLE parent, TPM_ALG_ID nameAlg,
		   const TPML_PCR_SELECTION *pcrs, const TPM2B_DATA *outside,
		   TPMS_CREATION_DATA *data, TPM2B_DIGEST *digest);

/* ---- binding.c ---- */

/** Do public and sensitive area belong together, and can this TPM use them (Part 3, 12.2)?
 *  `sensitive` NULL: the public area alone. Codes with number, of parameter `n_public` or
 *  `n_sensitive`: _TYPE, _SIZE, _KEY, _KEY_SIZE, _VALUE, _ECC_POINT; TPM_RC_BINDING. */
tpm_rc binding_check(struct tpm *t, const TPMT_PUBLIC *public, TPMT_SENSITIVE *sensitive,
		     unsigned n_public, unsigned n_sensitive);
/** unique of a symCipher or keyedHash object (Part 1, 27.5). */
tpm_rc binding_unique(struct tpm *t, const TPMT_PUBLIC *public, const TPMT_SENSITIVE *sensitive,
		      TPM2B_DIGEST *unique);

/* ---- protect.c: secrets on their way out and in (Part 1, 22 to 24) ---- */

/** Sensitive area -> TPM2B_PRIVATE under the parent's seed, and back. `in` is opened in place.
 *  TPM_RC_INTEGRITY, TPM_RC_SENSITIVE and unmarshalling codes, without number. */
tpm_rc protect_wrap(struct tpm *t, const struct tpm_object *parent, const TPM2B_NAME *name,
		    const TPMT_SENSITIVE *sensitive, TPM2B_PRIVATE *out);
tpm_rc protect_unwrap(struct tpm *t, const struct tpm_object *parent, const TPM2B_NAME *name,
		      TPM2B_PRIVATE *in, TPM2B_SENSITIVE *sensitive);
/** The duplication blob with its outer wrapper, unless `new_parent` is NULL, and its inner
 *  one, unless `inner` is TPM_ALG_NULL (Part 1, 23.3). `inner_key` of no bytes: one is made;
 *  it is left as the command answers it. */
tpm_rc protect_duplicate(struct tpm *t, const struct tpm_object *new_parent, const TPM2B_NAME *name,
			 const TPMT_SYM_DEF_OBJECT *inner, TPM2B_DATA *inner_key,
			 const TPMT_SENSITIVE *sensitive, TPM2B_PRIVATE *out,
			 TPM2B_ENCRYPTED_SECRET *seed);
/** And back, in place. `seed` of no bytes: there is no outer wrapper. */
tpm_rc protect_import(struct tpm *t, const struct tpm_object *parent, const TPM2B_NAME *name,
		      const TPMT_SYM_DEF_OBJECT *inner, const TPM2B_DATA *inner_key,
		      const TPM2B_DIGEST *seed, TPM2B_PRIVATE *in, TPM2B_SENSITIVE *sensitive);
/** Credential blobs under a seed that secret_make() or secret_recover() gave (Part 1, 24). */
tpm_rc protect_credential(struct tpm *t, const struct tpm_object *key, const TPM2B_NAME *name,
			  const TPM2B_DIGEST *seed, const TPM2B_DIGEST *credential,
			  TPM2B_ID_OBJECT *blob);
tpm_rc protect_activate(struct tpm *t, const struct tpm_object *key, const TPM2B_NAME *name,
			const TPM2B_DIGEST *seed, TPM2B_ID_OBJECT *blob, TPM2B_DIGEST *credential);

/* ---- secret.c ---- */

/** Secret sharing (Part 1, Annexes B.10, C.6): a fresh secret for the holder of `key`, and
 *  its recovery. `label` ("SECRET", "DUPLICATE", "IDENTITY") with its final NUL counted.
 *  secret_make: `key` is an asymmetric storage key. secret_recover: TPM_RC_KEY (no asymmetric key),
 *  TPM_RC_SIZE, TPM_RC_VALUE, TPM_RC_ECC_POINT, TPM_RC_INSUFFICIENT; without number. */
tpm_rc secret_make(struct tpm *t, const struct tpm_object *key, const char *label,
		   TPM2B_DIGEST *secret, TPM2B_ENCRYPTED_SECRET *out);
tpm_rc secret_recover(struct tpm *t, const struct tpm_object *key, const char *label,
		      const TPM2B_ENCRYPTED_SECRET *in, TPM2B_DIGEST *secret);

/* ---- context.c (Part 1, 30) ---- */

/** `handle` is loaded. TPM_RC_TOO_MANY_CONTEXTS. */
tpm_rc context_save(struct tpm *t, TPM_HANDLE handle, TPMS_CONTEXT *context);
/** In place. Codes without number: TPM_RC_SIZE, TPM_RC_INTEGRITY, TPM_RC_HIERARCHY, TPM_RC_HANDLE;
 *  TPM_RC_OBJECT_MEMORY, TPM_RC_SESSION_MEMORY. */
tpm_rc context_load(struct tpm *t, TPMS_CONTEXT *context, TPM_HANDLE *handle);

/* ---- sequence.c: sequences as rows of state.def, for contexts and state blobs ---- */

void sequence_save(const struct tpm_sequence *sequence, struct tpm_saved_sequence *saved);
/** CVTPM_ERR_FORMAT: no sequence that sequence_save() writes. */
int sequence_restore(const struct tpm_saved_sequence *saved, struct tpm_sequence *sequence);

/* ---- keys.c: using a loaded key ---- */

/** May it sign: is `sign` SET, in a key of a type that can? */
bool key_is_signing(const struct tpm_object *key);
/** The scheme that signs: the key's, or the command's where the key has none (Part 3, 20.2 and
 *  18.1); one of the key's type. `key` NULL: TPM_ALG_NULL. TPM_RC_SCHEME. */
tpm_rc key_select_scheme(const struct tpm_object *key, TPMT_SIG_SCHEME *scheme);
/** `scheme` as key_select_scheme() left it, not TPM_ALG_NULL; the digest is one of its hash. */
tpm_rc key_sign(struct tpm *t, const struct tpm_object *key, const TPMT_SIG_SCHEME *scheme,
		const TPM2B_DIGEST *digest, TPMT_SIGNATURE *signature);
/** TPM_RC_SIGNATURE; TPM_RC_SCHEME: not a signature of the key's type; TPM_RC_HANDLE: an HMAC
 *  key of which only the public area is loaded. */
tpm_rc key_verify(struct tpm *t, const struct tpm_object *key, const TPM2B_DIGEST *digest,
		  const TPMT_SIGNATURE *signature);
/** The key of an HMAC command, handle number 1, and its hash, parameter number `p`: the key's, or
 *  the command's where the key has none (Part 3, Table 76). TPM_RC_TYPE, TPM_RC_ATTRIBUTES,
 *  TPM_RC_KEY, TPM_RC_VALUE, numbered. */
tpm_rc key_select_hmac(struct tpm *t, TPM_HANDLE handle, TPMI_ALG_HASH *alg, unsigned p,
		       const struct tpm_object **key);
/** Padding for RSA_Encrypt and RSA_Decrypt (Part 3, Table 43). TPM_RC_SCHEME. */
tpm_rc key_select_padding(const struct tpm_object *key, TPMT_RSA_DECRYPT *scheme);
/** `label` with its final NUL counted. TPM_RC_VALUE: `plain` is too long, or not less than
 *  the modulus; TPM_RC_SCHEME. */
tpm_rc key_rsa_encrypt(struct tpm *t, const struct tpm_object *key, const TPMT_RSA_DECRYPT *scheme,
		       struct cvtpm_octets label, struct cvtpm_octets plain,
		       TPM2B_PUBLIC_KEY_RSA *out);
/** TPM_RC_SIZE: `in` is not as long as the modulus, or not less; TPM_RC_VALUE: the padding is
 *  wrong; TPM_RC_SCHEME. */
tpm_rc key_rsa_decrypt(struct tpm *t, const struct tpm_object *key, const TPMT_RSA_DECRYPT *scheme,
		       struct cvtpm_octets label, const TPM2B_PUBLIC_KEY_RSA *in,
		       TPM2B_PUBLIC_KEY_RSA *plain);
/** z := d * point. TPM_RC_ECC_POINT. Points that the engine gives out have coordinates as long
 *  as the curve's. */
tpm_rc key_ecdh(struct tpm *t, const struct tpm_object *key, const TPMS_ECC_POINT *point,
		TPMS_ECC_POINT *z);
/** A fresh key pair on the key's curve and the point shared with it. TPM_RC_ECC_POINT: the key
 *  is no point of its curve. */
tpm_rc key_ecdh_ephemeral(struct tpm *t, const struct tpm_object *key, TPMS_ECC_POINT *ephemeral,
			  TPMS_ECC_POINT *z);
/** The engine's forms <-> crypto.h's. False: a number is too long for the curve, a modulus
 *  not as long as the key; `out` is then all zero. */
bool ecc_public_of(const TPMT_PUBLIC *public, struct cvtpm_ecc_public *out);
bool rsa_public_of(const TPMT_PUBLIC *public, struct cvtpm_rsa_public *out);
void ecc_point_of(const struct cvtpm_ecc_public *in, TPMS_ECC_POINT *out);
/** Forgets what was derived from the object of that name, because it goes; NULL: of every. */
void keys_forget(struct tpm *t, const TPM2B_NAME *name);

/* ---- attest.c (Part 3, 18.1) ---- */

/** The signer of an attestation command, handle number `h`, NULL for TPM_RH_NULL, and the
 *  scheme that it signs with, parameter number `p`. TPM_RC_KEY, TPM_RC_SCHEME, numbered. */
tpm_rc attest_signer(struct tpm *t, TPM_HANDLE handle, unsigned h, TPMT_SIG_SCHEME *scheme,
		     unsigned p, const struct tpm_object **signer);

/** Fills what every TPMS_ATTEST has; `signer` NULL for TPM_RH_NULL. Blinds clock and
 *  firmware version where the key is not in the endorsement or platform hierarchy. */
tpm_rc attest_begin(struct tpm *t, const struct tpm_object *signer, TPMI_ST_ATTEST type,
		    const TPM2B_DATA *extra, TPMS_ATTEST *attest);
/** Marshals, hashes, signs. Without a signer the signature is TPM_ALG_NULL. */
tpm_rc attest_finish(struct tpm *t, const struct tpm_object *signer, const TPMT_SIG_SCHEME *scheme,
		     const TPMS_ATTEST *attest, TPM2B_ATTEST *out, TPMT_SIGNATURE *signature);

/* ---- ticket.c (Part 2, 10.7) ---- */

/** HMAC(proof of hierarchy, tag || parts); an empty NULL ticket for TPM_RH_NULL where the
 *  specification says so is the caller's. */
tpm_rc ticket_digest(struct tpm *t, TPM_HANDLE hierarchy, TPM_ST tag,
		     const struct cvtpm_octets *parts, size_t count, TPM2B_DIGEST *digest);
tpm_rc ticket_verified(struct tpm *t, TPM_HANDLE hierarchy, const TPM2B_DIGEST *digest,
		       const TPM2B_NAME *key, TPMT_TK_VERIFIED *ticket);
tpm_rc ticket_hashcheck(struct tpm *t, TPM_HANDLE hierarchy, TPM_ALG_ID alg,
			const TPM2B_DIGEST *digest, TPMT_TK_HASHCHECK *ticket);
tpm_rc ticket_creation(struct tpm *t, TPM_HANDLE hierarchy, const TPM2B_NAME *name,
		       const TPM2B_DIGEST *creation, TPMT_TK_CREATION *ticket);
/** Do the bytes begin with TPM_GENERATED_VALUE, as only the TPM's own attestations shall? */
bool ticket_starts_generated(struct cvtpm_octets data);
/** `on_reset`: it also ends with the next TPM Reset or Restart. */
tpm_rc ticket_auth(struct tpm *t, TPM_ST tag, TPM_HANDLE hierarchy, uint64_t timeout, bool on_reset,
		   const TPM2B_DIGEST *cp_hash, const TPM2B_NONCE *policy_ref,
		   const TPM2B_NAME *name, TPMT_TK_AUTH *ticket);

/* ---- pcr.c (Part 1, 17; PC Client profile, 4.6) ---- */

/** Extends one PCR in the bank of `alg`; nothing where the bank does not have it.
 *  `pcr` TPM_RH_NULL: nothing. TPM_RC_LOCALITY: not from the command's locality. */
tpm_rc pcr_extend(struct tpm *t, TPMI_DH_PCR pcr, TPM_ALG_ID alg, const uint8_t *digest);
bool pcr_may_extend(struct tpm *t, TPMI_DH_PCR pcr, uint8_t locality);
bool pcr_may_reset(struct tpm *t, TPMI_DH_PCR pcr, uint8_t locality);
void pcr_reset(struct tpm *t, TPMI_DH_PCR pcr);
/** The value in a bank, or NULL if the bank does not have the register. */
const uint8_t *pcr_value(struct tpm *t, TPM_ALG_ID bank, TPMI_DH_PCR pcr);
/** H(concatenation of the selected values); `selection` becomes what there is of it. */
tpm_rc pcr_digest(struct tpm *t, TPM_ALG_ID alg, TPML_PCR_SELECTION *selection,
		  TPM2B_DIGEST *digest);
/** The bitmap of a TPM_PT_PCR; false for one that is not defined. */
bool pcr_property(TPM_PT_PCR property, PCR_SELECT *select);
/** The allocation of a new TPM: SHA-256 and SHA-384, every register. */
void pcr_default_allocation(TPML_PCR_SELECTION *allocation);
/** _TPM_Init: takes the stored allocation into use. */
void pcr_init(struct tpm *t);
/** What TPM2_Startup does to PCRs, after state_restore_volatile() where that is due.
 *  Sets t->startup_locality: the command's, 4 with an H-CRTM. TPM_RC_LOCALITY: a resume
 *  that does not begin as the run before it did. */
enum startup_kind { STARTUP_RESET, STARTUP_RESTART, STARTUP_RESUME };
tpm_rc pcr_startup(struct tpm *t, enum startup_kind kind);
/** _TPM_Hash_Start, _Data, _End (Part 3, 22.9 to 22.11): before TPM2_Startup an H-CRTM
 *  (sets t->hcrtm), after it a D-RTM. CVTPM_ERR_STATE: powered off, failed, or out of
 *  order. CVTPM_ERR_CRYPTO. */
int pcr_hash_start(struct tpm *t);
int pcr_hash_data(struct tpm *t, const void *data, size_t len);
int pcr_hash_end(struct tpm *t);

/* ---- nv.c ---- */

/** The entry of an NV index or persistent handle, NULL if there is none. One that the
 *  running command removes is still found. */
struct nv_entry *nv_find(struct tpm *t, TPM_HANDLE handle);
/** The first entry with a handle >= `from` of its type, in ascending order; NULL: none. */
struct nv_entry *nv_next(struct tpm *t, TPM_HANDLE from);
uint8_t *nv_data(struct nv_entry *entry);
/** The entry at an offset below t->nv.used; the next one is entry->size further. */
static inline struct nv_entry *nv_entry_at(struct tpm *t, size_t offset)
{
	return (struct nv_entry *)(void *)(t->nv.memory + offset);
}
/** Adds an entry with `data` bytes of data (0 for an object), marked to be stored.
 *  All of it is zeroed. TPM_RC_NV_SPACE. */
tpm_rc nv_add(struct tpm *t, TPM_HANDLE handle, size_t data, struct nv_entry **entry);
void nv_remove(struct tpm *t, struct nv_entry *entry); /* late */
/** Marks for the store, undoably, except that t->nv.dirty (some entry may have a mark)
 *  stays until the next commit. */
void nv_dirty(struct tpm *t, struct nv_entry *entry, uint8_t what);
void nv_sweep(struct tpm *t);
size_t nv_count(struct tpm *t, uint8_t type); /* TPM_HT_NV_INDEX or TPM_HT_PERSISTENT */
/** Of t->nv.memory that an index with `data` bytes, or a persistent object, takes. */
size_t nv_entry_size(uint8_t type, size_t data);
/** How many more indices of `data` bytes, or persistent objects, can be added. */
size_t nv_room(struct tpm *t, uint8_t type, size_t data);
static inline unsigned nv_type(const TPMS_NV_PUBLIC *p)
{
	return (p->attributes & TPMA_NV_TPM_NT) >> TPMA_NV_TPM_NT_SHIFT;
}
bool nv_type_exists(unsigned type);
/** Is dataSize what an index of its type must have, or for an ordinary one may have? */
bool nv_size_fits(const TPMS_NV_PUBLIC *public);
/** Name of an index (Part 1, 16). Empty where the hash fails, which is failure mode. */
void nv_name(struct tpm *t, const struct nv_entry *entry, TPM2B_NAME *name);
/** Part 3, 31.1: locks, authority, written. TPM_RC_NV_LOCKED, _NV_AUTHORIZATION,
 *  _NV_UNINITIALIZED. */
tpm_rc nv_check_read(struct tpm *t, TPM_HANDLE auth, const struct nv_entry *index);
tpm_rc nv_check_write(struct tpm *t, TPM_HANDLE auth, const struct nv_entry *index);
/** TPM_RC_NV_RANGE: not within the index. */
tpm_rc nv_read(struct tpm *t, struct nv_entry *index, size_t offset, size_t size, void *out);
/** `offset` and `size` have been checked. Writes, marks as written, marks for the store (data of
 * TPMA_NV_ORDERLY: not before TPM2_Shutdown, counters excepted). */
void nv_write(struct tpm *t, struct nv_entry *index, size_t offset, size_t size, const void *data);
/** Changes attributes, undoably. */
void nv_set_attributes(struct tpm *t, struct nv_entry *index, TPMA_NV attributes);
/** Of a counter, bits or PIN index: its value; 0 where it is not written. */
uint64_t nv_u64(struct nv_entry *index);
/** What the first TPM2_NV_Increment starts from: the highest value of any counter ever. */
uint64_t nv_counter_start(struct tpm *t);
/** PIN indices (Part 2, 13.3). Before the authValue of one is compared: a PIN Fail
 *  index counts the try, durably. TPM_RC_AUTH_UNAVAILABLE: not written, or pinCount has
 *  reached pinLimit. TPM_RC_NV_UNAVAILABLE. */
tpm_rc nv_pin_before(struct tpm *t, struct nv_entry *index);
/** It was right: PIN Fail begins again at 0, PIN Pass counts. Monotone. */
void nv_pin_right(struct tpm *t, struct nv_entry *index);
bool nv_is_pin(const struct nv_entry *index);
/** Bytes of data of the indices with TPMA_NV_ORDERLY: at most MAX_ORDERLY_SIZE. */
size_t nv_orderly_size(struct tpm *t);
/** What TPM2_Startup and TPM2_Shutdown do to indices. */
tpm_rc nv_startup(struct tpm *t, enum startup_kind kind, bool orderly);
void nv_shutdown(struct tpm *t);

/* ---- session.c ---- */

/** The loaded session, or NULL. */
struct tpm_session *session_get(struct tpm *t, TPM_HANDLE handle);
/** A free slot and handle. TPM_RC_SESSION_MEMORY, TPM_RC_SESSION_HANDLES. */
tpm_rc session_create(struct tpm *t, TPM_SE type, struct tpm_session **session);
bool session_is_saved(struct tpm *t, TPM_HANDLE handle);
/** A free slot, zeroed, for a session whose context is loaded. TPM_RC_SESSION_MEMORY. */
tpm_rc session_take_slot(struct tpm *t, struct tpm_session_slot **slot);
/** Removes a loaded session (late) or the memory of a saved one. */
void session_flush(struct tpm *t, TPM_HANDLE handle);
void session_sweep(struct tpm *t);
void session_reset_policy(struct tpm *t, struct tpm_session *s);

/* ---- auth.c: sessions of a command and of its response (Part 1, 19 and 21) ---- */

tpm_rc auth_read_sessions(struct tpm *t, struct reader *r);
/** Roles, policies, HMACs, lockout. */
tpm_rc auth_check(struct tpm *t);
tpm_rc auth_decrypt(struct tpm *t);
/** Encrypts the first response parameter in place and writes the session area. */
tpm_rc auth_respond(struct tpm *t, uint8_t *parameters, size_t len, struct writer *w);
/** The names of the running command's handles, as it found them, in `parts` (room for
 *  MAX_HANDLE_NUM); how many. They stay in the frame. */
unsigned auth_names(struct tpm *t, struct cvtpm_octets *parts);
/** Recomputes cpHash in `alg` for the running command. */
tpm_rc auth_cp_hash(struct tpm *t, TPM_ALG_ID alg, TPM2B_DIGEST *digest);

/* ---- policy.c: what policy commands share (Part 3, 23.2) ---- */

#define POLICY_PARTS_MAX 8 /* PolicyOR */

/** policyDigest := H(policyDigest || code || parts), at most POLICY_PARTS_MAX. */
tpm_rc policy_extend(struct tpm *t, struct tpm_session *s, TPM_CC code,
		     const struct cvtpm_octets *parts, size_t count);
/** policyDigest := a Zero Digest. */
void policy_zero(struct tpm *t, struct tpm_session *s);
/** The update of PolicySigned, PolicySecret, PolicyAuthorize (23.2.3, 23.2.4): code and name, then
 *  policyRef; `cp_hash` (may be NULL) if it is not empty; `timeout` if it is not 0 and earlier. */
tpm_rc policy_update(struct tpm *t, struct tpm_session *s, TPM_CC code, const TPM2B_NAME *name,
		     const TPM2B_NONCE *policy_ref, const TPM2B_DIGEST *cp_hash, uint64_t timeout);
/** Binds the session to a digest, DIGEST_*. */
void policy_set_digest(struct tpm *t, struct tpm_session *s, uint8_t kind,
		       const TPM2B_DIGEST *digest);
/** When an authorisation ends (23.2.2), in TPM time; 0: never. `expiration`, an INT32, counts in
 *  seconds from the session's start, or else from _TPM_Init; its sign does not matter here. */
uint64_t policy_timeout(const struct tpm_session *s, uint32_t expiration, bool from_start);
/** The checks of 23.2.2, numbered: nonceTPM (may be NULL) is parameter 1, cpHashA 2, `timeout`
 *  number `timeout_n`. TPM_RC_NONCE, TPM_RC_EXPIRED, TPM_RC_SIZE, TPM_RC_CPHASH. */
tpm_rc policy_check_parameters(struct tpm *t, const struct tpm_session *s, const TPM2B_NONCE *nonce,
			       const TPM2B_DIGEST *cp_hash, uint64_t timeout, unsigned timeout_n);
/** Is `a operation b` true (Part 2, 6.8)? */
bool policy_compare(TPM_EO operation, const uint8_t *a, const uint8_t *b, size_t size);
/** Are policyDigest and the deferred assertions of the session true of the running command, for
 *  fs->entity? TPM_RC_POLICY_FAIL, _POLICY_CC, _EXPIRED, _PCR_CHANGED, _LOCALITY, _MODE. */
tpm_rc policy_check(struct tpm *t, const struct frame_session *fs, enum role role);

/* ---- lockout.c (Part 1, 19.8) ---- */

/** Before an authorisation that dictionary attack protects is tried: TPM_RC_LOCKOUT, or
 *  TPM_RC_NV_UNAVAILABLE where a failure could not be remembered. `lockout`: it is
 *  lockoutAuth itself. When it returns success, everything earlier and the mark that
 *  this TPM has been tried (run.daUsed, run.orderly) are durable. */
tpm_rc lockout_before(struct tpm *t, bool lockout);
/** lockoutAuth is about to be compared: closes it, durably; and it was right: opens it.
 *  TPM_RC_NV_UNAVAILABLE: not to be compared. */
tpm_rc lockout_try(struct tpm *t);
void lockout_right(struct tpm *t);
/** It failed. Monotone. */
void lockout_failed(struct tpm *t, bool lockout);
/** Timers: forgives tries as time passes. Called before each command, after clock_tick(). */
void lockout_tick(struct tpm *t);
bool lockout_active(struct tpm *t);
/** TPM2_Startup: counts an unorderly end after a try (run.daUsed), begins the timers. */
void lockout_startup(struct tpm *t, bool orderly);
/** Parameters of a new TPM, and after TPM2_Clear. */
void lockout_defaults(struct tpm_lockout *lockout);

/* ---- clock.c (Part 1, 36) ---- */

#define CLOCK_UPDATE_MS (1u << 22) /* TPM_PT_CLOCK_UPDATE: the store's clock is never older */

uint64_t clock_time(struct tpm *t);  /* ms since _TPM_Init, at the last tick */
uint64_t clock_clock(struct tpm *t); /* TPMS_CLOCK_INFO.clock, at the last tick */
/** _TPM_Init: Time begins at 0 and at the platform's rate. Draws nothing, writes nothing. */
void clock_init(struct tpm *t);
/** Before each command: advances Time and Clock, marks for the store. */
void clock_tick(struct tpm *t);
void clock_info(struct tpm *t, TPMS_CLOCK_INFO *info);
/** TPM2_Startup: counts resets and restarts, says whether Clock is safe, sets was_orderly. */
void clock_startup(struct tpm *t, enum startup_kind kind, bool orderly);
/** TPM2_Shutdown: the clock is kept exactly. */
void clock_shutdown(struct tpm *t);
/** TPM2_ClockSet, TPM2_ClockRateAdjust (Part 3, 29.2 and 29.3). False: the rate would
 *  leave the tolerance. */
void clock_set(struct tpm *t, uint64_t clock);
bool clock_adjust(struct tpm *t, TPM_CLOCK_ADJUST adjust);

/* ---- audit.c ---- */

/** Before the sessions of a response: exclusiveness ends where it must. */
void audit_begin(struct tpm *t);
/** Extends the audit digest of a session of the running command. */
tpm_rc audit_session(struct tpm *t, const struct frame_session *fs, const TPM2B_DIGEST *rp_hash);

/* ---- selftest.c ---- */

/* What is implemented, by TPM_ALG_ID; attributes 0: not. One table for TPM_CAP_ALGS and
 * the tests. */
struct algorithm {
	TPMA_ALGORITHM attributes;
	uint32_t tests; /* 1 << enum cvtpm_test: what must have passed before it is used */
};
#define ALGORITHM_LAST TPM_ALG_CFB
extern const struct algorithm algorithms[ALGORITHM_LAST + 1];
bool algorithm_exists(uint32_t alg);

/** Runs the known-answer tests that the algorithm needs and that have not been run
 *  since _TPM_Init; failure is failure mode. TPM_ALG_ECC, ECDSA, ECDH: see below. */
tpm_rc selftest_need(struct tpm *t, TPM_ALG_ID alg);
/** The same for one curve; selftest_need(TPM_ALG_ECC) would run those of all three. */
tpm_rc selftest_need_curve(struct tpm *t, TPMI_ECC_CURVE curve);
/** All that has not been run. TPM_RC_CANCELED between two tests. */
tpm_rc selftest_all(struct tpm *t);
tpm_rc selftest_need_drbg(struct tpm *t);
/** The algorithms that are still to be tested. */
void selftest_pending(struct tpm *t, TPML_ALG *list);

/* ---- capability.c ---- */

/** TPM2_GetCapability; in failure mode only what Part 3, 30.2 wants. Codes with number. */
tpm_rc capability_get(struct tpm *t, TPM_CAP capability, uint32_t property, uint32_t count,
		      TPMS_CAPABILITY_DATA *data, TPMI_YES_NO *more);

/* ---- describe.c ---- */

/** Contract of cvtpm_engine.describe. */
int tpm_describe(uint32_t what, char *json, size_t *len);

/* ---- state.c: the store ---- */

/** Reads every record, or makes a TPM with fresh seeds where there is none. */
int state_load(struct tpm *t, bool *is_new);
/** Writes what is marked, all or nothing. CVTPM_ERR_STORE. */
int state_commit(struct tpm *t);
/** What TPM2_Shutdown(STATE) keeps, and TPM2_Startup(STATE) puts back. */
tpm_rc state_save_volatile(struct tpm *t);
tpm_rc state_restore_volatile(struct tpm *t);

/** The record that TPM2_Shutdown(STATE) leaves; and are two keys the same? */
#define SAVED_KEY "tpm/saved"
bool state_key_is(const char *a, const char *b);
/** Is it a record that state_load() would take? CVTPM_ERR_FORMAT. */
int state_check_record(struct tpm *t, const char *key, const uint8_t *value, size_t len);
/** Are the records that the first `count` of t->commit.changes write, each taken by
 *  state_check_record(), a whole TPM? CVTPM_ERR_FORMAT: one is missing, is there twice, or
 *  belongs to none, or all do not fit. */
int state_check_whole(struct tpm *t, size_t count);

/* ---- blob.c, running.c: state blobs ---- */

/** Contracts of cvtpm_engine.save_state and load_state. */
int blob_save(struct tpm *t, enum cvtpm_blob kind, uint8_t *blob, size_t *len);
int blob_load(struct tpm *t, enum cvtpm_blob kind, const uint8_t *blob, size_t len);
/** At power on: goes on with a loaded volatile state, once. */
int blob_resume(struct tpm *t);
/** The TPM as it runs, as a record; 0 where it does not fit. */
size_t running_write(struct tpm *t, uint8_t *out, size_t capacity);
int running_check(struct tpm *t, const uint8_t *bytes, size_t len);
int running_read(struct tpm *t, const uint8_t *bytes, size_t len);

/* ---- startup.c ---- */

/** _TPM_Init: volatile state is gone, failure mode ends, TPM2_Startup is awaited. */
void tpm_init(struct tpm *t);
/** TPM2_Startup, once its kind is known. */
tpm_rc startup(struct tpm *t, enum startup_kind kind);

/* ---- small helpers (util.c) ---- */

/** A response code of a noun, which has no number, as one about parameter, handle or session `n`;
 *  codes that never have a number are left as they are. */
static inline tpm_rc rc_p(unsigned n, tpm_rc rc)
{
	return rc & RC_FMT1 ? RC_P(n, rc) : rc;
}
static inline tpm_rc rc_h(unsigned n, tpm_rc rc)
{
	return rc & RC_FMT1 ? RC_H(n, rc) : rc;
}
static inline tpm_rc rc_s(unsigned n, tpm_rc rc)
{
	return rc & RC_FMT1 ? RC_S(n, rc) : rc;
}

/** Random bytes; failure mode on a lack of entropy. */
tpm_rc tpm_random(struct tpm *t, void *out, size_t len);
/** H(parts); `alg` is one that TPMI_ALG_HASH allows. */
tpm_rc tpm_hash(struct tpm *t, TPM_ALG_ID alg, const struct cvtpm_octets *parts, size_t count,
		TPM2B_DIGEST *digest);
tpm_rc tpm_hmac(struct tpm *t, TPM_ALG_ID alg, struct cvtpm_octets key,
		const struct cvtpm_octets *parts, size_t count, TPM2B_DIGEST *mac);
uint16_t hash_size(TPM_ALG_ID alg);
/** Constant time in the content; different sizes differ. */
bool bytes_equal(struct cvtpm_octets a, struct cvtpm_octets b);
#define EQUAL_2B(a, b) bytes_equal(OCTETS(a), OCTETS(b))
/** An authValue without its trailing zeros (Part 1, 19.6.4.3). */
void auth_trim(TPM2B_AUTH *auth);

#endif
