/*
 * Evidence on its way: the bundle of a machine, and the challenge of a verifier.
 *
 * A bundle is one file with everything that a remote verifier needs of a TPM. It
 * is a collection of RFC 9999 (Conceptual Message Wrapper, media type
 * application/cmw+cbor) in deterministic CBOR; docs/bundle.md lists labels and
 * media types. A bundle is read strictly (an unknown label, a type under
 * another's label, an order that is not deterministic are refused) and is only a
 * container: nothing in it is believed before cvtpm_verify_evidence().
 *
 * That a machine is alive, and that its AK lives beside its EK, takes two round
 * trips:
 *
 *     machine:   bundle 1, with EK certificate and AK
 *     verifier:  challenge = nonce, and a secret wrapped for that EK and that AK
 *                alone; the secret itself is kept (cvtpm_challenge_make())
 *     machine:   bundle 2, with the secret, and the AK's quote over the nonce
 *     verifier:  cvtpm_verify_evidence() with what was kept in policy->asked
 *
 * What was kept is used once: the caller destroys it before it judges an answer.
 *
 * Nothing here keeps state. Items point into the caller's bytes.
 *
 * Hosted (OpenSSL 3, libcbor).
 */
#ifndef CVTPM_BUNDLE_H
#define CVTPM_BUNDLE_H

#include "cvtpm/evidence.h"
#include "cvtpm/tpm_evidence.h"

/* Larger ones are refused: room for two event logs and all the rest. */
#define CVTPM_BUNDLE_MAX_SIZE (2 * CVTPM_LOG_MAX_SIZE + ((size_t)4 << 20))

/* In the order of the file, that of the labels in deterministic CBOR. */
enum cvtpm_bundle_item {
	CVTPM_BUNDLE_AK,                   /* TPM2B_PUBLIC */
	CVTPM_BUNDLE_PCRS,                 /* values of PCRs, see cvtpm_pcrs_decode() */
	CVTPM_BUNDLE_QUOTE,                /* TPMS_ATTEST */
	CVTPM_BUNDLE_ISSUER,               /* certificates of the EK certificate's issuer, DER */
	CVTPM_BUNDLE_REPORT,               /* an ek-pub report that is not in the EK certificate */
	CVTPM_BUNDLE_SECRET,               /* as TPM2_ActivateCredential gave it */
	CVTPM_BUNDLE_IMA_LOG,              /* text or binary */
	CVTPM_BUNDLE_EK_PUBLIC,            /* TPM2B_PUBLIC */
	CVTPM_BUNDLE_EVENT_LOG,            /* of the firmware, TCG PC Client */
	CVTPM_BUNDLE_SIGNATURE,            /* of the quote, TPMT_SIGNATURE */
	CVTPM_BUNDLE_CERTIFICATES,         /* VCEK or VLEK, ASK or ASVK, PEM */
	CVTPM_BUNDLE_INDEX_REPORT,         /* the report of the report index */
	CVTPM_BUNDLE_EK_CERTIFICATE,       /* DER */
	CVTPM_BUNDLE_PLATFORM_CERTIFICATE, /* DER */
	CVTPM_BUNDLE_ITEMS
};

struct cvtpm_bundle {
	struct cvtpm_bytes item[CVTPM_BUNDLE_ITEMS]; /* data NULL: not in it */
};

/** Reads a bundle; the items point into `data`.
 *  CVTPM_ERR_FORMAT: not a bundle; *why (constant text) says what is wrong. */
int cvtpm_bundle_read(struct cvtpm_bundle *bundle, const uint8_t *data, size_t len,
		      const char **why);

/** Writes a bundle. *len in: room, out: the size that it has, also with CVTPM_ERR_SIZE. */
int cvtpm_bundle_write(const struct cvtpm_bundle *bundle, uint8_t *out, size_t *len);

/** Sets in `evidence` and `machine` what the bundle has; what belongs into lists of
 *  certificates (issuer, certificates) is the caller's to add. */
void cvtpm_bundle_evidence(const struct cvtpm_bundle *bundle, struct cvtpm_evidence *evidence,
			   struct cvtpm_machine *machine);

/* ---- PCR values and selections, as CBOR ---- */

#define CVTPM_PCRS_ENCODED_MAX_SIZE 16384

/** {algorithm: {PCR: value}}, all numbers ascending. *len as above. */
int cvtpm_pcrs_encode(const struct cvtpm_pcrs *pcrs, uint8_t *out, size_t *len);
/** CVTPM_ERR_FORMAT with *why. */
int cvtpm_pcrs_decode(struct cvtpm_pcrs *pcrs, const uint8_t *data, size_t len, const char **why);

/* Which PCRs are asked for. */
struct cvtpm_pcr_choice {
	size_t count;
	struct cvtpm_pcr_selection bank[CVTPM_PCR_BANKS_MAX];
};

/** Reads "sha256:0-7,10+sha384:0", as people write it. False: it is not that. */
bool cvtpm_pcr_choice_parse(const char *text, struct cvtpm_pcr_choice *choice);

/* ---- challenges ---- */

#define CVTPM_CHALLENGE_SIZE     32   /* bytes of nonce, and of secret */
#define CVTPM_CHALLENGE_MAX_AGE  3600 /* seconds that an answer may take */
#define CVTPM_CHALLENGE_MAX_FILE 4096

struct cvtpm_name {
	size_t len;
	uint8_t bytes[CVTPM_TPM_NAME_MAX];
};

/* What goes to the machine. */
struct cvtpm_challenge {
	uint8_t nonce[CVTPM_CHALLENGE_SIZE];
	struct cvtpm_name ak, ek; /* for which it was made */
	struct cvtpm_pcr_choice pcrs;
	struct cvtpm_credential credential;
};

/* What the verifier keeps, secret, and uses once. */
struct cvtpm_challenge_secret {
	uint8_t nonce[CVTPM_CHALLENGE_SIZE];
	uint8_t secret[CVTPM_CHALLENGE_SIZE];
	struct cvtpm_name ak, ek;
	struct cvtpm_pcr_choice pcrs;
	int64_t made_at; /* seconds since 1970 */
};

/** Makes a challenge for the EK and AK of a bundle. 0; a positive enum cvtpm_tpm_problem: one
 *  of the two cannot be used, *which ("ek-public", "ak") says which; CVTPM_ERR_NOT_FOUND: one is
 *  missing, likewise; CVTPM_ERR_ENTROPY, CVTPM_ERR_CRYPTO, CVTPM_ERR_NO_MEMORY. */
int cvtpm_challenge_make(const struct cvtpm_bundle *bundle, const struct cvtpm_pcr_choice *pcrs,
			 int64_t now, struct cvtpm_challenge *challenge,
			 struct cvtpm_challenge_secret *secret, const char **which);

/** Both as files, collections likewise (CVTPM_CHALLENGE_MAX_FILE is room enough). */
int cvtpm_challenge_write(const struct cvtpm_challenge *challenge, uint8_t *out, size_t *len);
int cvtpm_challenge_read(struct cvtpm_challenge *challenge, const uint8_t *data, size_t len,
			 const char **why);
int cvtpm_challenge_secret_write(const struct cvtpm_challenge_secret *secret, uint8_t *out,
				 size_t *len);
int cvtpm_challenge_secret_read(struct cvtpm_challenge_secret *secret, const uint8_t *data,
				size_t len, const char **why);

/* ---- the file in which a machine keeps its AK ---- */

struct cvtpm_ak_file {
	struct cvtpm_bytes public_area, private_area; /* TPM2B_PUBLIC, TPM2B_PRIVATE */
	struct cvtpm_bytes ek_public;                 /* of the parent, TPM2B_PUBLIC */
};

int cvtpm_ak_file_write(const struct cvtpm_ak_file *ak, uint8_t *out, size_t *len);
int cvtpm_ak_file_read(struct cvtpm_ak_file *ak, const uint8_t *data, size_t len, const char **why);

#endif
