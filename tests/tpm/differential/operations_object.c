/* Chapters 12, 13 and 24.1: objects made, loaded, moved, given other authValues. */
#include "world.h"

#include "../keys.h"

/* ---- templates ---- */

static void no_schemes(TPMT_PUBLIC *t)
{
	if (t->type == TPM_ALG_ECC) {
		TPMS_ECC_PARMS *e = &t->parameters.eccDetail;

		e->symmetric.algorithm = e->scheme.scheme = e->kdf.scheme = TPM_ALG_NULL;
	} else if (t->type == TPM_ALG_RSA) {
		t->parameters.rsaDetail.symmetric.algorithm = TPM_ALG_NULL;
		t->parameters.rsaDetail.scheme.scheme = TPM_ALG_NULL;
		t->parameters.rsaDetail.keyBits = 2048;
	} else if (t->type == TPM_ALG_KEYEDHASH) {
		t->parameters.keyedHashDetail.scheme.scheme = TPM_ALG_NULL;
	}
}

/* Of a parent: CFB, but for mistakes. */
static TPM_ALG_ID pick_parent_mode(struct world *w)
{
	if (chance(w, 90))
		return TPM_ALG_CFB;
	return (TPM_ALG_ID)PICK(w, TPM_ALG_NULL, TPM_ALG_NULL, TPM_ALG_CBC, TPM_ALG_CTR,
				TPM_ALG_OFB, TPM_ALG_ECB);
}

static void set_cipher(struct world *w, TPMT_PUBLIC *t)
{
	t->parameters.symDetail.sym = (TPMT_SYM_DEF_OBJECT){
		TPM_ALG_AES,
		{.aes = (uint16_t)PICK(w, 128, 256)},
		{(TPM_ALG_ID)PICK(w, TPM_ALG_CTR, TPM_ALG_OFB, TPM_ALG_CBC, TPM_ALG_CFB,
				  TPM_ALG_ECB, TPM_ALG_NULL, TPM_ALG_NULL)}};
	t->objectAttributes |= PICK(
		w, TPMA_OBJECT_SIGN, TPMA_OBJECT_DECRYPT, TPMA_OBJECT_SIGN | TPMA_OBJECT_RESTRICTED,
		TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT, TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT,
		TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT, TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT);
}

static void set_ecc(struct world *w, enum key_kind kind, TPMT_PUBLIC *t)
{
	TPMS_ECC_PARMS *e = &t->parameters.eccDetail;

	e->curveID = (TPMI_ECC_CURVE)PICK(w, TPM_ECC_NIST_P256, TPM_ECC_NIST_P256,
					  TPM_ECC_NIST_P256, TPM_ECC_NIST_P384);
	if (kind == KEY_STORAGE) {
		e->symmetric = (TPMT_SYM_DEF_OBJECT){
			TPM_ALG_AES, {.aes = (uint16_t)PICK(w, 128, 256)}, {pick_parent_mode(w)}};
	} else if (kind == KEY_ATTEST || (kind == KEY_SIGN && chance(w, 50))) {
		e->scheme.scheme = TPM_ALG_ECDSA;
		e->scheme.details.ecdsa.hashAlg =
			(TPM_ALG_ID)PICK(w, TPM_ALG_SHA256, TPM_ALG_SHA384, TPM_ALG_SHA1);
	} else if (kind == KEY_ANONYMOUS) {
		e->scheme.scheme = TPM_ALG_ECDAA;
		e->scheme.details.ecdaa.hashAlg = (TPM_ALG_ID)PICK(w, TPM_ALG_SHA256, TPM_ALG_SHA1);
		e->scheme.details.ecdaa.count = (uint16_t)pick(w, 3);
		if (chance(w, 50))
			t->objectAttributes |= TPMA_OBJECT_RESTRICTED;
	} else if (kind == KEY_DECRYPT && chance(w, 30)) {
		e->scheme.scheme = TPM_ALG_ECDH;
		e->scheme.details.ecdh.hashAlg = TPM_ALG_SHA256;
	}
}

static TPMT_PUBLIC template(struct world *w, enum key_kind kind)
{
	static const struct {
		TPM_ALG_ID type;
		TPMA_OBJECT attributes;
	} by_kind[KEY_KINDS] = {
		[KEY_STORAGE] = {TPM_ALG_ECC, TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT},
		[KEY_SYM_STORAGE] = {TPM_ALG_SYMCIPHER,
				     TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT},
		[KEY_DERIVATION] = {TPM_ALG_KEYEDHASH,
				    TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT},
		[KEY_SIGN] = {TPM_ALG_ECC, TPMA_OBJECT_SIGN},
		[KEY_ATTEST] = {TPM_ALG_ECC, TPMA_OBJECT_SIGN | TPMA_OBJECT_RESTRICTED},
		[KEY_ANONYMOUS] = {TPM_ALG_ECC, TPMA_OBJECT_SIGN},
		[KEY_DECRYPT] = {TPM_ALG_ECC, TPMA_OBJECT_DECRYPT},
		[KEY_RSA_SIGN] = {TPM_ALG_RSA, TPMA_OBJECT_SIGN},
		[KEY_RSA_DECRYPT] = {TPM_ALG_RSA, TPMA_OBJECT_DECRYPT},
		[KEY_HMAC] = {TPM_ALG_KEYEDHASH, TPMA_OBJECT_SIGN},
		[KEY_SEALED] = {TPM_ALG_KEYEDHASH, 0},
		[KEY_CIPHER] = {TPM_ALG_SYMCIPHER, 0},
	};
	TPMT_PUBLIC t = {.type = by_kind[kind].type,
			 .nameAlg = pick_hash(w),
			 .objectAttributes = by_kind[kind].attributes};

	no_schemes(&t);
	t.objectAttributes |= chance(w, 85) ? TPMA_OBJECT_USERWITHAUTH : 0;
	t.objectAttributes |= chance(w, 40) ? TPMA_OBJECT_ADMINWITHPOLICY : 0;
	t.objectAttributes |= chance(w, 60) ? TPMA_OBJECT_NODA : 0;
	t.objectAttributes |= chance(w, 10) ? TPMA_OBJECT_STCLEAR : 0;
	t.objectAttributes |= chance(w, 50)   ? TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT
			      : chance(w, 30) ? TPMA_OBJECT_FIXEDPARENT
					      : 0;
	if (!(t.objectAttributes & TPMA_OBJECT_FIXEDTPM) && chance(w, 10))
		t.objectAttributes |= TPMA_OBJECT_ENCRYPTEDDUPLICATION;
	if (!(t.objectAttributes & TPMA_OBJECT_USERWITHAUTH) ||
	    !(t.objectAttributes & TPMA_OBJECT_FIXEDPARENT) || chance(w, 40))
		t.authPolicy = policy_common(t.nameAlg);
	if (t.type == TPM_ALG_ECC)
		set_ecc(w, kind, &t);
	else if (kind == KEY_SYM_STORAGE)
		t.parameters.symDetail.sym =
			(TPMT_SYM_DEF_OBJECT){TPM_ALG_AES, {.aes = 128}, {pick_parent_mode(w)}};
	else if (kind == KEY_CIPHER)
		set_cipher(w, &t);
	else if (kind == KEY_HMAC) {
		t.parameters.keyedHashDetail.scheme.scheme = TPM_ALG_HMAC;
		t.parameters.keyedHashDetail.scheme.details.hmac.hashAlg = pick_hash(w);
	} else if (kind == KEY_DERIVATION) {
		t.parameters.keyedHashDetail.scheme.scheme = TPM_ALG_XOR;
		t.parameters.keyedHashDetail.scheme.details.exclusiveOr =
			(TPMS_SCHEME_XOR){pick_hash(w), TPM_ALG_KDF1_SP800_108};
	} else if (kind == KEY_RSA_SIGN && chance(w, 50)) {
		t.parameters.rsaDetail.scheme.scheme = TPM_ALG_RSASSA;
		t.parameters.rsaDetail.scheme.details.rsassa.hashAlg = TPM_ALG_SHA256;
	} else if (kind == KEY_RSA_DECRYPT && chance(w, 50)) {
		t.parameters.rsaDetail.scheme.scheme = TPM_ALG_OAEP;
		t.parameters.rsaDetail.scheme.details.oaep.hashAlg = TPM_ALG_SHA256;
	}
	return t;
}

static enum key_kind pick_kind(struct world *w)
{
	return (enum key_kind)PICK(w, KEY_STORAGE, KEY_STORAGE, KEY_STORAGE, KEY_SYM_STORAGE,
				   KEY_DERIVATION, KEY_SIGN, KEY_SIGN, KEY_ATTEST, KEY_ANONYMOUS,
				   KEY_DECRYPT, KEY_HMAC, KEY_HMAC, KEY_SEALED, KEY_SEALED,
				   KEY_CIPHER, KEY_CIPHER);
}

/* The sensitive part as the caller gives it, and what the template must say of that. */
static void fill_sensitive(struct world *w, enum key_kind kind, TPMT_PUBLIC *t,
			   TPM2B_SENSITIVE_CREATE *s)
{
	bool given = kind == KEY_SEALED ||
		     ((kind == KEY_HMAC || kind == KEY_DERIVATION) && chance(w, 60)) ||
		     ((kind == KEY_SYM_STORAGE || kind == KEY_CIPHER) && chance(w, 40));

	s->size = 4;
	s->sensitive.userAuth = pick_auth(w);
	if (given) {
		s->sensitive.data.size = t->type == TPM_ALG_SYMCIPHER
						 ? t->parameters.symDetail.sym.keyBits.aes / 8
						 : (uint16_t)(1 + pick(w, 60));
		pick_bytes(w, s->sensitive.data.buffer, s->sensitive.data.size);
	}
	if (!given != chance(w, 2))
		t->objectAttributes |= TPMA_OBJECT_SENSITIVEDATAORIGIN;
}

static void set_made(struct world *w, struct world_key *key, enum key_kind kind,
		     const TPM2B_SENSITIVE_CREATE *s, const struct world_key *parent)
{
	(void)w;
	memset(key, 0, sizeof *key);
	key->kind = kind;
	key->e.auth = s->sensitive.userAuth;
	if (kind == KEY_HMAC || kind == KEY_SEALED)
		key->data = s->sensitive.data;
	if (parent)
		EACH_SIDE (side)
			key->parent[side] = parent->e.name[side];
}

static void check_name(struct world *w, const char *command, enum side s, const TPM2B_NAME *name,
		       const TPMT_PUBLIC *public)
{
	TPM2B_NAME right = name_of_public(public);

	if (name->size != right.size || memcmp(name->buffer, right.buffer, right.size) != 0)
		differ(w, "%s: side %d answers a name that is not its public area's", command, s);
}

/* ---- making ---- */

static void certify_creation(struct world *w, const struct world_key *key, const struct pair *made)
{
	BEGIN(w, CertifyCreation);
	struct CertifyCreation_in *side[SIDES] = {in, NULL};

	in->inScheme.scheme = TPM_ALG_NULL;
	use_key(&p, 1, key);
	side[OTHER] = pair_split(&p);
	EACH_SIDE (s) {
		side[s]->creationHash = made->out[s].CreatePrimary.creationHash;
		side[s]->creationTicket = made->out[s].CreatePrimary.creationTicket;
	}
	if (chance(w, 15)) /* of something else */
		EACH_SIDE (s)
			side[s]->creationHash.buffer[3] ^= 1;
	pair_run(w, &p);
}

static void primary_of_kind(struct world *w, enum key_kind kind)
{
	struct world_key *key = room_for_key(w);
	BEGIN(w, CreatePrimary);

	if (!key)
		return;
	use_hierarchy(w, &p, 0, chance(w, 10) ? TPM_RH_NULL : pick_hierarchy(w));
	in->inPublic.publicArea = template(w, kind);
	fill_sensitive(w, kind, &in->inPublic.publicArea, &in->inSensitive);
	in->outsideInfo.size = (uint16_t)pick(w, 20);
	in->creationPCR = pick_pcrs(w);
	if (pair_run(w, &p))
		return;
	set_made(w, key, kind, &in->inSensitive, NULL);
	EACH_SIDE (s) {
		key->public[s] = out[s]->outPublic.publicArea;
		check_name(w, "CreatePrimary", s, &out[s]->name, &key->public[s]);
	}
	key_set(w, key, out[NATIVE]->handle, out[OTHER]->handle);
	compare_value(w, "CreatePrimary: creationData.pcrDigest", &type_TPM2B_DIGEST,
		      &out[NATIVE]->creationData.creationData.pcrDigest,
		      &out[OTHER]->creationData.creationData.pcrDigest, true);
	compare_value(w, "CreatePrimary: creationData.pcrSelect", &type_TPML_PCR_SELECTION,
		      &out[NATIVE]->creationData.creationData.pcrSelect,
		      &out[OTHER]->creationData.creationData.pcrSelect, true);
	compare_value(w, "CreatePrimary: creationData.parentName", &type_TPM2B_NAME,
		      &out[NATIVE]->creationData.creationData.parentName,
		      &out[OTHER]->creationData.creationData.parentName, true);
	if (!w->differs && chance(w, 25))
		certify_creation(w, key, &p);
}

static void create_primary(struct world *w)
{
	primary_of_kind(w, pick_kind(w));
}

/* One of the kinds, made as `kind` where there is none. */
static struct world_key *one_of(struct world *w, uint32_t kinds, enum key_kind kind)
{
	if (!pick_key(w, kinds))
		primary_of_kind(w, kind);
	return w->differs || w->diverged ? NULL : pick_key(w, kinds);
}

static struct world_key *a_parent(struct world *w, uint32_t kinds)
{
	return one_of(w, kinds, KEY_STORAGE);
}

struct world_key *key_of_kind(struct world *w, enum key_kind kind)
{
	return one_of(w, KIND(kind), kind);
}

static void fit_to_parent(struct world *w, const struct world_key *parent, TPMT_PUBLIC *t)
{
	if (!(parent->public[NATIVE].objectAttributes & TPMA_OBJECT_FIXEDTPM) && chance(w, 95)) {
		if (t->objectAttributes & TPMA_OBJECT_FIXEDTPM)
			t->authPolicy = policy_common(t->nameAlg);
		t->objectAttributes &= ~(uint32_t)TPMA_OBJECT_FIXEDTPM;
	}
	if (chance(w, 95)) {
		t->objectAttributes &= ~(uint32_t)TPMA_OBJECT_ENCRYPTEDDUPLICATION;
		t->objectAttributes |=
			parent->public[NATIVE].objectAttributes & TPMA_OBJECT_FIXEDTPM
				? 0
				: parent->public[NATIVE].objectAttributes &
					  TPMA_OBJECT_ENCRYPTEDDUPLICATION;
	}
}

static void load_stored(struct world *w, const struct world_stored *stored,
			struct world_key *parent)
{
	struct world_key *key = room_for_key(w);
	BEGIN(w, Load);
	struct Load_in *other;

	if (!key || !parent->kind || key == parent || w->differs)
		return;
	use_key(&p, 0, parent);
	other = pair_split(&p);
	p.unlike = !stored->key.same;
	in->inPrivate = stored->private[NATIVE];
	other->inPrivate = stored->private[OTHER];
	in->inPublic.publicArea = stored->key.public[NATIVE];
	other->inPublic.publicArea = stored->key.public[OTHER];
	if (pair_run(w, &p))
		return;
	*key = stored->key;
	key_set(w, key, out[NATIVE]->handle, out[OTHER]->handle);
	EACH_SIDE (s)
		check_name(w, "Load", s, &out[s]->name, &key->public[s]);
}

static void load(struct world *w)
{
	const struct world_stored *stored = &w->stored[pick(w, MAX_STORED)];
	struct world_key *parent = stored->kind ? key_named(w, &stored->key.parent[NATIVE]) : NULL;

	if (!parent && stored->kind && chance(w, 3))
		parent = pick_key(w, ANY_PARENT);
	if (parent)
		load_stored(w, stored, parent);
}

static void create(struct world *w)
{
	struct world_key *parent = a_parent(w, chance(w, 95) ? ANY_PARENT : ANY_KEY);
	struct world_stored *place = &w->stored[pick(w, MAX_STORED)];
	enum key_kind kind = pick_kind(w);
	BEGIN(w, Create);

	if (!parent)
		return;
	use_key(&p, 0, parent);
	in->inPublic.publicArea = template(w, kind);
	fit_to_parent(w, parent, &in->inPublic.publicArea);
	fill_sensitive(w, kind, &in->inPublic.publicArea, &in->inSensitive);
	in->creationPCR = pick_pcrs(w);
	if (pair_run(w, &p))
		return;
	place->kind = kind;
	set_made(w, &place->key, kind, &in->inSensitive, parent);
	EACH_SIDE (s) {
		place->key.public[s] = out[s]->outPublic.publicArea;
		place->private[s] = out[s]->outPrivate;
	}
	if (chance(w, 60))
		load_stored(w, place, parent);
}

static void create_loaded(struct world *w)
{
	struct world_key *parent =
		chance(w, 40) ? NULL : pick_key(w, ANY_PARENT | KIND(KEY_DERIVATION));
	enum key_kind kind = pick_kind(w);
	struct world_key *key = room_for_key(w);
	TPMT_PUBLIC t = template(w, kind);
	bool derived;
	BEGIN(w, CreateLoaded);

	if (!key || (parent && !parent->kind))
		return;
	p.unlike = true;
	derived = parent && parent->kind == KEY_DERIVATION;
	if (parent)
		use_key(&p, 0, parent);
	else
		use_hierarchy(w, &p, 0, chance(w, 10) ? TPM_RH_NULL : pick_hierarchy(w));
	if (parent)
		fit_to_parent(w, parent, &t);
	fill_sensitive(w, kind, &t, &in->inSensitive);
	if (derived) {
		t.objectAttributes &= ~(uint32_t)(TPMA_OBJECT_SENSITIVEDATAORIGIN);
		in->inSensitive.sensitive.data.size = 0;
		if (kind == KEY_STORAGE || kind == KEY_SYM_STORAGE || kind == KEY_DERIVATION)
			return;
	}
	in->inPublic.size = (uint16_t)type_marshal(&type_TPMT_PUBLIC, &t, in->inPublic.buffer,
						   sizeof in->inPublic.buffer);
	if (pair_run(w, &p))
		return;
	set_made(w, key, kind, &in->inSensitive, parent);
	EACH_SIDE (s) {
		key->public[s] = out[s]->outPublic.publicArea;
		check_name(w, "CreateLoaded", s, &out[s]->name, &key->public[s]);
	}
	key_set(w, key, out[NATIVE]->handle, out[OTHER]->handle);
}

/* ---- the same object on both sides ---- */

static void given_sensitive(struct world *w, TPMT_PUBLIC *t, TPMT_SENSITIVE *s)
{
	uint8_t bytes[MAX_DIGEST_SIZE + MAX_SYM_DATA];
	TPM2B_DIGEST unique;

	s->sensitiveType = t->type;
	s->authValue = pick_auth(w);
	if (t->type == TPM_ALG_ECC) {
		enum cvtpm_curve curve = (enum cvtpm_curve)t->parameters.eccDetail.curveID;
		size_t size = cvtpm_curve_size(curve);
		struct cvtpm_ecc_key key = {.public.curve = curve};

		pick_bytes(w, key.d + 1, size - 1);
		assert_int_equal(cvtpm_ecc_make_public(&key), 0);
		s->sensitive.ecc.size = t->unique.ecc.x.size = t->unique.ecc.y.size =
			(uint16_t)size;
		memcpy(s->sensitive.ecc.buffer, key.d, size);
		memcpy(t->unique.ecc.x.buffer, key.public.x, size);
		memcpy(t->unique.ecc.y.buffer, key.public.y, size);
	} else if (t->type == TPM_ALG_RSA) {
		s->sensitive.rsa.size = sizeof vector_p;
		memcpy(s->sensitive.rsa.buffer, vector_p, sizeof vector_p);
		t->unique.rsa.size = sizeof vector_n;
		memcpy(t->unique.rsa.buffer, vector_n, sizeof vector_n);
	} else {
		s->seedValue.size = (uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)t->nameAlg);
		pick_bytes(w, s->seedValue.buffer, s->seedValue.size);
		s->sensitive.bits.size = t->type == TPM_ALG_SYMCIPHER
						 ? t->parameters.symDetail.sym.keyBits.aes / 8
						 : (uint16_t)(1 + pick(w, 64));
		pick_bytes(w, s->sensitive.bits.buffer, s->sensitive.bits.size);
		memcpy(bytes, s->seedValue.buffer, s->seedValue.size);
		memcpy(bytes + s->seedValue.size, s->sensitive.bits.buffer, s->sensitive.bits.size);
		unique = digest_of_bytes(t->nameAlg, bytes,
					 (size_t)s->seedValue.size + s->sensitive.bits.size);
		t->unique.keyedHash = unique;
	}
	if (t->type == TPM_ALG_ECC && t->objectAttributes & TPMA_OBJECT_DECRYPT &&
	    t->objectAttributes & TPMA_OBJECT_RESTRICTED) {
		s->seedValue.size = (uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)t->nameAlg);
		pick_bytes(w, s->seedValue.buffer, s->seedValue.size);
	}
}

static void set_given(struct world_key *key, enum key_kind kind, const TPMT_PUBLIC *t,
		      const TPMT_SENSITIVE *s)
{
	memset(key, 0, sizeof *key);
	key->kind = kind;
	key->same = true;
	key->e.auth = s->authValue;
	if (kind == KEY_HMAC || kind == KEY_SEALED)
		key->data = s->sensitive.bits;
	EACH_SIDE (side)
		key->public[side] = *t;
}

static enum key_kind pick_given_kind(struct world *w)
{
	return (enum key_kind)PICK(w, KEY_SIGN, KEY_SIGN, KEY_ANONYMOUS, KEY_DECRYPT, KEY_HMAC,
				   KEY_HMAC, KEY_SEALED, KEY_RSA_SIGN, KEY_RSA_DECRYPT, KEY_CIPHER,
				   KEY_CIPHER);
}

void external_hmac_key(struct world *w, struct LoadExternal_in *in)
{
	TPMT_PUBLIC *t = &in->inPublic.publicArea;

	*t = template(w, KEY_HMAC);
	t->nameAlg = TPM_ALG_SHA256;
	t->objectAttributes = TPMA_OBJECT_SIGN | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA;
	given_sensitive(w, t, &in->inPrivate.sensitiveArea);
	in->inPrivate.size = 1;
	in->hierarchy = TPM_RH_NULL;
}

static void external_of_kind(struct world *w, enum key_kind kind)
{
	struct world_key *key = room_for_key(w);
	bool public_only = chance(w, 25);
	TPMT_SENSITIVE *s;
	TPMT_PUBLIC *t;
	BEGIN(w, LoadExternal);

	if (!key)
		return;
	s = &in->inPrivate.sensitiveArea;
	t = &in->inPublic.publicArea;
	*t = template(w, kind);
	if (chance(w, 95))
		t->objectAttributes &= ~(uint32_t)(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
						   TPMA_OBJECT_ENCRYPTEDDUPLICATION);
	given_sensitive(w, t, s);
	in->hierarchy = public_only ? pick_hierarchy(w) : TPM_RH_NULL;
	in->inPrivate.size = public_only ? 0 : 1;
	if (chance(w, 3))
		in->hierarchy = TPM_RH_OWNER;
	if (pair_run(w, &p))
		return;
	set_given(key, kind, t, s);
	key->public_only = public_only;
	key_set(w, key, out[NATIVE]->handle, out[OTHER]->handle);
}

static void load_external(struct world *w)
{
	external_of_kind(w, chance(w, 5) ? pick_kind(w) : pick_given_kind(w));
}

struct world_key *a_cipher(struct world *w)
{
	if (!pick_key(w, KIND(KEY_CIPHER))) {
		if (chance(w, 70))
			external_of_kind(w, KEY_CIPHER);
		else
			primary_of_kind(w, KEY_CIPHER);
	}
	return w->differs || w->diverged ? NULL : pick_key(w, KIND(KEY_CIPHER));
}

/* An object in the clear becomes a child of a parent. */
static void import_plain(struct world *w)
{
	struct world_key *parent = a_parent(w, ANY_PARENT);
	struct world_stored *place = &w->stored[pick(w, MAX_STORED)];
	enum key_kind kind = pick_given_kind(w);
	TPMT_SENSITIVE s = {0};
	TPMT_PUBLIC *t;
	size_t len;
	BEGIN(w, Import);

	if (!parent)
		return;
	use_key(&p, 0, parent);
	t = &in->objectPublic.publicArea;
	*t = template(w, kind);
	t->objectAttributes &= ~(uint32_t)(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
					   TPMA_OBJECT_ENCRYPTEDDUPLICATION);
	if (chance(w, 3))
		t->objectAttributes |= TPMA_OBJECT_FIXEDPARENT;
	given_sensitive(w, t, &s);
	len = type_marshal(&type_TPMT_SENSITIVE, &s, in->duplicate.buffer + 2,
			   sizeof in->duplicate.buffer - 2);
	in->duplicate.buffer[0] = (uint8_t)(len >> 8);
	in->duplicate.buffer[1] = (uint8_t)len;
	in->duplicate.size = (uint16_t)(len + 2);
	in->symmetricAlg.algorithm = TPM_ALG_NULL;
	if (pair_run(w, &p))
		return;
	place->kind = kind;
	set_given(&place->key, kind, t, &s);
	EACH_SIDE (side) {
		place->private[side] = out[side]->outPrivate;
		place->key.parent[side] = parent->e.name[side];
	}
	if (chance(w, 60))
		load_stored(w, place, parent);
}

/* ---- moving: from either side's parent to the other's, or one's own ---- */

static void import_duplicate(struct world *w, const struct world_key *key, struct world_key *parent,
			     const struct pair *from, bool crossed)
{
	struct world_stored *place = &w->stored[pick(w, MAX_STORED)];
	BEGIN(w, Import);
	struct Import_in *to[SIDES] = {in, NULL};

	use_key(&p, 0, parent);
	to[OTHER] = pair_split(&p);
	EACH_SIDE (s) {
		enum side f = crossed ? (enum side) !s : s;
		const struct Duplicate_out *d = &from->out[f].Duplicate;

		to[s]->encryptionKey = from->in[f].Duplicate.encryptionKeyIn.size
					       ? from->in[f].Duplicate.encryptionKeyIn
					       : d->encryptionKeyOut;
		to[s]->objectPublic.publicArea = key->public[f];
		to[s]->duplicate = d->duplicate;
		to[s]->inSymSeed = d->outSymSeed;
		to[s]->symmetricAlg = from->in[f].Duplicate.symmetricAlg;
	}
	if (pair_run(w, &p))
		return;
	place->kind = key->kind;
	place->key = *key;
	EACH_SIDE (s) {
		place->private[s] = out[s]->outPrivate;
		place->key.parent[s] = parent->e.name[s];
		place->key.public[s] = key->public[crossed ? (enum side) !s : s];
	}
	if (chance(w, 60))
		load_stored(w, place, parent);
}

/* On its way from one parent, or none, to another, or none: the blobs of `from`, each in the
 * hands of its own TPM or of the other one's. */
static bool rewrap(struct world *w, const struct world_key *key, const struct world_key *old,
		   const struct world_key *new, struct pair *from, bool crossed)
{
	BEGIN(w, Rewrap);
	struct Rewrap_in *to[SIDES] = {in, NULL};

	if (old)
		use_key(&p, 0, old);
	if (new)
		use_key(&p, 1, new);
	to[OTHER] = pair_split(&p);
	EACH_SIDE (s) {
		enum side f = crossed ? (enum side) !s : s;

		to[s]->inDuplicate = from->out[f].Duplicate.duplicate;
		to[s]->name = key->e.name[f];
		to[s]->inSymSeed = from->out[f].Duplicate.outSymSeed;
	}
	if (chance(w, 5)) { /* of the blob, of the name */
		bool blob = chance(w, 50);

		EACH_SIDE (s)
			*(blob ? &to[s]->inDuplicate.buffer[20] : &to[s]->name.buffer[20]) ^= 1;
	}
	if (pair_run(w, &p))
		return false;
	EACH_SIDE (s) {
		enum side f = crossed ? (enum side) !s : s;

		from->out[f].Duplicate.duplicate = out[s]->outDuplicate;
		from->out[f].Duplicate.outSymSeed = out[s]->outSymSeed;
	}
	return true;
}

static void duplicate(struct world *w)
{
	struct world_key *key = NULL,
			 *parent = chance(w, 25) ? NULL : pick_key(w, KIND(KEY_STORAGE));
	struct world_key object; /* which may have to make room */
	bool crossed = false;    /* the blobs are in each other's hands */
	BEGIN(w, Duplicate);

	for (size_t i = 0; i < MAX_KEYS; i++)
		if (w->keys[i].kind &&
		    !(w->keys[i].public[NATIVE].objectAttributes & TPMA_OBJECT_FIXEDPARENT) &&
		    !w->keys[i].public_only)
			key = &w->keys[i];
	if (chance(w, 5))
		key = pick_key(w, ANY_KEY);
	if (!key || key == parent)
		return;
	use_key(&p, 0, key);
	if (parent)
		use_key(&p, 1, parent);
	in->symmetricAlg.algorithm = TPM_ALG_NULL;
	if (chance(w, 50)) {
		in->symmetricAlg =
			(TPMT_SYM_DEF_OBJECT){TPM_ALG_AES, {.aes = 128}, {pick_parent_mode(w)}};
		if (chance(w, 50)) {
			in->encryptionKeyIn.size = (uint16_t)(chance(w, 90) ? 16 : 15);
			pick_bytes(w, in->encryptionKeyIn.buffer, in->encryptionKeyIn.size);
		}
	}
	if (pair_run(w, &p))
		return;
	object = *key;
	if (chance(w, 40)) {
		struct world_key *next = chance(w, 25) ? NULL : pick_key(w, KIND(KEY_STORAGE));

		if (chance(w, 3))
			next = pick_key(w, ANY_KEY);
		crossed = !parent && chance(w, 50);
		if (!rewrap(w, &object, parent, next, &p, crossed))
			return;
		parent = next;
	}
	if (parent) {
		import_duplicate(w, &object, parent, &p, crossed);
	} else {
		parent = pick_key(w, ANY_PARENT); /* what has no outer wrapper fits any parent */
		if (parent)
			import_duplicate(w, &object, parent, &p, true);
	}
}

/* A key whose parent is here too; if there is none, any. */
static struct world_key *pick_child(struct world *w)
{
	for (size_t i = 0; i < MAX_KEYS; i++)
		if (w->keys[i].kind && key_named(w, &w->keys[i].parent[NATIVE]))
			return &w->keys[i];
	return pick_key(w, ANY_KEY);
}

static void object_change_auth(struct world *w)
{
	struct world_key *key = pick_child(w);
	struct world_key *parent = key ? key_named(w, &key->parent[NATIVE]) : NULL;
	struct world_stored *place = &w->stored[pick(w, MAX_STORED)];
	BEGIN(w, ObjectChangeAuth);

	if (key && !parent && chance(w, 5))
		parent = pick_key(w, ANY_KEY);
	if (!key || !parent)
		return;
	use_key(&p, 0, key);
	use_key(&p, 1, parent);
	in->newAuth = pick_auth(w);
	if (pair_run(w, &p))
		return;
	place->kind = key->kind;
	place->key = *key;
	place->key.e.auth = in->newAuth;
	EACH_SIDE (s)
		place->private[s] = out[s]->outPrivate;
	if (chance(w, 50))
		load_stored(w, place, parent);
}

static void read_public(struct world *w)
{
	struct world_key *key = pick_key(w, ANY_KEY);
	BEGIN(w, ReadPublic);

	if (!key)
		return;
	use_key(&p, 0, key);
	p.unlike = !key->same;
	if (pair_run(w, &p))
		return;
	EACH_SIDE (s) {
		check_name(w, "ReadPublic", s, &out[s]->name, &out[s]->outPublic.publicArea);
		compare_value(w, "ReadPublic: not as created", &type_TPMT_PUBLIC, &key->public[s],
			      &out[s] -> outPublic.publicArea, true);
	}
}

static void unseal(struct world *w)
{
	struct world_key *key = pick_key(w, chance(w, 95) ? KIND(KEY_SEALED) : ANY_KEY);
	BEGIN(w, Unseal);

	if (!key)
		return;
	use_key(&p, 0, key);
	if (pair_run(w, &p))
		return;
	compare_value(w, "Unseal: not what was sealed", &type_TPM2B_SENSITIVE_DATA, &key->data,
		      &out[NATIVE]->outData, true);
}

/* A credential for an object, made by the other TPM, whose key is known by its public area. */
static void credential(struct world *w)
{
	struct world_key *key = a_parent(w, KIND(KEY_STORAGE)), *object = pick_key(w, ANY_KEY);
	TPM2B_DIGEST secret;
	struct pair made;

	if (!key || !object || key == object || key->public_only)
		return;
	{
		BEGIN(w, MakeCredential);
		struct MakeCredential_in *other;

		use_key(&p, 0, key);
		in->credential.size = (uint16_t)PICK(w, 0, 1, 20, 32, 32);
		pick_bytes(w, in->credential.buffer, in->credential.size);
		secret = in->credential;
		other = pair_split(&p);
		in->objectName = object->e.name[NATIVE];
		other->objectName = object->e.name[OTHER];
		if (pair_run(w, &p))
			return;
		made = p;
	}
	if (!object->kind || !key->kind) /* one had to make room */
		return;
	BEGIN(w, ActivateCredential);
	struct ActivateCredential_in *other;

	use_key(&p, 0, object);
	use_key(&p, 1, key);
	other = pair_split(&p);
	in->credentialBlob = made.out[NATIVE].MakeCredential.credentialBlob;
	other->credentialBlob = made.out[OTHER].MakeCredential.credentialBlob;
	in->secret = made.out[NATIVE].MakeCredential.secret;
	other->secret = made.out[OTHER].MakeCredential.secret;
	if (chance(w, 5)) {
		in->credentialBlob.buffer[3] ^= 1;
		other->credentialBlob.buffer[3] ^= 1;
	}
	if (pair_run(w, &p) == 0)
		compare_value(w, "ActivateCredential: not the secret", &type_TPM2B_DIGEST, &secret,
			      &out[NATIVE]->certInfo, true);
}

const struct operation operations_object[] = {
	{"create-primary", 30, create_primary}, {"create", 24, create},
	{"create-loaded", 12, create_loaded},   {"load", 40, load},
	{"load-external", 25, load_external},   {"import-plain", 10, import_plain},
	{"duplicate", 12, duplicate},           {"object-change-auth", 20, object_change_auth},
	{"read-public", 8, read_public},        {"unseal", 14, unseal},
	{"credential", 24, credential},         {NULL, 0, NULL},
};
