/* RSASSA-PKCS1-v1_5 and RSASSA-PSS (RFC 8017, section 8). */
#include "crypto/rsa_internal.h"

/* ---- RSASSA-PKCS1-v1_5 ---- */

/* DER of a DigestInfo up to the digest. SHA-1 and the NIST hashes differ in the OID. */
static size_t digest_info(enum cvtpm_hash_alg alg, uint8_t out[19])
{
	static const uint8_t sha1[] = {0x2b, 0x0e, 0x03, 0x02, 0x1a};
	uint8_t nist[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0};
	const uint8_t *oid = alg == CVTPM_SHA1 ? sha1 : nist;
	const uint8_t oid_len = alg == CVTPM_SHA1 ? sizeof sha1 : sizeof nist;
	const uint8_t size = (uint8_t)cvtpm_hash_size(alg);
	const uint8_t head[] = {
		0x30, (uint8_t)(oid_len + size + 8), 0x30, (uint8_t)(oid_len + 4), 0x06, oid_len};
	const uint8_t tail[] = {0x05, 0x00, 0x04, size};

	switch (alg) {
	case CVTPM_SHA1:
		break;
	case CVTPM_SHA256:
	case CVTPM_SHA384:
	case CVTPM_SHA512:
		nist[8] = (uint8_t)(1 + alg - CVTPM_SHA256);
		break;
	case CVTPM_SHA3_256:
	case CVTPM_SHA3_384:
	case CVTPM_SHA3_512:
		nist[8] = (uint8_t)(8 + alg - CVTPM_SHA3_256);
		break;
	}
	memcpy(out, head, sizeof head);
	memcpy(out + sizeof head, oid, oid_len);
	memcpy(out + sizeof head + oid_len, tail, sizeof tail);
	return sizeof head + oid_len + sizeof tail;
}

/* EMSA-PKCS1-v1_5, 9.2: 00 01 FF .. FF 00 DigestInfo. */
static void encode_pkcs1(enum cvtpm_hash_alg alg, const uint8_t *digest, uint8_t *em, size_t size)
{
	const size_t hash_size = cvtpm_hash_size(alg);
	uint8_t info[19];
	const size_t info_len = digest_info(alg, info);
	const size_t padding = size - 3 - info_len - hash_size;

	em[0] = 0;
	em[1] = 1;
	memset(em + 2, 0xff, padding);
	em[2 + padding] = 0;
	memcpy(em + 3 + padding, info, info_len);
	memcpy(em + size - hash_size, digest, hash_size);
}

static bool digest_fits(enum cvtpm_hash_alg alg, size_t digest_len)
{
	return digest_len && digest_len == cvtpm_hash_size(alg);
}

int cvtpm_rsassa_sign(const struct cvtpm_rsa_key *key, enum cvtpm_hash_alg alg,
		      const uint8_t *digest, size_t digest_len, uint8_t *signature)
{
	uint8_t em[CVTPM_RSA_MAX_SIZE];

	CVTPM_TRY(cvtpm_rsa_check_public(&key->public));
	if (!digest_fits(alg, digest_len))
		return CVTPM_ERR_PARAM;
	encode_pkcs1(alg, digest, em, key->public.bits / 8);
	return cvtpm_rsa_private_op(key, em, signature);
}

/* The number that was signed. */
static int open_signature(const struct cvtpm_rsa_public *key, const uint8_t *signature,
			  size_t signature_len, uint8_t *em)
{
	CVTPM_TRY(cvtpm_rsa_check_public(key));
	if (signature_len != key->bits / 8u || cvtpm_rsa_public_op(key, signature, em))
		return CVTPM_ERR_AUTH;
	return 0;
}

int cvtpm_rsassa_verify(const struct cvtpm_rsa_public *key, enum cvtpm_hash_alg alg,
			const uint8_t *digest, size_t digest_len, const uint8_t *signature,
			size_t signature_len)
{
	uint8_t em[CVTPM_RSA_MAX_SIZE], expected[CVTPM_RSA_MAX_SIZE];

	if (!digest_fits(alg, digest_len))
		return CVTPM_ERR_PARAM;
	CVTPM_TRY(open_signature(key, signature, signature_len, em));
	encode_pkcs1(alg, digest, expected, signature_len);
	return cvtpm_equal(em, expected, signature_len) ? 0 : CVTPM_ERR_AUTH;
}

/* ---- RSASSA-PSS ---- */

int rsa_mgf1_xor(enum cvtpm_hash_alg alg, const uint8_t *seed, size_t seed_len, uint8_t *data,
		 size_t len)
{
	const size_t hash_size = cvtpm_hash_size(alg);
	uint8_t block[CVTPM_HASH_MAX_SIZE], counter[4] = {0};
	const struct cvtpm_octets parts[] = {{seed, seed_len}, {counter, sizeof counter}};
	int err = 0;

	for (size_t done = 0; !err && done < len; done += hash_size, counter[3]++) {
		err = cvtpm_hash_parts(alg, parts, 2, block);
		for (size_t i = 0; !err && i < hash_size && done + i < len; i++)
			data[done + i] ^= block[i];
	}
	cvtpm_wipe(block, sizeof block);
	return err;
}

/* H(eight zeros || digest || salt), step 6 of 9.1.1. */
static int salted_hash(enum cvtpm_hash_alg alg, const uint8_t *digest, const uint8_t *salt,
		       size_t salt_len, uint8_t *out)
{
	static const uint8_t zeros[8];
	const struct cvtpm_octets parts[] = {
		{zeros, sizeof zeros}, {digest, cvtpm_hash_size(alg)}, {salt, salt_len}};

	return cvtpm_hash_parts(alg, parts, sizeof parts / sizeof *parts, out);
}

size_t cvtpm_rsapss_max_salt(unsigned bits, enum cvtpm_hash_alg alg)
{
	return bits / 8 - cvtpm_hash_size(alg) - 2;
}

/* EMSA-PSS, 9.1.1, with the salt in its place already: DB || H || bc, where
 * DB = 0 .. 0 01 salt. The key's bits are a multiple of 8: the topmost bit is cleared. */
static int encode_pss(enum cvtpm_hash_alg alg, const uint8_t *digest, size_t salt_len, uint8_t *em,
		      size_t size)
{
	const size_t hash_size = cvtpm_hash_size(alg), db_len = size - hash_size - 1;

	memset(em, 0, db_len - salt_len);
	em[db_len - salt_len - 1] = 1;
	CVTPM_TRY(salted_hash(alg, digest, em + db_len - salt_len, salt_len, em + db_len));
	CVTPM_TRY(rsa_mgf1_xor(alg, em + db_len, hash_size, em, db_len));
	em[0] &= 0x7f;
	em[size - 1] = 0xbc;
	return 0;
}

int cvtpm_rsapss_sign(const struct cvtpm_rsa_key *key, struct cvtpm_drbg *drbg,
		      enum cvtpm_hash_alg alg, const uint8_t *digest, size_t digest_len,
		      size_t salt_len, uint8_t *signature)
{
	const size_t size = key->public.bits / 8;
	uint8_t em[CVTPM_RSA_MAX_SIZE];

	CVTPM_TRY(cvtpm_rsa_check_public(&key->public));
	if (!digest_fits(alg, digest_len) ||
	    salt_len > cvtpm_rsapss_max_salt(key->public.bits, alg))
		return CVTPM_ERR_PARAM;
	CVTPM_TRY(cvtpm_drbg_bytes(drbg, em + size - 1 - digest_len - salt_len, salt_len));
	CVTPM_TRY(encode_pss(alg, digest, salt_len, em, size));
	return cvtpm_rsa_private_op(key, em, signature);
}

/* EMSA-PSS-VERIFY, 9.1.2, with the salt's length as found. */
static int verify_pss(enum cvtpm_hash_alg alg, const uint8_t *digest, uint8_t *em, size_t size)
{
	const size_t hash_size = cvtpm_hash_size(alg), db_len = size - hash_size - 1;
	uint8_t expected[CVTPM_HASH_MAX_SIZE];
	size_t at = 0;

	if (em[size - 1] != 0xbc || em[0] & 0x80)
		return CVTPM_ERR_AUTH;
	CVTPM_TRY(rsa_mgf1_xor(alg, em + db_len, hash_size, em, db_len));
	em[0] &= 0x7f;
	while (at < db_len && em[at] == 0)
		at++;
	if (at == db_len || em[at] != 1)
		return CVTPM_ERR_AUTH;
	at++;
	CVTPM_TRY(salted_hash(alg, digest, em + at, db_len - at, expected));
	return cvtpm_equal(expected, em + db_len, hash_size) ? 0 : CVTPM_ERR_AUTH;
}

int cvtpm_rsapss_verify(const struct cvtpm_rsa_public *key, enum cvtpm_hash_alg alg,
			const uint8_t *digest, size_t digest_len, const uint8_t *signature,
			size_t signature_len)
{
	uint8_t em[CVTPM_RSA_MAX_SIZE];

	if (!digest_fits(alg, digest_len))
		return CVTPM_ERR_PARAM;
	CVTPM_TRY(open_signature(key, signature, signature_len, em));
	return verify_pss(alg, digest, em, signature_len);
}
