#include "serve/qmp.h"

#include "cvtpm/err.h"
#include "serve/listen.h"
#include "serve/server.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SAID_MAX 80 /* of a line that is quoted */

int qmp_init(struct qmp *q, struct server *server, const char *path)
{
	*q = (struct qmp){.server = server, .path = path, .fd = -1};
	if (path[0] && strlen(path) < sizeof((struct sockaddr_un *)0)->sun_path)
		return 0;
	server_log(server, CVTPM_LOG_ERROR, "the monitor's path '%s' must have 1 to %zu characters",
		   path, sizeof((struct sockaddr_un *)0)->sun_path - 1);
	return CVTPM_ERR_PARAM;
}

int qmp_connect(struct qmp *q)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, q->path, strlen(q->path) + 1);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) {
		q->fd = fd;
		q->state = QMP_GREETING;
		return 0;
	}
	const int why = errno;

	if (fd >= 0)
		close(fd);
	const bool other = listen_not_a_socket(q->path);

	if (fd >= 0 && !other && (why == ENOENT || why == ECONNREFUSED))
		return 0;
	server_log(q->server, CVTPM_LOG_ERROR, "the monitor %s cannot be reached: %s", q->path,
		   other ? "it is not a socket" : strerror(why));
	return CVTPM_ERR_IO;
}

void qmp_close(struct qmp *q)
{
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
	q->state = QMP_GONE;
}

/* ---- what it says ---- */

/* Once for a connection: a flood of rubbish is none of lines. */
static void complain(struct qmp *q, const char *what, size_t len)
{
	char quote[SAID_MAX + 1];
	size_t n = 0;

	if (q->complained)
		return;
	q->complained = true;
	for (; n < len && n < SAID_MAX; n++)
		quote[n] = q->line[n] >= ' ' && q->line[n] <= '~' ? q->line[n] : '.';
	quote[n] = '\0';
	server_log(q->server, CVTPM_LOG_WARN,
		   "the monitor %s says %s, which is skipped: '%s'; is it QEMU's, with "
		   "mode=control?",
		   q->path, what, quote);
}

static void say(struct qmp *q, const char *command, enum qmp_state next)
{
	char line[64];
	const int len = snprintf(line, sizeof line, "{\"execute\":\"%s\"}\r\n", command);

	q->state = next;
	if (send(q->fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) != len) {
		server_log(q->server, CVTPM_LOG_ERROR, "the monitor %s takes no command: %s",
			   q->path, strerror(errno));
		q->state = QMP_GONE;
	}
}

static void take_event(struct qmp *q, const json_t *line, const char *event)
{
	if (strcmp(event, "RESET") == 0) {
		q->resets++;
	} else if (strcmp(event, "SHUTDOWN") == 0) {
		const char *reason =
			json_string_value(json_object_get(json_object_get(line, "data"), "reason"));

		q->shutdown = true;
		server_log(q->server, CVTPM_LOG_INFO, "the machine shuts down (%.40s)",
			   reason ? reason : "no reason given");
	}
}

static void take_return(struct qmp *q, const json_t *answer)
{
	const char *status = json_string_value(json_object_get(answer, "status"));

	if (q->state == QMP_ACCEPTING) {
		say(q, "query-status", QMP_ASKING);
	} else if (q->state == QMP_ASKING && status) {
		snprintf(q->status, sizeof q->status, "%s", status);
		q->state = QMP_FOLLOWING;
	}
}

static void take_error(struct qmp *q, const json_t *error)
{
	const char *why = json_string_value(json_object_get(error, "desc"));

	server_log(q->server, CVTPM_LOG_ERROR, "the monitor %s refuses: %.120s", q->path,
		   why ? why : "no reason given");
	if (q->state != QMP_FOLLOWING)
		q->state = QMP_GONE;
}

static void take_line(struct qmp *q, size_t len)
{
	json_t *line = json_loadb(q->line, len, 0, NULL);
	const char *event = json_string_value(json_object_get(line, "event"));
	const json_t *answer = json_object_get(line, "return"), *error;

	if (!json_is_object(line))
		complain(q, "something that is no JSON object", len);
	else if (event)
		take_event(q, line, event);
	else if (answer)
		take_return(q, answer);
	else if ((error = json_object_get(line, "error")) != NULL)
		take_error(q, error);
	else if (q->state == QMP_GREETING && json_object_get(line, "QMP"))
		say(q, "qmp_capabilities", QMP_ACCEPTING);
	json_decref(line);
}

static bool is_blank(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] != '\r' && line[i] != ' ' && line[i] != '\t')
			return false;
	return true;
}

static void take_lines(struct qmp *q)
{
	char *end;

	while (q->state != QMP_GONE && (end = memchr(q->line, '\n', q->len)) != NULL) {
		const size_t len = (size_t)(end - q->line), rest = q->len - len - 1;

		if (!q->skipping && !is_blank(q->line, len))
			take_line(q, len);
		q->skipping = false;
		memmove(q->line, end + 1, rest);
		q->len = rest;
	}
	if (q->len < sizeof q->line || q->state == QMP_GONE)
		return;
	if (!q->skipping)
		complain(q, "a line that is too long", q->len);
	q->skipping = true;
	q->len = 0;
}

void qmp_drain(struct qmp *q)
{
	ssize_t n = 1;

	while (q->fd >= 0 && q->state != QMP_GONE && n > 0) {
		n = recv(q->fd, q->line + q->len, sizeof q->line - q->len, MSG_DONTWAIT);
		if (n > 0) {
			q->len += (size_t)n;
			take_lines(q);
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			q->state = QMP_GONE;
		}
	}
}

/* ---- the first question ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int qmp_wait_status(struct qmp *q, int limit_ms)
{
	const int64_t end = now_ms() + limit_ms;
	struct pollfd p = {.fd = q->fd, .events = POLLIN};

	while (q->state != QMP_FOLLOWING && q->state != QMP_GONE) {
		const int64_t left = end - now_ms();

		if (left <= 0) {
			server_log(q->server, CVTPM_LOG_ERROR,
				   "the monitor %s does not answer: it serves one client at a "
				   "time; give the TPM one of its own (a second -qmp)",
				   q->path);
			return CVTPM_ERR_BUSY;
		}
		(void)poll(&p, 1, (int)left);
		qmp_drain(q);
	}
	if (q->state == QMP_FOLLOWING)
		return 0;
	server_log(q->server, CVTPM_LOG_ERROR,
		   "the monitor %s was closed before it said whether its machine has run", q->path);
	return CVTPM_ERR_IO;
}

bool qmp_status_is_new(const struct qmp *q)
{
	return strcmp(q->status, "prelaunch") == 0 || strcmp(q->status, "preconfig") == 0;
}
