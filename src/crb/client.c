#include "crb/registers.h"
#include "crb/shared.h"
#include "cvtpm/crb.h"
#include "cvtpm/err.h"

#define HEADER_SIZE 10

/* PTP 1.06, 6.5.1.4, in milliseconds; B is Linux's, which is more patient. */
#define TIMEOUT_A  750
#define TIMEOUT_B  4000
#define TIMEOUT_C  200
#define COMMAND_MS 120000 /* Linux's longest for a command of unknown duration */

static uint32_t client_read(const struct cvtpm_crb_client *client, uint32_t offset)
{
	return client->bus.read32(client->bus.context,
				  client->locality * CVTPM_CRB_LOCALITY_SIZE + offset);
}

static void client_write(const struct cvtpm_crb_client *client, uint32_t offset, uint32_t value)
{
	client->bus.write32(client->bus.context,
			    client->locality * CVTPM_CRB_LOCALITY_SIZE + offset, value);
}

static uint32_t client_buffer(const struct cvtpm_crb_client *client)
{
	return client->locality * CVTPM_CRB_LOCALITY_SIZE + TPM_CRB_DATA_BUFFER;
}

static int client_wait(struct cvtpm_crb_client *client, uint32_t offset, uint32_t mask,
		       uint32_t value, uint32_t ms, const char *step)
{
	const struct cvtpm_crb_bus *bus = &client->bus;
	uint64_t begin = bus->clock_ms(bus->context);

	client->step = step;
	for (unsigned looks = 0; (client_read(client, offset) & mask) != value; looks++) {
		if (bus->clock_ms(bus->context) - begin > ms)
			return CVTPM_ERR_BUSY;
		bus->wait(bus->context, looks);
	}
	return 0;
}

/* Linux looks at locAssigned, which stays if another locality is next. */
static int locality_relinquish(struct cvtpm_crb_client *client)
{
	if (client->method != CVTPM_CRB_START_MMIO)
		return 0;
	client_write(client, TPM_LOC_CTRL, LOC_CTRL_Relinquish);
	return client_wait(client, TPM_LOC_STS, LOC_STS_Granted, 0, TIMEOUT_C,
			   "the release of the locality");
}

/* Linux looks at locAssigned only; with several localities it matters whose. */
static int locality_request(struct cvtpm_crb_client *client)
{
	const uint32_t mask =
		LOC_STATE_tpmRegValidSts | LOC_STATE_locAssigned | LOC_STATE_activeLocality_MASK;
	uint32_t mine = LOC_STATE_tpmRegValidSts | LOC_STATE_locAssigned |
			(uint32_t)client->locality << LOC_STATE_activeLocality_SHIFT;
	int result;

	if (client->method != CVTPM_CRB_START_MMIO)
		return 0;
	client_write(client, TPM_LOC_CTRL, LOC_CTRL_requestAccess);
	result = client_wait(client, TPM_LOC_STATE, mask, mine, TIMEOUT_A,
			     "the grant of the locality");
	if (result < 0)
		client_write(client, TPM_LOC_CTRL, LOC_CTRL_Relinquish); /* no longer wanted */
	return result;
}

static int command_ready(struct cvtpm_crb_client *client)
{
	if (client->method != CVTPM_CRB_START_MMIO)
		return 0;
	client_write(client, TPM_CRB_CTRL_REQ, CTRL_REQ_cmdReady);
	return client_wait(client, TPM_CRB_CTRL_REQ, CTRL_REQ_cmdReady, 0, TIMEOUT_C,
			   "the state Ready");
}

static int go_idle(struct cvtpm_crb_client *client)
{
	if (client->method != CVTPM_CRB_START_MMIO)
		return 0;
	client_write(client, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle);
	return client_wait(client, TPM_CRB_CTRL_REQ, CTRL_REQ_goIdle, 0, TIMEOUT_C,
			   "the state Idle");
}

/* Leaves the interface to others; the first failure is the one to tell. */
static int client_leave(struct cvtpm_crb_client *client, int result)
{
	const char *step = client->step;
	int idle = go_idle(client);
	int relinquished;

	if (result == 0 && idle < 0) {
		result = idle;
		step = client->step;
	}
	relinquished = locality_relinquish(client);
	if (result == 0 && relinquished < 0)
		return relinquished;
	client->step = step;
	return result;
}

static int interface_check(struct cvtpm_crb_client *client)
{
	uint32_t id = client_read(client, TPM_CRB_INTF_ID);

	client->step = "the interface identifier";
	if (id == 0 || id == UINT32_MAX)
		return CVTPM_ERR_NOT_FOUND;
	if ((id & INTF_ID_InterfaceType_MASK) != INTF_ID_InterfaceType_CRB ||
	    (id & INTF_ID_InterfaceVersion_MASK) != INTF_ID_InterfaceVersion_CRB ||
	    (id & INTF_ID_CapCRB) == 0)
		return CVTPM_ERR_UNSUPPORTED;
	if (client->locality != 0 && (id & INTF_ID_CapLocality) == 0)
		return CVTPM_ERR_UNSUPPORTED;
	return 0;
}

static int buffer_find(struct cvtpm_crb_client *client)
{
	uint32_t size = client_read(client, TPM_CRB_CTRL_CMD_SIZE);
	uint32_t address = client_read(client, TPM_CRB_CTRL_CMD_LADDR);

	client->step = "the address and size of the buffer";
	if (client_read(client, TPM_CRB_CTRL_RSP_ADDR) != address ||
	    client_read(client, TPM_CRB_CTRL_RSP_SIZE) != size)
		return CVTPM_ERR_PEER;
	if (address % CVTPM_CRB_LOCALITY_SIZE != TPM_CRB_DATA_BUFFER || size < HEADER_SIZE ||
	    size > CVTPM_CRB_BUFFER_SIZE)
		return CVTPM_ERR_PEER;
	client->buffer_size = size;
	return 0;
}

int cvtpm_crb_client_open(struct cvtpm_crb_client *client, const struct cvtpm_crb_bus *bus,
			  enum cvtpm_crb_start_method method, uint8_t locality)
{
	int result;

	*client = (struct cvtpm_crb_client){
		.bus = *bus,
		.method = method,
		.locality = locality,
		.command_ms = COMMAND_MS,
		.step = "nothing",
	};
	if (locality >= CVTPM_CRB_LOCALITIES)
		return CVTPM_ERR_UNSUPPORTED;
	CVTPM_TRY(interface_check(client));
	CVTPM_TRY(locality_request(client));
	result = command_ready(client);
	if (result == 0)
		result = buffer_find(client);
	return client_leave(client, result);
}

/* Until START is 0, or for the time of the command, or until the user has had
 * enough: then the TPM is asked to end, and has TIMEOUT_B to do so. */
static int command_wait(struct cvtpm_crb_client *client)
{
	const struct cvtpm_crb_bus *bus = &client->bus;
	uint64_t begin = bus->clock_ms(bus->context);
	int result;

	client->step = "the end of the command";
	for (unsigned looks = 0; client_read(client, TPM_CRB_CTRL_START) & CTRL_START_Start;
	     looks++) {
		if (bus->clock_ms(bus->context) - begin > client->command_ms ||
		    (bus->cancelled && bus->cancelled(bus->context))) {
			client_write(client, TPM_CRB_CTRL_CANCEL, CTRL_CANCEL_Cancel);
			result = client_wait(client, TPM_CRB_CTRL_START, CTRL_START_Start, 0,
					     TIMEOUT_B, "the end of the cancelled command");
			client_write(client, TPM_CRB_CTRL_CANCEL, 0);
			return result;
		}
		bus->wait(bus->context, looks);
	}
	return 0;
}

static int response_receive(struct cvtpm_crb_client *client, uint8_t *response, size_t *len)
{
	const struct cvtpm_crb_bus *bus = &client->bus;
	size_t room = *len;
	uint32_t size;

	client->step = "the status after the command";
	if (client_read(client, TPM_CRB_CTRL_STS) & CTRL_STS_tpmSts)
		return CVTPM_ERR_PEER;
	client->step = "the header of the response";
	bus->read_bytes(bus->context, client_buffer(client), response, HEADER_SIZE);
	size = (uint32_t)response[2] << 24 | (uint32_t)response[3] << 16 |
	       (uint32_t)response[4] << 8 | response[5];
	if (size < HEADER_SIZE || size > client->buffer_size)
		return CVTPM_ERR_PEER;
	client->step = "the size of the response";
	if (size > room)
		return CVTPM_ERR_SIZE;
	bus->read_bytes(bus->context, client_buffer(client) + HEADER_SIZE, response + HEADER_SIZE,
			size - HEADER_SIZE);
	*len = size;
	return 0;
}

static int command_run(struct cvtpm_crb_client *client, const uint8_t *command, size_t command_len,
		       uint8_t *response, size_t *response_len)
{
	const struct cvtpm_crb_bus *bus = &client->bus;

	CVTPM_TRY(command_ready(client));
	client_write(client, TPM_CRB_CTRL_CANCEL, 0);
	bus->write_bytes(bus->context, client_buffer(client), command, command_len);
	client_write(client, TPM_CRB_CTRL_START, CTRL_START_Start);
	if (client->method == CVTPM_CRB_START_ACPI && bus->doorbell)
		bus->doorbell(bus->context);
	CVTPM_TRY(command_wait(client));
	return response_receive(client, response, response_len);
}

int cvtpm_crb_client_transmit(struct cvtpm_crb_client *client, const uint8_t *command,
			      size_t command_len, uint8_t *response, size_t *response_len)
{
	int result;

	client->step = "the size of the command";
	if (command_len > client->buffer_size || *response_len < HEADER_SIZE)
		return CVTPM_ERR_SIZE;
	CVTPM_TRY(locality_request(client));
	result = command_run(client, command, command_len, response, response_len);
	return client_leave(client, result);
}

/* ---- registers in shared memory ---- */

static volatile uint8_t *memory_at(void *context, uint32_t offset)
{
	return (volatile uint8_t *)context + offset;
}

uint32_t cvtpm_crb_memory_read32(void *context, uint32_t offset)
{
	return shared_load(memory_at(context, offset));
}

void cvtpm_crb_memory_write32(void *context, uint32_t offset, uint32_t value)
{
	shared_store(memory_at(context, offset), value);
}

void cvtpm_crb_memory_read_bytes(void *context, uint32_t offset, uint8_t *bytes, size_t len)
{
	shared_copy_out(bytes, memory_at(context, offset), len);
}

void cvtpm_crb_memory_write_bytes(void *context, uint32_t offset, const uint8_t *bytes, size_t len)
{
	shared_copy_in(memory_at(context, offset), bytes, len);
}
