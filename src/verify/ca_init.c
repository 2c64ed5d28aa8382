/* Making a local CA. */
#include "cvtpm/err.h"
#include "verify/ca.h"
#include "verify/certs.h"
#include "verify/checks.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALID_DAYS 3650

static int make_key(const struct cvtpm_ca_init *init, const struct cvtpm_ca_log *log,
		    EVP_PKEY **key)
{
	uint16_t curve;
	BIO *bio;

	if (!init->key.data) {
		*key = EVP_EC_gen(init->p256 ? "P-256" : "P-384");
		return *key ? 0 : CVTPM_ERR_CRYPTO;
	}
	bio = BIO_new_mem_buf(init->key.data, (int)init->key.len);
	*key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "") : NULL;
	BIO_free(bio);
	if (!*key) {
		ca_log(log, CVTPM_LOG_ERROR, "%s is no private key in PEM without a pass phrase",
		       init->key.name ? init->key.name : "the key");
		return CVTPM_ERR_FORMAT;
	}
	return ca_check_key(*key, log, &curve);
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;
	bool good;

	X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	good = extension && X509_add_ext(cert, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return good;
}

static bool set_serial(X509 *cert)
{
	uint8_t bytes[16];
	BIGNUM *number;
	bool good;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] = (bytes[0] & 0x7F) | 0x40; /* positive and of full length */
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	return good;
}

static X509 *make_certificate(EVP_PKEY *key, const char *cn)
{
	X509 *cert = X509_new();
	X509_NAME *name = cert ? X509_get_subject_name(cert) : NULL;
	const EVP_MD *hash = EVP_PKEY_get_bits(key) == 384 ? EVP_sha384() : EVP_sha256();

	if (cert && X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
	    X509_time_adj_ex(X509_getm_notAfter(cert), VALID_DAYS, 0, NULL) &&
	    X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_UTF8,
				       (const unsigned char *)"cvtpm", -1, -1, 0) == 1 &&
	    X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
				       (const unsigned char *)cn, -1, -1, 0) == 1 &&
	    X509_set_issuer_name(cert, name) == 1 && X509_set_pubkey(cert, key) == 1 &&
	    add_extension(cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    add_extension(cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	    add_extension(cert, NID_subject_key_identifier, "hash") &&
	    X509_sign(cert, key, hash) > 0)
		return cert;
	X509_free(cert);
	return NULL;
}

static json_t *policy_json(const struct cvtpm_policy *policy)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < policy->measurement_count; i++) {
		const struct cvtpm_allowed_measurement *m = &policy->measurements[i];
		char hex[2 * SNP_MEASUREMENT_SIZE + 1];

		hex_text(hex, m->digest, SNP_MEASUREMENT_SIZE);
		json_array_append_new(
			list,
			json_pack("{ss ss}", "digest", hex, "isolation",
				  m->isolation == CVTPM_ISOLATION_PROCESS ? "process" : "svsm"));
	}
	return json_pack("{so si sb}", "measurements", list, "vmpl", (int)policy->vmpl,
			 "allow_debug", policy->allow_debug);
}

/* ---- files ---- */

/* Under a name of its own first, so that no file is ever half there. */
static int write_file(int dir, const char *name, const void *data, size_t len)
{
	char temporary[64];
	ssize_t written;
	int fd;

	snprintf(temporary, sizeof(temporary), "%s.new", name);
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return CVTPM_ERR_IO;
	written = write(fd, data, len);
	if (fsync(fd) || close(fd) || written != (ssize_t)len ||
	    renameat(dir, temporary, dir, name) || fsync(dir))
		return CVTPM_ERR_IO;
	return 0;
}

static int write_bio(int dir, const char *name, BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);

	return len > 0 ? write_file(dir, name, data, (size_t)len) : CVTPM_ERR_CRYPTO;
}

static int write_optional(int dir, const char *name, const struct cvtpm_bytes *bytes)
{
	if (bytes->data)
		return write_file(dir, name, bytes->data, bytes->len);
	return unlinkat(dir, name, 0) && errno != ENOENT ? CVTPM_ERR_IO : 0;
}

static int write_policy(int dir, const struct cvtpm_policy *policy)
{
	json_t *root = policy_json(policy);
	char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;
	int result =
		text ? write_file(dir, "policy.json", text, strlen(text)) : CVTPM_ERR_NO_MEMORY;

	free(text);
	json_decref(root);
	return result;
}

static int write_all(int dir, const struct cvtpm_ca_init *init, EVP_PKEY *key, X509 *cert)
{
	BIO *cert_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_secmem());
	int result = CVTPM_ERR_NO_MEMORY;

	if (cert_pem && key_pem && PEM_write_bio_X509(cert_pem, cert) == 1 &&
	    PEM_write_bio_PKCS8PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) == 1) {
		result = write_policy(dir, init->policy);
		if (!result)
			result = write_optional(dir, "certs.pem", &init->certs);
		if (!result)
			result = write_optional(dir, "lab-root.pem", &init->lab_root);
		if (!result)
			result = write_bio(dir, "ca.pem", cert_pem);
		if (!result)
			result = write_bio(dir, "ca.key", key_pem);
	}
	BIO_free(cert_pem);
	BIO_free(key_pem);
	return result;
}

static int check_certificates(const struct cvtpm_bytes *bytes, size_t most,
			      const struct cvtpm_ca_log *log)
{
	struct cert_list list = {0};
	const char *why = "more than one certificate";
	int result = bytes->data ? certs_add(&list, bytes, &why) : 0;

	if (!result && list.count > most)
		result = CVTPM_ERR_FORMAT;
	if (result)
		ca_log(log, CVTPM_LOG_ERROR, "%s: %s", bytes->name ? bytes->name : "certificates",
		       why);
	certs_free(&list);
	return result;
}

static int open_dir(const char *path, const struct cvtpm_ca_log *log)
{
	struct stat st;
	int dir;

	if (mkdir(path, 0700) && errno != EEXIST) {
		ca_log(log, CVTPM_LOG_ERROR, "cannot make %s: %s", path, strerror(errno));
		return CVTPM_ERR_IO;
	}
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		ca_log(log, CVTPM_LOG_ERROR, "cannot open %s: %s", path, strerror(errno));
		return CVTPM_ERR_IO;
	}
	if (!faccessat(dir, "ca.key", F_OK, AT_SYMLINK_NOFOLLOW)) {
		ca_log(log, CVTPM_LOG_ERROR, "there is a CA in %s already", path);
		close(dir);
		return CVTPM_ERR_STATE;
	}
	/* A folder that was there is not ours to close: it may be /tmp. */
	if (fstat(dir, &st) || (st.st_mode & 077)) {
		ca_log(log, CVTPM_LOG_ERROR,
		       "others may enter %s: name a new folder, or chmod 700 this one", path);
		close(dir);
		return CVTPM_ERR_POLICY;
	}
	return dir;
}

int cvtpm_ca_init(const char *path, const struct cvtpm_ca_init *init,
		  const struct cvtpm_ca_log *log)
{
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	int dir, result;

	if (!init->policy || !init->policy->measurement_count) {
		ca_log(log, CVTPM_LOG_ERROR,
		       "a CA needs a measurement to sign for (--measurement)");
		return CVTPM_ERR_PARAM;
	}
	CVTPM_TRY(check_certificates(&init->certs, CERTS_MAX, log));
	CVTPM_TRY(check_certificates(&init->lab_root, 1, log));
	result = make_key(init, log, &key);
	if (!result) {
		dir = open_dir(path, log);
		result = dir < 0 ? dir : 0;
	}
	if (!result) {
		cert = make_certificate(key, init->name ? init->name : "cvtpm local CA");
		result = cert ? write_all(dir, init, key, cert) : CVTPM_ERR_CRYPTO;
		if (result == CVTPM_ERR_IO)
			ca_log(log, CVTPM_LOG_ERROR, "cannot write into %s: %s", path,
			       strerror(errno));
		else if (result)
			ca_log(log, CVTPM_LOG_ERROR, "cannot make the CA's key and certificate%s",
			       init->name ? " (a name has 1 to 64 characters)" : "");
		close(dir);
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return result;
}
