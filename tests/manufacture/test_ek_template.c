/* The EK templates, against files made independently from the profile. */
#include "cvtpm/ek_template.h"

#include "crypto/crypto.h"
#include "cvtpm/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static size_t read_file(const char *name, uint8_t *out, size_t room)
{
	char path[512];
	FILE *f;
	size_t len;

	snprintf(path, sizeof path, "%s/templates/%s", TEST_DATA, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	len = fread(out, 1, room, f);
	fclose(f);
	return len;
}

static const char *const files[CVTPM_EK_COUNT] = {"ek-L1-rsa2048.tpmt", "ek-L2-p256.tpmt",
						  "ek-H3-p384.tpmt", "ek-H6-rsa3072.tpmt"};

static void the_templates_are_those_of_the_ek_credential_profile(void **state)
{
	/* SHA-256 of the TPMT_PUBLIC, as published with the profile's templates. */
	static const char *const digests[CVTPM_EK_COUNT] = {
		"32503929a1287eedaa3e89d932f9b51a6f92abd0fa57721ffa6fc041e04f7498",
		"0f1277a2f3f382e7f75db466fac234182a8d62f97dfbaae7b06fdf52bda51467",
		"07a006fac337f6b3451362be5f925bb9c121b9d3cd44470f4bbf14f6387b9168",
		"6791531884658a2cfec52152268c1a4a4b456e0ba1d1230bcad43c17bdd045d8",
	};

	(void)state;
	for (size_t i = 0; i < CVTPM_EK_COUNT; i++) {
		uint8_t ours[CVTPM_EK_PUBLIC_MAX_SIZE], theirs[1024], digest[32];
		char hex[65];
		size_t len = cvtpm_ek_template_write(cvtpm_ek_template_at(i), ours);

		assert_int_equal(len, read_file(files[i], theirs, sizeof theirs));
		assert_memory_equal(ours, theirs, len);
		assert_int_equal(cvtpm_hash(CVTPM_SHA256, ours, len, digest), 0);
		for (size_t j = 0; j < sizeof digest; j++)
			snprintf(hex + 2 * j, 3, "%02x", digest[j]);
		assert_string_equal(hex, digests[i]);
	}
}

static void each_kind_has_its_own_places(void **state)
{
	static const uint32_t places[CVTPM_EK_COUNT][3] = {
		{0x01C00002, 0x014C0002, 0x81010001},
		{0x01C0000A, 0x014C000A, 0x8101000A},
		{0x01C00016, 0x014C0016, 0x81010016},
		{0x01C0001C, 0x014C001C, 0x8101001C},
	};

	(void)state;
	for (size_t i = 0; i < CVTPM_EK_COUNT; i++) {
		const struct cvtpm_ek_template *ek = cvtpm_ek_template_at(i);

		assert_int_equal(ek->certificate_index, places[i][0]);
		assert_int_equal(ek->report_index, places[i][1]);
		assert_int_equal(ek->handle, places[i][2]);
		assert_ptr_equal(cvtpm_ek_template_of(ek->kind), ek);
	}
	assert_null(cvtpm_ek_template_at(CVTPM_EK_COUNT));
	assert_null(cvtpm_ek_template_of(0));
	assert_null(cvtpm_ek_template_of(CVTPM_EK_P256 | CVTPM_EK_P384));
}

/* A TPM2B_PUBLIC of a key made from template `i`; its length is returned. */
static size_t make_public(size_t i, uint8_t *out)
{
	/* Where `unique` begins in the TPMT_PUBLIC, and the sizes of its parts. */
	static const size_t begins[CVTPM_EK_COUNT] = {56, 54, 70, 72};
	static const size_t parts[CVTPM_EK_COUNT][2] = {{256, 0}, {32, 32}, {48, 48}, {384, 0}};
	uint8_t file[1024];
	size_t len = 2 + begins[i];

	read_file(files[i], file, sizeof file);
	memcpy(out + 2, file, begins[i]);
	for (size_t p = 0; p < 2 && parts[i][p]; p++) {
		out[len++] = (uint8_t)(parts[i][p] >> 8);
		out[len++] = (uint8_t)parts[i][p];
		memset(out + len, 0xA0 + (int)p, parts[i][p]);
		len += parts[i][p];
	}
	out[0] = (uint8_t)((len - 2) >> 8);
	out[1] = (uint8_t)(len - 2);
	return len;
}

static void a_key_made_from_a_template_matches_it_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < CVTPM_EK_COUNT; i++) {
		uint8_t public[CVTPM_EK_PUBLIC_MAX_SIZE];
		size_t len = make_public(i, public);
		const struct cvtpm_ek_template *ek = cvtpm_ek_template_match(public, len);

		assert_ptr_equal(ek, cvtpm_ek_template_at(i));
		assert_int_equal(cvtpm_ek_public_size(ek), len);
		assert_int_equal(cvtpm_ek_public_key(ek, public)[0], 0xA0);
		assert_int_equal(cvtpm_ek_public_key(ek, public)[ek->size - 1], 0xA0);
		if (ek->type == 0x0023) {
			assert_int_equal(cvtpm_ek_public_y(ek, public)[0], 0xA1);
			assert_ptr_equal(cvtpm_ek_public_y(ek, public) + ek->size, public + len);
		}
	}
}

static void any_other_byte_and_any_other_length_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < CVTPM_EK_COUNT; i++) {
		uint8_t public[CVTPM_EK_PUBLIC_MAX_SIZE + 2] = {0};
		size_t len = make_public(i, public);
		const struct cvtpm_ek_template *ek = cvtpm_ek_template_at(i);
		size_t key = (size_t)(cvtpm_ek_public_key(ek, public) - public);

		for (size_t at = 0; at < len; at++) {
			bool in_x = at >= key && at < key + ek->size;
			bool in_y = at >= key + ek->size + 2;

			if (in_x || in_y)
				continue;
			for (int bit = 0; bit < 8; bit++) {
				public[at] ^= (uint8_t)(1 << bit);
				assert_null(cvtpm_ek_template_match(public, len));
				public[at] ^= (uint8_t)(1 << bit);
			}
		}
		for (size_t other = 0; other < sizeof public; other++) {
			if (other != len)
				assert_null(cvtpm_ek_template_match(public, other));
		}
	}
}

static void bytes_cannot_move_between_the_parts_of_unique(void **state)
{
	uint8_t public[CVTPM_EK_PUBLIC_MAX_SIZE];
	size_t len = make_public(1, public);
	size_t key = (size_t)(cvtpm_ek_public_key(cvtpm_ek_template_at(1), public) - public);

	(void)state;
	/* x of 31 and y of 33 bytes: the same total. */
	public[key - 1] = 31;
	memmove(public + key + 31, public + key + 32, 34);
	public[key + 32] = 33;
	public[key + 31] = 0;
	assert_null(cvtpm_ek_template_match(public, len));
}

static void the_empty_templates_themselves_do_not_match(void **state)
{
	(void)state;
	for (size_t i = 2; i < CVTPM_EK_COUNT; i++) {
		uint8_t public[CVTPM_EK_PUBLIC_MAX_SIZE + 2];
		size_t len = cvtpm_ek_template_write(cvtpm_ek_template_at(i), public + 2);

		public[0] = (uint8_t)(len >> 8);
		public[1] = (uint8_t)len;
		assert_null(cvtpm_ek_template_match(public, len + 2));
	}
}

static void the_name_is_algorithm_and_digest(void **state)
{
	(void)state;
	for (size_t i = 0; i < CVTPM_EK_COUNT; i++) {
		uint8_t public[CVTPM_EK_PUBLIC_MAX_SIZE], name[CVTPM_EK_NAME_MAX_SIZE], digest[48];
		const struct cvtpm_ek_template *ek = cvtpm_ek_template_at(i);
		size_t len = make_public(i, public), name_len = 0;
		bool sha256 = i < 2;

		assert_int_equal(cvtpm_ek_name(ek, public, name, &name_len), 0);
		assert_int_equal(name_len, sha256 ? 34 : 50);
		assert_int_equal(name[1], sha256 ? 0x0B : 0x0C);
		assert_int_equal(cvtpm_hash(sha256 ? CVTPM_SHA256 : CVTPM_SHA384, public + 2,
					    len - 2, digest),
				 0);
		assert_memory_equal(name + 2, digest, name_len - 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_templates_are_those_of_the_ek_credential_profile),
		cmocka_unit_test(each_kind_has_its_own_places),
		cmocka_unit_test(a_key_made_from_a_template_matches_it_alone),
		cmocka_unit_test(any_other_byte_and_any_other_length_is_refused),
		cmocka_unit_test(bytes_cannot_move_between_the_parts_of_unique),
		cmocka_unit_test(the_empty_templates_themselves_do_not_match),
		cmocka_unit_test(the_name_is_algorithm_and_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
