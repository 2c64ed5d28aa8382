/*
 * How long a guest waits for a command over a CRB page, seen from the guest: from
 * the doorbell's byte, or from START where nobody rings, until START is 0. The guest
 * is this process, which spins. How to read it: docs/bench.md.
 *
 * usage: bench-doorbell [--json] CVTPM [COMMANDS]      CVTPM: the program
 */
#include "cvtpm/crb.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CTRL_START 0x4C
#define DATA       0x80
#define IDLE_S     5
#define LIMIT_NS   10000000000u /* an answer that takes longer will not come */

struct server {
	pid_t pid;
	char dir[32], page[64], bell[64];
	uint8_t *memory;
	int ring;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "bench-doorbell: %s\n", what);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the server ---- */

static _Noreturn void run_server(const struct server *s, const char *program, int ready)
{
	char fd[12];

	snprintf(fd, sizeof fd, "%d", ready);
	if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
		_exit(2);
	execl(program, "cvtpm", "serve", "--crb-page", s->page, "--doorbell", s->bell, "--startup",
	      "clear", "--ek", "p256", "--ready-fd", fd, (char *)NULL);
	_exit(2);
}

static void connect_bell(struct server *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(address.sun_path, s->bell);
	s->ring = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(s->ring, (struct sockaddr *)&address, sizeof address) < 0)
		fail("the doorbell is not there");
}

static void start(struct server *s, const char *program)
{
	int ready[2];
	char word[8];

	strcpy(s->dir, "/tmp/cvtpm-bench-XXXXXX");
	if (!mkdtemp(s->dir) || pipe(ready) < 0)
		fail("no folder or no pipe");
	snprintf(s->page, sizeof s->page, "%s/page", s->dir);
	snprintf(s->bell, sizeof s->bell, "%s/bell", s->dir);
	s->pid = fork();
	if (s->pid == 0)
		run_server(s, program, ready[1]);
	close(ready[1]);
	if (read(ready[0], word, sizeof word) <= 0)
		fail("cvtpm serve does not start");
	close(ready[0]);

	const int fd = open(s->page, O_RDWR);

	s->memory = mmap(NULL, CVTPM_CRB_LOCALITY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s->memory == MAP_FAILED)
		fail("the page cannot be mapped");
	close(fd);
	connect_bell(s);
}

static void stop(struct server *s)
{
	kill(s->pid, SIGTERM);
	waitpid(s->pid, NULL, 0);
	unlink(s->page);
	rmdir(s->dir);
}

static double cpu_seconds(pid_t pid)
{
	char path[32], line[1024];
	unsigned long user, kernel;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *file = fopen(path, "r");

	if (!file || !fgets(line, sizeof line, file))
		fail("no CPU times");
	fclose(file);
	if (sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		   &user, &kernel) != 2)
		fail("no CPU times");
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

/* ---- what is measured ---- */

static const uint8_t pcr_read[] = {0x80, 0x01, 0, 0, 0, 0x14, 0, 0,      1, 0x7E,
				   0,    0,    0, 1, 0, 0x0B, 3, 1 << 0, 0, 0};
static const uint8_t get_random[] = {0x80, 0x01, 0, 0, 0, 0x0C, 0, 0, 1, 0x7B, 0, 8};

/* Method 8: the command, START, and the bell if `rings`. */
static uint64_t one_start(struct server *s, const uint8_t *command, size_t len, bool rings)
{
	volatile uint32_t *start_register = (volatile uint32_t *)(void *)(s->memory + CTRL_START);

	memcpy(s->memory + DATA, command, len);
	const uint64_t begin = now_ns();

	__atomic_store_n(start_register, 1, __ATOMIC_SEQ_CST);
	if (rings && write(s->ring, "", 1) != 1)
		fail("the doorbell is gone");
	while (__atomic_load_n(start_register, __ATOMIC_ACQUIRE) & 1)
		if (now_ns() - begin > LIMIT_NS)
			fail("no answer");
	const uint64_t end = now_ns();

	if (s->memory[DATA + 6] || s->memory[DATA + 7] || s->memory[DATA + 8] ||
	    s->memory[DATA + 9])
		fail("a command was refused");
	return end - begin;
}

/* Method 7: with locality, cmdReady and goIdle, by the library's driver, which spins. */
static uint64_t clock_ms(void *context)
{
	(void)context;
	return now_ns() / 1000000;
}

static void spin(void *context, unsigned looks)
{
	(void)context;
	(void)looks;
}

static uint64_t one_polled(struct cvtpm_crb_client *client, const uint8_t *command, size_t len)
{
	uint8_t response[CVTPM_CRB_BUFFER_SIZE];
	size_t response_len = sizeof response;
	const uint64_t begin = now_ns();

	if (cvtpm_crb_client_transmit(client, command, len, response, &response_len) < 0)
		fail("no answer to a polled command");
	return now_ns() - begin;
}

/* The floor: a byte through a socket to a thread that does nothing but answer. */
struct echo {
	int fd;
	_Atomic uint32_t word;
};

static void *echo_main(void *argument)
{
	struct echo *e = argument;
	char byte[64];

	while (read(e->fd, byte, sizeof byte) > 0)
		atomic_store(&e->word, 0);
	return NULL;
}

static uint64_t one_echo(struct echo *e, int ring)
{
	const uint64_t begin = now_ns();

	atomic_store(&e->word, 1);
	if (write(ring, "", 1) != 1)
		fail("no socket pair");
	while (atomic_load(&e->word))
		if (now_ns() - begin > LIMIT_NS)
			fail("no echo");
	return now_ns() - begin;
}

/* ---- numbers ---- */

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double us(const uint64_t *sorted, size_t count, unsigned percent)
{
	return (double)sorted[(count - 1) * percent / 100] / 1000;
}

static void say(const char *name, uint64_t *ns, size_t count, bool json)
{
	qsort(ns, count, sizeof *ns, by_size);
	printf(json ? "{\"what\":\"%s\",\"p10_us\":%.1f,\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":"
		      "%.1f}\n"
		    : "%-44s %8.1f %8.1f %8.1f %8.1f\n",
	       name, us(ns, count, 10), us(ns, count, 50), us(ns, count, 90), us(ns, count, 99));
}

static void measure(struct server *s, size_t count, bool json)
{
	const struct cvtpm_crb_bus bus = {.context = s->memory,
					  .read32 = cvtpm_crb_memory_read32,
					  .write32 = cvtpm_crb_memory_write32,
					  .read_bytes = cvtpm_crb_memory_read_bytes,
					  .write_bytes = cvtpm_crb_memory_write_bytes,
					  .clock_ms = clock_ms,
					  .wait = spin};
	struct cvtpm_crb_client client;
	uint64_t *ns = calloc(count, sizeof *ns);
	struct echo echo = {0};
	pthread_t thread;
	int pair[2];

	if (!ns || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		fail("no memory or no sockets");
	echo.fd = pair[1];
	if (pthread_create(&thread, NULL, echo_main, &echo))
		fail("no thread");
	for (size_t i = 0; i < count; i++)
		ns[i] = one_echo(&echo, pair[0]);
	say("floor: a byte to a thread that answers", ns, count, json);
	close(pair[0]);
	pthread_join(thread, NULL);
	close(pair[1]);

	for (size_t i = 0; i < count; i++)
		ns[i] = one_start(s, pcr_read, sizeof pcr_read, true);
	say("PCR_Read, doorbell", ns, count, json);
	for (size_t i = 0; i < count; i++)
		ns[i] = one_start(s, get_random, sizeof get_random, true);
	say("GetRandom, doorbell", ns, count, json);
	for (size_t i = 0; i < count / 20; i++) {
		usleep(20000);
		ns[i] = one_start(s, pcr_read, sizeof pcr_read, true);
	}
	say("PCR_Read, doorbell, after 20 ms of silence", ns, count / 20, json);

	if (cvtpm_crb_client_open(&client, &bus, CVTPM_CRB_START_MMIO, 0) < 0)
		fail("no CRB");
	sleep(2); /* the server forgets the bell */
	for (size_t i = 0; i < count; i++)
		ns[i] = one_polled(&client, pcr_read, sizeof pcr_read);
	say("PCR_Read, polled (all five steps)", ns, count, json);
	for (size_t i = 0; i < count / 20; i++) {
		usleep(20000);
		ns[i] = one_polled(&client, pcr_read, sizeof pcr_read);
	}
	say("PCR_Read, polled, after 20 ms of silence", ns, count / 20, json);
	free(ns);
}

static void measure_idle(const struct server *s, bool json)
{
	const double before = cpu_seconds(s->pid);

	sleep(IDLE_S);
	printf(json ? "{\"what\":\"idle server\",\"cpu_percent\":%.2f}\n"
		    : "idle server: %.2f %% of a processor\n",
	       100 * (cpu_seconds(s->pid) - before) / IDLE_S);
}

int main(int argc, char **argv)
{
	struct server s = {0};
	const bool json = argc > 1 && strcmp(argv[1], "--json") == 0;

	argv += json, argc -= json;
	if (argc < 2)
		fail("usage: bench-doorbell [--json] CVTPM [COMMANDS]");
	const size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 2000;

	if (count < 100)
		fail("at least 100 commands");
	signal(SIGPIPE, SIG_IGN);
	start(&s, argv[1]);
	if (!json)
		printf("%-44s %8s %8s %8s %8s\n", "microseconds", "p10", "p50", "p90", "p99");
	measure(&s, count, json);
	sleep(1);
	measure_idle(&s, json);
	stop(&s);
	return 0;
}
