/* SPDX-License-Identifier: Apache-2.0 */
/* Guest physical address to memory: slots by address, read inside a reader section of vm->readers.
 * Writers hold the vCPUs and bus.lock. */
#ifndef VSDK_CORE_GPA_MAP_H
#define VSDK_CORE_GPA_MAP_H

#include "base/refs.h"
#include "core/backend.h"
#include "core/numbers.h"
#include "core/span_map.h"

/* Guest physical addresses have at most 52 bits; a backend may allow less. */
#define GPA_LIMIT (UINT64_C(1) << 52)

typedef struct gpa_slot gpa_slot;

typedef struct gpa_entry {
    span at;
    uint8_t *data; /* its first byte in this process */
    gpa_slot *slot;
} gpa_entry;

/* One mapping; counts as a use of its memory. */
struct gpa_slot {
    gpa_entry entry; /* in the table */
    span in_ram;     /* offset and length, in ram->placed */
    backend_slot backend;
    _Atomic uint32_t flags;      /* as the gate sees them */
    _Atomic uint32_t write_pins; /* pins for writing that lie in it */
    refs refs;                   /* the table, and each pin for writing */
    uint32_t unmapped;           /* the hypervisor has it no more; under vm->serial */
    struct gpa_slot *next;       /* of those that are lost */
    vsdk_ram *ram;
};

typedef struct gpa_map {
    span_map entries; /* gpa_entry */
    uint64_t mapped;  /* bytes; the writer's */
    gpa_slot *lost;   /* that the hypervisor did not take back: kept to the end */
    numbers indexes;  /* of live slots; the writer's */
} gpa_map;

/* Drops all mappings, after the operations' vm_destroy; vm->gone is set. */
void gpa_map_destroy(vsdk_vm *vm);

void gpa_slot_put(gpa_slot *slot);

/* Of one table (who looks more than once looks at the same one): the entry that covers an address,
 * or NULL. */
static inline const gpa_entry *gpa_map_find(const span_node *entries, uint64_t gpa)
{
    return (const gpa_entry *)span_map_find(entries, gpa); /* its first member */
}
/* Inside a reader section, or with bus.lock held: 1 if memory is mapped anywhere in a range that is
 * not empty and does not wrap. */
int gpa_map_overlaps(const vsdk_vm *vm, uint64_t gpa, uint64_t length);

/* gate.c: what core_table offers to backends. */
vsdk_status gate_read(backend_vm *vm, uint64_t gpa, void *to, uint64_t length);
vsdk_status gate_write(backend_vm *vm, uint64_t gpa, const void *from, uint64_t length);

#endif
