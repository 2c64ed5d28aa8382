/* Part 3, 19: ephemeral EC keys. */
#include "tpm/tpm.h"

#include "crypto/mem.h"

/* The base point that the issuer of a credential and its holder both know: x is the hash of
 * s2, modulo p, and y is said to fit it. */
static tpm_rc base_point(struct tpm *t, const struct tpm_object *key, const struct Commit_in *in,
			 TPMS_ECC_POINT *point)
{
	const struct cvtpm_octets part = OCTETS(in->s2);
	const TPMI_ECC_CURVE curve = key->publicArea.parameters.eccDetail.curveID;
	TPM2B_DIGEST digest;

	if (key->publicArea.nameAlg == TPM_ALG_NULL)
		return RC_H(1, TPM_RC_HASH);
	TRY(tpm_hash(t, key->publicArea.nameAlg, &part, 1, &digest));
	if (cvtpm_ecc_coordinate((enum cvtpm_curve)curve, digest.buffer, digest.size,
				 point->x.buffer))
		return tpm_fail(t, "a hash could not be reduced");
	point->x.size = (uint16_t)cvtpm_curve_size((enum cvtpm_curve)curve);
	point->y = in->y2;
	return rc_p(2, ecc_check_point(curve, point));
}

static bool point_is_empty(const TPMS_ECC_POINT *point)
{
	return point->x.size == 0 && point->y.size == 0;
}

/* 19.2: the first half of an anonymous signature (Part 1, C.2.3). */
COMMAND_BODY(Commit)
{
	const struct tpm_object *key = object_get(t, in->signHandle);
	uint8_t *r = t->frame.scalar;
	TPMS_ECC_POINT base;
	TPMI_ECC_CURVE curve;

	if (!key || key->publicArea.type != TPM_ALG_ECC)
		return RC_H(1, TPM_RC_KEY);
	curve = key->publicArea.parameters.eccDetail.curveID;
	if (key->publicArea.parameters.eccDetail.scheme.scheme != TPM_ALG_ECDAA)
		return RC_H(1, TPM_RC_SCHEME);
	if ((in->s2.size == 0) != (in->y2.size == 0))
		return RC_P(3, TPM_RC_SIZE);
	if (in->s2.size)
		TRY(base_point(t, key, in, &base));
	if (!point_is_empty(&in->P1.point))
		TRY(rc_p(1, ecc_check_point(curve, &in->P1.point)));
	TRY(ephemeral_make(t, curve, &key->name, r, &out->counter));
	if (in->s2.size) {
		TRY(key_ecdh(t, key, &base, &out->K.point));
		TRY(ecc_multiply(t, curve, r, &base, &out->L.point));
	}
	if (!point_is_empty(&in->P1.point))
		return ecc_multiply(t, curve, r, &in->P1.point, &out->E.point);
	if (!in->s2.size)
		return ecc_multiply_base(t, curve, r, &out->E.point);
	return TPM_RC_SUCCESS;
}

/* 19.3: the first half of a key exchange in two phases. */
COMMAND_BODY(EC_Ephemeral)
{
	static const TPM2B_NAME nobody = {.size = 0};
	uint8_t *r = t->frame.scalar;

	TRY(ephemeral_make(t, in->curveID, &nobody, r, &out->counter));
	return ecc_multiply_base(t, in->curveID, r, &out->Q.point);
}
