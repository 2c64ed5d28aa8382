/* The page's parts on each report: chain, measurement, binding, TCBs, bytes. */
#include "verify/html.h"
#include "verify/report.h"
#include "verify/report_fields.h"

#include <inttypes.h>
#include <string.h>

/* ---- what the checks say of a part of the picture ---- */

enum state { STATE_OK, STATE_WARNING, STATE_UNKNOWN, STATE_REFUSED, STATE_ABSENT };

static const struct {
	const char *class;
	enum cvtpm_check_verdict verdict;
} states[] = {
	[STATE_OK] = {"ok", CVTPM_CHECK_OK},
	[STATE_WARNING] = {"warning", CVTPM_CHECK_WARNING},
	[STATE_UNKNOWN] = {"unknown", CVTPM_CHECK_UNKNOWN},
	[STATE_REFUSED] = {"refused", CVTPM_CHECK_REFUSED},
	[STATE_ABSENT] = {"absent", CVTPM_CHECK_NOT_CHECKED},
};

static bool in_list(const char *id, const char *const *ids)
{
	for (; *ids; ids++)
		if (!strcmp(*ids, id))
			return true;
	return false;
}

static enum state state_of(enum cvtpm_check_verdict verdict)
{
	switch (verdict) {
	case CVTPM_CHECK_REFUSED:
		return STATE_REFUSED;
	case CVTPM_CHECK_UNKNOWN:
		return STATE_UNKNOWN;
	case CVTPM_CHECK_WARNING:
		return STATE_WARNING;
	case CVTPM_CHECK_OK:
	case CVTPM_CHECK_NOT_CHECKED:
	case CVTPM_CHECK_CLAIMED:
		break;
	}
	return STATE_OK;
}

/* The worst of the checks about `about` whose id is in `ids` (`inside`), or is not.
 * Without one that was made: absent. */
static enum state worst(const struct cvtpm_verification *v, const char *about,
			const char *const *ids, bool inside)
{
	enum state state = STATE_OK;
	bool any = false;

	for (size_t i = 0; i < v->count; i++) {
		const struct cvtpm_check *c = &v->checks[i];

		if (strcmp(c->about, about) != 0 || in_list(c->id, ids) != inside)
			continue;
		any |= c->verdict != CVTPM_CHECK_NOT_CHECKED && c->verdict != CVTPM_CHECK_CLAIMED;
		if (state_of(c->verdict) > state)
			state = state_of(c->verdict);
	}
	return any ? state : STATE_ABSENT;
}

static const char *const root_ids[] = {"root", NULL};
static const char *const ca_ids[] = {"ca", "revocation", NULL};
static const char *const leaf_ids[] = {"certificate", "dates",   "certificate-tcb",
				       "chip-id",     "product", NULL};
static const char *const chain_ids[] = {"chain", NULL};
static const char *const signature_ids[] = {"signature", NULL};
static const char *const binding_ids[] = {"binding", NULL};
static const char *const not_report_ids[] = {"root",    "ca",      "revocation",      "certificate",
					     "dates",   "chain",   "certificate-tcb", "chip-id",
					     "product", "binding", "signature",       NULL};
static const char *const no_ids[] = {NULL};

/* ---- the chain ---- */

static uint64_t little(const uint8_t *p, size_t size)
{
	uint64_t value = 0;

	for (size_t i = size < 8 ? size : 8; i > 0; i--)
		value = value << 8 | p[i - 1];
	return value;
}

static void put_box(FILE *out, const char *title, const char *name, enum state state, bool lab)
{
	fprintf(out, "<li class=\"box is-%s%s\"><strong>%s</strong><span class=\"name\">",
		states[state].class, lab ? " is-lab" : "", title);
	html_text(out, name);
	fputs("</span>", out);
	if (lab)
		fputs("<span class=\"badge claimed\">LAB</span> ", out);
	if (state == STATE_ABSENT)
		fputs("<span class=\"badge not-checked\">not there</span>", out);
	else
		html_badge(out, states[state].verdict);
	fputs("</li>\n", out);
}

static void put_link(FILE *out, const char *word, enum state state)
{
	fprintf(out,
		"<li class=\"link link-%s\"><span>%s</span>"
		"<svg class=\"right\" viewBox=\"0 0 60 14\" aria-hidden=\"true\"><path d=\"M1 "
		"7h54M48 2l8 5-8 5\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"%s/>"
		"</svg><svg class=\"down\" viewBox=\"0 0 14 30\" aria-hidden=\"true\"><path d=\"M7 "
		"1v26M2 20l5 8 5-8\" fill=\"none\" stroke=\"currentColor\" "
		"stroke-width=\"2\"%s/></svg>",
		states[state].class, word, state == STATE_OK ? "" : " stroke-dasharray=\"4 3\"",
		state == STATE_OK ? "" : " stroke-dasharray=\"4 3\"");
	if (state == STATE_ABSENT)
		fputs("<span class=\"badge not-checked\">not checked</span>", out);
	else
		html_badge(out, states[state].verdict);
	fputs("</li>\n", out);
}

/* The common name, which is the last part that people look for. */
static void put_certificate_box(FILE *out, const struct cvtpm_certificate_facts *c,
				const char *kind, enum state state, bool lab)
{
	const char *cn = c->present ? strstr(c->subject, "CN=") : NULL;
	char name[128];

	snprintf(name, sizeof(name), "%.*s", cn ? (int)strcspn(cn + 3, ",") : 0, cn ? cn + 3 : "");
	put_box(out, kind,
		cn           ? name
		: c->present ? c->subject
			     : "no certificate",
		c->present || state == STATE_REFUSED ? state : STATE_ABSENT, lab);
}

static void put_ek_boxes(FILE *out, const struct cvtpm_verification *v,
			 const struct cvtpm_report_facts *r)
{
	const struct cvtpm_facts *facts = &v->facts;
	bool cert_only = !strcmp(r->binding, "ek-cert");
	enum state ek = worst(v, "EK", no_ids, false);
	enum state binding = worst(v, r->about, binding_ids, true);

	if (!strcmp(r->binding, "hcl")) {
		put_link(out, "vouches for", binding);
		put_box(out, "Runtime data", "with the AK in it", STATE_OK, false);
		return;
	}
	if (!facts->ek[0]) {
		put_link(out, "vouches for", binding);
		put_box(out, "EK", "no EK was given", STATE_ABSENT, false);
		return;
	}
	if (!cert_only) {
		put_link(out, "vouches for", binding);
		put_box(out, "EK", facts->ek, ek == STATE_ABSENT ? STATE_OK : ek, false);
	}
	if (facts->ek_certificate.present) {
		enum state cert = worst(v, "EK certificate", no_ids, false);

		put_link(out, cert_only ? "vouches for" : "is in",
			 cert_only               ? binding
			 : cert == STATE_REFUSED ? cert
						 : STATE_OK);
		put_box(out, "EK certificate", "no trust anchor of its own", cert, false);
	}
}

static void put_chain(FILE *out, const struct cvtpm_verification *v,
		      const struct cvtpm_report_facts *r)
{
	enum state chain = worst(v, r->about, chain_ids, true);
	enum state signature = worst(v, r->about, signature_ids, true);
	bool vlek = r->leaf.present && !strcmp(r->leaf.kind, "VLEK");
	char name[64];

	if (little(r->bytes + 0x30, 4) == UINT32_MAX)
		snprintf(name, sizeof(name), "%s, asked for by the host", r->product);
	else
		snprintf(name, sizeof(name), "%s, VMPL %" PRIu64, r->product,
			 little(r->bytes + 0x30, 4));
	fputs("<ol class=\"chain\" aria-label=\"Chain of trust, from the root to the key\">\n",
	      out);
	put_certificate_box(out, &r->root, "ARK", worst(v, r->about, root_ids, true), r->lab);
	put_link(out, "certifies", chain);
	put_certificate_box(out, &r->ca, vlek ? "ASVK" : "ASK", worst(v, r->about, ca_ids, true),
			    false);
	put_link(out, "certifies", chain);
	put_certificate_box(out, &r->leaf, vlek ? "VLEK" : "VCEK",
			    worst(v, r->about, leaf_ids, true), false);
	put_link(out, "signed", signature);
	put_box(out, "Report", name, worst(v, r->about, not_report_ids, false), false);
	put_ek_boxes(out, v, r);
	fputs("</ol>\n", out);
}

/* ---- measurement and binding ---- */

static void put_measurement(FILE *out, const struct cvtpm_report_facts *r)
{
	bool process = r->isolation == CVTPM_ISOLATION_PROCESS;

	fputs("<div class=\"card\"><h3>Which image runs the TPM</h3><p class=\"big\">", out);
	if (!r->measurement_allowed)
		fputs("Not one that the policy allows", out);
	else if (r->measurement_name[0])
		html_text(out, r->measurement_name);
	else
		fputs("An image that the policy allows", out);
	fputs("</p><dl><dt>Measurement</dt><dd>", out);
	html_hex(out, r->bytes + 0x90, SNP_MEASUREMENT_SIZE);
	fputs("</dd><dt>Isolation</dt><dd>", out);
	if (!r->measurement_allowed)
		fputs("unknown: it is the policy that says it of a measurement", out);
	else
		fputs(process ? "<strong>process</strong>: root of that guest can do what the TPM "
				"can"
			      : "<strong>svsm</strong>: the guest's kernel is kept out",
		      out);
	fputs("</dd></dl></div>\n", out);
}

static void put_digest(FILE *out, const char *title, const uint8_t *digest, bool same)
{
	fprintf(out, "<dt>%s</dt><dd>", title);
	html_hex(out, digest, SNP_REPORT_DATA_SIZE);
	fprintf(out, " <span class=\"badge %s\">%s</span></dd>", same ? "ok" : "not-checked",
		same ? "&#10003; equal" : "not equal");
}

static void put_binding(FILE *out, const struct cvtpm_facts *facts,
			const struct cvtpm_report_facts *r)
{
	fputs("<div class=\"card\"><h3>What it vouches for (REPORT_DATA)</h3><p class=\"big\">",
	      out);
	if (!strcmp(r->binding, "ek-pub"))
		fprintf(out, "This EK: %s", facts->ek);
	else if (!strcmp(r->binding, "svsm"))
		fprintf(out, "This EK, for this nonce (svsm): %s", facts->ek);
	else if (!strcmp(r->binding, "ek-cert"))
		fputs("This EK certificate, which proves no key alone", out);
	else if (!strcmp(r->binding, "hcl"))
		fputs("The runtime data of the paravisor, and the AK in it", out);
	else if (!strcmp(r->binding, "svsm"))
		fprintf(out, "A nonce, and the SVSM's manifest with this EK: %s", facts->ek);
	else
		fputs("No key of this evidence", out);
	fputs("</p><dl><dt>In the report</dt><dd>", out);
	html_hex(out, r->bytes + 0x50, SNP_REPORT_DATA_SIZE);
	fputs("</dd>", out);
	if (facts->has_ek_pub_digest)
		put_digest(out, "ek-pub", facts->ek_pub_digest, !strcmp(r->binding, "ek-pub"));
	if (facts->has_ek_cert_digest)
		put_digest(out, "ek-cert", facts->ek_cert_digest, !strcmp(r->binding, "ek-cert"));
	fputs("</dl></div>\n", out);
}

static void put_heading(FILE *out, const struct cvtpm_report_facts *r, const char *what)
{
	fprintf(out, "<h2>%s: ", what);
	html_text(out, r->about);
	fputs("</h2>\n", out);
}

static void put_overview(FILE *out, const struct cvtpm_verification *v,
			 const struct cvtpm_report_facts *r)
{
	fputs("<section>", out);
	put_heading(out, r, "Chain of trust");
	put_chain(out, v, r);
	fputs("<div class=\"facts\">\n", out);
	put_measurement(out, r);
	put_binding(out, &v->facts, r);
	fputs("</div></section>\n", out);
}

static bool binds_ek(const struct cvtpm_report_facts *r)
{
	return !strcmp(r->binding, "ek-pub") || !strcmp(r->binding, "svsm");
}

/* The report that vouches for the key comes first, whatever the order of the checks. */
void html_overview(FILE *out, const struct cvtpm_verification *v)
{
	for (int key = 1; key >= 0; key--)
		for (size_t i = 0; i < v->facts.report_count; i++)
			if (binds_ek(&v->facts.reports[i]) == (key == 1))
				put_overview(out, v, &v->facts.reports[i]);
}

/* ---- TCBs ---- */

static enum cvtpm_product product_of(const struct cvtpm_report_facts *r)
{
	for (enum cvtpm_product p = CVTPM_PRODUCT_MILAN; p <= CVTPM_PRODUCT_TURIN; p++)
		if (!strcmp(r->product, product_name(p)))
			return p;
	return CVTPM_PRODUCT_UNKNOWN;
}

static void put_tcb_table(FILE *out, const struct cvtpm_report_facts *r)
{
	static const char *const part_names[] = {
		[TCB_FMC] = "FMC",          [TCB_BOOT_LOADER] = "boot loader", [TCB_TEE] = "TEE",
		[TCB_SNP] = "SNP firmware", [TCB_MICROCODE] = "microcode",
	};
	static const uint16_t offsets[] = {0x038, 0x180, 0x1E0, 0x1F0};
	enum cvtpm_product product = product_of(r);
	struct tcb tcbs[4];
	bool differs = false;

	if (product == CVTPM_PRODUCT_UNKNOWN) {
		fputs("<p>The product is not known, and with it the layout of its TCB "
		      "versions.</p>",
		      out);
		return;
	}
	for (size_t i = 0; i < 4; i++)
		tcbs[i] = tcb_read(r->bytes + offsets[i], product);
	fputs("<div class=\"scroll\"><table class=\"tcb\"><caption>Firmware versions "
	      "(TCB)</caption>"
	      "<thead><tr><th scope=\"col\">Part</th><th scope=\"col\">Current</th><th "
	      "scope=\"col\">Reported</th><th scope=\"col\">Committed</th><th "
	      "scope=\"col\">Launch</th></tr></thead><tbody>\n",
	      out);
	for (size_t part = product == CVTPM_PRODUCT_TURIN ? TCB_FMC : TCB_BOOT_LOADER;
	     part < TCB_PARTS; part++) {
		fprintf(out, "<tr><th scope=\"row\">%s</th>", part_names[part]);
		for (size_t i = 0; i < 4; i++) {
			bool other = tcbs[i].part[part] != tcbs[0].part[part];

			differs |= other;
			fprintf(out, "<td%s>%u%s</td>", other ? " class=\"differs\"" : "",
				tcbs[i].part[part],
				!other                                    ? ""
				: tcbs[i].part[part] < tcbs[0].part[part] ? " &#9660;"
									  : " &#9650;");
		}
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
	fprintf(out,
		"<p class=\"soft\">%sReported is what the signing key stands for; the host "
		"may go back to committed. Firmware %u.%u.%u runs, %u.%u.%u is "
		"committed.</p>\n",
		differs ? "A triangle marks what is below or above current. " : "", r->bytes[0x1EA],
		r->bytes[0x1E9], r->bytes[0x1E8], r->bytes[0x1EE], r->bytes[0x1ED],
		r->bytes[0x1EC]);
}

/* ---- settings ---- */

/* `known` are the bits that mean something beside those of the list. */
static void put_bits(FILE *out, const char *title, uint64_t value, uint64_t known,
		     const struct report_bit *bits)
{
	fprintf(out, "<div class=\"card\"><h3>%s: <code>0x%" PRIx64 "</code></h3><ul>\n", title,
		value);
	for (; bits->set; bits++) {
		fprintf(out, "<li>%s</li>\n", value >> bits->bit & 1 ? bits->set : bits->clear);
		known |= UINT64_C(1) << bits->bit;
	}
	if (value & ~known)
		fprintf(out, "<li><strong>unknown bits <code>0x%" PRIx64 "</code></strong></li>\n",
			value & ~known);
	fputs("</ul></div>\n", out);
}

/* ---- certificates ---- */

static void put_certificate(FILE *out, const struct cvtpm_certificate_facts *c)
{
	if (!c->present)
		return;
	fprintf(out, "<h3>%s</h3><dl><dt>Subject</dt><dd>", c->kind);
	html_text(out, c->subject[0] ? c->subject : "(empty)");
	fputs("</dd><dt>Issuer</dt><dd>", out);
	html_text(out, c->issuer[0] ? c->issuer : "(empty)");
	fputs("</dd><dt>Serial</dt><dd><code>", out);
	html_plain(out, c->serial);
	fprintf(out, "</code></dd><dt>Valid</dt><dd>%s to %s</dd><dt>SHA-256</dt><dd>",
		c->not_before[0] ? c->not_before : "?", c->not_after[0] ? c->not_after : "?");
	html_text(out, c->fingerprint);
	fputs("</dd></dl>\n", out);
}

static void put_certificates(FILE *out, const struct cvtpm_facts *facts,
			     const struct cvtpm_report_facts *r)
{
	fputs("<details><summary>Certificates</summary><div class=\"inside\">", out);
	put_certificate(out, &r->leaf);
	put_certificate(out, &r->ca);
	put_certificate(out, &r->root);
	put_certificate(out, &facts->ek_certificate);
	if (!r->leaf.present && !facts->ek_certificate.present)
		fputs("<p>None belongs to this report.</p>", out);
	fputs("</div></details>\n", out);
}

/* ---- bytes ---- */

static void put_field(FILE *out, const uint8_t *report, const struct report_field *f)
{
	const uint8_t *p = report + f->offset;
	uint64_t value = little(p, f->size);
	bool zero = true;

	for (size_t i = 0; i < f->size; i++)
		zero &= p[i] == 0;
	fprintf(out,
		"<tr%s><td class=\"at\"><code>0x%03x</code></td><td class=\"at\">%u</td><th "
		"scope=\"row\">%s</th><td class=\"value\">",
		f->kind == FIELD_RESERVED ? " class=\"reserved\"" : "", f->offset, f->size,
		f->name);
	if (f->kind == FIELD_RESERVED && zero)
		fputs("all zero", out);
	else
		html_hex(out, p, f->size);
	fputs("</td><td>", out);
	if (f->kind == FIELD_NUMBER)
		fprintf(out, "%" PRIu64 "%s", value, f->note[0] ? ": " : "");
	else if (f->kind == FIELD_BITS)
		fprintf(out, "0x%" PRIx64 ": ", value);
	fprintf(out, "%s</td></tr>\n", f->note);
}

static void put_bytes(FILE *out, const struct cvtpm_report_facts *r)
{
	uint32_t version = (uint32_t)little(r->bytes, 4);
	const struct report_field *f;

	fprintf(out,
		"<details><summary>All %d bytes of the report, field by field</summary><div "
		"class=\"scroll\"><table class=\"bytes\"><thead><tr><th "
		"scope=\"col\">Offset</th><th scope=\"col\">Size</th><th "
		"scope=\"col\">Field</th><th scope=\"col\">Bytes</th><th "
		"scope=\"col\">Meaning</th></tr></thead><tbody>\n",
		SNP_REPORT_SIZE);
	for (size_t i = 0; (f = report_field_at(version, i)) != NULL; i++)
		put_field(out, r->bytes, f);
	fputs("</tbody></table></div></details>\n", out);
}

void html_details(FILE *out, const struct cvtpm_verification *v)
{
	for (size_t i = 0; i < v->facts.report_count; i++) {
		const struct cvtpm_report_facts *r = &v->facts.reports[i];

		fputs("<section>", out);
		put_heading(out, r, "Details");
		put_tcb_table(out, r);
		fputs("<div class=\"facts\">\n", out);
		put_bits(out, "The guest's policy", little(r->bytes + 0x08, 8), 0x2FFFF,
			 report_policy_bits);
		put_bits(out, "The platform", little(r->bytes + 0x40, 8), 0, report_platform_bits);
		fputs("</div>\n", out);
		put_certificates(out, &v->facts, r);
		put_bytes(out, r);
		fputs("</section>\n", out);
	}
}
