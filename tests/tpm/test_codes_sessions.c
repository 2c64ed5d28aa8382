/*
 * What the engine refuses, code by code, where the tests of the chapters do not come by
 * (codes.def): handles and sessions of any command (Part 3, 5), and TPM2_StartAuthSession
 * (11.1).
 */
#include "objects.h"

#define USER (TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA)

/* ---- 5.2 to 5.5: a command by its bytes ---- */

/* Sends `len` bytes, the size in the header made right. */
static tpm_rc send_bytes(struct rig *r, uint8_t *bytes, size_t len)
{
	bytes[4] = (uint8_t)(len >> 8);
	bytes[5] = (uint8_t)len;
	return rig_raw(r, bytes, len);
}

/* A handle that may stand there; whether it is loaded does not matter yet. */
static TPM_HANDLE any_handle(const struct type *type)
{
	static const TPM_HANDLE some[] = {
		TPM_RH_OWNER,         TPM_RH_PLATFORM,    TPM_RH_ENDORSEMENT,
		TPM_RH_LOCKOUT,       NV_INDEX_FIRST,     TRANSIENT_FIRST,
		POLICY_SESSION_FIRST, HMAC_SESSION_FIRST, 0};

	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		uint8_t bytes[4];
		struct writer w = {bytes, sizeof bytes, false};
		struct reader reader = {bytes, sizeof bytes};
		TPM_HANDLE read;

		write_u32(&w, some[i]);
		if (type_read(type, &read, &reader, false) == 0)
			return some[i];
	}
	fail_msg("no handle for a %s", type->name);
	return 0;
}

/* Every command that ends within its handles, at each of them. */
static void handles_5_4_that_end_early(void **state)
{
	struct rig *r = *state;

	for (size_t c = 0; c < command_count; c++) {
		uint8_t bytes[10 + 4 * MAX_HANDLE_NUM] = {0x80, 1};
		struct writer w = {bytes + 6, sizeof bytes - 6, false};

		write_u32(&w, commands[c]->code);
		for (unsigned n = 0; commands[c]->handles[n].type; n++) {
			size_t len = sizeof bytes - w.left;

			RC(send_bytes(r, bytes, len + 3), RC_H(n + 1, TPM_RC_INSUFFICIENT));
			write_u32(&w, any_handle(commands[c]->handles[n].type));
		}
	}
}

/* What is not loaded is told by its place among the handles. */
static void handles_5_4_that_are_not_loaded(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE key = storage_primary(r);
	struct ObjectChangeAuth_in change = {.objectHandle = key, .parentHandle = key + 1};
	struct PolicyNV_in policy = {.authHandle = TPM_RH_OWNER,
				     .nvIndex = NV_INDEX_FIRST,
				     .policySession = POLICY_SESSION_FIRST};

	RC(RIG_RUN(r, ObjectChangeAuth, &change, NULL), TPM_RC_REFERENCE_H0 + 1);
	rig_define(r, NV_INDEX_FIRST, TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE, 8, "");
	RC(RIG_RUN(r, PolicyNV, &policy, NULL), TPM_RC_REFERENCE_H0 + 2);
}

/* TPM2_GetRandom with this session area. */
static tpm_rc with_area(struct rig *r, uint32_t size, const void *area, size_t len)
{
	uint8_t bytes[1024] = {0x80, 2};
	struct writer w = {bytes + 6, sizeof bytes - 6, false};

	write_u32(&w, TPM_CC_GetRandom);
	write_u32(&w, size);
	write_bytes(&w, area, len);
	write_u16(&w, 8);
	return send_bytes(r, bytes, sizeof bytes - w.left);
}

static void session_area_5_5_of_a_wrong_size(void **state)
{
	static const uint8_t password[9] = {0x40, 0, 0, 9};
	struct rig *r = *state;
	uint8_t four[4 * (4 + 2 + 1 + 2)] = {0};
	TPM_HANDLE sessions[4];

	NATIVE_ONLY(r); /* libtpms: TPM_RC_SIZE (docs/differences.md) */
	RC(with_area(r, 0, password, 0), TPM_RC_AUTHSIZE);
	RC(with_area(r, 8, password, 9), TPM_RC_AUTHSIZE);
	RC(with_area(r, 12, password, 9), TPM_RC_AUTHSIZE); /* more than there is */
	RC(with_area(r, 0xFFFFFFFF, password, 9), TPM_RC_AUTHSIZE);
	/* three sessions are the most; what comes after them is too much */
	for (unsigned i = 0; i < 4; i++) {
		struct writer w = {four + 9 * i, 9, false};

		sessions[i] = rig_session(r, TPM_SE_HMAC).handle;
		write_u32(&w, sessions[i]);
		write_u16(&w, 0);
		write_u8(&w, i == 0 ? TPMA_SESSION_AUDIT | 1 : 1);
	}
	RC(with_area(r, sizeof four, four, sizeof four), TPM_RC_AUTHSIZE);
	RC(with_area(r, 28, four, 28), TPM_RC_AUTHSIZE);
}

static void sessions_5_5_that_cannot_be_read(void **state)
{
	static const uint8_t short_hmac[] = {0x40, 0, 0, 9, 0, 1, 0xAA, 1, 0};
	static const uint8_t long_nonce[] = {0x40, 0, 0, 9, 0, 65, 1, 0, 0};
	static const uint8_t nonce[] = {0x40, 0, 0, 9, 0, 1, 0xAA, 1, 0, 0};
	static const uint8_t reserved[] = {0x40, 0, 0, 9, 0, 0, 0x08, 0, 0};
	static const uint8_t no_session[] = {0x80, 0, 0, 0, 0, 0, 1, 0, 0};
	static const uint8_t absent[] = {2, 0, 0, 0, 0, 0, 1, 0, 0};
	struct rig *r = *state;

	RC(with_area(r, sizeof short_hmac, short_hmac, sizeof short_hmac),
	   RC_S(1, TPM_RC_INSUFFICIENT));
	RC(with_area(r, sizeof long_nonce, long_nonce, sizeof long_nonce), RC_S(1, TPM_RC_SIZE));
	RC(with_area(r, sizeof nonce, nonce, sizeof nonce), RC_S(1, TPM_RC_NONCE));
	RC(with_area(r, sizeof reserved, reserved, sizeof reserved), RC_S(1, TPM_RC_RESERVED_BITS));
	RC(with_area(r, sizeof no_session, no_session, sizeof no_session), RC_S(1, TPM_RC_VALUE));
	RC(with_area(r, sizeof absent, absent, sizeof absent), TPM_RC_REFERENCE_S0);
}

/* The third session is not there. */
static void sessions_5_5_that_are_not_loaded(void **state)
{
	struct rig *r = *state;
	struct client_session s[3] = {rig_session(r, TPM_SE_HMAC), rig_session(r, TPM_SE_HMAC),
				      rig_session(r, TPM_SE_HMAC)};
	struct GetRandom_in in = {.bytesRequested = 8};

	s[0].attributes |= TPMA_SESSION_AUDIT;
	s[0].symmetric = (TPMT_SYM_DEF){TPM_ALG_XOR, {.exclusiveOr = TPM_ALG_SHA256}, {0}};
	rig_flush(r, s[2].handle);
	rig_sessions(r, s, 3);
	RC(RIG_RUN(r, GetRandom, &in, NULL), TPM_RC_REFERENCE_S0 + 2);
}

/* Part 1, 19.6.11: what was to be exclusive was interrupted. */
static void audit_that_is_not_exclusive(void **state)
{
	struct rig *r = *state;
	struct client_session s = rig_session(r, TPM_SE_HMAC);
	struct GetRandom_in in = {.bytesRequested = 8};

	s.attributes |= TPMA_SESSION_AUDIT;
	rig_sessions(r, &s, 1);
	OK(RIG_RUN(r, GetRandom, &in, NULL));
	OK(RIG_RUN(r, GetRandom, &in, NULL)); /* not audited by it */
	s = r->sessions[0];
	s.attributes |= TPMA_SESSION_AUDITEXCLUSIVE;
	rig_fresh_nonce(r, &s);
	rig_sessions(r, &s, 1);
	RC(RIG_RUN(r, GetRandom, &in, NULL), TPM_RC_EXCLUSIVE);
}

/* ---- 11.1 ---- */

static struct StartAuthSession_in start_in(void)
{
	return (struct StartAuthSession_in){.tpmKey = TPM_RH_NULL,
					    .bind = TPM_RH_NULL,
					    .nonceCaller.size = 16,
					    .sessionType = TPM_SE_HMAC,
					    .symmetric.algorithm = TPM_ALG_NULL,
					    .authHash = TPM_ALG_SHA256};
}

static tpm_rc start(struct rig *r, const struct StartAuthSession_in *in, TPM_HANDLE *handle)
{
	struct StartAuthSession_out out;
	tpm_rc rc = RIG_RUN(r, StartAuthSession, in, &out);

	if (handle)
		*handle = out.handle;
	return rc;
}

static void start_11_1_parameters(void **state)
{
	struct rig *r = *state;
	struct StartAuthSession_in in = start_in();

	in.nonceCaller.size = 15;
	RC(start(r, &in, NULL), RC_P(1, TPM_RC_SIZE));
	in.nonceCaller.size = 33;
	RC(start(r, &in, NULL), RC_P(1, TPM_RC_SIZE));
	in.nonceCaller.size = 32;
	in.encryptedSalt.size = 1; /* for nobody */
	RC(start(r, &in, NULL), RC_P(2, TPM_RC_VALUE));
	in.encryptedSalt.size = 0;
	in.symmetric = (TPMT_SYM_DEF){TPM_ALG_AES, {.aes = 128}, {.aes = TPM_ALG_NULL}};
	RC(start(r, &in, NULL), RC_P(4, TPM_RC_MODE));
	in.symmetric.mode.aes = 0x7FFF;
	RC(start(r, &in, NULL), RC_P(4, TPM_RC_MODE));
	in.symmetric.mode.aes = TPM_ALG_CFB;
	OK(start(r, &in, NULL));
}

/* A key that decrypts, both parts loaded, asymmetric. */
static void start_11_1_tpmKey(void **state)
{
	struct rig *r = *state;
	struct StartAuthSession_in in = start_in();
	TPMT_PUBLIC sign = rig_signing_template();
	struct ReadPublic_out read;
	struct key key, public;

	in.encryptedSalt.size = 70;
	in.tpmKey = must_primary(r, TPM_RH_OWNER, &sign);
	RC(start(r, &in, NULL), RC_H(1, TPM_RC_ATTRIBUTES));
	key = make_hmac(r, TPMA_OBJECT_SIGN | USER, TPM_ALG_SHA256, "secret");
	in.tpmKey = key.handle;
	RC(start(r, &in, NULL), RC_H(1, TPM_RC_KEY));
	rig_flush(r, key.handle);
	in.tpmKey = storage_primary(r);
	read = read_public(r, in.tpmKey);
	public = load_public(r, &read.outPublic.publicArea, TPM_RH_NULL);
	in.tpmKey = public.handle;
	RC(start(r, &in, NULL), RC_H(1, TPM_RC_HANDLE));
	in.tpmKey = TPM_RH_NULL;
	in.encryptedSalt.size = 0;
	in.bind = public.handle; /* has no authValue that anybody knows */
	RC(start(r, &in, NULL), RC_H(2, TPM_RC_HANDLE));
}

/* Whatever is wrong with the salt is TPM_RC_VALUE. */
static void start_11_1_encryptedSalt(void **state)
{
	struct rig *r = *state;
	struct StartAuthSession_in in = start_in();
	struct MakeCredential_in make = {.credential.size = 0};
	struct MakeCredential_out made;
	struct key rsa;

	make.handle_ = in.tpmKey = storage_primary(r);
	OK(RIG_RUN(r, MakeCredential, &make, &made)); /* a point of the curve */
	in.encryptedSalt = made.secret;
	OK(start(r, &in, NULL));
	in.encryptedSalt.buffer[5] ^= 1; /* and none */
	RC(start(r, &in, NULL), RC_P(2, TPM_RC_VALUE));
	in.encryptedSalt.size = 3;
	RC(start(r, &in, NULL), RC_P(2, TPM_RC_VALUE));
	memset(in.encryptedSalt.buffer, 0xFF, 4);
	RC(start(r, &in, NULL), RC_P(2, TPM_RC_VALUE));
	in.encryptedSalt.size = 0;
	RC(start(r, &in, NULL), RC_P(2, TPM_RC_VALUE));
	rsa = load_rsa(r, TPMA_OBJECT_DECRYPT | USER, TPM_ALG_NULL, 0, true);
	in.tpmKey = rsa.handle;
	in.encryptedSalt.size = 255;
	RC(start(r, &in, NULL), RC_P(2, TPM_RC_VALUE));
	in.encryptedSalt.size = 256;
	memcpy(in.encryptedSalt.buffer, vector_oaep, 256); /* of another label */
	if (!on_libtpms(r))
		RC(start(r, &in, NULL), RC_P(2, TPM_RC_VALUE));
	memcpy(in.encryptedSalt.buffer, vector_n, 256);
	if (!on_libtpms(r))
		RC(start(r, &in, NULL), RC_P(2, TPM_RC_VALUE));
}

/* A key without a name has no hash to recover a salt with. */
static void start_11_1_for_a_key_without_a_name(void **state)
{
	struct rig *r = *state;
	struct StartAuthSession_in in = start_in();
	TPMT_PUBLIC t =
		template_ecc(TPMA_OBJECT_DECRYPT | USER, TPM_ECC_NIST_P256, TPM_ALG_NULL, 0);
	TPMT_SENSITIVE s = {.sensitiveType = TPM_ALG_ECC, .sensitive.ecc = {1, {7}}};
	struct cvtpm_ecc_key point = {.public.curve = CVTPM_P256};
	struct LoadExternal_out loaded;
	TPMS_ECC_POINT salt;

	NATIVE_ONLY(r);
	point.d[31] = 7;
	assert_int_equal(cvtpm_ecc_make_public(&point), 0);
	salt.x.size = salt.y.size = 32;
	memcpy(salt.x.buffer, point.public.x, 32);
	memcpy(salt.y.buffer, point.public.y, 32);
	t.nameAlg = TPM_ALG_NULL;
	t.unique.ecc = salt;
	OK(load_external(r, &t, &s, TPM_RH_NULL, &loaded));
	in.tpmKey = loaded.handle;
	in.encryptedSalt.size = (uint16_t)type_marshal(&type_TPMS_ECC_POINT, &salt,
						       in.encryptedSalt.buffer, sizeof salt);
	RC(start(r, &in, NULL), RC_P(2, TPM_RC_VALUE));
}

static void start_11_1_without_room(void **state)
{
	struct rig *r = *state;
	struct StartAuthSession_in in = start_in();
	TPM_HANDLE handle = 0, last = 0;
	unsigned loaded = 0, saved = 0;
	tpm_rc rc;

	while ((rc = start(r, &in, &handle)) == 0 && loaded < 100) {
		last = handle;
		loaded++;
	}
	RC(rc, TPM_RC_SESSION_MEMORY);
	/* saved sessions keep their handles */
	rig_flush(r, last);
	while ((rc = start(r, &in, &handle)) == 0 && saved < 100) {
		struct ContextSave_in save = {.saveHandle = handle};

		OK(RIG_RUN(r, ContextSave, &save, NULL));
		saved++;
	}
	RC(rc, TPM_RC_SESSION_HANDLES);
	assert_int_equal(loaded - 1 + saved, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(handles_5_4_that_end_early),
		OBJECT_TEST(handles_5_4_that_are_not_loaded),
		OBJECT_TEST(session_area_5_5_of_a_wrong_size),
		OBJECT_TEST(sessions_5_5_that_cannot_be_read),
		OBJECT_TEST(sessions_5_5_that_are_not_loaded),
		OBJECT_TEST(audit_that_is_not_exclusive),
		OBJECT_TEST(start_11_1_parameters),
		OBJECT_TEST(start_11_1_tpmKey),
		OBJECT_TEST(start_11_1_encryptedSalt),
		OBJECT_TEST(start_11_1_for_a_key_without_a_name),
		OBJECT_TEST(start_11_1_without_room),
	};

	return cmocka_run_group_tests_name("codes of sessions", tests, NULL, NULL);
}
