#include "snp/report.h"

#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "cvtpm/err.h"

enum snp_product snp_product_of_fms(struct snp_fms fms)
{
	if (fms.family == 0x19 && fms.model <= 0x0F)
		return SNP_PRODUCT_MILAN;
	if (fms.family == 0x19 && fms.model >= 0x10 && fms.model <= 0x1F)
		return SNP_PRODUCT_GENOA;
	if (fms.family == 0x19 && fms.model >= 0xA0 && fms.model <= 0xAF)
		return SNP_PRODUCT_GENOA;
	if (fms.family == 0x1A && fms.model <= 0x11)
		return SNP_PRODUCT_TURIN;
	return SNP_PRODUCT_UNKNOWN;
}

enum snp_product snp_report_product(const uint8_t report[SNP_REPORT_SIZE])
{
	struct snp_fms fms;

	if (!snp_report_fms(report, &fms))
		return SNP_PRODUCT_UNKNOWN;
	return snp_product_of_fms(fms);
}

struct snp_tcb snp_tcb_read(enum snp_product product, const uint8_t tcb[8])
{
	if (product == SNP_PRODUCT_TURIN)
		return (struct snp_tcb){.fmc = tcb[0],
					.boot_loader = tcb[1],
					.tee = tcb[2],
					.snp = tcb[3],
					.microcode = tcb[7],
					.reserved = (uint8_t)(tcb[4] | tcb[5] | tcb[6])};
	return (struct snp_tcb){.boot_loader = tcb[0],
				.tee = tcb[1],
				.snp = tcb[6],
				.microcode = tcb[7],
				.reserved = (uint8_t)(tcb[2] | tcb[3] | tcb[4] | tcb[5])};
}

void snp_tcb_write(enum snp_product product, struct snp_tcb parts, uint8_t tcb[8])
{
	memset(tcb, 0, 8);
	if (product == SNP_PRODUCT_TURIN) {
		tcb[0] = parts.fmc;
		tcb[1] = parts.boot_loader;
		tcb[2] = parts.tee;
		tcb[3] = parts.snp;
	} else {
		tcb[0] = parts.boot_loader;
		tcb[1] = parts.tee;
		tcb[6] = parts.snp;
	}
	tcb[7] = parts.microcode;
}

bool snp_tcb_at_least(struct snp_tcb tcb, struct snp_tcb floor)
{
	return tcb.fmc >= floor.fmc && tcb.boot_loader >= floor.boot_loader &&
	       tcb.tee >= floor.tee && tcb.snp >= floor.snp && tcb.microcode >= floor.microcode;
}

/* What each version reserves: from `first` (the lowest version with the range) to `last`. */
static const struct {
	uint16_t offset, size;
	uint8_t first, last;
} reserved[] = {
	{SNP_REPORT_RESERVED_04C, 4, 2, 5},      {SNP_REPORT_CPUID_FAM_ID, 3, 2, 2},
	{SNP_REPORT_RESERVED_18B, 21, 2, 5},     {SNP_REPORT_RESERVED_1EB, 1, 2, 5},
	{SNP_REPORT_RESERVED_1EF, 1, 2, 5},      {SNP_REPORT_LAUNCH_MIT_VECTOR, 16, 2, 4},
	{SNP_REPORT_RESERVED_208, 152, 2, 5},    {SNP_REPORT_SIGNATURE_R + 48, 24, 2, 5},
	{SNP_REPORT_SIGNATURE_S + 48, 24, 2, 5}, {SNP_REPORT_SIGNATURE_RESERVED, 368, 2, 5},
};

int snp_report_check(const uint8_t *report, size_t len)
{
	uint32_t version;

	if (len != SNP_REPORT_SIZE)
		return CVTPM_ERR_SIZE;
	version = snp_report_version(report);
	if (version < SNP_REPORT_VERSION_MIN || version > SNP_REPORT_VERSION_MAX)
		return CVTPM_ERR_UNSUPPORTED;
	if (snp_report_signature_algo(report) != SNP_SIGNATURE_ALGO_ECDSA_P384_SHA384)
		return CVTPM_ERR_UNSUPPORTED;

	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (version >= reserved[i].first && version <= reserved[i].last &&
		    !cvtpm_is_zero(report + reserved[i].offset, reserved[i].size))
			return CVTPM_ERR_FORMAT;
	return 0;
}
