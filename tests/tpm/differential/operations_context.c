/* Chapter 28: contexts saved, flushed, loaded (twice, spoilt), and objects made persistent. */
#include "world.h"

static struct world_context *context_place(struct world *w)
{
	return &w->contexts[pick(w, MAX_CONTEXTS)];
}

static void save_key(struct world *w)
{
	struct world_key *key = pick_key(w, ANY_KEY);
	struct world_context *place = context_place(w);
	BEGIN(w, ContextSave);

	if (!key || place->in_use)
		return;
	use_key(&p, 0, key);
	if (pair_run(w, &p))
		return;
	*place = (struct world_context){.in_use = true, .key = *key, .starts = w->starts};
	EACH_SIDE (s)
		place->context[s] = out[s]->context;
	if (out[NATIVE]->context.hierarchy != out[OTHER]->context.hierarchy)
		differ(w, "ContextSave: hierarchy differs");
	if (out[NATIVE]->context.savedHandle != out[OTHER]->context.savedHandle)
		differ(w, "ContextSave: savedHandle of an object: native %08x, libtpms %08x",
		       out[NATIVE]->context.savedHandle, out[OTHER]->context.savedHandle);
	if (chance(w, 50) && !w->differs)
		key_flush(w, key);
}

bool session_save(struct world *w, struct world_session *session, struct world_context *to)
{
	BEGIN(w, ContextSave);

	use_session(&p, 0, session);
	if (pair_run(w, &p))
		return false;
	*to = (struct world_context){.in_use = true, .session = *session};
	EACH_SIDE (s)
		to->context[s] = out[s]->context;
	return true;
}

static void save_session(struct world *w)
{
	struct world_session *session = pick_session(w, TPM_SE_HMAC);
	struct world_context *place = context_place(w);

	if (session && !place->in_use && session_save(w, session, place))
		session->in_use = false;
}

bool session_load(struct world *w, const struct world_context *from, struct world_session *session)
{
	BEGIN(w, ContextLoad);
	struct ContextLoad_in *other = pair_split(&p);

	in->context = from->context[NATIVE];
	other->context = from->context[OTHER];
	if (pair_run(w, &p))
		return false;
	*session = from->session;
	session->in_use = true;
	EACH_SIDE (s)
		if (out[s]->handle != session->s[s].handle)
			differ(w, "ContextLoad: a session's handle changed");
	return !w->differs;
}

/* A session is loaded once. */
static void load_again(struct world *w, const struct world_context *c)
{
	BEGIN(w, ContextLoad);
	struct ContextLoad_in *other = pair_split(&p);

	p.no_faults = true;
	in->context = c->context[NATIVE];
	other->context = c->context[OTHER];
	pair_run(w, &p);
}

static void load_context(struct world *w)
{
	struct world_context *c = context_place(w);
	struct world_key *key = NULL;
	struct world_session *session = NULL;
	BEGIN(w, ContextLoad);
	struct ContextLoad_in *other;

	if (!c->in_use)
		return;
	if (c->key.kind)
		key = room_for_key(w);
	else
		for (size_t i = 0; i < MAX_SESSIONS - 1; i++)
			if (!w->sessions[i].in_use)
				session = &w->sessions[i];
	if ((!key && !session) || w->differs)
		return;
	other = pair_split(&p);
	in->context = c->context[NATIVE];
	other->context = c->context[OTHER];
	if (chance(w, 5)) { /* spoilt */
		in->context.contextBlob.buffer[in->context.contextBlob.size - 1] ^= 1;
		other->context.contextBlob.buffer[other->context.contextBlob.size - 1] ^= 1;
	}
	if (chance(w, 3))
		in->context.hierarchy = other->context.hierarchy = TPM_RH_PLATFORM;
	if (pair_run(w, &p)) {
		if (chance(w, 50))
			c->in_use = false;
		return;
	}
	if (key) {
		*key = c->key;
		EACH_SIDE (s)
			key->e.handle[s] = out[s]->handle;
		return;
	}
	*session = c->session;
	EACH_SIDE (s)
		if (out[s]->handle != session->s[s].handle)
			differ(w, "ContextLoad: a session's handle changed");
	if (chance(w, 20) && !w->differs)
		load_again(w, c);
	if (chance(w, 70))
		c->in_use = false; /* else it is loaded a second time, some day */
}

static void flush_saved_session(struct world *w)
{
	struct world_context *c = context_place(w);

	if (c->in_use && !c->key.kind) {
		session_flush_both(w, &c->session);
		c->in_use = chance(w, 30);
	}
}

static void flush_key(struct world *w)
{
	struct world_key *key = pick_key(w, ANY_KEY);

	if (key && key_is_transient(key))
		key_flush(w, key);
}

static void evict(struct world *w)
{
	struct world_key *key = pick_key(w, ANY_KEY), *place = NULL;
	bool platform;
	BEGIN(w, EvictControl);

	if (!key)
		return;
	for (size_t i = 0; i < MAX_KEYS; i++)
		if (!w->keys[i].kind)
			place = &w->keys[i];
	platform = chance(w, 20);
	use_hierarchy(w, &p, 0, platform ? TPM_RH_PLATFORM : TPM_RH_OWNER);
	use_key(&p, 1, key);
	if (!key_is_transient(key)) {
		in->persistentHandle = key->e.handle[NATIVE];
		if (in->persistentHandle >= PLATFORM_PERSISTENT)
			use_hierarchy(w, &p, 0, TPM_RH_PLATFORM);
		if (pair_run(w, &p) == 0)
			key->kind = KEY_NONE;
		return;
	}
	if (!place)
		return;
	in->persistentHandle = (platform ? PLATFORM_PERSISTENT : PERSISTENT_FIRST) + pick(w, 3);
	if (pair_run(w, &p))
		return;
	*place = *key;
	EACH_SIDE (s)
		place->e.handle[s] = in->persistentHandle;
}

const struct operation operations_context[] = {
	{"save-key", 8, save_key},
	{"save-session", 8, save_session},
	{"load-context", 20, load_context},
	{"flush-saved-session", 2, flush_saved_session},
	{"flush-key", 4, flush_key},
	{"evict", 8, evict},
	{NULL, 0, NULL},
};
