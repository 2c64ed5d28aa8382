/*
 * Part 3, 11 and Part 1, 19 and 21: sessions of every kind, salted and bound, authorise,
 * and hide parameters. The rig checks every response's HMAC, and decrypts it.
 */
#include "nv_commands.h"

#include "crypto/kdf.h"
#include "crypto/mem.h"

#include <sys/random.h>

#define KEY_USER (TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA)

/* ---- a session, from the client's side ---- */

enum salt { NO_SALT, ECC_SALT, RSA_SALT };

struct wish {
	enum salt salt;
	TPM_HANDLE bind; /* TPM_RH_NULL: none */
	const char *bind_auth;
	TPM_ALG_ID hash;
	TPMT_SYM_DEF symmetric;
};

static int entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	return getrandom(out, len, 0) == (ssize_t)len ? 0 : -1;
}

/* Part 1, C.6.1: one pass of ECDH, and KDFe. */
static TPM2B_DIGEST salt_for_ecc(const TPMT_PUBLIC *key, TPM2B_ENCRYPTED_SECRET *encrypted)
{
	struct cvtpm_ecc_key mine = {.public.curve = CVTPM_P256, .d = {[7] = 0x5A, [31] = 3}};
	struct cvtpm_ecc_public theirs = {.curve = CVTPM_P256}, z;
	TPM2B_DIGEST salt = {.size = 32};
	TPMS_ECC_POINT point = {.x.size = 32, .y.size = 32};

	assert_int_equal(key->unique.ecc.x.size, 32);
	assert_int_equal(key->unique.ecc.y.size, 32);
	memcpy(theirs.x, key->unique.ecc.x.buffer, 32);
	memcpy(theirs.y, key->unique.ecc.y.buffer, 32);
	assert_int_equal(cvtpm_ecc_make_public(&mine), 0);
	assert_int_equal(cvtpm_ecdh(mine.d, &theirs, &z), 0);
	assert_int_equal(cvtpm_kdfe(CVTPM_SHA256, (struct cvtpm_octets){z.x, 32},
				    (struct cvtpm_octets){"SECRET", 7},
				    (struct cvtpm_octets){mine.public.x, 32},
				    (struct cvtpm_octets){theirs.x, 32}, 256, salt.buffer),
			 0);
	memcpy(point.x.buffer, mine.public.x, 32);
	memcpy(point.y.buffer, mine.public.y, 32);
	encrypted->size = (uint16_t)type_marshal(&type_TPMS_ECC_POINT, &point, encrypted->buffer,
						 sizeof encrypted->buffer);
	return salt;
}

/* Part 1, B.10.1: RSAES-OAEP with the key's nameAlg, of `len` bytes. */
static TPM2B_DIGEST rsa_salt(const TPMT_PUBLIC *key, uint16_t len,
			     TPM2B_ENCRYPTED_SECRET *encrypted)
{
	struct cvtpm_rsa_public public = {.bits = 2048, .exponent = 65537};
	TPM2B_DIGEST salt = {len, {'s', 'a', 'l', 't'}};
	struct cvtpm_drbg drbg;

	memcpy(public.n, key->unique.rsa.buffer, 256);
	assert_int_equal(cvtpm_drbg_begin(&drbg, entropy, NULL), 0);
	assert_int_equal(cvtpm_oaep_encrypt(&public, &drbg, CVTPM_SHA256,
					    (struct cvtpm_octets){"SECRET", 7}, salt.buffer,
					    salt.size, encrypted->buffer),
			 0);
	cvtpm_drbg_end(&drbg);
	encrypted->size = 256;
	return salt;
}

static TPM2B_DIGEST salt_for_rsa(const TPMT_PUBLIC *key, TPM2B_ENCRYPTED_SECRET *encrypted)
{
	return rsa_salt(key, 24, encrypted);
}

static struct client_session begin_session(struct rig *r, const struct wish *wish)
{
	struct StartAuthSession_in in = {.tpmKey = TPM_RH_NULL,
					 .bind = wish->bind,
					 .nonceCaller = {20, "nonceCaller of the c"},
					 .sessionType = TPM_SE_HMAC,
					 .symmetric = wish->symmetric,
					 .authHash = wish->hash};
	struct StartAuthSession_out out;
	TPM2B_AUTH bind_auth = rig_auth(wish->bind_auth ? wish->bind_auth : "");
	TPM2B_DIGEST salt = {.size = 0};
	struct client_session s;

	if (wish->salt != NO_SALT) {
		TPMT_PUBLIC t =
			wish->salt == ECC_SALT ? rig_storage_template() : rsa_template(true);
		struct ReadPublic_out key;

		in.tpmKey = must_primary(r, TPM_RH_OWNER, &t);
		key = read_public(r, in.tpmKey);
		salt = (wish->salt == ECC_SALT ? salt_for_ecc : salt_for_rsa)(
			&key.outPublic.publicArea, &in.encryptedSalt);
	}
	OK(RIG_RUN(r, StartAuthSession, &in, &out));
	if (in.tpmKey != TPM_RH_NULL)
		rig_flush(r, in.tpmKey);
	s = (struct client_session){.handle = out.handle,
				    .attributes = TPMA_SESSION_CONTINUESESSION,
				    .authHash = wish->hash,
				    .symmetric = wish->symmetric,
				    .nonceCaller = in.nonceCaller,
				    .nonceTPM = out.nonceTPM,
				    .with_auth = true};
	assert_int_equal(client_session_key(&s,
					    wish->bind == TPM_RH_NULL
						    ? (struct cvtpm_octets){NULL, 0}
						    : OCTETS(bind_auth),
					    wish->salt == NO_SALT ? (struct cvtpm_octets){NULL, 0}
								  : OCTETS(salt)),
			 0);
	return s;
}

/* ---- what it authorises ---- */

/* INDEX, with the authValue "pw", written. */
static void make_index(struct rig *r)
{
	TPMS_NV_PUBLIC public = public_of(PLAIN_NV, 8);

	OK(define_as(r, TPM_RH_OWNER, &public, "pw"));
	OK(write_nv(r, "01234567", 8, 0));
}

/* NV_Read of INDEX with this session, which moves on. */
static tpm_rc read_with(struct rig *r, struct client_session *s)
{
	struct NV_Read_in in = {.authHandle = INDEX, .nvIndex = INDEX, .size = 8};
	TPM2B_NAME name = public_now(r).nvName;
	struct NV_Read_out out;
	tpm_rc rc;

	rig_name(r, 0, &name);
	rig_name(r, 1, &name);
	rig_fresh_nonce(r, s);
	rig_sessions(r, s, 1);
	rc = RIG_RUN(r, NV_Read, &in, &out);
	if (!rc) {
		assert_memory_equal(out.data.buffer, "01234567", 8);
		s->nonceTPM = r->sessions[0].nonceTPM;
	}
	return rc;
}

static void sessions_of_every_kind_authorise(void **state)
{
	static const TPM_HANDLE binds[] = {TPM_RH_NULL, TPM_RH_ENDORSEMENT, INDEX};
	static const TPM_ALG_ID hashes[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384,
					    TPM_ALG_SHA512};
	struct rig *r = *state;
	struct HierarchyChangeAuth_in change = {.authHandle = TPM_RH_ENDORSEMENT,
						.newAuth = rig_auth("endorsement")};

	OK(RIG_RUN(r, HierarchyChangeAuth, &change, NULL));
	make_index(r);
	for (unsigned i = 0; i < 4 * 3 * 3; i++) {
		struct wish wish = {.salt = (enum salt)(i % 3),
				    .bind = binds[i / 3 % 3],
				    .bind_auth = i / 3 % 3 == 1 ? "endorsement" : "pw",
				    .hash = hashes[i / 9],
				    .symmetric.algorithm = TPM_ALG_NULL};
		struct client_session s = begin_session(r, &wish), wrong;

		/* of what it is bound to, the authValue is in the session's key already */
		s.auth = rig_auth("pw");
		s.with_auth = wish.bind != INDEX;
		OK(read_with(r, &s));
		OK(read_with(r, &s));
		wrong = s;
		if (wrong.sessionKey.size)
			wrong.sessionKey.buffer[3] ^= 1;
		else
			wrong.auth = rig_auth("pW");
		RC(read_with(r, &wrong), RC_S(1, TPM_RC_BAD_AUTH));
		wrong = s;
		wrong.with_auth = !s.with_auth;
		RC(read_with(r, &wrong), RC_S(1, TPM_RC_BAD_AUTH));
		OK(read_with(r, &s));
		rig_flush(r, s.handle);
	}
}

/* Part 1, 19.6.12: bound to an index by its name, which the first write changes. */
static void a_session_bound_to_an_index_that_changes(void **state)
{
	struct rig *r = *state;
	TPMS_NV_PUBLIC public = public_of(PLAIN_NV, 8);
	struct wish wish = {.bind = INDEX,
			    .bind_auth = "pw",
			    .hash = TPM_ALG_SHA256,
			    .symmetric.algorithm = TPM_ALG_NULL};
	struct client_session s;

	OK(define_as(r, TPM_RH_OWNER, &public, "pw"));
	s = begin_session(r, &wish);
	s.auth = rig_auth("pw");
	OK(write_nv(r, "01234567", 8, 0));
	s.with_auth = false;
	RC(read_with(r, &s), RC_S(1, TPM_RC_BAD_AUTH));
	s.with_auth = true;
	OK(read_with(r, &s));
}

/* Part 1, B.10.2: a salt is no longer than a digest of the key's nameAlg. */
static void a_salt_that_is_too_long(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rsa_template(true);
	struct StartAuthSession_in in = {.tpmKey = must_primary(r, TPM_RH_OWNER, &t),
					 .bind = TPM_RH_NULL,
					 .nonceCaller.size = 16,
					 .sessionType = TPM_SE_HMAC,
					 .symmetric.algorithm = TPM_ALG_NULL,
					 .authHash = TPM_ALG_SHA256};
	struct ReadPublic_out key = read_public(r, in.tpmKey);

	rsa_salt(&key.outPublic.publicArea, 32, &in.encryptedSalt);
	OK(RIG_RUN(r, StartAuthSession, &in, NULL));
	rsa_salt(&key.outPublic.publicArea, 33, &in.encryptedSalt);
	RC(RIG_RUN(r, StartAuthSession, &in, NULL), RC_P(2, TPM_RC_VALUE));
}

/* One session authorises one handle. */
static void a_session_is_there_once(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE key = storage_primary(r);
	struct client_session s[2] = {rig_session(r, TPM_SE_HMAC)};
	struct Certify_in in = {
		.objectHandle = key, .signHandle = TPM_RH_NULL, .inScheme.scheme = TPM_ALG_NULL};

	s[1] = s[0];
	rig_sessions(r, s, 2);
	RC(RIG_RUN(r, Certify, &in, NULL), RC_S(2, TPM_RC_HANDLE));
}

/* 31.5: the response of a command that removes an index is made with an empty authValue. */
static void an_index_that_is_gone_answers(void **state)
{
	struct rig *r = *state;
	TPMS_NV_PUBLIC public = public_of(PLATFORM_NV | TPMA_NV_POLICY_DELETE | TPMA_NV_NO_DA, 8);
	struct PolicyCommandCode_in code = {.code = TPM_CC_NV_UndefineSpaceSpecial};
	struct NV_UndefineSpaceSpecial_in in = {.nvIndex = INDEX, .platform = TPM_RH_PLATFORM};
	struct PolicyAuthValue_in value;
	struct client_session s[2];
	TPM2B_AUTH empty = {.size = 0};
	TPM2B_NAME name;

	for (unsigned round = 0; round < 2; round++) { /* for the digest, and in earnest */
		s[0] = rig_session(r, round ? TPM_SE_POLICY : TPM_SE_TRIAL);
		code.policySession = value.policySession = s[0].handle;
		OK(RIG_RUN(r, PolicyCommandCode, &code, NULL));
		OK(RIG_RUN(r, PolicyAuthValue, &value, NULL));
		if (round)
			break;
		public.authPolicy = policy_digest(r, s[0].handle);
		rig_flush(r, s[0].handle);
		OK(define_as(r, TPM_RH_PLATFORM, &public, "pw"));
	}
	s[0].auth = rig_auth("pw");
	s[0].with_auth = true;
	s[0].auth_after = &empty;
	s[1] = (struct client_session){.handle = TPM_RS_PW,
				       .attributes = TPMA_SESSION_CONTINUESESSION};
	name = public_now(r).nvName;
	rig_name(r, 0, &name);
	rig_name(r, 1, &(TPM2B_NAME){4, {0x40, 0, 0, 0x0C}});
	rig_sessions(r, s, 2);
	OK(RIG_RUN(r, NV_UndefineSpaceSpecial, &in, NULL));
}

/* A session that was exclusive and is flushed: nothing is exclusive after it. */
static void an_exclusive_session_that_is_flushed(void **state)
{
	struct rig *r = *state;
	struct client_session s = rig_session(r, TPM_SE_HMAC), again;
	struct GetRandom_in in = {.bytesRequested = 8};

	s.attributes |= TPMA_SESSION_AUDIT;
	rig_sessions(r, &s, 1);
	OK(RIG_RUN(r, GetRandom, &in, NULL));
	rig_flush(r, s.handle);
	again = rig_session(r, TPM_SE_HMAC); /* under the same handle */
	assert_int_equal(again.handle, s.handle);
	again.attributes |= TPMA_SESSION_AUDIT | TPMA_SESSION_AUDITEXCLUSIVE;
	rig_sessions(r, &again, 1);
	OK(RIG_RUN(r, GetRandom, &in, NULL)); /* it audits for the first time */
}

/* ---- Part 1, 21: parameters that are hidden ---- */

/* Who hides what: the session that authorises, and two others. */
static const TPMA_SESSION roles[][3] = {
	{TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT, 0, 0},
	{TPMA_SESSION_DECRYPT, TPMA_SESSION_ENCRYPT, 0},
	{TPMA_SESSION_ENCRYPT, TPMA_SESSION_DECRYPT, 0},
	{0, TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT, 0},
	{0, TPMA_SESSION_DECRYPT, TPMA_SESSION_ENCRYPT},
	{0, TPMA_SESSION_ENCRYPT, TPMA_SESSION_DECRYPT},
};

static void parameters_are_hidden_by(struct rig *r, const struct key *key, TPMT_SYM_DEF symmetric,
				     const TPMA_SESSION *role, const TPM2B_DIGEST *want)
{
	struct HMAC_in in = {.handle_ = key->handle, .hashAlg = TPM_ALG_NULL};
	struct wish wish = {.salt = ECC_SALT,
			    .bind = TPM_RH_NULL,
			    .hash = TPM_ALG_SHA256,
			    .symmetric = symmetric};
	unsigned count = role[2] ? 3 : role[1] ? 2 : 1;
	struct client_session s[3];
	struct HMAC_out out;

	buffer_set(&in.buffer, "a message that nobody reads");
	for (unsigned i = 0; i < count; i++) {
		s[i] = begin_session(r, &wish);
		rig_fresh_nonce(r, &s[i]);
		s[i].attributes |= role[i];
		s[i].with_auth = i == 0;
	}
	rig_name(r, 0, &key->name);
	rig_sessions(r, s, count);
	OK(RIG_RUN(r, HMAC, &in, &out));
	assert_int_equal(out.outHMAC.size, want->size);
	assert_memory_equal(out.outHMAC.buffer, want->buffer, want->size);
	for (size_t i = 0; role == roles[0] && i + 8 < r->command_len; i++)
		assert_memory_not_equal(r->command + i, "a message", 9);
	for (unsigned i = 0; i < count; i++)
		rig_flush(r, s[i].handle);
}

static void parameters_are_hidden(void **state)
{
	static const TPMT_SYM_DEF algorithms[] = {
		{TPM_ALG_AES, {.aes = 128}, {.aes = TPM_ALG_CFB}},
		{TPM_ALG_AES, {.aes = 256}, {.aes = TPM_ALG_CFB}},
		{TPM_ALG_XOR, {.exclusiveOr = TPM_ALG_SHA256}, {0}},
	};
	struct rig *r = *state;
	struct key key = make_hmac(r, TPMA_OBJECT_SIGN | KEY_USER, TPM_ALG_SHA256, "secret");
	struct HMAC_in in = {.handle_ = key.handle, .hashAlg = TPM_ALG_NULL};
	struct HMAC_out plain;

	buffer_set(&in.buffer, "a message that nobody reads");
	OK(RIG_RUN(r, HMAC, &in, &plain));
	for (size_t a = 0; a < sizeof algorithms / sizeof *algorithms; a++)
		for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
			parameters_are_hidden_by(r, &key, algorithms[a], roles[i], &plain.outHMAC);
}

/* The size of the parameter is in the clear; it may say more than there is, or be cut off. */
static void a_hidden_parameter_that_is_too_long(void **state)
{
	struct rig *r = *state;
	struct wish wish = {.bind = TPM_RH_NULL,
			    .hash = TPM_ALG_SHA256,
			    .symmetric = {TPM_ALG_AES, {.aes = 128}, {.aes = TPM_ALG_CFB}}};

	for (unsigned left = 0; left <= 4; left++) {
		struct client_session s = begin_session(r, &wish);
		uint8_t bytes[10 + 4 + 9 + 16 + 4] = {0};
		struct writer w = {bytes, sizeof bytes, false};

		write_u16(&w, TPM_ST_SESSIONS);
		write_u32(&w, (uint32_t)sizeof bytes - 4 + left);
		write_u32(&w, TPM_CC_StirRandom);
		write_u32(&w, 9 + 16);
		write_u32(&w, s.handle);
		write_u16(&w, 16);
		write_bytes(&w, "a nonce of these", 16);
		write_u8(&w, TPMA_SESSION_DECRYPT | TPMA_SESSION_CONTINUESESSION);
		write_u16(&w, 0);
		write_u16(&w, 3); /* of which `left` - 2 are there */
		RC(rig_raw(r, bytes, sizeof bytes - 4 + left),
		   RC_S(1, left < 2 ? TPM_RC_INSUFFICIENT : TPM_RC_SIZE));
		rig_flush(r, s.handle);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(sessions_of_every_kind_authorise),
		OBJECT_TEST(a_session_bound_to_an_index_that_changes),
		OBJECT_TEST(a_salt_that_is_too_long),
		OBJECT_TEST(a_session_is_there_once),
		OBJECT_TEST(an_index_that_is_gone_answers),
		OBJECT_TEST(an_exclusive_session_that_is_flushed),
		OBJECT_TEST(parameters_are_hidden),
		OBJECT_TEST(a_hidden_parameter_that_is_too_long),
	};

	return cmocka_run_group_tests_name("tpm 11", tests, NULL, NULL);
}
