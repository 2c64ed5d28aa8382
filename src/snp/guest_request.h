/*
 * The payloads of requests to the AMD-SP for reports and keys, which every
 * provider shares: guest messages (cvtpm/guest_message.h) and Linux's device.
 */
#ifndef CVTPM_SNP_GUEST_REQUEST_H
#define CVTPM_SNP_GUEST_REQUEST_H

#include "cvtpm/guest_message.h"
#include "cvtpm/snp.h"

#include <stdint.h>

/* STATUS in MSG_REPORT_RSP and MSG_KEY_RSP, and AMD-SP status codes. */
#define SNP_STATUS_SUCCESS            0x00u
#define SNP_STATUS_INVALID_GUEST      0x10u
#define SNP_STATUS_INVALID_PARAMETERS 0x16u
#define SNP_STATUS_AEAD_OVERFLOW      0x1Du
#define SNP_STATUS_INVALID_KEY        0x27u

#define SNP_REPORT_REQ_SIZE 0x60
#define SNP_REPORT_RSP_SIZE (0x20 + SNP_REPORT_SIZE)
#define SNP_KEY_REQ_SIZE    0x20 /* message version 1 */
#define SNP_KEY_RSP_SIZE    0x40

enum snp_payload_offset {
	SNP_REPORT_REQ_REPORT_DATA = 0x00,
	SNP_REPORT_REQ_VMPL = 0x40,
	SNP_REPORT_REQ_KEY_SEL = 0x44, /* bits 1:0 */
	SNP_REPORT_REQ_RESERVED = 0x48,
	SNP_REPORT_RSP_STATUS = 0x00,
	SNP_REPORT_RSP_REPORT_SIZE = 0x04,
	SNP_REPORT_RSP_REPORT = 0x20,
	SNP_KEY_REQ_ROOT_KEY_SELECT = 0x00, /* bit 0: VMRK; bits 2:1: KEY_SEL */
	SNP_KEY_REQ_RESERVED = 0x04,
	SNP_KEY_REQ_GUEST_FIELD_SELECT = 0x08,
	SNP_KEY_REQ_VMPL = 0x10,
	SNP_KEY_REQ_GUEST_SVN = 0x14,
	SNP_KEY_REQ_TCB_VERSION = 0x18,
	SNP_KEY_RSP_STATUS = 0x00,
	SNP_KEY_RSP_DERIVED_KEY = 0x20,
};

enum snp_key_sel {
	SNP_KEY_SEL_ANY = 0, /* VLEK if the host has loaded one, else VCEK */
	SNP_KEY_SEL_VCEK = 1,
	SNP_KEY_SEL_VLEK = 2,
};

/* GUEST_FIELD_SELECT */
#define SNP_KEY_FIELD_GUEST_POLICY (1ull << 0)
#define SNP_KEY_FIELD_IMAGE_ID     (1ull << 1)
#define SNP_KEY_FIELD_FAMILY_ID    (1ull << 2)
#define SNP_KEY_FIELD_MEASUREMENT  (1ull << 3)
#define SNP_KEY_FIELD_GUEST_SVN    (1ull << 4)
#define SNP_KEY_FIELD_TCB_VERSION  (1ull << 5)

/** MSG_REPORT_REQ with KEY_SEL 0. */
void snp_report_request_write(uint8_t payload[SNP_REPORT_REQ_SIZE],
			      const uint8_t report_data[SNP_REPORT_DATA_SIZE], uint32_t vmpl);

/** Reads a MSG_REPORT_RSP of `len` bytes that answers such a request (bytes after
 *  it, as Linux's buffer has, are ignored) and copies the report out when it has
 *  the form of one, for this REPORT_DATA and VMPL.
 *  CVTPM_ERR_PEER: `*status` is not 0. CVTPM_ERR_FORMAT. */
int snp_report_response_read(const uint8_t *payload, size_t len,
			     const uint8_t report_data[SNP_REPORT_DATA_SIZE], uint32_t vmpl,
			     uint32_t *status, uint8_t report[SNP_REPORT_SIZE]);

/** MSG_KEY_REQ, version 1: root VCEK, VMPL `vmpl`, guest policy and measurement mixed in. */
void snp_key_request_write(uint8_t payload[SNP_KEY_REQ_SIZE], enum snp_key_sel key_sel,
			   uint32_t vmpl);

/** Reads a MSG_KEY_RSP. CVTPM_ERR_PEER: `*status` is not 0. CVTPM_ERR_FORMAT. */
int snp_key_response_read(const uint8_t *payload, size_t len, uint32_t *status,
			  uint8_t key[SNP_DERIVED_KEY_SIZE]);

#endif
