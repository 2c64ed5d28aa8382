/*
 * The AML of the Physical Presence Interface (TCG PPI 1.3), as QEMU's tables
 * have it: what the operating system asks for is left in memory, for whoever
 * plays the firmware at the next reset.
 */
#ifndef CVTPM_ACPI_PPI_H
#define CVTPM_ACPI_PPI_H

#include "acpi/aml.h"

/** The declarations in the device: regions, fields, the method TPFN. */
void ppi_declare(struct aml *a, uint64_t area);

/** The part of its _DSM. */
void ppi_dsm(struct aml *a);

#endif
