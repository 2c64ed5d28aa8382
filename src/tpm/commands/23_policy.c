/*
 * Part 3, 23: enhanced authorisation, the assertions that somebody else makes or that
 * combine others. What holds at the time of use is in 23_policy_deferred.c.
 */
#include "tpm/tpm.h"

/* The highest bit of a timeout that goes out says that the ticket ends with the next
 * TPM Reset or Restart, too. */
#define TIMEOUT_ON_RESET (1ull << 63)

/* The ticket for an authorisation with an end, and when that is (23.2.5). */
static tpm_rc make_ticket(struct tpm *t, TPM_ST tag, TPM_HANDLE entity, uint64_t timeout,
			  bool on_reset, const TPM2B_DIGEST *cp_hash, const TPM2B_NONCE *policy_ref,
			  const TPM2B_NAME *name, TPM2B_TIMEOUT *out, TPMT_TK_AUTH *ticket)
{
	struct writer w = {out->buffer, sizeof out->buffer, false};

	write_u64(&w, on_reset ? timeout | TIMEOUT_ON_RESET : timeout);
	out->size = sizeof out->buffer;
	return ticket_auth(t, tag, entity_hierarchy(t, entity), timeout, on_reset, cp_hash,
			   policy_ref, name, ticket);
}

static void no_ticket(TPM_ST tag, TPMT_TK_AUTH *ticket)
{
	ticket->tag = tag;
	ticket->hierarchy = TPM_RH_NULL;
}

static bool expiration_is_negative(uint32_t expiration)
{
	return expiration >> 31;
}

/* Does the key sign H(nonceTPM || expiration || cpHashA || policyRef)? */
static tpm_rc check_signed(struct tpm *t, const struct tpm_object *key,
			   const struct PolicySigned_in *in)
{
	uint8_t expiration[4];
	struct writer w = {expiration, sizeof expiration, false};
	const struct cvtpm_octets parts[] = {OCTETS(in->nonceTPM),
					     {expiration, sizeof expiration},
					     OCTETS(in->cpHashA),
					     OCTETS(in->policyRef)};
	TPM2B_DIGEST digest;

	write_u32(&w, in->expiration);
	TRY(tpm_hash(t, in->auth.signature.any.hashAlg, parts, 4, &digest));
	return key_verify(t, key, &digest, &in->auth);
}

/* 23.3: somebody has signed this authorisation. */
COMMAND_BODY(PolicySigned)
{
	struct tpm_session *s = session_get(t, in->policySession);
	const struct tpm_object *key = object_get(t, in->authObject);
	bool trial = s->bits & SESSION_TRIAL, bound = in->nonceTPM.size != 0;
	uint64_t timeout = 0;

	if (!key)
		return RC_H(1, TPM_RC_KEY);
	if (!trial) {
		timeout = policy_timeout(s, in->expiration, bound);
		TRY(policy_check_parameters(t, s, &in->nonceTPM, &in->cpHashA, timeout, 4));
		TRY(rc_p(5, check_signed(t, key, in)));
	}
	TRY(policy_update(t, s, TPM_CC_PolicySigned, &key->name, &in->policyRef, &in->cpHashA,
			  timeout));
	no_ticket(TPM_ST_AUTH_SIGNED, &out->policyTicket);
	if (trial || !expiration_is_negative(in->expiration))
		return TPM_RC_SUCCESS;
	return make_ticket(t, TPM_ST_AUTH_SIGNED, in->authObject, timeout, !bound, &in->cpHashA,
			   &in->policyRef, &key->name, &out->timeout, &out->policyTicket);
}

/* An authorisation by a PIN Pass index counts; a ticket would let it count once for many. */
static bool is_pin_pass(struct tpm *t, TPM_HANDLE handle)
{
	return HANDLE_TYPE(handle) == TPM_HT_NV_INDEX &&
	       nv_type(&nv_find(t, handle)->nv.publicArea) == TPM_NT_PIN_PASS;
}

/* 23.4: somebody knows the authValue of an entity, as the command's first session showed. */
COMMAND_BODY(PolicySecret)
{
	struct tpm_session *s = session_get(t, in->policySession);
	bool trial = s->bits & SESSION_TRIAL, bound = in->nonceTPM.size != 0;
	uint64_t timeout = 0;
	TPM2B_NAME name;

	if (!trial) {
		timeout = policy_timeout(s, in->expiration, bound);
		TRY(policy_check_parameters(t, s, &in->nonceTPM, &in->cpHashA, timeout, 4));
	}
	entity_name(t, in->authHandle, &name);
	TRY(policy_update(t, s, TPM_CC_PolicySecret, &name, &in->policyRef, &in->cpHashA, timeout));
	no_ticket(TPM_ST_AUTH_SECRET, &out->policyTicket);
	if (trial || !expiration_is_negative(in->expiration) || is_pin_pass(t, in->authHandle))
		return TPM_RC_SUCCESS;
	return make_ticket(t, TPM_ST_AUTH_SECRET, in->authHandle, timeout, !bound, &in->cpHashA,
			   &in->policyRef, &name, &out->timeout, &out->policyTicket);
}

/* 23.5: an authorisation that one of the two above gave a ticket for. */
COMMAND_BODY(PolicyTicket)
{
	struct tpm_session *s = session_get(t, in->policySession);
	struct reader r = {in->timeout.buffer, in->timeout.size};
	uint32_t high, low;
	uint64_t timeout;
	TPMT_TK_AUTH ticket;

	if (s->bits & SESSION_TRIAL) /* there is no ticket that a trial could have checked */
		return RC_H(1, TPM_RC_ATTRIBUTES);
	if (in->timeout.size != sizeof timeout)
		return RC_P(1, TPM_RC_SIZE);
	TRY(read_u32(&r, &high));
	TRY(read_u32(&r, &low));
	timeout = (uint64_t)high << 32 | low;
	TRY(policy_check_parameters(t, s, NULL, &in->cpHashA, timeout & ~TIMEOUT_ON_RESET, 1));
	TRY(ticket_auth(t, in->ticket.tag, in->ticket.hierarchy, timeout & ~TIMEOUT_ON_RESET,
			timeout & TIMEOUT_ON_RESET, &in->cpHashA, &in->policyRef, &in->authName,
			&ticket));
	if (!EQUAL_2B(ticket.digest, in->ticket.digest))
		return RC_P(5, TPM_RC_TICKET);
	return policy_update(
		t, s,
		in->ticket.tag == TPM_ST_AUTH_SECRET ? TPM_CC_PolicySecret : TPM_CC_PolicySigned,
		&in->authName, &in->policyRef, &in->cpHashA, timeout & ~TIMEOUT_ON_RESET);
}

/* 23.6: one of several policies holds. */
COMMAND_BODY(PolicyOR)
{
	struct tpm_session *s = session_get(t, in->policySession);
	struct cvtpm_octets parts[POLICY_PARTS_MAX];
	bool found = s->bits & SESSION_TRIAL;

	for (uint32_t i = 0; i < in->pHashList.count; i++) {
		parts[i] = OCTETS(in->pHashList.digests[i]);
		found |= EQUAL_2B(in->pHashList.digests[i], s->policyDigest);
	}
	if (!found)
		return RC_P(1, TPM_RC_VALUE);
	policy_zero(t, s);
	return policy_extend(t, s, TPM_CC_PolicyOR, parts, in->pHashList.count);
}

/* Has a key of that name signed H(approvedPolicy || policyRef)? */
static tpm_rc check_approved(struct tpm *t, TPM_ALG_ID alg, const struct PolicyAuthorize_in *in)
{
	const struct cvtpm_octets parts[] = {OCTETS(in->approvedPolicy), OCTETS(in->policyRef)};
	TPM2B_DIGEST digest;
	TPMT_TK_VERIFIED ticket;

	TRY(tpm_hash(t, alg, parts, 2, &digest));
	TRY(ticket_verified(t, in->checkTicket.hierarchy, &digest, &in->keySign, &ticket));
	return EQUAL_2B(ticket.digest, in->checkTicket.digest) ? TPM_RC_SUCCESS
							       : RC_P(4, TPM_RC_VALUE);
}

/* 23.16: the policy so far has been approved of; the approver takes its place. */
COMMAND_BODY(PolicyAuthorize)
{
	struct tpm_session *s = session_get(t, in->policySession);
	struct reader name = {in->keySign.buffer, in->keySign.size};
	TPM_ALG_ID alg;

	if (type_read(&type_TPMI_ALG_HASH, &alg, &name, false))
		return RC_P(3, TPM_RC_HASH);
	if (name.left != hash_size(alg))
		return RC_P(3, TPM_RC_SIZE);
	if (!(s->bits & SESSION_TRIAL)) {
		if (!EQUAL_2B(s->policyDigest, in->approvedPolicy))
			return RC_P(1, TPM_RC_VALUE);
		TRY(check_approved(t, alg, in));
	}
	policy_zero(t, s);
	return policy_update(t, s, TPM_CC_PolicyAuthorize, &in->keySign, &in->policyRef, NULL, 0);
}

/* Does the index hold, as a TPMT_HA, the policy so far? */
static tpm_rc check_index_policy(struct tpm *t, struct nv_entry *index, const struct tpm_session *s)
{
	size_t size = index->nv.publicArea.dataSize;
	uint8_t data[sizeof(TPMT_HA)];
	struct reader r = {data, size < sizeof data ? size : sizeof data};
	TPMT_HA approved;

	TRY(nv_read(t, index, 0, r.left, data));
	TRY(type_read(&type_TPMT_HA, &approved, &r, false));
	if (approved.hashAlg != s->authHash)
		return TPM_RC_HASH;
	return cvtpm_equal(&approved.digest, s->policyDigest.buffer, s->policyDigest.size)
		       ? TPM_RC_SUCCESS
		       : TPM_RC_VALUE;
}

/* 23.22: the same, approved of by what lies in an index. */
COMMAND_BODY(PolicyAuthorizeNV)
{
	struct tpm_session *s = session_get(t, in->policySession);
	struct nv_entry *index = nv_find(t, in->nvIndex);
	struct cvtpm_octets part;
	TPM2B_NAME name;

	if (!(s->bits & SESSION_TRIAL)) {
		TRY(nv_check_read(t, in->authHandle, index));
		TRY(check_index_policy(t, index, s));
	}
	nv_name(t, index, &name);
	part = OCTETS(name);
	policy_zero(t, s);
	return policy_extend(t, s, TPM_CC_PolicyAuthorizeNV, &part, 1);
}

/* 23.19: what the session has come to. */
COMMAND_BODY(PolicyGetDigest)
{
	out->policyDigest = session_get(t, in->policySession)->policyDigest;
	return TPM_RC_SUCCESS;
}
