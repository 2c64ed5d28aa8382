/* Part 3, 30: capability commands. */
#include "tpm/tpm.h"

/* 30.2: what this TPM is and how it stands. */
COMMAND_BODY(GetCapability)
{
	return capability_get(t, in->capability, in->property, in->propertyCount,
			      &out->capabilityData, &out->moreData);
}

/* 30.3: can this TPM do keys with such parameters? It can do all that can be read. */
COMMAND_BODY(TestParms)
{
	return TPM_RC_SUCCESS;
}
