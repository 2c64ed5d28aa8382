/* The peers of bench-engine: engine.h. */
#include "engine.h"

#include "cvtpm/engine.h"
#include "cvtpm/platform.h"
#include "cvtpm/stores.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_LIMIT_MS   60000
#define CONNECT_EVERY_US 100
#define HEADER_SIZE      10

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- in this process ---- */

static int entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	return getrandom(out, len, 0) == (ssize_t)len ? 0 : CVTPM_ERR_ENTROPY;
}

static uint64_t clock_ms(void *context)
{
	(void)context;
	return now_ns() / 1000000;
}

static bool never(void *context)
{
	(void)context;
	return false;
}

static void startup(struct peer *p)
{
	struct Startup_in in = {.startupType = TPM_SU_CLEAR};

	PEER_RUN(p, Startup, &in, NULL);
}

void peer_open_inside(struct peer *p, const char *name, const struct cvtpm_engine *engine)
{
	struct cvtpm_engine_config config = {.buffer_size = MESSAGE_SIZE};
	char message[CVTPM_STORE_MESSAGE_SIZE];
	const uint64_t begin = now_ns();
	bool is_new;

	*p = (struct peer){.name = name, .fd = -1, .engine = engine};
	p->platform = calloc(1, sizeof *p->platform);
	if (!p->platform)
		fail("no memory");
	p->platform->entropy = entropy;
	p->platform->clock_ms = clock_ms;
	p->platform->cancelled = never;
	if (cvtpm_store_memory_open(&p->platform->store, 0, message) < 0)
		fail("%s: %s", name, message);
	if (engine->size) {
		p->memory_size = engine->size();
		p->memory = mmap(NULL, p->memory_size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p->memory == MAP_FAILED)
			fail("%s: no memory", name);
		config.memory = p->memory;
	}
	if (engine->create(&p->tpm, p->platform, &config, &is_new) < 0 ||
	    engine->power_on(p->tpm) < 0)
		fail("%s cannot be made", name);
	startup(p);
	p->first_answer_ns = now_ns() - begin;
}

size_t peer_resident(const struct peer *p)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t pages = (p->memory_size + page - 1) / page;
	unsigned char in_core[1024];
	size_t resident = 0;

	if (pages > sizeof in_core || mincore(p->memory, p->memory_size, in_core) < 0)
		fail("mincore: %s", strerror(errno));
	for (size_t i = 0; i < pages; i++)
		resident += (in_core[i] & 1) * page;
	return resident;
}

/* ---- processes ---- */

static void make_folder(struct peer *p, const char *where)
{
	snprintf(p->dir, sizeof p->dir, "%s/cvtpm-bench-XXXXXX", where);
	if (!mkdtemp(p->dir))
		fail("%s: %s", p->dir, strerror(errno));
}

/* Not by fork(), which copies the page tables of this process and its engines first. */
static pid_t spawn(char *const argv[])
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int err = posix_spawn_file_actions_init(&actions);

	for (int fd = STDOUT_FILENO; !err && fd <= STDERR_FILENO; fd++)
		err = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_WRONLY, 0);
	if (!err)
		err = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	if (err)
		fail("%s: %s", argv[0], strerror(err));
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static void wait_for(const char *what, pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0)
		fail("%s does not work here: wait status 0x%x", what, (unsigned)status);
}

static void connect_to(struct peer *p)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const uint64_t limit = now_ns() + START_LIMIT_MS * 1000000ull;

	snprintf(address.sun_path, sizeof address.sun_path, "%s/sock", p->dir);
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	while (connect(p->fd, (const struct sockaddr *)&address, sizeof address) < 0) {
		if (now_ns() > limit || waitpid(p->pid, NULL, WNOHANG) == p->pid)
			fail("%s does not start", p->name);
		(void)usleep(CONNECT_EVERY_US);
	}
}

static void first_answer(struct peer *p, uint64_t begin)
{
	struct GetRandom_in in = {.bytesRequested = 8};

	PEER_RUN(p, GetRandom, &in, NULL);
	p->first_answer_ns = now_ns() - begin;
}

void peer_open_cvtpm(struct peer *p, const char *name, const char *program, const char *where,
		     const char *eks)
{
	char socket_path[80], state[80];
	const uint64_t begin = now_ns();

	*p = (struct peer){.name = name};
	make_folder(p, where);
	snprintf(socket_path, sizeof socket_path, "%s/sock", p->dir);
	snprintf(state, sizeof state, "%s/state", p->dir);
	wait_for("cvtpm manufacture",
		 spawn((char *[]){(char *)(uintptr_t)program, "manufacture", "--engine", "native",
				  "--state", state, eks ? "--ek" : NULL, (char *)(uintptr_t)eks,
				  NULL}));
	p->provisioned_ns = now_ns() - begin;
	p->pid = spawn((char *[]){(char *)(uintptr_t)program, "serve", "--engine", "native",
				  "--unix", socket_path, "--state", state, "--startup", "clear",
				  NULL});
	connect_to(p);
	first_answer(p, begin);
}

void peer_open_swtpm(struct peer *p, const char *name, const char *where)
{
	char server[96], state[96];
	const uint64_t begin = now_ns();

	*p = (struct peer){.name = name};
	make_folder(p, where);
	wait_for("swtpm_setup (of swtpm-tools)",
		 spawn((char *[]){"swtpm_setup", "--tpm2", "--tpmstate", p->dir, "--create-ek-cert",
				  "--create-platform-cert", "--overwrite", NULL}));
	p->provisioned_ns = now_ns() - begin;
	snprintf(server, sizeof server, "type=unixio,path=%s/sock", p->dir);
	snprintf(state, sizeof state, "dir=%s", p->dir);
	p->pid = spawn((char *[]){"swtpm", "socket", "--tpm2", "--tpmstate", state, "--server",
				  server, "--flags", "not-need-init,startup-clear", NULL});
	connect_to(p);
	first_answer(p, begin);
}

static _Noreturn void echo_main(int fd)
{
	static const uint8_t answer[HEADER_SIZE] = {0x80, 0x01, 0, 0, 0, HEADER_SIZE};
	uint8_t bytes[MESSAGE_SIZE];

	while (read(fd, bytes, sizeof bytes) > 0)
		if (write(fd, answer, sizeof answer) != sizeof answer)
			break;
	_exit(0);
}

void peer_open_echo(struct peer *p, const char *name)
{
	int pair[2];

	*p = (struct peer){.name = name};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		fail("socketpair: %s", strerror(errno));
	p->pid = fork();
	if (p->pid < 0)
		fail("fork: %s", strerror(errno));
	if (p->pid == 0) {
		close(pair[0]);
		echo_main(pair[1]);
	}
	close(pair[1]);
	p->fd = pair[0];
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

void peer_close(struct peer *p)
{
	if (p->engine)
		p->engine->destroy(p->tpm);
	if (p->platform)
		cvtpm_store_close(p->platform->store);
	free(p->platform);
	if (p->memory)
		munmap(p->memory, p->memory_size);
	if (p->fd >= 0)
		close(p->fd);
	if (p->pid) {
		kill(p->pid, SIGTERM);
		waitpid(p->pid, NULL, 0);
	}
	if (p->dir[0])
		(void)nftw(p->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	*p = (struct peer){.fd = -1};
}

struct memory memory_of(pid_t pid)
{
	unsigned long resident = 0, own = 0;
	struct memory m = {0};
	char path[64], line[256];

	snprintf(path, sizeof path, "/proc/%d/smaps", pid);
	FILE *file = fopen(path, "r");

	if (!file)
		fail("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "Rss: %lu kB", &resident) == 1)
			m.resident += resident;
		if (sscanf(line, "Private_Dirty: %lu kB", &own) == 1)
			m.own += own;
		/* The last line of a mapping; dd: MADV_DONTDUMP. */
		if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " dd"))
			m.tpm += own;
	}
	fclose(file);
	return m;
}

/* ---- commands ---- */

static size_t receive(struct peer *p, uint8_t response[MESSAGE_SIZE])
{
	size_t have = 0, want = HEADER_SIZE;

	while (have < want) {
		const ssize_t n = read(p->fd, response + have, MESSAGE_SIZE - have);

		if (n <= 0)
			fail("%s has gone", p->name);
		have += (size_t)n;
		if (have >= HEADER_SIZE)
			want = (size_t)response[4] << 8 | response[5];
	}
	return have;
}

size_t peer_transact(struct peer *p, const uint8_t *command, size_t len,
		     uint8_t response[MESSAGE_SIZE])
{
	size_t response_len = MESSAGE_SIZE;

	if (p->engine) {
		if (p->engine->execute(p->tpm, 0, command, len, response, &response_len) < 0)
			fail("%s is off", p->name);
		return response_len;
	}
	if (write(p->fd, command, len) != (ssize_t)len)
		fail("%s has gone", p->name);
	return receive(p, response);
}

void peer_run(struct peer *p, const struct command *command, const void *in, void *out)
{
	static const struct client_session password = {.handle = TPM_RS_PW,
						       .attributes = TPMA_SESSION_CONTINUESESSION};
	struct client_session sessions[MAX_SESSION_NUM] = {password, password, password};
	const unsigned auths = command_auths(command);
	static const union command_in nothing;
	static union command_out scratch;
	uint8_t bytes[MESSAGE_SIZE], response[MESSAGE_SIZE];
	const size_t len = command_encode(command, in ? in : &nothing, sessions, auths, NULL, bytes,
					  sizeof bytes);
	const size_t response_len = peer_transact(p, bytes, len, response);
	const tpm_rc rc =
		response_decode(command, response, response_len, sessions, auths, &scratch);

	if (rc)
		fail("%s: %s: 0x%03X", p->name, command->name, rc);
	if (out)
		memcpy(out, &scratch, command->out_size);
}
