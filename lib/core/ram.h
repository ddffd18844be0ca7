/* SPDX-License-Identifier: Apache-2.0 */
/* Memory objects. */
#ifndef VSDK_CORE_RAM_H
#define VSDK_CORE_RAM_H

#include "core/object.h"

struct vsdk_ram {
    backend_ram backend;
    vsdk_vm *vm;     /* its memory is counted by the handle and by each pin */
    refs refs;       /* the handle, mappings, pins */
    span_map placed; /* in_ram of its slots, where a byte may be mapped once only; under bus.lock */
    struct word_pins *word_pins; /* for writing, of tracked memory: dirty.c */
    _Atomic uint32_t *page_pins;
};

static inline void ram_get(vsdk_ram *ram)
{
    refs_get(&ram->refs);
}

void ram_put(vsdk_ram *ram);

/* dirty.c. begin: memory that was just made is tracked; NO_MEMORY. The others are for tracked
 * memory (backend.dirty): bytes that were written, and the life of a pin for writing, of 1 byte or
 * more. */
vsdk_status dirty_begin(vsdk_ram *ram, const char *operation, vsdk_error *error);
void dirty_end(vsdk_ram *ram);
void dirty_mark(vsdk_ram *ram, uint64_t offset, uint64_t length);
void dirty_pin(vsdk_ram *ram, uint64_t offset, uint64_t length);
void dirty_unpin(vsdk_ram *ram, uint64_t offset, uint64_t length);
/* Any memory; vm->serial held. What the guest wrote through a mapping comes into the bitmap. */
vsdk_status dirty_collect_slot(vsdk_vm *vm, gpa_slot *slot, vsdk_error *error);

#endif
