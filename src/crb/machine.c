#include "crb/registers.h"
#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "cvtpm/crb.h"
#include "cvtpm/err.h"

/* Part 2, 6.9 and 6.6.3; Part 1, 18: header is tag, size, code. */
#define HEADER_SIZE         10
#define TPM_ST_NO_SESSIONS  0x8001
#define TPM_RC_COMMAND_SIZE 0x142

static uint32_t bit_of(uint8_t locality)
{
	return 1u << locality;
}

static bool locality_served(const struct cvtpm_crb *crb, uint32_t locality)
{
	return locality < CVTPM_CRB_LOCALITIES && (crb->config.localities >> locality & 1) != 0;
}

static uint32_t header_size(const uint8_t *header)
{
	return (uint32_t)header[2] << 24 | (uint32_t)header[3] << 16 | (uint32_t)header[4] << 8 |
	       header[5];
}

/* ---- interrupts ---- */

static void line_update(struct cvtpm_crb *crb)
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
	line_update(crb);
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

static void command_start(struct cvtpm_crb *crb)
{
	uint32_t len = header_size(crb->buffer);

	crb->state = CVTPM_CRB_EXECUTION;
	if (crb->extent < HEADER_SIZE || len < HEADER_SIZE || len > crb->extent) {
		respond_command_size(crb);
		return;
	}
	if (!crb->in_engine)
		command_submit(crb);
	/* else an aborted command is still there; its completion submits this one */
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

static void locality_request(struct cvtpm_crb *crb, uint8_t locality)
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

static void locality_relinquish(struct cvtpm_crb *crb, uint8_t locality)
{
	crb->pending &= (uint8_t)~bit_of(locality); /* who waits takes back its request */
	if (crb->active != locality)
		return;
	locality_release(crb);
	locality_grant_next(crb);
}

static void locality_seize(struct cvtpm_crb *crb, uint8_t locality)
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

static void establishment_reset(struct cvtpm_crb *crb, uint8_t locality)
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

static void hash_start(struct cvtpm_crb *crb)
{
	if (crb->hashing)
		hash_leave(crb);
	locality_seize(crb, 4);
	crb->hashing = true;
	if (crb->config.callbacks.hash_start(crb->config.callbacks.context) != 0)
		hash_leave(crb);
}

/* The data buffer holds a 16-bit length and that many bytes (Intel SDM,
 * GETSEC[SENTER], "Modified HASH.START protocol"). */
static void hash_data(struct cvtpm_crb *crb)
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

static void hash_end(struct cvtpm_crb *crb)
{
	if (!crb->hashing)
		return;
	if (crb->config.callbacks.hash_end(crb->config.callbacks.context) == 0)
		crb->established = true;
	hash_leave(crb);
}

/* ---- registers ---- */

static void write_loc_ctrl_4(struct cvtpm_crb *crb, uint32_t bits)
{
	if (bits & LOC_CTRL_4_TPM_HASH_START)
		hash_start(crb);
	if (bits & LOC_CTRL_4_TPM_HASH_DATA)
		hash_data(crb);
	if (bits & LOC_CTRL_4_TPM_HASH_END)
		hash_end(crb);
	if (bits & LOC_CTRL_resetEstablishmentBit)
		establishment_reset(crb, 4);
}

/* A write that asks for more than one thing is ignored. */
static void write_loc_ctrl(struct cvtpm_crb *crb, uint8_t locality, uint32_t bits)
{
	switch (bits) {
	case LOC_CTRL_requestAccess:
		locality_request(crb, locality);
		break;
	case LOC_CTRL_Relinquish:
		locality_relinquish(crb, locality);
		break;
	case LOC_CTRL_Seize:
		locality_seize(crb, locality);
		break;
	case LOC_CTRL_resetEstablishmentBit:
		establishment_reset(crb, locality);
		break;
	default:
		break;
	}
}

static void write_ctrl_req(struct cvtpm_crb *crb, uint32_t bits)
{
	if (crb->state == CVTPM_CRB_EXECUTION || crb->hashing)
		return;
	if (bits == CTRL_REQ_goIdle) {
		buffer_clear(crb);
		crb->state = CVTPM_CRB_IDLE;
	} else if (bits == CTRL_REQ_cmdReady) {
		if (crb->state == CVTPM_CRB_COMPLETION && !crb->config.idle_bypass)
			return;
		buffer_clear(crb);
		crb->state = CVTPM_CRB_READY;
		interrupt_raise(crb, INT_cmdReady);
	}
}

static void write_ctrl_start(struct cvtpm_crb *crb, uint32_t bits)
{
	bool may_start = crb->state == CVTPM_CRB_READY || crb->state == CVTPM_CRB_RECEPTION;

	if ((bits & CTRL_START_Start) && may_start && !crb->fatal)
		command_start(crb);
	/* crbRspRetry: in Completion the response is in the buffer, and stays there. */
}

static void write_acts(struct cvtpm_crb *crb, uint8_t locality, uint32_t offset, uint32_t bits)
{
	if (bits == 0)
		return;
	switch (offset) {
	case TPM_LOC_CTRL:
		if (locality == 4)
			write_loc_ctrl_4(crb, bits);
		else
			write_loc_ctrl(crb, locality, bits);
		break;
	case TPM_CRB_CTRL_REQ:
		write_ctrl_req(crb, bits);
		break;
	case TPM_CRB_CTRL_START:
		write_ctrl_start(crb, bits);
		break;
	default:
		break;
	}
}

static void write_value(struct cvtpm_crb *crb, uint32_t offset, uint32_t value, uint32_t mask)
{
	if (offset == TPM_CRB_INT_ENABLE) {
		crb->int_enable = (crb->int_enable & ~mask) | value;
		line_update(crb);
		return;
	}
	crb->ctrl_cancel = (crb->ctrl_cancel & ~mask) | value; /* the only other one */
	if (crb->state == CVTPM_CRB_EXECUTION && (crb->ctrl_cancel & CTRL_CANCEL_Cancel))
		engine_cancel(crb);
}

/* Writes the bytes of a register that `mask` covers. */
static void register_write(struct cvtpm_crb *crb, uint8_t locality, uint32_t offset, uint32_t value,
			   uint32_t mask)
{
	const struct crb_register *r = &crb_registers[offset / 4];

	if (r->writer == CRB_ACTIVE_LOCALITY && crb->active != locality)
		return;
	mask &= r->writable;
	value &= mask;
	switch (r->access) {
	case CRB_WRITE_ONE_ACTS:
		write_acts(crb, locality, offset, value);
		break;
	case CRB_READ_WRITE:
		write_value(crb, offset, value, mask);
		break;
	case CRB_WRITE_ONE_CLEARS:
		crb->int_sts &= ~value;
		line_update(crb);
		break;
	case CRB_READ_ONLY:
	case CRB_RESERVED:
		break;
	}
}

static uint32_t read_loc_state(const struct cvtpm_crb *crb)
{
	uint32_t value = LOC_STATE_tpmRegValidSts;

	if (!crb->established)
		value |= LOC_STATE_tpmEstablished;
	if (crb->active != CRB_NO_LOCALITY)
		value |= LOC_STATE_locAssigned | (uint32_t)crb->active
							 << LOC_STATE_activeLocality_SHIFT;
	return value;
}

static uint32_t read_loc_sts(const struct cvtpm_crb *crb, uint8_t locality)
{
	return (crb->active == locality ? LOC_STS_Granted : 0) |
	       (crb->been_seized & bit_of(locality) ? LOC_STS_beenSeized : 0);
}

static uint32_t read_intf_id(const struct cvtpm_crb *crb)
{
	return crb_registers[TPM_CRB_INTF_ID / 4].reset |
	       (crb->config.localities != 1 ? INTF_ID_CapLocality : 0) |
	       (crb->config.idle_bypass ? INTF_ID_CapCRBIdleBypass : 0) |
	       (uint32_t)crb->config.revision_id << INTF_ID_RID_SHIFT;
}

static uint64_t buffer_address(const struct cvtpm_crb *crb, uint8_t locality)
{
	return crb->config.base + (uint64_t)locality * CVTPM_CRB_LOCALITY_SIZE +
	       TPM_CRB_DATA_BUFFER;
}

static uint32_t register_read(const struct cvtpm_crb *crb, uint8_t locality, uint32_t offset)
{
	switch (offset) {
	case TPM_LOC_STATE:
		return read_loc_state(crb);
	case TPM_LOC_STS:
		return read_loc_sts(crb, locality);
	case TPM_CRB_INTF_ID:
		return read_intf_id(crb);
	case TPM_CRB_INTF_ID_HIGH:
		return (uint32_t)crb->config.device_id << INTF_ID_DID_SHIFT | crb->config.vendor_id;
	case TPM_CRB_CTRL_STS:
		return (crb->fatal ? CTRL_STS_tpmSts : 0) |
		       (crb->state == CVTPM_CRB_IDLE ? CTRL_STS_tpmIdle : 0);
	case TPM_CRB_CTRL_CANCEL:
		return crb->active == locality ? crb->ctrl_cancel : 0;
	case TPM_CRB_CTRL_START:
		return crb->active == locality && crb->state == CVTPM_CRB_EXECUTION
			       ? CTRL_START_Start
			       : 0;
	case TPM_CRB_INT_ENABLE:
		return crb->int_enable;
	case TPM_CRB_INT_STS:
		return crb->int_sts;
	case TPM_CRB_CTRL_CMD_LADDR:
	case TPM_CRB_CTRL_RSP_ADDR:
		return (uint32_t)buffer_address(crb, locality);
	case TPM_CRB_CTRL_CMD_HADDR:
	case TPM_CRB_CTRL_RSP_HADDR:
		return (uint32_t)(buffer_address(crb, locality) >> 32);
	default:
		return crb_registers[offset / 4].reset;
	}
}

/* ---- accesses of any size and alignment ---- */

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

static void buffer_write(struct cvtpm_crb *crb, uint8_t locality, uint32_t at, const uint8_t *bytes,
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

void cvtpm_crb_write_buffer(struct cvtpm_crb *crb, uint8_t locality, const uint8_t *bytes,
			    size_t len)
{
	if (!locality_served(crb, locality) || len > CVTPM_CRB_BUFFER_SIZE || len == 0)
		return;
	crb->changes++;
	buffer_write(crb, locality, 0, bytes, len);
}

static bool size_is_valid(unsigned size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

static uint8_t byte_read(const struct cvtpm_crb *crb, uint64_t offset)
{
	uint64_t locality = offset / CVTPM_CRB_LOCALITY_SIZE;
	uint32_t at = (uint32_t)(offset % CVTPM_CRB_LOCALITY_SIZE);

	if (locality >= CVTPM_CRB_LOCALITIES || !locality_served(crb, (uint32_t)locality))
		return 0xff;
	if (at < TPM_CRB_DATA_BUFFER)
		return (uint8_t)(register_read(crb, (uint8_t)locality, at & ~3u) >> at % 4 * 8);
	if (locality != crb->active)
		return 0xff;
	return crb->buffer[at - TPM_CRB_DATA_BUFFER];
}

uint64_t cvtpm_crb_read(const struct cvtpm_crb *crb, uint32_t offset, unsigned size)
{
	uint64_t value = 0;

	if (!size_is_valid(size))
		return UINT64_MAX;
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)byte_read(crb, (uint64_t)offset + i) << 8 * i;
	return value;
}

/* Writes what of `value` falls into the register or the byte at `offset`;
 * returns how many bytes that were. */
static unsigned part_write(struct cvtpm_crb *crb, uint64_t offset, unsigned size, uint64_t value)
{
	uint64_t locality = offset / CVTPM_CRB_LOCALITY_SIZE;
	uint32_t at = (uint32_t)(offset % CVTPM_CRB_LOCALITY_SIZE);
	unsigned first = at % 4, bytes = size < 4 - first ? size : 4 - first;
	uint32_t mask = (uint32_t)((UINT64_C(1) << 8 * bytes) - 1);
	uint8_t data[4];

	if (locality >= CVTPM_CRB_LOCALITIES || !locality_served(crb, (uint32_t)locality))
		return bytes;
	if (at < TPM_CRB_DATA_BUFFER) {
		register_write(crb, (uint8_t)locality, at & ~3u,
			       ((uint32_t)value & mask) << 8 * first, mask << 8 * first);
		return bytes;
	}
	for (unsigned i = 0; i < bytes; i++)
		data[i] = (uint8_t)(value >> 8 * i);
	buffer_write(crb, (uint8_t)locality, at - TPM_CRB_DATA_BUFFER, data, bytes);
	return bytes;
}

void cvtpm_crb_write(struct cvtpm_crb *crb, uint32_t offset, unsigned size, uint64_t value)
{
	if (!size_is_valid(size))
		return;
	crb->changes++;
	for (unsigned done = 0; done < size;)
		done += part_write(crb, (uint64_t)offset + done, size - done, value >> 8 * done);
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
	line_update(crb);
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
