/*
 * The SVSM protocols under a guest that does what the input says.
 *
 * The input is 4 registers, then what guest memory holds, over and over; bits of the
 * first byte of each call say what the world does meanwhile: memory that changes after each
 * copy, a page that is not the guest's, an AMD-SP or a TPM that gives nothing. The TPM is a
 * stand-in here (the functions of cvtpm/instance.h below): what matters is which bytes
 * reach it, which memory is touched, and what is signed.
 */
#include "crypto/crypto.h"
#include "cvtpm/ek_template.h"
#include "cvtpm/err.h"
#include "cvtpm/svsm.h"
#include "snp/report.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

#define PAGE ((uint64_t)4096)
#define BASE (4 * PAGE)
#define SIZE (16 * PAGE)

struct cvtpm_instance {
	unsigned commands;
	bool refuse;
};

struct world {
	struct cvtpm_svsm svsm;
	struct cvtpm_instance instance;
	struct cvtpm_snp_provider provider;
	uint8_t memory[SIZE];
	uint64_t hole;
	bool meddle, no_report, no_certificates;
	unsigned copies_out;
	uint8_t signed_data[SNP_REPORT_DATA_SIZE];
	uint8_t nonce[64]; /* the last 64 bytes that were read at once */
	const uint8_t *input;
	size_t left;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t next(struct world *w)
{
	if (w->left == 0)
		return 0;
	w->left--;
	return *w->input++;
}

/* ---- the stand-in of a TPM ---- */

int cvtpm_instance_execute(struct cvtpm_instance *instance, uint8_t locality,
			   const uint8_t *command, size_t len, uint8_t *response,
			   size_t *response_len)
{
	CHECK(locality == 0);
	CHECK(len >= 10 && len <= CVTPM_SVSM_BUFFER_SIZE && *response_len >= CVTPM_MAX_BUFFER_SIZE);
	CHECK(((size_t)command[2] << 24 | (size_t)command[3] << 16 | (size_t)command[4] << 8 |
	       command[5]) == len);
	instance->commands++;
	if (instance->refuse)
		return CVTPM_ERR_STATE;
	*response_len = len; /* up to what a page holds, and one command size beyond a response's */
	memset(response, 0xC5, len);
	return 0;
}

void cvtpm_instance_get_info(const struct cvtpm_instance *instance,
			     struct cvtpm_instance_info *info)
{
	(void)instance;
	*info = (struct cvtpm_instance_info){.evidence = true, .eks = CVTPM_EK_P256};
}

int cvtpm_instance_ek_public(struct cvtpm_instance *instance, enum cvtpm_ek ek, uint8_t *out,
			     size_t *len)
{
	const struct cvtpm_ek_template *template = cvtpm_ek_template_of(ek);

	if (instance->refuse)
		return CVTPM_ERR_TPM;
	CHECK(*len >= cvtpm_ek_public_size(template));
	*len = cvtpm_ek_public_size(template);
	memset(out, 0x5A, *len);
	return 0;
}

/* ---- the AMD-SP ---- */

static struct world *of(struct cvtpm_snp_provider *provider)
{
	return (struct world *)(void *)((char *)provider - offsetof(struct world, provider));
}

static int report(struct cvtpm_snp_provider *provider, const uint8_t data[SNP_REPORT_DATA_SIZE],
		  uint8_t out[SNP_REPORT_SIZE])
{
	struct world *w = of(provider);

	if (w->no_report)
		return CVTPM_ERR_PEER;
	memcpy(w->signed_data, data, SNP_REPORT_DATA_SIZE);
	memset(out, 0, SNP_REPORT_SIZE);
	memcpy(out + SNP_REPORT_REPORT_DATA, data, SNP_REPORT_DATA_SIZE);
	return 0;
}

static int certificates(struct cvtpm_snp_provider *provider, uint8_t *table, size_t *len)
{
	const size_t needed = 5000;

	if (of(provider)->no_certificates)
		return CVTPM_ERR_FORMAT;
	CHECK(*len >= needed);
	memset(table, 0xCE, needed);
	*len = needed;
	return 0;
}

static const struct cvtpm_snp_provider_ops ops = {.report = report, .certificates = certificates};

/* ---- guest memory ---- */

static bool is_own(void *context, uint64_t address, size_t len)
{
	const struct world *w = context;

	if (address < BASE || address > BASE + SIZE || len > BASE + SIZE - address)
		return false;
	return !w->hole || address + len <= w->hole || address >= w->hole + PAGE;
}

static void meddle(struct world *w)
{
	for (unsigned i = 0; w->meddle && i < 16; i++) {
		uint8_t page = next(w), low = next(w);

		w->memory[(page % 16 * PAGE + low) % SIZE] = next(w);
	}
}

static bool copy_in(void *context, uint64_t address, uint8_t *to, size_t len)
{
	struct world *w = context;

	CHECK(len > 0 && len <= SNP_CERTS_MAX_SIZE);
	if (!is_own(w, address, len))
		return false;
	memcpy(to, w->memory + (address - BASE), len);
	if (len == sizeof w->nonce)
		memcpy(w->nonce, to, len);
	meddle(w);
	return true;
}

static bool copy_out(void *context, uint64_t address, const uint8_t *from, size_t len)
{
	struct world *w = context;

	CHECK(len > 0 && len <= SNP_CERTS_MAX_SIZE);
	if (!is_own(w, address, len))
		return false;
	memcpy(w->memory + (address - BASE), from, len);
	w->copies_out++;
	return true;
}

/* ---- a call ---- */

static uint64_t take(struct world *w, unsigned bytes)
{
	uint64_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | next(w);
	return value;
}

static void fill(struct world *w)
{
	size_t at = take(w, 2) % SIZE, len = next(w);

	for (; len-- > 0 && w->left > 0; at = (at + 1) % SIZE)
		w->memory[at] = next(w);
}

/* An attestation that has succeeded: what was signed is the nonce, as it was read, and
 * the manifest. */
static void check_attested(const struct world *w, const struct cvtpm_svsm_registers *regs,
			   bool single)
{
	size_t ek_len = cvtpm_ek_public_size(cvtpm_ek_template_of(CVTPM_EK_P256)) - 2;
	uint8_t bytes[64 + CVTPM_SVSM_MANIFEST_MAX_SIZE], digest[64];

	CHECK(regs->r8 == SNP_REPORT_SIZE);
	CHECK(regs->rcx == (single ? ek_len : ek_len + 48));
	CHECK(regs->rdx == 0 || regs->rdx == 5000);
	CHECK(w->copies_out == (regs->rdx ? 3u : 2u));
	if (!single)
		return;
	memcpy(bytes, w->nonce, 64);
	memset(bytes + 64, 0x5A, ek_len);
	CHECK(cvtpm_hash(CVTPM_SHA512, bytes, 64 + ek_len, digest) == 0);
	CHECK(memcmp(digest, w->signed_data, sizeof digest) == 0);
}

static void step(struct world *w)
{
	static const uint64_t calls[] = {0x000000006, 0x100000000, 0x100000001, 0x200000000,
					 0x200000001};
	uint8_t world = next(w), which = next(w);
	struct cvtpm_svsm_registers regs = {.rcx = BASE + take(w, 2)};
	unsigned commands = w->instance.commands;

	regs.rax = which < 0xF0 ? calls[which % 5] : take(w, 8);
	if (which & 0x40)
		regs.rcx = take(w, 8);
	w->hole = world & 1 ? BASE + (world >> 4) * PAGE : 0;
	w->meddle = world & 2;
	w->no_report = world & 4;
	w->no_certificates = world & 8;
	w->instance.refuse = world == 0xFF;
	w->copies_out = 0;
	fill(w);
	cvtpm_svsm_call(&w->svsm, &regs);
	CHECK(regs.rax == SVSM_SUCCESS ||
	      (regs.rax >= SVSM_ERR_UNSUPPORTED_PROTOCOL && regs.rax <= SVSM_ERR_INVALID_REQUEST));
	CHECK(!w->svsm.busy);
	CHECK(w->instance.commands <= commands + 1);
	CHECK(w->copies_out == 0 || which >= 0xF0 || which % 5 != 0);
	if (regs.rax == SVSM_SUCCESS && which < 0xF0 && (which % 5 == 1 || which % 5 == 2))
		check_attested(w, &regs, which % 5 == 2);
	else if (regs.rax != SVSM_SUCCESS && !w->hole)
		CHECK(w->copies_out == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = calloc(1, sizeof *w);
	struct cvtpm_svsm_config config;

	CHECK(w);
	w->input = data;
	w->left = size;
	w->provider.ops = &ops;
	config = (struct cvtpm_svsm_config){
		.instance = &w->instance,
		.provider = &w->provider,
		.memory = {w, is_own, copy_in, copy_out},
		.ek = CVTPM_EK_P256,
	};
	CHECK(cvtpm_svsm_init(&w->svsm, &config) == 0);
	while (w->left > 0)
		step(w);
	free(w);
	return 0;
}
