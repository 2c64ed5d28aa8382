/* The local CA at work: opening it, approving evidence, signing. */
#include "verify/ca.h"
#include "cvtpm/err.h"
#include "host/whole.h"
#include "verify/certs.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEASUREMENTS_MAX 256

struct cvtpm_ca {
	struct cvtpm_issuer issuer;
	struct cvtpm_ca_log log;
	EVP_PKEY *key;
	X509 *cert;
	uint8_t *der;  /* the certificate */
	uint8_t *name; /* its subject, DER */
	uint8_t *certs_data, *lab_root_data;
	struct cvtpm_bytes certs, lab_root;
	struct cvtpm_policy policy;
	struct cvtpm_allowed_measurement measurements[MEASUREMENTS_MAX];
};

void ca_log(const struct cvtpm_ca_log *log, enum cvtpm_log_level level, const char *format, ...)
{
	char line[1024];
	va_list args;

	if (!log || !log->line)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	log->line(log->context, level, line);
}

int ca_check_key(EVP_PKEY *key, const struct cvtpm_ca_log *log, uint16_t *curve)
{
	char group[32] = "";
	size_t len;

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ||
	    EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA_PSS) {
		/* With a P-384 issuer the certificate of an RSA 2048 EK has 1,968 bytes,
		 * of them some 103 of signature; the algorithm's name takes 6 more. */
		ca_log(log, CVTPM_LOG_ERROR,
		       "an RSA key of %d bits cannot issue: an EK certificate with its report "
		       "would "
		       "have about %d bytes, and an NV index of libtpms holds 2048; use a P-384 or "
		       "P-256 key",
		       EVP_PKEY_get_bits(key), 1968 - 103 + 6 + EVP_PKEY_get_bits(key) / 8);
		return CVTPM_ERR_UNSUPPORTED;
	}
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
		EVP_PKEY_get_group_name(key, group, sizeof(group), &len);
	*curve = !strcmp(group, "secp384r1") ? 0x0004 : !strcmp(group, "prime256v1") ? 0x0003 : 0;
	if (*curve)
		return 0;
	ca_log(log, CVTPM_LOG_ERROR, "the CA's key is neither P-384 nor P-256");
	return CVTPM_ERR_UNSUPPORTED;
}

/* A file of the folder, to be freed: CVTPM_ERR_NOT_FOUND, CVTPM_ERR_IO. */
static int ca_read_file(int dir, const char *name, uint8_t **data, size_t *len)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), saved;
	ssize_t got;

	*data = NULL;
	*len = 0;
	if (fd < 0)
		return errno == ENOENT ? CVTPM_ERR_NOT_FOUND : CVTPM_ERR_IO;
	*data = malloc(CA_FILE_MAX_SIZE);
	got = *data ? read_whole(fd, *data, CA_FILE_MAX_SIZE) : -1;
	saved = errno;
	close(fd);
	errno = saved;
	if (got >= 0 && got < CA_FILE_MAX_SIZE) {
		*len = (size_t)got;
		return 0;
	}
	free(*data);
	*data = NULL;
	return CVTPM_ERR_IO;
}

/* ---- the issuer ---- */

static bool table_is_empty(const uint8_t *table, size_t len)
{
	static const uint8_t end[24];

	return !table || len < sizeof(end) || !memcmp(table, end, sizeof(end));
}

static int approve(void *context, const uint8_t *ek_public, size_t ek_public_len,
		   const uint8_t *report, const uint8_t *table, size_t table_len)
{
	struct cvtpm_ca *ca = context;
	struct cvtpm_bytes certs[2];
	struct cvtpm_evidence evidence = {
		.report = {.data = report, .len = SNP_REPORT_SIZE, .name = "report"},
		.certificates = certs,
		.ek_public = {.data = ek_public, .len = ek_public_len, .name = "EK"},
	};
	struct cvtpm_verification *v;
	const struct cvtpm_check *check;
	int result;

	if (!report) {
		ca_log(&ca->log, CVTPM_LOG_ERROR,
		       "the CA signs for no TPM without an attestation report");
		return CVTPM_ERR_POLICY;
	}
	if (!table_is_empty(table, table_len))
		certs[evidence.certificate_count++] =
			(struct cvtpm_bytes){table, table_len, "certificate table"};
	if (ca->certs.data)
		certs[evidence.certificate_count++] = ca->certs;

	v = malloc(sizeof(*v));
	if (!v)
		return CVTPM_ERR_NO_MEMORY;
	result = cvtpm_verify_evidence(&evidence, &ca->policy, v);
	check = result ? NULL : cvtpm_deciding_check(v);
	if (!result && v->answer != CVTPM_ANSWER_YES) {
		ca_log(&ca->log, CVTPM_LOG_ERROR, "the CA does not sign: %s: expected %s; found %s",
		       check->title, check->expected, check->found);
		result = CVTPM_ERR_POLICY;
	} else if (!result && v->lab) {
		ca_log(&ca->log, CVTPM_LOG_WARN, "the CA signs for LAB evidence");
	}
	free(v);
	return result;
}

static int sign(void *context, const uint8_t *tbs, size_t tbs_len, uint8_t *signature,
		size_t *signature_len)
{
	struct cvtpm_ca *ca = context;
	const EVP_MD *hash = ca->issuer.curve == 0x0004 ? EVP_sha384() : EVP_sha256();
	uint8_t made[CVTPM_SIGNATURE_MAX_SIZE];
	size_t len = sizeof(made);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int result = CVTPM_ERR_CRYPTO;

	if (md && EVP_DigestSignInit(md, NULL, hash, NULL, ca->key) == 1 &&
	    EVP_DigestSign(md, made, &len, tbs, tbs_len) == 1)
		result = len <= *signature_len ? 0 : CVTPM_ERR_SIZE;
	EVP_MD_CTX_free(md);
	ERR_clear_error();
	if (result)
		return result;
	memcpy(signature, made, len);
	*signature_len = len;
	return 0;
}

/* ---- opening ---- */

static int read_measurement(struct cvtpm_allowed_measurement *m, const json_t *entry)
{
	const char *isolation = json_string_value(json_object_get(entry, "isolation"));
	const char *digest = json_string_value(json_object_get(entry, "digest"));

	if (json_object_size(entry) != 2 || !isolation)
		return CVTPM_ERR_FORMAT;
	if (!strcmp(isolation, "svsm"))
		m->isolation = CVTPM_ISOLATION_SVSM;
	else if (!strcmp(isolation, "process"))
		m->isolation = CVTPM_ISOLATION_PROCESS;
	else
		return CVTPM_ERR_FORMAT;
	return digest && cvtpm_parse_measurement(digest, m->digest) ? 0 : CVTPM_ERR_FORMAT;
}

/* Exactly the three members of ca.h: a misspelt one must not be overlooked. */
static int read_policy(struct cvtpm_ca *ca, const json_t *root)
{
	const json_t *list = json_object_get(root, "measurements");
	const json_t *vmpl = json_object_get(root, "vmpl");
	const json_t *debug = json_object_get(root, "allow_debug");

	if (json_object_size(root) != 3 || !json_is_array(list) || !json_is_integer(vmpl) ||
	    !json_is_boolean(debug) || json_integer_value(vmpl) < 0 ||
	    json_integer_value(vmpl) > 3 || json_array_size(list) < 1 ||
	    json_array_size(list) > MEASUREMENTS_MAX)
		return CVTPM_ERR_FORMAT;
	for (size_t i = 0; i < json_array_size(list); i++)
		CVTPM_TRY(read_measurement(&ca->measurements[i], json_array_get(list, i)));
	ca->policy = (struct cvtpm_policy){.measurements = ca->measurements,
					   .measurement_count = json_array_size(list),
					   .vmpl = (uint32_t)json_integer_value(vmpl),
					   .allow_debug = json_is_true(debug)};
	return 0;
}

static int open_policy(struct cvtpm_ca *ca, int dir)
{
	json_error_t error;
	uint8_t *data;
	size_t len;
	json_t *root;
	int result = ca_read_file(dir, "policy.json", &data, &len);

	if (result)
		return result;
	root = json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, &error);
	free(data);
	result = root ? read_policy(ca, root) : CVTPM_ERR_FORMAT;
	if (!root)
		ca_log(&ca->log, CVTPM_LOG_ERROR, "policy.json, line %d: %s", error.line,
		       error.text);
	else if (result)
		ca_log(&ca->log, CVTPM_LOG_ERROR,
		       "policy.json has not exactly measurements (each with digest and isolation "
		       "svsm or process), vmpl and allow_debug");
	json_decref(root);
	return result;
}

static int open_optional(int dir, const char *name, uint8_t **data, struct cvtpm_bytes *bytes)
{
	size_t len;
	int result = ca_read_file(dir, name, data, &len);

	if (result == CVTPM_ERR_NOT_FOUND)
		return 0;
	if (!result)
		*bytes = (struct cvtpm_bytes){*data, len, name};
	return result;
}

static int open_key(struct cvtpm_ca *ca, int dir)
{
	struct stat st;
	uint8_t *data;
	size_t len;
	BIO *bio;
	int result;

	if (!fstatat(dir, "ca.key", &st, AT_SYMLINK_NOFOLLOW) && (st.st_mode & 077)) {
		ca_log(&ca->log, CVTPM_LOG_ERROR, "others may read ca.key: chmod 600 it");
		return CVTPM_ERR_POLICY;
	}
	result = ca_read_file(dir, "ca.key", &data, &len);
	if (result)
		return result;
	bio = BIO_new_mem_buf(data, (int)len);
	/* An empty pass phrase: never ask on a terminal. */
	ca->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "") : NULL;
	BIO_free(bio);
	OPENSSL_cleanse(data, len);
	free(data);
	if (!ca->key) {
		ca_log(&ca->log, CVTPM_LOG_ERROR,
		       "ca.key is no private key in PEM without a pass phrase");
		return CVTPM_ERR_FORMAT;
	}
	return ca_check_key(ca->key, &ca->log, &ca->issuer.curve);
}

static int open_certificate(struct cvtpm_ca *ca, int dir)
{
	const ASN1_OCTET_STRING *key_id;
	struct cert_list list = {0};
	const char *why = "it is not one certificate";
	uint8_t *data;
	size_t len;
	int der_len, name_len, result = ca_read_file(dir, "ca.pem", &data, &len);

	if (result)
		return result;
	result = certs_add(&list, &(struct cvtpm_bytes){data, len, "ca.pem"}, &why);
	free(data);
	if (result || list.count != 1) {
		ca_log(&ca->log, CVTPM_LOG_ERROR, "ca.pem: %s", why);
		certs_free(&list);
		return CVTPM_ERR_FORMAT;
	}
	ca->cert = list.certs[0];
	key_id = X509_get0_subject_key_id(ca->cert);
	if (!key_id || X509_check_ca(ca->cert) != 1 ||
	    X509_check_private_key(ca->cert, ca->key) != 1) {
		ca_log(&ca->log, CVTPM_LOG_ERROR,
		       "ca.pem is not the CA certificate of ca.key, or has no key identifier");
		return CVTPM_ERR_FORMAT;
	}
	der_len = i2d_X509(ca->cert, &ca->der);
	name_len = i2d_X509_NAME(X509_get_subject_name(ca->cert), &ca->name);
	if (der_len <= 0 || name_len <= 0)
		return CVTPM_ERR_NO_MEMORY;
	ca->issuer.context = ca;
	ca->issuer.name = ca->name;
	ca->issuer.name_len = (size_t)name_len;
	ca->issuer.key_id = ASN1_STRING_get0_data(key_id);
	ca->issuer.key_id_len = (size_t)ASN1_STRING_length(key_id);
	ca->issuer.certificate = ca->der;
	ca->issuer.certificate_len = (size_t)der_len;
	ca->issuer.approve = approve;
	ca->issuer.sign = sign;
	return 0;
}

static int open_files(struct cvtpm_ca *ca, int dir)
{
	struct stat st;

	if (fstat(dir, &st))
		return CVTPM_ERR_IO;
	if (st.st_mode & 077) {
		ca_log(&ca->log, CVTPM_LOG_ERROR, "others may enter the CA's folder: chmod 700 it");
		return CVTPM_ERR_POLICY;
	}
	CVTPM_TRY(open_key(ca, dir));
	CVTPM_TRY(open_certificate(ca, dir));
	CVTPM_TRY(open_policy(ca, dir));
	CVTPM_TRY(open_optional(dir, "certs.pem", &ca->certs_data, &ca->certs));
	CVTPM_TRY(open_optional(dir, "lab-root.pem", &ca->lab_root_data, &ca->lab_root));
	ca->policy.lab_roots = &ca->lab_root;
	ca->policy.lab_root_count = ca->lab_root.data ? 1 : 0;
	return 0;
}

int cvtpm_ca_open(const char *path, const struct cvtpm_ca_log *log, struct cvtpm_ca **out)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;
	struct cvtpm_ca *ca;

	*out = NULL;
	if (dir < 0 || !(ca = calloc(1, sizeof(*ca)))) {
		result = dir >= 0          ? CVTPM_ERR_NO_MEMORY
			 : errno == ENOENT ? CVTPM_ERR_NOT_FOUND
					   : CVTPM_ERR_IO;
		ca_log(log, CVTPM_LOG_ERROR,
		       "cannot open the CA in %s: %s; make one with `cvtpm ca init`", path,
		       strerror(errno));
		if (dir >= 0)
			close(dir);
		return result;
	}
	if (log)
		ca->log = *log;
	result = open_files(ca, dir);
	if (result == CVTPM_ERR_NOT_FOUND)
		ca_log(log, CVTPM_LOG_ERROR, "there is no CA in %s: make one with `cvtpm ca init`",
		       path);
	else if (result == CVTPM_ERR_IO)
		ca_log(log, CVTPM_LOG_ERROR, "cannot read the CA in %s: %s", path, strerror(errno));
	close(dir);
	ERR_clear_error();
	if (result) {
		cvtpm_ca_close(ca);
		return result;
	}
	*out = ca;
	return 0;
}

const struct cvtpm_issuer *cvtpm_ca_issuer(const struct cvtpm_ca *ca)
{
	return &ca->issuer;
}

const struct cvtpm_policy *cvtpm_ca_policy(const struct cvtpm_ca *ca)
{
	return &ca->policy;
}

void cvtpm_ca_close(struct cvtpm_ca *ca)
{
	if (!ca)
		return;
	EVP_PKEY_free(ca->key); /* OpenSSL wipes it */
	X509_free(ca->cert);
	OPENSSL_free(ca->der);
	OPENSSL_free(ca->name);
	free(ca->certs_data);
	free(ca->lab_root_data);
	free(ca);
}
