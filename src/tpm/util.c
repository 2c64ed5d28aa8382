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
	struct cvtpm_hash hash;
	int err = cvtpm_hash_begin(&hash, (enum cvtpm_hash_alg)alg);

	TRY(selftest_need(t, alg));
	for (size_t i = 0; i < count && !err; i++)
		err = cvtpm_hash_update(&hash, parts[i].at, parts[i].len);
	if (!err)
		err = cvtpm_hash_end(&hash, digest->buffer);
	digest->size = hash_size(alg);
	return err ? tpm_fail(t, "a hash could not be computed") : TPM_RC_SUCCESS;
}

tpm_rc tpm_hmac(struct tpm *t, TPM_ALG_ID alg, struct cvtpm_octets key,
		const struct cvtpm_octets *parts, size_t count, TPM2B_DIGEST *mac)
{
	struct cvtpm_hmac hmac;
	int err;

	TRY(selftest_need(t, alg));
	TRY(selftest_need(t, TPM_ALG_HMAC));
	err = cvtpm_hmac_begin(&hmac, (enum cvtpm_hash_alg)alg, key.at, key.len);
	for (size_t i = 0; i < count && !err; i++)
		err = cvtpm_hmac_update(&hmac, parts[i].at, parts[i].len);
	if (!err)
		err = cvtpm_hmac_end(&hmac, mac->buffer);
	mac->size = hash_size(alg);
	return err ? tpm_fail(t, "an HMAC could not be computed") : TPM_RC_SUCCESS;
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
