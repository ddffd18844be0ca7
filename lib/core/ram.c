/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of guest memory. A block outlives its mappings, and pins outlive the virtual machine's
 * destruction: the pages go with the last reference. */
#include "core/ram.h"
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/record.h"
#include <inttypes.h>

enum { PAGE = 4096 };

static vsdk_status config_check(const vsdk_ram_config *given, const char *op, vsdk_error *error)
{
    vsdk_ram_config config;
    vsdk_status status = record_read(&config, sizeof config, given, 0, op, error);

    if (status)
        return status;
    if (config.kind > VSDK_RAM_CALLER)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, op, "kind %u of memory is unknown",
                         config.kind);
    if (config.kind != VSDK_RAM_ANONYMOUS)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, op,
                         "memory of kind %s is not in this version",
                         vsdk_ram_kind_name(config.kind));
    if (config.reserved || config.reserved2[0] || config.reserved2[1])
        return record_later(op, error);
    return VSDK_OK;
}

static vsdk_status backing_create(vsdk_ram *ram, const char *op, vsdk_error *error)
{
    vsdk_vm *vm = ram->vm;
    vm_use use;
    vsdk_status status = vm_use_begin(vm, &use, op, error);

    if (status)
        return status;
    lock_take(&vm->serial);
    status = vm->host->backend.ops->ram_create(&ram->backend, error);
    lock_give(&vm->serial);
    vm_use_end(use);
    return status;
}

vsdk_status vsdk_ram_create(vsdk_vm *vm, uint64_t bytes, const vsdk_ram_config *config,
                            vsdk_ram **ram, vsdk_error *error)
{
    static const char op[] = "vsdk_ram_create";

    if (!ram)
        return error_null(error, op, "ram");
    *ram = NULL;
    if (!vm)
        return error_null(error, op, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(op, error);
    if (!bytes || bytes % PAGE)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, op,
                         "%" PRIu64 " bytes is not a multiple of 4096 above 0", bytes);
    vsdk_status status = config_check(config, op, error);
    if (status)
        return status;
    if (bytes > PTRDIFF_MAX)
        return error_set(error, VSDK_ERROR_NO_MEMORY, op,
                         "%" PRIu64 " bytes is more than this process can address", bytes);

    vsdk_ram *made = alloc_zeroed(sizeof *made);
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, op, "no memory for the object");
    refs_init(&made->refs);
    made->vm = vm;
    made->backend.vm = &vm->backend;
    made->backend.bytes = bytes;
    status = backing_create(made, op, error);
    if (status) {
        alloc_free(made);
        return status;
    }
    vm_keep(vm);
    *ram = made;
    return VSDK_OK;
}

void ram_put(vsdk_ram *ram)
{
    if (!refs_put(&ram->refs))
        return;
    lock_take(&ram->vm->serial);
    ram->vm->host->backend.ops->ram_free(&ram->backend);
    lock_give(&ram->vm->serial);
    alloc_free(ram);
}

vsdk_ram *vsdk_ram_ref(vsdk_ram *ram)
{
    if (ram && !vm_is_foreign(ram->vm)) {
        refs_get(&ram->refs);
        vm_keep(ram->vm);
    }
    return ram;
}

void vsdk_ram_close(vsdk_ram *ram)
{
    if (!ram || vm_is_foreign(ram->vm))
        return;
    vsdk_vm *vm = ram->vm;
    ram_put(ram);
    vm_drop(vm);
}

void *vsdk_ram_data(vsdk_ram *ram)
{
    return ram ? ram->backend.memory : NULL;
}

uint64_t vsdk_ram_size(const vsdk_ram *ram)
{
    return ram ? ram->backend.bytes : 0;
}

/* Nobody tracks written pages yet: what is checked is what the caller says. */
vsdk_status vsdk_ram_mark_dirty(vsdk_ram *ram, uint64_t offset, uint64_t length, vsdk_error *error)
{
    static const char op[] = "vsdk_ram_mark_dirty";
    vm_use use;

    if (!ram)
        return error_null(error, op, "ram");
    vsdk_status status = vm_use_begin(ram->vm, &use, op, error);
    if (status)
        return status;
    vm_use_end(use);
    if (!checked_within(offset, length, ram->backend.bytes))
        return error_set(error, VSDK_ERROR_RANGE, op,
                         "%" PRIu64 " bytes at %" PRIu64 " leave the memory of %" PRIu64 " bytes",
                         length, offset, ram->backend.bytes);
    return VSDK_OK;
}
