/* The rules of a policy for the EK and its certificate. */
#include "verify/checks.h"
#include "verify/policy_names.h"
#include "verify/rules.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static void check_algorithm(const struct ek_evidence *ek, const struct cvtpm_policy *policy,
			    struct cvtpm_verification *v)
{
	const struct ek_public *public = ek->has_public        ? &ek->public
					 : ek->has_cert_public ? &ek->cert_public
							       : NULL;
	char expected[POLICY_WORDS_SIZE] = "";
	struct cvtpm_check *c;

	if (!policy->ek_algorithms)
		return;
	c = check_add(v, "EK", "ek-algorithm", "algorithm of the EK",
		      !public                                              ? CVTPM_CHECK_UNKNOWN
		      : policy->ek_algorithms & (unsigned)public->ek->kind ? CVTPM_CHECK_OK
									   : CVTPM_CHECK_REFUSED,
		      "the policy's choice of keys");
	for (const struct policy_word *w = policy_ek_algorithms; w->word; w++)
		if (policy->ek_algorithms & w->value)
			snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
				 "%s%s", *expected ? ", " : "", w->word);
	check_expected(c, "%s", expected);
	check_found(c, "%s", public ? public->ek->option : "no EK of a listed template");
}

/* ---- the issuer ---- */

/* What a certificate is to the EK certificate, from nothing upwards. */
enum issued { ISSUED_NOT, ISSUED_FORGED, ISSUED_BY_NO_CA, ISSUED_OUT_OF_DATE, ISSUED_GOOD };

static enum issued judge_issuer(X509 *issuer, X509 *cert, int64_t at)
{
	EVP_PKEY *key = X509_get0_pubkey(issuer);

	if (X509_NAME_cmp(X509_get_subject_name(issuer), X509_get_issuer_name(cert)))
		return ISSUED_NOT;
	if (!key || X509_verify(cert, key) != 1)
		return ISSUED_FORGED;
	/* 1: an X.509 version 3 CA with basicConstraints and a fitting key usage. */
	if (X509_check_ca(issuer) != 1 ||
	    (X509_get_key_usage(issuer) & KU_KEY_CERT_SIGN) != KU_KEY_CERT_SIGN)
		return ISSUED_BY_NO_CA;
	return cert_in_date(issuer, at) ? ISSUED_GOOD : ISSUED_OUT_OF_DATE;
}

static bool has_fingerprint(const X509 *cert, const uint8_t fingerprint[32])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	return X509_digest(cert, EVP_sha256(), digest, &len) == 1 && len == 32 &&
	       !memcmp(digest, fingerprint, 32);
}

struct issuers {
	enum issued best;
	bool missing;     /* one that the policy names is not at hand */
	bool other_signs; /* and one that it does not name is the issuer */
};

static void judge_named(struct issuers *found, const struct cert_list *certs,
			const struct cvtpm_ek_issuer *named, X509 *cert, int64_t at)
{
	bool there = false;

	for (size_t i = 0; i < certs->count; i++) {
		enum issued one;

		if (!has_fingerprint(certs->certs[i], named->fingerprint))
			continue;
		there = true;
		one = judge_issuer(certs->certs[i], cert, at);
		if (one > found->best)
			found->best = one;
	}
	found->missing |= !there;
}

static bool is_named(const struct cvtpm_policy *policy, const X509 *cert)
{
	for (size_t i = 0; i < policy->ek_issuer_count; i++)
		if (has_fingerprint(cert, policy->ek_issuers[i].fingerprint))
			return true;
	return false;
}

static struct issuers judge_issuers(const struct ek_evidence *ek, const struct cert_list *certs,
				    const struct cvtpm_policy *policy, int64_t at)
{
	struct issuers found = {.best = ISSUED_NOT};

	for (size_t i = 0; i < policy->ek_issuer_count; i++) {
		const struct cvtpm_ek_issuer *named = &policy->ek_issuers[i];
		struct cert_list own = {.count = 0};
		const char *why;

		if (!named->certificate.data) {
			judge_named(&found, certs, named, ek->cert, at);
			continue;
		}
		(void)certs_add(&own, &named->certificate, &why);
		judge_named(&found, &own, named, ek->cert, at);
		certs_free(&own);
	}
	for (size_t i = 0; i < certs->count; i++)
		found.other_signs |= judge_issuer(certs->certs[i], ek->cert, at) > ISSUED_FORGED &&
				     !is_named(policy, certs->certs[i]);
	return found;
}

static void check_issuer(const struct ek_evidence *ek, const struct cert_list *certs,
			 const struct cvtpm_policy *policy, int64_t at,
			 struct cvtpm_verification *v)
{
	static const char *const says[] = {
		[ISSUED_NOT] = "signed by somebody else",
		[ISSUED_FORGED] = "names an allowed issuer, which did not sign it",
		[ISSUED_BY_NO_CA] = "signed by an allowed certificate that is no CA's",
		[ISSUED_OUT_OF_DATE] =
			"signed by an allowed issuer that is expired or not yet valid",
		[ISSUED_GOOD] = "signed by an allowed issuer",
	};
	struct issuers found = {.best = ISSUED_NOT};
	char name[NAME_TEXT_SIZE] = "";
	struct cvtpm_check *c;
	bool unknown;

	if (!policy->ek_issuer_count)
		return;
	if (ek->cert) {
		found = judge_issuers(ek, certs, policy, at);
		name_text(name, X509_get_issuer_name(ek->cert));
	}
	/* One who is known by a fingerprint alone may be the issuer. */
	unknown = !ek->cert || (found.best == ISSUED_NOT && found.missing && !found.other_signs);
	c = check_add(v, "EK certificate", "ek-issuer", "issuer allowed",
		      found.best == ISSUED_GOOD ? CVTPM_CHECK_OK
		      : unknown                 ? CVTPM_CHECK_UNKNOWN
						: CVTPM_CHECK_REFUSED,
		      "the policy wants the EK certified, too");
	check_expected(c, "signed by one of %zu that the policy names", policy->ek_issuer_count);
	if (!ek->cert)
		check_found(c, "no EK certificate");
	else if (unknown)
		check_found(c,
			    "issued by %s; no certificate with an allowed fingerprint was given "
			    "(--certs)",
			    name);
	else
		check_found(c, "%s: %s", name, says[found.best]);
	ERR_clear_error();
}

void rules_check_ek(const struct ek_evidence *ek, const struct cert_list *certs,
		    const struct cvtpm_policy *policy, int64_t at, struct cvtpm_verification *v)
{
	check_algorithm(ek, policy, v);
	check_issuer(ek, certs, policy, at, v);
}
