/*
 * Do the two halves of an object belong together (Part 3, 12.2)?
 *
 * Asked of what comes from outside: TPM2_LoadExternal, TPM2_Import, and TPM2_Load under
 * a parent that another TPM may have, too. A blob that this TPM alone can have made needs
 * no such check: its integrity value holds name and sensitive area together.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

tpm_rc binding_unique(struct tpm *t, const TPMT_PUBLIC *public, const TPMT_SENSITIVE *sensitive,
		      TPM2B_DIGEST *unique)
{
	const uint32_t parent = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
	struct cvtpm_octets seed = OCTETS(sensitive->seedValue);
	struct cvtpm_octets secret = OCTETS(sensitive->sensitive.any);

	/* of a parent, whose seedValue protects its children, no plain hash of it is told */
	if ((public->objectAttributes & parent) == parent)
		return tpm_hmac(t, public->nameAlg, seed, &secret, 1, unique);
	return tpm_hash(t, public->nameAlg, (struct cvtpm_octets[]){seed, secret}, 2, unique);
}

/* ---- RSA ---- */

static tpm_rc rsa_check(struct tpm *t, const TPMT_PUBLIC *public, const TPMT_SENSITIVE *sensitive,
			unsigned n_public, unsigned n_sensitive)
{
	const TPMS_RSA_PARMS *p = &public->parameters.rsaDetail;
	const TPM2B_PUBLIC_KEY_RSA *n = &public->unique.rsa;
	const TPM2B_PRIVATE_KEY_RSA *prime;
	struct cvtpm_rsa_public key = {p->keyBits, p->exponent, {0}};

	if (n->size != p->keyBits / 8 || n->buffer[0] < 0x80)
		return RC_P(n_public, TPM_RC_KEY);
	if (!key.exponent)
		key.exponent = CVTPM_RSA_DEFAULT_EXPONENT;
	memcpy(key.n, n->buffer, n->size);
	if (key.exponent <= 0xFFFF || key.exponent % 2 == 0)
		return RC_P(n_public, TPM_RC_VALUE);
	if (cvtpm_rsa_check_public(&key)) /* an even modulus */
		return RC_P(n_public, TPM_RC_KEY);
	if (!sensitive)
		return TPM_RC_SUCCESS;
	prime = &sensitive->sensitive.rsa;
	if (prime->size * 2 != n->size || prime->buffer[0] < 0x80)
		return RC_P(n_sensitive, TPM_RC_KEY_SIZE);
	TRY(selftest_need(t, TPM_ALG_RSA));
	return cvtpm_rsa_check_prime(&key, prime->buffer, prime->size) ? TPM_RC_BINDING
								       : TPM_RC_SUCCESS;
}

/* ---- ECC ---- */

/* A number as `size` bytes; false where it has more. */
static bool to_size(const TPM2B_ECC_PARAMETER *number, size_t size, uint8_t *out)
{
	size_t extra = number->size > size ? number->size - size : 0;
	size_t len = number->size - extra;

	for (size_t i = 0; i < extra; i++)
		if (number->buffer[i])
			return false;
	memset(out, 0, size - len);
	memcpy(out + size - len, number->buffer + extra, len);
	return true;
}

static tpm_rc ecc_check_public(const TPMT_PUBLIC *public, unsigned n_public)
{
	enum cvtpm_curve curve = (enum cvtpm_curve) public->parameters.eccDetail.curveID;
	size_t size = cvtpm_curve_size(curve);
	struct cvtpm_ecc_public point = {.curve = curve};

	if (public->unique.ecc.x.size != size || public->unique.ecc.y.size != size)
		return RC_P(n_public, TPM_RC_KEY);
	if (public->nameAlg == TPM_ALG_NULL) /* it is then checked at each use */
		return TPM_RC_SUCCESS;
	to_size(&public->unique.ecc.x, size, point.x);
	to_size(&public->unique.ecc.y, size, point.y);
	return cvtpm_ecc_check_public(&point) ? RC_P(n_public, TPM_RC_ECC_POINT) : TPM_RC_SUCCESS;
}

static bool point_matches(const struct cvtpm_ecc_public *point, const TPMS_ECC_POINT *unique,
			  size_t size)
{
	uint8_t x[CVTPM_ECC_MAX_SIZE], y[CVTPM_ECC_MAX_SIZE];

	return to_size(&unique->x, size, x) && to_size(&unique->y, size, y) &&
	       cvtpm_equal(x, point->x, size) && cvtpm_equal(y, point->y, size);
}

/* The private key is given the size of the curve, which need not be the one it came in. */
static tpm_rc ecc_check(struct tpm *t, const TPMT_PUBLIC *public, TPMT_SENSITIVE *sensitive)
{
	enum cvtpm_curve curve = (enum cvtpm_curve) public->parameters.eccDetail.curveID;
	size_t size = cvtpm_curve_size(curve);
	struct cvtpm_ecc_key key = {.public.curve = curve};
	TPM2B_ECC_PARAMETER *d = &sensitive->sensitive.ecc;
	tpm_rc rc = TPM_RC_KEY_SIZE;

	TRY(selftest_need_curve(t, TPM_ALG_ECC, public->parameters.eccDetail.curveID));
	if (to_size(d, size, key.d) && !cvtpm_ecc_make_public(&key)) {
		d->size = (uint16_t)size;
		memcpy(d->buffer, key.d, size);
		rc = public->nameAlg == TPM_ALG_NULL ||
				     point_matches(&key.public, &public->unique.ecc, size)
			     ? TPM_RC_SUCCESS
			     : TPM_RC_BINDING;
	}
	cvtpm_wipe(&key, sizeof key);
	return rc;
}

/* ---- symmetric ---- */

static size_t keyedhash_max(const TPMT_KEYEDHASH_SCHEME *scheme)
{
	switch (scheme->scheme) {
	case TPM_ALG_HMAC:
		return cvtpm_hash_block_size((enum cvtpm_hash_alg)scheme->details.hmac.hashAlg);
	case TPM_ALG_XOR:
		return cvtpm_hash_block_size(
			(enum cvtpm_hash_alg)scheme->details.exclusiveOr.hashAlg);
	default:
		return MAX_SYM_DATA;
	}
}

static bool symmetric_size_fits(const TPMT_PUBLIC *public, const TPMT_SENSITIVE *sensitive)
{
	if (public->type == TPM_ALG_SYMCIPHER)
		return sensitive->sensitive.sym.size * 8 ==
		       public->parameters.symDetail.sym.keyBits.aes;
	return sensitive->sensitive.bits.size <=
	       keyedhash_max(&public->parameters.keyedHashDetail.scheme);
}

static tpm_rc symmetric_check(struct tpm *t, const TPMT_PUBLIC *public,
			      const TPMT_SENSITIVE *sensitive, unsigned n_public,
			      unsigned n_sensitive)
{
	TPM2B_DIGEST unique;

	if (!sensitive)
		return public->unique.sym.size == hash_size(public->nameAlg)
			       ? TPM_RC_SUCCESS
			       : RC_P(n_public, TPM_RC_KEY);
	if (!symmetric_size_fits(public, sensitive))
		return RC_P(n_sensitive, TPM_RC_KEY_SIZE);
	if (public->nameAlg == TPM_ALG_NULL)
		return TPM_RC_SUCCESS;
	if (sensitive->seedValue.size != hash_size(public->nameAlg))
		return RC_P(n_sensitive, TPM_RC_KEY_SIZE);
	TRY(binding_unique(t, public, sensitive, &unique));
	return EQUAL_2B(unique, public->unique.sym) ? TPM_RC_SUCCESS : TPM_RC_BINDING;
}

/* ---- all of them ---- */

static tpm_rc key_check(struct tpm *t, const TPMT_PUBLIC *public, TPMT_SENSITIVE *sensitive,
			unsigned n_public, unsigned n_sensitive)
{
	switch (public->type) {
	case TPM_ALG_RSA:
		return rsa_check(t, public, sensitive, n_public, n_sensitive);
	case TPM_ALG_ECC:
		return sensitive ? ecc_check(t, public, sensitive)
				 : ecc_check_public(public, n_public);
	default:
		return symmetric_check(t, public, sensitive, n_public, n_sensitive);
	}
}

tpm_rc binding_check(struct tpm *t, const TPMT_PUBLIC *public, TPMT_SENSITIVE *sensitive,
		     unsigned n_public, unsigned n_sensitive)
{
	const uint32_t parent = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
	uint16_t digest = hash_size(public->nameAlg);

	if (sensitive && public->type != sensitive->sensitiveType)
		return RC_P(n_sensitive, TPM_RC_TYPE);
	if (sensitive && object_adjust_auth(&sensitive->authValue, public->nameAlg))
		return RC_P(n_sensitive, TPM_RC_SIZE);
	TRY(key_check(t, public, sensitive, n_public, n_sensitive));
	if (!sensitive || (public->objectAttributes & parent) != parent || !digest)
		return TPM_RC_SUCCESS;
	/* a Storage Parent's seed: of half the strength of its hash at least */
	if (sensitive->seedValue.size < digest / 2 || sensitive->seedValue.size > digest)
		return RC_P(n_sensitive, TPM_RC_SIZE);
	return TPM_RC_SUCCESS;
}
