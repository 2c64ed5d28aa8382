/* The guest-message provider against the simulated AMD-SP and a host that cheats. */
#include "check.h"
#include "lab.h"

#include "cvtpm/amdsp.h"
#include "cvtpm/err.h"
#include "snp/certtable.h"
#include "snp/guest_request.h"
#include "snp/message.h"
#include "snp/report.h"

static const uint8_t measurement[SNP_MEASUREMENT_SIZE] = {0x4D, 1};
static const uint8_t data[SNP_REPORT_DATA_SIZE] = {1, 2, 3};

struct lab {
	char dir[64];
	struct cvtpm_amdsp_lab *lab;
};

static int open_lab(void **state)
{
	struct lab *lab = calloc(1, sizeof *lab);

	make_folder(lab->dir);
	*state = lab;
	return cvtpm_amdsp_lab_open(lab->dir, &lab->lab);
}

static int close_lab(void **state)
{
	struct lab *lab = *state;

	cvtpm_amdsp_lab_close(lab->lab);
	remove_folder(lab->dir);
	free(lab);
	return 0;
}

/* A guest, and the host between it and the AMD-SP. */
struct guest {
	struct cvtpm_amdsp *sp;
	uint8_t secrets[SNP_SECRETS_SIZE];
	uint8_t request_page[SNP_PAGE_SIZE], response_page[SNP_PAGE_SIZE];
	uint8_t certs[SNP_CERTS_MAX_SIZE];
	struct snp_guest_message message;

	/* what the host does */
	unsigned calls, extended_calls, pauses;
	uint8_t first_request[SNP_PAGE_SIZE];
	bool requests_differ;
	bool scribble;             /* writes over the request page after each call */
	int transport_error;       /* returned instead of an answer */
	const uint8_t *answer;     /* given instead of asking the AMD-SP */
	size_t certs_needed;       /* claimed with INVALID_LEN */
	unsigned invalid_len;      /* answers this many extended calls with INVALID_LEN */
	uint32_t seqno_while_away; /* the counter in the secrets page during the call */
};

static void host_sees(struct guest *g, const uint8_t *request_page)
{
	if (g->calls++ == 0)
		memcpy(g->first_request, request_page, SNP_PAGE_SIZE);
	else if (memcmp(g->first_request, request_page, SNP_PAGE_SIZE) != 0)
		g->requests_differ = true;
	g->seqno_while_away = snp_secrets_seqno(g->secrets, g->message.config.vmpck);
}

static int host_exchange(void *context, const uint8_t *request_page, uint8_t *response_page,
			 struct snp_exchange_result *result)
{
	struct guest *g = context;
	int rc = 0;

	host_sees(g, request_page);
	if (g->transport_error)
		return g->transport_error;
	if (g->answer)
		memcpy(response_page, g->answer, SNP_PAGE_SIZE);
	else
		rc = cvtpm_amdsp_request(g->sp, request_page, response_page, result);
	if (g->scribble)
		memset(g->request_page, 0xEE, SNP_PAGE_SIZE);
	return rc;
}

static int host_exchange_extended(void *context, const uint8_t *request_page,
				  uint8_t *response_page, uint8_t *certs, size_t certs_size,
				  struct snp_exchange_result *result)
{
	struct guest *g = context;

	host_sees(g, request_page);
	g->extended_calls++;
	if (g->invalid_len > 0) {
		g->invalid_len--;
		result->vmm = SNP_VMM_INVALID_LEN;
		result->certs_needed = g->certs_needed;
		return 0;
	}
	return cvtpm_amdsp_request_extended(g->sp, request_page, response_page, certs, certs_size,
					    result);
}

static void host_pause(void *context)
{
	((struct guest *)context)->pauses++;
}

static struct snp_guest_message_config configuration(struct guest *g)
{
	return (struct snp_guest_message_config){
		.transport = {.context = g,
			      .exchange = host_exchange,
			      .exchange_extended = host_exchange_extended,
			      .pause = host_pause},
		.secrets = g->secrets,
		.request_page = g->request_page,
		.response_page = g->response_page,
		.certs = g->certs,
		.certs_size = sizeof g->certs,
	};
}

static struct guest *launch_with(void **state, const struct cvtpm_amdsp_config *config)
{
	struct lab *lab = *state;
	struct guest *g = calloc(1, sizeof *g);
	struct snp_guest_message_config guest_config = configuration(g);
	struct cvtpm_amdsp_config own = config ? *config : (struct cvtpm_amdsp_config){0};

	own.measurement = measurement;
	assert_int_equal(cvtpm_amdsp_launch(lab->lab, &own, &g->sp), 0);
	cvtpm_amdsp_secrets(g->sp, g->secrets);
	guest_config.vmpck = own.vmpl;
	guest_config.vmpl = own.vmpl;
	assert_int_equal(cvtpm_guest_message_open(&g->message, &guest_config), 0);
	return g;
}

static struct guest *launch(void **state)
{
	return launch_with(state, NULL);
}

static void destroy(struct guest *g)
{
	cvtpm_amdsp_destroy(g->sp);
	g->message.provider.ops->close(&g->message.provider);
	free(g);
}

static int get_report(struct guest *g, uint8_t report[SNP_REPORT_SIZE])
{
	return g->message.provider.ops->report(&g->message.provider, data, report);
}

static void key_is_gone(struct guest *g)
{
	uint8_t report[SNP_REPORT_SIZE], key[SNP_DERIVED_KEY_SIZE];
	struct cvtpm_amdsp_faults none = {0};
	struct snp_guest_message again;
	struct snp_guest_message_config config = configuration(g);
	size_t len = 0;
	unsigned calls = g->calls;

	/* Everything is well again, and it does not help. */
	cvtpm_amdsp_set_faults(g->sp, &none);
	g->answer = NULL;
	g->transport_error = 0;
	assert_false(snp_secrets_vmpck_present(g->secrets, 0));
	assert_int_equal(get_report(g, report), CVTPM_ERR_KEY_GONE);
	assert_int_equal(g->message.provider.ops->derived_key(&g->message.provider, key),
			 CVTPM_ERR_KEY_GONE);
	assert_int_equal(g->message.provider.ops->certificates(&g->message.provider, NULL, &len),
			 CVTPM_ERR_KEY_GONE);
	assert_int_equal(g->calls, calls); /* nothing was sent */
	assert_int_equal(cvtpm_guest_message_open(&again, &config), CVTPM_ERR_KEY_GONE);
	for (unsigned i = 1; i < 4; i++)
		assert_true(snp_secrets_vmpck_present(g->secrets, i));
}

/* ---- what works ---- */

static void reports_come_one_after_the_other(void **state)
{
	struct guest *g = launch(state);
	uint8_t report[SNP_REPORT_SIZE];

	for (uint32_t i = 1; i <= 5; i++) {
		assert_int_equal(get_report(g, report), 0);
		assert_memory_equal(snp_report_report_data(report), data, sizeof data);
		assert_memory_equal(snp_report_measurement(report), measurement,
				    sizeof measurement);
		assert_int_equal(snp_report_vmpl(report), 0);
		assert_int_equal(snp_secrets_seqno(g->secrets, 0), 2 * i);
	}
	destroy(g);
}

static void who_comes_next_goes_on_counting(void **state)
{
	struct guest *g = launch(state);
	struct snp_guest_message_config config = configuration(g);
	uint8_t report[SNP_REPORT_SIZE];

	assert_int_equal(get_report(g, report), 0);
	assert_int_equal(cvtpm_guest_message_open(&g->message, &config), 0);
	assert_int_equal(get_report(g, report), 0);
	assert_int_equal(snp_secrets_seqno(g->secrets, 0), 4);
	destroy(g);
}

static void every_key_has_a_counter_of_its_own(void **state)
{
	struct guest *g = launch(state);
	struct snp_guest_message_config config = configuration(g);
	uint8_t report[SNP_REPORT_SIZE];

	for (unsigned i = 0; i < 4; i++) {
		config.vmpck = config.vmpl = i;
		assert_int_equal(cvtpm_guest_message_open(&g->message, &config), 0);
		assert_int_equal(get_report(g, report), 0);
		assert_int_equal(snp_report_vmpl(report), i);
		assert_int_equal(snp_secrets_seqno(g->secrets, i), 2);
	}
	destroy(g);
}

static void a_sequence_number_is_used_up_before_the_message_leaves(void **state)
{
	struct guest *g = launch(state);
	uint8_t report[SNP_REPORT_SIZE];

	assert_int_equal(get_report(g, report), 0);
	assert_int_equal(g->seqno_while_away, 2);
	destroy(g);
}

static void the_certificate_table_comes_without_its_padding(void **state)
{
	struct guest *g = launch(state);
	struct cvtpm_snp_provider *p = &g->message.provider;
	uint8_t *table;
	size_t len = 0, short_len;
	struct snp_certtable parsed;
	struct snp_certtable_entry vcek;

	assert_int_equal(p->ops->certificates(p, NULL, &len), CVTPM_ERR_SIZE);
	assert_true(len > 3000 && len < SNP_CERTS_MAX_SIZE);
	table = malloc(len);
	short_len = len - 1;
	assert_int_equal(p->ops->certificates(p, table, &short_len), CVTPM_ERR_SIZE);
	assert_int_equal(p->ops->certificates(p, table, &len), 0);
	assert_int_equal(short_len, len);
	assert_int_equal(snp_certtable_begin(&parsed, table, len), 0);
	assert_int_equal(parsed.used, len);
	assert_int_equal(snp_certtable_find(&parsed, snp_guid_vcek, &vcek), 0);
	assert_int_equal(g->extended_calls, g->calls);
	free(table);
	destroy(g);
}

static void a_host_without_certificates_gives_an_empty_table(void **state)
{
	struct guest *g = launch_with(state, &(struct cvtpm_amdsp_config){.without_certs = true});
	size_t len = 0;

	assert_int_equal(g->message.provider.ops->certificates(&g->message.provider, NULL, &len),
			 0);
	assert_int_equal(len, 0);
	destroy(g);
}

static void a_damaged_certificate_table_costs_nothing_but_itself(void **state)
{
	struct guest *g = launch(state);
	struct cvtpm_amdsp_faults faults = {.certs_garbage = true};
	uint8_t report[SNP_REPORT_SIZE], table[64];
	size_t len = sizeof table;

	cvtpm_amdsp_set_faults(g->sp, &faults);
	assert_int_equal(g->message.provider.ops->certificates(&g->message.provider, table, &len),
			 CVTPM_ERR_FORMAT);
	assert_int_equal(get_report(g, report), 0);
	destroy(g);
}

static void derived_keys_depend_on_guest_and_chip_alone(void **state)
{
	static const uint8_t other_measurement[SNP_MEASUREMENT_SIZE] = {0x4D, 2};
	struct lab *lab = *state;
	struct cvtpm_amdsp_config same = {.measurement = measurement},
				  image = {.measurement = other_measurement},
				  policy = {.measurement = measurement, .policy = 0xB0000};
	const struct cvtpm_amdsp_config *configs[] = {&same, &same, &image, &policy};
	uint8_t keys[4][SNP_DERIVED_KEY_SIZE];

	for (size_t i = 0; i < 4; i++) {
		struct cvtpm_snp_provider *p;

		assert_int_equal(cvtpm_amdsp_provider_launch(lab->lab, configs[i], &p), 0);
		assert_int_equal(p->ops->derived_key(p, keys[i]), 0);
		p->ops->close(p);
	}
	assert_memory_equal(keys[0], keys[1], sizeof keys[0]);
	for (size_t i = 2; i < 4; i++)
		assert_memory_not_equal(keys[0], keys[i], sizeof keys[0]);
	assert_memory_not_equal(keys[2], keys[3], sizeof keys[2]);
}

/* ---- retries ---- */

static void busy_is_answered_with_the_same_bytes(void **state)
{
	struct guest *g = launch(state);
	struct cvtpm_amdsp_faults faults = {.busy = 30};
	uint8_t report[SNP_REPORT_SIZE];

	g->scribble = true;
	cvtpm_amdsp_set_faults(g->sp, &faults);
	assert_int_equal(get_report(g, report), 0);
	assert_int_equal(g->calls, 31);
	assert_int_equal(g->pauses, 30);
	assert_false(g->requests_differ);
	assert_int_equal(g->message.provider.status.vmm, 0);
	assert_int_equal(snp_secrets_seqno(g->secrets, 0), 2);
	g->calls = 0;
	g->scribble = false;
	assert_int_equal(get_report(g, report), 0);
	destroy(g);
}

static void busy_for_ever_ends_with_the_key(void **state)
{
	struct guest *g = launch(state);
	struct cvtpm_amdsp_faults faults = {.busy = 1000};
	uint8_t report[SNP_REPORT_SIZE];

	cvtpm_amdsp_set_faults(g->sp, &faults);
	assert_int_equal(get_report(g, report), CVTPM_ERR_PEER);
	assert_int_equal(g->message.provider.status.vmm, SNP_VMM_BUSY);
	assert_int_equal(g->calls, 31);
	assert_false(g->requests_differ);
	key_is_gone(g);
	destroy(g);
}

static void too_little_room_for_certificates_uses_the_number_up(void **state)
{
	struct guest *g = launch(state);
	uint8_t report[SNP_REPORT_SIZE], table[64];
	size_t len = sizeof table;

	g->invalid_len = 1;
	g->certs_needed = 5 * SNP_PAGE_SIZE;
	assert_int_equal(g->message.provider.ops->certificates(&g->message.provider, table, &len),
			 CVTPM_ERR_PEER);
	assert_int_equal(g->message.provider.status.vmm, SNP_VMM_INVALID_LEN);
	assert_int_equal(g->calls, 2);
	assert_int_equal(g->extended_calls, 1);
	assert_false(g->requests_differ);
	assert_int_equal(snp_secrets_seqno(g->secrets, 0), 2);
	g->calls = 0;
	assert_int_equal(get_report(g, report), 0); /* the key stays */
	destroy(g);
}

/* ---- what ends with the key ---- */

static void any_other_refusal_wipes_the_key(void **state)
{
	static const struct cvtpm_amdsp_faults refusals[] = {
		{.firmware = SNP_STATUS_INVALID_PARAMETERS},
		{.firmware = SNP_STATUS_AEAD_OVERFLOW},
		{.vmm = 3},
		{.vmm = SNP_VMM_INVALID_LEN}, /* to a plain request */
		{.vmm = 0xFFFFFFFF},
	};
	uint8_t report[SNP_REPORT_SIZE];

	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		struct guest *g = launch(state);

		cvtpm_amdsp_set_faults(g->sp, &refusals[i]);
		assert_int_equal(get_report(g, report), CVTPM_ERR_PEER);
		assert_int_equal(g->message.provider.status.firmware, refusals[i].firmware);
		assert_int_equal(g->message.provider.status.vmm, refusals[i].vmm);
		assert_int_equal(g->calls, 1);
		key_is_gone(g);
		destroy(g);
	}
}

static void a_transport_that_fails_wipes_the_key(void **state)
{
	struct guest *g = launch(state);
	uint8_t report[SNP_REPORT_SIZE];

	g->transport_error = CVTPM_ERR_IO;
	assert_int_equal(get_report(g, report), CVTPM_ERR_IO);
	key_is_gone(g);
	destroy(g);
}

static void an_answer_that_cannot_be_decoded_wipes_the_key(void **state)
{
	static const struct {
		struct cvtpm_amdsp_faults faults;
		int err;
	} answers[] = {
		{{.answer = CVTPM_AMDSP_NO_ANSWER}, CVTPM_ERR_FORMAT},
		{{.answer = CVTPM_AMDSP_GARBAGE}, CVTPM_ERR_FORMAT},
		{{.answer = CVTPM_AMDSP_WRONG_KEY}, CVTPM_ERR_AUTH},
		{{.answer = CVTPM_AMDSP_WRONG_SEQNO}, CVTPM_ERR_FORMAT},
		{{.answer = CVTPM_AMDSP_WRONG_TYPE}, CVTPM_ERR_FORMAT},
		{{.answer = CVTPM_AMDSP_WRONG_VERSION}, CVTPM_ERR_FORMAT},
		{{.answer = CVTPM_AMDSP_WRONG_VMPCK}, CVTPM_ERR_FORMAT},
		{{.answer = CVTPM_AMDSP_WRONG_SIZE}, CVTPM_ERR_FORMAT},
		{{.answer = CVTPM_AMDSP_OVERSIZE}, CVTPM_ERR_FORMAT},
		{{.other_report_data = true}, CVTPM_ERR_FORMAT},
	};

	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct guest *g = launch(state);
		uint8_t report[SNP_REPORT_SIZE], untouched[SNP_REPORT_SIZE];

		memset(report, 0x77, sizeof report);
		memcpy(untouched, report, sizeof report);
		cvtpm_amdsp_set_faults(g->sp, &answers[i].faults);
		assert_int_equal(get_report(g, report), answers[i].err);
		assert_memory_equal(report, untouched, sizeof report);
		key_is_gone(g);
		destroy(g);
	}
}

static void an_answer_played_again_wipes_the_key(void **state)
{
	struct guest *g = launch(state);
	struct cvtpm_amdsp_faults faults = {.answer = CVTPM_AMDSP_REPLAY};
	uint8_t report[SNP_REPORT_SIZE];

	assert_int_equal(get_report(g, report), 0);
	cvtpm_amdsp_set_faults(g->sp, &faults);
	assert_int_equal(get_report(g, report), CVTPM_ERR_FORMAT);
	key_is_gone(g);
	destroy(g);
}

/* The same answer again and again to a guest set back each time, one bit
 * altered: in the header and in the ciphertext every bit counts. */
static void no_bit_of_an_answer_can_be_altered(void **state)
{
	struct guest *g = launch(state);
	struct snp_guest_message_config config = configuration(g);
	uint8_t report[SNP_REPORT_SIZE], answer[SNP_PAGE_SIZE];
	const size_t len = SNP_MESSAGE_HEADER_SIZE + SNP_REPORT_RSP_SIZE;

	assert_int_equal(get_report(g, report), 0);
	memcpy(answer, g->response_page, sizeof answer);
	g->answer = answer;
	for (size_t bit = 0; bit <= 8 * len; bit++) {
		size_t byte =
			bit / 8; /* the last is the first behind the payload: it is not read */
		int err;

		cvtpm_amdsp_secrets(g->sp, g->secrets);
		assert_int_equal(cvtpm_guest_message_open(&g->message, &config), 0);
		answer[byte] ^= (uint8_t)(1u << bit % 8);
		err = get_report(g, report);
		answer[byte] ^= (uint8_t)(1u << bit % 8);

		if (byte == len)
			assert_int_equal(err, 0);
		else if (err != CVTPM_ERR_FORMAT && err != CVTPM_ERR_AUTH)
			fail_msg("byte %zx, bit %zu: %d", byte, bit % 8, err);
		assert_int_equal(snp_secrets_vmpck_present(g->secrets, 0), byte == len);
	}
	destroy(g);
}

static void an_error_status_that_is_authenticated_leaves_the_key(void **state)
{
	struct guest *g = launch(state);
	struct cvtpm_amdsp_faults faults = {.status = SNP_STATUS_INVALID_KEY}, none = {0};
	uint8_t report[SNP_REPORT_SIZE], key[SNP_DERIVED_KEY_SIZE];

	cvtpm_amdsp_set_faults(g->sp, &faults);
	assert_int_equal(get_report(g, report), CVTPM_ERR_PEER);
	assert_int_equal(g->message.provider.status.firmware, SNP_STATUS_INVALID_KEY);
	assert_int_equal(g->message.provider.ops->derived_key(&g->message.provider, key),
			 CVTPM_ERR_PEER);
	assert_int_equal(g->calls, 2);

	/* Firmware that does not know KEY_SEL is asked a second time without it. */
	faults.status = SNP_STATUS_INVALID_PARAMETERS;
	cvtpm_amdsp_set_faults(g->sp, &faults);
	assert_int_equal(g->message.provider.ops->derived_key(&g->message.provider, key),
			 CVTPM_ERR_PEER);
	assert_int_equal(g->calls, 4);

	cvtpm_amdsp_set_faults(g->sp, &none);
	assert_int_equal(get_report(g, report), 0);
	assert_int_equal(snp_secrets_seqno(g->secrets, 0), 10);
	destroy(g);
}

static void a_used_up_counter_wipes_the_key(void **state)
{
	struct guest *g = launch(state);
	uint8_t report[SNP_REPORT_SIZE];

	snp_secrets_set_seqno(g->secrets, 0, 0xFFFFFFFE);
	assert_int_equal(get_report(g, report), CVTPM_ERR_KEY_GONE);
	assert_int_equal(g->calls, 0);
	key_is_gone(g);
	destroy(g);
}

static void the_last_number_is_still_sent(void **state)
{
	struct guest *g = launch(state);
	uint8_t report[SNP_REPORT_SIZE];

	snp_secrets_set_seqno(g->secrets, 0, 0xFFFFFFFC);
	assert_int_equal(get_report(g, report), CVTPM_ERR_PEER); /* this AMD-SP is not there yet */
	assert_int_equal(g->calls, 1);
	assert_int_equal(snp_get64(g->first_request + SNP_MESSAGE_SEQNO), 0xFFFFFFFD);
	destroy(g);
}

static void a_configuration_that_cannot_work_is_refused(void **state)
{
	struct guest *g = launch(state);
	struct snp_guest_message m;
	struct snp_guest_message_config c;

	c = configuration(g);
	c.vmpck = 1; /* asks for the level above its own */
	assert_int_equal(cvtpm_guest_message_open(&m, &c), CVTPM_ERR_PARAM);
	c = configuration(g);
	c.vmpl = 4;
	assert_int_equal(cvtpm_guest_message_open(&m, &c), CVTPM_ERR_PARAM);
	c = configuration(g);
	c.certs_size = 100;
	assert_int_equal(cvtpm_guest_message_open(&m, &c), CVTPM_ERR_PARAM);
	c = configuration(g);
	c.certs_size = SNP_CERTS_MAX_SIZE + SNP_PAGE_SIZE;
	assert_int_equal(cvtpm_guest_message_open(&m, &c), CVTPM_ERR_PARAM);
	c = configuration(g);
	c.transport.exchange = NULL;
	assert_int_equal(cvtpm_guest_message_open(&m, &c), CVTPM_ERR_PARAM);

	c = configuration(g);
	snp_secrets_set_seqno(g->secrets, 0, 3);
	assert_int_equal(cvtpm_guest_message_open(&m, &c), CVTPM_ERR_FORMAT);
	snp_secrets_set_seqno(g->secrets, 0, 0);
	snp_secrets_wipe_vmpck(g->secrets, 0);
	assert_int_equal(cvtpm_guest_message_open(&m, &c), CVTPM_ERR_KEY_GONE);

	c = configuration(g);
	c.vmpck = c.vmpl = 1;
	c.certs = NULL;
	assert_int_equal(cvtpm_guest_message_open(&m, &c), 0);
	assert_null(m.provider.ops->certificates);
	destroy(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_come_one_after_the_other),
		cmocka_unit_test(who_comes_next_goes_on_counting),
		cmocka_unit_test(every_key_has_a_counter_of_its_own),
		cmocka_unit_test(a_sequence_number_is_used_up_before_the_message_leaves),
		cmocka_unit_test(the_certificate_table_comes_without_its_padding),
		cmocka_unit_test(a_host_without_certificates_gives_an_empty_table),
		cmocka_unit_test(a_damaged_certificate_table_costs_nothing_but_itself),
		cmocka_unit_test(derived_keys_depend_on_guest_and_chip_alone),
		cmocka_unit_test(busy_is_answered_with_the_same_bytes),
		cmocka_unit_test(busy_for_ever_ends_with_the_key),
		cmocka_unit_test(too_little_room_for_certificates_uses_the_number_up),
		cmocka_unit_test(any_other_refusal_wipes_the_key),
		cmocka_unit_test(a_transport_that_fails_wipes_the_key),
		cmocka_unit_test(an_answer_that_cannot_be_decoded_wipes_the_key),
		cmocka_unit_test(an_answer_played_again_wipes_the_key),
		cmocka_unit_test(no_bit_of_an_answer_can_be_altered),
		cmocka_unit_test(an_error_status_that_is_authenticated_leaves_the_key),
		cmocka_unit_test(a_used_up_counter_wipes_the_key),
		cmocka_unit_test(the_last_number_is_still_sent),
		cmocka_unit_test(a_configuration_that_cannot_work_is_refused),
	};

	return cmocka_run_group_tests_name("snp-guest-request", tests, open_lab, close_lab);
}
