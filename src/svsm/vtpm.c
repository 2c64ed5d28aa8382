/*
 * The vTPM protocol (AMD 58019, 8). The request's header and that of the response
 * are little-endian; what is behind them is the TPM's, big-endian:
 *
 *     request   u32 platform command, u8 locality, u32 size, command
 *     response  u32 size, response
 */
#include "svsm/internal.h"

#include "snp/le.h"

#define VTPM_QUERY 0u
#define VTPM_CMD   1u

#define REQUEST_LOCALITY     4
#define REQUEST_SIZE         5
#define REQUEST_HEADER_SIZE  9
#define RESPONSE_HEADER_SIZE 4
#define RESPONSE_MAX_SIZE    (SVSM_PAGE_SIZE - RESPONSE_HEADER_SIZE)

#define TPM_HEADER_SIZE 10u

/* Platform commands are those of the reference simulator, a bit for each. */
#define TPM_SEND_COMMAND   8u
#define BIT(n)             ((uint64_t)1 << (n))
#define COMMANDS_ENABLED   BIT(TPM_SEND_COMMAND)
#define COMMANDS_1_TO_18   (BIT(19) - BIT(1))
#define COMMANDS_20_AND_21 (BIT(20) | BIT(21))
#define COMMANDS_KNOWN                                                                             \
	(COMMANDS_1_TO_18 | COMMANDS_20_AND_21 | BIT(25) | BIT(26) | BIT(30) | BIT(35) | BIT(36))

static bool is_among(uint64_t commands, uint32_t command)
{
	return command < 64 && (commands >> command & 1);
}

static uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The size inside the TPM's header is the size around it. */
static bool is_sound(const uint8_t *page, uint32_t size)
{
	return page[REQUEST_LOCALITY] == 0 && size >= TPM_HEADER_SIZE &&
	       size <= CVTPM_SVSM_BUFFER_SIZE && get_be32(page + REQUEST_HEADER_SIZE + 2) == size;
}

static uint32_t send_command(struct cvtpm_svsm *svsm, uint64_t address)
{
	const struct cvtpm_svsm_memory *memory = &svsm->config.memory;
	const uint8_t *page = svsm->work.vtpm.page;
	uint8_t *out = svsm->work.vtpm.response;
	uint32_t size = snp_get32(page + REQUEST_SIZE);
	size_t len = sizeof svsm->work.vtpm.response - RESPONSE_HEADER_SIZE;

	if (!is_sound(page, size))
		return SVSM_ERR_INVALID_PARAMETER;
	if (cvtpm_instance_execute(svsm->config.instance, 0, page + REQUEST_HEADER_SIZE, size,
				   out + RESPONSE_HEADER_SIZE, &len) < 0)
		return SVSM_ERR_INVALID_REQUEST;
	if (len > RESPONSE_MAX_SIZE) /* an engine with a larger buffer than this transport's */
		return SVSM_ERR_INVALID_REQUEST;
	snp_put32(out, (uint32_t)len);
	return memory->copy_out(memory->context, address, out, RESPONSE_HEADER_SIZE + len)
		       ? SVSM_SUCCESS
		       : SVSM_ERR_INVALID_PARAMETER;
}

/* The buffer is a page long and need not be aligned. It is read whole, and must
 * take a response before its command is executed. */
static uint32_t platform_command(struct cvtpm_svsm *svsm, uint64_t address)
{
	const struct cvtpm_svsm_memory *memory = &svsm->config.memory;
	uint8_t *page = svsm->work.vtpm.page;
	uint32_t command;

	if (address == 0 || !memory->check(memory->context, address, SVSM_PAGE_SIZE) ||
	    !memory->copy_in(memory->context, address, page, SVSM_PAGE_SIZE))
		return SVSM_ERR_INVALID_PARAMETER;
	command = snp_get32(page);
	if (!is_among(COMMANDS_KNOWN, command))
		return SVSM_ERR_INVALID_PARAMETER;
	if (!is_among(COMMANDS_ENABLED, command))
		return SVSM_ERR_UNSUPPORTED_CALL;
	return send_command(svsm, address);
}

uint32_t svsm_vtpm_call(struct cvtpm_svsm *svsm, uint32_t call, struct cvtpm_svsm_registers *regs)
{
	switch (call) {
	case VTPM_QUERY:
		regs->rcx = COMMANDS_ENABLED;
		regs->rdx = 0; /* features: none are defined */
		return SVSM_SUCCESS;
	case VTPM_CMD:
		return platform_command(svsm, regs->rcx);
	default:
		return SVSM_ERR_UNSUPPORTED_CALL;
	}
}
