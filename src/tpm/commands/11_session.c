/* Part 3, 11: sessions. */
#include "tpm/tpm.h"

#include "crypto/mem.h"

/* The secret that the caller has encrypted to tpmKey, if any. Whatever is wrong with it is
 * TPM_RC_VALUE (11.1). */
static tpm_rc recover_salt(struct tpm *t, const struct StartAuthSession_in *in, TPM2B_DIGEST *salt)
{
	const struct tpm_object *key;
	tpm_rc rc;

	salt->size = 0;
	if (in->tpmKey == TPM_RH_NULL)
		return in->encryptedSalt.size ? RC_P(2, TPM_RC_VALUE) : TPM_RC_SUCCESS;
	key = object_get(t, in->tpmKey);
	if (!key || (key->publicArea.type != TPM_ALG_RSA && key->publicArea.type != TPM_ALG_ECC))
		return RC_H(1, TPM_RC_KEY);
	if (key->sensitive.size == 0)
		return RC_H(1, TPM_RC_HANDLE);
	if (!(key->publicArea.objectAttributes & TPMA_OBJECT_DECRYPT))
		return RC_H(1, TPM_RC_ATTRIBUTES);
	rc = secret_recover(t, key, "SECRET", &in->encryptedSalt, salt);
	return rc & RC_FMT1 ? RC_P(2, TPM_RC_VALUE) : rc;
}

/* Part 3, 11.1: an entity whose authValue is here, and whose uses are counted. */
static bool can_bind(struct tpm *t, TPM_HANDLE entity)
{
	/* each use of a PIN would be a guess that nobody counts */
	if (HANDLE_TYPE(entity) == TPM_HT_NV_INDEX)
		return !nv_is_pin(nv_find(t, entity));
	return entity_is_whole(t, entity);
}

/* Part 1, 19.6.10: the entity as it is now. A policy session is not bound, but its key is
 * made of the entity's authValue all the same: each use of it can be a guess. */
static void bind_session(struct tpm *t, struct tpm_session *s, TPM_HANDLE entity)
{
	if (s->type == TPM_SE_HMAC) {
		s->bits |= SESSION_BOUND;
		entity_name(t, entity, &s->boundName);
		s->boundAuth = *entity_auth(t, entity);
	}
	if (!entity_da_exempt(t, entity))
		s->bits |= SESSION_DA_BOUND;
	if (entity == TPM_RH_LOCKOUT)
		s->bits |= SESSION_LOCKOUT_BOUND;
}

/* sessionKey := KDFa(authHash, authValue of bind || salt, "ATH", nonceTPM, nonceCaller) */
static tpm_rc session_key(struct tpm *t, struct tpm_session *s, TPM_HANDLE bind,
			  const TPM2B_NONCE *nonce_caller, const TPM2B_DIGEST *salt)
{
	uint8_t secret[2 * MAX_DIGEST_SIZE];
	struct cvtpm_octets key = {secret, 0};
	const TPM2B_AUTH *auth;
	int err;

	if (bind == TPM_RH_NULL && salt->size == 0)
		return TPM_RC_SUCCESS;
	TRY(selftest_need(t, s->authHash));
	TRY(selftest_need(t, TPM_ALG_KDF1_SP800_108));
	if (bind != TPM_RH_NULL) {
		auth = entity_auth(t, bind);
		memcpy(secret, auth->buffer, auth->size);
		key.len = auth->size;
	}
	memcpy(secret + key.len, salt->buffer, salt->size);
	key.len += salt->size;
	s->sessionKey.size = hash_size(s->authHash);
	err = cvtpm_kdfa((enum cvtpm_hash_alg)s->authHash, key, CVTPM_TEXT("ATH"),
			 OCTETS(s->nonceTPM), OCTETS(*nonce_caller), 8u * s->sessionKey.size,
			 s->sessionKey.buffer);
	cvtpm_wipe(secret, sizeof secret);
	return err ? tpm_fail(t, "a session key could not be derived") : TPM_RC_SUCCESS;
}

/* 11.1: starts an HMAC, policy or trial session; salted, bound, both or neither. */
COMMAND_BODY(StartAuthSession)
{
	struct tpm_session *s;

	if (in->nonceCaller.size < 16 || in->nonceCaller.size > hash_size(in->authHash))
		return RC_P(1, TPM_RC_SIZE);
	if (in->symmetric.algorithm == TPM_ALG_AES && in->symmetric.mode.aes != TPM_ALG_CFB)
		return RC_P(4, TPM_RC_MODE);
	if (!can_bind(t, in->bind))
		return RC_H(2, TPM_RC_HANDLE);
	TRY(recover_salt(t, in, &t->frame.scratch));
	TRY(session_create(t, in->sessionType, &s));
	s->authHash = in->authHash;
	s->symmetric = in->symmetric;
	s->startTime = clock_time(t);
	s->epoch = t->epoch;
	if (in->sessionType == TPM_SE_TRIAL)
		s->bits |= SESSION_TRIAL;
	session_reset_policy(t, s);
	s->nonceTPM.size = in->nonceCaller.size;
	TRY(tpm_random(t, s->nonceTPM.buffer, s->nonceTPM.size));
	if (in->bind != TPM_RH_NULL)
		bind_session(t, s, in->bind);
	TRY(session_key(t, s, in->bind, &in->nonceCaller, &t->frame.scratch));
	out->handle = s->handle;
	out->nonceTPM = s->nonceTPM;
	return TPM_RC_SUCCESS;
}

/* 11.2: a policy session begins anew. */
COMMAND_BODY(PolicyRestart)
{
	session_reset_policy(t, session_get(t, in->sessionHandle));
	return TPM_RC_SUCCESS;
}
