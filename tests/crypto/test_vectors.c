/* The parts of the crypto seam that a TPM is built on, held against the answers of
 * make_vectors.py, which computes them without any of our code. */
#include "crypto/crypto.h"
#include "crypto/hex.h"
#include "cvtpm/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Bytes are strings of hexadecimal digits. */
struct kdf_vector {
	enum cvtpm_hash_alg alg;
	const char *key, *label, *u, *v;
	uint32_t bits;
	const char *out;
};
struct xor_vector {
	enum cvtpm_hash_alg alg;
	const char *key, *newer, *older, *in, *out;
};
struct aes_vector {
	enum cvtpm_aes_mode mode;
	const char *key, *iv, *in, *out, *iv_after;
};
struct stream_vector {
	const char *seed, *label, *context, *out;
};
struct ecc_key_vector {
	enum cvtpm_curve curve;
	const char *seed, *label, *d, *x, *y;
};
struct rsa_key_vector {
	unsigned bits;
	uint32_t exponent;
	const char *seed, *p, *q;
};
struct hash_state_vector {
	enum cvtpm_hash_alg alg;
	const char *hashed, *state, *rest, *digest;
};
struct hmac_state_vector {
	enum cvtpm_hash_alg alg;
	const char *key, *hashed, *state, *rest, *mac;
};

#include "vectors.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The bytes of a vector, in one of some buffers that are used in turn. */
static struct cvtpm_octets octets(const char *digits)
{
	static uint8_t buffers[32][1200];
	static unsigned turn;
	uint8_t *const buffer = buffers[turn++ % 32];
	const size_t len = strlen(digits) / 2;

	assert_true(len <= sizeof buffers[0]);
	assert_true(cvtpm_hex_read(digits, buffer, len));
	return (struct cvtpm_octets){buffer, len};
}

static void assert_octets(const uint8_t *bytes, const char *digits)
{
	const struct cvtpm_octets expected = octets(digits);

	if (expected.len)
		assert_memory_equal(bytes, expected.at, expected.len);
}

static void kdfa_and_kdfe_give_the_answers(void **state)
{
	uint8_t out[300];

	(void)state;
	for (size_t i = 0; i < COUNT(kdfa_vectors); i++) {
		const struct kdf_vector *t = &kdfa_vectors[i];

		memset(out, 0xee, sizeof out);
		assert_int_equal(cvtpm_kdfa(t->alg, octets(t->key), octets(t->label), octets(t->u),
					    octets(t->v), t->bits, out),
				 0);
		assert_octets(out, t->out);
		assert_int_equal(out[(t->bits + 7) / 8], 0xee);
	}
	for (size_t i = 0; i < COUNT(kdfe_vectors); i++) {
		const struct kdf_vector *t = &kdfe_vectors[i];

		memset(out, 0xee, sizeof out);
		assert_int_equal(cvtpm_kdfe(t->alg, octets(t->key), octets(t->label), octets(t->u),
					    octets(t->v), t->bits, out),
				 0);
		assert_octets(out, t->out);
		assert_int_equal(out[(t->bits + 7) / 8], 0xee);
	}
}

static void a_derivation_refuses_what_is_none(void **state)
{
	const struct cvtpm_octets none = {NULL, 0};
	uint8_t out[40], zeros[40] = {0};

	(void)state;
	memset(out, 1, sizeof out);
	assert_int_equal(
		cvtpm_kdfa((enum cvtpm_hash_alg)5, none, CVTPM_TEXT("X"), none, none, 320, out),
		CVTPM_ERR_UNSUPPORTED);
	assert_memory_equal(out, zeros, sizeof out);
	memset(out, 1, sizeof out);
	assert_int_equal(
		cvtpm_kdfe((enum cvtpm_hash_alg)5, none, CVTPM_TEXT("X"), none, none, 320, out),
		CVTPM_ERR_UNSUPPORTED);
	assert_memory_equal(out, zeros, sizeof out);
	assert_int_equal(cvtpm_kdfa(CVTPM_SHA256, none, CVTPM_TEXT("X"), none, none, 0, out),
			 CVTPM_ERR_SIZE);
	assert_int_equal(cvtpm_kdfe(CVTPM_SHA256, none, CVTPM_TEXT("X"), none, none, 0, out),
			 CVTPM_ERR_SIZE);
	assert_int_equal(cvtpm_xor_obfuscate(CVTPM_SHA256, none, none, none, out, (size_t)1 << 29),
			 CVTPM_ERR_SIZE);
	assert_int_equal(cvtpm_xor_obfuscate((enum cvtpm_hash_alg)5, none, none, none, out, 4),
			 CVTPM_ERR_UNSUPPORTED);
}

static void xor_obfuscates_and_brings_back(void **state)
{
	uint8_t data[300];

	(void)state;
	for (size_t i = 0; i < COUNT(xor_vectors); i++) {
		const struct xor_vector *t = &xor_vectors[i];
		const struct cvtpm_octets in = octets(t->in);

		memcpy(data, in.at, in.len);
		for (int back = 0; back <= 1; back++) {
			assert_int_equal(cvtpm_xor_obfuscate(t->alg, octets(t->key),
							     octets(t->newer), octets(t->older),
							     data, in.len),
					 0);
			assert_octets(data, back ? t->in : t->out);
		}
	}
}

static void aes_gives_the_answers(void **state)
{
	_Alignas(16) uint8_t aligned[81];
	uint8_t out[80], iv[16];

	(void)state;
	for (size_t i = 0; i < COUNT(aes_vectors); i++) {
		const struct aes_vector *t = &aes_vectors[i];
		const struct cvtpm_octets key = octets(t->key), in = octets(t->in);
		const unsigned bits = (unsigned)(8 * key.len);

		memcpy(iv, octets(t->iv).at, sizeof iv);
		assert_int_equal(cvtpm_aes_encrypt(t->mode, key.at, bits, iv, in.at, in.len, out),
				 0);
		assert_octets(out, t->out);
		assert_octets(iv, t->iv_after);

		/* back, in place */
		memcpy(iv, octets(t->iv).at, sizeof iv);
		assert_int_equal(cvtpm_aes_decrypt(t->mode, key.at, bits, iv, out, in.len, out), 0);
		assert_octets(out, t->in);
		assert_octets(iv, t->iv_after);

		/* from and to where no block is aligned */
		memcpy(aligned + 1, in.at, in.len);
		for (int decrypt = 0; decrypt < 2; decrypt++) {
			memcpy(iv, octets(t->iv).at, sizeof iv);
			assert_int_equal((decrypt ? cvtpm_aes_decrypt : cvtpm_aes_encrypt)(
						 t->mode, key.at, bits, iv, aligned + 1, in.len,
						 aligned + 1),
					 0);
			assert_octets(aligned + 1, decrypt ? t->in : t->out);
			assert_octets(iv, t->iv_after);
		}

		/* in pieces of whole blocks, in place */
		memcpy(out, in.at, in.len);
		memcpy(iv, octets(t->iv).at, sizeof iv);
		for (size_t at = 0, part; at < in.len; at += part) {
			part = at == 0 && in.len > 16 ? 16 : in.len - at;
			assert_int_equal(cvtpm_aes_encrypt(t->mode, key.at, bits, iv, out + at,
							   part, out + at),
					 0);
		}
		assert_octets(out, t->out);
		assert_octets(iv, t->iv_after);
	}
}

static void aes_refuses_what_is_none(void **state)
{
	uint8_t key[32] = {0}, iv[16] = {7}, data[32] = {0};

	(void)state;
	assert_int_equal(cvtpm_aes_encrypt((enum cvtpm_aes_mode)0x45, key, 128, iv, data, 16, data),
			 CVTPM_ERR_PARAM);
	assert_int_equal(cvtpm_aes_decrypt((enum cvtpm_aes_mode)0x3f, key, 128, iv, data, 16, data),
			 CVTPM_ERR_PARAM);
	assert_int_equal(cvtpm_aes_encrypt(CVTPM_AES_CFB, key, 160, iv, data, 16, data),
			 CVTPM_ERR_PARAM);
	assert_int_equal(cvtpm_aes_encrypt(CVTPM_AES_CBC, key, 128, iv, data, 17, data),
			 CVTPM_ERR_SIZE);
	assert_int_equal(cvtpm_aes_decrypt(CVTPM_AES_ECB, key, 128, NULL, data, 15, data),
			 CVTPM_ERR_SIZE);
	assert_int_equal(cvtpm_aes_encrypt(CVTPM_AES_CFB, key, 128, iv, data, 0, data), 0);
	assert_int_equal(iv[0], 7);
	assert_int_equal(cvtpm_aes_encrypt(CVTPM_AES_ECB, key, 128, NULL, data, 32, data), 0);
}

/* ---- the deterministic stream, and keys from it ---- */

static void a_stream_is_the_same_in_every_release(void **state)
{
	struct cvtpm_stream stream;
	uint8_t out[200];

	(void)state;
	for (size_t i = 0; i < COUNT(stream_vectors); i++) {
		const struct stream_vector *t = &stream_vectors[i];

		for (size_t step = 1; step <= sizeof out; step += 3) { /* however it is asked */
			assert_int_equal(cvtpm_stream_begin(&stream, 1, octets(t->seed),
							    octets(t->label), octets(t->context)),
					 0);
			for (size_t at = 0, part; at < sizeof out; at += part) {
				part = sizeof out - at < step ? sizeof out - at : step;
				assert_int_equal(cvtpm_stream_bytes(&stream, out + at, part), 0);
			}
			assert_octets(out, t->out);
		}
	}
}

static void a_stream_of_an_unknown_version_is_unsupported(void **state)
{
	static uint8_t label[65536];
	const struct cvtpm_octets none = {NULL, 0};
	struct cvtpm_stream stream;

	(void)state;
	assert_int_equal(cvtpm_stream_begin(&stream, 0, none, none, none), CVTPM_ERR_UNSUPPORTED);
	assert_int_equal(cvtpm_stream_begin(&stream, 2, none, none, none), CVTPM_ERR_UNSUPPORTED);
	assert_int_equal(cvtpm_stream_begin(&stream, 257, none, none, none), CVTPM_ERR_UNSUPPORTED);
	assert_int_equal(cvtpm_stream_begin(&stream, 1, none,
					    (struct cvtpm_octets){label, sizeof label}, none),
			 CVTPM_ERR_SIZE);
}

static void ecc_keys_from_a_seed_never_change(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ecc_key_vectors); i++) {
		const struct ecc_key_vector *t = &ecc_key_vectors[i];
		struct cvtpm_ecc_key key, again;
		struct cvtpm_stream stream;
		struct cvtpm_source source = cvtpm_stream_source(&stream);

		assert_int_equal(cvtpm_stream_begin(&stream, 1, octets(t->seed), octets(t->label),
						    (struct cvtpm_octets){NULL, 0}),
				 0);
		assert_int_equal(cvtpm_ecc_generate_from(t->curve, &source, &key), 0);
		assert_octets(key.d, t->d);
		assert_octets(key.public.x, t->x);
		assert_octets(key.public.y, t->y);
		assert_int_equal(key.public.curve, t->curve);

		memset(&again, 0, sizeof again);
		again.public.curve = t->curve;
		memcpy(again.d, key.d, sizeof again.d);
		assert_int_equal(cvtpm_ecc_make_public(&again), 0);
		assert_memory_equal(&again, &key, sizeof key);
	}
}

static void rsa_keys_from_a_seed_never_change(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rsa_key_vectors); i++) {
		const struct rsa_key_vector *t = &rsa_key_vectors[i];
		struct cvtpm_rsa_key key, loaded;
		struct cvtpm_stream stream;
		struct cvtpm_source source = cvtpm_stream_source(&stream);

		assert_int_equal(cvtpm_stream_begin(&stream, 1, octets(t->seed), CVTPM_TEXT("RSA"),
						    (struct cvtpm_octets){NULL, 0}),
				 0);
		assert_int_equal(
			cvtpm_rsa_generate(t->bits, t->exponent, &source, NULL, NULL, &key), 0);
		assert_int_equal(key.public.bits, t->bits);
		assert_int_equal(key.public.exponent, t->exponent);
		assert_octets(key.crt, t->p);
		assert_octets(key.crt + t->bits / 16, t->q);
		assert_int_equal(cvtpm_rsa_load(&key.public, key.crt, t->bits / 16, &loaded), 0);
		assert_memory_equal(&loaded, &key, sizeof key);
	}
}

/* ---- running hashes as bytes ---- */

static void a_hash_state_is_the_same_in_every_release(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hash_state_vectors); i++) {
		const struct hash_state_vector *t = &hash_state_vectors[i];
		const struct cvtpm_octets hashed = octets(t->hashed), rest = octets(t->rest);
		uint8_t out[CVTPM_HASH_STATE_SIZE], digest[CVTPM_HASH_MAX_SIZE];
		struct cvtpm_hash hash;

		assert_int_equal(cvtpm_hash_begin(&hash, t->alg), 0);
		assert_int_equal(cvtpm_hash_update(&hash, hashed.at, hashed.len), 0);
		cvtpm_hash_export(&hash, out);
		assert_octets(out, t->state);
		assert_int_equal(cvtpm_hash_import(&hash, octets(t->state).at), 0);
		assert_int_equal(cvtpm_hash_update(&hash, rest.at, rest.len), 0);
		assert_int_equal(cvtpm_hash_end(&hash, digest), 0);
		assert_octets(digest, t->digest);
	}
}

static void an_hmac_state_is_the_same_in_every_release(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hmac_state_vectors); i++) {
		const struct hmac_state_vector *t = &hmac_state_vectors[i];
		const struct cvtpm_octets key = octets(t->key), hashed = octets(t->hashed);
		const struct cvtpm_octets rest = octets(t->rest);
		uint8_t out[CVTPM_HMAC_STATE_SIZE], mac[CVTPM_HASH_MAX_SIZE];
		struct cvtpm_hmac hmac;

		assert_int_equal(cvtpm_hmac_begin(&hmac, t->alg, key.at, key.len), 0);
		assert_int_equal(cvtpm_hmac_update(&hmac, hashed.at, hashed.len), 0);
		cvtpm_hmac_export(&hmac, out);
		assert_octets(out, t->state);
		assert_int_equal(cvtpm_hmac_import(&hmac, octets(t->state).at), 0);
		assert_int_equal(cvtpm_hmac_update(&hmac, rest.at, rest.len), 0);
		assert_int_equal(cvtpm_hmac_end(&hmac, mac), 0);
		assert_octets(mac, t->mac);
	}
}

static void assert_refused(const uint8_t *in)
{
	const struct cvtpm_hash wiped = {0};
	struct cvtpm_hash hash;

	assert_int_equal(cvtpm_hash_import(&hash, in), CVTPM_ERR_FORMAT);
	assert_memory_equal(&hash, &wiped, sizeof hash);
}

static void a_wrong_hash_state_is_refused(void **state)
{
	uint8_t good[CVTPM_HASH_STATE_SIZE], bad[CVTPM_HASH_STATE_SIZE];
	struct cvtpm_hash hash;

	(void)state;
	assert_int_equal(cvtpm_hash_begin(&hash, CVTPM_SHA256), 0);
	assert_int_equal(cvtpm_hash_update(&hash, "abc", 3), 0);
	cvtpm_hash_export(&hash, good);
	for (size_t i = 0; i < sizeof good; i++) {
		memcpy(bad, good, sizeof bad);
		bad[i] ^= 0x40;
		if (i >= 5 && i < 12) { /* another length, with as much in its block */
			assert_int_equal(cvtpm_hash_import(&hash, bad), 0);
		} else if (i >= 12 && i < 12 + 32 + 3) { /* chaining value and block */
			assert_int_equal(cvtpm_hash_import(&hash, bad), 0);
		} else {
			assert_refused(bad);
		}
	}
	memset(bad, 0, sizeof bad);
	assert_refused(bad);
	memset(bad, 0xff, sizeof bad);
	assert_refused(bad);
	memcpy(bad, good, sizeof bad);
	bad[11] = 2; /* the third byte of the block has no place any more */
	assert_refused(bad);
	memcpy(bad, good, sizeof bad);
	bad[3] = 0x12; /* SM3 */
	assert_refused(bad);
}

static void a_hash_counts_no_further_than_its_length_field(void **state)
{
	uint8_t bytes[CVTPM_HASH_STATE_SIZE] = {1,    0,    0,    0x0b, 0x1f, 0xff,
						0xff, 0xff, 0xff, 0xff, 0xff, 0xc0};
	uint8_t block[64] = {0};
	struct cvtpm_hash hash;

	(void)state;
	assert_int_equal(cvtpm_hash_import(&hash, bytes), 0);
	assert_int_equal(cvtpm_hash_update(&hash, block, 64), CVTPM_ERR_SIZE);
	assert_int_equal(cvtpm_hash_update(&hash, block, 63), 0);
	assert_int_equal(cvtpm_hash_update(&hash, block, 1), CVTPM_ERR_SIZE);
	bytes[4] = 0x20;
	assert_refused(bytes);
}

static void a_wrong_hmac_state_is_refused(void **state)
{
	uint8_t good[CVTPM_HMAC_STATE_SIZE], bad[CVTPM_HMAC_STATE_SIZE];
	const struct cvtpm_hmac wiped = {0};
	struct cvtpm_hmac hmac;

	(void)state;
	assert_int_equal(cvtpm_hmac_begin(&hmac, CVTPM_SHA256, (const uint8_t *)"key", 3), 0);
	cvtpm_hmac_export(&hmac, good);
	memcpy(bad, good, sizeof bad);
	bad[CVTPM_HASH_STATE_SIZE + 64] = 1; /* behind the block of SHA-256 */
	assert_int_equal(cvtpm_hmac_import(&hmac, bad), CVTPM_ERR_FORMAT);
	assert_memory_equal(&hmac, &wiped, sizeof hmac);
	memcpy(bad, good, sizeof bad);
	bad[11] = 0; /* fewer bytes than the key's block */
	assert_int_equal(cvtpm_hmac_import(&hmac, bad), CVTPM_ERR_FORMAT);
	memcpy(bad, good, sizeof bad);
	bad[0] = 2;
	assert_int_equal(cvtpm_hmac_import(&hmac, bad), CVTPM_ERR_FORMAT);
	assert_memory_equal(&hmac, &wiped, sizeof hmac);
	assert_int_equal(cvtpm_hmac_import(&hmac, good), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kdfa_and_kdfe_give_the_answers),
		cmocka_unit_test(a_derivation_refuses_what_is_none),
		cmocka_unit_test(xor_obfuscates_and_brings_back),
		cmocka_unit_test(aes_gives_the_answers),
		cmocka_unit_test(aes_refuses_what_is_none),
		cmocka_unit_test(a_stream_is_the_same_in_every_release),
		cmocka_unit_test(a_stream_of_an_unknown_version_is_unsupported),
		cmocka_unit_test(ecc_keys_from_a_seed_never_change),
		cmocka_unit_test(rsa_keys_from_a_seed_never_change),
		cmocka_unit_test(a_hash_state_is_the_same_in_every_release),
		cmocka_unit_test(an_hmac_state_is_the_same_in_every_release),
		cmocka_unit_test(a_wrong_hash_state_is_refused),
		cmocka_unit_test(a_hash_counts_no_further_than_its_length_field),
		cmocka_unit_test(a_wrong_hmac_state_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
