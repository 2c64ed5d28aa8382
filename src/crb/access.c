/*
 * A guest's reads and writes, of any size and alignment, of registers and of the data
 * buffer: what each means to the machine (machine.h), and what the machine shows.
 */
#include "crb/machine.h"
#include "crb/registers.h"
#include "cvtpm/crb.h"

/* ---- registers ---- */

static void write_loc_ctrl_4(struct cvtpm_crb *crb, uint32_t bits)
{
	if (bits & LOC_CTRL_4_TPM_HASH_START)
		crb_hash_start(crb);
	if (bits & LOC_CTRL_4_TPM_HASH_DATA)
		crb_hash_data(crb);
	if (bits & LOC_CTRL_4_TPM_HASH_END)
		crb_hash_end(crb);
	if (bits & LOC_CTRL_resetEstablishmentBit)
		crb_establishment_reset(crb, 4);
}

/* A write that asks for more than one thing is ignored. */
static void write_loc_ctrl(struct cvtpm_crb *crb, uint8_t locality, uint32_t bits)
{
	switch (bits) {
	case LOC_CTRL_requestAccess:
		crb_locality_request(crb, locality);
		break;
	case LOC_CTRL_Relinquish:
		crb_locality_relinquish(crb, locality);
		break;
	case LOC_CTRL_Seize:
		crb_locality_seize(crb, locality);
		break;
	case LOC_CTRL_resetEstablishmentBit:
		crb_establishment_reset(crb, locality);
		break;
	default:
		break;
	}
}

static void write_ctrl_req(struct cvtpm_crb *crb, uint32_t bits)
{
	if (bits == CTRL_REQ_goIdle)
		crb_go_idle(crb);
	else if (bits == CTRL_REQ_cmdReady)
		crb_command_ready(crb);
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
		/* crbRspRetry: in Completion the response is in the buffer, and stays there. */
		if (bits & CTRL_START_Start)
			crb_command_start(crb);
		break;
	default:
		break;
	}
}

static void write_value(struct cvtpm_crb *crb, uint32_t offset, uint32_t value, uint32_t mask)
{
	if (offset == TPM_CRB_INT_ENABLE) {
		crb->int_enable = (crb->int_enable & ~mask) | value;
		crb_line_update(crb);
		return;
	}
	crb_cancel_set(crb, (crb->ctrl_cancel & ~mask) | value); /* the only other one */
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
		crb_line_update(crb);
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

/* ---- accesses ---- */

static bool locality_served(const struct cvtpm_crb *crb, uint64_t locality)
{
	return locality < CVTPM_CRB_LOCALITIES && (crb->config.localities >> locality & 1) != 0;
}

void cvtpm_crb_write_buffer(struct cvtpm_crb *crb, uint8_t locality, const uint8_t *bytes,
			    size_t len)
{
	if (!locality_served(crb, locality) || len > CVTPM_CRB_BUFFER_SIZE || len == 0)
		return;
	crb->changes++;
	crb_buffer_write(crb, locality, 0, bytes, len);
}

static bool size_is_valid(unsigned size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

static uint8_t byte_read(const struct cvtpm_crb *crb, uint64_t offset)
{
	uint64_t locality = offset / CVTPM_CRB_LOCALITY_SIZE;
	uint32_t at = (uint32_t)(offset % CVTPM_CRB_LOCALITY_SIZE);

	if (!locality_served(crb, locality))
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

	if (!locality_served(crb, locality))
		return bytes;
	if (at < TPM_CRB_DATA_BUFFER) {
		register_write(crb, (uint8_t)locality, at & ~3u,
			       ((uint32_t)value & mask) << 8 * first, mask << 8 * first);
		return bytes;
	}
	for (unsigned i = 0; i < bytes; i++)
		data[i] = (uint8_t)(value >> 8 * i);
	crb_buffer_write(crb, (uint8_t)locality, at - TPM_CRB_DATA_BUFFER, data, bytes);
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
