/*
 * Making key material (Part 1, 27; Part 3, 12.1).
 *
 * An ordinary object's comes from the DRBG. A primary object's is derived, version 1:
 *
 *     template := SHA-512(TPMT_PUBLIC as in the command, unique included ||
 *                         inSensitive.data as a TPM2B)
 *     key      := stream 1(primary seed, "PRIMARY KEY", template)
 *     seed     := stream 1(primary seed, "PRIMARY SEED", template || proofs)
 *
 * with the streams of kdf.h. The first makes the key: the private key of an RSA or ECC
 * key by cvtpm_rsa_generate() or cvtpm_ecc_generate_from(), the bytes of a symmetric key
 * or of keyedHash data. The second makes seedValue. `proofs` is empty but in the
 * endorsement hierarchy, where it is shProof || ehProof: so TPM2_Clear leaves an EK as it
 * is, but not what the previous owner protected with it. The golden vectors of the tests
 * hold all of this fast; a change of any kind gets a new version, and a hierarchy keeps
 * the version that its seed was drawn with.
 *
 * A derived object's comes from KDFa(hash, secret of the Derivation Parent, label,
 * context, 8192 bits), key first and seedValue after it, as in the reference
 * implementation; so a Derivation Parent that is moved derives the same keys elsewhere.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"
#include "cvtpm/err.h"

/* Where a new object's secrets come from. */
struct origin {
	struct cvtpm_source key, seed;
};

static tpm_rc take(struct tpm *t, const struct cvtpm_source *source, void *out, size_t len)
{
	return source->bytes(source->context, out, len)
		       ? tpm_fail(t, "no bytes to make an object of")
		       : TPM_RC_SUCCESS;
}

/* ---- by type ---- */

static bool is_cancelled(void *t)
{
	return tpm_cancelled(t) != TPM_RC_SUCCESS;
}

/* The library takes any odd exponent above 2^16; this is the rest of the rule. */
static bool is_prime(uint32_t n)
{
	for (uint32_t d = 3; d <= 0xFFFF && d * d <= n; d += 2)
		if (n % d == 0)
			return false;
	return n % 2 != 0;
}

static tpm_rc generate_rsa(struct tpm *t, TPMT_PUBLIC *public, const struct origin *origin,
			   TPMT_SENSITIVE *sensitive)
{
	const TPMS_RSA_PARMS *p = &public->parameters.rsaDetail;
	uint32_t exponent = p->exponent ? p->exponent : CVTPM_RSA_DEFAULT_EXPONENT;
	TPM2B_PRIVATE_KEY_RSA *prime = &sensitive->sensitive.rsa;
	struct cvtpm_rsa_key key;
	int err;

	if (exponent <= 0xFFFF || !is_prime(exponent))
		return TPM_RC_RANGE;
	err = cvtpm_rsa_generate(p->keyBits, exponent, &origin->key, is_cancelled, t, &key);
	if (!err) {
		public->unique.rsa.size = p->keyBits / 8;
		memcpy(public->unique.rsa.buffer, key.public.n, public->unique.rsa.size);
		prime->size = p->keyBits / 16;
		memcpy(prime->buffer, key.crt, prime->size);
	}
	cvtpm_wipe(&key, sizeof key);
	if (err == CVTPM_ERR_BUSY)
		return TPM_RC_CANCELED;
	return err ? tpm_fail(t, "an RSA key could not be made") : TPM_RC_SUCCESS;
}

static void set_parameter(TPM2B_ECC_PARAMETER *to, const uint8_t *from, size_t size)
{
	to->size = (uint16_t)size;
	memcpy(to->buffer, from, size);
}

static tpm_rc generate_ecc(struct tpm *t, TPMT_PUBLIC *public, const struct origin *origin,
			   TPMT_SENSITIVE *sensitive)
{
	enum cvtpm_curve curve = (enum cvtpm_curve) public->parameters.eccDetail.curveID;
	size_t size = cvtpm_curve_size(curve);
	struct cvtpm_ecc_key key;
	int err = cvtpm_ecc_generate_from(curve, &origin->key, &key);

	if (!err) {
		set_parameter(&public->unique.ecc.x, key.public.x, size);
		set_parameter(&public->unique.ecc.y, key.public.y, size);
		set_parameter(&sensitive->sensitive.ecc, key.d, size);
	}
	cvtpm_wipe(&key, sizeof key);
	return err ? tpm_fail(t, "an ECC key could not be made") : TPM_RC_SUCCESS;
}

static tpm_rc generate_symmetric(struct tpm *t, const TPMT_PUBLIC *public,
				 const TPM2B_SENSITIVE_DATA *given, const struct origin *origin,
				 TPMT_SENSITIVE *sensitive)
{
	TPM2B_SYM_KEY *key = &sensitive->sensitive.sym;

	key->size = public->parameters.symDetail.sym.keyBits.aes / 8;
	if (!given->size)
		return take(t, &origin->key, key->buffer, key->size);
	if (given->size != key->size)
		return TPM_RC_KEY_SIZE;
	memcpy(key->buffer, given->buffer, key->size);
	return TPM_RC_SUCCESS;
}

/* The hash that limits an HMAC or XOR key: its block, since a longer key is hashed. */
static TPM_ALG_ID keyedhash_hash(const TPMT_PUBLIC *public)
{
	const TPMT_KEYEDHASH_SCHEME *scheme = &public->parameters.keyedHashDetail.scheme;

	switch (scheme->scheme) {
	case TPM_ALG_HMAC:
		return scheme->details.hmac.hashAlg;
	case TPM_ALG_XOR:
		return scheme->details.exclusiveOr.hashAlg;
	default:
		return public->nameAlg;
	}
}

static tpm_rc generate_keyedhash(struct tpm *t, const TPMT_PUBLIC *public,
				 const TPM2B_SENSITIVE_DATA *given, const struct origin *origin,
				 TPMT_SENSITIVE *sensitive)
{
	const enum cvtpm_hash_alg hash = (enum cvtpm_hash_alg)keyedhash_hash(public);
	TPM2B_SENSITIVE_DATA *bits = &sensitive->sensitive.bits;

	if (!given->size) {
		bits->size = hash_size(public->nameAlg);
		return take(t, &origin->key, bits->buffer, bits->size);
	}
	if (public->objectAttributes & (TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT) &&
	    given->size > cvtpm_hash_block_size(hash))
		return TPM_RC_SIZE;
	*bits = *given;
	return TPM_RC_SUCCESS;
}

static tpm_rc generate_key(struct tpm *t, TPMT_PUBLIC *public, const TPM2B_SENSITIVE_DATA *given,
			   const struct origin *origin, TPMT_SENSITIVE *sensitive)
{
	switch (public->type) {
	case TPM_ALG_RSA:
		TRY(selftest_need(t, TPM_ALG_RSA));
		return generate_rsa(t, public, origin, sensitive);
	case TPM_ALG_ECC:
		TRY(selftest_need_curve(t, TPM_ALG_ECC, public->parameters.eccDetail.curveID));
		return generate_ecc(t, public, origin, sensitive);
	case TPM_ALG_SYMCIPHER:
		return generate_symmetric(t, public, given, origin, sensitive);
	default:
		return generate_keyedhash(t, public, given, origin, sensitive);
	}
}

/* seedValue protects the children of a Storage Parent, and obscures unique of what is not
 * asymmetric; other objects have none. */
static tpm_rc generate(struct tpm *t, TPMT_PUBLIC *public, const TPMS_SENSITIVE_CREATE *in,
		       const struct origin *origin, TPM2B_SENSITIVE *out)
{
	static const TPM2B_SENSITIVE_DATA nothing;
	const uint32_t storage = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
	bool own = public->objectAttributes & TPMA_OBJECT_SENSITIVEDATAORIGIN;
	bool asymmetric = public->type == TPM_ALG_RSA || public->type == TPM_ALG_ECC;
	TPMT_SENSITIVE *sensitive = &out->sensitiveArea;

	out->size = sizeof *sensitive; /* not 0: it is there */
	sensitive->sensitiveType = public->type;
	sensitive->authValue = in->userAuth;
	sensitive->seedValue.size = 0;
	TRY(generate_key(t, public, own ? &nothing : &in->data, origin, sensitive));
	if (asymmetric && (public->objectAttributes & storage) != storage)
		return TPM_RC_SUCCESS;
	sensitive->seedValue.size = hash_size(public->nameAlg);
	TRY(take(t, &origin->seed, sensitive->seedValue.buffer, sensitive->seedValue.size));
	if (asymmetric)
		return TPM_RC_SUCCESS;
	return binding_unique(t, public, sensitive, &public->unique.sym);
}

/* ---- by origin ---- */

tpm_rc create_random(struct tpm *t, TPMT_PUBLIC *public, const TPMS_SENSITIVE_CREATE *in,
		     TPM2B_SENSITIVE *sensitive)
{
	struct cvtpm_source drbg = cvtpm_drbg_source(&t->drbg);
	struct origin origin = {drbg, drbg};

	return generate(t, public, in, &origin, sensitive);
}

static tpm_rc template_digest(struct tpm *t, const TPMT_PUBLIC *public,
			      const TPM2B_SENSITIVE_DATA *data, TPM2B_DIGEST *digest)
{
	uint8_t bytes[sizeof *public], size[2] = {(uint8_t)(data->size >> 8), (uint8_t)data->size};
	struct cvtpm_octets marshalled = {
		bytes, type_marshal(&type_TPMT_PUBLIC, public, bytes, sizeof bytes)};

	return tpm_hash(t, TPM_ALG_SHA512,
			(struct cvtpm_octets[]){marshalled, {size, sizeof size}, OCTETS(*data)}, 3,
			digest);
}

static size_t append(uint8_t *to, size_t at, struct cvtpm_octets from)
{
	memcpy(to + at, from.at, from.len);
	return at + from.len;
}

static tpm_rc primary_streams(struct tpm *t, TPM_HANDLE handle, const TPM2B_DIGEST *template,
			      struct cvtpm_stream *key, struct cvtpm_stream *seed)
{
	const struct tpm_hierarchy *h = hierarchy_get(t, handle);
	struct cvtpm_octets from = OCTETS(h->seed);
	uint8_t context[3 * MAX_DIGEST_SIZE];
	size_t len = append(context, 0, OCTETS(*template));
	int err = cvtpm_stream_begin(key, h->derivation, from, CVTPM_TEXT("PRIMARY KEY"),
				     OCTETS(*template));

	if (handle == TPM_RH_ENDORSEMENT) {
		len = append(context, len, OCTETS(t->hierarchy[H_OWNER].proof));
		len = append(context, len, OCTETS(h->proof));
	}
	if (!err)
		err = cvtpm_stream_begin(seed, h->derivation, from, CVTPM_TEXT("PRIMARY SEED"),
					 (struct cvtpm_octets){context, len});
	cvtpm_wipe(context, sizeof context);
	return err ? tpm_fail(t, "a primary seed of an unknown version") : TPM_RC_SUCCESS;
}

tpm_rc create_primary(struct tpm *t, TPM_HANDLE hierarchy, TPMT_PUBLIC *public,
		      const TPMS_SENSITIVE_CREATE *in, TPM2B_SENSITIVE *sensitive)
{
	struct cvtpm_stream key, seed;
	struct origin origin = {cvtpm_stream_source(&key), cvtpm_stream_source(&seed)};
	TPM2B_DIGEST template;
	tpm_rc rc;

	TRY(selftest_need(t, TPM_ALG_KDF1_SP800_108)); /* which includes that of the streams */
	TRY(template_digest(t, public, &in->data, &template));
	rc = primary_streams(t, hierarchy, &template, &key, &seed);
	if (!rc)
		rc = generate(t, public, in, &origin, sensitive);
	cvtpm_wipe(&key, sizeof key);
	cvtpm_wipe(&seed, sizeof seed);
	return rc;
}

/* What KDFa gives a derived object: the whole of it, since the number of bits is hashed. */
struct derived {
	size_t used;
	uint8_t bytes[1024];
};

static int derived_bytes(void *context, uint8_t *out, size_t len)
{
	struct derived *d = context;

	if (len > sizeof d->bytes - d->used)
		return CVTPM_ERR_SIZE;
	memcpy(out, d->bytes + d->used, len);
	d->used += len;
	return 0;
}

tpm_rc create_derived(struct tpm *t, const struct tpm_object *parent, const TPMS_DERIVE *how,
		      TPMT_PUBLIC *public, const TPMS_SENSITIVE_CREATE *in,
		      TPM2B_SENSITIVE *sensitive)
{
	const TPMT_KEYEDHASH_SCHEME *scheme = &parent->publicArea.parameters.keyedHashDetail.scheme;
	const TPM2B_SENSITIVE_DATA *secret = &parent->sensitive.sensitiveArea.sensitive.bits;
	struct derived derived = {.used = 0};
	struct cvtpm_source source = {derived_bytes, &derived};
	struct origin origin = {source, source};
	tpm_rc rc;

	TRY(selftest_need(t, TPM_ALG_KDF1_SP800_108));
	if (cvtpm_kdfa((enum cvtpm_hash_alg)scheme->details.exclusiveOr.hashAlg, OCTETS(*secret),
		       OCTETS(how->label), OCTETS(how->context), (struct cvtpm_octets){NULL, 0},
		       8 * sizeof derived.bytes, derived.bytes))
		rc = tpm_fail(t, "KDFa does not work");
	else
		rc = generate(t, public, in, &origin, sensitive);
	cvtpm_wipe(&derived, sizeof derived);
	return rc;
}

/* ---- creation data ---- */

static TPMA_LOCALITY locality_attributes(uint8_t locality)
{
	return (TPMA_LOCALITY)(locality < 5 ? 1 << locality : locality);
}

tpm_rc create_data(struct tpm *t, TPM_HANDLE parent, TPM_ALG_ID nameAlg,
		   const TPML_PCR_SELECTION *pcrs, const TPM2B_DATA *outside,
		   TPMS_CREATION_DATA *data, TPM2B_DIGEST *digest)
{
	const struct tpm_object *object = object_get(t, parent);
	uint8_t bytes[sizeof *data];
	struct cvtpm_octets marshalled = {bytes, 0};

	data->pcrSelect = *pcrs;
	TRY(pcr_digest(t, nameAlg, &data->pcrSelect, &data->pcrDigest));
	data->locality = locality_attributes(t->frame.locality);
	data->parentNameAlg = object ? object->publicArea.nameAlg : TPM_ALG_NULL;
	entity_name(t, parent, &data->parentName);
	object_qualified_name_of(t, parent, &data->parentQualifiedName);
	data->outsideInfo = *outside;
	marshalled.len = type_marshal(&type_TPMS_CREATION_DATA, data, bytes, sizeof bytes);
	return tpm_hash(t, nameAlg, &marshalled, 1, digest);
}
