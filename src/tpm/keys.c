/*
 * Using a loaded key: which scheme, and the operation itself. What is asked of a
 * key's attributes is the commands' matter.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"
#include "cvtpm/err.h"

/* ---- the engine's numbers <-> crypto.h's ---- */

/* A big-endian number to exactly `size` bytes; false if it is too large. */
static bool number_fit(const uint8_t *in, size_t len, uint8_t *out, size_t size)
{
	for (; len > size; in++, len--)
		if (*in)
			return false;
	memset(out, 0, size - len);
	memcpy(out + size - len, in, len);
	return true;
}

static void number_set(const uint8_t *in, size_t size, TPM2B_ECC_PARAMETER *out)
{
	out->size = (uint16_t)size;
	memcpy(out->buffer, in, size);
}

static bool point_to(TPMI_ECC_CURVE curve, const TPMS_ECC_POINT *in, struct cvtpm_ecc_public *out)
{
	size_t size = cvtpm_curve_size((enum cvtpm_curve)curve);

	memset(out, 0, sizeof *out);
	out->curve = (enum cvtpm_curve)curve;
	return number_fit(in->x.buffer, in->x.size, out->x, size) &&
	       number_fit(in->y.buffer, in->y.size, out->y, size);
}

/* The engine's forms <-> crypto.h's. False: a number is too long for the curve, a modulus not
 * as long as the key; `out` is then all zero. */
static bool ecc_public_of(const TPMT_PUBLIC *public, struct cvtpm_ecc_public *out)
{
	return point_to(public->parameters.eccDetail.curveID, &public->unique.ecc, out);
}

static void ecc_point_of(const struct cvtpm_ecc_public *in, TPMS_ECC_POINT *out)
{
	number_set(in->x, cvtpm_curve_size(in->curve), &out->x);
	number_set(in->y, cvtpm_curve_size(in->curve), &out->y);
}

static bool rsa_public_of(const TPMT_PUBLIC *public, struct cvtpm_rsa_public *out)
{
	const TPMS_RSA_PARMS *parms = &public->parameters.rsaDetail;

	memset(out, 0, sizeof *out);
	if (public->unique.rsa.size != parms->keyBits / 8)
		return false;
	out->bits = parms->keyBits;
	out->exponent = parms->exponent ? parms->exponent : CVTPM_RSA_DEFAULT_EXPONENT;
	memcpy(out->n, public->unique.rsa.buffer, public->unique.rsa.size);
	return true;
}

/* ---- RSA private keys ---- */

void keys_forget(struct tpm *t, const TPM2B_NAME *name)
{
	for (size_t i = 0; i < CACHED_RSA_KEYS; i++) {
		struct rsa_cached *cached = &t->rsa_keys.entry[i];

		if (cached->last && (!name || EQUAL_2B(cached->name, *name)))
			cvtpm_wipe(cached, sizeof *cached);
	}
}

/* The key with its CRT values, worked out at its first use. A key without a name
 * (nameAlg TPM_ALG_NULL) is never found again. */
static tpm_rc rsa_private(struct tpm *t, const struct tpm_object *object,
			  const struct cvtpm_rsa_key **key)
{
	const TPM2B_PRIVATE_KEY_RSA *prime = &object->sensitive.sensitiveArea.sensitive.rsa;
	struct rsa_cached *cached = t->rsa_keys.entry;
	struct cvtpm_rsa_public public;

	for (size_t i = 0; i < CACHED_RSA_KEYS; i++) {
		struct rsa_cached *entry = &t->rsa_keys.entry[i];

		if (entry->last && entry->name.size && EQUAL_2B(entry->name, object->name)) {
			entry->last = ++t->rsa_keys.uses;
			*key = &entry->key;
			return TPM_RC_SUCCESS;
		}
		if (entry->last < cached->last)
			cached = entry;
	}
	cvtpm_wipe(cached, sizeof *cached);
	if (!rsa_public_of(&object->publicArea, &public) ||
	    cvtpm_rsa_load(&public, prime->buffer, prime->size, &cached->key))
		return TPM_RC_BINDING;
	cached->name = object->name;
	cached->last = ++t->rsa_keys.uses;
	*key = &cached->key;
	return TPM_RC_SUCCESS;
}

/* ---- schemes ---- */

bool key_is_signing(const struct tpm_object *key)
{
	return key->publicArea.objectAttributes & TPMA_OBJECT_SIGN &&
	       key->publicArea.type != TPM_ALG_SYMCIPHER;
}

/* The own scheme of a key that signs, TPM_ALG_NULL where it leaves it open. */
static void own_scheme(const TPMT_PUBLIC *public, TPMT_SIG_SCHEME *scheme)
{
	if (public->type == TPM_ALG_KEYEDHASH) {
		scheme->scheme = public->parameters.keyedHashDetail.scheme.scheme;
		scheme->details.any = public->parameters.keyedHashDetail.scheme.details.hmac;
	} else {
		scheme->scheme = public->parameters.asymDetail.scheme.scheme;
		scheme->details.any = public->parameters.asymDetail.scheme.details.any;
	}
}

static bool type_signs_with(TPMI_ALG_PUBLIC type, TPM_ALG_ID scheme)
{
	switch (type) {
	case TPM_ALG_RSA:
		return scheme == TPM_ALG_RSASSA || scheme == TPM_ALG_RSAPSS;
	case TPM_ALG_ECC:
		return scheme == TPM_ALG_ECDSA || scheme == TPM_ALG_ECDAA;
	case TPM_ALG_KEYEDHASH:
		return scheme == TPM_ALG_HMAC;
	default:
		return false;
	}
}

tpm_rc key_select_scheme(const struct tpm_object *key, TPMT_SIG_SCHEME *scheme)
{
	TPMT_SIG_SCHEME own;

	if (!key) {
		scheme->scheme = TPM_ALG_NULL;
		scheme->details.any.hashAlg = TPM_ALG_NULL;
		return TPM_RC_SUCCESS;
	}
	own_scheme(&key->publicArea, &own);
	if (own.scheme != TPM_ALG_NULL) {
		if (scheme->scheme != TPM_ALG_NULL &&
		    (scheme->scheme != own.scheme ||
		     scheme->details.any.hashAlg != own.details.any.hashAlg))
			return TPM_RC_SCHEME;
		if (own.scheme != TPM_ALG_ECDAA) /* whose counter the command alone knows */
			*scheme = own;
	}
	return type_signs_with(key->publicArea.type, scheme->scheme) ? TPM_RC_SUCCESS
								     : TPM_RC_SCHEME;
}

tpm_rc key_select_hmac(struct tpm *t, TPM_HANDLE handle, TPMI_ALG_HASH *alg, unsigned p,
		       const struct tpm_object **key)
{
	const struct tpm_object *object = object_get(t, handle);
	const TPMT_KEYEDHASH_SCHEME *own;

	if (!object || object->publicArea.type != TPM_ALG_KEYEDHASH)
		return RC_H(1, TPM_RC_TYPE);
	own = &object->publicArea.parameters.keyedHashDetail.scheme;
	if (own->scheme != TPM_ALG_NULL) {
		if (*alg != TPM_ALG_NULL && *alg != own->details.hmac.hashAlg)
			return RC_P(p, TPM_RC_VALUE);
		*alg = own->details.hmac.hashAlg;
	}
	if (*alg == TPM_ALG_NULL)
		return RC_P(p, TPM_RC_VALUE);
	if (object->publicArea.objectAttributes & TPMA_OBJECT_RESTRICTED)
		return RC_H(1, TPM_RC_ATTRIBUTES);
	if (!key_is_signing(object))
		return RC_H(1, TPM_RC_KEY);
	*key = object;
	return TPM_RC_SUCCESS;
}

tpm_rc key_select_padding(const struct tpm_object *key, TPMT_RSA_DECRYPT *scheme)
{
	const TPMT_RSA_SCHEME *own = &key->publicArea.parameters.rsaDetail.scheme;

	if (own->scheme == TPM_ALG_NULL)
		return TPM_RC_SUCCESS;
	if (scheme->scheme == TPM_ALG_NULL) {
		scheme->scheme = own->scheme;
		scheme->details = own->details;
		return TPM_RC_SUCCESS;
	}
	if (scheme->scheme != own->scheme ||
	    (own->scheme == TPM_ALG_OAEP &&
	     scheme->details.any.hashAlg != own->details.any.hashAlg))
		return TPM_RC_SCHEME;
	return TPM_RC_SUCCESS;
}

/* ---- signing ---- */

/* Part 1, B.7: a salt as long as the digest, as FIPS 186-5 wants it, or what there is room for. */
static size_t pss_salt(unsigned bits, TPM_ALG_ID alg)
{
	size_t max = cvtpm_rsapss_max_salt(bits, (enum cvtpm_hash_alg)alg);

	return max < hash_size(alg) ? max : hash_size(alg);
}

static tpm_rc rsa_sign(struct tpm *t, const struct tpm_object *key, const TPM2B_DIGEST *digest,
		       TPMT_SIGNATURE *signature)
{
	TPMS_SIGNATURE_RSA *out = &signature->signature.rsassa;
	enum cvtpm_hash_alg alg = (enum cvtpm_hash_alg)out->hash;
	const struct cvtpm_rsa_key *private;
	int err;

	TRY(selftest_need(t, signature->sigAlg));
	TRY(selftest_need(t, out->hash));
	TRY(rsa_private(t, key, &private));
	out->sig.size = private->public.bits / 8;
	if (signature->sigAlg == TPM_ALG_RSASSA)
		err = cvtpm_rsassa_sign(private, alg, digest->buffer, digest->size,
					out->sig.buffer);
	else
		err = cvtpm_rsapss_sign(private, &t->drbg, alg, digest->buffer, digest->size,
					pss_salt(private->public.bits, out->hash), out->sig.buffer);
	return err ? tpm_fail(t, "an RSA signature could not be made") : TPM_RC_SUCCESS;
}

static tpm_rc ecc_sign(struct tpm *t, const struct tpm_object *key, const TPM2B_DIGEST *digest,
		       TPMT_SIGNATURE *signature)
{
	const TPM2B_ECC_PARAMETER *d = &key->sensitive.sensitiveArea.sensitive.ecc;
	TPMS_SIGNATURE_ECC *out = &signature->signature.ecdsa;
	struct cvtpm_ecdsa_signature made;
	struct cvtpm_ecc_key private;
	size_t size;
	int err;

	TRY(selftest_need_curve(t, TPM_ALG_ECDSA, key->publicArea.parameters.eccDetail.curveID));
	if (!ecc_public_of(&key->publicArea, &private.public))
		return TPM_RC_BINDING;
	size = cvtpm_curve_size(private.public.curve);
	if (!number_fit(d->buffer, d->size, private.d, size))
		return TPM_RC_BINDING;
	err = cvtpm_ecdsa_sign(&private, &t->drbg, digest->buffer, digest->size, &made);
	cvtpm_wipe(&private, sizeof private);
	if (err)
		return tpm_fail(t, "an ECDSA signature could not be made");
	number_set(made.r, size, &out->signatureR);
	number_set(made.s, size, &out->signatureS);
	return TPM_RC_SUCCESS;
}

/* Part 1, C.4.2: s = r + T * d with the r that TPM2_Commit made, and T = H(nonce || digest)
 * with a nonce that is part of the signature. */
static tpm_rc ecdaa_sign(struct tpm *t, const struct tpm_object *key, const TPM2B_DIGEST *digest,
			 uint16_t count, TPMT_SIGNATURE *signature)
{
	const enum cvtpm_curve curve =
		(enum cvtpm_curve)key->publicArea.parameters.eccDetail.curveID;
	const TPM2B_ECC_PARAMETER *d = &key->sensitive.sensitiveArea.sensitive.ecc;
	const struct cvtpm_source random = cvtpm_drbg_source(&t->drbg);
	TPMS_SIGNATURE_ECC *out = &signature->signature.ecdaa;
	const size_t size = cvtpm_curve_size(curve);
	uint8_t scalar[CVTPM_ECC_MAX_SIZE];
	TPM2B_DIGEST hash;
	int err;

	TRY(selftest_need_curve(t, TPM_ALG_ECDAA, (TPMI_ECC_CURVE)curve));
	TRY(ephemeral_take(t, (TPMI_ECC_CURVE)curve, &key->name, count, t->frame.scalar));
	if (cvtpm_ecc_scalar_from(curve, &random, out->signatureR.buffer))
		return tpm_fail(t, "a nonce could not be made");
	out->signatureR.size = out->signatureS.size = (uint16_t)size;
	TRY(tpm_hash(t, out->hash,
		     (const struct cvtpm_octets[]){OCTETS(out->signatureR), OCTETS(*digest)}, 2,
		     &hash));
	if (!number_fit(d->buffer, d->size, scalar, size))
		return TPM_RC_BINDING;
	err = cvtpm_ecc_mul_add(curve, &t->drbg, hash.buffer, hash.size, scalar, t->frame.scalar,
				out->signatureS.buffer);
	cvtpm_wipe(scalar, sizeof scalar);
	return err ? tpm_fail(t, "an ECDAA signature could not be made") : TPM_RC_SUCCESS;
}

static tpm_rc hmac_sign(struct tpm *t, const struct tpm_object *key, const TPM2B_DIGEST *digest,
			TPMT_SIGNATURE *signature)
{
	const struct cvtpm_octets part = OCTETS(*digest);
	TPM2B_DIGEST mac;

	TRY(tpm_hmac(t, signature->signature.hmac.hashAlg,
		     OCTETS(key->sensitive.sensitiveArea.sensitive.bits), &part, 1, &mac));
	memcpy(&signature->signature.hmac.digest, mac.buffer, mac.size);
	return TPM_RC_SUCCESS;
}

tpm_rc key_sign(struct tpm *t, const struct tpm_object *key, const TPMT_SIG_SCHEME *scheme,
		const TPM2B_DIGEST *digest, TPMT_SIGNATURE *signature)
{
	signature->sigAlg = scheme->scheme;
	signature->signature.any.hashAlg = scheme->details.any.hashAlg;
	switch (scheme->scheme) {
	case TPM_ALG_ECDSA:
		return ecc_sign(t, key, digest, signature);
	case TPM_ALG_ECDAA:
		return ecdaa_sign(t, key, digest, scheme->details.ecdaa.count, signature);
	case TPM_ALG_HMAC:
		return hmac_sign(t, key, digest, signature);
	default:
		return rsa_sign(t, key, digest, signature);
	}
}

/* ---- verifying ---- */

static tpm_rc rsa_verify(struct tpm *t, const TPMT_PUBLIC *key, const TPM2B_DIGEST *digest,
			 const TPMT_SIGNATURE *signature)
{
	const TPMS_SIGNATURE_RSA *in = &signature->signature.rsassa;
	struct cvtpm_rsa_public public;
	int err;

	TRY(selftest_need(t, signature->sigAlg));
	TRY(selftest_need(t, in->hash));
	if (!rsa_public_of(key, &public))
		return TPM_RC_SIGNATURE;
	err = (signature->sigAlg == TPM_ALG_RSASSA ? cvtpm_rsassa_verify : cvtpm_rsapss_verify)(
		&public, (enum cvtpm_hash_alg)in->hash, digest->buffer, digest->size,
		in->sig.buffer, in->sig.size);
	return err ? TPM_RC_SIGNATURE : TPM_RC_SUCCESS;
}

static tpm_rc ecc_verify(struct tpm *t, const TPMT_PUBLIC *key, const TPM2B_DIGEST *digest,
			 const TPMT_SIGNATURE *signature)
{
	const TPMS_SIGNATURE_ECC *in = &signature->signature.ecdsa;
	struct cvtpm_ecdsa_signature rs;
	struct cvtpm_ecc_public public;
	size_t size;

	TRY(selftest_need_curve(t, TPM_ALG_ECDSA, key->parameters.eccDetail.curveID));
	if (digest->size == 0 || !ecc_public_of(key, &public))
		return TPM_RC_SIGNATURE;
	size = cvtpm_curve_size(public.curve);
	if (!number_fit(in->signatureR.buffer, in->signatureR.size, rs.r, size) ||
	    !number_fit(in->signatureS.buffer, in->signatureS.size, rs.s, size) ||
	    cvtpm_ecdsa_verify(&public, digest->buffer, digest->size, &rs))
		return TPM_RC_SIGNATURE;
	return TPM_RC_SUCCESS;
}

static tpm_rc hmac_verify(struct tpm *t, const struct tpm_object *key, const TPM2B_DIGEST *digest,
			  const TPMT_SIGNATURE *signature)
{
	const TPMT_KEYEDHASH_SCHEME *own = &key->publicArea.parameters.keyedHashDetail.scheme;
	const struct cvtpm_octets part = OCTETS(*digest);
	TPM2B_DIGEST mac;
	bool equal;

	if (own->scheme != TPM_ALG_NULL &&
	    own->details.hmac.hashAlg != signature->signature.hmac.hashAlg)
		return TPM_RC_SIGNATURE;
	TRY(tpm_hmac(t, signature->signature.hmac.hashAlg,
		     OCTETS(key->sensitive.sensitiveArea.sensitive.bits), &part, 1, &mac));
	equal = cvtpm_equal(mac.buffer, &signature->signature.hmac.digest, mac.size);
	cvtpm_wipe(&mac, sizeof mac); /* of a wrong signature: the right one */
	return equal ? TPM_RC_SUCCESS : TPM_RC_SIGNATURE;
}

tpm_rc key_verify(struct tpm *t, const struct tpm_object *key, const TPM2B_DIGEST *digest,
		  const TPMT_SIGNATURE *signature)
{
	if (key->publicArea.type == TPM_ALG_KEYEDHASH && key->sensitive.size == 0)
		return TPM_RC_HANDLE;
	if (!type_signs_with(key->publicArea.type, signature->sigAlg) ||
	    signature->sigAlg == TPM_ALG_ECDAA) /* it takes the issuer's key, too */
		return TPM_RC_SCHEME;
	switch (signature->sigAlg) {
	case TPM_ALG_ECDSA:
		return ecc_verify(t, &key->publicArea, digest, signature);
	case TPM_ALG_HMAC:
		return hmac_verify(t, key, digest, signature);
	default:
		return rsa_verify(t, &key->publicArea, digest, signature);
	}
}

/* ---- RSA encryption (Part 1, B.2 to B.5) ---- */

tpm_rc key_rsa_encrypt(struct tpm *t, const struct tpm_object *key, const TPMT_RSA_DECRYPT *scheme,
		       struct cvtpm_octets label, struct cvtpm_octets plain,
		       TPM2B_PUBLIC_KEY_RSA *out)
{
	struct cvtpm_rsa_public public;
	int err;

	TRY(selftest_need(t, TPM_ALG_RSA));
	TRY(selftest_need(t, scheme->scheme));
	if (!rsa_public_of(&key->publicArea, &public))
		return TPM_RC_KEY;
	out->size = public.bits / 8;
	switch (scheme->scheme) {
	case TPM_ALG_NULL:
		if (!number_fit(plain.at, plain.len, out->buffer, out->size))
			return TPM_RC_VALUE;
		err = cvtpm_rsa_public_op(&public, out->buffer, out->buffer);
		break;
	case TPM_ALG_RSAES:
		err = cvtpm_rsaes_encrypt(&public, &t->drbg, plain.at, plain.len, out->buffer);
		break;
	default: /* TPM_ALG_OAEP */
		TRY(selftest_need(t, scheme->details.oaep.hashAlg));
		err = cvtpm_oaep_encrypt(&public, &t->drbg,
					 (enum cvtpm_hash_alg)scheme->details.oaep.hashAlg, label,
					 plain.at, plain.len, out->buffer);
	}
	if (err == CVTPM_ERR_SIZE)
		return TPM_RC_VALUE;
	return err ? tpm_fail(t, "RSA encryption failed") : TPM_RC_SUCCESS;
}

tpm_rc key_rsa_decrypt(struct tpm *t, const struct tpm_object *key, const TPMT_RSA_DECRYPT *scheme,
		       struct cvtpm_octets label, const TPM2B_PUBLIC_KEY_RSA *in,
		       TPM2B_PUBLIC_KEY_RSA *plain)
{
	const struct cvtpm_rsa_key *private;
	size_t len = in->size;
	int err;

	TRY(selftest_need(t, TPM_ALG_RSA));
	TRY(selftest_need(t, scheme->scheme));
	if (in->size != key->publicArea.unique.rsa.size)
		return TPM_RC_SIZE;
	if (memcmp(in->buffer, key->publicArea.unique.rsa.buffer, in->size) >= 0)
		return TPM_RC_SIZE;
	TRY(rsa_private(t, key, &private));
	switch (scheme->scheme) {
	case TPM_ALG_NULL:
		err = cvtpm_rsa_private_op(private, in->buffer, plain->buffer);
		break;
	case TPM_ALG_RSAES:
		err = cvtpm_rsaes_decrypt(private, in->buffer, plain->buffer, &len);
		break;
	default: /* TPM_ALG_OAEP */
		TRY(selftest_need(t, scheme->details.oaep.hashAlg));
		err = cvtpm_oaep_decrypt(private, (enum cvtpm_hash_alg)scheme->details.oaep.hashAlg,
					 label, in->buffer, plain->buffer, &len);
	}
	if (err == CVTPM_ERR_AUTH)
		return TPM_RC_VALUE;
	plain->size = (uint16_t)len;
	return err ? tpm_fail(t, "RSA decryption failed") : TPM_RC_SUCCESS;
}

/* ---- points, ECDH (Part 1, C.6) ---- */

tpm_rc ecc_check_point(TPMI_ECC_CURVE curve, const TPMS_ECC_POINT *point)
{
	struct cvtpm_ecc_public q;

	return point_to(curve, point, &q) && !cvtpm_ecc_check_public(&q) ? TPM_RC_SUCCESS
									 : TPM_RC_ECC_POINT;
}

tpm_rc ecc_multiply(struct tpm *t, TPMI_ECC_CURVE curve, const uint8_t *scalar,
		    const TPMS_ECC_POINT *point, TPMS_ECC_POINT *product)
{
	struct cvtpm_ecc_public q, made;
	int err;

	TRY(selftest_need_curve(t, TPM_ALG_ECDH, curve));
	if (!point_to(curve, point, &q))
		return TPM_RC_ECC_POINT;
	err = cvtpm_ecdh(scalar, &q, &made);
	if (err)
		return err == CVTPM_ERR_PARAM ? TPM_RC_ECC_POINT : tpm_fail(t, "ECDH failed");
	ecc_point_of(&made, product);
	cvtpm_wipe(&made, sizeof made);
	return TPM_RC_SUCCESS;
}

tpm_rc ecc_multiply_base(struct tpm *t, TPMI_ECC_CURVE curve, const uint8_t *scalar,
			 TPMS_ECC_POINT *product)
{
	struct cvtpm_ecc_key key = {.public = {.curve = (enum cvtpm_curve)curve}};
	int err;

	TRY(selftest_need_curve(t, TPM_ALG_ECC, curve));
	memcpy(key.d, scalar, cvtpm_curve_size(key.public.curve));
	err = cvtpm_ecc_make_public(&key);
	ecc_point_of(&key.public, product);
	cvtpm_wipe(&key, sizeof key);
	return err ? tpm_fail(t, "a public point could not be made") : TPM_RC_SUCCESS;
}

tpm_rc key_ecdh(struct tpm *t, const struct tpm_object *key, const TPMS_ECC_POINT *point,
		TPMS_ECC_POINT *z)
{
	TPMI_ECC_CURVE curve = key->publicArea.parameters.eccDetail.curveID;
	const TPM2B_ECC_PARAMETER *d = &key->sensitive.sensitiveArea.sensitive.ecc;
	uint8_t scalar[CVTPM_ECC_MAX_SIZE];
	tpm_rc rc;

	if (!number_fit(d->buffer, d->size, scalar, cvtpm_curve_size((enum cvtpm_curve)curve)))
		return TPM_RC_BINDING;
	rc = ecc_multiply(t, curve, scalar, point, z);
	cvtpm_wipe(scalar, sizeof scalar);
	return rc;
}

tpm_rc key_ecdh_ephemeral(struct tpm *t, const struct tpm_object *key, TPMS_ECC_POINT *ephemeral,
			  TPMS_ECC_POINT *z)
{
	struct cvtpm_ecc_public q, shared;
	struct cvtpm_ecc_key made;
	int err;

	TRY(selftest_need_curve(t, TPM_ALG_ECDH, key->publicArea.parameters.eccDetail.curveID));
	if (!ecc_public_of(&key->publicArea, &q))
		return TPM_RC_ECC_POINT;
	if (cvtpm_ecc_generate(q.curve, &t->drbg, &made))
		return tpm_fail(t, "an ephemeral key could not be made");
	err = cvtpm_ecdh(made.d, &q, &shared);
	ecc_point_of(&made.public, ephemeral);
	cvtpm_wipe(&made, sizeof made);
	if (err)
		return err == CVTPM_ERR_PARAM ? TPM_RC_ECC_POINT : tpm_fail(t, "ECDH failed");
	ecc_point_of(&shared, z);
	cvtpm_wipe(&shared, sizeof shared);
	return TPM_RC_SUCCESS;
}
