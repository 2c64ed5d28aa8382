#include "serve/page.h"

#include "crypto/crypto.h"
#include "cvtpm/err.h"
#include "host/frame.h"
#include "serve/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TPM_RC_CANCELED 0x909
#define TPM_RC_RETRY    0x922

#define FILE_UNIT (2 << 20)

/* After something happened the loop looks without a pause, for most drivers go
 * from one register to the next at once. Then it waits a sixteenth of the time
 * that the page has been quiet, up to a bound: a client waits little longer than it
 * would anyway, and an idle page costs next to nothing. A driver that rings is not
 * waited for at all, so the loop does not get into the way of its processor. */
#define SPIN_NS       100000u
#define QUIET_DIVISOR 16
#define LONGEST_NS    4000000u
#define RUNNING_NS    1000000u /* while a command runs: how soon CANCEL is seen */
#define BELL_NS       1000000000u
#define BELL_WAIT_NS  10000000u

/* Linux rounds waits up by 50 us, unless told otherwise. */
#define TIMER_SLACK_NS 5000

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- the machine's callbacks, and the worker's answer ---- */

void page_lock(struct page *page)
{
	pthread_mutex_lock(&page->lock);
}

void page_unlock(struct page *page)
{
	pthread_mutex_unlock(&page->lock);
}

/* Takes the guest's requests. Who makes them is about to read the event log, too. */
static bool page_look(struct page *page)
{
	const bool happened = cvtpm_crb_page_poll(&page->crb_page);

	if (happened)
		areas_refresh_log(&page->areas);
	return happened;
}

/* A command that is found together with the RESET may be of the machine before or
 * after it. It is not run, and told so in a way that says nothing: to try again. */
void page_forget(struct page *page)
{
	if (!page->live)
		return;
	page->refusing = true;
	page->refused = false;
	if (!cvtpm_crb_in_engine(&page->crb))
		cvtpm_crb_page_poll(&page->crb_page);
	page->refusing = false;
	if (!page->refused)
		cvtpm_crb_page_reset(&page->crb_page);
}

void page_hold(struct page *page)
{
	page->held++;
}

void page_release(struct page *page)
{
	page->held--;
	page->busy_ns = now_ns();
}

/* Locked, on the worker's thread; unlocks meanwhile. `taken`: there is a command to
 * be answered. True: the machine was reset, and now the TPM is, too. */
static bool page_follow(struct page *page, bool taken)
{
	struct machine *machine = &page->server->machine;

	if (!machine_was_reset(machine))
		return false;
	if (!taken)
		page_forget(page);
	page_hold(page);
	machine_reset_done(machine);
	page_unlock(page);
	life_reset(page->server);
	page_lock(page);
	page_release(page);
	return true;
}

void page_follow_machine(struct page *page)
{
	page_lock(page);
	page_follow(page, false);
	page_unlock(page);
}

/* Completing an aborted command may submit the next one, and with it the job: from
 * then on the job's buffer is not this response's any more. */
static void page_answer(struct page *page)
{
	uint8_t response[CVTPM_MAX_BUFFER_SIZE];
	const size_t len = page->job.response_len;

	memcpy(response, page->job.response, len);
	cvtpm_wipe(page->job.response, len);
	if (cvtpm_crb_complete(&page->crb, response, len) < 0)
		server_log(
			page->server, CVTPM_LOG_ERROR,
			"the engine's response of %zu bytes does not fit the CRB; the guest sees "
			"a fatal error until the platform resets it",
			len);
	cvtpm_wipe(response, len);
}

/* On the worker's thread, locked: runs what was taken, and what comes to light when
 * its answer is shown. */
static void page_run_taken(struct page *page)
{
	while (page->taken) {
		page->taken = false;
		if (page->held || cvtpm_crb_aborted(&page->crb)) {
			worker_refuse(&page->server->worker, &page->job, TPM_RC_CANCELED);
		} else if (page_follow(page, true)) {
			worker_refuse(&page->server->worker, &page->job, TPM_RC_RETRY);
		} else {
			page_unlock(page);
			worker_execute(&page->server->worker, &page->job);
			page_lock(page);
		}
		page->on_worker = true;
		page_answer(page);
		if (!page->held)
			page_look(page);
		page->on_worker = false;
	}
}

static void page_run_job(struct worker_job *job, struct worker_tpm *tpm)
{
	struct page *page = job->owner;

	(void)tpm;
	page_lock(page);
	page->taken = true;
	page_run_taken(page);
	page_unlock(page);
}

static void page_send_errand(struct page *page);

static void page_errand_done(struct worker_job *job)
{
	struct page *page = job->owner;

	page_lock(page);
	page->errand_out = false;
	if (page->errand_owed && job->result != CVTPM_ERR_BUSY) /* else the server stops */
		page_send_errand(page);
	page->busy_ns = now_ns();
	page_unlock(page);
}

/* The answer is in the page before the errand is back here, and so may be the next
 * command. */
static void page_send_errand(struct page *page)
{
	page->errand_owed = page->errand_out;
	if (page->errand_out)
		return;
	page->errand_out = true;
	page->errand.run = page_run_job;
	page->errand.done = page_errand_done;
	page->errand.owner = page;
	worker_submit(&page->server->worker, &page->errand);
}

static void page_refuse(struct page *page)
{
	uint8_t response[FRAME_HEADER_SIZE];

	frame_put_error(response, TPM_RC_RETRY);
	(void)cvtpm_crb_complete(&page->crb, response, sizeof response);
	page->refused = true;
}

static int page_submit(void *context, uint8_t locality, const uint8_t *command, size_t len)
{
	struct page *page = context;

	if (page->refusing) {
		page_refuse(page);
		return 0;
	}
	page->job.owner = page;
	page->job.way.door = RECORD_DOOR_PAGE;
	page->job.locality = locality;
	page->job.data = command; /* the machine's private copy */
	page->job.data_len = len;
	if (page->on_worker)
		page->taken = true;
	else
		page_send_errand(page);
	return 0;
}

void page_ring(struct page *page)
{
	page_lock(page);
	page->bell_ns = now_ns();
	if (page->live && !page->held) {
		page->on_worker = true;
		page_look(page);
		page->on_worker = false;
		page_run_taken(page);
	}
	page_unlock(page);
}

static void page_cancel(void *context)
{
	struct page *page = context;

	worker_cancel(&page->server->worker, &page->job);
}

static bool page_established(void *context)
{
	struct page *page = context;

	return worker_established(&page->server->worker);
}

/* ---- the file ---- */

static int page_failed(struct page *page, const char *what)
{
	server_log(page->server, CVTPM_LOG_ERROR, "the CRB page %s cannot be %s: %s",
		   page->server->config->page_file, what, strerror(errno));
	return CVTPM_ERR_IO;
}

/* Room for the page, now: a store into a mapping that the file system has no room
 * for would end the process. */
static int page_reserve(const struct page *page)
{
	const off_t offset = (off_t)page->server->config->page_offset;

	if (fallocate(page->fd, 0, offset, page->end - offset) == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return -1;
	return page->existed ? 0 : ftruncate(page->fd, page->end);
}

/* A hypervisor wants whole large pages of shared memory. */
static off_t round_up(off_t size)
{
	return (size + FILE_UNIT - 1) / FILE_UNIT * FILE_UNIT;
}

static int page_open_file(struct page *page)
{
	const struct cvtpm_serve_config *config = page->server->config;
	const off_t end = page->end;
	struct stat st;

	page->fd = open(config->page_file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (page->fd >= 0) {
		if (page_reserve(page) == 0 && ftruncate(page->fd, round_up(end)) == 0)
			return 0;
		const int failed = page_failed(page, "given its size");

		unlink(config->page_file);
		return failed;
	}
	if (errno != EEXIST)
		return page_failed(page, "made");

	page->existed = true;
	page->fd = open(config->page_file, O_RDWR | O_CLOEXEC);
	if (page->fd < 0 || fstat(page->fd, &st) < 0)
		return page_failed(page, "opened");
	if (!S_ISREG(st.st_mode)) {
		server_log(page->server, CVTPM_LOG_ERROR,
			   "the CRB page %s is not a file: name a file of shared memory",
			   config->page_file);
		return CVTPM_ERR_PARAM;
	}
	if (st.st_size < end) {
		server_log(page->server, CVTPM_LOG_ERROR,
			   "the CRB page %s has %lld bytes and %lld are needed: remove it or name "
			   "another file or offset",
			   config->page_file, (long long)st.st_size, (long long)end);
		return CVTPM_ERR_SIZE;
	}
	if (page_reserve(page) < 0)
		return page_failed(page, "given room");
	if (st.st_mode & 077)
		server_log(page->server, CVTPM_LOG_WARN,
			   "others may read or write the CRB page %s (mode %o): chmod 600 it",
			   config->page_file, (unsigned)(st.st_mode & 07777));
	return 0;
}

static size_t localities_size(unsigned localities)
{
	size_t count = 1;

	for (unsigned n = 1; n < CVTPM_CRB_LOCALITIES; n++)
		if (localities & (1u << n))
			count = n + 1;
	return count * CVTPM_CRB_LOCALITY_SIZE;
}

int page_open(struct page *page, struct server *server)
{
	const struct cvtpm_serve_config *config = server->config;

	pthread_mutex_init(&page->lock, NULL);
	page->server = server;
	page->fd = -1;
	page->size = localities_size(config->page_localities);
	if (config->page_offset % CVTPM_CRB_LOCALITY_SIZE != 0 ||
	    config->page_offset > (uint64_t)INT64_MAX - page->size - FILE_UNIT) {
		server_log(server, CVTPM_LOG_ERROR,
			   "the CRB page's offset %llu is not a multiple of 4096 within a file",
			   (unsigned long long)config->page_offset);
		return CVTPM_ERR_PARAM;
	}
	page->end = (off_t)areas_end(config, config->page_offset + page->size);
	CVTPM_TRY(page_open_file(page));
	if (flock(page->fd, LOCK_EX | LOCK_NB) < 0) {
		server_log(server, CVTPM_LOG_ERROR,
			   "the CRB page %s is served by another process: stop it or name another "
			   "file",
			   config->page_file);
		return CVTPM_ERR_BUSY;
	}
	page->locked = true;
	page->memory = mmap(NULL, page->size, PROT_READ | PROT_WRITE, MAP_SHARED, page->fd,
			    (off_t)config->page_offset);
	if (page->memory == MAP_FAILED) {
		page->memory = NULL;
		return page_failed(page, "mapped");
	}
	return areas_open(&page->areas, server, page->fd);
}

void page_close(struct page *page)
{
	if (!page->server)
		return;
	areas_close(&page->areas);
	if (page->memory)
		munmap(page->memory, page->size);
	/* Made by a server that did not come to serve it: left behind, it would pass
	 * for the page of a machine that has run. The lock says that it is ours. */
	if (page->locked && !page->existed && !page->live)
		unlink(page->server->config->page_file);
	if (page->fd >= 0)
		close(page->fd);
	cvtpm_wipe(&page->crb, sizeof page->crb);
	cvtpm_wipe(&page->crb_page, sizeof page->crb_page);
	pthread_mutex_destroy(&page->lock);
}

/* ---- serving ---- */

/* Somebody made the file shorter while it is mapped. Nothing can go on from here,
 * but the operator is told. */
static void page_lost(int number)
{
	static const char line[] = "the CRB page's file was truncated under its server, which ends "
				   "without TPM2_Shutdown\n";

	(void)number;
	(void)!write(STDERR_FILENO, line, sizeof line - 1);
	_exit(2);
}

int page_start(struct page *page)
{
	const struct cvtpm_crb_config config = {
		.callbacks = {.context = page,
			      .submit = page_submit,
			      .cancel = page_cancel,
			      .established = page_established},
		.base = page->server->config->page_base,
		.localities = page->server->config->page_localities,
	};
	int result = cvtpm_crb_init(&page->crb, &config);

	if (result == 0)
		result = cvtpm_crb_page_init(&page->crb_page, &page->crb, page->memory, page->size);
	if (result < 0) {
		server_log(page->server, CVTPM_LOG_ERROR, "the CRB page cannot be served: %s",
			   cvtpm_strerror(result));
		return result;
	}
	signal(SIGBUS, page_lost);
	/* What another machine left in the file is nothing that this one asks for. */
	if (page->existed && page->machine_is_new)
		cvtpm_crb_page_reset(&page->crb_page);
	(void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0); /* latency only */
	page_lock(page);
	page->busy_ns = now_ns();
	page->live = true;
	page_unlock(page);
	return 0;
}

void page_poll(struct page *page, struct timespec *wait)
{
	uint64_t quiet_ns, wait_ns;

	page_lock(page);
	if (!page->held && page_look(page))
		page->busy_ns = now_ns();

	const uint64_t now = now_ns();

	quiet_ns = now - page->busy_ns;
	wait_ns = quiet_ns < SPIN_NS ? 0 : quiet_ns / QUIET_DIVISOR;
	if (wait_ns > LONGEST_NS)
		wait_ns = LONGEST_NS;
	/* The worker wakes the loop; until then there is only CANCEL to look for. */
	if (page->held || cvtpm_crb_in_engine(&page->crb))
		wait_ns = RUNNING_NS;
	else if (page->bell_ns && now - page->bell_ns < BELL_NS)
		wait_ns = BELL_WAIT_NS;
	page_unlock(page);
	*wait = (struct timespec){.tv_nsec = (long)wait_ns};
}

void page_stop(struct page *page)
{
	if (!page->live)
		return;
	page_lock(page);
	page_hold(page);
	page_unlock(page);
}

void page_begin_reset(struct page *page)
{
	if (!page->live)
		return;
	page_lock(page);
	cvtpm_crb_page_reset(&page->crb_page);
	page_hold(page);
	page_unlock(page);
}

void page_end_reset(struct page *page)
{
	if (!page->live)
		return;
	page_lock(page);
	cvtpm_crb_page_reset(&page->crb_page);
	page_release(page);
	page_unlock(page);
}
