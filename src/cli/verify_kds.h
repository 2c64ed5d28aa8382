/*
 * The part of `cvtpm verify` that gets what the evidence lacks from AMD's key
 * distribution service, or one like it: certificates, and revocation lists where they
 * are wanted. Only where the user names one; every thing that was got is named on
 * standard error.
 */
#ifndef CVTPM_CLI_VERIFY_KDS_H
#define CVTPM_CLI_VERIFY_KDS_H

#include "cvtpm/evidence.h"
#include "cvtpm/kds.h"

/* A certificate, a chain and a list for each report. */
#define VERIFY_KDS_MAX (3 * CVTPM_REPORTS_MAX)

/* As the options give it, and what was got; zero but for the options at first. */
struct verify_kds {
	const char *url;       /* or "amd" */
	const char *ca_file;   /* to trust for TLS */
	const char *cache_dir; /* NULL: the user's own */
	const char *product;   /* whose keys to ask for */
	bool offline;          /* from the cache or not at all */
	bool crl;              /* --crl kds */

	struct cvtpm_kds *client;
	struct cvtpm_bytes *certificates, *crls; /* the evidence's, and what was got */
	size_t certificate_count, crl_count;
	struct cvtpm_kds_data got[VERIFY_KDS_MAX];
	size_t got_count;
	char reason[VERIFY_KDS_MAX][CVTPM_KDS_ERROR_SIZE];
	const char *reasons[VERIFY_KDS_MAX];
	size_t reason_count;
	unsigned tried[CVTPM_REPORTS_MAX]; /* a bit for each kind of thing */
};

/** NULL, or what is wrong with these options, for people. */
const char *verify_kds_usage(const struct verify_kds *k);

/** Adds to `evidence` what it lacks, and for each thing that could not be had a reason, which
 *  keeps the answer from being yes. Without --kds and --offline nothing is done. 0, or an exit
 *  status after a line on standard error. */
int verify_kds_complete(struct verify_kds *k, struct cvtpm_evidence *evidence,
			const struct cvtpm_policy *policy);

/** `evidence` must not be used after this. */
void verify_kds_close(struct verify_kds *k);

#endif
