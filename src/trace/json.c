/*
 * Exchanges for programs: one object a line.
 *
 *     {"number": 3, "command": {"name": "TPM2_Create", "code": "0x153", "size": 89,
 *      "handles": {...}, "sessions": [...], "parameters": {...}}, "response": {...}}
 *
 * A plain number is a number, a value with a name is its name ("0x..." where it has none), a
 * handle {"handle", "name"}, attributes {"value", "set"}, bytes are hexadecimal, a selection
 * of PCRs a list; what is secret is {"masked": true, "size"}, what is encrypted
 * {"encrypted": true, "size"}, what could not be decoded {"undecoded": true, "size"}. What the
 * platform does is {"event"}.
 */
#include "crypto/hex.h"
#include "trace/codes.h"
#include "trace/names.h"
#include "trace/show.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct maker {
	const struct trace_show *show;
	const struct trace_exchange *x;
	const struct trace_message *m;
};

static json_t *hex_number(uint64_t value)
{
	return json_sprintf("0x%llx", (unsigned long long)value);
}

static json_t *hex_bytes(struct cvtpm_octets bytes)
{
	char *text = malloc(2 * bytes.len + 1);
	json_t *value;

	if (!text)
		return NULL;
	cvtpm_hex_write(text, bytes.at, bytes.len);
	value = json_string(text);
	free(text);
	return value;
}

/* Words with one space behind each. */
static json_t *word_list(char *words)
{
	json_t *list = json_array();
	char *rest;

	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		json_array_append_new(list, json_string(word));
	return list;
}

static json_t *number_value(const struct maker *k, size_t node)
{
	const struct trace_node *n = &k->m->nodes[node];
	const char *name = trace_name(n->type, n->value);
	char text[400];
	TPM_PT property;

	if (trace_is_handle(n->type)) {
		trace_handle_text((TPM_HANDLE)n->value, text, sizeof text);
		const struct trace_handle *known =
			trace_context_find(k->x->context, (TPM_HANDLE)n->value);
		json_t *handle = json_pack("{s:o, s:s}", "handle",
					   json_sprintf("0x%08llx", (unsigned long long)n->value),
					   "name", text);

		if (known && known->number != k->x->number)
			json_object_set_new(handle, "from",
					    json_integer((json_int_t)known->number));
		return handle;
	}
	if (trace_bit_names(n->type, n->value, text, sizeof text))
		return json_pack("{s:o, s:o}", "value", hex_number(n->value), "set",
				 word_list(text));
	if (n->type == &type_TPM_CC)
		return json_pack("{s:o, s:s}", "value", hex_number(n->value), "name",
				 trace_command_name((TPM_CC)n->value, text));
	if (trace_is_property(k->m, node, &property) &&
	    trace_property_text(property, (uint32_t)n->value, text, sizeof text))
		return json_pack("{s:o, s:s}", "value", hex_number(n->value), "text", text);
	if (name)
		return json_string(name);
	if (!trace_has_names(n->type) && n->value <= INT64_MAX)
		return json_integer((json_int_t)n->value);
	return hex_number(n->value);
}

static json_t *pcr_list(struct cvtpm_octets select)
{
	const uint8_t *at = select.at;
	json_t *list = json_array();

	for (size_t n = 0; n < 8 * select.len; n++)
		if (at[n / 8] >> n % 8 & 1)
			json_array_append_new(list, json_integer((json_int_t)n));
	return list;
}

static json_t *node_value(const struct maker *k, size_t node);

/* The children of a node, in an object or in a list. */
static json_t *group_value(const struct maker *k, size_t group)
{
	const bool list = k->m->nodes[group].list;
	json_t *value = list ? json_array() : json_object();

	for (size_t i = group + 1, end = trace_node_next(k->m, group); i < end;
	     i = trace_node_next(k->m, i)) {
		const struct trace_node *n = &k->m->nodes[i];

		if (list && !n->length)
			json_array_append_new(value, node_value(k, i));
		else if (!list)
			json_object_set_new(value, n->name ? n->name : "rest", node_value(k, i));
	}
	return value;
}

static json_t *bytes_value(const struct maker *k, size_t node)
{
	const struct trace_node *n = &k->m->nodes[node];
	const struct cvtpm_octets bytes = trace_node_bytes(k->m, n);
	const bool hidden = trace_is_hidden(k->show, n);

	if (n->broken || n->encrypted || hidden) {
		json_t *value = json_pack("{s:b, s:I}",
					  n->broken      ? "undecoded"
					  : n->encrypted ? "encrypted"
							 : "masked",
					  1, "size", (json_int_t)bytes.len);

		if (!hidden)
			json_object_set_new(value, "bytes", hex_bytes(bytes));
		return value;
	}
	if (n->type && type_resolve(n->type)->kind == TYPE_SELECT)
		return pcr_list(bytes);
	if (trace_node_next(k->m, node) == node + 1)
		return hex_bytes(bytes);
	json_t *value = group_value(k, node); /* what is inside of them */

	json_object_set_new(value, "bytes", hex_bytes(bytes));
	return value;
}

static json_t *node_value(const struct maker *k, size_t node)
{
	switch (k->m->nodes[node].form) {
	case TRACE_NUMBER:
		return number_value(k, node);
	case TRACE_BYTES:
		return bytes_value(k, node);
	default:
		return group_value(k, node);
	}
}

static void add_parts(const struct maker *k, json_t *to)
{
	json_t *handles = json_object(), *sessions = json_array(), *parameters = json_object();

	for (size_t i = 0; i < k->m->count; i = trace_node_next(k->m, i)) {
		const struct trace_node *n = &k->m->nodes[i];
		const char *name = n->name ? n->name : "rest";

		if (n->part == TRACE_HEADER && !n->broken)
			continue;
		if (n->part == TRACE_SESSIONS && n->form == TRACE_GROUP)
			json_array_append_new(sessions, node_value(k, i));
		else if (!n->length)
			json_object_set_new(n->part == TRACE_HANDLES ? handles : parameters, name,
					    node_value(k, i));
	}
	json_object_set_new(to, "handles", handles);
	json_object_set_new(to, "sessions", sessions);
	json_object_set_new(to, "parameters", parameters);
}

static json_t *code_object(uint32_t rc, const struct command *command)
{
	struct trace_code code;
	char about[80];
	json_t *object;

	trace_code(rc, &code);
	trace_code_about(&code, command, about, sizeof about);
	object = json_pack("{s:s, s:o, s:s}", "name", code.name, "code", hex_number(rc), "meaning",
			   code.meaning);
	if (*about)
		json_object_set_new(object, "about", json_string(about));
	if (code.layer)
		json_object_set_new(object, "layer", json_string(code.layer));
	return object;
}

static void add_fault(const struct trace_message *m, json_t *to)
{
	char path[200];
	json_t *fault;

	if (m->incomplete)
		json_object_set_new(to, "incomplete", json_true());
	if (!m->malformed)
		return;
	trace_node_path(m, m->fault, path, sizeof path);
	fault = code_object(m->rc, m->response ? NULL : m->command);
	json_object_set_new(fault, "field", json_string(path));
	json_object_set_new(fault, "offset",
			    json_integer(m->fault < m->count ? m->nodes[m->fault].at : 0));
	json_object_set_new(to, "malformed", fault);
}

static json_t *command_object(const struct trace_show *show, const struct trace_exchange *x)
{
	const struct maker k = {show, x, &x->command};
	const struct trace_message *m = &x->command;
	json_t *object = json_object();
	char name[48];

	if (m->len >= TRACE_HEADER_SIZE) {
		json_object_set_new(object, "name", json_string(trace_command_name(m->code, name)));
		json_object_set_new(object, "code", hex_number(m->code));
	}
	json_object_set_new(object, "size", json_integer((json_int_t)m->len));
	add_parts(&k, object);
	add_fault(m, object);
	return object;
}

static json_t *response_object(const struct trace_show *show, const struct trace_exchange *x)
{
	const struct maker k = {show, x, &x->response};
	const struct trace_message *m = &x->response;
	json_t *object = m->len < TRACE_HEADER_SIZE
				 ? json_object()
				 : code_object(m->code, x->has_command ? x->command.command : NULL);

	json_object_set_new(object, "size", json_integer((json_int_t)m->len));
	add_parts(&k, object);
	add_fault(m, object);
	return object;
}

static bool write_line(const struct trace_show *show, json_t *object)
{
	const bool good = object && json_dumpf(object, show->out, JSON_COMPACT) == 0 &&
			  fputc('\n', show->out) != EOF;

	json_decref(object);
	return good;
}

bool trace_show_event_json(const struct trace_show *show, const char *event)
{
	return write_line(show, json_pack("{s:s}", "event", event));
}

bool trace_show_json(const struct trace_show *show, const struct trace_exchange *x)
{
	json_t *object = json_pack("{s:I}", "number", (json_int_t)x->number);

	if (*x->when)
		json_object_set_new(object, "time", json_string(x->when));
	if (x->took_us >= 0)
		json_object_set_new(object, "took_us", json_integer(x->took_us));
	if (x->where)
		json_object_set_new(object, "where", json_string(x->where));
	if (x->locality >= 0)
		json_object_set_new(object, "locality", json_integer(x->locality));
	if (x->line)
		json_object_set_new(object, "line", json_integer((json_int_t)x->line));
	if (x->has_command)
		json_object_set_new(object, "command", command_object(show, x));
	if (x->has_response)
		json_object_set_new(object, "response", response_object(show, x));
	return write_line(show, object);
}
