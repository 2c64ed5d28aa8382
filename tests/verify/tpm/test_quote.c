/* Quotes: Azure's genuine ones, and ours for every scheme. */
#include "samples.h"

static const char *const schemes[] = {"rsassa", "rsapss", "p256", "p384"};
static const char *const genuine[] = {"evidence-v0", "evidence-v1", "evidence-v2",
				      "evidence-genoa"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct quoted {
	struct sample public, attest, signature;
	struct cvtpm_tpm_public ak;
	struct cvtpm_tpm_signature read;
	struct cvtpm_quote quote;
};

static void load(struct quoted *q, const char *scheme)
{
	*q = (struct quoted){.public = ours(scheme, ".pub"),
			     .attest = ours(scheme, ".attest"),
			     .signature = ours(scheme, ".sig")};
	assert_int_equal(cvtpm_tpm_public_read(q->public.data, q->public.len, &q->ak), 0);
	assert_int_equal(cvtpm_tpm_signature_read(q->signature.data, q->signature.len, &q->read),
			 0);
	assert_int_equal(cvtpm_quote_read(q->attest.data, q->attest.len, &q->quote), 0);
}

static void unload(struct quoted *q)
{
	free(q->public.data);
	free(q->attest.data);
	free(q->signature.data);
}

/* Does everything that a verifier does with a message and a signature. */
static int judge(const struct quoted *q, const struct sample *attest,
		 const struct sample *signature)
{
	struct cvtpm_tpm_signature read;
	int rc = cvtpm_tpm_signature_read(signature->data, signature->len, &read);

	return rc ? rc : cvtpm_tpm_check_signature_by(&q->ak, &read, attest->data, attest->len);
}

static void quotes_of_every_scheme_verify(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(schemes); i++) {
		struct quoted q;

		load(&q, schemes[i]);
		assert_int_equal(judge(&q, &q.attest, &q.signature), 0);
		unload(&q);
	}
}

static void the_fields_of_a_quote_are_read(void **state)
{
	struct quoted q;

	(void)state;
	load(&q, "p384");
	assert_int_equal(q.quote.clock, 123456789);
	assert_int_equal(q.quote.reset_count, 7);
	assert_int_equal(q.quote.restart_count, 3);
	assert_true(q.quote.safe);
	assert_int_equal(q.quote.firmware_version, 0x2026010100000001);
	assert_int_equal(q.quote.selection_count, 2);
	assert_int_equal(q.quote.selection[0].alg, CVTPM_TPM_ALG_SHA256);
	assert_int_equal(q.quote.selection[0].mask, 0x800487);
	assert_int_equal(q.quote.selection[1].alg, CVTPM_TPM_ALG_SHA384);
	assert_int_equal(q.quote.selection[1].mask, 0x010101);
	assert_int_equal(q.quote.digest_len, 48);
	unload(&q);
}

static void every_flipped_bit_of_a_message_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(schemes); i++) {
		struct quoted q;

		load(&q, schemes[i]);
		for (size_t bit = 0; bit < q.attest.len * 8; bit++) {
			q.attest.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(judge(&q, &q.attest, &q.signature),
					 CVTPM_TPM_SIGNATURE_WRONG);
			q.attest.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		unload(&q);
	}
}

static void every_flipped_bit_of_a_signature_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(schemes); i++) {
		struct quoted q;

		load(&q, schemes[i]);
		for (size_t bit = 0; bit < q.signature.len * 8; bit++) {
			q.signature.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_true(judge(&q, &q.attest, &q.signature) > 0);
			q.signature.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		unload(&q);
	}
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(schemes); i++) {
		struct quoted q;

		load(&q, schemes[i]);
		for (size_t len = 0; len < q.attest.len; len++) {
			struct sample cut = sample_copy(q.attest.data, len);
			struct cvtpm_quote quote;

			assert_int_equal(cvtpm_quote_read(cut.data, cut.len, &quote),
					 CVTPM_TPM_TRUNCATED);
			free(cut.data);
		}
		for (size_t len = 0; len < q.signature.len; len++) {
			struct sample cut = sample_copy(q.signature.data, len);
			struct cvtpm_tpm_signature signature;

			assert_int_equal(cvtpm_tpm_signature_read(cut.data, cut.len, &signature),
					 CVTPM_TPM_TRUNCATED);
			free(cut.data);
		}
		unload(&q);
	}
}

static void bytes_behind_a_quote_or_signature_are_refused(void **state)
{
	struct quoted q;
	struct sample longer;
	struct cvtpm_quote quote;
	struct cvtpm_tpm_signature signature;

	(void)state;
	load(&q, "p256");
	longer = sample_copy(q.attest.data, q.attest.len);
	longer.data = realloc(longer.data, longer.len + 1);
	longer.data[longer.len++] = 0;
	assert_int_equal(cvtpm_quote_read(longer.data, longer.len, &quote), CVTPM_TPM_TRAILING);
	free(longer.data);
	longer = sample_copy(q.signature.data, q.signature.len);
	longer.data = realloc(longer.data, longer.len + 1);
	longer.data[longer.len++] = 0;
	assert_int_equal(cvtpm_tpm_signature_read(longer.data, longer.len, &signature),
			 CVTPM_TPM_TRAILING);
	free(longer.data);
	unload(&q);
}

/* A change to the message after which reading must answer `problem`. */
static void refuse_changed(size_t offset, uint8_t byte, int problem)
{
	struct quoted q;
	struct cvtpm_quote quote;

	load(&q, "p256");
	q.attest.data[offset] = byte;
	assert_int_equal(cvtpm_quote_read(q.attest.data, q.attest.len, &quote), problem);
	assert_int_equal(quote.digest_len, 0); /* nothing half read */
	unload(&q);
}

/* Offsets in p256.attest: magic 0, type 4, signer 6 (2 + 34), extraData 42 (2 + 32), clock 76,
 * counts 84, safe 92, firmware 93, selections 101, first at 105 (alg, size, 3 bytes), second at
 * 111. */
static void what_is_not_a_quote_is_refused_by_name(void **state)
{
	(void)state;
	refuse_changed(0, 0xFE, CVTPM_TPM_QUOTE_MAGIC);
	refuse_changed(5, 0x17, CVTPM_TPM_QUOTE_TYPE);
	refuse_changed(9, 0x0C, CVTPM_TPM_VALUE); /* a name of SHA-384 with 32 bytes */
	refuse_changed(43, 71, CVTPM_TPM_LENGTH); /* no extraData has 71 bytes */
	refuse_changed(92, 2, CVTPM_TPM_VALUE);
	refuse_changed(104, 17, CVTPM_TPM_LENGTH);
	refuse_changed(106, 0x99, CVTPM_TPM_ALGORITHM);
	refuse_changed(107, 2, CVTPM_TPM_LENGTH);
	refuse_changed(112, CVTPM_TPM_ALG_SHA256, CVTPM_TPM_QUOTE_SELECTION);
}

static void a_selection_may_be_longer_but_not_name_more_pcrs(void **state)
{
	struct quoted q;
	struct cvtpm_quote quote;
	const size_t end = 111; /* of the first selection */

	(void)state;
	load(&q, "p256");
	q.attest.data = realloc(q.attest.data, q.attest.len + 1);
	memmove(q.attest.data + end + 1, q.attest.data + end, q.attest.len - end);
	q.attest.len++;
	q.attest.data[107] = 4;
	q.attest.data[end] = 0;
	assert_int_equal(cvtpm_quote_read(q.attest.data, q.attest.len, &quote), 0);
	assert_int_equal(quote.selection[0].mask, 0x800487);
	q.attest.data[end] = 1;
	assert_int_equal(cvtpm_quote_read(q.attest.data, q.attest.len, &quote),
			 CVTPM_TPM_QUOTE_SELECTION);
	unload(&q);
}

static void a_nonce_must_be_equal_to_the_last_byte(void **state)
{
	uint8_t nonce[33];
	struct quoted q;

	(void)state;
	for (uint8_t i = 0; i < sizeof(nonce); i++)
		nonce[i] = i;
	load(&q, "rsassa");
	assert_int_equal(cvtpm_quote_check_nonce(&q.quote, nonce, 32), 0);
	assert_int_equal(cvtpm_quote_check_nonce(&q.quote, nonce, 31), CVTPM_TPM_QUOTE_NONCE);
	assert_int_equal(cvtpm_quote_check_nonce(&q.quote, nonce, 33), CVTPM_TPM_QUOTE_NONCE);
	nonce[31] ^= 1;
	assert_int_equal(cvtpm_quote_check_nonce(&q.quote, nonce, 32), CVTPM_TPM_QUOTE_NONCE);
	assert_int_equal(cvtpm_quote_check_nonce(&q.quote, nonce, 0), CVTPM_ERR_PARAM);
	q.quote.extra_len = 0;
	assert_int_equal(cvtpm_quote_check_nonce(&q.quote, nonce, 0), CVTPM_ERR_PARAM);
	unload(&q);
}

static void the_place_of_an_ak_follows_from_the_signer(void **state)
{
	struct quoted q, other;
	enum cvtpm_ak_place place;

	(void)state;
	load(&q, "rsassa");
	load(&other, "p384");
	assert_int_equal(cvtpm_quote_check_signer(&q.quote, &q.ak, NULL, &place), 0);
	assert_int_equal(place, CVTPM_AK_PRIMARY_ENDORSEMENT);
	q.quote.signer[10] ^= 1;
	assert_int_equal(cvtpm_quote_check_signer(&q.quote, &q.ak, NULL, &place), 0);
	assert_int_equal(place, CVTPM_AK_ELSEWHERE);
	assert_int_equal(cvtpm_quote_check_signer(&q.quote, &other.ak, NULL, &place),
			 CVTPM_TPM_QUOTE_SIGNER);
	assert_int_equal(cvtpm_quote_check_signer(&other.quote, &other.ak, NULL, &place), 0);
	assert_int_equal(place, CVTPM_AK_PRIMARY_OWNER);
	unload(&q);
	unload(&other);
}

/* ---- PCRs ---- */

static void set_pcr(struct cvtpm_pcrs *pcrs, uint16_t alg, uint32_t pcr)
{
	/* The order in data/quoted.pcrs. */
	static const struct {
		uint16_t alg;
		uint32_t pcr;
	} order[] = {
		{CVTPM_TPM_ALG_SHA256, 0}, {CVTPM_TPM_ALG_SHA256, 1},  {CVTPM_TPM_ALG_SHA256, 2},
		{CVTPM_TPM_ALG_SHA256, 7}, {CVTPM_TPM_ALG_SHA256, 10}, {CVTPM_TPM_ALG_SHA256, 23},
		{CVTPM_TPM_ALG_SHA384, 0}, {CVTPM_TPM_ALG_SHA384, 8},  {CVTPM_TPM_ALG_SHA384, 16}};
	struct sample values = ours("quoted", ".pcrs");
	size_t at = 0;

	for (size_t i = 0; i < COUNT(order); i++) {
		size_t size = cvtpm_tpm_digest_size(order[i].alg);

		if (order[i].alg == alg && order[i].pcr == pcr)
			assert_int_equal(cvtpm_pcrs_set(pcrs, alg, pcr, values.data + at, size), 0);
		at += size;
	}
	free(values.data);
}

static struct cvtpm_pcrs *all_pcrs(void)
{
	static const uint32_t in_sha256[] = {0, 1, 2, 7, 10, 23}, in_sha384[] = {0, 8, 16};
	struct cvtpm_pcrs *pcrs = calloc(1, sizeof(*pcrs));

	assert_non_null(pcrs);
	for (size_t i = 0; i < COUNT(in_sha384); i++)
		set_pcr(pcrs, CVTPM_TPM_ALG_SHA384, in_sha384[i]);
	for (size_t i = 0; i < COUNT(in_sha256); i++)
		set_pcr(pcrs, CVTPM_TPM_ALG_SHA256, in_sha256[i]);
	return pcrs;
}

static void pcr_values_are_compared_with_the_digest(void **state)
{
	struct cvtpm_pcrs *pcrs = all_pcrs();

	(void)state;
	for (size_t i = 0; i < COUNT(schemes); i++) {
		struct quoted q;

		load(&q, schemes[i]);
		assert_int_equal(cvtpm_quote_check_pcrs(&q.quote, q.read.hash, pcrs), 0);
		/* The digest is by the signature's hash, not by just any. */
		assert_int_equal(cvtpm_quote_check_pcrs(&q.quote, CVTPM_TPM_ALG_SHA512, pcrs),
				 CVTPM_TPM_QUOTE_PCR_DIGEST);
		unload(&q);
	}
	free(pcrs);
}

static void each_selected_pcr_counts(void **state)
{
	struct cvtpm_pcrs *pcrs = all_pcrs();
	struct quoted q;

	(void)state;
	load(&q, "p384");
	for (size_t b = 0; b < pcrs->count; b++) {
		struct cvtpm_bank_values *bank = &pcrs->bank[b];

		for (unsigned pcr = 0; pcr < CVTPM_PCR_COUNT; pcr++) {
			bool selected = bank->given >> pcr & 1;

			bank->value[pcr][31] ^= 1;
			assert_int_equal(cvtpm_quote_check_pcrs(&q.quote, q.read.hash, pcrs),
					 selected ? CVTPM_TPM_QUOTE_PCR_DIGEST : 0);
			bank->value[pcr][31] ^= 1;
			if (!selected)
				continue;
			bank->given ^= 1u << pcr;
			assert_int_equal(cvtpm_quote_check_pcrs(&q.quote, q.read.hash, pcrs),
					 CVTPM_TPM_QUOTE_PCR_MISSING);
			bank->given ^= 1u << pcr;
		}
	}
	unload(&q);
	free(pcrs);
}

static void a_quote_covers_only_what_it_selects(void **state)
{
	struct quoted q;

	(void)state;
	load(&q, "p256");
	assert_int_equal(cvtpm_quote_check_covers(&q.quote, CVTPM_TPM_ALG_SHA256, 0x800487), 0);
	assert_int_equal(cvtpm_quote_check_covers(&q.quote, CVTPM_TPM_ALG_SHA256, 0x8),
			 CVTPM_TPM_QUOTE_UNCOVERED);
	assert_int_equal(cvtpm_quote_check_covers(&q.quote, CVTPM_TPM_ALG_SHA1, 1),
			 CVTPM_TPM_QUOTE_UNCOVERED);
	assert_int_equal(cvtpm_quote_check_covers(&q.quote, CVTPM_TPM_ALG_SHA1, 0), 0);
	unload(&q);
}

/* ---- signatures and keys that do not belong together ---- */

static void a_signature_must_have_the_scheme_of_its_key(void **state)
{
	struct quoted q, pss;

	(void)state;
	load(&q, "rsassa");
	load(&pss, "rsapss"); /* the same key with another scheme */
	assert_int_equal(judge(&q, &pss.attest, &pss.signature), CVTPM_TPM_SIGNATURE_SCHEME);
	unload(&pss);
	load(&pss, "p256");
	assert_int_equal(judge(&q, &pss.attest, &pss.signature), CVTPM_TPM_SIGNATURE_SCHEME);
	assert_int_equal(
		cvtpm_tpm_check_signature(&q.ak.key, &pss.read, pss.attest.data, pss.attest.len),
		CVTPM_TPM_SIGNATURE_SCHEME);
	q.ak.scheme = CVTPM_TPM_ALG_NULL;
	assert_int_equal(judge(&q, &q.attest, &q.signature), CVTPM_TPM_SIGNATURE_SCHEME);
	unload(&pss);
	unload(&q);
}

static void a_sha1_signature_is_not_taken(void **state)
{
	struct quoted q;
	struct cvtpm_tpm_signature read;

	(void)state;
	load(&q, "rsassa");
	q.signature.data[3] = CVTPM_TPM_ALG_SHA1;
	assert_int_equal(cvtpm_tpm_signature_read(q.signature.data, q.signature.len, &read),
			 CVTPM_TPM_ALGORITHM);
	assert_int_equal(cvtpm_tpm_signature_from_rsassa(q.signature.data + 6, 256,
							 CVTPM_TPM_ALG_SHA1, &read),
			 CVTPM_TPM_ALGORITHM);
	unload(&q);
}

static void a_zero_ecdsa_signature_is_refused(void **state)
{
	struct quoted q;
	struct cvtpm_tpm_signature zero = {.scheme = CVTPM_TPM_ALG_ECDSA,
					   .hash = CVTPM_TPM_ALG_SHA256};

	(void)state;
	load(&q, "p256");
	assert_int_equal(cvtpm_tpm_check_signature_by(&q.ak, &zero, q.attest.data, q.attest.len),
			 CVTPM_TPM_SIGNATURE_WRONG);
	zero.len = zero.s_len = 32;
	assert_int_equal(cvtpm_tpm_check_signature_by(&q.ak, &zero, q.attest.data, q.attest.len),
			 CVTPM_TPM_SIGNATURE_WRONG);
	unload(&q);
}

/* ---- Azure ---- */

struct azure_quote {
	struct sample attest, signature, pcrs, json;
	struct cvtpm_tpm_key key;
	struct cvtpm_tpm_signature read;
	struct cvtpm_quote quote;
};

static void azure_load(struct azure_quote *q, const char *name)
{
	*q = (struct azure_quote){.attest = azure(name, ".quote.bin"),
				  .signature = azure(name, ".quote.sig"),
				  .pcrs = azure(name, ".pcrs.bin"),
				  .json = azure(name, ".runtime.json")};
	assert_int_equal(cvtpm_tpm_key_from_jwk((const char *)q->json.data, q->json.len, "HCLAkPub",
						&q->key),
			 0);
	assert_int_equal(cvtpm_tpm_signature_from_rsassa(q->signature.data, q->signature.len,
							 CVTPM_TPM_ALG_SHA256, &q->read),
			 0);
	assert_int_equal(cvtpm_quote_read(q->attest.data, q->attest.len, &q->quote), 0);
}

static void azure_unload(struct azure_quote *q)
{
	free(q->attest.data);
	free(q->signature.data);
	free(q->pcrs.data);
	free(q->json.data);
}

static void genuine_azure_quotes_verify_with_the_key_of_the_runtime_data(void **state)
{
	struct cvtpm_pcrs *pcrs = calloc(1, sizeof(*pcrs));

	(void)state;
	assert_non_null(pcrs);
	for (size_t i = 0; i < COUNT(genuine); i++) {
		struct azure_quote q;

		azure_load(&q, genuine[i]);
		assert_int_equal(
			cvtpm_tpm_check_signature(&q.key, &q.read, q.attest.data, q.attest.len), 0);
		assert_int_equal(q.pcrs.len, 24 * 32);
		for (uint32_t pcr = 0; pcr < 24; pcr++)
			assert_int_equal(cvtpm_pcrs_set(pcrs, CVTPM_TPM_ALG_SHA256, pcr,
							q.pcrs.data + (size_t)32 * pcr, 32),
					 0);
		assert_int_equal(cvtpm_quote_check_pcrs(&q.quote, CVTPM_TPM_ALG_SHA256, pcrs), 0);
		assert_int_equal(cvtpm_quote_check_covers(&q.quote, CVTPM_TPM_ALG_SHA256, 0xFFFFFF),
				 0);
		assert_int_equal(q.quote.firmware_version, 0x2020031200120003);
		azure_unload(&q);
	}
	free(pcrs);
}

static void the_nonce_of_the_first_azure_quote_is_the_word_challenge(void **state)
{
	struct azure_quote q;

	(void)state;
	azure_load(&q, "evidence-v0");
	assert_int_equal(cvtpm_quote_check_nonce(&q.quote, (const uint8_t *)"challenge", 9), 0);
	azure_unload(&q);
}

static void every_flipped_bit_of_genuine_quotes_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(genuine); i++) {
		struct azure_quote q;

		azure_load(&q, genuine[i]);
		for (size_t bit = 0; bit < q.attest.len * 8; bit++) {
			q.attest.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(cvtpm_tpm_check_signature(&q.key, &q.read, q.attest.data,
								   q.attest.len),
					 CVTPM_TPM_SIGNATURE_WRONG);
			q.attest.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (size_t bit = 0; bit < q.read.len * 8; bit++) {
			q.read.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(cvtpm_tpm_check_signature(&q.key, &q.read, q.attest.data,
								   q.attest.len),
					 CVTPM_TPM_SIGNATURE_WRONG);
			q.read.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		azure_unload(&q);
	}
}

static void a_quote_of_another_machine_is_refused(void **state)
{
	struct azure_quote milan, genoa;

	(void)state;
	azure_load(&milan, "evidence-v2");
	azure_load(&genoa, "evidence-genoa");
	assert_int_equal(cvtpm_tpm_check_signature(&genoa.key, &milan.read, milan.attest.data,
						   milan.attest.len),
			 CVTPM_TPM_SIGNATURE_WRONG);
	azure_unload(&milan);
	azure_unload(&genoa);
}

static void a_quote_with_a_partial_selection_is_read(void **state)
{
	struct sample message = azure("tpm-quote", ".msg");
	struct cvtpm_quote quote;

	(void)state;
	assert_int_equal(cvtpm_quote_read(message.data, message.len, &quote), 0);
	assert_int_equal(quote.selection[0].mask, 0x0040FF);
	free(message.data);
}

/* ---- keys as JSON ---- */

static int read_jwk(const char *json, const char *kid)
{
	struct cvtpm_tpm_key key;

	return cvtpm_tpm_key_from_jwk(json, strlen(json), kid, &key);
}

static void key_sets_that_are_not_clear_are_refused(void **state)
{
	struct sample json = azure("evidence-v1", ".runtime.json");
	struct cvtpm_tpm_key key;
	char *text = (char *)json.data;

	(void)state;
	assert_int_equal(cvtpm_tpm_key_from_jwk(text, json.len, "HCLAk", &key), CVTPM_TPM_JWK);
	for (size_t len = 0; len < json.len; len++)
		assert_int_equal(cvtpm_tpm_key_from_jwk(text, len, "HCLAkPub", &key),
				 CVTPM_TPM_JWK);
	assert_int_equal(read_jwk("[]", "a"), CVTPM_TPM_JWK);
	assert_int_equal(read_jwk("{\"keys\":7}", "a"), CVTPM_TPM_JWK);
	assert_int_equal(read_jwk("{\"keys\":[{\"kid\":\"a\"}]}", "a"), CVTPM_TPM_JWK);
	assert_int_equal(read_jwk("{\"keys\":[{\"kid\":\"a\",\"kty\":\"RSA\",\"e\":\"AQAB\","
				  "\"n\":\"gQ\"}]}",
				  "a"),
			 CVTPM_TPM_KEY_WEAK);
	assert_int_equal(read_jwk("{\"keys\":[{\"kid\":\"a\",\"kty\":\"RSA\",\"e\":\"Aw\","
				  "\"n\":\"gQ\"}]}",
				  "a"),
			 CVTPM_TPM_JWK);
	/* Two keys of one name: which one is meant nobody can tell. */
	memcpy(strstr(text, "HCLEkPub"), "HCLAkPub", 8);
	assert_int_equal(cvtpm_tpm_key_from_jwk(text, json.len, "HCLAkPub", &key), CVTPM_TPM_JWK);
	free(json.data);
}

/* ---- the clock between two quotes ---- */

static void clocks_tell_reboots_from_rollback(void **state)
{
	struct cvtpm_quote a = {.clock = 1000, .reset_count = 5, .restart_count = 1, .safe = true};
	struct cvtpm_quote b = a;

	(void)state;
	assert_int_equal(cvtpm_quote_compare_clock(&a, &b), CVTPM_CLOCK_SAME_BOOT);
	b.clock = 999;
	assert_int_equal(cvtpm_quote_compare_clock(&a, &b), CVTPM_CLOCK_WENT_BACK);
	b = (struct cvtpm_quote){.clock = 2000, .reset_count = 5, .restart_count = 2};
	assert_int_equal(cvtpm_quote_compare_clock(&a, &b), CVTPM_CLOCK_RESTARTED);
	b.restart_count = 0;
	assert_int_equal(cvtpm_quote_compare_clock(&a, &b), CVTPM_CLOCK_WENT_BACK);
	b = (struct cvtpm_quote){.clock = 2000, .reset_count = 6, .restart_count = 0};
	assert_int_equal(cvtpm_quote_compare_clock(&a, &b), CVTPM_CLOCK_RESET);
	b.clock = 900; /* the time since the last store was lost with the power */
	assert_int_equal(cvtpm_quote_compare_clock(&a, &b), CVTPM_CLOCK_RESET);
	b.safe = true; /* and the TPM says that it was not */
	assert_int_equal(cvtpm_quote_compare_clock(&a, &b), CVTPM_CLOCK_WENT_BACK);
	b = (struct cvtpm_quote){.clock = 2000, .reset_count = 4, .safe = true};
	assert_int_equal(cvtpm_quote_compare_clock(&a, &b), CVTPM_CLOCK_WENT_BACK);
	/* Counters hidden by a constant may wrap. */
	a.reset_count = UINT32_MAX;
	b.reset_count = 0;
	assert_int_equal(cvtpm_quote_compare_clock(&a, &b), CVTPM_CLOCK_RESET);
}

static void every_problem_has_a_name_and_a_text(void **state)
{
	(void)state;
	for (int i = 0; i < CVTPM_TPM_PROBLEM_COUNT; i++) {
		assert_non_null(cvtpm_tpm_problem_id(i));
		assert_non_null(cvtpm_tpm_problem_text(i));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(cvtpm_tpm_problem_id(i), cvtpm_tpm_problem_id(k));
	}
	assert_string_equal(cvtpm_tpm_problem_id(CVTPM_TPM_PROBLEM_COUNT), "fault");
	assert_string_equal(cvtpm_tpm_problem_text(CVTPM_ERR_NO_MEMORY),
			    cvtpm_strerror(CVTPM_ERR_NO_MEMORY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotes_of_every_scheme_verify),
		cmocka_unit_test(the_fields_of_a_quote_are_read),
		cmocka_unit_test(every_flipped_bit_of_a_message_is_refused),
		cmocka_unit_test(every_flipped_bit_of_a_signature_is_refused),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(bytes_behind_a_quote_or_signature_are_refused),
		cmocka_unit_test(what_is_not_a_quote_is_refused_by_name),
		cmocka_unit_test(a_selection_may_be_longer_but_not_name_more_pcrs),
		cmocka_unit_test(a_nonce_must_be_equal_to_the_last_byte),
		cmocka_unit_test(the_place_of_an_ak_follows_from_the_signer),
		cmocka_unit_test(pcr_values_are_compared_with_the_digest),
		cmocka_unit_test(each_selected_pcr_counts),
		cmocka_unit_test(a_quote_covers_only_what_it_selects),
		cmocka_unit_test(a_signature_must_have_the_scheme_of_its_key),
		cmocka_unit_test(a_sha1_signature_is_not_taken),
		cmocka_unit_test(a_zero_ecdsa_signature_is_refused),
		cmocka_unit_test(genuine_azure_quotes_verify_with_the_key_of_the_runtime_data),
		cmocka_unit_test(the_nonce_of_the_first_azure_quote_is_the_word_challenge),
		cmocka_unit_test(every_flipped_bit_of_genuine_quotes_is_refused),
		cmocka_unit_test(a_quote_of_another_machine_is_refused),
		cmocka_unit_test(a_quote_with_a_partial_selection_is_read),
		cmocka_unit_test(key_sets_that_are_not_clear_are_refused),
		cmocka_unit_test(clocks_tell_reboots_from_rollback),
		cmocka_unit_test(every_problem_has_a_name_and_a_text),
	};

	return cmocka_run_group_tests_name("quote", tests, NULL, NULL);
}
