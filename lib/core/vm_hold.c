#include "core/vm_state.h"

static void pause_guest(vsdk_vm *vm)
{
    if (!vm->guest_runs || vm->writer.guest_paused)
        return;
    pthread_mutex_unlock(&vm->lock);
    pthread_mutex_lock(&vm->serial);
    vsdk_status status = vm->backend.host->ops->vm_pause(&vm->backend, NULL);
    pthread_mutex_unlock(&vm->serial);
    pthread_mutex_lock(&vm->lock);
    vm->writer.guest_paused = status == VSDK_OK;
}

static void resume_guest(vsdk_vm *vm)
{
    if (!vm->writer.guest_paused)
        return;
    vm->writer.guest_paused = 0;
    if (vm->state == VSDK_VM_STOPPED || atomic_load(&vm->gone)) {
        vm->guest_runs = 0;
        return;
    }
    pthread_mutex_unlock(&vm->lock);
    pthread_mutex_lock(&vm->serial);
    vm->backend.host->ops->vm_resume(&vm->backend, NULL);
    pthread_mutex_unlock(&vm->serial);
    pthread_mutex_lock(&vm->lock);
}

/* vm->lock held. Only destroy goes on when the virtual machine is gone. */
static vsdk_status take_turn(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    for (;;) {
        uint32_t seen = atomic_load(&vm->changes);
        if (atomic_load(&vm->gone))
            return vm_gone(operation, error);
        if (!vm->writer.depth)
            break;
        vm_wait(vm, seen, 0);
    }
    vm_take_seat(vm, 0);
    return VSDK_OK;
}

static void wait_for_guests(vsdk_vm *vm)
{
    for (;;) {
        uint32_t seen = atomic_load(&vm->changes);
        if (!vm_any_at(vm, IN_GUEST_PLACES))
            return;
        vm_wait(vm, seen, 1);
    }
}

vsdk_status vm_hold(vsdk_vm *vm, int guest, const char *operation, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    pthread_mutex_lock(&vm->lock);
    if (vm_seat_is_mine(vm)) {
        vm->writer.depth++;
    } else {
        status = take_turn(vm, operation, error);
        if (status)
            goto out;
        vm_request(vm, REQUEST_WRITER);
        wait_for_guests(vm);
    }
    if (guest)
        pause_guest(vm);
out:
    pthread_mutex_unlock(&vm->lock);
    return status;
}

void vm_release(vsdk_vm *vm)
{
    pthread_mutex_lock(&vm->lock);
    if (vm->writer.depth > 1) {
        vm->writer.depth--;
        pthread_mutex_unlock(&vm->lock);
        return;
    }
    resume_guest(vm);
    vm_withdraw(vm, REQUEST_WRITER);
    vm_leave_seat(vm);
    pthread_mutex_unlock(&vm->lock);
    vm_settle(vm);
}
