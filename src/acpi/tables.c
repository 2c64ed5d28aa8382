#include "acpi/aml.h"
#include "acpi/ppi.h"
#include "cvtpm/acpi.h"
#include "cvtpm/err.h"

#define PAGE_SIZE       0x1000u
#define MAX_LOCALITIES  5
#define CONTROL_AREA    0x40 /* TPM_CRB_CTRL_REQ: where TPM2's control area begins */
#define FOUR_GIB        (UINT64_C(1) << 32)
#define SEABIOS_LOW_END 0x100000u /* SeaBIOS's stack, data and code are below ... */
#define SEABIOS_FREE    0x5000u   /* ... and from here on */

static unsigned localities(const struct cvtpm_acpi_config *config)
{
	return config->localities ? config->localities : 1;
}

static bool areas_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* ---- what can be wrong with a configuration ---- */

static const char *page_problem(const struct cvtpm_acpi_config *config)
{
	if (config->page == 0 || config->page % PAGE_SIZE)
		return "the page's guest-physical address must be a multiple of 4096 and not 0";
	if (config->localities > MAX_LOCALITIES)
		return "a TPM has five localities at most";
	if (config->page > UINT64_MAX - MAX_LOCALITIES * PAGE_SIZE)
		return "the page ends beyond the address space";
	if (config->start_method != 7 && config->start_method != 8)
		return "the start method must be 7 (CRB) or 8 (CRB with ACPI start)";
	if (config->class != CVTPM_ACPI_CLIENT && config->class != CVTPM_ACPI_SERVER)
		return "the platform class must be client or server";
	return NULL;
}

static const char *log_problem(const struct cvtpm_acpi_config *config)
{
	const uint64_t low = config->log_address % FOUR_GIB;

	if (!config->log_size)
		return NULL;
	if (config->log_address == 0 || config->log_address > UINT64_MAX - config->log_size)
		return "the log area ends beyond the address space, or begins at 0";
	if (areas_overlap(config->log_address, config->log_size, config->page,
			  localities(config) * PAGE_SIZE))
		return "the log area overlaps the CRB page";
	if (config->ppi &&
	    areas_overlap(config->log_address, config->log_size, config->ppi, CVTPM_PPI_SIZE))
		return "the log area overlaps the PPI area";
	if (config->log_address < FOUR_GIB)
		return NULL;
	if (config->log_size > CVTPM_ACPI_HIGH_LOG_MAX)
		return "a log area above 4 GiB may have 16 KiB at most: SeaBIOS clears it before "
		       "the guest starts, but at the low 32 bits of its address, which is other "
		       "memory of the guest's";
	if (low < SEABIOS_LOW_END && low + config->log_size > SEABIOS_FREE)
		return "SeaBIOS clears a log area above 4 GiB at the low 32 bits of its address, "
		       "and there it would hit itself: let these be 0x1000, or from 0x100000 on";
	return NULL;
}

static const char *ppi_problem(const struct cvtpm_acpi_config *config)
{
	if (!config->ppi)
		return NULL;
	if (config->ppi > FOUR_GIB - CVTPM_PPI_SIZE)
		return "the PPI area must lie below 4 GiB: QEMU's DSDT has revision 1, which makes "
		       "the numbers of all AML 32 bits long, and the guest would use other "
		       "memory of its own; put the page below 4 GiB (cvtpm qemu-args --numa)";
	if (areas_overlap(config->ppi, CVTPM_PPI_SIZE, config->page,
			  localities(config) * PAGE_SIZE))
		return "the PPI area overlaps the CRB page";
	return NULL;
}

int cvtpm_acpi_check(const struct cvtpm_acpi_config *config, const char **why)
{
	const char *problem = page_problem(config);

	if (!problem)
		problem = ppi_problem(config);
	if (!problem)
		problem = log_problem(config);
	if (why)
		*why = problem;
	return problem ? CVTPM_ERR_PARAM : 0;
}

/* ---- TPM2 ---- */

int cvtpm_acpi_tpm2(const struct cvtpm_acpi_config *config, uint8_t *out, size_t *len)
{
	struct aml a;

	CVTPM_TRY(cvtpm_acpi_check(config, NULL));
	aml_start(&a, out, *len, "TPM2", 4, "CRBTPM  ");
	aml_u16(&a, (uint16_t)config->class);
	aml_u16(&a, 0);
	aml_u64(&a, config->page + CONTROL_AREA);
	aml_u32(&a, config->start_method);
	for (unsigned i = 0; i < 3; i++) /* parameters of the start method: none */
		aml_u32(&a, 0);
	aml_u32(&a, config->log_size);
	aml_u64(&a, config->log_size ? config->log_address : 0);
	return aml_finish(&a, len);
}

/* ---- SSDT ---- */

#define END_TAG 0x79

/* Memory32Fixed (ReadWrite, page, size), as QEMU has it (ACPI 6.5, 6.4.3.4). */
static void resource_below_4gib(struct aml *a, uint64_t page, uint32_t size)
{
	aml_buffer(a, 12 + 2);
	aml_u8(a, 0x86), aml_u16(a, 9);
	aml_u8(a, 1); /* ReadWrite */
	aml_u32(a, (uint32_t)page), aml_u32(a, size);
	aml_u8(a, END_TAG), aml_u8(a, 0);
	aml_end(a);
}

/* QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable,
 * ReadWrite, 0, page, page + size - 1, 0, size) (6.4.3.5.1). */
static void resource_above_4gib(struct aml *a, uint64_t page, uint32_t size)
{
	aml_buffer(a, 46 + 2);
	aml_u8(a, 0x8a), aml_u16(a, 43);
	aml_u8(a, 0);    /* memory */
	aml_u8(a, 0x0d); /* ResourceConsumer, PosDecode, MinFixed, MaxFixed */
	aml_u8(a, 1);    /* NonCacheable, ReadWrite */
	aml_u64(a, 0), aml_u64(a, page), aml_u64(a, page + size - 1);
	aml_u64(a, 0), aml_u64(a, size);
	aml_u8(a, END_TAG), aml_u8(a, 0);
	aml_end(a);
}

/* The doorbell (ACPI start, TCG ACPI Specification, "Start Method" 8). It comes
 * first in the _DSM: each command goes through here. */
static void start_dsm(struct aml *a)
{
	static const uint8_t functions[] = {0x03}; /* 0 and 1 */

	aml_if(a), aml_equal(a), aml_arg(a, 0);
	aml_uuid(a, "6bbf6cab-5463-4714-b7cd-f0203c0368d4");
	aml_if(a), aml_equal(a), aml_arg(a, 2), aml_integer(a, 1);
	aml_store(a), aml_integer(a, 1), aml_ref(a, "BELL");
	aml_return(a), aml_integer(a, 0); /* success */
	aml_end(a);
	aml_if(a), aml_equal(a), aml_arg(a, 2), aml_integer(a, 0);
	aml_return(a), aml_bytes_buffer(a, functions, sizeof functions);
	aml_end(a);
	aml_end(a);
}

static void declare_bell(struct aml *a, uint16_t port)
{
	aml_region(a, "DBEL", AML_SYSTEM_IO);
	aml_integer(a, port), aml_integer(a, 1);
	aml_field(a, "DBEL", AML_BYTE_ACC);
	aml_unit(a, "BELL", 8);
	aml_end(a);
}

static void declare_dsm(struct aml *a, const struct cvtpm_acpi_config *config)
{
	static const uint8_t nothing[] = {0};

	aml_method(a, "_DSM", 4, AML_SERIALIZED);
	if (config->start_method == 8)
		start_dsm(a);
	if (config->ppi)
		ppi_dsm(a);
	aml_return(a), aml_bytes_buffer(a, nothing, sizeof nothing);
	aml_end(a);
}

int cvtpm_acpi_ssdt(const struct cvtpm_acpi_config *config, uint8_t *out, size_t *len)
{
	const uint32_t size = localities(config) * PAGE_SIZE;
	struct aml a;

	CVTPM_TRY(cvtpm_acpi_check(config, NULL));
	aml_start(&a, out, *len, "SSDT", 2, "CRBTPM  ");
	aml_scope(&a, "\\_SB_");
	aml_device(&a, "TPM0");

	aml_name(&a, "_HID"), aml_string(&a, "MSFT0101");
	aml_name(&a, "_STR"), aml_unicode(&a, "TPM 2.0 Device");
	aml_name(&a, "_UID"), aml_integer(&a, 1);
	aml_method(&a, "_STA", 0, AML_NOT_SERIALIZED);
	aml_return(&a), aml_integer(&a, 0x0F); /* present, enabled, shown, functioning */
	aml_end(&a);
	aml_name(&a, "_CRS");
	if (config->page + size <= FOUR_GIB)
		resource_below_4gib(&a, config->page, size);
	else
		resource_above_4gib(&a, config->page, size);

	if (config->start_method == 8)
		declare_bell(&a, config->port ? config->port : CVTPM_ACPI_DEFAULT_PORT);
	if (config->ppi)
		ppi_declare(&a, config->ppi);
	if (config->start_method == 8 || config->ppi)
		declare_dsm(&a, config);

	aml_end(&a);
	aml_end(&a);
	return aml_finish(&a, len);
}
