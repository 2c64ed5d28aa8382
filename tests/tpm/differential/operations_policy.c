/* Chapter 23: policies, one assertion after the other, in policy and trial sessions; the
 * digest is compared after each. */
#include "world.h"

static void compare_digest(struct world *w, struct world_session *s)
{
	BEGIN(w, PolicyGetDigest);

	p.no_faults = true;
	p.unlike = s->unlike;
	use_session(&p, 0, s);
	pair_run(w, &p);
}

static void policy_simple(struct world *w, struct world_session *s, TPM_CC code)
{
	struct pair p;
	union command_in *in = pair_begin(w, &p, code);

	use_session(&p, 0, s);
	switch (code) {
	case TPM_CC_PolicyCommandCode:
		in->PolicyCommandCode.code =
			PICK(w, TPM_CC_Certify, TPM_CC_NV_Read, TPM_CC_Sign, 0x1FF, 0x20000001);
		break;
	case TPM_CC_PolicyLocality:
		in->PolicyLocality.locality = (TPMA_LOCALITY)PICK(w, 1, 2, 3, 0x1F, 0, 32, 0xFF, 8);
		break;
	case TPM_CC_PolicyNvWritten:
		in->PolicyNvWritten.writtenSet = (TPMI_YES_NO)pick(w, 2);
		break;
	case TPM_CC_PolicyCpHash:
	case TPM_CC_PolicyNameHash:
	case TPM_CC_PolicyTemplate:
		in->PolicyCpHash.cpHashA.size =
			(uint16_t)(chance(w, 85)
					   ? cvtpm_hash_size(
						     (enum cvtpm_hash_alg)s->s[NATIVE].authHash)
					   : PICK(w, 0, 20, 33));
		in->PolicyCpHash.cpHashA.buffer[0] = (uint8_t)pick(w, 2);
		in->PolicyCpHash.cpHashA.buffer[1] = (uint8_t)code; /* no kind is like another */
		break;
	default:
		break;
	}
	pair_run(w, &p);
}

static void policy_pcr(struct world *w, struct world_session *s)
{
	BEGIN(w, PolicyPCR);

	use_session(&p, 0, s);
	in->pcrs = pick_pcrs(w);
	if (chance(w, 20)) {
		in->pcrDigest.size =
			(uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)s->s[NATIVE].authHash);
		pick_bytes(w, in->pcrDigest.buffer, in->pcrDigest.size);
	}
	/* a trial session takes the selection as it is: libtpms cuts it to what there is */
	if (pair_run(w, &p) == 0 && s->type == TPM_SE_TRIAL && in->pcrDigest.size)
		s->unlike |= w->few_pcrs;
}

static void policy_or(struct world *w, struct world_session *s)
{
	TPM2B_DIGEST now[SIDES];

	{
		BEGIN(w, PolicyGetDigest);

		use_session(&p, 0, s);
		p.unlike = s->unlike;
		if (pair_run(w, &p))
			return;
		EACH_SIDE (i)
			now[i] = out[i]->policyDigest;
	}
	BEGIN(w, PolicyOR);
	struct PolicyOR_in *other;

	use_session(&p, 0, s);
	in->pHashList.count = 2 + pick(w, 3);
	in->pHashList.digests[0] = digest_of_bytes(s->s[NATIVE].authHash, "other", 5);
	in->pHashList.digests[1] = digest_of_bytes(s->s[NATIVE].authHash, "none", 4);
	for (uint32_t i = 2; i < in->pHashList.count; i++)
		in->pHashList.digests[i] =
			digest_of_bytes((TPM_ALG_ID)PICK(w, TPM_ALG_SHA1, TPM_ALG_SHA256), &i, 1);
	other = pair_split(&p);
	if (chance(w, 85)) {
		in->pHashList.digests[1] = now[NATIVE];
		other->pHashList.digests[1] = now[OTHER];
	}
	pair_run(w, &p);
}

static void policy_nv(struct world *w, struct world_session *s)
{
	struct world_index *x = pick_index(w);
	BEGIN(w, PolicyNV);

	if (!x || is_counter(x))
		return;
	if (x->public.attributes & TPMA_NV_OWNERREAD)
		use_hierarchy(w, &p, 0, TPM_RH_OWNER);
	else
		use_index(w, &p, 0, x);
	p.entity[0].policyAlg = TPM_ALG_NULL;
	use_index(w, &p, 1, x);
	use_session(&p, 2, s);
	in->operandB.size = (uint16_t)PICK(w, 0, 1, 2, 8);
	pick_bytes(w, in->operandB.buffer, in->operandB.size);
	in->offset = (uint16_t)PICK(w, 0, 0, 1, 5);
	in->operation = (TPM_EO)pick(w, 12);
	pair_run(w, &p);
}

static void policy_counter_timer(struct world *w, struct world_session *s)
{
	BEGIN(w, PolicyCounterTimer);

	use_session(&p, 0, s);
	/* resetCount and what follows: the clocks themselves differ */
	in->operandB.size = (uint16_t)PICK(w, 1, 2, 4, 8, 9);
	in->operandB.buffer[0] = (uint8_t)PICK(w, 0, 0x80);
	in->offset = (uint16_t)PICK(w, 16, 16, 20, 24, 25, 30);
	in->operation = (TPM_EO)pick(w, 12);
	pair_run(w, &p);
}

struct ticket {
	TPM2B_TIMEOUT timeout[SIDES];
	TPMT_TK_AUTH ticket[SIDES];
	TPM2B_DIGEST cp_hash;
	TPM2B_NONCE policy_ref;
	TPM2B_NAME name[SIDES];
};

static void policy_ticket(struct world *w, struct world_session *s, const struct ticket *t)
{
	BEGIN(w, PolicyTicket);
	struct PolicyTicket_in *side[SIDES] = {in, pair_split(&p)};

	use_session(&p, 0, s);
	EACH_SIDE (i) {
		side[i]->timeout = t->timeout[i];
		side[i]->cpHashA = t->cp_hash;
		side[i]->policyRef = t->policy_ref;
		side[i]->authName = t->name[i];
		side[i]->ticket = t->ticket[i];
	}
	pair_run(w, &p);
}

static uint32_t pick_expiration(struct world *w)
{
	return PICK(w, 0, 0, 0, 1000000, (uint32_t)-1000000, (uint32_t)-1000000);
}

static void pick_reference(struct world *w, TPM2B_NONCE *ref)
{
	ref->size = (uint16_t)PICK(w, 0, 0, 4, 20);
	pick_bytes(w, ref->buffer, ref->size);
}

static void policy_secret(struct world *w, struct world_session *s)
{
	struct world_key *key = chance(w, 30) ? pick_key(w, ANY_KEY) : NULL;
	struct world_index *x = chance(w, 20) ? pick_index(w) : NULL;
	struct ticket t = {0};
	BEGIN(w, PolicySecret);
	struct PolicySecret_in *other;

	if (key)
		use_key(&p, 0, key);
	else if (x)
		use_index(w, &p, 0, x);
	else
		use_hierarchy(
			w, &p, 0,
			PICK(w, TPM_RH_OWNER, TPM_RH_ENDORSEMENT, TPM_RH_PLATFORM, TPM_RH_LOCKOUT));
	if (!x)
		p.entity[0].policyAlg = TPM_ALG_NULL;
	use_session(&p, 1, s);
	pick_reference(w, &in->policyRef);
	in->expiration = pick_expiration(w);
	if (chance(w, 10)) {
		in->cpHashA.size =
			(uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)s->s[NATIVE].authHash);
		in->cpHashA.buffer[1] = (uint8_t)TPM_CC_PolicyCpHash;
	}
	other = pair_split(&p);
	if (chance(w, 60)) {
		in->nonceTPM = s->s[NATIVE].nonceTPM;
		other->nonceTPM = s->s[OTHER].nonceTPM;
	}
	if (pair_run(w, &p))
		return;
	s->unlike |= key && !key->same;
	compare_value(w, "PolicySecret: timeout's size", &type_TPM2B_TIMEOUT, &out[NATIVE]->timeout,
		      &out[OTHER]->timeout, false);
	if ((int32_t)in->expiration >= 0 || w->differs)
		return;
	EACH_SIDE (i) {
		t.timeout[i] = out[i]->timeout;
		t.ticket[i] = out[i]->policyTicket;
		t.name[i] = p.entity[0].name[i];
	}
	t.cp_hash = in->cpHashA;
	t.policy_ref = in->policyRef;
	if (chance(w, 70))
		policy_ticket(w, s, &t);
}

/* A key of ours, loaded as an external public key, signs what PolicySigned wants: an HMAC key
 * with a known secret does, without ECDSA. */
static TPM2B_DIGEST signed_digest(const struct PolicySigned_in *in, TPM_ALG_ID alg)
{
	uint8_t bytes[3 * MAX_DIGEST_SIZE + 4];
	struct writer out = {bytes, sizeof bytes, false};

	write_bytes(&out, in->nonceTPM.buffer, in->nonceTPM.size);
	write_u32(&out, in->expiration);
	write_bytes(&out, in->cpHashA.buffer, in->cpHashA.size);
	write_bytes(&out, in->policyRef.buffer, in->policyRef.size);
	return digest_of_bytes(alg, bytes, (size_t)(out.at - bytes));
}

static bool policy_sign(struct world *w, struct world_key *key, struct pair *of)
{
	struct PolicySigned_in *want[SIDES] = {&of->in[NATIVE].PolicySigned,
					       &of->in[OTHER].PolicySigned};
	TPM_ALG_ID alg = scheme_hash(key, TPM_ALG_SHA256);
	TPM2B_DIGEST digest[SIDES];
	TPMT_SIGNATURE signature[SIDES];

	EACH_SIDE (s)
		digest[s] = signed_digest(want[s], alg);
	if (!sign_digests(w, key, alg, digest, signature))
		return false;
	EACH_SIDE (s)
		want[s]->auth = signature[s];
	return true;
}

static void policy_signed(struct world *w, struct world_session *s)
{
	struct world_key *key = pick_key(w, KIND(KEY_SIGN) | KIND(KEY_HMAC) | KIND(KEY_RSA_SIGN));
	struct ticket t = {0};
	BEGIN(w, PolicySigned);
	struct PolicySigned_in *other;

	if (!key)
		return;
	use_key(&p, 0, key);
	use_session(&p, 1, s);
	pick_reference(w, &in->policyRef);
	in->expiration = pick_expiration(w);
	in->auth.sigAlg = TPM_ALG_ECDSA;
	in->auth.signature.any.hashAlg = TPM_ALG_SHA256;
	other = pair_split(&p);
	if (chance(w, 60)) {
		in->nonceTPM = s->s[NATIVE].nonceTPM;
		other->nonceTPM = s->s[OTHER].nonceTPM;
	}
	if (!policy_sign(w, key, &p))
		return;
	if (chance(w, 5))
		in->expiration = other->expiration = 7;
	if (pair_run(w, &p))
		return;
	s->unlike |= !key->same;
	if ((int32_t)in->expiration >= 0)
		return;
	EACH_SIDE (i) {
		t.timeout[i] = out[i]->timeout;
		t.ticket[i] = out[i]->policyTicket;
		t.name[i] = p.entity[0].name[i];
	}
	t.policy_ref = in->policyRef;
	if (chance(w, 70))
		policy_ticket(w, s, &t);
}

static void policy_authorize(struct world *w, struct world_session *s)
{
	BEGIN(w, PolicyAuthorize);

	use_session(&p, 0, s);
	pick_reference(w, &in->policyRef);
	in->keySign = name_of_public(
		&(TPMT_PUBLIC){.type = TPM_ALG_KEYEDHASH,
			       .nameAlg = TPM_ALG_SHA256,
			       .parameters.keyedHashDetail.scheme.scheme = TPM_ALG_NULL});
	in->checkTicket.tag = TPM_ST_VERIFIED;
	in->checkTicket.hierarchy = TPM_RH_NULL;
	if (chance(w, 40))
		in->approvedPolicy = digest_of_bytes(s->s[NATIVE].authHash, "", 0);
	pair_run(w, &p);
}

static void policy_duplication_select(struct world *w, struct world_session *s)
{
	BEGIN(w, PolicyDuplicationSelect);

	use_session(&p, 0, s);
	in->objectName.size = (uint16_t)PICK(w, 0, 34);
	in->newParentName.size = 34;
	in->includeObject = (TPMI_YES_NO)pick(w, 2);
	pair_run(w, &p);
}

static void policy_authorize_nv(struct world *w, struct world_session *s)
{
	struct world_index *x = pick_index(w);
	BEGIN(w, PolicyAuthorizeNV);

	if (!x)
		return;
	if (x->public.attributes & TPMA_NV_OWNERREAD)
		use_hierarchy(w, &p, 0, TPM_RH_OWNER);
	else
		use_index(w, &p, 0, x);
	p.entity[0].policyAlg = TPM_ALG_NULL;
	use_index(w, &p, 1, x);
	use_session(&p, 2, s);
	pair_run(w, &p);
}

static void policy_assertion(struct world *w, struct world_session *s)
{
	switch (pick(w, 20)) {
	case 0:
	case 1:
		policy_pcr(w, s);
		break;
	case 2:
	case 3:
		policy_or(w, s);
		break;
	case 4:
	case 5:
		policy_nv(w, s);
		break;
	case 6:
		policy_counter_timer(w, s);
		break;
	case 7:
	case 8:
		policy_secret(w, s);
		break;
	case 9:
	case 10:
		policy_signed(w, s);
		break;
	case 11:
		policy_authorize(w, s);
		break;
	case 12:
		policy_duplication_select(w, s);
		break;
	case 13:
		policy_authorize_nv(w, s);
		break;
	default:
		policy_simple(w, s,
			      PICK(w, TPM_CC_PolicyAuthValue, TPM_CC_PolicyPassword,
				   TPM_CC_PolicyCommandCode, TPM_CC_PolicyLocality,
				   TPM_CC_PolicyNvWritten, TPM_CC_PolicyCpHash,
				   TPM_CC_PolicyNameHash, TPM_CC_PolicyTemplate,
				   TPM_CC_PolicyRestart));
	}
}

static void policy(struct world *w)
{
	struct world_session *s =
		session_start(w, chance(w, 60) ? TPM_SE_POLICY : TPM_SE_TRIAL, pick_hash(w));

	if (!s)
		return;
	for (uint32_t n = 1 + pick(w, 5); n && !w->differs; n--) {
		policy_assertion(w, s);
		compare_digest(w, s);
	}
	if (!w->differs)
		session_flush_both(w, s);
}

const struct operation operations_policy[] = {{"policy", 22, policy}, {NULL, 0, NULL}};
