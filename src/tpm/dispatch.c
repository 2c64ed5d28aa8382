/*
 * The order of things: how a command becomes a response (Part 3, 5).
 *
 * dispatch() is the only function that knows it. settle() is the only place where
 * the outcome takes effect: commit or undo, and where the store fails after
 * success, undo after all.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

#define HEADER_SIZE 10

tpm_rc tpm_fail(struct tpm *t, const char *reason)
{
	if (!t->failed && t->platform->log)
		t->platform->log(t->platform->context, CVTPM_LOG_ERROR, reason);
	if (!t->failed)
		t->failed_reason = reason;
	t->failed = true;
	return TPM_RC_FAILURE;
}

tpm_rc tpm_cancelled(struct tpm *t)
{
	if (!t->cancel && t->platform->cancelled && t->platform->cancelled(t->platform->context))
		t->cancel = true;
	return t->cancel ? TPM_RC_CANCELED : TPM_RC_SUCCESS;
}

/* ---- the frame ---- */

/* Nothing of a command stays behind. Between commands the frame is all zero, so that
 * `out` begins empty. */
static void frame_end(struct tpm *t, size_t in_size, size_t out_size)
{
	struct frame *f = &t->frame;

	cvtpm_wipe(&f->in, in_size);
	cvtpm_wipe(&f->out, out_size);
	cvtpm_wipe(f->plain, f->plain_len);
	cvtpm_wipe(f->sessions, f->session_count * sizeof *f->sessions);
	cvtpm_wipe(f, offsetof(struct frame, sessions));
	cvtpm_wipe(&f->scratch, sizeof f->scratch);
	cvtpm_wipe(f->scalar, sizeof f->scalar);
}

static void frame_begin(struct tpm *t, uint8_t locality)
{
	struct frame *f = &t->frame;

	f->locality = locality;
	f->session_count = 0;
	f->decrypt = f->encrypt = f->audit = -1;
	f->plain_len = 0;
}

/* ---- reading (Part 3, 5.2 to 5.4) ---- */

static tpm_rc read_header(struct reader *r, size_t len, TPM_ST *tag, TPM_CC *code)
{
	uint32_t size;

	if (type_read(&type_TPMI_ST_COMMAND_TAG, tag, r, false))
		return TPM_RC_BAD_TAG;
	if (read_u32(r, &size) || size != len || read_u32(r, code))
		return TPM_RC_COMMAND_SIZE;
	return TPM_RC_SUCCESS;
}

/* Before TPM2_Startup only that; after it, never again. In failure mode what tells why. */
static tpm_rc check_mode(const struct tpm *t, const struct command *c, TPM_ST tag)
{
	if (t->failed)
		return c && c->flags & CC_FAILURE && tag == TPM_ST_NO_SESSIONS ? TPM_RC_SUCCESS
									       : TPM_RC_FAILURE;
	if (!c)
		return TPM_RC_COMMAND_CODE;
	return !t->started == !(c->flags & CC_EARLY) ? TPM_RC_INITIALIZE : TPM_RC_SUCCESS;
}

static tpm_rc read_handles(struct tpm *t, struct reader *r)
{
	struct frame *f = &t->frame;
	const struct command_handle *h = f->command->handles;

	for (unsigned n = 0; h[n].type; n++) {
		tpm_rc rc = type_read(h[n].type, &f->handles[n], r, h[n].plus);

		if (rc)
			return RC_H(n + 1, rc);
	}
	for (unsigned n = 0; h[n].type; n++)
		TRY(entity_check(t, f->handles[n], n + 1));
	return TPM_RC_SUCCESS;
}

static tpm_rc read_parameters(struct tpm *t)
{
	struct frame *f = &t->frame;
	unsigned number = 0;
	tpm_rc rc;

	memcpy(f->in.handle, f->handles, sizeof f->handles);
	rc = type_read_fields(f->command->in, IN_FIELDS(&f->in), &f->parameters, false, &number);
	if (rc)
		return RC_P(number, rc);
	return f->parameters.left ? TPM_RC_SIZE : TPM_RC_SUCCESS;
}

/* ---- answering (Part 3, 5.9) ---- */

static void write_header(struct writer *w, TPM_ST tag, uint32_t size, tpm_rc rc)
{
	write_u16(w, tag);
	write_u32(w, size);
	write_u32(w, rc);
}

static tpm_rc build_response(struct tpm *t, TPM_ST tag, uint8_t *response, size_t *len)
{
	struct frame *f = &t->frame;
	struct writer w = {response, t->buffer_size, false};
	struct writer head;
	uint8_t *parameters;
	size_t size;

	write_header(&w, tag, 0, TPM_RC_SUCCESS);
	if (f->command->flags & CC_RHANDLE)
		write_u32(&w, f->out.handle);
	head = w;
	if (tag == TPM_ST_SESSIONS)
		write_u32(&w, 0);
	parameters = w.at;
	type_write_fields(f->command->out, OUT_FIELDS(&f->out), &w);
	if (w.overflow)
		return TPM_RC_MEMORY;
	size = (size_t)(w.at - parameters);
	audit_begin(t);
	if (tag == TPM_ST_SESSIONS) {
		write_u32(&head, (uint32_t)size);
		TRY(auth_respond(t, parameters, size, &w));
	}
	TRY(audit_command(t, (struct cvtpm_octets){parameters, size}));
	if (w.overflow)
		return TPM_RC_MEMORY;
	*len = t->buffer_size - w.left;
	head = (struct writer){response, HEADER_SIZE, false};
	write_header(&head, tag, (uint32_t)*len, TPM_RC_SUCCESS);
	return TPM_RC_SUCCESS;
}

/* ---- the order of things ---- */

static tpm_rc dispatch(struct tpm *t, struct reader *r, uint8_t *response, size_t *len)
{
	struct frame *f = &t->frame;
	TPM_ST tag;
	TPM_CC code;

	TRY(read_header(r, r->left, &tag, &code));
	f->command = command_find(code);
	TRY(check_mode(t, f->command, tag));
	TRY(read_handles(t, r));
	if (tag == TPM_ST_SESSIONS)
		TRY(auth_read_sessions(t, r));
	f->received = (struct cvtpm_octets){r->at, r->left};
	f->parameters = *r;
	TRY(auth_check(t));
	TRY(auth_decrypt(t));
	TRY(read_parameters(t));
	TRY(f->command->run(t, &f->in, &f->out));
	return build_response(t, tag, response, len);
}

/* Part 3, 9.4: what is changed after TPM2_Shutdown makes the end unorderly. */
static void note_unorderly(struct tpm *t)
{
	if (t->run.orderly == ORDERLY_NONE || !t->journal.used || !t->frame.command ||
	    t->frame.command->code == TPM_CC_Shutdown)
		return;
	t->run.orderly = ORDERLY_NONE;
	t->dirty_monotone |= RECORD_RUN;
}

static tpm_rc settle(struct tpm *t, tpm_rc rc)
{
	if (rc)
		undo_all(t);
	else
		note_unorderly(t);
	if (state_commit(t)) {
		if (!rc)
			undo_all(t);
		if (rc != TPM_RC_FAILURE) /* what cannot be remembered is not told */
			rc = TPM_RC_NV_UNAVAILABLE;
	}
	undo_forget(t);
	if (t->sweep) {
		object_sweep(t);
		session_sweep(t);
		t->sweep = false;
	}
	if (!rc)
		nv_sweep(t);
	return rc;
}

void tpm_execute(struct tpm *t, uint8_t locality, const uint8_t *command, size_t command_len,
		 uint8_t *response, size_t *response_len)
{
	struct reader r = {command, command_len};
	const struct command *c;
	tpm_rc rc;

	t->cancel = false;
	frame_begin(t, locality);
	if (t->started) {
		clock_tick(t);
		lockout_tick(t);
	}
	rc = settle(t, dispatch(t, &r, response, response_len));
	c = t->frame.command;
	frame_end(t, c ? c->in_size : 0, c ? c->out_size : 0);
	if (rc) {
		struct writer w = {response, HEADER_SIZE, false};

		write_header(&w, rc == TPM_RC_BAD_TAG ? TPM_ST_RSP_COMMAND : TPM_ST_NO_SESSIONS,
			     HEADER_SIZE, rc);
		*response_len = HEADER_SIZE;
	}
}
