#include "snp/guest_request.h"

#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "cvtpm/err.h"
#include "snp/certtable.h"
#include "snp/le.h"
#include "snp/message.h"
#include "snp/report.h"

enum {
	DEFAULT_BUSY_RETRIES = 30,
	RSP_HEADER_SIZE = 0x20, /* of both responses: STATUS and reserved bytes */
};

/* ---- payloads ---- */

void snp_report_request_write(uint8_t payload[SNP_REPORT_REQ_SIZE],
			      const uint8_t report_data[SNP_REPORT_DATA_SIZE], uint32_t vmpl)
{
	memset(payload, 0, SNP_REPORT_REQ_SIZE);
	memcpy(payload + SNP_REPORT_REQ_REPORT_DATA, report_data, SNP_REPORT_DATA_SIZE);
	snp_put32(payload + SNP_REPORT_REQ_VMPL, vmpl);
	snp_put32(payload + SNP_REPORT_REQ_KEY_SEL, SNP_KEY_SEL_ANY);
}

int snp_report_response_read(const uint8_t *payload, size_t len,
			     const uint8_t report_data[SNP_REPORT_DATA_SIZE], uint32_t vmpl,
			     uint32_t *status, uint8_t report[SNP_REPORT_SIZE])
{
	const uint8_t *found = payload + SNP_REPORT_RSP_REPORT;

	if (len < RSP_HEADER_SIZE)
		return CVTPM_ERR_FORMAT;
	*status = snp_get32(payload + SNP_REPORT_RSP_STATUS);
	if (*status != SNP_STATUS_SUCCESS)
		return CVTPM_ERR_PEER;
	if (len < SNP_REPORT_RSP_SIZE ||
	    snp_get32(payload + SNP_REPORT_RSP_REPORT_SIZE) != SNP_REPORT_SIZE)
		return CVTPM_ERR_FORMAT;

	if (snp_report_check(found, SNP_REPORT_SIZE) != 0)
		return CVTPM_ERR_UNSUPPORTED;
	if (memcmp(snp_report_report_data(found), report_data, SNP_REPORT_DATA_SIZE) != 0 ||
	    snp_report_vmpl(found) != vmpl)
		return CVTPM_ERR_FORMAT;
	memcpy(report, found, SNP_REPORT_SIZE);
	return 0;
}

void snp_key_request_write(uint8_t payload[SNP_KEY_REQ_SIZE], enum snp_key_sel key_sel,
			   uint32_t vmpl)
{
	memset(payload, 0, SNP_KEY_REQ_SIZE);
	snp_put32(payload + SNP_KEY_REQ_ROOT_KEY_SELECT, (uint32_t)key_sel << 1);
	snp_put64(payload + SNP_KEY_REQ_GUEST_FIELD_SELECT,
		  SNP_KEY_FIELD_GUEST_POLICY | SNP_KEY_FIELD_MEASUREMENT);
	snp_put32(payload + SNP_KEY_REQ_VMPL, vmpl);
}

int snp_key_response_read(const uint8_t *payload, size_t len, uint32_t *status,
			  uint8_t key[SNP_DERIVED_KEY_SIZE])
{
	if (len < RSP_HEADER_SIZE)
		return CVTPM_ERR_FORMAT;
	*status = snp_get32(payload + SNP_KEY_RSP_STATUS);
	if (*status != SNP_STATUS_SUCCESS)
		return CVTPM_ERR_PEER;
	if (len < SNP_KEY_RSP_SIZE)
		return CVTPM_ERR_FORMAT;
	memcpy(key, payload + SNP_KEY_RSP_DERIVED_KEY, SNP_DERIVED_KEY_SIZE);
	return 0;
}

/* ---- one exchange ---- */

static struct snp_guest_message *of(struct cvtpm_snp_provider *provider)
{
	return (struct snp_guest_message *)provider;
}

/* The AMD-SP and we may disagree on what was sent under which number: the key
 * is never used again. */
static void give_up(struct snp_guest_message *guest)
{
	snp_secrets_wipe_vmpck(guest->config.secrets, guest->config.vmpck);
	guest->gone = true;
}

/* Copies out of memory that the host may write at the same time: from here on
 * only the copy is looked at. */
static void copy_in(uint8_t *to, const uint8_t *shared, size_t len)
{
	memcpy(to, shared, len);
	__asm__ volatile("" : : : "memory");
}

/* Takes the next sequence number out of the secrets page. */
static int next_seqno(struct snp_guest_message *guest, uint32_t *seqno)
{
	const struct snp_guest_message_config *c = &guest->config;
	uint32_t count = snp_secrets_seqno(c->secrets, c->vmpck);

	if (guest->gone || !snp_secrets_vmpck_present(c->secrets, c->vmpck))
		return CVTPM_ERR_KEY_GONE;
	if (count % 2 != 0)
		return CVTPM_ERR_FORMAT;
	if (count >= UINT32_MAX - 1) {
		give_up(guest);
		return CVTPM_ERR_KEY_GONE;
	}
	snp_secrets_set_seqno(c->secrets, c->vmpck, count + 2);
	*seqno = count + 1;
	return 0;
}

/* What a request and its answer have in common. */
struct exchange {
	uint8_t type;      /* MSG_TYPE of the request */
	uint16_t req_size; /* bytes of guest->payload that go out */
	uint16_t rsp_size; /* the most that may come back into it */
	bool extended;     /* with the certificate table */
	uint32_t seqno;
	size_t certs_short; /* room that the host asks for, when ours was too little */
};

/* Sends guest->request until it is answered; every attempt sends the same bytes. */
static int deliver(struct snp_guest_message *guest, struct exchange *x)
{
	const struct snp_guest_message_config *c = &guest->config;
	const struct snp_transport *t = &c->transport;
	unsigned retries = c->busy_retries ? c->busy_retries : DEFAULT_BUSY_RETRIES;
	bool extended = x->extended;

	for (;;) {
		struct snp_exchange_result result = {0};

		memcpy(c->request_page, guest->request, SNP_PAGE_SIZE);
		memset(c->response_page, 0, SNP_PAGE_SIZE);
		CVTPM_TRY(extended ? t->exchange_extended(t->context, c->request_page,
							  c->response_page, c->certs, c->certs_size,
							  &result)
				   : t->exchange(t->context, c->request_page, c->response_page,
						 &result));
		if (result.firmware == 0 && result.vmm == 0)
			return 0;

		guest->provider.status.firmware = result.firmware;
		guest->provider.status.vmm = result.vmm;
		if (result.firmware == 0 && result.vmm == SNP_VMM_BUSY && retries-- > 0) {
			if (t->pause)
				t->pause(t->context);
		} else if (result.firmware == 0 && result.vmm == SNP_VMM_INVALID_LEN && extended) {
			/* The AMD-SP has not seen it: a plain request uses the number up. */
			extended = false;
			x->certs_short = result.certs_needed ? result.certs_needed : SIZE_MAX;
		} else {
			return CVTPM_ERR_PEER;
		}
	}
}

/* Reads the answer in guest->response into guest->payload. */
static int decode(struct snp_guest_message *guest, const struct exchange *x, size_t *len)
{
	const struct snp_guest_message_config *c = &guest->config;
	struct snp_message_header header;

	CVTPM_TRY(snp_message_read_header(guest->response, &header));
	if (header.seqno != (uint64_t)x->seqno + 1 || header.type != x->type + 1 ||
	    header.version != 1 || header.vmpck != c->vmpck)
		return CVTPM_ERR_FORMAT;
	if (header.size < RSP_HEADER_SIZE || header.size > x->rsp_size)
		return CVTPM_ERR_FORMAT;
	CVTPM_TRY(snp_message_open(guest->response, &header,
				   snp_secrets_vmpck(c->secrets, c->vmpck), guest->payload));
	*len = header.size;
	return 0;
}

/* One complete exchange: guest->payload goes out, the answer comes back into it.
 * After any failure the key is gone. */
static int exchange(struct snp_guest_message *guest, struct exchange *x, size_t *len)
{
	const struct snp_guest_message_config *c = &guest->config;
	struct snp_message_header header = {
		.type = x->type, .version = 1, .vmpck = (uint8_t)c->vmpck, .size = x->req_size};
	int err;

	guest->provider.status.firmware = 0;
	guest->provider.status.vmm = 0;
	CVTPM_TRY(next_seqno(guest, &x->seqno));
	header.seqno = x->seqno;

	err = snp_message_seal(guest->request, &header, snp_secrets_vmpck(c->secrets, c->vmpck),
			       guest->payload);
	if (err == 0)
		err = deliver(guest, x);
	if (err == 0) {
		copy_in(guest->response, c->response_page, SNP_PAGE_SIZE);
		err = decode(guest, x, len);
	}
	if (err < 0) {
		give_up(guest);
		return err;
	}
	guest->provider.status.vmm = 0; /* of an attempt that was repeated */
	return 0;
}

/* What an authenticated payload turned out to be: an error STATUS, or a report
 * of a form that we do not know, leaves the key; nonsense does not. */
static int judge(struct snp_guest_message *guest, int err, uint32_t status)
{
	cvtpm_wipe(guest->payload, sizeof guest->payload);
	if (err == CVTPM_ERR_PEER)
		guest->provider.status.firmware = status;
	else if (err < 0 && err != CVTPM_ERR_UNSUPPORTED)
		give_up(guest);
	return err;
}

/* ---- the provider ---- */

static int request_report(struct snp_guest_message *guest, struct exchange *x,
			  const uint8_t report_data[SNP_REPORT_DATA_SIZE],
			  uint8_t report[SNP_REPORT_SIZE])
{
	uint32_t status = 0;
	size_t len;
	int err;

	x->type = SNP_MSG_REPORT_REQ;
	x->req_size = SNP_REPORT_REQ_SIZE;
	x->rsp_size = SNP_REPORT_RSP_SIZE;
	snp_report_request_write(guest->payload, report_data, guest->config.vmpl);
	CVTPM_TRY(exchange(guest, x, &len));
	err = snp_report_response_read(guest->payload, len, report_data, guest->config.vmpl,
				       &status, report);
	return judge(guest, err, status);
}

static int provider_report(struct cvtpm_snp_provider *provider,
			   const uint8_t report_data[SNP_REPORT_DATA_SIZE],
			   uint8_t report[SNP_REPORT_SIZE])
{
	struct exchange x = {.extended = false};

	return request_report(of(provider), &x, report_data, report);
}

/* The table comes beside a report; that report is over zeros, and dropped. */
static int provider_certificates(struct cvtpm_snp_provider *provider, uint8_t *table, size_t *len)
{
	static const uint8_t zeros[SNP_REPORT_DATA_SIZE];
	struct snp_guest_message *guest = of(provider);
	struct exchange x = {.extended = true};
	uint8_t report[SNP_REPORT_SIZE];

	memset(guest->config.certs, 0, guest->config.certs_size);
	CVTPM_TRY(request_report(guest, &x, zeros, report));
	if (x.certs_short != 0) {
		provider->status.vmm = SNP_VMM_INVALID_LEN;
		return CVTPM_ERR_PEER;
	}

	copy_in(guest->certs, guest->config.certs, guest->config.certs_size);
	return snp_certtable_copy(guest->certs, guest->config.certs_size, table, len);
}

static int request_key(struct snp_guest_message *guest, enum snp_key_sel key_sel,
		       uint8_t key[SNP_DERIVED_KEY_SIZE])
{
	struct exchange x = {.type = SNP_MSG_KEY_REQ,
			     .req_size = SNP_KEY_REQ_SIZE,
			     .rsp_size = SNP_KEY_RSP_SIZE};
	uint32_t status = 0;
	size_t len;
	int err;

	snp_key_request_write(guest->payload, key_sel, guest->config.vmpl);
	CVTPM_TRY(exchange(guest, &x, &len));
	err = snp_key_response_read(guest->payload, len, &status, key);
	return judge(guest, err, status);
}

/* The VCEK by name, for a VLEK is shared by many chips. Firmware that does not
 * know the selector has no VLEK, says that the parameter is invalid (in an
 * authenticated answer), and is asked without it. */
static int provider_derived_key(struct cvtpm_snp_provider *provider,
				uint8_t key[SNP_DERIVED_KEY_SIZE])
{
	struct snp_guest_message *guest = of(provider);
	int err = request_key(guest, SNP_KEY_SEL_VCEK, key);

	if (err == CVTPM_ERR_PEER && !guest->gone &&
	    provider->status.firmware == SNP_STATUS_INVALID_PARAMETERS)
		err = request_key(guest, SNP_KEY_SEL_ANY, key);
	return err;
}

/* The key stays in the secrets page, whose owner may go on with it. */
static void provider_close(struct cvtpm_snp_provider *provider)
{
	cvtpm_wipe(provider, sizeof(struct snp_guest_message));
}

static const struct cvtpm_snp_provider_ops ops_with_certificates = {
	.report = provider_report,
	.certificates = provider_certificates,
	.derived_key = provider_derived_key,
	.close = provider_close,
};
static const struct cvtpm_snp_provider_ops ops_without_certificates = {
	.report = provider_report,
	.derived_key = provider_derived_key,
	.close = provider_close,
};

int cvtpm_guest_message_open(struct snp_guest_message *guest,
			     const struct snp_guest_message_config *config)
{
	bool certs = config->certs != NULL;

	if (!config->transport.exchange || !config->secrets || !config->request_page ||
	    !config->response_page || config->vmpck >= SNP_VMPCK_COUNT ||
	    config->vmpl < config->vmpck || config->vmpl >= SNP_VMPCK_COUNT)
		return CVTPM_ERR_PARAM;
	if (certs &&
	    (!config->transport.exchange_extended || config->certs_size == 0 ||
	     config->certs_size > SNP_CERTS_MAX_SIZE || config->certs_size % SNP_PAGE_SIZE != 0))
		return CVTPM_ERR_PARAM;
	if (!snp_secrets_vmpck_present(config->secrets, config->vmpck))
		return CVTPM_ERR_KEY_GONE;
	if (snp_secrets_seqno(config->secrets, config->vmpck) % 2 != 0)
		return CVTPM_ERR_FORMAT;

	memset(guest, 0, sizeof *guest);
	guest->config = *config;
	guest->provider.ops = certs ? &ops_with_certificates : &ops_without_certificates;
	guest->provider.name = config->name ? config->name : "guest-message";
	guest->provider.isolation = config->isolation;
	guest->provider.lab = config->lab;
	return 0;
}
