/* The page's parts on what the machine runs: proven PCRs, the firmware's log. */
#include "cvtpm/tpm_evidence.h"
#include "verify/html.h"

#include <inttypes.h>

static void put_pcrs(FILE *out, const struct cvtpm_facts *facts)
{
	fputs("<section><h2 id=\"pcrs\">PCRs, as quoted</h2><div class=\"scroll\"><table "
	      "class=\"rows\"><thead><tr><th scope=\"col\">Bank</th><th "
	      "scope=\"col\">PCR</th><th scope=\"col\">Value</th><th scope=\"col\">Event "
	      "logs</th></tr></thead><tbody>\n",
	      out);
	for (size_t i = 0; i < facts->pcr_count; i++) {
		const struct cvtpm_pcr_facts *f = &facts->pcrs[i];

		fprintf(out, "<tr><td>%s</td><th scope=\"row\">%u</th><td>", f->bank, f->pcr);
		html_hex(out, f->value, f->len);
		fprintf(out, "</td><td>%s</td></tr>\n",
			f->explained ? "<span class=\"badge ok\">&#10003; explained</span>"
				     : "<span class=\"badge not-checked\">not explained</span>");
	}
	fputs("</tbody></table></div></section>\n", out);
}

static void put_log(FILE *out, const struct cvtpm_facts *facts)
{
	fprintf(out,
		"<section><h2 id=\"event-log\">The firmware's event log</h2><p class=\"soft\">What "
		"it says counts as far as the checks on the event log passed.</p>"
		"<details><summary>%zu of %zu entries</summary><div "
		"class=\"scroll\"><table class=\"rows\"><thead><tr><th "
		"scope=\"col\">Entry</th><th scope=\"col\">PCR</th><th "
		"scope=\"col\">Type</th><th scope=\"col\">Digest</th><th "
		"scope=\"col\">Data</th></tr></thead><tbody>\n",
		facts->event_count, facts->events_in_log);
	for (size_t i = 0; i < facts->event_count; i++) {
		const struct cvtpm_event_facts *f = &facts->events[i];
		const char *name = cvtpm_log_type_name(f->type);

		fprintf(out, "<tr><th scope=\"row\">%" PRIu32 "</th><td>%" PRIu32 "</td><td>",
			f->number, f->pcr);
		if (name)
			fputs(name, out);
		else
			fprintf(out, "<code>0x%" PRIx32 "</code>", f->type);
		fputs("</td><td>", out);
		html_text(out, f->digest);
		fputs("</td><td>", out);
		html_text(out, f->data);
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody></table></div></details></section>\n", out);
}

void html_machine(FILE *out, const struct cvtpm_verification *v)
{
	if (v->facts.pcr_count)
		put_pcrs(out, &v->facts);
	if (v->facts.event_count)
		put_log(out, &v->facts);
}
