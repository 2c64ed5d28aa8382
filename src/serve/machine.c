#include "serve/machine.h"

#include "cvtpm/err.h"
#include "serve/server.h"

#include <stdlib.h>
#include <time.h>

#define ANSWER_LIMIT_MS 5000 /* a monitor answers at once, or somebody else has it */
#define RETRY_MS        50   /* between attempts to connect */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int machine_init(struct machine *m, struct server *server, const char *path)
{
	CVTPM_TRY(qmp_init(&m->qmp, server, path));
	m->server = server;
	return 0;
}

void machine_close(struct machine *m)
{
	if (!m->server)
		return;
	if (m->watched)
		loop_remove(&m->server->loop, &m->source);
	qmp_close(&m->qmp);
}

int machine_look(struct machine *m, enum machine_age *age)
{
	*age = MACHINE_NEW;
	CVTPM_TRY(qmp_connect(&m->qmp));
	if (m->qmp.state == QMP_AWAY)
		return 0;
	CVTPM_TRY(qmp_wait_status(&m->qmp, ANSWER_LIMIT_MS));
	*age = qmp_status_is_new(&m->qmp) ? MACHINE_NEW : MACHINE_HAS_RUN;
	return 0;
}

/* ---- the TPM's reset ---- */

bool machine_was_reset(struct machine *m)
{
	if (!m->server || m->qmp.fd < 0)
		return false;
	qmp_drain(&m->qmp);
	return m->qmp.resets != m->resets_done;
}

void machine_reset_done(struct machine *m)
{
	m->resets_done = m->qmp.resets;
}

static void run_reset(struct worker_job *job, struct worker_tpm *tpm)
{
	struct machine *m = job->owner;

	(void)tpm;
	page_lock(&m->server->page);
	const bool owed = m->qmp.resets != m->resets_done;

	machine_reset_done(m);
	page_unlock(&m->server->page);
	if (owed)
		life_reset(m->server);
}

static void reset_finished(struct worker_job *job)
{
	struct machine *m = job->owner;

	page_lock(&m->server->page);
	const bool again = m->qmp.resets != m->resets_done && job->result != CVTPM_ERR_BUSY;

	if (!again) {
		m->begun = false;
		page_release(&m->server->page);
	}
	page_unlock(&m->server->page);
	if (again)
		worker_submit(&m->server->worker, &m->job);
}

/* ---- the loop's part ---- */

/* True: the TPM's reset is to be queued. What a machine writes after its RESET event
 * stays in the page, and is served when the TPM has followed. */
static bool take_resets(struct machine *m)
{
	const bool found = m->qmp.resets != m->resets_done && m->qmp.resets != m->resets_begun;
	const bool begins = found && !m->begun;

	if (!found)
		return false;
	m->resets_begun = m->qmp.resets;
	page_forget(&m->server->page);
	if (begins) {
		page_hold(&m->server->page);
		m->begun = true;
	}
	return begins;
}

static void machine_read(struct machine *m)
{
	struct server *server = m->server;

	page_lock(&server->page);
	qmp_drain(&m->qmp);
	const bool begins = take_resets(m);
	const bool gone = m->qmp.state == QMP_GONE;

	page_unlock(&server->page);
	if (begins) {
		worker_cancel(&server->worker, NULL);
		m->job.run = run_reset;
		m->job.done = reset_finished;
		m->job.owner = m;
		worker_submit(&server->worker, &m->job);
	}
	if (!gone || !m->watched)
		return;
	loop_remove(&server->loop, &m->source);
	m->watched = false;
	if (!server->stop_wanted)
		server_log(server, CVTPM_LOG_INFO, "the monitor %s is closed%s: ending",
			   m->qmp.path, m->qmp.shutdown ? ", its machine was shut down" : "");
	server_stop(server);
}

static void source_ready(void *owner, short revents)
{
	(void)revents;
	machine_read(owner);
}

static int machine_watch(struct machine *m)
{
	m->source = (struct loop_source){
		.fd = m->qmp.fd, .events = POLLIN, .ready = source_ready, .owner = m};
	CVTPM_TRY(loop_add(&m->server->loop, &m->source));
	m->watched = true;
	machine_read(m); /* what came while nobody watched */
	return 0;
}

int machine_follow(struct machine *m)
{
	return m->qmp.state == QMP_AWAY ? 0 : machine_watch(m);
}

bool machine_waits(const struct machine *m)
{
	return m->server && !m->watched && m->qmp.state == QMP_AWAY;
}

/* A machine that appears now began after this TPM. */
void machine_try(struct machine *m)
{
	const int64_t now = now_ms();

	if (now - m->tried_ms < RETRY_MS)
		return;
	m->tried_ms = now;
	page_lock(&m->server->page);
	const int result = qmp_connect(&m->qmp);

	page_unlock(&m->server->page);
	if (result == 0 && m->qmp.state != QMP_AWAY && machine_watch(m) == 0)
		return;
	if (result < 0) {
		m->server->result = result;
		server_stop(m->server);
	}
}
