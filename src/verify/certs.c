/* Reading certificates from whatever they come in. */
#include "verify/certs.h"
#include "cvtpm/err.h"
#include "verify/cache.h"
#include "verify/checks.h"
#include "verify/little_endian.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

static const char not_certificate[] = "neither PEM, DER nor a certificate table";
static const char too_many[] = "more than 64 certificates";

static int list_add(struct cert_list *list, X509 *cert, const char **why)
{
	for (size_t i = 0; i < list->count; i++) {
		if (X509_cmp(list->certs[i], cert) == 0) {
			X509_free(cert);
			return 0;
		}
	}
	if (list->count == CERTS_MAX) {
		X509_free(cert);
		*why = too_many;
		return CVTPM_ERR_FORMAT;
	}
	list->certs[list->count++] = cert;
	return 0;
}

X509 *cert_read_der(const uint8_t **p, size_t len)
{
	const unsigned char *end = *p;
	unsigned char *again = NULL;
	X509 *cert;
	int again_len;

	if (len < 4 || (*p)[0] != 0x30)
		return NULL;
	cert = d2i_X509(NULL, &end, (long)(len < CERT_MAX_SIZE ? len : CERT_MAX_SIZE));
	if (!cert)
		return NULL;

	/* OpenSSL also reads BER; a certificate has one encoding only. */
	again_len = i2d_X509(cert, &again);
	if (again_len < 0 || again_len != end - *p || memcmp(again, *p, (size_t)again_len) != 0) {
		OPENSSL_free(again);
		X509_free(cert);
		return NULL;
	}
	OPENSSL_free(again);
	/* Fills the extension cache now, so that this certificate is only read later. */
	X509_check_purpose(cert, -1, 0);
	*p = end;
	return cert;
}

/* Certificates one behind the other; zeros may follow (a padded buffer). */
static int add_ders(struct cert_list *list, const uint8_t *p, size_t len, const char **why)
{
	const uint8_t *end = p + len;
	size_t found = 0;

	while (p < end && *p == 0x30) {
		X509 *cert = cache_read_der(list->cache, &p, (size_t)(end - p));

		if (!cert) {
			*why = "a damaged certificate, or not DER";
			return CVTPM_ERR_FORMAT;
		}
		found++;
		CVTPM_TRY(list_add(list, cert, why));
	}
	while (p < end && *p == 0)
		p++;
	if (p != end || !found) {
		*why = found ? "other bytes after the certificates" : not_certificate;
		return CVTPM_ERR_FORMAT;
	}
	return 0;
}

static int add_pem_block(struct cert_list *list, const char *name, const uint8_t *der, long len,
			 const char **why)
{
	const uint8_t *p = der;
	X509 *cert;

	if (strcmp(name, PEM_STRING_X509) != 0) {
		*why = "a PEM block that is not a certificate";
		return CVTPM_ERR_FORMAT;
	}
	cert = cache_read_der(list->cache, &p, (size_t)len);
	if (!cert || p != der + len) {
		X509_free(cert);
		*why = "a damaged certificate";
		return CVTPM_ERR_FORMAT;
	}
	return list_add(list, cert, why);
}

static int add_pems(struct cert_list *list, const uint8_t *data, size_t len, const char **why)
{
	BIO *bio = BIO_new_mem_buf(data, (int)len);
	size_t found = 0;
	int result = bio ? 0 : CVTPM_ERR_NO_MEMORY;
	unsigned long error;

	while (!result) {
		char *name = NULL, *header = NULL;
		unsigned char *der = NULL;
		long der_len = 0;

		if (!PEM_read_bio(bio, &name, &header, &der, &der_len))
			break;
		found++;
		result = add_pem_block(list, name, der, der_len, why);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	BIO_free(bio);
	if (result)
		return result;

	/* The only way to end is that no further block begins. */
	error = ERR_peek_last_error();
	if (!found || ERR_GET_LIB(error) != ERR_LIB_PEM ||
	    ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
		*why = "a damaged PEM block";
		return CVTPM_ERR_FORMAT;
	}
	return 0;
}

/* ---- GHCB certificate table ---- */

#define TABLE_ENTRY_SIZE 24

/* GUIDs in printed order, as AMD's firmware interface and Linux carry them. */
static const uint8_t table_guids[][16] = {
	/* VCEK 63da758d-e664-4564-adc5-f4b93be8accd */
	{0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
	 0xcd},
	/* VLEK a8074bc2-a25a-483e-aae6-39c045a0b8a1 */
	{0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8,
	 0xa1},
	/* ASK or ASVK 4ab7b379-bbac-4fe4-a02f-05aef327c782 */
	{0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
	 0x82},
	/* ARK c0b406a4-a803-4952-9743-3fb6014cd0ae */
	{0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
	 0xae},
	/* a revocation list 92f81bc3-5811-4d3d-97ff-d19f88dc67ea */
	{0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d, 0x97, 0xff, 0xd1, 0x9f, 0x88, 0xdc, 0x67,
	 0xea},
};
#define TABLE_CRL   4
#define TABLE_GUIDS (sizeof(table_guids) / sizeof(table_guids[0]))

/* Index into table_guids, TABLE_GUIDS for another one. */
static size_t guid_find(const uint8_t *guid)
{
	size_t i = 0;

	while (i < TABLE_GUIDS && memcmp(table_guids[i], guid, 16) != 0)
		i++;
	return i;
}

static int list_add_crl(struct cert_list *list, const uint8_t *data, size_t len, const char **why)
{
	if (list->crl_count == CERT_CRLS_MAX) {
		*why = "more than 8 certificate tables with revocation lists";
		return CVTPM_ERR_FORMAT;
	}
	list->crls[list->crl_count++] = (struct cvtpm_bytes){
		.data = data, .len = len, .name = "revocation list of a certificate table"};
	return 0;
}

int certs_add_table(struct cert_list *list, const uint8_t *table, size_t len, const char **why)
{
	static const uint8_t end[TABLE_ENTRY_SIZE];
	bool seen[TABLE_GUIDS] = {false};

	for (size_t at = 0; at + TABLE_ENTRY_SIZE <= len; at += TABLE_ENTRY_SIZE) {
		const uint8_t *entry = table + at;
		uint32_t offset = le32(entry + 16), size = le32(entry + 20);
		size_t guid = guid_find(entry);

		if (!memcmp(entry, end, sizeof(end)))
			return 0;
		if (offset > len || size > len - offset) {
			*why = "a certificate table that points outside itself";
			return CVTPM_ERR_FORMAT;
		}
		if (guid == TABLE_GUIDS)
			continue; /* the host may add entries of its own */
		if (seen[guid]) {
			*why = "a certificate table with one kind twice";
			return CVTPM_ERR_FORMAT;
		}
		seen[guid] = true;
		CVTPM_TRY(guid == TABLE_CRL ? list_add_crl(list, table + offset, size, why)
					    : add_ders(list, table + offset, size, why));
	}
	*why = "a certificate table without an end";
	return CVTPM_ERR_FORMAT;
}

int certs_add(struct cert_list *list, const struct cvtpm_bytes *bytes, const char **why)
{
	static const char begin[] = "-----BEGIN ";
	int result;

	if (bytes->len > (1u << 20)) {
		*why = "larger than 1 MiB";
		return CVTPM_ERR_FORMAT;
	}
	ERR_clear_error();
	if (bytes->len >= TABLE_ENTRY_SIZE && guid_find(bytes->data) < TABLE_GUIDS)
		result = certs_add_table(list, bytes->data, bytes->len, why);
	else if (memmem(bytes->data, bytes->len, begin, sizeof(begin) - 1))
		result = add_pems(list, bytes->data, bytes->len, why);
	else
		result = add_ders(list, bytes->data, bytes->len, why);
	ERR_clear_error();
	return result;
}

void certs_free(struct cert_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		X509_free(list->certs[i]);
	list->count = 0;
	list->crl_count = 0;
}

void name_text(char text[NAME_TEXT_SIZE], const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long len;

	text[0] = 0;
	if (!bio)
		return;
	if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
		len = BIO_get_mem_data(bio, &data);
		escape_text(text, NAME_TEXT_SIZE, data, len > 0 ? (size_t)len : 0);
	}
	BIO_free(bio);
}

bool name_has_cn(const X509_NAME *name, const char *cn)
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	const ASN1_STRING *value;

	if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
		return false;
	value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	return (size_t)ASN1_STRING_length(value) == strlen(cn) &&
	       !memcmp(ASN1_STRING_get0_data(value), cn, strlen(cn));
}
