/*
 * A guest that holds every authority of the TPM against what the owner made.
 *
 * Each attack is made on an ephemeral and on a persistent TPM, and answers
 * with the code that docs/decisions.md names; afterwards the report index has
 * the same attributes and the same content as before.
 */
#include "bench.h"

#include "snp/report.h"

#define RC_AUTH_TYPE        0x124
#define RC_AUTH_UNAVAILABLE 0x12F
#define RC_NV_LOCKED        0x148
#define RC_NV_DEFINED       0x14C
#define RC_ATTRIBUTES_2     0x282 /* TPM_RC_ATTRIBUTES of handle 2 */
#define RC_BAD_AUTH         0x9A2

static const enum cvtpm_store_kind kinds[] = {CVTPM_STORE_MEMORY, CVTPM_STORE_PLAIN};

/* What an attack must leave as it is. */
struct index {
	uint32_t number;
	uint8_t content[2048];
	size_t len;
	uint32_t attributes;
};

static struct index look(struct bench *b, uint32_t number)
{
	struct index i = {.number = number, .attributes = bench_nv_attributes(b, number)};

	i.len = bench_nv(b, number, i.content, sizeof i.content);
	return i;
}

static void assert_stands(struct bench *b, const struct index *before)
{
	struct index now = look(b, before->number);

	assert_int_equal(now.attributes, before->attributes);
	assert_int_equal(now.len, before->len);
	assert_memory_equal(now.content, before->content, now.len);
}

/* ---- the attacks: each is given an index that must withstand it ---- */

typedef void attack(struct bench *b, uint32_t index);

static void undefine(struct bench *b, uint32_t index)
{
	assert_rc(b, tpm_nv_undefine_space(&b->client, TPM_RH_PLATFORM, index), RC_ATTRIBUTES_2);
	assert_rc(b, tpm_nv_undefine_space(&b->client, TPM_RH_OWNER, index), RC_ATTRIBUTES_2);
}

static void undefine_special_by_password(struct bench *b, uint32_t index)
{
	assert_rc(b, tpm_nv_undefine_space_special(&b->client, index), RC_AUTH_TYPE);
}

static void undefine_special_by_session(struct bench *b, uint32_t index, uint8_t type, uint32_t rc)
{
	uint32_t session;

	assert_ok(tpm_start_auth_session(&b->client, type, &session));
	if (type == TPM_SE_POLICY)
		assert_ok(tpm_policy_command_code(&b->client, session, 0x11F));
	b->client.auth[0].session = session;
	assert_rc(b, tpm_nv_undefine_space_special(&b->client, index), rc);
	b->client.auth[0].session = 0;
	assert_ok(tpm_flush_context(&b->client, session));
}

static void undefine_special_by_hmac(struct bench *b, uint32_t index)
{
	undefine_special_by_session(b, index, TPM_SE_HMAC, RC_AUTH_TYPE);
}

static void undefine_special_by_policy(struct bench *b, uint32_t index)
{
	undefine_special_by_session(b, index, TPM_SE_POLICY, RC_AUTH_UNAVAILABLE);
}

/* A policy session in which no policy command ran: its digest is all zeros. */
static void undefine_special_by_empty_policy(struct bench *b, uint32_t index)
{
	uint32_t session;

	assert_ok(tpm_start_auth_session(&b->client, TPM_SE_POLICY, &session));
	b->client.auth[0].session = session;
	assert_rc(b, tpm_nv_undefine_space_special(&b->client, index), RC_AUTH_UNAVAILABLE);
	b->client.auth[0].session = 0;
	assert_ok(tpm_flush_context(&b->client, session));
}

static void write_over(struct bench *b, uint32_t index)
{
	static const uint8_t lie[64] = {0x55};

	assert_rc(b, tpm_nv_write(&b->client, TPM_RH_PLATFORM, index, lie, sizeof lie),
		  RC_NV_LOCKED);
	assert_rc(b, tpm_nv_write(&b->client, TPM_RH_OWNER, index, lie, sizeof lie), RC_NV_LOCKED);
	assert_rc(b, tpm_nv_write(&b->client, index, index, lie, sizeof lie), RC_AUTH_UNAVAILABLE);
}

static void extend(struct bench *b, uint32_t index)
{
	static const uint8_t lie[64] = {0x55};

	assert_rc(b, tpm_nv_extend(&b->client, TPM_RH_PLATFORM, index, lie, sizeof lie),
		  RC_NV_LOCKED);
	assert_rc(b, tpm_nv_extend(&b->client, index, index, lie, sizeof lie), RC_AUTH_UNAVAILABLE);
}

static void increment(struct bench *b, uint32_t index)
{
	assert_rc(b, tpm_nv_increment(&b->client, TPM_RH_PLATFORM, index), RC_NV_LOCKED);
	assert_rc(b, tpm_nv_increment(&b->client, index, index), RC_AUTH_UNAVAILABLE);
}

static void set_bits(struct bench *b, uint32_t index)
{
	assert_rc(b, tpm_nv_set_bits(&b->client, TPM_RH_PLATFORM, index, 1), RC_NV_LOCKED);
	assert_rc(b, tpm_nv_set_bits(&b->client, index, index, 1), RC_AUTH_UNAVAILABLE);
}

static void define_again(struct bench *b, uint32_t index)
{
	const struct tpm_nv_public public = {
		.index = index, .name_alg = 0x000B, .attributes = 0x42072001, .size = 1184};
	struct tpm_nv_public owners = public;

	assert_rc(b, tpm_nv_define_space(&b->client, TPM_RH_PLATFORM, &public), RC_NV_DEFINED);
	owners.attributes = 0x02060006; /* OWNERWRITE, AUTHWRITE, OWNERREAD, AUTHREAD, NO_DA */
	assert_rc(b, tpm_nv_define_space(&b->client, TPM_RH_OWNER, &owners), RC_NV_DEFINED);
}

static void change_auth(struct bench *b, uint32_t index)
{
	assert_rc(b, tpm_nv_change_auth(&b->client, index, (const uint8_t *)"mine", 4),
		  RC_AUTH_TYPE);
}

static void lock_reading(struct bench *b, uint32_t index)
{
	assert_rc(b, tpm_nv_read_lock(&b->client, TPM_RH_PLATFORM, index), RC_ATTRIBUTES_2);
	assert_rc(b, tpm_nv_read_lock(&b->client, TPM_RH_OWNER, index), RC_ATTRIBUTES_2);
}

static void clear(struct bench *b, uint32_t index)
{
	(void)index;
	assert_ok(tpm_clear(&b->client, TPM_RH_PLATFORM));
	assert_ok(tpm_clear(&b->client, TPM_RH_LOCKOUT));
}

static void change_pps(struct bench *b, uint32_t index)
{
	(void)index;
	assert_ok(tpm_change_pps(&b->client));
}

static void change_eps(struct bench *b, uint32_t index)
{
	(void)index;
	assert_ok(tpm_change_eps(&b->client));
}

static void lock_globally(struct bench *b, uint32_t index)
{
	(void)index;
	assert_ok(tpm_nv_global_write_lock(&b->client, TPM_RH_PLATFORM));
	assert_ok(tpm_nv_global_write_lock(&b->client, TPM_RH_OWNER));
}

static void start_again(struct bench *b, uint32_t index)
{
	(void)index;
	assert_rc(b, tpm_startup(&b->client, TPM_SU_CLEAR), TPM_RC_INITIALIZE);
	assert_rc(b, tpm_startup(&b->client, TPM_SU_STATE), TPM_RC_INITIALIZE);
}

static attack *const attacks[] = {
	undefine,
	undefine_special_by_password,
	undefine_special_by_hmac,
	undefine_special_by_policy,
	undefine_special_by_empty_policy,
	write_over,
	extend,
	increment,
	set_bits,
	define_again,
	change_auth,
	lock_reading,
	clear,
	change_pps,
	change_eps,
	lock_globally,
	start_again,
};

#define ATTACKS (sizeof attacks / sizeof *attacks)

static void no_authority_changes_the_report_index(void **state)
{
	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct bench *b = bench_new(kinds[k]);
		struct index report;

		bench_start(b);
		report = look(b, P256->report_index);
		assert_int_equal(report.len, SNP_REPORT_SIZE);
		for (size_t a = 0; a < ATTACKS; a++) {
			attacks[a](b, report.number);
			assert_stands(b, &report);
		}
		bench_free(b);
	}
}

static void on_an_ephemeral_tpm_the_certificates_are_as_immutable(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_MEMORY);
	struct index certificates[3];

	(void)state;
	bench_start(b);
	certificates[0] = look(b, P256->certificate_index);
	certificates[1] = look(b, 0x01C00100);
	certificates[2] = look(b, 0x01C08000);
	for (size_t i = 0; i < 3; i++) {
		for (size_t a = 0; a < ATTACKS; a++) {
			attacks[a](b, certificates[i].number);
			assert_stands(b, &certificates[i]);
		}
	}
	bench_free(b);
}

static void the_report_stands_after_a_reset_as_well(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_MEMORY);
	struct index report;

	(void)state;
	bench_start(b);
	report = look(b, P256->report_index);
	for (size_t a = 0; a < ATTACKS; a++)
		attacks[a](b, report.number);
	bench_reboot(b);
	assert_stands(b, &report);
	for (size_t a = 0; a < ATTACKS; a++)
		attacks[a](b, report.number);
	assert_stands(b, &report);
	bench_free(b);
}

static void hiding_the_index_lasts_until_the_next_reset(void **state)
{
	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct bench *b = bench_new(kinds[k]);
		struct tpm_nv_public public;

		bench_start(b);
		assert_ok(tpm_hierarchy_control(&b->client, TPM_RH_PLATFORM, TPM_RH_PLATFORM_NV,
						false));
		assert_rc(b, tpm_nv_read_public(&b->client, P256->report_index, &public),
			  TPM_RC_HANDLE_1);
		bench_reboot(b);
		assert_true(bench_report_is_genuine(b, P256));
		bench_free(b);
	}
}

static void a_platform_password_of_the_guest_dies_with_its_boot(void **state)
{
	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct bench *b = bench_new(kinds[k]);

		bench_start(b);
		assert_ok(tpm_hierarchy_change_auth(&b->client, TPM_RH_PLATFORM,
						    (const uint8_t *)"mine", 4));
		bench_reboot(b);
		assert_true(bench_report_is_genuine(b, P256));
		bench_free(b);
	}
}

static void a_second_startup_leaves_the_pcrs_as_they_are(void **state)
{
	static const uint8_t digest[32] = {1, 2, 3};
	struct bench *b = bench_new(CVTPM_STORE_MEMORY);
	struct tpm_value pcr;
	uint8_t before[32];

	(void)state;
	bench_start(b);
	assert_ok(tpm_pcr_extend(&b->client, 7, 0x000B, digest, sizeof digest));
	assert_ok(tpm_pcr_read(&b->client, 7, 0x000B, &pcr));
	memcpy(before, pcr.bytes, sizeof before);
	assert_ok(tpm_shutdown(&b->client, TPM_SU_CLEAR));
	start_again(b, 0);
	assert_ok(tpm_shutdown(&b->client, TPM_SU_STATE));
	start_again(b, 0);
	assert_ok(tpm_pcr_read(&b->client, 7, 0x000B, &pcr));
	assert_memory_equal(before, pcr.bytes, sizeof before);
	bench_free(b);
}

static void a_random_platform_password_closes_the_platform_hierarchy(void **state)
{
	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct bench *b = bench_new(kinds[k]);

		b->config.random_platform_auth = true;
		bench_start(b);
		for (unsigned boot = 0; boot < 2; boot++) {
			assert_rc(b, tpm_clear(&b->client, TPM_RH_PLATFORM), RC_BAD_AUTH);
			assert_true(bench_report_is_genuine(b, P256));
			bench_reboot(b);
		}
		bench_free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_authority_changes_the_report_index),
		cmocka_unit_test(on_an_ephemeral_tpm_the_certificates_are_as_immutable),
		cmocka_unit_test(the_report_stands_after_a_reset_as_well),
		cmocka_unit_test(hiding_the_index_lasts_until_the_next_reset),
		cmocka_unit_test(a_platform_password_of_the_guest_dies_with_its_boot),
		cmocka_unit_test(a_second_startup_leaves_the_pcrs_as_they_are),
		cmocka_unit_test(a_random_platform_password_closes_the_platform_hierarchy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
