/* Public areas, the rules of an AK, and credentials. */
#include "samples.h"

#include "cvtpm/ek_template.h"
#include "verify/tpm/internal.h"

#include <openssl/evp.h>

static const char *const keys[] = {"rsassa", "rsapss", "p256",  "p384",
				   "ek-l1",  "ek-l2",  "ek-h3", "ek-h6"};
static const char *const eks[] = {"ek-l1", "ek-l2", "ek-h3", "ek-h6"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct cvtpm_tpm_public read_key(const char *name)
{
	struct sample s = ours(name, ".pub");
	struct cvtpm_tpm_public key;

	assert_int_equal(cvtpm_tpm_public_read(s.data, s.len, &key), 0);
	free(s.data);
	return key;
}

static int read_changed(const char *name, size_t offset, uint8_t byte)
{
	struct sample s = ours(name, ".pub");
	struct cvtpm_tpm_public key;
	int rc;

	s.data[offset] = byte;
	rc = cvtpm_tpm_public_read(s.data, s.len, &key);
	if (rc)
		assert_int_equal(key.key.size, 0); /* nothing half read */
	free(s.data);
	return rc;
}

static void public_areas_of_every_kind_are_read(void **state)
{
	struct cvtpm_tpm_public key;

	(void)state;
	key = read_key("ek-h6");
	assert_int_equal(key.key.type, CVTPM_TPM_ALG_RSA);
	assert_int_equal(key.key.size, 384);
	assert_int_equal(key.attributes, 0x000300F2);
	assert_int_equal(key.policy_len, 48);
	assert_int_equal(key.symmetric, CVTPM_TPM_ALG_AES);
	assert_int_equal(key.symmetric_bits, 256);
	assert_int_equal(key.scheme, CVTPM_TPM_ALG_NULL);
	assert_int_equal(key.name_len, 50);
	key = read_key("p384");
	assert_int_equal(key.key.curve, 4);
	assert_int_equal(key.scheme, CVTPM_TPM_ALG_ECDSA);
	assert_int_equal(key.scheme_hash, CVTPM_TPM_ALG_SHA384);
	assert_int_equal(key.symmetric, CVTPM_TPM_ALG_NULL);
}

static void a_name_is_the_digest_of_the_area(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(eks); i++) {
		struct sample s = ours(eks[i], ".pub");
		struct cvtpm_tpm_public key = read_key(eks[i]);
		uint8_t digest[64];

		assert_int_equal(EVP_Digest(s.data, s.len, digest, NULL,
					    key.name_alg == CVTPM_TPM_ALG_SHA256 ? EVP_sha256()
										 : EVP_sha384(),
					    NULL),
				 1);
		assert_int_equal(key.name[0], 0);
		assert_int_equal(key.name[1], key.name_alg);
		assert_memory_equal(key.name + 2, digest, key.name_len - 2);
		free(s.data);
	}
}

/* The two readers of an EK in this project agree. */
static void eks_are_those_of_the_listed_templates(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(eks); i++) {
		struct sample s = ours(eks[i], ".pub");
		struct cvtpm_tpm_public key = read_key(eks[i]);
		uint8_t area[CVTPM_EK_PUBLIC_MAX_SIZE], name[CVTPM_EK_NAME_MAX_SIZE];
		const struct cvtpm_ek_template *ek;
		size_t name_len;

		area[0] = (uint8_t)(s.len >> 8);
		area[1] = (uint8_t)s.len;
		memcpy(area + 2, s.data, s.len);
		ek = cvtpm_ek_template_match(area, s.len + 2);
		assert_non_null(ek);
		assert_memory_equal(cvtpm_ek_public_key(ek, area), key.key.n, key.key.size);
		assert_int_equal(cvtpm_ek_name(ek, area, name, &name_len), 0);
		assert_int_equal(name_len, key.name_len);
		assert_memory_equal(name, key.name, name_len);
		free(s.data);
	}
}

static void every_truncation_and_every_extra_byte_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct sample s = ours(keys[i], ".pub");
		struct cvtpm_tpm_public key;

		for (size_t len = 0; len < s.len; len++) {
			struct sample cut = sample_copy(s.data, len);

			assert_true(cvtpm_tpm_public_read(cut.data, cut.len, &key) > 0);
			free(cut.data);
		}
		s.data = realloc(s.data, s.len + 1);
		s.data[s.len] = 0;
		assert_int_equal(cvtpm_tpm_public_read(s.data, s.len + 1, &key),
				 CVTPM_TPM_TRAILING);
		free(s.data);
	}
}

static void a_tpm2b_says_exactly_what_follows(void **state)
{
	struct sample s = ours("p256", ".pub");
	uint8_t *area = malloc(s.len + 3);
	struct cvtpm_tpm_public key, same = read_key("p256");

	(void)state;
	area[0] = (uint8_t)(s.len >> 8);
	area[1] = (uint8_t)s.len;
	memcpy(area + 2, s.data, s.len);
	area[s.len + 2] = 0;
	assert_int_equal(cvtpm_tpm2b_public_read(area, s.len + 2, &key), 0);
	assert_memory_equal(key.name, same.name, same.name_len);
	assert_int_equal(cvtpm_tpm2b_public_read(area, s.len + 3, &key), CVTPM_TPM_TRAILING);
	assert_int_equal(cvtpm_tpm2b_public_read(area, s.len + 1, &key), CVTPM_TPM_TRUNCATED);
	area[1]++;
	assert_int_equal(cvtpm_tpm2b_public_read(area, s.len + 2, &key), CVTPM_TPM_TRUNCATED);
	area[1]--;
	area[1]--;
	assert_int_equal(cvtpm_tpm2b_public_read(area, s.len + 2, &key), CVTPM_TPM_TRAILING);
	free(area);
	free(s.data);
}

/* rsassa.pub: type 0, nameAlg 2, attributes 4, policy 8, symmetric 10, scheme 12, hash 14,
 * keyBits 16, exponent 18, unique 22. p256.pub: curve 16, kdf 18, x 20 (2 + 32), y 54. */
static void each_impossible_field_is_refused_by_name(void **state)
{
	(void)state;
	assert_int_equal(read_changed("rsassa", 1, 0x25), CVTPM_TPM_ALGORITHM); /* SYMCIPHER */
	assert_int_equal(read_changed("rsassa", 3, 0x04), CVTPM_TPM_ALGORITHM); /* SHA-1 names */
	assert_int_equal(read_changed("rsassa", 3, 0x10), CVTPM_TPM_ALGORITHM);
	assert_int_equal(read_changed("rsassa", 4, 0x80), CVTPM_TPM_VALUE); /* reserved */
	assert_int_equal(read_changed("rsassa", 7, 0x73), CVTPM_TPM_VALUE);
	assert_int_equal(read_changed("rsassa", 9, 0x01), CVTPM_TPM_LENGTH); /* policy of 1 byte */
	assert_int_equal(read_changed("rsassa", 13, 0x18), CVTPM_TPM_ALGORITHM); /* ECDSA by RSA */
	assert_int_equal(read_changed("rsassa", 15, 0x99), CVTPM_TPM_ALGORITHM);
	assert_int_equal(read_changed("rsassa", 16, 0x04), CVTPM_TPM_KEY_WEAK); /* 1024 bits */
	assert_int_equal(read_changed("rsassa", 16, 0x0C), CVTPM_TPM_LENGTH);
	assert_int_equal(read_changed("rsassa", 21, 0x03), CVTPM_TPM_VALUE); /* e = 3 */
	assert_int_equal(read_changed("rsassa", 24, 0x01), CVTPM_TPM_KEY_INVALID);
	assert_int_equal(read_changed("rsassa", 279, 0x02), CVTPM_TPM_KEY_INVALID); /* even */
	assert_int_equal(read_changed("p256", 13, 0x14), CVTPM_TPM_ALGORITHM); /* RSASSA by ECC */
	assert_int_equal(read_changed("p256", 17, 0x10), CVTPM_TPM_ALGORITHM); /* BN P256 */
	assert_int_equal(read_changed("p256", 17, 0x04), CVTPM_TPM_LENGTH);    /* P-384 */
	assert_int_equal(read_changed("ek-l1", 43, 0x05), CVTPM_TPM_ALGORITHM);
}

static void a_point_off_the_curve_is_refused(void **state)
{
	struct sample s = ours("p256", ".pub");
	struct cvtpm_tpm_public key;

	(void)state;
	for (size_t bit = 0; bit < 8; bit++) {
		s.data[60] ^= (uint8_t)(1 << bit);
		assert_int_equal(cvtpm_tpm_public_read(s.data, s.len, &key), CVTPM_TPM_KEY_INVALID);
		s.data[60] ^= (uint8_t)(1 << bit);
	}
	free(s.data);
}

static void an_exponent_may_be_written_out(void **state)
{
	struct sample s = ours("rsassa", ".pub");
	struct cvtpm_tpm_public key;

	(void)state;
	s.data[19] = 1; /* 00 01 00 01 */
	s.data[21] = 1;
	assert_int_equal(cvtpm_tpm_public_read(s.data, s.len, &key), 0);
	free(s.data);
}

static void an_ak_keeps_every_rule_and_an_ek_does_not(void **state)
{
	struct cvtpm_tpm_public ak = read_key("p256"), ek = read_key("ek-l2");
	const struct cvtpm_ak_rule *rule;

	(void)state;
	assert_null(cvtpm_ak_broken_rule(&ak));
	assert_non_null(cvtpm_ak_broken_rule(&ek));
	for (size_t i = 0; (rule = cvtpm_ak_rule_at(i)); i++) {
		ak.attributes ^= rule->bit;
		assert_ptr_equal(cvtpm_ak_broken_rule(&ak), rule);
		ak.attributes ^= rule->bit;
	}
}

static void the_rules_of_an_ak_are_these_six(void **state)
{
	static const char *const names[] = {"fixedTPM",   "fixedParent", "sensitiveDataOrigin",
					    "restricted", "sign",        "decrypt"};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_string_equal(cvtpm_ak_rule_at(i)->attribute, names[i]);
	assert_null(cvtpm_ak_rule_at(COUNT(names)));
}

/* ---- credentials ---- */

static const uint8_t *the_secret(void)
{
	static uint8_t secret[32];

	assert_int_equal(EVP_Digest("secret", 6, secret, NULL, EVP_sha256(), NULL), 1);
	return secret; /* make_vectors.py takes 20 bytes of it */
}

static void the_name(uint8_t name[34])
{
	name[0] = 0;
	name[1] = CVTPM_TPM_ALG_SHA256;
	assert_int_equal(EVP_Digest("an AK", 5, name + 2, NULL, EVP_sha256(), NULL), 1);
}

static void id_objects_equal_those_of_an_independent_implementation(void **state)
{
	uint8_t name[34];

	(void)state;
	the_name(name);
	for (size_t i = 0; i < COUNT(eks); i++) {
		struct cvtpm_tpm_public ek = read_key(eks[i]);
		struct sample expected = ours(eks[i], ".idobject");
		struct cvtpm_credential made;
		uint8_t seed[64];
		char text[32];

		snprintf(text, sizeof(text), "seed of %s", eks[i]);
		assert_int_equal(EVP_Digest(text, strlen(text), seed, NULL,
					    ek.name_alg == CVTPM_TPM_ALG_SHA256 ? EVP_sha256()
										: EVP_sha384(),
					    NULL),
				 1);
		assert_int_equal(
			credential_wrap(&ek, seed, name, sizeof(name), the_secret(), 20, &made), 0);
		assert_int_equal(made.id_object_len, expected.len);
		assert_memory_equal(made.id_object, expected.data, expected.len);
		free(expected.data);
	}
}

static void a_credential_is_another_each_time(void **state)
{
	uint8_t name[34];

	(void)state;
	the_name(name);
	for (size_t i = 0; i < COUNT(eks); i++) {
		struct cvtpm_tpm_public ek = read_key(eks[i]);
		struct cvtpm_credential a, b;
		size_t size = ek.key.type == CVTPM_TPM_ALG_RSA ? ek.key.size : 4 + 2 * ek.key.size;

		assert_int_equal(
			cvtpm_credential_make(&ek, name, sizeof(name), the_secret(), 32, &a), 0);
		assert_int_equal(
			cvtpm_credential_make(&ek, name, sizeof(name), the_secret(), 32, &b), 0);
		assert_int_equal(a.secret_len, 2 + size);
		assert_int_equal(a.id_object_len, 2 + 2 + (ek.name_len - 2) + 2 + 32);
		assert_memory_not_equal(a.secret, b.secret, a.secret_len);
		assert_memory_not_equal(a.id_object, b.id_object, a.id_object_len);
	}
}

static void no_credential_is_made_for_what_is_no_ek(void **state)
{
	struct cvtpm_tpm_public ak = read_key("p256"), ek = read_key("ek-l1");
	struct cvtpm_credential out;
	uint8_t name[34];

	(void)state;
	the_name(name);
	assert_int_equal(cvtpm_credential_make(&ak, name, sizeof(name), the_secret(), 32, &out),
			 CVTPM_TPM_EK_UNUSABLE);
	ek.attributes &= ~(1u << 16); /* any decryption key would give the seed away */
	assert_int_equal(cvtpm_credential_make(&ek, name, sizeof(name), the_secret(), 32, &out),
			 CVTPM_TPM_EK_UNUSABLE);
	ek = read_key("ek-l1");
	assert_int_equal(cvtpm_credential_make(&ek, name, sizeof(name), the_secret(), 15, &out),
			 CVTPM_ERR_PARAM);
	assert_int_equal(cvtpm_credential_make(&ek, name, sizeof(name), the_secret(), 33, &out),
			 CVTPM_ERR_PARAM);
	assert_int_equal(cvtpm_credential_make(&ek, name, 0, the_secret(), 32, &out),
			 CVTPM_ERR_PARAM);
	assert_int_equal(out.id_object_len, 0);
}

static void only_the_same_secret_is_accepted(void **state)
{
	uint8_t returned[33] = {0};

	(void)state;
	memcpy(returned, the_secret(), 32);
	assert_int_equal(cvtpm_credential_check_secret(the_secret(), 32, returned, 32), 0);
	assert_int_equal(cvtpm_credential_check_secret(the_secret(), 32, returned, 31),
			 CVTPM_TPM_SECRET_DIFFERS);
	assert_int_equal(cvtpm_credential_check_secret(the_secret(), 32, returned, 33),
			 CVTPM_TPM_SECRET_DIFFERS);
	assert_int_equal(cvtpm_credential_check_secret(the_secret(), 32, returned, 0),
			 CVTPM_TPM_SECRET_DIFFERS);
	for (size_t bit = 0; bit < 256; bit++) {
		returned[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(cvtpm_credential_check_secret(the_secret(), 32, returned, 32),
				 CVTPM_TPM_SECRET_DIFFERS);
		returned[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(cvtpm_credential_check_secret(the_secret(), 0, returned, 0),
			 CVTPM_ERR_PARAM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(public_areas_of_every_kind_are_read),
		cmocka_unit_test(a_name_is_the_digest_of_the_area),
		cmocka_unit_test(eks_are_those_of_the_listed_templates),
		cmocka_unit_test(every_truncation_and_every_extra_byte_is_refused),
		cmocka_unit_test(a_tpm2b_says_exactly_what_follows),
		cmocka_unit_test(each_impossible_field_is_refused_by_name),
		cmocka_unit_test(a_point_off_the_curve_is_refused),
		cmocka_unit_test(an_exponent_may_be_written_out),
		cmocka_unit_test(an_ak_keeps_every_rule_and_an_ek_does_not),
		cmocka_unit_test(the_rules_of_an_ak_are_these_six),
		cmocka_unit_test(id_objects_equal_those_of_an_independent_implementation),
		cmocka_unit_test(a_credential_is_another_each_time),
		cmocka_unit_test(no_credential_is_made_for_what_is_no_ek),
		cmocka_unit_test(only_the_same_secret_is_accepted),
	};

	return cmocka_run_group_tests_name("tpm key", tests, NULL, NULL);
}
