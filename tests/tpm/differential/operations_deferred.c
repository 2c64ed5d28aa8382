/*
 * Chapter 23, policies at their use: what a policy session was told is kept, or it is broken
 * between the telling and the use.
 *
 * A recipe of assertions is run in a trial session, its digest becomes the policy of an index
 * or of the owner; then the recipe is run in a policy session, something happens, and the
 * session authorises a command.
 */
#include "world.h"

#define POLICY_INDEX   (NV_INDEX_FIRST + 0x10)
#define APPROVAL_INDEX (NV_INDEX_FIRST + 0x11)
#define MAX_ASSERTIONS 3

/* What authorises: an index of its own, or the owner, whose name does not depend on its
 * policy, so that the policy can depend on names. */
enum subject { INDEX, OWNER };

struct assertion {
	TPM_CC code;
	uint32_t number; /* whatever the command has one of */
	TPML_PCR_SELECTION pcrs;
	TPM2B_NONCE ref;
	struct world_key *key;
};

struct recipe {
	enum subject subject;
	unsigned count;
	struct assertion assertions[MAX_ASSERTIONS];
	TPM2B_DIGEST policy[SIDES];
	struct entity index;
	TPMS_NV_PUBLIC public[SIDES];
	uint64_t new_time;        /* of the owner's command, which is TPM2_ClockSet */
	bool with_auth, password; /* as the last such assertion says */
};

/* ---- assertions ---- */

static TPM2B_DIGEST hash_of_parts(TPM_ALG_ID alg, const uint8_t *a, size_t a_len, const uint8_t *b,
				  size_t b_len)
{
	uint8_t bytes[4 * MAX_DIGEST_SIZE];

	memcpy(bytes, a, a_len);
	memcpy(bytes + a_len, b, b_len);
	return digest_of_bytes(alg, bytes, a_len + b_len);
}

/* cpHash or nameHash of the owner's TPM2_ClockSet. */
static TPM2B_DIGEST hash_of_use(const struct recipe *r, TPM_ALG_ID alg, bool parameters)
{
	TPM2B_NAME code = name_of_handle(TPM_CC_ClockSet), owner = name_of_handle(TPM_RH_OWNER);
	uint8_t bytes[16];
	struct writer out = {bytes, sizeof bytes, false};

	if (!parameters)
		return digest_of_bytes(alg, owner.buffer, 4);
	write_bytes(&out, code.buffer, 4);
	write_bytes(&out, owner.buffer, 4);
	write_u64(&out, r->new_time);
	return digest_of_bytes(alg, bytes, 16);
}

static bool digest_now(struct world *w, struct world_session *s, TPM2B_DIGEST digest[SIDES])
{
	BEGIN(w, PolicyGetDigest);

	p.no_faults = p.no_extra = true;
	p.unlike = s->unlike;
	use_session(&p, 0, s);
	if (pair_run(w, &p))
		return false;
	EACH_SIDE (i)
		digest[i] = out[i]->policyDigest;
	return true;
}

static tpm_rc assert_or(struct world *w, struct world_session *s, const TPM2B_DIGEST now[SIDES])
{
	BEGIN(w, PolicyOR);
	struct PolicyOR_in *side[SIDES] = {in, NULL};

	p.no_faults = p.no_extra = true;
	use_session(&p, 0, s);
	side[OTHER] = pair_split(&p);
	EACH_SIDE (i) {
		side[i]->pHashList.count = 2;
		side[i]->pHashList.digests[0] = digest_of_bytes(s->s[NATIVE].authHash, "or", 2);
		side[i]->pHashList.digests[1] = now[i];
	}
	return pair_run(w, &p);
}

static tpm_rc assert_secret(struct world *w, struct world_session *s, const struct assertion *a)
{
	BEGIN(w, PolicySecret);
	struct PolicySecret_in *other;

	p.no_faults = p.no_extra = p.plain = true;
	use_hierarchy(w, &p, 0, TPM_RH_ENDORSEMENT);
	use_session(&p, 1, s);
	in->policyRef = a->ref;
	in->expiration = a->number;
	other = pair_split(&p);
	in->nonceTPM = s->s[NATIVE].nonceTPM;
	other->nonceTPM = s->s[OTHER].nonceTPM;
	return pair_run(w, &p);
}

/* The key signs H(digest || ref), the TPM says so in a ticket, and the ticket approves of the
 * policy so far. */
static tpm_rc assert_authorize(struct world *w, struct world_session *s, const struct assertion *a,
			       const TPM2B_DIGEST now[SIDES])
{
	TPM_ALG_ID alg = a->key->public[NATIVE].nameAlg;
	TPM2B_DIGEST digest[SIDES];
	TPMT_SIGNATURE signature[SIDES];
	TPMT_TK_VERIFIED ticket[SIDES];
	bool real = s->type == TPM_SE_POLICY;

	memset(ticket, 0, sizeof ticket);
	EACH_SIDE (i) {
		digest[i] =
			hash_of_parts(alg, now[i].buffer, now[i].size, a->ref.buffer, a->ref.size);
		ticket[i].tag = TPM_ST_VERIFIED;
		ticket[i].hierarchy = TPM_RH_NULL;
	}
	if (real) {
		BEGIN(w, VerifySignature);
		struct VerifySignature_in *side[SIDES] = {in, NULL};

		if (!sign_digests(w, a->key, alg, digest, signature))
			return NO_ANSWER;
		p.no_faults = true;
		use_key(&p, 0, a->key);
		side[OTHER] = pair_split(&p);
		EACH_SIDE (i) {
			side[i]->digest = digest[i];
			side[i]->signature = signature[i];
		}
		if (pair_run(w, &p))
			return NO_ANSWER;
		EACH_SIDE (i)
			ticket[i] = out[i]->validation;
	}
	s->unlike |= !a->key->same;
	BEGIN(w, PolicyAuthorize);
	struct PolicyAuthorize_in *side[SIDES] = {in, NULL};

	p.no_extra = true;
	use_session(&p, 0, s);
	in->policyRef = a->ref;
	side[OTHER] = pair_split(&p);
	EACH_SIDE (i) {
		side[i]->approvedPolicy = now[i];
		side[i]->keySign = a->key->e.name[i];
		side[i]->checkTicket = ticket[i];
	}
	if (real && chance(w, 10)) { /* another ticket, another policy, another reference */
		uint8_t *wrong[SIDES];

		for (unsigned which = pick(w, 3), i = 0; i < SIDES; i++)
			wrong[i] = which == 0   ? &side[i]->checkTicket.digest.buffer[3]
				   : which == 1 ? &side[i]->approvedPolicy.buffer[3]
						: &side[i]->keySign.buffer[3];
		EACH_SIDE (i)
			*wrong[i] ^= 1;
	}
	return pair_run(w, &p);
}

/* Approved of by an index that holds the policy so far. */
static tpm_rc assert_authorize_nv(struct world *w, struct world_session *s,
				  const TPM2B_DIGEST now[SIDES])
{
	if (s->type == TPM_SE_POLICY) {
		BEGIN(w, NV_Write);
		struct NV_Write_in *side[SIDES] = {in, NULL};

		p.no_faults = p.no_extra = p.plain = true;
		use_hierarchy(w, &p, 0, TPM_RH_OWNER);
		use_handle(&p, 1, APPROVAL_INDEX);
		side[OTHER] = pair_split(&p);
		EACH_SIDE (i) {
			struct writer out_ = {side[i]->data.buffer, sizeof in->data.buffer, false};

			write_u16(&out_, s->s[i].authHash);
			write_bytes(&out_, now[i].buffer, now[i].size);
			side[i]->data.size = (uint16_t)(2 + now[i].size);
		}
		if (chance(w, 10)) { /* another hash, another policy */
			unsigned at = PICK(w, 1, 5);

			EACH_SIDE (i)
				side[i]->data.buffer[at] ^= 1;
		}
		if (pair_run(w, &p))
			return NO_ANSWER;
	}
	BEGIN(w, PolicyAuthorizeNV);

	p.no_faults = p.no_extra = p.plain = true;
	use_hierarchy(w, &p, 0, TPM_RH_OWNER);
	use_handle(&p, 1, APPROVAL_INDEX);
	use_session(&p, 2, s);
	return pair_run(w, &p);
}

static tpm_rc assert_one(struct world *w, struct recipe *r, struct world_session *s,
			 const struct assertion *a)
{
	TPM_ALG_ID alg = s->s[NATIVE].authHash;
	TPM2B_DIGEST now[SIDES];
	struct pair p;
	union command_in *in;

	if ((a->code == TPM_CC_PolicyOR || a->code == TPM_CC_PolicyAuthorize ||
	     a->code == TPM_CC_PolicyAuthorizeNV) &&
	    !digest_now(w, s, now))
		return NO_ANSWER;
	switch (a->code) {
	case TPM_CC_PolicyOR:
		return assert_or(w, s, now);
	case TPM_CC_PolicySecret:
		return assert_secret(w, s, a);
	case TPM_CC_PolicyAuthorize:
		return assert_authorize(w, s, a, now);
	case TPM_CC_PolicyAuthorizeNV:
		return assert_authorize_nv(w, s, now);
	default:
		break;
	}
	in = pair_begin(w, &p, a->code);
	p.no_faults = p.no_extra = true;
	use_session(&p, 0, s);
	switch (a->code) {
	case TPM_CC_PolicyPCR:
		in->PolicyPCR.pcrs = a->pcrs;
		break;
	case TPM_CC_PolicyLocality:
		in->PolicyLocality.locality = (TPMA_LOCALITY)a->number;
		break;
	case TPM_CC_PolicyCommandCode:
		in->PolicyCommandCode.code = a->number;
		break;
	case TPM_CC_PolicyNvWritten:
		in->PolicyNvWritten.writtenSet = (TPMI_YES_NO)a->number;
		break;
	case TPM_CC_PolicyCpHash:
		in->PolicyCpHash.cpHashA = hash_of_use(r, alg, true);
		break;
	case TPM_CC_PolicyNameHash:
		in->PolicyNameHash.nameHash = hash_of_use(r, alg, false);
		break;
	case TPM_CC_PolicyAuthValue:
	case TPM_CC_PolicyPassword:
		r->with_auth = a->code == TPM_CC_PolicyAuthValue;
		r->password = !r->with_auth;
		break;
	default:
		break;
	}
	return pair_run(w, &p);
}

static struct assertion pick_assertion(struct world *w, enum subject subject)
{
	struct assertion a = {.ref.size = (uint16_t)PICK(w, 0, 4)};

	pick_bytes(w, a.ref.buffer, a.ref.size);
	a.code = PICK(w, TPM_CC_PolicyPCR, TPM_CC_PolicyPCR, TPM_CC_PolicyLocality,
		      TPM_CC_PolicyCommandCode, TPM_CC_PolicyOR, TPM_CC_PolicySecret,
		      TPM_CC_PolicySecret, TPM_CC_PolicyAuthorize, TPM_CC_PolicyAuthorize,
		      TPM_CC_PolicyAuthorizeNV, TPM_CC_PolicyAuthValue, TPM_CC_PolicyPassword,
		      TPM_CC_PolicyNvWritten, TPM_CC_PolicyCpHash, TPM_CC_PolicyNameHash,
		      TPM_CC_PolicyPhysicalPresence);
	/* the hash of a command with the index would hash its policy */
	if (subject == INDEX && (a.code == TPM_CC_PolicyCpHash || a.code == TPM_CC_PolicyNameHash))
		a.code = TPM_CC_PolicyNvWritten;
	if (a.code == TPM_CC_PolicyAuthorize) {
		a.key = pick_key(w, KIND(KEY_SIGN) | KIND(KEY_HMAC) | KIND(KEY_RSA_SIGN));
		if (!a.key || a.key->public_only || !a.key->e.user_auth)
			a.code = TPM_CC_PolicyPCR;
	}
	a.pcrs.count = 1;
	a.pcrs.pcrSelections[0] =
		(TPMS_PCR_SELECTION){pick_hash(w), {3, {(uint8_t)pick(w, 4), 0, 0x81}}};
	a.number = a.code == TPM_CC_PolicyLocality ? PICK(w, 1, 1, 3, 5, 8, 0x1F, 0x20)
		   : a.code == TPM_CC_PolicyCommandCode
			   ? PICK(w, TPM_CC_NV_Read, TPM_CC_NV_Write, TPM_CC_ClockSet)
		   : a.code == TPM_CC_PolicySecret ? PICK(w, 0, 1, 5, 100, (uint32_t)-5)
						   : pick(w, 2);
	return a;
}

/* ---- the subject ---- */

static tpm_rc define(struct world *w, TPM_HANDLE handle, TPM_ALG_ID alg, TPMA_NV attributes,
		     uint16_t size, const TPM2B_DIGEST *policy, struct recipe *r)
{
	EACH_SIDE (s) {
		r->public[s] = (TPMS_NV_PUBLIC){.nvIndex = handle,
						.nameAlg = alg,
						.attributes = attributes | TPMA_NV_OWNERWRITE |
							      TPMA_NV_OWNERREAD,
						.dataSize = size};
		if (policy)
			r->public[s].authPolicy = policy[s];
	}
	return index_make(w, r->public, &r->index.auth);
}

static bool make_index(struct world *w, struct recipe *r, TPM_ALG_ID alg)
{
	TPMA_NV attributes = TPMA_NV_POLICYREAD | TPMA_NV_POLICYWRITE;

	r->index.auth = pick_auth(w);
	attributes |= chance(w, 70) ? TPMA_NV_NO_DA : 0;
	if (define(w, POLICY_INDEX, alg, attributes, 8, r->policy, r))
		return false;
	EACH_SIDE (s) {
		r->index.handle[s] = POLICY_INDEX;
		r->index.name[s] = name_of_index(&r->public[s]);
	}
	return true;
}

static void index_was_written(struct recipe *r)
{
	EACH_SIDE (s) {
		r->public[s].attributes |= TPMA_NV_WRITTEN;
		r->index.name[s] = name_of_index(&r->public[s]);
	}
}

static tpm_rc owner_policy(struct world *w, const TPM2B_DIGEST *policy, TPM_ALG_ID alg)
{
	BEGIN(w, SetPrimaryPolicy);
	struct SetPrimaryPolicy_in *other;

	p.no_faults = p.no_extra = p.plain = true;
	use_hierarchy(w, &p, 0, TPM_RH_OWNER);
	p.entity[0].policyAlg = TPM_ALG_NULL;
	in->hashAlg = policy ? alg : TPM_ALG_NULL;
	other = pair_split(&p);
	if (policy) {
		in->authPolicy = policy[NATIVE];
		other->authPolicy = policy[OTHER];
	}
	w->policies[0] = false;
	return pair_run(w, &p);
}

/* ---- between the telling and the use ---- */

static void write_index(struct world *w, struct recipe *r)
{
	BEGIN(w, NV_Write);

	p.no_faults = p.no_extra = p.plain = true;
	use_hierarchy(w, &p, 0, TPM_RH_OWNER);
	p.entity[0].policyAlg = TPM_ALG_NULL;
	p.entity[1] = r->index;
	in->data.size = 8;
	if (pair_run(w, &p) == 0)
		index_was_written(r);
}

static void extend(struct world *w, TPMI_DH_PCR pcr)
{
	BEGIN(w, PCR_Event);

	p.no_faults = p.no_extra = p.plain = true;
	use_handle(&p, 0, pcr);
	in->eventData.size = 1;
	pair_run(w, &p);
}

/* Saved over a restart or a resume of the TPM, which ends what was to last some time. */
static bool over_a_restart(struct world *w, struct world_session *s, TPM_SU type)
{
	struct world_context saved;

	return session_save(w, s, &saved) && restart(w, type) && session_load(w, &saved, s);
}

/* False: the session is no more. */
static bool something_happens(struct world *w, struct recipe *r, struct world_session *s)
{
	switch (pick(w, 12)) {
	case 0:
	case 1:
		extend(w, PICK(w, 0, 1, 8, 16, 23));
		break;
	case 2:
	case 3:
		time_pass(w, PICK(w, 900, 1000, 1001, 4999, 5001, 20000));
		break;
	case 4:
		if (r->subject == INDEX)
			write_index(w, r);
		break;
	case 5:
		w->locality = (uint8_t)PICK(w, 1, 2, 3, 4);
		break;
	case 6:
		r->new_time += r->subject == OWNER;
		break;
	case 8:
		set_presence(w, chance(w, 50));
		break;
	case 7:
		if (chance(w, 60))
			return over_a_restart(w, s, chance(w, 50) ? TPM_SU_CLEAR : TPM_SU_STATE);
		break;
	default:
		break;
	}
	return true;
}

static tpm_rc use(struct world *w, struct recipe *r, struct world_session *s, bool keep)
{
	struct pair p;
	union command_in *in;

	EACH_SIDE (i) {
		s->s[i].with_auth = r->with_auth;
		s->s[i].password = r->password;
	}
	if (r->subject == OWNER) {
		in = pair_begin(w, &p, TPM_CC_ClockSet);
		use_hierarchy(w, &p, 0, TPM_RH_OWNER);
		in->ClockSet.newTime = r->new_time;
	} else {
		bool write = chance(w, 50);

		in = pair_begin(w, &p, write ? TPM_CC_NV_Write : TPM_CC_NV_Read);
		p.entity[0] = p.entity[1] = r->index;
		if (write)
			in->NV_Write.data.size = 8;
		else
			in->NV_Read.size = 8;
	}
	p.no_extra = true;
	p.with = s;
	p.keep = keep;
	if (pair_run(w, &p))
		return NO_ANSWER;
	if (p.command->code == TPM_CC_NV_Write)
		index_was_written(r);
	if (p.command->code == TPM_CC_ClockSet)
		clock_is_set(w, r->new_time);
	return TPM_RC_SUCCESS;
}

static bool run_recipe(struct world *w, struct recipe *r, struct world_session *s)
{
	r->with_auth = r->password = false;
	for (unsigned i = 0; i < r->count; i++)
		if (assert_one(w, r, s, &r->assertions[i]))
			return false;
	return true;
}

static void end_session(struct world *w, struct world_session *s)
{
	if (s->in_use && !w->differs && !w->diverged)
		session_flush_both(w, s);
}

static bool find_policy(struct world *w, struct recipe *r, TPM_ALG_ID alg)
{
	struct world_session *s = session_start(w, TPM_SE_TRIAL, alg);
	bool found;

	if (!s)
		return false;
	found = run_recipe(w, r, s) && digest_now(w, s, r->policy);
	end_session(w, s);
	return found;
}

static void try_policy(struct world *w, struct recipe *r, TPM_ALG_ID alg)
{
	struct world_session *s = session_start(w, TPM_SE_POLICY, alg);
	bool keep = chance(w, 30);

	if (!s)
		return;
	if (run_recipe(w, r, s) && something_happens(w, r, s))
		for (unsigned tries = 0; tries < 2 && s->in_use && !w->differs; tries++) {
			use(w, r, s, keep);
			w->locality = 0;
			if (keep && chance(w, 50))
				run_recipe(w, r, s); /* else it has begun anew, or is as it was */
		}
	w->locality = 0;
	end_session(w, s);
}

static void policy_at_use(struct world *w)
{
	TPM_ALG_ID alg = pick_hash(w);
	struct recipe r = {.subject = chance(w, 70) ? INDEX : OWNER, .count = 1 + pick(w, 3)};
	struct recipe approval = {.index.auth.size = 0};
	bool nv = false;

	set_presence(w, chance(w, 80));
	r.index.user_auth = true;
	r.index.policyAlg = TPM_ALG_NULL;
	r.new_time = clock_expected(w, NATIVE) + 100000;
	for (unsigned i = 0; i < r.count; i++) {
		r.assertions[i] = pick_assertion(w, r.subject);
		nv |= r.assertions[i].code == TPM_CC_PolicyAuthorizeNV;
	}
	if (nv && define(w, APPROVAL_INDEX, TPM_ALG_SHA256, TPMA_NV_NO_DA, 2 + 64, NULL, &approval))
		return;
	if (find_policy(w, &r, alg) &&
	    (r.subject == INDEX ? make_index(w, &r, alg) : !owner_policy(w, r.policy, alg))) {
		try_policy(w, &r, alg);
		if (r.subject == INDEX)
			index_remove(w, POLICY_INDEX);
		else
			owner_policy(w, NULL, alg);
	}
	if (nv)
		index_remove(w, APPROVAL_INDEX);
}

/* ---- PolicyDuplicationSelect ---- */

static TPM2B_DIGEST duplication_policy(TPM_ALG_ID alg, const TPM2B_NAME *object,
				       const TPM2B_NAME *parent, bool include)
{
	TPM2B_NAME code = name_of_handle(TPM_CC_PolicyDuplicationSelect);
	uint8_t bytes[4 * MAX_DIGEST_SIZE] = {0};
	size_t at = cvtpm_hash_size((enum cvtpm_hash_alg)alg);

	memcpy(bytes + at, code.buffer, 4);
	at += 4;
	if (include) {
		memcpy(bytes + at, object->buffer, object->size);
		at += object->size;
	}
	memcpy(bytes + at, parent->buffer, parent->size);
	at += parent->size;
	bytes[at++] = include;
	return digest_of_bytes(alg, bytes, at);
}

/* An object that may go to one new parent alone: it goes there, or is sent elsewhere. */
static void duplication_select(struct world *w)
{
	struct world_key *parent = pick_key(w, KIND(KEY_STORAGE)), object = {.kind = KEY_HMAC};
	bool include = chance(w, 20);
	TPM_ALG_ID alg = TPM_ALG_SHA256;
	struct world_session *s;

	if (!parent || !room_for_key(w) || !parent->kind || w->differs)
		return;
	{
		BEGIN(w, LoadExternal);
		struct LoadExternal_in *side[SIDES] = {in, NULL};

		p.no_faults = p.no_extra = p.unlike = true;
		external_hmac_key(w, in);
		side[OTHER] = pair_split(&p);
		EACH_SIDE (i) {
			TPMT_PUBLIC *public = &side[i]->inPublic.publicArea;

			public->authPolicy = duplication_policy(alg, &object.e.name[i],
								&parent->e.name[i], false);
			object.public[i] = *public;
		}
		if (pair_run(w, &p))
			return;
		key_set(w, &object, out[NATIVE]->handle, out[OTHER]->handle);
	}
	w->guests = 1;
	s = session_start(w, TPM_SE_POLICY, alg);
	if (s) {
		BEGIN(w, PolicyDuplicationSelect);
		struct PolicyDuplicationSelect_in *side[SIDES] = {in, NULL};

		p.no_faults = p.no_extra = true;
		use_session(&p, 0, s);
		in->includeObject = include;
		side[OTHER] = pair_split(&p);
		EACH_SIDE (i) {
			side[i]->objectName = object.e.name[i];
			side[i]->newParentName = parent->e.name[i];
		}
		if (chance(w, 20))
			EACH_SIDE (i)
				side[i]->objectName.buffer[5] ^= 1; /* not in the digest */
		pair_run(w, &p);
	}
	if (s && !w->differs) {
		BEGIN(w, Duplicate);

		p.no_extra = true;
		p.with = s;
		use_key(&p, 0, &object);
		if (chance(w, 80))
			use_key(&p, 1, parent);
		in->symmetricAlg.algorithm = TPM_ALG_NULL;
		pair_run(w, &p);
		end_session(w, s);
	}
	w->guests = 0;
	if (!w->differs && !w->diverged)
		key_flush(w, &object);
}

const struct operation operations_deferred[] = {
	{"policy-at-use", 18, policy_at_use},
	{"duplication-select", 5, duplication_select},
	{NULL, 0, NULL},
};
