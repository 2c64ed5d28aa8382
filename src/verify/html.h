/* What the files that write the page share. */
#ifndef VERIFY_HTML_H
#define VERIFY_HTML_H

#include "cvtpm/page.h"

#include <stdio.h>

/* The template with its style sheet, made by page/embed. {{name}} stands for what
 * is filled in. */
extern const char html_page[];

/* Writes text as text: markup is escaped, what is not printable ASCII becomes
 * \xNN, and long runs of hexadecimal digits are set as code. */
void html_text(FILE *out, const char *text);
/* The same without the code, for titles and attributes. */
void html_plain(FILE *out, const char *text);
/* Bytes as hexadecimal in groups that a line may break between. */
void html_hex(FILE *out, const uint8_t *bytes, size_t len);

/* Sign and word of a verdict. */
void html_badge(FILE *out, enum cvtpm_check_verdict verdict);

/* Each report's chain, measurement and binding; what belongs further down (html_report.c). */
void html_overview(FILE *out, const struct cvtpm_verification *v);
void html_details(FILE *out, const struct cvtpm_verification *v);

/* PCRs and event log, where there are (html_machine.c). */
void html_machine(FILE *out, const struct cvtpm_verification *v);

#endif
