/* What the evidence said, kept beside the checks so that it can be shown. */
#ifndef VERIFY_FACTS_H
#define VERIFY_FACTS_H

#include "verify/chain.h"
#include "verify/ek.h"
#include "verify/machine.h"

/* Adds a report of SNP_REPORT_SIZE bytes, or nothing when there are three already.
 * NULL then. `about` and `binding` are constant texts. */
struct cvtpm_report_facts *facts_add_report(struct cvtpm_facts *facts, const char *about,
					    const uint8_t *bytes, const char *binding);
/* What the chain of that report turned out to be. `facts` may be NULL. */
void facts_set_chain(struct cvtpm_report_facts *facts, const struct chain *chain);
/* The policy's entry for its measurement; NULL: none. `facts` may be NULL. */
void facts_set_measurement(struct cvtpm_report_facts *facts,
			   const struct cvtpm_allowed_measurement *allowed);

void facts_set_ek(struct cvtpm_facts *facts, const struct ek_evidence *ek);

/* Proven PCRs, and the firmware's log; `machine` may be NULL. */
void facts_set_machine(struct cvtpm_facts *facts, const struct cvtpm_machine *machine,
		       const struct quoted_pcrs *quoted);

#endif
