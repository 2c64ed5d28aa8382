#include "trace/names.h"

#include "tpm/command.h"
#include "trace/words.h"

#include <stdio.h>
#include <string.h>

#define WORD(name)                                                                                 \
	{                                                                                          \
		name, #name                                                                        \
	}

/* Part 2, 6.3; values that the engine does not use stand as numbers. */
static const struct trace_word algorithms[] = {
	WORD(TPM_ALG_ERROR),
	WORD(TPM_ALG_RSA),
	{0x0003, "TPM_ALG_TDES"},
	WORD(TPM_ALG_SHA1),
	WORD(TPM_ALG_HMAC),
	WORD(TPM_ALG_AES),
	WORD(TPM_ALG_MGF1),
	WORD(TPM_ALG_KEYEDHASH),
	WORD(TPM_ALG_XOR),
	WORD(TPM_ALG_SHA256),
	WORD(TPM_ALG_SHA384),
	WORD(TPM_ALG_SHA512),
	WORD(TPM_ALG_NULL),
	{0x0012, "TPM_ALG_SM3_256"},
	{0x0013, "TPM_ALG_SM4"},
	WORD(TPM_ALG_RSASSA),
	WORD(TPM_ALG_RSAES),
	WORD(TPM_ALG_RSAPSS),
	WORD(TPM_ALG_OAEP),
	WORD(TPM_ALG_ECDSA),
	WORD(TPM_ALG_ECDH),
	WORD(TPM_ALG_ECDAA),
	{0x001B, "TPM_ALG_SM2"},
	{0x001C, "TPM_ALG_ECSCHNORR"},
	{0x001D, "TPM_ALG_ECMQV"},
	WORD(TPM_ALG_KDF1_SP800_56A),
	{0x0021, "TPM_ALG_KDF2"},
	WORD(TPM_ALG_KDF1_SP800_108),
	WORD(TPM_ALG_ECC),
	WORD(TPM_ALG_SYMCIPHER),
	{0x0026, "TPM_ALG_CAMELLIA"},
	{0x0027, "TPM_ALG_SHA3_256"},
	{0x0028, "TPM_ALG_SHA3_384"},
	{0x0029, "TPM_ALG_SHA3_512"},
	{0x003F, "TPM_ALG_CMAC"},
	WORD(TPM_ALG_CTR),
	WORD(TPM_ALG_OFB),
	WORD(TPM_ALG_CBC),
	WORD(TPM_ALG_CFB),
	WORD(TPM_ALG_ECB),
	{0},
};

static const struct trace_word curves[] = {
	WORD(TPM_ECC_NONE),
	{0x0001, "TPM_ECC_NIST_P192"},
	{0x0002, "TPM_ECC_NIST_P224"},
	WORD(TPM_ECC_NIST_P256),
	WORD(TPM_ECC_NIST_P384),
	WORD(TPM_ECC_NIST_P521),
	{0x0010, "TPM_ECC_BN_P256"},
	{0x0011, "TPM_ECC_BN_P638"},
	{0x0020, "TPM_ECC_SM2_P256"},
	{0},
};

static const struct trace_word capabilities[] = {
	WORD(TPM_CAP_ALGS),
	WORD(TPM_CAP_HANDLES),
	WORD(TPM_CAP_COMMANDS),
	WORD(TPM_CAP_PP_COMMANDS),
	WORD(TPM_CAP_AUDIT_COMMANDS),
	WORD(TPM_CAP_PCRS),
	WORD(TPM_CAP_TPM_PROPERTIES),
	WORD(TPM_CAP_PCR_PROPERTIES),
	WORD(TPM_CAP_ECC_CURVES),
	WORD(TPM_CAP_AUTH_POLICIES),
	WORD(TPM_CAP_ACT),
	WORD(TPM_CAP_VENDOR_PROPERTY),
	{0},
};

static const struct trace_word startups[] = {WORD(TPM_SU_CLEAR), WORD(TPM_SU_STATE), {0}};
static const struct trace_word sessions[] = {
	WORD(TPM_SE_HMAC), WORD(TPM_SE_POLICY), WORD(TPM_SE_TRIAL), {0}};
static const struct trace_word truths[] = {{0, "NO"}, {1, "YES"}, {0}};
static const struct trace_word generated[] = {WORD(TPM_GENERATED_VALUE), {0}};
static const struct trace_word clock_rates[] = {
	{0xFD, "TPM_CLOCK_COARSE_SLOWER"}, {0xFE, "TPM_CLOCK_MEDIUM_SLOWER"},
	{0xFF, "TPM_CLOCK_FINE_SLOWER"},   {0, "TPM_CLOCK_NO_CHANGE"},
	{1, "TPM_CLOCK_FINE_FASTER"},      {2, "TPM_CLOCK_MEDIUM_FASTER"},
	{3, "TPM_CLOCK_COARSE_FASTER"},    {0},
};

static const struct trace_word operations[] = {
	WORD(TPM_EO_EQ),
	WORD(TPM_EO_NEQ),
	WORD(TPM_EO_SIGNED_GT),
	WORD(TPM_EO_UNSIGNED_GT),
	WORD(TPM_EO_SIGNED_LT),
	WORD(TPM_EO_UNSIGNED_LT),
	WORD(TPM_EO_SIGNED_GE),
	WORD(TPM_EO_UNSIGNED_GE),
	WORD(TPM_EO_SIGNED_LE),
	WORD(TPM_EO_UNSIGNED_LE),
	WORD(TPM_EO_BITSET),
	WORD(TPM_EO_BITCLEAR),
	{0},
};

static const struct trace_word tags[] = {
	WORD(TPM_ST_RSP_COMMAND),
	WORD(TPM_ST_NO_SESSIONS),
	WORD(TPM_ST_SESSIONS),
	WORD(TPM_ST_ATTEST_NV),
	WORD(TPM_ST_ATTEST_COMMAND_AUDIT),
	WORD(TPM_ST_ATTEST_SESSION_AUDIT),
	WORD(TPM_ST_ATTEST_CERTIFY),
	WORD(TPM_ST_ATTEST_QUOTE),
	WORD(TPM_ST_ATTEST_TIME),
	WORD(TPM_ST_ATTEST_CREATION),
	WORD(TPM_ST_ATTEST_NV_DIGEST),
	WORD(TPM_ST_CREATION),
	WORD(TPM_ST_VERIFIED),
	WORD(TPM_ST_AUTH_SECRET),
	WORD(TPM_ST_HASHCHECK),
	WORD(TPM_ST_AUTH_SIGNED),
	{0},
};

static const struct trace_word properties[] = {
	WORD(TPM_PT_FAMILY_INDICATOR),
	WORD(TPM_PT_LEVEL),
	WORD(TPM_PT_REVISION),
	WORD(TPM_PT_DAY_OF_YEAR),
	WORD(TPM_PT_YEAR),
	WORD(TPM_PT_MANUFACTURER),
	WORD(TPM_PT_VENDOR_STRING_1),
	WORD(TPM_PT_VENDOR_STRING_2),
	WORD(TPM_PT_VENDOR_STRING_3),
	WORD(TPM_PT_VENDOR_STRING_4),
	WORD(TPM_PT_VENDOR_TPM_TYPE),
	WORD(TPM_PT_FIRMWARE_VERSION_1),
	WORD(TPM_PT_FIRMWARE_VERSION_2),
	WORD(TPM_PT_INPUT_BUFFER),
	WORD(TPM_PT_HR_TRANSIENT_MIN),
	WORD(TPM_PT_HR_PERSISTENT_MIN),
	WORD(TPM_PT_HR_LOADED_MIN),
	WORD(TPM_PT_ACTIVE_SESSIONS_MAX),
	WORD(TPM_PT_PCR_COUNT),
	WORD(TPM_PT_PCR_SELECT_MIN),
	WORD(TPM_PT_CONTEXT_GAP_MAX),
	WORD(TPM_PT_NV_COUNTERS_MAX),
	WORD(TPM_PT_NV_INDEX_MAX),
	WORD(TPM_PT_MEMORY),
	WORD(TPM_PT_CLOCK_UPDATE),
	WORD(TPM_PT_CONTEXT_HASH),
	WORD(TPM_PT_CONTEXT_SYM),
	WORD(TPM_PT_CONTEXT_SYM_SIZE),
	WORD(TPM_PT_ORDERLY_COUNT),
	WORD(TPM_PT_MAX_COMMAND_SIZE),
	WORD(TPM_PT_MAX_RESPONSE_SIZE),
	WORD(TPM_PT_MAX_DIGEST),
	WORD(TPM_PT_MAX_OBJECT_CONTEXT),
	WORD(TPM_PT_MAX_SESSION_CONTEXT),
	WORD(TPM_PT_PS_FAMILY_INDICATOR),
	WORD(TPM_PT_PS_LEVEL),
	WORD(TPM_PT_PS_REVISION),
	WORD(TPM_PT_PS_DAY_OF_YEAR),
	WORD(TPM_PT_PS_YEAR),
	WORD(TPM_PT_SPLIT_MAX),
	WORD(TPM_PT_TOTAL_COMMANDS),
	WORD(TPM_PT_LIBRARY_COMMANDS),
	WORD(TPM_PT_VENDOR_COMMANDS),
	WORD(TPM_PT_NV_BUFFER_MAX),
	WORD(TPM_PT_MODES),
	WORD(TPM_PT_MAX_CAP_BUFFER),
	WORD(TPM_PT_PERMANENT),
	WORD(TPM_PT_STARTUP_CLEAR),
	WORD(TPM_PT_HR_NV_INDEX),
	WORD(TPM_PT_HR_LOADED),
	WORD(TPM_PT_HR_LOADED_AVAIL),
	WORD(TPM_PT_HR_ACTIVE),
	WORD(TPM_PT_HR_ACTIVE_AVAIL),
	WORD(TPM_PT_HR_TRANSIENT_AVAIL),
	WORD(TPM_PT_HR_PERSISTENT),
	WORD(TPM_PT_HR_PERSISTENT_AVAIL),
	WORD(TPM_PT_NV_COUNTERS),
	WORD(TPM_PT_NV_COUNTERS_AVAIL),
	WORD(TPM_PT_ALGORITHM_SET),
	WORD(TPM_PT_LOADED_CURVES),
	WORD(TPM_PT_LOCKOUT_COUNTER),
	WORD(TPM_PT_MAX_AUTH_FAIL),
	WORD(TPM_PT_LOCKOUT_INTERVAL),
	WORD(TPM_PT_LOCKOUT_RECOVERY),
	WORD(TPM_PT_NV_WRITE_RECOVERY),
	WORD(TPM_PT_AUDIT_COUNTER_0),
	WORD(TPM_PT_AUDIT_COUNTER_1),
	{0},
};

static const struct trace_word pcr_properties[] = {
	WORD(TPM_PT_PCR_SAVE),       WORD(TPM_PT_PCR_EXTEND_L0),
	WORD(TPM_PT_PCR_RESET_L0),   WORD(TPM_PT_PCR_EXTEND_L1),
	WORD(TPM_PT_PCR_RESET_L1),   WORD(TPM_PT_PCR_EXTEND_L2),
	WORD(TPM_PT_PCR_RESET_L2),   WORD(TPM_PT_PCR_EXTEND_L3),
	WORD(TPM_PT_PCR_RESET_L3),   WORD(TPM_PT_PCR_EXTEND_L4),
	WORD(TPM_PT_PCR_RESET_L4),   WORD(TPM_PT_PCR_NO_INCREMENT),
	WORD(TPM_PT_PCR_DRTM_RESET), WORD(TPM_PT_PCR_POLICY),
	WORD(TPM_PT_PCR_AUTH),       {0},
};

/* Part 2, 6.5.2: commands of the specification that this engine does not have. */
static const struct trace_word other_commands[] = {
	{0x12F, "TPM2_FieldUpgradeStart"},
	{0x133, "TPM2_GetCommandAuditDigest"},
	{0x13F, "TPM2_SetAlgorithmSet"},
	{0x140, "TPM2_SetCommandCodeAuditStatus"},
	{0x141, "TPM2_FieldUpgradeData"},
	{0x14D, "TPM2_GetSessionAuditDigest"},
	{0x179, "TPM2_FirmwareRead"},
	{0x18B, "TPM2_Commit"},
	{0x18D, "TPM2_ZGen_2Phase"},
	{0x18E, "TPM2_EC_Ephemeral"},
	{0x194, "TPM2_AC_GetCapability"},
	{0x195, "TPM2_AC_Send"},
	{0x196, "TPM2_Policy_AC_SendSelect"},
	{0x197, "TPM2_CertifyX509"},
	{0x198, "TPM2_ACT_SetTimeout"},
	{0},
};

const char *trace_word(const struct trace_word *words, uint64_t value)
{
	for (; words->name; words++)
		if (words->value == value)
			return words->name;
	return NULL;
}

void trace_words_put(struct trace_words *t, const char *word)
{
	const int n =
		t->len < t->size ? snprintf(t->at + t->len, t->size - t->len, "%s ", word) : 0;

	t->len += n > 0 ? (size_t)n : 0;
}

/* ---- handles ---- */

bool trace_is_handle(const struct type *type)
{
	return type == &type_TPM_HANDLE || strncmp(type->name, "TPMI_DH_", 8) == 0 ||
	       strncmp(type->name, "TPMI_RH_", 8) == 0 || strncmp(type->name, "TPMI_SH_", 8) == 0;
}

static const struct trace_word permanent_handles[] = {
	{TPM_RH_OWNER, "owner"},
	{TPM_RH_NULL, "null"},
	{TPM_RH_UNASSIGNED, "unassigned"},
	{TPM_RS_PW, "password"},
	{TPM_RH_LOCKOUT, "lockout"},
	{TPM_RH_ENDORSEMENT, "endorsement"},
	{TPM_RH_PLATFORM, "platform"},
	{TPM_RH_PLATFORM_NV, "platform NV"},
	{0},
};

/* What the TCG's registries of handles and the profiles give a meaning. */
static const struct trace_word known_handles[] = {
	{0x01C00002, "EK certificate, RSA 2048"},
	{0x01C00003, "EK nonce, RSA 2048"},
	{0x01C00004, "EK template, RSA 2048"},
	{0x01C0000A, "EK certificate, ECC P-256"},
	{0x01C0000B, "EK nonce, ECC P-256"},
	{0x01C0000C, "EK template, ECC P-256"},
	{0x01C00012, "EK certificate, RSA 2048, high range"},
	{0x01C00014, "EK certificate, ECC P-256, high range"},
	{0x01C00016, "EK certificate, ECC P-384"},
	{0x01C00018, "EK certificate, ECC P-521"},
	{0x01C0001A, "EK certificate, SM2"},
	{0x01C0001C, "EK certificate, RSA 3072"},
	{0x01C0001E, "EK certificate, RSA 4096"},
	{0x01C00100, "EK certificate chain"},
	{0x01C08000, "platform certificate"},
	{0x01C90000, "IDevID certificate"},
	{0x81000001, "SRK"},
	{0x81010001, "EK, RSA 2048"},
	{0x81010002, "EK, ECC P-256"},
	{0x8101000A, "EK, ECC P-256"},
	{0x81010016, "EK, ECC P-384"},
	{0x8101001C, "EK, RSA 3072"},
	{0},
};

void trace_handle_text(TPM_HANDLE handle, char *text, size_t size)
{
	const char *known = trace_word(known_handles, handle), *name = NULL;

	switch (HANDLE_TYPE(handle)) {
	case TPM_HT_PCR:
		snprintf(text, size, "PCR %u", (unsigned)handle);
		return;
	case TPM_HT_PERMANENT:
		name = trace_word(permanent_handles, handle);
		if (name) {
			snprintf(text, size, "%s", name);
			return;
		}
		name = "permanent";
		break;
	case TPM_HT_NV_INDEX:
		name = "NV";
		break;
	case TPM_HT_HMAC_SESSION:
		name = "HMAC session";
		break;
	case TPM_HT_POLICY_SESSION:
		name = "policy session";
		break;
	case TPM_HT_TRANSIENT:
		name = "transient";
		break;
	case TPM_HT_PERSISTENT:
		name = "persistent";
		break;
	default:
		name = "handle";
	}
	snprintf(text, size, known ? "%s 0x%08x (%s)" : "%s 0x%08x", name, (unsigned)handle, known);
}

/* ---- the rest ---- */

const char *trace_command_name(TPM_CC code, char buffer[48])
{
	const struct command *c = command_find(code);
	const char *other = trace_word(other_commands, code);

	if (!c && other)
		return other;
	if (c)
		snprintf(buffer, 48, "TPM2_%s", c->name);
	else
		snprintf(buffer, 48,
			 code & 0x20000000 ? "vendor command 0x%x" : "unknown command 0x%x",
			 (unsigned)code);
	return buffer;
}

static const struct trace_word *words_of(const struct type *type)
{
	static const struct {
		const char *prefix;
		const struct trace_word *words;
	} families[] = {
		{"TPMI_ALG_", algorithms},
		{"TPM_ALG_ID", algorithms},
		{"TPMI_ECC_CURVE", curves},
		{"TPM_CAP", capabilities},
		{"TPM_SU", startups},
		{"TPM_ST", tags},
		{"TPMI_ST_", tags},
		{"TK_", tags},
		{"TPM_SE", sessions},
		{"TPM_EO", operations},
		{"TPM_PT_PCR", pcr_properties},
		{"TPM_PT", properties},
		{"TPMI_YES_NO", truths},
		{"TPM_GENERATED", generated},
		{"TPM_CLOCK_ADJUST", clock_rates},
	};

	for (size_t i = 0; type && i < sizeof families / sizeof *families; i++)
		if (strncmp(type->name, families[i].prefix, strlen(families[i].prefix)) == 0)
			return families[i].words;
	return NULL;
}

const char *trace_name(const struct type *type, uint64_t value)
{
	const struct trace_word *words = words_of(type);

	return words ? trace_word(words, value) : NULL;
}

bool trace_has_names(const struct type *type)
{
	return words_of(type) != NULL;
}

void trace_pcr_text(const uint8_t *select, size_t size, char *text, size_t text_size)
{
	struct trace_words t = {text, text_size, 0};
	char run[32];

	text[0] = 0;
	for (size_t n = 0, first; n < 8 * size; n++) {
		if (!(select[n / 8] >> n % 8 & 1))
			continue;
		for (first = n; n + 1 < 8 * size && select[(n + 1) / 8] >> (n + 1) % 8 & 1;)
			n++;
		snprintf(run, sizeof run, first == n ? "%zu" : "%zu-%zu", first, n);
		trace_words_put(&t, run);
	}
	if (t.len && t.len < text_size)
		text[t.len - 1] = 0;
	else if (!t.len)
		snprintf(text, text_size, "none");
}
