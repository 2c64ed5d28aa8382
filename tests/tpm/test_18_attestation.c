/* Part 3, 18: Certify, CertifyCreation, Quote, GetTime. */
#include "keys.h"

#define RESTRICTED (PLAIN | TPMA_OBJECT_SIGN | TPMA_OBJECT_RESTRICTED)

static const TPMT_SIG_SCHEME no_scheme = {TPM_ALG_NULL, {.any = {TPM_ALG_NULL}}};
static const TPMT_SIG_SCHEME ecdsa256 = {TPM_ALG_ECDSA, {.ecdsa = {TPM_ALG_SHA256}}};

static struct key attestation_key(struct rig *r, TPM_HANDLE hierarchy)
{
	TPMT_PUBLIC t = template_ecc(RESTRICTED, TPM_ECC_NIST_P256, TPM_ALG_ECDSA, TPM_ALG_SHA256);

	return make_primary(r, hierarchy, &t, "");
}

static void same_name(const TPM2B_NAME *a, const TPM2B_NAME *b)
{
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->buffer, b->buffer, b->size);
}

static TPM2B_NAME qualified_name(struct rig *r, TPM_HANDLE handle)
{
	struct ReadPublic_in in = {.objectHandle = handle};
	struct ReadPublic_out out;

	rig_no_sessions(r);
	OK(RIG_RUN(r, ReadPublic, &in, &out));
	return out.qualifiedName;
}

static struct Quote_in quote_in(TPM_HANDLE key)
{
	return (struct Quote_in){.signHandle = key,
				 .qualifyingData = data_of("nonce"),
				 .inScheme = no_scheme,
				 .PCRselect = {1, {{TPM_ALG_SHA256, {3, {0xFF, 0, 1}}}}}};
}

/* 18.4 and 18.1. */
static void quote_says_what_it_should(void **state)
{
	struct rig *r = *state;
	struct key k = attestation_key(r, TPM_RH_ENDORSEMENT);
	TPM2B_NAME qn = qualified_name(r, k.handle);
	struct Quote_in in = quote_in(k.handle);
	struct Quote_out out;
	uint8_t values[9 * 32] = {0};
	TPM2B_DIGEST want = digest_of(TPM_ALG_SHA256, values, sizeof values);
	TPMS_ATTEST a;

	OK(RIG_RUN(r, Quote, &in, &out));
	is_signed_by(r, &k, &out.quoted, &out.signature);
	a = attest_of(&out.quoted, TPM_ST_ATTEST_QUOTE);
	same_name(&a.qualifiedSigner, &qn);
	assert_int_equal(a.extraData.size, 5);
	assert_memory_equal(a.extraData.buffer, "nonce", 5);
	assert_int_equal(a.attested.quote.pcrSelect.count, 1);
	assert_memory_equal(a.attested.quote.pcrSelect.pcrSelections[0].pcrSelect.bytes, "\xFF\0\1",
			    3);
	assert_int_equal(a.attested.quote.pcrDigest.size, 32);
	assert_memory_equal(a.attested.quote.pcrDigest.buffer, want.buffer, 32);
}

/* 18.4: PCRs that are not there are not quoted; the digest is of the scheme's hash. */
static void quote_selects_what_exists(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = template_ecc(PLAIN | TPMA_OBJECT_SIGN, TPM_ECC_NIST_P384, TPM_ALG_NULL, 0);
	struct key k = make_primary(r, TPM_RH_ENDORSEMENT, &t, "");
	struct Quote_in in = quote_in(k.handle);
	struct Quote_out out;
	TPMS_ATTEST a;

	in.inScheme = (TPMT_SIG_SCHEME){TPM_ALG_ECDSA, {.ecdsa = {TPM_ALG_SHA384}}};
	in.PCRselect.count = 2;
	in.PCRselect.pcrSelections[1] = (TPMS_PCR_SELECTION){TPM_ALG_SHA512, {3, {1, 0, 0}}};
	OK(RIG_RUN(r, Quote, &in, &out));
	is_signed_by(r, &k, &out.quoted, &out.signature);
	a = attest_of(&out.quoted, TPM_ST_ATTEST_QUOTE);
	assert_int_equal(a.attested.quote.pcrDigest.size, 48);
	assert_int_equal(a.attested.quote.pcrSelect.count, 2);
	if (!on_libtpms(r)) /* has a bank of SHA-512 */
		assert_int_equal(a.attested.quote.pcrSelect.pcrSelections[1].pcrSelect.bytes[0], 0);
	in.PCRselect.count = 0;
	OK(RIG_RUN(r, Quote, &in, &out));
	in.inScheme = no_scheme;
	RC(RIG_RUN(r, Quote, &in, &out), RC_P(2, TPM_RC_SCHEME));
	in.signHandle = TPM_RH_NULL;
	RC(RIG_RUN(r, Quote, &in, &out), RC_P(2, TPM_RC_SCHEME)); /* 18.4, note 3 */
}

/* 18.1: who may sign, with what. The four commands share it. */
static void signer_must_be_a_signing_key(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC storage = rig_storage_template();
	struct key s = make_primary(r, TPM_RH_OWNER, &storage, "");
	struct key k = attestation_key(r, TPM_RH_OWNER);
	struct Quote_in quote = quote_in(s.handle);
	struct Certify_in certify = {
		.objectHandle = k.handle, .signHandle = s.handle, .inScheme = no_scheme};
	struct GetTime_in time = {.privacyAdminHandle = TPM_RH_ENDORSEMENT,
				  .signHandle = s.handle,
				  .inScheme = no_scheme};
	struct CertifyCreation_in creation = {
		.signHandle = s.handle,
		.objectHandle = k.handle,
		.inScheme = no_scheme,
		.creationTicket = {TPM_ST_CREATION, TPM_RH_NULL, {.size = 0}}};

	RC(RIG_RUN(r, Quote, &quote, NULL), RC_H(1, TPM_RC_KEY));
	RC(RIG_RUN(r, Certify, &certify, NULL), RC_H(2, TPM_RC_KEY));
	RC(RIG_RUN(r, GetTime, &time, NULL), RC_H(2, TPM_RC_KEY));
	RC(RIG_RUN(r, CertifyCreation, &creation, NULL), RC_H(1, TPM_RC_KEY));
	quote.signHandle = certify.signHandle = time.signHandle = creation.signHandle = k.handle;
	quote.inScheme = certify.inScheme = time.inScheme = creation.inScheme =
		(TPMT_SIG_SCHEME){TPM_ALG_ECDSA, {.ecdsa = {TPM_ALG_SHA384}}};
	RC(RIG_RUN(r, Quote, &quote, NULL), RC_P(2, TPM_RC_SCHEME));
	RC(RIG_RUN(r, Certify, &certify, NULL), RC_P(2, TPM_RC_SCHEME));
	RC(RIG_RUN(r, GetTime, &time, NULL), RC_P(2, TPM_RC_SCHEME));
	RC(RIG_RUN(r, CertifyCreation, &creation, NULL), RC_P(3, TPM_RC_SCHEME));
	quote.inScheme = ecdsa256; /* the key's own, spelt out */
	OK(RIG_RUN(r, Quote, &quote, NULL));
}

/* 18.2. */
static void certify_names_the_object(void **state)
{
	struct rig *r = *state;
	struct key k = attestation_key(r, TPM_RH_ENDORSEMENT);
	TPMT_PUBLIC t = rig_signing_template();
	struct key object = make_primary(r, TPM_RH_OWNER, &t, "");
	TPM2B_NAME qn = qualified_name(r, object.handle);
	struct Certify_in in = {.objectHandle = object.handle,
				.signHandle = k.handle,
				.qualifyingData = data_of("x"),
				.inScheme = no_scheme};
	struct Certify_out out;
	struct key public;
	TPMS_ATTEST a;

	OK(RIG_RUN(r, Certify, &in, &out));
	is_signed_by(r, &k, &out.certifyInfo, &out.signature);
	a = attest_of(&out.certifyInfo, TPM_ST_ATTEST_CERTIFY);
	same_name(&a.attested.certify.name, &object.name);
	same_name(&a.attested.certify.qualifiedName, &qn);
	public = load_public(r, &object.public, TPM_RH_OWNER);
	in.objectHandle = public.handle; /* nothing proves that there is a private part */
	RC(RIG_RUN(r, Certify, &in, &out), TPM_RC_AUTH_UNAVAILABLE);
}

/* A sequence has no name that could be certified. */
static void sequences_are_not_certified(void **state)
{
	struct rig *r = *state;
	struct HashSequenceStart_in start = {.hashAlg = TPM_ALG_SHA256};
	struct HashSequenceStart_out s;
	struct Certify_in certify = {.signHandle = TPM_RH_NULL, .inScheme = no_scheme};
	struct CertifyCreation_in creation = {
		.signHandle = TPM_RH_NULL,
		.inScheme = no_scheme,
		.creationTicket = {TPM_ST_CREATION, TPM_RH_OWNER, {.size = 0}}};
	struct Quote_in quote;

	if (on_libtpms(r)) /* takes what lies in the sequence for a name */
		return;
	rig_no_sessions(r);
	OK(RIG_RUN(r, HashSequenceStart, &start, &s));
	certify.objectHandle = creation.objectHandle = s.handle;
	RC(RIG_RUN(r, Certify, &certify, NULL), RC_H(1, TPM_RC_TYPE));
	RC(RIG_RUN(r, CertifyCreation, &creation, NULL), RC_H(2, TPM_RC_TYPE));
	quote = quote_in(s.handle);
	RC(RIG_RUN(r, Quote, &quote, NULL), RC_H(1, TPM_RC_KEY));
}

/* 18.1: without a key everything is done but the signature. */
static void null_signer_gives_a_null_signature(void **state)
{
	static const TPM2B_NAME null_name = {4, {0x40, 0, 0, 7}};
	struct rig *r = *state;
	struct key k = attestation_key(r, TPM_RH_OWNER);
	struct Certify_in in = {.objectHandle = k.handle,
				.signHandle = TPM_RH_NULL,
				.qualifyingData = data_of("x"),
				.inScheme = ecdsa256}; /* has no effect */
	struct Certify_out out;
	TPMS_ATTEST a;

	OK(RIG_RUN(r, Certify, &in, &out));
	assert_int_equal(out.signature.sigAlg, TPM_ALG_NULL);
	a = attest_of(&out.certifyInfo, TPM_ST_ATTEST_CERTIFY);
	same_name(&a.qualifiedSigner, &null_name);
	same_name(&a.attested.certify.name, &k.name);
}

/* 18.3. */
static void certify_creation_checks_the_ticket(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = template_ecc(RESTRICTED, TPM_ECC_NIST_P256, TPM_ALG_ECDSA, TPM_ALG_SHA256);
	struct CreatePrimary_in create = {
		.primaryHandle = TPM_RH_OWNER, .inSensitive.size = 4, .inPublic.publicArea = t};
	struct CreatePrimary_out made;
	struct CertifyCreation_in in = {.inScheme = no_scheme};
	struct CertifyCreation_out out;
	struct key k;
	TPMS_ATTEST a;

	OK(RIG_RUN(r, CreatePrimary, &create, &made));
	k = (struct key){made.handle, made.outPublic.publicArea, made.name};
	in.signHandle = in.objectHandle = made.handle;
	in.creationHash = made.creationHash;
	in.creationTicket = made.creationTicket;
	OK(RIG_RUN(r, CertifyCreation, &in, &out));
	is_signed_by(r, &k, &out.certifyInfo, &out.signature);
	a = attest_of(&out.certifyInfo, TPM_ST_ATTEST_CREATION);
	same_name(&a.attested.creation.objectName, &made.name);
	assert_memory_equal(a.attested.creation.creationHash.buffer, made.creationHash.buffer, 32);
	in.creationHash.buffer[0] ^= 1;
	RC(RIG_RUN(r, CertifyCreation, &in, &out), RC_P(4, TPM_RC_TICKET));
	in.creationHash.buffer[0] ^= 1;
	in.creationTicket.digest.buffer[0] ^= 1;
	RC(RIG_RUN(r, CertifyCreation, &in, &out), RC_P(4, TPM_RC_TICKET));
	in.creationTicket.digest.buffer[0] ^= 1;
	in.creationTicket.hierarchy = TPM_RH_PLATFORM;
	RC(RIG_RUN(r, CertifyCreation, &in, &out), RC_P(4, TPM_RC_TICKET));
	in.creationTicket.hierarchy = TPM_RH_OWNER;
	in.signHandle = TPM_RH_NULL;
	OK(RIG_RUN(r, CertifyCreation, &in, &out));
}

static TPMS_ATTEST get_time(struct rig *r, TPM_HANDLE key)
{
	struct GetTime_in in = {
		.privacyAdminHandle = TPM_RH_ENDORSEMENT, .signHandle = key, .inScheme = no_scheme};
	struct GetTime_out out;

	OK(RIG_RUN(r, GetTime, &in, &out));
	return attest_of(&out.timeInfo, TPM_ST_ATTEST_TIME);
}

/* 18.1, 18.7: to keys of the owner the counters are shown shifted, by the same amount as
 * long as key and owner are the same; inside GetTime's own field they are plain. */
static void counters_are_obfuscated_for_the_owners_keys(void **state)
{
	struct rig *r = *state;
	struct key e = attestation_key(r, TPM_RH_ENDORSEMENT);
	struct key o = attestation_key(r, TPM_RH_OWNER);
	TPMS_ATTEST plain = get_time(r, e.handle), shifted = get_time(r, o.handle), later, none;
	const TPMS_CLOCK_INFO *inner = &shifted.attested.time.time.clockInfo;

	assert_int_equal(plain.clockInfo.resetCount, plain.attested.time.time.clockInfo.resetCount);
	assert_int_equal(plain.firmwareVersion, plain.attested.time.firmwareVersion);
	assert_int_equal(inner->resetCount, plain.clockInfo.resetCount);
	assert_int_equal(shifted.attested.time.firmwareVersion, plain.firmwareVersion);
	assert_true(shifted.firmwareVersion != plain.firmwareVersion);
	assert_true(shifted.clockInfo.resetCount != plain.clockInfo.resetCount ||
		    shifted.clockInfo.restartCount != plain.clockInfo.restartCount);
	assert_true(shifted.clockInfo.clock >= plain.clockInfo.clock); /* is not hidden */
	none = get_time(r, TPM_RH_NULL);
	assert_true(none.firmwareVersion != plain.firmwareVersion &&
		    none.firmwareVersion != shifted.firmwareVersion);

	rig_reset(r);
	o = attestation_key(r, TPM_RH_OWNER);
	later = get_time(r, o.handle);
	assert_int_equal(later.firmwareVersion, shifted.firmwareVersion);
	assert_int_equal((uint32_t)(later.clockInfo.resetCount - shifted.clockInfo.resetCount), 1);
}

/* 18.7: needs the privacy administrator. */
static void get_time_needs_the_endorsement_hierarchy(void **state)
{
	struct rig *r = *state;
	struct GetTime_in in = {.privacyAdminHandle = TPM_RH_OWNER,
				.signHandle = TPM_RH_NULL,
				.inScheme = no_scheme};

	RC(RIG_RUN(r, GetTime, &in, NULL), RC_H(1, TPM_RC_VALUE));
	in.privacyAdminHandle = TPM_RH_ENDORSEMENT;
	rig_password(r, 0, "wrong");
	rig_password(r, 1, "");
	RC(RIG_RUN(r, GetTime, &in, NULL), RC_S(1, TPM_RC_BAD_AUTH));
}

/* A clock that was signed after TPM2_Shutdown counts: where the power failed then, Clock is not
 * safe. ReadClock alone signs nothing. */
static void signed_clock_makes_the_end_unorderly(void **state)
{
	struct rig *r = *state;
	struct Shutdown_in shutdown = {.shutdownType = TPM_SU_CLEAR};

	for (unsigned quotes = 0; quotes < 2; quotes++) {
		struct key k = attestation_key(r, TPM_RH_ENDORSEMENT);
		struct Quote_in in = quote_in(k.handle);
		TPMS_ATTEST a;

		rig_no_sessions(r);
		OK(RIG_RUN(r, Shutdown, &shutdown, NULL));
		if (quotes)
			OK(RIG_RUN(r, Quote, &in, NULL));
		rig_reset(r);
		a = get_time(r, TPM_RH_NULL);
		assert_int_equal(a.attested.time.time.clockInfo.safe, quotes == 0);
	}
}

/* RSA attestation keys, with both schemes, first and later uses. */
static void rsa_keys_sign_attestations(void **state)
{
	static const TPM_ALG_ID schemes[] = {TPM_ALG_RSASSA, TPM_ALG_RSAPSS};
	struct rig *r = *state;

	for (size_t i = 0; i < 2; i++) {
		struct key k =
			load_rsa(r, TPMA_OBJECT_SIGN | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
				 schemes[i], TPM_ALG_SHA256, true);
		struct Quote_in in = quote_in(k.handle);
		struct Quote_out out;

		for (size_t n = 0; n < 2; n++) {
			OK(RIG_RUN(r, Quote, &in, &out));
			assert_int_equal(out.signature.sigAlg, schemes[i]);
			is_signed_by(r, &k, &out.quoted, &out.signature);
		}
		rig_flush(r, k.handle);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(quote_says_what_it_should),
		TEST(quote_selects_what_exists),
		TEST(signer_must_be_a_signing_key),
		TEST(certify_names_the_object),
		TEST(sequences_are_not_certified),
		TEST(null_signer_gives_a_null_signature),
		TEST(certify_creation_checks_the_ticket),
		TEST(counters_are_obfuscated_for_the_owners_keys),
		TEST(get_time_needs_the_endorsement_hierarchy),
		TEST(signed_clock_makes_the_end_unorderly),
		TEST(rsa_keys_sign_attestations),
	};

	return cmocka_run_group_tests_name("Part 3, 18", tests, NULL, NULL);
}
