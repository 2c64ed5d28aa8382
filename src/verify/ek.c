/* Reading the EK and its certificate, and what they have to do with each other. */
#include "verify/ek.h"
#include "cvtpm/err.h"
#include "verify/chain.h"
#include "verify/checks.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

static const char about_cert[] = "EK certificate", about_ek[] = "EK";

/* ---- the certificate's key as a public area ---- */

static bool number_bytes(EVP_PKEY *key, const char *name, uint8_t *out, size_t size)
{
	BIGNUM *number = NULL;
	bool good = EVP_PKEY_get_bn_param(key, name, &number) == 1 && BN_num_bits(number) > 0 &&
		    BN_bn2binpad(number, out, (int)size) == (int)size;

	BN_free(number);
	return good;
}

static bool is_exponent_65537(EVP_PKEY *key)
{
	BIGNUM *e = NULL;
	bool good =
		EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_word(e, 65537);

	BN_free(e);
	return good;
}

static bool key_fits(EVP_PKEY *key, const struct cvtpm_ek_template *ek)
{
	char group[32];
	size_t len;

	if (ek->type == 0x0001)
		return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
		       EVP_PKEY_get_bits(key) == ek->detail && is_exponent_65537(key);
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1 &&
	       !strcmp(group, ek->size == 32 ? "prime256v1" : "secp384r1");
}

static uint8_t *put16(uint8_t *p, size_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
	return p + 2;
}

/* The TPM2B_PUBLIC of the key as a TPM makes it from the template: the template
 * up to `unique`, then the key. */
static bool public_build(struct ek_public *out, const struct cvtpm_ek_template *ek, EVP_PKEY *key)
{
	bool rsa = ek->type == 0x0001;
	size_t unique = rsa ? 2u + ek->size : 2u * (2u + ek->size);
	uint8_t template[CVTPM_EK_PUBLIC_MAX_SIZE], *p = out->bytes;

	out->ek = ek;
	out->len = cvtpm_ek_public_size(ek);
	cvtpm_ek_template_write(ek, template);
	p = put16(p, out->len - 2);
	memcpy(p, template, out->len - 2 - unique);
	p = put16(p + (out->len - 2 - unique), ek->size);
	if (!number_bytes(key, rsa ? OSSL_PKEY_PARAM_RSA_N : OSSL_PKEY_PARAM_EC_PUB_X, p, ek->size))
		return false;
	if (!rsa) {
		p = put16(p + ek->size, ek->size);
		if (!number_bytes(key, OSSL_PKEY_PARAM_EC_PUB_Y, p, ek->size))
			return false;
	}
	return cvtpm_ek_template_match(out->bytes, out->len) == ek;
}

/* A SubjectPublicKeyInfo can say one key in several ways: a hybrid point, unused
 * bits of a BIT STRING. Only DER with an uncompressed point (RFC 5480) is taken, so
 * that no byte of it can be another without being another key. */
static bool is_spelled_in_der(X509 *cert, EVP_PKEY *key)
{
	X509_PUBKEY *spki = X509_get_X509_PUBKEY(cert);
	uint8_t *given = NULL, *der = NULL;
	int given_len = i2d_X509_PUBKEY(spki, &given), der_len = i2d_PUBKEY(key, &der), bits_len;
	const uint8_t *bits;
	bool good = given_len > 0 && given_len == der_len &&
		    memcmp(given, der, (size_t)der_len) == 0 &&
		    X509_PUBKEY_get0_param(NULL, &bits, &bits_len, NULL, spki) == 1 &&
		    (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC || (bits_len > 0 && bits[0] == 0x04));

	OPENSSL_free(given);
	OPENSSL_free(der);
	return good;
}

static bool public_of_certificate(struct ek_public *out, X509 *cert)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	const struct cvtpm_ek_template *ek;

	if (!key || !is_spelled_in_der(cert, key))
		return false;
	for (size_t i = 0; (ek = cvtpm_ek_template_at(i)) != NULL; i++)
		if (key_fits(key, ek))
			return public_build(out, ek, key);
	return false;
}

/* ---- the public area read from the TPM ---- */

static bool public_read(struct ek_public *out, const struct cvtpm_bytes *bytes)
{
	size_t len = bytes->len;

	if (len < 2 || len > CVTPM_EK_PUBLIC_MAX_SIZE)
		return false;
	/* A TPMT_PUBLIC begins with its type, which is never the size of what follows. */
	if ((size_t)(bytes->data[0] << 8 | bytes->data[1]) == len - 2) {
		memcpy(out->bytes, bytes->data, len);
		out->len = len;
	} else {
		if (len + 2 > CVTPM_EK_PUBLIC_MAX_SIZE)
			return false;
		memcpy(put16(out->bytes, len), bytes->data, len);
		out->len = len + 2;
	}
	out->ek = cvtpm_ek_template_match(out->bytes, out->len);
	return out->ek != NULL;
}

static bool open_public(struct ek_evidence *ek, const struct cvtpm_evidence *evidence,
			struct cvtpm_verification *v)
{
	struct cvtpm_check *c;

	if (!evidence->ek_public.data)
		return true;
	ek->has_public = public_read(&ek->public, &evidence->ek_public);
	c = check_add(v, about_ek, "ek-template", "public area",
		      ek->has_public ? CVTPM_CHECK_OK : CVTPM_CHECK_REFUSED,
		      "bytes chosen freely must not pass for an EK");
	check_expected(c, "a listed EK template but for the key itself");
	if (ek->has_public)
		check_found(c, "template %s, %s", ek->public.ek->id, ek->public.ek->name);
	else
		check_found(c, "%zu bytes that are no such TPM2B_PUBLIC or TPMT_PUBLIC",
			    evidence->ek_public.len);
	return ek->has_public;
}

/* ---- the certificate ---- */

/* Reads one certificate: DER with the padding that NV indices may have, or PEM. */
static X509 *read_certificate(struct ek_evidence *ek, const struct cvtpm_bytes *bytes)
{
	const uint8_t *p = bytes->data;
	struct cert_list one = {0};
	const char *why;
	X509 *cert;
	int len;

	if (bytes->len && *p == 0x30) {
		size_t at;

		cert = cert_read_der(&p, bytes->len);
		if (!cert)
			return NULL;
		ek->der = bytes->data;
		ek->der_len = at = (size_t)(p - bytes->data);
		while (at < bytes->len && bytes->data[at] == bytes->data[ek->der_len] &&
		       (bytes->data[at] == 0x00 || bytes->data[at] == 0xFF))
			at++;
		if (at == bytes->len)
			return cert;
		X509_free(cert);
		return NULL;
	}
	if (certs_add(&one, bytes, &why) || one.count != 1) {
		certs_free(&one);
		return NULL;
	}
	cert = one.certs[0];
	len = i2d_X509(cert, &ek->owned_der);
	ek->der = ek->owned_der;
	ek->der_len = len > 0 ? (size_t)len : 0;
	return cert;
}

static bool has_eku(X509 *cert, const char *oid)
{
	EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++) {
		char text[64];

		OBJ_obj2txt(text, sizeof(text), sk_ASN1_OBJECT_value(usages, i), 1);
		found |= !strcmp(text, oid);
	}
	EXTENDED_KEY_USAGE_free(usages);
	return found;
}

/* The value of an attribute in the directoryName of the SAN, escaped; "" if none. */
static void san_value(X509 *cert, const char *oid, char *out, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);

	out[0] = 0;
	for (int i = 0; object && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		int at;

		if (name->type != GEN_DIRNAME)
			continue;
		at = X509_NAME_get_index_by_OBJ(name->d.directoryName, object, -1);
		if (at >= 0) {
			const ASN1_STRING *value = X509_NAME_ENTRY_get_data(
				X509_NAME_get_entry(name->d.directoryName, at));

			escape_text(out, size, (const char *)ASN1_STRING_get0_data(value),
				    (size_t)ASN1_STRING_length(value));
		}
	}
	ASN1_OBJECT_free(object);
	GENERAL_NAMES_free(names);
}

static bool san_is_critical(X509 *cert)
{
	int at = X509_get_ext_by_NID(cert, NID_subject_alt_name, -1);

	return at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(cert, at));
}

/* A critical extension that this verifier does not understand. */
static bool has_unknown_critical(X509 *cert)
{
	for (int i = 0; i < X509_get_ext_count(cert); i++) {
		X509_EXTENSION *extension = X509_get_ext(cert, i);
		int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));

		if (X509_EXTENSION_get_critical(extension) && nid != NID_subject_alt_name &&
		    nid != NID_basic_constraints && nid != NID_key_usage &&
		    nid != NID_ext_key_usage)
			return true;
	}
	return false;
}

/* What departs from the EK Credential Profile, or NULL. */
static const char *profile_fault(X509 *cert, const struct ek_public *key)
{
	uint32_t usage = X509_get_key_usage(cert);
	uint32_t needed = key->ek->type == 0x0001 ? KU_KEY_ENCIPHERMENT : KU_KEY_AGREEMENT;
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	char manufacturer[64];

	if (X509_get_version(cert) != X509_VERSION_3)
		return "not X.509 version 3";
	if (X509_get_extension_flags(cert) & EXFLAG_INVALID)
		return "malformed extensions";
	if (has_unknown_critical(cert))
		return "a critical extension of unknown meaning";
	if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
		return "a negative serial number";
	if ((X509_get_extension_flags(cert) & (EXFLAG_BCONS | EXFLAG_CA)) != EXFLAG_BCONS)
		return "not marked as an end certificate";
	if (usage == UINT32_MAX || !(usage & needed) || (usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)))
		return "a key usage that is not an EK's";
	if (!has_eku(cert, "2.23.133.8.1"))
		return "no extended key usage tcg-kp-EKCertificate";
	if (X509_NAME_entry_count(X509_get_subject_name(cert)) == 0 && !san_is_critical(cert))
		return "neither a subject nor a critical alternative name";
	san_value(cert, "2.23.133.2.1", manufacturer, sizeof(manufacturer));
	if (!manufacturer[0])
		return "no TPM manufacturer in the alternative name";
	if (!X509_get0_authority_key_id(cert))
		return "no authority key identifier";
	return NULL;
}

static void check_profile(const struct ek_evidence *ek, struct cvtpm_verification *v)
{
	const char *fault = ek->has_cert_public ? profile_fault(ek->cert, &ek->cert_public)
						: "a key that is of no listed EK template";
	char manufacturer[64], model[64], version[64];
	struct cvtpm_check *c = check_add(v, about_cert, "ek-certificate-profile", "profile",
					  fault ? CVTPM_CHECK_REFUSED : CVTPM_CHECK_OK,
					  "it certifies an EK and nothing else");

	check_expected(c, "TCG EK Credential Profile");
	san_value(ek->cert, "2.23.133.2.1", manufacturer, sizeof(manufacturer));
	san_value(ek->cert, "2.23.133.2.2", model, sizeof(model));
	san_value(ek->cert, "2.23.133.2.3", version, sizeof(version));
	if (fault)
		check_found(c, "%s", fault);
	else
		check_found(c, "%s, TPM %s %s %s", ek->cert_public.ek->name, manufacturer, model,
			    version);
}

#define BOOT_ISSUER "CN=cvtpm per-boot "

/* Says who signed. It decides nothing: trust comes from the report. */
static void check_issuer(const struct ek_evidence *ek, const struct cert_list *certs,
			 struct cvtpm_verification *v)
{
	X509_NAME *issuer = X509_get_issuer_name(ek->cert);
	char name[NAME_TEXT_SIZE];
	bool named = false, signs = false, boot;
	struct cvtpm_check *c;

	for (size_t i = 0; i < certs->count && !signs; i++) {
		EVP_PKEY *key;

		if (X509_NAME_cmp(X509_get_subject_name(certs->certs[i]), issuer))
			continue;
		named = true;
		key = X509_get0_pubkey(certs->certs[i]);
		signs = key && X509_verify(ek->cert, key) == 1 &&
			X509_check_ca(certs->certs[i]) == 1;
	}
	name_text(name, issuer);
	boot = !strncmp(name, BOOT_ISSUER, sizeof(BOOT_ISSUER) - 1);
	c = check_add(v, about_cert, "ek-certificate-issuer", "issuer",
		      named && !signs ? CVTPM_CHECK_REFUSED
		      : boot          ? CVTPM_CHECK_OK
				      : CVTPM_CHECK_NOT_CHECKED,
		      "trust comes from the report, not from here");
	if (named && !signs)
		check_expected(c, "signed by the given certificate of %s", name);
	if (boot)
		check_found(c, "per-boot, not a trust anchor: %s%s", name,
			    named && !signs ? ", which did not sign it" : "");
	else
		check_found(c, "a CA, no trust anchor here: %s%s", name,
			    signs   ? ", which signed it"
			    : named ? ", which did not sign it"
				    : ", whose certificate was not given");
}

static void check_ek_dates(const struct ek_evidence *ek, int64_t at, struct cvtpm_verification *v)
{
	check_simple(v, about_cert, "ek-certificate-dates", "validity dates",
		     cert_in_date(ek->cert, at), "valid at the time of verification",
		     cert_in_date(ek->cert, at) ? "valid" : "expired or not yet valid",
		     "a certificate's word ends with them");
}

static void check_same_key(const struct ek_evidence *ek, struct cvtpm_verification *v)
{
	bool good;

	if (!ek->has_public || !ek->has_cert_public)
		return;
	good = ek->public.len == ek->cert_public.len &&
	       !memcmp(ek->public.bytes, ek->cert_public.bytes, ek->public.len);
	check_simple(v, about_cert, "ek-certificate-key", "key against the TPM's EK", good,
		     "the EK read from the TPM", good ? "the same" : "another key",
		     "the certificate is this EK's");
}

static bool open_cmw(struct ek_evidence *ek, struct cvtpm_verification *v)
{
	const char *why = NULL;
	int result = cmw_read_certificate(&ek->cmw, ek->cert, &why);
	struct cvtpm_check *c =
		check_add(v, about_cert, "ek-certificate-evidence", "evidence inside (id-pe-cmw)",
			  !result                         ? CVTPM_CHECK_OK
			  : result == CVTPM_ERR_NOT_FOUND ? CVTPM_CHECK_NOT_CHECKED
							  : CVTPM_CHECK_REFUSED,
			  "how the report travels");

	check_expected(c, "a CMW of RFC 9999 with a report");
	if (!result)
		check_found(c, "%s", ek->cmw.collection ? "a collection" : "a record");
	else
		check_found(c, "%s", why ? why : "none");
	return !result || result == CVTPM_ERR_NOT_FOUND;
}

static bool open_certificate(struct ek_evidence *ek, const struct cvtpm_evidence *evidence,
			     struct cvtpm_verification *v)
{
	struct cvtpm_check *c;

	if (!evidence->ek_certificate.data)
		return true;
	ek->cert = read_certificate(ek, &evidence->ek_certificate);
	if (!ek->cert) {
		c = check_add(v, about_cert, "ek-certificate", "form", CVTPM_CHECK_REFUSED,
			      "nothing can be read from it");
		check_expected(c, "one X.509 certificate, DER or PEM");
		check_found(c, "%zu bytes that are not", evidence->ek_certificate.len);
		return false;
	}
	ek->has_cert_public = public_of_certificate(&ek->cert_public, ek->cert);
	return true;
}

bool ek_open(struct ek_evidence *ek, const struct cvtpm_evidence *evidence, int64_t at,
	     const struct cert_list *certs, struct cvtpm_verification *v)
{
	bool good = open_public(ek, evidence, v);

	good = open_certificate(ek, evidence, v) && good;
	if (!ek->cert)
		return good;
	check_profile(ek, v);
	check_ek_dates(ek, at, v);
	check_issuer(ek, certs, v);
	check_same_key(ek, v);
	good = open_cmw(ek, v) && good;
	ERR_clear_error();
	return good;
}

void ek_close(struct ek_evidence *ek)
{
	X509_free(ek->cert);
	OPENSSL_free(ek->owned_der);
	*ek = (struct ek_evidence){0};
}

/* ---- the bindings ---- */

static bool sha512(const uint8_t *bytes, size_t len, uint8_t digest[SNP_REPORT_DATA_SIZE])
{
	return EVP_Digest(bytes, len, digest, NULL, EVP_sha512(), NULL) == 1;
}

bool ek_pub_digest(const struct ek_evidence *ek, uint8_t digest[SNP_REPORT_DATA_SIZE])
{
	const struct ek_public *public = ek->has_public        ? &ek->public
					 : ek->has_cert_public ? &ek->cert_public
							       : NULL;

	return public && sha512(public->bytes, public->len, digest);
}

bool ek_cert_digest(const struct ek_evidence *ek, uint8_t digest[SNP_REPORT_DATA_SIZE])
{
	return ek->cert && ek->der_len && sha512(ek->der, ek->der_len, digest);
}
