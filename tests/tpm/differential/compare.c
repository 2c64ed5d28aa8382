/*
 * Two answers to one command: what must be equal, and what may not be.
 *
 * Every output field is compared by its type, in full, unless the table below says
 * that random numbers decide its value; of such a field the structure is compared:
 * selectors, counts and sizes.
 */
#include "world.h"

#include <stdarg.h>

static size_t kind_len(const char *difference)
{
	size_t len = strcspn(difference, ":");

	return len + (difference[len] ? 1 + strcspn(difference + len + 1, ":") : 0);
}

void differ(struct world *w, const char *format, ...)
{
	va_list arguments;

	if (w->differs)
		return;
	w->differs = true;
	va_start(arguments, format);
	vsnprintf(w->difference, sizeof w->difference, format, arguments);
	va_end(arguments);
	if (!w->signature[0]) /* its kind: up to the second colon */
		snprintf(w->signature, sizeof w->signature, "%.*s", (int)kind_len(w->difference),
			 w->difference);
}

/* ---- values ---- */

static void tell_bytes(char *text, size_t capacity, const void *bytes, size_t len)
{
	size_t at = 0;

	text[0] = 0;
	for (size_t i = 0; i < len && at + 3 < capacity; i++, at += 2)
		snprintf(text + at, capacity - at, "%02x", ((const uint8_t *)bytes)[i]);
}

static void differ_bytes(struct world *w, const char *what, const void *a, size_t a_len,
			 const void *b, size_t b_len)
{
	char a_text[150], b_text[150];

	tell_bytes(a_text, sizeof a_text, a, a_len);
	tell_bytes(b_text, sizeof b_text, b, b_len);
	snprintf(w->signature, sizeof w->signature, "%s differs", what);
	differ(w, "%s: native %zu bytes %s, libtpms %zu bytes %s", what, a_len, a_text, b_len,
	       b_text);
}

static void compare_number(struct world *w, const char *what, const struct type *type,
			   const void *a, const void *b)
{
	uint64_t x = type_load(type, a), y = type_load(type, b);

	if (x == y)
		return;
	snprintf(w->signature, sizeof w->signature, "%s differs", what);
	differ(w, "%s: native %llx, libtpms %llx", what, (unsigned long long)x,
	       (unsigned long long)y);
}

static void compare_buffer(struct world *w, const char *what, const struct type *type,
			   const void *a, const void *b, bool values)
{
	size_t head = type->kind == TYPE_SELECT ? 1 : 2;
	size_t a_len = head == 1 ? *(const uint8_t *)a : *(const uint16_t *)a;
	size_t b_len = head == 1 ? *(const uint8_t *)b : *(const uint16_t *)b;
	const uint8_t *x = (const uint8_t *)a + head, *y = (const uint8_t *)b + head;

	if (a_len != b_len || (values && memcmp(x, y, a_len) != 0))
		differ_bytes(w, what, x, a_len, y, b_len);
}

static size_t aligned(size_t at, const struct type *type)
{
	return (at + type->align - 1) / type->align * type->align;
}

static void compare_fields(struct world *w, const char *what, const struct field *fields,
			   const uint8_t *a, const uint8_t *b, bool values)
{
	for (unsigned n = 0; fields[n].type && !w->differs; n++) {
		const struct type *type = type_resolve(fields[n].type);
		size_t at = field_offset(fields, n);
		char name[120];

		snprintf(name, sizeof name, "%s.%s", what, fields[n].name);
		if (fields[n].kind == FIELD_SELECTED) {
			const struct field *by = &fields[fields[n].selector];
			const struct type_case *c = type_find_case(
				type,
				type_load(by->type, a + field_offset(fields, fields[n].selector)));

			if (!c || !c->type)
				continue;
			type = c->type;
		}
		compare_value(w, name, type, a + at, b + at, values);
	}
}

/* The nonce of an ECDAA signature has no leading zeros there. */
static bool is_shorter_nonce(const struct type *type, const TPMT_SIGNATURE *a,
			     const TPMT_SIGNATURE *b)
{
	return type == &type_TPMT_SIGNATURE && a->sigAlg == TPM_ALG_ECDAA &&
	       b->sigAlg == TPM_ALG_ECDAA &&
	       b->signature.ecdaa.signatureR.size < a->signature.ecdaa.signatureR.size &&
	       b->signature.ecdaa.signatureR.buffer[0] != 0;
}

void compare_value(struct world *w, const char *what, const struct type *type, const void *a,
		   const void *b, bool values)
{
	const uint8_t *x = a, *y = b;
	size_t at;

	type = type_resolve(type);
	if (is_shorter_nonce(type, a, b))
		return;
	switch (type->kind) {
	case TYPE_BUFFER:
	case TYPE_SELECT:
		compare_buffer(w, what, type, a, b, values);
		break;
	case TYPE_BYTES:
		if (values && memcmp(a, b, type->max) != 0)
			differ_bytes(w, what, a, type->max, b, type->max);
		break;
	case TYPE_SIZED:
		at = aligned(2, type->element);
		compare_value(w, what, type->element, x + at, y + at, values);
		break;
	case TYPE_LIST:
		compare_number(w, what, &type_UINT32, a, b);
		for (uint32_t i = 0; i < *(const uint32_t *)a && !w->differs; i++) {
			at = aligned(4, type->element) + i * type->element->size;
			compare_value(w, what, type->element, x + at, y + at, values);
		}
		break;
	case TYPE_STRUCTURE:
		compare_fields(w, what, type->fields, a, b, values);
		break;
	default:
		compare_number(w, what, type, a, b);
	}
}

/* ---- answers ---- */

enum how { RANDOM, KEYED, ANYTHING };

/* RANDOM: compare the structure. KEYED: that too, unless both TPMs hold the same key.
 * ANYTHING: see who calls, or it says what TPM it is. */
static const struct {
	TPM_CC code;
	const char *field;
	enum how how;
} not_equal[] = {
	{TPM_CC_GetRandom, "randomBytes", RANDOM},
	{TPM_CC_NV_Read, "data", KEYED}, /* of counters: operations_nv.c */
	{TPM_CC_StartAuthSession, "nonceTPM", RANDOM},
	{TPM_CC_CreatePrimary, "outPublic", RANDOM},
	{TPM_CC_CreatePrimary, "creationData", RANDOM},
	{TPM_CC_CreatePrimary, "creationHash", RANDOM},
	{TPM_CC_CreatePrimary, "creationTicket", RANDOM},
	{TPM_CC_CreatePrimary, "name", RANDOM},
	{TPM_CC_Create, "outPrivate", ANYTHING},
	{TPM_CC_Create, "outPublic", RANDOM},
	{TPM_CC_Create, "creationData", RANDOM},
	{TPM_CC_Create, "creationHash", RANDOM},
	{TPM_CC_Create, "creationTicket", RANDOM},
	{TPM_CC_CreateLoaded, "outPrivate", ANYTHING},
	{TPM_CC_CreateLoaded, "outPublic", KEYED},
	{TPM_CC_CreateLoaded, "name", KEYED},
	{TPM_CC_Load, "name", KEYED},
	{TPM_CC_LoadExternal, "name", KEYED},
	{TPM_CC_ReadPublic, "outPublic", KEYED},
	{TPM_CC_ReadPublic, "name", KEYED},
	{TPM_CC_ReadPublic, "qualifiedName", RANDOM}, /* of a parent, too */
	{TPM_CC_ObjectChangeAuth, "outPrivate", ANYTHING},
	{TPM_CC_MakeCredential, "credentialBlob", RANDOM},
	{TPM_CC_MakeCredential, "secret", RANDOM},
	{TPM_CC_Duplicate, "encryptionKeyOut", RANDOM},
	{TPM_CC_Duplicate, "duplicate", ANYTHING},
	{TPM_CC_Duplicate, "outSymSeed", RANDOM},
	{TPM_CC_Rewrap, "outDuplicate", ANYTHING},
	{TPM_CC_Rewrap, "outSymSeed", RANDOM},
	{TPM_CC_Import, "outPrivate", ANYTHING},
	{TPM_CC_RSA_Encrypt, "outData", RANDOM},
	{TPM_CC_ECDH_KeyGen, "zPoint", RANDOM},
	{TPM_CC_ECDH_KeyGen, "pubPoint", RANDOM},
	{TPM_CC_ECDH_ZGen, "outPoint", KEYED},
	{TPM_CC_ZGen_2Phase, "outZ1", KEYED},
	{TPM_CC_ZGen_2Phase, "outZ2", RANDOM},
	{TPM_CC_EC_Ephemeral, "Q", RANDOM},
	{TPM_CC_Commit, "K", KEYED},
	{TPM_CC_Commit, "L", RANDOM},
	{TPM_CC_Commit, "E", RANDOM},
	{TPM_CC_HMAC, "outHMAC", KEYED},
	{TPM_CC_EncryptDecrypt, "outData", KEYED},
	{TPM_CC_EncryptDecrypt, "ivOut", ANYTHING}, /* operations_key.c */
	{TPM_CC_EncryptDecrypt2, "outData", KEYED},
	{TPM_CC_EncryptDecrypt2, "ivOut", ANYTHING},
	{TPM_CC_Hash, "validation", RANDOM},
	{TPM_CC_SequenceComplete, "validation", RANDOM},
	{TPM_CC_SequenceComplete, "result", KEYED},
	{TPM_CC_VerifySignature, "validation", RANDOM},
	{TPM_CC_PolicyGetDigest, "policyDigest", KEYED},
	{TPM_CC_PolicySigned, "timeout", ANYTHING},
	{TPM_CC_PolicySigned, "policyTicket", RANDOM},
	{TPM_CC_PolicySecret, "timeout", ANYTHING},
	{TPM_CC_PolicySecret, "policyTicket", RANDOM},
	{TPM_CC_Sign, "signature", RANDOM},
	{TPM_CC_Quote, "quoted", ANYTHING}, /* operations_attest.c */
	{TPM_CC_Quote, "signature", RANDOM},
	{TPM_CC_Certify, "certifyInfo", ANYTHING},
	{TPM_CC_Certify, "signature", RANDOM},
	{TPM_CC_CertifyCreation, "certifyInfo", ANYTHING},
	{TPM_CC_CertifyCreation, "signature", RANDOM},
	{TPM_CC_NV_Certify, "certifyInfo", ANYTHING},
	{TPM_CC_NV_Certify, "signature", RANDOM},
	{TPM_CC_GetTime, "timeInfo", ANYTHING},
	{TPM_CC_GetTime, "signature", RANDOM},
	{TPM_CC_GetSessionAuditDigest, "auditInfo", ANYTHING},
	{TPM_CC_GetSessionAuditDigest, "signature", RANDOM},
	{TPM_CC_GetCommandAuditDigest, "auditInfo", ANYTHING},
	{TPM_CC_GetCommandAuditDigest, "signature", RANDOM},
	{TPM_CC_ContextSave, "context", ANYTHING},
	{TPM_CC_ReadClock, "currentTime", ANYTHING}, /* time.c */
	{TPM_CC_GetCapability, "capabilityData", ANYTHING},
	{TPM_CC_GetCapability, "moreData", ANYTHING},
	{TPM_CC_GetTestResult, "outData", ANYTHING},
	{TPM_CC_GetTestResult, "testResult", ANYTHING},
	{TPM_CC_IncrementalSelfTest, "toDoList", ANYTHING},
	{TPM_CC_PCR_Allocate, "sizeNeeded", ANYTHING},
	{TPM_CC_PCR_Read, "pcrUpdateCounter", ANYTHING}, /* operations_pcr.c */
	{TPM_CC_PCR_Allocate, "sizeAvailable", ANYTHING},
};

/* What of a field is compared: 2 all, 1 its structure, 0 nothing. */
static int how_much(const struct pair *p, const char *field)
{
	for (size_t i = 0; i < sizeof not_equal / sizeof *not_equal; i++)
		if (not_equal[i].code == p->command->code && strcmp(not_equal[i].field, field) == 0)
			return not_equal[i].how == ANYTHING              ? 0
			       : not_equal[i].how == KEYED && !p->unlike ? 2
									 : 1;
	return 2;
}

void compare_outputs(struct world *w, const struct pair *p)
{
	const struct field *fields = p->command->out;
	const uint8_t *a = (const uint8_t *)&p->out[NATIVE] + sizeof(uint64_t),
		      *b = (const uint8_t *)&p->out[OTHER] + sizeof(uint64_t);

	for (unsigned n = 0; fields[n].type && !w->differs; n++) {
		int much = how_much(p, fields[n].name);
		char name[100];

		snprintf(name, sizeof name, "%s: %s", p->command->name, fields[n].name);
		if (much)
			compare_value(w, name, fields[n].type, a + field_offset(fields, n),
				      b + field_offset(fields, n), much == 2);
	}
}
