/*
 * A monitor that says anything: byte 0 says how long the pieces are in which the rest
 * arrives. However it is cut, the server comes to the same state and counts the same
 * resets; and no more of them than the input has places for.
 */
#include "serve/qmp.h"
#include "serve/server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* After which nothing more can be read from the socket. */
static void feed(struct qmp *q, const uint8_t *in, size_t len, size_t piece)
{
	static const struct cvtpm_platform platform;
	static const struct cvtpm_serve_config config = {.platform = &platform};
	static struct server server;
	char answers[4096];
	int pair[2];

	server.config = &config;
	CHECK(qmp_init(q, &server, "/monitor") == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	q->fd = pair[0];
	q->state = QMP_GREETING;
	for (size_t at = 0; at < len; at += piece) {
		const size_t n = len - at < piece ? len - at : piece;

		if (send(pair[1], in + at, n, MSG_NOSIGNAL) != (ssize_t)n)
			break;
		qmp_drain(q);
		while (recv(pair[1], answers, sizeof answers, MSG_DONTWAIT) > 0) {
			/* What it is asked is of no interest here. */
		}
	}
	CHECK(q->len < sizeof q->line);
	CHECK(q->status[sizeof q->status - 1] == '\0');
	close(pair[1]);
	close(pair[0]);
	q->fd = -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct qmp whole, cut;

	if (size < 1 || size > 60000)
		return 0;
	feed(&whole, data + 1, size - 1, 8192);
	feed(&cut, data + 1, size - 1, (size_t)data[0] + 1);
	CHECK(whole.state == cut.state && whole.resets == cut.resets);
	CHECK(whole.shutdown == cut.shutdown && strcmp(whole.status, cut.status) == 0);
	CHECK(whole.resets <= size / strlen("{\"event\":\"RESET\"}"));
	return 0;
}
