#include "verify/policy_names.h"
#include "cvtpm/instance.h"
#include "cvtpm/tpm_evidence.h"

#include <stdio.h>
#include <string.h>

const struct policy_word policy_guest_bits[] = {
	{"smt", 1u << 16, "may run where SMT is on"},
	{"migration", 1u << 18, "may be given to a migration agent"},
	{"debug", 1u << 19, "may be debugged by the host"},
	{"single-socket", 1u << 20, "runs on one socket only"},
	{"cxl", 1u << 21, "may have memory behind CXL"},
	{"aes-256-xts", 1u << 22, "has its memory encrypted with AES-256-XTS"},
	{"rapl-disabled", 1u << 23, "runs only where power cannot be measured finely (RAPL off)"},
	{"ciphertext-hiding", 1u << 24, "runs only where the host cannot read ciphertext"},
	{"page-swap-disabled", 1u << 25, "does not let the host move its pages"},
	{0},
};

const struct policy_word policy_platform_bits[] = {
	{"smt", 1u << 0, "SMT is on"},
	{"tsme", 1u << 1, "all memory is encrypted (TSME)"},
	{"ecc", 1u << 2, "memory has ECC"},
	{"rapl-disabled", 1u << 3, "power cannot be measured finely (RAPL off)"},
	{"ciphertext-hiding", 1u << 4, "the host cannot read ciphertext"},
	{"alias-check", 1u << 5, "no two addresses lead to one memory cell, checked at boot"},
	{"tio", 1u << 7, "trusted I/O is on"},
	{0},
};

const struct policy_word policy_products[] = {
	{"Milan", 1u << CVTPM_PRODUCT_MILAN, NULL},
	{"Genoa", 1u << CVTPM_PRODUCT_GENOA, NULL},
	{"Turin", 1u << CVTPM_PRODUCT_TURIN, NULL},
	{0},
};

const struct policy_word policy_tcb_parts[] = {
	{"fmc", CVTPM_TCB_FMC, NULL}, /* Turin only */
	{"boot_loader", CVTPM_TCB_BOOT_LOADER, NULL},
	{"tee", CVTPM_TCB_TEE, NULL},
	{"snp", CVTPM_TCB_SNP, NULL},
	{"microcode", CVTPM_TCB_MICROCODE, NULL},
	{0},
};

const struct policy_word policy_tcb_kinds[] = {
	{"current", CVTPM_TCB_CURRENT, "runs now"},
	{"reported", CVTPM_TCB_REPORTED, "the signing key stands for"},
	{"committed", CVTPM_TCB_COMMITTED, "the host can go back to"},
	{"launch", CVTPM_TCB_LAUNCH, "launched the guest"},
	{0},
};

const struct policy_word policy_signing_keys[] = {
	{"VCEK", CVTPM_SIGNED_BY_VCEK, NULL},
	{"VLEK", CVTPM_SIGNED_BY_VLEK, NULL},
	{0},
};

const struct policy_word policy_ek_algorithms[] = {
	{"rsa2048", CVTPM_EK_RSA2048, NULL},
	{"p256", CVTPM_EK_P256, NULL},
	{"p384", CVTPM_EK_P384, NULL},
	{"rsa3072", CVTPM_EK_RSA3072, NULL},
	{0},
};

const struct policy_word policy_isolations[] = {
	{"svsm", CVTPM_ISOLATION_SVSM, NULL},
	{"process", CVTPM_ISOLATION_PROCESS, NULL},
	{0},
};

const struct policy_word policy_hashes[] = {
	{"sha1", CVTPM_TPM_ALG_SHA1, NULL},
	{"sha256", CVTPM_TPM_ALG_SHA256, NULL},
	{"sha384", CVTPM_TPM_ALG_SHA384, NULL},
	{"sha512", CVTPM_TPM_ALG_SHA512, NULL},
	{0},
};

const char *policy_word_of(const struct policy_word *words, uint64_t value)
{
	for (; words->word; words++)
		if (words->value == value)
			return words->word;
	return "";
}

void policy_words_text(char text[POLICY_WORDS_SIZE], const struct policy_word *words, uint64_t bits)
{
	size_t used = 0;

	snprintf(text, POLICY_WORDS_SIZE, "none");
	for (unsigned i = 0; i < 64 && used + 24 < POLICY_WORDS_SIZE; i++) {
		const char *word = policy_word_of(words, (uint64_t)1 << i);
		const char *comma = used ? ", " : "";

		if (!(bits >> i & 1))
			continue;
		used += (size_t)(*word ? snprintf(text + used, POLICY_WORDS_SIZE - used, "%s%s",
						  comma, word)
				       : snprintf(text + used, POLICY_WORDS_SIZE - used, "%sbit-%u",
						  comma, i));
	}
}
