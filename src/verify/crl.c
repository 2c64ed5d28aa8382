/* Revocation: AMD's lists name ASKs and ASVKs, never single VCEKs (AMD 57230). */
#include "verify/chain.h"
#include "verify/checks.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

static X509_CRL *crl_read(const struct cvtpm_bytes *bytes)
{
	const unsigned char *p = bytes->data;
	X509_CRL *crl;
	BIO *bio;

	if (!bytes->len || bytes->len > (1u << 20))
		return NULL;
	if (*p == 0x30) {
		crl = d2i_X509_CRL(NULL, &p, (long)bytes->len);
		if (crl && p != bytes->data + bytes->len) {
			X509_CRL_free(crl);
			return NULL;
		}
		return crl;
	}
	bio = BIO_new_mem_buf(bytes->data, (int)bytes->len);
	crl = bio ? PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	return crl;
}

/* A critical extension narrows a list down (delta, indirect, partitioned). */
static bool has_critical(const X509_CRL *crl)
{
	for (int i = 0; i < X509_CRL_get_ext_count(crl); i++)
		if (X509_EXTENSION_get_critical(X509_CRL_get_ext(crl, i)))
			return true;
	return false;
}

static bool in_date(const X509_CRL *crl, int64_t at)
{
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
	time_t when = (time_t)at;

	return next && X509_cmp_time(X509_CRL_get0_lastUpdate(crl), &when) < 0 &&
	       X509_cmp_time(next, &when) > 0;
}

static bool is_revoked(X509_CRL *crl, X509 *cert)
{
	X509_REVOKED *entry;

	return X509_CRL_get0_by_cert(crl, &entry, cert) != 0;
}

/* The worst counts, but a good list beside one that is too old is a good list. */
enum crl_use { CRL_OTHER, CRL_STALE, CRL_PARTIAL, CRL_GOOD, CRL_DAMAGED, CRL_FORGED, CRL_REVOKED };

static enum crl_use crl_judge(const struct cvtpm_bytes *bytes, const struct chain *chain,
			      int64_t at)
{
	X509_CRL *crl = crl_read(bytes);
	const X509_ALGOR *alg = NULL;
	enum crl_use use = CRL_GOOD;

	if (!crl)
		return CRL_DAMAGED;
	X509_CRL_get0_signature(crl, NULL, &alg);
	if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(chain->root)))
		use = CRL_OTHER;
	else if (!is_amd_pss(alg) || X509_CRL_verify(crl, X509_get0_pubkey(chain->root)) != 1)
		use = CRL_FORGED;
	else if (is_revoked(crl, chain->ca) || is_revoked(crl, chain->root))
		use = CRL_REVOKED;
	else if (!in_date(crl, at))
		use = CRL_STALE;
	else if (has_critical(crl))
		use = CRL_PARTIAL;
	X509_CRL_free(crl);
	return use;
}

static enum crl_use judge_all(const struct cvtpm_bytes *crls, size_t count,
			      const struct chain *chain, int64_t at)
{
	enum crl_use use = CRL_OTHER;

	for (size_t i = 0; i < count && chain->root; i++) {
		enum crl_use one = crl_judge(&crls[i], chain, at);

		if (one > use)
			use = one;
	}
	return use;
}

static void say_no_list(const struct crl_lists *crls, const char *about,
			struct cvtpm_verification *v)
{
	struct cvtpm_check *c =
		check_add(v, about, "revocation", "revocation",
			  crls->require ? CVTPM_CHECK_UNKNOWN : CVTPM_CHECK_NOT_CHECKED,
			  "AMD may have withdrawn the CA");

	check_expected(c, "not revoked%s",
		       crls->require ? ", by a list, which the policy requires" : "");
	check_found(c, "not checked: no list was given (--crl)");
}

void chain_check_revocation(const struct chain *chain, const struct crl_lists *crls, int64_t at,
			    const char *about, struct cvtpm_verification *v)
{
	static const struct {
		enum cvtpm_check_verdict verdict;
		const char *text;
	} says[] = {
		[CRL_OTHER] = {CVTPM_CHECK_UNKNOWN, "no list of this chain's root"},
		[CRL_STALE] = {CVTPM_CHECK_UNKNOWN, "a list that is not in date"},
		[CRL_PARTIAL] = {CVTPM_CHECK_UNKNOWN, "a list that does not cover everything"},
		[CRL_GOOD] = {CVTPM_CHECK_OK, "not revoked"},
		[CRL_DAMAGED] = {CVTPM_CHECK_REFUSED, "a list that is damaged, or none"},
		[CRL_FORGED] = {CVTPM_CHECK_REFUSED, "a list that the root did not sign"},
		[CRL_REVOKED] = {CVTPM_CHECK_REFUSED, "revoked by the root"},
	};
	enum crl_use chosen = judge_all(crls->chosen, crls->chosen_count, chain, at);
	enum crl_use brought = judge_all(crls->brought, crls->brought_count, chain, at);
	enum crl_use use = brought > chosen ? brought : chosen;
	bool wanted = crls->chosen_count || crls->require;
	enum cvtpm_check_verdict verdict = says[use].verdict;
	struct cvtpm_check *c;

	ERR_clear_error();
	if (!crls->chosen_count && !crls->brought_count) {
		say_no_list(crls, about, v);
		return;
	}
	if (verdict == CVTPM_CHECK_UNKNOWN && !wanted)
		verdict = CVTPM_CHECK_NOT_CHECKED;
	c = check_add(v, about, "revocation", "revocation", verdict,
		      "AMD may have withdrawn the CA");
	check_expected(c, "%s not revoked", chain->vlek ? "ASVK" : "ASK");
	check_found(c, "%s%s%s", verdict == CVTPM_CHECK_NOT_CHECKED ? "not checked: " : "",
		    says[use].text,
		    brought > chosen ? " (of a certificate table, which the host chooses)" : "");
}
