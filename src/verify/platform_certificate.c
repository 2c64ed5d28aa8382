/*
 * TCG Platform Certificate Profile 1.1 on RFC 5755, version 2. OpenSSL 3.0 does
 * not know attribute certificates, so their ASN.1 is given to it here; it
 * decodes, and what it encodes again must be what was there, so that BER and
 * left-over bytes are refused.
 */
#include "verify/platform_certificate.h"
#include "verify/chain.h"
#include "verify/checks.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

static const char about[] = "platform certificate";

/* ---- RFC 5755, 4.1 ---- */

typedef struct {
	GENERAL_NAMES *issuer;
	ASN1_INTEGER *serial;
	ASN1_BIT_STRING *unique_id;
} AC_ISSUER_SERIAL;

typedef struct {
	AC_ISSUER_SERIAL *base_certificate; /* baseCertificateID */
	GENERAL_NAMES *entity_name;
	STACK_OF(ASN1_TYPE) * object_digest;
} AC_HOLDER;

/* AttCertIssuer; its v1Form is not allowed. */
typedef struct {
	GENERAL_NAMES *name;
	AC_ISSUER_SERIAL *base_certificate;
	STACK_OF(ASN1_TYPE) * object_digest;
} AC_V2_FORM;

typedef struct {
	ASN1_GENERALIZEDTIME *not_before, *not_after;
} AC_VALIDITY;

typedef struct {
	ASN1_INTEGER *version;
	AC_HOLDER *holder;
	AC_V2_FORM *issuer;
	X509_ALGOR *signature;
	ASN1_INTEGER *serial;
	AC_VALIDITY *validity;
	STACK_OF(X509_ATTRIBUTE) * attributes;
	ASN1_BIT_STRING *issuer_unique_id;
	STACK_OF(X509_EXTENSION) * extensions;
} AC_INFO;

typedef struct {
	AC_INFO *info;
	X509_ALGOR *algorithm;
	ASN1_BIT_STRING *signature;
} AC;

/* clang-format off */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wpedantic"

ASN1_SEQUENCE(AC_ISSUER_SERIAL) = {
	ASN1_SEQUENCE_OF(AC_ISSUER_SERIAL, issuer, GENERAL_NAME),
	ASN1_SIMPLE(AC_ISSUER_SERIAL, serial, ASN1_INTEGER),
	ASN1_OPT(AC_ISSUER_SERIAL, unique_id, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(AC_ISSUER_SERIAL)

ASN1_SEQUENCE(AC_HOLDER) = {
	ASN1_IMP_OPT(AC_HOLDER, base_certificate, AC_ISSUER_SERIAL, 0),
	ASN1_IMP_SEQUENCE_OF_OPT(AC_HOLDER, entity_name, GENERAL_NAME, 1),
	ASN1_IMP_SEQUENCE_OF_OPT(AC_HOLDER, object_digest, ASN1_ANY, 2),
} static_ASN1_SEQUENCE_END(AC_HOLDER)

ASN1_SEQUENCE(AC_V2_FORM) = {
	ASN1_SEQUENCE_OF_OPT(AC_V2_FORM, name, GENERAL_NAME),
	ASN1_IMP_OPT(AC_V2_FORM, base_certificate, AC_ISSUER_SERIAL, 0),
	ASN1_IMP_SEQUENCE_OF_OPT(AC_V2_FORM, object_digest, ASN1_ANY, 1),
} static_ASN1_SEQUENCE_END(AC_V2_FORM)

ASN1_SEQUENCE(AC_VALIDITY) = {
	ASN1_SIMPLE(AC_VALIDITY, not_before, ASN1_GENERALIZEDTIME),
	ASN1_SIMPLE(AC_VALIDITY, not_after, ASN1_GENERALIZEDTIME),
} static_ASN1_SEQUENCE_END(AC_VALIDITY)

ASN1_SEQUENCE(AC_INFO) = {
	ASN1_SIMPLE(AC_INFO, version, ASN1_INTEGER),
	ASN1_SIMPLE(AC_INFO, holder, AC_HOLDER),
	ASN1_IMP(AC_INFO, issuer, AC_V2_FORM, 0),
	ASN1_SIMPLE(AC_INFO, signature, X509_ALGOR),
	ASN1_SIMPLE(AC_INFO, serial, ASN1_INTEGER),
	ASN1_SIMPLE(AC_INFO, validity, AC_VALIDITY),
	ASN1_SEQUENCE_OF(AC_INFO, attributes, X509_ATTRIBUTE),
	ASN1_OPT(AC_INFO, issuer_unique_id, ASN1_BIT_STRING),
	ASN1_SEQUENCE_OF_OPT(AC_INFO, extensions, X509_EXTENSION),
} static_ASN1_SEQUENCE_END(AC_INFO)

ASN1_SEQUENCE(AC) = {
	ASN1_SIMPLE(AC, info, AC_INFO),
	ASN1_SIMPLE(AC, algorithm, X509_ALGOR),
	ASN1_SIMPLE(AC, signature, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(AC)

#pragma GCC diagnostic pop
	/* clang-format on */

	/* ---- reading ---- */

	static void ac_free(AC * ac)
{
	ASN1_item_free((ASN1_VALUE *)ac, ASN1_ITEM_rptr(AC));
}

/* DER, with the padding that an NV index may have. */
static AC *ac_read(const struct cvtpm_bytes *bytes)
{
	const unsigned char *p = bytes->data;
	unsigned char *again = NULL;
	size_t used;
	int len;
	AC *ac;

	if (bytes->len < 4 || bytes->len > CERT_MAX_SIZE || *p != 0x30)
		return NULL;
	ac = (AC *)ASN1_item_d2i(NULL, &p, (long)bytes->len, ASN1_ITEM_rptr(AC));
	if (!ac)
		return NULL;
	used = (size_t)(p - bytes->data);
	len = ASN1_item_i2d((const ASN1_VALUE *)ac, &again, ASN1_ITEM_rptr(AC));
	if (len < 0 || (size_t)len != used || memcmp(again, bytes->data, used) != 0) {
		ac_free(ac);
		ac = NULL;
	}
	OPENSSL_free(again);
	for (size_t i = used; ac && i < bytes->len; i++) {
		if (bytes->data[i] != bytes->data[used] ||
		    (bytes->data[i] != 0x00 && bytes->data[i] != 0xFF)) {
			ac_free(ac);
			ac = NULL;
		}
	}
	return ac;
}

/* A critical extension that is not understood here must refuse (RFC 5755, 4.3). */
static bool has_unknown_critical(const AC *ac)
{
	for (int i = 0; i < sk_X509_EXTENSION_num(ac->info->extensions); i++) {
		X509_EXTENSION *extension = sk_X509_EXTENSION_value(ac->info->extensions, i);
		int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));

		if (X509_EXTENSION_get_critical(extension) && nid != NID_subject_alt_name &&
		    nid != NID_certificate_policies && nid != NID_authority_key_identifier)
			return true;
	}
	return false;
}

/* The one directoryName of GeneralNames, or NULL. */
static const X509_NAME *only_name(const GENERAL_NAMES *names)
{
	const GENERAL_NAME *name;

	if (sk_GENERAL_NAME_num(names) != 1)
		return NULL;
	name = sk_GENERAL_NAME_value(names, 0);
	return name->type == GEN_DIRNAME ? name->d.directoryName : NULL;
}

static const char *form_fault(const AC *ac)
{
	if (ASN1_INTEGER_get(ac->info->version) != 1)
		return "not version 2";
	if (X509_ALGOR_cmp(ac->info->signature, ac->algorithm) != 0)
		return "two signature algorithms";
	if (!only_name(ac->info->issuer->name) || ac->info->issuer->base_certificate ||
	    ac->info->issuer->object_digest)
		return "an issuer that is not one directory name";
	if (has_unknown_critical(ac))
		return "a critical extension of unknown meaning";
	return NULL;
}

/* ---- the checks ---- */

/* RFC 5755, 4.2.2: the holder is the certificate with this issuer and serial. */
static bool holds(const AC *ac, X509 *ek)
{
	const AC_ISSUER_SERIAL *base = ac->info->holder->base_certificate;
	const X509_NAME *issuer = base ? only_name(base->issuer) : NULL;

	return issuer && !ac->info->holder->entity_name && !ac->info->holder->object_digest &&
	       X509_NAME_cmp(issuer, X509_get_issuer_name(ek)) == 0 &&
	       ASN1_INTEGER_cmp(base->serial, X509_get0_serialNumber(ek)) == 0;
}

static void check_holder(const AC *ac, X509 *ek, struct cvtpm_verification *v)
{
	bool good = ek && holds(ac, ek);
	struct cvtpm_check *c = check_add(v, about, "platform-certificate-holder", "holder",
					  !ek    ? CVTPM_CHECK_UNKNOWN
					  : good ? CVTPM_CHECK_OK
						 : CVTPM_CHECK_REFUSED,
					  "it speaks of the platform of one EK certificate");

	check_expected(c, "issuer and serial number of the EK certificate");
	check_found(c, "%s",
		    !ek    ? "no EK certificate was given"
		    : good ? "the same"
			   : "those of another");
}

/* SHA-2 at least, so that nobody can make two certificates of one signature. */
static bool algorithm_is_strong(const AC *ac)
{
	int digest = NID_undef, key = NID_undef;
	int nid = OBJ_obj2nid(ac->algorithm->algorithm);

	return nid == NID_rsassaPss ||
	       (OBJ_find_sigid_algs(nid, &digest, &key) == 1 &&
		(digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512));
}

/* RFC 5755, 4.5 wants a key of its own that may sign data; a virtual platform's issuer signs its
 * EK certificate, too, and is marked for certificates. */
static bool may_sign(X509 *issuer)
{
	return X509_get_key_usage(issuer) & (KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN);
}

static bool is_signed_by(const AC *ac, X509 *issuer)
{
	EVP_PKEY *key = X509_get0_pubkey(issuer);

	return key && may_sign(issuer) &&
	       ASN1_item_verify(ASN1_ITEM_rptr(AC_INFO), ac->algorithm, ac->signature, ac->info,
				key) == 1;
}

static void check_issuer(const AC *ac, const struct cert_list *certs, struct cvtpm_verification *v)
{
	const X509_NAME *issuer = only_name(ac->info->issuer->name);
	bool named = false, good = false, weak;
	char name[NAME_TEXT_SIZE];
	struct cvtpm_check *c;

	for (size_t i = 0; i < certs->count && !good; i++) {
		if (X509_NAME_cmp(X509_get_subject_name(certs->certs[i]), issuer))
			continue;
		named = true;
		good = is_signed_by(ac, certs->certs[i]);
	}
	name_text(name, issuer);
	weak = good && !algorithm_is_strong(ac);
	c = check_add(v, about, "platform-certificate-issuer", "issuer",
		      good && !weak ? CVTPM_CHECK_OK
		      : named       ? CVTPM_CHECK_REFUSED
				    : CVTPM_CHECK_NOT_CHECKED,
		      "trust comes from the report, not from here");
	check_expected(c, "signed by the given certificate of %s", name);
	check_found(c, "%s",
		    weak    ? "with a hash that is too weak to sign with"
		    : good  ? "so"
		    : named ? "it did not sign this"
			    : "its certificate was not given");
}

static void check_dates(const AC *ac, int64_t at, struct cvtpm_verification *v)
{
	time_t when = (time_t)at;
	bool good = X509_cmp_time(ac->info->validity->not_before, &when) < 0 &&
		    X509_cmp_time(ac->info->validity->not_after, &when) > 0;

	check_simple(v, about, "platform-certificate-dates", "validity dates", good,
		     "valid at the time of verification",
		     good ? "valid" : "expired or not yet valid",
		     "a certificate's word ends with them");
}

/* TCG Platform Certificate Profile 1.1, 3.2.8: the platform's name. */
static const struct {
	const char *oid, *name;
} platform_attributes[] = {
	{"2.23.133.5.1.1", "manufacturer"},
	{"2.23.133.5.1.4", "model"},
	{"2.23.133.5.1.5", "version"},
	{"2.23.133.5.1.6", "serial"},
};

static void say_attribute(const X509_NAME *name, size_t which, struct cvtpm_verification *v)
{
	ASN1_OBJECT *object = OBJ_txt2obj(platform_attributes[which].oid, 1);
	int at = object ? X509_NAME_get_index_by_OBJ(name, object, -1) : -1;
	char text[CVTPM_CHECK_TEXT_SIZE / 2];
	const ASN1_STRING *value;
	struct cvtpm_check *c;

	ASN1_OBJECT_free(object);
	if (at < 0)
		return;
	value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	escape_text(text, sizeof(text), (const char *)ASN1_STRING_get0_data(value),
		    (size_t)ASN1_STRING_length(value));
	c = check_add(v, about, "platform-claim", "claim", CVTPM_CHECK_CLAIMED,
		      "said by the issuer of the certificate; decides nothing");
	check_found(c, "%s = %s", platform_attributes[which].name, text);
}

static void say_platform(const AC *ac, struct cvtpm_verification *v)
{
	GENERAL_NAMES *names =
		X509V3_get_d2i(ac->info->extensions, NID_subject_alt_name, NULL, NULL);
	const X509_NAME *name = names ? only_name(names) : NULL;

	for (size_t i = 0; name && i < sizeof(platform_attributes) / sizeof(platform_attributes[0]);
	     i++)
		say_attribute(name, i, v);
	GENERAL_NAMES_free(names);
}

bool platform_certificate_holds(const struct cvtpm_bytes *bytes, const struct cvtpm_bytes *ek)
{
	const uint8_t *p = ek->data;
	X509 *cert = cert_read_der(&p, ek->len);
	AC *ac = ac_read(bytes);
	bool good = cert && ac && holds(ac, cert);

	X509_free(cert);
	ac_free(ac);
	ERR_clear_error();
	return good;
}

void platform_certificate_check(const struct cvtpm_bytes *bytes, X509 *ek,
				const struct cert_list *certs, int64_t at,
				struct cvtpm_verification *v)
{
	AC *ac = ac_read(bytes);
	const char *fault = ac ? form_fault(ac) : "bytes that are not";

	check_simple(v, about, "platform-certificate", "form", !fault,
		     "an attribute certificate of RFC 5755, version 2, in DER",
		     fault ? fault : "so", "nothing can be read from it otherwise");
	if (!fault) {
		check_holder(ac, ek, v);
		check_issuer(ac, certs, v);
		check_dates(ac, at, v);
		say_platform(ac, v);
	}
	ac_free(ac);
	ERR_clear_error();
}
