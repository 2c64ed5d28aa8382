#include "trace/pair.h"

#include "crypto/crypto.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void trace_note(const struct trace_sink *sink, bool wrong, const char *format, ...)
{
	char line[300];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	sink->note(sink->owner, wrong, line);
}

static void tell_time(int64_t ns, char *text, size_t size)
{
	const time_t seconds = (time_t)(ns / 1000000000);
	struct tm utc;
	size_t len;

	text[0] = 0;
	if (ns < 0 || !gmtime_r(&seconds, &utc))
		return;
	len = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &utc);
	if (len)
		snprintf(text + len, size - len, ".%06dZ", (int)(ns % 1000000000 / 1000));
}

/* `meta` is the command's, or a lone response's. */
static void tell(struct trace_way *way, const uint8_t *response, size_t len,
		 const struct trace_meta *meta, int64_t answered_ns)
{
	struct trace_exchange x = {.number = ++way->sink->count,
				   .context = way->context,
				   .has_command = way->command != NULL,
				   .has_response = response != NULL,
				   .took_us = -1,
				   .where = meta->where,
				   .locality = meta->locality,
				   .line = meta->line};

	tell_time(meta->ns, x.when, sizeof x.when);
	if (x.has_command && x.has_response && meta->ns >= 0 && answered_ns >= meta->ns)
		x.took_us = (answered_ns - meta->ns) / 1000;
	if (x.has_command)
		trace_decode_command(way->context, way->command, way->command_len, &x.command);
	if (x.has_response)
		trace_decode_response(x.has_command ? &x.command : NULL, response, len,
				      &x.response);
	way->sink->exchange(way->sink->owner, &x);
	if (x.has_command)
		trace_learn(way->context, &x.command, x.has_response ? &x.response : NULL,
			    x.number);
	trace_message_free(&x.command);
	trace_message_free(&x.response);
	if (way->command)
		cvtpm_wipe(way->command, way->command_len);
	free(way->command);
	way->command = NULL;
}

void trace_take_command(struct trace_way *way, const uint8_t *bytes, size_t len,
			const struct trace_meta *meta)
{
	trace_way_end(way);
	way->command = malloc(len ? len : 1);
	way->command_len = len;
	way->meta = *meta;
	if (!way->command)
		trace_note(way->sink, true, "out of memory: a command is missing");
	else if (len)
		memcpy(way->command, bytes, len);
}

void trace_take_response(struct trace_way *way, const uint8_t *bytes, size_t len,
			 const struct trace_meta *meta)
{
	tell(way, bytes, len, way->command ? &way->meta : meta, meta->ns);
}

/* An error's response is a header and nothing else; a code of 0 is no command's. */
static bool is_response(const struct trace_way *way, const uint8_t *bytes, size_t len)
{
	struct trace_message m;
	bool response;

	trace_decode_command(way->context, bytes, len, &m);
	response = len >= TRACE_HEADER_SIZE && (m.code == 0 || m.tag == TPM_ST_RSP_COMMAND);
	if (way->command && len == TRACE_HEADER_SIZE && (!m.command || m.malformed))
		response = true;
	trace_message_free(&m);
	return response;
}

void trace_take(struct trace_way *way, const uint8_t *bytes, size_t len,
		const struct trace_meta *meta)
{
	if (is_response(way, bytes, len))
		trace_take_response(way, bytes, len, meta);
	else
		trace_take_command(way, bytes, len, meta);
}

void trace_way_end(struct trace_way *way)
{
	if (way->command)
		tell(way, NULL, 0, &way->meta, -1);
}
