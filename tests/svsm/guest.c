#include "guest.h"

#include "cvtpm/stores.h"
#include "snp/le.h"

#include <errno.h>
#include <sys/random.h>

#define STORE_SIZE ((size_t)2 << 20)

/* ---- memory ---- */

uint8_t *guest_at(struct guest *g, uint64_t address)
{
	assert_true(address >= GUEST_BASE && address < GUEST_END);
	return g->memory + (address - GUEST_BASE);
}

static bool is_own(void *context, uint64_t address, size_t len)
{
	const struct guest *g = context;

	if (address < GUEST_BASE || address > GUEST_END || len > GUEST_END - address)
		return false;
	return !g->hole || address + len <= g->hole || address >= g->hole + PAGE;
}

static bool copy_in(void *context, uint64_t address, uint8_t *to, size_t len)
{
	struct guest *g = context;

	assert_true(len > 0 && len <= SNP_CERTS_MAX_SIZE);
	if (!is_own(g, address, len))
		return false;
	memcpy(to, g->memory + (address - GUEST_BASE), len);
	g->copies_in++;
	if (g->meddle)
		g->meddle(g);
	return true;
}

static bool copy_out(void *context, uint64_t address, const uint8_t *from, size_t len)
{
	struct guest *g = context;

	assert_true(len > 0 && len <= SNP_CERTS_MAX_SIZE);
	if (!is_own(g, address, len))
		return false;
	memcpy(g->memory + (address - GUEST_BASE), from, len);
	g->copies_out++;
	g->last_out = address;
	if (g->meddle)
		g->meddle(g);
	return true;
}

/* ---- a TPM ---- */

static int entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	return getrandom(out, len, 0) == (ssize_t)len ? 0 : CVTPM_ERR_ENTROPY;
}

static uint64_t clock_ms(void *context)
{
	return ((struct guest *)context)->time++;
}

static void log_line(void *context, enum cvtpm_log_level level, const char *line)
{
	(void)context;
	if (getenv("GUEST_LOG"))
		fprintf(stderr, "# %d %s\n", level, line);
}

static int execute(void *context, const uint8_t *command, size_t command_len, uint8_t *response,
		   size_t *response_len)
{
	struct guest *g = context;
	long len = guest_send(g, GUEST_BASE, command, command_len);

	if (len < 0 || (size_t)len > *response_len)
		return CVTPM_ERR_IO;
	memcpy(response, guest_at(g, GUEST_BASE) + 4, (size_t)len);
	*response_len = (size_t)len;
	return 0;
}

void guest_open(struct guest *g, struct cvtpm_amdsp_lab *lab, enum cvtpm_ek ek)
{
	guest_launch(g, lab, NULL, ek);
}

/* The engine that the tests were told to run on. */
static const struct cvtpm_engine *engine_under_test(void)
{
	const char *name = getenv("CVTPM_TEST_ENGINE");

	return name ? cvtpm_engine_find(name) : &cvtpm_engine_libtpms;
}

void guest_launch(struct guest *g, struct cvtpm_amdsp_lab *lab,
		  const struct cvtpm_amdsp_config *launch, enum cvtpm_ek ek)
{
	struct cvtpm_svsm_config svsm = {
		.memory = {g, is_own, copy_in, copy_out},
		.ek = ek,
	};

	memset(g, 0, sizeof *g);
	g->memory = aligned_alloc(PAGE, GUEST_SIZE);
	g->store_memory = malloc(STORE_SIZE);
	g->instance_memory = malloc(cvtpm_instance_size(engine_under_test()));
	assert_true(g->memory && g->store_memory && g->instance_memory);
	memset(g->memory, 0, GUEST_SIZE);
	assert_int_equal(cvtpm_store_memory_init(&g->store, g->store_memory, STORE_SIZE), 0);
	if (lab)
		assert_int_equal(cvtpm_amdsp_provider_launch(lab, launch, &g->provider), 0);
	g->platform = (struct cvtpm_platform){.context = g,
					      .entropy = entropy,
					      .clock_ms = clock_ms,
					      .log = log_line,
					      .store = g->store};
	g->config = (struct cvtpm_instance_config){.engine = engine_under_test(),
						   .provider = g->provider,
						   .eks = CVTPM_EK_RSA2048 | CVTPM_EK_P256};
	assert_int_equal(
		cvtpm_instance_open(&g->instance, g->instance_memory, &g->platform, &g->config), 0);
	svsm.instance = g->instance;
	svsm.provider = g->provider;
	assert_int_equal(cvtpm_svsm_init(&g->svsm, &svsm), 0);
	tpm_client_begin(&g->client, execute, g);
	assert_int_equal(tpm_startup(&g->client, TPM_SU_CLEAR), 0);
}

void guest_close(struct guest *g)
{
	cvtpm_instance_close(g->instance);
	if (g->provider)
		g->provider->ops->close(g->provider);
	cvtpm_store_close(g->store);
	free(g->store_memory);
	free(g->instance_memory);
	free(g->memory);
}

/* ---- calls ---- */

uint64_t guest_call(struct guest *g, struct cvtpm_svsm_registers *regs)
{
	cvtpm_svsm_call(&g->svsm, regs);
	return regs->rax;
}

long guest_send(struct guest *g, uint64_t page, const uint8_t *command, size_t len)
{
	struct cvtpm_svsm_registers regs = {.rax = 0x200000001, .rcx = page};
	uint8_t *at = guest_at(g, page);
	uint32_t size;

	if (len > CVTPM_SVSM_BUFFER_SIZE)
		return -EINVAL;
	snp_put32(at, 8);
	at[4] = 0;
	snp_put32(at + 5, (uint32_t)len);
	memcpy(at + 9, command, len);
	if (guest_call(g, &regs) != SVSM_SUCCESS)
		return -ENXIO;
	size = snp_get32(at);
	return size > PAGE - 4 ? -EINVAL : (long)size;
}

void guest_attest_begin(struct attest *a, bool single)
{
	*a = (struct attest){
		.report = {GUEST_BASE + 8 * PAGE, PAGE, 0},
		.manifest = {GUEST_BASE + 16 * PAGE, PAGE, 0},
		.certificates = {GUEST_BASE + 24 * PAGE, 4 * PAGE, 0},
		.single = single,
	};
	assert_int_equal(getrandom(a->nonce, sizeof a->nonce, 0), sizeof a->nonce);
}

void attest_write(struct guest *g, uint64_t address, const struct attest *a)
{
	static const uint8_t vtpm[16] = {0xEB, 0xF1, 0x76, 0xC4, 0x23, 0x01, 0xA5, 0x45,
					 0x96, 0x41, 0xB4, 0xE7, 0xDD, 0xE5, 0xBF, 0xE3};
	uint8_t *p = guest_at(g, address);

	memset(p, 0, a->single ? 0x58 : 0x40);
	snp_put64(p, a->report.address);
	snp_put32(p + 8, a->report.size);
	snp_put64(p + 0x10, GUEST_NONCE);
	snp_put32(p + 0x18, sizeof a->nonce); /* Linux writes 32 bits here */
	snp_put64(p + 0x20, a->manifest.address);
	snp_put32(p + 0x28, a->manifest.size);
	snp_put64(p + 0x30, a->certificates.address);
	snp_put32(p + 0x38, a->certificates.size);
	if (a->single)
		memcpy(p + 0x40, vtpm, sizeof vtpm);
	memcpy(guest_at(g, GUEST_NONCE), a->nonce, sizeof a->nonce);
}

/* A register that has changed is a length. */
static void take(struct cvtpm_bytes_out *out, uint64_t reg, uint64_t preset)
{
	if (reg != preset)
		out->len = (size_t)reg;
}

static bool grow(struct cvtpm_bytes_out *out)
{
	if (out->len <= out->size)
		return false;
	out->size = (uint32_t)((out->len + PAGE - 1) / PAGE * PAGE);
	return true;
}

uint64_t attest_as_linux(struct guest *g, struct attest *a)
{
	uint64_t rax = 0;

	for (unsigned i = 0; i < 3; i++) {
		struct cvtpm_svsm_registers regs = {.rax = a->single ? 0x100000001 : 0x100000000,
						    .rcx = GUEST_CAA + 8,
						    .rdx = UINT64_MAX,
						    .r8 = UINT64_MAX};
		bool grown;

		attest_write(g, GUEST_CAA + 8, a);
		a->calls++;
		rax = guest_call(g, &regs);
		take(&a->manifest, regs.rcx, GUEST_CAA + 8);
		take(&a->certificates, regs.rdx, UINT64_MAX);
		take(&a->report, regs.r8, UINT64_MAX);
		if (rax != SVSM_ERR_INVALID_PARAMETER)
			break;
		grown = grow(&a->report);
		grown = grow(&a->manifest) || grown;
		grown = grow(&a->certificates) || grown;
		if (!grown)
			break;
	}
	return rax;
}
