/*
 * Hashes and HMAC over wolfCrypt's.
 *
 * wolfCrypt's running states are large and differ from build to build. Ours is
 * what FIPS 180-4 and FIPS 202 say a state is: chaining value, length, the bytes of
 * the block begun; for SHA-3 the sponge, with those bytes XORed in already. It is
 * loaded into wolfCrypt's whenever a block is full.
 */
#include "crypto/wolf.h"

static const struct {
	enum cvtpm_hash_alg alg;
	enum wc_HashType wolf;
	uint8_t size, block;
} hashes[] = {
	{CVTPM_SHA1, WC_HASH_TYPE_SHA, 20, 64},
	{CVTPM_SHA256, WC_HASH_TYPE_SHA256, 32, 64},
	{CVTPM_SHA384, WC_HASH_TYPE_SHA384, 48, 128},
	{CVTPM_SHA512, WC_HASH_TYPE_SHA512, 64, 128},
	{CVTPM_SHA3_256, WC_HASH_TYPE_SHA3_256, 32, 136},
	{CVTPM_SHA3_384, WC_HASH_TYPE_SHA3_384, 48, 104},
	{CVTPM_SHA3_512, WC_HASH_TYPE_SHA3_512, 64, 72},
};

static enum wc_HashType wolf_hash(enum cvtpm_hash_alg alg)
{
	for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
		if (hashes[i].alg == alg)
			return hashes[i].wolf;
	return WC_HASH_TYPE_NONE;
}

size_t cvtpm_hash_size(enum cvtpm_hash_alg alg)
{
	for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
		if (hashes[i].alg == alg)
			return hashes[i].size;
	return 0;
}

size_t cvtpm_hash_block_size(enum cvtpm_hash_alg alg)
{
	for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
		if (hashes[i].alg == alg)
			return hashes[i].block;
	return 0;
}

static size_t begun(const struct cvtpm_hash *hash)
{
	return (size_t)(hash->len % cvtpm_hash_block_size(hash->alg));
}

/* XORs bytes into the sponge, whose lanes are little-endian. */
static void xor_in(uint64_t lanes[25], size_t at, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		lanes[(at + i) / 8] ^= (uint64_t)data[i] << 8 * ((at + i) % 8);
}

static void load(wc_HashAlg *wolf, const struct cvtpm_hash *hash)
{
	const word32 len = (word32)begun(hash);

	switch (hash->alg) {
	case CVTPM_SHA1:
		memcpy(wolf->sha.digest, hash->state.sha32.chain, sizeof wolf->sha.digest);
		memcpy(wolf->sha.buffer, hash->state.sha32.block, len);
		wolf->sha.buffLen = len;
		wolf->sha.loLen = (word32)hash->len;
		wolf->sha.hiLen = (word32)(hash->len >> 32);
		break;
	case CVTPM_SHA256:
		memcpy(wolf->sha256.digest, hash->state.sha32.chain, sizeof wolf->sha256.digest);
		memcpy(wolf->sha256.buffer, hash->state.sha32.block, len);
		wolf->sha256.buffLen = len;
		wolf->sha256.loLen = (word32)hash->len;
		wolf->sha256.hiLen = (word32)(hash->len >> 32);
		break;
	case CVTPM_SHA384: /* wc_Sha384 is another name of wc_Sha512 */
	case CVTPM_SHA512:
		memcpy(wolf->sha512.digest, hash->state.sha64.chain, sizeof wolf->sha512.digest);
		memcpy(wolf->sha512.buffer, hash->state.sha64.block, len);
		wolf->sha512.buffLen = len;
		wolf->sha512.loLen = hash->len;
		wolf->sha512.hiLen = 0;
		break;
	case CVTPM_SHA3_256:
	case CVTPM_SHA3_384:
	case CVTPM_SHA3_512:
		memcpy(wolf->sha3.s, hash->state.sha3, sizeof wolf->sha3.s);
		memset(wolf->sha3.t, 0, len);
		wolf->sha3.i = (byte)len;
		break;
	}
}

/* `hash->len` is up to date. */
static void store(struct cvtpm_hash *hash, const wc_HashAlg *wolf)
{
	const size_t len = begun(hash);

	switch (hash->alg) {
	case CVTPM_SHA1:
		memcpy(hash->state.sha32.chain, wolf->sha.digest, sizeof wolf->sha.digest);
		memcpy(hash->state.sha32.block, wolf->sha.buffer, len);
		break;
	case CVTPM_SHA256:
		memcpy(hash->state.sha32.chain, wolf->sha256.digest, sizeof wolf->sha256.digest);
		memcpy(hash->state.sha32.block, wolf->sha256.buffer, len);
		break;
	case CVTPM_SHA384:
	case CVTPM_SHA512:
		memcpy(hash->state.sha64.chain, wolf->sha512.digest, sizeof wolf->sha512.digest);
		memcpy(hash->state.sha64.block, wolf->sha512.buffer, len);
		break;
	case CVTPM_SHA3_256:
	case CVTPM_SHA3_384:
	case CVTPM_SHA3_512:
		memcpy(hash->state.sha3, wolf->sha3.s, sizeof wolf->sha3.s);
		xor_in(hash->state.sha3, 0, wolf->sha3.t, len);
		break;
	}
}

/* Keeps bytes that fill no block. */
static void keep(struct cvtpm_hash *hash, const uint8_t *data, size_t len)
{
	const size_t at = begun(hash);

	if (cvtpm_hash_block_size(hash->alg) == 64)
		memcpy(hash->state.sha32.block + at, data, len);
	else if (cvtpm_hash_block_size(hash->alg) == 128)
		memcpy(hash->state.sha64.block + at, data, len);
	else
		xor_in(hash->state.sha3, at, data, len);
	hash->len += len;
}

/* Every state is wolfCrypt's initial one first: it chooses its code for the CPU there. */
static int resume(wc_HashAlg *wolf, const struct cvtpm_hash *hash)
{
	const enum wc_HashType type = wolf_hash(hash->alg);

	if (type == WC_HASH_TYPE_NONE || wc_HashInit(wolf, type))
		return CVTPM_ERR_CRYPTO;
	load(wolf, hash);
	return 0;
}

int cvtpm_hash_begin(struct cvtpm_hash *hash, enum cvtpm_hash_alg alg)
{
	const enum wc_HashType type = wolf_hash(alg);
	wc_HashAlg wolf;

	memset(hash, 0, sizeof *hash);
	hash->alg = alg;
	if (type == WC_HASH_TYPE_NONE)
		return CVTPM_ERR_UNSUPPORTED;
	if (wc_HashInit(&wolf, type))
		return CVTPM_ERR_CRYPTO;
	store(hash, &wolf);
	return 0;
}

static int feed(wc_HashAlg *wolf, enum wc_HashType type, const void *data, size_t len)
{
	const size_t most = 1u << 30; /* wolfCrypt counts in 32 bits */
	const uint8_t *from = data;

	for (size_t part; len; from += part, len -= part) {
		part = len < most ? len : most;
		if (wc_HashUpdate(wolf, type, from, (word32)part))
			return CVTPM_ERR_CRYPTO;
	}
	return 0;
}

int cvtpm_hash_update(struct cvtpm_hash *hash, const void *data, size_t len)
{
	wc_HashAlg wolf;
	int err;

	if (len == 0)
		return 0;
	if (len > HASH_MAX_LEN - hash->len)
		return CVTPM_ERR_SIZE;
	if (begun(hash) + len < cvtpm_hash_block_size(hash->alg)) {
		keep(hash, data, len);
		return 0;
	}
	err = resume(&wolf, hash);
	hash->len += len;
	if (!err)
		err = feed(&wolf, wolf_hash(hash->alg), data, len);
	if (!err)
		store(hash, &wolf);
	cvtpm_wipe(&wolf, sizeof wolf);
	return err;
}

int cvtpm_hash_end(struct cvtpm_hash *hash, uint8_t *digest)
{
	wc_HashAlg wolf;
	int err = resume(&wolf, hash);

	if (!err && wc_HashFinal(&wolf, wolf_hash(hash->alg), digest))
		err = CVTPM_ERR_CRYPTO;
	cvtpm_wipe(&wolf, sizeof wolf);
	cvtpm_wipe(hash, sizeof *hash);
	return err;
}

/* In wolfCrypt's state from the beginning to the end. */
static int hash_behind(enum cvtpm_hash_alg alg, struct cvtpm_octets head,
		       const struct cvtpm_octets *parts, size_t count, uint8_t *digest)
{
	const enum wc_HashType type = wolf_hash(alg);
	uint64_t len = head.len;
	wc_HashAlg wolf;
	int err;

	if (type == WC_HASH_TYPE_NONE)
		return CVTPM_ERR_UNSUPPORTED;
	err = wc_HashInit(&wolf, type) ? CVTPM_ERR_CRYPTO : feed(&wolf, type, head.at, head.len);
	for (size_t i = 0; !err && i < count; i++) {
		if (parts[i].len > HASH_MAX_LEN - len)
			err = CVTPM_ERR_SIZE;
		else
			err = feed(&wolf, type, parts[i].at, parts[i].len);
		len += parts[i].len;
	}
	if (!err && wc_HashFinal(&wolf, type, digest))
		err = CVTPM_ERR_CRYPTO;
	cvtpm_wipe(&wolf, sizeof wolf);
	return err;
}

int cvtpm_hash_parts(enum cvtpm_hash_alg alg, const struct cvtpm_octets *parts, size_t count,
		     uint8_t *digest)
{
	return hash_behind(alg, (struct cvtpm_octets){NULL, 0}, parts, count, digest);
}

int cvtpm_hash(enum cvtpm_hash_alg alg, const void *data, size_t len, uint8_t *digest)
{
	const struct cvtpm_octets part = {data, len};

	return cvtpm_hash_parts(alg, &part, 1, digest);
}

int cvtpm_hmac_begin(struct cvtpm_hmac *hmac, enum cvtpm_hash_alg alg, const uint8_t *key,
		     size_t key_len)
{
	const size_t block = cvtpm_hash_block_size(alg);
	uint8_t pad[CVTPM_HASH_MAX_BLOCK_SIZE];
	int err;

	memset(hmac, 0, sizeof *hmac);
	if (block == 0)
		return CVTPM_ERR_UNSUPPORTED;
	if (key_len > block)
		CVTPM_TRY(cvtpm_hash(alg, key, key_len, hmac->key));
	else if (key_len)
		memcpy(hmac->key, key, key_len);
	for (size_t i = 0; i < block; i++)
		pad[i] = hmac->key[i] ^ 0x36;
	err = cvtpm_hash_begin(&hmac->inner, alg);
	if (!err)
		err = cvtpm_hash_update(&hmac->inner, pad, block);
	cvtpm_wipe(pad, sizeof pad);
	return err;
}

int cvtpm_hmac_update(struct cvtpm_hmac *hmac, const void *data, size_t len)
{
	return cvtpm_hash_update(&hmac->inner, data, len);
}

int cvtpm_hmac_end(struct cvtpm_hmac *hmac, uint8_t *mac)
{
	const enum cvtpm_hash_alg alg = hmac->inner.alg;
	const size_t block = cvtpm_hash_block_size(alg);
	uint8_t digest[CVTPM_HASH_MAX_SIZE];
	int err = cvtpm_hash_end(&hmac->inner, digest);

	for (size_t i = 0; i < block; i++)
		hmac->key[i] ^= 0x5c;
	if (!err)
		err = cvtpm_hash_begin(&hmac->inner, alg);
	if (!err)
		err = cvtpm_hash_update(&hmac->inner, hmac->key, block);
	if (!err)
		err = cvtpm_hash_update(&hmac->inner, digest, cvtpm_hash_size(alg));
	if (!err)
		err = cvtpm_hash_end(&hmac->inner, mac);
	cvtpm_wipe(digest, sizeof digest);
	cvtpm_wipe(hmac, sizeof *hmac);
	return err;
}

int cvtpm_hmac_parts(enum cvtpm_hash_alg alg, struct cvtpm_octets key,
		     const struct cvtpm_octets *parts, size_t count, uint8_t *mac)
{
	const size_t block = cvtpm_hash_block_size(alg);
	uint8_t pad[CVTPM_HASH_MAX_BLOCK_SIZE] = {0}, digest[CVTPM_HASH_MAX_SIZE];
	const struct cvtpm_octets inner = {digest, cvtpm_hash_size(alg)};
	int err = 0;

	if (key.len > block)
		err = cvtpm_hash_parts(alg, &key, 1, pad);
	else if (key.len)
		memcpy(pad, key.at, key.len);
	for (size_t i = 0; i < block; i++)
		pad[i] ^= 0x36;
	if (!err)
		err = hash_behind(alg, (struct cvtpm_octets){pad, block}, parts, count, digest);
	for (size_t i = 0; i < block; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	if (!err)
		err = hash_behind(alg, (struct cvtpm_octets){pad, block}, &inner, 1, mac);
	cvtpm_wipe(pad, sizeof pad);
	cvtpm_wipe(digest, sizeof digest);
	return err;
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
