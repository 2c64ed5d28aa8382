/*
 * Two TPMs side by side: the native engine and libtpms, which get the same commands
 * and must give the same answers.
 *
 * A sequence is a list of steps. A step is an operation (operations_*.c) and a seed of its
 * own; what it does depends on that seed and on what there is in the world (keys,
 * sessions, indices). So a sequence can be played again, and played with steps left out,
 * which the shrinker does (shrink.c).
 *
 * What the TPMs make at random (keys, nonces, blobs) differs between them; the world keeps
 * both. An operation describes one command for both TPMs in a struct pair.
 */
#ifndef CVTPM_TESTS_DIFFERENTIAL_WORLD_H
#define CVTPM_TESTS_DIFFERENTIAL_WORLD_H

#include "../rig.h"

#include "tpm/command.h"

#include <stdio.h>
#include <string.h>

enum side { NATIVE, OTHER, SIDES };
#define EACH_SIDE(s) for (enum side s = NATIVE; s < SIDES; s++)

/* libtpms has room for three transient objects and three loaded sessions. A persistent
 * object in use takes a place of the former, and so does what a command makes. */
#define MAX_TRANSIENT 2
#define MAX_KEYS      5 /* transient and persistent */
#define MAX_SESSIONS  3 /* the last one is for policies on the spot */
#define MAX_INDICES   5
#define MAX_STORED    5 /* created, not loaded */
#define MAX_CONTEXTS  4
#define MAX_NUMBERS   4 /* of ephemeral keys, the last ones */
#define LOCKOUT_TRIES 6
#define MAX_EXPLAINED 80
#define CLOCK_UPDATE  (1u << 22) /* milliseconds: the native TPM_PT_CLOCK_UPDATE; 4096 there */

/* What a command's handle stands for, and what is needed to authorise it. */
struct entity {
	TPM_HANDLE handle[SIDES];
	TPM2B_NAME name[SIDES];
	TPM2B_AUTH auth;
	TPM_ALG_ID
	policyAlg; /* it has the common policy (policy_common) with that hash; NULL: none */
	bool user_auth, admin_auth; /* may `auth` authorise it in that role? */
};

enum key_kind {
	KEY_NONE,
	KEY_STORAGE,
	KEY_SYM_STORAGE,
	KEY_DERIVATION,
	KEY_SIGN,
	KEY_ATTEST,    /* restricted */
	KEY_ANONYMOUS, /* ECDAA */
	KEY_DECRYPT,
	KEY_RSA_SIGN,
	KEY_RSA_DECRYPT,
	KEY_HMAC,
	KEY_SEALED,
	KEY_CIPHER, /* symmetric, of any mode */
	KEY_KINDS
};
#define KIND(kind) (1u << (kind))
#define ANY_PARENT (KIND(KEY_STORAGE) | KIND(KEY_SYM_STORAGE))
#define ANY_SIGNING                                                                                \
	(KIND(KEY_SIGN) | KIND(KEY_ATTEST) | KIND(KEY_ANONYMOUS) | KIND(KEY_RSA_SIGN) |            \
	 KIND(KEY_HMAC))
#define ANY_KEY (~KIND(KEY_NONE))

struct world_key {
	enum key_kind kind;
	struct entity e;
	TPMT_PUBLIC public[SIDES];
	TPM2B_NAME parent[SIDES]; /* empty: none that one could name */
	TPM2B_SENSITIVE_DATA
	data;      /* of KEY_SEALED, and the secret of KEY_HMAC where it was given */
	bool same; /* both TPMs hold the same key */
	bool public_only;
};

struct world_session {
	bool in_use, is_bound, salted;
	bool unlike; /* its policyDigest has names that differ */
	TPM_SE type;
	struct client_session s[SIDES];
	TPM2B_NAME bound[SIDES];
	TPM2B_AUTH bound_auth;
	TPM2B_DIGEST audit[SIDES]; /* empty: it has not audited */
};

/* Command audit, as it must be. */
struct world_audit {
	TPM_ALG_ID alg;
	uint64_t counter;
	TPM2B_DIGEST digest;
	bool unknown; /* the digest is not empty, but another one */
	bool kept;    /* TPM2_Shutdown(STATE) came last */
	bool chosen[0x200];
};

struct world_index {
	bool in_use;
	bool counted; /* a counter has been read: */
	uint64_t count[SIDES];
	bool jumped; /* and may have gone on since then */
	struct entity e;
	TPMS_NV_PUBLIC public; /* at the last look */
};

struct world_stored {
	enum key_kind kind;
	struct world_key key; /* as it will be when loaded */
	TPM2B_PRIVATE private[SIDES];
};

struct world_context {
	bool in_use;
	TPMS_CONTEXT context[SIDES];
	unsigned starts;      /* w->starts when it was saved */
	struct world_key key; /* or, where its kind is KEY_NONE, */
	struct world_session session;
};

struct world {
	struct rig *rig[SIDES];
	uint64_t random; /* state of the step's generator */
	struct world_key keys[MAX_KEYS];
	struct world_session sessions[MAX_SESSIONS];
	struct world_index indices[MAX_INDICES];
	struct world_stored stored[MAX_STORED];
	struct world_context contexts[MAX_CONTEXTS];
	uint16_t numbers[MAX_NUMBERS]; /* of ephemeral keys, on both sides */
	unsigned numbers_made;
	TPM2B_AUTH owner, endorsement, platform, lockout; /* authValues */
	struct world_audit audit[SIDES], told[SIDES];     /* as it was when it was asked for */
	bool policies[4];  /* the hierarchy has the common policy: in the order above */
	unsigned guests;   /* transient objects that are not among the keys */
	bool stale;        /* keys and indices may be gone: look again */
	bool diverged;     /* an explained difference, or a spoilt command with an effect */
	bool rate_changed; /* of the clocks, until _TPM_Init */
	bool counted_none; /* at this run's start: in lockout, or protection was off */
	bool tried_public; /* in this run: a key whose public area alone is loaded */
	bool time_stands;  /* failed tries are left from before _TPM_Init */
	uint64_t clock[SIDES], clock_at; /* what Clock was at that time */
	uint64_t command_at;             /* the last command's time */
	bool h_crtm, h_crtm_before;      /* did this run begin with one, and the one before? */
	uint32_t counter_gap;            /* of the native pcrUpdateCounter before libtpms' */
	bool gap_unknown;
	unsigned starts;        /* with TPM2_Startup(CLEAR) */
	bool few_pcrs;          /* perhaps not all are allocated */
	uint64_t started_clock; /* the native engine's after TPM2_Startup */
	uint8_t locality;

	/* of the sequence */
	bool differs;
	char signature[160];  /* which difference: what kind of answer, to what */
	char difference[700]; /* the same in full */
	FILE *trace;          /* where to tell what is done, or NULL */
	bool bytes;           /* and with which bytes */
	bool corrupt;         /* change an answer of the native engine: does anybody see it? */
	const char *operation;

	/* of the run */
	unsigned long commands, succeeded, explained[MAX_EXPLAINED]; /* by row of explained.c */
	unsigned long by_command[0x200][2]; /* by command code: tried, succeeded */
	struct {
		tpm_rc rc;
		unsigned long count;
	} by_code[200];
};

struct operation {
	const char *name;
	unsigned weight;
	void (*run)(struct world *w);
};
/* One table for each chapter of Part 3; a name of NULL ends it. */
extern const struct operation operations_power[], operations_object[], operations_key[],
	operations_session[], operations_policy[], operations_deferred[], operations_nv[],
	operations_pcr[], operations_hierarchy[], operations_context[], operations_attest[],
	operations_ephemeral[];

/** Fresh TPMs, started, with the same PCR banks and dictionary attack parameters. */
void world_begin(struct world *w);
void world_end(struct world *w);
/** Forgets what a TPM forgets at _TPM_Init. */
void world_forget_volatile(struct world *w);
/** Looks which keys and indices are still there. */
void world_look(struct world *w);

/* ---- time (time.c) ---- */

/** Before TPMs are made. */
void time_begin(void);
uint64_t time_now_ms(void);
/** For both TPMs, unless they run at rates of their own or have tries to forgive at times of
 *  their own. */
void time_pass(struct world *w, uint64_t ms);

/** Is somebody there, at both TPMs? */
void set_presence(struct world *w, bool presence);

/* ---- the step's random numbers ---- */

uint32_t pick(struct world *w, uint32_t count); /* 0 ... count - 1 */
bool chance(struct world *w, uint32_t percent);
void pick_bytes(struct world *w, void *out, size_t len);
TPM2B_AUTH pick_auth(struct world *w);
TPM_ALG_ID pick_hash(struct world *w);
#define PICK(w, ...)                                                                               \
	(((const uint32_t[]){__VA_ARGS__})[pick((w), sizeof((const uint32_t[]){__VA_ARGS__}) /     \
							     sizeof(uint32_t))])
TPM_HANDLE pick_hierarchy(struct world *w);
TPML_PCR_SELECTION pick_pcrs(struct world *w);
/** A key of one of the kinds; NULL: there is none. */
struct world_key *pick_key(struct world *w, uint32_t kinds);
/** A key of this kind, made where there is none; NULL: could not be made. */
struct world_key *key_of_kind(struct world *w, enum key_kind kind);
/** A place for one more key; a transient one is flushed where there is no room. */
struct world_key *room_for_key(struct world *w);
/** A symmetric key, made where there is none; NULL: could not be. */
struct world_key *a_cipher(struct world *w);
struct world_session *pick_session(struct world *w, TPM_SE type);
struct world_index *pick_index(struct world *w);
struct world_key *key_named(struct world *w, const TPM2B_NAME *name);
bool key_is_transient(const struct world_key *key);
/** The number of an ephemeral key that was made, or perhaps not. */
uint16_t pick_number(struct world *w);
/** A point, now and then of no curve. */
TPMS_ECC_POINT pick_point(struct world *w, TPMI_ECC_CURVE curve);
/** The scheme of an anonymous key, with a number. */
TPMT_SIG_SCHEME anonymous_scheme(struct world *w, const struct world_key *key);
/** Handle and name of an object that both have just made with these public areas. */
void key_set(struct world *w, struct world_key *key, TPM_HANDLE native, TPM_HANDLE other);
void key_flush(struct world *w, struct world_key *key);
void session_flush_both(struct world *w, struct world_session *session);

/* ---- one command on both sides (pair.c) ---- */

struct pair {
	const struct command *command;
	union command_in in[SIDES];
	union command_out out[SIDES];
	struct entity entity[MAX_HANDLE_NUM];
	struct client_session sessions[SIDES][MAX_SESSION_NUM];
	struct world_session *of_world[MAX_SESSION_NUM]; /* where they came from */
	unsigned session_count;
	bool split;                 /* in[OTHER] is not a copy of in[NATIVE] */
	bool plain;                 /* passwords alone */
	bool no_extra;              /* no sessions but for authorisation */
	bool no_faults;             /* nothing wrong, on purpose */
	bool unlike;                /* values may differ: compare the structure alone */
	bool prepared;              /* sessions are there */
	bool keep;                  /* the session `with` lives on */
	struct world_session *with; /* authorises the first handle */
	bool spoilt;                /* wrong on purpose, by the operation */
	bool mangled;               /* and by mangle() */
	const TPM2B_AUTH *auth_after[MAX_SESSION_NUM];
};

/** Begins a command; returns where its parameters go. Handles are TPM_RH_NULL. */
void *pair_begin(struct world *w, struct pair *p, TPM_CC code);
#define BEGIN(w, name)                                                                             \
	struct pair p;                                                                             \
	struct name##_in *in __attribute__((unused)) = pair_begin((w), &p, TPM_CC_##name);         \
	struct name##_out *out[SIDES]                                                              \
		__attribute__((unused)) = {&p.out[NATIVE].name, &p.out[OTHER].name}
/** The other side's parameters, from here on apart; begun as a copy. */
void *pair_split(struct pair *p);
void use_key(struct pair *p, unsigned n, const struct world_key *key);
void use_index(struct world *w, struct pair *p, unsigned n, struct world_index *index);
void use_hierarchy(struct world *w, struct pair *p, unsigned n, TPM_HANDLE hierarchy);
void use_session(struct pair *p, unsigned n, const struct world_session *session);
bool is_counter(const struct world_index *index);
bool is_pin(const struct world_index *index);
void use_handle(struct pair *p, unsigned n, TPM_HANDLE handle); /* empty authValue */
/** Runs it on both TPMs, authorised, now and then wrongly, and now and then spoilt. Compares
 *  code and values. Returns the response code; NO_ANSWER where the two differ or nothing
 *  follows from the answer. */
tpm_rc pair_run(struct world *w, struct pair *p);
#define NO_ANSWER 0xFFFF0100u
/** Changes bytes of a command: a field by its type, a handle, a size, its end. The same for
 *  both; false: could not. */
bool mangle(struct world *w, const struct command *command, uint8_t *bytes[SIDES],
	    size_t len[SIDES]);

/* ---- the fields of a command, in its bytes (fields.c) ---- */

#define HEADER_SIZE 10
#define MAX_LEAVES  200

/* A field that has no fields in it; of a buffer or a list its size. */
struct leaf {
	const struct type *type;
	size_t at, size; /* in the command */
};

struct leaves {
	struct leaf leaf[MAX_LEAVES];
	unsigned count;
	const uint8_t *begin; /* of the command */
	size_t parameters_at;
};

/** Those of the parameters, up to the first that says nothing of what follows. */
void find_leaves(struct leaves *l, const struct command *c, const uint8_t *bytes, size_t len);
/** The number in the first `size` bytes, at most 4. */
uint32_t number_at(const uint8_t *at, size_t size);

/** The policy that all policy-protected entities have: an OR of PolicyAuthValue,
 *  PolicyPassword, and PolicyCommandCode of six commands. */
TPM2B_DIGEST policy_common(TPM_ALG_ID alg);
/** A session that fulfils it for `command` in `role`; NULL: could not be had. */
struct world_session *policy_session(struct world *w, TPM_ALG_ID alg, TPM_CC command,
				     enum role role);
struct world_session *session_start(struct world *w, TPM_SE type, TPM_ALG_ID hash);
/** TPM2_ContextSave and TPM2_ContextLoad of a session; false: refused. */
bool session_save(struct world *w, struct world_session *session, struct world_context *to);
bool session_load(struct world *w, const struct world_context *from, struct world_session *session);
/** TPM2_Shutdown(STATE), _TPM_Init, TPM2_Startup(type): a restart or a resume. False: it has
 *  become a reset. */
bool restart(struct world *w, TPM_SU type);
/** The hash of the key's own scheme, where it has one. */
TPM_ALG_ID scheme_hash(const struct world_key *key, TPM_ALG_ID otherwise);
/** Defines an index of the owner's, with nothing wrong about it; and undefines one. */
tpm_rc index_make(struct world *w, const TPMS_NV_PUBLIC public[SIDES], const TPM2B_AUTH *auth);
void index_remove(struct world *w, TPM_HANDLE handle);
/** An end that is not orderly, and TPM2_Startup(CLEAR). */
void power_loss(struct world *w);
/** Each TPM's key signs its digest; `alg` where the key has no scheme of its own. */
bool sign_digests(struct world *w, struct world_key *key, TPM_ALG_ID alg,
		  const TPM2B_DIGEST digest[SIDES], TPMT_SIGNATURE signature[SIDES]);
/** An HMAC key in the clear with nameAlg SHA-256 that can be duplicated, without a policy. */
void external_hmac_key(struct world *w, struct LoadExternal_in *in);

TPM2B_DIGEST digest_of_bytes(TPM_ALG_ID alg, const void *data, size_t len);
TPM2B_NAME name_of_public(const TPMT_PUBLIC *public);
TPM2B_NAME name_of_index(const TPMS_NV_PUBLIC *public);
TPM2B_NAME name_of_handle(TPM_HANDLE handle);

/* ---- auditing (audit.c) ---- */

void audit_begin_world(struct world *w);
/** A command has succeeded; its answer lies in the rig as it came. */
void audit_note(struct world *w, struct pair *p, enum side s);
/** Does TPM2_GetCommandAuditDigest, the last command, say what it must? */
void audit_check(struct world *w, enum side s, const TPMS_COMMAND_AUDIT_INFO *info);
void audit_check_session(struct world *w, enum side s, const TPMS_SESSION_AUDIT_INFO *info,
			 const struct world_session *session);

/* ---- comparing (compare.c) ---- */

/** Notes a difference, the first of a sequence. */
void differ(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void compare_outputs(struct world *w, const struct pair *p);
/** Two values of `type`; `values`: also what random numbers decide. */
void compare_value(struct world *w, const char *what, const struct type *type, const void *a,
		   const void *b, bool values);
/** What a clock must show now, and the clocks compared with that. */
/** After TPM2_ClockSet or TPM2_Clear. */
void clock_is_set(struct world *w, uint64_t clock);
uint64_t clock_expected(const struct world *w, enum side side);
/** Clock is safe again when it has passed the next multiple of the interval of its updates,
 *  which is shorter there. */
bool safe_may_differ(const struct world *w);
void compare_clock(struct world *w, const char *what, const TPMS_CLOCK_INFO *native,
		   const TPMS_CLOCK_INFO *other);
void compare_time(struct world *w, const char *what, const TPMS_TIME_INFO *native,
		  const TPMS_TIME_INFO *other);
/** Is it a difference of response codes that docs/differences.md explains? */
bool difference_is_explained(struct world *w, const struct pair *p, tpm_rc native, tpm_rc other);
/** How often each row of the table explained one. */
void tell_explained(const struct world *w);

#endif
