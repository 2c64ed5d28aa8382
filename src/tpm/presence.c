/*
 * Physical presence: which commands want it beside the platform's authorisation (Part 3,
 * 26.2), and whether it is asserted, which the platform tells.
 *
 * t->pp_commands has a bit for each command from TPM_CC_FIRST on. A bit counts only where the
 * command's row in commands.def says that it may be in the list, so that no record of the store
 * can say too much.
 */
#include "tpm/tpm.h"

_Static_assert(8 * sizeof(tpm_command_set) > TPM_CC_LAST - TPM_CC_FIRST, "a bit for each command");

static uint8_t *byte_of(struct tpm *t, TPM_CC code)
{
	return &t->pp_commands.bytes[(code - TPM_CC_FIRST) / 8];
}

static uint8_t bit_of(TPM_CC code)
{
	return (uint8_t)(1u << (code - TPM_CC_FIRST) % 8);
}

bool presence_asserted(struct tpm *t)
{
	return t->platform->physical_presence &&
	       t->platform->physical_presence(t->platform->context);
}

bool presence_required(struct tpm *t, const struct command *command)
{
	return command->flags & CC_PP_ALWAYS ||
	       (command->flags & CC_PP && *byte_of(t, command->code) & bit_of(command->code));
}

void presence_require(struct tpm *t, TPM_CC code, bool required)
{
	const struct command *command = command_find(code);

	if (!command || !(command->flags & CC_PP))
		return;
	if (required)
		*byte_of(t, code) |= bit_of(code);
	else
		*byte_of(t, code) &= (uint8_t)~bit_of(code);
}
