/* PIN indices (Part 2, 13.3). */
#include "nv_commands.h"

/* ---- PIN indices (Part 2, 13.3) ---- */

#define PIN_NV (TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA)

static void make_pin(struct rig *r, unsigned type, uint8_t count, uint8_t limit)
{
	const uint8_t data[8] = {0, 0, 0, count, 0, 0, 0, limit};
	TPMS_NV_PUBLIC public = public_of(PIN_NV | TYPE(type), 8);

	OK(define_as(r, TPM_RH_OWNER, &public, "1234"));
	OK(write_nv(r, data, 8, 0));
}

static tpm_rc try_pin(struct rig *r, const char *pin)
{
	struct client_session s = rig_session(r, TPM_SE_POLICY);
	struct PolicySecret_in in = {.authHandle = INDEX, .policySession = s.handle};
	tpm_rc rc;

	rig_password(r, 0, pin);
	rc = RIG_RUN(r, PolicySecret, &in, NULL);
	rig_flush(r, s.handle);
	return rc;
}

static uint32_t pin_count(struct rig *r)
{
	return (uint32_t)(value_of(r) >> 32);
}

static void NV_pin_fail_counts_failures(void **state)
{
	struct rig *r = *state;

	make_pin(r, TPM_NT_PIN_FAIL, 0, 3);
	OK(try_pin(r, "1234"));
	assert_int_equal(pin_count(r), 0);
	RC(try_pin(r, "0000"), RC_S(1, TPM_RC_BAD_AUTH));
	RC(try_pin(r, "0000"), RC_S(1, TPM_RC_BAD_AUTH));
	assert_int_equal(pin_count(r), 2);
	OK(try_pin(r, "1234"));
	assert_int_equal(pin_count(r), 0);
	for (unsigned i = 0; i < 3; i++)
		RC(try_pin(r, "0000"), RC_S(1, TPM_RC_BAD_AUTH));
	RC(try_pin(r, "1234"), TPM_RC_AUTH_UNAVAILABLE);
	POWER_LOSS(r);
	RC(try_pin(r, "1234"), TPM_RC_AUTH_UNAVAILABLE);
	OK(write_nv(r, "\0\0\0\0\0\0\0\3", 8, 0)); /* the owner lets it begin again */
	OK(try_pin(r, "1234"));
}

static void NV_pin_pass_counts_uses(void **state)
{
	struct rig *r = *state;

	make_pin(r, TPM_NT_PIN_PASS, 0, 2);
	RC(try_pin(r, "0000"), RC_S(1, TPM_RC_BAD_AUTH));
	assert_int_equal(pin_count(r), 0);
	OK(try_pin(r, "1234"));
	assert_int_equal(pin_count(r), 1);
	OK(try_pin(r, "1234"));
	RC(try_pin(r, "1234"), TPM_RC_AUTH_UNAVAILABLE);
	assert_int_equal(pin_count(r), 2);
}

static void NV_pin_is_unavailable_before_it_is_written(void **state)
{
	struct rig *r = *state;
	TPMS_NV_PUBLIC public = public_of(PIN_NV | TYPE(TPM_NT_PIN_FAIL), 8);

	OK(define_as(r, TPM_RH_OWNER, &public, "1234"));
	RC(try_pin(r, "1234"), TPM_RC_AUTH_UNAVAILABLE);
	RC(try_pin(r, "0000"), TPM_RC_AUTH_UNAVAILABLE);
}

/* Reading by the PIN itself counts as well. */
static void NV_pin_counts_for_every_command(void **state)
{
	struct rig *r = *state;
	struct NV_Read_out out;

	make_pin(r, TPM_NT_PIN_PASS, 0, 2);
	rig_password(r, 0, "1234");
	OK(read_as(r, INDEX, 8, 0, &out));
	assert_int_equal(pin_count(r), 1);
}

/* Neither a kill nor a failing store gives a PIN back. */
static void NV_pin_tries_are_durable_before_they_are_compared(void **state)
{
	struct rig *r = *state;

	NATIVE_ONLY(r);
	make_pin(r, TPM_NT_PIN_FAIL, 0, 3);
	RC(try_pin(r, "0000"), RC_S(1, TPM_RC_BAD_AUTH));
	rig_kill(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	assert_int_equal(pin_count(r), 1);
	r->fail_commits = 1;
	RC(try_pin(r, "1234"), TPM_RC_NV_UNAVAILABLE);
	r->fail_commits = 1;
	RC(try_pin(r, "0000"), TPM_RC_NV_UNAVAILABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(NV_pin_fail_counts_failures),
		OBJECT_TEST(NV_pin_pass_counts_uses),
		OBJECT_TEST(NV_pin_is_unavailable_before_it_is_written),
		OBJECT_TEST(NV_pin_counts_for_every_command),
		OBJECT_TEST(NV_pin_tries_are_durable_before_they_are_compared),
	};

	return cmocka_run_group_tests_name("tpm 31 PIN", tests, NULL, NULL);
}
