/*
 * SEV-SNP: attestation reports and where they come from.
 *
 * A report is a structure signed by the AMD secure processor (AMD-SP) over 64
 * bytes of the requester's choice (REPORT_DATA) and everything that the
 * processor knows of the guest. Its layout is AMD publication 56860, table
 * ATTESTATION_REPORT; the messages that fetch one are chapters 7 and 8 there.
 *
 * A provider is one way to get reports: the encrypted guest messages
 * themselves (freestanding: firmware uses it), the Linux device
 * /dev/sev-guest, Linux's configfs-tsm, or the simulated AMD-SP of the lab.
 */
#ifndef CVTPM_SNP_H
#define CVTPM_SNP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SNP_REPORT_SIZE        0x4A0
#define SNP_REPORT_SIGNED_SIZE 0x2A0
#define SNP_REPORT_DATA_SIZE   64
#define SNP_MEASUREMENT_SIZE   48
#define SNP_DERIVED_KEY_SIZE   32

/* The most that a certificate table of an extended report may take (Linux's limit). */
#define SNP_CERTS_MAX_SIZE 0x4000

/* Who else can act where the TPM runs (docs/decisions.md, evidence). A claim for
 * the reader: a verifier takes it from its policy for a measurement. */
enum cvtpm_isolation {
	CVTPM_ISOLATION_SVSM,    /* VMPL 0, the guest's kernel is kept out */
	CVTPM_ISOLATION_PROCESS, /* a process: root of this guest can do what the TPM can */
};

struct cvtpm_snp_provider;

struct cvtpm_snp_provider_ops {
	/* Asks for a report at VMPL 0 over `report_data`. What comes has the form of
	 * a report with this REPORT_DATA; its signature is for a verifier.
	 * CVTPM_ERR_PEER: refused by firmware or hypervisor, whose codes are in the
	 * provider's `status`. CVTPM_ERR_FORMAT, CVTPM_ERR_AUTH: the answer could not
	 * be trusted. CVTPM_ERR_KEY_GONE: the VMPCK was wiped after such an answer or
	 * refusal, and nothing will come any more. CVTPM_ERR_NOT_FOUND: there is no
	 * such device. */
	int (*report)(struct cvtpm_snp_provider *provider,
		      const uint8_t report_data[SNP_REPORT_DATA_SIZE],
		      uint8_t report[SNP_REPORT_SIZE]);

	/* The certificate table (GHCB specification, 4.1.8.1) that the host has put
	 * beside reports, `*len` bytes at `table`; *len 0 when it has put none.
	 * CVTPM_ERR_SIZE: `*len` is the length needed. NULL: not offered. */
	int (*certificates)(struct cvtpm_snp_provider *provider, uint8_t *table, size_t *len);

	/* A key that only this guest image on this chip gets: root VCEK, VMPL 0,
	 * measurement and guest policy mixed in (MSG_KEY_REQ). NULL: not offered. */
	int (*derived_key)(struct cvtpm_snp_provider *provider, uint8_t key[SNP_DERIVED_KEY_SIZE]);

	/* Releases the provider, wiping its keys. */
	void (*close)(struct cvtpm_snp_provider *provider);
};

/* The first member of every provider. */
struct cvtpm_snp_provider {
	const struct cvtpm_snp_provider_ops *ops;
	const char *name; /* "guest-message", "sev-guest", "configfs-tsm", "lab" */
	enum cvtpm_isolation isolation;
	bool lab; /* evidence of a simulated processor: worthless outside a test */
	struct {
		uint32_t firmware; /* AMD-SP status of the last failed request, or 0 */
		uint32_t vmm;      /* hypervisor's error of the last failed request, or 0 */
	} status;
};

#endif
