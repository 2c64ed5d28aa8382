#include "reference.h"

#include <stdlib.h>
#include <string.h>

static tpm_rc read_session(struct reader *area, TPMA_SESSION *attributes)
{
	TPM_HANDLE handle;
	TPM2B_NONCE nonce;
	TPM2B_AUTH hmac;

	TRY(type_read(&type_TPMI_SH_AUTH_SESSION, &handle, area, true));
	TRY(type_read(&type_TPM2B_NONCE, &nonce, area, false));
	TRY(type_read(&type_TPMA_SESSION, attributes, area, false));
	return type_read(&type_TPM2B_AUTH, &hmac, area, false);
}

static tpm_rc read_sessions(const struct command *c, struct reader *r, unsigned *cipher)
{
	struct reader area;
	uint32_t size;

	if (c->flags & CC_NO_SESSIONS)
		return TPM_RC_AUTH_CONTEXT;
	TRY(read_u32(r, &size));
	if (size < 9 || size > r->left)
		return TPM_RC_AUTHSIZE;
	area = (struct reader){r->at, size};
	r->at += size;
	r->left -= size;
	for (unsigned n = 0; area.left; n++) {
		TPMA_SESSION attributes;

		if (n == MAX_SESSION_NUM)
			return TPM_RC_AUTHSIZE;
		const tpm_rc rc = read_session(&area, &attributes);

		if (rc)
			return RC_S(n + 1, rc);
		if (attributes & TPMA_SESSION_DECRYPT && !*cipher)
			*cipher = n + 1;
	}
	return TPM_RC_SUCCESS;
}

static tpm_rc read_parameters(const struct command *c, struct reader *r, unsigned cipher)
{
	union command_in *in = calloc(1, sizeof *in);
	const struct field *fields = c->in;
	unsigned number = 0, skipped = 0;
	uint16_t size;
	tpm_rc rc;

	if (!in)
		abort();
	if (cipher && fields[0].type && type_is_sized(fields[0].type)) {
		rc = read_u16(r, &size);
		if (rc || size > r->left) {
			free(in);
			return RC_S(cipher, rc ? rc : TPM_RC_SIZE);
		}
		r->at += size;
		r->left -= size;
		fields++; /* no command's later fields depend on the first */
		skipped = 1;
	}
	rc = type_read_fields(fields, in, r, false, &number);
	free(in);
	if (rc)
		return RC_P(number + skipped, rc);
	return r->left ? TPM_RC_SIZE : TPM_RC_SUCCESS;
}

tpm_rc reference_read(const uint8_t *command, size_t len)
{
	struct reader r = {command, len};
	const struct command *c;
	unsigned cipher = 0; /* the session that decrypts, from 1 */
	uint32_t size, code, handle;
	TPM_ST tag;

	if (type_read(&type_TPMI_ST_COMMAND_TAG, &tag, &r, false))
		return TPM_RC_BAD_TAG;
	if (read_u32(&r, &size) || size != len || read_u32(&r, &code))
		return TPM_RC_COMMAND_SIZE;
	c = command_find(code);
	if (!c)
		return TPM_RC_SUCCESS; /* a trace only says that it does not know the command */
	for (unsigned n = 0; c->handles[n].type; n++) {
		const tpm_rc rc = type_read(c->handles[n].type, &handle, &r, c->handles[n].plus);

		if (rc)
			return RC_H(n + 1, rc);
	}
	if (tag == TPM_ST_SESSIONS)
		TRY(read_sessions(c, &r, &cipher));
	return read_parameters(c, &r, cipher);
}

/* ---- nodes ---- */

static void put(uint8_t *bytes, const struct trace_node *n)
{
	for (size_t i = 0; i < n->size; i++)
		bytes[n->at + i] = (uint8_t)(n->value >> 8 * (n->size - 1 - i));
}

const char *reference_check_nodes(const struct trace_message *m)
{
	uint8_t *again = calloc(1, m->len + 1);
	const char *wrong = NULL;
	size_t at = 0;

	if (!again)
		abort();
	for (size_t i = 0; i < m->count && !wrong; i++) {
		const struct trace_node *n = &m->nodes[i];
		const size_t next = trace_node_next(m, i);

		if (n->size > m->len || n->at > m->len - n->size || n->prefix > n->size)
			wrong = "a node is not inside the message";
		else if (next < m->count && !m->nodes[next].inside && n->form == TRACE_GROUP &&
			 !n->inside && m->nodes[next].at != n->at + n->size)
			wrong = "a group does not end where the next node begins";
		else if (n->inside || n->form == TRACE_GROUP)
			continue;
		else if (n->at != at)
			wrong = "there is a gap, or an overlap";
		else if (n->form == TRACE_NUMBER)
			put(again, n);
		else
			memcpy(again + n->at, m->bytes + n->at, n->size);
		at += n->size;
	}
	if (!wrong && at != m->len)
		wrong = "bytes at the end are in no node";
	if (!wrong && memcmp(again, m->bytes, m->len) != 0)
		wrong = "the values put together are not the message";
	free(again);
	return wrong;
}
