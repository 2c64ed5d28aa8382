#include "serve/vtpm_proxy.h"

#include "crypto/crypto.h"
#include "cvtpm/err.h"
#include "host/frame.h"
#include "serve/server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vtpm_proxy.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DRIVER            "/dev/vtpmx"
#define SET_LOCALITY_SIZE (FRAME_HEADER_SIZE + 1)
#define TPM_RC_SUCCESS    0x000u
#define TPM_RC_LOCALITY   0x907u
#define HIGHEST_LOCALITY  0 /* the driver's users get no other */

/* A response goes with one write. The driver may have given up waiting meanwhile,
 * and has told whose command it was; where it has sent the next one already, it
 * would take this response for that one's. */
static void proxy_respond(struct vtpm_proxy *p, const uint8_t *response, size_t len)
{
	struct pollfd next = {.fd = p->source.fd, .events = POLLIN};

	if (poll(&next, 1, 0) == 1 && (next.revents & POLLIN))
		errno = ETIME;
	else if (write(p->source.fd, response, len) >= 0)
		return;
	server_log(p->server, CVTPM_LOG_WARN, "%s did not wait for the response: %s", p->name,
		   strerror(errno));
}

static void proxy_answer(struct vtpm_proxy *p, size_t len, uint32_t rc)
{
	uint8_t response[FRAME_HEADER_SIZE];

	frame_put_error(response, rc);
	p->job.way.door = RECORD_DOOR_PROXY;
	server_record(p->server, &p->job, p->command, len, response);
	proxy_respond(p, response, sizeof response);
}

/* The driver's own command; it lets none of its users send one. */
static bool proxy_is_set_locality(const uint8_t *command, size_t len)
{
	return len >= SET_LOCALITY_SIZE && frame_get_u32(command + 6) == TPM2_CC_SET_LOCALITY;
}

static void proxy_set_locality(struct vtpm_proxy *p, size_t len)
{
	const uint8_t locality = p->command[FRAME_HEADER_SIZE];

	if (locality <= HIGHEST_LOCALITY)
		p->locality = locality;
	proxy_answer(p, len, locality <= HIGHEST_LOCALITY ? TPM_RC_SUCCESS : TPM_RC_LOCALITY);
}

static void proxy_job_done(struct worker_job *job)
{
	struct vtpm_proxy *p = job->owner;

	p->working = false;
	if (job->result != CVTPM_ERR_BUSY) /* else the server stops before the command's turn */
		proxy_respond(p, job->response, job->response_len);
	cvtpm_wipe(p->command, job->data_len);
	cvtpm_wipe(job->response, job->response_len);
	if (!p->server->stop_wanted)
		p->source.events = POLLIN;
}

static void proxy_submit(struct vtpm_proxy *p, size_t len)
{
	p->job.run = worker_run_command;
	p->job.done = proxy_job_done;
	p->job.owner = p;
	p->job.way.door = RECORD_DOOR_PROXY;
	p->job.locality = p->locality;
	p->job.data = p->command;
	p->job.data_len = len;
	p->working = true;
	p->source.events = 0;
	worker_submit(&p->server->worker, &p->job);
}

/* The driver has taken the device away. */
static void proxy_lost(struct vtpm_proxy *p)
{
	server_log(p->server, CVTPM_LOG_ERROR,
		   p->registered ? "%s is gone: the kernel has taken it away"
				 : "the kernel does not take this TPM as %s: see its log (dmesg)",
		   p->name);
	p->server->result = CVTPM_ERR_IO;
	server_stop(p->server);
	loop_remove(&p->server->loop, &p->source);
}

static void proxy_ready(void *owner, short revents)
{
	struct vtpm_proxy *p = owner;

	if (revents & (POLLHUP | POLLERR | POLLNVAL)) {
		proxy_lost(p);
		return;
	}
	if (!(revents & POLLIN) || p->working)
		return;
	const ssize_t len = read(p->source.fd, p->command, sizeof p->command);

	if (len < 0) {
		if (errno != EINTR && errno != EAGAIN)
			proxy_lost(p);
		return;
	}
	if (proxy_is_set_locality(p->command, (size_t)len))
		proxy_set_locality(p, (size_t)len);
	else
		proxy_submit(p, (size_t)len);
}

int vtpm_proxy_open(struct vtpm_proxy *p, struct server *server)
{
	p->maker = open(DRIVER, O_RDWR | O_CLOEXEC);
	p->source.fd = -1;
	if (p->maker >= 0) {
		p->server = server;
		return 0;
	}
	server_log(server, CVTPM_LOG_ERROR, "%s: %s%s", DRIVER, strerror(errno),
		   errno == ENOENT ? ": load the kernel's module with `modprobe tpm_vtpm_proxy`"
		   : errno == EACCES || errno == EPERM ? ": only root may make a TPM device"
						       : "");
	return CVTPM_ERR_IO;
}

void vtpm_proxy_self_test(struct worker_tpm *tpm)
{
	/* TPM2_SelfTest, fullTest */
	static const uint8_t command[] = {0x80, 0x01, 0, 0, 0, 11, 0, 0, 0x01, 0x43, 1};
	uint8_t response[CVTPM_MAX_BUFFER_SIZE];
	size_t len = sizeof response;

	(void)cvtpm_instance_execute(tpm->instance, 0, command, sizeof command, response, &len);
}

int vtpm_proxy_start(struct vtpm_proxy *p)
{
	struct vtpm_proxy_new_dev device = {.flags = VTPM_PROXY_FLAG_TPM2};

	if (ioctl(p->maker, VTPM_PROXY_IOC_NEW_DEV, &device) < 0) {
		server_log(p->server, CVTPM_LOG_ERROR, "%s makes no TPM device: %s%s", DRIVER,
			   strerror(errno),
			   errno == EPERM ? ": only root may make one (CAP_SYS_ADMIN)" : "");
		return CVTPM_ERR_IO;
	}
	p->number = device.tpm_num;
	snprintf(p->name, sizeof p->name, "/dev/tpm%u", (unsigned)p->number);
	p->source = (struct loop_source){
		.fd = (int)device.fd, .events = POLLIN, .ready = proxy_ready, .owner = p};
	fcntl(p->source.fd, F_SETFD, FD_CLOEXEC);
	return loop_add(&p->server->loop, &p->source);
}

bool vtpm_proxy_registered(struct vtpm_proxy *p)
{
	char path[64];

	if (!p->registered) {
		snprintf(path, sizeof path, "/sys/class/tpm/tpm%u/dev", (unsigned)p->number);
		p->registered = access(path, F_OK) == 0;
	}
	return p->registered;
}

void vtpm_proxy_stop(struct vtpm_proxy *p)
{
	if (p->server && p->source.fd >= 0)
		loop_remove(&p->server->loop, &p->source);
}

void vtpm_proxy_close(struct vtpm_proxy *p)
{
	if (!p->server)
		return;
	vtpm_proxy_stop(p);
	if (p->source.fd >= 0)
		close(p->source.fd);
	close(p->maker);
	p->server = NULL;
}
