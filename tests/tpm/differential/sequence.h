/* Sequences of steps: made from a seed, played, printed, read, cut down. */
#ifndef CVTPM_TESTS_DIFFERENTIAL_SEQUENCE_H
#define CVTPM_TESTS_DIFFERENTIAL_SEQUENCE_H

#include "world.h"

#define MAX_STEPS 120

struct step {
	const struct operation *operation;
	uint64_t seed;
};

struct sequence {
	uint64_t seed;
	size_t count;
	struct step steps[MAX_STEPS];
};

uint64_t sequence_seed(uint64_t seed, uint64_t n); /* of the n-th sequence of a run */
void sequence_make(struct sequence *s, uint64_t seed);
/** Plays it on fresh TPMs, up to the first difference: w->differs, w->difference. */
void sequence_run(struct world *w, const struct sequence *s);
/** Leaves out steps as long as it shows the same kind of difference. */
void sequence_shrink(struct world *w, struct sequence *s);
void sequence_print(const struct sequence *s, FILE *out, const char *prefix);
bool sequence_read(struct sequence *s, FILE *in);

#endif
