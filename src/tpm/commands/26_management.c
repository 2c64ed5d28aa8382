/* Part 3, 26: management functions of no other group. */
#include "tpm/tpm.h"

/* 26.2: which commands want physical presence beside the platform's authorisation. What may
 * not be in the list is passed over, and what is in both leaves it. */
COMMAND_BODY(PP_Commands)
{
	CHANGE(t, t->pp_commands); /* once: a list may name one command many times */
	DIRTY(t, RECORD_PRESENCE);
	for (uint32_t i = 0; i < in->setList.count; i++)
		presence_require(t, in->setList.commandCodes[i], true);
	for (uint32_t i = 0; i < in->clearList.count; i++)
		presence_require(t, in->clearList.commandCodes[i], false);
	return TPM_RC_SUCCESS;
}
