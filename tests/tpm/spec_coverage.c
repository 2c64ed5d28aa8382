/*
 * Prints the commands' interfaces, a line each, from the rows that the engine's own
 * table is made of: scripts/spec-coverage makes docs/spec-coverage.md of them.
 *
 *     name code clause flags handle:role:type,...
 */
#include <stdio.h>

/* clang-format off */
#define AUTH(role, type, name)      #name ":" #role ":" #type ","
#define AUTH_PLUS(role, type, name) #name ":" #role ":" #type "+,"
#define BARE(type, name)            #name ":NONE:" #type ","
#define BARE_PLUS(type, name)       #name ":NONE:" #type "+,"
#define HANDLES(...)                __VA_ARGS__
#define NO_HANDLES                  ""
#define COMMAND(name, code, clause, flags, handles, in, out)                                       \
	printf("%s\t0x%03X\t%s\t%s\t%s\n", #name, (unsigned)(code), clause, #flags, handles);
/* clang-format on */

int main(void)
{
#include "tpm/commands.def"
	return 0;
}
