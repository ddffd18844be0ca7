/* SPDX-License-Identifier: Apache-2.0 */
/* What x86-64 adds to hosts, virtual machines and vCPUs: CPUID, non-maskable interrupts, and the
 * registers that come with an exit. */
#include "base/alloc.h"
#include "base/error.h"
#include "core/host.h"
#include "core/life_moves.h"
#include <string.h>
#include <vsdk/x86.h>

enum { CPUID_MOST = 256 };

vsdk_status vsdk_x86_host_get_cpuid(vsdk_host *host, vsdk_x86_cpuid_entry *entries,
                                    uint32_t capacity, uint32_t *needed, vsdk_error *error)
{
    const char *operation = "vsdk_x86_host_get_cpuid";
    vsdk_status status =
        host_check_list(host, entries, "entries", capacity, needed, operation, error);

    if (status)
        return status;
    return host->backend.ops->host_get_cpuid(&host->backend, entries, capacity, needed, error);
}

static vsdk_status set_cpuid(vsdk_vm *vm, const vsdk_x86_cpuid_entry *entries, uint32_t count,
                             const char *operation, vsdk_error *error)
{
    const backend_ops *ops = vm->backend.host->ops;

    if (vm->vcpu_count)
        return error_set(error, VSDK_ERROR_STATE, operation, "a vCPU exists already");
    if (!ops->vm_set_cpuid)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                         "the %s backend has no CPUID to choose", ops->name);
    vsdk_x86_cpuid_entry *copy = alloc_array(count, sizeof *copy);
    if (!copy)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the leaves");
    memcpy(copy, entries, count * sizeof *copy);
    lock_take(&vm->serial);
    vsdk_status status = ops->vm_set_cpuid(&vm->backend, copy, count, error);
    lock_give(&vm->serial);
    alloc_free(copy);
    return status;
}

vsdk_status vsdk_x86_vm_set_cpuid(vsdk_vm *vm, const vsdk_x86_cpuid_entry *entries, uint32_t count,
                                  vsdk_error *error)
{
    const char *operation = "vsdk_x86_vm_set_cpuid";

    if (!vm)
        return error_null(error, operation, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (!entries)
        return error_null(error, operation, "entries");
    if (!count)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "count is 0");
    if (count > CPUID_MOST)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "count %u is above %d", count,
                         CPUID_MOST);
    vsdk_status status = life_hold(vm, 0, operation, error);
    if (status)
        return status;
    status = set_cpuid(vm, entries, count, operation, error);
    life_release(vm, 0);
    return status;
}

vsdk_status vsdk_x86_vcpu_get_cpuid(vsdk_vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                                    vsdk_x86_cpuid_entry *entry, vsdk_error *error)
{
    const char *operation = "vsdk_x86_vcpu_get_cpuid";
    vm_use use;

    if (entry)
        memset(entry, 0, sizeof *entry);
    if (!vcpu)
        return error_null(error, operation, "vcpu");
    if (vm_is_foreign(vcpu->vm))
        return vm_forked(operation, error);
    if (!entry)
        return error_null(error, operation, "entry");
    vsdk_status status = vm_use_begin(vcpu->vm, &use, operation, error);
    if (status)
        return status;
    const backend_ops *ops = vcpu->vm->backend.host->ops;
    lock_take(&vcpu->vm->serial);
    status = ops->vcpu_get_cpuid(&vcpu->backend, leaf, subleaf, entry, error);
    lock_give(&vcpu->vm->serial);
    vm_use_end(use);
    return status;
}

vsdk_status vsdk_x86_vcpu_inject_nmi(vsdk_vcpu *vcpu, vsdk_error *error)
{
    const char *operation = "vsdk_x86_vcpu_inject_nmi";
    vm_use use;

    if (!vcpu)
        return error_null(error, operation, "vcpu");
    vsdk_status status = vm_use_begin(vcpu->vm, &use, operation, error);
    if (status)
        return status;
    const backend_ops *ops = vcpu->vm->backend.host->ops;
    status = ops->vcpu_inject_nmi ? ops->vcpu_inject_nmi(&vcpu->backend, error)
                                  : error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                                              "this backend can't send one");
    vm_use_end(use);
    return status;
}

vsdk_x86_regs *vsdk_x86_vcpu_sync_regs(vsdk_vcpu *vcpu)
{
    return vcpu ? vcpu->backend.sync_regs : NULL;
}

vsdk_x86_sregs *vsdk_x86_vcpu_sync_sregs(vsdk_vcpu *vcpu)
{
    return vcpu ? vcpu->backend.sync_sregs : NULL;
}
