/* Reports, and the indices in which no guest can change them. */
#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "cvtpm/err.h"
#include "cvtpm/store.h"
#include "manufacture/owner.h"
#include "snp/report.h"

/* POLICY_DELETE with an empty policy is what makes an index last: it can be
 * removed only by a policy, and no policy session matches the empty policy.
 * WRITEDEFINE: once locked, locked for good. WRITE_STCLEAR: until the next
 * TPM2_Startup(CLEAR), after which renew.c writes and locks it again before
 * anybody else's command is taken. */
#define REPORT_ATTRIBUTES                                                                          \
	(TPMA_NV_PPWRITE | TPMA_NV_POLICY_DELETE | TPMA_NV_PPREAD | TPMA_NV_OWNERREAD |            \
	 TPMA_NV_AUTHREAD | TPMA_NV_NO_DA | TPMA_NV_PLATFORMCREATE)

int evidence_check_store(struct cvtpm_instance *o, bool lab)
{
	if (lab || o->kind == CVTPM_STORE_MEMORY || o->kind == CVTPM_STORE_SEALED_SNP)
		return 0;
	LOG(&o->platform, CVTPM_LOG_ERROR,
	    "a TPM may hold a report only in memory or in a store sealed under the SNP derived "
	    "key: whoever can read % store would own an EK that a genuine report vouches for",
	    LOG_TEXT(o->kind == CVTPM_STORE_PLAIN ? "this unsealed" : "or unseal this"));
	return CVTPM_ERR_POLICY;
}

static void log_refusal(struct cvtpm_instance *o, const char *what, const char *ek, uint64_t ms,
			int err)
{
	const struct cvtpm_snp_provider *provider = o->config.provider;

	LOG(&o->platform, CVTPM_LOG_ERROR,
	    "no report over % % from % after % ms: % (AMD-SP status %, hypervisor %)",
	    LOG_TEXT(what), LOG_TEXT(ek), LOG_TEXT(provider->name), LOG_NUMBER(ms),
	    LOG_TEXT(cvtpm_strerror(err)), LOG_HEX(provider->status.firmware),
	    LOG_HEX(provider->status.vmm));
}

int evidence_ask(struct cvtpm_instance *o, const char *what, const char *ek,
		 const uint8_t data[SNP_REPORT_DATA_SIZE], uint8_t report[SNP_REPORT_SIZE])
{
	struct cvtpm_snp_provider *provider = o->config.provider;
	uint64_t begin = owner_clock(o);
	int err;

	err = provider->ops->report(provider, data, report);
	if (err == 0 && memcmp(report + SNP_REPORT_REPORT_DATA, data, SNP_REPORT_DATA_SIZE) != 0)
		err = CVTPM_ERR_FORMAT;
	if (err < 0) {
		log_refusal(o, what, ek, owner_clock(o) - begin, err);
		return err;
	}
	LOG(&o->platform, CVTPM_LOG_INFO, "report over % %: % bytes from % in % ms", LOG_TEXT(what),
	    LOG_TEXT(ek), LOG_NUMBER(SNP_REPORT_SIZE), LOG_TEXT(provider->name),
	    LOG_NUMBER(owner_clock(o) - begin));
	return 0;
}

int evidence_define(struct cvtpm_instance *o, const struct record_ek *made)
{
	uint32_t lock = owner_is_persistent(o) ? TPMA_NV_WRITE_STCLEAR : TPMA_NV_WRITEDEFINE;

	CVTPM_TRY(evidence_ask(o, "EK certificate", made->ek->name, made->certificate_digest,
			       o->report));
	return provision_index(o, made->ek->report_index, REPORT_ATTRIBUTES | lock, o->report,
			       sizeof o->report);
}

/* A genuine report, written and locked; else nothing that could be taken for one. */
static int renew_report(struct cvtpm_instance *o, const struct record_ek *made)
{
	if (!o->config.provider) {
		LOG(&o->platform, CVTPM_LOG_WARN,
		    "no AMD-SP at this start: the report index of EK % gets zeros",
		    LOG_TEXT(made->ek->name));
		return CVTPM_ERR_NOT_FOUND;
	}
	CVTPM_TRY(evidence_ask(o, "EK certificate", made->ek->name, made->certificate_digest,
			       o->report));
	return provision_fill(o, made->ek->report_index, o->report, sizeof o->report);
}

int evidence_renew(struct cvtpm_instance *o, const struct record_ek *made, bool genuine)
{
	int err;

	if (genuine && renew_report(o, made) == 0)
		return 0;
	memset(o->report, 0, sizeof o->report);
	err = provision_fill(o, made->ek->report_index, o->report, sizeof o->report);
	if (err < 0)
		return owner_log_failure(o, CVTPM_LOG_ERROR, "emptying the report index of EK",
					 made->ek->name, err);
	LOG(&o->platform, CVTPM_LOG_WARN,
	    "the report index % of EK % holds zeros until the next start: this TPM proves nothing",
	    LOG_HEX(made->ek->report_index), LOG_TEXT(made->ek->name));
	return 0;
}
