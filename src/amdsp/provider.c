/* The provider "lab": the guest-message provider over a simulated AMD-SP in this process. */
#include "amdsp/internal.h"

#include "crypto/crypto.h"
#include "cvtpm/err.h"
#include "snp/guest_request.h"
#include "snp/message.h"

#include <stdlib.h>

struct lab_provider {
	struct cvtpm_snp_provider provider; /* first */
	struct cvtpm_amdsp_lab *own_lab;    /* to close with it, or NULL */
	struct cvtpm_amdsp *sp;
	struct snp_guest_message guest;
	uint8_t secrets[SNP_SECRETS_SIZE]; /* the guest's private memory */
	uint8_t request_page[SNP_PAGE_SIZE], response_page[SNP_PAGE_SIZE]; /* "shared" */
	uint8_t certs[SNP_CERTS_MAX_SIZE];
};

static struct lab_provider *of(struct cvtpm_snp_provider *provider)
{
	return (struct lab_provider *)provider;
}

static int lab_report(struct cvtpm_snp_provider *provider,
		      const uint8_t report_data[SNP_REPORT_DATA_SIZE],
		      uint8_t report[SNP_REPORT_SIZE])
{
	struct cvtpm_snp_provider *inner = &of(provider)->guest.provider;
	int err = inner->ops->report(inner, report_data, report);

	provider->status = inner->status;
	return err;
}

static int lab_certificates(struct cvtpm_snp_provider *provider, uint8_t *table, size_t *len)
{
	struct cvtpm_snp_provider *inner = &of(provider)->guest.provider;
	int err = inner->ops->certificates(inner, table, len);

	provider->status = inner->status;
	return err;
}

static int lab_derived_key(struct cvtpm_snp_provider *provider, uint8_t key[SNP_DERIVED_KEY_SIZE])
{
	struct cvtpm_snp_provider *inner = &of(provider)->guest.provider;
	int err = inner->ops->derived_key(inner, key);

	provider->status = inner->status;
	return err;
}

static void lab_close(struct cvtpm_snp_provider *provider)
{
	struct lab_provider *lab = of(provider);

	cvtpm_amdsp_destroy(lab->sp);
	cvtpm_amdsp_lab_close(lab->own_lab);
	cvtpm_wipe(lab, sizeof *lab);
	free(lab);
}

static const struct cvtpm_snp_provider_ops lab_ops = {
	.report = lab_report,
	.certificates = lab_certificates,
	.derived_key = lab_derived_key,
	.close = lab_close,
};

int cvtpm_amdsp_provider_launch(struct cvtpm_amdsp_lab *lab,
				const struct cvtpm_amdsp_config *config,
				struct cvtpm_snp_provider **provider)
{
	struct lab_provider *p = calloc(1, sizeof *p);
	struct snp_guest_message_config guest;
	int err;

	*provider = NULL;
	if (!p)
		return CVTPM_ERR_NO_MEMORY;
	err = cvtpm_amdsp_launch(lab, config, &p->sp);
	if (err < 0) {
		free(p);
		return err;
	}
	cvtpm_amdsp_secrets(p->sp, p->secrets);

	guest = (struct snp_guest_message_config){
		.transport = {.context = p->sp,
			      .exchange = cvtpm_amdsp_request,
			      .exchange_extended = cvtpm_amdsp_request_extended},
		.secrets = p->secrets,
		.vmpck = config ? config->vmpl : 0,
		.vmpl = config ? config->vmpl : 0,
		.request_page = p->request_page,
		.response_page = p->response_page,
		.certs = p->certs,
		.certs_size = sizeof p->certs,
		.isolation = config ? config->isolation : CVTPM_ISOLATION_SVSM,
		.lab = true,
		.name = "lab",
	};
	err = cvtpm_guest_message_open(&p->guest, &guest);
	p->provider = (struct cvtpm_snp_provider){
		.ops = &lab_ops, .name = "lab", .isolation = guest.isolation, .lab = true};
	if (err < 0)
		lab_close(&p->provider);
	else
		*provider = &p->provider;
	return err;
}

int cvtpm_amdsp_provider_open(const char *dir, const struct cvtpm_amdsp_config *config,
			      struct cvtpm_snp_provider **provider)
{
	struct cvtpm_amdsp_lab *lab;
	int err;

	*provider = NULL;
	CVTPM_TRY(cvtpm_amdsp_lab_open(dir, &lab));
	err = cvtpm_amdsp_provider_launch(lab, config, provider);
	if (err < 0)
		cvtpm_amdsp_lab_close(lab);
	else
		of(*provider)->own_lab = lab;
	return err;
}

struct cvtpm_amdsp *cvtpm_amdsp_of(struct cvtpm_snp_provider *provider)
{
	return of(provider)->sp;
}
