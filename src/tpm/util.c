#include "tpm/tpm.h"

#include "crypto/mem.h"

tpm_rc tpm_random(struct tpm *t, void *out, size_t len)
{
	TRY(selftest_need_drbg(t));
	if (cvtpm_drbg_bytes(&t->drbg, out, len))
		return tpm_fail(t, "no random bytes");
	return TPM_RC_SUCCESS;
}

uint16_t hash_size(TPM_ALG_ID alg)
{
	return (uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)alg);
}

tpm_rc tpm_hash(struct tpm *t, TPM_ALG_ID alg, const struct cvtpm_octets *parts, size_t count,
		TPM2B_DIGEST *digest)
{
	TRY(selftest_need(t, alg));
	if (cvtpm_hash_parts((enum cvtpm_hash_alg)alg, parts, count, digest->buffer))
		return tpm_fail(t, "a hash could not be computed");
	digest->size = hash_size(alg);
	return TPM_RC_SUCCESS;
}

tpm_rc tpm_hmac(struct tpm *t, TPM_ALG_ID alg, struct cvtpm_octets key,
		const struct cvtpm_octets *parts, size_t count, TPM2B_DIGEST *mac)
{
	TRY(selftest_need(t, alg));
	TRY(selftest_need(t, TPM_ALG_HMAC));
	if (cvtpm_hmac_parts((enum cvtpm_hash_alg)alg, key, parts, count, mac->buffer))
		return tpm_fail(t, "an HMAC could not be computed");
	mac->size = hash_size(alg);
	return TPM_RC_SUCCESS;
}

bool bytes_equal(struct cvtpm_octets a, struct cvtpm_octets b)
{
	return a.len == b.len && cvtpm_equal(a.at, b.at, a.len);
}

_Static_assert(8 * sizeof(tpm_command_set) > TPM_CC_LAST - TPM_CC_FIRST, "a bit for each command");

bool command_set_has(const tpm_command_set *set, TPM_CC code)
{
	const TPM_CC n = code - TPM_CC_FIRST;

	return set->bytes[n / 8] >> n % 8 & 1;
}

void command_set_put(tpm_command_set *set, TPM_CC code, bool in)
{
	const TPM_CC n = code - TPM_CC_FIRST;
	const uint8_t bit = (uint8_t)(1u << n % 8);

	set->bytes[n / 8] = in ? set->bytes[n / 8] | bit : set->bytes[n / 8] & (uint8_t)~bit;
}

void auth_trim(TPM2B_AUTH *auth)
{
	while (auth->size && auth->buffer[auth->size - 1] == 0)
		auth->size--;
}
