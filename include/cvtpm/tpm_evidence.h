/*
 * What a verifier makes of a TPM's own words: public areas, credentials,
 * quotes and event logs.
 *
 * The chain of thought that these functions serve:
 *
 *  1. The EK's public area came with evidence that a verifier trusts
 *     (cvtpm/evidence.h). The AK's public area came from the same machine and
 *     proves nothing yet: cvtpm_tpm_public_read(), then the rules of an AK.
 *  2. The verifier makes a credential for (EK, name of the AK) around a secret of
 *     its own, cvtpm_credential_make(). Only a TPM that holds both keys can return
 *     the secret: cvtpm_credential_check_secret().
 *  3. That AK quotes over the verifier's nonce: cvtpm_quote_read(), then signature,
 *     nonce, signer and PCR digest, each by a call of its own, so that each can be
 *     a line in a list of checks.
 *  4. The quoted PCRs are explained by the event logs: a log is replayed, and
 *     where the outcome differs, cvtpm_pcr_explain() says what can be said.
 *
 * Every function that judges bytes from outside returns an int:
 *     0          fine
 *     positive   enum cvtpm_tpm_problem: what is wrong with the evidence
 *     negative   enum cvtpm_err: a fault here (no memory, OpenSSL failed, a
 *                contract broken); says nothing about the evidence
 *
 * Nothing here keeps state; any number of threads may call. Input stays the
 * caller's. Only cvtpm_log and the events that it yields hold pointers into the
 * caller's bytes. Strings in those (paths, event data) come from outside, may
 * hold any byte, and have lengths and no terminator: escape before printing.
 * No number in the input decides how much memory is used, and nothing recurses
 * (but jansson, to a depth that it bounds).
 *
 * Hosted (OpenSSL 3, jansson).
 */
#ifndef CVTPM_TPM_EVIDENCE_H
#define CVTPM_TPM_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Algorithms by TPM 2.0 Part 2, 6.3; those that mean something here. */
enum cvtpm_tpm_alg {
	CVTPM_TPM_ALG_RSA = 0x0001,
	CVTPM_TPM_ALG_SHA1 = 0x0004,
	CVTPM_TPM_ALG_AES = 0x0006,
	CVTPM_TPM_ALG_SHA256 = 0x000B,
	CVTPM_TPM_ALG_SHA384 = 0x000C,
	CVTPM_TPM_ALG_SHA512 = 0x000D,
	CVTPM_TPM_ALG_NULL = 0x0010,
	CVTPM_TPM_ALG_SM3_256 = 0x0012,
	CVTPM_TPM_ALG_RSASSA = 0x0014,
	CVTPM_TPM_ALG_RSAPSS = 0x0016,
	CVTPM_TPM_ALG_ECDSA = 0x0018,
	CVTPM_TPM_ALG_ECC = 0x0023,
	CVTPM_TPM_ALG_SHA3_256 = 0x0027,
	CVTPM_TPM_ALG_SHA3_384 = 0x0028,
	CVTPM_TPM_ALG_SHA3_512 = 0x0029,
	CVTPM_TPM_ALG_CFB = 0x0043,
};

#define CVTPM_TPM_DIGEST_MAX 64
#define CVTPM_TPM_NAME_MAX   (2 + CVTPM_TPM_DIGEST_MAX)
#define CVTPM_TPM_RSA_MAX    512 /* RSA 4096 */

/** Bytes of a digest of `alg`; 0 for what is not a hash algorithm known here. */
size_t cvtpm_tpm_digest_size(uint16_t alg);

/** "sha256" and so on; "unknown" for what is not known here. Static. */
const char *cvtpm_tpm_hash_name(uint16_t alg);

/* ---- what can be wrong ---- */

enum cvtpm_tpm_problem {
	CVTPM_TPM_FINE = 0,
	/* structures of the TPM */
	CVTPM_TPM_TRUNCATED,
	CVTPM_TPM_TRAILING,
	CVTPM_TPM_LENGTH,
	CVTPM_TPM_VALUE,
	CVTPM_TPM_ALGORITHM,
	CVTPM_TPM_KEY_WEAK,
	CVTPM_TPM_KEY_INVALID,
	CVTPM_TPM_EK_UNUSABLE,
	CVTPM_TPM_JWK,
	CVTPM_TPM_SECRET_DIFFERS,
	/* signatures and quotes */
	CVTPM_TPM_SIGNATURE_SCHEME,
	CVTPM_TPM_SIGNATURE_WRONG,
	CVTPM_TPM_QUOTE_MAGIC,
	CVTPM_TPM_QUOTE_TYPE,
	CVTPM_TPM_QUOTE_NONCE,
	CVTPM_TPM_QUOTE_SIGNER,
	CVTPM_TPM_QUOTE_SELECTION,
	CVTPM_TPM_QUOTE_UNCOVERED,
	CVTPM_TPM_QUOTE_PCR_MISSING,
	CVTPM_TPM_QUOTE_PCR_DIGEST,
	/* event logs */
	CVTPM_TPM_LOG_TOO_LARGE,
	CVTPM_TPM_LOG_TRUNCATED,
	CVTPM_TPM_LOG_HEADER,
	CVTPM_TPM_LOG_DIGESTS,
	CVTPM_TPM_LOG_PCR,
	CVTPM_TPM_LOG_LOCALITY,
	CVTPM_TPM_LOG_NO_BANK,
	CVTPM_TPM_IMA_LINE,
	CVTPM_TPM_IMA_TEMPLATE,
	CVTPM_TPM_PROBLEM_COUNT
};

/** A short stable name for programs ("quote-nonce"). Static, never NULL. */
const char *cvtpm_tpm_problem_id(int problem);

/** The same for people, a phrase without a full stop that fits after "the quote: ".
 *  A negative value gives cvtpm_strerror(). Static, never NULL. */
const char *cvtpm_tpm_problem_text(int problem);

/* ---- public areas ---- */

/* The key alone. RSA: `size` bytes of modulus in `n`; only the exponent 65537 is
 * taken. ECC: the coordinates `n` (x) and `y`, `size` bytes each. */
struct cvtpm_tpm_key {
	uint16_t type;  /* CVTPM_TPM_ALG_RSA or CVTPM_TPM_ALG_ECC */
	uint16_t curve; /* TPM_ECC_CURVE: 3 P-256, 4 P-384, 5 P-521 */
	size_t size;
	uint8_t n[CVTPM_TPM_RSA_MAX];
	uint8_t y[66];
};

/* TPMT_PUBLIC of an asymmetric key (Part 2, 12.2.4). */
struct cvtpm_tpm_public {
	uint16_t name_alg;
	uint32_t attributes; /* TPMA_OBJECT */
	size_t policy_len;
	uint8_t policy[CVTPM_TPM_DIGEST_MAX];
	uint16_t symmetric; /* CVTPM_TPM_ALG_NULL, or an algorithm for children */
	uint16_t symmetric_bits;
	uint16_t symmetric_mode;
	uint16_t scheme;      /* CVTPM_TPM_ALG_NULL, or a scheme */
	uint16_t scheme_hash; /* CVTPM_TPM_ALG_NULL where the scheme has none */
	struct cvtpm_tpm_key key;
	size_t name_len;
	uint8_t name[CVTPM_TPM_NAME_MAX]; /* nameAlg and the digest of the area, computed */
};

/** Reads a TPMT_PUBLIC of exactly `len` bytes: RSA of 2048, 3072 or 4096 bits, or
 *  ECC on P-256, P-384 or P-521, with coordinates of full length, on the curve.
 *  TRUNCATED, TRAILING, LENGTH (a size that does not fit the key), VALUE (a reserved
 *  attribute bit, an exponent other than 65537), ALGORITHM, KEY_WEAK (RSA below 2048 bits),
 *  KEY_INVALID. CVTPM_ERR_NO_MEMORY, CVTPM_ERR_CRYPTO. */
int cvtpm_tpm_public_read(const uint8_t *tpmt, size_t len, struct cvtpm_tpm_public *out);

/** The same for a TPM2B_PUBLIC: the size field must say exactly what follows. */
int cvtpm_tpm2b_public_read(const uint8_t *tpm2b, size_t len, struct cvtpm_tpm_public *out);

/** The body of any TPM2B that fills `len` bytes exactly. TRUNCATED, TRAILING. */
int cvtpm_tpm2b_unwrap(const uint8_t *tpm2b, size_t len, const uint8_t **body, size_t *body_len);

/** The RSA key with identifier `kid` of a JSON Web Key Set (RFC 7517), as in the
 *  runtime data of a HCL report ("HCLAkPub"). Exactly one key must have that
 *  identifier; e must be 65537. JWK; KEY_WEAK; CVTPM_ERR_NO_MEMORY. */
int cvtpm_tpm_key_from_jwk(const char *json, size_t len, const char *kid,
			   struct cvtpm_tpm_key *out);

/* What an AK has to be, one rule for each attribute (Part 2, 8.3). */
struct cvtpm_ak_rule {
	const char *attribute; /* as the specification spells it: "restricted" */
	uint32_t bit;
	bool set;           /* must be set, or must be clear */
	const char *broken; /* what follows when it is not so, a phrase for people */
};

/** The rules, from 0 up; NULL beyond the last. */
const struct cvtpm_ak_rule *cvtpm_ak_rule_at(size_t i);
/** Whether `key` keeps `rule`. */
bool cvtpm_ak_rule_holds(const struct cvtpm_ak_rule *rule, const struct cvtpm_tpm_public *key);
/** The first rule that `key` breaks; NULL: none, this may be an AK. */
const struct cvtpm_ak_rule *cvtpm_ak_broken_rule(const struct cvtpm_tpm_public *key);

/* ---- credentials (Part 1, 24) ---- */

#define CVTPM_CREDENTIAL_SECRET_MIN 16
#define CVTPM_CREDENTIAL_SECRET_MAX CVTPM_TPM_DIGEST_MAX

/* What TPM2_ActivateCredential wants, each a TPM2B with its size field. */
struct cvtpm_credential {
	size_t id_object_len;
	uint8_t id_object[2 + 2 + 64 + 2 + 64]; /* TPM2B_ID_OBJECT */
	size_t secret_len;
	uint8_t secret[2 + CVTPM_TPM_RSA_MAX]; /* TPM2B_ENCRYPTED_SECRET */
};

/** TPM2_MakeCredential in software: wraps `secret` for the TPM that holds the private
 *  part of `ek`, so that it is given away only if an object with the name `ak_name` is
 *  loaded beside it. Random numbers come from OpenSSL.
 *  The caller draws `secret` (CVTPM_CREDENTIAL_SECRET_MIN bytes to the digest size of
 *  the EK's nameAlg, which is what a TPM takes), keeps it, and uses it once.
 *  EK_UNUSABLE: not a restricted decryption key with AES-CFB for its children.
 *  CVTPM_ERR_PARAM: secret or name have an impossible length. CVTPM_ERR_CRYPTO. */
int cvtpm_credential_make(const struct cvtpm_tpm_public *ek, const uint8_t *ak_name,
			  size_t ak_name_len, const uint8_t *secret, size_t secret_len,
			  struct cvtpm_credential *out);

/** Compares the secret that came back; the time tells nothing but lengths.
 *  SECRET_DIFFERS. CVTPM_ERR_PARAM: `expected` is shorter than
 *  CVTPM_CREDENTIAL_SECRET_MIN, so that nothing can match an empty secret. */
int cvtpm_credential_check_secret(const uint8_t *expected, size_t expected_len,
				  const uint8_t *returned, size_t returned_len);

/* ---- signatures ---- */

/* TPMT_SIGNATURE (Part 2, 11.3.4). */
struct cvtpm_tpm_signature {
	uint16_t scheme; /* RSASSA, RSAPSS or ECDSA */
	uint16_t hash;   /* SHA-256, SHA-384 or SHA-512 */
	size_t len;      /* RSA: of the signature; ECDSA: of r */
	uint8_t bytes[CVTPM_TPM_RSA_MAX];
	size_t s_len;
	uint8_t s[66];
};

/** Reads a TPMT_SIGNATURE of exactly `len` bytes. TRUNCATED, TRAILING, LENGTH,
 *  ALGORITHM (another scheme, or a hash that is too weak to sign with: SHA-1). */
int cvtpm_tpm_signature_read(const uint8_t *tpmt, size_t len, struct cvtpm_tpm_signature *out);

/** A bare RSASSA signature, as tools store it that strip the TPMT_SIGNATURE. LENGTH,
 *  ALGORITHM. */
int cvtpm_tpm_signature_from_rsassa(const uint8_t *bytes, size_t len, uint16_t hash,
				    struct cvtpm_tpm_signature *out);

/** Verifies `signature` over the message exactly as received. SIGNATURE_SCHEME (does not
 *  fit the type of key), SIGNATURE_WRONG, KEY_INVALID. CVTPM_ERR_NO_MEMORY, CVTPM_ERR_CRYPTO. */
int cvtpm_tpm_check_signature(const struct cvtpm_tpm_key *key,
			      const struct cvtpm_tpm_signature *signature, const uint8_t *message,
			      size_t len);

/** The same with an AK's public area, whose scheme and hash the signature must have. */
int cvtpm_tpm_check_signature_by(const struct cvtpm_tpm_public *ak,
				 const struct cvtpm_tpm_signature *signature,
				 const uint8_t *message, size_t len);

/* ---- PCR values ---- */

#define CVTPM_PCR_COUNT     24
#define CVTPM_PCR_BANKS_MAX 8

struct cvtpm_bank_values {
	uint16_t alg;
	uint32_t given; /* bit n: value[n] is known */
	uint8_t value[CVTPM_PCR_COUNT][CVTPM_TPM_DIGEST_MAX];
};

struct cvtpm_pcrs {
	size_t count;
	struct cvtpm_bank_values bank[CVTPM_PCR_BANKS_MAX];
};

/** The bank of `alg`, or NULL. */
const struct cvtpm_bank_values *cvtpm_pcrs_bank(const struct cvtpm_pcrs *pcrs, uint16_t alg);

/** Notes that `pcr` of bank `alg` has this value, adding the bank where it is missing; a second
 *  value takes the place of the first. CVTPM_ERR_PARAM: no such PCR or hash, wrong size, or too
 *  many banks. */
int cvtpm_pcrs_set(struct cvtpm_pcrs *pcrs, uint16_t alg, uint32_t pcr, const uint8_t *value,
		   size_t len);

/** Adds a bank with all PCRs as TPM2_Startup(CLEAR) leaves them: zeros, and ones in 17 to 22
 *  (PC Client PTP, table of PCR attributes). CVTPM_ERR_PARAM likewise. */
int cvtpm_pcrs_reset(struct cvtpm_pcrs *pcrs, uint16_t alg);

/* ---- quotes ---- */

#define CVTPM_QUOTE_SELECTIONS_MAX 16

struct cvtpm_pcr_selection {
	uint16_t alg;
	uint32_t mask; /* bit n: PCR n */
};

/* TPMS_ATTEST with a TPMS_QUOTE_INFO (Part 2, 10.12). From an AK outside the endorsement and
 * platform hierarchies, reset_count, restart_count and firmware_version are the true ones plus
 * constants of that key (Part 1, 36.7): their differences mean something, their values do not. */
struct cvtpm_quote {
	size_t signer_len;
	uint8_t signer[CVTPM_TPM_NAME_MAX]; /* qualified name of the AK */
	size_t extra_len;
	uint8_t extra[CVTPM_TPM_NAME_MAX]; /* extraData: the nonce */
	uint64_t clock;                    /* milliseconds that the TPM has run */
	uint32_t reset_count;              /* TPM resets: times that the machine was started */
	uint32_t restart_count;            /* TPM restarts and resumes since the last reset */
	bool safe; /* no clock value as high was reported before a power loss */
	uint64_t firmware_version;
	size_t selection_count;
	struct cvtpm_pcr_selection selection[CVTPM_QUOTE_SELECTIONS_MAX];
	size_t digest_len;
	uint8_t digest[CVTPM_TPM_DIGEST_MAX]; /* pcrDigest */
};

/** Reads a TPMS_ATTEST of exactly `len` bytes that must be a quote made by a TPM.
 *  TRUNCATED, TRAILING, LENGTH, VALUE, ALGORITHM, QUOTE_MAGIC (not made inside a TPM),
 *  QUOTE_TYPE, QUOTE_SELECTION (a bank twice, or PCRs above 23). */
int cvtpm_quote_read(const uint8_t *attest, size_t len, struct cvtpm_quote *out);

/** extraData equals the nonce that the verifier gave. QUOTE_NONCE.
 *  CVTPM_ERR_PARAM: the nonce is empty. */
int cvtpm_quote_check_nonce(const struct cvtpm_quote *quote, const uint8_t *nonce, size_t len);

/* Where an AK stands, as its qualified name tells. */
enum cvtpm_ak_place {
	CVTPM_AK_ELSEWHERE, /* below a key that was not given */
	CVTPM_AK_UNDER_EK,  /* child of the given EK */
	CVTPM_AK_PRIMARY_ENDORSEMENT,
	CVTPM_AK_PRIMARY_OWNER,
	CVTPM_AK_PRIMARY_PLATFORM,
	CVTPM_AK_PRIMARY_NULL, /* such a key dies at the next TPM reset */
};

/** Whether the qualified signer can be `ak`, and where that key stands. `ek` (primary in the
 *  endorsement hierarchy) may be NULL. *place is ELSEWHERE with 0 where no place that could be
 *  computed fits: then the qualified name neither confirms nor contradicts anything, and the
 *  signature alone speaks for the AK. QUOTE_SIGNER: not a name of the AK's nameAlg.
 *  CVTPM_ERR_CRYPTO. */
int cvtpm_quote_check_signer(const struct cvtpm_quote *quote, const struct cvtpm_tpm_public *ak,
			     const struct cvtpm_tpm_public *ek, enum cvtpm_ak_place *place);

/** "below the EK", "primary key of the owner hierarchy", ... Static. */
const char *cvtpm_ak_place_text(enum cvtpm_ak_place place);

/** The quote speaks of every PCR in `mask` of bank `alg`. A TPM leaves out what it does not
 *  have, so that a quote over a bank that is off is a valid quote over nothing.
 *  QUOTE_UNCOVERED. */
int cvtpm_quote_check_covers(const struct cvtpm_quote *quote, uint16_t alg, uint32_t mask);

/** pcrDigest is that of the given values, with `hash` that of the signature (Part 3, 18.4).
 *  Values that the quote does not select are not judged. QUOTE_PCR_MISSING (a selected one is
 *  not given), QUOTE_PCR_DIGEST. CVTPM_ERR_NO_MEMORY, CVTPM_ERR_CRYPTO, CVTPM_ERR_PARAM (hash). */
int cvtpm_quote_check_pcrs(const struct cvtpm_quote *quote, uint16_t hash,
			   const struct cvtpm_pcrs *pcrs);

/* What happened between two quotes by one AK. */
enum cvtpm_clock_change {
	CVTPM_CLOCK_SAME_BOOT, /* no reset, no restart; time went on */
	CVTPM_CLOCK_RESTARTED, /* same boot, the TPM was restarted or resumed */
	CVTPM_CLOCK_RESET,     /* the machine was started anew */
	CVTPM_CLOCK_WENT_BACK, /* the later quote is older: a copy of the state, or a TPM cleared */
};

/** Compares the clocks of an earlier and a later quote. Differences of the counters are taken
 *  modulo 2^32, as the numbers may be hidden by constants; half of the range counts as back. */
enum cvtpm_clock_change cvtpm_quote_compare_clock(const struct cvtpm_quote *earlier,
						  const struct cvtpm_quote *later);

/* ---- event logs ---- */

#define CVTPM_LOG_MAX_SIZE    ((size_t)64 << 20) /* larger logs are refused whole */
#define CVTPM_LOG_BANKS_MAX   8                  /* algorithms in a TCG log */
#define CVTPM_IMA_FIELDS_MAX  5
#define CVTPM_EVENT_NO_ACTION 3 /* EV_NO_ACTION: in the log, not in a PCR */

enum cvtpm_log_format {
	CVTPM_LOG_TCG_SHA1,   /* TCG_PCClientPCREvent throughout (TPM 1.2 and old firmware) */
	CVTPM_LOG_TCG_AGILE,  /* "Spec ID Event03", then TCG_PCR_EVENT2 */
	CVTPM_LOG_IMA_ASCII,  /* ascii_runtime_measurements */
	CVTPM_LOG_IMA_BINARY, /* binary_runtime_measurements, little-endian */
};

struct cvtpm_span {
	const uint8_t *data;
	size_t len;
};

/* A log while it is read. Filled by the open functions; moved by cvtpm_log_next(); copy it to
 * read again from there. Reads the caller's bytes, owns nothing. */
struct cvtpm_log {
	enum cvtpm_log_format format;
	struct cvtpm_span bytes;
	size_t at;     /* offset of what comes next; after a problem, of the bad entry */
	size_t number; /* entries read so far */
	size_t bank_count;
	struct {
		uint16_t alg;
		uint16_t size;
	} bank[CVTPM_LOG_BANKS_MAX]; /* algorithms of the digests in the log */
	bool pcr0_extended;          /* inside */
	bool locality_seen;
};

/* What can be said of a digest in the log and the data beside it. */
enum cvtpm_event_data {
	CVTPM_EVENT_DATA_NOT_HASHED, /* the digest is of something else: the data is a remark */
	CVTPM_EVENT_DATA_MATCHES,    /* every digest is the hash of the data */
	CVTPM_EVENT_DATA_DIFFERS, /* and should be, but is not: the data is not what was measured */
};

/* How the bytes of a field of an IMA entry are written in the log. */
enum cvtpm_ima_field_kind {
	CVTPM_IMA_DIGEST, /* "sha256:" and, ASCII: hexadecimal; binary: a zero byte and the digest
			   */
	CVTPM_IMA_TEXT,   /* a path; in binary logs with its final zero byte */
	CVTPM_IMA_BLOB,   /* signature or buffer; ASCII: hexadecimal; may be empty */
};

struct cvtpm_log_event {
	enum cvtpm_log_format format;
	size_t number; /* from 1, as people count */
	size_t offset; /* of its first byte in the log */
	uint32_t pcr;
	uint32_t type;     /* TCG event type; 0 in IMA logs */
	bool extends;      /* false: EV_NO_ACTION */
	int locality;      /* StartupLocality event: 0, 3 or 4; else -1 */
	size_t bank_count; /* digests in the log */
	struct {
		uint16_t alg;
		uint16_t size;
		const uint8_t *digest; /* IMA ASCII: NULL, see template_digest */
	} bank[CVTPM_LOG_BANKS_MAX];
	struct cvtpm_span data; /* event data; IMA binary: the template data; ASCII: the line */

	/* IMA only. */
	bool violation;                                /* all zeros in the log, all ones extended */
	uint8_t template_digest[CVTPM_TPM_DIGEST_MAX]; /* as in the log, bank[0] says which */
	struct cvtpm_span template_name;               /* "ima-ng" */
	size_t field_count;                            /* 0: a template that is not known here */
	struct {
		enum cvtpm_ima_field_kind kind;
		struct cvtpm_span bytes;
	} field[CVTPM_IMA_FIELDS_MAX];
	struct cvtpm_span path;             /* of the file, without the final zero byte */
	struct cvtpm_span file_digest_name; /* "sha256" */
	struct cvtpm_span file_digest;      /* as written: ASCII hexadecimal, binary raw */
};

/** Opens a TCG log of either format and reads its header. LOG_TOO_LARGE, LOG_TRUNCATED,
 *  LOG_HEADER (the Spec ID event is not what it must be). An empty log is LOG_TRUNCATED. */
int cvtpm_log_open_tcg(struct cvtpm_log *log, const uint8_t *bytes, size_t len);

/** Opens an IMA list as text. Its digests are of the algorithm that the first line's length
 *  gives: SHA-1 in ascii_runtime_measurements, others in ascii_runtime_measurements_<alg>.
 *  Every line ends in a line feed; an empty list is fine. LOG_TOO_LARGE, IMA_LINE. */
int cvtpm_log_open_ima_ascii(struct cvtpm_log *log, const uint8_t *bytes, size_t len);

/** Opens a binary IMA list with digests of `alg` (SHA-1 unless the file's name says
 *  otherwise). LOG_TOO_LARGE; CVTPM_ERR_PARAM: not a hash. */
int cvtpm_log_open_ima_binary(struct cvtpm_log *log, const uint8_t *bytes, size_t len,
			      uint16_t alg);

/** The next entry. CVTPM_ERR_NOT_FOUND: the log is at its end. Otherwise a problem, again at
 *  every further call: LOG_TRUNCATED, LOG_DIGESTS (an algorithm that the header does not
 *  announce, one twice, or one missing), LOG_PCR (no such PCR), LOG_LOCALITY, IMA_LINE,
 *  IMA_TEMPLATE (ASCII only: how the fields were hashed is not known). log->at and
 *  log->number + 1 then say where. */
int cvtpm_log_next(struct cvtpm_log *log, struct cvtpm_log_event *event);

/** The name of a TCG event type ("EV_SEPARATOR"); NULL: not known here. Static. */
const char *cvtpm_log_type_name(uint32_t type);

/** Whether the event's digests belong to its data. For TCG events of a type whose digest is of
 *  the data (PC Client PFP, event types); for IMA entries, whether the template digest is that
 *  of the fields. Banks of an algorithm not known here are passed over.
 *  CVTPM_ERR_NO_MEMORY, CVTPM_ERR_CRYPTO. */
int cvtpm_log_check_data(const struct cvtpm_log_event *event, enum cvtpm_event_data *outcome);

/** What this event put into the bank `alg`, cvtpm_tpm_digest_size(alg) bytes. IMA: the template
 *  data hashed anew for the bank (Linux 5.8 and later), or with `ima_padded` the SHA-1 digest
 *  and zeros (before).
 *  LOG_NO_BANK: the log does not tell. CVTPM_ERR_PARAM (not a hash known here), and faults. */
int cvtpm_log_event_digest(const struct cvtpm_log_event *event, uint16_t alg, bool ima_padded,
			   uint8_t digest[CVTPM_TPM_DIGEST_MAX]);

/* Logs that together explain PCRs, in the order in which they were made (firmware's first).
 * Each is read from the beginning; the structs are not moved. */
struct cvtpm_log_set {
	const struct cvtpm_log *log[4];
	size_t count;
	bool ima_padded; /* see cvtpm_log_event_digest() */
};

/* Where in a set of logs. */
struct cvtpm_log_place {
	size_t log;    /* index in the set */
	size_t number; /* of the entry, from 1; 0: nowhere */
	size_t offset;
};

/** Extends every entry of the logs into every bank of `pcrs` whose algorithm it knows; `pcrs`
 *  starts as cvtpm_pcrs_reset() leaves it (StartupLocality is applied here). Banks that a TCG
 *  log does not carry lose the PCRs that it touches (`given` is cleared for them).
 *  A problem as cvtpm_log_next() gives, with *where (may be NULL) set. CVTPM_ERR_NO_MEMORY,
 *  CVTPM_ERR_CRYPTO. */
int cvtpm_log_replay(const struct cvtpm_log_set *set, struct cvtpm_pcrs *pcrs,
		     struct cvtpm_log_place *where);

/** The first entry of the set whose data is not what its digests are of; where->number 0:
 *  there is none. Also to be looked at when PCRs agree: such an entry was measured, but its
 *  description is not to be believed. */
int cvtpm_log_find_altered_data(const struct cvtpm_log_set *set, struct cvtpm_log_place *where);

/** The first entry in which `log` departs from a `reference` that is known to be good: another
 *  PCR, type or digest of bank `alg`, considering only entries that extend PCRs in `mask`.
 *  Both places are 0 where the logs agree; one of them is 0 where that log ends first. */
int cvtpm_log_find_departure(const struct cvtpm_log *log, const struct cvtpm_log *reference,
			     uint16_t alg, uint32_t mask, struct cvtpm_log_place *where,
			     struct cvtpm_log_place *in_reference);

/*
 * Why a quoted PCR is not what the logs give. A hash does not say which of its
 * inputs was another, so an entry is named only where naming it is justified:
 * proven where one change to the log gives exactly the quoted value, suspected
 * where the log contradicts itself.
 */
enum cvtpm_pcr_outcome {
	CVTPM_PCR_MATCHES,
	CVTPM_PCR_NOT_LOGGED,  /* no log has this bank: could not tell */
	CVTPM_PCR_LOG_GOES_ON, /* proven: the entries before the named one give the quoted value.
				  The log was read after the quote was made, or entries were added
				*/
	CVTPM_PCR_ENTRY_ADDED, /* proven: without the named entry the log gives the quoted value */
	CVTPM_PCR_ENTRY_ALTERED,   /* proven: with the hash of its own data in place of the named
				      entry's digest (IMA: the listed digest in place of that of the
				      fields) the log gives the quoted value; where several entries
				      had to be changed so, the first of them is named */
	CVTPM_PCR_ENTRIES_SWAPPED, /* proven: with the named entry and the next one of this PCR
				      exchanged, the log gives the quoted value */
	CVTPM_PCR_ENTRY_SUSPECTED, /* not proven: the first entry of this PCR whose data is not what
				      its digest is of */
	CVTPM_PCR_LOG_INCOMPLETE, /* no entry can be named: one or more are missing, or several were
				     changed */
};

/* Single changes are tried only for PCRs with at most so many entries: the work grows with the
 * square. */
#define CVTPM_PCR_EXPLAIN_MAX 256

struct cvtpm_pcr_finding {
	enum cvtpm_pcr_outcome outcome;
	struct cvtpm_log_place where;           /* the named entry */
	size_t entries;                         /* of this PCR in the logs */
	size_t matching;                        /* LOG_GOES_ON: how many of them the quote covers */
	size_t size;                            /* of the value */
	uint8_t replayed[CVTPM_TPM_DIGEST_MAX]; /* what the whole log gives */
};

/** Compares what the logs give for one PCR of one bank with the quoted value (of the bank's
 *  digest size) and explains a difference. A problem as cvtpm_log_next() gives, with
 *  finding->where set; CVTPM_ERR_PARAM (not a PCR, not a hash), CVTPM_ERR_NO_MEMORY,
 *  CVTPM_ERR_CRYPTO. */
int cvtpm_pcr_explain(const struct cvtpm_log_set *set, uint16_t alg, uint32_t pcr,
		      const uint8_t *quoted, struct cvtpm_pcr_finding *finding);

/** A stable name ("entry-added") and a phrase for people. Static. */
const char *cvtpm_pcr_outcome_id(enum cvtpm_pcr_outcome outcome);
const char *cvtpm_pcr_outcome_text(enum cvtpm_pcr_outcome outcome);

#endif
