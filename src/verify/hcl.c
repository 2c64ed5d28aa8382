/* The HCL report of an Azure confidential VM: layout, binding, runtime data. */
#include "cvtpm/hcl.h"
#include "crypto/crypto.h"
#include "crypto/hex.h"
#include "cvtpm/err.h"
#include "verify/little_endian.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <string.h>

#define HEADER_SIZE   32
#define REPORT_OFFSET HEADER_SIZE
#define RUNTIME       (REPORT_OFFSET + SNP_REPORT_SIZE)
#define RUNTIME_SIZE  20
#define BITMAP_SIZE   4 /* may follow the runtime header of version 2 */
#define REPORT_DATA   0x50
#define DIGEST_SIZE   32

enum { REQUEST_AK_CERTIFICATE = 2, REPORT_SNP = 2, HASH_SHA256 = 1 };

/* Leaves the function with a problem or a fault. */
#define TRY(expression)                                                                            \
	do {                                                                                       \
		int try_result_ = (expression);                                                    \
		if (try_result_ != 0)                                                              \
			return try_result_;                                                        \
	} while (0)

/* ---- problems ---- */

static const struct {
	const char *id, *text;
} problems[CVTPM_HCL_PROBLEM_COUNT] = {
	[CVTPM_HCL_FINE] = {"hcl-fine", "nothing is wrong"},
	[CVTPM_HCL_TRUNCATED] = {"hcl-truncated", "it ends before what its sizes announce"},
	[CVTPM_HCL_TOO_LARGE] = {"hcl-too-large", "it is larger than 16 KiB"},
	[CVTPM_HCL_SIGNATURE] = {"hcl-signature", "it does not begin with HCLA"},
	[CVTPM_HCL_VERSION] = {"hcl-version", "its version is not known here (1 and 2 are)"},
	[CVTPM_HCL_REQUEST_TYPE] = {"hcl-request-type", "it was not made for an attestation key"},
	[CVTPM_HCL_STATUS] = {"hcl-status", "its status, or a reserved field, is not zero"},
	[CVTPM_HCL_RUNTIME_VERSION] = {"hcl-runtime-version",
				       "the version of its runtime data is not known here"},
	[CVTPM_HCL_REPORT_TYPE] = {"hcl-report-type", "the report in it is not one of SEV-SNP"},
	[CVTPM_HCL_HASH_TYPE] = {"hcl-hash-type", "it binds its runtime data by another hash than "
						  "SHA-256"},
	[CVTPM_HCL_SIZES] = {"hcl-sizes", "its sizes contradict each other"},
	[CVTPM_HCL_PADDING] = {"hcl-padding", "there is something else than zeros behind it"},
	[CVTPM_HCL_BINDING] = {"hcl-binding",
			       "REPORT_DATA is not the SHA-256 of the runtime data and zeros"},
	[CVTPM_HCL_JSON] = {"hcl-json", "its runtime data is not the JSON that it must be"},
	[CVTPM_HCL_KEY] = {"hcl-key",
			   "its runtime data has not exactly one usable key HCLAkPub that signs"},
};

const char *cvtpm_hcl_problem_id(int problem)
{
	return problem >= 0 && problem < CVTPM_HCL_PROBLEM_COUNT ? problems[problem].id
								 : "hcl-fault";
}

const char *cvtpm_hcl_problem_text(int problem)
{
	return problem >= 0 && problem < CVTPM_HCL_PROBLEM_COUNT ? problems[problem].text
								 : cvtpm_strerror(problem);
}

/* ---- layout ---- */

bool cvtpm_hcl_is(const uint8_t *bytes, size_t len)
{
	return len >= 4 && !memcmp(bytes, "HCLA", 4);
}

static int check_header(const uint8_t *p)
{
	uint32_t version = le32(p + 4);

	if (version != 1 && version != 2)
		return CVTPM_HCL_VERSION;
	if (le32(p + 12) != REQUEST_AK_CERTIFICATE)
		return CVTPM_HCL_REQUEST_TYPE;
	if (!cvtpm_is_zero(p + 16, 16))
		return CVTPM_HCL_STATUS;
	return 0;
}

static int check_runtime_header(const uint8_t *p)
{
	uint32_t version = le32(p + 4);

	if (version != 1 && version != 2)
		return CVTPM_HCL_RUNTIME_VERSION;
	if (le32(p + 8) != REPORT_SNP)
		return CVTPM_HCL_REPORT_TYPE;
	if (le32(p + 12) != HASH_SHA256)
		return CVTPM_HCL_HASH_TYPE;
	return 0;
}

/* Where the JSON is. Three sizes say so, and all three must agree. */
static int find_json(const uint8_t *bytes, size_t len, struct cvtpm_hcl *out)
{
	uint32_t total = le32(bytes + 8), data = le32(bytes + RUNTIME);
	uint32_t json = le32(bytes + RUNTIME + 16), before;

	if (total > CVTPM_HCL_MAX_SIZE || data > total || json > data || total != RUNTIME + data)
		return CVTPM_HCL_SIZES;
	before = data - json;
	if (before != RUNTIME_SIZE &&
	    !(out->runtime_version == 2 && before == RUNTIME_SIZE + BITMAP_SIZE))
		return CVTPM_HCL_SIZES;
	if (total > len)
		return CVTPM_HCL_TRUNCATED;
	out->json = (const char *)bytes + RUNTIME + before;
	out->json_len = json;
	return cvtpm_is_zero(bytes + total, len - total) ? 0 : CVTPM_HCL_PADDING;
}

static int read_parts(const uint8_t *bytes, size_t len, struct cvtpm_hcl *out)
{
	if (len > CVTPM_HCL_MAX_SIZE)
		return CVTPM_HCL_TOO_LARGE;
	if (len >= 4 && !cvtpm_hcl_is(bytes, len))
		return CVTPM_HCL_SIGNATURE;
	if (len < RUNTIME + RUNTIME_SIZE)
		return CVTPM_HCL_TRUNCATED;
	TRY(check_header(bytes));
	TRY(check_runtime_header(bytes + RUNTIME));
	out->version = le32(bytes + 4);
	out->runtime_version = le32(bytes + RUNTIME + 4);
	out->report = bytes + REPORT_OFFSET;
	return find_json(bytes, len, out);
}

int cvtpm_hcl_read(const uint8_t *bytes, size_t len, struct cvtpm_hcl *out)
{
	int problem;

	*out = (struct cvtpm_hcl){0};
	problem = read_parts(bytes, len, out);
	if (problem)
		*out = (struct cvtpm_hcl){0};
	return problem;
}

int cvtpm_hcl_check_binding(const struct cvtpm_hcl *hcl)
{
	const uint8_t *data = hcl->report + REPORT_DATA;
	uint8_t digest[DIGEST_SIZE];

	if (EVP_Digest(hcl->json, hcl->json_len, digest, NULL, EVP_sha256(), NULL) != 1)
		return CVTPM_ERR_CRYPTO;
	if (memcmp(data, digest, DIGEST_SIZE) != 0 ||
	    !cvtpm_is_zero(data + DIGEST_SIZE, SNP_REPORT_DATA_SIZE - DIGEST_SIZE))
		return CVTPM_HCL_BINDING;
	return 0;
}

/* ---- runtime data ---- */

/* Absent is fine, and so is an empty text; else the bytes as hexadecimal digits. */
static int read_user_data(const json_t *root, struct cvtpm_hcl_runtime *out)
{
	const json_t *member = json_object_get(root, "user-data");
	const char *text = json_string_value(member);
	size_t len = json_string_length(member);

	if (!member || (text && !len))
		return 0;
	if (!text || len != (size_t)2 * CVTPM_HCL_USER_DATA_SIZE)
		return CVTPM_HCL_JSON;
	if (!cvtpm_hex_read(text, out->user_data, CVTPM_HCL_USER_DATA_SIZE))
		return CVTPM_HCL_JSON;
	out->has_user_data = true;
	return 0;
}

static int read_flag(const json_t *object, const char *name, enum cvtpm_hcl_flag *flag)
{
	const json_t *member = json_object_get(object, name);

	if (!member)
		return 0;
	if (!json_is_boolean(member))
		return CVTPM_HCL_JSON;
	*flag = json_is_true(member) ? CVTPM_HCL_YES : CVTPM_HCL_NO;
	return 0;
}

/* 8-4-4-4-12 hexadecimal digits, so that it can be printed as it is. */
static int read_guid(const json_t *object, const char *name, char guid[37])
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	const json_t *member = json_object_get(object, name);
	const char *text = json_string_value(member);

	if (!member)
		return 0;
	if (!text || json_string_length(member) != sizeof(form) - 1)
		return CVTPM_HCL_JSON;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == '-' ? text[i] != '-' : cvtpm_hex_digit(text[i]) < 0)
			return CVTPM_HCL_JSON;
	memcpy(guid, text, sizeof(form));
	return 0;
}

static int read_configuration(const json_t *root, struct cvtpm_hcl_runtime *out)
{
	const json_t *vm = json_object_get(root, "vm-configuration");

	if (!vm)
		return 0;
	if (!json_is_object(vm))
		return CVTPM_HCL_JSON;
	TRY(read_flag(vm, "console-enabled", &out->console_enabled));
	TRY(read_flag(vm, "secure-boot", &out->secure_boot));
	TRY(read_flag(vm, "tpm-enabled", &out->tpm_enabled));
	TRY(read_flag(vm, "tpm-persisted", &out->tpm_persisted));
	return read_guid(vm, "vmUniqueId", out->vm_unique_id);
}

/* The key must be one that signs, and nothing else (RFC 7517, 4.3): HCLEkPub, an
 * encryption key, stands beside it. */
static bool signs_only(const json_t *root)
{
	const json_t *keys = json_object_get(root, "keys"), *operations = NULL;

	for (size_t i = 0; i < json_array_size(keys); i++) {
		const json_t *key = json_array_get(keys, i);
		const char *kid = json_string_value(json_object_get(key, "kid"));

		if (kid && !strcmp(kid, "HCLAkPub"))
			operations = json_object_get(key, "key_ops");
	}
	return json_array_size(operations) == 1 && json_is_string(json_array_get(operations, 0)) &&
	       !strcmp(json_string_value(json_array_get(operations, 0)), "sign");
}

static int read_members(const struct cvtpm_hcl *hcl, const json_t *root,
			struct cvtpm_hcl_runtime *out)
{
	int result;

	if (!json_is_object(root))
		return CVTPM_HCL_JSON;
	TRY(read_user_data(root, out));
	TRY(read_configuration(root, out));
	result = cvtpm_tpm_key_from_jwk(hcl->json, hcl->json_len, "HCLAkPub", &out->ak);
	if (result > 0 || (!result && !signs_only(root)))
		return CVTPM_HCL_KEY;
	return result;
}

int cvtpm_hcl_read_runtime(const struct cvtpm_hcl *hcl, struct cvtpm_hcl_runtime *out)
{
	json_t *root;
	int result;

	*out = (struct cvtpm_hcl_runtime){0};
	TRY(cvtpm_hcl_check_binding(hcl));
	root = json_loadb(hcl->json, hcl->json_len, JSON_REJECT_DUPLICATES, NULL);
	result = root ? read_members(hcl, root, out) : CVTPM_HCL_JSON;
	json_decref(root);
	if (result)
		*out = (struct cvtpm_hcl_runtime){0};
	return result;
}
