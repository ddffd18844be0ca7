/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI tables of the machine. */
#ifndef VSDK_MACHINE_ACPI_TABLES_H
#define VSDK_MACHINE_ACPI_TABLES_H

#include <stdint.h>

/* RSDP 0, XSDT 0x40, FADT 0x80, FACS 0x1c0 (fixed hardware only), MADT 0x200, DSDT 0x1000 */
enum { ACPI_AREA = 0x2000 };

typedef struct acpi_machine {
    uint64_t base; /* guest address of the area; the RSDP is there */
    uint32_t vcpus;
    uint64_t ioapic;
    uint32_t ioapic_id;
    int reduced;           /* hardware-reduced; else fixed hardware, PIC and PIT */
    uint16_t sleep, reset; /* ports; reduced: sleep control, and status after it */
    uint16_t pm;           /* fixed: events, control +4, timer +8 */
    uint32_t sci;
} acpi_machine;

void acpi_build(const acpi_machine *machine, uint8_t area[ACPI_AREA]);

#endif
