/*
 * Report providers of Linux: /dev/sev-guest and configfs-tsm. Hosted.
 *
 * Both run in a process of the guest, so that a TPM with evidence from them is
 * as trustworthy as root in that guest, no more (CVTPM_ISOLATION_PROCESS).
 * Both are opened with a struct of system calls to use, NULL for the real ones;
 * tests give their own, for the real ones need a confidential VM.
 *
 * A provider is freed by its ops->close. On CVTPM_ERR_IO errno says why.
 */
#ifndef CVTPM_SNP_PROVIDERS_H
#define CVTPM_SNP_PROVIDERS_H

#include "cvtpm/snp.h"

#include <stddef.h>
#include <stdint.h>

/* The device /dev/sev-guest (Linux 5.19 and later), by ioctl. */
struct cvtpm_sev_guest_config {
	const char *path; /* NULL: "/dev/sev-guest" */
	uint32_t vmpl;    /* what reports and keys are asked for; default 0 */

	/* open(2), ioctl(2) and close(2): -1 and errno on failure. All NULL: the real ones. */
	int (*open)(void *context, const char *path);
	int (*ioctl)(void *context, int fd, unsigned long request, void *argument);
	int (*close)(void *context, int fd);
	void *context;
};

/** Opens the device. CVTPM_ERR_NOT_FOUND: there is none. CVTPM_ERR_IO: it cannot
 *  be opened (it belongs to root). CVTPM_ERR_NO_MEMORY. `config` may be NULL.
 *
 *  Offers report, certificates and derived_key. After the kernel wiped its
 *  VMPCK all of them answer CVTPM_ERR_KEY_GONE. */
int cvtpm_sev_guest_open(const struct cvtpm_sev_guest_config *config,
			 struct cvtpm_snp_provider **provider);

/* The configfs tree of Linux 6.7 and later, /sys/kernel/config/tsm/report. */
struct cvtpm_configfs_tsm_config {
	const char *path; /* NULL: "/sys/kernel/config/tsm/report" */
	uint32_t vmpl;    /* privlevel; default 0 */

	/* mkdir(2), rmdir(2), and whole-file reading and writing: -1 and errno on
	 * failure; read gives the number of bytes. All NULL: the real ones. */
	int (*mkdir)(void *context, const char *path);
	int (*rmdir)(void *context, const char *path);
	long (*read)(void *context, const char *path, uint8_t *out, size_t room);
	int (*write)(void *context, const char *path, const uint8_t *data, size_t len);
	void *context;
};

/** Looks whether the tree is there and its provider is "sev_guest".
 *  CVTPM_ERR_NOT_FOUND: not. CVTPM_ERR_IO: no permission. CVTPM_ERR_NO_MEMORY.
 *  CVTPM_ERR_UNSUPPORTED: another provider (TDX, an SVSM service).
 *
 *  Offers report and certificates; no derived key. Each report has an entry of
 *  its own in the tree, removed afterwards, also on errors. CVTPM_ERR_BUSY:
 *  somebody else wrote to our entry while we used it. CVTPM_ERR_POLICY: the
 *  guest runs at a VMPL that may not ask for this one (privlevel_floor). */
int cvtpm_configfs_tsm_open(const struct cvtpm_configfs_tsm_config *config,
			    struct cvtpm_snp_provider **provider);

/** The provider of this machine: /dev/sev-guest, else configfs-tsm.
 *  CVTPM_ERR_NOT_FOUND: this is no SEV-SNP guest. CVTPM_ERR_IO: it is one, but
 *  the device cannot be opened (errno). */
int cvtpm_snp_provider_detect(struct cvtpm_snp_provider **provider);

#endif
