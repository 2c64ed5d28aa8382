#include "serve/worker.h"

#include "cvtpm/err.h"
#include "host/frame.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TPM_RC_FAILURE      0x101
#define TPM_CC_FlushContext 0x165

static void loop_wake(struct worker *w)
{
	w->awaited = false;
	if (eventfd_write(w->wake.fd, 1) < 0) {
		/* Only a full counter can refuse, and then the loop wakes anyway. */
	}
}

static void worker_note_established(struct worker *w)
{
	w->established = w->tpm.instance && cvtpm_instance_established(w->tpm.instance);
}

/* `running` changes under the lock that worker_cancel holds: a cancel meant for one
 * job cannot hit the next. */
static void worker_set_running(struct worker *w, struct worker_job *job, bool cancellable)
{
	pthread_mutex_lock(&w->lock);
	w->running = job;
	w->cancellable = cancellable;
	pthread_mutex_unlock(&w->lock);
}

void worker_execute(struct worker *w, struct worker_job *job)
{
	struct worker_job *const outer = w->running; /* only this thread changes it */

	worker_set_running(w, job, true);
	worker_run_command(job, &w->tpm);
	pthread_mutex_lock(&w->lock);
	w->running = outer;
	w->cancellable = false;
	worker_note_established(w);
	if (w->awaited)
		loop_wake(w);
	pthread_mutex_unlock(&w->lock);
}

void worker_execute_line(struct worker *w, struct worker_job *job)
{
	if (w->watch.before)
		w->watch.before(w->watch.owner);
	worker_execute(w, job);
}

/* The next job, in `running`; NULL: none waits. False: it is time to quit. */
static bool worker_take(struct worker *w, struct worker_job **job)
{
	pthread_mutex_lock(&w->lock);
	*job = w->first;
	if (*job) {
		w->first = (*job)->next;
		if (!w->first)
			w->last = &w->first;
		(*job)->next = NULL;
		w->running = *job;
		w->cancellable = (*job)->run == worker_run_command;
	}
	const bool go_on = *job || !w->quit;

	pthread_mutex_unlock(&w->lock);
	return go_on;
}

static void worker_finish(struct worker *w, struct worker_job *job)
{
	pthread_mutex_lock(&w->lock);
	w->running = NULL;
	w->cancellable = false;
	worker_note_established(w);
	*w->finished_last = job;
	w->finished_last = &job->next;
	loop_wake(w);
	pthread_mutex_unlock(&w->lock);
}

/* Lines that are wanted back, or have something to say. */
static void worker_serve_lines(struct worker *w, const struct pollfd *fds, size_t count)
{
	for (size_t i = count; i-- > 0;) {
		struct worker_line *line = w->lines[i];

		/* fd < 0: it was wanted back before the poll. */
		if (fds[i].fd >= 0 && (!fds[i].revents || line->serve(line, fds[i].revents)))
			continue;
		pthread_mutex_lock(&w->lock);
		w->lines[i] =
			w->lines[--w->line_count]; /* one that has been looked at, or is new */
		line->next = w->returned;
		w->returned = line;
		loop_wake(w);
		pthread_mutex_unlock(&w->lock);
	}
}

/* What lines to poll: their number. */
static size_t worker_list_lines(struct worker *w, struct pollfd *fds, bool *recalled)
{
	pthread_mutex_lock(&w->lock);
	const size_t count = w->line_count;

	for (size_t i = 0; i < count; i++) {
		fds[i].fd = w->lines[i]->recalled ? -1 : w->lines[i]->fd;
		fds[i].events = POLLIN;
		fds[i].revents = 0;
		*recalled |= w->lines[i]->recalled;
	}
	pthread_mutex_unlock(&w->lock);
	return count;
}

/* Until there are jobs, if `idle`; and serves what is watched. */
static void worker_look(struct worker *w, bool idle)
{
	struct pollfd fds[2 + LOOP_MAX_SOURCES];
	int timeout = -1;
	bool recalled = false;
	eventfd_t count;

	fds[0] = (struct pollfd){.fd = w->more, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = -1, .events = POLLIN};
	const size_t lines = worker_list_lines(w, fds + 2, &recalled);

	if (!idle && !w->watch.fd && lines == 0)
		return;
	if (w->watch.fd)
		fds[1].fd = w->watch.fd(w->watch.owner, &timeout);
	const int found = poll(fds, 2 + lines, idle && !recalled ? timeout : 0);

	if (fds[1].revents || (found == 0 && idle && w->watch.fd))
		w->watch.ready(w->watch.owner);
	worker_serve_lines(w, fds + 2, lines);
	if (fds[0].revents && eventfd_read(w->more, &count) < 0) {
		/* Only this thread reads it: there is something to be read. */
	}
}

static void *worker_main(void *argument)
{
	struct worker *w = argument;
	struct worker_job *job;

	while (worker_take(w, &job)) {
		if (job) {
			if (w->watch.before && job->run == worker_run_command)
				w->watch.before(w->watch.owner);
			job->run(job, &w->tpm);
			worker_finish(w, job);
		}
		worker_look(w, !job);
	}
	return NULL;
}

static void worker_finish_jobs(void *owner, short revents)
{
	struct worker *w = owner;
	eventfd_t count;

	(void)revents;
	if (eventfd_read(w->wake.fd, &count) < 0 && errno != EAGAIN)
		return;

	pthread_mutex_lock(&w->lock);
	struct worker_job *job = w->finished;
	w->finished = NULL;
	w->finished_last = &w->finished;
	struct worker_line *line = w->returned;
	w->returned = NULL;
	pthread_mutex_unlock(&w->lock);

	while (line) {
		struct worker_line *next = line->next; /* `back` may release the line */

		line->back(line);
		line = next;
	}
	while (job) {
		struct worker_job *next = job->next; /* `done` may release the job */

		job->next = NULL;
		job->done(job);
		job = next;
	}
}

static void worker_wake(struct worker *w)
{
	if (eventfd_write(w->more, 1) < 0) {
		/* Only a full counter can refuse, and then the worker wakes anyway. */
	}
}

int worker_begin(struct worker *w, struct loop *loop, const struct worker_watch *watch)
{
	sigset_t all, before;

	*w = (struct worker){0};
	w->last = &w->first;
	w->finished_last = &w->finished;
	if (watch)
		w->watch = *watch;
	pthread_mutex_init(&w->lock, NULL);
	w->more = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->wake = (struct loop_source){.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
				       .events = POLLIN,
				       .ready = worker_finish_jobs,
				       .owner = w};
	if (w->wake.fd < 0 || w->more < 0)
		return CVTPM_ERR_IO;
	CVTPM_TRY(loop_add(loop, &w->wake));

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return errno ? CVTPM_ERR_IO : 0;
}

void worker_end(struct worker *w, struct loop *loop)
{
	pthread_mutex_lock(&w->lock);
	w->quit = true;
	worker_wake(w);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	loop_remove(loop, &w->wake);
	close(w->wake.fd);
	close(w->more);
	pthread_mutex_destroy(&w->lock);
}

void worker_submit(struct worker *w, struct worker_job *job)
{
	job->next = NULL;
	job->result = 0;
	job->response_len = 0;
	pthread_mutex_lock(&w->lock);
	*w->last = job;
	w->last = &job->next;
	worker_wake(w);
	pthread_mutex_unlock(&w->lock);
}

void worker_lend(struct worker *w, struct worker_line *line)
{
	line->recalled = false;
	pthread_mutex_lock(&w->lock);
	w->lines[w->line_count++] = line;
	worker_wake(w);
	pthread_mutex_unlock(&w->lock);
}

void worker_recall(struct worker *w, struct worker_line *line)
{
	pthread_mutex_lock(&w->lock);
	line->recalled = true;
	worker_wake(w);
	pthread_mutex_unlock(&w->lock);
}

bool worker_idle(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	const bool idle =
		!w->running && !w->first && !w->finished && !w->line_count && !w->returned;
	w->awaited = !idle;
	pthread_mutex_unlock(&w->lock);
	return idle;
}

void worker_discard(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	for (struct worker_job *job = w->first; job; job = job->next)
		job->result = CVTPM_ERR_BUSY;
	if (w->first) {
		*w->finished_last = w->first;
		w->finished_last = w->last;
		w->first = NULL;
		w->last = &w->first;
	}
	pthread_mutex_unlock(&w->lock);
	worker_finish_jobs(w, 0);
}

void worker_cancel(struct worker *w, const struct worker_job *job)
{
	pthread_mutex_lock(&w->lock);
	if (w->cancellable && (!job || job == w->running))
		cvtpm_instance_cancel(w->tpm.instance);
	pthread_mutex_unlock(&w->lock);
}

bool worker_established(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	const bool established = w->established;
	pthread_mutex_unlock(&w->lock);
	return established;
}

void worker_hold_cancel(struct worker *w, bool on)
{
	w->cancel_held = on;
	if (on)
		worker_cancel(w, NULL);
}

bool worker_wants_tick(struct worker *w)
{
	return w->cancel_held && !worker_idle(w);
}

void worker_tick(struct worker *w)
{
	if (w->cancel_held)
		worker_cancel(w, NULL);
}

/* A response that is nothing but a response code. */
static void worker_respond(struct worker_job *job, uint32_t rc)
{
	frame_put_error(job->response, rc);
	job->response_len = FRAME_HEADER_SIZE;
}

void worker_refuse(struct worker *w, struct worker_job *job, uint32_t rc)
{
	worker_respond(job, rc);
	record_command(w->tpm.record, &job->way, job->locality, job->data, job->data_len);
	record_response(w->tpm.record, &job->way, job->locality, job->data, job->data_len,
			job->response, job->response_len);
}

static void largest_note(struct worker_sizes *largest, const struct worker_job *job)
{
	const uint32_t code = frame_get_u32(job->data + 6);

	if (job->data_len > largest->command_size) {
		largest->command_size = (uint32_t)job->data_len;
		largest->command_code = code;
	}
	if (job->response_len > largest->response_size) {
		largest->response_size = (uint32_t)job->response_len;
		largest->response_code = code;
	}
}

void worker_run_command(struct worker_job *job, struct worker_tpm *tpm)
{
	record_command(tpm->record, &job->way, job->locality, job->data, job->data_len);
	job->result = cvtpm_instance_execute(tpm->instance, job->locality, job->data, job->data_len,
					     job->response, &job->response_len);
	if (job->result < 0)
		worker_respond(job, TPM_RC_FAILURE);
	record_response(tpm->record, &job->way, job->locality, job->data, job->data_len,
			job->response, job->response_len);
	if (job->result < 0)
		return;
	if (job->data_len >= FRAME_HEADER_SIZE) {
		largest_note(&tpm->largest, job);
		loaded_note(&tpm->loaded, job->owner, job->data, job->data_len, job->response,
			    job->response_len);
	}
}

void worker_run_flush(struct worker_job *job, struct worker_tpm *tpm)
{
	uint8_t command[FRAME_HEADER_SIZE + 4] = {0x80, 0x01}; /* TPM_ST_NO_SESSIONS */
	uint32_t handle;

	frame_put_u32(command + 2, sizeof command);
	frame_put_u32(command + 6, TPM_CC_FlushContext);
	while (loaded_take(&tpm->loaded, job->owner, &handle)) {
		frame_put_u32(command + FRAME_HEADER_SIZE, handle);
		job->result = cvtpm_instance_execute(tpm->instance, 0, command, sizeof command,
						     job->response, &job->response_len);
	}
}
