/*
 * Policy sessions: how the commands of Part 3, 23 collect assertions in one, and how
 * the deferred ones are judged when the session authorises a command.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

/* ---- collecting (Part 3, 23.2) ---- */

tpm_rc policy_extend(struct tpm *t, struct tpm_session *s, TPM_CC code,
		     const struct cvtpm_octets *parts, size_t count)
{
	uint8_t code_bytes[4];
	struct writer w = {code_bytes, sizeof code_bytes, false};
	struct cvtpm_octets all[2 + POLICY_PARTS_MAX];

	if (count > POLICY_PARTS_MAX)
		return tpm_fail(t, "a policy assertion of too many parts");
	write_u32(&w, code);
	CHANGE(t, s->policyDigest);
	all[0] = OCTETS(s->policyDigest);
	all[1] = (struct cvtpm_octets){code_bytes, sizeof code_bytes};
	for (size_t i = 0; i < count; i++)
		all[2 + i] = parts[i];
	return tpm_hash(t, s->authHash, all, 2 + count, &s->policyDigest);
}

void policy_zero(struct tpm *t, struct tpm_session *s)
{
	CHANGE(t, s->policyDigest);
	memset(s->policyDigest.buffer, 0, sizeof s->policyDigest.buffer);
}

tpm_rc policy_update(struct tpm *t, struct tpm_session *s, TPM_CC code, const TPM2B_NAME *name,
		     const TPM2B_NONCE *policy_ref, const TPM2B_DIGEST *cp_hash, uint64_t timeout)
{
	struct cvtpm_octets part = OCTETS(*name), second[2];

	TRY(policy_extend(t, s, code, &part, 1));
	second[0] = OCTETS(s->policyDigest);
	second[1] = OCTETS(*policy_ref);
	TRY(tpm_hash(t, s->authHash, second, 2, &s->policyDigest));
	if (cp_hash && cp_hash->size)
		policy_set_digest(t, s, DIGEST_CPHASH, cp_hash);
	if (timeout && (!(s->bits & SESSION_TIMEOUT) || timeout < s->timeout)) {
		SET(t, s->timeout, timeout);
		SET(t, s->bits, s->bits | SESSION_TIMEOUT);
	}
	return TPM_RC_SUCCESS;
}

void policy_set_digest(struct tpm *t, struct tpm_session *s, uint8_t kind,
		       const TPM2B_DIGEST *digest)
{
	SET(t, s->digestKind, kind);
	SET(t, s->digest, *digest);
}

uint64_t policy_timeout(const struct tpm_session *s, uint32_t expiration, bool from_start)
{
	uint32_t seconds = expiration >> 31 ? 0u - expiration : expiration;

	if (expiration == 0)
		return 0;
	return (from_start ? s->startTime : 0) + 1000 * (uint64_t)seconds;
}

/* Is it past a time that was reckoned in this session? */
static bool policy_expired(struct tpm *t, const struct tpm_session *s, uint64_t timeout)
{
	return timeout < clock_time(t) || s->epoch != t->epoch;
}

tpm_rc policy_check_parameters(struct tpm *t, const struct tpm_session *s, const TPM2B_NONCE *nonce,
			       const TPM2B_DIGEST *cp_hash, uint64_t timeout, unsigned timeout_n)
{
	if (nonce && nonce->size && !EQUAL_2B(*nonce, s->nonceTPM))
		return RC_P(1, TPM_RC_NONCE);
	if (timeout && policy_expired(t, s, timeout))
		return RC_P(timeout_n, TPM_RC_EXPIRED);
	if (cp_hash->size == 0)
		return TPM_RC_SUCCESS;
	if (cp_hash->size != s->policyDigest.size)
		return RC_P(2, TPM_RC_SIZE);
	if (s->digestKind != DIGEST_NONE &&
	    (s->digestKind != DIGEST_CPHASH || !EQUAL_2B(*cp_hash, s->digest)))
		return TPM_RC_CPHASH;
	return TPM_RC_SUCCESS;
}

/* ---- comparisons (PolicyNV, PolicyCounterTimer) ---- */

/* < 0, 0, > 0, as numbers with the most significant byte first. */
static int compare_unsigned(const uint8_t *a, const uint8_t *b, size_t size)
{
	return memcmp(a, b, size);
}

/* The same in two's complement. */
static int compare_signed(const uint8_t *a, const uint8_t *b, size_t size)
{
	int sign_a = size && a[0] >> 7, sign_b = size && b[0] >> 7;

	return sign_a != sign_b ? sign_b - sign_a : compare_unsigned(a, b, size);
}

/* Is every bit of `b` SET in `a`, or with `set` false CLEAR? */
static bool compare_bits(const uint8_t *a, const uint8_t *b, size_t size, bool set)
{
	for (size_t i = 0; i < size; i++)
		if ((a[i] & b[i]) != (set ? b[i] : 0))
			return false;
	return true;
}

bool policy_compare(TPM_EO operation, const uint8_t *a, const uint8_t *b, size_t size)
{
	switch (operation) {
	case TPM_EO_EQ:
		return compare_unsigned(a, b, size) == 0;
	case TPM_EO_NEQ:
		return compare_unsigned(a, b, size) != 0;
	case TPM_EO_SIGNED_GT:
		return compare_signed(a, b, size) > 0;
	case TPM_EO_UNSIGNED_GT:
		return compare_unsigned(a, b, size) > 0;
	case TPM_EO_SIGNED_LT:
		return compare_signed(a, b, size) < 0;
	case TPM_EO_UNSIGNED_LT:
		return compare_unsigned(a, b, size) < 0;
	case TPM_EO_SIGNED_GE:
		return compare_signed(a, b, size) >= 0;
	case TPM_EO_UNSIGNED_GE:
		return compare_unsigned(a, b, size) >= 0;
	case TPM_EO_SIGNED_LE:
		return compare_signed(a, b, size) <= 0;
	case TPM_EO_UNSIGNED_LE:
		return compare_unsigned(a, b, size) <= 0;
	case TPM_EO_BITSET:
		return compare_bits(a, b, size, true);
	default: /* TPM_EO_BITCLEAR */
		return compare_bits(a, b, size, false);
	}
}

/* ---- judging (Part 3, 5.6; Part 1, 19.7) ---- */

static tpm_rc name_hash(struct tpm *t, TPM_ALG_ID alg, TPM2B_DIGEST *digest)
{
	struct cvtpm_octets parts[MAX_HANDLE_NUM];
	unsigned n = auth_names(t, parts);

	return tpm_hash(t, alg, parts, n, digest);
}

/* Of the commands that create objects the second parameter, without its size. It follows
 * a sized one, so that it can be found although that may be encrypted. */
static tpm_rc template_hash(struct tpm *t, TPM_ALG_ID alg, TPM2B_DIGEST *digest)
{
	const struct frame *f = &t->frame;
	struct reader r = {f->received.at, f->received.len};
	struct cvtpm_octets part;
	uint16_t size;

	switch (f->command->code) {
	case TPM_CC_Create:
	case TPM_CC_CreatePrimary:
	case TPM_CC_CreateLoaded:
		break;
	default:
		return TPM_RC_POLICY_FAIL;
	}
	if (read_u16(&r, &size) || size > r.left)
		return TPM_RC_POLICY_FAIL;
	r.at += size;
	r.left -= size;
	if (read_u16(&r, &size) || size > r.left)
		return TPM_RC_POLICY_FAIL;
	part = (struct cvtpm_octets){r.at, size};
	return tpm_hash(t, alg, &part, 1, digest);
}

/* The digest that the session is bound to, of the running command. */
static tpm_rc check_digest(struct tpm *t, const struct tpm_session *s)
{
	TPM2B_DIGEST digest;

	switch (s->digestKind) {
	case DIGEST_NONE:
		return TPM_RC_SUCCESS;
	case DIGEST_CPHASH:
		TRY(auth_cp_hash(t, s->authHash, &digest));
		break;
	case DIGEST_NAMEHASH:
		TRY(name_hash(t, s->authHash, &digest));
		break;
	case DIGEST_TEMPLATE:
		TRY(template_hash(t, s->authHash, &digest));
		break;
	default:
		return TPM_RC_POLICY_FAIL;
	}
	return EQUAL_2B(digest, s->digest) ? TPM_RC_SUCCESS : TPM_RC_POLICY_FAIL;
}

/* Part 3, 23.11: a policy for the roles ADMIN and DUP says for which command it is. */
static tpm_rc check_command(const struct tpm *t, const struct tpm_session *s, enum role role)
{
	if (s->commandCode == 0)
		return role == ADMIN || role == DUP ? TPM_RC_POLICY_FAIL : TPM_RC_SUCCESS;
	return s->commandCode == t->frame.command->code ? TPM_RC_SUCCESS : TPM_RC_POLICY_CC;
}

static tpm_rc check_locality(const struct tpm *t, const struct tpm_session *s)
{
	uint8_t locality = t->frame.locality;
	bool allowed;

	if (!(s->bits & SESSION_LOCALITY))
		return TPM_RC_SUCCESS;
	if (s->commandLocality & TPMA_LOCALITY_EXTENDED)
		allowed = s->commandLocality == locality;
	else
		allowed = locality < 5 && s->commandLocality >> locality & 1;
	return allowed ? TPM_RC_SUCCESS : TPM_RC_LOCALITY;
}

/* Part 3, 23.20: only an index can have been written. */
static tpm_rc check_written(struct tpm *t, const struct tpm_session *s, TPM_HANDLE entity)
{
	bool written;

	if (!(s->bits & SESSION_NV_WRITTEN))
		return TPM_RC_SUCCESS;
	if (HANDLE_TYPE(entity) != TPM_HT_NV_INDEX)
		return TPM_RC_POLICY_FAIL;
	written = nv_find(t, entity)->nv.publicArea.attributes & TPMA_NV_WRITTEN;
	return written == !!(s->bits & SESSION_NV_WRITTEN_STATE) ? TPM_RC_SUCCESS
								 : TPM_RC_POLICY_FAIL;
}

tpm_rc policy_check(struct tpm *t, const struct frame_session *fs, enum role role)
{
	const struct tpm_session *s = fs->session;
	const TPM2B_DIGEST *policy;
	TPM_ALG_ID alg = entity_policy(t, fs->entity, &policy);

	/* 23.4: PolicySecret is about the authValue, so that it has to be asked for. */
	if (t->frame.command->code == TPM_CC_PolicySecret &&
	    !(s->bits & (SESSION_AUTHVALUE | SESSION_PASSWORD)))
		return TPM_RC_MODE;
	if (s->bits & SESSION_PCR && s->pcrCounter != t->pcrs.updateCounter)
		return TPM_RC_PCR_CHANGED;
	if (policy->size == 0 || alg != s->authHash || !EQUAL_2B(*policy, s->policyDigest))
		return TPM_RC_POLICY_FAIL;
	if (s->bits & SESSION_TIMEOUT && policy_expired(t, s, s->timeout))
		return TPM_RC_EXPIRED;
	TRY(check_command(t, s, role));
	TRY(check_locality(t, s));
	if (s->bits & SESSION_PRESENCE && !presence_asserted(t))
		return TPM_RC_PP;
	TRY(check_digest(t, s));
	return check_written(t, s, fs->entity);
}
