/*
 * The outcome of a verification as one HTML page, to be read in a minute.
 *
 * The page is self-contained: one file, no script, nothing fetched from
 * anywhere, and a Content-Security-Policy that would stop both. It shows the
 * verdict, the check that decided it, the chain as a picture, measurement and
 * bindings, every check, the TCB table, and the bytes of each report with the
 * names of their fields. Evidence of a lab root says LAB at both ends.
 *
 * Everything that comes from evidence is escaped, whatever bytes it holds: what
 * is not printable ASCII is written as \xNN, and no character of it is markup.
 *
 * Nothing here keeps state; any number of threads may call. Hosted.
 */
#ifndef CVTPM_PAGE_H
#define CVTPM_PAGE_H

#include "cvtpm/evidence.h"

/* A table of the caller's on the page, for what is beside the report: PCR
 * values, an event log. All strings are the caller's, and may hold any byte. */
struct cvtpm_page_section {
	const char *id;    /* the anchor: lower-case letters, digits and hyphens */
	const char *title; /* "PCRs, SHA-256" */
	const char *intro; /* a sentence under the title; NULL: none */
	const char *const *columns;
	size_t column_count;
	const char *const *cells; /* row by row, row_count * column_count; NULL cells are empty */
	size_t row_count;
	/* One for each row, shown as its first column; NULL: rows have none. */
	const enum cvtpm_check_verdict *verdicts;
};

/** The page. `sections` come after the checks, in their order; count 0: none.
 *  To be freed by the caller; NULL: no memory. */
char *cvtpm_verification_html(const struct cvtpm_verification *v,
			      const struct cvtpm_page_section *sections, size_t count);

#endif
