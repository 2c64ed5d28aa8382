/* The crypto seam, held against OpenSSL on random inputs of many sizes, and
 * against the answers that the standards print. */
#include "crypto/crypto.h"
#include "crypto/hex.h"
#include "cvtpm/err.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	enum cvtpm_hash_alg alg;
	const char *name;
} hashes[] = {
	{CVTPM_SHA1, "SHA1"},         {CVTPM_SHA256, "SHA256"},     {CVTPM_SHA384, "SHA384"},
	{CVTPM_SHA512, "SHA512"},     {CVTPM_SHA3_256, "SHA3-256"}, {CVTPM_SHA3_384, "SHA3-384"},
	{CVTPM_SHA3_512, "SHA3-512"},
};
#define HASHES (sizeof hashes / sizeof *hashes)

static const struct {
	enum cvtpm_curve curve;
	const char *name;
	const char *digest;
	enum cvtpm_hash_alg hash;
} curves[] = {
	{CVTPM_P256, "P-256", "SHA256", CVTPM_SHA256},
	{CVTPM_P384, "P-384", "SHA384", CVTPM_SHA384},
	{CVTPM_P521, "P-521", "SHA512", CVTPM_SHA512},
};
#define CURVES (sizeof curves / sizeof *curves)

static int system_entropy(void *context, uint8_t *out, size_t len)
{
	unsigned *asked = context;

	if (asked)
		(*asked)++;
	return RAND_bytes(out, (int)len) == 1 ? 0 : CVTPM_ERR_ENTROPY;
}

static int no_entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	memset(out, 0, len);
	return CVTPM_ERR_ENTROPY;
}

static void hashes_agree_with_openssl(void **state)
{
	uint8_t data[700], ours[CVTPM_HASH_MAX_SIZE], theirs[EVP_MAX_MD_SIZE];
	struct cvtpm_hash hash;
	unsigned len;

	(void)state;
	assert_int_equal(RAND_bytes(data, sizeof data), 1);
	for (size_t h = 0; h < HASHES; h++)
		for (size_t n = 0; n < sizeof data; n++) {
			assert_int_equal(cvtpm_hash(hashes[h].alg, data, n, ours), 0);
			assert_int_equal(EVP_Digest(data, n, theirs, &len,
						    EVP_get_digestbyname(hashes[h].name), NULL),
					 1);
			assert_int_equal(len, cvtpm_hash_size(hashes[h].alg));
			assert_memory_equal(ours, theirs, len);
			assert_int_equal(cvtpm_hash_begin(&hash, hashes[h].alg), 0);
			assert_int_equal(cvtpm_hash_update(&hash, data, n), 0);
			assert_int_equal(cvtpm_hash_end(&hash, ours), 0);
			assert_memory_equal(ours, theirs, len);
		}
}

static void a_hash_may_be_fed_in_pieces_and_copied(void **state)
{
	uint8_t data[300], whole[64], pieces[64], fork[64];
	struct cvtpm_hash hash, copy;

	(void)state;
	assert_int_equal(RAND_bytes(data, sizeof data), 1);
	for (size_t h = 0; h < HASHES; h++)
		for (size_t cut = 0; cut <= sizeof data; cut += 7) {
			assert_int_equal(cvtpm_hash(hashes[h].alg, data, sizeof data, whole), 0);
			assert_int_equal(cvtpm_hash_begin(&hash, hashes[h].alg), 0);
			assert_int_equal(cvtpm_hash_update(&hash, data, cut), 0);
			copy = hash;
			assert_int_equal(cvtpm_hash_update(&hash, data + cut, sizeof data - cut),
					 0);
			assert_int_equal(cvtpm_hash_end(&hash, pieces), 0);
			assert_memory_equal(whole, pieces, cvtpm_hash_size(hashes[h].alg));
			assert_int_equal(cvtpm_hash_update(&copy, data + cut, sizeof data - cut),
					 0);
			assert_int_equal(cvtpm_hash_end(&copy, fork), 0);
			assert_memory_equal(whole, fork, cvtpm_hash_size(hashes[h].alg));

			const struct cvtpm_octets parts[] = {
				{data, cut}, {NULL, 0}, {data + cut, sizeof data - cut}};

			assert_int_equal(cvtpm_hash_parts(hashes[h].alg, parts, 3, pieces), 0);
			assert_memory_equal(whole, pieces, cvtpm_hash_size(hashes[h].alg));
		}
}

static void an_unknown_hash_is_unsupported(void **state)
{
	struct cvtpm_hash hash;
	uint8_t digest[64];

	(void)state;
	assert_int_equal(cvtpm_hash_size((enum cvtpm_hash_alg)0x0012), 0);
	assert_int_equal(cvtpm_hash_begin(&hash, (enum cvtpm_hash_alg)0x0012),
			 CVTPM_ERR_UNSUPPORTED);
	assert_int_equal(cvtpm_hash((enum cvtpm_hash_alg)0, "", 0, digest), CVTPM_ERR_UNSUPPORTED);
	assert_int_equal(cvtpm_hmac_parts((enum cvtpm_hash_alg)0, CVTPM_TEXT(""), NULL, 0, digest),
			 CVTPM_ERR_UNSUPPORTED);
}

static void hmacs_agree_with_openssl(void **state)
{
	uint8_t key[200], data[150], ours[64], theirs[64];
	struct cvtpm_hmac hmac;
	unsigned len;

	(void)state;
	assert_int_equal(RAND_bytes(key, sizeof key), 1);
	assert_int_equal(RAND_bytes(data, sizeof data), 1);
	for (size_t h = 0; h < HASHES; h++)
		for (size_t k = 0; k < sizeof key; k++) {
			assert_int_equal(cvtpm_hmac_begin(&hmac, hashes[h].alg, key, k), 0);
			assert_int_equal(cvtpm_hmac_update(&hmac, data, k % sizeof data), 0);
			assert_int_equal(cvtpm_hmac_end(&hmac, ours), 0);
			assert_non_null(HMAC(EVP_get_digestbyname(hashes[h].name), key, (int)k,
					     data, k % sizeof data, theirs, &len));
			assert_memory_equal(ours, theirs, len);

			const size_t n = k % sizeof data, cut = n / 3;
			const struct cvtpm_octets parts[] = {{data, cut}, {data + cut, n - cut}};

			assert_int_equal(cvtpm_hmac_parts(hashes[h].alg,
							  (struct cvtpm_octets){key, k}, parts, 2,
							  ours),
					 0);
			assert_memory_equal(ours, theirs, len);
		}
}

static void openssl_hkdf(const uint8_t *secret, size_t secret_len, const uint8_t *salt,
			 size_t salt_len, const uint8_t *info, size_t info_len, uint8_t *out,
			 size_t out_len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string("digest", digest, 0),
		OSSL_PARAM_construct_octet_string("key", (void *)(uintptr_t)secret, secret_len),
		OSSL_PARAM_construct_octet_string("salt", (void *)(uintptr_t)salt, salt_len),
		OSSL_PARAM_construct_octet_string("info", (void *)(uintptr_t)info, info_len),
		OSSL_PARAM_construct_end(),
	};

	assert_int_equal(EVP_KDF_derive(context, out, out_len, params), 1);
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
}

static void hkdf_agrees_with_openssl(void **state)
{
	uint8_t in[100], ours[300], theirs[300];

	(void)state;
	for (size_t n = 1; n < 300; n += 13) {
		assert_int_equal(RAND_bytes(in, sizeof in), 1);
		assert_int_equal(
			cvtpm_hkdf(CVTPM_SHA256, in, 32, in + 32, 32, in + 64, n % 36, ours, n), 0);
		openssl_hkdf(in, 32, in + 32, 32, in + 64, n % 36, theirs, n);
		assert_memory_equal(ours, theirs, n);
	}
	assert_int_equal(cvtpm_hkdf(CVTPM_SHA256, in, 32, in, 32, in, 1, ours, 255 * 32 + 1),
			 CVTPM_ERR_CRYPTO);
}

static void openssl_gcm(const uint8_t *key, const uint8_t *iv, const uint8_t *aad, size_t aad_len,
			const uint8_t *in, size_t len, uint8_t *out, uint8_t *tag)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int n;

	assert_int_equal(EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, iv), 1);
	assert_int_equal(EVP_EncryptUpdate(context, NULL, &n, aad, (int)aad_len), 1);
	assert_int_equal(EVP_EncryptUpdate(context, out, &n, in, (int)len), 1);
	assert_int_equal(EVP_EncryptFinal_ex(context, out + n, &n), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, tag), 1);
	EVP_CIPHER_CTX_free(context);
}

static void gcm_agrees_with_openssl_and_opens_again(void **state)
{
	uint8_t key[32], iv[12], aad[60], plain[1300], ours[1300], theirs[1300], back[1300];
	uint8_t tag[16], their_tag[16];

	(void)state;
	assert_int_equal(RAND_bytes(key, sizeof key), 1);
	assert_int_equal(RAND_bytes(plain, sizeof plain), 1);
	for (size_t n = 0; n < sizeof plain; n += 1 + n / 40) {
		size_t aad_len = n % sizeof aad;

		assert_int_equal(RAND_bytes(iv, sizeof iv), 1);
		assert_int_equal(RAND_bytes(aad, sizeof aad), 1);
		openssl_gcm(key, iv, aad, aad_len, plain, n, theirs, their_tag);
		assert_int_equal(cvtpm_aes256gcm_seal(key, iv, aad, aad_len, plain, n, ours, tag),
				 0);
		assert_memory_equal(ours, theirs, n);
		assert_memory_equal(tag, their_tag, 16);
		assert_int_equal(cvtpm_aes256gcm_open(key, iv, aad, aad_len, ours, n, tag, back),
				 0);
		assert_memory_equal(back, plain, n);
		/* in place */
		assert_int_equal(cvtpm_aes256gcm_open(key, iv, aad, aad_len, ours, n, tag, ours),
				 0);
		assert_memory_equal(ours, plain, n);
	}
}

static void gcm_notices_every_changed_bit(void **state)
{
	uint8_t key[32] = {1}, iv[12] = {2}, aad[48] = {3}, plain[96] = {4}, sealed[96], tag[16];
	uint8_t out[96], zeros[96] = {0};
	struct {
		uint8_t *bytes;
		size_t len;
	} parts[] = {{key, 32}, {iv, 12}, {aad, 48}, {sealed, 96}, {tag, 16}};

	(void)state;
	assert_int_equal(cvtpm_aes256gcm_seal(key, iv, aad, 48, plain, 96, sealed, tag), 0);
	for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
		for (size_t bit = 0; bit < parts[p].len * 8; bit++) {
			parts[p].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			memset(out, 0x55, sizeof out);
			assert_int_equal(
				cvtpm_aes256gcm_open(key, iv, aad, 48, sealed, 96, tag, out),
				CVTPM_ERR_AUTH);
			assert_memory_equal(out, zeros, sizeof out);
			parts[p].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	assert_int_equal(cvtpm_aes256gcm_open(key, iv, aad, 48, sealed, 96, tag, out), 0);
}

static void two_drbgs_have_their_own_sources(void **state)
{
	unsigned asked[2] = {0, 0};
	struct cvtpm_drbg a, b;
	uint8_t x[64], y[64];

	(void)state;
	assert_int_equal(cvtpm_drbg_begin(&a, system_entropy, &asked[0]), 0);
	assert_true(asked[0] > 0);
	assert_int_equal(asked[1], 0);
	assert_int_equal(cvtpm_drbg_begin(&b, system_entropy, &asked[1]), 0);
	assert_true(asked[1] > 0);
	assert_int_equal(cvtpm_drbg_bytes(&a, x, sizeof x), 0);
	assert_int_equal(cvtpm_drbg_bytes(&b, y, sizeof y), 0);
	assert_memory_not_equal(x, y, sizeof x);
	assert_int_equal(cvtpm_drbg_bytes(&a, y, sizeof y), 0);
	assert_memory_not_equal(x, y, sizeof x);
	cvtpm_drbg_end(&a);
	cvtpm_drbg_end(&b);
}

static void a_drbg_gives_any_length(void **state)
{
	static uint8_t large[200000];
	struct cvtpm_drbg drbg;
	size_t zeros = 0;

	(void)state;
	assert_int_equal(cvtpm_drbg_begin(&drbg, system_entropy, NULL), 0);
	assert_int_equal(cvtpm_drbg_bytes(&drbg, large, 0), 0);
	assert_int_equal(cvtpm_drbg_bytes(&drbg, large, sizeof large), 0);
	for (size_t i = 0; i < sizeof large; i++)
		zeros += large[i] == 0;
	assert_in_range(zeros, 500, 1100); /* expected 781, deviation 28 */
	cvtpm_drbg_end(&drbg);
}

static void without_entropy_there_is_no_drbg(void **state)
{
	struct cvtpm_drbg drbg;

	(void)state;
	assert_int_equal(cvtpm_drbg_begin(&drbg, no_entropy, NULL), CVTPM_ERR_ENTROPY);
}

static EVP_PKEY *openssl_key(const char *group, const struct cvtpm_ecc_public *key, size_t size)
{
	uint8_t point[1 + 2 * CVTPM_ECC_MAX_SIZE] = {4};
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *pkey = NULL;
	char name[8];
	OSSL_PARAM params[3];

	snprintf(name, sizeof name, "%s", group);
	memcpy(point + 1, key->x, size);
	memcpy(point + 1 + size, key->y, size);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size);
	params[2] = OSSL_PARAM_construct_end();
	assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
	assert_int_equal(EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params), 1);
	EVP_PKEY_CTX_free(context);
	return pkey;
}

static void openssl_accepts_our_signatures(void **state)
{
	struct cvtpm_drbg drbg;
	struct cvtpm_ecc_key key;
	struct cvtpm_ecdsa_signature signature;
	uint8_t message[40], digest[64], der[160], *p;

	(void)state;
	assert_int_equal(cvtpm_drbg_begin(&drbg, system_entropy, NULL), 0);
	for (size_t c = 0; c < CURVES; c++)
		for (int round = 0; round < 20; round++) {
			size_t size = cvtpm_curve_size(curves[c].curve);
			ECDSA_SIG *sig = ECDSA_SIG_new();
			EVP_MD_CTX *context = EVP_MD_CTX_new();
			EVP_PKEY *pkey;
			int der_len;

			assert_int_equal(RAND_bytes(message, sizeof message), 1);
			assert_int_equal(cvtpm_ecc_generate(curves[c].curve, &drbg, &key), 0);
			assert_int_equal(
				cvtpm_hash(curves[c].hash, message, sizeof message, digest), 0);
			assert_int_equal(cvtpm_ecdsa_sign(&key, &drbg, digest,
							  cvtpm_hash_size(curves[c].hash),
							  &signature),
					 0);
			ECDSA_SIG_set0(sig, BN_bin2bn(signature.r, (int)size, NULL),
				       BN_bin2bn(signature.s, (int)size, NULL));
			p = der;
			der_len = i2d_ECDSA_SIG(sig, &p);
			pkey = openssl_key(curves[c].name, &key.public, size);
			assert_int_equal(EVP_DigestVerifyInit_ex(context, NULL, curves[c].digest,
								 NULL, NULL, pkey, NULL),
					 1);
			assert_int_equal(EVP_DigestVerify(context, der, (size_t)der_len, message,
							  sizeof message),
					 1);
			EVP_PKEY_free(pkey);
			EVP_MD_CTX_free(context);
			ECDSA_SIG_free(sig);
		}
	cvtpm_drbg_end(&drbg);
}

static void we_accept_openssl_signatures_and_no_changed_ones(void **state)
{
	uint8_t digest[64], der[160], point[140];
	size_t der_len, point_len;

	(void)state;
	for (size_t c = 0; c < CURVES; c++) {
		size_t size = cvtpm_curve_size(curves[c].curve), digest_len;
		EVP_PKEY *pkey = EVP_EC_gen(curves[c].name);
		EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey, NULL);
		struct cvtpm_ecc_public key = {.curve = curves[c].curve};
		struct cvtpm_ecdsa_signature signature = {{0}, {0}}, wrong;
		const uint8_t *p = der;
		ECDSA_SIG *sig;

		digest_len = cvtpm_hash_size(curves[c].hash);
		assert_int_equal(RAND_bytes(digest, (int)digest_len), 1);
		assert_int_equal(EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY,
								 point, sizeof point, &point_len),
				 1);
		assert_int_equal(point_len, 1 + 2 * size);
		memcpy(key.x, point + 1, size);
		memcpy(key.y, point + 1 + size, size);
		der_len = sizeof der;
		assert_int_equal(EVP_PKEY_sign_init(context), 1);
		assert_int_equal(EVP_PKEY_sign(context, der, &der_len, digest, digest_len), 1);
		sig = d2i_ECDSA_SIG(NULL, &p, (long)der_len);
		assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature.r, (int)size), size);
		assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature.s, (int)size), size);

		assert_int_equal(cvtpm_ecdsa_verify(&key, digest, digest_len, &signature), 0);
		for (size_t i = 0; i < size; i++) {
			wrong = signature;
			wrong.r[i] ^= 0x10;
			assert_int_equal(cvtpm_ecdsa_verify(&key, digest, digest_len, &wrong),
					 CVTPM_ERR_AUTH);
			wrong = signature;
			wrong.s[i] ^= 0x01;
			assert_int_equal(cvtpm_ecdsa_verify(&key, digest, digest_len, &wrong),
					 CVTPM_ERR_AUTH);
		}
		memset(&wrong, 0, sizeof wrong);
		assert_int_equal(cvtpm_ecdsa_verify(&key, digest, digest_len, &wrong),
				 CVTPM_ERR_AUTH);
		digest[0] ^= 1;
		assert_int_equal(cvtpm_ecdsa_verify(&key, digest, digest_len, &signature),
				 CVTPM_ERR_AUTH);
		digest[0] ^= 1;
		key.y[size - 1] ^= 1; /* no point of the curve */
		assert_int_equal(cvtpm_ecdsa_verify(&key, digest, digest_len, &signature),
				 CVTPM_ERR_AUTH);

		ECDSA_SIG_free(sig);
		EVP_PKEY_CTX_free(context);
		EVP_PKEY_free(pkey);
	}
}

static void equal_compares_and_wipe_wipes(void **state)
{
	uint8_t a[64], b[64], zeros[64] = {0};

	(void)state;
	assert_int_equal(RAND_bytes(a, sizeof a), 1);
	memcpy(b, a, sizeof a);
	assert_true(cvtpm_equal(a, b, sizeof a));
	for (size_t i = 0; i < sizeof a; i++) {
		b[i] ^= 0x80;
		assert_false(cvtpm_equal(a, b, sizeof a));
		assert_true(cvtpm_equal(a, b, i));
		b[i] ^= 0x80;
	}
	assert_true(cvtpm_equal(a, zeros, 0));
	cvtpm_wipe(a, sizeof a);
	assert_memory_equal(a, zeros, sizeof a);
}

static void hexadecimal_is_written_and_read(void **state)
{
	const uint8_t bytes[] = {0x00, 0x9a, 0xbf, 0xff};
	uint8_t back[sizeof bytes];
	char text[2 * sizeof bytes + 1];

	(void)state;
	cvtpm_hex_write(text, bytes, sizeof bytes);
	assert_string_equal(text, "009abfff");
	assert_true(cvtpm_hex_read("009AbFff and more", back, sizeof back));
	assert_memory_equal(back, bytes, sizeof bytes);
	assert_false(cvtpm_hex_read("009abff", back, sizeof back)); /* a digit too few */
	for (int c = 0; c < 256; c++) {
		const char digits[] = {'0', (char)c};
		const bool digit = c && strchr("0123456789abcdefABCDEF", c);

		assert_int_equal(cvtpm_hex_read(digits, back, 1), digit);
		assert_int_equal(cvtpm_hex_digit((char)c) >= 0, digit);
	}
}

static void every_fault_has_its_own_words(void **state)
{
	(void)state;
	for (int i = 0; i >= CVTPM_ERR_POLICY; i--) {
		assert_string_not_equal(cvtpm_strerror(i), "unknown error");
		for (int j = 0; j > i; j--)
			assert_string_not_equal(cvtpm_strerror(i), cvtpm_strerror(j));
	}
	assert_string_equal(cvtpm_strerror(1), "unknown error");
	assert_string_equal(cvtpm_strerror(CVTPM_ERR_POLICY - 1), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_agree_with_openssl),
		cmocka_unit_test(a_hash_may_be_fed_in_pieces_and_copied),
		cmocka_unit_test(an_unknown_hash_is_unsupported),
		cmocka_unit_test(hmacs_agree_with_openssl),
		cmocka_unit_test(hkdf_agrees_with_openssl),
		cmocka_unit_test(gcm_agrees_with_openssl_and_opens_again),
		cmocka_unit_test(gcm_notices_every_changed_bit),
		cmocka_unit_test(two_drbgs_have_their_own_sources),
		cmocka_unit_test(a_drbg_gives_any_length),
		cmocka_unit_test(without_entropy_there_is_no_drbg),
		cmocka_unit_test(openssl_accepts_our_signatures),
		cmocka_unit_test(we_accept_openssl_signatures_and_no_changed_ones),
		cmocka_unit_test(equal_compares_and_wipe_wipes),
		cmocka_unit_test(hexadecimal_is_written_and_read),
		cmocka_unit_test(every_fault_has_its_own_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
