/*
 * What makes a key an attestation key. The name that a credential proves covers
 * the attributes, so that these rules speak of the very key that signs.
 */
#include "verify/tpm/internal.h"

#include <string.h>

static const struct cvtpm_ak_rule rules[] = {
	{"fixedTPM", 1u << 1, true, "the key can be moved to another TPM"},
	{"fixedParent", 1u << 4, true, "the key can be moved below another parent"},
	{"sensitiveDataOrigin", 1u << 5, true,
	 "the private key came from outside, and may exist elsewhere"},
	{"restricted", 1u << 16, true,
	 "the key signs anything, so that its signature does not show that a TPM made a quote"},
	{"sign", 1u << 18, true, "the key cannot sign"},
	{"decrypt", 1u << 17, false, "the key also decrypts, and is no attestation key"},
};

const struct cvtpm_ak_rule *cvtpm_ak_rule_at(size_t i)
{
	return i < sizeof(rules) / sizeof(rules[0]) ? &rules[i] : NULL;
}

bool cvtpm_ak_rule_holds(const struct cvtpm_ak_rule *rule, const struct cvtpm_tpm_public *key)
{
	return ((key->attributes & rule->bit) != 0) == rule->set;
}

const struct cvtpm_ak_rule *cvtpm_ak_broken_rule(const struct cvtpm_tpm_public *key)
{
	const struct cvtpm_ak_rule *rule;

	for (size_t i = 0; (rule = cvtpm_ak_rule_at(i)); i++) {
		if (!cvtpm_ak_rule_holds(rule, key))
			return rule;
	}
	return NULL;
}

int qualified_name(const struct cvtpm_tpm_public *key, const uint8_t *parent, size_t parent_len,
		   uint8_t name[CVTPM_TPM_NAME_MAX])
{
	memcpy(name, key->name, 2);
	return tpm_digest(key->name_alg, parent, parent_len, key->name, key->name_len, name + 2);
}
