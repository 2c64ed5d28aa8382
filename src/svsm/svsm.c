/* Registers to protocols: include/cvtpm/svsm.h. */
#include "svsm/internal.h"

#include "crypto/crypto.h"
#include "cvtpm/ek_template.h"
#include "cvtpm/err.h"

#define CORE_QUERY_PROTOCOL 6u

/* Both protocols have had one version so far. */
#define PROTOCOL_VERSION 1u

static bool svsm_may_attest(const struct cvtpm_svsm *svsm)
{
	const struct cvtpm_snp_provider *provider = svsm->config.provider;
	struct cvtpm_instance_info info;

	if (!provider)
		return false;
	cvtpm_instance_get_info(svsm->config.instance, &info);
	return info.evidence && info.lab == provider->lab;
}

int cvtpm_svsm_init(struct cvtpm_svsm *svsm, const struct cvtpm_svsm_config *config)
{
	struct cvtpm_instance_info info;

	*svsm = (struct cvtpm_svsm){.config = *config};
	if (!config->instance || !config->memory.check || !config->memory.copy_in ||
	    !config->memory.copy_out)
		return CVTPM_ERR_PARAM;
	if (!config->ek)
		svsm->config.ek = CVTPM_EK_RSA2048;
	if (!cvtpm_ek_template_of(svsm->config.ek))
		return CVTPM_ERR_PARAM;
	if (!config->provider)
		return 0;
	if (!svsm_may_attest(svsm))
		return CVTPM_ERR_POLICY;
	cvtpm_instance_get_info(config->instance, &info);
	return info.eks & (unsigned)svsm->config.ek ? 0 : CVTPM_ERR_NOT_FOUND;
}

static bool is_offered(const struct cvtpm_svsm *svsm, uint32_t protocol)
{
	return protocol == SVSM_PROTOCOL_VTPM ||
	       (protocol == SVSM_PROTOCOL_ATTESTATION && svsm_may_attest(svsm));
}

/* RCX in: protocol and the version that is wanted; out: the highest and the lowest
 * version, or 0. */
static uint32_t core_call(struct cvtpm_svsm *svsm, uint32_t call, struct cvtpm_svsm_registers *regs)
{
	uint32_t protocol = (uint32_t)(regs->rcx >> 32), version = (uint32_t)regs->rcx;

	if (call != CORE_QUERY_PROTOCOL)
		return SVSM_ERR_UNSUPPORTED_CALL;
	regs->rcx = 0;
	if (is_offered(svsm, protocol) && version == PROTOCOL_VERSION)
		regs->rcx = (uint64_t)PROTOCOL_VERSION << 32 | PROTOCOL_VERSION;
	return SVSM_SUCCESS;
}

static uint32_t dispatch(struct cvtpm_svsm *svsm, struct cvtpm_svsm_registers *regs)
{
	uint32_t protocol = (uint32_t)(regs->rax >> 32), call = (uint32_t)regs->rax;

	if (protocol == SVSM_PROTOCOL_CORE)
		return core_call(svsm, call, regs);
	if (!is_offered(svsm, protocol))
		return SVSM_ERR_UNSUPPORTED_PROTOCOL;
	return protocol == SVSM_PROTOCOL_VTPM ? svsm_vtpm_call(svsm, call, regs)
					      : svsm_attest_call(svsm, call, regs);
}

void cvtpm_svsm_call(struct cvtpm_svsm *svsm, struct cvtpm_svsm_registers *regs)
{
	if (__atomic_exchange_n(&svsm->busy, true, __ATOMIC_ACQUIRE)) {
		regs->rax = SVSM_ERR_BUSY;
		return;
	}
	regs->rax = dispatch(svsm, regs);
	/* Commands hold passwords, responses secrets. */
	cvtpm_wipe(&svsm->work, sizeof svsm->work);
	__atomic_store_n(&svsm->busy, false, __ATOMIC_RELEASE);
}
