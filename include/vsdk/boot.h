/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a guest.
 *
 * Loaders of kernel images: they take bytes and a length only, never a file, and write through the
 * gate (dma.h). An image is not trusted: each field is checked once, a malformed one is
 * VSDK_ERROR_FORMAT and the message names the field; what is loaded may neither overlap something
 * else that is loaded, nor leave the guest's RAM, nor touch what the memory map reserves.
 *
 * vsdk_boot_load puts image, initial RAM disk, command line, memory map and, where the format needs
 * them, descriptor and page tables into guest memory, and tells how the boot processor must begin;
 * vsdk_boot_apply gives it that state. vsdk_pc_boot (machine.h) does both, with a machine around
 * it.
 *
 * Small structures go to fixed places below 640 KiB (a stack at 0x5000 to 0x5fff, the descriptor
 * table at 0x6000, boot information at 0x7000, page tables at 0x9000 to 0xefff, the command line at
 * 0x20000), or to other addresses below 640 KiB if the image is there or the memory map has no RAM
 * there. Without a memory map any address is taken for RAM.
 *
 * The work of a load has a bound: it grows linearly with the bytes that are given (image, modules,
 * command line) and with the guest memory that the image asks to be cleared, which is at most the
 * guest's RAM. No field of an image makes the loader look at the same bytes more than a few times.
 * A load is one call, and nothing interrupts it.
 *
 * A flat image gets a stack, in PROTECTED and LONG mode a descriptor table, in LONG mode page
 * tables; it gets no command line and no memory map, and an initial RAM disk that it is not told
 * of. The stack is not written, so a guest that uses none needs no RAM there.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/boot.toml by abi/generate.py.
 */

#ifndef VSDK_BOOT_H
#define VSDK_BOOT_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/types.h>
#include <vsdk/vcpu.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * Formats of images.
 *
 * Since 0.1.
 */
enum vsdk_boot_format_values {
    VSDK_BOOT_AUTO = 0,      /* What vsdk_boot_probe says; as an answer, none of the following */
    VSDK_BOOT_BZIMAGE = 1,   /* Linux bzImage, by its 64-bit entry */
    VSDK_BOOT_PVH = 2,       /* ELF with a PVH entry note: vmlinux and others */
    VSDK_BOOT_MULTIBOOT = 3, /* Multiboot 1, ELF (entered where its entry is loaded) or by the
                                addresses in its header */
    VSDK_BOOT_FLAT = 4,      /* Plain bytes at an address */
};
typedef uint32_t vsdk_boot_format;

/*
 * Processor mode in which a guest begins.
 *
 * Since 0.1.
 */
enum vsdk_boot_mode_values {
    VSDK_BOOT_REAL = 0,      /* 16-bit real mode; IP below 64 KiB and the rest of the entry in CS */
    VSDK_BOOT_PROTECTED = 1, /* 32-bit, flat segments, no paging */
    VSDK_BOOT_LONG = 2,      /* 64-bit, flat segments, the low 4 GiB mapped to themselves, for
                                CPL 3 too */
};
typedef uint32_t vsdk_boot_mode;

/*
 * What a range of a memory map is; the numbers of ACPI and e820.
 *
 * Since 0.1.
 */
enum vsdk_memory_type_values {
    VSDK_MEMORY_RAM = 1,      /* Free for the guest */
    VSDK_MEMORY_RESERVED = 2, /* Not free */
    VSDK_MEMORY_ACPI = 3,     /* ACPI tables */
};
typedef uint32_t vsdk_memory_type;

/*
 * One range of a memory map.
 *
 * 24 bytes. Since 0.1.
 */
typedef struct vsdk_memory_range {
    uint64_t address;      /* First guest physical address */
    uint64_t length;       /* (bytes) How many */
    vsdk_memory_type type; /* What it is */
    uint32_t reserved;     /* Zero */
} vsdk_memory_range;

/*
 * One file that a guest is given beside its image.
 *
 * 24 bytes. Since 0.1.
 */
typedef struct vsdk_boot_module {
    const void *bytes;  /* The file */
    uint64_t length;    /* (bytes) Its length, not 0 */
    const char *string; /* Text that the guest finds with it; NULL for none */
} vsdk_boot_module;

/*
 * Flags of vsdk_boot_config.
 *
 * Since 0.1.
 */
enum vsdk_boot_flags_values {
    /*
     * The machine has no PCI bus. Linux is told so by pci=off in front of the command line, unless
     * the command line has a word pci= or has no room. Other guests are told nothing. vsdk_pc_boot
     * sets this flag itself.
     */
    VSDK_BOOT_NO_PCI = 0x1,
    VSDK_BOOT_EXACT_COMMAND_LINE = 0x2, /* The command line stays as it is: nothing is added to
                                           it */
};
typedef uint32_t vsdk_boot_flags;

/*
 * What to load, and the machine that it is told about. All pointers are borrowed for the call.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 128 bytes. Since 0.1.
 */
typedef struct vsdk_boot_config {
    uint32_t size;                   /* sizeof(vsdk_boot_config) */
    uint32_t flags;                  /* vsdk_boot_flags */
    vsdk_boot_format format;         /* AUTO finds out; FLAT is never found */
    vsdk_boot_mode mode;             /* FLAT: the mode to begin in */
    const void *image;               /* The image */
    uint64_t image_length;           /* (bytes) Its length */
    const void *initrd;              /* (may be NULL) Initial RAM disk. It is the same as a first
                                        module without a string. */
    uint64_t initrd_length;          /* (bytes) Its length, 0 for none */
    const char *command_line;        /* (may be NULL) Command line; FLAT has none */
    const char *image_name;          /* Multiboot: put before the command line, as its first
                                        word; NULL for image */
    uint64_t address;                /* FLAT: where the image goes */
    uint64_t entry;                  /* FLAT: where to begin, within the image, below 1 MiB in
                                        REAL mode and below 4 GiB in the others; 0 for address */
    const vsdk_memory_range *memory; /* (may be NULL) The memory map that the guest is told,
                                        ascending and without overlaps */
    uint32_t memory_count;           /* (entries) How many, up to 32 */
    uint32_t module_count;           /* (entries) How many modules, up to 64 */
    uint64_t rsdp;                   /* Guest address of the ACPI root pointer, 0 for none */
    const vsdk_boot_module *modules; /* (may be NULL) Modules, after initrd if that is given too.
                                        PVH and multiboot guests take any number; bzImage and
                                        FLAT take one in all, which is their initial RAM disk. */
    uint64_t reserved[2];            /* Zero */
} vsdk_boot_config;

/*
 * How the boot processor begins. Registers that are not here are zero.
 *
 * The caller sets size to sizeof; the library fills in the rest. 128 bytes. Since 0.1.
 */
typedef struct vsdk_boot_entry {
    uint32_t size;           /* sizeof(vsdk_boot_entry), set by the caller */
    uint32_t flags;          /* Zero */
    vsdk_boot_format format; /* The format that was loaded */
    vsdk_boot_mode mode;     /* Processor mode */
    uint64_t rip;            /* Where to begin, a physical address */
    uint64_t rsp;            /* Top of a stack of 4 KiB; whether RAM is there is not looked at */
    uint64_t rax;            /* RAX */
    uint64_t rbx;            /* RBX */
    uint64_t rsi;            /* RSI */
    uint64_t rdi;            /* RDI */
    uint64_t gdt;            /* Descriptor table of four entries: none, none, code (0x10), data
                                (0x18). 0 in REAL mode. */
    uint64_t page_table;     /* CR3 in LONG mode */
    uint64_t info;           /* boot_params, start_info or multiboot information, 0 for FLAT */
    uint64_t image_start;    /* Lowest address of the image */
    uint64_t image_end;      /* First address after the image and what it asks to be free */
    uint64_t initrd;         /* Where the initial RAM disk (the first module) is, 0 for none */
    uint64_t reserved[2];    /* Zero */
} vsdk_boot_entry;

/*
 * The name of a vsdk_boot_format: auto, bzimage, pvh and so on.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_boot_format_name(vsdk_boot_format value);

/*
 * The name of a vsdk_boot_mode: real, protected, long.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_boot_mode_name(vsdk_boot_mode value);

/*
 * The name of a vsdk_memory_type: ram, reserved, acpi.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_memory_type_name(vsdk_memory_type value);

/*
 * Tell the format of an image.
 *
 * Looks at what makes a format recognisable only; loading may still find it malformed. An image
 * that is of two formats is the one with the smaller number.
 *
 *   image   Length bytes.
 *   length  (bytes) Its length.
 *   format  (out) The format; VSDK_BOOT_AUTO for none that is known.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_boot_probe(const void *image, uint64_t length, vsdk_boot_format *format,
                            vsdk_error *error);

/*
 * Load a guest into memory.
 *
 * When it fails guest memory may have been written in part.
 *
 *   vm      The virtual machine; its memory is mapped.
 *   config  What to load.
 *   entry   (inout) size set by the caller; how to begin.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, size is too small, a field has an unknown value, a module
 *                     has no bytes, or there are more modules than the format takes
 *   UNSUPPORTED       the configuration has a later version's field
 *   FORMAT            the image is malformed, of no known format, or has no entry that can be used;
 *                     the message names the field, or says what the image is instead
 *   RANGE             something is to be loaded where the guest has no writable RAM or the memory
 *                     map reserves it, or there is no free RAM for it; the message or the hint says
 *                     how much memory would do
 *   LIMIT             the command line is longer than the format or the guest allows, the memory
 *                     map has more than 32 ranges, there are more than 64 modules, or their strings
 *                     are longer than 65535 bytes together
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any; meant for CREATED. Backends: all.
 * Since 0.1.
 * Source: Linux, Documentation/arch/x86/boot.rst; Xen, docs/misc/pvh.pandoc; Multiboot
 * Specification 0.6.96.
 */
vsdk_status vsdk_boot_load(vsdk_vm *vm, const vsdk_boot_config *config, vsdk_boot_entry *entry,
                           vsdk_error *error);

/*
 * Set a processor's registers to a guest's beginning.
 *
 *   vcpu   The boot processor.
 *   entry  From vsdk_boot_load.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, size is too small, or the mode is unknown
 *   UNSUPPORTED       the entry has a later version's field
 *   STATE             the vCPU is IN_GUEST or its access is unfinished, or called in a forked child
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused the values
 * Threads: any. Blocks: no. From callbacks: as vsdk_vcpu_set_state. States: as vsdk_vcpu_set_state.
 * Backends: all. Since 0.1.
 */
vsdk_status vsdk_boot_apply(vsdk_vcpu *vcpu, const vsdk_boot_entry *entry, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_BOOT_H */
