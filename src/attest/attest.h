/*
 * The machine's side of attestation: reading what a TPM has to show, making an
 * AK below its EK, answering a challenge.
 *
 * Everything that is gathered is put into `bundle` and owned here until
 * attest_close(). Hosted.
 */
#ifndef CVTPM_ATTEST_H
#define CVTPM_ATTEST_H

#include "attest/connection.h"
#include "cvtpm/bundle.h"
#include "cvtpm/ek_template.h"

#define ATTEST_OWNED_MAX 32

struct attest {
	struct tpm_connection *tpm;
	struct cvtpm_bundle bundle;
	const struct cvtpm_ek_template *ek;
	uint32_t ek_handle, ak_handle, session; /* 0: none */
	bool ek_is_transient;
	struct cvtpm_bytes ak_private; /* TPM2B_PRIVATE */
	uint8_t *owned[ATTEST_OWNED_MAX];
	size_t owned_count;
	char error[640]; /* what failed, one line for people */
};

/* All return 0, or a negative enum cvtpm_err with attest->error set. */

void attest_open(struct attest *attest, struct tpm_connection *tpm);
/** Flushes what was loaded, wipes and frees. */
void attest_close(struct attest *attest);

/** EK certificate, report index, issuer's and platform certificate, EK public area: of the EK
 *  `kind`, or with 0 of the first that has a certificate. */
int attest_read_identity(struct attest *attest, enum cvtpm_ek kind);

/** A new AK below the EK: ECC P-256, ECDSA with SHA-256. */
int attest_create_ak(struct attest *attest);
/** The AK of a file, of this same EK. CVTPM_ERR_POLICY: of another EK. */
int attest_load_ak(struct attest *attest, const uint8_t *file, size_t len);
/** What to keep of it. */
struct cvtpm_ak_file attest_ak_file(const struct attest *attest);

/** Values of PCRs. */
int attest_read_pcrs(struct attest *attest, const struct cvtpm_pcr_choice *choice);

/** The secret of the challenge, and a quote over its nonce with the values that it quotes.
 *  CVTPM_ERR_POLICY: the challenge is for another AK or EK. */
int attest_answer(struct attest *attest, const struct cvtpm_challenge *challenge);

/** Keeps a copy of bytes, as an item of the bundle. */
int attest_add(struct attest *attest, enum cvtpm_bundle_item item, const uint8_t *data, size_t len);

#endif
