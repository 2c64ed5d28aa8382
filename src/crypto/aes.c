#include "crypto/wolf.h"

/* wolfCrypt wants non-NULL pointers where there is something to read only. */
static int with_key(Aes *aes, const uint8_t key[32])
{
	if (wc_AesInit(aes, NULL, INVALID_DEVID))
		return CVTPM_ERR_CRYPTO;
	return wc_AesGcmSetKey(aes, key, 32) ? CVTPM_ERR_CRYPTO : 0;
}

static void done(Aes *aes)
{
	wc_AesFree(aes);
	cvtpm_wipe(aes, sizeof *aes);
}

int cvtpm_aes256gcm_seal(const uint8_t key[32], const uint8_t iv[12], const uint8_t *aad,
			 size_t aad_len, const uint8_t *in, size_t len, uint8_t *out,
			 uint8_t tag[16])
{
	Aes aes;
	int err;

	if (!fits_word32(len) || !fits_word32(aad_len))
		return CVTPM_ERR_CRYPTO;
	err = with_key(&aes, key);
	if (!err &&
	    wc_AesGcmEncrypt(&aes, out, in, (word32)len, iv, 12, tag, 16, aad, (word32)aad_len))
		err = CVTPM_ERR_CRYPTO;
	done(&aes);
	return err;
}

int cvtpm_aes256gcm_open(const uint8_t key[32], const uint8_t iv[12], const uint8_t *aad,
			 size_t aad_len, const uint8_t *in, size_t len, const uint8_t tag[16],
			 uint8_t *out)
{
	Aes aes;
	int err, opened;

	if (!fits_word32(len) || !fits_word32(aad_len))
		return CVTPM_ERR_CRYPTO;
	err = with_key(&aes, key);
	if (!err) {
		opened = wc_AesGcmDecrypt(&aes, out, in, (word32)len, iv, 12, tag, 16, aad,
					  (word32)aad_len);
		if (opened == AES_GCM_AUTH_E)
			err = CVTPM_ERR_AUTH;
		else if (opened)
			err = CVTPM_ERR_CRYPTO;
	}
	done(&aes);
	if (err && len)
		cvtpm_wipe(out, len);
	return err;
}
