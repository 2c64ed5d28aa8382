/* The client's side of commands (src/tpm/encode.c): what it does with answers that are none. */
#include "objects.h"

#include <stdlib.h>

/* Decodes bytes as they stand, on the heap, so that nothing beyond them is read unseen. */
static tpm_rc decode(TPM_CC code, const uint8_t *bytes, size_t len,
		     const struct client_session *sessions, unsigned count)
{
	struct client_session mine[MAX_SESSION_NUM];
	union command_out *out = calloc(1, sizeof *out);
	uint8_t *copy = malloc(len ? len : 1);
	tpm_rc rc;

	assert_non_null(out);
	assert_non_null(copy);
	memcpy(copy, bytes, len);
	if (count)
		memcpy(mine, sessions, count * sizeof *mine);
	rc = response_decode(command_find(code), copy, len, mine, count, out);
	free(copy);
	free(out);
	return rc;
}

/* Every answer that is cut off, with and without a size that admits it, is malformed. */
static void cut(TPM_CC code, const uint8_t *bytes, size_t len,
		const struct client_session *sessions, unsigned count)
{
	uint8_t copy[4096];

	memcpy(copy, bytes, len);
	OK(decode(code, copy, len, sessions, count));
	for (size_t left = 0; left < len; left++) {
		RC(decode(code, bytes, left, sessions, count), ENCODE_MALFORMED);
		copy[4] = (uint8_t)(left >> 8);
		copy[5] = (uint8_t)left;
		RC(decode(code, copy, left, sessions, count), ENCODE_MALFORMED);
	}
	copy[4] = (uint8_t)((len + 1) >> 8); /* and one that has something after its end */
	copy[5] = (uint8_t)(len + 1);
	copy[len] = 0;
	RC(decode(code, copy, len + 1, sessions, count), ENCODE_MALFORMED);
}

static struct client_session keyed_session(struct rig *r)
{
	struct StartAuthSession_in in = {
		.tpmKey = TPM_RH_NULL,
		.bind = TPM_RH_OWNER,
		.nonceCaller.size = 32,
		.sessionType = TPM_SE_HMAC,
		.symmetric = {TPM_ALG_AES, {.aes = 128}, {.aes = TPM_ALG_CFB}},
		.authHash = TPM_ALG_SHA256};
	struct client_session s = {.attributes =
					   TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_ENCRYPT,
				   .authHash = TPM_ALG_SHA256,
				   .symmetric = in.symmetric,
				   .nonceCaller.size = 32};
	struct StartAuthSession_out out;

	OK(RIG_RUN(r, StartAuthSession, &in, &out));
	cut(TPM_CC_StartAuthSession, r->response, r->response_len, NULL, 0);
	s.handle = out.handle;
	s.nonceTPM = out.nonceTPM;
	OK(client_session_key(&s, (struct cvtpm_octets){"", 0}, (struct cvtpm_octets){NULL, 0}));
	assert_int_equal(s.sessionKey.size, 32);
	return s;
}

static void answers_that_are_cut_off(void **state)
{
	struct rig *r = *state;
	struct client_session s[2] = {
		{.handle = TPM_RS_PW, .attributes = TPMA_SESSION_CONTINUESESSION},
		keyed_session(r),
	};
	struct Create_in in = {.parentHandle = storage_primary(r),
			       .inSensitive.size = 4,
			       .inPublic.publicArea = rig_signing_template()};
	struct GetRandom_in random = {.bytesRequested = 16};
	TPM2B_NAME name = read_public(r, in.parentHandle).name;

	rig_name(r, 0, &name);
	rig_sessions(r, s, 2);
	OK(RIG_RUN(r, Create, &in, NULL));
	/* the rig has decrypted it in place: once more, in the clear */
	s[1].attributes = TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_AUDIT;
	s[1].nonceTPM = r->sessions[1].nonceTPM;
	rig_name(r, 0, &name);
	rig_sessions(r, s, 2);
	OK(RIG_RUN(r, Create, &in, NULL));
	cut(TPM_CC_Create, r->response, r->response_len, s, 2);
	OK(RIG_RUN(r, GetRandom, &random, NULL));
	cut(TPM_CC_GetRandom, r->response, r->response_len, NULL, 0);
	cut(TPM_CC_GetRandom, (const uint8_t[]){0x80, 1, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0}, 12, NULL,
	    0);
}

/* Each bit of an answer with an HMAC counts. */
static void answers_that_are_altered(void **state)
{
	struct rig *r = *state;
	struct client_session s = keyed_session(r);
	struct GetRandom_in in = {.bytesRequested = 16};

	s.attributes = TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_AUDIT;
	rig_sessions(r, &s, 1);
	OK(RIG_RUN(r, GetRandom, &in, NULL));
	OK(decode(TPM_CC_GetRandom, r->response, r->response_len, &s, 1));
	for (size_t i = 0; i < r->response_len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			tpm_rc rc;

			r->response[i] ^= (uint8_t)(1 << bit);
			rc = decode(TPM_CC_GetRandom, r->response, r->response_len, &s, 1);
			r->response[i] ^= (uint8_t)(1 << bit);
			assert_true(rc == ENCODE_MALFORMED || rc == ENCODE_HMAC);
			if (i >= 14 && i < 14 + 2 + 16) /* a parameter, whatever it says */
				assert_int_equal(rc, ENCODE_HMAC);
		}
	s.authHash = TPM_ALG_NULL; /* nothing that could check it */
	RC(decode(TPM_CC_GetRandom, r->response, r->response_len, &s, 1), ENCODE_MALFORMED);
}

/* Without a secret there is no HMAC, and the first parameter's size may say anything. */
static void a_hidden_answer_of_a_wrong_size(void **state)
{
	struct rig *r = *state;
	struct client_session s = rig_session(r, TPM_SE_HMAC);
	uint8_t bytes[] = {0x80, 2, 0,   0, 0, 22, 0, 0,
			   0,    0, 0,   0, 0, 3, /* bytes of parameters, whose size is: */
			   0,    1, 'x', 0, 0, 1,  0, 0};

	s.attributes = TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_ENCRYPT;
	s.symmetric = (TPMT_SYM_DEF){TPM_ALG_AES, {.aes = 128}, {.aes = TPM_ALG_CFB}};
	OK(decode(TPM_CC_GetRandom, bytes, sizeof bytes, &s, 1));
	bytes[15] = 2;
	RC(decode(TPM_CC_GetRandom, bytes, sizeof bytes, &s, 1), ENCODE_MALFORMED);
	bytes[15] = 1;
	s = (struct client_session){.handle = TPM_RS_PW};
	OK(decode(TPM_CC_GetRandom, bytes, sizeof bytes, &s, 1));
	bytes[13] = 0; /* a password is answered with nothing: here is a nonce */
	memcpy(bytes + 14, "\0\3abc\0\0\0", 8);
	RC(decode(TPM_CC_GetRandom, bytes, sizeof bytes, &s, 1), ENCODE_MALFORMED);
}

static void errors_have_nothing_besides(void **state)
{
	uint8_t bytes[] = {0x80, 1, 0, 0, 0, 10, 0, 0, 1, 1, 0};

	(void)state;
	RC(decode(TPM_CC_GetRandom, bytes, 10, NULL, 0), TPM_RC_FAILURE);
	bytes[0] = 0, bytes[1] = TPM_ST_RSP_COMMAND;
	RC(decode(TPM_CC_GetRandom, bytes, 10, NULL, 0), TPM_RC_FAILURE);
	bytes[0] = 0x80, bytes[1] = 2;
	RC(decode(TPM_CC_GetRandom, bytes, 10, NULL, 0), ENCODE_MALFORMED);
	bytes[1] = 1;
	bytes[5] = 11;
	RC(decode(TPM_CC_GetRandom, bytes, 11, NULL, 0), ENCODE_MALFORMED);
}

/* ---- commands ---- */

static size_t encode(const struct StirRandom_in *in, const struct client_session *sessions,
		     unsigned count, size_t capacity)
{
	uint8_t *bytes = malloc(capacity ? capacity : 1);
	size_t len;

	assert_non_null(bytes);
	len = command_encode(command_find(TPM_CC_StirRandom), in, sessions, count, NULL, bytes,
			     capacity);
	free(bytes);
	return len;
}

static void commands_that_do_not_fit(void **state)
{
	struct rig *r = *state;
	struct client_session s = keyed_session(r);
	struct StirRandom_in in = {.inData = {8, "whatever"}};
	size_t plain = encode(&in, NULL, 0, 4096), with = encode(&in, &s, 1, 4096);

	assert_int_equal(plain, 10 + 2 + 8);
	assert_int_equal(with, 10 + 4 + 4 + 2 + 32 + 1 + 2 + 32 + 2 + 8);
	for (size_t capacity = 0; capacity < plain; capacity++)
		assert_int_equal(encode(&in, NULL, 0, capacity), 0);
	for (size_t capacity = 0; capacity < with; capacity++)
		assert_int_equal(encode(&in, &s, 1, capacity), 0);
	assert_int_equal(encode(&in, NULL, 0, plain), plain);
}

static void sessions_that_are_none(void **state)
{
	struct rig *r = *state;
	struct client_session s = keyed_session(r);
	struct StirRandom_in in = {.inData = {8, "whatever"}};
	uint8_t salt[4 * MAX_DIGEST_SIZE + 1] = {0};

	s.authHash = TPM_ALG_NULL; /* no hash: no HMAC, and nothing can be hidden */
	assert_int_equal(encode(&in, &s, 1, 4096), 0);
	s.attributes |= TPMA_SESSION_DECRYPT;
	assert_int_equal(encode(&in, &s, 1, 4096), 0);
	s.authHash = TPM_ALG_SHA256;
	assert_int_not_equal(encode(&in, &s, 1, 4096), 0);
	RC(client_session_key(&s, (struct cvtpm_octets){"", 0},
			      (struct cvtpm_octets){salt, sizeof salt}),
	   CVTPM_ERR_SIZE);
	OK(client_session_key(&s, (struct cvtpm_octets){NULL, 0}, (struct cvtpm_octets){NULL, 0}));
	assert_int_equal(s.sessionKey.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBJECT_TEST(answers_that_are_cut_off),
		OBJECT_TEST(answers_that_are_altered),
		OBJECT_TEST(a_hidden_answer_of_a_wrong_size),
		OBJECT_TEST(errors_have_nothing_besides),
		OBJECT_TEST(commands_that_do_not_fit),
		OBJECT_TEST(sessions_that_are_none),
	};

	return cmocka_run_group_tests_name("tpm encode", tests, NULL, NULL);
}
