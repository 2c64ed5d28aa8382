/*
 * The differential tester's program.
 *
 *   differential --seed N --commands N      run, and say what differs
 *   differential --replay FILE              a sequence that was printed
 *   differential --survey ...               go on after a difference; at the end all kinds
 *   differential --trace ...                tell every command; --bytes: and its bytes
 *
 * Without arguments it is a test: TAP, twenty thousand commands, and that a falsified
 * answer is found and cut down.
 */
#include "sequence.h"

#include <stdlib.h>
#include <unistd.h>

#define TEST_SEED     20
#define TEST_COMMANDS 20000

struct options {
	uint64_t seed;
	unsigned long commands;
	const char *replay;
	bool survey, trace, bytes, tap;
};

static int usage(const char *program)
{
	fprintf(stderr,
		"usage: %s [--seed N] [--commands N] [--survey] [--trace] [--bytes] [--replay "
		"FILE]\n",
		program);
	return 2;
}

static bool number(const char *text, uint64_t *value)
{
	char *end;

	if (!text || !*text)
		return false;
	*value = strtoull(text, &end, 0);
	return *end == 0;
}

static bool parse(int count, char **arguments, struct options *o)
{
	uint64_t value;

	o->tap = count == 1;
	for (int i = 1; i < count; i++) {
		const char *a = arguments[i], *next = i + 1 < count ? arguments[i + 1] : NULL;

		if (strcmp(a, "--survey") == 0) {
			o->survey = true;
		} else if (strcmp(a, "--trace") == 0) {
			o->trace = true;
		} else if (strcmp(a, "--bytes") == 0) {
			o->trace = o->bytes = true;
		} else if (strcmp(a, "--replay") == 0 && next) {
			o->replay = next;
			i++;
		} else if (strcmp(a, "--seed") == 0 && number(next, &value)) {
			o->seed = value;
			i++;
		} else if (strcmp(a, "--commands") == 0 && number(next, &value) && value) {
			o->commands = (unsigned long)value;
			i++;
		} else {
			return false;
		}
	}
	return true;
}

/* ---- what was run ---- */

static void tell_coverage(const struct world *w)
{
	unsigned commands_run = 0;

	printf("# %lu commands, %.1f%% succeeded\n", w->commands,
	       100.0 * (double)w->succeeded / (double)(w->commands ? w->commands : 1));
	for (size_t i = 0; i < command_count; i++) {
		const unsigned long *n = w->by_command[commands[i]->code];

		commands_run += n[0] > 0;
		printf("#   %-28s %7lu, %7lu succeeded\n", commands[i]->name, n[0], n[1]);
	}
	printf("# %u of %zu commands; response codes:", commands_run, command_count);
	for (size_t i = 0; i < sizeof w->by_code / sizeof *w->by_code && w->by_code[i].count; i++)
		printf(" %03x:%lu", w->by_code[i].rc, w->by_code[i].count);
	printf("\n# explained differences:\n");
	tell_explained(w);
}

/* ---- kinds of differences, for a survey ---- */

#define MAX_KINDS 400
static struct {
	char signature[160];
	unsigned long count;
	uint64_t seed; /* of the first such sequence */
} kinds[MAX_KINDS];

static void note_kind(const struct world *w, uint64_t seed)
{
	for (size_t i = 0; i < MAX_KINDS; i++)
		if (!kinds[i].count || strcmp(kinds[i].signature, w->signature) == 0) {
			if (!kinds[i].count++) {
				kinds[i].seed = seed;
				snprintf(kinds[i].signature, sizeof kinds[i].signature, "%s",
					 w->signature);
				printf("new: sequence %#llx: [%s] %s\n", (unsigned long long)seed,
				       w->operation, w->difference);
				fflush(stdout);
			}
			return;
		}
}

/* ---- running ---- */

static bool one_sequence(struct world *w, const struct options *o, struct sequence *s)
{
	sequence_run(w, s);
	if (!w->differs)
		return true;
	if (o->survey) {
		note_kind(w, s->seed);
		return true;
	}
	printf("# sequence %#llx: [%s] %s\n", (unsigned long long)s->seed, w->operation,
	       w->difference);
	sequence_shrink(w, s);
	printf("# cut down to %zu steps; run again with --replay on these lines:\n", s->count);
	sequence_print(s, stdout, o->tap ? "# " : "");
	w->trace = stdout;
	sequence_run(w, s);
	w->trace = NULL;
	return false;
}

static int replay(struct world *w, const struct options *o)
{
	static struct sequence s;
	FILE *file = fopen(o->replay, "r");

	if (!file || !sequence_read(&s, file)) {
		fprintf(stderr, "%s: cannot be read as a sequence of steps\n", o->replay);
		return 2;
	}
	fclose(file);
	w->trace = stdout;
	sequence_run(w, &s);
	printf("%s\n", w->differs ? w->difference : "no difference");
	return w->differs;
}

static bool run(struct world *w, const struct options *o)
{
	static struct sequence s;
	bool fine = true;

	w->trace = o->trace ? stdout : NULL;
	for (uint64_t n = 0; fine && w->commands < o->commands; n++) {
		sequence_make(&s, o->commands == 1 ? o->seed : sequence_seed(o->seed, n));
		fine = one_sequence(w, o, &s);
		if (isatty(1) && !o->trace)
			printf("\r%lu", w->commands), fflush(stdout);
	}
	return fine;
}

/* An answer of the native engine is falsified: the tester must find that, and the steps that
 * have nothing to do with it must go. */
static bool finds_falsehood(struct world *w)
{
	static struct sequence s;
	bool found = false;

	w->corrupt = true;
	for (uint64_t n = 0; n < 50 && !found; n++) {
		sequence_make(&s, sequence_seed(7, n));
		sequence_run(w, &s);
		found = w->differs;
	}
	if (found) {
		sequence_shrink(w, &s);
		sequence_run(w, &s);
		found = w->differs;
	}
	w->corrupt = false;
	printf("# %zu steps are left of it\n", s.count);
	return found && s.count <= 3;
}

int main(int count, char **arguments)
{
	static struct world w;
	struct options o = {.seed = TEST_SEED, .commands = TEST_COMMANDS};
	bool fine;

	if (!parse(count, arguments, &o))
		return usage(arguments[0]);
	w.bytes = o.bytes;
	if (o.replay)
		return replay(&w, &o);
	if (o.tap) {
		printf("1..2\n");
		fine = finds_falsehood(&w);
		printf("%s 1 - a falsified answer is found, and its sequence cut down\n",
		       fine ? "ok" : "not ok");
		memset(&w, 0, sizeof w);
	}
	fine = run(&w, &o);
	tell_coverage(&w);
	for (size_t i = 0; i < MAX_KINDS && kinds[i].count; i++)
		printf("%6lu  %#18llx  %s\n", kinds[i].count, (unsigned long long)kinds[i].seed,
		       kinds[i].signature);
	if (o.tap)
		printf("%s 2 - %d commands give the same answers on both engines\n",
		       fine ? "ok" : "not ok", TEST_COMMANDS);
	return !fine;
}
