/*
 * The native engine: the nouns that its commands speak of, one after the other.
 *
 * A command's body has no clean-up code. It reads `in`, changes state, fills `out`,
 * and returns; what it leaves in scratch is wiped, what it changed is committed or
 * undone by its caller (dispatch.c).
 *
 * What a command frees (a flushed object, an undefined index) is marked and goes
 * after the response is built: the response's HMAC still needs it.
 */
#ifndef CVTPM_TPM_TPM_H
#define CVTPM_TPM_TPM_H

#include "tpm/instance.h"
#include "tpm/object.h"

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
/** Is, of an object, the sensitive area here, too? What else there is is always whole. */
bool entity_is_whole(struct tpm *t, TPM_HANDLE handle);
/** May its authValue, its policy, authorise it in role `role` of the running command? It is
 *  whole. */
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

/* ---- ephemeral.c (Part 3, 19) ---- */

/** TPM Reset: none is left. */
tpm_rc ephemeral_reset(struct tpm *t);
/** A new one on `curve`, cvtpm_curve_size() bytes of secret, for the key with that name or, with
 *  an empty one, for nobody's; and the lower half of its number. */
tpm_rc ephemeral_make(struct tpm *t, TPMI_ECC_CURVE curve, const TPM2B_NAME *name, uint8_t *scalar,
		      uint16_t *counter);
/** The one that was made for that name, which is used up. TPM_RC_VALUE: none has this number, or
 *  it was used. */
tpm_rc ephemeral_take(struct tpm *t, TPMI_ECC_CURVE curve, const TPM2B_NAME *name, uint16_t counter,
		      uint8_t *scalar);

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
/** rpHash in `alg`, of response parameters as they will be sent. */
tpm_rc auth_rp_hash(struct tpm *t, TPM_ALG_ID alg, struct cvtpm_octets parameters,
		    TPM2B_DIGEST *digest);

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
 *  fs->entity? TPM_RC_POLICY_FAIL, _POLICY_CC, _EXPIRED, _PCR_CHANGED, _LOCALITY, _PP, _MODE. */
tpm_rc policy_check(struct tpm *t, const struct frame_session *fs, enum role role);

/* ---- presence.c (Part 3, 26.2) ---- */

/** Does the platform say that somebody is there? */
bool presence_asserted(struct tpm *t);
/** Does the command want that where TPM_RH_PLATFORM authorises it? */
bool presence_required(struct tpm *t, const struct command *command);
/** Chooses commands that do, or no longer; what may not be in the list is passed over. Undoable. */
void presence_choose(struct tpm *t, const TPML_CC *list, bool required);

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

/** Once the store's record was read, or there is none: then it is as of a new TPM. */
void audit_loaded(struct tpm *t);
/** Is the command audited? */
bool audit_required(struct tpm *t, const struct command *command);
/** Chooses commands to be audited, or no longer. What can never, or must always, and what there
 *  is not, is passed over. Undoable. */
void audit_choose(struct tpm *t, const TPML_CC *list, bool audited);
/** The digest is empty again: the next audited command counts the counter up. Undoable. */
void audit_clear(struct tpm *t);
/** H(codes of the audited commands, ascending). */
tpm_rc audit_commands_digest(struct tpm *t, TPM2B_DIGEST *digest);
/** While the names are those that the command found: its cpHash, if it is audited. */
tpm_rc audit_command_begin(struct tpm *t);
/** The running command has succeeded, its response `parameters` are as they will be sent. */
tpm_rc audit_command(struct tpm *t, struct cvtpm_octets parameters);
/** Before a loss of power that keeps volatile state: so does the store. */
void audit_shutdown(struct tpm *t);

/* ---- selftest.c ---- */

/* What is implemented, by TPM_ALG_ID; attributes 0: not. One table for TPM_CAP_ALGS and
 * the tests. */
struct algorithm {
	TPMA_ALGORITHM attributes;
	uint32_t tests; /* 1 << enum cvtpm_test: what must have passed before it is used */
};
#define ALGORITHM_LAST TPM_ALG_ECB
extern const struct algorithm algorithms[ALGORITHM_LAST + 1];
bool algorithm_exists(uint32_t alg);

/** Runs the known-answer tests that the algorithm needs and that have not been run
 *  since _TPM_Init; failure is failure mode. TPM_ALG_ECC, ECDSA, ECDH: see below. */
tpm_rc selftest_need(struct tpm *t, TPM_ALG_ID alg);
/** The same of TPM_ALG_ECC (keys), TPM_ALG_ECDH or TPM_ALG_ECDSA on one curve; selftest_need()
 *  would run those of all three. */
tpm_rc selftest_need_curve(struct tpm *t, TPM_ALG_ID alg, TPMI_ECC_CURVE curve);
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
bool state_is_saved(struct tpm *t);

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
/** Is the command with that code in the set; and puts it there, or takes it out. There is one. */
bool command_set_has(const tpm_command_set *set, TPM_CC code);
void command_set_put(tpm_command_set *set, TPM_CC code, bool in);
/** An authValue without its trailing zeros (Part 1, 19.6.4.3). */
void auth_trim(TPM2B_AUTH *auth);

#endif
