/* SPDX-License-Identifier: Apache-2.0 */
/* Mapping memory into a guest. The hypervisor's table and the core's say the same: what one of them
 * has and the other can't take back ends the guest, and stays owned. vCPUs are held and bus.lock is
 * this thread's meanwhile. */
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "core/life_moves.h"
#include "core/ram.h"
#include <inttypes.h>

enum { PAGE = 4096 };

/* vCPUs are held and the tables are this thread's; a guest that has ended keeps its memory as it
 * is. Ends with writer_end. */
static vsdk_status writer_begin(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    vsdk_status status = life_hold(vm, 1, operation, error);

    if (status)
        return status;
    if (atomic_load(&vm->life.state) != VSDK_VM_STOPPED) {
        lock_take(&vm->bus.lock);
        return VSDK_OK;
    }
    life_release(vm, 1);
    return error_set(error, VSDK_ERROR_STATE, operation, "the guest has ended");
}

static void writer_end(vsdk_vm *vm)
{
    lock_give(&vm->bus.lock);
    life_release(vm, 1);
}

static vsdk_status flags_check(uint32_t flags, const char *operation, vsdk_error *error)
{
    if (flags & ~(uint32_t)VSDK_MAP_READONLY)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "flags %#x are unknown",
                         flags);
    return VSDK_OK;
}

static vsdk_status map_check(vsdk_vm *vm, uint64_t gpa, vsdk_ram *ram, uint64_t offset,
                             uint64_t length, const char *operation, vsdk_error *error)
{
    if (ram->vm != vm)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "the memory belongs to another virtual machine");
    if (!length || (gpa | offset | length) % PAGE)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "gpa %#" PRIx64 ", offset %#" PRIx64 " and length %#" PRIx64
                         " must be multiples of 4096 and the length not 0",
                         gpa, offset, length);
    if (!checked_within(offset, length, ram->backend.bytes))
        return error_set(error, VSDK_ERROR_RANGE, operation,
                         "offset %#" PRIx64 " and length %#" PRIx64 " leave the memory of %#" PRIx64
                         " bytes",
                         offset, length, ram->backend.bytes);
    if (!checked_within(gpa, length, GPA_LIMIT))
        return error_set(error, VSDK_ERROR_RANGE, operation,
                         "%#" PRIx64 " bytes at %#" PRIx64
                         " are above the guest's physical addresses",
                         length, gpa);
    return VSDK_OK;
}

/* Where the same bytes are mapped already, for backends without aliases. */
static const gpa_slot *alias_find(const gpa_slot *slot)
{
    const span *other = span_map_overlap(span_map_root(&slot->ram->placed), slot->in_ram.first,
                                         slot->in_ram.length);

    return other ? (const gpa_slot *)((const char *)other - offsetof(gpa_slot, in_ram)) : NULL;
}

static vsdk_status place_check(vsdk_vm *vm, const gpa_slot *wanted, const char *operation,
                               vsdk_error *error)
{
    const backend_slot *slot = &wanted->backend;
    uint64_t mapped = vm->map.mapped, most = vm->backend.config.memory_max;

    if (gpa_map_overlaps(vm, slot->gpa, slot->length))
        return error_set(error, VSDK_ERROR_EXISTS, operation,
                         "there is memory already in %#" PRIx64 " bytes at %#" PRIx64, slot->length,
                         slot->gpa);
    vsdk_status status = bus_check_memory(vm, slot->gpa, slot->length, operation, error);
    if (status)
        return status;
    int aliases = (vm->host->backend.ops->traits & BACKEND_RAM_ALIAS) != 0;
    const gpa_slot *other = aliases ? NULL : alias_find(wanted);
    if (other)
        return error_set(error, VSDK_ERROR_EXISTS, operation,
                         "this memory is mapped at %#" PRIx64
                         " already and the %s backend has no aliases",
                         other->entry.at.first, vm->host->backend.ops->name);
    if (mapped > most || slot->length > most - mapped) {
        error_set(error, VSDK_ERROR_LIMIT, operation,
                  "%#" PRIx64 " bytes more than the %#" PRIx64
                  " that are mapped exceed memory_max, %#" PRIx64,
                  slot->length, mapped, most);
        return error_hint(error, VSDK_ERROR_LIMIT, "set memory_max in vsdk_vm_config");
    }
    return VSDK_OK;
}

/* The hypervisor has a mapping that the core can't describe: the guest must not go on with it, and
 * the memory stays owned until the virtual machine is destroyed. */
static void keep_for_ever(vsdk_vm *vm, gpa_slot *slot, const vsdk_error *why)
{
    ram_get(slot->ram);
    slot->next = vm->map.lost;
    vm->map.lost = slot;
    life_break(vm, "a mapping could not be taken back", why);
}

/* The hypervisor's part and the table's; where either fails the other is taken back. A slot that
 * the hypervisor keeps all the same is in vm->map.lost afterwards. */
static vsdk_status slot_enter(vsdk_vm *vm, gpa_slot *slot, const char *operation, vsdk_error *error)
{
    const backend_ops *ops = vm->host->backend.ops;
    vsdk_error why;

    lock_take(&vm->serial);
    vsdk_status status = ops->vm_map(&vm->backend, &slot->backend, &why);
    lock_give(&vm->serial);
    if (status && error)
        *error = why;
    if (!status && span_map_add(&vm->map.entries, &vm->readers, &slot->entry.at))
        return VSDK_OK;
    int kept = slot->backend.data != NULL; /* of a vm_map that failed */
    if (!status) {
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation,
                           "no memory for the table of mappings");
        lock_take(&vm->serial);
        kept = !!ops->vm_unmap(&vm->backend, &slot->backend, &why);
        lock_give(&vm->serial);
    }
    if (kept)
        keep_for_ever(vm, slot, &why);
    return status;
}

static vsdk_status slot_map(vsdk_vm *vm, gpa_slot *slot, const char *operation, vsdk_error *error)
{
    int aliases = (vm->host->backend.ops->traits & BACKEND_RAM_ALIAS) != 0;
    vsdk_status status = place_check(vm, slot, operation, error);

    if (status)
        return status;
    if (!numbers_take(&vm->map.indexes, &slot->backend.index))
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation,
                         "no memory for the table of mappings");
    if (!aliases && !span_map_add(&slot->ram->placed, NULL, &slot->in_ram)) {
        numbers_give(&vm->map.indexes, slot->backend.index);
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation,
                         "no memory for the table of mappings");
    }
    status = slot_enter(vm, slot, operation, error);
    if (!status) {
        vm->map.mapped += slot->backend.length;
    } else if (vm->map.lost != slot) {
        if (!aliases)
            span_map_take(&slot->ram->placed, NULL, &slot->in_ram);
        numbers_give(&vm->map.indexes, slot->backend.index);
    }
    return status;
}

vsdk_status vsdk_vm_map(vsdk_vm *vm, uint64_t gpa, vsdk_ram *ram, uint64_t offset, uint64_t length,
                        uint32_t flags, vsdk_error *error)
{
    static const char operation[] = "vsdk_vm_map";

    if (!vm)
        return error_null(error, operation, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (!ram)
        return error_null(error, operation, "ram");
    vsdk_status status = flags_check(flags, operation, error);
    if (!status)
        status = map_check(vm, gpa, ram, offset, length, operation, error);
    if (status)
        return status;

    gpa_slot *slot = alloc_zeroed(sizeof *slot);
    if (!slot)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the mapping");
    slot->backend = (backend_slot){
        .ram = &ram->backend, .gpa = gpa, .offset = offset, .length = length, .flags = flags};
    slot->entry = (gpa_entry){
        .at = {gpa, length}, .data = (uint8_t *)ram->backend.memory + offset, .slot = slot};
    slot->in_ram = (span){offset, length};
    slot->ram = ram;
    refs_init(&slot->refs);
    atomic_init(&slot->flags, flags);
    status = writer_begin(vm, operation, error);
    if (status) {
        alloc_free(slot);
        return status;
    }
    status = slot_map(vm, slot, operation, error);
    if (!status)
        ram_get(ram);
    else if (vm->map.lost != slot)
        alloc_free(slot);
    writer_end(vm);
    return status;
}

static gpa_slot *slot_find(vsdk_vm *vm, uint64_t gpa, uint64_t length, const char *operation,
                           vsdk_error *error)
{
    const gpa_entry *entry = gpa_map_find(span_map_root(&vm->map.entries), gpa);

    if (entry && entry->at.first == gpa && entry->at.length == length)
        return entry->slot;
    error_set(error, VSDK_ERROR_NOT_FOUND, operation,
              "no mapping has exactly %#" PRIx64 " bytes at %#" PRIx64, length, gpa);
    return NULL;
}

/* The hypervisor has it no more, and `unmapped` says so. */
static void slot_leave(vsdk_vm *vm, gpa_slot *slot)
{
    span_map_take(&vm->map.entries, &vm->readers, &slot->entry.at);
    if (!(vm->host->backend.ops->traits & BACKEND_RAM_ALIAS))
        span_map_take(&slot->ram->placed, NULL, &slot->in_ram);
    vm->map.mapped -= slot->backend.length;
    numbers_give(&vm->map.indexes, slot->backend.index);
    gpa_slot_put(slot);
}

vsdk_status vsdk_vm_unmap(vsdk_vm *vm, uint64_t gpa, uint64_t length, vsdk_error *error)
{
    static const char operation[] = "vsdk_vm_unmap";

    if (!vm)
        return error_null(error, operation, "vm");
    vsdk_status status = writer_begin(vm, operation, error);
    if (status)
        return status;
    gpa_slot *slot = slot_find(vm, gpa, length, operation, error);
    if (!slot) {
        writer_end(vm);
        return VSDK_ERROR_NOT_FOUND;
    }
    lock_take(&vm->serial);
    status = dirty_collect_slot(vm, slot, error);
    if (!status)
        status = vm->host->backend.ops->vm_unmap(&vm->backend, &slot->backend, error);
    slot->unmapped = !status;
    lock_give(&vm->serial);
    if (!status)
        slot_leave(vm, slot);
    writer_end(vm);
    return status;
}

/* The flags are set before the pins are counted: see view_fill in gate.c. */
static vsdk_status slot_protect(vsdk_vm *vm, gpa_slot *slot, uint32_t flags, const char *operation,
                                vsdk_error *error)
{
    uint32_t before = atomic_exchange(&slot->flags, atomic_load(&slot->flags) | flags);
    vsdk_error why;

    readers_wait(&vm->readers);
    if (flags & VSDK_MAP_READONLY && atomic_load(&slot->write_pins)) {
        atomic_store(&slot->flags, before);
        return error_set(error, VSDK_ERROR_BUSY, operation,
                         "a part of the memory at %#" PRIx64 " is pinned for writing",
                         slot->backend.gpa);
    }
    lock_take(&vm->serial);
    vsdk_status status = dirty_collect_slot(vm, slot, &why);
    if (!status)
        status = vm->host->backend.ops->vm_protect(&vm->backend, &slot->backend, flags, &why);
    if (!status)
        slot->backend.flags = flags;
    slot->unmapped = slot->backend.lost;
    lock_give(&vm->serial);
    atomic_store(&slot->flags, status ? before : flags);
    if (status && error)
        *error = why;
    if (status && slot->backend.lost) {
        slot_leave(vm, slot);
        life_break(vm, "a mapping was lost when its protection changed", &why);
    }
    return status;
}

vsdk_status vsdk_vm_protect(vsdk_vm *vm, uint64_t gpa, uint64_t length, uint32_t flags,
                            vsdk_error *error)
{
    static const char operation[] = "vsdk_vm_protect";

    if (!vm)
        return error_null(error, operation, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    vsdk_status status = flags_check(flags, operation, error);
    if (!status)
        status = writer_begin(vm, operation, error);
    if (status)
        return status;
    gpa_slot *slot = slot_find(vm, gpa, length, operation, error);
    status = slot ? slot_protect(vm, slot, flags, operation, error) : VSDK_ERROR_NOT_FOUND;
    writer_end(vm);
    return status;
}
