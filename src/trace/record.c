#include "trace/record.h"

#include "crypto/crypto.h"
#include "cvtpm/engine.h"
#include "cvtpm/err.h"
#include "host/frame.h"
#include "host/log.h"
#include "serve/mssim_protocol.h"
#include "trace/message.h"
#include "trace/pcap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define IP_SIZE    20
#define TCP_SIZE   20
#define FRAME_HEAD (PCAP_RECORD_SIZE + IP_SIZE + TCP_SIZE)
#define MAX_DATA   (65535 - IP_SIZE - TCP_SIZE)

const char *record_door_name(unsigned door)
{
	static const char *const names[] = {
		[RECORD_DOOR_SOCKET] = "socket",    [RECORD_DOOR_MSSIM] = "mssim",
		[RECORD_DOOR_CONTROL] = "control",  [RECORD_DOOR_PAGE] = "CRB page",
		[RECORD_DOOR_PROXY] = "vTPM proxy",
	};

	return door < sizeof names / sizeof *names ? names[door] : NULL;
}

/* ---- bytes: big-endian, as the file's header says ---- */

static void put_u16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t sum(uint32_t begin, const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		begin += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	return begin;
}

static uint16_t checksum(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xFFFF) + (total >> 16);
	return (uint16_t)~total;
}

static void file_header(uint8_t header[PCAP_HEADER_SIZE])
{
	memset(header, 0, PCAP_HEADER_SIZE);
	frame_put_u32(header, PCAP_MAGIC);
	put_u16(header + 4, 2);
	put_u16(header + 6, 4);
	frame_put_u32(header + 16, PCAP_MAX_FRAME);
	frame_put_u32(header + 20, PCAP_LINK_RAW);
}

/* ---- the file ---- */

/* Frames that are whole; what comes behind them goes. */
static int find_end(struct record *r, const char **why)
{
	const int copy = dup(r->fd);
	FILE *file = copy < 0 ? NULL : fdopen(copy, "r");
	struct trace_input input = {.file = file};
	uint8_t ours[PCAP_HEADER_SIZE], header[PCAP_HEADER_SIZE];
	struct pcap p = {0};
	int more;

	*why = strerror(errno);
	if (!file) {
		if (copy >= 0)
			close(copy);
		return CVTPM_ERR_IO;
	}
	file_header(ours);
	*why = "it is there, and is no file that --trace has written: name another";
	const bool known = fread(header, 1, sizeof header, file) == sizeof header &&
			   memcmp(header, ours, sizeof ours) == 0;

	rewind(file);
	if (!known || !pcap_begin(&p, &input, why)) {
		fclose(file);
		return CVTPM_ERR_PARAM;
	}
	do {
		r->end = input.offset;
		more = pcap_next(&p, why);
	} while (more > 0);
	pcap_end(&p);
	fclose(file);
	*why = "an unfinished frame at its end cannot be removed";
	return ftruncate(r->fd, (off_t)r->end) == 0 ? 0 : CVTPM_ERR_IO;
}

static int open_file(struct record *r, const char **why)
{
	uint8_t header[PCAP_HEADER_SIZE];
	struct stat st;

	r->fd = open(r->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	*why = "";
	if (r->fd < 0 || fstat(r->fd, &st) < 0) {
		*why = strerror(errno);
		return CVTPM_ERR_IO;
	}
	*why = "it is no regular file";
	if (!S_ISREG(st.st_mode))
		return CVTPM_ERR_PARAM;
	*why = "others than its owner may read or write it: chmod 600 it, or name another";
	if (st.st_mode & 077)
		return CVTPM_ERR_POLICY;
	*why = "another process writes it: name another";
	if (flock(r->fd, LOCK_EX | LOCK_NB) < 0)
		return CVTPM_ERR_BUSY;
	if (st.st_size)
		return find_end(r, why);
	file_header(header);
	if (write(r->fd, header, sizeof header) != sizeof header) {
		*why = strerror(errno);
		return CVTPM_ERR_IO;
	}
	r->end = sizeof header;
	return 0;
}

int record_open(struct record *r, const char *path, bool secrets,
		const struct cvtpm_platform *platform)
{
	const char *why;

	*r = (struct record){.path = path, .secrets = secrets, .platform = platform};
	r->context = calloc(1, sizeof *r->context);
	if (!r->context) {
		r->path = NULL;
		return CVTPM_ERR_NO_MEMORY;
	}
	const int result = open_file(r, &why);

	if (result < 0) {
		platform_log(r->platform, CVTPM_LOG_ERROR, "the trace cannot be written to %s: %s",
			     path, why);
		if (r->fd >= 0)
			close(r->fd);
		free(r->context);
		r->path = NULL;
		return result;
	}
	pthread_mutex_init(&r->lock, NULL);
	platform_log(
		r->platform, CVTPM_LOG_WARN,
		secrets ? "every command and answer is kept in %s, passwords and other secrets "
			  "included (--trace-secrets): keep it to yourself"
			: "every command and answer is kept in %s; passwords and other secrets are "
			  "zeros there, all else is readable",
		path);
	return 0;
}

void record_close(struct record *r)
{
	if (!r->path)
		return;
	if (r->missing)
		platform_log(r->platform, CVTPM_LOG_WARN, "%llu frames are missing in the trace %s",
			     r->missing, r->path);
	close(r->fd);
	free(r->context);
	pthread_mutex_destroy(&r->lock);
	r->path = NULL;
}

/* ---- frames ---- */

/* One write, so that who reads along sees whole frames; what was written of one goes again. */
static void append(struct record *r, const uint8_t *frame, size_t len)
{
	const ssize_t done = pwrite(r->fd, frame, len, (off_t)r->end);

	if (done == (ssize_t)len) {
		r->end += len;
		if (r->failing)
			platform_log(r->platform, CVTPM_LOG_INFO,
				     "the trace %s is written again; %llu frames are missing",
				     r->path, r->missing);
		r->failing = false;
		return;
	}
	if (!r->failing)
		platform_log(r->platform, CVTPM_LOG_WARN,
			     "the trace %s cannot be written: %s; the TPM goes on without it, "
			     "until it can",
			     r->path, done < 0 ? strerror(errno) : "no room");
	r->failing = true;
	r->missing++;
	if (done > 0 && ftruncate(r->fd, (off_t)r->end) < 0) {
		/* The next frame overwrites it, or the next server cuts it off. */
	}
}

enum segment { SEGMENT_COMMAND, SEGMENT_ANSWER, SEGMENT_SYN };

static void ip_and_tcp(uint8_t *at, const struct record_way *way, uint8_t locality,
		       enum segment kind, size_t len)
{
	const uint32_t client = RECORD_CLIENT | (uint32_t)way->door << 16 | (uint32_t)locality << 8;
	const bool answer = kind == SEGMENT_ANSWER;
	uint8_t *tcp = at + IP_SIZE;
	uint32_t total;

	memset(at, 0, IP_SIZE + TCP_SIZE);
	at[0] = 0x45;
	put_u16(at + 2, (uint16_t)(IP_SIZE + TCP_SIZE + len));
	at[6] = 0x40; /* do not fragment */
	at[8] = 64;
	at[9] = 6; /* TCP */
	frame_put_u32(at + 12, answer ? RECORD_SERVER : client);
	frame_put_u32(at + 16, answer ? client : RECORD_SERVER);
	put_u16(at + 10, checksum(sum(0, at, IP_SIZE)));

	const uint16_t port = way->platform ? RECORD_PLATFORM : RECORD_PORT;

	put_u16(tcp, answer ? port : way->port);
	put_u16(tcp + 2, answer ? way->port : port);
	if (kind != SEGMENT_SYN) { /* which has number 0 */
		frame_put_u32(tcp + 4, 1 + (answer ? way->answered : way->sent));
		frame_put_u32(tcp + 8, 1 + (answer ? way->sent : way->answered));
	}
	tcp[12] = TCP_SIZE / 4 << 4;
	tcp[13] = kind == SEGMENT_SYN ? 0x02 : 0x18; /* SYN; PSH and ACK */
	put_u16(tcp + 14, 65535);
	total = sum(6 + (uint32_t)(TCP_SIZE + len), at + 12, 8); /* the pseudo header */
	put_u16(tcp + 16, checksum(sum(total, tcp, TCP_SIZE + len)));
}

/* The message, if there is one, is in its place behind the headers. */
static void finish(struct record *r, const struct record_way *way, uint8_t locality,
		   enum segment kind, uint8_t *frame, size_t len)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	frame_put_u32(frame, (uint32_t)now.tv_sec);
	frame_put_u32(frame + 4, (uint32_t)(now.tv_nsec / 1000));
	frame_put_u32(frame + 8, (uint32_t)(IP_SIZE + TCP_SIZE + len));
	frame_put_u32(frame + 12, (uint32_t)(IP_SIZE + TCP_SIZE + len));
	ip_and_tcp(frame + PCAP_RECORD_SIZE, way, locality, kind, len);
	append(r, frame, FRAME_HEAD + len);
}

/* Ports come round again, and another process begins with the first one: so a connection's
 * beginning is said. The locality is part of its address, so that it is one of its own. */
static void begin_way(struct record *r, struct record_way *way, uint8_t locality)
{
	uint8_t frame[FRAME_HEAD];

	if (way->port && way->locality == locality)
		return;
	*way = (struct record_way){
		.door = way->door, .locality = locality, .platform = way->platform};
	way->port = (uint16_t)(RECORD_MIN_PORT + r->next_port++ % (65536 - RECORD_MIN_PORT));
	finish(r, way, locality, SEGMENT_SYN, frame, 0);
}

static void blank(const struct record *r, const struct trace_message *m, uint8_t *bytes)
{
	if (!r->secrets)
		trace_message_blank(m, bytes);
}

void record_command(struct record *r, struct record_way *way, uint8_t locality,
		    const uint8_t *command, size_t len)
{
	uint8_t frame[FRAME_HEAD + CVTPM_MAX_BUFFER_SIZE];
	struct trace_message m;

	if (!r || way->door == RECORD_DOOR_NONE || len > CVTPM_MAX_BUFFER_SIZE)
		return;
	memcpy(frame + FRAME_HEAD, command, len);
	pthread_mutex_lock(&r->lock);
	trace_decode_command(r->context, command, len, &m);
	blank(r, &m, frame + FRAME_HEAD);
	trace_learn(r->context, &m, NULL, 0);
	begin_way(r, way, locality);
	finish(r, way, locality, SEGMENT_COMMAND, frame, len);
	way->sent += (uint32_t)len;
	pthread_mutex_unlock(&r->lock);
	trace_message_free(&m);
	cvtpm_wipe(frame, FRAME_HEAD + len);
}

void record_response(struct record *r, struct record_way *way, uint8_t locality,
		     const uint8_t *command, size_t command_len, const uint8_t *response,
		     size_t len)
{
	uint8_t frame[FRAME_HEAD + CVTPM_MAX_BUFFER_SIZE];
	struct trace_message c, m;

	if (!r || way->door == RECORD_DOOR_NONE || len > CVTPM_MAX_BUFFER_SIZE)
		return;
	memcpy(frame + FRAME_HEAD, response, len);
	pthread_mutex_lock(&r->lock);
	trace_decode_command(r->context, command, command_len, &c);
	trace_decode_response(&c, response, len, &m);
	blank(r, &m, frame + FRAME_HEAD);
	trace_learn(r->context, &c, &m, 0);
	begin_way(r, way, locality);
	finish(r, way, locality, SEGMENT_ANSWER, frame, len);
	way->answered += (uint32_t)len;
	pthread_mutex_unlock(&r->lock);
	trace_message_free(&c);
	trace_message_free(&m);
	cvtpm_wipe(frame, FRAME_HEAD + len);
}

void record_event(struct record *r, uint32_t number)
{
	uint8_t frame[FRAME_HEAD + 4];

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	if (mssim_ends_what_is_loaded(number))
		*r->context = (struct trace_context){0};
	r->events.platform = true;
	begin_way(r, &r->events, 0);
	frame_put_u32(frame + FRAME_HEAD, number);
	finish(r, &r->events, 0, SEGMENT_COMMAND, frame, 4);
	r->events.sent += 4;
	pthread_mutex_unlock(&r->lock);
}
