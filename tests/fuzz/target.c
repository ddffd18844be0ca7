/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include "fake.h"
#include <stdlib.h>
#include <string.h>

enum { LOW = 0xa0000, TOP = 0x400000 };

static const vsdk_memory_range map[] = {
    {0, LOW, VSDK_MEMORY_RAM, 0},
    {0xe0000, 0x2000, VSDK_MEMORY_RESERVED, 0},
    {0x100000, TOP - 0x100000, VSDK_MEMORY_RAM, 0},
};

static vsdk_vm vm;

vsdk_boot_config target_config(vsdk_boot_format format, const uint8_t *bytes, size_t length)
{
    return (vsdk_boot_config){
        .size = sizeof(vsdk_boot_config),
        .format = format,
        .image = bytes,
        .image_length = length,
        .initrd = "module",
        .initrd_length = 6,
        .command_line = "console=ttyS0",
        .memory = map,
        .memory_count = 3,
        .rsdp = 0xe0000,
    };
}

static int in_ram(uint64_t start, uint64_t end)
{
    return start <= end && (end <= LOW || (start >= 0x100000 && end <= TOP));
}

static void demand(int holds)
{
    if (!holds)
        abort();
}

static void check_entry(const vsdk_boot_entry *e)
{
    demand(e->rsp >= 0x1000 && e->rsp < LOW);
    demand(e->mode == VSDK_BOOT_REAL || (e->gdt && e->gdt < LOW));
    demand(e->mode != VSDK_BOOT_LONG || (e->page_table && e->page_table < LOW));
    demand(e->image_start < e->image_end);
    demand(e->rip >= e->image_start && e->rip < e->image_end);
    demand(e->initrd && in_ram(e->initrd, e->initrd + 6));
    demand(e->initrd >= e->image_end || e->initrd + 6 <= e->image_start ||
           e->format == VSDK_BOOT_PVH || e->format == VSDK_BOOT_MULTIBOOT); /* have gaps */
}

void target_load(const vsdk_boot_config *config)
{
    vsdk_boot_entry entry = {.size = sizeof entry};
    vsdk_error error = {0};
    vsdk_boot_format format;
    vsdk_status status;

    if (!vm.blocks) {
        fake_ram(&vm, 0, LOW);
        fake_ram(&vm, 0x100000, TOP - 0x100000);
    }
    vsdk_boot_probe(config->image, config->image_length, &format, NULL);
    status = vsdk_boot_load(&vm, config, &entry, &error);
    demand(error.code == status);
    if (status)
        demand(strchr(error.message, ':') && !entry.rip);
    else
        check_entry(&entry);
}
