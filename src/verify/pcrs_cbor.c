/* PCR values and choices of PCRs: as CBOR, and as people write them. */
#include "verify/pcrs_cbor.h"
#include "cvtpm/bundle.h"
#include "cvtpm/err.h"
#include "manufacture/cbor.h"
#include "verify/tokens.h"

#include <stdlib.h>
#include <string.h>

/* ---- values: {algorithm: {PCR: value}} ---- */

/* The bank with the smallest algorithm above `alg`, or NULL. */
static const struct cvtpm_bank_values *next_bank(const struct cvtpm_pcrs *pcrs, unsigned alg)
{
	const struct cvtpm_bank_values *next = NULL;

	for (size_t i = 0; i < pcrs->count; i++)
		if (pcrs->bank[i].alg > alg && (!next || pcrs->bank[i].alg < next->alg))
			next = &pcrs->bank[i];
	return next;
}

int cvtpm_pcrs_encode(const struct cvtpm_pcrs *pcrs, uint8_t *out, size_t *len)
{
	struct octets o = {.bytes = out, .room = *len};
	const struct cvtpm_bank_values *bank;

	cbor_map(&o, pcrs->count);
	for (unsigned alg = 0; (bank = next_bank(pcrs, alg)); alg = bank->alg) {
		cbor_uint(&o, bank->alg);
		cbor_map(&o, (size_t)__builtin_popcount(bank->given));
		for (unsigned pcr = 0; pcr < CVTPM_PCR_COUNT; pcr++) {
			if (!(bank->given >> pcr & 1))
				continue;
			cbor_uint(&o, pcr);
			cbor_bytes(&o, bank->value[pcr], cvtpm_tpm_digest_size(bank->alg));
		}
	}
	*len = o.len;
	return octets_fit(&o) ? 0 : CVTPM_ERR_SIZE;
}

static bool read_number_key(struct token_reader *r, struct token *key, const uint8_t **last,
			    size_t *last_len)
{
	const uint8_t *at = r->at;

	return token_next_of(r, TOKEN_UINT, key, "a key that is no number") &&
	       token_key_ascends(r, last, last_len, at);
}

static bool read_bank(struct token_reader *r, struct cvtpm_pcrs *pcrs, uint16_t alg)
{
	struct token map, pcr, value;
	const uint8_t *last = NULL;
	size_t last_len = 0;

	if (!token_next_of(r, TOKEN_MAP, &map, "a bank that is no map"))
		return false;
	for (uint64_t i = 0; i < map.value; i++) {
		if (!read_number_key(r, &pcr, &last, &last_len) ||
		    !token_next_of(r, TOKEN_BYTES, &value, "a value that is not bytes"))
			return false;
		if (pcr.value >= CVTPM_PCR_COUNT ||
		    cvtpm_pcrs_set(pcrs, alg, (uint32_t)pcr.value, value.data, (size_t)value.value))
			return token_fail(r, "a PCR or a value that does not fit its bank");
	}
	return true;
}

int cvtpm_pcrs_decode(struct cvtpm_pcrs *pcrs, const uint8_t *data, size_t len, const char **why)
{
	struct token_reader r = {.at = data, .end = data + len};
	struct token map, alg;
	const uint8_t *last = NULL;
	size_t last_len = 0;
	bool good;

	memset(pcrs, 0, sizeof(*pcrs));
	good = token_next_of(&r, TOKEN_MAP, &map, "not a map");
	for (uint64_t i = 0; good && i < map.value; i++) {
		good = read_number_key(&r, &alg, &last, &last_len);
		if (good && (alg.value > UINT16_MAX || !cvtpm_tpm_digest_size((uint16_t)alg.value)))
			good = token_fail(&r, "a bank of an unknown hash algorithm");
		good = good && read_bank(&r, pcrs, (uint16_t)alg.value);
	}
	if (good && r.at != r.end)
		good = token_fail(&r, "bytes after its end");
	if (good)
		return 0;
	memset(pcrs, 0, sizeof(*pcrs));
	*why = r.why;
	return CVTPM_ERR_FORMAT;
}

/* ---- choices: {algorithm: bits} ---- */

int pcr_choice_encode(const struct cvtpm_pcr_choice *choice, uint8_t *out, size_t *len)
{
	struct octets o = {.bytes = out, .room = *len};
	unsigned last = 0;

	cbor_map(&o, choice->count);
	for (size_t done = 0; done < choice->count; done++) {
		const struct cvtpm_pcr_selection *next = NULL;

		for (size_t i = 0; i < choice->count; i++)
			if (choice->bank[i].alg > last &&
			    (!next || choice->bank[i].alg < next->alg))
				next = &choice->bank[i];
		if (!next)
			return CVTPM_ERR_PARAM; /* one algorithm twice */
		last = next->alg;
		cbor_uint(&o, next->alg);
		cbor_uint(&o, next->mask);
	}
	*len = o.len;
	return octets_fit(&o) ? 0 : CVTPM_ERR_SIZE;
}

int pcr_choice_decode(struct cvtpm_pcr_choice *choice, const uint8_t *data, size_t len,
		      const char **why)
{
	struct token_reader r = {.at = data, .end = data + len};
	struct token map, alg, mask;
	const uint8_t *last = NULL;
	size_t last_len = 0;
	bool good;

	memset(choice, 0, sizeof(*choice));
	good = token_next_of(&r, TOKEN_MAP, &map, "a choice of PCRs that is no map") &&
	       (map.value <= CVTPM_PCR_BANKS_MAX || token_fail(&r, "too many banks"));
	for (uint64_t i = 0; good && i < map.value; i++) {
		good = read_number_key(&r, &alg, &last, &last_len) &&
		       token_next_of(&r, TOKEN_UINT, &mask, "a choice that is no number");
		if (good &&
		    (alg.value > UINT16_MAX || !cvtpm_tpm_digest_size((uint16_t)alg.value) ||
		     !mask.value || mask.value >> CVTPM_PCR_COUNT))
			good = token_fail(&r, "a choice of PCRs that there are not");
		if (good)
			choice->bank[choice->count++] = (struct cvtpm_pcr_selection){
				(uint16_t)alg.value, (uint32_t)mask.value};
	}
	if (good && (r.at != r.end || !choice->count))
		good = token_fail(&r, "a choice of no PCRs, or bytes after it");
	if (good)
		return 0;
	*why = r.why;
	return CVTPM_ERR_FORMAT;
}

/* ---- "sha256:0-7,10+sha384:0" ---- */

static bool parse_number(const char **p, unsigned *number)
{
	char *end;
	unsigned long value;

	if (**p < '0' || **p > '9')
		return false;
	value = strtoul(*p, &end, 10);
	if (value >= CVTPM_PCR_COUNT)
		return false;
	*number = (unsigned)value;
	*p = end;
	return true;
}

static bool parse_list(const char **p, uint32_t *mask)
{
	unsigned first, last;

	for (;; (*p)++) {
		if (!parse_number(p, &first))
			return false;
		last = first;
		if (**p == '-') {
			(*p)++;
			if (!parse_number(p, &last) || last < first)
				return false;
		}
		for (unsigned pcr = first; pcr <= last; pcr++)
			*mask |= 1u << pcr;
		if (**p != ',')
			return true;
	}
}

static uint16_t find_hash(const char *name, size_t len)
{
	static const uint16_t known[] = {CVTPM_TPM_ALG_SHA1, CVTPM_TPM_ALG_SHA256,
					 CVTPM_TPM_ALG_SHA384, CVTPM_TPM_ALG_SHA512};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const char *text = cvtpm_tpm_hash_name(known[i]);

		if (strlen(text) == len && !strncmp(text, name, len))
			return known[i];
	}
	return 0;
}

bool cvtpm_pcr_choice_parse(const char *text, struct cvtpm_pcr_choice *choice)
{
	const char *p = text;

	memset(choice, 0, sizeof(*choice));
	for (;; p++) {
		size_t len = strcspn(p, ":");
		uint16_t alg = find_hash(p, len);
		struct cvtpm_pcr_selection *bank = &choice->bank[choice->count];

		if (!alg || p[len] != ':' || choice->count == CVTPM_PCR_BANKS_MAX)
			return false;
		for (size_t i = 0; i < choice->count; i++)
			if (choice->bank[i].alg == alg)
				return false;
		bank->alg = alg;
		p += len + 1;
		if (!parse_list(&p, &bank->mask))
			return false;
		choice->count++;
		if (*p != '+')
			return !*p;
	}
}
