/* Part 3, 19 and 14.7: Commit and what it is for, EC_Ephemeral, ZGen_2Phase. */
#include "points.h"

#include "nv_commands.h"

#define USER (TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA)

static const TPMI_ECC_CURVE curves[] = {TPM_ECC_NIST_P256, TPM_ECC_NIST_P384, TPM_ECC_NIST_P521};
static const TPM_ALG_ID hashes[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384, TPM_ALG_SHA512};
static const TPMT_TK_HASHCHECK null_ticket = {TPM_ST_HASHCHECK, TPM_RH_NULL, {.size = 0}};

static struct EC_Ephemeral_out ephemeral(struct rig *r, TPMI_ECC_CURVE curve)
{
	struct EC_Ephemeral_in in = {.curveID = curve};
	struct EC_Ephemeral_out out;

	rig_no_sessions(r);
	OK(RIG_RUN(r, EC_Ephemeral, &in, &out));
	return out;
}

static tpm_rc zgen(struct rig *r, TPM_HANDLE key, const TPMS_ECC_POINT *s, const TPMS_ECC_POINT *e,
		   uint16_t counter, struct ZGen_2Phase_out *out)
{
	struct ZGen_2Phase_in in = {.keyA = key,
				    .inQsB.point = *s,
				    .inQeB.point = *e,
				    .inScheme = TPM_ALG_ECDH,
				    .counter = counter};

	return RIG_RUN(r, ZGen_2Phase, &in, out);
}

static struct key decryption_key(struct rig *r, TPMI_ECC_CURVE curve, TPM_ALG_ID scheme)
{
	TPMT_PUBLIC t = template_ecc(PLAIN | TPMA_OBJECT_DECRYPT, curve, scheme, TPM_ALG_SHA256);

	return make_primary(r, TPM_RH_OWNER, &t, "");
}

/* ---- 19.3, 14.7: key exchange ---- */

/* Both halves of the exchange in the TPM, and one of them by OpenSSL. */
static void both_sides_of_an_exchange_agree(void **state)
{
	struct rig *r = *state;

	for (size_t i = 0; i < 3; i++) {
		struct points p = points_begin(curves[i]);
		BIGNUM *s = points_number(&p, "a static private key", 20);
		BIGNUM *e = points_number(&p, "an ephemeral one", 16);
		TPMS_ECC_POINT qs = points_write(&p, points_multiply(&p, s, NULL, NULL));
		TPMS_ECC_POINT qe = points_write(&p, points_multiply(&p, e, NULL, NULL));
		struct key a = decryption_key(r, curves[i], i ? TPM_ALG_NULL : TPM_ALG_ECDH);
		struct EC_Ephemeral_out made = ephemeral(r, curves[i]), other;
		struct ZGen_2Phase_out z, back;

		assert_int_equal(made.Q.point.x.size, p.size);
		OK(zgen(r, a.handle, &qs, &qe, made.counter, &z));
		points_equal(&p, points_read(&p, &z.outZ1.point),
			     points_multiply(&p, NULL, points_read(&p, &a.public.unique.ecc), s));
		points_equal(&p, points_read(&p, &z.outZ2.point),
			     points_multiply(&p, NULL, points_read(&p, &made.Q.point), e));
		made = ephemeral(r, curves[i]);
		other = ephemeral(r, curves[i]);
		assert_int_equal((uint16_t)(made.counter + 1), other.counter);
		OK(zgen(r, a.handle, &qs, &other.Q.point, made.counter, &z));
		OK(zgen(r, a.handle, &qs, &made.Q.point, other.counter, &back));
		points_equal(&p, points_read(&p, &z.outZ2.point),
			     points_read(&p, &back.outZ2.point));
		points_end(&p);
		rig_flush(r, a.handle);
	}
}

/* 19.1: a number is good once, and what fails uses none up. */
static void a_number_is_used_once(void **state)
{
	struct rig *r = *state;
	struct key a = decryption_key(r, TPM_ECC_NIST_P256, TPM_ALG_NULL);
	const TPMS_ECC_POINT *q = &a.public.unique.ecc;
	TPMS_ECC_POINT wrong = *q;
	struct EC_Ephemeral_out first = ephemeral(r, TPM_ECC_NIST_P256);
	struct EC_Ephemeral_out second = ephemeral(r, TPM_ECC_NIST_P256);
	struct ZGen_2Phase_out z;

	wrong.y.buffer[3] ^= 1;
	RC(zgen(r, a.handle, &wrong, q, first.counter, &z), RC_P(1, TPM_RC_ECC_POINT));
	RC(zgen(r, a.handle, q, &wrong, first.counter, &z), RC_P(2, TPM_RC_ECC_POINT));
	RC(zgen(r, a.handle, q, q, (uint16_t)(second.counter + 1), &z), RC_P(4, TPM_RC_VALUE));
	RC(zgen(r, a.handle, q, q, (uint16_t)(first.counter - 1), &z), RC_P(4, TPM_RC_VALUE));
	RC(zgen(r, a.handle, q, q, (uint16_t)(first.counter ^ 0x80), &z), RC_P(4, TPM_RC_VALUE));
	OK(zgen(r, a.handle, q, q, first.counter, &z));
	RC(zgen(r, a.handle, q, q, first.counter, &z), RC_P(4, TPM_RC_VALUE));
	OK(zgen(r, a.handle, q, q, second.counter, &z));
	RC(zgen(r, a.handle, q, q, second.counter, &z), RC_P(4, TPM_RC_VALUE));
}

/* TPM_PT_SPLIT_MAX of them wait; one more takes the place of the first. */
static void so_many_numbers_wait(void **state)
{
	struct rig *r = *state;
	struct GetCapability_in in = {.capability = TPM_CAP_TPM_PROPERTIES,
				      .property = TPM_PT_SPLIT_MAX,
				      .propertyCount = 1};
	struct GetCapability_out out;
	struct key a = decryption_key(r, TPM_ECC_NIST_P256, TPM_ALG_NULL);
	const TPMS_ECC_POINT *q = &a.public.unique.ecc;
	uint16_t first = ephemeral(r, TPM_ECC_NIST_P256).counter;
	struct ZGen_2Phase_out z;
	uint32_t max;

	rig_no_sessions(r);
	OK(RIG_RUN(r, GetCapability, &in, &out));
	max = out.capabilityData.data.tpmProperties.tpmProperty[0].value;
	assert_int_equal(max, 128);
	for (uint32_t i = 0; i < max; i++)
		ephemeral(r, TPM_ECC_NIST_P256);
	RC(zgen(r, a.handle, q, q, first, &z), RC_P(4, TPM_RC_VALUE));
	for (uint32_t i = 1; i <= max; i++)
		OK(zgen(r, a.handle, q, q, (uint16_t)(first + i), &z));
	RC(zgen(r, a.handle, q, q, (uint16_t)(first + max), &z), RC_P(4, TPM_RC_VALUE));
}

static void zgen_wants_the_right_key_and_scheme(void **state)
{
	struct rig *r = *state;
	struct key a = decryption_key(r, TPM_ECC_NIST_P256, TPM_ALG_ECDH);
	struct key rsa = load_rsa(r, TPMA_OBJECT_DECRYPT | USER, TPM_ALG_NULL, 0, true), k;
	TPMT_PUBLIC storage = rig_storage_template(), signing = rig_signing_template();
	const TPMS_ECC_POINT *q = &a.public.unique.ecc;
	uint16_t counter = ephemeral(r, TPM_ECC_NIST_P256).counter;
	struct ZGen_2Phase_in in = {
		.keyA = a.handle, .inQsB.point = *q, .inQeB.point = *q, .counter = counter};
	struct ZGen_2Phase_out z;

	RC(zgen(r, rsa.handle, q, q, counter, &z), RC_H(1, TPM_RC_KEY));
	rig_flush(r, rsa.handle);
	k = make_primary(r, TPM_RH_OWNER, &storage, "");
	RC(zgen(r, k.handle, q, q, counter, &z), RC_H(1, TPM_RC_ATTRIBUTES));
	rig_flush(r, k.handle);
	k = make_primary(r, TPM_RH_OWNER, &signing, "");
	RC(zgen(r, k.handle, q, q, counter, &z), RC_H(1, TPM_RC_ATTRIBUTES));
	rig_flush(r, k.handle);
	for (in.inScheme = TPM_ALG_ECDSA; in.inScheme < TPM_ALG_ECDSA + 6; in.inScheme++)
		if (in.inScheme != TPM_ALG_ECDH)
			RC(RIG_RUN(r, ZGen_2Phase, &in, &z), RC_P(3, TPM_RC_SCHEME));
	in.inScheme = TPM_ALG_NULL;
	RC(RIG_RUN(r, ZGen_2Phase, &in, &z), RC_P(3, TPM_RC_SCHEME));
	in.inScheme = TPM_ALG_ECDH;
	OK(RIG_RUN(r, ZGen_2Phase, &in, &z));
	if (!on_libtpms(r)) { /* where keys that decrypt have ECDH alone */
		struct EC_Ephemeral_in bad = {.curveID = 0x0007};

		rig_no_sessions(r);
		RC(RIG_RUN(r, EC_Ephemeral, &bad, NULL), RC_P(1, TPM_RC_CURVE));
	}
}

/* ---- 19.2: anonymous signatures ---- */

static TPMT_PUBLIC anonymous_template(TPMI_ECC_CURVE curve, TPM_ALG_ID name, TPM_ALG_ID hash)
{
	TPMT_PUBLIC t = template_ecc(PLAIN | TPMA_OBJECT_SIGN, curve, TPM_ALG_ECDAA, hash);

	t.nameAlg = name;
	return t;
}

static struct key anonymous_key(struct rig *r, TPMI_ECC_CURVE curve, TPM_ALG_ID hash)
{
	TPMT_PUBLIC t = anonymous_template(curve, TPM_ALG_SHA256, hash);

	return make_primary(r, TPM_RH_ENDORSEMENT, &t, "");
}

/* r * G */
static struct Commit_out commit(struct rig *r, const struct key *key)
{
	struct Commit_in in = {.signHandle = key->handle};
	struct Commit_out out;

	OK(RIG_RUN(r, Commit, &in, &out));
	return out;
}

static TPMT_SIG_SCHEME ecdaa(TPM_ALG_ID hash, uint16_t count)
{
	return (TPMT_SIG_SCHEME){TPM_ALG_ECDAA, {.ecdaa = {hash, count}}};
}

static tpm_rc sign(struct rig *r, TPM_HANDLE key, TPM_ALG_ID hash, uint16_t count,
		   const TPM2B_DIGEST *digest, TPMT_SIGNATURE *signature)
{
	struct Sign_in in = {.keyHandle = key,
			     .digest = *digest,
			     .inScheme = ecdaa(hash, count),
			     .validation = null_ticket};
	struct Sign_out out;
	tpm_rc rc = RIG_RUN(r, Sign, &in, &out);

	*signature = out.signature;
	return rc;
}

/* Every curve with every hash. */
static void signatures_fit_their_commitments(void **state)
{
	struct rig *r = *state;

	for (size_t i = 0; i < 12; i++) {
		TPM_ALG_ID hash = hashes[i % 4];
		struct key k = anonymous_key(r, curves[i / 4], hash);
		TPM2B_DIGEST digest = digest_of(hash, "a message", 9);
		struct Commit_out made = commit(r, &k), other = commit(r, &k);
		TPMT_SIGNATURE signature;

		assert_int_equal(made.K.point.x.size + made.K.point.y.size, 0);
		assert_int_equal(made.L.point.x.size + made.L.point.y.size, 0);
		OK(sign(r, k.handle, hash, made.counter, &digest, &signature));
		assert_int_equal(signature.signature.ecdaa.hash, hash);
		points_verify(&k, &made.E.point, &digest, &signature);
		RC(sign(r, k.handle, hash, made.counter, &digest, &signature), TPM_RC_VALUE);
		OK(sign(r, k.handle, hash, other.counter, &digest, &signature));
		points_verify(&k, &other.E.point, &digest, &signature);
		rig_flush(r, k.handle);
	}
}

/* A base point of its own, as a credential has one: s2 until there is such a point. */
static struct Commit_in commit_to_base(struct points *p, const struct key *key)
{
	struct Commit_in in = {.signHandle = key->handle, .s2.size = 100};
	TPMS_ECC_POINT base;

	while (!points_hashed(p, key->public.nameAlg, in.s2.buffer, in.s2.size, &base))
		in.s2.buffer[0]++;
	in.y2 = base.y;
	return in;
}

/* All points: K = d * base, L = r * base, E = r * P1. The hash of s2 may be longer than the
 * curve's numbers. */
static void commitments_are_to_both_points(void **state)
{
	struct rig *r = *state;

	for (size_t i = 0; i < 12; i++) {
		struct points p = points_begin(curves[i / 4]);
		TPMT_PUBLIC t = anonymous_template(curves[i / 4], hashes[i % 4], TPM_ALG_SHA256);
		struct key k = make_primary(r, TPM_RH_OWNER, &t, "");
		struct Commit_in in = commit_to_base(&p, &k);
		TPM2B_DIGEST digest = digest_of(TPM_ALG_SHA256, "a message", 9);
		EC_POINT *q = points_read(&p, &k.public.unique.ecc), *base, *left;
		BIGNUM *f = points_number(&p, "any number", 10), *s, *challenge;
		TPMT_SIGNATURE signature;
		struct Commit_out out;

		assert_true(
			points_hashed(&p, hashes[i % 4], in.s2.buffer, in.s2.size, &in.P1.point));
		base = points_read(&p, &in.P1.point);
		in.P1.point = points_write(&p, points_multiply(&p, f, NULL, NULL));
		OK(RIG_RUN(r, Commit, &in, &out));
		OK(sign(r, k.handle, TPM_ALG_SHA256, out.counter, &digest, &signature));
		s = points_number(&p, signature.signature.ecdaa.signatureS.buffer,
				  signature.signature.ecdaa.signatureS.size);
		challenge = points_challenge(&p, &signature, &digest);
		left = points_multiply(&p, NULL, points_read(&p, &out.K.point), challenge);
		points_equal(&p, points_multiply(&p, NULL, base, s),
			     points_add(&p, left, points_read(&p, &out.L.point)));
		/* P1 = f * G, so that d * P1 = f * Q */
		left = points_multiply(&p, NULL, points_multiply(&p, NULL, q, f), challenge);
		points_equal(&p, points_multiply(&p, NULL, points_read(&p, &in.P1.point), s),
			     points_add(&p, left, points_read(&p, &out.E.point)));
		in.P1.point.x.size = in.P1.point.y.size = 0;
		OK(RIG_RUN(r, Commit, &in, &out));
		assert_int_equal(out.E.point.x.size + out.E.point.y.size, 0);
		assert_int_equal(out.L.point.x.size, p.size);
		points_end(&p);
		rig_flush(r, k.handle);
	}
}

static void commit_wants_points_and_the_right_key(void **state)
{
	struct rig *r = *state;
	struct key k = anonymous_key(r, TPM_ECC_NIST_P256, TPM_ALG_SHA256);
	struct key rsa = load_rsa(r, TPMA_OBJECT_SIGN | USER, TPM_ALG_NULL, 0, true), other;
	TPMT_PUBLIC signing = rig_signing_template();
	struct points p = points_begin(TPM_ECC_NIST_P256);
	struct Commit_in good = commit_to_base(&p, &k), in;
	uint16_t next = (uint16_t)(commit(r, &k).counter + 1);

	in = good;
	in.signHandle = rsa.handle;
	RC(RIG_RUN(r, Commit, &in, NULL), RC_H(1, TPM_RC_KEY));
	rig_flush(r, rsa.handle);
	other = make_primary(r, TPM_RH_OWNER, &signing, "");
	in.signHandle = other.handle;
	RC(RIG_RUN(r, Commit, &in, NULL), RC_H(1, TPM_RC_SCHEME));
	in = good;
	in.y2.size = 0;
	RC(RIG_RUN(r, Commit, &in, NULL), RC_P(3, TPM_RC_SIZE));
	in = good;
	in.s2.size = 0;
	RC(RIG_RUN(r, Commit, &in, NULL), RC_P(3, TPM_RC_SIZE));
	in = good;
	in.y2.buffer[9] ^= 1;
	RC(RIG_RUN(r, Commit, &in, NULL), RC_P(2, TPM_RC_ECC_POINT));
	in = good;
	in.P1.point = k.public.unique.ecc;
	in.P1.point.x.buffer[9] ^= 1;
	RC(RIG_RUN(r, Commit, &in, NULL), RC_P(1, TPM_RC_ECC_POINT));
	in.P1.point.x.size = 0;
	RC(RIG_RUN(r, Commit, &in, NULL), RC_P(1, TPM_RC_ECC_POINT));
	assert_int_equal(commit(r, &k).counter, next); /* no number was used up */
	points_end(&p);
}

/* A key without a name has no hash for s2. */
static void commit_wants_a_hash(void **state)
{
	struct rig *r = *state;
	struct LoadExternal_in load = {
		.hierarchy = TPM_RH_NULL,
		.inPrivate = {1, {.sensitiveType = TPM_ALG_ECC, .sensitive.ecc = {1, {9}}}},
		.inPublic.publicArea = template_ecc(TPMA_OBJECT_SIGN | USER, TPM_ECC_NIST_P256,
						    TPM_ALG_ECDAA, TPM_ALG_SHA256)};
	struct points p = points_begin(TPM_ECC_NIST_P256);
	BIGNUM *nine = points_number(&p, "\x09", 1);
	struct key k = {.public = load.inPublic.publicArea};
	TPM2B_DIGEST digest = digest_of(TPM_ALG_SHA256, "a message", 9);
	struct LoadExternal_out out;
	TPMT_SIGNATURE signature;
	struct Commit_in in;
	struct Commit_out made;

	load.inPublic.publicArea.nameAlg = TPM_ALG_NULL;
	load.inPublic.publicArea.unique.ecc =
		points_write(&p, points_multiply(&p, nine, NULL, NULL));
	rig_no_sessions(r);
	OK(RIG_RUN(r, LoadExternal, &load, &out));
	k.handle = out.handle;
	k.public.nameAlg = TPM_ALG_SHA256;
	in = commit_to_base(&p, &k);
	RC(RIG_RUN(r, Commit, &in, NULL), RC_H(1, TPM_RC_HASH));
	points_end(&p);
	k.public = load.inPublic.publicArea;
	made = commit(r, &k); /* but a signature it makes */
	OK(sign(r, k.handle, TPM_ALG_SHA256, made.counter, &digest, &signature));
	points_verify(&k, &made.E.point, &digest, &signature);
}

/* 20.2: the command says ECDAA, with the key's hash; the number is its own. */
static void the_command_has_scheme_and_counter(void **state)
{
	struct rig *r = *state;
	struct key k = anonymous_key(r, TPM_ECC_NIST_P256, TPM_ALG_SHA256);
	uint16_t counter = commit(r, &k).counter;
	TPM2B_DIGEST digest = digest_of(TPM_ALG_SHA256, "a message", 9);
	struct Sign_in in = {.keyHandle = k.handle, .digest = digest, .validation = null_ticket};
	struct VerifySignature_in verify = {.keyHandle = k.handle, .digest = digest};
	static const TPM_ALG_ID schemes[] = {TPM_ALG_NULL, TPM_ALG_ECDSA, TPM_ALG_RSASSA,
					     TPM_ALG_HMAC};
	TPMT_SIGNATURE signature;

	for (size_t i = 0; i < 4; i++) {
		in.inScheme = (TPMT_SIG_SCHEME){schemes[i], {.any.hashAlg = TPM_ALG_SHA256}};
		RC(RIG_RUN(r, Sign, &in, NULL), RC_P(2, TPM_RC_SCHEME));
	}
	RC(sign(r, k.handle, TPM_ALG_SHA384, counter, &digest, &signature), RC_P(2, TPM_RC_SCHEME));
	OK(sign(r, k.handle, TPM_ALG_SHA256, counter, &digest, &signature));
	/* 20.1: only who knows the issuer can verify it */
	verify.signature = signature;
	rig_no_sessions(r);
	RC(RIG_RUN(r, VerifySignature, &verify, NULL), RC_P(2, TPM_RC_SCHEME));
}

/* What another key signs with a number is no signature with the scalar of that commitment. */
static void a_commitment_is_one_keys(void **state)
{
	struct rig *r = *state;
	struct key k = anonymous_key(r, TPM_ECC_NIST_P256, TPM_ALG_SHA256);
	struct key o = anonymous_key(r, TPM_ECC_NIST_P256, TPM_ALG_SHA384);
	TPM2B_DIGEST digest = digest_of(TPM_ALG_SHA384, "a message", 9);
	struct points p = points_begin(TPM_ECC_NIST_P256);
	struct Commit_out made = commit(r, &k);
	TPMT_SIGNATURE signature;
	BIGNUM *s;
	EC_POINT *right;

	OK(sign(r, o.handle, TPM_ALG_SHA384, made.counter, &digest, &signature));
	s = points_number(&p, signature.signature.ecdaa.signatureS.buffer,
			  signature.signature.ecdaa.signatureS.size);
	right = points_multiply(&p, NULL, points_read(&p, &o.public.unique.ecc),
				points_challenge(&p, &signature, &digest));
	right = points_add(&p, right, points_read(&p, &made.E.point));
	assert_int_not_equal(
		EC_POINT_cmp(p.group, points_multiply(&p, s, NULL, NULL), right, p.context), 0);
	digest = digest_of(TPM_ALG_SHA256, "a message", 9);
	RC(sign(r, k.handle, TPM_ALG_SHA256, made.counter, &digest, &signature), TPM_RC_VALUE);
	points_end(&p);
}

/* ---- 18: anonymous attestation ---- */

/* H(attest), or H(qualifying || H(attest)): the caller's data is not in the structure. */
static TPM2B_DIGEST attested(const TPM2B_ATTEST *attest, const TPM2B_DATA *qualifying)
{
	TPM2B_DIGEST digest = digest_of(TPM_ALG_SHA256, attest->buffer, attest->size);
	uint8_t both[sizeof qualifying->buffer + 32];

	if (!qualifying->size)
		return digest;
	memcpy(both, qualifying->buffer, qualifying->size);
	memcpy(both + qualifying->size, digest.buffer, 32);
	return digest_of(TPM_ALG_SHA256, both, qualifying->size + 32u);
}

/* Runs `command` once more with the number that it has used, and looks at what it said. */
#define ATTEST(r, command, key, in, attest)                                                        \
	do {                                                                                       \
		struct command##_out out;                                                          \
		struct Commit_out made = commit((r), (key));                                       \
                                                                                                   \
		(in).inScheme = ecdaa(TPM_ALG_SHA256, made.counter);                               \
		OK(RIG_RUN((r), command, &(in), &out));                                            \
		is_anonymous((key), &made, &out.attest, &(in).qualifyingData, &out.signature);     \
		RC(RIG_RUN((r), command, &(in), &out), TPM_RC_VALUE);                              \
	} while (0)

static void is_anonymous(const struct key *key, const struct Commit_out *made,
			 const TPM2B_ATTEST *attest, const TPM2B_DATA *qualifying,
			 const TPMT_SIGNATURE *signature)
{
	TPM2B_DIGEST digest = attested(attest, qualifying);
	struct reader reader = {attest->buffer, attest->size};
	TPMS_ATTEST read;

	OK(type_read(&type_TPMS_ATTEST, &read, &reader, false));
	assert_int_equal(read.qualifiedSigner.size, 0);
	assert_int_equal(read.extraData.size, 0);
	if (read.type == TPM_ST_ATTEST_CERTIFY) {
		assert_int_equal(read.attested.certify.name.size, key->name.size);
		assert_int_equal(read.attested.certify.qualifiedName.size, 0);
	}
	points_verify(key, &made->E.point, &digest, signature);
}

static struct CreatePrimary_out created(struct rig *r)
{
	struct CreatePrimary_in in = {.primaryHandle = TPM_RH_OWNER,
				      .inSensitive.size = 4,
				      .inPublic.publicArea = rig_signing_template()};
	struct CreatePrimary_out out;

	OK(RIG_RUN(r, CreatePrimary, &in, &out));
	return out;
}

static void attestations_are_anonymous(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = anonymous_template(TPM_ECC_NIST_P256, TPM_ALG_SHA256, TPM_ALG_SHA256);
	const struct StirRandom_in stir = {.inData = {3, "abc"}};
	struct client_session audit;
	struct key k;

	t.objectAttributes |= TPMA_OBJECT_RESTRICTED;
	k = make_primary(r, TPM_RH_ENDORSEMENT, &t, "");
	rig_define(r, INDEX, PLAIN_NV, 8, "pw");
	OK(write_nv(r, "01234567", 8, 0));
	audit = rig_session(r, TPM_SE_HMAC);
	audit.attributes |= TPMA_SESSION_AUDIT;
	rig_fresh_nonce(r, &audit);
	rig_sessions(r, &audit, 1);
	OK(RIG_RUN(r, StirRandom, &stir, NULL));
	for (unsigned i = 0; i < 2; i++) {
		struct CreatePrimary_out object = created(r);
		TPM2B_DATA data = data_of(i ? "qualifying" : "");
		struct Certify_in certify = {
			.objectHandle = k.handle, .signHandle = k.handle, .qualifyingData = data};
		struct CertifyCreation_in creation = {.signHandle = k.handle,
						      .objectHandle = object.handle,
						      .qualifyingData = data,
						      .creationHash = object.creationHash,
						      .creationTicket = object.creationTicket};
		struct Quote_in quote = {.signHandle = k.handle, .qualifyingData = data};
		struct GetTime_in time = {.privacyAdminHandle = TPM_RH_ENDORSEMENT,
					  .signHandle = k.handle,
					  .qualifyingData = data};
		struct NV_Certify_in nv = {.signHandle = k.handle,
					   .authHandle = TPM_RH_OWNER,
					   .nvIndex = INDEX,
					   .qualifyingData = data,
					   .size = 8};
		struct GetSessionAuditDigest_in session = {.privacyAdminHandle = TPM_RH_ENDORSEMENT,
							   .signHandle = k.handle,
							   .sessionHandle = audit.handle,
							   .qualifyingData = data};
		struct GetCommandAuditDigest_in command = {.privacyHandle = TPM_RH_ENDORSEMENT,
							   .signHandle = k.handle,
							   .qualifyingData = data};

		ATTEST(r, Certify, &k, certify, certifyInfo);
		ATTEST(r, CertifyCreation, &k, creation, certifyInfo);
		ATTEST(r, Quote, &k, quote, quoted);
		ATTEST(r, GetTime, &k, time, timeInfo);
		ATTEST(r, NV_Certify, &k, nv, certifyInfo);
		ATTEST(r, GetSessionAuditDigest, &k, session, auditInfo);
		ATTEST(r, GetCommandAuditDigest, &k, command, auditInfo);
		rig_flush(r, object.handle);
	}
}

/* ---- what becomes of the numbers (state reset data, Part 1, 32) ---- */

static void power_cycle(struct rig *r)
{
	r->engine->power_off(r->tpm);
	OK(r->engine->power_on(r->tpm));
}

/* A restart and a resume keep them; after a reset there are none. */
static void numbers_live_until_the_next_reset(void **state)
{
	struct rig *r = *state;
	TPM2B_DIGEST digest = digest_of(TPM_ALG_SHA256, "a message", 9);
	struct Commit_out made[4];
	TPMT_SIGNATURE signature;
	struct key k = anonymous_key(r, TPM_ECC_NIST_P256, TPM_ALG_SHA256);

	for (size_t i = 0; i < 4; i++)
		made[i] = commit(r, &k);
	OK(sign(r, k.handle, TPM_ALG_SHA256, made[0].counter, &digest, &signature));
	for (TPM_SU type = TPM_SU_CLEAR; type <= TPM_SU_STATE; type++) {
		OK(shut_down(r, TPM_SU_STATE));
		power_cycle(r);
		OK(rig_startup(r, type));
		k = anonymous_key(r, TPM_ECC_NIST_P256, TPM_ALG_SHA256);
		RC(sign(r, k.handle, TPM_ALG_SHA256, made[0].counter, &digest, &signature),
		   TPM_RC_VALUE);
		OK(sign(r, k.handle, TPM_ALG_SHA256, made[1 + type].counter, &digest, &signature));
		points_verify(&k, &made[1 + type].E.point, &digest, &signature);
	}
	assert_int_equal(commit(r, &k).counter, (uint16_t)(made[3].counter + 1));
	OK(shut_down(r, TPM_SU_CLEAR));
	power_cycle(r);
	OK(rig_startup(r, TPM_SU_CLEAR));
	k = anonymous_key(r, TPM_ECC_NIST_P256, TPM_ALG_SHA256);
	RC(sign(r, k.handle, TPM_ALG_SHA256, made[3].counter, &digest, &signature), TPM_RC_VALUE);
	if (!on_libtpms(r))
		assert_int_equal(commit(r, &k).counter, 0);
}

/* A number that is used after TPM2_Shutdown(STATE) does not come back with the state that it
 * saved: two signatures with one scalar would give the key away. */
static void a_number_does_not_come_back(void **state)
{
	struct rig *r = *state;
	struct key k = anonymous_key(r, TPM_ECC_NIST_P256, TPM_ALG_SHA256);
	TPM2B_DIGEST digest = digest_of(TPM_ALG_SHA256, "a message", 9);
	struct Commit_out made = commit(r, &k);
	TPMT_SIGNATURE signature;

	OK(shut_down(r, TPM_SU_STATE));
	OK(sign(r, k.handle, TPM_ALG_SHA256, made.counter, &digest, &signature));
	power_cycle(r);
	if (on_libtpms(r)) { /* it does there */
		OK(rig_startup(r, TPM_SU_STATE));
		k = anonymous_key(r, TPM_ECC_NIST_P256, TPM_ALG_SHA256);
		OK(sign(r, k.handle, TPM_ALG_SHA256, made.counter, &digest, &signature));
		points_verify(&k, &made.E.point, &digest, &signature);
		return;
	}
	RC(rig_startup(r, TPM_SU_STATE), RC_P(1, TPM_RC_VALUE));
	OK(rig_startup(r, TPM_SU_CLEAR));
	k = anonymous_key(r, TPM_ECC_NIST_P256, TPM_ALG_SHA256);
	RC(sign(r, k.handle, TPM_ALG_SHA256, made.counter, &digest, &signature), TPM_RC_VALUE);
	assert_int_equal(commit(r, &k).counter, 0);
}

/* Where the answer cannot leave, because the store fails, nothing has happened. */
static void a_failed_command_uses_no_number_up(void **state)
{
	struct rig *r = *state;
	struct key k = anonymous_key(r, TPM_ECC_NIST_P256, TPM_ALG_SHA256);
	TPM2B_DIGEST digest = digest_of(TPM_ALG_SHA256, "a message", 9);
	struct Commit_in in = {.signHandle = k.handle};
	struct Commit_out made = commit(r, &k);
	TPMT_SIGNATURE signature;

	if (on_libtpms(r))
		return;
	OK(shut_down(r, TPM_SU_CLEAR));
	r->fail_commits = 1;
	RC(RIG_RUN(r, Commit, &in, NULL), TPM_RC_NV_UNAVAILABLE);
	r->fail_commits = 1;
	RC(sign(r, k.handle, TPM_ALG_SHA256, made.counter, &digest, &signature),
	   TPM_RC_NV_UNAVAILABLE);
	OK(sign(r, k.handle, TPM_ALG_SHA256, made.counter, &digest, &signature));
	points_verify(&k, &made.E.point, &digest, &signature);
	assert_int_equal(commit(r, &k).counter, (uint16_t)(made.counter + 1));
}

/* What keys may have the scheme (Part 3, 12.1): those that sign and do nothing else. */
static void the_scheme_is_one_of_signing_keys(void **state)
{
	static const struct {
		TPMA_OBJECT attributes;
		tpm_rc rc;
	} rows[] = {
		{TPMA_OBJECT_SIGN, 0},
		{TPMA_OBJECT_SIGN | TPMA_OBJECT_RESTRICTED, 0},
		{TPMA_OBJECT_DECRYPT, RC_P(2, TPM_RC_SCHEME)},
		{TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT, RC_P(2, TPM_RC_SCHEME)},
		{TPMA_OBJECT_DECRYPT | TPMA_OBJECT_RESTRICTED, RC_P(2, TPM_RC_SCHEME)},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct CreatePrimary_in in = {.primaryHandle = TPM_RH_OWNER,
					      .inSensitive.size = 4,
					      .inPublic.publicArea = template_ecc(
						      PLAIN | rows[i].attributes, TPM_ECC_NIST_P256,
						      TPM_ALG_ECDAA, TPM_ALG_SHA256)};
		struct CreatePrimary_out out;

		in.inPublic.publicArea.parameters.eccDetail.scheme.details.ecdaa.count = 0x1234;
		RC(RIG_RUN(r, CreatePrimary, &in, &out), rows[i].rc);
		if (rows[i].rc)
			continue;
		assert_int_equal(
			out.outPublic.publicArea.parameters.eccDetail.scheme.details.ecdaa.count,
			0x1234);
		rig_flush(r, out.handle);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_sides_of_an_exchange_agree),
		TEST(a_number_is_used_once),
		TEST(so_many_numbers_wait),
		TEST(zgen_wants_the_right_key_and_scheme),
		TEST(signatures_fit_their_commitments),
		TEST(commitments_are_to_both_points),
		TEST(commit_wants_points_and_the_right_key),
		TEST(commit_wants_a_hash),
		TEST(the_command_has_scheme_and_counter),
		TEST(a_commitment_is_one_keys),
		TEST(attestations_are_anonymous),
		TEST(numbers_live_until_the_next_reset),
		TEST(a_number_does_not_come_back),
		TEST(a_failed_command_uses_no_number_up),
		TEST(the_scheme_is_one_of_signing_keys),
	};

	return cmocka_run_group_tests_name("Part 3, 19", tests, NULL, NULL);
}
