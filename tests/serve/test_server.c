/*
 * The server around a fake instance: order, fairness, cancelling, resets, ends.
 * Each test runs cvtpm_serve in a process of its own and talks to it.
 */
#include "cvtpm/err.h"
#include "cvtpm/serve.h"
#include "fake_instance.h"
#include "host/frame.h"
#include "serve/mssim_protocol.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT_MS 60000

struct fixture {
	pid_t pid;
	int events, ready; /* pipes from the server */
	char line[256];    /* its ready line */
	char dir[32], page[64];
	unsigned tcp, mssim;
};

/* ---- the server's process ---- */

static void child_log(void *context, enum cvtpm_log_level level, const char *line)
{
	(void)context;
	(void)level;
	fprintf(stderr, "# %s\n", line);
}

static void child_ready(void *context, const char *line)
{
	const int *fd = context;

	dprintf(*fd, "%s\n", line);
}

_Noreturn static void child(int events, int ready, const char *page, bool machine_is_new)
{
	struct fake_instance fake = {.events = events};
	const struct cvtpm_platform platform = {.context = &fake, .log = child_log};
	const struct cvtpm_instance_config instance = {0};
	const struct cvtpm_serve_config config = {
		.platform = &platform,
		.instance = &instance,
		.tcp = "127.0.0.1:0",
		.mssim = "127.0.0.1:0",
		.page_file = page,
		.machine_is_new = machine_is_new,
		.ready = child_ready,
		.context = &ready,
	};

	exit(cvtpm_serve(&config) < 0 ? 2 : 0);
}

static void read_line(int fd, char *line, size_t size)
{
	size_t len = 0;

	while (len + 1 < size && read(fd, line + len, 1) == 1 && line[len] != '\n')
		len++;
	line[len] = '\0';
}

static unsigned port_of(const char *line, const char *transport)
{
	const char *at = strstr(line, transport);

	assert_non_null(at);
	return (unsigned)strtoul(strchr(at, ':') + 1, NULL, 10);
}

static void start(struct fixture *f, const char *page, bool machine_is_new)
{
	int events[2], ready[2];

	assert_int_equal(pipe(events), 0);
	assert_int_equal(pipe(ready), 0);
	fflush(stdout);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0) {
		close(events[0]);
		close(ready[0]);
		child(events[1], ready[1], page, machine_is_new);
	}
	close(events[1]);
	close(ready[1]);
	f->events = events[0];
	f->ready = ready[0];
	read_line(f->ready, f->line, sizeof f->line);
	assert_non_null(strstr(f->line, "ready: "));
	f->tcp = port_of(f->line, "tcp ");
	f->mssim = port_of(f->line, "mssim ");
	assert_int_equal(port_of(f->line, "platform "), f->mssim + 1);
}

static int wait_for_end(struct fixture *f)
{
	int status;

	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	f->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	strcpy(f->dir, "/tmp/cvtpm-serve-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->page, sizeof f->page, "%s/page", f->dir);
	*state = f;
	return 0;
}

static int set_up_running(void **state)
{
	set_up(state);
	start(*state, NULL, false);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->pid > 0) {
		kill(f->pid, SIGKILL);
		waitpid(f->pid, NULL, 0);
	}
	if (f->events)
		close(f->events);
	if (f->ready)
		close(f->ready);
	unlink(f->page);
	rmdir(f->dir);
	free(f);
	return 0;
}

/* The next thing that happens to the instance. */
static char next_event(struct fixture *f)
{
	struct pollfd p = {.fd = f->events, .events = POLLIN};
	char letter = '?';

	assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
	return read(f->events, &letter, 1) == 1 ? letter : '.'; /* '.': the process has ended */
}

/* ---- clients ---- */

static int dial(unsigned port)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_port = htons((uint16_t)port),
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval limit = {.tv_sec = LIMIT_MS / 1000};
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void put(int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void get(int fd, void *bytes, size_t len)
{
	assert_int_equal(recv(fd, bytes, len, MSG_WAITALL), (ssize_t)len);
}

static void assert_closed(int fd)
{
	uint8_t byte;
	const ssize_t n = recv(fd, &byte, 1, 0);

	assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
}

/* A command of `len` bytes, its body filled with `fill`. */
static void make_command(uint8_t *command, uint32_t len, uint32_t code, uint8_t fill)
{
	memset(command, fill, len);
	frame_put_error(command, code);
	frame_put_u32(command + 2, len);
}

static void put_command(int fd, uint32_t len, uint32_t code, uint8_t fill)
{
	uint8_t command[4096];

	make_command(command, len, code, fill);
	put(fd, command, len);
}

static void assert_answer(int fd, uint32_t len, uint32_t rc, uint8_t fill)
{
	uint8_t response[4096], expected[4096];

	make_command(expected, len, rc, fill);
	get(fd, response, len);
	assert_memory_equal(response, expected, len);
}

static void put_word(int fd, uint32_t word)
{
	uint8_t bytes[4];

	frame_put_u32(bytes, word);
	put(fd, bytes, sizeof bytes);
}

static uint32_t get_word(int fd)
{
	uint8_t bytes[4];

	get(fd, bytes, sizeof bytes);
	return frame_get_u32(bytes);
}

static void mssim_put_command(int fd, uint8_t locality, uint32_t len, uint32_t code, uint8_t fill)
{
	put_word(fd, MSSIM_SEND_COMMAND);
	put(fd, &locality, 1);
	put_word(fd, len);
	put_command(fd, len, code, fill);
}

/* ---- raw ---- */

static void a_command_sent_byte_by_byte_is_answered(void **state)
{
	struct fixture *f = *state;
	const int fd = dial(f->tcp);
	uint8_t command[20];

	make_command(command, sizeof command, 1, 0xAB);
	for (size_t i = 0; i < sizeof command; i++)
		put(fd, command + i, 1);
	assert_answer(fd, sizeof command, 0, 0xAB);
	close(fd);
}

static void commands_sent_at_once_are_answered_in_order(void **state)
{
	struct fixture *f = *state;
	const int fd = dial(f->tcp);

	for (uint8_t i = 0; i < 8; i++)
		put_command(fd, 4096, 1, i);
	for (uint8_t i = 0; i < 8; i++)
		assert_answer(fd, 4096, 0, i);
	close(fd);
}

static void a_client_that_sends_half_a_command_holds_up_nobody(void **state)
{
	struct fixture *f = *state;
	const int half = dial(f->tcp), whole = dial(f->tcp);
	uint8_t command[30];

	make_command(command, sizeof command, 1, 7);
	put(half, command, 15);
	put_command(whole, 12, 1, 8);
	assert_answer(whole, 12, 0, 8);
	put(half, command + 15, 15);
	assert_answer(half, sizeof command, 0, 7);
	close(half);
	close(whole);
}

static void a_client_that_reads_nothing_holds_up_nobody(void **state)
{
	struct fixture *f = *state;
	const int deaf = dial(f->tcp), other = dial(f->tcp);
	uint8_t command[4096];

	make_command(command, sizeof command, 1, 7);
	for (int i = 0; i < 20000; i++) /* until the sockets are full in both directions */
		if (send(deaf, command, sizeof command, MSG_DONTWAIT | MSG_NOSIGNAL) !=
		    (ssize_t)sizeof command)
			break;
	for (uint8_t i = 0; i < 10; i++) {
		put_command(other, 12, 1, i);
		assert_answer(other, 12, 0, i);
	}
	close(deaf);
	close(other);
}

static void a_client_that_ends_its_sending_still_gets_its_answer(void **state)
{
	struct fixture *f = *state;
	const int fd = dial(f->tcp);

	put_command(fd, 12, 1, 3);
	shutdown(fd, SHUT_WR);
	assert_answer(fd, 12, 0, 3);
	assert_closed(fd);
	close(fd);
}

static void a_size_beyond_the_buffer_is_answered_and_the_client_closed(void **state)
{
	static const uint32_t sizes[] = {0, 9, 4097, 0xFFFFFFFF};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		const int fd = dial(f->tcp);
		uint8_t command[4096];

		make_command(command, sizeof command, 1, 0);
		frame_put_u32(command + 2, sizes[i]);
		put(fd, command, sizeof command);
		assert_answer(fd, 10, 0x142, 0);
		assert_closed(fd);
		close(fd);
	}
	assert_int_equal(next_event(f), 'O');
	kill(f->pid, SIGTERM);
	assert_int_equal(next_event(f), 'C'); /* the instance saw none of them */
}

static void the_raw_protocol_is_locality_0(void **state)
{
	struct fixture *f = *state;
	const int fd = dial(f->tcp);

	put_command(fd, 10, FAKE_LOCALITY, 0);
	assert_answer(fd, 10, 0, 0);
	close(fd);
}

/* ---- cancelling, ends ---- */

static void cancel_ends_the_command_of_the_other_port(void **state)
{
	struct fixture *f = *state;
	const int commands = dial(f->mssim), platform = dial(f->mssim + 1);

	assert_int_equal(next_event(f), 'O');
	mssim_put_command(commands, 0, 10, FAKE_SLOW, 0);
	assert_int_equal(next_event(f), 'X');
	put_word(platform, MSSIM_SIGNAL_CANCEL_ON);
	assert_int_equal(get_word(platform), 0);
	assert_int_equal(get_word(commands), 10);
	assert_answer(commands, 10, 0x909, 0);
	assert_int_equal(get_word(commands), 0);
	close(commands);
	close(platform);
}

static void a_held_cancel_line_ends_what_begins_under_it_until_it_is_released(void **state)
{
	struct fixture *f = *state;
	const int commands = dial(f->mssim), platform = dial(f->mssim + 1);

	put_word(platform, MSSIM_SIGNAL_CANCEL_ON);
	assert_int_equal(get_word(platform), 0);
	mssim_put_command(commands, 0, 10, FAKE_SLOW, 0);
	assert_int_equal(get_word(commands), 10);
	assert_answer(commands, 10, 0x909, 0);
	assert_int_equal(get_word(commands), 0);
	put_word(platform, MSSIM_SIGNAL_CANCEL_OFF);
	assert_int_equal(get_word(platform), 0);

	assert_int_equal(next_event(f), 'O');
	assert_int_equal(next_event(f), 'X');
	mssim_put_command(commands, 0, 10, FAKE_SLOW, 0);
	assert_int_equal(next_event(f), 'X');
	struct pollfd answer = {.fd = commands, .events = POLLIN};
	assert_int_equal(poll(&answer, 1, 100), 0); /* it runs on: nobody cancels it */
	close(commands);
	close(platform);
}

static void a_client_that_goes_away_leaves_its_command_and_the_next_is_served(void **state)
{
	struct fixture *f = *state;
	const int gone = dial(f->tcp), next = dial(f->tcp), platform = dial(f->mssim + 1);

	assert_int_equal(next_event(f), 'O');
	put_command(gone, 10, FAKE_SLOW, 0);
	assert_int_equal(next_event(f), 'X');
	put_command(next, 12, 1, 5);
	close(gone);
	put_word(platform, MSSIM_SIGNAL_CANCEL_ON);
	assert_int_equal(get_word(platform), 0);
	assert_answer(next, 12, 0, 5);
	close(next);
	close(platform);
}

static void sigterm_ends_the_running_command_answers_it_and_closes(void **state)
{
	struct fixture *f = *state;
	const int running = dial(f->tcp), waiting = dial(f->tcp);

	assert_int_equal(next_event(f), 'O');
	put_command(running, 10, FAKE_SLOW, 0);
	assert_int_equal(next_event(f), 'X');
	put_command(waiting, 12, 1, 1);
	kill(f->pid, SIGTERM);
	assert_answer(running, 10, 0x909, 0);
	assert_closed(running);
	assert_closed(waiting);
	assert_int_equal(next_event(f), 'C'); /* and no X for the one that waited */
	assert_int_equal(wait_for_end(f), 0);
	close(running);
	close(waiting);
}

static void a_second_sigterm_ends_at_once(void **state)
{
	struct fixture *f = *state;
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_port = htons((uint16_t)f->tcp),
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int fd = dial(f->tcp);
	int refused = 0;

	assert_int_equal(next_event(f), 'O');
	put_command(fd, 10, FAKE_ENDLESS, 0);
	assert_int_equal(next_event(f), 'X');
	kill(f->pid, SIGTERM);
	while (!refused) { /* until the first signal has been acted on */
		const int probe = socket(AF_INET, SOCK_STREAM, 0);

		refused = connect(probe, (const struct sockaddr *)&address, sizeof address) < 0;
		close(probe);
	}
	kill(f->pid, SIGTERM);
	assert_int_equal(wait_for_end(f), 1);
	close(fd);
}

static void stop_ends_the_process(void **state)
{
	struct fixture *f = *state;
	const int fd = dial(f->mssim + 1);

	put_word(fd, MSSIM_STOP);
	assert_closed(fd);
	assert_int_equal(next_event(f), 'O');
	assert_int_equal(next_event(f), 'C');
	assert_int_equal(wait_for_end(f), 0);
	close(fd);
}

/* ---- simulator protocol ---- */

static void power_and_reset_reach_the_instance_only_when_they_change_something(void **state)
{
	static const struct {
		uint32_t number;
		const char *events;
	} steps[] = {
		{MSSIM_SIGNAL_POWER_ON, ""},    {MSSIM_SIGNAL_RESET, "R"},
		{MSSIM_SIGNAL_RESTART, "R"},    {MSSIM_SIGNAL_POWER_OFF, "-"},
		{MSSIM_SIGNAL_RESET, ""},       {MSSIM_SIGNAL_POWER_ON, "+"},
		{MSSIM_SIGNAL_POWER_ON, ""},    {MSSIM_SIGNAL_NV_ON, ""},
		{MSSIM_SIGNAL_NV_OFF, ""},      {MSSIM_SIGNAL_PHYS_PRES_ON, ""},
		{MSSIM_TEST_FAILURE_MODE, "F"}, {MSSIM_SIGNAL_RESET, "R"},
	};
	struct fixture *f = *state;
	const int fd = dial(f->mssim + 1);

	assert_int_equal(next_event(f), 'O');
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		put_word(fd, steps[i].number);
		assert_int_equal(get_word(fd), 0);
		for (const char *e = steps[i].events; *e; e++)
			assert_int_equal(next_event(f), *e);
	}
	put_word(fd, MSSIM_STOP);
	assert_int_equal(next_event(f), 'C'); /* nothing else happened in between */
	close(fd);
}

static void a_tpm_without_power_answers_an_empty_response(void **state)
{
	struct fixture *f = *state;
	const int commands = dial(f->mssim), platform = dial(f->mssim + 1);

	put_word(platform, MSSIM_SIGNAL_POWER_OFF);
	assert_int_equal(get_word(platform), 0);
	mssim_put_command(commands, 0, 12, 1, 0);
	assert_int_equal(get_word(commands), 0); /* size */
	assert_int_equal(get_word(commands), 0); /* acknowledgement */
	close(commands);
	close(platform);
}

static void the_simulator_protocol_serves_every_locality_that_there_is(void **state)
{
	static const uint8_t good[] = {0, 1, 2, 3, 4, 32, 255}, bad[] = {5, 31};
	struct fixture *f = *state;
	const int fd = dial(f->mssim);

	for (size_t i = 0; i < sizeof good; i++) {
		mssim_put_command(fd, good[i], 10, FAKE_LOCALITY, 0);
		assert_int_equal(get_word(fd), 10);
		assert_answer(fd, 10, good[i], 0);
		assert_int_equal(get_word(fd), 0);
	}
	for (size_t i = 0; i < sizeof bad; i++) {
		mssim_put_command(fd, bad[i], 10, FAKE_LOCALITY, 0);
		assert_int_equal(get_word(fd), 10);
		assert_answer(fd, 10, 0x907, 0);
		assert_int_equal(get_word(fd), 0);
	}
	close(fd);
}

static void hash_data_longer_than_any_command_arrives_in_pieces_with_one_answer(void **state)
{
	struct fixture *f = *state;
	const int fd = dial(f->mssim);
	static const uint8_t data[10000];
	size_t pieces = 0;
	char letter;

	put_word(fd, MSSIM_SIGNAL_HASH_START);
	assert_int_equal(get_word(fd), 0);
	put_word(fd, MSSIM_SIGNAL_HASH_DATA);
	put_word(fd, sizeof data);
	put(fd, data, sizeof data);
	assert_int_equal(get_word(fd), 0);
	put_word(fd, MSSIM_SIGNAL_HASH_DATA);
	put_word(fd, 0);
	assert_int_equal(get_word(fd), 0);
	put_word(fd, MSSIM_SIGNAL_HASH_END);
	assert_int_equal(get_word(fd), 0);
	assert_int_equal(next_event(f), 'O');
	assert_int_equal(next_event(f), 'h');
	while ((letter = next_event(f)) == 'd')
		pieces++;
	assert_int_equal(letter, 'e');
	assert_true(pieces >= 3); /* 10,000 bytes, at most 4,096 at once */
	close(fd);
}

static void handshake_and_capabilities_answer_as_the_simulator_does(void **state)
{
	struct fixture *f = *state;
	const int commands = dial(f->mssim), platform = dial(f->mssim + 1);

	put_word(commands, MSSIM_REMOTE_HANDSHAKE);
	put_word(commands, 1);
	assert_int_equal(get_word(commands), 1);
	assert_int_equal(get_word(commands), 0x45);
	assert_int_equal(get_word(commands), 0);

	mssim_put_command(commands, 0, 200, 0x17B, 0);
	get_word(commands);
	assert_answer(commands, 200, 0, 0);
	get_word(commands);
	put_word(platform, MSSIM_GET_COMMAND_RESPONSE_SIZES);
	assert_int_equal(get_word(platform), 16);
	assert_int_equal(get_word(platform), 200);
	assert_int_equal(get_word(platform), 0x17B);
	assert_int_equal(get_word(platform), 200);
	assert_int_equal(get_word(platform), 0x17B);
	assert_int_equal(get_word(platform), 0);

	put_word(platform, MSSIM_ACT_GET_SIGNALED);
	put_word(platform, 0x40000110);
	assert_int_equal(get_word(platform), 0);
	assert_int_equal(get_word(platform), 0);

	put_word(commands, MSSIM_SESSION_END);
	assert_closed(commands);
	put_word(platform, MSSIM_SESSION_END);
	assert_closed(platform);
	close(commands);
	close(platform);
}

static void what_the_simulator_does_not_know_is_refused_with_1_and_closed(void **state)
{
	static const struct {
		unsigned port;
		uint32_t number;
	} unknown[] = {{0, 0},
		       {0, MSSIM_SIGNAL_POWER_ON},
		       {1, MSSIM_SEND_COMMAND},
		       {1, 19},
		       {0, 0xFFFFFFFF},
		       {1, 0x80010000}};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
		const int fd = dial(f->mssim + unknown[i].port);

		put_word(fd, unknown[i].number);
		assert_int_equal(get_word(fd), 1);
		assert_closed(fd);
		close(fd);
	}
}

static void a_simulator_command_beyond_the_buffer_is_answered_and_closed(void **state)
{
	struct fixture *f = *state;
	const int fd = dial(f->mssim);

	put_word(fd, MSSIM_SEND_COMMAND);
	put(fd, "", 1);
	put_word(fd, 0xFFFFFFFF);
	assert_int_equal(get_word(fd), 10);
	assert_answer(fd, 10, 0x142, 0);
	assert_int_equal(get_word(fd), 0);
	assert_closed(fd);
	close(fd);
}

/* ---- page ---- */

static void a_page_that_is_made_is_private_and_its_machine_new(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	start(f, f->page, false);
	assert_int_equal(stat(f->page, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 2 << 20);
	assert_non_null(strstr(f->line, "waits for TPM2_Startup"));
	assert_int_equal(next_event(f), 'O');
	kill(f->pid, SIGTERM);
	assert_int_equal(next_event(f), 'C');
}

static void a_page_that_was_there_fails_until_the_platform_resets(void **state)
{
	struct fixture *f = *state;

	start(f, f->page, false);
	kill(f->pid, SIGKILL);
	wait_for_end(f);
	/* A guest may have zeroed it: that must not make it new. */
	FILE *zero = fopen(f->page, "r+");
	const uint8_t zeros[4096] = {0};
	assert_non_null(zero);
	assert_int_equal(fwrite(zeros, 1, sizeof zeros, zero), sizeof zeros);
	fclose(zero);
	close(f->events);
	close(f->ready);

	start(f, f->page, false);
	assert_non_null(strstr(f->line, "failure mode"));
	assert_int_equal(next_event(f), 'O');
	assert_int_equal(next_event(f), 'F');
	const int fd = dial(f->tcp), platform = dial(f->mssim + 1);

	put_command(fd, 10, 1, 0);
	assert_answer(fd, 10, 0x101, 0);
	assert_int_equal(next_event(f), 'X');
	put_word(platform, MSSIM_SIGNAL_RESET);
	assert_int_equal(get_word(platform), 0);
	assert_int_equal(next_event(f), 'R');
	put_command(fd, 10, 1, 0);
	assert_answer(fd, 10, 0, 0);
	close(fd);
	close(platform);
}

static void a_page_that_was_there_serves_a_new_machine_when_told(void **state)
{
	struct fixture *f = *state;

	start(f, f->page, false);
	kill(f->pid, SIGTERM);
	assert_int_equal(wait_for_end(f), 0);
	close(f->events);
	close(f->ready);

	start(f, f->page, true);
	assert_non_null(strstr(f->line, "waits for TPM2_Startup"));
}

/* The registers of locality 0, and its data buffer, as a guest has them. */
static volatile uint32_t *guest_page(const struct fixture *f)
{
	const int fd = open(f->page, O_RDWR);
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_true(memory != MAP_FAILED);
	close(fd);
	return memory;
}

enum { LOC_CTRL = 0x08, CTRL_REQ = 0x40, CTRL_START = 0x4C, DATA = 0x80 };

/* Writes a request and waits until the server has taken it. */
static void guest_request(volatile uint32_t *page, unsigned offset, uint32_t value)
{
	const struct timespec pause = {.tv_nsec = 100000};

	__atomic_store_n(&page[offset / 4], value, __ATOMIC_SEQ_CST);
	for (int looks = 0; __atomic_load_n(&page[offset / 4], __ATOMIC_SEQ_CST) != 0; looks++) {
		assert_true(looks < LIMIT_MS * 10);
		nanosleep(&pause, NULL);
	}
}

static void guest_write(volatile uint32_t *page, uint32_t len, uint32_t code, uint8_t fill)
{
	uint8_t command[64];

	make_command(command, len, code, fill);
	memcpy((uint8_t *)(uintptr_t)page + DATA, command, len);
}

static void a_command_that_another_machine_left_is_not_run_for_a_new_one(void **state)
{
	struct fixture *f = *state;

	start(f, f->page, false);
	kill(f->pid, SIGKILL);
	wait_for_end(f);
	close(f->events);
	close(f->ready);
	volatile uint32_t *page = guest_page(f);

	guest_write(page, 12, 1, 0xAA);
	page[CTRL_START / 4] = 1;
	start(f, f->page, true);
	assert_int_equal(next_event(f), 'O');
	assert_int_equal(page[CTRL_START / 4], 0);
	assert_int_equal(((volatile uint8_t *)page)[DATA + 10], 0);
	kill(f->pid, SIGTERM);
	assert_int_equal(next_event(f), 'C'); /* and no X before it */
	munmap((void *)(uintptr_t)page, 4096);
}

static void a_command_after_an_aborted_one_gets_its_own_answer(void **state)
{
	struct fixture *f = *state;

	start(f, f->page, false);
	assert_int_equal(next_event(f), 'O');
	volatile uint32_t *page = guest_page(f);

	for (uint8_t n = 1; n < 100; n++) {
		uint8_t answer[20];

		guest_request(page, LOC_CTRL, 1);
		guest_request(page, CTRL_REQ, 1);
		guest_write(page, 20, FAKE_SLOW, n);
		page[CTRL_START / 4] = 1;
		assert_int_equal(next_event(f), 'X');
		guest_request(page, LOC_CTRL, 2); /* gives up the locality, and its command */
		guest_request(page, LOC_CTRL, 1);
		guest_request(page, CTRL_REQ, 1);
		guest_write(page, 20, 1, n);
		guest_request(page, CTRL_START, 1);
		assert_int_equal(next_event(f), 'X');
		make_command(answer, 20, 0, n);
		assert_memory_equal((uint8_t *)(uintptr_t)page + DATA, answer, 20);
		guest_request(page, CTRL_REQ, 2);
		guest_request(page, LOC_CTRL, 2);
	}
	munmap((void *)(uintptr_t)page, 4096);
}

/* It waits behind another client's command, and is given up before its turn. */
static void an_aborted_command_that_has_not_begun_is_not_run(void **state)
{
	struct fixture *f = *state;
	uint8_t answer[20];

	start(f, f->page, false);
	assert_int_equal(next_event(f), 'O');
	const int commands = dial(f->mssim), platform = dial(f->mssim + 1);
	volatile uint32_t *page = guest_page(f);

	mssim_put_command(commands, 0, 10, FAKE_SLOW, 0);
	assert_int_equal(next_event(f), 'X');
	guest_request(page, LOC_CTRL, 1);
	guest_request(page, CTRL_REQ, 1);
	guest_write(page, 20, 1, 0xAA);
	page[CTRL_START / 4] = 1;
	/* A look that began before START was set may answer the first of these. */
	guest_request(page, CTRL_REQ, 1);
	guest_request(page, CTRL_REQ, 1);
	guest_request(page, LOC_CTRL, 2); /* gives it up */
	guest_request(page, LOC_CTRL, 1);
	guest_request(page, CTRL_REQ, 1);
	guest_write(page, 20, 1, 0xBB);
	page[CTRL_START / 4] = 1;

	put_word(platform, MSSIM_SIGNAL_CANCEL_ON);
	assert_int_equal(get_word(platform), 0);
	assert_int_equal(get_word(commands), 10);
	assert_answer(commands, 10, 0x909, 0);
	assert_int_equal(get_word(commands), 0);
	assert_int_equal(next_event(f), 'X'); /* 0xBB's */
	for (int looks = 0; page[CTRL_START / 4]; looks++) {
		assert_true(looks < LIMIT_MS);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	make_command(answer, 20, 0, 0xBB);
	assert_memory_equal((uint8_t *)(uintptr_t)page + DATA, answer, 20);
	kill(f->pid, SIGTERM);
	assert_int_equal(next_event(f), 'C'); /* and no X before it */
	close(commands);
	close(platform);
	munmap((void *)(uintptr_t)page, 4096);
}

#define RUNNING(test) cmocka_unit_test_setup_teardown(test, set_up_running, tear_down)
#define ALONE(test)   cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUNNING(a_command_sent_byte_by_byte_is_answered),
		RUNNING(commands_sent_at_once_are_answered_in_order),
		RUNNING(a_client_that_sends_half_a_command_holds_up_nobody),
		RUNNING(a_client_that_reads_nothing_holds_up_nobody),
		RUNNING(a_client_that_ends_its_sending_still_gets_its_answer),
		RUNNING(a_size_beyond_the_buffer_is_answered_and_the_client_closed),
		RUNNING(the_raw_protocol_is_locality_0),
		RUNNING(cancel_ends_the_command_of_the_other_port),
		RUNNING(a_held_cancel_line_ends_what_begins_under_it_until_it_is_released),
		RUNNING(a_client_that_goes_away_leaves_its_command_and_the_next_is_served),
		RUNNING(sigterm_ends_the_running_command_answers_it_and_closes),
		RUNNING(a_second_sigterm_ends_at_once),
		RUNNING(stop_ends_the_process),
		RUNNING(power_and_reset_reach_the_instance_only_when_they_change_something),
		RUNNING(a_tpm_without_power_answers_an_empty_response),
		RUNNING(the_simulator_protocol_serves_every_locality_that_there_is),
		RUNNING(hash_data_longer_than_any_command_arrives_in_pieces_with_one_answer),
		RUNNING(handshake_and_capabilities_answer_as_the_simulator_does),
		RUNNING(what_the_simulator_does_not_know_is_refused_with_1_and_closed),
		RUNNING(a_simulator_command_beyond_the_buffer_is_answered_and_closed),
		ALONE(a_page_that_is_made_is_private_and_its_machine_new),
		ALONE(a_page_that_was_there_fails_until_the_platform_resets),
		ALONE(a_page_that_was_there_serves_a_new_machine_when_told),
		ALONE(a_command_that_another_machine_left_is_not_run_for_a_new_one),
		ALONE(a_command_after_an_aborted_one_gets_its_own_answer),
		ALONE(an_aborted_command_that_has_not_begun_is_not_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
