/*
 * The two ACPI tables by which an operating system finds a CRB page: TPM2 (TCG
 * ACPI Specification 1.3, clause 8) and an SSDT with the device MSFT0101.
 *
 * Start method 7 (CRB): the driver sets CTRL_START and polls. Start method 8
 * (CRB with ACPI start): the driver sets CTRL_START and then calls the device's
 * _DSM (GUID 6bbf6cab-5463-4714-b7cd-f0203c0368d4, function 1), in which we
 * write one byte to an I/O port: the doorbell, docs/crb.md.
 *
 * With a PPI area the device has the Physical Presence Interface's _DSM (GUID
 * 3dddfaa6-361b-4eb4-a424-8d10089d1653, functions 0 to 8), as QEMU has it. The
 * area's layout is QEMU's (its docs/specs/tpm): struct cvtpm_ppi says where
 * things are.
 *
 * Nothing here keeps state. Freestanding.
 */
#ifndef CVTPM_ACPI_H
#define CVTPM_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CVTPM_ACPI_TPM2_SIZE     76   /* of the TPM2 table */
#define CVTPM_ACPI_SSDT_MAX_SIZE 2048 /* always enough for the SSDT */

#define CVTPM_ACPI_DEFAULT_PORT 0x505 /* of the doorbell */

/* Where the program puts things, seen from the page, unless told otherwise: the PPI
 * area as far from locality 0 as QEMU has it; the log behind the one page where
 * there is one, or behind the PPI area. */
#define CVTPM_ACPI_PPI_OFFSET        0x5000u
#define CVTPM_ACPI_LOG_OFFSET        0x1000u
#define CVTPM_ACPI_LOG_OFFSET_BEHIND 0x8000u

/* Above 4 GiB a log area may have no more than this: SeaBIOS clears the area at
 * boot, but takes the low 32 bits of its address, which is other memory. */
#define CVTPM_ACPI_HIGH_LOG_MAX 0x4000

/* The PPI area: 0x400 bytes, little-endian, the fields at these offsets. */
#define CVTPM_PPI_SIZE 0x400
enum cvtpm_ppi {
	CVTPM_PPI_FUNC = 0x000, /* 0x100 bytes: for each operation enum cvtpm_ppi_permission */
	CVTPM_PPI_PPRP = 0x105, /* u32: result of the last operation */
	CVTPM_PPI_PPRQ = 0x109, /* u32: operation requested for the next boot */
	CVTPM_PPI_PPRM = 0x10d, /* u32: its parameter */
	CVTPM_PPI_LPPR = 0x111, /* u32: the last operation */
};

enum cvtpm_ppi_permission {
	CVTPM_PPI_NOT_IMPLEMENTED = 0,
	CVTPM_PPI_FIRMWARE_ONLY = 1,
	CVTPM_PPI_BLOCKED = 2,
	CVTPM_PPI_USER_REQUIRED = 3, /* allowed, a physically present user confirms it */
	CVTPM_PPI_ALLOWED = 4,       /* allowed, nobody is asked */
};

enum cvtpm_acpi_class { CVTPM_ACPI_CLIENT = 0, CVTPM_ACPI_SERVER = 1 };

struct cvtpm_acpi_config {
	uint64_t page;         /* guest-physical address of locality 0: a multiple of 4096, not 0 */
	unsigned localities;   /* pages of 4096 bytes that the device has, 1 to 5; 0 means 1 */
	unsigned start_method; /* 7 or 8 */
	uint16_t port;         /* the doorbell's; 0 means CVTPM_ACPI_DEFAULT_PORT */
	enum cvtpm_acpi_class class; /* TPM2's platform class */
	uint64_t log_address;        /* LASA, guest-physical */
	uint32_t log_size;           /* LAML; 0: no log area, and LASA is 0 */
	uint64_t ppi;                /* guest-physical address of the PPI area; 0: no PPI */
};

/** Looks at `config`. 0, or CVTPM_ERR_PARAM and in `*why` (may be NULL) a constant
 *  phrase that says what is wrong with it: alignment, start method, areas that
 *  overlap or reach beyond 2^64, a log area that SeaBIOS would turn against the
 *  guest (above 4 GiB more than CVTPM_ACPI_HIGH_LOG_MAX, or with its low 32 bits
 *  in memory that SeaBIOS itself runs in), a PPI area above 4 GiB (in a machine whose
 *  DSDT has revision 1, QEMU's for one, AML cannot reach it). */
int cvtpm_acpi_check(const struct cvtpm_acpi_config *config, const char **why);

/** Writes the TPM2 table. `*len` in: room at `out`, out: CVTPM_ACPI_TPM2_SIZE.
 *  CVTPM_ERR_PARAM: as cvtpm_acpi_check. CVTPM_ERR_SIZE: too little room. */
int cvtpm_acpi_tpm2(const struct cvtpm_acpi_config *config, uint8_t *out, size_t *len);

/** Writes the SSDT. `*len` in: room at `out`, out: the table's length.
 *  CVTPM_ERR_PARAM, CVTPM_ERR_SIZE. */
int cvtpm_acpi_ssdt(const struct cvtpm_acpi_config *config, uint8_t *out, size_t *len);

#endif
