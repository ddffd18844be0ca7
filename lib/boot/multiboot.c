/* SPDX-License-Identifier: Apache-2.0 */
/* Multiboot 1 (0.6.96): ELF images, or the addresses in the header. What the header asks of video
 * is not done, as the specification allows. */
#include "base/checked.h"
#include "boot/elf.h"

#include <string.h>

enum { SEARCH = 8192, HEADER_LENGTH = 12 };
enum { FLAG_ALIGN = 1, FLAG_MEMORY = 2, FLAG_VIDEO = 4, FLAG_ADDRESSES = 1 << 16 };
enum { FLAGS_REQUIRED = 0xffff, FLAGS_KNOWN = FLAG_ALIGN | FLAG_MEMORY | FLAG_VIDEO };
enum { INFO_MEMORY = 1, INFO_CMDLINE = 4, INFO_MODULES = 8, INFO_MAP = 64, INFO_LOADER = 512 };
/* In the page of the information. */
enum { LOADER_AT = 0x80, EMPTY_AT = 0x88, MAP_AT = 0x100, MODULES_AT = 0x400 };
enum { MAP_ENTRY = 24, MAP_ENTRY_SIZE = 20 };

static const uint32_t HEADER_MAGIC = 0x1badb002, LOADER_MAGIC = 0x2badb002;

typedef struct multiboot_info {
    uint32_t flags, memory_lower, memory_upper, boot_device, command_line;
    uint32_t module_count, modules, symbols[4], map_length, map;
    uint32_t drives_length, drives, config_table, loader_name;
} multiboot_info;

typedef struct multiboot_module {
    uint32_t start, end, text, reserved;
} multiboot_module;

typedef struct multiboot_addresses {
    uint32_t header, load, load_end, bss_end, entry;
} multiboot_addresses;

_Static_assert(sizeof(multiboot_info) == 68, "as the specification has it");
_Static_assert(MAP_AT + BOOT_RANGES * MAP_ENTRY <= MODULES_AT &&
                   MODULES_AT + (BOOT_MODULES + 1) * sizeof(multiboot_module) <= BOOT_PAGE,
               "all fits into one page");

/* 1 with the header's offset. */
static int multiboot_find(const image *i, uint64_t *offset)
{
    for (uint64_t at = 0; at + HEADER_LENGTH <= SEARCH && image_at(i, at, HEADER_LENGTH); at += 4) {
        uint32_t magic = image_u32(i, at), flags = image_u32(i, at + 4);

        if (magic == HEADER_MAGIC && magic + flags + image_u32(i, at + 8) == 0) {
            *offset = at;
            return 1;
        }
    }
    return 0;
}

int boot_is_multiboot(const image *i)
{
    uint64_t offset;

    return multiboot_find(i, &offset);
}

static vsdk_status multiboot_check(boot_gate *gate, const multiboot_addresses *a, uint64_t at,
                                   uint64_t from, uint64_t length)
{
    if (a->load > a->header || a->header - a->load > at)
        return boot_malformed(gate, "load_addr", "0x%x does not fit header_addr", a->load);
    if (a->load_end && a->load_end < a->load)
        return boot_malformed(gate, "load_end_addr", "0x%x is below load_addr", a->load_end);
    if (!image_at(&gate->image, from, length))
        return boot_malformed(gate, "load_end_addr", "0x%x is beyond the image", a->load_end);
    if (a->bss_end && a->bss_end < a->load + length)
        return boot_malformed(gate, "bss_end_addr", "0x%x is below load_end_addr", a->bss_end);
    return VSDK_OK;
}

static vsdk_status multiboot_load_addresses(boot_gate *gate, uint64_t at)
{
    const image *i = &gate->image;
    multiboot_addresses a;
    uint64_t from, length, total;
    vsdk_status status;

    if (!image_read(i, at + HEADER_LENGTH, &a, sizeof a))
        return boot_malformed(gate, "header_addr", "the image ends in the header");
    from = at - (a.header - a.load);
    length = a.load_end ? a.load_end - a.load : i->length - from;
    status = multiboot_check(gate, &a, at, from, length);
    if (status)
        return status;
    total = a.bss_end ? a.bss_end - (uint64_t)a.load : length;
    if (a.entry < a.load || a.entry - a.load >= total)
        return boot_malformed(gate, "entry_addr", "0x%x is not in what is loaded", a.entry);
    gate->reach = a.load + total;
    status = boot_take_image(gate, a.load, total, "load_addr");
    if (!status)
        status = boot_write(gate, a.load, i->bytes + from, length, "load_addr");
    gate->entry->rip = a.entry;
    return status ? status : boot_zero(gate, a.load + length, total - length, "bss_end_addr");
}

static vsdk_status multiboot_load_elf(boot_gate *gate)
{
    elf e;
    uint64_t entry;
    vsdk_status status = elf_open(gate, &e);

    if (status)
        return status;
    entry = elf_physical(&gate->image, &e, e.entry);
    if (entry > UINT32_MAX || !elf_contains(&gate->image, &e, entry))
        return boot_malformed(gate, "e_entry", "0x%llx is in no segment",
                              (unsigned long long)e.entry);
    gate->entry->rip = entry;
    return elf_load(gate, &e);
}

static vsdk_status multiboot_load_image(boot_gate *gate)
{
    uint64_t at;
    uint32_t flags;

    if (!multiboot_find(&gate->image, &at))
        return boot_malformed(gate, "magic", "no multiboot header");
    flags = image_u32(&gate->image, at + 4);
    if (flags & FLAGS_REQUIRED & ~FLAGS_KNOWN)
        return boot_malformed(gate, "flags", "0x%x requires something unknown", flags);
    return flags & FLAG_ADDRESSES ? multiboot_load_addresses(gate, at) : multiboot_load_elf(gate);
}

/* KiB of RAM from `start` on, without a gap. */
static uint32_t multiboot_kib(const boot_gate *gate, uint64_t start)
{
    for (uint32_t i = 0; i < gate->config->memory_count; i++) {
        const vsdk_memory_range *range = &gate->config->memory[i];

        if (range->type == VSDK_MEMORY_RAM && range->address <= start &&
            start - range->address < range->length)
            return (uint32_t)((range->address + range->length - start) >> 10);
    }
    return 0;
}

static void multiboot_map(const boot_gate *gate, uint8_t *to)
{
    const uint32_t size = MAP_ENTRY_SIZE;

    for (uint32_t i = 0; i < gate->config->memory_count; i++, to += MAP_ENTRY) {
        memcpy(to, &size, 4);
        memcpy(to + 4, &gate->config->memory[i].address, 8);
        memcpy(to + 12, &gate->config->memory[i].length, 8);
        memcpy(to + 20, &gate->config->memory[i].type, 4);
    }
}

static vsdk_status multiboot_write_info(boot_gate *gate, uint32_t cmdline)
{
    const vsdk_boot_config *config = gate->config;
    uint32_t at = (uint32_t)gate->entry->info;
    uint8_t page[BOOT_PAGE] = {0};
    multiboot_info info = {
        .flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MAP | INFO_LOADER,
        .memory_lower = multiboot_kib(gate, 0),
        .memory_upper = multiboot_kib(gate, 0x100000),
        .command_line = cmdline,
        .module_count = gate->modules,
        .modules = at + MODULES_AT,
        .map_length = config->memory_count * MAP_ENTRY,
        .map = at + MAP_AT,
        .loader_name = at + LOADER_AT,
    };

    memcpy(page, &info, sizeof info);
    for (uint32_t n = 0; n < gate->modules; n++) {
        const boot_module *m = &gate->module[n];
        const multiboot_module module = {(uint32_t)m->address, (uint32_t)(m->address + m->length),
                                         m->text ? (uint32_t)m->text : at + EMPTY_AT, 0};

        memcpy(page + MODULES_AT + n * sizeof module, &module, sizeof module);
    }
    memcpy(page + LOADER_AT, "vsdk", sizeof "vsdk");
    multiboot_map(gate, page + MAP_AT);
    return boot_write(gate, at, page, sizeof page, "multiboot information");
}

vsdk_status boot_load_multiboot(boot_gate *gate)
{
    const char *name = gate->config->image_name ? gate->config->image_name : "image";
    vsdk_boot_entry *entry = gate->entry;
    uint64_t cmdline = 0;
    vsdk_status status = multiboot_load_image(gate);

    entry->mode = VSDK_BOOT_PROTECTED;
    if (!status)
        status = boot_load_tables(gate);
    if (!status)
        status = boot_place(gate, BOOT_INFO, BOOT_PAGE, "multiboot information", &entry->info);
    if (!status)
        status = boot_load_cmdline(gate, (boot_cmdline){.name = name}, 0xffff, &cmdline);
    if (!status)
        status = boot_load_modules(gate, UINT64_C(1) << 32);
    entry->rax = LOADER_MAGIC;
    entry->rbx = entry->info;
    return status ? status : multiboot_write_info(gate, (uint32_t)cmdline);
}
