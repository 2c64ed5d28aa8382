/* What a daemon does beside its work: log, pid file, background, another user. */
#include "cli/cli.h"
#include "cli/swtpm.h"
#include "host/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the log ---- */

void swtpm_log_parse(struct argp_state *state, const char *text, struct swtpm_log *log)
{
	const char *fd = NULL, *level = NULL;
	const struct word words[] = {{"file", &log->file, NULL},
				     {"fd", &fd, NULL},
				     {"level", &level, NULL},
				     {"prefix", &log->prefix, NULL},
				     {"truncate", NULL, &log->truncate},
				     {0}};

	words_parse(state, "--log", text, log->copy, words);
	if (log->file && fd)
		argp_error(state, "--log: file= and fd= exclude each other");
	if (fd)
		log->fd = words_descriptor(state, "--log: fd", fd);
	if (level)
		log->level = words_number(state, "--log: level", level, INT_MAX);
}

/* Where nobody reads, nothing is lost. */
static void put(int fd, const char *text, size_t len)
{
	if (fd >= 0)
		(void)write_whole(fd, text, len);
}

/* A FILE's write function: each line gets the prefix. */
static ssize_t log_write(void *cookie, const char *text, size_t len)
{
	struct swtpm_log *log = cookie;
	const size_t all = len;

	put(log->also, text, len);
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		const size_t line = end ? (size_t)(end - text) + 1 : len;

		if (!log->in_line && log->prefix)
			put(log->out, log->prefix, strlen(log->prefix));
		put(log->out, text, line);
		log->in_line = !end;
		text += line;
		len -= line;
	}
	return (ssize_t)all;
}

static int log_open(struct swtpm_log *log)
{
	log->out = log->fd;
	if (log->file && strcmp(log->file, "-") != 0)
		log->out = open(log->file,
				O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY |
					(log->truncate ? O_TRUNC : 0),
				0600);
	else if (log->fd >= 0 && log->truncate && ftruncate(log->fd, 0) < 0)
		return -1;
	return log->out < 0 && log->file && strcmp(log->file, "-") != 0 ? -1 : 0;
}

int swtpm_log_begin(struct swtpm_log *log)
{
	static const cookie_io_functions_t functions = {.write = log_write};

	log->also = -1;
	if (!log->file && log->fd < 0)
		return 0;
	if (log_open(log) < 0) {
		cli_error("%s: cannot open %s: %s", log->option,
			  log->file ? log->file : "the descriptor", strerror(errno));
		return CLI_FAULT;
	}
	log->also = STDERR_FILENO;
	FILE *stream = fopencookie(log, "w", functions);

	if (!stream) {
		cli_error("%s: no memory", log->option);
		return CLI_FAULT;
	}
	setvbuf(stream, NULL, _IOLBF, BUFSIZ);
	stderr = stream; /* glibc lets a program do that */
	return 0;
}

void swtpm_log_alone(struct swtpm_log *log)
{
	fflush(stderr);
	log->also = -1;
}

/* ---- the pid file ---- */

void swtpm_pid_parse(struct argp_state *state, const char *text, struct swtpm_pid *pid)
{
	const char *fd = NULL;
	const struct word words[] = {{"file", &pid->file, NULL}, {"fd", &fd, NULL}, {0}};

	words_parse(state, "--pid", text, pid->copy, words);
	if (fd)
		pid->fd = words_descriptor(state, "--pid: fd", fd);
	if ((pid->file != NULL) == (fd != NULL))
		argp_error(state, "--pid: write one of file= and fd=");
}

int swtpm_pid_write(const struct swtpm_pid *pid)
{
	char text[24];
	const int len = snprintf(text, sizeof text, "%ld", (long)getpid());
	int fd = pid->fd;

	if (!pid->file && pid->fd < 0)
		return 0;
	if (pid->file)
		fd = open(pid->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd >= 0 && pid->file)
		(void)fchmod(fd, 0644); /* a number is no secret */
	const bool good = fd >= 0 && write(fd, text, (size_t)len) == len;

	if (!good)
		cli_error("--pid: cannot write %s: %s", pid->file ? pid->file : "the descriptor",
			  strerror(errno));
	if (fd >= 0 && close(fd) < 0)
		return CLI_FAULT;
	return good ? 0 : CLI_FAULT;
}

void swtpm_pid_remove(const struct swtpm_pid *pid)
{
	if (pid->file)
		unlink(pid->file);
}

/* ---- the background ---- */

static void parent_wait(pid_t child, int ready)
{
	int status = 0;
	char byte;

	if (read(ready, &byte, 1) == 1)
		_exit(CLI_YES);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAULT);
}

int swtpm_daemon_begin(void)
{
	int ends[2];

	fflush(stdout);
	fflush(stderr);
	if (pipe2(ends, O_CLOEXEC) < 0) {
		cli_error("--daemon: %s", strerror(errno));
		return -1;
	}
	const pid_t child = fork();

	if (child < 0) {
		cli_error("--daemon: %s", strerror(errno));
		return -1;
	}
	if (child > 0) {
		close(ends[1]);
		parent_wait(child, ends[0]);
	}
	close(ends[0]);
	setsid();
	return ends[1];
}

/* The folder stays the same: the socket and the pid file, which may have been named from
 * it, are removed at the end. */
void swtpm_daemon_ready(int descriptor)
{
	const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	put(descriptor, "r", 1);
	close(descriptor);
	for (int fd = 0; nothing >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(nothing, fd);
	if (nothing > STDERR_FILENO)
		close(nothing);
}

/* ---- the user ---- */

int swtpm_become(const char *user)
{
	const struct passwd *entry = getpwnam(user);
	char *end;
	const unsigned long number = strtoul(user, &end, 10);

	if (!entry && user[0] >= '0' && user[0] <= '9' && !*end)
		entry = getpwuid((uid_t)number);
	if (!entry) {
		cli_error("--runas: there is no user '%s'", user);
		return CLI_FAULT;
	}
	if (initgroups(entry->pw_name, entry->pw_gid) < 0 || setgid(entry->pw_gid) < 0 ||
	    setuid(entry->pw_uid) < 0) {
		cli_error("--runas: cannot become '%s': %s", user, strerror(errno));
		return CLI_FAULT;
	}
	return 0;
}
