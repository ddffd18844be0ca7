/* SPDX-License-Identifier: Apache-2.0 */
/* ELF executables of 32 and 64 bits, through one pair of types. */
#ifndef VSDK_BOOT_ELF_H
#define VSDK_BOOT_ELF_H

#include "boot/gate.h"

enum { ELF_LOAD = 1, ELF_INTERPRETER = 3, ELF_NOTE = 4 };

typedef struct elf {
    uint64_t entry, headers; /* offset of the program headers */
    uint32_t count;
    int wide; /* 64 bits */
} elf;

typedef struct elf_segment {
    uint32_t type;
    uint64_t offset, file_size, address, memory_size, align;
    uint64_t linked; /* virtual address */
} elf_segment;

/* What an image says of itself in its notes. */
typedef struct elf_notes {
    int has_entry, from_xen, from_linux;
    uint64_t entry; /* of PVH, a physical address */
} elf_notes;

int elf_is(const image *i);
/* What the number of an instruction set (e_machine) means, or NULL. */
const char *elf_machine_name(uint32_t machine);
/* Checks the header; program headers are inside the image. */
vsdk_status elf_open(boot_gate *gate, elf *e);
void elf_get(const image *i, const elf *e, uint32_t n, elf_segment *segment);
/* Takes and writes every segment to be loaded, by physical address. The caller has found its entry
 * in one of them. */
vsdk_status elf_load(boot_gate *gate, const elf *e);
/* 1 if `address` is in a segment to be loaded. */
int elf_contains(const image *i, const elf *e, uint64_t address);
/* Where the code at a virtual address is loaded; `address` itself if it is in no segment. */
uint64_t elf_physical(const image *i, const elf *e, uint64_t address);

/* elf_notes.c */
void elf_read_notes(const image *i, const elf *e, elf_notes *notes);

#endif
