/* SPDX-License-Identifier: Apache-2.0 */
/* Message-signalled interrupts: sent at once, as an object of a device's, or by descriptor.
 *
 * A message's address and data change together: they are read and written under its lock, a leaf.
 * A descriptor is bound in the hypervisor under bus.lock, as doorbells are, so that destroy, which
 * takes that lock after the virtual machine is gone, comes after or before. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/record.h"
#include "base/sys.h"
#include "core/device.h"
#include "core/x86.h"

struct vsdk_msi {
    refs refs;
    vsdk_vm *vm;         /* its memory is counted */
    vsdk_device *device; /* its memory is counted; or NULL */
    uint32_t device_id;
    lock lock; /* RANK_LEAF: the two that follow */
    uint64_t address;
    uint32_t data;

    /* Under bus.lock. */
    int32_t fd; /* -1: none yet */
    uint32_t id;
    uint32_t assigned;
};

static int any_vcpu(const vsdk_vm *vm)
{
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++) {
        if (__atomic_load_n(&vm->vcpus[i], __ATOMIC_ACQUIRE))
            return 1;
    }
    return 0;
}

vsdk_status msi_send(vsdk_vm *vm, uint64_t address, uint32_t data, const char *operation,
                     vsdk_error *error)
{
    if (vm->backend.config.irqchip == VSDK_IRQCHIP_NONE)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                         "the virtual machine has no local APIC");
    if (!any_vcpu(vm)) {
        error_set(error, VSDK_ERROR_STATE, operation, "no vCPU exists yet");
        return error_hint(error, VSDK_ERROR_STATE, "call vsdk_vcpu_create first");
    }
    return vm->host->backend.ops->vm_send_msi(&vm->backend, address, data, error);
}

vsdk_status vsdk_vm_send_msi(vsdk_vm *vm, uint64_t address, uint32_t data, vsdk_error *error)
{
    static const char operation[] = "vsdk_vm_send_msi";
    vm_use use;

    if (!vm)
        return error_null(error, operation, "vm");
    vsdk_status status = vm_use_begin(vm, &use, operation, error);
    if (status)
        return status;
    status = x86_message_check(address, data, operation, error);
    if (!status)
        status = msi_send(vm, address, data, operation, error);
    vm_use_end(use);
    return status;
}

vsdk_status vsdk_msi_create(vsdk_vm *vm, const vsdk_msi_config *given, vsdk_msi **msi,
                            vsdk_error *error)
{
    static const char operation[] = "vsdk_msi_create";
    vsdk_msi_config config;
    vm_use use;

    if (!msi)
        return error_null(error, operation, "msi");
    *msi = NULL;
    if (!vm)
        return error_null(error, operation, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    vsdk_status status = record_read(&config, sizeof config, given, 0, operation, error);
    if (!status && config.reserved)
        status = record_later(operation, error);
    if (!status && config.address)
        status = x86_message_check(config.address, config.data, operation, error);
    if (!status && config.device && config.device->vm != vm)
        status = error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                           "the device is of another virtual machine");
    if (!status)
        status = vm_use_begin(vm, &use, operation, error);
    if (status)
        return status;
    vm_use_end(use);

    vsdk_msi *made = alloc_zeroed(sizeof *made);
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the message");
    refs_init(&made->refs);
    lock_init(&made->lock, RANK_LEAF);
    made->vm = vm;
    made->device = config.device;
    made->device_id = config.device_id;
    made->address = config.address;
    made->data = config.data;
    made->fd = -1;
    vm_keep(vm);
    if (made->device)
        refs_get(&made->device->memory);
    *msi = made;
    return VSDK_OK;
}

vsdk_msi *vsdk_msi_ref(vsdk_msi *msi)
{
    if (msi && !vm_is_foreign(msi->vm))
        refs_get(&msi->refs);
    return msi;
}

/* With bus.lock held. */
static void unassign(vsdk_msi *msi)
{
    vsdk_vm *vm = msi->vm;

    if (!msi->assigned || atomic_load(&vm->gone))
        return;
    lock_take(&vm->serial);
    vm->host->backend.ops->msi_deassign(&vm->backend, msi->id, msi->fd);
    lock_give(&vm->serial);
    numbers_give(&vm->irq.messages, msi->id - 1);
    msi->assigned = 0;
}

void vsdk_msi_close(vsdk_msi *msi)
{
    if (!msi || vm_is_foreign(msi->vm) || !refs_put(&msi->refs))
        return;
    vsdk_vm *vm = msi->vm;
    lock_take(&vm->bus.lock);
    unassign(msi);
    lock_give(&vm->bus.lock);
    sys_close(msi->fd);
    if (msi->device)
        device_memory_put(msi->device);
    lock_destroy(&msi->lock);
    alloc_free(msi);
    vm_drop(vm);
}

/* With bus.lock held: 0 when there is no memory. The first id is 1. */
static int id_take(vsdk_msi *msi)
{
    uint32_t number;

    if (!numbers_take(&msi->vm->irq.messages, &number))
        return 0;
    msi->id = number + 1;
    return 1;
}

/* With bus.lock held: the hypervisor learns what the descriptor sends now; nothing if there is none
 * or no message yet. */
static vsdk_status assign(vsdk_msi *msi, uint64_t address, uint32_t data, vsdk_error *error)
{
    const backend_ops *ops = msi->vm->host->backend.ops;

    if (msi->fd < 0)
        return VSDK_OK;
    if (!address) {
        unassign(msi);
        return VSDK_OK;
    }
    if (!msi->assigned && !id_take(msi))
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_msi_descriptor",
                         "no memory for the table of messages");
    lock_take(&msi->vm->serial);
    vsdk_status status =
        ops->msi_assign(&msi->vm->backend, msi->id, address, data, msi->device_id, msi->fd, error);
    lock_give(&msi->vm->serial);
    if (!status)
        msi->assigned = 1;
    else if (!msi->assigned)
        numbers_give(&msi->vm->irq.messages, msi->id - 1);
    return status;
}

vsdk_status vsdk_msi_set(vsdk_msi *msi, uint64_t address, uint32_t data, vsdk_error *error)
{
    static const char operation[] = "vsdk_msi_set";

    if (!msi)
        return error_null(error, operation, "msi");
    if (vm_is_foreign(msi->vm))
        return vm_forked(operation, error);
    vsdk_status status = address ? x86_message_check(address, data, operation, error) : VSDK_OK;
    if (status)
        return status;
    lock_take(&msi->vm->bus.lock);
    status =
        atomic_load(&msi->vm->gone) ? vm_gone(operation, error) : assign(msi, address, data, error);
    if (!status) {
        lock_take(&msi->lock);
        msi->address = address;
        msi->data = data;
        lock_give(&msi->lock);
    }
    lock_give(&msi->vm->bus.lock);
    return status;
}

vsdk_status vsdk_msi_send(vsdk_msi *msi, vsdk_error *error)
{
    static const char operation[] = "vsdk_msi_send";
    vm_use use;

    if (!msi)
        return error_null(error, operation, "msi");
    vsdk_status status = vm_use_begin(msi->vm, &use, operation, error);
    if (status)
        return status;
    lock_take(&msi->lock);
    uint64_t address = msi->address;
    uint32_t data = msi->data;
    lock_give(&msi->lock);
    if (msi->device && !device_acts(msi->device))
        status = error_set(error, VSDK_ERROR_STATE, operation, "device %s is stopped",
                           msi->device->name);
    else if (!address)
        status = error_set(error, VSDK_ERROR_STATE, operation, "the message has no address yet");
    else
        status = msi_send(msi->vm, address, data, operation, error);
    vm_use_end(use);
    return status;
}

int32_t vsdk_msi_descriptor(vsdk_msi *msi, vsdk_error *error)
{
    static const char operation[] = "vsdk_msi_descriptor";
    int32_t fd = -1;

    if (!msi)
        return error_null(error, operation, "msi"), -1;
    vsdk_vm *vm = msi->vm;
    if (vm_is_foreign(vm))
        return vm_forked(operation, error), -1;
    lock_take(&vm->bus.lock);
    if (atomic_load(&vm->gone)) {
        vm_gone(operation, error);
    } else if (!vm->host->backend.ops->msi_assign) {
        error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                  "the %s backend sends none by descriptor", vm->host->backend.ops->name);
        error_hint(error, VSDK_ERROR_UNSUPPORTED,
                   "ask vsdk_host_query for VSDK_CAPABILITY_MSI_DESCRIPTOR");
    } else if (msi->fd >= 0) {
        fd = msi->fd;
    } else if ((msi->fd = sys_eventfd()) < 0) {
        error_set_errno(error, error_status_of_errno(-msi->fd), -msi->fd, operation,
                        "no descriptor for the message");
        msi->fd = -1;
    } else if (assign(msi, msi->address, msi->data, error)) {
        sys_close(msi->fd);
        msi->fd = -1;
    } else {
        fd = msi->fd;
    }
    lock_give(&vm->bus.lock);
    return fd;
}
