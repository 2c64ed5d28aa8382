#include "cli/verify_policy.h"
#include "cli/cli.h"
#include "cvtpm/policy.h"

#include <stdlib.h>
#include <string.h>

/* What in the file needs an EK, or a quote; NULL: nothing does. */
static const char *needs_ek(const struct cvtpm_policy *file)
{
	return file->require_ek_cert   ? "ek.certificate_report"
	       : file->ek_algorithms   ? "ek.algorithms"
	       : file->ek_issuer_count ? "ek.issuers"
	       : file->require_quote   ? "quote"
				       : NULL;
}

bool verify_policy_open(struct verify_policy *p, const struct cvtpm_policy *options)
{
	char error[CVTPM_POLICY_ERROR_SIZE];
	const struct cvtpm_policy *file;

	if (!p->path)
		return true;
	if (cvtpm_policy_load(p->path, &p->file, error)) {
		cli_error("%s", error);
		return false;
	}
	file = p->file;
	if (options->allow_debug && !file->allow_debug)
		cli_error("--allow-debug: %s does not allow it; change the policy "
			  "(\"allow_debug\": true) if that is meant",
			  p->path);
	else if (p->vmpl_given && options->vmpl != file->vmpl)
		cli_error("--vmpl %u: %s says %u", options->vmpl, p->path, file->vmpl);
	else if (options->report_only && needs_ek(file))
		cli_error("--report-only: %s has %s, which cannot be judged without an EK", p->path,
			  needs_ek(file));
	else if (options->identity_only && file->require_quote)
		cli_error("--identity-only: %s requires a quote", p->path);
	else
		return true;
	return false;
}

/* Those of the file, then those of the options. */
static bool join_measurements(struct verify_policy *p, const struct cvtpm_policy *options,
			      struct cvtpm_policy *joined)
{
	const struct cvtpm_policy *file = p->file;
	size_t count = file->measurement_count + options->measurement_count;

	for (size_t i = 0; i < options->measurement_count; i++)
		for (size_t k = 0; k < file->measurement_count; k++)
			if (!memcmp(options->measurements[i].digest, file->measurements[k].digest,
				    SNP_MEASUREMENT_SIZE) &&
			    options->measurements[i].isolation != file->measurements[k].isolation) {
				cli_error(
					"a measurement of the options has another isolation in %s",
					p->path);
				return false;
			}
	p->measurements = calloc(count + 1, sizeof(*p->measurements));
	if (!p->measurements) {
		cli_error("out of memory");
		return false;
	}
	for (size_t i = 0; i < count; i++)
		p->measurements[i] = i < file->measurement_count
					     ? file->measurements[i]
					     : options->measurements[i - file->measurement_count];
	joined->measurements = p->measurements;
	joined->measurement_count = count;
	return true;
}

static bool join_lab_roots(struct verify_policy *p, const struct cvtpm_policy *options,
			   struct cvtpm_policy *joined)
{
	const struct cvtpm_policy *file = p->file;
	size_t count = file->lab_root_count + options->lab_root_count;

	p->lab_roots = calloc(count + 1, sizeof(*p->lab_roots));
	if (!p->lab_roots) {
		cli_error("out of memory");
		return false;
	}
	for (size_t i = 0; i < count; i++)
		p->lab_roots[i] = i < file->lab_root_count
					  ? file->lab_roots[i]
					  : options->lab_roots[i - file->lab_root_count];
	joined->lab_roots = p->lab_roots;
	joined->lab_root_count = count;
	return true;
}

bool verify_policy_join(struct verify_policy *p, struct cvtpm_policy *options)
{
	struct cvtpm_policy joined;

	if (!p->file)
		return true;
	joined = *p->file;
	if (!join_measurements(p, options, &joined) || !join_lab_roots(p, options, &joined))
		return false;
	joined.at = options->at;
	joined.report_only = options->report_only;
	joined.identity_only = options->identity_only;
	joined.asked = options->asked;
	joined.hcl_nonce = options->hcl_nonce;
	joined.require_crl |= options->require_crl;
	*options = joined;
	return true;
}

void verify_policy_close(struct verify_policy *p)
{
	cvtpm_policy_free(p->file);
	free(p->measurements);
	free(p->lab_roots);
}
