/* The list of checks, and the escaping of everything that gets into it. */
#include "verify/checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void escape_text(char *out, size_t size, const char *text, size_t len)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool plain = c >= 0x20 && c < 0x7f;

		if (used + (plain ? 1 : 4) + 4 > size) {
			memcpy(out + used, "...", 4);
			return;
		}
		if (plain)
			out[used++] = (char)c;
		else
			used += (size_t)snprintf(out + used, 5, "\\x%02x", c);
	}
	out[used] = 0;
}

bool cvtpm_parse_measurement(const char *hex, uint8_t digest[SNP_MEASUREMENT_SIZE])
{
	return strlen(hex) == 2 * SNP_MEASUREMENT_SIZE &&
	       cvtpm_hex_read(hex, digest, SNP_MEASUREMENT_SIZE);
}

struct cvtpm_check *check_add(struct cvtpm_verification *v, const char *about, const char *id,
			      const char *title, enum cvtpm_check_verdict verdict,
			      const char *reason)
{
	struct cvtpm_check *check;

	if (v->count == CVTPM_CHECKS_MAX) {
		check = &v->checks[CVTPM_CHECKS_MAX - 1];
		id = "too-much";
		title = "amount of evidence";
		verdict = CVTPM_CHECK_REFUSED;
	} else {
		check = &v->checks[v->count++];
	}
	*check = (struct cvtpm_check){
		.id = id, .about = about, .title = title, .verdict = verdict, .reason = reason};
	return check;
}

__attribute__((format(printf, 2, 0))) static void set_text(char *out, const char *format,
							   va_list args)
{
	char raw[1024];
	int len = vsnprintf(raw, sizeof(raw), format, args);

	if (len < 0)
		len = 0;
	if ((size_t)len >= sizeof(raw))
		len = sizeof(raw) - 1;
	escape_text(out, CVTPM_CHECK_TEXT_SIZE, raw, (size_t)len);
}

void check_expected(struct cvtpm_check *check, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_text(check->expected, format, args);
	va_end(args);
}

void check_found(struct cvtpm_check *check, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_text(check->found, format, args);
	va_end(args);
}

void check_simple(struct cvtpm_verification *v, const char *about, const char *id,
		  const char *title, bool good, const char *expected, const char *found,
		  const char *reason)
{
	struct cvtpm_check *check =
		check_add(v, about, id, title, good ? CVTPM_CHECK_OK : CVTPM_CHECK_REFUSED, reason);

	check_expected(check, "%s", expected);
	check_found(check, "%s", found);
}

const struct cvtpm_check *cvtpm_deciding_check(const struct cvtpm_verification *v)
{
	const struct cvtpm_check *unknown = NULL;

	for (size_t i = 0; i < v->count; i++) {
		if (v->checks[i].verdict == CVTPM_CHECK_REFUSED)
			return &v->checks[i];
		if (v->checks[i].verdict == CVTPM_CHECK_UNKNOWN && !unknown)
			unknown = &v->checks[i];
	}
	return unknown;
}

const char *cvtpm_check_verdict_name(enum cvtpm_check_verdict verdict)
{
	static const char *const names[] = {
		[CVTPM_CHECK_OK] = "ok",
		[CVTPM_CHECK_WARNING] = "warning",
		[CVTPM_CHECK_NOT_CHECKED] = "not checked",
		[CVTPM_CHECK_CLAIMED] = "claimed",
		[CVTPM_CHECK_UNKNOWN] = "could not tell",
		[CVTPM_CHECK_REFUSED] = "refused",
	};

	return (size_t)verdict < sizeof(names) / sizeof(names[0]) ? names[verdict] : "refused";
}

const char *cvtpm_answer_name(enum cvtpm_answer answer)
{
	switch (answer) {
	case CVTPM_ANSWER_YES:
		return "yes";
	case CVTPM_ANSWER_UNKNOWN:
		return "could not tell";
	case CVTPM_ANSWER_NO:
		break;
	}
	return "refused";
}
