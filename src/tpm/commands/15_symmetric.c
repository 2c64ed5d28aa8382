/* Part 3, 15: symmetric primitives. */
#include "tpm/tpm.h"

/* ---- 15.2, 15.3 ---- */

/* What both have, and the numbers that their parameters have in each. */
struct cipher_use {
	TPMI_DH_OBJECT handle;
	bool decrypt;
	TPMI_ALG_CIPHER_MODE mode;
	const TPM2B_IV *iv;
	const TPM2B_MAX_BUFFER *data;
	unsigned mode_n, iv_n, data_n;
};

/* An unrestricted symmetric key that may do that. */
static tpm_rc cipher_key(struct tpm *t, const struct cipher_use *use, const struct tpm_object **key)
{
	const struct tpm_object *object = object_get(t, use->handle);
	uint32_t may = use->decrypt ? TPMA_OBJECT_DECRYPT : TPMA_OBJECT_SIGN;

	if (!object || object->publicArea.type != TPM_ALG_SYMCIPHER)
		return RC_H(1, TPM_RC_KEY);
	if ((object->publicArea.objectAttributes & (may | TPMA_OBJECT_RESTRICTED)) != may)
		return RC_H(1, TPM_RC_ATTRIBUTES);
	*key = object;
	return TPM_RC_SUCCESS;
}

/* The key's mode, or the command's where the key leaves it open. */
static tpm_rc cipher_mode(const struct tpm_object *key, const struct cipher_use *use,
			  TPM_ALG_ID *mode)
{
	TPM_ALG_ID own = key->publicArea.parameters.symDetail.sym.mode.aes;

	*mode = own == TPM_ALG_NULL ? use->mode : own;
	if (*mode == TPM_ALG_NULL || (use->mode != TPM_ALG_NULL && use->mode != *mode))
		return RC_P(use->mode_n, TPM_RC_MODE);
	return TPM_RC_SUCCESS;
}

/* Table 61 of Part 3: an iv of a block, in ECB none; in CBC and ECB whole blocks of data. */
static tpm_rc cipher_sizes(const struct cipher_use *use, TPM_ALG_ID mode)
{
	bool blocks = mode == TPM_ALG_CBC || mode == TPM_ALG_ECB;

	if (use->iv->size != (mode == TPM_ALG_ECB ? 0 : MAX_SYM_BLOCK_SIZE))
		return RC_P(use->iv_n, TPM_RC_SIZE);
	if (blocks && use->data->size % MAX_SYM_BLOCK_SIZE)
		return RC_P(use->data_n, TPM_RC_SIZE);
	return TPM_RC_SUCCESS;
}

static tpm_rc encrypt_decrypt(struct tpm *t, const struct cipher_use *use, TPM2B_MAX_BUFFER *out,
			      TPM2B_IV *iv)
{
	const struct tpm_object *key;
	const uint8_t *secret;
	unsigned bits;
	TPM_ALG_ID mode;

	TRY(cipher_key(t, use, &key));
	TRY(cipher_mode(key, use, &mode));
	TRY(cipher_sizes(use, mode));
	TRY(selftest_need(t, mode));
	bits = key->publicArea.parameters.symDetail.sym.keyBits.aes;
	secret = key->sensitive.sensitiveArea.sensitive.sym.buffer;
	*iv = *use->iv;
	out->size = use->data->size;
	return (use->decrypt ? cvtpm_aes_decrypt : cvtpm_aes_encrypt)(
		       (enum cvtpm_aes_mode)mode, secret, bits, iv->buffer, use->data->buffer,
		       out->size, out->buffer)
		       ? tpm_fail(t, "AES does not work")
		       : TPM_RC_SUCCESS;
}

/* 15.2: data of the caller's under a symmetric key; ivOut is the iv of what follows it. */
COMMAND_BODY(EncryptDecrypt)
{
	const struct cipher_use use = {.handle = in->keyHandle,
				       .decrypt = in->decrypt,
				       .mode = in->mode,
				       .mode_n = 2,
				       .iv = &in->ivIn,
				       .iv_n = 3,
				       .data = &in->inData,
				       .data_n = 4};

	return encrypt_decrypt(t, &use, &out->outData, &out->ivOut);
}

/* 15.3: the same with inData first, so that a session may encrypt it. */
COMMAND_BODY(EncryptDecrypt2)
{
	const struct cipher_use use = {.handle = in->keyHandle,
				       .data = &in->inData,
				       .data_n = 1,
				       .decrypt = in->decrypt,
				       .mode = in->mode,
				       .mode_n = 3,
				       .iv = &in->ivIn,
				       .iv_n = 4};

	return encrypt_decrypt(t, &use, &out->outData, &out->ivOut);
}

/* ---- 15.4, 15.5 ---- */

/* 15.4: a digest, and a ticket that it may be signed by a restricted key. */
COMMAND_BODY(Hash)
{
	const struct cvtpm_octets part = OCTETS(in->data);

	TRY(tpm_hash(t, in->hashAlg, &part, 1, &out->outHash));
	out->validation.tag = TPM_ST_HASHCHECK;
	out->validation.hierarchy = TPM_RH_NULL;
	if (in->hierarchy == TPM_RH_NULL || ticket_starts_generated(part))
		return TPM_RC_SUCCESS;
	return ticket_hashcheck(t, in->hierarchy, in->hashAlg, &out->outHash, &out->validation);
}

/* 15.5: an HMAC with an unrestricted key. */
COMMAND_BODY(HMAC)
{
	const struct cvtpm_octets part = OCTETS(in->buffer);
	const struct tpm_object *key;

	TRY(key_select_hmac(t, in->handle_, &in->hashAlg, 2, &key));
	return tpm_hmac(t, in->hashAlg, OCTETS(key->sensitive.sensitiveArea.sensitive.bits), &part,
			1, &out->outHMAC);
}
