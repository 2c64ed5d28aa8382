/*
 * Exchanges for people.
 *
 *     #3  TPM2_CreatePrimary                     67 bytes
 *       > primaryHandle           owner (0x40000001)
 *         session 1               password, empty; continueSession (0x1)
 *         inPublic
 *           type                  TPM_ALG_ECC
 *       < TPM_RC_SUCCESS                         342 bytes, 4.1 ms
 *         objectHandle            transient 0x80000000
 *
 * A structure that fits is one line.
 */
#include "trace/codes.h"
#include "trace/names.h"
#include "trace/show.h"

#include <string.h>

#define VALUE_COLUMN 30
#define VALUE_SIZE   (2 * TRACE_MAX_MESSAGE + 200)
#define SHORT_SIZE   400 /* of what may become one line */
#define SHOWN_BYTES  64  /* of what is long, unless all is wanted */

static const char *colour(const struct trace_show *show, const char *code)
{
	return show->colour ? code : "";
}
#define BOLD  "\033[1m"
#define RED   "\033[31m"
#define PLAIN "\033[m"

static unsigned width_of(const struct trace_show *show)
{
	return show->width > 60 ? show->width : 100;
}

/* ---- a structure on one line ---- */

struct line {
	const struct trace_show *show;
	const struct trace_exchange *x;
	const struct trace_message *m;
	char *text;
	size_t size, len;
};

static void put(struct line *l, const char *text)
{
	const size_t n = strlen(text), room = l->len < l->size ? l->size - l->len : 0;

	if (room)
		snprintf(l->text + l->len, room, "%s", text);
	l->len += n;
}

static unsigned children(const struct trace_message *m, size_t group)
{
	unsigned n = 0;

	for (size_t i = group + 1, end = trace_node_next(m, group); i < end;
	     i = trace_node_next(m, i))
		n += !m->nodes[i].length;
	return n;
}

static bool has_word(const struct trace_node *n)
{
	return n->form == TRACE_NUMBER && trace_name(n->type, n->value) != NULL;
}

static void put_node(struct line *l, size_t node);

/* "TPM_ALG_AES: keyBits 128, mode TPM_ALG_CFB": what a structure begins with says what it is. */
static void put_group(struct line *l, size_t group)
{
	const unsigned count = children(l->m, group);
	const bool list = l->m->nodes[group].list;
	const bool titled = !list && count > 1 && has_word(&l->m->nodes[group + 1]);
	unsigned n = 0;

	if (count == 0)
		put(l, "empty");
	for (size_t i = group + 1, end = trace_node_next(l->m, group); i < end;
	     i = trace_node_next(l->m, i)) {
		const struct trace_node *node = &l->m->nodes[i];

		if (node->length)
			continue;
		put(l, n == 0 ? "" : n == 1 && titled ? ": " : list ? "; " : ", ");
		if (node->name && count > 1 && !(titled && (n == 0 || count == 2))) {
			put(l, node->name);
			put(l, " ");
		}
		put_node(l, i);
		n++;
	}
}

static void put_node(struct line *l, size_t node)
{
	char text[SHORT_SIZE];

	if (l->m->nodes[node].form == TRACE_GROUP) {
		put_group(l, node);
		return;
	}
	trace_value_text(l->show, l->x, l->m, node, text, sizeof text);
	put(l, text);
}

/* False: it takes more than `room`. */
static bool fits_line(const struct trace_show *show, const struct trace_exchange *x,
		      const struct trace_message *m, size_t node, size_t room, char *text)
{
	struct line l = {show, x, m, text, SHORT_SIZE, 0};

	if (m->nodes[node].size > SHORT_SIZE)
		return false;
	text[0] = 0;
	put_node(&l, node);
	return l.len <= room && l.len < SHORT_SIZE;
}

/* ---- lines ---- */

static void begin_line(const struct trace_show *show, const struct trace_node *n, unsigned depth,
		       const char *name)
{
	char left[96];

	if (show->offsets)
		fprintf(show->out, n ? "%04x " : "     ", n ? n->at : 0);
	snprintf(left, sizeof left, "    %*s%s", (int)(2 * depth), "", name);
	fprintf(show->out, "%-*s  ", VALUE_COLUMN - 2, left);
}

/* Long values go on below. */
static void say_value(const struct trace_show *show, const struct trace_exchange *x,
		      const struct trace_message *m, size_t node)
{
	char text[VALUE_SIZE];
	const struct trace_node *n = &m->nodes[node];
	const size_t bytes = trace_node_bytes(m, n).len;
	const size_t column = VALUE_COLUMN + (show->offsets ? 5 : 0), at_once = 64;
	size_t len;

	trace_value_text(show, x, m, node, text, sizeof text);
	len = strlen(text);
	if (n->form == TRACE_BYTES && !trace_is_hidden(show, n) && bytes > SHOWN_BYTES &&
	    len >= 2 * bytes && !show->full) {
		text[2 * SHOWN_BYTES + (len - 2 * bytes)] = 0;
		len = strlen(text);
	}
	if (n->form != TRACE_BYTES || len <= at_once + 8 || trace_is_hidden(show, n)) {
		fprintf(show->out, "%s\n", text);
		return;
	}
	for (size_t at = 0; at < len; at += at_once)
		fprintf(show->out, at ? "%*s%.*s" : "%*s%.*s", at ? (int)column : 0, "",
			(int)at_once, text + at),
			fputs(at + at_once < len ? "\n" : "", show->out);
	if (len < 2 * bytes)
		fprintf(show->out, "... (%zu bytes)", bytes);
	fputc('\n', show->out);
}

static void element_name(const struct trace_message *m, size_t node, char *name, size_t size)
{
	char path[200];

	trace_node_path(m, node, path, sizeof path);
	const char *index = strrchr(path, '[');

	snprintf(name, size, "%s", index ? index : "");
}

static void say_node(const struct trace_show *show, const struct trace_exchange *x,
		     const struct trace_message *m, size_t node)
{
	const struct trace_node *n = &m->nodes[node];
	char name[48], text[SHORT_SIZE];

	if (n->length && !show->offsets)
		return;
	if (n->name)
		snprintf(name, sizeof name, "%s", n->name);
	else
		element_name(m, node, name, sizeof name);
	begin_line(show, n, n->depth, name);
	if (n->form != TRACE_GROUP) {
		say_value(show, x, m, node);
	} else if (!show->offsets &&
		   fits_line(show, x, m, node, width_of(show) - VALUE_COLUMN, text)) {
		fprintf(show->out, "%s\n", text);
		return;
	} else {
		fputc('\n', show->out);
	}
	for (size_t i = node + 1, end = trace_node_next(m, node); i < end;
	     i = trace_node_next(m, i))
		say_node(show, x, m, i);
}

/* ---- sessions ---- */

/* "password, empty; continueSession": what authorises, and the session's attributes. */
static void say_session(const struct trace_show *show, const struct trace_exchange *x,
			const struct trace_message *m, size_t group, unsigned number)
{
	char name[24], text[SHORT_SIZE], attributes[120] = "";
	bool password = false;

	snprintf(name, sizeof name, "session %u", number);
	begin_line(show, &m->nodes[group], 0, name);
	text[0] = 0;
	for (size_t i = group + 1, end = trace_node_next(m, group); i < end;
	     i = trace_node_next(m, i)) {
		const struct trace_node *n = &m->nodes[i];

		if (n->form == TRACE_NUMBER && n->type == &type_TPMA_SESSION)
			trace_value_text(show, x, m, i, attributes, sizeof attributes);
		else if (n->form == TRACE_NUMBER)
			trace_value_text(show, x, m, i, text, sizeof text);
		password |= n->form == TRACE_NUMBER && n->value == TPM_RS_PW;
	}
	if (password)
		snprintf(text, sizeof text, "password");
	fprintf(show->out, "%s%s%s\n", text, *text && *attributes ? "; " : "", attributes);
	for (size_t i = group + 1, end = trace_node_next(m, group); i < end;
	     i = trace_node_next(m, i)) {
		const struct trace_node *n = &m->nodes[i];
		const bool empty = n->size == n->prefix;

		if (n->form == TRACE_BYTES && (!empty || (password && !strcmp(n->name, "hmac")))) {
			begin_line(show, n, 1, password && !n->broken ? "password" : n->name);
			say_value(show, x, m, i);
		}
	}
}

/* ---- messages ---- */

static void say_parts(const struct trace_show *show, const struct trace_exchange *x,
		      const struct trace_message *m)
{
	unsigned session = 0;

	for (size_t i = 0; i < m->count; i = trace_node_next(m, i)) {
		const struct trace_node *n = &m->nodes[i];
		const bool group = n->part == TRACE_SESSIONS && n->form == TRACE_GROUP;

		if (group && !show->offsets)
			say_session(show, x, m, i, ++session);
		else if (n->part != TRACE_HEADER || show->offsets || n->broken)
			say_node(show, x, m, i);
	}
	if (m->incomplete)
		fprintf(show->out, "    out of memory: the rest is missing\n");
}

static void say_fault(const struct trace_show *show, const struct trace_message *m)
{
	char path[200], about[80];
	struct trace_code code;
	const uint32_t at = m->fault < m->count ? m->nodes[m->fault].at : 0;

	if (!m->malformed)
		return;
	trace_node_path(m, m->fault, path, sizeof path);
	trace_code(m->rc, &code);
	trace_code_about(&code, m->command, about, sizeof about);
	if (m->response)
		fprintf(show->out, "    %s!! malformed at offset %u, %s: %s%s\n", colour(show, RED),
			at, path, code.meaning, colour(show, PLAIN));
	else
		fprintf(show->out,
			"    %s!! offset %u, %s: this engine answers %s (0x%x)%s%s: %s%s\n",
			colour(show, RED), at, path, code.name, m->rc, *about ? ", " : "", about,
			code.meaning, colour(show, PLAIN));
}

static void say_title(const struct trace_show *show, const struct trace_exchange *x)
{
	const struct trace_message *m = &x->command;
	char name[48];

	fprintf(show->out, "%s#%lu", colour(show, BOLD), x->number);
	if (!x->has_command)
		fprintf(show->out, "  a response without its command");
	else if (m->len < TRACE_HEADER_SIZE)
		fprintf(show->out, "  no command");
	else
		fprintf(show->out, "  %s", trace_command_name(m->code, name));
	fprintf(show->out, "%s", colour(show, PLAIN));
	if (x->has_command)
		fprintf(show->out, ", %zu bytes", m->len);
	if (x->line)
		fprintf(show->out, ", line %lu", x->line);
	if (*x->when)
		fprintf(show->out, ", %s", strchr(x->when, 'T') + 1);
	if (x->where)
		fprintf(show->out, ", %s", x->where);
	if (x->locality >= 0)
		fprintf(show->out, ", locality %d", x->locality);
	fputc('\n', show->out);
}

static void say_code(const struct trace_show *show, const struct trace_exchange *x)
{
	const struct trace_message *m = &x->response;
	char about[80];
	struct trace_code code;

	trace_code(m->code, &code);
	trace_code_about(&code, x->has_command ? x->command.command : NULL, about, sizeof about);
	fprintf(show->out, "  < %s%s%s", colour(show, m->code ? RED : BOLD), code.name,
		colour(show, PLAIN));
	if (m->code)
		fprintf(show->out, " (0x%x)%s%s%s%s", m->code, *about ? ", " : "", about,
			code.layer ? ", from " : "", code.layer ? code.layer : "");
	fprintf(show->out, ", %zu bytes", m->len);
	if (x->took_us >= 0)
		fprintf(show->out, ", %lld.%03lld ms", (long long)(x->took_us / 1000),
			(long long)(x->took_us % 1000));
	fputc('\n', show->out);
	if (m->code && *code.meaning)
		fprintf(show->out, "    %s\n", code.meaning);
}

void trace_show_text(const struct trace_show *show, const struct trace_exchange *x)
{
	say_title(show, x);
	if (x->has_command) {
		say_parts(show, x, &x->command);
		say_fault(show, &x->command);
	}
	if (!x->has_response) {
		fprintf(show->out, "  < %sno answer%s\n\n", colour(show, RED), colour(show, PLAIN));
		return;
	}
	if (x->response.len >= TRACE_HEADER_SIZE)
		say_code(show, x);
	say_parts(show, x, &x->response);
	say_fault(show, &x->response);
	fputc('\n', show->out);
}

/* ---- one line ---- */

/* Handles, and parameters that are short. */
static void put_short(struct line *l, size_t most)
{
	bool first = true;

	for (size_t i = 0; i < l->m->count; i = trace_node_next(l->m, i)) {
		const struct trace_node *n = &l->m->nodes[i];
		char text[SHORT_SIZE];

		if (n->part == TRACE_HEADER || n->part == TRACE_SESSIONS || n->length ||
		    (n->form == TRACE_BYTES && n->size == n->prefix) ||
		    (n->type == &type_TPMI_YES_NO && !n->value) ||
		    !fits_line(l->show, l->x, l->m, i, most, text) || !strcmp(text, "empty"))
			continue;
		put(l, first ? "" : ", ");
		put(l, text);
		first = false;
	}
}

void trace_show_brief(const struct trace_show *show, const struct trace_exchange *x)
{
	char text[SHORT_SIZE] = "", name[48], about[80];
	struct line l = {show, x, &x->command, text, sizeof text, 0};
	struct trace_code code;

	fprintf(show->out, "#%-5lu ", x->number);
	if (*x->when)
		fprintf(show->out, "%s  ", strchr(x->when, 'T') + 1);
	if (x->has_command) {
		put_short(&l, 48);
		fprintf(show->out, "%s%s%s(%s)", colour(show, BOLD),
			x->command.len < TRACE_HEADER_SIZE
				? "no command"
				: trace_command_name(x->command.code, name),
			colour(show, PLAIN), text);
	}
	if (x->command.malformed)
		fprintf(show->out, " %smalformed%s", colour(show, RED), colour(show, PLAIN));
	if (!x->has_response) {
		fprintf(show->out, " %sno answer%s\n", colour(show, RED), colour(show, PLAIN));
		return;
	}
	trace_code(x->response.code, &code);
	trace_code_about(&code, x->has_command ? x->command.command : NULL, about, sizeof about);
	text[0] = 0;
	l = (struct line){show, x, &x->response, text, sizeof text, 0};
	put_short(&l, 48);
	if (x->response.code)
		fprintf(show->out, " %s%s%s%s%s", colour(show, RED), code.name, *about ? ", " : "",
			about, colour(show, PLAIN));
	else
		fprintf(show->out, *text ? " = %s" : "%s", text);
	fprintf(show->out, "%s\n", x->response.malformed ? " malformed response" : "");
}
