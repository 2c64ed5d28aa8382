/*
 * The guest's stores to the page cannot be seen, only their result. The image
 * is what the page said when we last looked or wrote, so a register that
 * differs from it was written by the guest. Requests (LOC_CTRL, CTRL_REQ,
 * CANCEL, START) are then fed to the machine as writes; everything else is put
 * back. Requests are answered by compare-and-exchange against what was seen, so
 * that a request which comes in between is not lost, but found by the next poll.
 *
 * Interrupts do not exist here: a write of a 1 that clears a 1 leaves no trace.
 */
#include "crb/registers.h"
#include "crb/shared.h"
#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "cvtpm/crb.h"
#include "cvtpm/err.h"

static bool is_request(uint32_t offset)
{
	return offset == TPM_LOC_CTRL || offset == TPM_CRB_CTRL_REQ ||
	       offset == TPM_CRB_CTRL_CANCEL || offset == TPM_CRB_CTRL_START;
}

static uint32_t page_offset(uint8_t locality, uint32_t offset)
{
	return locality * CVTPM_CRB_LOCALITY_SIZE + offset;
}

static volatile uint8_t *page_at(const struct cvtpm_crb_page *page, uint8_t locality,
				 uint32_t offset)
{
	return page->memory + page_offset(locality, offset);
}

static bool page_serves(const struct cvtpm_crb_page *page, uint8_t locality)
{
	return (page->crb->config.localities >> locality & 1) != 0;
}

static uint32_t machine_read(const struct cvtpm_crb_page *page, uint8_t locality, uint32_t offset)
{
	return (uint32_t)cvtpm_crb_read(page->crb, page_offset(locality, offset), 4);
}

static void machine_write(struct cvtpm_crb_page *page, uint8_t locality, uint32_t offset,
			  uint32_t value)
{
	cvtpm_crb_write(page->crb, page_offset(locality, offset), 4, value);
}

/* ---- from the page to the machine ---- */

/* What a driver of start method 8 leaves out. */
static void start_prepare(struct cvtpm_crb_page *page)
{
	struct cvtpm_crb *crb = page->crb;

	machine_write(page, 0, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	if (crb->state == CVTPM_CRB_COMPLETION && !crb->config.idle_bypass)
		machine_write(page, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle);
	if (crb->state == CVTPM_CRB_IDLE)
		machine_write(page, 0, TPM_CRB_CTRL_REQ, CTRL_REQ_cmdReady);
}

/* The one moment at which the command is read. From here on, what the guest
 * does to the page has no effect on it. */
static void start_take(struct cvtpm_crb_page *page, uint8_t locality, uint32_t value)
{
	struct cvtpm_crb *crb = page->crb;

	if (crb->state == CVTPM_CRB_EXECUTION)
		return;
	if ((value & CTRL_START_crbRspRetry) && page->showing && page->shown_locality == locality)
		page->republish = true;
	if ((value & CTRL_START_Start) == 0)
		return;
	if (locality == 0 && !page->strict && (crb->active == 0 || crb->active == CRB_NO_LOCALITY))
		start_prepare(page);
	if (crb->active != locality)
		return;
	shared_copy_out(page->scratch, page_at(page, locality, TPM_CRB_DATA_BUFFER),
			sizeof page->scratch);
	cvtpm_crb_write_buffer(crb, locality, page->scratch, sizeof page->scratch);
	cvtpm_wipe(page->scratch, sizeof page->scratch);
	machine_write(page, locality, TPM_CRB_CTRL_START, CTRL_START_Start);
}

/* Looks once at a request register; true if the guest wrote it. */
static bool request_seen(struct cvtpm_crb_page *page, uint8_t locality, uint32_t offset)
{
	uint32_t *image = &page->image[locality][offset / 4];
	uint32_t value = shared_load(page_at(page, locality, offset));

	if (value == *image)
		return false;
	*image = value;
	return true;
}

static bool requests_take(struct cvtpm_crb_page *page, uint8_t locality)
{
	static const uint32_t others[] = {TPM_LOC_CTRL, TPM_CRB_CTRL_REQ, TPM_CRB_CTRL_CANCEL};
	const uint32_t *image = page->image[locality];
	/* START is looked at first: what the guest wrote before it, a cleared
	 * CANCEL for one, is then seen with it or before it. */
	bool start = request_seen(page, locality, TPM_CRB_CTRL_START);
	bool seen = start;

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		if (!request_seen(page, locality, others[i]))
			continue;
		machine_write(page, locality, others[i], image[others[i] / 4]);
		seen = true;
	}
	if (start)
		start_take(page, locality, image[TPM_CRB_CTRL_START / 4]);
	return seen;
}

/* ---- from the machine to the page ---- */

static bool response_show(struct cvtpm_crb_page *page)
{
	struct cvtpm_crb *crb = page->crb;
	bool complete = crb->state == CVTPM_CRB_COMPLETION;

	if (!complete && !page->showing)
		return false;
	if (complete && page->showing && page->shown == crb->responses && !page->republish)
		return false;
	page->republish = false;
	/* A response that was taken back must not be there for the next locality. */
	if (page->showing && (!complete || page->shown_locality != crb->active))
		shared_zero(page_at(page, page->shown_locality, TPM_CRB_DATA_BUFFER),
			    CVTPM_CRB_BUFFER_SIZE);
	page->showing = complete;
	if (!complete)
		return true;
	page->shown = crb->responses;
	page->shown_locality = crb->active;
	shared_copy_in(page_at(page, crb->active, TPM_CRB_DATA_BUFFER), crb->buffer,
		       CVTPM_CRB_BUFFER_SIZE);
	return true;
}

static bool registers_show(struct cvtpm_crb_page *page, uint8_t locality, bool refresh)
{
	bool changed = false;

	for (uint32_t offset = 0; offset < TPM_CRB_DATA_BUFFER; offset += 4) {
		uint32_t *image = &page->image[locality][offset / 4];
		volatile uint8_t *at = page_at(page, locality, offset);

		if (is_request(offset))
			continue;
		if (refresh)
			*image = machine_read(page, locality, offset);
		if (shared_load(at) == *image)
			continue;
		shared_store(at, *image);
		changed = true;
	}
	return changed;
}

static bool requests_answer(struct cvtpm_crb_page *page, uint8_t locality)
{
	static const uint32_t requests[] = {TPM_LOC_CTRL, TPM_CRB_CTRL_REQ, TPM_CRB_CTRL_CANCEL,
					    TPM_CRB_CTRL_START};
	bool changed = false;

	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		uint32_t *image = &page->image[locality][requests[i] / 4];
		uint32_t value = machine_read(page, locality, requests[i]);

		if (value == *image)
			continue;
		changed = true;
		/* If this finds another value, the next poll does, too. */
		(void)shared_replace(page_at(page, locality, requests[i]), *image, value);
		*image = value;
	}
	return changed;
}

/* The response and all that is to be read are there before any request is
 * answered: in the end before START becomes 0. */
static bool page_show(struct cvtpm_crb_page *page, bool requested)
{
	bool refresh = page->changes != page->crb->changes;
	bool changed = response_show(page);

	page->changes = page->crb->changes;
	for (uint8_t l = 0; l < CVTPM_CRB_LOCALITIES; l++)
		if (page_serves(page, l))
			changed |= registers_show(page, l, refresh);
	if (!changed && !refresh && !requested)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (uint8_t l = 0; l < CVTPM_CRB_LOCALITIES; l++)
		if (page_serves(page, l))
			changed |= requests_answer(page, l);
	return changed | requested;
}

/* ---- the public functions ---- */

int cvtpm_crb_page_init(struct cvtpm_crb_page *page, struct cvtpm_crb *crb, volatile void *memory,
			size_t size)
{
	unsigned localities = crb->config.localities, count = 0;

	while (localities >> count)
		count++;
	if ((uintptr_t)memory % 8 != 0)
		return CVTPM_ERR_PARAM;
	if (size < count * (size_t)CVTPM_CRB_LOCALITY_SIZE)
		return CVTPM_ERR_SIZE;
	if (count == CVTPM_CRB_LOCALITIES)
		return CVTPM_ERR_POLICY;
	memset(page, 0, sizeof *page);
	page->crb = crb;
	page->memory = memory;
	page->changes = crb->changes - 1;
	for (uint8_t l = 0; l < count; l++)
		if (page_serves(page, l))
			registers_show(page, l, true);
	return 0;
}

bool cvtpm_crb_page_poll(struct cvtpm_crb_page *page)
{
	bool requested = false;

	for (uint8_t l = 0; l < CVTPM_CRB_LOCALITIES; l++)
		if (page_serves(page, l))
			requested |= requests_take(page, l);
	return page_show(page, requested);
}

void cvtpm_crb_page_reset(struct cvtpm_crb_page *page)
{
	cvtpm_crb_reset(page->crb);
	for (uint8_t l = 0; l < CVTPM_CRB_LOCALITIES; l++) {
		if (!page_serves(page, l))
			continue;
		shared_zero(page_at(page, l, TPM_CRB_DATA_BUFFER), CVTPM_CRB_BUFFER_SIZE);
		for (uint32_t offset = 0; offset < TPM_CRB_DATA_BUFFER; offset += 4) {
			page->image[l][offset / 4] = machine_read(page, l, offset);
			shared_store(page_at(page, l, offset), page->image[l][offset / 4]);
		}
	}
	page->showing = false;
	page->republish = false;
	page->changes = page->crb->changes;
}
