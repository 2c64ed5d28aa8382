/* What a TPM says of its machine: AK, quote, PCRs, event logs. */
#ifndef VERIFY_MACHINE_H
#define VERIFY_MACHINE_H

#include "cvtpm/bundle.h"
#include "verify/ek.h"

/* What a quote that passed every check has proven of PCRs. */
struct quoted_pcrs {
	bool proven;
	struct cvtpm_quote quote;
	struct cvtpm_pcrs values; /* those that the quote selects, and perhaps more */
	uint32_t explained;       /* PCRs that follow from the logs, in a bank at least */
};

/* Adds the lines on AK and quote; `quoted` is what other checks may go by. `now` is the
 * time of this machine, whatever time dates are judged at. */
void machine_check(const struct cvtpm_machine *machine, const struct cvtpm_challenge_secret *asked,
		   const struct ek_evidence *ek, int64_t now, struct quoted_pcrs *quoted,
		   struct cvtpm_verification *v);

/* The same for a quote by a key that a HCL report vouches for: there is no public area and no
 * challenge, but perhaps a nonce. `ak` may be NULL: there is none to verify with. */
void machine_check_bare_quote(const struct cvtpm_machine *machine, const struct cvtpm_tpm_key *ak,
			      const struct cvtpm_bytes *nonce, struct quoted_pcrs *quoted,
			      struct cvtpm_verification *v);

/* Adds the lines on the event logs against proven PCRs. */
void machine_check_logs(const struct cvtpm_machine *machine, struct quoted_pcrs *quoted,
			struct cvtpm_verification *v);

/* Adds the lines of the policy's rules on quote, PCRs and logs. `machine` may be NULL. */
void machine_check_policy(const struct cvtpm_machine *machine, const struct cvtpm_policy *policy,
			  const struct quoted_pcrs *quoted, struct cvtpm_verification *v);

#define FIRMWARE_PCRS 0xFFu      /* every PC Client firmware measures into 0 to 7 */
#define IMA_PCRS      (1u << 10) /* and Linux IMA into 10 */

/* An IMA list of either form. A problem as of cvtpm_log_open_ima_ascii(). */
int machine_open_ima(struct cvtpm_log *log, const struct cvtpm_bytes *bytes);

/* "0-7,10" */
#define PCR_LIST_SIZE 80
const char *pcr_list_text(char text[PCR_LIST_SIZE], uint32_t mask);

#endif
