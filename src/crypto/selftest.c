/*
 * Known-answer tests of the algorithms. The answers come from elsewhere:
 * tests/crypto/make_vectors.py says from where.
 */
#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "crypto/selftest_data.h"
#include "cvtpm/err.h"

static int expect(const uint8_t *got, const uint8_t *wanted, size_t len)
{
	return cvtpm_equal(got, wanted, len) ? 0 : CVTPM_ERR_CRYPTO;
}

/* ---- hashes, HMAC, derivation ---- */

static int test_hash(enum cvtpm_hash_alg alg, const uint8_t *of_abc)
{
	uint8_t digest[CVTPM_HASH_MAX_SIZE];

	CVTPM_TRY(cvtpm_hash(alg, "abc", 3, digest));
	return expect(digest, of_abc, cvtpm_hash_size(alg));
}

static int test_hmac(void)
{
	static const char message[] = "what do ya want for nothing?";
	uint8_t mac[32];
	struct cvtpm_hmac hmac;

	CVTPM_TRY(cvtpm_hmac_begin(&hmac, CVTPM_SHA256, (const uint8_t *)"Jefe", 4));
	CVTPM_TRY(cvtpm_hmac_update(&hmac, message, sizeof message - 1));
	CVTPM_TRY(cvtpm_hmac_end(&hmac, mac));
	CVTPM_TRY(expect(mac, hmac_of_rfc4231, sizeof mac));
	CVTPM_TRY(cvtpm_hmac_parts(CVTPM_SHA256, CVTPM_TEXT("Jefe"),
				   &(struct cvtpm_octets){message, sizeof message - 1}, 1, mac));
	return expect(mac, hmac_of_rfc4231, sizeof mac);
}

static int test_kdf(void)
{
	struct cvtpm_stream stream;
	uint8_t out[66];

	CVTPM_TRY(cvtpm_kdfa(CVTPM_SHA256, CVTPM_TEXT("abc"), CVTPM_TEXT("STORAGE"),
			     CVTPM_TEXT("u"), CVTPM_TEXT("v"), 521, out));
	CVTPM_TRY(expect(out, kdfa_521, sizeof kdfa_521));
	CVTPM_TRY(cvtpm_kdfe(CVTPM_SHA256, CVTPM_TEXT("abc"), CVTPM_TEXT("DUPLICATE"),
			     CVTPM_TEXT("u"), CVTPM_TEXT("v"), 384, out));
	CVTPM_TRY(expect(out, kdfe_384, sizeof kdfe_384));
	CVTPM_TRY(cvtpm_stream_begin(&stream, 1, CVTPM_TEXT("abc"), CVTPM_TEXT("label"),
				     CVTPM_TEXT("context")));
	CVTPM_TRY(cvtpm_stream_bytes(&stream, out, sizeof stream_40));
	return expect(out, stream_40, sizeof stream_40);
}

/* ---- AES ---- */

static int test_aes_mode(enum cvtpm_aes_mode mode, unsigned bits, const uint8_t wanted[32])
{
	uint8_t iv[16], out[32];

	for (uint8_t i = 0; i < sizeof iv; i++)
		iv[i] = i;
	CVTPM_TRY(cvtpm_aes_encrypt(mode, aes_key, bits, iv, aes_plain, sizeof out, out));
	CVTPM_TRY(expect(out, wanted, sizeof out));
	for (uint8_t i = 0; i < sizeof iv; i++)
		iv[i] = i;
	CVTPM_TRY(cvtpm_aes_decrypt(mode, aes_key, bits, iv, out, sizeof out, out));
	return expect(out, aes_plain, sizeof out);
}

static int test_aes(void)
{
	CVTPM_TRY(test_aes_mode(CVTPM_AES_CTR, 128, aes_ctr_128));
	CVTPM_TRY(test_aes_mode(CVTPM_AES_CTR, 192, aes_ctr_192));
	CVTPM_TRY(test_aes_mode(CVTPM_AES_CTR, 256, aes_ctr_256));
	CVTPM_TRY(test_aes_mode(CVTPM_AES_OFB, 128, aes_ofb_128));
	CVTPM_TRY(test_aes_mode(CVTPM_AES_OFB, 192, aes_ofb_192));
	CVTPM_TRY(test_aes_mode(CVTPM_AES_OFB, 256, aes_ofb_256));
	CVTPM_TRY(test_aes_mode(CVTPM_AES_CBC, 128, aes_cbc_128));
	CVTPM_TRY(test_aes_mode(CVTPM_AES_CBC, 192, aes_cbc_192));
	CVTPM_TRY(test_aes_mode(CVTPM_AES_CBC, 256, aes_cbc_256));
	CVTPM_TRY(test_aes_mode(CVTPM_AES_CFB, 128, aes_cfb_128));
	CVTPM_TRY(test_aes_mode(CVTPM_AES_CFB, 192, aes_cfb_192));
	CVTPM_TRY(test_aes_mode(CVTPM_AES_CFB, 256, aes_cfb_256));
	CVTPM_TRY(test_aes_mode(CVTPM_AES_ECB, 128, aes_ecb_128));
	CVTPM_TRY(test_aes_mode(CVTPM_AES_ECB, 192, aes_ecb_192));
	return test_aes_mode(CVTPM_AES_ECB, 256, aes_ecb_256);
}

static int test_aes_gcm(void)
{
	static const uint8_t iv[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
	const uint8_t *abc = (const uint8_t *)"abc";
	uint8_t out[sizeof aes_gcm], plain[sizeof aes_plain], tag[16];

	CVTPM_TRY(cvtpm_aes256gcm_seal(aes_key, iv, abc, 3, aes_plain, sizeof aes_plain, out,
				       out + sizeof aes_plain));
	CVTPM_TRY(expect(out, aes_gcm, sizeof out));
	CVTPM_TRY(cvtpm_aes256gcm_open(aes_key, iv, abc, 3, out, sizeof plain, out + sizeof plain,
				       plain));
	CVTPM_TRY(expect(plain, aes_plain, sizeof plain));
	memcpy(tag, out + sizeof plain, sizeof tag);
	tag[15] ^= 1;
	if (cvtpm_aes256gcm_open(aes_key, iv, abc, 3, out, sizeof plain, tag, plain) !=
	    CVTPM_ERR_AUTH)
		return CVTPM_ERR_CRYPTO;
	return 0;
}

/* ---- random bytes ---- */

static int entropy_of_a_test(void *drbg, uint8_t *out, size_t len)
{
	return cvtpm_drbg_bytes(drbg, out, len);
}

/* Starting a DRBG runs wolfCrypt's known-answer tests of it. */
static int test_drbg(struct cvtpm_drbg *drbg)
{
	uint8_t first[32], second[32];
	struct cvtpm_drbg other;
	int err = cvtpm_drbg_begin(&other, entropy_of_a_test, drbg);

	if (!err)
		err = cvtpm_drbg_bytes(&other, first, sizeof first);
	if (!err)
		err = cvtpm_drbg_bytes(&other, second, sizeof second);
	if (!err && cvtpm_equal(first, second, sizeof first))
		err = CVTPM_ERR_CRYPTO;
	cvtpm_drbg_end(&other);
	return err;
}

/* ---- elliptic curves ---- */

/* d and Q, ECDH of the two, the deterministic signature of a digest, and r + digest * d with
 * the r of it: numbers of one size. */
struct curve_answers {
	enum cvtpm_curve curve;
	const uint8_t *d, *q, *shared, *signature, *sum, *digest;
	size_t digest_len;
};

static const struct curve_answers of_p256 = {
	CVTPM_P256,     p256_d,   p256_q,      p256_shared,
	p256_signature, p256_sum, p256_digest, sizeof p256_digest};
static const struct curve_answers of_p384 = {
	CVTPM_P384,     p384_d,   p384_q,      p384_shared,
	p384_signature, p384_sum, p384_digest, sizeof p384_digest};
static const struct curve_answers of_p521 = {
	CVTPM_P521,     p521_d,   p521_q,      p521_shared,
	p521_signature, p521_sum, p521_digest, sizeof p521_digest};

static void key_of(const struct curve_answers *t, struct cvtpm_ecc_key *key)
{
	const size_t size = cvtpm_curve_size(t->curve);

	memset(key, 0, sizeof *key);
	key->public.curve = t->curve;
	memcpy(key->d, t->d, size);
	memcpy(key->public.x, t->q, size);
	memcpy(key->public.y, t->q + size, size);
}

static int test_curve(const struct curve_answers *t)
{
	const size_t size = cvtpm_curve_size(t->curve);
	struct cvtpm_ecc_key key;

	memset(&key, 0, sizeof key);
	key.public.curve = t->curve;
	memcpy(key.d, t->d, size);
	CVTPM_TRY(cvtpm_ecc_make_public(&key));
	CVTPM_TRY(expect(key.public.x, t->q, size));
	return expect(key.public.y, t->q + size, size);
}

static int test_ecdh(const struct curve_answers *t)
{
	struct cvtpm_ecc_public shared;
	struct cvtpm_ecc_key key;

	key_of(t, &key);
	CVTPM_TRY(cvtpm_ecdh(key.d, &key.public, &shared));
	return expect(shared.x, t->shared, cvtpm_curve_size(t->curve));
}

static int test_ecdsa(const struct curve_answers *t, struct cvtpm_drbg *drbg)
{
	const size_t size = cvtpm_curve_size(t->curve);
	struct cvtpm_ecdsa_signature signature;
	uint8_t other[CVTPM_HASH_MAX_SIZE];
	struct cvtpm_ecc_key key;

	key_of(t, &key);
	memset(&signature, 0, sizeof signature);
	memcpy(signature.r, t->signature, size);
	memcpy(signature.s, t->signature + size, size);
	CVTPM_TRY(cvtpm_ecdsa_verify(&key.public, t->digest, t->digest_len, &signature));
	memcpy(other, t->digest, t->digest_len);
	other[0] ^= 1;
	if (cvtpm_ecdsa_verify(&key.public, other, t->digest_len, &signature) != CVTPM_ERR_AUTH)
		return CVTPM_ERR_CRYPTO;
	CVTPM_TRY(cvtpm_ecdsa_sign(&key, drbg, other, t->digest_len, &signature));
	return cvtpm_ecdsa_verify(&key.public, other, t->digest_len, &signature);
}

static int test_ecdaa(const struct curve_answers *t, struct cvtpm_drbg *drbg)
{
	uint8_t sum[CVTPM_ECC_MAX_SIZE];

	CVTPM_TRY(cvtpm_ecc_mul_add(t->curve, drbg, t->digest, t->digest_len, t->d, t->signature,
				    sum));
	return expect(sum, t->sum, cvtpm_curve_size(t->curve));
}

/* ---- RSA ---- */

static int rsa_test_key(struct cvtpm_rsa_key *key)
{
	struct cvtpm_rsa_public public = {.bits = 2048, .exponent = CVTPM_RSA_DEFAULT_EXPONENT};

	memcpy(public.n, rsa_n, sizeof rsa_n);
	return cvtpm_rsa_load(&public, rsa_p, sizeof rsa_p, key);
}

static int test_rsa(void)
{
	uint8_t digest[32], out[256];
	struct cvtpm_rsa_key key;

	CVTPM_TRY(rsa_test_key(&key));
	CVTPM_TRY(cvtpm_hash(CVTPM_SHA256, "abc", 3, digest));
	CVTPM_TRY(cvtpm_rsassa_sign(&key, CVTPM_SHA256, digest, sizeof digest, out));
	CVTPM_TRY(expect(out, rsa_signature, sizeof out));
	return cvtpm_rsassa_verify(&key.public, CVTPM_SHA256, digest, sizeof digest, out,
				   sizeof out);
}

static int test_rsapss(struct cvtpm_drbg *drbg)
{
	uint8_t digest[32], out[256];
	struct cvtpm_rsa_key key;

	CVTPM_TRY(rsa_test_key(&key));
	CVTPM_TRY(cvtpm_hash(CVTPM_SHA256, "abc", 3, digest));
	CVTPM_TRY(cvtpm_rsapss_sign(&key, drbg, CVTPM_SHA256, digest, sizeof digest, sizeof digest,
				    out));
	CVTPM_TRY(cvtpm_rsapss_verify(&key.public, CVTPM_SHA256, digest, sizeof digest, out,
				      sizeof out));
	digest[0] ^= 1;
	if (cvtpm_rsapss_verify(&key.public, CVTPM_SHA256, digest, sizeof digest, out,
				sizeof out) != CVTPM_ERR_AUTH)
		return CVTPM_ERR_CRYPTO;
	return 0;
}

static int test_oaep(void)
{
	const struct cvtpm_octets label = {"IDENTITY", sizeof "IDENTITY"};
	struct cvtpm_rsa_key key;
	uint8_t out[256];
	size_t len;

	CVTPM_TRY(rsa_test_key(&key));
	CVTPM_TRY(cvtpm_oaep_decrypt(&key, CVTPM_SHA256, label, rsa_oaep, out, &len));
	return len == 3 ? expect(out, (const uint8_t *)"abc", 3) : CVTPM_ERR_CRYPTO;
}

static int run(enum cvtpm_test test, struct cvtpm_drbg *drbg)
{
	switch (test) {
	case CVTPM_TEST_SHA1:
		return test_hash(CVTPM_SHA1, sha1_of_abc);
	case CVTPM_TEST_SHA256:
		return test_hash(CVTPM_SHA256, sha256_of_abc);
	case CVTPM_TEST_SHA384:
		return test_hash(CVTPM_SHA384, sha384_of_abc);
	case CVTPM_TEST_SHA512:
		return test_hash(CVTPM_SHA512, sha512_of_abc);
	case CVTPM_TEST_SHA3_256:
		return test_hash(CVTPM_SHA3_256, sha3_256_of_abc);
	case CVTPM_TEST_SHA3_384:
		return test_hash(CVTPM_SHA3_384, sha3_384_of_abc);
	case CVTPM_TEST_SHA3_512:
		return test_hash(CVTPM_SHA3_512, sha3_512_of_abc);
	case CVTPM_TEST_HMAC:
		return test_hmac();
	case CVTPM_TEST_KDF:
		return test_kdf();
	case CVTPM_TEST_AES:
		return test_aes();
	case CVTPM_TEST_AES_GCM:
		return test_aes_gcm();
	case CVTPM_TEST_DRBG:
		return test_drbg(drbg);
	case CVTPM_TEST_P256:
		return test_curve(&of_p256);
	case CVTPM_TEST_P384:
		return test_curve(&of_p384);
	case CVTPM_TEST_P521:
		return test_curve(&of_p521);
	case CVTPM_TEST_ECDH_P256:
		return test_ecdh(&of_p256);
	case CVTPM_TEST_ECDH_P384:
		return test_ecdh(&of_p384);
	case CVTPM_TEST_ECDH_P521:
		return test_ecdh(&of_p521);
	case CVTPM_TEST_ECDSA_P256:
		return test_ecdsa(&of_p256, drbg);
	case CVTPM_TEST_ECDSA_P384:
		return test_ecdsa(&of_p384, drbg);
	case CVTPM_TEST_ECDSA_P521:
		return test_ecdsa(&of_p521, drbg);
	case CVTPM_TEST_ECDAA_P256:
		return test_ecdaa(&of_p256, drbg);
	case CVTPM_TEST_ECDAA_P384:
		return test_ecdaa(&of_p384, drbg);
	case CVTPM_TEST_ECDAA_P521:
		return test_ecdaa(&of_p521, drbg);
	case CVTPM_TEST_RSA:
		return test_rsa();
	case CVTPM_TEST_RSAPSS:
		return test_rsapss(drbg);
	case CVTPM_TEST_OAEP:
		return test_oaep();
	case CVTPM_TESTS:
		break;
	}
	return CVTPM_ERR_CRYPTO;
}

int cvtpm_selftest(enum cvtpm_test test, struct cvtpm_drbg *drbg)
{
	if (test >= CVTPM_TESTS)
		return CVTPM_ERR_PARAM;
	/* Whatever went wrong inside, the algorithm is not to be used. */
	return run(test, drbg) ? CVTPM_ERR_CRYPTO : 0;
}
