/* TPMS_ATTEST of a quote (Part 2, 10.12), and what it must say. */
#include "verify/tpm/internal.h"

#include "crypto/crypto.h"

#include <string.h>

#define TPM_GENERATED_VALUE 0xFF544347u
#define TPM_ST_ATTEST_QUOTE 0x8018u

/* A name here is a digest with its algorithm: handles do not sign. */
static bool is_name(const uint8_t *name, size_t len)
{
	size_t size = len < 2 ? 0 : cvtpm_tpm_digest_size((uint16_t)(name[0] << 8 | name[1]));

	return size && len == 2 + size;
}

/* TPMS_CLOCK_INFO (10.11.1). */
static int read_clock(struct wire_reader *r, struct cvtpm_quote *out)
{
	uint64_t safe;

	out->clock = wire_take(r, 8);
	out->reset_count = (uint32_t)wire_take(r, 4);
	out->restart_count = (uint32_t)wire_take(r, 4);
	safe = wire_take(r, 1);
	out->safe = safe == 1;
	return safe > 1 ? CVTPM_TPM_VALUE : 0;
}

/* TPMS_PCR_SELECTION (10.6.2). */
static int read_selection(struct wire_reader *r, struct cvtpm_pcr_selection *out)
{
	size_t size;
	const uint8_t *bits;

	out->alg = (uint16_t)wire_take(r, 2);
	size = (size_t)wire_take(r, 1);
	bits = wire_take_bytes(r, size);
	if (!bits)
		return CVTPM_TPM_TRUNCATED;
	if (!tpm_hash_of(out->alg))
		return CVTPM_TPM_ALGORITHM;
	if (size < 3 || size > 4) /* PCR_SELECT_MIN of PC Client */
		return CVTPM_TPM_LENGTH;
	if (size == 4 && bits[3])
		return CVTPM_TPM_QUOTE_SELECTION;
	out->mask = bits[0] | (uint32_t)bits[1] << 8 | (uint32_t)bits[2] << 16;
	return 0;
}

static int read_selections(struct wire_reader *r, struct cvtpm_quote *out)
{
	uint64_t count = wire_take(r, 4);

	if (r->bad)
		return CVTPM_TPM_TRUNCATED;
	if (count > CVTPM_QUOTE_SELECTIONS_MAX)
		return CVTPM_TPM_LENGTH;
	for (out->selection_count = 0; out->selection_count < count; out->selection_count++) {
		struct cvtpm_pcr_selection *selection = &out->selection[out->selection_count];

		TRY(read_selection(r, selection));
		for (size_t i = 0; i < out->selection_count; i++) {
			if (out->selection[i].alg == selection->alg)
				return CVTPM_TPM_QUOTE_SELECTION;
		}
	}
	return 0;
}

static int read_quote(const uint8_t *attest, size_t len, struct cvtpm_quote *out)
{
	struct wire_reader r = {.bytes = attest, .left = len};
	uint64_t magic = wire_take(&r, 4);
	uint64_t type = wire_take(&r, 2);

	if (r.bad)
		return CVTPM_TPM_TRUNCATED;
	if (magic != TPM_GENERATED_VALUE)
		return CVTPM_TPM_QUOTE_MAGIC;
	if (type != TPM_ST_ATTEST_QUOTE)
		return CVTPM_TPM_QUOTE_TYPE;
	TRY(take_sized(&r, out->signer, sizeof(out->signer), &out->signer_len));
	if (!is_name(out->signer, out->signer_len))
		return CVTPM_TPM_VALUE;
	TRY(take_sized(&r, out->extra, sizeof(out->extra), &out->extra_len));
	TRY(read_clock(&r, out));
	out->firmware_version = wire_take(&r, 8);
	TRY(read_selections(&r, out));
	TRY(take_sized(&r, out->digest, sizeof(out->digest), &out->digest_len));
	return wire_outcome(&r);
}

int cvtpm_quote_read(const uint8_t *attest, size_t len, struct cvtpm_quote *out)
{
	int rc;

	*out = (struct cvtpm_quote){0};
	rc = read_quote(attest, len, out);
	if (rc)
		*out = (struct cvtpm_quote){0};
	return rc;
}

int cvtpm_quote_check_nonce(const struct cvtpm_quote *quote, const uint8_t *nonce, size_t len)
{
	if (!len)
		return CVTPM_ERR_PARAM;
	return len == quote->extra_len && cvtpm_equal(nonce, quote->extra, len)
		       ? 0
		       : CVTPM_TPM_QUOTE_NONCE;
}

/* ---- who signed ---- */

static const struct {
	enum cvtpm_ak_place place;
	uint8_t handle[4];
	const char *text;
} places[] = {
	{CVTPM_AK_PRIMARY_ENDORSEMENT,
	 {0x40, 0, 0, 0x0B},
	 "primary key of the endorsement hierarchy"},
	{CVTPM_AK_PRIMARY_OWNER, {0x40, 0, 0, 0x01}, "primary key of the owner hierarchy"},
	{CVTPM_AK_PRIMARY_PLATFORM, {0x40, 0, 0, 0x0C}, "primary key of the platform hierarchy"},
	{CVTPM_AK_PRIMARY_NULL, {0x40, 0, 0, 0x07}, "primary key of the null hierarchy"},
};

#define PLACES (sizeof(places) / sizeof(places[0]))

const char *cvtpm_ak_place_text(enum cvtpm_ak_place place)
{
	for (size_t i = 0; i < PLACES; i++) {
		if (places[i].place == place)
			return places[i].text;
	}
	return place == CVTPM_AK_UNDER_EK ? "below the EK" : "below a key that is not known";
}

static bool signer_is(const struct cvtpm_quote *quote, const uint8_t *name)
{
	return memcmp(quote->signer, name, quote->signer_len) == 0;
}

int cvtpm_quote_check_signer(const struct cvtpm_quote *quote, const struct cvtpm_tpm_public *ak,
			     const struct cvtpm_tpm_public *ek, enum cvtpm_ak_place *place)
{
	uint8_t name[CVTPM_TPM_NAME_MAX], parent[CVTPM_TPM_NAME_MAX];

	*place = CVTPM_AK_ELSEWHERE;
	if (quote->signer_len < 2 || quote->signer_len != ak->name_len ||
	    memcmp(quote->signer, ak->name, 2) != 0)
		return CVTPM_TPM_QUOTE_SIGNER;
	for (size_t i = 0; i < PLACES; i++) {
		TRY(qualified_name(ak, places[i].handle, 4, name));
		if (signer_is(quote, name)) {
			*place = places[i].place;
			return 0;
		}
	}
	if (!ek)
		return 0;
	TRY(qualified_name(ek, places[0].handle, 4, parent));
	TRY(qualified_name(ak, parent, ek->name_len, name));
	if (signer_is(quote, name))
		*place = CVTPM_AK_UNDER_EK;
	return 0;
}

/* ---- of what ---- */

int cvtpm_quote_check_covers(const struct cvtpm_quote *quote, uint16_t alg, uint32_t mask)
{
	for (size_t i = 0; i < quote->selection_count; i++) {
		if (quote->selection[i].alg == alg)
			return mask & ~quote->selection[i].mask ? CVTPM_TPM_QUOTE_UNCOVERED : 0;
	}
	return mask ? CVTPM_TPM_QUOTE_UNCOVERED : 0;
}

/* In the order of the selection, PCRs ascending (Part 3, 18.4). */
static int digest_pcrs(struct digester *d, const struct cvtpm_quote *quote,
		       const struct cvtpm_pcrs *pcrs)
{
	TRY(digester_start(d));
	for (size_t i = 0; i < quote->selection_count; i++) {
		const struct cvtpm_pcr_selection *selection = &quote->selection[i];
		const struct cvtpm_bank_values *bank = cvtpm_pcrs_bank(pcrs, selection->alg);

		if (selection->mask & ~(bank ? bank->given : 0))
			return CVTPM_TPM_QUOTE_PCR_MISSING;
		for (unsigned pcr = 0; pcr < CVTPM_PCR_COUNT; pcr++) {
			if (selection->mask >> pcr & 1)
				TRY(digester_add(d, bank->value[pcr],
						 cvtpm_tpm_digest_size(bank->alg)));
		}
	}
	return 0;
}

int cvtpm_quote_check_pcrs(const struct cvtpm_quote *quote, uint16_t hash,
			   const struct cvtpm_pcrs *pcrs)
{
	uint8_t digest[CVTPM_TPM_DIGEST_MAX];
	struct digester d;
	int rc = digester_init(&d, hash);

	if (!rc)
		rc = digest_pcrs(&d, quote, pcrs);
	if (!rc)
		rc = digester_end(&d, digest);
	if (!rc && (quote->digest_len != d.hash->size ||
		    memcmp(quote->digest, digest, quote->digest_len) != 0))
		rc = CVTPM_TPM_QUOTE_PCR_DIGEST;
	digester_free(&d);
	return rc;
}

enum cvtpm_clock_change cvtpm_quote_compare_clock(const struct cvtpm_quote *earlier,
						  const struct cvtpm_quote *later)
{
	uint32_t resets = later->reset_count - earlier->reset_count;
	uint32_t restarts = later->restart_count - earlier->restart_count;

	if (resets > INT32_MAX || (!resets && restarts > INT32_MAX))
		return CVTPM_CLOCK_WENT_BACK;
	/* A power loss may cost the time since the clock was last stored; then it is not "safe"
	 * (Part 2, 10.11.1). */
	if (later->clock < earlier->clock && ((!resets && !restarts) || later->safe))
		return CVTPM_CLOCK_WENT_BACK;
	if (resets)
		return CVTPM_CLOCK_RESET;
	return restarts ? CVTPM_CLOCK_RESTARTED : CVTPM_CLOCK_SAME_BOOT;
}
