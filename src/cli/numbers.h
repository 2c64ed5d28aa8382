/* Numbers of the command line that mean memory: bytes and guest addresses. */
#ifndef CVTPM_CLI_NUMBERS_H
#define CVTPM_CLI_NUMBERS_H

#include <argp.h>
#include <stdint.h>

/** "4096", "0x1000", "16K", "2M", "4G": a number up to `max`. Otherwise argp_error,
 *  which names `option`. */
uint64_t cli_parse_size(struct argp_state *state, const char *option, const char *text,
			uint64_t max);

/** "0" or "A-B" up to 3: bit n for locality n. Otherwise argp_error. */
unsigned cli_parse_localities(struct argp_state *state, const char *text);

/** Localities have their place, served or not: 0-3 is four pages, and so is 2-3. None
 *  means locality 0. */
unsigned cli_locality_pages(unsigned localities);

#endif
