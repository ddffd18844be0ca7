/* SPDX-License-Identifier: Apache-2.0 */
#include "base/checked.h"
#include "base/error.h"
#include "boot/gate.h"

/* The highest page below `top` from which `length` bytes are free down to `bottom`; 0 for none. */
static uint64_t initrd_fit(const boot_gate *gate, uint64_t bottom, uint64_t top, uint64_t length)
{
    while (top > bottom && top - bottom >= length) {
        uint64_t at = (top - length) & ~(uint64_t)(BOOT_PAGE - 1), lowest = at;

        if (at < bottom)
            return 0;
        if (boot_is_free(gate, at, length))
            return at;
        for (uint32_t i = 0; i < gate->count; i++)
            if (ranges_overlap(at, length, gate->taken[i].start, gate->taken[i].length) &&
                gate->taken[i].start < top)
                lowest = gate->taken[i].start;
        top = lowest < top ? lowest : at;
    }
    return 0;
}

static uint64_t initrd_find(const boot_gate *gate, uint64_t limit, uint64_t length)
{
    for (uint32_t i = gate->config->memory_count; i-- > 0;) {
        const vsdk_memory_range *range = &gate->config->memory[i];
        uint64_t top = range->address + range->length, at;

        if (range->type != VSDK_MEMORY_RAM || range->address >= limit)
            continue;
        at = initrd_fit(gate, range->address, top < limit ? top : limit, length);
        if (at)
            return at;
    }
    return 0;
}

vsdk_status boot_load_initrd(boot_gate *gate, uint64_t limit)
{
    static const char what[] = "initrd";
    uint64_t length = gate->config->initrd_length, at;
    vsdk_status status;

    if (!length)
        return VSDK_OK;
    at = initrd_find(gate, limit, length);
    if (!at)
        return error_set(gate->error, VSDK_ERROR_RANGE, "vsdk_boot_load",
                         "%s: no 0x%llx bytes of RAM are free below 0x%llx", what,
                         (unsigned long long)length, (unsigned long long)limit);
    status = boot_take(gate, at, length, what);
    if (!status)
        status = boot_write(gate, at, gate->config->initrd, length, what);
    gate->entry->initrd = at;
    return status;
}
