/*
 * Guest messages in both directions, and the certificate table, from hostile bytes.
 *
 * The first byte chooses. Raw bytes as an answer or as a request almost never
 * get past the tag; so the same bytes are also sealed as payloads under the
 * right key, which reaches what lies behind it. Whatever comes, a guest must
 * end with a report for its own question or without its key; the AMD-SP's side
 * is its header reader and opener.
 */
#include "cvtpm/err.h"
#include "snp/certtable.h"
#include "snp/guest_request.h"
#include "snp/message.h"
#include "snp/report.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const uint8_t report_data[SNP_REPORT_DATA_SIZE] = {1};

struct host {
	const uint8_t *bytes;
	size_t len;
	bool seal; /* the bytes are a payload, else a page */
	uint8_t key[SNP_VMPCK_SIZE];
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Answers with the input, properly sealed if asked to. */
static int exchange(void *context, const uint8_t *request_page, uint8_t *response_page,
		    struct snp_exchange_result *result)
{
	struct host *h = context;
	struct snp_message_header header;
	uint8_t payload[SNP_MESSAGE_MAX_PAYLOAD] = {0};

	*result = (struct snp_exchange_result){0};
	if (!h->seal) {
		memcpy(response_page, h->bytes, least(h->len, SNP_PAGE_SIZE));
		return 0;
	}
	if (snp_message_read_header(request_page, &header) != 0)
		abort();
	memcpy(payload, h->bytes, least(h->len, sizeof payload));
	header.seqno++;
	header.type++;
	header.size = (uint16_t)least(h->len, sizeof payload);
	return snp_message_seal(response_page, &header, h->key, payload);
}

/* An extended request: the input is the host's certificate table, and there is no answer. */
static int exchange_extended(void *context, const uint8_t *request_page, uint8_t *response_page,
			     uint8_t *certs, size_t certs_size, struct snp_exchange_result *result)
{
	struct host *h = context;

	memcpy(certs, h->bytes, least(h->len, certs_size));
	return exchange(context, request_page, response_page, result);
}

static void as_guest(struct host *h, unsigned what)
{
	static struct snp_guest_message guest;
	static uint8_t pages[2][SNP_PAGE_SIZE], certs[SNP_CERTS_MAX_SIZE],
		table[SNP_CERTS_MAX_SIZE];
	uint8_t secrets[SNP_SECRETS_SIZE] = {0}, report[SNP_REPORT_SIZE], key[SNP_DERIVED_KEY_SIZE];
	struct snp_guest_message_config config = {
		.transport = {.context = h,
			      .exchange = exchange,
			      .exchange_extended = exchange_extended},
		.secrets = secrets,
		.request_page = pages[0],
		.response_page = pages[1],
		.certs = certs,
		.certs_size = sizeof certs,
	};
	struct cvtpm_snp_provider *p = &guest.provider;
	size_t table_len = sizeof table;
	int err;

	memset(h->key, 0x5A, sizeof h->key);
	memcpy(snp_secrets_vmpck(secrets, 0), h->key, sizeof h->key);
	if (cvtpm_guest_message_open(&guest, &config) != 0)
		abort();
	if (what == 0) {
		err = p->ops->report(p, report_data, report);
		if (err == 0 &&
		    (memcmp(snp_report_report_data(report), report_data, sizeof report_data) != 0 ||
		     snp_report_check(report, sizeof report) != 0))
			abort();
	} else if (what == 1) {
		err = p->ops->derived_key(p, key);
	} else {
		err = p->ops->certificates(p, table, &table_len);
	}
	if ((err == CVTPM_ERR_FORMAT || err == CVTPM_ERR_AUTH) && what != 2 &&
	    snp_secrets_vmpck_present(secrets, 0))
		abort();
	if (err == 0 && !snp_secrets_vmpck_present(secrets, 0))
		abort();
}

/* What the AMD-SP's side does with a page before it believes it. */
static void as_amdsp(const struct host *h)
{
	uint8_t page[SNP_PAGE_SIZE] = {0}, again[SNP_PAGE_SIZE], key[SNP_VMPCK_SIZE] = {7};
	uint8_t payload[SNP_MESSAGE_MAX_PAYLOAD];
	struct snp_message_header header;

	memcpy(page, h->bytes, least(h->len, sizeof page));
	if (snp_message_read_header(page, &header) != 0)
		return;
	if (snp_message_open(page, &header, key, payload) != 0)
		return;
	if (snp_message_seal(again, &header, key, payload) != 0 ||
	    memcmp(again, page, SNP_MESSAGE_HEADER_SIZE + header.size) != 0)
		abort();
}

static void as_certtable(const struct host *h)
{
	struct snp_certtable table;
	struct snp_certtable_entry entry;
	volatile uint8_t sum = 0;

	if (snp_certtable_begin(&table, h->bytes, h->len) != 0)
		return;
	if (table.used > h->len)
		abort();
	for (size_t i = 0; i < table.count; i++) {
		entry = snp_certtable_at(&table, i);
		sum = (uint8_t)(sum + entry.data[0] + entry.data[entry.len - 1]);
		if (snp_certtable_find(&table, entry.guid, &entry) != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct host h = {0};

	if (len == 0)
		return 0;
	h.bytes = bytes + 1;
	h.len = len - 1;
	h.seal = bytes[0] & 0x10;
	switch (bytes[0] & 0x0F) {
	case 0:
	case 1:
	case 2:
		as_guest(&h, bytes[0] & 0x0F);
		break;
	case 3:
		as_amdsp(&h);
		break;
	default:
		as_certtable(&h);
	}
	return 0;
}
