/* Part 3, 26: management functions of no other group. */
#include "tpm/tpm.h"

/* 26.2: which commands want physical presence beside the platform's authorisation. What may
 * not be in the list is passed over, and what is in both leaves it. */
COMMAND_BODY(PP_Commands)
{
	presence_choose(t, &in->setList, true);
	presence_choose(t, &in->clearList, false);
	DIRTY(t, RECORD_PRESENCE);
	return TPM_RC_SUCCESS;
}
