/*
 * Saved contexts of objects, sequences and sessions (Part 1, 30; Part 2, 14).
 *
 *     blob := integrity as a TPM2B || iv (16 bytes) || CFB(key, sequence || content)
 *     key  := KDFa(SHA-512, proof, "CONTEXT", sequence, savedHandle, 256 bits)
 *     integrity := HMAC-SHA-512(proof, version || totalResetCount || [clearCount] ||
 *                               sequence || savedHandle || iv || ciphertext)
 *
 * `proof` is that of the hierarchy. The counters make a context die when it must:
 * totalResetCount at each TPM Reset, clearCount, which counts for stClear objects alone, at
 * each TPM Reset and Restart. The iv is random, since the numbers of object contexts begin
 * again at each reset, and the same key and iv would then serve twice.
 *
 * `content` is written by the tables of state.def. A later release that changes them
 * changes CONTEXT_VERSION, and answers TPM_RC_INTEGRITY to older contexts.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

#define CONTEXT_VERSION 1
#define IV_SIZE         MAX_SYM_BLOCK_SIZE
#define SEQUENCE_BYTES  8 /* of the sequence number in front of the content */

/* TPMS_CONTEXT.savedHandle of what is no session */
#define SAVED_OBJECT   (TRANSIENT_FIRST + 0)
#define SAVED_SEQUENCE (TRANSIENT_FIRST + 1)
#define SAVED_STCLEAR  (TRANSIENT_FIRST + 2)

/* Where the parts of a blob lie. */
#define IV_AT      (2u + hash_size(CONTEXT_HASH))
#define SECRET_AT  (IV_AT + IV_SIZE)
#define CONTENT_AT (SECRET_AT + SEQUENCE_BYTES)

/* ---- protection ---- */

static tpm_rc context_cipher(struct tpm *t, TPMS_CONTEXT *context, bool encrypt)
{
	const TPM2B_DIGEST *proof = &hierarchy_get(t, context->hierarchy)->proof;
	uint8_t sequence[8], handle[4], key[CONTEXT_KEY_BITS / 8], iv[IV_SIZE];
	uint8_t *secret = context->contextBlob.buffer + SECRET_AT;
	size_t len = context->contextBlob.size - SECRET_AT;
	int err;

	TRY(selftest_need(t, TPM_ALG_KDF1_SP800_108));
	TRY(selftest_need(t, TPM_ALG_AES));
	type_marshal(&type_UINT64, &context->sequence, sequence, sizeof sequence);
	type_marshal(&type_UINT32, &context->savedHandle, handle, sizeof handle);
	memcpy(iv, context->contextBlob.buffer + IV_AT, sizeof iv);
	err = cvtpm_kdfa((enum cvtpm_hash_alg)CONTEXT_HASH, OCTETS(*proof), CVTPM_TEXT("CONTEXT"),
			 (struct cvtpm_octets){sequence, sizeof sequence},
			 (struct cvtpm_octets){handle, sizeof handle}, CONTEXT_KEY_BITS, key);
	if (!err)
		err = encrypt ? cvtpm_aes_encrypt(CVTPM_AES_CFB, key, CONTEXT_KEY_BITS, iv, secret,
						  len, secret)
			      : cvtpm_aes_decrypt(CVTPM_AES_CFB, key, CONTEXT_KEY_BITS, iv, secret,
						  len, secret);
	cvtpm_wipe(key, sizeof key);
	return err ? tpm_fail(t, "a context could not be encrypted") : TPM_RC_SUCCESS;
}

static tpm_rc context_integrity(struct tpm *t, const TPMS_CONTEXT *context, TPM2B_DIGEST *integrity)
{
	const TPM2B_DIGEST *proof = &hierarchy_get(t, context->hierarchy)->proof;
	uint8_t head[1 + 8 + 4 + 8 + 4];
	struct writer w = {head, sizeof head, false};

	write_u8(&w, CONTEXT_VERSION);
	write_u64(&w, t->run.totalResetCount);
	if (context->savedHandle == SAVED_STCLEAR)
		write_u32(&w, t->contexts.clearCount);
	write_u64(&w, context->sequence);
	write_u32(&w, context->savedHandle);
	return tpm_hmac(
		t, CONTEXT_HASH, OCTETS(*proof),
		(struct cvtpm_octets[]){
			{head, sizeof head - w.left},
			{context->contextBlob.buffer + IV_AT, context->contextBlob.size - IV_AT},
		},
		2, integrity);
}

/* Closes the blob around its content of `len` bytes. */
static tpm_rc context_close(struct tpm *t, TPMS_CONTEXT *context, size_t len)
{
	uint8_t *blob = context->contextBlob.buffer;
	TPM2B_DIGEST integrity;

	context->contextBlob.size = (uint16_t)(CONTENT_AT + len);
	TRY(tpm_random(t, blob + IV_AT, IV_SIZE));
	type_marshal(&type_UINT64, &context->sequence, blob + SECRET_AT, SEQUENCE_BYTES);
	TRY(context_cipher(t, context, true));
	TRY(context_integrity(t, context, &integrity));
	type_marshal(&type_TPM2B_DIGEST, &integrity, blob, IV_AT);
	return TPM_RC_SUCCESS;
}

/* Checks and opens it in place. What decrypts to another number than it says was made by
 * somebody who has the proof, or by a TPM that does not work: failure mode (Part 3, 28.3). */
static tpm_rc context_open(struct tpm *t, TPMS_CONTEXT *context, struct reader *content)
{
	struct reader r = {context->contextBlob.buffer, context->contextBlob.size};
	TPM2B_DIGEST integrity, expected;
	uint64_t sequence;

	TRY(type_read(&type_TPM2B_DIGEST, &integrity, &r, false));
	if (integrity.size != hash_size(CONTEXT_HASH) || r.left < IV_SIZE + SEQUENCE_BYTES)
		return TPM_RC_SIZE;
	TRY(context_integrity(t, context, &expected));
	if (!EQUAL_2B(integrity, expected))
		return TPM_RC_INTEGRITY;
	TRY(context_cipher(t, context, false));
	*content = (struct reader){context->contextBlob.buffer + SECRET_AT, r.left - IV_SIZE};
	TRY(type_read(&type_UINT64, &sequence, content, false));
	return sequence == context->sequence ? TPM_RC_SUCCESS
					     : tpm_fail(t, "a context is not what it says");
}

static tpm_rc write_content(struct tpm *t, const struct type *type, const void *from,
			    TPMS_CONTEXT *context)
{
	size_t room = sizeof context->contextBlob.buffer - CONTENT_AT;
	size_t len = type_marshal(type, from, context->contextBlob.buffer + CONTENT_AT, room);

	return len ? context_close(t, context, len) : tpm_fail(t, "a context does not fit");
}

/* What this TPM has closed and cannot read was written by another release. */
static tpm_rc read_content(const struct type *type, void *to, struct reader *r)
{
	return type_read(type, to, r, true) || r->left ? TPM_RC_INTEGRITY : TPM_RC_SUCCESS;
}

/* ---- sequences ---- */

static tpm_rc save_sequence(struct tpm *t, const struct tpm_sequence *s, TPMS_CONTEXT *context)
{
	struct tpm_saved_sequence saved;
	tpm_rc rc;

	sequence_save(s, &saved);
	rc = write_content(t, &type_tpm_saved_sequence, &saved, context);
	cvtpm_wipe(&saved, sizeof saved);
	return rc;
}

static tpm_rc load_sequence(struct reader *r, struct tpm_sequence *s)
{
	struct tpm_saved_sequence saved;
	tpm_rc rc = read_content(&type_tpm_saved_sequence, &saved, r);

	if (!rc && sequence_restore(&saved, s))
		rc = TPM_RC_INTEGRITY;
	cvtpm_wipe(&saved, sizeof saved);
	return rc;
}

/* ---- objects: loaded as often as one likes ---- */

static tpm_rc save_transient(struct tpm *t, const struct tpm_slot *slot, TPMS_CONTEXT *context)
{
	const struct tpm_object *object = &slot->object;

	SET(t, t->contexts.objectCounter, t->contexts.objectCounter + 1);
	context->sequence = t->contexts.objectCounter;
	if (slot->use == SLOT_SEQUENCE) {
		context->savedHandle = SAVED_SEQUENCE;
		context->hierarchy = TPM_RH_NULL;
		return save_sequence(t, &slot->sequence, context);
	}
	context->savedHandle = object->flags & OBJECT_STCLEAR ? SAVED_STCLEAR : SAVED_OBJECT;
	context->hierarchy = object->hierarchy;
	return write_content(t, &type_tpm_object, object, context);
}

static tpm_rc load_transient(struct tpm *t, const TPMS_CONTEXT *context, struct reader *content,
			     TPM_HANDLE *handle)
{
	bool sequence = context->savedHandle == SAVED_SEQUENCE;
	struct tpm_slot *slot;

	if (!hierarchy_enabled(t, context->hierarchy))
		return TPM_RC_HIERARCHY;
	TRY(object_slot(t, sequence ? SLOT_SEQUENCE : SLOT_OBJECT, &slot, handle));
	return sequence ? load_sequence(content, &slot->sequence)
			: read_content(&type_tpm_object, &slot->object, content);
}

/* ---- sessions: loaded once ---- */

/* Sequence numbers of sessions share their range with the numbers of slots (state.def). */
static tpm_rc next_session_sequence(struct tpm *t, uint64_t *sequence)
{
	*sequence = t->contexts.sessionCounter + 1;
	if (*sequence <= MAX_LOADED_SESSIONS)
		*sequence = MAX_LOADED_SESSIONS + 1;
	if (*sequence == UINT64_MAX)
		return TPM_RC_TOO_MANY_CONTEXTS;
	SET(t, t->contexts.sessionCounter, *sequence);
	return TPM_RC_SUCCESS;
}

static tpm_rc save_session(struct tpm *t, TPM_HANDLE handle, TPMS_CONTEXT *context)
{
	uint64_t *place = &t->contexts.sessions.slot[HANDLE_INDEX(handle)];
	struct tpm_session_slot *slot = &t->sessions[*place - 1];

	TRY(next_session_sequence(t, &context->sequence));
	context->savedHandle = handle;
	context->hierarchy = TPM_RH_NULL;
	TRY(write_content(t, &type_tpm_session, &slot->s, context));
	SET(t, *place, context->sequence);
	SET(t, slot->removing, true);
	t->sweep = true;
	return TPM_RC_SUCCESS;
}

static tpm_rc load_session(struct tpm *t, const TPMS_CONTEXT *context, struct reader *content,
			   TPM_HANDLE *handle)
{
	uint64_t *place = &t->contexts.sessions.slot[HANDLE_INDEX(context->savedHandle)];
	struct tpm_session_slot *slot;

	if (*place <= MAX_LOADED_SESSIONS || *place != context->sequence)
		return TPM_RC_HANDLE;
	TRY(session_take_slot(t, &slot));
	TRY(read_content(&type_tpm_session, &slot->s, content));
	SET(t, *place, (uint64_t)(slot - t->sessions) + 1);
	*handle = context->savedHandle;
	return TPM_RC_SUCCESS;
}

/* ---- either ---- */

tpm_rc context_save(struct tpm *t, TPM_HANDLE handle, TPMS_CONTEXT *context)
{
	return HANDLE_TYPE(handle) == TPM_HT_TRANSIENT
		       ? save_transient(t, object_slot_of(t, handle), context)
		       : save_session(t, handle, context);
}

tpm_rc context_load(struct tpm *t, TPMS_CONTEXT *context, TPM_HANDLE *handle)
{
	struct reader content;

	TRY(context_open(t, context, &content));
	return HANDLE_TYPE(context->savedHandle) == TPM_HT_TRANSIENT
		       ? load_transient(t, context, &content, handle)
		       : load_session(t, context, &content, handle);
}
