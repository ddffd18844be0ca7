/* SPDX-License-Identifier: Apache-2.0 */
/* The gate: from guest physical addresses to bytes. Every address and length that comes here may be
 * a guest's. A range is looked at as a whole, in one snapshot of the map, before its first byte is
 * touched; whoever comes as a device must be one that may act. */
#include "base/checked.h"
#include "base/error.h"
#include "base/record.h"
#include "core/device.h"
#include "core/ram.h"
#include <inttypes.h>
#include <string.h>

/* Inside a reader section, in one table of it. The entry of the first byte when all of a range that
 * is not empty can be reached, else NULL and why. */
static const gpa_entry *range_check(const span_node *entries, uint64_t gpa, uint64_t length,
                                    int write, const char *operation, vsdk_error *error)
{
    const gpa_entry *first = NULL;
    uint64_t end, at = gpa;

    if (!checked_add(gpa, length, &end)) {
        error_set(error, VSDK_ERROR_RANGE, operation, "%#" PRIx64 " bytes at %#" PRIx64 " wrap",
                  length, gpa);
        return NULL;
    }
    while (at < end) {
        const gpa_entry *entry = gpa_map_find(entries, at);
        if (!entry) {
            error_set(error, VSDK_ERROR_RANGE, operation,
                      "%#" PRIx64 " bytes at %#" PRIx64 ": there is no memory at %#" PRIx64, length,
                      gpa, at);
            return NULL;
        }
        if (write && (atomic_load(&entry->slot->flags) & VSDK_MAP_READONLY)) {
            error_set(error, VSDK_ERROR_RANGE, operation,
                      "%#" PRIx64 " bytes at %#" PRIx64 ": the memory at %#" PRIx64 " is read-only",
                      length, gpa, at);
            return NULL;
        }
        first = first ? first : entry;
        at = entry->at.first + entry->at.length;
    }
    return first;
}

/* Bytes of an entry were written; `offset` counts from the entry's first byte. */
static void note_written(const gpa_entry *entry, uint64_t offset, uint64_t length)
{
    vsdk_ram *ram = entry->slot->ram;

    if (ram->backend.dirty)
        dirty_mark(ram, entry->slot->backend.offset + offset, length);
}

/* Copies piece by piece, what range_check has found in the same table. */
static void range_copy(const span_node *entries, const gpa_entry *entry, uint64_t gpa, uint8_t *to,
                       const uint8_t *from, uint64_t length)
{
    for (;;) {
        uint64_t offset = gpa - entry->at.first, piece = entry->at.length - offset;
        piece = piece < length ? piece : length;
        if (to) {
            memcpy(to, entry->data + offset, piece);
            to += piece;
        } else {
            memcpy(entry->data + offset, from, piece);
            note_written(entry, offset, piece);
            from += piece;
        }
        gpa += piece;
        length -= piece;
        if (!length)
            return;
        entry = gpa_map_find(entries, gpa);
    }
}

/* Inside a reader section. */
static vsdk_status transfer(vsdk_vm *vm, uint64_t gpa, void *to, const void *from, uint64_t length,
                            const char *operation, vsdk_error *error)
{
    if (!length)
        return VSDK_OK;
    const span_node *entries = span_map_root(&vm->map.entries);
    const gpa_entry *first = range_check(entries, gpa, length, from != NULL, operation, error);
    if (!first)
        return VSDK_ERROR_RANGE;
    range_copy(entries, first, gpa, to, from, length);
    return VSDK_OK;
}

vsdk_status gate_read(backend_vm *backend, uint64_t gpa, void *to, uint64_t length)
{
    vsdk_vm *vm = (vsdk_vm *)backend;
    readers_token token = readers_enter(&vm->readers);
    vsdk_status status = transfer(vm, gpa, to, NULL, length, "gate_read", NULL);

    readers_leave(token);
    return status;
}

vsdk_status gate_write(backend_vm *backend, uint64_t gpa, const void *from, uint64_t length)
{
    vsdk_vm *vm = (vsdk_vm *)backend;
    readers_token token = readers_enter(&vm->readers);
    vsdk_status status = transfer(vm, gpa, NULL, from, length, "gate_write", NULL);

    readers_leave(token);
    return status;
}

static vsdk_status vm_copy(vsdk_vm *vm, uint64_t gpa, void *to, const void *from, uint64_t length,
                           const char *operation, vsdk_error *error)
{
    vm_use use;

    if (!vm)
        return error_null(error, operation, "vm");
    if (!to && !from)
        return error_null(error, operation, "buffer");
    vsdk_status status = vm_use_begin(vm, &use, operation, error);
    if (status)
        return status;
    status = transfer(vm, gpa, to, from, length, operation, error);
    vm_use_end(use);
    return status;
}

vsdk_status vsdk_vm_read(vsdk_vm *vm, uint64_t gpa, void *buffer, uint64_t length,
                         vsdk_error *error)
{
    return vm_copy(vm, gpa, buffer, NULL, length, "vsdk_vm_read", error);
}

vsdk_status vsdk_vm_write(vsdk_vm *vm, uint64_t gpa, const void *buffer, uint64_t length,
                          vsdk_error *error)
{
    return vm_copy(vm, gpa, NULL, buffer, length, "vsdk_vm_write", error);
}

static int intent_is_known(uint32_t intent)
{
    return intent && !(intent & ~(uint32_t)(VSDK_DMA_FROM_GUEST | VSDK_DMA_TO_GUEST));
}

vsdk_status vsdk_vm_probe(vsdk_vm *vm, uint64_t gpa, uint64_t length, vsdk_dma_intent intent,
                          vsdk_error *error)
{
    static const char operation[] = "vsdk_vm_probe";
    vm_use use;

    if (!vm)
        return error_null(error, operation, "vm");
    if (!intent_is_known(intent))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "intent %#x is unknown",
                         intent);
    vsdk_status status = vm_use_begin(vm, &use, operation, error);
    if (status)
        return status;
    if (length && !range_check(span_map_root(&vm->map.entries), gpa, length,
                               (intent & VSDK_DMA_TO_GUEST) != 0, operation, error))
        status = VSDK_ERROR_RANGE;
    vm_use_end(use);
    return status;
}

/* A device's use of its virtual machine: refused while it is stopped. */
static vsdk_status device_use_begin(vsdk_device *device, vm_use *use, const char *operation,
                                    vsdk_error *error)
{
    vsdk_status status = vm_use_begin(device->vm, use, operation, error);

    if (status || device_acts(device))
        return status;
    vm_use_end(*use);
    return error_set(error, VSDK_ERROR_STATE, operation, "device %s is stopped", device->name);
}

static vsdk_status device_copy(vsdk_device *device, uint64_t gpa, void *to, const void *from,
                               uint64_t length, const char *operation, vsdk_error *error)
{
    vm_use use;

    if (!device)
        return error_null(error, operation, "device");
    if (!to && !from)
        return error_null(error, operation, "buffer");
    vsdk_status status = device_use_begin(device, &use, operation, error);
    if (status)
        return status;
    status = transfer(device->vm, gpa, to, from, length, operation, error);
    vm_use_end(use);
    return status;
}

vsdk_status vsdk_dma_read(vsdk_device *device, uint64_t gpa, void *buffer, uint64_t length,
                          vsdk_error *error)
{
    return device_copy(device, gpa, buffer, NULL, length, "vsdk_dma_read", error);
}

vsdk_status vsdk_dma_write(vsdk_device *device, uint64_t gpa, const void *buffer, uint64_t length,
                           vsdk_error *error)
{
    return device_copy(device, gpa, NULL, buffer, length, "vsdk_dma_write", error);
}

/* Inside a reader section. The count of writers goes up before the flags are looked at again, and
 * a change of the flags looks at the count after it has set them: one of the two sees the other. */
static vsdk_status view_fill(vsdk_vm *vm, uint64_t gpa, uint64_t length, uint32_t intent,
                             vsdk_dma_view *view, const char *operation, vsdk_error *error)
{
    int write = (intent & VSDK_DMA_TO_GUEST) != 0;
    const gpa_entry *entry =
        range_check(span_map_root(&vm->map.entries), gpa, length, write, operation, error);

    if (!entry)
        return VSDK_ERROR_RANGE;
    if (length > entry->at.length - (gpa - entry->at.first))
        return error_set(error, VSDK_ERROR_RANGE, operation,
                         "%#" PRIx64 " bytes at %#" PRIx64 " span two mappings", length, gpa);
    if (write) {
        atomic_fetch_add(&entry->slot->write_pins, 1);
        if (atomic_load(&entry->slot->flags) & VSDK_MAP_READONLY) {
            atomic_fetch_sub(&entry->slot->write_pins, 1);
            return error_set(error, VSDK_ERROR_RANGE, operation,
                             "the memory at %#" PRIx64 " became read-only", gpa);
        }
        refs_get(&entry->slot->refs);
        if (entry->slot->ram->backend.dirty)
            dirty_pin(entry->slot->ram, entry->slot->backend.offset + (gpa - entry->at.first),
                      length);
    }
    ram_get(entry->slot->ram);
    vm_keep(vm);
    view->flags = intent;
    view->data = entry->data + (gpa - entry->at.first);
    view->length = length;
    view->gpa = gpa;
    view->pin = entry->slot->ram;
    view->reserved = write ? (uint64_t)(uintptr_t)entry->slot : 0;
    return VSDK_OK;
}

vsdk_status vsdk_dma_map(vsdk_device *device, uint64_t gpa, uint64_t length, vsdk_dma_intent intent,
                         vsdk_dma_view *view, vsdk_error *error)
{
    static const char operation[] = "vsdk_dma_map";
    vm_use use;

    record_clear(view, sizeof *view);
    if (!device)
        return error_null(error, operation, "device");
    if (!view)
        return error_null(error, operation, "view");
    if (view->size != sizeof *view)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "view->size is %u, not %zu",
                         view->size, sizeof *view);
    if (!length)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "the length is 0");
    if (!intent_is_known(intent))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "intent %#x is unknown",
                         intent);
    vsdk_status status = device_use_begin(device, &use, operation, error);
    if (status)
        return status;
    status = view_fill(device->vm, gpa, length, intent, view, operation, error);
    vm_use_end(use);
    return status;
}

void vsdk_dma_unmap(vsdk_dma_view *view)
{
    if (!view || !view->pin)
        return;
    vsdk_ram *ram = view->pin;
    gpa_slot *slot = (gpa_slot *)(uintptr_t)view->reserved;
    vsdk_vm *vm = ram->vm;
    uint64_t at = (uint64_t)((uint8_t *)view->data - (uint8_t *)ram->backend.memory);
    uint64_t length = view->length;
    memset(view, 0, sizeof *view);
    if (vm_is_foreign(vm))
        return;
    if (slot) {
        if (ram->backend.dirty)
            dirty_unpin(ram, at, length);
        atomic_fetch_sub(&slot->write_pins, 1);
        gpa_slot_put(slot);
    }
    ram_put(ram);
    vm_drop(vm);
}
