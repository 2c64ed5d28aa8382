/*
 * The CRB page under a guest and an engine that do what the input says.
 *
 * Byte 0 chooses the configuration; then each step is one byte, with operands
 * after it: stores to the page, polls, answers of the engine, resets. After
 * each step the machine's invariants must hold, after each poll the page must
 * say what the machine says.
 */
#include "crb/registers.h"
#include "cvtpm/crb.h"
#include "cvtpm/err.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

struct world {
	_Alignas(4096) uint8_t memory[5 * 4096]; /* the last page must stay untouched */
	struct cvtpm_crb crb;
	struct cvtpm_crb_page page;
	const uint8_t *input;
	size_t left;
	unsigned localities;
	bool sync, refuse;
	/* the command that is in the engine */
	const uint8_t *given;
	uint8_t command[CVTPM_CRB_BUFFER_SIZE];
	size_t command_len;
	unsigned submits, cancels;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t next(struct world *w)
{
	if (w->left == 0)
		return 0;
	w->left--;
	return *w->input++;
}

static uint32_t next16(struct world *w)
{
	uint32_t high = next(w);

	return high << 8 | next(w);
}

/* Each response carries its command's number, so that a leak shows. */
static void answer(struct world *w)
{
	uint8_t response[64] = {0x80, 0x01, 0, 0, 0, sizeof response};

	CHECK(memcmp(w->given, w->command, w->command_len) == 0);
	memcpy(response + 10, &w->submits, sizeof w->submits);
	CHECK(cvtpm_crb_complete(&w->crb, response, sizeof response) == 0);
}

static int submit(void *context, uint8_t locality, const uint8_t *command, size_t len)
{
	struct world *w = context;

	CHECK(w->localities >> locality & 1);
	CHECK(len >= 10 && len <= CVTPM_CRB_BUFFER_SIZE);
	CHECK(command[2] == 0 && command[3] == 0 && (command[4] << 8 | command[5]) == (int)len);
	w->submits++;
	w->cancels = 0;
	w->given = command;
	memcpy(w->command, command, len);
	w->command_len = len;
	if (w->refuse)
		return CVTPM_ERR_BUSY;
	if (w->sync)
		answer(w);
	return 0;
}

static void cancel(void *context)
{
	struct world *w = context;

	CHECK(++w->cancels == 1); /* at most once for a command */
}

static int reset_established(void *context, uint8_t locality)
{
	(void)context;
	CHECK(locality == 3);
	return 0;
}

static void check_machine(const struct world *w)
{
	const struct cvtpm_crb *crb = &w->crb;

	CHECK(crb->active == CRB_NO_LOCALITY || w->localities >> crb->active & 1);
	CHECK(crb->active != CRB_NO_LOCALITY || crb->state == CVTPM_CRB_IDLE);
	CHECK(crb->extent <= CVTPM_CRB_BUFFER_SIZE);
	CHECK(!crb->discard || crb->in_engine);
	CHECK(crb->state != CVTPM_CRB_EXECUTION || crb->in_engine);
	/* what is shown to the guest answers the last command, and no earlier one */
	if (crb->state == CVTPM_CRB_COMPLETION && crb->extent == 64)
		CHECK(memcmp(crb->buffer + 10, &w->submits, sizeof w->submits) == 0);
}

static void check_page(const struct world *w)
{
	for (uint32_t l = 0; l < 4; l++) {
		const uint8_t *at = w->memory + l * 4096;

		if (!(w->localities >> l & 1))
			continue;
		for (uint32_t offset = 0; offset < TPM_CRB_DATA_BUFFER; offset += 4) {
			uint32_t value;

			memcpy(&value, at + offset, 4);
			CHECK(value == cvtpm_crb_read(&w->crb, l * 4096 + offset, 4));
		}
	}
	for (size_t i = 4 * 4096; i < sizeof w->memory; i++)
		CHECK(w->memory[i] == 0);
}

/* With one thread nothing comes in between, so that polling comes to rest. */
static void poll(struct world *w)
{
	unsigned polls = 0;

	while (cvtpm_crb_page_poll(&w->page))
		CHECK(++polls < 4);
	check_page(w);
}

static void store(struct world *w, uint32_t offset, uint32_t value, size_t len)
{
	if (offset + len <= 4 * 4096)
		memcpy(w->memory + offset, &value, len);
}

static void step(struct world *w)
{
	static const uint8_t requests[] = {TPM_LOC_CTRL, TPM_CRB_CTRL_REQ, TPM_CRB_CTRL_CANCEL,
					   TPM_CRB_CTRL_START};
	uint8_t op = next(w);
	uint32_t page = (op >> 4 & 3) * 4096u;

	switch (op & 15) {
	case 0: /* any byte */
		store(w, next16(w) % (4 * 4096), next(w), 1);
		break;
	case 1: /* any word */
		store(w, next16(w) % (4 * 4096), next16(w) << 16 | next16(w), 4);
		break;
	case 2: /* a request */
	case 3:
	case 4:
		store(w, page + requests[next(w) % 4], next(w), 4);
		break;
	case 5: /* a header with a small size */
		store(w, page + TPM_CRB_DATA_BUFFER + 2, (uint32_t)next(w) << 24, 4);
		break;
	case 6:
		memset(w->memory + page, next(w), 4096);
		break;
	case 7:
		w->refuse = next(w) == 0xff;
		break;
	case 8:
		if (cvtpm_crb_in_engine(&w->crb))
			answer(w);
		break;
	case 9:
		cvtpm_crb_page_reset(&w->page);
		check_page(w);
		break;
	case 10:
		w->sync = next(w) & 1;
		break;
	default:
		poll(w);
		break;
	}
	check_machine(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = aligned_alloc(4096, (sizeof *w + 4095) / 4096 * 4096);
	struct cvtpm_crb_config config = {.callbacks = {.context = w,
							.submit = submit,
							.cancel = cancel,
							.reset_established = reset_established}};
	uint8_t first;

	CHECK(w);
	memset(w, 0, sizeof *w);
	w->input = data;
	w->left = size;
	first = next(w);
	w->localities = first & 1 ? 0xf : 1;
	config.localities = w->localities;
	config.idle_bypass = first >> 1 & 1;
	w->sync = first >> 2 & 1;
	CHECK(cvtpm_crb_init(&w->crb, &config) == 0);
	CHECK(cvtpm_crb_page_init(&w->page, &w->crb, w->memory, 4 * 4096) == 0);
	w->page.strict = first >> 3 & 1;
	while (w->left > 0)
		step(w);
	poll(w);
	free(w);
	return 0;
}
