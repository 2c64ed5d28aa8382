/* Chapters 15, 17, 22: PCRs, hashes, sequences. */
#include "world.h"

static TPMI_DH_PCR pick_pcr(struct world *w)
{
	return chance(w, 5) ? TPM_RH_NULL
			    : PICK(w, 0, 1, 7, 10, 16, 16, 17, 18, 20, 21, 22, 23, 23);
}

static void pick_buffer(struct world *w, TPM2B_MAX_BUFFER *b)
{
	b->size = (uint16_t)PICK(w, 0, 1, 4, 20, 64, 100, 1024);
	pick_bytes(w, b->buffer, b->size);
	if (b->size >= 4 && chance(w, 10))
		memcpy(b->buffer, (const uint8_t[]){0xFF, 'T', 'C', 'G'}, 4);
}

static void pcr_extend(struct world *w)
{
	BEGIN(w, PCR_Extend);

	w->locality = (uint8_t)PICK(w, 0, 0, 0, 1, 2, 3, 4);
	use_handle(&p, 0, pick_pcr(w));
	in->digests.count = 1 + pick(w, 3);
	for (uint32_t i = 0; i < in->digests.count; i++) {
		in->digests.digests[i].hashAlg = pick_hash(w);
		pick_bytes(w, &in->digests.digests[i].digest, sizeof in->digests.digests[i].digest);
	}
	pair_run(w, &p);
	w->locality = 0;
}

static void pcr_event(struct world *w)
{
	BEGIN(w, PCR_Event);

	w->locality = (uint8_t)PICK(w, 0, 0, 0, 1, 2, 3, 4);
	use_handle(&p, 0, pick_pcr(w));
	in->eventData.size = (uint16_t)PICK(w, 0, 5, 100, 1024);
	pick_bytes(w, in->eventData.buffer, in->eventData.size);
	pair_run(w, &p);
	w->locality = 0;
}

static void pcr_read(struct world *w)
{
	uint32_t gap;
	BEGIN(w, PCR_Read);

	in->pcrSelectionIn = pick_pcrs(w);
	if (chance(w, 30)) {
		in->pcrSelectionIn.count = 1;
		in->pcrSelectionIn.pcrSelections[0] = (TPMS_PCR_SELECTION){
			pick_hash(w), {3, {0x81, (uint8_t)pick(w, 256), 0xFF}}};
	}
	if (pair_run(w, &p))
		return;
	gap = out[NATIVE]->pcrUpdateCounter - out[OTHER]->pcrUpdateCounter;
	if (w->gap_unknown) /* an H-CRTM's extends are counted here, and not there */
		w->counter_gap = gap;
	w->gap_unknown = false;
	if (gap != w->counter_gap)
		differ(w, "PCR_Read: pcrUpdateCounter: native %u, libtpms %u",
		       out[NATIVE]->pcrUpdateCounter, out[OTHER]->pcrUpdateCounter);
}

static void pcr_reset(struct world *w)
{
	BEGIN(w, PCR_Reset);

	w->locality = (uint8_t)PICK(w, 0, 0, 0, 1, 2, 3, 4);
	use_handle(&p, 0, chance(w, 70) ? PICK(w, 16, 23) : pick_pcr(w));
	pair_run(w, &p);
	w->locality = 0;
}

/* Not of 20 to 22, which may have both there. */
static void pcr_set_auth(struct world *w)
{
	TPMI_DH_PCR pcr = PICK(w, 0, 7, 16, 17, 19, 23);

	if (chance(w, 50)) {
		BEGIN(w, PCR_SetAuthPolicy);

		use_hierarchy(w, &p, 0, TPM_RH_PLATFORM);
		in->hashAlg = chance(w, 20) ? TPM_ALG_NULL : pick_hash(w);
		in->authPolicy.size =
			(uint16_t)(chance(w, 80) ? cvtpm_hash_size((enum cvtpm_hash_alg)in->hashAlg)
						 : pick(w, 33));
		pick_bytes(w, in->authPolicy.buffer, in->authPolicy.size);
		in->pcrNum = pcr;
		pair_run(w, &p);
	} else {
		BEGIN(w, PCR_SetAuthValue);

		use_handle(&p, 0, pcr);
		in->auth = pick_auth(w);
		pair_run(w, &p);
	}
}

static void hash(struct world *w)
{
	BEGIN(w, Hash);

	pick_buffer(w, &in->data);
	in->hashAlg = pick_hash(w);
	in->hierarchy = chance(w, 30) ? TPM_RH_NULL : pick_hierarchy(w);
	pair_run(w, &p);
}

static void hmac(struct world *w)
{
	struct world_key *key = pick_key(w, chance(w, 90) ? KIND(KEY_HMAC) : ANY_KEY);
	BEGIN(w, HMAC);

	if (!key)
		return;
	use_key(&p, 0, key);
	p.unlike = key->data.size == 0;
	pick_buffer(w, &in->buffer);
	in->hashAlg = chance(w, 50) ? TPM_ALG_NULL : pick_hash(w);
	pair_run(w, &p);
}

/* ---- sequences: begun, fed, saved meanwhile, completed ---- */

static bool sequence_start(struct world *w, struct world_key *key, TPM_ALG_ID alg, struct entity *e)
{
	if (key) {
		BEGIN(w, HMAC_Start);

		use_key(&p, 0, key);
		in->auth = e->auth;
		in->hashAlg = chance(w, 60) ? TPM_ALG_NULL : alg;
		if (pair_run(w, &p))
			return false;
		EACH_SIDE (s)
			e->handle[s] = out[s]->handle;
	} else {
		BEGIN(w, HashSequenceStart);

		in->auth = e->auth;
		in->hashAlg = alg;
		if (pair_run(w, &p))
			return false;
		EACH_SIDE (s)
			e->handle[s] = out[s]->handle;
	}
	return true;
}

static void sequence_update(struct world *w, const struct entity *e)
{
	BEGIN(w, SequenceUpdate);

	p.entity[0] = *e;
	pick_buffer(w, &in->buffer);
	pair_run(w, &p);
}

/* Loaded again, it may have another handle. */
static bool sequence_travels(struct world *w, struct entity *e)
{
	TPMS_CONTEXT saved[SIDES];
	bool flush = chance(w, 80);

	{
		BEGIN(w, ContextSave);

		p.entity[0] = *e;
		if (pair_run(w, &p))
			return true;
		EACH_SIDE (s)
			saved[s] = out[s]->context;
	}
	if (flush) {
		struct world_key k = {.kind = KEY_HMAC, .e = *e};

		key_flush(w, &k);
	}
	BEGIN(w, ContextLoad);
	struct ContextLoad_in *other = pair_split(&p);

	in->context = saved[NATIVE];
	other->context = saved[OTHER];
	if (pair_run(w, &p))
		return !flush;
	if (!flush) {
		struct world_key k = {.kind = KEY_HMAC, .e = *e};

		key_flush(w, &k);
	}
	EACH_SIDE (s)
		e->handle[s] = out[s]->handle;
	return true;
}

static bool sequence_complete(struct world *w, const struct entity *e, bool unlike)
{
	BEGIN(w, SequenceComplete);

	p.entity[0] = *e;
	p.unlike = unlike;
	pick_buffer(w, &in->buffer);
	in->hierarchy = chance(w, 30) ? TPM_RH_NULL : pick_hierarchy(w);
	return pair_run(w, &p) == 0;
}

static bool event_complete(struct world *w, const struct entity *e)
{
	BEGIN(w, EventSequenceComplete);

	use_handle(&p, 0, pick_pcr(w));
	p.entity[1] = *e;
	pick_buffer(w, &in->buffer);
	return pair_run(w, &p) == 0;
}

static void sequence(struct world *w)
{
	struct world_key *place = room_for_key(w);
	struct world_key *key = chance(w, 30) ? pick_key(w, KIND(KEY_HMAC)) : NULL;
	TPM_ALG_ID alg = chance(w, 30) ? TPM_ALG_NULL : pick_hash(w);
	struct entity e = {.policyAlg = TPM_ALG_NULL, .user_auth = true, .admin_auth = true};
	bool gone;

	e.auth = pick_auth(w);
	if (!place || !sequence_start(w, key, alg, &e))
		return;
	EACH_SIDE (s)
		e.name[s].size = 0;
	for (uint32_t n = pick(w, 4); n && !w->differs; n--)
		sequence_update(w, &e);
	if (chance(w, 25) && !sequence_travels(w, &e)) {
		w->guests = 0;
		return;
	}
	if (chance(w, 40))
		sequence_update(w, &e);
	gone = alg == TPM_ALG_NULL && !key && chance(w, 90)
		       ? event_complete(w, &e)
		       : sequence_complete(w, &e, key && key->data.size == 0);
	w->guests = 0;
	if (!gone && !w->differs && !w->diverged) {
		struct world_key k = {.kind = KEY_HMAC, .e = e};

		key_flush(w, &k);
	}
}

const struct operation operations_pcr[] = {
	{"pcr-extend", 20, pcr_extend},
	{"pcr-event", 6, pcr_event},
	{"pcr-read", 20, pcr_read},
	{"pcr-reset", 8, pcr_reset},
	{"pcr-set-auth", 3, pcr_set_auth},
	{"hash", 6, hash},
	{"hmac", 10, hmac},
	{"sequence", 14, sequence},
	{NULL, 0, NULL},
};
