/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up guest physical addresses. The table's entries are sorted and never overlap; each holds
 * a reference to its slot, and the slot one to its memory. */
#include "base/alloc.h"
#include "base/checked.h"
#include "core/object.h"
#include "core/ram.h"

/* How many entries begin at or before an address. */
static uint32_t entries_up_to(const snapshot *s, uint64_t gpa)
{
    const gpa_entry *entries = s ? (const gpa_entry *)s->items : NULL;
    uint32_t low = 0, high = snapshot_count(s);

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (entries[middle].gpa <= gpa)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t gpa_map_index(const vsdk_vm *vm, uint64_t gpa)
{
    return entries_up_to(snapshot_live(&vm->map.entries), gpa);
}

const gpa_entry *gpa_map_find(const snapshot *entries, uint64_t gpa)
{
    uint32_t index = entries_up_to(entries, gpa);

    if (!index)
        return NULL;
    const gpa_entry *entry = (const gpa_entry *)entries->items + index - 1;
    return gpa - entry->gpa < entry->length ? entry : NULL;
}

int gpa_map_overlaps(const vsdk_vm *vm, uint64_t gpa, uint64_t length)
{
    const snapshot *s = snapshot_live(&vm->map.entries);
    uint32_t index = entries_up_to(s, gpa + length - 1);

    if (!index)
        return 0;
    const gpa_entry *entry = (const gpa_entry *)s->items + index - 1;
    return ranges_overlap(entry->gpa, entry->length, gpa, length);
}

void gpa_slot_put(gpa_slot *slot)
{
    if (!refs_put(&slot->refs))
        return;
    ram_put(slot->ram);
    alloc_free(slot);
}

void gpa_map_destroy(vsdk_vm *vm)
{
    snapshot *s = atomic_exchange(&vm->map.entries.live, NULL);

    readers_wait(&vm->readers);
    for (uint32_t i = 0; i < snapshot_count(s); i++)
        gpa_slot_put(((const gpa_entry *)s->items)[i].slot);
    alloc_free(s);
    snapshot_clear(&vm->map.entries, &vm->readers);
    while (vm->map.lost) {
        gpa_slot *slot = vm->map.lost;
        vm->map.lost = slot->next;
        gpa_slot_put(slot);
    }
    alloc_free(vm->map.used);
    vm->map.used = NULL;
}
