#include "serve/client.h"

#include "crypto/crypto.h"
#include "cvtpm/err.h"
#include "host/frame.h"
#include "serve/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void client_release(struct client *c)
{
	if (c->protocol->release)
		c->protocol->release(c);
	c->server->client_count--;
	/* Commands carry authorisation values, responses random bytes. */
	cvtpm_wipe(c, sizeof *c);
	free(c);
}

static void client_job_done(struct worker_job *job);

/* Closed, and nothing of it runs: its objects and sessions go, then it goes. A TPM that
 * is about to be shut down needs no flushing. */
static void client_clean_up(struct client *c)
{
	if (!c->server->config->flush_on_disconnect || c->server->stop_wanted || c->flushes ||
	    c->server->phase != SERVER_READY) {
		client_release(c);
		return;
	}
	c->flushes = true;
	c->job.run = worker_run_flush;
	c->job.done = client_job_done;
	c->job.owner = c;
	c->job.data_len = 0;
	c->working = true;
	worker_submit(&c->server->worker, &c->job);
}

static void client_close(struct client *c)
{
	loop_remove(&c->server->loop, &c->source);
	close(c->source.fd);
	if (!c->working)
		client_clean_up(c);
}

void client_recall(struct client *c)
{
	if (c->lent)
		worker_recall(&c->server->worker, &c->line);
}

bool client_has_departed(const struct client *c)
{
	struct pollfd peer = {.fd = c->source.fd, .events = POLLRDHUP};

	return !c->gone && poll(&peer, 1, 0) == 1 && peer.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

void client_end(struct client *c)
{
	if (c->gone)
		return;
	server_forget_client(c->server, c);
	c->gone = true;
	if (c->passed_fd >= 0)
		close(c->passed_fd);
	if (c->protocol->ended)
		c->protocol->ended(c);
	if (c->lent)
		client_recall(c);
	else
		client_close(c);
}

/* Writes what there is; false when the connection broke. */
static bool client_flush(struct client *c)
{
	while (c->out_done < c->out_len) {
		const uint8_t *at = c->out + c->out_done;
		const size_t len = c->out_len - c->out_done;
		const ssize_t n =
			c->is_device ? write(c->source.fd, at, len)
				     : send(c->source.fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		c->out_done += (size_t)n;
	}
	cvtpm_wipe(c->out, c->out_len);
	c->out_len = c->out_done = 0;
	return true;
}

/* Keeps the last of the descriptors that came with a message. */
static void client_keep_descriptor(struct client *c, struct msghdr *message)
{
	for (struct cmsghdr *m = CMSG_FIRSTHDR(message); m; m = CMSG_NXTHDR(message, m)) {
		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= m->cmsg_len - CMSG_LEN(0);
		     at += sizeof(int)) {
			if (c->passed_fd >= 0)
				close(c->passed_fd);
			memcpy(&c->passed_fd, CMSG_DATA(m) + at, sizeof(int));
		}
	}
}

static ssize_t client_receive(struct client *c)
{
	struct iovec bytes = {.iov_base = c->in + c->in_len, .iov_len = sizeof c->in - c->in_len};
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(8 * sizeof(int))];
	struct msghdr message = {.msg_iov = &bytes,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof control};

	if (c->is_device)
		return read(c->source.fd, bytes.iov_base, bytes.iov_len);
	/* Descriptors that nobody asked for are closed by the kernel. */
	if (!c->protocol->takes_descriptors)
		return recv(c->source.fd, bytes.iov_base, bytes.iov_len, MSG_DONTWAIT);
	const ssize_t n = recvmsg(c->source.fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n >= 0)
		client_keep_descriptor(c, &message);
	return n;
}

/* Reads what there is room for; false when the connection broke. */
static bool client_fill(struct client *c)
{
	if (c->eof || c->in_len == sizeof c->in)
		return true;
	const ssize_t n = client_receive(c);

	if (n > 0)
		c->in_len += (size_t)n;
	else if (n == 0)
		c->eof = true;
	else
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
	return true;
}

/* The last words are written. Where the peer has sent more than was read, closing
 * now would make the kernel answer with a reset, and the peer could lose those
 * words: read on into nowhere until it closes. */
static void client_part(struct client *c)
{
	if (c->eof || c->in_len == 0) {
		client_end(c);
		return;
	}
	shutdown(c->source.fd, SHUT_WR);
	c->draining = true;
	c->source.events = POLLIN;
}

/* ---- lent to the worker ---- */

static bool client_serve_line(struct worker_line *line, short revents)
{
	struct client *c = line->owner;

	/* Whatever it is else, the loop finds it again. */
	return (revents & POLLIN) && client_fill(c) && c->protocol->direct(c) && client_flush(c) &&
	       c->out_len == 0;
}

static void client_go_on(struct client *c);

static void client_back(struct worker_line *line)
{
	struct client *c = line->owner;

	c->lent = false;
	c->may_be_lent = false;
	if (c->gone)
		client_close(c);
	else if (loop_add(&c->server->loop, &c->source) < 0)
		client_end(c);
	else
		client_go_on(c);
}

static void client_lend(struct client *c)
{
	loop_remove(&c->server->loop, &c->source);
	c->line = (struct worker_line){
		.fd = c->source.fd, .serve = client_serve_line, .back = client_back, .owner = c};
	c->lent = true;
	worker_lend(&c->server->worker, &c->line);
}

/* ---- in the loop ---- */

/* Goes on as far as possible: answers out, requests in, one after the other. */
static void client_go_on(struct client *c)
{
	enum client_step step = CLIENT_ANSWERED;

	if (c->server->stop_wanted)
		c->ending = true;
	while (step == CLIENT_ANSWERED) {
		if (!client_flush(c)) {
			client_end(c);
			return;
		}
		if (c->out_len || c->working)
			break;
		if (c->ending) {
			client_part(c);
			return;
		}
		step = c->protocol->step(c);
		if (step == CLIENT_ENDS) {
			c->ending = true;
			step = CLIENT_ANSWERED;
		}
	}
	/* A peer that closed its sending half is answered for what it sent whole. */
	if (step == CLIENT_WAITS && c->eof) {
		client_end(c);
		return;
	}
	c->source.events = 0;
	if (!c->eof && c->in_len < sizeof c->in)
		c->source.events |= POLLIN;
	if (c->out_len)
		c->source.events |= POLLOUT;
	if (c->may_be_lent && step == CLIENT_WAITS && c->in_len == 0 &&
	    c->server->phase == SERVER_READY)
		client_lend(c);
}

static void client_ready(void *owner, short revents)
{
	struct client *c = owner;

	if (c->draining) {
		cvtpm_wipe(c->in, c->in_len);
		c->in_len = 0;
	}
	if ((revents & POLLIN) && !client_fill(c)) {
		client_end(c);
		return;
	}
	/* Nobody is there any more to read an answer. Where data came with it,
	 * they are read first, and this comes again. */
	if ((revents & (POLLERR | POLLHUP | POLLNVAL)) && !(revents & POLLIN)) {
		client_end(c);
		return;
	}
	if (!c->draining)
		client_go_on(c);
	else if (c->eof)
		client_end(c);
}

static void client_job_done(struct worker_job *job)
{
	struct client *c = job->owner;

	c->working = false;
	if (c->resets)
		page_end_reset(&c->server->page);
	c->resets = false;
	if (c->gone) {
		client_clean_up(c);
		return;
	}
	if (job->result == CVTPM_ERR_BUSY) { /* the server stops before the command's turn */
		client_end(c);
		return;
	}
	if (c->protocol->answer(c) == CLIENT_ENDS)
		c->ending = true;
	c->may_be_lent = c->protocol->direct != NULL;
	cvtpm_wipe(c->command, job->data_len);
	cvtpm_wipe(job->response, job->response_len);
	client_go_on(c);
}

struct client *client_begin(struct server *server, const struct client_protocol *protocol, int fd)
{
	struct client *c = calloc(1, sizeof *c);

	if (!c) {
		close(fd);
		return NULL;
	}
	c->server = server;
	c->protocol = protocol;
	c->job.way.door = (uint8_t)protocol->door;
	c->passed_fd = -1;
	c->source =
		(struct loop_source){.fd = fd, .events = POLLIN, .ready = client_ready, .owner = c};
	if (loop_add(&server->loop, &c->source) < 0) {
		close(fd);
		free(c);
		return NULL;
	}
	return c;
}

void client_take(struct client *c, size_t len)
{
	c->in_len -= len;
	memmove(c->in, c->in + len, c->in_len);
	cvtpm_wipe(c->in + c->in_len, len);
}

void client_put(struct client *c, const void *bytes, size_t len)
{
	/* Protocols write one answer at a time, and the buffer holds the largest. */
	if (len > sizeof c->out - c->out_len)
		abort();
	memcpy(c->out + c->out_len, bytes, len);
	c->out_len += len;
}

void client_put_u32(struct client *c, uint32_t value)
{
	uint8_t bytes[4];

	frame_put_u32(bytes, value);
	client_put(c, bytes, sizeof bytes);
}

enum client_step client_submit(struct client *c,
			       void (*run)(struct worker_job *, struct worker_tpm *),
			       const uint8_t *data, size_t len)
{
	if (len)
		memcpy(c->command, data, len);
	c->job.run = run;
	c->job.done = client_job_done;
	c->job.owner = c;
	c->job.data = c->command;
	c->job.data_len = len;
	c->working = true;
	worker_submit(&c->server->worker, &c->job);
	return CLIENT_BEGAN;
}
