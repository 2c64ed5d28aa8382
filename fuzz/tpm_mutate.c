/*
 * libFuzzer's mutation of an input, step by step.
 */
#include "tpm_steps.h"

#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *out, size_t max_size, unsigned seed);

struct step {
	uint8_t operation, len;
	uint8_t bytes[255];
};

struct steps {
	unsigned count;
	struct step step[MAX_STEPS];
};

static void read_steps(struct steps *s, const uint8_t *data, size_t size)
{
	struct feed input = {data, size}, own;

	for (s->count = 0; s->count < MAX_STEPS; s->count++) {
		struct step *step = &s->step[s->count];

		if (!next_step(&input, &step->operation, &own))
			return;
		step->len = (uint8_t)own.left;
		memcpy(step->bytes, own.at, own.left);
	}
}

/* What does not fit is left out. */
static size_t write_steps(const struct steps *s, uint8_t *out, size_t capacity)
{
	size_t used = 0;

	for (unsigned n = 0; n < s->count && used + 2 + s->step[n].len <= capacity; n++) {
		out[used++] = s->step[n].operation;
		out[used++] = s->step[n].len;
		memcpy(out + used, s->step[n].bytes, s->step[n].len);
		used += s->step[n].len;
	}
	return used;
}

static unsigned roll(unsigned *seed, unsigned below)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % below;
}

static void remove_step(struct steps *s, unsigned at)
{
	s->count--;
	memmove(&s->step[at], &s->step[at + 1], (s->count - at) * sizeof *s->step);
}

/* Makes room at `at`; the last step goes where there are MAX_STEPS. */
static struct step *insert_step(struct steps *s, unsigned at)
{
	if (s->count < MAX_STEPS)
		s->count++;
	at = at < s->count ? at : s->count - 1;
	memmove(&s->step[at + 1], &s->step[at], (s->count - 1 - at) * sizeof *s->step);
	return &s->step[at];
}

static void insert_random(struct steps *s, unsigned *seed)
{
	struct step *step = insert_step(s, roll(seed, s->count + 1));

	step->operation = (uint8_t)roll(seed, 256);
	step->len = (uint8_t)(8 + roll(seed, 56));
	for (unsigned i = 0; i < step->len; i++) /* zeros are the usual value of most things */
		step->bytes[i] = roll(seed, 3) ? (uint8_t)roll(seed, 256) : 0;
}

static void mutate_bytes(struct step *step)
{
	if (!step->len)
		step->bytes[step->len++] = 0;
	step->len = (uint8_t)LLVMFuzzerMutate(step->bytes, step->len, sizeof step->bytes);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	static struct steps s;
	struct step copy;
	unsigned at;

	read_steps(&s, data, size);
	if (!s.count) {
		insert_random(&s, &seed);
		return write_steps(&s, data, max_size);
	}
	at = roll(&seed, s.count);
	switch (roll(&seed, 16)) {
	case 0:
	case 1:
	case 2:
		insert_random(&s, &seed);
		break;
	case 3:
	case 4:
		if (s.count > 1)
			remove_step(&s, at);
		break;
	case 5:
	case 6:
		copy = s.step[at];
		*insert_step(&s, roll(&seed, s.count + 1)) = copy;
		break;
	case 7: /* to another place */
		copy = s.step[at];
		remove_step(&s, at);
		*insert_step(&s, roll(&seed, s.count + 1)) = copy;
		break;
	case 8:
		s.step[at].operation = (uint8_t)roll(&seed, 256);
		break;
	case 9: /* as it likes, lengths too */
		return LLVMFuzzerMutate(data, size, max_size);
	default:
		mutate_bytes(&s.step[at]);
	}
	return write_steps(&s, data, max_size);
}

/* How one begins, and how another ends. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *out, size_t max_size, unsigned seed)
{
	static struct steps head, tail;
	unsigned from;

	read_steps(&head, a, a_size);
	read_steps(&tail, b, b_size);
	head.count = roll(&seed, head.count + 1);
	from = roll(&seed, tail.count + 1);
	while (head.count < MAX_STEPS && from < tail.count)
		head.step[head.count++] = tail.step[from++];
	return write_steps(&head, out, max_size);
}
