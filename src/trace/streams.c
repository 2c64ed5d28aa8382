/*
 * TCP connections that hold TPM traffic, out of a packet capture.
 *
 * Which connections do is told by what they hold: TPM commands one after the other, or
 * the simulator's protocol. Others are passed over. Segments come in order, or again;
 * where bytes are missing it is said, and a message is sought at the next segment.
 */
#include "trace/message.h"
#include "trace/pcap.h"
#include "trace/record.h"

#include "crypto/crypto.h"
#include "host/frame.h"
#include "serve/mssim_protocol.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONNECTIONS 256
#define MAX_SERVERS     64
#define BUFFER_SIZE     (TRACE_MAX_MESSAGE + 16)
#define TPM_PORT        2321

enum speech { UNKNOWN, RAW, MSSIM, FOREIGN };

/* A TPM: an address and port that are spoken to. */
struct server {
	uint8_t address[16];
	uint16_t port;
	struct trace_context context;
};

struct half {
	bool begun;
	uint32_t next; /* the sequence number wanted */
	size_t skip;   /* bytes that are of no interest */
	size_t len;
	uint8_t buffer[BUFFER_SIZE];
};

struct connection {
	bool used;
	uint8_t address[2][16];
	uint16_t port[2];
	enum speech speech;
	unsigned client; /* the half of the one that sends commands */
	bool client_known;
	struct half half[2];
	struct trace_way way;
	char where[80];
	int locality;
};

struct streams {
	struct trace_sink *sink;
	uint16_t port;
	struct connection *connections[MAX_CONNECTIONS];
	size_t next;
	struct server *servers;
	size_t server_count;
	unsigned long long frame;
	bool any;
};

/* ---- connections ---- */

static void forget(struct streams *s, size_t n)
{
	struct connection *c = s->connections[n];

	if (!c)
		return;
	trace_way_end(&c->way);
	cvtpm_wipe(c, sizeof *c);
	free(c);
	s->connections[n] = NULL;
}

static bool is_end(const struct connection *c, unsigned n, const uint8_t *address, uint16_t port)
{
	return c->port[n] == port && memcmp(c->address[n], address, 16) == 0;
}

/* The connection of a segment, and which half it is of; a new one after SYN. */
static struct connection *connection_of(struct streams *s, const struct tcp_segment *t,
					unsigned *half)
{
	struct connection *c;
	size_t n;

	for (n = 0; n < MAX_CONNECTIONS; n++) {
		c = s->connections[n];
		if (!c)
			continue;
		for (*half = 0; *half < 2; ++*half)
			if (is_end(c, *half, t->from, t->from_port) &&
			    is_end(c, !*half, t->to, t->to_port))
				break;
		if (*half < 2 && t->syn && !t->ack) {
			forget(s, n);
			break;
		}
		if (*half < 2)
			return c;
	}
	n = s->next++ % MAX_CONNECTIONS;
	forget(s, n);
	c = s->connections[n] = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	memcpy(c->address[0], t->from, 16);
	memcpy(c->address[1], t->to, 16);
	c->port[0] = t->from_port;
	c->port[1] = t->to_port;
	c->locality = -1;
	if (t->syn) {
		c->client = t->ack;
		c->client_known = true;
	}
	*half = 0;
	return c;
}

static struct trace_context *server_of(struct streams *s, const uint8_t *address, uint16_t port)
{
	struct server *v;

	for (size_t i = 0; i < s->server_count; i++)
		if (s->servers[i].port == port && memcmp(s->servers[i].address, address, 16) == 0)
			return &s->servers[i].context;
	/* The last one is shared by those that there is no room for: little is then known of them.
	 */
	if (s->server_count == MAX_SERVERS) {
		v = &s->servers[MAX_SERVERS - 1];
		v->context = (struct trace_context){0};
		return &v->context;
	}
	v = &s->servers[s->server_count++];
	memcpy(v->address, address, 16);
	v->port = port;
	return &v->context;
}

static void tell_where(struct connection *c, bool ipv6)
{
	const uint8_t *from = c->address[c->client], *to = c->address[!c->client];
	char text[INET6_ADDRSTRLEN];
	const char *door = record_door_name(from[1]);

	if (!ipv6 && frame_get_u32(to) == RECORD_SERVER && frame_get_u32(from) == RECORD_CLIENT) {
		snprintf(c->where, sizeof c->where, "the platform");
		return;
	}
	if (!ipv6 && frame_get_u32(to) == RECORD_SERVER && from[0] == 127 && from[3] == 1 && door) {
		snprintf(c->where, sizeof c->where, "%s %u", door,
			 (unsigned)(c->port[c->client] - RECORD_MIN_PORT));
		c->locality = from[2];
		return;
	}
	inet_ntop(ipv6 ? AF_INET6 : AF_INET, from, text, sizeof text);
	snprintf(c->where, sizeof c->where, ipv6 ? "[%s]:%u" : "%s:%u", text, c->port[c->client]);
}

/* ---- what a connection speaks ---- */

static bool is_tpm_port(const struct streams *s, uint16_t port)
{
	return port == TPM_PORT || port == TPM_PORT + 1 || (s->port && port == s->port);
}

/* From the first bytes of a half: FOREIGN where it is neither, UNKNOWN where more are needed. */
static enum speech recognise(const struct streams *s, const struct connection *c, unsigned half,
			     bool *client)
{
	const struct half *h = &c->half[half];
	const uint16_t to = c->port[!half], from = c->port[half];
	struct mssim_request request;
	size_t size;

	if (h->len < 4)
		return UNKNOWN;
	const uint32_t first = frame_get_u32(h->buffer);
	const bool known = strcmp(mssim_name(first), "?") != 0;

	if (known && first != MSSIM_SEND_COMMAND && is_tpm_port(s, to) && !is_tpm_port(s, from)) {
		*client = true;
		return MSSIM;
	}
	if (first == MSSIM_SEND_COMMAND && h->len >= MSSIM_COMMAND_PREFIX + 6 &&
	    mssim_look(MSSIM_COMMAND_PORT, h->buffer, h->len, TRACE_MAX_MESSAGE, &request) !=
		    MSSIM_TOO_BIG &&
	    trace_looks_like_message(h->buffer + MSSIM_COMMAND_PREFIX, 6, &size)) {
		*client = true;
		return MSSIM;
	}
	if (h->len >= 10 && trace_looks_like_message(h->buffer + 4, 6, &size) && size == first) {
		*client = false;
		return MSSIM;
	}
	if (h->len < TRACE_HEADER_SIZE)
		return first == MSSIM_SEND_COMMAND ||
				       trace_looks_like_message(h->buffer, h->len, &size) ||
				       h->len < 6
			       ? UNKNOWN
			       : FOREIGN;
	if (!trace_looks_like_message(h->buffer, h->len, &size))
		return first == MSSIM_SEND_COMMAND && h->len < MSSIM_COMMAND_PREFIX + 6 ? UNKNOWN
											: FOREIGN;
	const uint32_t code = frame_get_u32(h->buffer + 6);

	*client = is_tpm_port(s, to)     ? true
		  : is_tpm_port(s, from) ? false
					 : command_find(code) || code & 0x20000000;
	return RAW;
}

static void learn_speech(struct streams *s, struct connection *c, unsigned half, bool ipv6)
{
	bool client = false;

	c->speech = recognise(s, c, half, &client);
	if (c->speech != RAW && c->speech != MSSIM)
		return;
	if (!c->client_known)
		c->client = client ? half : !half;
	s->any = true;
	c->way.sink = s->sink;
	c->way.context = server_of(s, c->address[!c->client], c->port[!c->client]);
	tell_where(c, ipv6);
}

/* ---- what it says ---- */

static void consume(struct half *h, size_t len)
{
	h->len -= len;
	memmove(h->buffer, h->buffer + len, h->len);
}

static void lose(struct streams *s, struct connection *c, struct half *h, const char *what)
{
	trace_note(s->sink, true, "frame %llu%s%s: %s", s->frame, *c->where ? ", " : "", c->where,
		   what);
	h->len = h->skip = 0;
}

/* False: more bytes are needed. */
static bool take_raw(struct streams *s, struct connection *c, unsigned half, int64_t ns)
{
	struct half *h = &c->half[half];
	const struct trace_meta meta = {.ns = ns, .where = c->where, .locality = c->locality};
	size_t size;

	if (h->len < 6)
		return false;
	if (!trace_looks_like_message(h->buffer, h->len, &size)) {
		lose(s, c, h, "no command or response begins where one should");
		return false;
	}
	if (h->len < size)
		return false;
	if (half == c->client)
		trace_take_command(&c->way, h->buffer, size, &meta);
	else
		trace_take_response(&c->way, h->buffer, size, &meta);
	consume(h, size);
	return true;
}

/* The platform's port is another one of the same TPM. */
static void forget_loaded(struct streams *s, const uint8_t *address)
{
	for (size_t i = 0; i < s->server_count; i++)
		if (memcmp(s->servers[i].address, address, 16) == 0)
			s->servers[i].context = (struct trace_context){0};
}

static bool take_request(struct streams *s, struct connection *c, unsigned half, int64_t ns)
{
	struct half *h = &c->half[half];
	struct mssim_request request;

	switch (mssim_look(MSSIM_COMMAND_PORT | MSSIM_PLATFORM_PORT, h->buffer, h->len,
			   TRACE_MAX_MESSAGE, &request)) {
	case MSSIM_MORE:
		return false;
	case MSSIM_WHOLE:
		break;
	default:
		lose(s, c, h, "no request of the simulator protocol begins where one should");
		return false;
	}
	if (request.number == MSSIM_SEND_COMMAND) {
		const struct trace_meta meta = {
			.ns = ns, .where = c->where, .locality = request.locality};

		trace_take_command(&c->way, request.data, request.data_len, &meta);
	} else if (request.number != MSSIM_SESSION_END) {
		if (mssim_ends_what_is_loaded(request.number))
			forget_loaded(s, c->address[!c->client]);
		trace_note(s->sink, false, "%s: %s", c->where, mssim_name(request.number));
	}
	if (request.number == MSSIM_SIGNAL_HASH_DATA)
		h->skip = request.value;
	consume(h, request.used);
	return true;
}

/* Sizes with a response behind them, and words that acknowledge. */
static bool take_reply(struct connection *c, unsigned half, int64_t ns)
{
	struct half *h = &c->half[half];
	const struct trace_meta meta = {.ns = ns, .where = c->where, .locality = c->locality};
	size_t size, announced;

	if (h->len < 4)
		return false;
	announced = frame_get_u32(h->buffer);
	if (announced < TRACE_HEADER_SIZE || announced > TRACE_MAX_MESSAGE) {
		consume(h, 4);
		return true;
	}
	if (h->len < 10)
		return false;
	if (!trace_looks_like_message(h->buffer + 4, h->len - 4, &size) || size != announced) {
		consume(h, 4);
		return true;
	}
	if (h->len < 4 + size)
		return false;
	trace_take_response(&c->way, h->buffer + 4, size, &meta);
	consume(h, 4 + size);
	return true;
}

static void take_all(struct streams *s, struct connection *c, unsigned half, int64_t ns)
{
	bool more = true;

	while (more && c->half[half].len && c->speech == RAW)
		more = take_raw(s, c, half, ns);
	while (more && c->half[half].len && c->speech == MSSIM)
		more = half == c->client ? take_request(s, c, half, ns) : take_reply(c, half, ns);
}

/* Bytes in order. */
static void add_bytes(struct streams *s, struct connection *c, unsigned half,
		      const struct tcp_segment *t, const uint8_t *data, size_t len, int64_t ns)
{
	struct half *h = &c->half[half];

	while (len && c->speech != FOREIGN) {
		size_t n = h->skip < len ? h->skip : len;

		h->skip -= n;
		data += n;
		len -= n;
		n = sizeof h->buffer - h->len < len ? sizeof h->buffer - h->len : len;
		memcpy(h->buffer + h->len, data, n);
		h->len += n;
		data += n;
		len -= n;
		if (c->speech == UNKNOWN)
			learn_speech(s, c, half, t->ipv6);
		take_all(s, c, half, ns);
		/* What the other half has said before it was known what is spoken. */
		take_all(s, c, !half, ns);
		if (h->len == sizeof h->buffer)
			lose(s, c, h, "more than any message has");
	}
}

static void take_segment(struct streams *s, const struct tcp_segment *t, int64_t ns)
{
	const uint8_t *data = t->data;
	size_t len = t->len;
	unsigned half;
	struct connection *c = connection_of(s, t, &half);

	if (!c) {
		trace_note(s->sink, true, "frame %llu: out of memory", s->frame);
		return;
	}
	struct half *h = &c->half[half];

	if (!h->begun || t->syn)
		h->next = t->sequence + t->syn;
	h->begun = true;

	const int32_t ahead = (int32_t)(t->sequence + t->syn - h->next);

	if (ahead > 0 && len) {
		if (c->speech == RAW || c->speech == MSSIM)
			lose(s, c, h, "bytes before it are missing in the capture");
		h->next = t->sequence;
	} else if (ahead < 0) { /* sent again */
		const size_t again = (size_t) - (int64_t)ahead;

		if (again >= len + t->missing)
			return;
		data += again < len ? again : len;
		len -= again < len ? again : len;
	}
	h->next += (uint32_t)(len + t->missing);
	add_bytes(s, c, half, t, data, len, ns);
	if (t->missing && c->speech != FOREIGN)
		lose(s, c, h, "the capture has not all bytes of it (tcpdump -s 0)");
}

bool trace_read_pcap(struct trace_input *input, uint16_t port, struct trace_sink *sink)
{
	struct streams s = {.sink = sink, .port = port};
	struct tcp_segment segment;
	struct pcap p = {0};
	const char *why = "";
	int more = -1;

	s.servers = calloc(MAX_SERVERS, sizeof *s.servers);
	if (!s.servers)
		trace_note(sink, true, "out of memory");
	else if (pcap_begin(&p, input, &why))
		while ((more = pcap_next(&p, &why)) > 0) {
			s.frame++;
			if (pcap_segment(&p, &segment) && (segment.len || segment.syn))
				take_segment(&s, &segment, p.ns);
		}
	for (size_t n = 0; n < MAX_CONNECTIONS; n++)
		forget(&s, n);
	if (s.servers && more < 0)
		trace_note(sink, true, "after frame %llu: %s", s.frame, why);
	else if (s.servers && !s.any)
		trace_note(sink, true,
			   "no connection in the capture (%llu frames) holds TPM traffic", s.frame);
	pcap_end(&p);
	free(s.servers);
	return more == 0;
}
