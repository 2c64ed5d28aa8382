/* The bundle: its schema, and what of it is which evidence. */
#include "cvtpm/bundle.h"
#include "verify/collection.h"

#include <string.h>

#define ENDORSEMENTS 2
#define EVIDENCE     4
#define KIB          1024

/* One line for each enum cvtpm_bundle_item. Types below "x." are not registered
 * (RFC 6838, 3.4). */
static const struct collection_label labels[CVTPM_BUNDLE_ITEMS] = {
	{"ak", "application/x.tpm2b-public", EVIDENCE, KIB, false},
	{"pcrs", "application/x.tpm-pcr-values+cbor", EVIDENCE, CVTPM_PCRS_ENCODED_MAX_SIZE, false},
	{"quote", "application/x.tpms-attest", EVIDENCE, 2 * KIB, false},
	{"issuer", "application/pkix-cert", ENDORSEMENTS, 64 * KIB, false},
	{"report", "application/vnd.amd.sev-snp.attestation-report", EVIDENCE, SNP_REPORT_SIZE,
	 false},
	{"secret", "application/x.tpm-activated-secret", EVIDENCE, CVTPM_CREDENTIAL_SECRET_MAX,
	 false},
	{"ima-log", "application/x.ima-measurements", EVIDENCE, CVTPM_LOG_MAX_SIZE, false},
	{"ek-public", "application/x.tpm2b-public", EVIDENCE, KIB, false},
	{"event-log", "application/x.tcg-event-log", EVIDENCE, CVTPM_LOG_MAX_SIZE, false},
	{"signature", "application/x.tpmt-signature", EVIDENCE, KIB, false},
	{"certificates", "application/pem-certificate-chain", ENDORSEMENTS, KIB *KIB, false},
	{"index-report", "application/vnd.amd.sev-snp.attestation-report", EVIDENCE,
	 SNP_REPORT_SIZE, false},
	{"ek-certificate", "application/pkix-cert", ENDORSEMENTS + EVIDENCE, 64 * KIB, false},
	{"platform-certificate", "application/pkix-attr-cert", ENDORSEMENTS, 64 * KIB, false},
};

static const struct collection_format format = {
	.type = "urn:uuid:fb89fb64-2926-44cf-bb89-63f1789fae71",
	.count = CVTPM_BUNDLE_ITEMS,
	.labels = labels,
};

int cvtpm_bundle_read(struct cvtpm_bundle *bundle, const uint8_t *data, size_t len,
		      const char **why)
{
	return collection_read(&format, bundle->item, data, len, why);
}

int cvtpm_bundle_write(const struct cvtpm_bundle *bundle, uint8_t *out, size_t *len)
{
	return collection_write(&format, bundle->item, out, len);
}

void cvtpm_bundle_evidence(const struct cvtpm_bundle *bundle, struct cvtpm_evidence *evidence,
			   struct cvtpm_machine *machine)
{
	const struct cvtpm_bytes *item = bundle->item;

	evidence->report = item[CVTPM_BUNDLE_REPORT];
	evidence->ek_cert_report = item[CVTPM_BUNDLE_INDEX_REPORT];
	evidence->ek_certificate = item[CVTPM_BUNDLE_EK_CERTIFICATE];
	evidence->ek_public = item[CVTPM_BUNDLE_EK_PUBLIC];
	evidence->platform_certificate = item[CVTPM_BUNDLE_PLATFORM_CERTIFICATE];
	*machine = (struct cvtpm_machine){
		.ak_public = item[CVTPM_BUNDLE_AK],
		.secret = item[CVTPM_BUNDLE_SECRET],
		.quote = item[CVTPM_BUNDLE_QUOTE],
		.signature = item[CVTPM_BUNDLE_SIGNATURE],
		.pcrs = item[CVTPM_BUNDLE_PCRS],
		.event_log = item[CVTPM_BUNDLE_EVENT_LOG],
		.ima_log = item[CVTPM_BUNDLE_IMA_LOG],
	};
	evidence->machine = machine;
}
