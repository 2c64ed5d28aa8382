/*
 * Authorisation, of every command: for each handle that needs it, and each kind of entity
 * that may stand there, every wrong authorisation is refused with its code and changes
 * nothing, and the right one gets past this stage. Nothing here is written per command:
 * the commands, their handles and roles are read from the tables.
 *
 * Parameters are not looked at before the authorisation is good (Part 3, 5.6 and 5.7), so
 * they are all zeros here. Attributes and policies of the entities are set in the TPM's
 * memory; after each command all of it is put back.
 */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

#include "tpm/tpm.h"

#define INDEX      0x01500000u
#define STORE_SIZE (512 * 1024)
#define PASSWORD   "secret"

static const TPM_HANDLE entities[] = {TPM_RH_OWNER,
				      TPM_RH_ENDORSEMENT,
				      TPM_RH_PLATFORM,
				      TPM_RH_LOCKOUT,
				      INDEX,
				      TRANSIENT_FIRST,
				      16 /* a PCR */};

/* A TPM with one entity of each kind, and what it was before a command. */
struct world {
	struct rig *r;
	struct tpm *t;
	TPM_HANDLE policy_session, hmac_session; /* for commands about one */
	uint8_t *memory, *store;
};

/* One command, with the handle that this is about. */
struct attempt {
	struct world *w;
	const struct command *command;
	union command_in in;
	unsigned n; /* number of the handle */
	TPM_HANDLE entity;
	enum role role;
	struct client_session sessions[MAX_SESSION_NUM];
	unsigned session_count;
	bool wrong_name, wrong_parameters;
};

/* ---- the world ---- */

static void change_auth(struct rig *r, TPM_HANDLE handle)
{
	struct HierarchyChangeAuth_in in = {.authHandle = handle, .newAuth = rig_auth(PASSWORD)};

	assert_int_equal(RIG_RUN(r, HierarchyChangeAuth, &in, NULL), 0);
}

static void make_key(struct rig *r)
{
	struct CreatePrimary_in in = {.primaryHandle = TPM_RH_OWNER,
				      .inSensitive = {1, {.userAuth = rig_auth(PASSWORD)}},
				      .inPublic = {1, rig_storage_template()}};
	struct CreatePrimary_out out;

	in.inPublic.publicArea.objectAttributes &= ~(uint32_t)TPMA_OBJECT_NODA;
	assert_int_equal(RIG_RUN(r, CreatePrimary, &in, &out), 0);
	assert_int_equal(out.handle, TRANSIENT_FIRST);
}

static void keep(struct world *w)
{
	memcpy(w->memory, w->t, sizeof *w->t);
	memcpy(w->store, w->r->store_memory, STORE_SIZE);
}

static void put_back(struct world *w)
{
	memcpy(w->t, w->memory, sizeof *w->t);
	memcpy(w->r->store_memory, w->store, STORE_SIZE);
}

static struct world make_world(void)
{
	struct rig *r = rig_new(&cvtpm_engine_native);
	struct world w = {.r = r, .t = r->memory};
	struct NV_Write_in zeros = {.authHandle = INDEX, .nvIndex = INDEX, .data.size = 8};

	make_key(r);
	rig_define(r, INDEX, TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE, 8, PASSWORD);
	rig_password(r, 0, PASSWORD);
	assert_int_equal(RIG_RUN(r, NV_Write, &zeros, NULL), 0);
	w.policy_session = rig_session(r, TPM_SE_POLICY).handle;
	w.hmac_session = rig_session(r, TPM_SE_HMAC).handle;
	for (size_t i = 0; i < 4; i++)
		change_auth(r, entities[i]);
	w.memory = malloc(sizeof *w.t);
	w.store = malloc(STORE_SIZE);
	assert_true(w.memory && w.store);
	keep(&w);
	return w;
}

static void free_world(struct world *w)
{
	rig_free(w->r);
	free(w->memory);
	free(w->store);
}

static TPM2B_DIGEST *policy_of(struct world *w, TPM_HANDLE entity)
{
	struct tpm *t = w->t;

	switch (HANDLE_TYPE(entity)) {
	case TPM_HT_PERMANENT:
		hierarchy_get(t, entity)->policyAlg = TPM_ALG_SHA256;
		return &hierarchy_get(t, entity)->authPolicy;
	case TPM_HT_NV_INDEX:
		return &nv_find(t, entity)->nv.publicArea.authPolicy;
	case TPM_HT_TRANSIENT:
		return &object_get(t, entity)->publicArea.authPolicy;
	default:
		return NULL; /* a PCR has none */
	}
}

/* A policy session, or a trial one, of which the command's code was asked, if any. */
static struct client_session policy(struct world *w, TPM_SE type, TPM_CC code)
{
	struct client_session s = rig_session(w->r, type);
	struct PolicyCommandCode_in in = {.policySession = s.handle, .code = code};

	if (code)
		assert_int_equal(RIG_RUN(w->r, PolicyCommandCode, &in, NULL), 0);
	return s;
}

/* The policy of all entities is now that the command is `code`; 0: they have none. */
static void set_policies(struct world *w, TPM_CC code)
{
	struct client_session s = policy(w, TPM_SE_TRIAL, code);
	TPM2B_DIGEST digest = session_get(w->t, s.handle)->policyDigest;

	rig_flush(w->r, s.handle);
	if (!code)
		digest.size = 0;
	for (size_t i = 0; i < 6; i++)
		*policy_of(w, entities[i]) = digest;
	nv_find(w->t, INDEX)->nv.publicArea.attributes |= TPMA_NV_POLICYREAD | TPMA_NV_POLICYWRITE;
}

/* ---- attempts ---- */

static bool allows(const struct type *type, TPM_HANDLE handle)
{
	uint8_t bytes[4];
	struct writer w = {bytes, sizeof bytes, false};
	struct reader r = {bytes, sizeof bytes};
	TPM_HANDLE read;

	write_u32(&w, handle);
	return type_read(type, &read, &r, false) == 0;
}

/* Something that may stand there. */
static TPM_HANDLE any_handle(const struct world *w, const struct type *type)
{
	for (size_t i = sizeof entities / sizeof *entities; i-- > 0;)
		if (allows(type, entities[i]))
			return entities[i];
	if (allows(type, w->hmac_session))
		return w->hmac_session;
	assert_true(allows(type, w->policy_session));
	return w->policy_session;
}

static const char *password_of(TPM_HANDLE entity)
{
	return HANDLE_TYPE(entity) == TPM_HT_PCR ? "" : PASSWORD;
}

static struct client_session password(const char *text)
{
	return (struct client_session){.handle = TPM_RS_PW,
				       .auth = rig_auth(text),
				       .attributes = TPMA_SESSION_CONTINUESESSION};
}

static bool needs_policy(TPM_HANDLE entity, enum role role)
{
	return role == DUP || (role == ADMIN && HANDLE_TYPE(entity) == TPM_HT_NV_INDEX);
}

/* Needs set_policies(command). */
static struct client_session right(struct world *w, const struct command *c, TPM_HANDLE entity,
				   enum role role)
{
	return needs_policy(entity, role) ? policy(w, TPM_SE_POLICY, c->code)
					  : password(password_of(entity));
}

/* The command as it would be right. */
static struct attempt begin(struct world *w, const struct command *c, unsigned n, TPM_HANDLE entity)
{
	struct attempt a = {.w = w, .command = c, .n = n, .entity = entity};

	put_back(w);
	w->r->presence = true;
	set_policies(w, c->code);
	a.role = c->handles[n].role;
	a.session_count = command_auths(c);
	for (unsigned i = 0; c->handles[i].type; i++) {
		a.in.handle[i] = i == n ? entity : any_handle(w, c->handles[i].type);
		if (i < a.session_count)
			a.sessions[i] = right(w, c, a.in.handle[i], c->handles[i].role);
	}
	return a;
}

static size_t snapshot(const struct tpm *t, uint8_t *out)
{
	size_t from = offsetof(struct tpm, hierarchy), to = offsetof(struct tpm, rsa_keys);

	memcpy(out, (const uint8_t *)t + from, to - from);
	memcpy(out + to - from, t->nv.memory, t->nv.used);
	return to - from + t->nv.used;
}

/* The command with so many zeros for parameters: real ones need not be made. */
static struct command simple(const struct command *c)
{
	static const struct field zeros[] = {{&type_UINT64, "zeros", FIELD_PLAIN, 0}, {0}};
	struct command copy = *c;

	if (c->in[0].type)
		copy.in = zeros;
	return copy;
}

static tpm_rc run(struct attempt *a)
{
	const struct command c = simple(a->command);
	TPM2B_NAME names[MAX_HANDLE_NUM];
	uint8_t bytes[4096];
	size_t len;

	for (unsigned i = 0; i < command_handles(a->command); i++)
		if (entity_check(a->w->t, a->in.handle[i], 1) == 0)
			entity_name(a->w->t, a->in.handle[i], &names[i]);
		else
			names[i].size = 0;
	if (a->wrong_name)
		names[0].buffer[0] ^= 1;
	len = command_encode(&c, &a->in, a->sessions, a->session_count, names, bytes, sizeof bytes);
	assert_true(len);
	if (a->wrong_parameters)
		bytes[len - 1] ^= 1;
	return rig_raw(a->w->r, bytes, len);
}

/* The command is refused with that code, and nothing has changed. */
static void refused(struct attempt *a, tpm_rc code)
{
	static uint8_t before[sizeof(struct tpm)], after[sizeof(struct tpm)];
	size_t len = snapshot(a->w->t, before);
	tpm_rc rc = run(a);

	if (rc != code)
		fail_msg("TPM2_%s, handle %u of %08x: %x, not %x", a->command->name, a->n + 1,
			 a->entity, rc, code);
	assert_int_equal(snapshot(a->w->t, after), len);
	assert_memory_equal(before, after, len);
}

/* Is it a code of the stage of authorisation? */
static bool about_authorisation(tpm_rc rc)
{
	if (rc & RC_FMT1)
		return (rc & 0x040) == 0 && (rc & 0x800) != 0; /* about a session */
	return rc == TPM_RC_AUTH_TYPE || rc == TPM_RC_AUTH_UNAVAILABLE ||
	       rc == TPM_RC_AUTH_MISSING || rc == TPM_RC_AUTHSIZE || rc == TPM_RC_AUTH_CONTEXT ||
	       rc == TPM_RC_LOCKOUT || (rc >= TPM_RC_REFERENCE_H0 && rc <= TPM_RC_REFERENCE_S0 + 6);
}

static void accepted(struct attempt *a)
{
	tpm_rc rc = run(a);

	if (about_authorisation(rc))
		fail_msg("TPM2_%s, handle %u of %08x: %x", a->command->name, a->n + 1, a->entity,
			 rc);
}

/* Does the same entity stand there before, and is refused first? */
static bool stands_before(const struct attempt *a)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->in.handle[i] == a->entity)
			return true;
	return false;
}

/* ---- what is wrong ---- */

/* A wrong password or HMAC. */
static tpm_rc wrong_auth(const struct attempt *a)
{
	bool counts = a->entity == TPM_RH_LOCKOUT || HANDLE_TYPE(a->entity) == TPM_HT_NV_INDEX ||
		      HANDLE_TYPE(a->entity) == TPM_HT_TRANSIENT;

	if (needs_policy(a->entity, a->role))
		return TPM_RC_AUTH_TYPE;
	return RC_S(a->n + 1, (tpm_rc)(counts ? TPM_RC_AUTH_FAIL : TPM_RC_BAD_AUTH));
}

static void no_sessions(struct attempt *a)
{
	a->session_count = 0;
	refused(a, TPM_RC_AUTH_MISSING);
}

static void too_few_sessions(struct attempt *a)
{
	if (a->session_count == 1)
		return;
	a->session_count--;
	refused(a, TPM_RC_AUTH_MISSING);
}

static void wrong_password(struct attempt *a)
{
	a->sessions[a->n] = password("Secret");
	refused(a, wrong_auth(a));
}

static struct client_session hmac(struct attempt *a)
{
	struct client_session s = rig_session(a->w->r, TPM_SE_HMAC);

	s.auth = rig_auth(password_of(a->entity));
	return s;
}

static void right_hmac(struct attempt *a)
{
	a->sessions[a->n] = hmac(a);
	if (needs_policy(a->entity, a->role))
		refused(a, TPM_RC_AUTH_TYPE);
	else
		accepted(a);
}

static void wrong_hmac_key(struct attempt *a)
{
	a->sessions[a->n] = hmac(a);
	a->sessions[a->n].auth = rig_auth("Secret");
	refused(a, wrong_auth(a));
}

static void wrong_hmac_nonce(struct attempt *a)
{
	a->sessions[a->n] = hmac(a);
	a->sessions[a->n].nonceTPM.buffer[31] ^= 1;
	if (HANDLE_TYPE(a->entity) !=
	    TPM_HT_PCR) /* where nobody knows a secret, there is no HMAC */
		refused(a, wrong_auth(a));
}

static void wrong_hmac_name(struct attempt *a)
{
	a->sessions[a->n] = hmac(a);
	a->wrong_name = true;
	if (HANDLE_TYPE(a->entity) != TPM_HT_PCR)
		refused(a, wrong_auth(a));
}

static void wrong_hmac_parameters(struct attempt *a)
{
	a->sessions[a->n] = hmac(a);
	a->wrong_parameters = true;
	if (HANDLE_TYPE(a->entity) != TPM_HT_PCR && a->command->in[0].type)
		refused(a, wrong_auth(a));
}

/* Part 3, 23.4: TPM2_PolicySecret wants the authValue, so that no other policy will do. */
static tpm_rc policy_code(const struct attempt *a, tpm_rc code)
{
	if (HANDLE_TYPE(a->entity) == TPM_HT_PCR)
		return TPM_RC_AUTH_UNAVAILABLE;
	return RC_S(a->n + 1, a->command->code == TPM_CC_PolicySecret ? (tpm_rc)TPM_RC_MODE : code);
}

static void right_policy(struct attempt *a)
{
	a->sessions[a->n] = policy(a->w, TPM_SE_POLICY, a->command->code);
	if (HANDLE_TYPE(a->entity) == TPM_HT_PCR || a->command->code == TPM_CC_PolicySecret)
		refused(a, policy_code(a, 0));
	else
		accepted(a);
}

static void unfinished_policy(struct attempt *a)
{
	a->sessions[a->n] = policy(a->w, TPM_SE_POLICY, 0);
	refused(a, policy_code(a, TPM_RC_POLICY_FAIL));
}

static void empty_policy(struct attempt *a)
{
	a->sessions[a->n] = policy(a->w, TPM_SE_POLICY, 0);
	if (policy_of(a->w, a->entity))
		policy_of(a->w, a->entity)->size = 0;
	refused(a, TPM_RC_AUTH_UNAVAILABLE);
}

static void policy_for_another_command(struct attempt *a)
{
	a->sessions[a->n] = policy(a->w, TPM_SE_POLICY, TPM_CC_GetRandom);
	if (policy_of(a->w, a->entity))
		*policy_of(a->w, a->entity) =
			session_get(a->w->t, a->sessions[a->n].handle)->policyDigest;
	refused(a, policy_code(a, TPM_RC_POLICY_CC));
}

/* What ADMIN and DUP are for has to be said in the policy. */
static void policy_for_any_command(struct attempt *a)
{
	struct PolicyAuthValue_in in;

	if (a->role == USER || a->command->code == TPM_CC_PolicySecret)
		return;
	a->sessions[a->n] = policy(a->w, TPM_SE_POLICY, 0);
	in.policySession = a->sessions[a->n].handle;
	assert_int_equal(RIG_RUN(a->w->r, PolicyAuthValue, &in, NULL), 0);
	a->sessions[a->n].with_auth = true;
	a->sessions[a->n].auth = rig_auth(PASSWORD);
	*policy_of(a->w, a->entity) = session_get(a->w->t, a->sessions[a->n].handle)->policyDigest;
	refused(a, policy_code(a, TPM_RC_POLICY_FAIL));
}

static void expired_policy(struct attempt *a)
{
	struct tpm_session *s;

	a->sessions[a->n] = policy(a->w, TPM_SE_POLICY, a->command->code);
	s = session_get(a->w->t, a->sessions[a->n].handle);
	s->bits |= SESSION_TIMEOUT;
	s->timeout = 1;
	a->w->r->now_ms += 1000;
	refused(a, policy_code(a, TPM_RC_EXPIRED));
}

static void policy_that_wants_presence(struct attempt *a)
{
	a->sessions[a->n] = policy(a->w, TPM_SE_POLICY, a->command->code);
	session_get(a->w->t, a->sessions[a->n].handle)->bits |= SESSION_PRESENCE;
	if (HANDLE_TYPE(a->entity) != TPM_HT_PCR && a->command->code != TPM_CC_PolicySecret) {
		a->w->r->presence = false;
		if (!stands_before(a))
			refused(a, RC_S(a->n + 1, TPM_RC_PP));
		a->w->r->presence = true;
		accepted(a);
	}
}

/* Every command is in the list, and nobody there: of the platform's authorisation those are
 * refused that may be in it. */
static void nobody_there(struct attempt *a)
{
	memset(&a->w->t->pp_commands, 0xFF, sizeof a->w->t->pp_commands);
	a->w->r->presence = false;
	for (unsigned i = 0; i < command_auths(a->command); i++)
		if (a->in.handle[i] == TPM_RH_PLATFORM &&
		    a->command->flags & (CC_PP | CC_PP_ALWAYS)) {
			refused(a, RC_S(i + 1, TPM_RC_PP));
			return;
		}
	accepted(a);
}

static void trial_session(struct attempt *a)
{
	a->sessions[a->n] = policy(a->w, TPM_SE_TRIAL, a->command->code);
	refused(a, RC_S(a->n + 1, TPM_RC_ATTRIBUTES));
}

static void flushed_session(struct attempt *a)
{
	a->sessions[a->n] = hmac(a);
	rig_flush(a->w->r, a->sessions[a->n].handle);
	refused(a, TPM_RC_REFERENCE_S0 + a->n);
}

static void password_that_encrypts(struct attempt *a)
{
	a->sessions[a->n].handle = TPM_RS_PW;
	a->sessions[a->n].attributes |= TPMA_SESSION_ENCRYPT;
	refused(a, RC_S(a->n + 1, TPM_RC_ATTRIBUTES));
}

/* Only what begins with a size is encrypted, and not without an algorithm. */
static tpm_rc not_encrypted(const struct attempt *a, const struct field *first)
{
	bool sized = first->type && type_is_sized(first->type);

	return RC_S(a->n + 1, sized ? (tpm_rc)TPM_RC_SYMMETRIC : (tpm_rc)TPM_RC_ATTRIBUTES);
}

static void decrypts_without_algorithm(struct attempt *a)
{
	a->sessions[a->n] = hmac(a);
	a->sessions[a->n].attributes |= TPMA_SESSION_DECRYPT;
	refused(a, not_encrypted(a, a->command->in));
}

static void encrypts_without_algorithm(struct attempt *a)
{
	a->sessions[a->n] = hmac(a);
	a->sessions[a->n].attributes |= TPMA_SESSION_ENCRYPT;
	refused(a, not_encrypted(a, a->command->out));
}

static void policy_session_that_audits(struct attempt *a)
{
	a->sessions[a->n] = policy(a->w, TPM_SE_POLICY, a->command->code);
	a->sessions[a->n].attributes |= TPMA_SESSION_AUDIT;
	refused(a, RC_S(a->n + 1, TPM_RC_ATTRIBUTES));
}

static void exclusive_without_audit(struct attempt *a)
{
	a->sessions[a->n] = hmac(a);
	a->sessions[a->n].attributes |= TPMA_SESSION_AUDITEXCLUSIVE;
	refused(a, RC_S(a->n + 1, TPM_RC_ATTRIBUTES));
}

static void reserved_attributes(struct attempt *a)
{
	a->sessions[a->n].attributes |= 1 << 3;
	refused(a, RC_S(a->n + 1, TPM_RC_RESERVED_BITS));
}

static void hierarchy_disabled(struct attempt *a)
{
	if (a->entity == TPM_RH_LOCKOUT || HANDLE_TYPE(a->entity) == TPM_HT_PCR ||
	    HANDLE_TYPE(a->entity) == TPM_HT_TRANSIENT) /* flushed where that happens */
		return;
	if (HANDLE_TYPE(a->entity) == TPM_HT_NV_INDEX) {
		hierarchy_get(a->w->t, TPM_RH_OWNER)->enabled = false;
		for (unsigned i = 0; i < a->n; i++) /* that an earlier one is not refused first */
			if (a->in.handle[i] == TPM_RH_OWNER || a->in.handle[i] == INDEX)
				return;
		refused(a, RC_H(a->n + 1, TPM_RC_HANDLE));
		return;
	}
	hierarchy_get(a->w->t, a->entity)->enabled = false;
	if (!stands_before(a))
		refused(a, RC_H(a->n + 1, TPM_RC_HIERARCHY));
}

/* An index that its authValue does not open, and a key whose does not. */
static void authValue_not_enough(struct attempt *a)
{
	if (HANDLE_TYPE(a->entity) == TPM_HT_NV_INDEX)
		nv_find(a->w->t, INDEX)->nv.publicArea.attributes &=
			~(uint32_t)(TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE);
	else if (HANDLE_TYPE(a->entity) == TPM_HT_TRANSIENT)
		object_get(a->w->t, a->entity)->publicArea.objectAttributes =
			(object_get(a->w->t, a->entity)->publicArea.objectAttributes &
			 ~(uint32_t)TPMA_OBJECT_USERWITHAUTH) |
			TPMA_OBJECT_ADMINWITHPOLICY;
	else
		return;
	a->sessions[a->n] = password(PASSWORD);
	if (!stands_before(a))
		refused(a, a->role == USER ? TPM_RC_AUTH_UNAVAILABLE : TPM_RC_AUTH_TYPE);
}

static void policy_not_allowed(struct attempt *a)
{
	if (HANDLE_TYPE(a->entity) != TPM_HT_NV_INDEX || a->role != USER)
		return;
	nv_find(a->w->t, INDEX)->nv.publicArea.attributes &=
		~(uint32_t)(TPMA_NV_POLICYREAD | TPMA_NV_POLICYWRITE);
	a->sessions[a->n] = policy(a->w, TPM_SE_POLICY, a->command->code);
	refused(a, TPM_RC_AUTH_UNAVAILABLE);
}

static void public_part_only(struct attempt *a)
{
	if (HANDLE_TYPE(a->entity) != TPM_HT_TRANSIENT)
		return;
	object_get(a->w->t, a->entity)->sensitive.size = 0;
	if (a->role == DUP)
		a->sessions[a->n] = policy(a->w, TPM_SE_POLICY, a->command->code);
	if (!stands_before(a))
		refused(a, TPM_RC_AUTH_UNAVAILABLE);
}

static void locked_out(struct attempt *a)
{
	if (needs_policy(a->entity, a->role))
		return;
	for (unsigned i = 0; i < a->n; i++)
		if (HANDLE_TYPE(a->in.handle[i]) != TPM_HT_PERMANENT &&
		    HANDLE_TYPE(a->in.handle[i]) != TPM_HT_PCR)
			return;
	a->w->t->lockout.failedTries = a->w->t->lockout.maxTries;
	a->w->t->self_heal_ms = clock_time(a->w->t);
	if (a->entity == INDEX || a->entity == TRANSIENT_FIRST)
		refused(a, TPM_RC_LOCKOUT);
}

static void right_one(struct attempt *a)
{
	accepted(a);
}

/* ---- all of them ---- */

/* How many handles of commands it was tried with: a test of nothing would pass, too. */
static unsigned for_all(void (*what)(struct attempt *a))
{
	struct world w = make_world();
	unsigned count = 0;

	for (size_t i = 0; i < command_count; i++)
		for (unsigned n = 0; n < command_auths(commands[i]); n++)
			for (size_t e = 0; e < sizeof entities / sizeof *entities; e++) {
				struct attempt a;

				if (!allows(commands[i]->handles[n].type, entities[e]))
					continue;
				a = begin(&w, commands[i], n, entities[e]);
				what(&a);
				count++;
			}
	free_world(&w);
	return count;
}

#define FOR_ALL(name)                                                                              \
	static void every_command_##name(void **state)                                             \
	{                                                                                          \
		(void)state;                                                                       \
		assert_true(for_all(name) > 100);                                                  \
	}
FOR_ALL(no_sessions)
FOR_ALL(too_few_sessions)
FOR_ALL(wrong_password)
FOR_ALL(right_hmac)
FOR_ALL(wrong_hmac_key)
FOR_ALL(wrong_hmac_nonce)
FOR_ALL(wrong_hmac_name)
FOR_ALL(wrong_hmac_parameters)
FOR_ALL(right_policy)
FOR_ALL(unfinished_policy)
FOR_ALL(empty_policy)
FOR_ALL(policy_for_another_command)
FOR_ALL(policy_for_any_command)
FOR_ALL(expired_policy)
FOR_ALL(policy_that_wants_presence)
FOR_ALL(nobody_there)
FOR_ALL(trial_session)
FOR_ALL(flushed_session)
FOR_ALL(password_that_encrypts)
FOR_ALL(decrypts_without_algorithm)
FOR_ALL(encrypts_without_algorithm)
FOR_ALL(policy_session_that_audits)
FOR_ALL(exclusive_without_audit)
FOR_ALL(reserved_attributes)
FOR_ALL(hierarchy_disabled)
FOR_ALL(authValue_not_enough)
FOR_ALL(policy_not_allowed)
FOR_ALL(public_part_only)
FOR_ALL(locked_out)
FOR_ALL(right_one)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_no_sessions),
		cmocka_unit_test(every_command_too_few_sessions),
		cmocka_unit_test(every_command_wrong_password),
		cmocka_unit_test(every_command_right_hmac),
		cmocka_unit_test(every_command_wrong_hmac_key),
		cmocka_unit_test(every_command_wrong_hmac_nonce),
		cmocka_unit_test(every_command_wrong_hmac_name),
		cmocka_unit_test(every_command_wrong_hmac_parameters),
		cmocka_unit_test(every_command_right_policy),
		cmocka_unit_test(every_command_unfinished_policy),
		cmocka_unit_test(every_command_empty_policy),
		cmocka_unit_test(every_command_policy_for_another_command),
		cmocka_unit_test(every_command_policy_for_any_command),
		cmocka_unit_test(every_command_expired_policy),
		cmocka_unit_test(every_command_policy_that_wants_presence),
		cmocka_unit_test(every_command_nobody_there),
		cmocka_unit_test(every_command_trial_session),
		cmocka_unit_test(every_command_flushed_session),
		cmocka_unit_test(every_command_password_that_encrypts),
		cmocka_unit_test(every_command_decrypts_without_algorithm),
		cmocka_unit_test(every_command_encrypts_without_algorithm),
		cmocka_unit_test(every_command_policy_session_that_audits),
		cmocka_unit_test(every_command_exclusive_without_audit),
		cmocka_unit_test(every_command_reserved_attributes),
		cmocka_unit_test(every_command_hierarchy_disabled),
		cmocka_unit_test(every_command_authValue_not_enough),
		cmocka_unit_test(every_command_policy_not_allowed),
		cmocka_unit_test(every_command_public_part_only),
		cmocka_unit_test(every_command_locked_out),
		cmocka_unit_test(every_command_right_one),
	};

	return cmocka_run_group_tests_name("tpm authorisation", tests, NULL, NULL);
}
