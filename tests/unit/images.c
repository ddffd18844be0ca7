/* SPDX-License-Identifier: Apache-2.0 */
#include "images.h"

#include <elf.h>
#include <stddef.h>
#include <string.h>

void image_put(test_image *image, uint64_t offset, uint64_t value, uint32_t width)
{
    memcpy(image->bytes + offset, &value, width);
}

void image_bzimage(test_image *image)
{
    memset(image, 0, sizeof *image);
    image->length = 2 * 512 + 0x400;
    image_put(image, 0x1f1, 1, 1);          /* setup_sects */
    image_put(image, 0x1f4, 0x400 / 16, 4); /* syssize */
    image_put(image, 0x1fe, 0xaa55, 2);
    image_put(image, 0x200, 0x6aeb, 2); /* jump: the header ends at 0x26c */
    image_put(image, 0x202, 0x53726448, 4);
    image_put(image, 0x206, 0x20f, 2);
    image_put(image, 0x211, 1, 1); /* loaded high */
    image_put(image, 0x22c, 0x7fffffff, 4);
    image_put(image, 0x230, 0x200000, 4);
    image_put(image, 0x234, 1, 1);        /* relocatable */
    image_put(image, 0x236, 1, 2);        /* 64-bit entry */
    image_put(image, 0x238, 2047, 4);     /* cmdline_size */
    image_put(image, 0x258, 0x100000, 8); /* pref_address */
    image_put(image, 0x260, 0x10000, 4);  /* init_size */
    memset(image->bytes + 1024, 0x90, 0x400);
    image_put(image, 1024 + 0x200, 0xf4, 1);
}

static void elf_head(test_image *image, int wide, uint32_t segments, uint64_t entry)
{
    memset(image, 0, sizeof *image);
    memcpy(image->bytes, ELFMAG, SELFMAG);
    image->bytes[EI_CLASS] = wide ? ELFCLASS64 : ELFCLASS32;
    image->bytes[EI_DATA] = ELFDATA2LSB;
    image->bytes[EI_VERSION] = 1;
    image_put(image, 16, ET_EXEC, 2);
    image_put(image, 18, wide ? EM_X86_64 : EM_386, 2);
    image_put(image, 20, 1, 4);
    if (wide) {
        Elf64_Ehdr *h = (Elf64_Ehdr *)image->bytes;

        h->e_entry = entry;
        h->e_phoff = sizeof *h;
        h->e_phentsize = sizeof(Elf64_Phdr);
        h->e_phnum = (uint16_t)segments;
    } else {
        Elf32_Ehdr *h = (Elf32_Ehdr *)image->bytes;

        h->e_entry = (uint32_t)entry;
        h->e_phoff = sizeof *h;
        h->e_phentsize = sizeof(Elf32_Phdr);
        h->e_phnum = (uint16_t)segments;
    }
}

static void elf_segment(test_image *image, int wide, uint32_t n, uint32_t type, uint32_t offset,
                        uint32_t file, uint32_t address, uint32_t memory)
{
    Elf64_Phdr *p64 = (Elf64_Phdr *)(image->bytes + sizeof(Elf64_Ehdr)) + n;
    Elf32_Phdr *p32 = (Elf32_Phdr *)(image->bytes + sizeof(Elf32_Ehdr)) + n;

    if (wide)
        *p64 = (Elf64_Phdr){.p_type = type,
                            .p_offset = offset,
                            .p_filesz = file,
                            .p_paddr = address,
                            .p_memsz = memory,
                            .p_align = 4};
    else
        *p32 = (Elf32_Phdr){.p_type = type,
                            .p_offset = offset,
                            .p_filesz = file,
                            .p_paddr = address,
                            .p_memsz = memory,
                            .p_align = 4};
}

static void elf_note(test_image *image, uint32_t at, uint32_t type, uint32_t value)
{
    const uint32_t note[5] = {4, 4, type, 0x006e6558, value}; /* "Xen" */

    memcpy(image->bytes + at, note, sizeof note);
}

static void image_pvh(test_image *image, int wide)
{
    elf_head(image, wide, 3, 0x100010);
    elf_segment(image, wide, 0, PT_LOAD, 0x400, 0x80, 0x100000, 0x1000);
    elf_segment(image, wide, 1, PT_LOAD, 0x480, 0x80, 0x110000, 0x80);
    elf_segment(image, wide, 2, PT_NOTE, 0x500, 40, 0, 40);
    elf_note(image, 0x500, 5, 0);
    elf_note(image, 0x514, 18, 0x100010);
    memset(image->bytes + 0x400, 0x11, 0x80);
    memset(image->bytes + 0x480, 0x22, 0x80);
    image->length = 0x528;
}

void image_pvh64(test_image *image)
{
    image_pvh(image, 1);
}

void image_pvh32(test_image *image)
{
    image_pvh(image, 0);
}

static void multiboot_header(test_image *image, uint32_t at, uint32_t flags)
{
    image_put(image, at, 0x1badb002, 4);
    image_put(image, at + 4, flags, 4);
    image_put(image, at + 8, -(0x1badb002u + flags), 4);
}

void image_multiboot_elf(test_image *image)
{
    elf_head(image, 0, 1, 0x100020);
    elf_segment(image, 0, 0, PT_LOAD, 0x200, 0x100, 0x100000, 0x800);
    multiboot_header(image, 0x200, 3);
    image->length = 0x300;
}

void image_multiboot_kludge(test_image *image)
{
    const uint32_t addresses[5] = {0x120010, 0x120000, 0x120200, 0x120400, 0x120100};

    memset(image, 0, sizeof *image);
    memset(image->bytes, 0x33, 0x300);
    multiboot_header(image, 0x110, 0x10003);
    memcpy(image->bytes + 0x11c, addresses, sizeof addresses);
    image->length = 0x300; /* the load begins at 0x100 in the image */
}
