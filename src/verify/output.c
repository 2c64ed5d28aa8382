/* The outcome for programs (JSON), and its last line, which every form has. */
#include "verify/output.h"
#include "cvtpm/evidence.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

char *cvtpm_verification_summary(const struct cvtpm_verification *v)
{
	const struct cvtpm_check *check = cvtpm_deciding_check(v);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fprintf(out, "%sverdict: %s", v->lab ? "LAB " : "", cvtpm_answer_name(v->answer));
	if (check)
		fprintf(out, ": %s: %s: expected %s; found %s", check->about, check->title,
			check->expected, check->found);
	if (v->lab)
		fprintf(out, " (LAB evidence: proves nothing outside a test)");
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
	char *summary = cvtpm_verification_summary(v), *text = NULL;
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
