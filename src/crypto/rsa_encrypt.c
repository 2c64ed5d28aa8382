/*
 * RSAES-PKCS1-v1_5 and RSAES-OAEP (RFC 8017, section 7).
 *
 * Taking the padding off looks at every byte, whatever is wrong, and decides once, at
 * the end: Bleichenbacher and Manger need to know more than that.
 */
#include "crypto/rsa_internal.h"

/* All ones when a byte is zero. */
static uint32_t is_zero(uint32_t byte)
{
	return 0 - ((byte - 1) >> 31);
}

/* ---- RSAES-PKCS1-v1_5: 00 02, at least eight bytes that are not zero, 00, message ---- */

enum { PKCS1_OVERHEAD = 11 };

static int nonzero_bytes(struct cvtpm_drbg *drbg, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		while (out[i] == 0)
			CVTPM_TRY(cvtpm_drbg_bytes(drbg, out + i, 1));
	return 0;
}

int cvtpm_rsaes_encrypt(const struct cvtpm_rsa_public *key, struct cvtpm_drbg *drbg,
			const uint8_t *message, size_t message_len, uint8_t *out)
{
	const size_t size = key->bits / 8;
	uint8_t em[CVTPM_RSA_MAX_SIZE];
	size_t padding;
	int err;

	CVTPM_TRY(cvtpm_rsa_check_public(key));
	if (message_len > size - PKCS1_OVERHEAD)
		return CVTPM_ERR_SIZE;
	padding = size - 3 - message_len;
	em[0] = 0;
	em[1] = 2;
	err = cvtpm_drbg_bytes(drbg, em + 2, padding);
	if (!err)
		err = nonzero_bytes(drbg, em + 2, padding);
	em[2 + padding] = 0;
	if (message_len)
		memcpy(em + 3 + padding, message, message_len);
	if (!err)
		err = cvtpm_rsa_public_op(key, em, out);
	cvtpm_wipe(em, sizeof em);
	return err;
}

/* The end of both: the message if `good` is all ones. */
static int take_message(uint32_t good, uint8_t *em, size_t at, size_t size, uint8_t *message,
			size_t *message_len)
{
	memset(message, 0, size);
	*message_len = good ? size - at : 0;
	memcpy(message, em + at, *message_len);
	cvtpm_wipe(em, size);
	return good ? 0 : CVTPM_ERR_AUTH;
}

/* `good` and `at` say whether and where there is a message. */
static void decode_pkcs1(const uint8_t *em, size_t size, uint32_t *good, size_t *at)
{
	uint32_t searching = ~0u, position = 0;

	for (uint32_t i = 2; i < size; i++) { /* the first zero */
		const uint32_t found = searching & is_zero(em[i]);

		position |= i & found;
		searching &= ~found;
	}
	*good = is_zero(em[0]) & is_zero(em[1] ^ 2u) & ~searching &
		(0 - ((PKCS1_OVERHEAD - 2 - position) >> 31)); /* behind eight bytes or more */
	*at = position + 1;
}

int cvtpm_rsaes_decrypt(const struct cvtpm_rsa_key *key, const uint8_t *in, uint8_t *message,
			size_t *message_len)
{
	const size_t size = key->public.bits / 8;
	uint8_t em[CVTPM_RSA_MAX_SIZE];
	uint32_t good = 0;
	size_t at = 0;

	*message_len = 0;
	CVTPM_TRY(cvtpm_rsa_check_public(&key->public));
	if (cvtpm_rsa_private_op(key, in, em) == 0) /* it fails where `in` is no number below n */
		decode_pkcs1(em, size, &good, &at);
	return take_message(good, em, at, size, message, message_len);
}

/* ---- RSAES-OAEP: 00, seed, DB = H(label) 0 .. 0 01 message ---- */

int cvtpm_oaep_encrypt(const struct cvtpm_rsa_public *key, struct cvtpm_drbg *drbg,
		       enum cvtpm_hash_alg alg, struct cvtpm_octets label, const uint8_t *message,
		       size_t message_len, uint8_t *out)
{
	const size_t size = key->bits / 8, hash_size = cvtpm_hash_size(alg);
	const size_t db_len = size - hash_size - 1;
	uint8_t em[CVTPM_RSA_MAX_SIZE] = {0};
	uint8_t *const seed = em + 1, *const db = seed + hash_size;
	int err;

	CVTPM_TRY(cvtpm_rsa_check_public(key));
	if (hash_size == 0)
		return CVTPM_ERR_UNSUPPORTED;
	if (message_len > size - 2 * hash_size - 2)
		return CVTPM_ERR_SIZE;
	err = cvtpm_hash(alg, label.at, label.len, db);
	db[db_len - message_len - 1] = 1;
	if (message_len)
		memcpy(db + db_len - message_len, message, message_len);
	if (!err)
		err = cvtpm_drbg_bytes(drbg, seed, hash_size);
	if (!err)
		err = rsa_mgf1_xor(alg, seed, hash_size, db, db_len);
	if (!err)
		err = rsa_mgf1_xor(alg, db, db_len, seed, hash_size);
	if (!err)
		err = cvtpm_rsa_public_op(key, em, out);
	cvtpm_wipe(em, sizeof em);
	return err;
}

/* Takes the masks off; `good` and `at` as above. */
static int decode_oaep(enum cvtpm_hash_alg alg, struct cvtpm_octets label, uint8_t *em, size_t size,
		       uint32_t *good, size_t *at)
{
	const size_t hash_size = cvtpm_hash_size(alg), db_len = size - hash_size - 1;
	uint8_t *const seed = em + 1, *const db = seed + hash_size;
	uint8_t expected[CVTPM_HASH_MAX_SIZE];
	uint32_t difference = em[0], searching = ~0u, position = 0;

	CVTPM_TRY(rsa_mgf1_xor(alg, db, db_len, seed, hash_size));
	CVTPM_TRY(rsa_mgf1_xor(alg, seed, hash_size, db, db_len));
	CVTPM_TRY(cvtpm_hash(alg, label.at, label.len, expected));
	for (size_t i = 0; i < hash_size; i++)
		difference |= db[i] ^ (uint32_t)expected[i];
	for (uint32_t i = (uint32_t)hash_size; i < db_len; i++) { /* the first that is not zero */
		const uint32_t found = searching & ~is_zero(db[i]);

		position |= i & found;
		difference |= (db[i] ^ 1u) & found;
		searching &= ~found;
	}
	*good = is_zero(difference) & ~searching;
	*at = 1 + hash_size + position + 1;
	return 0;
}

int cvtpm_oaep_decrypt(const struct cvtpm_rsa_key *key, enum cvtpm_hash_alg alg,
		       struct cvtpm_octets label, const uint8_t *in, uint8_t *message,
		       size_t *message_len)
{
	const size_t size = key->public.bits / 8;
	uint8_t em[CVTPM_RSA_MAX_SIZE];
	uint32_t good = 0;
	size_t at = 0;
	int err = 0;

	*message_len = 0;
	CVTPM_TRY(cvtpm_rsa_check_public(&key->public));
	if (cvtpm_hash_size(alg) == 0)
		return CVTPM_ERR_UNSUPPORTED;
	if (cvtpm_rsa_private_op(key, in, em) == 0)
		err = decode_oaep(alg, label, em, size, &good, &at);
	if (err)
		good = 0;
	return take_message(good, em, at, size, message, message_len);
}
