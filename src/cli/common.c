#include "cli/common.h"

#include "cli/cli.h"
#include "cli/config.h"

#include <stdio.h>
#include <string.h>

static const struct list_word ek_words[] = {{"rsa2048", CVTPM_EK_RSA2048},
					    {"p256", CVTPM_EK_P256},
					    {"p384", CVTPM_EK_P384},
					    {"rsa3072", CVTPM_EK_RSA3072},
					    {NULL, 0}};

static const struct list_word bank_words[] = {{"sha1", CVTPM_PCR_SHA1},
					      {"sha256", CVTPM_PCR_SHA256},
					      {"sha384", CVTPM_PCR_SHA384},
					      {"sha512", CVTPM_PCR_SHA512},
					      {NULL, 0}};

static bool word_find(const char *text, size_t len, const struct list_word *words, unsigned *bit)
{
	for (; words->word; words++) {
		if (strlen(words->word) != len || strncmp(words->word, text, len) != 0)
			continue;
		*bit = words->bit;
		return true;
	}
	return false;
}

bool list_parse(const char *text, const struct list_word *words, unsigned *bits)
{
	*bits = 0;
	for (;;) {
		const size_t len = strcspn(text, ",");
		unsigned bit;

		if (!word_find(text, len, words, &bit))
			return false;
		*bits |= bit;
		if (text[len] == '\0')
			return true;
		text += len + 1;
	}
}

enum tpm_option {
	OPTION_ENGINE = 0x200, /* beyond characters, and beyond the subcommands' own */
	OPTION_STATE,
	OPTION_SEAL,
	OPTION_EK,
	OPTION_PCR_BANKS,
	OPTION_LAB,
	OPTION_LAB_DIR,
	OPTION_CA,
	OPTION_PLATFORM_AUTH,
};

static const struct argp_option options[] = {
	{0, 0, 0, 0, "The TPM:", 3},
	{"engine", OPTION_ENGINE, "NAME", 0, "which TPM engine: libtpms (default) or native", 3},
	{"state", OPTION_STATE, "DIR", 0,
	 "the folder of a persistent TPM; without it the TPM is ephemeral", 3},
	{"seal", OPTION_SEAL, "file:PATH|snp", 0,
	 "encrypt the state under the key in a file, or under a key that only this guest image on "
	 "this chip can derive",
	 3},
	{"ek", OPTION_EK, "LIST", 0,
	 "endorsement keys to make: rsa2048,p256,p384,rsa3072 (default: the first three)", 3},
	{"pcr-banks", OPTION_PCR_BANKS, "LIST", 0,
	 "active PCR banks: sha1,sha256,sha384,sha512 (default: sha256,sha384)", 3},
	{"platform-auth", OPTION_PLATFORM_AUTH, "random", 0,
	 "close the platform hierarchy: give it a random authorisation value that nobody knows", 3},
	{0, 0, 0, 0, "Evidence:", 4},
	{"lab", OPTION_LAB, 0, 0,
	 "take attestation reports from a simulated AMD-SP: for tests, trusted by nobody", 4},
	{"lab-dir", OPTION_LAB_DIR, "DIR", 0,
	 "where the simulated chip and its keys are kept (default: ~/.local/state/cvtpm/lab)", 4},
	{"ca", OPTION_CA, "DIR", 0,
	 "have certificates signed by the CA of `cvtpm ca init DIR`, not by a per-boot key", 4},
	{0}};

static error_t parse_list(struct argp_state *state, const char *name, const char *text,
			  const struct list_word *words, unsigned *bits)
{
	char offered[80];
	size_t at = 0;

	if (list_parse(text, words, bits))
		return 0;
	for (const struct list_word *w = words; w->word && at < sizeof offered; w++)
		at += (size_t)snprintf(offered + at, sizeof offered - at, "%s%s", at ? "," : "",
				       w->word);
	argp_error(state, "--%s=%s: write a list of %s", name, text, offered);
	return 0;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct tpm_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		*o = (struct tpm_options){.engine = cvtpm_engine_find(CVTPM_ENGINES)};
		return 0;
	case OPTION_ENGINE:
		o->engine = cvtpm_engine_find(text);
		if (!o->engine)
			argp_error(state,
				   "--engine=%s: there is no such engine; `cvtpm --version` lists "
				   "them",
				   text);
		return 0;
	case OPTION_STATE:
		o->state = text;
		return 0;
	case OPTION_SEAL:
		if (strcmp(text, "snp") != 0 && (strncmp(text, "file:", 5) != 0 || !text[5]))
			argp_error(state, "--seal=%s: write file:PATH or snp", text);
		o->seal = text;
		return 0;
	case OPTION_EK:
		return parse_list(state, "ek", text, ek_words, &o->eks);
	case OPTION_PCR_BANKS:
		return parse_list(state, "pcr-banks", text, bank_words, &o->pcr_banks);
	case OPTION_LAB:
		o->lab = true;
		return 0;
	case OPTION_LAB_DIR:
		o->lab_dir = text;
		return 0;
	case OPTION_CA:
		o->ca = text;
		return 0;
	case OPTION_PLATFORM_AUTH:
		if (strcmp(text, "random") != 0)
			argp_error(state, "--platform-auth=%s: the one value is random", text);
		o->random_platform_auth = true;
		return 0;
	case ARGP_KEY_END:
		if (o->seal && !o->state)
			argp_error(state, "--seal needs --state: an ephemeral TPM writes nothing");
		if (o->lab_dir && !o->lab)
			argp_error(state, "--lab-dir needs --lab");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp tpm_options_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};
