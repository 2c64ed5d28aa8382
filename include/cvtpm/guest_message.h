/*
 * Reports by guest messages: how firmware at VMPL 0 talks to the AMD secure
 * processor itself (AMD publication 56860, chapter 7). Freestanding.
 *
 * A message leaves through a transport, which is the caller's: it puts two pages
 * of shared memory and SNP_GUEST_REQUEST before the hypervisor (GHCB
 * specification, 4.1.7, 4.1.8). The host can read, alter, delay and drop what
 * passes there. The rules that keep the key safe are kept here:
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
 *
 * docs/firmware.md shows it in use.
 */
#ifndef CVTPM_GUEST_MESSAGE_H
#define CVTPM_GUEST_MESSAGE_H

#include "cvtpm/snp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SNP_PAGE_SIZE 4096

/* Hypervisor's errors (upper half of SW_EXITINFO2). */
#define SNP_VMM_INVALID_LEN 1u /* too little room for the certificates */
#define SNP_VMM_BUSY        2u /* send the same message again, later */

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
	bool gone;                         /* the key was wiped */
	uint8_t request[SNP_PAGE_SIZE];    /* our copy: what a retry sends */
	uint8_t response[SNP_PAGE_SIZE];   /* our copy: what is checked */
	uint8_t payload[SNP_PAGE_SIZE];    /* less the header, of either */
	uint8_t certs[SNP_CERTS_MAX_SIZE]; /* our copy of the table */
};

/** Sets a provider up; `&guest->provider` is then used through its ops.
 *  CVTPM_ERR_PARAM: the configuration is wrong. CVTPM_ERR_KEY_GONE: the secrets
 *  page has no such key, because it was wiped, or withheld by an SVSM.
 *  CVTPM_ERR_FORMAT: the counter in the secrets page is not one that complete
 *  exchanges leave (it is odd). */
int cvtpm_guest_message_open(struct snp_guest_message *guest,
			     const struct snp_guest_message_config *config);

#endif
