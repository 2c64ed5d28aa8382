/* Packet captures, pcap and pcapng, and TCP segments in them. Hosted. */
#ifndef CVTPM_TRACE_PCAP_H
#define CVTPM_TRACE_PCAP_H

#include "trace/input.h"

#define PCAP_MAGIC       0xA1B2C3D4u
#define PCAP_MAGIC_NANO  0xA1B23C4Du
#define PCAP_HEADER_SIZE 24
#define PCAP_RECORD_SIZE 16
#define PCAP_MAX_FRAME   262144u /* what writers agree on */

enum {
	PCAP_LINK_NULL = 0,
	PCAP_LINK_ETHERNET = 1,
	PCAP_LINK_RAW = 101,
	PCAP_LINK_LOOP = 108,
	PCAP_LINK_SLL = 113,
	PCAP_LINK_IPV4 = 228,
	PCAP_LINK_IPV6 = 229,
	PCAP_LINK_SLL2 = 276
};

#define PCAPNG_MAX_INTERFACES 64

struct pcap {
	struct trace_input *input;
	bool blocks; /* pcapng; pcap has one interface */
	struct pcap_interface {
		uint32_t link;
		uint64_t per_second; /* units of its times */
	} interfaces[PCAPNG_MAX_INTERFACES];
	size_t interface_count;
	bool little;          /* the file's numbers */
	uint32_t link;        /* of the last frame */
	uint8_t *buffer;      /* owned */
	const uint8_t *frame; /* the last one, in it */
	size_t len;
	bool cut; /* the capture has not all of it */
	int64_t ns;
};

/** Reads the file's header. False: it is none that is known; `*why` says so. */
bool pcap_begin(struct pcap *p, struct trace_input *input, const char **why);
/** The next frame: 1, 0 at the end, -1: the file is damaged, `*why`. */
int pcap_next(struct pcap *p, const char **why);
void pcap_end(struct pcap *p);

/* A TCP segment; points into the frame. */
struct tcp_segment {
	uint8_t from[16], to[16]; /* IPv4: the first four bytes */
	bool ipv6;
	uint16_t from_port, to_port;
	uint32_t sequence;
	bool syn, fin, reset, ack;
	const uint8_t *data;
	size_t len;
	size_t missing; /* bytes at its end that the capture has not */
};

/** False: the frame holds none. */
bool pcap_segment(const struct pcap *p, struct tcp_segment *s);

#endif
