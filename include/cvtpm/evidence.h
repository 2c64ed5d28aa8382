/*
 * Verification of a TPM's evidence: is this the EK of a TPM that a genuine
 * SEV-SNP guest, running exactly the image that I expect, made for itself?
 *
 * One call takes evidence (bytes from anybody: reports, certificates, an EK
 * certificate, an EK) and a policy (the caller's own), and fills a list of
 * checks. Each check says what was looked at, what was expected, what was
 * found, its verdict, and why it matters. The answer follows from the list:
 *
 *     any check refused          -> CVTPM_ANSWER_NO
 *     else any could not tell    -> CVTPM_ANSWER_UNKNOWN
 *     else                       -> CVTPM_ANSWER_YES
 *
 * Warnings, checks that were not made, and claims never change the answer.
 *
 * No function here keeps state: any number of threads may verify at once, each
 * with its own structs. All input stays the caller's and is only read during
 * the call. Nothing is fetched from anywhere. What comes out holds no pointer
 * into the evidence, and every string in it is printable ASCII, whatever the
 * evidence contained: other bytes are written as \xNN.
 *
 * Hosted (OpenSSL 3, libcbor).
 */
#ifndef CVTPM_EVIDENCE_H
#define CVTPM_EVIDENCE_H

#include "cvtpm/snp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the caller's. `name` is for messages ("report.bin"); may be NULL. */
struct cvtpm_bytes {
	const uint8_t *data;
	size_t len;
	const char *name;
};

/* ---- policy: what the caller insists on ---- */

struct cvtpm_challenge_secret; /* cvtpm/bundle.h */

/* An image that the caller trusts, and what it knows of it: isolation is never
 * taken from evidence, because every image could claim it. */
struct cvtpm_allowed_measurement {
	uint8_t digest[SNP_MEASUREMENT_SIZE];
	enum cvtpm_isolation isolation;
	const char *name; /* for messages; may be NULL */
};

enum cvtpm_product {
	CVTPM_PRODUCT_UNKNOWN,
	CVTPM_PRODUCT_MILAN,
	CVTPM_PRODUCT_GENOA, /* and the models that share its keys: Bergamo, Siena */
	CVTPM_PRODUCT_TURIN,
	CVTPM_PRODUCTS,
};

/* The parts of a TCB_VERSION, and the four that a report has. */
enum cvtpm_tcb_part {
	CVTPM_TCB_FMC, /* Turin only */
	CVTPM_TCB_BOOT_LOADER,
	CVTPM_TCB_TEE,
	CVTPM_TCB_SNP,
	CVTPM_TCB_MICROCODE,
	CVTPM_TCB_PARTS,
};
enum cvtpm_tcb_kind {
	CVTPM_TCB_CURRENT,
	CVTPM_TCB_REPORTED,
	CVTPM_TCB_COMMITTED,
	CVTPM_TCB_LAUNCH,
	CVTPM_TCB_KINDS,
};

struct cvtpm_tcb_minimum {
	bool given;
	uint8_t part[CVTPM_TCB_PARTS];
};

/* A version of the AMD-SP's firmware, compared in this order. */
struct cvtpm_firmware_minimum {
	bool given;
	uint8_t major, minor, build;
};

/* Values that are allowed, `size` bytes each, one after the other. None: any. */
struct cvtpm_values {
	const uint8_t *bytes;
	size_t size, count;
};

/* Who may have signed the EK certificate. */
struct cvtpm_ek_issuer {
	uint8_t fingerprint[32];        /* SHA-256 of the issuer's certificate, DER */
	struct cvtpm_bytes certificate; /* PEM or DER; data NULL: it must be among the evidence */
};

/* Values that one PCR may have. A policy has at most one for each bank and PCR. */
struct cvtpm_pcr_rule {
	uint16_t alg; /* TPM_ALG_ID of the bank */
	uint32_t pcr; /* 0 to 23 */
	struct cvtpm_values allowed;
};

/* A digest of the hash `alg` that must not be in an event log: the digest of a
 * TCG event, or of a file in an IMA entry. */
struct cvtpm_denied_event {
	uint16_t alg;
	uint8_t digest[64];
	size_t size;
};

struct cvtpm_event_log_policy {
	bool require_tcg;         /* the firmware's log, replayed to the quoted PCRs */
	bool require_ima;         /* the kernel's list of files, likewise */
	bool require_secure_boot; /* the firmware's log must say that Secure Boot was on */
	const struct cvtpm_denied_event *denied;
	size_t denied_count;
};

/* All zero is the strictest policy of those that name nothing, and one that can
 * never answer yes: without a measurement to compare with, the answer is "could
 * not tell". Every member beyond adds a rule, but for those that begin with
 * `allow_`, `vmpl` and `report_only`.
 *
 * Read-only during a verification: any number of threads may use one. Policies from
 * files: cvtpm/policy.h. */
struct cvtpm_policy {
	const char *name; /* for messages: the policy's file; NULL: the command line's */

	const struct cvtpm_allowed_measurement *measurements;
	size_t measurement_count;

	/* Roots that are trusted beside AMD's three: one certificate each, DER or
	 * PEM. Evidence that ends in one of them is marked LAB everywhere. */
	const struct cvtpm_bytes *lab_roots;
	size_t lab_root_count;

	uint32_t vmpl;        /* the VMPL that the report must have been asked for at, 0..3 */
	int64_t at;           /* seconds since 1970-01-01 UTC to judge dates at; 0: now */
	bool allow_debug;     /* accept a guest whose policy lets the host read its memory */
	bool allow_migration; /* accept one that a migration agent may carry elsewhere */
	bool report_only;     /* do not ask for an EK to bind: judge the report alone */

	/* The challenge of the caller's that evidence->machine answers, as
	 * cvtpm_challenge_make() gave it to keep; NULL: none was made, and then AK and
	 * quote are "could not tell". Used for one call: destroy it before. */
	const struct cvtpm_challenge_secret *asked;
	bool identity_only; /* of a bundle, judge only where its EK was born: no AK, no quote */

	/* The guest policy (AMD 56860, table GUEST POLICY): bits that must be 1 or
	 * must be 0, and the least ABI that the guest insists on. */
	uint64_t guest_policy_require, guest_policy_forbid;
	uint8_t abi_major, abi_minor;

	/* PLATFORM_INFO, likewise. Bits that are not known here are a warning. */
	uint64_t platform_require, platform_forbid;
	bool refuse_unknown_platform_bits;

	/* TCBs are compared part by part. Where any product has minima, a report of a product
	 * without them is refused. */
	struct cvtpm_tcb_minimum minimum_tcb[CVTPM_PRODUCTS][CVTPM_TCB_KINDS];
	bool refuse_committed_below_current; /* else a warning: genuine reports show it */
	struct cvtpm_firmware_minimum minimum_current_firmware, minimum_committed_firmware;
	uint64_t launch_mitigations, current_mitigations; /* bits that must be 1; version 5 */

	unsigned products;     /* 1u << enum cvtpm_product for each that is allowed; 0: any */
	unsigned signing_keys; /* of enum cvtpm_signing_keys; 0: any */
	struct cvtpm_values chip_ids; /* 64 bytes */
	bool require_crl;             /* without a revocation list: could not tell */

	uint32_t minimum_guest_svn;
	struct cvtpm_values host_data;  /* 32 bytes; chosen by the host */
	struct cvtpm_values family_ids; /* 16 bytes; chosen by whoever made the ID block */
	struct cvtpm_values image_ids;  /* 16 bytes, likewise */
	struct cvtpm_values id_key_digests, author_key_digests; /* 48 bytes */
	struct cvtpm_values report_ids; /* 32 bytes: boots of guests, for pinning */

	bool require_ek_cert;   /* a report over the EK certificate beside the one over the EK */
	unsigned ek_algorithms; /* of enum cvtpm_ek (cvtpm/instance.h); 0: any listed */
	const struct cvtpm_ek_issuer *ek_issuers; /* none: any, as trust comes from the report */
	size_t ek_issuer_count;

	/* The TPM side. `require_quote` is set wherever a PCR or an event log is ruled. */
	bool require_quote; /* without a quote that answers this verifier: could not tell */
	const struct cvtpm_pcr_rule *pcrs;
	size_t pcr_count;
	struct cvtpm_event_log_policy event_log;

	/* The 64 bytes that the caller gave the guest for its attestation call to the SVSM;
	 * data NULL: with evidence->svsm_manifest its report is "could not tell". */
	struct cvtpm_bytes svsm_nonce;

	/* What the quote of evidence->hcl must be over; data NULL: its age is "could not
	 * tell". */
	struct cvtpm_bytes hcl_nonce;
};

enum cvtpm_signing_keys { CVTPM_SIGNED_BY_VCEK = 1 << 0, CVTPM_SIGNED_BY_VLEK = 1 << 1 };

/* ---- evidence: what the other side says ---- */

/* What a TPM says of its machine now (cvtpm/bundle.h). Each may be missing: data NULL. */
struct cvtpm_machine {
	struct cvtpm_bytes ak_public; /* TPM2B_PUBLIC */
	struct cvtpm_bytes secret;    /* from TPM2_ActivateCredential */
	struct cvtpm_bytes quote;     /* TPMS_ATTEST */
	struct cvtpm_bytes signature; /* TPMT_SIGNATURE of the quote */
	struct cvtpm_bytes pcrs;      /* values, as cvtpm_pcrs_encode() writes them */
	struct cvtpm_bytes event_log; /* of the firmware, TCG PC Client */
	struct cvtpm_bytes ima_log;   /* of Linux IMA, text or binary */
};

struct cvtpm_evidence {
	/* A raw ATTESTATION_REPORT of either binding, with or without its certificate
	 * table behind it (as an extended guest request gives both); data NULL: none
	 * given, then the report inside the EK certificate is taken. */
	struct cvtpm_bytes report;

	/* The report from the report index, of the ek-cert binding; data NULL: none. */
	struct cvtpm_bytes ek_cert_report;

	/* VCEK or VLEK, ASK or ASVK, in any order, each entry PEM or DER with one
	 * or several certificates, or a GHCB certificate table. Certificates that
	 * have no part in the chain (an EK issuer's) may be among them. */
	const struct cvtpm_bytes *certificates;
	size_t certificate_count;

	/* Revocation lists of AMD's roots, DER or PEM. Empty: revocation is not
	 * checked, and the line says so. */
	const struct cvtpm_bytes *crls;
	size_t crl_count;

	struct cvtpm_bytes ek_certificate; /* DER (padding of an NV index allowed) or PEM */
	struct cvtpm_bytes ek_public;      /* TPM2B_PUBLIC or TPMT_PUBLIC, as read from the TPM */
	struct cvtpm_bytes platform_certificate; /* attribute certificate, DER */

	/* NULL: only where the EK was born is judged, and nothing is said of AK and quote. */
	const struct cvtpm_machine *machine;

	/* A bundle (cvtpm/bundle.h) in place of everything above but `certificates` and
	 * `crls`, to which what it has of these is added; data NULL: none. */
	struct cvtpm_bytes bundle;

	/* With `report`, what came from the attestation call to an SVSM beside it: the
	 * vTPM's manifest, version 0, the EK's TPMT_PUBLIC. The report must then be over
	 * policy->svsm_nonce and this. data NULL: the report is of another binding. */
	struct cvtpm_bytes svsm_manifest;

	/* The HCL report of an Azure confidential VM (cvtpm/hcl.h) in place of a report and an
	 * EK; data NULL: none. `machine` may then bring a quote by the key that it vouches for
	 * (`signature` may also be a bare RSASSA signature with SHA-256), PCRs and logs. */
	struct cvtpm_bytes hcl;

	/* Lines that say why something could not be had that the caller went to get (from a key
	 * distribution service); each is a check that is "could not tell". */
	const char *const *unavailable;
	size_t unavailable_count;
};

/* ---- the outcome ---- */

enum cvtpm_answer {
	CVTPM_ANSWER_YES = 0,
	CVTPM_ANSWER_NO = 1,
	CVTPM_ANSWER_UNKNOWN = 3, /* something needed was missing */
};

enum cvtpm_check_verdict {
	CVTPM_CHECK_OK,
	CVTPM_CHECK_WARNING,     /* allowed, but look at it */
	CVTPM_CHECK_NOT_CHECKED, /* nobody asked, or not applicable */
	CVTPM_CHECK_CLAIMED,     /* said by the evidence of itself, not proven */
	CVTPM_CHECK_UNKNOWN,     /* could not tell: something needed is missing */
	CVTPM_CHECK_REFUSED,
};

#define CVTPM_CHECK_TEXT_SIZE 320
#define CVTPM_CHECKS_MAX      320

struct cvtpm_check {
	const char *id;    /* stable, for programs: "signature", "vmpl" (docs/verification.md) */
	const char *about; /* "report", "index report", "EK certificate", "evidence" */
	const char *title; /* for people: "privilege level" */
	char expected[CVTPM_CHECK_TEXT_SIZE];
	char found[CVTPM_CHECK_TEXT_SIZE];
	enum cvtpm_check_verdict verdict;
	const char *reason; /* why it matters, a few words */
};

/* ---- facts: what the evidence said, so that it can be shown ----
 *
 * Copies, filled while the checks are made. Nothing is decided by them, and a
 * fact is as good as the checks on it: look at the answer first. Texts are
 * printable ASCII; static texts are marked. */

#define CVTPM_REPORTS_MAX    3
#define CVTPM_TIME_TEXT_SIZE 24

struct cvtpm_certificate_facts {
	bool present;
	const char *kind; /* "VCEK", "VLEK", "ASK", "ASVK", "ARK", "EK certificate"; static */
	char subject[256], issuer[256];                                         /* RFC 2253 style */
	char serial[48];                                                        /* hexadecimal */
	char not_before[CVTPM_TIME_TEXT_SIZE], not_after[CVTPM_TIME_TEXT_SIZE]; /* RFC 3339 */
	char fingerprint[65]; /* SHA-256 of the DER */
};

struct cvtpm_report_facts {
	const char *about;              /* as in the checks on it; static */
	uint8_t bytes[SNP_REPORT_SIZE]; /* as received */
	const char *product;            /* "Milan", "Genoa", "Turin", "unknown"; static */
	const char *binding; /* "ek-pub", "ek-cert", "svsm", "hcl", "" (no key of this evidence);
				static */
	struct cvtpm_certificate_facts leaf, ca, root;
	bool lab, root_trusted;
	bool measurement_allowed; /* the policy has an entry for it: the two below */
	enum cvtpm_isolation isolation;
	char measurement_name[128];
};

/* A PCR as a quote has proven it. */
struct cvtpm_pcr_facts {
	const char *bank; /* "sha256"; static */
	uint8_t pcr, len;
	bool explained; /* it follows from the event logs, in a bank at least */
	uint8_t value[64];
};

/* An entry of the firmware's event log; what it says is as good as the checks on
 * the log. */
struct cvtpm_event_facts {
	uint32_t number; /* from 1 */
	uint32_t pcr, type;
	char digest[2 * 64 + 1]; /* SHA-256 where the log has it; "" for EV_NO_ACTION */
	char data[80];
};

#define CVTPM_PCR_FACTS_MAX   96
#define CVTPM_EVENT_FACTS_MAX 200

struct cvtpm_facts {
	int64_t at; /* the time that dates were judged at, seconds since 1970 */
	size_t report_count;
	struct cvtpm_report_facts reports[CVTPM_REPORTS_MAX];
	struct cvtpm_certificate_facts ek_certificate;
	char ek[96]; /* "RSA 2048, template L-1"; "" when there is none */
	/* What REPORT_DATA of the two bindings would have to be. */
	bool has_ek_pub_digest, has_ek_cert_digest;
	uint8_t ek_pub_digest[SNP_REPORT_DATA_SIZE], ek_cert_digest[SNP_REPORT_DATA_SIZE];
	size_t pcr_count;
	struct cvtpm_pcr_facts pcrs[CVTPM_PCR_FACTS_MAX];
	size_t event_count;   /* of those below */
	size_t events_in_log; /* that could be read; perhaps more */
	struct cvtpm_event_facts events[CVTPM_EVENT_FACTS_MAX];
};

struct cvtpm_verification {
	enum cvtpm_answer answer;
	bool lab; /* a chain ends in a root other than AMD's three: say LAB wherever this is shown
		   */
	size_t count;
	struct cvtpm_check checks[CVTPM_CHECKS_MAX];
	struct cvtpm_facts facts;
};

/** Judges `evidence` by `policy`. Fills `out` (about 220 KB: not for the stack)
 *  and returns 0 whatever the evidence is: malformed evidence is a refused
 *  check, and the answer is in out->answer.
 *  CVTPM_ERR_PARAM: a lab root of the policy is not one certificate, or
 *  policy->vmpl is above 3, policy->svsm_nonce is not 64 bytes. CVTPM_ERR_NO_MEMORY. */
int cvtpm_verify_evidence(const struct cvtpm_evidence *evidence, const struct cvtpm_policy *policy,
			  struct cvtpm_verification *out);

/* A cache for whoever verifies many times: certificates that have been read, and
 * which of them have been found signed by which. Each is kept under the SHA-256 of
 * the whole certificates, so that one altered byte makes another entry, and only
 * what holds is kept. Everything that depends on anything else (the report's own
 * signature, roots, dates, revocation, policy) is judged anew each time: the
 * outcome is the same with and without. Bounded (about 1 MB); any number of
 * threads may use one at once. */
struct cvtpm_chain_cache;

/** NULL: no memory. */
struct cvtpm_chain_cache *cvtpm_chain_cache_new(void);
/** When no call uses it any more. NULL is allowed. */
void cvtpm_chain_cache_free(struct cvtpm_chain_cache *cache);

/** cvtpm_verify_evidence() with a cache; NULL: without. */
int cvtpm_verify_evidence_cached(struct cvtpm_chain_cache *cache,
				 const struct cvtpm_evidence *evidence,
				 const struct cvtpm_policy *policy, struct cvtpm_verification *out);

/** Reads a measurement from its 96 hexadecimal digits; false: it is not that. */
bool cvtpm_parse_measurement(const char *hex, uint8_t digest[SNP_MEASUREMENT_SIZE]);

/** The check that decides the answer: the first refused one, else the first
 *  that could not tell, else NULL. */
const struct cvtpm_check *cvtpm_deciding_check(const struct cvtpm_verification *v);

/** "ok", "warning", "not checked", "claimed", "could not tell", "refused". Static. */
const char *cvtpm_check_verdict_name(enum cvtpm_check_verdict verdict);

/** "yes", "refused", "could not tell". Static. */
const char *cvtpm_answer_name(enum cvtpm_answer answer);

/** The outcome as text, a line for each check and the answer last; LAB in the
 *  first and the last line where it applies. To be freed by the caller; NULL:
 *  no memory. */
char *cvtpm_verification_text(const struct cvtpm_verification *v);

/* For a terminal. All zero gives what cvtpm_verification_text gives. */
struct cvtpm_text_style {
	bool colour;    /* verdicts in colour (ECMA-48); nothing else is */
	bool brief;     /* checks that passed are counted, not listed */
	unsigned width; /* columns to wrap lines at, 40 at least; 0: never */
};

/** The same in a style. */
char *cvtpm_verification_text_styled(const struct cvtpm_verification *v,
				     const struct cvtpm_text_style *style);

/** The last line of the text alone: the answer, and the check that decides it. */
char *cvtpm_verification_summary(const struct cvtpm_verification *v);

/** The outcome as one line of JSON (schema: docs/verification.md), without a
 *  line feed. To be freed by the caller; NULL: no memory. */
char *cvtpm_verification_json(const struct cvtpm_verification *v);

#endif
