#include "crypto/wolf.h"

static const struct {
	enum cvtpm_hash_alg alg;
	enum wc_HashType wolf;
	size_t size;
} hashes[] = {
	{CVTPM_SHA1, WC_HASH_TYPE_SHA, 20},          {CVTPM_SHA256, WC_HASH_TYPE_SHA256, 32},
	{CVTPM_SHA384, WC_HASH_TYPE_SHA384, 48},     {CVTPM_SHA512, WC_HASH_TYPE_SHA512, 64},
	{CVTPM_SHA3_256, WC_HASH_TYPE_SHA3_256, 32}, {CVTPM_SHA3_384, WC_HASH_TYPE_SHA3_384, 48},
	{CVTPM_SHA3_512, WC_HASH_TYPE_SHA3_512, 64},
};

_Static_assert(sizeof(wc_HashAlg) <= sizeof((struct cvtpm_hash *)0)->state, "hash state");
_Static_assert(sizeof(Hmac) <= sizeof((struct cvtpm_hmac *)0)->state, "HMAC state");

static enum wc_HashType wolf_hash(enum cvtpm_hash_alg alg)
{
	for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
		if (hashes[i].alg == alg)
			return hashes[i].wolf;
	return WC_HASH_TYPE_NONE;
}

static wc_HashAlg *hash_state(struct cvtpm_hash *hash)
{
	return (wc_HashAlg *)(void *)hash->state;
}

static Hmac *hmac_state(struct cvtpm_hmac *hmac)
{
	return (Hmac *)(void *)hmac->state;
}

size_t cvtpm_hash_size(enum cvtpm_hash_alg alg)
{
	for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
		if (hashes[i].alg == alg)
			return hashes[i].size;
	return 0;
}

int cvtpm_hash_begin(struct cvtpm_hash *hash, enum cvtpm_hash_alg alg)
{
	enum wc_HashType type = wolf_hash(alg);

	hash->alg = alg;
	if (type == WC_HASH_TYPE_NONE)
		return CVTPM_ERR_UNSUPPORTED;
	return wc_HashInit(hash_state(hash), type) ? CVTPM_ERR_CRYPTO : 0;
}

int cvtpm_hash_update(struct cvtpm_hash *hash, const void *data, size_t len)
{
	if (!fits_word32(len))
		return CVTPM_ERR_CRYPTO;
	if (len == 0)
		return 0;
	if (wc_HashUpdate(hash_state(hash), wolf_hash(hash->alg), data, (word32)len))
		return CVTPM_ERR_CRYPTO;
	return 0;
}

int cvtpm_hash_end(struct cvtpm_hash *hash, uint8_t *digest)
{
	int err = wc_HashFinal(hash_state(hash), wolf_hash(hash->alg), digest);

	wc_HashFree(hash_state(hash), wolf_hash(hash->alg));
	cvtpm_wipe(hash, sizeof *hash);
	return err ? CVTPM_ERR_CRYPTO : 0;
}

int cvtpm_hash(enum cvtpm_hash_alg alg, const void *data, size_t len, uint8_t *digest)
{
	struct cvtpm_hash hash;

	CVTPM_TRY(cvtpm_hash_begin(&hash, alg));
	CVTPM_TRY(cvtpm_hash_update(&hash, data, len));
	return cvtpm_hash_end(&hash, digest);
}

int cvtpm_hmac_begin(struct cvtpm_hmac *hmac, enum cvtpm_hash_alg alg, const uint8_t *key,
		     size_t key_len)
{
	static const uint8_t no_key[1];
	enum wc_HashType type = wolf_hash(alg);

	hmac->alg = alg;
	if (type == WC_HASH_TYPE_NONE)
		return CVTPM_ERR_UNSUPPORTED;
	if (!fits_word32(key_len) || wc_HmacInit(hmac_state(hmac), NULL, INVALID_DEVID))
		return CVTPM_ERR_CRYPTO;
	if (wc_HmacSetKey(hmac_state(hmac), (int)type, key_len ? key : no_key, (word32)key_len))
		return CVTPM_ERR_CRYPTO;
	return 0;
}

int cvtpm_hmac_update(struct cvtpm_hmac *hmac, const void *data, size_t len)
{
	if (!fits_word32(len))
		return CVTPM_ERR_CRYPTO;
	if (len == 0)
		return 0;
	return wc_HmacUpdate(hmac_state(hmac), data, (word32)len) ? CVTPM_ERR_CRYPTO : 0;
}

int cvtpm_hmac_end(struct cvtpm_hmac *hmac, uint8_t *mac)
{
	int err = wc_HmacFinal(hmac_state(hmac), mac);

	wc_HmacFree(hmac_state(hmac));
	cvtpm_wipe(hmac, sizeof *hmac);
	return err ? CVTPM_ERR_CRYPTO : 0;
}

int cvtpm_hkdf(enum cvtpm_hash_alg alg, const uint8_t *secret, size_t secret_len,
	       const uint8_t *salt, size_t salt_len, const uint8_t *info, size_t info_len,
	       uint8_t *out, size_t out_len)
{
	if (cvtpm_hash_size(alg) == 0)
		return CVTPM_ERR_UNSUPPORTED;
	if (!fits_word32(secret_len) || !fits_word32(salt_len) || !fits_word32(info_len) ||
	    out_len > 255 * cvtpm_hash_size(alg))
		return CVTPM_ERR_CRYPTO;
	if (wc_HKDF((int)wolf_hash(alg), secret, (word32)secret_len, salt, (word32)salt_len, info,
		    (word32)info_len, out, (word32)out_len))
		return CVTPM_ERR_CRYPTO;
	return 0;
}
