#include "cli/verify_hcl.h"

#include "cli/cli.h"
#include "crypto/hex.h"

#include <string.h>

/* What tools leave of a bank: the values of SHA-256, one after the other. */
#define DIGEST_SIZE    32
#define BARE_BANK_SIZE ((size_t)CVTPM_PCR_COUNT * DIGEST_SIZE)

static bool is_nonce(const char *text)
{
	size_t len = strlen(text);

	return len && len % 2 == 0 && len <= (size_t)2 * CVTPM_TPM_NAME_MAX &&
	       strspn(text, "0123456789abcdefABCDEF") == len;
}

const char *verify_hcl_usage(const struct verify_hcl *h)
{
	if (!h->hcl && (h->quote || h->signature || h->nonce || h->pcrs))
		return "--quote, --quote-signature, --quote-nonce and --pcr-values belong to --hcl "
		       "(a --bundle has its own)";
	if (!h->quote != !h->signature)
		return "--quote and --quote-signature: both or neither";
	if (!h->quote && (h->nonce || h->pcrs))
		return "--quote-nonce and --pcr-values are for a --quote";
	if (h->nonce && !is_nonce(h->nonce))
		return "--quote-nonce is 2 to 132 hexadecimal digits, two for each byte";
	return NULL;
}

/* Values are CBOR, or a bare bank of SHA-256: then they are written as CBOR here. */
static bool take_values(struct verify_hcl *h)
{
	struct cvtpm_bytes *values = &h->machine.pcrs;
	struct cvtpm_pcrs pcrs = {0};
	size_t len = sizeof h->encoded;
	const char *why;

	if (values->len != BARE_BANK_SIZE ||
	    !cvtpm_pcrs_decode(&pcrs, values->data, values->len, &why))
		return true;
	pcrs = (struct cvtpm_pcrs){0};
	for (uint32_t i = 0; i < CVTPM_PCR_COUNT; i++)
		if (cvtpm_pcrs_set(&pcrs, CVTPM_TPM_ALG_SHA256, i, values->data + i * DIGEST_SIZE,
				   DIGEST_SIZE))
			return false;
	if (cvtpm_pcrs_encode(&pcrs, h->encoded, &len))
		return false;
	*values = (struct cvtpm_bytes){.data = h->encoded, .len = len, .name = values->name};
	return true;
}

bool verify_hcl_open(struct verify_hcl *h, struct cli_files *files, struct cvtpm_evidence *evidence,
		     struct cvtpm_policy *policy)
{
	if (!h->hcl)
		return true;
	if (!cli_read_file(files, h->hcl, &evidence->hcl) ||
	    !cli_read_optional(files, h->quote, &h->machine.quote) ||
	    !cli_read_optional(files, h->signature, &h->machine.signature) ||
	    !cli_read_optional(files, h->pcrs, &h->machine.pcrs))
		return false;
	if (h->quote)
		evidence->machine = &h->machine;
	if (h->nonce) {
		size_t len = strlen(h->nonce) / 2;

		cvtpm_hex_read(h->nonce, h->nonce_bytes, len);
		policy->hcl_nonce = (struct cvtpm_bytes){.data = h->nonce_bytes, .len = len};
	}
	if (take_values(h))
		return true;
	cli_error("the PCR values in %s cannot be taken", h->pcrs);
	return false;
}
