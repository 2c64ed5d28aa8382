/* The command client against bytes written by hand from Part 3, and against hostile answers. */
#include "cvtpm/err.h"
#include "manufacture/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A TPM that answers what it was told to and keeps what it was asked. */
struct canned {
	const uint8_t *answer;
	size_t answer_len;
	uint8_t asked[CVTPM_MAX_BUFFER_SIZE];
	size_t asked_len;
	int err;
	struct tpm_client client;
};

static int execute(void *context, const uint8_t *command, size_t command_len, uint8_t *response,
		   size_t *response_len)
{
	struct canned *c = context;

	memcpy(c->asked, command, command_len);
	c->asked_len = command_len;
	if (c->err)
		return c->err;
	memcpy(response, c->answer, c->answer_len);
	*response_len = c->answer_len;
	return 0;
}

static int setup(void **state)
{
	struct canned *c = calloc(1, sizeof *c);

	tpm_client_begin(&c->client, execute, c);
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

#define ANSWER(c, ...)                                                                             \
	do {                                                                                       \
		static const uint8_t bytes_[] = {__VA_ARGS__};                                     \
		(c)->answer = bytes_;                                                              \
		(c)->answer_len = sizeof bytes_;                                                   \
	} while (0)

#define ASKED(c, ...)                                                                              \
	do {                                                                                       \
		static const uint8_t bytes_[] = {__VA_ARGS__};                                     \
		assert_int_equal((c)->asked_len, sizeof bytes_);                                   \
		assert_memory_equal((c)->asked, bytes_, sizeof bytes_);                            \
	} while (0)

#define SUCCESS            0x80, 0x01, 0, 0, 0, 10, 0, 0, 0, 0
#define SUCCESS_AUTHORISED 0x80, 0x02, 0, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0
#define PASSWORD           0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 1, 0, 0

static void a_command_without_handles_is_a_header_and_its_fields(void **state)
{
	struct canned *c = *state;

	ANSWER(c, SUCCESS);
	assert_int_equal(tpm_startup(&c->client, TPM_SU_STATE), 0);
	ASKED(c, 0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 1);
}

static void a_command_with_authorisation_carries_password_sessions(void **state)
{
	struct canned *c = *state;

	ANSWER(c, SUCCESS_AUTHORISED);
	assert_int_equal(tpm_nv_write_lock(&c->client, TPM_RH_PLATFORM, 0x014C0002), 0);
	ASKED(c, 0x80, 0x02, 0, 0, 0, 31, 0, 0, 0x01, 0x38, 0x40, 0, 0, 0x0C, 0x01, 0x4C, 0, 2,
	      PASSWORD);
}

static void a_password_and_a_session_go_where_they_belong(void **state)
{
	struct canned *c = *state;

	c->client.auth[0].session = 0x03000001;
	c->client.auth[1].value = (const uint8_t *)"pw";
	c->client.auth[1].len = 2;
	ANSWER(c, 0x80, 0x02, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0);
	assert_int_equal(tpm_nv_undefine_space_special(&c->client, 0x014C0002), 0);
	ASKED(c, 0x80, 0x02, 0, 0, 0, 42, 0, 0, 0x01, 0x1F, 0x01, 0x4C, 0, 2, 0x40, 0, 0, 0x0C, 0,
	      0, 0, 20, 0x03, 0, 0, 1, 0, 0, 1, 0, 0, 0x40, 0, 0, 9, 0, 0, 1, 0, 2, 'p', 'w');
}

static void sized_structures_get_their_size(void **state)
{
	struct canned *c = *state;
	const struct tpm_nv_public public = {
		.index = 0x01C00002, .name_alg = 0x000B, .attributes = 0x42072001, .size = 0x0405};

	ANSWER(c, SUCCESS_AUTHORISED);
	assert_int_equal(tpm_nv_define_space(&c->client, TPM_RH_PLATFORM, &public), 0);
	ASKED(c, 0x80, 0x02, 0, 0, 0, 45, 0, 0, 0x01, 0x2A, 0x40, 0, 0, 0x0C, PASSWORD, 0, 0, 0, 14,
	      0x01, 0xC0, 0, 2, 0, 0x0B, 0x42, 0x07, 0x20, 0x01, 0, 0, 0x04, 0x05);
}

static void banks_of_pcrs_are_bitmaps_of_three_bytes(void **state)
{
	struct canned *c = *state;
	const struct tpm_pcr_bank banks[] = {{0x0004, 0}, {0x000B, 0x800001}};

	ANSWER(c, 0x80, 0x02, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 13, 1, 0, 0, 0, 24, 0, 0, 0, 1, 0,
	       0, 0, 2, 0, 0, 1, 0, 0);
	assert_int_equal(tpm_pcr_allocate(&c->client, banks, 2), 0);
	ASKED(c, 0x80, 0x02, 0, 0, 0, 43, 0, 0, 0x01, 0x2B, 0x40, 0, 0, 0x0C, PASSWORD, 0, 0, 0, 2,
	      0, 4, 3, 0, 0, 0, 0, 0x0B, 3, 1, 0, 0x80);
}

static void a_response_code_comes_back_as_it_is(void **state)
{
	struct canned *c = *state;

	ANSWER(c, 0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x02, 0x82);
	assert_int_equal(tpm_nv_undefine_space(&c->client, TPM_RH_OWNER, 0x014C0002),
			 CVTPM_ERR_TPM);
	assert_int_equal(c->client.rc, 0x282);
	assert_string_equal(c->client.last->name, "NV_UndefineSpace");
}

static void a_fault_of_the_transport_is_not_a_response_code(void **state)
{
	struct canned *c = *state;

	c->err = CVTPM_ERR_STATE;
	c->client.rc = 7;
	assert_int_equal(tpm_shutdown(&c->client, TPM_SU_CLEAR), CVTPM_ERR_STATE);
	assert_int_equal(c->client.rc, 0);
}

static void what_a_response_holds_is_handed_out(void **state)
{
	struct canned *c = *state;
	struct tpm_nv_public public;
	struct tpm_value random;

	ANSWER(c, 0x80, 0x01, 0, 0, 0, 30, 0, 0, 0, 0, 0, 14, 0x01, 0x4C, 0, 2, 0, 0x0B, 0x62, 0x07,
	       0x2C, 0x01, 0, 0, 0x04, 0xA0, 0, 2, 0xAA, 0xBB);
	assert_int_equal(tpm_nv_read_public(&c->client, 0x014C0002, &public), 0);
	assert_int_equal(public.attributes, 0x62072C01);
	assert_int_equal(public.size, 0x4A0);
	assert_int_equal(public.policy_len, 0);

	ANSWER(c, 0x80, 0x01, 0, 0, 0, 15, 0, 0, 0, 0, 0, 3, 1, 2, 3);
	assert_int_equal(tpm_get_random(&c->client, 3, &random), 0);
	assert_int_equal(random.len, 3);
	assert_memory_equal(random.bytes, "\1\2\3", 3);
}

static void another_index_than_the_one_asked_for_is_refused(void **state)
{
	struct canned *c = *state;
	struct tpm_nv_public public;

	ANSWER(c, 0x80, 0x01, 0, 0, 0, 28, 0, 0, 0, 0, 0, 14, 0x01, 0x4C, 0, 3, 0, 0x0B, 0x62, 0x07,
	       0x2C, 0x01, 0, 0, 0x04, 0xA0, 0, 0);
	assert_int_equal(tpm_nv_read_public(&c->client, 0x014C0002, &public), CVTPM_ERR_FORMAT);
}

static void an_answer_about_another_property_is_not_taken(void **state)
{
	struct canned *c = *state;
	uint32_t value = 0;

	ANSWER(c, 0x80, 0x01, 0, 0, 0, 27, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 1, 0, 0, 1, 6, 1, 2,
	       3, 4);
	assert_int_equal(tpm_get_property(&c->client, 0x105, &value), CVTPM_ERR_NOT_FOUND);
	assert_int_equal(tpm_get_property(&c->client, 0x106, &value), 0);
	assert_int_equal(value, 0x01020304);
}

static void malformed_answers_are_refused(void **state)
{
	static const struct {
		uint8_t bytes[24];
		size_t len;
	} answers[] = {
		{{0}, 0},
		{{0x80, 0x01, 0, 0, 0, 10, 0, 0, 0}, 9},                 /* short header */
		{{0x80, 0x02, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0}, 14}, /* size beyond the end */
		{{SUCCESS}, 10},                                         /* no session area */
		{{SUCCESS_AUTHORISED, 0}, 20},                           /* more than its size */
		{{0x80, 0x02, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 1, 7, 0, 0, 1, 0, 0},
		 20}, /* a parameter too many */
		{{0x80, 0x02, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 7},
		 20}, /* a session too long */
		{{0x80, 0x02, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 18},
		{{0x80, 0x02, 0, 0, 0, 19, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 1, 0, 0},
		 19},                                           /* parameterSize */
		{{0x80, 0x02, 0, 0, 0, 10, 0, 0, 1, 1}, 10},    /* an error with the wrong tag */
		{{0x80, 0x01, 0, 0, 0, 11, 0, 0, 1, 1, 0}, 11}, /* an error with a body */
		{{0x12, 0x34, 0, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0}, 19},
	};
	struct canned *c = *state;

	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		c->answer = answers[i].bytes;
		c->answer_len = answers[i].len;
		assert_int_equal(tpm_clear(&c->client, TPM_RH_PLATFORM), CVTPM_ERR_FORMAT);
	}
	ANSWER(c, SUCCESS_AUTHORISED);
	assert_int_equal(tpm_clear(&c->client, TPM_RH_PLATFORM), 0);
}

static void every_truncation_of_a_good_answer_is_refused(void **state)
{
	/* CreatePrimary's: handle, six parameters, a session. */
	static const uint8_t good[] = {
		0x80, 0x02, 0,    0,  0, 52,   0, 0, 0, 0, /* header */
		0x80, 0,    0,    0,                       /* objectHandle */
		0,    0,    0,    29,                      /* parameterSize */
		0,    3,    1,    2,  3,                   /* outPublic */
		0,    1,    9,                             /* creationData */
		0,    2,    8,    8,                       /* creationHash */
		0x80, 0x21, 0x40, 0,  0, 0x0B, 0, 2, 5, 5, /* creationTicket */
		0,    5,    4,    4,  4, 4,    4,          /* name */
		0,    0,    1,    0,  0,                   /* session */
	};
	struct canned *c = *state;
	uint8_t cut[sizeof good];
	struct tpm_value area;
	uint32_t handle;

	c->answer = cut;
	for (size_t len = 0; len <= sizeof good; len++) {
		int err;

		memcpy(cut, good, sizeof good);
		cut[5] = (uint8_t)len;
		c->answer_len = len;
		err = tpm_create_primary(&c->client, TPM_RH_ENDORSEMENT, good, 4, &handle, &area);
		assert_int_equal(err, len == sizeof good ? 0 : CVTPM_ERR_FORMAT);
	}
	assert_int_equal(handle, 0x80000000);
	assert_int_equal(area.len, 3);
	assert_memory_equal(area.bytes, "\1\2\3", 3);
}

static void a_changed_byte_of_an_answer_does_no_harm(void **state)
{
	static const uint8_t good[] = {0x80, 0x01, 0, 0, 0, 43,   0, 0, 0, 0, /* PCR_Read's */
				       0,    0,    0, 7,                      /* pcrUpdateCounter */
				       0,    0,    0, 1, 0, 0x0B, 3, 1, 0, 0, 0,  0,  0,  1, 0,
				       13,   1,    2, 3, 4, 5,    6, 7, 8, 9, 10, 11, 12, 13};
	struct canned *c = *state;
	uint8_t bytes[sizeof good];
	struct tpm_value digest = {0};

	c->answer = bytes;
	c->answer_len = sizeof good;
	for (size_t at = 0; at < sizeof good; at++) {
		for (int value = 0; value < 256; value++) {
			memcpy(bytes, good, sizeof good);
			bytes[at] = (uint8_t)value;
			if (tpm_pcr_read(&c->client, 0, 0x000B, &digest) == 0)
				assert_true(digest.len <= sizeof good);
		}
	}
	memcpy(bytes, good, sizeof good);
	assert_int_equal(tpm_pcr_read(&c->client, 0, 0x000B, &digest), 0);
	assert_int_equal(digest.len, 13);
}

static void a_command_that_is_too_long_is_not_sent(void **state)
{
	static const uint8_t data[CVTPM_MAX_BUFFER_SIZE];
	struct canned *c = *state;

	assert_int_equal(tpm_nv_extend(&c->client, TPM_RH_PLATFORM, 0x014C0002, data, sizeof data),
			 CVTPM_ERR_SIZE);
	assert_int_equal(c->asked_len, 0);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_command_without_handles_is_a_header_and_its_fields),
		test(a_command_with_authorisation_carries_password_sessions),
		test(a_password_and_a_session_go_where_they_belong),
		test(sized_structures_get_their_size),
		test(banks_of_pcrs_are_bitmaps_of_three_bytes),
		test(a_response_code_comes_back_as_it_is),
		test(a_fault_of_the_transport_is_not_a_response_code),
		test(what_a_response_holds_is_handed_out),
		test(another_index_than_the_one_asked_for_is_refused),
		test(an_answer_about_another_property_is_not_taken),
		test(malformed_answers_are_refused),
		test(every_truncation_of_a_good_answer_is_refused),
		test(a_changed_byte_of_an_answer_does_no_harm),
		test(a_command_that_is_too_long_is_not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
