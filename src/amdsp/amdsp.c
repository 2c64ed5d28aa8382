/*
 * The simulated AMD-SP: one launched guest, its keys and counters, and the
 * answers to its messages.
 *
 * A request is refused with a firmware status, unanswered and uncounted, until
 * it has been decrypted; from then on there is an encrypted answer, whose STATUS
 * says what is wrong with the request's content. Which status AMD's firmware
 * gives for which broken header is not public for every case; a guest must not
 * go on after any of them.
 */
#include "amdsp/internal.h"

#include "crypto/crypto.h"
#include "crypto/hex.h"
#include "cvtpm/err.h"
#include "snp/guest_request.h"
#include "snp/message.h"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_BAD_MEASUREMENT 0x0Bu /* what the firmware says to a wrong tag */
#define DEFAULT_POLICY         0x30000u
#define PLATFORM_INFO          0x25u /* SMT, ECC, alias check complete, as genuine ones */

struct cvtpm_amdsp {
	const struct cvtpm_amdsp_lab *lab;
	struct cvtpm_amdsp_config config;
	uint8_t measurement[SNP_MEASUREMENT_SIZE];
	uint8_t host_data[SNP_REPORT_HOST_DATA_SIZE];
	uint8_t report_id[SNP_REPORT_ID_SIZE];
	uint8_t secrets[SNP_SECRETS_SIZE]; /* VMPCKs as launched; the guest has a copy */
	uint64_t seqno[SNP_VMPCK_COUNT];   /* of the last answer under each key */
	unsigned attempts;                 /* requests since the faults were set */
	uint8_t last_answer[SNP_PAGE_SIZE];
};

/* ---- launch ---- */

static int measure_self(uint8_t measurement[SNP_MEASUREMENT_SIZE])
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	uint8_t buffer[16384];
	ssize_t n = -1;
	int err = CVTPM_ERR_IO;

	if (file >= 0 && digest && EVP_DigestInit_ex(digest, EVP_sha384(), NULL) == 1) {
		while ((n = read(file, buffer, sizeof buffer)) > 0)
			if (EVP_DigestUpdate(digest, buffer, (size_t)n) != 1)
				break;
		if (n == 0 && EVP_DigestFinal_ex(digest, measurement, NULL) == 1)
			err = 0;
	}
	EVP_MD_CTX_free(digest);
	if (file >= 0)
		close(file);
	return err;
}

static int write_measurement(const struct cvtpm_amdsp *sp)
{
	char line[2 * SNP_MEASUREMENT_SIZE + 2];
	int folder = lab_folder_open(sp->lab->dir), err;

	if (folder < 0)
		return folder;
	cvtpm_hex_write(line, sp->measurement, SNP_MEASUREMENT_SIZE);
	line[2 * SNP_MEASUREMENT_SIZE] = '\n';
	err = lab_folder_write(folder, "measurement", line, sizeof line - 1);
	close(folder);
	return err;
}

static int make_secrets(struct cvtpm_amdsp *sp)
{
	struct snp_fms fms = chip_fms(&sp->lab->chip);

	snp_put32(sp->secrets + SNP_SECRETS_VERSION, 3);
	/* As CPUID leaf 1 gives them in EAX: the part of the family above 0xF is the extended one.
	 */
	snp_put32(sp->secrets + SNP_SECRETS_FMS,
		  (uint32_t)(fms.family - 0xF) << 20 | (uint32_t)(fms.model >> 4) << 16 |
			  0xFu << 8 | (uint32_t)(fms.model & 0xF) << 4 | fms.stepping);
	if (RAND_bytes(snp_secrets_vmpck(sp->secrets, 0), SNP_VMPCK_COUNT * SNP_VMPCK_SIZE) != 1 ||
	    RAND_bytes(sp->report_id, sizeof sp->report_id) != 1)
		return CVTPM_ERR_ENTROPY;
	return 0;
}

static int configure(struct cvtpm_amdsp *sp, const struct cvtpm_amdsp_config *config)
{
	struct cvtpm_amdsp_config *c = &sp->config;

	if (config)
		*c = *config;
	if (c->report_version == 0)
		c->report_version = sp->lab->chip.product == CVTPM_AMDSP_TURIN ? 5 : 3;
	if (c->policy == 0)
		c->policy = DEFAULT_POLICY;
	if (c->report_version < SNP_REPORT_VERSION_MIN ||
	    c->report_version > SNP_REPORT_VERSION_MAX || c->vmpl >= SNP_VMPCK_COUNT)
		return CVTPM_ERR_PARAM;

	if (c->host_data)
		memcpy(sp->host_data, c->host_data, sizeof sp->host_data);
	if (c->measurement)
		memcpy(sp->measurement, c->measurement, sizeof sp->measurement);
	else
		CVTPM_TRY(measure_self(sp->measurement));
	c->host_data = c->measurement = NULL; /* the caller's */
	return 0;
}

int cvtpm_amdsp_launch(struct cvtpm_amdsp_lab *lab, const struct cvtpm_amdsp_config *config,
		       struct cvtpm_amdsp **out)
{
	struct cvtpm_amdsp *sp = calloc(1, sizeof *sp);
	int err;

	*out = NULL;
	if (!sp)
		return CVTPM_ERR_NO_MEMORY;
	sp->lab = lab;
	err = configure(sp, config);
	if (err == 0)
		err = make_secrets(sp);
	if (err == 0)
		err = write_measurement(sp);
	if (err < 0) {
		cvtpm_amdsp_destroy(sp);
		return err;
	}
	*out = sp;
	return 0;
}

void cvtpm_amdsp_destroy(struct cvtpm_amdsp *sp)
{
	if (!sp)
		return;
	cvtpm_wipe(sp, sizeof *sp);
	free(sp);
}

void cvtpm_amdsp_secrets(const struct cvtpm_amdsp *sp, uint8_t page[CVTPM_AMDSP_SECRETS_SIZE])
{
	memcpy(page, sp->secrets, SNP_SECRETS_SIZE);
}

const uint8_t *cvtpm_amdsp_measurement(const struct cvtpm_amdsp *sp)
{
	return sp->measurement;
}

void cvtpm_amdsp_set_faults(struct cvtpm_amdsp *sp, const struct cvtpm_amdsp_faults *faults)
{
	sp->config.faults = *faults;
	sp->attempts = 0;
}

/* ---- reports ---- */

/* Everything but VERSION's later fields and the signature. */
static void fill_report(const struct cvtpm_amdsp *sp, const uint8_t *report_data, uint32_t vmpl,
			uint8_t *r)
{
	static const uint8_t firmware[] = {29, 55, 1}; /* build, minor, major */
	const struct chip *chip = &sp->lab->chip;

	memset(r, 0, SNP_REPORT_SIZE);
	snp_put32(r + SNP_REPORT_VERSION, sp->config.report_version);
	snp_put32(r + SNP_REPORT_GUEST_SVN, sp->config.guest_svn);
	snp_put64(r + SNP_REPORT_POLICY, sp->config.policy);
	snp_put32(r + SNP_REPORT_VMPL, vmpl);
	snp_put32(r + SNP_REPORT_SIGNATURE_ALGO, SNP_SIGNATURE_ALGO_ECDSA_P384_SHA384);
	snp_put64(r + SNP_REPORT_PLATFORM_INFO, PLATFORM_INFO);
	memcpy(r + SNP_REPORT_REPORT_DATA, report_data, SNP_REPORT_DATA_SIZE);
	memcpy(r + SNP_REPORT_MEASUREMENT, sp->measurement, SNP_MEASUREMENT_SIZE);
	memcpy(r + SNP_REPORT_HOST_DATA, sp->host_data, sizeof sp->host_data);
	memcpy(r + SNP_REPORT_REPORT_ID, sp->report_id, sizeof sp->report_id);
	memset(r + SNP_REPORT_REPORT_ID_MA, 0xFF, SNP_REPORT_ID_SIZE); /* no migration agent */
	memcpy(r + SNP_REPORT_CHIP_ID, chip->id, sizeof chip->id);
	memcpy(r + SNP_REPORT_CURRENT_TCB, chip->tcb, sizeof chip->tcb);
	memcpy(r + SNP_REPORT_REPORTED_TCB, chip->tcb, sizeof chip->tcb);
	memcpy(r + SNP_REPORT_COMMITTED_TCB, chip->tcb, sizeof chip->tcb);
	memcpy(r + SNP_REPORT_LAUNCH_TCB, chip->tcb, sizeof chip->tcb);
	memcpy(r + SNP_REPORT_CURRENT_BUILD, firmware, sizeof firmware);
	memcpy(r + SNP_REPORT_COMMITTED_BUILD, firmware, sizeof firmware);
	if (sp->config.report_version >= 3) {
		struct snp_fms fms = chip_fms(chip);

		r[SNP_REPORT_CPUID_FAM_ID] = fms.family;
		r[SNP_REPORT_CPUID_MOD_ID] = fms.model;
		r[SNP_REPORT_CPUID_STEP] = fms.stepping;
	}
}

static void spoil_report(const struct cvtpm_amdsp_faults *faults, uint8_t *r)
{
	if (faults->other_report_data)
		r[SNP_REPORT_REPORT_DATA] ^= 1;
	if (faults->other_measurement)
		r[SNP_REPORT_MEASUREMENT] ^= 1;
	if (faults->other_chip)
		r[SNP_REPORT_CHIP_ID] ^= 1;
	if (faults->other_tcb)
		r[SNP_REPORT_REPORTED_TCB + 7] ^= 1;
}

static int sign_report(const struct cvtpm_amdsp *sp, uint8_t *r)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t der[128];
	const uint8_t *at = der;
	size_t len = sizeof der;
	ECDSA_SIG *signature = NULL;
	bool ok;

	if (context && EVP_DigestSignInit(context, NULL, EVP_sha384(), NULL, sp->lab->vcek) == 1 &&
	    EVP_DigestSign(context, der, &len, r, SNP_REPORT_SIGNED_SIZE) == 1)
		signature = d2i_ECDSA_SIG(NULL, &at, (long)len);
	ok = signature &&
	     BN_bn2lebinpad(ECDSA_SIG_get0_r(signature), r + SNP_REPORT_SIGNATURE_R,
			    SNP_SIGNATURE_NUMBER_SIZE) > 0 &&
	     BN_bn2lebinpad(ECDSA_SIG_get0_s(signature), r + SNP_REPORT_SIGNATURE_S,
			    SNP_SIGNATURE_NUMBER_SIZE) > 0;
	ECDSA_SIG_free(signature);
	EVP_MD_CTX_free(context);
	if (ok && sp->config.faults.bad_signature)
		r[SNP_REPORT_SIGNATURE_R] ^= 1;
	return ok ? 0 : CVTPM_ERR_CRYPTO;
}

/* ---- the two messages ---- */

/* KEY_SEL of either message against what this chip has, which is no VLEK. */
static uint32_t check_key_sel(uint32_t key_sel)
{
	switch (key_sel) {
	case SNP_KEY_SEL_ANY:
	case SNP_KEY_SEL_VCEK:
		return SNP_STATUS_SUCCESS;
	case SNP_KEY_SEL_VLEK:
		return SNP_STATUS_INVALID_KEY;
	default:
		return SNP_STATUS_INVALID_PARAMETERS;
	}
}

/* A level is a guest's to name when it is its own or a lower one, which has a higher number. */
static bool may_name(uint32_t vmpl, unsigned vmpck)
{
	return vmpl >= vmpck && vmpl < SNP_VMPCK_COUNT;
}

static uint32_t answer_report(const struct cvtpm_amdsp *sp, unsigned vmpck, const uint8_t *req,
			      uint8_t *rsp)
{
	uint32_t vmpl = snp_get32(req + SNP_REPORT_REQ_VMPL);
	uint32_t key_sel = snp_get32(req + SNP_REPORT_REQ_KEY_SEL);
	uint8_t *report = rsp + SNP_REPORT_RSP_REPORT;

	if (!may_name(vmpl, vmpck) || !cvtpm_is_zero(req + SNP_REPORT_REQ_RESERVED,
						     SNP_REPORT_REQ_SIZE - SNP_REPORT_REQ_RESERVED))
		return SNP_STATUS_INVALID_PARAMETERS;
	if (check_key_sel(key_sel) != SNP_STATUS_SUCCESS)
		return check_key_sel(key_sel);

	fill_report(sp, req + SNP_REPORT_REQ_REPORT_DATA, vmpl, report);
	spoil_report(&sp->config.faults, report);
	if (sign_report(sp, report) != 0)
		return SNP_STATUS_INVALID_PARAMETERS;
	snp_put32(rsp + SNP_REPORT_RSP_REPORT_SIZE, SNP_REPORT_SIZE);
	return SNP_STATUS_SUCCESS;
}

/* What a derived key depends on: the request, and of the guest what it selected. */
static int derive_key(const struct cvtpm_amdsp *sp, const uint8_t *req, uint8_t *key)
{
	static const char label[] = "cvtpm LAB derived key";
	uint64_t fields = snp_get64(req + SNP_KEY_REQ_GUEST_FIELD_SELECT);
	uint8_t info[sizeof label + SNP_KEY_REQ_SIZE + 8 + SNP_MEASUREMENT_SIZE] = {0};
	uint8_t *at = info + sizeof label;

	memcpy(info, label, sizeof label);
	at[0] = req[SNP_KEY_REQ_ROOT_KEY_SELECT] & 1;
	snp_put64(at + 8, fields);
	memcpy(at + SNP_KEY_REQ_VMPL, req + SNP_KEY_REQ_VMPL, 4);
	if (fields & SNP_KEY_FIELD_GUEST_SVN)
		memcpy(at + SNP_KEY_REQ_GUEST_SVN, req + SNP_KEY_REQ_GUEST_SVN, 4);
	if (fields & SNP_KEY_FIELD_TCB_VERSION)
		memcpy(at + SNP_KEY_REQ_TCB_VERSION, req + SNP_KEY_REQ_TCB_VERSION, 8);
	at += SNP_KEY_REQ_SIZE;
	if (fields & SNP_KEY_FIELD_GUEST_POLICY)
		snp_put64(at, sp->config.policy);
	if (fields & SNP_KEY_FIELD_MEASUREMENT)
		memcpy(at + 8, sp->measurement, SNP_MEASUREMENT_SIZE);
	return cvtpm_hkdf(CVTPM_SHA384, sp->lab->root, sizeof sp->lab->root, NULL, 0, info,
			  sizeof info, key, SNP_DERIVED_KEY_SIZE);
}

static uint32_t answer_key(const struct cvtpm_amdsp *sp, unsigned vmpck, const uint8_t *req,
			   uint8_t *rsp)
{
	const uint64_t known = SNP_KEY_FIELD_GUEST_POLICY | SNP_KEY_FIELD_IMAGE_ID |
			       SNP_KEY_FIELD_FAMILY_ID | SNP_KEY_FIELD_MEASUREMENT |
			       SNP_KEY_FIELD_GUEST_SVN | SNP_KEY_FIELD_TCB_VERSION;
	uint32_t root = snp_get32(req + SNP_KEY_REQ_ROOT_KEY_SELECT);
	enum snp_product product = chip_snp_product(&sp->lab->chip);

	if (root > 7 || !cvtpm_is_zero(req + SNP_KEY_REQ_RESERVED, 4) ||
	    (snp_get64(req + SNP_KEY_REQ_GUEST_FIELD_SELECT) & ~known) != 0 ||
	    !may_name(snp_get32(req + SNP_KEY_REQ_VMPL), vmpck) ||
	    snp_get32(req + SNP_KEY_REQ_GUEST_SVN) > sp->config.guest_svn ||
	    !snp_tcb_at_least(snp_tcb_read(product, sp->lab->chip.tcb),
			      snp_tcb_read(product, req + SNP_KEY_REQ_TCB_VERSION)))
		return SNP_STATUS_INVALID_PARAMETERS;
	if ((root & 1) == 0 && check_key_sel(root >> 1) != SNP_STATUS_SUCCESS)
		return check_key_sel(root >> 1);
	if (derive_key(sp, req, rsp + SNP_KEY_RSP_DERIVED_KEY) != 0)
		return SNP_STATUS_INVALID_PARAMETERS;
	return SNP_STATUS_SUCCESS;
}

/* Every message that is served: what it must be, and who answers it. */
static const struct message {
	uint8_t type;
	uint16_t req_size, rsp_size;
	uint32_t (*answer)(const struct cvtpm_amdsp *sp, unsigned vmpck, const uint8_t *req,
			   uint8_t *rsp);
} messages[] = {
	{SNP_MSG_REPORT_REQ, SNP_REPORT_REQ_SIZE, SNP_REPORT_RSP_SIZE, answer_report},
	{SNP_MSG_KEY_REQ, SNP_KEY_REQ_SIZE, SNP_KEY_RSP_SIZE, answer_key},
};

static const struct message *find_message(uint8_t type)
{
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
		if (messages[i].type == type)
			return &messages[i];
	return NULL;
}

/* ---- answers, sound and otherwise ---- */

/* Changes what a sound answer's header would be; true when `*key` was changed too. */
static void spoil_header(const struct cvtpm_amdsp_faults *faults, struct snp_message_header *h,
			 uint8_t *key)
{
	switch (faults->answer) {
	case CVTPM_AMDSP_WRONG_KEY:
		key[0] ^= 1;
		break;
	case CVTPM_AMDSP_WRONG_SEQNO:
		h->seqno += 2;
		break;
	case CVTPM_AMDSP_WRONG_TYPE:
		h->type = h->type == SNP_MSG_REPORT_RSP ? SNP_MSG_KEY_RSP : SNP_MSG_REPORT_RSP;
		break;
	case CVTPM_AMDSP_WRONG_VERSION:
		h->version = 2;
		break;
	case CVTPM_AMDSP_WRONG_VMPCK:
		h->vmpck = (uint8_t)((h->vmpck + 1) % SNP_VMPCK_COUNT);
		break;
	case CVTPM_AMDSP_WRONG_SIZE:
		h->size = (uint16_t)(h->size - 8);
		break;
	default:
		break;
	}
}

static void spoil_page(const struct cvtpm_amdsp *sp, uint8_t page[SNP_PAGE_SIZE])
{
	const struct cvtpm_amdsp_faults *faults = &sp->config.faults;

	switch (faults->answer) {
	case CVTPM_AMDSP_GARBAGE:
		RAND_bytes(page, SNP_PAGE_SIZE);
		break;
	case CVTPM_AMDSP_REPLAY:
		memcpy(page, sp->last_answer, SNP_PAGE_SIZE);
		break;
	case CVTPM_AMDSP_FLIP:
		page[faults->flip_byte % SNP_PAGE_SIZE] ^= (uint8_t)(1u << faults->flip_bit % 8);
		break;
	case CVTPM_AMDSP_OVERSIZE:
		snp_put16(page + SNP_MESSAGE_SIZE, SNP_MESSAGE_MAX_PAYLOAD + 1);
		break;
	default:
		break;
	}
}

static int seal_answer(struct cvtpm_amdsp *sp, struct snp_message_header header,
		       const uint8_t *payload, uint8_t *response_page)
{
	uint8_t page[SNP_PAGE_SIZE], key[SNP_VMPCK_SIZE];
	int err;

	memcpy(key, snp_secrets_vmpck(sp->secrets, header.vmpck), sizeof key);
	spoil_header(&sp->config.faults, &header, key);
	err = snp_message_seal(page, &header, key, payload);
	cvtpm_wipe(key, sizeof key);
	if (err < 0)
		return err;
	spoil_page(sp, page);
	memcpy(sp->last_answer, page, sizeof page);
	if (sp->config.faults.answer != CVTPM_AMDSP_NO_ANSWER)
		memcpy(response_page, page, sizeof page);
	return 0;
}

/* The request as the firmware sees it: a status, 0 when it was answered. */
static uint32_t process(struct cvtpm_amdsp *sp, const uint8_t page[SNP_PAGE_SIZE],
			uint8_t *response_page)
{
	uint8_t req[SNP_MESSAGE_MAX_PAYLOAD], rsp[SNP_REPORT_RSP_SIZE] = {0};
	struct snp_message_header header;
	const struct message *message;
	uint32_t status = sp->config.faults.status;

	if (snp_message_read_header(page, &header) != 0)
		return SNP_STATUS_INVALID_PARAMETERS;
	if (header.seqno >= UINT64_MAX - 1)
		return SNP_STATUS_AEAD_OVERFLOW;
	message = find_message(header.type);
	if (!message || header.version != 1 || header.size != message->req_size ||
	    header.seqno != sp->seqno[header.vmpck] + 1)
		return SNP_STATUS_INVALID_PARAMETERS;
	if (snp_message_open(page, &header, snp_secrets_vmpck(sp->secrets, header.vmpck), req) != 0)
		return STATUS_BAD_MEASUREMENT;

	sp->seqno[header.vmpck] += 2;
	if (status == SNP_STATUS_SUCCESS)
		status = message->answer(sp, header.vmpck, req, rsp);
	if (status != SNP_STATUS_SUCCESS)
		memset(rsp, 0, sizeof rsp);
	snp_put32(rsp, status);

	header.seqno++;
	header.type++;
	header.size = message->rsp_size;
	status = seal_answer(sp, header, rsp, response_page) == 0 ? SNP_STATUS_SUCCESS
								  : SNP_STATUS_INVALID_GUEST;
	cvtpm_wipe(req, sizeof req);
	cvtpm_wipe(rsp, sizeof rsp);
	return status;
}

/* What a hypervisor may do instead of passing the message on. */
static bool intercepted(struct cvtpm_amdsp *sp, struct snp_exchange_result *result)
{
	const struct cvtpm_amdsp_faults *faults = &sp->config.faults;

	if (sp->attempts++ < faults->busy)
		result->vmm = SNP_VMM_BUSY;
	else
		result->vmm = faults->vmm;
	if (result->vmm == 0)
		result->firmware = faults->firmware;
	return result->vmm != 0 || result->firmware != 0;
}

static void forward(struct cvtpm_amdsp *sp, const uint8_t *request_page, uint8_t *response_page,
		    struct snp_exchange_result *result)
{
	uint8_t page[SNP_PAGE_SIZE];

	memcpy(page, request_page, sizeof page);
	result->firmware = process(sp, page, response_page);
}

int cvtpm_amdsp_request(void *context, const uint8_t *request_page, uint8_t *response_page,
			struct snp_exchange_result *result)
{
	struct cvtpm_amdsp *sp = context;

	*result = (struct snp_exchange_result){0};
	if (!intercepted(sp, result))
		forward(sp, request_page, response_page, result);
	return 0;
}

int cvtpm_amdsp_request_extended(void *context, const uint8_t *request_page, uint8_t *response_page,
				 uint8_t *certs, size_t certs_size,
				 struct snp_exchange_result *result)
{
	struct cvtpm_amdsp *sp = context;
	const struct cvtpm_amdsp_lab *lab = sp->lab;
	size_t pages = (lab->table_len + SNP_PAGE_SIZE - 1) / SNP_PAGE_SIZE;

	*result = (struct snp_exchange_result){0};
	if (intercepted(sp, result))
		return 0;
	if (!sp->config.without_certs && certs_size < lab->table_len) {
		result->vmm = SNP_VMM_INVALID_LEN;
		result->certs_needed = pages * SNP_PAGE_SIZE;
		return 0;
	}
	forward(sp, request_page, response_page, result);
	if (result->firmware != 0)
		return 0;

	memset(certs, 0, certs_size);
	if (sp->config.faults.certs_garbage)
		memset(certs, 0xA5, certs_size);
	else if (!sp->config.without_certs)
		memcpy(certs, lab->table, lab->table_len);
	return 0;
}
