/*
 * What the interface does: the states of a command, whose the locality is, the D-RTM
 * sequence, interrupts. A guest's reads and writes become calls of this in access.c.
 */
#include "crb/machine.h"
#include "crb/registers.h"
#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "cvtpm/crb.h"
#include "cvtpm/err.h"

/* Part 2, 6.9 and 6.6.3; Part 1, 18: header is tag, size, code. */
#define HEADER_SIZE         10
#define TPM_ST_NO_SESSIONS  0x8001
#define TPM_RC_COMMAND_SIZE 0x142

static uint32_t header_size(const uint8_t *header)
{
	return (uint32_t)header[2] << 24 | (uint32_t)header[3] << 16 | (uint32_t)header[4] << 8 |
	       header[5];
}

/* ---- interrupts ---- */

void crb_line_update(struct cvtpm_crb *crb)
{
	bool global = (crb->int_enable & INT_globalInterruptEnable) != 0;
	bool line = global && (crb->int_enable & crb->int_sts) != 0;

	if (line == crb->line)
		return;
	crb->line = line;
	if (crb->config.callbacks.interrupt)
		crb->config.callbacks.interrupt(crb->config.callbacks.context, line);
}

/* An event is recorded only while it is enabled, so that enabling an interrupt
 * later does not raise it for something long past. */
static void interrupt_raise(struct cvtpm_crb *crb, uint32_t event)
{
	if ((crb->int_enable & INT_globalInterruptEnable) == 0)
		return;
	crb->int_sts |= crb->int_enable & event;
	crb_line_update(crb);
}

/* ---- the buffer and the command ---- */

static void buffer_clear(struct cvtpm_crb *crb)
{
	cvtpm_wipe(crb->buffer, sizeof crb->buffer);
	crb->extent = 0;
}

static void established_ask(struct cvtpm_crb *crb)
{
	if (crb->config.callbacks.established && !crb->in_engine)
		crb->established = crb->config.callbacks.established(crb->config.callbacks.context);
}

static void engine_cancel(struct cvtpm_crb *crb)
{
	if (!crb->in_engine || crb->cancel_sent)
		return;
	crb->cancel_sent = true;
	if (crb->config.callbacks.cancel)
		crb->config.callbacks.cancel(crb->config.callbacks.context);
}

/* Command and response are gone; what the engine still answers is dropped. */
static void command_abort(struct cvtpm_crb *crb)
{
	if (crb->in_engine) {
		crb->discard = true;
		engine_cancel(crb);
	}
	buffer_clear(crb);
	crb->state = CVTPM_CRB_IDLE;
}

static void execution_end(struct cvtpm_crb *crb, const uint8_t *response, size_t len)
{
	buffer_clear(crb);
	memcpy(crb->buffer, response, len);
	crb->extent = (uint32_t)len;
	crb->responses++;
	crb->state = CVTPM_CRB_COMPLETION;
	interrupt_raise(crb, INT_start);
}

/* The engine broke its contract. The guest is told in the one way that the
 * interface has, and gets no response. */
static void interface_fail(struct cvtpm_crb *crb)
{
	crb->fatal = true;
	execution_end(crb, crb->buffer, 0);
}

/* An answer of the transport's own: no engine can read such a command. */
static void respond_command_size(struct cvtpm_crb *crb)
{
	static const uint8_t response[HEADER_SIZE] = {
		TPM_ST_NO_SESSIONS >> 8,        TPM_ST_NO_SESSIONS & 0xff,        [5] = HEADER_SIZE,
		[8] = TPM_RC_COMMAND_SIZE >> 8, [9] = TPM_RC_COMMAND_SIZE & 0xff,
	};

	execution_end(crb, response, sizeof response);
}

/* The engine works on a copy, because the guest may abort this command and
 * write another one before the engine has let go of it. */
static void command_submit(struct cvtpm_crb *crb)
{
	const struct cvtpm_crb_callbacks *call = &crb->config.callbacks;
	uint32_t len = header_size(crb->buffer);

	memcpy(crb->command, crb->buffer, len);
	crb->in_engine = true;
	crb->discard = false;
	crb->cancel_sent = false;
	if (call->submit(call->context, crb->active, crb->command, len) != 0) {
		crb->in_engine = false;
		interface_fail(crb);
		return;
	}
	if (crb->ctrl_cancel & CTRL_CANCEL_Cancel)
		engine_cancel(crb);
}

void crb_command_start(struct cvtpm_crb *crb)
{
	uint32_t len = header_size(crb->buffer);

	if (crb->fatal || (crb->state != CVTPM_CRB_READY && crb->state != CVTPM_CRB_RECEPTION))
		return;
	crb->state = CVTPM_CRB_EXECUTION;
	if (crb->extent < HEADER_SIZE || len < HEADER_SIZE || len > crb->extent) {
		respond_command_size(crb);
		return;
	}
	if (!crb->in_engine)
		command_submit(crb);
	/* else an aborted command is still there; its completion submits this one */
}

/* Neither while the engine works nor in a D-RTM sequence. */
static bool request_counts(const struct cvtpm_crb *crb)
{
	return crb->state != CVTPM_CRB_EXECUTION && !crb->hashing;
}

void crb_go_idle(struct cvtpm_crb *crb)
{
	if (!request_counts(crb))
		return;
	buffer_clear(crb);
	crb->state = CVTPM_CRB_IDLE;
}

void crb_command_ready(struct cvtpm_crb *crb)
{
	if (!request_counts(crb) ||
	    (crb->state == CVTPM_CRB_COMPLETION && !crb->config.idle_bypass))
		return;
	buffer_clear(crb);
	crb->state = CVTPM_CRB_READY;
	interrupt_raise(crb, INT_cmdReady);
}

void crb_cancel_set(struct cvtpm_crb *crb, uint32_t value)
{
	crb->ctrl_cancel = value;
	if (crb->state == CVTPM_CRB_EXECUTION && (value & CTRL_CANCEL_Cancel))
		engine_cancel(crb);
}

static bool buffer_takes_writes(const struct cvtpm_crb *crb, uint8_t locality)
{
	if (locality != crb->active)
		return false;
	if (crb->hashing)
		return true;
	switch (crb->state) {
	case CVTPM_CRB_READY:
	case CVTPM_CRB_RECEPTION:
		return true;
	case CVTPM_CRB_COMPLETION:
		return crb->config.idle_bypass;
	default:
		return false;
	}
}

void crb_buffer_write(struct cvtpm_crb *crb, uint8_t locality, uint32_t at, const uint8_t *bytes,
		      size_t len)
{
	if (!buffer_takes_writes(crb, locality))
		return;
	if (crb->state == CVTPM_CRB_COMPLETION)
		buffer_clear(crb); /* the next command begins; the response is gone */
	if (!crb->hashing)
		crb->state = CVTPM_CRB_RECEPTION;
	memcpy(crb->buffer + at, bytes, len);
	if (crb->extent < at + len)
		crb->extent = (uint32_t)(at + len);
}

static bool response_well_formed(const uint8_t *response, size_t len)
{
	return response && len >= HEADER_SIZE && len <= CVTPM_CRB_BUFFER_SIZE &&
	       header_size(response) == len;
}

int cvtpm_crb_complete(struct cvtpm_crb *crb, const uint8_t *response, size_t len)
{
	bool discard = crb->discard;

	if (!crb->in_engine)
		return CVTPM_ERR_STATE;
	crb->changes++;
	crb->in_engine = false;
	crb->discard = false;
	cvtpm_wipe(crb->command, sizeof crb->command);
	established_ask(crb);
	if (discard) {
		if (crb->state == CVTPM_CRB_EXECUTION)
			command_submit(crb);
		return 0;
	}
	if (!response_well_formed(response, len)) {
		interface_fail(crb);
		return CVTPM_ERR_FORMAT;
	}
	execution_end(crb, response, len);
	return 0;
}

bool cvtpm_crb_in_engine(const struct cvtpm_crb *crb)
{
	return crb->in_engine;
}

bool cvtpm_crb_aborted(const struct cvtpm_crb *crb)
{
	return crb->in_engine && crb->discard;
}

/* ---- localities ---- */

/* CANCEL goes too: it was the old owner's, and would end the new one's command. */
static void locality_release(struct cvtpm_crb *crb)
{
	command_abort(crb);
	crb->ctrl_cancel = 0;
	crb->active = CRB_NO_LOCALITY;
}

static void locality_grant(struct cvtpm_crb *crb, uint8_t locality)
{
	crb->active = locality;
	crb->been_seized &= (uint8_t)~bit_of(locality);
	crb->pending &= (uint8_t)~bit_of(locality);
}

void crb_locality_request(struct cvtpm_crb *crb, uint8_t locality)
{
	if (crb->active == CRB_NO_LOCALITY)
		locality_grant(crb, locality);
	else if (crb->active != locality)
		crb->pending |= (uint8_t)bit_of(locality);
}

static void locality_grant_next(struct cvtpm_crb *crb)
{
	for (uint8_t l = CVTPM_CRB_LOCALITIES; l-- > 0;) {
		if (crb->pending & bit_of(l)) {
			locality_grant(crb, l);
			interrupt_raise(crb, INT_localityChange);
			return;
		}
	}
}

void crb_locality_relinquish(struct cvtpm_crb *crb, uint8_t locality)
{
	crb->pending &= (uint8_t)~bit_of(locality); /* who waits takes back its request */
	if (crb->active != locality)
		return;
	locality_release(crb);
	locality_grant_next(crb);
}

void crb_locality_seize(struct cvtpm_crb *crb, uint8_t locality)
{
	if (crb->active == CRB_NO_LOCALITY) {
		locality_grant(crb, locality);
		return;
	}
	if (locality <= crb->active)
		return;
	crb->been_seized |= (uint8_t)bit_of(crb->active);
	locality_release(crb);
	locality_grant(crb, locality);
	interrupt_raise(crb, INT_localityChange);
}

void crb_establishment_reset(struct cvtpm_crb *crb, uint8_t locality)
{
	const struct cvtpm_crb_callbacks *call = &crb->config.callbacks;

	if (locality < 3 || crb->in_engine || !call->reset_established)
		return;
	if (call->reset_established(call->context, locality) != 0)
		return;
	established_ask(crb);
	interrupt_raise(crb, INT_establishmentClear);
}

/* ---- _TPM_Hash_Start, _Data, _End ---- */

/* Locality 4 is gone, and whatever sequence it was in. */
static void hash_leave(struct cvtpm_crb *crb)
{
	crb->hashing = false;
	locality_release(crb);
	locality_grant_next(crb);
}

void crb_hash_start(struct cvtpm_crb *crb)
{
	if (crb->hashing)
		hash_leave(crb);
	crb_locality_seize(crb, 4);
	crb->hashing = true;
	if (crb->config.callbacks.hash_start(crb->config.callbacks.context) != 0)
		hash_leave(crb);
}

/* The data buffer holds a 16-bit length and that many bytes (Intel SDM,
 * GETSEC[SENTER], "Modified HASH.START protocol"). */
void crb_hash_data(struct cvtpm_crb *crb)
{
	const struct cvtpm_crb_callbacks *call = &crb->config.callbacks;
	uint32_t len = (uint32_t)crb->buffer[1] << 8 | crb->buffer[0];

	if (!crb->hashing)
		return;
	if (crb->extent < 2 || len > crb->extent - 2 ||
	    call->hash_data(call->context, crb->buffer + 2, len) != 0) {
		hash_leave(crb);
		return;
	}
	buffer_clear(crb);
}

void crb_hash_end(struct cvtpm_crb *crb)
{
	if (!crb->hashing)
		return;
	if (crb->config.callbacks.hash_end(crb->config.callbacks.context) == 0)
		crb->established = true;
	hash_leave(crb);
}

/* ---- life ---- */

void cvtpm_crb_reset(struct cvtpm_crb *crb)
{
	crb->hashing = false;
	locality_release(crb);
	crb->pending = 0;
	crb->been_seized = 0;
	crb->fatal = false;
	crb->int_enable = 0;
	crb->int_sts = 0;
	crb_line_update(crb);
	crb->changes++;
	established_ask(crb);
}

static bool config_is_valid(const struct cvtpm_crb_config *config)
{
	const struct cvtpm_crb_callbacks *call = &config->callbacks;
	bool hashes = call->hash_start && call->hash_data && call->hash_end;

	return call->submit && config->localities >> CVTPM_CRB_LOCALITIES == 0 &&
	       (hashes || (config->localities & bit_of(4)) == 0) &&
	       config->base % CVTPM_CRB_LOCALITY_SIZE == 0;
}

int cvtpm_crb_init(struct cvtpm_crb *crb, const struct cvtpm_crb_config *config)
{
	if (!config_is_valid(config))
		return CVTPM_ERR_PARAM;
	memset(crb, 0, sizeof *crb);
	crb->config = *config;
	if (crb->config.base == 0)
		crb->config.base = CVTPM_CRB_DEFAULT_BASE;
	if (crb->config.localities == 0)
		crb->config.localities = 1;
	cvtpm_crb_reset(crb);
	return 0;
}
