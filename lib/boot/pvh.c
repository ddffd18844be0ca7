/* SPDX-License-Identifier: Apache-2.0 */
/* ELF images entered by the PVH protocol: 32-bit protected mode, EBX points to hvm_start_info. */
#include "base/checked.h"
#include "boot/elf.h"

#include <string.h>

enum { NOTE_HEADER = 12, NOTE_PHYS32_ENTRY = 18 };
enum { MODULES_AT = 0x100, MEMORY_AT = 0x200, START_INFO_VERSION = 1 };

static const uint32_t START_INFO_MAGIC = 0x336ec578;

typedef struct pvh_start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp, memory;
    uint32_t memory_count, reserved;
} pvh_start_info;

typedef struct pvh_module {
    uint64_t address, size, command_line, reserved;
} pvh_module;

_Static_assert(sizeof(pvh_start_info) == 56 && sizeof(pvh_module) == 32, "as Xen has them");
/* A vsdk_memory_range is an entry of the memory map of start_info. */
_Static_assert(sizeof(vsdk_memory_range) == 24, "as Xen has it");

/* The next note of a segment; 0 at its end. Moves *at. */
static int pvh_next_note(const image *i, uint64_t *at, uint64_t end, uint64_t align, uint32_t *type,
                         const uint8_t **desc, uint32_t *length)
{
    uint64_t name = *at + NOTE_HEADER, name_length, mask = align - 1, body;

    if (end < NOTE_HEADER || *at > end - NOTE_HEADER)
        return 0;
    name_length = image_u32(i, *at);
    *length = image_u32(i, *at + 4);
    *type = image_u32(i, *at + 8);
    body = *at + ((NOTE_HEADER + name_length + mask) & ~mask);
    if (!checked_within(body, *length, end))
        return 0;
    if (name_length != 4 || memcmp(image_at(i, name, 4), "Xen", 4))
        *type = 0;
    *desc = image_at(i, body, *length);
    *at = body + ((*length + mask) & ~mask);
    return 1;
}

/* 1 if the segment has the entry's note. */
static int pvh_search(const image *i, const elf_segment *s, uint64_t *entry)
{
    uint64_t at = s->offset, end = s->offset + s->file_size;
    const uint8_t *desc;
    uint32_t type, length;

    if (!image_at(i, s->offset, s->file_size))
        return 0;
    while (pvh_next_note(i, &at, end, s->align == 8 ? 8 : 4, &type, &desc, &length)) {
        if (type != NOTE_PHYS32_ENTRY || (length != 4 && length != 8))
            continue;
        *entry = 0;
        memcpy(entry, desc, length);
        return 1;
    }
    return 0;
}

static int pvh_find_entry(const image *i, const elf *e, uint64_t *entry)
{
    elf_segment segment;

    for (uint32_t n = 0; n < e->count; n++) {
        elf_get(i, e, n, &segment);
        if (segment.type == ELF_NOTE && pvh_search(i, &segment, entry))
            return 1;
    }
    return 0;
}

int boot_is_pvh(const image *i)
{
    boot_gate gate = {.image = *i};
    uint64_t entry;
    elf e;

    return elf_is(i) && !elf_open(&gate, &e) && pvh_find_entry(i, &e, &entry);
}

static vsdk_status pvh_find(boot_gate *gate, elf *e)
{
    uint64_t entry;
    vsdk_status status = elf_open(gate, e);

    if (status)
        return status;
    if (!pvh_find_entry(&gate->image, e, &entry))
        return boot_malformed(gate, "PT_NOTE", "no PHYS32_ENTRY note");
    if (entry > UINT32_MAX || !elf_contains(&gate->image, e, entry))
        return boot_malformed(gate, "PHYS32_ENTRY", "0x%llx is in no segment",
                              (unsigned long long)entry);
    gate->entry->rip = entry;
    return VSDK_OK;
}

static vsdk_status pvh_write_info(boot_gate *gate, uint64_t cmdline)
{
    const vsdk_boot_config *config = gate->config;
    uint8_t page[BOOT_PAGE] = {0};
    pvh_module module = {gate->entry->initrd, config->initrd_length, 0, 0};
    pvh_start_info info = {
        .magic = START_INFO_MAGIC,
        .version = START_INFO_VERSION,
        .module_count = config->initrd_length ? 1 : 0,
        .modules = config->initrd_length ? gate->entry->info + MODULES_AT : 0,
        .command_line = cmdline,
        .rsdp = config->rsdp,
        .memory = gate->entry->info + MEMORY_AT,
        .memory_count = config->memory_count,
    };

    memcpy(page, &info, sizeof info);
    if (config->initrd_length)
        memcpy(page + MODULES_AT, &module, sizeof module);
    if (config->memory_count)
        memcpy(page + MEMORY_AT, config->memory, config->memory_count * sizeof *config->memory);
    return boot_write(gate, gate->entry->info, page, sizeof page, "start_info");
}

vsdk_status boot_load_pvh(boot_gate *gate)
{
    vsdk_boot_entry *entry = gate->entry;
    uint64_t cmdline = 0;
    elf e;
    vsdk_status status = pvh_find(gate, &e);

    entry->mode = VSDK_BOOT_PROTECTED;
    if (!status)
        status = elf_load(gate, &e);
    if (!status)
        status = boot_load_tables(gate);
    if (!status)
        status = boot_place(gate, BOOT_INFO, BOOT_PAGE, "start_info", &entry->info);
    if (!status)
        status = boot_load_cmdline(gate, NULL, 0xffff, &cmdline);
    if (!status)
        status = boot_load_initrd(gate, UINT64_C(1) << 32);
    entry->rbx = entry->info;
    return status ? status : pvh_write_info(gate, cmdline);
}
