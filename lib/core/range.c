/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of ranges: what may stand where. Ranges, doorbells, guest memory and what the
 * hypervisor serves itself never overlap; everything here is done with bus.lock held, which the
 * writers of memory hold too. */
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "core/device.h"
#include "core/doorbell.h"
#include <inttypes.h>

enum { PORTS = 0x10000 };

static vsdk_status reserved_ask(vsdk_vm *vm, vsdk_error *error)
{
    const backend_ops *ops = vm->host->backend.ops;
    vsdk_status status;
    uint32_t count = 0;

    status = ops->vm_list_reserved(&vm->backend, NULL, 0, &count, error);
    if (status || !count)
        return status;
    vm->bus.reserved = alloc_array(count, sizeof *vm->bus.reserved);
    if (!vm->bus.reserved)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vm_list_reserved",
                         "no memory for %u ranges", count);
    status = ops->vm_list_reserved(&vm->backend, vm->bus.reserved, count, &count, error);
    if (!status)
        vm->bus.reserved_count = count;
    return status;
}

static vsdk_status reserved_load(vsdk_vm *vm, vsdk_error *error)
{
    if (vm->bus.reserved_known)
        return VSDK_OK;
    lock_take(&vm->serial);
    vsdk_status status = reserved_ask(vm, error);
    lock_give(&vm->serial);
    if (status) {
        alloc_free(vm->bus.reserved);
        vm->bus.reserved = NULL;
        return status;
    }
    vm->bus.reserved_known = 1;
    return VSDK_OK;
}

vsdk_status bus_check_reserved(vsdk_vm *vm, vsdk_space space, uint64_t address, uint64_t length,
                               const char *operation, vsdk_error *error)
{
    vsdk_status status = reserved_load(vm, error);

    if (status)
        return status;
    for (uint32_t i = 0; i < vm->bus.reserved_count; i++) {
        const vsdk_vm_range *r = &vm->bus.reserved[i];
        if (r->space != space || !ranges_overlap(r->address, r->length, address, length))
            continue;
        error_set(error, VSDK_ERROR_RESERVED, operation,
                  "%s %#" PRIx64 " and %" PRIu64 " bytes from there are the hypervisor's: %s",
                  vsdk_space_name(space), r->address, r->length, r->reason);
        return error_hint(error, VSDK_ERROR_RESERVED,
                          "vsdk_vm_list_reserved tells what can't be used");
    }
    return VSDK_OK;
}

/* A span in a table of ranges is the range's first member. */
static const bus_range *overlap_find(const vsdk_vm *vm, vsdk_space space, uint64_t address,
                                     uint64_t length)
{
    const span_node *root = span_map_root(&vm->bus.ranges[space]);

    return (const bus_range *)span_map_overlap(root, address, length);
}

static vsdk_status overlap_error(const bus_range *range, const char *operation, vsdk_error *error)
{
    const char *space = vsdk_space_name(range->space);
    uint64_t last = range->at.first + (range->at.length - 1);

    if (range->device)
        return error_set(error, VSDK_ERROR_EXISTS, operation,
                         "device %s has %s %#" PRIx64 " to %#" PRIx64, range->device->name, space,
                         range->at.first, last);
    return error_set(error, VSDK_ERROR_EXISTS, operation,
                     "the range with tag %#" PRIx64 " has %s %#" PRIx64 " to %#" PRIx64, range->tag,
                     space, range->at.first, last);
}

vsdk_status bus_check_memory(vsdk_vm *vm, uint64_t gpa, uint64_t length, const char *operation,
                             vsdk_error *error)
{
    const bus_range *range = overlap_find(vm, VSDK_SPACE_MMIO, gpa, length);

    if (range)
        return overlap_error(range, operation, error);
    if (doorbell_within(vm, gpa, length))
        return error_set(error, VSDK_ERROR_EXISTS, operation,
                         "a doorbell lies in %#" PRIx64 " bytes at %#" PRIx64, length, gpa);
    return bus_check_reserved(vm, VSDK_SPACE_MMIO, gpa, length, operation, error);
}

static vsdk_status range_check(vsdk_space space, uint64_t address, uint64_t length,
                               const char *operation, vsdk_error *error)
{
    if (space > VSDK_SPACE_MMIO)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "space %u is unknown",
                         space);
    if (!length)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "the length is 0");
    if (!checked_within(address, length, space == VSDK_SPACE_PIO ? PORTS : GPA_LIMIT))
        return error_set(error, VSDK_ERROR_RANGE, operation,
                         "%#" PRIx64 " bytes at %s %#" PRIx64 " leave the space", length,
                         vsdk_space_name(space), address);
    return VSDK_OK;
}

vsdk_status bus_add_range(vsdk_vm *vm, vsdk_space space, uint64_t address, uint64_t length,
                          const bus_range *wanted, const char *operation, vsdk_error *error)
{
    vsdk_status status = range_check(space, address, length, operation, error);

    if (!status && atomic_load(&vm->gone))
        status = vm_gone(operation, error);
    if (!status)
        status = bus_check_reserved(vm, space, address, length, operation, error);
    if (status)
        return status;
    const bus_range *other = overlap_find(vm, space, address, length);
    if (other)
        return overlap_error(other, operation, error);
    if (space == VSDK_SPACE_MMIO && gpa_map_overlaps(vm, address, length))
        return error_set(error, VSDK_ERROR_EXISTS, operation,
                         "there is guest memory in %#" PRIx64 " bytes at %#" PRIx64, length,
                         address);
    bus_range *range = alloc_zeroed(sizeof *range);
    if (range) {
        *range = *wanted;
        range->at = (span){address, length};
        range->space = space;
    }
    if (!range || !span_map_add(&vm->bus.ranges[space], &vm->readers, &range->at)) {
        alloc_free(range);
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation,
                         "no memory for the table of ranges");
    }
    if (range->device) {
        range->next = range->device->ranges;
        range->link = &range->device->ranges;
        if (range->next)
            range->next->link = &range->next;
        range->device->ranges = range;
    }
    return VSDK_OK;
}

static void range_remove(vsdk_vm *vm, bus_range *range)
{
    if (range->link) {
        *range->link = range->next;
        if (range->next)
            range->next->link = range->link;
    }
    span_map_take(&vm->bus.ranges[range->space], &vm->readers, &range->at);
    alloc_free(range);
}

void bus_remove_ranges(vsdk_device *device)
{
    while (device->ranges)
        range_remove(device->vm, device->ranges);
}

int bus_remove_range(vsdk_vm *vm, vsdk_space space, uint64_t address, vsdk_device *device)
{
    const span_node *root = span_map_root(&vm->bus.ranges[space]);
    bus_range *range = (bus_range *)span_map_find(root, address);

    if (!range || range->at.first != address || range->device != device)
        return 0;
    range_remove(vm, range);
    return 1;
}

/* The devices that had ranges have none by now; what is left is tagged. */
static void range_free(const span *at)
{
    alloc_free((bus_range *)at);
}

void bus_clear(vsdk_vm *vm)
{
    for (uint32_t space = 0; space < 2; space++) {
        span_map_clear(&vm->bus.ranges[space], &vm->readers, range_free);
        snapshot_clear(&vm->bus.bells[space], &vm->readers);
    }
}

vsdk_status vsdk_vm_add_range(vsdk_vm *vm, vsdk_space space, uint64_t address, uint64_t length,
                              uint64_t tag, vsdk_error *error)
{
    static const char operation[] = "vsdk_vm_add_range";
    bus_range range = {.tag = tag};

    if (!vm)
        return error_null(error, operation, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (!tag)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "the tag is 0");
    lock_take(&vm->bus.lock);
    vsdk_status status = bus_add_range(vm, space, address, length, &range, operation, error);
    lock_give(&vm->bus.lock);
    return status;
}

vsdk_status vsdk_vm_remove_range(vsdk_vm *vm, vsdk_space space, uint64_t address, vsdk_error *error)
{
    static const char operation[] = "vsdk_vm_remove_range";
    vsdk_status status = VSDK_OK;

    if (!vm)
        return error_null(error, operation, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (space > VSDK_SPACE_MMIO)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "space %u is unknown",
                         space);
    lock_take(&vm->bus.lock);
    if (atomic_load(&vm->gone))
        status = vm_gone(operation, error);
    else if (!bus_remove_range(vm, space, address, NULL))
        status =
            error_set(error, VSDK_ERROR_NOT_FOUND, operation,
                      "no tagged range begins at %s %#" PRIx64, vsdk_space_name(space), address);
    lock_give(&vm->bus.lock);
    return status;
}
