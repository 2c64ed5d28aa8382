#include "tpm/encode.h"

#include "crypto/mem.h"

#define HEADER_SIZE 10

static int digest_of(TPM_ALG_ID alg, const struct cvtpm_octets *parts, size_t count,
		     TPM2B_DIGEST *digest)
{
	digest->size = (uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)alg);
	return cvtpm_hash_parts((enum cvtpm_hash_alg)alg, parts, count, digest->buffer);
}

static size_t secret_of(const struct client_session *s, const TPM2B_AUTH *auth,
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

/* Empty where nobody knows a secret, as a client may send it; a command that had an HMAC
 * gets one (`always`). */
static int hmac_of(const struct client_session *s, const TPM2B_AUTH *auth, bool always,
		   const struct cvtpm_octets *parts, size_t count, TPM2B_DIGEST *mac)
{
	uint8_t secret[2 * MAX_DIGEST_SIZE];
	size_t len = secret_of(s, auth, secret);
	int err = 0;

	mac->size = 0;
	if (len || always) {
		err = cvtpm_hmac_parts((enum cvtpm_hash_alg)s->authHash,
				       (struct cvtpm_octets){secret, len}, parts, count,
				       mac->buffer);
		mac->size = (uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)s->authHash);
	}
	cvtpm_wipe(secret, sizeof secret);
	return err;
}

static int crypt_first(const struct client_session *s, const TPM2B_AUTH *auth, bool encrypt,
		       const TPM2B_NONCE *newer, const TPM2B_NONCE *older, uint8_t *data,
		       size_t len)
{
	uint8_t secret[2 * MAX_DIGEST_SIZE], key[MAX_SYM_KEY_BYTES + MAX_SYM_BLOCK_SIZE];
	struct cvtpm_octets octets = {secret, secret_of(s, auth, secret)};
	unsigned bits = s->symmetric.keyBits.aes;
	int err;

	if (s->symmetric.algorithm == TPM_ALG_XOR)
		return cvtpm_xor_obfuscate((enum cvtpm_hash_alg)s->authHash, octets, OCTETS(*newer),
					   OCTETS(*older), data, len);
	err = cvtpm_kdfa((enum cvtpm_hash_alg)s->authHash, octets, CVTPM_TEXT("CFB"),
			 OCTETS(*newer), OCTETS(*older), bits + 8 * MAX_SYM_BLOCK_SIZE, key);
	if (err)
		return err;
	return (encrypt ? cvtpm_aes_encrypt : cvtpm_aes_decrypt)(CVTPM_AES_CFB, key, bits,
								 key + bits / 8, data, len, data);
}

static const struct client_session *with_attribute(const struct client_session *sessions,
						   unsigned count, TPMA_SESSION attribute)
{
	for (unsigned i = 0; i < count; i++)
		if (sessions[i].handle != TPM_RS_PW && sessions[i].attributes & attribute)
			return &sessions[i];
	return NULL;
}

/* ---- commands ---- */

static int cp_hash(const struct command *c, const void *in, const TPM2B_NAME *names, TPM_ALG_ID alg,
		   struct cvtpm_octets parameters, TPM2B_DIGEST *digest)
{
	const TPM_HANDLE *handle = in;
	uint8_t bytes[4 * (1 + MAX_HANDLE_NUM)];
	struct cvtpm_octets parts[2 + MAX_HANDLE_NUM];
	struct writer w = {bytes, sizeof bytes, false};
	unsigned n = command_handles(c);

	write_u32(&w, c->code);
	parts[0] = (struct cvtpm_octets){bytes, 4};
	for (unsigned i = 0; i < n; i++) {
		write_u32(&w, handle[i]);
		parts[1 + i] =
			names ? OCTETS(names[i]) : (struct cvtpm_octets){bytes + 4 * (1 + i), 4};
	}
	parts[1 + n] = parameters;
	return digest_of(alg, parts, 2 + n, digest);
}

static struct cvtpm_octets other_nonce(const struct client_session *sessions, unsigned n,
				       const struct client_session *other, bool authorised)
{
	if (n != 0 || !authorised || !other || other == &sessions[0])
		return (struct cvtpm_octets){NULL, 0};
	return OCTETS(other->nonceTPM);
}

static int session_mac(const struct command *c, const void *in,
		       const struct client_session *sessions, unsigned count, unsigned n,
		       const TPM2B_NAME *names, struct cvtpm_octets parameters, TPM2B_DIGEST *mac)
{
	const struct client_session *s = &sessions[n];
	const struct client_session *d = with_attribute(sessions, count, TPMA_SESSION_DECRYPT);
	const struct client_session *e = with_attribute(sessions, count, TPMA_SESSION_ENCRYPT);
	bool authorised = command_auths(c) > 0;
	TPM2B_DIGEST hash;
	int err = cp_hash(c, in, names, s->authHash, parameters, &hash);
	const struct cvtpm_octets parts[] = {
		OCTETS(hash),
		OCTETS(s->nonceCaller),
		OCTETS(s->nonceTPM),
		other_nonce(sessions, n, d, authorised),
		other_nonce(sessions, n, e == d ? NULL : e, authorised),
		{&s->attributes, 1},
	};

	return err ? err
		   : hmac_of(s, s->with_auth ? &s->auth : NULL, false, parts,
			     sizeof parts / sizeof *parts, mac);
}

static int write_session(const struct command *c, const void *in,
			 const struct client_session *sessions, unsigned count, unsigned n,
			 const TPM2B_NAME *names, struct cvtpm_octets parameters, struct writer *w)
{
	const struct client_session *s = &sessions[n];
	bool plain = s->handle == TPM_RS_PW;
	TPM2B_NONCE nonce = s->nonceCaller;
	TPM2B_DIGEST mac = s->auth;
	int err = 0;

	if (plain)
		nonce.size = 0;
	else if (!s->password)
		err = session_mac(c, in, sessions, count, n, names, parameters, &mac);
	write_u32(w, s->handle);
	type_write(&type_TPM2B_NONCE, &nonce, w);
	write_u8(w, s->attributes);
	type_write(&type_TPM2B_AUTH, &mac, w);
	return err;
}

/* Parameters are written where they will stand if the session area is as long as it can
 * be, and moved up to it afterwards. */
size_t command_encode(const struct command *c, const void *in,
		      const struct client_session *sessions, unsigned count,
		      const TPM2B_NAME *names, uint8_t *out, size_t capacity)
{
	const size_t max_session = 4 + 2 + MAX_DIGEST_SIZE + 1 + 2 + MAX_DIGEST_SIZE;
	const struct client_session *d = with_attribute(sessions, count, TPMA_SESSION_DECRYPT);
	unsigned handles = command_handles(c), auths = command_auths(c);
	size_t area_at = HEADER_SIZE + 4 * handles + (count ? 4 : 0);
	size_t parameters_at = area_at + count * max_session;
	struct writer w, area, p;
	size_t area_len, len;

	if (capacity < parameters_at)
		return 0;
	p = (struct writer){out + parameters_at, capacity - parameters_at, false};
	type_write_fields(c->in, (const uint8_t *)in + 4 * sizeof(TPM_HANDLE), &p);
	if (p.overflow)
		return 0;
	len = (size_t)(p.at - (out + parameters_at));
	if (d && len >= 2 && c->in[0].type && type_is_sized(c->in[0].type)) {
		uint8_t *first = out + parameters_at;
		bool authorises = (unsigned)(d - sessions) < auths;

		if (crypt_first(d, authorises ? &d->auth : NULL, true, &d->nonceCaller,
				&d->nonceTPM, first + 2, (size_t)first[0] << 8 | first[1]))
			return 0;
	}
	area = (struct writer){out + area_at, parameters_at - area_at, false};
	for (unsigned n = 0; n < count; n++)
		if (write_session(c, in, sessions, count, n, names,
				  (struct cvtpm_octets){out + parameters_at, len}, &area))
			return 0;
	area_len = (size_t)(area.at - (out + area_at));
	memmove(area.at, out + parameters_at, len);
	w = (struct writer){out, capacity, false};
	write_u16(&w, count ? TPM_ST_SESSIONS : TPM_ST_NO_SESSIONS);
	write_u32(&w, (uint32_t)(area_at + area_len + len));
	write_u32(&w, c->code);
	for (unsigned i = 0; i < handles; i++)
		write_u32(&w, ((const TPM_HANDLE *)in)[i]);
	if (count)
		write_u32(&w, (uint32_t)area_len);
	return area.overflow ? 0 : area_at + area_len + len;
}

/* ---- responses ---- */

static tpm_rc check_response_session(const struct command *c, struct reader *r,
				     struct client_session *s, struct cvtpm_octets parameters)
{
	TPM2B_DIGEST hash, mac, expected;
	TPM2B_NONCE nonce;
	uint8_t attributes, head[8] = {0};
	struct writer w = {head + 4, 4, false};
	bool had_hmac;

	if (type_read(&type_TPM2B_NONCE, &nonce, r, false) || read_u8(r, &attributes) ||
	    type_read(&type_TPM2B_AUTH, &mac, r, false))
		return ENCODE_MALFORMED;
	if (s->handle == TPM_RS_PW)
		return nonce.size || mac.size ? ENCODE_MALFORMED : TPM_RC_SUCCESS;
	write_u32(&w, c->code);
	s->nonceTPM = nonce;
	if (digest_of(s->authHash, (const struct cvtpm_octets[]){{head, sizeof head}, parameters},
		      2, &hash))
		return ENCODE_MALFORMED;
	had_hmac = s->sessionKey.size || (s->with_auth && s->auth.size);
	if (hmac_of(s,
		    !s->with_auth   ? NULL
		    : s->auth_after ? s->auth_after
				    : &s->auth,
		    had_hmac,
		    (const struct cvtpm_octets[]){
			    OCTETS(hash), OCTETS(nonce), OCTETS(s->nonceCaller), {&attributes, 1}},
		    4, &expected))
		return ENCODE_MALFORMED;
	if (s->password)
		expected.size = 0;
	if (expected.size != mac.size || memcmp(expected.buffer, mac.buffer, mac.size) != 0)
		return ENCODE_HMAC;
	return TPM_RC_SUCCESS;
}

static tpm_rc decode_sessions(const struct command *c, struct reader *r, uint8_t *parameters,
			      size_t len, struct client_session *sessions, unsigned count)
{
	const struct client_session *e = with_attribute(sessions, count, TPMA_SESSION_ENCRYPT);

	for (unsigned n = 0; n < count; n++)
		TRY(check_response_session(c, r, &sessions[n],
					   (struct cvtpm_octets){parameters, len}));
	if (e && len >= 2) {
		size_t size = (size_t)parameters[0] << 8 | parameters[1];
		const TPM2B_AUTH *auth = e->auth_after ? e->auth_after : &e->auth;
		bool authorises = (unsigned)(e - sessions) < command_auths(c);

		if (size > len - 2 || crypt_first(e, authorises ? auth : NULL, false, &e->nonceTPM,
						  &e->nonceCaller, parameters + 2, size))
			return ENCODE_MALFORMED;
	}
	return TPM_RC_SUCCESS;
}

tpm_rc response_decode(const struct command *c, uint8_t *response, size_t len,
		       struct client_session *sessions, unsigned count, void *out)
{
	struct reader r = {response, len}, parameters;
	uint32_t size, rc, parameter_size;
	uint16_t tag;
	unsigned number;

	if (read_u16(&r, &tag) || read_u32(&r, &size) || read_u32(&r, &rc) || size != len)
		return ENCODE_MALFORMED;
	if (rc)
		return r.left || (tag != TPM_ST_NO_SESSIONS && tag != TPM_ST_RSP_COMMAND)
			       ? ENCODE_MALFORMED
			       : rc;
	if (tag != (count ? TPM_ST_SESSIONS : TPM_ST_NO_SESSIONS))
		return ENCODE_MALFORMED;
	if (c->flags & CC_RHANDLE && read_u32(&r, out))
		return ENCODE_MALFORMED;
	parameter_size = (uint32_t)r.left;
	if (count && (read_u32(&r, &parameter_size) || parameter_size > r.left))
		return ENCODE_MALFORMED;
	parameters = (struct reader){r.at, parameter_size};
	r.at += parameter_size;
	r.left -= parameter_size;
	TRY(decode_sessions(c, &r, response + (parameters.at - response), parameter_size, sessions,
			    count));
	if (r.left || type_read_fields(c->out, OUT_FIELDS(out), &parameters, true, &number) ||
	    parameters.left)
		return ENCODE_MALFORMED;
	return TPM_RC_SUCCESS;
}

int client_session_key(struct client_session *s, struct cvtpm_octets bind_auth,
		       struct cvtpm_octets salt)
{
	uint8_t secret[4 * MAX_DIGEST_SIZE];
	int err;

	s->sessionKey.size = 0;
	if (bind_auth.len + salt.len > sizeof secret)
		return CVTPM_ERR_SIZE;
	if (!bind_auth.at && !salt.at)
		return 0;
	memcpy(secret, bind_auth.at, bind_auth.len);
	memcpy(secret + bind_auth.len, salt.at, salt.len);
	s->sessionKey.size = (uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)s->authHash);
	err = cvtpm_kdfa((enum cvtpm_hash_alg)s->authHash,
			 (struct cvtpm_octets){secret, bind_auth.len + salt.len}, CVTPM_TEXT("ATH"),
			 OCTETS(s->nonceTPM), OCTETS(s->nonceCaller), 8u * s->sessionKey.size,
			 s->sessionKey.buffer);
	cvtpm_wipe(secret, sizeof secret);
	return err;
}
