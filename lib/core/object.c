/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of hosts and virtual machines, and short uses of a virtual machine. Ground: children
 * of every floor keep and drop that memory here. Dropping the last of it frees it and ends nothing:
 * what a virtual machine has of the hypervisor went with its destruction (vm_destroy.c). */
#include "core/object.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"

void host_get(vsdk_host *host)
{
    refs_get(&host->refs);
}

void host_put(vsdk_host *host)
{
    if (!refs_put(&host->refs))
        return;
    host->backend.ops->host_close(&host->backend);
    if (host->log_release)
        host->log_release(host->log_user);
    alloc_free(host);
}

int host_is_foreign(const vsdk_host *host)
{
    return host->process != process_id();
}

void vm_keep(vsdk_vm *vm)
{
    refs_get(&vm->memory);
}

void vm_free(vsdk_vm *vm)
{
    vsdk_host *host = vm->host;
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++) {
        if (vm->vcpus[i])
            lock_destroy(&vm->vcpus[i]->loan.lock);
        alloc_free(vm->vcpus[i]);
    }
    alloc_free(vm->vcpus);
    alloc_free(vm->backend.vcpus);
    for (unsigned i = 0; i < IRQ_BLOCKS; i++)
        alloc_free(atomic_load(&vm->irq.lines[i]));
    numbers_free(&vm->irq.messages);
    lock_destroy(&vm->irq.lock);
    alloc_free(vm->bus.reserved);
    lock_destroy(&vm->bus.lock);
    lock_destroy(&vm->life.lock);
    lock_destroy(&vm->serial);
    readers_destroy(&vm->readers);
    alloc_free(vm);
    host_put(host);
}

void vm_drop(vsdk_vm *vm)
{
    if (!refs_put(&vm->memory))
        return;
    vm->host->backend.ops->vm_free(&vm->backend);
    vm_free(vm);
}

vsdk_status vm_gone(const char *operation, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_GONE, operation, "the virtual machine was destroyed");
}

vsdk_status vm_forked(const char *operation, vsdk_error *error)
{
    return error_forked(error, operation);
}

vsdk_status vm_use_begin(vsdk_vm *vm, vm_use *use, const char *operation, vsdk_error *error)
{
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    *use = readers_enter(&vm->readers);
    if (!atomic_load(&vm->gone))
        return VSDK_OK;
    readers_leave(*use);
    return vm_gone(operation, error);
}
