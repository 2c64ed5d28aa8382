/* Part 3, 21: command audit. */
#include "tpm/tpm.h"

/* 21.2: which commands are audited, or with which hash, but not both at once. */
COMMAND_BODY(SetCommandCodeAuditStatus)
{
	bool change = in->auditAlg != TPM_ALG_NULL && in->auditAlg != t->audit.hashAlg;

	if (change && (in->setList.count || in->clearList.count))
		return RC_P(1, TPM_RC_VALUE);
	if (change) {
		SET(t, t->audit.hashAlg, in->auditAlg);
		audit_clear(t);
	}
	audit_choose(t, &in->setList, true);
	audit_choose(t, &in->clearList, false);
	DIRTY(t, RECORD_AUDIT);
	return TPM_RC_SUCCESS;
}
