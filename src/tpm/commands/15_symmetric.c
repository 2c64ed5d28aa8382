/* Part 3, 15: symmetric primitives. */
#include "tpm/tpm.h"

/* 15.4: a digest, and a ticket that it may be signed by a restricted key. */
COMMAND_BODY(Hash)
{
	const struct cvtpm_octets part = OCTETS(in->data);

	TRY(tpm_hash(t, in->hashAlg, &part, 1, &out->outHash));
	out->validation.tag = TPM_ST_HASHCHECK;
	out->validation.hierarchy = TPM_RH_NULL;
	if (in->hierarchy == TPM_RH_NULL || ticket_starts_generated(part))
		return TPM_RC_SUCCESS;
	return ticket_hashcheck(t, in->hierarchy, in->hashAlg, &out->outHash, &out->validation);
}

/* 15.5: an HMAC with an unrestricted key. */
COMMAND_BODY(HMAC)
{
	const struct cvtpm_octets part = OCTETS(in->buffer);
	const struct tpm_object *key;

	TRY(key_select_hmac(t, in->handle_, &in->hashAlg, 2, &key));
	return tpm_hmac(t, in->hashAlg, OCTETS(key->sensitive.sensitiveArea.sensitive.bits), &part,
			1, &out->outHMAC);
}
