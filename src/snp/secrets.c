#include "snp/secrets.h"

#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "snp/le.h"

uint8_t *snp_secrets_vmpck(uint8_t secrets[SNP_SECRETS_SIZE], unsigned index)
{
	return secrets + SNP_SECRETS_VMPCK0 + index * SNP_VMPCK_SIZE;
}

bool snp_secrets_vmpck_present(const uint8_t secrets[SNP_SECRETS_SIZE], unsigned index)
{
	return !cvtpm_is_zero(secrets + SNP_SECRETS_VMPCK0 + index * SNP_VMPCK_SIZE,
			      SNP_VMPCK_SIZE);
}

void snp_secrets_wipe_vmpck(uint8_t secrets[SNP_SECRETS_SIZE], unsigned index)
{
	cvtpm_wipe(snp_secrets_vmpck(secrets, index), SNP_VMPCK_SIZE);
}

uint32_t snp_secrets_seqno(const uint8_t secrets[SNP_SECRETS_SIZE], unsigned index)
{
	return snp_get32(secrets + SNP_SECRETS_MSG_SEQNO_0 + index * 4);
}

void snp_secrets_set_seqno(uint8_t secrets[SNP_SECRETS_SIZE], unsigned index, uint32_t seqno)
{
	snp_put32(secrets + SNP_SECRETS_MSG_SEQNO_0 + index * 4, seqno);
}

void snp_secrets_copy_for_vmpl(const uint8_t secrets[SNP_SECRETS_SIZE], unsigned vmpl,
			       uint8_t copy[SNP_SECRETS_SIZE])
{
	memcpy(copy, secrets, SNP_SECRETS_SIZE);
	for (unsigned i = 0; i < vmpl && i < SNP_VMPCK_COUNT; i++)
		snp_secrets_wipe_vmpck(copy, i);
}
