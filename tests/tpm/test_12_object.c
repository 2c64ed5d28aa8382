/* Part 3, 12: object commands, rule by rule. */
#include "keys.h"
#include "objects.h"

#include "crypto/crypto.h"

#include <string.h>

#define SET_BITS(field, bits)   ((field) |= (uint32_t)(bits))
#define CLEAR_BITS(field, bits) ((field) &= ~(uint32_t)(bits))

/* ---- 12.1 TPM2_Create ---- */

/* Objects of every type are made, loaded, and have the name that their public area gives. */
static void test_create_every_type(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	const uint8_t data[5] = "seal!";
	TPMT_PUBLIC templates[] = {
		rig_storage_template(), rig_signing_template(),      rsa_template(false),
		hmac_template(),        sealed_template(),           cipher_template(128),
		cipher_template(256),   symmetric_parent_template(), derivation_template()};
	TPM2B_SENSITIVE_CREATE sealed = sensitive("", data, sizeof data);

	for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
		struct Create_out out;
		struct ReadPublic_out loaded;
		uint8_t bytes[1024], digest[32];
		TPM_HANDLE handle;
		size_t len;

		assert_rc(create(r, parent, &templates[i], i == 4 ? &sealed : NULL, &out), 0);
		assert_rc(load(r, parent, &out.outPrivate, &out.outPublic, &handle), 0);
		loaded = read_public(r, handle);
		len = type_marshal(&type_TPMT_PUBLIC, &out.outPublic.publicArea, bytes,
				   sizeof bytes);
		assert_int_equal(cvtpm_hash(CVTPM_SHA256, bytes, len, digest), 0);
		assert_int_equal(loaded.name.size, 34);
		assert_memory_equal(loaded.name.buffer + 2, digest, sizeof digest);
		rig_flush(r, handle);
	}
}

/* The template comes back as it was but for unique. */
static void test_create_changes_unique_alone(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC template = rig_signing_template();
	uint8_t before[1024], after[1024];
	struct Create_out out;
	size_t len;

	template.authPolicy.size = 32;
	memset(template.authPolicy.buffer, 0x5A, 32);
	assert_rc(create(r, parent, &template, NULL, &out), 0);
	assert_int_equal(out.outPublic.publicArea.unique.ecc.x.size, 32);
	memset(&out.outPublic.publicArea.unique, 0, sizeof out.outPublic.publicArea.unique);
	len = type_marshal(&type_TPMT_PUBLIC, &template, before, sizeof before);
	assert_int_equal(
		type_marshal(&type_TPMT_PUBLIC, &out.outPublic.publicArea, after, sizeof after),
		len);
	assert_memory_equal(before, after, len);
}

static void test_create_creation_data(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	struct ReadPublic_out above = read_public(r, parent);
	struct Create_in in = {.parentHandle = parent,
			       .inPublic.publicArea = rig_signing_template(),
			       .outsideInfo = {3, "abc"},
			       .creationPCR = {1, {{TPM_ALG_SHA256, {3, {1, 0, 0}}}}}};
	const TPMS_CREATION_DATA *data;
	uint8_t bytes[512], digest[32], pcr[32] = {0};
	struct Create_out out;
	size_t len;

	r->locality = 3;
	assert_rc(RIG_RUN(r, Create, &in, &out), 0);
	r->locality = 0;
	data = &out.creationData.creationData;
	assert_int_equal(data->locality, 1 << 3);
	assert_int_equal(data->parentNameAlg, TPM_ALG_SHA256);
	assert_int_equal(data->outsideInfo.size, 3);
	assert_memory_equal(data->outsideInfo.buffer, "abc", 3);
	assert_int_equal(data->parentName.size, above.name.size);
	assert_memory_equal(data->parentName.buffer, above.name.buffer, above.name.size);
	assert_memory_equal(data->parentQualifiedName.buffer, above.qualifiedName.buffer,
			    above.qualifiedName.size);
	assert_int_equal(cvtpm_hash(CVTPM_SHA256, pcr, sizeof pcr, digest), 0);
	assert_int_equal(data->pcrDigest.size, 32);
	assert_memory_equal(data->pcrDigest.buffer, digest, 32);
	len = type_marshal(&type_TPMS_CREATION_DATA, data, bytes, sizeof bytes);
	assert_int_equal(cvtpm_hash(CVTPM_SHA256, bytes, len, digest), 0);
	assert_memory_equal(out.creationHash.buffer, digest, 32);
	assert_int_equal(out.creationTicket.tag, TPM_ST_CREATION);
	assert_int_equal(out.creationTicket.hierarchy, TPM_RH_OWNER);
}

/* parentHandle must be a Storage Parent with both parts loaded. */
static void test_create_parent(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC template = rig_signing_template(), derive = derivation_template();
	TPM_HANDLE signer = must_load(r, parent, &template);
	struct Create_out out;

	assert_rc(create(r, signer, &template, NULL, &out), RC_H(1, TPM_RC_TYPE));
	rig_flush(r, signer);
	signer = must_load(r, parent, &derive);
	assert_rc(create(r, signer, &template, NULL, &out), RC_H(1, TPM_RC_TYPE));
	rig_flush(r, signer);
	assert_rc(create(r, hash_sequence(r), &template, NULL, &out), RC_H(1, TPM_RC_TYPE));
}

/* One attribute after the other goes wrong. */
static void test_create_attributes(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC sign = rig_signing_template(), storage = rig_storage_template();
	TPMT_PUBLIC sealed = sealed_template(), cipher = cipher_template(128);
	TPM2B_SENSITIVE_CREATE some = sensitive("", "0123456789abcdef", 16);
	const struct {
		const TPMT_PUBLIC *template;
		uint32_t set, clear;
		const TPM2B_SENSITIVE_CREATE *given;
	} wrong[] = {
		/* sensitiveDataOrigin against the data */
		{&sign, 0, TPMA_OBJECT_SENSITIVEDATAORIGIN, NULL},
		{&sign, 0, 0, &some},
		{&sign, 0, TPMA_OBJECT_SENSITIVEDATAORIGIN, &some},
		{&sealed, 0, 0, NULL},
		{&sealed, TPMA_OBJECT_SENSITIVEDATAORIGIN, 0, NULL},
		{&sealed, TPMA_OBJECT_SENSITIVEDATAORIGIN, 0, &some},
		{&cipher, TPMA_OBJECT_RESTRICTED,
		 TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_SIGN, &some},
		/* fixedTPM and fixedParent, under a parent that is fixedTPM */
		{&sign, 0, TPMA_OBJECT_FIXEDTPM, NULL},
		{&sign, 0, TPMA_OBJECT_FIXEDPARENT, NULL},
		/* use */
		{&sign, TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT, 0, NULL},
		{&sign, TPMA_OBJECT_RESTRICTED, TPMA_OBJECT_SIGN, NULL},
		{&sign, 0, TPMA_OBJECT_SIGN, NULL},
		{&cipher, 0, TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT, NULL},
		/* what cannot move needs no encryptedDuplication */
		{&sign, TPMA_OBJECT_ENCRYPTEDDUPLICATION, 0, NULL},
		{&storage, TPMA_OBJECT_ENCRYPTEDDUPLICATION, 0, NULL},
	};
	struct Create_out out;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		TPMT_PUBLIC template = *wrong[i].template;

		SET_BITS(template.objectAttributes, wrong[i].set);
		CLEAR_BITS(template.objectAttributes, wrong[i].clear);
		assert_rc(create(r, parent, &template, wrong[i].given, &out),
			  RC_P(2, TPM_RC_ATTRIBUTES));
	}
}

/* x509sign is of asymmetric keys that sign (Part 2, 8.3.3.13), however they come. */
static void test_x509sign_is_of_signing_keys(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC storage = rig_storage_template(), hmac = hmac_template(), fits, plain;
	TPM_HANDLE parent = storage_primary(r);
	TPM2B_SENSITIVE_CREATE given = sensitive("", NULL, 0);
	TPMT_PUBLIC *wrong[] = {&storage, &hmac};
	struct CreatePrimary_out primary_out;
	struct LoadExternal_out external;
	struct Create_out out;
	TPMT_SENSITIVE half = {.sensitiveType = TPM_ALG_ECC, .sensitive.ecc = {1, {5}}};

	NATIVE_ONLY(r);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		SET_BITS(wrong[i]->objectAttributes, TPMA_OBJECT_X509SIGN);
		assert_rc(create(r, parent, wrong[i], NULL, &out), RC_P(2, TPM_RC_ATTRIBUTES));
		assert_rc(primary(r, TPM_RH_OWNER, wrong[i], &given, &primary_out),
			  RC_P(2, TPM_RC_ATTRIBUTES));
	}
	fits = rig_signing_template();
	SET_BITS(fits.objectAttributes, TPMA_OBJECT_X509SIGN);
	assert_rc(create(r, parent, &fits, NULL, &out), 0);
	rig_flush(r, must_load(r, parent, &fits));
	/* of a public area alone attributes are not checked (8.3.3.1, NOTE) */
	plain = movable(rig_storage_template(), NULL);
	CLEAR_BITS(plain.objectAttributes, TPMA_OBJECT_RESTRICTED);
	SET_BITS(plain.objectAttributes, TPMA_OBJECT_X509SIGN);
	plain.parameters.eccDetail.symmetric.algorithm = TPM_ALG_NULL;
	assert_rc(load_external(r, &plain, &half, TPM_RH_NULL, &external),
		  RC_P(2, TPM_RC_ATTRIBUTES));
	plain.unique.ecc = out.outPublic.publicArea.unique.ecc;
	assert_rc(load_external(r, &plain, NULL, TPM_RH_NULL, &external), 0);
}

/* Under a parent that may move, nothing is fixedTPM, and encryptedDuplication is inherited. */
static void test_create_under_movable_parent(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE root = storage_primary(r), parent, child;
	TPMT_PUBLIC above = movable(rig_storage_template(), NULL),
		    template = rig_signing_template();
	struct Create_out out;

	parent = must_load(r, root, &above);
	assert_rc(create(r, parent, &template, NULL, &out), RC_P(2, TPM_RC_ATTRIBUTES));
	CLEAR_BITS(template.objectAttributes, TPMA_OBJECT_FIXEDTPM);
	assert_rc(create(r, parent, &template, NULL, &out), 0); /* fixedParent alone */
	assert_rc(load(r, parent, &out.outPrivate, &out.outPublic, &child), 0);
	rig_flush(r, child);
	SET_BITS(template.objectAttributes, TPMA_OBJECT_ENCRYPTEDDUPLICATION);
	assert_rc(create(r, parent, &template, NULL, &out), RC_P(2, TPM_RC_ATTRIBUTES));
	SET_BITS(above.objectAttributes, TPMA_OBJECT_ENCRYPTEDDUPLICATION);
	rig_flush(r, parent);
	parent = must_load(r, root, &above);
	assert_rc(create(r, parent, &template, NULL, &out), 0);
	CLEAR_BITS(template.objectAttributes, TPMA_OBJECT_ENCRYPTEDDUPLICATION);
	assert_rc(create(r, parent, &template, NULL, &out), RC_P(2, TPM_RC_ATTRIBUTES));
}

static void test_create_policy_size(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC template = rig_signing_template();
	struct Create_out out;

	template.authPolicy.size = 20;
	assert_rc(create(r, parent, &template, NULL, &out), RC_P(2, TPM_RC_SIZE));
	template.nameAlg = TPM_ALG_SHA1;
	assert_rc(create(r, parent, &template, NULL, &out), 0);
}

/* userAuth is no longer than a digest of nameAlg, trailing zeros not counted. */
static void test_create_auth_size(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC template = rig_signing_template();
	TPM2B_SENSITIVE_CREATE given = sensitive("", NULL, 0);
	struct Create_out out;

	given.sensitive.userAuth.size = 40;
	assert_rc(create(r, parent, &template, &given, &out), 0);
	given.sensitive.userAuth.buffer[31] = 1;
	assert_rc(create(r, parent, &template, &given, &out), 0);
	given.sensitive.userAuth.buffer[32] = 1;
	assert_rc(create(r, parent, &template, &given, &out), RC_P(1, TPM_RC_SIZE));
}

static void test_create_schemes(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC t;
	struct Create_out out;

	/* a restricted signing key has a scheme, an unrestricted one may have */
	t = rig_signing_template();
	t.parameters.eccDetail.scheme.scheme = TPM_ALG_NULL;
	assert_rc(create(r, parent, &t, NULL, &out), 0);
	SET_BITS(t.objectAttributes, TPMA_OBJECT_RESTRICTED);
	assert_rc(create(r, parent, &t, NULL, &out), RC_P(2, TPM_RC_SCHEME));
	/* one of the wrong kind */
	t = rig_signing_template();
	t.parameters.eccDetail.scheme.scheme = TPM_ALG_ECDH;
	assert_rc(create(r, parent, &t, NULL, &out), RC_P(2, TPM_RC_SCHEME));
	/* a key of both kinds has none */
	t = rig_signing_template();
	SET_BITS(t.objectAttributes, TPMA_OBJECT_DECRYPT);
	assert_rc(create(r, parent, &t, NULL, &out), RC_P(2, TPM_RC_SCHEME));
	t.parameters.eccDetail.scheme.scheme = TPM_ALG_NULL;
	assert_rc(create(r, parent, &t, NULL, &out), 0);
	/* a storage key has none, an unrestricted decryption key may have one */
	t = rig_storage_template();
	t.parameters.eccDetail.scheme.scheme = TPM_ALG_ECDH;
	t.parameters.eccDetail.scheme.details.ecdh.hashAlg = TPM_ALG_SHA256;
	assert_rc(create(r, parent, &t, NULL, &out), RC_P(2, TPM_RC_SCHEME));
	CLEAR_BITS(t.objectAttributes, TPMA_OBJECT_RESTRICTED);
	t.parameters.eccDetail.symmetric.algorithm = TPM_ALG_NULL;
	assert_rc(create(r, parent, &t, NULL, &out), 0);
	t.parameters.eccDetail.scheme.scheme = TPM_ALG_ECDSA;
	assert_rc(create(r, parent, &t, NULL, &out), RC_P(2, TPM_RC_SCHEME));
	/* keyedHash: HMAC signs, XOR decrypts, both or neither have none */
	t = hmac_template();
	t.parameters.keyedHashDetail.scheme.scheme = TPM_ALG_NULL;
	assert_rc(create(r, parent, &t, NULL, &out), RC_P(2, TPM_RC_SCHEME));
	t.parameters.keyedHashDetail.scheme.scheme = TPM_ALG_XOR;
	t.parameters.keyedHashDetail.scheme.details.exclusiveOr.kdf = TPM_ALG_KDF1_SP800_108;
	t.parameters.keyedHashDetail.scheme.details.exclusiveOr.hashAlg = TPM_ALG_SHA256;
	assert_rc(create(r, parent, &t, NULL, &out), RC_P(2, TPM_RC_SCHEME));
	t.objectAttributes ^= TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT;
	assert_rc(create(r, parent, &t, NULL, &out), 0);
	SET_BITS(t.objectAttributes, TPMA_OBJECT_SIGN);
	assert_rc(create(r, parent, &t, NULL, &out), RC_P(2, TPM_RC_SCHEME));
	t.parameters.keyedHashDetail.scheme.scheme = TPM_ALG_NULL;
	assert_rc(create(r, parent, &t, NULL, &out), 0);
	/* a Derivation Parent derives by SP 800-108 */
	t = derivation_template();
	t.parameters.keyedHashDetail.scheme.details.exclusiveOr.kdf = TPM_ALG_MGF1;
	assert_rc(create(r, parent, &t, NULL, &out), RC_P(2, TPM_RC_SCHEME));
	/* ECC keys have no KDF of their own */
	t = rig_signing_template();
	t.parameters.eccDetail.kdf.scheme = TPM_ALG_MGF1;
	t.parameters.eccDetail.kdf.details.mgf1.hashAlg = TPM_ALG_SHA256;
	assert_rc(create(r, parent, &t, NULL, &out), RC_P(2, TPM_RC_KDF));
}

/* A storage key has a symmetric algorithm, and that of its parent unless it may move. */
static void test_create_symmetric(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC t = rig_storage_template(), parent_384;
	struct Create_out out;

	t.parameters.eccDetail.symmetric.algorithm = TPM_ALG_NULL;
	assert_rc(create(r, parent, &t, NULL, &out), RC_P(2, TPM_RC_SYMMETRIC));
	t = rig_signing_template();
	t.parameters.eccDetail.symmetric.algorithm = TPM_ALG_AES;
	t.parameters.eccDetail.symmetric.keyBits.aes = 128;
	t.parameters.eccDetail.symmetric.mode.aes = TPM_ALG_CFB;
	assert_rc(create(r, parent, &t, NULL, &out), RC_P(2, TPM_RC_SYMMETRIC));
	t = rig_storage_template();
	t.parameters.eccDetail.symmetric.keyBits.aes = 256;
	assert_rc(create(r, parent, &t, NULL, &out), RC_P(2, TPM_RC_SYMMETRIC));
	t = symmetric_parent_template();
	assert_rc(create(r, parent, &t, NULL, &out), 0);
	t.parameters.symDetail.sym.keyBits.aes = 256;
	assert_rc(create(r, parent, &t, NULL, &out), RC_P(2, TPM_RC_SYMMETRIC));
	parent_384 = rig_storage_template();
	parent_384.nameAlg = TPM_ALG_SHA384;
	assert_rc(create(r, parent, &parent_384, NULL, &out), RC_P(2, TPM_RC_HASH));
	t = movable(parent_384, NULL);
	t.parameters.eccDetail.symmetric.keyBits.aes = 256;
	assert_rc(create(r, parent, &t, NULL, &out), 0);
}

/* What the caller gives as a key has the size of one. */
static void test_create_given_key_size(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC cipher = cipher_template(128), hmac = hmac_template();
	uint8_t data[128] = {1};
	TPM2B_SENSITIVE_CREATE given;
	struct Create_out out;

	CLEAR_BITS(cipher.objectAttributes, TPMA_OBJECT_SENSITIVEDATAORIGIN);
	given = sensitive("", data, 16);
	assert_rc(create(r, parent, &cipher, &given, &out), 0);
	assert_rc(load(r, parent, &out.outPrivate, &out.outPublic, NULL), 0);
	given = sensitive("", data, 15);
	assert_rc(create(r, parent, &cipher, &given, &out), TPM_RC_KEY_SIZE);
	given = sensitive("", data, 32);
	assert_rc(create(r, parent, &cipher, &given, &out), TPM_RC_KEY_SIZE);
	/* an HMAC key, at most a block of its hash */
	CLEAR_BITS(hmac.objectAttributes, TPMA_OBJECT_SENSITIVEDATAORIGIN);
	given = sensitive("", data, 64);
	assert_rc(create(r, parent, &hmac, &given, &out), 0);
	given = sensitive("", data, 65);
	assert_rc(create(r, parent, &hmac, &given, &out), TPM_RC_SIZE);
	/* sealed data, up to MAX_SYM_DATA */
	hmac = sealed_template();
	given = sensitive("", data, 128);
	assert_rc(create(r, parent, &hmac, &given, &out), 0);
}

static void test_create_rsa_exponent(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC t = rsa_template(false);
	static const uint32_t wrong[] = {1, 3, 17, 65536, 65539 * 2u, 0xFFFFFFFF};
	struct Create_out out;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		t.parameters.rsaDetail.exponent = wrong[i];
		assert_rc(create(r, parent, &t, NULL, &out), TPM_RC_RANGE);
	}
	t.parameters.rsaDetail.exponent = 65537;
	assert_rc(create(r, parent, &t, NULL, &out), 0);
	t.parameters.rsaDetail.exponent = 65539;
	if (!on_libtpms(r)) /* libtpms: with OpenSSL's generator alone */
		assert_rc(create(r, parent, &t, NULL, &out), 0);
}

/* A blob's length does not tell that of the authValue. */
static void test_create_blob_length(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC t = rig_signing_template();
	TPM2B_SENSITIVE_CREATE given = sensitive("a long password", NULL, 0);
	struct Create_out with, without;

	assert_rc(create(r, parent, &t, &given, &with), 0);
	assert_rc(create(r, parent, &t, NULL, &without), 0);
	assert_int_equal(with.outPrivate.size, without.outPrivate.size);
}

static void test_create_cancelled(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC t = rsa_template(false);
	struct Create_out out;

	NATIVE_ONLY(r);
	r->cancelled = true;
	assert_rc(create(r, parent, &t, NULL, &out), TPM_RC_CANCELED);
	r->cancelled = false;
	assert_rc(create(r, parent, &t, NULL, &out), 0);
}

/* ---- 12.2 TPM2_Load ---- */

static void test_load_parent_and_size(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r), signer;
	TPMT_PUBLIC t = rig_signing_template();
	TPM2B_PRIVATE empty = {0};
	struct Create_out out;

	assert_rc(create(r, parent, &t, NULL, &out), 0);
	assert_rc(load(r, parent, &out.outPrivate, &out.outPublic, &signer), 0);
	assert_rc(load(r, signer, &out.outPrivate, &out.outPublic, NULL), RC_H(1, TPM_RC_TYPE));
	assert_rc(load(r, parent, &empty, &out.outPublic, NULL), RC_P(1, TPM_RC_SIZE));
	rig_flush(r, signer);
	assert_rc(load(r, hash_sequence(r), &out.outPrivate, &out.outPublic, NULL),
		  RC_H(1, TPM_RC_TYPE));
}

/* Every byte of the blob and of the public area is protected. */
static void test_load_integrity(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC t = rig_signing_template();
	struct Create_out out;

	assert_rc(create(r, parent, &t, NULL, &out), 0);
	for (uint16_t i = 2; i < out.outPrivate.size; i++) {
		TPM2B_PRIVATE wrong = out.outPrivate;

		wrong.buffer[i] ^= 1;
		assert_rc(load(r, parent, &wrong, &out.outPublic, NULL), RC_P(1, TPM_RC_INTEGRITY));
	}
	for (uint16_t i = 1; i < out.outPrivate.size; i++) {
		TPM2B_PRIVATE wrong = out.outPrivate;
		tpm_rc rc;

		wrong.size = i;
		rc = load(r, parent, &wrong, &out.outPublic, NULL);
		assert_rc(rc, i < 34 ? RC_P(1, TPM_RC_INSUFFICIENT) : RC_P(1, TPM_RC_INTEGRITY));
	}
	SET_BITS(out.outPublic.publicArea.objectAttributes, TPMA_OBJECT_ADMINWITHPOLICY);
	assert_rc(load(r, parent, &out.outPrivate, &out.outPublic, NULL),
		  RC_P(1, TPM_RC_INTEGRITY));
}

/* Another parent, and the same parent of another TPM's seed, know nothing of it. */
static void test_load_wrong_parent(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r), other;
	TPMT_PUBLIC t = rig_signing_template(), storage = rig_storage_template();
	struct Create_out out;

	assert_rc(create(r, parent, &t, NULL, &out), 0);
	other = must_load(r, parent, &storage);
	assert_rc(load(r, other, &out.outPrivate, &out.outPublic, NULL), RC_P(1, TPM_RC_INTEGRITY));
}

/* The authValue is the one that it was created with. */
static void test_load_auth(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC t = sealed_template();
	TPM2B_SENSITIVE_CREATE given = sensitive("open", "secret", 6);
	struct Unseal_in in = {0};
	struct Unseal_out unsealed;
	struct Create_out out;

	assert_rc(create(r, parent, &t, &given, &out), 0);
	assert_rc(load(r, parent, &out.outPrivate, &out.outPublic, &in.itemHandle), 0);
	rig_password(r, 0, "closed");
	assert_rc(RIG_RUN(r, Unseal, &in, NULL), RC_S(1, TPM_RC_BAD_AUTH));
	rig_password(r, 0, "open");
	assert_rc(RIG_RUN(r, Unseal, &in, &unsealed), 0);
	assert_int_equal(unsealed.outData.size, 6);
	assert_memory_equal(unsealed.outData.buffer, "secret", 6);
}

static void test_load_no_room(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r), handle = 0;
	TPMT_PUBLIC t = hmac_template();
	struct Create_out out;
	tpm_rc rc = 0;

	assert_rc(create(r, parent, &t, NULL, &out), 0);
	for (unsigned i = 0; i < 64 && rc == 0; i++) {
		TPM_HANDLE last = handle;

		rc = load(r, parent, &out.outPrivate, &out.outPublic, &handle);
		if (rc)
			handle = last;
	}
	assert_rc(rc, TPM_RC_OBJECT_MEMORY);
	rig_flush(r, handle);
	assert_rc(load(r, parent, &out.outPrivate, &out.outPublic, &handle), 0);
}

/* ---- 12.3 TPM2_LoadExternal ---- */

static TPMT_PUBLIC external_ecc(void)
{
	TPMT_PUBLIC t = movable(rig_signing_template(), NULL);
	struct cvtpm_ecc_key key = {.public.curve = CVTPM_P256, .d = {0}};

	key.d[31] = 7;
	assert_int_equal(cvtpm_ecc_make_public(&key), 0);
	t.unique.ecc.x.size = t.unique.ecc.y.size = 32;
	memcpy(t.unique.ecc.x.buffer, key.public.x, 32);
	memcpy(t.unique.ecc.y.buffer, key.public.y, 32);
	return t;
}

static TPMT_SENSITIVE external_private(uint8_t d)
{
	TPMT_SENSITIVE s = {.sensitiveType = TPM_ALG_ECC};

	s.sensitive.ecc.size = 32;
	s.sensitive.ecc.buffer[31] = d;
	return s;
}

static void test_external_public(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = external_ecc();
	struct LoadExternal_out out;
	struct ReadPublic_out read;

	SET_BITS(t.objectAttributes,
		 TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_RESTRICTED);
	assert_rc(load_external(r, &t, NULL, TPM_RH_OWNER, &out), 0);
	read = read_public(r, out.handle);
	assert_int_equal(read.qualifiedName.size, read.name.size); /* they are the same */
	assert_memory_equal(read.qualifiedName.buffer, read.name.buffer, read.name.size);
	rig_flush(r, out.handle);
	t.nameAlg = TPM_ALG_NULL;
	assert_rc(load_external(r, &t, NULL, TPM_RH_NULL, &out), 0);
	assert_int_equal(out.name.size, 0);
}

static void test_external_both(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = external_ecc();
	TPMT_SENSITIVE s = external_private(7), other = external_private(8);
	static const uint32_t never[] = {TPMA_OBJECT_FIXEDTPM, TPMA_OBJECT_FIXEDPARENT,
					 TPMA_OBJECT_RESTRICTED};
	struct LoadExternal_out out;

	assert_rc(load_external(r, &t, &s, TPM_RH_OWNER, &out), RC_P(3, TPM_RC_HIERARCHY));
	for (size_t i = 0; i < 3; i++) {
		TPMT_PUBLIC ours = t;

		SET_BITS(ours.objectAttributes, never[i]);
		assert_rc(load_external(r, &ours, &s, TPM_RH_NULL, &out),
			  RC_P(2, TPM_RC_ATTRIBUTES));
	}
	assert_rc(load_external(r, &t, &other, TPM_RH_NULL, &out), TPM_RC_BINDING);
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), 0);
	rig_flush(r, out.handle);
	/* a number with leading zeros left out is the same number */
	s.sensitive.ecc.size = 1;
	s.sensitive.ecc.buffer[0] = 7;
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), 0);
	rig_flush(r, out.handle);
	s = external_private(7); /* in more bytes than the curve has */
	memmove(s.sensitive.ecc.buffer + 1, s.sensitive.ecc.buffer, 32);
	s.sensitive.ecc.buffer[0] = 0;
	s.sensitive.ecc.size = 33;
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), 0);
	rig_flush(r, out.handle);
	s.sensitive.ecc.buffer[0] = 1;
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), TPM_RC_KEY_SIZE);
	/* 0 is no private key */
	s.sensitive.ecc.size = 1;
	s.sensitive.ecc.buffer[0] = 0;
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), TPM_RC_KEY_SIZE);
	/* without a name there is no binding, but a key must be one */
	t.nameAlg = TPM_ALG_NULL;
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), TPM_RC_KEY_SIZE);
	assert_rc(load_external(r, &t, &other, TPM_RH_NULL, &out), 0);
}

static void test_external_sensitive_fits(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = external_ecc();
	TPMT_SENSITIVE s = external_private(7);
	struct LoadExternal_out out;

	s.authValue.size = 33;
	s.authValue.buffer[32] = 1;
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), RC_P(1, TPM_RC_SIZE));
	s.authValue.size = 0;
	s.seedValue.size = 33;
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), RC_P(1, TPM_RC_KEY_SIZE));
	s.seedValue.size = 0;
	t.type = TPM_ALG_KEYEDHASH;
	t.parameters.keyedHashDetail.scheme = hmac_template().parameters.keyedHashDetail.scheme;
	t.unique.keyedHash.size = 0;
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), RC_P(1, TPM_RC_TYPE));
}

static void test_external_ecc_point(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = external_ecc();
	struct LoadExternal_out out;

	t.unique.ecc.y.buffer[31] ^= 1;
	assert_rc(load_external(r, &t, NULL, TPM_RH_NULL, &out), RC_P(2, TPM_RC_ECC_POINT));
	t.unique.ecc.y.size = 31;
	assert_rc(load_external(r, &t, NULL, TPM_RH_NULL, &out), RC_P(2, TPM_RC_KEY));
}

static void test_external_rsa(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC t = rsa_template(false);
	struct LoadExternal_out out;
	struct Create_out made;
	TPMT_SENSITIVE s = {.sensitiveType = TPM_ALG_RSA};

	assert_rc(create(r, parent, &t, NULL, &made), 0);
	t = made.outPublic.publicArea;
	assert_rc(load_external(r, &t, NULL, TPM_RH_OWNER, &out), 0);
	rig_flush(r, out.handle);
	t.parameters.rsaDetail.exponent = 3;
	assert_rc(load_external(r, &t, NULL, TPM_RH_OWNER, &out), RC_P(2, TPM_RC_VALUE));
	t.parameters.rsaDetail.exponent = 0;
	t.unique.rsa.size = 255;
	assert_rc(load_external(r, &t, NULL, TPM_RH_OWNER, &out), RC_P(2, TPM_RC_KEY));
	t.unique.rsa.size = 256;
	t.unique.rsa.buffer[0] &= 0x7F;
	assert_rc(load_external(r, &t, NULL, TPM_RH_OWNER, &out), RC_P(2, TPM_RC_KEY));
	t = made.outPublic.publicArea;
	t.unique.rsa.buffer[255] &= 0xFE;
	if (!on_libtpms(r)) /* which finds out at the first use */
		assert_rc(load_external(r, &t, NULL, TPM_RH_OWNER, &out), RC_P(2, TPM_RC_KEY));
	t = movable(made.outPublic.publicArea, NULL);
	s.sensitive.rsa.size = 127;
	s.sensitive.rsa.buffer[0] = 0x80;
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), RC_P(1, TPM_RC_KEY_SIZE));
	s.sensitive.rsa.size = 128;
	s.sensitive.rsa.buffer[0] = 0x7F;
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), RC_P(1, TPM_RC_KEY_SIZE));
	memset(s.sensitive.rsa.buffer, 0xFF, 128); /* divides no modulus that we make */
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), TPM_RC_BINDING);
}

/* An exponent that has a divisor in common with p - 1 makes no key. */
static void test_external_rsa_exponent(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = movable(rsa_template(false), NULL);
	TPMT_SENSITIVE s = {.sensitiveType = TPM_ALG_RSA, .sensitive.rsa.size = sizeof vector_p};
	struct LoadExternal_out out;

	t.unique.rsa.size = sizeof vector_n;
	memcpy(t.unique.rsa.buffer, vector_n, sizeof vector_n);
	memcpy(s.sensitive.rsa.buffer, vector_p, sizeof vector_p);
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), 0);
	rig_flush(r, out.handle);
	t.parameters.rsaDetail.exponent = 0xFFFFFFFF; /* 3, 5, 17, 257, 65537 */
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), TPM_RC_BINDING);
}

/* unique of a symmetric key is the hash of seed and key. */
static void test_external_symmetric(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = movable(hmac_template(), NULL);
	TPMT_SENSITIVE s = {.sensitiveType = TPM_ALG_KEYEDHASH, .seedValue.size = 32};
	uint8_t both[32 + 20] = {0};
	struct LoadExternal_out out;

	s.sensitive.bits.size = 20;
	memset(s.sensitive.bits.buffer, 'k', 20);
	memset(both + 32, 'k', 20);
	t.unique.keyedHash.size = 32;
	assert_int_equal(cvtpm_hash(CVTPM_SHA256, both, sizeof both, t.unique.keyedHash.buffer), 0);
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), 0);
	rig_flush(r, out.handle);
	t.unique.keyedHash.buffer[0] ^= 1;
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), TPM_RC_BINDING);
	s.seedValue.size = 31;
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), RC_P(1, TPM_RC_KEY_SIZE));
	s.sensitive.bits.size = 65; /* more than a block */
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), RC_P(1, TPM_RC_KEY_SIZE));
	t.parameters.keyedHashDetail.scheme =
		derivation_template().parameters.keyedHashDetail.scheme;
	t.objectAttributes ^= TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT;
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), RC_P(1, TPM_RC_KEY_SIZE));
	t.unique.keyedHash.size = 31;
	assert_rc(load_external(r, &t, NULL, TPM_RH_NULL, &out), RC_P(2, TPM_RC_KEY));
	t = movable(cipher_template(128), NULL);
	s = (TPMT_SENSITIVE){.sensitiveType = TPM_ALG_SYMCIPHER, .seedValue.size = 32};
	s.sensitive.sym.size = 17;
	assert_rc(load_external(r, &t, &s, TPM_RH_NULL, &out), RC_P(1, TPM_RC_KEY_SIZE));
}

/* The specification has the size of authPolicy checked; the reference implementation does
 * not, of a public area alone. */
static void test_external_policy_size(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = external_ecc();
	struct LoadExternal_out out;

	NATIVE_ONLY(r);
	t.authPolicy.size = 20;
	assert_rc(load_external(r, &t, NULL, TPM_RH_OWNER, &out), RC_P(2, TPM_RC_SIZE));
}

static void test_external_hierarchy_disabled(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = external_ecc();
	struct HierarchyControl_in in = {.authHandle = TPM_RH_PLATFORM, .enable = TPM_RH_OWNER};
	struct LoadExternal_out out;

	assert_rc(load_external(r, &t, NULL, TPM_RH_OWNER, &out), 0);
	assert_rc(RIG_RUN(r, HierarchyControl, &in, NULL), 0);
	assert_false(is_loaded(r, out.handle)); /* it was flushed */
	assert_rc(load_external(r, &t, NULL, TPM_RH_OWNER, &out), RC_P(3, TPM_RC_HIERARCHY));
	assert_rc(load_external(r, &t, NULL, TPM_RH_ENDORSEMENT, &out), 0);
}

/* ---- 12.4 TPM2_ReadPublic ---- */

static void test_read_public_names(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r), child;
	TPMT_PUBLIC t = rig_signing_template();
	struct ReadPublic_out above = read_public(r, parent), below;
	struct ReadPublic_in in = {.objectHandle = hash_sequence(r)};
	uint8_t bytes[4 + 34] = {0x40, 0, 0, 1}, digest[32], chain[34 + 34];

	/* QN of a primary: H(handle of the hierarchy || name), of a child H(QN of parent || name)
	 */
	memcpy(bytes + 4, above.name.buffer, 34);
	assert_int_equal(cvtpm_hash(CVTPM_SHA256, bytes, sizeof bytes, digest), 0);
	assert_memory_equal(above.qualifiedName.buffer + 2, digest, 32);
	child = must_load(r, parent, &t);
	below = read_public(r, child);
	memcpy(chain, above.qualifiedName.buffer, 34);
	memcpy(chain + 34, below.name.buffer, 34);
	assert_int_equal(cvtpm_hash(CVTPM_SHA256, chain, sizeof chain, digest), 0);
	assert_memory_equal(below.qualifiedName.buffer + 2, digest, 32);
	assert_rc(RIG_RUN(r, ReadPublic, &in, NULL), TPM_RC_SEQUENCE);
}

/* ---- 12.5 TPM2_ActivateCredential, 12.6 TPM2_MakeCredential ---- */

static void credential_round_trip(struct rig *r, TPM_HANDLE key, TPM_HANDLE object)
{
	struct MakeCredential_in make = {.handle_ = key,
					 .credential = {16, "0123456789abcde"},
					 .objectName = read_public(r, object).name};
	struct ActivateCredential_in activate = {.activateHandle = object, .keyHandle = key};
	struct ActivateCredential_out got;
	struct MakeCredential_out made;

	assert_rc(RIG_RUN(r, MakeCredential, &make, &made), 0);
	activate.credentialBlob = made.credentialBlob;
	activate.secret = made.secret;
	assert_rc(RIG_RUN(r, ActivateCredential, &activate, &got), 0);
	assert_int_equal(got.certInfo.size, 16);
	assert_memory_equal(got.certInfo.buffer, make.credential.buffer, 16);
	/* for another object, or changed anywhere, it is refused */
	for (uint16_t i = 2; i < made.credentialBlob.size; i += 7) {
		activate.credentialBlob.buffer[i] ^= 1;
		assert_rc(RIG_RUN(r, ActivateCredential, &activate, NULL),
			  RC_P(1, TPM_RC_INTEGRITY));
		activate.credentialBlob.buffer[i] ^= 1;
	}
	activate.activateHandle = key;
	assert_rc(RIG_RUN(r, ActivateCredential, &activate, NULL), RC_P(1, TPM_RC_INTEGRITY));
	activate.activateHandle = object;
	activate.secret.size--;
	assert_true(RIG_RUN(r, ActivateCredential, &activate, NULL) != 0);
}

static void test_credential_ecc_and_rsa(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC sign = rig_signing_template(), rsa = rsa_template(true);
	TPM_HANDLE key = storage_primary(r), object = must_load(r, key, &sign);

	credential_round_trip(r, key, object);
	rig_flush(r, key);
	key = must_primary(r, TPM_RH_OWNER, &rsa);
	credential_round_trip(r, key, object);
}

static void test_credential_keys(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC sign = rig_signing_template(), cipher = symmetric_parent_template();
	TPM_HANDLE key = storage_primary(r), object = must_load(r, key, &sign);
	TPM_HANDLE wrong[2] = {object, must_load(r, key, &cipher)};
	struct MakeCredential_in make = {.handle_ = key, .credential.size = 33};
	struct ActivateCredential_in activate = {.activateHandle = object};

	for (size_t i = 0; i < 2; i++) {
		activate.keyHandle = wrong[i];
		assert_rc(RIG_RUN(r, ActivateCredential, &activate, NULL), RC_H(2, TPM_RC_TYPE));
		make.handle_ = wrong[i];
		assert_rc(RIG_RUN(r, MakeCredential, &make, NULL), RC_H(1, TPM_RC_TYPE));
	}
	make.handle_ = key;
	assert_rc(RIG_RUN(r, MakeCredential, &make, NULL), RC_P(1, TPM_RC_SIZE));
	rig_flush(r, wrong[1]);
	make.handle_ = activate.keyHandle = hash_sequence(r);
	assert_rc(RIG_RUN(r, MakeCredential, &make, NULL), RC_H(1, TPM_RC_TYPE));
	assert_rc(RIG_RUN(r, ActivateCredential, &activate, NULL), RC_H(2, TPM_RC_TYPE));
}

/* Only the public area of the key is needed to make one, both of the key to activate it. */
static void test_credential_public_key(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC sign = rig_signing_template();
	TPM_HANDLE key = storage_primary(r), object = must_load(r, key, &sign);
	struct ReadPublic_out read = read_public(r, key);
	struct LoadExternal_out external;
	struct MakeCredential_in make = {.credential = {1, "x"},
					 .objectName = read_public(r, object).name};
	struct ActivateCredential_in activate = {.activateHandle = object, .keyHandle = key};
	struct ActivateCredential_out got;
	struct MakeCredential_out made;

	assert_rc(load_external(r, &read.outPublic.publicArea, NULL, TPM_RH_NULL, &external), 0);
	make.handle_ = external.handle;
	assert_rc(RIG_RUN(r, MakeCredential, &make, &made), 0);
	activate.credentialBlob = made.credentialBlob;
	activate.secret = made.secret;
	assert_rc(RIG_RUN(r, ActivateCredential, &activate, &got), 0);
	assert_int_equal(got.certInfo.buffer[0], 'x');
	activate.keyHandle = external.handle;
	assert_rc(RIG_RUN(r, ActivateCredential, &activate, NULL), TPM_RC_AUTH_UNAVAILABLE);
}

/* A key whose own padding is not OAEP takes no secrets, not even the salt of a session. */
static void test_secret_scheme(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rsa_template(false);
	struct StartAuthSession_in in = {.bind = TPM_RH_NULL,
					 .nonceCaller.size = 16,
					 .encryptedSalt.size = 256,
					 .symmetric.algorithm = TPM_ALG_NULL,
					 .authHash = TPM_ALG_SHA256};

	t.parameters.rsaDetail.scheme.scheme = TPM_ALG_RSAES;
	in.tpmKey = must_primary(r, TPM_RH_OWNER, &t);
	assert_rc(RIG_RUN(r, StartAuthSession, &in, NULL), RC_P(2, TPM_RC_VALUE));
}

/* What is no point of the key's curve is no salt (11.1). */
static void test_secret_no_point(void **state)
{
	struct rig *r = *state;
	struct StartAuthSession_in in = {.tpmKey = storage_primary(r),
					 .bind = TPM_RH_NULL,
					 .nonceCaller.size = 16,
					 .symmetric.algorithm = TPM_ALG_NULL,
					 .authHash = TPM_ALG_SHA256};

	for (in.encryptedSalt.size = 0; in.encryptedSalt.size <= 68; in.encryptedSalt.size++) {
		in.encryptedSalt.buffer[1] = in.encryptedSalt.size >= 34 ? 32 : 0;
		assert_rc(RIG_RUN(r, StartAuthSession, &in, NULL), RC_P(2, TPM_RC_VALUE));
	}
}

/* ---- 12.7 TPM2_Unseal ---- */

static void test_unseal_type(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC sign = rig_signing_template(), hmac = hmac_template();
	struct Unseal_in in = {.itemHandle = must_load(r, parent, &sign)};

	assert_rc(RIG_RUN(r, Unseal, &in, NULL), RC_H(1, TPM_RC_TYPE));
	rig_flush(r, in.itemHandle);
	in.itemHandle = must_load(r, parent, &hmac);
	assert_rc(RIG_RUN(r, Unseal, &in, NULL), RC_H(1, TPM_RC_ATTRIBUTES));
	rig_flush(r, in.itemHandle);
	in.itemHandle = hash_sequence(r);
	assert_rc(RIG_RUN(r, Unseal, &in, NULL), RC_H(1, TPM_RC_TYPE));
}

/* ---- 12.8 TPM2_ObjectChangeAuth ---- */

static void test_change_auth(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC t = sealed_template();
	TPM2B_SENSITIVE_CREATE given = sensitive("old", "data", 4);
	struct ObjectChangeAuth_in change = {.parentHandle = parent, .newAuth = rig_auth("new")};
	struct ObjectChangeAuth_out changed;
	struct Unseal_in unseal = {0};
	struct Create_out out;

	assert_rc(create(r, parent, &t, &given, &out), 0);
	assert_rc(load(r, parent, &out.outPrivate, &out.outPublic, &change.objectHandle), 0);
	rig_password(r, 0, "old");
	assert_rc(RIG_RUN(r, ObjectChangeAuth, &change, &changed), 0);
	unseal.itemHandle = change.objectHandle;
	rig_password(r, 0, "old"); /* the loaded object stays as it is */
	assert_rc(RIG_RUN(r, Unseal, &unseal, NULL), 0);
	rig_flush(r, change.objectHandle);
	assert_rc(load(r, parent, &changed.outPrivate, &out.outPublic, &unseal.itemHandle), 0);
	rig_password(r, 0, "old");
	assert_rc(RIG_RUN(r, Unseal, &unseal, NULL), RC_S(1, TPM_RC_BAD_AUTH));
	rig_password(r, 0, "new");
	assert_rc(RIG_RUN(r, Unseal, &unseal, NULL), 0);
}

static void test_change_auth_refused(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC sign = rig_signing_template(), storage = rig_storage_template();
	TPM_HANDLE object = must_load(r, parent, &sign);
	struct ObjectChangeAuth_in in = {.objectHandle = object, .parentHandle = parent};

	in.newAuth.size = 33;
	in.newAuth.buffer[32] = 1;
	assert_rc(RIG_RUN(r, ObjectChangeAuth, &in, NULL), RC_P(1, TPM_RC_SIZE));
	in.newAuth.size = 0;
	in.parentHandle = object; /* not its parent */
	assert_rc(RIG_RUN(r, ObjectChangeAuth, &in, NULL), RC_H(2, TPM_RC_TYPE));
	in.parentHandle = must_load(r, parent, &storage);
	assert_rc(RIG_RUN(r, ObjectChangeAuth, &in, NULL), RC_H(2, TPM_RC_TYPE));
	rig_flush(r, in.parentHandle);
	in.objectHandle = parent; /* a primary object has no parent */
	in.parentHandle = parent;
	assert_rc(RIG_RUN(r, ObjectChangeAuth, &in, NULL), RC_H(2, TPM_RC_TYPE));
	in.objectHandle = hash_sequence(r);
	assert_rc(RIG_RUN(r, ObjectChangeAuth, &in, NULL), RC_H(1, TPM_RC_TYPE));
}

/* ---- 12.9 TPM2_CreateLoaded ---- */

static TPM2B_TEMPLATE template_bytes(const struct type *type, const void *from)
{
	TPM2B_TEMPLATE t;

	t.size = (uint16_t)type_marshal(type, from, t.buffer, sizeof t.buffer);
	assert_true(t.size > 0);
	return t;
}

static TEMPLATE_DERIVE derived_template(const char *label, const char *context)
{
	TPMT_PUBLIC t = rig_signing_template();
	TEMPLATE_DERIVE d = {.type = t.type,
			     .nameAlg = t.nameAlg,
			     .objectAttributes = t.objectAttributes &
						 ~(uint32_t)TPMA_OBJECT_SENSITIVEDATAORIGIN,
			     .parameters = t.parameters};

	d.unique.label.size = (uint16_t)strlen(label);
	memcpy(d.unique.label.buffer, label, strlen(label));
	d.unique.context.size = (uint16_t)strlen(context);
	memcpy(d.unique.context.buffer, context, strlen(context));
	return d;
}

static void test_create_loaded_ordinary(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r), again;
	TPMT_PUBLIC t = rig_signing_template();
	struct CreateLoaded_in in = {.parentHandle = parent,
				     .inSensitive = sensitive("pw", NULL, 0),
				     .inPublic = template_bytes(&type_TPMT_PUBLIC, &t)};
	struct CreateLoaded_out out;
	struct ReadPublic_out read, loaded;

	assert_rc(RIG_RUN(r, CreateLoaded, &in, &out), 0);
	read = read_public(r, out.handle);
	assert_memory_equal(read.name.buffer, out.name.buffer, 34);
	assert_rc(load(r, parent, &out.outPrivate, &out.outPublic, &again), 0);
	loaded = read_public(r, again);
	assert_memory_equal(loaded.qualifiedName.buffer, read.qualifiedName.buffer, 34);
}

/* Under a hierarchy it makes what TPM2_CreatePrimary makes. */
static void test_create_loaded_primary(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rig_storage_template();
	struct CreateLoaded_in in = {.parentHandle = TPM_RH_OWNER,
				     .inPublic = template_bytes(&type_TPMT_PUBLIC, &t)};
	struct CreateLoaded_out out;
	struct ReadPublic_out read = read_public(r, storage_primary(r));

	assert_rc(RIG_RUN(r, CreateLoaded, &in, &out), 0);
	assert_int_equal(out.outPrivate.size, 0);
	assert_memory_equal(read.name.buffer, out.name.buffer, 34);
	assert_memory_equal(read_public(r, out.handle).qualifiedName.buffer,
			    read.qualifiedName.buffer, 34);
}

static void test_create_loaded_derived(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC derive = derivation_template();
	TEMPLATE_DERIVE t = derived_template("label", "context"), other = derived_template("", "");
	struct CreateLoaded_in in = {.parentHandle = must_load(r, parent, &derive),
				     .inPublic = template_bytes(&type_TEMPLATE_DERIVE, &t)};
	struct CreateLoaded_out first, second;

	assert_rc(RIG_RUN(r, CreateLoaded, &in, &first), 0);
	assert_int_equal(first.outPrivate.size, 0);
	rig_flush(r, first.handle);
	assert_rc(RIG_RUN(r, CreateLoaded, &in, &second), 0);
	rig_flush(r, second.handle);
	assert_memory_equal(first.name.buffer, second.name.buffer, 34);
	/* label and context may come with the sensitive data */
	in.inPublic = template_bytes(&type_TEMPLATE_DERIVE, &other);
	in.inSensitive = sensitive("", "\0\5label\0\7context", 16);
	assert_rc(RIG_RUN(r, CreateLoaded, &in, &second), 0);
	rig_flush(r, second.handle);
	assert_memory_equal(first.outPublic.publicArea.unique.ecc.x.buffer,
			    second.outPublic.publicArea.unique.ecc.x.buffer, 32);
	/* those of the template count first */
	other = derived_template("other", "");
	in.inPublic = template_bytes(&type_TEMPLATE_DERIVE, &other);
	assert_rc(RIG_RUN(r, CreateLoaded, &in, &second), 0);
	rig_flush(r, second.handle);
	assert_memory_not_equal(first.outPublic.publicArea.unique.ecc.x.buffer,
				second.outPublic.publicArea.unique.ecc.x.buffer, 32);
	in.inSensitive = sensitive("", "\0\5lab", 5);
	assert_rc(RIG_RUN(r, CreateLoaded, &in, NULL), TPM_RC_INSUFFICIENT);
}

static void test_create_loaded_derived_refused(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC derive = derivation_template(), rsa = rsa_template(false);
	TEMPLATE_DERIVE t = derived_template("l", "c");
	struct CreateLoaded_in in = {.parentHandle = must_load(r, parent, &derive)};

	SET_BITS(t.objectAttributes, TPMA_OBJECT_SENSITIVEDATAORIGIN);
	in.inPublic = template_bytes(&type_TEMPLATE_DERIVE, &t);
	assert_rc(RIG_RUN(r, CreateLoaded, &in, NULL), TPM_RC_ATTRIBUTES);
	t = derived_template("l", "c");
	CLEAR_BITS(t.objectAttributes, TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT);
	in.inPublic = template_bytes(&type_TEMPLATE_DERIVE, &t);
	assert_rc(RIG_RUN(r, CreateLoaded, &in, NULL), RC_P(2, TPM_RC_ATTRIBUTES));
	t = derived_template("l", "c");
	t.type = rsa.type;
	t.parameters = rsa.parameters;
	in.inPublic = template_bytes(&type_TEMPLATE_DERIVE, &t);
	assert_rc(RIG_RUN(r, CreateLoaded, &in, NULL), RC_P(2, TPM_RC_TYPE));
}

static void test_create_loaded_template_bytes(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rig_storage_template();
	struct CreateLoaded_in in = {.parentHandle = TPM_RH_OWNER,
				     .inPublic = template_bytes(&type_TPMT_PUBLIC, &t)};
	TPMT_PUBLIC sign = rig_signing_template();

	in.inPublic.size++;
	assert_rc(RIG_RUN(r, CreateLoaded, &in, NULL), RC_P(2, TPM_RC_SIZE));
	in.inPublic.size = (uint16_t)(in.inPublic.size - 2);
	assert_rc(RIG_RUN(r, CreateLoaded, &in, NULL), RC_P(2, TPM_RC_INSUFFICIENT));
	in.inPublic.buffer[1] = 0x77;
	assert_rc(RIG_RUN(r, CreateLoaded, &in, NULL), RC_P(2, TPM_RC_TYPE));
	in.parentHandle = must_primary(r, TPM_RH_OWNER, &sign);
	assert_rc(RIG_RUN(r, CreateLoaded, &in, NULL), RC_H(1, TPM_RC_TYPE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(test_create_every_type),
		OBJECT_TEST(test_create_changes_unique_alone),
		OBJECT_TEST(test_create_creation_data),
		OBJECT_TEST(test_create_parent),
		OBJECT_TEST(test_create_attributes),
		OBJECT_TEST(test_x509sign_is_of_signing_keys),
		OBJECT_TEST(test_create_under_movable_parent),
		OBJECT_TEST(test_create_policy_size),
		OBJECT_TEST(test_create_auth_size),
		OBJECT_TEST(test_create_schemes),
		OBJECT_TEST(test_create_symmetric),
		OBJECT_TEST(test_create_given_key_size),
		OBJECT_TEST(test_create_rsa_exponent),
		OBJECT_TEST(test_create_blob_length),
		OBJECT_TEST(test_create_cancelled),
		OBJECT_TEST(test_load_parent_and_size),
		OBJECT_TEST(test_load_integrity),
		OBJECT_TEST(test_load_wrong_parent),
		OBJECT_TEST(test_load_auth),
		OBJECT_TEST(test_load_no_room),
		OBJECT_TEST(test_external_public),
		OBJECT_TEST(test_external_both),
		OBJECT_TEST(test_external_sensitive_fits),
		OBJECT_TEST(test_external_ecc_point),
		OBJECT_TEST(test_external_rsa),
		OBJECT_TEST(test_external_rsa_exponent),
		OBJECT_TEST(test_external_symmetric),
		OBJECT_TEST(test_external_policy_size),
		OBJECT_TEST(test_external_hierarchy_disabled),
		OBJECT_TEST(test_read_public_names),
		OBJECT_TEST(test_credential_ecc_and_rsa),
		OBJECT_TEST(test_credential_keys),
		OBJECT_TEST(test_credential_public_key),
		OBJECT_TEST(test_secret_scheme),
		OBJECT_TEST(test_secret_no_point),
		OBJECT_TEST(test_unseal_type),
		OBJECT_TEST(test_change_auth),
		OBJECT_TEST(test_change_auth_refused),
		OBJECT_TEST(test_create_loaded_ordinary),
		OBJECT_TEST(test_create_loaded_primary),
		OBJECT_TEST(test_create_loaded_derived),
		OBJECT_TEST(test_create_loaded_derived_refused),
		OBJECT_TEST(test_create_loaded_template_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
