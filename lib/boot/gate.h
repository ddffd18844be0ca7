/* The loading gate: what goes into guest memory, where, and that nothing is put on top of something
 * else. A load is taken (checked against what was taken before and against what the memory map
 * reserves) and then written, which finds out whether RAM is there. What may be anywhere is placed
 * in what the memory map calls RAM. Every failure names what was to be loaded. */
#ifndef VSDK_BOOT_GATE_H
#define VSDK_BOOT_GATE_H

#include "boot/image.h"

#include <vsdk/boot.h>

enum { BOOT_TAKEN = 96, BOOT_RANGES = 32, BOOT_PAGE = 0x1000 };

/* Where small structures go if the image is not there. */
enum {
    BOOT_STACK = 0x5000,
    BOOT_GDT = 0x6000,
    BOOT_INFO = 0x7000,
    BOOT_PAGE_TABLES = 0x9000,
    BOOT_COMMAND_LINE = 0x20000,
    BOOT_LOW_TOP = 0xa0000,
};

typedef struct boot_range {
    uint64_t start, length;
    const char *what;
} boot_range;

typedef struct boot_gate {
    vsdk_vm *vm;
    const vsdk_boot_config *config; /* a checked copy */
    image image;
    vsdk_boot_entry *entry; /* being made */
    vsdk_error *error;
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

/* Takes the part of the image: extends entry->image_start and _end. */
vsdk_status boot_take_image(boot_gate *gate, uint64_t start, uint64_t length, const char *what);
/* The same for a range that is not written as a whole, so that the memory map must call it RAM. */
vsdk_status boot_take_ram(boot_gate *gate, uint64_t start, uint64_t length, const char *what);

/* initrd.c: the initial RAM disk, as high as it goes in RAM that ends at or below `limit`. */
vsdk_status boot_load_initrd(boot_gate *gate, uint64_t limit);

/* cmdline.c: `name` (or NULL) and the command line, at most `most` bytes without the NUL; 0 is
 * stored when there is none. */
vsdk_status boot_load_cmdline(boot_gate *gate, const char *name, uint64_t most, uint64_t *start);

/* tables.c: stack, descriptor table and page tables as the mode needs them. */
vsdk_status boot_load_tables(boot_gate *gate);

/* One a format. */
vsdk_status boot_load_bzimage(boot_gate *gate);
vsdk_status boot_load_pvh(boot_gate *gate);
vsdk_status boot_load_multiboot(boot_gate *gate);
vsdk_status boot_load_flat(boot_gate *gate);

int boot_is_bzimage(const image *i);
int boot_is_pvh(const image *i);
int boot_is_multiboot(const image *i);

#endif
