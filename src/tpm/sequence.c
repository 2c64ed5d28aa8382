#include "tpm/tpm.h"

#include "crypto/mem.h"

/* tpm_saved_sequence.flags */
enum { SAVED_FIRST = 1 << 0, SAVED_TICKET = 1 << 1 };

/* What an event is hashed with: every hash there is, whatever PCR banks are allocated. */
const TPM_ALG_ID event_hashes[HASH_COUNT] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384,
					     TPM_ALG_SHA512};

static uint32_t state_count(uint8_t kind)
{
	return kind == SEQUENCE_EVENT ? HASH_COUNT : 1;
}

void sequence_save(const struct tpm_sequence *sequence, struct tpm_saved_sequence *saved)
{
	saved->kind = sequence->kind;
	saved->hashAlg = sequence->hashAlg;
	saved->authValue = sequence->authValue;
	saved->flags = (uint16_t)((sequence->first ? SAVED_FIRST : 0) |
				  (sequence->ticket ? SAVED_TICKET : 0));
	saved->hierarchy = TPM_RH_NULL;
	saved->states.count = state_count(sequence->kind);
	for (size_t i = 0; i < saved->states.count; i++) {
		tpm_hash_state *state = &saved->states.state[i];

		if (sequence->kind == SEQUENCE_HMAC) {
			state->size = CVTPM_HMAC_STATE_SIZE;
			cvtpm_hmac_export(&sequence->state.hmac, state->buffer);
		} else {
			state->size = CVTPM_HASH_STATE_SIZE;
			cvtpm_hash_export(&sequence->state.hash[i], state->buffer);
		}
	}
}

static int restore_state(const tpm_hash_state *state, struct tpm_sequence *sequence, size_t i)
{
	TPM_ALG_ID alg;

	if (sequence->kind == SEQUENCE_HMAC) {
		if (state->size != CVTPM_HMAC_STATE_SIZE)
			return CVTPM_ERR_FORMAT;
		CVTPM_TRY(cvtpm_hmac_import(&sequence->state.hmac, state->buffer));
		return sequence->state.hmac.inner.alg == sequence->hashAlg ? 0 : CVTPM_ERR_FORMAT;
	}
	if (state->size != CVTPM_HASH_STATE_SIZE)
		return CVTPM_ERR_FORMAT;
	CVTPM_TRY(cvtpm_hash_import(&sequence->state.hash[i], state->buffer));
	alg = sequence->kind == SEQUENCE_EVENT ? event_hashes[i] : sequence->hashAlg;
	return sequence->state.hash[i].alg == alg ? 0 : CVTPM_ERR_FORMAT;
}

int sequence_restore(const struct tpm_saved_sequence *saved, struct tpm_sequence *sequence)
{
	if (saved->kind < SEQUENCE_HASH || saved->kind > SEQUENCE_EVENT ||
	    saved->states.count != state_count(saved->kind) ||
	    saved->flags & ~(SAVED_FIRST | SAVED_TICKET))
		return CVTPM_ERR_FORMAT;
	sequence->kind = saved->kind;
	sequence->hashAlg = saved->hashAlg;
	sequence->authValue = saved->authValue;
	sequence->first = saved->flags & SAVED_FIRST;
	sequence->ticket = saved->flags & SAVED_TICKET;
	for (size_t i = 0; i < saved->states.count; i++)
		CVTPM_TRY(restore_state(&saved->states.state[i], sequence, i));
	return 0;
}
