/* Attributes and properties: values that are made of bits, or of letters. */
#include "trace/names.h"
#include "trace/words.h"

#include <stdio.h>
#include <string.h>

static const struct trace_word algorithm_bits[] = {
	{TPMA_ALGORITHM_ASYMMETRIC, "asymmetric"},
	{TPMA_ALGORITHM_SYMMETRIC, "symmetric"},
	{TPMA_ALGORITHM_HASH, "hash"},
	{TPMA_ALGORITHM_OBJECT, "object"},
	{TPMA_ALGORITHM_SIGNING, "signing"},
	{TPMA_ALGORITHM_ENCRYPTING, "encrypting"},
	{TPMA_ALGORITHM_METHOD, "method"},
	{0},
};

static const struct trace_word object_bits[] = {
	{TPMA_OBJECT_FIXEDTPM, "fixedTPM"},
	{TPMA_OBJECT_STCLEAR, "stClear"},
	{TPMA_OBJECT_FIXEDPARENT, "fixedParent"},
	{TPMA_OBJECT_SENSITIVEDATAORIGIN, "sensitiveDataOrigin"},
	{TPMA_OBJECT_USERWITHAUTH, "userWithAuth"},
	{TPMA_OBJECT_ADMINWITHPOLICY, "adminWithPolicy"},
	{TPMA_OBJECT_NODA, "noDA"},
	{TPMA_OBJECT_ENCRYPTEDDUPLICATION, "encryptedDuplication"},
	{TPMA_OBJECT_RESTRICTED, "restricted"},
	{TPMA_OBJECT_DECRYPT, "decrypt"},
	{TPMA_OBJECT_SIGN, "sign"},
	{TPMA_OBJECT_X509SIGN, "x509sign"},
	{0},
};

static const struct trace_word session_bits[] = {
	{TPMA_SESSION_CONTINUESESSION, "continueSession"},
	{TPMA_SESSION_AUDITEXCLUSIVE, "auditExclusive"},
	{TPMA_SESSION_AUDITRESET, "auditReset"},
	{TPMA_SESSION_DECRYPT, "decrypt"},
	{TPMA_SESSION_ENCRYPT, "encrypt"},
	{TPMA_SESSION_AUDIT, "audit"},
	{0},
};

static const struct trace_word locality_bits[] = {
	{1, "TPM_LOC_ZERO"},  {2, "TPM_LOC_ONE"},   {4, "TPM_LOC_TWO"},
	{8, "TPM_LOC_THREE"}, {16, "TPM_LOC_FOUR"}, {0},
};

static const struct trace_word nv_bits[] = {
	{TPMA_NV_PPWRITE, "PPWRITE"},
	{TPMA_NV_OWNERWRITE, "OWNERWRITE"},
	{TPMA_NV_AUTHWRITE, "AUTHWRITE"},
	{TPMA_NV_POLICYWRITE, "POLICYWRITE"},
	{TPMA_NV_POLICY_DELETE, "POLICY_DELETE"},
	{TPMA_NV_WRITELOCKED, "WRITELOCKED"},
	{TPMA_NV_WRITEALL, "WRITEALL"},
	{TPMA_NV_WRITEDEFINE, "WRITEDEFINE"},
	{TPMA_NV_WRITE_STCLEAR, "WRITE_STCLEAR"},
	{TPMA_NV_GLOBALLOCK, "GLOBALLOCK"},
	{TPMA_NV_PPREAD, "PPREAD"},
	{TPMA_NV_OWNERREAD, "OWNERREAD"},
	{TPMA_NV_AUTHREAD, "AUTHREAD"},
	{TPMA_NV_POLICYREAD, "POLICYREAD"},
	{TPMA_NV_NO_DA, "NO_DA"},
	{TPMA_NV_ORDERLY, "ORDERLY"},
	{TPMA_NV_CLEAR_STCLEAR, "CLEAR_STCLEAR"},
	{TPMA_NV_READLOCKED, "READLOCKED"},
	{TPMA_NV_WRITTEN, "WRITTEN"},
	{TPMA_NV_PLATFORMCREATE, "PLATFORMCREATE"},
	{TPMA_NV_READ_STCLEAR, "READ_STCLEAR"},
	{0},
};

static const struct trace_word nv_types[] = {
	{TPM_NT_ORDINARY, "ORDINARY"},
	{TPM_NT_COUNTER, "COUNTER"},
	{TPM_NT_BITS, "BITS"},
	{TPM_NT_EXTEND, "EXTEND"},
	{TPM_NT_PIN_FAIL, "PIN_FAIL"},
	{TPM_NT_PIN_PASS, "PIN_PASS"},
	{0},
};

static const struct trace_word permanent_bits[] = {
	{TPMA_PERMANENT_OWNERAUTHSET, "ownerAuthSet"},
	{TPMA_PERMANENT_ENDORSEMENTAUTHSET, "endorsementAuthSet"},
	{TPMA_PERMANENT_LOCKOUTAUTHSET, "lockoutAuthSet"},
	{TPMA_PERMANENT_DISABLECLEAR, "disableClear"},
	{TPMA_PERMANENT_INLOCKOUT, "inLockout"},
	{TPMA_PERMANENT_TPMGENERATEDEPS, "tpmGeneratedEPS"},
	{0},
};

static const struct trace_word startup_clear_bits[] = {
	{TPMA_STARTUP_CLEAR_PHENABLE, "phEnable"}, {TPMA_STARTUP_CLEAR_SHENABLE, "shEnable"},
	{TPMA_STARTUP_CLEAR_EHENABLE, "ehEnable"}, {TPMA_STARTUP_CLEAR_PHENABLENV, "phEnableNV"},
	{TPMA_STARTUP_CLEAR_ORDERLY, "orderly"},   {0},
};

static const struct trace_word memory_bits[] = {
	{TPMA_MEMORY_SHAREDRAM, "sharedRAM"},
	{TPMA_MEMORY_SHAREDNV, "sharedNV"},
	{TPMA_MEMORY_OBJECTCOPIEDTORAM, "objectCopiedToRam"},
	{0},
};

static const struct trace_word command_bits[] = {
	{TPMA_CC_NV, "nv"},
	{TPMA_CC_EXTENSIVE, "extensive"},
	{TPMA_CC_FLUSHED, "flushed"},
	{TPMA_CC_RHANDLE, "rHandle"},
	{1u << 29, "V"},
	{0},
};

static void put_bits(struct trace_words *t, const struct trace_word *bits, uint64_t value)
{
	char rest[24];

	for (; bits->name; bits++) {
		if (value & bits->value)
			trace_words_put(t, bits->name);
		value &= ~(uint64_t)bits->value;
	}
	snprintf(rest, sizeof rest, "0x%llx", (unsigned long long)value);
	if (value)
		trace_words_put(t, rest);
}

bool trace_bit_names(const struct type *type, uint64_t value, char *text, size_t size)
{
	struct trace_words t = {text, size, 0};
	char buffer[48];
	unsigned nt = (unsigned)(value & TPMA_NV_TPM_NT) >> TPMA_NV_TPM_NT_SHIFT;

	text[0] = 0;
	if (type == &type_TPMA_ALGORITHM) {
		put_bits(&t, algorithm_bits, value);
	} else if (type == &type_TPMA_OBJECT) {
		put_bits(&t, object_bits, value);
	} else if (type == &type_TPMA_SESSION) {
		put_bits(&t, session_bits, value);
	} else if (type == &type_TPMA_LOCALITY) {
		put_bits(&t, locality_bits, value);
	} else if (type == &type_TPMA_NV) {
		const char *kind = trace_word(nv_types, nt);

		trace_words_put(&t, kind ? kind : "?");
		put_bits(&t, nv_bits, value & ~(uint64_t)TPMA_NV_TPM_NT);
	} else if (type == &type_TPMA_CC) {
		/* A vendor's command has the same bit in its code and in its attributes. */
		trace_words_put(&t, trace_command_name((TPM_CC)(value & 0x2000FFFF), buffer));
		snprintf(buffer, sizeof buffer, "cHandles=%u", (unsigned)(value >> 25 & 7));
		put_bits(&t, command_bits, value & ~(uint64_t)(0xFFFF | TPMA_CC_CHANDLES(7)));
		trace_words_put(&t, buffer);
	} else {
		return false;
	}
	return true;
}

static bool is_text(uint32_t value)
{
	bool ended = false;

	for (unsigned shift = 24;; shift -= 8) {
		const uint8_t c = (uint8_t)(value >> shift);

		if (c ? c < 0x20 || c > 0x7E || ended : false)
			return false;
		ended = ended || !c;
		if (shift == 0)
			return value != 0;
	}
}

bool trace_property_text(TPM_PT property, uint32_t value, char *text, size_t size)
{
	struct trace_words t = {text, size, 0};
	const char *algorithm;
	const bool words =
		property == TPM_PT_FAMILY_INDICATOR || property == TPM_PT_MANUFACTURER ||
		(property >= TPM_PT_VENDOR_STRING_1 && property <= TPM_PT_VENDOR_STRING_4) ||
		property == TPM_PT_PS_FAMILY_INDICATOR;

	text[0] = 0;
	if (words && is_text(value)) {
		const char letters[5] = {(char)(value >> 24), (char)(value >> 16),
					 (char)(value >> 8), (char)value, 0};

		snprintf(text, size, "\"%s\"", letters);
		return true;
	}
	switch (property) {
	case TPM_PT_PERMANENT:
		put_bits(&t, permanent_bits, value);
		return true;
	case TPM_PT_STARTUP_CLEAR:
		put_bits(&t, startup_clear_bits, value);
		return true;
	case TPM_PT_MEMORY:
		put_bits(&t, memory_bits, value);
		return true;
	case TPM_PT_CONTEXT_HASH:
	case TPM_PT_CONTEXT_SYM:
		algorithm = trace_name(&type_TPM_ALG_ID, value);
		snprintf(text, size, "%s", algorithm ? algorithm : "");
		return algorithm != NULL;
	default:
		return false;
	}
}
