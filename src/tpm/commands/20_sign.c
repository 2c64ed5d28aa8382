/* Part 3, 20: signing and signature verification. */
#include "tpm/tpm.h"

/* 20.1: verifies a signature, and gives a ticket for it. */
COMMAND_BODY(VerifySignature)
{
	const struct tpm_object *key = object_get(t, in->keyHandle);

	if (!key || !(key->publicArea.objectAttributes & TPMA_OBJECT_SIGN))
		return RC_H(1, TPM_RC_ATTRIBUTES);
	TRY(rc_p(2, key_verify(t, key, &in->digest, &in->signature)));
	out->validation.tag = TPM_ST_VERIFIED;
	out->validation.hierarchy = TPM_RH_NULL;
	if (key->hierarchy == TPM_RH_NULL || key->publicArea.nameAlg == TPM_ALG_NULL)
		return TPM_RC_SUCCESS;
	return ticket_verified(t, key->hierarchy, &in->digest, &key->name, &out->validation);
}

/* Is there proof that this TPM hashed the data, and that it is not one of its own
 * attestations? Asked for by restricted keys, and checked wherever it is given. */
static tpm_rc check_validation(struct tpm *t, const struct Sign_in *in)
{
	TPMT_TK_HASHCHECK ticket;

	TRY(ticket_hashcheck(t, in->validation.hierarchy, in->inScheme.details.any.hashAlg,
			     &in->digest, &ticket));
	return EQUAL_2B(ticket.digest, in->validation.digest) ? TPM_RC_SUCCESS
							      : RC_P(3, TPM_RC_TICKET);
}

/* 20.2: signs a digest. */
COMMAND_BODY(Sign)
{
	const struct tpm_object *key = object_get(t, in->keyHandle);

	if (!key || !key_is_signing(key))
		return RC_H(1, TPM_RC_KEY);
	if (key->publicArea.objectAttributes & TPMA_OBJECT_X509SIGN)
		return RC_H(1, TPM_RC_ATTRIBUTES);
	TRY(rc_p(2, key_select_scheme(key, &in->inScheme)));
	if (in->validation.digest.size || key->publicArea.objectAttributes & TPMA_OBJECT_RESTRICTED)
		TRY(check_validation(t, in));
	else if (in->digest.size != hash_size(in->inScheme.details.any.hashAlg))
		return RC_P(1, TPM_RC_SIZE);
	return key_sign(t, key, &in->inScheme, &in->digest, &out->signature);
}
