/*
 * Sessions: which are loaded, which are saved, which are neither.
 *
 * A session's handle is its kind and a number below MAX_ACTIVE_SESSIONS; the number
 * is its place in t->contexts.sessions, whose value tells where it is (state.def).
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

static bool slot_is_loaded(uint64_t slot)
{
	return slot >= 1 && slot <= MAX_LOADED_SESSIONS;
}

/* Its place in contexts, or NULL for a handle that is no session's. */
static uint64_t *session_place(struct tpm *t, TPM_HANDLE handle)
{
	uint8_t type = HANDLE_TYPE(handle);

	if ((type != TPM_HT_HMAC_SESSION && type != TPM_HT_POLICY_SESSION) ||
	    HANDLE_INDEX(handle) >= MAX_ACTIVE_SESSIONS)
		return NULL;
	return &t->contexts.sessions.slot[HANDLE_INDEX(handle)];
}

static struct tpm_session_slot *session_slot(struct tpm *t, TPM_HANDLE handle)
{
	const uint64_t *place = session_place(t, handle);
	struct tpm_session_slot *slot;

	if (!place || !slot_is_loaded(*place))
		return NULL;
	slot = &t->sessions[*place - 1];
	return slot->s.handle == handle ? slot : NULL;
}

struct tpm_session *session_get(struct tpm *t, TPM_HANDLE handle)
{
	struct tpm_session_slot *slot = session_slot(t, handle);

	return slot ? &slot->s : NULL;
}

bool session_is_saved(struct tpm *t, TPM_HANDLE handle)
{
	const uint64_t *place = session_place(t, handle);

	return place && *place > MAX_LOADED_SESSIONS;
}

tpm_rc session_take_slot(struct tpm *t, struct tpm_session_slot **slot)
{
	for (size_t i = 0; i < MAX_LOADED_SESSIONS; i++)
		if (!t->sessions[i].in_use) {
			*slot = &t->sessions[i];
			SET(t, (*slot)->in_use, true);
			t->sweep = true;
			memset(&(*slot)->s, 0, sizeof(*slot)->s);
			return TPM_RC_SUCCESS;
		}
	return TPM_RC_SESSION_MEMORY;
}

tpm_rc session_create(struct tpm *t, TPM_SE type, struct tpm_session **session)
{
	struct tpm_session_slot *slot;
	uint32_t n = 0;

	TRY(session_take_slot(t, &slot));
	while (n < MAX_ACTIVE_SESSIONS && t->contexts.sessions.slot[n])
		n++;
	if (n == MAX_ACTIVE_SESSIONS)
		return TPM_RC_SESSION_HANDLES;
	SET(t, t->contexts.sessions.slot[n], (uint64_t)(slot - t->sessions) + 1);
	*session = &slot->s;
	(*session)->type = type;
	(*session)->handle = (type == TPM_SE_HMAC ? HMAC_SESSION_FIRST : POLICY_SESSION_FIRST) + n;
	return TPM_RC_SUCCESS;
}

void session_flush(struct tpm *t, TPM_HANDLE handle)
{
	struct tpm_session_slot *slot = session_slot(t, handle);

	t->sweep = true;
	if (slot)
		SET(t, slot->removing, true);
	else if (session_is_saved(t, handle))
		SET(t, *session_place(t, handle), 0);
	if (t->exclusive == handle)
		SET(t, t->exclusive, 0);
}

void session_sweep(struct tpm *t)
{
	for (size_t i = 0; i < MAX_LOADED_SESSIONS; i++) {
		struct tpm_session_slot *slot = &t->sessions[i];
		uint64_t *place;

		if (!slot->removing && (slot->in_use || slot->s.handle == 0))
			continue;
		place = session_place(t, slot->s.handle);
		if (place && *place == i + 1)
			*place = 0;
		cvtpm_wipe(slot, sizeof *slot);
	}
}

/* Part 3, 11.2: what a policy has collected, but not what the session is. */
void session_reset_policy(struct tpm *t, struct tpm_session *s)
{
	CHANGE(t, *s);
	s->bits &= SESSION_BOUND | SESSION_DA_BOUND | SESSION_LOCKOUT_BOUND | SESSION_AUDIT |
		   SESSION_TRIAL;
	s->policyDigest.size = hash_size(s->authHash);
	memset(s->policyDigest.buffer, 0, sizeof s->policyDigest.buffer);
	s->digestKind = DIGEST_NONE;
	memset(&s->digest, 0, sizeof s->digest);
	s->commandCode = 0;
	s->commandLocality = 0;
	s->pcrCounter = 0;
	s->timeout = 0;
}
