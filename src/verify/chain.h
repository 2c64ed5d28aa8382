/* From a report's signature to the root: VCEK <- ASK <- ARK, VLEK <- ASVK <- ARK. */
#ifndef VERIFY_CHAIN_H
#define VERIFY_CHAIN_H

#include "verify/certs.h"
#include "verify/report.h"

/* ---- roots ---- */

struct amd_root {
	enum cvtpm_product product;
	const char *cn;
	const uint8_t *der;
	size_t der_len;
	uint8_t fingerprint[32]; /* SHA-256 of the DER */
};

#define AMD_ROOT_COUNT 3
extern const struct amd_root amd_roots[AMD_ROOT_COUNT];

/* Roots to trust: the policy's, and those of AMD's that chains lead to. */
struct root_list {
	struct cert_list certs;
};

/* CVTPM_ERR_PARAM: a lab root is not one certificate. CVTPM_ERR_NO_MEMORY. */
int roots_open(struct root_list *roots, const struct cvtpm_policy *policy);
void roots_close(struct root_list *roots);

/* ---- the certificate that a report is signed with (AMD 57230) ---- */

enum vcek_extension {
	VCEK_STRUCT_VERSION,
	VCEK_PRODUCT_NAME,
	VCEK_BL_SPL,
	VCEK_TEE_SPL,
	VCEK_SNP_SPL,
	VCEK_SPL4,
	VCEK_SPL5,
	VCEK_SPL6,
	VCEK_SPL7,
	VCEK_UCODE_SPL,
	VCEK_FMC_SPL,
	VCEK_HWID,
	VCEK_CSP_ID,
	VCEK_EXTENSIONS,
};

struct vcek_facts {
	unsigned present; /* a bit for each enum vcek_extension */
	uint8_t spl[VCEK_EXTENSIONS];
	char product_name[32]; /* escaped */
	char csp[64];          /* escaped */
	uint8_t hwid[64];
	size_t hwid_len;   /* 64, 8, or 0 */
	const char *fault; /* what is wrong with the extensions, or NULL */
};

void vcek_read(struct vcek_facts *facts, X509 *cert);
/* The set of extensions that this kind of certificate has, no more, no less. */
unsigned vcek_expected(enum cvtpm_product product, bool vlek);
struct tcb vcek_tcb(const struct vcek_facts *facts);
/* "Milan-B0" -> Milan */
enum cvtpm_product vcek_product(const struct vcek_facts *facts);

/* RSASSA-PSS, SHA-384, MGF1 with SHA-384, salt 48: the only way AMD signs. */
bool is_amd_pss(const X509_ALGOR *alg);
/* C=US, ST=CA, L=Santa Clara, O=Advanced Micro Devices, OU=Engineering and `cn`,
 * each once and nothing else, in any order. */
bool is_amd_name(const X509_NAME *name, const char *cn);

/* ---- the chain of one report ---- */

struct chain {
	bool vlek;
	X509 *leaf, *ca, *root; /* of the lists, or NULL */
	bool signature_good;    /* the report's, by the leaf */
	bool root_trusted;
	bool lab; /* ends in a root other than AMD's */
	enum cvtpm_product product;
	struct cvtpm_chain_cache *cache; /* of the list of certificates; may be NULL */
};

/* Finds the certificates that belong to the report: by signature where one
 * verifies, else by name, so that the checks can say what is wrong. */
void chain_find(struct chain *chain, const struct snp_report *report, const struct cert_list *certs,
		struct root_list *roots);

/* Revocation lists: those that the verifier chose, and those that came with the evidence. The
 * latter can refuse, and where they are good they count; what they lack is held against
 * nobody, unless a list is asked for. */
struct crl_lists {
	const struct cvtpm_bytes *chosen, *brought;
	size_t chosen_count, brought_count;
	bool require; /* the policy wants one */
};

/* Adds the lines from the signature to the revocation. */
void chain_check(const struct chain *chain, const struct snp_report *report,
		 const struct crl_lists *crls, int64_t at, const char *about,
		 struct cvtpm_verification *v);

/* `at` within the certificate's validity. */
bool cert_in_date(const X509 *cert, int64_t at);

/* Revocation of the chain's CA and root (crl.c). */
void chain_check_revocation(const struct chain *chain, const struct crl_lists *crls, int64_t at,
			    const char *about, struct cvtpm_verification *v);

#endif
