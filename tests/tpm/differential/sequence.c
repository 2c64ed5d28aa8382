#include "sequence.h"

#include <inttypes.h>

static const struct operation *const tables[] = {
	operations_power,     operations_object,   operations_key,    operations_session,
	operations_policy,    operations_deferred, operations_nv,     operations_pcr,
	operations_hierarchy, operations_context,  operations_attest, operations_ephemeral};
#define TABLES (sizeof tables / sizeof *tables)

static const struct operation *by_name(const char *name)
{
	for (size_t i = 0; i < TABLES; i++)
		for (const struct operation *o = tables[i]; o->name; o++)
			if (strcmp(o->name, name) == 0)
				return o;
	return NULL;
}

static const struct operation *pick_operation(struct world *w)
{
	uint32_t total = 0, n;

	for (size_t i = 0; i < TABLES; i++)
		for (const struct operation *o = tables[i]; o->name; o++)
			total += o->weight;
	n = pick(w, total);
	for (size_t i = 0; i < TABLES; i++)
		for (const struct operation *o = tables[i]; o->name; o++) {
			if (n < o->weight)
				return o;
			n -= o->weight;
		}
	return tables[0];
}

uint64_t sequence_seed(uint64_t seed, uint64_t n)
{
	return (seed << 32) + n;
}

void sequence_make(struct sequence *s, uint64_t seed)
{
	static struct world w; /* for its generator */

	w.random = seed;
	s->seed = seed;
	s->count = MAX_STEPS;
	for (size_t i = 0; i < s->count; i++) {
		s->steps[i].operation = pick_operation(&w);
		pick_bytes(&w, &s->steps[i].seed, sizeof s->steps[i].seed);
	}
}

static void run_step(struct world *w, const struct step *step)
{
	w->operation = step->operation->name;
	w->random = step->seed;
	if (w->trace)
		fprintf(w->trace, "%s %016" PRIx64 "\n", step->operation->name, step->seed);
	if (w->stale)
		world_look(w);
	step->operation->run(w);
}

void sequence_run(struct world *w, const struct sequence *s)
{
	world_begin(w);
	for (size_t i = 0; i < s->count && !w->differs && !w->diverged; i++)
		run_step(w, &s->steps[i]);
	world_end(w);
}

/* ---- shrinking: delta debugging by halves, quarters, ... single steps ---- */

static bool still_differs(struct world *w, const struct sequence *s, const char *signature)
{
	for (unsigned tries = 0; tries < 2; tries++) { /* what a TPM draws at random may matter */
		sequence_run(w, s);
		if (w->differs && strcmp(w->signature, signature) == 0)
			return true;
	}
	return false;
}

static void without(const struct sequence *s, size_t from, size_t count, struct sequence *out)
{
	*out = *s;
	out->count = s->count - count;
	memmove(&out->steps[from], &s->steps[from + count],
		(s->count - from - count) * sizeof *s->steps);
}

void sequence_shrink(struct world *w, struct sequence *s)
{
	static struct sequence shorter;
	char signature[sizeof w->signature];

	memcpy(signature, w->signature, sizeof signature);
	for (size_t part = s->count / 2; part; part /= 2)
		for (size_t from = 0; from + part <= s->count;) {
			without(s, from, part, &shorter);
			if (still_differs(w, &shorter, signature))
				*s = shorter;
			else
				from += part;
		}
}

/* ---- as text ---- */

void sequence_print(const struct sequence *s, FILE *out, const char *prefix)
{
	for (size_t i = 0; i < s->count; i++)
		fprintf(out, "%s%s %016" PRIx64 "\n", prefix, s->steps[i].operation->name,
			s->steps[i].seed);
}

bool sequence_read(struct sequence *s, FILE *in)
{
	char line[200], name[60];
	uint64_t seed;

	s->count = 0;
	while (fgets(line, sizeof line, in)) {
		const char *at = line[0] == '#' ? line + 1 : line;
		const struct operation *o;

		if (sscanf(at, " %59s %" SCNx64, name, &seed) != 2)
			continue;
		o = by_name(name);
		if (!o || s->count == MAX_STEPS)
			return false;
		s->steps[s->count++] = (struct step){o, seed};
	}
	return s->count > 0;
}
