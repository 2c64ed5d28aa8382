/* The rules of a policy that are beyond what every report has to keep. A rule that
 * the policy does not have adds no line. */
#ifndef VERIFY_RULES_H
#define VERIFY_RULES_H

#include "verify/chain.h"
#include "verify/ek.h"

/* `product` is the chain's, or the report's where there is no chain. */
void rules_check_report(const struct snp_report *report, enum cvtpm_product product,
			const struct cvtpm_policy *policy, const char *about,
			struct cvtpm_verification *v);

/* Algorithm of the EK, and who signed its certificate. `certs` are those of the evidence. */
void rules_check_ek(const struct ek_evidence *ek, const struct cert_list *certs,
		    const struct cvtpm_policy *policy, int64_t at, struct cvtpm_verification *v);

#endif
