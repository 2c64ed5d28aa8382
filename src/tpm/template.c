/*
 * What a public area must obey (Part 1, 25 and 27; Part 2, 8.3; Part 3, 12.1).
 *
 * The order of the checks is the reference implementation's, so that a template
 * with two faults gets the same answer from both.
 */
#include "tpm/tpm.h"

static bool is_set(const TPMT_PUBLIC *public, uint32_t attribute)
{
	return public->objectAttributes & attribute;
}

/* ---- schemes ---- */

static bool scheme_signs(TPM_ALG_ID scheme)
{
	return scheme == TPM_ALG_RSASSA || scheme == TPM_ALG_RSAPSS || scheme == TPM_ALG_ECDSA ||
	       scheme == TPM_ALG_ECDAA;
}

static bool scheme_decrypts(TPM_ALG_ID scheme)
{
	return scheme == TPM_ALG_RSAES || scheme == TPM_ALG_OAEP || scheme == TPM_ALG_ECDH;
}

static bool keyedhash_scheme_fits(const TPMT_PUBLIC *public)
{
	const TPMT_KEYEDHASH_SCHEME *scheme = &public->parameters.keyedHashDetail.scheme;

	if (is_set(public, TPMA_OBJECT_SIGN) == is_set(public, TPMA_OBJECT_DECRYPT))
		return scheme->scheme == TPM_ALG_NULL;
	if (is_set(public, TPMA_OBJECT_SIGN))
		return scheme->scheme == TPM_ALG_HMAC;
	/* a Derivation Parent derives by SP 800-108 and by nothing else */
	return scheme->scheme == TPM_ALG_XOR &&
	       (!is_set(public, TPMA_OBJECT_RESTRICTED) ||
		scheme->details.exclusiveOr.kdf == TPM_ALG_KDF1_SP800_108);
}

/* A key of both kinds has no scheme, a restricted signing key must have one, a Storage
 * Parent must not. */
static bool asymmetric_scheme_fits(const TPMT_PUBLIC *public)
{
	TPM_ALG_ID scheme = public->parameters.asymDetail.scheme.scheme;
	bool restricted = is_set(public, TPMA_OBJECT_RESTRICTED);

	if (is_set(public, TPMA_OBJECT_SIGN) == is_set(public, TPMA_OBJECT_DECRYPT))
		return scheme == TPM_ALG_NULL;
	if (is_set(public, TPMA_OBJECT_SIGN))
		return scheme_signs(scheme) || (scheme == TPM_ALG_NULL && !restricted);
	return scheme == TPM_ALG_NULL || (scheme_decrypts(scheme) && !restricted);
}

static tpm_rc check_asymmetric(const TPMT_PUBLIC *public)
{
	bool storage =
		is_set(public, TPMA_OBJECT_RESTRICTED) && is_set(public, TPMA_OBJECT_DECRYPT);

	if (!asymmetric_scheme_fits(public))
		return TPM_RC_SCHEME;
	if (!storage && public->parameters.asymDetail.symmetric.algorithm != TPM_ALG_NULL)
		return TPM_RC_SYMMETRIC;
	if (public->type == TPM_ALG_ECC && public->parameters.eccDetail.kdf.scheme != TPM_ALG_NULL)
		return TPM_RC_KDF;
	return TPM_RC_SUCCESS;
}

static bool symmetric_equal(const TPMT_SYM_DEF_OBJECT *a, const TPMT_SYM_DEF_OBJECT *b)
{
	return a->algorithm == b->algorithm && a->keyBits.aes == b->keyBits.aes &&
	       a->mode.aes == b->mode.aes;
}

/* A Storage Parent protects with an algorithm; one that stays where it is, with that of
 * its own parent. */
static tpm_rc check_storage(const struct tpm_object *parent, const TPMT_PUBLIC *public)
{
	const TPMT_SYM_DEF_OBJECT *symmetric = object_symmetric(public);

	if (!symmetric || !is_set(public, TPMA_OBJECT_RESTRICTED) ||
	    !is_set(public, TPMA_OBJECT_DECRYPT))
		return TPM_RC_SUCCESS;
	if (symmetric->algorithm == TPM_ALG_NULL)
		return TPM_RC_SYMMETRIC;
	if (!symmetric_protects(symmetric))
		return TPM_RC_MODE;
	if (!parent || !is_set(public, TPMA_OBJECT_FIXEDPARENT))
		return TPM_RC_SUCCESS;
	if (public->nameAlg != parent->publicArea.nameAlg)
		return TPM_RC_HASH;
	if (!object_symmetric(&parent->publicArea) ||
	    !symmetric_equal(symmetric, object_symmetric(&parent->publicArea)))
		return TPM_RC_SYMMETRIC;
	return TPM_RC_SUCCESS;
}

static tpm_rc check_schemes(const struct tpm_object *parent, const TPMT_PUBLIC *public)
{
	if (public->type == TPM_ALG_KEYEDHASH && !keyedhash_scheme_fits(public))
		return TPM_RC_SCHEME;
	if (public->type == TPM_ALG_RSA || public->type == TPM_ALG_ECC)
		TRY(check_asymmetric(public));
	return check_storage(parent, public);
}

tpm_rc template_check_policy(const TPMT_PUBLIC *public)
{
	uint16_t size = public->authPolicy.size;

	return size && size != hash_size(public->nameAlg) ? TPM_RC_SIZE : TPM_RC_SUCCESS;
}

/* ---- attributes ---- */

/* What an object may be, given its parent. A primary seed counts as fixedTPM. */
static bool duplication_fits(const struct tpm_object *parent, const TPMT_PUBLIC *public)
{
	bool fixed = is_set(public, TPMA_OBJECT_FIXEDTPM);
	bool encrypted = is_set(public, TPMA_OBJECT_ENCRYPTEDDUPLICATION);
	const TPMT_PUBLIC *above = parent ? &parent->publicArea : NULL;

	if (!above || is_set(above, TPMA_OBJECT_FIXEDTPM)) {
		if (fixed != is_set(public, TPMA_OBJECT_FIXEDPARENT))
			return false;
	} else if (fixed || encrypted != is_set(above, TPMA_OBJECT_ENCRYPTEDDUPLICATION)) {
		return false;
	}
	return !(fixed && encrypted);
}

/* Signing for certificates alone is of asymmetric keys that sign (Part 2, 8.3.3.13). */
static bool x509sign_fits(const TPMT_PUBLIC *public)
{
	return !is_set(public, TPMA_OBJECT_X509SIGN) ||
	       (is_set(public, TPMA_OBJECT_SIGN) &&
		(public->type == TPM_ALG_RSA || public->type == TPM_ALG_ECC));
}

static bool use_fits(const TPMT_PUBLIC *public)
{
	if (!x509sign_fits(public))
		return false;
	if (is_set(public, TPMA_OBJECT_SIGN) != is_set(public, TPMA_OBJECT_DECRYPT))
		return true;
	if (is_set(public, TPMA_OBJECT_RESTRICTED))
		return false;
	return public->type == TPM_ALG_KEYEDHASH || is_set(public, TPMA_OBJECT_SIGN);
}

/* A derived object cannot leave its parent, and is fixed to the TPM if that is. */
static bool derivation_fits(const struct tpm_object *parent, const TPMT_PUBLIC *public)
{
	if (!object_is_derivation_parent(parent))
		return true;
	return is_set(public, TPMA_OBJECT_FIXEDPARENT) &&
	       is_set(public, TPMA_OBJECT_FIXEDTPM) ==
		       is_set(&parent->publicArea, TPMA_OBJECT_FIXEDTPM);
}

tpm_rc template_check(const struct tpm_object *parent, const TPMT_PUBLIC *public)
{
	TRY(template_check_policy(public));
	if (!duplication_fits(parent, public) || !use_fits(public) ||
	    !derivation_fits(parent, public))
		return TPM_RC_ATTRIBUTES;
	return check_schemes(parent, public);
}

tpm_rc template_check_public(const TPMT_PUBLIC *public)
{
	return check_schemes(NULL, public);
}

/* ---- creation ---- */

/* Where may the secret come from? A symmetric key that restricts its use must be the
 * TPM's own, unless it is free to move; a private key always; sealed data never. */
static bool origin_fits(const TPMT_PUBLIC *public)
{
	const uint32_t fixed = TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_FIXEDTPM;
	const uint32_t use = TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT;
	bool own = is_set(public, TPMA_OBJECT_SENSITIVEDATAORIGIN);

	switch (public->type) {
	case TPM_ALG_KEYEDHASH:
		if (!is_set(public, use) && own)
			return false;
		/* fallthrough */
	case TPM_ALG_SYMCIPHER:
		return own || !is_set(public, TPMA_OBJECT_RESTRICTED) || !is_set(public, fixed);
	default:
		return own;
	}
}

tpm_rc template_check_creation(const struct tpm_object *parent, const TPMT_PUBLIC *public,
			       size_t data_size)
{
	bool own = is_set(public, TPMA_OBJECT_SENSITIVEDATAORIGIN);

	/* For a primary object, data that the TPM does not take as the secret is one more
	 * input of the derivation (24.1). */
	if ((!own && data_size == 0) || (parent && own && data_size))
		return TPM_RC_ATTRIBUTES;
	if (!origin_fits(public))
		return TPM_RC_ATTRIBUTES;
	return template_check(parent, public);
}
