/*
 * What the engine refuses, code by code, where the tests of the chapters do not come by
 * (codes.def): policies and NV (Part 3, 23 and 31).
 */
#include "nv_commands.h"

#define ONLY_BY_ITSELF (TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA)

static TPM_HANDLE policy(struct rig *r)
{
	return start_policy(r, TPM_SE_POLICY, TPM_ALG_SHA256);
}

/* INDEX, written, and locked for reading. */
static void define_locked(struct rig *r, uint16_t size)
{
	static const uint8_t data[64];

	OK(define(r, PLAIN_NV | TPMA_NV_READ_STCLEAR, size));
	OK(write_nv(r, data, size, 0));
	OK(read_lock(r, TPM_RH_OWNER));
}

/* ---- 23.3 ---- */

/* The public part of an HMAC key verifies nothing. */
static void policy_signed_23_3_by_a_key_without_its_secret(void **state)
{
	struct rig *r = *state;
	struct key hmac =
		make_hmac(r, TPMA_OBJECT_SIGN | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
			  TPM_ALG_SHA256, "secret");
	struct PolicySigned_in in = {.authObject =
					     load_public(r, &hmac.public, TPM_RH_OWNER).handle,
				     .policySession = policy(r),
				     .auth.sigAlg = TPM_ALG_HMAC};

	in.auth.signature.hmac.hashAlg = TPM_ALG_SHA256;
	RC(RIG_RUN(r, PolicySigned, &in, NULL), RC_P(5, TPM_RC_HANDLE));
}

/* ---- 23.4, 23.5: the checks of 23.2.2 ---- */

static void policy_secret_23_4_parameters(void **state)
{
	struct rig *r = *state;
	struct PolicySecret_in in = {.authHandle = TPM_RH_OWNER, .policySession = policy(r)};

	in.nonceTPM.size = 16;
	memset(in.nonceTPM.buffer, 0xA5, 16);
	RC(RIG_RUN(r, PolicySecret, &in, NULL), RC_P(1, TPM_RC_NONCE));
	in.nonceTPM.size = 0;
	in.cpHashA.size = 20;
	RC(RIG_RUN(r, PolicySecret, &in, NULL), RC_P(2, TPM_RC_SIZE));
	in.cpHashA.size = 32;
	OK(RIG_RUN(r, PolicySecret, &in, NULL));
	in.cpHashA.buffer[0] = 1;
	RC(RIG_RUN(r, PolicySecret, &in, NULL), TPM_RC_CPHASH);
}

static void policy_ticket_23_5_parameters(void **state)
{
	struct rig *r = *state;
	struct PolicyTicket_in in = {.policySession = policy(r),
				     .timeout.size = 8,
				     .cpHashA.size = 20,
				     .ticket = {TPM_ST_AUTH_SIGNED, TPM_RH_OWNER, {.size = 0}}};
	struct PolicyCpHash_in bind = {.policySession = in.policySession, .cpHashA.size = 32};

	RC(RIG_RUN(r, PolicyTicket, &in, NULL), RC_P(2, TPM_RC_SIZE));
	OK(RIG_RUN(r, PolicyCpHash, &bind, NULL));
	in.cpHashA.size = 32;
	in.cpHashA.buffer[0] = 1;
	RC(RIG_RUN(r, PolicyTicket, &in, NULL), TPM_RC_CPHASH);
}

/* ---- 23.9, 23.22 ---- */

static void policy_nv_23_9_without_leave_to_read(void **state)
{
	struct rig *r = *state;
	struct PolicyNV_in in = {
		.authHandle = TPM_RH_OWNER, .nvIndex = INDEX, .policySession = policy(r)};

	OK(define(r, ONLY_BY_ITSELF, 8));
	RC(RIG_RUN(r, PolicyNV, &in, NULL), TPM_RC_NV_AUTHORIZATION);
	OK(undefine(r, TPM_RH_OWNER, INDEX));
	define_locked(r, 8);
	RC(RIG_RUN(r, PolicyNV, &in, NULL), TPM_RC_NV_LOCKED);
}

static void policy_authorize_nv_23_22_of_a_locked_index(void **state)
{
	struct rig *r = *state;
	struct PolicyAuthorizeNV_in in = {
		.authHandle = TPM_RH_OWNER, .nvIndex = INDEX, .policySession = policy(r)};

	define_locked(r, 34);
	RC(RIG_RUN(r, PolicyAuthorizeNV, &in, NULL), TPM_RC_NV_LOCKED);
}

/* ---- 31.9, 31.16 ---- */

static void nv_extend_31_9_without_leave_to_write(void **state)
{
	struct rig *r = *state;

	OK(define(r, ONLY_BY_ITSELF | TYPE(TPM_NT_EXTEND), 32));
	RC(extend(r, "x"), TPM_RC_NV_AUTHORIZATION);
}

static void nv_certify_31_16_without_leave_to_read(void **state)
{
	struct rig *r = *state;
	struct NV_Certify_in in = {.signHandle = TPM_RH_NULL,
				   .authHandle = TPM_RH_OWNER,
				   .nvIndex = INDEX,
				   .inScheme.scheme = TPM_ALG_NULL,
				   .size = 8};

	OK(define(r, ONLY_BY_ITSELF, 8));
	RC(RIG_RUN(r, NV_Certify, &in, NULL), TPM_RC_NV_AUTHORIZATION);
	OK(undefine(r, TPM_RH_OWNER, INDEX));
	define_locked(r, 8);
	RC(RIG_RUN(r, NV_Certify, &in, NULL), TPM_RC_NV_LOCKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(policy_signed_23_3_by_a_key_without_its_secret),
		OBJECT_TEST(policy_secret_23_4_parameters),
		OBJECT_TEST(policy_ticket_23_5_parameters),
		OBJECT_TEST(policy_nv_23_9_without_leave_to_read),
		OBJECT_TEST(policy_authorize_nv_23_22_of_a_locked_index),
		OBJECT_TEST(nv_extend_31_9_without_leave_to_write),
		OBJECT_TEST(nv_certify_31_16_without_leave_to_read),
	};

	return cmocka_run_group_tests_name("codes of policies and NV", tests, NULL, NULL);
}
