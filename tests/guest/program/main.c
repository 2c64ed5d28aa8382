#include "guest.h"

#include "cvtpm/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The driver takes a command with one write and gives its response with one read. */
static int device_execute(void *context, const uint8_t *command, size_t command_len,
			  uint8_t *response, size_t *response_len)
{
	struct guest_tpm *tpm = context;

	if (write(tpm->fd, command, command_len) != (ssize_t)command_len)
		return CVTPM_ERR_IO;
	const ssize_t got = read(tpm->fd, response, *response_len);

	if (got < 0)
		return CVTPM_ERR_IO;
	*response_len = (size_t)got;
	tpm->commands++;
	return 0;
}

void guest_tpm_open(struct guest_tpm *tpm, const char *path)
{
	tpm->commands = 0;
	tpm->fd = open(path, O_RDWR | O_CLOEXEC);
	if (tpm->fd < 0) {
		printf("%s: %s\n", path, strerror(errno));
		exit(1);
	}
	tpm_client_begin(&tpm->client, device_execute, tpm);
}

void guest_tpm_fail(const struct guest_tpm *tpm, const char *name, int err)
{
	if (err == CVTPM_ERR_TPM)
		printf("%s: TPM2_%s answers 0x%03X\n", name, tpm->client.last->name,
		       (unsigned)tpm->client.rc);
	else
		printf("%s: error %d, errno %d (%s)\n", name, err, errno, strerror(errno));
	exit(1);
}

void guest_check(const struct guest_tpm *tpm, const char *name, int err)
{
	if (err < 0)
		guest_tpm_fail(tpm, name, err);
}

void guest_print(const char *name, const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;

	printf("%s ", name);
	for (size_t i = 0; i < len; i++)
		printf("%02x", byte[i]);
	putchar('\n');
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*job)(int argc, char **argv);
	} jobs[] = {{"agent", guest_agent},    {"workload", guest_workload}, {"send", guest_send},
		    {"page", guest_page},      {"latency", guest_latency},   {"count", guest_count},
		    {"counted", guest_counted}};

	for (size_t i = 0; argc > 1 && i < sizeof jobs / sizeof *jobs; i++)
		if (strcmp(argv[1], jobs[i].name) == 0)
			return jobs[i].job(argc - 2, argv + 2);
	fprintf(stderr, "usage: guest JOB ...\n");
	return 2;
}
