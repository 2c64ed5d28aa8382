/*
 * The HCL report: what the paravisor of an Azure confidential VM (OpenHCL, or
 * its predecessor) leaves in NV index 0x01400001 of its vTPM. It ties the
 * vTPM's attestation key to the SEV-SNP report of the paravisor:
 *
 *	0x000  32  header: "HCLA", version, size, request type, status, 3 reserved
 *	0x020 1184 ATTESTATION_REPORT
 *	0x4C0  20  runtime header: size, version, report type, hash type, size of the JSON
 *	0x4D4      runtime data, JSON (RFC 8259): "keys", a JSON Web Key Set; then zeros
 *
 * Numbers are 32 bits, little-endian. REPORT_DATA is the SHA-256 of the JSON, then 32
 * zeros. Nothing but the report and the JSON is covered by a signature: the headers
 * say where things are, and prove nothing.
 *
 * Where this is known from: five genuine reports (tests/data/coco-trustee) have header
 * versions 1 and 2, runtime header version 1, request type 2, status 0, and all that is
 * required below. Public sources of the paravisor (OpenVMM, crate cvm tests and
 * igvm_attest) name the fields, request types 1 to 3, report types 1 VBS, 2 SNP,
 * 3 none, 4 TDX, hash types 1 SHA-256, 2 SHA-384, 3 SHA-512, and runtime header
 * version 2, in requests with a bitmap of 4 bytes between that header and the JSON: no
 * sample of a version 2 was at hand. Microsoft's "Guest attestation design for
 * confidential VMs" gives the members of the JSON.
 *
 * Functions answer 0, a positive enum cvtpm_hcl_problem (the bytes are not what they must
 * be), or a negative enum cvtpm_err (a fault here). No state; any number of threads.
 *
 * Hosted (OpenSSL 3, jansson).
 */
#ifndef CVTPM_HCL_H
#define CVTPM_HCL_H

#include "cvtpm/snp.h"
#include "cvtpm/tpm_evidence.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CVTPM_HCL_MAX_SIZE       16384 /* larger ones are refused; genuine ones have 2,600 bytes */
#define CVTPM_HCL_USER_DATA_SIZE 64

enum cvtpm_hcl_problem {
	CVTPM_HCL_FINE = 0,
	CVTPM_HCL_TRUNCATED,       /* ends before what its sizes announce */
	CVTPM_HCL_TOO_LARGE,       /* over CVTPM_HCL_MAX_SIZE */
	CVTPM_HCL_SIGNATURE,       /* does not begin with "HCLA" */
	CVTPM_HCL_VERSION,         /* of the header: neither 1 nor 2 */
	CVTPM_HCL_REQUEST_TYPE,    /* not that of an attestation key (2) */
	CVTPM_HCL_STATUS,          /* status or a reserved field is not zero */
	CVTPM_HCL_RUNTIME_VERSION, /* of the runtime header: neither 1 nor 2 */
	CVTPM_HCL_REPORT_TYPE,     /* not of SEV-SNP: VBS, TDX or none */
	CVTPM_HCL_HASH_TYPE,       /* not SHA-256 */
	CVTPM_HCL_SIZES,           /* the sizes contradict each other */
	CVTPM_HCL_PADDING,         /* something else than zeros behind the JSON */
	CVTPM_HCL_BINDING,         /* REPORT_DATA is not the digest of the JSON and zeros */
	CVTPM_HCL_JSON,            /* not JSON, a name twice, or a member of another type */
	CVTPM_HCL_KEY,             /* not exactly one usable HCLAkPub that signs */
	CVTPM_HCL_PROBLEM_COUNT
};

/** A short stable name for programs ("hcl-binding"). Static, never NULL. */
const char *cvtpm_hcl_problem_id(int problem);

/** The same for people, a phrase without a full stop that fits after "the HCL report: ".
 *  A negative value gives cvtpm_strerror(). Static, never NULL. */
const char *cvtpm_hcl_problem_text(int problem);

/* Its parts, where they lie in the caller's bytes. */
struct cvtpm_hcl {
	uint32_t version, runtime_version;
	const uint8_t *report; /* SNP_REPORT_SIZE */
	const char *json;      /* no terminator; any byte may be in it */
	size_t json_len;
};

/** Whether bytes begin like a HCL report, for programs that take several kinds. */
bool cvtpm_hcl_is(const uint8_t *bytes, size_t len);

/** Takes a HCL report of `len` bytes apart, strictly; zeros may follow it. Any problem down
 *  to PADDING. Says nothing of the report's signature. */
int cvtpm_hcl_read(const uint8_t *bytes, size_t len, struct cvtpm_hcl *out);

/** REPORT_DATA is SHA-256 of the JSON, then zeros. BINDING. CVTPM_ERR_CRYPTO. */
int cvtpm_hcl_check_binding(const struct cvtpm_hcl *hcl);

/* A member that may be missing. */
enum cvtpm_hcl_flag { CVTPM_HCL_NOT_SAID, CVTPM_HCL_NO, CVTPM_HCL_YES };

/* The runtime data. All of it is as good as the paravisor whose MEASUREMENT the
 * report has, and no better. Members not named here are passed over. */
struct cvtpm_hcl_runtime {
	struct cvtpm_tpm_key ak; /* HCLAkPub: modulus; the exponent is 65537 */
	bool has_user_data;
	uint8_t user_data[CVTPM_HCL_USER_DATA_SIZE]; /* what the guest wrote to NV index 0x01400002
							before: room for a nonce */
	/* "vm-configuration" */
	enum cvtpm_hcl_flag console_enabled, secure_boot, tpm_enabled, tpm_persisted;
	char vm_unique_id[37]; /* a GUID as text; "": not said */
};

/** Reads the runtime data, after checking that REPORT_DATA covers it. BINDING, JSON, KEY;
 *  CVTPM_ERR_CRYPTO, CVTPM_ERR_NO_MEMORY. */
int cvtpm_hcl_read_runtime(const struct cvtpm_hcl *hcl, struct cvtpm_hcl_runtime *out);

#endif
