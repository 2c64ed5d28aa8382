/* The operations of bench-engine: engine.h. */
#include "engine.h"

#include "crypto/crypto.h"
#include "crypto/rsa.h"
#include "cvtpm/platform.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NV_INDEX 0x01500010
#define NV_SIZE  64
#define KEY_ATTRIBUTES                                                                             \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |        \
	 TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA)

/* ---- templates ---- */

static TPMT_PUBLIC storage_template(TPMI_ECC_CURVE curve)
{
	return (TPMT_PUBLIC){
		.type = TPM_ALG_ECC,
		.nameAlg = TPM_ALG_SHA256,
		.objectAttributes = KEY_ATTRIBUTES | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
		.parameters.eccDetail = {.symmetric = {TPM_ALG_AES, {.aes = 128}, {TPM_ALG_CFB}},
					 .scheme.scheme = TPM_ALG_NULL,
					 .curveID = curve,
					 .kdf.scheme = TPM_ALG_NULL},
	};
}

static TPMT_PUBLIC rsa_storage_template(void)
{
	TPMT_PUBLIC t = storage_template(0);

	t.type = TPM_ALG_RSA;
	t.parameters.rsaDetail =
		(TPMS_RSA_PARMS){.symmetric = {TPM_ALG_AES, {.aes = 128}, {TPM_ALG_CFB}},
				 .scheme.scheme = TPM_ALG_NULL,
				 .keyBits = 2048};
	return t;
}

/* Curve 0: RSA 2048 with RSASSA. */
static TPMT_PUBLIC signing_template(TPMI_ECC_CURVE curve)
{
	TPMT_PUBLIC t = curve ? storage_template(curve) : rsa_storage_template();

	t.objectAttributes = KEY_ATTRIBUTES | TPMA_OBJECT_SIGN;
	if (curve) {
		t.parameters.eccDetail.symmetric.algorithm = TPM_ALG_NULL;
		t.parameters.eccDetail.scheme.scheme = TPM_ALG_ECDSA;
		t.parameters.eccDetail.scheme.details.ecdsa.hashAlg = TPM_ALG_SHA256;
	} else {
		t.parameters.rsaDetail.symmetric.algorithm = TPM_ALG_NULL;
		t.parameters.rsaDetail.scheme.scheme = TPM_ALG_RSASSA;
		t.parameters.rsaDetail.scheme.details.rsassa.hashAlg = TPM_ALG_SHA256;
	}
	return t;
}

/* ---- what operations need to be there ---- */

static struct CreatePrimary_in primary_in(const TPMT_PUBLIC *template)
{
	return (struct CreatePrimary_in){.primaryHandle = TPM_RH_OWNER,
					 .inSensitive.size = 4,
					 .inPublic.publicArea = *template};
}

static struct CreatePrimary_out make_primary(struct peer *p, TPMT_PUBLIC template)
{
	struct CreatePrimary_in in = primary_in(&template);
	struct CreatePrimary_out out;

	PEER_RUN(p, CreatePrimary, &in, &out);
	return out;
}

static TPM_HANDLE make_parent(struct peer *p)
{
	return make_primary(p, storage_template(TPM_ECC_NIST_P256)).handle;
}

static struct Create_in create_in(TPM_HANDLE parent, TPMI_ECC_CURVE curve)
{
	return (struct Create_in){.parentHandle = parent,
				  .inSensitive.size = 4,
				  .inPublic.publicArea = signing_template(curve)};
}

static struct Load_in load_in(struct peer *p, TPM_HANDLE parent, TPMI_ECC_CURVE curve)
{
	struct Create_in in = create_in(parent, curve);
	struct Create_out out;

	PEER_RUN(p, Create, &in, &out);
	return (struct Load_in){
		.parentHandle = parent, .inPrivate = out.outPrivate, .inPublic = out.outPublic};
}

static TPM_HANDLE make_key(struct peer *p, TPMI_ECC_CURVE curve)
{
	struct Load_in in = load_in(p, make_parent(p), curve);
	struct Load_out out;

	PEER_RUN(p, Load, &in, &out);
	return out.handle;
}

static void define_index(struct peer *p)
{
	struct NV_DefineSpace_in define = {
		.authHandle = TPM_RH_OWNER,
		.publicInfo.nvPublic = {NV_INDEX,
					TPM_ALG_SHA256,
					TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA,
					{.size = 0},
					NV_SIZE}};
	struct NV_UndefineSpace_in undefine = {.authHandle = TPM_RH_OWNER, .nvIndex = NV_INDEX};
	struct NV_Write_in write = {
		.authHandle = NV_INDEX, .nvIndex = NV_INDEX, .data.size = NV_SIZE};
	struct GetCapability_in get = {
		.capability = TPM_CAP_HANDLES, .property = NV_INDEX, .propertyCount = 1};
	struct GetCapability_out out;

	PEER_RUN(p, GetCapability, &get, &out);
	if (out.capabilityData.data.handles.count &&
	    out.capabilityData.data.handles.handle[0] == NV_INDEX)
		PEER_RUN(p, NV_UndefineSpace, &undefine, NULL);
	PEER_RUN(p, NV_DefineSpace, &define, NULL);
	PEER_RUN(p, NV_Write, &write, NULL);
}

/* All loaded objects, or all loaded sessions. */
static void flush_kind(struct peer *p, TPM_HANDLE first)
{
	struct GetCapability_in get = {
		.capability = TPM_CAP_HANDLES, .property = first, .propertyCount = 16};
	struct GetCapability_out out;

	PEER_RUN(p, GetCapability, &get, &out);
	for (UINT32 i = 0; i < out.capabilityData.data.handles.count; i++) {
		struct FlushContext_in in = {.flushHandle =
						     out.capabilityData.data.handles.handle[i]};

		PEER_RUN(p, FlushContext, &in, NULL);
	}
}

void peer_flush_all(struct peer *p)
{
	flush_kind(p, 0x80000000);
	flush_kind(p, 0x02000000);
}

/* ---- each operation's command ---- */

void trial_encode(struct trial *t)
{
	static const struct client_session password = {.handle = TPM_RS_PW,
						       .attributes = TPMA_SESSION_CONTINUESESSION};
	const struct client_session sessions[MAX_SESSION_NUM] = {password, password, password};

	t->len = command_encode(t->command, &t->in, sessions, command_auths(t->command), NULL,
				t->bytes, sizeof t->bytes);
	if (!t->len)
		fail("%s does not fit", t->command->name);
}

/* The head of an operation: it has a peer `p`, a trial `t` and a curve `c`, and sets the
 * members of t->in.COMMAND. */
#define PREPARE(function, name)                                                                    \
	static void function##_fields(struct peer *p, struct name##_in *in, TPMI_ECC_CURVE c);     \
	static void function(struct peer *p, struct trial *t, TPMI_ECC_CURVE c)                    \
	{                                                                                          \
		*t = (struct trial){.command = command_find(TPM_CC_##name)};                       \
		function##_fields(p, &t->in.name, c);                                              \
		trial_encode(t);                                                                   \
	}                                                                                          \
	static void function##_fields(struct peer *p __attribute__((unused)),                      \
				      struct name##_in *in,                                        \
				      TPMI_ECC_CURVE c __attribute__((unused)))

static void select_pcrs(TPML_PCR_SELECTION *selection, uint8_t pcrs)
{
	selection->count = 1;
	selection->pcrSelections[0].hash = TPM_ALG_SHA256;
	selection->pcrSelections[0].pcrSelect.size = 3;
	selection->pcrSelections[0].pcrSelect.bytes[0] = pcrs;
}

PREPARE(get_random, GetRandom)
{
	in->bytesRequested = 32;
}

PREPARE(pcr_read, PCR_Read)
{
	select_pcrs(&in->pcrSelectionIn, 0x01);
}

PREPARE(pcr_extend, PCR_Extend)
{
	in->pcrHandle = 16;
	in->digests.count = 1;
	in->digests.digests[0].hashAlg = TPM_ALG_SHA256;
	memset(&in->digests.digests[0].digest, 0x5A, 32);
}

PREPARE(hash_1k, Hash)
{
	in->data.size = 1024;
	in->hashAlg = TPM_ALG_SHA256;
	in->hierarchy = TPM_RH_NULL;
}

PREPARE(sign, Sign)
{
	in->keyHandle = make_key(p, c);
	in->digest.size = 32;
	in->inScheme.scheme = TPM_ALG_NULL;
	in->validation = (TPMT_TK_HASHCHECK){.tag = TPM_ST_HASHCHECK, .hierarchy = TPM_RH_NULL};
}

PREPARE(quote, Quote)
{
	in->signHandle = make_key(p, c);
	in->qualifyingData.size = 32;
	in->inScheme.scheme = TPM_ALG_NULL;
	select_pcrs(&in->PCRselect, 0xFF);
}

PREPARE(create_primary, CreatePrimary)
{
	const TPMT_PUBLIC template = c ? storage_template(c) : rsa_storage_template();

	*in = primary_in(&template);
}

PREPARE(create, Create)
{
	*in = create_in(make_parent(p), c);
}

PREPARE(load, Load)
{
	*in = load_in(p, make_parent(p), c);
}

PREPARE(nv_write, NV_Write)
{
	define_index(p);
	in->authHandle = in->nvIndex = NV_INDEX;
	in->data.size = NV_SIZE;
}

PREPARE(nv_read, NV_Read)
{
	define_index(p);
	in->authHandle = in->nvIndex = NV_INDEX;
	in->size = NV_SIZE;
}

PREPARE(start_session, StartAuthSession)
{
	in->tpmKey = in->bind = TPM_RH_NULL;
	in->nonceCaller.size = 32;
	in->sessionType = TPM_SE_HMAC;
	in->symmetric.algorithm = TPM_ALG_NULL;
	in->authHash = TPM_ALG_SHA256;
}

PREPARE(activate, ActivateCredential)
{
	const struct CreatePrimary_out ek = make_primary(p, storage_template(c));
	TPMT_PUBLIC ak = signing_template(c);

	const struct CreatePrimary_out named = make_primary(p, ak);
	struct MakeCredential_in make = {
		.handle_ = ek.handle, .credential.size = 32, .objectName = named.name};
	struct MakeCredential_out made;

	PEER_RUN(p, MakeCredential, &make, &made);
	in->activateHandle = named.handle;
	in->keyHandle = ek.handle;
	in->credentialBlob = made.credentialBlob;
	in->secret = made.secret;
}

/* Other data, another key; a new write has new data, which must be kept. */
static void vary_primary(struct trial *t, unsigned n)
{
	TPM2B_PUBLIC_KEY_RSA *unique = &t->in.CreatePrimary.inPublic.publicArea.unique.rsa;

	unique->size = 256;
	memcpy(unique->buffer, &n, sizeof n);
}

static void vary_write(struct trial *t, unsigned n)
{
	memcpy(t->in.NV_Write.data.buffer, &n, sizeof n);
}

/* ---- primitives ---- */

static struct cvtpm_drbg drbg;
static struct cvtpm_ecc_key p256, p384;
static struct cvtpm_rsa_key rsa;
static uint8_t data[1024];

static int entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	return getrandom(out, len, 0) == (ssize_t)len ? 0 : CVTPM_ERR_ENTROPY;
}

static void generate_rsa(TPMI_ECC_CURVE curve)
{
	const struct cvtpm_source source = cvtpm_drbg_source(&drbg);

	(void)curve;
	if (cvtpm_rsa_generate(2048, 65537, &source, NULL, NULL, &rsa) < 0)
		fail("no RSA key");
}

void primitives_begin(void)
{
	if (cvtpm_drbg_begin(&drbg, entropy, NULL) < 0 ||
	    cvtpm_ecc_generate(CVTPM_P256, &drbg, &p256) < 0 ||
	    cvtpm_ecc_generate(CVTPM_P384, &drbg, &p384) < 0)
		fail("no keys");
	generate_rsa(0);
}

static void primitive_random(TPMI_ECC_CURVE curve)
{
	(void)curve;
	if (cvtpm_drbg_bytes(&drbg, data, 32) < 0)
		fail("no random bytes");
}

static void primitive_extend(TPMI_ECC_CURVE curve)
{
	(void)curve;
	if (cvtpm_hash(CVTPM_SHA256, data, 64, data) < 0)
		fail("no hash");
}

static void primitive_hash(TPMI_ECC_CURVE curve)
{
	uint8_t digest[32];

	(void)curve;
	if (cvtpm_hash(CVTPM_SHA256, data, sizeof data, digest) < 0)
		fail("no hash");
}

static void primitive_sign(TPMI_ECC_CURVE curve)
{
	struct cvtpm_ecdsa_signature ecdsa;
	uint8_t rsassa[256];
	const int err = curve ? cvtpm_ecdsa_sign(curve == TPM_ECC_NIST_P256 ? &p256 : &p384, &drbg,
						 data, 32, &ecdsa)
			      : cvtpm_rsassa_sign(&rsa, CVTPM_SHA256, data, 32, rsassa);

	if (err < 0)
		fail("no signature");
}

static void primitive_generate(TPMI_ECC_CURVE curve)
{
	struct cvtpm_ecc_key key;

	if (cvtpm_ecc_generate((enum cvtpm_curve)curve, &drbg, &key) < 0)
		fail("no key");
}

static void primitive_ecdh(TPMI_ECC_CURVE curve)
{
	const struct cvtpm_ecc_key *key = curve == TPM_ECC_NIST_P256 ? &p256 : &p384;
	struct cvtpm_ecc_public shared;

	if (cvtpm_ecdh(key->d, &key->public, &shared) < 0)
		fail("no shared point");
}

/* ---- all of them ---- */

#define P256 TPM_ECC_NIST_P256
#define P384 TPM_ECC_NIST_P384

const struct operation operations[] = {
	{"GetRandom 32", get_random, .primitive = primitive_random, .calls = 1000, .target = 1},
	{"PCR_Read", pcr_read, .calls = 1000, .target = 1},
	{"PCR_Extend", pcr_extend, .primitive = primitive_extend, .calls = 1000, .target = 1},
	{"Hash 1 KiB", hash_1k, .primitive = primitive_hash, .calls = 1000, .target = 1},
	{"NV_Read 64", nv_read, .calls = 1000, .target = 1},
	{"NV_Write 64", nv_write, .vary = vary_write, .calls = 300, .target = 8},
	{"StartAuthSession", start_session, .calls = 300, .target = 1},
	{"Load P-256", load, .curve = P256, .calls = 200},
	{"Sign P-256", sign, .primitive = primitive_sign, .curve = P256, .calls = 200, .target = 9},
	{"Quote P-256", quote, .primitive = primitive_sign, .curve = P256, .calls = 200,
	 .target = 9},
	{"CreatePrimary P-256", create_primary, .primitive = primitive_generate, .curve = P256,
	 .calls = 100, .target = 9},
	{"Create P-256", create, .primitive = primitive_generate, .curve = P256, .calls = 100,
	 .target = 16},
	{"ActivateCredential P-256", activate, .primitive = primitive_ecdh, .curve = P256,
	 .calls = 100},
	{"Sign P-384", sign, .primitive = primitive_sign, .curve = P384, .calls = 30},
	{"Quote P-384", quote, .primitive = primitive_sign, .curve = P384, .calls = 30},
	{"CreatePrimary P-384", create_primary, .primitive = primitive_generate, .curve = P384,
	 .calls = 30},
	{"Create P-384", create, .primitive = primitive_generate, .curve = P384, .calls = 30},
	{"Sign RSA 2048", sign, .primitive = primitive_sign, .calls = 30, .target = 4},
	{"Quote RSA 2048", quote, .primitive = primitive_sign, .calls = 30, .target = 4},
	{"CreatePrimary RSA 2048", create_primary, .vary = vary_primary, .primitive = generate_rsa,
	 .calls = 1, .slow = true, .target = 1.5},
	{"Create RSA 2048", create, .primitive = generate_rsa, .calls = 1, .slow = true,
	 .target = 9},
};
const size_t operation_count = sizeof operations / sizeof operations[0];
