/* What the owner of a persistent TPM does after each TPM2_Startup(CLEAR). */
#include "bench.h"

#include "crypto/crypto.h"
#include "manufacture/certificate.h"
#include "snp/report.h"

/* Puts other content into the index of the EK certificate, as a guest with
 * platform authority can. */
static void replace_certificate(struct bench *b, const uint8_t *data, size_t len)
{
	const struct tpm_nv_public public = {.index = P256->certificate_index,
					     .name_alg = 0x000B,
					     .attributes = 0x42072001,
					     .size = (uint16_t)len};

	assert_ok(tpm_nv_undefine_space(&b->client, TPM_RH_PLATFORM, public.index));
	assert_ok(tpm_nv_define_space(&b->client, TPM_RH_PLATFORM, &public));
	assert_ok(tpm_nv_write(&b->client, TPM_RH_PLATFORM, public.index, data, len));
}

static bool is_at_its_handle(struct bench *b)
{
	struct tpm_value area;

	return tpm_read_public(&b->client, P256->handle, &area) == 0;
}

static void each_boot_has_its_own_report_over_the_same_certificate(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);
	uint8_t first[SNP_REPORT_SIZE], second[SNP_REPORT_SIZE];
	uint8_t certificate[CVTPM_CERTIFICATE_MAX_SIZE], later[CVTPM_CERTIFICATE_MAX_SIZE];
	size_t len;

	(void)state;
	bench_start(b);
	bench_nv(b, P256->report_index, first, sizeof first);
	len = bench_nv(b, P256->certificate_index, certificate, sizeof certificate);
	bench_reboot(b);
	assert_true(bench_report_is_genuine(b, P256));
	bench_nv(b, P256->report_index, second, sizeof second);
	assert_memory_not_equal(first, second, sizeof first);
	assert_int_equal(bench_nv(b, P256->certificate_index, later, sizeof later), len);
	assert_memory_equal(certificate, later, len);

	bench_close(b); /* and a new process */
	assert_ok(bench_open(b));
	assert_ok(tpm_startup(&b->client, TPM_SU_CLEAR));
	assert_true(bench_report_is_genuine(b, P256));
	bench_nv(b, P256->report_index, first, sizeof first);
	assert_memory_not_equal(first, second, sizeof first);
	assert_int_equal(bench_nv(b, P256->certificate_index, later, sizeof later), len);
	assert_memory_equal(certificate, later, len);
	bench_free(b);
}

static void a_restart_after_suspension_renews_as_a_reset_does(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);

	(void)state;
	bench_start(b);
	assert_int_equal(b->provider.reports, 3);
	assert_ok(tpm_shutdown(&b->client, TPM_SU_STATE));
	bench_reboot(b); /* Startup(CLEAR) after Shutdown(STATE): TPM Restart */
	assert_int_equal(b->provider.reports, 4);
	assert_true(bench_report_is_genuine(b, P256));

	assert_ok(tpm_shutdown(&b->client, TPM_SU_STATE));
	assert_ok(cvtpm_instance_reset(b->instance));
	assert_ok(tpm_startup(&b->client, TPM_SU_STATE)); /* TPM Resume */
	assert_int_equal(b->provider.reports, 4);
	assert_true(bench_report_is_genuine(b, P256));
	bench_free(b);
}

static void a_replaced_certificate_gets_zeros(void **state)
{
	static const uint8_t lie[700] = {0x30, 0x82};
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);
	uint8_t genuine[CVTPM_CERTIFICATE_MAX_SIZE];
	size_t len;

	(void)state;
	bench_start(b);
	len = bench_nv(b, P256->certificate_index, genuine, sizeof genuine);
	replace_certificate(b, lie, sizeof lie);
	bench_reboot(b);
	assert_false(bench_report_is_genuine(b, P256));
	assert_int_equal(b->provider.reports, 3); /* none was asked for */
	assert_logged(b, "the EK certificate P-256 in NVRAM at 0x01C0000A is not the one");

	/* One bit is enough, and the same length is no help. */
	genuine[len - 1] ^= 1;
	replace_certificate(b, genuine, len);
	bench_reboot(b);
	assert_false(bench_report_is_genuine(b, P256));

	/* The genuine one put back is as good as ever. */
	genuine[len - 1] ^= 1;
	replace_certificate(b, genuine, len);
	bench_reboot(b);
	assert_true(bench_report_is_genuine(b, P256));
	bench_free(b);
}

static void a_removed_certificate_gets_zeros(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);

	(void)state;
	bench_start(b);
	assert_ok(tpm_nv_undefine_space(&b->client, TPM_RH_PLATFORM, P256->certificate_index));
	bench_reboot(b);
	assert_false(bench_report_is_genuine(b, P256));
	bench_free(b);
}

static void a_certificate_that_hides_from_the_owner_gets_zeros(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);
	struct tpm_nv_public public = {.index = P256->certificate_index, .name_alg = 0x000B};
	uint8_t genuine[CVTPM_CERTIFICATE_MAX_SIZE];

	(void)state;
	bench_start(b);
	public.size = (uint16_t)bench_nv(b, public.index, genuine, sizeof genuine);
	public.attributes = 0x02060006; /* the owner's: no platform may read it */
	assert_ok(tpm_nv_undefine_space(&b->client, TPM_RH_PLATFORM, public.index));
	assert_ok(tpm_nv_define_space(&b->client, TPM_RH_OWNER, &public));
	assert_ok(tpm_nv_write(&b->client, TPM_RH_OWNER, public.index, genuine, public.size));
	bench_reboot(b);
	assert_false(bench_report_is_genuine(b, P256));
	bench_free(b);
}

static void an_unavailable_amd_sp_leaves_zeros_and_a_lock(void **state)
{
	static const uint8_t old[64] = {1};
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);

	(void)state;
	bench_start(b);
	b->provider.fail_at = 1;
	bench_reboot(b);
	assert_false(bench_report_is_genuine(b, P256));
	assert_rc(b, tpm_nv_write(&b->client, TPM_RH_PLATFORM, P256->report_index, old, sizeof old),
		  0x148);
	b->provider.fail_at = 0;
	b->provider.lies = true; /* an answer over something else is none */
	bench_reboot(b);
	assert_false(bench_report_is_genuine(b, P256));
	b->provider.lies = false;
	bench_reboot(b);
	assert_true(bench_report_is_genuine(b, P256));

	bench_close(b);
	b->config.provider = NULL; /* moved to a machine without one */
	assert_ok(bench_open(b));
	assert_ok(tpm_startup(&b->client, TPM_SU_CLEAR));
	assert_false(bench_report_is_genuine(b, P256));
	assert_logged(b, "this TPM proves nothing");
	bench_free(b);
}

static void an_older_genuine_report_cannot_be_put_back(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);
	uint8_t old[SNP_REPORT_SIZE];

	(void)state;
	bench_start(b);
	bench_nv(b, P256->report_index, old, sizeof old);
	for (unsigned boot = 0; boot < 3; boot++) {
		static const uint32_t who[] = {TPM_RH_PLATFORM, TPM_RH_OWNER};

		b->provider.fail_at = boot == 1 ? 1 : 0; /* over zeros, too */
		bench_reboot(b);
		for (size_t i = 0; i < 2; i++)
			assert_rc(b,
				  tpm_nv_write(&b->client, who[i], P256->report_index, old,
					       sizeof old),
				  0x148);
		assert_int_equal(bench_report_is_genuine(b, P256), boot != 1);
	}
	bench_free(b);
}

static void a_cleared_ek_is_made_persistent_again(void **state)
{
	static const enum cvtpm_store_kind kinds[] = {CVTPM_STORE_MEMORY, CVTPM_STORE_PLAIN};

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct bench *b = bench_new(kinds[k]);

		bench_start(b);
		assert_ok(tpm_clear(&b->client, TPM_RH_PLATFORM));
		assert_false(is_at_its_handle(b));
		bench_reboot(b);
		assert_true(is_at_its_handle(b));
		assert_true(bench_report_is_genuine(b, P256));
		assert_logged(b, "EK P-256: made persistent again at 0x8101000A");

		assert_ok(tpm_evict_control(&b->client, TPM_RH_OWNER, P256->handle, P256->handle));
		bench_reboot(b);
		assert_true(is_at_its_handle(b));
		bench_free(b);
	}
}

static void with_an_owner_password_the_ek_stays_away_and_the_code_is_logged(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);

	(void)state;
	bench_start(b);
	assert_ok(tpm_evict_control(&b->client, TPM_RH_OWNER, P256->handle, P256->handle));
	assert_ok(tpm_hierarchy_change_auth(&b->client, TPM_RH_OWNER, (const uint8_t *)"mine", 4));
	assert_ok(cvtpm_instance_reset(b->instance));
	assert_ok(tpm_startup(&b->client, TPM_SU_CLEAR));
	assert_false(is_at_its_handle(b));
	assert_logged(b, "making persistent again the EK P-256: TPM2_EvictControl answered 0x9A2");
	/* The key is the same, and so is what the report says. */
	b->client.auth[0] = (struct tpm_auth){.value = (const uint8_t *)"mine", .len = 4};
	assert_true(bench_report_is_genuine(b, P256));
	bench_free(b);
}

static void with_an_endorsement_password_a_persistent_ek_is_enough(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);

	(void)state;
	bench_start(b);
	assert_ok(tpm_hierarchy_change_auth(&b->client, TPM_RH_ENDORSEMENT, (const uint8_t *)"mine",
					    4));
	bench_reboot(b);
	assert_true(bench_report_is_genuine(b, P256));
	assert_ok(tpm_evict_control(&b->client, TPM_RH_OWNER, P256->handle, P256->handle));
	bench_reboot(b); /* nothing shows the key any more */
	assert_false(bench_report_is_genuine(b, P256));
	assert_logged(b, "making again the EK P-256: TPM2_CreatePrimary answered 0x9A2");
	bench_free(b);
}

static void a_changed_seed_gets_no_report(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);

	(void)state;
	bench_start(b);
	assert_ok(tpm_change_eps(&b->client));
	assert_false(is_at_its_handle(b));
	bench_reboot(b);
	assert_false(bench_report_is_genuine(b, P256));
	assert_false(is_at_its_handle(b)); /* the new EK is nobody's */
	assert_logged(b, "the endorsement seed has changed");
	bench_free(b);
}

/* The guest's own key from the EK template, under another hierarchy, at the EK's handle. */
static void put_own_key(struct bench *b)
{
	uint8_t template[CVTPM_EK_PUBLIC_MAX_SIZE];
	size_t len = cvtpm_ek_template_write(P256, template);
	struct tpm_value area;
	uint32_t key;

	assert_ok(tpm_evict_control(&b->client, TPM_RH_OWNER, P256->handle, P256->handle));
	assert_ok(tpm_create_primary(&b->client, TPM_RH_OWNER, template, len, &key, &area));
	assert_ok(tpm_evict_control(&b->client, TPM_RH_OWNER, key, P256->handle));
	assert_ok(tpm_flush_context(&b->client, key));
}

static void another_key_at_the_handle_is_not_taken_for_the_ek(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);

	(void)state;
	bench_start(b);
	put_own_key(b);
	bench_reboot(b);
	assert_logged(b, "another key than EK P-256 is at 0x8101000A");
	assert_true(bench_report_is_genuine(b, P256)); /* the EK is still this TPM's */

	assert_ok(tpm_change_eps(&b->client));
	bench_reboot(b); /* the other key is there, the EK is not */
	assert_true(is_at_its_handle(b));
	assert_false(bench_report_is_genuine(b, P256));
	bench_free(b);
}

static void if_not_even_zeros_can_be_written_the_tpm_fails(void **state)
{
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);
	struct cvtpm_instance_info info;
	struct tpm_value random;
	unsigned last;

	(void)state;
	bench_start(b);
	last = b->store.commits;
	/* Startup itself commits; then something of the owner's does not. */
	for (unsigned n = 1; n <= 3; n++) {
		b->store.fail_at = 0;
		bench_close(b);
		assert_ok(bench_open(b));
		last = b->store.commits;
		b->store.fail_at = last + n;
		if (tpm_startup(&b->client, TPM_SU_CLEAR) == 0)
			fail_msg("commit %u failed and Startup succeeded", n);
		assert_true(tpm_get_random(&b->client, 8, &random) != 0);
		cvtpm_instance_get_info(b->instance, &info);
		if (info.started)
			assert_true(info.failed);
	}
	b->store.fail_at = 0;
	bench_reboot(b);
	assert_true(bench_report_is_genuine(b, P256));
	bench_free(b);
}

/* TPM2_Startup as bytes, at whatever locality and in whatever form: what succeeds
 * as a start is followed by the owner's work. */
static void whoever_sends_startup_the_owner_notices(void **state)
{
	static const uint8_t startup[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0};
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);
	uint8_t response[CVTPM_MAX_BUFFER_SIZE];
	unsigned reports;

	(void)state;
	bench_start(b);
	for (uint8_t locality = 0; locality <= 3; locality += 3) {
		size_t len = sizeof response;

		reports = b->provider.reports;
		assert_ok(cvtpm_instance_reset(b->instance));
		assert_ok(cvtpm_instance_execute(b->instance, locality, startup, sizeof startup,
						 response, &len));
		assert_int_equal(len, 10);
		assert_int_equal(response[9], 0);
		assert_int_equal(b->provider.reports, reports + 1);
	}
	assert_ok(cvtpm_instance_reset(b->instance));
	assert_ok(cvtpm_instance_startup(b->instance, false));
	assert_int_equal(b->provider.reports, reports + 2);
	assert_true(bench_report_is_genuine(b, P256));
	bench_free(b);
}

static void an_rsa_ek_is_looked_at_in_the_same_way(void **state)
{
	const struct cvtpm_ek_template *rsa = cvtpm_ek_template_of(CVTPM_EK_RSA2048);
	struct bench *b = bench_new(CVTPM_STORE_PLAIN);

	(void)state;
	b->config.eks = CVTPM_EK_RSA2048 | CVTPM_EK_P256;
	bench_start(b);
	assert_true(bench_report_is_genuine(b, rsa));
	assert_ok(tpm_clear(&b->client, TPM_RH_PLATFORM));
	bench_reboot(b);
	assert_true(bench_report_is_genuine(b, rsa));
	assert_true(bench_report_is_genuine(b, P256));
	assert_ok(tpm_nv_undefine_space(&b->client, TPM_RH_PLATFORM, P256->certificate_index));
	bench_reboot(b); /* each EK by itself */
	assert_true(bench_report_is_genuine(b, rsa));
	assert_false(bench_report_is_genuine(b, P256));
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_boot_has_its_own_report_over_the_same_certificate),
		cmocka_unit_test(a_restart_after_suspension_renews_as_a_reset_does),
		cmocka_unit_test(a_replaced_certificate_gets_zeros),
		cmocka_unit_test(a_removed_certificate_gets_zeros),
		cmocka_unit_test(a_certificate_that_hides_from_the_owner_gets_zeros),
		cmocka_unit_test(an_unavailable_amd_sp_leaves_zeros_and_a_lock),
		cmocka_unit_test(an_older_genuine_report_cannot_be_put_back),
		cmocka_unit_test(a_cleared_ek_is_made_persistent_again),
		cmocka_unit_test(with_an_owner_password_the_ek_stays_away_and_the_code_is_logged),
		cmocka_unit_test(with_an_endorsement_password_a_persistent_ek_is_enough),
		cmocka_unit_test(a_changed_seed_gets_no_report),
		cmocka_unit_test(another_key_at_the_handle_is_not_taken_for_the_ek),
		cmocka_unit_test(if_not_even_zeros_can_be_written_the_tpm_fails),
		cmocka_unit_test(whoever_sends_startup_the_owner_notices),
		cmocka_unit_test(an_rsa_ek_is_looked_at_in_the_same_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
