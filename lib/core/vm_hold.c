#include "base/error.h"
#include "core/vm_state.h"

/* vm->lock held, given back meanwhile. */
static vsdk_status pause_guest(vsdk_vm *vm, vsdk_error *error)
{
    if (!vm->guest_runs || vm->writer.guest_paused)
        return VSDK_OK;
    pthread_mutex_unlock(&vm->lock);
    vsdk_status status = vm_halt_guest(vm, error);
    pthread_mutex_lock(&vm->lock);
    vm->writer.guest_paused = status == VSDK_OK;
    return status;
}

static int ends(const vsdk_vm *vm)
{
    return vm->state == VSDK_VM_STOPPED || atomic_load(&vm->gone);
}

/* The same. Where the guest does not go on a pause makes that its state, from which it may be
 * resumed. */
static vsdk_status resume_guest(vsdk_vm *vm, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    if (!vm->writer.guest_paused)
        return VSDK_OK;
    vm->writer.guest_paused = 0;
    if (!ends(vm)) {
        pthread_mutex_unlock(&vm->lock);
        status = vm_start_guest(vm, error);
        pthread_mutex_lock(&vm->lock);
        if (!status)
            return VSDK_OK;
    }
    vm->guest_runs = 0;
    if (ends(vm))
        return VSDK_OK;
    vm_want_pause(vm);
    return error_hint(error, status, "the guest pauses; vsdk_vm_resume tries again");
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
        if (status) {
            pthread_mutex_unlock(&vm->lock);
            return status;
        }
        vm_request(vm, REQUEST_WRITER);
        wait_for_guests(vm);
    }
    if (guest)
        status = pause_guest(vm, error);
    pthread_mutex_unlock(&vm->lock);
    if (status)
        vm_release(vm, NULL);
    return status;
}

vsdk_status vm_release(vsdk_vm *vm, vsdk_error *error)
{
    pthread_mutex_lock(&vm->lock);
    if (vm->writer.depth > 1) {
        vm->writer.depth--;
        pthread_mutex_unlock(&vm->lock);
        return VSDK_OK;
    }
    vsdk_status status = resume_guest(vm, error);
    vm_withdraw(vm, REQUEST_WRITER);
    vm_leave_seat(vm);
    pthread_mutex_unlock(&vm->lock);
    vm_settle(vm);
    return status;
}
