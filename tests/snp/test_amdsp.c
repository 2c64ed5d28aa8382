/* The simulated AMD-SP: what it refuses, what it signs, and the lab that it lives in. */
#include "check.h"
#include "lab.h"

#include "cvtpm/amdsp.h"
#include "cvtpm/err.h"
#include "snp/certtable.h"
#include "snp/guest_request.h"
#include "snp/message.h"
#include "snp/report.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const uint8_t measurement[SNP_MEASUREMENT_SIZE] = {0x4D, 1};
static const uint8_t data[SNP_REPORT_DATA_SIZE] = {9, 8, 7};

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

static struct cvtpm_amdsp *launch(void **state, const struct cvtpm_amdsp_config *config)
{
	struct lab *lab = *state;
	struct cvtpm_amdsp_config own = config ? *config : (struct cvtpm_amdsp_config){0};
	struct cvtpm_amdsp *sp;

	own.measurement = measurement;
	assert_int_equal(cvtpm_amdsp_launch(lab->lab, &own, &sp), 0);
	return sp;
}

/* ---- requests as a guest would make them, or should not ---- */

static void make_request(struct cvtpm_amdsp *sp, struct snp_message_header h,
			 const uint8_t *payload, uint8_t page[SNP_PAGE_SIZE])
{
	uint8_t secrets[SNP_SECRETS_SIZE];

	cvtpm_amdsp_secrets(sp, secrets);
	assert_int_equal(snp_message_seal(page, &h, snp_secrets_vmpck(secrets, h.vmpck), payload),
			 0);
}

/* A sound MSG_REPORT_REQ with the next number. */
static void sound_request(struct cvtpm_amdsp *sp, uint64_t seqno, uint8_t page[SNP_PAGE_SIZE])
{
	uint8_t payload[SNP_REPORT_REQ_SIZE];

	snp_report_request_write(payload, data, 0);
	make_request(sp,
		     (struct snp_message_header){seqno, SNP_MSG_REPORT_REQ, 1, 0, sizeof payload},
		     payload, page);
}

/* Firmware's status; the response page must be left alone when it is not 0. */
static uint32_t send_page(struct cvtpm_amdsp *sp, const uint8_t page[SNP_PAGE_SIZE])
{
	struct snp_exchange_result result;
	uint8_t response[SNP_PAGE_SIZE], before[SNP_PAGE_SIZE];

	memset(response, 0xCC, sizeof response);
	memcpy(before, response, sizeof response);
	assert_int_equal(cvtpm_amdsp_request(sp, page, response, &result), 0);
	assert_int_equal(result.vmm, 0);
	assert_int_equal(memcmp(response, before, sizeof response) == 0, result.firmware != 0);
	return result.firmware;
}

static void a_wrong_sequence_number_is_refused(void **state)
{
	static const uint64_t wrong[] = {2, 3, 0xFFFFFFFF, UINT64_MAX};
	struct cvtpm_amdsp *sp = launch(state, NULL);
	uint8_t page[SNP_PAGE_SIZE];

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		sound_request(sp, wrong[i], page);
		assert_int_not_equal(send_page(sp, page), 0);
	}
	sound_request(sp, 1, page);
	assert_int_equal(send_page(sp, page), 0);
	cvtpm_amdsp_destroy(sp);
}

static void a_request_played_again_is_refused(void **state)
{
	struct cvtpm_amdsp *sp = launch(state, NULL);
	uint8_t page[SNP_PAGE_SIZE];

	sound_request(sp, 1, page);
	assert_int_equal(send_page(sp, page), 0);
	assert_int_not_equal(send_page(sp, page), 0);
	sound_request(sp, 3, page);
	assert_int_equal(send_page(sp, page), 0);
	cvtpm_amdsp_destroy(sp);
}

static void a_request_under_another_key_is_refused(void **state)
{
	struct cvtpm_amdsp *sp = launch(state, NULL), *other = launch(state, NULL);
	uint8_t page[SNP_PAGE_SIZE];

	sound_request(other, 1, page); /* keys are fresh for each launch */
	assert_int_not_equal(send_page(sp, page), 0);
	sound_request(sp, 1, page);
	page[SNP_MESSAGE_VMPCK] = 1;
	assert_int_not_equal(send_page(sp, page), 0);
	cvtpm_amdsp_destroy(other);
	cvtpm_amdsp_destroy(sp);
}

static void no_bit_of_a_request_can_be_altered(void **state)
{
	struct cvtpm_amdsp *sp = launch(state, NULL);
	uint8_t page[SNP_PAGE_SIZE];

	sound_request(sp, 1, page);
	for (size_t bit = 0; bit < 8 * (SNP_MESSAGE_HEADER_SIZE + SNP_REPORT_REQ_SIZE); bit++) {
		page[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (send_page(sp, page) == 0)
			fail_msg("bit %zu is free", bit);
		page[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(send_page(sp, page), 0); /* none of these used the number up */
	cvtpm_amdsp_destroy(sp);
}

static void a_wrong_type_version_or_size_is_refused(void **state)
{
	static const struct snp_message_header wrong[] = {
		{1, 0, 1, 0, SNP_REPORT_REQ_SIZE},
		{1, SNP_MSG_REPORT_RSP, 1, 0, SNP_REPORT_REQ_SIZE},
		{1, SNP_MSG_TSC_INFO_REQ, 1, 0, SNP_REPORT_REQ_SIZE},
		{1, SNP_MSG_KEY_REQ, 1, 0, SNP_REPORT_REQ_SIZE},
		{1, 255, 1, 0, SNP_REPORT_REQ_SIZE},
		{1, SNP_MSG_REPORT_REQ, 0, 0, SNP_REPORT_REQ_SIZE},
		{1, SNP_MSG_REPORT_REQ, 2, 0, SNP_REPORT_REQ_SIZE},
		{1, SNP_MSG_REPORT_REQ, 1, 0, SNP_REPORT_REQ_SIZE - 1},
		{1, SNP_MSG_REPORT_REQ, 1, 0, SNP_REPORT_REQ_SIZE + 1},
		{1, SNP_MSG_REPORT_REQ, 1, 0, SNP_MESSAGE_MAX_PAYLOAD},
	};
	struct cvtpm_amdsp *sp = launch(state, NULL);
	uint8_t page[SNP_PAGE_SIZE], payload[SNP_MESSAGE_MAX_PAYLOAD] = {0};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		make_request(sp, wrong[i], payload, page);
		assert_int_not_equal(send_page(sp, page), 0);
	}
	sound_request(sp, 1, page);
	assert_int_equal(send_page(sp, page), 0);
	cvtpm_amdsp_destroy(sp);
}

/* Sends `payload` and gives the STATUS of the authenticated answer. */
static uint32_t status_of(struct cvtpm_amdsp *sp, uint64_t seqno, uint8_t type, unsigned vmpck,
			  const uint8_t *payload, uint16_t size)
{
	uint8_t page[SNP_PAGE_SIZE], response[SNP_PAGE_SIZE], secrets[SNP_SECRETS_SIZE];
	uint8_t answer[SNP_MESSAGE_MAX_PAYLOAD];
	struct snp_exchange_result result;
	struct snp_message_header h;

	make_request(sp, (struct snp_message_header){seqno, type, 1, (uint8_t)vmpck, size}, payload,
		     page);
	cvtpm_amdsp_request(sp, page, response, &result);
	assert_int_equal(result.firmware, 0);
	assert_int_equal(snp_message_read_header(response, &h), 0);
	assert_int_equal(h.seqno, seqno + 1);
	assert_int_equal(h.type, type + 1);
	cvtpm_amdsp_secrets(sp, secrets);
	assert_int_equal(snp_message_open(response, &h, snp_secrets_vmpck(secrets, vmpck), answer),
			 0);
	return snp_get32(answer);
}

static void no_level_speaks_for_a_higher_one(void **state)
{
	struct cvtpm_amdsp *sp = launch(state, NULL);

	for (unsigned vmpck = 0; vmpck < 4; vmpck++) {
		uint64_t seqno = 1;

		for (uint32_t vmpl = 0; vmpl < 6; vmpl++, seqno += 4) {
			uint32_t expected = vmpl >= vmpck && vmpl < 4
						    ? SNP_STATUS_SUCCESS
						    : SNP_STATUS_INVALID_PARAMETERS;
			uint8_t report[SNP_REPORT_REQ_SIZE], key[SNP_KEY_REQ_SIZE];

			snp_report_request_write(report, data, vmpl);
			snp_key_request_write(key, SNP_KEY_SEL_VCEK, vmpl);
			assert_int_equal(status_of(sp, seqno, SNP_MSG_REPORT_REQ, vmpck, report,
						   sizeof report),
					 expected);
			assert_int_equal(
				status_of(sp, seqno + 2, SNP_MSG_KEY_REQ, vmpck, key, sizeof key),
				expected);
		}
	}
	cvtpm_amdsp_destroy(sp);
}

static void reserved_bytes_and_absent_keys_have_their_status(void **state)
{
	struct cvtpm_amdsp *sp = launch(state, NULL);
	uint8_t report[SNP_REPORT_REQ_SIZE], key[SNP_KEY_REQ_SIZE];

	snp_report_request_write(report, data, 0);
	report[0x5F] = 1;
	assert_int_equal(status_of(sp, 1, SNP_MSG_REPORT_REQ, 0, report, sizeof report), 0x16);
	report[0x5F] = 0;
	report[SNP_REPORT_REQ_KEY_SEL] = SNP_KEY_SEL_VLEK;
	assert_int_equal(status_of(sp, 3, SNP_MSG_REPORT_REQ, 0, report, sizeof report), 0x27);
	report[SNP_REPORT_REQ_KEY_SEL] = 3;
	assert_int_equal(status_of(sp, 5, SNP_MSG_REPORT_REQ, 0, report, sizeof report), 0x16);
	report[SNP_REPORT_REQ_KEY_SEL] = SNP_KEY_SEL_VCEK;
	assert_int_equal(status_of(sp, 7, SNP_MSG_REPORT_REQ, 0, report, sizeof report), 0);

	snp_key_request_write(key, SNP_KEY_SEL_VLEK, 0);
	assert_int_equal(status_of(sp, 9, SNP_MSG_KEY_REQ, 0, key, sizeof key), 0x27);
	snp_key_request_write(key, SNP_KEY_SEL_VCEK, 0);
	key[SNP_KEY_REQ_GUEST_FIELD_SELECT] = 0x40; /* message version 2 only */
	assert_int_equal(status_of(sp, 11, SNP_MSG_KEY_REQ, 0, key, sizeof key), 0x16);
	snp_key_request_write(key, SNP_KEY_SEL_VCEK, 0);
	key[SNP_KEY_REQ_GUEST_SVN] = 1; /* above the launch's */
	assert_int_equal(status_of(sp, 13, SNP_MSG_KEY_REQ, 0, key, sizeof key), 0x16);
	snp_key_request_write(key, SNP_KEY_SEL_VCEK, 0);
	key[SNP_KEY_REQ_TCB_VERSION + 7] = 0xFF; /* above the committed one */
	assert_int_equal(status_of(sp, 15, SNP_MSG_KEY_REQ, 0, key, sizeof key), 0x16);
	cvtpm_amdsp_destroy(sp);
}

/* ---- reports, with OpenSSL as the second opinion ---- */

static X509 *read_certificate(FILE *file)
{
	X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);

	assert_non_null(cert);
	return cert;
}

/* The VCEK of a lab's folder, after its chain has been verified. */
static X509 *verified_vcek(const char *dir)
{
	char path[128];
	FILE *file;
	X509 *vcek, *ask, *ark, *root;
	STACK_OF(X509) *between = sk_X509_new_null();
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();

	snprintf(path, sizeof path, "%s/certs.pem", dir);
	file = fopen(path, "r");
	vcek = read_certificate(file);
	ask = read_certificate(file);
	ark = read_certificate(file);
	assert_null(PEM_read_X509(file, NULL, NULL, NULL));
	fclose(file);
	snprintf(path, sizeof path, "%s/ark.pem", dir);
	file = fopen(path, "r");
	root = read_certificate(file);
	fclose(file);
	assert_int_equal(X509_cmp(ark, root), 0);

	assert_true(X509_STORE_add_cert(store, root));
	sk_X509_push(between, ask);
	assert_int_equal(X509_STORE_CTX_init(context, store, vcek, between), 1);
	if (X509_verify_cert(context) != 1)
		fail_msg("%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
	assert_int_equal(sk_X509_num(X509_STORE_CTX_get0_chain(context)), 3);

	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	sk_X509_free(between);
	X509_free(ask);
	X509_free(ark);
	X509_free(root);
	return vcek;
}

static bool signature_is_good(X509 *vcek, const uint8_t *report)
{
	ECDSA_SIG *signature = ECDSA_SIG_new();
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t *der = NULL;
	int len;
	bool good;

	ECDSA_SIG_set0(signature, BN_lebin2bn(snp_report_signature_r(report), 72, NULL),
		       BN_lebin2bn(snp_report_signature_s(report), 72, NULL));
	len = i2d_ECDSA_SIG(signature, &der);
	good = EVP_DigestVerifyInit(context, NULL, EVP_sha384(), NULL, X509_get0_pubkey(vcek)) ==
		       1 &&
	       EVP_DigestVerify(context, der, (size_t)len, report, SNP_REPORT_SIGNED_SIZE) == 1;
	OPENSSL_free(der);
	EVP_MD_CTX_free(context);
	ECDSA_SIG_free(signature);
	return good;
}

static void fetch(struct cvtpm_amdsp_lab *lab, const struct cvtpm_amdsp_config *config,
		  uint8_t *report)
{
	struct cvtpm_amdsp_config own = *config;
	struct cvtpm_snp_provider *p;

	own.measurement = measurement;
	assert_int_equal(cvtpm_amdsp_provider_launch(lab, &own, &p), 0);
	assert_true(p->lab);
	assert_string_equal(p->name, "lab");
	assert_int_equal(p->ops->report(p, data, report), 0);
	p->ops->close(p);
}

static void reports_of_every_version_verify(void **state)
{
	struct lab *lab = *state;
	X509 *vcek = verified_vcek(lab->dir);
	uint8_t report[SNP_REPORT_SIZE], other[SNP_REPORT_SIZE];

	for (unsigned version = 2; version <= 5; version++) {
		struct cvtpm_amdsp_config config = {.report_version = version};

		fetch(lab->lab, &config, report);
		assert_int_equal(snp_report_version(report), version);
		assert_int_equal(snp_report_policy(report), 0x30000);
		assert_int_equal(snp_report_product(report),
				 version == 2 ? SNP_PRODUCT_UNKNOWN : SNP_PRODUCT_MILAN);
		assert_true(signature_is_good(vcek, report));
		report[SNP_REPORT_HOST_DATA] ^= 1;
		assert_false(signature_is_good(vcek, report));
	}
	fetch(lab->lab, &(struct cvtpm_amdsp_config){0}, report);
	fetch(lab->lab, &(struct cvtpm_amdsp_config){0}, other);
	assert_int_equal(snp_report_version(report), 3);
	assert_memory_not_equal(snp_report_report_id(report), snp_report_report_id(other), 32);
	assert_memory_equal(snp_report_chip_id(report), snp_report_chip_id(other), 64);
	X509_free(vcek);
}

static void policy_level_and_host_data_are_what_was_asked_for(void **state)
{
	static const uint8_t host_data[32] = {0xD0};
	struct lab *lab = *state;
	struct cvtpm_amdsp_config config = {.policy = 0x30000 | SNP_POLICY_DEBUG,
					    .vmpl = 2,
					    .guest_svn = 7,
					    .host_data = host_data};
	uint8_t report[SNP_REPORT_SIZE];

	fetch(lab->lab, &config, report);
	assert_int_equal(snp_report_policy(report), 0xB0000);
	assert_int_equal(snp_report_vmpl(report), 2);
	assert_int_equal(snp_report_guest_svn(report), 7);
	assert_memory_equal(snp_report_host_data(report), host_data, 32);
}

/* Faults that a verifier must find: the report is well-formed. */
static void spoilt_reports_are_signed_all_the_same(void **state)
{
	struct lab *lab = *state;
	X509 *vcek = verified_vcek(lab->dir);
	uint8_t sound[SNP_REPORT_SIZE], report[SNP_REPORT_SIZE];
	struct cvtpm_amdsp_config config = {0};

	fetch(lab->lab, &config, sound);
	config.faults.other_measurement = true;
	fetch(lab->lab, &config, report);
	assert_true(signature_is_good(vcek, report));
	assert_memory_not_equal(snp_report_measurement(report), snp_report_measurement(sound), 48);

	config.faults = (struct cvtpm_amdsp_faults){.other_chip = true};
	fetch(lab->lab, &config, report);
	assert_true(signature_is_good(vcek, report));
	assert_memory_not_equal(snp_report_chip_id(report), snp_report_chip_id(sound), 64);

	config.faults = (struct cvtpm_amdsp_faults){.other_tcb = true};
	fetch(lab->lab, &config, report);
	assert_true(signature_is_good(vcek, report));
	assert_memory_not_equal(snp_report_reported_tcb(report), snp_report_reported_tcb(sound), 8);

	config.faults = (struct cvtpm_amdsp_faults){.bad_signature = true};
	fetch(lab->lab, &config, report);
	assert_false(signature_is_good(vcek, report));
	X509_free(vcek);
}

/* The value of AMD's extension 1.3.6.1.4.1.3704.1.`suffix`, or NULL. */
static const ASN1_OCTET_STRING *amd_extension(X509 *cert, const char *suffix)
{
	char oid[64];
	ASN1_OBJECT *object;
	int at;

	snprintf(oid, sizeof oid, "1.3.6.1.4.1.3704.1.%s", suffix);
	object = OBJ_txt2obj(oid, 1);
	at = X509_get_ext_by_OBJ(cert, object, -1);
	ASN1_OBJECT_free(object);
	return at < 0 ? NULL : X509_EXTENSION_get_data(X509_get_ext(cert, at));
}

static void the_other_products_have_their_own_shape(void **state)
{
	static const struct {
		enum cvtpm_amdsp_product product;
		enum snp_product snp;
		unsigned version;
		int hwid, extensions;
	} products[] = {{CVTPM_AMDSP_GENOA, SNP_PRODUCT_GENOA, 3, 64, 11},
			{CVTPM_AMDSP_TURIN, SNP_PRODUCT_TURIN, 5, 8, 11}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct cvtpm_amdsp_lab_options options = {.product = products[i].product};
		struct cvtpm_amdsp_lab *lab;
		uint8_t report[SNP_REPORT_SIZE];
		const ASN1_OCTET_STRING *hwid;
		char dir[64];
		X509 *vcek;

		make_folder(dir);
		assert_int_equal(cvtpm_amdsp_lab_open_with(dir, &options, &lab), 0);
		fetch(lab, &(struct cvtpm_amdsp_config){0}, report);
		vcek = verified_vcek(dir);
		assert_true(signature_is_good(vcek, report));
		assert_int_equal(snp_report_product(report), products[i].snp);
		assert_int_equal(snp_report_version(report), products[i].version);
		assert_int_equal(
			snp_tcb_read(products[i].snp, snp_report_reported_tcb(report)).microcode,
			0xDB);
		assert_int_equal(
			snp_tcb_read(products[i].snp, snp_report_reported_tcb(report)).reserved, 0);

		assert_int_equal(X509_get_ext_count(vcek), products[i].extensions);
		hwid = amd_extension(vcek, "4");
		assert_int_equal(ASN1_STRING_length(hwid), products[i].hwid);
		assert_memory_equal(ASN1_STRING_get0_data(hwid), snp_report_chip_id(report),
				    (size_t)products[i].hwid);
		assert_int_equal(amd_extension(vcek, "3.9") != NULL,
				 products[i].snp == SNP_PRODUCT_TURIN);
		assert_memory_equal(ASN1_STRING_get0_data(amd_extension(vcek, "3.8")),
				    "\x02\x02\x00\xDB", 4);
		X509_free(vcek);
		cvtpm_amdsp_lab_close(lab);
		remove_folder(dir);
	}
}

/* ---- the folder ---- */

static void read_certs(const char *dir, char *out, size_t room)
{
	char path[128];
	FILE *file;
	size_t n;

	snprintf(path, sizeof path, "%s/certs.pem", dir);
	file = fopen(path, "r");
	assert_non_null(file);
	n = fread(out, 1, room - 1, file);
	out[n] = '\0';
	fclose(file);
}

static void a_lab_survives_a_restart(void **state)
{
	struct lab *lab = *state;
	struct cvtpm_snp_provider *p;
	struct cvtpm_amdsp_config config = {.measurement = measurement};
	uint8_t report[SNP_REPORT_SIZE], again[SNP_REPORT_SIZE], key[2][SNP_DERIVED_KEY_SIZE];
	static char before[32768], after[32768];
	X509 *vcek = verified_vcek(lab->dir);

	read_certs(lab->dir, before, sizeof before);
	assert_int_equal(cvtpm_amdsp_provider_open(lab->dir, &config, &p), 0);
	assert_int_equal(p->ops->report(p, data, report), 0);
	assert_int_equal(p->ops->derived_key(p, key[0]), 0);
	p->ops->close(p);
	assert_int_equal(cvtpm_amdsp_provider_open(lab->dir, &config, &p), 0);
	assert_int_equal(p->ops->report(p, data, again), 0);
	assert_int_equal(p->ops->derived_key(p, key[1]), 0);
	p->ops->close(p);
	read_certs(lab->dir, after, sizeof after);

	assert_string_equal(before, after);
	assert_true(signature_is_good(vcek, report));
	assert_true(signature_is_good(vcek, again));
	assert_memory_equal(snp_report_chip_id(report), snp_report_chip_id(again), 64);
	assert_memory_equal(snp_report_reported_tcb(report), snp_report_reported_tcb(again), 8);
	assert_memory_not_equal(snp_report_report_id(report), snp_report_report_id(again), 32);
	assert_memory_equal(key[0], key[1], sizeof key[0]);
	X509_free(vcek);
}

static void the_measurement_is_the_programs_own_file(void **state)
{
	struct lab *lab = *state;
	struct cvtpm_snp_provider *p;
	uint8_t report[SNP_REPORT_SIZE], digest[64], buffer[4096];
	char path[128], hex[200] = "", expected[200] = "";
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	FILE *self = fopen("/proc/self/exe", "rb"), *file;
	size_t n;

	EVP_DigestInit_ex(context, EVP_sha384(), NULL);
	while ((n = fread(buffer, 1, sizeof buffer, self)) > 0)
		EVP_DigestUpdate(context, buffer, n);
	fclose(self);
	EVP_DigestFinal_ex(context, digest, NULL);
	EVP_MD_CTX_free(context);

	assert_int_equal(cvtpm_amdsp_provider_launch(lab->lab, NULL, &p), 0);
	assert_int_equal(p->ops->report(p, data, report), 0);
	assert_memory_equal(snp_report_measurement(report), digest, 48);
	assert_memory_equal(cvtpm_amdsp_measurement(cvtpm_amdsp_of(p)), digest, 48);
	p->ops->close(p);

	snprintf(path, sizeof path, "%s/measurement", lab->dir);
	file = fopen(path, "r");
	assert_non_null(fgets(hex, sizeof hex, file));
	fclose(file);
	for (size_t i = 0; i < 48; i++)
		sprintf(expected + 2 * i, "%02x", digest[i]);
	strcat(expected, "\n");
	assert_string_equal(hex, expected);
}

static void the_folder_is_its_owners_alone(void **state)
{
	static const char *const files[] = {"ark.key", "ask.key",   "vcek.key",
					    "ark.pem", "certs.pem", "chip"};
	struct lab *lab = *state;
	struct stat st;
	char path[128];

	assert_int_equal(stat(lab->dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "%s/%s", lab->dir, files[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
}

static void a_folder_that_others_may_write_to_is_refused(void **state)
{
	struct cvtpm_amdsp_lab *lab;
	char dir[64];

	(void)state;
	make_folder(dir);
	assert_int_equal(chmod(dir, 0770), 0);
	assert_int_equal(cvtpm_amdsp_lab_open(dir, &lab), CVTPM_ERR_POLICY);
	assert_null(lab);
	remove_folder(dir);
	assert_int_equal(cvtpm_amdsp_lab_open("/dev/null/lab", &lab), CVTPM_ERR_IO);
	assert_int_equal(errno, ENOTDIR);
}

static void remember(void *context, enum cvtpm_log_level level, const char *line)
{
	(void)level;
	snprintf(context, 512, "%s", line);
}

/* Copies the lab without one of its files, or with it cut short. */
static void a_damaged_lab_is_refused_with_a_reason(void **state)
{
	static const char *const files[] = {"vcek.key", "certs.pem", "chip"};
	struct lab *lab = *state;
	struct cvtpm_amdsp_lab *opened;
	char dir[64], command[512], line[512] = "";
	struct cvtpm_amdsp_lab_options options = {.log = remember, .log_context = line};

	for (size_t i = 0; i < 3; i++) {
		make_folder(dir);
		snprintf(command, sizeof command,
			 "cp %s/* %s && head -c 100 %s/%s >%s/cut && mv %s/cut %s/%s", lab->dir,
			 dir, dir, files[i], dir, dir, dir, files[i]);
		assert_int_equal(system(command), 0);
		assert_int_equal(cvtpm_amdsp_lab_open_with(dir, &options, &opened),
				 CVTPM_ERR_FORMAT);
		assert_non_null(strstr(line, dir));
		assert_non_null(strstr(line, "remove the folder"));
		remove_folder(dir);
	}
}

static void processes_that_start_at_once_share_one_lab(void **state)
{
	enum { PROCESSES = 3 };
	static char certs[32768];
	pid_t pids[PROCESSES];
	char dir[64], deeper[128];
	struct cvtpm_amdsp_lab *lab;
	uint8_t report[SNP_REPORT_SIZE];
	X509 *vcek;

	(void)state;
	make_folder(dir);
	snprintf(deeper, sizeof deeper, "%s/not/yet/there", dir);
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			/* Each leaves behind the certificates that it found. */
			char path[160];
			FILE *file;

			if (cvtpm_amdsp_lab_open(deeper, &lab) != 0)
				_exit(1);
			read_certs(deeper, certs, sizeof certs);
			snprintf(path, sizeof path, "%s/%d", dir, i);
			file = fopen(path, "w");
			fputs(certs, file);
			_exit(fclose(file));
		}
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}

	read_certs(deeper, certs, sizeof certs);
	for (int i = 0; i < PROCESSES; i++) {
		static char found[32768];
		char path[160];
		FILE *file;
		size_t n;

		snprintf(path, sizeof path, "%s/%d", dir, i);
		file = fopen(path, "r");
		n = fread(found, 1, sizeof found - 1, file);
		found[n] = '\0';
		fclose(file);
		assert_string_equal(found, certs);
	}
	assert_int_equal(cvtpm_amdsp_lab_open(deeper, &lab), 0);
	fetch(lab, &(struct cvtpm_amdsp_config){0}, report);
	vcek = verified_vcek(deeper);
	assert_true(signature_is_good(vcek, report));
	X509_free(vcek);
	cvtpm_amdsp_lab_close(lab);
	remove_folder(dir);
}

/* What a process leaves that was killed before it wrote the last file. */
static void a_half_made_lab_is_made_again(void **state)
{
	struct lab *lab = *state;
	struct cvtpm_amdsp_lab *made;
	char dir[64], command[256];
	uint8_t report[SNP_REPORT_SIZE];
	X509 *vcek;

	make_folder(dir);
	snprintf(command, sizeof command, "cp %s/a* %s/v* %s", lab->dir, lab->dir, dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(cvtpm_amdsp_lab_open(dir, &made), 0);
	fetch(made, &(struct cvtpm_amdsp_config){0}, report);
	vcek = verified_vcek(dir);
	assert_true(signature_is_good(vcek, report));
	X509_free(vcek);
	cvtpm_amdsp_lab_close(made);
	remove_folder(dir);
}

static void a_launch_that_makes_no_sense_is_refused(void **state)
{
	struct lab *lab = *state;
	struct cvtpm_amdsp *sp;

	assert_int_equal(cvtpm_amdsp_launch(lab->lab,
					    &(struct cvtpm_amdsp_config){.report_version = 6}, &sp),
			 CVTPM_ERR_PARAM);
	assert_int_equal(cvtpm_amdsp_launch(lab->lab, &(struct cvtpm_amdsp_config){.vmpl = 4}, &sp),
			 CVTPM_ERR_PARAM);
	assert_null(sp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_sequence_number_is_refused),
		cmocka_unit_test(a_request_played_again_is_refused),
		cmocka_unit_test(a_request_under_another_key_is_refused),
		cmocka_unit_test(no_bit_of_a_request_can_be_altered),
		cmocka_unit_test(a_wrong_type_version_or_size_is_refused),
		cmocka_unit_test(no_level_speaks_for_a_higher_one),
		cmocka_unit_test(reserved_bytes_and_absent_keys_have_their_status),
		cmocka_unit_test(reports_of_every_version_verify),
		cmocka_unit_test(policy_level_and_host_data_are_what_was_asked_for),
		cmocka_unit_test(spoilt_reports_are_signed_all_the_same),
		cmocka_unit_test(the_other_products_have_their_own_shape),
		cmocka_unit_test(a_lab_survives_a_restart),
		cmocka_unit_test(the_measurement_is_the_programs_own_file),
		cmocka_unit_test(the_folder_is_its_owners_alone),
		cmocka_unit_test(a_folder_that_others_may_write_to_is_refused),
		cmocka_unit_test(a_damaged_lab_is_refused_with_a_reason),
		cmocka_unit_test(processes_that_start_at_once_share_one_lab),
		cmocka_unit_test(a_half_made_lab_is_made_again),
		cmocka_unit_test(a_launch_that_makes_no_sense_is_refused),
	};

	return cmocka_run_group_tests_name("amdsp", tests, open_lab, close_lab);
}
