/*
 * The native engine beside others, in one run. How to read it: docs/bench.md.
 *
 * usage: bench-engine [--json FILE] [--full] [--only OPERATION] CVTPM
 */
#include "engine.h"

#include "cvtpm/engine.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CVTPM, SWTPM, INSIDE, LIBTPMS, FSYNC, PEERS, ECHO = PEERS, PRIMITIVE, COLUMNS };

static const char *const column_names[COLUMNS] = {"cvtpm", "swtpm", "native",   "libtpms",
						  "fsync", "echo",  "primitive"};

#define PROVISIONING_TARGET 20.0

struct result {
	double median_us, p99_us, mean_us; /* 0: not measured */
};

struct bench {
	struct peer peer[PEERS + 1], provisioned;
	struct trial trial[PEERS];
	unsigned rounds, slow_rounds, provisionings;
	FILE *json;
	const char *only;
	struct result result[64][COLUMNS];
};

void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("bench-engine: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(2);
}

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	interrupted = number;
}

/* ---- one call ---- */

static uint64_t call_peer(struct bench *b, const struct operation *o, int n, unsigned call)
{
	struct peer *p = &b->peer[n];
	struct trial *t = &b->trial[n];
	uint8_t response[MESSAGE_SIZE];

	if (o->vary) {
		o->vary(t, call);
		trial_encode(t);
	}
	const uint64_t begin = now_ns();
	const size_t len = peer_transact(p, t->bytes, t->len, response);
	const uint64_t taken = now_ns() - begin;

	if (response[6] || response[7] || response[8] || response[9])
		fail("%s: %s: 0x%02X%02X%02X%02X", p->name, o->name, response[6], response[7],
		     response[8], response[9]);
	if (t->command->flags & CC_RHANDLE) {
		struct FlushContext_in flush = {0};

		if (len < 14)
			fail("%s: %s: no handle", p->name, o->name);
		for (int i = 10; i < 14; i++)
			flush.flushHandle = flush.flushHandle << 8 | response[i];
		PEER_RUN(p, FlushContext, &flush, NULL);
	}
	return taken;
}

static uint64_t call_echo(struct bench *b)
{
	uint8_t response[MESSAGE_SIZE];
	const uint64_t begin = now_ns();

	peer_transact(&b->peer[ECHO], b->trial[CVTPM].bytes, b->trial[CVTPM].len, response);
	return now_ns() - begin;
}

static uint64_t call(struct bench *b, const struct operation *o, int column, unsigned n)
{
	if (interrupted)
		fail("interrupted"); /* and peers end, and their folders go */
	if (column < PEERS)
		return call_peer(b, o, column, n);
	if (column == ECHO)
		return call_echo(b);
	const uint64_t begin = now_ns();

	o->primitive(o->curve);
	return now_ns() - begin;
}

static bool takes_part(const struct operation *o, int column)
{
	switch (column) {
	case FSYNC:
		return strncmp(o->name, "NV_Write", 8) == 0;
	case ECHO:
		return o->target == 1;
	case PRIMITIVE:
		return o->primitive != NULL;
	default:
		return true;
	}
}

/* ---- rounds ---- */

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void least(double *a, double b)
{
	if (*a == 0 || b < *a)
		*a = b;
}

/* The least of the rounds' medians counts, and the least of their p99; of keys the mean of
 * all, for the time that each takes is drawn by lot. */
static void take_round(struct result *r, uint64_t *ns, unsigned count, unsigned round)
{
	double sum = 0;

	qsort(ns, count, sizeof *ns, by_size);
	for (unsigned i = 0; i < count; i++)
		sum += (double)ns[i] / 1000;
	r->mean_us += (sum / count - r->mean_us) / (round + 1);
	least(&r->median_us, (double)ns[count / 2] / 1000);
	least(&r->p99_us, (double)ns[(count - 1) * 99 / 100] / 1000);
}

static void measure(struct bench *b, const struct operation *o, struct result result[COLUMNS])
{
	const unsigned rounds = o->slow ? b->slow_rounds : b->rounds;
	uint64_t *ns = calloc(o->calls, sizeof *ns);

	if (!ns)
		fail("no memory");
	for (int n = 0; n < PEERS; n++)
		if (takes_part(o, n))
			o->prepare(&b->peer[n], &b->trial[n], o->curve);
	for (unsigned round = 0; round < rounds; round++)
		for (int i = 0; i < COLUMNS; i++) {
			const int column = (int)((round + (unsigned)i) % COLUMNS);

			if (!takes_part(o, column))
				continue;
			for (unsigned n = 0; n < o->calls; n++)
				ns[n] = call(b, o, column, round * o->calls + n);
			take_round(&result[column], ns, o->calls, round);
		}
	for (int n = 0; n < PEERS; n++)
		if (takes_part(o, n))
			peer_flush_all(&b->peer[n]);
	free(ns);
}

/* ---- words and numbers ---- */

static double value(const struct operation *o, const struct result *r)
{
	return o->slow ? r->mean_us : r->median_us;
}

static void say_time(double us)
{
	if (us == 0)
		printf(" %9s", "-");
	else if (us < 1000)
		printf(" %9.2f", us);
	else
		printf(" %9.0f", us);
}

static void say_head(void)
{
	printf("%-25s %9s %9s %7s %7s %9s %9s %9s %9s %9s\n", "microseconds", "cvtpm", "swtpm",
	       "ratio", "target", "p99", "in-proc.", "libtpms", "echo", "primitive");
}

static void say(const struct operation *o, const struct result result[COLUMNS])
{
	const double ours = value(o, &result[CVTPM]), theirs = value(o, &result[SWTPM]);

	printf("%-25s", o->name);
	say_time(ours);
	say_time(theirs);
	printf(" %6.1fx", theirs / ours);
	if (o->target > 0)
		printf(" %5.1fx%s", o->target, theirs / ours < o->target ? "!" : " ");
	else
		printf(" %7s", "");
	say_time(result[CVTPM].p99_us);
	say_time(value(o, &result[INSIDE]));
	say_time(value(o, &result[LIBTPMS]));
	say_time(value(o, &result[ECHO]));
	say_time(value(o, &result[PRIMITIVE]));
	printf("\n");
	if (result[FSYNC].median_us > 0)
		printf("%-25s %9.1f  on this folder's disk, with fsync\n", "",
		       result[FSYNC].median_us);
	fflush(stdout);
}

static void put_json(FILE *f, const struct operation *o, const struct result result[COLUMNS])
{
	fprintf(f, "{\"operation\":\"%s\",\"ratio\":%.2f,\"target\":%.1f,\"us\":{", o->name,
		value(o, &result[SWTPM]) / value(o, &result[CVTPM]), o->target);
	for (int n = 0, any = 0; n < COLUMNS; n++) {
		const struct result *r = &result[n];

		if (r->median_us == 0)
			continue;
		fprintf(f, "%s\"%s\":{\"median\":%.3f,\"p99\":%.3f,\"mean\":%.3f}",
			any++ ? "," : "", column_names[n], r->median_us, r->p99_us, r->mean_us);
	}
	fprintf(f, "}}\n");
}

/* ---- provisioning ---- */

/* From nothing to a TPM with EKs and certificates, and until a server gives its first answer. */
struct provisioning {
	const char *name, *eks;            /* of cvtpm; NULL: its default */
	bool by_swtpm_too;                 /* whose swtpm_setup always makes RSA 2048 and P-384 */
	double made_ms[2], answered_ms[2]; /* means: cvtpm, swtpm */
};

static void provision(struct peer *p, double *made_ms, double *answered_ms, unsigned round)
{
	*made_ms += ((double)p->provisioned_ns / 1e6 - *made_ms) / (round + 1);
	*answered_ms += ((double)p->first_answer_ns / 1e6 - *answered_ms) / (round + 1);
	peer_close(p);
}

static void say_provisioning(struct bench *b, const struct provisioning *p)
{
	printf("%-33s %9.1f %9.1f", p->name, p->made_ms[0], p->answered_ms[0]);
	if (p->by_swtpm_too)
		printf(" %9.1f %9.1f %6.1fx %5.1fx%s", p->made_ms[1], p->answered_ms[1],
		       p->answered_ms[1] / p->answered_ms[0], PROVISIONING_TARGET,
		       p->answered_ms[1] / p->answered_ms[0] < PROVISIONING_TARGET ? "!" : "");
	printf("\n");
	if (b->json)
		fprintf(b->json,
			"{\"provisioning\":\"%s\",\"ms\":{\"cvtpm\":%.1f,\"cvtpm_answer\":%.1f,"
			"\"swtpm\":%.1f,\"swtpm_answer\":%.1f}}\n",
			p->name, p->made_ms[0], p->answered_ms[0], p->made_ms[1],
			p->answered_ms[1]);
}

static void measure_provisioning(struct bench *b, const char *program, const char *where)
{
	struct provisioning kinds[] = {
		{"the EKs that each makes", NULL, true, {0}, {0}},
		{"RSA 2048 and P-384", "rsa2048,p384", true, {0}, {0}},
		{"P-384", "p384", false, {0}, {0}},
	};
	const size_t count = sizeof kinds / sizeof *kinds;
	struct peer *peer = &b->provisioned;

	for (unsigned round = 0; round < b->provisionings; round++)
		for (size_t i = 0; i < count; i++) {
			struct provisioning *p = &kinds[i];

			if (interrupted)
				fail("interrupted");
			peer_open_cvtpm(peer, "cvtpm", program, where, p->eks);
			provision(peer, &p->made_ms[0], &p->answered_ms[0], round);
			if (!p->by_swtpm_too)
				continue;
			peer_open_swtpm(peer, "swtpm", where);
			provision(peer, &p->made_ms[1], &p->answered_ms[1], round);
		}
	printf("\n%-33s %9s %9s %9s %9s %7s %6s\n", "provisioning, milliseconds", "cvtpm", "answer",
	       "swtpm", "answer", "ratio", "target");
	for (size_t i = 0; i < count; i++)
		say_provisioning(b, &kinds[i]);
}

static void say_first_answers(struct bench *b)
{
	const double ours = (double)b->peer[INSIDE].first_answer_ns / 1e6;
	const double theirs = (double)b->peer[LIBTPMS].first_answer_ns / 1e6;

	printf("\na new engine's first answer in this process: native %.2f ms, libtpms %.2f ms\n",
	       ours, theirs);
	if (b->json)
		fprintf(b->json, "{\"first_answer_ms\":{\"native\":%.3f,\"libtpms\":%.3f}}\n", ours,
			theirs);
}

static void say_memory(struct bench *b, size_t fresh)
{
	const struct memory ours = memory_of(b->peer[CVTPM].pid);
	const struct memory theirs = memory_of(b->peer[SWTPM].pid);

	printf("memory of the servers, resident (written by it): cvtpm %lu (%lu, %lu of them its "
	       "TPM) KiB, swtpm %lu (%lu) KiB\n",
	       ours.resident, ours.own, ours.tpm, theirs.resident, theirs.own);
	printf("an instance of the native engine: %zu KiB, resident when new %zu, now %zu\n",
	       b->peer[INSIDE].memory_size / 1024, fresh / 1024,
	       peer_resident(&b->peer[INSIDE]) / 1024);
	if (b->json)
		fprintf(b->json,
			"{\"memory_kib\":{\"cvtpm\":%lu,\"cvtpm_own\":%lu,\"cvtpm_tpm\":%lu,"
			"\"swtpm\":%lu,"
			"\"swtpm_own\":%lu,\"instance\":%zu,\"instance_new\":%zu}}\n",
			ours.resident, ours.own, ours.tpm, theirs.resident, theirs.own,
			b->peer[INSIDE].memory_size / 1024, fresh / 1024);
}

/* ---- the whole ---- */

/* State without fsync: in memory that the kernel keeps when a process dies. Where there is no
 * /dev/shm, the disk, and then our figures are with fsync and swtpm's without. */
static const char *fast_folder(void)
{
	if (access("/dev/shm", W_OK) == 0)
		return "/dev/shm";
	printf("no /dev/shm: NV_Write of cvtpm is with fsync, swtpm's is not\n");
	return "/tmp";
}

static void parse(struct bench *b, int argc, char **argv, const char **program)
{
	b->rounds = 9;
	b->slow_rounds = 8;
	b->provisionings = 5;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--full") == 0) {
			b->rounds = 25;
			b->slow_rounds = 100;
			b->provisionings = 25;
		} else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
			b->json = fopen(argv[++i], "w");
			if (!b->json)
				fail("%s cannot be written", argv[i]);
		} else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
			b->only = argv[++i];
		} else if (argv[i][0] != '-' && !*program) {
			*program = argv[i];
		} else {
			*program = NULL;
			break;
		}
	}
	if (!*program)
		fail("usage: bench-engine [--json FILE] [--full] [--only OPERATION] CVTPM");
}

static struct bench bench;

static void close_peers(void)
{
	for (int n = 0; n <= ECHO; n++)
		peer_close(&bench.peer[n]);
	peer_close(&bench.provisioned);
}

int main(int argc, char **argv)
{
	struct bench *b = &bench;
	const char *program = NULL;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, interrupt);
	signal(SIGTERM, interrupt);
	for (int n = 0; n <= ECHO; n++)
		b->peer[n].fd = -1;
	b->provisioned.fd = -1;
	parse(b, argc, argv, &program);
	atexit(close_peers);
	primitives_begin();
	const char *fast = fast_folder();

	peer_open_echo(&b->peer[ECHO], "echo");
	peer_open_cvtpm(&b->peer[CVTPM], "cvtpm", program, fast, NULL);
	peer_open_swtpm(&b->peer[SWTPM], "swtpm", fast);
	peer_open_cvtpm(&b->peer[FSYNC], "cvtpm with fsync", program, ".", NULL);
	peer_open_inside(&b->peer[INSIDE], "native", &cvtpm_engine_native);
	const size_t fresh = peer_resident(&b->peer[INSIDE]);

	peer_open_inside(&b->peer[LIBTPMS], "libtpms", &cvtpm_engine_libtpms);
	say_head();
	for (size_t i = 0; i < operation_count; i++) {
		const struct operation *o = &operations[i];

		if (b->only && !strstr(o->name, b->only))
			continue;
		measure(b, o, b->result[i]);
		say(o, b->result[i]);
		if (b->json)
			put_json(b->json, o, b->result[i]);
	}
	if (!b->only || strcmp(b->only, "provisioning") == 0)
		measure_provisioning(b, program, fast);
	say_first_answers(b);
	say_memory(b, fresh);
	if (b->json && fclose(b->json) != 0)
		fail("the JSON cannot be written");
	return 0;
}
