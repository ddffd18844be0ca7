/* SPDX-License-Identifier: Apache-2.0 */
/* The loading gate: what goes into guest memory, where, and that nothing is put on top of something
 * else. A load is taken (checked against what was taken before and against what the memory map
 * reserves) and then written, which finds out whether RAM is there. What may be anywhere is placed
 * in what the memory map calls RAM. Every failure names what was to be loaded. */
#ifndef VSDK_BOOT_GATE_H
#define VSDK_BOOT_GATE_H

#include "boot/image.h"

#include <vsdk/boot.h>

enum { BOOT_TAKEN = 144, BOOT_RANGES = 32, BOOT_MODULES = 64, BOOT_PAGE = 0x1000 };

/* Where small structures go if the image is not there. */
enum {
    BOOT_STACK = 0x5000,
    BOOT_GDT = 0x6000,
    BOOT_INFO = 0x7000,
    BOOT_PAGE_TABLES = 0x9000,
    BOOT_COMMAND_LINE = 0x20000,
    BOOT_STRINGS = 0x30000,
    BOOT_LOW_TOP = 0xa0000,
};

typedef struct boot_range {
    uint64_t start, length;
    const char *what;
} boot_range;

typedef struct boot_module {
    const void *bytes;
    uint64_t length;
    const char *string;     /* or NULL */
    uint64_t address, text; /* in the guest; text is 0 for no string */
} boot_module;

typedef struct boot_gate {
    vsdk_vm *vm;
    const vsdk_boot_config *config; /* a checked copy */
    image image;
    vsdk_boot_entry *entry; /* being made */
    vsdk_error *error;
    uint64_t reach; /* end of the image in the guest, as far as it is known: for advice */
    boot_module module[BOOT_MODULES + 1]; /* the initial RAM disk first, if there is one */
    uint32_t modules;
    boot_range taken[BOOT_TAKEN];
    uint32_t count;
} boot_gate;

/* VSDK_ERROR_FORMAT: the field named is wrong. */
vsdk_status boot_malformed(boot_gate *gate, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reserves a range; empty ones are not remembered. */
vsdk_status boot_take(boot_gate *gate, uint64_t start, uint64_t length, const char *what);
/* 1 if it is RAM by the memory map and boot_take would succeed. */
int boot_is_free(const boot_gate *gate, uint64_t start, uint64_t length);

/* Writes to what was taken. */
vsdk_status boot_write(boot_gate *gate, uint64_t start, const void *bytes, uint64_t length,
                       const char *what);
vsdk_status boot_zero(boot_gate *gate, uint64_t start, uint64_t length, const char *what);

/* Takes free RAM below 640 KiB, at `wanted` if that is free. */
vsdk_status boot_place(boot_gate *gate, uint64_t wanted, uint64_t length, const char *what,
                       uint64_t *start);

/* Takes the part of the image: extends entry->image_start and _end. Its last byte becomes 0, so the
 * caller writes afterwards. */
vsdk_status boot_take_image(boot_gate *gate, uint64_t start, uint64_t length, const char *what);
/* 1 if the memory map calls all of it RAM; without a map 1 for everything. */
int boot_is_ram(const boot_gate *gate, uint64_t start, uint64_t length);

/* Advice for a record of VSDK_ERROR_RANGE that was set just now, when more memory would help: how
 * much the guest needs so that something which ends at `end` fits. */
vsdk_status boot_advise(boot_gate *gate, uint64_t end);

/* modules.c: the modules, each as high as it goes in RAM that ends at or below `limit`, and their
 * strings. entry->initrd is the first one's address. */
vsdk_status boot_load_modules(boot_gate *gate, uint64_t limit);
/* The same for a format that knows an initial RAM disk only. */
vsdk_status boot_load_initrd(boot_gate *gate, uint64_t limit);

/* What stands in front of the command line: a word, and whether the guest is a Linux. */
typedef struct boot_cmdline {
    const char *name; /* or NULL */
    int for_linux;
} boot_cmdline;

/* cmdline.c: the command line, at most `most` bytes without the NUL; 0 is stored when there is
 * none. */
vsdk_status boot_load_cmdline(boot_gate *gate, boot_cmdline how, uint64_t most, uint64_t *start);

/* tables.c: stack, descriptor table and page tables as the mode needs them. */
vsdk_status boot_load_tables(boot_gate *gate);

/* One a format. */
vsdk_status boot_load_bzimage(boot_gate *gate);
vsdk_status boot_load_pvh(boot_gate *gate);
vsdk_status boot_load_multiboot(boot_gate *gate);
vsdk_status boot_load_flat(boot_gate *gate);

/* unknown.c: VSDK_ERROR_FORMAT, with what the image is instead. */
vsdk_status boot_refuse(boot_gate *gate);

int boot_is_bzimage(const image *i);
int boot_is_pvh(const image *i);
int boot_is_multiboot(const image *i);

#endif
