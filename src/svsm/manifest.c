#include "svsm/manifest.h"

#include "crypto/mem.h"
#include "cvtpm/ek_template.h"
#include "cvtpm/err.h"
#include "snp/le.h"

#define SERVICE_COUNT 1
#define SERVICES_SIZE (SVSM_MANIFEST_HEADER_SIZE * (1 + SERVICE_COUNT))

const uint8_t svsm_guid_vtpm[SVSM_GUID_SIZE] = {0xEB, 0xF1, 0x76, 0xC4, 0x23, 0x01, 0xA5, 0x45,
						0x96, 0x41, 0xB4, 0xE7, 0xDD, 0xE5, 0xBF, 0xE3};
const uint8_t svsm_guid_services[SVSM_GUID_SIZE] = {0xBB, 0x9E, 0x84, 0x63, 0x92, 0x3D, 0x70, 0x46,
						    0xA1, 0xFF, 0x58, 0xF9, 0xC9, 0x4B, 0x87, 0xBB};

bool svsm_manifest_length_is_safe(size_t len)
{
	const struct cvtpm_ek_template *ek;

	for (size_t i = 0; (ek = cvtpm_ek_template_at(i)) != NULL; i++)
		if (SNP_REPORT_DATA_SIZE + len == cvtpm_ek_public_size(ek))
			return false;
	return true;
}

/* The EK's TPMT_PUBLIC at `out`. */
static int write_ek(struct cvtpm_instance *instance, enum cvtpm_ek ek, uint8_t *out, size_t *len)
{
	uint8_t public[CVTPM_EK_PUBLIC_MAX_SIZE];
	size_t public_len = sizeof public;

	CVTPM_TRY(cvtpm_instance_ek_public(instance, ek, public, &public_len));
	if (public_len - 2 > *len)
		return CVTPM_ERR_SIZE;
	*len = public_len - 2;
	memcpy(out, public + 2, *len);
	return 0;
}

int svsm_manifest_vtpm(struct cvtpm_instance *instance, enum cvtpm_ek ek, uint8_t *out, size_t *len)
{
	CVTPM_TRY(write_ek(instance, ek, out, len));
	return svsm_manifest_length_is_safe(*len) ? 0 : CVTPM_ERR_POLICY;
}

static void write_row(uint8_t *out, const uint8_t guid[SVSM_GUID_SIZE], size_t first, size_t second)
{
	memcpy(out, guid, SVSM_GUID_SIZE);
	snp_put32(out + 16, (uint32_t)first);
	snp_put32(out + 20, (uint32_t)second);
}

int svsm_manifest_services(struct cvtpm_instance *instance, enum cvtpm_ek ek, uint8_t *out,
			   size_t *len)
{
	size_t ek_len;

	if (*len < SERVICES_SIZE)
		return CVTPM_ERR_SIZE;
	ek_len = *len - SERVICES_SIZE;
	CVTPM_TRY(write_ek(instance, ek, out + SERVICES_SIZE, &ek_len));
	*len = SERVICES_SIZE + ek_len;
	write_row(out, svsm_guid_services, *len, SERVICE_COUNT);
	write_row(out + SVSM_MANIFEST_HEADER_SIZE, svsm_guid_vtpm, SERVICES_SIZE, ek_len);
	return svsm_manifest_length_is_safe(*len) ? 0 : CVTPM_ERR_POLICY;
}
