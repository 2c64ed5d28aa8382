#include "cvtpm/ek_template.h"

#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "cvtpm/err.h"
#include "manufacture/wire.h"

enum {
	ALG_RSA = 0x0001,
	ALG_AES = 0x0006,
	ALG_SHA256 = 0x000B,
	ALG_SHA384 = 0x000C,
	ALG_NULL = 0x0010,
	ALG_ECC = 0x0023,
	ALG_CFB = 0x0043,
};

/* TPMA_OBJECT: fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy,
 * restricted, decrypt; the high range adds userWithAuth. */
#define ATTRIBUTES_LOW  0x000300B2u
#define ATTRIBUTES_HIGH 0x000300F2u

/* PolicySecret(TPM_RH_ENDORSEMENT): PolicyA of the profile, B.5. */
static const uint8_t policy_a_sha256[32] = {
	0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
	0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
	0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
};

/* PolicyOR(PolicyA, PolicyAuthorizeNV of a policy index): PolicyB of the profile. */
static const uint8_t policy_b_sha384[48] = {
	0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc,
	0xf5, 0xfd, 0x3a, 0x1a, 0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4,
	0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca, 0xcb, 0x47, 0xba, 0x09,
	0x69, 0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12,
};

static const struct cvtpm_ek_template templates[CVTPM_EK_COUNT] = {
	{CVTPM_EK_RSA2048, "RSA 2048", "rsa2048", "L-1", ALG_RSA, ALG_SHA256, 128, 2048, 256, true,
	 0x01C00002, 0x014C0002, 0x81010001},
	{CVTPM_EK_P256, "P-256", "p256", "L-2", ALG_ECC, ALG_SHA256, 128, CVTPM_P256, 32, true,
	 0x01C0000A, 0x014C000A, 0x8101000A},
	{CVTPM_EK_P384, "P-384", "p384", "H-3", ALG_ECC, ALG_SHA384, 256, CVTPM_P384, 48, false,
	 0x01C00016, 0x014C0016, 0x81010016},
	{CVTPM_EK_RSA3072, "RSA 3072", "rsa3072", "H-6", ALG_RSA, ALG_SHA384, 256, 3072, 384, false,
	 0x01C0001C, 0x014C001C, 0x8101001C},
};

const struct cvtpm_ek_template *cvtpm_ek_template_at(size_t i)
{
	return i < CVTPM_EK_COUNT ? &templates[i] : NULL;
}

const struct cvtpm_ek_template *cvtpm_ek_template_of(enum cvtpm_ek kind)
{
	for (size_t i = 0; i < CVTPM_EK_COUNT; i++) {
		if (templates[i].kind == kind)
			return &templates[i];
	}
	return NULL;
}

static bool is_low(const struct cvtpm_ek_template *ek)
{
	return ek->name_alg == ALG_SHA256;
}

/* Everything of a TPMT_PUBLIC before `unique` (Part 2, 12.2.4). */
static void write_before_unique(const struct cvtpm_ek_template *ek, struct wire_writer *w)
{
	wire_put(w, ek->type, 2);
	wire_put(w, ek->name_alg, 2);
	wire_put(w, is_low(ek) ? ATTRIBUTES_LOW : ATTRIBUTES_HIGH, 4);
	if (is_low(ek))
		wire_put_sized(w, policy_a_sha256, sizeof policy_a_sha256);
	else
		wire_put_sized(w, policy_b_sha384, sizeof policy_b_sha384);
	wire_put(w, ALG_AES, 2);
	wire_put(w, ek->aes_bits, 2);
	wire_put(w, ALG_CFB, 2);
	wire_put(w, ALG_NULL, 2); /* scheme */
	wire_put(w, ek->detail, 2);
	if (ek->type == ALG_RSA)
		wire_put(w, 0, 4); /* exponent: the default, 65537 */
	else
		wire_put(w, ALG_NULL, 2); /* kdf */
}

/* Number of TPM2B in `unique`: the modulus, or x and y. */
static size_t unique_parts(const struct cvtpm_ek_template *ek)
{
	return ek->type == ALG_RSA ? 1 : 2;
}

size_t cvtpm_ek_template_write(const struct cvtpm_ek_template *ek,
			       uint8_t out[CVTPM_EK_PUBLIC_MAX_SIZE])
{
	static const uint8_t zeros[384];
	struct wire_writer w = {out, CVTPM_EK_PUBLIC_MAX_SIZE};

	write_before_unique(ek, &w);
	for (size_t i = 0; i < unique_parts(ek); i++)
		wire_put_sized(&w, zeros, ek->zeros ? ek->size : 0);
	return w.len;
}

/* Length of what write_before_unique() writes. */
static size_t before_unique(const struct cvtpm_ek_template *ek)
{
	size_t policy = is_low(ek) ? sizeof policy_a_sha256 : sizeof policy_b_sha384;

	return 2 + 2 + 4 + 2 + policy + 6 + 2 + 2 + (ek->type == ALG_RSA ? 4u : 2u);
}

size_t cvtpm_ek_public_size(const struct cvtpm_ek_template *ek)
{
	return 2 + before_unique(ek) + unique_parts(ek) * (2u + ek->size);
}

static bool matches(const struct cvtpm_ek_template *ek, const uint8_t *tpm2b_public, size_t len)
{
	uint8_t expected[128];
	struct wire_writer w = {expected, sizeof expected};
	struct wire_reader r = {tpm2b_public, len};

	if (len != cvtpm_ek_public_size(ek) || wire_take(&r, 2) != len - 2)
		return false;
	write_before_unique(ek, &w);
	if (memcmp(tpm2b_public + 2, expected, w.len) != 0)
		return false;
	wire_take_bytes(&r, w.len);
	for (size_t i = 0; i < unique_parts(ek); i++) {
		if (wire_take(&r, 2) != ek->size)
			return false;
		wire_take_bytes(&r, ek->size);
	}
	return wire_ended(&r);
}

const struct cvtpm_ek_template *cvtpm_ek_template_match(const uint8_t *tpm2b_public, size_t len)
{
	for (size_t i = 0; i < CVTPM_EK_COUNT; i++) {
		if (matches(&templates[i], tpm2b_public, len))
			return &templates[i];
	}
	return NULL;
}

const uint8_t *cvtpm_ek_public_key(const struct cvtpm_ek_template *ek, const uint8_t *tpm2b_public)
{
	return tpm2b_public + 2 + before_unique(ek) + 2;
}

const uint8_t *cvtpm_ek_public_y(const struct cvtpm_ek_template *ek, const uint8_t *tpm2b_public)
{
	return cvtpm_ek_public_key(ek, tpm2b_public) + ek->size + 2;
}

int cvtpm_ek_name(const struct cvtpm_ek_template *ek, const uint8_t *tpm2b_public,
		  uint8_t name[CVTPM_EK_NAME_MAX_SIZE], size_t *name_len)
{
	/* enum cvtpm_hash_alg is numbered as TPM_ALG_ID. */
	enum cvtpm_hash_alg alg = (enum cvtpm_hash_alg)ek->name_alg;

	name[0] = (uint8_t)(ek->name_alg >> 8);
	name[1] = (uint8_t)ek->name_alg;
	CVTPM_TRY(cvtpm_hash(alg, tpm2b_public + 2, cvtpm_ek_public_size(ek) - 2, name + 2));
	*name_len = 2 + cvtpm_hash_size(alg);
	return 0;
}
