/* The HCL form of evidence: what an Azure confidential VM has in the place of an EK. */
#ifndef VERIFY_AZURE_H
#define VERIFY_AZURE_H

#include "cvtpm/hcl.h"
#include "verify/machine.h"

struct azure {
	struct cvtpm_hcl hcl;
	int binding, runtime_result; /* of cvtpm_hcl_check_binding(), cvtpm_hcl_read_runtime() */
	bool bound;                  /* REPORT_DATA covers the runtime data */
	struct cvtpm_hcl_runtime runtime;
};

/* Takes a HCL report apart. The SEV-SNP report in it, or NULL after a line on what is wrong. */
const uint8_t *azure_open(struct azure *azure, const struct cvtpm_bytes *bytes,
			  struct cvtpm_verification *v);

/* Adds the line on the binding, as one of those on the report. */
void azure_check_binding(const struct azure *azure, struct cvtpm_verification *v);

/* Adds the lines on the AK, what the paravisor claims, and the quote. `machine` may be NULL:
 * then nothing is said of a quote. `quoted` is what other checks may go by. */
void azure_check(const struct azure *azure, const struct cvtpm_machine *machine,
		 const struct cvtpm_bytes *nonce, struct quoted_pcrs *quoted,
		 struct cvtpm_verification *v);

#endif
