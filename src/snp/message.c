#include "snp/message.h"

#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "cvtpm/err.h"
#include "snp/le.h"

enum {
	TAG_SIZE = 16,
	AAD_SIZE = SNP_MESSAGE_HEADER_SIZE - SNP_MESSAGE_ALGO,
};

static void make_iv(uint64_t seqno, uint8_t iv[12])
{
	snp_put64(iv, seqno);
	snp_put32(iv + 8, 0);
}

static void write_header(uint8_t page[SNP_MESSAGE_HEADER_SIZE],
			 const struct snp_message_header *header)
{
	memset(page, 0, SNP_MESSAGE_HEADER_SIZE);
	snp_put64(page + SNP_MESSAGE_SEQNO, header->seqno);
	page[SNP_MESSAGE_ALGO] = SNP_MESSAGE_ALGO_AES256GCM;
	page[SNP_MESSAGE_HDR_VERSION] = SNP_MESSAGE_HDR_VERSION_1;
	snp_put16(page + SNP_MESSAGE_HDR_SIZE, SNP_MESSAGE_HEADER_SIZE);
	page[SNP_MESSAGE_TYPE] = header->type;
	page[SNP_MESSAGE_VERSION] = header->version;
	snp_put16(page + SNP_MESSAGE_SIZE, header->size);
	page[SNP_MESSAGE_VMPCK] = header->vmpck;
}

int snp_message_seal(uint8_t page[SNP_PAGE_SIZE], const struct snp_message_header *header,
		     const uint8_t key[SNP_VMPCK_SIZE], const uint8_t *payload)
{
	uint8_t iv[12];

	if (header->size > SNP_MESSAGE_MAX_PAYLOAD || header->vmpck >= SNP_VMPCK_COUNT ||
	    header->seqno == 0)
		return CVTPM_ERR_PARAM;

	make_iv(header->seqno, iv);
	write_header(page, header);
	memset(page + SNP_MESSAGE_PAYLOAD, 0, SNP_MESSAGE_MAX_PAYLOAD);
	return cvtpm_aes256gcm_seal(key, iv, page + SNP_MESSAGE_ALGO, AAD_SIZE, payload,
				    header->size, page + SNP_MESSAGE_PAYLOAD,
				    page + SNP_MESSAGE_AUTHTAG);
}

int snp_message_read_header(const uint8_t page[SNP_PAGE_SIZE], struct snp_message_header *header)
{
	uint8_t expected[SNP_MESSAGE_HEADER_SIZE];

	header->seqno = snp_get64(page + SNP_MESSAGE_SEQNO);
	header->type = page[SNP_MESSAGE_TYPE];
	header->version = page[SNP_MESSAGE_VERSION];
	header->size = snp_get16(page + SNP_MESSAGE_SIZE);
	header->vmpck = page[SNP_MESSAGE_VMPCK];
	if (header->size > SNP_MESSAGE_MAX_PAYLOAD || header->vmpck >= SNP_VMPCK_COUNT)
		return CVTPM_ERR_FORMAT;

	/* Written again from what was read, it must be the same but for the tag. */
	write_header(expected, header);
	memcpy(expected + SNP_MESSAGE_AUTHTAG, page + SNP_MESSAGE_AUTHTAG, TAG_SIZE);
	if (memcmp(expected, page, SNP_MESSAGE_HEADER_SIZE) != 0)
		return CVTPM_ERR_FORMAT;
	return 0;
}

int snp_message_open(const uint8_t page[SNP_PAGE_SIZE], const struct snp_message_header *header,
		     const uint8_t key[SNP_VMPCK_SIZE], uint8_t payload[SNP_MESSAGE_MAX_PAYLOAD])
{
	uint8_t iv[12];

	make_iv(header->seqno, iv);
	return cvtpm_aes256gcm_open(key, iv, page + SNP_MESSAGE_ALGO, AAD_SIZE,
				    page + SNP_MESSAGE_PAYLOAD, header->size,
				    page + SNP_MESSAGE_AUTHTAG, payload);
}
