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

/* An image that the caller trusts, and what it knows of it: isolation is never
 * taken from evidence, because every image could claim it. */
struct cvtpm_allowed_measurement {
	uint8_t digest[SNP_MEASUREMENT_SIZE];
	enum cvtpm_isolation isolation;
	const char *name; /* for messages; may be NULL */
};

/* All zero is the strictest policy, and one that can never answer yes: without
 * a measurement to compare with, the answer is "could not tell". */
struct cvtpm_policy {
	const struct cvtpm_allowed_measurement *measurements;
	size_t measurement_count;

	/* Roots that are trusted beside AMD's three: one certificate each, DER or
	 * PEM. Evidence that ends in one of them is marked LAB everywhere. */
	const struct cvtpm_bytes *lab_roots;
	size_t lab_root_count;

	uint32_t vmpl;    /* the VMPL that the report must have been asked for at, 0..3 */
	int64_t at;       /* seconds since 1970-01-01 UTC to judge dates at; 0: now */
	bool allow_debug; /* accept a guest whose policy lets the host read its memory */
	bool report_only; /* do not ask for an EK to bind: judge the report alone */
};

/* ---- evidence: what the other side says ---- */

struct cvtpm_evidence {
	/* A raw ATTESTATION_REPORT of either binding; data NULL: none given, then
	 * the report inside the EK certificate is taken. */
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
#define CVTPM_CHECKS_MAX      128

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
	const char *binding; /* "ek-pub", "ek-cert", "" (no key of this evidence); static */
	struct cvtpm_certificate_facts leaf, ca, root;
	bool lab, root_trusted;
	bool measurement_allowed; /* the policy has an entry for it: the two below */
	enum cvtpm_isolation isolation;
	char measurement_name[128];
};

struct cvtpm_facts {
	int64_t at; /* the time that dates were judged at, seconds since 1970 */
	size_t report_count;
	struct cvtpm_report_facts reports[CVTPM_REPORTS_MAX];
	struct cvtpm_certificate_facts ek_certificate;
	char ek[96]; /* "RSA 2048, template L-1"; "" when there is none */
	/* What REPORT_DATA of the two bindings would have to be. */
	bool has_ek_pub_digest, has_ek_cert_digest;
	uint8_t ek_pub_digest[SNP_REPORT_DATA_SIZE], ek_cert_digest[SNP_REPORT_DATA_SIZE];
};

struct cvtpm_verification {
	enum cvtpm_answer answer;
	bool lab; /* a chain ends in a root other than AMD's three: say LAB wherever this is shown
		   */
	size_t count;
	struct cvtpm_check checks[CVTPM_CHECKS_MAX];
	struct cvtpm_facts facts;
};

/** Judges `evidence` by `policy`. Fills `out` (about 110 KB: not for the stack)
 *  and returns 0 whatever the evidence is: malformed evidence is a refused
 *  check, and the answer is in out->answer.
 *  CVTPM_ERR_PARAM: a lab root of the policy is not one certificate, or
 *  policy->vmpl is above 3. CVTPM_ERR_NO_MEMORY. */
int cvtpm_verify_evidence(const struct cvtpm_evidence *evidence, const struct cvtpm_policy *policy,
			  struct cvtpm_verification *out);

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

/** The outcome as one line of JSON (schema: docs/verification.md), without a
 *  line feed. To be freed by the caller; NULL: no memory. */
char *cvtpm_verification_json(const struct cvtpm_verification *v);

#endif
