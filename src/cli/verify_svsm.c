#include "cli/verify_svsm.h"

#include "cli/cli.h"
#include "crypto/hex.h"

#include <string.h>

#define NONCE_SIZE   sizeof(((struct verify_svsm *)0)->nonce_bytes)
#define NONCE_DIGITS (2 * NONCE_SIZE)

const char *verify_svsm_usage(const struct verify_svsm *s, const char *report)
{
	if (s->nonce && !s->manifest)
		return "--svsm-nonce is for a --svsm-manifest";
	if (s->manifest && !report)
		return "--svsm-manifest is what a --report of the SVSM is over: give that, too";
	return NULL;
}

/* A file has the bytes themselves, or their digits and white space behind them. */
static bool read_nonce_file(struct verify_svsm *s, struct cli_files *files)
{
	struct cvtpm_bytes file;

	if (!cli_read_file(files, s->nonce, &file))
		return false;
	if (file.len == NONCE_SIZE) {
		memcpy(s->nonce_bytes, file.data, NONCE_SIZE);
		return true;
	}
	while (file.len > NONCE_DIGITS && strchr(" \t\r\n", file.data[file.len - 1]))
		file.len--;
	if (file.len == NONCE_DIGITS &&
	    cvtpm_hex_read((const char *)file.data, s->nonce_bytes, NONCE_SIZE))
		return true;
	cli_error("%s is no nonce of %zu bytes, nor its %zu hexadecimal digits", s->nonce,
		  NONCE_SIZE, NONCE_DIGITS);
	return false;
}

bool verify_svsm_open(struct verify_svsm *s, struct cli_files *files,
		      struct cvtpm_evidence *evidence, struct cvtpm_policy *policy)
{
	if (!cli_read_optional(files, s->manifest, &evidence->svsm_manifest))
		return false;
	if (!s->nonce)
		return true;
	if ((strlen(s->nonce) != NONCE_DIGITS ||
	     !cvtpm_hex_read(s->nonce, s->nonce_bytes, NONCE_SIZE)) &&
	    !read_nonce_file(s, files))
		return false;
	policy->svsm_nonce = (struct cvtpm_bytes){.data = s->nonce_bytes, .len = NONCE_SIZE};
	return true;
}
