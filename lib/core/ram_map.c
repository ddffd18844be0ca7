#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "core/log.h"
#include "core/ram.h"
#include "core/vm_state.h"
#include <inttypes.h>

enum { PAGE = 4096 };

static vsdk_status writer_begin(vsdk_vm *vm, const char *op, vsdk_error *error)
{
    vsdk_status status = vm_hold(vm, 1, op, error);

    if (status)
        return status;
    pthread_mutex_lock(&vm->lock);
    int ended = vm->state == VSDK_VM_STOPPED;
    pthread_mutex_unlock(&vm->lock);
    if (ended) {
        vm_release(vm, NULL);
        return vm_ended(op, error);
    }
    pthread_mutex_lock(&vm->bus.lock);
    if (!vm->bus.gone)
        return VSDK_OK;
    pthread_mutex_unlock(&vm->bus.lock);
    vm_release(vm, NULL);
    return vm_gone(op, error);
}

/* `status` is that of the change: a guest that does not go on after it is a failure of the call. */
static vsdk_status writer_end(vsdk_vm *vm, vsdk_status status, vsdk_error *error)
{
    vsdk_error why;

    pthread_mutex_unlock(&vm->bus.lock);
    vsdk_status after = vm_release(vm, &why);
    if (!after)
        return status;
    if (status)
        host_log(vm->host, VSDK_LOG_ERROR, "the guest does not go on: %s", why.message);
    else if (error)
        *error = why;
    return status ? status : after;
}

static vsdk_status flags_check(uint32_t flags, const char *op, vsdk_error *error)
{
    if (flags & ~(uint32_t)VSDK_MAP_READONLY)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, op, "flags %#x are unknown", flags);
    return VSDK_OK;
}

static vsdk_status map_check(vsdk_vm *vm, uint64_t gpa, vsdk_ram *ram, uint64_t offset,
                             uint64_t length, const char *op, vsdk_error *error)
{
    if (ram->vm != vm)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, op,
                         "the memory belongs to another virtual machine");
    if (!length || (gpa | offset | length) % PAGE)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, op,
                         "gpa %#" PRIx64 ", offset %#" PRIx64 " and length %#" PRIx64
                         " must be multiples of 4096 and the length not 0",
                         gpa, offset, length);
    if (!checked_within(offset, length, ram->backend.bytes))
        return error_set(error, VSDK_ERROR_RANGE, op,
                         "offset %#" PRIx64 " and length %#" PRIx64 " leave the memory of %#" PRIx64
                         " bytes",
                         offset, length, ram->backend.bytes);
    if (!checked_within(gpa, length, GPA_LIMIT))
        return error_set(error, VSDK_ERROR_RANGE, op,
                         "%#" PRIx64 " bytes at %#" PRIx64
                         " are above the guest's physical addresses",
                         length, gpa);
    return VSDK_OK;
}

static const backend_slot *alias_find(const snapshot *s, const backend_slot *slot)
{
    const gpa_entry *entries = s ? (const gpa_entry *)s->items : NULL;

    for (uint32_t i = 0; i < snapshot_count(s); i++) {
        const backend_slot *other = &entries[i].slot->backend;
        if (other->ram == slot->ram &&
            ranges_overlap(other->offset, other->length, slot->offset, slot->length))
            return other;
    }
    return NULL;
}

static uint64_t mapped_bytes(const snapshot *s)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < snapshot_count(s); i++)
        sum += ((const gpa_entry *)s->items)[i].length;
    return sum;
}

static int index_used(const snapshot *s, uint32_t index)
{
    for (uint32_t i = 0; i < snapshot_count(s); i++) {
        if (((const gpa_entry *)s->items)[i].slot->backend.index == index)
            return 1;
    }
    return 0;
}

static vsdk_status place_check(vsdk_vm *vm, const backend_slot *slot, const char *op,
                               vsdk_error *error)
{
    const snapshot *s = snapshot_live(&vm->map.entries);
    uint64_t mapped = mapped_bytes(s), most = vm->backend.config.memory_max;

    if (gpa_map_overlaps(vm, slot->gpa, slot->length))
        return error_set(error, VSDK_ERROR_EXISTS, op,
                         "there is memory already in %#" PRIx64 " bytes at %#" PRIx64, slot->length,
                         slot->gpa);
    vsdk_status status = bus_check_memory(vm, slot->gpa, slot->length, op, error);
    if (status)
        return status;
    const backend_slot *other = alias_find(s, slot);
    if (other && !(vm->host->backend.ops->traits & BACKEND_RAM_ALIAS))
        return error_set(error, VSDK_ERROR_EXISTS, op,
                         "this memory is mapped at %#" PRIx64
                         " already and the %s backend has no aliases",
                         other->gpa, vm->host->backend.ops->name);
    if (mapped > most || slot->length > most - mapped) {
        error_set(error, VSDK_ERROR_LIMIT, op,
                  "%#" PRIx64 " bytes more than the %#" PRIx64
                  " that are mapped exceed memory_max, %#" PRIx64,
                  slot->length, mapped, most);
        return error_hint(error, VSDK_ERROR_LIMIT, "set memory_max in vsdk_vm_config");
    }
    return VSDK_OK;
}

static vsdk_status slot_map(vsdk_vm *vm, gpa_slot *slot, const char *op, vsdk_error *error)
{
    const backend_ops *ops = vm->host->backend.ops;
    gpa_entry entry = {slot->backend.gpa, slot->backend.length,
                       (uint8_t *)slot->ram->backend.memory + slot->backend.offset, slot};
    vsdk_status status = place_check(vm, &slot->backend, op, error);

    if (status)
        return status;
    while (index_used(snapshot_live(&vm->map.entries), slot->backend.index))
        slot->backend.index++;
    pthread_mutex_lock(&vm->serial);
    status = ops->vm_map(&vm->backend, &slot->backend, error);
    pthread_mutex_unlock(&vm->serial);
    if (status)
        return status;
    if (snapshot_insert(&vm->map.entries, &vm->readers, sizeof entry, gpa_map_index(vm, entry.gpa),
                        &entry))
        return VSDK_OK;
    pthread_mutex_lock(&vm->serial);
    ops->vm_unmap(&vm->backend, &slot->backend, NULL);
    pthread_mutex_unlock(&vm->serial);
    return error_set(error, VSDK_ERROR_NO_MEMORY, op, "no memory for the table of mappings");
}

vsdk_status vsdk_vm_map(vsdk_vm *vm, uint64_t gpa, vsdk_ram *ram, uint64_t offset, uint64_t length,
                        uint32_t flags, vsdk_error *error)
{
    static const char op[] = "vsdk_vm_map";

    if (!vm)
        return error_null(error, op, "vm");
    if (!ram)
        return error_null(error, op, "ram");
    vsdk_status status = flags_check(flags, op, error);
    if (!status)
        status = map_check(vm, gpa, ram, offset, length, op, error);
    if (status)
        return status;

    gpa_slot *slot = alloc_zeroed(sizeof *slot);
    if (!slot)
        return error_set(error, VSDK_ERROR_NO_MEMORY, op, "no memory for the mapping");
    slot->backend = (backend_slot){
        .ram = &ram->backend, .gpa = gpa, .offset = offset, .length = length, .flags = flags};
    slot->ram = ram;
    atomic_init(&slot->flags, flags);
    status = writer_begin(vm, op, error);
    if (status) {
        alloc_free(slot);
        return status;
    }
    status = slot_map(vm, slot, op, error);
    if (status)
        alloc_free(slot);
    else
        ram_get(ram);
    return writer_end(vm, status, error);
}

static gpa_slot *slot_find(vsdk_vm *vm, uint64_t gpa, uint64_t length)
{
    const gpa_entry *entry = gpa_map_find(snapshot_live(&vm->map.entries), gpa);

    return entry && entry->gpa == gpa && entry->length == length ? entry->slot : NULL;
}

static vsdk_status slot_missing(uint64_t gpa, uint64_t length, const char *op, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_NOT_FOUND, op,
                     "no mapping has exactly %#" PRIx64 " bytes at %#" PRIx64, length, gpa);
}

static int is_of_slot(const void *entry, void *slot)
{
    return ((const gpa_entry *)entry)->slot == slot;
}

vsdk_status vsdk_vm_unmap(vsdk_vm *vm, uint64_t gpa, uint64_t length, vsdk_error *error)
{
    static const char op[] = "vsdk_vm_unmap";

    if (!vm)
        return error_null(error, op, "vm");
    vsdk_status status = writer_begin(vm, op, error);
    if (status)
        return status;

    gpa_slot *slot = slot_find(vm, gpa, length);
    pthread_mutex_lock(&vm->serial);
    if (slot)
        status = vm->host->backend.ops->vm_unmap(&vm->backend, &slot->backend, error);
    else
        status = slot_missing(gpa, length, op, error);
    pthread_mutex_unlock(&vm->serial);
    if (!status)
        snapshot_remove(&vm->map.entries, &vm->readers, sizeof(gpa_entry), is_of_slot, slot);
    vsdk_status result = writer_end(vm, status, error);
    if (!status) {
        ram_put(slot->ram);
        alloc_free(slot);
    }
    return result;
}

vsdk_status vsdk_vm_protect(vsdk_vm *vm, uint64_t gpa, uint64_t length, uint32_t flags,
                            vsdk_error *error)
{
    static const char op[] = "vsdk_vm_protect";

    if (!vm)
        return error_null(error, op, "vm");
    vsdk_status status = flags_check(flags, op, error);
    if (!status)
        status = writer_begin(vm, op, error);
    if (status)
        return status;

    gpa_slot *slot = slot_find(vm, gpa, length);
    pthread_mutex_lock(&vm->serial);
    if (slot)
        status = vm->host->backend.ops->vm_protect(&vm->backend, &slot->backend, flags, error);
    else
        status = slot_missing(gpa, length, op, error);
    pthread_mutex_unlock(&vm->serial);
    if (!status) {
        slot->backend.flags = flags;
        atomic_store(&slot->flags, flags);
        readers_wait(&vm->readers);
    }
    return writer_end(vm, status, error);
}
