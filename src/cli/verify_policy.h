/*
 * The part of `cvtpm verify` that joins a policy file with the options. The file
 * decides: options add measurements and lab roots, say when and what is judged, and
 * may repeat what the file says; what would weaken it is wrong usage.
 */
#ifndef CVTPM_CLI_VERIFY_POLICY_H
#define CVTPM_CLI_VERIFY_POLICY_H

#include "cvtpm/evidence.h"

#include <stdbool.h>

struct verify_policy {
	const char *path; /* --policy; NULL: the options are the policy */
	bool vmpl_given;
	struct cvtpm_policy *file; /* owned */
	struct cvtpm_allowed_measurement *measurements;
	struct cvtpm_bytes *lab_roots;
};

/** Reads the file and compares it with the options. False: said on standard error. */
bool verify_policy_open(struct verify_policy *p, const struct cvtpm_policy *options);

/** Puts the file's rules into `options`, whose lists are complete by now; what it points to
 *  lives until verify_policy_close(). False: said on standard error. */
bool verify_policy_join(struct verify_policy *p, struct cvtpm_policy *options);

void verify_policy_close(struct verify_policy *p);

#endif
