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

void auth_trim(TPM2B_AUTH *auth)
{
	while (auth->size && auth->buffer[auth->size - 1] == 0)
		auth->size--;
}
