#include "serve/presence.h"

#include "crb/shared.h"
#include "cvtpm/acpi.h"
#include "cvtpm/err.h"
#include "host/frame.h"
#include "manufacture/commands.h"
#include "serve/server.h"

#include <stdlib.h>

/* Operations (PPI 1.3, table 1), and results of function 5 that are no TPM's. */
enum {
	OP_NONE = 0,
	OP_CLEAR = 5,
	OP_ENABLE_CLEAR = 14,
	OP_ENABLE_CLEAR_2 = 21,
	OP_ENABLE_CLEAR_3 = 22,
	OP_SET_PCR_BANKS = 23,
};
#define RESULT_ABORTED 0xFFFFFFF0u /* by the user */
#define RESULT_FAILURE 0xFFFFFFF1u /* of the firmware */

#define FUNC_COUNT 256
#define MAX_BANKS  16
#define ALL_PCRS   0xFFFFFF

/* Bits of SetPCRBanks' parameter (TCG EFI Protocol, EFI_TCG2_BOOT_HASH_ALG_...). */
static const struct {
	uint32_t bit;
	uint16_t hash;
} hash_bits[] = {{1, 0x0004}, {2, 0x000B}, {4, 0x000C}, {8, 0x000D}, {16, 0x0012}};

static const char *operation_name(uint32_t operation)
{
	switch (operation) {
	case OP_CLEAR:
	case OP_ENABLE_CLEAR:
	case OP_ENABLE_CLEAR_2:
	case OP_ENABLE_CLEAR_3:
		return "Clear";
	case OP_SET_PCR_BANKS:
		return "SetPCRBanks";
	default:
		return NULL;
	}
}

/* ---- the area ---- */

static uint32_t area_get(const struct area *area, enum cvtpm_ppi field)
{
	uint8_t b[4];

	shared_copy_out(b, area->memory + field, sizeof b);
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void area_put(const struct area *area, enum cvtpm_ppi field, uint32_t value)
{
	const uint8_t b[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
			      (uint8_t)(value >> 24)};

	shared_copy_in(area->memory + field, b, sizeof b);
}

static uint8_t permission(const struct server *server, uint32_t operation)
{
	if (operation == OP_NONE)
		return CVTPM_PPI_ALLOWED;
	if (!operation_name(operation))
		return CVTPM_PPI_NOT_IMPLEMENTED;
	switch (server->config->ppi) {
	case CVTPM_SERVE_PPI_ALLOW:
		return CVTPM_PPI_ALLOWED;
	case CVTPM_SERVE_PPI_CONFIRM:
		return CVTPM_PPI_USER_REQUIRED;
	default:
		return CVTPM_PPI_BLOCKED;
	}
}

void presence_show(struct server *server, bool fresh)
{
	const struct area *area = &server->page.areas.ppi;
	uint8_t func[FUNC_COUNT];

	if (!area->memory)
		return;
	for (uint32_t operation = 0; operation < FUNC_COUNT; operation++)
		func[operation] = permission(server, operation);
	if (fresh)
		shared_zero(area->memory, area->size);
	shared_copy_in(area->memory + CVTPM_PPI_FUNC, func, sizeof func);
}

bool presence_take(struct server *server, struct presence_request *request)
{
	const struct area *area = &server->page.areas.ppi;

	if (!area->memory)
		return false;
	request->operation = area_get(area, CVTPM_PPI_PPRQ);
	request->parameter = area_get(area, CVTPM_PPI_PPRM);
	area_put(area, CVTPM_PPI_PPRQ, 0);
	area_put(area, CVTPM_PPI_PPRM, 0);
	return request->operation != OP_NONE;
}

/* ---- the operations, with platform authority ---- */

static int execute(void *context, const uint8_t *command, size_t command_len, uint8_t *response,
		   size_t *response_len)
{
	return cvtpm_instance_execute(context, 0, command, command_len, response, response_len);
}

/* Clear may have been switched off by the guest; the platform switches it on. */
static int clear(struct tpm_client *tpm)
{
	CVTPM_TRY(tpm_clear_control(tpm, TPM_RH_PLATFORM, false));
	return tpm_clear(tpm, TPM_RH_PLATFORM);
}

/* CVTPM_ERR_PARAM: no bank at all, or one that the TPM does not have. */
static int set_pcr_banks(struct tpm_client *tpm, uint32_t bits)
{
	struct tpm_pcr_bank banks[MAX_BANKS];
	size_t count = MAX_BANKS;
	uint32_t found = 0;

	CVTPM_TRY(tpm_get_pcr_banks(tpm, banks, &count));
	for (size_t i = 0; i < count; i++) {
		banks[i].pcrs = 0;
		for (size_t h = 0; h < sizeof hash_bits / sizeof *hash_bits; h++) {
			if (hash_bits[h].hash != banks[i].hash || !(bits & hash_bits[h].bit))
				continue;
			banks[i].pcrs = ALL_PCRS;
			found |= hash_bits[h].bit;
		}
	}
	if (bits == 0 || found != bits)
		return CVTPM_ERR_PARAM;
	return tpm_pcr_allocate(tpm, banks, count);
}

static uint32_t run_operation(struct server *server, const struct presence_request *request)
{
	struct cvtpm_instance *instance = server->worker.tpm.instance;
	struct tpm_client *tpm = malloc(sizeof *tpm);
	int err = CVTPM_ERR_NO_MEMORY;

	if (tpm) {
		tpm_client_begin(tpm, execute, instance);
		err = cvtpm_instance_startup(instance, false);
	}
	if (err == 0)
		err = request->operation == OP_SET_PCR_BANKS
			      ? set_pcr_banks(tpm, request->parameter)
			      : clear(tpm);
	const uint32_t result = err == 0               ? 0
				: err == CVTPM_ERR_TPM ? (tpm->rc & 0xFFF)
						       : RESULT_FAILURE;

	free(tpm);
	return result;
}

/* Physical presence is the operator's: given once, for the next reset. */
static bool is_confirmed(struct server *server)
{
	if (server->config->ppi == CVTPM_SERVE_PPI_ALLOW)
		return true;
	return server->config->ppi == CVTPM_SERVE_PPI_CONFIRM &&
	       atomic_exchange(&server->presence, false);
}

static const char *why_refused(const struct server *server, const char *name)
{
	if (!name)
		return "it is not implemented";
	return server->config->ppi == CVTPM_SERVE_PPI_CONFIRM
		       ? "nobody has confirmed it; send SIGUSR1 before the machine's reset"
		       : "--ppi block";
}

int presence_carry_out(struct server *server, const struct presence_request *request)
{
	const struct area *area = &server->page.areas.ppi;
	const char *name = operation_name(request->operation);
	const bool confirmed = name && is_confirmed(server);
	uint32_t result = name ? RESULT_ABORTED : RESULT_FAILURE;
	int err = 0;

	if (confirmed) {
		result = run_operation(server, request);
		cvtpm_instance_shutdown(server->worker.tpm.instance);
		err = cvtpm_instance_reset(server->worker.tpm.instance);
		server_log(
			server, result ? CVTPM_LOG_WARN : CVTPM_LOG_INFO,
			"physical presence: %s (operation %u, parameter %u), as the guest asked: "
			"result 0x%x",
			name, request->operation, request->parameter, result);
	} else {
		server_log(server, CVTPM_LOG_WARN,
			   "physical presence: the guest asked for operation %u (%s), which is not "
			   "carried out: %s",
			   request->operation, name ? name : "unknown", why_refused(server, name));
	}
	area_put(area, CVTPM_PPI_LPPR, request->operation);
	area_put(area, CVTPM_PPI_PPRP, result);
	return err;
}
