/*
 * Requests to the AMD-SP over guest messages, as a report provider.
 *
 * A message leaves through a transport, which the host can read, alter, delay
 * and drop. The rules that keep the key safe (AMD publication 56860, chapter 7,
 * and what Linux learnt):
 *
 * - The counter is advanced before a message leaves, so that nothing, not even
 *   a crash, lets one sequence number encrypt two messages.
 * - The answer is copied out of the shared page before anything is checked; then
 *   each header field; then the tag; nothing is believed before the tag.
 * - The only retry is the same message, byte for byte, from our own copy: when
 *   the hypervisor says BUSY, a bounded number of times; and, when an extended
 *   request had too little room for certificates, as a plain request.
 * - After any other error of hypervisor or firmware, or an answer that cannot be
 *   decoded, the AMD-SP and we may no longer agree on the sequence number: the
 *   VMPCK is wiped in the secrets page, and every later call answers
 *   CVTPM_ERR_KEY_GONE.
 *
 * An error STATUS inside an authenticated answer is none of these: the exchange
 * was complete, and the key stays.
 */
#ifndef CVTPM_SNP_GUEST_REQUEST_H
#define CVTPM_SNP_GUEST_REQUEST_H

#include "cvtpm/snp.h"
#include "snp/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hypervisor's errors (upper half of SW_EXITINFO2). */
#define SNP_VMM_INVALID_LEN 1u /* too little room for the certificates */
#define SNP_VMM_BUSY        2u /* send the same message again, later */

/* STATUS in MSG_REPORT_RSP and MSG_KEY_RSP, and AMD-SP status codes. */
#define SNP_STATUS_SUCCESS            0x00u
#define SNP_STATUS_INVALID_GUEST      0x10u
#define SNP_STATUS_INVALID_PARAMETERS 0x16u
#define SNP_STATUS_AEAD_OVERFLOW      0x1Du
#define SNP_STATUS_INVALID_KEY        0x27u

/* What one exchange brought beside the response page. */
struct snp_exchange_result {
	uint32_t firmware;   /* lower half of SW_EXITINFO2: AMD-SP status, 0 is success */
	uint32_t vmm;        /* upper half: hypervisor's error, 0 is none */
	size_t certs_needed; /* with SNP_VMM_INVALID_LEN: bytes, as the host claims */
};

/* How a message gets to the AMD-SP and back. Pages are SNP_PAGE_SIZE bytes,
 * shared with the host and page-aligned where the host is a real one. */
struct snp_transport {
	void *context;

	/* SNP_GUEST_REQUEST: gives `request_page` to the AMD-SP, whose answer is
	 * put into `response_page`. 0 when the call returned, whatever `*result`
	 * says; negative when it is not known whether the message arrived. */
	int (*exchange)(void *context, const uint8_t *request_page, uint8_t *response_page,
			struct snp_exchange_result *result);

	/* The same with the host's certificate table put at `certs`, `certs_size`
	 * bytes (a multiple of the page size). NULL: not offered. */
	int (*exchange_extended)(void *context, const uint8_t *request_page, uint8_t *response_page,
				 uint8_t *certs, size_t certs_size,
				 struct snp_exchange_result *result);

	/* Waits before a retry after BUSY. NULL: does not wait. */
	void (*pause)(void *context);
};

struct snp_guest_message_config {
	struct snp_transport transport;

	/* The secrets page, private memory, which the provider changes: the counter
	 * when it sends, the key when it must be wiped. Kept as long as it is open. */
	uint8_t *secrets;
	unsigned vmpck; /* which key, 0 to 3: the VMPL that this code runs at */
	uint32_t vmpl;  /* what reports and keys are asked for; at least `vmpck` */

	uint8_t *request_page, *response_page; /* shared memory, SNP_PAGE_SIZE each */
	uint8_t *certs;    /* shared memory for the certificate table, or NULL: not offered */
	size_t certs_size; /* a multiple of SNP_PAGE_SIZE, at most SNP_CERTS_MAX_SIZE */

	unsigned busy_retries; /* how often BUSY is answered with a retry; 0: 30 */
	enum cvtpm_isolation isolation;
	bool lab;
	const char *name; /* NULL: "guest-message" */
};

/* The provider. About 24 KiB, the caller's; its members are private. */
struct snp_guest_message {
	struct cvtpm_snp_provider provider; /* first */
	struct snp_guest_message_config config;
	bool gone;                       /* the key was wiped */
	uint8_t request[SNP_PAGE_SIZE];  /* our copy: what a retry sends */
	uint8_t response[SNP_PAGE_SIZE]; /* our copy: what is checked */
	uint8_t payload[SNP_MESSAGE_MAX_PAYLOAD];
	uint8_t certs[SNP_CERTS_MAX_SIZE]; /* our copy of the table */
};

/** Sets a provider up; `&guest->provider` is then used through its ops.
 *  CVTPM_ERR_PARAM: the configuration is wrong. CVTPM_ERR_KEY_GONE: the secrets
 *  page has no such key, because it was wiped, or withheld by an SVSM.
 *  CVTPM_ERR_FORMAT: the counter in the secrets page is not one that complete
 *  exchanges leave (it is odd). */
int snp_guest_message_open(struct snp_guest_message *guest,
			   const struct snp_guest_message_config *config);

/* ---- payloads, which every provider shares ---- */

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
