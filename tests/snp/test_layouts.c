/* Report layout, certificate table, secrets page and message format, against genuine bytes. */
#include "check.h"

#include "cvtpm/err.h"
#include "snp/certtable.h"
#include "snp/guest_request.h"
#include "snp/message.h"
#include "snp/report.h"
#include "snp/secrets.h"

#include <stdlib.h>
#include <string.h>

/* ---- messages ---- */

static const struct {
	const char *file;
	struct snp_message_header header;
} messages[] = {
	{"guestmsg/report_req_seq1.bin", {1, SNP_MSG_REPORT_REQ, 1, 0, 0x60}},
	{"guestmsg/report_rsp_seq2.bin", {2, SNP_MSG_REPORT_RSP, 1, 0, 0x4C0}},
	{"guestmsg/key_req_seq3.bin", {3, SNP_MSG_KEY_REQ, 1, 0, 0x20}},
	{"guestmsg/key_rsp_seq4.bin", {4, SNP_MSG_KEY_RSP, 1, 0, 0x40}},
};

enum { MESSAGES = sizeof messages / sizeof *messages };

static void known_messages_open_and_are_written_again_byte_for_byte(void **state)
{
	uint8_t page[SNP_PAGE_SIZE], again[SNP_PAGE_SIZE], key[32];
	uint8_t payload[SNP_MESSAGE_MAX_PAYLOAD];

	(void)state;
	counting_bytes(key, sizeof key);
	for (size_t i = 0; i < MESSAGES; i++) {
		struct snp_message_header h;

		read_data(messages[i].file, page, sizeof page);
		assert_int_equal(snp_message_read_header(page, &h), 0);
		assert_int_equal(h.seqno, messages[i].header.seqno);
		assert_int_equal(h.type, messages[i].header.type);
		assert_int_equal(h.version, messages[i].header.version);
		assert_int_equal(h.vmpck, messages[i].header.vmpck);
		assert_int_equal(h.size, messages[i].header.size);
		assert_int_equal(snp_message_open(page, &h, key, payload), 0);
		assert_int_equal(snp_message_seal(again, &h, key, payload), 0);
		assert_memory_equal(again, page, sizeof page);
	}
}

static void known_payloads_are_read_and_written(void **state)
{
	uint8_t page[SNP_PAGE_SIZE], key[32], payload[SNP_MESSAGE_MAX_PAYLOAD];
	uint8_t data[SNP_REPORT_DATA_SIZE], request[SNP_REPORT_REQ_SIZE];
	uint8_t genuine[SNP_REPORT_SIZE], report[SNP_REPORT_SIZE], derived[SNP_DERIVED_KEY_SIZE];
	struct snp_message_header h;
	uint32_t status = 1;

	(void)state;
	counting_bytes(key, sizeof key);
	counting_bytes(data, sizeof data);
	read_data("guestmsg/report_req_seq1.bin", page, sizeof page);
	assert_int_equal(snp_message_read_header(page, &h), 0);
	assert_int_equal(snp_message_open(page, &h, key, payload), 0);
	snp_report_request_write(request, data, 0);
	assert_memory_equal(payload, request, sizeof request);

	read_data("coco-trustee/evidence-v0.snpreport.bin", genuine, sizeof genuine);
	read_data("guestmsg/report_rsp_seq2.bin", page, sizeof page);
	assert_int_equal(snp_message_read_header(page, &h), 0);
	assert_int_equal(snp_message_open(page, &h, key, payload), 0);
	assert_int_equal(snp_report_response_read(payload, h.size, snp_report_report_data(genuine),
						  0, &status, report),
			 0);
	assert_int_equal(status, 0);
	assert_memory_equal(report, genuine, sizeof report);
	/* The same answer to another question. */
	assert_int_equal(snp_report_response_read(payload, h.size, data, 0, &status, report),
			 CVTPM_ERR_FORMAT);
	assert_int_equal(snp_report_response_read(payload, h.size, snp_report_report_data(genuine),
						  1, &status, report),
			 CVTPM_ERR_FORMAT);

	read_data("guestmsg/key_rsp_seq4.bin", page, sizeof page);
	assert_int_equal(snp_message_read_header(page, &h), 0);
	assert_int_equal(snp_message_open(page, &h, key, payload), 0);
	assert_int_equal(snp_key_response_read(payload, h.size, &status, derived), 0);
	assert_int_equal(derived[0], 0x08);
	assert_int_equal(derived[31], 0x63);
}

/* An altered header is refused by itself or by the tag; no byte of it is free. */
static void no_bit_of_a_message_can_be_altered(void **state)
{
	uint8_t page[SNP_PAGE_SIZE], key[32], payload[SNP_MESSAGE_MAX_PAYLOAD];

	(void)state;
	counting_bytes(key, sizeof key);
	for (size_t m = 0; m < MESSAGES; m++) {
		size_t len = SNP_MESSAGE_HEADER_SIZE + messages[m].header.size;

		read_data(messages[m].file, page, sizeof page);
		for (size_t bit = 0; bit < 8 * len; bit++) {
			struct snp_message_header h;
			int err;

			page[bit / 8] ^= (uint8_t)(1u << bit % 8);
			err = snp_message_read_header(page, &h);
			if (err == 0)
				err = snp_message_open(page, &h, key, payload);
			if (err == 0)
				fail_msg("%s: bit %zu is free", messages[m].file, bit);
			page[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

static void another_key_does_not_open_a_message(void **state)
{
	uint8_t page[SNP_PAGE_SIZE], key[32], payload[SNP_MESSAGE_MAX_PAYLOAD];
	static const uint8_t zeros[SNP_REPORT_RSP_SIZE];
	struct snp_message_header h;

	(void)state;
	counting_bytes(key, sizeof key);
	key[31] ^= 1;
	read_data("guestmsg/report_rsp_seq2.bin", page, sizeof page);
	assert_int_equal(snp_message_read_header(page, &h), 0);
	memset(payload, 0xFF, sizeof payload);
	assert_int_equal(snp_message_open(page, &h, key, payload), CVTPM_ERR_AUTH);
	assert_memory_equal(payload, zeros, sizeof zeros);
}

static void a_message_that_the_format_does_not_allow_is_not_written(void **state)
{
	static const struct snp_message_header bad[] = {
		{0, SNP_MSG_REPORT_REQ, 1, 0, 0x60},
		{1, SNP_MSG_REPORT_REQ, 1, 4, 0x60},
		{1, SNP_MSG_REPORT_REQ, 1, 0, SNP_MESSAGE_MAX_PAYLOAD + 1},
	};
	uint8_t page[SNP_PAGE_SIZE], key[32] = {1}, payload[SNP_MESSAGE_MAX_PAYLOAD + 1] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(snp_message_seal(page, &bad[i], key, payload), CVTPM_ERR_PARAM);
}

static void the_largest_payload_fills_the_page(void **state)
{
	const struct snp_message_header h = {1, SNP_MSG_REPORT_REQ, 1, 3, SNP_MESSAGE_MAX_PAYLOAD};
	struct snp_message_header read;
	uint8_t page[SNP_PAGE_SIZE], key[32] = {1}, payload[SNP_MESSAGE_MAX_PAYLOAD];
	uint8_t again[SNP_MESSAGE_MAX_PAYLOAD];

	(void)state;
	memset(payload, 0x5A, sizeof payload);
	assert_int_equal(snp_message_seal(page, &h, key, payload), 0);
	assert_int_equal(snp_message_read_header(page, &read), 0);
	assert_int_equal(snp_message_open(page, &read, key, again), 0);
	assert_memory_equal(again, payload, sizeof payload);
}

/* ---- reports ---- */

static void genuine_reports_have_the_form_and_the_fields(void **state)
{
	static const struct {
		const char *file;
		uint32_t version, vmpl;
		enum snp_product product;
		unsigned signing_key;
		uint64_t policy;
	} reports[] = {
		{"go-sev-guest/attestation.bin", 2, 0, SNP_PRODUCT_UNKNOWN, 0, 0xB0000},
		{"coco-trustee/evidence-v1.snpreport.bin", 3, 0, SNP_PRODUCT_MILAN, 0, 0x3001F},
		{"coco-trustee/test-vlek-report.bin", 3, 1, SNP_PRODUCT_MILAN, 1, 0x30000},
		{"coco-trustee/evidence-genoa.snpreport.bin", 3, 0, SNP_PRODUCT_GENOA, 0, 0x3001F},
		{"routex-lua/report-turin-v5.bin", 5, 0, SNP_PRODUCT_TURIN, 0, 0x30000},
	};
	uint8_t r[SNP_REPORT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
		struct snp_fms fms;
		uint64_t launch, current;
		struct snp_tcb tcb;

		read_data(reports[i].file, r, sizeof r);
		assert_int_equal(snp_report_check(r, sizeof r), 0);
		assert_int_equal(snp_report_version(r), reports[i].version);
		assert_int_equal(snp_report_vmpl(r), reports[i].vmpl);
		assert_int_equal(snp_report_product(r), reports[i].product);
		assert_int_equal(snp_report_signing_key(r), reports[i].signing_key);
		assert_int_equal(snp_report_policy(r), reports[i].policy);
		assert_int_equal(snp_report_fms(r, &fms), reports[i].version >= 3);
		assert_int_equal(snp_report_mit_vectors(r, &launch, &current),
				 reports[i].version >= 5);
		assert_int_equal(snp_report_current_firmware(r).major, 1);
		tcb = snp_tcb_read(reports[i].product, snp_report_reported_tcb(r));
		assert_int_equal(tcb.reserved, 0);
		assert_true(snp_tcb_at_least(
			snp_tcb_read(reports[i].product, snp_report_current_tcb(r)), tcb));
	}
}

static void a_report_of_another_form_is_refused(void **state)
{
	/* In a version 3 report, one byte of each range that must be zero. */
	static const size_t must_be_zero[] = {0x4C,  0x4F,  0x18B, 0x19F, 0x1EB, 0x1EF,
					      0x1F8, 0x207, 0x208, 0x29F, 0x2D0, 0x2E7,
					      0x318, 0x32F, 0x330, 0x49F};
	uint8_t r[SNP_REPORT_SIZE + 1] = {0};

	(void)state;
	read_data("coco-trustee/evidence-v1.snpreport.bin", r, SNP_REPORT_SIZE);
	assert_int_equal(snp_report_check(r, SNP_REPORT_SIZE - 1), CVTPM_ERR_SIZE);
	assert_int_equal(snp_report_check(r, SNP_REPORT_SIZE + 1), CVTPM_ERR_SIZE);
	for (size_t i = 0; i < sizeof must_be_zero / sizeof *must_be_zero; i++) {
		r[must_be_zero[i]] ^= 0x10;
		assert_int_equal(snp_report_check(r, SNP_REPORT_SIZE), CVTPM_ERR_FORMAT);
		r[must_be_zero[i]] ^= 0x10;
	}
	for (uint8_t version = 0; version < 8; version++) {
		r[0] = version;
		assert_int_equal(snp_report_check(r, SNP_REPORT_SIZE),
				 version == 2 ? CVTPM_ERR_FORMAT /* it has an FMS */
				 : version >= 3 && version <= 5 ? 0
								: CVTPM_ERR_UNSUPPORTED);
	}
	r[0] = 5;
	r[SNP_REPORT_CURRENT_MIT_VECTOR] = 1;
	assert_int_equal(snp_report_check(r, SNP_REPORT_SIZE), 0);
	r[SNP_REPORT_SIGNATURE_ALGO] = 2;
	assert_int_equal(snp_report_check(r, SNP_REPORT_SIZE), CVTPM_ERR_UNSUPPORTED);
}

static void tcb_versions_are_compared_part_by_part(void **state)
{
	const struct snp_tcb low = {
		.fmc = 1, .boot_loader = 4, .tee = 0, .snp = 24, .microcode = 200};
	struct snp_tcb other = low;
	uint8_t bytes[8];

	(void)state;
	assert_true(snp_tcb_at_least(low, low));
	other.microcode = 255;
	other.boot_loader = 3;
	assert_false(snp_tcb_at_least(other, low));

	snp_tcb_write(SNP_PRODUCT_TURIN, low, bytes);
	assert_memory_equal(bytes, ((uint8_t[]){1, 4, 0, 24, 0, 0, 0, 200}), 8);
	assert_int_equal(snp_tcb_read(SNP_PRODUCT_TURIN, bytes).snp, 24);
	snp_tcb_write(SNP_PRODUCT_MILAN, low, bytes);
	assert_memory_equal(bytes, ((uint8_t[]){4, 0, 0, 0, 0, 0, 24, 200}), 8);
	assert_int_equal(snp_tcb_read(SNP_PRODUCT_GENOA, bytes).snp, 24);
	bytes[3] = 9;
	assert_int_equal(snp_tcb_read(SNP_PRODUCT_MILAN, bytes).reserved, 9);
}

static void products_follow_family_and_model(void **state)
{
	(void)state;
	assert_int_equal(snp_product_of_fms((struct snp_fms){0x19, 0x0F, 0}), SNP_PRODUCT_MILAN);
	assert_int_equal(snp_product_of_fms((struct snp_fms){0x19, 0x10, 0}), SNP_PRODUCT_GENOA);
	assert_int_equal(snp_product_of_fms((struct snp_fms){0x19, 0xA0, 2}), SNP_PRODUCT_GENOA);
	assert_int_equal(snp_product_of_fms((struct snp_fms){0x19, 0x20, 0}), SNP_PRODUCT_UNKNOWN);
	assert_int_equal(snp_product_of_fms((struct snp_fms){0x1A, 0x11, 0}), SNP_PRODUCT_TURIN);
	assert_int_equal(snp_product_of_fms((struct snp_fms){0x1A, 0x12, 0}), SNP_PRODUCT_UNKNOWN);
	assert_int_equal(snp_product_of_fms((struct snp_fms){0x18, 0x01, 0}), SNP_PRODUCT_UNKNOWN);
}

/* ---- certificate tables ---- */

enum { TABLE_SIZE = 16384 };

static void genuine_tables_are_read_and_written_again(void **state)
{
	static const struct {
		const char *file;
		const uint8_t *guid;
	} tables[] = {{"certtables/milan_vcek_v2.certs.bin", snp_guid_vcek},
		      {"certtables/milan_vlek_v3.certs.bin", snp_guid_vlek}};
	uint8_t *bytes = malloc(TABLE_SIZE), *again = malloc(TABLE_SIZE);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct snp_certtable table, parsed;
		struct snp_certtable_entry entries[8], found;
		size_t len = TABLE_SIZE;

		read_data(tables[i].file, bytes, TABLE_SIZE);
		assert_int_equal(snp_certtable_begin(&table, bytes, TABLE_SIZE), 0);
		assert_int_equal(table.count, 3);
		assert_int_equal(snp_certtable_find(&table, tables[i].guid, &found), 0);
		assert_int_equal(found.data[0], 0x30); /* SEQUENCE */
		assert_int_equal((size_t)(found.data[2] << 8 | found.data[3]) + 4, found.len);
		assert_int_equal(snp_certtable_find(&table, snp_guid_ark, &found), 0);
		assert_int_equal(snp_certtable_find(&table, snp_guid_crl, &found),
				 CVTPM_ERR_NOT_FOUND);

		/* The used part alone is a good table, one byte less is not. */
		assert_int_equal(snp_certtable_begin(&parsed, bytes, table.used), 0);
		assert_int_equal(snp_certtable_begin(&parsed, bytes, table.used - 1),
				 CVTPM_ERR_FORMAT);

		for (size_t e = 0; e < table.count; e++)
			entries[e] = snp_certtable_at(&table, e);
		assert_int_equal(snp_certtable_write(entries, table.count, again, &len), 0);
		assert_int_equal(snp_certtable_begin(&parsed, again, len), 0);
		assert_int_equal(parsed.used, len);
		assert_int_equal(parsed.count, table.count);
		for (size_t e = 0; e < table.count; e++) {
			struct snp_certtable_entry copy = snp_certtable_at(&parsed, e);

			assert_memory_equal(copy.guid, entries[e].guid, SNP_GUID_SIZE);
			assert_int_equal(copy.len, entries[e].len);
			assert_memory_equal(copy.data, entries[e].data, copy.len);
		}
		len--;
		assert_int_equal(snp_certtable_write(entries, table.count, again, &len),
				 CVTPM_ERR_SIZE);
		assert_int_equal(len, parsed.used);
	}
	free(bytes);
	free(again);
}

static void an_empty_table_is_good(void **state)
{
	static const uint8_t zeros[64];
	struct snp_certtable table;
	uint8_t out[SNP_CERTTABLE_ENTRY_SIZE];
	size_t len = sizeof out;

	(void)state;
	assert_int_equal(snp_certtable_begin(&table, NULL, 0), 0);
	assert_int_equal(table.count, 0);
	assert_int_equal(snp_certtable_begin(&table, zeros, sizeof zeros), 0);
	assert_int_equal(table.count, 0);
	assert_int_equal(table.used, 0);
	assert_int_equal(snp_certtable_write(NULL, 0, out, &len), 0);
	assert_memory_equal(out, zeros, sizeof out);
}

/* Two entries, their end, 8 bytes of blob each; then one thing is broken. */
static void a_table_that_lies_is_refused(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		uint32_t value;
	} lies[] = {
		{"offset into the entries", 16, 71},
		{"offset at the start", 16, 0},
		{"offset behind the end", 16, 89},
		{"offset that wraps", 16, 0xFFFFFFFF},
		{"length over the end", 20, 17},
		{"length that wraps", 20, 0xFFFFFFFF},
		{"empty blob", 44, 0},
		{"same GUID twice", 24, 0x11111111},
		{"no end", 48, 1},
	};
	uint8_t bytes[88];
	struct snp_certtable table;

	(void)state;
	for (size_t i = 0; i <= sizeof lies / sizeof *lies; i++) {
		uint8_t *copy = malloc(sizeof bytes); /* exact, so that reading past it shows */

		memset(bytes, 0, sizeof bytes);
		memset(bytes, 0x11, 16);
		memset(bytes + 24, 0x11, 16);
		bytes[24] = 0x22;
		snp_put32(bytes + 16, 72);
		snp_put32(bytes + 20, 8);
		snp_put32(bytes + 40, 80);
		snp_put32(bytes + 44, 8);
		if (i < sizeof lies / sizeof *lies)
			snp_put32(bytes + lies[i].at, lies[i].value);
		memcpy(copy, bytes, sizeof bytes);
		if (i == sizeof lies / sizeof *lies) {
			assert_int_equal(snp_certtable_begin(&table, copy, sizeof bytes), 0);
			assert_int_equal(table.used, sizeof bytes);
		} else if (snp_certtable_begin(&table, copy, sizeof bytes) != CVTPM_ERR_FORMAT) {
			fail_msg("%s: accepted", lies[i].what);
		}
		free(copy);
	}
}

static void a_table_cut_anywhere_is_refused(void **state)
{
	uint8_t *bytes = malloc(TABLE_SIZE);
	struct snp_certtable table;
	size_t used;

	(void)state;
	read_data("certtables/milan_vcek_v2.certs.bin", bytes, TABLE_SIZE);
	assert_int_equal(snp_certtable_begin(&table, bytes, TABLE_SIZE), 0);
	used = table.used;
	for (size_t len = 1; len < used; len += len < 200 ? 1 : 97) {
		uint8_t *cut = malloc(len);

		memcpy(cut, bytes, len);
		assert_int_equal(snp_certtable_begin(&table, cut, len), CVTPM_ERR_FORMAT);
		free(cut);
	}
	free(bytes);
}

/* ---- secrets page ---- */

static void an_svsm_hands_down_only_the_keys_of_lower_levels(void **state)
{
	uint8_t page[SNP_SECRETS_SIZE], copy[SNP_SECRETS_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof page; i++)
		page[i] = (uint8_t)(i % 251 + 1);
	for (unsigned vmpl = 0; vmpl < 4; vmpl++) {
		snp_secrets_copy_for_vmpl(page, vmpl, copy);
		for (unsigned key = 0; key < 4; key++)
			assert_int_equal(snp_secrets_vmpck_present(copy, key), key >= vmpl);
		assert_memory_equal(copy, page, SNP_SECRETS_VMPCK0);
		assert_memory_equal(copy + 0xA0, page + 0xA0, sizeof page - 0xA0);
	}
}

static void a_wiped_key_leaves_the_others(void **state)
{
	uint8_t page[SNP_SECRETS_SIZE], before[SNP_SECRETS_SIZE];

	(void)state;
	memset(page, 7, sizeof page);
	memcpy(before, page, sizeof page);
	snp_secrets_wipe_vmpck(page, 2);
	assert_false(snp_secrets_vmpck_present(page, 2));
	memset(before + 0x60, 0, 32);
	assert_memory_equal(page, before, sizeof page);
	snp_secrets_set_seqno(page, 3, 0x01020304);
	assert_int_equal(snp_secrets_seqno(page, 3), 0x01020304);
	assert_int_equal(page[0xAC], 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_messages_open_and_are_written_again_byte_for_byte),
		cmocka_unit_test(known_payloads_are_read_and_written),
		cmocka_unit_test(no_bit_of_a_message_can_be_altered),
		cmocka_unit_test(another_key_does_not_open_a_message),
		cmocka_unit_test(a_message_that_the_format_does_not_allow_is_not_written),
		cmocka_unit_test(the_largest_payload_fills_the_page),
		cmocka_unit_test(genuine_reports_have_the_form_and_the_fields),
		cmocka_unit_test(a_report_of_another_form_is_refused),
		cmocka_unit_test(tcb_versions_are_compared_part_by_part),
		cmocka_unit_test(products_follow_family_and_model),
		cmocka_unit_test(genuine_tables_are_read_and_written_again),
		cmocka_unit_test(an_empty_table_is_good),
		cmocka_unit_test(a_table_that_lies_is_refused),
		cmocka_unit_test(a_table_cut_anywhere_is_refused),
		cmocka_unit_test(an_svsm_hands_down_only_the_keys_of_lower_levels),
		cmocka_unit_test(a_wiped_key_leaves_the_others),
	};

	return cmocka_run_group_tests_name("snp-layouts", tests, NULL, NULL);
}
