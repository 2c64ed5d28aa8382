/* One number, one run of bytes, in words. */
#include "crypto/hex.h"
#include "host/frame.h"
#include "trace/names.h"
#include "trace/show.h"

#include <string.h>

bool trace_is_hidden(const struct trace_show *show, const struct trace_node *node)
{
	return node->secret && !show->secrets && node->size > node->prefix;
}

bool trace_is_property(const struct trace_message *m, size_t node, TPM_PT *property)
{
	const struct trace_node *n = &m->nodes[node];

	if (node == 0 || !n->name || strcmp(n->name, "value") ||
	    m->nodes[node - 1].type != &type_TPM_PT)
		return false;
	*property = (TPM_PT)m->nodes[node - 1].value;
	return true;
}

static void handle_text(const struct trace_show *show, const struct trace_exchange *x,
			const struct trace_node *n, char *text, size_t size)
{
	const TPM_HANDLE handle = (TPM_HANDLE)n->value;
	const struct trace_handle *known = trace_context_find(x->context, handle);
	size_t len;

	trace_handle_text(handle, text, size);
	len = strlen(text);
	if (HANDLE_TYPE(handle) == TPM_HT_PERMANENT && !show->brief)
		snprintf(text + len, size - len, " (0x%08x)", (unsigned)handle);
	else if (known && known->number != x->number)
		snprintf(text + len, size - len, " (%s #%lu)", known->by->name, known->number);
}

static void number_text(const struct trace_show *show, const struct trace_exchange *x,
			const struct trace_message *m, size_t node, char *text, size_t size)
{
	const struct trace_node *n = &m->nodes[node];
	const unsigned long long value = n->value;
	const char *name = trace_name(n->type, value);
	char buffer[48];
	TPM_PT property;
	size_t len;

	if (trace_is_handle(n->type)) {
		handle_text(show, x, n, text, size);
	} else if (trace_bit_names(n->type, value, text, size)) {
		len = strlen(text);
		if (n->type != &type_TPMA_CC)
			snprintf(text + len, size - len, len ? "(0x%llx)" : "none (0x%llx)", value);
		else if (len)
			text[len - 1] = 0;
	} else if (n->type == &type_TPM_CC) {
		snprintf(text, size, "%s (0x%llx)", trace_command_name((TPM_CC)value, buffer),
			 value);
	} else if (trace_is_property(m, node, &property) &&
		   trace_property_text(property, (uint32_t)value, text, size)) {
		len = strlen(text);
		snprintf(text + len, size - len,
			 len && text[len - 1] == ' ' ? "(0x%llx)" : " (0x%llx)", value);
	} else if (name) {
		snprintf(text, size, "%s", name);
	} else if (!trace_has_names(n->type)) {
		snprintf(text, size, value > 0xFFFF ? "%llu (0x%llx)" : "%llu", value, value);
	} else {
		snprintf(text, size, "0x%llx", value);
	}
}

static bool is_printable(struct cvtpm_octets bytes)
{
	const uint8_t *at = bytes.at;

	for (size_t i = 0; i < bytes.len; i++)
		if (at[i] < 0x20 || at[i] > 0x7E)
			return false;
	return bytes.len > 0;
}

/* Short texts that people chose are easier to know as such; a name may be a handle. */
static void bytes_text(const struct trace_node *n, struct cvtpm_octets bytes, char *text,
		       size_t size)
{
	char handle[80];

	size_t len = bytes.len < (size - 1) / 2 ? bytes.len : (size - 1) / 2;

	cvtpm_hex_write(text, bytes.at, len);
	len *= 2;
	if (bytes.len <= 32 && n->type != &type_TPM2B_NAME && is_printable(bytes))
		snprintf(text + len, size - len, " \"%.*s\"", (int)bytes.len,
			 (const char *)bytes.at);
	if (n->type != &type_TPM2B_NAME || bytes.len != 4)
		return;
	trace_handle_text(frame_get_u32(bytes.at), handle, sizeof handle);
	snprintf(text + len, size - len, " (%s)", handle);
}

void trace_value_text(const struct trace_show *show, const struct trace_exchange *x,
		      const struct trace_message *m, size_t node, char *text, size_t size)
{
	const struct trace_node *n = &m->nodes[node];
	const struct cvtpm_octets bytes = trace_node_bytes(m, n);
	const char *s = bytes.len == 1 ? "" : "s";
	size_t len;

	if (n->form == TRACE_NUMBER) {
		number_text(show, x, m, node, text, size);
		return;
	}
	text[0] = 0;
	if (n->broken && !bytes.len)
		snprintf(text, size, "missing");
	else if (n->broken)
		snprintf(text, size, "%zu byte%s not decoded ", bytes.len, s);
	else if (n->encrypted)
		snprintf(text, size, "encrypted, %zu byte%s ", bytes.len, s);
	else if (!bytes.len)
		snprintf(text, size, "empty");
	len = strlen(text);
	if (trace_is_hidden(show, n))
		snprintf(text + len, size - len,
			 n->broken || n->encrypted ? "***" : "*** %zu byte%s", bytes.len, s);
	else if (n->type && type_resolve(n->type)->kind == TYPE_SELECT)
		trace_pcr_text(bytes.at, bytes.len, text, size);
	else
		bytes_text(n, bytes, text + len, size - len);
}
