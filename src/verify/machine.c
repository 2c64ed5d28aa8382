/*
 * AK and quote: is the machine alive, and is it the one whose EK a report
 * vouches for?
 *
 * Nothing here is believed of a machine that answers no challenge of ours: who
 * can send bytes can send an old quote, or another TPM's.
 */
#include "verify/machine.h"
#include "cvtpm/err.h"
#include "verify/checks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char about_ak[] = "AK", about_quote[] = "quote", about_pcrs[] = "PCRs";

struct answer {
	const struct cvtpm_machine *machine;
	const struct cvtpm_challenge_secret *asked;
	struct cvtpm_verification *v;
	bool has_ak, has_ek, has_signature;
	struct cvtpm_tpm_public ak, ek;
	struct cvtpm_tpm_signature signature;
	/* Of a HCL report: a key without a public area, and a nonce of the caller's. */
	const struct cvtpm_tpm_key *bare_ak;
	const struct cvtpm_bytes *bare_nonce;
};

/* A verdict from a call of tpm_evidence.h, whose fault here must not pass for evidence's. */
static enum cvtpm_check_verdict verdict_of(int result)
{
	return result == 0  ? CVTPM_CHECK_OK
	       : result > 0 ? CVTPM_CHECK_REFUSED
			    : CVTPM_CHECK_UNKNOWN;
}

static void found_or_problem(struct cvtpm_check *c, int result, const char *good)
{
	check_found(c, "%s", result ? cvtpm_tpm_problem_text(result) : good);
}

const char *pcr_list_text(char text[PCR_LIST_SIZE], uint32_t mask)
{
	size_t used = 0;

	text[0] = 0;
	for (unsigned pcr = 0; pcr < CVTPM_PCR_COUNT; pcr++) {
		unsigned last = pcr;

		if (!(mask >> pcr & 1))
			continue;
		while (last + 1 < CVTPM_PCR_COUNT && mask >> (last + 1) & 1)
			last++;
		if (used < PCR_LIST_SIZE - 8)
			used += (size_t)snprintf(text + used, PCR_LIST_SIZE - used,
						 last > pcr ? "%s%u-%u" : "%s%u", used ? "," : "",
						 pcr, last);
		pcr = last;
	}
	return text;
}

/* ---- the keys ---- */

static void open_ek(struct answer *a, const struct ek_evidence *ek)
{
	const struct ek_public *public = ek->has_public        ? &ek->public
					 : ek->has_cert_public ? &ek->cert_public
							       : NULL;

	a->has_ek = public && !cvtpm_tpm2b_public_read(public->bytes, public->len, &a->ek);
}

static const char *key_text(const struct cvtpm_tpm_public *key)
{
	if (key->key.type == CVTPM_TPM_ALG_RSA)
		return key->key.size == 256   ? "RSA 2048"
		       : key->key.size == 384 ? "RSA 3072"
					      : "RSA 4096";
	return key->key.size == 32 ? "ECC P-256" : key->key.size == 48 ? "ECC P-384" : "ECC P-521";
}

static void check_ak_attributes(struct answer *a)
{
	const struct cvtpm_ak_rule *rule = cvtpm_ak_broken_rule(&a->ak);
	struct cvtpm_check *c = check_add(a->v, about_ak, "ak-attributes", "attributes",
					  rule ? CVTPM_CHECK_REFUSED : CVTPM_CHECK_OK,
					  "only such a key shows that a TPM made a quote");

	check_expected(c, "fixedTPM, fixedParent, sensitiveDataOrigin, restricted, sign, no "
			  "decrypt");
	if (rule)
		check_found(c, "%s is %s: %s", rule->attribute, rule->set ? "clear" : "set",
			    rule->broken);
	else
		check_found(c, "so");
}

static void open_ak(struct answer *a)
{
	const struct cvtpm_bytes *bytes = &a->machine->ak_public;
	struct cvtpm_check *c;
	int result;

	if (!bytes->data)
		return;
	result = cvtpm_tpm2b_public_read(bytes->data, bytes->len, &a->ak);
	c = check_add(a->v, about_ak, "ak-public", "public area", verdict_of(result),
		      "nothing can be verified without it");
	check_expected(c, "a TPM2B_PUBLIC of an RSA or ECC key");
	found_or_problem(c, result, key_text(&a->ak));
	if (result)
		return;
	a->has_ak = true;
	check_ak_attributes(a);
}

/* ---- the challenge ---- */

static void check_age(struct answer *a, int64_t now)
{
	int64_t made_at = a->asked->made_at;
	bool future = made_at > now + 60;
	bool old = made_at < 0 || (!future && now - made_at > CVTPM_CHALLENGE_MAX_AGE);
	struct cvtpm_check *c = check_add(a->v, about_ak, "challenge-age", "age of the challenge",
					  old || future ? CVTPM_CHECK_REFUSED : CVTPM_CHECK_OK,
					  "an answer proves what was so after the question");

	check_expected(c, "made in the last %d seconds", CVTPM_CHALLENGE_MAX_AGE);
	if (future || made_at < 0)
		check_found(c, "made at a time that has not come");
	else
		check_found(c, "made %" PRId64 " seconds ago", now > made_at ? now - made_at : 0);
}

static bool is_name(const struct cvtpm_name *name, const struct cvtpm_tpm_public *public)
{
	return name->len == public->name_len && !memcmp(name->bytes, public->name, name->len);
}

/* Whether a key is the one that the challenge was made for. */
static void check_same_name(struct answer *a, const char *id, const char *title,
			    const struct cvtpm_name *asked, const struct cvtpm_tpm_public *key)
{
	char text[2 * CVTPM_TPM_NAME_MAX + 1];
	struct cvtpm_check *c = check_add(a->v, about_ak, id, title,
					  !key                  ? CVTPM_CHECK_UNKNOWN
					  : is_name(asked, key) ? CVTPM_CHECK_OK
								: CVTPM_CHECK_REFUSED,
					  "an answer for another key says nothing of this one");

	hex_text(text, asked->bytes, asked->len);
	check_expected(c, "%s", text);
	if (!key) {
		check_found(c, "none was given");
		return;
	}
	hex_text(text, key->name, key->name_len);
	check_found(c, "%s", text);
}

static void check_secret(struct answer *a)
{
	const struct cvtpm_bytes *returned = &a->machine->secret;
	struct cvtpm_check *c;
	int result = 0;

	if (returned->data)
		result = cvtpm_credential_check_secret(a->asked->secret, sizeof(a->asked->secret),
						       returned->data, returned->len);
	c = check_add(a->v, about_ak, "ak-credential", "lives beside the EK",
		      returned->data ? verdict_of(result) : CVTPM_CHECK_UNKNOWN,
		      "only a TPM with both keys can open the challenge");
	check_expected(c, "the secret of this verifier's challenge");
	check_found(c, "%s",
		    !returned->data ? "none: the challenge is not answered"
		    : result        ? "another secret"
				    : "that secret");
}

/* Without a challenge nothing is known of the AK, and nothing of what it signs. */
static void say_unasked(struct answer *a)
{
	struct cvtpm_check *c;

	c = check_add(a->v, about_ak, "ak-credential", "lives beside the EK", CVTPM_CHECK_UNKNOWN,
		      "only a TPM with both keys can open a challenge");
	check_expected(c, "the answer to a challenge of this verifier's");
	check_found(c, "no challenge was made (--challenge)");
	c = check_add(a->v, about_quote, "quote", "quote", CVTPM_CHECK_UNKNOWN,
		      "an old quote, or another TPM's, looks the same");
	check_expected(c, "over a nonce of this verifier's");
	check_found(c, "no nonce was given (--challenge)");
}

/* ---- the quote ---- */

static int read_signature(struct answer *a)
{
	const struct cvtpm_bytes *bytes = &a->machine->signature;

	/* Tools of Azure's world strip the TPMT_SIGNATURE, which is 6 bytes longer. */
	if (a->bare_ak && bytes->len == a->bare_ak->size)
		return cvtpm_tpm_signature_from_rsassa(bytes->data, bytes->len,
						       CVTPM_TPM_ALG_SHA256, &a->signature);
	return cvtpm_tpm_signature_read(bytes->data, bytes->len, &a->signature);
}

static bool check_signature(struct answer *a)
{
	const struct cvtpm_bytes *quote = &a->machine->quote;
	int result = read_signature(a);
	struct cvtpm_check *c;

	if (!result && a->bare_ak)
		result = cvtpm_tpm_check_signature(a->bare_ak, &a->signature, quote->data,
						   quote->len);
	else if (!result)
		result = cvtpm_tpm_check_signature_by(&a->ak, &a->signature, quote->data,
						      quote->len);
	c = check_add(a->v, about_quote, "quote-signature", "signature", verdict_of(result),
		      "the AK's TPM said this");
	check_expected(c, "by the AK");
	found_or_problem(c, result, "by the AK");
	return !result;
}

static bool check_nonce(struct answer *a, const struct cvtpm_quote *quote)
{
	int result = cvtpm_quote_check_nonce(quote, a->asked->nonce, sizeof(a->asked->nonce));
	struct cvtpm_check *c = check_add(a->v, about_quote, "quote-nonce", "nonce",
					  verdict_of(result), "made after the challenge");

	check_expected(c, "the challenge's");
	found_or_problem(c, result, "the challenge's");
	return !result;
}

static bool check_signer(struct answer *a, const struct cvtpm_quote *quote)
{
	enum cvtpm_ak_place place = CVTPM_AK_ELSEWHERE;
	int result = cvtpm_quote_check_signer(quote, &a->ak, a->has_ek ? &a->ek : NULL, &place);
	struct cvtpm_check *c = check_add(a->v, about_quote, "quote-signer", "signer",
					  verdict_of(result), "the quote names its key");

	check_expected(c, "the AK's qualified name");
	found_or_problem(c, result, cvtpm_ak_place_text(place));
	return !result;
}

static bool check_selection(struct answer *a, const struct cvtpm_quote *quote)
{
	const struct cvtpm_pcr_choice *asked = &a->asked->pcrs;
	char list[PCR_LIST_SIZE];
	struct cvtpm_check *c;
	int result = 0;
	size_t i = 0;

	while (i < asked->count &&
	       !(result = cvtpm_quote_check_covers(quote, asked->bank[i].alg, asked->bank[i].mask)))
		i++;
	c = check_add(a->v, about_quote, "quote-selection", "PCRs in it", verdict_of(result),
		      "a quote over nothing is a valid quote");
	if (result) {
		check_expected(c, "%s:%s", cvtpm_tpm_hash_name(asked->bank[i].alg),
			       pcr_list_text(list, asked->bank[i].mask));
		check_found(c, "%s", cvtpm_tpm_problem_text(result));
		return false;
	}
	check_expected(c, "all that was asked for");
	check_found(c, "so");
	return true;
}

static bool check_values(struct answer *a, struct quoted_pcrs *quoted)
{
	const struct cvtpm_bytes *bytes = &a->machine->pcrs;
	const char *why = NULL;
	struct cvtpm_check *c;
	int result = 0;

	if (bytes->data && cvtpm_pcrs_decode(&quoted->values, bytes->data, bytes->len, &why)) {
		check_simple(a->v, about_pcrs, "pcr-values", "values", false, "CBOR of PCR values",
			     why, "nothing can be read from them");
		return false;
	}
	if (bytes->data)
		result = cvtpm_quote_check_pcrs(&quoted->quote, a->signature.hash, &quoted->values);
	c = check_add(a->v, about_pcrs, "quote-pcrs", "values against the quote",
		      bytes->data ? verdict_of(result) : CVTPM_CHECK_UNKNOWN,
		      "the quote holds their digest only");
	check_expected(c, "values with the quoted digest");
	if (!bytes->data)
		check_found(c, "none were given");
	else
		found_or_problem(c, result, "so");
	return bytes->data && !result;
}

static void say_clock(struct answer *a, const struct cvtpm_quote *quote)
{
	struct cvtpm_check *c =
		check_add(a->v, about_quote, "quote-clock", "clock",
			  quote->safe ? CVTPM_CHECK_OK : CVTPM_CHECK_WARNING,
			  "which boot it speaks of; compare with earlier quotes by this AK");

	check_found(c, "%" PRIu64 " ms, reset %" PRIu32 ", restart %" PRIu32 "%s", quote->clock,
		    quote->reset_count, quote->restart_count,
		    quote->safe ? "" : "; not safe: the clock may have gone back");
	c = check_add(a->v, about_quote, "quote-firmware", "TPM firmware version", CVTPM_CHECK_OK,
		      "which code answered, as it says");
	check_found(c, "%016" PRIx64, quote->firmware_version);
}

/* Without a nonce of the caller's the quote may be of any time. */
static bool check_bare_nonce(struct answer *a, const struct cvtpm_quote *quote)
{
	const struct cvtpm_bytes *nonce = a->bare_nonce;
	int result = nonce->len ? cvtpm_quote_check_nonce(quote, nonce->data, nonce->len) : 0;
	char text[2 * CVTPM_TPM_NAME_MAX + 1];
	struct cvtpm_check *c = check_add(a->v, about_quote, "quote-nonce", "nonce",
					  nonce->len ? verdict_of(result) : CVTPM_CHECK_UNKNOWN,
					  "made after the question");

	check_expected(c, "a nonce of this verifier's");
	hex_text(text, quote->extra, quote->extra_len);
	if (nonce->len)
		found_or_problem(c, result, "that nonce");
	else
		check_found(c, "none was named (--quote-nonce); it is over %s",
			    quote->extra_len ? text : "nothing");
	return nonce->len && !result;
}

static void check_bare_quote(struct answer *a, struct quoted_pcrs *quoted)
{
	bool good = check_signature(a);

	good = check_bare_nonce(a, &quoted->quote) && good;
	if (a->signature.hash)
		good = check_values(a, quoted) && good;
	say_clock(a, &quoted->quote);
	quoted->proven = good;
}

/* TPMS_ATTEST, or a line on what it is instead. */
static bool read_quote(struct answer *a, struct cvtpm_quote *quote)
{
	int result = cvtpm_quote_read(a->machine->quote.data, a->machine->quote.len, quote);
	struct cvtpm_check *c = check_add(a->v, about_quote, "quote", "form", verdict_of(result),
					  "nothing else that a TPM signs is a quote");

	check_expected(c, "a TPMS_ATTEST with a quote");
	found_or_problem(c, result, "so");
	return !result;
}

void machine_check_bare_quote(const struct cvtpm_machine *machine, const struct cvtpm_tpm_key *ak,
			      const struct cvtpm_bytes *nonce, struct quoted_pcrs *quoted,
			      struct cvtpm_verification *v)
{
	struct answer a = {.machine = machine, .v = v, .bare_ak = ak, .bare_nonce = nonce};
	struct cvtpm_check *c;

	quoted->proven = false;
	if (machine->quote.data && machine->signature.data && ak) {
		if (read_quote(&a, &quoted->quote))
			check_bare_quote(&a, quoted);
		return;
	}
	c = check_add(v, about_quote, "quote", "quote", CVTPM_CHECK_UNKNOWN,
		      "what the machine runs now");
	check_expected(c, "a quote and its signature");
	check_found(c, "%s",
		    !ak                    ? "no AK to verify one with"
		    : !machine->quote.data ? "no quote"
					   : "no signature");
}

static void check_quote(struct answer *a, struct quoted_pcrs *quoted)
{
	const struct cvtpm_machine *m = a->machine;
	bool given = m->quote.data && m->signature.data && a->has_ak;
	struct cvtpm_check *c;
	bool good, is_quote;

	if (!given) {
		c = check_add(a->v, about_quote, "quote", "quote", CVTPM_CHECK_UNKNOWN,
			      "what the machine runs now");
		check_expected(c, "a quote over the challenge's nonce, and its signature");
		check_found(c, "%s", a->has_ak ? "none" : "no AK to verify one with");
		return;
	}
	is_quote = read_quote(a, &quoted->quote);
	good = check_signature(a);
	if (!is_quote)
		return;
	good = check_nonce(a, &quoted->quote) && good;
	good = check_signer(a, &quoted->quote) && good;
	good = check_selection(a, &quoted->quote) && good;
	/* The digest is made with the hash of a signature that could be read. */
	if (a->signature.hash)
		good = check_values(a, quoted) && good;
	say_clock(a, &quoted->quote);
	quoted->proven = good;
}

void machine_check(const struct cvtpm_machine *machine, const struct cvtpm_challenge_secret *asked,
		   const struct ek_evidence *ek, int64_t now, struct quoted_pcrs *quoted,
		   struct cvtpm_verification *v)
{
	struct answer a = {.machine = machine, .asked = asked, .v = v};

	quoted->proven = false;
	open_ek(&a, ek);
	open_ak(&a);
	if (!asked) {
		say_unasked(&a);
		return;
	}
	check_age(&a, now);
	check_same_name(&a, "ek-name", "EK of the challenge", &asked->ek, a.has_ek ? &a.ek : NULL);
	check_same_name(&a, "ak-name", "AK of the challenge", &asked->ak, a.has_ak ? &a.ak : NULL);
	check_secret(&a);
	check_quote(&a, quoted);
}
