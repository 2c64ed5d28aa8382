/*
 * Hostile evidence: the input is cut into a report, certificates, an EK
 * certificate (with its CMW) and an EK's public area, or is a HCL report, and judged. The first
 * byte says how it is cut. No input may crash, and none may be genuine.
 */
#include "cvtpm/evidence.h"
#include "verify/cmw.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cvtpm_bytes take(const uint8_t **p, size_t *left, size_t want)
{
	size_t len = want < *left ? want : *left;
	struct cvtpm_bytes bytes = {.data = *p, .len = len};

	*p += len;
	*left -= len;
	return bytes;
}

static void print_both(const struct cvtpm_verification *v)
{
	free(cvtpm_verification_text(v));
	free(cvtpm_verification_json(v));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cvtpm_allowed_measurement any;
	struct cvtpm_policy policy = {
		.measurements = &any, .measurement_count = 1, .at = 1764547200};
	struct cvtpm_evidence evidence = {0};
	struct cvtpm_verification *v;
	struct cvtpm_bytes rest;
	uint8_t how;

	if (size < 1)
		return 0;
	how = *data++;
	size--;
	if (how == 0) { /* CBOR alone: most inputs of certificates never get there */
		struct cmw cmw;
		const char *why;

		(void)cmw_read(&cmw, data, size, &why);
		return 0;
	}
	v = malloc(sizeof(*v));
	if (!v)
		return 0;
	if (how & 1)
		evidence.report = take(&data, &size, SNP_REPORT_SIZE);
	if (how & 2)
		evidence.ek_cert_report = take(&data, &size, SNP_REPORT_SIZE);
	if (how & 4)
		evidence.ek_public = take(&data, &size, 122);
	rest = take(&data, &size, size);
	if (how & 32) {
		evidence.hcl = rest;
	} else if (how & 8) {
		evidence.ek_certificate = rest;
	} else {
		evidence.certificates = &rest;
		evidence.certificate_count = 1;
	}
	if (how & 16) {
		evidence.crls = &rest;
		evidence.crl_count = 1;
	}
	if (cvtpm_verify_evidence(&evidence, &policy, v) == 0) {
		print_both(v);
		if (v->answer == CVTPM_ANSWER_YES)
			abort();
	}
	free(v);
	return 0;
}
