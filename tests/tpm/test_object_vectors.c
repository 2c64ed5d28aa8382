/*
 * Objects against answers that were made without the engine (make_object_vectors.py):
 * what a primary seed yields, what a Derivation Parent yields, blobs, duplication
 * blobs, credentials. The primary objects are golden: no release may change them, or
 * every guest's keys change.
 */
#include "objects.h"

#include "tpm/tpm.h"

#include <string.h>

struct seeds_vector {
	TPM_HANDLE hierarchy;
	const char *seed, *proof;
};
struct primary_vector {
	TPM_HANDLE hierarchy;
	const char *template, *data, *public, *secret, *seed;
};
struct derived_vector {
	const char *template, *public, *secret, *seed;
};
struct blob_vector {
	unsigned parent; /* in primary_vectors */
	const char *public, *private, *inner_key, *duplicate, *encrypted;
};
struct credential_vector {
	unsigned key; /* in primary_vectors */
	const char *credential, *blob, *encrypted;
};
#include "object_vectors.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- helpers ---- */

static uint8_t digit(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static uint16_t from_hex(const char *hex, uint8_t *out, size_t capacity)
{
	size_t len = strlen(hex) / 2;

	assert_true(len <= capacity);
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
	return (uint16_t)len;
}
#define FROM_HEX(buffer2b, hex)                                                                    \
	((buffer2b).size = from_hex((hex), (buffer2b).buffer, sizeof(buffer2b).buffer))

static void assert_hex(const void *bytes, size_t len, const char *hex)
{
	uint8_t expected[2048];

	assert_int_equal(len, from_hex(hex, expected, sizeof expected));
	assert_memory_equal(bytes, expected, len);
}

static struct tpm *insides(struct rig *r)
{
	return (struct tpm *)(void *)r->tpm;
}

/* A TPM with known seeds. */
static struct rig *with_seeds(void)
{
	struct rig *r = rig_new(&cvtpm_engine_native);

	for (size_t i = 0; i < COUNT(seeds_vectors); i++) {
		struct tpm_hierarchy *h =
			&insides(r)->hierarchy[hierarchy_index(seeds_vectors[i].hierarchy)];

		FROM_HEX(h->seed, seeds_vectors[i].seed);
		FROM_HEX(h->proof, seeds_vectors[i].proof);
		assert_int_equal(h->derivation, 1);
	}
	return r;
}

static struct CreateLoaded_out made_of(struct rig *r, TPM_HANDLE parent, const char *template,
				       const char *data)
{
	struct CreateLoaded_in in = {.parentHandle = parent};
	struct CreateLoaded_out out;

	FROM_HEX(in.inPublic, template);
	FROM_HEX(in.inSensitive.sensitive.data, data);
	assert_rc(RIG_RUN(r, CreateLoaded, &in, &out), 0);
	return out;
}

static TPM_HANDLE primary_of(struct rig *r, unsigned n)
{
	return made_of(r, primary_vectors[n].hierarchy, primary_vectors[n].template,
		       primary_vectors[n].data)
		.handle;
}

static void assert_object(struct rig *r, TPM_HANDLE handle, const char *public, const char *secret,
			  const char *seed)
{
	const struct tpm_object *object = object_get(insides(r), handle);
	const TPMT_SENSITIVE *s = &object->sensitive.sensitiveArea;
	uint8_t bytes[1024];

	assert_hex(bytes, type_marshal(&type_TPMT_PUBLIC, &object->publicArea, bytes, sizeof bytes),
		   public);
	assert_hex(s->sensitive.any.buffer, s->sensitive.any.size, secret);
	assert_hex(s->seedValue.buffer, s->seedValue.size, seed);
}

static TPM2B_PUBLIC public_of(const char *hex)
{
	TPM2B_PUBLIC public = {.size = 1};
	uint8_t bytes[1024];
	struct reader r = {bytes, from_hex(hex, bytes, sizeof bytes)};

	assert_rc(type_read(&type_TPMT_PUBLIC, &public.publicArea, &r, false), 0);
	return public;
}

static void assert_unseals(struct rig *r, TPM_HANDLE handle)
{
	struct Unseal_in in = {.itemHandle = handle};
	struct Unseal_out out;

	rig_password(r, 0, "pw");
	assert_rc(RIG_RUN(r, Unseal, &in, &out), 0);
	assert_int_equal(out.outData.size, 10);
	assert_memory_equal(out.outData.buffer, "the secret", 10);
}

/* ---- the tests ---- */

static void test_primary_objects(void **state)
{
	struct rig *r = with_seeds();

	(void)state;
	for (size_t i = 0; i < COUNT(primary_vectors); i++) {
		const struct primary_vector *v = &primary_vectors[i];
		TPM_HANDLE handle = primary_of(r, (unsigned)i);

		assert_object(r, handle, v->public, v->secret, v->seed);
		rig_flush(r, handle);
	}
	rig_free(r);
}

/* A hierarchy whose derivation this release does not know is not used as if it were known. */
static void test_unknown_derivation(void **state)
{
	struct rig *r = with_seeds();
	TPMT_PUBLIC t = rig_storage_template();

	(void)state;
	insides(r)->hierarchy[H_OWNER].derivation = 2;
	assert_rc(primary(r, TPM_RH_OWNER, &t, NULL, NULL), TPM_RC_FAILURE);
	rig_free(r);
}

static void test_derived_objects(void **state)
{
	struct rig *r = with_seeds();
	TPM_HANDLE parent = primary_of(r, COUNT(primary_vectors) - 1);

	(void)state;
	for (size_t i = 0; i < COUNT(derived_vectors); i++) {
		const struct derived_vector *v = &derived_vectors[i];
		struct CreateLoaded_out out = made_of(r, parent, v->template, "");

		assert_object(r, out.handle, v->public, v->secret, v->seed);
		rig_flush(r, out.handle);
	}
	rig_free(r);
}

static void test_private_areas(void **state)
{
	struct rig *r = with_seeds();

	(void)state;
	for (size_t i = 0; i < COUNT(blob_vectors); i++) {
		const struct blob_vector *v = &blob_vectors[i];
		TPM_HANDLE parent = primary_of(r, v->parent), handle;
		TPM2B_PUBLIC public = public_of(v->public);
		TPM2B_PRIVATE private;

		FROM_HEX(private, v->private);
		assert_rc(load(r, parent, &private, &public, &handle), 0);
		assert_unseals(r, handle);
		rig_flush(r, handle);
		rig_flush(r, parent);
	}
	rig_free(r);
}

static void test_duplicates(void **state)
{
	struct rig *r = with_seeds();

	(void)state;
	for (size_t i = 0; i < COUNT(blob_vectors); i++) {
		const struct blob_vector *v = &blob_vectors[i];
		struct Import_in in = {.parentHandle = primary_of(r, v->parent),
				       .objectPublic = public_of(v->public),
				       .symmetricAlg = {TPM_ALG_AES, {.aes = 128}, {TPM_ALG_CFB}}};
		struct Import_out out;
		TPM_HANDLE handle;

		FROM_HEX(in.encryptionKey, v->inner_key);
		FROM_HEX(in.duplicate, v->duplicate);
		FROM_HEX(in.inSymSeed, v->encrypted);
		assert_rc(RIG_RUN(r, Import, &in, &out), 0);
		assert_rc(load(r, in.parentHandle, &out.outPrivate, &in.objectPublic, &handle), 0);
		assert_unseals(r, handle);
		rig_flush(r, handle);
		rig_flush(r, in.parentHandle);
	}
	rig_free(r);
}

static void test_credentials(void **state)
{
	struct rig *r = with_seeds();

	(void)state;
	for (size_t i = 0; i < COUNT(credential_vectors); i++) {
		const struct credential_vector *v = &credential_vectors[i];
		TPM_HANDLE key = primary_of(r, v->key);
		struct ActivateCredential_in in = {.activateHandle = key, .keyHandle = key};
		struct ActivateCredential_out out;

		FROM_HEX(in.credentialBlob, v->blob);
		FROM_HEX(in.secret, v->encrypted);
		assert_rc(RIG_RUN(r, ActivateCredential, &in, &out), 0);
		assert_hex(out.certInfo.buffer, out.certInfo.size, v->credential);
		rig_flush(r, key);
	}
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_primary_objects), cmocka_unit_test(test_unknown_derivation),
		cmocka_unit_test(test_derived_objects), cmocka_unit_test(test_private_areas),
		cmocka_unit_test(test_duplicates),      cmocka_unit_test(test_credentials),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
