/*
 * Traces. The first byte chooses: the rest is a file of any form, shown in every way; or a
 * command and, behind it, a response to it. Nodes cover both without a gap, a command's
 * fault is what the engine's reader says, and what is hidden is not in the output.
 */
#include "../tests/trace/reference.h"
#include "trace/input.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool true_always)
{
	if (!true_always)
		abort();
}

static void take_exchange(void *owner, const struct trace_exchange *x)
{
	const struct trace_show *show = owner;
	struct trace_show full = *show;

	must(x->has_command || x->has_response);
	must(!x->has_command || x->command.incomplete || !reference_check_nodes(&x->command));
	must(!x->has_response || x->response.incomplete || !reference_check_nodes(&x->response));
	full.full = full.offsets = full.secrets = full.colour = true;
	trace_show_text(show, x);
	trace_show_text(&full, x);
	trace_show_brief(show, x);
	must(trace_show_json(show, x));
	must(trace_show_json(&full, x));
}

static void take_note(void *owner, bool wrong, const char *line)
{
	(void)owner;
	(void)wrong;
	must(*line != 0);
}

static void read_file(const uint8_t *data, size_t size)
{
	FILE *file = fmemopen((void *)(uintptr_t)data, size, "rb");
	struct trace_show show = {.out = fopen("/dev/null", "w")};
	struct trace_sink sink = {take_exchange, take_note, &show, 0};

	must(file && show.out);
	trace_read(file, 0, &sink);
	fclose(file);
	fclose(show.out);
}

static void read_pair(const uint8_t *data, size_t size)
{
	const size_t wanted = size > 6 ? (size_t)data[4] << 8 | data[5] : size;
	const size_t len = wanted < size ? wanted : size;
	uint8_t *blank = malloc(size + 1);
	struct trace_context context = {0};
	struct trace_message c, r;

	must(blank != NULL);
	memcpy(blank, data, size);
	trace_decode_command(&context, data, len, &c);
	must(!reference_check_nodes(&c));
	must((c.malformed ? c.rc : 0) == reference_read(data, len));
	trace_decode_response(&c, data + len, size - len, &r);
	must(!reference_check_nodes(&r));
	trace_learn(&context, &c, &r, 1);
	trace_message_blank(&c, blank);
	trace_message_blank(&r, blank + len);
	for (size_t i = 0; i < size; i++)
		must(blank[i] == data[i] || blank[i] == 0);
	trace_message_free(&c);
	trace_message_free(&r);
	free(blank);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] & 1)
		read_file(data + 1, size - 1);
	else
		read_pair(data + 1, size - 1);
	return 0;
}
