/*
 * Physical presence: which commands want it beside the platform's authorisation (Part 3,
 * 26.2), and whether it is asserted, which the platform tells.
 *
 * t->pp_commands has a bit for each command from TPM_CC_FIRST on. A bit counts only where the
 * command's row in commands.def says that it may be in the list, so that no record of the store
 * can say too much.
 */
#include "tpm/tpm.h"

bool presence_asserted(struct tpm *t)
{
	return t->platform->physical_presence &&
	       t->platform->physical_presence(t->platform->context);
}

bool presence_required(struct tpm *t, const struct command *command)
{
	return command->flags & CC_PP_ALWAYS ||
	       (command->flags & CC_PP && command_set_has(&t->pp_commands, command->code));
}

void presence_choose(struct tpm *t, const TPML_CC *list, bool required)
{
	CHANGE(t, t->pp_commands);
	for (uint32_t i = 0; i < list->count; i++) {
		const struct command *command = command_find(list->commandCodes[i]);

		if (command && command->flags & CC_PP)
			command_set_put(&t->pp_commands, command->code, required);
	}
}
