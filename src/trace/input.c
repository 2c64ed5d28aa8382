#include "trace/input.h"

#include "crypto/crypto.h"
#include "crypto/hex.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

size_t trace_input_read(struct trace_input *in, void *to, size_t len)
{
	uint8_t *at = to;
	size_t done = 0;

	while (done < len && in->head_at < in->head_len)
		at[done++] = in->head[in->head_at++];
	done += fread(at + done, 1, len - done, in->file);
	in->offset += done;
	return done;
}

/* ---- a run of messages ---- */

static bool read_binary(struct trace_input *in, struct trace_sink *sink)
{
	struct trace_context context = {0};
	struct trace_way way = {.sink = sink, .context = &context};
	const struct trace_meta meta = {.ns = -1, .locality = -1};
	uint8_t message[TRACE_MAX_MESSAGE];
	bool good = true;
	size_t size, len;

	for (;;) {
		const unsigned long long at = in->offset;

		len = trace_input_read(in, message, TRACE_HEADER_SIZE);
		if (len == 0)
			break;
		if (!trace_looks_like_message(message, len, &size)) {
			trace_note(
				sink, true,
				"byte %llu: no command or response begins here, and where the next "
				"one does is not known",
				at);
			good = false;
			break;
		}
		if (len == TRACE_HEADER_SIZE)
			len += trace_input_read(in, message + len, size - len);
		trace_take(&way, message, len, &meta);
	}
	trace_way_end(&way);
	cvtpm_wipe(message, sizeof message);
	return good;
}

/* ---- text ---- */

#define LINE_MAX_SIZE    (6 * TRACE_MAX_MESSAGE)
#define LINE_PREFIX_SIZE 300 /* a message begins within so many characters */

enum direction { EITHER, COMMAND, RESPONSE };

/* The bytes written in all of `text`: pairs of digits, alone, with 0x, separated by spaces,
 * colons, commas or dashes. NULL; or where there is something else. */
static const char *parse_hex(const char *text, uint8_t *bytes, size_t *len)
{
	static const char separators[] = " \t:,;-";

	for (*len = 0; *text;) {
		if (strchr(separators, *text)) {
			text++;
			continue;
		}
		if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
			text += 2;
			continue;
		}
		if (*len == TRACE_MAX_MESSAGE || !cvtpm_hex_read(text, bytes + *len, 1))
			return text;
		++*len;
		text += 2;
	}
	return *len ? NULL : text;
}

static bool has_word(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcasestr(text, *words))
			return true;
	return false;
}

/* What the words in front say. */
static enum direction direction_of(const char *prefix)
{
	static const char *const of_commands[] = {"send",    "transmit", "command", "cmd",
						  "request", "write",    "TX",      NULL};
	static const char *const of_responses[] = {"recv",   "receiv", "response", "rsp", "reply",
						   "answer", "read",   "RX",       NULL};
	const size_t len = strlen(prefix);
	const bool c = has_word(prefix, of_commands) || strchr(prefix, '>') || strstr(prefix, "C:"),
		   r = has_word(prefix, of_responses) || strchr(prefix, '<') ||
		       strstr(prefix, "R:");

	if (len && c != r)
		return c ? COMMAND : RESPONSE;
	return EITHER;
}

/* A prefix that a log has in front of what is no whole message: a mark, a time, a number. */
static bool is_plain_prefix(const char *prefix)
{
	for (const char *at = prefix; *at; at++)
		if (isalpha((unsigned char)*at) && !strchr("CRTXZ", *at))
			return false;
	return true;
}

/* Where in a line the message begins: a whole one, or else what begins like one. Words in front
 * may look like bytes, but there are not many. NULL: there is none. */
static char *find_message(char *line, uint8_t *bytes, size_t *len, bool *whole)
{
	char *best = NULL;
	size_t size;

	*whole = false;
	for (char *at = line; *at && !*whole && at - line < LINE_PREFIX_SIZE; at++) {
		const bool begins = at == line || !isalnum((unsigned char)at[-1]);
		const char *wrong =
			begins && isxdigit((unsigned char)*at) ? parse_hex(at, bytes, len) : at;

		if (wrong) {
			at += wrong - at;
			if (!*at)
				break;
			continue;
		}
		*whole = trace_looks_like_message(bytes, *len, &size) && size == *len;
		if (*whole || (!best && (bytes[0] == 0x80 ||
					 (*len > 1 && bytes[0] == 0 && bytes[1] == 0xC4))))
			best = at;
	}
	if (best)
		parse_hex(best, bytes, len);
	return best;
}

static bool take_line(struct trace_way *way, char *line, const struct trace_meta *meta,
		      uint8_t *bytes)
{
	size_t len;
	bool whole;
	char *message = find_message(line, bytes, &len, &whole);

	if (!message)
		return false;
	*message = 0; /* what is left are the words in front of it */
	if (!whole && !is_plain_prefix(line))
		return false;
	switch (direction_of(line)) {
	case COMMAND:
		trace_take_command(way, bytes, len, meta);
		break;
	case RESPONSE:
		trace_take_response(way, bytes, len, meta);
		break;
	default:
		trace_take(way, bytes, len, meta);
	}
	return true;
}

/* ---- dumps, as of xxd and of tpm2-tss's log: an offset, bytes, and letters behind two spaces ----
 */

/* What has come since offset 0 and is not told yet. A log may have a message twice: in pieces as
 * they were received, which are passed over, and whole. */
struct dump {
	uint8_t bytes[TRACE_MAX_MESSAGE + 64], last[TRACE_MAX_MESSAGE];
	size_t len, last_len;
	bool lost; /* no message began at offset 0: another protocol's bytes */
};

/* The line's bytes; -1: it is no line of a dump. A whole message on a line is none, either. */
static int dump_line(const char *line, uint8_t bytes[64], bool *first)
{
	const size_t digits = strspn(line, "0123456789abcdefABCDEF");
	const char *at = line + digits + 2;
	int len = 0;

	if ((digits != 4 && digits != 8) || line[digits] != ':' || line[digits + 1] != ' ')
		return -1;
	while (len < 64 && cvtpm_hex_read(at, bytes + len, 1)) {
		len++;
		at += 2;
		at += at[0] == ' ' && at[1] != ' ';
	}
	*first = strtoul(line, NULL, 16) == 0;
	return len && (*at == 0 || strncmp(at, "  ", 2) == 0 || strcmp(at, " ") == 0) ? len : -1;
}

static void take_dumped(struct trace_way *way, struct dump *dump, size_t size,
			const struct trace_meta *meta)
{
	const bool again = !way->command && dump->last_len == size &&
			   memcmp(dump->last, dump->bytes, size) == 0;

	if (!again)
		trace_take(way, dump->bytes, size, meta);
	memcpy(dump->last, dump->bytes, size);
	dump->last_len = size;
	dump->len -= size;
	memmove(dump->bytes, dump->bytes + size, dump->len);
}

/* False: the line is none of a dump. */
static bool take_dump_line(struct trace_way *way, struct dump *dump, const char *line,
			   const struct trace_meta *meta)
{
	uint8_t bytes[64];
	bool first;
	const int len = dump_line(line, bytes, &first);
	size_t size;

	if (len < 0)
		return false;
	if (first) {
		dump->len = 0;
		dump->lost = false;
	}
	if (dump->lost)
		return true;
	memcpy(dump->bytes + dump->len, bytes, (size_t)len); /* less than a message is there */
	dump->len += (size_t)len;
	while (trace_looks_like_message(dump->bytes, dump->len, &size) && dump->len >= size)
		take_dumped(way, dump, size, meta);
	dump->lost = dump->len >= 6 && !trace_looks_like_message(dump->bytes, dump->len, &size);
	if (dump->lost)
		dump->len = 0;
	return true;
}

/* "debug:tcti:src/...": what tpm2-tss says besides. */
static bool is_log_line(const char *line)
{
	static const char *const levels[] = {
		"trace:", "debug:", "info:", "warning:", "error:", NULL};

	for (const char *const *level = levels; *level; level++)
		if (strncasecmp(line, *level, strlen(*level)) == 0)
			return true;
	return false;
}

/* The next line without its end. 0: there is none; -1: it is too long. */
static int read_line(struct trace_input *in, char *line)
{
	size_t len = 0;
	bool any = false;
	char c;

	while (trace_input_read(in, &c, 1) == 1) {
		any = true;
		if (c == '\n')
			break;
		if (len < LINE_MAX_SIZE)
			line[len] = c == 0 || c == '\r' ? ' ' : c;
		len++;
	}
	if (len >= LINE_MAX_SIZE)
		return -1;
	line[len] = 0;
	return any;
}

static bool is_blank(const char *line)
{
	line += strspn(line, " \t");
	return !*line || *line == '#';
}

static void refuse_line(struct trace_sink *sink, unsigned long number, const char *line)
{
	char shown[41];
	size_t n = 0;

	for (; n + 1 < sizeof shown && line[n]; n++)
		shown[n] = isprint((unsigned char)line[n]) ? line[n] : '?';
	shown[n] = 0;
	trace_note(sink, true, "line %lu: no command or response in hexadecimal: %s%s", number,
		   shown, line[n] ? "..." : "");
}

struct text {
	struct trace_way way;
	struct trace_context context;
	struct dump dump;
	uint8_t bytes[TRACE_MAX_MESSAGE];
	char line[LINE_MAX_SIZE + 1];
};

static bool understood(struct text *t, unsigned long number)
{
	const struct trace_meta meta = {.ns = -1, .locality = -1, .line = number};

	return is_blank(t->line) || take_dump_line(&t->way, &t->dump, t->line, &meta) ||
	       take_line(&t->way, t->line, &meta, t->bytes) || is_log_line(t->line);
}

static bool read_text(struct trace_input *in, struct trace_sink *sink)
{
	struct text *t = calloc(1, sizeof *t);
	int found;

	if (!t) {
		trace_note(sink, true, "out of memory");
		return false;
	}
	t->way = (struct trace_way){.sink = sink, .context = &t->context};
	for (unsigned long number = 1; (found = read_line(in, t->line)) != 0; number++) {
		if (found < 0)
			trace_note(sink, true, "line %lu: longer than any message", number);
		else if (!understood(t, number))
			refuse_line(sink, number, t->line);
	}
	trace_way_end(&t->way);
	cvtpm_wipe(t, sizeof *t);
	free(t);
	return true;
}

/* ---- which it is ---- */

static bool is_pcap(const uint8_t head[4])
{
	static const uint8_t magics[][4] = {{0xA1, 0xB2, 0xC3, 0xD4},
					    {0xD4, 0xC3, 0xB2, 0xA1},
					    {0xA1, 0xB2, 0x3C, 0x4D},
					    {0x4D, 0x3C, 0xB2, 0xA1},
					    {0x0A, 0x0D, 0x0D, 0x0A}}; /* pcapng */

	for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
		if (memcmp(head, magics[i], 4) == 0)
			return true;
	return false;
}

static bool is_text(const uint8_t *head, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isprint(head[i]) && !isspace(head[i]))
			return false;
	return true;
}

bool trace_read(FILE *file, uint16_t port, struct trace_sink *sink)
{
	struct trace_input in = {.file = file};
	const uint8_t *head = in.head;

	in.head_len = fread(in.head, 1, sizeof in.head, file);
	if (in.head_len == 4 && is_pcap(head))
		return trace_read_pcap(&in, port, sink);
	if (in.head_len >= 2 && ((head[0] == 0x80 && (head[1] == 1 || head[1] == 2)) ||
				 (head[0] == 0 && head[1] == 0xC4)))
		return read_binary(&in, sink);
	if (is_text(head, in.head_len))
		return read_text(&in, sink);
	trace_note(sink, true,
		   "neither a packet capture nor text, nor does it begin with a TPM command or "
		   "response");
	return false;
}
