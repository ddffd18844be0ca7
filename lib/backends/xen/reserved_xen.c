/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/xen/xen.h"
#include <stdio.h>
#include <string.h>

typedef struct reserved {
    vsdk_space space;
    uint64_t address, length;
    int full_only;
    const char *reason;
} reserved;

static const reserved list[] = {
    {VSDK_SPACE_PIO, 0x80, 1, 0, "Xen lets guests reach the machine's own port: no exit"},
    {VSDK_SPACE_PIO, 0xe9, 1, 0, "Xen's debug console: writes go to Xen's log"},
    {VSDK_SPACE_PIO, 0xed, 1, 0, "Xen lets guests reach the machine's own port: no exit"},
    {VSDK_SPACE_MMIO, 0xfee00000, 0x1000, 0, "local APIC"},
    {VSDK_SPACE_MMIO, XEN_SPECIAL_FIRST, XEN_SPECIAL_PAGES *XEN_PAGE, 0, "pages that Xen needs"},
    {VSDK_SPACE_PIO, 0x20, 2, 1, "interrupt controller (PIC)"},
    {VSDK_SPACE_PIO, 0x40, 4, 1, "timer (PIT)"},
    {VSDK_SPACE_PIO, 0x61, 1, 1, "speaker and timer gate"},
    {VSDK_SPACE_PIO, 0x70, 2, 1, "clock (RTC)"},
    {VSDK_SPACE_PIO, 0xa0, 2, 1, "second interrupt controller (PIC)"},
    {VSDK_SPACE_PIO, 0x4d0, 2, 1, "edge or level of the interrupt controllers"},
    {VSDK_SPACE_PIO, 0xb000, 4, 1, "ACPI PM1a events"},
    {VSDK_SPACE_PIO, 0xb008, 4, 1, "ACPI PM timer"},
    {VSDK_SPACE_MMIO, 0xa0000, 0x20000, 1, "VGA memory: Xen may buffer writes"},
    {VSDK_SPACE_MMIO, 0xfec00000, 0x100, 1, "IOAPIC"},
    {VSDK_SPACE_MMIO, 0xfed00000, 0x400, 1, "HPET, not enabled"},
};

vsdk_status xen_vm_list_reserved(backend_vm *vm, vsdk_vm_range *ranges, uint32_t capacity,
                                 uint32_t *needed, vsdk_error *error)
{
    int full = vm->config.irqchip == VSDK_IRQCHIP_KERNEL;
    uint32_t count = 0;

    (void)error;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        if (list[i].full_only && !full)
            continue;
        if (count < capacity) {
            ranges[count] = (vsdk_vm_range){
                .space = list[i].space, .address = list[i].address, .length = list[i].length};
            snprintf(ranges[count].reason, sizeof ranges[count].reason, "%s", list[i].reason);
        }
        count++;
    }
    *needed = count;
    return VSDK_OK;
}
