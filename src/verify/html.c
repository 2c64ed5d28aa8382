/* The page: template, verdict, checks and the caller's sections. */
#include "verify/html.h"
#include "verify/checks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- text ---- */

static void put_char(FILE *out, unsigned char c)
{
	switch (c) {
	case '&':
		fputs("&amp;", out);
		return;
	case '<':
		fputs("&lt;", out);
		return;
	case '>':
		fputs("&gt;", out);
		return;
	case '"':
		fputs("&quot;", out);
		return;
	case '\'':
		fputs("&#39;", out);
		return;
	default:
		if (c >= 0x20 && c < 0x7f)
			fputc(c, out);
		else
			fprintf(out, "\\x%02x", c);
	}
}

void html_plain(FILE *out, const char *text)
{
	for (; *text; text++)
		put_char(out, (unsigned char)*text);
}

#define CODE_MIN 16 /* hexadecimal digits in a row that are a value, not a word */

void html_text(FILE *out, const char *text)
{
	while (*text) {
		size_t digits = strspn(text, "0123456789abcdef");

		if (digits >= CODE_MIN)
			fprintf(out, "<code class=\"hex\">%.*s</code>", (int)digits, text);
		else if (digits)
			fwrite(text, 1, digits, out);
		text += digits;
		if (*text && !digits)
			put_char(out, (unsigned char)*text++);
	}
}

void html_hex(FILE *out, const uint8_t *bytes, size_t len)
{
	fputs("<code>", out);
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%s%02x", i && i % 8 == 0 ? " " : "", bytes[i]);
	fputs("</code>", out);
}

/* ---- verdicts ---- */

/* Signs, so that no colour is needed to tell verdicts apart. */
static const struct {
	const char *class, *sign;
} verdicts[] = {
	[CVTPM_CHECK_OK] = {"ok", "&#10003;"}, /* check mark */
	[CVTPM_CHECK_WARNING] = {"warning", "!"},
	[CVTPM_CHECK_NOT_CHECKED] = {"not-checked", "&#8211;"}, /* dash */
	[CVTPM_CHECK_CLAIMED] = {"claimed", "&#8220;"},         /* quotation mark */
	[CVTPM_CHECK_UNKNOWN] = {"unknown", "?"},
	[CVTPM_CHECK_REFUSED] = {"refused", "&#10007;"}, /* cross */
};

/* "ok", "refused", ...: the class of a verdict. */
static const char *html_class(enum cvtpm_check_verdict verdict)
{
	return verdicts[verdict].class;
}

void html_badge(FILE *out, enum cvtpm_check_verdict verdict)
{
	fprintf(out, "<span class=\"badge %s\"><span aria-hidden=\"true\">%s</span> %s</span>",
		verdicts[verdict].class, verdicts[verdict].sign, cvtpm_check_verdict_name(verdict));
}

static const struct {
	const char *class, *word, *lead, *shape;
} answers[] = {
	[CVTPM_ANSWER_YES] =
		{"yes", "Yes", "The evidence meets the policy: every check that decides passed.",
		 "<circle cx=\"32\" cy=\"32\" r=\"29\"/><path d=\"M18 33l10 10 19-21\"/>"},
	[CVTPM_ANSWER_NO] = {"no", "Refused", "Do not trust this TPM. What decided it:",
			     "<path d=\"M20 3h24l17 17v24L44 61H20L3 44V20z\"/><path d=\"M21 21l22 "
			     "22M43 21L21 43\"/>"},
	[CVTPM_ANSWER_UNKNOWN] =
		{"could-not-tell", "Could not tell",
		 "Nothing is wrong with what is there, but something needed is missing. This is "
		 "not a yes.",
		 "<path d=\"M32 3l29 29-29 29L3 32z\"/>"
		 "<path d=\"M25 26c0-9 14-9 14-1 0 6-7 6-7 12\"/><path d=\"M32 44v1\"/>"},
};

/* ---- parts of the template ---- */

struct page {
	const struct cvtpm_verification *v;
	const struct cvtpm_page_section *sections;
	size_t section_count;
};

static void put_title(FILE *out, const struct page *page)
{
	const struct cvtpm_check *check = cvtpm_deciding_check(page->v);

	fprintf(out, "%s%s", page->v->lab ? "LAB: " : "", answers[page->v->answer].word);
	if (check) {
		fputs(": ", out);
		html_plain(out, check->title);
	}
	fputs(" - cvtpm verify", out);
}

static void put_body_class(FILE *out, const struct page *page)
{
	if (page->v->lab)
		fputs(" class=\"lab\"", out);
}

static void put_lab(FILE *out, const struct page *page)
{
	if (page->v->lab)
		fputs("<p class=\"lab-bar\"><strong>LAB</strong> The chain ends in a root that is "
		      "not AMD's. This proves nothing outside a test.</p>",
		      out);
}

static void put_counts(FILE *out, const struct cvtpm_verification *v)
{
	static const enum cvtpm_check_verdict order[] = {
		CVTPM_CHECK_REFUSED, CVTPM_CHECK_UNKNOWN, CVTPM_CHECK_WARNING,
		CVTPM_CHECK_OK,      CVTPM_CHECK_CLAIMED, CVTPM_CHECK_NOT_CHECKED,
	};

	fputs("<ul class=\"counts\" aria-label=\"Checks by verdict\">", out);
	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		size_t n = 0;

		for (size_t i = 0; i < v->count; i++)
			n += v->checks[i].verdict == order[k];
		if (n)
			fprintf(out,
				"<li class=\"badge %s\"><span aria-hidden=\"true\">%s</span> %zu "
				"%s</li>",
				verdicts[order[k]].class, verdicts[order[k]].sign, n,
				cvtpm_check_verdict_name(order[k]));
	}
	fputs("</ul>", out);
}

static void put_pair(FILE *out, const char *term, const char *text)
{
	if (!text || !text[0])
		return;
	fprintf(out, "<dt>%s</dt><dd>", term);
	html_text(out, text);
	fputs("</dd>", out);
}

static void put_time(FILE *out, int64_t at)
{
	time_t when = (time_t)at;
	struct tm tm;
	char text[32];

	if (gmtime_r(&when, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm))
		fprintf(out, "<p class=\"soft\">Validity dates were judged at %s.</p>", text);
}

static bool binds_a_key(const struct cvtpm_facts *facts)
{
	for (size_t i = 0; i < facts->report_count; i++)
		if (facts->reports[i].binding[0])
			return true;
	return false;
}

static void put_verdict(FILE *out, const struct page *page)
{
	const struct cvtpm_verification *v = page->v;
	const struct cvtpm_check *check = cvtpm_deciding_check(v);
	bool yes = v->answer == CVTPM_ANSWER_YES;

	fprintf(out,
		"<header class=\"verdict %s\"><svg viewBox=\"0 0 64 64\" fill=\"none\" "
		"stroke=\"currentColor\" stroke-width=\"6\" stroke-linejoin=\"round\" "
		"stroke-linecap=\"round\" aria-hidden=\"true\">%s</svg><div class=\"body-text\">"
		"<h1>%s%s</h1><p class=\"lead\">%s%s%s</p>",
		answers[v->answer].class, answers[v->answer].shape, v->lab ? "LAB: " : "",
		answers[v->answer].word, answers[v->answer].lead,
		yes && v->lab
			? " Every one of them rests on a test root that somebody chose to name."
			: "",
		yes && !binds_a_key(&v->facts)
			? " No key is bound: this is about the machine alone."
			: "");
	if (check) {
		fputs("<div class=\"decider\"><dl><dt>Check</dt><dd><strong>", out);
		html_text(out, check->about);
		fputs(": ", out);
		html_text(out, check->title);
		fputs("</strong></dd>", out);
		put_pair(out, "Expected", check->expected);
		put_pair(out, "Found", check->found);
		put_pair(out, "Why it matters", check->reason);
		fputs("</dl></div>", out);
	}
	put_counts(out, v);
	put_time(out, v->facts.at);
	fputs("</div></header>", out);
}

/* What else a reader has to look at. */
static void put_attention(FILE *out, const struct page *page)
{
	static const enum cvtpm_check_verdict order[] = {CVTPM_CHECK_REFUSED, CVTPM_CHECK_UNKNOWN,
							 CVTPM_CHECK_WARNING,
							 CVTPM_CHECK_NOT_CHECKED};
	const struct cvtpm_check *decider = cvtpm_deciding_check(page->v);
	bool open = false;

	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		for (size_t i = 0; i < page->v->count; i++) {
			const struct cvtpm_check *c = &page->v->checks[i];

			if (c->verdict != order[k] || c == decider)
				continue;
			if (!open)
				fputs("<section aria-labelledby=\"attention\"><h2 "
				      "id=\"attention\">Worth a look</h2><ul "
				      "class=\"attention "
				      "card\">",
				      out);
			open = true;
			fputs("<li>", out);
			html_badge(out, c->verdict);
			fprintf(out, "<span class=\"text\"><a href=\"#check-%zu\">", i + 1);
			html_text(out, c->about);
			fputs(": ", out);
			html_text(out, c->title);
			fputs("</a>: ", out);
			html_text(out, c->found);
			fputs("</span></li>", out);
		}
	}
	if (open)
		fputs("</ul></section>", out);
}

static void put_overview(FILE *out, const struct page *page)
{
	html_overview(out, page->v);
}

static void put_check(FILE *out, const struct cvtpm_check *c, size_t number)
{
	fprintf(out, "<tr id=\"check-%zu\" class=\"r-%s\"><td>", number, html_class(c->verdict));
	html_badge(out, c->verdict);
	fputs("</td><th scope=\"row\">", out);
	html_text(out, c->title);
	fputs("</th><td data-label=\"Expected\">", out);
	html_text(out, c->expected);
	fputs("</td><td data-label=\"Found\">", out);
	html_text(out, c->found);
	fputs("</td><td class=\"why\">", out);
	html_text(out, c->reason ? c->reason : "");
	fputs("</td></tr>\n", out);
}

static bool about_seen(const struct cvtpm_verification *v, size_t before, const char *about)
{
	for (size_t i = 0; i < before; i++)
		if (!strcmp(v->checks[i].about, about))
			return true;
	return false;
}

static void put_check_table(FILE *out, const struct cvtpm_verification *v, size_t first,
			    bool passed)
{
	const char *about = v->checks[first].about;

	fputs("<div class=\"scroll\"><table class=\"checks\"><thead><tr><th scope=\"col\" "
	      "class=\"c-verdict\">Verdict</th><th scope=\"col\" "
	      "class=\"c-what\">Check</th><th scope=\"col\">Expected</th><th "
	      "scope=\"col\">Found</th><th scope=\"col\" class=\"c-why\">Why it "
	      "matters</th></tr></thead><tbody>\n",
	      out);
	for (size_t i = first; i < v->count; i++)
		if (!strcmp(v->checks[i].about, about) &&
		    (v->checks[i].verdict == CVTPM_CHECK_OK) == passed)
			put_check(out, &v->checks[i], i + 1);
	fputs("</tbody></table></div>\n", out);
}

/* What each group is about, in the order of its first check; what passed is folded. */
static void put_checks(FILE *out, const struct page *page)
{
	const struct cvtpm_verification *v = page->v;

	for (size_t first = 0; first < v->count; first++) {
		const char *about = v->checks[first].about;
		size_t passed = 0, others = 0;

		if (about_seen(v, first, about))
			continue;
		for (size_t i = first; i < v->count; i++) {
			if (strcmp(v->checks[i].about, about) != 0)
				continue;
			if (v->checks[i].verdict == CVTPM_CHECK_OK)
				passed++;
			else
				others++;
		}
		fputs("<div class=\"group\"><h3>About: ", out);
		html_text(out, about);
		fputs("</h3>", out);
		if (others)
			put_check_table(out, v, first, false);
		if (passed) {
			fputs("<details><summary>", out);
			html_badge(out, CVTPM_CHECK_OK);
			fprintf(out, " %zu check%s passed</summary>", passed,
				passed == 1 ? "" : "s");
			put_check_table(out, v, first, true);
			fputs("</details>", out);
		}
		fputs("</div>\n", out);
	}
}

/* ---- the caller's sections ---- */

static void put_row(FILE *out, const struct cvtpm_page_section *s, size_t row)
{
	const char *const *cells = s->cells + row * s->column_count;

	if (s->verdicts) {
		fprintf(out, "<tr class=\"r-%s\"><td>", html_class(s->verdicts[row]));
		html_badge(out, s->verdicts[row]);
		fputs("</td>", out);
	} else {
		fputs("<tr>", out);
	}
	for (size_t i = 0; i < s->column_count; i++) {
		fputs("<td>", out);
		html_text(out, cells[i] ? cells[i] : "");
		fputs("</td>", out);
	}
	fputs("</tr>\n", out);
}

#define ROWS_OPEN_MAX 32 /* a longer table is folded */

static void put_section(FILE *out, const struct cvtpm_page_section *s)
{
	bool folded = s->row_count > ROWS_OPEN_MAX;

	fputs("<section><h2 id=\"", out);
	html_plain(out, s->id);
	fputs("\">", out);
	html_text(out, s->title);
	fputs("</h2>", out);
	if (s->intro) {
		fputs("<p>", out);
		html_text(out, s->intro);
		fputs("</p>", out);
	}
	if (folded)
		fprintf(out, "<details><summary>%zu rows</summary>", s->row_count);
	fputs("<div class=\"scroll\"><table class=\"rows\"><thead><tr>", out);
	if (s->verdicts)
		fputs("<th scope=\"col\">Verdict</th>", out);
	for (size_t i = 0; i < s->column_count; i++) {
		fputs("<th scope=\"col\">", out);
		html_text(out, s->columns[i]);
		fputs("</th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
	for (size_t i = 0; i < s->row_count; i++)
		put_row(out, s, i);
	fprintf(out, "</tbody></table></div>%s</section>\n", folded ? "</details>" : "");
}

static void put_sections(FILE *out, const struct page *page)
{
	for (size_t i = 0; i < page->section_count; i++)
		put_section(out, &page->sections[i]);
}

static void put_machine(FILE *out, const struct page *page)
{
	html_machine(out, page->v);
}

static void put_details(FILE *out, const struct page *page)
{
	html_details(out, page->v);
}

/* ---- the whole ---- */

static const struct {
	const char *name;
	void (*put)(FILE *out, const struct page *page);
} parts[] = {
	{"title", put_title},     {"body-class", put_body_class}, {"lab", put_lab},
	{"verdict", put_verdict}, {"attention", put_attention},   {"overview", put_overview},
	{"checks", put_checks},   {"sections", put_sections},     {"details", put_details},
	{"machine", put_machine},
};

static void put_part(FILE *out, const struct page *page, const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strlen(parts[i].name) == len && !memcmp(parts[i].name, name, len))
			parts[i].put(out, page);
}

char *cvtpm_verification_html(const struct cvtpm_verification *v,
			      const struct cvtpm_page_section *sections, size_t count)
{
	const struct page page = {.v = v, .sections = sections, .section_count = count};
	const char *at = html_page, *open, *close;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	bool good;

	if (!out)
		return NULL;
	while ((open = strstr(at, "{{")) && (close = strstr(open, "}}"))) {
		fwrite(at, 1, (size_t)(open - at), out);
		put_part(out, &page, open + 2, (size_t)(close - open - 2));
		at = close + 2;
	}
	fputs(at, out);
	good = !ferror(out);
	if (fclose(out) || !good) {
		free(text);
		return NULL;
	}
	return text;
}
