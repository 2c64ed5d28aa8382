/* AES in the modes of a TPM, over wolfCrypt's. */
#include "crypto/wolf.h"

enum { BLOCK = 16 };

static bool mode_is_known(enum cvtpm_aes_mode mode)
{
	return mode >= CVTPM_AES_CTR && mode <= CVTPM_AES_ECB;
}

static int check(enum cvtpm_aes_mode mode, unsigned key_bits, size_t len)
{
	if (!mode_is_known(mode) || (key_bits != 128 && key_bits != 192 && key_bits != 256))
		return CVTPM_ERR_PARAM;
	if ((mode == CVTPM_AES_ECB || mode == CVTPM_AES_CBC) && len % BLOCK)
		return CVTPM_ERR_SIZE;
	return fits_word32(len) ? 0 : CVTPM_ERR_SIZE;
}

/* With AES-NI wolfCrypt encrypts CBC from aligned memory alone, and allocates for any other:
 * so a piece at a time, in place. */
static int cbc_encrypt(Aes *aes, const uint8_t *in, word32 len, uint8_t *out)
{
	_Alignas(BLOCK) uint8_t piece[8 * BLOCK];
	int err = 0;

	for (word32 at = 0, size; at < len && !err; at += size) {
		size = len - at < sizeof piece ? len - at : (word32)sizeof piece;
		memcpy(piece, in + at, size);
		err = wc_AesCbcEncrypt(aes, piece, piece, size);
		if (!err)
			memcpy(out + at, piece, size);
	}
	cvtpm_wipe(piece, sizeof piece);
	return err;
}

static int encrypt(Aes *aes, enum cvtpm_aes_mode mode, const uint8_t *in, word32 len, uint8_t *out)
{
	switch (mode) {
	case CVTPM_AES_CTR:
		return wc_AesCtrEncrypt(aes, out, in, len);
	case CVTPM_AES_OFB:
		return wc_AesOfbEncrypt(aes, out, in, len);
	case CVTPM_AES_CBC:
		return cbc_encrypt(aes, in, len, out);
	case CVTPM_AES_CFB:
		return wc_AesCfbEncrypt(aes, out, in, len);
	case CVTPM_AES_ECB:
		return wc_AesEcbEncrypt(aes, out, in, len);
	}
	return CVTPM_ERR_PARAM;
}

static int decrypt(Aes *aes, enum cvtpm_aes_mode mode, const uint8_t *in, word32 len, uint8_t *out)
{
	switch (mode) {
	case CVTPM_AES_CTR:
	case CVTPM_AES_OFB: /* the same key stream */
		return encrypt(aes, mode, in, len, out);
	case CVTPM_AES_CBC:
		return wc_AesCbcDecrypt(aes, out, in, len);
	case CVTPM_AES_CFB:
		return wc_AesCfbDecrypt(aes, out, in, len);
	case CVTPM_AES_ECB:
		return wc_AesEcbDecrypt(aes, out, in, len);
	}
	return CVTPM_ERR_PARAM;
}

/* Adds the number of blocks to the 128-bit counter. */
static void count(uint8_t iv[BLOCK], size_t blocks)
{
	for (size_t i = BLOCK; i-- && blocks; blocks >>= 8) {
		blocks += iv[i];
		iv[i] = (uint8_t)blocks;
	}
}

/* The last block of the ciphertext, filled up with zeros. */
static void last_block(uint8_t iv[BLOCK], const uint8_t *ciphertext, size_t len)
{
	const size_t size = len % BLOCK ? len % BLOCK : BLOCK;

	memset(iv, 0, BLOCK);
	memcpy(iv, ciphertext + len - size, size);
}

static int run(bool decrypting, enum cvtpm_aes_mode mode, const uint8_t *key, unsigned key_bits,
	       uint8_t *iv, const uint8_t *in, size_t len, uint8_t *out)
{
	const bool backwards = decrypting && (mode == CVTPM_AES_ECB || mode == CVTPM_AES_CBC);
	const bool chained = mode == CVTPM_AES_CBC || mode == CVTPM_AES_CFB;
	uint8_t next[BLOCK];
	Aes aes;
	int err;

	CVTPM_TRY(check(mode, key_bits, len));
	if (len == 0)
		return 0;
	if (chained && decrypting) /* before `out` overwrites it */
		last_block(next, in, len);
	err = wc_AesInit(&aes, NULL, INVALID_DEVID);
	if (!err)
		err = wc_AesSetKey(&aes, key, key_bits / 8, mode == CVTPM_AES_ECB ? NULL : iv,
				   backwards ? AES_DECRYPTION : AES_ENCRYPTION);
	if (!err)
		err = (decrypting ? decrypt : encrypt)(&aes, mode, in, (word32)len, out);
	if (chained && !decrypting)
		last_block(next, out, len);
	if (mode == CVTPM_AES_OFB)
		memcpy(next, aes.reg, BLOCK);
	wc_AesFree(&aes);
	cvtpm_wipe(&aes, sizeof aes);
	if (err)
		return CVTPM_ERR_CRYPTO;
	if (mode == CVTPM_AES_CTR)
		count(iv, (len + BLOCK - 1) / BLOCK);
	else if (mode != CVTPM_AES_ECB)
		memcpy(iv, next, BLOCK);
	return 0;
}

int cvtpm_aes_encrypt(enum cvtpm_aes_mode mode, const uint8_t *key, unsigned key_bits,
		      uint8_t iv[16], const uint8_t *in, size_t len, uint8_t *out)
{
	return run(false, mode, key, key_bits, iv, in, len, out);
}

int cvtpm_aes_decrypt(enum cvtpm_aes_mode mode, const uint8_t *key, unsigned key_bits,
		      uint8_t iv[16], const uint8_t *in, size_t len, uint8_t *out)
{
	return run(true, mode, key, key_bits, iv, in, len, out);
}
