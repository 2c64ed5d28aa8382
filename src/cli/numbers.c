#include "cli/numbers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* K, M, G: by how many bits; -1: none of them. */
static int suffix_bits(const char *suffix)
{
	static const char suffixes[] = "KMG";
	const char *found = *suffix ? strchr(suffixes, *suffix) : NULL;

	if (*suffix == '\0')
		return 0;
	return found && suffix[1] == '\0' ? 10 * (int)(found - suffixes + 1) : -1;
}

uint64_t cli_parse_size(struct argp_state *state, const char *option, const char *text,
			uint64_t max)
{
	char *end;

	errno = 0;
	const unsigned long long number = strtoull(text, &end, 0);
	const int bits = suffix_bits(end);

	if (text[0] < '0' || text[0] > '9' || errno || bits < 0 || number > max >> bits)
		argp_error(state,
			   "%s=%s: not a number up to %llu; 4096, 0x1000, 16K, 2M and 4G are",
			   option, text, (unsigned long long)max);
	return (uint64_t)number << (bits < 0 ? 0 : bits);
}

unsigned cli_parse_localities(struct argp_state *state, const char *text)
{
	const unsigned first = (unsigned)(text[0] - '0');
	const unsigned last = text[0] && text[1] == '-' ? (unsigned)(text[2] - '0') : first;
	const size_t len = last == first && text[0] && text[1] != '-' ? 1 : 3;

	if (strlen(text) != len || first > last || last > 3)
		argp_error(
			state,
			"--localities=%s: write 0, or a range up to 3 such as 0-3; locality 4 is "
			"the platform's",
			text);
	return ((2u << last) - 1) & ~((1u << first) - 1);
}

unsigned cli_locality_pages(unsigned localities)
{
	unsigned count = 0;

	for (; localities; localities >>= 1)
		count++;
	return count ? count : 1;
}
