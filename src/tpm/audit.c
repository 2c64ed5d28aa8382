/*
 * Audit: digests over commands and their responses, of two kinds.
 *
 * Session audit (Part 1, 19.6.14): of the commands that a session was used to audit, and
 * which session has seen all of them since it began.
 * Command audit (Part 3, 21): of the commands that were chosen, whoever sent them.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

/* digest := H(digest || cpHash || rpHash), from a Zero Digest on where `begin` */
static tpm_rc extend(struct tpm *t, TPM_ALG_ID alg, bool begin, TPM2B_DIGEST *digest,
		     const TPM2B_DIGEST *cp_hash, const TPM2B_DIGEST *rp_hash)
{
	TPM2B_DIGEST old;

	CHANGE(t, *digest);
	if (begin) {
		digest->size = hash_size(alg);
		memset(digest->buffer, 0, sizeof digest->buffer);
	}
	old = *digest;
	return tpm_hash(
		t, alg,
		(const struct cvtpm_octets[]){OCTETS(old), OCTETS(*cp_hash), OCTETS(*rp_hash)}, 3,
		digest);
}

/* ---- session audit ---- */

/* A command that another session audits, or none, ends exclusiveness, unless it is one that
 * could not have been audited. */
void audit_begin(struct tpm *t)
{
	const struct frame *f = &t->frame;
	TPM_HANDLE handle = f->audit >= 0 ? f->sessions[f->audit].handle : 0;

	if (f->command->flags & CC_NO_SESSIONS)
		return;
	if (t->exclusive && t->exclusive != handle)
		SET(t, t->exclusive, 0);
}

tpm_rc audit_session(struct tpm *t, const struct frame_session *fs, const TPM2B_DIGEST *rp_hash)
{
	struct tpm_session *s = fs->session;
	bool begin = !(s->bits & SESSION_AUDIT) || fs->attributes & TPMA_SESSION_AUDITRESET;

	if (begin) {
		CHANGE(t, s->bits);
		s->bits |= SESSION_AUDIT;
		s->bits &= ~(uint32_t)SESSION_BOUND; /* a wrong HMAC still counts as it did */
		SET(t, t->exclusive, fs->handle);
	}
	return extend(t, s->authHash, begin, &s->auditDigest, &t->frame.audit_cp_hash, rp_hash);
}

/* ---- command audit ---- */

void audit_loaded(struct tpm *t)
{
	if (!t->audit.hashAlg)
		t->audit.hashAlg = CONTEXT_HASH;
}

/* Always the choice itself, never TPM2_Shutdown, whatever the set says. */
bool audit_required(struct tpm *t, const struct command *command)
{
	TPM_CC code = command->code;

	return code == TPM_CC_SetCommandCodeAuditStatus ||
	       (code != TPM_CC_Shutdown && command_set_has(&t->audit.commands, code));
}

void audit_choose(struct tpm *t, const TPML_CC *list, bool audited)
{
	CHANGE(t, t->audit.commands);
	for (uint32_t i = 0; i < list->count; i++)
		if (command_find(list->commandCodes[i]))
			command_set_put(&t->audit.commands, list->commandCodes[i], audited);
}

void audit_clear(struct tpm *t)
{
	SET(t, t->audit.digest.size, 0);
}

tpm_rc audit_commands_digest(struct tpm *t, TPM2B_DIGEST *digest)
{
	uint8_t codes[8 * sizeof(tpm_command_set) * sizeof(TPM_CC)];
	struct writer w = {codes, sizeof codes, false};
	struct cvtpm_octets part = {codes, 0};

	for (size_t i = 0; i < command_count; i++)
		if (audit_required(t, commands[i]))
			write_u32(&w, commands[i]->code);
	part.len = (size_t)(w.at - codes);
	return tpm_hash(t, t->audit.hashAlg, &part, 1, digest);
}

tpm_rc audit_command_begin(struct tpm *t)
{
	struct frame *f = &t->frame;

	if (t->failed || !audit_required(t, f->command))
		return TPM_RC_SUCCESS;
	f->command_audit_alg = t->audit.hashAlg;
	return auth_cp_hash(t, f->command_audit_alg, &f->command_audit_cp_hash);
}

/* A command that has changed the hash is not audited: the other hash shows that it was there. */
tpm_rc audit_command(struct tpm *t, struct cvtpm_octets parameters)
{
	const struct frame *f = &t->frame;
	TPM_ALG_ID alg = f->command_audit_alg;
	bool begin = t->audit.digest.size == 0;
	TPM2B_DIGEST rp_hash;

	if (!alg || alg != t->audit.hashAlg)
		return TPM_RC_SUCCESS;
	if (begin) {
		SET(t, t->audit.counter, t->audit.counter + 1);
		DIRTY(t, RECORD_AUDIT);
	}
	TRY(auth_rp_hash(t, alg, parameters, &rp_hash));
	return extend(t, alg, begin, &t->audit.digest, &f->command_audit_cp_hash, &rp_hash);
}

/* Where nothing was ever audited, the record says nothing that its absence does not. */
void audit_shutdown(struct tpm *t)
{
	if (t->audit.counter)
		DIRTY(t, RECORD_AUDIT);
}
