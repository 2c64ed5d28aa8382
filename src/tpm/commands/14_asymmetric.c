/* Part 3, 14: asymmetric primitives. */
#include "tpm/tpm.h"

#include "crypto/mem.h"

/* A label is absent or ends in a NUL, which belongs to it. */
static bool label_is_good(const TPM2B_DATA *label)
{
	return label->size == 0 || label->buffer[label->size - 1] == 0;
}

/* 14.2: pads and encrypts to an RSA key, of which the public area is enough. */
COMMAND_BODY(RSA_Encrypt)
{
	const struct tpm_object *key = object_get(t, in->keyHandle);

	if (!key || key->publicArea.type != TPM_ALG_RSA)
		return RC_H(1, TPM_RC_KEY);
	if (!(key->publicArea.objectAttributes & TPMA_OBJECT_DECRYPT))
		return RC_H(1, TPM_RC_ATTRIBUTES);
	if (!label_is_good(&in->label))
		return RC_P(3, TPM_RC_VALUE);
	TRY(rc_p(2, key_select_padding(key, &in->inScheme)));
	return key_rsa_encrypt(t, key, &in->inScheme, OCTETS(in->label), OCTETS(in->message),
			       &out->outData);
}

/* 14.3: decrypts and takes the padding off. */
COMMAND_BODY(RSA_Decrypt)
{
	const struct tpm_object *key = object_get(t, in->keyHandle);

	if (!key || key->publicArea.type != TPM_ALG_RSA)
		return RC_H(1, TPM_RC_KEY);
	if ((key->publicArea.objectAttributes & (TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)) !=
	    TPMA_OBJECT_DECRYPT)
		return RC_H(1, TPM_RC_ATTRIBUTES);
	if (!label_is_good(&in->label))
		return RC_P(3, TPM_RC_VALUE);
	TRY(rc_p(2, key_select_padding(key, &in->inScheme)));
	return key_rsa_decrypt(t, key, &in->inScheme, OCTETS(in->label), &in->cipherText,
			       &out->message);
}

/* 14.4: a fresh key pair on the key's curve, and the secret that its holder would find. */
COMMAND_BODY(ECDH_KeyGen)
{
	const struct tpm_object *key = object_get(t, in->keyHandle);
	tpm_rc rc;

	if (!key || key->publicArea.type != TPM_ALG_ECC)
		return RC_H(1, TPM_RC_KEY);
	rc = key_ecdh_ephemeral(t, key, &out->pubPoint.point, &out->zPoint.point);
	return rc == TPM_RC_ECC_POINT ? RC_H(1, TPM_RC_KEY) : rc;
}

/* 14.5: the key's private scalar times a point. */
COMMAND_BODY(ECDH_ZGen)
{
	const struct tpm_object *key = object_get(t, in->keyHandle);

	if (!key || key->publicArea.type != TPM_ALG_ECC)
		return RC_H(1, TPM_RC_KEY);
	if ((key->publicArea.objectAttributes & (TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)) !=
	    TPMA_OBJECT_DECRYPT)
		return RC_H(1, TPM_RC_ATTRIBUTES);
	return rc_p(1, key_ecdh(t, key, &in->inPoint.point, &out->outPoint.point));
}

/* 14.7: the secrets that two parties share by a static and an ephemeral key of each. */
COMMAND_BODY(ZGen_2Phase)
{
	static const TPM2B_NAME nobody = {.size = 0};
	const struct tpm_object *key = object_get(t, in->keyA);
	TPMI_ECC_CURVE curve;
	TPM_ALG_ID own;

	if (!key || key->publicArea.type != TPM_ALG_ECC)
		return RC_H(1, TPM_RC_KEY);
	if ((key->publicArea.objectAttributes & (TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)) !=
	    TPMA_OBJECT_DECRYPT)
		return RC_H(1, TPM_RC_ATTRIBUTES);
	curve = key->publicArea.parameters.eccDetail.curveID;
	own = key->publicArea.parameters.eccDetail.scheme.scheme;
	if (own != TPM_ALG_NULL && own != in->inScheme)
		return RC_P(3, TPM_RC_SCHEME);
	TRY(rc_p(1, ecc_check_point(curve, &in->inQsB.point)));
	TRY(rc_p(2, ecc_check_point(curve, &in->inQeB.point)));
	TRY(rc_p(4, ephemeral_take(t, curve, &nobody, in->counter, t->frame.scalar)));
	TRY(key_ecdh(t, key, &in->inQsB.point, &out->outZ1.point));
	return ecc_multiply(t, curve, t->frame.scalar, &in->inQeB.point, &out->outZ2.point);
}

static void curve_number(const uint8_t *number, size_t size, TPM2B_ECC_PARAMETER *out)
{
	out->size = (uint16_t)size;
	memcpy(out->buffer, number, size);
}

/* The registry's hash for the curve's KDF: as strong as the curve. */
static TPM_ALG_ID curve_hash(TPMI_ECC_CURVE curve)
{
	switch (curve) {
	case TPM_ECC_NIST_P256:
		return TPM_ALG_SHA256;
	case TPM_ECC_NIST_P384:
		return TPM_ALG_SHA384;
	default:
		return TPM_ALG_SHA512;
	}
}

/* 14.6: the parameters of a curve, each as long as the curve's numbers are. */
COMMAND_BODY(ECC_Parameters)
{
	const struct cvtpm_curve_parameters *curve =
		cvtpm_curve_parameters((enum cvtpm_curve)in->curveID);
	static const uint8_t cofactor[] = {1};
	TPMS_ALGORITHM_DETAIL_ECC *p = &out->parameters;

	p->curveID = in->curveID;
	p->keySize = (uint16_t)(in->curveID == TPM_ECC_NIST_P521 ? 521 : 8 * curve->size);
	p->kdf.scheme = TPM_ALG_KDF1_SP800_56A;
	p->kdf.details.kdf1_sp800_56a.hashAlg = curve_hash(in->curveID);
	p->sign.scheme = TPM_ALG_NULL;
	curve_number(curve->p, curve->size, &p->p);
	curve_number(curve->a, curve->size, &p->a);
	curve_number(curve->b, curve->size, &p->b);
	curve_number(curve->gx, curve->size, &p->gX);
	curve_number(curve->gy, curve->size, &p->gY);
	curve_number(curve->n, curve->size, &p->n);
	curve_number(cofactor, sizeof cofactor, &p->h);
	return TPM_RC_SUCCESS;
}
