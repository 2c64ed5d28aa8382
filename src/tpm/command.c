#include "tpm/command.h"

#define COMMAND(name, ...)                                                                         \
	static tpm_rc run_##name(struct tpm *t, void *in, void *out)                               \
	{                                                                                          \
		return TPM2_##name(t, in, out);                                                    \
	}
#include "tpm/commands.def"
#undef COMMAND

/* clang-format off */
#define FIELD(T, name_)             {&type_##T, #name_, FIELD_PLAIN, 0, false},
#define PLUS(T, name_)              {&type_##T, #name_, FIELD_PLUS, 0, false},
#define SECRET(T, name_)            {&type_##T, #name_, FIELD_PLAIN, 0, true},
#define AUTH(role_, T, name_)       {&type_##T, #name_, role_, false},
#define AUTH_PLUS(role_, T, name_)  {&type_##T, #name_, role_, true},
#define BARE(T, name_)              {&type_##T, #name_, NONE, false},
#define BARE_PLUS(T, name_)         {&type_##T, #name_, NONE, true},
#define HANDLES(...)                    {__VA_ARGS__{NULL, NULL, NONE, false}}
#define NO_HANDLES                      {{NULL, NULL, NONE, false}}
#define IN(...)                         (const struct field[]){__VA_ARGS__{0}}
#define NO_IN                           (const struct field[]){{0}}
#define OUT(...)                        IN(__VA_ARGS__)
#define NO_OUT                          NO_IN
#define COMMAND(name_, code_, clause_, flags_, handles_, in_, out_)                                \
	static const struct command command_##name_ = {                                            \
		#name_, code_, flags_, clause_, handles_, in_, out_,                               \
		sizeof(struct name_##_in), sizeof(struct name_##_out), run_##name_};
#include "tpm/commands.def"
/* clang-format on */

#undef COMMAND

#define COMMAND(name, ...) &command_##name,
const struct command *const commands[] = {
#include "tpm/commands.def"
};
#include "tpm/commands_end.h"

const size_t command_count = sizeof commands / sizeof *commands;

#define COMMAND(name, code, ...) [code - TPM_CC_FIRST] = &command_##name,
static const struct command *const by_code[] = {
#include "tpm/commands.def"
};
#include "tpm/commands_end.h"

const struct command *command_find(TPM_CC code)
{
	const TPM_CC at = code - TPM_CC_FIRST;

	return at < sizeof by_code / sizeof *by_code ? by_code[at] : NULL;
}

unsigned command_handles(const struct command *command)
{
	unsigned n = 0;

	while (command->handles[n].type)
		n++;
	return n;
}

unsigned command_auths(const struct command *command)
{
	unsigned n = 0;

	while (command->handles[n].type && command->handles[n].role != NONE)
		n++;
	return n;
}

TPMA_CC command_attributes(const struct command *command)
{
	return command->code | TPMA_CC_CHANDLES(command_handles(command)) |
	       (command->flags & CC_NV ? TPMA_CC_NV : 0) |
	       (command->flags & CC_EXTENSIVE ? TPMA_CC_EXTENSIVE : 0) |
	       (command->flags & CC_FLUSHED ? TPMA_CC_FLUSHED : 0) |
	       (command->flags & CC_RHANDLE ? TPMA_CC_RHANDLE : 0);
}
