/*
 * Messages taken apart: of every command of the table, as it should be and spoilt, the
 * decoder says what the engine's reader says, and leaves no byte out. And what is hidden.
 */
#include "reference.h"
#include "tpm/encode.h"
#include "trace/codes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SPOILT_OF_EACH 400

static uint64_t state;

static uint32_t pick(uint32_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % below;
}

/* The first value that a type allows, everywhere. */
static void fill(const struct type *type, uint8_t *to)
{
	const struct type *t = type_resolve(type);
	uint64_t value = 0;

	if (t->kind == TYPE_VALUES || t->kind == TYPE_RANGES)
		value = t->values[0];
	switch (t->kind) {
	case TYPE_VALUES:
	case TYPE_RANGES:
		memcpy(to, &value,
		       t->size); /* of a little-endian machine, as the tests are run on */
		break;
	case TYPE_SELECT:
		to[0] = (uint8_t)t->min;
		break;
	case TYPE_SIZED:
		fill(t->element, to + (t->element->align > 2 ? t->element->align : 2));
		break;
	case TYPE_LIST:
		*(uint32_t *)(void *)to = 1 > t->min ? 1 : t->min;
		for (uint32_t i = 0; i < *(uint32_t *)(void *)to; i++)
			fill(t->element, to + (t->element->align > 4 ? t->element->align : 4) +
						 i * t->element->size);
		break;
	case TYPE_STRUCTURE:
		for (unsigned n = 0; t->fields[n].type; n++) {
			const struct field *f = &t->fields[n];
			const struct type *by = type_resolve(t->fields[f->selector].type);
			const struct type_case *c;

			value = 0;
			memcpy(&value, to + field_offset(t->fields, f->selector), by->size & 7);
			c = f->kind == FIELD_SELECTED ? type_find_case(f->type, value) : NULL;
			if (f->kind != FIELD_SELECTED)
				fill(f->type, to + field_offset(t->fields, n));
			else if (c && c->type)
				fill(c->type, to + field_offset(t->fields, n));
		}
		break;
	default:
		break;
	}
}

/* A command with everything that its type may hold, and `sessions` password sessions. */
static size_t make_command(const struct command *c, unsigned sessions, uint8_t *out,
			   size_t capacity)
{
	const struct client_session password = {.handle = TPM_RS_PW,
						.auth = {4, "abcd"},
						.attributes = TPMA_SESSION_CONTINUESESSION};
	const struct client_session all[MAX_SESSION_NUM] = {password, password, password};
	union command_in *in = calloc(1, sizeof *in);
	size_t len;

	assert_non_null(in);
	for (unsigned n = 0; c->handles[n].type; n++)
		fill(c->handles[n].type, (uint8_t *)&in->handle[n]);
	for (unsigned n = 0; c->in[n].type; n++)
		fill(c->in[n].type, (uint8_t *)IN_FIELDS(in) + field_offset(c->in, n));
	len = command_encode(c, in, all, sessions, NULL, out, capacity);
	free(in);
	return len;
}

static void check(const uint8_t *bytes, size_t len)
{
	struct trace_message m;
	const tpm_rc expected = reference_read(bytes, len);
	const char *wrong;

	trace_decode_command(NULL, bytes, len, &m);
	wrong = reference_check_nodes(&m);
	if (wrong)
		fail_msg("%s, %zu bytes: %s", m.command ? m.command->name : "?", len, wrong);
	if (m.malformed != (expected != 0) || (m.malformed && m.rc != expected))
		fail_msg("%s, %zu bytes: the engine says %#x, the decoder %#x",
			 m.command ? m.command->name : "?", len, expected, m.malformed ? m.rc : 0);
	trace_message_free(&m);
}

static void every_command_is_decoded_as_the_engine_reads_it(void **unused)
{
	uint8_t bytes[4096], spoilt[4096];

	(void)unused;
	for (size_t i = 0; i < command_count; i++) {
		const unsigned sessions = commands[i]->flags & CC_NO_SESSIONS ? 0 : i % 4;
		const size_t len = make_command(commands[i], sessions, bytes, sizeof bytes);

		assert_true(len >= TRACE_HEADER_SIZE);
		assert_int_equal(reference_read(bytes, len), 0);
		check(bytes, len);
		for (size_t cut = 0; cut < len; cut++)
			check(bytes, cut);
		state = commands[i]->code;
		for (unsigned n = 0; n < SPOILT_OF_EACH; n++) {
			size_t length = len;

			memcpy(spoilt, bytes, len);
			for (unsigned changes = 1 + pick(3); changes; changes--)
				spoilt[pick((uint32_t)len)] =
					(uint8_t)(pick(2) ? pick(256) : pick(4));
			if (pick(4) == 0) { /* a wrong size hides everything else, so it is right */
				length -= pick((uint32_t)(len - TRACE_HEADER_SIZE) + 1);
				spoilt[0] = pick(8) ? 0x80 : 0;
				spoilt[4] = (uint8_t)(length >> 8);
				spoilt[5] = (uint8_t)length;
			}
			check(spoilt, length);
		}
	}
}

/* ---- secrets ---- */

static size_t count(const uint8_t *bytes, size_t len, const char *text)
{
	size_t found = 0, n = strlen(text);

	for (size_t i = 0; i + n <= len; i++)
		found += memcmp(bytes + i, text, n) == 0;
	return found;
}

static void a_password_and_new_values_are_blanked_and_nothing_else(void **unused)
{
	struct HierarchyChangeAuth_in in = {.authHandle = TPM_RH_OWNER, .newAuth = {5, "nouvo"}};
	const struct client_session s = {.handle = TPM_RS_PW, .auth = {4, "alt!"}};
	const struct command *c = command_find(TPM_CC_HierarchyChangeAuth);
	uint8_t bytes[200], blank[200];
	size_t len = command_encode(c, &in, &s, 1, NULL, bytes, sizeof bytes), differing = 0;
	struct trace_message m;

	(void)unused;
	memcpy(blank, bytes, len);
	trace_decode_command(NULL, bytes, len, &m);
	trace_message_blank(&m, blank);
	trace_message_free(&m);
	for (size_t i = 0; i < len; i++) {
		differing += bytes[i] != blank[i];
		assert_true(blank[i] == bytes[i] || blank[i] == 0);
	}
	assert_int_equal(differing, 9);
	assert_int_equal(count(blank, len, "nouvo") + count(blank, len, "alt!"), 0);
}

/* Which of the two is the plaintext depends on `decrypt`: neither is shown. */
static void what_is_encrypted_or_decrypted_is_blanked(void **unused)
{
	const struct EncryptDecrypt_in first = {.keyHandle = 0x80000000,
						.mode = TPM_ALG_CFB,
						.ivIn = {16, "the iv, is shown"},
						.inData = {9, "plaintext"}};
	const struct EncryptDecrypt2_in second = {.keyHandle = 0x80000000,
						  .mode = TPM_ALG_CFB,
						  .ivIn = {16, "the iv, is shown"},
						  .inData = {9, "plaintext"}};
	static const uint8_t answer[] = {0x80, 2,  0, 0,   0,   35,  0,   0,   0,   0,   0,   0,
					 0,    16, 0, 9,   'd', 'e', 'c', 'r', 'y', 'p', 't', 'e',
					 'd',  0,  3, 'i', 'v', '2', 0,   0,   1,   0,   0};
	const struct client_session s = {.handle = TPM_RS_PW};

	(void)unused;
	for (int n = 0; n < 2; n++) {
		const struct command *c =
			command_find(n ? TPM_CC_EncryptDecrypt2 : TPM_CC_EncryptDecrypt);
		const void *in = n ? (const void *)&second : (const void *)&first;
		uint8_t bytes[200], reply[sizeof answer];
		size_t len = command_encode(c, in, &s, 1, NULL, bytes, sizeof bytes);
		struct trace_message m, r;

		memcpy(reply, answer, sizeof answer);
		assert_int_equal(count(bytes, len, "plaintext"), 1);
		trace_decode_command(NULL, bytes, len, &m);
		trace_decode_response(&m, answer, sizeof answer, &r);
		assert_false(m.malformed || r.malformed);
		trace_message_blank(&m, bytes);
		trace_message_blank(&r, reply);
		trace_message_free(&m);
		trace_message_free(&r);
		assert_int_equal(count(bytes, len, "plaintext"), 0);
		assert_int_equal(count(bytes, len, "the iv, is shown"), 1);
		assert_int_equal(count(reply, sizeof reply, "decrypted"), 0);
		assert_int_equal(count(reply, sizeof reply, "iv2"), 1);
	}
}

static void what_does_not_decode_keeps_its_header_alone(void **unused)
{
	static const uint8_t vendor[] = {0x80, 0x02, 0,   0,   0,   16,  0x20, 0,
					 0,    1,    's', 'e', 'c', 'r', 'e',  't'};
	uint8_t blank[sizeof vendor];
	struct trace_message m;

	(void)unused;
	for (size_t len = 0; len <= sizeof vendor; len++) {
		memcpy(blank, vendor, sizeof vendor);
		trace_decode_command(NULL, vendor, len, &m);
		trace_message_blank(&m, blank);
		trace_message_free(&m);
		if (len > TRACE_HEADER_SIZE)
			assert_memory_equal(blank, vendor, TRACE_HEADER_SIZE);
		for (size_t i = TRACE_HEADER_SIZE; i < len; i++)
			assert_int_equal(blank[i], 0);
	}
}

/* A policy session's HMAC in a command, as it is after the context has learned. */
static bool hmac_is_hidden(const struct trace_context *context, TPM_HANDLE session)
{
	const struct command *c = command_find(TPM_CC_Unseal);
	struct Unseal_in in = {.itemHandle = 0x80000000};
	const struct client_session s = {.handle = session, .password = true, .auth = {4, "pass"}};
	uint8_t bytes[200];
	const size_t len = command_encode(c, &in, &s, 1, NULL, bytes, sizeof bytes);
	struct trace_message m;
	bool hidden = false;

	trace_decode_command(context, bytes, len, &m);
	assert_false(m.malformed);
	for (size_t i = 0; i < m.count; i++)
		if (m.nodes[i].name && strcmp(m.nodes[i].name, "hmac") == 0)
			hidden = m.nodes[i].secret;
	trace_message_free(&m);
	return hidden;
}

static void learn(struct trace_context *context, TPM_CC code, const void *in, const void *response,
		  size_t response_len)
{
	uint8_t bytes[200];
	const size_t len =
		command_encode(command_find(code), in, NULL, 0, NULL, bytes, sizeof bytes);
	struct trace_message c, r;

	trace_decode_command(context, bytes, len, &c);
	trace_decode_response(&c, response, response_len, &r);
	assert_false(c.malformed || r.malformed);
	trace_learn(context, &c, response ? &r : NULL, 1);
	trace_message_free(&c);
	trace_message_free(&r);
}

static void a_policy_sessions_hmac_is_shown_only_where_it_is_none_of_a_password(void **unused)
{
	static const uint8_t started[] = {0x80, 1, 0, 0, 0, 16, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0};
	static const uint8_t done[] = {0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0};
	static const uint8_t refused[] = {0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x26};
	const struct StartAuthSession_in start = {.tpmKey = TPM_RH_NULL,
						  .bind = TPM_RH_NULL,
						  .sessionType = TPM_SE_POLICY,
						  .symmetric = {.algorithm = TPM_ALG_NULL},
						  .authHash = TPM_ALG_SHA256};
	const struct PolicyPassword_in policy = {.policySession = 0x03000000};
	struct trace_context context = {0};

	(void)unused;
	assert_true(hmac_is_hidden(NULL, 0x03000000)); /* it began before the trace */
	assert_false(hmac_is_hidden(NULL, 0x02000000));
	learn(&context, TPM_CC_StartAuthSession, &start, started, sizeof started);
	assert_false(hmac_is_hidden(&context, 0x03000000));
	learn(&context, TPM_CC_PolicyPassword, &policy, refused, sizeof refused);
	assert_true(hmac_is_hidden(&context, 0x03000000));
	learn(&context, TPM_CC_PolicyAuthValue, &policy, refused, sizeof refused);
	assert_true(hmac_is_hidden(&context, 0x03000000));
	learn(&context, TPM_CC_PolicyAuthValue, &policy, done, sizeof done);
	assert_false(hmac_is_hidden(&context, 0x03000000));
	learn(&context, TPM_CC_PolicyPassword, &policy, done, sizeof done);
	assert_true(hmac_is_hidden(&context, 0x03000000));
	learn(&context, TPM_CC_PolicyRestart, &policy, done, sizeof done);
	assert_false(hmac_is_hidden(&context, 0x03000000));
	/* A later session under the same handle is another one. */
	learn(&context, TPM_CC_PolicyPassword, &policy, done, sizeof done);
	learn(&context, TPM_CC_StartAuthSession, &start, started, sizeof started);
	assert_false(hmac_is_hidden(&context, 0x03000000));
}

/* ---- response codes ---- */

static void every_code_of_the_specification_has_a_name_and_what_it_is_about(void **unused)
{
	static const struct {
		uint32_t code;
		const char *name, *about;
	} codes[] = {
		{0, "TPM_RC_SUCCESS", ""},
		{0x01E, "TPM_RC_BAD_TAG", ""},
		{RC_S(1, TPM_RC_AUTH_FAIL), "TPM_RC_AUTH_FAIL", "session 1"},
		{RC_P(2, TPM_RC_VALUE), "TPM_RC_VALUE", "parameter 2 (inPublic)"},
		{RC_P(15, TPM_RC_VALUE), "TPM_RC_VALUE", "parameter 15"},
		{RC_H(1, TPM_RC_HANDLE), "TPM_RC_HANDLE", "handle 1 (parentHandle)"},
		{RC_H(3, TPM_RC_HANDLE), "TPM_RC_HANDLE", "handle 3"},
		{TPM_RC_SIZE, "TPM_RC_SIZE", ""},
		{TPM_RC_REFERENCE_H0 + 1, "TPM_RC_REFERENCE_H1", "handle 2"},
		{TPM_RC_REFERENCE_S0, "TPM_RC_REFERENCE_S0", "session 1"},
		{TPM_RC_LOCKOUT, "TPM_RC_LOCKOUT", ""},
		{0x123, "0x123", ""},
		{0xFFFFFFFF, "0xffffffff", ""},
		{0xB0000 + RC_H(1, TPM_RC_HANDLE), "TPM_RC_HANDLE", "handle 1 (parentHandle)"},
	};
	const struct command *create = command_find(TPM_CC_Create);

	(void)unused;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		struct trace_code code;
		char about[80];

		trace_code(codes[i].code, &code);
		trace_code_about(&code, create, about, sizeof about);
		assert_string_equal(code.name, codes[i].name);
		assert_string_equal(about, codes[i].about);
		assert_true((code.name[0] == '0') == (code.meaning[0] == 0));
	}
	for (uint32_t code = 0; code < 0x2000; code++) { /* no code is too strange */
		struct trace_code c;
		char about[80];

		trace_code(code, &c);
		trace_code_about(&c, create, about, sizeof about);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_is_decoded_as_the_engine_reads_it),
		cmocka_unit_test(a_password_and_new_values_are_blanked_and_nothing_else),
		cmocka_unit_test(what_is_encrypted_or_decrypted_is_blanked),
		cmocka_unit_test(what_does_not_decode_keeps_its_header_alone),
		cmocka_unit_test(
			a_policy_sessions_hmac_is_shown_only_where_it_is_none_of_a_password),
		cmocka_unit_test(every_code_of_the_specification_has_a_name_and_what_it_is_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
