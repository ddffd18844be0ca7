/* SPDX-License-Identifier: Apache-2.0 */
/* Headers and segments. Nothing is believed: the header is checked when the image is opened, a
 * segment when it is loaded. Segments may share bytes of the image, but none of the guest's. */
#include "boot/elf.h"

#include "base/checked.h"
#include <elf.h>
#include <stddef.h>
#include <string.h>

enum { SEGMENTS = 64 };

int elf_is(const image *i)
{
    const uint8_t *magic = image_at(i, 0, SELFMAG);

    return magic && !memcmp(magic, ELFMAG, SELFMAG);
}

const char *elf_machine_name(uint32_t machine)
{
    static const struct {
        uint32_t machine;
        const char *name;
    } known[] = {{EM_SPARC, "SPARC"},   {EM_386, "i386"},       {EM_68K, "m68k"},
                 {EM_MIPS, "MIPS"},     {EM_PPC, "PowerPC"},    {EM_PPC64, "64-bit PowerPC"},
                 {EM_S390, "S/390"},    {EM_ARM, "32-bit Arm"}, {EM_SPARCV9, "64-bit SPARC"},
                 {EM_IA_64, "Itanium"}, {EM_X86_64, "x86-64"},  {EM_AARCH64, "64-bit Arm, AArch64"},
                 {EM_RISCV, "RISC-V"},  {EM_BPF, "BPF"},        {258, "LoongArch"}};

    for (size_t n = 0; n < sizeof known / sizeof *known; n++)
        if (known[n].machine == machine)
            return known[n].name;
    return NULL;
}

static vsdk_status elf_check_ident(boot_gate *gate)
{
    const image *i = &gate->image;
    uint8_t class = image_u8(i, EI_CLASS);

    if (!elf_is(i))
        return boot_malformed(gate, "e_ident", "not an ELF image");
    if (class != ELFCLASS32 && class != ELFCLASS64)
        return boot_malformed(gate, "EI_CLASS", "%u is neither 32 nor 64 bits", class);
    if (image_u8(i, EI_DATA) != ELFDATA2LSB)
        return boot_malformed(gate, "EI_DATA", "not little-endian");
    if (!image_at(i, 0, class == ELFCLASS64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)))
        return boot_malformed(gate, "ELF header", "the image ends in it");
    return VSDK_OK;
}

static vsdk_status elf_check_headers(boot_gate *gate, const elf *e, uint32_t size)
{
    uint32_t wanted = e->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

    if (size != wanted)
        return boot_malformed(gate, "e_phentsize", "%u, not %u", size, wanted);
    if (!e->count || e->count > SEGMENTS)
        return boot_malformed(gate, "e_phnum", "%u, not 1 to %d", e->count, SEGMENTS);
    if (!image_at(&gate->image, e->headers, (uint64_t)e->count * wanted))
        return boot_malformed(gate, "e_phoff", "the program headers at 0x%llx leave the image",
                              (unsigned long long)e->headers);
    return VSDK_OK;
}

vsdk_status elf_open(boot_gate *gate, elf *e)
{
    const image *i = &gate->image;
    uint32_t type = image_u16(i, offsetof(Elf64_Ehdr, e_type));
    uint32_t machine = image_u16(i, offsetof(Elf64_Ehdr, e_machine));
    vsdk_status status = elf_check_ident(gate);

    if (status)
        return status;
    if (type != ET_EXEC && type != ET_DYN)
        return boot_malformed(gate, "e_type", "%u is not executable", type);
    if (machine != EM_386 && machine != EM_X86_64)
        return boot_malformed(gate, "e_machine", "%u (%s) is not x86", machine,
                              elf_machine_name(machine) ? elf_machine_name(machine) : "unknown");
    e->wide = image_u8(i, EI_CLASS) == ELFCLASS64;
    if (e->wide) {
        e->entry = image_u64(i, offsetof(Elf64_Ehdr, e_entry));
        e->headers = image_u64(i, offsetof(Elf64_Ehdr, e_phoff));
        e->count = image_u16(i, offsetof(Elf64_Ehdr, e_phnum));
        return elf_check_headers(gate, e, image_u16(i, offsetof(Elf64_Ehdr, e_phentsize)));
    }
    e->entry = image_u32(i, offsetof(Elf32_Ehdr, e_entry));
    e->headers = image_u32(i, offsetof(Elf32_Ehdr, e_phoff));
    e->count = image_u16(i, offsetof(Elf32_Ehdr, e_phnum));
    return elf_check_headers(gate, e, image_u16(i, offsetof(Elf32_Ehdr, e_phentsize)));
}

void elf_get(const image *i, const elf *e, uint32_t n, elf_segment *segment)
{
    Elf64_Phdr p64 = {0};
    Elf32_Phdr p32 = {0};

    if (e->wide) {
        image_read(i, e->headers + n * sizeof p64, &p64, sizeof p64);
        *segment = (elf_segment){p64.p_type,  p64.p_offset, p64.p_filesz, p64.p_paddr,
                                 p64.p_memsz, p64.p_align,  p64.p_vaddr};
        return;
    }
    image_read(i, e->headers + n * sizeof p32, &p32, sizeof p32);
    *segment = (elf_segment){p32.p_type,  p32.p_offset, p32.p_filesz, p32.p_paddr,
                             p32.p_memsz, p32.p_align,  p32.p_vaddr};
}

static vsdk_status elf_load_segment(boot_gate *gate, const elf_segment *s)
{
    const uint8_t *bytes = image_at(&gate->image, s->offset, s->file_size);
    vsdk_status status;

    if (!bytes)
        return boot_malformed(gate, "p_filesz", "0x%llx bytes at 0x%llx leave the image",
                              (unsigned long long)s->file_size, (unsigned long long)s->offset);
    if (s->file_size > s->memory_size)
        return boot_malformed(gate, "p_memsz", "0x%llx is below p_filesz",
                              (unsigned long long)s->memory_size);
    status = boot_take_image(gate, s->address, s->memory_size, "p_paddr");
    if (!status)
        status = boot_write(gate, s->address, bytes, s->file_size, "p_paddr");
    if (!status)
        status =
            boot_zero(gate, s->address + s->file_size, s->memory_size - s->file_size, "p_paddr");
    return status;
}

vsdk_status elf_load(boot_gate *gate, const elf *e)
{
    vsdk_status status = VSDK_OK;
    elf_segment segment;

    for (uint32_t n = 0; n < e->count; n++) {
        elf_get(&gate->image, e, n, &segment);
        if (segment.type == ELF_LOAD &&
            gate->reach < add_capped(segment.address, segment.memory_size))
            gate->reach = add_capped(segment.address, segment.memory_size);
    }
    for (uint32_t n = 0; !status && n < e->count; n++) {
        elf_get(&gate->image, e, n, &segment);
        if (segment.type == ELF_LOAD)
            status = elf_load_segment(gate, &segment);
    }
    return status;
}

int elf_contains(const image *i, const elf *e, uint64_t address)
{
    elf_segment segment;

    for (uint32_t n = 0; n < e->count; n++) {
        elf_get(i, e, n, &segment);
        if (segment.type == ELF_LOAD && address >= segment.address &&
            address - segment.address < segment.memory_size)
            return 1;
    }
    return 0;
}

uint64_t elf_physical(const image *i, const elf *e, uint64_t address)
{
    elf_segment segment;

    for (uint32_t n = 0; n < e->count; n++) {
        elf_get(i, e, n, &segment);
        if (segment.type == ELF_LOAD && address >= segment.linked &&
            address - segment.linked < segment.memory_size)
            return segment.address + (address - segment.linked);
    }
    return address;
}
