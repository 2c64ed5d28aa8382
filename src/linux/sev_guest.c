/*
 * The provider over /dev/sev-guest. The structures are those of Linux's
 * uapi/linux/sev-guest.h, stated here because older headers lack them.
 *
 * The kernel keeps VMPCK and sequence number, and wipes its key as we would; it
 * says so by answering ENOTTY from then on.
 */
#include "crypto/crypto.h"
#include "cvtpm/err.h"
#include "cvtpm/snp_providers.h"
#include "snp/certtable.h"
#include "snp/guest_request.h"
#include "snp/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SNP_GET_REPORT      0xC0205300ul
#define SNP_GET_DERIVED_KEY 0xC0205301ul
#define SNP_GET_EXT_REPORT  0xC0205302ul

#define NO_FIRMWARE_CALL 0xFFu /* what the kernel presets fw_error with */

struct snp_guest_request_ioctl {
	uint8_t msg_version;
	uint8_t padding[7];
	uint64_t req_data, resp_data; /* pointers */
	uint32_t fw_error, vmm_error;
};
_Static_assert(sizeof(struct snp_guest_request_ioctl) == 32, "uapi");

struct snp_report_resp {
	uint8_t data[4000];
};

struct snp_ext_report_req {
	uint8_t data[SNP_REPORT_REQ_SIZE];
	uint64_t certs_address;
	uint32_t certs_len;
	uint32_t padding;
};
_Static_assert(sizeof(struct snp_ext_report_req) == 112, "uapi");

struct sev_guest {
	struct cvtpm_snp_provider provider; /* first */
	struct cvtpm_sev_guest_config config;
	int fd;
	bool gone;
	struct snp_report_resp response;
	_Alignas(4096) uint8_t certs[SNP_CERTS_MAX_SIZE];
};

static struct sev_guest *of(struct cvtpm_snp_provider *provider)
{
	return (struct sev_guest *)provider;
}

static int system_open(void *context, const char *path)
{
	(void)context;
	return open(path, O_RDWR | O_CLOEXEC);
}

static int system_ioctl(void *context, int fd, unsigned long request, void *argument)
{
	(void)context;
	return ioctl(fd, request, argument);
}

static int system_close(void *context, int fd)
{
	(void)context;
	return close(fd);
}

/* One request. 0, or an error with the provider's status set; `*vmm` tells a
 * certificate buffer that is too small from other refusals. */
static int request(struct sev_guest *guest, unsigned long number, const void *req, void *resp)
{
	struct snp_guest_request_ioctl argument = {.msg_version = 1,
						   .req_data = (uintptr_t)req,
						   .resp_data = (uintptr_t)resp,
						   .fw_error = NO_FIRMWARE_CALL};
	int rc;

	if (guest->gone)
		return CVTPM_ERR_KEY_GONE;
	do {
		rc = guest->config.ioctl(guest->config.context, guest->fd, number, &argument);
	} while (rc != 0 && errno == EINTR && argument.fw_error == NO_FIRMWARE_CALL);

	guest->provider.status.firmware = 0;
	guest->provider.status.vmm = argument.vmm_error;
	if (argument.fw_error != NO_FIRMWARE_CALL)
		guest->provider.status.firmware = argument.fw_error;
	if (rc == 0)
		return argument.vmm_error || guest->provider.status.firmware ? CVTPM_ERR_PEER : 0;
	if (errno == ENOTTY) {
		guest->gone = true;
		return CVTPM_ERR_KEY_GONE;
	}
	if (argument.vmm_error || guest->provider.status.firmware)
		return CVTPM_ERR_PEER;
	/* EBADMSG: the kernel could not authenticate the answer, and has wiped its key. */
	return errno == EBADMSG ? CVTPM_ERR_AUTH : CVTPM_ERR_IO;
}

static int read_report(struct sev_guest *guest, const uint8_t *report_data, uint8_t *report)
{
	uint32_t status = 0;
	int err = snp_report_response_read(guest->response.data, sizeof guest->response.data,
					   report_data, guest->config.vmpl, &status, report);

	if (err == CVTPM_ERR_PEER)
		guest->provider.status.firmware = status;
	return err;
}

static int sev_guest_report(struct cvtpm_snp_provider *provider,
			    const uint8_t report_data[SNP_REPORT_DATA_SIZE],
			    uint8_t report[SNP_REPORT_SIZE])
{
	struct sev_guest *guest = of(provider);
	uint8_t req[SNP_REPORT_REQ_SIZE];

	snp_report_request_write(req, report_data, guest->config.vmpl);
	memset(&guest->response, 0, sizeof guest->response);
	CVTPM_TRY(request(guest, SNP_GET_REPORT, req, &guest->response));
	return read_report(guest, report_data, report);
}

/* The table comes beside a report over zeros, which is dropped. */
static int sev_guest_certificates(struct cvtpm_snp_provider *provider, uint8_t *table, size_t *len)
{
	static const uint8_t zeros[SNP_REPORT_DATA_SIZE];
	struct sev_guest *guest = of(provider);
	struct snp_ext_report_req req = {.certs_address = (uintptr_t)guest->certs,
					 .certs_len = sizeof guest->certs};
	uint8_t report[SNP_REPORT_SIZE];

	snp_report_request_write(req.data, zeros, guest->config.vmpl);
	memset(&guest->response, 0, sizeof guest->response);
	memset(guest->certs, 0, sizeof guest->certs);
	CVTPM_TRY(request(guest, SNP_GET_EXT_REPORT, &req, &guest->response));
	CVTPM_TRY(read_report(guest, zeros, report));

	return snp_certtable_copy(guest->certs, sizeof guest->certs, table, len);
}

static int request_key(struct sev_guest *guest, enum snp_key_sel key_sel,
		       uint8_t key[SNP_DERIVED_KEY_SIZE])
{
	uint8_t req[SNP_KEY_REQ_SIZE], resp[SNP_KEY_RSP_SIZE] = {0};
	uint32_t status = 0;
	int err;

	snp_key_request_write(req, key_sel, guest->config.vmpl);
	CVTPM_TRY(request(guest, SNP_GET_DERIVED_KEY, req, resp));
	err = snp_key_response_read(resp, sizeof resp, &status, key);
	cvtpm_wipe(resp, sizeof resp);
	if (err == CVTPM_ERR_PEER)
		guest->provider.status.firmware = status;
	return err;
}

/* As in src/snp/guest_request.c: the VCEK by name, and without a name where the
 * firmware does not know the selector. */
static int sev_guest_derived_key(struct cvtpm_snp_provider *provider,
				 uint8_t key[SNP_DERIVED_KEY_SIZE])
{
	struct sev_guest *guest = of(provider);
	int err = request_key(guest, SNP_KEY_SEL_VCEK, key);

	if (err == CVTPM_ERR_PEER && provider->status.vmm == 0 &&
	    provider->status.firmware == SNP_STATUS_INVALID_PARAMETERS)
		err = request_key(guest, SNP_KEY_SEL_ANY, key);
	return err;
}

static void sev_guest_close(struct cvtpm_snp_provider *provider)
{
	struct sev_guest *guest = of(provider);

	guest->config.close(guest->config.context, guest->fd);
	cvtpm_wipe(guest, sizeof *guest);
	free(guest);
}

static const struct cvtpm_snp_provider_ops ops = {
	.report = sev_guest_report,
	.certificates = sev_guest_certificates,
	.derived_key = sev_guest_derived_key,
	.close = sev_guest_close,
};

int cvtpm_sev_guest_open(const struct cvtpm_sev_guest_config *config,
			 struct cvtpm_snp_provider **provider)
{
	struct sev_guest *guest;

	*provider = NULL;
	if (posix_memalign((void **)&guest, 4096, sizeof *guest) != 0)
		return CVTPM_ERR_NO_MEMORY;
	memset(guest, 0, sizeof *guest);
	if (config)
		guest->config = *config;
	if (!guest->config.path)
		guest->config.path = "/dev/sev-guest";
	if (!guest->config.ioctl) {
		guest->config.open = system_open;
		guest->config.ioctl = system_ioctl;
		guest->config.close = system_close;
	}
	guest->fd = guest->config.open(guest->config.context, guest->config.path);
	if (guest->fd < 0) {
		int because = errno;

		free(guest);
		errno = because;
		return because == ENOENT || because == ENODEV || because == ENXIO
			       ? CVTPM_ERR_NOT_FOUND
			       : CVTPM_ERR_IO;
	}
	guest->config.path = NULL; /* the caller's */
	guest->provider = (struct cvtpm_snp_provider){
		.ops = &ops, .name = "sev-guest", .isolation = CVTPM_ISOLATION_PROCESS};
	*provider = &guest->provider;
	return 0;
}
