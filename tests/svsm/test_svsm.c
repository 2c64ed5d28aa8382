/* The vTPM and attestation protocols of AMD 58019 over libtpms and the lab. */
#include "guest.h"

#include "crypto/crypto.h"
#include "cvtpm/evidence.h"
#include "snp/certtable.h"
#include "snp/le.h"
#include "snp/report.h"
#include "svsm/manifest.h"

#include <pthread.h>
#include <stdatomic.h>

static struct cvtpm_amdsp_lab *lab;

static const uint8_t get_random[] = {0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7B, 0, 16};

static int open_lab(void **state)
{
	static char dir[] = "/tmp/cvtpm-svsm-XXXXXX";

	*state = mkdtemp(dir);
	return *state ? cvtpm_amdsp_lab_open(*state, &lab) : -1;
}

static int close_lab(void **state)
{
	char command[64];

	cvtpm_amdsp_lab_close(lab);
	snprintf(command, sizeof command, "rm -r '%s'", (char *)*state);
	return system(command);
}

static struct guest *new_guest(enum cvtpm_ek ek)
{
	struct guest *g = malloc(sizeof *g);

	assert_non_null(g);
	guest_open(g, lab, ek);
	return g;
}

static void end_guest(struct guest *g)
{
	guest_close(g);
	free(g);
}

static uint64_t call(struct guest *g, uint64_t rax, uint64_t rcx)
{
	struct cvtpm_svsm_registers regs = {.rax = rax, .rcx = rcx};

	return guest_call(g, &regs);
}

/* ---- core ---- */

static uint64_t query(struct guest *g, uint64_t rcx)
{
	struct cvtpm_svsm_registers regs = {.rax = 6, .rcx = rcx};

	assert_int_equal(guest_call(g, &regs), SVSM_SUCCESS);
	return regs.rcx;
}

static void query_protocol_knows_two_protocols_in_one_version(void **state)
{
	struct guest *g = new_guest(0);

	(void)state;
	assert_int_equal(query(g, 0x100000001), 0x100000001);
	assert_int_equal(query(g, 0x200000001), 0x100000001);
	assert_int_equal(query(g, 0x200000000), 0);
	assert_int_equal(query(g, 0x200000002), 0);
	assert_int_equal(query(g, 0x300000001), 0);
	assert_int_equal(query(g, 0x000000001), 0);
	end_guest(g);
}

static void unknown_protocols_and_calls_are_told_apart(void **state)
{
	struct guest *g = new_guest(0);

	(void)state;
	assert_int_equal(call(g, 0x000000000, 0), SVSM_ERR_UNSUPPORTED_CALL);
	assert_int_equal(call(g, 0x000000007, 0), SVSM_ERR_UNSUPPORTED_CALL);
	assert_int_equal(call(g, 0x100000002, 0), SVSM_ERR_UNSUPPORTED_CALL);
	assert_int_equal(call(g, 0x200000002, 0), SVSM_ERR_UNSUPPORTED_CALL);
	assert_int_equal(call(g, 0x300000000, 0), SVSM_ERR_UNSUPPORTED_PROTOCOL);
	assert_int_equal(call(g, UINT64_MAX, 0), SVSM_ERR_UNSUPPORTED_PROTOCOL);
	end_guest(g);
}

static void a_tpm_without_evidence_has_no_attestation(void **state)
{
	struct cvtpm_svsm_config config;
	struct cvtpm_svsm other;
	struct guest *g = malloc(sizeof *g);

	(void)state;
	assert_non_null(g);
	guest_open(g, NULL, 0);
	assert_int_equal(query(g, 0x100000001), 0);
	assert_int_equal(query(g, 0x200000001), 0x100000001);
	assert_int_equal(call(g, 0x100000000, GUEST_BASE), SVSM_ERR_UNSUPPORTED_PROTOCOL);

	config = g->svsm.config;
	assert_int_equal(cvtpm_amdsp_provider_launch(lab, NULL, &g->provider), 0);
	config.provider = g->provider;
	assert_int_equal(cvtpm_svsm_init(&other, &config), CVTPM_ERR_POLICY);
	end_guest(g);
}

static void a_manifest_is_only_of_an_ek_that_there_is(void **state)
{
	struct guest *g = new_guest(0);
	struct cvtpm_svsm_config config = g->svsm.config;
	struct cvtpm_svsm other;

	(void)state;
	config.ek = CVTPM_EK_P384;
	assert_int_equal(cvtpm_svsm_init(&other, &config), CVTPM_ERR_NOT_FOUND);
	config.ek = CVTPM_EK_P256 | CVTPM_EK_RSA2048;
	assert_int_equal(cvtpm_svsm_init(&other, &config), CVTPM_ERR_PARAM);
	end_guest(g);
}

/* ---- vTPM ---- */

static void linux_finds_tpm_send_command_and_no_features(void **state)
{
	struct guest *g = new_guest(0);
	struct cvtpm_svsm_registers regs = {.rax = 0x200000000, .rcx = 1, .rdx = 1};

	(void)state;
	assert_int_equal(guest_call(g, &regs), SVSM_SUCCESS);
	assert_int_equal(regs.rcx, 0x100);
	assert_int_equal(regs.rdx, 0);
	end_guest(g);
}

static void linux_reads_random_numbers_and_pcrs(void **state)
{
	struct guest *g = new_guest(0);
	struct tpm_value value;

	(void)state;
	assert_int_equal(guest_send(g, GUEST_BASE, get_random, sizeof get_random), 12 + 16);
	assert_int_equal(tpm_pcr_read(&g->client, 0, 0x000B, &value), 0);
	assert_int_equal(value.len, 32);
	/* A TPM's error is no error of the call. */
	assert_int_equal(tpm_startup(&g->client, TPM_SU_CLEAR), CVTPM_ERR_TPM);
	assert_int_equal(g->client.rc, TPM_RC_INITIALIZE);
	end_guest(g);
}

static void a_command_page_need_not_be_aligned(void **state)
{
	struct guest *g = new_guest(0);

	(void)state;
	assert_int_equal(guest_send(g, GUEST_BASE + 0x123, get_random, sizeof get_random), 28);
	assert_int_equal(guest_send(g, GUEST_END - PAGE, get_random, sizeof get_random), 28);
	end_guest(g);
}

static void only_the_response_is_written(void **state)
{
	struct guest *g = new_guest(0);
	uint8_t *page = guest_at(g, GUEST_BASE);

	(void)state;
	memset(page, 0xA5, PAGE);
	assert_int_equal(guest_send(g, GUEST_BASE, get_random, sizeof get_random), 28);
	for (size_t i = 4 + 28; i < PAGE; i++)
		assert_int_equal(page[i], 0xA5);
	end_guest(g);
}

/* Nothing was executed, and nothing written. */
static void refuse_page(struct guest *g, uint64_t address, uint64_t code)
{
	static uint8_t before[GUEST_SIZE];

	memcpy(before, g->memory, GUEST_SIZE);
	assert_int_equal(call(g, 0x200000001, address), code);
	assert_memory_equal(before, g->memory, GUEST_SIZE);
}

static void a_page_outside_the_guest_is_refused(void **state)
{
	struct guest *g = new_guest(0);

	(void)state;
	guest_send(g, GUEST_BASE + PAGE, get_random, sizeof get_random);
	refuse_page(g, 0, SVSM_ERR_INVALID_PARAMETER);
	refuse_page(g, 1, SVSM_ERR_INVALID_PARAMETER);
	refuse_page(g, GUEST_BASE - 1, SVSM_ERR_INVALID_PARAMETER);
	refuse_page(g, GUEST_END - PAGE + 1, SVSM_ERR_INVALID_PARAMETER);
	refuse_page(g, GUEST_END, SVSM_ERR_INVALID_PARAMETER);
	refuse_page(g, UINT64_MAX, SVSM_ERR_INVALID_PARAMETER);
	refuse_page(g, UINT64_MAX - PAGE + 1, SVSM_ERR_INVALID_PARAMETER);
	/* The tail of the buffer is in a page shared with the hypervisor. */
	g->hole = GUEST_BASE + 2 * PAGE;
	refuse_page(g, GUEST_BASE + PAGE + 1, SVSM_ERR_INVALID_PARAMETER);
	end_guest(g);
}

static void hostile_sizes_and_localities_are_refused(void **state)
{
	static const uint32_t sizes[] = {0, 1, 9, 11, 13, 4087, 4088, 4096, 0x7FFFFFFF, 0xFFFFFFFF};
	struct guest *g = new_guest(0);
	uint8_t *page = guest_at(g, GUEST_BASE);

	(void)state;
	snp_put32(page, 8);
	page[4] = 0;
	memcpy(page + 9, get_random, sizeof get_random);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		snp_put32(page + 5, sizes[i]);
		refuse_page(g, GUEST_BASE, SVSM_ERR_INVALID_PARAMETER);
	}
	snp_put32(page + 5, sizeof get_random);
	for (unsigned locality = 1; locality < 256; locality++) {
		page[4] = (uint8_t)locality;
		refuse_page(g, GUEST_BASE, SVSM_ERR_INVALID_PARAMETER);
	}
	end_guest(g);
}

static void the_largest_command_reaches_the_tpm(void **state)
{
	struct guest *g = new_guest(0);
	uint8_t command[CVTPM_SVSM_BUFFER_SIZE] = {0x80, 1, 0, 0, 0x0F, 0xF7, 0, 0, 1, 0x7B, 0, 16};

	(void)state;
	assert_int_equal(guest_send(g, GUEST_BASE, command, sizeof command), 10);
	assert_int_not_equal(snp_get32(guest_at(g, GUEST_BASE) + 10), 0);
	end_guest(g);
}

static void other_platform_commands_do_nothing(void **state)
{
	struct guest *g = new_guest(0);
	uint8_t *page = guest_at(g, GUEST_BASE);
	struct tpm_value value;

	(void)state;
	assert_int_equal(guest_send(g, GUEST_BASE, get_random, sizeof get_random), 28);
	guest_send(g, GUEST_BASE + PAGE, get_random, sizeof get_random);
	for (uint32_t n = 0; n < 70; n++) {
		bool known = (n >= 1 && n <= 18) || n == 20 || n == 21 || n == 25 || n == 26 ||
			     n == 30 || n == 35 || n == 36;

		if (n == 8)
			continue;
		snp_put32(page, n);
		refuse_page(g, GUEST_BASE,
			    known ? SVSM_ERR_UNSUPPORTED_CALL : SVSM_ERR_INVALID_PARAMETER);
	}
	snp_put32(page, 0x80000008);
	refuse_page(g, GUEST_BASE, SVSM_ERR_INVALID_PARAMETER);
	/* No reset among them: the TPM is still started. */
	assert_int_equal(tpm_get_random(&g->client, 8, &value), 0);
	end_guest(g);
}

static void a_tpm_without_power_is_an_invalid_request(void **state)
{
	struct guest *g = new_guest(0);
	uint8_t *page = guest_at(g, GUEST_BASE);

	(void)state;
	guest_send(g, GUEST_BASE, get_random, sizeof get_random);
	snp_put32(page, 8);
	page[4] = 0;
	snp_put32(page + 5, sizeof get_random);
	memcpy(page + 9, get_random, sizeof get_random);
	cvtpm_instance_power_off(g->instance);
	refuse_page(g, GUEST_BASE, SVSM_ERR_INVALID_REQUEST);
	assert_int_equal(cvtpm_instance_power_on(g->instance), 0);
	end_guest(g);
}

/* ---- attestation: as Linux does it ---- */

static void check_report(struct guest *g, const struct attest *a)
{
	const uint8_t *report = guest_at(g, a->report.address);
	struct cvtpm_hash hash;
	uint8_t digest[64];

	assert_int_equal(a->report.len, SNP_REPORT_SIZE);
	assert_int_equal(snp_report_check(report, SNP_REPORT_SIZE), 0);
	assert_int_equal(snp_report_vmpl(report), 0);
	assert_int_equal(cvtpm_hash_begin(&hash, CVTPM_SHA512), 0);
	cvtpm_hash_update(&hash, a->nonce, sizeof a->nonce);
	cvtpm_hash_update(&hash, guest_at(g, a->manifest.address), a->manifest.len);
	cvtpm_hash_end(&hash, digest);
	assert_memory_equal(snp_report_report_data(report), digest, sizeof digest);
}

static void check_certificates(struct guest *g, const struct attest *a)
{
	struct snp_certtable table;
	struct snp_certtable_entry vcek;

	assert_int_equal(snp_certtable_begin(&table, guest_at(g, a->certificates.address),
					     a->certificates.len),
			 0);
	assert_int_equal(snp_certtable_find(&table, snp_guid_vcek, &vcek), 0);
}

/* What anybody gets from TPM2_CreatePrimary with the template. */
static size_t primary(struct guest *g, enum cvtpm_ek kind, uint8_t *out)
{
	uint8_t template[CVTPM_EK_PUBLIC_MAX_SIZE];
	size_t len = cvtpm_ek_template_write(cvtpm_ek_template_of(kind), template);
	struct tpm_value area;
	uint32_t key;

	assert_int_equal(
		tpm_create_primary(&g->client, TPM_RH_ENDORSEMENT, template, len, &key, &area), 0);
	len = area.len;
	memcpy(out, area.bytes, len);
	assert_int_equal(tpm_flush_context(&g->client, key), 0);
	return len;
}

static void the_manifest_is_what_create_primary_returns(void **state)
{
	static const struct {
		enum cvtpm_ek option, ek;
		size_t len;
	} cases[] = {{0, CVTPM_EK_RSA2048, 314}, {CVTPM_EK_P256, CVTPM_EK_P256, 122}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct guest *g = new_guest(cases[i].option);
		uint8_t ek[CVTPM_EK_PUBLIC_MAX_SIZE];
		struct attest a;

		guest_attest_begin(&a, true);
		assert_int_equal(attest_as_linux(g, &a), SVSM_SUCCESS);
		assert_int_equal(a.calls, 1);
		assert_int_equal(a.manifest.len, cases[i].len);
		assert_int_equal(primary(g, cases[i].ek, ek), a.manifest.len);
		assert_memory_equal(guest_at(g, a.manifest.address), ek, a.manifest.len);
		check_report(g, &a);
		check_certificates(g, &a);
		end_guest(g);
	}
}

static void all_services_are_the_vtpm(void **state)
{
	struct guest *g = new_guest(0);
	uint8_t ek[CVTPM_EK_PUBLIC_MAX_SIZE];
	const uint8_t *m;
	struct attest a;

	(void)state;
	guest_attest_begin(&a, false);
	assert_int_equal(attest_as_linux(g, &a), SVSM_SUCCESS);
	check_report(g, &a);
	m = guest_at(g, a.manifest.address);
	assert_int_equal(a.manifest.len, 24 + 24 + 314);
	assert_memory_equal(m, svsm_guid_services, 16);
	assert_int_equal(snp_get32(m + 16), a.manifest.len);
	assert_int_equal(snp_get32(m + 20), 1);
	assert_memory_equal(m + 24, svsm_guid_vtpm, 16);
	assert_int_equal(snp_get32(m + 40), 48);
	assert_int_equal(snp_get32(m + 44), 314);
	assert_int_equal(primary(g, CVTPM_EK_RSA2048, ek), 314);
	assert_memory_equal(m + 48, ek, 314);
	end_guest(g);
}

static void linux_tries_again_with_larger_buffers(void **state)
{
	struct guest *g = new_guest(0);
	struct attest a;

	(void)state;
	guest_attest_begin(&a, true);
	a.report.size = SNP_REPORT_SIZE - 1;
	a.manifest.size = 0;
	a.certificates.size = 1;
	assert_int_equal(attest_as_linux(g, &a), SVSM_SUCCESS);
	assert_int_equal(a.calls, 2);
	check_report(g, &a);
	check_certificates(g, &a);
	end_guest(g);
}

static void what_does_not_fit_is_not_written_at_all(void **state)
{
	struct guest *g = new_guest(0);

	(void)state;
	for (unsigned which = 0; which < 3; which++) {
		struct cvtpm_svsm_registers regs = {.rax = 0x100000001, .rcx = GUEST_CAA + 8};
		struct attest a;

		guest_attest_begin(&a, true);
		(which == 0 ? &a.report : which == 1 ? &a.manifest : &a.certificates)->size = 313;
		attest_write(g, GUEST_CAA + 8, &a);
		g->copies_out = 0;
		assert_int_equal(guest_call(g, &regs), SVSM_ERR_INVALID_PARAMETER);
		assert_int_equal(g->copies_out, 0);
		assert_int_equal(regs.rcx, 314);
		assert_in_range(regs.rdx, 1000, SNP_CERTS_MAX_SIZE);
		assert_int_equal(regs.r8, SNP_REPORT_SIZE);
	}
	end_guest(g);
}

static void certificates_are_optional(void **state)
{
	struct guest *g = new_guest(0);
	struct attest a;

	(void)state;
	guest_attest_begin(&a, true);
	a.certificates.size = 0;
	a.certificates.address = 0x123; /* of no meaning then */
	assert_int_equal(attest_as_linux(g, &a), SVSM_SUCCESS);
	assert_int_equal(a.certificates.len, 0);
	check_report(g, &a);
	end_guest(g);
}

static void buffers_of_exactly_the_right_size_do(void **state)
{
	struct guest *g = new_guest(0);
	struct attest a;

	(void)state;
	guest_attest_begin(&a, true);
	a.report.size = SNP_REPORT_SIZE;
	a.manifest.size = 314;
	assert_int_equal(attest_as_linux(g, &a), SVSM_SUCCESS);
	assert_int_equal(a.calls, 1);
	check_report(g, &a);
	end_guest(g);
}

/* ---- attestation: as an attacker does it ---- */

/* Registers that the call does not define stay, and nothing is written. */
static void refuse_attest(struct guest *g, bool single, uint64_t address, uint64_t code)
{
	static uint8_t before[GUEST_SIZE];
	struct cvtpm_svsm_registers regs = {.rax = single ? 0x100000001 : 0x100000000,
					    .rcx = address,
					    .rdx = 1,
					    .r8 = 2,
					    .r9 = 3};

	memcpy(before, g->memory, GUEST_SIZE);
	assert_int_equal(guest_call(g, &regs), code);
	assert_memory_equal(before, g->memory, GUEST_SIZE);
	assert_int_equal(regs.rcx, address);
	assert_int_equal(regs.rdx, 1);
	assert_int_equal(regs.r8, 2);
	assert_int_equal(regs.r9, 3);
}

static void reserved_bytes_must_be_zero(void **state)
{
	static const uint8_t reserved[][2] = {
		{0x0C, 4}, {0x1A, 6}, {0x2C, 4}, {0x3C, 4}, {0x54, 4}};
	struct guest *g = new_guest(0);
	uint8_t *at = guest_at(g, GUEST_CAA + 8);
	struct attest a;

	(void)state;
	guest_attest_begin(&a, true);
	attest_write(g, GUEST_CAA + 8, &a);
	for (size_t i = 0; i < 5; i++)
		for (size_t j = 0; j < reserved[i][1]; j++)
			for (unsigned bit = 0; bit < 8; bit++) {
				at[reserved[i][0] + j] = (uint8_t)(1u << bit);
				refuse_attest(g, true, GUEST_CAA + 8, SVSM_ERR_INVALID_PARAMETER);
				if (i < 4)
					refuse_attest(g, false, GUEST_CAA + 8,
						      SVSM_ERR_INVALID_PARAMETER);
				at[reserved[i][0] + j] = 0;
			}
	/* For all services, what is behind the structure has no meaning. */
	memset(at + 0x40, 0xFF, 0x18);
	assert_int_equal(call(g, 0x100000000, GUEST_CAA + 8), SVSM_SUCCESS);
	end_guest(g);
}

static void the_nonce_is_64_bytes_within_a_page(void **state)
{
	struct guest *g = new_guest(0);
	uint8_t *at = guest_at(g, GUEST_CAA + 8);
	struct attest a;

	(void)state;
	guest_attest_begin(&a, true);
	attest_write(g, GUEST_CAA + 8, &a);
	for (uint32_t size = 0; size < 0x10000; size += size < 200 ? 1 : 997) {
		if (size == 64)
			continue;
		snp_put16(at + 0x18, (uint16_t)size);
		refuse_attest(g, true, GUEST_CAA + 8, SVSM_ERR_INVALID_PARAMETER);
	}
	snp_put16(at + 0x18, 64);
	for (uint64_t crossing = 1; crossing < 64; crossing++) {
		snp_put64(at + 0x10, GUEST_NONCE + PAGE - crossing);
		refuse_attest(g, true, GUEST_CAA + 8, SVSM_ERR_INVALID_PARAMETER);
	}
	snp_put64(at + 0x10, GUEST_NONCE + PAGE - 64);
	assert_int_equal(call(g, 0x100000001, GUEST_CAA + 8), SVSM_SUCCESS);
	snp_put64(at + 0x10, GUEST_END);
	refuse_attest(g, true, GUEST_CAA + 8, SVSM_ERR_INVALID_PARAMETER);
	snp_put64(at + 0x10, UINT64_MAX - 63);
	refuse_attest(g, true, GUEST_CAA + 8, SVSM_ERR_INVALID_PARAMETER);
	end_guest(g);
}

static void buffers_are_aligned_and_the_guests_to_their_end(void **state)
{
	static const size_t fields[] = {0x00, 0x20, 0x30};
	static const struct {
		uint64_t address;
		uint32_t size;
	} bad[] = {
		{GUEST_BASE + 8 * PAGE + 1, PAGE},
		{GUEST_BASE + 8 * PAGE + 64, PAGE},
		{0, PAGE},
		{GUEST_BASE - PAGE, 2 * PAGE},
		{GUEST_END - PAGE, PAGE + 1},
		{GUEST_END, PAGE},
		{GUEST_BASE + 8 * PAGE, 0xFFFFFFFF},
		{0xFFFFFFFFFFFFF000, PAGE},
		{0xFFFFFFFFFFFFF000, 0xFFFFFFFF},
		{GUEST_BASE + 39 * PAGE, 2 * PAGE}, /* into the hole */
	};
	struct guest *g = new_guest(0);
	uint8_t *at = guest_at(g, GUEST_CAA + 8);
	struct attest a;

	(void)state;
	g->hole = GUEST_BASE + 40 * PAGE;
	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < sizeof bad / sizeof bad[0]; j++) {
			guest_attest_begin(&a, true);
			attest_write(g, GUEST_CAA + 8, &a);
			snp_put64(at + fields[i], bad[j].address);
			snp_put32(at + fields[i] + 8, bad[j].size);
			refuse_attest(g, true, GUEST_CAA + 8, SVSM_ERR_INVALID_PARAMETER);
		}
	end_guest(g);
}

static void the_structure_may_lie_anywhere_in_the_guest(void **state)
{
	struct guest *g = new_guest(0);
	const uint64_t crossing = GUEST_BASE + 5 * PAGE - 0x21;
	struct attest a;

	(void)state;
	guest_attest_begin(&a, true);
	attest_write(g, crossing, &a);
	assert_int_equal(call(g, 0x100000001, crossing), SVSM_SUCCESS);
	attest_write(g, GUEST_END - 0x58, &a);
	assert_int_equal(call(g, 0x100000001, GUEST_END - 0x58), SVSM_SUCCESS);
	refuse_attest(g, true, GUEST_END - 0x57, SVSM_ERR_INVALID_PARAMETER);
	refuse_attest(g, true, 0, SVSM_ERR_INVALID_PARAMETER);
	refuse_attest(g, true, UINT64_MAX, SVSM_ERR_INVALID_PARAMETER);
	refuse_attest(g, false, UINT64_MAX - 0x3F, SVSM_ERR_INVALID_PARAMETER);
	g->hole = GUEST_BASE + 5 * PAGE;
	refuse_attest(g, true, crossing, SVSM_ERR_INVALID_PARAMETER);
	end_guest(g);
}

static void unknown_services_and_versions_are_refused(void **state)
{
	struct guest *g = new_guest(0);
	uint8_t *at = guest_at(g, GUEST_CAA + 8);
	struct attest a;

	(void)state;
	guest_attest_begin(&a, true);
	attest_write(g, GUEST_CAA + 8, &a);
	for (size_t i = 0; i < 16; i++) {
		at[0x40 + i] ^= 0x10;
		refuse_attest(g, true, GUEST_CAA + 8, SVSM_ERR_UNSUPPORTED_PROTOCOL);
		at[0x40 + i] ^= 0x10;
	}
	memset(at + 0x40, 0, 16);
	refuse_attest(g, true, GUEST_CAA + 8, SVSM_ERR_UNSUPPORTED_PROTOCOL);
	attest_write(g, GUEST_CAA + 8, &a);
	snp_put32(at + 0x50, 1);
	refuse_attest(g, true, GUEST_CAA + 8, SVSM_ERR_INVALID_PARAMETER);
	snp_put32(at + 0x50, 0x80000000);
	refuse_attest(g, true, GUEST_CAA + 8, SVSM_ERR_INVALID_PARAMETER);
	end_guest(g);
}

static void results_do_not_lie_on_each_other(void **state)
{
	struct guest *g = new_guest(0);
	struct attest a;

	(void)state;
	for (unsigned pair = 0; pair < 3; pair++) {
		guest_attest_begin(&a, true);
		if (pair == 0)
			a.manifest.address = a.report.address;
		else if (pair == 1)
			a.certificates.address = a.report.address - 3 * PAGE;
		else
			a.manifest.address = a.certificates.address + 3 * PAGE;
		attest_write(g, GUEST_CAA + 8, &a);
		refuse_attest(g, true, GUEST_CAA + 8, SVSM_ERR_INVALID_PARAMETER);
	}
	end_guest(g);
}

/* What was read has been read: results may be put where it was. */
static void results_may_lie_on_what_was_read(void **state)
{
	struct guest *g = new_guest(0);
	struct attest a;

	(void)state;
	guest_attest_begin(&a, true);
	a.report.address = GUEST_CAA;     /* on the structure */
	a.manifest.address = GUEST_NONCE; /* on the nonce */
	assert_int_equal(attest_as_linux(g, &a), SVSM_SUCCESS);
	check_report(g, &a);
	end_guest(g);
}

/* ---- another vCPU ---- */

/* Turns every buffer, size and the nonce around as soon as something was read. */
static void spoil(struct guest *g)
{
	if (g->copies_out == 0)
		memset(guest_at(g, GUEST_CAA), 0xFF, 2 * PAGE);
}

static void changes_between_check_and_use_have_no_effect(void **state)
{
	struct cvtpm_svsm_registers regs = {.rax = 0x100000001, .rcx = GUEST_CAA + 8};
	struct guest *g = new_guest(0);
	struct attest a;

	(void)state;
	guest_attest_begin(&a, true);
	attest_write(g, GUEST_CAA + 8, &a);
	memcpy(guest_at(g, GUEST_BASE + 6 * PAGE), a.nonce, 64); /* out of its reach */
	snp_put64(guest_at(g, GUEST_CAA + 8) + 0x10, GUEST_BASE + 6 * PAGE);
	g->meddle = spoil;
	g->copies_out = 0;
	assert_int_equal(guest_call(g, &regs), SVSM_SUCCESS);
	g->meddle = NULL;
	a.manifest.len = regs.rcx;
	a.report.len = regs.r8;
	check_report(g, &a);
	end_guest(g);
}

/* The command page becomes another command and another size once it was read. */
static void turn_page(struct guest *g)
{
	uint8_t *page = guest_at(g, GUEST_BASE);

	if (g->copies_out > 0)
		return;
	memset(page, 0xFF, PAGE);
	page[4] = 4; /* locality */
}

static void a_command_that_changes_while_it_runs_is_the_one_that_was_read(void **state)
{
	struct guest *g = new_guest(0);

	(void)state;
	g->meddle = turn_page;
	g->copies_out = g->copies_in = 0;
	assert_int_equal(guest_send(g, GUEST_BASE, get_random, sizeof get_random), 28);
	assert_int_equal(g->copies_in, 1); /* read once, whole */
	assert_int_equal(g->copies_out, 1);
	g->meddle = NULL;
	end_guest(g);
}

/* The page is taken from the guest while its call runs. */
static void take_page(struct guest *g)
{
	g->hole = GUEST_BASE + 8 * PAGE;
}

static void a_page_that_goes_away_gets_nothing(void **state)
{
	struct cvtpm_svsm_registers regs = {.rax = 0x200000001, .rcx = GUEST_BASE + 8 * PAGE};
	struct guest *g = new_guest(0);
	uint8_t before[PAGE];

	(void)state;
	guest_send(g, regs.rcx, get_random, sizeof get_random);
	snp_put32(guest_at(g, regs.rcx), 8);
	guest_at(g, regs.rcx)[4] = 0;
	snp_put32(guest_at(g, regs.rcx) + 5, sizeof get_random);
	memcpy(guest_at(g, regs.rcx) + 9, get_random, sizeof get_random);
	memcpy(before, guest_at(g, regs.rcx), PAGE);
	g->meddle = take_page;
	assert_int_equal(guest_call(g, &regs), SVSM_ERR_INVALID_PARAMETER);
	assert_memory_equal(before, guest_at(g, GUEST_BASE + 8 * PAGE), PAGE);
	end_guest(g);
}

struct scribbler {
	struct guest *guest;
	atomic_bool stop, running;
};

/* Sizes, addresses and locality of both calls flicker between good and bad. */
__attribute__((no_sanitize("thread"))) static void *scribble(void *context)
{
	struct scribbler *s = context;
	volatile uint8_t *page = s->guest->memory;
	volatile uint8_t *op = s->guest->memory + PAGE + 8;

	s->running = true;
	for (unsigned i = 0; !s->stop; i++) {
		page[5] = i & 1 ? sizeof get_random : 0xFF;
		page[6] = i & 1 ? 0 : 0xFF;
		page[4] = (uint8_t)(i % 3 == 0);
		op[0x09] = i & 2 ? 0x10 : 0;
		op[0x0C] = (uint8_t)(i % 5 == 0);
		op[0x21] = i & 4 ? 0 : 0x01;
		op[0x2B] = i & 8 ? 0 : 0xFF;
	}
	return NULL;
}

static void a_second_thread_harms_its_guest_alone(void **state)
{
	struct guest *g = new_guest(0);
	struct scribbler s = {.guest = g};
	unsigned commands = 0, attested = 0;
	pthread_t thread;
	struct attest a;

	(void)state;
	guest_attest_begin(&a, true);
	attest_write(g, GUEST_CAA + 8, &a);
	assert_int_equal(pthread_create(&thread, NULL, scribble, &s), 0);
	while (!s.running)
		;
	for (unsigned i = 0; i < 2000 || commands == 0; i++) {
		uint8_t *page = guest_at(g, GUEST_BASE);

		snp_put32(page, 8);
		memcpy(page + 9, get_random, sizeof get_random);
		commands += call(g, 0x200000001, GUEST_BASE) == SVSM_SUCCESS;
	}
	for (unsigned i = 0; i < 200 || attested == 0; i++)
		attested += call(g, 0x100000001, GUEST_CAA + 8) == SVSM_SUCCESS;
	s.stop = true;
	pthread_join(thread, NULL);
	assert_true(commands > 0 && attested > 0);
	/* The TPM and the AMD-SP are as they were. */
	assert_int_equal(guest_send(g, GUEST_BASE, get_random, sizeof get_random), 28);
	guest_attest_begin(&a, true);
	assert_int_equal(attest_as_linux(g, &a), SVSM_SUCCESS);
	end_guest(g);
}

/* A second vCPU calls while a call runs. */
static uint64_t second;

static void call_again(struct guest *g)
{
	g->meddle = NULL;
	second = call(g, 0x200000000, 0);
}

static void one_call_runs_at_a_time(void **state)
{
	struct guest *g = new_guest(0);

	(void)state;
	g->meddle = call_again;
	assert_int_equal(guest_send(g, GUEST_BASE, get_random, sizeof get_random), 28);
	assert_int_equal(second, SVSM_ERR_BUSY);
	assert_int_equal(call(g, 0x200000000, 0), SVSM_SUCCESS);
	end_guest(g);
}

/* ---- what is vouched for ---- */

static void what_a_guest_puts_at_the_eks_handle_is_not_attested(void **state)
{
	const struct cvtpm_ek_template *ek = cvtpm_ek_template_of(CVTPM_EK_RSA2048);
	uint8_t template[CVTPM_EK_PUBLIC_MAX_SIZE], genuine[CVTPM_EK_PUBLIC_MAX_SIZE];
	size_t len = cvtpm_ek_template_write(ek, template), genuine_len;
	struct guest *g = new_guest(0);
	struct tpm_value area;
	struct attest a;
	uint32_t key;

	(void)state;
	genuine_len = primary(g, CVTPM_EK_RSA2048, genuine);
	assert_int_equal(tpm_evict_control(&g->client, TPM_RH_OWNER, ek->handle, ek->handle), 0);
	/* The same template in another hierarchy. */
	assert_int_equal(tpm_create_primary(&g->client, TPM_RH_OWNER, template, len, &key, &area),
			 0);
	assert_int_equal(tpm_evict_control(&g->client, TPM_RH_OWNER, key, ek->handle), 0);
	assert_int_equal(tpm_flush_context(&g->client, key), 0);

	guest_attest_begin(&a, true);
	assert_int_equal(attest_as_linux(g, &a), SVSM_SUCCESS);
	assert_int_equal(a.manifest.len, genuine_len);
	assert_memory_equal(guest_at(g, a.manifest.address), genuine, genuine_len);
	end_guest(g);
}

static void after_change_eps_nothing_is_attested(void **state)
{
	struct guest *g = new_guest(0);
	struct attest a;

	(void)state;
	assert_int_equal(tpm_change_eps(&g->client), 0);
	guest_attest_begin(&a, true);
	attest_write(g, GUEST_CAA + 8, &a);
	refuse_attest(g, true, GUEST_CAA + 8, SVSM_ERR_INVALID_REQUEST);
	refuse_attest(g, false, GUEST_CAA + 8, SVSM_ERR_INVALID_REQUEST);
	end_guest(g);
}

static void a_tpm_in_failure_mode_is_not_attested(void **state)
{
	struct guest *g = new_guest(0);
	struct attest a;

	(void)state;
	cvtpm_instance_fail_until_reset(g->instance, "a test");
	guest_attest_begin(&a, true);
	attest_write(g, GUEST_CAA + 8, &a);
	refuse_attest(g, true, GUEST_CAA + 8, SVSM_ERR_INVALID_REQUEST);
	assert_int_equal(guest_send(g, GUEST_BASE, get_random, sizeof get_random), 10);
	assert_int_equal(cvtpm_instance_reset(g->instance), 0);
	end_guest(g);
}

static void no_report_is_an_invalid_request(void **state)
{
	struct guest *g = new_guest(0);
	struct cvtpm_amdsp_faults faults = {.other_report_data = true};
	struct attest a;

	(void)state;
	guest_attest_begin(&a, true);
	attest_write(g, GUEST_CAA + 8, &a);
	cvtpm_amdsp_set_faults(cvtpm_amdsp_of(g->provider), &faults);
	refuse_attest(g, true, GUEST_CAA + 8, SVSM_ERR_INVALID_REQUEST);
	faults = (struct cvtpm_amdsp_faults){.firmware = 0x16};
	cvtpm_amdsp_set_faults(cvtpm_amdsp_of(g->provider), &faults);
	refuse_attest(g, true, GUEST_CAA + 8, SVSM_ERR_INVALID_REQUEST);
	end_guest(g);
}

static void no_manifest_with_a_nonce_is_as_long_as_an_ek(void **state)
{
	const struct cvtpm_ek_template *ek;

	(void)state;
	for (size_t i = 0; (ek = cvtpm_ek_template_at(i)) != NULL; i++) {
		size_t public = cvtpm_ek_public_size(ek);

		assert_false(svsm_manifest_length_is_safe(public - 64));
		assert_true(svsm_manifest_length_is_safe(public - 2)); /* the vTPM's manifest */
		assert_true(
			svsm_manifest_length_is_safe(public - 2 + 48)); /* that of all services */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query_protocol_knows_two_protocols_in_one_version),
		cmocka_unit_test(unknown_protocols_and_calls_are_told_apart),
		cmocka_unit_test(a_tpm_without_evidence_has_no_attestation),
		cmocka_unit_test(a_manifest_is_only_of_an_ek_that_there_is),
		cmocka_unit_test(linux_finds_tpm_send_command_and_no_features),
		cmocka_unit_test(linux_reads_random_numbers_and_pcrs),
		cmocka_unit_test(a_command_page_need_not_be_aligned),
		cmocka_unit_test(only_the_response_is_written),
		cmocka_unit_test(a_page_outside_the_guest_is_refused),
		cmocka_unit_test(hostile_sizes_and_localities_are_refused),
		cmocka_unit_test(the_largest_command_reaches_the_tpm),
		cmocka_unit_test(other_platform_commands_do_nothing),
		cmocka_unit_test(a_tpm_without_power_is_an_invalid_request),
		cmocka_unit_test(the_manifest_is_what_create_primary_returns),
		cmocka_unit_test(all_services_are_the_vtpm),
		cmocka_unit_test(linux_tries_again_with_larger_buffers),
		cmocka_unit_test(what_does_not_fit_is_not_written_at_all),
		cmocka_unit_test(certificates_are_optional),
		cmocka_unit_test(buffers_of_exactly_the_right_size_do),
		cmocka_unit_test(reserved_bytes_must_be_zero),
		cmocka_unit_test(the_nonce_is_64_bytes_within_a_page),
		cmocka_unit_test(buffers_are_aligned_and_the_guests_to_their_end),
		cmocka_unit_test(the_structure_may_lie_anywhere_in_the_guest),
		cmocka_unit_test(unknown_services_and_versions_are_refused),
		cmocka_unit_test(results_do_not_lie_on_each_other),
		cmocka_unit_test(results_may_lie_on_what_was_read),
		cmocka_unit_test(changes_between_check_and_use_have_no_effect),
		cmocka_unit_test(a_command_that_changes_while_it_runs_is_the_one_that_was_read),
		cmocka_unit_test(a_page_that_goes_away_gets_nothing),
		cmocka_unit_test(a_second_thread_harms_its_guest_alone),
		cmocka_unit_test(one_call_runs_at_a_time),
		cmocka_unit_test(what_a_guest_puts_at_the_eks_handle_is_not_attested),
		cmocka_unit_test(after_change_eps_nothing_is_attested),
		cmocka_unit_test(a_tpm_in_failure_mode_is_not_attested),
		cmocka_unit_test(no_report_is_an_invalid_request),
		cmocka_unit_test(no_manifest_with_a_nonce_is_as_long_as_an_ek),
	};

	return cmocka_run_group_tests_name("svsm", tests, open_lab, close_lab);
}
