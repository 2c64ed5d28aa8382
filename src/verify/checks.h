/* The list of checks while it is being made. */
#ifndef VERIFY_CHECKS_H
#define VERIFY_CHECKS_H

#include "crypto/hex.h"
#include "cvtpm/evidence.h"

/* Adds a line. Texts in it that come from evidence may hold any byte: they are
 * escaped here. A full list ends in a refusal, never in a dropped line. */
struct cvtpm_check *check_add(struct cvtpm_verification *v, const char *about, const char *id,
			      const char *title, enum cvtpm_check_verdict verdict,
			      const char *reason);

/* Set what was expected and found; printf formats. */
__attribute__((format(printf, 2, 3))) void check_expected(struct cvtpm_check *check,
							  const char *format, ...);
__attribute__((format(printf, 2, 3))) void check_found(struct cvtpm_check *check,
						       const char *format, ...);

/* The usual case: OK or refused by `good`, with both texts fixed. */
void check_simple(struct cvtpm_verification *v, const char *about, const char *id,
		  const char *title, bool good, const char *expected, const char *found,
		  const char *reason);

/* Writes bytes as printable ASCII, everything else as \xNN (so that escaping twice changes
 * nothing); ends in "..." when there is not enough room. */
void escape_text(char *out, size_t size, const char *text, size_t len);

/* Lower-case hexadecimal; `out` holds 2 * len + 1. */
static inline void hex_text(char *out, const uint8_t *bytes, size_t len)
{
	cvtpm_hex_write(out, bytes, len);
}

#endif
