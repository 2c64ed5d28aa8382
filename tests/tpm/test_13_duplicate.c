/* Part 3, 13: duplication commands. */
#include "objects.h"

#include <string.h>

static const TPMT_SYM_DEF_OBJECT no_inner = {.algorithm = TPM_ALG_NULL};
static const TPMT_SYM_DEF_OBJECT inner_128 = {TPM_ALG_AES, {.aes = 128}, {TPM_ALG_CFB}};

/* A movable object, its public area, and where it is to go. libtpms has room for three
 * objects, so that its first parent is flushed. */
struct moving {
	TPM_HANDLE to, object;
	TPM2B_PUBLIC public;
};

static struct moving prepare(struct rig *r, TPMT_PUBLIC template, TPMT_PUBLIC to)
{
	TPM_HANDLE from = storage_primary(r);
	TPM2B_DIGEST policy = duplicate_policy(r);
	struct Create_out out;
	struct moving m;

	template = movable(template, &policy);
	m.to = must_primary(r, TPM_RH_ENDORSEMENT, &to);
	assert_rc(create(r, from, &template, NULL, &out), 0);
	assert_rc(load(r, from, &out.outPrivate, &out.outPublic, &m.object), 0);
	rig_flush(r, from);
	m.public = out.outPublic;
	return m;
}

static tpm_rc duplicate(struct rig *r, const struct Duplicate_in *in, struct Duplicate_out *out)
{
	struct client_session s = duplicate_session(r);
	tpm_rc rc;

	rig_sessions(r, &s, 1);
	rc = RIG_RUN(r, Duplicate, in, out);
	rig_flush(r, s.handle);
	return rc;
}

static tpm_rc import(struct rig *r, const struct moving *m, const struct Duplicate_out *blob,
		     const TPM2B_DATA *key, const TPMT_SYM_DEF_OBJECT *inner,
		     struct Import_out *out)
{
	struct Import_in in = {.parentHandle = m->to,
			       .encryptionKey = *key,
			       .objectPublic = m->public,
			       .duplicate = blob->duplicate,
			       .inSymSeed = blob->outSymSeed,
			       .symmetricAlg = *inner};

	return RIG_RUN(r, Import, &in, out);
}

/* From one parent to the other, with every combination of wrappers, for keys of every type. */
static void test_round_trip(void **state)
{
	struct rig *r = *state;
	static const TPM2B_DATA none;
	const TPM2B_DATA given = {16, "0123456789abcde"};
	TPMT_PUBLIC types[] = {rig_signing_template(), hmac_template(), cipher_template(256),
			       rig_storage_template(), rsa_template(false)};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		struct moving m = prepare(r, types[i], rig_storage_template());

		for (unsigned way = 0; way < 4; way++) {
			bool outer = way & 1, inner = way & 2;
			struct Duplicate_in in = {.objectHandle = m.object,
						  .newParentHandle = outer ? m.to : TPM_RH_NULL,
						  .encryptionKeyIn = inner && outer ? given : none,
						  .symmetricAlg = inner ? inner_128 : no_inner};
			struct Duplicate_out blob;
			struct Import_out imported;
			TPM_HANDLE handle;

			assert_rc(duplicate(r, &in, &blob), 0);
			assert_int_equal(blob.outSymSeed.size != 0, outer);
			assert_int_equal(blob.encryptionKeyOut.size, inner && !outer ? 16 : 0);
			assert_rc(import(r, &m, &blob,
					 inner && outer ? &given : &blob.encryptionKeyOut,
					 &in.symmetricAlg, &imported),
				  0);
			assert_rc(load(r, m.to, &imported.outPrivate, &m.public, &handle), 0);
			rig_flush(r, handle);
		}
		rig_flush(r, m.object);
		rig_flush(r, m.to);
	}
}

/* A parent with an RSA key. */
static void test_round_trip_rsa_parent(void **state)
{
	struct rig *r = *state;
	static const TPM2B_DATA none;
	struct moving m = prepare(r, rig_signing_template(), rsa_template(true));
	struct Duplicate_in in = {
		.objectHandle = m.object, .newParentHandle = m.to, .symmetricAlg = inner_128};
	struct Duplicate_out blob;
	struct Import_out imported;

	assert_rc(duplicate(r, &in, &blob), 0);
	assert_int_equal(blob.outSymSeed.size, 256);
	assert_rc(import(r, &m, &blob, &blob.encryptionKeyOut, &inner_128, &imported), 0);
	assert_rc(load(r, m.to, &imported.outPrivate, &m.public, NULL), 0);
	assert_rc(import(r, &m, &blob, &none, &no_inner, &imported), RC_P(3, TPM_RC_SIZE));
}

static void test_duplicate_refused(void **state)
{
	struct rig *r = *state;
	struct moving m = prepare(r, rig_signing_template(), rig_storage_template());
	TPMT_PUBLIC cipher = symmetric_parent_template();
	struct Duplicate_in in = {.objectHandle = m.object,
				  .newParentHandle = m.to,
				  .encryptionKeyIn = {1, "x"},
				  .symmetricAlg = no_inner};

	assert_rc(duplicate(r, &in, NULL), RC_P(1, TPM_RC_SIZE));
	in.symmetricAlg = inner_128;
	assert_rc(duplicate(r, &in, NULL), RC_P(1, TPM_RC_SIZE));
	in.encryptionKeyIn.size = 0;
	in.newParentHandle = m.object;
	assert_rc(duplicate(r, &in, NULL), RC_H(2, TPM_RC_TYPE));
	rig_flush(r, m.to); /* room */
	in.newParentHandle = must_load(r, storage_primary(r), &cipher);
	assert_rc(duplicate(r, &in, NULL), RC_H(2, TPM_RC_TYPE));
}

/* An object that is fixed to its parent stays there, whatever its policy says. */
static void test_duplicate_fixed(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC template = rig_signing_template();
	struct Duplicate_in in = {.newParentHandle = TPM_RH_NULL, .symmetricAlg = no_inner};

	template.authPolicy = duplicate_policy(r);
	in.objectHandle = must_load(r, parent, &template);
	assert_rc(duplicate(r, &in, NULL), RC_H(1, TPM_RC_ATTRIBUTES));
}

/* The role is DUP: neither password nor a policy for another command will do. */
static void test_duplicate_authorisation(void **state)
{
	struct rig *r = *state;
	struct moving m = prepare(r, rig_signing_template(), rig_storage_template());
	struct Duplicate_in in = {
		.objectHandle = m.object, .newParentHandle = m.to, .symmetricAlg = no_inner};
	struct client_session s;

	assert_rc(RIG_RUN(r, Duplicate, &in, NULL), TPM_RC_AUTH_TYPE);
	s = rig_session(r, TPM_SE_POLICY);
	rig_sessions(r, &s, 1);
	assert_rc(RIG_RUN(r, Duplicate, &in, NULL), RC_S(1, TPM_RC_POLICY_FAIL));
}

/* encryptedDuplication: both wrappers, out and in. */
static void test_encrypted_duplication(void **state)
{
	struct rig *r = *state;
	static const TPM2B_DATA none;
	struct moving m;
	TPMT_PUBLIC template = rig_signing_template();
	struct Duplicate_in in = {.symmetricAlg = no_inner};
	struct Duplicate_out blob, bare;
	struct Import_out imported;

	template.objectAttributes |= TPMA_OBJECT_ENCRYPTEDDUPLICATION;
	m = prepare(r, template, rig_storage_template());
	in.objectHandle = m.object;
	in.newParentHandle = m.to;
	assert_rc(duplicate(r, &in, NULL), RC_P(2, TPM_RC_SYMMETRIC));
	in.symmetricAlg = inner_128;
	in.newParentHandle = TPM_RH_NULL;
	assert_rc(duplicate(r, &in, NULL), RC_H(2, TPM_RC_HIERARCHY));
	in.newParentHandle = m.to;
	assert_rc(duplicate(r, &in, &blob), 0);
	assert_rc(import(r, &m, &blob, &none, &no_inner, &imported), RC_P(1, TPM_RC_ATTRIBUTES));
	bare = blob;
	bare.outSymSeed.size = 0;
	assert_rc(import(r, &m, &bare, &blob.encryptionKeyOut, &inner_128, &imported),
		  RC_P(4, TPM_RC_ATTRIBUTES));
	assert_rc(import(r, &m, &blob, &blob.encryptionKeyOut, &inner_128, &imported), 0);
}

/* Every byte of the blob is protected, with both wrappers, and with the inner one alone. */
static void test_import_integrity(void **state)
{
	struct rig *r = *state;
	struct moving m = prepare(r, rig_signing_template(), rig_storage_template());
	struct Duplicate_in in = {.objectHandle = m.object, .symmetricAlg = inner_128};

	for (unsigned outer = 0; outer < 2; outer++) {
		struct Duplicate_out blob;
		struct Import_out imported;
		TPM2B_DATA key;

		in.newParentHandle = outer ? m.to : TPM_RH_NULL;
		assert_rc(duplicate(r, &in, &blob), 0);
		key = blob.encryptionKeyOut;
		for (uint16_t i = outer ? 2 : 34; i < blob.duplicate.size; i++) {
			tpm_rc rc;

			blob.duplicate.buffer[i] ^= 1;
			rc = import(r, &m, &blob, &key, &inner_128, &imported);
			assert_rc(rc, RC_P(3, TPM_RC_INTEGRITY));
			blob.duplicate.buffer[i] ^= 1;
		}
		m.public.publicArea.objectAttributes ^= TPMA_OBJECT_NODA;
		assert_rc(import(r, &m, &blob, &key, &inner_128, &imported),
			  RC_P(3, TPM_RC_INTEGRITY));
		m.public.publicArea.objectAttributes ^= TPMA_OBJECT_NODA;
	}
}

static void test_import_refused(void **state)
{
	struct rig *r = *state;
	static const TPM2B_DATA none, one = {1, "x"};
	struct moving m = prepare(r, rig_signing_template(), rig_storage_template());
	TPMT_PUBLIC cipher = symmetric_parent_template();
	struct Duplicate_in in = {
		.objectHandle = m.object, .newParentHandle = m.to, .symmetricAlg = no_inner};
	struct Duplicate_out blob;
	struct Import_out imported;
	struct moving wrong;

	assert_rc(duplicate(r, &in, &blob), 0);
	assert_rc(import(r, &m, &blob, &one, &no_inner, &imported), RC_P(1, TPM_RC_SIZE));
	assert_rc(import(r, &m, &blob, &none, &inner_128, &imported), RC_P(1, TPM_RC_SIZE));
	wrong = m;
	wrong.public.publicArea.objectAttributes |= TPMA_OBJECT_FIXEDTPM;
	assert_rc(import(r, &wrong, &blob, &none, &no_inner, &imported),
		  RC_P(2, TPM_RC_ATTRIBUTES));
	wrong = m;
	wrong.to = m.object;
	assert_rc(import(r, &wrong, &blob, &none, &no_inner, &imported), RC_H(1, TPM_RC_TYPE));
	rig_flush(r, m.object);
	wrong.to = must_load(r, storage_primary(r), &cipher);
	assert_rc(import(r, &wrong, &blob, &none, &no_inner, &imported), RC_H(1, TPM_RC_TYPE));
	rig_flush(r, wrong.to);
	blob.outSymSeed.buffer[5] ^= 1; /* no point of the curve any more */
	assert_rc(import(r, &m, &blob, &none, &no_inner, &imported), RC_P(4, TPM_RC_ECC_POINT));
	blob.outSymSeed.size = 3;
	assert_rc(import(r, &m, &blob, &none, &no_inner, &imported), RC_P(4, TPM_RC_INSUFFICIENT));
}

static void test_import_binding(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC t = movable(rig_signing_template(), NULL);
	TPMT_SENSITIVE s = {.sensitiveType = TPM_ALG_ECC};
	struct cvtpm_ecc_key key = {.public.curve = CVTPM_P256};
	TPM2B_PUBLIC public;
	struct Import_out out;

	key.d[31] = 9;
	assert_int_equal(cvtpm_ecc_make_public(&key), 0);
	t.unique.ecc.x.size = t.unique.ecc.y.size = 32;
	memcpy(t.unique.ecc.x.buffer, key.public.x, 32);
	memcpy(t.unique.ecc.y.buffer, key.public.y, 32);
	s.sensitive.ecc = (TPM2B_ECC_PARAMETER){1, {9}};
	s.authValue = rig_auth("pw");
	assert_rc(import_plain(r, parent, &t, &s, &out), 0);
	public = (TPM2B_PUBLIC){1, t};
	assert_rc(load(r, parent, &out.outPrivate, &public, NULL), 0);
	s.sensitive.ecc.buffer[0] = 8;
	assert_rc(import_plain(r, parent, &t, &s, &out), TPM_RC_BINDING);
	s.sensitiveType = TPM_ALG_KEYEDHASH;
	assert_rc(import_plain(r, parent, &t, &s, &out), RC_P(3, TPM_RC_TYPE));
	s.sensitiveType = TPM_ALG_ECC;
	s.seedValue.size = 33;
	assert_rc(import_plain(r, parent, &t, &s, &out), RC_P(3, TPM_RC_KEY_SIZE));
	s.seedValue.size = 0;
	t.objectAttributes |= TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
	assert_rc(import_plain(r, parent, &t, &s, &out), RC_P(2, TPM_RC_ATTRIBUTES));
}

/* Bytes behind the sensitive area, counted with it or not. */
static void test_import_of_more(void **state)
{
	struct rig *r = *state;
	struct Import_in in = {.parentHandle = storage_primary(r),
			       .objectPublic.publicArea = movable(sealed_template(), NULL),
			       .symmetricAlg = no_inner};
	TPM2B_SENSITIVE area = {1, {.sensitiveType = TPM_ALG_KEYEDHASH}};
	TPM2B_PRIVATE *blob = &in.duplicate;

	area.sensitiveArea.sensitive.bits.size = 1;
	blob->size = (uint16_t)(type_marshal(&type_TPM2B_SENSITIVE, &area, blob->buffer,
					     sizeof blob->buffer) +
				1);
	assert_rc(RIG_RUN(r, Import, &in, NULL), RC_P(3, TPM_RC_SIZE));
	blob->buffer[1]++;
	assert_rc(RIG_RUN(r, Import, &in, NULL), RC_P(3, TPM_RC_SIZE));
}

/* ---- 13.2 ---- */

/* Where an object goes first, and from there; no handle: to nobody. */
static tpm_rc rewrap(struct rig *r, TPM_HANDLE from, TPM_HANDLE to, const TPM2B_NAME *name,
		     const struct Duplicate_out *blob, struct Rewrap_out *out)
{
	struct Rewrap_in in = {.oldParent = from,
			       .newParent = to,
			       .inDuplicate = blob->duplicate,
			       .name = *name,
			       .inSymSeed = blob->outSymSeed};

	return RIG_RUN(r, Rewrap, &in, out);
}

static TPM_HANDLE rsa_parent(struct rig *r)
{
	TPMT_PUBLIC template = rsa_template(true);

	return must_primary(r, TPM_RH_OWNER, &template);
}

/* From each parent, and from nobody, to the other, and to nobody, with an inner wrapper and
 * without: what arrives is what left. */
static void test_rewrap_round_trip(void **state)
{
	struct rig *r = *state;

	for (unsigned way = 0; way < 8; way++) {
		bool from = way & 1, to = way & 2, inner = way & 4;
		struct moving m = prepare(r, rig_signing_template(), rig_storage_template());
		TPM2B_NAME name = read_public(r, m.object).name;
		struct Duplicate_in in = {.objectHandle = m.object,
					  .newParentHandle = from ? m.to : TPM_RH_NULL,
					  .symmetricAlg = inner ? inner_128 : no_inner};
		struct Duplicate_out blob;
		struct Rewrap_out rewrapped;
		struct Import_out imported;
		TPM_HANDLE first = m.to;

		assert_rc(duplicate(r, &in, &blob), 0);
		rig_flush(r, m.object);
		m.to = rsa_parent(r);
		assert_rc(rewrap(r, from ? first : TPM_RH_NULL, to ? m.to : TPM_RH_NULL, &name,
				 &blob, &rewrapped),
			  0);
		rig_flush(r, first);
		assert_int_equal(rewrapped.outSymSeed.size, to ? 256 : 0);
		assert_int_equal(rewrapped.outDuplicate.size,
				 blob.duplicate.size + (to ? 34 : 0) - (from ? 34 : 0));
		blob.duplicate = rewrapped.outDuplicate;
		blob.outSymSeed = rewrapped.outSymSeed;
		assert_rc(import(r, &m, &blob, &blob.encryptionKeyOut, &in.symmetricAlg, &imported),
			  0);
		assert_rc(load(r, m.to, &imported.outPrivate, &m.public, &m.object), 0);
		rig_flush(r, m.object);
		rig_flush(r, m.to);
	}
}

static void test_rewrap_refused(void **state)
{
	struct rig *r = *state;
	struct moving m = prepare(r, rig_signing_template(), rig_storage_template());
	TPM2B_NAME name = read_public(r, m.object).name;
	TPMT_PUBLIC cipher = symmetric_parent_template();
	struct Duplicate_in in = {
		.objectHandle = m.object, .newParentHandle = m.to, .symmetricAlg = no_inner};
	struct Duplicate_out blob, bare;
	struct Rewrap_out out;
	TPM_HANDLE symmetric;

	assert_rc(duplicate(r, &in, &blob), 0);
	bare = blob;
	bare.outSymSeed.size = 0;
	assert_rc(rewrap(r, m.to, TPM_RH_NULL, &name, &bare, &out), RC_H(1, TPM_RC_HANDLE));
	assert_rc(rewrap(r, TPM_RH_NULL, m.to, &name, &blob, &out), RC_H(1, TPM_RC_HANDLE));
	rig_password(r, 0, "wrong"); /* it is the old parent that authorises */
	assert_rc(rewrap(r, m.to, TPM_RH_NULL, &name, &blob, &out), RC_S(1, TPM_RC_BAD_AUTH));
	assert_rc(rewrap(r, m.to, m.object, &name, &blob, &out), RC_H(2, TPM_RC_TYPE));
	rig_flush(r, m.object); /* room */
	symmetric = must_load(r, storage_primary(r), &cipher);
	assert_rc(rewrap(r, symmetric, TPM_RH_NULL, &name, &blob, &out), RC_H(1, TPM_RC_TYPE));
	assert_rc(rewrap(r, TPM_RH_NULL, symmetric, &name, &bare, &out), RC_H(2, TPM_RC_TYPE));
	rig_flush(r, symmetric);
	assert_rc(rewrap(r, m.to, TPM_RH_NULL, &name, &blob, NULL), 0);
}

/* Every byte of the blob and of the name is looked at. */
static void test_rewrap_integrity(void **state)
{
	struct rig *r = *state;
	struct moving m = prepare(r, rig_signing_template(), rig_storage_template());
	TPM2B_NAME name = read_public(r, m.object).name;
	struct Duplicate_in in = {
		.objectHandle = m.object, .newParentHandle = m.to, .symmetricAlg = inner_128};
	struct Duplicate_out blob;

	assert_rc(duplicate(r, &in, &blob), 0);
	for (uint16_t i = 2; i < blob.duplicate.size; i++) {
		blob.duplicate.buffer[i] ^= 1;
		assert_rc(rewrap(r, m.to, TPM_RH_NULL, &name, &blob, NULL),
			  RC_P(1, TPM_RC_INTEGRITY));
		blob.duplicate.buffer[i] ^= 1;
	}
	for (uint16_t i = 0; i < name.size; i++) {
		name.buffer[i] ^= 1;
		assert_rc(rewrap(r, m.to, TPM_RH_NULL, &name, &blob, NULL),
			  RC_P(1, TPM_RC_INTEGRITY));
		name.buffer[i] ^= 1;
	}
	assert_rc(rewrap(r, m.to, TPM_RH_NULL, &name, &blob, NULL), 0);
}

/* Blobs, seeds and names that no TPM made; what has no wrapper may be anything. */
static void test_rewrap_of_nonsense(void **state)
{
	struct rig *r = *state;
	struct moving m = prepare(r, rig_signing_template(), rig_storage_template());
	TPM2B_NAME name = read_public(r, m.object).name, nobody = {.size = 0};
	struct Duplicate_in in = {
		.objectHandle = m.object, .newParentHandle = m.to, .symmetricAlg = no_inner};
	struct Duplicate_out blob, none = {.duplicate.size = 0};
	struct Rewrap_out out;
	TPM_HANDLE rsa;

	assert_rc(duplicate(r, &in, &blob), 0);
	rig_flush(r, m.object);
	assert_rc(rewrap(r, TPM_RH_NULL, TPM_RH_NULL, &nobody, &none, &out), 0);
	assert_int_equal(out.outDuplicate.size, 0);
	assert_rc(rewrap(r, TPM_RH_NULL, m.to, &nobody, &none, &out), 0);
	assert_int_equal(out.outDuplicate.size, 34);
	none = blob;
	none.duplicate.size = 1;
	assert_rc(rewrap(r, m.to, TPM_RH_NULL, &name, &none, NULL), RC_P(1, TPM_RC_INSUFFICIENT));
	none.duplicate.buffer[0] = 0xFF;
	none.duplicate.size = 40;
	assert_rc(rewrap(r, m.to, TPM_RH_NULL, &name, &none, NULL), RC_P(1, TPM_RC_SIZE));
	blob.outSymSeed.buffer[5] ^= 1; /* no point of the curve any more */
	assert_rc(rewrap(r, m.to, TPM_RH_NULL, &name, &blob, NULL), RC_P(3, TPM_RC_VALUE));
	blob.outSymSeed.size = 3;
	assert_rc(rewrap(r, m.to, TPM_RH_NULL, &name, &blob, NULL), RC_P(3, TPM_RC_VALUE));
	rsa = rsa_parent(r);
	blob.outSymSeed.size = 255;
	assert_rc(rewrap(r, rsa, TPM_RH_NULL, &name, &blob, NULL), RC_P(3, TPM_RC_VALUE));
	blob.outSymSeed = (TPM2B_ENCRYPTED_SECRET){256, {0}};
	assert_rc(rewrap(r, rsa, TPM_RH_NULL, &name, &blob, NULL), RC_P(3, TPM_RC_VALUE));

	NATIVE_ONLY(r); /* libtpms' blobs are larger */
	none.duplicate.size = sizeof none.duplicate.buffer;
	none.outSymSeed.size = 0;
	assert_rc(rewrap(r, TPM_RH_NULL, TPM_RH_NULL, &name, &none, &out), 0);
	assert_int_equal(out.outDuplicate.size, none.duplicate.size);
	assert_rc(rewrap(r, TPM_RH_NULL, m.to, &name, &none, NULL), RC_P(1, TPM_RC_VALUE));
	none.duplicate.size -= 33;
	assert_rc(rewrap(r, TPM_RH_NULL, m.to, &name, &none, NULL), RC_P(1, TPM_RC_VALUE));
	none.duplicate.size--;
	assert_rc(rewrap(r, TPM_RH_NULL, m.to, &name, &none, &out), 0);
	assert_int_equal(out.outDuplicate.size, sizeof out.outDuplicate.buffer);
}

/* What has no policy is not duplicated: a sequence least of all. */
static void test_a_sequence_stays(void **state)
{
	struct rig *r = *state;
	struct Duplicate_in in = {.objectHandle = hash_sequence(r),
				  .newParentHandle = TPM_RH_NULL,
				  .symmetricAlg = no_inner};
	struct client_session s;

	duplicate_policy(r);
	s = duplicate_session(r);
	rig_sessions(r, &s, 1);
	assert_rc(RIG_RUN(r, Duplicate, &in, NULL), TPM_RC_AUTH_UNAVAILABLE);
}

/* A Storage Parent's seed has at least half the strength of its hash. */
static void test_import_seed(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE parent = storage_primary(r);
	TPMT_PUBLIC t = movable(rig_storage_template(), NULL);
	TPMT_SENSITIVE s = {.sensitiveType = TPM_ALG_ECC, .seedValue.size = 15};
	struct cvtpm_ecc_key key = {.public.curve = CVTPM_P256};
	struct Import_out out;

	key.d[31] = 9;
	assert_int_equal(cvtpm_ecc_make_public(&key), 0);
	t.unique.ecc.x.size = t.unique.ecc.y.size = 32;
	memcpy(t.unique.ecc.x.buffer, key.public.x, 32);
	memcpy(t.unique.ecc.y.buffer, key.public.y, 32);
	s.sensitive.ecc = (TPM2B_ECC_PARAMETER){1, {9}};
	assert_rc(import_plain(r, parent, &t, &s, &out), RC_P(3, TPM_RC_SIZE));
	s.seedValue.size = 16;
	assert_rc(import_plain(r, parent, &t, &s, &out), 0);
}

/* Under a parent that another TPM may have, the halves are compared when it is loaded. */
static void test_load_binding_under_movable_parent(void **state)
{
	struct rig *r = *state;
	TPM_HANDLE root = storage_primary(r), parent;
	TPMT_PUBLIC above = movable(rig_storage_template(), NULL);
	TPMT_PUBLIC t = movable(rig_signing_template(), NULL);
	TPMT_SENSITIVE s = {.sensitiveType = TPM_ALG_ECC};
	TPM2B_PUBLIC public = {1, t};
	struct Import_out out;

	parent = must_load(r, root, &above);
	public.publicArea.unique.ecc.x.size = public.publicArea.unique.ecc.y.size = 32;
	s.sensitive.ecc = (TPM2B_ECC_PARAMETER){1, {9}};
	assert_rc(import_plain(r, parent, &public.publicArea, &s, &out), 0);
	assert_rc(load(r, parent, &out.outPrivate, &public, NULL), TPM_RC_BINDING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(test_round_trip),
		OBJECT_TEST(test_round_trip_rsa_parent),
		OBJECT_TEST(test_duplicate_refused),
		OBJECT_TEST(test_duplicate_fixed),
		OBJECT_TEST(test_duplicate_authorisation),
		OBJECT_TEST(test_encrypted_duplication),
		OBJECT_TEST(test_import_integrity),
		OBJECT_TEST(test_import_refused),
		OBJECT_TEST(test_import_binding),
		OBJECT_TEST(test_import_of_more),
		OBJECT_TEST(test_rewrap_round_trip),
		OBJECT_TEST(test_rewrap_refused),
		OBJECT_TEST(test_rewrap_integrity),
		OBJECT_TEST(test_rewrap_of_nonsense),
		OBJECT_TEST(test_a_sequence_stays),
		OBJECT_TEST(test_import_seed),
		OBJECT_TEST(test_load_binding_under_movable_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
