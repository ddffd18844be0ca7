/* SPDX-License-Identifier: Apache-2.0 */
/* RAM, the memory map, and what the machine leaves in RAM for its guest. What is told as RAM is
 * there; more is there than is told. */
#include "machine/pc.h"

#include <string.h>
#include <vsdk/dma.h>

/* The RAM object holds guest addresses below PC_LOW_TOP at the same offsets, then those from
 * PC_HIGH on. What a PC has between 640 KiB and PC_UPPER is left out, so that a device may be
 * there; but not in the portable machine: a hypervisor makes no large page across the end of a
 * mapping, and so the hole costs a page fault for every page of the first 2 MiB that the guest
 * touches. */
uint32_t pc_list_ram(const vsdk_pc *pc, pc_block blocks[PC_BLOCKS])
{
    uint64_t low = pc->config.memory < PC_LOW_TOP ? pc->config.memory : PC_LOW_TOP;
    int whole = pc->config.irqchip == VSDK_IRQCHIP_PORTABLE;
    uint32_t n = 0;

    blocks[n++] = (pc_block){0, 0, whole ? low : PC_LOW_END};
    if (!whole)
        blocks[n++] = (pc_block){PC_UPPER, PC_UPPER, low - PC_UPPER};
    if (pc->config.memory > low)
        blocks[n++] = (pc_block){PC_HIGH, low, pc->config.memory - low};
    return n;
}

vsdk_status pc_make_memory(vsdk_pc *pc, vsdk_error *error)
{
    pc_block blocks[PC_BLOCKS];
    uint32_t count = pc_list_ram(pc, blocks);
    vsdk_ram *ram = NULL;
    vsdk_status status = vsdk_ram_create(pc->vm, pc->config.memory, &pc->ram_config, &ram, error);

    for (uint32_t i = 0; !status && i < count; i++)
        status = vsdk_vm_map(pc->vm, blocks[i].address, ram, blocks[i].offset, blocks[i].length, 0,
                             error);
    vsdk_ram_close(ram);
    return status;
}

void pc_make_map(vsdk_pc *pc)
{
    uint64_t low = pc->config.memory < PC_LOW_TOP ? pc->config.memory : PC_LOW_TOP;
    vsdk_memory_range *map = pc->map;
    uint32_t n = 0;

    map[n++] = (vsdk_memory_range){0, PC_LOW_END, VSDK_MEMORY_RAM, 0};
    map[n++] = (vsdk_memory_range){PC_ACPI, pc_has_pci(pc) ? ACPI_AREA_PCI : ACPI_AREA,
                                   VSDK_MEMORY_RESERVED, 0};
    map[n++] = (vsdk_memory_range){PC_MEGABYTE, low - PC_MEGABYTE, VSDK_MEMORY_RAM, 0};
    if (pc_has_pci(pc))
        map[n++] = (vsdk_memory_range){PC_ECAM, PC_ECAM_LENGTH, VSDK_MEMORY_RESERVED, 0};
    map[n++] = (vsdk_memory_range){PC_HYPERVISOR, PC_HYPERVISOR_LENGTH, VSDK_MEMORY_RESERVED, 0};
    if (pc->config.memory > low)
        map[n++] = (vsdk_memory_range){PC_HIGH, pc->config.memory - low, VSDK_MEMORY_RAM, 0};
    pc->map_count = n;
}

/* Where a processor goes at its reset, and where hardware-reduced Linux jumps to restart the
 * machine: mov dx, reset; mov al, 1; out dx, al; hlt; jmp to the hlt. */
static vsdk_status pc_write_reset_stub(vsdk_pc *pc, uint16_t port, vsdk_error *error)
{
    const uint8_t stub[9] = {0xba, (uint8_t)port, (uint8_t)(port >> 8), 0xb0, 0x01, 0xee, 0xf4,
                             0xeb, 0xfd};

    return vsdk_vm_write(pc->vm, PC_RESET_STUB, stub, sizeof stub, error);
}

/* What guests read of the area that a BIOS leaves: the first serial port; that there is no extended
 * area; one serial port and a floating-point unit; KiB of memory from 0 on. Xen as a guest puts its
 * start code below the last of these and hangs if it is 0. */
static vsdk_status pc_write_bios_data(vsdk_pc *pc, vsdk_error *error)
{
    enum { COM1 = 0x00, EXTENDED = 0x0e, EQUIPMENT = 0x10, BASE_MEMORY = 0x13, END = 0x15 };
    enum { HAS_FPU = 1 << 1, ONE_SERIAL_PORT = 1 << 9 };
    const struct {
        uint32_t at;
        uint16_t value;
    } word[] = {{COM1, PC_SERIAL},
                {EXTENDED, 0},
                {EQUIPMENT, HAS_FPU | ONE_SERIAL_PORT},
                {BASE_MEMORY, (uint16_t)(PC_LOW_END >> 10)}};
    uint8_t area[END] = {0};

    for (size_t i = 0; i < sizeof word / sizeof *word; i++)
        memcpy(area + word[i].at, &word[i].value, sizeof word[i].value);
    return vsdk_vm_write(pc->vm, PC_BDA, area, sizeof area, error);
}

acpi_machine pc_describe_tables(const vsdk_pc *pc)
{
    int reduced = pc->config.irqchip == VSDK_IRQCHIP_PORTABLE;

    return (acpi_machine){
        .base = PC_ACPI,
        .vcpus = pc->config.vcpus,
        .ioapic = PC_IOAPIC,
        .ioapic_id = PC_IOAPIC_ID,
        .reduced = reduced,
        .sleep = PC_SLEEP,
        .reset = reduced ? PC_REDUCED_RESET : PC_PM_RESET,
        .pm = PC_PM,
        .sci = PC_SCI_GSI,
        .ecam = pc_has_pci(pc) ? PC_ECAM : 0,
        .nodes = pc->nodes,
        .node_count = pc->config.node_count,
    };
}

/* That the nodes fit was found out when they were added. */
vsdk_status pc_write_firmware(vsdk_pc *pc, vsdk_error *error)
{
    const acpi_machine machine = pc_describe_tables(pc);
    uint8_t area[ACPI_AREA_MOST];
    vsdk_status status;

    if (pc->config.irqchip == VSDK_IRQCHIP_NONE)
        return VSDK_OK;
    acpi_build(&machine, area);
    status = vsdk_vm_write(pc->vm, PC_ACPI, area, acpi_area(&machine), error);
    if (!status)
        status = pc_write_bios_data(pc, error);
    return status ? status : pc_write_reset_stub(pc, machine.reset, error);
}
