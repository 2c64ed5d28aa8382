/*
 * Hostile policies. What is accepted has to mean something, and what a policy
 * means may never be more than the file says: one that names no measurement has
 * none, and a refusal has one line of printable ASCII.
 */
#include "cvtpm/policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const char *line)
{
	if (!*line || strlen(line) >= CVTPM_POLICY_ERROR_SIZE)
		abort();
	for (; *line; line++)
		if (*line < 0x20 || *line > 0x7e)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[CVTPM_POLICY_ERROR_SIZE];
	struct cvtpm_policy *policy = NULL;
	char *text;

	if (cvtpm_policy_read((const char *)data, size, "policy.json", NULL, &policy, error)) {
		if (policy)
			abort();
		check_line(error);
		return 0;
	}
	if (policy->vmpl > 3 || policy->lab_root_count || policy->at || policy->report_only ||
	    (policy->guest_policy_require & policy->guest_policy_forbid) ||
	    (policy->pcr_count && !policy->require_quote))
		abort();
	for (size_t i = 0; i < policy->pcr_count; i++)
		if (policy->pcrs[i].pcr > 23 || !policy->pcrs[i].allowed.count)
			abort();
	text = cvtpm_policy_text(policy);
	if (text && !strlen(text))
		abort();
	free(text);
	cvtpm_policy_free(policy);
	return 0;
}
