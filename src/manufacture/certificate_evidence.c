/*
 * Evidence in a certificate: the Conceptual Message Wrapper of RFC 9999.
 *
 * The value of id-pe-cmw is an OCTET STRING with deterministic CBOR, either a
 * record, the report alone,
 *
 *     [media type, report, 4]
 *
 * or a collection of up to three records under their labels. Maps are in the
 * order of their encoded keys (RFC 8949, 4.2.1), which is why short labels
 * come first.
 */
#include "manufacture/cbor.h"
#include "manufacture/certificate_parts.h"

#define TYPE_REPORT "application/vnd.amd.sev-snp.attestation-report"
#define TYPE_TABLE  "application/vnd.amd.ghcb.guid-table"
#define TYPE_CLAIMS "application/eat-ucs+cbor"

/* What a reader may take our collections for: labels and types as below. */
#define COLLECTION_TYPE "urn:uuid:91894ad7-6f27-4d3c-a0c0-a1c5ea2dcd6e"

/* RFC 9999, the indicator `ind` of a record. */
enum indicator { ENDORSEMENTS = 2, EVIDENCE = 4 };

/* EAT claims: RFC 9711. */
enum claim { CLAIM_IAT = 6, CLAIM_SWNAME = 270, CLAIM_SWVERSION = 271 };

static void put_record(struct octets *out, const char *type, const void *value, size_t len,
		       enum indicator ind)
{
	cbor_array(out, 3);
	cbor_text(out, type);
	cbor_bytes(out, value, len);
	cbor_uint(out, ind);
}

static void put_claims(struct octets *out, const struct cvtpm_certificate_evidence *evidence,
		       uint64_t issued_at)
{
	cbor_map(out, 6);
	cbor_uint(out, CLAIM_IAT);
	cbor_uint(out, issued_at);
	cbor_uint(out, CLAIM_SWNAME);
	cbor_text(out, evidence->software);
	cbor_uint(out, CLAIM_SWVERSION);
	cbor_array(out, 1); /* the version, without its numbering scheme */
	cbor_text(out, evidence->software_version);
	cbor_text(out, "sealing");
	cbor_text(out, evidence->sealing);
	cbor_text(out, "isolation");
	cbor_text(out, evidence->isolation == CVTPM_ISOLATION_SVSM ? "svsm" : "process");
	cbor_text(out, "rollback-floor");
	cbor_uint(out, evidence->rollback_floor);
}

/* The claims' record; its value is CBOR in CBOR, so it is measured first. */
static void put_claims_record(struct octets *out, const struct cvtpm_certificate_evidence *evidence,
			      uint64_t issued_at)
{
	struct octets measure = {0};

	put_claims(&measure, evidence, issued_at);
	cbor_array(out, 3);
	cbor_text(out, TYPE_CLAIMS);
	cbor_bytes_head(out, measure.len);
	put_claims(out, evidence, issued_at);
	cbor_uint(out, EVIDENCE);
}

static void put_report(struct octets *out, const struct cvtpm_certificate_evidence *evidence)
{
	put_record(out, TYPE_REPORT, evidence->report, SNP_REPORT_SIZE, EVIDENCE);
}

static bool has_table(const struct cvtpm_certificate_evidence *evidence)
{
	return evidence->table != NULL && evidence->table_len != 0;
}

static void put_collection(struct octets *out, const struct cvtpm_certificate_evidence *evidence,
			   uint64_t issued_at)
{
	cbor_map(out, 2u + evidence->claims + has_table(evidence));
	if (evidence->claims) {
		cbor_text(out, "claims");
		put_claims_record(out, evidence, issued_at);
	}
	cbor_text(out, "report");
	put_report(out, evidence);
	cbor_text(out, "__cmwc_t");
	cbor_text(out, COLLECTION_TYPE);
	if (has_table(evidence)) {
		cbor_text(out, "certificates");
		put_record(out, TYPE_TABLE, evidence->table, evidence->table_len, ENDORSEMENTS);
	}
}

void certificate_evidence(struct der *d, const struct cvtpm_certificate_evidence *evidence,
			  uint64_t issued_at)
{
	if (evidence == NULL || evidence->report == NULL)
		return;
	certificate_extension_begin(d, OID_PE_CMW, false);
	der_begin(d, DER_OCTET_STRING); /* CMW ::= CHOICE { json, cbor OCTET STRING } */
	if (evidence->claims || has_table(evidence))
		put_collection(&d->out, evidence, issued_at);
	else
		put_report(&d->out, evidence);
	der_end(d);
	certificate_extension_end(d);
}
