/*
 * The host's hand in the guest, on a virtio port.
 *
 *     guest: "hello\n"                        once, when the guest is up
 *     host:  a line, given to /bin/sh -c
 *     guest: "STATUS LENGTH\n", LENGTH bytes   what it wrote, both outputs together
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_LEN 65536

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		const ssize_t done = write(fd, bytes, len);

		if (done < 0 && errno != EINTR && errno != EAGAIN)
			return -1;
		if (done > 0) {
			bytes += done;
			len -= (size_t)done;
		}
	}
	return 0;
}

/* One line without its end. False: the port is gone. A port without a host reads
 * as ended: then wait for the next one. */
static int read_line(int fd, char *line, size_t room)
{
	size_t len = 0;

	for (;;) {
		char byte;
		const ssize_t got = read(fd, &byte, 1);

		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return -1;
		if (got == 0)
			usleep(20000);
		if (got != 1)
			continue;
		if (byte == '\n')
			break;
		if (len + 1 < room)
			line[len++] = byte;
	}
	line[len] = '\0';
	return 0;
}

struct output {
	char *bytes;
	size_t len, room;
};

static void collect(struct output *out, int fd)
{
	out->len = 0;
	for (;;) {
		if (out->room - out->len < 4096) {
			out->room += 65536;
			out->bytes = realloc(out->bytes, out->room);
			if (!out->bytes)
				abort();
		}
		const ssize_t got = read(fd, out->bytes + out->len, out->room - out->len);

		if (got == 0 || (got < 0 && errno != EINTR))
			return;
		if (got > 0)
			out->len += (size_t)got;
	}
}

static int run(const char *line, struct output *out)
{
	int ends[2], status;

	if (pipe(ends) < 0)
		return 127;
	const pid_t pid = fork();

	if (pid == 0) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		close(ends[0]);
		close(ends[1]);
		execl("/bin/sh", "sh", "-c", line, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	collect(out, ends[0]);
	close(ends[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int guest_agent(int argc, char **argv)
{
	static char line[LINE_MAX_LEN];
	struct output out = {0};
	const int fd = argc == 1 ? open(argv[0], O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0) {
		fprintf(stderr, "usage: guest agent PORT\n");
		return 2;
	}
	if (write_all(fd, "hello\n", 6) < 0)
		return 1;
	while (read_line(fd, line, sizeof line) == 0) {
		char head[48];
		const int status = run(line, &out);
		const int len = snprintf(head, sizeof head, "%d %zu\n", status, out.len);

		if (write_all(fd, head, (size_t)len) < 0 || write_all(fd, out.bytes, out.len) < 0)
			return 1;
	}
	return 1;
}
