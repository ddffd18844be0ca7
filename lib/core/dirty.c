/* SPDX-License-Identifier: Apache-2.0 */
/* Which pages of tracked memory were written: one bitmap a memory object, that all who write share.
 *
 * A page's bit is set after its bytes were written, and cleared before who cleared it reads them.
 * So a page that is written while it is harvested is told now or by the next harvest, never by
 * none. What the guest writes comes into the bitmap when a harvest begins and before a mapping
 * goes, under vm->serial; a backend that sees each write sets the bits itself.
 *
 * A pin for writing is a pointer that its owner writes through unseen: its pages are dirty as long
 * as it lives, and once more when it ends. Pins are counted, for each word of the bitmap those that
 * cover all of it, and for each page the others: so a pin costs a count for 64 pages, and a harvest
 * looks at pages one by one only where an end of a pin is. */
#include "base/alloc.h"
#include "base/bits.h"
#include "base/checked.h"
#include "base/error.h"
#include "core/ram.h"
#include <inttypes.h>

enum { PAGE = 4096 };

struct word_pins {
    _Atomic uint32_t whole; /* pins that cover all pages of this word */
    _Atomic uint32_t part;  /* those that cover some of them, counted by page too */
};

vsdk_status dirty_begin(vsdk_ram *ram, const char *operation, vsdk_error *error)
{
    uint64_t pages = ram->backend.bytes / PAGE;

    ram->backend.dirty = alloc_array(bits_words(pages), sizeof *ram->backend.dirty);
    ram->word_pins = alloc_array(bits_words(pages), sizeof *ram->word_pins);
    ram->page_pins = alloc_array(pages, sizeof *ram->page_pins);
    if (ram->backend.dirty && ram->word_pins && ram->page_pins)
        return VSDK_OK;
    dirty_end(ram);
    return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the pages' marks");
}

void dirty_end(vsdk_ram *ram)
{
    alloc_free((void *)ram->backend.dirty);
    alloc_free(ram->word_pins);
    alloc_free((void *)ram->page_pins);
    ram->backend.dirty = NULL;
    ram->word_pins = NULL;
    ram->page_pins = NULL;
}

void dirty_mark(vsdk_ram *ram, uint64_t offset, uint64_t length)
{
    if (length)
        bits_set(ram->backend.dirty, offset / PAGE,
                 (offset + length - 1) / PAGE - offset / PAGE + 1);
}

/* `by` is 1, or UINT32_MAX to count down. */
static void count_pins(vsdk_ram *ram, uint64_t offset, uint64_t length, uint32_t by)
{
    uint64_t page = offset / PAGE, end = (offset + length - 1) / PAGE + 1;

    while (page < end) {
        struct word_pins *pins = &ram->word_pins[page / BITS_A_WORD];
        uint64_t next = (page / BITS_A_WORD + 1) * BITS_A_WORD;
        if (page % BITS_A_WORD == 0 && next <= end) {
            atomic_fetch_add(&pins->whole, by);
            page = next;
            continue;
        }
        next = next < end ? next : end;
        if (by == 1)
            atomic_fetch_add(&pins->part, by);
        for (; page < next; page++)
            atomic_fetch_add(&ram->page_pins[page], by);
        if (by != 1)
            atomic_fetch_add(&pins->part, by);
    }
}

void dirty_pin(vsdk_ram *ram, uint64_t offset, uint64_t length)
{
    count_pins(ram, offset, length, 1);
}

void dirty_unpin(vsdk_ram *ram, uint64_t offset, uint64_t length)
{
    dirty_mark(ram, offset, length);
    count_pins(ram, offset, length, UINT32_MAX);
}

/* Of one word; `pages` of it exist. */
static uint64_t pinned(const vsdk_ram *ram, uint64_t word, uint64_t pages)
{
    const struct word_pins *pins = &ram->word_pins[word];
    uint64_t found = 0;

    if (atomic_load(&pins->whole))
        return UINT64_MAX;
    if (!atomic_load(&pins->part))
        return 0;
    for (uint64_t i = 0; i < pages; i++)
        if (atomic_load(&ram->page_pins[word * BITS_A_WORD + i]))
            found |= UINT64_C(1) << i;
    return found;
}

vsdk_status dirty_collect_slot(vsdk_vm *vm, gpa_slot *slot, vsdk_error *error)
{
    const backend_ops *ops = vm->backend.host->ops;

    if (!slot->ram->backend.dirty || !ops->slot_dirty ||
        slot->unmapped | (slot->backend.flags & VSDK_MAP_READONLY))
        return VSDK_OK;
    return ops->slot_dirty(&vm->backend, &slot->backend, error);
}

/* With bus.lock held: the mappings stay. A reader section would not do, since this may wait. */
static vsdk_status collect(vsdk_ram *ram, vsdk_error *error)
{
    vsdk_vm *vm = ram->vm;
    const span_node *entries = span_map_root(&vm->map.entries);
    vsdk_status status = VSDK_OK;

    lock_take(&vm->serial);
    for (const span *s = span_map_after(entries, 0); s && !status;
         s = span_map_after(entries, s->first + 1)) {
        gpa_slot *slot = ((const gpa_entry *)s)->slot;
        if (slot->ram == ram)
            status = dirty_collect_slot(vm, slot, error);
    }
    lock_give(&vm->serial);
    return status;
}

/* Where the ranges of one call go. */
typedef struct harvest {
    vsdk_ram *ram;
    vsdk_ram_range *ranges;
    uint32_t capacity, count;
    int peek;
} harvest;

/* One run of pages; 0 when there is no room for it. */
static int tell_run(harvest *h, uint64_t page, uint64_t pages)
{
    vsdk_ram_range *last = h->count ? &h->ranges[h->count - 1] : NULL;

    if (last && last->offset + last->length == page * PAGE) {
        last->length += pages * PAGE;
        return 1;
    }
    if (h->count == h->capacity)
        return 0;
    h->ranges[h->count++] = (vsdk_ram_range){page * PAGE, pages * PAGE};
    return 1;
}

/* The dirty pages among those of one word; the first that found no room, or the end. Pins are
 * looked at first: one that ends meanwhile has set its bits before. */
static uint64_t harvest_word(harvest *h, uint64_t page, uint64_t end)
{
    uint64_t word = page / BITS_A_WORD;
    _Atomic uint64_t *bits = &h->ram->backend.dirty[word];
    uint64_t found = pinned(h->ram, word, end - word * BITS_A_WORD);

    found |= atomic_load_explicit(bits, memory_order_acquire);
    found &= bits_mask(page, end - page);
    while (found) {
        uint32_t first = (uint32_t)__builtin_ctzll(found);
        uint64_t rest = ~(found >> first);
        uint32_t run = rest ? (uint32_t)__builtin_ctzll(rest) : BITS_A_WORD;
        uint64_t mask = bits_mask(first, run);
        if (!tell_run(h, word * BITS_A_WORD + first, run))
            return word * BITS_A_WORD + first;
        if (!h->peek)
            atomic_fetch_and_explicit(bits, ~mask, memory_order_acquire);
        found &= ~mask;
    }
    return end;
}

static uint64_t harvest_from(harvest *h, uint64_t page)
{
    uint64_t pages = h->ram->backend.bytes / PAGE;

    while (page < pages) {
        uint64_t end = (page / BITS_A_WORD + 1) * BITS_A_WORD;
        end = end < pages ? end : pages;
        page = harvest_word(h, page, end);
        if (page < end)
            return page;
    }
    return page;
}

static vsdk_status harvest_check(const vsdk_ram *ram, vsdk_dirty_flags flags,
                                 const uint64_t *cursor, const vsdk_ram_range *ranges,
                                 uint32_t capacity, const uint32_t *count, const char *operation,
                                 vsdk_error *error)
{
    if (!ram)
        return error_null(error, operation, "ram");
    if (!cursor)
        return error_null(error, operation, "cursor");
    if (!ranges)
        return error_null(error, operation, "ranges");
    if (!count)
        return error_null(error, operation, "count");
    if (!capacity)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "capacity is 0");
    if (flags & ~(uint32_t)VSDK_DIRTY_PEEK)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "flags %#x are unknown",
                         flags);
    if (*cursor % PAGE)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "the cursor %" PRIu64 " is not a multiple of 4096", *cursor);
    return VSDK_OK;
}

/* Of an object that is alive. */
static vsdk_status tracked_check(const vsdk_ram *ram, uint64_t cursor, const char *operation,
                                 vsdk_error *error)
{
    if (!ram->backend.dirty)
        return error_hint(error,
                          error_set(error, VSDK_ERROR_STATE, operation,
                                    "this memory was made without VSDK_RAM_TRACKED"),
                          "set VSDK_RAM_TRACKED in vsdk_ram_config");
    if (cursor > ram->backend.bytes)
        return error_set(error, VSDK_ERROR_RANGE, operation,
                         "the cursor %" PRIu64 " is behind the %" PRIu64 " bytes", cursor,
                         ram->backend.bytes);
    return VSDK_OK;
}

vsdk_status vsdk_ram_get_dirty(vsdk_ram *ram, vsdk_dirty_flags flags, uint64_t *cursor,
                               vsdk_ram_range *ranges, uint32_t capacity, uint32_t *count,
                               vsdk_error *error)
{
    static const char operation[] = "vsdk_ram_get_dirty";

    if (count)
        *count = 0;
    vsdk_status status =
        harvest_check(ram, flags, cursor, ranges, capacity, count, operation, error);
    if (status)
        return status;
    if (vm_is_foreign(ram->vm))
        return vm_forked(operation, error);
    lock_take(&ram->vm->bus.lock);
    if (atomic_load(&ram->vm->gone))
        status = vm_gone(operation, error);
    if (!status)
        status = tracked_check(ram, *cursor, operation, error);
    if (!status && *cursor == 0)
        status = collect(ram, error);
    lock_give(&ram->vm->bus.lock);
    if (status)
        return status;
    harvest h = {ram, ranges, capacity, 0, (flags & VSDK_DIRTY_PEEK) != 0};
    *cursor = harvest_from(&h, *cursor / PAGE) * PAGE;
    *count = h.count;
    return VSDK_OK;
}

/* Of memory that is not tracked nobody wants to know. */
vsdk_status vsdk_ram_mark_dirty(vsdk_ram *ram, uint64_t offset, uint64_t length, vsdk_error *error)
{
    static const char operation[] = "vsdk_ram_mark_dirty";
    vm_use use;

    if (!ram)
        return error_null(error, operation, "ram");
    vsdk_status status = vm_use_begin(ram->vm, &use, operation, error);
    if (status)
        return status;
    vm_use_end(use);
    if (!checked_within(offset, length, ram->backend.bytes))
        return error_set(error, VSDK_ERROR_RANGE, operation,
                         "%" PRIu64 " bytes at %" PRIu64 " leave the memory of %" PRIu64 " bytes",
                         length, offset, ram->backend.bytes);
    if (ram->backend.dirty)
        dirty_mark(ram, offset, length);
    return VSDK_OK;
}
