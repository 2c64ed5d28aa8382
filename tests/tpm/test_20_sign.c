/* Part 3, 20: VerifySignature, Sign. */
#include "keys.h"

#define USER (TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA)

static const TPMT_TK_HASHCHECK null_ticket = {TPM_ST_HASHCHECK, TPM_RH_NULL, {.size = 0}};

static TPMT_SIG_SCHEME scheme_of(TPM_ALG_ID scheme, TPM_ALG_ID hash)
{
	return (TPMT_SIG_SCHEME){scheme, {.any.hashAlg = hash}};
}

static tpm_rc sign(struct rig *r, TPM_HANDLE key, TPM_ALG_ID scheme, TPM_ALG_ID hash,
		   const TPM2B_DIGEST *digest, const TPMT_TK_HASHCHECK *ticket,
		   TPMT_SIGNATURE *made)
{
	struct Sign_in in = {.keyHandle = key,
			     .digest = *digest,
			     .inScheme = scheme_of(scheme, hash),
			     .validation = *ticket};
	struct Sign_out out;
	tpm_rc rc = RIG_RUN(r, Sign, &in, &out);

	*made = out.signature;
	return rc;
}

static tpm_rc verify(struct rig *r, TPM_HANDLE key, const TPM2B_DIGEST *digest,
		     const TPMT_SIGNATURE *signature, TPMT_TK_VERIFIED *ticket)
{
	struct VerifySignature_in in = {
		.keyHandle = key, .digest = *digest, .signature = *signature};
	struct VerifySignature_out out;
	tpm_rc rc;

	rig_no_sessions(r);
	rc = RIG_RUN(r, VerifySignature, &in, &out);
	if (ticket)
		*ticket = out.validation;
	return rc;
}

static TPM2B_DIGEST message_digest(TPM_ALG_ID alg)
{
	return digest_of(alg, VECTOR_MESSAGE, sizeof VECTOR_MESSAGE - 1);
}

/* Every curve with every hash; of a digest longer than the order the left part counts. */
static void ecdsa_verifies_elsewhere(void **state)
{
	static const TPM_ALG_ID algs[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384,
					  TPM_ALG_SHA512};
	struct rig *r = *state;

	for (TPMI_ECC_CURVE curve = TPM_ECC_NIST_P256; curve <= TPM_ECC_NIST_P521; curve++) {
		TPMT_PUBLIC t = template_ecc(PLAIN | TPMA_OBJECT_SIGN, curve, TPM_ALG_NULL, 0);
		struct key k = make_primary(r, TPM_RH_OWNER, &t, "");
		size_t size = cvtpm_curve_size((enum cvtpm_curve)curve);
		struct cvtpm_ecc_public public = {.curve = (enum cvtpm_curve)curve};

		memcpy(public.x + size - k.public.unique.ecc.x.size, k.public.unique.ecc.x.buffer,
		       k.public.unique.ecc.x.size);
		memcpy(public.y + size - k.public.unique.ecc.y.size, k.public.unique.ecc.y.buffer,
		       k.public.unique.ecc.y.size);
		for (size_t i = 0; i < 4; i++) {
			TPM2B_DIGEST digest = message_digest(algs[i]);
			struct cvtpm_ecdsa_signature rs = {{0}, {0}};
			TPMT_SIGNATURE s;
			const TPMS_SIGNATURE_ECC *e = &s.signature.ecdsa;

			OK(sign(r, k.handle, TPM_ALG_ECDSA, algs[i], &digest, &null_ticket, &s));
			assert_int_equal(s.sigAlg, TPM_ALG_ECDSA);
			assert_int_equal(e->hash, algs[i]);
			memcpy(rs.r + size - e->signatureR.size, e->signatureR.buffer,
			       e->signatureR.size);
			memcpy(rs.s + size - e->signatureS.size, e->signatureS.buffer,
			       e->signatureS.size);
			assert_int_equal(
				cvtpm_ecdsa_verify(&public, digest.buffer, digest.size, &rs), 0);
			OK(verify(r, k.handle, &digest, &s, NULL));
			digest.buffer[0] ^= 1;
			RC(verify(r, k.handle, &digest, &s, NULL), RC_P(2, TPM_RC_SIGNATURE));
		}
		rig_flush(r, k.handle);
	}
}

/* RSASSA has one result; OpenSSL had it before. Its PSS, with another salt, verifies. */
static void rsa_as_openssl(void **state)
{
	struct rig *r = *state;
	struct key k = load_rsa(r, TPMA_OBJECT_SIGN | USER, TPM_ALG_NULL, 0, true);
	TPM2B_DIGEST digest = message_digest(TPM_ALG_SHA256);
	TPMT_SIGNATURE s;

	OK(sign(r, k.handle, TPM_ALG_RSASSA, TPM_ALG_SHA256, &digest, &null_ticket, &s));
	assert_int_equal(s.signature.rsassa.sig.size, 256);
	assert_memory_equal(s.signature.rsassa.sig.buffer, vector_rsassa, 256);
	OK(verify(r, k.handle, &digest, &s, NULL));
	s.sigAlg = TPM_ALG_RSAPSS;
	RC(verify(r, k.handle, &digest, &s, NULL), RC_P(2, TPM_RC_SIGNATURE));
	memcpy(s.signature.rsapss.sig.buffer, vector_rsapss, 256);
	OK(verify(r, k.handle, &digest, &s, NULL));
	s.signature.rsapss.sig.buffer[200] ^= 1;
	RC(verify(r, k.handle, &digest, &s, NULL), RC_P(2, TPM_RC_SIGNATURE));
	s.signature.rsapss.sig.size--;
	RC(verify(r, k.handle, &digest, &s, NULL), RC_P(2, TPM_RC_SIGNATURE));
}

/* PSS of our own: with the digest's length of salt, two are never alike. */
static void pss_has_salt(void **state)
{
	static const TPM_ALG_ID algs[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384,
					  TPM_ALG_SHA512};
	struct rig *r = *state;
	struct key k = load_rsa(r, TPMA_OBJECT_SIGN | USER, TPM_ALG_NULL, 0, true);
	struct cvtpm_rsa_public public = {.bits = 2048, .exponent = 65537};

	memcpy(public.n, vector_n, sizeof vector_n);
	for (size_t i = 0; i < 4; i++) {
		TPM2B_DIGEST digest = message_digest(algs[i]);
		TPMT_SIGNATURE a, b;

		OK(sign(r, k.handle, TPM_ALG_RSAPSS, algs[i], &digest, &null_ticket, &a));
		OK(sign(r, k.handle, TPM_ALG_RSAPSS, algs[i], &digest, &null_ticket, &b));
		assert_memory_not_equal(a.signature.rsapss.sig.buffer,
					b.signature.rsapss.sig.buffer, 256);
		assert_int_equal(cvtpm_rsapss_verify(&public, (enum cvtpm_hash_alg)algs[i],
						     digest.buffer, digest.size,
						     a.signature.rsapss.sig.buffer, 256),
				 0);
		OK(verify(r, k.handle, &digest, &a, NULL));
	}
}

static void hmac_signs_a_digest(void **state)
{
	struct rig *r = *state;
	struct key k = make_hmac(r, USER | TPMA_OBJECT_SIGN, TPM_ALG_SHA256, "Jefe");
	TPM2B_DIGEST digest = message_digest(TPM_ALG_SHA256);
	TPMT_PUBLIC public = k.public;
	struct key alone;
	TPMT_SIGNATURE s;
	uint8_t want[32];
	struct cvtpm_hmac hmac;

	OK(sign(r, k.handle, TPM_ALG_NULL, 0, &digest, &null_ticket, &s));
	assert_int_equal(cvtpm_hmac_begin(&hmac, CVTPM_SHA256, (const uint8_t *)"Jefe", 4), 0);
	assert_int_equal(cvtpm_hmac_update(&hmac, digest.buffer, digest.size), 0);
	assert_int_equal(cvtpm_hmac_end(&hmac, want), 0);
	assert_int_equal(s.signature.hmac.hashAlg, TPM_ALG_SHA256);
	assert_memory_equal(&s.signature.hmac.digest, want, sizeof want);
	OK(verify(r, k.handle, &digest, &s, NULL));
	alone = load_public(r, &public, TPM_RH_OWNER);
	RC(verify(r, alone.handle, &digest, &s, NULL), RC_P(2, TPM_RC_HANDLE));
	((uint8_t *)&s.signature.hmac.digest)[0] ^= 1;
	RC(verify(r, k.handle, &digest, &s, NULL), RC_P(2, TPM_RC_SIGNATURE));
	s.signature.hmac.hashAlg = TPM_ALG_SHA384; /* not the key's */
	RC(verify(r, k.handle, &digest, &s, NULL), RC_P(2, TPM_RC_SIGNATURE));
}

/* 20.2: the key's scheme rules, else the command's. */
static void scheme_is_the_keys_or_the_commands(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC fixed = rig_signing_template();
	TPMT_PUBLIC open =
		template_ecc(PLAIN | TPMA_OBJECT_SIGN, TPM_ECC_NIST_P256, TPM_ALG_NULL, 0);
	struct key f = make_primary(r, TPM_RH_OWNER, &fixed, "");
	struct key o = make_primary(r, TPM_RH_OWNER, &open, "");
	TPM2B_DIGEST d256 = message_digest(TPM_ALG_SHA256), d384 = message_digest(TPM_ALG_SHA384);
	TPMT_SIGNATURE s;

	OK(sign(r, f.handle, TPM_ALG_NULL, 0, &d256, &null_ticket, &s));
	OK(sign(r, f.handle, TPM_ALG_ECDSA, TPM_ALG_SHA256, &d256, &null_ticket, &s));
	RC(sign(r, f.handle, TPM_ALG_ECDSA, TPM_ALG_SHA384, &d384, &null_ticket, &s),
	   RC_P(2, TPM_RC_SCHEME));
	RC(sign(r, f.handle, TPM_ALG_RSASSA, TPM_ALG_SHA256, &d256, &null_ticket, &s),
	   RC_P(2, TPM_RC_SCHEME));
	RC(sign(r, o.handle, TPM_ALG_NULL, 0, &d256, &null_ticket, &s), RC_P(2, TPM_RC_SCHEME));
	OK(sign(r, o.handle, TPM_ALG_ECDSA, TPM_ALG_SHA384, &d384, &null_ticket, &s));
	RC(sign(r, o.handle, TPM_ALG_ECDSA, TPM_ALG_SHA384, &d256, &null_ticket, &s),
	   RC_P(1, TPM_RC_SIZE));
	RC(sign(r, o.handle, TPM_ALG_RSASSA, TPM_ALG_SHA256, &d256, &null_ticket, &s),
	   RC_P(2, TPM_RC_SCHEME));
	RC(sign(r, o.handle, TPM_ALG_HMAC, TPM_ALG_SHA256, &d256, &null_ticket, &s),
	   RC_P(2, TPM_RC_SCHEME));
}

static void sign_wants_a_signing_key(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC storage = rig_storage_template(), x509 = rig_signing_template();
	struct key k = make_primary(r, TPM_RH_OWNER, &storage, ""), x;
	TPM2B_DIGEST digest = message_digest(TPM_ALG_SHA256);
	TPMT_SIGNATURE s = {TPM_ALG_ECDSA, {.ecdsa = {TPM_ALG_SHA256, {1, {1}}, {1, {1}}}}};

	RC(verify(r, k.handle, &digest, &s, NULL), RC_H(1, TPM_RC_ATTRIBUTES));
	RC(sign(r, k.handle, TPM_ALG_ECDSA, TPM_ALG_SHA256, &digest, &null_ticket, &s),
	   RC_H(1, TPM_RC_KEY));
	x509.objectAttributes |= TPMA_OBJECT_X509SIGN;
	x = make_primary(r, TPM_RH_OWNER, &x509, "");
	RC(sign(r, x.handle, TPM_ALG_NULL, 0, &digest, &null_ticket, &s),
	   RC_H(1, TPM_RC_ATTRIBUTES));
}

static struct key restricted_key(struct rig *r)
{
	TPMT_PUBLIC t = rig_signing_template();

	t.objectAttributes |= TPMA_OBJECT_RESTRICTED;
	return make_primary(r, TPM_RH_OWNER, &t, "");
}

static void run_hash(struct rig *r, const char *text, TPM_ALG_ID alg, struct Hash_out *out)
{
	struct Hash_in in = {.hashAlg = alg, .hierarchy = TPM_RH_OWNER};

	buffer_set(&in.data, text);
	rig_no_sessions(r);
	OK(RIG_RUN(r, Hash, &in, out));
}

/* 20.2: a restricted key signs nothing that this TPM has not hashed and found safe. */
static void restricted_key_wants_a_ticket(void **state)
{
	struct rig *r = *state;
	struct key k = restricted_key(r);
	TPMT_TK_HASHCHECK ticket;
	TPMT_SIGNATURE s;
	struct Hash_out hash;

	run_hash(r, "harmless", TPM_ALG_SHA256, &hash);
	RC(sign(r, k.handle, TPM_ALG_NULL, 0, &hash.outHash, &null_ticket, &s),
	   RC_P(3, TPM_RC_TICKET));
	OK(sign(r, k.handle, TPM_ALG_NULL, 0, &hash.outHash, &hash.validation, &s));
	OK(verify(r, k.handle, &hash.outHash, &s, NULL));
	ticket = hash.validation;
	ticket.digest.buffer[3] ^= 1;
	RC(sign(r, k.handle, TPM_ALG_NULL, 0, &hash.outHash, &ticket, &s), RC_P(3, TPM_RC_TICKET));
	ticket = hash.validation;
	ticket.hierarchy = TPM_RH_ENDORSEMENT;
	RC(sign(r, k.handle, TPM_ALG_NULL, 0, &hash.outHash, &ticket, &s), RC_P(3, TPM_RC_TICKET));
	ticket = hash.validation;
	hash.outHash.buffer[0] ^= 1;
	RC(sign(r, k.handle, TPM_ALG_NULL, 0, &hash.outHash, &ticket, &s), RC_P(3, TPM_RC_TICKET));
	run_hash(r, "\xffTCG forged", TPM_ALG_SHA256, &hash);
	RC(sign(r, k.handle, TPM_ALG_NULL, 0, &hash.outHash, &hash.validation, &s),
	   RC_P(3, TPM_RC_TICKET));
}

/* 20.2: a ticket that is given is checked for any key, against the scheme's hash. */
static void given_ticket_is_always_checked(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC open =
		template_ecc(PLAIN | TPMA_OBJECT_SIGN, TPM_ECC_NIST_P256, TPM_ALG_NULL, 0);
	struct key k = make_primary(r, TPM_RH_OWNER, &open, "");
	TPMT_SIGNATURE s;
	struct Hash_out hash;

	run_hash(r, "data", TPM_ALG_SHA256, &hash);
	OK(sign(r, k.handle, TPM_ALG_ECDSA, TPM_ALG_SHA256, &hash.outHash, &hash.validation, &s));
	RC(sign(r, k.handle, TPM_ALG_ECDSA, TPM_ALG_SHA384, &hash.outHash, &hash.validation, &s),
	   RC_P(3, TPM_RC_TICKET));
	hash.validation.digest.buffer[0] ^= 1;
	RC(sign(r, k.handle, TPM_ALG_ECDSA, TPM_ALG_SHA256, &hash.outHash, &hash.validation, &s),
	   RC_P(3, TPM_RC_TICKET));
}

/* 20.1: the ticket is of the key's hierarchy; a key of none gives none. */
static void verified_ticket_needs_a_hierarchy(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rig_signing_template();
	struct key k = make_primary(r, TPM_RH_ENDORSEMENT, &t, ""), free;
	TPM2B_DIGEST digest = message_digest(TPM_ALG_SHA256);
	TPMT_TK_VERIFIED ticket;
	TPMT_PUBLIC nameless;
	TPMT_SIGNATURE s;

	OK(sign(r, k.handle, TPM_ALG_NULL, 0, &digest, &null_ticket, &s));
	OK(verify(r, k.handle, &digest, &s, &ticket));
	assert_int_equal(ticket.tag, TPM_ST_VERIFIED);
	assert_int_equal(ticket.hierarchy, TPM_RH_ENDORSEMENT);
	assert_true(ticket.digest.size > 0);
	free = load_public(r, &k.public, TPM_RH_NULL);
	OK(verify(r, free.handle, &digest, &s, &ticket));
	assert_int_equal(ticket.hierarchy, TPM_RH_NULL);
	assert_int_equal(ticket.digest.size, 0);
	rig_flush(r, free.handle);
	nameless = k.public;
	nameless.nameAlg = TPM_ALG_NULL;
	nameless.authPolicy.size = 0;
	free = load_public(r, &nameless, TPM_RH_NULL);
	OK(verify(r, free.handle, &digest, &s, &ticket));
	assert_int_equal(ticket.digest.size, 0);
}

/* 20.1: what is no signature of this key's kind. */
static void verify_refuses_other_signatures(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = rig_signing_template();
	struct key e = make_primary(r, TPM_RH_OWNER, &t, "");
	struct key k = load_rsa(r, TPMA_OBJECT_SIGN | USER, TPM_ALG_NULL, 0, false);
	TPM2B_DIGEST digest = message_digest(TPM_ALG_SHA256);
	TPMT_SIGNATURE ec = {TPM_ALG_ECDSA, {.ecdsa = {TPM_ALG_SHA256, {1, {1}}, {1, {1}}}}};
	TPMT_SIGNATURE rsa = {TPM_ALG_RSASSA, {.rsassa = {TPM_ALG_SHA256, {256, {1}}}}};

	RC(verify(r, e.handle, &digest, &rsa, NULL), RC_P(2, TPM_RC_SCHEME));
	RC(verify(r, k.handle, &digest, &ec, NULL), RC_P(2, TPM_RC_SCHEME));
	RC(verify(r, e.handle, &digest, &ec, NULL), RC_P(2, TPM_RC_SIGNATURE));
	ec.signature.ecdsa.signatureR.size = 0; /* zero is no r */
	RC(verify(r, e.handle, &digest, &ec, NULL), RC_P(2, TPM_RC_SIGNATURE));
	ec.signature.ecdsa.signatureR = (TPM2B_ECC_PARAMETER){1, {1}};
	digest.size = 0;
	RC(verify(r, e.handle, &digest, &ec, NULL), RC_P(2, TPM_RC_SIGNATURE));
	RC(verify(r, k.handle, &digest, &rsa, NULL), RC_P(2, TPM_RC_SIGNATURE));
	ec.sigAlg = TPM_ALG_NULL;
	RC(verify(r, e.handle, &digest, &ec, NULL), RC_P(2, TPM_RC_SCHEME));
}

/* A symmetric cipher never verifies. */
static void verify_wants_a_key_that_can(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = {.type = TPM_ALG_SYMCIPHER,
			 .nameAlg = TPM_ALG_SHA256,
			 .objectAttributes = PLAIN | TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT,
			 .parameters.symDetail.sym = {TPM_ALG_AES, {.aes = 128}, {TPM_ALG_CFB}}};
	struct key k = make_primary(r, TPM_RH_OWNER, &t, "");
	TPM2B_DIGEST digest = message_digest(TPM_ALG_SHA256);
	TPMT_SIGNATURE s = {TPM_ALG_ECDSA, {.ecdsa = {TPM_ALG_SHA256, {1, {1}}, {1, {1}}}}};

	RC(verify(r, k.handle, &digest, &s, NULL), RC_P(2, TPM_RC_SCHEME));
	RC(sign(r, k.handle, TPM_ALG_NULL, 0, &digest, &null_ticket, &s), RC_H(1, TPM_RC_KEY));
}

/* ---- RSA private values that are kept at hand ---- */

/* The same modulus under `n` different names. */
static struct key rsa_number(struct rig *r, unsigned n)
{
	static const TPM_ALG_ID hashes[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384,
					    TPM_ALG_SHA512};

	return load_rsa(r, TPMA_OBJECT_SIGN | USER, n / 4 ? TPM_ALG_RSAPSS : TPM_ALG_RSASSA,
			hashes[n % 4], true);
}

/* More keys in turn than are kept. */
static void many_rsa_keys_in_turn(void **state)
{
	static const TPM_ALG_ID hashes[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384,
					    TPM_ALG_SHA512};
	struct rig *r = *state;
	struct key k[7];
	TPMT_SIGNATURE s;

	if (on_libtpms(r)) /* has no room for them */
		return;
	for (unsigned i = 0; i < 7; i++)
		k[i] = rsa_number(r, i);
	for (unsigned i = 0; i < 40; i++) {
		unsigned n = i * 5 % 7;
		TPM2B_DIGEST digest = message_digest(hashes[n % 4]);

		OK(sign(r, k[n].handle, TPM_ALG_NULL, 0, &digest, &null_ticket, &s));
		OK(verify(r, k[n].handle, &digest, &s, NULL));
	}
}

static bool in_memory(struct rig *r, const void *secret, size_t len)
{
	return memmem(r->memory, r->engine->size(), secret, len) != NULL;
}

/* Nothing of a key stays in the instance's memory when it has gone, by whatever way. */
static void flushed_keys_leave_nothing_behind(void **state)
{
	struct rig *r = *state;
	TPM2B_DIGEST digest = message_digest(TPM_ALG_SHA256);
	TPMT_SIGNATURE s;

	if (on_libtpms(r))
		return;
	for (unsigned way = 0; way < 2; way++) {
		struct key k = load_rsa(r, TPMA_OBJECT_SIGN | USER, TPM_ALG_NULL, 0, true);

		OK(sign(r, k.handle, TPM_ALG_RSASSA, TPM_ALG_SHA256, &digest, &null_ticket, &s));
		assert_true(in_memory(r, vector_p, 32));
		if (way)
			rig_reset(r);
		else
			rig_flush(r, k.handle);
		assert_false(in_memory(r, vector_p, 32));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ecdsa_verifies_elsewhere),
		TEST(rsa_as_openssl),
		TEST(pss_has_salt),
		TEST(hmac_signs_a_digest),
		TEST(scheme_is_the_keys_or_the_commands),
		TEST(sign_wants_a_signing_key),
		TEST(restricted_key_wants_a_ticket),
		TEST(given_ticket_is_always_checked),
		TEST(verified_ticket_needs_a_hierarchy),
		TEST(verify_refuses_other_signatures),
		TEST(verify_wants_a_key_that_can),
		TEST(many_rsa_keys_in_turn),
		TEST(flushed_keys_leave_nothing_behind),
	};

	return cmocka_run_group_tests_name("Part 3, 20", tests, NULL, NULL);
}
