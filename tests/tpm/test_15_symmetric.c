/* Part 3, 15: Hash, HMAC. */
#include "keys.h"

static tpm_rc run_hash(struct rig *r, const char *text, TPM_ALG_ID alg, TPM_HANDLE hierarchy,
		       struct Hash_out *out)
{
	struct Hash_in in = {.hashAlg = alg, .hierarchy = hierarchy};

	buffer_set(&in.data, text);
	rig_no_sessions(r);
	return RIG_RUN(r, Hash, &in, out);
}

/* 15.4: every hash there is. */
static void hash_is_the_hash(void **state)
{
	static const TPM_ALG_ID algs[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384,
					  TPM_ALG_SHA512};
	struct rig *r = *state;
	struct Hash_out out;

	for (size_t i = 0; i < 4; i++) {
		TPM2B_DIGEST want = digest_of(algs[i], "abc", 3);

		OK(run_hash(r, "abc", algs[i], TPM_RH_NULL, &out));
		assert_int_equal(out.outHash.size, want.size);
		assert_memory_equal(out.outHash.buffer, want.buffer, want.size);
	}
	OK(run_hash(r, "", TPM_ALG_SHA256, TPM_RH_NULL, &out));
	RC(run_hash(r, "abc", TPM_ALG_NULL, TPM_RH_NULL, &out), RC_P(2, TPM_RC_HASH));
	RC(run_hash(r, "abc", 0x00FF, TPM_RH_NULL, &out), RC_P(2, TPM_RC_HASH));
	RC(run_hash(r, "abc", TPM_ALG_SHA256, TPM_RH_LOCKOUT, &out), RC_P(3, TPM_RC_VALUE));
}

static void no_ticket(const TPMT_TK_HASHCHECK *ticket)
{
	assert_int_equal(ticket->tag, TPM_ST_HASHCHECK);
	assert_int_equal(ticket->hierarchy, TPM_RH_NULL);
	assert_int_equal(ticket->digest.size, 0);
}

/* 15.4: a ticket, unless nobody wants one, or the data begins as an attestation does. */
static void hash_gives_a_ticket_for_what_is_safe(void **state)
{
	struct rig *r = *state;
	struct Hash_out out, other;

	OK(run_hash(r, "\xffTCH...", TPM_ALG_SHA256, TPM_RH_OWNER, &out));
	assert_int_equal(out.validation.tag, TPM_ST_HASHCHECK);
	assert_int_equal(out.validation.hierarchy, TPM_RH_OWNER);
	assert_true(out.validation.digest.size > 0);
	OK(run_hash(r, "\xffTCH...", TPM_ALG_SHA256, TPM_RH_PLATFORM, &other));
	assert_memory_not_equal(out.validation.digest.buffer, other.validation.digest.buffer, 32);
	OK(run_hash(r, "\xffTCG...", TPM_ALG_SHA256, TPM_RH_OWNER, &out));
	no_ticket(&out.validation);
	OK(run_hash(r, "\xffTCG", TPM_ALG_SHA256, TPM_RH_OWNER, &out));
	no_ticket(&out.validation);
	OK(run_hash(r, "\xffTC", TPM_ALG_SHA256, TPM_RH_OWNER, &out)); /* cannot be one */
	assert_true(out.validation.digest.size > 0);
	OK(run_hash(r, "abc", TPM_ALG_SHA256, TPM_RH_NULL, &out));
	no_ticket(&out.validation);
}

static tpm_rc run_hmac(struct rig *r, TPM_HANDLE key, TPM_ALG_ID alg, const char *text,
		       struct HMAC_out *out)
{
	struct HMAC_in in = {.handle_ = key, .hashAlg = alg};

	buffer_set(&in.buffer, text);
	return RIG_RUN(r, HMAC, &in, out);
}

#define HMAC_KEY (TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_SIGN)

/* RFC 4231, test case 2. */
static void hmac_of_rfc_4231(void **state)
{
	static const uint8_t want[32] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
					 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
					 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
					 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
	struct rig *r = *state;
	struct key k = make_hmac(r, HMAC_KEY, TPM_ALG_SHA256, "Jefe");
	struct HMAC_out out;

	OK(run_hmac(r, k.handle, TPM_ALG_NULL, "what do ya want for nothing?", &out));
	assert_int_equal(out.outHMAC.size, sizeof want);
	assert_memory_equal(out.outHMAC.buffer, want, sizeof want);
}

/* Table 76: which hash. */
static void hmac_hash_is_the_keys_or_the_commands(void **state)
{
	struct rig *r = *state;
	struct key fixed = make_hmac(r, HMAC_KEY, TPM_ALG_SHA256, "secret");
	struct key open = make_hmac(r, HMAC_KEY | TPMA_OBJECT_DECRYPT, TPM_ALG_NULL, "secret");
	struct HMAC_out out;

	OK(run_hmac(r, fixed.handle, TPM_ALG_SHA256, "x", &out));
	RC(run_hmac(r, fixed.handle, TPM_ALG_SHA384, "x", &out), RC_P(2, TPM_RC_VALUE));
	OK(run_hmac(r, open.handle, TPM_ALG_SHA384, "x", &out));
	assert_int_equal(out.outHMAC.size, 48);
	RC(run_hmac(r, open.handle, TPM_ALG_NULL, "x", &out), RC_P(2, TPM_RC_VALUE));
	RC(run_hmac(r, open.handle, TPM_ALG_AES, "x", &out),
	   RC_P(2, on_libtpms(r) ? TPM_RC_SYMMETRIC : TPM_RC_HASH));
}

/* 15.5: an unrestricted keyedHash object that signs. */
static void hmac_wants_the_right_key(void **state)
{
	struct rig *r = *state;
	struct key restricted =
		make_hmac(r, HMAC_KEY | TPMA_OBJECT_RESTRICTED, TPM_ALG_SHA256, "secret");
	struct key sealed =
		make_hmac(r, HMAC_KEY & ~(uint32_t)TPMA_OBJECT_SIGN, TPM_ALG_NULL, "data");
	TPMT_PUBLIC ecc = rig_signing_template();
	struct key e;
	struct HMAC_out out;

	RC(run_hmac(r, restricted.handle, TPM_ALG_NULL, "x", &out), RC_H(1, TPM_RC_ATTRIBUTES));
	RC(run_hmac(r, sealed.handle, TPM_ALG_SHA256, "x", &out), RC_H(1, TPM_RC_KEY));
	rig_flush(r, sealed.handle);
	e = make_primary(r, TPM_RH_OWNER, &ecc, "");
	RC(run_hmac(r, e.handle, TPM_ALG_SHA256, "x", &out), RC_H(1, TPM_RC_TYPE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hash_is_the_hash),         TEST(hash_gives_a_ticket_for_what_is_safe),
		TEST(hmac_of_rfc_4231),         TEST(hmac_hash_is_the_keys_or_the_commands),
		TEST(hmac_wants_the_right_key),
	};

	return cmocka_run_group_tests_name("Part 3, 15", tests, NULL, NULL);
}
