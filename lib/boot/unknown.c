/* SPDX-License-Identifier: Apache-2.0 */
/* What an image is that no loader takes. Only said, never acted on: nothing here is loaded. Looks
 * at the first bytes and, of ELF, at headers and notes. */
#include "base/error.h"
#include "boot/elf.h"

#include <elf.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { MULTIBOOT2_SEARCH = 32768 };

static const uint32_t MULTIBOOT2_MAGIC = 0xe85250d6;
static const char OTHER_PROCESSOR[] =
    "a guest runs on this machine's processor: take the x86-64 build";
static const char UNPACK[] =
    "unpack it first: a kernel is not unpacked here, unless it does that itself "
    "as a bzImage does";
static const char DISK[] =
    "a disk is not booted: take the kernel out of it, or load its boot sector "
    "as VSDK_BOOT_FLAT in real mode at 0x7c00, without BIOS calls";

/* By bytes at one place. The first that fits is said, so what is more special stands higher. */
static const struct {
    uint32_t at, length;
    const char *magic, *what, *hint;
} kinds[] = {
    {56, 4, "ARM\x64", "an arm64 kernel (Image)", OTHER_PROCESSOR},
    {56, 4, "RSC\x05", "a RISC-V kernel (Image)", OTHER_PROCESSOR},
    {36, 4, "\x18\x28\x6f\x01", "a kernel for 32-bit Arm (zImage)", OTHER_PROCESSOR},
    {0, 2, "\x1f\x8b", "compressed by gzip", UNPACK},
    {0, 6,
     "\xfd"
     "7zXZ\0",
     "compressed by xz", UNPACK},
    {0, 4, "\x28\xb5\x2f\xfd", "compressed by zstd", UNPACK},
    {0, 4, "\x04\x22\x4d\x18", "compressed by lz4", UNPACK},
    {0, 4, "\x02\x21\x4c\x18", "compressed by lz4", UNPACK},
    {0, 3, "\x5d\0\0", "compressed by lzma", UNPACK},
    {0, 3, "BZh", "compressed by bzip2", UNPACK},
    {0, 5, "07070", "a cpio archive", "that is what an initial RAM disk is: the kernel is missing"},
    {0, 4, "QFI\xfb", "a disk image (qcow2)", DISK},
    {0, 8, "vhdxfile", "a disk image (VHDX)", DISK},
    {0, 4, "KDMV", "a disk image (VMDK)", DISK},
    {0x8001, 5, "CD001", "a disk image (ISO 9660)", DISK},
    {510, 2, "\x55\xaa", "a boot sector or a disk image (0x55aa at 510)", DISK},
    {0, 2, "MZ", "an EFI or DOS program",
     "of a unified kernel image take the section .linux: "
     "objcopy -O binary -j .linux IMAGE KERNEL"},
    {0, 4, "\x27\x05\x19\x56", "a U-Boot image", "take the kernel out of it: dumpimage"},
    {0, 4, "\xd0\x0d\xfe\xed", "a device tree or FIT image",
     "take the kernel out of it: dumpimage"},
    {0, 2, "#!", "a script", "give the image of a kernel"},
};

static vsdk_status refuse(boot_gate *gate, const char *what, const char *hint)
{
    boot_malformed(gate, "image", "%s", what);
    return error_hint(gate->error, VSDK_ERROR_FORMAT, "%s", hint);
}

/* For x86, but nothing that can be entered. */
static vsdk_status refuse_x86(boot_gate *gate, const elf *e)
{
    const image *i = &gate->image;
    elf_segment segment;
    elf_notes notes;

    for (uint32_t n = 0; n < e->count; n++) {
        elf_get(i, e, n, &segment);
        if (segment.type == ELF_INTERPRETER)
            return refuse(gate, "a program for an operating system (ELF with PT_INTERP)",
                          "give the image of a kernel");
    }
    elf_read_notes(i, e, &notes);
    if (notes.from_xen)
        return refuse(gate, "a Xen PV kernel: ELF with Xen's notes, but without a PVH entry",
                      "build it with CONFIG_PVH=y, or take its bzImage");
    for (uint64_t at = 0; at < MULTIBOOT2_SEARCH && image_at(i, at, 16); at += 8)
        if (image_u32(i, at) == MULTIBOOT2_MAGIC)
            return refuse(gate, "a multiboot 2 image", "multiboot 1, PVH and bzImage are loaded");
    return refuse(
        gate, "ELF for x86 with neither a PVH entry note nor a multiboot header",
        "of Linux take the bzImage, or a vmlinux with CONFIG_PVH=y; plain code is loaded as "
        "VSDK_BOOT_FLAT, after objcopy -O binary");
}

static vsdk_status refuse_elf(boot_gate *gate)
{
    const image *i = &gate->image;
    int big = image_u8(i, EI_DATA) == ELFDATA2MSB;
    uint16_t type = image_u16(i, offsetof(Elf64_Ehdr, e_type));
    uint16_t machine = image_u16(i, offsetof(Elf64_Ehdr, e_machine));
    const char *name, *bits = image_u8(i, EI_CLASS) == ELFCLASS64 ? "64" : "32";
    char what[128];
    vsdk_status status;
    elf e;

    if (big) {
        type = (uint16_t)(type << 8 | type >> 8);
        machine = (uint16_t)(machine << 8 | machine >> 8);
    }
    name = elf_machine_name(machine);
    if (big || (machine != EM_386 && machine != EM_X86_64)) {
        snprintf(what, sizeof what, "ELF of %s bits%s for machine %u%s%s%s, not for x86", bits,
                 big ? ", big-endian," : "", machine, name ? " (" : "", name ? name : "",
                 name ? ")" : "");
        return refuse(gate, what, OTHER_PROCESSOR);
    }
    if (type == ET_REL)
        return refuse(gate, "an ELF object file or a kernel module", "link it into an executable");
    if (type == ET_CORE)
        return refuse(gate, "a core dump", "the image is a kernel, not a dump of one");
    status = elf_open(gate, &e);
    return status ? status : refuse_x86(gate, &e);
}

vsdk_status boot_refuse(boot_gate *gate)
{
    const image *i = &gate->image;

    if (!i->length)
        return refuse(gate, "empty", "the file has no bytes: was it written to its end?");
    if (elf_is(i))
        return refuse_elf(gate);
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++) {
        const uint8_t *found = image_at(i, kinds[n].at, kinds[n].length);

        if (found && !memcmp(found, kinds[n].magic, kinds[n].length))
            return refuse(gate, kinds[n].what, kinds[n].hint);
    }
    return refuse(gate, "neither a bzImage, nor ELF with a PVH entry, nor multiboot",
                  "a flat binary is never guessed: ask for it by VSDK_BOOT_FLAT (vsdk run --format "
                  "flat)");
}
