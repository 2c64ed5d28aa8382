/* What the attestation commands share (Part 3, 18.1). */
#include "tpm/tpm.h"

#include "crypto/mem.h"

tpm_rc attest_signer(struct tpm *t, TPM_HANDLE handle, unsigned h, TPMT_SIG_SCHEME *scheme,
		     unsigned p, const struct tpm_object **signer)
{
	*signer = handle == TPM_RH_NULL ? NULL : object_get(t, handle);
	if (handle != TPM_RH_NULL && (!*signer || !key_is_signing(*signer)))
		return RC_H(h, TPM_RC_KEY);
	return rc_p(p, key_select_scheme(*signer, scheme));
}

/* Reset counts and firmware version would tell that two keys sit in one TPM. To a key of
 * the owner they are shown shifted by a secret of its own: the differences stay true. */
static tpm_rc attest_obfuscate(struct tpm *t, TPM_ALG_ID alg, TPMS_ATTEST *attest)
{
	const TPM2B_DIGEST *proof = &hierarchy_get(t, TPM_RH_OWNER)->proof;
	uint8_t mask[16];
	struct reader r = {mask, sizeof mask};
	uint32_t part[4] = {0};

	TRY(selftest_need(t, alg));
	if (cvtpm_kdfa((enum cvtpm_hash_alg)alg, OCTETS(*proof), CVTPM_TEXT("OBFUSCATE"),
		       OCTETS(attest->qualifiedSigner), (struct cvtpm_octets){0}, 8 * sizeof mask,
		       mask))
		return tpm_fail(t, "KDFa failed");
	for (size_t i = 0; i < 4; i++)
		TRY(read_u32(&r, &part[i]));
	attest->firmwareVersion += (uint64_t)part[0] << 32 | part[1];
	attest->clockInfo.resetCount += part[2];
	attest->clockInfo.restartCount += part[3];
	return TPM_RC_SUCCESS;
}

tpm_rc attest_begin(struct tpm *t, const struct tpm_object *signer, TPMI_ST_ATTEST type,
		    const TPM2B_DATA *extra, TPMS_ATTEST *attest)
{
	TPM_HANDLE hierarchy = signer ? signer->hierarchy : TPM_RH_NULL;
	TPM_ALG_ID alg = CONTEXT_HASH;

	attest->magic = TPM_GENERATED_VALUE;
	attest->type = type;
	attest->extraData = *extra;
	attest->firmwareVersion = FIRMWARE_VERSION;
	clock_info(t, &attest->clockInfo);
	if (signer)
		attest->qualifiedSigner = signer->qualifiedName;
	else
		entity_name(t, TPM_RH_NULL, &attest->qualifiedSigner);
	if (hierarchy == TPM_RH_ENDORSEMENT || hierarchy == TPM_RH_PLATFORM)
		return TPM_RC_SUCCESS;
	if (signer && signer->publicArea.nameAlg != TPM_ALG_NULL)
		alg = signer->publicArea.nameAlg;
	return attest_obfuscate(t, alg, attest);
}

/* Somebody may rely on a clock that was signed: should the power fail now, it must not
 * go on, as safe, from where TPM2_Shutdown left it. */
static void attest_clock_is_told(struct tpm *t)
{
	if (t->run.orderly == ORDERLY_NONE)
		return;
	t->run.orderly = ORDERLY_NONE;
	t->dirty_monotone |= RECORD_RUN;
}

/* An anonymous signature is not to be told from that of any other holder of such a
 * credential: no qualified name says which key it is. The caller's data is signed, but not
 * part of what is. */
static void attest_anonymise(TPMS_ATTEST *attest, TPM2B_DATA *qualifying)
{
	*qualifying = attest->extraData;
	attest->extraData.size = 0;
	attest->qualifiedSigner.size = 0;
	if (attest->type == TPM_ST_ATTEST_CERTIFY)
		attest->attested.certify.qualifiedName.size = 0;
}

tpm_rc attest_finish(struct tpm *t, const struct tpm_object *signer, const TPMT_SIG_SCHEME *scheme,
		     TPMS_ATTEST *attest, TPM2B_ATTEST *out, TPMT_SIGNATURE *signature)
{
	struct cvtpm_octets part = {out->buffer, 0};
	TPM2B_DATA qualifying = {.size = 0};
	TPM2B_DIGEST digest;

	if (scheme->scheme == TPM_ALG_ECDAA)
		attest_anonymise(attest, &qualifying);
	part.len = type_marshal(&type_TPMS_ATTEST, attest, out->buffer, sizeof out->buffer);
	if (part.len == 0)
		return tpm_fail(t, "an attestation does not fit its buffer");
	out->size = (uint16_t)part.len;
	if (!signer) {
		signature->sigAlg = TPM_ALG_NULL;
		return TPM_RC_SUCCESS;
	}
	TRY(tpm_hash(t, scheme->details.any.hashAlg, &part, 1, &digest));
	if (qualifying.size)
		TRY(tpm_hash(t, scheme->details.any.hashAlg,
			     (const struct cvtpm_octets[]){OCTETS(qualifying), OCTETS(digest)}, 2,
			     &digest));
	TRY(key_sign(t, signer, scheme, &digest, signature));
	attest_clock_is_told(t);
	return TPM_RC_SUCCESS;
}
