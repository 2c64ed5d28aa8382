/*
 * Reading a CMW.
 *
 * What is accepted is deterministic CBOR (RFC 8949, 4.2.1) in exactly the shapes
 * of docs/decisions.md: a record, or a collection of at most the three known
 * labels. Unknown labels and types, a label twice, nesting, tags, indefinite
 * lengths and left-over bytes are refused.
 */
#include "verify/cmw.h"
#include "cvtpm/err.h"
#include "verify/checks.h"
#include "verify/tokens.h"

#include <inttypes.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <string.h>

#define OID_CMW         "1.3.6.1.5.5.7.1.35"
#define COLLECTION_TYPE "urn:uuid:91894ad7-6f27-4d3c-a0c0-a1c5ea2dcd6e"
#define TYPE_REPORT     "application/vnd.amd.sev-snp.attestation-report"
#define TYPE_TABLE      "application/vnd.amd.ghcb.guid-table"
#define TYPE_CLAIMS     "application/eat-ucs+cbor"

/* The indicator of a record: a bit set of what it is. */
#define IND_ENDORSEMENTS 2
#define IND_EVIDENCE     4

/* ---- claims: EAT (RFC 9711) and ours ---- */

static bool read_claim_name(struct token_reader *r, struct cmw_claim *claim)
{
	static const struct {
		uint64_t label;
		const char *name;
	} known[] = {{6, "iat"}, {270, "swname"}, {271, "swversion"}};
	struct token key;

	if (!token_next(r, &key))
		return false;
	if (key.kind == TOKEN_TEXT) {
		escape_text(claim->name, sizeof(claim->name), (const char *)key.data, key.value);
		return true;
	}
	if (key.kind != TOKEN_UINT)
		return token_fail(r, "a claim with a label of another kind");
	snprintf(claim->name, sizeof(claim->name), "%" PRIu64, key.value);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (key.value == known[i].label)
			strcpy(claim->name, known[i].name);
	return true;
}

static bool read_claim_value(struct token_reader *r, struct cmw_claim *claim)
{
	struct token value, rest;

	if (!token_next(r, &value))
		return false;
	/* swversion is [version, ? scheme] */
	if (value.kind == TOKEN_ARRAY && !strcmp(claim->name, "swversion") &&
	    (value.value == 1 || value.value == 2)) {
		uint64_t more = value.value - 1;

		if (!token_next_of(r, TOKEN_TEXT, &value, "a version that is not text"))
			return false;
		if (more &&
		    !token_next_of(r, TOKEN_UINT, &rest, "a version scheme that is not a number"))
			return false;
	}
	if (value.kind == TOKEN_TEXT)
		escape_text(claim->value, sizeof(claim->value), (const char *)value.data,
			    value.value);
	else if (value.kind == TOKEN_UINT)
		snprintf(claim->value, sizeof(claim->value), "%" PRIu64, value.value);
	else
		return token_fail(r, "a claim that is neither text nor a number");
	return true;
}

static void note_isolation(struct cmw *cmw, const struct cmw_claim *claim)
{
	if (strcmp(claim->name, "isolation") != 0)
		return;
	cmw->isolation = !strcmp(claim->value, "svsm")      ? "svsm"
			 : !strcmp(claim->value, "process") ? "process"
							    : "";
}

static bool read_claims(struct token_reader *outer, struct cmw *cmw, const uint8_t *cbor,
			size_t len)
{
	struct token_reader r = {.at = cbor, .end = cbor + len};
	const uint8_t *last = NULL;
	size_t last_len = 0;
	struct token map;

	if (!token_next_of(&r, TOKEN_MAP, &map, "claims that are not a map"))
		return token_fail(outer, r.why);
	if (map.value > CMW_CLAIMS_MAX)
		return token_fail(outer, "more than 16 claims");
	for (uint64_t i = 0; i < map.value; i++) {
		struct cmw_claim *claim = &cmw->claims[cmw->claim_count];
		const uint8_t *key = r.at;

		if (!read_claim_name(&r, claim) || !token_key_ascends(&r, &last, &last_len, key) ||
		    !read_claim_value(&r, claim))
			return token_fail(outer, r.why);
		note_isolation(cmw, claim);
		cmw->claim_count++;
	}
	return r.at == r.end || token_fail(outer, "bytes after the claims");
}

/* ---- records ---- */

/* [type, value, ind]; the array's head is read already. */
static bool read_record(struct token_reader *r, struct cmw *cmw, const char *type, uint64_t ind)
{
	struct token t, value, indicator;

	if (!token_next_of(r, TOKEN_TEXT, &t, "a record whose type is not a media type"))
		return false;
	if (!token_is_text(&t, type))
		return token_fail(r, "a record of an unknown type, or under another's label");
	if (!token_next_of(r, TOKEN_BYTES, &value, "a record whose value is not bytes") ||
	    !token_next_of(r, TOKEN_UINT, &indicator, "a record whose indicator is not a number"))
		return false;
	if (indicator.value != ind)
		return token_fail(r, "a record with another indicator");

	if (!strcmp(type, TYPE_CLAIMS))
		return read_claims(r, cmw, value.data, value.value);
	if (!strcmp(type, TYPE_TABLE)) {
		cmw->table = value.data;
		cmw->table_len = value.value;
		return true;
	}
	if (value.value != SNP_REPORT_SIZE)
		return token_fail(r, "a report that has not 1,184 bytes");
	cmw->report = value.data;
	return true;
}

static bool read_collection(struct token_reader *r, struct cmw *cmw, uint64_t count)
{
	static const struct {
		const char *label, *type;
		uint64_t ind;
	} records[] = {
		{"claims", TYPE_CLAIMS, IND_EVIDENCE},
		{"report", TYPE_REPORT, IND_EVIDENCE},
		{"certificates", TYPE_TABLE, IND_ENDORSEMENTS},
	};
	const size_t known = sizeof(records) / sizeof(records[0]);
	const uint8_t *last = NULL;
	size_t last_len = 0;
	struct token label, value;
	bool typed = false;

	cmw->collection = true;
	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *key = r->at;
		size_t which = 0;

		if (!token_next_of(r, TOKEN_TEXT, &label, "a label that is not text") ||
		    !token_key_ascends(r, &last, &last_len, key))
			return false;
		if (token_is_text(&label, "__cmwc_t")) {
			if (!token_next(r, &value) || !token_is_text(&value, COLLECTION_TYPE))
				return token_fail(r, "a collection of another type");
			typed = true;
			continue;
		}
		while (which < known && !token_is_text(&label, records[which].label))
			which++;
		if (which == known)
			return token_fail(r, "an unknown label");
		if (!token_next_of(r, TOKEN_ARRAY, &value, "a collection in a collection") ||
		    value.value != 3)
			return token_fail(r, "a record that has not three parts");
		if (!read_record(r, cmw, records[which].type, records[which].ind))
			return false;
	}
	if (!typed)
		return token_fail(r, "a collection without a type");
	return cmw->report || token_fail(r, "a collection without a report");
}

int cmw_read(struct cmw *cmw, const uint8_t *cbor, size_t len, const char **why)
{
	struct token_reader r = {.at = cbor, .end = cbor + len};
	struct token head;
	bool good;

	*cmw = (struct cmw){0};
	good = token_next(&r, &head);
	if (good && head.kind == TOKEN_ARRAY)
		good = head.value == 3 ? read_record(&r, cmw, TYPE_REPORT, IND_EVIDENCE)
				       : token_fail(&r, "a record that has not three parts");
	else if (good && head.kind == TOKEN_MAP)
		good = read_collection(&r, cmw, head.value);
	else if (good)
		good = token_fail(&r, "neither a record nor a collection");
	if (good && r.at != r.end)
		good = token_fail(&r, "bytes after its end");
	if (good)
		return 0;
	*cmw = (struct cmw){0};
	*why = r.why;
	return CVTPM_ERR_FORMAT;
}

/* ---- the extension ---- */

/* The content of a DER OCTET STRING that fills `len` bytes, or NULL. */
static const uint8_t *octet_string(const uint8_t *p, size_t len, size_t *content_len)
{
	size_t lengths, size = 0;

	if (len < 2 || p[0] != 0x04)
		return NULL;
	if (p[1] < 0x80) {
		*content_len = p[1];
		return *content_len == len - 2 ? p + 2 : NULL;
	}
	lengths = p[1] & 0x7F;
	if (lengths < 1 || lengths > 3 || len < 2 + lengths || !p[2])
		return NULL;
	for (size_t i = 0; i < lengths; i++)
		size = size << 8 | p[2 + i];
	if (size < 0x80 || size != len - 2 - lengths)
		return NULL;
	*content_len = size;
	return p + 2 + lengths;
}

int cmw_read_certificate(struct cmw *cmw, const X509 *cert, const char **why)
{
	const ASN1_OCTET_STRING *value = NULL;
	const uint8_t *cbor;
	size_t len = 0;

	*cmw = (struct cmw){0};
	for (int i = 0; i < X509_get_ext_count(cert); i++) {
		X509_EXTENSION *extension = X509_get_ext(cert, i);
		char oid[64];

		OBJ_obj2txt(oid, sizeof(oid), X509_EXTENSION_get_object(extension), 1);
		if (strcmp(oid, OID_CMW) != 0)
			continue;
		if (value) {
			*why = "the extension is there twice";
			return CVTPM_ERR_FORMAT;
		}
		value = X509_EXTENSION_get_data(extension);
	}
	if (!value)
		return CVTPM_ERR_NOT_FOUND;
	cbor = octet_string(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value), &len);
	if (!cbor) {
		*why = "not an OCTET STRING with CBOR";
		return CVTPM_ERR_FORMAT;
	}
	return cmw_read(cmw, cbor, len, why);
}
