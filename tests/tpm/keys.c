#include "keys.h"

#include <stdlib.h>

struct rig *begin(void)
{
	const char *name = getenv("CVTPM_TEST_ENGINE");
	bool libtpms = name && strcmp(name, "libtpms") == 0;

	return rig_new(libtpms ? &cvtpm_engine_libtpms : &cvtpm_engine_native);
}

int test_begin(void **state)
{
	*state = begin();
	return 0;
}

int test_end(void **state)
{
	rig_free(*state);
	return 0;
}

bool on_libtpms(const struct rig *r)
{
	return r->engine == &cvtpm_engine_libtpms;
}

struct key make_primary(struct rig *r, TPM_HANDLE hierarchy, const TPMT_PUBLIC *template,
			const char *auth)
{
	struct CreatePrimary_in in = {.primaryHandle = hierarchy,
				      .inSensitive.size = 4,
				      .inSensitive.sensitive.userAuth = rig_auth(auth),
				      .inPublic.publicArea = *template};
	struct CreatePrimary_out out;

	OK(RIG_RUN(r, CreatePrimary, &in, &out));
	return (struct key){out.handle, out.outPublic.publicArea, out.name};
}

struct key make_hmac(struct rig *r, TPMA_OBJECT attributes, TPM_ALG_ID hash, const char *secret)
{
	struct CreatePrimary_in in = {
		.primaryHandle = TPM_RH_OWNER,
		.inSensitive.size = 4,
		.inPublic.publicArea = {.type = TPM_ALG_KEYEDHASH,
					.nameAlg = TPM_ALG_SHA256,
					.objectAttributes = attributes},
	};
	TPMT_KEYEDHASH_SCHEME *scheme = &in.inPublic.publicArea.parameters.keyedHashDetail.scheme;
	struct CreatePrimary_out out;

	scheme->scheme = hash == TPM_ALG_NULL ? TPM_ALG_NULL : TPM_ALG_HMAC;
	scheme->details.hmac.hashAlg = hash;
	in.inSensitive.sensitive.data.size = (uint16_t)strlen(secret);
	memcpy(in.inSensitive.sensitive.data.buffer, secret, strlen(secret));
	OK(RIG_RUN(r, CreatePrimary, &in, &out));
	return (struct key){out.handle, out.outPublic.publicArea, out.name};
}

static struct key load(struct rig *r, struct LoadExternal_in *in)
{
	struct LoadExternal_out out;

	rig_no_sessions(r);
	OK(RIG_RUN(r, LoadExternal, in, &out));
	return (struct key){out.handle, in->inPublic.publicArea, out.name};
}

struct key load_rsa(struct rig *r, TPMA_OBJECT attributes, TPM_ALG_ID scheme, TPM_ALG_ID hash,
		    bool private)
{
	struct LoadExternal_in in = {
		.hierarchy = TPM_RH_NULL,
		.inPublic.publicArea = {.type = TPM_ALG_RSA,
					.nameAlg = TPM_ALG_SHA256,
					.objectAttributes = attributes,
					.unique.rsa.size = sizeof vector_n},
	};
	TPMT_PUBLIC *public = &in.inPublic.publicArea;
	TPMT_SENSITIVE *sensitive = &in.inPrivate.sensitiveArea;

	public->parameters.rsaDetail.symmetric.algorithm = TPM_ALG_NULL;
	public->parameters.rsaDetail.scheme.scheme = scheme;
	public->parameters.rsaDetail.scheme.details.any.hashAlg = hash;
	public->parameters.rsaDetail.keyBits = 2048;
	memcpy(public->unique.rsa.buffer, vector_n, sizeof vector_n);
	if (private) {
		in.inPrivate.size = 1;
		sensitive->sensitiveType = TPM_ALG_RSA;
		sensitive->sensitive.rsa.size = sizeof vector_p;
		memcpy(sensitive->sensitive.rsa.buffer, vector_p, sizeof vector_p);
	}
	return load(r, &in);
}

struct key load_public(struct rig *r, const TPMT_PUBLIC *public, TPM_HANDLE hierarchy)
{
	struct LoadExternal_in in = {.hierarchy = hierarchy, .inPublic.publicArea = *public};

	return load(r, &in);
}

TPMT_PUBLIC template_ecc(TPMA_OBJECT attributes, TPMI_ECC_CURVE curve, TPM_ALG_ID scheme,
			 TPM_ALG_ID hash)
{
	return (TPMT_PUBLIC){
		.type = TPM_ALG_ECC,
		.nameAlg = TPM_ALG_SHA256,
		.objectAttributes = attributes,
		.parameters.eccDetail = {.symmetric.algorithm = TPM_ALG_NULL,
					 .scheme = {scheme, {.ecdsa.hashAlg = hash}},
					 .curveID = curve,
					 .kdf.scheme = TPM_ALG_NULL},
	};
}

TPM2B_DIGEST digest_of(TPM_ALG_ID alg, const void *data, size_t len)
{
	TPM2B_DIGEST digest = {.size = (uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)alg)};

	assert_int_equal(cvtpm_hash((enum cvtpm_hash_alg)alg, data, len, digest.buffer), 0);
	return digest;
}

TPM2B_DATA data_of(const char *text)
{
	TPM2B_DATA data = {.size = (uint16_t)strlen(text)};

	memcpy(data.buffer, text, data.size);
	return data;
}

void buffer_set(TPM2B_MAX_BUFFER *buffer, const char *text)
{
	buffer->size = (uint16_t)strlen(text);
	memcpy(buffer->buffer, text, buffer->size);
}

TPM_HANDLE start_policy(struct rig *r, TPM_SE type, TPM_ALG_ID hash)
{
	struct StartAuthSession_in in = {.tpmKey = TPM_RH_NULL,
					 .bind = TPM_RH_NULL,
					 .nonceCaller.size = 16,
					 .sessionType = type,
					 .symmetric.algorithm = TPM_ALG_NULL,
					 .authHash = hash};
	struct StartAuthSession_out out;

	OK(RIG_RUN(r, StartAuthSession, &in, &out));
	return out.handle;
}

struct client_session bound_session(struct rig *r, TPM_SE type, TPM_HANDLE bind,
				    const char *password)
{
	struct StartAuthSession_in in = {.tpmKey = TPM_RH_NULL,
					 .bind = bind,
					 .nonceCaller.size = 32,
					 .sessionType = type,
					 .symmetric = {TPM_ALG_AES, {.aes = 128}, {TPM_ALG_CFB}},
					 .authHash = TPM_ALG_SHA256};
	struct StartAuthSession_out out;
	struct client_session s = {.authHash = in.authHash, .symmetric = in.symmetric};

	OK(RIG_RUN(r, StartAuthSession, &in, &out));
	s.handle = out.handle;
	s.nonceTPM = out.nonceTPM;
	s.nonceCaller = in.nonceCaller;
	OK(client_session_key(&s, (struct cvtpm_octets){password, strlen(password)},
			      (struct cvtpm_octets){NULL, 0}));
	return s;
}

TPM2B_DIGEST policy_digest(struct rig *r, TPM_HANDLE session)
{
	struct PolicyGetDigest_in in = {.policySession = session};
	struct PolicyGetDigest_out out;

	OK(RIG_RUN(r, PolicyGetDigest, &in, &out));
	return out.policyDigest;
}

TPMS_ATTEST attest_of(const TPM2B_ATTEST *blob, TPMI_ST_ATTEST type)
{
	struct reader reader = {blob->buffer, blob->size};
	TPMS_ATTEST attest;

	OK(type_read(&type_TPMS_ATTEST, &attest, &reader, false));
	assert_int_equal(reader.left, 0);
	assert_int_equal(attest.magic, TPM_GENERATED_VALUE);
	assert_int_equal(attest.type, type);
	return attest;
}

void is_signed_by(struct rig *r, const struct key *k, const TPM2B_ATTEST *blob,
		  const TPMT_SIGNATURE *signature)
{
	struct VerifySignature_in in = {
		.keyHandle = k->handle,
		.digest = digest_of(signature->signature.any.hashAlg, blob->buffer, blob->size),
		.signature = *signature};

	rig_no_sessions(r);
	OK(RIG_RUN(r, VerifySignature, &in, NULL));
}
