/*
 * Part 3, 17: hash, HMAC and event sequences.
 *
 * Names of sequences are empty, their authValues are what the command that started
 * them said. A ticket may be had for a hash whose first block shows, in four bytes at
 * least, that the data does not begin with TPM_GENERATED_VALUE.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

static struct tpm_sequence *sequence_get(struct tpm *t, TPM_HANDLE handle)
{
	struct tpm_slot *slot =
		HANDLE_TYPE(handle) == TPM_HT_TRANSIENT ? object_slot_of(t, handle) : NULL;

	return slot && slot->use == SLOT_SEQUENCE ? &slot->sequence : NULL;
}

/* A fresh sequence with what all kinds have. */
static tpm_rc sequence_new(struct tpm *t, uint8_t kind, TPM_ALG_ID alg, const TPM2B_AUTH *auth,
			   TPM_HANDLE *handle, struct tpm_sequence **sequence)
{
	struct tpm_slot *slot;

	TRY(object_slot(t, SLOT_SEQUENCE, &slot, handle));
	*sequence = &slot->sequence;
	(*sequence)->kind = kind;
	(*sequence)->hashAlg = alg;
	(*sequence)->first = true;
	(*sequence)->authValue = *auth;
	auth_trim(&(*sequence)->authValue);
	return TPM_RC_SUCCESS;
}

static tpm_rc sequence_hash_begin(struct tpm *t, TPM_ALG_ID alg, struct cvtpm_hash *hash)
{
	TRY(selftest_need(t, alg));
	if (cvtpm_hash_begin(hash, (enum cvtpm_hash_alg)alg))
		return tpm_fail(t, "a hash could not be begun");
	return TPM_RC_SUCCESS;
}

/* 17.2: starts an HMAC with an unrestricted key. */
COMMAND_BODY(HMAC_Start)
{
	const TPM2B_SENSITIVE_DATA *bits;
	const struct tpm_object *key;
	struct tpm_sequence *sequence;

	TRY(key_select_hmac(t, in->handle_, &in->hashAlg, 2, &key));
	TRY(selftest_need(t, in->hashAlg));
	TRY(selftest_need(t, TPM_ALG_HMAC));
	TRY(sequence_new(t, SEQUENCE_HMAC, in->hashAlg, &in->auth, &out->handle, &sequence));
	bits = &key->sensitive.sensitiveArea.sensitive.bits;
	if (cvtpm_hmac_begin(&sequence->state.hmac, (enum cvtpm_hash_alg)in->hashAlg, bits->buffer,
			     bits->size))
		return tpm_fail(t, "an HMAC could not be begun");
	return TPM_RC_SUCCESS;
}

/* 17.4: starts a hash, or with TPM_ALG_NULL an event. */
COMMAND_BODY(HashSequenceStart)
{
	bool event = in->hashAlg == TPM_ALG_NULL;
	struct tpm_sequence *sequence;

	TRY(sequence_new(t, event ? SEQUENCE_EVENT : SEQUENCE_HASH, in->hashAlg, &in->auth,
			 &out->handle, &sequence));
	if (!event)
		return sequence_hash_begin(t, in->hashAlg, &sequence->state.hash[0]);
	for (size_t i = 0; i < HASH_COUNT; i++)
		TRY(sequence_hash_begin(t, event_hashes[i], &sequence->state.hash[i]));
	return TPM_RC_SUCCESS;
}

/* Adds a block. The first one of a hash decides on the ticket. */
static tpm_rc sequence_add(struct tpm *t, struct tpm_sequence *sequence,
			   const TPM2B_MAX_BUFFER *block)
{
	size_t hashes = sequence->kind == SEQUENCE_EVENT ? HASH_COUNT : 1;
	int err = 0;

	CHANGE(t, *sequence);
	if (sequence->first)
		sequence->ticket = block->size >= sizeof(TPM_GENERATED) &&
				   !ticket_starts_generated(OCTETS(*block));
	sequence->first = false;
	if (sequence->kind == SEQUENCE_HMAC)
		err = cvtpm_hmac_update(&sequence->state.hmac, block->buffer, block->size);
	else
		for (size_t i = 0; i < hashes && !err; i++)
			err = cvtpm_hash_update(&sequence->state.hash[i], block->buffer,
						block->size);
	return err ? tpm_fail(t, "a hash could not be continued") : TPM_RC_SUCCESS;
}

/* 17.5: adds data to a sequence of any kind. */
COMMAND_BODY(SequenceUpdate)
{
	struct tpm_sequence *sequence = sequence_get(t, in->sequenceHandle);

	if (!sequence)
		return RC_H(1, TPM_RC_MODE);
	return sequence_add(t, sequence, &in->buffer);
}

/* 17.6: adds the last data and gives the digest or HMAC; the sequence ends. */
COMMAND_BODY(SequenceComplete)
{
	struct tpm_sequence *sequence = sequence_get(t, in->sequenceHandle);
	int err;

	if (!sequence || sequence->kind == SEQUENCE_EVENT)
		return RC_H(1, TPM_RC_MODE);
	TRY(sequence_add(t, sequence, &in->buffer));
	err = sequence->kind == SEQUENCE_HMAC
		      ? cvtpm_hmac_end(&sequence->state.hmac, out->result.buffer)
		      : cvtpm_hash_end(&sequence->state.hash[0], out->result.buffer);
	if (err)
		return tpm_fail(t, "a hash could not be completed");
	out->result.size = hash_size(sequence->hashAlg);
	object_flush(t, in->sequenceHandle);
	out->validation.tag = TPM_ST_HASHCHECK;
	out->validation.hierarchy = TPM_RH_NULL;
	if (sequence->kind == SEQUENCE_HMAC || !sequence->ticket || in->hierarchy == TPM_RH_NULL)
		return TPM_RC_SUCCESS;
	return ticket_hashcheck(t, in->hierarchy, sequence->hashAlg, &out->result,
				&out->validation);
}

/* 17.7: adds the last data, gives a digest for each hash, extends a PCR with them. */
COMMAND_BODY(EventSequenceComplete)
{
	struct tpm_sequence *sequence = sequence_get(t, in->sequenceHandle);

	if (!sequence || sequence->kind != SEQUENCE_EVENT)
		return RC_H(2, TPM_RC_MODE);
	if (in->pcrHandle != TPM_RH_NULL && !pcr_may_extend(t, in->pcrHandle, t->frame.locality))
		return TPM_RC_LOCALITY;
	TRY(sequence_add(t, sequence, &in->buffer));
	for (size_t i = 0; i < HASH_COUNT; i++) {
		TPMT_HA *result = &out->results.digests[i];

		result->hashAlg = event_hashes[i];
		if (cvtpm_hash_end(&sequence->state.hash[i], (uint8_t *)&result->digest))
			return tpm_fail(t, "a hash could not be completed");
		TRY(pcr_extend(t, in->pcrHandle, event_hashes[i], (uint8_t *)&result->digest));
	}
	out->results.count = HASH_COUNT;
	object_flush(t, in->sequenceHandle);
	return TPM_RC_SUCCESS;
}
