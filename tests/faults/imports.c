/* SPDX-License-Identifier: Apache-2.0 */
#include "imports.h"
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

struct walk {
    const char *library;
    void (*each)(const struct import *import, void *user);
    void *user;
    unsigned count;
    uint64_t base;
};

struct tables {
    const Elf64_Sym *symbols;
    const char *strings;
    const Elf64_Rela *jumps, *others;
    uint64_t jump_bytes, other_bytes;
};

static const void *at(const struct dl_phdr_info *info, uint64_t value)
{
    return (const void *)(value >= info->dlpi_addr ? value : info->dlpi_addr + value);
}

static struct tables read_dynamic(const struct dl_phdr_info *info, const Elf64_Dyn *d)
{
    struct tables t = {0};

    for (; d->d_tag != DT_NULL; d++) {
        switch (d->d_tag) {
        case DT_SYMTAB:
            t.symbols = at(info, d->d_un.d_ptr);
            break;
        case DT_STRTAB:
            t.strings = at(info, d->d_un.d_ptr);
            break;
        case DT_JMPREL:
            t.jumps = at(info, d->d_un.d_ptr);
            break;
        case DT_RELA:
            t.others = at(info, d->d_un.d_ptr);
            break;
        case DT_PLTRELSZ:
            t.jump_bytes = d->d_un.d_val;
            break;
        case DT_RELASZ:
            t.other_bytes = d->d_un.d_val;
            break;
        default:
            break;
        }
    }
    return t;
}

static void walk_table(struct walk *walk, const struct tables *t, const Elf64_Rela *r,
                       uint64_t bytes)
{
    for (const Elf64_Rela *end = r + bytes / sizeof *r; r < end; r++) {
        const Elf64_Sym *symbol = &t->symbols[ELF64_R_SYM(r->r_info)];
        uint64_t type = ELF64_R_TYPE(r->r_info);

        if ((type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) || symbol->st_shndx)
            continue;
        struct import import = {t->strings + symbol->st_name, (void **)(walk->base + r->r_offset)};
        walk->count++;
        if (walk->each)
            walk->each(&import, walk->user);
    }
}

static int visit(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct walk *walk = argument;

    (void)size;
    if (!strstr(info->dlpi_name, walk->library))
        return 0;
    walk->base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_DYNAMIC)
            continue;
        struct tables t =
            read_dynamic(info, (const Elf64_Dyn *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr));
        walk_table(walk, &t, t.jumps, t.jump_bytes);
        walk_table(walk, &t, t.others, t.other_bytes);
    }
    return 1;
}

unsigned imports_each(const char *library, void (*each)(const struct import *import, void *user),
                      void *user)
{
    struct walk walk = {.library = library, .each = each, .user = user};

    dl_iterate_phdr(visit, &walk);
    return walk.count;
}

uint64_t imports_offset(const char *library, const void *address)
{
    struct walk walk = {.library = library};

    dl_iterate_phdr(visit, &walk);
    return (uint64_t)address - walk.base;
}

void import_replace(const struct import *import, void *function)
{
    uintptr_t page = (uintptr_t)import->slot & ~(uintptr_t)4095;

    mprotect((void *)page, 4096, PROT_READ | PROT_WRITE);
    *import->slot = function;
}
