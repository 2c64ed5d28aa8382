/* Session audit (Part 1, 19.6.14): a digest over commands and responses, and which
 * session has seen all of them since it began. */
#include "tpm/tpm.h"

#include "crypto/mem.h"

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
	TPM2B_DIGEST old;

	CHANGE(t, s->bits);
	CHANGE(t, s->auditDigest);
	if (!(s->bits & SESSION_AUDIT) || fs->attributes & TPMA_SESSION_AUDITRESET) {
		s->bits |= SESSION_AUDIT;
		s->bits &= ~(uint32_t)SESSION_BOUND; /* a wrong HMAC still counts as it did */
		s->auditDigest.size = hash_size(s->authHash);
		memset(s->auditDigest.buffer, 0, sizeof s->auditDigest.buffer);
		SET(t, t->exclusive, fs->handle);
	}
	old = s->auditDigest;
	return tpm_hash(t, s->authHash,
			(const struct cvtpm_octets[]){OCTETS(old), OCTETS(t->frame.audit_cp_hash),
						      OCTETS(*rp_hash)},
			3, &s->auditDigest);
}
