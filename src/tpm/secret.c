/*
 * Secrets shared with the holder of an asymmetric key (Part 1, Annexes B.10 and C.6): by
 * RSAES-OAEP, or by one pass of ECDH with an ephemeral key and KDFe. Salts of sessions,
 * seeds of duplication blobs and of credentials travel so.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

/* The final NUL is part of a label. */
static struct cvtpm_octets label_octets(const char *label)
{
	size_t len = 0;

	while (label[len])
		len++;
	return (struct cvtpm_octets){label, len + 1};
}

static tpm_rc kdfe(struct tpm *t, const struct tpm_object *key, const char *label,
		   const TPMS_ECC_POINT *z, const TPMS_ECC_POINT *ephemeral, TPM2B_DIGEST *secret)
{
	TPM_ALG_ID hash = key->publicArea.nameAlg;

	TRY(selftest_need(t, hash));
	TRY(selftest_need(t, TPM_ALG_KDF1_SP800_56A));
	secret->size = hash_size(hash);
	return cvtpm_kdfe((enum cvtpm_hash_alg)hash, OCTETS(z->x), label_octets(label),
			  OCTETS(ephemeral->x), OCTETS(key->publicArea.unique.ecc.x),
			  8u * secret->size, secret->buffer)
		       ? tpm_fail(t, "KDFe does not work")
		       : TPM_RC_SUCCESS;
}

/* ---- making ---- */

static tpm_rc make_rsa(struct tpm *t, const struct tpm_object *key, const char *label,
		       TPM2B_DIGEST *secret, TPM2B_ENCRYPTED_SECRET *out)
{
	TPMT_RSA_DECRYPT scheme = {.scheme = TPM_ALG_OAEP};

	scheme.details.oaep.hashAlg = key->publicArea.nameAlg;
	secret->size = hash_size(key->publicArea.nameAlg);
	TRY(tpm_random(t, secret->buffer, secret->size));
	return key_rsa_encrypt(t, key, &scheme, label_octets(label), OCTETS(*secret), out);
}

static tpm_rc make_ecc(struct tpm *t, const struct tpm_object *key, const char *label,
		       TPM2B_DIGEST *secret, TPM2B_ENCRYPTED_SECRET *out)
{
	TPMS_ECC_POINT ephemeral, z;
	tpm_rc rc = key_ecdh_ephemeral(t, key, &ephemeral, &z);

	if (!rc)
		rc = kdfe(t, key, label, &z, &ephemeral, secret);
	cvtpm_wipe(&z, sizeof z);
	TRY(rc);
	out->size = (uint16_t)type_marshal(&type_TPMS_ECC_POINT, &ephemeral, out->buffer,
					   sizeof out->buffer);
	return TPM_RC_SUCCESS;
}

tpm_rc secret_make(struct tpm *t, const struct tpm_object *key, const char *label,
		   TPM2B_DIGEST *secret, TPM2B_ENCRYPTED_SECRET *out)
{
	return key->publicArea.type == TPM_ALG_RSA ? make_rsa(t, key, label, secret, out)
						   : make_ecc(t, key, label, secret, out);
}

/* ---- recovering ---- */

static tpm_rc recover_rsa(struct tpm *t, const struct tpm_object *key, const char *label,
			  const TPM2B_ENCRYPTED_SECRET *in, TPM2B_DIGEST *secret)
{
	const TPMT_RSA_SCHEME *of_key = &key->publicArea.parameters.rsaDetail.scheme;
	TPMT_RSA_DECRYPT scheme = {.scheme = TPM_ALG_OAEP};
	TPM2B_PUBLIC_KEY_RSA plain;
	tpm_rc rc;

	scheme.details.oaep.hashAlg = of_key->scheme == TPM_ALG_OAEP ? of_key->details.oaep.hashAlg
								     : key->publicArea.nameAlg;
	if ((of_key->scheme != TPM_ALG_OAEP && of_key->scheme != TPM_ALG_NULL) ||
	    !hash_size(scheme.details.oaep.hashAlg))
		return TPM_RC_VALUE; /* Part 3, 11.1 prefers it to TPM_RC_SCHEME */
	rc = key_rsa_decrypt(t, key, &scheme, label_octets(label), in, &plain);
	if (!rc && plain.size > hash_size(scheme.details.oaep.hashAlg))
		rc = TPM_RC_VALUE;
	if (!rc) {
		secret->size = plain.size;
		memcpy(secret->buffer, plain.buffer, plain.size);
	}
	cvtpm_wipe(&plain, sizeof plain);
	return rc;
}

static tpm_rc recover_ecc(struct tpm *t, const struct tpm_object *key, const char *label,
			  const TPM2B_ENCRYPTED_SECRET *in, TPM2B_DIGEST *secret)
{
	struct reader r = {in->buffer, in->size};
	TPMS_ECC_POINT ephemeral, z;
	tpm_rc rc;

	TRY(type_read(&type_TPMS_ECC_POINT, &ephemeral, &r, false));
	rc = key_ecdh(t, key, &ephemeral, &z);
	if (!rc)
		rc = kdfe(t, key, label, &z, &ephemeral, secret);
	cvtpm_wipe(&z, sizeof z);
	return rc;
}

tpm_rc secret_recover(struct tpm *t, const struct tpm_object *key, const char *label,
		      const TPM2B_ENCRYPTED_SECRET *in, TPM2B_DIGEST *secret)
{
	if (key->publicArea.type == TPM_ALG_RSA)
		return recover_rsa(t, key, label, in, secret);
	/* without a hash there is nothing to derive the secret with */
	return key->publicArea.nameAlg == TPM_ALG_NULL ? TPM_RC_KEY
						       : recover_ecc(t, key, label, in, secret);
}
