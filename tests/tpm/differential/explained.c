/*
 * Differences that are known, and who is right: docs/differences.md has a section for
 * each, and each row names it. What no row covers is a difference.
 *
 * A row names the command, both codes, and what must be so for them: as little as explains
 * them, so that a mistake that shows by the same codes elsewhere is not taken for it.
 */
#include "world.h"

#define ANY     0xFFFFFFFFu /* `when` looks at the code */
#define SUCCESS TPM_RC_SUCCESS

/* Two answers to one command, and the command as both got it, spoilt or not: its
 * parameters up to the first that cannot be read. */
struct question {
	const struct world *w;
	const struct pair *p;
	tpm_rc native, other;
	union command_in in;
};

/* The number of bytes before the session area. */
static size_t area_at(const struct question *q)
{
	return HEADER_SIZE + 4 * command_handles(q->p->command);
}

static bool has_sessions(const struct question *q)
{
	return number_at(q->w->rig[NATIVE]->command, 2) == TPM_ST_SESSIONS;
}

static void read_command(struct question *q)
{
	const struct rig *r = q->w->rig[NATIVE];
	size_t at = area_at(q);
	struct reader parameters;
	unsigned number;

	if (!q->p->mangled) {
		q->in = q->p->in[NATIVE];
		return;
	}
	memset(&q->in, 0, sizeof q->in);
	if (at > r->command_len)
		return;
	for (unsigned n = 0; n < command_handles(q->p->command); n++)
		q->in.handle[n] = number_at(r->command + HEADER_SIZE + 4 * n, 4);
	if (has_sessions(q) && at + 4 <= r->command_len)
		at += 4 + number_at(r->command + at, 4);
	if (at > r->command_len)
		return;
	parameters = (struct reader){r->command + at, r->command_len - at};
	type_read_fields(q->p->command->in, (uint8_t *)&q->in + sizeof q->in.handle, &parameters,
			 false, &number);
}

/* ---- what may be so ---- */

/* Has the command, as it was sent, a field of that type with one of these values? */
#define HAS(q, type, ...)                                                                          \
	has((q), &type_##type, (const uint32_t[]){__VA_ARGS__},                                    \
	    sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
static bool has(const struct question *q, const struct type *type, const uint32_t *values,
		size_t count)
{
	const struct rig *r = q->w->rig[NATIVE];
	static struct leaves l;

	find_leaves(&l, q->p->command, r->command, r->command_len);
	for (unsigned i = 0; i < l.count; i++)
		for (size_t n = 0; n < count; n++)
			if (l.leaf[i].type == type_resolve(type) &&
			    number_at(r->command + l.leaf[i].at, l.leaf[i].size) == values[n])
				return true;
	return false;
}

static const struct world_key *key_of(const struct question *q, unsigned n)
{
	for (size_t i = 0; i < MAX_KEYS; i++)
		if (q->w->keys[i].kind && q->w->keys[i].e.handle[NATIVE] == q->in.handle[n])
			return &q->w->keys[i];
	return NULL;
}

static bool size_is_wrong(const struct question *q)
{
	const struct rig *r = q->w->rig[NATIVE];
	size_t at = area_at(q);
	uint32_t size = at + 4 <= r->command_len ? number_at(r->command + at, 4) : 0;

	return has_sessions(q) && (size < 9 || size > r->command_len - at - 4);
}

static bool another_h_crtm(const struct question *q)
{
	return q->w->h_crtm != q->w->h_crtm_before && q->in.Startup.startupType == TPM_SU_STATE;
}

static bool is_no_hash(const struct question *q)
{
	TPM_ALG_ID alg =
		q->p->command->code == TPM_CC_HMAC ? q->in.HMAC.hashAlg : q->in.HMAC_Start.hashAlg;

	return alg != TPM_ALG_NULL && !cvtpm_hash_size((enum cvtpm_hash_alg)alg);
}

static bool is_symmetric(const struct question *q)
{
	const struct world_key *key = key_of(q, 0);

	return key && key->public[NATIVE].type == TPM_ALG_SYMCIPHER;
}

static bool has_known_tag(const struct question *q)
{
	static const struct type *const types[] = {&type_TK_CREATION, &type_TK_VERIFIED,
						   &type_TK_AUTH, &type_TK_HASHCHECK};
	static const uint32_t tags[] = {TPM_ST_CREATION, TPM_ST_VERIFIED, TPM_ST_AUTH_SECRET,
					TPM_ST_HASHCHECK, TPM_ST_AUTH_SIGNED};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (has(q, types[i], tags, sizeof tags / sizeof *tags))
			return true;
	return false;
}

/* The same parameter, a ticket, with a tag that is none. */
static bool is_no_tag(const struct question *q)
{
	static const struct {
		TPM_CC code;
		unsigned parameter;
	} tickets[] = {{TPM_CC_CertifyCreation, 4},
		       {TPM_CC_Sign, 3},
		       {TPM_CC_PolicyTicket, 5},
		       {TPM_CC_PolicyAuthorize, 4}};

	for (size_t i = 0; i < sizeof tickets / sizeof *tickets; i++)
		if (tickets[i].code == q->p->command->code)
			return q->native == RC_P(tickets[i].parameter, TPM_RC_TAG) &&
			       q->other == RC_P(tickets[i].parameter, TPM_RC_VALUE) &&
			       !has_known_tag(q);
	return false;
}

/* Curves of libtpms: P-192, P-224, BN P-256, BN P-638, SM2. */
static bool is_other_curve(const struct question *q)
{
	return HAS(q, TPMI_ECC_CURVE, 1, 2, 0x10, 0x11, 0x20) &&
	       (q->native & 0xFF) == (TPM_RC_CURVE | 0x40);
}

/* TDES, SM2, EC Schnorr, ECMQV, Camellia, CMAC. */
static bool is_there_alone(TPM_ALG_ID alg)
{
	return alg == 0x03 || (alg >= 0x1B && alg <= 0x1D) || alg == 0x26 || alg == 0x3F;
}

static bool tests_other_algorithm(const struct question *q)
{
	for (uint32_t i = 0; i < q->in.IncrementalSelfTest.toTest.count; i++)
		if (is_there_alone(q->in.IncrementalSelfTest.toTest.algorithms[i]))
			return true;
	return false;
}

/* A parameter with such an algorithm is refused for it here. */
static bool has_other_algorithm(const struct question *q)
{
	static const tpm_rc refusals[] = {TPM_RC_ASYMMETRIC, TPM_RC_HASH, TPM_RC_MODE,
					  TPM_RC_SCHEME,     TPM_RC_KDF,  TPM_RC_SYMMETRIC,
					  TPM_RC_TYPE};
	const struct rig *r = q->w->rig[NATIVE];
	bool refused = false, found = false;
	static struct leaves l;

	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
		refused |= (q->native & 0xFF) == (refusals[i] | 0x40);
	find_leaves(&l, q->p->command, r->command, r->command_len);
	for (unsigned i = 0; i < l.count; i++)
		found |= (strncmp(l.leaf[i].type->name, "TPMI_ALG_", 9) == 0 ||
			  l.leaf[i].type == &type_TPMI_ECC_KEY_EXCHANGE) &&
			 is_there_alone((TPM_ALG_ID)number_at(r->command + l.leaf[i].at, 2));
	return refused && found;
}

static bool is_other_mode(const TPMT_PUBLIC *public)
{
	const TPMT_SYM_DEF_OBJECT *symmetric = public->type == TPM_ALG_SYMCIPHER
						       ? &public->parameters.symDetail.sym
						       : &public->parameters.asymDetail.symmetric;

	return public->type != TPM_ALG_KEYEDHASH && symmetric->algorithm == TPM_ALG_AES &&
	       symmetric->mode.aes != TPM_ALG_CFB && symmetric->mode.aes != TPM_ALG_NULL;
}

/* Of what protects others. Where a session hides inSensitive, what follows is not seen. */
static bool has_other_mode(const struct question *q)
{
	if (q->p->command->code == TPM_CC_Create)
		return is_other_mode(&q->in.Create.inPublic.publicArea);
	if (q->p->command->code == TPM_CC_CreatePrimary)
		return is_other_mode(&q->in.CreatePrimary.inPublic.publicArea);
	if (q->p->command->code == TPM_CC_CreateLoaded) {
		const TPM2B_TEMPLATE *template = &q->in.CreateLoaded.inPublic;
		struct reader r = {template->buffer, template->size};
		TPMT_PUBLIC public;

		return !type_read(&type_TPMT_PUBLIC, &public, &r, true) && is_other_mode(&public);
	}
	return HAS(q, TPMI_ALG_SYM_MODE_PLUS, TPM_ALG_CTR, TPM_ALG_OFB, TPM_ALG_CBC, TPM_ALG_ECB);
}

/* AES with 192 bits, RSA with 4096: the parameter is refused there. */
static bool is_here_alone(const struct question *q)
{
	return (HAS(q, TPMI_AES_KEY_BITS, 192) || HAS(q, TPMI_RSA_KEY_BITS, 4096)) &&
	       (q->other & 0xFF) == (TPM_RC_VALUE | 0x40);
}

/* A TPM2B_NAME of more bytes than the largest name, which is refused later there, or not. */
static bool name_is_long(const struct question *q)
{
	return HAS(q, TPM2B_NAME, 67, 68) && (q->native & 0xFF) == (TPM_RC_SIZE | 0x40) &&
	       (q->other == SUCCESS || q->other & 0x40);
}

/* One holds and the other does not, of a signed comparison with a negative number, which
 * is compared the other way round there with another negative one. */
static bool is_signed(TPM_EO operation, const TPM2B_OPERAND *b)
{
	return (b->size == 0 || b->buffer[0] & 0x80) &&
	       (operation == TPM_EO_SIGNED_GT || operation == TPM_EO_SIGNED_LT ||
		operation == TPM_EO_SIGNED_GE || operation == TPM_EO_SIGNED_LE);
}

static bool index_is_signed(const struct question *q)
{
	return is_signed(q->in.PolicyNV.operation, &q->in.PolicyNV.operandB);
}

static bool counter_is_signed(const struct question *q)
{
	return is_signed(q->in.PolicyCounterTimer.operation, &q->in.PolicyCounterTimer.operandB);
}

static bool uses_public_only(const struct question *q)
{
	for (unsigned n = 0; n < command_auths(q->p->command); n++) {
		const struct world_key *key = key_of(q, n);

		if (key && key->public_only)
			return true;
	}
	return false;
}

/* A number of the modulus' size, not less than it. */
static bool exceeds(const struct world_key *key, const TPM2B_PUBLIC_KEY_RSA *number)
{
	const TPM2B_PUBLIC_KEY_RSA *n = key ? &key->public[NATIVE].unique.rsa : NULL;

	return n && key->public[NATIVE].type == TPM_ALG_RSA && number->size == n->size &&
	       memcmp(number->buffer, n->buffer, n->size) >= 0;
}

static bool message_is_too_great(const struct question *q)
{
	return exceeds(key_of(q, 0), &q->in.RSA_Encrypt.message);
}

/* Of a command with an RSA key: the padding, which is the key's where it has one. */
static TPMT_RSA_DECRYPT padding_of(const struct world_key *key, const TPMT_RSA_DECRYPT *asked)
{
	const TPMT_RSA_SCHEME *own = &key->public[NATIVE].parameters.rsaDetail.scheme;
	TPMT_RSA_DECRYPT padding = *asked;

	if (own->scheme != TPM_ALG_NULL) {
		padding.scheme = own->scheme;
		padding.details.oaep.hashAlg = own->details.oaep.hashAlg;
	}
	return padding;
}

static bool message_is_too_long(const struct question *q)
{
	const struct world_key *key = key_of(q, 0);
	size_t overhead = 0;
	TPMT_RSA_DECRYPT padding;

	if (!key || key->public[NATIVE].type != TPM_ALG_RSA)
		return false;
	padding = padding_of(key, &q->in.RSA_Encrypt.inScheme);
	if (padding.scheme == TPM_ALG_RSAES)
		overhead = 11;
	else if (padding.scheme == TPM_ALG_OAEP)
		overhead =
			2 + 2 * cvtpm_hash_size((enum cvtpm_hash_alg)padding.details.oaep.hashAlg);
	return q->in.RSA_Encrypt.message.size + overhead > key->public[NATIVE].unique.rsa.size;
}

/* What was not encrypted so. */
static bool padding_is_wrong(const struct question *q)
{
	const struct world_key *key = key_of(q, 0);

	return (q->p->spoilt || q->p->mangled) && key && key->public[NATIVE].type == TPM_ALG_RSA;
}

/* RSAES of that decrypts there to something. */
static bool padding_is_ignored(const struct question *q)
{
	return padding_is_wrong(q) &&
	       padding_of(key_of(q, 0), &q->in.RSA_Decrypt.inScheme).scheme == TPM_ALG_RSAES;
}

static bool salt_is_missing(const struct question *q)
{
	return q->in.StartAuthSession.tpmKey != TPM_RH_NULL &&
	       !q->in.StartAuthSession.encryptedSalt.size;
}

static bool is_pin_handle(const struct question *q, TPM_HANDLE handle)
{
	for (size_t i = 0; i < MAX_INDICES; i++)
		if (q->w->indices[i].in_use && is_pin(&q->w->indices[i]) &&
		    q->w->indices[i].e.handle[NATIVE] == handle)
			return true;
	return false;
}

/* A policy asks for its authValue. */
static bool is_pin_in_policy(const struct question *q)
{
	for (unsigned n = 0; n < q->p->session_count; n++) {
		const struct client_session *s = &q->p->sessions[NATIVE][n];

		if (HANDLE_TYPE(s->handle) == TPM_HT_POLICY_SESSION &&
		    (s->with_auth || s->password) && is_pin_handle(q, q->in.handle[n]))
			return true;
	}
	return false;
}

/* Part 3, 5.1: of several errors any may be told. */
static bool bind_is_wrong_too(const struct question *q)
{
	const struct world_key *key = key_of(q, 1);

	return is_pin_handle(q, q->in.handle[1]) || (key && key->public_only);
}

/* A handle was spoilt so that there are more objects in use than has_room() reckoned with. */
static bool uses_more_objects(const struct question *q)
{
	bool persistent = false;

	for (unsigned n = 0; n < command_handles(q->p->command); n++)
		persistent |= HANDLE_TYPE(q->in.handle[n]) == TPM_HT_PERSISTENT &&
			      q->in.handle[n] != q->p->entity[n].handle[NATIVE];
	return q->p->mangled && persistent;
}

/* RSA with 4096 bits has such secrets. */
static bool salt_is_long(const struct question *q)
{
	return HAS(q, TPM2B_ENCRYPTED_SECRET, 512);
}

static bool is_no_sequence(const struct question *q)
{
	return key_of(q, 0);
}

static bool cipher_text_is_too_great(const struct question *q)
{
	return exceeds(key_of(q, 0), &q->in.RSA_Decrypt.cipherText);
}

static const TPMT_PUBLIC *external(const struct question *q)
{
	return &q->in.LoadExternal.inPublic.publicArea;
}

static bool exponent_is_refused(const TPMT_PUBLIC *public)
{
	uint32_t exponent = public->parameters.rsaDetail.exponent;

	return public->type == TPM_ALG_RSA && exponent && (exponent <= 0xFFFF || exponent % 2 == 0);
}

static bool external_exponent_is_refused(const struct question *q)
{
	return exponent_is_refused(external(q));
}

static bool imported_exponent_is_refused(const struct question *q)
{
	return exponent_is_refused(&q->in.Import.objectPublic.publicArea);
}

/* Its two halves were spoilt. */
static bool is_spoilt_rsa(const struct question *q)
{
	return q->p->mangled && q->in.Import.objectPublic.publicArea.type == TPM_ALG_RSA;
}

/* Of a public area alone. */
static bool has_policy_of_another_size(const struct question *q)
{
	const TPMT_PUBLIC *public = external(q);

	return !q->in.LoadExternal.inPrivate.size && public->authPolicy.size &&
	       public->authPolicy.size != cvtpm_hash_size((enum cvtpm_hash_alg) public->nameAlg);
}

static bool has_policy_without_name(const struct question *q)
{
	return external(q)->nameAlg == TPM_ALG_NULL && external(q)->authPolicy.size;
}

static bool is_large(const struct question *q)
{
	const TPMS_NV_PUBLIC *public = &q->in.NV_DefineSpace.publicInfo.nvPublic;

	return public->dataSize > (public->attributes & TPMA_NV_WRITEALL ? 1024 : 2048);
}

static bool is_large_and_orderly(const struct question *q)
{
	const TPMS_NV_PUBLIC *public = &q->in.NV_DefineSpace.publicInfo.nvPublic;

	return public->attributes & TPMA_NV_ORDERLY && public->dataSize > 20;
}

static bool reads_much(const struct question *q)
{
	return q->in.NV_Read.size > 1024;
}

static bool writes_much(const struct question *q)
{
	return q->in.NV_Write.data.size > 1024;
}

/* Has an active session of the other type the number of this handle? */
static bool is_of_other_session(const struct question *q, TPM_HANDLE handle)
{
	uint8_t type = HANDLE_TYPE(handle);

	if (type != TPM_HT_HMAC_SESSION && type != TPM_HT_POLICY_SESSION)
		return false;
	for (size_t i = 0; i < MAX_SESSIONS; i++) {
		TPM_HANDLE other = q->w->sessions[i].s[NATIVE].handle;

		if (q->w->sessions[i].in_use && HANDLE_INDEX(other) == HANDLE_INDEX(handle) &&
		    HANDLE_TYPE(other) != type)
			return true;
	}
	return false;
}

/* REFERENCE_Hn here, TPM_RC_HANDLE for the same handle there. */
static bool handle_of_other_session(const struct question *q)
{
	unsigned n = q->native - TPM_RC_REFERENCE_H0;

	return n < command_handles(q->p->command) && q->other == RC_H(n + 1, TPM_RC_HANDLE) &&
	       is_of_other_session(q, q->in.handle[n]);
}

static bool authorised_by_other_session(const struct question *q)
{
	unsigned n = q->native - TPM_RC_REFERENCE_S0;

	return n < q->p->session_count && q->other == RC_S(n + 1, TPM_RC_HANDLE) &&
	       is_of_other_session(q, q->p->sessions[NATIVE][n].handle);
}

static bool is_beyond_three(const struct question *q)
{
	unsigned n = q->native - TPM_RC_REFERENCE_H0;

	return n < command_handles(q->p->command) && q->other == RC_H(n + 1, TPM_RC_VALUE) &&
	       q->in.handle[n] >= TRANSIENT_FIRST + 3 &&
	       HANDLE_TYPE(q->in.handle[n]) == TPM_HT_TRANSIENT;
}

/* The clocks differ since an end that was not orderly, and the new time lies between them. */
static bool is_between_clocks(const struct question *q)
{
	uint64_t a = clock_expected(q->w, NATIVE), b = clock_expected(q->w, OTHER);
	bool less = q->in.ClockSet.newTime < a;

	return less != (q->in.ClockSet.newTime < b) && (q->native != 0) == less;
}

/* Of TPMS_TIME_INFO: Clock is at 8, safe at 24. */
static bool compares_clock(const struct question *q)
{
	size_t from = q->in.PolicyCounterTimer.offset;
	size_t end = from + q->in.PolicyCounterTimer.operandB.size;

	return (from < 16 && end > 8 && q->w->clock[NATIVE] != q->w->clock[OTHER]) ||
	       (end > 24 && safe_may_differ(q->w));
}

static bool has_no_timers(const struct question *q)
{
	return q->in.GetCapability.capability == TPM_CAP_ACT &&
	       HANDLE_TYPE(q->in.GetCapability.property) == TPM_HT_PERMANENT;
}

static bool is_trial(const struct question *q)
{
	for (size_t i = 0; i < MAX_SESSIONS; i++)
		if (q->w->sessions[i].in_use && q->w->sessions[i].type == TPM_SE_TRIAL &&
		    q->w->sessions[i].s[NATIVE].handle == q->in.handle[0])
			return true;
	return false;
}

/* One of the commands that only libtpms has. */
static bool is_other_command(const struct question *q)
{
	TPM_CC code = q->in.PolicyCommandCode.code;

	return code >= 0x11F && code <= 0x193 && !command_find(code);
}

/* A context of an object with stClear that TPM2_Startup(CLEAR) has ended. */
static bool context_has_ended(const struct question *q)
{
	const TPMS_CONTEXT *context = &q->in.ContextLoad.context;

	for (size_t i = 0; i < MAX_CONTEXTS; i++) {
		const struct world_context *c = &q->w->contexts[i];

		if (c->in_use && c->context[NATIVE].sequence == context->sequence &&
		    context->savedHandle == TRANSIENT_FIRST + 2 && c->starts != q->w->starts)
			return true;
	}
	return false;
}

static bool is_of_derivation_parent(const struct question *q)
{
	const struct world_key *parent = key_of(q, 1);

	return parent && parent->kind == KEY_DERIVATION;
}

/* The authority of a command that reads an index is the index itself. */
static bool index_reads_itself(const struct question *q)
{
	static const struct {
		TPM_CC code;
		unsigned handle;
	} reading[] = {{TPM_CC_NV_Read, 0},
		       {TPM_CC_NV_Certify, 1},
		       {TPM_CC_PolicyNV, 0},
		       {TPM_CC_PolicyAuthorizeNV, 0}};

	for (size_t i = 0; i < sizeof reading / sizeof *reading; i++)
		if (reading[i].code == q->p->command->code)
			return HANDLE_TYPE(q->in.handle[reading[i].handle]) == TPM_HT_NV_INDEX &&
			       q->other != SUCCESS;
	return false;
}

/* x509sign in what is no asymmetric key that signs. */
static bool x509sign_is_wrong(TPM_ALG_ID type, uint32_t attributes)
{
	return attributes & TPMA_OBJECT_X509SIGN &&
	       (!(attributes & TPMA_OBJECT_SIGN) || (type != TPM_ALG_RSA && type != TPM_ALG_ECC));
}

static bool has_wrong_x509sign(const struct question *q)
{
	const TPM2B_TEMPLATE *template = &q->in.CreateLoaded.inPublic;
	const TPMT_PUBLIC *area;

	switch (q->p->command->code) {
	case TPM_CC_CreateLoaded:
		return template->size >= 8 &&
		       x509sign_is_wrong((TPM_ALG_ID)number_at(template->buffer, 2),
					 number_at(template->buffer + 4, 4));
	case TPM_CC_Create:
		area = &q->in.Create.inPublic.publicArea;
		break;
	case TPM_CC_CreatePrimary:
		area = &q->in.CreatePrimary.inPublic.publicArea;
		break;
	case TPM_CC_Load:
		area = &q->in.Load.inPublic.publicArea;
		break;
	case TPM_CC_LoadExternal:
		area = external(q);
		break;
	case TPM_CC_Import:
		area = &q->in.Import.objectPublic.publicArea;
		break;
	default:
		return false;
	}
	return x509sign_is_wrong(area->type, area->objectAttributes);
}

/* ---- the rows ---- */

static const struct {
	const char *section; /* of docs/differences.md */
	TPM_CC code;         /* 0: any command */
	tpm_rc native, other;
	bool (*when)(const struct question *q);
} explained[] = {
	{"The size of the authorization area", 0, TPM_RC_AUTHSIZE, TPM_RC_SIZE, size_is_wrong},
	{"A resume with another H-CRTM", TPM_CC_Startup, TPM_RC_LOCALITY, RC_P(1, TPM_RC_VALUE),
	 another_h_crtm},
	{"HMAC is MAC there", TPM_CC_HMAC, RC_P(2, TPM_RC_HASH), RC_P(2, TPM_RC_SYMMETRIC),
	 is_no_hash},
	{"HMAC is MAC there", TPM_CC_HMAC_Start, RC_P(2, TPM_RC_HASH), RC_P(2, TPM_RC_SYMMETRIC),
	 is_no_hash},
	{"HMAC is MAC there", TPM_CC_HMAC, RC_H(1, TPM_RC_TYPE), RC_P(2, TPM_RC_VALUE),
	 is_symmetric},
	{"HMAC is MAC there", TPM_CC_HMAC_Start, RC_H(1, TPM_RC_TYPE), RC_P(2, TPM_RC_VALUE),
	 is_symmetric},
	{"HMAC is MAC there", TPM_CC_HMAC, RC_H(1, TPM_RC_TYPE), RC_P(2, TPM_RC_SCHEME),
	 is_symmetric},
	{"HMAC is MAC there", TPM_CC_HMAC_Start, RC_H(1, TPM_RC_TYPE), RC_P(2, TPM_RC_SCHEME),
	 is_symmetric},
	{"Tags of tickets", 0, ANY, ANY, is_no_tag},
	{"Handles of sessions", 0, ANY, ANY, handle_of_other_session},
	{"Handles of sessions", 0, ANY, ANY, authorised_by_other_session},
	{"Handles of objects", 0, ANY, ANY, is_beyond_three},
	{"The size of a policy", TPM_CC_LoadExternal, RC_P(2, TPM_RC_SIZE), SUCCESS,
	 has_policy_without_name},
	{"The size of a policy", TPM_CC_LoadExternal, RC_P(2, TPM_RC_SIZE), SUCCESS,
	 has_policy_of_another_size},
	{"Indices that were not written", 0, TPM_RC_NV_UNINITIALIZED, ANY, index_reads_itself},
	{"Keys for certificates", 0, RC_P(2, TPM_RC_ATTRIBUTES), ANY, has_wrong_x509sign},
	{"What is no sequence", TPM_CC_SequenceUpdate, RC_H(1, TPM_RC_MODE), RC_P(1, TPM_RC_MODE),
	 is_no_sequence},
	{"Which error comes first", TPM_CC_StartAuthSession, RC_H(1, TPM_RC_ATTRIBUTES),
	 RC_P(2, TPM_RC_VALUE), salt_is_missing},
	{"Which error comes first", TPM_CC_StartAuthSession, RC_H(1, TPM_RC_KEY),
	 RC_P(2, TPM_RC_VALUE), salt_is_missing},
	{"Which error comes first", TPM_CC_StartAuthSession, RC_H(1, TPM_RC_HANDLE),
	 RC_P(2, TPM_RC_VALUE), salt_is_missing},
	{"Which error comes first", TPM_CC_StartAuthSession, RC_P(4, TPM_RC_MODE),
	 RC_H(2, TPM_RC_HANDLE), bind_is_wrong_too},
	{"Which error comes first", TPM_CC_StartAuthSession, RC_H(2, TPM_RC_HANDLE),
	 RC_H(1, TPM_RC_KEY), bind_is_wrong_too},
	{"Commands", TPM_CC_PolicyCommandCode, RC_P(1, TPM_RC_POLICY_CC), SUCCESS,
	 is_other_command},
	{"Contexts that TPM2_Clear revives", TPM_CC_ContextLoad, RC_P(1, TPM_RC_INTEGRITY), SUCCESS,
	 context_has_ended},
	{"Timers", TPM_CC_GetCapability, SUCCESS, RC_P(2, TPM_RC_VALUE), has_no_timers},
	{"Which error comes first", 0, TPM_RC_AUTH_UNAVAILABLE, TPM_RC_AUTH_TYPE, uses_public_only},
	{"Which error comes first", 0, TPM_RC_AUTH_UNAVAILABLE, TPM_RC_LOCKOUT, uses_public_only},
	{"Which error comes first", TPM_CC_PolicyTemplate, TPM_RC_CPHASH, RC_P(1, TPM_RC_VALUE),
	 is_trial},
	{"Children of a Derivation Parent", TPM_CC_ObjectChangeAuth, RC_H(2, TPM_RC_TYPE), SUCCESS,
	 is_of_derivation_parent},
	{"The mode of what protects", TPM_CC_CreatePrimary, RC_P(2, TPM_RC_MODE), ANY,
	 has_other_mode},
	{"The mode of what protects", TPM_CC_Create, RC_P(2, TPM_RC_MODE), ANY, has_other_mode},
	{"The mode of what protects", TPM_CC_CreateLoaded, RC_P(2, TPM_RC_MODE), ANY,
	 has_other_mode},
	{"The mode of what protects", TPM_CC_LoadExternal, RC_P(2, TPM_RC_MODE), ANY,
	 has_other_mode},
	{"The mode of what protects", TPM_CC_Import, RC_P(5, TPM_RC_MODE), ANY, has_other_mode},
	{"The mode of what protects", TPM_CC_Duplicate, RC_P(2, TPM_RC_MODE), ANY, has_other_mode},
	{"The mode of what protects", TPM_CC_TestParms, RC_P(1, TPM_RC_MODE), ANY, has_other_mode},
	{"Algorithms", 0, ANY, ANY, is_here_alone},
	{"Algorithms", 0, ANY, ANY, is_other_curve},
	{"Algorithms", 0, ANY, ANY, has_other_algorithm},
	{"Algorithms", TPM_CC_IncrementalSelfTest, RC_P(1, TPM_RC_VALUE), SUCCESS,
	 tests_other_algorithm},
	{"RSA exponents", TPM_CC_LoadExternal, RC_P(2, TPM_RC_VALUE), SUCCESS,
	 external_exponent_is_refused},
	{"RSA exponents", TPM_CC_LoadExternal, RC_P(2, TPM_RC_VALUE), TPM_RC_BINDING,
	 external_exponent_is_refused},
	{"RSA exponents", TPM_CC_Import, RC_P(2, TPM_RC_VALUE), SUCCESS,
	 imported_exponent_is_refused},
	{"The halves of an RSA key", TPM_CC_Import, TPM_RC_BINDING, SUCCESS, is_spoilt_rsa},
	{"Names", 0, ANY, ANY, name_is_long},
	{"Room", TPM_CC_NV_DefineSpace, ANY, RC_P(2, TPM_RC_SIZE), is_large},
	{"Room", TPM_CC_NV_DefineSpace, SUCCESS, TPM_RC_NV_SPACE, is_large_and_orderly},
	{"Room", 0, ANY, TPM_RC_OBJECT_MEMORY, uses_more_objects},
	{"Room", TPM_CC_StartAuthSession, RC_P(2, TPM_RC_INSUFFICIENT), RC_P(2, TPM_RC_SIZE),
	 salt_is_long},
	{"Room", TPM_CC_NV_Read, TPM_RC_NV_RANGE, RC_P(1, TPM_RC_VALUE), reads_much},
	{"Room", TPM_CC_NV_Read, RC_P(2, TPM_RC_VALUE), RC_P(1, TPM_RC_VALUE), reads_much},
	{"Room", TPM_CC_NV_Write, RC_P(1, TPM_RC_INSUFFICIENT), RC_P(1, TPM_RC_SIZE), writes_much},
	{"Room", TPM_CC_NV_Write, RC_P(2, TPM_RC_INSUFFICIENT), RC_P(1, TPM_RC_SIZE), writes_much},
	{"What clocks show", TPM_CC_ClockSet, RC_P(1, TPM_RC_VALUE), SUCCESS, is_between_clocks},
	{"What clocks show", TPM_CC_ClockSet, SUCCESS, RC_P(1, TPM_RC_VALUE), is_between_clocks},
	{"What clocks show", TPM_CC_PolicyCounterTimer, TPM_RC_POLICY, SUCCESS, compares_clock},
	{"What clocks show", TPM_CC_PolicyCounterTimer, SUCCESS, TPM_RC_POLICY, compares_clock},
	{"Signed comparisons", TPM_CC_PolicyNV, TPM_RC_POLICY, SUCCESS, index_is_signed},
	{"Signed comparisons", TPM_CC_PolicyNV, SUCCESS, TPM_RC_POLICY, index_is_signed},
	{"Signed comparisons", TPM_CC_PolicyCounterTimer, TPM_RC_POLICY, SUCCESS,
	 counter_is_signed},
	{"Signed comparisons", TPM_CC_PolicyCounterTimer, SUCCESS, TPM_RC_POLICY,
	 counter_is_signed},
	{"The authValue of a PIN index in a policy", 0, TPM_RC_AUTH_UNAVAILABLE, ANY,
	 is_pin_in_policy},
	{"Where libtpms fails", 0, TPM_RC_AUTH_UNAVAILABLE, TPM_RC_FAILURE, uses_public_only},
	{"Where libtpms fails", TPM_CC_RSA_Encrypt, TPM_RC_VALUE, TPM_RC_FAILURE,
	 message_is_too_great},
	{"Where libtpms fails", TPM_CC_RSA_Encrypt, TPM_RC_VALUE, TPM_RC_FAILURE,
	 message_is_too_long},
	{"Where libtpms fails", TPM_CC_RSA_Decrypt, TPM_RC_VALUE, TPM_RC_FAILURE,
	 cipher_text_is_too_great},
	{"Where libtpms fails", TPM_CC_RSA_Decrypt, TPM_RC_VALUE, TPM_RC_FAILURE, padding_is_wrong},
	{"Where libtpms fails", TPM_CC_RSA_Decrypt, TPM_RC_VALUE, SUCCESS, padding_is_ignored},
};

#define ROWS (sizeof explained / sizeof *explained)
_Static_assert(ROWS <= MAX_EXPLAINED, "room for a count of each row");

bool difference_is_explained(struct world *w, const struct pair *p, tpm_rc native, tpm_rc other)
{
	struct question q = {w, p, native, other, {{0}}};

	read_command(&q);
	for (size_t i = 0; i < ROWS; i++)
		if ((explained[i].code == 0 || explained[i].code == p->command->code) &&
		    (explained[i].native == ANY || explained[i].native == native) &&
		    (explained[i].other == ANY || explained[i].other == other) &&
		    explained[i].when(&q)) {
			w->explained[i]++;
			return true;
		}
	return false;
}

void tell_explained(const struct world *w)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct command *c = command_find(explained[i].code);

		printf("#   %7lu %s: %s\n", w->explained[i], c ? c->name : "any command",
		       explained[i].section);
	}
}
