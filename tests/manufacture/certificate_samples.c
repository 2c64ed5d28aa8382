#include "certificate_samples.h"

#include "cvtpm/err.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* The tests' own tools may not fail quietly. */
#define MUST(expression)                                                                           \
	do {                                                                                       \
		if (!(expression)) {                                                               \
			fprintf(stderr, "%s:%d: %s failed\n", __FILE__, __LINE__, #expression);    \
			exit(2);                                                                   \
		}                                                                                  \
	} while (0)

const struct cvtpm_tpm_facts sample_facts = {
	.manufacturer = 0x49424d00, /* "IBM" */
	.vendor_string = "SW   TPM",
	.firmware_version = 0x20191023,
	.family = "2.0",
	.level = 0,
	.revision = 164,
};
const struct cvtpm_platform_facts sample_platform = {
	.manufacturer = "cvtpm",
	.model = "SEV-SNP confidential virtual machine",
	.version = "1",
	.serial = "27fd5a1c8f1c5a35c6d3a42a4c06c70ff1ab3ff1b9a8e7e0fe8f1b7ac3d0e6aa",
};
const struct cvtpm_certificate_times sample_times = {.not_before = 1795485600};

uint8_t sample_report[SNP_REPORT_SIZE];
uint8_t sample_table[4928];

struct cvtpm_certificate_evidence sample_evidence(enum sample_evidence which)
{
	struct cvtpm_certificate_evidence evidence = {
		.report = which == SAMPLE_NONE ? NULL : sample_report,
		.claims = which == SAMPLE_CLAIMS || which == SAMPLE_ALL,
		.isolation = CVTPM_ISOLATION_SVSM,
		.sealing = "memory",
		.rollback_floor = 7,
		.software = "cvtpm",
		.software_version = "0.1.0",
	};

	for (size_t i = 0; i < sizeof sample_report; i++)
		sample_report[i] = (uint8_t)(i * 7 + 3);
	for (size_t i = 0; i < sizeof sample_table; i++)
		sample_table[i] = (uint8_t)(i * 5 + 1);
	if (which == SAMPLE_TABLE || which == SAMPLE_ALL) {
		evidence.table = sample_table;
		evidence.table_len = sizeof sample_table;
	}
	return evidence;
}

int sample_entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	return getrandom(out, len, 0) == (ssize_t)len ? 0 : CVTPM_ERR_ENTROPY;
}

static const char *curve_name(enum cvtpm_curve curve)
{
	return curve == CVTPM_P384 ? "P-384" : "P-256";
}

/* ---- EKs ---- */

static void copy_number(EVP_PKEY *pkey, const char *name, uint8_t *out, size_t len)
{
	BIGNUM *number = NULL;

	MUST(EVP_PKEY_get_bn_param(pkey, name, &number) == 1);
	MUST(BN_bn2binpad(number, out, (int)len) == (int)len);
	BN_free(number);
}

static void begin_rsa(struct sample_ek *ek, unsigned bits)
{
	MUST(ek->pkey = EVP_RSA_gen(bits));
	ek->key.modulus = ek->modulus;
	ek->key.modulus_len = bits / 8;
	copy_number(ek->pkey, OSSL_PKEY_PARAM_RSA_N, ek->modulus, bits / 8);
}

static void begin_ecc(struct sample_ek *ek, enum cvtpm_curve curve)
{
	MUST(ek->pkey = EVP_EC_gen(curve_name(curve)));
	ek->key.ecc.curve = curve;
	copy_number(ek->pkey, OSSL_PKEY_PARAM_EC_PUB_X, ek->key.ecc.x, cvtpm_curve_size(curve));
	copy_number(ek->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, ek->key.ecc.y, cvtpm_curve_size(curve));
}

void sample_ek_begin(struct sample_ek *ek, enum cvtpm_ek kind)
{
	*ek = (struct sample_ek){.key.kind = kind};
	switch (kind) {
	case CVTPM_EK_RSA2048:
		begin_rsa(ek, 2048);
		break;
	case CVTPM_EK_RSA3072:
		begin_rsa(ek, 3072);
		break;
	case CVTPM_EK_P256:
		begin_ecc(ek, CVTPM_P256);
		break;
	case CVTPM_EK_P384:
		begin_ecc(ek, CVTPM_P384);
		break;
	}
}

void sample_ek_end(struct sample_ek *ek)
{
	EVP_PKEY_free(ek->pkey);
}

/* ---- a certification authority ---- */

static int approve(void *context, const uint8_t *ek_public, size_t ek_public_len,
		   const uint8_t *report, const uint8_t *table, size_t table_len)
{
	(void)context, (void)ek_public, (void)ek_public_len, (void)report, (void)table,
		(void)table_len;
	return 0;
}

static int sign(void *context, const uint8_t *tbs, size_t tbs_len, uint8_t *signature,
		size_t *signature_len)
{
	struct sample_ca *ca = context;
	const EVP_MD *md = ca->issuer.curve == CVTPM_P384 ? EVP_sha384() : EVP_sha256();
	EVP_MD_CTX *signing = EVP_MD_CTX_new();

	MUST(signing && EVP_DigestSignInit(signing, NULL, md, NULL, ca->pkey) == 1);
	MUST(EVP_DigestSign(signing, signature, signature_len, tbs, tbs_len) == 1);
	EVP_MD_CTX_free(signing);
	return 0;
}

static void add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX v3;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&v3, x, x, NULL, NULL, 0);
	MUST(extension = X509V3_EXT_conf_nid(NULL, &v3, nid, value));
	MUST(X509_add_ext(x, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

static void self_sign(struct sample_ca *ca)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	uint8_t *to = ca->certificate, *name_to = ca->name;
	const ASN1_OCTET_STRING *key_id;

	MUST(X509_set_version(x, X509_VERSION_3) == 1);
	MUST(ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1);
	MUST(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const uint8_t *)"cvtpm tests",
					-1, -1, 0) == 1);
	MUST(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)"EK CA", -1, -1,
					0) == 1);
	MUST(X509_set_issuer_name(x, name) == 1);
	MUST(ASN1_TIME_set_string_X509(X509_getm_notBefore(x), "20200101000000Z") == 1);
	MUST(ASN1_TIME_set_string_X509(X509_getm_notAfter(x), "20991231235959Z") == 1);
	MUST(X509_set_pubkey(x, ca->pkey) == 1);
	add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(x, NID_key_usage, "critical,keyCertSign");
	add_extension(x, NID_subject_key_identifier, "hash");
	MUST(X509_sign(x, ca->pkey, EVP_sha256()) > 0);

	MUST(i2d_X509(x, NULL) <= (int)sizeof ca->certificate);
	ca->issuer.certificate_len = (size_t)i2d_X509(x, &to);
	MUST(i2d_X509_NAME(name, NULL) <= (int)sizeof ca->name);
	ca->issuer.name_len = (size_t)i2d_X509_NAME(name, &name_to);
	key_id = X509_get0_subject_key_id(x);
	MUST(key_id && ASN1_STRING_length(key_id) == sizeof ca->key_id);
	memcpy(ca->key_id, ASN1_STRING_get0_data(key_id), sizeof ca->key_id);
	X509_free(x);
}

void sample_ca_begin(struct sample_ca *ca, enum cvtpm_curve curve)
{
	*ca = (struct sample_ca){
		.issuer = {.context = ca,
			   .curve = (uint16_t)curve,
			   .name = ca->name,
			   .key_id = ca->key_id,
			   .key_id_len = sizeof ca->key_id,
			   .certificate = ca->certificate,
			   .approve = approve,
			   .sign = sign},
	};
	MUST(ca->pkey = EVP_EC_gen(curve_name(curve)));
	self_sign(ca);
}

void sample_ca_end(struct sample_ca *ca)
{
	EVP_PKEY_free(ca->pkey);
}
