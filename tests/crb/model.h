/*
 * A second statement of the CRB interface, for comparison with the machine.
 *
 * Written from the PTP's tables as a table of its own: which event leads from
 * which state to which, and what becomes of the buffer. It shares no line and
 * no header with src/crb. It also counts what the engine must have been asked.
 */
#ifndef CRB_MODEL_H
#define CRB_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define MODEL_BUFFER 3968

enum model_state {
	MODEL_IDLE,
	MODEL_READY,
	MODEL_RECEPTION,
	MODEL_EXECUTION,
	MODEL_COMPLETION,
	MODEL_STATES,
};

struct model {
	/* given */
	bool served[5];
	bool bypass;
	bool sync;                                         /* the engine answers within submit */
	bool (*refuses)(unsigned n);                       /* the engine refuses submission n */
	unsigned (*answer)(unsigned n, uint8_t *response); /* its answer to submission n */

	/* of the interface */
	enum model_state state;
	int active; /* -1: none */
	bool waits[5], seized[5];
	bool drtm, fatal, hashing;
	uint32_t cancel, int_enable, int_sts;
	uint8_t buffer[MODEL_BUFFER];
	unsigned used;

	/* of the engine */
	bool owed, drop, told;
	unsigned submits, cancels, hash_starts, hash_datas, hash_ends, flag_resets;
	uint8_t submitted[MODEL_BUFFER];
	unsigned submitted_len, submitted_locality, hashed;
};

void model_begin(struct model *m);
void model_reset(struct model *m);
void model_write(struct model *m, uint32_t offset, unsigned size, uint64_t value);
uint8_t model_read(const struct model *m, uint32_t offset);
/* The engine's answer to the last submission is given. */
void model_complete(struct model *m);

#endif
