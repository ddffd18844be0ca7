/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI tables of the machine. */
#ifndef VSDK_MACHINE_ACPI_TABLES_H
#define VSDK_MACHINE_ACPI_TABLES_H

#include <vsdk/machine.h>

/* RSDP 0, XSDT 0x40, FADT 0x80, FACS 0x1c0 (fixed hardware only), MADT 0x200, DSDT 0x1000, and
 * behind it, if there are nodes, an SSDT. With PCI there is a page more, an MCFG at 0xf00, and the
 * XSDT, which has no room before the FADT any more, is at 0xf80. */
enum { ACPI_AREA = 0x2000, ACPI_AREA_PCI = 0x3000, ACPI_AREA_MOST = 0x3000, ACPI_DSDT = 0x1000 };

typedef struct acpi_machine {
    uint64_t base; /* guest address of the area; the RSDP is there */
    uint32_t vcpus;
    uint64_t ioapic;
    uint32_t ioapic_id;
    int reduced;           /* hardware-reduced; else fixed hardware, PIC and PIT */
    uint16_t sleep, reset; /* ports; reduced: sleep control, and status after it */
    uint16_t pm;           /* fixed: events, control +4, timer +8 */
    uint32_t sci;
    uint64_t ecam;             /* of the PCI host; 0: there is none */
    const vsdk_pc_node *nodes; /* checked */
    uint32_t node_count;
} acpi_machine;

/* How much of the area is the machine's. */
uint32_t acpi_area(const acpi_machine *machine);
/* 0: the nodes do not fit. */
int acpi_build(const acpi_machine *machine, uint8_t area[ACPI_AREA_MOST]);

/* acpi_nodes.c: the body of a table that tells of them. Its length, 0 when there is no room. */
uint32_t acpi_put_nodes(const vsdk_pc_node *nodes, uint32_t count, uint8_t *to, uint32_t capacity);

#endif
