/* SPDX-License-Identifier: Apache-2.0 */
/* Guest physical address to memory: an immutable sorted table of slots, read inside a reader
 * section of vm->readers. Its writers hold the vCPUs and bus.lock. */
#ifndef VSDK_CORE_GPA_MAP_H
#define VSDK_CORE_GPA_MAP_H

#include "core/backend.h"
#include "core/snapshot.h"

/* Guest physical addresses have at most 52 bits; a backend may allow less. */
#define GPA_LIMIT (UINT64_C(1) << 52)

/* One mapping; counts as a use of its memory. */
typedef struct gpa_slot {
    backend_slot backend;
    _Atomic uint32_t flags;      /* as the gate sees them */
    _Atomic uint32_t write_pins; /* pins for writing that lie in it */
    refs refs;                   /* the table, and each pin for writing */
    uint32_t unmapped;           /* the hypervisor has it no more; under vm->serial */
    struct gpa_slot *next;       /* of those that are lost */
    vsdk_ram *ram;
} gpa_slot;

typedef struct gpa_entry {
    uint64_t gpa, length;
    uint8_t *data; /* its first byte in this process */
    gpa_slot *slot;
} gpa_entry;

typedef struct gpa_map {
    snapshot_box entries; /* gpa_entry, by address */
    uint64_t mapped;      /* bytes; the writer's */
    gpa_slot *lost;       /* that the hypervisor did not take back: kept to the end */
    uint64_t *used;       /* a bit for each slot index that is taken; the writer's */
    uint32_t used_words;
} gpa_map;

/* Drops all mappings, after the operations' vm_destroy; vm->gone is set. */
void gpa_map_destroy(vsdk_vm *vm);

void gpa_slot_put(gpa_slot *slot);

/* Of one snapshot (who looks more than once looks at the same one): the entry that covers an
 * address, or NULL. */
const gpa_entry *gpa_map_find(const snapshot *entries, uint64_t gpa);
/* Inside a reader section, or with bus.lock held: how many entries begin at or before an address.
 */
uint32_t gpa_map_index(const vsdk_vm *vm, uint64_t gpa);
/* The same: 1 if memory is mapped anywhere in a range that is not empty and does not wrap. */
int gpa_map_overlaps(const vsdk_vm *vm, uint64_t gpa, uint64_t length);

/* gate.c: what core_table offers to backends. */
vsdk_status gate_read(backend_vm *vm, uint64_t gpa, void *to, uint64_t length);
vsdk_status gate_write(backend_vm *vm, uint64_t gpa, const void *from, uint64_t length);

#endif
