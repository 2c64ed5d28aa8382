#include "trace/pcap.h"

#include "host/frame.h"

#include <stdlib.h>
#include <string.h>

/* ---- the file ---- */

static uint16_t u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint16_t file_u16(const struct pcap *p, const uint8_t *at)
{
	return p->little ? __builtin_bswap16(u16(at)) : u16(at);
}

static uint32_t file_u32(const struct pcap *p, const uint8_t *at)
{
	return p->little ? __builtin_bswap32(frame_get_u32(at)) : frame_get_u32(at);
}

static bool is_known_link(uint32_t link)
{
	static const uint32_t known[] = {PCAP_LINK_NULL, PCAP_LINK_ETHERNET, PCAP_LINK_RAW,
					 PCAP_LINK_LOOP, PCAP_LINK_SLL,      PCAP_LINK_IPV4,
					 PCAP_LINK_IPV6, PCAP_LINK_SLL2};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (link == known[i])
			return true;
	return false;
}

/* ---- pcapng: blocks, each with its type and, before and behind it, its length ---- */

enum { BLOCK_SECTION = 0x0A0D0D0A, BLOCK_INTERFACE = 1, BLOCK_SIMPLE = 3, BLOCK_PACKET = 6 };
#define BLOCK_HEAD       8
#define BLOCK_OVERHEAD   12 /* and the length behind */
#define BYTE_ORDER_MAGIC 0x1A2B3C4Du
#define OPTION_TIME_UNIT 9
#define MAX_BLOCK        (PCAP_MAX_FRAME + 4096)
#define MAX_POWER        18 /* of ten or two, of a second */

static uint64_t units_per_second(uint8_t resolution)
{
	const unsigned power = resolution & 0x7F;
	uint64_t units = 1;

	if (power > MAX_POWER)
		return 0;
	for (unsigned i = 0; i < power; i++)
		units *= resolution & 0x80 ? 2 : 10;
	return units;
}

/* Link type, reserved, snapshot length; then options: code, length, value padded to four. */
static bool add_interface(struct pcap *p, const uint8_t *body, size_t len, const char **why)
{
	struct pcap_interface *i = &p->interfaces[p->interface_count];
	size_t at = 8;

	*why = "the capture has more interfaces than are believed, or a time unit that is none";
	if (len < 8 || p->interface_count == PCAPNG_MAX_INTERFACES)
		return false;
	*i = (struct pcap_interface){file_u16(p, body), 1000000};
	while (len - at >= 4 && file_u16(p, body + at) != 0) {
		const size_t size = file_u16(p, body + at + 2), padded = (size + 3) / 4 * 4;

		if (len - at - 4 < padded)
			break;
		if (file_u16(p, body + at) == OPTION_TIME_UNIT && size == 1)
			i->per_second = units_per_second(body[at + 4]);
		at += 4 + padded;
	}
	p->interface_count++;
	return i->per_second != 0;
}

/* Interface, time in two halves, length kept, length there was, the frame. */
static int take_packet(struct pcap *p, const uint8_t *body, size_t len, const char **why)
{
	*why = "a packet of the capture is damaged";
	if (len < 20 || file_u32(p, body) >= p->interface_count)
		return -1;

	const struct pcap_interface *i = &p->interfaces[file_u32(p, body)];
	const uint64_t time = (uint64_t)file_u32(p, body + 4) << 32 | file_u32(p, body + 8);
	const uint64_t seconds = time / i->per_second, rest = time % i->per_second;

	p->len = file_u32(p, body + 12);
	p->cut = file_u32(p, body + 16) > p->len;
	if (p->len > len - 20)
		return -1;
	p->frame = body + 20;
	p->link = i->link;
	p->ns = seconds > INT64_MAX / 1000000000 - 1
			? -1
			: (int64_t)(seconds * 1000000000 +
				    (uint64_t)((double)rest * 1e9 / (double)i->per_second));
	return 1;
}

/* A section's byte order is what its body begins with. */
static bool begin_section(struct pcap *p, const uint8_t *magic)
{
	p->little = magic[0] == 0x4D;
	p->interface_count = 0;
	return file_u32(p, magic) == BYTE_ORDER_MAGIC;
}

/* A block's type and body are in p->buffer: its length without what is around; 0 at the end,
 * or -1. */
static int read_block(struct pcap *p, size_t *len, const char **why)
{
	uint8_t *head = p->buffer;
	size_t have = trace_input_read(p->input, head, BLOCK_HEAD);
	uint32_t size;

	if (have == 0)
		return 0;
	*why = "the capture ends within a block";
	if (have < BLOCK_HEAD)
		return -1;
	if (head[0] == 0x0A && head[1] == 0x0D) { /* its length is in the order that follows */
		have += trace_input_read(p->input, head + have, 4);
		if (have < BLOCK_HEAD + 4 || !begin_section(p, head + BLOCK_HEAD))
			return -1;
	}
	size = file_u32(p, head + 4);
	*why = "a block of the capture has a length that cannot be";
	if (size < BLOCK_OVERHEAD || size % 4 || size > MAX_BLOCK || size < have)
		return -1;
	*why = "the capture ends within a block";
	if (trace_input_read(p->input, head + have, size - have) != size - have)
		return -1;
	*len = size - BLOCK_OVERHEAD;
	return 1;
}

static int next_in_blocks(struct pcap *p, const char **why)
{
	size_t len;

	for (;;) {
		const uint8_t *body = p->buffer + BLOCK_HEAD;
		const int more = read_block(p, &len, why);

		if (more <= 0)
			return more;
		switch (file_u32(p, p->buffer)) {
		case BLOCK_INTERFACE:
			if (!add_interface(p, body, len, why))
				return -1;
			break;
		case BLOCK_PACKET:
			return take_packet(p, body, len, why);
		case BLOCK_SIMPLE:
			*why = "the capture has packets without a time, which are not read";
			return -1;
		}
	}
}

/* ---- either ---- */

static bool begin_classic(struct pcap *p, const uint8_t head[4], const char **why)
{
	uint8_t header[PCAP_HEADER_SIZE];

	*why = "the capture ends within its header";
	memcpy(header, head, 4);
	if (trace_input_read(p->input, header + 4, sizeof header - 4) != sizeof header - 4)
		return false;
	p->little = header[0] == 0xD4 || header[0] == 0x4D;
	p->link = file_u32(p, header + 20) & 0xFFFF;
	p->interfaces[p->interface_count++] = (struct pcap_interface){
		p->link, file_u32(p, header) == PCAP_MAGIC_NANO ? 1000000000 : 1000000};
	*why = "the capture is of a link type that is not known here: Ethernet, raw IP, loopback "
	       "and "
	       "Linux cooked captures are";
	return is_known_link(p->link);
}

bool pcap_begin(struct pcap *p, struct trace_input *input, const char **why)
{
	*p = (struct pcap){.input = input, .buffer = malloc(MAX_BLOCK)};
	*why = "out of memory";
	if (!p->buffer)
		return false;
	if (input->head_len && input->head[0] == 0x0A) {
		p->blocks = true;
		return true;
	}
	uint8_t head[4];

	*why = "the capture ends within its header";
	return trace_input_read(input, head, 4) == 4 && begin_classic(p, head, why);
}

static int next_in_classic(struct pcap *p, const char **why)
{
	uint8_t record[PCAP_RECORD_SIZE];
	const size_t len = trace_input_read(p->input, record, sizeof record);

	*why = "the capture ends within a frame";
	if (len == 0)
		return 0;
	if (len != sizeof record)
		return -1;
	const uint32_t seconds = file_u32(p, record), fraction = file_u32(p, record + 4);

	p->len = file_u32(p, record + 8);
	p->cut = file_u32(p, record + 12) > p->len;
	p->ns = (int64_t)(seconds * UINT64_C(1000000000) +
			  fraction * (UINT64_C(1000000000) / p->interfaces[0].per_second));
	if (p->len > PCAP_MAX_FRAME) {
		*why = "a frame is longer than any can be: the capture is damaged";
		return -1;
	}
	p->frame = p->buffer;
	return trace_input_read(p->input, p->buffer, p->len) == p->len ? 1 : -1;
}

int pcap_next(struct pcap *p, const char **why)
{
	return p->blocks ? next_in_blocks(p, why) : next_in_classic(p, why);
}

void pcap_end(struct pcap *p)
{
	free(p->buffer);
}

/* ---- frames ---- */

/* Where in the frame IP begins; len: it is not IP. */
static size_t ip_begins(const struct pcap *p)
{
	size_t at, type_at;

	switch (p->link) {
	case PCAP_LINK_RAW:
	case PCAP_LINK_IPV4:
	case PCAP_LINK_IPV6:
		return 0;
	case PCAP_LINK_NULL:
	case PCAP_LINK_LOOP:
		return 4;
	case PCAP_LINK_SLL:
		return 16;
	case PCAP_LINK_SLL2:
		return 20;
	case PCAP_LINK_ETHERNET:
		type_at = 12;
		while (type_at + 4 < p->len &&
		       (u16(p->frame + type_at) == 0x8100 || u16(p->frame + type_at) == 0x88A8))
			type_at += 4; /* a VLAN's tag */
		at = type_at + 2;
		return at < p->len && (u16(p->frame + type_at) == 0x0800 ||
				       u16(p->frame + type_at) == 0x86DD)
			       ? at
			       : p->len;
	default: /* an interface that is of no interest */
		return p->len;
	}
}

/* The TCP header and what follows; `total`: bytes there were on the wire. */
static bool take_tcp(struct tcp_segment *s, const uint8_t *at, size_t len, size_t total)
{
	if (len < 20)
		return false;
	const size_t header = (size_t)(at[12] >> 4) * 4;

	if (header < 20 || header > len || header > total)
		return false;
	s->from_port = u16(at);
	s->to_port = u16(at + 2);
	s->sequence = (uint32_t)u16(at + 4) << 16 | u16(at + 6);
	s->fin = at[13] & 1;
	s->syn = at[13] & 2;
	s->reset = at[13] & 4;
	s->ack = at[13] & 16;
	s->data = at + header;
	s->len = (total < len ? total : len) - header;
	s->missing = total > len ? total - len : 0;
	return true;
}

static bool take_ipv4(struct tcp_segment *s, const uint8_t *at, size_t len)
{
	const size_t header = (size_t)(at[0] & 15) * 4, total = len >= 20 ? u16(at + 2) : 0;

	if (len < 20 || header < 20 || header > len || total < header || at[9] != 6 ||
	    u16(at + 6) & 0x3FFF) /* a fragment */
		return false;
	memcpy(s->from, at + 12, 4);
	memcpy(s->to, at + 16, 4);
	return take_tcp(s, at + header, len - header, total - header);
}

static bool take_ipv6(struct tcp_segment *s, const uint8_t *at, size_t len)
{
	if (len < 40 || at[6] != 6) /* extension headers are not of TCP as it is used here */
		return false;
	s->ipv6 = true;
	memcpy(s->from, at + 8, 16);
	memcpy(s->to, at + 24, 16);
	return take_tcp(s, at + 40, len - 40, u16(at + 4));
}

bool pcap_segment(const struct pcap *p, struct tcp_segment *s)
{
	const size_t begin = ip_begins(p);

	*s = (struct tcp_segment){0};
	if (begin >= p->len)
		return false;
	switch (p->frame[begin] >> 4) {
	case 4:
		return take_ipv4(s, p->frame + begin, p->len - begin);
	case 6:
		return take_ipv6(s, p->frame + begin, p->len - begin);
	default:
		return false;
	}
}
