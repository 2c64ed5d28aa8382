/* How `cvtpm verify` says what it found. */
#ifndef CVTPM_CLI_VERIFY_OUTPUT_H
#define CVTPM_CLI_VERIFY_OUTPUT_H

#include "cvtpm/page.h"

#include <stdbool.h>

struct verify_output {
	bool json, quiet, verbose;
	const char *html; /* file for the page; NULL: none */
	/* Tables for the page; the caller's. */
	const struct cvtpm_page_section *sections;
	size_t section_count;
};

/** Writes the page where one is wanted, prints the outcome, and returns the exit
 *  status: the answer, or CLI_FAULT with a line on standard error when something
 *  could not be written. */
int verify_say(const struct verify_output *output, const struct cvtpm_verification *v);

/** Replaces the file in one step: who reads it sees the old one or the whole new
 *  one. It is readable by its owner alone. What is not a regular file (a terminal,
 *  a pipe) is written to. False: said on standard error. */
bool cli_write_file(const char *path, const char *text);

#endif
