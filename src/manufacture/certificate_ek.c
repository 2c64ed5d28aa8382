/*
 * The EK certificate: TCG EK Credential Profile, 3.2, on RFC 5280. In the order
 * of the fields in the certificate.
 */
#include "manufacture/certificate_parts.h"

#include "cvtpm/err.h"

/* TCG EK Credential Profile */
#define OID_TPM_MANUFACTURER  "2.23.133.2.1"
#define OID_TPM_MODEL         "2.23.133.2.2"
#define OID_TPM_VERSION       "2.23.133.2.3"
#define OID_TPM_SPECIFICATION "2.23.133.2.16"
#define OID_KP_EK_CERTIFICATE "2.23.133.8.1"
#define RSA_EXPONENT          65537

/* ---- what can be certified ---- */

static bool is_printable(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < ' ' || *text > '~')
			return false;
	}
	return true;
}

static bool is_of_its_kind(const struct cvtpm_ek_key *key)
{
	switch (key->kind) {
	case CVTPM_EK_RSA2048:
		return key->modulus_len == 2048 / 8 && (key->modulus[0] & 0x80) != 0;
	case CVTPM_EK_RSA3072:
		return key->modulus_len == 3072 / 8 && (key->modulus[0] & 0x80) != 0;
	case CVTPM_EK_P256:
		return key->ecc.curve == CVTPM_P256;
	case CVTPM_EK_P384:
		return key->ecc.curve == CVTPM_P384;
	}
	return false;
}

static bool has_its_texts(const struct cvtpm_certificate_evidence *evidence)
{
	return evidence == NULL || evidence->report == NULL || !evidence->claims ||
	       (evidence->sealing != NULL && evidence->software != NULL &&
		evidence->software_version != NULL);
}

static bool is_rsa(const struct cvtpm_ek_key *key)
{
	return key->kind == CVTPM_EK_RSA2048 || key->kind == CVTPM_EK_RSA3072;
}

/* ---- SubjectPublicKeyInfo ---- */

/* RFC 3279, 2.3.1. */
static void write_rsa_key(struct der *d, const struct cvtpm_ek_key *key)
{
	der_begin(d, DER_SEQUENCE); /* SubjectPublicKeyInfo */
	der_begin(d, DER_SEQUENCE); /* algorithm */
	der_oid(d, OID_RSA_ENCRYPTION);
	der_null(d);
	der_end(d);
	der_begin_bits(d);          /* subjectPublicKey */
	der_begin(d, DER_SEQUENCE); /* RSAPublicKey */
	der_integer(d, key->modulus, key->modulus_len);
	der_uint(d, RSA_EXPONENT);
	der_end(d);
	der_end(d);
	der_end(d);
}

static void write_key(struct der *d, const struct cvtpm_ek_key *key)
{
	if (is_rsa(key))
		write_rsa_key(d, key);
	else
		certificate_ec_key(d, &key->ecc);
}

/* ---- extensions ---- */

/* "id:" and the eight hexadecimal digits of a TPM property. */
struct id_text {
	char text[12];
};

static struct id_text id_of(uint32_t property)
{
	struct id_text id = {"id:"};

	for (unsigned i = 0; i < 8; i++)
		id.text[3 + i] = "0123456789ABCDEF"[property >> (28 - 4 * i) & 15];
	return id;
}

/* The TPM's name, critical because the subject is empty: three RDNs of a
 * directoryName. */
static void write_subject_alt_name(struct der *d, const struct cvtpm_tpm_facts *facts)
{
	certificate_extension_begin(d, OID_SUBJECT_ALT_NAME, true);
	der_begin(d, DER_SEQUENCE);   /* GeneralNames */
	der_begin(d, DER_CONTEXT(4)); /* directoryName */
	der_begin(d, DER_SEQUENCE);
	certificate_rdn(d, OID_TPM_MANUFACTURER, id_of(facts->manufacturer).text);
	certificate_rdn(d, OID_TPM_MODEL, facts->vendor_string);
	certificate_rdn(d, OID_TPM_VERSION, id_of(facts->firmware_version).text);
	der_end(d);
	der_end(d);
	der_end(d);
	certificate_extension_end(d);
}

/* No certificate authority: cA has its default, so the SEQUENCE is empty. */
static void write_basic_constraints(struct der *d)
{
	certificate_extension_begin(d, OID_BASIC_CONSTRAINTS, true);
	der_element(d, DER_SEQUENCE, NULL, 0);
	certificate_extension_end(d);
}

/* Which TPM Library specification: TPMSpecification { family, level, revision }. */
static void write_tpm_specification(struct der *d, const struct cvtpm_tpm_facts *facts)
{
	certificate_extension_begin(d, OID_SUBJECT_DIRECTORY_ATTRIBUTES, false);
	der_begin(d, DER_SEQUENCE); /* SubjectDirectoryAttributes */
	der_begin(d, DER_SEQUENCE); /* Attribute */
	der_oid(d, OID_TPM_SPECIFICATION);
	der_begin(d, DER_SET);
	der_begin(d, DER_SEQUENCE);
	der_utf8(d, facts->family);
	der_uint(d, facts->level);
	der_uint(d, facts->revision);
	der_end(d);
	der_end(d);
	der_end(d);
	der_end(d);
	certificate_extension_end(d);
}

/* A restricted decryption key: RSA wraps the seed, ECC agrees on it. */
static void write_key_usage(struct der *d, const struct cvtpm_ek_key *key)
{
	certificate_extension_begin(d, OID_KEY_USAGE, true);
	der_named_bits(d, is_rsa(key) ? KEY_USAGE_KEY_ENCIPHERMENT : KEY_USAGE_KEY_AGREEMENT);
	certificate_extension_end(d);
}

static void write_extended_key_usage(struct der *d)
{
	certificate_extension_begin(d, OID_EXT_KEY_USAGE, false);
	der_begin(d, DER_SEQUENCE);
	der_oid(d, OID_KP_EK_CERTIFICATE);
	der_end(d);
	certificate_extension_end(d);
}

/* ---- the certificate ---- */

int cvtpm_certificate_ek(const struct cvtpm_issuer *issuer, const struct cvtpm_ek_key *key,
			 const struct cvtpm_tpm_facts *facts,
			 const struct cvtpm_certificate_evidence *evidence,
			 const uint8_t serial[CVTPM_SERIAL_SIZE],
			 const struct cvtpm_certificate_times *times, uint8_t *der, size_t *der_len)
{
	struct der d;

	CVTPM_TRY(certificate_check(issuer, times));
	if (!is_of_its_kind(key) || !is_printable(facts->vendor_string) ||
	    !is_printable(facts->family) || !has_its_texts(evidence))
		return CVTPM_ERR_PARAM;

	certificate_start_x509(&d, der, *der_len, issuer, serial, times);
	der_element(&d, DER_SEQUENCE, NULL, 0); /* subject: empty */
	write_key(&d, key);
	der_begin(&d, DER_CONTEXT(3));
	der_begin(&d, DER_SEQUENCE); /* Extensions */
	write_subject_alt_name(&d, facts);
	write_basic_constraints(&d);
	write_tpm_specification(&d, facts);
	write_key_usage(&d, key);
	write_extended_key_usage(&d);
	certificate_authority_key(&d, issuer);
	certificate_evidence(&d, evidence, times->not_before);
	der_end(&d);
	der_end(&d);
	der_end(&d);
	return certificate_sign(&d, issuer, der_len);
}
