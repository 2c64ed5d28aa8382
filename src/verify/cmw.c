/*
 * Reading a CMW: one token at a time through libcbor's streaming decoder, which
 * allocates nothing, so that no length in the evidence can make us allocate.
 *
 * What is accepted is deterministic CBOR (RFC 8949, 4.2.1) in exactly the shapes
 * of docs/decisions.md: a record, or a collection of at most the three known
 * labels. Unknown labels and types, a label twice, nesting, tags, indefinite
 * lengths and left-over bytes are refused.
 */
#include "verify/cmw.h"
#include "cvtpm/err.h"
#include "verify/checks.h"

#include <cbor.h>
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

/* ---- tokens ---- */

enum token_kind {
	TOKEN_OTHER, /* anything that no CMW of ours holds */
	TOKEN_UINT,
	TOKEN_BYTES,
	TOKEN_TEXT,
	TOKEN_ARRAY,
	TOKEN_MAP,
};

struct token {
	enum token_kind kind;
	uint64_t value; /* number, length, or count */
	const uint8_t *data;
};

struct reader {
	const uint8_t *at, *end;
	const char *why;
};

static void on_uint8(void *context, uint8_t value)
{
	*(struct token *)context = (struct token){.kind = TOKEN_UINT, .value = value};
}

static void on_uint16(void *context, uint16_t value)
{
	*(struct token *)context = (struct token){.kind = TOKEN_UINT, .value = value};
}

static void on_uint32(void *context, uint32_t value)
{
	*(struct token *)context = (struct token){.kind = TOKEN_UINT, .value = value};
}

static void on_uint64(void *context, uint64_t value)
{
	*(struct token *)context = (struct token){.kind = TOKEN_UINT, .value = value};
}

static void on_bytes(void *context, cbor_data data, size_t len)
{
	*(struct token *)context = (struct token){.kind = TOKEN_BYTES, .value = len, .data = data};
}

static void on_text(void *context, cbor_data data, size_t len)
{
	*(struct token *)context = (struct token){.kind = TOKEN_TEXT, .value = len, .data = data};
}

static void on_array(void *context, size_t count)
{
	*(struct token *)context = (struct token){.kind = TOKEN_ARRAY, .value = count};
}

static void on_map(void *context, size_t count)
{
	*(struct token *)context = (struct token){.kind = TOKEN_MAP, .value = count};
}

/* Bytes of the shortest head for this value. */
static size_t head_size(uint64_t value)
{
	return value < 24            ? 1
	       : value <= 0xFF       ? 2
	       : value <= 0xFFFF     ? 3
	       : value <= UINT32_MAX ? 5
				     : 9;
}

static bool fail(struct reader *r, const char *why)
{
	if (!r->why)
		r->why = why;
	return false;
}

static bool next(struct reader *r, struct token *token)
{
	struct cbor_callbacks callbacks = cbor_empty_callbacks;
	struct cbor_decoder_result result;
	size_t size;

	callbacks.uint8 = on_uint8;
	callbacks.uint16 = on_uint16;
	callbacks.uint32 = on_uint32;
	callbacks.uint64 = on_uint64;
	callbacks.byte_string = on_bytes;
	callbacks.string = on_text;
	callbacks.array_start = on_array;
	callbacks.map_start = on_map;

	*token = (struct token){.kind = TOKEN_OTHER};
	if (r->at == r->end)
		return fail(r, "it is truncated");
	result = cbor_stream_decode(r->at, (size_t)(r->end - r->at), &callbacks, token);
	if (result.status == CBOR_DECODER_NEDATA)
		return fail(r, "it is truncated");
	if (result.status != CBOR_DECODER_FINISHED || token->kind == TOKEN_OTHER)
		return fail(r, "something that has no place there");

	size = head_size(token->value);
	if (token->kind == TOKEN_BYTES || token->kind == TOKEN_TEXT)
		size += token->value;
	if (result.read != size)
		return fail(r, "it is not deterministic CBOR: a number not in its shortest form");
	r->at += result.read;
	return true;
}

static bool next_of(struct reader *r, enum token_kind kind, struct token *token, const char *why)
{
	return next(r, token) && (token->kind == kind || fail(r, why));
}

static bool text_is(const struct token *token, const char *text)
{
	return token->kind == TOKEN_TEXT && token->value == strlen(text) &&
	       !memcmp(token->data, text, token->value);
}

/* Keys of a map ascend bytewise as encoded, which also excludes duplicates. */
static bool key_ascends(struct reader *r, const uint8_t **last, size_t *last_len,
			const uint8_t *key)
{
	size_t len = (size_t)(r->at - key), common = len < *last_len ? len : *last_len;
	int order = *last ? memcmp(*last, key, common) : -1;

	if (order > 0 || (order == 0 && *last_len >= len))
		return fail(r, order == 0 && *last_len == len ? "a label twice"
							      : "labels out of order");
	*last = key;
	*last_len = len;
	return true;
}

/* ---- claims: EAT (RFC 9711) and ours ---- */

static bool read_claim_name(struct reader *r, struct cmw_claim *claim)
{
	static const struct {
		uint64_t label;
		const char *name;
	} known[] = {{6, "iat"}, {270, "swname"}, {271, "swversion"}};
	struct token key;

	if (!next(r, &key))
		return false;
	if (key.kind == TOKEN_TEXT) {
		escape_text(claim->name, sizeof(claim->name), (const char *)key.data, key.value);
		return true;
	}
	if (key.kind != TOKEN_UINT)
		return fail(r, "a claim with a label of another kind");
	snprintf(claim->name, sizeof(claim->name), "%" PRIu64, key.value);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (key.value == known[i].label)
			strcpy(claim->name, known[i].name);
	return true;
}

static bool read_claim_value(struct reader *r, struct cmw_claim *claim)
{
	struct token value, rest;

	if (!next(r, &value))
		return false;
	/* swversion is [version, ? scheme] */
	if (value.kind == TOKEN_ARRAY && !strcmp(claim->name, "swversion") &&
	    (value.value == 1 || value.value == 2)) {
		uint64_t more = value.value - 1;

		if (!next_of(r, TOKEN_TEXT, &value, "a version that is not text"))
			return false;
		if (more && !next_of(r, TOKEN_UINT, &rest, "a version scheme that is not a number"))
			return false;
	}
	if (value.kind == TOKEN_TEXT)
		escape_text(claim->value, sizeof(claim->value), (const char *)value.data,
			    value.value);
	else if (value.kind == TOKEN_UINT)
		snprintf(claim->value, sizeof(claim->value), "%" PRIu64, value.value);
	else
		return fail(r, "a claim that is neither text nor a number");
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

static bool read_claims(struct reader *outer, struct cmw *cmw, const uint8_t *cbor, size_t len)
{
	struct reader r = {.at = cbor, .end = cbor + len};
	const uint8_t *last = NULL;
	size_t last_len = 0;
	struct token map;

	if (!next_of(&r, TOKEN_MAP, &map, "claims that are not a map"))
		return fail(outer, r.why);
	if (map.value > CMW_CLAIMS_MAX)
		return fail(outer, "more than 16 claims");
	for (uint64_t i = 0; i < map.value; i++) {
		struct cmw_claim *claim = &cmw->claims[cmw->claim_count];
		const uint8_t *key = r.at;

		if (!read_claim_name(&r, claim) || !key_ascends(&r, &last, &last_len, key) ||
		    !read_claim_value(&r, claim))
			return fail(outer, r.why);
		note_isolation(cmw, claim);
		cmw->claim_count++;
	}
	return r.at == r.end || fail(outer, "bytes after the claims");
}

/* ---- records ---- */

/* [type, value, ind]; the array's head is read already. */
static bool read_record(struct reader *r, struct cmw *cmw, const char *type, uint64_t ind)
{
	struct token t, value, indicator;

	if (!next_of(r, TOKEN_TEXT, &t, "a record whose type is not a media type"))
		return false;
	if (!text_is(&t, type))
		return fail(r, "a record of an unknown type, or under another's label");
	if (!next_of(r, TOKEN_BYTES, &value, "a record whose value is not bytes") ||
	    !next_of(r, TOKEN_UINT, &indicator, "a record whose indicator is not a number"))
		return false;
	if (indicator.value != ind)
		return fail(r, "a record with another indicator");

	if (!strcmp(type, TYPE_CLAIMS))
		return read_claims(r, cmw, value.data, value.value);
	if (!strcmp(type, TYPE_TABLE)) {
		cmw->table = value.data;
		cmw->table_len = value.value;
		return true;
	}
	if (value.value != SNP_REPORT_SIZE)
		return fail(r, "a report that has not 1,184 bytes");
	cmw->report = value.data;
	return true;
}

static bool read_collection(struct reader *r, struct cmw *cmw, uint64_t count)
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

		if (!next_of(r, TOKEN_TEXT, &label, "a label that is not text") ||
		    !key_ascends(r, &last, &last_len, key))
			return false;
		if (text_is(&label, "__cmwc_t")) {
			if (!next(r, &value) || !text_is(&value, COLLECTION_TYPE))
				return fail(r, "a collection of another type");
			typed = true;
			continue;
		}
		while (which < known && !text_is(&label, records[which].label))
			which++;
		if (which == known)
			return fail(r, "an unknown label");
		if (!next_of(r, TOKEN_ARRAY, &value, "a collection in a collection") ||
		    value.value != 3)
			return fail(r, "a record that has not three parts");
		if (!read_record(r, cmw, records[which].type, records[which].ind))
			return false;
	}
	if (!typed)
		return fail(r, "a collection without a type");
	return cmw->report || fail(r, "a collection without a report");
}

int cmw_read(struct cmw *cmw, const uint8_t *cbor, size_t len, const char **why)
{
	struct reader r = {.at = cbor, .end = cbor + len};
	struct token head;
	bool good;

	*cmw = (struct cmw){0};
	good = next(&r, &head);
	if (good && head.kind == TOKEN_ARRAY)
		good = head.value == 3 ? read_record(&r, cmw, TYPE_REPORT, IND_EVIDENCE)
				       : fail(&r, "a record that has not three parts");
	else if (good && head.kind == TOKEN_MAP)
		good = read_collection(&r, cmw, head.value);
	else if (good)
		good = fail(&r, "neither a record nor a collection");
	if (good && r.at != r.end)
		good = fail(&r, "bytes after its end");
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
