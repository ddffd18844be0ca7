/* SPDX-License-Identifier: Apache-2.0 */
/* ELF images entered by the PVH protocol: 32-bit protected mode, EBX points to hvm_start_info. */
#include "boot/elf.h"

#include <string.h>

/* In the page of start_info. */
enum { MEMORY_AT = 0x100, MODULES_AT = 0x400, START_INFO_VERSION = 1 };

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
_Static_assert(MEMORY_AT + BOOT_RANGES * sizeof(vsdk_memory_range) <= MODULES_AT &&
                   MODULES_AT + (BOOT_MODULES + 1) * sizeof(pvh_module) <= BOOT_PAGE,
               "all fits into one page");

int boot_is_pvh(const image *i)
{
    boot_gate gate = {.image = *i};
    elf_notes notes = {0};
    elf e;

    if (elf_is(i) && !elf_open(&gate, &e))
        elf_read_notes(i, &e, &notes);
    return notes.has_entry;
}

static vsdk_status pvh_find(boot_gate *gate, elf *e, elf_notes *notes)
{
    vsdk_status status = elf_open(gate, e);

    if (status)
        return status;
    elf_read_notes(&gate->image, e, notes);
    if (!notes->has_entry)
        return boot_malformed(gate, "PT_NOTE", "no PHYS32_ENTRY note");
    if (notes->entry > UINT32_MAX || !elf_contains(&gate->image, e, notes->entry))
        return boot_malformed(gate, "PHYS32_ENTRY", "0x%llx is in no segment",
                              (unsigned long long)notes->entry);
    gate->entry->rip = notes->entry;
    return VSDK_OK;
}

static vsdk_status pvh_write_info(boot_gate *gate, uint64_t cmdline)
{
    const vsdk_boot_config *config = gate->config;
    uint8_t page[BOOT_PAGE] = {0};
    pvh_start_info info = {
        .magic = START_INFO_MAGIC,
        .version = START_INFO_VERSION,
        .module_count = gate->modules,
        .modules = gate->modules ? gate->entry->info + MODULES_AT : 0,
        .command_line = cmdline,
        .rsdp = config->rsdp,
        .memory = gate->entry->info + MEMORY_AT,
        .memory_count = config->memory_count,
    };

    memcpy(page, &info, sizeof info);
    for (uint32_t n = 0; n < gate->modules; n++) {
        const boot_module *m = &gate->module[n];
        const pvh_module module = {m->address, m->length, m->text, 0};

        memcpy(page + MODULES_AT + n * sizeof module, &module, sizeof module);
    }
    if (config->memory_count)
        memcpy(page + MEMORY_AT, config->memory, config->memory_count * sizeof *config->memory);
    return boot_write(gate, gate->entry->info, page, sizeof page, "start_info");
}

vsdk_status boot_load_pvh(boot_gate *gate)
{
    vsdk_boot_entry *entry = gate->entry;
    uint64_t cmdline = 0;
    elf_notes notes = {0};
    elf e;
    vsdk_status status = pvh_find(gate, &e, &notes);

    entry->mode = VSDK_BOOT_PROTECTED;
    if (!status)
        status = elf_load(gate, &e);
    if (!status)
        status = boot_load_tables(gate);
    if (!status)
        status = boot_place(gate, BOOT_INFO, BOOT_PAGE, "start_info", &entry->info);
    if (!status)
        status = boot_load_cmdline(gate, (boot_cmdline){NULL, notes.from_linux}, 0xffff, &cmdline);
    if (!status)
        status = boot_load_modules(gate, UINT64_C(1) << 32);
    entry->rbx = entry->info;
    return status ? status : pvh_write_info(gate, cmdline);
}
