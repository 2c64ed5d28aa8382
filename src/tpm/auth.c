/*
 * Authorisation: the sessions of a command and of its response.
 *
 * Part 1, 19 (authorisations and acknowledgments) and 21 (session-based encryption);
 * Part 3, 5.5 and 5.6. A command comes with up to three sessions. The first ones
 * authorise the handles that need it, in order; every session may also audit, or
 * decrypt the first parameter, or encrypt the first of the response.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

/* ---- the session area as it comes (Part 3, 5.5) ---- */

static tpm_rc read_session(struct reader *r, struct frame_session *fs)
{
	TRY(type_read(&type_TPMI_SH_AUTH_SESSION, &fs->handle, r, true));
	TRY(type_read(&type_TPM2B_NONCE, &fs->nonceCaller, r, false));
	TRY(type_read(&type_TPMA_SESSION, &fs->attributes, r, false));
	return type_read(&type_TPM2B_AUTH, &fs->hmac, r, false);
}

/* At most one session of a command may do each of these; notes which. */
static tpm_rc claim(int *which, unsigned n, const struct field *first, bool has_algorithm)
{
	if (!first->type || !type_is_sized(first->type) || *which >= 0)
		return TPM_RC_ATTRIBUTES;
	if (!has_algorithm)
		return TPM_RC_SYMMETRIC;
	*which = (int)n;
	return TPM_RC_SUCCESS;
}

static tpm_rc claim_audit(struct tpm *t, unsigned n, const struct frame_session *fs)
{
	if (t->frame.audit >= 0 || fs->session->type != TPM_SE_HMAC)
		return TPM_RC_ATTRIBUTES;
	if (fs->attributes & TPMA_SESSION_AUDITEXCLUSIVE &&
	    !(fs->attributes & TPMA_SESSION_AUDITRESET) && fs->session->bits & SESSION_AUDIT &&
	    t->exclusive != fs->handle)
		return TPM_RC_EXCLUSIVE;
	t->frame.audit = (int)n;
	return TPM_RC_SUCCESS;
}

static tpm_rc check_session(struct tpm *t, unsigned n)
{
	struct frame *f = &t->frame;
	struct frame_session *fs = &f->sessions[n];
	bool has_algorithm;

	fs->entity = TPM_RH_UNASSIGNED;
	if (fs->handle == TPM_RS_PW) {
		if (fs->attributes & ~TPMA_SESSION_CONTINUESESSION)
			return TPM_RC_ATTRIBUTES;
		return fs->nonceCaller.size ? TPM_RC_NONCE : TPM_RC_SUCCESS;
	}
	fs->session = session_get(t, fs->handle);
	if (!fs->session)
		return TPM_RC_REFERENCE_S0 + n;
	for (unsigned i = 0; i < n; i++)
		if (f->sessions[i].handle == fs->handle)
			return TPM_RC_HANDLE;
	has_algorithm = fs->session->symmetric.algorithm != TPM_ALG_NULL;
	if (fs->attributes & TPMA_SESSION_DECRYPT)
		TRY(claim(&f->decrypt, n, f->command->in, has_algorithm));
	if (fs->attributes & TPMA_SESSION_ENCRYPT)
		TRY(claim(&f->encrypt, n, f->command->out, has_algorithm));
	if (fs->attributes & TPMA_SESSION_AUDIT)
		return claim_audit(t, n, fs);
	if (fs->attributes & (TPMA_SESSION_AUDITEXCLUSIVE | TPMA_SESSION_AUDITRESET))
		return TPM_RC_ATTRIBUTES;
	return TPM_RC_SUCCESS;
}

tpm_rc auth_read_sessions(struct tpm *t, struct reader *r)
{
	struct frame *f = &t->frame;
	struct reader area;
	uint32_t size;

	if (f->command->flags & CC_NO_SESSIONS)
		return TPM_RC_AUTH_CONTEXT;
	TRY(read_u32(r, &size));
	if (size < 9 || size > r->left) /* handle, two empty sizes, attributes */
		return TPM_RC_AUTHSIZE;
	area = (struct reader){r->at, size};
	r->at += size;
	r->left -= size;
	while (area.left) {
		unsigned n = f->session_count;

		if (n == MAX_SESSION_NUM)
			return TPM_RC_AUTHSIZE;
		f->session_count++;
		TRY(rc_s(n + 1, read_session(&area, &f->sessions[n])));
		TRY(rc_s(n + 1, check_session(t, n)));
	}
	return TPM_RC_SUCCESS;
}

/* ---- HMACs (Part 1, 19.6) ---- */

unsigned auth_names(struct tpm *t, struct cvtpm_octets *parts)
{
	struct frame *f = &t->frame;
	unsigned n = command_handles(f->command);

	for (unsigned i = 0; i < n; i++) {
		if (!f->named)
			entity_name(t, f->handles[i], &f->names[i]);
		parts[i] = OCTETS(f->names[i]);
	}
	f->named = true;
	return n;
}

/* cpHash := H(command code || names of the handles || parameters as they came) */
tpm_rc auth_cp_hash(struct tpm *t, TPM_ALG_ID alg, TPM2B_DIGEST *digest)
{
	struct frame *f = &t->frame;
	unsigned n = command_handles(f->command);
	struct cvtpm_octets parts[2 + MAX_HANDLE_NUM];
	uint8_t code[4];
	struct writer w = {code, sizeof code, false};

	if (f->cp_hash_alg != alg) {
		write_u32(&w, f->command->code);
		parts[0] = (struct cvtpm_octets){code, sizeof code};
		auth_names(t, parts + 1);
		parts[1 + n] = f->received;
		TRY(tpm_hash(t, alg, parts, 2 + n, &f->cp_hash));
		f->cp_hash_alg = alg;
	}
	*digest = f->cp_hash;
	return TPM_RC_SUCCESS;
}

/* sessionKey || authValue; `auth` may be NULL. Returns the length. */
static size_t session_secret(const struct tpm_session *s, const TPM2B_AUTH *auth,
			     uint8_t secret[2 * MAX_DIGEST_SIZE])
{
	size_t len = s->sessionKey.size;

	memcpy(secret, s->sessionKey.buffer, len);
	if (auth) {
		memcpy(secret + len, auth->buffer, auth->size);
		len += auth->size;
	}
	return len;
}

/* nonceTPM of the session that decrypts or encrypts, where another one, the first of a
 * command that needs authorisation, has to vouch for it. */
static struct cvtpm_octets other_nonce(const struct frame *f, unsigned n, int other)
{
	if (n != 0 || f->sessions[0].entity == TPM_RH_UNASSIGNED || other <= 0)
		return (struct cvtpm_octets){NULL, 0};
	return OCTETS(f->sessions[other].session->nonceTPM);
}

/* The HMAC that a session should have, or nothing where nobody knows a secret. */
static tpm_rc session_hmac(struct tpm *t, unsigned n, const TPM2B_AUTH *auth,
			   const struct cvtpm_octets *parts, size_t count, TPM2B_DIGEST *mac)
{
	const struct frame_session *fs = &t->frame.sessions[n];
	uint8_t secret[2 * MAX_DIGEST_SIZE];
	size_t len = session_secret(fs->session, auth, secret);
	tpm_rc rc = TPM_RC_SUCCESS;

	mac->size = 0;
	if (len || fs->hmac.size)
		rc = tpm_hmac(t, fs->session->authHash, (struct cvtpm_octets){secret, len}, parts,
			      count, mac);
	cvtpm_wipe(secret, sizeof secret);
	return rc;
}

/* What an authorisation failed for: counts it where dictionary attack protects it. */
static tpm_rc auth_failed(struct tpm *t, const struct frame_session *fs)
{
	bool lockout = fs->entity == TPM_RH_LOCKOUT, counts;

	if (!fs->session) {
		counts = !entity_da_exempt(t, fs->entity);
	} else {
		lockout = lockout || fs->session->bits & SESSION_LOCKOUT_BOUND;
		counts = fs->session->bits & SESSION_DA_BOUND ||
			 (fs->with_auth && fs->entity != TPM_RH_UNASSIGNED &&
			  !entity_da_exempt(t, fs->entity));
	}
	if (!counts)
		return TPM_RC_BAD_AUTH;
	lockout_failed(t, lockout);
	return TPM_RC_AUTH_FAIL;
}

static tpm_rc check_password(struct tpm *t, const struct frame_session *fs)
{
	TPM2B_AUTH given = fs->hmac;
	bool good;

	auth_trim(&given);
	good = EQUAL_2B(given, *entity_auth(t, fs->entity));
	cvtpm_wipe(&given, sizeof given);
	return good ? TPM_RC_SUCCESS : auth_failed(t, fs);
}

static tpm_rc check_hmac(struct tpm *t, unsigned n)
{
	struct frame *f = &t->frame;
	struct frame_session *fs = &f->sessions[n];
	TPM2B_DIGEST cp_hash, mac;

	TRY(auth_cp_hash(t, fs->session->authHash, &cp_hash));
	{
		const struct cvtpm_octets parts[] = {
			OCTETS(cp_hash),
			OCTETS(fs->nonceCaller),
			OCTETS(fs->session->nonceTPM),
			other_nonce(f, n, f->decrypt),
			other_nonce(f, n, f->encrypt == f->decrypt ? -1 : f->encrypt),
			{&fs->attributes, 1},
		};
		TRY(session_hmac(t, n, fs->with_auth ? entity_auth(t, fs->entity) : NULL, parts,
				 sizeof parts / sizeof *parts, &mac));
	}
	return EQUAL_2B(mac, fs->hmac) ? TPM_RC_SUCCESS : auth_failed(t, fs);
}

/* ---- is the command authorised? (Part 3, 5.6) ---- */

/* Part 1, 19.6.12: bound to this entity, with this name and authValue. */
static bool session_is_bound_to(struct tpm *t, const struct tpm_session *s, TPM_HANDLE entity)
{
	TPM2B_NAME name;

	if (!(s->bits & SESSION_BOUND))
		return false;
	entity_name(t, entity, &name);
	return EQUAL_2B(name, s->boundName) && EQUAL_2B(*entity_auth(t, entity), s->boundAuth);
}

/* The PIN index whose authValue the session shows, or NULL. */
static struct nv_entry *pin_of(struct tpm *t, const struct frame_session *fs)
{
	struct nv_entry *entry = NULL;

	if (HANDLE_TYPE(fs->entity) == TPM_HT_NV_INDEX &&
	    (fs->with_auth || fs->session->type == TPM_SE_HMAC))
		entry = nv_find(t, fs->entity);
	return entry && nv_is_pin(entry) ? entry : NULL;
}

/* Does the session stand or fall with lockoutAuth? */
static bool shows_lockout_auth(const struct frame_session *fs)
{
	return (fs->entity == TPM_RH_LOCKOUT && fs->with_auth) ||
	       (fs->session && fs->session->bits & SESSION_LOCKOUT_BOUND);
}

/* The comparison itself. Of what has few tries, one is taken in the store before it, and
 * given back after it. */
static tpm_rc compare(struct tpm *t, unsigned n)
{
	struct frame_session *fs = &t->frame.sessions[n];
	struct tpm_session *s = fs->session;
	struct nv_entry *pin = pin_of(t, fs);
	bool lockout = shows_lockout_auth(fs);

	if (lockout)
		TRY(lockout_try(t));
	if (pin)
		TRY(nv_pin_before(t, pin));
	TRY(!s || s->bits & SESSION_PASSWORD ? check_password(t, fs) : check_hmac(t, n));
	if (lockout)
		lockout_right(t);
	if (pin)
		nv_pin_right(t, pin);
	return TPM_RC_SUCCESS;
}

/* Part 3, 31.1: what was never written cannot be read. That is told before the authValue is
 * compared, so that no such try counts. A trial of a policy reads nothing, and the commands
 * themselves tell of a lock and of an index that is not the authority's own. */
static tpm_rc check_readable(struct tpm *t, TPM_HANDLE entity)
{
	const struct nv_entry *index =
		HANDLE_TYPE(entity) == TPM_HT_NV_INDEX ? nv_find(t, entity) : NULL;
	TPM_HANDLE read;

	if (!index || index->nv.publicArea.attributes & (TPMA_NV_WRITTEN | TPMA_NV_READLOCKED))
		return TPM_RC_SUCCESS;
	switch (t->frame.command->code) {
	case TPM_CC_PolicyNV:
	case TPM_CC_PolicyAuthorizeNV:
		if (session_get(t, t->frame.handles[2])->bits & SESSION_TRIAL)
			return TPM_RC_SUCCESS;
		/* fallthrough */
	case TPM_CC_NV_Read:
		read = t->frame.handles[1];
		break;
	case TPM_CC_NV_Certify:
		read = t->frame.handles[2];
		break;
	default:
		return TPM_RC_SUCCESS;
	}
	return read == entity ? TPM_RC_NV_UNINITIALIZED : TPM_RC_SUCCESS;
}

/* An authorisation of fs->entity in role `role`, in the order of Part 3, 5.6. */
static tpm_rc check_authorisation(struct tpm *t, unsigned n, enum role role)
{
	struct frame_session *fs = &t->frame.sessions[n];
	struct tpm_session *s = fs->session;
	bool policy = s && s->type != TPM_SE_HMAC;

	if (!entity_is_whole(t, fs->entity))
		return TPM_RC_AUTH_UNAVAILABLE;
	if (fs->entity == TPM_RH_PLATFORM && presence_required(t, t->frame.command) &&
	    !presence_asserted(t))
		return TPM_RC_PP;
	if (!s)
		fs->with_auth = true;
	else if (policy)
		fs->with_auth = s->bits & (SESSION_AUTHVALUE | SESSION_PASSWORD);
	else
		fs->with_auth = !session_is_bound_to(t, s, fs->entity);

	if (fs->with_auth && !entity_da_exempt(t, fs->entity))
		TRY(lockout_before(t, fs->entity == TPM_RH_LOCKOUT));
	if (policy) {
		if (!entity_policy_available(t, fs->entity, role))
			return TPM_RC_AUTH_UNAVAILABLE;
		TRY(policy_check(t, fs, role));
	} else {
		if (entity_policy_required(t, fs->entity, role))
			return TPM_RC_AUTH_TYPE;
		if (!entity_auth_available(t, fs->entity, role))
			return TPM_RC_AUTH_UNAVAILABLE;
	}
	TRY(check_readable(t, fs->entity));
	return compare(t, n);
}

static tpm_rc check_one(struct tpm *t, unsigned n)
{
	struct frame *f = &t->frame;
	struct frame_session *fs = &f->sessions[n];

	if (!fs->session) {
		if (fs->entity == TPM_RH_UNASSIGNED)
			return TPM_RC_HANDLE;
	} else {
		if (fs->session->bits & SESSION_TRIAL)
			return TPM_RC_ATTRIBUTES;
		if (fs->session->bits & SESSION_DA_BOUND)
			TRY(lockout_before(t, fs->session->bits & SESSION_LOCKOUT_BOUND));
	}
	if (fs->entity != TPM_RH_UNASSIGNED)
		return check_authorisation(t, n, f->command->handles[n].role);
	if (!(fs->attributes & (TPMA_SESSION_AUDIT | TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT)))
		return TPM_RC_ATTRIBUTES;
	return compare(t, n);
}

tpm_rc auth_check(struct tpm *t)
{
	struct frame *f = &t->frame;
	unsigned auths = command_auths(f->command);

	if (f->session_count < auths)
		return TPM_RC_AUTH_MISSING;
	for (unsigned n = 0; n < auths; n++)
		f->sessions[n].entity = f->handles[n];
	for (unsigned n = 0; n < f->session_count; n++)
		TRY(rc_s(n + 1, check_one(t, n)));
	if (f->audit >= 0) /* while the names are still those that the command found */
		TRY(auth_cp_hash(t, f->sessions[f->audit].session->authHash, &f->audit_cp_hash));
	return audit_command_begin(t);
}

/* ---- parameter encryption (Part 1, 21) ---- */

static const TPM2B_AUTH *auth_after(struct tpm *t, const struct frame_session *fs)
{
	static const TPM2B_AUTH gone;
	const struct nv_entry *entry;

	if (fs->entity == TPM_RH_UNASSIGNED)
		return &gone;
	if (HANDLE_TYPE(fs->entity) == TPM_HT_NV_INDEX) {
		entry = nv_find(t, fs->entity);
		if (!entry || entry->removing) /* 31.5: as of an index with no authValue */
			return &gone;
	}
	return entity_auth(t, fs->entity);
}

/* Encrypts or decrypts in place. The secret is the session's, and the authValue of what
 * it authorises; `newer`, `older` are nonces of whoever sends and receives. */
static tpm_rc crypt_parameter(struct tpm *t, const struct frame_session *fs, bool encrypt,
			      struct cvtpm_octets newer, struct cvtpm_octets older, uint8_t *data,
			      size_t len)
{
	const struct tpm_session *s = fs->session;
	uint8_t secret[2 * MAX_DIGEST_SIZE], key[MAX_SYM_KEY_BYTES + MAX_SYM_BLOCK_SIZE];
	struct cvtpm_octets octets = {secret, 0};
	unsigned bits = s->symmetric.keyBits.aes;
	int err;

	TRY(selftest_need(t, s->authHash));
	TRY(selftest_need(t, TPM_ALG_KDF1_SP800_108));
	TRY(selftest_need(t, s->symmetric.algorithm));
	octets.len = session_secret(s, auth_after(t, fs), secret);
	if (s->symmetric.algorithm == TPM_ALG_XOR) {
		/* with the session's hash, as clients do, whatever keyBits names */
		err = cvtpm_xor_obfuscate((enum cvtpm_hash_alg)s->authHash, octets, newer, older,
					  data, len);
	} else {
		err = cvtpm_kdfa((enum cvtpm_hash_alg)s->authHash, octets, CVTPM_TEXT("CFB"), newer,
				 older, bits + 8 * MAX_SYM_BLOCK_SIZE, key);
		if (!err)
			err = (encrypt ? cvtpm_aes_encrypt : cvtpm_aes_decrypt)(
				CVTPM_AES_CFB, key, bits, key + bits / 8, data, len, data);
	}
	cvtpm_wipe(secret, sizeof secret);
	cvtpm_wipe(key, sizeof key);
	return err ? tpm_fail(t, "a parameter could not be encrypted") : TPM_RC_SUCCESS;
}

tpm_rc auth_decrypt(struct tpm *t)
{
	struct frame *f = &t->frame;
	const struct frame_session *fs;
	struct reader r;
	uint16_t size;

	if (f->decrypt < 0)
		return TPM_RC_SUCCESS;
	fs = &f->sessions[f->decrypt];
	f->plain_len = f->received.len;
	memcpy(f->plain, f->received.at, f->plain_len);
	r = (struct reader){f->plain, f->plain_len};
	f->parameters = r;
	if (read_u16(&r, &size))
		return RC_S((unsigned)f->decrypt + 1, TPM_RC_INSUFFICIENT);
	if (size > r.left)
		return RC_S((unsigned)f->decrypt + 1, TPM_RC_SIZE);
	return crypt_parameter(t, fs, false, OCTETS(fs->nonceCaller), OCTETS(fs->session->nonceTPM),
			       f->plain + sizeof size, size);
}

/* ---- the response's session area (Part 1, 19.6.6) ---- */

static tpm_rc new_nonce(struct tpm *t, struct tpm_session *s)
{
	CHANGE(t, s->nonceTPM);
	return tpm_random(t, s->nonceTPM.buffer, s->nonceTPM.size);
}

tpm_rc auth_rp_hash(struct tpm *t, TPM_ALG_ID alg, struct cvtpm_octets parameters,
		    TPM2B_DIGEST *digest)
{
	uint8_t head[8] = {0}; /* TPM_RC_SUCCESS, command code */
	struct writer w = {head + 4, 4, false};
	struct cvtpm_octets parts[] = {{head, sizeof head}, parameters};

	write_u32(&w, t->frame.command->code);
	return tpm_hash(t, alg, parts, 2, digest);
}

static tpm_rc respond_one(struct tpm *t, unsigned n, struct cvtpm_octets parameters,
			  struct writer *w)
{
	static const TPM2B_NONCE no_nonce;
	struct frame_session *fs = &t->frame.sessions[n];
	TPM2B_DIGEST hash, mac;

	if (!fs->session) {
		type_write(&type_TPM2B_NONCE, &no_nonce, w);
		write_u8(w, TPMA_SESSION_CONTINUESESSION);
		type_write(&type_TPM2B_AUTH, &no_nonce, w);
		return TPM_RC_SUCCESS;
	}
	TRY(auth_rp_hash(t, fs->session->authHash, parameters, &hash));
	if (fs->attributes & TPMA_SESSION_AUDIT) {
		TRY(audit_session(t, fs, &hash));
		fs->attributes &= (TPMA_SESSION)~TPMA_SESSION_AUDITEXCLUSIVE;
		if (t->exclusive == fs->handle)
			fs->attributes |= TPMA_SESSION_AUDITEXCLUSIVE;
	}
	{
		const struct cvtpm_octets parts[] = {
			OCTETS(hash),
			OCTETS(fs->session->nonceTPM),
			OCTETS(fs->nonceCaller),
			{&fs->attributes, 1},
		};
		if (fs->session->bits & SESSION_PASSWORD && fs->entity != TPM_RH_UNASSIGNED)
			mac.size = 0; /* the command had no HMAC, nor has the response */
		else
			TRY(session_hmac(t, n, fs->with_auth ? auth_after(t, fs) : NULL, parts,
					 sizeof parts / sizeof *parts, &mac));
	}
	type_write(&type_TPM2B_NONCE, &fs->session->nonceTPM, w);
	write_u8(w, fs->attributes);
	type_write(&type_TPM2B_AUTH, &mac, w);
	return TPM_RC_SUCCESS;
}

/* The session ends, or goes on. A policy then begins anew, whatever the session was used
 * for, and so does the time that authorisations by its nonceTPM count from. */
static void session_used(struct tpm *t, const struct frame_session *fs)
{
	if (!fs->session)
		return;
	if (!(fs->attributes & TPMA_SESSION_CONTINUESESSION)) {
		session_flush(t, fs->handle);
	} else if (fs->session->type == TPM_SE_POLICY) {
		session_reset_policy(t, fs->session);
		fs->session->startTime = clock_time(t);
		fs->session->epoch = t->epoch;
	}
}

tpm_rc auth_respond(struct tpm *t, uint8_t *parameters, size_t len, struct writer *w)
{
	struct frame *f = &t->frame;

	for (unsigned n = 0; n < f->session_count; n++)
		if (f->sessions[n].session)
			TRY(new_nonce(t, f->sessions[n].session));
	if (f->encrypt >= 0) {
		const struct frame_session *fs = &f->sessions[f->encrypt];

		TRY(crypt_parameter(t, fs, true, OCTETS(fs->session->nonceTPM),
				    OCTETS(fs->nonceCaller), parameters + 2,
				    (size_t)parameters[0] << 8 | parameters[1]));
	}
	for (unsigned n = 0; n < f->session_count; n++)
		TRY(respond_one(t, n, (struct cvtpm_octets){parameters, len}, w));
	for (unsigned n = 0; n < f->session_count; n++)
		session_used(t, &f->sessions[n]);
	return TPM_RC_SUCCESS;
}
