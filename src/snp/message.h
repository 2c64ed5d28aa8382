/*
 * Guest messages (AMD publication 56860, chapter 7): one page each, a header of
 * 96 bytes and a payload encrypted with AES-256-GCM under a VMPCK.
 *
 * The IV is the sequence number, so a number must never be used for two
 * different messages under one key. The header from ALGO on is authenticated
 * with the payload; the sequence number is, through the IV. What lies in the
 * header besides (the second half of AUTHTAG, the reserved bytes at 0x28) must
 * be zero. Reading a message is two steps, for a reader must compare the
 * header with what it expects before it opens the payload.
 */
#ifndef CVTPM_SNP_MESSAGE_H
#define CVTPM_SNP_MESSAGE_H

#include "cvtpm/guest_message.h"
#include "snp/secrets.h"

#include <stddef.h>
#include <stdint.h>

#define SNP_MESSAGE_HEADER_SIZE 0x60
#define SNP_MESSAGE_MAX_PAYLOAD (SNP_PAGE_SIZE - SNP_MESSAGE_HEADER_SIZE)

enum snp_message_offset {
	SNP_MESSAGE_AUTHTAG = 0x00,
	SNP_MESSAGE_SEQNO = 0x20,
	SNP_MESSAGE_ALGO = 0x30, /* from here to the end of the header: authenticated */
	SNP_MESSAGE_HDR_VERSION = 0x31,
	SNP_MESSAGE_HDR_SIZE = 0x32,
	SNP_MESSAGE_TYPE = 0x34,
	SNP_MESSAGE_VERSION = 0x35,
	SNP_MESSAGE_SIZE = 0x36,
	SNP_MESSAGE_VMPCK = 0x3C,
	SNP_MESSAGE_PAYLOAD = 0x60,
};

#define SNP_MESSAGE_ALGO_AES256GCM 1
#define SNP_MESSAGE_HDR_VERSION_1  1

/* MSG_TYPE; each response is its request plus 1. */
enum snp_message_type {
	SNP_MSG_CPUID_REQ = 1,
	SNP_MSG_CPUID_RSP = 2,
	SNP_MSG_KEY_REQ = 3,
	SNP_MSG_KEY_RSP = 4,
	SNP_MSG_REPORT_REQ = 5,
	SNP_MSG_REPORT_RSP = 6,
	SNP_MSG_EXPORT_REQ = 7,
	SNP_MSG_EXPORT_RSP = 8,
	SNP_MSG_IMPORT_REQ = 9,
	SNP_MSG_IMPORT_RSP = 10,
	SNP_MSG_ABSORB_REQ = 11,
	SNP_MSG_ABSORB_RSP = 12,
	SNP_MSG_VMRK_REQ = 13,
	SNP_MSG_VMRK_RSP = 14,
	SNP_MSG_ABSORB_NOMA_REQ = 15,
	SNP_MSG_ABSORB_NOMA_RSP = 16,
	SNP_MSG_TSC_INFO_REQ = 17,
	SNP_MSG_TSC_INFO_RSP = 18,
};

/* What differs between headers; everything else is constant. */
struct snp_message_header {
	uint64_t seqno;
	uint8_t type;    /* MSG_TYPE */
	uint8_t version; /* MSG_VERSION */
	uint8_t vmpck;   /* MSG_VMPCK, 0 to 3 */
	uint16_t size;   /* MSG_SIZE: bytes of payload */
};

/** Writes a message: header, `header->size` bytes of `payload` encrypted under
 *  `key`, and zeros to the end of the page.
 *  CVTPM_ERR_PARAM: a field is out of range. CVTPM_ERR_CRYPTO. */
int snp_message_seal(uint8_t page[SNP_PAGE_SIZE], const struct snp_message_header *header,
		     const uint8_t key[SNP_VMPCK_SIZE], const uint8_t *payload);

/** Reads the header of a message in private memory and checks all that is
 *  constant in it, zeros included. The values are not authenticated yet.
 *  CVTPM_ERR_FORMAT. */
int snp_message_read_header(const uint8_t page[SNP_PAGE_SIZE], struct snp_message_header *header);

/** Authenticates and decrypts the payload of a message whose header has been
 *  read from the same bytes, and compared with what is expected.
 *  CVTPM_ERR_AUTH: the tag does not match; `payload` is then wiped. */
int snp_message_open(const uint8_t page[SNP_PAGE_SIZE], const struct snp_message_header *header,
		     const uint8_t key[SNP_VMPCK_SIZE], uint8_t payload[SNP_MESSAGE_MAX_PAYLOAD]);

#endif
