#include "core/vm_state.h"
#include "base/error.h"
#include "base/sys.h"

enum { LOOK_AGAIN_NS = 1000000 };

vsdk_status vm_gone(const char *operation, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_GONE, operation, "the virtual machine was destroyed");
}

vsdk_status vm_ended(const char *operation, vsdk_error *error)
{
    vsdk_status status = error_set(error, VSDK_ERROR_STATE, operation, "the guest has ended");

    return error_hint(error, status, "create another virtual machine to run it again");
}

int vm_autonomous(const vsdk_vm *vm)
{
    return (vm->backend.host->ops->traits & BACKEND_AUTONOMOUS) != 0;
}

int vm_stands(const vsdk_vm *vm)
{
    return vm->state == VSDK_VM_CREATED || vm->state == VSDK_VM_PAUSED;
}

vsdk_status vm_use_begin(vsdk_vm *vm, vm_use *use, const char *operation, vsdk_error *error)
{
    *use = readers_enter(&vm->readers);
    if (!atomic_load(&vm->gone))
        return VSDK_OK;
    readers_leave(*use);
    return vm_gone(operation, error);
}

/* The thread waits on its requests; it said so before it looked at them. */
static void wake_waiting(vsdk_vcpu *vcpu)
{
    uint32_t place = atomic_load(&vcpu->place) & ~(uint32_t)PLACE_LOCKED;

    if (place == PLACE_WAIT || place == PLACE_PARKED)
        sys_futex_wake(&vcpu->backend.requests);
}

void vcpu_request(vsdk_vcpu *vcpu, uint32_t bits)
{
    atomic_fetch_or(&vcpu->backend.requests, bits);
    if (atomic_load(&vcpu->place) == PLACE_BUSY)
        vcpu->backend.vm->host->ops->vcpu_interrupt(&vcpu->backend);
    else
        wake_waiting(vcpu);
}

void vm_request(vsdk_vm *vm, uint32_t bits)
{
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++)
        if (vm->vcpus[i])
            vcpu_request(vm->vcpus[i], bits);
}

void vm_withdraw(vsdk_vm *vm, uint32_t bits)
{
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++) {
        if (!vm->vcpus[i])
            continue;
        atomic_fetch_and(&vm->vcpus[i]->backend.requests, ~bits);
        wake_waiting(vm->vcpus[i]);
    }
}

void vm_changed(vsdk_vm *vm)
{
    atomic_fetch_add(&vm->changes, 1);
    if (atomic_load(&vm->waiters))
        sys_futex_wake(&vm->changes);
}

void vm_wait(vsdk_vm *vm, uint32_t seen, int places)
{
    atomic_fetch_add(&vm->waiters, 1);
    pthread_mutex_unlock(&vm->lock);
    sys_futex_wait(&vm->changes, seen, places ? sys_clock() + LOOK_AGAIN_NS : 0);
    pthread_mutex_lock(&vm->lock);
    atomic_fetch_sub(&vm->waiters, 1);
}

int vm_any_at(vsdk_vm *vm, uint32_t places)
{
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++)
        if (vm->vcpus[i] &&
            (places & 1u << (atomic_load(&vm->vcpus[i]->place) & ~(uint32_t)PLACE_LOCKED)))
            return 1;
    return 0;
}

void vm_take_seat(vsdk_vm *vm, uint32_t transition)
{
    vm->writer.depth = 1;
    vm->writer.owner = pthread_self();
    vm->writer.transition = transition;
}

void vm_leave_seat(vsdk_vm *vm)
{
    vm->writer.depth = 0;
    vm->writer.transition = 0;
    vm_changed(vm);
}
