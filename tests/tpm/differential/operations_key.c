/* Chapters 14 and 20: keys used. What one TPM signs or encrypts, the other takes. */
#include "world.h"

/* Each TPM gets the public area of the other's key, and its signature. */
static void verify_crossed(struct world *w, const struct world_key *key,
			   const TPM2B_DIGEST digest[SIDES], const TPMT_SIGNATURE signature[SIDES])
{
	TPM_HANDLE handle[SIDES];
	TPM_ALG_ID type = key->public[NATIVE].type;

	if (type != TPM_ALG_ECC && type != TPM_ALG_RSA)
		return;
	if (!room_for_key(w) || w->differs)
		return;
	{
		BEGIN(w, LoadExternal);
		struct LoadExternal_in *other;

		p.no_faults = p.no_extra = p.unlike = true;
		in->inPublic.publicArea = key->public[OTHER];
		in->hierarchy = TPM_RH_OWNER;
		other = pair_split(&p);
		other->inPublic.publicArea = key->public[NATIVE];
		if (pair_run(w, &p))
			return;
		EACH_SIDE (s)
			handle[s] = out[s]->handle;
	}
	w->guests = 1;
	{
		BEGIN(w, VerifySignature);
		struct VerifySignature_in *other = pair_split(&p);

		p.no_faults = p.no_extra = true;
		EACH_SIDE (s)
			p.entity[0].handle[s] = handle[s];
		in->digest = digest[OTHER];
		other->digest = digest[NATIVE];
		in->signature = signature[OTHER];
		other->signature = signature[NATIVE];
		p.entity[0].name[NATIVE] = key->e.name[OTHER];
		p.entity[0].name[OTHER] = key->e.name[NATIVE];
		if (pair_run(w, &p) && !w->differs)
			differ(w, "VerifySignature: both refuse each other's signatures");
	}
	w->guests = 0;
	struct world_key loaded = {.kind = KEY_SIGN, .e.handle = {handle[NATIVE], handle[OTHER]}};

	key_flush(w, &loaded);
}

static bool is_deterministic(const struct world_key *key, const TPMT_SIGNATURE *signature)
{
	return signature->sigAlg == TPM_ALG_RSASSA ||
	       (signature->sigAlg == TPM_ALG_HMAC && key->data.size);
}

TPMT_SIG_SCHEME anonymous_scheme(struct world *w, const struct world_key *key)
{
	TPMT_SIG_SCHEME scheme = {.scheme = TPM_ALG_ECDAA};

	scheme.details.ecdaa.hashAlg = scheme_hash(key, TPM_ALG_SHA256);
	scheme.details.ecdaa.count = pick_number(w);
	return scheme;
}

static TPMT_SIG_SCHEME pick_scheme(struct world *w, const struct world_key *key)
{
	TPMT_SIG_SCHEME scheme = {.scheme = TPM_ALG_NULL};
	TPM_ALG_ID type = key->public[NATIVE].type;

	if (chance(w, key->kind == KEY_ANONYMOUS ? 90 : 2))
		return anonymous_scheme(w, key);
	if (chance(w, 55))
		return scheme;
	scheme.scheme = type == TPM_ALG_ECC ? TPM_ALG_ECDSA
			: type == TPM_ALG_KEYEDHASH
				? TPM_ALG_HMAC
				: (TPM_ALG_ID)PICK(w, TPM_ALG_RSASSA, TPM_ALG_RSAPSS);
	if (chance(w, 5))
		scheme.scheme = (TPM_ALG_ID)PICK(w, TPM_ALG_RSASSA, TPM_ALG_ECDSA, TPM_ALG_HMAC);
	scheme.details.any.hashAlg =
		(TPM_ALG_ID)PICK(w, TPM_ALG_SHA256, TPM_ALG_SHA256, TPM_ALG_SHA1, TPM_ALG_SHA384);
	return scheme;
}

/* A digest with its ticket, which restricted keys want. */
static bool hashed(struct world *w, TPM_ALG_ID alg, struct pair *made)
{
	BEGIN(w, Hash);

	in->data.size = 20;
	pick_bytes(w, in->data.buffer, 20);
	in->hashAlg = alg;
	in->hierarchy = pick_hierarchy(w);
	if (pair_run(w, &p))
		return false;
	*made = p;
	return true;
}

static void sign(struct world *w)
{
	struct world_key *key = pick_key(w, chance(w, 95) ? ANY_SIGNING : ANY_KEY);
	TPM_ALG_ID alg;
	struct pair made;
	BEGIN(w, Sign);
	struct Sign_in *other;

	if (!key)
		return;
	in->inScheme = pick_scheme(w, key);
	alg = in->inScheme.scheme != TPM_ALG_NULL ? in->inScheme.details.any.hashAlg
	      : key->public[NATIVE].type == TPM_ALG_KEYEDHASH
		      ? key->public[NATIVE].parameters.keyedHashDetail.scheme.details.hmac.hashAlg
	      : key->public[NATIVE].type == TPM_ALG_ECC
		      ? key->public[NATIVE].parameters.eccDetail.scheme.details.any.hashAlg
		      : TPM_ALG_SHA256;
	if (alg == 0 || alg == TPM_ALG_NULL)
		alg = TPM_ALG_SHA256;
	use_key(&p, 0, key);
	in->validation.tag = TPM_ST_HASHCHECK;
	in->validation.hierarchy = TPM_RH_NULL;
	if (key->public[NATIVE].objectAttributes & TPMA_OBJECT_RESTRICTED || chance(w, 20)) {
		if (!hashed(w, alg, &made))
			return;
		in->digest = made.out[NATIVE].Hash.outHash;
		other = pair_split(&p);
		in->validation = made.out[NATIVE].Hash.validation;
		other->validation = made.out[OTHER].Hash.validation;
	} else {
		in->digest.size = (uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)alg);
		if (chance(w, 3))
			in->digest.size--;
		pick_bytes(w, in->digest.buffer, in->digest.size);
	}
	if (pair_run(w, &p))
		return;
	{
		const TPMT_SIGNATURE *a = &out[NATIVE]->signature, *b = &out[OTHER]->signature;

		if (key->same && is_deterministic(key, a))
			compare_value(w, "Sign: signature", &type_TPMT_SIGNATURE, a, b, true);
		if (!w->differs && a->sigAlg != TPM_ALG_ECDAA && chance(w, 50))
			verify_crossed(w, key, (const TPM2B_DIGEST[]){in->digest, in->digest},
				       (const TPMT_SIGNATURE[]){*a, *b});
	}
}

TPM_ALG_ID scheme_hash(const struct world_key *key, TPM_ALG_ID otherwise)
{
	const TPMT_PUBLIC *public = &key->public[NATIVE];

	if (public->type == TPM_ALG_KEYEDHASH)
		return public->parameters.keyedHashDetail.scheme.details.hmac.hashAlg;
	return public->parameters.asymDetail.scheme.scheme == TPM_ALG_NULL
		       ? otherwise
		       : public->parameters.asymDetail.scheme.details.any.hashAlg;
}

bool sign_digests(struct world *w, struct world_key *key, TPM_ALG_ID alg,
		  const TPM2B_DIGEST digest[SIDES], TPMT_SIGNATURE signature[SIDES])
{
	TPM_ALG_ID type = key->public[NATIVE].type;
	BEGIN(w, Sign);
	struct Sign_in *other;

	use_key(&p, 0, key);
	p.no_faults = true;
	in->inScheme.scheme = type == TPM_ALG_ECC   ? TPM_ALG_ECDSA
			      : type == TPM_ALG_RSA ? TPM_ALG_RSASSA
						    : TPM_ALG_HMAC;
	in->inScheme.details.any.hashAlg = scheme_hash(key, alg);
	in->validation.tag = TPM_ST_HASHCHECK;
	in->validation.hierarchy = TPM_RH_NULL;
	other = pair_split(&p);
	in->digest = digest[NATIVE];
	other->digest = digest[OTHER];
	if (pair_run(w, &p))
		return false;
	EACH_SIDE (s)
		signature[s] = out[s]->signature;
	return true;
}

static void verify_wrong(struct world *w)
{
	struct world_key *key = pick_key(w, ANY_SIGNING);
	BEGIN(w, VerifySignature);
	TPMT_SIGNATURE *s = &in->signature;

	if (!key)
		return;
	use_key(&p, 0, key);
	in->digest.size = 32;
	s->sigAlg = (TPM_ALG_ID)PICK(w, TPM_ALG_ECDSA, TPM_ALG_ECDSA, TPM_ALG_ECDAA, TPM_ALG_HMAC,
				     TPM_ALG_RSASSA, TPM_ALG_RSAPSS);
	s->signature.any.hashAlg = TPM_ALG_SHA256;
	if (s->sigAlg == TPM_ALG_ECDSA || s->sigAlg == TPM_ALG_ECDAA) {
		s->signature.ecdsa.signatureR.size = s->signature.ecdsa.signatureS.size =
			(uint16_t)PICK(w, 32, 48, 31, 1);
		pick_bytes(w, s->signature.ecdsa.signatureR.buffer, 48);
		pick_bytes(w, s->signature.ecdsa.signatureS.buffer, 48);
	} else if (s->sigAlg != TPM_ALG_HMAC) {
		s->signature.rsassa.sig.size = (uint16_t)PICK(w, 256, 255, 1);
		pick_bytes(w, s->signature.rsassa.sig.buffer, 256);
	}
	pair_run(w, &p);
}

static void ecdh_keygen(struct world *w)
{
	struct world_key *key = pick_key(w, chance(w, 90) ? KIND(KEY_DECRYPT) : ANY_KEY);
	struct pair made;

	if (!key)
		return;
	{
		BEGIN(w, ECDH_KeyGen);

		use_key(&p, 0, key);
		if (pair_run(w, &p))
			return;
		made = p;
	}
	BEGIN(w, ECDH_ZGen);
	struct ECDH_ZGen_in *other;

	use_key(&p, 0, key);
	p.unlike = true;
	other = pair_split(&p);
	in->inPoint.point = made.out[NATIVE].ECDH_KeyGen.pubPoint.point;
	other->inPoint.point = made.out[OTHER].ECDH_KeyGen.pubPoint.point;
	if (pair_run(w, &p))
		return;
	EACH_SIDE (s)
		compare_value(w, "ECDH_ZGen: not the point of ECDH_KeyGen", &type_TPMS_ECC_POINT,
			      &made.out[s].ECDH_KeyGen.zPoint.point, &out[s]->outPoint.point, true);
}

static void ecdh_zgen(struct world *w)
{
	struct world_key *key = pick_key(w, chance(w, 90) ? KIND(KEY_DECRYPT) : ANY_KEY);
	struct cvtpm_ecc_key point = {.public.curve = CVTPM_P256};
	size_t size;
	BEGIN(w, ECDH_ZGen);

	if (!key)
		return;
	use_key(&p, 0, key);
	p.unlike = !key->same;
	if (key->public[NATIVE].type == TPM_ALG_ECC && chance(w, 95))
		point.public.curve =
			(enum cvtpm_curve)key->public[NATIVE].parameters.eccDetail.curveID;
	size = cvtpm_curve_size(point.public.curve);
	pick_bytes(w, point.d + 1, size - 1);
	assert_int_equal(cvtpm_ecc_make_public(&point), 0);
	if (chance(w, 5))
		point.public.y[5] ^= 1;
	in->inPoint.point.x.size = in->inPoint.point.y.size = (uint16_t)size;
	memcpy(in->inPoint.point.x.buffer, point.public.x, size);
	memcpy(in->inPoint.point.y.buffer, point.public.y, size);
	pair_run(w, &p);
}

static void ecc_parameters(struct world *w)
{
	BEGIN(w, ECC_Parameters);

	in->curveID =
		(TPMI_ECC_CURVE)PICK(w, TPM_ECC_NIST_P256, TPM_ECC_NIST_P384, TPM_ECC_NIST_P521);
	pair_run(w, &p);
}

static void rsa(struct world *w)
{
	struct world_key *key = pick_key(w, chance(w, 95) ? KIND(KEY_RSA_DECRYPT) : ANY_KEY);
	struct pair made;
	bool crossed;

	if (!key)
		return;
	{
		BEGIN(w, RSA_Encrypt);

		use_key(&p, 0, key);
		in->message.size = (uint16_t)PICK(w, 0, 1, 20, 100, 200, 245, 256);
		pick_bytes(w, in->message.buffer, in->message.size);
		in->inScheme.scheme = (TPM_ALG_ID)PICK(w, TPM_ALG_NULL, TPM_ALG_NULL, TPM_ALG_RSAES,
						       TPM_ALG_OAEP);
		in->inScheme.details.oaep.hashAlg = TPM_ALG_SHA256;
		if (chance(w, 30)) {
			in->label.size = 6;
			memcpy(in->label.buffer, "label", 6);
			if (chance(w, 10))
				in->label.buffer[5] = 'x';
		}
		if (pair_run(w, &p))
			return;
		made = p;
	}
	crossed = key->same; /* each decrypts what the other encrypted */
	BEGIN(w, RSA_Decrypt);
	struct RSA_Decrypt_in *other;

	use_key(&p, 0, key);
	in->inScheme = made.in[NATIVE].RSA_Encrypt.inScheme;
	in->label = made.in[NATIVE].RSA_Encrypt.label;
	other = pair_split(&p);
	in->cipherText = made.out[crossed ? OTHER : NATIVE].RSA_Encrypt.outData;
	other->cipherText = made.out[crossed ? NATIVE : OTHER].RSA_Encrypt.outData;
	if (chance(w, 5)) {
		p.spoilt = true;
		in->cipherText.buffer[9] ^= 1;
		other->cipherText = in->cipherText;
	}
	pair_run(w, &p);
}

/* ---- 15.2, 15.3: data in one or two parts, there and back ---- */

static TPM_ALG_ID own_mode(const struct world_key *key)
{
	return key->public[NATIVE].type == TPM_ALG_SYMCIPHER
		       ? key->public[NATIVE].parameters.symDetail.sym.mode.aes
		       : TPM_ALG_NULL;
}

static TPM_ALG_ID pick_mode(struct world *w, const struct world_key *key)
{
	TPM_ALG_ID own = own_mode(key);

	if (own != TPM_ALG_NULL && chance(w, 92))
		return chance(w, 50) ? own : TPM_ALG_NULL;
	return (TPM_ALG_ID)PICK(w, TPM_ALG_CTR, TPM_ALG_OFB, TPM_ALG_CBC, TPM_ALG_CFB, TPM_ALG_ECB,
				TPM_ALG_NULL);
}

/* What both have, by either command. */
struct ciphered {
	struct EncryptDecrypt2_in in[SIDES];
	struct EncryptDecrypt2_out out[SIDES];
};

static tpm_rc run_first(struct world *w, const struct world_key *key, struct ciphered *c,
			bool unlike)
{
	BEGIN(w, EncryptDecrypt);
	struct EncryptDecrypt_in *to[SIDES] = {in, pair_split(&p)};
	tpm_rc rc;

	use_key(&p, 0, key);
	p.unlike = unlike;
	EACH_SIDE (s) {
		to[s]->decrypt = c->in[s].decrypt;
		to[s]->mode = c->in[s].mode;
		to[s]->ivIn = c->in[s].ivIn;
		to[s]->inData = c->in[s].inData;
	}
	rc = pair_run(w, &p);
	EACH_SIDE (s) {
		c->out[s].outData = out[s]->outData;
		c->out[s].ivOut = out[s]->ivOut;
	}
	return rc;
}

static tpm_rc run_second(struct world *w, const struct world_key *key, struct ciphered *c,
			 bool unlike)
{
	BEGIN(w, EncryptDecrypt2);
	struct EncryptDecrypt2_in *other = pair_split(&p);
	tpm_rc rc;

	use_key(&p, 0, key);
	p.unlike = unlike;
	*in = c->in[NATIVE];
	*other = c->in[OTHER];
	rc = pair_run(w, &p);
	EACH_SIDE (s)
		c->out[s] = *out[s];
	return rc;
}

static bool same(const void *a, const void *b, size_t a_len, size_t b_len)
{
	return a_len == b_len && memcmp(a, b, a_len) == 0;
}

/* After a part of a block of CFB ivOut is what each makes of it. */
static void compare_iv(struct world *w, const struct world_key *key, const struct ciphered *c,
		       bool unlike)
{
	TPM_ALG_ID mode = own_mode(key) == TPM_ALG_NULL ? c->in->mode : own_mode(key);
	bool part = mode == TPM_ALG_CFB && c->in->inData.size % 16;

	compare_value(w, "EncryptDecrypt: ivOut", &type_TPM2B_IV, &c->out[NATIVE].ivOut,
		      &c->out[OTHER].ivOut, !unlike && !part);
}

static tpm_rc run_cipher(struct world *w, const struct world_key *key, struct ciphered *c)
{
	const struct EncryptDecrypt2_in *a = &c->in[NATIVE], *b = &c->in[OTHER];
	bool unlike = !key->same ||
		      !same(a->inData.buffer, b->inData.buffer, a->inData.size, b->inData.size) ||
		      !same(a->ivIn.buffer, b->ivIn.buffer, a->ivIn.size, b->ivIn.size);
	tpm_rc rc = (chance(w, 50) ? run_first : run_second)(w, key, c, unlike);

	if (!rc)
		compare_iv(w, key, c, unlike);
	return rc;
}

static void fill_cipher(struct world *w, const struct world_key *key, struct EncryptDecrypt2_in *in)
{
	memset(in, 0, sizeof *in);
	in->decrypt = chance(w, 30);
	in->mode = pick_mode(w, key);
	in->ivIn.size = in->mode == TPM_ALG_ECB ||
					(in->mode == TPM_ALG_NULL && own_mode(key) == TPM_ALG_ECB)
				? 0
				: 16;
	if (chance(w, 4))
		in->ivIn.size = (uint16_t)pick(w, 17);
	pick_bytes(w, in->ivIn.buffer, in->ivIn.size);
	if (in->ivIn.size && chance(w, 20)) /* about to overflow */
		memset(in->ivIn.buffer + 1, 0xFF, in->ivIn.size - 1u);
	in->inData.size =
		(uint16_t)(chance(w, 30) ? pick(w, 200) : 16 * PICK(w, 0, 1, 2, 3, 7, 8, 9, 64));
	pick_bytes(w, in->inData.buffer, in->inData.size);
}

static void encrypt_decrypt(struct world *w)
{
	struct world_key *key = chance(w, 95) ? a_cipher(w) : pick_key(w, ANY_KEY);
	static struct ciphered made, back;

	if (!key)
		return;
	fill_cipher(w, key, &made.in[NATIVE]);
	made.in[OTHER] = made.in[NATIVE];
	if (run_cipher(w, key, &made))
		return;
	EACH_SIDE (s) {
		back.in[s] = made.in[s];
		back.in[s].decrypt = !made.in[s].decrypt;
		back.in[s].inData = made.out[s].outData;
	}
	if (!w->differs && chance(w, 50) && run_cipher(w, key, &back) == 0)
		EACH_SIDE (s)
			compare_value(w, "EncryptDecrypt: not what it was", &type_TPM2B_MAX_BUFFER,
				      &made.in[s].inData, &back.out[s].outData, true);
	EACH_SIDE (s) /* and on */
		made.in[s].ivIn = made.out[s].ivOut;
	if (!w->differs && !w->diverged && chance(w, 50))
		run_cipher(w, key, &made);
}

const struct operation operations_key[] = {
	{"encrypt-decrypt", 24, encrypt_decrypt},
	{"sign", 30, sign},
	{"verify-wrong", 4, verify_wrong},
	{"ecdh-keygen", 6, ecdh_keygen},
	{"ecdh-zgen", 6, ecdh_zgen},
	{"ecc-parameters", 1, ecc_parameters},
	{"rsa", 20, rsa},
	{NULL, 0, NULL},
};
