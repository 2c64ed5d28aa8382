#include "trace/pcap.h"

#include <stdlib.h>
#include <string.h>

/* ---- the file ---- */

static uint32_t file_u32(const struct pcap *p, const uint8_t *at)
{
	return p->little ? (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 |
				   at[0]
			 : (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
				   at[3];
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

bool pcap_begin(struct pcap *p, struct trace_input *input, const char **why)
{
	uint8_t header[PCAP_HEADER_SIZE];

	*p = (struct pcap){.input = input};
	*why = "the capture ends within its header";
	if (trace_input_read(input, header, sizeof header) != sizeof header)
		return false;
	p->little = header[0] == 0xD4 || header[0] == 0x4D;
	p->nano = file_u32(p, header) == PCAP_MAGIC_NANO;
	p->link = file_u32(p, header + 20) & 0xFFFF;
	*why = "the capture is of a link type that is not known here: Ethernet, raw IP, loopback "
	       "and "
	       "Linux cooked captures are";
	if (!is_known_link(p->link))
		return false;
	p->frame = malloc(PCAP_MAX_FRAME);
	*why = "out of memory";
	return p->frame != NULL;
}

int pcap_next(struct pcap *p, const char **why)
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
	p->ns = (int64_t)seconds * 1000000000 + (p->nano ? fraction : (int64_t)fraction * 1000);
	if (p->len > PCAP_MAX_FRAME) {
		*why = "a frame is longer than any can be: the capture is damaged";
		return -1;
	}
	return trace_input_read(p->input, p->frame, p->len) == p->len ? 1 : -1;
}

void pcap_end(struct pcap *p)
{
	free(p->frame);
}

/* ---- frames ---- */

static uint16_t u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

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
	default:
		type_at = 12;
		while (type_at + 4 < p->len &&
		       (u16(p->frame + type_at) == 0x8100 || u16(p->frame + type_at) == 0x88A8))
			type_at += 4; /* a VLAN's tag */
		at = type_at + 2;
		return at < p->len && (u16(p->frame + type_at) == 0x0800 ||
				       u16(p->frame + type_at) == 0x86DD)
			       ? at
			       : p->len;
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
