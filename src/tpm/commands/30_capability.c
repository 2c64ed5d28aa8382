/* Part 3, 30: capability commands. */
#include "tpm/tpm.h"

/* 30.2: what this TPM is and how it stands. */
COMMAND_BODY(GetCapability)
{
	return capability_get(t, in->capability, in->property, in->propertyCount,
			      &out->capabilityData, &out->moreData);
}

/* 30.3: can this TPM do keys with such parameters? It can do all that can be read, but that an
 * asymmetric key has no use for any mode but the one that protects its children. */
COMMAND_BODY(TestParms)
{
	TPMI_ALG_PUBLIC type = in->parameters.type;

	if ((type == TPM_ALG_RSA || type == TPM_ALG_ECC) &&
	    !symmetric_protects(&in->parameters.parameters.asymDetail.symmetric))
		return RC_P(1, TPM_RC_MODE);
	return TPM_RC_SUCCESS;
}
