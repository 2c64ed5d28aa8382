/* The outcome for people (text) and for programs (JSON). */
#include "cvtpm/evidence.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define LAB_NOTICE                                                                                 \
	"LAB: the chain ends in a root that is not AMD's; this proves nothing outside a test"

/* What the last line says, in both forms. */
static void write_summary(FILE *out, const struct cvtpm_verification *v)
{
	const struct cvtpm_check *check = cvtpm_deciding_check(v);

	fprintf(out, "%sverdict: %s", v->lab ? "LAB " : "", cvtpm_answer_name(v->answer));
	if (check)
		fprintf(out, ": %s: %s: expected %s; found %s", check->about, check->title,
			check->expected, check->found);
	if (v->lab)
		fprintf(out, " (LAB evidence: proves nothing outside a test)");
}

char *cvtpm_verification_text(const struct cvtpm_verification *v)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	if (v->lab)
		fprintf(out, LAB_NOTICE "\n");
	for (size_t i = 0; i < v->count; i++) {
		const struct cvtpm_check *c = &v->checks[i];

		fprintf(out, "[%s] %s: %s: ", cvtpm_check_verdict_name(c->verdict), c->about,
			c->title);
		if (c->expected[0])
			fprintf(out, "expected %s; found ", c->expected);
		fprintf(out, "%s", c->found);
		if (c->reason)
			fprintf(out, " (%s)", c->reason);
		fputc('\n', out);
	}
	write_summary(out, v);
	fputc('\n', out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static char *summary_text(const struct cvtpm_verification *v)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	write_summary(out, v);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static json_t *checks_json(const struct cvtpm_verification *v)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < v->count; i++) {
		const struct cvtpm_check *c = &v->checks[i];
		json_t *item = json_pack(
			"{ss ss ss ss ss ss ss}", "id", c->id, "about", c->about, "title", c->title,
			"verdict", cvtpm_check_verdict_name(c->verdict), "expected", c->expected,
			"found", c->found, "reason", c->reason ? c->reason : "");

		if (!item || json_array_append_new(list, item)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

char *cvtpm_verification_json(const struct cvtpm_verification *v)
{
	char *summary = summary_text(v), *text = NULL;
	json_t *checks = checks_json(v), *root;

	if (!summary || !checks) {
		free(summary);
		json_decref(checks);
		return NULL;
	}
	/* One line, so that LAB stands in the first and in the last line of it. */
	root = json_pack("{ss* sb ss si so ss}", "notice", v->lab ? LAB_NOTICE : NULL, "lab",
			 v->lab, "verdict", cvtpm_answer_name(v->answer), "exit", (int)v->answer,
			 "checks", checks, "summary", summary);
	if (root)
		text = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
	json_decref(root);
	free(summary);
	return text;
}
