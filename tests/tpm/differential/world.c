/* What there is in the two TPMs, and the step's random numbers. */
#include "world.h"

#include <stdlib.h>
#include <time.h>

/* ---- random numbers: splitmix64 ---- */

static uint64_t next(struct world *w)
{
	uint64_t z = w->random += 0x9E3779B97F4A7C15u;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

uint32_t pick(struct world *w, uint32_t count)
{
	return (uint32_t)((next(w) >> 32) * count >> 32);
}

bool chance(struct world *w, uint32_t percent)
{
	return pick(w, 100) < percent;
}

void pick_bytes(struct world *w, void *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = (uint8_t)(next(w) >> 24);
}

TPM2B_AUTH pick_auth(struct world *w)
{
	TPM2B_AUTH auth = {.size = (uint16_t)PICK(w, 0, 0, 4, 16, 20, 32)};

	pick_bytes(w, auth.buffer, auth.size);
	if (auth.size) /* no trailing zeros: they would be cut off */
		auth.buffer[auth.size - 1] |= 1;
	if (auth.size > 20)
		auth.size = 20; /* fits every nameAlg */
	if (auth.size)
		auth.buffer[auth.size - 1] |= 1;
	return auth;
}

TPM_ALG_ID pick_hash(struct world *w)
{
	return (TPM_ALG_ID)PICK(w, TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA256, TPM_ALG_SHA256,
				TPM_ALG_SHA384, TPM_ALG_SHA512);
}

TPM_HANDLE pick_hierarchy(struct world *w)
{
	return PICK(w, TPM_RH_OWNER, TPM_RH_OWNER, TPM_RH_ENDORSEMENT, TPM_RH_PLATFORM);
}

TPML_PCR_SELECTION pick_pcrs(struct world *w)
{
	TPML_PCR_SELECTION s = {.count = pick(w, 3)};

	for (uint32_t i = 0; i < s.count; i++) {
		s.pcrSelections[i].hash = pick_hash(w);
		s.pcrSelections[i].pcrSelect.size = 3;
		for (unsigned n = pick(w, 4); n; n--)
			s.pcrSelections[i].pcrSelect.bytes[pick(w, 3)] |=
				(uint8_t)(1u << pick(w, 8));
	}
	return s;
}

/* ---- physical presence ---- */

void set_presence(struct world *w, bool presence)
{
	EACH_SIDE (s)
		w->rig[s]->presence = presence;
}

/* ---- keys ---- */

bool key_is_transient(const struct world_key *key)
{
	return key->kind && HANDLE_TYPE(key->e.handle[NATIVE]) == TPM_HT_TRANSIENT;
}

struct world_key *pick_key(struct world *w, uint32_t kinds)
{
	struct world_key *found[MAX_KEYS];
	uint32_t count = 0;

	for (size_t i = 0; i < MAX_KEYS; i++)
		if (w->keys[i].kind && KIND(w->keys[i].kind) & kinds)
			found[count++] = &w->keys[i];
	return count ? found[pick(w, count)] : NULL;
}

struct world_key *key_named(struct world *w, const TPM2B_NAME *name)
{
	for (size_t i = 0; i < MAX_KEYS; i++) {
		const TPM2B_NAME *n = &w->keys[i].e.name[NATIVE];

		if (w->keys[i].kind && name->size && n->size == name->size &&
		    memcmp(n->buffer, name->buffer, n->size) == 0)
			return &w->keys[i];
	}
	return NULL;
}

struct world_key *room_for_key(struct world *w)
{
	struct world_key *transient[MAX_KEYS], *free_place = NULL;
	uint32_t count = 0;

	for (size_t i = 0; i < MAX_KEYS; i++) {
		if (key_is_transient(&w->keys[i]))
			transient[count++] = &w->keys[i];
		else if (!w->keys[i].kind)
			free_place = &w->keys[i];
	}
	if (count >= MAX_TRANSIENT || (count && !free_place)) {
		struct world_key *old = transient[pick(w, count)];

		key_flush(w, old);
		free_place = old;
	}
	return free_place;
}

void key_set(struct world *w, struct world_key *key, TPM_HANDLE native, TPM_HANDLE other)
{
	const TPMT_PUBLIC *public = &key->public[NATIVE];

	(void)w;
	key->e.handle[NATIVE] = native;
	key->e.handle[OTHER] = other;
	EACH_SIDE (s)
		key->e.name[s] = name_of_public(&key->public[s]);
	key->e.policyAlg = public->authPolicy.size ? public->nameAlg : TPM_ALG_NULL;
	if (public->objectAttributes & TPMA_OBJECT_SENSITIVEDATAORIGIN)
		key->data.size = 0; /* what was given is not the secret */
	key->e.user_auth = public->objectAttributes & TPMA_OBJECT_USERWITHAUTH;
	key->e.admin_auth = !(public->objectAttributes & TPMA_OBJECT_ADMINWITHPOLICY);
}

static void flush_handle(struct world *w, const TPM_HANDLE handle[SIDES])
{
	BEGIN(w, FlushContext);
	struct FlushContext_in *other = pair_split(&p);

	p.no_faults = true;
	in->flushHandle = handle[NATIVE];
	other->flushHandle = handle[OTHER];
	pair_run(w, &p);
}

void key_flush(struct world *w, struct world_key *key)
{
	flush_handle(w, key->e.handle);
	key->kind = KEY_NONE;
}

void session_flush_both(struct world *w, struct world_session *session)
{
	flush_handle(w, (const TPM_HANDLE[]){session->s[NATIVE].handle, session->s[OTHER].handle});
	session->in_use = false;
}

struct world_session *pick_session(struct world *w, TPM_SE type)
{
	struct world_session *found[MAX_SESSIONS];
	uint32_t count = 0;

	for (size_t i = 0; i < MAX_SESSIONS; i++)
		if (w->sessions[i].in_use && w->sessions[i].type == type)
			found[count++] = &w->sessions[i];
	return count ? found[pick(w, count)] : NULL;
}

struct world_index *pick_index(struct world *w)
{
	struct world_index *found[MAX_INDICES];
	uint32_t count = 0;

	for (size_t i = 0; i < MAX_INDICES; i++)
		if (w->indices[i].in_use)
			found[count++] = &w->indices[i];
	return count ? found[pick(w, count)] : NULL;
}

/* ---- the worlds' life ---- */

void world_forget_volatile(struct world *w)
{
	for (size_t i = 0; i < MAX_KEYS; i++)
		if (key_is_transient(&w->keys[i]))
			w->keys[i].kind = KEY_NONE;
	memset(w->sessions, 0, sizeof w->sessions);
	w->rate_changed = false;
	w->stale = true;
}

/* Where a counter begins is each TPM's matter. */
bool is_counter(const struct world_index *index)
{
	return (index->public.attributes & TPMA_NV_TPM_NT) >> TPMA_NV_TPM_NT_SHIFT ==
	       TPM_NT_COUNTER;
}

bool is_pin(const struct world_index *index)
{
	return (index->public.attributes & TPMA_NV_TPM_NT) >> TPMA_NV_TPM_NT_SHIFT >=
	       TPM_NT_PIN_FAIL;
}

static bool key_is_there(struct world *w, const struct world_key *key)
{
	BEGIN(w, ReadPublic);

	p.no_faults = p.no_extra = true;
	p.unlike = !key->same;
	use_key(&p, 0, key);
	return pair_run(w, &p) == TPM_RC_SUCCESS;
}

static bool index_is_there(struct world *w, struct world_index *index)
{
	BEGIN(w, NV_ReadPublic);

	p.no_faults = p.no_extra = true;
	use_handle(&p, 0, index->e.handle[NATIVE]);
	if (pair_run(w, &p))
		return false;
	index->public = out[NATIVE]->nvPublic.nvPublic;
	EACH_SIDE (s)
		index->e.name[s] = out[s]->nvName;
	return true;
}

void world_look(struct world *w)
{
	w->stale = false;
	for (size_t i = 0; i < MAX_KEYS && !w->differs; i++)
		if (w->keys[i].kind && !key_is_there(w, &w->keys[i]))
			w->keys[i].kind = KEY_NONE;
	for (size_t i = 0; i < MAX_INDICES && !w->differs; i++)
		if (w->indices[i].in_use && !index_is_there(w, &w->indices[i]))
			w->indices[i].in_use = false;
}

static void same_settings(struct world *w)
{
	{
		BEGIN(w, PCR_Allocate);

		p.no_faults = p.no_extra = p.plain = true;
		use_hierarchy(w, &p, 0, TPM_RH_PLATFORM);
		in->pcrAllocation.count = 4;
		for (uint32_t i = 0; i < 4; i++)
			in->pcrAllocation.pcrSelections[i] = (TPMS_PCR_SELECTION){
				((const TPM_ALG_ID[]){TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384,
						      TPM_ALG_SHA512})[i],
				{3, {0xFF, 0xFF, 0xFF}}};
		pair_run(w, &p);
	}
	EACH_SIDE (s)
		rig_reset(w->rig[s]);
	{
		BEGIN(w, DictionaryAttackParameters);

		p.no_faults = p.no_extra = p.plain = true;
		use_hierarchy(w, &p, 0, TPM_RH_LOCKOUT);
		in->newMaxTries = LOCKOUT_TRIES;
		in->newRecoveryTime = in->lockoutRecovery = 100000;
		pair_run(w, &p);
	}
}

void world_begin(struct world *w)
{
	const struct world run = *w;

	memset(w, 0, sizeof *w);
	w->trace = run.trace;
	w->bytes = run.bytes;
	w->corrupt = run.corrupt;
	w->commands = run.commands;
	w->succeeded = run.succeeded;
	memcpy(w->explained, run.explained, sizeof w->explained);
	memcpy(w->by_command, run.by_command, sizeof w->by_command);
	memcpy(w->by_code, run.by_code, sizeof w->by_code);
	w->operation = "begin";
	time_begin();
	w->rig[NATIVE] = rig_new(&cvtpm_engine_native);
	w->rig[OTHER] = rig_new(&cvtpm_engine_libtpms);
	w->clock_at = time_now_ms();
	audit_begin_world(w);
	same_settings(w);
}

void world_end(struct world *w)
{
	EACH_SIDE (s) {
		rig_free(w->rig[s]);
		w->rig[s] = NULL;
	}
}
