/*
 * What the engine refuses, code by code, where the tests of the chapters do not come by
 * (codes.def): testing, objects, sequences, signatures, hierarchies, contexts (Part 3, 10,
 * 12, 13, 17, 20, 24 and 28).
 */
#include "objects.h"

#include "tpm/tpm.h"

#include "crypto/kdf.h"
#include "crypto/mem.h"

#define NAMED_USER (TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA)

static const TPMT_SYM_DEF_OBJECT no_inner = {.algorithm = TPM_ALG_NULL};

/* ---- helpers ---- */

/* The key pair of the private key `d`. */
static TPMS_ECC_POINT point_of(uint8_t d)
{
	struct cvtpm_ecc_key key = {.public.curve = CVTPM_P256};
	TPMS_ECC_POINT point = {.x.size = 32, .y.size = 32};

	key.d[31] = d;
	assert_int_equal(cvtpm_ecc_make_public(&key), 0);
	memcpy(point.x.buffer, key.public.x, 32);
	memcpy(point.y.buffer, key.public.y, 32);
	return point;
}

/* A parent whose seed the test knows: it came from outside, under one that is fixed. */
static TPM_HANDLE open_parent(struct rig *r, TPM2B_DIGEST *seed)
{
	TPM_HANDLE root = storage_primary(r), parent;
	TPMT_PUBLIC t = movable(rig_storage_template(), NULL);
	TPMT_SENSITIVE s = {.sensitiveType = TPM_ALG_ECC, .sensitive.ecc = {1, {9}}};
	TPM2B_PUBLIC public = {.size = 1};
	struct Import_out out;

	seed->size = 32;
	memset(seed->buffer, 0x5E, 32);
	s.seedValue = *seed;
	t.unique.ecc = point_of(9);
	public.publicArea = t;
	assert_rc(import_plain(r, root, &t, &s, &out), 0);
	assert_rc(load(r, root, &out.outPrivate, &public, &parent), 0);
	rig_flush(r, root);
	return parent;
}

/* A private area with right integrity around any bytes (Part 1, 22 and 23), for a parent
 * with SHA-256 and AES-128. */
static TPM2B_PRIVATE forge(const TPM2B_DIGEST *seed, const TPMT_PUBLIC *public, uint16_t iv_size,
			   const char *plain)
{
	const struct cvtpm_octets nothing = {NULL, 0}, secret = OCTETS(*seed);
	uint8_t area[1024], name[34] = {0, TPM_ALG_SHA256}, key[32], iv[16] = {0};
	size_t len = type_marshal(&type_TPMT_PUBLIC, public, area, sizeof area);
	TPM2B_PRIVATE out = {.size = 0};
	uint8_t *at = out.buffer + 34;
	struct cvtpm_hmac hmac;

	assert_int_equal(cvtpm_hash(CVTPM_SHA256, area, len, name + 2), 0);
	assert_int_equal(cvtpm_kdfa(CVTPM_SHA256, secret, CVTPM_TEXT("STORAGE"),
				    (struct cvtpm_octets){name, 34}, nothing, 128, key),
			 0);
	*at++ = 0;
	*at++ = (uint8_t)iv_size;
	at += iv_size;
	len = strlen(plain);
	assert_int_equal(
		cvtpm_aes_encrypt(CVTPM_AES_CFB, key, 128, iv, (const uint8_t *)plain, len, at), 0);
	at += len;
	assert_int_equal(cvtpm_kdfa(CVTPM_SHA256, secret, CVTPM_TEXT("INTEGRITY"), nothing, nothing,
				    256, key),
			 0);
	assert_int_equal(cvtpm_hmac_begin(&hmac, CVTPM_SHA256, key, 32), 0);
	cvtpm_hmac_update(&hmac, out.buffer + 34, (size_t)(at - out.buffer - 34));
	cvtpm_hmac_update(&hmac, name, sizeof name);
	out.buffer[1] = 32;
	cvtpm_hmac_end(&hmac, out.buffer + 2);
	out.size = (uint16_t)(at - out.buffer);
	return out;
}

/* Takes all places for objects. Returns the handle of the last. */
static TPM_HANDLE fill(struct rig *r)
{
	struct HashSequenceStart_in in = {.hashAlg = TPM_ALG_SHA256};
	struct HashSequenceStart_out out;
	TPM_HANDLE last = 0;
	tpm_rc rc;

	while ((rc = RIG_RUN(r, HashSequenceStart, &in, &out)) == 0)
		last = out.handle;
	assert_rc(rc, TPM_RC_OBJECT_MEMORY);
	return last;
}

static TPM2B_TEMPLATE template_bytes(const TPMT_PUBLIC *from)
{
	TPM2B_TEMPLATE t;

	t.size = (uint16_t)type_marshal(&type_TPMT_PUBLIC, from, t.buffer, sizeof t.buffer);
	assert_true(t.size > 0);
	return t;
}

/* ---- 10.3 ---- */

static void incremental_self_test_10_3_cancelled(void **state)
{
	struct rig *r = *state;
	struct IncrementalSelfTest_in in = {.toTest = {1, {TPM_ALG_AES}}};

	NATIVE_ONLY(r);
	r->cancelled = true;
	assert_rc(RIG_RUN(r, IncrementalSelfTest, &in, NULL), TPM_RC_CANCELED);
}

/* ---- 12.2 ---- */

static void load_12_2_without_a_name(void **state)
{
	struct rig *r = *state;
	TPM2B_PUBLIC public = {1, rig_signing_template()};
	TPM2B_PRIVATE private = {1, {0}};

	public.publicArea.nameAlg = TPM_ALG_NULL;
	assert_rc(load(r, storage_primary(r), &private, &public, NULL), RC_P(2, TPM_RC_HASH));
}

/* Whoever knows a parent's seed can close a blob around anything. */
static void load_12_2_of_a_forged_blob(void **state)
{
	struct rig *r = *state;
	TPM2B_DIGEST seed;
	TPM_HANDLE parent = open_parent(r, &seed);
	TPM2B_PUBLIC public = {1, movable(rig_signing_template(), NULL)};
	TPM2B_PRIVATE blob;

	blob = forge(&seed, &public.publicArea, 15, "an iv that is too short");
	assert_rc(load(r, parent, &blob, &public, NULL), RC_P(1, TPM_RC_VALUE));
	blob = forge(&seed, &public.publicArea, 17, "an iv that is too long");
	assert_rc(load(r, parent, &blob, &public, NULL), RC_P(1, TPM_RC_SIZE));
	blob = forge(&seed, &public.publicArea, 16, "no sensitive area");
	assert_rc(load(r, parent, &blob, &public, NULL), TPM_RC_SENSITIVE);
	NATIVE_ONLY(r); /* libtpms: TPM_RC_INSUFFICIENT, where the clause has one code for both */
	blob = forge(&seed, &public.publicArea, 16, "");
	assert_rc(load(r, parent, &blob, &public, NULL), TPM_RC_SENSITIVE);
}

/* Under a parent that is not fixed, what was imported is looked at when it is loaded. */
static void load_12_2_of_an_odd_rsa_key(void **state)
{
	struct rig *r = *state;
	TPM2B_DIGEST seed;
	TPM_HANDLE parent = open_parent(r, &seed);
	TPM2B_PUBLIC public = {1, movable(rsa_template(false), NULL)};
	TPMT_SENSITIVE s = {.sensitiveType = TPM_ALG_RSA, .sensitive.rsa = {128, {0x80}}};
	struct Import_out out;

	public.publicArea.unique.rsa = (TPM2B_PUBLIC_KEY_RSA){255, {0xFF}};
	assert_rc(import_plain(r, parent, &public.publicArea, &s, &out), 0);
	assert_rc(load(r, parent, &out.outPrivate, &public, NULL), RC_P(2, TPM_RC_KEY));
}

/* ---- 12.3 ---- */

static void load_external_12_3(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rig_signing_template();
	struct LoadExternal_out out;

	t.nameAlg = 0x7FFF;
	assert_rc(load_external(r, &t, NULL, TPM_RH_NULL, &out), RC_P(2, TPM_RC_HASH));
	t = movable(rig_signing_template(), NULL);
	t.unique.ecc = point_of(7);
	fill(r);
	assert_rc(load_external(r, &t, NULL, TPM_RH_NULL, &out), TPM_RC_OBJECT_MEMORY);
}

/* ---- 12.5 ---- */

static void activate_credential_12_5(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC rsa = rsa_template(true);
	TPM_HANDLE key = storage_primary(r);
	struct MakeCredential_in make = {
		.handle_ = key, .credential = {1, "x"}, .objectName = read_public(r, key).name};
	struct MakeCredential_out made;
	struct ActivateCredential_in in = {.activateHandle = key, .keyHandle = key}, wrong;

	assert_rc(RIG_RUN(r, MakeCredential, &make, &made), 0);
	in.credentialBlob = made.credentialBlob;
	in.secret = made.secret;
	assert_rc(RIG_RUN(r, ActivateCredential, &in, NULL), 0);
	wrong = in;
	wrong.credentialBlob.size = 1;
	assert_rc(RIG_RUN(r, ActivateCredential, &wrong, NULL), RC_P(1, TPM_RC_INSUFFICIENT));
	wrong = in;
	wrong.credentialBlob.buffer[1] = MAX_DIGEST_SIZE + 1;
	assert_rc(RIG_RUN(r, ActivateCredential, &wrong, NULL), RC_P(1, TPM_RC_SIZE));
	wrong = in;
	wrong.secret.buffer[5] ^= 1;
	assert_rc(RIG_RUN(r, ActivateCredential, &wrong, NULL), RC_P(2, TPM_RC_ECC_POINT));
	/* and with an RSA key: a ciphertext of nothing */
	key = make.handle_ = in.keyHandle = must_primary(r, TPM_RH_OWNER, &rsa);
	assert_rc(RIG_RUN(r, MakeCredential, &make, &made), 0);
	in.secret = made.secret;
	in.secret.buffer[255] ^= 1;
	NATIVE_ONLY(r);
	assert_rc(RIG_RUN(r, ActivateCredential, &in, NULL), RC_P(2, TPM_RC_VALUE));
}

/* ---- 12.9 ---- */

static void create_loaded_12_9(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rsa_template(false);
	struct CreateLoaded_in in = {.parentHandle = storage_primary(r)};

	t.parameters.rsaDetail.exponent = 3;
	in.inPublic = template_bytes(&t);
	assert_rc(RIG_RUN(r, CreateLoaded, &in, NULL), TPM_RC_RANGE);
	fill(r);
	assert_rc(RIG_RUN(r, CreateLoaded, &in, NULL), TPM_RC_OBJECT_MEMORY);
}

/* ---- Part 2, 11.1.7: what protects others does that in CFB ---- */

static const TPM_ALG_ID other_modes[] = {TPM_ALG_CTR, TPM_ALG_OFB, TPM_ALG_CBC, TPM_ALG_ECB};

static void parents_are_not_made_with_other_modes(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE root = storage_primary(r);
	struct CreateLoaded_in derive = {.parentHandle = root};
	struct CreatePrimary_out made;
	struct Create_out created;

	NATIVE_ONLY(r);
	for (size_t m = 0; m < 4; m++) {
		TPMT_PUBLIC t[2] = {rig_storage_template(), symmetric_parent_template()};

		t[0].parameters.eccDetail.symmetric.mode.aes = other_modes[m];
		t[1].parameters.symDetail.sym.mode.aes = other_modes[m];
		for (size_t n = 0; n < 2; n++) {
			assert_rc(primary(r, TPM_RH_OWNER, &t[n], NULL, &made),
				  RC_P(2, TPM_RC_MODE));
			assert_rc(create(r, root, &t[n], NULL, &created), RC_P(2, TPM_RC_MODE));
			derive.inPublic = template_bytes(&t[n]);
			assert_rc(RIG_RUN(r, CreateLoaded, &derive, NULL), RC_P(2, TPM_RC_MODE));
		}
	}
}

/* Under a parent that may move, TPM2_Import does not look, and TPM2_Load does. */
static void parents_are_not_loaded_with_other_modes(void **state)
{
	struct rig *r = *state;
	TPM2B_DIGEST seed;
	TPM_HANDLE root = storage_primary(r), open;
	TPMT_SENSITIVE s = {
		.sensitiveType = TPM_ALG_ECC, .sensitive.ecc = {1, {9}}, .seedValue.size = 32};
	TPMT_PUBLIC t = movable(rig_storage_template(), NULL);
	struct LoadExternal_out external;
	struct Import_out out;

	NATIVE_ONLY(r);
	t.unique.ecc = point_of(9);
	open = open_parent(r, &seed);
	for (size_t m = 0; m < 4; m++) {
		TPM2B_PUBLIC public = {.size = 1};

		t.parameters.eccDetail.symmetric.mode.aes = other_modes[m];
		public.publicArea = t;
		assert_rc(import_plain(r, root, &t, &s, &out), RC_P(2, TPM_RC_MODE));
		assert_rc(import_plain(r, open, &t, &s, &out), 0);
		assert_rc(load(r, open, &out.outPrivate, &public, NULL), RC_P(2, TPM_RC_MODE));
		assert_rc(load_external(r, &t, NULL, TPM_RH_OWNER, &external),
			  RC_P(2, TPM_RC_MODE));
	}
}

/* Symmetric keys that are no parents have the mode they like, also by these ways. */
static void children_have_any_mode(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE root = storage_primary(r);

	for (size_t m = 0; m < 4; m++) {
		TPMT_PUBLIC t = cipher_template(128);
		TPM_HANDLE key;

		t.parameters.symDetail.sym.mode.aes = other_modes[m];
		key = must_load(r, root, &t);
		assert_int_equal(
			read_public(r, key).outPublic.publicArea.parameters.symDetail.sym.mode.aes,
			other_modes[m]);
		rig_flush(r, key);
	}
}

/* One that names no mode protects in CFB, as releases before and other TPMs have it. */
static void a_parent_without_a_mode(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = symmetric_parent_template(), child = rig_signing_template();
	TPM_HANDLE parent;

	t.parameters.symDetail.sym.mode.aes = TPM_ALG_NULL;
	parent = must_primary(r, TPM_RH_OWNER, &t);
	must_load(r, parent, &child);
}

/* Inner wrappers. */
static void duplication_has_no_other_mode(void **state)
{
	struct rig *r = *state;
	TPM2B_DIGEST policy = duplicate_policy(r);
	TPMT_PUBLIC t = movable(rig_signing_template(), &policy);
	struct Duplicate_in out = {.newParentHandle = TPM_RH_NULL};
	struct Import_in in = {.encryptionKey.size = 16, .duplicate.size = 1};

	NATIVE_ONLY(r);
	in.parentHandle = storage_primary(r);
	out.objectHandle = must_load(r, in.parentHandle, &t);
	in.objectPublic.size = 1;
	in.objectPublic.publicArea = t;
	for (size_t m = 0; m < 4; m++) {
		struct client_session s = duplicate_session(r);

		out.symmetricAlg = in.symmetricAlg =
			(TPMT_SYM_DEF_OBJECT){TPM_ALG_AES, {.aes = 128}, {.aes = other_modes[m]}};
		rig_sessions(r, &s, 1);
		assert_rc(RIG_RUN(r, Duplicate, &out, NULL), RC_P(2, TPM_RC_MODE));
		assert_rc(RIG_RUN(r, Import, &in, NULL), RC_P(5, TPM_RC_MODE));
		rig_flush(r, s.handle);
	}
}

/* ---- 13.3 ---- */

static void import_13_3_public_area(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC t = movable(rig_signing_template(), NULL);
	TPMT_SENSITIVE s = {.sensitiveType = TPM_ALG_ECC, .sensitive.ecc = {1, {9}}};
	struct Import_out out;

	t.unique.ecc = point_of(9);
	t.nameAlg = TPM_ALG_NULL;
	assert_rc(import_plain(r, parent, &t, &s, &out), RC_P(2, TPM_RC_HASH));
	t.nameAlg = TPM_ALG_SHA256;
	t.parameters.eccDetail.symmetric =
		(TPMT_SYM_DEF_OBJECT){TPM_ALG_AES, {.aes = 128}, {TPM_ALG_CFB}};
	assert_rc(import_plain(r, parent, &t, &s, &out), RC_P(2, TPM_RC_SYMMETRIC));
	t = movable(rsa_template(false), NULL);
	t.unique.rsa = (TPM2B_PUBLIC_KEY_RSA){255, {0xFF}};
	s = (TPMT_SENSITIVE){.sensitiveType = TPM_ALG_RSA, .sensitive.rsa = {128, {0x80}}};
	assert_rc(import_plain(r, parent, &t, &s, &out), RC_P(2, TPM_RC_KEY));
}

static void import_13_3_blob(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC rsa = rsa_template(true);
	struct Import_in in = {.parentHandle = must_primary(r, TPM_RH_OWNER, &rsa),
			       .objectPublic.publicArea = movable(rig_signing_template(), NULL),
			       .duplicate.size = 1,
			       .symmetricAlg = no_inner};

	assert_rc(RIG_RUN(r, Import, &in, NULL), RC_P(3, TPM_RC_INSUFFICIENT));
	in.inSymSeed.size = 255;
	assert_rc(RIG_RUN(r, Import, &in, NULL), RC_P(4, TPM_RC_SIZE));
	in.inSymSeed.size = 256; /* a number, but no ciphertext */
	in.inSymSeed.buffer[255] = 1;
	NATIVE_ONLY(r);
	assert_rc(RIG_RUN(r, Import, &in, NULL), RC_P(4, TPM_RC_VALUE));
}

/* ---- 17.2 ---- */

static void hmac_start_17_2_without_room(void **state)
{
	struct rig *r = *state;
	struct key key = make_hmac(r, TPMA_OBJECT_SIGN | NAMED_USER, TPM_ALG_SHA256, "secret");
	struct HMAC_Start_in in = {.handle_ = key.handle, .hashAlg = TPM_ALG_NULL};

	fill(r);
	assert_rc(RIG_RUN(r, HMAC_Start, &in, NULL), TPM_RC_OBJECT_MEMORY);
}

/* ---- 20.2 ---- */

/* Without a name the halves are not compared; a point that has no room on the curve is
 * noticed when it is used. */
static void sign_20_2_with_halves_that_do_not_fit(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t =
		template_ecc(TPMA_OBJECT_SIGN | NAMED_USER, TPM_ECC_NIST_P256, TPM_ALG_NULL, 0);
	TPMT_SENSITIVE s = {.sensitiveType = TPM_ALG_ECC, .sensitive.ecc = {1, {7}}};
	struct Sign_in in = {.digest.size = 32,
			     .inScheme = {TPM_ALG_ECDSA, {.ecdsa.hashAlg = TPM_ALG_SHA256}},
			     .validation = {TPM_ST_HASHCHECK, TPM_RH_NULL, {.size = 0}}};
	struct LoadExternal_out out;

	NATIVE_ONLY(r);
	t.nameAlg = TPM_ALG_NULL;
	t.unique.ecc.x.size = MAX_ECC_KEY_BYTES;
	memset(t.unique.ecc.x.buffer, 0xFF, MAX_ECC_KEY_BYTES);
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), 0);
	in.keyHandle = out.handle;
	assert_rc(RIG_RUN(r, Sign, &in, NULL), TPM_RC_BINDING);
	in.validation.tag = TPM_ST_VERIFIED;
	assert_rc(RIG_RUN(r, Sign, &in, NULL), RC_P(3, TPM_RC_TAG));
}

/* ---- 24.1, 24.8 ---- */

static void create_primary_24_1(void **state)
{
	static const uint8_t data[65] = {1};
	struct rig *r = *state;
	TPMT_PUBLIC t = rig_signing_template();
	TPM2B_SENSITIVE_CREATE given = sensitive("", data, sizeof data);
	struct CreatePrimary_out out;

	t.parameters.eccDetail.symmetric =
		(TPMT_SYM_DEF_OBJECT){TPM_ALG_AES, {.aes = 128}, {TPM_ALG_CFB}};
	assert_rc(primary(r, TPM_RH_OWNER, &t, NULL, &out), RC_P(2, TPM_RC_SYMMETRIC));
	t = rsa_template(false);
	t.parameters.rsaDetail.exponent = 3;
	assert_rc(primary(r, TPM_RH_OWNER, &t, NULL, &out), TPM_RC_RANGE);
	t = hmac_template();
	t.objectAttributes &= ~(uint32_t)TPMA_OBJECT_SENSITIVEDATAORIGIN;
	assert_rc(primary(r, TPM_RH_OWNER, &t, &given, &out), TPM_RC_SIZE);
	NATIVE_ONLY(r);
	t = rsa_template(false);
	r->cancelled = true;
	assert_rc(primary(r, TPM_RH_OWNER, &t, NULL, &out), TPM_RC_CANCELED);
}

/* Bytes that no structure of ours can hold. */
static void hierarchies_24_parameters_by_bytes(void **state)
{
	struct rig *r = *state;
	uint8_t change[27 + 2 + 65] = {0x80, 2, 0, 0, 0, sizeof change, 0, 0, 1, 0x29, 0x40, 0, 0,
				       1,    0, 0, 0, 9, 0x40,          0, 0, 9, 0,    0,    1, 0,
				       0,    0, 65};
	uint8_t create[27 + 6 + 4] = {0x80, 2, 0, 0,    0,    sizeof create,
				      0,    0, 1, 0x31, 0x40, 0,
				      0,    1, 0, 0,    0,    9,
				      0x40, 0, 0, 9,    0,    0,
				      1,    0, 0, 0,    4,    0,
				      0,    0, 0, 0,    2,    0x77,
				      0x77};

	assert_rc(rig_raw(r, change, sizeof change), RC_P(1, TPM_RC_SIZE));
	assert_rc(rig_raw(r, create, sizeof create), RC_P(2, TPM_RC_TYPE));
}

/* ---- 28.2, 28.3 ---- */

/* After 2^64 contexts; nobody waits for that. */
static void context_save_28_2_numbers_end(void **state)
{
	struct rig *r = *state;
	struct ContextSave_in in = {.saveHandle = rig_session(r, TPM_SE_HMAC).handle};

	NATIVE_ONLY(r);
	((struct tpm *)r->memory)->contexts.sessionCounter = UINT64_MAX - 1;
	assert_rc(RIG_RUN(r, ContextSave, &in, NULL), TPM_RC_TOO_MANY_CONTEXTS);
}

static void context_load_28_3_without_room(void **state)
{
	struct rig *r = *state;
	struct ContextSave_in in = {.saveHandle = storage_primary(r)};
	struct ContextSave_out out;
	struct ContextLoad_in back;

	assert_rc(RIG_RUN(r, ContextSave, &in, &out), 0);
	back.context = out.context;
	rig_flush(r, fill(r));
	assert_rc(RIG_RUN(r, ContextLoad, &back, NULL), 0);
	assert_rc(RIG_RUN(r, ContextLoad, &back, NULL), TPM_RC_OBJECT_MEMORY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(incremental_self_test_10_3_cancelled),
		OBJECT_TEST(load_12_2_without_a_name),
		OBJECT_TEST(load_12_2_of_a_forged_blob),
		OBJECT_TEST(load_12_2_of_an_odd_rsa_key),
		OBJECT_TEST(load_external_12_3),
		OBJECT_TEST(activate_credential_12_5),
		OBJECT_TEST(create_loaded_12_9),
		OBJECT_TEST(parents_are_not_made_with_other_modes),
		OBJECT_TEST(parents_are_not_loaded_with_other_modes),
		OBJECT_TEST(children_have_any_mode),
		OBJECT_TEST(a_parent_without_a_mode),
		OBJECT_TEST(duplication_has_no_other_mode),
		OBJECT_TEST(import_13_3_public_area),
		OBJECT_TEST(import_13_3_blob),
		OBJECT_TEST(hmac_start_17_2_without_room),
		OBJECT_TEST(sign_20_2_with_halves_that_do_not_fit),
		OBJECT_TEST(create_primary_24_1),
		OBJECT_TEST(hierarchies_24_parameters_by_bytes),
		OBJECT_TEST(context_save_28_2_numbers_end),
		OBJECT_TEST(context_load_28_3_without_room),
	};

	return cmocka_run_group_tests_name("codes of objects", tests, NULL, NULL);
}
