/* One command on both TPMs: handles, sessions, and the two answers. */
#include "world.h"

TPM2B_DIGEST digest_of_bytes(TPM_ALG_ID alg, const void *data, size_t len)
{
	TPM2B_DIGEST digest = {.size = (uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)alg)};

	assert_int_equal(cvtpm_hash((enum cvtpm_hash_alg)alg, data, len, digest.buffer), 0);
	return digest;
}

static TPM2B_NAME name_of(TPM_ALG_ID alg, const struct type *type, const void *public)
{
	uint8_t bytes[1024];
	size_t len = type_marshal(type, public, bytes, sizeof bytes);
	TPM2B_DIGEST digest = digest_of_bytes(alg, bytes, len);
	TPM2B_NAME name = {.size = (uint16_t)(2 + digest.size),
			   .buffer = {(uint8_t)(alg >> 8), (uint8_t)alg}};

	memcpy(name.buffer + 2, digest.buffer, digest.size);
	return name;
}

TPM2B_NAME name_of_public(const TPMT_PUBLIC *public)
{
	if (public->nameAlg == TPM_ALG_NULL)
		return (TPM2B_NAME){.size = 0};
	return name_of(public->nameAlg, &type_TPMT_PUBLIC, public);
}

TPM2B_NAME name_of_index(const TPMS_NV_PUBLIC *public)
{
	return name_of(public->nameAlg, &type_TPMS_NV_PUBLIC, public);
}

TPM2B_NAME name_of_handle(TPM_HANDLE handle)
{
	return (TPM2B_NAME){4,
			    {(uint8_t)(handle >> 24), (uint8_t)(handle >> 16),
			     (uint8_t)(handle >> 8), (uint8_t)handle}};
}

/* ---- the common policy ---- */

static const TPM_CC policy_commands[] = {TPM_CC_Duplicate,          TPM_CC_Certify,
					 TPM_CC_ActivateCredential, TPM_CC_ObjectChangeAuth,
					 TPM_CC_NV_ChangeAuth,      TPM_CC_NV_UndefineSpaceSpecial};
#define BRANCHES 8

static TPM2B_DIGEST extended(TPM_ALG_ID alg, const TPM2B_DIGEST *old, TPM_CC code, const void *data,
			     size_t len)
{
	uint8_t bytes[8 + MAX_DIGEST_SIZE * (BRANCHES + 1)];
	TPM2B_NAME cc = name_of_handle(code);

	memcpy(bytes, old->buffer, old->size);
	memcpy(bytes + old->size, cc.buffer, 4);
	memcpy(bytes + old->size + 4, data, len);
	return digest_of_bytes(alg, bytes, old->size + 4 + len);
}

static void branches(TPM_ALG_ID alg, TPML_DIGEST_OR *list)
{
	const TPM2B_DIGEST zero = {.size = (uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)alg)};

	list->count = BRANCHES;
	list->digests[0] = extended(alg, &zero, TPM_CC_PolicyAuthValue, "", 0);
	/* PolicyPassword gives the same digest: the branch differs by a command code before it */
	list->digests[1] = extended(alg, &zero, TPM_CC_PolicyNvWritten, "\1", 1);
	for (size_t i = 0; i < sizeof policy_commands / sizeof *policy_commands; i++) {
		TPM2B_NAME cc = name_of_handle(policy_commands[i]);

		list->digests[2 + i] = extended(alg, &zero, TPM_CC_PolicyCommandCode, cc.buffer, 4);
	}
}

TPM2B_DIGEST policy_common(TPM_ALG_ID alg)
{
	TPM2B_DIGEST zero = {.size = (uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)alg)};
	uint8_t bytes[BRANCHES * MAX_DIGEST_SIZE];
	TPML_DIGEST_OR list;
	size_t len = 0;

	branches(alg, &list);
	for (uint32_t i = 0; i < list.count; i++) {
		memcpy(bytes + len, list.digests[i].buffer, list.digests[i].size);
		len += list.digests[i].size;
	}
	return extended(alg, &zero, TPM_CC_PolicyOR, bytes, len);
}

static tpm_rc assertion(struct world *w, struct world_session *s, TPM_CC code, TPM_CC parameter)
{
	struct pair p;
	union command_in *in = pair_begin(w, &p, code);

	p.no_faults = p.no_extra = true;
	use_session(&p, 0, s);
	if (code == TPM_CC_PolicyCommandCode)
		in->PolicyCommandCode.code = parameter;
	return pair_run(w, &p);
}

static tpm_rc policy_or(struct world *w, struct world_session *s, TPM_ALG_ID alg)
{
	BEGIN(w, PolicyOR);

	p.no_faults = p.no_extra = true;
	use_session(&p, 0, s);
	branches(alg, &in->pHashList);
	return pair_run(w, &p);
}

struct world_session *policy_session(struct world *w, TPM_ALG_ID alg, TPM_CC command,
				     enum role role)
{
	struct world_session *s = session_start(w, TPM_SE_POLICY, alg);
	tpm_rc rc;

	if (!s)
		return NULL;
	if (role != USER) {
		rc = assertion(w, s, TPM_CC_PolicyCommandCode, command);
	} else {
		bool password = chance(w, 50);

		rc = assertion(w, s, password ? TPM_CC_PolicyPassword : TPM_CC_PolicyAuthValue, 0);
		EACH_SIDE (side) {
			s->s[side].with_auth = !password;
			s->s[side].password = password;
		}
	}
	if (rc || policy_or(w, s, alg)) {
		if (s->in_use && !w->differs)
			session_flush_both(w, s);
		return NULL;
	}
	return s;
}

/* ---- handles ---- */

void *pair_begin(struct world *w, struct pair *p, TPM_CC code)
{
	(void)w;
	memset(p, 0, sizeof *p);
	p->command = command_find(code);
	for (unsigned n = 0; n < MAX_HANDLE_NUM; n++)
		use_handle(p, n, TPM_RH_NULL);
	return &p->in[NATIVE];
}

void *pair_split(struct pair *p)
{
	p->in[OTHER] = p->in[NATIVE];
	p->split = true;
	return &p->in[OTHER];
}

void use_handle(struct pair *p, unsigned n, TPM_HANDLE handle)
{
	struct entity *e = &p->entity[n];

	*e = (struct entity){.policyAlg = TPM_ALG_NULL, .user_auth = true, .admin_auth = true};
	EACH_SIDE (s) {
		e->handle[s] = handle;
		e->name[s] = name_of_handle(handle);
	}
}

void use_key(struct pair *p, unsigned n, const struct world_key *key)
{
	p->entity[n] = key->e;
}

void use_session(struct pair *p, unsigned n, const struct world_session *session)
{
	EACH_SIDE (s) {
		p->entity[n].handle[s] = session->s[s].handle;
		p->entity[n].name[s] = name_of_handle(session->s[s].handle);
	}
}

void use_index(struct world *w, struct pair *p, unsigned n, struct world_index *index)
{
	(void)w;
	p->entity[n] = index->e;
}

void use_hierarchy(struct world *w, struct pair *p, unsigned n, TPM_HANDLE hierarchy)
{
	const TPM2B_AUTH *auth = hierarchy == TPM_RH_OWNER         ? &w->owner
				 : hierarchy == TPM_RH_ENDORSEMENT ? &w->endorsement
				 : hierarchy == TPM_RH_PLATFORM    ? &w->platform
				 : hierarchy == TPM_RH_LOCKOUT     ? &w->lockout
								   : NULL;
	unsigned i = hierarchy == TPM_RH_OWNER         ? 0
		     : hierarchy == TPM_RH_ENDORSEMENT ? 1
		     : hierarchy == TPM_RH_PLATFORM    ? 2
						       : 3;

	use_handle(p, n, hierarchy);
	if (auth) {
		p->entity[n].auth = *auth;
		p->entity[n].policyAlg = w->policies[i] ? TPM_ALG_SHA256 : TPM_ALG_NULL;
	}
}

/* ---- sessions ---- */

static void fresh_nonces(struct world *w, struct pair *p, unsigned n)
{
	EACH_SIDE (s) {
		TPM2B_NONCE *nonce = &p->sessions[s][n].nonceCaller;

		nonce->size = (uint16_t)PICK(w, 16, 16, 20, 32);
		if (nonce->size > cvtpm_hash_size((enum cvtpm_hash_alg)p->sessions[s][n].authHash))
			nonce->size = 16;
		pick_bytes(w, nonce->buffer, nonce->size);
		if (s == OTHER)
			*nonce = p->sessions[NATIVE][n].nonceCaller;
	}
}

static void add_session(struct world *w, struct pair *p, struct world_session *ws,
			const struct entity *e, TPMA_SESSION attributes)
{
	unsigned n = p->session_count++;

	p->of_world[n] = ws;
	EACH_SIDE (s) {
		struct client_session *c = &p->sessions[s][n];

		*c = ws->s[s];
		c->attributes = attributes;
		if (e) {
			bool bound =
				ws->is_bound && ws->bound[s].size == e->name[s].size &&
				memcmp(ws->bound[s].buffer, e->name[s].buffer, e->name[s].size) ==
					0 &&
				ws->bound_auth.size == e->auth.size &&
				memcmp(ws->bound_auth.buffer, e->auth.buffer, e->auth.size) == 0;

			c->auth = e->auth;
			if (ws->type == TPM_SE_HMAC)
				c->with_auth = !bound;
		} else {
			c->with_auth = false;
			c->auth.size = 0;
		}
	}
	fresh_nonces(w, p, n);
}

static void add_password(struct pair *p, const TPM2B_AUTH *auth)
{
	unsigned n = p->session_count++;

	p->of_world[n] = NULL;
	EACH_SIDE (s)
		p->sessions[s][n] =
			(struct client_session){.handle = TPM_RS_PW,
						.auth = *auth,
						.attributes = TPMA_SESSION_CONTINUESESSION};
}

static bool is_used(const struct pair *p, const struct world_session *ws)
{
	for (unsigned n = 0; n < p->session_count; n++)
		if (p->of_world[n] == ws)
			return true;
	for (unsigned n = 0; n < MAX_HANDLE_NUM; n++)
		if (p->entity[n].handle[NATIVE] == ws->s[NATIVE].handle)
			return true;
	return false;
}

/* What else a session may do, where the command allows it. */
static TPMA_SESSION pick_attributes(struct world *w, const struct pair *p,
				    const struct world_session *ws, bool authorises)
{
	const struct command *c = p->command;
	bool sized_in = c->in[0].type && type_is_sized(c->in[0].type);
	bool sized_out = c->out[0].type && type_is_sized(c->out[0].type);
	TPMA_SESSION a = chance(w, 93) ? TPMA_SESSION_CONTINUESESSION : 0, taken = 0;

	for (unsigned n = 0; n < p->session_count; n++)
		taken |= p->sessions[NATIVE][n].attributes;
	if (ws->s[NATIVE].symmetric.algorithm != TPM_ALG_NULL) {
		if ((sized_in ? chance(w, 60) : chance(w, 3)) && !(taken & TPMA_SESSION_DECRYPT))
			a |= TPMA_SESSION_DECRYPT;
		if ((sized_out ? chance(w, 60) : chance(w, 3)) && !(taken & TPMA_SESSION_ENCRYPT))
			a |= TPMA_SESSION_ENCRYPT;
	}
	if (ws->type == TPM_SE_HMAC && !(taken & TPMA_SESSION_AUDIT) && chance(w, 15)) {
		a |= TPMA_SESSION_AUDIT;
		if (chance(w, 10))
			a |= TPMA_SESSION_AUDITRESET;
		if (chance(w, 10))
			a |= TPMA_SESSION_AUDITEXCLUSIVE;
	}
	/* a session that does nothing is refused */
	if (!authorises &&
	    !(a & (TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT | TPMA_SESSION_AUDIT)) &&
	    chance(w, 90))
		a |= ws->type == TPM_SE_HMAC ? TPMA_SESSION_AUDIT : 0;
	return a;
}

static void authorise(struct world *w, struct pair *p, unsigned n)
{
	const struct entity *e = &p->entity[n];
	enum role role = p->command->handles[n].role;
	bool policy = role == DUP || (role == USER ? !e->user_auth : !e->admin_auth);
	struct world_session *ws;

	for (size_t i = 0; i < MAX_KEYS; i++)
		w->tried_public |= w->keys[i].kind && w->keys[i].public_only &&
				   w->keys[i].e.handle[NATIVE] == e->handle[NATIVE];
	if (n == 0 && p->with) {
		add_session(w, p, p->with, e, p->keep ? TPMA_SESSION_CONTINUESESSION : 0);
		return;
	}
	if (!p->plain && e->policyAlg != TPM_ALG_NULL && (policy || chance(w, 10)) &&
	    !w->sessions[MAX_SESSIONS - 1].in_use && !w->differs) {
		/* now and then what the policy allows, but not for this role or command */
		bool wrong = !p->no_faults && chance(w, 6);

		ws = policy_session(w, e->policyAlg,
				    wrong && role == USER ? TPM_CC_Certify : p->command->code,
				    !wrong         ? role
				    : role == USER ? ADMIN
						   : USER);
		if (ws) {
			add_session(w, p, ws, e, 0);
			return;
		}
	}
	ws = pick_session(w, TPM_SE_HMAC);
	/* a session that is bound to the authValue that changes is another matter */
	if (ws && !p->plain && !is_used(p, ws) && chance(w, 50) &&
	    !(ws->is_bound && p->auth_after[n]))
		add_session(w, p, ws, e, pick_attributes(w, p, ws, true));
	else
		add_password(p, &e->auth);
}

static void spoil_auth(struct world *w, struct pair *p, unsigned n)
{
	TPM2B_AUTH wrong = p->entity[n].auth;

	/* that a bound session does not show, and would only not decrypt with */
	if (p->sessions[NATIVE][n].handle != TPM_RS_PW && !p->sessions[NATIVE][n].with_auth &&
	    !p->sessions[NATIVE][n].password)
		return;
	if (wrong.size == 0 || chance(w, 50))
		wrong = rig_auth("wrong");
	else
		wrong.buffer[pick(w, wrong.size)] ^= 0x10;
	EACH_SIDE (s)
		p->sessions[s][n].auth = wrong;
}

static void prepare_sessions(struct world *w, struct pair *p)
{
	unsigned auths = command_auths(p->command);
	struct world_session *ws;

	for (unsigned n = 0; n < auths; n++)
		authorise(w, p, n);
	if (auths && !p->no_faults && chance(w, 3))
		spoil_auth(w, p, pick(w, auths));
	ws = pick_session(w, TPM_SE_HMAC);
	if (ws && !p->plain && !p->no_extra && !(p->command->flags & CC_NO_SESSIONS) &&
	    p->session_count < MAX_SESSION_NUM && !is_used(p, ws) && chance(w, 20))
		add_session(w, p, ws, NULL, pick_attributes(w, p, ws, false));
	for (unsigned n = 0; n < p->session_count; n++)
		EACH_SIDE (s)
			p->sessions[s][n].auth_after = p->auth_after[n];
}

static void take_sessions(struct world *w, struct pair *p, tpm_rc rc)
{
	for (unsigned n = 0; n < p->session_count; n++) {
		struct world_session *ws = p->of_world[n];

		if (!ws)
			continue;
		EACH_SIDE (s)
			ws->s[s].nonceTPM = p->sessions[s][n].nonceTPM;
		if (rc == 0 && !(p->sessions[NATIVE][n].attributes & TPMA_SESSION_CONTINUESESSION))
			ws->in_use = false;
		else if (ws == &w->sessions[MAX_SESSIONS - 1] && !p->keep && !w->differs)
			session_flush_both(w, ws); /* it was for this command */
	}
}

/* ---- running ---- */

static size_t encode(struct pair *p, enum side s, uint8_t *bytes, size_t capacity)
{
	TPM2B_NAME names[MAX_HANDLE_NUM];

	for (unsigned n = 0; n < command_handles(p->command); n++) {
		p->in[s].handle[n] = p->entity[n].handle[s];
		names[n] = p->entity[n].name[s];
	}
	return command_encode(p->command, &p->in[s], p->sessions[s], p->session_count, names, bytes,
			      capacity);
}

/* libtpms answers TPM_RC_RETRY to the first use of something that dictionary attack
 * protects: it had to remember that first. */
static tpm_rc run_side(struct world *w, struct pair *p, enum side s, const uint8_t *bytes,
		       size_t len)
{
	struct rig *r = w->rig[s];
	tpm_rc rc = TPM_RC_RETRY;

	r->locality = w->locality;
	for (unsigned i = 0; i < 3 && rc == TPM_RC_RETRY; i++)
		rc = rig_raw(r, bytes, len);
	if (w->corrupt && s == NATIVE && p->command->code == TPM_CC_PCR_Read && rc == 0)
		r->response[r->response_len - 1] ^= 1;
	memset(&p->out[s], 0, sizeof p->out[s]);
	if (rc == 0)
		audit_note(w, p, s);
	return p->mangled && rc == 0
		       ? rc
		       : response_decode(p->command, r->response, r->response_len, p->sessions[s],
					 p->session_count, &p->out[s]);
}

static void count(struct world *w, const struct command *c, tpm_rc rc)
{
	w->commands++;
	w->succeeded += rc == 0;
	w->by_command[c->code][0]++;
	w->by_command[c->code][1] += rc == 0;
	for (size_t i = 0; i < sizeof w->by_code / sizeof *w->by_code; i++)
		if (w->by_code[i].count == 0 || w->by_code[i].rc == rc) {
			w->by_code[i].rc = rc;
			w->by_code[i].count++;
			break;
		}
}

/* Would the world be another one than the model? */
static bool has_effect(const struct command *c)
{
	bool policy = false;

	for (unsigned n = 0; n < command_handles(c); n++)
		policy |= type_resolve(c->handles[n].type) == &type_TPMI_SH_POLICY;
	return policy || c->flags & (CC_NV | CC_RHANDLE) || c->code == TPM_CC_FlushContext ||
	       c->code == TPM_CC_ContextSave;
}

static tpm_rc judge(struct world *w, struct pair *p, const tpm_rc rc[SIDES])
{
	if (rc[NATIVE] != rc[OTHER]) {
		if (difference_is_explained(w, p, rc[NATIVE], rc[OTHER])) {
			/* and where the other has compared an authValue, it may have counted it */
			w->diverged |= rc[NATIVE] == 0 || rc[OTHER] == 0 ||
				       rc[OTHER] == TPM_RC_FAILURE ||
				       rc[NATIVE] == TPM_RC_AUTH_UNAVAILABLE ||
				       rc[NATIVE] == TPM_RC_NV_UNINITIALIZED;
			return NO_ANSWER;
		}
		snprintf(w->signature, sizeof w->signature, "%s%s: %03x, libtpms %03x",
			 p->command->name, p->mangled ? " (mangled)" : "", rc[NATIVE], rc[OTHER]);
		differ(w, "%s: native answers %03x, libtpms %03x", p->command->name, rc[NATIVE],
		       rc[OTHER]);
		return NO_ANSWER;
	}
	if (rc[NATIVE] == 0 && p->mangled) {
		w->diverged |= has_effect(p->command);
		return NO_ANSWER;
	}
	if (rc[NATIVE] == 0)
		compare_outputs(w, p);
	return w->differs ? NO_ANSWER : rc[NATIVE];
}

static void tell(const struct world *w, const struct pair *p, const tpm_rc rc[SIDES])
{
	fprintf(w->trace, "    %-24s %03x %03x%s", p->command->name, rc[NATIVE], rc[OTHER],
		p->mangled ? " mangled" : "");
	for (unsigned n = 0; n < command_handles(p->command); n++)
		fprintf(w->trace, " %08x", p->entity[n].handle[NATIVE]);
	for (unsigned n = 0; n < p->session_count; n++)
		fprintf(w->trace, " [%08x %02x]", p->sessions[NATIVE][n].handle,
			p->sessions[NATIVE][n].attributes);
	if (w->bytes)
		EACH_SIDE (s) {
			fprintf(w->trace, "\n        %d ", s);
			for (size_t i = 0; i < w->rig[s]->command_len; i++)
				fprintf(w->trace, "%02x", w->rig[s]->command[i]);
			fprintf(w->trace, "\n       -> ");
			for (size_t i = 0; i < w->rig[s]->response_len; i++)
				fprintf(w->trace, "%02x", w->rig[s]->response[i]);
		}
	fputc('\n', w->trace);
}

/* libtpms has three places for transient objects, and puts a persistent one that is used
 * there too, and what a command makes. */
static bool has_room(struct world *w, const struct pair *p)
{
	TPM_CC code = p->command->code;
	unsigned used = w->guests + (code == TPM_CC_Create || code == TPM_CC_ObjectChangeAuth ||
				     code == TPM_CC_Import || p->command->flags & CC_RHANDLE);
	struct world_key *old = NULL;

	for (unsigned n = 0; n < command_handles(p->command); n++)
		used += HANDLE_TYPE(p->entity[n].handle[NATIVE]) == TPM_HT_PERSISTENT;
	for (size_t i = 0; i < MAX_KEYS; i++) {
		bool needed = false;

		if (!key_is_transient(&w->keys[i]))
			continue;
		used++;
		for (unsigned n = 0; n < MAX_HANDLE_NUM; n++)
			needed |= p->entity[n].handle[NATIVE] == w->keys[i].e.handle[NATIVE];
		if (!needed)
			old = &w->keys[i];
	}
	if (used <= 3 || code == TPM_CC_FlushContext)
		return true;
	if (!old)
		return false;
	key_flush(w, old);
	return has_room(w, p);
}

tpm_rc pair_run(struct world *w, struct pair *p)
{
	uint8_t native[4096], other[4096], *bytes[SIDES] = {native, other};
	bool spoil = !p->no_faults && chance(w, 6);
	size_t len[SIDES];
	tpm_rc rc[SIDES];
	tpm_rc result;

	if (w->differs || w->diverged)
		return NO_ANSWER;
	if (!p->split)
		p->in[OTHER] = p->in[NATIVE];
	p->plain |= spoil;
	if (!has_room(w, p))
		return NO_ANSWER;
	if (!p->prepared)
		prepare_sessions(w, p);
	if (w->differs)
		return NO_ANSWER;
	EACH_SIDE (s) {
		len[s] = encode(p, s, bytes[s], sizeof native);
		assert_true(len[s] > 0);
	}
	p->mangled = spoil && mangle(w, p->command, bytes, len);
	EACH_SIDE (s)
		rc[s] = run_side(w, p, s, bytes[s], len[s]);
	w->command_at = time_now_ms();
	if (w->trace)
		tell(w, p, rc);
	count(w, p->command, rc[NATIVE]);
	result = judge(w, p, rc);
	take_sessions(w, p, rc[NATIVE]);
	return w->differs ? NO_ANSWER : result;
}
