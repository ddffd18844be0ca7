/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken, and the writes. A range is remembered from the moment it is taken, so a later one
 * can't lie on top of it; all arithmetic on addresses is checked here, once. */
#include "boot/gate.h"

#include "base/checked.h"
#include "base/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <vsdk/dma.h>

static const char operation[] = "vsdk_boot_load";
static const uint64_t LOW_MOST = UINT64_C(3) << 30, MIB = UINT64_C(1) << 20;

vsdk_status boot_malformed(boot_gate *gate, const char *field, const char *format, ...)
{
    char text[160];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_set(gate->error, VSDK_ERROR_FORMAT, operation, "%s: %s", field, text);
}

static const boot_range *boot_taken(const boot_gate *gate, uint64_t start, uint64_t length)
{
    for (uint32_t i = 0; i < gate->count; i++)
        if (ranges_overlap(start, length, gate->taken[i].start, gate->taken[i].length))
            return &gate->taken[i];
    return NULL;
}

/* By the memory map; without one the gate of guest memory is asked when it is written. */
int boot_is_ram(const boot_gate *gate, uint64_t start, uint64_t length)
{
    const vsdk_boot_config *config = gate->config;

    for (uint32_t i = 0; i < config->memory_count; i++) {
        const vsdk_memory_range *range = &config->memory[i];

        if (range->type == VSDK_MEMORY_RAM && start >= range->address &&
            checked_within(start - range->address, length, range->length))
            return 1;
    }
    return !config->memory_count;
}

static int boot_is_reserved(const boot_gate *gate, uint64_t start, uint64_t length)
{
    const vsdk_boot_config *config = gate->config;

    for (uint32_t i = 0; i < config->memory_count; i++) {
        const vsdk_memory_range *range = &config->memory[i];

        if (range->type != VSDK_MEMORY_RAM && range->length &&
            ranges_overlap(start, length, range->address, range->length))
            return 1;
    }
    return 0;
}

int boot_is_free(const boot_gate *gate, uint64_t start, uint64_t length)
{
    uint64_t end;

    return checked_add(start, length, &end) && boot_is_ram(gate, start, length) &&
           !boot_taken(gate, start, length) && gate->count < BOOT_TAKEN;
}

vsdk_status boot_take(boot_gate *gate, uint64_t start, uint64_t length, const char *what)
{
    const boot_range *other;
    uint64_t end;

    if (!length)
        return VSDK_OK;
    if (!checked_add(start, length, &end))
        return boot_malformed(gate, what, "0x%llx bytes at 0x%llx wrap", (unsigned long long)length,
                              (unsigned long long)start);
    other = boot_taken(gate, start, length);
    if (other)
        return boot_malformed(gate, what, "0x%llx bytes at 0x%llx overlap %s",
                              (unsigned long long)length, (unsigned long long)start, other->what);
    if (boot_is_reserved(gate, start, length))
        return error_set(gate->error, VSDK_ERROR_RANGE, operation,
                         "%s: 0x%llx bytes at 0x%llx are reserved", what,
                         (unsigned long long)length, (unsigned long long)start);
    if (gate->count == BOOT_TAKEN)
        return boot_malformed(gate, what, "more than %d parts", BOOT_TAKEN);
    gate->taken[gate->count++] = (boot_range){start, length, what};
    return VSDK_OK;
}

vsdk_status boot_advise(boot_gate *gate, uint64_t end)
{
    const vsdk_boot_config *config = gate->config;
    uint64_t top = 0;

    /* Below 4 GiB a machine has RAM up to 3 GiB at most: more memory would not reach beyond. */
    for (uint32_t i = 0; i < config->memory_count; i++)
        if (config->memory[i].type == VSDK_MEMORY_RAM && config->memory[i].address < LOW_MOST)
            top = config->memory[i].address + config->memory[i].length;
    if (top && end > top && end <= LOW_MOST)
        return error_hint(gate->error, VSDK_ERROR_RANGE,
                          "give the guest at least %llu MiB of memory",
                          (unsigned long long)((end + MIB - 1) / MIB));
    return VSDK_ERROR_RANGE;
}

static vsdk_status boot_not_ram(boot_gate *gate, vsdk_status status, uint64_t start,
                                uint64_t length, const char *what)
{
    if (status != VSDK_ERROR_RANGE)
        return status;
    error_set(gate->error, status, operation, "%s: 0x%llx bytes at 0x%llx are not writable RAM",
              what, (unsigned long long)length, (unsigned long long)start);
    error_hint(gate->error, status, "map RAM there by vsdk_vm_map first");
    return boot_advise(gate, start + length > gate->reach ? start + length : gate->reach);
}

vsdk_status boot_take_image(boot_gate *gate, uint64_t start, uint64_t length, const char *what)
{
    vsdk_boot_entry *entry = gate->entry;
    vsdk_status status = boot_take(gate, start, length, what);

    if (status || !length)
        return status;
    /* Finds out early whether RAM is there, before much of it is written. By a write: a read of
     * memory that nobody has written maps the host's zero page, and the guest's first write then
     * splits the large page that it lies in. */
    status = vsdk_vm_write(gate->vm, start + length - 1, "", 1, gate->error);
    if (status)
        return boot_not_ram(gate, status, start, length, what);
    if (!entry->image_end || start < entry->image_start)
        entry->image_start = start;
    if (start + length > entry->image_end)
        entry->image_end = start + length;
    return VSDK_OK;
}

vsdk_status boot_write(boot_gate *gate, uint64_t start, const void *bytes, uint64_t length,
                       const char *what)
{
    vsdk_status status;

    if (!length)
        return VSDK_OK;
    status = vsdk_vm_write(gate->vm, start, bytes, length, gate->error);
    return boot_not_ram(gate, status, start, length, what);
}

vsdk_status boot_zero(boot_gate *gate, uint64_t start, uint64_t length, const char *what)
{
    static uint8_t zero[0x10000]; /* never written; const, it would be 64 KiB of the file */
    vsdk_status status = VSDK_OK;

    for (uint64_t done = 0; !status && done < length; done += sizeof zero) {
        uint64_t left = length - done;

        status =
            boot_write(gate, start + done, zero, left < sizeof zero ? left : sizeof zero, what);
    }
    return status;
}

vsdk_status boot_place(boot_gate *gate, uint64_t wanted, uint64_t length, const char *what,
                       uint64_t *start)
{
    uint64_t at = wanted;

    if (!boot_is_free(gate, at, length))
        for (at = BOOT_PAGE; at + length <= BOOT_LOW_TOP; at += BOOT_PAGE)
            if (boot_is_free(gate, at, length))
                break;
    if (at + length > BOOT_LOW_TOP)
        return error_set(gate->error, VSDK_ERROR_RANGE, operation,
                         "%s: no 0x%llx bytes are free below 640 KiB", what,
                         (unsigned long long)length);
    *start = at;
    return boot_take(gate, at, length, what);
}
