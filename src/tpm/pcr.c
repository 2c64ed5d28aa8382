/*
 * Platform configuration registers, with the attributes of the PC Client Platform
 * TPM Profile (its table of PCR attributes and initial values).
 *
 * t->pcrs holds every register of every hash algorithm; t->pcr_banks says which of
 * them there are. The banks are in the order of their hash algorithms' numbers and
 * all four always listed, an unused one with no register.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

#define L(n) (1u << (n))
#define ANY  (L(0) | L(1) | L(2) | L(3) | L(4))

/* Localities that may reset and extend; reset by locality 4 means: by a D-RTM. */
static const struct attributes {
	uint8_t reset, extend;
	bool saved;   /* TPM2_Shutdown(STATE) keeps it */
	bool counted; /* its change increments the update counter */
} attributes[IMPLEMENTATION_PCR] = {
	/* clang-format off */
	{0, ANY, true, true}, {0, ANY, true, true}, {0, ANY, true, true}, {0, ANY, true, true},
	{0, ANY, true, true}, {0, ANY, true, true}, {0, ANY, true, true}, {0, ANY, true, true},
	{0, ANY, true, true}, {0, ANY, true, true}, {0, ANY, true, true}, {0, ANY, true, true},
	{0, ANY, true, true}, {0, ANY, true, true}, {0, ANY, true, true}, {0, ANY, true, true},
	{L(0) | L(1) | L(2) | L(3), ANY, false, false}, /* 16, debug */
	{L(4), L(2) | L(3) | L(4), false, true},
	{L(4), L(2) | L(3) | L(4), false, true},
	{L(4), L(2) | L(3), false, true},
	{L(2) | L(4), L(1) | L(2) | L(3), false, true},
	{L(2) | L(4), L(2), false, false},
	{L(2) | L(4), L(2), false, false},
	{L(0) | L(1) | L(2) | L(3), ANY, false, false}, /* 23, applications */
	/* clang-format on */
};

/* ---- banks ---- */

static const TPM_ALG_ID bank_algs[HASH_COUNT] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384,
						 TPM_ALG_SHA512};

void pcr_default_allocation(TPML_PCR_SELECTION *allocation)
{
	memset(allocation, 0, sizeof *allocation);
	allocation->count = HASH_COUNT;
	for (size_t i = 0; i < HASH_COUNT; i++) {
		TPMS_PCR_SELECTION *bank = &allocation->pcrSelections[i];

		bank->hash = bank_algs[i];
		bank->pcrSelect.size = PCR_SELECT_MAX;
		if (bank->hash == TPM_ALG_SHA256 || bank->hash == TPM_ALG_SHA384)
			memset(bank->pcrSelect.bytes, 0xFF, PCR_SELECT_MAX);
	}
}

static bool is_selected(const PCR_SELECT *select, TPMI_DH_PCR pcr)
{
	return pcr / 8 < select->size && select->bytes[pcr / 8] >> pcr % 8 & 1;
}

static const PCR_SELECT *bank_select(const struct tpm *t, TPM_ALG_ID alg)
{
	for (uint32_t i = 0; i < t->pcr_banks.count; i++)
		if (t->pcr_banks.pcrSelections[i].hash == alg)
			return &t->pcr_banks.pcrSelections[i].pcrSelect;
	return NULL;
}

/* The register in its bank, or NULL where the bank does not have it. */
static uint8_t *pcr_at(struct tpm *t, TPM_ALG_ID alg, TPMI_DH_PCR pcr)
{
	const PCR_SELECT *select = bank_select(t, alg);

	if (!select || pcr >= IMPLEMENTATION_PCR || !is_selected(select, pcr))
		return NULL;
	switch (alg) {
	case TPM_ALG_SHA1:
		return t->pcrs.sha1.bytes + pcr * sizeof(DIGEST_SHA1);
	case TPM_ALG_SHA256:
		return t->pcrs.sha256.bytes + pcr * sizeof(DIGEST_SHA256);
	case TPM_ALG_SHA384:
		return t->pcrs.sha384.bytes + pcr * sizeof(DIGEST_SHA384);
	default: /* TPM_ALG_SHA512 */
		return t->pcrs.sha512.bytes + pcr * sizeof(DIGEST_SHA512);
	}
}

const uint8_t *pcr_value(struct tpm *t, TPM_ALG_ID bank, TPMI_DH_PCR pcr)
{
	return pcr_at(t, bank, pcr);
}

/* ---- changing ---- */

static void count_change(struct tpm *t, TPMI_DH_PCR pcr)
{
	if (attributes[pcr].counted)
		SET(t, t->pcrs.updateCounter, t->pcrs.updateCounter + 1);
}

/* Sets the register in every bank to zeros or ones. Not undoable. */
static void fill(struct tpm *t, TPMI_DH_PCR pcr, uint8_t byte)
{
	for (size_t i = 0; i < HASH_COUNT; i++) {
		uint8_t *value = pcr_at(t, bank_algs[i], pcr);

		if (value)
			memset(value, byte, hash_size(bank_algs[i]));
	}
}

/* value := H(value || digest) */
static tpm_rc extend(struct tpm *t, TPM_ALG_ID alg, TPMI_DH_PCR pcr, const uint8_t *digest)
{
	uint16_t size = hash_size(alg);
	uint8_t *value = pcr_at(t, alg, pcr);
	const struct cvtpm_octets parts[] = {{value, size}, {digest, size}};
	TPM2B_DIGEST extended;

	if (!value)
		return TPM_RC_SUCCESS;
	TRY(tpm_hash(t, alg, parts, 2, &extended));
	undo_note(t, value, size);
	memcpy(value, extended.buffer, size);
	count_change(t, pcr);
	return TPM_RC_SUCCESS;
}

bool pcr_may_extend(struct tpm *t, TPMI_DH_PCR pcr, uint8_t locality)
{
	(void)t;
	return locality <= 4 && attributes[pcr].extend & L(locality);
}

/* What locality 4 may reset, it resets by a D-RTM, not by TPM2_PCR_Reset. */
bool pcr_may_reset(struct tpm *t, TPMI_DH_PCR pcr, uint8_t locality)
{
	(void)t;
	return locality < 4 && attributes[pcr].reset & L(locality);
}

tpm_rc pcr_extend(struct tpm *t, TPMI_DH_PCR pcr, TPM_ALG_ID alg, const uint8_t *digest)
{
	if (pcr == TPM_RH_NULL)
		return TPM_RC_SUCCESS;
	if (!pcr_may_extend(t, pcr, t->frame.locality))
		return TPM_RC_LOCALITY;
	return extend(t, alg, pcr, digest);
}

void pcr_reset(struct tpm *t, TPMI_DH_PCR pcr)
{
	for (size_t i = 0; i < HASH_COUNT; i++) {
		uint8_t *value = pcr_at(t, bank_algs[i], pcr);

		if (value)
			undo_note(t, value, hash_size(bank_algs[i]));
	}
	fill(t, pcr, 0);
	count_change(t, pcr);
}

/* ---- reading ---- */

tpm_rc pcr_digest(struct tpm *t, TPM_ALG_ID alg, TPML_PCR_SELECTION *selection,
		  TPM2B_DIGEST *digest)
{
	struct cvtpm_octets values[HASH_COUNT * IMPLEMENTATION_PCR];
	size_t count = 0;

	for (uint32_t i = 0; i < selection->count; i++) {
		TPMS_PCR_SELECTION *bank = &selection->pcrSelections[i];

		TRY(selftest_need(t, bank->hash));
		for (TPMI_DH_PCR pcr = 0; pcr < 8u * bank->pcrSelect.size; pcr++) {
			const uint8_t *value;

			if (!is_selected(&bank->pcrSelect, pcr))
				continue;
			value = pcr_value(t, bank->hash, pcr);
			if (value)
				values[count++] =
					(struct cvtpm_octets){value, hash_size(bank->hash)};
			else
				bank->pcrSelect.bytes[pcr / 8] &= (uint8_t) ~(1u << pcr % 8);
		}
	}
	return tpm_hash(t, alg, values, count, digest);
}

/* ---- start ---- */

void pcr_init(struct tpm *t)
{
	t->pcr_banks = t->settings.allocation;
	t->pcr_allocated = false;
	t->drtm_running = t->hcrtm = false;
}

/* The digests of an H-CRTM, taken before TPM2_Startup, go into PCR 0 (Part 3, 22.11). The
 * running hashes stay as they are, for a Startup that fails and is sent again. */
static tpm_rc extend_hcrtm(struct tpm *t)
{
	for (size_t i = 0; i < HASH_COUNT; i++) {
		struct cvtpm_hash hash = t->drtm_hash[i];
		uint8_t digest[MAX_DIGEST_SIZE];

		if (cvtpm_hash_end(&hash, digest))
			return tpm_fail(t, "an H-CRTM could not be hashed");
		TRY(extend(t, bank_algs[i], HCRTM_PCR, digest));
	}
	return TPM_RC_SUCCESS;
}

static tpm_rc start_hcrtm_pcr(struct tpm *t)
{
	for (size_t i = 0; i < HASH_COUNT; i++) {
		uint8_t *value = pcr_at(t, bank_algs[i], HCRTM_PCR);

		if (value)
			value[hash_size(bank_algs[i]) - 1] = t->startup_locality;
	}
	return t->hcrtm ? extend_hcrtm(t) : TPM_RC_SUCCESS;
}

/* Nothing is noted for undo: before TPM2_Startup has succeeded nobody sees a register, and
 * the next one begins with the same. */
tpm_rc pcr_startup(struct tpm *t, enum startup_kind kind)
{
	uint8_t locality = t->hcrtm ? 4 : t->frame.locality;

	if (kind == STARTUP_RESUME && locality != t->startup_locality)
		return TPM_RC_LOCALITY;
	t->startup_locality = locality;
	t->drtm_running = false; /* one that began before TPM2_Startup has no effect */
	if (kind == STARTUP_RESET)
		t->pcrs.updateCounter = 0;
	for (TPMI_DH_PCR pcr = 0; pcr < IMPLEMENTATION_PCR; pcr++) {
		if (kind == STARTUP_RESUME && attributes[pcr].saved)
			continue;
		fill(t, pcr, attributes[pcr].reset & L(4) ? 0xFF : 0);
		t->pcrs.updateCounter += attributes[pcr].counted;
	}
	return kind == STARTUP_RESUME ? TPM_RC_SUCCESS : start_hcrtm_pcr(t);
}

/* ---- _TPM_Hash_Start, _TPM_Hash_Data, _TPM_Hash_End (Part 3, 22.9 to 22.11) ---- */

int pcr_hash_start(struct tpm *t)
{
	if (!t->powered || t->failed)
		return CVTPM_ERR_STATE;
	t->drtm_running = t->hcrtm = false;
	for (size_t i = 0; i < HASH_COUNT; i++)
		CVTPM_TRY(cvtpm_hash_begin(&t->drtm_hash[i], (enum cvtpm_hash_alg)bank_algs[i]));
	t->drtm_running = true;
	return 0;
}

int pcr_hash_data(struct tpm *t, const void *data, size_t len)
{
	if (!t->powered || t->failed || !t->drtm_running)
		return CVTPM_ERR_STATE;
	for (size_t i = 0; i < HASH_COUNT; i++)
		CVTPM_TRY(cvtpm_hash_update(&t->drtm_hash[i], data, len));
	return 0;
}

/* A D-RTM: its registers begin anew, PCR 17 with what was measured. */
static tpm_rc drtm(struct tpm *t)
{
	for (TPMI_DH_PCR pcr = 0; pcr < IMPLEMENTATION_PCR; pcr++)
		if (attributes[pcr].reset & L(4))
			fill(t, pcr, 0);
	for (size_t i = 0; i < HASH_COUNT; i++) {
		uint8_t digest[MAX_DIGEST_SIZE];

		if (cvtpm_hash_end(&t->drtm_hash[i], digest))
			return tpm_fail(t, "a D-RTM could not be hashed");
		TRY(extend(t, bank_algs[i], DRTM_PCR, digest));
	}
	t->run.restartCount++;
	t->dirty_monotone |= RECORD_RUN;
	return TPM_RC_SUCCESS;
}

int pcr_hash_end(struct tpm *t)
{
	tpm_rc rc = TPM_RC_SUCCESS;

	if (!t->powered || t->failed || !t->drtm_running)
		return CVTPM_ERR_STATE;
	t->drtm_running = false;
	t->established = true;
	if (t->started)
		rc = drtm(t);
	else
		t->hcrtm = true;
	undo_forget(t); /* a platform's event is no command: nobody undoes it */
	return rc ? CVTPM_ERR_CRYPTO : 0;
}

/* ---- attributes, for TPM2_GetCapability ---- */

static bool has_property(TPMI_DH_PCR pcr, TPM_PT_PCR property)
{
	const struct attributes *a = &attributes[pcr];

	switch (property) {
	case TPM_PT_PCR_SAVE:
		return a->saved;
	case TPM_PT_PCR_NO_INCREMENT:
		return !a->counted;
	case TPM_PT_PCR_DRTM_RESET:
		return a->reset & L(4);
	case TPM_PT_PCR_POLICY:
	case TPM_PT_PCR_AUTH:
		return false;
	default: /* EXTEND_L0, RESET_L0, EXTEND_L1, ... */
		return (property % 2 ? a->extend : a->reset) >> (property - 1) / 2 & 1;
	}
}

bool pcr_property(TPM_PT_PCR property, PCR_SELECT *select)
{
	if (property > TPM_PT_PCR_RESET_L4 &&
	    (property < TPM_PT_PCR_NO_INCREMENT || property > TPM_PT_PCR_AUTH))
		return false;
	*select = (PCR_SELECT){.size = PCR_SELECT_MAX};
	for (TPMI_DH_PCR pcr = 0; pcr < IMPLEMENTATION_PCR; pcr++)
		if (has_property(pcr, property))
			select->bytes[pcr / 8] |= (uint8_t)(1u << pcr % 8);
	return true;
}
