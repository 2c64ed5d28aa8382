/*
 * Secrets on their way out of the TPM and in: the blobs of TPM2_Create and TPM2_Load,
 * of duplication, and of credentials (Part 1, 22 to 24).
 *
 * All have an outer wrapper of one form:
 *
 *     integrity as a TPM2B, iv as a TPM2B (only TPM2_Create's), ciphertext
 *     key       := KDFa(hash, seed, "STORAGE", name, -, bits)
 *     MAC key   := KDFa(hash, seed, "INTEGRITY", -, -, bits of hash)
 *     integrity := HMAC(MAC key, everything behind it || name)
 *
 * in AES-CFB, by the algorithms of the protecting key; without an iv it is zero, and the
 * seed serves once. The plaintext of an object is its sensitive area as a TPM2B, inside
 * the inner wrapper where there is one.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

#define IV_SIZE MAX_SYM_BLOCK_SIZE

static const uint8_t zero_iv[IV_SIZE];

/* ---- the outer wrapper ---- */

struct wrapper {
	const TPMT_PUBLIC *protector; /* the parent's, or the credential key's */
	struct cvtpm_octets seed;
	const TPM2B_NAME *name; /* of what is protected */
};

static tpm_rc derive(struct tpm *t, const struct wrapper *w, struct cvtpm_octets label,
		     struct cvtpm_octets u, uint32_t bits, uint8_t *key)
{
	TRY(selftest_need(t, TPM_ALG_KDF1_SP800_108));
	return cvtpm_kdfa((enum cvtpm_hash_alg)w->protector->nameAlg, w->seed, label, u,
			  (struct cvtpm_octets){NULL, 0}, bits, key)
		       ? tpm_fail(t, "KDFa does not work")
		       : TPM_RC_SUCCESS;
}

static tpm_rc cipher(struct tpm *t, bool encrypt, const uint8_t *key, uint16_t bits,
		     const uint8_t iv_in[IV_SIZE], uint8_t *data, size_t len)
{
	uint8_t iv[IV_SIZE];
	int err;

	TRY(selftest_need(t, TPM_ALG_AES));
	memcpy(iv, iv_in, sizeof iv);
	err = encrypt ? cvtpm_aes_encrypt(CVTPM_AES_CFB, key, bits, iv, data, len, data)
		      : cvtpm_aes_decrypt(CVTPM_AES_CFB, key, bits, iv, data, len, data);
	return err ? tpm_fail(t, "AES does not work") : TPM_RC_SUCCESS;
}

static tpm_rc outer_cipher(struct tpm *t, const struct wrapper *w, bool encrypt,
			   const uint8_t iv[IV_SIZE], uint8_t *data, size_t len)
{
	uint16_t bits = object_symmetric(w->protector)->keyBits.aes;
	uint8_t key[MAX_SYM_KEY_BYTES];
	tpm_rc rc = derive(t, w, CVTPM_TEXT("STORAGE"), OCTETS(*w->name), bits, key);

	if (!rc)
		rc = cipher(t, encrypt, key, bits, iv, data, len);
	cvtpm_wipe(key, sizeof key);
	return rc;
}

static tpm_rc outer_integrity(struct tpm *t, const struct wrapper *w, const uint8_t *data,
			      size_t len, TPM2B_DIGEST *integrity)
{
	TPM_ALG_ID hash = w->protector->nameAlg;
	struct cvtpm_octets nothing = {NULL, 0};
	TPM2B_DIGEST key = {.size = hash_size(hash)};
	tpm_rc rc = derive(t, w, CVTPM_TEXT("INTEGRITY"), nothing, 8u * key.size, key.buffer);

	if (!rc)
		rc = tpm_hmac(t, hash, OCTETS(key),
			      (struct cvtpm_octets[]){{data, len}, OCTETS(*w->name)}, 2, integrity);
	cvtpm_wipe(&key, sizeof key);
	return rc;
}

/* Where the plaintext goes in a blob. */
static size_t outer_room(const struct wrapper *w, bool with_iv)
{
	return 2u + hash_size(w->protector->nameAlg) + (with_iv ? 2u + IV_SIZE : 0u);
}

/* Closes the blob around its `len` bytes of plaintext at outer_room(). */
static tpm_rc outer_close(struct tpm *t, const struct wrapper *w, bool with_iv, uint8_t *blob,
			  size_t len)
{
	size_t from = outer_room(w, false), room = outer_room(w, with_iv);
	TPM2B_IV iv = {.size = 0};
	TPM2B_DIGEST integrity;

	if (with_iv) {
		iv.size = IV_SIZE;
		TRY(tpm_random(t, iv.buffer, iv.size));
		type_marshal(&type_TPM2B_IV, &iv, blob + from, room - from);
	}
	TRY(outer_cipher(t, w, true, with_iv ? iv.buffer : zero_iv, blob + room, len));
	TRY(outer_integrity(t, w, blob + from, room - from + len, &integrity));
	type_marshal(&type_TPM2B_DIGEST, &integrity, blob, from);
	return TPM_RC_SUCCESS;
}

/* Checks and opens a blob in place; `*plain` is what is in it. */
static tpm_rc outer_open(struct tpm *t, const struct wrapper *w, bool with_iv, uint8_t *blob,
			 size_t size, struct reader *plain)
{
	struct reader r = {blob, size};
	TPM2B_DIGEST integrity, expected;
	TPM2B_IV iv = {.size = IV_SIZE};

	TRY(type_read(&type_TPM2B_DIGEST, &integrity, &r, false));
	TRY(outer_integrity(t, w, r.at, r.left, &expected));
	if (!EQUAL_2B(integrity, expected))
		return TPM_RC_INTEGRITY;
	if (with_iv)
		TRY(type_read(&type_TPM2B_IV, &iv, &r, false));
	if (iv.size != IV_SIZE)
		return TPM_RC_VALUE;
	*plain = r;
	return outer_cipher(t, w, false, with_iv ? iv.buffer : zero_iv, blob + (size - r.left),
			    r.left);
}

/* ---- the sensitive area ---- */

/* As a TPM2B, its authValue padded to a digest of the object's nameAlg, so that the length
 * of a blob does not tell that of a password. */
static tpm_rc sensitive_write(struct tpm *t, const TPMT_SENSITIVE *s, const TPM2B_NAME *name,
			      uint8_t *out, size_t capacity, size_t *len)
{
	uint16_t digest = (uint16_t)(name->size - 2), auth = s->authValue.size;
	struct writer w = {out, capacity, false};

	if (auth < digest)
		auth = digest;
	write_u16(&w, (uint16_t)(2 + 2 + auth + 2 + s->seedValue.size + 2 + s->sensitive.any.size));
	write_u16(&w, s->sensitiveType);
	write_u16(&w, auth);
	write_bytes(&w, s->authValue.buffer, s->authValue.size);
	for (uint16_t i = s->authValue.size; i < auth; i++)
		write_u8(&w, 0);
	type_write(&type_TPM2B_DIGEST, &s->seedValue, &w);
	type_write(&type_TPM2B_PRIVATE_KEY_RSA, &s->sensitive.any, &w);
	*len = capacity - w.left;
	return w.overflow ? tpm_fail(t, "a sensitive area does not fit into a blob")
			  : TPM_RC_SUCCESS;
}

/* Exactly one. TPM_RC_SIZE where the sizes do not agree. */
static tpm_rc sensitive_read(struct reader *r, TPM2B_SENSITIVE *s)
{
	uint16_t size;

	TRY(read_u16(r, &size));
	if (size != r->left)
		return TPM_RC_SIZE;
	TRY(type_read(&type_TPMT_SENSITIVE, &s->sensitiveArea, r, false));
	if (r->left)
		return TPM_RC_SIZE;
	s->size = size;
	auth_trim(&s->sensitiveArea.authValue);
	return TPM_RC_SUCCESS;
}

/* ---- TPM2_Create and TPM2_Load ---- */

static struct wrapper wrapper_of(const struct tpm_object *parent, const TPM2B_NAME *name)
{
	return (struct wrapper){&parent->publicArea,
				OCTETS(parent->sensitive.sensitiveArea.seedValue), name};
}

tpm_rc protect_wrap(struct tpm *t, const struct tpm_object *parent, const TPM2B_NAME *name,
		    const TPMT_SENSITIVE *sensitive, TPM2B_PRIVATE *out)
{
	struct wrapper w = wrapper_of(parent, name);
	size_t room = outer_room(&w, true), len;

	TRY(sensitive_write(t, sensitive, name, out->buffer + room, sizeof out->buffer - room,
			    &len));
	out->size = (uint16_t)(room + len);
	return outer_close(t, &w, true, out->buffer, len);
}

tpm_rc protect_unwrap(struct tpm *t, const struct tpm_object *parent, const TPM2B_NAME *name,
		      TPM2B_PRIVATE *in, TPM2B_SENSITIVE *sensitive)
{
	struct wrapper w = wrapper_of(parent, name);
	struct reader plain;

	TRY(outer_open(t, &w, true, in->buffer, in->size, &plain));
	return sensitive_read(&plain, sensitive) ? TPM_RC_SENSITIVE : TPM_RC_SUCCESS;
}

/* ---- duplication: the inner wrapper ---- */

static TPM_ALG_ID name_alg(const TPM2B_NAME *name)
{
	return (TPM_ALG_ID)(name->buffer[0] << 8 | name->buffer[1]);
}

/* Around the `len` bytes of plaintext behind a digest's room at `at`. */
static tpm_rc inner_close(struct tpm *t, const TPMT_SYM_DEF_OBJECT *inner, const TPM2B_NAME *name,
			  const TPM2B_DATA *key, uint8_t *at, size_t len)
{
	size_t room = 2u + hash_size(name_alg(name));
	TPM2B_DIGEST integrity;

	TRY(tpm_hash(t, name_alg(name), (struct cvtpm_octets[]){{at + room, len}, OCTETS(*name)}, 2,
		     &integrity));
	type_marshal(&type_TPM2B_DIGEST, &integrity, at, room);
	return cipher(t, true, key->buffer, inner->keyBits.aes, zero_iv, at, room + len);
}

static tpm_rc inner_open(struct tpm *t, const TPMT_SYM_DEF_OBJECT *inner, const TPM2B_NAME *name,
			 const TPM2B_DATA *key, uint8_t *at, struct reader *r)
{
	TPM2B_DIGEST integrity, expected;

	TRY(cipher(t, false, key->buffer, inner->keyBits.aes, zero_iv, at, r->left));
	TRY(type_read(&type_TPM2B_DIGEST, &integrity, r, false));
	TRY(tpm_hash(t, name_alg(name), (struct cvtpm_octets[]){{r->at, r->left}, OCTETS(*name)}, 2,
		     &expected));
	return EQUAL_2B(integrity, expected) ? TPM_RC_SUCCESS : TPM_RC_INTEGRITY;
}

/* The key of an inner wrapper that the TPM makes is answered, one that it was given is not. */
static tpm_rc inner_wrap(struct tpm *t, const TPMT_SYM_DEF_OBJECT *inner, const TPM2B_NAME *name,
			 TPM2B_DATA *key, uint8_t *at, size_t *len)
{
	bool given = key->size != 0;

	if (!given) {
		key->size = inner->keyBits.aes / 8;
		TRY(tpm_random(t, key->buffer, key->size));
	}
	TRY(inner_close(t, inner, name, key, at, *len));
	*len += 2u + hash_size(name_alg(name));
	if (given)
		key->size = 0;
	return TPM_RC_SUCCESS;
}

/* ---- duplication: the outer wrapper alone ---- */

tpm_rc protect_outer_open(struct tpm *t, const struct tpm_object *parent, const TPM2B_NAME *name,
			  const TPM2B_DIGEST *seed, TPM2B_PRIVATE *blob, struct cvtpm_octets *plain)
{
	struct wrapper w = {&parent->publicArea, OCTETS(*seed), name};
	struct reader r;

	TRY(outer_open(t, &w, false, blob->buffer, blob->size, &r));
	*plain = (struct cvtpm_octets){r.at, r.left};
	return TPM_RC_SUCCESS;
}

tpm_rc protect_outer_close(struct tpm *t, const struct tpm_object *new_parent,
			   const TPM2B_NAME *name, struct cvtpm_octets plain, TPM2B_PRIVATE *out,
			   TPM2B_ENCRYPTED_SECRET *seed)
{
	TPM2B_DIGEST *secret = &t->frame.scratch;
	struct wrapper w = {NULL, {NULL, 0}, name};
	size_t room = 0;

	if (new_parent) {
		w.protector = &new_parent->publicArea;
		room = outer_room(&w, false);
	}
	if (plain.len > sizeof out->buffer - room)
		return TPM_RC_VALUE;
	memcpy(out->buffer + room, plain.at, plain.len);
	out->size = (uint16_t)(room + plain.len);
	if (!new_parent)
		return TPM_RC_SUCCESS;
	TRY(secret_make(t, new_parent, "DUPLICATE", secret, seed));
	w.seed = OCTETS(*secret);
	return outer_close(t, &w, false, out->buffer, plain.len);
}

/* ---- duplication: both ---- */

tpm_rc protect_duplicate(struct tpm *t, const struct tpm_object *new_parent, const TPM2B_NAME *name,
			 const TPMT_SYM_DEF_OBJECT *inner, TPM2B_DATA *inner_key,
			 const TPMT_SENSITIVE *sensitive, TPM2B_PRIVATE *out,
			 TPM2B_ENCRYPTED_SECRET *seed)
{
	TPM2B_DIGEST *secret = &t->frame.scratch;
	struct wrapper w = {NULL, {NULL, 0}, name};
	size_t outer_size = 0, inner_size = 0, len;

	if (new_parent) {
		TRY(secret_make(t, new_parent, "DUPLICATE", secret, seed));
		w.protector = &new_parent->publicArea;
		w.seed = OCTETS(*secret);
		outer_size = outer_room(&w, false);
	}
	if (inner->algorithm != TPM_ALG_NULL)
		inner_size = 2u + hash_size(name_alg(name));
	TRY(sensitive_write(t, sensitive, name, out->buffer + outer_size + inner_size,
			    sizeof out->buffer - outer_size - inner_size, &len));
	if (inner_size)
		TRY(inner_wrap(t, inner, name, inner_key, out->buffer + outer_size, &len));
	if (new_parent)
		TRY(outer_close(t, &w, false, out->buffer, len));
	out->size = (uint16_t)(outer_size + len);
	return TPM_RC_SUCCESS;
}

tpm_rc protect_import(struct tpm *t, const struct tpm_object *parent, const TPM2B_NAME *name,
		      const TPMT_SYM_DEF_OBJECT *inner, const TPM2B_DATA *inner_key,
		      const TPM2B_DIGEST *seed, TPM2B_PRIVATE *in, TPM2B_SENSITIVE *sensitive)
{
	struct wrapper w = {&parent->publicArea, OCTETS(*seed), name};
	struct reader r = {in->buffer, in->size};

	if (seed->size)
		TRY(outer_open(t, &w, false, in->buffer, in->size, &r));
	if (inner->algorithm != TPM_ALG_NULL)
		TRY(inner_open(t, inner, name, inner_key, in->buffer + (in->size - r.left), &r));
	return sensitive_read(&r, sensitive);
}

/* ---- credentials ---- */

tpm_rc protect_credential(struct tpm *t, const struct tpm_object *key, const TPM2B_NAME *name,
			  const TPM2B_DIGEST *seed, const TPM2B_DIGEST *credential,
			  TPM2B_ID_OBJECT *blob)
{
	struct wrapper w = {&key->publicArea, OCTETS(*seed), name};
	size_t room = outer_room(&w, false);
	size_t len = type_marshal(&type_TPM2B_DIGEST, credential, blob->buffer + room,
				  sizeof blob->buffer - room);

	blob->size = (uint16_t)(room + len);
	return outer_close(t, &w, false, blob->buffer, len);
}

tpm_rc protect_activate(struct tpm *t, const struct tpm_object *key, const TPM2B_NAME *name,
			const TPM2B_DIGEST *seed, TPM2B_ID_OBJECT *blob, TPM2B_DIGEST *credential)
{
	struct wrapper w = {&key->publicArea, OCTETS(*seed), name};
	struct reader r;

	TRY(outer_open(t, &w, false, blob->buffer, blob->size, &r));
	TRY(type_read(&type_TPM2B_DIGEST, credential, &r, false));
	return r.left ? TPM_RC_SIZE : TPM_RC_SUCCESS;
}
