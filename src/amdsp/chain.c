/*
 * The lab's certificates. Their shape is AMD's, read off genuine ones: names,
 * serial numbers, extensions and their order, RSASSA-PSS with SHA-384 and a
 * salt of 48 bytes. Other people's verifiers then accept them with nothing but
 * another root. Only the ARK's subject says what it is.
 */
#include "amdsp/internal.h"

#include "cvtpm/err.h"

#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct product {
	enum snp_product snp;
	struct snp_fms fms;
	const char *name;     /* in CNs and in the CRL's address */
	const char *stepping; /* productName1 */
	long ark_serial, ask_serial;
} products[] = {
	[CVTPM_AMDSP_MILAN] =
		{SNP_PRODUCT_MILAN, {0x19, 0x01, 1}, "Milan", "Milan-B1", 0x10000, 0x10001},
	[CVTPM_AMDSP_GENOA] =
		{SNP_PRODUCT_GENOA, {0x19, 0x11, 1}, "Genoa", "Genoa-B1", 0x20000, 0x20002},
	[CVTPM_AMDSP_TURIN] =
		{SNP_PRODUCT_TURIN, {0x1A, 0x02, 1}, "Turin", "Turin", 0x30000, 0x30001},
};

enum { RSA_BITS = 4096, PSS_SALT = 48, VCEK_YEARS = 7, CA_YEARS = 25 };

static const char amd[] = "Advanced Micro Devices";

size_t chip_hwid_size(const struct chip *chip)
{
	return chip->product == CVTPM_AMDSP_TURIN ? SNP_TURIN_HWID_SIZE : SNP_REPORT_CHIP_ID_SIZE;
}

enum snp_product chip_snp_product(const struct chip *chip)
{
	return products[chip->product].snp;
}

struct snp_fms chip_fms(const struct chip *chip)
{
	return products[chip->product].fms;
}

/* The attributes in the order in which AMD writes them. */
static X509_NAME *make_name(const char *organisation, const char *common_name)
{
	const struct {
		const char *field, *value;
	} parts[] = {{"OU", "Engineering"}, {"C", "US"},         {"L", "Santa Clara"},
		     {"ST", "CA"},          {"O", organisation}, {"CN", common_name}};
	X509_NAME *name = X509_NAME_new();

	for (size_t i = 0; name && i < sizeof parts / sizeof *parts; i++)
		if (!X509_NAME_add_entry_by_txt(name, parts[i].field, MBSTRING_UTF8,
						(const unsigned char *)parts[i].value, -1, -1, 0)) {
			X509_NAME_free(name);
			return NULL;
		}
	return name;
}

/* One of AMD's extensions, 1.3.6.1.4.1.3704.1.`suffix`, with these bytes as its value. */
static bool add_amd_bytes(X509 *cert, const char *suffix, const unsigned char *value, int len)
{
	char oid[64];
	ASN1_OBJECT *object;
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension = NULL;
	bool ok = false;

	snprintf(oid, sizeof oid, "1.3.6.1.4.1.3704.1.%s", suffix);
	object = OBJ_txt2obj(oid, 1);
	if (object && octets && ASN1_OCTET_STRING_set(octets, value, len))
		extension = X509_EXTENSION_create_by_OBJ(NULL, object, 0, octets);
	if (extension)
		ok = X509_add_ext(cert, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(octets);
	ASN1_OBJECT_free(object);
	return ok;
}

static bool add_amd_integer(X509 *cert, const char *suffix, uint8_t value)
{
	/* DER INTEGER: a leading zero where the top bit would make it negative. */
	unsigned char der[4] = {0x02, 1, value, 0};

	if (value < 0x80)
		return add_amd_bytes(cert, suffix, der, 3);
	der[1] = 2;
	der[2] = 0;
	der[3] = value;
	return add_amd_bytes(cert, suffix, der, 4);
}

static bool add_amd_string(X509 *cert, const char *suffix, const char *value)
{
	unsigned char der[2 + 32] = {0x16, (unsigned char)strlen(value)};

	memcpy(der + 2, value, strlen(value));
	return add_amd_bytes(cert, suffix, der, (int)(2 + strlen(value)));
}

static bool add_ca_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	bool ok;

	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	ok = extension && X509_add_ext(cert, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok;
}

static bool add_crl_address(X509 *cert, const struct product *product)
{
	char address[96];

	snprintf(address, sizeof address, "URI:https://kdsintf.amd.com/vcek/v1/%s/crl",
		 product->name);
	return add_ca_extension(cert, cert, NID_crl_distribution_points, address);
}

static bool add_ark_extensions(X509 *ark, const struct product *product)
{
	return add_ca_extension(ark, ark, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	       add_ca_extension(ark, ark, NID_subject_key_identifier, "hash") &&
	       add_ca_extension(ark, ark, NID_basic_constraints, "critical,CA:TRUE") &&
	       add_crl_address(ark, product);
}

static bool add_ask_extensions(X509 *ask, X509 *ark, const struct product *product)
{
	return add_ca_extension(ask, ark, NID_subject_key_identifier, "hash") &&
	       add_ca_extension(ask, ark, NID_authority_key_identifier, "keyid:always") &&
	       add_ca_extension(ask, ark, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	       add_ca_extension(ask, ark, NID_key_usage, "critical,keyCertSign") &&
	       add_crl_address(ask, product);
}

/* AMD's extensions and no other: verifiers refuse what they do not know. */
static bool add_vcek_extensions(X509 *vcek, const struct chip *chip)
{
	const struct product *product = &products[chip->product];
	struct snp_tcb tcb = snp_tcb_read(product->snp, chip->tcb);
	bool turin = chip->product == CVTPM_AMDSP_TURIN;

	return add_amd_integer(vcek, "1", turin ? 1 : 0) &&
	       add_amd_string(vcek, "2", product->stepping) &&
	       (!turin || add_amd_integer(vcek, "3.9", tcb.fmc)) &&
	       add_amd_integer(vcek, "3.1", tcb.boot_loader) &&
	       add_amd_integer(vcek, "3.2", tcb.tee) &&
	       (turin || add_amd_integer(vcek, "3.4", 0)) && add_amd_integer(vcek, "3.5", 0) &&
	       add_amd_integer(vcek, "3.6", 0) && add_amd_integer(vcek, "3.7", 0) &&
	       add_amd_integer(vcek, "3.3", tcb.snp) &&
	       add_amd_integer(vcek, "3.8", tcb.microcode) &&
	       add_amd_bytes(vcek, "4", chip->id, (int)chip_hwid_size(chip));
}

/* A certificate with everything but extensions and signature. */
static X509 *begin_certificate(long serial, X509_NAME *subject, X509_NAME *issuer, EVP_PKEY *key,
			       int years)
{
	time_t now = time(NULL);
	X509 *cert = X509_new();

	if (cert && subject && issuer && X509_set_version(cert, X509_VERSION_3) &&
	    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial) &&
	    X509_set_subject_name(cert, subject) && X509_set_issuer_name(cert, issuer) &&
	    X509_time_adj_ex(X509_getm_notBefore(cert), -1, 0, &now) &&
	    X509_time_adj_ex(X509_getm_notAfter(cert), 365 * years - 1, 0, &now) &&
	    X509_set_pubkey(cert, key))
		return cert;
	X509_free(cert);
	return NULL;
}

/* RSASSA-PSS, SHA-384, MGF1 with SHA-384, salt 48. */
static bool sign_certificate(X509 *cert, EVP_PKEY *key)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *parameters;
	bool ok = context &&
		  EVP_DigestSignInit(context, &parameters, EVP_sha384(), NULL, key) == 1 &&
		  EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
		  EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, PSS_SALT) == 1 &&
		  EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, EVP_sha384()) == 1 &&
		  X509_sign_ctx(cert, context) > 0;

	EVP_MD_CTX_free(context);
	return ok;
}

static int make_certificates(const struct chip *chip, struct chain *chain)
{
	const struct product *product = &products[chip->product];
	EVP_PKEY **key = chain->key;
	X509 **cert = chain->certificate;
	char ask_cn[32];
	X509_NAME *ark, *ask, *vcek;
	bool ok;

	snprintf(ask_cn, sizeof ask_cn, "SEV-%s", product->name);
	ark = make_name("cvtpm", "cvtpm-LAB-ARK");
	ask = make_name(amd, ask_cn);
	vcek = make_name(amd, "SEV-VCEK");

	cert[CHAIN_ARK] =
		begin_certificate(product->ark_serial, ark, ark, key[CHAIN_ARK], CA_YEARS);
	cert[CHAIN_ASK] =
		begin_certificate(product->ask_serial, ask, ark, key[CHAIN_ASK], CA_YEARS);
	cert[CHAIN_VCEK] = begin_certificate(0, vcek, ask, key[CHAIN_VCEK], VCEK_YEARS);
	ok = cert[CHAIN_ARK] && cert[CHAIN_ASK] && cert[CHAIN_VCEK] &&
	     add_ark_extensions(cert[CHAIN_ARK], product) &&
	     sign_certificate(cert[CHAIN_ARK], key[CHAIN_ARK]) &&
	     add_ask_extensions(cert[CHAIN_ASK], cert[CHAIN_ARK], product) &&
	     sign_certificate(cert[CHAIN_ASK], key[CHAIN_ARK]) &&
	     add_vcek_extensions(cert[CHAIN_VCEK], chip) &&
	     sign_certificate(cert[CHAIN_VCEK], key[CHAIN_ASK]);

	X509_NAME_free(ark);
	X509_NAME_free(ask);
	X509_NAME_free(vcek);
	return ok ? 0 : CVTPM_ERR_CRYPTO;
}

int lab_chain_make(const struct chip *chip, struct chain *chain)
{
	*chain = (struct chain){0};
	chain->key[CHAIN_ARK] = EVP_RSA_gen(RSA_BITS);
	chain->key[CHAIN_ASK] = EVP_RSA_gen(RSA_BITS);
	chain->key[CHAIN_VCEK] = EVP_EC_gen("P-384");
	for (int i = 0; i < CHAIN_SIZE; i++)
		if (!chain->key[i])
			return CVTPM_ERR_CRYPTO;
	return make_certificates(chip, chain);
}

void lab_chain_free(struct chain *chain)
{
	for (int i = 0; i < CHAIN_SIZE; i++) {
		EVP_PKEY_free(chain->key[i]);
		X509_free(chain->certificate[i]);
	}
	*chain = (struct chain){0};
}
