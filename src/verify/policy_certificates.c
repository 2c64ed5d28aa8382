/*
 * The certificates that a policy names: files with roots of a lab, and the issuers
 * of an EK's certificate.
 */
#include "cvtpm/err.h"
#include "cvtpm/policy.h"
#include "verify/certs.h"
#include "verify/policy_members.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define FILES_MAX     32
#define FILE_MAX_SIZE 65536

/* ---- files ---- */

static uint8_t *read_file(struct policy_reader *r, const char *path, size_t *len)
{
	char full[4096];
	uint8_t *bytes;
	FILE *file;

	if (!r->dir) {
		policy_fail(r, "a file cannot be named here");
		return NULL;
	}
	if (snprintf(full, sizeof(full), "%s%s%s", *path == '/' ? "" : r->dir,
		     *path == '/' ? "" : "/", path) >= (int)sizeof(full)) {
		policy_fail(r, "too long a path");
		return NULL;
	}
	bytes = policy_alloc(r, 1, FILE_MAX_SIZE + 1);
	file = bytes ? fopen(full, "rbe") : NULL;
	if (!file) {
		if (bytes)
			policy_fail(r, "cannot open %.200s: %s", full, strerror(errno));
		return NULL;
	}
	*len = fread(bytes, 1, FILE_MAX_SIZE + 1, file);
	if (ferror(file)) {
		policy_fail(r, "cannot read %.200s: %s", full, strerror(errno));
		bytes = NULL;
	}
	(void)fclose(file);
	return bytes;
}

/* A file with exactly one certificate, and its fingerprint. */
static int read_certificate_file(struct policy_reader *r, const json_t *value,
				 struct cvtpm_bytes *out, uint8_t fingerprint[32])
{
	const char *path = policy_read_string(r, value, 1024), *why = "not one certificate";
	struct cert_list certs = {.count = 0};
	unsigned len = 0;
	bool one;

	if (!path)
		return CVTPM_ERR_FORMAT;
	out->data = read_file(r, path, &out->len);
	if (!out->data)
		return CVTPM_ERR_IO;
	out->name = policy_copy(r, path);
	if (!out->name)
		return CVTPM_ERR_NO_MEMORY;
	one = out->len <= FILE_MAX_SIZE && !certs_add(&certs, out, &why) && certs.count == 1;
	one = one && X509_digest(certs.certs[0], EVP_sha256(), fingerprint, &len) == 1;
	certs_free(&certs);
	ERR_clear_error();
	return one ? 0 : policy_fail(r, "%.200s is not one certificate, PEM or DER", path);
}

static int read_lab_root(struct policy_reader *r, const json_t *value,
			 const struct policy_items *before, void *item)
{
	uint8_t fingerprint[32];

	(void)before;
	return read_certificate_file(r, value, item, fingerprint);
}

int policy_read_lab_roots(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_policy *policy = to;
	struct policy_items items;

	(void)detail;
	CVTPM_TRY(policy_read_items(r, value, FILES_MAX, sizeof(struct cvtpm_bytes), read_lab_root,
				    &items));
	policy->lab_roots = items.first;
	policy->lab_root_count = items.count;
	return 0;
}

/* ---- the EK ---- */

static int read_ek_algorithms(struct policy_reader *r, const json_t *value, void *to,
			      uint64_t detail)
{
	(void)detail;
	return policy_read_word_set(r, value, policy_ek_algorithms, to);
}

static int read_issuer_fingerprint(struct policy_reader *r, const json_t *value, void *to,
				   uint64_t detail)
{
	struct cvtpm_ek_issuer *issuer = to;

	(void)detail;
	return policy_read_hex(r, value, issuer->fingerprint, 32);
}

static int read_issuer_file(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_ek_issuer *issuer = to;

	(void)detail;
	return read_certificate_file(r, value, &issuer->certificate, issuer->fingerprint);
}

static const struct policy_member issuer_members[] = {
	{"fingerprint", read_issuer_fingerprint, 0, 0},
	{"file", read_issuer_file, 0, 0},
	{0},
};

static int read_issuer(struct policy_reader *r, const json_t *value,
		       const struct policy_items *before, void *item)
{
	(void)before;
	CVTPM_TRY(policy_read_object(r, value, issuer_members, item));
	if (!json_object_get(value, "file") == !json_object_get(value, "fingerprint"))
		return policy_fail(r, "must have either \"file\" or \"fingerprint\"");
	return 0;
}

static int read_issuers(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	struct cvtpm_policy *policy = to;
	struct policy_items items;

	(void)detail;
	CVTPM_TRY(policy_read_items(r, value, FILES_MAX, sizeof(struct cvtpm_ek_issuer),
				    read_issuer, &items));
	policy->ek_issuers = items.first;
	policy->ek_issuer_count = items.count;
	return 0;
}

static const struct policy_member ek_members[] = {
	{"certificate_report", policy_read_required, offsetof(struct cvtpm_policy, require_ek_cert),
	 0},
	{"algorithms", read_ek_algorithms, offsetof(struct cvtpm_policy, ek_algorithms), 0},
	{"issuers", read_issuers, 0, 0},
	{0},
};

int policy_read_ek(struct policy_reader *r, const json_t *value, void *to, uint64_t detail)
{
	(void)detail;
	return policy_read_object(r, value, ek_members, to);
}
