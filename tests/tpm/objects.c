#include "objects.h"

#include <string.h>

/* ---- each test ---- */

int objects_setup(void **state)
{
	*state = begin();
	return 0;
}

int objects_teardown(void **state)
{
	rig_free(*state);
	return 0;
}

/* ---- templates ---- */

static TPMT_PUBLIC template_of(TPM_ALG_ID type, TPMA_OBJECT attributes)
{
	return (TPMT_PUBLIC){.type = type,
			     .nameAlg = TPM_ALG_SHA256,
			     .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
						 TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
						 attributes};
}

TPMT_PUBLIC rsa_template(bool storage)
{
	TPMT_PUBLIC t =
		template_of(TPM_ALG_RSA, TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_DECRYPT |
						 (storage ? TPMA_OBJECT_RESTRICTED : 0));
	TPMS_RSA_PARMS *p = &t.parameters.rsaDetail;

	p->symmetric.algorithm = storage ? TPM_ALG_AES : TPM_ALG_NULL;
	p->symmetric.keyBits.aes = 128;
	p->symmetric.mode.aes = TPM_ALG_CFB;
	p->scheme.scheme = TPM_ALG_NULL;
	p->keyBits = 2048;
	return t;
}

TPMT_PUBLIC hmac_template(void)
{
	TPMT_PUBLIC t =
		template_of(TPM_ALG_KEYEDHASH, TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_SIGN);
	TPMT_KEYEDHASH_SCHEME *s = &t.parameters.keyedHashDetail.scheme;

	s->scheme = TPM_ALG_HMAC;
	s->details.hmac.hashAlg = TPM_ALG_SHA256;
	return t;
}

TPMT_PUBLIC sealed_template(void)
{
	TPMT_PUBLIC t = template_of(TPM_ALG_KEYEDHASH, 0);

	t.parameters.keyedHashDetail.scheme.scheme = TPM_ALG_NULL;
	return t;
}

TPMT_PUBLIC cipher_template(uint16_t bits)
{
	TPMT_PUBLIC t =
		template_of(TPM_ALG_SYMCIPHER, TPMA_OBJECT_SENSITIVEDATAORIGIN |
						       TPMA_OBJECT_DECRYPT | TPMA_OBJECT_SIGN);
	TPMT_SYM_DEF_OBJECT *sym = &t.parameters.symDetail.sym;

	sym->algorithm = TPM_ALG_AES;
	sym->keyBits.aes = bits;
	sym->mode.aes = TPM_ALG_CFB;
	return t;
}

TPMT_PUBLIC symmetric_parent_template(void)
{
	TPMT_PUBLIC t = cipher_template(128);

	t.objectAttributes |= TPMA_OBJECT_RESTRICTED;
	t.objectAttributes &= ~(uint32_t)TPMA_OBJECT_SIGN;
	return t;
}

TPMT_PUBLIC derivation_template(void)
{
	TPMT_PUBLIC t = template_of(TPM_ALG_KEYEDHASH, TPMA_OBJECT_SENSITIVEDATAORIGIN |
							       TPMA_OBJECT_DECRYPT |
							       TPMA_OBJECT_RESTRICTED);
	TPMT_KEYEDHASH_SCHEME *s = &t.parameters.keyedHashDetail.scheme;

	s->scheme = TPM_ALG_XOR;
	s->details.exclusiveOr.hashAlg = TPM_ALG_SHA256;
	s->details.exclusiveOr.kdf = TPM_ALG_KDF1_SP800_108;
	return t;
}

TPMT_PUBLIC movable(TPMT_PUBLIC template, const TPM2B_DIGEST *policy)
{
	template.objectAttributes &= ~(uint32_t)(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT);
	if (policy)
		template.authPolicy = *policy;
	return template;
}

/* ---- commands ---- */

TPM2B_SENSITIVE_CREATE sensitive(const char *auth, const void *data, size_t len)
{
	TPM2B_SENSITIVE_CREATE s = {.sensitive.userAuth = rig_auth(auth)};

	s.sensitive.data.size = (uint16_t)len;
	if (len)
		memcpy(s.sensitive.data.buffer, data, len);
	return s;
}

tpm_rc create(struct rig *r, TPM_HANDLE parent, const TPMT_PUBLIC *template,
	      const TPM2B_SENSITIVE_CREATE *given, struct Create_out *out)
{
	struct Create_in in = {.parentHandle = parent, .inPublic.publicArea = *template};

	if (given)
		in.inSensitive = *given;
	return RIG_RUN(r, Create, &in, out);
}

tpm_rc load(struct rig *r, TPM_HANDLE parent, const TPM2B_PRIVATE *private,
	    const TPM2B_PUBLIC *public, TPM_HANDLE *handle)
{
	struct Load_in in = {.parentHandle = parent, .inPrivate = *private, .inPublic = *public};
	struct Load_out out;
	tpm_rc rc = RIG_RUN(r, Load, &in, &out);

	if (handle)
		*handle = out.handle;
	return rc;
}

tpm_rc primary(struct rig *r, TPM_HANDLE hierarchy, const TPMT_PUBLIC *template,
	       const TPM2B_SENSITIVE_CREATE *given, struct CreatePrimary_out *out)
{
	struct CreatePrimary_in in = {.primaryHandle = hierarchy, .inPublic.publicArea = *template};

	if (given)
		in.inSensitive = *given;
	return RIG_RUN(r, CreatePrimary, &in, out);
}

tpm_rc load_external(struct rig *r, const TPMT_PUBLIC *public, const TPMT_SENSITIVE *private,
		     TPM_HANDLE hierarchy, struct LoadExternal_out *out)
{
	struct LoadExternal_in in = {.inPublic.publicArea = *public, .hierarchy = hierarchy};

	if (private) {
		in.inPrivate.size = 1; /* not empty; the encoder counts */
		in.inPrivate.sensitiveArea = *private;
	}
	rig_no_sessions(r);
	return RIG_RUN(r, LoadExternal, &in, out);
}

TPM_HANDLE must_primary(struct rig *r, TPM_HANDLE hierarchy, const TPMT_PUBLIC *template)
{
	struct CreatePrimary_out out;

	assert_rc(primary(r, hierarchy, template, NULL, &out), 0);
	return out.handle;
}

TPM_HANDLE storage_primary(struct rig *r)
{
	TPMT_PUBLIC template = rig_storage_template();

	return must_primary(r, TPM_RH_OWNER, &template);
}

TPM_HANDLE must_load(struct rig *r, TPM_HANDLE parent, const TPMT_PUBLIC *template)
{
	struct Create_out out;
	TPM_HANDLE handle;

	assert_rc(create(r, parent, template, NULL, &out), 0);
	assert_rc(load(r, parent, &out.outPrivate, &out.outPublic, &handle), 0);
	return handle;
}

TPM_HANDLE hash_sequence(struct rig *r)
{
	struct HashSequenceStart_in in = {.hashAlg = TPM_ALG_SHA256};
	struct HashSequenceStart_out out;

	assert_rc(RIG_RUN(r, HashSequenceStart, &in, &out), 0);
	return out.handle;
}

struct ReadPublic_out read_public(struct rig *r, TPM_HANDLE handle)
{
	struct ReadPublic_in in = {.objectHandle = handle};
	struct ReadPublic_out out;

	assert_rc(RIG_RUN(r, ReadPublic, &in, &out), 0);
	return out;
}

bool is_loaded(struct rig *r, TPM_HANDLE handle)
{
	struct ReadPublic_in in = {.objectHandle = handle};

	return RIG_RUN(r, ReadPublic, &in, NULL) == TPM_RC_SUCCESS;
}

static void policy_duplicate(struct rig *r, const struct client_session *s)
{
	struct PolicyCommandCode_in in = {.policySession = s->handle, .code = TPM_CC_Duplicate};

	assert_rc(RIG_RUN(r, PolicyCommandCode, &in, NULL), 0);
}

TPM2B_DIGEST duplicate_policy(struct rig *r)
{
	struct client_session s = rig_session(r, TPM_SE_TRIAL);
	struct PolicyGetDigest_in in = {.policySession = s.handle};
	struct PolicyGetDigest_out out;

	policy_duplicate(r, &s);
	assert_rc(RIG_RUN(r, PolicyGetDigest, &in, &out), 0);
	rig_flush(r, s.handle);
	return out.policyDigest;
}

struct client_session duplicate_session(struct rig *r)
{
	struct client_session s = rig_session(r, TPM_SE_POLICY);

	policy_duplicate(r, &s);
	return s;
}

tpm_rc import_plain(struct rig *r, TPM_HANDLE parent, const TPMT_PUBLIC *public,
		    const TPMT_SENSITIVE *private, struct Import_out *out)
{
	struct Import_in in = {.parentHandle = parent,
			       .objectPublic.publicArea = *public,
			       .symmetricAlg.algorithm = TPM_ALG_NULL};
	TPM2B_SENSITIVE area = {1, *private};

	in.duplicate.size = (uint16_t)type_marshal(&type_TPM2B_SENSITIVE, &area,
						   in.duplicate.buffer, sizeof in.duplicate.buffer);
	return RIG_RUN(r, Import, &in, out);
}
