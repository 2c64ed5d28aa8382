/* What the engine says of itself as JSON, in the words of swtpm's control channel
 * (CMD_GET_INFO): what a TPM's certificates are written from. */
#include "tpm/tpm.h"

enum { INFO_SPECIFICATION = 1 << 0, INFO_ATTRIBUTES = 1 << 1, INFO_FEATURES = 1 << 2 };

struct text {
	char *out;
	size_t len, room; /* of `out`, the final NUL counted */
};

static void put(struct text *j, const char *text)
{
	for (; *text; text++, j->len++)
		if (j->len + 1 < j->room)
			j->out[j->len] = *text;
}

static void put_number(struct text *j, uint32_t value)
{
	char digits[11];
	size_t n = sizeof digits - 1;

	digits[n] = 0;
	do
		digits[--n] = (char)('0' + value % 10);
	while (value /= 10);
	put(j, digits + n);
}

static void put_hex(struct text *j, uint32_t value)
{
	char digits[9] = {0};

	for (unsigned i = 0; i < 8; i++)
		digits[i] = "0123456789ABCDEF"[value >> (28 - 4 * i) & 15];
	put(j, digits);
}

static void put_specification(struct text *j)
{
	put(j, "\"TPMSpecification\":{\"family\":\"2.0\",\"level\":");
	put_number(j, SPEC_LEVEL);
	put(j, ",\"revision\":");
	put_number(j, SPEC_REVISION);
	put(j, "}");
}

static void put_attributes(struct text *j)
{
	put(j, "\"TPMAttributes\":{\"manufacturer\":\"id:");
	put_hex(j, MANUFACTURER);
	put(j, "\",\"version\":\"id:");
	put_hex(j, (uint32_t)(FIRMWARE_VERSION >> 32));
	put(j, "\",\"model\":\"cvtpm\"}");
}

static void put_features(struct text *j)
{
	put(j, "\"TPMFeatures\":{\"RSAKeySizes\":[");
	for (uint32_t i = 0; i < type_TPMI_RSA_KEY_BITS.max; i++) {
		put(j, i ? "," : "");
		put_number(j, type_TPMI_RSA_KEY_BITS.values[i]);
	}
	put(j, "]}");
}

int tpm_describe(uint32_t what, char *json, size_t *len)
{
	static void (*const parts[])(struct text *) = {put_specification, put_attributes,
						       put_features};
	struct text j = {json, 0, *len};
	bool first = true;

	put(&j, "{");
	for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (!(what >> i & 1))
			continue;
		put(&j, first ? "" : ",");
		parts[i](&j);
		first = false;
	}
	put(&j, "}");
	*len = j.len;
	if (j.len >= j.room)
		return CVTPM_ERR_SIZE;
	json[j.len] = 0;
	return 0;
}
