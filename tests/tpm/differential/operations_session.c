/* Chapter 11: sessions begun, bound, salted, flushed. */
#include "world.h"

static struct world_session *session_place(struct world *w, bool on_the_spot)
{
	if (on_the_spot)
		return &w->sessions[MAX_SESSIONS - 1];
	for (size_t i = 0; i < MAX_SESSIONS - 1; i++)
		if (!w->sessions[i].in_use)
			return &w->sessions[i];
	return NULL;
}

static TPMT_SYM_DEF pick_symmetric(struct world *w)
{
	switch (pick(w, 3)) {
	case 0:
		return (TPMT_SYM_DEF){.algorithm = TPM_ALG_NULL};
	case 1:
		return (TPMT_SYM_DEF){.algorithm = TPM_ALG_XOR,
				      .keyBits.exclusiveOr = pick_hash(w)};
	default:
		return (TPMT_SYM_DEF){TPM_ALG_AES,
				      {.aes = (uint16_t)PICK(w, 128, 256)},
				      {chance(w, 97) ? TPM_ALG_CFB : TPM_ALG_CBC}};
	}
}

/* What a session is bound to: a hierarchy, a key, an index. */
static const struct entity *pick_bind(struct world *w, struct pair *p)
{
	struct world_key *key = pick_key(w, ANY_KEY);
	struct world_index *index = pick_index(w);

	switch (pick(w, 4)) {
	case 0:
		if (key && !key->public_only)
			use_key(p, 1, key);
		break;
	case 1:
		if (index)
			use_index(w, p, 1, index);
		break;
	default:
		use_hierarchy(w, p, 1, pick_hierarchy(w));
	}
	return p->entity[1].handle[NATIVE] == TPM_RH_NULL ? NULL : &p->entity[1];
}

static bool salt_for(struct world *w, enum side s, const TPMT_PUBLIC *key, TPM2B_DIGEST *salt,
		     TPM2B_ENCRYPTED_SECRET *encrypted)
{
	const TPMS_ECC_POINT *at = &key->unique.ecc;
	struct cvtpm_ecc_public q = {.curve = (enum cvtpm_curve)key->parameters.eccDetail.curveID},
				z;
	struct cvtpm_ecc_key ephemeral = {.public.curve = q.curve};
	size_t size = cvtpm_curve_size(q.curve);
	TPMS_ECC_POINT point;
	struct writer out = {encrypted->buffer, sizeof encrypted->buffer, false};

	(void)s;
	memset(ephemeral.d, 0, sizeof ephemeral.d);
	pick_bytes(w, ephemeral.d + 1, size - 1);
	if (q.curve == CVTPM_P521)
		return false;
	memcpy(q.x + size - at->x.size, at->x.buffer, at->x.size);
	memcpy(q.y + size - at->y.size, at->y.buffer, at->y.size);
	if (cvtpm_ecc_make_public(&ephemeral) || cvtpm_ecdh(ephemeral.d, &q, &z))
		return false;
	point.x.size = point.y.size = (uint16_t)size;
	memcpy(point.x.buffer, ephemeral.public.x, size);
	memcpy(point.y.buffer, ephemeral.public.y, size);
	type_write(&type_TPMS_ECC_POINT, &point, &out);
	encrypted->size = (uint16_t)(out.at - encrypted->buffer);
	salt->size = (uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)key->nameAlg);
	return cvtpm_kdfe((enum cvtpm_hash_alg)key->nameAlg, (struct cvtpm_octets){z.x, size},
			  CVTPM_TEXT("SECRET"), (struct cvtpm_octets){ephemeral.public.x, size},
			  (struct cvtpm_octets){q.x, size}, 8u * salt->size, salt->buffer) == 0;
}

static struct world_session *start(struct world *w, struct world_session *ws, TPM_SE type,
				   TPM_ALG_ID hash, bool simple)
{
	BEGIN(w, StartAuthSession);
	const struct entity *bind = simple || chance(w, 60) ? NULL : pick_bind(w, &p);
	struct world_key *key = simple || chance(w, 70) ? NULL : pick_key(w, KIND(KEY_STORAGE));
	struct StartAuthSession_in *other;
	TPM2B_DIGEST salt[SIDES] = {{0}};

	if (key && key->public_only)
		key = NULL;
	in->nonceCaller.size = (uint16_t)PICK(w, 16, 20);
	pick_bytes(w, in->nonceCaller.buffer, in->nonceCaller.size);
	in->sessionType = type;
	in->symmetric = simple ? (TPMT_SYM_DEF){.algorithm = TPM_ALG_NULL} : pick_symmetric(w);
	in->authHash = hash;
	p.no_faults = simple;
	p.no_extra = simple;
	other = pair_split(&p);
	if (key) {
		uint64_t again = w->random;

		if (!salt_for(w, NATIVE, &key->public[NATIVE], &salt[NATIVE], &in -> encryptedSalt))
			return NULL;
		w->random = again;
		if (!salt_for(w, OTHER, &key->public[OTHER], &salt[OTHER], &other -> encryptedSalt))
			return NULL;
		use_key(&p, 0, key);
	}
	if (pair_run(w, &p))
		return NULL;
	memset(ws, 0, sizeof *ws);
	ws->in_use = true;
	ws->type = type;
	ws->salted = key;
	ws->is_bound = bind && type == TPM_SE_HMAC;
	if (bind)
		ws->bound_auth = bind->auth;
	EACH_SIDE (s) {
		struct client_session *c = &ws->s[s];

		*c = (struct client_session){.handle = out[s]->handle,
					     .authHash = hash,
					     .symmetric = in->symmetric,
					     .nonceCaller = in->nonceCaller,
					     .nonceTPM = out[s]->nonceTPM,
					     .with_auth = type == TPM_SE_HMAC};
		if (bind)
			ws->bound[s] = bind->name[s];
		assert_int_equal(
			client_session_key(c, bind ? OCTETS(bind->auth) : (struct cvtpm_octets){0},
					   key ? OCTETS(salt[s]) : (struct cvtpm_octets){0}),
			0);
	}
	return ws;
}

struct world_session *session_start(struct world *w, TPM_SE type, TPM_ALG_ID hash)
{
	return start(w, session_place(w, true), type, hash, true);
}

static void begin_hmac(struct world *w)
{
	struct world_session *ws = session_place(w, false);

	if (!ws) {
		ws = &w->sessions[pick(w, MAX_SESSIONS - 1)];
		session_flush_both(w, ws);
	}
	if (!w->differs)
		start(w, ws, TPM_SE_HMAC, pick_hash(w), false);
}

static void flush_session(struct world *w)
{
	struct world_session *ws = pick_session(w, TPM_SE_HMAC);

	if (ws)
		session_flush_both(w, ws);
}

const struct operation operations_session[] = {
	{"begin-hmac-session", 25, begin_hmac},
	{"flush-session", 3, flush_session},
	{NULL, 0, NULL},
};
