#include "crypto/crypto.h"
#include "cvtpm/err.h"
#include "manufacture/owner.h"

#define ALG_SHA256 0x000Bu

int provision_read(struct cvtpm_instance *o, uint32_t index, uint8_t *data, size_t len)
{
	struct tpm_nv_public public;

	CVTPM_TRY(tpm_nv_read_public(&o->client, index, &public));
	if (public.size != len)
		return CVTPM_ERR_SIZE;
	return tpm_nv_read(&o->client, TPM_RH_PLATFORM, index, data, len);
}

static int check_locked(struct cvtpm_instance *o, uint32_t index)
{
	const uint32_t wanted = TPMA_NV_WRITTEN | TPMA_NV_WRITELOCKED;
	struct tpm_nv_public public;

	CVTPM_TRY(tpm_nv_read_public(&o->client, index, &public));
	return (public.attributes & wanted) == wanted ? 0 : CVTPM_ERR_STATE;
}

int provision_fill(struct cvtpm_instance *o, uint32_t index, const uint8_t *data, size_t len)
{
	if (len > sizeof o->read_back)
		return CVTPM_ERR_SIZE;
	CVTPM_TRY(tpm_nv_write(&o->client, TPM_RH_PLATFORM, index, data, len));
	CVTPM_TRY(provision_read(o, index, o->read_back, len));
	if (!cvtpm_equal(o->read_back, data, len))
		return CVTPM_ERR_AUTH;
	CVTPM_TRY(tpm_nv_write_lock(&o->client, TPM_RH_PLATFORM, index));
	return check_locked(o, index);
}

int provision_index(struct cvtpm_instance *o, uint32_t index, uint32_t attributes,
		    const uint8_t *data, size_t len)
{
	const struct tpm_nv_public public = {
		.index = index,
		.name_alg = ALG_SHA256,
		.attributes = attributes,
		.size = (uint16_t)len,
	};

	if (len > UINT16_MAX)
		return CVTPM_ERR_SIZE;
	CVTPM_TRY(tpm_nv_define_space(&o->client, TPM_RH_PLATFORM, &public));
	return provision_fill(o, index, data, len);
}
