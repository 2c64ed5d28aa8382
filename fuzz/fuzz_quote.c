/*
 * What comes from a TPM but logs: public areas, quotes, signatures, key sets.
 * The first byte chooses. Nothing may crash, nothing may verify that was not
 * signed, and what is refused leaves nothing half read behind.
 */
#include "cvtpm/err.h"
#include "cvtpm/tpm_evidence.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* TPMT_PUBLIC of an ECDSA key: the generator of P-256. */
static const uint8_t ecc_ak[] = {
	0x00, 0x23, 0x00, 0x0B, 0x00, 0x05, 0x00, 0x72, 0x00, 0x00, 0x00, 0x10, 0x00, 0x18, 0x00,
	0x0B, 0x00, 0x03, 0x00, 0x10, 0x00, 0x20, 0x6B, 0x17, 0xD1, 0xF2, 0xE1, 0x2C, 0x42, 0x47,
	0xF8, 0xBC, 0xE6, 0xE5, 0x63, 0xA4, 0x40, 0xF2, 0x77, 0x03, 0x7D, 0x81, 0x2D, 0xEB, 0x33,
	0xA0, 0xF4, 0xA1, 0x39, 0x45, 0xD8, 0x98, 0xC2, 0x96, 0x00, 0x20, 0x4F, 0xE3, 0x42, 0xE2,
	0xFE, 0x1A, 0x7F, 0x9B, 0x8E, 0xE7, 0xEB, 0x4A, 0x7C, 0x0F, 0x9E, 0x16, 0x2B, 0xCE, 0x33,
	0x57, 0x6B, 0x31, 0x5E, 0xCE, 0xCB, 0xB6, 0x40, 0x68, 0x37, 0xBF, 0x51, 0xF5};

static void must(bool true_always)
{
	if (!true_always)
		abort();
}

static struct cvtpm_tpm_public the_ak(void)
{
	struct cvtpm_tpm_public ak;

	must(cvtpm_tpm_public_read(ecc_ak, sizeof(ecc_ak), &ak) == 0);
	return ak;
}

static void try_public(const uint8_t *data, size_t size)
{
	static const uint8_t secret[32] = {1};
	struct cvtpm_tpm_public key, ak = the_ak();
	struct cvtpm_credential credential;
	int rc = cvtpm_tpm_public_read(data, size, &key);

	must(rc >= 0);
	if (rc) {
		must(key.name_len == 0 && key.key.size == 0);
		return;
	}
	must(key.key.size >= 32 && key.key.size <= CVTPM_TPM_RSA_MAX);
	(void)cvtpm_ak_broken_rule(&key);
	/* RSA encryption of a hostile modulus may fail; it must not succeed with another form. */
	rc = cvtpm_credential_make(&key, ak.name, ak.name_len, secret, sizeof(secret), &credential);
	must((rc == 0) == (credential.secret_len > 0));
}

static void try_quote(const uint8_t *data, size_t size)
{
	struct cvtpm_tpm_public ak = the_ak();
	struct cvtpm_pcrs pcrs = {0};
	struct cvtpm_quote quote;
	enum cvtpm_ak_place place;
	int rc = cvtpm_quote_read(data, size, &quote);

	must(rc >= 0);
	if (rc) {
		must(quote.signer_len == 0 && quote.digest_len == 0);
		return;
	}
	must(cvtpm_quote_check_nonce(&quote, quote.extra, quote.extra_len) ==
	     (quote.extra_len ? 0 : CVTPM_ERR_PARAM));
	must(cvtpm_quote_check_signer(&quote, &ak, &ak, &place) >= 0);
	for (size_t i = 0; i < quote.selection_count; i++) {
		const struct cvtpm_pcr_selection *selection = &quote.selection[i];

		must(cvtpm_quote_check_covers(&quote, selection->alg, selection->mask) == 0);
		if (i < CVTPM_PCR_BANKS_MAX)
			must(cvtpm_pcrs_reset(&pcrs, selection->alg) == 0);
	}
	must(cvtpm_quote_check_pcrs(&quote, CVTPM_TPM_ALG_SHA256, &pcrs) >= 0);
	must(cvtpm_quote_compare_clock(&quote, &quote) == CVTPM_CLOCK_SAME_BOOT);
}

static void try_signature(const uint8_t *data, size_t size)
{
	static const uint8_t message[] = "never signed";
	struct cvtpm_tpm_public ak = the_ak();
	struct cvtpm_tpm_signature signature;
	int rc = cvtpm_tpm_signature_read(data, size, &signature);

	must(rc >= 0);
	if (!rc)
		must(cvtpm_tpm_check_signature(&ak.key, &signature, message, sizeof(message)) > 0);
}

static void try_jwk(const uint8_t *data, size_t size)
{
	struct cvtpm_tpm_key key;

	must(cvtpm_tpm_key_from_jwk((const char *)data, size, "HCLAkPub", &key) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(const uint8_t *data, size_t size) = {try_public, try_quote,
									  try_signature, try_jwk};

	if (size < 1)
		return 0;
	tries[data[0] & 3](data + 1, size - 1);
	return 0;
}
