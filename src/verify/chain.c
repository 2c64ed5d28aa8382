/* Finding and judging the chain of a report. */
#include "verify/chain.h"
#include "crypto/crypto.h"
#include "cvtpm/err.h"
#include "verify/cache.h"
#include "verify/checks.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>

/* ---- roots ---- */

int roots_open(struct root_list *roots, const struct cvtpm_policy *policy)
{
	*roots = (struct root_list){0};
	for (size_t i = 0; i < policy->lab_root_count; i++) {
		struct cert_list one = {0};
		const char *why;
		int result = certs_add(&one, &policy->lab_roots[i], &why);

		if (!result && one.count == 1)
			result = certs_add(&roots->certs, &policy->lab_roots[i], &why);
		else
			result = CVTPM_ERR_PARAM;
		certs_free(&one);
		if (result)
			return CVTPM_ERR_PARAM;
	}
	return 0;
}

/* Adds AMD's root of this name. Only the one that a chain leads to is decoded:
 * decoding a key costs more than verifying with it. */
static void roots_add_amd(struct root_list *roots, const X509_NAME *name)
{
	const char *why;

	for (size_t i = 0; i < AMD_ROOT_COUNT; i++) {
		const struct cvtpm_bytes der = {amd_roots[i].der, amd_roots[i].der_len, NULL};

		if (name_has_cn(name, amd_roots[i].cn))
			certs_add(&roots->certs, &der, &why);
	}
}

void roots_close(struct root_list *roots)
{
	certs_free(&roots->certs);
}

static bool fingerprint(X509 *cert, uint8_t digest[32])
{
	unsigned len = 0;

	return X509_digest(cert, EVP_sha256(), digest, &len) == 1 && len == 32;
}

/* AMD's pinned root with this certificate's fingerprint, or NULL. */
static const struct amd_root *amd_root_of(X509 *cert)
{
	uint8_t digest[32];

	if (!fingerprint(cert, digest))
		return NULL;
	for (size_t i = 0; i < AMD_ROOT_COUNT; i++)
		if (!memcmp(digest, amd_roots[i].fingerprint, 32))
			return &amd_roots[i];
	return NULL;
}

/* ---- signatures ---- */

static bool is_p384(EVP_PKEY *key)
{
	char group[32];
	size_t len;

	return key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1 &&
	       !strcmp(group, "secp384r1");
}

/* r or s: 72 bytes little-endian in the report. */
static BIGNUM *signature_part(const uint8_t *part)
{
	return BN_lebin2bn(part, REPORT_SIGNATURE_PART_SIZE, NULL);
}

/* The signature as DER, to be freed; *len 0 on failure. */
static uint8_t *signature_der(const struct snp_report *r, size_t *len)
{
	ECDSA_SIG *signature = ECDSA_SIG_new();
	BIGNUM *br = signature_part(r->bytes + REPORT_SIGNATURE_R);
	BIGNUM *bs = signature_part(r->bytes + REPORT_SIGNATURE_S);
	uint8_t *der = NULL;
	int der_len = -1;

	if (signature && br && bs && ECDSA_SIG_set0(signature, br, bs) == 1) {
		br = bs = NULL;
		der_len = i2d_ECDSA_SIG(signature, &der);
	}
	BN_free(br);
	BN_free(bs);
	ECDSA_SIG_free(signature);
	*len = der_len > 0 ? (size_t)der_len : 0;
	return der;
}

/* The report's signature verifies with this certificate's key. */
static bool report_signed_by(const struct snp_report *r, X509 *cert)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	EVP_MD_CTX *context;
	uint8_t *der;
	size_t len;
	bool good;

	if (!is_p384(key))
		return false;
	der = signature_der(r, &len);
	context = EVP_MD_CTX_new();
	good = der && len && context &&
	       EVP_DigestVerifyInit(context, NULL, EVP_sha384(), NULL, key) == 1 &&
	       EVP_DigestVerify(context, der, len, r->bytes, SNP_REPORT_SIGNED_SIZE) == 1;
	EVP_MD_CTX_free(context);
	OPENSSL_free(der);
	return good;
}

static bool signed_by(struct cvtpm_chain_cache *cache, X509 *cert, X509 *issuer)
{
	EVP_PKEY *key = X509_get0_pubkey(issuer);
	uint8_t name[32];
	bool named = cache_name(cache, CACHE_SIGNED, (X509 *[]){cert, issuer}, 2, name);

	if (named && cache_knows(cache, name))
		return true;
	if (!key || X509_verify(cert, key) != 1)
		return false;
	if (named)
		cache_learn(cache, name);
	return true;
}

/* ---- finding ---- */

static X509 *find_leaf(const struct snp_report *r, const struct cert_list *certs, const char *cn,
		       bool *verifies)
{
	X509 *fallback = NULL;

	for (size_t i = 0; i < certs->count; i++) {
		X509 *cert = certs->certs[i];

		if (!name_has_cn(X509_get_subject_name(cert), cn))
			continue;
		*verifies = report_signed_by(r, cert);
		if (*verifies)
			return cert;
		if (!fallback)
			fallback = cert;
	}
	return fallback;
}

/* The certificate in `certs` that signed `cert`; `named`: one with the issuer's
 * name at least, if it was NULL. */
static X509 *find_issuer(X509 *cert, const struct cert_list *certs, X509 **named)
{
	for (size_t i = 0; i < certs->count; i++) {
		X509 *candidate = certs->certs[i];

		if (X509_NAME_cmp(X509_get_subject_name(candidate), X509_get_issuer_name(cert)))
			continue;
		if (signed_by(certs->cache, cert, candidate))
			return candidate;
		if (!*named)
			*named = candidate;
	}
	return NULL;
}

static void find_root(struct chain *chain, const struct cert_list *certs, struct root_list *roots)
{
	X509 *named = NULL;

	roots_add_amd(roots, X509_get_issuer_name(chain->ca));
	chain->root = find_issuer(chain->ca, &roots->certs, &named);
	if (!chain->root)
		chain->root = find_issuer(chain->ca, certs, &named);
	if (!chain->root)
		chain->root = named;
	if (!chain->root) {
		/* A CA whose issuer does not even bear the name of a pinned root
		 * can end in no other than somebody else's. */
		chain->lab = true;
		return;
	}
	for (size_t i = 0; i < roots->certs.count; i++)
		if (!X509_cmp(roots->certs.certs[i], chain->root))
			chain->root_trusted = true;
	chain->lab = !amd_root_of(chain->root);
}

static enum cvtpm_product product_of_ca(X509 *ca, bool vlek)
{
	const X509_NAME *name = X509_get_subject_name(ca);
	static const char *const cns[][2] = {
		[CVTPM_PRODUCT_MILAN] = {"SEV-Milan", "SEV-VLEK-Milan"},
		[CVTPM_PRODUCT_GENOA] = {"SEV-Genoa", "SEV-VLEK-Genoa"},
		[CVTPM_PRODUCT_TURIN] = {"SEV-Turin", "SEV-VLEK-Turin"},
	};

	for (enum cvtpm_product p = CVTPM_PRODUCT_MILAN; p <= CVTPM_PRODUCT_TURIN; p++)
		if (name_has_cn(name, cns[p][vlek]))
			return p;
	return CVTPM_PRODUCT_UNKNOWN;
}

void chain_find(struct chain *chain, const struct snp_report *r, const struct cert_list *certs,
		struct root_list *roots)
{
	X509 *named = NULL;

	*chain = (struct chain){.vlek = report_signing_key(r) == SIGNING_KEY_VLEK,
				.cache = certs->cache};
	chain->leaf =
		find_leaf(r, certs, chain->vlek ? "SEV-VLEK" : "SEV-VCEK", &chain->signature_good);
	if (!chain->leaf)
		return;
	chain->ca = find_issuer(chain->leaf, certs, &named);
	if (!chain->ca)
		chain->ca = named;
	if (!chain->ca)
		return;
	chain->product = product_of_ca(chain->ca, chain->vlek);
	find_root(chain, certs, roots);
}

/* ---- judging ---- */

static void check_signature(const struct chain *chain, const char *about,
			    struct cvtpm_verification *v)
{
	bool good = chain->leaf && chain->signature_good;
	struct cvtpm_check *c = check_add(v, about, "signature", "signature of the report",
					  !chain->leaf ? CVTPM_CHECK_UNKNOWN
					  : good       ? CVTPM_CHECK_OK
						       : CVTPM_CHECK_REFUSED,
					  "the processor's word for everything below");

	check_expected(c, "by the %s of the certificates", chain->vlek ? "VLEK" : "VCEK");
	if (!chain->leaf)
		check_found(c, "no %s certificate: give it with --certs",
			    chain->vlek ? "VLEK" : "VCEK");
	else
		check_found(c, "%s", good ? "verifies" : "does not verify");
}

static bool is_ca(X509 *cert, EVP_PKEY *key)
{
	return X509_check_ca(cert) == 1 && (X509_get_key_usage(cert) & KU_KEY_CERT_SIGN) &&
	       X509_get_key_usage(cert) != UINT32_MAX && key &&
	       EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) == 4096;
}

static bool signed_with_pss(X509 *cert)
{
	const X509_ALGOR *alg;

	X509_get0_signature(NULL, &alg, cert);
	return is_amd_pss(alg) && is_amd_pss(X509_get0_tbs_sigalg(cert));
}

/* What is wrong with the leaf, or NULL. */
static const char *leaf_fault(const struct chain *chain, const struct vcek_facts *facts)
{
	if (X509_get_version(chain->leaf) != X509_VERSION_3)
		return "not X.509 version 3";
	if (!is_amd_name(X509_get_subject_name(chain->leaf), chain->vlek ? "SEV-VLEK" : "SEV-VCEK"))
		return "a subject that is not AMD's";
	if (!signed_with_pss(chain->leaf))
		return "another signature algorithm, or other parameters";
	if (!is_p384(X509_get0_pubkey(chain->leaf)))
		return "a key that is not P-384";
	if (facts->fault)
		return facts->fault;
	if (facts->present != vcek_expected(chain->product, chain->vlek))
		return "an extension missing, or of another product";
	return NULL;
}

static void check_leaf(const struct chain *chain, const struct vcek_facts *facts, const char *about,
		       struct cvtpm_verification *v)
{
	const char *fault = leaf_fault(chain, facts);

	check_simple(v, about, "certificate", chain->vlek ? "VLEK certificate" : "VCEK certificate",
		     !fault, "AMD's names and extensions, P-384, RSA-PSS with SHA-384 and salt 48",
		     fault ? fault : "as expected", "a key of AMD's for this purpose alone");
}

static const char *ca_fault(const struct chain *chain)
{
	char cn[32];

	if (chain->product == CVTPM_PRODUCT_UNKNOWN)
		return "a name of none of AMD's products";
	snprintf(cn, sizeof(cn), "SEV-%s%s", chain->vlek ? "VLEK-" : "",
		 product_name(chain->product));
	if (!is_amd_name(X509_get_subject_name(chain->ca), cn))
		return "a subject that is not AMD's";
	if (!is_ca(chain->ca, X509_get0_pubkey(chain->ca)))
		return "not a CA with an RSA 4096 key";
	if (X509_get_pathlen(chain->ca) > 0)
		return "a CA that may have CAs under it";
	if (!signed_with_pss(chain->ca))
		return "another signature algorithm, or other parameters";
	return NULL;
}

static void check_ca(const struct chain *chain, const char *about, struct cvtpm_verification *v)
{
	const char *fault = ca_fault(chain);

	check_simple(v, about, "ca", chain->vlek ? "ASVK certificate" : "ASK certificate", !fault,
		     "AMD's name, CA, RSA 4096, RSA-PSS with SHA-384 and salt 48",
		     fault ? fault : "as expected", "only AMD's CA makes such certificates");
}

/* X509_verify_cert's word, with the found root as the only anchor. Dates have a
 * line of their own. NULL: the chain verifies. */
static const char *chain_find_fault(const struct chain *chain)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	STACK_OF(X509) *untrusted = sk_X509_new_null();
	const char *fault = "out of memory";

	if (store && context && untrusted && sk_X509_push(untrusted, chain->ca) > 0 &&
	    X509_STORE_add_cert(store, chain->root) == 1 &&
	    X509_STORE_CTX_init(context, store, chain->leaf, untrusted) == 1) {
		X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);

		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME |
							   X509_V_FLAG_CHECK_SS_SIGNATURE);
		X509_VERIFY_PARAM_set_depth(param, 1);
		fault = X509_verify_cert(context) == 1
				? NULL
				: X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
		if (!fault && sk_X509_num(X509_STORE_CTX_get0_chain(context)) != 3)
			fault = "a chain of another length";
	}
	sk_X509_free(untrusted);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	if (!fault &&
	    !(signed_with_pss(chain->root) && is_ca(chain->root, X509_get0_pubkey(chain->root))))
		fault = "a root that is not a CA with RSA 4096, signed by RSA-PSS with SHA-384";
	return fault;
}

/* The same, which follows from the three certificates alone, from the cache. */
static const char *chain_fault(const struct chain *chain)
{
	X509 *const certs[] = {chain->leaf, chain->ca, chain->root};
	uint8_t name[32];
	bool named = cache_name(chain->cache, CACHE_CHAIN, certs, 3, name);
	const char *fault;

	if (named && cache_knows(chain->cache, name))
		return NULL;
	fault = chain_find_fault(chain);
	if (named && !fault)
		cache_learn(chain->cache, name);
	return fault;
}

static void check_chain(const struct chain *chain, const char *about, struct cvtpm_verification *v)
{
	const char *fault = chain->root ? chain_fault(chain) : "no certificate of the CA's issuer";

	check_simple(v, about, "chain",
		     chain->vlek ? "chain VLEK, ASVK, ARK" : "chain VCEK, ASK, ARK", !fault,
		     "every signature verifies", fault ? fault : "every signature verifies",
		     "each key vouched for by the next");
}

static void check_root(const struct chain *chain, const char *about, struct cvtpm_verification *v)
{
	const struct amd_root *amd = chain->root ? amd_root_of(chain->root) : NULL;
	const char *anchor = "one of AMD's three root keys by SHA-256";
	char name[NAME_TEXT_SIZE], text[65] = "";
	uint8_t digest[32];
	struct cvtpm_check *c =
		check_add(v, about, "root", "root",
			  chain->root_trusted ? CVTPM_CHECK_OK : CVTPM_CHECK_REFUSED,
			  "all trust comes from here");

	check_expected(c, "%s",
		       chain->root_trusted && !amd ? "the lab root that was named" : anchor);
	if (amd) {
		hex_text(text, amd->fingerprint, 32);
		check_found(c, "%s, %s", amd->cn, text);
		return;
	}
	name_text(name, chain->root ? X509_get_subject_name(chain->root)
				    : X509_get_issuer_name(chain->ca));
	if (chain->root && fingerprint(chain->root, digest))
		hex_text(text, digest, 32);
	check_found(c, "%sLAB root %s%s%s", chain->root_trusted ? "" : "not trusted: ", name,
		    text[0] ? ", " : "", text);
}

bool cert_in_date(const X509 *cert, int64_t at)
{
	time_t when = (time_t)at;

	return X509_cmp_time(X509_get0_notBefore(cert), &when) < 0 &&
	       X509_cmp_time(X509_get0_notAfter(cert), &when) > 0;
}

static void time_text(char text[32], int64_t at)
{
	time_t when = (time_t)at;
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		strcpy(text, "an unknown time");
}

static void check_dates(const struct chain *chain, int64_t at, const char *about,
			struct cvtpm_verification *v)
{
	X509 *const certs[] = {chain->leaf, chain->ca, chain->root};
	const char *const names[] = {chain->vlek ? "VLEK" : "VCEK", chain->vlek ? "ASVK" : "ASK",
				     "ARK"};
	const char *outside = NULL;
	char text[32];
	struct cvtpm_check *c;

	for (size_t i = 0; i < 3 && !outside; i++)
		if (certs[i] && !cert_in_date(certs[i], at))
			outside = names[i];
	time_text(text, at);
	c = check_add(v, about, "dates", "validity dates",
		      outside ? CVTPM_CHECK_REFUSED : CVTPM_CHECK_OK, "AMD's word ends with them");
	check_expected(c, "valid at %s", text);
	if (outside)
		check_found(c, "%s expired or not yet valid", outside);
	else
		check_found(c, "all valid");
}

static void check_certificate_tcb(const struct chain *chain, const struct vcek_facts *facts,
				  const struct snp_report *r, const char *about,
				  struct cvtpm_verification *v)
{
	struct tcb reported = tcb_read(r->reported_tcb, chain->product);
	struct tcb certified = vcek_tcb(facts);
	char expected[TCB_TEXT_SIZE], found[TCB_TEXT_SIZE];
	bool good = tcb_equal(&reported, &certified) && certified.reserved_clear;

	tcb_text(expected, &certified, chain->product);
	tcb_text(found, &reported, chain->product);
	check_simple(v, about, "certificate-tcb", "reported TCB against the certificate's", good,
		     expected,
		     good || !tcb_equal(&reported, &certified) ? found : "reserved parts set",
		     "the key is one of this firmware's");
}

static void check_chip(const struct chain *chain, const struct vcek_facts *facts,
		       const struct snp_report *r, const char *about, struct cvtpm_verification *v)
{
	static const char title[] = "chip", reason[] = "the key is this processor's";
	size_t want = chain->product == CVTPM_PRODUCT_TURIN ? 8 : 64;
	struct cvtpm_check *c;
	char expected[129], found[129];
	bool good;

	if (chain->vlek || cvtpm_is_zero(r->chip_id, 64)) {
		c = check_add(v, about, "chip-id", title,
			      chain->vlek ? CVTPM_CHECK_NOT_CHECKED : CVTPM_CHECK_WARNING, reason);
		check_found(c, "%s%s",
			    chain->vlek ? "a VLEK belongs to a provider, not to a chip: "
					: "CHIP_ID is masked by the host",
			    chain->vlek ? facts->csp : "");
		return;
	}
	good = facts->hwid_len == want && !memcmp(r->chip_id, facts->hwid, want) &&
	       cvtpm_is_zero(r->chip_id + want, 64 - want);
	c = check_add(v, about, "chip-id", title, good ? CVTPM_CHECK_OK : CVTPM_CHECK_REFUSED,
		      reason);
	hex_text(expected, facts->hwid, facts->hwid_len);
	hex_text(found, r->chip_id, good ? want : 64);
	check_expected(c, "%s", facts->hwid_len ? expected : "a chip in the certificate");
	check_found(c, "%s", found);
}

static void check_product(const struct chain *chain, const struct vcek_facts *facts,
			  const struct snp_report *r, const char *about,
			  struct cvtpm_verification *v)
{
	enum cvtpm_product named = vcek_product(facts);
	const struct amd_root *amd = chain->root ? amd_root_of(chain->root) : NULL;
	bool good = chain->product != CVTPM_PRODUCT_UNKNOWN && named == chain->product &&
		    (!amd || amd->product == chain->product) &&
		    (r->version < 3 || report_product(r) == chain->product);
	struct cvtpm_check *c = check_add(v, about, "product", "product",
					  good ? CVTPM_CHECK_OK : CVTPM_CHECK_REFUSED,
					  "each product has its own root and layout");

	check_expected(c, "%s, as the chain", product_name(chain->product));
	if (r->version < 3)
		check_found(c, "certificate %s (report version 2 names none)", facts->product_name);
	else
		check_found(c, "certificate %s, report %s (family %02x model %02x stepping %u)",
			    facts->product_name, product_name(report_product(r)), r->family,
			    r->model, r->stepping);
}

static void say_missing_ca(const struct chain *chain, const char *about,
			   struct cvtpm_verification *v)
{
	struct cvtpm_check *c = check_add(v, about, "chain", "chain to a root", CVTPM_CHECK_UNKNOWN,
					  "each key vouched for by the next");
	char issuer[NAME_TEXT_SIZE];

	name_text(issuer, X509_get_issuer_name(chain->leaf));
	check_expected(c, "the certificate of %s: give it with --certs", issuer);
	check_found(c, "none");
}

void chain_check(const struct chain *chain, const struct snp_report *r,
		 const struct crl_lists *crls, int64_t at, const char *about,
		 struct cvtpm_verification *v)
{
	struct vcek_facts facts;

	check_signature(chain, about, v);
	if (!chain->leaf)
		return;
	if (!chain->ca) {
		say_missing_ca(chain, about, v);
		return;
	}
	vcek_read(&facts, chain->leaf);
	check_leaf(chain, &facts, about, v);
	check_ca(chain, about, v);
	check_chain(chain, about, v);
	check_root(chain, about, v);
	check_dates(chain, at, about, v);
	chain_check_revocation(chain, crls, at, about, v);
	check_product(chain, &facts, r, about, v);
	check_certificate_tcb(chain, &facts, r, about, v);
	check_chip(chain, &facts, r, about, v);
}
