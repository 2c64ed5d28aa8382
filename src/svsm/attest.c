/*
 * The attestation protocol (AMD 58019, 7): a report of VMPL 0 over a nonce of the
 * guest's and a manifest of what the SVSM offers.
 *
 * RCX points to a structure of 0x40 bytes (all services) or 0x58 (a single one):
 *
 *     0x00  report buffer       u64 address, u32 size, u32 reserved
 *     0x10  nonce               u64 address, u16 size, 6 bytes reserved
 *     0x20  manifest buffer     u64 address, u32 size, u32 reserved
 *     0x30  certificate buffer  u64 address, u32 size (0: none wanted), u32 reserved
 *     0x40  GUID of the service, u32 manifest version, u32 reserved
 */
#include "svsm/internal.h"
#include "svsm/manifest.h"

#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "cvtpm/err.h"
#include "snp/le.h"
#include "snp/report.h"

#define ATTEST_SERVICES       0u
#define ATTEST_SINGLE_SERVICE 1u

#define SERVICES_SIZE       0x40
#define SINGLE_SERVICE_SIZE 0x58

#define NONCE_SIZE SNP_REPORT_DATA_SIZE

/* A range of guest memory. */
struct range {
	uint64_t address;
	uint64_t size;
};

struct operation {
	struct range report, nonce, manifest, certificates;
	bool single;
	uint8_t service[SVSM_GUID_SIZE];
	uint32_t version;
};

/* What there is to give. */
struct answer {
	size_t manifest_len, certificates_len;
};

/* ---- reading ---- */

static struct range read_range(const uint8_t *p)
{
	return (struct range){snp_get64(p), snp_get32(p + 8)};
}

/* The nonce's size is 16 bits, with 6 reserved bytes behind it. */
static bool reserved_is_clear(const uint8_t *p, bool single)
{
	return snp_get32(p + 0x0C) == 0 && (snp_get64(p + 0x18) >> 16) == 0 &&
	       snp_get32(p + 0x2C) == 0 && snp_get32(p + 0x3C) == 0 &&
	       (!single || snp_get32(p + 0x54) == 0);
}

static bool read_operation(const struct cvtpm_svsm *svsm, uint64_t address, bool single,
			   struct operation *op)
{
	const struct cvtpm_svsm_memory *memory = &svsm->config.memory;
	uint8_t p[SINGLE_SERVICE_SIZE];

	if (!memory->copy_in(memory->context, address, p,
			     single ? SINGLE_SERVICE_SIZE : SERVICES_SIZE))
		return false;
	*op = (struct operation){
		.report = read_range(p),
		.nonce = {snp_get64(p + 0x10), snp_get16(p + 0x18)},
		.manifest = read_range(p + 0x20),
		.certificates = read_range(p + 0x30),
		.single = single,
	};
	if (single) {
		memcpy(op->service, p + 0x40, sizeof op->service);
		op->version = snp_get32(p + 0x50);
	}
	return reserved_is_clear(p, single);
}

/* ---- checking ---- */

/* Buffers begin with a page and are the guest's to their end, whatever is written. */
static bool is_buffer(const struct cvtpm_svsm *svsm, struct range r)
{
	const struct cvtpm_svsm_memory *memory = &svsm->config.memory;

	return r.address % SVSM_PAGE_SIZE == 0 &&
	       (r.size == 0 || memory->check(memory->context, r.address, r.size));
}

/* Both are the guest's memory, so that no sum overflows. */
static bool overlap(struct range a, struct range b)
{
	return a.size > 0 && b.size > 0 && a.address < b.address + b.size &&
	       b.address < a.address + a.size;
}

/* Results that lie on each other would be no results. */
static bool buffers_are_good(const struct cvtpm_svsm *svsm, const struct operation *op)
{
	if (!is_buffer(svsm, op->report) || !is_buffer(svsm, op->manifest) ||
	    (op->certificates.size > 0 && !is_buffer(svsm, op->certificates)))
		return false;
	return !overlap(op->report, op->manifest) && !overlap(op->report, op->certificates) &&
	       !overlap(op->manifest, op->certificates);
}

static bool read_nonce(struct cvtpm_svsm *svsm, const struct operation *op)
{
	const struct cvtpm_svsm_memory *memory = &svsm->config.memory;

	return op->nonce.size == NONCE_SIZE &&
	       op->nonce.address % SVSM_PAGE_SIZE <= SVSM_PAGE_SIZE - NONCE_SIZE &&
	       memory->copy_in(memory->context, op->nonce.address, svsm->work.attest.nonce,
			       NONCE_SIZE);
}

/* ---- answering ---- */

static int make_manifest(struct cvtpm_svsm *svsm, bool single, struct answer *answer)
{
	struct cvtpm_instance *instance = svsm->config.instance;
	uint8_t *out = svsm->work.attest.manifest;

	answer->manifest_len = sizeof svsm->work.attest.manifest;
	return single ? svsm_manifest_vtpm(instance, svsm->config.ek, out, &answer->manifest_len)
		      : svsm_manifest_services(instance, svsm->config.ek, out,
					       &answer->manifest_len);
}

/* Certificates are the host's to give and only help a verifier: that there are
 * none (a size of 0), or none that can be read, is no error. */
static void get_certificates(struct cvtpm_svsm *svsm, const struct operation *op,
			     struct answer *answer)
{
	struct cvtpm_snp_provider *provider = svsm->config.provider;
	size_t len = sizeof svsm->work.attest.certificates;

	answer->certificates_len = 0;
	if (op->certificates.size == 0 || !provider->ops->certificates)
		return;
	if (provider->ops->certificates(provider, svsm->work.attest.certificates, &len) == 0 &&
	    len <= sizeof svsm->work.attest.certificates)
		answer->certificates_len = len;
}

static int get_report(struct cvtpm_svsm *svsm, const struct answer *answer)
{
	struct cvtpm_snp_provider *provider = svsm->config.provider;
	uint8_t data[SNP_REPORT_DATA_SIZE], *report = svsm->work.attest.report;
	const struct cvtpm_octets parts[] = {{svsm->work.attest.nonce, NONCE_SIZE},
					     {svsm->work.attest.manifest, answer->manifest_len}};

	CVTPM_TRY(cvtpm_hash_parts(CVTPM_SHA512, parts, sizeof parts / sizeof *parts, data));
	CVTPM_TRY(provider->ops->report(provider, data, report));
	return memcmp(snp_report_report_data(report), data, sizeof data) == 0 ? 0
									      : CVTPM_ERR_FORMAT;
}

static bool copy_result(const struct cvtpm_svsm *svsm, struct range to, const uint8_t *from,
			size_t len)
{
	const struct cvtpm_svsm_memory *memory = &svsm->config.memory;

	return len == 0 || memory->copy_out(memory->context, to.address, from, len);
}

static bool copy_results(const struct cvtpm_svsm *svsm, const struct operation *op,
			 const struct answer *answer)
{
	return copy_result(svsm, op->manifest, svsm->work.attest.manifest, answer->manifest_len) &&
	       copy_result(svsm, op->certificates, svsm->work.attest.certificates,
			   answer->certificates_len) &&
	       copy_result(svsm, op->report, svsm->work.attest.report, SNP_REPORT_SIZE);
}

static bool fits(const struct operation *op, const struct answer *answer)
{
	return answer->manifest_len <= op->manifest.size &&
	       answer->certificates_len <= op->certificates.size &&
	       SNP_REPORT_SIZE <= op->report.size;
}

static void tell_sizes(const struct answer *answer, struct cvtpm_svsm_registers *regs)
{
	regs->rcx = answer->manifest_len;
	regs->rdx = answer->certificates_len;
	regs->r8 = SNP_REPORT_SIZE;
}

/* The sizes are told before a report is asked for: what does not fit costs the
 * AMD-SP no report. */
static uint32_t attest(struct cvtpm_svsm *svsm, const struct operation *op,
		       struct cvtpm_svsm_registers *regs)
{
	struct answer answer;

	if (make_manifest(svsm, op->single, &answer) < 0)
		return SVSM_ERR_INVALID_REQUEST;
	get_certificates(svsm, op, &answer);
	if (!fits(op, &answer)) {
		tell_sizes(&answer, regs);
		return SVSM_ERR_INVALID_PARAMETER;
	}
	if (get_report(svsm, &answer) < 0)
		return SVSM_ERR_INVALID_REQUEST;
	if (!copy_results(svsm, op, &answer))
		return SVSM_ERR_INVALID_PARAMETER;
	tell_sizes(&answer, regs);
	return SVSM_SUCCESS;
}

uint32_t svsm_attest_call(struct cvtpm_svsm *svsm, uint32_t call, struct cvtpm_svsm_registers *regs)
{
	struct operation op;

	if (call != ATTEST_SERVICES && call != ATTEST_SINGLE_SERVICE)
		return SVSM_ERR_UNSUPPORTED_CALL;
	if (!read_operation(svsm, regs->rcx, call == ATTEST_SINGLE_SERVICE, &op))
		return SVSM_ERR_INVALID_PARAMETER;
	if (op.single && !cvtpm_equal(op.service, svsm_guid_vtpm, SVSM_GUID_SIZE))
		return SVSM_ERR_UNSUPPORTED_PROTOCOL;
	if (op.version != SVSM_VTPM_MANIFEST_VERSION || !buffers_are_good(svsm, &op) ||
	    !read_nonce(svsm, &op))
		return SVSM_ERR_INVALID_PARAMETER;
	return attest(svsm, &op, regs);
}
