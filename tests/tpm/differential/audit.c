/*
 * What each TPM must have audited: digests over the bytes that went to and fro, kept
 * beside the TPMs as an auditor would. Nonces and keys differ between the two, and so do
 * the digests; each is held against its own.
 */
#include "world.h"

/* digest := H(digest || cpHash || rpHash) */
static void extend(const struct world *of, TPM_ALG_ID alg, const struct pair *p, enum side s,
		   TPM2B_DIGEST *digest)
{
	static uint8_t bytes[8192]; /* too large for small stacks */
	const unsigned handles = command_handles(p->command);
	const struct rig *e = of->rig[s];
	size_t at = HEADER_SIZE + 4 * handles;
	struct writer w = {bytes, sizeof bytes, false};
	TPM2B_DIGEST hash[2];

	if (digest->size == 0) {
		memset(digest, 0, sizeof *digest);
		digest->size = (uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg)alg);
	}
	if (number_at(e->command, 2) == TPM_ST_SESSIONS)
		at += 4 + number_at(e->command + at, 4);
	write_u32(&w, p->command->code);
	for (unsigned n = 0; n < handles; n++)
		write_bytes(&w, p->entity[n].name[s].buffer, p->entity[n].name[s].size);
	write_bytes(&w, e->command + at, e->command_len - at);
	hash[0] = digest_of_bytes(alg, bytes, sizeof bytes - w.left);

	w = (struct writer){bytes, sizeof bytes, false};
	write_u32(&w, TPM_RC_SUCCESS);
	write_u32(&w, p->command->code);
	at = HEADER_SIZE + (p->command->flags & CC_RHANDLE ? 4 : 0);
	if (number_at(e->response, 2) == TPM_ST_SESSIONS)
		write_bytes(&w, e->response + at + 4, number_at(e->response + at, 4));
	else
		write_bytes(&w, e->response + at, e->response_len - at);
	hash[1] = digest_of_bytes(alg, bytes, sizeof bytes - w.left);

	w = (struct writer){bytes, sizeof bytes, false};
	write_bytes(&w, digest->buffer, digest->size);
	write_bytes(&w, hash[0].buffer, hash[0].size);
	write_bytes(&w, hash[1].buffer, hash[1].size);
	*digest = digest_of_bytes(alg, bytes, sizeof bytes - w.left);
}

/* ---- sessions ---- */

static void note_sessions(const struct world *w, struct pair *p, enum side s)
{
	for (unsigned n = 0; n < p->session_count; n++) {
		TPMA_SESSION attributes = p->sessions[s][n].attributes;
		struct world_session *ws = p->of_world[n];

		if (!ws || !(attributes & TPMA_SESSION_AUDIT))
			continue;
		if (attributes & TPMA_SESSION_AUDITRESET)
			ws->audit[s].size = 0;
		extend(w, ws->s[s].authHash, p, s, &ws->audit[s]);
	}
}

/* ---- commands ---- */

void audit_begin_world(struct world *w)
{
	EACH_SIDE (s)
		w->audit[s] = (struct world_audit){.alg = TPM_ALG_SHA512};
}

static bool audit_covers(const struct world_audit *a, TPM_CC code)
{
	return code == TPM_CC_SetCommandCodeAuditStatus ||
	       (code != TPM_CC_Shutdown && a->chosen[code]);
}

static void choose(struct world_audit *a, const TPML_CC *list, bool chosen)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (command_find(list->commandCodes[i]))
			a->chosen[list->commandCodes[i]] = chosen;
}

static void clear_digest(struct world_audit *a)
{
	a->digest.size = 0;
	a->unknown = false;
}

/* What commands do to it. False: and this one is not audited. */
static bool note_effect(struct world *w, const struct pair *p, enum side s)
{
	const union command_in *in = &p->in[s];
	struct world_audit *a = &w->audit[s];
	TPM_ALG_ID alg;

	switch (p->command->code) {
	case TPM_CC_Startup: /* after TPM2_Shutdown(STATE) a restart or resume */
		if (!a->kept)
			clear_digest(a);
		break;
	case TPM_CC_Clear:
		if (s == OTHER) /* docs/differences.md: The audit counter */
			a->counter = 0;
		break;
	case TPM_CC_GetCommandAuditDigest:
		w->told[s] = *a;
		if (in->GetCommandAuditDigest.signHandle != TPM_RH_NULL)
			clear_digest(a);
		break;
	case TPM_CC_SetCommandCodeAuditStatus:
		alg = in->SetCommandCodeAuditStatus.auditAlg;
		if (alg != TPM_ALG_NULL && alg != a->alg) {
			a->alg = alg;
			clear_digest(a);
			return false;
		}
		choose(a, &in->SetCommandCodeAuditStatus.setList, true);
		choose(a, &in->SetCommandCodeAuditStatus.clearList, false);
		break;
	default:
		break;
	}
	return true;
}

/* Where no HMAC needed it, an operation may not have looked for the name. */
static bool is_named(const struct pair *p)
{
	for (unsigned n = 0; n < command_handles(p->command); n++) {
		TPM_HANDLE handle = p->entity[n].handle[NATIVE];
		TPM2B_NAME own = name_of_handle(handle);
		uint8_t type = HANDLE_TYPE(handle);

		if ((type == TPM_HT_NV_INDEX || type == TPM_HT_TRANSIENT ||
		     type == TPM_HT_PERSISTENT) &&
		    p->entity[n].name[NATIVE].size == own.size)
			return false;
	}
	return p->command->code != TPM_CC_NV_ReadPublic; /* which asks for it */
}

void audit_note(struct world *w, struct pair *p, enum side s)
{
	struct world_audit *a = &w->audit[s];
	bool audited = true;

	if (!p->mangled) {
		note_sessions(w, p, s);
		audited = note_effect(w, p, s);
	}
	if (audited && audit_covers(a, p->command->code)) {
		a->counter += a->digest.size == 0;
		extend(w, a->alg, p, s, &a->digest);
		a->unknown |= p->mangled || !is_named(p);
	}
	a->kept = p->command->code == TPM_CC_Shutdown &&
		  p->in[s].Shutdown.shutdownType == TPM_SU_STATE;
}

/* ---- what the TPMs say of it ---- */

static void same_digest(struct world *w, enum side s, const char *what, const TPM2B_DIGEST *said,
			const TPM2B_DIGEST *computed)
{
	static const char *const engines[] = {"native", "libtpms"};

	if (said->size != computed->size || memcmp(said->buffer, computed->buffer, said->size) != 0)
		differ(w, "%s: %s does not say what was computed", what, engines[s]);
}

void audit_check(struct world *w, enum side s, const TPMS_COMMAND_AUDIT_INFO *info)
{
	const struct world_audit *a = &w->told[s];
	static uint8_t codes[4 * 0x200];
	struct writer writer = {codes, sizeof codes, false};
	TPM2B_DIGEST list;

	if (!a->unknown)
		same_digest(w, s, "GetCommandAuditDigest: auditDigest", &info->auditDigest,
			    &a->digest);
	if (info->digestAlg != a->alg)
		differ(w, "GetCommandAuditDigest: digestAlg: side %d says %x", s, info->digestAlg);
	if (info->auditCounter != a->counter)
		differ(w, "GetCommandAuditDigest: auditCounter: side %d says %llu, not %llu", s,
		       (unsigned long long)info->auditCounter, (unsigned long long)a->counter);
	for (size_t i = 0; i < command_count; i++)
		if (audit_covers(a, commands[i]->code))
			write_u32(&writer, commands[i]->code);
	list = digest_of_bytes(a->alg, codes, sizeof codes - writer.left);
	same_digest(w, s, "GetCommandAuditDigest: commandDigest", &info->commandDigest, &list);
}

void audit_check_session(struct world *w, enum side s, const TPMS_SESSION_AUDIT_INFO *info,
			 const struct world_session *session)
{
	same_digest(w, s, "GetSessionAuditDigest: sessionDigest", &info->sessionDigest,
		    &session->audit[s]);
}
