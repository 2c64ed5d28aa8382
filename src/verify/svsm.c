#include "verify/svsm.h"

#include "verify/checks.h"

#include <openssl/evp.h>
#include <string.h>

static const char about_manifest[] = "SVSM manifest";

/* Exactly a TPMT_PUBLIC: what was hashed with the nonce has no size field. */
static bool read_manifest(struct ek_public *out, const struct cvtpm_bytes *manifest)
{
	size_t len = manifest->len;

	if (len == 0 || len + 2 > sizeof(out->bytes))
		return false;
	out->bytes[0] = (uint8_t)(len >> 8);
	out->bytes[1] = (uint8_t)len;
	memcpy(out->bytes + 2, manifest->data, len);
	out->len = len + 2;
	out->ek = cvtpm_ek_template_match(out->bytes, out->len);
	return out->ek != NULL;
}

static bool same(const struct ek_public *a, const struct ek_public *b)
{
	return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

static bool check_same_ek(const struct ek_evidence *ek, const struct ek_public *manifest,
			  struct cvtpm_verification *v)
{
	bool good = (!ek->has_public || same(&ek->public, manifest)) &&
		    (!ek->has_cert_public || same(&ek->cert_public, manifest));

	if (ek->has_public || ek->has_cert_public)
		check_simple(v, about_manifest, "svsm-ek", "EK in the manifest", good,
			     "the EK that was given", good ? "the same" : "another key",
			     "the manifest vouches for no other key");
	return good;
}

bool svsm_open(struct ek_evidence *ek, const struct cvtpm_bytes *manifest,
	       struct cvtpm_verification *v)
{
	struct ek_public public;
	struct cvtpm_check *c;
	bool good;

	if (!manifest->data)
		return true;
	good = read_manifest(&public, manifest);
	c = check_add(v, about_manifest, "svsm-manifest", "vTPM manifest, version 0",
		      good ? CVTPM_CHECK_OK : CVTPM_CHECK_REFUSED,
		      "bytes chosen freely must not pass for an EK");
	check_expected(c, "a TPMT_PUBLIC of a listed EK template, without a size");
	if (!good) {
		check_found(c, "%zu bytes that are not", manifest->len);
		return false;
	}
	check_found(c, "template %s, %s", public.ek->id, public.ek->name);
	if (!check_same_ek(ek, &public, v))
		return false;
	if (!ek->has_public) {
		ek->public = public;
		ek->has_public = true;
	}
	return true;
}

bool svsm_is_bound(const struct cvtpm_bytes *nonce, const struct cvtpm_bytes *manifest,
		   const uint8_t report_data[SNP_REPORT_DATA_SIZE])
{
	uint8_t bytes[SVSM_NONCE_SIZE + CVTPM_EK_PUBLIC_MAX_SIZE], digest[SNP_REPORT_DATA_SIZE];

	if (!nonce->data || nonce->len != SVSM_NONCE_SIZE || !manifest->data ||
	    manifest->len > CVTPM_EK_PUBLIC_MAX_SIZE)
		return false;
	memcpy(bytes, nonce->data, SVSM_NONCE_SIZE);
	memcpy(bytes + SVSM_NONCE_SIZE, manifest->data, manifest->len);
	return EVP_Digest(bytes, SVSM_NONCE_SIZE + manifest->len, digest, NULL, EVP_sha512(),
			  NULL) == 1 &&
	       !memcmp(digest, report_data, sizeof(digest));
}

void svsm_check_binding(const char *about, bool bound, const struct cvtpm_bytes *nonce,
			struct cvtpm_verification *v)
{
	struct cvtpm_check *c =
		check_add(v, about, "binding", "binding",
			  bound          ? CVTPM_CHECK_OK
			  : !nonce->data ? CVTPM_CHECK_UNKNOWN
					 : CVTPM_CHECK_REFUSED,
			  "this proves the key, and that the report was made for this nonce");

	check_expected(c, "svsm: SHA-512 of nonce and manifest");
	check_found(c, "%s",
		    bound         ? "svsm: SHA-512 of nonce and manifest"
		    : nonce->data ? "another nonce or another manifest"
				  : "no nonce was given (--svsm-nonce)");
}
