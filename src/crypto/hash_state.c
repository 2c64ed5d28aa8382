/*
 * Running hashes and HMACs as bytes.
 *
 *   0    1  version, 1
 *   1    1  zero
 *   2    2  algorithm, as TPM_ALG_ID
 *   4    8  bytes hashed so far
 *   12 200  SHA-1, SHA-2: the chaining value's words, then the bytes of the block begun
 *           SHA-3: the state of the sponge (FIPS 202, 3.1.2), those bytes XORed in
 *
 * An HMAC is its inner hash, then K0 of FIPS 198-1 (136 bytes). Numbers are
 * big-endian, but for the sponge, whose lanes are little-endian as the standard has
 * them. Bytes behind what an algorithm needs are zero.
 */
#include "crypto/crypto.h"
#include "crypto/wolf.h"

enum { VERSION = 1, OFFSET_ALG = 2, OFFSET_LEN = 4, OFFSET_STATE = 12, STATE_SIZE = 200 };

_Static_assert(OFFSET_STATE + STATE_SIZE == CVTPM_HASH_STATE_SIZE, "state size");

static void put(uint8_t *out, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

static uint64_t get(const uint8_t *in, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | in[i];
	return value;
}

/* Words of the chaining value: of SHA-384 all eight, of SHA-1 five. */
static size_t chain_words(enum cvtpm_hash_alg alg)
{
	return alg == CVTPM_SHA1 ? 5 : 8;
}

static void export_state(const struct cvtpm_hash *hash, size_t block, uint8_t *out)
{
	const size_t begun = (size_t)(hash->len % block), words = chain_words(hash->alg);

	if (block == 64) {
		for (size_t i = 0; i < words; i++, out += 4)
			put(out, hash->state.sha32.chain[i], 4);
		memcpy(out, hash->state.sha32.block, begun);
	} else if (block == 128) {
		for (size_t i = 0; i < words; i++, out += 8)
			put(out, hash->state.sha64.chain[i], 8);
		memcpy(out, hash->state.sha64.block, begun);
	} else {
		for (size_t i = 0; i < STATE_SIZE; i++)
			out[i] = (uint8_t)(hash->state.sha3[i / 8] >> 8 * (i % 8));
	}
}

/* Gives the number of bytes that the state has. */
static size_t import_state(struct cvtpm_hash *hash, size_t block, const uint8_t *in)
{
	const size_t begun = (size_t)(hash->len % block), words = chain_words(hash->alg);

	if (block == 64) {
		for (size_t i = 0; i < words; i++)
			hash->state.sha32.chain[i] = (uint32_t)get(in + 4 * i, 4);
		memcpy(hash->state.sha32.block, in + 4 * words, begun);
		return 4 * words + begun;
	}
	if (block == 128) {
		for (size_t i = 0; i < words; i++)
			hash->state.sha64.chain[i] = get(in + 8 * i, 8);
		memcpy(hash->state.sha64.block, in + 8 * words, begun);
		return 8 * words + begun;
	}
	for (size_t i = 0; i < STATE_SIZE; i++)
		hash->state.sha3[i / 8] |= (uint64_t)in[i] << 8 * (i % 8);
	return STATE_SIZE;
}

void cvtpm_hash_export(const struct cvtpm_hash *hash, uint8_t out[CVTPM_HASH_STATE_SIZE])
{
	memset(out, 0, CVTPM_HASH_STATE_SIZE);
	out[0] = VERSION;
	put(out + OFFSET_ALG, hash->alg, 2);
	put(out + OFFSET_LEN, hash->len, 8);
	if (cvtpm_hash_block_size(hash->alg))
		export_state(hash, cvtpm_hash_block_size(hash->alg), out + OFFSET_STATE);
}

int cvtpm_hash_import(struct cvtpm_hash *hash, const uint8_t in[CVTPM_HASH_STATE_SIZE])
{
	size_t block, used;

	memset(hash, 0, sizeof *hash);
	hash->alg = (enum cvtpm_hash_alg)get(in + OFFSET_ALG, 2);
	hash->len = get(in + OFFSET_LEN, 8);
	block = cvtpm_hash_block_size(hash->alg);
	if (in[0] == VERSION && in[1] == 0 && block && hash->len <= HASH_MAX_LEN) {
		used = import_state(hash, block, in + OFFSET_STATE);
		if (cvtpm_is_zero(in + OFFSET_STATE + used, STATE_SIZE - used))
			return 0;
	}
	cvtpm_wipe(hash, sizeof *hash);
	return CVTPM_ERR_FORMAT;
}

void cvtpm_hmac_export(const struct cvtpm_hmac *hmac, uint8_t out[CVTPM_HMAC_STATE_SIZE])
{
	cvtpm_hash_export(&hmac->inner, out);
	memcpy(out + CVTPM_HASH_STATE_SIZE, hmac->key, sizeof hmac->key);
}

int cvtpm_hmac_import(struct cvtpm_hmac *hmac, const uint8_t in[CVTPM_HMAC_STATE_SIZE])
{
	const uint8_t *key = in + CVTPM_HASH_STATE_SIZE;
	size_t block;

	memset(hmac, 0, sizeof *hmac);
	CVTPM_TRY(cvtpm_hash_import(&hmac->inner, in));
	block = cvtpm_hash_block_size(hmac->inner.alg);
	/* The key's block went in first. */
	if (hmac->inner.len >= block && cvtpm_is_zero(key + block, sizeof hmac->key - block)) {
		memcpy(hmac->key, key, sizeof hmac->key);
		return 0;
	}
	cvtpm_wipe(hmac, sizeof *hmac);
	return CVTPM_ERR_FORMAT;
}
