/*
 * A simulated AMD secure processor, for laboratories and tests. Hosted.
 *
 * Two things. The LAB is a folder: a chip with its identity, TCB and VCEK under
 * an ASK and ARK of its own, in AMD's shape to the last extension; made once and
 * kept. The AMDSP is one launched guest on that chip: it holds four fresh VMPCKs
 * and answers guest messages under the same rules as the real one, encrypted,
 * counted and authenticated, with reports that the lab's VCEK signs.
 *
 * Evidence of a lab proves nothing outside it: its root is not AMD's. No
 * verifier takes it unless told to by name (--lab-root).
 *
 *	struct cvtpm_snp_provider *provider;
 *	int err = cvtpm_amdsp_provider_open(dir, NULL, &provider);
 *
 * is all that most callers need. What lies in the folder (0700; files 0600):
 *
 *	ark.pem      the lab's root: what --lab-root takes
 *	certs.pem    VCEK, ASK, ARK: what --certs takes
 *	measurement  96 hex digits and a line feed: the MEASUREMENT of the last launch
 *	ark.key ask.key vcek.key chip    the chip itself
 */
#ifndef CVTPM_AMDSP_H
#define CVTPM_AMDSP_H

#include "cvtpm/platform.h"
#include "cvtpm/snp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the lab ---- */

enum cvtpm_amdsp_product {
	CVTPM_AMDSP_MILAN,
	CVTPM_AMDSP_GENOA,
	CVTPM_AMDSP_TURIN,
};

struct cvtpm_amdsp_lab;

struct cvtpm_amdsp_lab_options {
	/* What chip to make where there is none yet. An existing lab stays what it is. */
	enum cvtpm_amdsp_product product;

	/* Told in one line what was made, or why something could not be. May be NULL. */
	void (*log)(void *context, enum cvtpm_log_level level, const char *line);
	void *log_context;
};

/** The default folder: $XDG_STATE_HOME/cvtpm/lab, else ~/.local/state/cvtpm/lab;
 *  not made here. CVTPM_ERR_NOT_FOUND: neither variable is set. CVTPM_ERR_SIZE. */
int cvtpm_amdsp_default_dir(char *dir, size_t size);

/** Opens the lab in `dir` (NULL: the default), and makes it first where there is
 *  none: two 4096-bit RSA keys, which takes some seconds. Processes that start at
 *  once wait for the first of them; a lab half made by a killed process is made
 *  again. `*lab` is the caller's, to close.
 *  CVTPM_ERR_IO: errno says why. CVTPM_ERR_POLICY: the folder belongs to somebody
 *  else or others may write to it. CVTPM_ERR_FORMAT: a file in it is damaged (the
 *  lab can be made again by removing the folder). CVTPM_ERR_CRYPTO, _NO_MEMORY. */
int cvtpm_amdsp_lab_open(const char *dir, struct cvtpm_amdsp_lab **lab);

/** The same with options; `options` NULL: a Milan, no log. */
int cvtpm_amdsp_lab_open_with(const char *dir, const struct cvtpm_amdsp_lab_options *options,
			      struct cvtpm_amdsp_lab **lab);

/** Wipes and frees; files stay. NULL is allowed. */
void cvtpm_amdsp_lab_close(struct cvtpm_amdsp_lab *lab);

/** The lab's folder, as it was opened. */
const char *cvtpm_amdsp_lab_dir(const struct cvtpm_amdsp_lab *lab);

/* ---- a launched guest ---- */

/* Wrong answers for tests. All zero: none. Attempts are counted from the launch
 * or the last cvtpm_amdsp_set_faults() on. */
struct cvtpm_amdsp_faults {
	uint32_t firmware; /* every request is refused with this AMD-SP status */
	uint32_t vmm;      /* every request is refused with this hypervisor error */
	unsigned busy;     /* the first n requests answer BUSY */
	uint32_t status;   /* STATUS in authenticated answers, without a report or key */
	enum {
		CVTPM_AMDSP_SOUND,
		CVTPM_AMDSP_NO_ANSWER,     /* success, and the response page left as it is */
		CVTPM_AMDSP_GARBAGE,       /* success, and bytes without meaning */
		CVTPM_AMDSP_REPLAY,        /* the answer before this one again */
		CVTPM_AMDSP_FLIP,          /* one bit altered: flip_byte, flip_bit */
		CVTPM_AMDSP_WRONG_KEY,     /* sealed under another key */
		CVTPM_AMDSP_WRONG_SEQNO,   /* properly sealed, sequence number 2 too high */
		CVTPM_AMDSP_WRONG_TYPE,    /* properly sealed, the type of another response */
		CVTPM_AMDSP_WRONG_VERSION, /* properly sealed, message version 2 */
		CVTPM_AMDSP_WRONG_VMPCK,   /* properly sealed, naming the next key */
		CVTPM_AMDSP_WRONG_SIZE,    /* properly sealed, 8 bytes short */
		CVTPM_AMDSP_OVERSIZE,      /* MSG_SIZE beyond the page */
	} answer;
	size_t flip_byte; /* in the response page */
	unsigned flip_bit;
	bool other_report_data; /* a true signature over another REPORT_DATA */
	bool other_measurement; /* MEASUREMENT altered, signed all the same */
	bool other_chip;        /* CHIP_ID is not the VCEK's */
	bool other_tcb;         /* REPORTED_TCB is not the VCEK's */
	bool bad_signature;     /* one bit of r altered */
	bool certs_garbage;     /* certificate table of random bytes */
};

struct cvtpm_amdsp_config {
	unsigned report_version; /* 2, 3, 4 or 5; 0: 3, on a Turin 5 */
	uint64_t policy;         /* 0: 0x30000 (bit 19 is DEBUG) */
	uint32_t vmpl;           /* the provider asks with this VMPCK for this VMPL, 0 to 3 */
	uint32_t guest_svn;
	const uint8_t *measurement;     /* 48 bytes; NULL: SHA-384 of /proc/self/exe */
	const uint8_t *host_data;       /* 32 bytes; NULL: zeros */
	bool without_certs;             /* the host has put no certificate table beside reports */
	enum cvtpm_isolation isolation; /* what the provider says; 0: svsm, whose part it plays */
	struct cvtpm_amdsp_faults faults;
};

struct cvtpm_amdsp;
struct snp_exchange_result; /* cvtpm/guest_message.h */

#define CVTPM_AMDSP_SECRETS_SIZE 4096

/** Launches a guest: fresh VMPCKs and REPORT_ID; writes the lab's `measurement`.
 *  `lab` must stay open as long as `*sp`. `config` may be NULL.
 *  CVTPM_ERR_PARAM, _NO_MEMORY, _ENTROPY, _IO. */
int cvtpm_amdsp_launch(struct cvtpm_amdsp_lab *lab, const struct cvtpm_amdsp_config *config,
		       struct cvtpm_amdsp **sp);
/** Wipes and frees. NULL is allowed. */
void cvtpm_amdsp_destroy(struct cvtpm_amdsp *sp);

/** The secrets page that the guest is launched with. */
void cvtpm_amdsp_secrets(const struct cvtpm_amdsp *sp, uint8_t page[CVTPM_AMDSP_SECRETS_SIZE]);

/** SNP_GUEST_REQUEST over two pages of 4,096 bytes, with the codes that hypervisor
 *  and firmware answer in `*result`. Always returns 0. Sequence numbers go on only
 *  after a request that was decrypted. Signature of struct snp_transport. */
int cvtpm_amdsp_request(void *sp, const uint8_t *request_page, uint8_t *response_page,
			struct snp_exchange_result *result);

/** The same with the host's certificate table: VCEK, ASK, ARK. */
int cvtpm_amdsp_request_extended(void *sp, const uint8_t *request_page, uint8_t *response_page,
				 uint8_t *certs, size_t certs_size,
				 struct snp_exchange_result *result);

/** From now on answers in this way. */
void cvtpm_amdsp_set_faults(struct cvtpm_amdsp *sp, const struct cvtpm_amdsp_faults *faults);

/** 48 bytes: the guest's MEASUREMENT. */
const uint8_t *cvtpm_amdsp_measurement(const struct cvtpm_amdsp *sp);

/* ---- the provider "lab" ---- */

/** Opens the lab in `dir` (NULL: the default), launches a guest on it, and gives
 *  the guest-message provider over it: the code that talks to a real AMD-SP.
 *  Its ops->close frees all of that. Errors: as the functions above. */
int cvtpm_amdsp_provider_open(const char *dir, const struct cvtpm_amdsp_config *config,
			      struct cvtpm_snp_provider **provider);

/** The same on an open lab, which must outlive the provider. */
int cvtpm_amdsp_provider_launch(struct cvtpm_amdsp_lab *lab,
				const struct cvtpm_amdsp_config *config,
				struct cvtpm_snp_provider **provider);

/** The simulated processor behind a provider of the two functions above. */
struct cvtpm_amdsp *cvtpm_amdsp_of(struct cvtpm_snp_provider *provider);

#endif
