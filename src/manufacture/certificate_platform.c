/*
 * The platform certificate: TCG Platform Certificate Profile 1.1 on RFC 5755, an
 * attribute certificate, version 2. It has no key of its own; it says something
 * of the holder of an EK certificate. In the order of the fields.
 */
#include "manufacture/certificate_parts.h"

#include "cvtpm/err.h"

/* TCG Platform Certificate Profile: attributes */
#define OID_PLATFORM_SPECIFICATION    "2.23.133.2.17"
#define OID_TBB_SECURITY_ASSERTIONS   "2.23.133.2.19"
#define OID_CREDENTIAL_SPECIFICATION  "2.23.133.2.23"
#define OID_CREDENTIAL_TYPE           "2.23.133.2.25"
#define OID_PLATFORM_CONFIGURATION_V2 "2.23.133.5.1.7.2"
/* its kind of certificate: base, not delta */
#define OID_KP_PLATFORM_ATTRIBUTE_CERTIFICATE "2.23.133.8.2"
/* the platform's name */
#define OID_PLATFORM_MANUFACTURER "2.23.133.5.1.1"
#define OID_PLATFORM_MODEL        "2.23.133.5.1.4"
#define OID_PLATFORM_VERSION      "2.23.133.5.1.5"
#define OID_PLATFORM_SERIAL       "2.23.133.5.1.6"
/* Policies: RFC 5280, 4.2.1.4 */
#define OID_ANY_POLICY     "2.5.29.32.0"
#define OID_QT_USER_NOTICE "1.3.6.1.5.5.7.2.2"

/* MeasurementRootType: "the TPM is virtualized". */
#define RTM_TYPE_VIRTUAL 5

/* The specification that the platform follows: TCG PC Client Platform TPM
 * Profile 1.05 revision 14, platform class TPM_PS_PC. */
static const uint8_t platform_version[3] = {1, 5, 14};
static const uint8_t platform_class[4] = {0, 0, 0, 1};
/* The profile of this certificate: 1.1 revision 19. */
static const uint8_t profile_version[3] = {1, 1, 19};

/* ---- who ---- */

/* GeneralNames with one directoryName: the issuer, of this certificate and of
 * the EK certificate alike. */
static void write_issuer_names(struct der *d, const struct cvtpm_issuer *issuer)
{
	der_begin(d, DER_SEQUENCE);
	der_begin(d, DER_CONTEXT(4));
	der_raw(d, issuer->name, issuer->name_len);
	der_end(d);
	der_end(d);
}

static void write_holder(struct der *d, const struct cvtpm_issuer *issuer,
			 const uint8_t ek_serial[CVTPM_SERIAL_SIZE])
{
	der_begin(d, DER_SEQUENCE);   /* Holder */
	der_begin(d, DER_CONTEXT(0)); /* baseCertificateID */
	write_issuer_names(d, issuer);
	certificate_serial(d, ek_serial);
	der_end(d);
	der_end(d);
}

static void write_issuer(struct der *d, const struct cvtpm_issuer *issuer)
{
	der_begin(d, DER_CONTEXT(0)); /* v2Form */
	write_issuer_names(d, issuer);
	der_end(d);
}

/* ---- attributes ---- */

/* Attribute ::= SEQUENCE { type, values SET }; each of ours has one value. */
static void attribute_begin(struct der *d, const char *oid)
{
	der_begin(d, DER_SEQUENCE);
	der_oid(d, oid);
	der_begin(d, DER_SET);
	der_begin(d, DER_SEQUENCE);
}

static void attribute_end(struct der *d)
{
	der_end(d);
	der_end(d);
	der_end(d);
}

/* The three numbers of TCGSpecificationVersion: major, minor, revision. */
static void write_version(struct der *d, const uint8_t version[3])
{
	for (unsigned i = 0; i < 3; i++)
		der_uint(d, version[i]);
}

static void write_platform_specification(struct der *d)
{
	attribute_begin(d, OID_PLATFORM_SPECIFICATION);
	der_begin(d, DER_SEQUENCE);
	write_version(d, platform_version);
	der_end(d);
	der_element(d, DER_OCTET_STRING, platform_class, sizeof platform_class);
	attribute_end(d);
}

static void write_credential_type(struct der *d)
{
	attribute_begin(d, OID_CREDENTIAL_TYPE);
	der_oid(d, OID_KP_PLATFORM_ATTRIBUTE_CERTIFICATE);
	attribute_end(d);
}

static void write_credential_specification(struct der *d)
{
	attribute_begin(d, OID_CREDENTIAL_SPECIFICATION);
	write_version(d, profile_version);
	attribute_end(d);
}

/* All that can be asserted of the trusted building block: its root is virtual.
 * version v1 and iso9000Certified FALSE are defaults. */
static void write_security_assertions(struct der *d)
{
	attribute_begin(d, OID_TBB_SECURITY_ASSERTIONS);
	der_element(d, DER_CONTEXT_PRIMITIVE(2), &(uint8_t){RTM_TYPE_VIRTUAL}, 1);
	attribute_end(d);
}

/* A virtual machine has no components to list; it has one property, which
 * guest of the processor it is. */
static void write_configuration(struct der *d, const struct cvtpm_platform_facts *facts)
{
	if (facts->serial == NULL)
		return;
	attribute_begin(d, OID_PLATFORM_CONFIGURATION_V2);
	der_begin(d, DER_CONTEXT(2)); /* platformProperties */
	der_begin(d, DER_SEQUENCE);
	der_utf8(d, "SEV-SNP REPORT_ID");
	der_utf8(d, facts->serial);
	der_end(d);
	der_end(d);
	attribute_end(d);
}

/* ---- extensions ---- */

static void write_subject_alt_name(struct der *d, const struct cvtpm_platform_facts *facts)
{
	certificate_extension_begin(d, OID_SUBJECT_ALT_NAME, false);
	der_begin(d, DER_SEQUENCE);   /* GeneralNames */
	der_begin(d, DER_CONTEXT(4)); /* directoryName */
	der_begin(d, DER_SEQUENCE);
	certificate_rdn(d, OID_PLATFORM_MANUFACTURER, facts->manufacturer);
	certificate_rdn(d, OID_PLATFORM_MODEL, facts->model);
	certificate_rdn(d, OID_PLATFORM_VERSION, facts->version);
	if (facts->serial != NULL || facts->machine != NULL)
		certificate_rdn(d, OID_PLATFORM_SERIAL,
				facts->serial ? facts->serial : facts->machine);
	der_end(d);
	der_end(d);
	der_end(d);
	certificate_extension_end(d);
}

/* The notice is a constant of the profile. The project has no policy document
 * under an identifier of its own, hence anyPolicy and no CPS. */
static void write_certificate_policies(struct der *d)
{
	certificate_extension_begin(d, OID_CERTIFICATE_POLICIES, false);
	der_begin(d, DER_SEQUENCE); /* CertificatePolicies */
	der_begin(d, DER_SEQUENCE); /* PolicyInformation */
	der_oid(d, OID_ANY_POLICY);
	der_begin(d, DER_SEQUENCE); /* policyQualifiers */
	der_begin(d, DER_SEQUENCE);
	der_oid(d, OID_QT_USER_NOTICE);
	der_begin(d, DER_SEQUENCE); /* UserNotice */
	der_utf8(d, "TCG Trusted Platform Endorsement");
	der_end(d);
	der_end(d);
	der_end(d);
	der_end(d);
	der_end(d);
	certificate_extension_end(d);
}

/* ---- the certificate ---- */

static bool is_text(const char *text)
{
	return text != NULL && *text != '\0';
}

int cvtpm_certificate_platform(const struct cvtpm_issuer *issuer,
			       const uint8_t ek_serial[CVTPM_SERIAL_SIZE],
			       const struct cvtpm_platform_facts *facts,
			       const uint8_t serial[CVTPM_SERIAL_SIZE],
			       const struct cvtpm_certificate_times *times, uint8_t *der,
			       size_t *der_len)
{
	struct der d;

	CVTPM_TRY(certificate_check(issuer, times));
	if (!is_text(facts->manufacturer) || !is_text(facts->model) || !is_text(facts->version) ||
	    (facts->serial != NULL && !is_text(facts->serial)))
		return CVTPM_ERR_PARAM;

	certificate_start(&d, der, *der_len);
	der_begin(&d, DER_SEQUENCE); /* AttributeCertificateInfo */
	der_uint(&d, 1);             /* version v2 */
	write_holder(&d, issuer, ek_serial);
	write_issuer(&d, issuer);
	certificate_algorithm(&d, issuer);
	certificate_serial(&d, serial);
	certificate_validity(&d, times, true);
	der_begin(&d, DER_SEQUENCE); /* attributes */
	write_platform_specification(&d);
	write_credential_type(&d);
	write_credential_specification(&d);
	write_security_assertions(&d);
	write_configuration(&d, facts);
	der_end(&d);
	der_begin(&d, DER_SEQUENCE); /* Extensions */
	write_certificate_policies(&d);
	write_subject_alt_name(&d, facts);
	certificate_authority_key(&d, issuer);
	der_end(&d);
	der_end(&d);
	return certificate_sign(&d, issuer, der_len);
}
