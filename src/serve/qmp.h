/*
 * QEMU's monitor (QMP), as far as a TPM needs it: has the machine run already,
 * when is it reset, when is it gone. It listens, we connect; a line of JSON each
 * way at a time.
 *
 * The peer has the platform's authority. What it says is parsed with care all the
 * same: a line that is no JSON, or longer than fits, is told once and skipped.
 */
#ifndef CVTPM_SERVE_QMP_H
#define CVTPM_SERVE_QMP_H

#include <stdbool.h>
#include <stddef.h>

struct server;

#define QMP_LINE_MAX 16384 /* the greeting has some hundred bytes, an event less */

enum qmp_state {
	QMP_AWAY,      /* nobody listens there */
	QMP_GREETING,  /* connected; waits for the greeting, ... */
	QMP_ACCEPTING, /* for the answer to qmp_capabilities, ... */
	QMP_ASKING,    /* for the answer to query-status */
	QMP_FOLLOWING, /* events are all that is to come */
	QMP_GONE,      /* closed by the peer, or of no use */
};

struct qmp {
	struct server *server;
	const char *path;
	enum qmp_state state;
	int fd;          /* -1: none */
	unsigned resets; /* RESET events so far */
	bool shutdown;   /* SHUTDOWN was seen */
	bool complained; /* about a line */
	char status[32]; /* of query-status */
	size_t len;
	bool skipping; /* the rest of a line that is too long */
	char line[QMP_LINE_MAX];
};

/** CVTPM_ERR_PARAM, logged: the path does not fit into a socket's address. */
int qmp_init(struct qmp *q, struct server *server, const char *path);

/** Connects. QMP_AWAY stays where nobody listens. CVTPM_ERR_IO: something else is
 *  wrong, logged. */
int qmp_connect(struct qmp *q);

/** Reads all that is there, without waiting, and answers what there is to answer. */
void qmp_drain(struct qmp *q);

/** Waits until the status is known, at most `limit_ms`. CVTPM_ERR_BUSY: it did not
 *  come in time; CVTPM_ERR_IO: the peer has gone. Logged. */
int qmp_wait_status(struct qmp *q, int limit_ms);

/** True for a status of a machine none of whose instructions has run. */
bool qmp_status_is_new(const struct qmp *q);

void qmp_close(struct qmp *q);

#endif
