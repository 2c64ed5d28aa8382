#include "trace/message.h"

#include "host/frame.h"
#include "trace/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NV indices that the TCG has given to certificates and templates: what is in them is public. */
#define PUBLIC_INDEX_FIRST 0x01C00000u
#define PUBLIC_INDEX_LAST  0x01C9FFFFu

/* ---- what is known ---- */

const struct trace_handle *trace_context_find(const struct trace_context *context,
					      TPM_HANDLE handle)
{
	for (size_t i = 0; context && handle && i < TRACE_MAX_HANDLES; i++)
		if (context->handles[i].handle == handle)
			return &context->handles[i];
	return NULL;
}

static struct trace_handle *find(struct trace_context *context, TPM_HANDLE handle)
{
	const struct trace_handle *h = trace_context_find(context, handle);

	return h ? &context->handles[h - context->handles] : NULL;
}

/* The value of a parameter at the top, or of one in a group of the command's. */
static uint64_t parameter(const struct trace_message *m, const char *name)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->nodes[i].part == TRACE_PARAMETERS && m->nodes[i].form == TRACE_NUMBER &&
		    m->nodes[i].name && strcmp(m->nodes[i].name, name) == 0)
			return m->nodes[i].value;
	return 0;
}

static bool has_succeeded(const struct trace_message *response)
{
	return response && !response->incomplete && response->count && response->code == 0;
}

static void learn_saved(struct trace_context *context, const struct trace_message *command,
			const struct trace_message *response)
{
	const struct trace_handle *h = find(context, command->handles[0]);

	if (h)
		context->saved[context->next_saved++ % TRACE_MAX_HANDLES] =
			(struct trace_saved){parameter(response, "sequence"), h->by, h->number};
}

/* An object that is loaded again is told with where it came from at first; of a session what is
 * known besides stays, for it has the handle that it had. */
static void learn_loaded(const struct trace_context *context, const struct trace_message *command,
			 struct trace_handle *h)
{
	const uint64_t sequence = parameter(command, "sequence");

	for (size_t i = 0; i < TRACE_MAX_HANDLES; i++)
		if (context->saved[i].by && context->saved[i].sequence == sequence) {
			h->by = context->saved[i].by;
			h->number = context->saved[i].number;
		}
}

static void learn_handle(struct trace_context *context, TPM_HANDLE handle,
			 const struct trace_message *command, unsigned long number)
{
	const TPM_CC code = command->command->code;
	struct trace_handle *h = find(context, handle);

	if (!h)
		h = &context->handles[context->next++ % TRACE_MAX_HANDLES];
	if (h->handle != handle || code != TPM_CC_ContextLoad)
		*h = (struct trace_handle){.handle = handle};
	h->by = command->command;
	h->number = number;
	if (code == TPM_CC_ContextLoad)
		learn_loaded(context, command, h);
	if (code != TPM_CC_StartAuthSession)
		return;
	h->hash = (TPM_ALG_ID)parameter(command, "authHash");
	h->type = (uint8_t)parameter(command, "sessionType");
}

void trace_learn(struct trace_context *context, const struct trace_message *command,
		 const struct trace_message *response, unsigned long number)
{
	struct trace_handle *session;

	if (!command->command || command->incomplete)
		return;
	session = command->handle_count ? find(context, command->handles[0]) : NULL;
	/* From the moment that it may have succeeded. */
	if (command->command->code == TPM_CC_PolicyPassword && session)
		session->password = true;
	if (!has_succeeded(response))
		return;
	switch (command->command->code) {
	case TPM_CC_Startup:
		memset(context, 0, sizeof *context);
		return;
	case TPM_CC_FlushContext:
		session = find(context, (TPM_HANDLE)parameter(command, "flushHandle"));
		if (session)
			session->handle = 0;
		return;
	case TPM_CC_PolicyAuthValue:
	case TPM_CC_PolicyRestart:
		if (session)
			session->password = false;
		return;
	case TPM_CC_SequenceComplete:
		if (session)
			session->handle = 0;
		return;
	case TPM_CC_ContextSave:
		if (command->handle_count)
			learn_saved(context, command, response);
		return;
	}
	if (command->command->flags & CC_RHANDLE && response->handle_count && response->handles[0])
		learn_handle(context, response->handles[0], command, number);
}

/* Does the field for a session's HMAC hold a password, or may it? A policy session's does
 * after TPM2_PolicyPassword, which may have been before the trace began. */
static bool carries_password(const struct trace_context *context, TPM_HANDLE session)
{
	const struct trace_handle *known = trace_context_find(context, session);

	if (HANDLE_TYPE(session) == TPM_HT_HMAC_SESSION)
		return false;
	return HANDLE_TYPE(session) != TPM_HT_POLICY_SESSION || !known || !known->hash ||
	       known->password;
}

/* ---- header and sessions ---- */

bool trace_looks_like_message(const uint8_t *bytes, size_t len, size_t *size)
{
	if (len < 6)
		return false;
	*size = frame_get_u32(bytes + 2);

	const unsigned tag = (unsigned)bytes[0] << 8 | bytes[1];

	return (tag == TPM_ST_NO_SESSIONS || tag == TPM_ST_SESSIONS || tag == TPM_ST_RSP_COMMAND) &&
	       *size >= TRACE_HEADER_SIZE && *size <= TRACE_MAX_MESSAGE;
}

static bool is_command_tag(uint64_t tag)
{
	return tag == TPM_ST_NO_SESSIONS || tag == TPM_ST_SESSIONS;
}

/* As dispatch.c reads it. False: nothing follows that could be told apart. */
static bool walk_header(struct walk *w)
{
	struct trace_message *m = w->m;
	uint64_t tag, size, code;

	if (w->end < TRACE_HEADER_SIZE) {
		const bool tagged =
			w->end >= 2 && is_command_tag((uint64_t)m->bytes[0] << 8 | m->bytes[1]);

		walk_refuse_plain(w, walk_rest(w, "header"),
				  tagged || m->response ? TPM_RC_COMMAND_SIZE : TPM_RC_BAD_TAG);
		return false;
	}
	walk_number(w, "tag", &type_TPM_ST, false, &tag);
	m->tag = (TPM_ST)tag;
	if (!m->response && !is_command_tag(tag))
		walk_refuse_plain(w, m->count - 1, TPM_RC_BAD_TAG);
	walk_number(w, m->response ? "responseSize" : "commandSize", &type_UINT32, false, &size);
	if (size != w->end)
		walk_refuse_plain(w, m->count - 1, TPM_RC_COMMAND_SIZE);
	walk_number(w, m->response ? "responseCode" : "commandCode",
		    m->response ? &type_UINT32 : &type_TPM_CC, false, &code);
	m->code = (uint32_t)code;
	return true;
}

static bool walk_session(struct walk *w, const struct trace_context *context, unsigned n)
{
	struct trace_message *m = w->m;
	uint64_t handle = 0, attributes = 0;
	const size_t group = walk_open(w, NULL, NULL);
	bool found = true;

	w->number = 0x800 + 0x100 * (n + 1);
	if (!m->response) {
		found = walk_number(w, "sessionHandle", &type_TPMI_SH_AUTH_SESSION, true, &handle);
		m->sessions[n] = (TPM_HANDLE)handle;
		m->session_count = n + 1;
	}
	w->secret = false;
	found = found &&
		walk_type(w, m->response ? "nonceTPM" : "nonceCaller", &type_TPM2B_NONCE, false);
	found = found &&
		walk_number(w, "sessionAttributes", &type_TPMA_SESSION, false, &attributes);
	w->secret = !m->response && carries_password(context, (TPM_HANDLE)handle);
	found = found && walk_type(w, "hmac", &type_TPM2B_AUTH, false);
	w->secret = false;
	m->encrypts = m->encrypts || (found && attributes & TPMA_SESSION_ENCRYPT);
	walk_close(w, group);
	return found;
}

/* The sessions up to w->end. */
static bool walk_sessions(struct walk *w, const struct trace_context *context)
{
	bool found = true;

	for (unsigned n = 0; w->at < w->end && found; n++) {
		if (n == MAX_SESSION_NUM) {
			walk_refuse_plain(w, walk_rest(w, "more sessions"), TPM_RC_AUTHSIZE);
			return false;
		}
		found = walk_session(w, context, n);
	}
	return found;
}

/* ---- parameters ---- */

static bool index_is_public(const struct trace_message *m)
{
	for (unsigned i = 0; m && i < m->handle_count; i++)
		if (m->handles[i] >= PUBLIC_INDEX_FIRST && m->handles[i] <= PUBLIC_INDEX_LAST)
			return true;
	return false;
}

/* A number whose meaning is that of the parameter before it. */
static const struct type *meaning(const struct field *f, const struct trace_message *m)
{
	if (m->response || m->command->code != TPM_CC_GetCapability || strcmp(f->name, "property"))
		return f->type;
	switch (parameter(m, "capability")) {
	case TPM_CAP_ALGS:
		return &type_TPM_ALG_ID;
	case TPM_CAP_HANDLES:
	case TPM_CAP_AUTH_POLICIES:
	case TPM_CAP_ACT:
		return &type_TPM_HANDLE;
	case TPM_CAP_COMMANDS:
	case TPM_CAP_PP_COMMANDS:
	case TPM_CAP_AUDIT_COMMANDS:
		return &type_TPM_CC;
	case TPM_CAP_TPM_PROPERTIES:
		return &type_TPM_PT;
	case TPM_CAP_PCR_PROPERTIES:
		return &type_TPM_PT_PCR;
	case TPM_CAP_ECC_CURVES:
		return &type_TPMI_ECC_CURVE;
	default:
		return f->type;
	}
}

static bool give_meaning(struct trace_message *m, const struct field *f)
{
	if (!m->incomplete)
		m->nodes[m->count - 1].type = meaning(f, m);
	return true;
}

/* `cipher`: the session, from 0, that the first parameter is encrypted by, if it can be; -1: none.
 * What is wrong with its size is that session's. */
static void walk_parameters(struct walk *w, const struct field *fields, int cipher,
			    bool public_index, bool plus)
{
	bool found = true;

	w->part = TRACE_PARAMETERS;
	for (unsigned n = 0; fields[n].type && found; n++) {
		const struct field *f = &fields[n];
		uint64_t value;

		w->number = 0x040 + 0x100 * (n + 1);
		w->secret = f->secret && !(public_index && f->type == &type_TPM2B_MAX_NV_BUFFER);
		if (n == 0 && cipher >= 0 && type_is_sized(f->type)) {
			w->number = 0x800 + 0x100 * ((unsigned)cipher + 1);
			found = walk_encrypted(w, f);
		} else if (type_resolve(f->type)->kind == TYPE_NUMBER) {
			found = walk_number(w, f->name, f->type, false, &value) &&
				give_meaning(w->m, f);
		} else {
			found = walk_type(w, f->name, f->type, plus || f->kind == FIELD_PLUS);
		}
	}
	w->secret = false;
	if (found && w->at < w->end)
		walk_refuse_plain(w, walk_rest(w, "more bytes"), TPM_RC_SIZE);
}

/* ---- commands ---- */

static bool walk_handles(struct walk *w)
{
	struct trace_message *m = w->m;
	const struct command_handle *h = m->command->handles;

	w->part = TRACE_HANDLES;
	for (unsigned n = 0; h[n].type; n++) {
		uint64_t handle;

		w->number = 0x100 * (n + 1);
		if (!walk_number(w, h[n].name, h[n].type, h[n].plus, &handle))
			return false;
		m->handles[m->handle_count++] = (TPM_HANDLE)handle;
	}
	return true;
}

/* False: where the parameters begin is not known. */
static bool walk_command_sessions(struct walk *w, const struct trace_context *context)
{
	struct walk area = *w;
	uint64_t size;

	area.part = TRACE_SESSIONS;
	area.number = 0;
	if (w->m->command->flags & CC_NO_SESSIONS)
		walk_refuse_plain(&area, 0, TPM_RC_AUTH_CONTEXT); /* its tag says so */
	if (!walk_number(&area, "authorizationSize", &type_UINT32, false, &size))
		return false;
	if (!w->m->incomplete)
		w->m->nodes[w->m->count - 1].length = true;
	if (size < 9 || size > area.end - area.at) {
		walk_refuse_plain(&area, w->m->count - 1, TPM_RC_AUTHSIZE);
		walk_rest(&area, "sessions and parameters");
		return false;
	}
	area.end = area.limit = area.at + (size_t)size;
	walk_sessions(&area, context);
	w->at = area.end;
	return true;
}

static void walk_command(struct walk *w, const struct trace_context *context)
{
	struct trace_message *m = w->m;
	int cipher = -1, session = -1;

	if (!walk_header(w))
		return;
	m->command = command_find(m->code);
	if (!m->command) {
		m->undecoded = true;
		w->part = TRACE_PARAMETERS;
		if (w->at < w->end)
			walk_rest(w, "not decoded");
		return;
	}
	if (!walk_handles(w))
		return;
	if (m->tag == TPM_ST_SESSIONS && !walk_command_sessions(w, context))
		return;
	for (size_t i = 0; i < m->count; i++) {
		if (m->nodes[i].type != &type_TPMA_SESSION)
			continue;
		session++;
		if (m->nodes[i].value & TPMA_SESSION_DECRYPT && cipher < 0)
			cipher = session;
	}
	walk_parameters(w, m->command->in, cipher, index_is_public(m), false);
}

void trace_decode_command(const struct trace_context *context, const uint8_t *bytes, size_t len,
			  struct trace_message *m)
{
	struct walk w = {.m = m, .end = len, .limit = len};

	*m = (struct trace_message){.bytes = bytes, .len = len};
	walk_command(&w, context);
}

/* ---- responses ---- */

static const char *handle_name(const struct command *c)
{
	switch (c->code) {
	case TPM_CC_StartAuthSession:
		return "sessionHandle";
	case TPM_CC_ContextLoad:
		return "loadedHandle";
	case TPM_CC_HMAC_Start:
	case TPM_CC_HashSequenceStart:
		return "sequenceHandle";
	default:
		return "objectHandle";
	}
}

/* Does a session of the area from `at` on encrypt? For a response without its command. */
static bool area_encrypts(const uint8_t *bytes, size_t at, size_t end)
{
	while (end - at >= 2) {
		size_t nonce = (size_t)bytes[at] << 8 | bytes[at + 1], hmac;

		if (end - at - 2 < nonce + 3)
			return false;
		at += 2 + nonce;
		if (bytes[at] & TPMA_SESSION_ENCRYPT)
			return true;
		hmac = (size_t)bytes[at + 1] << 8 | bytes[at + 2];
		at += 3;
		if (end - at < hmac)
			return false;
		at += hmac;
	}
	return false;
}

static void walk_success(struct walk *w, const struct trace_message *command)
{
	struct trace_message *m = w->m;
	const size_t end = w->end;
	bool encrypted = false;
	uint64_t value;

	if (m->command->flags & CC_RHANDLE) {
		w->part = TRACE_HANDLES;
		if (!walk_number(w, handle_name(m->command), &type_TPM_HANDLE, false, &value))
			return;
		m->handles[m->handle_count++] = (TPM_HANDLE)value;
	}
	if (m->tag == TPM_ST_SESSIONS) {
		w->part = TRACE_PARAMETERS;
		if (!walk_number(w, "parameterSize", &type_UINT32, false, &value))
			return;
		if (!m->incomplete)
			m->nodes[m->count - 1].length = true;
		if (value > w->end - w->at) {
			walk_refuse(w, m->count - 1, TPM_RC_SIZE);
			walk_rest(w, "more bytes");
			return;
		}
		w->end = w->limit = w->at + (size_t)value;
		encrypted = command->encrypts || area_encrypts(m->bytes, w->end, end);
	}
	walk_parameters(w, m->command->out, encrypted ? 0 : -1, index_is_public(command), true);
	w->at = w->end;
	w->end = w->limit = end;
	w->part = TRACE_SESSIONS;
	walk_sessions(w, NULL);
}

void trace_decode_response(const struct trace_message *command, const uint8_t *bytes, size_t len,
			   struct trace_message *m)
{
	struct walk w = {.m = m, .end = len, .limit = len};

	*m = (struct trace_message){.bytes = bytes,
				    .len = len,
				    .response = true,
				    .command = command ? command->command : NULL};
	if (!walk_header(&w))
		return;
	if (m->code == 0 && m->command) {
		walk_success(&w, command);
		return;
	}
	w.part = TRACE_PARAMETERS;
	if (w.at == w.end)
		return;
	walk_rest(&w, "not decoded");
	if (m->code)
		walk_refuse_plain(&w, m->count - 1, TPM_RC_SIZE); /* an error is a header */
	else
		m->undecoded = true;
}

/* ---- nodes ---- */

size_t trace_node_next(const struct trace_message *m, size_t node)
{
	size_t i = node + 1;

	while (i < m->count && m->nodes[i].depth > m->nodes[node].depth)
		i++;
	return i;
}

static size_t parent_of(const struct trace_message *m, size_t node)
{
	size_t i = node;

	while (i > 0 && m->nodes[i].depth >= m->nodes[node].depth)
		i--;
	return m->nodes[i].depth < m->nodes[node].depth ? i : node;
}

static void path_add(const struct trace_message *m, size_t node, char *path, size_t size)
{
	const size_t parent = parent_of(m, node);
	const struct trace_node *n = &m->nodes[node];
	unsigned before = 0;
	size_t len;

	if (parent != node)
		path_add(m, parent, path, size);
	for (size_t i = node; i > 0 && n->depth <= m->nodes[i - 1].depth; i--)
		before += m->nodes[i - 1].depth == n->depth && m->nodes[i - 1].part == n->part &&
			  !m->nodes[i - 1].name;
	len = strlen(path);
	if (n->name)
		snprintf(path + len, size - len, "%s%s", len ? "." : "", n->name);
	else if (n->part == TRACE_SESSIONS)
		snprintf(path + len, size - len, "session %u", before + 1);
	else if (parent != node && m->nodes[parent].list)
		snprintf(path + len, size - len, "[%u]", before);
}

void trace_node_path(const struct trace_message *m, size_t node, char *path, size_t size)
{
	path[0] = 0;
	if (node < m->count)
		path_add(m, node, path, size);
}

struct cvtpm_octets trace_node_bytes(const struct trace_message *m, const struct trace_node *node)
{
	return (struct cvtpm_octets){m->bytes + node->at + node->prefix,
				     (size_t)node->size - node->prefix};
}

void trace_message_blank(const struct trace_message *m, uint8_t *bytes)
{
	const size_t header = m->len < TRACE_HEADER_SIZE ? 0 : TRACE_HEADER_SIZE;

	if (m->incomplete)
		memset(bytes + header, 0, m->len - header);
	for (size_t i = 0; i < m->count; i++)
		if (m->nodes[i].secret)
			memset(bytes + m->nodes[i].at + m->nodes[i].prefix, 0,
			       (size_t)m->nodes[i].size - m->nodes[i].prefix);
}

void trace_message_free(struct trace_message *m)
{
	free(m->nodes);
	*m = (struct trace_message){0};
}
