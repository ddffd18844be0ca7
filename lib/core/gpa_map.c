/* SPDX-License-Identifier: Apache-2.0 */
/* The table of guest memory. Each entry is its slot's, which holds a reference to itself for it,
 * and one to its memory. */
#include "base/alloc.h"
#include "core/object.h"
#include "core/ram.h"

int gpa_map_overlaps(const vsdk_vm *vm, uint64_t gpa, uint64_t length)
{
    return span_map_overlap(span_map_root(&vm->map.entries), gpa, length) != NULL;
}

void gpa_slot_put(gpa_slot *slot)
{
    if (!refs_put(&slot->refs))
        return;
    ram_put(slot->ram);
    alloc_free(slot);
}

static void entry_drop(const span *at)
{
    gpa_slot_put(((const gpa_entry *)at)->slot);
}

void gpa_map_destroy(vsdk_vm *vm)
{
    span_map_clear(&vm->map.entries, &vm->readers, entry_drop);
    while (vm->map.lost) {
        gpa_slot *slot = vm->map.lost;
        vm->map.lost = slot->next;
        gpa_slot_put(slot);
    }
    numbers_free(&vm->map.indexes);
}
