/* The problems by name. */
#include "verify/tpm/internal.h"

static const struct {
	const char *id, *text;
} problems[CVTPM_TPM_PROBLEM_COUNT] = {
	[CVTPM_TPM_FINE] = {"fine", "nothing is wrong"},
	[CVTPM_TPM_TRUNCATED] = {"truncated", "it ends before its last field"},
	[CVTPM_TPM_TRAILING] = {"trailing", "bytes follow its last field"},
	[CVTPM_TPM_LENGTH] = {"length", "a length in it is not possible"},
	[CVTPM_TPM_VALUE] = {"value", "a field holds a value that the specification forbids"},
	[CVTPM_TPM_ALGORITHM] = {"algorithm", "it uses an algorithm that is not accepted here"},
	[CVTPM_TPM_KEY_WEAK] = {"key-weak", "the key is too short"},
	[CVTPM_TPM_KEY_INVALID] = {"key-invalid", "these numbers are not a public key"},
	[CVTPM_TPM_EK_UNUSABLE] = {"ek-unusable", "no credential can be made for a key that is "
						  "not a restricted decryption key with AES-CFB"},
	[CVTPM_TPM_JWK] = {"jwk", "not a JSON Web Key Set with exactly one such RSA key"},
	[CVTPM_TPM_SECRET_DIFFERS] = {"secret-differs", "the returned secret is not the one in the "
							"credential: the TPM does not hold both "
							"this EK and this AK"},
	[CVTPM_TPM_SIGNATURE_SCHEME] = {"signature-scheme",
					"the signature's scheme is not the key's"},
	[CVTPM_TPM_SIGNATURE_WRONG] = {"signature-wrong", "the signature is not by this key over "
							  "these bytes"},
	[CVTPM_TPM_QUOTE_MAGIC] = {"quote-magic", "it was not made inside a TPM (the magic number "
						  "is not 0xFF544347)"},
	[CVTPM_TPM_QUOTE_TYPE] = {"quote-type", "it is another attestation than a quote"},
	[CVTPM_TPM_QUOTE_NONCE] = {"quote-nonce", "it does not answer this nonce"},
	[CVTPM_TPM_QUOTE_SIGNER] = {"quote-signer", "it names a signer that cannot be this AK"},
	[CVTPM_TPM_QUOTE_SELECTION] = {"quote-selection",
				       "it selects a bank twice, or PCRs that do not exist"},
	[CVTPM_TPM_QUOTE_UNCOVERED] = {"quote-uncovered", "it does not speak of all wanted PCRs"},
	[CVTPM_TPM_QUOTE_PCR_MISSING] = {"quote-pcr-missing",
					 "the value of a PCR that it selects is not given"},
	[CVTPM_TPM_QUOTE_PCR_DIGEST] = {"quote-pcr-digest",
					"its PCR digest is not that of the given values"},
	[CVTPM_TPM_LOG_TOO_LARGE] = {"log-too-large", "the event log has more than 64 MiB"},
	[CVTPM_TPM_LOG_TRUNCATED] = {"log-truncated", "the event log ends inside an entry"},
	[CVTPM_TPM_LOG_HEADER] = {"log-header", "the event log's Spec ID event is malformed"},
	[CVTPM_TPM_LOG_DIGESTS] = {"log-digests", "an entry's digests are not those that the "
						  "event log's header announces"},
	[CVTPM_TPM_LOG_PCR] = {"log-pcr", "an entry is for a PCR that does not exist"},
	[CVTPM_TPM_LOG_LOCALITY] = {"log-locality",
				    "a StartupLocality event is malformed or in the wrong place"},
	[CVTPM_TPM_LOG_NO_BANK] = {"log-no-bank", "the event log holds no digests of this bank"},
	[CVTPM_TPM_IMA_LINE] = {"ima-line", "an entry is not one of an IMA list"},
	[CVTPM_TPM_IMA_TEMPLATE] = {"ima-template", "an entry is of an IMA template that is not "
						    "known here; try the binary list"},
};

static bool is_problem(int problem)
{
	return problem >= 0 && problem < CVTPM_TPM_PROBLEM_COUNT;
}

const char *cvtpm_tpm_problem_id(int problem)
{
	return is_problem(problem) ? problems[problem].id : "fault";
}

const char *cvtpm_tpm_problem_text(int problem)
{
	return is_problem(problem) ? problems[problem].text : cvtpm_strerror(problem);
}
