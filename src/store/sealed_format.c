/* Keys, records and index of a sealed store. */
#include "store/sealed_format.h"
#include "cvtpm/err.h"

#include "crypto/crypto.h"
#include "store/bytes.h"
#include "store/message.h"

int sealed_commit_key(const struct sealer *sealer, const uint8_t salt[SALT_SIZE], uint8_t key[32])
{
	static const char label[] = "cvtpm sealed store, commit";
	uint8_t info[sizeof label + IDENTITY_SIZE];

	put_bytes(put_bytes(info, label, sizeof label), sealer->identity, IDENTITY_SIZE);
	return cvtpm_hkdf(CVTPM_SHA256, sealer->key, sizeof sealer->key, salt, SALT_SIZE, info,
			  sizeof info, key, 32);
}

int sealed_key_check(struct sealer *sealer)
{
	static const char label[] = "cvtpm sealed store, key check";

	return cvtpm_hkdf(CVTPM_SHA256, sealer->key, sizeof sealer->key, sealer->identity,
			  IDENTITY_SIZE, (const uint8_t *)label, sizeof label, sealer->check,
			  CHECK_SIZE);
}

static void make_iv(uint8_t iv[12], uint32_t counter)
{
	memset(iv, 0, 8);
	put_number(iv + 8, counter, 4);
}

/* ---- records ---- */

static size_t record_aad(const struct sealer *sealer, uint64_t generation, uint32_t counter,
			 const char *key, uint8_t *out)
{
	uint8_t *p = put_bytes(out, "cvs1", 4);

	p = put_bytes(p, sealer->identity, IDENTITY_SIZE);
	p = put_number(p, generation, 8);
	p = put_number(p, counter, 4);
	p = put_bytes(p, key, strlen(key));
	return (size_t)(p - out);
}

#define AAD_MAX_SIZE (4 + IDENTITY_SIZE + 8 + 4 + CVTPM_STORE_KEY_MAX)

static size_t index_aad(const struct sealer *sealer, uint64_t generation, uint8_t *out)
{
	uint8_t *p = put_bytes(out, "cvi1", 4);

	p = put_bytes(p, sealer->identity, IDENTITY_SIZE);
	p = put_number(p, generation, 8);
	p = put_bytes(p, sealer->check, CHECK_SIZE);
	return (size_t)(p - out);
}

int sealed_record_seal(const struct sealer *sealer, const struct seal *seal, struct entry *entry,
		       const uint8_t *value, uint8_t *out)
{
	uint8_t iv[12], aad[AAD_MAX_SIZE], *p;
	size_t aad_len = record_aad(sealer, entry->generation, entry->counter, entry->key, aad);

	make_iv(iv, entry->counter);
	CVTPM_TRY(cvtpm_aes256gcm_seal(seal->key, iv, aad, aad_len, value, (size_t)entry->len,
				       out + RECORD_HEADER_SIZE, entry->tag));
	p = put_bytes(out, "cvs1", 4);
	p = put_number(p, entry->generation, 8);
	p = put_number(p, entry->counter, 4);
	p = put_bytes(p, seal->salt, SALT_SIZE);
	put_bytes(p, entry->tag, TAG_SIZE);
	return 0;
}

/* The header must be the one that the index names; the salt is right when the tag is. */
int sealed_record_unseal(const struct sealer *sealer, const struct entry *entry,
			 const uint8_t *sealed, uint8_t *value)
{
	uint8_t iv[12], aad[AAD_MAX_SIZE], key[32];
	size_t aad_len = record_aad(sealer, entry->generation, entry->counter, entry->key, aad);
	int err;

	if (memcmp(sealed, "cvs1", 4) != 0 || get_number(sealed + 4, 8) != entry->generation ||
	    get_number(sealed + 12, 4) != entry->counter ||
	    !cvtpm_equal(sealed + 16 + SALT_SIZE, entry->tag, TAG_SIZE))
		return CVTPM_ERR_AUTH;
	CVTPM_TRY(sealed_commit_key(sealer, sealed + 16, key));
	make_iv(iv, entry->counter);
	err = cvtpm_aes256gcm_open(key, iv, aad, aad_len, sealed + RECORD_HEADER_SIZE,
				   (size_t)entry->len, entry->tag, value);
	cvtpm_wipe(key, sizeof key);
	return err;
}

int sealed_index_seal(const struct sealer *sealer, const struct seal *seal,
		      const struct index *index, uint8_t *out, size_t *out_len)
{
	uint8_t iv[12], aad[AAD_MAX_SIZE], tag[TAG_SIZE], *p, *body = out + INDEX_HEADER_SIZE;
	size_t aad_len = index_aad(sealer, seal->generation, aad),
	       len = sealed_index_write(index, body);

	make_iv(iv, 0);
	CVTPM_TRY(cvtpm_aes256gcm_seal(seal->key, iv, aad, aad_len, body, len, body, tag));
	p = put_bytes(out, "cvi1", 4);
	p = put_bytes(p, sealer->identity, IDENTITY_SIZE);
	p = put_bytes(p, sealer->check, CHECK_SIZE);
	p = put_number(p, seal->generation, 8);
	p = put_bytes(p, seal->salt, SALT_SIZE);
	put_bytes(p, tag, TAG_SIZE);
	*out_len = INDEX_HEADER_SIZE + len;
	return 0;
}

int sealed_index_unseal(struct sealer *sealer, uint8_t *sealed, size_t len, struct index *index,
			uint64_t *generation, char message[CVTPM_STORE_MESSAGE_SIZE])
{
	uint8_t *body = sealed + INDEX_HEADER_SIZE, *salt = body - TAG_SIZE - SALT_SIZE;
	uint8_t iv[12], aad[AAD_MAX_SIZE], key[32];
	size_t aad_len;
	int err;

	if (len < INDEX_HEADER_SIZE || memcmp(sealed, "cvi", 3) != 0)
		return store_fail(message, CVTPM_ERR_AUTH,
				  "the index of the sealed store is damaged; restore the store "
				  "from a copy");
	if (sealed[3] != '1')
		return store_fail(message, CVTPM_ERR_UNSUPPORTED,
				  "the store was sealed by a newer cvtpm (format %c, this one "
				  "knows 1); use that",
				  sealed[3] >= ' ' && sealed[3] <= '~' ? sealed[3] : '?');
	memcpy(sealer->identity, sealed + 4, IDENTITY_SIZE);
	CVTPM_TRY(sealed_key_check(sealer));
	if (!cvtpm_equal(sealer->check, sealed + 4 + IDENTITY_SIZE, CHECK_SIZE))
		return store_fail(message, CVTPM_ERR_AUTH,
				  "the key is not the one that this store was sealed with (or the "
				  "store's index was changed)");
	*generation = get_number(salt - 8, 8);
	CVTPM_TRY(sealed_commit_key(sealer, salt, key));
	make_iv(iv, 0);
	aad_len = index_aad(sealer, *generation, aad);
	err = cvtpm_aes256gcm_open(key, iv, aad, aad_len, body, len - INDEX_HEADER_SIZE,
				   body - TAG_SIZE, body);
	cvtpm_wipe(key, sizeof key);
	if (err == 0)
		err = sealed_index_read(index, body, len - INDEX_HEADER_SIZE);
	return err < 0 ? store_fail(message, err,
				    "the sealed store was changed or is damaged (the key is "
				    "right); restore it from a copy")
		       : 0;
}
