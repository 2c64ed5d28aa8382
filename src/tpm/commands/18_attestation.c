/* Part 3, 18: attestation. NV_Certify (31.16) is in the chapter of NV. */
#include "tpm/tpm.h"

/* 18.2: that an object with this name is loaded, public and private part. */
COMMAND_BODY(Certify)
{
	const struct tpm_object *signer, *object = object_get(t, in->objectHandle);
	TPMS_ATTEST attest;

	TRY(attest_signer(t, in->signHandle, 2, &in->inScheme, 2, &signer));
	if (!object) /* a sequence has no name to certify */
		return RC_H(1, TPM_RC_TYPE);
	TRY(attest_begin(t, signer, TPM_ST_ATTEST_CERTIFY, &in->qualifyingData, &attest));
	attest.attested.certify.name = object->name;
	attest.attested.certify.qualifiedName = object->qualifiedName;
	return attest_finish(t, signer, &in->inScheme, &attest, &out->certifyInfo, &out->signature);
}

/* 18.3: that an object was made by this TPM, with this creation data. */
COMMAND_BODY(CertifyCreation)
{
	const struct tpm_object *signer, *object = object_get(t, in->objectHandle);
	TPMT_TK_CREATION ticket;
	TPMS_ATTEST attest;

	TRY(attest_signer(t, in->signHandle, 1, &in->inScheme, 3, &signer));
	if (!object)
		return RC_H(2, TPM_RC_TYPE);
	TRY(ticket_creation(t, in->creationTicket.hierarchy, &object->name, &in->creationHash,
			    &ticket));
	if (!EQUAL_2B(ticket.digest, in->creationTicket.digest))
		return RC_P(4, TPM_RC_TICKET);
	TRY(attest_begin(t, signer, TPM_ST_ATTEST_CREATION, &in->qualifyingData, &attest));
	attest.attested.creation.objectName = object->name;
	attest.attested.creation.creationHash = in->creationHash;
	return attest_finish(t, signer, &in->inScheme, &attest, &out->certifyInfo, &out->signature);
}

/* 18.4: the values of PCRs. */
COMMAND_BODY(Quote)
{
	const struct tpm_object *signer;
	TPMS_ATTEST attest;

	TRY(attest_signer(t, in->signHandle, 1, &in->inScheme, 2, &signer));
	if (in->inScheme.scheme == TPM_ALG_NULL) /* nothing says what the PCRs are hashed with */
		return RC_P(2, TPM_RC_SCHEME);
	TRY(attest_begin(t, signer, TPM_ST_ATTEST_QUOTE, &in->qualifyingData, &attest));
	attest.attested.quote.pcrSelect = in->PCRselect;
	TRY(pcr_digest(t, in->inScheme.details.any.hashAlg, &attest.attested.quote.pcrSelect,
		       &attest.attested.quote.pcrDigest));
	return attest_finish(t, signer, &in->inScheme, &attest, &out->quoted, &out->signature);
}

/* 18.5: what a session has audited. */
COMMAND_BODY(GetSessionAuditDigest)
{
	const struct tpm_session *session = session_get(t, in->sessionHandle);
	const struct tpm_object *signer;
	TPMS_ATTEST attest;

	TRY(attest_signer(t, in->signHandle, 2, &in->inScheme, 2, &signer));
	if (!(session->bits & SESSION_AUDIT))
		return RC_H(3, TPM_RC_TYPE);
	TRY(attest_begin(t, signer, TPM_ST_ATTEST_SESSION_AUDIT, &in->qualifyingData, &attest));
	attest.attested.sessionAudit.exclusiveSession = t->exclusive == in->sessionHandle;
	attest.attested.sessionAudit.sessionDigest = session->auditDigest;
	return attest_finish(t, signer, &in->inScheme, &attest, &out->auditInfo, &out->signature);
}

/* 18.6: what audited commands have done since this was last signed. */
COMMAND_BODY(GetCommandAuditDigest)
{
	const struct tpm_object *signer;
	TPMS_COMMAND_AUDIT_INFO *info;
	TPMS_ATTEST attest;

	TRY(attest_signer(t, in->signHandle, 2, &in->inScheme, 2, &signer));
	TRY(attest_begin(t, signer, TPM_ST_ATTEST_COMMAND_AUDIT, &in->qualifyingData, &attest));
	info = &attest.attested.commandAudit;
	info->auditCounter = t->audit.counter;
	info->digestAlg = t->audit.hashAlg;
	info->auditDigest = t->audit.digest;
	TRY(audit_commands_digest(t, &info->commandDigest));
	TRY(attest_finish(t, signer, &in->inScheme, &attest, &out->auditInfo, &out->signature));
	if (signer)
		audit_clear(t);
	return TPM_RC_SUCCESS;
}

/* 18.7: time and clock, which only the privacy administrator may see unshifted. */
COMMAND_BODY(GetTime)
{
	const struct tpm_object *signer;
	TPMS_ATTEST attest;

	TRY(attest_signer(t, in->signHandle, 2, &in->inScheme, 2, &signer));
	TRY(attest_begin(t, signer, TPM_ST_ATTEST_TIME, &in->qualifyingData, &attest));
	attest.attested.time.time.time = clock_time(t);
	clock_info(t, &attest.attested.time.time.clockInfo);
	attest.attested.time.firmwareVersion = FIRMWARE_VERSION;
	return attest_finish(t, signer, &in->inScheme, &attest, &out->timeInfo, &out->signature);
}
